"""Which day's dailies a version belongs to: studio rule, before the cut-off today's, from it on the next day's."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.rules.outcomes import PlanError

__all__ = ["dailies_day", "parse_cut_off", "zone"]

_ONE_DAY = dt.timedelta(days=1)
_SATURDAY = 5
_TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
# A holiday list that names every day of years would never end the search for the next working day.
_LONGEST_HOLIDAY = 366


class _ThisComputer(dt.tzinfo):
    """The zone of this computer with all its rules: what is late or replayed may lie on the other side of a change of
    clocks, where today's offset is wrong.
    """

    def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta | None:
        return None if moment is None else moment.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, _moment: dt.datetime | None) -> None:
        return None

    def tzname(self, moment: dt.datetime | None) -> str | None:
        return None if moment is None else moment.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, moment: dt.datetime) -> dt.datetime:
        local = dt.datetime.fromtimestamp(moment.replace(tzinfo=dt.UTC).timestamp())  # noqa: DTZ006 - with its fold
        return local.replace(tzinfo=self)


def zone(name: str) -> dt.tzinfo:
    """The time zone of this IANA name; "" is the zone of this computer.

    Raises:
        PlanError: no such zone.
    """
    if not name:
        return _ThisComputer()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise PlanError(f"{name!r} is not a time zone: write it like Africa/Nairobi or Europe/Vienna.") from error


def parse_cut_off(text: str) -> dt.time:
    """A time of day written ``H:MM`` or ``H:MM:SS``.

    Raises:
        PlanError: the text is not a time of day.
    """
    match = _TIME_OF_DAY.fullmatch(text.strip())
    if match is None:
        raise PlanError(f"{text!r} is not a time of day: write it like 10:00 or 18:30.")
    return dt.time(int(match[1]), int(match[2]), int(match[3] or 0))


def dailies_day(
    moment: dt.datetime,
    *,
    cut_off: dt.time,
    tz: dt.tzinfo,
    skip_weekends: bool = False,
    holidays: Collection[dt.date] = (),
) -> dt.date:
    """The day of the list for something that happened at ``moment``.

    The wall clock of the studio decides, so that the cut-off stays at ten on the days when clocks change; an hour
    that happens twice counts the same both times.

    Args:
        moment: When it happened; aware, any zone.
        cut_off: Wall-clock time from which on it is for the next day.
        tz: The studio's time zone.
        skip_weekends: A day that falls on Saturday or Sunday moves to the next working day.
        holidays: Days without dailies.

    Raises:
        ValueError: ``moment`` carries no zone.
        PlanError: there is no day left that is not a holiday.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    local = moment.astimezone(tz)
    day = local.date()
    if local.time().replace(tzinfo=None) >= cut_off:
        day += _ONE_DAY
    for _ in range(_LONGEST_HOLIDAY):
        if day not in holidays and not (skip_weekends and day.weekday() >= _SATURDAY):
            return day
        day += _ONE_DAY
    raise PlanError("The list of holidays leaves no day for dailies within a year: look at the settings.")
