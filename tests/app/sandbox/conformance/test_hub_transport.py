"""Protocol facts 2.1 (transport), 2.2 (subscribe, route, reply), 2.5 (topics), 2.6 (reconnect) on the wire."""

from __future__ import annotations

import json
import threading
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

import ftrack_api
import pytest
import websocket
from ftrack_api.event.base import Event
from sandbox_process import SandboxProcess

# The stock client's own sockets, dropped unclosed when it loses a connection.
LEAKS = pytest.mark.filterwarnings(
    "ignore:unclosed <socket", "ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning"
)

EVENT_KEYS = {"id", "topic", "data", "source", "target", "sent", "inReplyToEvent"}


class RawClient:
    """socket.io 0.9 by hand: what goes over the wire, seen."""

    def __init__(self, site: SandboxProcess, query: str = "", headers: dict[str, str] | None = None) -> None:
        own = {"ftrack-user": site.user, "ftrack-api-key": site.key} if headers is None else headers
        request = urllib.request.Request(f"{site.url}/socket.io/1/{query}", headers=own)
        with urllib.request.urlopen(request) as response:
            self.handshake = response.read().decode()
        self.sid = self.handshake.split(":")[0]
        self.socket = websocket.create_connection(
            f"ws://127.0.0.1:{site.port}/socket.io/1/websocket/{self.sid}", timeout=5
        )
        self.first = self.socket.recv()

    def emit(self, topic: str, data: object = None, number: int | None = 7, **more: Any) -> None:
        event = {"topic": topic, "data": data or {}, "id": uuid.uuid4().hex, "source": {"id": "me"}, **more}
        identifier = "" if number is None else f"{number}+"
        self.socket.send(f"5:{identifier}::{json.dumps({'name': 'ftrack.event', 'args': [event]})}")

    def packet(self, code: str) -> str:
        """The next packet of this code; heartbeats are answered on the way."""
        while True:
            packet = self.socket.recv()
            if packet.startswith("2::") and code != "2":
                self.socket.send("2:::")
                continue
            if packet.startswith(f"{code}:"):
                return packet

    def event(self) -> dict[str, Any]:
        payload = json.loads(self.packet("5").split(":", 3)[3])
        assert payload["name"] == "ftrack.event"
        assert len(payload["args"]) == 1
        return dict(payload["args"][0])

    def subscribe(self, expression: str, **metadata: Any) -> None:
        subscriber = {"id": uuid.uuid4().hex, **metadata}
        self.emit("ftrack.meta.subscribe", {"subscriber": subscriber, "subscription": expression})
        assert self.packet("6") == '6:::7+[{"success":true}]'


def test_fact_2_1_the_handshake_names_session_heartbeat_close_and_websocket(live_site: SandboxProcess) -> None:
    client = RawClient(live_site)
    session, heartbeat, close, transports = client.handshake.split(":")
    assert len(session) == 32
    assert int(heartbeat) < 60
    assert int(close) > 0
    assert "websocket" in transports.split(",")
    client.socket.close()


def test_fact_2_1_credentials_come_by_header_or_query_and_wrong_ones_are_refused(live_site: SandboxProcess) -> None:
    query = f"?api_user={live_site.user}&api_key={live_site.key}"
    RawClient(live_site, query, headers={}).socket.close()
    with pytest.raises(urllib.error.HTTPError) as refused:
        RawClient(live_site, headers={"ftrack-user": live_site.user, "ftrack-api-key": "wrong"})
    assert refused.value.code == 401
    refused.value.close()


def test_fact_2_1_the_upgrade_needs_no_credentials_but_a_session_id_that_serves_once(live_site: SandboxProcess) -> None:
    client = RawClient(live_site)
    with pytest.raises(websocket.WebSocketBadStatusException):
        websocket.create_connection(f"ws://127.0.0.1:{live_site.port}/socket.io/1/websocket/{client.sid}", timeout=5)
    client.socket.close()


