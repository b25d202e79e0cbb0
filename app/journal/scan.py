"""Ids that pass a filter, a piece of the table at a time, and the rows of given ids: what long lists are made of.

A list in the window knows its rows by id. Pages by offset would cost the more the deeper somebody scrolls, and pages by
"before" cannot be jumped into; a list of ids costs eight bytes a row and every row of it one look-up.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from app.journal import events as events_room
from app.journal.events import Events
from app.journal.log import LogStore
from app.journal.rows import EventFilter, EventRow, LogFilter, LogRow
from app.journal.store import Store

PATTERN_PIECE = 1 << 12
"""Lines a regular expression is given at a time: a search in one text holds Python's lock to its end, and the window
waits for it."""
_LIKE = "LIKE :text ESCAPE '\\'"
_EMPTY = "''"
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
    where, arguments = events_room._conditions(replace(wanted, handlers=frozenset(), states=frozenset()))
    where.append("e.id BETWEEN :low AND :high")
    arguments |= {"low": low, "high": high}
    runs = []
    for column, values in (("handler", wanted.handlers), ("state", wanted.states)):
        marks = [f":{column}{number}" for number in range(len(values))]
        arguments |= {f"{column}{number}": value for number, value in enumerate(sorted(values))}
        if marks:
            runs.append(f"r.{column} IN ({','.join(marks)})")
    if runs:
        runs.append("r.event_row BETWEEN :low AND :high")
        where.append(f"e.id IN (SELECT r.event_row FROM runs r WHERE {' AND '.join(runs)})")
    return _ids(journal, f"SELECT group_concat(e.id) FROM events e WHERE {' AND '.join(where)}", arguments)


def log_ids(store: Store, wanted: LogFilter, low: int, high: int) -> array[int]:
    """Ids from low to high, both included, of the lines that pass the filter, ascending."""
    where: list[str] = ["id BETWEEN :low AND :high"]
    arguments: dict[str, Any] = {"low": low, "high": high}
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
    columns = ("message", "logger", "handler", "entity")
    clause = " AND ".join(where)
    if wanted.text and wanted.regex:
        text = " || ' ' || ".join(f"replace({column}, char(10), ' ')" for column in columns)
        lines = f"SELECT id, {text} AS line FROM lines WHERE {clause}"
        found: array[int] = array("q")
        for start in range(low, high + 1, PATTERN_PIECE):
            arguments |= {"low": start, "high": min(high, start + PATTERN_PIECE - 1)}
            found.extend(_ids_by_pattern(store, lines, arguments, wanted.text))
        return found
    if wanted.text:
        # Column by column: joining them first makes a new text for every line, which costs more than the search.
        arguments["text"] = f"%{_escaped(wanted.text)}%"
        # Most lines have neither handler nor entity, and an empty text is quicker passed over than searched.
        passed = {column: f"{column} <> {_EMPTY} AND " for column in columns[2:]}
        tests = [f"{passed.get(column, '')}{column} {_LIKE}" for column in columns]
        clause += f" AND ({' OR '.join(tests)})"
    return _ids(store, f"SELECT group_concat(id) FROM lines WHERE {clause}", arguments)


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


def _ids(store: Store, sql: str, arguments: dict[str, Any]) -> array[int]:
    # One long text instead of a row an id: SQLite puts it together without holding Python's lock.
    row = store.one(sql, arguments)
    if not row or row[0] is None:
        return array("q")
    return array("q", sorted(map(int, str(row[0]).split(","))))


def _ids_by_pattern(store: Store, lines: str, arguments: dict[str, Any], pattern: str) -> array[int]:
    """Ids of the lines a regular expression finds.

    The lines come as one text and are searched in one go: asking Python once a line takes twelve times as long. A hit
    that runs over a line's end is looked at again within its own line.
    """
    try:
        search, lower = _searcher(pattern)
    except re.error:
        return array("q")
    found: array[int] = array("q")
    row = store.one(f"SELECT group_concat(id), group_concat(line, char(10)) FROM ({lines})", arguments)
    if not row or row[0] is None:
        return found
    ids, text = str(row[0]).split(","), str(row[1])
    if lower:
        text = text.lower()
    at = number = counted = 0
    while (hit := search(text, at)) is not None:
        start = text.rfind("\n", 0, hit.start()) + 1
        end = text.find("\n", hit.start())
        end = len(text) if end < 0 else end
        number += text.count("\n", counted, start)
        counted = start
        if hit.end() <= end or search(text[start:end]) is not None:
            found.append(int(ids[number]))
        at = end + 1
        if at > len(text):
            break
    return found


def _searcher(pattern: str) -> tuple[Callable[..., re.Match[str] | None], bool]:
    """What searches without regard to case, and whether it wants its text in small letters.

    A pattern in small letters over a text in small letters is nine times as fast as re.IGNORECASE. What a letter means
    in an escape or a group's head is left to the slow way.
    """
    if "(?" in pattern or re.search(r"\\[xuUN]", pattern):
        return re.compile(pattern, re.IGNORECASE | re.MULTILINE).search, False
    small = re.sub(r"\\.|[^\\]+", lambda part: part[0] if part[0].startswith("\\") else part[0].lower(), pattern)
    return re.compile(small, re.MULTILINE).search, True


def _marks(ids: Sequence[int]) -> str:
    return ",".join("?" * len(ids))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
