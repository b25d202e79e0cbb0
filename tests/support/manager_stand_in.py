"""A stand-in of the Flamenco Manager: REST and Socket.IO over its own state, on 127.0.0.1.

It stores jobs and tasks as the Manager does, compiles scripts with the program's own compiler, and lets a test play the
workers. Misbehaviour is switched on through `Chaos`. It runs in a thread with its own loop; `stop` and `start` keep the
state and the port, like a Manager that is restarted.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import random
import socket
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web
from stand_in_workers import WorkerDesk

JOB_STATUSES = [
    "active", "canceled", "completed", "failed", "paused", "pause-requested",
    "queued", "cancel-requested", "requeueing", "under-construction",
]  # fmt: skip
FINAL = ("completed", "failed", "canceled")
#: The Manager deletes in the background.
_DELETE_SECONDS = 0.05

#: What no client may stumble over.
ODD_ANSWERS: list[Any] = [
    None, [], 5, "jobs", {}, {"jobs": 5, "tasks": "none"}, {"jobs": [7], "tasks": [None]},
    {"jobs": [{"id": 7, "status": "queued"}], "tasks": [{"id": [], "status": 1, "index_in_job": 1}]},
    {"jobs": [{"id": "x", "status": "queued", "metadata": ["a"], "settings": 3}]},
    {"tasks": [{"id": "x", "status": "queued", "index_in_job": "first", "worker": "w"}]},
    {"size": "much", "url": 5}, {"base": 5, "suffixes": 3}, {"id": None}, {"code": 200, "message": {"a": 1}},
]  # fmt: skip
ODD_FRAMES = [
    "", "4", "42", "42[", "42{}", "42[]", '42["/jobs"]', '42["/jobs",5]', '42["/jobs",{"id":["a"]}]', "43", "9x",
    '42["/task",{"id":{},"job_id":[]}]', '42["/tasklog",{"task_id":[],"log":5}]', '42["/last-rendered",{}]', '42[5,6]',
]  # fmt: skip

ECHO_SLEEP = """\
const JOB_TYPE = {
    label: "Echo Sleep Test",
    settings: [
        { key: "message", type: "string", required: true },
        { key: "sleep_duration_seconds", type: "int32", default: 1 },
        { key: "sleep_repeats", type: "int32", default: 1 },
    ],
};
function compileJob(job) {
    const say = author.Task("echo", "misc");
    say.addCommand(author.Command("echo", { message: job.settings.message }));
    job.addTask(say);
    for (let round = 0; round < job.settings.sleep_repeats; round++) {
        const rest = author.Task("sleep", "misc");
        rest.addCommand(author.Command("sleep", { duration_in_seconds: job.settings.sleep_duration_seconds }));
        rest.addDependency(say);
        job.addTask(rest);
    }
}
"""


@dataclass
class Chaos:
    """What goes wrong, each as a probability per request unless said otherwise."""

    busy: float = 0.0
    cut: float = 0.0
    drop: float = 0.0
    nonsense: float = 0.0
    odd: float = 0.0  # JSON, but not what was asked for
    lose_submit_answer: bool = False  # the next submit is stored, its answer never arrives
    die_in_submit: str = ""  # the Manager is killed "before" it stores the next submit, or "after"
    retry_after: str = "0.05"
    slow_submit: float = 0.0  # seconds that the next submits are compiled for
    slow_delete: float = 0.0  # seconds until an order to delete is answered
    any_order: bool = False  # jobs are listed in another order each time
    #: What is answered instead of the Manager's own, None for that.
    instead: Callable[[web.Request], web.StreamResponse | None] = lambda _: None
    dice: random.Random = field(default_factory=lambda: random.Random(7))


@dataclass
class Compiled:
    """What a compile gives the stand-in: an HTTP answer, or tasks."""

    status: int
    message: str = ""
    code: bool = True
    settings: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    name: str = ""
    priority: int = 50
    tasks: list[dict[str, Any]] = field(default_factory=list)


Compile = Callable[[Mapping[str, str], Mapping[str, Any]], Compiled]


class ManagerStandIn:
    """Start it, talk to ``url``, play the workers with `work`, stop it."""

    def __init__(self, compile_job: Compile, types: Callable[[Mapping[str, str]], dict[str, Any]]) -> None:
        self.chaos = Chaos()
        self.scripts: dict[str, str] = {"echo_sleep_test.js": ECHO_SLEEP}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.tasks: dict[str, dict[str, Any]] = {}
        self.dependencies: dict[str, list[str]] = {}
        self.logs: dict[str, bytes] = {}
        self.pictures: dict[str, bytes] = {}
        self.requests: list[str] = []
        #: The Manager means to send logs to those who subscribe to them, and has sent none since 3.5.
        self.sends_logs = False
        #: A proxy between may let no websocket through.
        self.has_live_line = True
        self.desk = WorkerDesk(self)
        self._compile = compile_job
        self._types = types
        self._sockets: dict[web.WebSocketResponse, set[str]] = {}
        self._port = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    # Life

    def start(self) -> ManagerStandIn:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), name="manager-stand-in")
        self._thread.start()
        ready.wait(10)
        return self

    def stop(self) -> None:
        if self._thread is not None and self._loop is not None and self._stop is not None:
            with suppress(RuntimeError):  # it was killed, its loop is closed
                self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)
            self._thread = None

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(middlewares=[self._misbehave], client_max_size=64 << 20)
        self._routes(app)
        runner = web.AppRunner(app, shutdown_timeout=0.2)
        await runner.setup()
        door = socket.create_server(("127.0.0.1", self._port), backlog=128)
        site = web.SockSite(runner, door)
        await site.start()
        self._port = door.getsockname()[1]
        ready.set()
        await self._stop.wait()
        for line in list(self._sockets):
            await line.close()
        # Nobody is let in any more, but who is on the way in gets a transport that can be cut: Python 3.11 leaves those
        # whom the closing of the server overtakes to the collector.
        self._loop.remove_reader(door.fileno())
        assert runner.server is not None
        await _hang_up(runner.server)
        await site.stop()
        await runner.cleanup()

    def drop_sockets(self) -> None:
        """Cut every live line without a goodbye."""

        def cut() -> None:
            for line in list(self._sockets):
                transport = line._req.transport if line._req is not None else None
                if transport is not None:
                    transport.abort()

        if self._loop is not None:
            self._loop.call_soon_threadsafe(cut)

    def send_odd_frames(self) -> None:
        """Tell every live line what no Manager says."""
        self.send_frames(ODD_FRAMES)

    def send_frames(self, frames: Sequence[str]) -> None:
        """Tell every live line this, letter by letter."""

        def send() -> None:
            for line in list(self._sockets):
                for frame in frames:
                    asyncio.get_running_loop().create_task(_deliver(line, frame))

        self._do(send)

    # Workers

    def work(self, task_id: str, status: str, log: bytes = b"", *, announce: bool = True) -> None:
        """A worker reports: a task's status and an addition to its log. Safe from any thread."""
        self._do(lambda: self.report(task_id, status, log, announce=announce))

    def report(self, task_id: str, status: str, log: bytes = b"", *, announce: bool = True) -> None:
        """As `work`, in the stand-in's own thread."""
        task = self.tasks[task_id]
        self.logs[task_id] = self.logs.get(task_id, b"") + log
        previous, task["status"], task["updated"] = task["status"], status, _now()
        if status == "completed":
            task["steps_completed"] = task["steps_total"]
        if announce:
            news = {"id": task_id, "job_id": task["job_id"], "status": status, "updated": task["updated"]}
            news |= {"previous_status": previous, "activity": task["activity"], "name": task["name"]}
            self._send("/task", news, f"job:{task['job_id']}")
        if log and self.sends_logs:
            self._send("/tasklog", {"task_id": task_id, "log": log.decode("utf-8", "replace")}, f"tasklog:{task_id}")
        self._weigh(task["job_id"], announce)

    def render(self, job_id: str, picture: bytes) -> None:
        """A worker rendered a picture. Safe from any thread."""
        self._do(lambda: self.picture(job_id, picture))

    def picture(self, job_id: str, picture: bytes) -> None:
        """As `render`, in the stand-in's own thread."""
        self.pictures[job_id] = picture
        self._send("/last-rendered", {"job_id": job_id, "thumbnail": _thumbnail(job_id)}, "allLastRendered")

    def replace_log(self, task_id: str, log: bytes) -> None:
        """The log became another, perhaps a shorter one (requeue, rotation)."""
        self._do(lambda: self.logs.__setitem__(task_id, log))

    def forget(self, job_id: str) -> None:
        """The Manager lost a job (restored from a backup). Safe from any thread."""
        self._do(lambda: self._forget(job_id))

    def _forget(self, job_id: str) -> None:
        self.jobs.pop(job_id, None)
        for task_id in [t for t, task in self.tasks.items() if task["job_id"] == job_id]:
            self.tasks.pop(task_id)

    def _do(self, order: Callable[[], Any]) -> None:
        if self._thread is None or self._loop is None:
            order()
            return
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (order(), done.set()))
        done.wait(10)

    def _weigh(self, job_id: str, announce: bool) -> None:
        """A job's status follows its tasks'."""
        job = self.jobs[job_id]
        states = [task["status"] for task in self.tasks.values() if task["job_id"] == job_id]
        before = job["status"]
        if states and all(state == "completed" for state in states):
            job["status"] = "completed"
        elif any(state == "failed" for state in states):
            job["status"] = "failed"
        elif any(state == "active" for state in states):
            job["status"] = "active"
        job["steps_completed"] = sum(t["steps_completed"] for t in self.tasks.values() if t["job_id"] == job_id)
        if job["status"] != before:  # a job's own moment does not move with its tasks
            job["updated"] = _now()
        if announce:
            self._send("/jobs", _job_news(job), "allJobs")

    # REST

    def _routes(self, app: web.Application) -> None:
        add = app.router.add_route
        add("GET", "/api/v3/version", self._version)
        add("GET", "/api/v3/configuration", self._configuration)
        add("GET", "/api/v3/configuration/variables/{audience}/{platform}", self._variables)
        add("GET", "/api/v3/jobs/types", self._job_types)
        add("GET", "/api/v3/jobs/type/{name}", self._job_type)
        add("POST", "/api/v3/jobs", self._submit)
        add("POST", "/api/v3/jobs/check", self._submit)
        add("GET", "/api/v3/jobs", self._job_list)
        add("GET", "/api/v3/jobs/{job}", self._job)
        add("DELETE", "/api/v3/jobs/{job}", self._delete)
        add("GET", "/api/v3/jobs/{job}/what-would-delete-do", self._what_would_delete_do)
        add("GET", "/api/v3/jobs/{job}/tasks", self._job_tasks)
        add("GET", "/api/v3/jobs/{job}/last-rendered", self._last_rendered)
        add("POST", "/api/v3/jobs/{job}/setstatus", self._set_job_status)
        add("POST", "/api/v3/jobs/{job}/setpriority", self._set_priority)
        add("GET", "/api/v3/tasks/{task}", self._task)
        add("GET", "/api/v3/tasks/{task}/logtail", self._log_tail)
        add("GET", "/api/v3/tasks/{task}/log", self._log)
        add("POST", "/api/v3/tasks/{task}/setstatus", self._set_task_status)
        add("GET", "/job-files/{shelf}/{job}/{file}", self._log_file)
        add("GET", "/socket.io/", self._socket_io)
        self.desk.routes(app)

    async def _version(self, _: web.Request) -> web.Response:
        return _json({"name": "Flamenco", "version": "3.8.5", "shortversion": "3.8.5", "git": "v3.8.5"})

    async def _configuration(self, _: web.Request) -> web.Response:
        storage = "/media/shared/flamenco/jobs"
        return _json({"isFirstRun": False, "shamanEnabled": False, "storageLocation": storage})

    async def _job_list(self, _: web.Request) -> web.Response:
        jobs = list(self.jobs.values())
        if self.chaos.any_order:
            self.chaos.dice.shuffle(jobs)
        return _json({"jobs": jobs})

    async def _what_would_delete_do(self, _: web.Request) -> web.Response:
        return _json({"shaman_checkout": False})

    async def _last_rendered(self, request: web.Request) -> web.Response:
        job_id = request.match_info["job"]
        if job_id not in self.pictures:
            return _empty()
        return _json(_thumbnail(job_id))

    @web.middleware
    async def _misbehave(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        dice = self.chaos.dice
        if not request.path.startswith("/socket.io") and dice.random() < self.chaos.busy:
            return web.json_response(
                {"code": 503, "message": "too busy"}, status=503, headers={"Retry-After": self.chaos.retry_after}
            )
        instead = self.chaos.instead(request)
        if instead is not None:
            return instead
        if dice.random() < self.chaos.drop and request.transport is not None:
            request.transport.abort()
            return web.Response()
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPNotFound:
            return web.json_response({"message": "Not Found"}, status=404)
        if isinstance(response, web.Response):
            if dice.random() < self.chaos.nonsense:
                return web.Response(text="<html>proxy says hello</html>", content_type="text/html")
            if dice.random() < self.chaos.odd:
                return web.json_response(dice.choice(ODD_ANSWERS))
            if response.body and dice.random() < self.chaos.cut:
                return await _cut_short(request, bytes(response.body))
        return response

    async def _variables(self, request: web.Request) -> web.Response:
        storage = {"linux": "/media/shared/flamenco", "windows": "F:\\flamenco", "darwin": "/Volumes/shared/flamenco"}
        platform = request.match_info["platform"]
        own = {"value": storage.get(platform, ""), "is_twoway": True}
        one_way = {
            name: {"value": v, "is_twoway": False} for name, v in (("blender", "blender"), ("blenderArgs", "-b -y"))
        }
        return _json({**one_way, "my_storage": own})

    async def _job_types(self, _: web.Request) -> web.Response:
        types = await asyncio.to_thread(self._types, dict(self.scripts))
        found = [t["job_type"] for t in types.values() if t.get("job_type")]
        return _json({"job_types": sorted(found, key=lambda t: t["name"])})

    async def _job_type(self, request: web.Request) -> web.Response:
        types = await asyncio.to_thread(self._types, dict(self.scripts))
        found = types.get(request.match_info["name"])
        if found is None:
            return _error(404, "no such job type known")
        if not found.get("job_type"):
            return (
                web.json_response({"message": "Internal Server Error"}, status=500)
                if found.get("panic")
                else _error(500, "error getting job type")
            )
        return _json(found["job_type"])

    async def _submit(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json" or "Content-Type" not in request.headers:
            got = request.headers.get("Content-Type", "application/x-www-form-urlencoded")
            return _refuse(f'header Content-Type has unexpected value "{got}"')
        try:
            body = await request.json()
        except ValueError:
            return _refuse("failed to decode request body: unexpected EOF")
        problem = _violation(body)
        if problem:
            return _violated("SubmittedJob", problem)
        compiled = await asyncio.to_thread(self._compile, dict(self.scripts), body)
        await asyncio.sleep(self.chaos.slow_submit)
        check = request.path.endswith("/check")
        if compiled.status != 200 and not (check and compiled.status == 500 and compiled.code):
            if not compiled.code:
                return web.json_response({"message": compiled.message}, status=compiled.status)
            return _error(compiled.status, compiled.message)
        if check:
            return _empty()
        if body.get("worker_tag"):
            return _error(500, "error persisting job in database")
        await self._maybe_die("before")
        job = self._store(body, compiled)
        await self._maybe_die("after")
        if self.chaos.lose_submit_answer and request.transport is not None:
            self.chaos.lose_submit_answer = False
            request.transport.abort()
        return _json(job)

    async def _maybe_die(self, moment: str) -> None:
        if self.chaos.die_in_submit == moment and self._stop is not None:
            self._stop.set()
            self.chaos.die_in_submit = ""
            await asyncio.Event().wait()

    def _store(self, body: Mapping[str, Any], compiled: Compiled) -> dict[str, Any]:
        now, job_id = _now(), str(uuid.uuid4())
        job = {
            "metadata": compiled.metadata, "name": compiled.name, "priority": compiled.priority,
            "settings": compiled.settings, "submitter_platform": "", "type": body["type"], "activity": "",
            "created": now, "id": job_id, "status": body.get("initial_status") or "queued", "steps_completed": 0,
            "steps_total": 0, "updated": now,
        }  # fmt: skip
        ids = [str(uuid.uuid4()) for _ in compiled.tasks]
        for index, task in enumerate(compiled.tasks):
            steps = sum(command.get("total_step_count") or 1 for command in task["commands"])
            self.tasks[ids[index]] = {
                "activity": "", "commands": task["commands"], "created": now, "failed_by_workers": [], "id": ids[index],
                "index_in_job": index + 1, "job_id": job_id, "name": task["name"], "priority": task["priority"],
                "status": "queued", "steps_completed": 0, "steps_total": steps, "task_type": task["type"],
                "updated": now, "worker": {"address": "", "id": "", "name": ""},
            }  # fmt: skip
            self.dependencies[ids[index]] = [ids[i] for i in task["dependencies"]]
        self.jobs[job_id] = job
        self._send("/jobs", _job_news(job), "allJobs")
        return job

    async def _job(self, request: web.Request) -> web.Response:
        return _found(self.jobs, request.match_info["job"], "job", _json)

    async def _delete(self, request: web.Request) -> web.Response:
        """Deleting is noted, and done a moment later."""

        def delete(job: dict[str, Any]) -> web.Response:
            job["delete_requested_at"] = _now()
            self._send("/jobs", _job_news(job), "allJobs")
            asyncio.get_running_loop().call_later(_DELETE_SECONDS, self._deleted, job["id"])
            return _empty()

        answer = _found(self.jobs, request.match_info["job"], "job", delete)
        await asyncio.sleep(self.chaos.slow_delete)
        return answer

    def _deleted(self, job_id: str) -> None:
        self._forget(job_id)
        self._send("/jobs", {"id": job_id, "was_deleted": True}, "allJobs")

    async def _job_tasks(self, request: web.Request) -> web.Response:
        job_id = request.match_info["job"]
        keys = (
            "id",
            "index_in_job",
            "name",
            "priority",
            "status",
            "steps_completed",
            "steps_total",
            "task_type",
            "updated",
            "worker",
        )
        tasks = [{key: t[key] for key in keys} for t in self.tasks.values() if t["job_id"] == job_id]
        return _found(self.jobs, job_id, "job", lambda _: _json({"tasks": tasks}))

    async def _task(self, request: web.Request) -> web.Response:
        return _found(self.tasks, request.match_info["task"], "task", _json)

    async def _set_job_status(self, request: web.Request) -> web.Response:
        body = await request.json()
        if "reason" not in body:
            return _violated("JobStatusChange", '"/reason": property "reason" is missing')

        def change(job: dict[str, Any]) -> web.Response:
            wanted = body["status"]
            final = {"cancel-requested": "canceled", "requeueing": "queued", "pause-requested": "paused"}.get(
                wanted, wanted
            )
            # A completed job starts over; of any other, what is not completed is done again.
            kept = () if job["status"] == "completed" else ("completed",)
            for task in self.tasks.values():
                again = task["status"] not in (kept if wanted == "requeueing" else FINAL)
                if task["job_id"] == job["id"] and again:
                    task["status"] = {"canceled": "canceled", "queued": "queued", "paused": "paused"}.get(
                        final, task["status"]
                    )
            job["status"], job["activity"] = final, f'Changed to status "{final}": {body["reason"]}'
            job["updated"] = _now()
            self._send("/jobs", _job_news(job, refresh_tasks=True), "allJobs")
            return _empty()

        return _found(self.jobs, request.match_info["job"], "job", change)

    async def _set_priority(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body.get("priority", 0) > 100:
            return _violated("JobPriorityChange", '"/priority": number must be at most 100')

        def change(job: dict[str, Any]) -> web.Response:
            job["priority"] = body["priority"]
            self._send("/jobs", _job_news(job), "allJobs")
            return _empty()

        return _found(self.jobs, request.match_info["job"], "job", change)

    async def _set_task_status(self, request: web.Request) -> web.Response:
        body = await request.json()

        def change(task: dict[str, Any]) -> web.Response:
            task["status"], task["updated"] = body["status"], _now()
            self._send(
                "/task", {"id": task["id"], "job_id": task["job_id"], "status": body["status"]}, f"job:{task['job_id']}"
            )
            return _empty()

        return _found(self.tasks, request.match_info["task"], "task", change)

    async def _log_tail(self, request: web.Request) -> web.Response:
        log = self.logs.get(request.match_info["task"], b"")
        return web.Response(body=log[-2048:], content_type="text/plain") if log else _empty()

    async def _log(self, request: web.Request) -> web.Response:
        task_id = request.match_info["task"]
        log = self.logs.get(task_id)
        if not log:
            return _empty()
        job_id = self.tasks[task_id]["job_id"] if task_id in self.tasks else "gone"
        url = f"/job-files/{job_id[:2]}/{job_id}/task-{task_id}.txt"
        return _json({"job_id": job_id, "task_id": task_id, "size": len(log), "url": url})

    async def _log_file(self, request: web.Request) -> web.Response:
        if request.match_info["file"].startswith("last-rendered"):
            return web.Response(body=self.pictures[request.match_info["job"]], content_type="image/jpeg")
        task_id = request.match_info["file"].removeprefix("task-").removesuffix(".txt")
        log = self.logs.get(task_id, b"")
        wanted = request.headers.get("Range", "")
        if not wanted:
            return web.Response(body=log, content_type="text/plain")
        start, last = (int(number or len(log)) for number in wanted.removeprefix("bytes=").split("-"))
        if start >= len(log):
            return web.Response(status=416)
        last = min(last, len(log) - 1)
        headers = {"Content-Range": f"bytes {start}-{last}/{len(log)}"}
        return web.Response(status=206, body=log[start : last + 1], headers=headers, content_type="text/plain")

    # Socket.IO 2.x

    async def _socket_io(self, request: web.Request) -> web.StreamResponse:
        asked = (request.query.get("EIO"), request.query.get("transport"))
        if asked != ("3", "websocket") or not self.has_live_line:
            return web.Response(status=503)
        line = web.WebSocketResponse()
        await line.prepare(request)
        self._sockets[line] = set()
        hello = {"sid": str(uuid.uuid4()), "upgrades": [], "pingInterval": 30000, "pingTimeout": 60000}
        await line.send_str("0" + json.dumps(hello))
        await line.send_str("40")
        try:
            async for message in line:
                if message.type is WSMsgType.TEXT:
                    await self._packet(line, message.data)
        finally:
            self._sockets.pop(line, None)
        return line

    async def _packet(self, line: web.WebSocketResponse, text: str) -> None:
        if text == "2":
            await line.send_str("3")
        elif text.startswith("420"):
            _, request = json.loads(text[3:])
            room = request["type"] if request.get("uuid") is None else f"{request['type']}:{request['uuid']}"
            rooms = self._sockets[line]
            (rooms.add if request["op"] == "subscribe" else rooms.discard)(room)
            await line.send_str('430["ok"]')

    def _send(self, name: str, payload: Mapping[str, Any], room: str) -> None:
        if self._loop is None or self._thread is None:
            return
        text = "42" + json.dumps([name, payload])
        for line, rooms in list(self._sockets.items()):
            if room in rooms and not line.closed:
                self._loop.create_task(_deliver(line, text))


def _job_news(job: Mapping[str, Any], *, refresh_tasks: bool = False) -> dict[str, Any]:
    """What is told of a job that changed: parts of it."""
    keys = ("id", "name", "updated", "status", "type", "priority", "delete_requested_at")
    return {**{key: job[key] for key in keys if key in job}, "refresh_tasks": refresh_tasks}


def _thumbnail(job_id: str) -> dict[str, Any]:
    suffixes = ["last-rendered.jpg", "last-rendered-small.jpg", "last-rendered-tiny.jpg"]
    return {"base": f"/job-files/{job_id[:2]}/{job_id}", "suffixes": suffixes}


async def _hang_up(server: web.Server) -> None:
    """Cut every connection, also those accepted in the last moment: they get their transport in later rounds."""
    quiet, until = 0, asyncio.get_running_loop().time() + 1.0
    while quiet < 3 and asyncio.get_running_loop().time() < until:
        for connection in server.connections:
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0.01)
        busy = len(asyncio.all_tasks()) > 1 or server.connections
        quiet = 0 if busy else quiet + 1


async def _deliver(line: web.WebSocketResponse, text: str) -> None:
    try:
        await line.send_str(text)
    except ConnectionError:
        return


async def _cut_short(request: web.Request, body: bytes) -> web.StreamResponse:
    """Announce the whole body, send half of it, hang up."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.abort()
    return response


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "000Z")


def _json(value: Any) -> web.Response:
    return web.json_response(value)


def _empty() -> web.Response:
    return web.Response(status=204)


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"code": status, "message": message}, status=status)


def _refuse(message: str) -> web.Response:
    return web.json_response({"message": f"request body has an error: {message}"}, status=400)


def _violated(schema: str, problem: str) -> web.Response:
    return _refuse(f"doesn't match schema #/components/schemas/{schema}: Error at {problem}")


def _found(table: Mapping[str, Any], key: str, what: str, answer: Callable[[Any], web.Response]) -> web.Response:
    try:
        uuid.UUID(key)
    except ValueError:
        return _error(400, f"{what} ID not valid")
    return answer(table[key]) if key in table else _error(404, f"no such {what}")


def _violation(body: Any) -> str:
    """The first violation of SubmittedJob's schema, in the Manager's words; "" when there is none."""
    for key in ("name", "type", "submitter_platform"):
        if key not in body:
            return f'"/{key}": property "{key}" is missing'
        if not isinstance(body[key], str):
            return f'"/{key}": value must be a string'
    priority = body.get("priority", 50)
    if isinstance(priority, bool) or not isinstance(priority, int | float) or priority != int(priority):
        return '"/priority": value must be an integer'
    for key in ("settings", "metadata"):
        if key in body and body[key] is None:
            return f'"/{key}": Value is not nullable'
        if key in body and not isinstance(body[key], dict):
            return f'"/{key}": value must be an object'
    for key, value in (body.get("metadata") or {}).items():
        if not isinstance(value, str):
            return f'"/metadata/{key}": value must be a string'
    if "initial_status" in body and body["initial_status"] not in JOB_STATUSES:
        allowed = ",".join(f'"{status}"' for status in JOB_STATUSES)
        return f'"/initial_status": value is not one of the allowed values [{allowed}]'
    return ""
