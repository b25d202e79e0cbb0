"""One clip in the upload dialog: its picture, its facts, how far it is, and what can be done about it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from ui import theme
from ui.docks.elided import ElidedLabel
from ui.docks.picture import Picture
from ui.models.uploads import PHASES, Clip
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
_BAR = 5


class PhaseBar(QWidget):
    """The way of a clip: a bar for each phase, filled as far as it is, its name below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._at, self._fraction = -1, 0.0
        self._font = theme.ui_font(-1.3)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_BAR + 3 + QFontMetrics(self._font).height())
        theme.notifier().changed.connect(self.update)

    def say(self, phase: str, fraction: float) -> None:
        """Show a phase ("" before the first) and how far it is (0 to 1)."""
        self._at = PHASES.index(phase) if phase else -1
        self._fraction = fraction
        where = f"{phase.capitalize()}, step {self._at + 1} of {len(PHASES)}" if phase else "Not begun"
        self.setAccessibleName(where)
        self.setToolTip(where)
        self.update()

    def filled(self) -> list[float]:
        """How far each phase is, 0 to 1."""
        return [1.0 if at < self._at else self._fraction if at == self._at else 0.0 for at in range(len(PHASES))]

    def sizeHint(self) -> QSize:
        return QSize(240, self.height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._font)
        look = theme.current()
        step = (self.width() + theme.SPACE.S) / len(PHASES)
        wide = step - theme.SPACE.S
        for at, (phase, share) in enumerate(zip(PHASES, self.filled(), strict=True)):
            groove = QRectF(at * step, 0, wide, _BAR)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.colour(Role.BORDER_STRONG if at == self._at else Role.BORDER))
            painter.drawRoundedRect(groove, 2.5, 2.5)
            if share:
                painter.setBrush(look.colour(Role.OK if at < self._at else Role.ACCENT))
                painter.drawRoundedRect(QRectF(groove.left(), 0, max(_BAR, wide * share), _BAR), 2.5, 2.5)
            painter.setPen(look.colour(Role.TEXT if at == self._at else Role.MUTED))
            below = QRectF(groove.left(), _BAR + 3, wide, self.height() - _BAR - 3)
            painter.drawText(below, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, phase.capitalize())


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
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        line = QHBoxLayout(self)
        line.setContentsMargins(10, 8, 8, 8)
        line.setSpacing(10)
        self.picture = Picture()
        line.addWidget(self.picture)
        words = QVBoxLayout()
        words.setSpacing(2)
        # The version and the kind of a file stand at the end of its name.
        self.name = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        theme.mark(self.name, kind="heading")
        self.facts = ElidedLabel()
        theme.mark(self.facts, kind="muted")
        words.addWidget(self.name)
        words.addWidget(self.facts)
        self.state = ElidedLabel()
        self.bar = PhaseBar()
        words.addWidget(self.state)
        self.why = QLabel()
        self.why.setWordWrap(True)
        self.why.setTextFormat(Qt.TextFormat.PlainText)
        self.why.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        theme.mark(self.why, state="error")
        words.addWidget(self.why)
        words.addSpacing(2)
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
        wrong = clip.state in {"refused", "failed"}
        self.why.setText(self._words(clip, word))
        # What is wrong, and what to do, is read whole; the rest is one line.
        self.why.setVisible(wrong)
        self.state.setVisible(not wrong and (clip.state != "ready" or self._has_warnings(clip)))
        if clip.state == "ready" and self._has_warnings(clip):
            theme.mark(self.state, state="warning")
        self.bar.setVisible(clip.busy)
        self.bar.say(clip.phase if clip.state == "working" else "", clip.fraction)
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
        if clip.state in {"working", "done"}:
            return clip.words
        # The name stands above: what is said of it has no need to repeat it.
        words = clip.words.replace(f"{clip.label} is", "it is", 1) if clip.state == "refused" else clip.words
        return f"{word}: {words}" if words else word

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        self.chosen.emit(self.key)
