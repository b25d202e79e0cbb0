"""The door to Slack against a server that speaks its API, and one that says anything a test wants."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from app.sandbox.slack_api import Member, SlackServer
from app.settings.models import SlackSettings
from app.slack import SlackClient, SlackLater, SlackRefused, escape

TOKEN = "xoxb-1234567890-abcdefghijkl"


class Answers(http.server.ThreadingHTTPServer):
    """Answers every call with what the test put there."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.body: dict[str, Any] | str = {"ok": True}
        self.extra: dict[str, str] = {}
        self.hang = threading.Event()
        self.hang.set()
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/api/"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Answers

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.server.seen.append(self.path)
        self.server.hang.wait(10)
        body = self.server.body if isinstance(self.server.body, str) else json.dumps(self.server.body)
        self.send_response(self.server.status)
        for name, value in self.server.extra.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST

    def log_message(self, *args: Any) -> None:
        return


@pytest.fixture
def answers() -> Iterator[Answers]:
    server = Answers()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.hang.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def workspace() -> Iterator[SlackServer]:
    with SlackServer([Member("U00000001", "hugo", "Hugo", "hugo@studio.example")], token=TOKEN) as server:
        yield server


def client(url: str, token: str | None = TOKEN, **settings: Any) -> SlackClient:
    model = SlackSettings(base_url=url, **settings)
    return SlackClient(lambda: model, lambda: token)


def test_a_message_arrives_with_its_dedupe_key_and_is_found_by_it(workspace: SlackServer) -> None:
    slack = client(workspace.url)
    began = time.time() - 1
    stamp = slack.send("#general", "ready", dedupe="ready:1")
    slack.send("#general", "another", dedupe="ready:2")
    assert workspace.messages[0].metadata == {
        "event_type": "signalbox_message",
        "event_payload": {"dedupe": "ready:1"},
    }
    assert slack.find("#general", "ready:1", began) == stamp
    assert slack.find("#general", "ready:3", began) is None
    assert slack.find("#general", "ready:1", time.time() + 60) is None


def test_a_message_is_found_by_a_client_that_did_not_send_it(workspace: SlackServer) -> None:
    began = time.time() - 1
    stamps = {where: client(workspace.url).send(where, "x", dedupe="k") for where in ("#general", "U00000001")}
    for where, stamp in stamps.items():
        assert client(workspace.url).find(where, "k", began) == stamp


def test_an_answer_that_is_lost_leaves_the_sender_in_doubt(workspace: SlackServer) -> None:
    slack = client(workspace.url)
    workspace.lose_answers(1)
    with pytest.raises(SlackLater) as caught:
        slack.send("#general", "ready", dedupe="ready:1")
    assert caught.value.in_doubt
    assert slack.find("#general", "ready:1", time.time() - 60) is not None
    assert len(workspace.messages) == 1, "the client itself must not send again"


def test_a_refused_connection_is_no_doubt() -> None:
    with pytest.raises(SlackLater, match="cannot be reached") as caught:
        client("http://127.0.0.1:9/api/").send("#general", "x", dedupe="k")
    assert not caught.value.in_doubt


def test_no_answer_within_the_timeout_is_in_doubt(answers: Answers) -> None:
    answers.hang.clear()
    with pytest.raises(SlackLater) as caught:
        client(answers.url, timeout=1.0).send("#general", "x", dedupe="k")
    assert caught.value.in_doubt


def test_retry_after_is_respected(workspace: SlackServer) -> None:
    workspace.limit(1, retry_after=42)
    with pytest.raises(SlackLater) as caught:
        client(workspace.url).send("#general", "x", dedupe="k")
    assert caught.value.seconds == 42
    assert not caught.value.in_doubt


def test_three_refusals_are_three_different_messages_with_advice(answers: Answers) -> None:
    told = {}
    for code in ("is_archived", "not_in_channel", "invalid_auth"):
        answers.body = {"ok": False, "error": code}
        with pytest.raises(SlackRefused) as caught:
            client(answers.url).send("#the_show", "x", dedupe="k")
        told[code] = str(caught.value)
        assert caught.value.code == code
    assert "archived" in told["is_archived"]
    assert "/invite" in told["not_in_channel"]
    assert "new bot token" in told["invalid_auth"]
    assert len(set(told.values())) == 3


@pytest.mark.parametrize(
    ("body", "status", "kind", "words"),
    [
        ({"ok": False, "error": "internal_error"}, 200, SlackLater, "trouble"),
        ({"ok": False, "error": "channel_not_found"}, 200, SlackRefused, "no channel #x"),
        ({"ok": False, "error": "missing_scope", "needed": "chat:write"}, 200, SlackRefused, "chat:write"),
        ({"ok": False, "error": "a_new_error"}, 200, SlackRefused, "a_new_error"),
        ("<html>gateway</html>", 502, SlackLater, "status 502"),
        ("not json", 200, SlackLater, "trouble"),
    ],
)
def test_every_answer_ends_in_now_never_or_later(
    answers: Answers, body: Any, status: int, kind: type[Exception], words: str
) -> None:
    answers.body, answers.status = body, status
    with pytest.raises(kind, match=words):
        client(answers.url).send("#x", "x", dedupe="k")


def test_without_a_token_nothing_is_sent(answers: Answers) -> None:
    with pytest.raises(SlackRefused, match="No Slack token"):
        client(answers.url, token=None).send("#x", "x", dedupe="k")
    assert answers.seen == []


def test_the_token_is_in_no_error(answers: Answers) -> None:
    for body in ({"ok": False, "error": "invalid_auth"}, "not json", {"ok": False, "error": f"odd_{TOKEN}"}):
        answers.body = body
        with pytest.raises((SlackRefused, SlackLater)) as caught:
            client(answers.url).send("#x", "x", dedupe="k")
        assert TOKEN not in str(caught.value)
        assert TOKEN not in repr(caught.value)


def test_the_token_can_be_checked(answers: Answers) -> None:
    answers.body = {"ok": True, "user": "signalbox", "team": "Demo Studio"}
    assert client(answers.url).check() == "signalbox at Demo Studio"
    answers.body = {"ok": False, "error": "token_revoked"}
    with pytest.raises(SlackRefused, match="new bot token"):
        client(answers.url).check()


def test_only_three_characters_mean_something_to_slack() -> None:
    assert escape("a < b & c > d *bold* @hugo") == "a &lt; b &amp; c &gt; d *bold* @hugo"
