"""Levers and replays on a running server, given from a terminal as a TD would."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from listening import until
from program import Program, run_program_line
from studio import Studio

from app.journal.journal import Journal
from app.site.hub import HubConnection, event_packet
from app.site.types import Credentials

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


class Running:
    """A studio with a running server and its journal."""

    def __init__(self, studio: Studio, server: Program, journal: Journal) -> None:
        self.studio, self.server, self.journal = studio, server, journal

    def command(self, *arguments: str) -> dict[str, Any]:
        """A `signalbox` command with --json, which must succeed."""
        code, facts = run_program_line(*arguments, "--json", home=self.studio.home, extra=self.studio.environment())
        assert code == 0, facts
        return facts

    def runs(self, handler: str) -> list[tuple[str, str]]:
        """(state, entity) of a handler's runs, oldest first."""
        return [(run.state, run.entity) for run in reversed(self.journal.runs(handler=handler))]

    def event_of(self, task: str) -> int:
        """The journal's row of the event that added a task."""
        assert until(lambda: self._rows(task)), "the event was not kept"
        return self._rows(task)[0]

    def _rows(self, task: str) -> list[int]:
        return [event.id for event in self.journal.stored_events(0, 10_000) if task in json.dumps(event.raw)]


@pytest.fixture(scope="module")
def shared_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with Studio(tmp_path_factory.mktemp("levers")) as studio:
        yield studio


@pytest.fixture
def studio(shared_studio: Studio) -> Studio:
    shared_studio.renew()
    return shared_studio


@pytest.fixture
def running(studio: Studio) -> Iterator[Running]:
    with studio.server() as server:
        folder = Path(server.wait_line()["journal"])
        journal = Journal.open(folder, "read")
        try:
            assert until(lambda: any(lamp.name == "site" and lamp.state == "ok" for lamp in journal.health()))
            yield Running(studio, server, journal)
        finally:
            journal.close()
        assert server.stop() == 0, server.errors[-3000:]
        assert "Traceback" not in server.errors, server.errors[-3000:]


def test_dry_run_touches_nothing_and_shows_the_plan(running: Running) -> None:
    running.command("lever", "create_task_folder", "dry")
    task = running.studio.create_task("only_planned")
    assert until(lambda: [state for state, _ in running.runs("create_task_folder")] == ["planned"])
    run = running.journal.runs(handler="create_task_folder")[0]
    words = [effect.words for effect in running.journal.run(run.id).effects]
    assert any(str(running.studio.task_folder("only_planned")) in one for one in words), words
    assert not running.studio.task_folder("only_planned").exists()
    assert running.studio.metadata(task) == {}


def test_off_makes_no_run_and_offers_the_kept_events_when_turned_on(running: Running) -> None:
    running.command("lever", "create_task_folder", "off", "--why", "moving the drive")
    task = running.studio.create_task("while_off")
    running.event_of(task)
    assert until(lambda: running.journal.cursor() >= running.journal.last_event_id())
    assert running.runs("create_task_folder") == []
    turned = running.command("lever", "create_task_folder", "on")
    assert turned["kept_events"] == 1
    assert not running.studio.task_folder("while_off").exists()
    running.command("lever", "create_task_folder", "on", "--process-kept")
    assert until(running.studio.task_folder("while_off").is_dir)


def test_one_shows_lever_is_set_apart_and_follows_again(running: Running) -> None:
    show = running.studio.project["name"]
    running.event_of(running.studio.create_task("makes_the_show_known"))
    first = running.command("lever", "create_task_folder", "off", "--project", show)
    assert (first["position"], first["known"]) == ("off", True)
    assert not running.command("lever", "create_task_folder", "off", "--project", "nightjra")["known"]

    def stands() -> dict[str, str]:
        levers = {one["id"]: one["projects"] for one in running.command("status")["handlers"]}
        return dict(levers["create_task_folder"])

    assert stands() == {show: "off", "nightjra": "off"}
    for name in (show, "nightjra"):
        running.command("lever", "create_task_folder", "follow", "--project", name)
    assert stands() == {}


