"""Somebody is called in Slack: once for each piece of news, gathered, and never for what was known already."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.journal.journal import Journal
from app.rules.alarms import Alarm, Failures, Standing, news
from app.sandbox.slack_api import Member, SlackServer
from app.service.alarms import SlackAlarms, words_of
from app.settings.models import SlackSettings
from app.slack import SlackClient

TOKEN = "xoxb-1234567890-abcdefghijkl"


@pytest.fixture
def workspace() -> Iterator[SlackServer]:
    with SlackServer([Member("U00000001", "hugo", "Hugo", "hugo@studio.example")], token=TOKEN) as server:
        yield server


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(tmp_path / "journal", "engine")
    for handler in ("status_handler", "create_task_folder"):
        opened.set_lever(handler, "", "on", "hugo", "")
    yield opened
    opened.close()


def alarms(journal: Journal, workspace: SlackServer, **settings: Any) -> SlackAlarms:
    model = SlackSettings(base_url=workspace.url, **{"alarm_channel": "#general", **settings})
    return SlackAlarms(journal, SlackClient(lambda: model, lambda: TOKEN), lambda: model)


def texts(workspace: SlackServer) -> list[str]:
    return [message.text for message in workspace.messages]


def test_a_paused_handler_calls_somebody_once(journal: Journal, workspace: SlackServer) -> None:
    watch = alarms(journal, workspace)
    watch.turn()
    journal.open_breaker("status_handler", "5 failures in a row: Slack refused <#anim>")
    for _ in range(3):
        watch.turn()
    (said,) = texts(workspace)
    assert "Status handler is paused" in said
    assert "5 failures in a row: Slack refused &lt;#anim&gt;" in said


def test_what_was_wrong_before_the_server_started_is_no_news(journal: Journal, workspace: SlackServer) -> None:
    journal.open_breaker("status_handler", "5 failures in a row")
    watch = alarms(journal, workspace)
    watch.turn()
    watch.turn()
    assert texts(workspace) == []


def test_a_storm_of_trouble_is_gathered_into_one_message(journal: Journal, workspace: SlackServer) -> None:
    watch = alarms(journal, workspace, alarm_pause=1.0)
    watch.turn()
    journal.set_health("site", "error", "studio.ftrackapp.com does not answer")
    watch.turn()
    journal.open_breaker("status_handler", "5 failures in a row")
    watch.turn()
    journal.set_health("drives", "error", "/data is not mounted")
    watch.turn()
    assert len(texts(workspace)) == 1, "the pause holds the second message back"
    until = time.monotonic() + 10
    while len(texts(workspace)) < 2 and time.monotonic() < until:
        watch.turn()
    assert len(texts(workspace)) == 2
    assert "is paused" in texts(workspace)[1]
    assert "/data is not mounted" in texts(workspace)[1]


def test_an_alarm_waits_for_a_slack_that_is_busy(journal: Journal, workspace: SlackServer) -> None:
    watch = alarms(journal, workspace, alarm_pause=1.0)
    watch.turn()
    workspace.limit(1, retry_after=1)
    journal.set_health("site", "error", "studio.ftrackapp.com does not answer")
    until = time.monotonic() + 10
    while not texts(workspace) and time.monotonic() < until:
        watch.turn()
    assert len(texts(workspace)) == 1


def test_without_a_channel_nobody_is_called(journal: Journal, workspace: SlackServer) -> None:
    watch = alarms(journal, workspace, alarm_channel="")
    watch.turn()
    journal.set_health("site", "error", "gone")
    watch.turn()
    assert texts(workspace) == []


def test_failed_runs_are_news_when_the_newest_of_them_is_new() -> None:
    titles = {"status_handler": "Status handler"}
    before = Standing(titles, failures={"status_handler": Failures(2, 7, "no channel")})
    later = Standing(titles, failures={"status_handler": Failures(5, 12, "Slack refused")})
    aged = Standing(titles, failures={"status_handler": Failures(1, 12, "Slack refused")})
    assert news(before, later) == [Alarm("Status handler: 3 runs failed", "Slack refused", 12)]
    assert news(later, aged) == []
    assert news(Standing(titles), before) == [Alarm("Status handler: 2 runs failed", "no channel", 7)]


def test_a_message_names_a_dozen_and_counts_the_others_and_keeps_secrets() -> None:
    many = [Alarm(f"Handler {number}: 1 run failed", f"refused {TOKEN}") for number in range(20)]
    said = words_of(many)
    assert said.count("run failed") == 12
    assert "and 8 more" in said
    assert TOKEN not in said
