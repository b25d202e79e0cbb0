"""A Manager that is slow, answers nonsense or is asked by several at once: each endpoint, each kind of trouble."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web
from log_ear import Ear
from manager_stand_in import Chaos, Compiled, ManagerStandIn

from app.jobs.manager_client import ManagerClient, ManagerError, ManagerNonsense, ManagerUnreachable, Patience
from app.jobs.manager_live import LogFollower, ManagerLive, Rhythm

QUICK = Patience(request=5.0, tries=4, pause=0.02, longest_pause=0.2)
LIVELY = Rhythm(ping=0.2, silence=2.0, reconnect=0.02, longest_reconnect=0.1, resync=0.3, poll=0.05, breath=0.01)
JOB = {"name": "job", "type": "one", "submitter_platform": "linux", "settings": {}, "metadata": {"user.name": "me"}}
DEEP = "[" * 200_000


def one_task(scripts: Mapping[str, str], body: Mapping[str, Any]) -> Compiled:
    del scripts
    task = {"name": "only", "type": "misc", "priority": 50, "commands": [], "dependencies": []}
    return Compiled(200, metadata=dict(body.get("metadata") or {}), name=body["name"], tasks=[task])


@pytest.fixture
def manager() -> Iterator[ManagerStandIn]:
    stand_in = ManagerStandIn(one_task, lambda _: {}).start()
    yield stand_in
    stand_in.stop()


def run(url: str, story: Callable[[ManagerClient], Awaitable[None]], patience: Patience = QUICK) -> None:
    async def tell() -> None:
        client = ManagerClient(url, patience)
        try:
            await asyncio.wait_for(story(client), 30)
        finally:
            await client.close()

    asyncio.run(tell())


async def until(condition: Callable[[], bool]) -> None:
    async def wait() -> None:
        while not condition():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), 30)


def page(status: int = 200) -> web.Response:
    return web.Response(text="<html>Please sign in</html>", content_type="text/html", status=status)


# Submitting


def test_threads_of_one_process_with_the_same_key_make_one_job(manager: ManagerStandIn) -> None:
    manager.chaos.slow_submit = 0.2

    async def story(client: ManagerClient) -> None:
        jobs = await asyncio.gather(*(client.submit(JOB, "shot-10") for _ in range(4)))
        assert len({job["id"] for job in jobs}) == 1

    run(manager.url, story)
    assert [line for line in manager.requests if line == "POST /api/v3/jobs"] == ["POST /api/v3/jobs"]


@pytest.mark.parametrize("any_order", [False, True])
def test_hosts_that_submit_the_same_key_at_the_same_moment_end_with_one_job(
    any_order: bool, manager: ManagerStandIn
) -> None:
    """None finds the key before it submits: all but the first take their own back, however the Manager lists them."""
    manager.chaos.slow_submit, manager.chaos.any_order = 0.2, any_order

    async def story(client: ManagerClient) -> None:
        hosts = [ManagerClient(manager.url, QUICK) for _ in range(3)]
        jobs = await asyncio.gather(*(host.submit(JOB, "shot-10") for host in hosts))
        for host in hosts:
            await host.close()
        assert manager.requests.count("POST /api/v3/jobs") == 3
        assert len({job["id"] for job in jobs}) == 1, "all hosts speak of the same job"
        await until(lambda: list(manager.jobs) == [jobs[0]["id"]])
        assert (await client.submit(JOB, "shot-10"))["id"] == jobs[0]["id"]

    run(manager.url, story)


@pytest.mark.parametrize("trouble", ["nobody could look at once", "no answer came"])
def test_the_job_of_several_hosts_is_taken_back_later_where_it_could_not_be_at_once(
    trouble: str, manager: ManagerStandIn
) -> None:
    """Meanwhile everybody who looks for the key finds the same one, however the Manager lists them."""
    manager.chaos.slow_submit, manager.chaos.any_order = 0.8, True

    def instead(request: web.Request) -> web.Response | None:
        """A proxy's page for the list, once there are jobs."""
        listed = request.path == "/api/v3/jobs" and request.method == "GET"
        return page() if manager.jobs and listed and trouble == "nobody could look at once" else None

    manager.chaos.instead = instead
    patience = QUICK if trouble == "nobody could look at once" else Patience(request=0.4, tries=1)

    async def story(client: ManagerClient) -> None:
        hosts = [ManagerClient(manager.url, patience) for _ in range(3)]
        await asyncio.gather(*(host.submit(JOB, "shot-10") for host in hosts), return_exceptions=True)
        await until(lambda: len(manager.jobs) == 3)
        manager.chaos.instead = lambda _: None
        for host in hosts:
            host.patience = QUICK
        (first,) = {(await client.find("shot-10") or {})["id"] for _ in range(10)}
        assert (await hosts[0].submit(JOB, "shot-10"))["id"] == first
        await client.look_for_doubles(await client.jobs())
        assert len(manager.jobs) == 3, "whoever submitted no such job leaves them alone"
        await hosts[1].look_for_doubles(await hosts[1].jobs())
        await until(lambda: list(manager.jobs) == [first])
        for host in hosts:
            await host.look_for_doubles(await host.jobs())
            await host.close()
        assert list(manager.jobs) == [first]

    run(manager.url, story)


