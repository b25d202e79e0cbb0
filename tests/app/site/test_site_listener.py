"""The listener hears everything, survives every death of the stock hub, and says where something may be missing."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from listening import QUICK, until
from sandbox_process import SandboxProcess

from app.journal.journal import Journal
from app.journal.rows import RawEvent
from app.site.listener import Listener
from app.site.types import Credentials

#: An event may be lost on its way after the site wrote it down; the engine looks back five minutes for that.
_IN_FLIGHT = 1.0


def describe_task(site: SandboxProcess, words: str) -> None:
    """An artist writes a task's description: one ftrack.update."""
    task = site.api({"action": "query", "expression": "select id from Task limit 1"})[0]["data"][0]["id"]
    answer = site.api(
        {
            "action": "update",
            "entity_type": "Task",
            "entity_key": [task],
            "entity_data": {"__entity_type__": "Task", "description": words},
        }
    )
    assert isinstance(answer, list), answer


def kept_ids(journal: Journal) -> set[str]:
    return {event.event_id for event in journal.stored_events(0, 100_000)}


def gaps(journal: Journal) -> list[Mapping[str, Any]]:
    return [event.raw["data"] for event in journal.stored_events(0, 100_000) if event.topic == "signalbox.gap"]


def unaccounted(site: SandboxProcess, journal: Journal, after: int) -> list[str]:
    """Updates on the site that are neither kept nor within a gap that was written down."""
    kept, holes = kept_ids(journal), gaps(journal)
    return [
        row["event"]["id"]
        for row in site.events(after, "ftrack.update")
        if row["event"]["id"] not in kept
        and not any(hole["since"] - _IN_FLIGHT <= row["time"] <= hole["until"] for hole in holes)
    ]


def test_everything_that_happens_is_kept_once_and_a_first_start_begins_at_now(
    calm_site: SandboxProcess, listener: Listener, journal: Journal
) -> None:
    before = calm_site.last_event()
    for number in range(20):
        describe_task(calm_site, f"note {number}")
    sent = [row["event"]["id"] for row in calm_site.events(before, "ftrack.update")]
    assert len(sent) == 20
    assert until(lambda: journal.count_events() == 20)
    assert kept_ids(journal) == set(sent)
    assert gaps(journal) == []


@pytest.mark.parametrize("ending", ["close", "abort", "disconnect"])
def test_a_lost_connection_comes_back_by_itself_and_leaves_a_gap_that_covers_what_was_missed(
    calm_site: SandboxProcess, listener: Listener, journal: Journal, ending: str
) -> None:
    before = calm_site.last_event()
    for turn in range(3):
        describe_task(calm_site, f"{ending} {turn}")
        seen = listener.reconnects
        calm_site.faults(disconnect=ending)
        describe_task(calm_site, f"{ending} {turn} while away")
        assert until(lambda seen=seen: listener.reconnects > seen and listener.connected)
    describe_task(calm_site, f"{ending} at the end")
    last = calm_site.events(before, "ftrack.update")[-1]["event"]["id"]
    assert until(lambda: last in kept_ids(journal))
    assert len(gaps(journal)) == 3
    assert unaccounted(calm_site, journal, before) == []


def test_a_silent_peer_is_left_after_the_agreed_silence(
    calm_site: SandboxProcess, listener: Listener, journal: Journal
) -> None:
    before = calm_site.last_event()
    describe_task(calm_site, "before the silence")
    assert until(lambda: journal.count_events() == 1)
    calm_site.faults(silent=True, heartbeat=False)
    silent_from = time.time()
    describe_task(calm_site, "said into the silence")
    calm_site.faults(heartbeat=True)
    assert until(lambda: listener.reconnects == 1 and listener.connected)
    assert time.time() - silent_from < QUICK.silence + 3
    describe_task(calm_site, "after the silence")
    assert until(lambda: journal.count_events() >= 3)
    assert gaps(journal)[0]["since"] <= silent_from
    assert unaccounted(calm_site, journal, before) == []


