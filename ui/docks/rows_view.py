"""The view that storms cannot stall: rows of a store, painted in one go over pages fetched elsewhere.

Qt's item views ask Python once a cell and lay out again on every insert, which costs seconds at a million rows. Here
one paint event draws what is visible from rows at hand; a row that is still being fetched is a grey line for a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QByteArray, QEvent, QPoint, QRect, QRectF, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QAction,
    QColor,
    QContextMenuEvent,
    QFontMetrics,
    QGuiApplication,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QStandardItemModel,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QHeaderView, QMenu, QPushButton, QToolTip, QWidget

from ui import theme
from ui.docks.lamps import LAMP, paint_lamp
from ui.docks.steady import SteadyScrollBar
from ui.models.paged import PagedRows, Row
from ui.models.words import amount, state_look, tip
from ui.theme import Role

COPY_LIMIT = 100_000
"""Rows that one copy may take along."""
TIP_LIMIT = 4_000
"""Characters of a tooltip."""
PAD = 8
_PAINTED = (
    Role.TEXT,
    Role.MUTED,
    Role.OK,
    Role.WARNING,
    Role.SELECTION,
    Role.CODE_LINE,
    Role.BORDER,
    Role.ACCENT,
)
"""Colours that nearly every frame needs."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        title: Its heading.
        width: Logical pixels at first.
        stretch: Takes what is left over.
        mono: Fixed-width digits and letters.
        role: Colour role of its text where the row has no tone of its own.
        lamps: Draws the row's lamps instead of a text.
        toned: Whether the row's tone colours this column.
    """

    title: str
    width: int
    stretch: bool = False
    mono: bool = False
    role: Role = Role.TEXT
    lamps: bool = False
    toned: bool = False


class RowsView(QAbstractScrollArea):
    """Rows of a store with selection, copy, keyboard, follow and highlight.

    Signals:
        current_changed: id of the row that the keyboard or a click is on.
        activated: id of a row that was double-clicked or entered.
        follow_changed: whether the view follows new rows.
        menu_wanted: id of the row and a menu that may be added to before it is shown.
    """

    current_changed = Signal(int)
    activated = Signal(int)
    follow_changed = Signal(bool)
    menu_wanted = Signal(int, object)

    def __init__(self, model: PagedRows, columns: Sequence[Column], name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._columns = tuple(columns)
        self._empty = "Nothing yet."
        self._lamp_order: list[str] = []
        self._lamp_titles: dict[str, str] = {}
        self._highlight: Callable[[str], list[tuple[int, int]]] | None = None
        self._follow = True
        self._moving = False
        self._seen = 0
        self._current = 0
        self._anchor = 0
        self._range: tuple[int, int] | None = None
        self._toggled: set[int] = set()
        self._top_id = 0
        self._fonts()
        self.setObjectName(name)
        self.setAccessibleName(name.replace("_", " "))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setMouseTracking(False)
        # Every point is painted here: else each frame begins with the backgrounds of everything around the view.
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._build_header()
        self._build_new_lamp()
        self.setVerticalScrollBar(SteadyScrollBar(Qt.Orientation.Vertical))
        self.verticalScrollBar().valueChanged.connect(self._scrolled)
        self.horizontalScrollBar().valueChanged.connect(self._scrolled_sideways)
        model.changed.connect(self._rows_changed)
        model.loaded.connect(self._rows_loaded)
        model.problem.connect(lambda _why: self.viewport().update())
        theme.notifier().changed.connect(self._theme_changed)

    # What it is made of

    def _fonts(self) -> None:
        self._font = theme.numbers(theme.ui_font())
        self._mono = theme.mono_font(-0.5)
        self._metrics = QFontMetrics(self._font)
        self._mono_metrics = QFontMetrics(self._mono)
        self._height = max(22, self._metrics.height() + 7)

    def _build_header(self) -> None:
        self._header_model = QStandardItemModel(0, len(self._columns), self)
        self._header_model.setHorizontalHeaderLabels([column.title for column in self._columns])
        header = QHeaderView(Qt.Orientation.Horizontal, self)
        header.setModel(self._header_model)
        header.setSectionsMovable(True)
        header.setHighlightSections(False)
        header.setSectionsClickable(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setMinimumSectionSize(36)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._header_menu)
        header.setAccessibleName("Columns")
        for index, column in enumerate(self._columns):
            header.resizeSection(index, column.width)
        header.sectionResized.connect(self._columns_changed)
        header.sectionMoved.connect(self._columns_changed)
        self.header = header
        self._place_header()

    def _build_new_lamp(self) -> None:
        self.new_lamp = QPushButton(self.viewport())
        theme.set_icon(self.new_lamp, "chevron-down", Role.ON_ACCENT)
        theme.mark(self.new_lamp, kind="primary")
        self.new_lamp.setCursor(Qt.CursorShape.PointingHandCursor)
        self.new_lamp.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.new_lamp.setToolTip("Go to the newest rows and follow them (End)")
        self.new_lamp.clicked.connect(self.follow)
        self.new_lamp.hide()

    # What a dock sets

    @property
    def model(self) -> PagedRows:
        return self._model

    def titles(self) -> list[str]:
        """Titles of the columns that hold text, in the order of a row's cells."""
        return [column.title for column in self._columns if not column.lamps]

    @property
    def empty_text(self) -> str:
        """What the view says while it is empty."""
        return self._empty

    def set_empty_text(self, text: str) -> None:
        """What an empty view says."""
        self._empty = text
        if not self._model.count():
            self.viewport().update()

    def set_lamps(self, handlers: Sequence[tuple[str, str]]) -> None:
        """Handlers (id, title) in the order of their lamps."""
        self._lamp_order = [handler for handler, _title in handlers]
        self._lamp_titles = dict(handlers)
        self.viewport().update()

    def set_highlight(self, find: Callable[[str], list[tuple[int, int]]] | None) -> None:
        """`find` gives the (start, length) of what is lit up in a text."""
        self._highlight = find
        self.viewport().update()

    @property
    def following(self) -> bool:
        """Whether new rows scroll the view."""
        return self._follow

    def set_following(self, follow: bool) -> None:
        """Follow new rows, or stay where it is."""
        if follow == self._follow:
            return
        self._follow = follow
        self._seen = self._model.count()
        if follow:
            self._to_end()
            self.viewport().update()
        self._show_new()
        self.follow_changed.emit(follow)

    def follow(self) -> None:
        """Go to the newest row and follow."""
        self._follow = False
        self.set_following(True)

    @property
    def current_id(self) -> int:
        """Id of the current row, 0 for none."""
        return self._current

    def go_to(self, row_id: int) -> None:
        """Make a row current and visible; following stops."""
        self.set_following(False)
        self._choose(row_id)
        index = self._model.index_of(row_id)
        self.verticalScrollBar().setValue(max(0, index - self._lines() // 2))
        self.viewport().update()

    def is_selected(self, row_id: int) -> bool:
        """Whether a row is selected."""
        inside = self._range is not None and self._range[0] <= row_id <= self._range[1]
        return inside != (row_id in self._toggled)

    def save_columns(self) -> QByteArray:
        """Widths, order and hidden columns, for `restore_columns`."""
        return self.header.saveState()

    def restore_columns(self, state: QByteArray) -> None:
        """Give the columns back their widths and order."""
        if not state.isEmpty():
            self.header.restoreState(state)

    # Geometry

    def _lines(self) -> int:
        return max(1, self.viewport().height() // self._height)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_header()
        self._fit_columns()
        self._update_bars()
        if self._follow:
            self._to_end()
        self.viewport().update()
        self._place_new()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "header"):
            # The style sheet decides how high a heading is, and the header wears it only after this.
            QTimer.singleShot(0, self, self._place_header)

    def _place_header(self) -> None:
        height = self.header.sizeHint().height()
        if self.viewportMargins().top() != height:
            self.setViewportMargins(0, height, 0, 0)
        area = self.viewport().geometry()
        self.header.setGeometry(area.x(), area.y() - height, area.width(), height)

    def _fit_columns(self) -> None:
        """Give what is left over to the stretching column."""
        stretching = [index for index, column in enumerate(self._columns) if column.stretch]
        if not stretching or self.header.isSectionHidden(stretching[0]):
            return
        index = stretching[0]
        others = sum(self.header.sectionSize(other) for other in range(len(self._columns)) if other != index)
        with QSignalBlocker(self.header):
            self.header.resizeSection(index, max(self._columns[index].width, self.viewport().width() - others))

    def _columns_changed(self, *_args: int) -> None:
        self._fit_columns()
        self._update_bars()
        self.viewport().update()

    def _update_bars(self) -> None:
        bar = self.verticalScrollBar()
        lines = self._lines()
        # Not with blocked signals: the scroll area must hear of a range that comes or goes, to show or hide its bar.
        self._moving = True
        bar.setPageStep(lines)
        bar.setRange(0, max(0, self._model.count() - lines))
        self._moving = False
        across = self.horizontalScrollBar()
        across.setPageStep(self.viewport().width())
        across.setSingleStep(24)
        across.setRange(0, max(0, self.header.length() - self.viewport().width()))

    def _to_end(self) -> None:
        bar = self.verticalScrollBar()
        self._moving = True
        bar.setValue(bar.maximum())
        self._moving = False
        self._note_top()

    def _paint_when_there(self) -> None:
        """Paint the newest rows once, when they have come, instead of grey lines now and the rows a moment later."""
        first, last = self._shown_rows()
        self._model.want(first, last)
        if not self._model.coming(first, last):
            self.viewport().update()

    def _shown_rows(self) -> tuple[int, int]:
        """Positions of the first and the last row in sight."""
        first = self.verticalScrollBar().value()
        return first, min(self._model.count() - 1, first + self.viewport().height() // self._height)

    def _note_top(self) -> None:
        top = self.verticalScrollBar().value()
        self._top_id = self._model.id_at(top) if top < self._model.count() else 0

    def _scrolled(self, value: int) -> None:
        if self._moving:
            # The view moved its own bar: no hand did.
            return
        at_end = value >= self.verticalScrollBar().maximum()
        self._note_top()
        if at_end != self._follow:
            self.set_following(at_end)
        self.viewport().update()

    def _scrolled_sideways(self, value: int) -> None:
        self.header.setOffset(value)
        self.viewport().update()

    def scrollContentsBy(self, _dx: int, _dy: int) -> None:
        """Nothing is moved on the screen: whoever moves a bar asks for one painting."""

    def _rows_changed(self) -> None:
        self._update_bars()
        if self._follow:
            self._to_end()
            self._paint_when_there()
            return
        # Older hits come before the row on top, old rows go: the person keeps looking at the same row.
        bar = self.verticalScrollBar()
        if self._top_id:
            self._moving = True
            bar.setValue(self._model.index_of(self._top_id))
            self._moving = False
        self._show_new()
        self.viewport().update()

    def _rows_loaded(self) -> None:
        self.viewport().update()

    def _show_new(self) -> None:
        new = self._model.count() - self._seen
        show = not self._follow and new > 0
        if show:
            self.new_lamp.setText(f"{amount(new)} new")
            self.new_lamp.adjustSize()
            self._place_new()
        self.new_lamp.setVisible(show)

    def _place_new(self) -> None:
        area = self.viewport().rect()
        self.new_lamp.move((area.width() - self.new_lamp.width()) // 2, area.height() - self.new_lamp.height() - 10)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        look = theme.current()
        area, asked = self.viewport().rect(), event.rect()
        painter.fillRect(asked, look.colour(Role.SUNKEN))
        count = self._model.count()
        if not count:
            self._paint_empty(painter, area)
            return
        first, last = self._shown_rows()
        self._model.want(first, last)
        sections = self._sections(area.width())
        colours = {role.value: look.colour(role) for role in _PAINTED}
        upper, lower = first + asked.top() // self._height, first + asked.bottom() // self._height
        for index in range(max(first, upper), min(last, lower) + 1):
            self._paint_row(painter, index, (index - first) * self._height, area.width(), sections, colours)

    def _sections(self, width: int) -> list[tuple[int, Column, int, int]]:
        """(index, column, x, width) of the visible columns."""
        header, made = self.header, []
        for index, column in enumerate(self._columns):
            if header.isSectionHidden(index):
                continue
            x = header.sectionViewportPosition(index)
            size = header.sectionSize(index)
            if x < width and x + size > 0:
                made.append((index, column, x, size))
        return made

    def _paint_empty(self, painter: QPainter, area: QRect) -> None:
        painter.setPen(theme.current().colour(Role.MUTED))
        painter.setFont(self._font)
        inner = area.adjusted(24, 24, -24, -24)
        painter.drawText(inner, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._empty)

    def _paint_row(
        self,
        painter: QPainter,
        index: int,
        y: int,
        width: int,
        sections: list[tuple[int, Column, int, int]],
        colours: dict[str, QColor],
    ) -> None:
        row_id = self._model.id_at(index)
        height = self._height
        if self.is_selected(row_id):
            painter.fillRect(0, y, width, height, colours[Role.SELECTION.value])
        elif index % 2:
            painter.fillRect(0, y, width, height, colours[Role.CODE_LINE.value])
        row = self._model.row(index)
        if row is None:
            painter.fillRect(QRect(PAD, y + height // 2 - 3, min(width // 3, 220), 6), colours[Role.BORDER.value])
        elif row.cells:
            self._paint_cells(painter, row, y, sections, colours)
        if row_id == self._current and self.hasFocus():
            painter.setPen(colours[Role.ACCENT.value])
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(0.5, y + 0.5, width - 1, height - 1))

    def _paint_cells(
        self,
        painter: QPainter,
        row: Row,
        y: int,
        sections: list[tuple[int, Column, int, int]],
        colours: dict[str, QColor],
    ) -> None:
        for index, column, x, size in sections:
            if column.lamps:
                self._paint_lamps(painter, row, x, y, size)
                continue
            text = row.cells[index] if index < len(row.cells) else ""
            if not text:
                continue
            metrics = self._mono_metrics if column.mono else self._metrics
            room = size - 2 * PAD
            # Of a very long text no more is handed to Qt than may be in sight.
            text = text[: 4 * room // metrics.averageCharWidth() + 8]
            # Measuring costs more than a comparison, and most texts are short.
            if len(text) * metrics.averageCharWidth() > room * 0.7:
                text = metrics.elidedText(text.replace("\n", " ⏎ "), Qt.TextElideMode.ElideRight, room)
            role = row.tone if column.toned and row.tone else column.role.value
            colour = colours.get(role)
            if colour is None:
                colour = colours[role] = theme.current().colour(role)
            painter.setFont(self._mono if column.mono else self._font)
            if self._highlight is not None:
                self._paint_hits(painter, text, metrics, x + PAD, y)
            painter.setPen(colour)
            painter.drawText(x + PAD, y + (self._height + metrics.ascent() - metrics.descent()) // 2, text)

    def _paint_hits(self, painter: QPainter, text: str, metrics: QFontMetrics, x: int, y: int) -> None:
        assert self._highlight is not None
        fill = theme.current().colour(Role.WARNING, 0.34)
        left, place = x, 0
        for start, length in self._highlight(text):
            left += metrics.horizontalAdvance(text[place:start])
            wide = metrics.horizontalAdvance(text[start : start + length])
            painter.fillRect(QRectF(left - 1, y + 3, wide + 2, self._height - 6), fill)
            left, place = left + wide, start + length

    def _paint_lamps(self, painter: QPainter, row: Row, x: int, y: int, size: int) -> None:
        states = dict(row.lamps)
        top = y + (self._height - LAMP) / 2
        for place, handler in enumerate(self._lamp_slots(row)):
            left = x + PAD + place * (LAMP + 6)
            if left + LAMP > x + size:
                break
            state = states.get(handler)
            rect = QRectF(left, top, LAMP, LAMP)
            if state is None:
                paint_lamp(painter, rect, Role.BORDER_STRONG, "point")
            else:
                look = state_look(state)
                paint_lamp(painter, rect, look.role, look.shape)

    def _lamp_slots(self, row: Row) -> list[str]:
        """The handlers in their fixed places, then those the catalogue does not know."""
        known = set(self._lamp_order)
        return self._lamp_order + [handler for handler, _state in row.lamps if handler not in known]

    def _theme_changed(self) -> None:
        self._fonts()
        self.viewport().update()

    # Hands

    def _index_at(self, point: QPoint) -> int:
        return self.verticalScrollBar().value() + point.y() // self._height

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self._index_at(event.position().toPoint())
        if index >= self._model.count():
            return
        row_id = self._model.id_at(index)
        keys = event.modifiers()
        if event.button() == Qt.MouseButton.RightButton and self.is_selected(row_id):
            self._set_current(row_id)
        elif keys & Qt.KeyboardModifier.ShiftModifier:
            self._extend(row_id)
        elif keys & Qt.KeyboardModifier.ControlModifier:
            self._toggled.symmetric_difference_update({row_id})
            self._set_current(row_id)
        else:
            self._choose(row_id)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton and self._model.count():
            index = min(max(0, self._index_at(event.position().toPoint())), self._model.count() - 1)
            self._extend(self._model.id_at(index))
            self._reveal(index)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self._index_at(event.position().toPoint())
        if index < self._model.count():
            self.activated.emit(self._model.id_at(index))

    def _choose(self, row_id: int) -> None:
        self._toggled.clear()
        self._range = (row_id, row_id)
        self._anchor = row_id
        self._set_current(row_id)

    def _extend(self, row_id: int) -> None:
        anchor = self._anchor or row_id
        self._toggled.clear()
        self._range = (min(anchor, row_id), max(anchor, row_id))
        self._set_current(row_id)

    def _set_current(self, row_id: int) -> None:
        changed = row_id != self._current
        self._current = row_id
        self.viewport().update()
        if changed:
            self._tell_reader(row_id)
            self.current_changed.emit(row_id)

    def _tell_reader(self, row_id: int) -> None:
        """A screen reader hears the row that the keyboard is on."""
        row = self._model.row_of(row_id)
        if row is not None and QAccessible.isActive():
            self.setAccessibleDescription(self._spoken(row))
            QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.DescriptionChanged))

    def _spoken(self, row: Row) -> str:
        parts = [f"{column.title} {text}" for column, text in zip(self._columns, row.cells, strict=False) if text]
        parts += [
            f"{self._lamp_titles.get(handler, handler)}: {state_look(state).word}" for handler, state in row.lamps
        ]
        return ", ".join(parts)

    def _reveal(self, index: int) -> None:
        bar = self.verticalScrollBar()
        if index < bar.value():
            bar.setValue(index)
        elif index >= bar.value() + self._lines():
            bar.setValue(index - self._lines() + 1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
            return
        count = self._model.count()
        if not count:
            super().keyPressEvent(event)
            return
        if event.matches(QKeySequence.StandardKey.SelectAll):
            self._toggled.clear()
            self._range = (self._model.id_at(0), self._model.id_at(count - 1))
            self.viewport().update()
            return
        here = min(self._model.index_of(self._current), count - 1) if self._current else count - 1
        page = self._lines() - 1
        key = Qt.Key(event.key())
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_PageUp: -page, Qt.Key.Key_PageDown: page}
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._current:
            self.activated.emit(self._current)
        elif key == Qt.Key.Key_Home:
            self._step_to(0, event)
        elif key == Qt.Key.Key_End:
            self._step_to(count - 1, event)
            self.follow()
        elif key in steps:
            self._step_to(min(max(0, here + (steps[key] if self._current else 0)), count - 1), event)
        elif key == Qt.Key.Key_Left:
            self.horizontalScrollBar().triggerAction(self.horizontalScrollBar().SliderAction.SliderSingleStepSub)
        elif key == Qt.Key.Key_Right:
            self.horizontalScrollBar().triggerAction(self.horizontalScrollBar().SliderAction.SliderSingleStepAdd)
        else:
            super().keyPressEvent(event)

    def _step_to(self, index: int, event: QKeyEvent) -> None:
        row_id = self._model.id_at(index)
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._extend(row_id)
        else:
            self._choose(row_id)
        self._reveal(index)

    def focusInEvent(self, _event: QEvent) -> None:
        self.viewport().update()

    def focusOutEvent(self, _event: QEvent) -> None:
        self.viewport().update()

    # Copy, menu, tooltips

    def copy(self) -> None:
        """Put the selected rows on the clipboard, tabs between the columns; of very many the newest."""
        ids = self.selected_ids()[-COPY_LIMIT:]
        if not ids:
            return
        lines: list[str] = []
        self._model.walk(
            ids,
            lambda rows: lines.extend(map(self.line, rows)),
            lambda: "\n".join(lines),
            QGuiApplication.clipboard().setText,
            self._model.problem.emit,
        )

    def selected_ids(self) -> Sequence[int]:
        """Ids of the selected rows, ascending."""
        inside = self._model.ids(*self._range) if self._range is not None else ()
        if not self._toggled:
            return inside
        return sorted(self._toggled.symmetric_difference(inside))

    def line(self, row: Row) -> str:
        """A row as text, tabs between the columns."""
        cells = [cell for cell, column in zip(row.cells, self._columns, strict=False) if not column.lamps]
        lamps = [f"{self._lamp_titles.get(handler, handler)}: {state_look(state).word}" for handler, state in row.lamps]
        return "\t".join([*cells, "; ".join(lamps)] if lamps else cells)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        copy = menu.addAction("Copy rows", self.copy)
        copy.setShortcut(QKeySequence(QKeySequence.StandardKey.Copy))
        copy.setEnabled(self._range is not None or bool(self._toggled))
        theme.set_icon(copy, "copy", Role.MUTED)
        self.menu_wanted.emit(self._current, menu)
        menu.popup(event.globalPos())

    def _header_menu(self, point: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for index, column in enumerate(self._columns):
            action = QAction(column.title, menu)
            action.setCheckable(True)
            action.setChecked(not self.header.isSectionHidden(index))
            action.setEnabled(not column.stretch)
            action.toggled.connect(lambda on, index=index: self._show_column(index, on))
            menu.addAction(action)
        menu.popup(self.header.mapToGlobal(point))

    def _show_column(self, index: int, on: bool) -> None:
        self.header.setSectionHidden(index, not on)
        self._columns_changed()

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), tip(self._tip(event.pos())), self.viewport())
            return True
        return super().viewportEvent(event)

    def _tip(self, point: QPoint) -> str:
        index = self._index_at(point)
        row = self._model.row(index) if index < self._model.count() else None
        section = self.header.logicalIndexAt(point.x())
        if row is None or section < 0 or not row.cells:
            return ""
        column = self._columns[section]
        if column.lamps:
            return "\n".join(
                f"{self._lamp_titles.get(handler, handler)}: {state_look(state).word}" for handler, state in row.lamps
            )
        text = row.cells[section][:TIP_LIMIT] if section < len(row.cells) else ""
        metrics = self._mono_metrics if column.mono else self._metrics
        return text if metrics.horizontalAdvance(text) > self.header.sectionSize(section) - 2 * PAD else ""
