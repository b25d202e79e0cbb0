"""Levers: the tall one of a handler, and the small one of a handler within one show.

Both are sliders of three positions, so keyboard and screen readers know them without being told.
"""

from __future__ import annotations

import math
from functools import partial

from PySide6.QtCore import (
    Property,
    QEasingCurve,
    QEvent,
    QPointF,
    QPropertyAnimation,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFont,
    QFontMetrics,
    QKeyEvent,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QRadialGradient,
    QWheelEvent,
)
from PySide6.QtWidgets import QMenu, QSizePolicy, QSlider, QStyle, QWidget

from ui import theme
from ui.models.words import LEVERS
from ui.theme import Role

POSITIONS = ("off", "dry", "on")
_KEYS = {Qt.Key.Key_O: 0, Qt.Key.Key_D: 1, Qt.Key.Key_N: 2, Qt.Key.Key_0: 0, Qt.Key.Key_1: 1, Qt.Key.Key_2: 2}


_motion = {"wanted": True}


def use_motion(wanted: bool) -> None:
    """Let levers swing from now on, or not; a desktop that asks for no motion has the last word."""
    _motion["wanted"] = wanted


class Lever(QSlider):
    """A lever with the positions Off, Dry run and On.

    It shows what the journal says. A person's move is told by `moved`, and the lever stands where it was put until the
    journal's word comes: `set_position`.

    Signals:
        moved: a person put it to "off", "dry" or "on".
    """

    moved = Signal(str)

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.title = title
        self.setRange(0, 2)
        self.setPageStep(1)
        self.setSingleStep(1)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._at = 0.0
        self._drag: float | None = None
        self._paused = False
        self._locked = False
        self._hover = -1
        self._swing = QPropertyAnimation(self, b"at", self)
        self._swing.setDuration(160)
        self._swing.setEasingCurve(QEasingCurve.Type.OutBack)
        self.setMouseTracking(True)
        self._say()
        theme.notifier().changed.connect(self.update)

    # State

    @property
    def position(self) -> str:
        """ "off", "dry" or "on"."""
        return POSITIONS[self.value()]

    def set_position(self, position: str, *, paused: bool = False) -> None:
        """Show what the journal says; `paused` while the breaker holds the handler."""
        # A lever that stands at Off is off, whatever the breaker says.
        self._paused = paused and position != "off"
        index = POSITIONS.index(position)
        if index != self.value() and self._drag is None:
            self.setValue(index)
            self._go(index)
        self._say()
        self.update()

    def set_locked(self, locked: bool) -> None:
        """A locked lever shows its position and cannot be moved (a read-only journal)."""
        self._locked = locked
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus if locked else Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.ForbiddenCursor if locked else Qt.CursorShape.PointingHandCursor)
        self.setToolTip("This journal is open for reading only: levers cannot be moved from here" if locked else "")

    def _say(self) -> None:
        word = LEVERS[self.position][0]
        self.setAccessibleName(f"Lever {self.title}: {word}{', paused' if self._paused else ''}")

    def _get_at(self) -> float:
        return self._at

    def _set_at(self, at: float) -> None:
        self._at = at
        self.update()

    at = Property(float, _get_at, _set_at)

    def _go(self, index: int) -> None:
        self._swing.stop()
        if not (self.isVisible() and self._may_swing()):
            self._set_at(float(index))
            return
        self._swing.setStartValue(self._at)
        self._swing.setEndValue(float(index))
        self._swing.start()

    def _may_swing(self) -> bool:
        # Desktops tell "no animations" by a duration of none.
        duration = QStyle.StyleHint.SH_Widget_Animation_Duration
        return _motion["wanted"] and self.style().styleHint(duration, None, self) > 0

    def _put(self, index: int) -> None:
        """A person put it there."""
        if self._locked:
            return
        changed = index != self.value()
        self.setValue(index)
        self._go(index)
        self._say()
        if changed:
            self.moved.emit(POSITIONS[index])

    # Hands

    def _place(self, x: float) -> float:
        """The position (0 to 2, broken) at an x."""
        return min(2.0, max(0.0, x / max(1, self.width()) * 3 - 0.5))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and not self._locked:
            self._drag = event.position().x()
            event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = self._place(event.position().x())
        if self._drag is not None and abs(event.position().x() - self._drag) > 3:
            self._swing.stop()
            self._set_at(place)
        hover = round(place)
        if hover != self._hover:
            self._hover = hover
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._drag is None or event.button() != Qt.MouseButton.LeftButton:
            return
        self._drag = None
        self._put(round(self._place(event.position().x())))

    def leaveEvent(self, _event: QEvent) -> None:
        self._hover = -1
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """A wheel scrolls the list that the lever stands in; it never moves a lever by accident."""
        event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key in _KEYS:
            self._put(_KEYS[key])
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self._put(min(2, max(0, self.value() + (1 if key == Qt.Key.Key_Right else -1))))
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._put(0 if key == Qt.Key.Key_Home else 2)
        else:
            event.ignore()

    # Looks

    def sizeHint(self) -> QSize:
        return QSize(156, 66)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def _role(self) -> Role:
        return Role.WARNING if self._paused else LEVERS[self.position][1]

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        names = QRectF(0, self.height() - 20, self.width(), 20)
        self._paint_frame(painter, QRectF(0, 0, self.width(), self.height() - 19))
        self._paint_names(painter, names)
        if self.hasFocus():
            painter.setPen(QPen(theme.current().colour(Role.ACCENT), 1.4))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.7, 0.7, -0.7, -0.7), 6, 6)

    def _angle(self, at: float) -> float:
        """Lean from upright in degrees."""
        return (at - 1.0) * 54.0

    def _paint_frame(self, painter: QPainter, area: QRectF) -> None:
        """The quadrant with its three notches, and the lever in front of it."""
        look = theme.current()
        pivot = QPointF(area.center().x(), area.bottom() - 3)
        reach = area.height() - 6
        plate = QPainterPath()
        outer = QRectF(pivot.x() - reach * 0.80, pivot.y() - reach * 0.80, reach * 1.6, reach * 1.6)
        inner = QRectF(pivot.x() - reach * 0.60, pivot.y() - reach * 0.60, reach * 1.2, reach * 1.2)
        plate.arcMoveTo(outer, 22)
        plate.arcTo(outer, 22, 136)
        plate.arcTo(inner, 158, -136)
        plate.closeSubpath()
        painter.setPen(QPen(look.colour(Role.BORDER_STRONG), 1))
        painter.setBrush(look.colour(Role.SUNKEN))
        painter.drawPath(plate)
        for index in range(3):
            lean = math.radians(self._angle(index))
            notch = QPointF(pivot.x() + math.sin(lean) * reach * 0.7, pivot.y() - math.cos(lean) * reach * 0.7)
            lit = index == self.value()
            role = self._role() if lit else Role.BORDER_STRONG
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.colour(role))
            size = 3.2 if lit else 2.0
            painter.drawEllipse(notch, size, size)
        self._paint_lever(painter, pivot, reach)
        # The rod it is bolted to.
        painter.setPen(QPen(look.colour(Role.BORDER_STRONG), 1))
        painter.setBrush(look.colour(Role.RAISED))
        painter.drawRoundedRect(QRectF(pivot.x() - 26, pivot.y() - 2, 52, 4), 2, 2)
        painter.drawEllipse(pivot, 4, 4)

    def _paint_lever(self, painter: QPainter, pivot: QPointF, reach: float) -> None:
        look = theme.current()
        painter.save()
        painter.translate(pivot)
        painter.rotate(self._angle(self._at))
        shaft = QLinearGradient(-3, 0, 3, 0)
        metal = look.colour(Role.MUTED)
        shaft.setColorAt(0.0, metal.darker(145))
        shaft.setColorAt(0.4, metal.lighter(125) if look.is_dark else metal.lighter(165))
        shaft.setColorAt(1.0, metal.darker(165))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(shaft)
        painter.drawRoundedRect(QRectF(-2.4, -reach * 0.98, 4.8, reach * 0.98), 2, 2)
        self._paint_grip(painter, QRectF(-5.5, -reach * 1.08, 11, reach * 0.48))
        painter.restore()

    def _paint_grip(self, painter: QPainter, grip: QRectF) -> None:
        look = theme.current()
        colour = look.colour(self._role())
        fill = QLinearGradient(grip.left(), 0, grip.right(), 0)
        fill.setColorAt(0.0, colour.darker(135))
        fill.setColorAt(0.38, colour.lighter(118))
        fill.setColorAt(1.0, colour.darker(150))
        painter.setPen(QPen(look.colour(Role.BACKGROUND), 1.2))
        painter.setBrush(fill)
        painter.drawRoundedRect(grip, 4.5, 4.5)
        painter.setPen(QPen(colour.darker(190), 1))
        for step in range(3):
            y = grip.top() + grip.height() * (0.4 + 0.17 * step)
            painter.drawLine(QPointF(grip.left() + 2.6, y), QPointF(grip.right() - 2.6, y))

    def _paint_names(self, painter: QPainter, area: QRectF) -> None:
        look = theme.current()
        third = area.width() / 3
        for index, key in enumerate(POSITIONS):
            word, role = LEVERS[key]
            chosen = index == self.value()
            font = theme.ui_font(-0.8, QFont.Weight.DemiBold if chosen else QFont.Weight.Normal)
            if chosen and self._paused:
                role = Role.WARNING
            hover = index == self._hover and not self._locked
            painter.setFont(font)
            painter.setPen(look.colour(role if chosen else (Role.TEXT if hover else Role.MUTED)))
            box = QRectF(area.left() + index * third, area.top(), third, area.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, word)