def test_fact_2_1_the_server_says_connect_first_then_heartbeats(live_site: SandboxProcess) -> None:
    client = RawClient(live_site)
    assert client.first == "1::"
    assert client.packet("2") == "2::"
    client.socket.close()


def test_fact_2_1_an_event_is_acknowledged_by_its_number_and_answered_with_success(live_site: SandboxProcess) -> None:
    client = RawClient(live_site)
    client.emit("some.topic", number=42)
    assert client.packet("6") == '6:::42+[{"success":true}]'
    client.socket.close()


@pytest.mark.parametrize(
    ("topic", "data", "words"),
    [
        ("ftrack.meta.subscribe", {"subscriber": {"id": "x"}, "subscription": "topic"}, "an operator expected"),
        ("ftrack.meta.subscribe", {"subscription": "topic=a"}, "needs a subscriber"),
        ("ftrack.meta.unsubscribe", {"subscriber": {"id": "nobody"}}, "does not exist"),
        ("", {}, "needs a topic"),
    ],
)
def test_fact_2_1_what_cannot_be_done_is_acknowledged_with_a_message(
    live_site: SandboxProcess, topic: str, data: dict[str, Any], words: str
) -> None:
    client = RawClient(live_site)
    client.emit(topic, data)
    answer = json.loads(client.packet("6").split("+", 1)[1])[0]
    assert answer["success"] is False
    assert words in answer["message"]
    client.socket.close()


def test_fact_2_1_packets_that_are_no_packets_harm_nobody(live_site: SandboxProcess) -> None:
    client = RawClient(live_site)
    for packet in ("", "garbage", "5:::not json", '5:::{"name":"other","args":[{}]}', "9:9:9:9", "5:7+::[]"):
        client.socket.send(packet)
    client.emit("still.alive", number=3)
    assert client.packet("6") == '6:::3+[{"success":true}]'
    client.socket.close()


@pytest.mark.parametrize("data", [{"half": "\ud800"}, {"emoji": "\U0001f426"}, {"none": None}, [1, 2], "text", 7])
def test_any_json_that_a_client_sends_is_passed_on_unharmed(live_site: SandboxProcess, data: Any) -> None:
    client = RawClient(live_site)
    client.subscribe("topic=any.json")
    client.emit("any.json", data, number=None, source={"id": "me", "user": {"username": ["odd"]}})
    assert client.event()["data"] == data
    client.emit("\udfff", number=None, source={"user": {"username": "\ud83d"}})
    client.socket.send('5:::{"name":"ftrack.event","args":[' + '{"topic":' * 20000)
    client.emit("any.json", {"still": "alive"}, number=None)
    assert client.event()["data"] == {"still": "alive"}
    assert live_site.events(live_site.last_event() - 1)[0]["event"]["data"] == {"still": "alive"}
    client.socket.close()


def test_fact_2_1_an_event_arrives_with_exactly_seven_keys_whatever_was_sent(live_site: SandboxProcess) -> None:
    client = RawClient(live_site)
    client.subscribe("topic=exact.keys")
    client.emit("exact.keys", {"a": 1}, extra="dropped", sent=None)
    event = client.event()
    assert set(event) == EVENT_KEYS
    assert event["data"] == {"a": 1}
    assert event["sent"] is None
    assert event["target"] == ""
    assert event["inReplyToEvent"] is None
    client.socket.close()


def test_fact_2_1_the_stock_hub_connects_and_hears_so(open_session: Callable[..., ftrack_api.Session]) -> None:
    session = open_session()
    heard: list[Any] = []
    session.event_hub.subscribe("topic=ftrack.meta.connected", heard.append)
    session.event_hub.connect()
    for _ in range(100):
        session.event_hub.wait(0.05)
        if heard:
            break
    assert [event["topic"] for event in heard] == ["ftrack.meta.connected"]


def test_fact_2_2_the_publisher_receives_its_own_event_once_however_often_it_subscribed(
    listen: Callable[..., Any],
) -> None:
    listener = listen("topic=own.event")
    other: list[Any] = []
    listener.session.event_hub.subscribe("topic=own.*", other.append)
    listener.synchronise()
    listener.session.event_hub.publish(Event("own.event", data={"n": 1}))
    listener.wait()
    assert [event["data"] for event in listener.quiet()] == [{"n": 1}]
    assert len(other) == 1