def test_a_submit_that_the_manager_answers_too_late_is_not_sent_again(manager: ManagerStandIn) -> None:
    """It compiles for longer than anybody waits; no look for the key can see the job before it is stored."""
    manager.chaos.slow_submit = 0.6

    async def story(client: ManagerClient) -> None:
        for _ in range(3):
            with pytest.raises(ManagerUnreachable, match="may still be at work on the job"):
                await client.submit(JOB, "shot-10")
        with pytest.raises(ManagerUnreachable, match="may still be at work"):
            await client.find("shot-10")
        await until(lambda: len(manager.jobs) == 1)
        assert (await client.submit(JOB, "shot-10"))["id"] in manager.jobs

    run(manager.url, story, Patience(request=0.1, tries=2, pause=0.01))
    assert manager.requests.count("POST /api/v3/jobs") == 1


def test_a_submit_for_whose_answer_nobody_waited_is_not_sent_again(manager: ManagerStandIn) -> None:
    manager.chaos.slow_submit = 0.4

    async def story(client: ManagerClient) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.submit(JOB, "shot-10"), 0.2)
        with pytest.raises(ManagerUnreachable, match="may still be at work on the job"):
            await client.submit(JOB, "shot-10")
        await until(lambda: len(manager.jobs) == 1)
        assert (await client.submit(JOB, "shot-10"))["id"] in manager.jobs

    run(manager.url, story)
    assert manager.requests.count("POST /api/v3/jobs") == 1


def test_a_job_on_its_way_out_is_not_taken_for_the_one_submitted_again(manager: ManagerStandIn) -> None:
    async def story(client: ManagerClient) -> None:
        first = await client.submit(JOB, "shot-10")
        await client.delete(first["id"])
        assert (await client.submit(JOB, "shot-10"))["id"] != first["id"]

    run(manager.url, story)


def test_a_gateway_that_reaches_no_manager_is_not_the_managers_refusal(manager: ManagerStandIn) -> None:
    """While the Manager behind it is restarted."""
    answers = iter([502, 502])

    def gateway(request: web.Request) -> web.Response | None:
        status = next(answers, None) if request.method == "POST" else None
        return page(status) if status else None

    manager.chaos.instead = gateway

    async def story(client: ManagerClient) -> None:
        assert (await client.submit(JOB, "shot-10"))["id"] in manager.jobs

    run(manager.url, story)
    assert len(manager.jobs) == 1


# Nonsense


