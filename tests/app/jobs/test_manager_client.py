"""A Manager that is busy, cut off, restarted or forgetful: the client's picture ends identical to the Manager's own."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from email.utils import format_datetime
from typing import Any

import pytest
from log_ear import Ear
from manager_stand_in import Chaos, Compiled, ManagerStandIn

from app.jobs.manager_client import (
    DEDUPE_KEY,
    ManagerClient,
    ManagerError,
    ManagerNonsense,
    ManagerUnreachable,
    Patience,
)
from app.jobs.manager_live import LogFollower, ManagerLive, Rhythm

QUICK = Patience(request=5.0, tries=6, pause=0.02, longest_pause=0.2)
LIVELY = Rhythm(ping=0.2, silence=2.0, reconnect=0.02, longest_reconnect=0.1, resync=0.3, poll=0.05, breath=0.01)
JOB = {"name": "job", "type": "two", "submitter_platform": "linux", "settings": {}, "metadata": {"user.name": "me"}}


def two_tasks(scripts: Mapping[str, str], body: Mapping[str, Any]) -> Compiled:
    """Every job of these tests has two tasks, the second needs the first (scripts are not the subject here)."""
    del scripts
    command = {"name": "echo", "parameters": {"message": "hi"}, "total_step_count": 0}
    tasks = [
        {"name": name, "type": "misc", "priority": 50, "commands": [command], "dependencies": needs}
        for name, needs in (("first", []), ("second", [0]))
    ]
    metadata = dict(body.get("metadata") or {})
    return Compiled(200, settings=dict(body.get("settings") or {}), metadata=metadata, name=body["name"], tasks=tasks)


@pytest.fixture
def manager() -> Iterator[ManagerStandIn]:
    stand_in = ManagerStandIn(two_tasks, lambda _: {}).start()
    yield stand_in
    stand_in.stop()


def run(url: str, story: Callable[[ManagerClient], Awaitable[None]]) -> None:
    async def tell() -> None:
        client = ManagerClient(url, QUICK)
        try:
            await asyncio.wait_for(story(client), 30)
        finally:
            await client.close()

    asyncio.run(tell())


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    async def wait() -> None:
        while not condition():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), seconds)


def test_a_submit_whose_answer_is_lost_is_found_and_not_repeated(manager: ManagerStandIn) -> None:
    manager.chaos.lose_submit_answer = True

    async def story(client: ManagerClient) -> None:
        job = await client.submit(JOB, "shot-10/ready-for-comp")
        again = await client.submit(JOB, "shot-10/ready-for-comp")
        assert job["id"] == again["id"]
        assert job["metadata"] == {"user.name": "me", DEDUPE_KEY: "shot-10/ready-for-comp"}

    run(manager.url, story)
    assert len(manager.jobs) == 1


@pytest.mark.parametrize("trouble", ["busy", "drop", "cut", "nonsense"])
def test_ten_submits_through_trouble_make_ten_jobs(trouble: str, manager: ManagerStandIn) -> None:
    setattr(manager.chaos, trouble, 0.25)

    async def story(client: ManagerClient) -> None:
        for number in range(10):
            for _ in range(10):
                try:
                    await client.submit(JOB, f"job-{number}")
                    break
                except (ManagerUnreachable, ManagerNonsense):
                    continue

    run(manager.url, story)
    assert sorted(job["metadata"][DEDUPE_KEY] for job in manager.jobs.values()) == [f"job-{n}" for n in range(10)]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_manager_killed_in_the_middle_of_a_submit_has_the_job_once(moment: str, manager: ManagerStandIn) -> None:
    manager.chaos.die_in_submit = moment

    async def story(client: ManagerClient) -> None:
        async def submitted() -> dict[str, Any]:
            while True:
                with suppress(ManagerUnreachable):  # in doubt: the same key again
                    return await client.submit(JOB, "shot-10/ready-for-comp")

        submitting = asyncio.create_task(submitted())
        await until(lambda: manager.chaos.die_in_submit == "")
        await asyncio.to_thread(manager.stop)
        assert len(manager.jobs) == (1 if moment == "after" else 0)
        manager.start()
        assert (await submitting)["id"] in manager.jobs

    run(manager.url, story)
    assert len(manager.jobs) == 1


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_busy_manager_is_left_alone_for_the_time_it_names(form: str, manager: ManagerStandIn) -> None:
    named = 0.3 if form == "seconds" else 2.0  # a date has whole seconds: more than one is left of two
    asked: list[float] = []

    async def story(client: ManagerClient) -> None:
        client.patience = Patience(tries=2, pause=0.0, longest_pause=5.0)
        after = format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=named), usegmt=True)
        manager.chaos = Chaos(busy=1.0, retry_after=str(named) if form == "seconds" else after)
        began = time.monotonic()
        with pytest.raises(ManagerUnreachable, match="too busy"):
            await client.jobs()
        asked.append(time.monotonic() - began)

    run(manager.url, story)
    assert len(manager.requests) == 2
    assert asked[0] >= (0.3 if form == "seconds" else 0.9)


def test_a_manager_that_wants_to_be_left_alone_for_long_is_not_asked_earlier(manager: ManagerStandIn) -> None:
    manager.chaos = Chaos(busy=1.0, retry_after="120")

    async def story(client: ManagerClient) -> None:
        with pytest.raises(ManagerUnreachable, match="come back in 120 s") as busy:
            await client.jobs()
        assert busy.value.seconds == 120

    run(manager.url, story)
    assert len(manager.requests) == 1


def test_refusals_carry_the_managers_own_words(manager: ManagerStandIn) -> None:
    async def story(client: ManagerClient) -> None:
        with pytest.raises(ManagerError, match='property "submitter_platform" is missing'):
            await client.check({"name": "x", "type": "two"})
        with pytest.raises(ManagerError, match="no such job") as refused:
            await client.job("acce9983-e663-4210-b3cc-f7bfa629cb21")
        assert refused.value.status == 404

    run(manager.url, story)


def test_what_is_not_a_manager_is_said_to_be_none(manager: ManagerStandIn) -> None:
    manager.chaos.nonsense = 1.0

    async def story(client: ManagerClient) -> None:
        with pytest.raises(ManagerNonsense, match="not a Flamenco Manager"):
            await client.version()

    run(manager.url, story)


def test_nobody_there_is_said_with_the_address() -> None:
    async def story(client: ManagerClient) -> None:
        with pytest.raises(ManagerUnreachable, match=r"http://127\.0\.0\.1:9 does not answer"):
            await client.version()

    run("http://127.0.0.1:9", story)


def test_a_log_arrives_once_and_whole_while_it_grows_and_the_line_drops(manager: ManagerStandIn) -> None:
    async def story(client: ManagerClient) -> None:
        job = await client.submit(JOB, "k")
        task = (await client.tasks(job["id"]))[0]["id"]
        live, ear = ManagerLive(client, lambda *_: None, LIVELY), Ear()
        live.start()
        await live.watch_job(job["id"])
        await live.follow_log(task, ear)
        expected = ""
        for number in range(120):
            line = f"line {number} é🎬\n"
            expected += line
            data = line.encode()
            manager.work(task, "active", data[: len(data) - 3], announce=number % 3 == 0)
            if number % 20 == 7:
                manager.drop_sockets()
            manager.work(task, "active", data[len(data) - 3 :])
            await asyncio.sleep(0)
        await until(lambda: ear.heard == expected)
        await live.stop()
        assert ear.restarts == 0

    run(manager.url, story)


def test_a_log_that_the_subscription_delivers_too_arrives_once(manager: ManagerStandIn) -> None:
    """No Manager since 3.5 sends logs to those who subscribe; one that does again is read at once, without doubles."""
    manager.sends_logs = True

    async def story(client: ManagerClient) -> None:
        job = await client.submit(JOB, "k")
        first, second = [task["id"] for task in await client.tasks(job["id"])]
        rhythm = Rhythm(reconnect=0.02, resync=3600.0, poll=3600.0)
        live, by_news, polled, both = ManagerLive(client, lambda *_: None, rhythm), Ear(), Ear(), Ear()
        quick = ManagerLive(client, lambda *_: None, LIVELY)
        live.start()
        quick.start()
        await until(lambda: live.mirror.connected and quick.mirror.connected)
        await live.follow_log(first, by_news)
        await quick.follow_log(first, both)
        await quick.follow_log(second, polled)
        for number in range(40):
            manager.work(first, "active", f"line {number}\n".encode())
            await asyncio.sleep(0)
        expected = "".join(f"line {number}\n" for number in range(40))
        await until(lambda: by_news.heard == expected and both.heard == expected)
        assert polled.heard == ""
        await live.stop()
        await quick.stop()

    run(manager.url, story)


def test_a_log_that_shrinks_starts_over(manager: ManagerStandIn) -> None:
    async def story(client: ManagerClient) -> None:
        job = await client.submit(JOB, "k")
        task = (await client.tasks(job["id"]))[0]["id"]
        live, ear = ManagerLive(client, lambda *_: None, LIVELY), Ear()
        live.start()
        await live.follow_log(task, ear)
        manager.work(task, "active", b"first try\n")
        await until(lambda: ear.heard == "first try\n")
        manager.replace_log(task, b"2nd\n")
        await until(lambda: ear.heard == "2nd\n")
        assert ear.restarts == 1
        await live.stop()

    run(manager.url, story)


def test_a_log_that_shrinks_and_grows_again_between_two_looks_starts_over(manager: ManagerStandIn) -> None:
    async def story(client: ManagerClient) -> None:
        job = await client.submit(JOB, "k")
        task = (await client.tasks(job["id"]))[0]["id"]
        ear = Ear()
        follower = LogFollower(client, task, ear, 1.0)
        manager.work(task, "active", b"first try\n")
        await follower.look()
        manager.replace_log(task, b"second try, which says more\n")
        await follower.look()
        manager.work(task, "active", b"and goes on\n")
        await follower.look()
        assert ear.heard == "second try, which says more\nand goes on\n"
        assert ear.restarts == 1

    run(manager.url, story)


def test_without_a_live_line_jobs_tasks_and_logs_are_asked_for(manager: ManagerStandIn) -> None:
    manager.has_live_line = False

    async def story(client: ManagerClient) -> None:
        job = await client.submit(JOB, "k")
        task = (await client.tasks(job["id"]))[0]["id"]
        rhythm = Rhythm(reconnect=0.02, longest_reconnect=0.1, resync=3600.0, poll=0.1)
        live, ear = ManagerLive(client, lambda *_: None, rhythm), Ear()
        live.start()
        await live.watch_job(job["id"])
        await live.follow_log(task, ear)
        await until(lambda: "no live line" in live.mirror.problem and job["id"] in live.mirror.tasks)
        manager.work(task, "active", b"line\n")
        await until(lambda: live.mirror.jobs[job["id"]]["status"] == "active" and ear.heard == "line\n")
        await until(lambda: live.mirror.tasks[job["id"]][0]["status"] == "active")
        await live.stop()

    run(manager.url, story)


def test_a_storm_of_updates_is_read_a_few_times(manager: ManagerStandIn) -> None:
    async def story(client: ManagerClient) -> None:
        live = ManagerLive(client, lambda *_: None, Rhythm(reconnect=0.02, resync=3600.0))
        live.start()
        await until(lambda: live.mirror.connected and live.mirror.read)
        job = await client.submit(JOB, "k")
        await live.watch_job(job["id"])
        before, began = len(manager.requests), time.monotonic()
        for _ in range(300):
            for task in list(manager.tasks):
                manager.work(task, "active")
            await asyncio.sleep(0)
        for task in list(manager.tasks):
            manager.work(task, "completed")
        await until(lambda: {task["status"] for task in live.mirror.tasks.get(job["id"], [])} == {"completed"})
        reads = (time.monotonic() - began) / Rhythm().breath + 2
        assert len(manager.requests) - before <= 2 * reads, "jobs and tasks, four times a second at the most"
        await live.stop()

    run(manager.url, story)


def test_a_manager_that_is_away_all_night_is_told_of_once(
    manager: ManagerStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    manager.chaos = Chaos(busy=1.0, retry_after="0")

    async def story(client: ManagerClient) -> None:
        live = ManagerLive(client, lambda *_: None, LIVELY)
        live.start()
        await until(lambda: len(manager.requests) > 5 * QUICK.tries)
        await live.stop()

    run(manager.url, story)
    said = [record.getMessage() for record in caplog.records if "too busy" in record.getMessage()]
    assert said == [f"The Flamenco Manager at {manager.url} is too busy to list its jobs."]


def test_answers_and_news_of_strange_shapes_are_not_believed_and_stop_nothing(manager: ManagerStandIn) -> None:
    async def story(client: ManagerClient) -> None:
        live = ManagerLive(client, lambda *_: None, LIVELY)
        live.start()
        job = await client.submit(JOB, "k")
        await live.watch_job(job["id"])
        await until(lambda: job["id"] in live.mirror.tasks)
        manager.chaos = Chaos(odd=1.0)
        seen = len(manager.requests)
        for _ in range(8):
            manager.send_odd_frames()
            await asyncio.sleep(0.05)
        assert len(manager.requests) > seen + 10, "it went on asking"
        with pytest.raises((ManagerNonsense, ManagerUnreachable)):
            await client.submit(JOB, "another")
        assert live.mirror.jobs == manager.jobs, "nothing of it was taken for a job"
        manager.chaos = Chaos()
        for task in list(manager.tasks):
            manager.work(task, "completed")
        await until(lambda: live.mirror.jobs[job["id"]]["status"] == "completed")
        await until(lambda: {task["status"] for task in live.mirror.tasks[job["id"]]} == {"completed"})
        await live.stop()

    run(manager.url, story)


def test_after_drops_restarts_and_busy_answers_list_states_and_logs_equal_the_managers(manager: ManagerStandIn) -> None:
    async def story(client: ManagerClient) -> None:
        live = ManagerLive(client, lambda *_: None, LIVELY)
        live.start()
        jobs = [await client.submit(JOB, f"j{n}") for n in range(4)]
        ears: dict[str, Ear] = {}
        for job in jobs:
            await live.watch_job(job["id"])
            for task in await client.tasks(job["id"]):
                ears[task["id"]] = Ear()
                await live.follow_log(task["id"], ears[task["id"]])
        manager.chaos = Chaos(busy=0.15, cut=0.1, drop=0.1, nonsense=0.05)
        dice = manager.chaos.dice
        for step in range(60):
            task_id = dice.choice(sorted(ears))
            state = dice.choice(["active", "completed", "failed", "soft-failed"])
            manager.work(task_id, state, f"step {step}\n".encode(), announce=dice.random() < 0.7)
            if step % 15 == 4:
                manager.drop_sockets()
            if step == 30:
                await asyncio.to_thread(manager.stop)
                manager.work(task_id, "active", b"written while nobody could ask\n")
                manager.start()
            await asyncio.sleep(0.005)
        manager.forget(jobs[3]["id"])
        manager.chaos = Chaos()

        def same() -> bool:
            tasks = {j: {t["id"]: t["status"] for t in ts} for j, ts in live.mirror.tasks.items()}
            wanted = {
                j["id"]: {t["id"]: t["status"] for t in manager.tasks.values() if t["job_id"] == j["id"]}
                for j in manager.jobs.values()
            }
            logs = all(ears[t].heard == manager.logs.get(t, b"").decode() for t in ears if t in manager.tasks)
            return live.mirror.jobs == manager.jobs and tasks == wanted and logs

        await until(same)
        await live.stop()

    run(manager.url, story)
