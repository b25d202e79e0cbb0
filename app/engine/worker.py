"""The engine's threads: dispatch and orders, runs in parallel, slow effects, the outbox; and the worker's loop."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from app.engine.catalogue import write_catalogue
from app.engine.catch_up import CatchUp
from app.engine.crash import crash_point
from app.engine.deciding import ActionPlans, HandlerPlans
from app.engine.dispatch import Dispatcher
from app.engine.doors import Doors
from app.engine.executor import Ending, RunExecutor, ShownElsewhere, Tools
from app.engine.orders import Orders
from app.engine.outbox import OutboxSender
from app.engine.protocol import Action, Effect, Handler
from app.engine.recovery import recover_runs
from app.engine.registry import HandlerRegistry
from app.engine.runner import Runner
from app.engine.undo import Undo
from app.journal.journal import Journal
from app.journal.queue import QueuedRun
from app.journal.rows import RunKind
from app.process.signals import SignalInbox
from app.settings.models import EngineSettings

__all__ = ["Engine", "run_worker"]

log = logging.getLogger("signalbox.engine")

#: A run at work for longer no longer counts as one of the parallel ones: somebody else may take its place, so that a
#: handler that blocks delays nobody.
_BLOCKED_AFTER = 0.06
#: An extra thread that found nothing to do for so long ends.
_IDLE_SECONDS = 20.0
_CHECKPOINT_EVERY = 10.0
_SETTINGS_SECONDS = 0.25
#: A clock that is set back by less is a clock that is being kept right.
_STEP_SECONDS = 2.0
#: How often the teller looks whether something is to be told although nobody rang.
_TELL_SECONDS = 5.0
#: However rarely work is looked for: signs of life are given more often.
_LONGEST_POLL = 5.0


@dataclass(slots=True)
class _Work:
    """A run at work. ``silent``: it was told that nothing is heard of it."""

    tools: Tools
    run: QueuedRun
    lane: str
    since: float
    silent: bool = False


@dataclass(slots=True)
class _Bell:
    """Wakes one thread of a pool; a ring while nobody waits is kept for the next who would wait."""

    condition: threading.Condition = field(default_factory=threading.Condition)
    rung: bool = False
    closed: bool = False

    def close(self) -> None:
        """Wake all, now and for ever."""
        with self.condition:
            self.closed = True
            self.condition.notify_all()

    def ring(self) -> None:
        with self.condition:
            self.rung = True
            self.condition.notify()

    def wait(self, seconds: float) -> None:
        with self.condition:
            if not self.rung and not self.closed:
                self.condition.wait(seconds)
            self.rung = False


class Engine:
    """Everything that happens between the journal and the doors.

    Args:
        journal: Opened in mode "engine".
        doors: All doors; ``doors.settings("engine")`` is read again and again, so that a change takes effect.
        handlers: In the order in which they are asked.
        actions: In the order of the menu.
        kinds: Kind of effect to class (`app.effects.KINDS`).
        executors: Executors of further kinds of runs ("task").
        reload: Reads the settings again, for the order "reload_settings".
        sources: Id of a handler or action to the plug-in's file.
        errors: Id to why a plug-in's newest version did not load.
        alive: Called at least every few seconds by the thread that moves events and orders on, while it does.
    """

    def __init__(
        self,
        journal: Journal,
        doors: Doors,
        handlers: Sequence[Handler],
        actions: Sequence[Action] = (),
        *,
        kinds: Mapping[str, type[Effect]],
        executors: Mapping[RunKind, RunExecutor] | None = None,
        reload: Callable[[], None] = lambda: None,
        sources: Mapping[str, str] | None = None,
        errors: Mapping[str, str] | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self.journal = journal
        self._alive = alive
        self._doors = doors
        self._handlers = HandlerRegistry(handlers)
        self._actions = {each.id: each for each in actions}
        self._kinds = kinds
        self._more = dict(executors or {})
        self._reload = reload
        self._sources = sources
        self._errors = errors
        self._stop = threading.Event()
        self._bell = _Bell()
        self._heavy_bell = _Bell()
        self._rest_bell = _Bell()
        self._known_settings: tuple[float, EngineSettings] | None = None
        self._pump_bell = _Bell()
        self._outbox_bell = _Bell()
        self._tell_bell = _Bell()
        self._bells = (self._pump_bell, self._bell, self._heavy_bell, self._outbox_bell, self._rest_bell)
        self._claiming = threading.Lock()
        self._working: dict[int, _Work] = {}
        self._threads: list[threading.Thread] = []
        #: An earlier process may have left its word.
        self._silent = any(row.name == "plans" for row in journal.health())
        self._runner = Runner(journal, doors, kinds, self._executors(), self._settings, self.poke)
        self._dispatcher = Dispatcher(journal, self._handlers, self._settings, doors.site)
        self._orders = Orders(
            journal,
            self._dispatcher,
            self._handlers,
            self._actions,
            self._settings,
            self._cancel,
            self._cancelled,
            reload,
        )
        self._clock = journal.now() - time.monotonic()
        self._outbox = OutboxSender(journal, doors, kinds, self._settings, self.poke)

    def _settings(self) -> EngineSettings:
        """The engine's settings; asked for some thousand times a second, so looked up four times a second."""
        known, now = self._known_settings, time.monotonic()
        if known is None or now - known[0] > _SETTINGS_SECONDS:
            known = (now, self._doors.settings("engine"))
            self._known_settings = known
        return known[1]

    def _executors(self) -> dict[RunKind, RunExecutor]:
        plans, undo = HandlerPlans(self._handlers), Undo()
        executors: dict[RunKind, RunExecutor] = {
            "handler": plans,
            "preview": _Preview(plans, undo),
            "action": ActionPlans(self._actions),
            "undo": undo,
            "catch_up": CatchUp(self._handlers, self.poke),
        }
        return executors | self._more

    # -- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Recover what an earlier process left, then start the threads."""
        settings = self._settings()
        self._write_catalogue(self._handlers.values())
        recover_runs(self.journal)
        self._thread("pump", self._pump)
        self._thread("outbox", self._send)
        self._thread("teller", self._tell)
        for number in range(settings.workers):
            self._thread(f"worker-{number}", self._work)
        for number in range(settings.heavy_workers):
            self._thread(f"heavy-{number}", self._heavy)

    def set_handlers(self, handlers: Sequence[Handler], sources: Mapping[str, str], errors: Mapping[str, str]) -> None:
        """Go on with these handlers; runs at work end with those they began with.

        Args:
            handlers: In the order in which they are asked.
            sources: Id to the plug-in's file; others are built in.
            errors: Id to why the newest version of a plug-in did not load.
        """
        self._sources, self._errors = dict(sources), dict(errors)
        self._write_catalogue(handlers)  # first the levers: a new handler does nothing before it has its own
        self._handlers.replace(handlers)
        self.poke()

    def _write_catalogue(self, handlers: Iterable[Handler]) -> None:
        position = self._settings().first_position
        with self.journal.write():
            write_catalogue(self.journal, handlers, self._actions.values(), position, self._sources, self._errors)

    def stop(self, seconds: float = 10.0) -> bool:
        """End the threads after the runs at work; True when all ended in time.

        A slow step is broken off, and its run is queued again. A run that did not end is an orphan for the next start.
        """
        self._stop.set()
        for work in list(self._working.values()):
            if work.lane == "heavy":
                work.tools.stopping = True
                work.tools.cancel.set()
        for bell in (*self._bells, self._tell_bell):
            bell.close()
        until = time.monotonic() + seconds
        for thread in list(self._threads):
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def poke(self) -> None:
        """There is something to do: events, orders, freed keys or messages."""
        for bell in self._bells:
            bell.ring()

    def _thread(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._guarded, args=(target,), name=f"engine-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _guarded(self, target: Callable[[], None]) -> None:
        """A thread of the engine never ends because of one failure: it says so and goes on."""
        try:
            while not self._stop.is_set():
                try:
                    target()
                    return
                except Exception:
                    log.exception("%s failed, goes on", threading.current_thread().name)
                    self._stop.wait(1.0)
        finally:
            self._doors.close_thread()
            self.journal.close_thread()

    # -- dispatch and orders --------------------------------------------------------------------------

    def _pump(self) -> None:
        version, moved = -1, time.monotonic()
        while not self._stop.is_set():
            self._alive()
            now_version = self.journal.data_version()
            if now_version != version:
                version = now_version
                dispatched, ordered = self._dispatcher.run(), self._orders.run()
                if ordered:
                    self._tell_bell.ring()
                if dispatched + ordered:
                    self._bell.ring()
                    self._rest_bell.ring()
            self._watch_silence()
            self._watch_clock()
            now = time.monotonic()
            if now - moved > _CHECKPOINT_EVERY or self.journal.log_is_long():
                moved = now
                self.journal.checkpoint()
            self._pump_bell.wait(min(self._settings().poll, _LONGEST_POLL))

    def _watch_clock(self) -> None:
        """Times in the journal are the wall clock's: set back by an hour, it would make a pause an hour longer."""
        offset = self.journal.now() - time.monotonic()
        back, self._clock = self._clock - offset, offset
        if back > _STEP_SECONDS:
            log.warning(
                "the clock of this machine went back by %.0f s: what waits for its time is brought forward", back
            )
            self._outbox.forget_pace()
            self.journal.bring_forward(back)
            self.poke()

    def _watch_silence(self) -> None:
        """End slow steps that showed no sign of life for too long. A plan cannot be ended: it is told of."""
        limit = self._settings().no_progress
        silent = []
        for work in list(self._working.values()):
            if time.monotonic() - work.tools.last_sign <= limit:
                continue
            if work.lane == "heavy":
                if not work.tools.cancel.is_set():
                    work.tools.cancel_reason = f"no progress for {limit:g} s"
                    work.tools.cancel.set()
                continue
            silent.append(work.run)
            if not work.silent:
                work.silent = True
                self._tell_silence(work.run, limit)
        if silent or self._silent:
            self._silent = bool(silent)
            words = "; ".join(f"{run.handler} does not return: {_which(run)}" for run in silent)
            self.journal.set_health("plans", "warning" if silent else "ok", words or "every plan returns")

    def _tell_silence(self, run: QueuedRun, limit: float) -> None:
        words = f"no sign of life for {limit:g} s"
        self.journal.set_progress(run.id, f"{words}: see the log")
        log.warning(
            "%s does not return: %s shows %s and holds up what follows it. Set its lever to Off and start the event "
            "server anew, then look what it waits for (a drive, another server, a loop without an end)",
            run.handler,
            _which(run),
            words,
            extra=run.log_fields,
        )

    # -- runs ----------------------------------------------------------------------------------------------------

    def _warm(self) -> None:
        """Open the thread's session before the first run needs it; a site that is away is met again there."""
        try:
            self._doors.site().warm()
        except Exception as error:  # noqa: BLE001 - whatever it is, the run that needs the site says it properly
            log.debug("the site cannot be reached yet: %s", error)

    def _work(self) -> None:
        self._warm()
        idle_since = time.monotonic()
        while not self._stop.is_set():
            batch = self._claim("main")
            if batch:
                # There may be more: the next one takes it while this one works.
                self._bell.ring()
                self._execute(batch)
                idle_since = time.monotonic()
                continue
            self._bell.wait(self._patience())
            if time.monotonic() - idle_since > _IDLE_SECONDS and self._spare():
                return

    def _spare(self) -> bool:
        """Whether this thread is one too many."""
        with self._claiming:
            alive = sum(thread.is_alive() and "worker" in thread.name for thread in self._threads)
            if alive <= self._settings().workers + 1:
                return False
            self._threads.remove(threading.current_thread())
            return True

    def _patience(self) -> float:
        """Seconds until a worker looks again by itself: a run is due, or one at work counts as blocked by then."""
        seconds = 5.0
        due = self.journal.next_due()
        if due is not None:
            seconds = min(seconds, max(0.005, due - self.journal.now()))
        young = [work.since for work in list(self._working.values()) if work.lane == "main"]
        if young:
            until = max(young) + _BLOCKED_AFTER - time.monotonic()
            if until > 0:
                seconds = min(seconds, until + 0.002)
        return seconds

    def _claim(self, lane: str) -> list[QueuedRun]:
        settings = self._settings()
        with self._claiming:
            now = time.monotonic()
            main = [work for work in self._working.values() if work.lane == "main"]
            if lane == "main" and sum(now - work.since < _BLOCKED_AFTER for work in main) >= settings.workers:
                return []
            at_work: dict[str, int] = {}
            for work in main:
                at_work[work.run.handler] = at_work.get(work.run.handler, 0) + 1
            busy = [handler for handler, number in at_work.items() if number >= settings.workers]
            batch = self.journal.claim(lane, self._batch_of, busy if lane == "main" else ())
            if not batch:
                return []
            tools = self._runner.tools(batch, lane)
            self._working[batch[0].id] = _Work(tools, batch[0], lane, now)
            if lane == "main" and self._short_of_threads(len(main) + 1, settings):
                self._thread(f"worker-{len(self._threads)}", self._work)
        crash_point("claim")
        return batch

    def _short_of_threads(self, at_work: int, settings: EngineSettings) -> bool:
        """Whether every thread has a run, so that nobody could take the place of one that blocks."""
        threads = sum("worker" in thread.name for thread in self._threads)
        return threads <= at_work and threads < settings.workers * (1 + min(len(self._handlers), 4))

    def _batch_of(self, handler: str) -> int:
        found = self._handlers.get(handler)
        return found.batch if found is not None else 1

    def _execute(self, batch: list[QueuedRun]) -> None:
        work = self._working[batch[0].id]
        try:
            self._runner.execute(batch, work.tools)
        finally:
            # A run that went on to another lane may be at work there already: only this thread's own entry goes.
            with self._claiming:
                if self._working.get(batch[0].id) is work:
                    del self._working[batch[0].id]
            self._rest_bell.ring()

    def _heavy(self) -> None:
        while not self._stop.is_set():
            batch = self._claim("heavy")
            if batch:
                self._heavy_bell.ring()
                self._execute(batch)
                continue
            self._heavy_bell.wait(2.0)

    def _cancel(self, run_id: int) -> None:
        work = self._working.get(run_id)
        if work is not None:
            work.tools.cancel.set()

    def _cancelled(self, run: QueuedRun, words: str) -> None:
        """What is shown of a cancelled run elsewhere has to end, now or when the site is back."""
        executor = self._runner.executors.get(run.kind)
        if isinstance(executor, ShownElsewhere):
            executor.cancelled(run, self.journal, words)

    def _tell(self) -> None:
        """Show elsewhere how runs ended; while the site is away with growing pauses."""
        showing = [each for each in self._runner.executors.values() if isinstance(each, ShownElsewhere)]
        tries = 0
        while showing and not self._stop.is_set():
            settings = self._settings()
            left = sum(each.tell(self.journal, self._doors) for each in showing) > 0
            tries = tries + 1 if left else 0
            pause = min(settings.retry_longest, settings.retry_first * 2.0 ** min(tries, 20)) if left else _TELL_SECONDS
            self._tell_bell.wait(pause)

    def _send(self) -> None:
        self._outbox.recover()
        while not self._stop.is_set():
            wait = self._outbox.run()
            self._outbox_bell.wait(min(5.0, wait if wait is not None else 5.0))

    # -- for tests and for a graceful end ------------------------------------------------------------------------

    def wait_idle(self, seconds: float) -> bool:
        """Wait until nothing is left to do now (runs that wait for their time apart); False when it took too long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._at_rest():
                return True
            self._rest_bell.wait(0.02)
        return self._at_rest()

    def _at_rest(self) -> bool:
        # Under the claim's lock: a run is either still due or already at work.
        with self._claiming:
            journal = self.journal
            if max(journal.cursor(), 0) < journal.last_event_id() or journal.open_orders() or self._working:
                return False
            return not journal.anything_due() and not journal.runs_in_outbox()


def _which(run: QueuedRun) -> str:
    event = f" for event {run.event_row}" if run.event_row is not None else ""
    return f"run {run.id}{event} ({run.entity or run.entity_id})" if run.entity_id else f"run {run.id}{event}"


class _Preview:
    """Executes previews: of a handler's plan, or of an undo."""

    def __init__(self, plans: RunExecutor, undo: RunExecutor) -> None:
        self._plans = plans
        self._undo = undo

    def execute(self, batch: Sequence[QueuedRun], tools: Tools) -> Ending:
        """Plan, and touch nothing."""
        return (self._undo if batch[0].undo_of is not None else self._plans).execute(batch, tools)


def run_worker(engine: Engine, wake_fd: int, signals: SignalInbox, started: Callable[[], None] = lambda: None) -> None:
    """The worker process's loop: a byte on ``wake_fd`` pokes the engine, its end (the host is gone) stops it.

    Args:
        engine: Not started yet.
        wake_fd: The reading end of a pipe whose other end the host holds.
        signals: Each one stops it too.
        started: Called when the engine has recovered what an earlier process left, and runs.
    """
    engine.start()
    try:
        started()
        while True:
            ready, _, _ = select.select([wake_fd, signals.fileno()], [], [])
            if signals.take() is not None:
                return
            if wake_fd not in ready:
                continue
            data = b""
            with suppress(BlockingIOError):
                data = os.read(wake_fd, 4096)
                if not data:
                    log.warning("the host is gone: the worker ends after the runs at work")
                    return
            engine.poke()
    finally:
        engine.stop()
