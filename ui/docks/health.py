"""The health strip: a lamp each for the site, the listener, the queue, the workers, Slack and the drives."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QWidget

from ui import theme
from ui.docks.elided import ElidedLabel
from ui.docks.lamps import Lamp
from ui.models.hub import Hub
from ui.models.words import ago, amount, tip
from ui.theme import Role

if TYPE_CHECKING:
    from app.journal.rows import HealthRow

ORDER = ("site", "listener", "queue", "workers", "slack", "drives")
_QUIET = frozenset({"settings"})
"""Lamps that are only there while something is wrong."""
TITLES = {
    "site": "Site",
    "listener": "Last event",
    "queue": "Queue",
    "workers": "Workers",
    "slack": "Slack",
    "drives": "Drives",
}
_LOOKS = {
    "ok": (Role.OK, "disc"),
    "warning": (Role.WARNING, "half"),
    "error": (Role.ERROR, "diamond"),
    "off": (Role.OFF, "ring"),
}
_AROUND, _STEP = 40, 12
"""Pixels of a lamp beside its name and words; steps of its words' width."""
STALE_SECONDS = 180.0
"""A lamp that was not renewed for so long tells nothing."""


class HealthLamp(QFrame):
    """One lamp with its name and its words.

    Signals:
        clicked: the name of the lamp.
    """

    clicked = Signal(str)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.trouble = False
        line = QHBoxLayout(self)
        line.setContentsMargins(6, 0, 6, 0)
        line.setSpacing(5)
        self._lamp = Lamp(self)
        line.addWidget(self._lamp)
        self._title = QLabel(TITLES.get(name, name.capitalize()))
        theme.mark(self._title, kind="muted")
        line.addWidget(self._title)
        self.words = ElidedLabel("–")
        line.addWidget(self.words, 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def say(self, state: str, words: str, about: str) -> None:
        """Show a state: "ok", "warning", "error" or "off"."""
        self._lamp.set_look(*_LOOKS[state])
        self.trouble = state in {"warning", "error"}
        short = brief(words, self.name)
        if self.trouble and self.name == "drives" and ": " in words:
            # What stands before the colon is a show; what is wrong with its drive is in the tooltip.
            short = f"{short} not reachable"
        self.words.say(short)
        self.setToolTip(tip(about))
        self.setAccessibleName(f"{self._title.text()}: {words} ({state})")

    def room(self) -> tuple[int, int]:
        """Pixels that it needs without its words, and those that the words would like.

        The latter in steps, so that the lamps do not wander with every second.
        """
        words = self.words.fontMetrics().horizontalAdvance(self.words.whole()) + 4
        return self._title.sizeHint().width() + _AROUND, -(-words // _STEP) * _STEP

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit(self.name)


class HealthStrip(QFrame):
    """All lamps in a row.

    Signals:
        clicked: a lamp was clicked; its name.
    """

    clicked = Signal(str)

    def __init__(self, hub: Hub, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hub = hub
        self._lamps: dict[str, HealthLamp] = {}
        self._last_event = 0.0
        self._served = True
        theme.mark(self, kind="bar")
        self.setFixedHeight(30)
        self._line = QHBoxLayout(self)
        self._line.setContentsMargins(8, 0, 8, 0)
        self._line.setSpacing(2)
        for name in ORDER:
            self._lamp(name)
        hub.pulse.connect(self._show)

    def lamp(self, name: str) -> HealthLamp:
        """A lamp by name. Raises KeyError."""
        return self._lamps[name]

    def set_served(self, served: bool) -> None:
        """Whether an event server runs: without one, what its lamps last said is no news."""
        self._served = served
        self._show()

    def _lamp(self, name: str) -> HealthLamp:
        if name not in self._lamps:
            made = HealthLamp(name)
            made.clicked.connect(self.clicked)
            self._lamps[name] = made
            self._line.addWidget(made, 1)
        return self._lamps[name]

    def _show(self) -> None:
        rows = dict(self._hub.snapshot.health)
        for name, row in rows.items():
            # A second site, the farm: lamps beyond the usual six stand at the end while there is room.
            if name in _QUIET:
                self._show_row(self._lamp(name), row)
                self._lamp(name).setVisible(self._served and row.state == "error")
            elif name in ORDER or len(self._lamps) < 9:
                self._show_row(self._lamp(name), row)
        if "queue" not in rows:
            self._show_queue()
        self._hub.journal.ask("last_event", _last_event, self._take_last, owner=self)
        self._share()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share()

    def _share(self) -> None:
        """Trouble is read whole; of the rest short words are whole, and where room is missing the longest give way."""
        # One that was made just now is not shown yet, and has its place already.
        rooms = {lamp: lamp.room() for name, lamp in self._lamps.items() if name not in _QUIET or lamp.isVisible()}
        left = self.width() - 2 * len(rooms) - 16 - sum(around for around, _ in rooms.values())
        shares: dict[HealthLamp, int] = {}
        for lamp, (_around, wanted) in sorted(rooms.items(), key=lambda one: (not one[0].trouble, one[1][1])):
            fair = left // (len(rooms) - len(shares))
            shares[lamp] = max(0, min(wanted, max(fair, left // 2) if lamp.trouble else fair))
            left -= shares[lamp]
        for lamp, (around, _wanted) in rooms.items():
            self._line.setStretchFactor(lamp, around + shares[lamp])

    def _show_row(self, lamp: HealthLamp, row: HealthRow) -> None:
        if not self._served:
            lamp.say("off", "no server", f"No event server runs. Last word {ago(row.at)}: {row.words}")
        elif time.time() - row.at > STALE_SECONDS:
            lamp.say("off", f"no word for {ago(row.at).removesuffix(' ago')}", f"Last word {ago(row.at)}: {row.words}")
        else:
            lamp.say(row.state, row.words, f"{row.words} ({ago(row.at)})")

    def _show_queue(self) -> None:
        stats = self._hub.snapshot.stats.values()
        waiting = sum(row.queued + row.running + row.retry for row in stats)
        lag = max((row.lag for row in stats), default=0.0)
        state = "warning" if lag > 60 else "ok"
        words = f"{amount(waiting)} waiting" if waiting else "empty"
        self._lamp("queue").say(state, words, f"{words}; the oldest waits for {lag:.0f} s")

    def _take_last(self, at: float | None) -> None:
        row = self._hub.snapshot.health.get("listener") or self._hub.snapshot.health.get("site")
        fresh = row is not None and self._served and time.time() - row.at < STALE_SECONDS
        state = row.state if row is not None and fresh else "off"
        tip = f"{row.words}. " if row is not None else ""
        words = ago(at) if state in {"ok", "off"} or row is None else row.words
        self._lamp("listener").say(state, words, f"{tip}Last event {ago(at)}")


def brief(words: str, name: str) -> str:
    """The beginning of a lamp's words, as far as the strip needs it; the tooltip has all of them."""
    text = words
    for cut in (" to http", " as process", " (", "; ", ": "):
        text = text.split(cut, maxsplit=1)[0]
    title = TITLES.get(name, name)
    return text[len(title) :].lstrip() if text.lower().startswith(title.lower() + " ") else text


def _last_event(journal: object) -> float | None:
    from app.journal.journal import Journal

    assert isinstance(journal, Journal)
    rows = journal.events(limit=1)
    return rows[0].received if rows else None