def test_refused_connections_are_tried_again_and_logging_is_never_silenced(
    calm_site: SandboxProcess, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    calm_site.faults(refuse_connects=4, disconnect="abort")
    levels: set[int] = set()
    assert until(lambda: levels.add(logging.root.manager.disable) or listener.reconnects == 1)
    assert levels == {0}
    assert "refused with status 503" in caplog.text


def test_a_site_that_is_stopped_and_started_again_is_found_again(tmp_path: Path, journal: Journal) -> None:
    with SandboxProcess(tmp_path / "site", "ftrack-suite", "--heartbeat", "0.4") as site:
        listener = Listener(Credentials(site.url, site.user, site.key), QUICK, journal)
        listener.start()
        try:
            assert listener.wait_connected(10)
            site.stop()
            assert until(lambda: not listener.connected)
            site.start(site.port)
            assert until(lambda: listener.connected)
            before = site.last_event()
            describe_task(site, "back again")
            assert until(lambda: unaccounted(site, journal, before) == [])
            assert len(gaps(journal)) == 1
        finally:
            assert listener.stop()


def test_an_unreachable_site_at_the_start_is_waited_for(tmp_path: Path, journal: Journal) -> None:
    with SandboxProcess(tmp_path / "site", "ftrack-suite", "--heartbeat", "0.4") as site:
        site.stop()
        listener = Listener(Credentials(site.url, site.user, site.key), QUICK, journal)
        listener.start()
        try:
            assert until(lambda: "does not answer" in listener.state.words)
            site.start(site.port)
            assert until(lambda: listener.connected)
            assert gaps(journal) == []
        finally:
            assert listener.stop()


def test_a_wrong_key_is_said_without_the_key(credentials: Credentials, journal: Journal) -> None:
    wrong = Credentials(credentials.server, credentials.api_user, "not-the-right-key")
    listener = Listener(wrong, QUICK, journal)
    listener.start()
    try:
        assert until(lambda: listener.state.state == "refused")
        assert "does not accept the API key of user" in listener.state.words
        assert "not-the-right-key" not in listener.state.words
    finally:
        assert listener.stop()


def test_a_restart_leaves_a_gap_from_the_last_sign_of_the_site(
    calm_site: SandboxProcess, credentials: Credentials, journal: Journal
) -> None:
    before = calm_site.last_event()
    first = Listener(credentials, QUICK, journal)
    first.start()
    assert first.wait_connected(10)
    assert first.stop()
    stopped = time.time()
    describe_task(calm_site, "while nobody listens")
    second = Listener(credentials, QUICK, journal)
    second.start()
    try:
        assert second.wait_connected(10)
        assert until(lambda: len(gaps(journal)) == 1)
        assert gaps(journal)[0]["since"] <= stopped
        assert unaccounted(calm_site, journal, before) == []
    finally:
        assert second.stop()


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "text",
        {"entities": None},
        {"entities": [None, 5, {"entityType": None}]},
        {"n": "5", "parents": {}},
        {"half an emoji \ud83d": "\ud83d"},
    ],
)
def test_an_event_of_any_shape_is_kept_and_ends_nothing(listener: Listener, journal: Journal, data: object) -> None:
    listener.send("studio.strange", data)
    assert until(lambda: journal.count_events() == 1)
    listener.send("studio.usual", {"after": "it"})
    assert until(lambda: journal.count_events() == 2)
    assert listener.reconnects == 0


def test_what_a_full_disk_refuses_waits_in_memory_and_is_kept_later(
    calm_site: SandboxProcess, credentials: Credentials, journal: Journal
) -> None:
    class FullDisk:
        """The journal on a disk that is full for a while."""

        refused = 0

        def append_events(self, events: Sequence[RawEvent]) -> Sequence[int]:
            if self.refused < 2:
                self.refused += 1
                raise OSError(28, "No space left on device")
            return journal.append_events(events)

        def heard(self, at: float) -> None:
            journal.heard(at)

        def last_heard(self) -> float | None:
            return journal.last_heard()

    disk = FullDisk()
    listener = Listener(credentials, QUICK, disk)
    listener.start()
    try:
        assert listener.wait_connected(10)
        before = calm_site.last_event()
        describe_task(calm_site, str(uuid.uuid4()))
        describe_task(calm_site, str(uuid.uuid4()))
        assert until(lambda: journal.count_events() == 2)
        assert disk.refused == 2
        assert {row["event"]["id"] for row in calm_site.events(before, "ftrack.update")} == kept_ids(journal)
        assert listener.reconnects == 0
    finally:
        assert listener.stop()
