"""Any handler and any action may have jobs among its settings: they follow what it has done, once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from engine_room import FunctionHandler, update
from job_room import QUICK, Jobs
from production import Production, workspace
from sandbox_process import SandboxProcess
from signal_room import SignalRoom

from app.actions import all_actions
from app.effects.disk import MakeFolder
from app.effects.job_setting import JobSetting, WithJobs, jobs_setting
from app.engine.protocol import Change, Context, Note, Occasion, Plan
from app.handlers import all_handlers
from app.handlers.common import occasion
from app.journal.rows import JobFilter
from app.service.jobs import JobRoom

LIGHTING = "Ready for Lighting"
PENDING = "Pending Internal Review"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("jobs-of-settings-site")) as running:
        yield running


def says(message: str, **more: Any) -> dict[str, Any]:
    """A job that writes a message to its log."""
    return {"job_type": "log-and-sleep", "settings": {"message": message, "sleep_duration_seconds": 0}, **more}


def test_each_handler_submits_the_jobs_of_its_settings_with_what_it_knows(site: SandboxProcess, tmp_path: Path) -> None:
    wanted = {
        "create_project_folder": "{{ project }} in {{ root }}",
        "create_task_folder": "{{ parent }} {{ task }} {{ task_type }} {{ folder }} {{ file }}",
        "add_version_to_list": "{{ parent }} {{ task }} {{ version }} on {{ list }}",
        "assign_task_status": "{{ parent }} {{ task }} {{ version }} {{ status }}",
        "status_handler": "{{ shot }} {{ status }} {{ next_type }}",
        "set_task_thumbnail": "{{ parent }} {{ task }} {{ status }}",
    }
    with workspace() as slack:
        show = Production(site.url, site.user, site.key, tmp_path, slack)
        signals = SignalRoom(tmp_path / "room", show.url, show.user, show.key, slack)
        signals.set("studio", "disk_map", {str(show.drive): str(show.drive)})
        for handler, message in wanted.items():
            signals.room.store.declare(f"handlers.{handler}", signals.room.models[f"handlers.{handler}"])
            signals.set(f"handlers.{handler}", "jobs", [says(message)])
        # The list's status is followed by assign_task_status too: it names the one it is for.
        signals.set("handlers.assign_task_status", "jobs", [says(wanted["assign_task_status"], status=LIGHTING)])
        jobs = JobRoom(signals.room.journal, signals.room.doors, QUICK)
        submit = signals.room.doors.job_submit

        def answered_late(**asked: Any) -> Any:
            """The job has ended when the answer to its submission comes."""
            answer = submit(**asked)
            signals.room.wait_for(lambda: signals.room.journal.job_of_dedupe(asked["dedupe"]).status == "completed")
            return answer

        signals.room.doors.job_submit = answered_late
        jobs.start()
        try:
            signals.start()
            show.name = f"{show.name}_jobs"
            show.project = show.new_project(show.name)
            signals.feed()
            (show.root() / "template_files/animation.ma").touch()
            shot = show.shot()
            animation = show.task(shot, "Animation")
            signals.feed()
            version = show.version(shot, animation, status=PENDING)
            signals.feed()
            show.set_status("AssetVersion", version, LIGHTING)
            signals.feed()
            show.set_status("Task", animation, "Cut")
            signals.feed()
            journal = signals.room.journal
            rows = journal.jobs(JobFilter())
            said: dict[str, list[str]] = {}
            for job in reversed(rows):
                said.setdefault(journal.run(job.run_id).row.handler, []).append(job.settings["message"])
                # The run shows how its job ended.
                signals.room.wait_for(lambda run=job.run_id: _job_status(journal, run) == "completed")
            folder = show.root() / "shots/001/001_0010/scene/animation"
            (file,) = folder.iterdir()
            day = show.site.rows(f'select name from List where project_id is "{show.project}"')[0]["name"]
            assert said == {
                "create_project_folder": [f"{show.name} in {show.root()}"],
                "create_task_folder": [f"001_0010 animation Animation {folder} {file}"],
                "add_version_to_list": [f"001_0010 animation v01 on {day}"],
                "assign_task_status": [f"001_0010 animation v01 {LIGHTING}"],
                "status_handler": [f"001_0010 {LIGHTING} Lighting"],
                "set_task_thumbnail": ["001_0010 animation Cut"],
            }
            for event in {job_event(journal, job.run_id) for job in rows}:
                signals.room.order("replay", event_row=event)
            signals.feed()
            assert len(journal.jobs()) == len(rows), "an event that is replayed submits nothing again"
        finally:
            assert jobs.stop()
            signals.close()
            show.site.close()


def _job_status(journal: Any, run: int) -> str:
    (effect,) = [one for one in journal.run(run).effects if one.kind == "job"]
    return str((effect.after or {}).get("status"))


def job_event(journal: Any, run: int) -> int:
    return int(journal.run(run).row.event_row)


class ProbeSettings(WithJobs):
    """Of a studio's own handler."""

    jobs: list[JobSetting] = jobs_setting("for each folder", "task")


