"""What the stand-in of the Manager is for Workers: registration, tasks handed out in order, reports, pictures.

As the Manager: HTTP basic authentication with the id it gave and the secret the Worker chose; only a Worker that is
awake gets tasks (409 else): by job priority, task priority, then age, and only when what a task needs is completed.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from manager_stand_in import ManagerStandIn

Handle = Callable[[web.Request, dict[str, Any]], Any]
_PATH = "/api/v3/worker"


class WorkerDesk:
    """The Manager's endpoints under ``/api/v3/worker`` and their management."""

    def __init__(self, manager: ManagerStandIn) -> None:
        self._manager = manager
        self.workers: dict[str, dict[str, Any]] = {}

    def routes(self, app: web.Application) -> None:
        """Add the endpoints."""
        add = app.router.add_route
        add("POST", f"{_PATH}/register-worker", self._register)
        add("POST", f"{_PATH}/sign-on", self._known(self._sign_on))
        add("POST", f"{_PATH}/sign-off", self._known(self._sign_off))
        add("POST", f"{_PATH}/state-changed", self._known(self._state_changed))
        add("POST", f"{_PATH}/task", self._known(self._hand_out))
        add("POST", f"{_PATH}/task/{{task}}", self._known(self._report))
        add("POST", f"{_PATH}/task/{{task}}/output-produced", self._known(self._picture))
        add("DELETE", "/api/v3/worker-mgt/workers/{worker}", self._remove)

    def _known(self, handle: Handle) -> Callable[[web.Request], Any]:
        """Only for a Worker that says who it is."""

        async def handled(request: web.Request) -> web.Response:
            _, _, coded = request.headers.get("Authorization", "").partition(" ")
            name, _, secret = base64.b64decode(coded or b"").decode("utf-8", "replace").partition(":")
            worker = self.workers.get(name)
            if worker is None or worker["secret"] != secret:
                return web.json_response({"message": "no access"}, status=401)
            answer: web.Response = await handle(request, worker)
            return answer

        return handled

    async def _register(self, request: web.Request) -> web.Response:
        body = await request.json()
        kept = {key: body[key] for key in ("name", "secret", "platform", "supported_task_types")}
        worker = {"uuid": str(uuid.uuid4()), "status": "offline", "address": "127.0.0.1", "software": "", **kept}
        self.workers[worker["uuid"]] = worker
        return web.json_response({key: value for key, value in worker.items() if key != "secret"})

    async def _sign_on(self, request: web.Request, worker: dict[str, Any]) -> web.Response:
        worker |= {"status": "starting", "supported_task_types": (await request.json())["supported_task_types"]}
        return web.json_response({"status_requested": "awake"})

    async def _state_changed(self, request: web.Request, worker: dict[str, Any]) -> web.Response:
        worker["status"] = (await request.json())["status"]
        return web.Response(status=204)

    async def _sign_off(self, _: web.Request, worker: dict[str, Any]) -> web.Response:
        worker["status"] = "offline"
        for task in self._manager.tasks.values():
            if task["worker"]["id"] == worker["uuid"] and task["status"] == "active":
                self._manager.report(task["id"], "queued")
        return web.Response(status=204)

    async def _remove(self, request: web.Request) -> web.Response:
        self.workers.pop(request.match_info["worker"], None)
        return web.Response(status=204)

    async def _hand_out(self, _: web.Request, worker: dict[str, Any]) -> web.Response:
        if worker["status"] != "awake":
            return web.Response(status=409)
        manager = self._manager
        ready = [task for task in manager.tasks.values() if self._may_start(task, worker)]
        if not ready:
            return web.Response(status=204)
        task = max(ready, key=lambda each: (manager.jobs[each["job_id"]]["priority"], each["priority"]))
        task["worker"] = {"id": worker["uuid"], "name": worker["name"], "address": worker["address"]}
        manager.report(task["id"], "active")
        job = manager.jobs[task["job_id"]]
        return web.json_response(
            {
                "uuid": task["id"], "job": job["id"], "name": task["name"], "status": "active",
                "priority": task["priority"], "job_priority": job["priority"], "job_type": job["type"],
                "task_type": task["task_type"], "commands": task["commands"],
            }
        )  # fmt: skip

    def _may_start(self, task: dict[str, Any], worker: dict[str, Any]) -> bool:
        manager = self._manager
        job = manager.jobs.get(task["job_id"])
        return (
            job is not None
            and job["status"] in ("queued", "active")
            and task["status"] in ("queued", "soft-failed")
            and task["task_type"] in worker["supported_task_types"]
            and all(manager.tasks[need]["status"] == "completed" for need in manager.dependencies[task["id"]])
        )

    async def _report(self, request: web.Request, worker: dict[str, Any]) -> web.Response:
        task = self._manager.tasks.get(request.match_info["task"])
        if task is None:
            return web.json_response({"code": 404, "message": "task not found"}, status=404)
        if task["worker"]["id"] != worker["uuid"]:
            return web.Response(status=409)
        body = await request.json()
        task["activity"] = body.get("activity", task["activity"])
        self._manager.report(task["id"], body.get("taskStatus", task["status"]), body.get("log", "").encode())
        return web.Response(status=204)

    async def _picture(self, request: web.Request, worker: dict[str, Any]) -> web.Response:
        task = self._manager.tasks[request.match_info["task"]]
        if request.content_type not in ("image/jpeg", "image/png"):
            return web.json_response({"code": 415, "message": "unsupported mime type"}, status=415)
        del worker
        self._manager.picture(task["job_id"], await request.read())
        return web.Response(status=202)
