"""What can be done to jobs and tasks, and the dialogs that list what it is done to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSpinBox, QWidget

from app.journal.rows import JobRow
from ui.dialogs.base import Confirm, Dialog, ItemList
from ui.models.jobs import (
    AT_REST,
    CAN_CANCEL,
    CAN_PAUSE,
    CAN_REQUEUE,
    CAN_RESUME,
    ENGINES,
    JOB_STATES,
    TASK_CAN_CANCEL,
    TASK_CAN_REQUEUE,
)
from ui.models.words import many
from ui.theme import Role

LISTED = 200
"""Nobody reads more names than this before a click, and thousands keep the window for a fifth of a second."""


@dataclass(frozen=True)
class JobAction:
    """Something a person can do.

    Attributes:
        kind: The order.
        words: On the button.
        icon: Beside them.
        tip: What it does, in a sentence.
        statuses: Where it makes sense.
        thing: "job" or "task".
        danger: Whether work is lost by it.
    """

    kind: str
    words: str
    icon: str
    tip: str
    statuses: frozenset[str]
    thing: str = "job"
    danger: bool = False


JOB_ACTIONS: tuple[JobAction, ...] = (
    JobAction("job_pause", "Pause", "pause", "Tasks at work finish; no further one starts.", CAN_PAUSE),
    JobAction("job_resume", "Resume", "play", "Waiting tasks start again.", CAN_RESUME),
    JobAction(
        "job_cancel", "Cancel", "stop", "Programs at work are ended; what is done stays done.", CAN_CANCEL, danger=True
    ),
    JobAction(
        "job_requeue",
        "Requeue",
        "retry",
        "What is not done is done again; a job that is done starts over from its first task.",
        CAN_REQUEUE,
    ),
    JobAction(
        "job_priority", "Priority", "sliders", "Which job's tasks are taken first.", frozenset(JOB_STATES) - AT_REST
    ),
    JobAction(
        "job_delete",
        "Delete",
        "trash",
        "The job, its tasks and their logs are removed; what it produced stays.",
        AT_REST | {"paused", "needs-confirmation"},
        danger=True,
    ),
)
TASK_ACTIONS: tuple[JobAction, ...] = (
    JobAction(
        "task_requeue", "Requeue", "retry", "Everything starts over from the first command.", TASK_CAN_REQUEUE, "task"
    ),
    JobAction("task_cancel", "Cancel", "stop", "Programs at work are ended.", TASK_CAN_CANCEL, "task", danger=True),
)


def allowed(action: JobAction, row: JobRow) -> bool:
    """Whether an action makes sense for a job; the engine has the last word."""
    return row.status in action.statuses


def listed(items: Sequence[str]) -> list[str]:
    """What a dialog lists of these: of thousands the first ones, and how many there are besides."""
    more = len(items) - LISTED
    return [*items[:LISTED], f"and {many(more, 'more', 'more')}"] if more > 0 else list(items)


def ask(parent: QWidget, action: JobAction, items: Sequence[str], accepted: Callable[[], None]) -> Confirm:
    """Open the dialog that lists what an action is done to."""
    what = many(len(items), action.thing)
    dialog = Confirm(
        f"{action.words} {what}?",
        action.tip,
        listed(items),
        f"{action.words} {what}",
        parent,
        danger=action.danger,
        icon=action.thing,
    )
    dialog.setObjectName(f"confirm_{action.kind}")
    if action.danger:
        dialog.cancel.setText("Leave as it is" if len(items) == 1 else "Leave as they are")
        dialog.prefer_cancel()
    dialog.accepted.connect(accepted)
    dialog.open()
    return dialog


class PriorityDialog(Dialog):
    """Which priority these jobs shall have.

    Signals:
        chosen: the priority, from 0 to 100.
    """

    chosen = Signal(int)

    def __init__(self, rows: Sequence[JobRow], parent: QWidget | None = None) -> None:
        super().__init__(
            f"Priority of {many(len(rows), 'job')}",
            "Tasks of the job with the higher number are taken first; 50 is usual.",
            parent,
        )
        self.setObjectName("priority_dialog")
        listing = ItemList("Jobs")
        names = listed([f"{row.name}  ({ENGINES[row.engine]}, now {row.priority})" for row in rows])
        listing.fill([("job", name, Role.MUTED) for name in names])
        self.body.addWidget(listing)
        line = QHBoxLayout()
        name = QLabel("Priority")
        self.value = QSpinBox()
        self.value.setRange(0, 100)
        self.value.setMinimumWidth(90)
        self.value.setValue(rows[0].priority)
        self.value.setAccessibleName("Priority")
        name.setBuddy(self.value)
        line.addWidget(name)
        line.addWidget(self.value)
        line.addStretch(1)
        self.body.addLayout(line)
        self.add_cancel()
        self.confirm = self.add_button("Set priority", "primary", default=True)
        self.confirm.clicked.connect(self._done)
        self.resize(520, 220 + 24 * min(8, len(rows)))
        self.value.setFocus()
        self.value.selectAll()

    def _done(self) -> None:
        self.chosen.emit(self.value.value())
        self.accept()
