"""What is read of jobs and their tasks: rows for the window and the command line, and the files of output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from app.journal.queue import Queue
from app.journal.rows import JobFilter, JobRow, TaskRow
from app.journal.store import Row

__all__ = ["JobRows"]

_LOG_PIECE = 1 << 20
_JOB = """j.id, j.engine, j.remote_id, j.name, j.type, j.status, j.activity, j.priority, j.who, j.created, j.updated,
    j.started, j.finished, j.tasks, j.completed, j.active, j.failed, j.canceled, j.steps_done, j.steps_total,
    j.settings, j.metadata, coalesce(j.dedupe, ''), j.script_hash,
    (SELECT o.run_id FROM outbox o WHERE o.dedupe = j.dedupe AND o.kind = 'job'), j.last_rendered"""
_TASK = """t.id, t.job_id, t.idx, t.remote_id, t.run_id, t.name, t.type, t.priority, t.status,
    CASE WHEN r.id IS NULL THEN t.activity WHEN r.progress != '' AND r.state = 'running' THEN r.progress
    ELSE r.reason END, t.worker, t.started, t.finished, coalesce(r.attempts, 0), t.steps_done, t.steps_total,
    (SELECT json_group_array(n.idx) FROM (SELECT d.idx FROM needs w JOIN tasks d ON d.id = w.needs_id
        WHERE w.task_id = t.id ORDER BY d.idx) n)"""


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


class JobRows(Queue):
    """The reading part of jobs."""

    folder: Path

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
        rows = self.read(sql, (job_id,))
        # Hundreds of tasks wait for the same ones: what they need is made out once.
        needs = {text: tuple(json.loads(text)) for text in {row[16] for row in rows}}
        return [TaskRow(*[*row[:16], needs[row[16]]]) for row in rows]

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
        """What a job's tasks will do: index, name and commands of each, as compiled."""
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
        # Without "!= ''" the index, which has no local jobs, is not used.
        row = self.one("SELECT id FROM jobs WHERE remote_id = ? AND remote_id != ''", (remote_id,))
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
