"""A setting of the status handler starts a job: "Ready for Comp: run the publish-copy job"."""

from __future__ import annotations

from production import Production

from app.effects.job import SubmitJob
from app.handlers.status_handler import StatusHandler

HANDLER = StatusHandler()


def test_ready_for_comp_runs_the_publish_copy_job_and_no_other(show: Production) -> None:
    shot = show.shot()
    lighting = show.task(shot, "Lighting")
    show.task(shot, "Compositing")
    wanted = {"files": "{{ root }}/shots/{{ shot }}/render.exr", "files_per_task": 5}
    show.set(
        HANDLER,
        jobs=[
            {"status": "ready for comp", "job_type": "publish-copy", "settings": wanted},
            {"status": "Approved", "job_type": "farewell"},
        ],
    )
    plan = show.plan(HANDLER, show.set_status("Task", lighting, "Ready for Comp"))
    (job,) = [effect for effect in plan.effects if isinstance(effect, SubmitJob)]
    assert (job.job_type, job.name) == ("publish-copy", "001_0010 Ready for Comp")
    assert str(job.settings["files"]).endswith("/shots/001_0010/render.exr")
    assert job.settings["files_per_task"] == 5
    assert shot in job.dedupe


def test_the_projects_folder_is_asked_for_only_where_a_text_names_it(show: Production) -> None:
    shot = show.shot()
    show.task(shot, "Compositing")
    lighting = show.task(shot, "Lighting")
    show.set(HANDLER, jobs=[{"job_type": "tell", "settings": {"message": "{{ shot }}"}}])
    (show.drive / ".signalbox-drive").unlink()
    plan = show.plan(HANDLER, show.set_status("Task", lighting, "Ready for Comp"))
    (job,) = [effect for effect in plan.effects if isinstance(effect, SubmitJob)]
    assert job.settings == {"message": "001_0010"}
