"""The demo with its window, as `signalbox demo` starts it: events arrive, handlers act, it ends cleanly."""

from __future__ import annotations

from pathlib import Path

import pytest
from program import Program

from app.journal.journal import Journal


def seconds_of_demo(folder: Path, seconds: int) -> tuple[int, set[str]]:
    """A demo with its window that closes after so long: events that came, and states that runs came to."""
    arguments = ("demo", "--seconds", str(seconds), "--seed", "3", "--keep", str(folder / "demo"))
    with Program(*arguments, home=folder / "window", extra={"QT_QPA_PLATFORM": "offscreen"}) as demo:
        assert demo.ends(seconds + 90) == 0, demo.errors
        assert "Traceback" not in demo.errors
    assert not (folder / "window" / "state" / "crash.log").exists()
    assert (folder / "window" / "state" / "panel.ini").exists(), "the layout was kept"
    journal = Journal.open(folder / "demo" / "home" / "journal", "read")
    try:
        return journal.count_events(), {state for counts in journal.run_states().values() for state in counts}
    finally:
        journal.close()


@pytest.mark.e2e
@pytest.mark.slow
def test_the_demo_opens_a_window_on_live_events_and_ends_cleanly(tmp_path: Path) -> None:
    for seconds in (9, 90):  # the longer one only where starting takes most of the shorter
        events, states = seconds_of_demo(tmp_path / str(seconds), seconds)
        if events > 10 and "done" in states:
            break
    assert events > 10
    assert "done" in states
