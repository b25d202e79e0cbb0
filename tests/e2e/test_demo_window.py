"""The demo with its window, as `signalbox demo` starts it: events arrive, handlers act, it ends cleanly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.journal.journal import Journal


@pytest.mark.e2e
@pytest.mark.slow
def test_the_demo_opens_a_window_on_live_events_and_ends_cleanly(tmp_path: Path) -> None:
    kept = tmp_path / "demo"
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "SIGNALBOX_HOME": str(tmp_path / "window")}
    ended = subprocess.run(
        [sys.executable, "-m", "app.cli", "demo", "--seconds", "9", "--seed", "3", "--keep", str(kept)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    journal = Journal.open(kept / "home" / "journal", "read")
    try:
        assert journal.count_events() > 10
        states = journal.run_states()
        assert any(count.get("done") for count in states.values()), states
    finally:
        journal.close()
    assert not (tmp_path / "window" / "state" / "crash.log").exists()
    assert (tmp_path / "window" / "state" / "panel.ini").exists(), "the layout was kept"