def test_fact_2_2_the_server_routes_by_expression(live_site: SandboxProcess) -> None:
    client = RawClient(live_site)
    client.subscribe("topic=routed and data.wanted=yes")
    client.emit("routed", {"wanted": "no"}, number=None)
    client.emit("routed", {"wanted": "yes", "n": 2}, number=None)
    assert client.event()["data"] == {"wanted": "yes", "n": 2}
    client.socket.close()


def test_fact_2_2_the_server_routes_by_target_against_subscriber_metadata(live_site: SandboxProcess) -> None:
    web, script = RawClient(live_site), RawClient(live_site)
    web.subscribe("topic=aimed", applicationId="ftrack.client.web", user={"id": "u1"})
    script.subscribe("topic=aimed", applicationId="script")
    script.emit("aimed", {"n": 1}, number=None, target='applicationId=ftrack.client.web and user.id="u1"')
    script.emit("aimed", {"n": 2}, number=None)
    assert [web.event()["data"]["n"], web.event()["data"]["n"]] == [1, 2]
    assert script.event()["data"]["n"] == 2
    web.socket.close()
    script.socket.close()


def test_fact_2_2_a_trailing_star_finds_the_substring_as_the_python_client_does(live_site: SandboxProcess) -> None:
    client = RawClient(live_site)
    client.subscribe("topic=ftrack.*")
    client.emit("my.ftrack.thing", number=None)
    assert client.event()["topic"] == "my.ftrack.thing"
    client.socket.close()


def test_fact_2_2_an_event_that_lacks_a_key_or_has_another_type_never_breaks_routing(
    live_site: SandboxProcess,
) -> None:
    client = RawClient(live_site)
    client.subscribe("data.n>5")
    client.subscribe("source.applicationId=ftrack.*")
    client.subscribe("topic=end")
    client.emit("numbers", {"n": 7}, number=None)
    client.emit("nulls", None, number=None, source={"applicationId": None})
    client.emit("end", number=None)
    assert client.event()["topic"] == "end"
    client.socket.close()


def test_fact_2_2_unsubscribed_means_nothing_more_comes(listen: Callable[..., Any]) -> None:
    listener = listen("topic=ended", id="subscriber-to-end")
    listener.session.event_hub.unsubscribe("subscriber-to-end")
    listener.synchronise()
    listener.session.event_hub.publish(Event("ended"))
    assert listener.quiet() == []


def test_fact_2_2_every_replier_s_answer_reaches_the_one_who_asked_and_nobody_else(
    listen: Callable[..., Any], open_session: Callable[..., ftrack_api.Session]
) -> None:
    first, second = listen("topic=ping.one"), listen("topic=unrelated")
    stranger = listen("topic=ftrack.meta.reply")
    first.session.event_hub.subscribe("topic=question", lambda _event: {"who": "first"})
    second.session.event_hub.subscribe("topic=question", lambda _event: {"who": "second"})
    first.synchronise()
    second.synchronise()
    asker = open_session(hub=True)
    answers: list[Any] = []
    question = Event("question")
    asker.event_hub.publish(question, on_reply=answers.append)
    for _ in range(100):
        asker.event_hub.wait(0.05)
        if len(answers) == 2:
            break
    assert sorted(answer["data"]["who"] for answer in answers) == ["first", "second"]
    assert {answer["in_reply_to_event"] for answer in answers} == {question["id"]}
    assert {answer["target"] for answer in answers} == {f"id={asker.event_hub.id}"}
    assert stranger.quiet() == []


