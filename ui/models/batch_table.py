"""The sheet of Batch Create: cells as typed, read and judged row by row while somebody edits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from app.rules.batch import Existing, Judged, ShotRow, TableError, TaskTemplate, format_table, judge, row_of
from ui import theme
from ui.models.words import tip
from ui.theme import Role

COLUMNS = ("sequence", "shot", "frame_in", "frame_out", "tasks", "description")
_TITLES = ("", "Sequence", "Shot", "Frame in", "Frame out", "Tasks", "Description", "What happens")
STATE, WORDS = 0, len(_TITLES) - 1
_LOOKS: dict[str, tuple[str, Role, str]] = {
    "new": ("plus", Role.OK, "New"),
    "adds": ("plus", Role.INFO, "Adds tasks"),
    "exists": ("ok", Role.MUTED, "Exists"),
    "conflict": ("error", Role.ERROR, "Conflict"),
}
Index = QModelIndex | QPersistentModelIndex


@dataclass(slots=True)
class _Line:
    cells: dict[str, str]
    row: ShotRow | None = None
    judged: Judged | None = None
    wrong: str = ""
    words: str = ""
    tasks: tuple[TaskTemplate, ...] = field(default_factory=tuple)

    @property
    def state(self) -> str:
        return "conflict" if self.wrong or self.judged is None else self.judged.state


class BatchTable(QAbstractTableModel):
    """Rows with their judgement.

    Signals:
        judged: the rows were judged again.
        edited: a person changed a cell.
    """

    judged = Signal()
    edited = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lines: list[_Line] = []
        self._existing = Existing()
        self._types: tuple[str, ...] | None = None
        self._sequence = ""
        self._tasks: tuple[TaskTemplate, ...] = ()

    # What it is about

    def set_ground(self, existing: Existing, types: Sequence[str] | None, sequence: str) -> None:
        """What is below the parent, task types of its workflow, and the sequence of rows without one."""
        self._existing, self._sequence = existing, sequence
        self._types = tuple(types) if types else None
        self.judge()

    def set_tasks(self, tasks: Sequence[TaskTemplate]) -> None:
        """Tasks of rows that name none."""
        self._tasks = tuple(tasks)
        self.judge()

    def replace(self, cells: Iterable[Mapping[str, str]]) -> None:
        """Show these rows instead."""
        self.beginResetModel()
        self._lines = [_Line(dict(one)) for one in cells]
        self.endResetModel()
        self.judge()

    def append(self, cells: Sequence[Mapping[str, str]]) -> None:
        """Add rows."""
        if not cells:
            return
        at = len(self._lines)
        self.beginInsertRows(QModelIndex(), at, at + len(cells) - 1)
        self._lines += [_Line(dict(one)) for one in cells]
        self.endInsertRows()
        self.judge()

    def remove(self, rows: Iterable[int]) -> None:
        """Take rows off the sheet."""
        gone = set(rows)
        self.beginResetModel()
        self._lines = [line for number, line in enumerate(self._lines) if number not in gone]
        self.endResetModel()
        self.judge()

    # What it says

    def judge(self) -> None:
        """Read and judge every row."""
        good: list[tuple[_Line, ShotRow]] = []
        for number, line in enumerate(self._lines, start=1):
            line.row, line.judged, line.wrong, line.words = None, None, "", ""
            try:
                line.row = row_of(line.cells, number, self._sequence, self._tasks)
            except TableError as error:
                line.wrong, line.words = error.column.replace(" ", "_"), error.message
                continue
            if not line.row.sequence:
                line.wrong, line.words = "sequence", "the sequence's name is missing"
                continue
            good.append((line, line.row))
        for (line, _), judged in zip(good, judge([row for _, row in good], self._existing, self._types), strict=True):
            line.judged, line.words = judged, judged.words
        if self._lines:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._lines) - 1, WORDS))
        self.judged.emit()

    def counts(self) -> dict[str, int]:
        """State to number of rows."""
        found = dict.fromkeys(_LOOKS, 0)
        for line in self._lines:
            found[line.state] += 1
        return found

    def fresh(self) -> list[ShotRow]:
        """Rows of which something would be made."""
        return [line.judged.row for line in self._lines if line.judged and line.state in ("new", "adds")]

    def row_at(self, number: int) -> ShotRow | None:
        """A row as read; None while a cell of it cannot be."""
        return self._lines[number].row

    def as_text(self) -> str:
        """The sheet as CSV; a cell that cannot be read goes along as it was typed."""
        rows = [line.row for line in self._lines if line.row is not None]
        return format_table(rows)

    def tasks_made(self) -> int:
        """Number of tasks that would be made."""
        return sum(len(line.judged.new_tasks) for line in self._lines if line.judged and line.state in ("new", "adds"))

    # The model

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else len(self._lines)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else len(_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return _TITLES[section] if orientation == Qt.Orientation.Horizontal else section + 1

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        line, column = self._lines[index.row()], index.column()
        icon, colour, word = _LOOKS[line.state]
        if role == Qt.ItemDataRole.ForegroundRole:
            return theme.current().colour(colour) if column in (STATE, WORDS) else None
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(f"{word}: {line.words}") if column in (STATE, WORDS) else None
        if column == STATE:
            if role == Qt.ItemDataRole.DecorationRole:
                return theme.icon(icon, colour)
            return word if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole) else None
        if column == WORDS:
            return line.words if role == Qt.ItemDataRole.DisplayRole else None
        name = COLUMNS[column - 1]
        if role == Qt.ItemDataRole.BackgroundRole and line.wrong == name:
            return theme.current().colour(Role.ERROR_FILL)
        if role == Qt.ItemDataRole.EditRole:
            return line.cells.get(name, "")
        if role == Qt.ItemDataRole.DisplayRole:
            return line.cells.get(name) or self._standing(name)
        return None

    def _standing(self, name: str) -> str:
        """What an empty cell stands for."""
        if name == "sequence":
            return self._sequence
        if name == "tasks" and self._tasks:
            return ", ".join(f"{one.type_name} {one.bid_hours:g}h" if one.bid_hours else one.type_name
                             for one in self._tasks)  # fmt: skip
        return ""

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return flags | Qt.ItemFlag.ItemIsEditable if STATE < index.column() < WORDS else flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.EditRole or not STATE < index.column() < WORDS:
            return False
        name = COLUMNS[index.column() - 1]
        text = str(value).strip()
        if text != self._lines[index.row()].cells.get(name, ""):
            self._lines[index.row()].cells[name] = text
            self.judge()
            self.edited.emit()
        return True
