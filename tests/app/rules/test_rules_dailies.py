"""The dailies day: before ten today's, from ten on the next day's."""

from __future__ import annotations

import datetime as dt
import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.dailies import dailies_day, parse_cut_off, zone
from app.rules.outcomes import PlanError

TEN = dt.time(10)
NAIROBI, BERLIN = ZoneInfo("Africa/Nairobi"), ZoneInfo("Europe/Berlin")


def day(moment: str, tz: ZoneInfo = NAIROBI, **options: object) -> str:
    return dailies_day(dt.datetime.fromisoformat(moment).replace(tzinfo=tz), cut_off=TEN, tz=tz, **options).isoformat()  # type: ignore[arg-type]


def test_a_second_before_ten_is_today_and_ten_sharp_is_tomorrow() -> None:
    assert day("2026-11-23T09:59:59") == "2026-11-23"
    assert day("2026-11-23T09:59:59.999999") == "2026-11-23"
    assert day("2026-11-23T10:00:00") == "2026-11-24"


def test_the_studios_day_counts_not_utcs() -> None:
    late = dt.datetime(2026, 11, 22, 22, 30, tzinfo=dt.UTC)  # half past one in the morning in Nairobi
    assert dailies_day(late, cut_off=TEN, tz=NAIROBI) == dt.date(2026, 11, 23)


@pytest.mark.parametrize("change", ["2026-03-29", "2026-10-25"])
def test_on_the_days_when_clocks_change_ten_is_ten_by_the_wall(change: str) -> None:
    after = (dt.date.fromisoformat(change) + dt.timedelta(days=1)).isoformat()
    assert day(f"{change}T09:59:59", BERLIN) == change
    assert day(f"{change}T10:00:00", BERLIN) == after


def test_an_hour_that_happens_twice_counts_the_same_both_times() -> None:
    cut_off = dt.time(2, 30)
    for fold in (0, 1):
        for minute, expected in ((29, "2026-10-25"), (30, "2026-10-26")):
            moment = dt.datetime(2026, 10, 25, 2, minute, tzinfo=BERLIN, fold=fold)
            assert dailies_day(moment, cut_off=cut_off, tz=BERLIN).isoformat() == expected


def test_weekends_and_holidays_are_skipped_only_where_asked() -> None:
    assert day("2026-11-27T18:00:00") == "2026-11-28"
    assert day("2026-11-27T18:00:00", skip_weekends=True) == "2026-11-30"
    assert day("2026-11-27T18:00:00", skip_weekends=True, holidays={dt.date(2026, 11, 30)}) == "2026-12-01"
    assert day("2026-11-28T09:00:00", skip_weekends=True) == "2026-11-30"


def test_a_moment_without_its_zone_is_a_mistake_of_the_program() -> None:
    with pytest.raises(ValueError, match="time zone"):
        dailies_day(dt.datetime(2026, 11, 23, 9), cut_off=TEN, tz=NAIROBI)


def test_holidays_without_end_are_refused() -> None:
    every = {dt.date(2026, 1, 1) + dt.timedelta(days=number) for number in range(800)}
    with pytest.raises(PlanError, match="holidays"):
        day("2026-02-01T09:00:00", holidays=every)


@given(
    st.datetimes(min_value=dt.datetime(2020, 1, 1), max_value=dt.datetime(2035, 1, 1), timezones=st.just(dt.UTC)),
    st.sampled_from(["Africa/Nairobi", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "UTC"]),
    st.booleans(),
)
def test_the_day_is_the_local_date_or_later_and_never_goes_back(moment: dt.datetime, name: str, weekends: bool) -> None:
    tz = ZoneInfo(name)
    first = dailies_day(moment, cut_off=TEN, tz=tz, skip_weekends=weekends)
    local = moment.astimezone(tz)
    assert 0 <= (first - local.date()).days <= (3 if weekends else 1)
    assert dailies_day(moment + dt.timedelta(hours=25), cut_off=TEN, tz=tz, skip_weekends=weekends) >= first


@pytest.mark.parametrize(
    ("text", "time"), [("10:00", dt.time(10)), (" 9:05 ", dt.time(9, 5)), ("18:30:15", dt.time(18, 30, 15))]
)
def test_times_of_day_are_read(text: str, time: dt.time) -> None:
    assert parse_cut_off(text) == time


@pytest.mark.parametrize("text", ["", "10", "24:00", "10:60", "ten", "10:00:00:00"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="not a time of day"):
        parse_cut_off(text)


def test_an_unknown_time_zone_is_refused_and_none_is_this_computers() -> None:
    with pytest.raises(PlanError, match="not a time zone"):
        zone("Mars/Olympus")
    assert zone("Europe/Berlin") == BERLIN
    assert dt.datetime.now(zone("")).utcoffset() == dt.datetime.now().astimezone().utcoffset()


@pytest.mark.parametrize("moment", ["2026-03-28", "2026-03-29", "2026-07-01", "2026-10-25", "2026-12-01"])
def test_this_computers_zone_has_its_change_of_clocks(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        for text in ("00:30:00", "09:59:59", "10:00:00"):
            there = dt.datetime.fromisoformat(f"{moment}T{text}").replace(tzinfo=BERLIN)
            here = there.astimezone(zone(""))
            assert here.replace(tzinfo=None) == there.replace(tzinfo=None)
            assert (here.utcoffset(), here.tzname()) == (there.utcoffset(), there.tzname())
            utc = there.astimezone(dt.UTC)
            assert dailies_day(utc, cut_off=TEN, tz=zone("")) == dailies_day(utc, cut_off=TEN, tz=BERLIN)
        for fold in (0, 1):
            twice = dt.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold)
            assert twice.astimezone(zone("")).fold == fold
            assert twice.astimezone(zone("")).timestamp() == twice.timestamp()
    finally:
        monkeypatch.undo()
        time.tzset()
