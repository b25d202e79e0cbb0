"""A run that submits a job is linked to it and shows how it ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from engine_room import FunctionHandler, update
from job_room import Jobs
from manager_stand_in import ManagerStandIn
from typer import Typer
from typer.testing import CliRunner

from app import cli_jobs
from app.effects.job import SubmitJob
from app.engine.protocol import Change, Context, Plan
from app.journal.rows import JobFilter


def submits(job_type: str, settings: dict[str, Any], engine: Literal["local", "manager"]) -> FunctionHandler:
    """A handler whose setting wants a job for each task that changes."""

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        del ctx
        return Plan(
            (
                SubmitJob(
                    slot="job",
                    reason="becomes Ready for Comp",
                    entity_id=changes[0].entity_id,
                    job_type=job_type,
                    name="publish 001_0010",
                    settings=settings,
                    engine=engine,
                    dedupe="job:001_0010:ready-for-comp",
                ),
            )
        )

    return FunctionHandler(plan)


def started(jobs: Jobs, handler: FunctionHandler) -> int:
    """The handler's run, when it has submitted its job."""
    jobs.room.start(handler)
    jobs.room.lever("on")
    jobs.room.send(update("t1"))
    jobs.wait(lambda: jobs.room.states() == ["done"])
    return int(jobs.journal.runs(handler="probe")[0].id)


def told(jobs: Jobs, *words: str) -> str:
    """What `signalbox jobs` says."""
    where = ["--journal", str(jobs.journal.folder), "--settings", str(jobs.room.folder / "settings.toml")]
    program = Typer()
    cli_jobs.register(program)
    done = CliRunner().invoke(program, ["jobs", *where, *words])
    assert done.exit_code == 0, done.output
    return str(done.output)


def test_the_run_shows_the_job_it_submitted_and_how_that_ended(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    jobs = Jobs(tmp_path, task_attempts=1)
    try:
        wanted = {"files": str(source), "destination": str(tmp_path / "out")}
        run = started(jobs, submits("publish-copy", wanted, "local"))
        (job,) = jobs.journal.jobs(JobFilter(run_id=run))
        assert (job.run_id, job.name, job.who) == (run, "publish 001_0010", "signalbox")
        assert jobs.ended(job.id).status == "failed", "the file is not there"
        (effect,) = jobs.journal.run(run).effects
        assert (effect.state, effect.after) == (
            "sent",
            {"job": job.id, "engine": "local", "status": "failed", "activity": "1 of 2 tasks failed"},
        )
        assert f"failed (1 of 2 tasks failed), 0 of 2 tasks, 0%, submitted by run {run}" in told(jobs)
        source.write_text("there now")
        jobs.order("job_requeue", job=job.id)
        jobs.wait(lambda: jobs.journal.job(job.id).status == "completed")
        assert (jobs.journal.run(run).effects[0].after or {})["status"] == "completed"
        jobs.room.send(update("t2"))
        jobs.wait(lambda: jobs.room.states() == ["done", "done"])
        assert len(jobs.journal.jobs()) == 1, "the same key is submitted once"
        assert told(jobs, "--run", str(run + 1_000)) == "no jobs\n"
    finally:
        jobs.close()


def test_a_job_whose_scripts_folder_is_away_is_submitted_when_that_is_back(tmp_path: Path) -> None:
    scripts = tmp_path / "scripts"
    jobs = Jobs(tmp_path, scripts_folder=str(scripts))
    try:
        asked = jobs.order("submit_job", job_type="log-and-sleep", name="by hand")
        assert asked["refused"] == f"the scripts folder {scripts} cannot be read: No such file or directory"
        jobs.room.start(submits("log-and-sleep", {"sleep_duration_seconds": 0}, "local"))
        jobs.room.lever("on")
        jobs.room.send(update("t1"))
        jobs.wait(lambda: any("cannot be read" in str(each["error"]) for each in jobs.journal.outbox(5)))
        assert jobs.room.states() == ["waiting"]
        scripts.mkdir()
        jobs.wait(lambda: [job.status for job in jobs.journal.jobs()] == ["completed"])
        jobs.wait(lambda: jobs.room.states() == ["done"])
    finally:
        jobs.close()


def test_a_run_whose_job_a_person_deleted_before_its_end_says_so(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, local_workers=0)
    try:
        run = started(jobs, submits("log-and-sleep", {}, "local"))
        (job,) = jobs.journal.jobs(JobFilter(run_id=run))
        jobs.order("job_delete", job=job.id)
        after = jobs.journal.run(run).effects[0].after or {}
        assert (after["status"], after["activity"]) == ("gone", "deleted by td")
    finally:
        jobs.close()


def test_a_job_that_a_run_sent_to_the_farm_is_shown_with_the_run_to_its_end(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    manager.chaos.lose_submit_answer = True
    wanted = {"message": "hi", "sleep_repeats": 0}
    run = started(farm_room, submits("echo-sleep-test", wanted, "manager"))
    (remote,) = manager.jobs.values()
    assert remote["settings"] == {**wanted, "sleep_duration_seconds": 1}
    for status in ("active", "completed"):
        for task in list(manager.tasks):
            manager.work(task, status)
        farm_room.wait(
            lambda status=status: (farm_room.journal.run(run).effects[0].after or {}).get("status") == status
        )
    (shown,) = json.loads(told(farm_room, "--run", str(run), "--json"))["jobs"]
    assert (shown["engine"], shown["remote_id"], shown["status"]) == ("manager", remote["id"], "completed")


def test_a_job_of_a_run_that_the_manager_took_too_late_to_say_so_is_there_once(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    """It is at work on the job for longer than anybody waits: it is looked for, and not sent again."""
    farm_room.room.store.set("flamenco", "timeout", 0.5)
    farm_room.wait(lambda: any(lamp.state == "ok" for lamp in farm_room.journal.health()))
    manager.chaos.slow_submit = 1.5
    run = started(farm_room, submits("echo-sleep-test", {"message": "hi", "sleep_repeats": 0}, "manager"))
    (remote,) = manager.jobs.values()
    assert manager.requests.count("POST /api/v3/jobs") == 1
    (effect,) = farm_room.journal.run(run).effects
    assert (effect.after or {})["remote_id"] == remote["id"]


def test_a_run_whose_job_the_manager_lost_says_so(farm_room: Jobs, manager: ManagerStandIn) -> None:
    run = started(farm_room, submits("echo-sleep-test", {"message": "hi", "sleep_repeats": 0}, "manager"))
    manager.forget(next(iter(manager.jobs)))

    def after() -> dict[str, object]:
        return dict(farm_room.journal.run(run).effects[0].after or {})

    farm_room.wait(lambda: after()["status"] == "gone")
    assert after()["activity"] == "the Flamenco Manager no longer has the job"
