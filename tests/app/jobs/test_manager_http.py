"""Every observed answer of the Manager's REST interface holds: for the stand-in, and for a real Manager where one is
(`asked_manager`).
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asked_manager import AskedManager

from app.jobs.manager_client import DEDUPE_KEY, ManagerClient, ManagerError, Patience

CASES = json.loads((Path(__file__).parents[2] / "data" / "flamenco_cases.json").read_text("utf-8"))["http_cases"]
JOB = {
    "name": "job",
    "type": "echo-sleep-test",
    "priority": 50,
    "submitter_platform": "linux",
    "settings": {"message": "hi", "sleep_repeats": 1, "sleep_duration_seconds": 1},
    "metadata": {"user.name": "me"},
}
#: Different on every Manager, or at every moment.
MOVING = {"id", "created", "updated", "etag", "job_id"}
#: " at compileJob (t.js:2:26(2))", " at t.js:1:7(3)": every engine counts columns and its own instructions differently.
PLACE = re.compile(r" at (?:\S+ \()?(?:t\.js:\d+:\d+(?:\(\d+\))?|native)\)?$")
#: What the observed Manager's variable stood for.
STORAGE = {"is_twoway": True, "value": "/media/shared/flamenco"}


def named(case: dict[str, Any]) -> str:
    return f"{CASES.index(case)}-{case.get('label', case['path'])}"


@pytest.fixture(scope="module")
def manager() -> Iterator[AskedManager]:
    made = AskedManager()
    yield made
    made.close()


def shape(value: Any) -> Any:
    """Names and kinds of values."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def comparable(value: Any) -> Any:
    """The answer without what differs from Manager to Manager."""
    if isinstance(value, dict):
        return {key: shape(item) if key in MOVING else comparable(item) for key, item in value.items()}
    return [comparable(item) for item in value] if isinstance(value, list) else value


def said(value: Any) -> Any:
    """An error without the place in the script, which every engine counts differently."""
    return {**value, "message": PLACE.sub("", value["message"])} if "message" in value else value


def path_of(case: dict[str, Any], job: dict[str, Any], task: str) -> str:
    """The case's path, for the job that was made for it."""
    path = str(case["path"])
    for seen, own in ((_seen_id("/jobs/"), job.get("id", "")), (_seen_id("/tasks/"), task)):
        path = path.replace(seen, own)
    return path


def _seen_id(where: str) -> str:
    """The id of the job (or task) that the observed requests were about."""
    path = next(c["path"] for c in CASES if c.get("label") == {"/jobs/": "tasks", "/tasks/": "task"}[where])
    return str(path).split(where)[1].split("/")[0]


def script_of(case: dict[str, Any]) -> str | None:
    """The script that was there; a question about a script just put there follows that case, indented."""
    at = CASES.index(case)
    while CASES[at].get("label", "").startswith(" "):
        at -= 1
    script: str | None = CASES[at]["script_t_js"]
    return script


def prepared(manager: AskedManager, case: dict[str, Any]) -> str:
    """The Manager as it was when it was asked, with a job where the case is about one; the case's path there."""
    manager.script(script_of(case))
    if "my_storage" in json.dumps(case["response"]):
        variables = manager.ask("GET", "/api/v3/configuration/variables/workers/linux")[1]
        if variables.get("my_storage") != STORAGE:
            pytest.skip("this Manager has no two-way variable my_storage for /media/shared/flamenco")
    job: dict[str, Any] = {}
    task = ""
    if _seen_id("/jobs/") in case["path"] or _seen_id("/tasks/") in case["path"]:
        job = manager.submit(JOB)
        task = manager.ask("GET", f"/api/v3/jobs/{job['id']}/tasks")[1]["tasks"][0]["id"]
    if case.get("label") == "job after":
        manager.order(job["id"], "cancel-requested")
    return path_of(case, job, task)


