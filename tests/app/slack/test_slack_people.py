"""Who is who on Slack."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.rules.outcomes import PlanError
from app.sandbox.slack_api import Member, SlackServer
from app.settings.models import SlackSettings
from app.slack import SlackClient, SlackLater, SlackPeople, parse_mapping

HANDBOOK = """{
    #Ftrack username : Slack username
    "Natasha":"@natasha",
    "Derik":"@derik",
    #Ftrack Project: Slack channel name
    "osg_szm":"#sizematters"
    "tutorials":"tutorials",
}"""


class Seconds:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def workspace() -> Iterator[SlackServer]:
    with SlackServer([Member("U00000001", "natasha", "Natasha", "natasha@studio.example")]) as server:
        yield server


@pytest.fixture
def settings(workspace: SlackServer, tmp_path: Path) -> SlackSettings:
    path = tmp_path / "slack_ftrack_users.json"
    path.write_text(HANDBOOK)
    return SlackSettings(base_url=workspace.url, mapping_file=str(path))


def people(settings: SlackSettings, workspace: SlackServer | None, clock: Any = None) -> SlackPeople:
    directory = SlackClient(lambda: settings, lambda: workspace.token) if workspace else None
    return SlackPeople(lambda project=None: settings, directory, **({"clock": clock} if clock else {}))


def test_the_handbooks_own_file_is_read_comments_and_commas_included() -> None:
    assert parse_mapping(HANDBOOK, "file") == {
        "Natasha": "@natasha",
        "Derik": "@derik",
        "osg_szm": "#sizematters",
        "tutorials": "tutorials",
    }


def test_users_and_projects_may_stand_apart() -> None:
    text = json.dumps({"users": {"natasha": "U1"}, "projects": {"szm": "#szm"}})
    assert parse_mapping(text, "file") == {"natasha": "U1", "szm": "#szm"}


def test_a_hash_within_a_name_is_no_comment() -> None:
    assert parse_mapping('{"show": "#show", "b": "#b"}', "file") == {"show": "#show", "b": "#b"}


@pytest.mark.parametrize("text", ["{", '["a"]', '{"a": }'])
def test_a_file_that_is_no_mapping_says_so(text: str) -> None:
    with pytest.raises(PlanError, match=r"users\.json"):
        parse_mapping(text, "users.json")


@pytest.mark.parametrize("text", ['{"natasha": 12}', '{"users": {"natasha": 12}}'])
def test_a_number_as_a_slack_name_is_refused_by_the_name_it_stands_at(text: str) -> None:
    with pytest.raises(PlanError, match=r"users\.json gives 'natasha' the Slack name 12, which is not text"):
        parse_mapping(text, "users.json")


def test_a_mapped_name_becomes_the_id_of_the_directory(settings: SlackSettings, workspace: SlackServer) -> None:
    who = people(settings, workspace)
    assert who.slack_user("Natasha", None) == "U00000001"
    assert who.slack_user("natasha", None) == "U00000001"
    assert who.slack_user("Derik", None) == "@derik"


def test_the_email_is_asked_where_the_mapping_has_no_entry(settings: SlackSettings, workspace: SlackServer) -> None:
    who = people(settings, workspace)
    assert who.slack_user("somebody", "Natasha@Studio.example") == "U00000001"
    assert who.slack_user("somebody", None) is None
    assert who.slack_user("somebody", "nobody@studio.example") is None


def test_channels_come_from_the_mapping_else_the_default(settings: SlackSettings, workspace: SlackServer) -> None:
    who = people(settings, workspace)
    assert who.slack_channel("osg_szm") == "#sizematters"
    assert who.slack_channel("tutorials") == "#tutorials"
    assert who.slack_channel("other") == "#general"


def test_the_directory_is_kept_for_an_hour(settings: SlackSettings, workspace: SlackServer) -> None:
    clock = Seconds()
    who = people(settings, workspace, clock)
    for _ in range(5):
        who.slack_user("somebody", "natasha@studio.example")
    assert workspace.calls["users.list"] == 1
    clock.now = 3601.0
    who.slack_user("somebody", "natasha@studio.example")
    assert workspace.calls["users.list"] == 2


def test_somebody_who_joined_since_is_found_and_an_unknown_address_is_not_asked_for_again_and_again(
    settings: SlackSettings, workspace: SlackServer
) -> None:
    clock = Seconds()
    who = people(settings, workspace, clock)
    assert who.slack_user("new", "new@studio.example") is None
    assert who.slack_user("new", "new@studio.example") is None
    assert workspace.calls["users.lookupByEmail"] == 1
    workspace._members.append(Member("U00000002", "new", "New", "new@studio.example"))
    clock.now = 301.0
    assert who.slack_user("new", "new@studio.example") == "U00000002"


def test_the_mapping_file_is_read_again_when_it_changes(settings: SlackSettings, workspace: SlackServer) -> None:
    who = people(settings, workspace)
    assert who.slack_channel("new_show") == "#general"
    path = Path(settings.mapping_file)
    path.write_text('{"new_show": "#new"}')
    os.utime(path, (1, 1))
    assert who.slack_channel("new_show") == "#new"


def test_a_mapping_file_that_is_gone_is_named(settings: SlackSettings, workspace: SlackServer) -> None:
    Path(settings.mapping_file).unlink()
    with pytest.raises(PlanError, match=r"slack_ftrack_users\.json cannot be read"):
        people(settings, workspace).slack_user("Natasha", None)


def test_without_slack_only_the_mapping_speaks(settings: SlackSettings) -> None:
    who = people(settings, None)
    assert who.slack_user("Natasha", None) == "@natasha"
    assert who.slack_user("somebody", "natasha@studio.example") is None


def test_slack_out_of_reach_is_worth_a_later_try(settings: SlackSettings, workspace: SlackServer) -> None:
    who = people(settings, workspace)
    settings.base_url = "http://127.0.0.1:9/api/"
    with pytest.raises(SlackLater):
        who.slack_user("somebody", "natasha@studio.example")
    assert who.slack_user("Natasha", None) == "@natasha"


class SlowDirectory:
    """A workspace that takes its time."""

    def __init__(self) -> None:
        self.asked, self.may_answer = threading.Event(), threading.Event()

    def members(self) -> list[dict[str, Any]]:
        self.asked.set()
        assert self.may_answer.wait(30)
        return [{"id": "U00000001", "name": "natasha"}]

    def user_by_email(self, email: str) -> dict[str, Any] | None:
        return None


def test_a_projects_channel_is_known_while_slack_takes_its_time_over_a_person(settings: SlackSettings) -> None:
    directory = SlowDirectory()
    people = SlackPeople(lambda project=None: settings, directory)
    with ThreadPoolExecutor(2) as pool:
        person = pool.submit(people.slack_user, "Natasha", None)
        try:
            assert directory.asked.wait(10)
            assert pool.submit(people.slack_channel, "osg_szm").result(10) == "#sizematters"
            assert not person.done()
        finally:
            directory.may_answer.set()
        assert person.result(10) == "U00000001"
