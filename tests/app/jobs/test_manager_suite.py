"""The client against a Manager, whichever it is (`asked_manager`): the stand-in, or a real one that the environment
names. Nothing here knows the stand-in's inside; what is run is run by a Worker that speaks the Manager's own HTTP.
"""

from __future__ import annotations

import asyncio
import io
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asked_manager import AskedManager
from farm_worker import FarmWorker
from job_room import Jobs
from log_ear import Ear
from PIL import Image

from app.jobs.manager_client import DEDUPE_KEY, ManagerClient, ManagerError, Patience
from app.jobs.manager_live import ManagerLive, Rhythm

#: Paused, so that no Worker of a real farm takes it before the test has looked.
PAUSED = {
    "name": "signalbox client suite",
    "type": "echo-sleep-test",
    "priority": 50,
    "submitter_platform": "manager",
    "settings": {"message": "hi", "sleep_repeats": 1, "sleep_duration_seconds": 1},
    "metadata": {"user.name": "suite"},
    "initial_status": "paused",
}
#: Only the live line may bring news: nothing is read again for its own sake.
BY_NEWS_ALONE = Rhythm(resync=3600.0, poll=0.2)
#: Above all that may wait on a real farm: the suite's Worker gets this job first.
FIRST = 100_000
SECONDS = 60.0


@pytest.fixture(scope="module")
def manager() -> Iterator[AskedManager]:
    made = AskedManager()
    yield made
    made.close()


@pytest.fixture
def worker(manager: AskedManager) -> Iterator[FarmWorker]:
    signed_on = FarmWorker(manager.url)
    yield signed_on
    signed_on.leave()


def story(manager: AskedManager, tell: Callable[[ManagerClient], Awaitable[None]]) -> None:
    async def told() -> None:
        client = ManagerClient(manager.url, Patience(request=30.0, tries=3, pause=0.05))
        try:
            await tell(client)
        finally:
            await client.close()

    manager.script(None)
    try:
        asyncio.run(told())
    finally:
        manager.tidy()


async def until(what: Callable[[], bool]) -> None:
    async def wait() -> None:
        while not what():
            await asyncio.sleep(0.02)

    await asyncio.wait_for(wait(), SECONDS)


async def gone(client: ManagerClient, job_id: str) -> None:
    """Wait until the Manager, which deletes in the background, has no such job."""
    for _ in range(int(SECONDS / 0.05)):
        if job_id not in [job["id"] for job in await client.jobs()]:
            break
        await asyncio.sleep(0.05)
    with pytest.raises(ManagerError, match="no such job") as refused:
        await client.job(job_id)
    assert refused.value.status == 404


def test_the_client_submits_watches_orders_and_deletes(manager: AskedManager) -> None:
    async def tell(client: ManagerClient) -> None:
        assert set(await client.version()) == {"name", "version", "shortversion", "git"}
        assert "storageLocation" in await client.configuration()
        assert {"value", "is_twoway"} == set((await client.variables("workers", "linux"))["blender"])
        job_type = await client.job_type("echo-sleep-test")
        assert job_type["name"] in [each["name"] for each in await client.job_types()]
        body = {**PAUSED, "type_etag": job_type["etag"]}
        await client.check(body)
        key = f"client-suite/{uuid.uuid4()}"
        job = await client.submit(body, key)
        assert (await client.submit(body, key))["id"] == job["id"]
        assert (await client.job(job["id"]))["metadata"] == {"user.name": "suite", DEDUPE_KEY: key}
        tasks = await client.tasks(job["id"])
        assert [task["name"] for task in sorted(tasks, key=lambda each: each["index_in_job"])] == ["echo", "sleep"]
        echo = next(task["id"] for task in tasks if task["name"] == "echo")
        assert (await client.task(echo))["commands"][0]["parameters"] == {"message": "hi"}
        assert await client.log_tail(echo) == ""
        assert await client.log_size(echo) is None
        assert await client.last_rendered(job["id"]) is None
        await client.set_priority(job["id"], 70)
        assert (await client.job(job["id"]))["priority"] == 70
        await client.set_task_status(echo, "canceled", "suite")
        assert (await client.task(echo))["status"] == "canceled"
        await client.set_job_status(job["id"], "cancel-requested", "suite")
        assert (await client.job(job["id"]))["status"] in ("cancel-requested", "canceled")
        await client.delete(job["id"])
        await gone(client, job["id"])

    story(manager, tell)


