"""One clip in the upload dialog: its picture, its facts, how far it is, and what can be done about it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from ui import theme
from ui.docks.handlers import ElidedLabel
from ui.docks.picture import Picture
from ui.models.uploads import Clip
from ui.theme import Role

_LOOKS: dict[str, tuple[str, Role, str]] = {
    "looking": ("eye", Role.MUTED, "Looking"),
    "ready": ("film", Role.MUTED, "Ready"),
    "refused": ("error", Role.ERROR, "Cannot be used"),
    "waiting": ("clock", Role.INFO, "In the queue"),
    "ordered": ("clock", Role.INFO, "In the queue"),
    "working": ("upload", Role.INFO, "Publishing"),
    "done": ("ok", Role.OK, "Published"),
    "failed": ("error", Role.ERROR, "Failed"),
    "cancelled": ("stop", Role.WARNING, "Stopped"),
}
_PHASES = {"probe": "Probe", "transcode": "Transcode", "upload": "Upload", "publish": "Publish"}


class ClipRow(QFrame):
    """A card.

    Signals:
        chosen: it was clicked (its clip's key).
        retry: publish it again.
        drop: take it off the list, or stop it.
    """

    chosen = Signal(str)
    retry = Signal(str)
    drop = Signal(str)

    def __init__(self, clip: Clip, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.key = clip.key
        theme.mark(self, kind="card")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        line = QHBoxLayout(self)
        line.setContentsMargins(10, 8, 8, 8)
        line.setSpacing(10)
        self.picture = Picture()
        line.addWidget(self.picture)
        words = QVBoxLayout()
        words.setSpacing(2)
        self.name = ElidedLabel()
        theme.mark(self.name, kind="heading")
        self.facts = ElidedLabel()
        theme.mark(self.facts, kind="muted")
        words.addWidget(self.name)
        words.addWidget(self.facts)
        self.state = ElidedLabel()
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(5)
        words.addWidget(self.state)
        words.addWidget(self.bar)
        line.addLayout(words, 1)
        self.retry_button = self._button("retry", "Retry")
        self.retry_button.clicked.connect(lambda: self.retry.emit(self.key))
        self.drop_button = self._button("close", "Take off the list")
        self.drop_button.clicked.connect(lambda: self.drop.emit(self.key))
        line.addWidget(self.retry_button)
        line.addWidget(self.drop_button)
        self.show_clip(clip)

    def _button(self, icon: str, words: str) -> QToolButton:
        button = QToolButton()
        theme.set_icon(button, icon, Role.MUTED)
        button.setToolTip(words)
        button.setAccessibleName(words)
        return button

    def show_clip(self, clip: Clip) -> None:
        """Show what is known of it now."""
        _icon, role, word = _LOOKS[clip.state]
        self.name.say(clip.label)
        facts = clip.facts.words() if clip.facts is not None else clip.text
        self.facts.say(facts)
        self.state.say(self._words(clip, word))
        theme.mark(self.state, state={Role.ERROR: "error", Role.OK: "ok", Role.WARNING: "warning"}.get(role, "info"))
        self.state.setVisible(clip.state != "ready" or self._has_warnings(clip))
        if clip.state == "ready" and self._has_warnings(clip):
            theme.mark(self.state, state="warning")
        self.bar.setVisible(clip.busy)
        self.bar.setValue(round(clip.fraction * 1000))
        self.retry_button.setVisible(clip.state in {"failed", "cancelled"})
        stops = clip.state in {"ordered", "working", "waiting"}
        tip = "Stop publishing it" if stops else "Take off the list"
        self.drop_button.setToolTip(tip)
        self.drop_button.setAccessibleName(f"{tip}: {clip.label}")
        self.retry_button.setAccessibleName(f"Retry {clip.label}")
        if clip.thumbnail is not None and not self.picture.has_picture():
            self.picture.show_file(str(clip.thumbnail))
        self.setAccessibleName(f"{clip.label}: {word}. {clip.words}")

    @staticmethod
    def _has_warnings(clip: Clip) -> bool:
        return bool(clip.facts is not None and clip.facts.warnings)

    def _words(self, clip: Clip, word: str) -> str:
        if clip.state == "ready":
            return "; ".join(clip.facts.warnings) if clip.facts is not None else ""
        if clip.state == "working" and clip.phase:
            step = list(_PHASES).index(clip.phase) + 1
            return f"{_PHASES[clip.phase]} ({step} of {len(_PHASES)}): {clip.words}"
        return f"{word}: {clip.words}" if clip.words else word

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        self.chosen.emit(self.key)
