"""A run that submits a job is linked to it and shows how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine_room import FunctionHandler, update
from job_room import Jobs

from app.effects.job import SubmitJob
from app.engine.protocol import Change, Context, Plan
from app.journal.rows import JobFilter


def test_the_run_shows_the_job_it_submitted_and_how_that_ended(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        del ctx
        return Plan(
            (
                SubmitJob(
                    slot="job",
                    reason="becomes Ready for Comp",
                    entity_id=changes[0].entity_id,
                    job_type="publish-copy",
                    name="publish 001_0010",
                    settings={"files": str(source), "destination": str(tmp_path / "out")},
                    dedupe="job:001_0010:ready-for-comp",
                ),
            )
        )

    jobs = Jobs(tmp_path, task_attempts=1)
    try:
        jobs.room.start(FunctionHandler(plan))
        jobs.room.lever("on")
        jobs.room.send(update("t1"))
        jobs.wait(lambda: jobs.room.states() == ["done"])
        run = jobs.journal.runs(handler="probe")[0].id
        (job,) = jobs.journal.jobs(JobFilter(run_id=run))
        assert (job.run_id, job.name, job.who) == (run, "publish 001_0010", "signalbox")
        assert jobs.ended(job.id).status == "failed", "the file is not there"
        (effect,) = jobs.journal.run(run).effects
        assert (effect.state, effect.after) == (
            "sent",
            {"job": job.id, "engine": "local", "status": "failed", "activity": "1 of 2 tasks failed"},
        )
        source.write_text("there now")
        jobs.order("job_requeue", job=job.id)
        jobs.wait(lambda: jobs.journal.job(job.id).status == "completed")
        assert (jobs.journal.run(run).effects[0].after or {})["status"] == "completed"
        jobs.room.send(update("t2"))
        jobs.wait(lambda: jobs.room.states() == ["done", "done"])
        assert len(jobs.journal.jobs()) == 1, "the same key is submitted once"
    finally:
        jobs.close()
