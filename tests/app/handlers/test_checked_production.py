"""Seeded random productions, judged by the independent checker: nothing missing, nothing too much."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from checker import HANDLERS, Verdict
from play import Play, failures

from app.sandbox.simulate import BAD_NAMES


def played(folder: Path, *, seed: int, steps: int, workers: int, levers: dict[str, str] | None = None) -> Verdict:
    levers = levers or {}
    play = Play(folder, seed, workers)
    try:
        play.room.start(**levers)
        play.act(steps)
        wrong = failures(play)
        if "create_task_folder" not in levers:
            # The two deliberately bad tasks, and nothing else.
            assert len(wrong) == len(BAD_NAMES), wrong
            assert all("cannot be a folder" in text for text in wrong)
        return play.judge([one for one in HANDLERS if one not in levers])
    finally:
        play.close()


@pytest.mark.parametrize("workers", [1, 8])
def test_a_random_production_is_exactly_what_its_history_demands(tmp_path: Path, workers: int) -> None:
    verdict = played(tmp_path, seed=20 + workers, steps=120, workers=workers)
    assert verdict.differences == []
    # Each of the six handlers had something to do.
    assert all(
        verdict.compared[what]
        for what in (
            *("project folder", "path on the drive", "file name in the metadata of a task", "task status"),
            *("version on a list", "message", "image of a status", "thumbnail given back"),
        )
    )


@pytest.mark.parametrize("position", ["off", "dry"])
def test_handlers_that_are_not_on_did_nothing(tmp_path: Path, position: str) -> None:
    verdict = played(tmp_path, seed=5, steps=60, workers=4, levers=dict.fromkeys(HANDLERS, position))
    assert verdict.differences == []
    assert verdict.compared["path on the drive"] > 0


@pytest.mark.parametrize(
    "levers",
    [
        {"create_task_folder": "off", "assign_task_status": "dry"},
        {"create_project_folder": "dry", "status_handler": "off"},
        {"add_version_to_list": "off", "set_task_thumbnail": "dry"},
    ],
    ids="-".join,
)
def test_some_handlers_rest_while_the_others_work(tmp_path: Path, levers: dict[str, str]) -> None:
    assert played(tmp_path, seed=7, steps=40, workers=4, levers=levers).differences == []


def rows(play: Play, expression: str) -> list[dict[str, Any]]:
    return list(play.site.api({"action": "query", "expression": expression})[0]["data"])


def test_the_checker_notices_what_is_missing_and_what_is_too_much(tmp_path: Path) -> None:
    play = Play(tmp_path, 3, 4)
    try:
        play.room.start()
        play.act(60)
        assert play.slack.messages[0].text != play.slack.messages[-1].text
        folder = next(path for path in play.drive.rglob("scene/*") if path.is_dir() and not list(path.iterdir()))
        folder.rmdir()
        (play.drive / "nightjar/shots/999/999_0010").mkdir(parents=True)
        file = next(path for path in play.drive.rglob("scene/*/*_v01.*"))
        file.write_bytes(b"not the template")
        file.chmod(0o600)
        play.slack.messages.append(play.slack.messages[-1])
        play.slack.messages.pop(0)
        # The seed's lists are none of the server's doing: what the history tells of comes last.
        item = rows(play, 'select id, entity_id from ListObject where list.name like "Dailies%"')[-1]
        task = rows(play, 'select id, name from Task where thumbnail.name in ("cut", "on_hold")')[-1]
        approved = rows(play, 'select id from Status where name is "Approved"')[0]["id"]
        play.site.api(
            {"action": "delete", "entity_type": "ListObject", "entity_key": [item["id"]]},
            {
                "action": "update",
                "entity_type": "Task",
                "entity_key": [task["id"]],
                "entity_data": {"__entity_type__": "Task", "status_id": approved},
            },
        )
        verdict = play.judge()
    finally:
        play.close()
    assert [one for one in verdict.missing if str(folder) in one]
    assert [one for one in verdict.unexpected if "999_0010" in one]
    assert len([one for one in verdict.unexpected if str(file) in one]) == 2, "content and mode"
    assert [one for one in verdict.missing if "1 message(s)" in one]
    assert [one for one in verdict.unexpected if "1 message(s)" in one]
    assert [one for one in verdict.missing if "version on a list" in one and item["entity_id"] in one]
    assert [one for one in verdict.unexpected if "set without a version" in one and task["name"] in one]
    assert [one for one in verdict.unexpected if "thumbnail" in one and task["name"] in one]
