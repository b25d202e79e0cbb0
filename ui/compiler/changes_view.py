"""What a preview changed: against the one before, and against the script that is deployed."""

from __future__ import annotations

import html

from PySide6.QtCore import QUrl, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QTextBrowser, QVBoxLayout, QWidget

from ui import theme
from ui.compiler.changes import MAX_LISTED, Changes, TaskChange
from ui.compiler.parts import bar, tool_button
from ui.docks.elided import ElidedLabel
from ui.theme import Role

LAST, DEPLOYED = 0, 1


class ChangesView(QWidget):
    """Two comparisons and a switch between them.

    Signals:
        task_wanted: place in the job of a task that was clicked.
        basis_changed: `LAST` or `DEPLOYED` was chosen.
    """

    task_wanted = Signal(int)
    basis_changed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._answers: dict[int, Changes | str] = {
            LAST: "Nothing to compare with yet: this is the first preview.",
            DEPLOYED: "Nothing is deployed under this name.",
        }
        self.words = ElidedLabel("", kind="muted", asks=True)
        self.basis = QButtonGroup(self)
        buttons: list[QWidget | int | None] = []
        for number, text, tip in (
            (LAST, "Last preview", "Against the preview before this one"),
            (DEPLOYED, "Deployed", "Against what the deployed script makes of the same job"),
        ):
            button = tool_button(tip=tip, text=text, checkable=True)
            button.setProperty("kind", "segment")
            button.setChecked(number == LAST)
            self.basis.addButton(button, number)
            buttons.append(button)
        self.basis.idClicked.connect(self._switched)
        self.browser = QTextBrowser()
        self.browser.setOpenLinks(False)
        self.browser.setFrameShape(QFrame.Shape.NoFrame)
        self.browser.setStyleSheet("QTextBrowser { border: 0; border-radius: 0; padding: 0; }")
        self.browser.document().setDocumentMargin(theme.SPACE.M)
        self.browser.anchorClicked.connect(self._clicked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(bar(self.words, theme.SPACE.S, *buttons, spacing=0))
        layout.addWidget(self.browser, 1)
        theme.notifier().changed.connect(self._render)
        self._render()

    def show_changes(self, basis: int, answer: Changes | str) -> None:
        """The comparison with one basis, or a sentence why there is none."""
        self._answers[basis] = answer
        if basis == self.basis.checkedId():
            self._render()

    def changes(self, basis: int) -> Changes | str:
        """What was shown last for a basis."""
        return self._answers[basis]

    def _switched(self, basis: int) -> None:
        self._render()
        self.basis_changed.emit(basis)

    def _clicked(self, url: QUrl) -> None:
        if url.scheme() == "task":
            self.task_wanted.emit(int(url.path()))

    def _render(self) -> None:
        answer = self._answers[self.basis.checkedId()]
        if isinstance(answer, str):
            self.words.say("")
            self.browser.setHtml(self._page(f"<p class='muted'>{html.escape(answer)}</p>"))
            return
        self.words.say(answer.sentence())
        if answer.nothing:
            self.browser.setHtml(self._page("<p class='muted'>The same tasks, commands and dependencies.</p>"))
            return
        parts = []
        if answer.job:
            lines = "".join(f"<div class='detail'>{html.escape(line)}</div>" for line in answer.job)
            parts.append(f"<h4>Job</h4>{lines}")
        added, removed, changed, _same = answer.counts
        for title, kind, total, tasks in (
            ("Changed", "changed", changed, answer.changed),
            ("Added", "added", added, answer.added),
            ("Removed", "removed", removed, answer.removed),
        ):
            if total:
                parts.append(f"<h4>{title} · {total:,}</h4>{''.join(_task(task, kind) for task in tasks)}")
                if total > len(tasks):
                    parts.append(f"<p class='muted'>and {total - MAX_LISTED:,} more</p>")
        self.browser.setHtml(self._page("".join(parts)))

    def _page(self, body: str) -> str:
        look, mono = theme.current(), theme.mono_font()
        families = ", ".join(f"'{family}'" for family in mono.families())
        return f"""<style>
        a {{ color: {look.hex(Role.TEXT)}; text-decoration: none; }}
        h4 {{ margin: 12px 0 4px 0; }}
        .muted {{ color: {look.hex(Role.MUTED)}; }}
        .added {{ color: {look.hex(Role.OK)}; }} .removed {{ color: {look.hex(Role.ERROR)}; }}
        .changed {{ color: {look.hex(Role.WARNING)}; }}
        .detail {{ color: {look.hex(Role.MUTED)}; font-family: {families}; font-size: {mono.pointSizeF() - 0.5}pt;
                   margin-left: 20px; }}
        </style>{body}"""


def _task(task: TaskChange, kind: str) -> str:
    sign = {"added": "+", "removed": "−", "changed": "~"}[kind]
    name = html.escape(task.name)
    if task.place >= 0:
        name = f"<a href='task:{task.place}'>{name}</a>"
    details = "".join(f"<div class='detail'>{html.escape(line)}</div>" for line in task.details)
    return f"<div><span class='{kind}'>{sign}</span> {name}</div>{details}"
