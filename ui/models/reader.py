"""One thread a store: every question of the window to the journal or the log is asked there, never on Qt's thread.

A question has a slot. While one waits in a slot a newer one takes its place, so that a storm of changes costs one
question at a time however fast the rows come.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from PySide6.QtCore import QObject, QTimer, Signal
from shiboken6 import isValid

log = logging.getLogger("signalbox.ui.reader")

VISIBLE_MS = 33
"""Pause between two looks at the store while somebody watches, in milliseconds."""
HIDDEN_MS = 500
"""The same while the window is hidden."""


class Store(Protocol):
    """What a reader needs of the journal or the log."""

    def data_version(self) -> int:
        """A number that differs after another connection wrote."""

    def close(self) -> None: ...


S = TypeVar("S", bound=Store)


@dataclass(slots=True)
class _Question:
    slot: str
    ask: Callable[[Any], Any]
    answer: Callable[[Any], None] | None
    problem: Callable[[str], None] | None
    owner: QObject | None
    serial: int


class _Signals(QObject):
    """Carries what the thread found to Qt's thread."""

    answered = Signal(object, object)
    refused = Signal(object, object)
    moved = Signal()
    opened = Signal()
    unavailable = Signal(str)


class Reader(QObject, Generic[S]):
    """Asks a store questions on a thread of its own.

    Args:
        name: Of the thread.
        open_store: Called on the thread.
        parent: Qt parent.
        pace: Milliseconds between two looks at the store while somebody watches.

    Signals:
        moved: somebody wrote to the store since the last look (at most once a look).
        opened: the store could be opened.
        unavailable: it could not; the reason in words. Tried again about once a second.
    """

    moved = Signal()
    opened = Signal()
    unavailable = Signal(str)

    def __init__(
        self, name: str, open_store: Callable[[], S], parent: QObject | None = None, *, pace: int = VISIBLE_MS
    ) -> None:
        super().__init__(parent)
        self._visible = pace
        self._open_store = open_store
        self._store: S | None = None
        self._version = -1
        self._said_unavailable = ""
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, _Question] = OrderedDict()
        self._latest: dict[str, int] = {}
        self._serial = 0
        self._asking: _Question | None = None
        self._looking = False
        self._skipped = 0
        self._closed = False
        self._signals = _Signals()
        self._signals.answered.connect(self._on_answered)
        self._signals.refused.connect(self._on_refused)
        self._signals.moved.connect(self.moved)
        self._signals.opened.connect(self.opened)
        self._signals.unavailable.connect(self.unavailable)
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"reader-{name}")
        self._pace = QTimer(self)
        self._pace.timeout.connect(self._look)
        self._pace.start(pace)

    def set_watched(self, watched: bool) -> None:
        """Look often while the window is visible, seldom while it is hidden."""
        self._pace.setInterval(self._visible if watched else HIDDEN_MS)

    def ask(
        self,
        slot: str,
        question: Callable[[S], Any],
        answer: Callable[[Any], None] | None = None,
        *,
        owner: QObject | None = None,
        problem: Callable[[str], None] | None = None,
    ) -> None:
        """Ask on the thread and answer on Qt's.

        Args:
            slot: A waiting question of the same slot is replaced, and only the newest one's answer is given.
            question: Called with the store.
            answer: Called with what it returned.
            owner: No answer is given once this object is gone.
            problem: Called with the reason, in words, when the question fails; else it is logged.
        """
        if self._closed:
            return
        with self._lock:
            self._serial += 1
            made = _Question(slot, question, answer, problem, owner, self._serial)
            self._latest[slot] = self._serial
            replaced = slot in self._waiting
            self._waiting[slot] = made
        if not replaced:
            self._pool.submit(self._work).add_done_callback(self._check)

    def close(self) -> None:
        """Stop the thread and close the store. Waits for the question being asked."""
        if self._closed:
            return
        self._closed = True
        self._pace.stop()
        with self._lock:
            self._waiting.clear()
        self._pool.submit(self._close_store)
        self._pool.shutdown(wait=True)

    # On the thread

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _ready(self) -> S:
        """The open store. What keeps it shut is raised, and told by `_check`."""
        self._asking = None
        if self._store is None:
            self._store = self._open_store()
            self._said_unavailable = ""
            self._version = -1
            self._signals.opened.emit()
        return self._store

    def _work(self) -> None:
        store = self._ready()
        with self._lock:
            if not self._waiting:
                return
            _slot, question = self._waiting.popitem(last=False)
        self._asking = question
        found = question.ask(store)
        if question.answer is not None:
            self._signals.answered.emit(question, found)
        # Not held until the next look: a dialog that is closed meanwhile would be destroyed on this thread.
        self._asking = None

    def _look_now(self) -> None:
        try:
            version = self._ready().data_version()
        finally:
            self._looking = False
        if version != self._version:
            self._version = version
            self._signals.moved.emit()
        if self._waiting:
            # Questions that came while the store could not be opened.
            for _ in range(len(self._waiting)):
                self._pool.submit(self._work).add_done_callback(self._check)

    def _check(self, future: Future[None]) -> None:
        """Tell what went wrong. Runs on the thread, before its next piece of work."""
        if future.cancelled() or (problem := future.exception()) is None:
            return
        if self._store is None:
            words = str(problem) or type(problem).__name__
            if words != self._said_unavailable:
                self._said_unavailable = words
                self._signals.unavailable.emit(words)
        elif self._asking is not None:
            self._signals.refused.emit(self._asking, problem)
        elif str(problem) != self._said_unavailable:
            self._said_unavailable = str(problem)
            log.error("A look at the journal failed: %s", problem)

    # On Qt's thread

    def _look(self) -> None:
        if self._looking or self._closed:
            return
        self._looking = True
        if self._store is None and self._said_unavailable:
            # A store that would not open is tried about once a second.
            self._skipped += 1
            if self._skipped % max(1, 1_000 // self._pace.interval()):
                self._looking = False
                return
        self._pool.submit(self._look_now).add_done_callback(self._check)

    def _wanted(self, question: _Question) -> bool:
        if self._closed or (question.owner is not None and not isValid(question.owner)):
            return False
        return self._latest.get(question.slot) == question.serial

    def _on_answered(self, question: _Question, found: object) -> None:
        if self._wanted(question) and question.answer is not None:
            question.answer(found)

    def _on_refused(self, question: _Question, problem: object) -> None:
        words = str(problem) or type(problem).__name__
        if self._wanted(question) and question.problem is not None:
            question.problem(words)
        else:
            log.error("The journal could not answer %r: %s", question.slot, words)
