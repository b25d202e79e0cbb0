"""Ids that pass a filter, a piece of the table at a time, and the rows of given ids: what long lists are made of.

A list in the window knows its rows by id. Pages by offset would cost the more the deeper somebody scrolls, and pages by
"before" cannot be jumped into; a list of ids costs eight bytes a row and every row of it one look-up.
"""

from __future__ import annotations

import re
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from typing import Any

from app.journal import events as events_room
from app.journal.events import Events
from app.journal.log import LogStore
from app.journal.rows import EventFilter, EventRow, LogFilter, LogRow
from app.journal.store import Store

PIECE = 1 << 13
"""Ids that a thread searches at a time: two threads share a stretch of the table piece by piece."""
PATTERN_PIECE = 1 << 12
"""The same for a regular expression: a search in one text holds Python's lock to its end, and the window waits."""
SURE_LETTERS = 3
"""A piece of text that every hit of a pattern holds is worth a look of SQLite's from so many letters on."""
_EVENT_TEXTS = ("words", "entity", "project", "user", "topic")
_LOG_TEXTS = ("message", "logger", "handler", "entity")
_PATTERN_PART = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{[\d,]*\}|.", re.DOTALL)
_LOG_COLUMNS = "id, at, level, logger, message, handler, run_id, event_row, project, entity"


def event_span(journal: Store) -> tuple[int, int]:
    """Lowest and highest id of the events; (1, 0) without one."""
    return _span(journal, "events")


def log_span(store: Store) -> tuple[int, int]:
    """Lowest and highest id of the log lines; (1, 0) without one."""
    return _span(store, "lines")


def count_between(store: Store, table: str, low: int, high: int) -> int:
    """How many ids of "events" or "lines" lie from low to high, both included."""
    if table not in {"events", "lines"}:
        raise ValueError(f"no table of rows is called {table!r}")
    row = store.one(f"SELECT count(*) FROM {table} WHERE id BETWEEN ? AND ?", (low, high))
    return int(row[0]) if row else 0


def event_ids(journal: Store, wanted: EventFilter, low: int, high: int) -> array[int]:
    """Ids from low to high, both included, of the events that pass the filter, ascending."""
    where, arguments = events_room._conditions(replace(wanted, text="", handlers=frozenset(), states=frozenset()))
    where.append("e.id BETWEEN :low AND :high")
    runs = []
    for column, values in (("handler", wanted.handlers), ("state", wanted.states)):
        marks = [f":{column}{number}" for number in range(len(values))]
        arguments |= {f"{column}{number}": value for number, value in enumerate(sorted(values))}
        if marks:
            runs.append(f"r.{column} IN ({','.join(marks)})")
    if runs:
        runs.append("r.event_row BETWEEN :low AND :high")
        where.append(f"e.id IN (SELECT r.event_row FROM runs r WHERE {' AND '.join(runs)})")
    rows = f"FROM events e WHERE {' AND '.join(where)}"
    return _passing(journal, _EVENT_TEXTS, rows, arguments, wanted, low, high)


def log_ids(store: Store, wanted: LogFilter, low: int, high: int) -> array[int]:
    """Ids from low to high, both included, of the lines that pass the filter, ascending."""
    where: list[str] = ["id BETWEEN :low AND :high"]
    arguments: dict[str, Any] = {}
    for column, value in (
        ("handler", wanted.handler),
        ("run_id", wanted.run_id),
        ("event_row", wanted.event_row),
        ("project", wanted.project),
    ):
        if value not in ("", None):
            arguments[column] = value
            where.append(f"{column} = :{column}")
    if wanted.level:
        arguments["level"] = wanted.level
        where.append("level >= :level")
    rows = f"FROM lines WHERE {' AND '.join(where)}"
    return _passing(store, _LOG_TEXTS, rows, arguments, wanted, low, high)


