"""Text that a machine reads, shown to a person."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from ui import theme


class CodeText(QPlainTextEdit):
    """Settings or command lines: not to be written in, and from left to right in whatever script.

    Long lines are wrapped: what sticks out to the right would not be seen before it is confirmed.

    Args:
        name: What a screen reader calls it.
        text: What it says at first.
        parent: Qt parent.
    """

    def __init__(self, name: str, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setReadOnly(True)
        self.setTabChangesFocus(True)
        self.setFont(theme.mono_font())
        self.setAccessibleName(name)
        # Else a line that begins with a Hebrew name stands at the right, its signs in another order.
        option = self.document().defaultTextOption()
        option.setTextDirection(Qt.LayoutDirection.LeftToRight)
        self.document().setDefaultTextOption(option)
