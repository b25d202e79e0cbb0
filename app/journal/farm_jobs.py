"""A Manager's jobs in the journal, mirrored as they are there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from app.journal.jobs import FINAL_JOB, Jobs
from app.journal.store import Row, dump

__all__ = ["FarmJobs", "RemoteJob", "RemoteTask"]


#: The index of remote ids leaves out those of local jobs, and is of use only to who leaves them out too.
_NUMBER = "SELECT id FROM jobs WHERE remote_id = ? AND remote_id != ''"
_NEW = """INSERT INTO jobs(engine, remote_id, name, type, priority, status, activity, settings, metadata, dedupe, who,
    created, updated, finished, steps_done, steps_total)
    VALUES('manager', :remote, :name, :type, :priority, :status, :activity, :settings, :metadata, :dedupe, :who,
    :created, :updated, :finished, :done, :total)"""
_CHANGED = """UPDATE jobs SET name = :name, priority = :priority, status = :status, activity = :activity,
    settings = :settings, metadata = :metadata, finished = :finished, steps_done = :done, steps_total = :total,
    updated = :updated, dedupe = :dedupe, tasks_settled = 0
    WHERE remote_id = :remote AND remote_id != ''
    AND (name, priority, status, activity, settings, metadata, finished, steps_done, steps_total, dedupe)
    IS NOT (:name, :priority, :status, :activity, :settings, :metadata, :finished, :done, :total, :dedupe)"""


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """A Manager's job as last read."""

    remote_id: str
    name: str
    type: str
    priority: int
    status: str
    activity: str
    created: float
    updated: float
    steps_done: int
    steps_total: int
    settings: Mapping[str, Any]
    metadata: Mapping[str, str]
    dedupe: str
    who: str


@dataclass(frozen=True, slots=True)
class RemoteTask:
    """A Manager's task as last read; ``dependencies`` are places (from 0), known where the job was compiled here."""

    remote_id: str
    index: int
    name: str
    type: str
    priority: int
    status: str
    activity: str
    worker: str
    updated: float
    steps_done: int
    steps_total: int
    dependencies: Sequence[int] = ()


