"""Client of a Flamenco Manager's REST interface (``/api/v3``).

Reads are repeated when the Manager is busy (503 with Retry-After, SQLite locked) or briefly unreachable. A submit is
never repeated blindly: the job carries a dedupe key in its metadata, which is looked for before any second try, and
looked for again afterwards: where another host was a moment earlier with the same key, its job stays.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import math
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urljoin
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger("signalbox.flamenco")

DEDUPE_KEY = "signalbox.dedupe"
Platform = Literal["linux", "windows", "darwin"]
_ABSENT = object()
#: What is relied on. Only texts must be there: objects may be null, and places are told since version 3.5.
_JOB: Mapping[str, type] = {"id": str, "status": str, "metadata": dict, "settings": dict}
_TASK: Mapping[str, type] = {"id": str, "status": str, "index_in_job": int, "worker": dict}
_ID = re.compile(r"[\w-]{1,200}", re.ASCII)
#: A Manager that asks to be left alone for a year is asked again after so many seconds.
_LONGEST_STILLNESS = 3600.0
#: A submit without an answer is looked for so often, in seconds.
_LOOK_SECONDS = 2.0
#: What a proxy says for a Manager that it does not reach.
_NOBODY_BEHIND = (502, 504)
#: What is served in place of a log or a picture by who has none.
_NO_FILE = ("text/html", "application/json")
#: A log is handed on in pieces of so many bytes.
_PIECE = 1 << 20


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
        unanswered: It was asked, and may still be at work on it.
    """

    def __init__(self, words: str, seconds: float | None = None, *, unanswered: bool = False) -> None:
        super().__init__(words)
        self.seconds = seconds
        self.unanswered = unanswered


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
        unanswered: A submit that was not answered in time may still be stored for so many seconds: until then it is
            looked for, and not sent again.
        largest: Bytes of one answer; whoever sends more is no Manager.
    """

    request: float = 30.0
    tries: int = 4
    pause: float = 0.5
    longest_pause: float = 30.0
    unanswered: float = 300.0
    largest: int = 64 << 20


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
        self._closed = False
        self._submits: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._unanswered: dict[str, float] = {}
        self._submitted: dict[str, float] = {}
        self._still_until = 0.0
        self._still_why = ""

    async def close(self) -> None:
        """Leave the Manager: what is asked from now on, or just now, is not answered."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    def http(self) -> aiohttp.ClientSession:
        """The session all requests (and the live socket) share. Raises ManagerUnreachable once it is closed."""
        import aiohttp  # here: who has no Manager does not pay 10 MB for it

        if self._closed:
            raise ManagerUnreachable(f"The Flamenco Manager at {self.url} is no longer asked.")
        if self._session is None:
            self._session = aiohttp.ClientSession()
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
        await self._order("POST", "/api/v3/jobs/check", "check the job", body=job, tries=1)

    async def submit(self, job: Mapping[str, Any], dedupe: str) -> dict[str, Any]:
        """Submit once: the job with this dedupe key, newly made or found there.

        Raises ManagerError (refused), ManagerUnreachable (in doubt: call again with the same key, or `find`).
        """
        marked = dict(job) | {"metadata": {**job.get("metadata", {}), DEDUPE_KEY: dedupe}}
        lock = self._submits.setdefault(dedupe, asyncio.Lock())
        async with lock:  # two threads of one process may be given the same key at once
            return await self._submit(marked, dedupe)

    async def _submit(self, marked: Mapping[str, Any], dedupe: str) -> dict[str, Any]:
        for attempt in range(self.patience.tries):
            found = await self.find(dedupe)
            if found is not None:
                return found
            asked = None
            try:
                return await self._first(await self._post(marked, dedupe), dedupe)
            except ManagerUnreachable as unreachable:
                asked = unreachable.seconds
                if unreachable.unanswered:
                    self._unanswered[dedupe] = time.monotonic() + self.patience.unanswered
            except ManagerNonsense:
                pass  # a half answer: the job may be there
            except asyncio.CancelledError:  # whoever asked waits no longer
                self._unanswered[dedupe] = time.monotonic() + self.patience.unanswered
                raise
            await self._rest(attempt, asked)
        found = await self.find(dedupe)
        if found is not None:
            return found
        raise ManagerUnreachable(
            f"The Flamenco Manager at {self.url} did not take the job in {self.patience.tries} tries."
        )

    async def _post(self, marked: Mapping[str, Any], dedupe: str) -> dict[str, Any]:
        try:
            words = f'take the job "{marked.get("name", "")}"'
            return self._shaped([await self._object("POST", "/api/v3/jobs", words, body=marked)], _JOB)[0]
        finally:
            self._submitted[dedupe] = time.monotonic() + self.patience.unanswered

    async def _first(self, made: dict[str, Any], dedupe: str) -> dict[str, Any]:
        """The job that stays of those with this key.

        The Manager knows no keys. Two hosts that look at the same moment both find none, and both submit; whoever is
        second sees both afterwards.
        """
        try:
            same = await self._with_key(dedupe)
            await self._take_back(same)
        except (ManagerError, ManagerUnreachable, ManagerNonsense) as error:
            log.warning(
                "the job %s is taken; whether another host submitted it too is not known yet: %s", dedupe, error
            )
            return made
        return min(same, key=_stored) if made["id"] in [job["id"] for job in same] else made

    def has_submitted(self, dedupe: str) -> bool:
        """Whether a job with this key was sent from here just now."""
        return dedupe in self._submitted

    async def look_for_doubles(self, jobs: Collection[dict[str, Any]]) -> None:
        """Take back what was submitted twice: by another host, or by this program before it was killed.

        A double may be stored long after the job, and that there is one could not always be seen at once.

        Args:
            jobs: All that the Manager has.

        Raises ManagerError, ManagerUnreachable, ManagerNonsense.
        """
        now = time.monotonic()
        self._submitted = {dedupe: until for dedupe, until in self._submitted.items() if until > now}
        self._unanswered = {dedupe: until for dedupe, until in self._unanswered.items() if until > now}
        same: dict[str, list[dict[str, Any]]] = {}
        for job in jobs if self._submitted else ():
            if (dedupe := _key(job)) in self._submitted:
                same.setdefault(dedupe, []).append(job)
        for each in same.values():
            await self._take_back(each)

    async def _take_back(self, same: Collection[dict[str, Any]]) -> None:
        """Of jobs with one key the one stored first stays, in whatever order the Manager lists them."""
        for double in sorted(same, key=_stored)[1:]:
            log.warning("the job %s is there twice: %s is deleted again", double["metadata"][DEDUPE_KEY], double["id"])
            try:
                await self._order("DELETE", f"/api/v3/jobs/{double['id']}", "delete a job", tries=self.patience.tries)
            except ManagerError as error:
                if error.status != 404:  # the other host was faster
                    raise

    async def find(self, dedupe: str) -> dict[str, Any] | None:
        """The job that carries a dedupe key, None when there is none.

        Raises ManagerUnreachable too while the Manager may still be at work on a submit that it did not answer.
        """
        if same := await self._with_key(dedupe):
            return min(same, key=_stored)
        left = self._unanswered.get(dedupe, 0.0) - time.monotonic()
        if left > 0:
            words = f"The Flamenco Manager at {self.url} did not answer in time, and may still be at work on the job."
            raise ManagerUnreachable(words, min(left, _LOOK_SECONDS))
        self._unanswered.pop(dedupe, None)
        return None

    async def _with_key(self, dedupe: str) -> list[dict[str, Any]]:
        return [job for job in await self.jobs() if _key(job) == dedupe]

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
        if not answer:
            return None
        facts = self._parsed(answer, dict)
        names = facts.get("suffixes")
        if not isinstance(facts.get("base"), str) or not isinstance(names, list) or not names:
            raise ManagerNonsense(f"The Manager at {self.url} told of a picture without an address.")
        return facts

    async def picture(self, job_id: str) -> bytes | None:
        """The job's last picture (JPEG), None while there is none."""
        facts = await self.last_rendered(job_id)
        if facts is None:
            return None
        answer = await self._answer("GET", f"{facts['base'].rstrip('/')}/{facts['suffixes'][0]}", "serve a picture")
        if answer.kind in _NO_FILE:
            raise ManagerNonsense(f"The Manager at {self.url} did not serve the picture it announced.")
        return answer.body

    async def download(self, path: str) -> bytes:
        """A file the Manager serves."""
        return await self._request("GET", path, "serve a file")

    # Orders

    async def set_job_status(self, job_id: str, status: str, reason: str) -> None:
        """``cancel-requested``, ``requeueing``, ``pause-requested``, ``queued``."""
        body = {"status": status, "reason": reason}
        await self._order("POST", f"/api/v3/jobs/{job_id}/setstatus", f"set a job to {status}", body=body)

    async def set_task_status(self, task_id: str, status: str, reason: str) -> None:
        """``queued`` requeues, ``canceled`` cancels."""
        body = {"status": status, "reason": reason}
        await self._order("POST", f"/api/v3/tasks/{task_id}/setstatus", f"set a task to {status}", body=body)

    async def set_priority(self, job_id: str, priority: int) -> None:
        """0 to 100."""
        body = {"priority": priority}
        await self._order("POST", f"/api/v3/jobs/{job_id}/setpriority", "set a job's priority", body=body)

    async def delete(self, job_id: str) -> None:
        await self._order("DELETE", f"/api/v3/jobs/{job_id}", "delete a job", tries=1)

    async def _order(
        self, method: str, path: str, what: str, *, body: Mapping[str, Any] | None = None, tries: int | None = None
    ) -> None:
        """An order that was carried out is answered with nothing (204): a proxy's page or an error is no answer."""
        answer = await self._request(method, path, what, body=body, tries=tries)
        if answer and "message" in self._parsed(answer, dict):
            raise ManagerNonsense(f"What answers at {self.url} is not a Flamenco Manager: it did not {what}.")

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
        size, url = facts.get("size"), facts.get("url")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0 or not isinstance(url, str) or not url:
            raise ManagerNonsense(f"The Manager at {self.url} told of a log without size or address.")
        return LogSize(size, url)

    async def log_end(self, task_id: str) -> bytes:
        """The end of a task's log as it is there, at most 2048 bytes."""
        answer = await self._answer("GET", f"/api/v3/tasks/{task_id}/logtail", "serve a task's log")
        if answer.body and answer.kind in _NO_FILE:
            raise ManagerNonsense(f"The Manager at {self.url} did not serve the end of a log.")
        return answer.body

    async def log_bytes(self, url: str, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """A log's bytes from ``start`` up to ``end`` in pieces, whether or not the Manager honours ranges.

        Raises ManagerNonsense when what comes cannot be that log (a proxy's page, less than was announced).
        """
        import aiohttp

        # A log of gigabytes may take its time, as long as it comes.
        timeout = aiohttp.ClientTimeout(total=None, connect=self.patience.request, sock_read=self.patience.request)
        headers = {"Range": f"bytes={start}-{end - 1}"} if start else {}
        nonsense = ManagerNonsense(f"The Manager at {self.url} did not serve the log it announced.")
        await self.be_still()
        async with self._response("GET", url, "serve a task's log", headers=headers, timeout=timeout) as response:
            if response.status >= 400:
                raise ManagerError("serve a task's log", response.status, "")
            if response.content_type in _NO_FILE:
                raise nonsense
            left, skip = end - start, 0 if response.status == 206 else start
            held = bytearray()
            while left and (chunk := await response.content.read(_PIECE)):
                skipped = min(skip, len(chunk))
                held += chunk[skipped : skipped + left]
                left -= min(left, len(chunk) - skipped)
                skip -= skipped
                if left and len(held) >= _PIECE:
                    yield bytes(held)
                    held.clear()
            if left:
                raise nonsense
            yield bytes(held)

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
                fits = isinstance(value, kind) or (value is None and kind is not str)
                if not fits or (key == "id" and not _ID.fullmatch(str(value))):
                    raise ManagerNonsense(f'The Manager at {self.url} sent a job or task with a strange "{key}".')
        return items

    def _parsed(self, body: bytes, expected: type[dict[str, Any]]) -> dict[str, Any]:
        try:
            value = json.loads(body)
        except (ValueError, RecursionError) as error:
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
        tries: int | None = None,
    ) -> _Answer:
        """One call with patience. Raises ManagerError, ManagerUnreachable after the last of ``tries``."""
        attempts = self.patience.tries if tries is None else tries
        await self.be_still()
        for attempt in range(attempts):
            try:
                answer = await self._once(method, path, what, body=body)
            except ManagerUnreachable as unreachable:
                if attempt == attempts - 1:
                    raise
                await self._rest(attempt, unreachable.seconds)
                continue
            if answer.status >= 300:
                raise ManagerError(what, answer.status, answer.elsewhere or _message(answer.body))
            return answer
        raise AssertionError("at least one attempt is made")

    async def _once(self, method: str, path: str, what: str, *, body: Mapping[str, Any] | None) -> _Answer:
        async with self._response(method, path, what, body=body) as response:
            content = bytearray()
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > self.patience.largest:
                    raise ManagerNonsense(f"What answers at {self.url} sends far more than a Flamenco Manager would.")
            location = response.headers.get("Location", "")
            elsewhere = f"it is sent on to {location}" if 300 <= response.status < 400 else ""
            return _Answer(response.status, bytes(content), response.content_type, elsewhere)

    @asynccontextmanager
    async def _response(
        self,
        method: str,
        path: str,
        what: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """What the Manager answers, as it comes. Raises ManagerUnreachable, ManagerNonsense."""
        import aiohttp

        address = urljoin(self.url + "/", path) if not path.startswith("/") else self.url + path
        # Sent on, a POST would become a GET, and its answer be taken for the order's.
        onward = method == "GET"
        limit = timeout or aiohttp.ClientTimeout(total=self.patience.request)
        session = self.http()
        try:
            async with session.request(
                method, address, json=body, headers=headers, allow_redirects=onward, timeout=limit
            ) as response:
                if response.status == 503:
                    seconds = retry_after(response.headers.get("Retry-After"))
                    self.leave_alone(seconds)
                    raise ManagerUnreachable(f"The Flamenco Manager at {self.url} is too busy to {what}.", seconds)
                if response.status in _NOBODY_BEHIND:
                    words = f"The Flamenco Manager behind {self.url} does not answer (HTTP {response.status})."
                    raise ManagerUnreachable(words, unanswered=response.status == 504)
                yield response
        except aiohttp.TooManyRedirects as error:
            raise ManagerNonsense(f"What answers at {self.url} sends every question on to another address.") from error
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            reason = type(error).__name__ if not str(error) else str(error)
            words = f"The Flamenco Manager at {self.url} does not answer ({reason})."
            raise ManagerUnreachable(words, unanswered=isinstance(error, TimeoutError)) from error

    def leave_alone(self, seconds: float | None) -> None:
        """Nothing is asked of the Manager for so long: it said so (Retry-After)."""
        if seconds is not None and time.monotonic() + seconds > self._still_until:
            self._still_until = time.monotonic() + seconds
            self._still_why = self._too_busy(seconds)

    async def be_still(self) -> None:
        """Wait for as long as the Manager asked for before. Raises ManagerUnreachable where that is long."""
        while (left := self._still_until - time.monotonic()) > 0:
            if left > self.patience.longest_pause:
                raise ManagerUnreachable(self._still_why, left)
            await asyncio.sleep(left)

    def _too_busy(self, seconds: float) -> str:
        return f"The Flamenco Manager at {self.url} is too busy and asks to come back in {seconds:g} s."

    async def _rest(self, attempt: int, asked: float | None) -> None:
        """Wait before the next attempt: as long as the Manager asked for, else longer each time."""
        if asked is not None and asked > self.patience.longest_pause:
            raise ManagerUnreachable(self._too_busy(asked), asked)
        own = min(self.patience.longest_pause, self.patience.pause * 2**attempt)
        await asyncio.sleep(own if asked is None else asked)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back: HTTP status, body, content type; in words where it is sent on to."""

    status: int
    body: bytes
    kind: str
    elsewhere: str = ""


def _key(job: Mapping[str, Any]) -> str:
    """A job's dedupe key, "" where it has none or is on its way out."""
    return "" if job.get("delete_requested_at") else str((job.get("metadata") or {}).get(DEDUPE_KEY, ""))


def _stored(job: Mapping[str, Any]) -> tuple[float, str]:
    """When a job was stored, by the Manager's own clock (UTC epoch seconds), and its id where two have one moment."""
    try:
        moment = dt.datetime.fromisoformat(str(job.get("created")).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        moment = math.inf
    return moment, str(job["id"])


def retry_after(text: str | None) -> float | None:
    """Retry-After: seconds, or a date (RFC 9110, 10.2.3); None where it is neither."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        if moment.tzinfo is None:
            return None
        seconds = (moment - dt.datetime.now(dt.UTC)).total_seconds()
    return None if math.isnan(seconds) else min(max(0.0, seconds), _LONGEST_STILLNESS)


def _message(body: bytes) -> str:
    """The Manager's reason out of its error object, else the start of what it sent."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body[:200].decode("utf-8", "replace").strip()
    return str(value.get("message", "")) if isinstance(value, dict) else str(value)[:200]
