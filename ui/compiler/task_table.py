"""The table of tasks: plain lists under a QTableView, searched by an index of our own.

No proxy model and no tree: both walk every row in Python and stall at a hundred thousand tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QIcon, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QLineEdit, QTableView, QVBoxLayout, QWidget

from app.jobs.api import TaskColumns
from app.rules.words import many
from ui import theme
from ui.compiler.background import Background
from ui.compiler.parts import bar, label
from ui.compiler.preview import PAGE, TaskSource
from ui.models.words import tip
from ui.theme import Role

_HEADERS = ("#", "Task", "Type", "Commands", "Waits for")
_NUMBER, _NAME, _TYPE, _COMMANDS, _WAITS = range(5)
Index = QModelIndex | QPersistentModelIndex


class TaskModel(QAbstractTableModel):
    """Rows are places in the job, filtered by a list of places.

    Signals:
        page_wanted: a page of tasks that a visible cell needs.
    """

    page_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns = TaskColumns((), (), ())
        self._source: TaskSource | None = None
        self._rows: Sequence[int] = range(0)

    def show_tasks(self, source: TaskSource | None, columns: TaskColumns, rows: Sequence[int]) -> None:
        """Another result, or another selection of its rows."""
        self.beginResetModel()
        self._source, self._columns, self._rows = source, columns, rows
        self.endResetModel()

    def page_arrived(self) -> None:
        """Paint the commands again: a page of them was read."""
        if self._rows:
            first, last = self.index(0, _COMMANDS), self.index(len(self._rows) - 1, _COMMANDS)
            self.dataChanged.emit(first, last)

    def place(self, row: int) -> int:
        """The place in the job of a row, -1 outside."""
        return self._rows[row] if 0 <= row < len(self._rows) else -1

    def row_of(self, place: int) -> int:
        """The row of a place in the job, -1 when filtered out."""
        if isinstance(self._rows, range):
            return place if place in self._rows else -1
        try:
            return self._rows.index(place)
        except ValueError:
            return -1

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        return 0 if parent.isValid() else len(_HEADERS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _HEADERS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        place = self._rows[index.row()]
        column = index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(place, column)
        if role == Qt.ItemDataRole.ForegroundRole and column != _NAME:
            return theme.current().colour(Role.MUTED)
        if role == Qt.ItemDataRole.TextAlignmentRole and column == _NUMBER:
            return int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight)
        if role == Qt.ItemDataRole.ToolTipRole and column in (_NAME, _WAITS):
            return tip(self._columns.names[place] if column == _NAME else self._waits(place, 12))
        return None

    def _text(self, place: int, column: int) -> str:
        if column == _NUMBER:
            return str(place + 1)
        if column == _NAME:
            return self._columns.names[place]
        if column == _TYPE:
            return self._columns.types[place]
        if column == _WAITS:
            return self._waits(place, 2)
        task = self._source.peek(place) if self._source is not None else None
        if task is None:
            self.page_wanted.emit(place // PAGE)
            return ""
        return ", ".join(str(command.get("name", "")) for command in task.get("commands") or []) or "none"

    def _waits(self, place: int, limit: int) -> str:
        waits = self._columns.dependencies[place]
        names = ", ".join(
            self._columns.names[at] if 0 <= at < len(self._columns.names) else "?" for at in waits[:limit]
        )
        return names + (f" + {len(waits) - limit:,}" if len(waits) > limit else "")


class TaskTable(QWidget):
    """Search field and table.

    Signals:
        picked: the place in the job of the task that is current.
    """

    picked = Signal(int)

    def __init__(self, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._source: TaskSource | None = None
        self._columns = TaskColumns((), (), ())
        self._haystack: list[str] = []
        self._asked: set[int] = set()
        self.model = TaskModel(self)
        self.search = QLineEdit(placeholderText="Search tasks: name, type, or what they wait for")
        self.search.setClearButtonEnabled(True)
        lens = self.search.addAction(QIcon(), QLineEdit.ActionPosition.LeadingPosition)
        theme.set_icon(lens, "search", Role.MUTED)
        self.found = label("", "muted")
        self.view = self._make_view()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(bar(self.search, theme.SPACE.S, self.found))
        layout.addWidget(self.view, 1)
        self._timer = QTimer(self, singleShot=True, interval=60)
        self._timer.timeout.connect(self._filter)
        self.search.textChanged.connect(lambda _text: self._timer.start())
        self.model.page_wanted.connect(self._want)
        QShortcut(QKeySequence.StandardKey.Copy, self.view, self.copy, context=Qt.ShortcutContext.WidgetShortcut)

    def _make_view(self) -> QTableView:
        view = QTableView()
        view.setModel(self.model)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setShowGrid(False)
        view.setWordWrap(False)
        view.setAlternatingRowColors(True)
        view.setTabKeyNavigation(False)
        view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerItem)
        rows = view.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(theme.ROW)
        header = view.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(44)
        for column, width in ((_NUMBER, 46), (_TYPE, 82), (_COMMANDS, 108), (_WAITS, 92)):
            header.resizeSection(column, width)
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        view.selectionModel().currentRowChanged.connect(lambda now, _before: self._picked(now.row()))
        return view

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        header, width = self.view.horizontalHeader(), self.width()
        for column, least, share in ((_TYPE, 82, 0.14), (_COMMANDS, 108, 0.16), (_WAITS, 92, 0.26)):
            # Where there is little room it belongs to the names.
            header.resizeSection(column, max(least, round((width - 300) * share)))

    def show_tasks(self, source: TaskSource, columns: TaskColumns) -> None:
        """Show another result's tasks, keeping search, scroll place and the current task's name."""
        before = self.current_place()
        name = self._columns.names[before] if 0 <= before < len(self._columns.names) else ""
        self._source, self._columns = source, columns
        self._haystack = []
        self._asked.clear()
        scroll = self.view.verticalScrollBar().value()
        self._filter()
        if 0 <= before < len(columns.names) and columns.names[before] == name:
            self.select(before, reveal=False)
        self.view.verticalScrollBar().setValue(scroll)

    def clear(self) -> None:
        """No tasks."""
        self._source, self._columns, self._haystack = None, TaskColumns((), (), ()), []
        self._filter()

    def current_place(self) -> int:
        """The place in the job of the current row, -1 when none is."""
        return self.model.place(self.view.currentIndex().row())

    def select(self, place: int, *, reveal: bool = True) -> None:
        """Make a task current; a search that hides it is cleared."""
        row = self.model.row_of(place)
        if row < 0 and 0 <= place < len(self._columns.names):
            self.search.clear()
            self._filter()
            row = self.model.row_of(place)
        if row >= 0:
            index = self.model.index(row, _NAME)
            self.view.setCurrentIndex(index)
            if reveal:
                self.view.scrollTo(index, QAbstractItemView.ScrollHint.PositionAtCenter)

    def copy(self) -> None:
        """Selected rows to the clipboard, tab separated."""
        from PySide6.QtGui import QGuiApplication

        rows = sorted({index.row() for index in self.view.selectionModel().selectedIndexes()})
        lines = [
            "\t".join(str(self.model.data(self.model.index(row, column)) or "") for column in range(len(_HEADERS)))
            for row in rows
        ]
        QGuiApplication.clipboard().setText("\n".join(lines))

    def _filter(self) -> None:
        needle = self.search.text().strip().lower()
        total = len(self._columns.names)
        if not needle:
            self._show(range(total))
            return
        columns, haystack = self._columns, self._haystack

        def work(_still_wanted: object) -> tuple[list[str], list[int]]:
            lines = haystack or [
                f"{name}\n{kind}".lower() for name, kind in zip(columns.names, columns.types, strict=True)
            ]
            hits = {at for at, line in enumerate(lines) if needle in line}
            named = {at for at in range(total) if needle in columns.names[at].lower()}
            if 0 < len(named) <= 50:
                # Few tasks are meant: those that wait for them belong to the answer.
                hits.update(at for at, waits in enumerate(columns.dependencies) if len(waits) < 50 and named & {*waits})
            return lines, sorted(hits)

        if total <= 5000:
            self._filtered(columns, work(None))
        else:
            self._background.run(work, lambda answer: self._filtered(columns, answer), slot="task search")

    def _filtered(self, columns: TaskColumns, answer: tuple[list[str], list[int]]) -> None:
        if columns is self._columns:
            self._haystack, rows = answer
            self._show(rows)

    def _show(self, rows: Sequence[int]) -> None:
        self.model.show_tasks(self._source, self._columns, rows)
        total = len(self._columns.names)
        self.found.setText(
            f"{len(rows):,} of {total:,}" if len(rows) != total else many(total, "task") if total else ""
        )

    def _want(self, page: int) -> None:
        source = self._source
        if source is None or page in self._asked:
            return
        self._asked.add(page)

        def arrived(_tasks: object) -> None:
            if source is self._source:
                self.model.page_arrived()

        def gone(_problem: Exception) -> None:
            # The compiler keeps its newest few results only; the next preview brings the page back.
            return

        self._background.run(lambda _still_wanted: source.load_page(page), arrived, gone)

    def _picked(self, row: int) -> None:
        place = self.model.place(row)
        if place >= 0:
            self.picked.emit(place)
