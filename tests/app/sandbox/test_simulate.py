"""Simulated artists: the same seed is the same play, and the play is a production's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_process import SandboxProcess

from app.sandbox.simulate import BAD_NAMES, Artists, Client, RequestRefused


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SandboxProcess]:
    """A studio site."""
    with SandboxProcess(tmp_path / "site") as running:
        yield running


def story(site: SandboxProcess) -> list[tuple[str, str, str]]:
    return [
        (row["event"]["source"]["user"]["username"], entity["action"], entity["entityId"])
        for row in site.events()
        for entity in row["event"]["data"]["entities"]
        if entity["entity_type"] in ("Task", "Shot", "AssetBuild", "AssetVersion", "Project")
    ]


def play(site: SandboxProcess, seed: int, steps: int) -> list[tuple[str, str, str]]:
    artists = Artists(site.url, site.key, site.user, seed)
    artists.act(steps)
    artists.close()
    return story(site)


def test_a_seed_decides_who_does_what_under_which_ids(site: SandboxProcess, tmp_path: Path) -> None:
    first = play(site, 7, 25)
    with SandboxProcess(tmp_path / "again") as again:
        assert play(again, 7, 25) == first
    with SandboxProcess(tmp_path / "other") as other:
        assert play(other, 8, 25) != first


def test_artists_do_all_that_a_production_does(site: SandboxProcess) -> None:
    artists = Artists(site.url, site.key, site.user, 1)
    done = artists.act(120)
    artists.close()
    assert set(done) >= {
        "project created",
        "shot created",
        "task created",
        "work started",
        "version published",
        "version reviewed",
        "task handed over",
        "note written",
        "bad task created",
    }
    assert done["bad task created"] == 2
    people = {who for who, _action, _entity in story(site)}
    assert len(people) >= 8


def test_the_two_bad_tasks_are_really_there(site: SandboxProcess) -> None:
    play(site, 3, 10)
    rows = site.api({"action": "query", "expression": "select name from Task"})[0]["data"]
    assert {row["name"] for row in rows} >= set(BAD_NAMES)
    assert len(BAD_NAMES[1]) == 300


def test_activity_keeps_to_its_time_and_rate(site: SandboxProcess) -> None:
    artists = Artists(site.url, site.key, site.user, 5)
    done = artists.run(seconds=2.0, rate=10.0)
    artists.close()
    assert 3 <= sum(done.values()) <= 40


def test_a_site_without_a_production_is_said_so(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "cloud", "cloud") as site, pytest.raises(RequestRefused, match="studio profile"):
        Artists(site.url, site.key, site.user, 1)


def test_a_refusal_carries_the_site_s_own_words(site: SandboxProcess) -> None:
    client = Client(site.url, site.key)
    with pytest.raises(RequestRefused, match="ParseError"):
        client.query(site.user, "select from where")
    with pytest.raises(RequestRefused, match="API key is not valid"):
        client.query("nobody", "select id from User")
    client.close()