def test_an_outdated_job_type_is_refused_in_the_managers_words(manager: AskedManager) -> None:
    async def tell(client: ManagerClient) -> None:
        for refused in (client.check, lambda body: client.submit(body, f"client-suite/{uuid.uuid4()}")):
            with pytest.raises(ManagerError, match="its settings are outdated") as error:
                await refused({**PAUSED, "type_etag": "0" * 40})
            assert error.value.status == 412

    story(manager, tell)


def test_the_live_line_tells_of_a_new_job_of_its_tasks_of_orders_and_of_its_end(manager: AskedManager) -> None:
    async def tell(client: ManagerClient) -> None:
        live = ManagerLive(client, lambda *_: None, BY_NEWS_ALONE)
        live.start()
        await until(lambda: live.mirror.connected and live.mirror.read)
        job = (await asyncio.to_thread(manager.submit, PAUSED))["id"]
        await until(lambda: job in live.mirror.jobs)
        await live.watch_job(job)
        await until(lambda: [task["name"] for task in live.mirror.tasks.get(job, [])] == ["echo", "sleep"])
        await client.set_priority(job, 71)
        await until(lambda: live.mirror.jobs[job]["priority"] == 71)
        await client.set_job_status(job, "cancel-requested", "suite")
        await until(lambda: live.mirror.jobs[job]["status"] == "canceled")
        await until(lambda: {task["status"] for task in live.mirror.tasks[job]} == {"canceled"})
        await client.delete(job)
        await until(lambda: job not in live.mirror.jobs)
        await live.stop()

    story(manager, tell)


def picture() -> bytes:
    """A small JPEG."""
    data = io.BytesIO()
    Image.new("RGB", (64, 36), "red").save(data, "JPEG")
    return data.getvalue()


def carry_out(manager: AskedManager, worker: FarmWorker, job: str, lines: int) -> list[str]:
    """Run what the Manager hands out of this job until it is completed; the lines that were logged.

    Other jobs' tasks are left alone, and other Workers of a real farm may take some of this one's.
    """
    logged = []
    until, pause = time.monotonic() + SECONDS, threading.Event()
    while manager.ask("GET", f"/api/v3/jobs/{job}")[1]["status"] != "completed":
        assert time.monotonic() < until, "the Manager hands the job's tasks to nobody"
        task = worker.take()
        if task.get("job") != job:
            pause.wait(0.2)
            continue
        for number in range(lines):
            logged.append(f"{task['name']} says {number} é🎬")
            worker.tell(task["uuid"], log=logged[-1] + "\n")
        worker.show(task["uuid"], picture())
        worker.tell(task["uuid"], status="completed", activity="all done")
    assert logged or manager.stand_in is None
    return logged


async def whole_log(client: ManagerClient, task: str, ear: Ear) -> str:
    """The Manager's own log of a task, once what was heard of it is the same."""
    for _ in range(int(SECONDS / 0.1)):
        facts = await client.log_size(task)
        assert facts is not None
        whole = (await client.download(facts.url)).decode()
        if ear.heard == whole:
            return whole
        await asyncio.sleep(0.1)
    raise AssertionError(f"heard {ear.heard!r}, the Manager's log is {whole!r}")