def echo_of(job_types: list[dict[str, Any]]) -> dict[str, Any]:
    (echo,) = [each for each in job_types if each["name"] == "echo-sleep-test"]
    assert "t" not in [each["name"] for each in job_types], "a script that throws is not listed"
    return echo


@pytest.mark.parametrize("case", CASES, ids=[named(case) for case in CASES])
def test_an_observed_answer_holds(manager: AskedManager, case: dict[str, Any]) -> None:
    path = prepared(manager, case)
    body = case["body"]
    data = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
    status, answer = manager.ask(case["method"], path, data, case["content_type"])
    expected = case["response"]
    assert status == case["status"], answer
    if status >= 400:
        assert said(answer) == said(expected)
    elif "job_types" in (expected or ()):
        assert echo_of(answer["job_types"]) == echo_of(expected["job_types"])
    else:
        assert comparable(answer) == comparable(expected)
    manager.tidy()


def question(case: dict[str, Any], path: str) -> Callable[[ManagerClient], Awaitable[Any]] | None:
    """The case as the client asks it; None where the client never asks so."""
    body, at = case["body"], path.removeprefix("/api/v3/").split("/")
    match (case["method"], *at):
        case ("GET", "jobs", "types"):
            return lambda client: client.job_types()
        case ("GET", "jobs", "type", name):
            return lambda client: client.job_type(name)
        case ("GET", "jobs", job):
            return lambda client: client.job(job)
        case ("GET", "jobs", job, "tasks"):
            return lambda client: client.tasks(job)
        case ("GET", "tasks", task):
            return lambda client: client.task(task)
        case ("GET", "tasks", task, "log"):
            return lambda client: client.log_size(task)
        case ("GET", "tasks", task, "logtail"):
            return lambda client: client.log_tail(task)
        case ("DELETE", "jobs", job):
            return lambda client: client.delete(job)
        case ("POST", "jobs", job, "setpriority"):
            return lambda client: client.set_priority(job, body["priority"])
        case ("POST", "jobs", job, "setstatus") if "reason" in body:
            return lambda client: client.set_job_status(job, body["status"], body["reason"])
        case ("POST", "tasks", task, "setstatus"):
            return lambda client: client.set_task_status(task, body["status"], body["reason"])
        case ("POST", "jobs", "check") if isinstance(body, dict):
            return lambda client: client.check(body)
        case ("POST", "jobs") if isinstance(body, dict) and isinstance(body.get("metadata", {}), dict):
            return lambda client: client.submit(body, f"http-case/{uuid.uuid4()}")
    return None


ASKED_BY_CLIENT = [
    each for each in CASES if each["content_type"] == "application/json" and question(each, each["path"])
]


@pytest.mark.parametrize("case", ASKED_BY_CLIENT, ids=[named(case) for case in ASKED_BY_CLIENT])
def test_the_client_gives_the_observed_answer_or_the_managers_words(
    manager: AskedManager, case: dict[str, Any]
) -> None:
    ask = question(case, prepared(manager, case))
    assert ask is not None
    expected = case["response"]

    async def asked() -> Any:
        client = ManagerClient(manager.url, Patience(tries=2, pause=0.05))
        try:
            return await ask(client)
        finally:
            await client.close()

    if case["status"] >= 400:
        with pytest.raises(ManagerError) as refused:
            asyncio.run(asked())
        assert refused.value.status == case["status"]
        assert PLACE.sub("", refused.value.message) == said(expected)["message"]
        manager.tidy()
        return
    answer = asyncio.run(asked())
    if case["method"] == "POST" and answer:
        manager.adopt(answer["id"])
        assert answer["metadata"].pop(DEDUPE_KEY).startswith("http-case/")
    if case["status"] == 204:
        assert not answer
    elif "job_types" in expected:
        assert echo_of(answer) == echo_of(expected["job_types"])
    else:
        assert comparable(answer) == comparable(expected.get("tasks", expected))
    manager.tidy()
