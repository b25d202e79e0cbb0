"""Executes claimed runs, whatever their kind, and writes down how they ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.engine.doors import Doors
from app.engine.endings import ending_of
from app.engine.executor import Cut, Ending, NoProgress, Poke, RunCancelled, RunExecutor, Stopping, Tools
from app.engine.protocol import Effect, Later
from app.engine.retry import decide
from app.journal.journal import Journal
from app.journal.queue import QueuedRun
from app.journal.rows import JournalUnwritable, RunKind, RunState
from app.rules.words import many
from app.settings.models import EngineSettings
from app.settings.redact import redact

__all__ = ["Runner"]

log = logging.getLogger("signalbox.run")

#: Seconds between attempts to write to a full disk.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
#: Ends that are told in the log here; failures and retries are told where they happen.
_SAID: frozenset[RunState] = frozenset({"done", "skipped", "planned", "superseded", "stopped", "cancelled"})


@dataclass(slots=True)
class Runner:
    """One for the process; threads share it.

    Attributes:
        journal: The journal.
        doors: All doors; ``doors.site()`` gives the thread's own.
        kinds: Kind of effect to class.
        executors: Kind of run to its executor.
        settings: The engine's settings, read for each run.
        poke: Tells the pools that keys were freed or runs were added.
    """

    journal: Journal
    doors: Doors
    kinds: Mapping[str, type[Effect]]
    executors: Mapping[RunKind, RunExecutor]
    settings: Callable[[], EngineSettings]
    poke: Poke

    def tools(self, batch: Sequence[QueuedRun], lane: str) -> Tools:
        """The tools of one execution, made before it starts so that others can cancel it."""
        own = logging.LoggerAdapter(log, batch[0].log_fields)
        return Tools(self.journal, self.doors, self.kinds, self.settings(), lane, own)

    def execute(self, batch: Sequence[QueuedRun], tools: Tools) -> None:
        """Execute claimed runs and write down how they ended. Never raises for what a run does."""
        run = batch[0]
        failed: Exception | None = None
        try:
            executor = self.executors.get(run.kind)
            if executor is None:
                ending = Ending("failed", f"this program cannot execute runs of the kind {run.kind!r}")
            else:
                ending = executor.execute(batch, tools)
        except Later as later:
            ending = Ending("waiting", str(later), due=self.journal.now() + later.seconds)
        except Cut as cut:
            ending = Ending("stopped", str(cut))
        except RunCancelled as cancelled:
            ending = Ending("cancelled", str(cancelled))
        except Stopping as stopping:
            ending = Ending("queued", str(stopping), lane=tools.lane)
        except NoProgress as silent:
            ending, failed = Ending("failed", str(silent)), silent
        except Exception as error:  # noqa: BLE001 - what a handler does wrong is its run's failure, not the worker's end
            ending, failed = self._failure(run, error, tools), error
        self._write_down(batch, ending, failed)

    def _write_down(self, batch: Sequence[QueuedRun], ending: Ending, failed: Exception | None) -> None:
        """A full disk is waited out: a run whose end nobody wrote down would be at work for ever."""
        pause = _FIRST_PAUSE
        while True:
            try:
                self._finish(batch, ending, failed)
            except JournalUnwritable as error:
                log.error("the end of run %d waits %.0f s: %s", batch[0].id, pause, error)
                threading.Event().wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return

    def _failure(self, run: QueuedRun, error: Exception, tools: Tools) -> Ending:
        text = redact(_words(error))
        decision = decide(error, run.attempts, tools.settings)
        if decision.again:
            tools.log.warning("attempt %d failed, again in %.0f s: %s", run.attempts + 1, decision.seconds, text)
            return Ending("retry", text, due=self.journal.now() + decision.seconds)
        tools.log.error("failed: %s", text, exc_info=error if decision.counts else None)
        return Ending("failed", text)

    def _finish(self, batch: Sequence[QueuedRun], ending: Ending, failed: Exception | None) -> None:
        run = batch[0]
        journal = self.journal
        with journal.write():
            if ending.lane == "outbox" and not journal.open_messages(run.id):
                # The outbox was faster than this thread: the run has ended already.
                ending = ending_of(journal, run, batch)
            waits = ending.state in ("queued", "retry", "waiting")
            # Without a plan the runs that joined may join again; with one they stay with it.
            release = waits and run.kind == "handler" and journal.queued_run(run.id).plan is None
            for each in batch:
                state, reason = ending.each.get(each.id, (ending.state, ending.reason))
                journal.set_state(
                    [each.id],
                    "queued" if release and each is not run else state,
                    reason,
                    due=ending.due,
                    lane=ending.lane,
                    failed_attempt=ending.state == "retry" and each is run,
                    release=release and each is not run,
                )
            if ending.state in ("cancelled", "stopped", "failed"):
                self._set_aside(run.id)
            if ending.follow_up:
                journal.add_runs(ending.follow_up)
            self._mind_breaker(run, ending, failed)
        self._say(batch, ending)
        # What this run's key held up is taken by the thread that comes free now; others hear only of what is new.
        if ending.lane is not None or ending.follow_up or release:
            self.poke()

    def _say(self, batch: Sequence[QueuedRun], ending: Ending) -> None:
        """One line a run in the log, as people who read the plain file expect it; what failed was said before."""
        for run in batch:
            state, reason = ending.each.get(run.id, (ending.state, ending.reason))
            if state not in _SAID:
                continue
            log.info("%s: %s%s", self._name(run), state, f": {reason}" if reason else "", extra=run.log_fields)

    def _name(self, run: QueuedRun) -> str:
        """What a run is about, as a person knows it: an id says nothing."""
        name = run.entity or self.journal.name_of(run.entity_id)
        if name:
            return name
        return f"{run.entity_type or 'something'} whose name is not known" if run.entity_id else run.handler

    def _set_aside(self, run_id: int) -> None:
        """Messages of a run that ended otherwise are not sent behind its back."""
        waiting = [each for each in self.journal.messages_of(run_id) if each.state == "queued"]
        if waiting:
            self.journal.settle([each.id for each in waiting], "cancelled", error="the run ended before it was sent")
            self.journal.mark_effects([each.effect_id for each in waiting], "planned")

    def _mind_breaker(self, run: QueuedRun, ending: Ending, failed: Exception | None) -> None:
        if run.kind != "handler":
            return
        settings = self.settings()
        if ending.state in ("done", "skipped", "superseded", "planned"):
            self.journal.count_success(run.handler)
            return
        if failed is None or not decide(failed, run.attempts, settings).counts:
            return
        failures = self.journal.count_failure(run.handler)
        if settings.breaker_failures and failures >= settings.breaker_failures and not self._open(run.handler):
            reason = f"paused after {many(failures, 'failure')} in a row; the last: {ending.reason}"
            self.journal.open_breaker(run.handler, reason)
            log.error("%s is %s", run.handler, reason, extra=run.log_fields)

    def _open(self, handler: str) -> bool:
        return bool(self.journal.lever(handler)[1])


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        # Without its number, which says nothing to a TD.
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    text = str(error).strip()
    known = type(error).__module__.startswith("app.") or isinstance(error, OSError)
    if known and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
