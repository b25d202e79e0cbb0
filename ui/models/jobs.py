"""Jobs and their tasks as tables: what the journal says, in words, rows kept where they are while they change."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.journal.rows import JobRow, TaskRow
from ui.models.words import StateLook, ago, amount, clock, moment, name_of, span, tip
from ui.theme import Role

#: What matters most comes first: cards of the graph and sums over tasks take their colour from it.
TASK_STATES: Mapping[str, StateLook] = {
    "failed": StateLook("failed", Role.ERROR, "diamond"),
    "soft-failed": StateLook("will retry", Role.WARNING, "half"),
    "active": StateLook("running", Role.INFO, "disc"),
    "paused": StateLook("paused", Role.WARNING, "bars"),
    "queued": StateLook("queued", Role.OFF, "ring"),
    "canceled": StateLook("cancelled", Role.OFF, "cross"),
    "completed": StateLook("done", Role.OK, "disc"),
}
TASK_LOOKS: Mapping[str, tuple[str, Role]] = {state: (look.word, look.role) for state, look in TASK_STATES.items()}

JOB_STATES: Mapping[str, StateLook] = {
    "needs-confirmation": StateLook("To confirm", Role.WARNING, "diamond"),
    "under-construction": StateLook("Being made", Role.OFF, "ring"),
    "queued": StateLook("Queued", Role.INFO, "ring"),
    "active": StateLook("Running", Role.INFO, "disc"),
    "completed": StateLook("Done", Role.OK, "disc"),
    "failed": StateLook("Failed", Role.ERROR, "diamond"),
    "canceled": StateLook("Cancelled", Role.OFF, "cross"),
    "cancel-requested": StateLook("Cancelling", Role.OFF, "half"),
    "paused": StateLook("Paused", Role.WARNING, "bars"),
    "pause-requested": StateLook("Pausing", Role.WARNING, "half"),
    "requeueing": StateLook("Requeueing", Role.INFO, "half"),
}
ENGINES: Mapping[str, str] = {"local": "This machine", "manager": "Flamenco"}

#: Statuses in which an order makes sense; the engine has the last word.
CAN_CANCEL = frozenset({"needs-confirmation", "under-construction", "queued", "active", "paused", "pause-requested"})
CAN_PAUSE = frozenset({"queued", "active"})
CAN_RESUME = frozenset({"paused", "pause-requested"})
CAN_REQUEUE = frozenset({"completed", "failed", "canceled", "paused", "queued", "active"})
AT_REST = frozenset({"completed", "failed", "canceled"})
TASK_CAN_CANCEL = frozenset({"queued", "active", "soft-failed", "paused"})
TASK_CAN_REQUEUE = frozenset({"completed", "failed", "canceled", "soft-failed", "paused"})

Index = QModelIndex | QPersistentModelIndex
R = TypeVar("R", JobRow, TaskRow)


@dataclass(frozen=True)
class TableColumn(Generic[R]):
    """A column of a table.

    Attributes:
        title: Its heading.
        width: Logical pixels at first; 0 takes what is left.
        text: The words of a cell; gets the row and now (UTC epoch seconds).
        role: Colour of the words.
        right: Whether numbers stand at the right.
        tip: A tool tip, where it says more than the cell.
        look: The state whose lamp stands before the words.
        progress: Share and colour of a bar.
        ages: Whether the words change by the clock alone.
    """

    title: str
    width: int
    text: Callable[[R, float], str]
    role: Role = Role.TEXT
    right: bool = False
    tip: Callable[[R], str] | None = None
    look: Callable[[R], StateLook] | None = None
    progress: Callable[[R], tuple[float, Role]] | None = None
    ages: bool = False


class Table(QAbstractTableModel, Generic[R]):
    """Rows with an id each, in the order they are given. Selection and scroll place outlive a change."""

    def __init__(self, columns: Sequence[TableColumn[R]], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.columns: tuple[TableColumn[R], ...] = tuple(columns)
        self._rows: list[R] = []
        self._now = time.time()

    def rows(self) -> Sequence[R]:
        """All rows."""
        return self._rows

    def row(self, place: int) -> R | None:
        """A row by its place, None outside."""
        return self._rows[place] if 0 <= place < len(self._rows) else None

    def now(self) -> float:
        """The moment that ages and durations are told for, UTC epoch seconds."""
        return self._now

    def place_of(self, row_id: int) -> int:
        """The place of a row by its id, -1 where it is not."""
        return next((place for place, row in enumerate(self._rows) if row.id == row_id), -1)

    def set_rows(self, rows: Sequence[R]) -> None:
        """Show these rows; those that stay keep their place on the screen.

        A row that did not change had best be the very same (`with_known`): what is another one is painted anew.
        """
        self._now = time.time()
        before, after = [row.id for row in self._rows], [row.id for row in rows]
        if before == after:
            changed = [place for place, (row, old) in enumerate(zip(rows, self._rows, strict=True)) if row is not old]
            self._rows = list(rows)
            if changed:
                self._tell(changed[0], changed[-1])
        elif not set(before) & set(after):
            self.beginResetModel()
            self._rows = list(rows)
            self.endResetModel()
        else:
            self._merge(rows, set(after))

    def _merge(self, rows: Sequence[R], stay: set[int]) -> None:
        for first, last in reversed(_runs([place for place, row in enumerate(self._rows) if row.id not in stay])):
            self.beginRemoveRows(QModelIndex(), first, last)
            del self._rows[first : last + 1]
            self.endRemoveRows()
        known = {row.id for row in self._rows}
        for first, last in _runs([place for place, row in enumerate(rows) if row.id not in known]):
            self.beginInsertRows(QModelIndex(), first, last)
            self._rows[first:first] = rows[first : last + 1]
            self.endInsertRows()
        self._rows = list(rows)
        self._tell(0, len(rows) - 1)

    def _tell(self, first: int, last: int) -> None:
        if last >= first:
            self.dataChanged.emit(self.index(first, 0), self.index(last, len(self.columns) - 1))

    def tick(self) -> None:
        """Write ages and durations anew."""
        self._now = time.time()
        for place, column in enumerate(self.columns):
            if column.ages and self._rows:
                self.dataChanged.emit(self.index(0, place), self.index(len(self._rows) - 1, place))

    # Qt's side

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        return 0 if parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section].title
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if self.columns[section].right else Qt.AlignmentFlag.AlignLeft
            return int(Qt.AlignmentFlag.AlignVCenter | side)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = self._rows[index.row()], self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(row, self._now)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(column.tip(row) if column.tip else column.text(row, self._now))
        if role == Qt.ItemDataRole.TextAlignmentRole and column.right:
            return int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight)
        return None


def with_known(known: Sequence[R], rows: Sequence[R]) -> list[R]:
    """The rows, with those that are as they were known being the very same ones. May be called on any thread."""
    before = {row.id: row for row in known}
    return [old if (old := before.get(row.id)) == row else row for row in rows]


def _runs(places: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of those that follow each other: a view takes a row as long as a hundred in a row."""
    found: list[tuple[int, int]] = []
    for place in places:
        if found and found[-1][1] == place - 1:
            found[-1] = (found[-1][0], place)
        else:
            found.append((place, place))
    return found


