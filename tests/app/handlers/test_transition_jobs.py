"""A setting of the status handler starts a job: "Ready for Comp: run the publish-copy job"."""

from __future__ import annotations

import pytest
from production import Production

from app.effects.job import SubmitJob
from app.handlers.status_handler import StatusHandler
from app.handlers.transition_jobs import TransitionJob, jobs_of
from app.rules.templates import TemplateRefused

HANDLER = StatusHandler()
VALUES = {
    "project": "bigbuck",
    "shot": "001_0010",
    "status": "Ready for Comp",
    "task": "lighting",
    "task_type": "Lighting",
    "next_type": "Compositing",
    "by": "",
}


def test_ready_for_comp_runs_the_publish_copy_job(show: Production) -> None:
    shot = show.shot()
    lighting = show.task(shot, "Lighting")
    show.task(shot, "Compositing")
    show.set(
        HANDLER,
        jobs=[
            {
                "status": "ready for comp",
                "job_type": "publish-copy",
                "settings": {"files": "{{ root }}/shots/{{ shot }}/render.exr", "files_per_task": 5},
            }
        ],
    )
    plan = show.plan(HANDLER, show.set_status("Task", lighting, "Ready for Comp"))
    (job,) = [effect for effect in plan.effects if isinstance(effect, SubmitJob)]
    assert job.name == "001_0010 Ready for Comp"
    assert str(job.settings["files"]).endswith("/shots/001_0010/render.exr")
    assert job.settings["files_per_task"] == 5
    assert shot in job.dedupe


def test_other_transitions_start_no_job_and_the_root_is_asked_for_where_it_is_named() -> None:
    def away() -> str:
        raise AssertionError("nobody names the root")

    jobs = [TransitionJob(status="Ready for Comp", job_type="a"), TransitionJob(status="Approved", job_type="b")]
    found = jobs_of(jobs, VALUES, away, entity_id="e", shot_id="s", transition="t")
    assert [(job.job_type, job.dedupe) for job in found] == [("a", "job:s:ready for comp:t:a:0")]


def test_a_mistake_in_a_template_is_told() -> None:
    jobs = [TransitionJob(status="Ready for Comp", job_type="a", settings={"x": "{{ nothing }}"})]
    with pytest.raises(TemplateRefused, match="nothing"):
        jobs_of(jobs, VALUES, str, entity_id="e", shot_id="s", transition="t")
