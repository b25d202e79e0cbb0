"""Before the first run of a script: the exact command lines of its job, and one button."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QWidget

from app.journal.rows import JobRow
from ui import theme
from ui.dialogs.base import Dialog
from ui.docks.code_text import CodeText
from ui.models.hub import Hub
from ui.models.words import amount, many, seen

if TYPE_CHECKING:
    from app.jobs.local import ShownCommand
    from app.journal.journal import Journal

LINES_SHOWN = 20_000
"""Command lines listed in the dialog; of more, the rest is named."""


def command_text(commands: list[ShownCommand]) -> str:
    """Command lines under the names of their tasks, as they are shown and copied."""
    lines: list[str] = []
    task = 0
    for command in commands[:LINES_SHOWN]:
        if command.task != task:
            task = command.task
            lines.append(f"{'' if not lines else chr(10)}# {command.task}  {seen(command.task_name)}")
        lines.append(seen(command.text))
        if command.refused:
            lines.append(f"    will not run: {command.refused.removeprefix('refused: ')}")
    if len(commands) > LINES_SHOWN:
        lines.append(f"\n… and {amount(len(commands) - LINES_SHOWN)} more command lines like these")
    return "\n".join(lines)


def _read(journal: Journal, job_id: int) -> list[ShownCommand]:
    """The command lines of a job; on the reader's thread, where the settings may be read too."""
    from app.jobs.local import shown_commands
    from app.settings.models import FlamencoSettings
    from ui.dialogs.settings import default_store

    return shown_commands(journal, job_id, default_store().section("flamenco", FlamencoSettings))


class JobConfirmDialog(Dialog):
    """The command lines of a job that waits for a person."""

    def __init__(self, hub: Hub, job: JobRow, parent: QWidget | None = None) -> None:
        super().__init__(
            f"Let {job.name} run?",
            f"The script {job.type} has not run on this machine in this form. "
            "These are the exact command lines it will run, in the rights of the event server.",
            parent,
        )
        self.setObjectName("job_confirm")
        self.resize(860, 560)
        self._hub, self._job = hub, job
        self.lines = CodeText("Command lines", "Reading the command lines…")
        self.words = QLabel("")
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.body.addWidget(self.lines, 1)
        self.body.addWidget(self.words)
        copy = self.add_button("Copy")
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.lines.toPlainText()))
        refuse = self.add_button("Cancel the job", "danger")
        refuse.clicked.connect(self._refuse)
        self.later = self.add_cancel("Decide later")
        self.confirm = self.add_button("Let it run", "primary")
        self.confirm.setEnabled(False)
        self.confirm.clicked.connect(self._confirm)
        self.later.setFocus()
        hub.journal.ask(
            "job.commands", lambda journal: _read(journal, job.id), self._show, owner=self, problem=self._failed
        )

    def _show(self, commands: list[ShownCommand]) -> None:
        self.lines.setPlainText(command_text(commands))
        refused = sum(1 for command in commands if command.refused)
        tasks = len({command.task for command in commands})
        words = f"{many(len(commands), 'command line')} in {many(tasks, 'task')}."
        if refused:
            words += f" {many(refused, 'of them will', 'of them will')} be refused: a program is not allowed here."
        words += " Other jobs of this very script will run without asking."
        theme.mark(self.words, state="warning" if refused else "")
        self.words.setText(words)
        self.confirm.setEnabled(not self._hub.read_only)

    def _failed(self, why: str) -> None:
        self.lines.setPlainText("")
        theme.mark(self.words, state="error")
        self.words.setText(f"The command lines cannot be read, so nothing is confirmed: {why}")

    def _confirm(self) -> None:
        self._hub.order("job_confirm", {"job": self._job.id}, f"Letting {self._job.name} run")
        self.accept()

    def _refuse(self) -> None:
        self._hub.order("job_cancel", {"job": self._job.id}, f"Cancel {self._job.name}")
        self.accept()