class FarmJobs(Jobs):
    """The part of the journal that follows a Manager."""

    def mirror_jobs(self, jobs: Sequence[RemoteJob], *, spared: Collection[str] = ()) -> dict[str, int]:
        """Bring the Manager's jobs up to date; returns the ids of those that changed by their remote ids.

        Args:
            jobs: All it has, as read just now: what it no longer knows is forgotten here too.
            spared: Remote ids that are not forgotten all the same (submitted after the list was asked for).
        """
        changed = {}
        with self.write() as db:
            self._forget_remote(db, {job.remote_id for job in jobs} | set(spared))
            for job in jobs:
                job_id = self._mirror_job(db, job)
                if job_id is not None:
                    changed[job.remote_id] = job_id
        return changed

    def know_job(self, job: RemoteJob) -> int:
        """The id of a Manager's job, which stands here from now on. What is here already may be newer, and stays."""
        with self.write() as db:
            if not db.execute(_NUMBER, (job.remote_id,)).fetchall():
                self._mirror_job(db, job)
            rows: list[Row] = db.execute(_NUMBER, (job.remote_id,)).fetchall()
        return int(rows[0][0])

    def settle_tasks(self, remote_ids: Collection[str], *, settled: bool = True) -> None:
        """The tasks of these jobs are here as they are there, and are not read again until the job changes; or not."""
        with self.write() as db:
            db.executemany(
                "UPDATE jobs SET tasks_settled = ? WHERE remote_id = ? AND remote_id != ''",
                [(settled, one) for one in remote_ids],
            )

    def settled_jobs(self) -> set[str]:
        """Remote ids of the jobs whose tasks need not be read."""
        rows = self.reader.execute("SELECT remote_id FROM jobs WHERE engine = 'manager' AND tasks_settled")
        return {str(row[0]) for row in rows}

    def _forget_remote(self, db: apsw.Connection, known: set[str]) -> None:
        rows: list[Row] = db.execute(
            "SELECT id, remote_id, status, dedupe FROM jobs WHERE engine = 'manager'"
        ).fetchall()
        gone = [row for row in rows if row[1] not in known]
        for row in gone:
            if row[3] and row[2] not in FINAL_JOB:
                self._tell_submitter(db, row[3], "gone", "the Flamenco Manager no longer has the job")
        if gone:
            db.executemany("DELETE FROM jobs WHERE id = ?", [(row[0],) for row in gone])

    def _mirror_job(self, db: apsw.Connection, job: RemoteJob) -> int | None:
        final = job.status in FINAL_JOB
        before = db.total_changes()
        values = {
            "remote": job.remote_id,
            "name": job.name,
            "type": job.type,
            "priority": job.priority,
            "status": job.status,
            "activity": job.activity,
            "settings": dump(job.settings),
            "metadata": dump(job.metadata),
            "dedupe": self._free_key(db, job),
            "who": job.who,
            "created": job.created,
            # The Manager's own moment does not move with its tasks.
            "updated": self.now(),
            "finished": job.updated if final else None,
            "done": job.steps_done,
            "total": job.steps_total,
        }
        # An upsert uses up a number for each job that is there already: a new one would be number 1,000,000.
        known = db.execute(_NUMBER, (job.remote_id,)).fetchall()
        db.execute(_CHANGED if known else _NEW, values)
        if db.total_changes() == before:
            return None
        if job.dedupe:
            self._tell_submitter(db, job.dedupe, job.status, job.activity)
        rows: list[Row] = db.execute(_NUMBER, (job.remote_id,)).fetchall()
        return int(rows[0][0])

    def _free_key(self, db: apsw.Connection, job: RemoteJob) -> str | None:
        """The job's key, None where it has none or another job here has it (two journals on one farm may)."""
        taken = db.execute(
            "SELECT 1 FROM jobs WHERE dedupe = ? AND remote_id != ?", (job.dedupe, job.remote_id)
        ).fetchall()
        return None if taken or not job.dedupe else job.dedupe

    def mirror_tasks(self, job_id: int, tasks: Sequence[RemoteTask]) -> bool:
        """Bring the tasks of a Manager's job up to date; whether anything changed."""
        with self.write() as db:
            start = db.total_changes()
            db.execute("DELETE FROM tasks WHERE job_id = ? AND idx > ?", (job_id, len(tasks)))
            ids = [self._mirror_task(db, job_id, task) for task in tasks]
            for task, task_id in zip(tasks, ids, strict=True):
                db.executemany(
                    "INSERT OR IGNORE INTO needs(task_id, needs_id) VALUES(?,?)",
                    [(task_id, ids[need]) for need in task.dependencies if 0 <= need < len(ids)],
                )
            if db.total_changes() == start:
                return False
            self._recount_remote(db, job_id)
        return True

    def _mirror_task(self, db: apsw.Connection, job_id: int, task: RemoteTask) -> int:
        known: list[Row] = db.execute(
            "SELECT id, status, remote_id, name, priority, activity, worker, steps_done, steps_total, finished, "
            "started FROM tasks WHERE job_id = ? AND idx = ?",
            (job_id, task.index),
        ).fetchall()
        at_work = task.status == "active"
        ended = task.updated if task.status in ("completed", "failed", "canceled") else None
        fresh = (
            task.status,
            task.remote_id,
            task.name,
            task.priority,
            task.activity,
            task.worker,
            task.steps_done,
            task.steps_total,
            ended,
        )
        if not known:
            db.execute(
                """INSERT INTO tasks(status, remote_id, name, priority, activity, worker, steps_done, steps_total,
                finished, started, job_id, idx, type) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)""",
                (*fresh, task.updated if at_work else None, job_id, task.index, task.type),
            )
            return db.last_insert_rowid()
        if tuple(known[0][1:10]) != fresh:
            started = task.updated if at_work and known[0][1] != "active" else known[0][10]
            db.execute(
                """UPDATE tasks SET status = ?, remote_id = ?, name = ?, priority = ?, activity = ?, worker = ?,
                steps_done = ?, steps_total = ?, finished = ?, started = ? WHERE id = ?""",
                (*fresh, started, known[0][0]),
            )
        return int(known[0][0])

    def _recount_remote(self, db: apsw.Connection, job_id: int) -> None:
        db.execute(
            """UPDATE jobs SET (tasks, completed, active, failed, canceled, started) = (SELECT count(*),
            sum(status = 'completed'), sum(status = 'active'), sum(status = 'failed'), sum(status = 'canceled'),
            min(started) FROM tasks WHERE job_id = :job), updated = :now WHERE id = :job""",
            {"job": job_id, "now": self.now()},
        )
