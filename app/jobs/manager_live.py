"""What a Manager's jobs, tasks and logs are now: its Socket.IO as wake-up call, its REST interface as truth.

The Manager speaks Socket.IO protocol 2.x (Engine.IO 3), websocket only; the client must ping at least every 60 s.
Updates carry only parts of an object and are lost while the line is down, so each one only says *what* to look at
again; after every (re)connect everything is read anew, and from time to time without any reason. The log of a task is
followed by its size in bytes, which makes gaps and doubles impossible whoever announced the news.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import aiohttp

from app.jobs.manager_client import ManagerClient, ManagerError, ManagerNonsense, ManagerUnreachable, retry_after

log = logging.getLogger("signalbox.flamenco")


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Times in seconds.

    Attributes:
        ping: Between pings.
        silence: A line on which nothing came for so long is given up.
        reconnect: Pause before the line is tried again; doubled each time.
        longest_reconnect: Its upper bound.
        resync: Everything is read again so often, whatever was heard.
        poll: The same while the line is down; and for more of a followed log.
        breath: Between two reads: a storm of updates is read once, and the Manager's database is not kept busy.
        rest: A job that has ended is looked at for so long after its last news, which may be of its tasks. Longer than
            `resync`, so that these are read once more whatever was lost.
    """

    ping: float = 20.0
    silence: float = 70.0
    reconnect: float = 1.0
    longest_reconnect: float = 15.0
    resync: float = 20.0
    poll: float = 1.0
    breath: float = 0.25
    rest: float = 60.0


@dataclass(slots=True)
class Mirror:
    """The Manager's state as last read.

    Attributes:
        connected: Whether the live line is up.
        problem: Why not, in words.
        trouble: Why jobs and tasks could not be read the last time, "" where they were.
        jobs: Jobs by id.
        tasks: Tasks by job id, in the job's order, for jobs that are watched.
        read: Whether the jobs have been read, and the listener told of them.
        asked_at: When the jobs were asked for (monotonic seconds): what was submitted later may be missing.
    """

    connected: bool = False
    problem: str = ""
    trouble: str = ""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    read: bool = False
    asked_at: float = 0.0


#: Frames that end the line: of the transport, of the namespace that news come in.
_GOODBYE = ("1", "41")

Listener = Callable[[Literal["jobs", "tasks", "connection"], str], None]


