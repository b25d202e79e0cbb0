"""One task looked at closely: its commands as a Worker would run them, argument by argument, per platform."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QButtonGroup, QFrame, QTextBrowser, QVBoxLayout, QWidget

from app.jobs.api import CommandLine, Variable, command_line, expand_variables
from ui import theme
from ui.compiler.parts import bar, tool_button
from ui.docks.elided import ElidedLabel
from ui.theme import Role

PLATFORMS = (("linux", "Linux"), ("windows", "Windows"), ("darwin", "macOS"))


class Inspector(QWidget):
    """The command inspector.

    Signals:
        task_wanted: place in the job of a task whose name was clicked.
    """

    task_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._task: Mapping[str, Any] | None = None
        self._names: Sequence[str] = ()
        self._variables: Mapping[str, Variable] = {}
        self._platform = "linux"
        self._lines: list[CommandLine] = []
        self.title = ElidedLabel("No task chosen", kind="heading", mode=Qt.TextElideMode.ElideMiddle, asks=True)
        self.browser = QTextBrowser()
        self.browser.setOpenLinks(False)
        self.browser.setFrameShape(QFrame.Shape.NoFrame)
        self.browser.setStyleSheet("QTextBrowser { border: 0; border-radius: 0; padding: 0; }")
        self.browser.document().setDocumentMargin(theme.SPACE.M)
        self.browser.anchorClicked.connect(self._clicked)
        self.platforms = QButtonGroup(self)
        buttons: list[QWidget | int | None] = []
        for number, (platform, label) in enumerate(PLATFORMS):
            tip = f"As a Worker on {label} would run it: variables replaced by their {label} values"
            button = tool_button(tip=tip, text=label, checkable=True)
            button.setProperty("kind", "segment")
            button.setChecked(platform == "linux")
            self.platforms.addButton(button, number)
            buttons.append(button)
        self.platforms.idClicked.connect(lambda number: self.set_platform(PLATFORMS[number][0]))
        self.copy_button = tool_button("copy", "Copy the command lines", self.copy)
        strip = bar(self.title, *buttons, theme.SPACE.XS, self.copy_button, spacing=0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(strip)
        layout.addWidget(self.browser, 1)
        theme.notifier().changed.connect(self._render)
        self._render()

    def set_variables(self, variables: Mapping[str, Variable]) -> None:
        """The Manager's variables, for `{blender}` and its kind."""
        self._variables = variables
        self._render()

    def set_platform(self, platform: str) -> None:
        """The Worker's platform: linux, windows or darwin."""
        self._platform = platform
        self._render()

    def show_task(self, task: Mapping[str, Any] | None, names: Sequence[str] = ()) -> None:
        """Show a task (as `CompilerPool.pages` gives it); `names` are all tasks' names, for what it waits for."""
        self._task, self._names = task, names
        self._render()

    def copy(self) -> None:
        """All command lines of the task to the clipboard."""
        QGuiApplication.clipboard().setText("\n".join(line.text for line in self._lines))

    def plain_text(self) -> str:
        """What is shown, without its form."""
        return self.browser.toPlainText()

    def _clicked(self, url: QUrl) -> None:
        if url.scheme() == "task":
            self.task_wanted.emit(int(url.path()))

    def _render(self) -> None:
        task = self._task
        self._lines = []
        self.copy_button.setEnabled(task is not None)
        if task is None:
            self.title.say("No task chosen")
            self.browser.setHtml(
                self._page(
                    "<p class='muted'>Choose a task in the table or the graph to see exactly "
                    "what a Worker would run for it.</p>"
                )
            )
            return
        self.title.say(str(task.get("name", "")))
        commands = [command for command in task.get("commands") or [] if isinstance(command, Mapping)]
        expanded = expand_variables(commands, self._variables, self._platform)
        parts = [self._facts(task)]
        for number, command in enumerate(expanded, 1):
            line = command_line(command, self._platform)
            self._lines.append(line)
            parts.append(self._command(number, command, line))
        if not expanded:
            parts.append("<p class='warning'>This task has no commands: a Worker ends it at once.</p>")
        self.browser.setHtml(self._page("".join(parts)))

    def _facts(self, task: Mapping[str, Any]) -> str:
        waits = [
            f"<a href='task:{at}'>{html.escape(self._names[at])}</a>"
            if isinstance(at, int) and 0 <= at < len(self._names)
            else "a task that was never added"
            for at in (task.get("dependencies") or [])[:20]
        ]
        more = len(task.get("dependencies") or []) - len(waits)
        after = ", ".join(waits) + (f" and {more:,} more" if more > 0 else "") if waits else "nothing"
        return (
            f"<p class='facts'>{html.escape(str(task.get('type', '')))} &nbsp;·&nbsp; priority "
            f"{task.get('priority', 50)} &nbsp;·&nbsp; waits for {after}</p>"
        )

    def _command(self, number: int, command: Mapping[str, Any], line: CommandLine) -> str:
        name = html.escape(str(command.get("name", "")))
        parts = [f"<h4>{number}. {name}</h4>"]
        if line.error:
            parts.append(f"<p class='error'>The Worker would refuse: {html.escape(line.error)}</p>")
        if line.argv:
            rows = "".join(
                f"<tr><td class='n' align='right'>{at}</td><td class='mono'>{_visible(argument)}</td></tr>"
                for at, argument in enumerate(line.argv)
            )
            parts.append(f"<table cellspacing='0' cellpadding='2'>{rows}</table>")
        else:
            rows = "".join(
                f"<tr><td class='n'>{html.escape(str(key))}</td>"
                f"<td class='mono'>{_visible(value if isinstance(value, str) else _json(value))}</td></tr>"
                for key, value in (command.get("parameters") or {}).items()
            )
            if not line.error:
                parts.append("<p class='muted'>The Worker does this itself; no program is started.</p>")
            parts.append(f"<table cellspacing='0' cellpadding='2'>{rows}</table>")
        parts.extend(f"<p class='muted'>{html.escape(note)}</p>" for note in line.notes)
        return "".join(parts)

    def _page(self, body: str) -> str:
        look, mono = theme.current(), theme.mono_font()
        families = ", ".join(f"'{family}'" for family in mono.families())
        return f"""<style>
        body {{ color: {look.hex(Role.TEXT)}; }}
        a {{ color: {look.hex(Role.ACCENT)}; text-decoration: none; }}
        h4 {{ margin: 14px 0 4px 0; }}
        p {{ margin: 4px 0; }}
        .muted, .facts {{ color: {look.hex(Role.MUTED)}; }}
        .error {{ color: {look.hex(Role.ERROR)}; }}
        .warning {{ color: {look.hex(Role.WARNING)}; }}
        .n {{ color: {look.hex(Role.MUTED)}; padding-right: 10px; }}
        .mono {{ font-family: {families}; font-size: {mono.pointSizeF()}pt; }}
        .blank {{ color: {look.hex(Role.WARNING)}; }}
        </style>{body}"""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _visible(text: str) -> str:
    """An argument as HTML: an empty one says so, long ones break anywhere."""
    if not text:
        return "<span class='blank'>(empty)</span>"
    shown = text if len(text) <= 4000 else text[:4000] + "…"
    return html.escape(shown).replace("\n", "<span class='blank'>↵</span><br>").replace("  ", "&nbsp; ")