def test_fact_2_2_a_reply_carries_the_replier_s_own_metadata_as_its_source(
    listen: Callable[..., Any], open_session: Callable[..., ftrack_api.Session]
) -> None:
    replier = listen("topic=unrelated")
    replier.session.event_hub.subscribe(
        "topic=whoareyou", lambda _event: {"here": True}, subscriber={"id": "me", "applicationId": "my.app"}
    )
    replier.synchronise()
    asker = open_session(hub=True)
    answers: list[Any] = []
    asker.event_hub.publish(Event("whoareyou"), on_reply=answers.append)
    for _ in range(100):
        asker.event_hub.wait(0.05)
        if answers:
            break
    assert answers[0]["source"]["id"] == "me"
    assert answers[0]["source"]["applicationId"] == "my.app"


def test_fact_2_2_a_handler_that_returns_nothing_sends_no_reply(
    live_site: SandboxProcess, listen: Callable[..., Any]
) -> None:
    listener = listen("topic=no.answer")
    before = live_site.last_event()
    listener.session.event_hub.publish(Event("no.answer"))
    listener.wait()
    listener.synchronise()
    topics = [row["event"]["topic"] for row in live_site.events(before)]
    assert [topic for topic in topics if topic == "ftrack.meta.reply"] == []


def test_fact_2_2_after_reconnecting_the_same_subscriber_ids_are_welcome_again(
    listen: Callable[..., Any], open_session: Callable[..., ftrack_api.Session]
) -> None:
    session = open_session(hub=True)
    received: list[Any] = []
    session.event_hub.subscribe("topic=again", received.append, subscriber={"id": "the-same"})
    session.event_hub.disconnect(unsubscribe=False)
    session.event_hub.connect()
    session.event_hub.publish(Event("again"))
    # The stock client may have told itself of the disconnect, which ends its first wait.
    for _ in range(100):
        session.event_hub.wait(0.05)
        if received:
            break
    session.event_hub.wait(0.2)
    assert len(received) == 1


def test_fact_2_2_the_server_adds_the_user_s_id_to_the_source(listen: Callable[..., Any]) -> None:
    listener = listen("topic=signed", user="mara.okafor")
    listener.session.event_hub.publish(Event("signed"))
    user = listener.wait()[0]["source"]["user"]
    mara = listener.session.query('User where username is "mara.okafor"').one()
    assert user == {"username": "mara.okafor", "id": mara["id"]}


def test_fact_2_2_a_session_that_names_another_user_gets_that_user_s_id(listen: Callable[..., Any]) -> None:
    listener = listen("topic=signed")
    listener.session.event_hub.publish(Event("signed", source={"id": "x", "user": {"username": "sana.malik"}}))
    sana = listener.session.query('User where username is "sana.malik"').one()
    assert listener.wait()[0]["source"]["user"] == {"username": "sana.malik", "id": sana["id"]}


@pytest.mark.parametrize(
    "topic",
    [
        "ftrack.location.component-added",
        "ftrack.location.component-removed",
        "ftrack.location.request-resolve",
        "ftrack.dynamic-enumerator",
        "ftrack.storage-scenario.configure-done",
        "ftrack.connect.started",
        "studio.own.topic",
    ],
)
def test_fact_2_5_any_topic_of_a_client_is_passed_on(listen: Callable[..., Any], topic: str) -> None:
    listener = listen(f"topic={topic}")
    listener.session.event_hub.publish(Event(topic, data={"component_id": "c", "location_id": "l"}))
    assert listener.wait()[0]["data"] == {"component_id": "c", "location_id": "l"}


def test_fact_2_5_session_topics_stay_in_the_client(
    live_site: SandboxProcess, open_session: Callable[..., ftrack_api.Session]
) -> None:
    before = live_site.last_event()
    open_session(hub=True)
    assert [row for row in live_site.events(before) if row["event"]["topic"].startswith("ftrack.api.session")] == []


def test_fact_2_5_a_remote_disconnected_event_ends_the_stock_client_s_wait(
    live_site: SandboxProcess, open_session: Callable[..., ftrack_api.Session]
) -> None:
    session = open_session(hub=True)
    session.event_hub.subscribe("topic=ftrack.meta.disconnected", lambda _event: None)
    acknowledged = threading.Event()
    session.event_hub._publish(Event("sync"), callback=lambda _answer: acknowledged.set())
    assert acknowledged.wait(5)
    waiting = threading.Thread(target=session.event_hub.wait, daemon=True)
    waiting.start()
    client = RawClient(live_site)
    client.emit("ftrack.meta.disconnected")
    waiting.join(5)
    assert not waiting.is_alive()
    client.socket.close()


