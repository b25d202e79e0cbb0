"""What a person who waits for a job's end is told when nothing of it happens."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import typer
from click.testing import Result
from job_room import Jobs, script_of
from manager_stand_in import ManagerStandIn
from typer.testing import CliRunner

from app.cli_jobs import register, wait_for, why_it_waits
from app.journal.journal import Journal
from app.service.orders import Attendance, answer_to

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


def test_who_waits_is_told_when_the_event_server_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    room = Jobs(tmp_path, local_workers=0)
    job = room.submit(script_of(ECHO))
    watching = Journal.open(room.journal.folder, "panel")
    try:
        attendance = Attendance(watching, away=0.0)
        waiter = threading.Thread(
            target=wait_for, args=(watching, job, lambda: room.room.settings("flamenco"), attendance)
        )
        waiter.start()
        waiter.join(1.5)
        assert waiter.is_alive(), "the server is there: its job is waited for"
        room.close()
        waiter.join(30)
        assert not waiter.is_alive()
        assert f"job {job} probe is not waited for any more, the event server has stopped" in capsys.readouterr().err
        program = typer.Typer()
        register(program)
        listed = CliRunner().invoke(program, ["jobs", "--journal", str(watching.folder)])
        assert "no event server runs here: local jobs go on when one does" in listed.stderr
        order = watching.order("job_cancel", {"job": job}, "td")
        assert answer_to(watching, order, 60.0, away=0.0)["refused"].startswith("the event server has stopped before")
        assert [each.id for each in watching.open_orders()] == [order], "it is carried out by the next one"
    finally:
        watching.close()


def test_a_job_deleted_while_somebody_waits_for_it_is_told(tmp_path: Path) -> None:
    room = Jobs(tmp_path, local_workers=0)
    app = typer.Typer()
    register(app)
    (script := tmp_path / "probe.js").write_text(script_of(ECHO))
    words = ["submit", str(script), "--yes", "--wait", "--journal", str(room.journal.folder)]
    ended: list[Result] = []
    try:
        waiter = threading.Thread(target=lambda: ended.append(CliRunner().invoke(app, words)))
        waiter.start()
        room.wait(lambda: [job.status for job in room.journal.jobs()] == ["queued"])
        room.order("job_delete", job=1)
        waiter.join(30)
        assert [(each.exit_code, each.stderr) for each in ended] == [
            (1, "signalbox: job 1 is not in the journal (any more)\n")
        ]
    finally:
        room.close()
