"""Questions to the site, asked off Qt's thread and answered on it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from shiboken6 import isValid

if TYPE_CHECKING:
    # ftrack's client is loaded on the threads, after the first paint.
    from app.service.browser import Desk

log = logging.getLogger("signalbox.ui.desk")

_EXPECTED = frozenset(
    {"PlanError", "SettingsError", "MediaRefused", "PathRefused", "SiteRefusal", "SiteUnreachable", "WrongKey"}
    | {"NotFtrack", "JournalError", "JournalBusy", "JournalReadOnly", "TableError", "ProgramMissing", "Later"}
)
"""Errors whose text is meant for a person; by name, since the window knows neither site nor engine."""


def words_of(problem: BaseException) -> str:
    """A failure in a person's words; what nobody foresaw goes to the log with its traceback."""
    from app.settings.redact import redact

    kinds = {kind.__name__ for kind in type(problem).__mro__}
    if kinds & _EXPECTED or isinstance(problem, OSError):
        return redact(str(problem)) or type(problem).__name__
    log.error("a question could not be answered", exc_info=problem)
    return f"Something went wrong here ({type(problem).__name__}); the log has the details."


@dataclass(slots=True)
class _Question:
    slot: str
    serial: int
    answer: Callable[[Any], None] | None
    problem: Callable[[str], None] | None
    owner: QObject | None


class SiteDesk(QObject):
    """Asks a desk. Two questions at a time; of one slot only the newest is answered.

    Args:
        make: Makes the desk, on a thread, when it is first needed.
        embedded: Whether it is the demo's own site: only there may statuses be set.

    Signals:
        trouble: a question failed that nobody waited for.
    """

    trouble = Signal(str)
    _answered = Signal(object, object)
    _failed = Signal(object, object)

    def __init__(self, make: Callable[[], Desk], *, embedded: bool = False, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.embedded = embedded
        self._make = make
        self._desk: Desk | None = None
        self._lock = threading.Lock()
        self._serial = 0
        self._latest: dict[str, int] = {}
        self._closed = False
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="reader-desk")
        self._answered.connect(self._on_answered)
        self._failed.connect(self._on_failed)

    def ask(
        self,
        slot: str,
        question: Callable[[Desk], Any],
        answer: Callable[[Any], None] | None = None,
        *,
        owner: QObject | None = None,
        problem: Callable[[str], None] | None = None,
    ) -> None:
        """Ask on a thread, answer on Qt's.

        Args:
            slot: Only the newest question of a slot is answered.
            question: Called with the desk.
            answer: Called with what it returned.
            owner: No answer is given once this object is gone.
            problem: Called with the reason in words when it fails; else `trouble` tells it.
        """
        if self._closed:
            return
        self._serial += 1
        made = _Question(slot, self._serial, answer, problem, owner)
        self._latest[slot] = self._serial

        def work() -> Any:
            # A question that was replaced while it waited is not asked at all.
            return question(self._ready()) if self._latest.get(slot) == made.serial else None

        self._pool.submit(work).add_done_callback(lambda future: self._over(made, future))

    def close(self) -> None:
        """Ask nothing more; what is being asked ends by itself and then lets go of the site."""
        if self._closed:
            return
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        threading.Thread(target=self._finish, name="reader-desk-end", daemon=True).start()

    def _finish(self) -> None:
        self._pool.shutdown(wait=True)
        if self._desk is not None:
            self._desk.close()

    def _ready(self) -> Desk:
        with self._lock:
            if self._desk is None:
                self._desk = self._make()
            return self._desk

    def _over(self, question: _Question, future: Future[Any]) -> None:
        """On the asking thread."""
        if future.cancelled() or self._closed:
            return
        problem = future.exception()
        if problem is not None:
            self._failed.emit(question, words_of(problem))
        else:
            self._answered.emit(question, future.result())

    def _wanted(self, question: _Question) -> bool:
        if self._closed or (question.owner is not None and not isValid(question.owner)):
            return False
        return self._latest.get(question.slot) == question.serial

    def _on_answered(self, question: _Question, found: object) -> None:
        if self._wanted(question) and question.answer is not None:
            question.answer(found)

    def _on_failed(self, question: _Question, words: object) -> None:
        if not self._wanted(question):
            return
        if question.problem is not None:
            question.problem(str(words))
        else:
            self.trouble.emit(str(words))
