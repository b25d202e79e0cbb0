"""Client of a Flamenco Manager's REST interface (``/api/v3``).

Reads are repeated when the Manager is busy (503 with Retry-After, SQLite locked) or briefly unreachable. A submit is
never repeated blindly: the job carries a dedupe key in its metadata, which is looked for before any second try.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urljoin

if TYPE_CHECKING:
    import aiohttp

DEDUPE_KEY = "signalbox.dedupe"
Platform = Literal["linux", "windows", "darwin"]
_ABSENT = object()
#: What is relied on. Only texts must be there: objects may be null, and places are told since version 3.5.
_JOB: Mapping[str, type] = {"id": str, "status": str, "metadata": dict, "settings": dict}
_TASK: Mapping[str, type] = {"id": str, "status": str, "index_in_job": int, "worker": dict}


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
    """No answer: not running, wrong address, network down, too busy. Worth another try later.

    Attributes:
        seconds: How long the Manager asked to be left alone, None where it said nothing.
    """

    def __init__(self, words: str, seconds: float | None = None) -> None:
        super().__init__(words)
        self.seconds = seconds


class ManagerNonsense(Exception):
    """Something answered that does not speak the Manager's language (a proxy's page, a cut answer)."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the client bears with a Manager.

    Attributes:
        request: Seconds for one answer.
        tries: Attempts of a read.
        pause: Seconds between attempts where the Manager does not say; doubled each time.
        longest_pause: Upper bound of a pause. A Manager that asks for more is given up for now: never asked earlier.
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
        import aiohttp  # here: who has no Manager does not pay 10 MB for it

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
        marked = dict(job) | {"metadata": {**job.get("metadata", {}), DEDUPE_KEY: dedupe}}
        for attempt in range(self.patience.tries):
            found = await self.find(dedupe)
            if found is not None:
                return found
            asked = None
            try:
                made = await self._object("POST", "/api/v3/jobs", f'take the job "{job.get("name", "")}"', body=marked)
                return self._shaped([made], _JOB)[0]
            except ManagerUnreachable as unreachable:
                asked = unreachable.seconds
            except ManagerNonsense:
                pass  # a half answer: the job may be there
            await self._rest(attempt, asked)
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
        return self._shaped(await self._list("/api/v3/jobs", "jobs", "list its jobs"), _JOB)

    async def job(self, job_id: str) -> dict[str, Any]:
        return await self._object("GET", f"/api/v3/jobs/{job_id}", "tell of a job")

    async def tasks(self, job_id: str) -> list[dict[str, Any]]:
        """Summaries: id, name, status, index_in_job, priority, task_type, updated, worker, steps."""
        return self._shaped(await self._list(f"/api/v3/jobs/{job_id}/tasks", "tasks", "list a job's tasks"), _TASK)

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
        answer = await self._answer("GET", url, "serve a task's log", headers=headers)
        data = answer.body[: end - start] if answer.status == 206 or not start else answer.body[start:end]
        if answer.kind == "text/html" or len(data) < end - start:
            raise ManagerNonsense(f"The Manager at {self.url} did not serve the log it announced.")
        return data

    # One request

    async def _object(
        self, method: str, path: str, what: str, *, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        tries = 1 if method == "POST" else None
        return self._parsed(await self._request(method, path, what, body=body, tries=tries), dict)

    async def _list(self, path: str, key: str, what: str) -> list[dict[str, Any]]:
        answer = self._parsed(await self._request("GET", path, what), dict).get(key, _ABSENT)
        if answer is None:
            return []  # Go's empty list
        if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
            raise ManagerNonsense(f'The Manager at {self.url} sent no list of "{key}".')
        return answer

    def _shaped(self, items: list[dict[str, Any]], shape: Mapping[str, type]) -> list[dict[str, Any]]:
        """Jobs or tasks that have what the program relies on. Raises ManagerNonsense."""
        for item in items:
            for key, kind in shape.items():
                value = item.get(key)
                if not (isinstance(value, kind) or (value is None and kind is not str)):
                    raise ManagerNonsense(f'The Manager at {self.url} sent a job or task with a strange "{key}".')
        return items

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
        return (await self._answer(method, path, what, body=body, tries=tries)).body

    async def _answer(
        self,
        method: str,
        path: str,
        what: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        tries: int | None = None,
    ) -> _Answer:
        """One call with patience. Raises ManagerError, ManagerUnreachable after the last of ``tries``."""
        attempts = self.patience.tries if tries is None else tries
        for attempt in range(attempts):
            try:
                answer = await self._once(method, path, what, body=body, headers=headers)
            except ManagerUnreachable as unreachable:
                if attempt == attempts - 1:
                    raise
                await self._rest(attempt, unreachable.seconds)
                continue
            if answer.status >= 400:
                raise ManagerError(what, answer.status, _message(answer.body))
            return answer
        raise AssertionError("at least one attempt is made")

    async def _once(
        self, method: str, path: str, what: str, *, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None
    ) -> _Answer:
        import aiohttp

        address = urljoin(self.url + "/", path) if not path.startswith("/") else self.url + path
        try:
            async with self.http().request(method, address, json=body, headers=headers) as response:
                content = await response.read()
                if response.status == 503:
                    words = f"The Flamenco Manager at {self.url} is too busy to {what}."
                    raise ManagerUnreachable(words, _seconds(response.headers.get("Retry-After")))
                return _Answer(response.status, content, response.content_type)
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            reason = type(error).__name__ if not str(error) else str(error)
            raise ManagerUnreachable(f"The Flamenco Manager at {self.url} does not answer ({reason}).") from error

    async def _rest(self, attempt: int, asked: float | None) -> None:
        """Wait before the next attempt: as long as the Manager asked for, else longer each time."""
        if asked is not None and asked > self.patience.longest_pause:
            raise ManagerUnreachable(
                f"The Flamenco Manager at {self.url} is too busy and asks to come back in {asked:g} s.", asked
            )
        own = min(self.patience.longest_pause, self.patience.pause * 2**attempt)
        await asyncio.sleep(own if asked is None else asked)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back: HTTP status, body, content type."""

    status: int
    body: bytes
    kind: str


def _seconds(text: str | None) -> float | None:
    """Retry-After: seconds, or a date (RFC 9110, 10.2.3); None where it is neither."""
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment - dt.datetime.now(dt.UTC)).total_seconds()) if moment.tzinfo else None


def _message(body: bytes) -> str:
    """The Manager's reason out of its error object, else the start of what it sent."""
    try:
        value = json.loads(body)
    except ValueError:
        return body[:200].decode("utf-8", "replace").strip()
    return str(value.get("message", "")) if isinstance(value, dict) else str(value)[:200]
