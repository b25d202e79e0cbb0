"""Calls for a person in Slack: a paused handler, a site or drive that is gone, runs that failed.

The server that does the work sends it, so it comes once, also while no window is open. It goes past the outbox on
purpose: a message about a standstill must not wait behind what stands still.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable

from app.engine.doors import SlackDoor
from app.journal.journal import Journal
from app.rules.alarms import Alarm, Failures, Standing, news
from app.settings.models import SlackSettings
from app.settings.redact import redact
from app.slack.client import escape
from app.slack.errors import SlackLater, SlackRefused

log = logging.getLogger("signalbox.alarms")

_LOOK_BACK = 24 * 3600.0
_LONGEST = 12
"""Alarms named in one message; of more, their number is told."""


def standing_of(journal: Journal, now: float) -> Standing:
    """How things stand in the journal at `now` (UTC epoch seconds), failures of the last 24 hours."""
    return Standing(
        titles={row.id: row.title for row in journal.catalogue()},
        paused={row.handler: row.breaker for row in journal.levers() if row.breaker},
        troubles={row.name: row.words for row in journal.health() if row.state == "error"},
        failures={
            row.handler: Failures(row.failed, row.last_error_run, row.last_error)
            for row in journal.stats(now - _LOOK_BACK)
        },
    )


class SlackAlarms:
    """Compares and sends; used by one thread.

    Args:
        journal: Where things stand.
        slack: The door, None without a token.
        settings: Gives the settings in force.
    """

    def __init__(self, journal: Journal, slack: SlackDoor | None, settings: Callable[[], SlackSettings]) -> None:
        self._journal = journal
        self._slack = slack
        self._settings = settings
        self._before: Standing | None = None
        self._waiting: list[Alarm] = []
        self._not_before = 0.0

    def turn(self) -> None:
        """Look for news, and tell what waits as soon as the last message is long enough ago."""
        settings = self._settings()
        if self._slack is None or not settings.alarm_channel:
            self._before = None
            self._waiting.clear()
            return
        now = standing_of(self._journal, time.time())
        if self._before is not None:
            self._waiting += news(self._before, now)
        self._before = now
        if self._waiting and time.monotonic() >= self._not_before:
            self._send(self._slack, settings)

    def _send(self, slack: SlackDoor, settings: SlackSettings) -> None:
        text = words_of(self._waiting)
        # The same news after a lost answer has the same key, so that a person who looks can tell the copies.
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._not_before = time.monotonic() + settings.alarm_pause
        try:
            slack.send(settings.alarm_channel, text, dedupe=f"alarm:{key}")
        except SlackLater as error:
            self._not_before = time.monotonic() + min(settings.alarm_pause, 60.0)
            log.info("an alarm could not be sent to Slack yet: %s", error)
            if error.in_doubt:
                # It may have arrived: an alarm that comes twice calls louder than it should.
                self._waiting.clear()
        except SlackRefused as error:
            log.warning("Slack refused an alarm for %s: %s", settings.alarm_channel, error)
            self._waiting.clear()
        else:
            self._waiting.clear()


def words_of(alarms: list[Alarm]) -> str:
    """One message for all of them, in Slack's markup."""
    lines = [f"*{escape(one.title)}*: {escape(redact(one.text))}" for one in alarms[:_LONGEST]]
    if len(alarms) > _LONGEST:
        lines.append(f"and {len(alarms) - _LONGEST} more: see the panel.")
    return "\n".join(["Signalbox needs a person.", *lines])
