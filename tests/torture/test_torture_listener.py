"""The listener with the time-outs it is shipped with: long silences, long absences, many deaths in a row."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from listening import until
from sandbox_process import SandboxProcess

from app.journal.journal import Journal
from app.sandbox.simulate import Artists
from app.settings.models import SiteSettings
from app.site.listener import Listener
from app.site.types import Credentials

#: An event may be lost on its way after the site wrote it down; the engine looks back five minutes for that.
_IN_FLIGHT = 5.0

SHIPPED = SiteSettings(subscriptions=["topic=ftrack.update"])


@pytest.fixture
def torture_site(tmp_path: Path) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path / "site", "studio") as site:
        yield site


@pytest.fixture
def torture_journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal.open(tmp_path / "journal")
    yield journal
    journal.close()


def unaccounted(site: SandboxProcess, journal: Journal, after: int) -> list[str]:
    """Updates on the site that are neither kept nor within a gap that was written down."""
    events = journal.stored_events(0, 1_000_000)
    kept = {event.event_id for event in events}
    gaps = [event.raw["data"] for event in events if event.topic == "signalbox.gap"]
    return [
        row["event"]["id"]
        for row in site.events(after, "ftrack.update")
        if row["event"]["id"] not in kept
        and not any(gap["since"] - _IN_FLIGHT <= row["time"] <= gap["until"] for gap in gaps)
    ]


def test_a_silent_peer_is_left_after_45_seconds(torture_site: SandboxProcess, torture_journal: Journal) -> None:
    listener = Listener(Credentials(torture_site.url, torture_site.user, torture_site.key), SHIPPED, torture_journal)
    listener.start()
    try:
        assert listener.wait_connected(30)
        torture_site.faults(silent=True)
        assert until(lambda: listener.reconnects == 1 and listener.connected, 60)
    finally:
        assert listener.stop()


def test_a_site_away_for_six_minutes_is_found_again_within_fifteen_seconds(
    torture_site: SandboxProcess, torture_journal: Journal
) -> None:
    listener = Listener(Credentials(torture_site.url, torture_site.user, torture_site.key), SHIPPED, torture_journal)
    listener.start()
    try:
        assert listener.wait_connected(30)
        torture_site.stop()
        assert not threading.Event().wait(360), "the stock hub gives up after five minutes"
        torture_site.start(torture_site.port)
        assert until(lambda: listener.connected, 15)
    finally:
        assert listener.stop()


def test_thirty_deaths_while_artists_work_lose_nothing_unnoticed(
    torture_site: SandboxProcess, torture_journal: Journal
) -> None:
    listener = Listener(Credentials(torture_site.url, torture_site.user, torture_site.key), SHIPPED, torture_journal)
    listener.start()
    before = torture_site.last_event()
    artists = Artists(torture_site.url, torture_site.key, torture_site.user, seed=11)
    dice = random.Random(11)
    stop = threading.Event()
    working = threading.Thread(target=artists.run, args=(3600.0, 20.0, stop))
    try:
        assert listener.wait_connected(30)
        working.start()
        for _ in range(30):
            seen = listener.reconnects
            assert not stop.wait(2.5), "the artists work on"
            torture_site.faults(disconnect=dice.choice(["close", "abort", "disconnect"]))
            assert until(lambda seen=seen: listener.reconnects > seen and listener.connected, 60)
        stop.set()
        working.join(30)
        assert until(lambda: unaccounted(torture_site, torture_journal, before) == [], 30)
    finally:
        stop.set()
        artists.close()
        assert listener.stop()
