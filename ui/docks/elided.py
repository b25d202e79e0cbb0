"""A line of text that ends in an ellipsis where it has no room."""

from __future__ import annotations

import unicodedata

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from ui import theme
from ui.models.words import name_of, tip


class ElidedLabel(QLabel):
    """A line of text that ends in an ellipsis where it has no room; the whole is then its tooltip.

    Args:
        text: What it says at first.
        parent: Qt parent.
        kind: "heading", "muted" or "", as in the style sheet.
        mode: Where the ellipsis stands.
        asks: Whether it asks for the room of its whole text; else it takes what its layout leaves.
    """

    def __init__(
        self,
        text: str = "",
        parent: QWidget | None = None,
        *,
        kind: str = "",
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        asks: bool = False,
    ) -> None:
        super().__init__(parent)
        self._whole = ""
        self._mode = mode
        wide = QSizePolicy.Policy.Preferred if asks else QSizePolicy.Policy.Ignored
        self.setSizePolicy(wide, QSizePolicy.Policy.Fixed)
        self.setTextFormat(Qt.TextFormat.PlainText)
        if kind:
            theme.mark(self, kind=kind)
        self.say(text)

    def say(self, text: str) -> None:
        """Show a text."""
        if text != self._whole:
            self._whole = text
            self.setAccessibleName(text)
            self.updateGeometry()
            self._fit()

    def whole(self) -> str:
        """The text without the ellipsis."""
        return self._whole

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def sizeHint(self) -> QSize:
        margins = self.contentsMargins()
        wide = self.fontMetrics().horizontalAdvance(self._line()) + margins.left() + margins.right() + 2
        return QSize(wide, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(20, super().minimumSizeHint().height())

    def _line(self) -> str:
        return name_of(self._whole.replace("\n", " "))

    def _fit(self) -> None:
        line = self._line()
        shown = self.fontMetrics().elidedText(line, self._mode, max(0, self.contentsRect().width() - 1))
        super().setText(_from_the_left(shown))
        self.setToolTip(tip(self._whole) if shown != line else "")


def _from_the_left(text: str) -> str:
    """A text as the tables beside it show it: QLabel turns one round that begins with a Hebrew or an Arabic name."""
    turned = not text.isascii() and any(unicodedata.bidirectional(sign) in ("R", "AL") for sign in text)
    return f"\u200e{text}" if turned else text
