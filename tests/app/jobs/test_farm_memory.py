"""The journal and the Manager never part for good: whatever was not heard, could not be written or came too late."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from disk import Disk
from job_room import QUICK, Jobs
from manager_stand_in import ManagerStandIn

from app.jobs.farm import Farm, JobInDoubt
from app.journal.rows import JobFilter, JobRow
from app.rules.outcomes import Later

ECHO = {"message": "hi", "sleep_repeats": 2, "sleep_duration_seconds": 1}
RESTLESS = replace(QUICK, rest=0.4)


def submitted(farm_room: Jobs) -> JobRow:
    answer = farm_room.order("submit_job", job_type="echo-sleep-test", name="farm job", settings=ECHO, engine="manager")
    assert "job" in answer, answer
    farm_room.wait(lambda: len(farm_room.states(int(answer["job"]))) == 3)
    return farm_room.journal.job(int(answer["job"]))


def remote(farm_room: Jobs, row: JobRow, task: int) -> str:
    return farm_room.journal.job_task(row.id, task).remote_id


def again(farm_room: Jobs) -> None:
    """The program is started anew; it does not look at a job at rest for long."""
    farm_room.stop()
    farm_room.rhythm = RESTLESS
    farm_room.start()


def failed_and_at_rest(farm_room: Jobs, manager: ManagerStandIn) -> JobRow:
    """A job with a task that failed and others that wait, which nobody looks at any more."""
    again(farm_room)
    row = submitted(farm_room)
    manager.work(remote(farm_room, row, 1), "failed")
    farm_room.wait(lambda: farm_room.states(row.id) == ["failed", "queued", "queued"])
    farm_room.wait(lambda: farm_room.journal.settled_jobs() == {row.remote_id})
    return row


# Jobs at rest


def test_a_task_that_is_cancelled_in_a_job_at_rest_is_seen_to_be(farm_room: Jobs, manager: ManagerStandIn) -> None:
    row = failed_and_at_rest(farm_room, manager)
    farm_room.order("task_cancel", job=row.id, task=2)
    farm_room.wait(lambda: farm_room.states(row.id) == ["failed", "canceled", "queued"])


def test_what_became_of_the_tasks_of_a_job_at_rest_is_there_once_somebody_looks_at_it(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    """Queued again on the Manager's own page: the job itself stays as it is."""
    row = failed_and_at_rest(farm_room, manager)
    manager.tasks[remote(farm_room, row, 1)]["status"] = "queued"
    farm_room.order("task_log_follow", job=row.id, task=1)
    farm_room.wait(lambda: farm_room.states(row.id) == ["queued", "queued", "queued"])


def test_a_job_rests_from_the_last_news_of_its_tasks_on(farm_room: Jobs, manager: ManagerStandIn) -> None:
    row = failed_and_at_rest(farm_room, manager)
    farm_room.order("task_log_follow", job=row.id, task=1)
    farm_room.wait(lambda: farm_room.journal.settled_jobs() == set())
    for number in range(3):
        status = ("active", "soft-failed")[number % 2]
        manager.work(remote(farm_room, row, 2), status, announce=False)
        farm_room.wait(lambda status=status: farm_room.states(row.id)[1] == status)
    assert farm_room.journal.job(row.id).status == "failed"


# Submitting


