"""What a kind of run promises the queue: handler plans, actions, tasks of jobs, undo and catch-up share it.

One queue, one claim, one retry, one cancel. A kind brings only its executor.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

from app.engine.doors import Doors, SiteDoor
from app.engine.protocol import Effect, PlanError
from app.journal.journal import Journal
from app.journal.queue import NewRun, QueuedRun
from app.journal.rows import RunState
from app.settings.models import EngineSettings

__all__ = [
    "Cut",
    "Ending",
    "NoProgress",
    "RunCancelled",
    "RunExecutor",
    "ShownElsewhere",
    "Stopping",
    "Tools",
    "registered",
]

T = TypeVar("T")


class RunCancelled(Exception):
    """A person cancelled the run."""


class NoProgress(Exception):
    """A slow step showed no sign of life for too long."""


class Stopping(Exception):
    """The engine ends in the middle of a slow step: the run goes on with the next start."""


class Cut(Exception):
    """The lever was moved to Off in the middle of a plan: the run is stopped and can be resumed."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How an execution ends.

    Attributes:
        state: "done" and the like end the runs; "queued" hands them to another lane; "waiting" until ``due``.
        reason: For a person.
        each: Run id to (state, reason) where the runs of a batch end differently.
        due: Not before this time, UTC epoch seconds.
        lane: "main", "heavy", or "outbox" (the messages' end is the run's end).
        follow_up: Runs to queue in the same transaction.
    """

    state: RunState
    reason: str = ""
    each: Mapping[int, tuple[RunState, str]] = field(default_factory=dict)
    due: float | None = None
    lane: str | None = None
    follow_up: tuple[NewRun, ...] = ()


@dataclass(slots=True)
class Tools:
    """What an executor works with, for one execution.

    Attributes:
        journal: The journal.
        doors: All doors.
        kinds: Kind of effect to class.
        settings: The engine's settings.
        lane: "main" or "heavy": where this execution runs.
        cancel: Set when a person cancels, when nothing was heard for too long, or when the engine ends.
        stopping: It is the engine that ends.
        log: The run's log.
        told: Hears what is shown beside the run, too.
    """

    journal: Journal
    doors: Doors
    kinds: Mapping[str, type[Effect]]
    settings: EngineSettings
    lane: str
    log: logging.LoggerAdapter[logging.Logger]
    cancel: threading.Event = field(default_factory=threading.Event)
    cancel_reason: str = ""
    stopping: bool = False
    last_sign: float = field(default_factory=time.monotonic)
    told: Callable[[str], None] | None = None
    _site: SiteDoor | None = None
    _shown: tuple[str, float] = ("", 0.0)

    @property
    def site(self) -> SiteDoor:
        """The thread's door to the site, fresh for this execution."""
        if self._site is None:
            self._site = self.doors.site()
            self._site.fresh()
        return self._site

    def section(self, name: str) -> Callable[[str], Any]:
        """A section of the settings, for a project by its name."""
        return lambda project: self.doors.settings(name, project=project or None)

    def sign_of_life(self, run_id: int, words: str) -> None:
        """Show progress beside the run, at most four times a second, and put off the no-progress time-out."""
        now = time.monotonic()
        self.last_sign = now
        if words != self._shown[0] and now - self._shown[1] > 0.25:
            self._shown = (words, now)
            self.journal.set_progress(run_id, words)
            if self.told is not None:
                self.told(words)

    def step_ended(self) -> None:
        """A step ended: it is no silence that many follow each other without words."""
        self.last_sign = time.monotonic()

    def check_cancel(self, run_id: int) -> None:
        """Raise when the execution shall not go on.

        Raises:
            RunCancelled, NoProgress, Stopping.
        """
        if self.stopping:
            raise Stopping("goes on when Signalbox runs again")
        if self.cancel.is_set():
            if self.cancel_reason:
                raise NoProgress(self.cancel_reason)
            raise RunCancelled("cancelled")
        if self.journal.cancel_asked(run_id):
            raise RunCancelled("cancelled")


def registered(those: Mapping[str, T], run: QueuedRun, what: str) -> T:
    """The handler or action of a run. Raises PlanError when it is gone."""
    found = those.get(run.handler)
    if found is None:
        raise PlanError(f"there is no {what} {run.handler!r} here (any more)")
    return found


class RunExecutor(Protocol):
    """Executes runs of one kind.

    It is called with the runs a claim took (one, or a batch that shares a plan) and returns how they end. What it
    raises is treated alike for every kind: `Later` waits, `PlanError` fails, the rest is retried where worth it.
    It must be able to start over, or resume, after the process ended at any moment.
    """

    def execute(self, batch: Sequence[QueuedRun], tools: Tools) -> Ending:
        """Do the work of ``batch[0]`` and of those that joined it."""


@runtime_checkable
class ShownElsewhere(Protocol):
    """An executor whose runs are shown outside the journal too, as a Job on ftrack."""

    def cancelled(self, run: QueuedRun, journal: Journal, words: str) -> None:
        """A run that waited is being cancelled, in this transaction: write down that what is shown of it has to end."""

    def tell(self, journal: Journal, doors: Doors) -> bool:
        """Show the ends that are written down and were not shown yet; whether some are left, as the site is away."""


#: Tells the pools that there is something to do.
Poke = Callable[[], None]
