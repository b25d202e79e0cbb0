"""An action that another server answers too is seen, and told where people look."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ftrack_api
import pytest
from listening import QUICK, until
from sandbox_process import SandboxProcess

from app.actions import all_actions
from app.journal.journal import Journal
from app.service.doctor import examine
from app.service.menu import MenuWatch
from app.service.shadow import _actions_elsewhere
from app.site.cache import LookUps
from app.site.door import Site
from app.site.listener import Listener
from app.site.types import Credentials

pytestmark = pytest.mark.slow


class OtherServer:
    """A studio's older server: one action, offered to everybody. Use as a context manager."""

    def __init__(self, site: SandboxProcess, item: dict[str, str]) -> None:
        self._stop = threading.Event()
        self._item = item
        answer = site.api({"action": "query", "expression": "select username from User where is_active is true"})
        assert isinstance(answer, list)
        self.user = next(row["username"] for row in answer[0]["data"] if row["username"] != site.user)
        self.session = ftrack_api.Session(
            server_url=site.url, api_key=site.key, api_user=self.user, auto_connect_event_hub=False
        )
        self.session.event_hub.connect()
        self.session.event_hub.subscribe("topic=ftrack.action.discover", self._discover)
        self._thread = threading.Thread(target=self._listen)

    def _discover(self, _event: Any) -> dict[str, Any]:
        return {"items": [self._item]}

    def _listen(self) -> None:
        while not self._stop.is_set():
            self.session.event_hub.wait(0.1)

    def __enter__(self) -> OtherServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        self.session.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("menu") / "site", "studio", "--heartbeat", "0.4") as made:
        yield made


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(tmp_path / "journal")
    yield opened
    opened.close()


@pytest.fixture
def says(site: SandboxProcess, journal: Journal, tmp_path: Path) -> Iterator[Callable[[str, str], bool]]:
    """Lets the watch look, again and again, until the lamp has a state and says some words; whether it came to that."""
    listener = Listener(Credentials(site.url, site.user, site.key), QUICK, journal)
    listener.start()
    assert listener.wait_connected(10)
    door = Site(Credentials(site.url, site.user, site.key), LookUps(), cache=tmp_path / "cache")
    watch = MenuWatch(journal, listener, lambda: door, all_actions(), first=0.0, patience=0.2, pause=0.0)

    def said(state: str, words: str) -> bool:
        watch.turn()
        return any(one.name == "menus" and one.state == state and words in one.words for one in journal.health())

    yield lambda state, words: until(lambda: said(state, words))
    door.close()
    assert listener.stop()


def test_an_action_of_the_same_name_is_told_by_lamp_doctor_and_report(
    site: SandboxProcess, journal: Journal, says: Callable[[str, str], bool], tmp_path: Path
) -> None:
    journal.set_lever("batch_create", "", "on", "anna", "")
    assert says("ok", "nobody else answers our actions")
    with OtherServer(site, {"label": "Batch create", "actionIdentifier": "studio.batch"}) as other:
        assert says("warning", f"Batch Create is also answered by {other.user}")
        (finding,) = [one for one in examine(tmp_path / "settings.toml", journal.folder) if one.name == "menus"]
        assert finding.state == "warning"
        assert "studio.batch" in finding.words
        assert "switch the action off" in finding.advice
        (double,) = _actions_elsewhere(journal)
        assert (double.kind, double.handler, double.signalbox) == ("double", "batch_create", "the lever stands at on")
        journal.set_lever("batch_create", "", "off", "anna", "the old one is used")
        assert says("ok", "still answers Batch Create; ours are Off"), "one answer is no double"
    assert says("ok", "nobody else answers our actions")


def test_a_second_signalbox_on_the_same_site_is_seen_and_a_strange_action_is_not(
    site: SandboxProcess, journal: Journal, says: Callable[[str, str], bool]
) -> None:
    journal.set_lever("upload_media", "", "on", "anna", "")
    with OtherServer(site, {"label": "Publish", "actionIdentifier": "signalbox.upload_media"}):
        assert says("warning", "Upload Media is also answered")
    with OtherServer(site, {"label": "Publish", "actionIdentifier": "studio.publish"}):
        assert says("ok", "nobody else")
