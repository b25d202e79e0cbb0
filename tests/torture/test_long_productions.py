"""Long random productions, judged by the independent checker."""

from __future__ import annotations

from pathlib import Path

import pytest
from play import Play, failures

from app.sandbox.simulate import BAD_NAMES


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("workers", [1, 8])
def test_two_thousand_events_leave_no_difference(tmp_path: Path, workers: int) -> None:
    play = Play(tmp_path, 100 + workers, workers)
    try:
        play.room.start()
        while play.room.room.journal.last_event_id() < 2000:
            play.act(40, chunk=40)
        assert len(failures(play)) == len(BAD_NAMES)
        assert play.judge().differences == []
    finally:
        play.close()
