"""The durable event log: every event the site made or passed on, in order, with an ascending id.

The log is a database of its own beside the site's, so that a storm of small client events never waits for a batch and
never holds one up. ``ftrack.update`` is written at once; other events at most 20 ms later, many in one transaction.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import apsw

_FLUSH_SECONDS = 0.02
_LARGEST_PAGE = 10_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    id INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    topic TEXT NOT NULL,
    username TEXT NOT NULL,
    event TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS event_topic ON event (topic, id);
"""


class EventLog:
    """The event log of one site's folder. Owned by the site's event loop.

    Args:
        path: The database file; made when absent.
    """

    def __init__(self, path: Path) -> None:
        self._database = apsw.Connection(str(path))
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute(_SCHEMA)
        newest = self._database.execute("SELECT coalesce(max(id), 0) FROM event").fetchone()
        self._last = int(newest[0]) if newest else 0
        self._pending: list[tuple[int, float, str, str, str]] = []
        self._flush_due = False

    @property
    def last_id(self) -> int:
        """The newest event's id; 0 where there is none."""
        return self._last

    def append(self, event: Mapping[str, Any], encoded: str, time: float) -> int:
        """Keep an event.

        Args:
            event: The event.
            encoded: The same as JSON text.
            time: The site's clock, UTC epoch seconds.

        Returns:
            Its id.
        """
        self._last += 1
        user = event["source"].get("user") or {}
        self._pending.append((self._last, time, _storable(event["topic"]), _storable(user.get("username")), encoded))
        if event["topic"] == "ftrack.update":
            self.flush()
        elif not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self._flush_later)
        return self._last

    def after(self, identifier: int, limit: int = 1000, topic: str | None = None) -> list[dict[str, Any]]:
        """Events newer than ``identifier``, oldest first: ``{"id", "time", "event"}``, at most ``limit`` of them."""
        self.flush()
        clause, arguments = ("AND topic = ?", [topic]) if topic else ("", [])
        rows = self._database.execute(
            f"SELECT id, time, event FROM event WHERE id > ? {clause} ORDER BY id LIMIT ?",
            (identifier, *arguments, max(1, min(limit, _LARGEST_PAGE))),
        )
        return [{"id": number, "time": time, "event": json.loads(encoded)} for number, time, encoded in rows]

    def flush(self) -> None:
        """Write what is pending."""
        if self._pending:
            rows, self._pending = self._pending, []
            with self._database:
                self._database.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Write what is pending and close the file; a second call does nothing."""
        self.flush()
        self._database.close()

    def _flush_later(self) -> None:
        self._flush_due = False
        self.flush()


def _storable(text: object) -> str:
    """A client's text without what UTF-8 cannot hold."""
    return str(text or "").encode("utf-8", "replace").decode("utf-8")
