"""The Manager's jobs in the journal beside the local ones: mirrored, ordered about, submitted once, logs followed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import pytest
from disk import Disk
from engine_room import Room
from job_room import QUICK, Jobs
from manager_stand_in import Chaos, ManagerStandIn

from app.jobs.farm import Farm, JobInDoubt
from app.journal.rows import JobFilter, JobRow
from app.rules.outcomes import Later, PlanError

ECHO = {"message": "hi", "sleep_repeats": 2, "sleep_duration_seconds": 1}


def submitted(farm_room: Jobs, key: str = "k") -> JobRow:
    args = {"job_type": "echo-sleep-test", "name": "farm job", "settings": ECHO, "engine": "manager", "dedupe": key}
    answer = farm_room.order("submit_job", **args)
    assert "job" in answer, answer
    return farm_room.journal.job(int(answer["job"]))


def test_a_job_on_the_farm_stands_in_the_same_list_with_the_dependencies_of_the_local_compile(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    row = submitted(farm_room)
    assert (row.engine, row.name, row.who, row.status) == ("manager", "farm job", "td", "queued")
    farm_room.wait(lambda: [task.dependencies for task in farm_room.journal.job_tasks(row.id)] == [(), (1,), (1,)])
    first = farm_room.journal.job_tasks(row.id)[0]
    manager.work(first.remote_id, "active", b"line 1\n")
    farm_room.wait(lambda: farm_room.journal.job(row.id).status == "active")
    for task in farm_room.journal.job_tasks(row.id):
        manager.work(task.remote_id, "completed")
    farm_room.wait(lambda: farm_room.journal.job(row.id).status == "completed")
    farm_room.wait(lambda: farm_room.states(row.id) == ["completed"] * 3)
    assert farm_room.journal.job(row.id).progress == 1.0


def test_the_lamp_of_the_farm_is_renewed_in_a_quiet_night(farm_room: Jobs) -> None:
    def age() -> float:
        return next(
            (farm_room.journal.now() - one.at for one in farm_room.journal.health() if one.state == "ok"), float("inf")
        )

    farm_room.wait(lambda: age() < 60)
    with farm_room.journal.write() as db:
        db.execute("UPDATE health SET at = at - 170")
    farm_room.wait(lambda: age() < 60)


def test_a_submit_whose_answer_is_lost_makes_one_job(farm_room: Jobs, manager: ManagerStandIn) -> None:
    manager.chaos.lose_submit_answer = True
    row = submitted(farm_room, "shot-10")
    assert submitted(farm_room, "shot-10").id == row.id
    assert len(manager.jobs) == 1


def test_a_job_submitted_while_the_link_is_still_on_its_way_goes_to_the_farm(
    tmp_path: Path, manager: ManagerStandIn
) -> None:
    """The first orders, and what waits in the outbox, come at once after a start."""
    room = Room(tmp_path)
    room.store.set("flamenco", "manager", manager.url)
    farm = Farm(room.journal, lambda: room.settings("flamenco"), lambda job: (), QUICK)
    body = {"name": "early", "type": "echo-sleep-test", "submitter_platform": "linux", "settings": ECHO}
    try:
        with ThreadPoolExecutor(1) as early:
            answer = early.submit(farm.submit, body, "early")
            # A refusal would be there at once.
            assert wait([answer], 0.2).not_done
            farm.start()
            assert answer.result(30)["remote_id"] in manager.jobs
    finally:
        farm.stop()
        room.close()


def test_orders_reach_the_manager_and_what_it_makes_of_them_comes_back(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    row = submitted(farm_room)
    assert farm_room.order("job_priority", job=row.id, priority=80) == {"job": row.id, "priority": 80}
    farm_room.wait(lambda: farm_room.journal.job(row.id).priority == 80)
    farm_room.order("job_pause", job=row.id)
    farm_room.wait(lambda: farm_room.journal.job(row.id).status == "paused")
    farm_room.order("job_resume", job=row.id)
    farm_room.wait(lambda: farm_room.journal.job(row.id).status == "queued")
    farm_room.wait(lambda: len(farm_room.states(row.id)) == 3)
    farm_room.order("task_cancel", job=row.id, task=2)
    farm_room.wait(lambda: farm_room.states(row.id)[1] == "canceled")
    farm_room.order("task_requeue", job=row.id, task=2)
    farm_room.wait(lambda: farm_room.states(row.id)[1] == "queued")
    farm_room.order("job_cancel", job=row.id)
    farm_room.wait(lambda: farm_room.journal.job(row.id).status == "canceled")
    assert "td in Signalbox" in str(manager.jobs[row.remote_id]["activity"])
    farm_room.order("job_delete", job=row.id)
    assert farm_room.journal.jobs() == []
    farm_room.wait(lambda: manager.jobs == {})
    assert farm_room.journal.jobs() == [], "the Manager deletes in the background: the job does not come back meanwhile"


def test_a_followed_log_arrives_whole_and_starts_over_when_it_shrinks(farm_room: Jobs, manager: ManagerStandIn) -> None:
    row = submitted(farm_room)
    farm_room.wait(lambda: len(farm_room.states(row.id)) == 3)
    task = farm_room.journal.job_tasks(row.id)[0]
    assert farm_room.order("task_log_follow", job=row.id, task=1) == {"job": row.id, "task": 1}
    expected = ""
    for number in range(30):
        expected += f"line {number}\n"
        manager.work(task.remote_id, "active", f"line {number}\n".encode())
        if number == 10:
            manager.drop_sockets()
    farm_room.wait(lambda: farm_room.journal.task_log(row.id, 1)[0].decode() == expected)
    manager.replace_log(task.remote_id, b"again\n")
    farm_room.wait(lambda: farm_room.journal.task_log(row.id, 1)[0] == b"again\n")


def test_a_followed_log_for_which_the_disk_had_no_room_is_whole_once_there_is_room(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    row = submitted(farm_room)
    farm_room.wait(lambda: len(farm_room.states(row.id)) == 3)
    path = farm_room.journal.task_log_path(row.id, 1)
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/full")
    manager.work(farm_room.journal.job_tasks(row.id)[0].remote_id, "active", b"first line\n")
    farm_room.order("task_log_follow", job=row.id, task=1)

    def followed() -> bool:
        """The window asks again and again."""
        farm_room.order("task_log_follow", job=row.id, task=1)
        return farm_room.journal.task_log(row.id, 1)[0] == b"first line\nsecond line\n"

    path.unlink()
    manager.work(farm_room.journal.job_tasks(row.id)[0].remote_id, "active", b"second line\n")
    farm_room.wait(followed)


def test_what_the_manager_told_while_the_journals_disk_was_full_is_there_once_there_is_room(
    farm_room: Jobs, manager: ManagerStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    row = submitted(farm_room)
    farm_room.wait(lambda: len(farm_room.states(row.id)) == 3)
    disk = Disk()
    disk.fill()
    try:
        for task in farm_room.journal.job_tasks(row.id):
            manager.work(task.remote_id, "completed")
        farm_room.wait(
            lambda: any("what the Manager tells is not kept" in record.getMessage() for record in caplog.records)
        )
    finally:
        disk.make_room()
    farm_room.wait(lambda: farm_room.journal.job(row.id).status == "completed")
    farm_room.wait(lambda: farm_room.states(row.id) == ["completed"] * 3)


def done_on_the_farm(farm_room: Jobs, manager: ManagerStandIn) -> JobRow:
    """A job of which everything has come to rest, and a room that was stopped after it."""
    row = submitted(farm_room)
    farm_room.wait(lambda: len(farm_room.states(row.id)) == 3)
    for task in farm_room.journal.job_tasks(row.id):
        manager.work(task.remote_id, "completed")
    farm_room.wait(lambda: farm_room.states(row.id) == ["completed"] * 3)
    farm_room.wait(lambda: farm_room.journal.job(row.id).status == "completed")
    farm_room.stop()
    return row


def test_the_tasks_of_a_job_that_has_ended_are_read_although_the_job_itself_is_known(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    """The answer to its submit told of the end; or the server was killed before it came to the tasks."""
    row = done_on_the_farm(farm_room, manager)
    with farm_room.journal.write() as db:
        db.execute("DELETE FROM tasks")
    farm_room.start()
    farm_room.wait(lambda: farm_room.states(row.id) == ["completed"] * 3)


def test_a_job_at_rest_whose_tasks_are_here_is_not_read_after_each_start_but_when_it_changes(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    row = done_on_the_farm(farm_room, manager)
    room = farm_room.room
    for _ in range(2):
        manager.requests.clear()
        farm = Farm(room.journal, lambda: room.settings("flamenco"), lambda job: (), replace(QUICK, rest=0.3))
        farm.start()
        try:
            farm_room.wait(lambda: manager.requests.count("GET /api/v3/jobs") > 3)
            farm_room.wait(lambda: room.journal.settled_jobs() == {row.remote_id})
        finally:
            farm.stop()
    assert not [asked for asked in manager.requests if asked.endswith("/tasks")], "the second time"
    farm_room.start()
    farm_room.order("job_requeue", job=row.id)
    farm_room.wait(lambda: room.journal.settled_jobs() == set())
    manager.work(farm_room.journal.job_tasks(row.id)[0].remote_id, "active")
    farm_room.wait(lambda: farm_room.states(row.id)[0] == "active")


def test_the_last_rendered_picture_is_at_hand(farm_room: Jobs, manager: ManagerStandIn) -> None:
    row = submitted(farm_room)
    farm_room.wait(lambda: len(farm_room.states(row.id)) == 3)

    def rendered(data: bytes) -> bool:
        manager.render(row.remote_id, data)
        path = farm_room.journal.job(row.id).last_rendered
        return path != "" and Path(path).read_bytes() == data

    farm_room.wait(lambda: rendered(b"first picture"))
    farm_room.wait(lambda: rendered(b"second picture"))


def test_the_last_picture_comes_without_a_live_line_too(farm_room: Jobs, manager: ManagerStandIn) -> None:
    """Neither while no websocket gets through, nor of a job that ended meanwhile."""
    row = submitted(farm_room)
    manager.has_live_line = False
    manager.drop_sockets()
    assert farm_room.jobs is not None
    link = farm_room.jobs.farm._link
    assert link is not None
    farm_room.wait(lambda: not link._live.mirror.connected)
    manager.render(row.remote_id, b"first picture")
    farm_room.wait(lambda: len(farm_room.states(row.id)) == 3)
    manager.work(farm_room.journal.job_tasks(row.id)[0].remote_id, "active")
    farm_room.wait(lambda: farm_room.journal.job(row.id).last_rendered != "")
    assert Path(farm_room.journal.job(row.id).last_rendered).read_bytes() == b"first picture"


def test_what_the_manager_forgot_is_gone_here_too_and_what_others_submitted_is_seen(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    row = submitted(farm_room)
    farm_room.wait(lambda: len(farm_room.states(row.id)) == 3)
    manager.work(farm_room.journal.job_tasks(row.id)[0].remote_id, "active", b"line\n")
    farm_room.order("task_log_follow", job=row.id, task=1)
    farm_room.wait(lambda: farm_room.log(row.id) == "line\n")
    manager.forget(row.remote_id)
    farm_room.wait(lambda: farm_room.journal.jobs(JobFilter(engine="manager")) == [])
    assert farm_room.jobs is not None
    farm_room.jobs._tidy()
    assert not farm_room.journal.task_log_path(row.id, 1).exists(), "no log of it is left"


def test_a_manager_that_answers_nonsense_over_a_line_that_is_up_is_told_by_the_lamp(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    def lamp() -> tuple[str, str]:
        return next(((one.state, one.words) for one in farm_room.journal.health()), ("", ""))

    farm_room.wait(lambda: lamp()[0] == "ok")
    manager.chaos = Chaos(nonsense=1.0)
    farm_room.wait(lambda: lamp() == ("warning", f"What answers at {manager.url} is not a Flamenco Manager (no JSON)."))
    manager.chaos = Chaos()
    farm_room.wait(lambda: lamp()[0] == "ok")


def test_numbers_and_texts_that_cannot_be_stored_keep_no_other_job_from_the_list(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    row = submitted(farm_room)
    other = {**manager.jobs[row.remote_id], "id": "other", "name": "half \ud83c", "metadata": {"user.name": "\udfac"}}
    other |= {"priority": 1e400, "steps_total": 10**30, "updated": "0001-01-01T00:00:00", "type": None}
    manager.jobs["other"] = other
    manager.work(next(iter(manager.tasks)), "active")
    farm_room.wait(lambda: farm_room.journal.job(row.id).status == "active")
    strange = next(each for each in farm_room.journal.jobs() if each.remote_id == "other")
    assert (strange.priority, strange.steps_total, strange.name) == (0, 0, "half \N{REPLACEMENT CHARACTER}")


def test_orders_to_a_manager_that_does_not_answer_keep_no_local_job_waiting(
    farm_room: Jobs, manager: ManagerStandIn
) -> None:
    rows = [submitted(farm_room, key) for key in ("one", "two")]
    manager.chaos.slow_delete = 30.0
    orders = [farm_room.journal.order("job_delete", {"job": row.id}, "td") for row in rows]
    farm_room.wait(lambda: len([asked for asked in manager.requests if asked.startswith("DELETE")]) == 2)
    local = farm_room.order("submit_job", job_type="echo-sleep-test", name="here", settings=ECHO)
    assert [farm_room.journal.order_row(order).state for order in orders] == ["open", "open"]
    assert farm_room.journal.job(int(local["job"])).engine == "local"


def test_a_program_that_stops_waits_for_no_manager(farm_room: Jobs, manager: ManagerStandIn) -> None:
    manager.chaos.slow_submit = 30.0
    assert farm_room.jobs is not None
    farm = farm_room.jobs.farm
    body = {"name": "late", "type": "echo-sleep-test", "submitter_platform": "linux", "settings": ECHO}
    with ThreadPoolExecutor(1) as waiting:
        answer = waiting.submit(farm.submit, body, "late")
        farm_room.wait(lambda: "POST /api/v3/jobs" in manager.requests)
        farm.stop()
        with pytest.raises(JobInDoubt, match="leaves the Flamenco Manager"):
            answer.result(5)
    with pytest.raises(Later):
        farm.find("late")


def test_no_manager_or_one_that_is_away_is_said_with_its_address(farm_room: Jobs, manager: ManagerStandIn) -> None:
    assert farm_room.jobs is not None
    farm = farm_room.jobs.farm
    refused = farm_room.order("submit_job", job_type="unheard-of", engine="manager")
    assert "no such job type" in str(refused["refused"])
    manager.chaos = Chaos(nonsense=1.0)
    with pytest.raises(Later, match="not a Flamenco Manager"):
        farm.find("x")
    answer = farm_room.order("submit_job", job_type="echo-sleep-test", engine="manager")
    assert str(answer["refused"]).endswith("is not a Flamenco Manager (no JSON)."), "nothing was sent: no doubt"
    manager.chaos = Chaos(die_in_submit="after")
    answer = farm_room.order("submit_job", job_type="echo-sleep-test", engine="manager")
    assert "look in the list before submitting it again" in str(answer["refused"])
    assert len(manager.jobs) == 1, "it had been stored when the Manager died"
    farm_room.room.store.set("flamenco", "manager", "")
    farm_room.wait(lambda: farm._link is None)
    with pytest.raises(PlanError, match="no Flamenco Manager is set"):
        farm.find("x")
