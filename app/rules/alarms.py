"""What a person is called about: a handler that was paused, a site that is gone, runs that failed.

Two readings of the journal are compared; what was already so in the first is not news. The window and the message to
Slack share this, so that both say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.rules.words import many

WATCHED = ("site", "listener", "slack", "drives", "workers")
"""The lamps whose trouble needs a person."""


@dataclass(frozen=True, slots=True)
class Failures:
    """Failed runs of one handler: how many are known, the newest's row and its reason."""

    count: int
    run: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand at one moment.

    Attributes:
        titles: Names of handlers and actions by id.
        paused: Why, by handler, where a breaker holds it.
        troubles: What is wrong, by lamp, of the lamps that show an error.
        failures: By handler.
    """

    titles: Mapping[str, str] = field(default_factory=dict)
    paused: Mapping[str, str] = field(default_factory=dict)
    troubles: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, Failures] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something new that needs a person.

    Attributes:
        title: e.g. "Status handler is paused".
        text: The reason in words.
        run: The failed run it speaks of, 0 for none.
    """

    title: str
    text: str
    run: int = 0


def news(before: Standing, now: Standing) -> list[Alarm]:
    """What came up between two readings, paused handlers first."""
    found = []
    for handler, why in now.paused.items():
        if handler not in before.paused:
            found.append(Alarm(f"{_title(now, handler)} is paused", why))
    for name in WATCHED:
        if name in now.troubles and name not in before.troubles:
            found.append(Alarm(f"{name.capitalize()}: trouble", now.troubles[name]))
    for handler, failures in now.failures.items():
        old = before.failures.get(handler, Failures(0, None, ""))
        # Failures leave the counters with their age: a smaller number is not news, nor is the same newest run.
        if failures.count > old.count and failures.run != old.run:
            new = failures.count - old.count
            found.append(
                Alarm(f"{_title(now, handler)}: {many(new, 'run')} failed", failures.reason, failures.run or 0)
            )
    return found


def _title(standing: Standing, handler: str) -> str:
    return standing.titles.get(handler) or handler.replace("_", " ").capitalize()
