"""The step from the demo to a real site: nothing acts before a person says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_room import Room

from app.handlers import all_handlers
from app.journal.journal import Journal
from app.service.cutover import is_embedded, settle_site
from app.site.types import Credentials

REAL = Credentials("https://studio.ftrackapp.example", "server", "a-key")


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.close()


def positions(journal: Journal) -> set[str]:
    return {row.position for row in journal.levers()}


def test_a_newly_connected_real_site_begins_in_dry_run_and_now(room: Room) -> None:
    assert settle_site(room.journal, REAL) is False
    room.start(*all_handlers())
    assert positions(room.journal) == {"dry"}
    assert room.journal.fact("site") == {"server": REAL.server, "embedded": False}
    room.stop()
    room.journal.set_lever("create_task_folder", "", "on", "anna", "compared for a week")
    settle_site(room.journal, REAL)
    assert room.journal.lever("create_task_folder")[0] == "on", "the same site is not new at the next start"


def test_a_handler_goes_on_only_after_the_old_servers_is_confirmed_off(room: Room) -> None:
    settle_site(room.journal, REAL)
    room.start(*all_handlers())
    told = room.order("set_lever", handler="create_task_folder", position="on", why="enough")
    assert "old server's is switched off" in told["refused"]
    assert room.journal.lever("create_task_folder")[0] == "dry"
    room.order(
        "set_lever", handler="create_task_folder", position="on", why="its plugin is removed", old_server_off=True
    )
    assert room.journal.lever("create_task_folder")[0] == "on"
    noted = room.journal.fact("old_server_off")["create_task_folder"]
    assert (noted["who"], noted["why"]) == ("a person", "its plugin is removed")
    assert "refused" in room.order("set_lever", handler="status_handler", position="on"), "each handler is confirmed"
    assert "refused" not in room.order("set_lever", handler="create_task_folder", position="off")
    assert "refused" not in room.order("set_lever", handler="create_task_folder", position="on"), "once is enough"


def test_another_real_site_moves_every_lever_back_and_forgets_the_past(room: Room) -> None:
    settle_site(room.journal, REAL)
    room.start(*all_handlers())
    room.stop()
    room.journal.set_lever("create_task_folder", "nightjar", "on", "anna", "")
    room.journal.heard(1000.0)
    settle_site(room.journal, Credentials("https://other.ftrackapp.example", "server", "a-key"))
    assert positions(room.journal) == {"dry"}
    assert {row.project for row in room.journal.levers()} == {""}
    assert room.journal.last_heard() is None
    (why,) = {row.why for row in room.journal.levers()}
    assert "other.ftrackapp.example" in why


def test_an_address_elsewhere_is_real_whatever_it_says_and_one_here_is_asked() -> None:
    def lie() -> dict[str, bool]:
        return {"signalbox_embedded": True}

    assert not is_embedded("https://studio.ftrackapp.com", lie)
    assert not is_embedded("http://192.168.0.153:8080", lie)
    assert is_embedded("http://127.0.0.1:8080", lie)
    assert is_embedded("http://localhost:8080", lie)
    assert not is_embedded("http://127.0.0.1:8080", lambda: {"version": "24.10"}), "a tunnel to a real site"
