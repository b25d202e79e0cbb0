"""A Flamenco Worker of a test, over the Manager's own HTTP interface: the stand-in's and a real one's alike."""

from __future__ import annotations

import json
import secrets
import threading
import urllib.error
import urllib.request
from base64 import b64encode
from typing import Any

TASK_TYPES = ["misc"]
_TRIES = 20


def asked(request: urllib.request.Request, seconds: float = 60.0) -> tuple[int, bytes]:
    """Status and body of an answer; a Manager whose database is busy (503) is asked again when it says so."""
    for _ in range(_TRIES):
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, body, pause = error.code, error.read(), float(error.headers.get("Retry-After") or 1.0)
        if status != 503:
            break
        threading.Event().wait(pause)
    return status, body


class FarmWorker:
    """Signs on, takes tasks, reports, and leaves without a trace."""

    def __init__(self, url: str) -> None:
        self._url = url
        secret = secrets.token_hex(16)
        about = {"name": "signalbox-test", "supported_task_types": TASK_TYPES}
        self._login = ""
        self.id = str(self._ask("worker/register-worker", {**about, "platform": "linux", "secret": secret})["uuid"])
        self._login = b64encode(f"{self.id}:{secret}".encode()).decode()
        self._ask("worker/sign-on", {**about, "software_version": "test"})
        self._ask("worker/state-changed", {"status": "awake"})

    def leave(self) -> None:
        """Sign off: tasks at work are queued again. The Manager forgets the Worker."""
        self._ask("worker/state-changed", {"status": "offline"})
        self._ask("worker/sign-off", {})
        self._ask(f"worker-mgt/workers/{self.id}", None, method="DELETE")

    def take(self) -> dict[str, Any]:
        """The next task; empty while there is none."""
        return self._ask("worker/task", {})

    def tell(self, task: str, status: str = "", log: str = "", activity: str = "") -> None:
        """Report about a task; what is left out stays as it is."""
        told = {"taskStatus": status, "log": log, "activity": activity}
        self._ask(f"worker/task/{task}", {key: value for key, value in told.items() if value})

    def show(self, task: str, picture: bytes) -> None:
        """Hand in a picture (JPEG) that was rendered."""
        self._send("POST", f"worker/task/{task}/output-produced", picture, "image/jpeg")

    def _ask(self, path: str, body: dict[str, Any] | None, method: str = "POST") -> dict[str, Any]:
        answer = self._send(method, path, None if body is None else json.dumps(body).encode(), "application/json")
        found: dict[str, Any] = json.loads(answer) if answer else {}
        return found

    def _send(self, method: str, path: str, body: bytes | None, content_type: str) -> bytes:
        request = urllib.request.Request(f"{self._url}/api/v3/{path}", data=body, method=method)
        request.add_header("Content-Type", content_type)
        if self._login:
            request.add_header("Authorization", f"Basic {self._login}")
        status, content = asked(request)
        assert status < 300, (method, path, status, content)
        return content