class ManagerLive:
    """Keeps a Mirror up to date and follows logs, for ever, until `stop`."""

    def __init__(self, client: ManagerClient, listener: Listener, rhythm: Rhythm | None = None) -> None:
        self.mirror = Mirror()
        self._client = client
        self._listener = listener
        self._rhythm = rhythm or Rhythm()
        self._stale_jobs = asyncio.Event()
        self._stale_tasks: set[str] = set()
        self._reading = ""
        self._all_read = time.monotonic()
        self._watched: set[str] = set()
        self._logs: dict[str, LogFollower] = {}
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._runners: list[asyncio.Task[None]] = []

    def keep_time(self, rhythm: Rhythm) -> None:
        """Go on with other times; logs that are followed keep theirs."""
        self._rhythm = rhythm

    def start(self) -> None:
        """Start listening and reading on the running loop."""
        loop = asyncio.get_running_loop()
        self._runners = [loop.create_task(self._listen()), loop.create_task(self._read())]

    async def stop(self) -> None:
        """End every task of this object; the client stays open."""
        for follower in list(self._logs.values()):
            await follower.stop()
        self._logs.clear()
        for runner in self._runners:
            await ended(runner)
        self._runners = []

    async def watch_job(self, job_id: str) -> None:
        """Keep a job's tasks up to date too."""
        self._watched.add(job_id)
        self._stale_tasks.add(job_id)
        self._stale_jobs.set()
        await self._subscribe("subscribe", "job", job_id)

    def tasks_as_read(self, job_id: str) -> list[dict[str, Any]] | None:
        """The tasks of a watched job; None while they are to be read (again), or are being read."""
        return None if job_id in self._stale_tasks or job_id == self._reading else self.mirror.tasks.get(job_id)

    async def leave_job(self, job_id: str) -> None:
        self._watched.discard(job_id)
        self.mirror.tasks.pop(job_id, None)
        await self._subscribe("unsubscribe", "job", job_id)

    async def follow_log(self, task_id: str, sink: LogSink) -> None:
        """Bring a task's log to ``sink``: all of it, then each addition, until `leave_log`."""
        await self.leave_log(task_id)
        self._logs[task_id] = LogFollower(self._client, task_id, sink, self._rhythm.poll)
        self._logs[task_id].start()
        await self._subscribe("subscribe", "tasklog", task_id)

    async def leave_log(self, task_id: str) -> None:
        follower = self._logs.pop(task_id, None)
        if follower is not None:
            await follower.stop()
            await self._subscribe("unsubscribe", "tasklog", task_id)

    # The live line

    async def _listen(self) -> None:
        """Connect for ever, with growing pauses."""
        failures = 0
        while True:
            try:
                await self._client.be_still()
                await self._connection()
                failures = 0
            except (aiohttp.ClientError, OSError, ManagerUnreachable, ManagerNonsense, ValueError) as error:
                failures += 1
                if isinstance(error, aiohttp.WSServerHandshakeError) and error.status == 503 and error.headers:
                    self._client.leave_alone(retry_after(error.headers.get("Retry-After")))
                self._tell_connection(False, f"no live line to {self._client.url}: {error or type(error).__name__}")
            except Exception as error:
                failures += 1
                log.exception("the live line to %s failed, it is tried again", self._client.url)
                self._tell_connection(False, f"no live line to {self._client.url}: {type(error).__name__}")
            await asyncio.sleep(min(self._rhythm.longest_reconnect, self._rhythm.reconnect * 2 ** min(failures, 6)))

    async def _connection(self) -> None:
        """One life of the socket: handshake, subscriptions, pings, events."""
        address = self._client.url.replace("http", "ws", 1) + "/socket.io/?EIO=3&transport=websocket"
        # A handshake has no time-out of its own.
        calling = self._client.http().ws_connect(address, timeout=aiohttp.ClientWSTimeout(ws_close=2.0))
        async with await asyncio.wait_for(calling, self._client.patience.request) as socket:
            self._socket = socket
            pings = asyncio.get_running_loop().create_task(self._ping(socket))
            try:
                while True:
                    message = await asyncio.wait_for(socket.receive(), self._rhythm.silence)
                    if message.type is not aiohttp.WSMsgType.TEXT or str(message.data).startswith(_GOODBYE):
                        self._tell_connection(False, "the Manager closed the live line")
                        return
                    await self._frame(str(message.data))
            finally:
                self._socket = None
                pings.cancel()

    async def _ping(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while not socket.closed:
            await asyncio.sleep(self._rhythm.ping)
            with suppress(ConnectionError, aiohttp.ClientError):
                await socket.send_str("2")

    async def _frame(self, text: str) -> None:
        """One Engine.IO frame: "40" connected, "42[...]" an event; pongs and acks need nothing."""
        if text.startswith("40"):
            for kind in ("allJobs", "allLastRendered"):
                await self._subscribe("subscribe", kind, None)
            for job_id in list(self._watched):
                await self._subscribe("subscribe", "job", job_id)
            for task_id in list(self._logs):
                await self._subscribe("subscribe", "tasklog", task_id)
            self._tell_connection(True, "")
            self._stale_tasks |= self._watched
            self._stale_jobs.set()
        elif text.startswith("42"):
            try:
                payload = json.loads(text[2:])
            except (ValueError, RecursionError) as error:
                raise ManagerNonsense("what it says cannot be understood") from error
            if isinstance(payload, list) and payload:
                self._event(str(payload[0]), payload[1] if len(payload) > 1 else {})

    def _event(self, name: str, data: Any) -> None:
        """Look again at what an update is about; nothing else of it is believed."""
        facts: Mapping[str, Any] = data if isinstance(data, dict) else {}
        job = str(facts.get("id" if name == "/jobs" else "job_id", ""))
        if name in ("/jobs", "/task"):
            self._stale_tasks |= {job} & self._watched
            self._stale_jobs.set()
        elif name == "/last-rendered" and job:
            self._listener("jobs", job)
        follower = self._logs.get(str(facts.get("task_id" if name == "/tasklog" else "id", "")))
        if follower is not None:
            follower.wake()

    async def _subscribe(self, order: str, kind: str, identifier: str | None) -> None:
        socket = self._socket
        if socket is None or socket.closed:
            return
        request: dict[str, Any] = {"op": order, "type": kind}
        if identifier is not None:
            request["uuid"] = identifier
        with suppress(ConnectionError, aiohttp.ClientError):
            await socket.send_str("420" + json.dumps(["/subscription", request]))

    def _tell_connection(self, connected: bool, problem: str) -> None:
        if (connected, problem) != (self.mirror.connected, self.mirror.problem):
            self.mirror.connected, self.mirror.problem = connected, problem
            if problem:
                log.warning("%s; trying again", problem)
            self._tell(problem)

    def _tell(self, words: str) -> None:
        """Whoever cannot take what is told of line and trouble ends neither the line nor the reading."""
        try:
            self._listener("connection", words)
        except Exception:
            log.exception("what is told of %s could not be taken", self._client.url)

    # The truth

    async def _read(self) -> None:
        """Read again whatever was announced as stale; everything from time to time, however much is announced."""
        while True:
            wait = self._rhythm.resync if self.mirror.connected else self._rhythm.poll
            left = self._all_read + wait - time.monotonic()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stale_jobs.wait(), left)
            self._stale_jobs.clear()
            whole = time.monotonic() - self._all_read >= wait
            if whole:
                self._stale_tasks |= self._watched
            try:
                await self._read_jobs()
                await self._read_tasks()
            except (ManagerError, ManagerUnreachable, ManagerNonsense) as error:
                await self._not_read(str(error))
            except Exception as error:
                log.exception("reading the Manager's jobs failed, they are read again")
                await self._not_read(f"what the Manager tells cannot be used ({type(error).__name__})")
            else:
                self._tell_trouble("")
                await asyncio.sleep(self._rhythm.breath)
            if whole:
                self._all_read = time.monotonic()

    async def _not_read(self, why: str) -> None:
        """All of it again, a moment later."""
        self._tell_trouble(why)
        self._stale_jobs.set()
        await asyncio.sleep(self._rhythm.reconnect)

    def _tell_trouble(self, why: str) -> None:
        """Once, not for a whole night."""
        if why != self.mirror.trouble:
            self.mirror.trouble = why
            if why:
                log.warning("%s", why)
            self._tell(why)

    async def _read_jobs(self) -> None:
        asked_at = time.monotonic()
        jobs = {job["id"]: job for job in await self._client.jobs()}
        self.mirror.asked_at = asked_at
        if jobs != self.mirror.jobs or not self.mirror.read:
            known = self.mirror.jobs
            # What changed may have other tasks too, and so may what is gone, should it come back.
            self._stale_tasks |= {each for each in self._watched if known.get(each) != jobs.get(each)}
            for job_id in set(known) - set(jobs):
                self.mirror.tasks.pop(job_id, None)
            self.mirror.jobs, self.mirror.read = jobs, False
            self._listener("jobs", "")
            self.mirror.read = True

    async def _read_tasks(self) -> None:
        """What gets stale meanwhile is for the next round: in a storm of updates a job would be read without end.

        A job of which the Manager tells nothing of use keeps no other from being read.
        """
        self._stale_tasks &= self._watched
        problem: ManagerError | ManagerNonsense | None = None
        for job_id in self._stale_tasks & set(self.mirror.jobs):
            self._stale_tasks.discard(job_id)
            self._reading = job_id
            try:
                tasks = await self._client.tasks(job_id)
            except ManagerError as error:
                if error.status == 404:
                    self.mirror.tasks.pop(job_id, None)
                    continue
                problem = error
            except ManagerNonsense as error:
                problem = error
            except ManagerUnreachable:
                self._stale_tasks.add(job_id)
                raise
            else:
                self._take_tasks(job_id, tasks)
                continue
            finally:
                self._reading = ""
            self._stale_tasks.add(job_id)
        if problem is not None:
            raise problem

    def _take_tasks(self, job_id: str, tasks: list[dict[str, Any]]) -> None:
        tasks.sort(key=lambda task: int(task.get("index_in_job") or 0))
        if tasks != self.mirror.tasks.get(job_id) and job_id in self._watched:
            self.mirror.tasks[job_id] = tasks
            self._listener("tasks", job_id)


