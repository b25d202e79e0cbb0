"""The dependency graph, painted: one paint event for all cards in sight, whatever the job's size.

Drag to move, wheel to zoom around the pointer, click a card to see its tasks, double-click the ground to fit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from ui import theme
from ui.graph.layout import Graph
from ui.models.words import tip
from ui.theme import Role

CARD_W, CARD_H = 176.0, 46.0
GAP_ALONG, GAP_ACROSS = 64.0, 16.0
"""Between layers and between cards of a layer."""
MARGIN = 28.0
MIN_SCALE, MAX_SCALE, READABLE = 0.01, 2.5, 0.7
CARDS_DRAWN, SMALL_DRAWN = 500, 120
"""More cards at once are plain blocks; so are fewer where they are too small for words."""
WORDS_FROM = 0.28
"""The scale from which on cards have words."""
EDGES_CURVED = 400
"""More arrows than this are straight lines."""
EDGES_SHOWN = 2_000

_TYPE_ROLES = (Role.ACCENT, Role.INFO, Role.WARNING, Role.DRY, Role.OK, Role.ERROR)


def type_roles(types: Sequence[str]) -> dict[str, Role]:
    """A colour role per task type, by first appearance."""
    seen = dict.fromkeys(types)
    return {name: _TYPE_ROLES[at % len(_TYPE_ROLES)] for at, name in enumerate(seen)}


@dataclass(frozen=True, slots=True)
class Spread:
    """Where the cards of a graph lie, its layers running one way.

    Attributes:
        places: One a card.
        bounds: Around them all.
        lines: The arrows, where they are too many for curves.
    """

    places: list[QRectF]
    bounds: QRectF
    lines: list[QLineF]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A graph with all places that painting it needs: layers from left to right, and from top to bottom."""

    graph: Graph
    across: Spread
    down: Spread


def draw_up(graph: Graph) -> Drawing:
    """Work out where everything lies. Takes milliseconds for a thousand cards: may be called on any thread."""
    return Drawing(graph, _spread(graph, down=False), _spread(graph, down=True))


