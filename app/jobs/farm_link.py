"""The link to one Manager: its jobs, their tasks, pictures and followed logs are brought into the journal.

What stands in the journal and what is known of the Manager can part in many ways: news that nobody heard, a full disk,
a job that vanishes and comes back. What could not be kept is tried again, and what was not heard is read again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from app.jobs.farm_pictures import FarmPictures
from app.jobs.farm_rows import remote_job, remote_task
from app.jobs.manager_client import ManagerClient, ManagerError, ManagerNonsense, ManagerUnreachable, Patience
from app.jobs.settings_form import submitted_defaults
from app.jobs.task_log import TaskLog
from app.journal.farm_jobs import RemoteJob
from app.journal.jobs import FINAL_JOB
from app.journal.journal import Journal
from app.journal.rows import JournalUnwritable
from app.rules.outcomes import PlanError

if TYPE_CHECKING:
    from app.jobs.manager_live import Rhythm

__all__ = ["CompileRemote", "FarmLink"]

log = logging.getLogger("signalbox.flamenco")

#: A log that nobody has asked for again for so long is no longer fetched.
_FOLLOW_SECONDS = 90.0
_NEVER = float("inf")
#: Statuses of a Manager's job of which no task is handed out, not even a queued one.
_HELD = ("failed", "canceled", "paused")
#: A job that may be on its way is looked for so often.
_LOOK_SECONDS = 2.0
#: Tasks that this machine compiles a Manager's job to; empty: not known.
CompileRemote = Callable[[Mapping[str, Any]], Sequence[Mapping[str, Any]]]


@dataclass(slots=True)
class _Watch:
    """A job whose tasks are kept up to date in the journal. Moments are monotonic seconds.

    Attributes:
        rests_since: When it was seen to have ended, or its last news after that came; never while it has not ended.
        kept: Its tasks as they were read, once they stand in the journal.
        needs: Their dependencies, None while they are not known.
        tried: When the last attempt to keep the tasks began.
        asked: When the dependencies were last asked for.
        at_work: Whether such an attempt is under way.
    """

    rests_since: float
    kept: list[dict[str, Any]] | None = None
    needs: list[list[int]] | None = None
    tried: float = 0.0
    asked: float = -_NEVER
    at_work: bool = False


class FarmLink:
    """One Manager: client, live line, and the journal they feed."""

    def __init__(
        self, journal: Journal, url: str, timeout: float, compile_remote: CompileRemote, rhythm: Rhythm
    ) -> None:
        from app.jobs.manager_live import ManagerLive

        self.client = ManagerClient(url, Patience(request=timeout))
        self._journal = journal
        self._compile = compile_remote
        self._live = ManagerLive(self.client, self._hear, rhythm)
        self._rhythm = rhythm
        self._since = time.monotonic()
        self._watched: dict[str, _Watch] = {}
        self._logs: dict[str, tuple[_FileSink, float]] = {}
        self._young: dict[str, float] = {}
        self._deleted: dict[str, float] = {}
        self._mirrored_at = 0.0
        self._pictures = FarmPictures(journal, self.client, self._chore)
        self._behind = False
        self._is_taking_back = False
        self._chores: set[asyncio.Task[None]] = set()

    def keep_time(self, timeout: float, rhythm: Rhythm) -> None:
        """Other times, without leaving: a submit that is on its way must not be cut off."""
        self.client.patience = Patience(request=timeout)
        self._rhythm = rhythm
        self._live.keep_time(rhythm)

    def start(self) -> None:
        """Begin to listen."""
        self._live.start()

    async def stop(self) -> None:
        """Leave the Manager."""
        await self._live.stop()  # from here on nothing is heard that makes work
        for chore in list(self._chores):
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        for sink, _ in self._logs.values():
            sink.close()
        await self.client.close()

    async def submit(self, body: Mapping[str, Any], job_type: Mapping[str, Any], dedupe: str) -> dict[str, Any]:
        """Submit as the Blender add-on does: what is left out gets the job type's default, as the type is there.

        Its etag goes with the settings, so that the Manager refuses them should the type change in between. Returns the
        job as the effect keeps it.
        """
        settings = {**submitted_defaults(job_type), **body.get("settings", {})}
        etag = str(job_type.get("etag", ""))
        return self._know(await self.client.submit({**body, "settings": settings, "type_etag": etag}, dedupe))

    async def find(self, dedupe: str) -> dict[str, Any] | None:
        """The job with this key as the effect keeps it, None when the Manager has none.

        What the program submitted before it was killed and started anew may still be on its way: for as long as an
        answer may take, that is not yet none.
        """
        job = await self.client.find(dedupe)
        left = self._since + self.client.patience.request - time.monotonic()
        if job is not None:
            return self._know(job)
        if left > 0 and not self.client.has_submitted(dedupe):
            words = f"The Flamenco Manager at {self.client.url} may still be at work on a job submitted before."
            raise ManagerUnreachable(words, min(left, _LOOK_SECONDS))
        return None

    def _know(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """A list that was asked for before may not have this job: that is no reason to forget it."""
        self._young[str(job["id"])] = time.monotonic()
        job_id = self._journal.know_job(remote_job(job))
        return {"job": job_id, "remote_id": job["id"], "engine": "manager", "status": job.get("status", "queued")}

    async def delete(self, remote_id: str) -> None:
        """Delete a job. The Manager does it in the background, and lists the job until then: here it is gone."""
        try:
            await self.client.delete(remote_id)
        except ManagerError as error:
            if error.status != 404:  # somebody else was faster
                raise
        self._deleted[remote_id] = time.monotonic()

    async def order_task(
        self, remote_job: str, remote_id: str, order: Literal["cancel", "requeue"], reason: str
    ) -> None:
        """Cancel one task, or queue it again."""
        try:
            await self.client.set_task_status(remote_id, "canceled" if order == "cancel" else "queued", reason)
            # The Manager hands out tasks of queued and active jobs only, and queues by itself no job that had failed,
            # was cancelled or paused.
            if order == "requeue" and (await self.client.job(remote_job)).get("status") in _HELD:
                await self.client.set_job_status(remote_job, "queued", reason)
        finally:
            self.look_at(remote_job)

    # -- jobs and tasks --------------------------------------------------------------------------------------------

    def _hear(self, what: Literal["jobs", "tasks", "connection"], which: str) -> None:
        """The mirror changed."""
        with self._for_later():
            self._take_up(what, which)

    @contextlib.contextmanager
    def _for_later(self) -> Iterator[None]:
        """While the journal's disk is full what is heard is not written; all of it is once there is room (`tidy`)."""
        try:
            yield
        except JournalUnwritable as error:
            if not self._behind:
                log.error("what the Manager tells is not kept: %s", error)
            self._behind = True

    def _take_up(self, what: Literal["jobs", "tasks", "connection"], which: str) -> None:
        if what == "connection":
            self._tell_lamp()
            if self._live.mirror.connected:
                # Pictures told of while the line was down were not heard of.
                for remote_id in self._watched:
                    self._pictures.want(remote_id)
        elif what == "jobs" and which:
            self._pictures.want(which)
        elif what == "jobs":
            self._mirror_jobs()
        elif what == "tasks":
            self._chore(self._keep_tasks(which))

    def _mirror_jobs(self) -> None:
        mirror = self._live.mirror
        if not mirror.asked_at:
            return  # nothing is known yet: that is no empty list
        # What was ordered to be deleted is hidden while an older list may have it, and while the Manager means to.
        self._deleted = {
            remote_id: at
            for remote_id, at in self._deleted.items()
            if at >= mirror.asked_at or mirror.jobs.get(remote_id, {}).get("delete_requested_at")
        }
        jobs = [remote_job(job) for remote_id, job in mirror.jobs.items() if remote_id not in self._deleted]
        spared = {remote_id for remote_id, since in self._young.items() if since >= mirror.asked_at}
        changed = self._journal.mirror_jobs(jobs, spared=spared)
        self._young = {remote_id: self._young[remote_id] for remote_id in spared - set(mirror.jobs)}
        settled = self._journal.settled_jobs()
        for remote_id in set(self._watched) - {job.remote_id for job in jobs}:
            self._leave(remote_id)
        for job in jobs:
            self._keep_watch(job, changed=job.remote_id in changed, settled=job.remote_id in settled)
        self._mirrored_at = mirror.asked_at

    def _keep_watch(self, job: RemoteJob, *, changed: bool, settled: bool) -> None:
        final = job.status in FINAL_JOB
        watch = self._watched.get(job.remote_id)
        if watch is None and not settled:
            self._watch(job.remote_id, final=final)
            self._pictures.want(job.remote_id)
        elif watch is not None and changed:
            watch.rests_since = time.monotonic() if final else _NEVER
            watch.kept = None  # it may stand in the journal anew, without tasks
            self._chore(self._keep_tasks(job.remote_id))
        if changed and (final or not self._live.mirror.connected):
            self._pictures.want(job.remote_id)  # of its pictures nobody may have told

    def _watch(self, remote_id: str, *, final: bool) -> None:
        self._watched[remote_id] = _Watch(time.monotonic() if final else _NEVER)
        self._chore(self._live.watch_job(remote_id))

    def _leave(self, remote_id: str) -> None:
        del self._watched[remote_id]
        self._chore(self._live.leave_job(remote_id))

    def look_at(self, remote_id: str) -> None:
        """Somebody looks at a job, or changed a task of it: whoever does not watch a job is told of no task."""
        job = self._live.mirror.jobs.get(remote_id)
        if job is None or remote_id in self._deleted:
            return
        final = job.get("status") in FINAL_JOB
        watch = self._watched.get(remote_id)
        if watch is None:
            with self._for_later():
                self._journal.settle_tasks([remote_id], settled=False)
            self._watch(remote_id, final=final)
        elif final:
            watch.rests_since = time.monotonic()

    async def _keep_tasks(self, remote_id: str) -> None:
        """Bring a job's tasks into the journal as they were read."""
        watch, job = self._watched.get(remote_id), self._live.mirror.jobs.get(remote_id)
        if watch is None or watch.at_work or job is None:
            return
        watch.at_work, watch.tried = True, time.monotonic()
        try:
            needs = await self._needs(watch, job, self._live.mirror.tasks.get(remote_id) or ())
            # What was read meanwhile is newer than what was heard of.
            tasks = self._live.mirror.tasks.get(remote_id)
            job_id = self._journal.job_of_remote(remote_id)
            if tasks is not None and tasks is not watch.kept and job_id is not None:
                found = [remote_task(task, place, needs) for place, task in enumerate(tasks)]
                with self._for_later():
                    if self._journal.mirror_tasks(job_id, found) and watch.rests_since < _NEVER:
                        watch.rests_since = time.monotonic()
                    watch.kept = tasks
        finally:
            watch.at_work = False

    def _tell_lamp(self) -> None:
        """Before the first attempt has ended there is nothing to tell. With the line alone nothing is known of jobs."""
        mirror = self._live.mirror
        problem = mirror.trouble or mirror.problem
        if mirror.connected or problem:
            self._journal.set_health(
                "flamenco", "warning" if problem else "ok", problem or f"connected to {self.client.url}"
            )

    async def tidy(self) -> None:
        """Renew the lamp, make up for what could not be kept, leave alone what has rested and what nobody asks for."""
        with self._for_later():
            self._tell_lamp()
        behind = self._behind
        if behind or ((self._young or self._deleted) and self._live.mirror.asked_at > self._mirrored_at):
            with self._for_later():
                self._mirror_jobs()
                self._behind = False
        self._make_up(everything=behind)
        self._leave_settled()
        if not self._is_taking_back:
            self._is_taking_back = True
            self._chore(self._take_back_doubles())
        await self._drop_old_logs()

    async def _take_back_doubles(self) -> None:
        try:
            with contextlib.suppress(ManagerError, ManagerUnreachable, ManagerNonsense):  # then the next time
                await self.client.look_for_doubles(self._live.mirror.jobs.values())
        finally:
            self._is_taking_back = False

    def _make_up(self, *, everything: bool) -> None:
        """Try again what failed: from time to time, or all of it now."""
        now = time.monotonic()
        for remote_id, tasks in self._live.mirror.tasks.items():
            watch = self._watched.get(remote_id)
            if watch is None:
                continue
            is_due = everything or now - watch.tried > self._rhythm.resync
            may_be_known = bool(tasks) and watch.needs is None and now - watch.asked > self._rhythm.rest
            if (tasks is not watch.kept and is_due) or may_be_known:
                self._chore(self._keep_tasks(remote_id))
        self._pictures.make_up(self._live.mirror.jobs, self._rhythm.resync)

    def _leave_settled(self) -> None:
        """Stop looking at what has rested for a while and is here as it is there."""
        settled = [remote_id for remote_id, watch in self._watched.items() if self._is_settled(remote_id, watch)]
        if settled:
            with self._for_later():
                self._journal.settle_tasks(settled)
                for remote_id in settled:
                    self._leave(remote_id)

    def _is_settled(self, remote_id: str, watch: _Watch) -> bool:
        read = self._live.tasks_as_read(remote_id)
        return time.monotonic() - watch.rests_since > self._rhythm.rest and read is not None and read is watch.kept

    async def _needs(
        self, watch: _Watch, job: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]
    ) -> list[list[int]]:
        """Dependencies of the same job compiled here; none when it compiles to other tasks (another script)."""
        if watch.needs is None and tasks and time.monotonic() - watch.asked > self._rhythm.rest:
            watch.asked = time.monotonic()
            try:
                compiled = await asyncio.to_thread(self._compile, job)
            except (PlanError, OSError, KeyError) as error:
                log.debug("dependencies of the Manager's job %s are not known: %s", job["id"], error)
            else:
                same = [task.get("name") for task in compiled] == [task.get("name") for task in tasks]
                watch.needs = [list(task["dependencies"]) for task in compiled] if same else []
                watch.kept = None
        return watch.needs or []

    # -- logs ------------------------------------------------------------------------------------------------------

    async def follow(self, job_id: int, task: int, remote_job: str, remote_id: str) -> None:
        """Bring a task's log into its file, and its job up to date."""
        self.look_at(remote_job)
        now = time.monotonic()
        known = self._logs.get(remote_id)
        if known is not None and not known[0].problem and known[0].place == (job_id, task):
            self._logs[remote_id] = (known[0], now)
            return
        if known is not None:
            known[0].close()  # the disk was full, perhaps it is no longer; or the job came back under another number
        sink = _FileSink(self._journal, job_id, task)
        self._logs[remote_id] = (sink, now)
        await self._live.follow_log(remote_id, sink)

    async def _drop_old_logs(self) -> None:
        """Stop fetching logs nobody has asked for for a while."""
        for remote_id, (sink, asked) in list(self._logs.items()):
            if time.monotonic() - asked > _FOLLOW_SECONDS:
                del self._logs[remote_id]
                await self._live.leave_log(remote_id)
                sink.close()

    def _chore(self, what: Coroutine[Any, Any, None]) -> None:
        chore = asyncio.get_running_loop().create_task(what)
        self._chores.add(chore)
        chore.add_done_callback(self._chore_ended)

    def _chore_ended(self, chore: asyncio.Task[None]) -> None:
        self._chores.discard(chore)
        if not chore.cancelled() and chore.exception() is not None:
            log.error("mirroring the Manager failed", exc_info=chore.exception())


class _FileSink:
    """A followed log, into the task's file."""

    #: The Manager's own logs are whole there; here a bound keeps the disk safe.
    _LIMIT = 1 << 30

    def __init__(self, journal: Journal, job_id: int, task: int) -> None:
        self.place = (job_id, task)
        self._log = TaskLog(journal.task_log_path(job_id, task), self._LIMIT)
        self._log.start_over()

    def restart(self) -> None:
        """The log became shorter: what was written is void."""
        self._log.start_over()

    @property
    def problem(self) -> str:
        """Why no more is written, "" while it is."""
        return self._log.problem

    def text(self, text: str) -> None:
        """The next piece."""
        before = self.problem
        self._log.write(text, end="")
        if self.problem != before:
            log.warning("a log of the Manager: %s", self.problem)

    def close(self) -> None:
        """Close the file."""
        self._log.close()
