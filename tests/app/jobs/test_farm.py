"""The Manager's jobs in the journal beside the local ones: mirrored, ordered about, submitted once, logs followed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from disk import Disk
from job_room import Jobs, farm_jobs
from manager_compile import StandInCompiler
from manager_stand_in import Chaos, ManagerStandIn

from app.jobs.farm import JobInDoubt
from app.journal.rows import JobFilter, JobRow
from app.rules.outcomes import Later, PlanError

ECHO = {"message": "hi", "sleep_repeats": 2, "sleep_duration_seconds": 1}


@pytest.fixture(scope="module")
def compiler() -> Iterator[StandInCompiler]:
    made = StandInCompiler()
    yield made
    made.close()


@pytest.fixture
def manager(compiler: StandInCompiler) -> Iterator[ManagerStandIn]:
    stand_in = compiler.stand_in().start()
    yield stand_in
    stand_in.stop()


@pytest.fixture
def jobs(manager: ManagerStandIn, tmp_path: Path) -> Iterator[Jobs]:
    room = farm_jobs(tmp_path, manager.url)
    yield room
    room.close()


def submitted(jobs: Jobs, key: str = "k") -> JobRow:
    args = {"job_type": "echo-sleep-test", "name": "farm job", "settings": ECHO, "engine": "manager", "dedupe": key}
    answer = jobs.order("submit_job", **args)
    assert "job" in answer, answer
    return jobs.journal.job(int(answer["job"]))


def test_a_job_on_the_farm_stands_in_the_same_list_with_the_dependencies_of_the_local_compile(
    jobs: Jobs, manager: ManagerStandIn
) -> None:
    row = submitted(jobs)
    assert (row.engine, row.name, row.who, row.status) == ("manager", "farm job", "td", "queued")
    jobs.wait(lambda: [task.dependencies for task in jobs.journal.job_tasks(row.id)] == [(), (1,), (1,)])
    first = jobs.journal.job_tasks(row.id)[0]
    manager.work(first.remote_id, "active", b"line 1\n")
    jobs.wait(lambda: jobs.journal.job(row.id).status == "active")
    for task in jobs.journal.job_tasks(row.id):
        manager.work(task.remote_id, "completed")
    jobs.wait(lambda: jobs.journal.job(row.id).status == "completed")
    jobs.wait(lambda: jobs.states(row.id) == ["completed"] * 3)
    assert jobs.journal.job(row.id).progress == 1.0


def test_the_lamp_of_the_farm_is_renewed_in_a_quiet_night(jobs: Jobs) -> None:
    def age() -> float:
        return next((jobs.journal.now() - one.at for one in jobs.journal.health() if one.state == "ok"), float("inf"))

    jobs.wait(lambda: age() < 60)
    with jobs.journal.write() as db:
        db.execute("UPDATE health SET at = at - 170")
    jobs.wait(lambda: age() < 60)


def test_a_submit_whose_answer_is_lost_makes_one_job(jobs: Jobs, manager: ManagerStandIn) -> None:
    manager.chaos.lose_submit_answer = True
    row = submitted(jobs, "shot-10")
    assert submitted(jobs, "shot-10").id == row.id
    assert len(manager.jobs) == 1


def test_orders_reach_the_manager_and_what_it_makes_of_them_comes_back(jobs: Jobs, manager: ManagerStandIn) -> None:
    row = submitted(jobs)
    assert jobs.order("job_priority", job=row.id, priority=80) == {"job": row.id, "priority": 80}
    jobs.wait(lambda: jobs.journal.job(row.id).priority == 80)
    jobs.order("job_pause", job=row.id)
    jobs.wait(lambda: jobs.journal.job(row.id).status == "paused")
    jobs.order("job_resume", job=row.id)
    jobs.wait(lambda: jobs.journal.job(row.id).status == "queued")
    jobs.wait(lambda: len(jobs.states(row.id)) == 3)
    jobs.order("task_cancel", job=row.id, task=2)
    jobs.wait(lambda: jobs.states(row.id)[1] == "canceled")
    jobs.order("task_requeue", job=row.id, task=2)
    jobs.wait(lambda: jobs.states(row.id)[1] == "queued")
    jobs.order("job_cancel", job=row.id)
    jobs.wait(lambda: jobs.journal.job(row.id).status == "canceled")
    assert "td in Signalbox" in str(manager.jobs[row.remote_id]["activity"])
    jobs.order("job_delete", job=row.id)
    assert jobs.journal.jobs() == []
    jobs.wait(lambda: manager.jobs == {})
    assert jobs.journal.jobs() == [], "the Manager deletes in the background: the job does not come back meanwhile"


def test_a_followed_log_arrives_whole_and_starts_over_when_it_shrinks(jobs: Jobs, manager: ManagerStandIn) -> None:
    row = submitted(jobs)
    jobs.wait(lambda: len(jobs.states(row.id)) == 3)
    task = jobs.journal.job_tasks(row.id)[0]
    assert jobs.order("task_log_follow", job=row.id, task=1) == {"job": row.id, "task": 1}
    expected = ""
    for number in range(30):
        expected += f"line {number}\n"
        manager.work(task.remote_id, "active", f"line {number}\n".encode())
        if number == 10:
            manager.drop_sockets()
    jobs.wait(lambda: jobs.journal.task_log(row.id, 1)[0].decode() == expected)
    manager.replace_log(task.remote_id, b"again\n")
    jobs.wait(lambda: jobs.journal.task_log(row.id, 1)[0] == b"again\n")


def test_a_followed_log_for_which_the_disk_had_no_room_is_whole_once_there_is_room(
    jobs: Jobs, manager: ManagerStandIn
) -> None:
    row = submitted(jobs)
    jobs.wait(lambda: len(jobs.states(row.id)) == 3)
    path = jobs.journal.task_log_path(row.id, 1)
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/full")
    manager.work(jobs.journal.job_tasks(row.id)[0].remote_id, "active", b"first line\n")
    jobs.order("task_log_follow", job=row.id, task=1)

    def followed() -> bool:
        """The window asks again and again."""
        jobs.order("task_log_follow", job=row.id, task=1)
        return jobs.journal.task_log(row.id, 1)[0] == b"first line\nsecond line\n"

    path.unlink()
    manager.work(jobs.journal.job_tasks(row.id)[0].remote_id, "active", b"second line\n")
    jobs.wait(followed)


def test_what_the_manager_told_while_the_journals_disk_was_full_is_there_once_there_is_room(
    jobs: Jobs, manager: ManagerStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    row = submitted(jobs)
    jobs.wait(lambda: len(jobs.states(row.id)) == 3)
    disk = Disk()
    disk.fill()
    try:
        for task in jobs.journal.job_tasks(row.id):
            manager.work(task.remote_id, "completed")
        jobs.wait(lambda: any("what the Manager tells is not kept" in record.getMessage() for record in caplog.records))
    finally:
        disk.make_room()
    jobs.wait(lambda: jobs.journal.job(row.id).status == "completed")
    jobs.wait(lambda: jobs.states(row.id) == ["completed"] * 3)


def test_the_last_rendered_picture_is_at_hand(jobs: Jobs, manager: ManagerStandIn) -> None:
    row = submitted(jobs)
    jobs.wait(lambda: len(jobs.states(row.id)) == 3)

    def rendered(data: bytes) -> bool:
        manager.render(row.remote_id, data)
        path = jobs.journal.job(row.id).last_rendered
        return path != "" and Path(path).read_bytes() == data

    jobs.wait(lambda: rendered(b"first picture"))
    jobs.wait(lambda: rendered(b"second picture"))


def test_what_the_manager_forgot_is_gone_here_too_and_what_others_submitted_is_seen(
    jobs: Jobs, manager: ManagerStandIn
) -> None:
    row = submitted(jobs)
    manager.forget(row.remote_id)
    jobs.wait(lambda: jobs.journal.jobs(JobFilter(engine="manager")) == [])


def test_no_manager_or_one_that_is_away_is_said_with_its_address(jobs: Jobs, manager: ManagerStandIn) -> None:
    assert jobs.jobs is not None
    farm = jobs.jobs.farm
    refused = jobs.order("submit_job", job_type="unheard-of", engine="manager")
    assert "no such job type" in str(refused["refused"])
    manager.chaos = Chaos(nonsense=1.0)
    with pytest.raises(Later, match="not a Flamenco Manager"):
        farm.find("x")
    answer = jobs.order("submit_job", job_type="echo-sleep-test", engine="manager")
    assert "look in the list before submitting it again" in str(answer["refused"])
    with pytest.raises(JobInDoubt):
        farm.submit({"name": "x", "type": "echo-sleep-test"}, "x")
    jobs.room.store.set("flamenco", "manager", "")
    jobs.wait(lambda: farm._link is None)
    with pytest.raises(PlanError, match="no Flamenco Manager is set"):
        farm.find("x")
