"""Long random productions, judged by the independent checker."""

from __future__ import annotations

from pathlib import Path

import pytest
from checker import HANDLERS
from play import Play, failures
from signal_room import SignalRoom

from app.sandbox.simulate import BAD_NAMES

LEVERS: dict[str, dict[str, str]] = {
    "on": {},
    "off": dict.fromkeys(sorted(HANDLERS), "off"),
    "dry": dict.fromkeys(sorted(HANDLERS), "dry"),
    "folders off, the rest on": {"create_project_folder": "off", "create_task_folder": "off"},
    "folders dry, the rest on": {"create_project_folder": "dry", "create_task_folder": "dry"},
    "statuses and lists off, the rest on": {"assign_task_status": "off", "add_version_to_list": "off"},
    "statuses and lists dry, the rest on": {"assign_task_status": "dry", "add_version_to_list": "dry"},
    "messages and images off, the rest on": {"status_handler": "off", "set_task_thumbnail": "off"},
    "messages and images dry, the rest on": {"status_handler": "dry", "set_task_thumbnail": "dry"},
}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("levers", list(LEVERS.values()), ids=list(LEVERS))
@pytest.mark.parametrize("workers", [1, 8])
def test_two_thousand_events_leave_no_difference(tmp_path: Path, workers: int, levers: dict[str, str]) -> None:
    play = Play(tmp_path, 100 + workers, workers)
    try:
        play.room.start(**levers)
        while play.room.room.journal.last_event_id() < 2000:
            play.act(40, chunk=40)
        # In a dry run the two bad tasks fail too: while they are planned.
        assert len(failures(play)) == (0 if levers.get("create_task_folder") == "off" else len(BAD_NAMES))
        assert play.judge([one for one in HANDLERS if one not in levers]).differences == []
    finally:
        play.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_event_again_on_an_empty_journal_plans_no_effect(tmp_path: Path) -> None:
    play = Play(tmp_path, 21, 4)
    again = SignalRoom(tmp_path / "again", play.site.url, play.site.user, play.site.key, play.slack)
    try:
        again.set("studio", "disk_map", {"/data/production": str(play.drive)})
        play.room.start()
        play.act(400, chunk=40)
        again.start()
        again.feed()
        assert [(run.handler, run.entity) for run in again.runs() if run.effects and run.state != "failed"] == []
        assert play.judge().differences == []
    finally:
        again.close()
        play.close()
