"""Deploying the open script, taking it back, and going back to earlier versions: each is told, and can be undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.jobs.api import DeployReport
from ui.compiler import outcome
from ui.compiler.background import Background
from ui.compiler.deploy import DeployDialog, HistoryDialog
from ui.compiler.document import Document
from ui.compiler.doors import Deploying, Doors
from ui.compiler.parts import Notice


class Shipping(QObject):
    """Writes scripts into the Manager's scripts folder.

    Args:
        window: Above which its dialogs open.
        doors: The deployer and the sample jobs.
        document: What is open.
        background: Where the checks are made.
        notice: Where it is told what came of it.
        text: The text as it is in the editor.
        version: The Manager's version to check for.

    Signals:
        written: a script was written, restored or removed (a DeployReport).
    """

    written = Signal(object)

    def __init__(
        self,
        window: QWidget,
        doors: Doors,
        document: Document,
        background: Background,
        notice: Notice,
        text: Callable[[], str],
        version: Callable[[], str],
    ) -> None:
        super().__init__(window)
        self._window, self._doors, self._document = window, doors, document
        self._background, self._notice = background, notice
        self._text, self._version = text, version

    def show_deploy(self) -> None:
        """Check and compare, then ask."""
        if self._doors.deployer is None or not self._document.name:
            return
        self._document.save_draft()
        dialog = DeployDialog(
            self._deployer_maker(self._document.name),
            self._background,
            self._document.name,
            self._text(),
            self._document.opened_target_sha256,
            self._window,
        )
        dialog.deployed.connect(self._deployed)
        self._document.quiet = True
        dialog.finished.connect(self._writing_ended)
        dialog.open()

    def show_history(self) -> None:
        """Earlier versions of the open script."""
        if self._doors.deployer is None or not self._document.name:
            return
        dialog = HistoryDialog(
            self._deployer_maker(""), self._background, self._document.name, self._document.deployed or "", self._window
        )
        dialog.restored.connect(lambda report: self._after_write(report, f"{report.script} is back as it was."))
        self._document.quiet = True
        dialog.finished.connect(self._writing_ended)
        dialog.open()

    def _deployer_maker(self, script: str) -> Callable[[], Deploying]:
        """Makes the deployer on a worker thread, with the sample jobs of `script` that must compile."""
        make, version, samples = self._doors.deployer, self._version(), self._doors.samples
        if make is None:
            raise RuntimeError("deploying is off")
        return lambda: make(samples.list(script) if script else [], version)

    def _writing_ended(self, _result: int) -> None:
        self._document.quiet = False

    def _deployed(self, report: DeployReport) -> None:
        self._after_write(report, f"{report.script} is deployed.", ("Take back", lambda: self._take_back(report)))

    def _take_back(self, report: DeployReport) -> None:
        """One click back: the version that was there before, or nothing where nothing was."""
        deployer, script = self._deployer_maker(""), report.script
        self._notice.say("info", f"Taking {script} back …", closable=False)
        self._document.quiet = True

        def work(_still_wanted: object) -> DeployReport:
            if report.backup is not None:
                return deployer().restore(report.backup)
            deployer().remove(script)
            return DeployReport(script, report.target, None, "", None, "", report.restart)

        def done(back: DeployReport) -> None:
            words = f"{script} is back as it was" if report.backup is not None else f"{script} is not deployed any more"
            self._after_write(back, f"{words}. Your text is still here, as a draft.")
            self._document.quiet = False

        def failed(problem: Exception) -> None:
            self._document.quiet = False
            self._notice.say("error", f"Not taken back: {problem}")

        self._background.run(work, done, failed, slot="restore")

    def _after_write(self, report: DeployReport, words: str, *actions: tuple[str, Any]) -> None:
        state = "warning" if report.verified is False or report.restart else "ok"
        parts = (words, report.verification, report.restart)
        said = " ".join(outcome.sentence(part).rstrip(".") + "." for part in parts if part)
        self._notice.say(state, said, *actions)
        self.written.emit(report)
