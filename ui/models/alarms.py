"""What a person is called for: a breaker that opened, a site that is gone, runs that failed."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from ui.models.hub import Hub, Snapshot
from ui.models.words import many

_WATCHED = ("site", "listener", "slack", "drives", "workers")


class Alarms(QObject):
    """Compares each snapshot with the one before it.

    Signals:
        raised: title and text of something new that needs a person, and the run it speaks of (0 for none).
    """

    raised = Signal(str, str, int)

    def __init__(self, hub: Hub, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._hub = hub
        self._before: Snapshot | None = None
        hub.pulse.connect(self._compare)

    def _compare(self) -> None:
        now, before = self._hub.snapshot, self._before
        self._before = now
        if before is None or not before.catalogue:
            # What already was so when the window opened is on the screen, and no news.
            return
        self._breakers(before, now)
        self._lamps(before, now)
        self._failures(before, now)

    def _breakers(self, before: Snapshot, now: Snapshot) -> None:
        for key, lever in now.levers.items():
            old = before.levers.get(key)
            if lever.breaker and not (old and old.breaker):
                self.raised.emit(f"{now.title(lever.handler)} is paused", lever.breaker, 0)

    def _lamps(self, before: Snapshot, now: Snapshot) -> None:
        for name in _WATCHED:
            row, old = now.health.get(name), before.health.get(name)
            if row is not None and row.state == "error" and (old is None or old.state != "error"):
                self.raised.emit(f"{name.capitalize()}: trouble", row.words, 0)

    def _failures(self, before: Snapshot, now: Snapshot) -> None:
        for handler, stats in now.stats.items():
            old = before.stats.get(handler)
            if old is not None and stats.failed > old.failed and stats.last_error_run != old.last_error_run:
                new = many(stats.failed - old.failed, "run")
                self.raised.emit(f"{now.title(handler)}: {new} failed", stats.last_error, stats.last_error_run or 0)
