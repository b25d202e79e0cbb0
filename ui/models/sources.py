"""Events, log lines and the lines of a followed file, as rows for a view. Everything here runs on a reader's thread."""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ui.models.paged import Row
from ui.models.words import clock, clock_ms, level_name, level_role
from ui.theme.colours import Role

if TYPE_CHECKING:
    from app.journal.journal import Journal
    from app.journal.log import LogStore
    from app.journal.rows import EventFilter, EventRow, LogFilter, LogRow

_BLOCK = 1 << 20
_LEVEL = re.compile(rb"\b(DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL)\b")
_TONES = {
    b"DEBUG": Role.MUTED.value,
    b"INFO": "",
    b"WARNING": Role.WARNING.value,
    b"WARN": Role.WARNING.value,
    b"ERROR": Role.ERROR.value,
    b"CRITICAL": Role.ERROR.value,
    b"FATAL": Role.ERROR.value,
}
_VALUES = {b"DEBUG": 10, b"INFO": 20, b"WARNING": 30, b"WARN": 30, b"ERROR": 40, b"CRITICAL": 50, b"FATAL": 50}


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
    when = clock(row.received)
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
        clock_ms(row.at),
        level_name(row.level),
        row.message,
        row.logger.removeprefix("signalbox."),
        row.handler.replace("_", " "),
        row.entity or row.project,
    )
    return Row(row.id, cells, "" if role is Role.TEXT else role.value)


class LogFile:
    """A plain log file, read where somebody looks: eight bytes of memory a line, whatever their length.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb")
        self._inode = os.fstat(self._file.fileno()).st_ino
        self._starts: array[int] = array("Q", [0])
        self._read = 0
        self._version = 0

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def data_version(self) -> int:
        """Rises when the file grew, was cut short, or was rotated away."""
        if self._grow():
            self._version += 1
        return self._version

    def lines(self) -> int:
        """Complete lines known so far."""
        return len(self._starts) - 1

    def text(self, first: int, last: int) -> list[bytes]:
        """Lines from first to last, both included, counted from 1."""
        last = min(last, self.lines())
        if last < first:
            return []
        start, end = self._starts[first - 1], self._starts[last]
        return os.pread(self._file.fileno(), end - start, start).split(b"\n")[: last - first + 1]

    def _grow(self) -> bool:
        changed = self._reopen_if_rotated()
        size = os.fstat(self._file.fileno()).st_size
        if size < self._read:
            self._starts, self._read = array("Q", [0]), 0
            changed = True
        while self._read < size:
            block = os.pread(self._file.fileno(), _BLOCK, self._read)
            if not block:
                break
            base = self._read
            self._starts.extend(base + hit.end() for hit in re.finditer(b"\n", block))
            self._read += len(block)
            changed = True
        return changed

    def _reopen_if_rotated(self) -> bool:
        try:
            there = self.path.stat()
        except OSError:
            return False
        if there.st_ino == self._inode:
            return False
        self._file.close()
        self._file = self.path.open("rb")
        self._inode = os.fstat(self._file.fileno()).st_ino
        self._starts, self._read = array("Q", [0]), 0
        return True


class FileSource:
    """Lines of a followed file. Columns as of the log; a level is read where the line says one."""

    mutable = False
    recheck = False

    def __init__(self, wanted: LogFilter) -> None:
        self.wanted = wanted
        self.filtered = bool(wanted.text or wanted.level)
        self._pattern = re.compile(
            (wanted.text if wanted.regex else re.escape(wanted.text)).encode(), re.IGNORECASE if wanted.text else 0
        )

    def span(self, store: LogFile) -> tuple[int, int]:
        store.data_version()
        return 1, store.lines()

    def count(self, store: LogFile, low: int, high: int) -> int:
        return max(0, min(high, store.lines()) - low + 1)

    def hits(self, store: LogFile, low: int, high: int) -> Iterable[int]:
        found = []
        for number, line in enumerate(store.text(low, high), start=low):
            if self.wanted.text and not self._pattern.search(line):
                continue
            if self.wanted.level and _VALUES.get(_level(line), 20) < self.wanted.level:
                continue
            found.append(number)
        return found

    def rows(self, store: LogFile, ids: Sequence[int]) -> list[Row]:
        if not ids:
            return []
        wanted = set(ids)
        made = []
        # Hits may lie far apart: each stretch of neighbours is read at once.
        for first, last in _stretches(ids):
            for number, line in enumerate(store.text(first, last), start=first):
                if number in wanted:
                    level = _level(line)
                    cells = ("", level.decode().capitalize(), line.decode("utf-8", "replace"), "", "", "")
                    made.append(Row(number, cells, _TONES.get(level, "")))
        return made


def _level(line: bytes) -> bytes:
    found = _LEVEL.search(line, 0, 120)
    return found.group(1) if found else b""


def _stretches(ids: Sequence[int]) -> list[tuple[int, int]]:
    made: list[tuple[int, int]] = []
    for row_id in ids:
        if made and row_id - made[-1][1] <= 8:
            made[-1] = (made[-1][0], row_id)
        else:
            made.append((row_id, row_id))
    return made
