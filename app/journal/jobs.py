"""The books of local jobs and their tasks.

A local task is carried out by a run of kind "task": the run is the truth about its state, and the books of the job
(counts, what its tasks wait for, its status) are kept in the transaction that moves the run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import apsw

from app.journal.job_rows import JobRows
from app.journal.queue import NEVER, NewRun
from app.journal.rows import JobStatus, RunState, TaskStatus
from app.journal.store import Row, dump
from app.rules.words import many

__all__ = ["BLOCKED_LANE", "FINAL_JOB", "TASK_LANE", "UNTAKEN", "Jobs", "NewJob", "NewTask"]

#: Tasks that may be claimed; those that wait for others or for a person are kept out of the way of every claim.
TASK_LANE = "task"
BLOCKED_LANE = "blocked"
#: What a queued task says that this machine does not take.
UNTAKEN = "this machine takes no such tasks (settings: flamenco.task_types, flamenco.local_workers)"
FINAL_JOB: frozenset[str] = frozenset({"completed", "failed", "canceled"})

_STATUS_OF: Mapping[RunState, TaskStatus] = {
    "queued": "queued",
    "waiting": "queued",
    "running": "active",
    "retry": "soft-failed",
    "paused": "paused",
    "done": "completed",
    "failed": "failed",
    "in_doubt": "failed",
}
_COUNT_OF: Mapping[str, str] = {"soft-failed": "soft"} | {
    name: name for name in ("queued", "active", "completed", "failed", "canceled", "paused")
}
Hold = Literal["", "confirm", "pause"]


@dataclass(frozen=True, slots=True)
class NewTask:
    """A compiled task. ``dependencies`` are places (from 0) in the job's list of tasks."""

    name: str
    type: str
    commands: Sequence[Mapping[str, Any]]
    priority: int = 50
    dependencies: Sequence[int] = ()
    steps: int = 0


@dataclass(frozen=True, slots=True)
class NewJob:
    """A local job. ``dedupe`` is unique: what is there already is not stored again; "" has none."""

    name: str
    type: str
    tasks: Sequence[NewTask]
    priority: int = 50
    settings: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    dedupe: str = ""
    who: str = ""
    script_hash: str = ""
    hold: Hold = ""


def _order(job_priority: int, task_priority: int) -> int:
    """The place in the queue: higher priorities first, a job's before a task's; equal ones in order of arrival."""
    return -(max(-1000, min(1000, job_priority)) * 10_000 + max(-4000, min(4000, task_priority)))


