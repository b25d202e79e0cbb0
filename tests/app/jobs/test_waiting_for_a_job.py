"""What a person who waits for a job's end is told when nothing of it happens."""

from __future__ import annotations

from pathlib import Path

from job_room import Jobs, script_of
from manager_stand_in import ManagerStandIn

from app.cli_jobs import why_it_waits

ECHO = "[['echo', {message: 'hello'}]]"


def told(room: Jobs, job: int, seconds: float = 0.0) -> str:
    return why_it_waits(room.journal, room.journal.job(job), room.room.settings("flamenco"), seconds)


def test_a_machine_that_runs_no_tasks_at_all_says_so(tmp_path: Path) -> None:
    room = Jobs(tmp_path, local_workers=0)
    try:
        job = room.submit(script_of(ECHO))
        room.wait(lambda: "flamenco.local_workers to 1 or more" in told(room, job))
        room.room.store.set("flamenco", "local_workers", 1)
        assert room.ended(job).status == "completed"
        assert told(room, job) == ""
    finally:
        room.close()


def test_tasks_that_wait_for_each_other_are_told_of(tmp_path: Path) -> None:
    room = Jobs(tmp_path)
    try:
        job = room.submit(script_of(ECHO).replace("job.addTask", "task.addDependency(task); job.addTask"))
        assert "wait for each other: none can start" in told(room, job)
    finally:
        room.close()


def test_a_farm_whose_workers_take_nothing_is_told_of_after_a_while(farm_room: Jobs, manager: ManagerStandIn) -> None:
    settings = {"message": "hi", "sleep_repeats": 1, "sleep_duration_seconds": 1}
    job = farm_room.submit(job_type="echo-sleep-test", engine="manager", settings=settings)
    farm_room.wait(lambda: len(farm_room.journal.job_tasks(job)) == 2)
    assert told(farm_room, job, 1.0) == "", "a Worker may be about to ask"
    words = told(farm_room, job, 60.0)
    assert words.startswith("no Worker has taken a task of the type misc")
    manager.work(farm_room.journal.job_tasks(job)[0].remote_id, "active")
    farm_room.wait(lambda: told(farm_room, job, 60.0) == "")
