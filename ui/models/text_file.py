"""A growing text as rows (a task's output, any log file): read where somebody looks, and known by pages of bytes.

A page ends at the last line end within 16 KB; where there is none in so many bytes the line is cut there. Sixteen bytes
of memory a page: a gigabyte costs one megabyte, whether it has a line or half a billion of them. Everything but
`TextRows` runs on a reader's thread.
"""

from __future__ import annotations

import os
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from PySide6.QtCore import QObject

from ui.models.ansi import PLAIN, bare, carry, plain
from ui.models.paged import PagedRows, Row
from ui.models.reader import Reader

PAGE = 1 << 14
LOOK_BYTES = 16 << 20
"""Read in one look at most; the next one goes on, and other questions get their turn between."""
FIND_PAGES = 128
"""Pages that one question of a search goes through."""
_TAIL = 48
KEPT_CHARACTERS = 4 << 20
"""Text kept for painting."""
_ERROR = re.compile(
    r"(?i)(?<!\b0 )(?<!\bno )(?<![\w/.-])"
    r"(?:\w*error|fatal|traceback|\w*exception|failed|failure|panic)\b(?! ?[:=] ?0\b)"
    r"|segmentation fault|command not found"
)
_ERROR_WORDS = ("error", "fatal", "traceback", "exception", "fail", "panic", "segmentation", "not found")


class Searcher(Protocol):
    """A regular expression, or what searches as one does."""

    def search(self, text: str, /) -> object:
        """Something true where the text has a hit."""


class ErrorSearcher:
    """Finds what a line says when something went wrong; "0 errors" and "no error" do not."""

    def search(self, text: str) -> re.Match[str] | None:
        """The hit in a line, or in a text of many."""
        # The expression takes a hundred times as long as a look for its words, and most texts have none of them.
        small = text.lower()
        return _ERROR.search(text) if any(word in small for word in _ERROR_WORDS) else None


ERROR = ErrorSearcher()