def events_by_id(journal: Events, ids: Sequence[int]) -> list[EventRow]:
    """The events of these ids with their lamps, ascending; what is gone is left out."""
    if not ids:
        return []
    rows = journal.read(
        f"SELECT {events_room._COLUMNS} FROM events e WHERE e.id IN ({_marks(ids)}) ORDER BY e.id", list(ids)
    )
    return journal._with_lamps(rows)


def lines_by_id(store: LogStore, ids: Sequence[int]) -> list[LogRow]:
    """The log lines of these ids, ascending; what is gone is left out."""
    if not ids:
        return []
    rows = store.read(f"SELECT {_LOG_COLUMNS} FROM lines WHERE id IN ({_marks(ids)}) ORDER BY id", list(ids))
    return [LogRow(*row) for row in rows]


def project_names(journal: Store) -> list[str]:
    """Names of the shows the journal knows: from the names it learnt, from its events' index, from the levers."""
    rows = journal.read(
        "SELECT name FROM names WHERE entity_type = 'Project' UNION SELECT project FROM levers WHERE project != ''"
    )
    return sorted({str(row[0]) for row in rows} | set(_distinct_projects(journal)), key=str.casefold)


def _distinct_projects(journal: Store) -> list[str]:
    """Each show of the events once, by hopping along the index instead of walking all of it."""
    rows = journal.read(
        """WITH RECURSIVE hop(name) AS (
            SELECT min(project) FROM events WHERE project > ''
            UNION ALL SELECT (SELECT min(project) FROM events WHERE project > hop.name) FROM hop
            WHERE hop.name IS NOT NULL)
        SELECT name FROM hop WHERE name IS NOT NULL LIMIT 500"""
    )
    return [str(row[0]) for row in rows]


def _span(store: Store, table: str) -> tuple[int, int]:
    row = store.one(f"SELECT (SELECT min(id) FROM {table}), (SELECT max(id) FROM {table})")
    return (int(row[0]), int(row[1])) if row and row[0] is not None else (1, 0)


def _passing(
    store: Store,
    texts: Sequence[str],
    rows: str,
    arguments: dict[str, Any],
    wanted: EventFilter | LogFilter,
    low: int,
    high: int,
) -> array[int]:
    """Ids of the rows that hold the filter's text in one of their texts, or whose texts together match its pattern.

    Args:
        texts: The columns that are read.
        rows: The rest of the query from FROM on, for the ids from :low to :high.
    """
    search: Callable[[list[str], str], list[str]] | None = None
    # One long text instead of a row an id: SQLite puts it together without holding Python's lock.
    columns = "group_concat(id)"
    like = f"%{_escaped(wanted.text)}%" if wanted.text else ""
    if wanted.text and wanted.regex:
        try:
            search = _searcher(wanted.text)
        except re.error:
            return array("q")
        columns += f", group_concat(replace(concat_ws(' ', {', '.join(texts)}), char(10), ' '), char(10))"
        like = _sure(wanted.text)
    if like:
        # Column by column: a joined text is made for every line, under a lock that both threads wait for.
        arguments = {**arguments, "like": like}
        first, *others = (f"{text} LIKE :like ESCAPE '\\'" for text in texts)
        # All but the first are often empty, and an empty text is quicker passed over than searched.
        passed = [f"{text} <> '' AND {test}" for text, test in zip(texts[1:], others, strict=True)]
        rows += f" AND ({' OR '.join((first, *passed))})"
    sql = f"SELECT {columns} {rows}"

    def find(first: int, last: int) -> array[int]:
        row = store.one(sql, {**arguments, "low": first, "high": last})
        if not row or row[0] is None:
            return array("q")
        ids = str(row[0]).split(",")
        return array("q", sorted(map(int, ids if search is None else search(ids, str(row[1])))))

    return _by_two(find, low, high, PIECE if search is None else PATTERN_PIECE)