class SmallLever(Lever):
    """A lever of one handler in one show: a slot with three notches. It can also follow the handler's own lever.

    Signals:
        follow_wanted: the show shall follow the handler's own lever again.
    """

    follow_wanted = Signal()

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(title, parent)
        self._own = False

    @property
    def own(self) -> bool:
        """Whether the show has a position of its own."""
        return self._own

    def set_own(self, own: bool) -> None:
        """Whether the position is the show's own; one that follows is drawn quietly."""
        if own != self._own:
            self._own = own
            self.update()
        words = LEVERS[self.position][0]
        where = "set for this show" if own else "follows the handler's own lever"
        if not self._locked:
            self.setToolTip(f"{self.title}: {words} ({where})")

    def _say(self) -> None:
        super()._say()
        if not getattr(self, "_own", False):
            self.setAccessibleDescription("follows the handler's own lever")
        else:
            self.setAccessibleDescription("set for this show")

    def _put(self, index: int) -> None:
        """A click on the position it follows makes it the show's own."""
        if self._locked:
            return
        same = index == self.value()
        super()._put(index)
        if same and not self._own:
            self.moved.emit(POSITIONS[index])

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self._locked:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for index, key in enumerate(POSITIONS):
            menu.addAction(LEVERS[key][0], partial(self._put, index))
        menu.addSeparator()
        follow = menu.addAction("Follow the handler's own lever", self.follow_wanted.emit)
        follow.setEnabled(self._own)
        menu.popup(event.globalPos())

    def sizeHint(self) -> QSize:
        return QSize(84, 40)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        look = theme.current()
        slot = QRectF(8, 6, self.width() - 16, 14)
        painter.setPen(QPen(look.colour(Role.BORDER_STRONG), 1))
        painter.setBrush(look.colour(Role.SUNKEN))
        painter.drawRoundedRect(slot, 7, 7)
        step = (slot.width() - 14) / 2
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.colour(Role.BORDER_STRONG))
        for index in range(3):
            painter.drawEllipse(QPointF(slot.left() + 7 + step * index, slot.center().y()), 1.6, 1.6)
        self._paint_knob(painter, QPointF(slot.left() + 7 + step * self._at, slot.center().y()))
        font = theme.ui_font(-1.2, QFont.Weight.DemiBold if self._own else QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(look.colour(self._role() if self._own else Role.MUTED))
        word = LEVERS[self.position][0] if self._own else f"({LEVERS[self.position][0]})"
        area = QRect(0, 22, self.width(), 16)
        painter.drawText(
            area,
            Qt.AlignmentFlag.AlignCenter,
            QFontMetrics(font).elidedText(word, Qt.TextElideMode.ElideRight, area.width()),
        )
        if self.hasFocus():
            painter.setPen(QPen(look.colour(Role.ACCENT), 1.2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.6, 0.6, -0.6, -0.6), 5, 5)

    def _paint_knob(self, painter: QPainter, middle: QPointF) -> None:
        look = theme.current()
        colour: QColor = look.colour(self._role())
        painter.setPen(QPen(colour, 1.6))
        if self._own:
            shine = QRadialGradient(middle - QPointF(1.5, 2), 9)
            shine.setColorAt(0.0, colour.lighter(135))
            shine.setColorAt(1.0, colour.darker(125))
            painter.setBrush(shine)
        else:
            painter.setBrush(look.colour(Role.SURFACE))
        painter.drawEllipse(middle, 7, 7)