def test_an_order_that_is_answered_with_a_page_was_not_carried_out(manager: ManagerStandIn) -> None:
    async def story(client: ManagerClient) -> None:
        job = (await client.submit(JOB, "k"))["id"]
        task = (await client.tasks(job))[0]["id"]
        orders: list[Callable[[], Awaitable[None]]] = [
            lambda: client.set_job_status(job, "cancel-requested", "test"),
            lambda: client.set_task_status(task, "canceled", "test"),
            lambda: client.set_priority(job, 7),
            lambda: client.check(JOB),
            lambda: client.delete(job),
        ]
        for answer in (page, lambda: web.json_response({"code": 500, "message": "database is gone"})):
            manager.chaos.instead = lambda request, answer=answer: answer()  # type: ignore[misc]
            for order in orders:
                with pytest.raises(ManagerNonsense, match="not a Flamenco Manager"):
                    await order()
        manager.chaos = Chaos()
        assert manager.jobs[job]["status"] == "queued"
        for order in orders:
            await order()

    run(manager.url, story)


def test_an_order_is_never_sent_on_to_another_address(manager: ManagerStandIn) -> None:
    """Sent on, it would be a question, and the answer to that the answer to the order."""
    elsewhere = manager.url + "/api/v3/version"
    manager.chaos.instead = lambda request: (
        web.Response(status=301, headers={"Location": elsewhere}) if request.method == "POST" else None
    )

    async def story(client: ManagerClient) -> None:
        with pytest.raises(ManagerError, match=f"sent on to {elsewhere}"):
            await client.submit(JOB, "k")
        with pytest.raises(ManagerError, match=f"sent on to {elsewhere}"):
            await client.set_priority("acce9983-e663-4210-b3cc-f7bfa629cb21", 7)

    run(manager.url, story)


def test_questions_that_go_round_in_circles_are_given_up(manager: ManagerStandIn) -> None:
    manager.chaos.instead = lambda request: web.Response(status=302, headers={"Location": request.path})

    async def story(client: ManagerClient) -> None:
        with pytest.raises(ManagerNonsense, match="sends every question on"):
            await client.jobs()

    run(manager.url, story)