class Jobs(JobRows):
    """The part of the journal that keeps the books of local jobs."""

    # -- local jobs ------------------------------------------------------------------------------------------------

    def add_job(self, new: NewJob) -> tuple[int, bool]:
        """Store a local job with its tasks and their runs, in one transaction.

        Returns:
            The job's id, and whether it is new: the job with the same ``dedupe`` is given where there is one.
        """
        now = self.now()
        with self.write(durable=True) as db:
            if new.dedupe:
                known: list[Row] = db.execute("SELECT id FROM jobs WHERE dedupe = ?", (new.dedupe,)).fetchall()
                if known:
                    return int(known[0][0]), False
            wish = new.hold
            db.execute(
                """INSERT INTO jobs(engine, name, type, priority, status, wish, settings, metadata, dedupe, who,
                created, updated, script_hash) VALUES('local',?,?,?,'queued',?,?,?,?,?,?,?,?)""",
                (
                    new.name,
                    new.type,
                    new.priority,
                    wish,
                    dump(new.settings),
                    dump(new.metadata),
                    new.dedupe or None,
                    new.who,
                    now,
                    now,
                    new.script_hash,
                ),
            )
            job_id = db.last_insert_rowid()
            runs = self.add_runs([_task_run(new, job_id, place, now) for place in range(len(new.tasks))])
            ids = self._insert_tasks(db, job_id, new.tasks, runs, "paused" if wish else "queued")
            db.executemany(
                "INSERT OR IGNORE INTO needs(task_id, needs_id) VALUES(?,?)",
                [(ids[place], ids[need]) for place, task in enumerate(new.tasks) for need in task.dependencies],
            )
            self._recount(db, job_id)
        return job_id, True

    def _insert_tasks(
        self,
        db: apsw.Connection,
        job_id: int,
        tasks: Sequence[NewTask],
        runs: Sequence[int | None],
        status: TaskStatus,
    ) -> list[int]:
        ids = []
        for place, task in enumerate(tasks):
            db.execute(
                """INSERT INTO tasks(job_id, idx, run_id, name, type, priority, status, missing, commands, steps_total)
                VALUES(?,?,?,?,?,?,?,?,?,?)""",
                (
                    job_id,
                    place + 1,
                    runs[place],
                    task.name,
                    task.type,
                    task.priority,
                    status,
                    len(set(task.dependencies)),
                    dump(list(task.commands)),
                    task.steps,
                ),
            )
            ids.append(db.last_insert_rowid())
        return ids

    def _moved(self, db: apsw.Connection, run_ids: Sequence[int], state: RunState) -> None:
        """Keep the books of the jobs whose tasks' runs move."""
        status = _STATUS_OF.get(state, "canceled")
        for run_id in run_ids:
            found: list[Row] = db.execute("SELECT id, job_id, status FROM tasks WHERE run_id = ?", (run_id,)).fetchall()
            for task_id, job_id, before in found:
                if before != status:
                    self._task_moved(db, task_id, job_id, before, status)

    def _task_moved(self, db: apsw.Connection, task_id: int, job_id: int, before: str, status: TaskStatus) -> None:
        now = self.now()
        at_work = status == "active"
        db.execute(
            """UPDATE tasks SET status = :status, started = CASE WHEN :active THEN :now ELSE started END,
            finished = CASE WHEN :ended THEN :now ELSE NULL END,
            steps_done = CASE WHEN :active THEN 0 ELSE steps_done END WHERE id = :id""",
            {
                "status": status,
                "active": at_work,
                "ended": status in ("completed", "failed", "canceled"),
                "now": now,
                "id": task_id,
            },
        )
        if "completed" in (before, status):
            self._release(db, task_id, -1 if status == "completed" else 1)
        less, more = _COUNT_OF[before], _COUNT_OF[status]
        db.execute(
            f"""UPDATE jobs SET {less} = {less} - 1, {more} = {more} + 1, updated = ?,
            started = CASE WHEN ? THEN coalesce(started, ?) ELSE started END WHERE id = ?""",
            (now, at_work, now, job_id),
        )
        self._weigh(db, job_id)

    def _release(self, db: apsw.Connection, task_id: int, change: int) -> None:
        """A task was completed (-1) or is no longer (+1): tell those that need it."""
        db.execute(
            "UPDATE tasks SET missing = missing + ? WHERE id IN (SELECT task_id FROM needs WHERE needs_id = ?)",
            (change, task_id),
        )
        if change > 0:
            blocked = self._runs_of_dependents(db, task_id, "t.missing > 0")
            if blocked:
                self.set_state(blocked, "waiting", "", due=NEVER, lane=BLOCKED_LANE)
            return
        ready = self._runs_of_dependents(db, task_id, "t.missing = 0")
        if ready:
            self.set_state(ready, "queued", "", lane=TASK_LANE)

    def _runs_of_dependents(self, db: apsw.Connection, task_id: int, condition: str) -> list[int]:
        rows: list[Row] = db.execute(
            f"""SELECT t.run_id FROM needs n JOIN tasks t ON t.id = n.task_id
            WHERE n.needs_id = ? AND t.status = 'queued' AND {condition} ORDER BY t.idx""",
            (task_id,),
        ).fetchall()
        return [int(row[0]) for row in rows]

    def _recount(self, db: apsw.Connection, job_id: int) -> None:
        """Count a job's tasks afresh, then weigh it."""
        db.execute(
            """UPDATE jobs SET
            (tasks, completed, active, failed, canceled, paused, queued, soft, steps_done, steps_total)
            = (SELECT count(*), coalesce(sum(status = 'completed'), 0), coalesce(sum(status = 'active'), 0),
            coalesce(sum(status = 'failed'), 0), coalesce(sum(status = 'canceled'), 0),
            coalesce(sum(status = 'paused'), 0), coalesce(sum(status = 'queued'), 0),
            coalesce(sum(status = 'soft-failed'), 0), coalesce(sum(steps_done), 0), coalesce(sum(steps_total), 0)
            FROM tasks WHERE job_id = :job), updated = :now WHERE id = :job""",
            {"job": job_id, "now": self.now()},
        )
        self._weigh(db, job_id)

    def _weigh(self, db: apsw.Connection, job_id: int) -> None:
        """A local job's status follows its tasks and what a person wished for it."""
        rows: list[Row] = db.execute(
            """SELECT status, wish, tasks, completed, active, failed, canceled, paused, queued, soft, started, dedupe,
            activity FROM jobs WHERE id = ? AND engine = 'local'""",
            (job_id,),
        ).fetchall()
        if not rows:
            return
        before, wish, total, completed, active, failed, canceled, paused, queued, soft, started, dedupe, said = rows[0]
        status: JobStatus
        activity = ""
        if wish == "confirm":
            status, activity = "needs-confirmation", "waits for a person to confirm its command lines"
        elif wish == "cancel":
            status = "cancel-requested" if active else "canceled"
        elif completed == total:
            status = "completed"
        elif wish == "pause":
            status = "pause-requested" if active else "paused"
        elif active or soft:
            status = "active"
        elif queued and self._has_ready(db, job_id):
            status = "active" if started else "queued"
        elif failed:
            status, activity = "failed", f"{failed} of {many(total, 'task')} failed"
        elif canceled:
            status, activity = "canceled", f"{canceled} of {many(total, 'task')} canceled"
        elif paused:
            status = "paused"
        else:
            status, activity = "queued", "its tasks wait for each other: none can start"
        if (status, activity) == (before, said):
            return
        final = status in FINAL_JOB
        db.execute(
            "UPDATE jobs SET status = ?, activity = ?, updated = ?, finished = ? WHERE id = ?",
            (status, activity, self.now(), self.now() if final else None, job_id),
        )
        if dedupe:
            self._tell_submitter(db, dedupe, status, activity)

    def _has_ready(self, db: apsw.Connection, job_id: int) -> bool:
        rows: list[Row] = db.execute(
            "SELECT 1 FROM tasks WHERE job_id = ? AND status = 'queued' AND missing = 0 LIMIT 1", (job_id,)
        ).fetchall()
        return bool(rows)

    def _tell_submitter(self, db: apsw.Connection, dedupe: str, status: str, activity: str) -> None:
        """The effect that submitted a job shows what became of it."""
        db.execute(
            """UPDATE effects SET after = json_set(after, '$.status', :status, '$.activity', :activity)
            WHERE after IS NOT NULL AND id = (SELECT effect_id FROM outbox WHERE dedupe = :key AND kind = 'job')""",
            {"status": status, "activity": activity, "key": dedupe},
        )

    def tell_submitters(self, effect_ids: Sequence[int]) -> None:
        """What became of jobs before the effects that submitted them had their results: short ones have ended."""
        with self.write() as db:
            db.executemany(
                """UPDATE effects SET after = json_set(after, '$.status', jobs.status, '$.activity', jobs.activity)
                FROM outbox JOIN jobs ON jobs.dedupe = outbox.dedupe
                WHERE effects.id = ? AND outbox.run_id = effects.run_id AND outbox.effect_id = effects.id
                AND outbox.kind = 'job' AND after IS NOT NULL""",
                [(each,) for each in effect_ids],
            )

    # -- what people wish ------------------------------------------------------------------------------------------

    def wish(self, job_id: int, wish: Literal["", "pause", "cancel", "confirm"]) -> None:
        """Note what a person wants of a job; its status follows as its tasks do."""
        with self.write() as db:
            db.execute("UPDATE jobs SET wish = ? WHERE id = ?", (wish, job_id))
            self._weigh(db, job_id)

    def confirm(self, script_hash: str, who: str) -> None:
        """A person has seen what this script does and wants it."""
        with self.write(durable=True) as db:
            db.execute(
                "INSERT INTO confirmations(script_hash, who, at) VALUES(?,?,?) ON CONFLICT(script_hash) DO NOTHING",
                (script_hash, who, self.now()),
            )

    def held_jobs(self, script_hash: str) -> list[int]:
        """Jobs that wait for this script to be confirmed."""
        rows = self.read("SELECT id FROM jobs WHERE wish = 'confirm' AND script_hash = ?", (script_hash,))
        return [int(row[0]) for row in rows]

    def task_runs(self, job_id: int, statuses: Sequence[TaskStatus]) -> list[tuple[int, int]]:
        """Run and number of missing dependencies of a job's tasks in these statuses, in its order."""
        rows = self.read(
            f"SELECT run_id, missing FROM tasks WHERE job_id = ? AND run_id IS NOT NULL "
            f"AND status IN ({','.join('?' * len(statuses))}) ORDER BY idx",
            (job_id, *statuses),
        )
        return [(int(row[0]), int(row[1])) for row in rows]

    def queue_tasks(self, runs: Sequence[tuple[int, int]], reason: str = "") -> None:
        """Let tasks be taken as soon as what they need is there; attempts count from 0."""
        with self.write():
            for run_id, missing in runs:
                if missing:
                    self.set_state([run_id], "waiting", reason, due=NEVER, lane=BLOCKED_LANE, fresh_attempts=True)
                else:
                    self.set_state([run_id], "queued", reason, lane=TASK_LANE, fresh_attempts=True)

    def tell_untaken(self, taken: Collection[str] | None) -> None:
        """Say at queued tasks that nobody takes them, and take it back where it no longer holds.

        Args:
            taken: Types that are taken; None: all.
        """
        words = UNTAKEN
        others = "0" if taken is None else f"handler NOT IN ({','.join('?' * len(taken))})"
        types = [f"task:{each}" for each in taken or ()]
        told, untold = f"({others}) AND reason != ?", f"NOT ({others}) AND reason = ?"
        waiting = f"SELECT 1 FROM runs WHERE lane = '{TASK_LANE}' AND state = 'queued' AND"
        if self.one(f"{waiting} (({told}) OR ({untold})) LIMIT 1", (*types, words, *types, words)) is None:
            return
        change = f"UPDATE runs SET reason = ? WHERE lane = '{TASK_LANE}' AND state = 'queued' AND"
        with self.write() as db:
            db.execute(f"{change} {told}", (words, *types, words))
            db.execute(f"{change} {untold}", ("", *types, words))

    def set_job_priority(self, job_id: int, priority: int) -> None:
        """Move a job's waiting tasks in the queue."""
        with self.write() as db:
            db.execute("UPDATE jobs SET priority = ?, updated = ? WHERE id = ?", (priority, self.now(), job_id))
            rows: list[Row] = db.execute("SELECT run_id, priority FROM tasks WHERE job_id = ?", (job_id,)).fetchall()
            db.executemany(
                "UPDATE runs SET seq = ? WHERE id = ?", [(_order(priority, row[1]), row[0]) for row in rows if row[0]]
            )

    def set_task_worker(self, task_id: int, worker: str) -> None:
        """Who works on a task."""
        with self.write() as db:
            db.execute("UPDATE tasks SET worker = ? WHERE id = ? AND worker != ?", (worker, task_id, worker))

    def set_task_progress(self, task_id: int, steps_done: int, rendered: str = "") -> None:
        """What a task at work has done so far."""
        with self.write() as db:
            rows: list[Row] = db.execute("SELECT job_id, steps_done FROM tasks WHERE id = ?", (task_id,)).fetchall()
            if not rows:
                return
            db.execute("UPDATE tasks SET steps_done = ? WHERE id = ?", (steps_done, task_id))
            db.execute(
                """UPDATE jobs SET steps_done = (SELECT sum(steps_done) FROM tasks WHERE job_id = :job), updated = :now,
                last_rendered = CASE WHEN :picture != '' THEN :picture ELSE last_rendered END WHERE id = :job""",
                {"job": rows[0][0], "now": self.now(), "picture": rendered},
            )

    def set_last_rendered(self, job_id: int, path: str) -> None:
        """A newer picture of a job is there."""
        with self.write() as db:
            db.execute("UPDATE jobs SET last_rendered = ?, updated = ? WHERE id = ?", (path, self.now(), job_id))

    def delete_job(self, job_id: int, who: str = "") -> None:
        """Forget a job and its tasks with their runs; the caller removes its files."""
        with self.write() as db:
            rows: list[Row] = db.execute("SELECT dedupe, status FROM jobs WHERE id = ?", (job_id,)).fetchall()
            for dedupe, status in rows:
                if dedupe and status not in FINAL_JOB:
                    self._tell_submitter(db, dedupe, "gone", f"deleted by {who}" if who else "deleted")
            db.execute("DELETE FROM runs WHERE id IN (SELECT run_id FROM tasks WHERE job_id = ?)", (job_id,))
            db.execute("DELETE FROM jobs WHERE id = ?", (job_id,))

    def job_numbers(self) -> set[int]:
        """The ids of all jobs."""
        return {int(row[0]) for row in self.read("SELECT id FROM jobs")}

    def forget_jobs(self, before: float, limit: int = 20) -> list[int]:
        """Delete some local jobs that came to rest before a time (UTC epoch seconds); the ids whose files may go.

        A Manager's jobs are here for as long as they are there: with the next news of it they would come back.
        """
        rows = self.read(
            "SELECT id FROM jobs WHERE finished < ? AND engine = 'local' ORDER BY id LIMIT ?", (before, limit)
        )
        for row in rows:
            self.delete_job(int(row[0]))
        return [int(row[0]) for row in rows]


def _task_run(new: NewJob, job_id: int, place: int, now: float) -> NewRun:
    """The run that carries out a task."""
    task = new.tasks[place]
    state: RunState = "paused" if new.hold else "waiting" if task.dependencies else "queued"
    return NewRun(
        kind="task",
        handler=f"task:{task.type}",
        identity=f"task:{job_id}:{place + 1}",
        key="",
        seq=_order(new.priority, task.priority),
        received=now,
        state=state,
        lane=BLOCKED_LANE if task.dependencies and not new.hold else TASK_LANE,
        due=NEVER if task.dependencies and not new.hold else 0.0,
        entity=f"{new.name}: {task.name}",
        user=new.who,
        facts={"job": job_id, "task": place + 1},
    )