class GraphCanvas(QWidget):
    """The painted surface.

    Signals:
        picked: places in the job of the tasks of the card that was clicked.
    """

    picked = Signal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._drawing = draw_up(Graph([], {}))
        self._empty = "No tasks yet"
        self._roles: dict[str, Role] = {}
        self._names: Sequence[str] = ()
        self._states: Sequence[str] = ()
        self._looks: Mapping[str, tuple[str, Role]] = {}
        self._parts: list[list[tuple[str, int]]] = []
        self._scale = 1.0
        self._origin = QPointF(MARGIN, MARGIN)
        self._fitted = True
        self._down = False
        self._hover = -1
        self._current = -1
        self._press: QPointF | None = None
        self._moved = False
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Dependency graph")
        theme.notifier().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(480, 320)

    # -- content -----------------------------------------------------------------------------------------------------

    @property
    def graph(self) -> Graph:
        """What is shown."""
        return self._drawing.graph

    @property
    def _spread(self) -> Spread:
        return self._drawing.down if self._down else self._drawing.across

    @property
    def _places(self) -> list[QRectF]:
        return self._spread.places

    @property
    def _bounds(self) -> QRectF:
        return self._spread.bounds

    def set_empty_text(self, text: str) -> None:
        """What a graph without cards says."""
        self._empty = text
        self.update()

    def show_graph(self, drawing: Drawing, names: Sequence[str], types: Sequence[str]) -> None:
        """Show another graph; the view is kept when a person has moved it, fitted otherwise."""
        self._drawing, self._names = drawing, names
        self._roles = type_roles(types)
        self._count_states()
        self._hover = self._current = -1
        if self._fitted or not self._visible_cards():
            self.fit()
        self.update()

    def show_states(self, states: Sequence[str], looks: Mapping[str, tuple[str, Role]]) -> None:
        """Colour the cards by what their tasks are at, instead of by type.

        Args:
            states: One a task, in the job's order.
            looks: Word and colour of each state, the one that matters most first.
        """
        self._states, self._looks = states, looks
        self._count_states()
        self.update()

    def _count_states(self) -> None:
        """How many tasks of each card are in each state, what matters most first."""
        self._parts = []
        if len(self._states) != len(self.graph.card_of):
            return
        order = {state: place for place, state in enumerate(self._looks)}
        for card in self.graph.cards:
            counted = Counter([self._states[task] for task in card.tasks])
            self._parts.append(sorted(counted.items(), key=lambda part: order.get(part[0], len(order))))

    def _role_of(self, number: int) -> Role:
        if self._parts:
            return self._looks.get(self._parts[number][0][0], ("", Role.OFF))[1]
        return self._roles.get(self.graph.cards[number].type, Role.INFO)

    def select_task(self, place: int) -> None:
        """Ring the card that holds a task."""
        self._current = self.graph.card_of[place] if 0 <= place < len(self.graph.card_of) else -1
        if self._fitted and self._current >= 0 and self._current not in self._visible_cards():
            self.fit()
        self.update()

    def _better_downwards(self) -> bool:
        """Whether layers from top to bottom fill the room better than layers from left to right."""
        across, down = self._fit_scale(self._drawing.across.bounds), self._fit_scale(self._drawing.down.bounds)
        return down > across * 1.15

    def _fit_scale(self, bounds: QRectF) -> float:
        if bounds.isEmpty():
            return 1.0
        room_w, room_h = max(self.width() - 2 * MARGIN, 10), max(self.height() - 2 * MARGIN, 10)
        return min(room_w / bounds.width(), room_h / bounds.height(), 1.0)

    # -- view --------------------------------------------------------------------------------------------------------

    def fit(self) -> None:
        """Show everything, never larger than life."""
        self._fitted = True
        self._down = self._better_downwards()
        if self._bounds.isEmpty():
            return
        # A row of some cards is shown from its start at a size that can be read, not as a hair line.
        least = READABLE if len(self._places) <= 60 else MIN_SCALE
        self._scale = max(self._fit_scale(self._bounds), least)
        middle = self._places[self._current].center() if self._current >= 0 else self._bounds.topLeft()
        self._origin = QPointF(
            self._start(self._bounds.left(), self._bounds.right(), middle.x(), self.width()),
            self._start(self._bounds.top(), self._bounds.bottom(), middle.y(), self.height()),
        )
        self.update()

    def _start(self, low: float, high: float, middle: float, room: int) -> float:
        """Where the scene's zero stands on an axis: all of it in the middle, else the chosen card as near as may be."""
        low, high, middle = low * self._scale, high * self._scale, middle * self._scale
        if high - low <= room - 2 * MARGIN:
            return (room - low - high) / 2
        return min(max(room / 2 - middle, room - MARGIN - high), MARGIN - low)

    def zoom(self, factor: float, around: QPointF | None = None) -> None:
        """Scale by `factor`, keeping the point `around` (widget pixels; the middle by default) where it is."""
        at = around if around is not None else QPointF(self.width() / 2, self.height() / 2)
        scale = min(max(self._scale * factor, MIN_SCALE), MAX_SCALE)
        self._origin = at - (at - self._origin) * (scale / self._scale)
        self._scale = scale
        self._fitted = False
        self.update()

    def _to_scene(self, point: QPointF) -> QPointF:
        return (point - self._origin) / self._scale

    def _card_at(self, point: QPointF) -> int:
        scene = self._to_scene(point)
        for number in self._visible_cards():
            if self._places[number].contains(scene):
                return number
        return -1

    def _visible_cards(self) -> list[int]:
        seen = QRectF(self._to_scene(QPointF(0, 0)), self._to_scene(QPointF(self.width(), self.height())))
        return [number for number, area in enumerate(self._places) if area.intersects(seen)]

    # -- painting ----------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme.current()
        painter = QPainter(self)
        painter.fillRect(event.rect(), look.colour(Role.SUNKEN))
        if not self.graph.cards:
            painter.setPen(look.colour(Role.MUTED))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._empty)
            painter.end()
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(self._origin)
        painter.scale(self._scale, self._scale)
        shown = self._visible_cards()
        self._paint_edges(painter)
        detail = self._scale > WORDS_FROM
        if len(shown) > (CARDS_DRAWN if detail else SMALL_DRAWN):
            self._paint_blocks(painter, shown)
        else:
            for number in shown:
                self._paint_card(painter, number, detail=detail)
        painter.end()

    def _paint_blocks(self, painter: QPainter, shown: list[int]) -> None:
        """So many cards at once are too small for words: one call a colour."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(Qt.PenStyle.NoPen)
        by_role: dict[Role, list[QRectF]] = {}
        for number in shown:
            by_role.setdefault(self._role_of(number), []).append(self._places[number])
        for role, areas in by_role.items():
            painter.setBrush(theme.current().colour(role, 0.8))
            painter.drawRects(areas)

    def _paint_edges(self, painter: QPainter) -> None:
        look = theme.current()
        focus = self._hover if self._hover >= 0 else self._current
        quiet, loud = QPen(look.colour(Role.BORDER_STRONG), 1.4), QPen(look.colour(Role.ACCENT), 2.0)
        edges = list(self.graph.edges)
        if len(edges) > EDGES_CURVED:
            self._paint_straight(painter, quiet)
            edges = [edge for edge in edges if focus in edge][:EDGES_CURVED] if focus >= 0 else []
        labels: list[tuple[QPointF, str]] = []
        for source, target in edges:
            first, last = _ends(self._places[source], self._places[target], down=self._down)
            path = _curve(first, last, down=self._down)
            painter.setPen(loud if focus in (source, target) else quiet)
            painter.drawPath(path)
            if self._scale > 0.2:
                _arrow(painter, last, down=self._down)
            weight = self.graph.edges[source, target]
            if weight > 1 and self.graph.grouped and self._scale > 0.45 and len(self.graph.edges) < 60:
                labels.append((path.pointAtPercent(0.5), f"{weight:,}"))
        self._paint_labels(painter, labels)

    def _paint_straight(self, painter: QPainter, pen: QPen) -> None:
        """Thousands of arrows as plain lines in one call: curves would cost a frame."""
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        pen = QPen(pen)
        pen.setCosmetic(True)
        pen.setWidthF(1.0)
        painter.setPen(pen)
        painter.drawLines(self._spread.lines)
        painter.restore()

    def _paint_labels(self, painter: QPainter, labels: list[tuple[QPointF, str]]) -> None:
        look, font = theme.current(), theme.ui_font(-1.5)
        painter.setFont(font)
        for at, text in labels:
            width = QFontMetricsF(font).horizontalAdvance(text) + 12
            pill = QRectF(at.x() - width / 2, at.y() - 9, width, 18)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.colour(Role.SUNKEN))
            painter.drawRoundedRect(pill, 9, 9)
            painter.setPen(look.colour(Role.MUTED))
            painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, text)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _paint_card(self, painter: QPainter, number: int, *, detail: bool) -> None:
        look = theme.current()
        card, area = self.graph.cards[number], self._places[number]
        colour = look.colour(self._role_of(number))
        ring = number in (self._hover, self._current)
        outline = QPen(look.colour(Role.ACCENT) if ring else look.colour(Role.BORDER_STRONG), 1.8 if ring else 1.0)
        ground = look.colour(Role.RAISED)
        if len(card.tasks) > 1:
            # A pile: two sheets look out behind the card.
            painter.setPen(QPen(look.colour(Role.BORDER_STRONG), 1.0))
            painter.setBrush(look.colour(Role.SURFACE))
            for shift in (7.0, 3.5):
                painter.drawRoundedRect(area.translated(shift, shift), 6, 6)
        painter.setPen(outline)
        painter.setBrush(ground)
        painter.drawRoundedRect(area, 6, 6)
        if self._parts:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.colour(self._role_of(number), 0.14))
            painter.drawRoundedRect(area, 6, 6)
        painter.setPen(Qt.PenStyle.NoPen)
        stripe = QRectF(area.left() + 6, area.top() + 8, 3.5, area.height() - 16)
        if self._parts:
            self._paint_shares(painter, number, stripe.adjusted(0, 0, 1.5, 0))
        else:
            painter.setBrush(colour)
            painter.drawRoundedRect(stripe, 1.7, 1.7)
        if detail:
            self._paint_words(painter, number, area, colour)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _paint_shares(self, painter: QPainter, number: int, stripe: QRectF) -> None:
        """The stripe in the colours of the states, each as long as its share."""
        total, top = len(self.graph.cards[number].tasks), stripe.top()
        for state, count in self._parts[number]:
            long = stripe.height() * count / total
            painter.setBrush(theme.current().colour(self._looks.get(state, ("", Role.OFF))[1]))
            painter.drawRect(QRectF(stripe.left(), top, stripe.width(), long))
            top += long

    def _paint_words(self, painter: QPainter, number: int, area: QRectF, colour: QColor) -> None:
        look, card = theme.current(), self.graph.cards[number]
        inside = area.adjusted(17, 5, -9, -5)
        count = f"× {len(card.tasks):,}" if len(card.tasks) > 1 else ""
        bold = theme.ui_font(0, theme.ui_font().Weight.DemiBold)
        metrics = QFontMetricsF(bold)
        count_width = metrics.horizontalAdvance(count) + 6 if count else 0
        painter.setFont(bold)
        painter.setPen(look.colour(Role.TEXT))
        top = QRectF(inside.left(), inside.top(), inside.width(), inside.height() / 2)
        left = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        name = metrics.elidedText(card.name, Qt.TextElideMode.ElideMiddle, top.width() - count_width)
        painter.drawText(top, left | Qt.TextFlag.TextSingleLine, name)
        if count:
            painter.setPen(colour)
            painter.drawText(top, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, count)
        small = theme.ui_font(-1)
        painter.setFont(small)
        painter.setPen(look.colour(Role.MUTED))
        below = QRectF(inside.left(), top.bottom(), inside.width(), inside.height() / 2)
        words = card.type + (" · one after the other" if card.chained else "")
        if self._parts:
            words = f"{card.type} · {self._state_words(number)}"
        painter.drawText(
            below,
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
            QFontMetricsF(small).elidedText(words, Qt.TextElideMode.ElideRight, below.width()),
        )

    # -- events ------------------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._fitted:
            self.fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.zoom(1.0015 ** event.angleDelta().y(), event.position())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._press, self._moved = event.position(), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._press is not None and event.buttons():
            step = event.position() - self._press
            if self._moved or step.manhattanLength() > 4:
                self._moved, self._fitted = True, False
                self._origin += step
                self._press = event.position()
                self.setCursor(Qt.CursorShape.ClosedHandCursor)
                self.update()
            return
        over = self._card_at(event.position())
        if over != self._hover:
            self._hover = over
            self.setCursor(Qt.CursorShape.PointingHandCursor if over >= 0 else Qt.CursorShape.ArrowCursor)
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._press is not None and not self._moved:
            over = self._card_at(event.position())
            if over >= 0:
                self._current = over
                self.update()
                self.picked.emit(self.graph.cards[over].tasks)
        self._press = None
        self.unsetCursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._card_at(event.position()) < 0:
            self.fit()

    def leaveEvent(self, event: QEvent) -> None:
        self._hover = -1
        self.update()
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Plus: 1.25, Qt.Key.Key_Equal: 1.25, Qt.Key.Key_Minus: 0.8}
        moves = {
            Qt.Key.Key_Left: (60, 0),
            Qt.Key.Key_Right: (-60, 0),
            Qt.Key.Key_Up: (0, 60),
            Qt.Key.Key_Down: (0, -60),
        }
        key = Qt.Key(event.key())
        if key in steps:
            self.zoom(steps[key])
        elif key in moves:
            self._origin += QPointF(*moves[key])
            self._fitted = False
            self.update()
        elif key in (Qt.Key.Key_0, Qt.Key.Key_Home):
            self.fit()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            over = self._card_at(QPointF(event.pos()))
            if over >= 0:
                QToolTip.showText(event.globalPos(), tip(self._tip(over)), self)
            else:
                QToolTip.hideText()
            return True
        return super().event(event)

    def _state_words(self, number: int) -> str:
        parts = self._parts[number]
        if len(self.graph.cards[number].tasks) == 1:
            return self._looks.get(parts[0][0], (parts[0][0], Role.OFF))[0]
        return ", ".join(f"{count:,} {self._looks.get(state, (state, Role.OFF))[0]}" for state, count in parts)

    def _tip(self, number: int) -> str:
        card = self.graph.cards[number]
        names = [self._names[task] for task in card.tasks[:6]]
        more = f"\nand {len(card.tasks) - 6:,} more" if len(card.tasks) > 6 else ""
        at = f"\n{self._state_words(number)}" if self._parts else ""
        return f"{card.type}: " + "\n".join(names) + more + at


def _spread(graph: Graph, *, down: bool) -> Spread:
    """Layers from left to right or from top to bottom, each centred on the longest one."""
    size, step = (CARD_W, CARD_H + GAP_ALONG * 0.7) if down else (CARD_H, CARD_W + GAP_ALONG)
    longest = max((len(layer) for layer in graph.layers), default=0) * (size + GAP_ACROSS) - GAP_ACROSS
    places = [QRectF()] * len(graph.cards)
    for depth, layer in enumerate(graph.layers):
        start = (longest - (len(layer) * (size + GAP_ACROSS) - GAP_ACROSS)) / 2
        for row, number in enumerate(layer):
            across, along = start + row * (size + GAP_ACROSS), depth * step
            places[number] = QRectF(across if down else along, along if down else across, CARD_W, CARD_H)
    if not places:
        return Spread([], QRectF(), [])
    deep = (len(graph.layers) - 1) * step + (CARD_H if down else CARD_W)
    bounds = QRectF(0, 0, longest, deep) if down else QRectF(0, 0, deep, longest)
    shown = islice(graph.edges, EDGES_SHOWN) if len(graph.edges) > EDGES_CURVED else ()
    lines = [QLineF(*_ends(places[source], places[target], down=down)) for source, target in shown]
    return Spread(places, bounds, lines)


def _ends(start: QRectF, end: QRectF, *, down: bool) -> tuple[QPointF, QPointF]:
    """Where an arrow between two cards begins and ends."""
    if down:
        return QPointF(start.center().x(), start.bottom()), QPointF(end.center().x(), end.top())
    return QPointF(start.right(), start.center().y()), QPointF(end.left(), end.center().y())


def _curve(start: QPointF, end: QPointF, *, down: bool) -> QPainterPath:
    path = QPainterPath(start)
    if down:
        bend = max(abs(end.y() - start.y()) * 0.5, 20.0)
        path.cubicTo(QPointF(start.x(), start.y() + bend), QPointF(end.x(), end.y() - bend), end)
    else:
        bend = max(abs(end.x() - start.x()) * 0.5, 30.0)
        path.cubicTo(QPointF(start.x() + bend, start.y()), QPointF(end.x() - bend, end.y()), end)
    return path


def _arrow(painter: QPainter, tip: QPointF, *, down: bool) -> None:
    first, second = (QPointF(-3.5, -6), QPointF(3.5, -6)) if down else (QPointF(-6, -3.5), QPointF(-6, 3.5))
    painter.drawLine(tip, tip + first)
    painter.drawLine(tip, tip + second)
