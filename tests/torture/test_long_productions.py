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
        events = 0
        while events < 2000:
            play.artists.act(40)
            events += play.room.feed(300)
        assert len(failures(play)) == len(BAD_NAMES)
        assert play.judge().differences == []
    finally:
        play.close()
