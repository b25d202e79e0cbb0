"""The engine with every handler of the product on a real site, fed from the site's own event log."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine_room import Room

from app.engine.protocol import Handler
from app.handlers import all_handlers
from app.journal.rows import RawEvent
from app.sandbox.slack_api import SlackServer
from app.settings.models import SECTIONS
from app.site.cache import LookUps
from app.site.door import Site
from app.site.types import Credentials
from app.slack import SlackClient, SlackPeople


class SignalRoom:
    """Journal, doors, all handlers.

    Args:
        folder: Of this test; the drive is ``folder / "drive"``.
        url, user, key: The site.
        slack: The workspace.
        workers: Runs in parallel.
    """

    def __init__(self, folder: Path, url: str, user: str, key: str, slack: SlackServer, workers: int = 4) -> None:
        folder.mkdir(exist_ok=True)
        self._url, self._user, self._key = url, user, key
        look_ups = LookUps()

        def door() -> Site:
            return Site(Credentials(url, user, key), look_ups, cache=folder / "cache")

        self.room = Room(folder, site=door)
        self.handlers: list[Handler] = all_handlers()
        self.room.models = {**SECTIONS, **{f"handlers.{one.id}": one.settings_model for one in self.handlers}}
        store = self.room.store
        store.set("studio", "time_zone", "Africa/Nairobi")
        store.set("slack", "base_url", slack.url)
        store.set("slack", "rate", 1000.0)
        store.set("engine", "workers", workers)
        client = SlackClient(lambda: self.room.settings("slack"), lambda: slack.token)
        self.room.doors.slack = client
        self.room.doors.people = SlackPeople(lambda project=None: self.room.settings("slack", project), client)
        self.after = self._last_event()

    def set(self, section: str, name: str, value: Any) -> None:
        self.room.store.set(section, name, value)

    def start(self, **levers: str) -> None:
        """Start the engine; ``levers`` move handlers away from On."""
        self.room.start(*self.handlers)
        for handler, position in levers.items():
            self.room.lever(position, handler)

    def close(self) -> None:
        self.room.close()

    def new_events(self) -> list[RawEvent]:
        """Updates since the last look, as the hub would have delivered them."""
        found = self._get(f"events?after={self.after}&limit=5000&topic=ftrack.update")["events"]
        if found:
            self.after = max(row["id"] for row in found)
        return [RawEvent(row["event"], row["time"]) for row in found]

    def feed(self, seconds: float = 120.0) -> int:
        """Give the engine what happened, and what it caused itself, until nothing more does; returns the count."""
        until = time.monotonic() + seconds
        count = 0
        while events := self.new_events():
            count += len(events)
            self.room.send(*events)
            self.room.settle(max(1.0, until - time.monotonic()))
        return count

    def runs(self, handler: str = "", states: Sequence[str] = ()) -> list[Any]:
        return list(self.room.journal.runs(handler=handler, states=states, limit=100_000))

    def states(self, handler: str) -> list[str]:
        return [run.state for run in self.runs(handler)]

    def _last_event(self) -> int:
        return int(self._get("events?after=0&limit=1")["last"])

    def _get(self, what: str) -> Any:
        headers = {"ftrack-user": self._user, "ftrack-api-key": self._key}
        request = urllib.request.Request(f"{self._url}/_sandbox/{what}", headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
