"""Which Flamenco Manager the client's suite talks to: the stand-in, or a real one.

``SIGNALBOX_TEST_MANAGER=http://host:8080`` names a real Manager (3.x). It need not be empty, nor have Workers: what the
suite submits is found by its own ids and deleted again, and the suite brings a Worker of its own where one is needed.
Cases that need a script of their own are put to it where ``SIGNALBOX_TEST_SCRIPTS`` names its scripts folder.
"""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from farm_worker import asked
from manager_compile import StandInCompiler

REAL = os.environ.get("SIGNALBOX_TEST_MANAGER", "").rstrip("/")
SCRIPTS = os.environ.get("SIGNALBOX_TEST_SCRIPTS", "")


class AskedManager:
    """The Manager that is asked; ``stand_in`` is None where it is a real one."""

    def __init__(self) -> None:
        self.compiler = None if REAL else StandInCompiler()
        self.stand_in = self.compiler.stand_in().start() if self.compiler else None
        self.url = REAL or (self.stand_in.url if self.stand_in else "")
        self._made: list[str] = []

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

    def ask(self, method: str, path: str, body: bytes | None = None, content_type: str = "") -> tuple[int, Any]:
        """One request; status and decoded answer ("" for none)."""
        request = urllib.request.Request(self.url + path, data=body, method=method)
        if content_type:
            request.add_header("Content-Type", content_type)
        status, content = asked(request)
        found = _read(content)
        if (method, path, status) == ("POST", "/api/v3/jobs", 200):
            self._made.append(found["id"])
        return status, found

    def submit(self, job: dict[str, Any]) -> dict[str, Any]:
        """A job that `tidy` deletes."""
        status, made = self.ask("POST", "/api/v3/jobs", json.dumps(job).encode(), "application/json")
        assert status == 200, made
        return dict(made)

    def adopt(self, job_id: str) -> None:
        """A job that was submitted otherwise: `tidy` deletes it too."""
        self._made.append(job_id)

    def order(self, job_id: str, status: str) -> None:
        """Ask for a job's status."""
        order = json.dumps({"status": status, "reason": "test"}).encode()
        self.ask("POST", f"/api/v3/jobs/{job_id}/setstatus", order, "application/json")

    def tidy(self) -> None:
        """Cancel and delete what was submitted through `ask`."""
        for job_id in self._made:
            if self.stand_in is None:
                self.order(job_id, "cancel-requested")
            self.ask("DELETE", f"/api/v3/jobs/{job_id}")
        self._made.clear()

    def close(self) -> None:
        """Leave it as it was found."""
        self.tidy()
        self.script(None)
        if self.stand_in is not None and self.compiler is not None:
            self.stand_in.stop()
            self.compiler.close()


def _read(body: bytes) -> Any:
    try:
        return json.loads(body) if body else ""
    except ValueError:
        return body.decode("utf-8", "replace")
