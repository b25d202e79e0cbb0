"""A studio for tests of the window: the embedded site as a process, an installation of its own, the event server."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sandbox_process import SandboxProcess

from app.media.ffmpeg import ffmpeg_path
from app.service.browser import Desk
from app.service.event_server import Installation, Service


@dataclass
class Studio:
    """What a test of the window stands on.

    Attributes:
        site: The embedded site.
        folder: A folder of the test's own.
        drive: The production drive.
        installation: Settings and journal of the server.
        person: Name of the person who asks.
    """

    site: SandboxProcess
    folder: Path
    drive: Path
    installation: Installation
    person: str

    def rows(self, expression: str) -> list[dict[str, Any]]:
        """Fresh from the site."""
        answer = self.site.api({"action": "query", "expression": expression})
        assert isinstance(answer, list), answer
        return list(answer[0]["data"])

    def desk(self) -> Desk:
        """A new desk of this person."""
        return Desk(self.installation)

    def clip(self, name: str, frames: int = 12, size: str = "320x180") -> Path:
        """A small movie on the drive."""
        path = self.drive / "nightjar" / "io" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        made = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=24", "-frames:v", str(frames)]
        command = [str(ffmpeg_path()), "-nostdin", "-y", "-loglevel", "error", *made]
        command += ["-preset", "ultrafast", "-pix_fmt", "yuv420p", str(path)]
        subprocess.run(command, check=True)
        return path


@contextmanager
def studio_in(folder: Path, monkeypatch: pytest.MonkeyPatch, *, person: str = "") -> Iterator[Studio]:
    """A site and an installation that knows it; nothing else runs yet."""
    drive = folder / "production"
    for show in ("nightjar", "salt_marsh"):
        (drive / show).mkdir(parents=True)
    (drive / ".signalbox-drive").touch()
    monkeypatch.setenv("SIGNALBOX_HOME", str(folder / "home"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with SandboxProcess(folder / "site", "studio", "--heartbeat", "1") as site:
        monkeypatch.setenv("FTRACK_SERVER", site.url)
        monkeypatch.setenv("FTRACK_API_USER", person or site.user)
        monkeypatch.setenv("FTRACK_API_KEY", site.key)
        installation = Installation.load(journal=folder / "home" / "journal")
        installation.store.set("studio", "disk_map", {"/data/production": str(drive)})
        installation.store.set("slack", "enabled", False)
        installation.store.set("engine", "poll", 0.05)
        yield Studio(site, folder, drive, installation, person or site.user)


@contextmanager
def server_of(studio: Studio, **options: Any) -> Iterator[Service]:
    """The event server of the studio."""
    with Service(studio.installation, **options) as service:
        yield service
