"""A table of some hundred or thousand rows with lamps and bars, set up the same way everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeySequence, QPainter, QPaintEvent, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QTableView,
    QWidget,
)

from app.journal.rows import JobRow, TaskRow
from ui import theme
from ui.docks.lamps import LAMP, paint_lamp
from ui.models.jobs import Table, TableColumn
from ui.theme import Role

R = TypeVar("R", JobRow, TaskRow)
_PAD = 8
_BAR = 6
_ELIDE = (Qt.TextElideMode.ElideRight, Qt.TextElideMode.ElideMiddle)
"""Names, which take the room that is left, differ at their ends: shots by their versions, tasks by their frames."""
_LINE = Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine
_NAMES, _WIDEST = 280, 1.7
"""Room for the names before the other columns grow, and how much they may."""
_LEAST_NAME = 112
"""Pixels that the names keep in a small window: what has no room beside them is reached sideways."""


class _Cells:
    """Paints lamps before words and bars behind numbers, all cells that are to be painted in one go.

    Qt would ask a delegate cell by cell. Between two cells Python is free for other threads, and one that is busy keeps
    it for a while each time: twice as long for the painting, longer still beside a reader that works on many tasks.
    """

    def __init__(self, table: Table[Any], view: QTableView) -> None:
        self._table = table
        self._view = view

    def paint(self, painter: QPainter, area: QRect) -> None:
        """Paint the cells that touch an area of the viewport."""
        view, header = self._view, self._view.horizontalHeader()
        first = view.rowAt(area.top())
        if first < 0:
            return
        places = range(first, min(first + area.height() // theme.ROW + 2, self._table.rowCount()))
        top, end = view.rowViewportPosition(first), min(area.right() + 1, header.length() - header.offset())
        look, chosen = theme.current(), view.selectionModel()
        lines: list[tuple[QRect, Any, bool]] = []
        for place in places:
            rect = QRect(area.left(), top + (place - first) * theme.ROW, end - area.left(), theme.ROW)
            selected = chosen.isRowSelected(place)
            if selected or place % 2:
                painter.fillRect(rect, look.colour(Role.SELECTION if selected else Role.CODE_LINE))
            lines.append((rect, self._table.row(place), selected))
        painter.setFont(view.font())
        for number, column in enumerate(self._table.columns):
            left, wide = header.sectionViewportPosition(number), header.sectionSize(number)
            if wide and left <= area.right() and left + wide > area.left():
                for rect, row, selected in lines:
                    self._cell(painter, QRect(left, rect.top(), wide, rect.height()), column, row, selected)

    def _cell(self, painter: QPainter, rect: QRect, column: TableColumn[Any], row: Any, selected: bool) -> None:
        words = column.text(row, self._table.now())
        if column.look is not None:
            self._lamp(painter, rect, column.look(row), words)
        elif column.progress is not None:
            self._progress(painter, rect, column.progress(row), words, Role.BORDER_STRONG if selected else Role.BORDER)
        else:
            painter.setPen(theme.current().colour(column.role))
            room = rect.adjusted(_PAD, 0, -_PAD, 0)
            text = painter.fontMetrics().elidedText(words, _ELIDE[not column.width], room.width())
            side = Qt.AlignmentFlag.AlignRight if column.right else Qt.AlignmentFlag.AlignLeft
            painter.drawText(room, side | _LINE, text)

    @staticmethod
    def _lamp(painter: QPainter, rect: QRect, look: Any, words: str) -> None:
        lamp = QRectF(rect.left() + _PAD, rect.center().y() - LAMP / 2 + 0.5, LAMP, LAMP)
        paint_lamp(painter, lamp, look.role, look.shape)
        painter.setPen(theme.current().colour(look.role))
        room = rect.adjusted(_PAD + round(LAMP) + 7, 0, -4, 0)
        text = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)

    @staticmethod
    def _progress(painter: QPainter, rect: QRect, progress: tuple[float, Role], words: str, ground: Role) -> None:
        share, role = progress
        look = theme.current()
        number = painter.fontMetrics().horizontalAdvance("100 %") + 6
        painter.setPen(look.colour(Role.MUTED))
        right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(rect.adjusted(0, 0, -_PAD, 0), right, words)
        track = QRectF(rect.left() + _PAD, rect.center().y() - _BAR / 2 + 0.5, rect.width() - number - 2 * _PAD, _BAR)
        if track.width() < 16:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.colour(ground))
        painter.drawRoundedRect(track, _BAR / 2, _BAR / 2)
        if share > 0:
            painter.setBrush(look.colour(role))
            done = QRectF(track.left(), track.top(), max(_BAR, track.width() * share), _BAR)
            painter.drawRoundedRect(done, _BAR / 2, _BAR / 2)
        painter.restore()


class TableView(QTableView):
    """Rows of a `Table`.

    Signals:
        chosen: id of the row that is current, 0 for none.
        menu_wanted: a context menu is wanted at this point of the screen.
    """

    chosen = Signal(int)
    menu_wanted = Signal(object)

    def __init__(self, model: Table[Any], name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table = model
        self._empty = ""
        self._given: dict[int, int] = {}
        self.setObjectName(name)
        self.setAccessibleName(name.replace("_", " "))
        self.setModel(model)
        self._cells = _Cells(model, self)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setWordWrap(False)
        # Every point is painted here: else a changed cell begins with the backgrounds of everything around the table.
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setTabKeyNavigation(False)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerItem)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(theme.ROW)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        # A heading asks row by row whether all of its column is selected: of their own, empty selection it is no work.
        header.setSelectionModel(QItemSelectionModel(model, header))
        header.setMinimumSectionSize(36)
        for place, column in enumerate(model.columns):
            if column.width:
                header.resizeSection(place, column.width)
            else:
                header.setSectionResizeMode(place, QHeaderView.ResizeMode.Stretch)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(lambda point: self.menu_wanted.emit(self.viewport().mapToGlobal(point)))
        self.selectionModel().currentRowChanged.connect(self._moved)
        model.modelReset.connect(lambda: self.chosen.emit(0))
        QShortcut(QKeySequence.StandardKey.Copy, self, self.copy, context=Qt.ShortcutContext.WidgetShortcut)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        header = self.horizontalHeader()
        least = sum(column.width for column in self._table.columns) + _NAMES
        share = min(_WIDEST, max(1.0, self.viewport().width() / least))
        for place, column in enumerate(self._table.columns):
            # A width that a person chose stays.
            if column.width and header.sectionSize(place) == self._given.get(place, column.width):
                self._given[place] = round(column.width * share)
                header.resizeSection(place, self._given[place])
        self._keep_names()

    def _keep_names(self) -> None:
        header, columns = self.horizontalHeader(), self._table.columns
        names = next(place for place, column in enumerate(columns) if not column.width)
        others = sum(header.sectionSize(place) for place in range(len(columns)) if place != names)
        tight = self.viewport().width() - others < _LEAST_NAME
        modes = QHeaderView.ResizeMode
        header.setSectionResizeMode(names, modes.Interactive if tight else modes.Stretch)
        if tight and header.sectionSize(names) < _LEAST_NAME:
            header.resizeSection(names, _LEAST_NAME)

    def _moved(self, now: QModelIndex, _before: QModelIndex) -> None:
        row = self._table.row(now.row())
        self.chosen.emit(row.id if row is not None else 0)

    def set_empty_text(self, text: str) -> None:
        """What an empty table says."""
        self._empty = text
        if not self._table.rowCount():
            self.viewport().update()

    def current_id(self) -> int:
        """Id of the current row, 0 for none."""
        row = self._table.row(self.currentIndex().row())
        return row.id if row is not None else 0

    def select_id(self, row_id: int) -> bool:
        """Make a row current and visible; False where it is not in the table."""
        place = self._table.place_of(row_id)
        if place < 0:
            return False
        if row_id != self.current_id():
            self.selectRow(place)
        self.scrollTo(self._table.index(place, 0))
        return True

    def selected(self) -> Sequence[Any]:
        """The selected rows, from top to bottom."""
        return [row for row in map(self._table.row, self._chosen_places()) if row is not None]

    def _chosen_places(self) -> list[int]:
        # By ranges: an index for each of thousands of rows would take longer than a frame.
        chosen = self.selectionModel().selection()
        parts = [chosen.at(number) for number in range(chosen.count())]
        return sorted({place for part in parts for place in range(part.top(), part.bottom() + 1)})

    def copy(self) -> None:
        """Selected rows to the clipboard, tabs between the columns."""
        across = range(len(self._table.columns))
        lines = [
            "\t".join(str(self._table.index(place, column).data()) for column in across)
            for place in self._chosen_places()
        ]
        QGuiApplication.clipboard().setText("\n".join(lines))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), theme.current().colour(Role.SUNKEN))
        self._cells.paint(painter, event.rect())
        if self._empty and not self._table.rowCount():
            painter.setPen(theme.current().colour(Role.MUTED))
            painter.setFont(theme.ui_font())
            area = self.viewport().rect().adjusted(24, 12, -24, -12)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._empty)
