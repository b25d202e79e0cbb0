"""Widgets that change many times a second and cost the window no more than themselves."""

from __future__ import annotations

import re

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QScrollBar, QWidget

from ui import theme
from ui.theme import Role

_DIGIT = re.compile(r"\d")


def _paint_ground(widget: QWidget, event: QPaintEvent, role: Role) -> None:
    """Paint what a widget stands on as its own: else each change has all that is around it painted first."""
    painter = QPainter(widget)
    painter.fillRect(event.rect(), theme.current().colour(role))
    painter.end()
    # From the next time on; each polish by a style sheet takes it to be clear again.
    widget.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)


class SteadyScrollBar(QScrollBar):
    """The scroll bar of a view whose rows come and go all the time; bare ground while there is nothing to scroll."""

    def paintEvent(self, event: QPaintEvent) -> None:
        _paint_ground(self, event, Role.SUNKEN)
        if self.minimum() < self.maximum():
            super().paintEvent(event)


class SteadyLabel(QLabel):
    """A number on a bar: it asks its layout for room only when the number gets more digits than ever expected.

    `QLabel.setText` has the whole window laid out and painted anew, up to its frame, each time.

    Args:
        most: The longest text that is usual: so much room it has from the start, and the text stands at its right.
        parent: Qt parent.
    """

    def __init__(self, most: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shape = self._most = _DIGIT.sub("0", most)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._fit()

    def say(self, text: str) -> None:
        """Show a text."""
        if text == self.text():
            return
        # Qt does not ask around for a widget of a fixed size, so the size comes before the text.
        shape = max(_DIGIT.sub("0", text), self._most, key=len)
        if shape != self._shape:
            self._shape = shape
            self._fit()
        self.setText(text)

    def paintEvent(self, event: QPaintEvent) -> None:
        _paint_ground(self, event, Role.SURFACE)
        super().paintEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange) and self._shape:
            self._fit()

    def _fit(self) -> None:
        # The widest digit in each place: not every face has digits of one width.
        metrics = self.fontMetrics()
        digit = max("0123456789", key=metrics.horizontalAdvance)
        margins = self.contentsMargins()
        wide = metrics.horizontalAdvance(self._shape.replace("0", digit)) + margins.left() + margins.right() + 2
        self.setFixedSize(wide, metrics.height() + margins.top() + margins.bottom())
