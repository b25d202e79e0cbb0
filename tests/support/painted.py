"""What Qt paints anew."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRect
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QWidget


class Painted(QObject):
    """Notes each painting of a widget.

    Attributes:
        areas: What was painted of it, in its own coordinates.
    """

    def __init__(self, watched: QWidget) -> None:
        super().__init__(watched)
        self.areas: list[QRect] = []
        watched.installEventFilter(self)

    @property
    def times(self) -> int:
        """How often it was painted."""
        return len(self.areas)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QPaintEvent):
            self.areas.append(QRect(event.rect()))
        return False
