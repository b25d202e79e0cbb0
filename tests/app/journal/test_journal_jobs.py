"""Jobs and their tasks: what waits for what, what a job is at, what a person may wish of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.journal import farm_jobs
from app.journal.farm_jobs import RemoteJob, RemoteTask
from app.journal.jobs import TASK_LANE, NewJob, NewTask
from app.journal.journal import Journal
from app.journal.queue import QueuedRun
from app.journal.rows import JobFilter, RunState

ECHO = [{"name": "echo", "parameters": {"message": "hi"}, "total_step_count": 0}]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(tmp_path / "journal")
    yield opened
    opened.close()


def frames_and_join(**more: Any) -> NewJob:
    """Two frames, and a movie that needs both."""
    tasks = [
        NewTask("frame 1", "misc", ECHO, steps=1),
        NewTask("frame 2", "misc", ECHO, steps=1),
        NewTask("join", "ffmpeg", ECHO, dependencies=(0, 1), steps=1),
    ]
    return NewJob("shot 10", "dailies", tasks, **more)


def take(journal: Journal) -> QueuedRun | None:
    claimed = journal.claim(TASK_LANE, lambda _: 1)
    return claimed[0] if claimed else None


def work(journal: Journal, ends: RunState = "done") -> str:
    run = take(journal)
    assert run is not None
    name = journal.task_of_run(run.id).name
    journal.set_state([run.id], ends, "because")
    return name


def test_a_movie_is_joined_when_all_its_frames_are_there(journal: Journal) -> None:
    job, new = journal.add_job(frames_and_join())
    assert new
    assert [task.dependencies for task in journal.job_tasks(job)] == [(), (), (1, 2)]
    assert work(journal) == "frame 1"
    assert work(journal) == "frame 2"
    assert journal.job(job).status == "active"
    assert work(journal) == "join"
    row = journal.job(job)
    assert (row.status, row.completed, row.tasks) == ("completed", 3, 3)
    assert row.finished is not None
    assert take(journal) is None


def test_a_job_with_the_same_key_is_stored_once(journal: Journal) -> None:
    first, _ = journal.add_job(frames_and_join(dedupe="shot-10/comp"))
    again, new = journal.add_job(frames_and_join(dedupe="shot-10/comp"))
    assert (again, new) == (first, False)
    assert len(journal.jobs()) == 1
    found = journal.job_of_dedupe("shot-10/comp")
    assert found is not None
    assert found.id == first


def test_urgent_jobs_go_first_and_a_priority_can_be_raised_later(journal: Journal) -> None:
    slow, _ = journal.add_job(NewJob("slow", "t", [NewTask("slow", "misc", ECHO)], priority=10))
    journal.add_job(NewJob("usual", "t", [NewTask("second", "misc", ECHO), NewTask("first", "misc", ECHO, 80)]))
    assert work(journal) == "first"
    journal.set_job_priority(slow, 90)
    assert work(journal) == "slow"
    assert work(journal) == "second"


def test_a_job_whose_task_failed_goes_on_where_it_can_and_then_says_so(journal: Journal) -> None:
    job, _ = journal.add_job(frames_and_join())
    work(journal, "failed")
    assert journal.job(job).status == "active"
    work(journal)
    row = journal.job(job)
    assert (row.status, row.activity) == ("failed", "1 of 3 tasks failed")
    failed = journal.task_runs(job, ["failed"])
    journal.queue_tasks(failed)
    assert journal.job(job).status == "active"
    assert work(journal) == "frame 1"
    assert work(journal) == "join"
    assert journal.job(job).status == "completed"


def test_a_completed_frame_that_is_done_again_holds_the_movie_back(journal: Journal) -> None:
    job, _ = journal.add_job(frames_and_join())
    work(journal)
    work(journal)
    journal.queue_tasks(journal.task_runs(job, ["completed"])[:1])
    assert work(journal) == "frame 1"
    assert work(journal) == "join"


def test_a_paused_job_rests_until_it_is_resumed(journal: Journal) -> None:
    job, _ = journal.add_job(frames_and_join())
    at_work = take(journal)
    assert at_work is not None
    journal.wish(job, "pause")
    journal.set_state([run for run, _ in journal.task_runs(job, ["queued"])], "paused")
    assert journal.job(job).status == "pause-requested"
    journal.set_state([at_work.id], "done")
    assert journal.job(job).status == "paused"
    assert take(journal) is None
    journal.wish(job, "")
    journal.queue_tasks(journal.task_runs(job, ["paused"]))
    assert [work(journal), work(journal)] == ["frame 2", "join"]


def test_a_script_nobody_has_confirmed_waits(journal: Journal) -> None:
    job, _ = journal.add_job(frames_and_join(hold="confirm", script_hash="abc"))
    assert journal.job(job).status == "needs-confirmation"
    assert take(journal) is None
    assert not journal.is_confirmed("abc")
    journal.confirm("abc", "td")
    assert journal.held_jobs("abc") == [job]
    assert journal.is_confirmed("abc")
    assert [name for _, name, _ in journal.job_commands(job)] == ["frame 1", "frame 2", "join"]


def test_tasks_that_wait_for_each_other_are_told(journal: Journal) -> None:
    tasks = [NewTask("a", "misc", ECHO, dependencies=(1,)), NewTask("b", "misc", ECHO, dependencies=(0,))]
    job, _ = journal.add_job(NewJob("ring", "t", tasks))
    assert "wait for each other" in journal.job(job).activity


def test_a_log_is_read_piece_by_piece_and_a_shorter_one_from_its_start(journal: Journal) -> None:
    job, _ = journal.add_job(frames_and_join())
    assert journal.task_log(job, 1, 0) == (b"", 0)
    path = journal.task_log_path(job, 1)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"one\ntwo\n")
    assert journal.task_log(job, 1, 0, limit=4) == (b"one\n", 4)
    assert journal.task_log(job, 1, 4) == (b"two\n", 8)
    assert journal.task_log(job, 1, 8) == (b"", 8)
    path.write_bytes(b"new\n")
    assert journal.task_log(job, 1, 8) == (b"new\n", 4)


def remote(status: str, **more: Any) -> RemoteJob:
    facts: dict[str, Any] = {
        "remote_id": "u-1",
        "name": "farm job",
        "type": "echo",
        "priority": 50,
        "status": status,
        "activity": "",
        "created": 100.0,
        "updated": 200.0,
        "steps_done": 0,
        "steps_total": 2,
        "settings": {},
        "metadata": {},
        "dedupe": "key",
        "who": "artist",
    }
    return RemoteJob(**facts | more)


def test_a_managers_jobs_stand_beside_the_local_ones(journal: Journal) -> None:
    journal.add_job(frames_and_join())
    changed = list(journal.mirror_jobs([remote("queued")]).values())
    assert len(changed) == 1
    assert journal.mirror_jobs([remote("queued")]) == {}, "nothing new is nothing written"
    tasks = [
        RemoteTask("t-1", 1, "say", "misc", 50, "active", "", "worker 7", 210.0, 0, 1),
        RemoteTask("t-2", 2, "rest", "misc", 50, "queued", "", "", 200.0, 0, 1, dependencies=(0,)),
    ]
    assert journal.mirror_tasks(changed[0], tasks)
    assert not journal.mirror_tasks(changed[0], tasks)
    assert [job.engine for job in journal.jobs()] == ["manager", "local"]
    rows = journal.job_tasks(changed[0])
    assert [(row.status, row.worker, row.dependencies) for row in rows] == [
        ("active", "worker 7", ()),
        ("queued", "", (1,)),
    ]
    assert [job.id for job in journal.jobs(JobFilter(engine="manager", text="FARM"))] == changed
    journal.mirror_jobs([remote("completed", steps_done=2)])
    assert journal.job(changed[0]).progress == 1.0
    journal.mirror_jobs([])
    assert [job.engine for job in journal.jobs()] == ["local"], "what the Manager forgot is forgotten"


def test_an_answer_that_is_older_than_the_list_changes_no_job(journal: Journal) -> None:
    """The answer to a submit may come after the job was seen in the list, at work or done."""
    first = journal.know_job(remote("queued"))
    assert journal.job(first).status == "queued"
    journal.mirror_jobs([remote("completed")])
    assert journal.know_job(remote("queued")) == first
    assert journal.job(first).status == "completed"


def test_tasks_are_settled_until_their_job_changes(journal: Journal) -> None:
    first = remote("completed")
    journal.mirror_jobs([first])
    assert journal.settled_jobs() == set()
    journal.settle_tasks([first.remote_id])
    journal.mirror_jobs([first])
    assert journal.settled_jobs() == {first.remote_id}
    journal.mirror_jobs([remote("active")])
    assert journal.settled_jobs() == set()


def test_of_two_jobs_with_one_key_the_one_that_stays_is_found_by_it(journal: Journal) -> None:
    """Two hosts submitted it at the same moment, and one has taken its own back."""
    ours, theirs = remote("queued"), remote("queued", remote_id="u-2")
    journal.mirror_jobs([ours, theirs])
    assert (found := journal.job_of_dedupe("key")) is not None
    assert found.remote_id == "u-1"
    assert list(journal.mirror_jobs([theirs])) == ["u-2"]
    assert (found := journal.job_of_dedupe("key")) is not None
    assert found.remote_id == "u-2"


def test_a_task_that_is_done_again_with_the_same_end_ended_when_it_last_did(journal: Journal) -> None:
    (job,) = journal.mirror_jobs([remote("failed")]).values()
    for moment in (210.0, 220.0):
        journal.mirror_tasks(job, [RemoteTask("t-1", 1, "say", "misc", 50, "failed", "no disk", "w", moment, 0, 1)])
        assert [task.finished for task in journal.job_tasks(job)] == [moment]


def test_old_jobs_are_forgotten_with_their_tasks(journal: Journal) -> None:
    job, _ = journal.add_job(NewJob("one", "t", [NewTask("a", "misc", ECHO)]))
    work(journal)
    assert journal.forget_jobs(journal.now() - 60) == []
    assert journal.forget_jobs(journal.now() + 60) == [job]
    assert journal.jobs() == []
    assert journal.runs() == []


def test_an_old_job_of_the_manager_stands_in_the_list_for_as_long_as_the_manager_has_it(journal: Journal) -> None:
    (job,) = journal.mirror_jobs([remote("completed")]).values()
    assert journal.forget_jobs(journal.now() + 60) == []
    assert journal.mirror_jobs([remote("completed")]) == {}
    assert journal.add_job(NewJob("one", "t", [NewTask("a", "misc", ECHO)]))[0] == job + 1, "no number was used up"
    journal.delete_job(job + 1)
    assert [each.id for each in journal.jobs()] == [job]


def test_five_thousand_tasks_are_claimed_one_by_one_without_delay(journal: Journal) -> None:
    """Every second task waits for the one before: the books are kept a task at a time."""
    tasks = [NewTask(f"t{n}", "misc", ECHO, dependencies=(n - 1,) if n % 2 else ()) for n in range(5000)]
    job, _ = journal.add_job(NewJob("many", "t", tasks))
    for _ in range(500):
        work(journal)
    row = journal.job(job)
    assert (row.completed, row.tasks, row.status) == (500, 5000, "active")


def test_a_farm_with_thousands_of_jobs_is_looked_at_again_without_delay(journal: Journal) -> None:
    """Each of its jobs is found by an index; without it 5,000 of them held the engine's transactions for 6 s a look."""
    values = dict.fromkeys(
        (
            "name",
            "priority",
            "status",
            "activity",
            "settings",
            "metadata",
            "finished",
            "done",
            "total",
            "updated",
            "dedupe",
        ),
        0,
    )
    for sql, given in ((farm_jobs._NUMBER, ("u-1",)), (farm_jobs._CHANGED, {**values, "remote": "u-1"})):
        with journal.write() as db:
            plan = [str(row[3]) for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", given)]
        assert any("jobs_remote" in step for step in plan), plan