@LEAKS
@pytest.mark.usefixtures("stock_client_leaks")
@pytest.mark.parametrize("how", ["abort", "disconnect"])
def test_fact_2_6_after_an_abort_or_a_goodbye_the_stock_hub_is_back_with_its_subscriptions(
    live_site: SandboxProcess, listen: Callable[..., Any], until: Callable[..., Any], how: str
) -> None:
    listener = listen("topic=after.loss")
    old = listener.session.event_hub._connection
    live_site.faults(disconnect=how)
    hub = listener.session.event_hub
    until(lambda: hub.connected and hub._connection is not old)
    # Connected is not yet subscribed: the stock client subscribes again after it says that it is connected.
    until(lambda: "topic=after.loss" in live_site.subscriptions())
    hub.publish(Event("after.loss"))
    assert len(listener.wait()) == 1


@LEAKS
@pytest.mark.usefixtures("stock_client_leaks")
def test_fact_2_6_a_clean_close_frame_leaves_the_stock_hub_deaf(
    live_site: SandboxProcess, listen: Callable[..., Any], until: Callable[..., Any]
) -> None:
    listener = listen("topic=after.close")
    reader = listener.session.event_hub._processor_thread
    live_site.faults(disconnect="close")
    until(lambda: not reader.is_alive())
    RawClient(live_site).emit("after.close")
    assert listener.quiet(1.0) == []
    listener.session.event_hub._connection = None


@LEAKS
@pytest.mark.usefixtures("stock_client_leaks")
def test_fact_2_6_events_while_away_are_lost_and_own_ones_are_sent_after_the_return(
    live_site: SandboxProcess, listen: Callable[..., Any], until: Callable[..., Any]
) -> None:
    listener = listen("topic=while.away")
    hub = listener.session.event_hub
    hub.disconnect(unsubscribe=False, reconnect=True)
    other = RawClient(live_site)
    other.emit("while.away", {"from": "other"})
    other.packet("6")
    hub.publish(Event("while.away", data={"from": "me"}))
    hub.connect()
    assert [event["data"] for event in listener.wait()] == [{"from": "me"}]
    assert len(listener.quiet()) == 1
    other.socket.close()


def test_fact_2_6_status_changes_and_events_can_be_queried_to_catch_up(
    open_session: Callable[..., ftrack_api.Session],
) -> None:
    session = open_session("mara.okafor")
    task = session.query('Task where name is "lighting" and status.name is "Not started"').first()
    task["status"] = session.query('Status where name is "In progress"').one()
    session.commit()
    changes = session.query(
        "select parent_id, status.name, from_status.name, date, user.username from StatusChange "
        f'where parent_id is "{task["id"]}" and date >= "2026-01-01T00:00:00" order by date descending'
    ).all()
    assert changes[0]["status"]["name"] == "In progress"
    assert changes[0]["from_status"]["name"] == "Not started"
    assert changes[0]["user"]["username"] == "mara.okafor"
    assert isinstance(session.query("select id, action, insert from Event where id > 0 order by id").all(), list)


def test_a_heartbeat_that_the_client_s_reader_answers_keeps_a_busy_handler_connected(
    live_site: SandboxProcess, listen: Callable[..., Any]
) -> None:
    listener = listen("topic=busy")
    started, release = threading.Event(), threading.Event()

    def block(_event: Any) -> None:
        started.set()
        release.wait(5)

    listener.session.event_hub.subscribe("topic=busy", block)
    listener.synchronise()
    listener.session.event_hub.publish(Event("busy"))
    assert started.wait(3)
    connection = listener.session.event_hub._connection
    release.wait(2.5)
    assert listener.session.event_hub._connection is connection
    assert listener.session.event_hub.connected
    release.set()
