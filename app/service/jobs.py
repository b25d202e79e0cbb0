"""The job room of the worker process: tasks of local jobs at work, orders about jobs, the Manager's link.

Tasks are runs: they are claimed, retried, cancelled and recovered as every run, by the engine's own `Runner`. What is
here are the threads that take them, and what the effect `SubmitJob` calls.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from app.engine.crash import crash_point
from app.engine.doors import Doors
from app.engine.executor import Ending, RunExecutor, Tools
from app.engine.runner import Runner
from app.jobs.farm import Farm
from app.jobs.job_orders import JobOrders
from app.jobs.local import LocalJobs, Submission
from app.jobs.task_runs import REFUSED, carry_out, end_earlier
from app.jobs.worker_commands import CommandFailed
from app.journal.jobs import BLOCKED_LANE, TASK_LANE
from app.journal.journal import Journal
from app.journal.queue import NEVER, QueuedRun
from app.journal.rows import JOB_ORDERS, JobRow, JournalUnwritable, OrderRow
from app.process import Cancelled
from app.rules.outcomes import PlanError
from app.settings.models import EngineSettings, FlamencoSettings, JournalSettings

if TYPE_CHECKING:
    from app.jobs.manager_live import Rhythm

__all__ = ["JobRoom", "TaskExecutor"]

log = logging.getLogger("signalbox.jobs")

_LOOK_SECONDS = 0.05
_SETTINGS_SECONDS = 0.25
_IDLE_SECONDS = 1.0
_TIDY_SECONDS = 60.0
_DAY = 86_400.0
_TELL_SECONDS = 1.0
_FULL_DISK_SECONDS = 2.0
STOPPING = "Signalbox is stopping"


class TaskExecutor:
    """Carries out runs of the kind "task".

    Args:
        local: What the machine gives to tasks.
        settings: The Flamenco section.
    """

    def __init__(self, local: LocalJobs, settings: Callable[[], FlamencoSettings]) -> None:
        self._local = local
        self._settings = settings

    def execute(self, batch: Sequence[QueuedRun], tools: Tools) -> Ending:
        """Carry out the task of ``batch[0]``; what is met in another lane is sent to its own."""
        run, journal = batch[0], tools.journal
        try:
            task = journal.task_of_run(run.id)
            files = self._local.files(task.job_id, task.index)
        except KeyError as error:
            return Ending("cancelled", str(error.args[0]))
        missing = journal.task_waits_for(task.id)
        if missing:
            return Ending("waiting", "", due=NEVER, lane=BLOCKED_LANE)
        end_earlier(files)
        held = _held(journal, run, task.job_id)
        if held is not None:
            return held
        if tools.lane != TASK_LANE:
            return Ending("queued", "", lane=TASK_LANE)
        note = ""
        if files.log.exists():
            note = f"attempt {run.attempts + 1}" if run.attempts else "started over"

        def report(steps: int, picture: str) -> None:
            with suppress(JournalUnwritable):  # a full disk is no reason to end a program: the next report tells more
                journal.set_task_progress(task.id, steps, rendered=picture)

        journal.set_task_worker(task.id, self._local.worker)
        crash_point("task_started")
        try:
            problem = carry_out(
                self._local.commands(task), files, self._local.machine(files), tools.cancel, report, note
            )
        except Cancelled:
            return _interrupted(journal, run, task.job_id, tools.cancel_reason)
        except CommandFailed as failed:
            ending = self._failed(run, str(failed), journal.now())
            held = _held(journal, run, task.job_id) if ending.state == "retry" else None
            self._tell(run, held or ending, str(failed).removeprefix(REFUSED), tools)
            return held or ending
        crash_point("task_done")
        if problem:
            tools.log.warning("%s", problem)
        return Ending("done", problem)

    def _tell(self, run: QueuedRun, ending: Ending, reason: str, tools: Tools) -> None:
        if ending.state == "failed":
            tools.log.error("%s failed: %s", run.entity, reason)
        else:
            again = f", again in {self._settings().task_pause:g} s" if ending.state == "retry" else ""
            tools.log.warning("%s: attempt %d failed%s: %s", run.entity, run.attempts + 1, again, reason)

    def _failed(self, run: QueuedRun, reason: str, now: float) -> Ending:
        settings = self._settings()
        if reason.startswith(REFUSED) or run.attempts + 1 >= settings.task_attempts:
            return Ending("failed", reason.removeprefix(REFUSED))
        return Ending("retry", reason, due=now + settings.task_pause)


def _held(journal: Journal, run: QueuedRun, job_id: int) -> Ending | None:
    """How a task ends that may not be done (again) now, None where it may: what people want of its job goes first.

    It can be met here although its job rests: tried again by hand, after a soft failure, or after a crash.
    """
    if journal.cancel_asked(run.id):
        return Ending("cancelled", "cancelled by a person")
    match journal.job(job_id).status:
        case "needs-confirmation":
            return Ending("paused", "a person must see and confirm the job's command lines first")
        case "pause-requested":
            return Ending("paused", "its job is paused: it goes on when the job is resumed")
        case "cancel-requested":
            return Ending("cancelled", "its job was cancelled: requeue the job, or this task of it")
    return None


def _tell_to_stop(tools: Tools) -> None:
    tools.cancel_reason = STOPPING
    tools.cancel.set()


def _interrupted(journal: Journal, run: QueuedRun, job_id: int, reason: str) -> Ending:
    """How a task ends whose program was ended: the program stops, a person cancelled it, or wanted it again since."""
    held = _held(journal, run, job_id)
    if held is not None:
        return held
    why = "Signalbox was stopped: the task starts over" if reason == STOPPING else "requeued: the task starts over"
    return Ending("queued", why, lane=TASK_LANE)


class JobRoom:
    """Threads and doors of the job room.

    Args:
        journal: Opened in mode "engine".
        doors: All doors; `job_submit` and `job_find` are put into them.
        rhythm: Times of the Manager's live line; None: the usual ones.
    """

    def __init__(self, journal: Journal, doors: Doors, rhythm: Rhythm | None = None) -> None:
        self._journal = journal
        self._doors = doors
        self._sections: dict[str, tuple[float, Any]] = {}
        self.local = LocalJobs(journal, self._settings)
        self.farm = Farm(journal, self._settings, self.local.compile_remote, rhythm)
        self.executor: RunExecutor = TaskExecutor(self.local, self._settings)
        self.orders = JobOrders(journal, self.local, self.farm, self._stop_run)
        self._runner = Runner(journal, doors, {}, {"task": self.executor}, self._engine_settings, self._ring)
        self._working: dict[int, Tools] = {}
        self._bell = threading.Condition()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._compiling = ThreadPoolExecutor(2, thread_name_prefix="job-orders")
        self._asking = ThreadPoolExecutor(2, thread_name_prefix="farm-orders")
        self._in_hand: set[int] = set()
        self._lock = threading.Lock()
        doors.job_submit = self.submit
        doors.job_find = self.find

    def _settings(self) -> FlamencoSettings:
        """The section flamenco; asked for with each task, so looked up four times a second."""
        found: FlamencoSettings = self._section("flamenco")
        return found

    def _engine_settings(self) -> EngineSettings:
        found: EngineSettings = self._section("engine")
        return found

    def _section(self, name: str) -> Any:
        known, now = self._sections.get(name), time.monotonic()
        if known is None or now - known[0] > _SETTINGS_SECONDS:
            known = (now, self._doors.settings(name))
            self._sections[name] = known
        return known[1]

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the threads. The engine has recovered what an earlier process left."""
        self._thread("pump", self._pump)
        self._grow()
        self.farm.start()

    def stop(self, seconds: float = 10.0) -> bool:
        """End the threads; tasks at work are ended and start over next time. True when all ended in time."""
        self._stop.set()
        # Whoever takes a task at this moment looks at `_stop` when it is among those at work.
        for tools in list(self._working.values()):
            _tell_to_stop(tools)
        self._ring()
        self.farm.stop()
        for slow in (self._compiling, self._asking):
            slow.shutdown(wait=False, cancel_futures=True)
        until = time.monotonic() + seconds
        for thread in list(self._threads):
            thread.join(max(0.0, until - time.monotonic()))
        self.local.close()
        return not any(thread.is_alive() for thread in self._threads)

    def _thread(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._guarded, args=(target,), name=f"jobs-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _guarded(self, target: Callable[[], None]) -> None:
        """A thread of the room never ends because of one failure: it says so and goes on."""
        while not self._stop.is_set():
            try:
                target()
            except JournalUnwritable as error:
                log.error("%s waits: %s", threading.current_thread().name, error)
                self._stop.wait(_FULL_DISK_SECONDS)
            except Exception:
                log.exception("%s failed, goes on", threading.current_thread().name)
                self._stop.wait(1.0)

    def _ring(self) -> None:
        with self._bell:
            self._bell.notify_all()

    # -- tasks -----------------------------------------------------------------------------------------------------

    def _grow(self) -> None:
        """As many threads as tasks may run in parallel; those above a lowered number rest."""
        while len(self._threads) - 1 < self._settings().local_workers:
            number = len(self._threads) - 1
            self._thread(f"task-{number}", lambda number=number: self._work(number))  # type: ignore[misc]

    def _work(self, number: int) -> None:
        while not self._stop.is_set():
            batch = self._claim(number)
            if not batch:
                with self._bell:
                    if not self._stop.is_set():
                        self._bell.wait(_IDLE_SECONDS)
                continue
            run = batch[0].id
            try:
                self._runner.execute(batch, self._working[run])
                crash_point("task_ended")
            finally:
                self._working.pop(run, None)
                self._ring()

    def _claim(self, number: int) -> list[QueuedRun]:
        settings = self._settings()
        if number >= settings.local_workers:
            return []
        only = [f"task:{each}" for each in settings.task_types] or None
        # Under the lock: whoever is told to stop finds the run at work, or not claimed.
        with self._lock:
            batch = self._journal.claim(TASK_LANE, lambda _: 1, only=only)
            if batch:
                self._working[batch[0].id] = tools = self._runner.tools(batch, TASK_LANE)
                if self._stop.is_set():
                    _tell_to_stop(tools)
        if batch:
            crash_point("task_claimed")
        return batch

    def _stop_run(self, run_id: int) -> None:
        tools = self._working.get(run_id)
        if tools is not None:
            tools.cancel.set()

    # -- orders and housekeeping -----------------------------------------------------------------------------------

    def _pump(self) -> None:
        version, tidied, told = -1, 0.0, 0.0
        while not self._stop.is_set():
            now_version = self._journal.data_version()
            if now_version != version:
                version = now_version
                self._ring()
            self._take_orders()
            for run in list(self._working):
                if self._journal.cancel_asked(run):
                    self._stop_run(run)
            self._grow()
            if time.monotonic() - tidied > _TIDY_SECONDS:
                tidied = time.monotonic()
                self._tidy()
            if time.monotonic() - told > _TELL_SECONDS:
                told = time.monotonic()
                settings = self._settings()
                taken = settings.task_types or None if settings.local_workers else ()
                self._journal.tell_untaken(taken)
            self._stop.wait(_LOOK_SECONDS)

    def _take_orders(self) -> None:
        """Answer open orders; those that may take a while (a compile, the Manager) beside this thread."""
        for order in self._journal.open_orders():
            if order.kind not in JOB_ORDERS or order.id in self._in_hand:
                continue
            self._in_hand.add(order.id)
            slow = self._beside(order)
            if slow is not None:
                slow.submit(self._answer, order)
            else:
                self._answer(order)

    def _beside(self, order: OrderRow) -> ThreadPoolExecutor | None:
        """Who answers an order that may take a while; no compile waits for a Manager that does not answer."""
        if order.kind == "submit_job":
            return self._asking if order.args.get("engine") == "manager" else self._compiling
        with suppress(KeyError, TypeError, ValueError):
            if self._journal.job(int(order.args["job"])).engine == "manager":
                return self._asking
        return None

    def _answer(self, order: OrderRow) -> None:
        try:
            result = self.orders.answer(order)
        except Exception as error:  # a defect is told to whoever gave the order
            log.exception("the order %s failed", order.kind)
            result = {"refused": f"the order {order.kind} failed: {type(error).__name__}"}
        # An order whose answer nobody could write down would be open for ever.
        while not self._stop.is_set():
            try:
                self._journal.answer(order.id, result)
            except JournalUnwritable as error:
                log.error("the answer to the order %s waits: %s", order.kind, error)
                self._stop.wait(_FULL_DISK_SECONDS)
            else:
                break
        self._in_hand.discard(order.id)
        self._ring()

    def _tidy(self) -> None:
        """Forget old jobs with their files, and the files of jobs that the Manager no longer has."""
        keep: JournalSettings = self._doors.settings("journal")
        for job_id in self._journal.forget_jobs(self._journal.now() - keep.keep_days * _DAY):
            self.orders.remove_files(job_id)
        kept = {int(folder.name) for folder in (self._journal.folder / "tasks").glob("[0-9]*") if folder.name.isdigit()}
        for job_id in kept - self._journal.job_numbers():
            self.orders.remove_files(job_id)

    # -- the effect's doors ----------------------------------------------------------------------------------------

    def submit(
        self, *, job_type: str, name: str, settings: Mapping[str, Any], engine: str, dedupe: str
    ) -> Mapping[str, Any]:
        """Submit a job for an effect. Raises PlanError, Later (with ``in_doubt`` where it may have arrived)."""
        wanted = Submission(job_type, name, settings, dedupe=dedupe, who="signalbox")
        if engine == "manager":
            return self.orders.submit_to_manager(wanted)
        if engine != "local":
            raise PlanError(f"there is no job engine {engine!r}")
        stored = self.local.submit(wanted)
        self._ring()
        return _shown(self._journal.job(stored.job))

    def find(self, *, engine: str, dedupe: str, since: float) -> Mapping[str, Any] | None:
        """Look for a job by its key. Raises PlanError, Later."""
        del since
        if engine == "manager":
            return self.farm.find(dedupe)
        row = self._journal.job_of_dedupe(dedupe)
        return _shown(row) if row is not None else None


def _shown(row: JobRow) -> dict[str, Any]:
    return {"job": row.id, "engine": row.engine, "status": row.status, "activity": row.activity}
