"""What goes wrong on order: each fault, through the real client, and its end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ftrack_api
import pytest
import requests
from ftrack_api.event.base import Event
from sandbox_process import SandboxProcess


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """A site for a module."""
    with SandboxProcess(tmp_path_factory.mktemp("faults") / "site", "ftrack-suite", "--heartbeat", "0.2") as running:
        yield running


@pytest.fixture
def session(site: SandboxProcess, tmp_path: Path) -> Iterator[ftrack_api.Session]:
    """A session whose faults end with it."""
    opened = ftrack_api.Session(
        site.url, site.key, site.user, schema_cache_path=str(tmp_path), auto_connect_event_hub=False
    )
    yield opened
    site.faults(reset=True)
    opened.close()


@pytest.fixture
def numbers(session: ftrack_api.Session) -> Callable[..., list[int]]:
    """Publishes so many numbers and returns those that came back, in the order they did: at least ``expected``."""
    received: list[int] = []
    hub = session.event_hub
    hub.connect()
    hub.subscribe("topic=number", lambda event: received.append(event["data"]["n"]))

    def publish(count: int, expected: int) -> list[int]:
        received.clear()
        for number in range(count):
            hub.publish(Event("number", data={"n": number}))
        deadline = time.monotonic() + 5
        while len(received) < expected and time.monotonic() < deadline:
            hub.wait(0.05)
        hub.wait(0.2)
        return list(received)

    assert publish(1, 1) == [0]
    return publish


def test_events_are_doubled_while_ordered_so(site: SandboxProcess, numbers: Callable[..., list[int]]) -> None:
    site.faults(duplicate=True)
    assert numbers(2, 4) == [0, 0, 1, 1]
    site.faults(duplicate=False)
    assert numbers(2, 2) == [0, 1]


def test_events_come_out_of_order_while_ordered_so(site: SandboxProcess, numbers: Callable[..., list[int]]) -> None:
    site.faults(reorder=3)
    assert numbers(4, 4) == [2, 1, 0, 3]


def test_events_are_held_back_and_lost(site: SandboxProcess, numbers: Callable[..., list[int]]) -> None:
    site.faults(delay=1.5)
    assert numbers(1, 0) == []
    assert numbers(0, 1) == [0]
    site.faults(reset=True, drop=2)
    assert numbers(3, 1) == [2]


def test_a_silent_site_keeps_the_connection_and_says_nothing_more(
    site: SandboxProcess, session: ftrack_api.Session, numbers: Callable[..., list[int]]
) -> None:
    assert site.faults(silent=True)["silent"] == 1
    assert numbers(2, 0) == []
    assert session.event_hub.connected
    site.faults(silent=False)
    assert numbers(1, 1) == [0]


def test_only_one_user_s_connection_is_ended(site: SandboxProcess, session: ftrack_api.Session) -> None:
    session.event_hub.connect()
    connection = session.event_hub._connection
    site.faults(disconnect="abort", user="user01")
    session.event_hub.wait(0.3)
    assert session.event_hub._connection is connection


def test_without_heartbeats_nothing_comes_on_an_idle_connection(
    site: SandboxProcess, session: ftrack_api.Session
) -> None:
    beats: list[float] = []
    hub = session.event_hub
    original = hub._handle_packet

    def count(code: str, *rest: Any) -> None:
        if code == "2":
            beats.append(time.monotonic())
        original(code, *rest)

    hub._handle_packet = count
    hub.connect()
    while not beats:
        hub.wait(0.1)
    site.faults(heartbeat=False)
    hub.wait(0.3)
    beats.clear()
    hub.wait(0.7)
    assert beats == []


def test_connections_are_refused_for_so_many_tries_and_then_let_in(
    site: SandboxProcess, session: ftrack_api.Session
) -> None:
    site.faults(refuse_connects=2)
    for _ in range(2):
        with pytest.raises(ftrack_api.exception.EventHubConnectionError):
            session.event_hub.connect()
    session.event_hub.connect()
    assert session.event_hub.connected
    assert site.faults(refuse_connects=True)["refuse_connects"] is True
    assert site.faults(refuse_connects=False)["refuse_connects"] == 0


def test_a_batch_meets_a_server_error_and_leaves_nothing(site: SandboxProcess, session: ftrack_api.Session) -> None:
    site.faults(errors={"status": 500, "count": 1, "actions": ["create"]})
    session.create("User", {"username": "half.made"})
    # The stock client takes an answer of 500 for no answer and lets the decoder's own error through.
    with pytest.raises(ValueError, match="Expecting value"):
        session.commit()
    session.rollback()
    assert session.query('User where username is "half.made"').all() == []
    assert site.faults()["errors"]["count"] == 0


def test_an_answer_is_lost_after_the_commit(site: SandboxProcess, session: ftrack_api.Session) -> None:
    site.faults(lose_answers=1)
    session.create("User", {"username": "made.anyway"})
    with pytest.raises(requests.exceptions.ConnectionError):
        session.commit()
    session.rollback()
    assert len(session.query('User where username is "made.anyway"').all()) == 1


def test_one_user_lacks_a_permission_and_others_do_not(
    site: SandboxProcess, session: ftrack_api.Session, tmp_path: Path
) -> None:
    site.faults(deny={"user01": ["create"]})
    other = ftrack_api.Session(
        site.url, site.key, "user01", schema_cache_path=str(tmp_path), auto_connect_event_hub=False
    )
    assert other.query("User").first() is not None
    other.create("User", {"username": "not.allowed"})
    with pytest.raises(ftrack_api.exception.ServerError, match="PermissionError"):
        other.commit()
    other.rollback()
    session.create("User", {"username": "allowed"})
    session.commit()
    site.faults(deny={"user01": []})
    other.create("User", {"username": "allowed.too"})
    other.commit()
    other.close()


def test_every_answer_takes_its_time_and_files_have_a_floor_of_their_own(
    site: SandboxProcess, session: ftrack_api.Session
) -> None:
    def seconds(path: str) -> float:
        started = time.monotonic()
        site.request(path)
        return time.monotonic() - started

    site.faults(latency=0.15)
    started = time.monotonic()
    session.query("User").first()
    assert time.monotonic() - started >= 0.15
    site.faults(latency=0.0, component_floor=0.7)
    assert seconds("/component/get?id=none") >= 0.7
    assert min(seconds("/_sandbox/faults") for _ in range(3)) < 0.7


def test_slow_answers_do_not_queue_behind_one_another(site: SandboxProcess, session: ftrack_api.Session) -> None:
    site.faults(latency=0.5)
    started = time.monotonic()
    threads = [
        threading.Thread(target=site.api, args=({"action": "query", "expression": "select id from User limit 1"},))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started < 8 * 0.5


def test_the_site_s_clock_is_set_and_shifted(site: SandboxProcess, session: ftrack_api.Session) -> None:
    site.faults(clock={"set": "2026-11-22T09:59:30Z"})
    user = session.query('User where username is "user02"').one()
    job = session.create("Job", {"user": user, "status": "queued"})
    session.commit()
    assert job["created_at"].format("YYYY-MM-DD HH:mm") == "2026-11-22 09:59"
    clock = site.faults(clock={"shift": 60})["clock"]
    later = session.create("Job", {"user": user, "status": "queued"})
    session.commit()
    assert later["created_at"].format("YYYY-MM-DD HH:mm") == "2026-11-22 10:00"
    assert site.events(site.last_event() - 1)[0]["time"] == pytest.approx(clock, abs=5)
    site.faults(clock={"set": time.time()})


def test_an_order_that_makes_no_sense_is_refused_and_so_is_a_stranger(site: SandboxProcess) -> None:
    for order in ({"explode": True}, {"delay": -1}, {"disconnect": "politely"}, [1]):
        assert site.request("/_sandbox/faults", order)[0] == 400
    key, site.key = site.key, "wrong"
    try:
        assert site.request("/_sandbox/faults", {"reset": True})[0] == 401
        assert site.request("/_sandbox/counters")[0] == 401
        assert site.request("/_sandbox/hub")[0] == 401
    finally:
        site.key = key


def test_requests_are_counted_by_kind_by_user_and_by_client(site: SandboxProcess, session: ftrack_api.Session) -> None:
    site.counters(reset=True)
    users = session.query("select first_name from User limit 2").all()
    users[0]["first_name"] = "Counted"
    session.commit()
    counted = site.counters(reset=True)
    assert counted["kinds"] == {"requests": 2, "reads": 1, "commits": 1, "query": 1, "update": 1}
    assert counted["users"] == {"jenkins": counted["kinds"]}
    assert list(counted["clients"].values()) == [counted["kinds"]]
    assert site.counters()["kinds"] == {}


def test_subscriptions_can_be_looked_at(site: SandboxProcess, session: ftrack_api.Session) -> None:
    session.event_hub.connect()
    session.event_hub.subscribe("topic=look", lambda _event: None, subscriber={"id": "looker"})
    wanted = {"user": "jenkins", "subscriber": {"id": "looker"}, "subscription": "topic=look"}
    deadline = time.monotonic() + 5
    while wanted not in json.loads(site.request("/_sandbox/hub")[1])["subscriptions"]:
        assert time.monotonic() < deadline
