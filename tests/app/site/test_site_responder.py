"""Menus and forms through the real web client's eyes: answered apart from events, never silently late."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from listening import QUICK
from sandbox_process import SandboxProcess
from web_client import Message, WebClient

from app.journal.journal import Journal
from app.rules.outcomes import PlanError
from app.site.cache import LookUps
from app.site.door import Site
from app.site.listener import Listener
from app.site.responder import Responder
from app.site.types import Credentials

ASKING = QUICK.model_copy(
    update={"subscriptions": ["topic=ftrack.update", "topic=ftrack.action.discover", "topic=ftrack.action.launch"]}
)


class Counting:
    """A small registry: one action that counts tasks, slowly when told to."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.go_on.set()

    def discover(self, event: Mapping[str, Any], site: Any) -> Sequence[Mapping[str, Any]]:
        tasks = len(site.rows("select id from Task"))
        return [{"label": f"Count {tasks > 0}", "actionIdentifier": "count"}] if event["data"]["selection"] else []

    def launch(self, event: Mapping[str, Any], site: Any) -> Mapping[str, Any] | None:
        what = event["data"]["actionIdentifier"]
        if what == "broken":
            raise PlanError("This needs a shot: select one.")
        if what != "count":
            return None
        self.go_on.wait(20)
        return {"items": [{"type": "number", "name": "limit", "value": 3}], "title": "Count"}


@pytest.fixture
def registry(credentials: Credentials, journal: Journal, tmp_path: Path) -> Iterator[Counting]:
    counting = Counting()
    local = threading.local()
    doors: list[Site] = []
    look_ups = LookUps()

    def site() -> Site:
        if not hasattr(local, "door"):
            local.door = Site(credentials, look_ups, cache=tmp_path / "responders")
            doors.append(local.door)
        return local.door

    asked: list[Responder] = []

    def ask(event: Mapping[str, Any]) -> None:
        asked[0].ask(event)

    listener = Listener(credentials, ASKING, journal, on_question=ask)
    asked.append(Responder(counting, listener, site, patience=0.5))
    listener.start()
    assert listener.wait_connected(10)
    yield counting
    counting.go_on.set()
    asked[0].close()
    assert listener.stop()
    for door in doors:
        door.close()


@pytest.fixture
def browser(calm_site: SandboxProcess, tmp_path: Path) -> Iterator[WebClient]:
    with WebClient(calm_site.url, calm_site.key, "dana.reyes", tmp_path / "browser") as window:
        yield window


SHOT = {"entityId": "0", "entityType": "task"}


def test_an_action_is_offered_where_it_fits_and_opens_its_form(
    registry: Counting, browser: WebClient, journal: Journal
) -> None:
    item = browser.offered("count", SHOT)
    assert item["label"] == "Count True"
    form = browser.launch(item, SHOT)
    assert not isinstance(form, Message)
    assert form.values == {"limit": 3}
    assert {event.topic for event in journal.stored_events(0, 100)} == {"ftrack.action.launch"}


def test_a_slow_form_is_answered_preparing_and_pushed_to_the_person_when_ready(
    registry: Counting, browser: WebClient
) -> None:
    registry.go_on.clear()
    answer = browser.launch("count", SHOT)
    assert isinstance(answer, Message)
    assert answer.text.startswith("Preparing")
    registry.go_on.set()
    assert browser.pushed_form().values == {"limit": 3}


def test_a_reason_reaches_the_person(registry: Counting, browser: WebClient) -> None:
    answer = browser.launch("broken", SHOT)
    assert isinstance(answer, Message)
    assert not answer.success
    assert answer.text == "This needs a shot: select one."
