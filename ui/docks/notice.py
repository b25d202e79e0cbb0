"""The line below the header that says what a person has to know; of several things the most serious first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from ui import theme
from ui.docks.elided import ElidedLabel
from ui.models.words import tip
from ui.theme import Role

NEWS_MS = 6_000
"""News goes away by itself after so long; trouble stays until it is closed."""
MOST_KEPT = 200
"""Troubles that wait to be read; what is more belongs to the log, and nobody reads it here."""
_TROUBLE = ("error", "warning")
"""What stays until it is closed, the most serious first."""
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
        self.setToolTip(tip(text))
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


@dataclass(frozen=True, slots=True)
class _Said:
    state: str
    text: str
    button: str
    does: Callable[[], object] | None
    about: str


class Notice(QFrame):
    """A banner with an icon, a text, and perhaps a button; trouble waits behind trouble until each was closed."""

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
        self.next = QToolButton()
        theme.set_icon(self.next, "chevron-right", Role.MUTED)
        self.next.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.next.setToolTip("Show the next message")
        self.next.clicked.connect(self._turn)
        line.addWidget(self.next)
        self.close_button = QToolButton()
        theme.set_icon(self.close_button, "close", Role.MUTED)
        self.close_button.setToolTip("Close this message")
        self.close_button.setAccessibleName("Close this message")
        self.close_button.clicked.connect(self._close_one)
        line.addWidget(self.close_button)
        self.setFixedHeight(34)
        self._troubles: list[_Said] = []
        self._news: _Said | None = None
        self._at = 0
        self._go = QTimer(self)
        self._go.setSingleShot(True)
        self._go.setInterval(NEWS_MS)
        self._go.timeout.connect(self._close_one)
        theme.notifier().changed.connect(self._draw_icon)
        self.hide()

    def say(
        self, state: str, text: str, button: str = "", does: Callable[[], object] | None = None, *, about: str = ""
    ) -> None:
        """Show a text.

        Trouble is kept until it is closed, the most serious and then the newest first; news waits behind none.

        Args:
            state: "ok" or "info" is news, "warning" or "error" is trouble.
            text: What happened, to what, what to do.
            button: Words of a button, "" for none.
            does: What the button does.
            about: What was said about the same before is said no more: it is replaced.
        """
        said, shown = _Said(state, text, button, does, about), self._shown()
        self._forget(lambda one: one.text == text or (bool(about) and one.about == about))
        if state in _TROUBLE:
            behind = (n for n, one in enumerate(self._troubles) if _TROUBLE.index(one.state) >= _TROUBLE.index(state))
            place = next(behind, len(self._troubles))
            self._troubles.insert(place, said)
            del self._troubles[MOST_KEPT:]
            # What is as serious is seen at once; who reads something graver is not interrupted.
            self._at = self._troubles.index(shown) if place and shown in self._troubles else 0
            self._news = None
        elif not self._troubles:
            self._news = said
        self._show()

    def settle(self, about: str) -> None:
        """Take back what was said about something: it is over."""
        self._forget(lambda one: one.about == about)
        self._show()

    def _forget(self, which: Callable[[_Said], bool]) -> None:
        shown = self._shown()
        self._troubles = [one for one in self._troubles if not which(one)]
        self._at = self._troubles.index(shown) if shown in self._troubles else 0
        if self._news is not None and which(self._news):
            self._news = None

    def _shown(self) -> _Said | None:
        return self._troubles[self._at] if self._troubles else self._news

    def _show(self) -> None:
        self._go.stop()
        said = self._shown()
        if said is None:
            self.hide()
            return
        theme.mark(self, state=said.state)
        self.text.say(said.text)
        count = len(self._troubles)
        place = f"{self._at + 1} of {count}"
        self.setAccessibleName(f"{said.text} ({place})" if count > 1 else said.text)
        self._button.setText(said.button)
        self._button.setVisible(bool(said.button))
        self.next.setText(place)
        self.next.setAccessibleName(f"Message {place}: show the next")
        self.next.setVisible(count > 1)
        self._draw_icon()
        self.show()
        if said is self._news:
            self._go.start()

    def _turn(self) -> None:
        self._at = (self._at + 1) % max(1, len(self._troubles))
        self._show()

    def _close_one(self) -> None:
        if self._troubles:
            del self._troubles[self._at]
            self._at = min(self._at, max(0, len(self._troubles) - 1))
        self._news = None
        self._show()

    def _draw_icon(self) -> None:
        said = self._shown()
        if said is not None:
            pixmap = theme.pixmap(_ICONS[said.state], _ROLES[said.state], 16, self.devicePixelRatioF())
            self._icon.setPixmap(pixmap)

    def _act(self) -> None:
        said = self._shown()
        self._close_one()
        if said is not None and said.does is not None:
            said.does()
