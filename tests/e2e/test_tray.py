"""The window in a desktop's tray: who is not looking is told by the desktop."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
from program import Program

from app.journal.journal import Journal
from app.journal.queue import NewRun
from ui.sample_day import write_day

DESKTOP = Path(__file__).resolve().parents[1] / "support" / "desktop.py"


@dataclass
class Desktop:
    """A desktop with a tray, and what it was told."""

    address: str
    _lines: IO[bytes]

    def told(self, seconds: float = 60) -> dict[str, Any]:
        """The next thing that a person sees; {} when nothing comes for so long."""
        if not select.select([self._lines], [], [], seconds)[0]:
            return {}
        found: dict[str, Any] = json.loads(self._lines.readline())
        return found


@pytest.fixture
def desktop() -> Iterator[Desktop]:
    """A D-Bus of this test alone, with a tray and notifications on it."""
    pytest.importorskip("jeepney")
    if shutil.which("dbus-daemon") is None:
        pytest.skip("dbus-daemon is not installed")
    command = ["dbus-daemon", "--session", "--nofork", "--print-address"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as bus:
        assert bus.stdout is not None
        address = bus.stdout.readline().strip()
        environment = {**os.environ, "DBUS_SESSION_BUS_ADDRESS": address}
        with subprocess.Popen(
            [sys.executable, str(DESKTOP)], stdout=subprocess.PIPE, env=environment, bufsize=0
        ) as tray:
            assert tray.stdout is not None
            made = Desktop(address, tray.stdout)
            assert made.told() == {"ready": True}
            yield made
            tray.terminate()
        bus.terminate()


@pytest.mark.e2e
@pytest.mark.slow
def test_the_desktop_tells_of_a_lost_site_a_paused_handler_and_a_failed_run(
    tmp_path: Path, display: str, desktop: Desktop
) -> None:
    home = tmp_path / "home"
    write_day(home / "journal", now=time.time(), events=20)
    server = Journal.open(home / "journal")
    extra = {
        "DISPLAY": display,
        "QT_QPA_PLATFORM": "xcb",
        "DBUS_SESSION_BUS_ADDRESS": desktop.address,
        "FTRACK_SERVER": "http://127.0.0.1:9",
        "FTRACK_API_USER": "nobody",
        "FTRACK_API_KEY": "key",
    }
    with Program(home=home, extra=extra) as program:
        assert "icon" in desktop.told(), "".join(program.err)
        # What already was so when the window opened is no news: the site goes away until the window has looked. Each
        # time for longer: a window that looks as often as the site comes and goes might see one of both for ever.
        lost: dict[str, Any] = {}
        for seconds in (1, 2, 4, 8, 16, 32):
            server.set_health("site", "ok", "connected")
            if lost := desktop.told(seconds):
                break
            server.set_health("site", "error", "nothing answers at http://127.0.0.1:9")
            if lost := desktop.told(seconds):
                break
        assert lost == {"title": "Site: trouble", "text": "nothing answers at http://127.0.0.1:9"}
        server.open_breaker("create_task_folder", "five failures in a row")
        assert desktop.told() == {"title": "Create task folder is paused", "text": "five failures in a row"}
        runs = server.add_runs([NewRun("handler", "create_task_folder", "x", "", 1, 0.0, state="queued")])
        server.set_state([run for run in runs if run], "failed", "the drive is full")
        assert desktop.told() == {"title": "Create task folder: 1 run failed", "text": "the drive is full"}
        program.process.terminate()
        assert program.process.wait(60) == 0, "".join(program.err)
    server.close()
