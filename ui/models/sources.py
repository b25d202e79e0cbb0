"""Events, log lines and the lines of a followed file, as rows for a view. Everything here runs on a reader's thread."""

from __future__ import annotations

import re
import stat
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ui.models.ansi import bare, plain
from ui.models.paged import Row
from ui.models.text_file import TextFile, TextSource
from ui.models.words import clock_brief, clock_line, level_name, level_role
from ui.theme.colours import Role

if TYPE_CHECKING:
    from app.journal.journal import Journal
    from app.journal.log import LogStore
    from app.journal.rows import EventFilter, EventRow, LogFilter, LogRow

_LEVEL = re.compile(r"\b(DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL)\b")
_TONES = {
    "DEBUG": Role.MUTED.value,
    "INFO": "",
    "WARNING": Role.WARNING.value,
    "WARN": Role.WARNING.value,
    "ERROR": Role.ERROR.value,
    "CRITICAL": Role.ERROR.value,
    "FATAL": Role.ERROR.value,
}
_VALUES = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "WARN": 30, "ERROR": 40, "CRITICAL": 50, "FATAL": 50}


def _scan() -> ModuleType:
    """SQLite is loaded on the reader's thread, after the first paint."""
    from app.journal import scan

    return scan


class NoSource:
    """A list that shows nothing yet, and asks the store for nothing."""

    filtered = mutable = recheck = False

    def span(self, _store: object) -> tuple[int, int]:
        return 1, 0

    def count(self, _store: object, _low: int, _high: int) -> int:
        return 0

    def hits(self, _store: object, _low: int, _high: int) -> Iterable[int]:
        return ()

    def rows(self, _store: object, _ids: Sequence[int]) -> list[Row]:
        return []


class EventSource:
    """Events of the journal. Columns: time, topic, words, project, entity, user, lamps.

    Args:
        wanted: The filter; None shows every event, and spares the window's start the journal's vocabulary.
    """

    mutable = True

    def __init__(self, wanted: EventFilter | None = None) -> None:
        self.wanted = wanted
        self.filtered = wanted is not None and wanted != type(wanted)()
        self.recheck = wanted is not None and bool(wanted.handlers or wanted.states)

    def span(self, store: Journal) -> tuple[int, int]:
        return _scan().event_span(store)

    def count(self, store: Journal, low: int, high: int) -> int:
        return _scan().count_between(store, "events", low, high)

    def hits(self, store: Journal, low: int, high: int) -> Iterable[int]:
        scan = _scan()
        return scan.event_ids(store, self.wanted or scan.EventFilter(), low, high)

    def rows(self, store: Journal, ids: Sequence[int]) -> list[Row]:
        return [_event(row) for row in _scan().events_by_id(store, ids)]


def _event(row: EventRow) -> Row:
    topic = row.topic.removeprefix("ftrack.")
    states = {state for _handler, state in row.lamps}
    tone = Role.ERROR.value if "failed" in states else (Role.MUTED.value if row.origin == "signalbox" else "")
    when = clock_brief(row.received)
    return Row(row.id, (when, topic, row.words, row.project, row.entity, row.user), tone, row.lamps)


class LogSource:
    """Lines of log.db. Columns: time, level, topic, message, handler, entity.

    Args:
        wanted: The filter; None shows every line.
    """

    mutable = False
    recheck = False

    def __init__(self, wanted: LogFilter | None = None) -> None:
        self.wanted = wanted
        self.filtered = wanted is not None and wanted != type(wanted)()

    def span(self, store: LogStore) -> tuple[int, int]:
        return _scan().log_span(store)

    def count(self, store: LogStore, low: int, high: int) -> int:
        return _scan().count_between(store, "lines", low, high)

    def hits(self, store: LogStore, low: int, high: int) -> Iterable[int]:
        scan = _scan()
        return scan.log_ids(store, self.wanted or scan.LogFilter(), low, high)

    def rows(self, store: LogStore, ids: Sequence[int]) -> list[Row]:
        return [_line(row) for row in _scan().lines_by_id(store, ids)]


def _line(row: LogRow) -> Row:
    role = level_role(row.level)
    cells = (
        clock_line(row.at),
        level_name(row.level),
        row.message,
        row.logger.removeprefix("signalbox."),
        row.handler.replace("_", " "),
        row.entity or row.project,
    )
    return Row(row.id, cells, "" if role is Role.TEXT else role.value)


def open_text(path: Path) -> TextFile:
    """A log file to follow.

    Raises:
        OSError: It cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is not a regular file")
    path.open("rb").close()
    made = TextFile()
    made.show(path)
    return made


class FileSource(TextSource):
    """Lines of a followed file, toned by the level that they tell of. Columns: the line, without its colours."""

    def __init__(self, path: Path, wanted: LogFilter) -> None:
        super().__init__(path)
        self.filtered = bool(wanted.text or wanted.level)
        self._level = wanted.level
        self._plain = bool(wanted.text) and not wanted.regex
        self._pattern = re.compile(wanted.text if wanted.regex else re.escape(wanted.text), re.IGNORECASE)

    def span(self, store: TextFile) -> tuple[int, int]:
        low, high = super().span(store)
        # A line that is being written is searched when it is complete.
        return low, store.ended() if self.filtered else high

    def hits(self, store: TextFile, low: int, high: int) -> Iterable[int]:
        found: list[int] = []
        for page in range(store.page_of(low), store.page_of(high) + 1):
            first, lines = store.lines(page)
            # Most pages have no hit, and a page is searched faster than its lines.
            if not self._plain or self._pattern.search(bare("\n".join(lines))):
                found.extend(number for number, line in enumerate(lines, first) if self._passes(line))
        return found[bisect_left(found, low) : bisect_right(found, high)]

    def _passes(self, raw: str) -> bool:
        line = plain(raw) if "\x1b" in raw else raw
        if self._level and _VALUES.get(_level(line), 20) < self._level:
            return False
        return self._pattern.search(line) is not None

    def rows(self, store: TextFile, ids: Sequence[int]) -> list[Row]:
        store.show(self.path)
        lines = ((number, plain(raw)) for number, raw in store.texts(ids))
        return [Row(number, (line,), _TONES.get(_level(line), "")) for number, line in lines]


def _level(line: str) -> str:
    found = _LEVEL.search(line, 0, 120)
    return found.group(1) if found else ""
