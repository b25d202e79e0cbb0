"""Millions of rows seen through a window of some hundred: ids in order, rows fetched where somebody looks.

Without a filter the ids of a store are a dense range and cost nothing. With one they are found newest first, a piece at
a time on the reader's thread, so that the first hits stand on the screen while older pieces are still being searched.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from PySide6.QtCore import QObject, QTimer, Signal

from ui.models.reader import Reader

T = TypeVar("T")

PIECE = 1 << 16
"""Ids searched in one question: small enough that other questions get their turn within some 15 ms."""
FIRST_PIECE = 1 << 12
"""The newest piece is smaller: what a person sees first comes first."""
KEPT_ROWS = 4_096
"""Rows kept for painting; older ones are asked for again when somebody scrolls back."""
AHEAD = 2
"""Questions for pieces on their way at a time: the thread shall not wait for the window between two of them."""
SHOWN_SECONDS = 0.05
"""Hits of older pieces are shown so often while a search goes on; the first ones at once."""
MARGIN = 40
"""Rows fetched above and below what is visible."""
WALKED_ROWS = 1_000
"""Rows read in one question on the way through many."""
RECENT = 2_000
"""Rows whose hits may still change (their runs go on) and are therefore searched again."""


class Row(NamedTuple):
    """A row as it is painted.

    Attributes:
        id: The store's id, ascending in order of arrival.
        cells: The texts of the columns.
        tone: A `theme.Role` value for the text, "" for the usual one.
        lamps: (handler id, state) pairs of the lamps column.
    """

    id: int
    cells: tuple[str, ...]
    tone: str = ""
    lamps: tuple[tuple[str, str], ...] = ()


class RowSource(Protocol):
    """A store with a filter. Every method runs on the reader's thread; a changed filter is another source.

    Attributes:
        filtered: Whether it leaves rows out.
        mutable: Whether rows change after they came (an event's lamps do, a log line does not).
        recheck: Whether a row may come to match, or cease to, after it came.
    """

    filtered: bool
    mutable: bool
    recheck: bool

    def span(self, store: Any) -> tuple[int, int]:
        """Lowest and highest id of the store; (1, 0) when it is empty."""

    def count(self, store: Any, low: int, high: int) -> int:
        """How many ids there are from low to high, whatever the filter."""

    def hits(self, store: Any, low: int, high: int) -> Iterable[int]:
        """Ids from low to high, both included, that pass the filter, ascending."""

    def rows(self, store: Any, ids: Sequence[int]) -> list[Row]:
        """The rows of ascending ids; what is gone is left out."""


class PagedRows(QObject):
    """The rows of a source, by position.

    Signals:
        changed: the number of rows or their positions changed.
        loaded: rows asked for with `want` have come.
        searched: share (0 to 1) of the store that was searched for the filter.
        problem: a question failed; the reason in words.
    """

    changed = Signal()
    loaded = Signal()
    searched = Signal(float)
    problem = Signal(str)

    def __init__(self, reader: Reader[Any], source: RowSource, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._reader = reader
        self._source = source
        self._name = name
        self._round = 0
        # Whether positions are looked up in a list of ids: with a filter, or where the store's ids have holes.
        self._listed = source.filtered
        self._ids: array[int] = array("q")
        self._low, self._high = 1, 0
        self._unsearched = 0
        self._unasked = 0
        self._pieces = 0
        self._shown_at = 0.0
        self._rows: OrderedDict[int, Row] = OrderedDict()
        self._wanted: tuple[int, int] = (0, -1)
        self._fetching = False
        self._walks = 0
        self._stale = False
        self._asking_span = False
        self._span_again = False
        self._recheck = QTimer(self)
        self._recheck.setSingleShot(True)
        self._recheck.setInterval(400)
        self._recheck.timeout.connect(self._search_recent)
        reader.moved.connect(self.refresh)
        reader.opened.connect(self.restart)

    @property
    def source(self) -> RowSource:
        return self._source

    def set_source(self, source: RowSource) -> None:
        """Show another filter's rows."""
        self._source = source
        self.restart()

    def restart(self) -> None:
        """Forget everything and read again."""
        self._begin(listed=self._source.filtered)

    def _begin(self, *, listed: bool) -> None:
        self._listed = listed
        self._round += 1
        self._ids = array("q")
        self._low, self._high = 1, 0
        self._unsearched = 0
        self._rows.clear()
        self._fetching = False
        self._asking_span = False
        self.changed.emit()
        self.refresh()

    def count(self) -> int:
        """Number of rows known so far."""
        return len(self._ids) if self._listed else max(0, self._high - self._low + 1)

    def id_at(self, index: int) -> int:
        """Id of the row at a position from 0 to count() - 1."""
        return self._ids[index] if self._listed else self._low + index

    def index_of(self, row_id: int) -> int:
        """Position of the first row whose id is not below `row_id` (count() when all are)."""
        if self._listed:
            return bisect_left(self._ids, row_id)
        return min(max(0, row_id - self._low), self.count())

    def row(self, index: int) -> Row | None:
        """The row at a position, None while it is being fetched."""
        return self._rows.get(self.id_at(index))

    def row_of(self, row_id: int) -> Row | None:
        """The row of an id if it is at hand."""
        return self._rows.get(row_id)

    def want(self, first: int, last: int) -> None:
        """Say which positions are looked at; missing rows are fetched."""
        self._wanted = (first, last)
        # Rows that may have changed are read along with those that are missing: one answer, painted once.
        self._fetch(everything=self._stale)

    def coming(self, first: int, last: int) -> bool:
        """Whether rows of these positions are missing and on their way: `loaded` will tell when they are here."""
        return self._fetching and any(self.row(index) is None for index in range(first, last + 1))

    def ids(self, low: int, high: int) -> Sequence[int]:
        """Ids of the rows from `low` to `high`, both included, ascending."""
        if self._listed:
            return self._ids[bisect_left(self._ids, low) : bisect_right(self._ids, high)]
        return range(max(low, self._low), min(high, self._high) + 1)

    def walk(
        self,
        ids: Sequence[int],
        take: Callable[[list[Row]], None],
        end: Callable[[], T],
        done: Callable[[T], None],
        problem: Callable[[str], None],
    ) -> None:
        """Go through the rows of these ids without holding anybody up: to copy them, to write them to a file.

        Args:
            ids: Ascending.
            take: Gets some thousand rows at a time, on the reader's thread. Other questions are asked between.
            end: Called after the last of them, on the reader's thread.
            done: Gets what that returned, on Qt's.
            problem: Gets what went wrong in words, on Qt's; nothing comes after it.
        """
        source = self._source
        self._walks += 1
        # Each has a slot of its own: an export does not give way to a copy.
        slot = f"{self._name}.walk.{self._walks}"

        def step(start: int) -> None:
            def question(store: Any) -> None:
                take(source.rows(store, ids[start : start + WALKED_ROWS]))

            self._reader.ask(slot, question, lambda _none: go_on(start + WALKED_ROWS), owner=self, problem=problem)

        def go_on(start: int) -> None:
            if start < len(ids):
                step(start)
            else:
                self._reader.ask(slot, lambda _store: end(), done, owner=self, problem=problem)

        go_on(0)

    def refresh(self) -> None:
        """Look for new rows, and at the visible ones again where rows change."""
        if self._source.mutable:
            self._stale = True
        if self._asking_span:
            self._span_again = True
            return
        self._asking_span = True
        mark, source, high, listed = self._round, self._source, self._high, self._listed

        def question(store: Any) -> tuple[int, int, int, array[int], bool]:
            low, newest = source.span(store)
            fresh: array[int] = array("q")
            start = max(low, high + 1)
            dense = listed or newest < start or source.count(store, start, newest) == newest - start + 1
            # The first answer is not searched here: pieces come newest first, see _search.
            if listed and high and newest > high:
                fresh = array("q", source.hits(store, high + 1, newest))
            return mark, low, newest, fresh, dense

        self._reader.ask(f"{self._name}.span", question, self._take_span, owner=self, problem=self._span_failed)

    def _span_failed(self, words: str) -> None:
        self._asking_span = False
        self.problem.emit(words)

    def _take_span(self, found: tuple[int, int, int, array[int], bool]) -> None:
        mark, low, newest, fresh, dense = found
        if mark != self._round:
            return
        self._asking_span = False
        if not dense:
            self._begin(listed=True)
            return
        first = not self._high
        shrunk = low > self._low and not first
        if shrunk and self._listed:
            self._ids = self._ids[bisect_left(self._ids, low) :]
        moved = newest != self._high or low != self._low
        self._low, self._high = low, newest
        if self._listed:
            if first and newest:
                self._unsearched = self._unasked = newest
                self._search(FIRST_PIECE)
                self._search(PIECE)
            else:
                self._ids.extend(fresh)
                moved = bool(fresh) or shrunk
            if self._source.recheck and not self._recheck.isActive():
                self._recheck.start()
        if moved:
            self.changed.emit()
        if self._stale:
            self._fetch(everything=True)
        if self._span_again:
            self._span_again = False
            self.refresh()

    def _search(self, size: int) -> None:
        """Ask for the next older piece, if there is one."""
        mark, source, high = self._round, self._source, self._unasked
        if high < self._low:
            return
        low = max(self._low, high - size + 1)
        self._unasked = low - 1
        self._pieces += 1

        def question(store: Any) -> tuple[int, int, array[int]]:
            # Another filter may have come while this one waited.
            return mark, low, array("q", source.hits(store, low, high) if mark == self._round else ())

        # Slots in turn: a piece does not give way to the one after it.
        slot = f"{self._name}.search.{self._pieces % (AHEAD + 1)}"
        self._reader.ask(slot, question, self._take_piece, owner=self, problem=self.problem.emit)

    def _take_piece(self, found: tuple[int, int, array[int]]) -> None:
        mark, low, ids = found
        if mark != self._round:
            return
        self._unsearched = low - 1
        more = self._unsearched >= self._low
        if more:
            self._search(PIECE)
        if ids:
            new = not self._ids
            ids.extend(self._ids)
            self._ids = ids
            now = time.monotonic()
            if new or now - self._shown_at >= SHOWN_SECONDS:
                self._shown_at = now
                self.changed.emit()
        if more:
            span = max(1, self._high - self._low + 1)
            self.searched.emit(1 - (self._unsearched - self._low + 1) / span)
        else:
            self.changed.emit()
            self.searched.emit(1.0)

    def _search_recent(self) -> None:
        """Search the newest rows again, whose runs may have come to match the filter."""
        mark, source, high = self._round, self._source, self._high
        low = max(self._low, high - RECENT)
        if self._unsearched >= low:
            return

        def question(store: Any) -> tuple[int, int, int, array[int]]:
            return mark, low, high, array("q", source.hits(store, low, high))

        self._reader.ask(f"{self._name}.recent", question, self._take_recent, owner=self)

    def _take_recent(self, found: tuple[int, int, int, array[int]]) -> None:
        mark, low, high, ids = found
        if mark != self._round:
            return
        start, end = bisect_left(self._ids, low), bisect_left(self._ids, high + 1)
        if self._ids[start:end] != ids:
            self._ids[start:end] = ids
            self.changed.emit()

    def _fetch(self, *, everything: bool) -> None:
        if self._fetching:
            return
        first, last = max(0, self._wanted[0] - MARGIN), min(self.count() - 1, self._wanted[1] + MARGIN)
        ids = [self.id_at(index) for index in range(first, last + 1)]
        if everything:
            self._stale = False
        elif all(row_id in self._rows for row_id in ids[self._wanted[0] - first : self._wanted[1] - first + 1]):
            return
        else:
            missing = [place for place, row_id in enumerate(ids) if row_id not in self._rows]
            ids = ids[missing[0] : missing[-1] + 1]
        if not ids:
            return
        self._fetching = True
        mark, source = self._round, self._source

        def question(store: Any) -> tuple[int, list[int], list[Row]]:
            return mark, ids, source.rows(store, ids)

        self._reader.ask(f"{self._name}.rows", question, self._take_rows, owner=self, problem=self._fetch_failed)

    def _fetch_failed(self, words: str) -> None:
        self._fetching = False
        self.problem.emit(words)

    def _take_rows(self, found: tuple[int, list[int], list[Row]]) -> None:
        mark, ids, rows = found
        if mark != self._round:
            return
        self._fetching = False
        for row in rows:
            self._rows[row.id] = row
            self._rows.move_to_end(row.id)
        if len(rows) < len(ids):
            here = {row.id for row in rows}
            for row_id in ids:
                if row_id not in here:
                    # An id without a row (retention took it) is painted as an empty line, and not asked for again.
                    self._rows[row_id] = Row(row_id, ())
        while len(self._rows) > KEPT_ROWS:
            self._rows.popitem(last=False)
        self.loaded.emit()
        self._fetch(everything=self._stale)
