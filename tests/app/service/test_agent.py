"""The agent on an artist's machine: only its own person's launches open there, and everybody else gets the web form."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from artist_room import Studio, server_of, studio_in
from listening import until
from web_client import Form, Message, WebClient, selected

from app.service.agent import TOPIC, AgentEar
from app.service.browser import Desk


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    with studio_in(tmp_path, monkeypatch) as made, server_of(made) as service:
        assert service.listener is not None
        assert service.listener.wait_connected(20)
        yield made


def test_upload_media_opens_on_the_persons_own_machine_and_nowhere_else(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [row["username"] for row in studio.rows("select username from User where is_active is true")]
    own, other = (name for name in sorted(names)[:2])
    heard: list[str] = []
    monkeypatch.setenv("FTRACK_API_USER", own)  # an artist's machine is signed in as the artist
    desk = Desk(studio.installation)
    ear = AgentEar(studio.installation, desk.person(), heard.append)
    with (
        WebClient(studio.site.url, studio.site.key, own, tmp_path / "own") as page,
        WebClient(studio.site.url, studio.site.key, other, tmp_path / "other") as stranger,
    ):
        task = page.session.query("select id from Task limit 1")[0]
        began = time.monotonic()
        assert isinstance(page.launch("signalbox.upload_media", selected(task)), Form), "no agent: the web form comes"
        assert time.monotonic() - began < 5
        ear.start()
        try:
            assert ear.listener.wait_connected(20)
            answer = page.launch("signalbox.upload_media", selected(task))
            assert isinstance(answer, Message)
            assert answer.success
            assert "opens on your machine" in answer.text
            assert until(lambda: heard == [task["id"]])
            assert isinstance(stranger.launch("signalbox.upload_media", selected(task)), Form)
            assert heard == [task["id"]]
        finally:
            ear.close()
        assert isinstance(page.launch("signalbox.upload_media", selected(task)), Form), "the agent is gone"
    runs = studio.rows(f'select id from AssetVersion where task_id is "{task["id"]}" and asset.name is "ReviewAsset"')
    assert runs == [], "an agent never uploads by itself"
    desk.close()


def test_nonsense_sent_to_an_agent_is_left_alone(studio: Studio) -> None:
    heard: list[str] = []
    desk = studio.desk()
    ear = AgentEar(studio.installation, desk.person(), heard.append)
    from app.journal.rows import RawEvent

    own = desk.person().id
    for data in (
        {"user_id": own, "task_id": "../../etc/passwd"},
        {"user_id": "somebody else", "task_id": "11111111-0000-4000-8000-000000000001"},
        {"user_id": own},
        "nothing",
        None,
    ):
        ear.append_events([RawEvent({"id": "x", "topic": TOPIC, "data": data, "source": {}}, time.time())])
    assert heard == []
    desk.close()
    ear.listener.stop()
