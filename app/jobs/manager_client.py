"""Client of a Flamenco Manager's REST interface (``/api/v3``).

Reads are repeated when the Manager is busy (503 with Retry-After, SQLite locked) or briefly unreachable. A submit is
never repeated blindly: the job carries a dedupe key in its metadata, which is looked for before any second try.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urljoin

import aiohttp

DEDUPE_KEY = "signalbox.dedupe"
_FINAL_JOB = frozenset({"completed", "failed", "canceled", "paused"})
Platform = Literal["linux", "windows", "darwin"]


class ManagerError(Exception):
    """The Manager refused. The text is fit for a person.

    Attributes:
        status: HTTP status.
        message: The Manager's own words.
    """

    def __init__(self, what: str, status: int, message: str) -> None:
        super().__init__(f"The Flamenco Manager refused to {what}: {message or 'no reason given'} (HTTP {status}).")
        self.status = status
        self.message = message


class ManagerUnreachable(Exception):
    """No answer: not running, wrong address, network down. Worth another try later."""


class ManagerNonsense(Exception):
    """Something answered that does not speak the Manager's language (a proxy's page, a cut answer)."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the client bears with a Manager.

    Attributes:
        request: Seconds for one answer.
        tries: Attempts of a read.
        pause: Seconds between attempts where the Manager does not say; doubled each time.
        longest_pause: Upper bound of a pause, also of what Retry-After asks for.
    """

    request: float = 30.0
    tries: int = 4
    pause: float = 0.5
    longest_pause: float = 30.0


@dataclass(frozen=True, slots=True)
class LogSize:
    """Size in bytes and address of a task's whole log."""

    size: int
    url: str


