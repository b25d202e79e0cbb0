"""Jobs of both engines and their tasks.

A local task is carried out by a run of kind "task": the run is the truth about its state, and the books of the job
(counts, what its tasks wait for, its status) are kept in the transaction that moves the run. A Manager's jobs are
mirrored as they are there.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import apsw

from app.journal.queue import NEVER, NewRun, Queue
from app.journal.rows import JobFilter, JobRow, JobStatus, RunState, TaskRow, TaskStatus
from app.journal.store import Row, dump

__all__ = ["BLOCKED_LANE", "FINAL_JOB", "TASK_LANE", "Jobs", "NewJob", "NewTask", "RemoteJob", "RemoteTask"]

#: Tasks that may be claimed; those that wait for others or for a person are kept out of the way of every claim.
TASK_LANE = "task"
BLOCKED_LANE = "blocked"
FINAL_JOB: frozenset[str] = frozenset({"completed", "failed", "canceled"})
_LOG_PIECE = 1 << 20

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
_JOB = """j.id, j.engine, j.remote_id, j.name, j.type, j.status, j.activity, j.priority, j.who, j.created, j.updated,
    j.started, j.finished, j.tasks, j.completed, j.active, j.failed, j.canceled, j.steps_done, j.steps_total,
    j.settings, j.metadata, coalesce(j.dedupe, ''), j.script_hash,
    (SELECT o.run_id FROM outbox o WHERE o.dedupe = j.dedupe AND o.kind = 'job'), j.last_rendered"""
_TASK = """t.id, t.job_id, t.idx, t.remote_id, t.run_id, t.name, t.type, t.priority, t.status,
    CASE WHEN r.id IS NULL THEN t.activity WHEN r.progress != '' AND r.state = 'running' THEN r.progress
    ELSE r.reason END, t.worker, t.started, t.finished, coalesce(r.attempts, 0), t.steps_done, t.steps_total,
    (SELECT json_group_array(n.idx) FROM (SELECT d.idx FROM needs w JOIN tasks d ON d.id = w.needs_id
        WHERE w.task_id = t.id ORDER BY d.idx) n)"""

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


def _job_row(row: Row) -> JobRow:
    values = list(row)
    values[20] = json.loads(values[20])
    values[21] = json.loads(values[21])
    return JobRow(*values)


def _task_row(row: Row) -> TaskRow:
    values = list(row[:17])
    values[16] = tuple(json.loads(values[16]))
    if len(row) > 17:
        values.append(tuple(json.loads(row[17])))
    return TaskRow(*values)


def _order(job_priority: int, task_priority: int) -> int:
    """The place in the queue: higher priorities first, a job's before a task's; equal ones in order of arrival."""
    return -(max(-1000, min(1000, job_priority)) * 10_000 + max(-4000, min(4000, task_priority)))


class Jobs(Queue):
    """The jobs' part of the journal."""

    folder: Path

    # -- reading ---------------------------------------------------------------------------------------------------

    def jobs(self, wanted: JobFilter | None = None) -> list[JobRow]:
        """Jobs of both engines, newest first."""
        wanted = wanted or JobFilter()
        where, arguments = ["1"], list[Any]()
        for column, value in (("j.engine", wanted.engine), ("j.type", wanted.type)):
            if value:
                where.append(f"{column} = ?")
                arguments.append(value)
        if wanted.statuses:
            where.append(f"j.status IN ({','.join('?' * len(wanted.statuses))})")
            arguments.extend(sorted(wanted.statuses))
        if wanted.text:
            where.append("instr(lower(j.name || ' ' || j.type || ' ' || j.who), lower(?))")
            arguments.append(wanted.text)
        if wanted.run_id is not None:
            where.append("j.dedupe IN (SELECT o.dedupe FROM outbox o WHERE o.run_id = ? AND o.kind = 'job')")
            arguments.append(wanted.run_id)
        if wanted.before is not None:
            where.append("j.id < ?")
            arguments.append(wanted.before)
        sql = f"SELECT {_JOB} FROM jobs j WHERE {' AND '.join(where)} ORDER BY j.id DESC LIMIT ?"
        return [_job_row(row) for row in self.read(sql, [*arguments, wanted.limit])]

    def job(self, job_id: int) -> JobRow:
        """One job.

        Raises:
            KeyError: There is no such job (any more).
        """
        row = self.one(f"SELECT {_JOB} FROM jobs j WHERE j.id = ?", (job_id,))
        if row is None:
            raise KeyError(f"job {job_id} is not in the journal (any more)")
        return _job_row(row)

    def job_tasks(self, job_id: int) -> list[TaskRow]:
        """A job's tasks in its order, without their commands."""
        sql = f"SELECT {_TASK} FROM tasks t LEFT JOIN runs r ON r.id = t.run_id WHERE t.job_id = ? ORDER BY t.idx"
        return [_task_row(row) for row in self.read(sql, (job_id,))]

    def job_task(self, job_id: int, task: int) -> TaskRow:
        """One task with its commands.

        Args:
            job_id: The job.
            task: The task's ``index``.

        Raises:
            KeyError: There is no such task.
        """
        row = self.one(
            f"SELECT {_TASK}, t.commands FROM tasks t LEFT JOIN runs r ON r.id = t.run_id "
            "WHERE t.job_id = ? AND t.idx = ?",
            (job_id, task),
        )
        if row is None:
            raise KeyError(f"job {job_id} has no task {task}")
        return _task_row(row)

    def job_commands(self, job_id: int) -> list[tuple[int, str, list[dict[str, Any]]]]:
        """What a job's tasks will do: index, name and commands of each, variables replaced."""
        rows = self.read("SELECT idx, name, commands FROM tasks WHERE job_id = ? ORDER BY idx", (job_id,))
        return [(int(row[0]), str(row[1]), json.loads(row[2])) for row in rows]

    def task_log_path(self, job_id: int, task: int) -> Path:
        """Where the output of a task is written; the file need not exist yet."""
        return self.folder / "tasks" / str(job_id) / f"{task}.log"

    def task_log(self, job_id: int, task: int, offset: int = 0, limit: int = _LOG_PIECE) -> tuple[bytes, int]:
        """A piece of a task's output from a byte offset, and the offset after it.

        A file that became shorter (the task was started over) is given from its beginning: then the new offset minus
        the length of the piece is not the offset asked for.
        """
        try:
            with self.task_log_path(job_id, task).open("rb") as file:
                size = file.seek(0, 2)
                start = offset if offset <= size else 0
                file.seek(start)
                data = file.read(limit)
        except FileNotFoundError:
            return b"", 0
        return data, start + len(data)

    def job_of_dedupe(self, dedupe: str) -> JobRow | None:
        """The job with this key, None without one."""
        row = self.one(f"SELECT {_JOB} FROM jobs j WHERE j.dedupe = ?", (dedupe,)) if dedupe else None
        return _job_row(row) if row else None

    def job_of_remote(self, remote_id: str) -> int | None:
        """The journal's id of a Manager's job."""
        row = self.one("SELECT id FROM jobs WHERE remote_id = ?", (remote_id,)) if remote_id else None
        return int(row[0]) if row else None

    def is_confirmed(self, script_hash: str) -> bool:
        """Whether a person has confirmed what this script does."""
        return self.one("SELECT 1 FROM confirmations WHERE script_hash = ?", (script_hash,)) is not None

    def task_of_run(self, run_id: int) -> TaskRow:
        """The task that a run carries out, with its commands.

        Raises:
            KeyError: The job was deleted.
        """
        row = self.one("SELECT job_id, idx FROM tasks WHERE run_id = ?", (run_id,))
        if row is None:
            raise KeyError(f"the task of run {run_id} is not in the journal (any more)")
        return self.job_task(int(row[0]), int(row[1]))

    def task_waits_for(self, task_id: int) -> int:
        """How many tasks this one still waits for."""
        row = self.one("SELECT missing FROM tasks WHERE id = ?", (task_id,))
        return int(row[0]) if row else 0

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
            status, activity = "failed", f"{failed} of {total} tasks failed"
        elif canceled:
            status, activity = "canceled", f"{canceled} of {total} tasks were canceled"
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

    def tell_untaken(self, taken: Collection[str] | None, words: str) -> None:
        """Say at queued tasks why nobody takes them.

        Args:
            taken: Types that are taken; None: all.
            words: The reason; it is taken back where it no longer holds.
        """
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

    def delete_job(self, job_id: int) -> None:
        """Forget a job and its tasks with their runs; the caller removes its files."""
        with self.write() as db:
            db.execute("DELETE FROM runs WHERE id IN (SELECT run_id FROM tasks WHERE job_id = ?)", (job_id,))
            db.execute("DELETE FROM jobs WHERE id = ?", (job_id,))

    def forget_jobs(self, before: float, limit: int = 20) -> list[int]:
        """Delete some jobs that came to rest before a time (UTC epoch seconds); the ids whose files may go."""
        rows = self.read("SELECT id FROM jobs WHERE finished < ? ORDER BY id LIMIT ?", (before, limit))
        for row in rows:
            self.delete_job(int(row[0]))
        return [int(row[0]) for row in rows]

    # -- the Manager's jobs ----------------------------------------------------------------------------------------

    def mirror_jobs(self, jobs: Sequence[RemoteJob], *, whole: bool = True, spared: Collection[str] = ()) -> list[int]:
        """Bring the Manager's jobs up to date; returns ids of those that changed.

        Args:
            jobs: As read just now.
            whole: These are all it has: what it no longer knows is forgotten here too.
            spared: Remote ids that are not forgotten all the same (submitted after the list was asked for).
        """
        changed = []
        with self.write() as db:
            if whole:
                self._forget_remote(db, {job.remote_id for job in jobs} | set(spared))
            for job in jobs:
                job_id = self._mirror_job(db, job)
                if job_id is not None:
                    changed.append(job_id)
        return changed

    def _forget_remote(self, db: apsw.Connection, known: set[str]) -> None:
        rows: list[Row] = db.execute("SELECT id, remote_id FROM jobs WHERE engine = 'manager'").fetchall()
        gone = [(row[0],) for row in rows if row[1] not in known]
        if gone:
            db.executemany("DELETE FROM jobs WHERE id = ?", gone)

    def _mirror_job(self, db: apsw.Connection, job: RemoteJob) -> int | None:
        final = job.status in FINAL_JOB
        before = db.total_changes()
        db.execute(
            """INSERT INTO jobs(engine, remote_id, name, type, priority, status, activity, settings, metadata, dedupe,
            who, created, updated, finished, steps_done, steps_total)
            VALUES('manager', :remote, :name, :type, :priority, :status, :activity, :settings, :metadata, :dedupe,
            :who, :created, :updated, :finished, :done, :total)
            ON CONFLICT(remote_id) WHERE remote_id != '' DO UPDATE SET name = excluded.name,
            priority = excluded.priority, status = excluded.status, activity = excluded.activity,
            settings = excluded.settings, metadata = excluded.metadata, updated = excluded.updated,
            finished = excluded.finished, steps_done = excluded.steps_done, steps_total = excluded.steps_total
            WHERE (name, priority, status, activity, settings, metadata, finished, steps_done, steps_total) IS NOT
            (excluded.name, excluded.priority, excluded.status, excluded.activity, excluded.settings,
            excluded.metadata, excluded.finished, excluded.steps_done, excluded.steps_total)""",
            {
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
            },
        )
        if db.total_changes() == before:
            return None
        if job.dedupe:
            self._tell_submitter(db, job.dedupe, job.status, job.activity)
        rows: list[Row] = db.execute("SELECT id FROM jobs WHERE remote_id = ?", (job.remote_id,)).fetchall()
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
            "SELECT id, status, remote_id, name, priority, activity, worker, steps_done, steps_total, started, type "
            "FROM tasks WHERE job_id = ? AND idx = ?",
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
        )
        if not known:
            db.execute(
                """INSERT INTO tasks(status, remote_id, name, priority, activity, worker, steps_done, steps_total,
                started, finished, job_id, idx, type) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)""",
                (*fresh, task.updated if at_work else None, ended, job_id, task.index, task.type),
            )
            return db.last_insert_rowid()
        if tuple(known[0][1:9]) != fresh:
            started = task.updated if at_work and known[0][1] != "active" else known[0][9]
            db.execute(
                """UPDATE tasks SET status = ?, remote_id = ?, name = ?, priority = ?, activity = ?, worker = ?,
                steps_done = ?, steps_total = ?, started = ?, finished = ? WHERE id = ?""",
                (*fresh, started, ended, known[0][0]),
            )
        return int(known[0][0])

    def _recount_remote(self, db: apsw.Connection, job_id: int) -> None:
        db.execute(
            """UPDATE jobs SET (tasks, completed, active, failed, canceled, started) = (SELECT count(*),
            sum(status = 'completed'), sum(status = 'active'), sum(status = 'failed'), sum(status = 'canceled'),
            min(started) FROM tasks WHERE job_id = :job), updated = :now WHERE id = :job""",
            {"job": job_id, "now": self.now()},
        )


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