def test_a_job_that_was_on_its_way_when_the_program_was_killed_is_not_submitted_again(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    """The program is back before the Manager has compiled it; a job that never left is submitted all the same."""
    manager.chaos.slow_submit = 1.0
    assert farm_room.jobs is not None
    body = {"name": "late", "type": "echo-sleep-test", "submitter_platform": "linux", "settings": ECHO}
    with ThreadPoolExecutor(1) as waiting:
        answer = waiting.submit(farm_room.jobs.farm.submit, body, "late")
        farm_room.wait(lambda: "POST /api/v3/jobs" in manager.requests)
        farm_room.stop()
        assert isinstance(answer.exception(5), JobInDoubt)
    farm_room.room.store.set("flamenco", "timeout", 2.0)
    farm_room.start()
    found: dict[str, list[object]] = {"late": [], "never sent": []}

    def looked(key: str) -> bool:
        try:
            found[key].append(farm_room.jobs.farm.find(key))  # type: ignore[union-attr]
        except Later:
            return False
        return True

    farm_room.wait(lambda: looked("late"))
    farm_room.wait(lambda: looked("never sent"))
    assert [job["remote_id"] for job in found["late"]] == list(manager.jobs)  # type: ignore[index]
    assert found["never sent"] == [None]


def stored_again(manager: ManagerStandIn, row: JobRow) -> dict[str, Any]:
    """A second job with the key of the first."""
    double = {**manager.jobs[row.remote_id], "id": str(uuid.uuid4()), "created": "2999-01-01T00:00:00Z"}
    manager.jobs[double["id"]] = double
    return double


def test_a_program_that_stops_does_not_wait_until_a_double_is_taken_back(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    row = submitted(farm_room)
    assert farm_room.jobs is not None
    farm = farm_room.jobs.farm
    farm_room.room.store.set("flamenco", "timeout", 60.0)
    farm_room.wait(lambda: farm._link is not None and farm._link.client.patience.request == 60.0)
    manager.chaos.slow_delete = 60.0
    stored_again(manager, row)
    farm_room.wait(lambda: any(asked.startswith("DELETE") for asked in manager.requests))
    farm_room.stop()
    assert not farm._thread.is_alive()


def test_a_job_that_the_manager_stored_twice_after_all_is_one_again(farm_room: Jobs, manager: ManagerStandIn) -> None:
    """What a program that was killed had sent is stored later than what was sent again."""
    row = submitted(farm_room)
    double = stored_again(manager, row)
    stranger = {**double, "id": str(uuid.uuid4()), "metadata": {"signalbox.dedupe": "another"}}
    manager.jobs[stranger["id"]] = stranger
    farm_room.wait(lambda: list(manager.jobs) == [row.remote_id, stranger["id"]])
    farm_room.wait(lambda: {job.remote_id for job in farm_room.journal.jobs()} == set(manager.jobs))
    assert farm_room.journal.job(row.id).dedupe == manager.jobs[row.remote_id]["metadata"]["signalbox.dedupe"]


def test_a_job_that_was_submitted_while_the_journals_disk_got_full_is_in_doubt_and_there_once_there_is_room(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    assert farm_room.jobs is not None
    disk = Disk()

    def instead(request: web.Request) -> None:
        if request.method == "POST":
            disk.fill()

    manager.chaos.instead = instead
    body = {"name": "late", "type": "echo-sleep-test", "submitter_platform": "linux", "settings": ECHO}
    try:
        with pytest.raises(JobInDoubt, match="make room on its disk"):
            farm_room.jobs.farm.submit(body, "late")
    finally:
        disk.make_room()
    farm_room.wait(lambda: [job.remote_id for job in farm_room.journal.jobs()] == list(manager.jobs))
    assert len(manager.jobs) == 1


# Deleting


def test_a_job_that_the_manager_does_not_delete_after_all_comes_back(farm_room: Jobs, manager: ManagerStandIn) -> None:
    row = submitted(farm_room)
    manager.chaos.instead = lambda request: web.Response(status=204) if request.method == "DELETE" else None
    assert farm_room.order("job_delete", job=row.id) == {"job": row.id}
    farm_room.wait(lambda: [job.remote_id for job in farm_room.journal.jobs()] == [row.remote_id])
    (back,) = farm_room.journal.jobs()
    assert back.id != row.id
    farm_room.wait(lambda: farm_room.states(back.id) == ["queued"] * 3)


def test_an_order_to_delete_that_is_answered_when_the_job_has_long_gone_is_no_failure(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    row = submitted(farm_room)
    manager.chaos.slow_delete = 0.5
    assert farm_room.order("job_delete", job=row.id) == {"job": row.id}
    assert farm_room.journal.jobs() == []


def test_a_job_that_somebody_else_deleted_just_before_is_deleted(farm_room: Jobs, manager: ManagerStandIn) -> None:
    row = submitted(farm_room)

    def instead(request: web.Request) -> None:
        if request.method == "DELETE":
            manager._forget(row.remote_id)

    manager.chaos.instead = instead
    assert farm_room.order("job_delete", job=row.id) == {"job": row.id}
    assert farm_room.journal.jobs() == []


# Gone and back


def test_the_log_of_a_job_that_came_back_under_another_number_is_followed_there(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    """The Manager was given its data of yesterday for a while."""
    row = submitted(farm_room)
    task = remote(farm_room, row, 1)
    manager.work(task, "active", b"line\n")
    farm_room.order("task_log_follow", job=row.id, task=1)
    farm_room.wait(lambda: farm_room.log(row.id) == "line\n")
    jobs, tasks = dict(manager.jobs), dict(manager.tasks)
    manager.forget(row.remote_id)
    farm_room.wait(lambda: farm_room.journal.jobs() == [])
    manager.tasks.update(tasks)
    manager.jobs.update(jobs)
    farm_room.wait(lambda: len(farm_room.journal.jobs(JobFilter(engine="manager"))) == 1)
    (back,) = farm_room.journal.jobs()
    farm_room.wait(lambda: len(farm_room.states(back.id)) == 3)
    assert "refused" not in farm_room.order("task_log_follow", job=back.id, task=1)
    farm_room.wait(lambda: farm_room.log(back.id) == "line\n")


def test_jobs_are_not_forgotten_before_the_manager_has_told_of_any(
    farm_room: Jobs, manager: ManagerStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk is full and the Manager away when the program starts; there is room before the Manager is back."""
    row = submitted(farm_room)
    farm_room.stop()
    manager.stop()
    with farm_room.journal.write() as db:
        db.execute("DELETE FROM health")
    room, disk = farm_room.room, Disk()
    farm = Farm(room.journal, lambda: room.settings("flamenco"), lambda job: (), QUICK)
    disk.fill()
    try:
        farm.start()
        farm_room.wait(lambda: "what the Manager tells is not kept" in caplog.text)
    finally:
        disk.make_room()
    farm_room.wait(lambda: [one.state for one in room.journal.health()] == ["warning"])
    farm.stop()
    assert farm_room.journal.job(row.id).status == "queued"


def test_news_of_no_job_at_all_forget_none(farm_room: Jobs, manager: ManagerStandIn) -> None:
    """Over a line that is up while the jobs cannot be read yet."""
    row = submitted(farm_room)
    farm_room.stop()
    manager.chaos.instead = lambda request: web.Response(status=500) if request.path == "/api/v3/jobs" else None
    lines = manager.requests.count("GET /socket.io/")
    farm_room.start()
    farm_room.wait(lambda: [one.state for one in farm_room.journal.health()] == ["warning"])
    farm_room.wait(lambda: len(manager._sockets) == 1)
    manager.send_frames(['42["/last-rendered",{}]', "41"])
    farm_room.wait(lambda: manager.requests.count("GET /socket.io/") == lines + 2)
    assert farm_room.journal.job(row.id).status == "queued"


# What failed once


def test_tasks_that_could_not_be_taken_up_once_are_taken_up_later(farm_room: Jobs, manager: ManagerStandIn) -> None:
    row = submitted(farm_room)
    farm_room.stop()
    with farm_room.journal.write() as db:
        db.execute("DELETE FROM tasks")
    room, asked = farm_room.room, list[Any]()

    def compile_remote(job: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        asked.append(job)
        if len(asked) == 1:
            raise RuntimeError("a defect")
        return []

    farm = Farm(room.journal, lambda: room.settings("flamenco"), compile_remote, RESTLESS)
    farm.start()
    try:
        farm_room.wait(lambda: farm_room.states(row.id) == ["queued"] * 3)
    finally:
        farm.stop()


def test_dependencies_are_known_once_the_folder_of_scripts_is_there_again(
    farm_room: Jobs, manager: ManagerStandIn, tmp_path: Path
) -> None:
    """A share that is mounted after the program was started."""
    shutil.move(tmp_path / "room" / "scripts", tmp_path / "away")
    again(farm_room)
    row = submitted(farm_room)
    assert [task.dependencies for task in farm_room.journal.job_tasks(row.id)] == [(), (), ()]
    shutil.move(tmp_path / "away", tmp_path / "room" / "scripts")
    farm_room.wait(lambda: [task.dependencies for task in farm_room.journal.job_tasks(row.id)] == [(), (1,), (1,)])


def test_a_picture_that_could_not_be_fetched_when_its_job_ended_is_fetched_later(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    row = submitted(farm_room)
    page = web.Response
    manager.chaos.instead = lambda request: (
        page(text="<html>", content_type="text/html") if request.path.startswith("/job-files") else None
    )
    manager.render(row.remote_id, b"last picture")
    for task in (1, 2, 3):
        manager.work(remote(farm_room, row, task), "completed")
    farm_room.wait(lambda: farm_room.journal.job(row.id).status == "completed")
    asked = f"GET /job-files/{row.remote_id[:2]}/{row.remote_id}/last-rendered.jpg"
    farm_room.wait(lambda: manager.requests.count(asked) > 1)
    manager.chaos.instead = lambda request: None
    farm_room.wait(lambda: farm_room.journal.job(row.id).last_rendered != "")
    assert Path(farm_room.journal.job(row.id).last_rendered).read_bytes() == b"last picture"


def test_the_picture_that_the_manager_had_ready_only_after_the_job_had_ended_is_not_missed(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    """It was told while the line was down."""
    row = submitted(farm_room)
    for task in (1, 2, 3):
        manager.work(remote(farm_room, row, task), "completed")
    farm_room.wait(lambda: farm_room.journal.job(row.id).status == "completed")
    assert farm_room.jobs is not None
    link = farm_room.jobs.farm._link
    assert link is not None
    manager.has_live_line = False
    manager.drop_sockets()
    farm_room.wait(lambda: not link._live.mirror.connected)
    manager.render(row.remote_id, b"late picture")
    manager.has_live_line = True
    farm_room.wait(lambda: farm_room.journal.job(row.id).last_rendered != "")
    assert Path(farm_room.journal.job(row.id).last_rendered).read_bytes() == b"late picture"


def test_the_lamp_of_a_manager_that_is_no_longer_set_goes_out_once_the_disk_has_room(
    farm_room: Jobs, manager: ManagerStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    def lamp() -> list[str]:
        return [one.state for one in farm_room.journal.health() if one.name == "flamenco"]

    disk = Disk()
    farm_room.wait(lambda: lamp() == ["ok"])
    disk.fill()
    try:
        farm_room.room.store.set("flamenco", "manager", "")
        farm_room.wait(lambda: "looking after the link to the Flamenco Manager failed" in caplog.text)
    finally:
        disk.make_room()
    farm_room.wait(lambda: lamp() == ["off"])
