"""What a person is called about: a breaker that opened, a site that is gone, runs that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from ui.models.hub import Hub, Snapshot

if TYPE_CHECKING:
    from app.rules.alarms import Standing


class Alarms(QObject):
    """Compares each snapshot with the one before it.

    Signals:
        raised: title and text of something new that needs a person, and the run it speaks of (0 for none).
    """

    raised = Signal(str, str, int)

    def __init__(self, hub: Hub, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._hub = hub
        self._before: Standing | None = None
        hub.pulse.connect(self._compare)

    def _compare(self) -> None:
        from app.rules.alarms import news

        snapshot, before = self._hub.snapshot, self._before
        if not snapshot.catalogue:
            return
        now = self._before = _standing(snapshot)
        # What already was so when the window opened is on the screen, and no news. The gravest comes last: of what is
        # equally serious the window shows the newest first.
        for alarm in reversed(news(before, now) if before is not None else ()):
            self.raised.emit(alarm.title, alarm.text, alarm.run)


def _standing(snapshot: Snapshot) -> Standing:
    from app.rules.alarms import Failures, Standing

    return Standing(
        titles={row.id: row.title for row in snapshot.catalogue},
        paused={lever.handler: lever.breaker for lever in snapshot.levers.values() if lever.breaker},
        troubles={name: row.words for name, row in snapshot.health.items() if row.state == "error"},
        failures={
            handler: Failures(stats.failed, stats.last_error_run, stats.last_error)
            for handler, stats in snapshot.stats.items()
        },
    )