def test_a_job_runs_and_its_log_arrives_once_and_whole_with_its_picture(
    manager: AskedManager, worker: FarmWorker
) -> None:
    async def tell(client: ManagerClient) -> None:
        pictures: list[str] = []
        live = ManagerLive(
            client, lambda what, which: pictures.append(which) if what == "jobs" else None, BY_NEWS_ALONE
        )
        live.start()
        await until(lambda: live.mirror.connected)
        body = {**PAUSED, "priority": FIRST, "initial_status": "queued"}
        job = (await asyncio.to_thread(manager.submit, body))["id"]
        await live.watch_job(job)
        ears = {task["id"]: Ear() for task in await client.tasks(job)}
        for task, ear in ears.items():
            await live.follow_log(task, ear)
        logged = await asyncio.to_thread(carry_out, manager, worker, job, 20)
        await until(lambda: live.mirror.jobs.get(job, {}).get("status") == "completed")
        await until(lambda: {task["status"] for task in live.mirror.tasks.get(job, [])} == {"completed"})
        said: list[str] = []
        for task in live.mirror.tasks[job]:
            whole = await whole_log(client, task["id"], ears[task["id"]])
            assert whole.endswith(await client.log_tail(task["id"]))
            said += [line for line in whole.splitlines() if " says " in line]
        assert said == logged, "every line once, in order, and the task that needs the other after it"
        if logged:
            await until(lambda: job in pictures)
            shown = await client.last_rendered(job)
            assert shown is not None
            for suffix in shown["suffixes"]:
                assert (await client.download(f"{shown['base']}/{suffix}")).startswith(b"\xff\xd8"), "a JPEG"
        await live.stop()

    story(manager, tell)


def test_the_jobs_page_reads_a_job_of_the_manager_as_its_own(
    manager: AskedManager, worker: FarmWorker, tmp_path: Path
) -> None:
    """Submitted, ordered about and followed as a TD does it; what is read is the journal."""
    jobs = Jobs(tmp_path, manager=manager.url, timeout=30.0)

    def states(job: int) -> list[str]:
        return [task.status for task in jobs.journal.job_tasks(job)]

    def row() -> Any:
        return jobs.journal.job(number)

    try:
        order = {"job_type": "echo-sleep-test", "settings": {"message": "from the page"}, "engine": "manager"}
        answer = jobs.order("submit_job", **order, name="suite page", priority=FIRST, paused=True)
        assert answer.get("engine") == "manager", answer
        number = int(answer["job"])
        assert (row().name, row().status, row().who) == ("suite page", "paused", "td")
        assert row().settings == {"message": "from the page", "sleep_duration_seconds": 1, "sleep_repeats": 1}, (
            "what was left out has the job type's default"
        )
        jobs.wait(lambda: len(states(number)) == 2)
        jobs.order("task_log_follow", job=number, task=1)
        jobs.order("job_resume", job=number)
        jobs.wait(lambda: row().status == "queued")
        logged = [line for line in carry_out(manager, worker, row().remote_id, 5) if line.startswith("echo")]
        jobs.wait(lambda: row().status == "completed" and states(number) == ["completed", "completed"])
        jobs.wait(lambda: all(line in jobs.log(number, 1) for line in logged))
        assert all(jobs.log(number, 1).count(f"{line}\n") == 1 for line in logged)
        if logged:
            jobs.wait(lambda: row().last_rendered != "")
            assert Path(row().last_rendered).read_bytes()[:2] == b"\xff\xd8", "a JPEG"
        jobs.order("job_requeue", job=number)
        jobs.wait(lambda: row().status == "queued" and states(number) == ["queued", "queued"])
        jobs.order("job_cancel", job=number)
        jobs.wait(lambda: row().status == "canceled")
        jobs.order("job_delete", job=number)
        with pytest.raises(KeyError):
            jobs.journal.job(number)
    finally:
        jobs.close()


def test_one_task_of_a_cancelled_job_is_done_again_and_nothing_else_of_it(
    manager: AskedManager, worker: FarmWorker, tmp_path: Path
) -> None:
    jobs = Jobs(tmp_path, manager=manager.url, timeout=30.0)
    try:
        order = {"job_type": "echo-sleep-test", "settings": {"message": "once more"}, "engine": "manager"}
        job = int(jobs.order("submit_job", **order, name="suite task", priority=FIRST, paused=True)["job"])
        jobs.wait(lambda: len(jobs.journal.job_tasks(job)) == 2)
        jobs.order("job_cancel", job=job)
        jobs.wait(lambda: jobs.states(job) == ["canceled", "canceled"])
        jobs.order("task_requeue", job=job, task=1)
        remote = jobs.journal.job_task(job, 1).remote_id

        def is_done() -> bool:
            """Also by another Worker of a real farm."""
            if worker.take().get("uuid") == remote:
                worker.tell(remote, status="completed", activity="all done")
            return jobs.states(job) == ["completed", "canceled"]

        jobs.wait(is_done)
        jobs.order("job_delete", job=job)
    finally:
        jobs.close()