class ManagerClient:
    """One Manager. Use from one asyncio loop; ``await close()`` when done."""

    def __init__(self, url: str, patience: Patience | None = None) -> None:
        self.url = url.rstrip("/")
        self.patience = patience or Patience()
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def http(self) -> aiohttp.ClientSession:
        """The session all requests (and the live socket) share."""
        if self._session is None or self._session.closed:
            timeout = aiohttp.ClientTimeout(total=self.patience.request)
            self._session = aiohttp.ClientSession(timeout=timeout)
        return self._session

    # What the Manager is

    async def version(self) -> dict[str, Any]:
        """``{"name", "shortversion", "version", "git"}``."""
        return await self._object("GET", "/api/v3/version", "tell its version")

    async def configuration(self) -> dict[str, Any]:
        """``{"isFirstRun", "shamanEnabled", "storageLocation"}``."""
        return await self._object("GET", "/api/v3/configuration", "tell its configuration")

    async def variables(self, audience: Literal["workers", "users"], platform: Platform) -> dict[str, dict[str, Any]]:
        """Name to ``{"value", "is_twoway"}``."""
        return await self._object("GET", f"/api/v3/configuration/variables/{audience}/{platform}", "tell its variables")

    async def job_types(self) -> list[dict[str, Any]]:
        return await self._list("/api/v3/jobs/types", "job_types", "list its job types")

    async def job_type(self, name: str) -> dict[str, Any]:
        return await self._object("GET", f"/api/v3/jobs/type/{quote(name, safe='')}", f'tell of the job type "{name}"')

    # Jobs

    async def check(self, job: Mapping[str, Any]) -> None:
        """Let the Manager compile a job without storing it. Raises ManagerError with its words."""
        await self._request("POST", "/api/v3/jobs/check", "check the job", body=job, tries=1)

    async def submit(self, job: Mapping[str, Any], dedupe: str) -> dict[str, Any]:
        """Submit once: the job with this dedupe key, newly made or found there.

        Raises ManagerError (refused), ManagerUnreachable (in doubt: call again with the same key, or `find`).
        """
        found = await self.find(dedupe)
        if found is not None:
            return found
        marked = dict(job) | {"metadata": {**job.get("metadata", {}), DEDUPE_KEY: dedupe}}
        for attempt in range(self.patience.tries):
            try:
                return await self._object("POST", "/api/v3/jobs", f'take the job "{job.get("name", "")}"', body=marked)
            except _Busy as busy:
                # 503 before the job was stored; it is looked for all the same.
                await asyncio.sleep(self._pause(attempt, busy.retry_after))
            except (ManagerUnreachable, ManagerNonsense):
                await asyncio.sleep(self._pause(attempt, None))
            found = await self.find(dedupe)
            if found is not None:
                return found
        raise ManagerUnreachable(
            f"The Flamenco Manager at {self.url} did not take the job in {self.patience.tries} tries."
        )

    async def find(self, dedupe: str) -> dict[str, Any] | None:
        """The job that carries a dedupe key, None when there is none."""
        for job in await self.jobs():
            if (job.get("metadata") or {}).get(DEDUPE_KEY) == dedupe:
                return job
        return None

    async def jobs(self) -> list[dict[str, Any]]:
        return await self._list("/api/v3/jobs", "jobs", "list its jobs")

    async def job(self, job_id: str) -> dict[str, Any]:
        return await self._object("GET", f"/api/v3/jobs/{job_id}", "tell of a job")

    async def tasks(self, job_id: str) -> list[dict[str, Any]]:
        """Summaries: id, name, status, index_in_job, priority, task_type, updated, worker, steps."""
        return await self._list(f"/api/v3/jobs/{job_id}/tasks", "tasks", "list a job's tasks")

    async def task(self, task_id: str) -> dict[str, Any]:
        return await self._object("GET", f"/api/v3/tasks/{task_id}", "tell of a task")

    async def last_rendered(self, job_id: str) -> dict[str, Any] | None:
        """``{"base", "suffixes"}`` of the job's last picture, None while there is none."""
        answer = await self._request("GET", f"/api/v3/jobs/{job_id}/last-rendered", "tell of a job's last picture")
        return self._parsed(answer, dict) if answer else None

    async def download(self, path: str) -> bytes:
        """A file the Manager serves (a preview picture)."""
        return await self._request("GET", path, "serve a file")

    # Orders

    async def set_job_status(self, job_id: str, status: str, reason: str) -> None:
        """``cancel-requested``, ``requeueing``, ``pause-requested``, ``queued``."""
        await self._order(
            f"/api/v3/jobs/{job_id}/setstatus", {"status": status, "reason": reason}, f"set a job to {status}"
        )

    async def set_task_status(self, task_id: str, status: str, reason: str) -> None:
        """``queued`` requeues, ``canceled`` cancels."""
        what = f"set a task to {status}"
        await self._order(f"/api/v3/tasks/{task_id}/setstatus", {"status": status, "reason": reason}, what)

    async def set_priority(self, job_id: str, priority: int) -> None:
        """0 to 100."""
        await self._order(f"/api/v3/jobs/{job_id}/setpriority", {"priority": priority}, "set a job's priority")

    async def delete(self, job_id: str) -> None:
        await self._request("DELETE", f"/api/v3/jobs/{job_id}", "delete a job", tries=1)

    async def _order(self, path: str, body: Mapping[str, Any], what: str) -> None:
        await self._request("POST", path, what, body=body, tries=self.patience.tries)

    # Logs

    async def log_tail(self, task_id: str) -> str:
        """The last 2048 bytes of a task's log as text, "" while there is none."""
        answer = await self._request("GET", f"/api/v3/tasks/{task_id}/logtail", "serve a task's log")
        return answer.decode("utf-8", "replace")

    async def log_size(self, task_id: str) -> LogSize | None:
        """Where the whole log is and how large; None while there is none."""
        answer = await self._request("GET", f"/api/v3/tasks/{task_id}/log", "tell of a task's log")
        if not answer:
            return None
        facts = self._parsed(answer, dict)
        try:
            return LogSize(int(facts["size"]), str(facts["url"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ManagerNonsense(f"The Manager at {self.url} told of a log without size or address.") from error

    async def log_bytes(self, url: str, start: int, end: int) -> bytes:
        """A log's bytes from ``start`` up to ``end``, whether or not the Manager honours ranges.

        Raises ManagerNonsense when what came cannot be that log (a proxy's page, less than was announced).
        """
        headers = {"Range": f"bytes={start}-"} if start else {}
        status, body, kind = await self._raw("GET", url, "serve a task's log", headers=headers)
        data = body[: end - start] if status == 206 or not start else body[start:end]
        if status >= 400 or kind == "text/html" or len(data) < end - start:
            raise ManagerNonsense(f"The Manager at {self.url} did not serve the log it announced.")
        return data

    # One request

    async def _object(
        self, method: str, path: str, what: str, *, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        tries = 1 if method == "POST" else None
        return self._parsed(await self._request(method, path, what, body=body, tries=tries), dict)

    async def _list(self, path: str, key: str, what: str) -> list[dict[str, Any]]:
        answer = self._parsed(await self._request("GET", path, what), dict).get(key)
        if answer is None:
            return []
        if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
            raise ManagerNonsense(f'The Manager at {self.url} sent no list of "{key}".')
        return answer

    def _parsed(self, body: bytes, expected: type[dict[str, Any]]) -> dict[str, Any]:
        try:
            value = json.loads(body)
        except ValueError as error:
            raise ManagerNonsense(f"What answers at {self.url} is not a Flamenco Manager (no JSON).") from error
        if not isinstance(value, expected):
            raise ManagerNonsense(f"What answers at {self.url} is not a Flamenco Manager (unexpected JSON).")
        return value

    async def _request(
        self, method: str, path: str, what: str, *, body: Mapping[str, Any] | None = None, tries: int | None = None
    ) -> bytes:
        """One call with patience. ``tries=1``: a 503 is raised as _Busy for the caller to weigh."""
        attempts = self.patience.tries if tries is None else tries
        for attempt in range(attempts):
            last = attempt == attempts - 1
            try:
                status, answer, _ = await self._raw(method, path, what, body=body)
            except ManagerUnreachable:
                if last:
                    raise
                await asyncio.sleep(self._pause(attempt, None))
                continue
            except _Busy as busy:
                if attempts == 1:
                    raise
                if last:
                    raise ManagerUnreachable(f"The Flamenco Manager at {self.url} is too busy to {what}.") from busy
                await asyncio.sleep(self._pause(attempt, busy.retry_after))
                continue
            if status >= 400:
                raise ManagerError(what, status, _message(answer))
            return answer
        raise AssertionError("at least one attempt is made")

    async def _raw(
        self,
        method: str,
        path: str,
        what: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes, str]:
        address = urljoin(self.url + "/", path) if not path.startswith("/") else self.url + path
        try:
            async with self.http().request(method, address, json=body, headers=headers) as response:
                answer = await response.read()
                if response.status == 503:
                    raise _Busy(what, _seconds(response.headers.get("Retry-After")))
                return response.status, answer, response.content_type
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            reason = type(error).__name__ if not str(error) else str(error)
            raise ManagerUnreachable(f"The Flamenco Manager at {self.url} does not answer ({reason}).") from error

    def _pause(self, attempt: int, asked: float | None) -> float:
        return min(self.patience.longest_pause, asked if asked is not None else self.patience.pause * 2**attempt)


class _Busy(ManagerUnreachable):
    """503: the Manager asks to come back later."""

    def __init__(self, what: str, retry_after: float | None) -> None:
        super().__init__(f"The Flamenco Manager is too busy to {what}.")
        self.retry_after = retry_after


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None


def _message(body: bytes) -> str:
    """The Manager's reason out of its error object, else the start of what it sent."""
    try:
        value = json.loads(body)
    except ValueError:
        return body[:200].decode("utf-8", "replace").strip()
    return str(value.get("message", "")) if isinstance(value, dict) else str(value)[:200]


def is_final(job: Mapping[str, Any]) -> bool:
    """Whether a job rests: nothing will happen to it until a person acts."""
    return job.get("status") in _FINAL_JOB


def with_dependencies(tasks: Sequence[dict[str, Any]], compiled: Sequence[Sequence[int]]) -> list[dict[str, Any]]:
    """Tasks of the Manager with the dependencies of the local compile, which its REST interface never gives.

    ``compiled`` holds for each task, in the job's order, the indices (from 0) of those it depends on. Nothing is added
    when the numbers of tasks differ: then it was another script.
    """
    ordered = sorted(tasks, key=lambda task: int(task.get("index_in_job", 0)))
    if len(ordered) != len(compiled):
        return ordered
    ids = [task["id"] for task in ordered]
    return [task | {"dependencies": [ids[i] for i in needs]} for task, needs in zip(ordered, compiled, strict=True)]
