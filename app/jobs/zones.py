"""A time zone as a table of transitions, the form in which the compiler's V8 child knows it.

V8 cannot name a zone's abbreviation ("CET") and rounds the local mean time of early years; the Manager prints both.
The table is read from the system's compiled zone files, which the Manager reads as well.
"""

from __future__ import annotations

import importlib.resources
import struct
import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

_LAST_YEAR = 2100


class UnknownZone(ValueError):
    """The name is no zone of this machine; the text names it."""


def _zone_bytes(name: str) -> bytes:
    if not name or name.startswith(("/", ".")) or ".." in name.split("/"):
        raise UnknownZone(f"{name!r} is not the name of a time zone; use one like Europe/Amsterdam or UTC")
    try:
        for root in zoneinfo.TZPATH:
            path = Path(root) / name
            if path.is_file():
                return path.read_bytes()
        package = "tzdata.zoneinfo" + "".join("." + part for part in name.split("/")[:-1])
        return (importlib.resources.files(package) / name.rsplit("/", maxsplit=1)[-1]).read_bytes()
    except (ModuleNotFoundError, OSError) as error:
        raise UnknownZone(
            f"this machine does not know the time zone {name!r}; use one like Europe/Amsterdam or UTC"
        ) from error


def _parse(data: bytes) -> tuple[list[int], list[tuple[int, bool, str]], list[int]]:
    """Transitions, local time types and the type in force after each transition of a TZif file."""
    if data[:4] != b"TZif":
        raise UnknownZone(
            "what this machine has under that name is not a time zone; use one like Europe/Amsterdam or UTC"
        )
    version = data[4:5]
    offset, size, pattern = 0, 4, "i"
    header = struct.unpack(">6I", data[20:44])
    if version >= b"2":
        isut, isstd, leap, times, types, chars = header
        offset = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isut
        size, pattern = 8, "q"
        header = struct.unpack(">6I", data[offset + 20 : offset + 44])
    _isut, _isstd, _leap, times, types, chars = header
    at = offset + 44
    moments = list(struct.unpack(f">{times}{pattern}", data[at : at + times * size]))
    at += times * size
    kinds = list(data[at : at + times])
    at += times
    raw = [struct.unpack(">iBB", data[at + 6 * i : at + 6 * i + 6]) for i in range(types)]
    names = data[at + 6 * types : at + 6 * types + chars]
    table = [(utoff, bool(dst), names[i : names.index(b"\0", i)].decode("ascii")) for utoff, dst, i in raw]
    return moments, table, kinds


@lru_cache(maxsize=64)
def zone_table(name: str) -> dict[str, Any]:
    """``{"name", "at", "offset", "abbr", "dst"}``: entry i of the last three holds before transition ``at[i]``.

    Seconds are UTC epoch seconds, offsets seconds east. Raises UnknownZone.
    """
    moments, table, kinds = _parse(_zone_bytes(name))
    first = table[0] if table else (0, False, "UTC")
    at = list(moments)
    states = [first] + [table[kind] for kind in kinds]
    zone = zoneinfo.ZoneInfo(name)
    last = at[-1] if at else -(2**40)
    # Rules that go on for ever are stored as a rule, not as transitions: spell them out.
    moment = datetime.fromtimestamp(max(last, 0) + 1, UTC)
    end = datetime(_LAST_YEAR, 1, 1, tzinfo=UTC)
    while moment < end:
        step = moment + timedelta(days=7)
        if _state(zone, step) != _state(zone, moment):
            low, high = int(moment.timestamp()), int(step.timestamp())
            while high - low > 1:
                middle = (low + high) // 2
                if _state(zone, datetime.fromtimestamp(middle, UTC)) == _state(zone, moment):
                    low = middle
                else:
                    high = middle
            at.append(high)
            states.append(_state(zone, datetime.fromtimestamp(high, UTC)))
        moment = step
    return {
        "name": name,
        "at": at,
        "offset": [state[0] for state in states],
        "abbr": [state[2] for state in states],
        "dst": [state[1] for state in states],
    }


def _state(zone: zoneinfo.ZoneInfo, moment: datetime) -> tuple[int, bool, str]:
    local = moment.astimezone(zone)
    offset = local.utcoffset() or timedelta()
    return int(offset.total_seconds()), bool(local.dst()), local.tzname() or ""


def to_epoch(created: datetime | str | None, timezone: str) -> tuple[int, int]:
    """``job.created`` as (UTC epoch seconds, nanoseconds). Naive values are meant in ``timezone``; None is now.

    Raises ValueError for a text that is no ISO date, UnknownZone for the zone.
    """
    zone_table(timezone)
    zone = zoneinfo.ZoneInfo(timezone)
    if created is None:
        created = datetime.now(UTC)
    if isinstance(created, str):
        created = datetime.fromisoformat(created)
    if created.tzinfo is None:
        created = created.replace(tzinfo=zone)
    delta = created - datetime(1970, 1, 1, tzinfo=UTC)
    return delta.days * 86400 + delta.seconds, delta.microseconds * 1000
