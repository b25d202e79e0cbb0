"""Work off the Qt thread, answered on it.

Everything of the workbench that may take longer than a frame goes through `Background`: reading and writing scripts,
pages of tasks, layout of a graph, comparison, checks before a deployment.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot

log = logging.getLogger("signalbox.ui.compiler")

T = TypeVar("T")


class Superseded(Exception):
    """A newer piece of work of the same slot took the place of this one."""


class Background(QObject):
    """A few threads and one way back.

    A *slot* names what the answer is for: in one slot the newest wins, the answer of an older piece of work is dropped.
    """

    _answered = Signal(object)

    def __init__(self, parent: QObject | None = None, *, workers: int = 2) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="workbench")
        self._newest: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()
        self._closed = False
        self._answered.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        work: Callable[[Callable[[], None]], T],
        done: Callable[[T], None],
        failed: Callable[[Exception], None] | None = None,
        *,
        slot: str = "",
    ) -> None:
        """Run `work` on a thread and then `done` with its result on the Qt thread.

        Args:
            work: Gets a function to call now and then, which raises `Superseded` when nobody waits any more.
            done: Called on the Qt thread.
            failed: Called on the Qt thread with the exception; without it the exception is logged.
            slot: In one slot the newest wins; "" never supersedes.
        """
        if self._closed:
            return
        with self._lock:
            self._newest[slot] += 1
            ticket = self._newest[slot]

        def still_wanted() -> None:
            if self._closed or (slot and self._newest[slot] != ticket):
                raise Superseded

        def job() -> None:
            try:
                still_wanted()
                result = work(still_wanted)
            except Superseded:
                return
            except Exception as problem:  # handed to the caller's `failed`, on the thread that can show it
                if failed is None:
                    log.exception("Work for the job compiler window failed")
                else:
                    self._answer(slot, ticket, failed, problem)
                return
            self._answer(slot, ticket, done, result)

        self._pool.submit(job)

    def forget(self, slot: str) -> None:
        """Drop what is under way in a slot."""
        with self._lock:
            self._newest[slot] += 1

    def close(self) -> None:
        """Drop all work and end the threads; waits for the piece each is in."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _answer(self, slot: str, ticket: int, call: Callable[[Any], None], value: object) -> None:
        if not self._closed:
            self._answered.emit((slot, ticket, call, value))

    @Slot(object)
    def _deliver(self, answer: tuple[str, int, Callable[[Any], None], object]) -> None:
        slot, ticket, call, value = answer
        if self._closed or (slot and self._newest[slot] != ticket):
            return
        call(value)