def _by_two(find: Callable[[int, int], array[int]], low: int, high: int, size: int) -> array[int]:
    """What `find` finds from low to high, searched by this thread and a second one, piece by piece in turn.

    SQLite searches outside Python's lock, and each thread has a connection of its own: two take half the time.
    """
    waiting = deque(range(low, high + 1, size))
    found: dict[int, array[int]] = {}

    def work() -> None:
        while waiting:
            try:
                start = waiting.popleft()
            except IndexError:
                return  # the other thread took the last one
            found[start] = find(start, min(high, start + size - 1))

    second = _second_thread().submit(work) if len(waiting) > 1 else None
    try:
        work()
    finally:
        waiting.clear()
        if second is not None and not second.cancel():
            second.result()
    ids: array[int] = array("q")
    for start in sorted(found):
        ids.extend(found[start])
    return ids


@cache
def _second_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="scan")


def _searcher(pattern: str) -> Callable[[list[str], str], list[str]]:
    """What finds the ids of the lines that match, of all ids and their lines in one text; case does not count.

    Lines are searched in one go, for asking Python once a line takes twelve times as long, and in small letters, which
    is nine times as fast as re.IGNORECASE. A pattern that looks around itself, or whose letters mean something else in
    small, is asked line by line.

    Raises:
        re.error: It is no regular expression.
    """
    plain = re.compile(pattern, re.IGNORECASE)

    def one_by_one(ids: list[str], text: str) -> list[str]:
        return [row_id for row_id, line in zip(ids, text.split("\n"), strict=True) if plain.search(line)]

    if "(?" in pattern or re.search(r"\\[xuUN]|\[[^\]]*(?:[A-Z]-[^A-Z]|[^A-Z]-[A-Z])", pattern):
        return one_by_one
    ends = {r"\A": "^", r"\Z": "$"}
    small = re.sub(
        r"\\.|[^\\]+", lambda part: ends.get(part[0]) or (part[0] if part[0][0] == "\\" else part[0].lower()), pattern
    )
    search = re.compile(small, re.MULTILINE).search

    def in_one_go(ids: list[str], text: str) -> list[str]:
        return [ids[number] for number in _lines_found(search, text.lower())]

    return in_one_go


def _lines_found(search: Callable[..., re.Match[str] | None], text: str) -> Iterator[int]:
    """Numbers of the lines that match. A hit that runs over a line's end is looked at again within its own line."""
    at = number = counted = 0
    while at <= len(text) and (hit := search(text, at)) is not None:
        start = text.rfind("\n", 0, hit.start()) + 1
        end = text.find("\n", hit.start())
        end = len(text) if end < 0 else end
        number += text.count("\n", counted, start)
        counted = start
        if hit.end() <= end or search(text[start:end]) is not None:
            yield number
        at = end + 1


def _sure(pattern: str) -> str:
    """What LIKE finds in every line that the pattern matches; "" where there is nothing to be sure of.

    It is the longest piece of plain letters outside of groups and choices. Two of the letters have relatives abroad
    (the signs of Kelvin and a Turkish i are k and i in small), which LIKE does not know: any letter may stand there.
    """
    if "(?" in pattern or re.search(r"\\[xuUN\d]", pattern):
        return ""
    pieces: list[list[str]] = [[]]
    depth = 0
    for part in _PATTERN_PART.findall(pattern):
        letter = part[1:] if part[0] == "\\" and not part[1:].isalnum() else part
        depth += {"(": 1, ")": -1}.get(part, 0)
        if part == "|" and not depth:
            return ""
        if part in {"*", "?"} or part[0] == "{":
            del pieces[-1][-1:]
        if depth or len(letter) != 1 or not letter.isascii() or letter.isspace() or part in set("^$.*+?|(){}["):
            pieces.append([])
        else:
            pieces[-1].append("_" if letter in "kKiI" else _escaped(letter))
    longest = max(pieces, key=len)
    return f"%{''.join(longest)}%" if sum(letter != "_" for letter in longest) >= SURE_LETTERS else ""


def _marks(ids: Sequence[int]) -> str:
    return ",".join("?" * len(ids))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