def job_look(row: JobRow) -> StateLook:
    """How a job's status is shown."""
    return JOB_STATES.get(row.status) or StateLook(row.status, Role.MUTED, "ring")


def task_look(row: TaskRow) -> StateLook:
    """How a task's status is shown."""
    look = TASK_STATES.get(row.status) or StateLook(row.status, Role.MUTED, "ring")
    return look._replace(word=look.word.capitalize())


def _job_progress(row: JobRow) -> tuple[float, Role]:
    roles = {"failed": Role.ERROR, "completed": Role.OK, "canceled": Role.OFF, "paused": Role.WARNING}
    return row.progress, roles.get(row.status, Role.INFO)


def _task_progress(row: TaskRow) -> tuple[float, Role]:
    done = 1.0 if row.status == "completed" else row.steps_done / row.steps_total if row.steps_total else 0.0
    return min(1.0, done), TASK_LOOKS.get(row.status, ("", Role.OFF))[1]


def counts(row: JobRow) -> str:
    """ "12 of 25", with what failed."""
    if not row.tasks:
        return "–"
    failed = f", {amount(row.failed)} failed" if row.failed else ""
    return f"{amount(row.completed)} of {amount(row.tasks)}{failed}"


def _job_tip(row: JobRow) -> str:
    lines = [row.name, f"{job_look(row).word} on {ENGINES[row.engine]}"]
    lines += [row.activity] if row.activity else []
    lines.append(f"Submitted {moment(row.created)}" + (f" by {row.who}" if row.who else ""))
    return "\n".join(lines)


def _percent(row: JobRow, _now: float) -> str:
    return f"{int(row.progress * 100)} %"


JOB_COLUMNS: tuple[TableColumn[JobRow], ...] = (
    TableColumn("State", 118, lambda row, _now: job_look(row).word, look=job_look, tip=_job_tip),
    TableColumn("Job", 0, lambda row, _now: name_of(row.name), tip=_job_tip),
    TableColumn("Type", 140, lambda row, _now: row.type, Role.MUTED),
    TableColumn("Engine", 104, lambda row, _now: ENGINES[row.engine], Role.MUTED),
    TableColumn("Progress", 132, _percent, progress=_job_progress),
    TableColumn("Tasks", 128, lambda row, _now: counts(row), Role.MUTED),
    TableColumn("Started by", 120, lambda row, _now: row.who or "–", Role.MUTED),
    TableColumn(
        "Age",
        92,
        lambda row, now: ago(row.created, now),
        Role.MUTED,
        tip=lambda row: moment(row.created),
        ages=True,
    ),
)

TASK_COLUMNS: tuple[TableColumn[TaskRow], ...] = (
    TableColumn("#", 52, lambda row, _now: str(row.index), Role.MUTED, right=True),
    TableColumn(
        "State",
        102,
        lambda row, _now: task_look(row).word,
        look=task_look,
        tip=lambda row: f"{task_look(row).word}: {row.reason}" if row.reason else task_look(row).word,
    ),
    TableColumn(
        "Task",
        0,
        lambda row, _now: name_of(row.name),
        tip=lambda row: f"{row.name}\n{row.reason}" if row.reason else row.name,
    ),
    TableColumn("Worker", 92, lambda row, _now: row.worker or "–", Role.MUTED),
    TableColumn("Progress", 74, lambda row, _now: _task_percent(row), progress=_task_progress),
    TableColumn(
        "Time",
        64,
        lambda row, now: span(row.seconds(now)),
        Role.MUTED,
        right=True,
        tip=lambda row: f"started {clock(row.started)}" if row.started else "not started yet",
        ages=True,
    ),
)


def _task_percent(row: TaskRow) -> str:
    return f"{int(_task_progress(row)[0] * 100)} %"
