"""The live preview: waits for a pause in typing, compiles, and lets only newer results through.

`TaskSource` is a result's tasks as the window reads them: columns at once, commands in pages, kept here because the
compiler keeps only its newest few results while the last good preview may be looked at for an hour.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from app.jobs.api import (
    CompileHandleLike,
    CompileRequest,
    CompileResult,
    CompilerPoolLike,
    OutcomeKind,
    TaskColumns,
)
from app.jobs.model import PAGE_SIZE
from ui.compiler.background import Background, Superseded
from ui.graph.layout import name_patterns

log = logging.getLogger("signalbox.ui.compiler")

PAGE = PAGE_SIZE
"""Tasks per page: the compiler's own, so that each is decoded once."""
KEEP_ALL_UP_TO = 20_000
"""Results of at most so many tasks are read whole in the background."""


class PreviewRunner(QObject):
    """Debounces, submits, and marshals results to the Qt thread.

    Signals:
        started: a compilation was submitted (its generation).
        finished: a result that is newer than all shown before (result, generation, milliseconds since submission).
    """

    started = Signal(int)
    finished = Signal(object, int, float)
    _arrived = Signal(object, int)

    def __init__(self, pool: CompilerPoolLike, parent: QObject | None = None, *, debounce_ms: int = 180) -> None:
        super().__init__(parent)
        self._pool = pool
        self._make: Callable[[], CompileRequest] | None = None
        self._generation = 0
        self._shown = 0
        self._submitted: dict[int, float] = {}
        self._handle: CompileHandleLike | None = None
        self._closed = False
        # Submitting reads the scripts folder, which may be a slow mount: one thread of its own, so in order.
        self._sender = Background(self, workers=1)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(debounce_ms)
        self._timer.timeout.connect(self._submit)
        self._arrived.connect(self._receive, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        """Whether a compilation is waiting for its pause or under way."""
        return self._timer.isActive() or bool(self._submitted)

    def request(self, make: Callable[[], CompileRequest], *, now: bool = False) -> None:
        """Ask for a preview; `make` is called after the pause, on the Qt thread, so that only the last text is read."""
        self._make = make
        if now:
            self._timer.stop()
            self._submit()
        else:
            self._timer.start()

    def reset(self) -> None:
        """Forget what is under way: another script is on the table."""
        self._timer.stop()
        self._shown = self._generation
        self._submitted.clear()
        if self._handle is not None:
            self._handle.cancel()

    def close(self) -> None:
        """Stop for good."""
        self._closed = True
        self.reset()
        self._sender.close()

    def _submit(self) -> None:
        if self._make is None or self._closed:
            return
        self._generation += 1
        generation = self._generation
        self._submitted[generation] = time.perf_counter()
        request = self._make()
        self.started.emit(generation)

        def send(_still_wanted: object) -> None:
            handle = self._handle = self._pool.submit(request, channel="preview")
            # The pool calls back from its own thread: only the signal crosses over.
            handle.add_done_callback(lambda done: self._arrive(done, generation))

        self._sender.run(send, lambda _nothing: None, lambda problem: self._refused(problem, generation), slot="send")

    def _refused(self, problem: Exception, generation: int) -> None:
        self._submitted.pop(generation, None)
        log.error("A preview could not be started: %s", problem)

    def _arrive(self, handle: CompileHandleLike, generation: int) -> None:
        if not self._closed:
            self._arrived.emit(handle.result(0), generation)

    @Slot(object, int)
    def _receive(self, result: CompileResult, generation: int) -> None:
        began = self._submitted.pop(generation, None)
        # What a newer request pushed aside before it was sent never answers.
        for older in [number for number in self._submitted if number < generation]:
            del self._submitted[older]
        if self._closed or began is None or generation <= self._shown or result.outcome is OutcomeKind.CANCELLED:
            return
        self._shown = generation
        self.finished.emit(result, generation, (time.perf_counter() - began) * 1000)


def wait_for(handle: CompileHandleLike, still_wanted: Callable[[], None]) -> CompileResult:
    """The result of a compilation on a worker thread, given up as soon as nobody wants it.

    Raises:
        Superseded: as `still_wanted` does; the compilation is cancelled.
    """
    while True:
        try:
            return handle.result(0.2)
        except TimeoutError:
            try:
                still_wanted()
            except Superseded:
                handle.cancel()
                raise


class TaskSource:
    """The tasks of one result. Its `load_` methods go through the pool and may block: worker threads only."""

    def __init__(self, pool: CompilerPoolLike, result: CompileResult) -> None:
        self._pool = pool
        self.result = result
        self.columns: TaskColumns | None = None
        self.patterns: Counter[tuple[str, str]] = Counter()
        self._pages: dict[int, list[dict[str, Any]]] = {}

    def __len__(self) -> int:
        return self.result.summary.tasks

    @property
    def complete(self) -> bool:
        """Whether every task is here."""
        return len(self._pages) * PAGE >= len(self)

    def load_columns(self) -> TaskColumns:
        """Names, types and dependencies of all tasks, and their name patterns.

        Raises:
            KeyError: the compiler no longer keeps the result.
        """
        if self.columns is None:
            self.columns = self._pool.columns(self.result.result_id)
            self.patterns = name_patterns(self.columns.names, self.columns.types)
        return self.columns

    def load_page(self, number: int) -> list[dict[str, Any]]:
        """Tasks [number * PAGE, ...). KeyError when the compiler no longer keeps the result."""
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = self._pool.pages(self.result.result_id, number * PAGE, PAGE)
        return page

    def load_all(self, still_wanted: Callable[[], None]) -> bool:
        """Read every page, unless there are more than `KEEP_ALL_UP_TO` tasks; whether all are here now."""
        if len(self) > KEEP_ALL_UP_TO:
            return False
        for number in range((len(self) + PAGE - 1) // PAGE):
            still_wanted()
            self.load_page(number)
        return True

    def peek(self, place: int) -> dict[str, Any] | None:
        """The task when its page is here, else None. Never blocks."""
        page = self._pages.get(place // PAGE)
        return page[place % PAGE] if page is not None and place % PAGE < len(page) else None

    def all_tasks(self) -> list[dict[str, Any]]:
        """Every task that is here, in order; all of them when `complete`."""
        return [task for number in sorted(self._pages) for task in self._pages[number]]