def test_a_studios_own_handler_has_jobs_too_and_none_follows_what_failed(tmp_path: Path) -> None:
    """Three tasks in one run: one folder is made, one is refused, one is skipped; then all of it as one thing."""

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        root = jobs.room.drive
        paths = {"good": root / "good", "bad": tmp_path / "outside"}
        made = [change for change in changes if change.entity_id in paths]
        values = {"project": "", "task": "all", "by": "", "about": "all tasks"}
        return Plan(
            tuple(
                MakeFolder(
                    slot=one.entity_id, reason="a test", entity_id=one.entity_id, path=paths[one.entity_id], root=root,
                    mode=0o770,
                )
                for one in made
            ),
            tuple(Note(one.entity_id, "skipped", "not wanted") for one in changes if one not in made),
            occasions=(
                *(occasion("probe", one, one.entity_id, project="", task=one.entity_id) for one in made),
                Occasion("probe:all", values),
            ),
        )  # fmt: skip

    jobs = Jobs(tmp_path)
    try:
        jobs.room.models["handlers.probe"] = ProbeSettings
        jobs.room.store.declare("handlers.probe", ProbeSettings)
        jobs.room.store.set("handlers.probe", "jobs", [says("{{ task }} of {{ by }}")])
        jobs.room.start(FunctionHandler(plan, key=lambda _: "folders", batch=5))
        jobs.room.lever("on")
        jobs.room.send(update("good", "bad", "other", user="hugo"))
        jobs.room.settle()
        assert sorted(jobs.room.states()) == ["done", "done", "failed"]
        assert [(job.name, job.settings["message"]) for job in jobs.journal.jobs()] == [("good", "good of hugo")]
        jobs.room.send(update("good", user="hugo"))
        jobs.room.settle()
        assert "all of " in [job.settings["message"] for job in jobs.journal.jobs()]
    finally:
        jobs.close()


@pytest.mark.parametrize("each", [*all_handlers(), *all_actions()], ids=lambda each: each.id)
def test_a_job_whose_texts_name_what_is_not_known_is_refused_when_it_is_set(each: Any) -> None:
    model = each.settings_model
    if each.id == "clear_job_queue":
        assert "jobs" not in model.model_fields, "there is nothing it could name"
        return
    known = model.model_fields["jobs"].json_schema_extra["known"]
    text = " ".join(f"{{{{ {name} }}}}" for name in known)
    assert model(jobs=[{"job_type": "t", "name": text, "settings": {"a": text, "b": 1}}]).jobs[0].name == text
    with pytest.raises(ValueError, match=r"the job t: .*colour"):
        model(jobs=[{"job_type": "t", "settings": {"a": "{{ colour }}"}}])
    with pytest.raises(ValueError, match="mistake"):
        model(jobs=[{"job_type": "t", "name": "{{ "}])
    if "status" not in known:
        with pytest.raises(ValueError, match="leave status out"):
            model(jobs=[{"job_type": "t", "status": "Cut"}])