class TextFile:
    """One file at a time; `show` says which. A file that is not there yet is an empty one."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self.generation = 0
        self._file: BinaryIO | None = None
        self._identity = (0, 0)
        self._version = 0
        self._forget()

    def _forget(self) -> None:
        self.generation += 1
        self._starts: array[int] = array("Q", [0])
        self._before: array[int] = array("Q", [0])
        self._read = 0
        self._newlines = 0
        self._last_end = 0
        self._tail = b""

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def show(self, path: Path | None) -> None:
        """Read this file from now on."""
        if path != self.path:
            self.close()
            self.path = path
            self._forget()
            self.data_version()

    def data_version(self) -> int:
        """Rises when the file grew, became shorter, came or went."""
        before = (self.generation, self._read)
        self._look()
        if before != (self.generation, self._read):
            self._version += 1
        return self._version

    def rows(self) -> int:
        """Rows known so far, with the last one that has no line end yet."""
        return self._before[-1] + self._newlines + (self._read > self._last_end)

    def ended(self) -> int:
        """Rows known so far that will not change any more."""
        return self._before[-1] + self._newlines

    def size(self) -> int:
        """Bytes known so far."""
        return self._read

    # Growing

    def _look(self) -> None:
        self._open()
        if self._file is None:
            return
        size = os.fstat(self._file.fileno()).st_size
        if size < self._read or (size > self._read and self._before_here() != self._tail):
            # It was begun anew: what was written is void, even where as much was written again.
            self._forget()
        budget = LOOK_BYTES
        while self._read < size and budget > 0:
            block = os.pread(
                self._file.fileno(), min(PAGE - (self._read - self._starts[-1]), size - self._read), self._read
            )
            if not block:
                break
            budget -= len(block)
            self._take(block)
        self._tail = self._before_here()

    def _before_here(self) -> bytes:
        """The last bytes of what was read, as they are in the file now."""
        if self._file is None:
            return b""
        length = min(_TAIL, self._read)
        return os.pread(self._file.fileno(), length, self._read - length)

    def _open(self) -> None:
        """Open the file, and again when another one has taken its name."""
        if self.path is None:
            return
        try:
            there = self.path.stat()
            if self._file is not None and (there.st_dev, there.st_ino) == self._identity:
                return
            self.close()
            self._file = self.path.open("rb")
        except OSError:
            if self._file is not None:
                self.close()
                self._forget()
            return
        self._identity = (there.st_dev, there.st_ino)
        if self._read:
            self._forget()

    def _take(self, block: bytes) -> None:
        self._newlines += block.count(b"\n")
        end = block.rfind(b"\n")
        if end >= 0:
            self._last_end = self._read + end + 1
        self._read += len(block)
        start = self._starts[-1]
        if self._read - start < PAGE:
            return
        # A page is full. Without a line end it is cut, but not within a character.
        cut = self._last_end if self._last_end > start else self._read - _unfinished(block)
        rows = self._newlines if self._last_end > start else 1
        self._starts.append(cut)
        self._before.append(self._before[-1] + rows)
        self._read = self._last_end = cut
        self._newlines = 0

    # Reading

    def page_of(self, row: int) -> int:
        """The page that holds a row (from 1)."""
        return bisect_right(self._before, row - 1) - 1

    def pages(self) -> int:
        """Pages known so far."""
        return len(self._starts)

    def lines(self, page: int) -> tuple[int, list[str]]:
        """Number of a page's first row, and its rows."""
        if self._file is None:
            return 1, []
        start = self._starts[page]
        last = page + 1 == len(self._starts)
        end = self._read if last else self._starts[page + 1]
        data = os.pread(self._file.fileno(), end - start, start)
        found = data.decode("utf-8", "replace").split("\n")
        if found and not found[-1]:
            found.pop()
        return self._before[page] + 1, found

    def texts(self, rows: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Rows (ascending, from 1) with their texts, each beginning with the colours that are in effect there."""
        wanted = set(rows)
        for page in sorted({self.page_of(row) for row in rows}):
            first, lines = self.lines(page)
            style = PLAIN
            for number, line in enumerate(lines[: rows[-1] - first + 1], first):
                if number in wanted:
                    yield number, style.codes() + line
                if "\x1b" in line:
                    style = carry(line, style)

    def find(self, pattern: Searcher, row: int, *, backwards: bool = False) -> tuple[int, int]:
        """Look for a row that matches, from `row` on (itself included).

        Returns:
            The row, 0 when none was found in the pages gone through; and the row to go on from, 0 at the end.
        """
        if not 1 <= row <= self.rows():
            return 0, 0
        page, step = self.page_of(row), -1 if backwards else 1
        for place in range(page, page + step * FIND_PAGES, step):
            if not 0 <= place < self.pages():
                return 0, 0
            hit = self._hit(place, pattern, row, backwards)
            if hit:
                return hit, 0
        following = page + step * FIND_PAGES
        if not 0 <= following < self.pages():
            return 0, 0
        return 0, self._before[following] + 1 if not backwards else self._before[following + 1]

    def _hit(self, page: int, pattern: Searcher, row: int, backwards: bool) -> int:
        first, lines = self.lines(page)
        if not pattern.search(bare("\n".join(lines))):
            return 0
        numbered: Iterable[tuple[int, str]] = enumerate(lines, first)
        if backwards:
            numbered = reversed(list(numbered))
        for number, line in numbered:
            past = number > row if backwards else number < row
            if not past and pattern.search(plain(line) if "\x1b" in line else line):
                return number
        return 0


def _unfinished(block: bytes) -> int:
    """Bytes at the end of a block that begin a character of UTF-8 and do not end it."""
    for back in range(1, min(4, len(block)) + 1):
        byte = block[-back]
        if byte & 0xC0 == 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if back < length else 0
        if byte < 0x80:
            return 0
    return 0


class TextSource:
    """The rows of one file. Columns: number of the line, its text as it was written."""

    filtered = False
    mutable = True
    recheck = False

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.generation = 0

    def span(self, store: TextFile) -> tuple[int, int]:
        store.show(self.path)
        self.generation = store.generation
        return 1, store.rows()

    def count(self, store: TextFile, low: int, high: int) -> int:
        store.show(self.path)
        return max(0, min(high, store.rows()) - low + 1)

    def hits(self, _store: TextFile, low: int, high: int) -> Iterable[int]:
        return range(low, high + 1)

    def rows(self, store: TextFile, ids: Sequence[int]) -> list[Row]:
        store.show(self.path)
        return [Row(number, (f"{number:,}", text)) for number, text in store.texts(ids)]


class TextRows(PagedRows):
    """The rows of a file, by position. The last one may still grow, and all may go."""

    def __init__(self, reader: Reader[TextFile], source: TextSource, name: str, parent: QObject | None = None) -> None:
        self._generation = 0
        self._characters = 0
        super().__init__(reader, source, name, parent)

    def show(self, path: Path | None) -> None:
        """Show another file."""
        self._generation = 0
        self.set_source(TextSource(path))

    @property
    def path(self) -> Path | None:
        """The file that is shown."""
        assert isinstance(self._source, TextSource)
        return self._source.path

    def _begin(self, *, listed: bool) -> None:
        self._characters = 0
        super()._begin(listed=listed)

    def _take_span(self, found: Any) -> None:
        assert isinstance(self._source, TextSource)
        if found[0] == self._round:
            generation, self._generation = self._generation, self._source.generation
            if generation not in (0, self._generation):
                # Another text under the same numbers.
                if self._listed:
                    self.restart()
                    return
                self._rows.clear()
                self._high = -1
            elif found[2] != self._high:
                # What was the last line may have been half of it.
                self._rows.pop(self._high, None)
        super()._take_span(found)

    def _take_rows(self, found: Any) -> None:
        super()._take_rows(found)
        self._characters += sum(len(row.cells[-1]) for row in found[2])
        if self._characters <= KEPT_CHARACTERS:
            return
        # At most so many came since the last count: what is really kept is counted only now.
        self._characters = sum(len(row.cells[-1]) for row in self._rows.values() if row.cells)
        while self._characters > KEPT_CHARACTERS and len(self._rows) > 1:
            _id, row = self._rows.popitem(last=False)
            self._characters -= len(row.cells[-1]) if row.cells else 0