async def ended(task: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended.

    Once is not enough: in Python 3.11 ``asyncio.wait_for`` loses a cancellation that arrives together with the result
    it waits for, and the task's loop goes on.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.2)
    if not task.cancelled() and (error := task.exception()) is not None:
        log.debug("a task of the Manager's line ended with %s: %s", type(error).__name__, error)


class LogSink(Protocol):
    """Receives a log."""

    def restart(self) -> None:
        """The log became shorter (rotated, task requeued): what was received is void."""

    def text(self, text: str) -> None:
        """The next piece of the log."""


#: So many bytes before the new ones are fetched again, to see that it is still the same log.
_OVERLAP = 256


class LogFollower:
    """Follows one task's log by its size in bytes; what is fetched overlaps what is there, and must agree with it."""

    def __init__(self, client: ManagerClient, task_id: str, sink: LogSink, poll: float) -> None:
        self._client = client
        self._task_id = task_id
        self._sink = sink
        self._poll = poll
        self._at = 0
        self._last = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._news = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._runner = asyncio.get_running_loop().create_task(self._run())

    def wake(self) -> None:
        """Somebody says there is more."""
        self._news.set()

    async def stop(self) -> None:
        if self._runner is not None:
            await ended(self._runner)
            self._runner = None

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except (ManagerError, ManagerUnreachable, ManagerNonsense) as error:
                log.debug("log of task %s: %s", self._task_id, error)
            except Exception:
                log.exception("following the log of task %s failed, goes on", self._task_id)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), self._poll)
            self._news.clear()

    async def look(self) -> None:
        """Fetch what is new. Bytes beyond the announced size belong to the next look, so none arrives twice."""
        facts = await self._client.log_size(self._task_id)
        size = 0 if facts is None else facts.size
        if size < self._at or (facts is not None and size == self._at > 0 and not await self._is_the_same(facts.url)):
            self._start_over()
        if facts is None or size == self._at:
            return
        if not await self._fetch(facts.url, size):
            # It shrank and grew again between two looks: another log, whatever its size says.
            self._start_over()
            await self._fetch(facts.url, size)

    async def _is_the_same(self, url: str) -> bool:
        """Whether a log of the size that is known ends as it did: a task that is done again writes a new one."""
        end = await self._client.log_end(self._task_id)
        if not end or end.endswith(self._last[-len(end) :]):
            return True
        # Another log, or the same that has just grown: its own bytes decide.
        async with aclosing(self._client.log_bytes(url, self._at - len(self._last), self._at)) as pieces:
            return b"".join([piece async for piece in pieces]) == self._last

    async def _fetch(self, url: str, size: int) -> bool:
        """Bring the log up to ``size``; False where it does not go on from what is there."""
        known = self._last
        async with aclosing(self._client.log_bytes(url, self._at - len(known), size)) as pieces:
            async for piece in pieces:
                if not piece.startswith(known):
                    return False
                fresh, known = piece[len(known) :], b""
                self._at += len(fresh)
                self._last = (self._last + fresh)[-_OVERLAP:]
                text = self._decoder.decode(fresh)
                if text:
                    self._sink.text(text)
        return True

    def _start_over(self) -> None:
        self._at = 0
        self._last = b""
        self._decoder.reset()
        self._sink.restart()
