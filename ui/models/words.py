"""How the window says things: states, times and amounts, in the same words and colours everywhere."""

from __future__ import annotations

import datetime as dt
import html
import time
from functools import lru_cache
from typing import NamedTuple

from app.rules.words import many as many  # noqa: PLC0414 - said with the rest from here
from ui.theme.colours import Role

_TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_TIP_LINE = 110
"""Letters of a tooltip's line; a longer one is wrapped, else it leaves the screen."""


class StateLook(NamedTuple):
    """How a run's state is shown: its word, its colour, and a shape that tells it apart without colour."""

    word: str
    role: Role
    shape: str


STATES: dict[str, StateLook] = {
    "queued": StateLook("Queued", Role.INFO, "ring"),
    "running": StateLook("Running", Role.INFO, "disc"),
    "waiting": StateLook("Waiting", Role.WARNING, "ring"),
    "retry": StateLook("Will retry", Role.WARNING, "half"),
    "paused": StateLook("Paused", Role.WARNING, "bars"),
    "planned": StateLook("Planned (dry run)", Role.DRY, "ring"),
    "done": StateLook("Done", Role.OK, "disc"),
    "skipped": StateLook("Skipped", Role.OFF, "dash"),
    "superseded": StateLook("Superseded", Role.OFF, "dash"),
    "failed": StateLook("Failed", Role.ERROR, "diamond"),
    "stopped": StateLook("Stopped", Role.WARNING, "square"),
    "cancelled": StateLook("Cancelled", Role.OFF, "cross"),
    "in_doubt": StateLook("In doubt", Role.WARNING, "diamond"),
    "undone": StateLook("Undone", Role.OFF, "ring"),
}

EFFECT_STATES: dict[str, StateLook] = {
    "planned": StateLook("planned", Role.DRY, "ring"),
    "applying": StateLook("applying", Role.INFO, "ring"),
    "applied": StateLook("applied", Role.OK, "disc"),
    "already": StateLook("was so already", Role.OFF, "dash"),
    "failed": StateLook("failed", Role.ERROR, "diamond"),
    "in_doubt": StateLook("in doubt", Role.WARNING, "diamond"),
    "skipped": StateLook("skipped", Role.OFF, "dash"),
    "undone": StateLook("undone", Role.OFF, "ring"),
    "kept": StateLook("left alone", Role.WARNING, "square"),
    "queued": StateLook("in the outbox", Role.INFO, "ring"),
    "sent": StateLook("sent", Role.OK, "disc"),
    "dropped": StateLook("dropped", Role.WARNING, "cross"),
}

LEVERS: dict[str, tuple[str, Role]] = {
    "off": ("Off", Role.OFF),
    "dry": ("Dry run", Role.DRY),
    "on": ("On", Role.OK),
}

LEVELS: dict[str, int] = {"Debug": 10, "Info": 20, "Warning": 30, "Error": 40}


def state_look(state: str) -> StateLook:
    """The look of a run's state; an unknown one is shown by its own name."""
    return STATES.get(state) or StateLook(state.replace("_", " "), Role.MUTED, "ring")


def effect_look(state: str) -> StateLook:
    """The look of an effect's state."""
    return EFFECT_STATES.get(state) or StateLook(state.replace("_", " "), Role.MUTED, "ring")


def level_name(level: int) -> str:
    """ "Warning" for 30 and above, and so on."""
    if level >= 50:
        return "Critical"
    for name, value in reversed(LEVELS.items()):
        if level >= value:
            return name
    return "Debug"


def level_role(level: int) -> Role:
    """The colour of a log level."""
    if level >= 40:
        return Role.ERROR
    if level >= 30:
        return Role.WARNING
    return Role.TEXT if level >= 20 else Role.MUTED


_FORMATS = {"24h": ("%H:%M:%S", "%H:%M"), "12h": ("%I:%M:%S %p", "%I:%M %p")}
"""A moment of today, and its minute."""
_clock = {"today": _FORMATS["24h"][0], "minute": _FORMATS["24h"][1]}


def use_clock(kind: str) -> None:
    """Write times as "24h" or "12h" from now on."""
    _clock["today"], _clock["minute"] = _FORMATS[kind]
    _second.cache_clear()


@lru_cache(maxsize=8_192)
def _second(second: int, today: int, earlier: str) -> str:
    local = dt.datetime.fromtimestamp(second).astimezone()
    return local.strftime(_clock["today"] if local.toordinal() == today else f"%d %b {_clock[earlier]}")


def _today() -> int:
    return dt.date.today().toordinal()  # noqa: DTZ011 - a person's own day


def clock(at: float) -> str:
    """A moment (UTC epoch seconds) in local time, with the day where it is not today."""
    return _second(int(at), _today(), "today")


def clock_brief(at: float) -> str:
    """The same for a narrow column: of earlier days the minute."""
    return _second(int(at), _today(), "minute")


def clock_line(at: float) -> str:
    """The same for a line of a log: today with milliseconds."""
    return clock_ms(at) if dt.date.fromtimestamp(at).toordinal() == _today() else clock(at)  # noqa: DTZ012


def clock_ms(at: float) -> str:
    """The same with milliseconds, for logs."""
    text = clock(at)
    time_, half = (text[:-3], text[-3:]) if _clock["today"].endswith("%p") else (text, "")
    return f"{time_}.{int(at * 1000) % 1000:03d}{half}"


def moment(at: float) -> str:
    """A moment in full, with the local zone."""
    return dt.datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def ago(at: float | None, now: float | None = None) -> str:
    """How long ago a moment was: "now", "12 s", "5 min", "3 h", "2 d"; "never" for None."""
    if at is None:
        return "never"
    gone = max(0.0, (time.time() if now is None else now) - at)
    if gone < 2:
        return "now"
    return f"{gone:.0f} s ago" if gone < 10 else f"{span(gone)} ago"


def span(seconds: float | None) -> str:
    """A duration in the unit that reads best."""
    if seconds is None:
        return "–"
    if seconds < 0.0005:
        return "0"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3_600:.0f} h"
    return f"{seconds / 86_400:.0f} d"


def amount(number: int) -> str:
    """1234567 as "1,234,567"."""
    return f"{number:,}"


def sentence(words: str) -> str:
    """Words that stand alone begin with a capital."""
    return words[:1].upper() + words[1:]


def seen(text: str) -> str:
    """A text with every sign that has no shape written out, so that none hides or turns round what is beside it."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else f"\\u{ord(sign):04x}" for sign in text)


def name_of(text: str) -> str:
    """A name without the signs that turn round what stands beside it: letters have their direction without them."""
    return text if text.isascii() else text.translate(_TURNS)


def tip(text: str) -> str:
    """A tooltip that says exactly this: Qt reads what looks like markup as markup, and wraps nothing else."""
    if "<" not in text and max(map(len, text.split("\n"))) <= _TIP_LINE:
        return text
    return f"<qt>{html.escape(text)}</qt>".replace("\n", "<br>")