ASKED: dict[str, Callable[[ManagerClient], Awaitable[object]]] = {
    "version": lambda client: client.version(),
    "configuration": lambda client: client.configuration(),
    "variables": lambda client: client.variables("workers", "linux"),
    "job types": lambda client: client.job_types(),
    "job type": lambda client: client.job_type("one"),
    "check": lambda client: client.check(JOB),
    "submit": lambda client: client.submit(JOB, "k"),
    "find": lambda client: client.find("k"),
    "jobs": lambda client: client.jobs(),
    "job": lambda client: client.job("j"),
    "tasks": lambda client: client.tasks("j"),
    "task": lambda client: client.task("t"),
    "last rendered": lambda client: client.last_rendered("j"),
    "picture": lambda client: client.picture("j"),
    "log size": lambda client: client.log_size("t"),
    "log end": lambda client: client.log_end("t"),
    "job status": lambda client: client.set_job_status("j", "queued", "test"),
    "task status": lambda client: client.set_task_status("t", "queued", "test"),
    "priority": lambda client: client.set_priority("j", 50),
    "delete": lambda client: client.delete("j"),
}
NONSENSE = {
    "page": "<html>Please sign in</html>",
    "cut": '{"jobs": [{"id": "a", "sta',
    "deep": DEEP,
    "null": "null",
    "list": "[1, 2]",
    "text": '"fine"',
    "not utf-8": b"\xff\xfe{}",
    "huge": " " * 300_000,
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_is_called_nonsense_whatever_was_asked(kind: str, manager: ManagerStandIn) -> None:
    body = NONSENSE[kind]
    body = body if isinstance(body, bytes) else body.encode()
    manager.chaos.instead = lambda _: web.Response(body=body, content_type="application/json")

    async def story(client: ManagerClient) -> None:
        for asked in ASKED.values():
            with pytest.raises(ManagerNonsense):
                await asked(client)

    run(manager.url, story, Patience(request=5.0, tries=2, pause=0.0, largest=250_000))


JOB_ROW = {"id": "j-1", "status": "queued", "metadata": {}, "settings": {}}


@pytest.mark.parametrize(
    "row", [{"id": ""}, {"id": "../../x"}, {"id": "\ud800"}, {"id": 5}, {"status": None}, {"metadata": []}]
)
def test_a_job_without_what_is_relied_on_is_nonsense(row: dict[str, Any], manager: ManagerStandIn) -> None:
    manager.chaos.instead = lambda _: web.json_response({"jobs": [JOB_ROW | row]})

    async def story(client: ManagerClient) -> None:
        with pytest.raises(ManagerNonsense):
            await client.jobs()

    run(manager.url, story)


@pytest.mark.parametrize("size", [-5, 2.5, True, None, "9", float("inf")])
def test_a_log_of_a_strange_size_is_nonsense(size: object, manager: ManagerStandIn) -> None:
    manager.chaos.instead = lambda _: web.json_response({"size": size, "url": "/x.txt"})

    async def story(client: ManagerClient) -> None:
        with pytest.raises(ManagerNonsense, match="without size"):
            await client.log_size("t")

    run(manager.url, story)


def test_what_cannot_even_be_read_as_json_ends_neither_the_reading_nor_the_line(manager: ManagerStandIn) -> None:
    async def story(client: ManagerClient) -> None:
        job = await client.submit(JOB, "k")
        live = ManagerLive(client, lambda *_: None, LIVELY)
        live.start()
        await live.watch_job(job["id"])
        await until(lambda: live.mirror.connected and job["id"] in live.mirror.tasks)
        manager.chaos.instead = lambda _: web.Response(text=DEEP, content_type="application/json")
        manager.send_frames(["42" + DEEP])
        await until(lambda: "not a Flamenco Manager" in live.mirror.trouble)
        manager.chaos = Chaos()
        manager.work(next(iter(manager.tasks)), "completed")
        await until(lambda: live.mirror.connected and live.mirror.trouble == "")
        await until(lambda: live.mirror.jobs[job["id"]]["status"] == "completed")
        await live.stop()

    run(manager.url, story)


def test_a_defect_of_whoever_listens_stops_neither_reading_nor_line(
    manager: ManagerStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []

    def listener(what: str, which: str) -> None:
        heard.append(what)
        if heard.count(what) <= 5:
            raise RuntimeError(f"cannot take {what} of {which}")

    async def story(client: ManagerClient) -> None:
        live = ManagerLive(client, listener, LIVELY)
        live.start()
        await until(lambda: live.mirror.connected and live.mirror.read)
        job = await client.submit(JOB, "k")
        await live.watch_job(job["id"])
        while heard.count("connection") < 6:
            told = heard.count("connection")
            manager.drop_sockets()
            await until(lambda told=told: heard.count("connection") > told)  # type: ignore[misc]
        await until(lambda: heard.count("jobs") > 5 and live.mirror.connected)
        manager.work(next(iter(manager.tasks)), "completed")
        await until(lambda: live.mirror.jobs.get(job["id"], {}).get("status") == "completed")
        await live.stop()

    run(manager.url, story)
    assert "reading the Manager's jobs failed" in caplog.text


def test_a_job_whose_tasks_cannot_be_told_keeps_no_other_from_being_read(manager: ManagerStandIn) -> None:
    async def story(client: ManagerClient) -> None:
        jobs = [(await client.submit(JOB, f"k{number}"))["id"] for number in range(12)]
        broken = {jobs[2]: page, jobs[5]: lambda: web.json_response({"code": 500, "message": "disk"}, status=500)}

        def instead(request: web.Request) -> web.Response | None:
            job = request.match_info.get("job", "")
            return broken[job]() if job in broken and request.path.endswith("/tasks") else None

        manager.chaos.instead = instead
        live = ManagerLive(client, lambda *_: None, LIVELY)
        live.start()
        for job in jobs:
            await live.watch_job(job)
        await until(lambda: set(live.mirror.tasks) == set(jobs) - set(broken))
        assert live.mirror.trouble, "it is told that something cannot be read"
        manager.chaos = Chaos()
        await until(lambda: set(live.mirror.tasks) == set(jobs) and not live.mirror.trouble)
        await live.stop()

    run(manager.url, story)


# What nobody tells


async def watched_jobs(client: ManagerClient, live: ManagerLive) -> tuple[str, str]:
    """Two jobs at work, whose tasks have been read."""
    jobs = [(await client.submit(JOB, f"k{number}"))["id"] for number in range(2)]
    live.start()
    for job in jobs:
        await live.watch_job(job)
    await until(lambda: live.mirror.connected and all(live.tasks_as_read(job) is not None for job in jobs))
    return jobs[0], jobs[1]


def only_task(manager: ManagerStandIn, job: str) -> str:
    return next(task["id"] for task in manager.tasks.values() if task["job_id"] == job)


def test_news_without_end_of_one_job_keep_no_other_from_being_read_again(manager: ManagerStandIn) -> None:
    async def story(client: ManagerClient) -> None:
        live = ManagerLive(client, lambda *_: None, LIVELY)
        quiet, loud = await watched_jobs(client, live)
        manager.work(only_task(manager, quiet), "active")
        await until(lambda: live.mirror.jobs[quiet]["status"] == "active")
        manager.work(only_task(manager, quiet), "soft-failed", announce=False)
        ends = time.monotonic() + 20 * LIVELY.resync
        while live.mirror.tasks[quiet][0]["status"] != "soft-failed":
            assert time.monotonic() < ends, "what nobody told is not seen while there is other news"
            manager.work(only_task(manager, loud), "active")
            await asyncio.sleep(0.01)
        await live.stop()

    run(manager.url, story)


def test_the_tasks_of_a_job_that_is_seen_to_have_changed_are_read_though_nobody_told_of_them(
    manager: ManagerStandIn,
) -> None:
    async def story(client: ManagerClient) -> None:
        live = ManagerLive(client, lambda *_: None, Rhythm(reconnect=0.02, resync=3600.0, breath=0.01))
        quiet, loud = await watched_jobs(client, live)
        manager.work(only_task(manager, quiet), "completed", announce=False)
        manager.work(only_task(manager, loud), "active")
        await until(lambda: live.mirror.jobs[quiet]["status"] == "completed")
        await until(lambda: live.mirror.tasks[quiet][0]["status"] == "completed")
        await live.stop()

    run(manager.url, story)


def test_tasks_that_are_just_being_read_again_are_not_yet_as_read(manager: ManagerStandIn) -> None:
    """Whoever took them for that would leave the job, and miss what is on its way."""
    told: list[object] = []

    async def story(client: ManagerClient) -> None:
        live = ManagerLive(client, lambda *_: None, LIVELY)
        job, _ = await watched_jobs(client, live)

        def instead(request: web.Request) -> None:
            if request.path == f"/api/v3/jobs/{job}/tasks":
                told.append(live.tasks_as_read(job))

        manager.chaos.instead = instead
        manager.work(only_task(manager, job), "active")
        await until(lambda: len(told) > 2)
        await live.stop()

    run(manager.url, story)
    assert set(told) == {None}


# Busy


def test_whoever_was_told_to_come_back_later_nobody_of_this_program_asks_earlier(manager: ManagerStandIn) -> None:
    """Neither who reads jobs, nor who follows a log, nor who gives an order."""

    async def story(client: ManagerClient) -> None:
        job = await client.submit(JOB, "k")
        live = ManagerLive(client, lambda *_: None, LIVELY)
        live.start()
        await live.watch_job(job["id"])
        await live.follow_log(next(iter(manager.tasks)), Ear())
        await until(lambda: live.mirror.connected and job["id"] in live.mirror.tasks)
        manager.chaos = Chaos(busy=1.0, retry_after="120")
        manager.drop_sockets()
        await until(lambda: "come back in 120 s" in live.mirror.problem)
        asked = len(manager.requests)
        await asyncio.sleep(0.4)
        with pytest.raises(ManagerUnreachable, match="come back in 120 s"):
            await client.set_priority(job["id"], 7)
        assert len(manager.requests) == asked
        await live.stop()

    run(manager.url, story)


def test_a_line_that_is_refused_for_a_while_is_not_tried_earlier(manager: ManagerStandIn) -> None:
    async def story(client: ManagerClient) -> None:
        manager.chaos.instead = lambda request: (
            web.Response(status=503, headers={"Retry-After": "0.5"}) if request.path == "/socket.io/" else None
        )
        live = ManagerLive(client, lambda *_: None, LIVELY)
        began = time.monotonic()
        live.start()
        await until(lambda: manager.requests.count("GET /socket.io/") == 2)
        assert time.monotonic() - began >= 0.5
        await live.stop()

    run(manager.url, story, Patience(request=5.0, longest_pause=5.0))


@pytest.mark.parametrize("text", ["inf", "1e300", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_manager_that_never_wants_to_be_asked_again_is_asked_in_an_hour(text: str, manager: ManagerStandIn) -> None:
    manager.chaos = Chaos(busy=1.0, retry_after=text)

    async def story(client: ManagerClient) -> None:
        with pytest.raises(ManagerUnreachable) as busy:
            await client.jobs()
        assert busy.value.seconds == 3600

    run(manager.url, story)


@pytest.mark.parametrize("text", ["soon", "nan", "", "Fri, 31 Dec 99999 23:59:59 GMT", "Mon, 01 Jan 2020 00:00:00 GMT"])
def test_a_time_that_is_none_or_past_delays_nothing(text: str, manager: ManagerStandIn) -> None:
    manager.chaos = Chaos(busy=1.0, retry_after=text)

    async def story(client: ManagerClient) -> None:
        with pytest.raises(ManagerUnreachable, match="too busy"):
            await client.jobs()

    run(manager.url, story)
    assert len(manager.requests) == QUICK.tries


# Logs


def test_another_log_of_the_same_size_is_noticed(manager: ManagerStandIn) -> None:
    """A task that is done again writes as much as before."""

    async def story(client: ManagerClient) -> None:
        await client.submit(JOB, "k")
        task, ear = next(iter(manager.tasks)), Ear()
        follower = LogFollower(client, task, ear, 1.0)
        for text in ("10:00:01 hi\n", "10:00:09 hi\n"):
            manager.replace_log(task, text.encode())
            await follower.look()
            await follower.look()
            assert ear.heard == text
        assert ear.restarts == 1
        manager.replace_log(task, b"")
        await follower.look()
        assert (ear.heard, ear.restarts) == ("", 2)

    run(manager.url, story)


@pytest.mark.parametrize("ranges", ["honoured", "ignored"])
def test_a_log_of_megabytes_comes_in_pieces_and_whole(ranges: str, manager: ManagerStandIn) -> None:
    lines = "".join(f"frame {number} é🎬 {'x' * 100}\n" for number in range(60_000))

    def whole(request: web.Request) -> web.Response | None:
        served = request.path.startswith("/job-files")
        return web.Response(body=manager.logs[task], content_type="text/plain") if served else None

    async def story(client: ManagerClient) -> None:
        nonlocal task
        await client.submit(JOB, "k")
        task, ear, data = next(iter(manager.tasks)), Ear(), lines.encode()
        follower = LogFollower(client, task, ear, 1.0)
        if ranges == "ignored":
            manager.chaos.instead = whole
        largest = 0

        def text(piece: str) -> None:
            nonlocal largest
            largest = max(largest, len(piece))
            ear.heard += piece

        ear.text = text  # type: ignore[method-assign]
        for end in (1000, 3_000_001, len(data)):
            manager.replace_log(task, data[:end])
            await follower.look()
        assert ear.heard == lines
        assert largest <= 2 << 20
        assert ear.restarts == 0

    task = ""
    run(manager.url, story)


@pytest.mark.parametrize("answer", ["page", "object", "half"])
def test_what_is_not_the_announced_log_is_not_taken_for_it(answer: str, manager: ManagerStandIn) -> None:
    async def story(client: ManagerClient) -> None:
        await client.submit(JOB, "k")
        task, ear = next(iter(manager.tasks)), Ear()
        follower = LogFollower(client, task, ear, 1.0)
        manager.replace_log(task, b"first line\n")
        await follower.look()
        manager.replace_log(task, b"first line\nsecond line\n")
        answers = {
            "page": page,
            "object": lambda: web.json_response({"code": 500, "message": "x" * 100}),
            "half": lambda: web.Response(text="first line\nsec"),
        }
        manager.chaos.instead = lambda request: (
            answers[answer]() if request.path.startswith(("/job-files", "/api/v3/tasks/t/logtail")) else None
        )
        with pytest.raises(ManagerNonsense):
            await follower.look()
        assert (ear.heard, ear.restarts) == ("first line\n", 0)
        manager.chaos = Chaos()
        await follower.look()
        assert (ear.heard, ear.restarts) == ("first line\nsecond line\n", 0)

    run(manager.url, story)


@pytest.mark.parametrize("grown", [True, False])
def test_an_end_that_is_told_otherwise_than_the_log_has_it_starts_nothing_over(
    grown: bool, manager: ManagerStandIn
) -> None:
    """The log grew between two questions, or its end is told with other letters."""

    def instead(request: web.Request) -> web.Response | None:
        if not request.path.endswith("/logtail"):
            return None
        if grown:
            manager.logs[task] = b"first line\nsecond line\n"
            return None
        return web.Response(text="first line \N{REPLACEMENT CHARACTER}\n")

    async def story(client: ManagerClient) -> None:
        nonlocal task
        await client.submit(JOB, "k")
        task, ear = next(iter(manager.tasks)), Ear()
        follower = LogFollower(client, task, ear, 1.0)
        manager.replace_log(task, b"first line\n")
        await follower.look()
        manager.chaos.instead = instead
        await follower.look()
        assert (ear.heard, ear.restarts) == ("first line\n", 0)
        await follower.look()
        assert (ear.heard, ear.restarts) == ("first line\n" + "second line\n" * grown, 0)

    task = ""
    run(manager.url, story)


def test_a_log_whose_end_cannot_be_told_is_left_as_it_is(manager: ManagerStandIn) -> None:
    async def story(client: ManagerClient) -> None:
        await client.submit(JOB, "k")
        task, ear = next(iter(manager.tasks)), Ear()
        follower = LogFollower(client, task, ear, 1.0)
        manager.replace_log(task, b"first line\n")
        await follower.look()
        manager.chaos.instead = lambda request: page() if request.path.endswith("/logtail") else None
        with suppress(ManagerNonsense):
            await follower.look()
        assert (ear.heard, ear.restarts) == ("first line\n", 0)

    run(manager.url, story)


def test_the_manager_takes_the_line_back_and_is_called_again(manager: ManagerStandIn) -> None:
    """Its farewell ("41") leaves the websocket open, over which no news comes any more."""

    async def story(client: ManagerClient) -> None:
        live = ManagerLive(client, lambda *_: None, LIVELY)
        live.start()
        await until(lambda: live.mirror.connected)
        manager.send_frames(["41"])
        await until(lambda: manager.requests.count("GET /socket.io/") == 2)
        await until(lambda: live.mirror.connected)
        await live.stop()

    run(manager.url, story)


def test_a_picture_that_is_none_is_not_kept(manager: ManagerStandIn) -> None:
    async def story(client: ManagerClient) -> None:
        job = (await client.submit(JOB, "k"))["id"]
        assert await client.picture(job) is None
        manager.render(job, b"\xff\xd8picture")
        assert await client.picture(job) == b"\xff\xd8picture"
        manager.chaos.instead = lambda request: page() if request.path.startswith("/job-files") else None
        with pytest.raises(ManagerNonsense, match="picture it announced"):
            await client.picture(job)
        odd: Any
        for odd in ({}, {"base": 5, "suffixes": 3}, {"base": "/x", "suffixes": {}}, {"suffixes": ["a.jpg"]}):
            manager.chaos.instead = lambda request, odd=odd: web.Response(  # type: ignore[misc]
                text=json.dumps(odd), content_type="application/json"
            )
            with pytest.raises(ManagerNonsense, match="without an address"):
                await client.picture(job)

    run(manager.url, story)
