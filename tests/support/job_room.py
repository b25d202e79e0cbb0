"""The job room of a worker process on a real journal, with the real compiler; submits, orders and waits."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine_room import Room
from manager_stand_in import ECHO_SLEEP

from app.engine.recovery import recover_runs
from app.jobs.manager_live import Rhythm
from app.journal.rows import JobRow
from app.service.jobs import JobRoom

QUICK = Rhythm(ping=0.2, silence=2.0, reconnect=0.02, longest_reconnect=0.1, resync=0.3, poll=0.05, breath=0.01)
TERMINAL = ("completed", "failed", "canceled", "paused", "needs-confirmation")


def script_of(*tasks: str) -> str:
    """A job type whose job has these tasks: JavaScript expressions of lists of commands; each needs the one before."""
    lines = [
        "const JOB_TYPE = { label: 'Test', settings: [] };",
        "function compileJob(job) {",
        "  let before = null;",
    ]
    for number, commands in enumerate(tasks):
        lines += [
            f"  {{ const task = author.Task('task {number + 1}', 'misc');",
            f"    for (const [name, parameters] of {commands}) task.addCommand(author.Command(name, parameters));",
            "    if (before) task.addDependency(before);",
            "    job.addTask(task); before = task; }",
        ]
    return "\n".join([*lines, "}"])


def python(code: str, *arguments: str) -> str:
    """A command that runs Python code, as JavaScript."""
    return f"[['exec', {json.dumps({'exe': sys.executable, 'args': ['-u', '-c', code, *arguments]})}]]"


class Jobs:
    """A running job room of one test. ``settings`` are those of the section flamenco."""

    def __init__(self, folder: Path, *, confirmed: bool = True, manager: str = "", **settings: Any) -> None:
        self.room = Room(folder)
        self.journal = self.room.journal
        self.confirmed = confirmed
        self.rhythm = QUICK
        given = {"task_pause": 0.0, "allow_any_program": True, "local_workers": 2, "manager": manager} | settings
        for name, value in given.items():
            self.room.store.set("flamenco", name, value)
        self.jobs: JobRoom | None = None
        self.start()

    def start(self) -> None:
        recover_runs(self.journal)
        self.jobs = JobRoom(self.journal, self.room.doors, self.rhythm)
        self.jobs.start()

    def stop(self) -> None:
        if self.jobs is not None:
            assert self.jobs.stop(), "a thread of the job room did not end"
            self.jobs = None

    def close(self) -> None:
        self.stop()
        self.room.close()

    def order(self, order_kind: str, **args: Any) -> Mapping[str, Any]:
        number = self.journal.order(order_kind, args, "td")
        self.wait(lambda: self.journal.order_row(number).state != "open", 60)
        return self.journal.order_row(number).result

    def submit(self, script: str = "", job_type: str = "probe", **args: Any) -> int:
        """Submit a job and, where the test is not about it, confirm its command lines."""
        answer = self.order("submit_job", job_type=job_type, script=script, **args)
        assert "job" in answer, answer
        job = int(answer["job"])
        if self.confirmed and self.journal.job(job).status == "needs-confirmation":
            assert "refused" not in self.order("job_confirm", job=job)
        return job

    def ended(self, job: int, seconds: float = 60.0) -> JobRow:
        """The job when it has come to rest."""
        self.wait(lambda: self.journal.job(job).status in TERMINAL, seconds)
        return self.journal.job(job)

    def log(self, job: int, task: int = 1) -> str:
        """The task's output so far; empty while its file is not there yet."""
        path = self.journal.task_log_path(job, task)
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def states(self, job: int) -> list[str]:
        return [task.status for task in self.journal.job_tasks(job)]

    def wait(self, what: Callable[[], bool], seconds: float = 60.0) -> None:
        until = time.monotonic() + seconds
        pause = threading.Event()
        while not what():
            assert time.monotonic() < until, "it did not happen in time"
            pause.wait(0.01)


def farm_jobs(folder: Path, url: str, seconds: float = 5.0) -> Jobs:
    """A job room that watches a Manager, whose echo job type is in the scripts folder too."""
    scripts = folder / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "echo_sleep_test.js").write_text(ECHO_SLEEP)
    return Jobs(folder, manager=url, scripts_folder=str(scripts), timeout=seconds)
