"""Ids that pass a filter, a piece at a time: what the lists of the window are made of."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.journal import scan
from app.journal.journal import Journal
from app.journal.log import LogStore
from app.journal.queue import NewRun
from app.journal.rows import EventFilter, LogFilter, LogRow, RawEvent

TEXTS = (
    "Folder made at /data/production/bigbuck",
    "run 12: FAILED for BC_0010\nwith a second line",
    "slack refused: not_in_channel",
    "ends with error",
    "error begins",
    "",
    "273 \N{KELVIN SIGN}elv\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}n on the render node",
    "T\u00c4STATUR: a^b_c of A-Z",
    "cut short\0before the end",
)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogStore]:
    store = LogStore.open(tmp_path)
    store.append(
        [LogRow(0, float(n), 20, "signalbox.engine", text, "h", None, None, "", "E") for n, text in enumerate(TEXTS)]
    )
    yield store
    store.close()


PATTERNS = [
    "failed",
    "FOLDER.*big",
    r"\d+: \S+",
    "error$|^error",
    "[^x]+second",
    "(?P<w>slack)",
    r"\bends\b",
    "x|",
    "channel signal",
    "kelv",
    "273 kelvi.*NODE$",
    "t\u00e4status",
    "TASTATUR",
    r"\Aends|begins\b.*E\Z",
    "failed(?!\\s)|at(?= /data)",
    "[A-b]STAT|[A-_]_c",
    r"a\^b_c",
    "made{1}x* at+",
    "(fail|refus)ed",
    "before the end",
    "refused?:? not",
    r"\x46older",
    r"(not_)in_(ch)an\2?",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_finds_what_it_finds_line_by_line(log: LogStore, pattern: str) -> None:
    lines = {row.id: f"{row.message} {row.logger} {row.handler} {row.entity}".replace("\n", " ") for row in log.lines()}
    expected = sorted(i for i, line in lines.items() if re.search(pattern, line, re.IGNORECASE | re.MULTILINE))
    assert list(scan.log_ids(log, LogFilter(text=pattern, regex=True), 1, 100)) == expected


def test_a_broken_pattern_finds_nothing(log: LogStore) -> None:
    assert list(scan.log_ids(log, LogFilter(text="(", regex=True), 1, 100)) == []


def test_text_is_taken_by_the_letter_and_without_regard_to_case(log: LogStore) -> None:
    assert list(scan.log_ids(log, LogFilter(text="bc_0010"), 1, 100)) == [2]
    assert list(scan.log_ids(log, LogFilter(text="bc%0010"), 1, 100)) == []
    assert list(scan.log_ids(log, LogFilter(text="not_in"), 1, 2)) == [], "only the piece that was asked for"
    assert list(scan.log_ids(log, LogFilter(text="t\u00e4statur"), 1, 100)) == [], "but only that of a to z"
    assert list(scan.log_ids(log, LogFilter(text="before the END"), 1, 100)) == [9], "whatever byte came before it"
    assert scan.log_span(log) == (1, len(TEXTS))
    assert [row.id for row in scan.lines_by_id(log, [2, 4, 99])] == [2, 4]


def test_two_threads_find_every_line_once_and_in_order(tmp_path: Path) -> None:
    store = LogStore.open(tmp_path)
    lines = 5 * scan.PIECE // 2
    store.append([LogRow(0, 0.0, 20, "", f"frame {n} {'hit' if n % 3 else ''}") for n in range(lines)])
    expected = [n + 1 for n in range(lines) if n % 3]
    try:
        assert list(scan.log_ids(store, LogFilter(text="HIT"), 1, lines)) == expected
        assert list(scan.log_ids(store, LogFilter(text=r"\d h[it]+\b", regex=True), 1, lines)) == expected
        assert list(scan.log_ids(store, LogFilter(text="hit"), 5, 3)) == []
    finally:
        store.close()


@pytest.mark.parametrize(
    ("pattern", "sure"),
    [
        ("folder.*bigbuck", "b_gbuc_"),
        (r"BC_0042\.exr?", "BC\\_0042.ex"),
        ("100% of it", "100\\%"),
        (r"\d+: \S+", ""),
        ("made|copied", ""),
        ("(made|copied) folders", "folders"),
        ("ab*cde{0,1}fg+", "cd"),
        ("(?i)folder", ""),
        (r"\x46older", ""),
        (r"(fol)der\12", ""),
        ("[abc]defg[^]x]hij", "defg"),
        ("Ünde", "nde"),
    ],
)
def test_what_every_hit_of_a_pattern_holds(pattern: str, sure: str) -> None:
    found = scan._sure(pattern)
    assert found == (f"%{sure}%" if len(sure) >= scan.SURE_LETTERS else "")


def test_events_are_found_by_the_state_of_their_runs(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    try:
        assert scan.event_span(journal) == (1, 0)
        rows = journal.append_events(
            [RawEvent({"id": f"e{n}", "topic": "ftrack.update", "data": {}}, time.time()) for n in range(5)]
        )
        made = journal.add_runs(
            [NewRun("handler", "a", f"{row}", "", row, 0.0, event_row=row, state="queued") for row in rows[1:4]]
        )
        journal.set_state([made[1]], "failed", "disk full")
        failed = EventFilter(states=frozenset({"failed"}), handlers=frozenset({"a"}))
        assert list(scan.event_ids(journal, failed, 1, 5)) == [rows[2]]
        assert list(scan.event_ids(journal, failed, 1, 2)) == []
        (row,) = scan.events_by_id(journal, [rows[2]])
        assert row.lamps == (("a", "failed"),)
        assert scan.count_between(journal, "events", 1, 5) == 5
    finally:
        journal.close()


def test_only_tables_of_rows_are_counted(log: LogStore) -> None:
    with pytest.raises(ValueError, match="no table"):
        scan.count_between(log, "orders", 1, 2)
