"""Small widgets the workbench's panes are made of, set up the same way everywhere."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QSpinBox, QToolButton, QWidget

from ui import theme
from ui.docks.elided import ElidedLabel
from ui.theme import Role


def tool_button(
    icon: str = "",
    tip: str = "",
    call: Callable[[], object] | None = None,
    *,
    text: str = "",
    role: Role = Role.MUTED,
    checkable: bool = False,
) -> QToolButton:
    """A flat button with an icon, a text, or both."""
    button = QToolButton()
    if icon:
        theme.set_icon(button, icon, role)
    if text:
        button.setText(text)
        style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon if icon else Qt.ToolButtonStyle.ToolButtonTextOnly
        button.setToolButtonStyle(style)
    button.setToolTip(tip)
    button.setAccessibleName(tip or text)
    button.setCheckable(checkable)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    if call is not None:
        button.clicked.connect(lambda _checked=False: call())
    return button


def push_button(text: str, call: Callable[[], object] | None = None, *, kind: str = "", icon: str = "") -> QPushButton:
    """A button with words; `kind` is `primary`, `danger` or `quiet`."""
    button = QPushButton(text)
    if kind:
        button.setProperty("kind", kind)
    if icon:
        theme.set_icon(button, icon, Role.ON_ACCENT if kind == "primary" else Role.TEXT)
    if call is not None:
        button.clicked.connect(lambda _checked=False: call())
    return button


def label(text: str = "", kind: str = "", state: str = "", *, wrap: bool = False) -> QLabel:
    """Words; `kind` is `title`, `heading` or `muted`, `state` one of the lamps. Never read as rich text."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    if kind:
        made.setProperty("kind", kind)
    if state:
        made.setProperty("state", state)
    if wrap:
        made.setWordWrap(True)
        made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return made


def bar(*items: QWidget | int | None, kind: str = "bar", spacing: int = theme.SPACE.XS) -> QFrame:
    """A strip with widgets in a row; a number is that much room in pixels, None stretches."""
    frame = QFrame()
    frame.setProperty("kind", kind)
    line = QHBoxLayout(frame)
    line.setContentsMargins(theme.SPACE.M, 5, theme.SPACE.S, 5)
    line.setSpacing(spacing)
    for item in items:
        if item is None:
            line.addStretch(1)
        elif isinstance(item, int):
            line.addSpacing(item)
        else:
            line.addWidget(item, 1 if isinstance(item, ElidedLabel | _Wide) else 0)
    return frame


def row(*items: QWidget | None, spacing: int = theme.SPACE.S) -> QWidget:
    """Widgets side by side without a frame; None stretches."""
    made = _Wide()
    layout = QHBoxLayout(made)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for item in items:
        if item is None:
            layout.addStretch(1)
        else:
            layout.addWidget(item)
    return made


def spin_box() -> QSpinBox:
    """A box for whole numbers, its digits as far from the edge as the words of a line edit."""
    spin = QSpinBox()
    spin.lineEdit().setTextMargins(5, 0, 0, 0)
    return spin


class _Wide(QWidget):
    """Takes what room a bar has left."""


class Notice(QFrame):
    """A coloured strip with a sentence and buttons; hidden while it has nothing to say."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(theme.SPACE.M, theme.SPACE.XS, theme.SPACE.S, theme.SPACE.XS)
        self._row.setSpacing(theme.SPACE.S)
        self._words = ElidedLabel(asks=True)
        self._row.addWidget(self._words, 1)
        self.buttons: list[QPushButton] = []
        self.hide()

    def say(self, state: str, text: str, *actions: tuple[str, Callable[[], object]], closable: bool = True) -> None:
        """Show `text` in the colours of `state` with a button for each (words, call)."""
        self.clear()
        theme.mark(self, state=state)
        theme.mark(self._words, state=state)
        self._words.say(text)
        for words, call in actions:
            self._add(push_button(words, call))
        if closable:
            self._add(push_button("Dismiss", self.clear, kind="quiet"))
        self.show()

    def text(self) -> str:
        """What it says, "" while hidden."""
        return self._words.whole()

    def clear(self) -> None:
        """Say nothing."""
        for button in self.buttons:
            button.hide()
            button.deleteLater()
        self.buttons.clear()
        self._words.say("")
        self.hide()

    def _add(self, button: QPushButton) -> None:
        self.buttons.append(button)
        self._row.addWidget(button)
