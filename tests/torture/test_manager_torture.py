"""Five minutes against a Manager that is busy, drops lines, answers halves and is restarted, as the program is: what
the window reads ends identical to the Manager's own, job by job, task by task, log by log, picture by picture.

``SIGNALBOX_TORTURE_SECONDS`` shortens it.
"""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import pytest
from job_room import Jobs, farm_jobs
from manager_compile import StandInCompiler
from manager_stand_in import Chaos, ManagerStandIn

from app.jobs.manager_client import DEDUPE_KEY
from app.journal.rows import JobFilter

SECONDS = float(os.environ.get("SIGNALBOX_TORTURE_SECONDS", "300"))
SEED = int(os.environ.get("SIGNALBOX_TORTURE_SEED", "11"))
SETTINGS = {"message": "hi", "sleep_repeats": 3, "sleep_duration_seconds": 1}
KEPT_JOBS = 25


class Farmhands:
    """Workers, artists and bad luck on the Manager's side. Every decision comes from the dice."""

    def __init__(self, manager: ManagerStandIn, jobs: Jobs) -> None:
        self.manager = manager
        self.jobs = jobs
        self.dice = random.Random(SEED)
        self.submitted: list[str] = []
        self.orders: list[int] = []
        self.followed: dict[tuple[int, int], float] = {}
        self.written = 0

    def turn(self) -> None:
        """One thing happens."""
        acts = {
            self.work: 60,
            self.submit: 4,
            self.order: 6,
            self.order_task: 3,
            self.follow: 8,
            self.render: 3,
            self.drop: 3,
            self.restart: 0.4,
            self.again: 0.2,
            self.forget: 0.5,
            self.shrink: 1,
        }
        self.dice.choices(list(acts), list(acts.values()))[0]()

    def _task(self) -> str | None:
        ids = sorted(self.manager.tasks)
        return self.dice.choice(ids) if ids else None

    def work(self) -> None:
        task = self._task()
        if task is None:
            return
        self.written += 1
        state = self.dice.choice(["active", "active", "completed", "failed", "soft-failed", "queued"])
        line = f"line {self.written} é🎬 {'x' * self.dice.randrange(200)}\n".encode()
        cut = self.dice.randrange(len(line) + 1)
        self.manager.work(task, state, line[:cut], announce=self.dice.random() < 0.5)
        self.manager.work(task, state, line[cut:], announce=self.dice.random() < 0.7)

    def submit(self) -> None:
        if len(self.manager.jobs) >= KEPT_JOBS:
            return
        if self.dice.random() < 0.3:
            self.manager.chaos.lose_submit_answer = True
        key = f"torture/{len(self.submitted)}"
        self.submitted.append(key)
        args = {"job_type": "echo-sleep-test", "name": key, "settings": SETTINGS, "engine": "manager", "dedupe": key}
        self.orders.append(self.jobs.journal.order("submit_job", args, "td"))

    def order(self) -> None:
        rows = self.jobs.journal.jobs(JobFilter(engine="manager"))
        if rows:
            job = self.dice.choice(rows).id
            kind = self.dice.choices(
                ["job_cancel", "job_pause", "job_requeue", "job_priority", "job_delete"], [4, 4, 4, 4, 1]
            )[0]
            self.orders.append(self.jobs.journal.order(kind, {"job": job, "priority": self.dice.randrange(101)}, "td"))

    def order_task(self) -> None:
        rows = self.jobs.journal.jobs(JobFilter(engine="manager"))
        if rows:
            args = {"job": self.dice.choice(rows).id, "task": self.dice.randrange(1, 5)}
            kind = self.dice.choice(["task_cancel", "task_requeue"])
            self.orders.append(self.jobs.journal.order(kind, args, "td"))

    def render(self) -> None:
        if self.manager.jobs:
            self.written += 1
            self.manager.render(self.dice.choice(sorted(self.manager.jobs)), b"picture %d" % self.written)

    def follow(self) -> None:
        rows = self.jobs.journal.jobs(JobFilter(engine="manager"))
        if rows:
            key = (self.dice.choice(rows).id, self.dice.randrange(1, 5))
            self.followed[key] = time.monotonic()
            self.jobs.journal.order("task_log_follow", {"job": key[0], "task": key[1]}, "td")

    def drop(self) -> None:
        self.manager.drop_sockets()

    def restart(self) -> None:
        self.manager.stop()
        self.work()
        self.manager.start()

    def again(self) -> None:
        """The program is stopped and started."""
        self.jobs.stop()
        self.work()
        self.jobs.start()

    def forget(self) -> None:
        if len(self.manager.jobs) > KEPT_JOBS // 2:
            self.manager.forget(self.dice.choice(sorted(self.manager.jobs)))

    def shrink(self) -> None:
        task = self._task()
        if task is not None:
            self.manager.replace_log(task, b"rotated\n")


