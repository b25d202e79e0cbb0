"""The line below the header that says what a person has to know, one thing at a time."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from ui import theme
from ui.docks.elided import ElidedLabel
from ui.theme import Role

NEWS_MS = 6_000
"""News goes away by itself after so long; trouble stays until it is closed."""
_ICONS = {"ok": "ok", "info": "info", "warning": "warning", "error": "error", "dry": "info"}
_ROLES = {"ok": Role.OK, "info": Role.INFO, "warning": Role.WARNING, "error": Role.ERROR, "dry": Role.DRY}

SITE_WORDS, SITE_EMBEDDED = "site_words", "site_embedded"
"""Properties of a window that works on a site: its dialogs say which one, so that none is taken for another."""


class Chip(QWidget):
    """A short text on a rounded ground."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text, self._role, self._ground = "", Role.TEXT, Role.RAISED
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        theme.notifier().changed.connect(self.update)
        self.hide()

    def say(self, text: str, role: Role, ground: Role) -> None:
        """Show a text in a colour on a ground; an empty text hides it."""
        self._text, self._role, self._ground = text, role, ground
        self.setAccessibleName(text)
        self.setToolTip(text)
        self.updateGeometry()
        self.setVisible(bool(text))
        self.update()

    def text(self) -> str:
        """What it says."""
        return self._text

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(self._text) + 25, 26)

    def minimumSizeHint(self) -> QSize:
        return QSize(60, 26)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.current().colour(self._ground))
        area = QRectF(self.rect())
        painter.drawRoundedRect(area, area.height() / 2, area.height() / 2)
        painter.setPen(theme.current().colour(self._role))
        shown = self.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideRight, self.width() - 22)
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, shown)


def site_chip(dialog: QWidget) -> Chip:
    """Which site the window above a dialog works on; hidden where that is not known."""
    chip = Chip(dialog)
    parent: QWidget | None = dialog
    while parent is not None and not parent.property(SITE_WORDS):
        parent = parent.parentWidget()
    if parent is not None:
        embedded = bool(parent.property(SITE_EMBEDDED))
        role, ground = (Role.DRY, Role.DRY_FILL) if embedded else (Role.TEXT, Role.RAISED)
        chip.say(str(parent.property(SITE_WORDS)), role, ground)
    return chip


class Notice(QFrame):
    """A banner with an icon, a text, and perhaps a button."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        line = QHBoxLayout(self)
        line.setContentsMargins(12, 3, 6, 3)
        line.setSpacing(8)
        self._icon = QLabel()
        line.addWidget(self._icon)
        self.text = ElidedLabel()
        line.addWidget(self.text, 1)
        self._button = QPushButton()
        self._button.clicked.connect(self._act)
        line.addWidget(self._button)
        close = QToolButton()
        theme.set_icon(close, "close", Role.MUTED)
        close.setToolTip("Close this message")
        close.setAccessibleName("Close this message")
        close.clicked.connect(self.hide)
        line.addWidget(close)
        self.setFixedHeight(34)
        self._does: Callable[[], object] | None = None
        self._state = "info"
        self._go = QTimer(self)
        self._go.setSingleShot(True)
        self._go.setInterval(NEWS_MS)
        self._go.timeout.connect(self.hide)
        theme.notifier().changed.connect(self._draw_icon)
        self.hide()

    def say(self, state: str, text: str, button: str = "", does: Callable[[], object] | None = None) -> None:
        """Show a text; `state` is "ok", "info", "warning" or "error". News does not push trouble away."""
        if state in {"ok", "info"} and self.isVisible() and self._state in {"warning", "error"}:
            return
        self._state = state
        theme.mark(self, state=state)
        self.text.say(text)
        self.setAccessibleName(text)
        self._button.setText(button)
        self._button.setVisible(bool(button))
        self._does = does
        self._draw_icon()
        self.show()
        self._go.stop()
        if state in {"ok", "info"}:
            self._go.start()

    def _draw_icon(self) -> None:
        scale = self.devicePixelRatioF()
        self._icon.setPixmap(theme.pixmap(_ICONS[self._state], _ROLES[self._state], 16, scale))

    def _act(self) -> None:
        self.hide()
        if self._does is not None:
            self._does()
