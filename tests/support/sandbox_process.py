"""The embedded site as a process of its own, as ``signalbox sandbox`` starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]


class SandboxProcess:
    """One site. Use as a context manager.

    Args:
        folder: The site's folder.
        profile: What it holds.
        arguments: More of the command line (``--heartbeat 1``).

    Attributes:
        url: Where.
        user: The API user.
        key: A key that is good for every user.
        pid: The process.
    """

    def __init__(self, folder: Path, profile: str = "studio", *arguments: str) -> None:
        self.folder = folder
        self._command = [
            *(sys.executable, "-m", "app.sandbox.run", "--json", "--profile", profile, "--dir", str(folder)),
            *("--parent-pid", str(os.getpid()), *arguments),
        ]
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self, port: int = 0) -> None:
        """Start it (again: on the port given, with what its folder holds)."""
        command = [*self._command, *(("--port", str(port)) if port else ())]
        self._process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _out, told = self._process.communicate()
            raise RuntimeError(f"the site did not start: {told[-2000:]}")
        # What it says later must not fill a pipe that nobody reads.
        self._errors: list[str] = []
        self._reader = threading.Thread(target=self._drain, args=(self._process,), daemon=True)
        self._reader.start()
        facts = json.loads(line)
        self.url, self.user = facts["url"], facts["api_user"]
        self.key, self.pid = facts["api_key"], facts["pid"]
        self.port = int(self.url.rpartition(":")[2])

    def _drain(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        self._errors.extend(process.stderr)

    def stop(self, *, kill: bool = False) -> int:
        """End it with SIGTERM, or SIGKILL; returns its exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.kill() if kill else self._process.terminate()
        code = self._process.wait(20)
        self._reader.join(5)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        return code

    @property
    def errors(self) -> str:
        """What it has written to stderr."""
        return "".join(self._errors)

    def __enter__(self) -> SandboxProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def request(
        self, path: str, body: object = None, *, user: str = "", method: str | None = None
    ) -> tuple[int, bytes]:
        """Any request with credentials: status and body."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {
            "ftrack-user": user or self.user,
            "ftrack-api-key": self.key,
            "Content-Type": "application/json",
        }
        url = path if path.startswith("http") else self.url + path
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def faults(self, **order: Any) -> dict[str, Any]:
        """Give an order to fault injection; returns what is in force."""
        status, body = self.request("/_sandbox/faults", order)
        assert status == 200, body
        return dict(json.loads(body))

    def counters(self, *, reset: bool = False) -> dict[str, Any]:
        """The counters of requests."""
        return dict(json.loads(self.request(f"/_sandbox/counters?reset={int(reset)}")[1]))

    def events(self, after: int = 0, topic: str = "") -> list[dict[str, Any]]:
        """The event log after an id: ``{"id", "time", "event"}``."""
        return list(json.loads(self.request(f"/_sandbox/events?after={after}&topic={topic}")[1])["events"])

    def last_event(self) -> int:
        """The newest event's id."""
        return int(json.loads(self.request("/_sandbox/events?after=999999999")[1])["last"])

    def subscriptions(self) -> list[str]:
        """The expressions that anybody on the hub is subscribed to."""
        shown = json.loads(self.request("/_sandbox/hub")[1])
        return [str(row["subscription"]) for row in shown["subscriptions"]]

    def api(self, *operations: dict[str, Any], user: str = "") -> Any:
        """A batch, raw."""
        return json.loads(self.request("/api", list(operations), user=user)[1])
