"""`signalbox job`: what a TD without a window does to a job, beside a server at work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from click.testing import Result
from job_room import Jobs, python, script_of
from manager_stand_in import ManagerStandIn
from typer.testing import CliRunner

from app import cli_jobs


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    room = Jobs(tmp_path, confirmed=False, task_attempts=1)
    yield room
    room.close()


def job(room: Jobs, *words: object) -> Result:
    """`signalbox job ...` to its end."""
    program = typer.Typer()
    cli_jobs.register(program)
    where = ["--journal", str(room.journal.folder), "--settings", str(room.room.folder / "settings.toml")]
    return CliRunner().invoke(program, ["job", *(str(word) for word in words), *where])


def test_a_job_is_confirmed_watched_stopped_and_done_again_from_a_terminal(jobs: Jobs, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    code = f"import os,sys,time\nprint('begun')\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)\nsys.exit(3)"
    number = jobs.submit(script_of(python(code), "[['echo', {message: 'after'}]]"))
    seen = job(jobs, "confirm", number)
    assert (seen.exit_code, "task 2: echo after" in seen.stderr) == (3, True), seen.stderr
    assert job(jobs, "confirm", number, "--yes").exit_code == 0
    jobs.wait(lambda: "> begun" in jobs.log(number))
    assert job(jobs, "delete", number).stderr == "signalbox: the job probe is at work: cancel it first\n"
    assert job(jobs, "cancel", number, "--task", 1).exit_code == 0
    jobs.wait(lambda: jobs.states(number)[0] == "canceled")
    told = json.loads(job(jobs, "priority", number, "--priority", 90, "--json").stdout)
    assert (told["job"], told["status"], told["priority"]) == (number, "canceled", 90)
    gate.touch()
    assert job(jobs, "requeue", number).exit_code == 0
    log = job(jobs, "log", number, "--follow")
    assert log.stdout.endswith("--- failed: command exited abnormally with code 3 ---\n"), log.stdout
    assert jobs.ended(number).status == "failed"
    assert job(jobs, "log", number, "--task", 2).stderr == "signalbox: task 2 task 2 has written nothing\n"
    assert job(jobs, "delete", number).stdout == f"job {number} probe is deleted\n"
    gone = job(jobs, "requeue", number, "--json")
    assert (gone.exit_code, json.loads(gone.stdout)) == (
        3,
        {"refused": f"job {number} is not in the journal (any more)"},
    )


def test_no_name_and_no_command_line_steers_the_terminal(jobs: Jobs) -> None:
    hidden = "[['exec', {exe: '/bin/rm', args: ['-rf', '/shows', '\\x1b[2K\\recho hello']}]]"
    number = jobs.submit(script_of(hidden), name="نمی‌خواهم\nb\x1b[8m")
    asked = job(jobs, "confirm", number)
    assert "task 1: /bin/rm -rf /shows '\\x1b[2K\\recho hello'\n" in asked.stderr
    assert f"job {number} نمی‌خواهم\\nb\\x1b[8m was not confirmed" in asked.stdout, "letters stay as they are"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("fly", 1), "ACTION fly: write one of cancel, pause"),
        (("pause", 1, "--task", 1), "--task goes with cancel, requeue, log, not with pause"),
        (("cancel", 1, "--yes"), "--yes goes with confirm"),
        (("priority", 1), "the action priority needs --priority"),
    ],
)
def test_words_that_do_not_go_together_are_refused(jobs: Jobs, words: tuple[object, ...], says: str) -> None:
    done = job(jobs, *words)
    assert (done.exit_code, says in done.stderr) == (2, True), done.stderr


def test_the_log_of_a_task_on_the_farm_is_brought_here(farm_room: Jobs, manager: ManagerStandIn) -> None:
    settings = {"message": "hi", "sleep_repeats": 0}
    number = farm_room.submit(job_type="echo-sleep-test", engine="manager", settings=settings)
    farm_room.wait(lambda: bool(farm_room.journal.job_tasks(number)))
    manager.work(farm_room.journal.job_tasks(number)[0].remote_id, "completed", b"said on the farm\n")
    assert "said on the farm" in job(farm_room, "log", number).stdout
    assert job(farm_room, "cancel", number, "--task", 7).stderr == f"signalbox: job {number} has no task 7\n"
