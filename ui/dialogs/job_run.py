"""Running a script from the workbench: its command lines first, then on which engine, in earnest or as a try-out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QRadioButton,
    QWidget,
)

from app.jobs import loader
from app.jobs.commands import expand_variables
from app.jobs.local import PLATFORM, ShownCommand, handed_out, shown
from app.jobs.model import Variable
from app.jobs.task_runs import allowed_programs
from app.settings.models import FlamencoSettings
from ui import theme
from ui.compiler.background import Background
from ui.dialogs.base import Dialog
from ui.dialogs.job_confirm import command_text
from ui.dialogs.settings import default_store
from ui.docks.code_text import CodeText
from ui.models.hub import Hub
from ui.models.words import many


@dataclass(frozen=True)
class RunWish:
    """What the workbench has open.

    Attributes:
        script: File name.
        text: The script as it is in the editor.
        name: The job's name.
        settings: As in the form.
        priority: From 0 to 100.
        metadata: The job's.
        variables: The Manager's.
        tasks: Reads the compiled tasks; may block, and raise KeyError when they are no longer kept.
        helpers: Reads the files that the script may require; may block and raise OSError.
        deployed: Whether the Manager's scripts folder has this very text.
        background: Where the blocking is done.
    """

    script: str
    text: str
    name: str
    settings: Mapping[str, Any]
    priority: int
    metadata: Mapping[str, str]
    variables: Mapping[str, Variable]
    tasks: Callable[[], Sequence[Mapping[str, Any]]]
    helpers: Callable[[], Mapping[str, str]]
    deployed: bool
    background: Background

    @property
    def job_type(self) -> str:
        """The job type's name, as the Manager makes it from the file name."""
        return loader.job_type_name(self.script)


@dataclass(frozen=True)
class _DryRun:
    """Command lines for both engines, and what they need."""

    local: list[ShownCommand]
    farm: list[ShownCommand]
    helpers: Mapping[str, str]
    settings: FlamencoSettings


_Commands = Sequence[Mapping[str, Any]]


def _shown(
    tasks: Sequence[Mapping[str, Any]], given: Callable[[_Commands], _Commands], judge: Callable[[Sequence[str]], str]
) -> list[ShownCommand]:
    found = []
    for index, task in enumerate(tasks, 1):
        found += shown(index, str(task.get("name", "")), given(task.get("commands") or []), judge)
    return found


def _dry_run(wish: RunWish, journal_folder: Path) -> _DryRun:
    """On a worker thread."""
    settings = default_store().section("flamenco", FlamencoSettings)
    tasks = wish.tasks()
    judge = allowed_programs(settings.allowed_programs, everything=settings.allow_any_program)
    here = _shown(tasks, lambda commands: handed_out(commands, settings, journal_folder), judge)
    there = _shown(tasks, lambda commands: expand_variables(commands, wish.variables, PLATFORM), lambda _argv: "")
    return _DryRun(here, there, wish.helpers(), settings)


class JobRunDialog(Dialog):
    """Asks where a script shall run, with the command lines in sight.

    Signals:
        submitted: id of the job.
    """

    submitted = Signal(int)

    def __init__(self, hub: Hub, wish: RunWish, parent: QWidget | None = None) -> None:
        super().__init__(
            f"Run {wish.script}", "Nothing runs yet: below are the command lines that this job would run.", parent
        )
        self.setObjectName("job_run")
        self.resize(880, 600)
        self._hub, self._wish = hub, wish
        self._dry: _DryRun | None = None
        self._build()
        wish.background.run(lambda _still_wanted: _dry_run(wish, hub.folder), self._take, self._failed, slot="dry run")

    def _build(self) -> None:
        self.name = QLineEdit(self._wish.name)
        self.name.setAccessibleName("Name of the job")
        self.local = QRadioButton("This machine")
        self.farm = QRadioButton("Flamenco farm")
        self.local.setChecked(True)
        self.farm.setEnabled(False)
        group = QButtonGroup(self)
        group.addButton(self.local)
        group.addButton(self.farm)
        self.try_out = QCheckBox("Try-out: work in a scratch folder of its own")
        self.try_out.setToolTip("Programs start in it, and files are made, moved and copied nowhere else")
        self.try_out.setChecked(True)
        engines = QHBoxLayout()
        engines.setSpacing(14)
        for widget in (self.local, self.farm):
            engines.addWidget(widget)
        engines.addStretch(1)
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.addWidget(QLabel("Job"), 0, 0)
        grid.addWidget(self.name, 0, 1)
        grid.addWidget(QLabel("Runs on"), 1, 0)
        grid.addLayout(engines, 1, 1)
        grid.addWidget(self.try_out, 2, 1)
        self.body.addLayout(grid)
        self.lines = CodeText("Command lines", "Reading the command lines…")
        self.body.addWidget(self.lines, 1)
        self.words = QLabel("")
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.body.addWidget(self.words)
        self.add_cancel()
        self.submit = self.add_button("Run", "primary", default=True)
        self.submit.setEnabled(False)
        self.submit.clicked.connect(self._submit)
        self.local.toggled.connect(lambda _on: self._show())

    def _take(self, dry: _DryRun) -> None:
        self._dry = dry
        self.farm.setEnabled(bool(dry.settings.manager))
        self.farm.setToolTip(dry.settings.manager or "Set the Manager's address in the settings (flamenco.manager)")
        self._show()

    def _show(self) -> None:
        dry, local = self._dry, self.local.isChecked()
        self.try_out.setEnabled(local)
        if dry is None:
            return
        commands = dry.local if local else dry.farm
        self.lines.setPlainText(command_text(commands))
        refused = sum(1 for command in commands if command.refused)
        words = f"{many(len(commands), 'command line')} in {many(len({c.task for c in commands}), 'task')}."
        state = ""
        if refused:
            words += f" {refused:,} of them will be refused: a program is not allowed here (settings, flamenco)."
            state = "warning"
        if not local and not self._wish.deployed:
            words += " The Manager runs the script that is deployed, which is not this text: deploy it first."
            state = "warning"
        self._say(words, state)
        self.submit.setEnabled(bool(commands) and not self._hub.read_only)

    def _say(self, words: str, state: str = "") -> None:
        theme.mark(self.words, state=state)
        self.words.setText(words)

    def _failed(self, problem: Exception) -> None:
        self.lines.setPlainText("")
        self._say(f"The command lines cannot be shown, so nothing can be run: {problem}", "error")

    def _submit(self) -> None:
        dry, wish = self._dry, self._wish
        if dry is None:
            return
        self.submit.setEnabled(False)
        self._say("Submitting…")
        args: dict[str, Any] = {
            "engine": "local" if self.local.isChecked() else "manager",
            "job_type": wish.job_type,
            "name": self.name.text().strip() or wish.name,
            "settings": dict(wish.settings),
            "priority": wish.priority,
            "metadata": dict(wish.metadata),
        }
        if self.local.isChecked():
            args |= {"script": wish.text, "helpers": dict(dry.helpers), "try_out": self.try_out.isChecked()}
        self._hub.order("submit_job", args, f"Run of {wish.script}", self._answered, quiet=True)

    def _answered(self, result: Mapping[str, Any]) -> None:
        if result.get("refused"):
            self._say(f"Not submitted: {result['refused']}", "error")
            self.submit.setEnabled(True)
            return
        self.submitted.emit(int(result.get("job") or 0))
        self.accept()