def test_a_folder_deleted_by_hand_is_made_again_by_a_replay(running: Running) -> None:
    task = running.studio.create_task("made_twice")
    folder = running.studio.task_folder("made_twice")
    assert until(lambda: [state for state, _ in running.runs("create_task_folder")] == ["done"])
    shutil.rmtree(folder)
    event = str(running.event_of(task))
    planned = running.command("replay", event, "--dry-run")
    assert [run["state"] for run in planned["runs"] if run["handler"] == "create_task_folder"] == ["planned"]
    assert not folder.exists()
    again = running.command("replay", event)
    assert [run["state"] for run in again["runs"] if run["handler"] == "create_task_folder"] == ["done"]
    assert (folder / f"{running.studio.shot['name']}_v01.nk").is_file()


def test_an_event_that_comes_twice_plans_no_second_effect(running: Running) -> None:
    running.studio.site.faults(duplicate=True)
    running.studio.create_task("twice")
    assert until(lambda: [state for state, _ in running.runs("create_task_folder")] == ["done"])
    running.studio.site.faults(duplicate=False)
    task = running.studio.create_task("after")
    running.event_of(task)
    assert until(lambda: len(running.runs("create_task_folder")) == 2)


def test_every_event_again_on_an_empty_journal_plans_no_effect(studio: Studio, tmp_path: Path) -> None:
    with studio.server() as server:
        journal = Journal.open(Path(server.wait_line()["journal"]), "read")
        try:
            assert until(lambda: any(one.name == "site" and one.state == "ok" for one in journal.health()))
            animation = studio.create_task("anim", "Animation")
            studio.create_task("comp")
            studio.set_status("Task", animation, "Ready for Lighting")
            assert until(lambda: studio.task_folder("comp").is_dir() and studio.slack.messages)
            assert until(lambda: journal.queue_length() == 0)
        finally:
            journal.close()
        assert server.stop() == 0
    told = len(studio.slack.messages)
    kept = studio.home / "journal"
    events = Journal.open(kept, "read")
    raw = [event.raw for event in events.stored_events(0, 10_000) if event.topic == "ftrack.update"]
    events.close()
    shutil.move(kept, tmp_path / "first-journal")
    with studio.server() as server:
        journal = Journal.open(Path(server.wait_line()["journal"]), "read")
        try:
            assert until(lambda: any(one.name == "site" and one.state == "ok" for one in journal.health()))
            assert journal.count_events() == 0
            hub = HubConnection(Credentials(studio.site.url, studio.site.user, studio.site.key), timeout=10)
            try:
                for number, event in enumerate(raw, 1):
                    hub.send(event_packet(event, number))
                assert until(lambda: journal.count_events() == len(raw))
            finally:
                hub.close()
            assert until(lambda: journal.cursor() >= journal.last_event_id() and journal.queue_length() == 0)
            done = [effect for run in journal.runs() for effect in journal.run(run.id).effects]
            assert [effect.words for effect in done] == []
        finally:
            journal.close()
        assert server.stop() == 0
    assert len(studio.slack.messages) == told


def test_ready_for_comp_on_a_version_gives_one_message_to_each_compositor(running: Running) -> None:
    studio = running.studio
    light = studio.rows(f'select id from Task where parent_id is "{studio.shot["id"]}" and type.name is Lighting')[0][
        "id"
    ]
    # Which shots have a compositor differs, and which shot this is depends on the tests before.
    person = studio.rows('select id from User where username is "sana.malik"')[0]["id"]
    compositing = studio.create_task("comp_it")
    studio.create("Appointment", type="assignment", resource_id=person, context_id=compositing)
    asset = studio.create(
        "Asset", name="lighting", context_id=studio.shot["id"], type_id=studio.named("AssetType", "Upload")
    )
    version = studio.create("AssetVersion", asset_id=asset, task_id=light)
    studio.set_status("AssetVersion", version, "Ready for Comp")
    assigned = studio.rows(
        f'select resource.username from Appointment where context.parent_id is "{studio.shot["id"]}"'
        " and type is assignment and context.type.name is Compositing"
    )
    wanted = sorted({studio.members[row["resource"]["username"]] for row in assigned})
    assert studio.members["sana.malik"] in wanted
    assert until(lambda: len(studio.slack.messages) >= len(wanted))
    task_status = lambda: studio.rows(f'select status.name from Task where id is "{light}"')[0]["status"]["name"]  # noqa: E731
    assert until(lambda: task_status() == "Ready for Comp")
    assert until(lambda: running.journal.cursor() >= running.journal.last_event_id())
    assert until(lambda: running.journal.queue_length() == 0)
    assert sorted(one.channel for one in studio.slack.messages) == wanted
    assert all("Ready for Comp" in one.text and studio.shot["name"] in one.text for one in studio.slack.messages)