def differences(jobs: Jobs, manager: ManagerStandIn, followed: set[tuple[int, int]]) -> list[str]:
    """What the journal says otherwise than the Manager."""
    found = []
    rows = {row.remote_id: row for row in jobs.journal.jobs(JobFilter(engine="manager", limit=10_000))}
    if set(rows) != set(manager.jobs):
        found.append(f"jobs: {len(rows)} here, {len(manager.jobs)} there")
    for remote_id, job in list(manager.jobs.items()):
        row = rows.get(remote_id)
        if row is None:
            continue
        if (row.status, row.priority, row.name) != (job["status"], job["priority"], job["name"]):
            found.append(f"job {row.id}: {row.status}/{row.priority}, there {job['status']}/{job['priority']}")
        here = {task.remote_id: (task.index, task.status) for task in jobs.journal.job_tasks(row.id)}
        there = {
            each["id"]: (each["index_in_job"], each["status"])
            for each in list(manager.tasks.values())
            if each["job_id"] == remote_id
        }
        if here != there:
            found.append(f"tasks of job {row.id}: {here} {there}")
        picture = Path(row.last_rendered).read_bytes() if row.last_rendered else None
        if picture != manager.pictures.get(remote_id):
            found.append(f"picture of job {row.id}: {picture!r}, there {manager.pictures.get(remote_id)!r}")
        for task in jobs.journal.job_tasks(row.id):
            if (row.id, task.index) in followed:
                log = jobs.journal.task_log(row.id, task.index, limit=1 << 24)[0]
                if log != manager.logs.get(task.remote_id, b""):
                    found.append(f"log of task {task.index} of job {row.id}: {len(log)} bytes")
    return found


def agreed(jobs: Jobs, manager: ManagerStandIn, followed: set[tuple[int, int]]) -> None:
    """Wait until both say the same. Logs are asked for again, as a window does: a task may be unknown at first."""
    until, pause = time.monotonic() + 60, threading.Event()
    while found := differences(jobs, manager, followed):
        assert time.monotonic() < until, "\n".join(found)
        for job, task in followed:
            if not jobs.journal.task_log_path(job, task).exists():
                jobs.journal.order("task_log_follow", {"job": job, "task": task}, "td")
        pause.wait(0.5)


@pytest.mark.timeout(SECONDS + 240)
def test_after_five_minutes_of_trouble_everything_is_as_the_manager_has_it(tmp_path: Path) -> None:
    compiler = StandInCompiler()
    manager = compiler.stand_in().start()
    jobs = farm_jobs(tmp_path, manager.url, 3.0)
    hands = Farmhands(manager, jobs)
    try:
        until, pause = time.monotonic() + SECONDS, threading.Event()
        for _ in range(6):
            hands.submit()
        while time.monotonic() < until:
            manager.chaos.busy, manager.chaos.cut = 0.12, 0.08
            manager.chaos.drop, manager.chaos.nonsense, manager.chaos.odd = 0.08, 0.02, 0.02
            hands.turn()
            pause.wait(0.02)
        manager.chaos = Chaos()
        jobs.wait(lambda: all(jobs.journal.order_row(order).state != "open" for order in hands.orders), 120)
        kept = {row.id for row in jobs.journal.jobs(JobFilter(engine="manager"))}
        followed = {key for key in hands.followed if key[0] in kept}
        for job, task in followed:
            jobs.journal.order("task_log_follow", {"job": job, "task": task}, "td")
        agreed(jobs, manager, followed)
        keys = [job["metadata"][DEDUPE_KEY] for job in manager.jobs.values()]
        assert len(keys) == len(set(keys)), "a job was submitted twice"
        assert hands.written > SECONDS
    finally:
        found = differences(jobs, manager, set())
        jobs.close()
        manager.stop()
        compiler.close()
    assert found == []
