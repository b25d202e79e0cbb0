"""Deploying a script: checks, difference, one decision; and the way back through the history."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from app.jobs.api import DeployCheck, DeployerLike, DeployPlan, DeployReport, HistoryEntry
from app.rules.words import many
from ui import theme
from ui.compiler.background import Background
from ui.compiler.diff_view import DiffView
from ui.compiler.outcome import sentence
from ui.compiler.parts import Notice, bar, label, push_button
from ui.docks.elided import ElidedLabel
from ui.theme import Role


def _check_row(check: DeployCheck) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 2, 0, 2)
    layout.setSpacing(theme.SPACE.S)
    lamp = QLabel()
    name, role = ("ok", Role.OK) if check.ok else ("error", Role.ERROR) if check.blocking else ("warning", Role.WARNING)
    lamp.setPixmap(theme.pixmap(name, role, 16, row.devicePixelRatioF()))
    layout.addWidget(lamp, 0, Qt.AlignmentFlag.AlignTop)
    words = label(sentence(check.name))
    words.setMinimumWidth(230)
    layout.addWidget(words, 0, Qt.AlignmentFlag.AlignTop)
    layout.addWidget(label(sentence(check.detail), "muted", wrap=True), 1)
    return row


class DeployDialog(QDialog):
    """What a deployment would do, and the button that does it.

    Signals:
        deployed: the report, after the script was written.
    """

    deployed = Signal(object)

    def __init__(
        self,
        deployer: Callable[[], DeployerLike],
        background: Background,
        script: str,
        text: str,
        opened_sha256: str | None,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._deployer, self._background = deployer, background
        self._script, self._text, self._opened = script, text, opened_sha256
        self.plan: DeployPlan | None = None
        self.setWindowTitle(f"Deploy {script}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(960, 640)
        self._title = label(f"Deploy {script}", "title")
        self._target = ElidedLabel("", kind="muted", mode=Qt.TextElideMode.ElideMiddle, asks=True)
        self.notice = Notice()
        self._checks = QVBoxLayout()
        self._checks.setSpacing(0)
        self._checks.addWidget(label("Checking: every saved sample job is compiled …", "muted"))
        self.diff = DiffView()
        self._restart = label("", state="warning", wrap=True)
        self._restart.hide()
        self.deploy_button = push_button("Deploy", self._apply, kind="primary", icon="deploy")
        self.deploy_button.setEnabled(False)
        self.force_button = push_button("Deploy anyway", lambda: self._apply(force=True), kind="danger")
        self.force_button.hide()
        self.cancel_button = push_button("Cancel", self.reject)
        self._build()
        self._make_plan()

    def _build(self) -> None:
        head = QWidget()
        top = QVBoxLayout(head)
        top.setContentsMargins(theme.SPACE.L, theme.SPACE.L, theme.SPACE.L, theme.SPACE.S)
        top.setSpacing(theme.SPACE.XS)
        top.addWidget(self._title)
        top.addWidget(self._target)
        top.addSpacing(theme.SPACE.S)
        holder = QWidget()
        holder.setLayout(self._checks)
        self._checks.setContentsMargins(0, 0, 0, 0)
        scroll = QScrollArea()
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setWidget(holder)
        scroll.setFixedHeight(90)
        self._scroll = scroll
        top.addWidget(scroll)
        top.addWidget(self._restart)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(head)
        layout.addWidget(self.notice)
        layout.addWidget(self.diff, 1)
        self._words = label("", "muted")
        foot = bar(self._words, None, self.cancel_button, self.force_button, self.deploy_button, kind="foot")
        foot.setMinimumHeight(48)
        layout.addWidget(foot)

    def _make_plan(self) -> None:
        self._background.run(
            lambda _still_wanted: self._deployer().plan(self._script, self._text, opened_sha256=self._opened),
            self._show_plan,
            self._failed,
            slot="deploy plan",
        )

    def _show_plan(self, plan: DeployPlan) -> None:
        self.plan = plan
        self._target.say(str(plan.target))
        while (item := self._checks.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        rows = [_check_row(check) for check in sorted(plan.checks, key=lambda check: (check.ok, not check.blocking))]
        room = self.width() - 2 * theme.SPACE.L - 16
        for row in rows:
            row.setFixedHeight(row.heightForWidth(room))
            self._checks.addWidget(row)
        self._checks.addStretch(1)
        self._scroll.setFixedHeight(min(sum(row.height() for row in rows) + theme.SPACE.S, 190))
        self.diff.show_texts(
            plan.old_text or "",
            plan.text,
            ("deployed now", "to be deployed"),
            "The deployed script is already this text.",
        )
        added, removed = self.diff.counts()
        new = "A new script" if plan.old_text is None else f"{many(added, 'line')} added, {removed:,} removed"
        self._words.setText("Nothing to do" if plan.unchanged else new)
        self._restart.setText(plan.restart)
        self._restart.setVisible(bool(plan.restart))
        self.deploy_button.setEnabled(not plan.blocked and not plan.unchanged)
        self.deploy_button.setVisible(not plan.blocked)
        self.force_button.setVisible(plan.blocked and not plan.unchanged)
        (self.deploy_button if not plan.blocked else self.cancel_button).setFocus()

    def _apply(self, *, force: bool = False) -> None:
        plan = self.plan
        if plan is None:
            return
        self.deploy_button.setEnabled(False)
        self.force_button.setEnabled(False)
        self.cancel_button.setEnabled(False)
        self._words.setText("Writing and verifying …")
        self._background.run(
            lambda _still_wanted: self._deployer().apply(plan, force=force), self._done, self._failed, slot="deploy"
        )

    def _done(self, report: DeployReport) -> None:
        self.deployed.emit(report)
        self.accept()

    def _failed(self, problem: Exception) -> None:
        """The old script is whole whenever this is reached: `apply` writes beside it and renames."""
        self.notice.say("error", f"Not deployed: {problem}", ("Check again", self._again))
        self.cancel_button.setEnabled(True)
        self.force_button.setEnabled(True)
        self._words.setText("")

    def _again(self) -> None:
        self.notice.clear()
        self._make_plan()


class HistoryDialog(QDialog):
    """Earlier versions of a deployed script, each against what is deployed now, and the button that puts one back.

    Signals:
        restored: the report.
    """

    restored = Signal(object)

    def __init__(
        self, deployer: Callable[[], DeployerLike], background: Background, script: str, current: str, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._deployer, self._background, self._script, self._current = deployer, background, script, current
        self._entries: list[HistoryEntry] = []
        self.setWindowTitle(f"History of {script}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(980, 600)
        self.list = QListWidget()
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.currentRowChanged.connect(self._chosen)
        self.diff = DiffView()
        self.notice = Notice()
        self.restore_button = push_button("Put this version back", self._restore, kind="primary", icon="undo")
        self.restore_button.setEnabled(False)
        split = QSplitter()
        split.addWidget(self.list)
        split.addWidget(self.diff)
        split.setSizes([230, 750])
        split.setHandleWidth(1)
        foot = bar(
            label("The version that is deployed now goes to the history first.", "muted"),
            None,
            push_button("Close", self.reject),
            self.restore_button,
            kind="foot",
        )
        foot.setMinimumHeight(48)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.notice)
        layout.addWidget(split, 1)
        layout.addWidget(foot)
        background.run(lambda _still_wanted: deployer().history(script), self._show, self._failed, slot="history")

    def _show(self, entries: list[HistoryEntry]) -> None:
        self._entries = list(entries)
        for entry in self._entries:
            when = time.strftime("%d %b %Y  %H:%M:%S", time.localtime(entry.saved))
            item = QListWidgetItem(f"{when}\n{entry.reason or 'replaced'} · {many(entry.size, 'byte')}")
            item.setSizeHint(QSize(0, 44))
            self.list.addItem(item)
        if self._entries:
            self.list.setCurrentRow(0)
        else:
            self.notice.say(
                "info", f"{self._script} was not replaced yet: there is no earlier version.", closable=False
            )

    def _chosen(self, row: int) -> None:
        if not 0 <= row < len(self._entries):
            return
        entry = self._entries[row]

        def show(text: str) -> None:
            self.diff.show_texts(self._current, text, ("deployed now", "this version"), "This is what is deployed now.")
            self.restore_button.setEnabled(True)

        self._background.run(
            lambda _still_wanted: self._deployer().history_text(entry.entry_id), show, self._failed, slot="history text"
        )

    def _restore(self) -> None:
        entry = self._entries[self.list.currentRow()]
        self.restore_button.setEnabled(False)
        self._background.run(
            lambda _still_wanted: self._deployer().restore(entry.entry_id), self._done, self._failed, slot="restore"
        )

    def _done(self, report: DeployReport) -> None:
        self.restored.emit(report)
        self.accept()

    def _failed(self, problem: Exception) -> None:
        self.notice.say("error", str(problem))
        self.restore_button.setEnabled(bool(self._entries))
