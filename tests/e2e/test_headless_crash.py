"""Killed at every point and started again: everything once, or one message marked in doubt; the journal is whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from listening import until
from studio import Studio

from app.journal.crash import CRASHED
from app.journal.journal import Journal

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

POINTS = (
    "append",
    "claim",
    "plan_stored",
    "applying",
    "committed",
    "applied",
    "outbox_sending",
    "outbox_sent",
)


def connected(journal: Journal) -> bool:
    return any(lamp.name == "site" and lamp.state == "ok" for lamp in journal.health())


@pytest.fixture(scope="module")
def crash_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with Studio(tmp_path_factory.mktemp("crash")) as studio:
        yield studio


@pytest.mark.parametrize("point", POINTS)
def test_after_a_kill_every_task_has_its_folder_once_and_everybody_one_message(
    crash_studio: Studio, point: str
) -> None:
    studio = crash_studio
    studio.renew()
    lighting = studio.create_task("light_it", "Lighting")
    person = studio.rows('select id from User where username is "sana.malik"')[0]["id"]
    studio.create("Appointment", type="assignment", resource_id=person, context_id=lighting)
    animation = studio.create_task("move_it", "Animation")
    with studio.server(SIGNALBOX_CRASH_AT=f"{point}:1") as server:
        folder = Path(server.wait_line()["journal"])
        watching = Journal.open(folder, "read")
        try:
            assert until(lambda: connected(watching))
            studio.create_task("first")
            studio.set_status("Task", animation, "Ready for Lighting")
            studio.create_task("second")
        finally:
            watching.close()
        assert server.ends(40) == CRASHED, server.errors[-3000:]
    with studio.server() as server:
        server.wait_line()
        journal = Journal.open(folder, "read")
        try:
            assert until(lambda: _all_done(studio, journal), 40), (server.errors[-3000:], _states(journal))
            _assert_once(studio, journal)
        finally:
            journal.close()
        assert server.stop() == 0


def _lighters(studio: Studio) -> set[str]:
    """Slack names of everybody on a lighting task of the shot."""
    assigned = studio.rows(
        "select resource_id from Appointment where context.parent_id is"
        f' "{studio.shot["id"]}" and type is assignment and context.type.name is Lighting'
    )
    ids = ", ".join(f'"{row["resource_id"]}"' for row in assigned)
    people = studio.rows(f"select username from User where id in ({ids}) or memberships any (group_id in ({ids}))")
    return {studio.members[row["username"]] for row in people}


def _states(journal: Journal) -> list[tuple[str, str, str, str]]:
    return [(run.handler, run.state, run.entity, run.reason) for run in journal.runs()]


def _all_done(studio: Studio, journal: Journal) -> bool:
    there = all((studio.task_folder(name) / f"{studio.shot['name']}_v01.nk").exists() for name in ("first", "second"))
    told = len(studio.slack.messages) >= len(_lighters(studio)) or any(
        run.state == "in_doubt" for run in journal.runs()
    )
    open_runs = [run for run in journal.runs() if run.state in {"queued", "running", "retry", "waiting"}]
    return there and told and not open_runs


def _assert_once(studio: Studio, journal: Journal) -> None:
    for name in ("first", "second"):
        task = studio.rows(f'select id from Task where name is "{name}" and parent_id is "{studio.shot["id"]}"')[0][
            "id"
        ]
        file = studio.task_folder(name) / f"{studio.shot['name']}_v01.nk"
        assert sorted(one.name for one in studio.task_folder(name).iterdir()) == [file.name]
        assert studio.metadata(task)["filename"].endswith(file.name)
        assert studio.writes_of(task, "filename") <= 1
        assert len(studio.rows(f'select key from Metadata where parent_id is "{task}" and key is "filename"')) == 1
    sent = Counter(one.channel for one in studio.slack.messages if "Ready for Lighting" in one.text)
    doubtful = [run for run in journal.runs() if run.state == "in_doubt"]
    assert set(sent.values()) <= {1}, sent
    assert set(sent) == _lighters(studio) or doubtful, (sent, _states(journal))
    assert not [run for run in journal.runs() if run.state == "failed"], _states(journal)
    assert journal.read("PRAGMA integrity_check") == [("ok",)]
