"""Every observed answer of the Manager's REST interface holds: for the stand-in, and for a real Manager where one is.

``SIGNALBOX_TEST_MANAGER=http://host:8080`` puts the same requests, and the client's own, to a real Manager. Cases that
need a script of their own are put to it where ``SIGNALBOX_TEST_SCRIPTS`` names its scripts folder.
"""

from __future__ import annotations

import asyncio
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from manager_compile import StandInCompiler

from app.jobs.manager_client import DEDUPE_KEY, ManagerClient, ManagerError, Patience

CASES = json.loads((Path(__file__).parents[2] / "data" / "flamenco_cases.json").read_text("utf-8"))["http_cases"]
REAL = os.environ.get("SIGNALBOX_TEST_MANAGER", "").rstrip("/")
SCRIPTS = os.environ.get("SIGNALBOX_TEST_SCRIPTS", "")
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
#: What a Manager says of a job type, or lists, is its own scripts' matter: its shape is compared.
OWN_WORDS = {"label", "description"}


class Manager:
    """Who is asked: the stand-in, or a real Manager."""

    def __init__(self) -> None:
        self.compiler = None if REAL else StandInCompiler()
        self.stand_in = self.compiler.stand_in().start() if self.compiler else None
        self.url = REAL or (self.stand_in.url if self.stand_in else "")

    def script(self, text: str | None) -> None:
        """Put t.js among the scripts, or take it away."""
        if self.stand_in is not None:
            self.stand_in.scripts.pop("t.js", None)
            if text is not None:
                self.stand_in.scripts["t.js"] = text
            return
        if text is not None and not SCRIPTS:
            pytest.skip("SIGNALBOX_TEST_SCRIPTS does not name the real Manager's scripts folder")
        if SCRIPTS:
            (Path(SCRIPTS) / "t.js").unlink(missing_ok=True)
            if text is not None:
                (Path(SCRIPTS) / "t.js").write_text(text)

    def close(self) -> None:
        self.script(None)
        if self.stand_in is not None and self.compiler is not None:
            self.stand_in.stop()
            self.compiler.close()

    def ask(self, method: str, path: str, body: bytes | None, content_type: str) -> tuple[int, Any]:
        request = urllib.request.Request(self.url + path, data=body, method=method)
        if content_type:
            request.add_header("Content-Type", content_type)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, _read(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _read(error.read())


def _read(body: bytes) -> Any:
    return json.loads(body) if body else ""


@pytest.fixture(scope="module")
def manager() -> Iterator[Manager]:
    made = Manager()
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
    return {**value, "message": value["message"].split(" at ")[0]} if "message" in value else value


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


@pytest.mark.parametrize("case", CASES, ids=[f"{n}-{c.get('label', c['path'])}" for n, c in enumerate(CASES)])
def test_an_observed_answer_holds(manager: Manager, case: dict[str, Any]) -> None:
    manager.script(script_of(case))
    job: dict[str, Any] = {}
    task = ""
    if _seen_id("/jobs/") in case["path"] or _seen_id("/tasks/") in case["path"]:
        _, job = manager.ask("POST", "/api/v3/jobs", json.dumps(JOB).encode(), "application/json")
        task = manager.ask("GET", f"/api/v3/jobs/{job['id']}/tasks", None, "")[1]["tasks"][0]["id"]
    if case.get("label") == "job after":
        cancel = {"status": "cancel-requested", "reason": "test"}
        manager.ask("POST", f"/api/v3/jobs/{job['id']}/setstatus", json.dumps(cancel).encode(), "application/json")
    body = case["body"]
    data = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
    status, answer = manager.ask(case["method"], path_of(case, job, task), data, case["content_type"])
    expected = case["response"]
    assert status == case["status"], answer
    if status >= 400:
        assert said(answer) == said(expected)
    elif "job_types" in (expected or ()):
        listed = {each["name"]: shape(each) for each in answer["job_types"]}
        assert "t" not in listed, "a script that throws is not listed"
        assert {"name", "label", "etag", "settings"} <= set(listed["echo-sleep-test"])
    else:
        assert comparable(answer) == comparable(expected)


# -- the client, against whichever Manager is there -----------------------------------------------------------------


def story(manager: Manager, tell: Any) -> None:
    async def told() -> None:
        client = ManagerClient(manager.url, Patience(request=30.0, tries=3, pause=0.05))
        try:
            await tell(client)
        finally:
            await client.close()

    manager.script(None)
    asyncio.run(told())


def test_the_client_submits_watches_orders_and_deletes(manager: Manager) -> None:
    async def tell(client: ManagerClient) -> None:
        assert (await client.version())["name"] == "Flamenco"
        assert "storageLocation" in await client.configuration()
        assert "blender" in await client.variables("workers", "linux")
        job_type = await client.job_type("echo-sleep-test")
        assert job_type["name"] in [each["name"] for each in await client.job_types()]
        body = {**JOB, "type_etag": job_type["etag"]}
        await client.check(body)
        key = f"client-suite/{os.getpid()}/{id(client)}"
        job = await client.submit(body, key)
        assert (await client.submit(body, key))["id"] == job["id"]
        assert (await client.job(job["id"]))["metadata"][DEDUPE_KEY] == key
        tasks = await client.tasks(job["id"])
        assert [task["name"] for task in tasks] == ["echo", "sleep"]
        assert (await client.task(tasks[0]["id"]))["commands"][0]["parameters"] == {"message": "hi"}
        assert await client.log_tail(tasks[0]["id"]) == ""
        assert await client.log_size(tasks[0]["id"]) is None
        assert await client.last_rendered(job["id"]) is None
        await client.set_priority(job["id"], 70)
        assert (await client.job(job["id"]))["priority"] == 70
        await client.set_job_status(job["id"], "cancel-requested", "suite")
        assert (await client.job(job["id"]))["status"] in ("cancel-requested", "canceled")
        await client.delete(job["id"])
        with pytest.raises(ManagerError, match="no such job"):
            await client.job(job["id"])

    story(manager, tell)


def test_an_outdated_job_type_is_refused_in_the_managers_words(manager: Manager) -> None:
    async def tell(client: ManagerClient) -> None:
        with pytest.raises(ManagerError, match="outdated") as refused:
            await client.check({**JOB, "type_etag": "0" * 40})
        assert refused.value.status == 412

    story(manager, tell)
