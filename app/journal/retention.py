"""What is forgotten, and when: events and ended runs after some days, small things after hours."""

from __future__ import annotations

from app.journal.store import Store

_HOUR = 3600.0
_DAY = 24 * _HOUR
#: Rows a call deletes at most of one kind, so that no transaction holds the listener up.
_CHUNK = 2000


class Retention(Store):
    """The forgetting part of the journal."""

    def forget(self, before: float) -> int:
        """Delete a chunk of events and ended runs older than ``before`` (UTC epoch seconds); tells how many rows went.

        Events with a run that has not ended, and dedupe keys of messages that were sent, stay as long as needed.
        """
        now = self.now()
        with self.write() as db:
            start: int = db.total_changes()
            db.execute(
                "DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE finished < ? AND state != 'waiting' LIMIT ?)",
                (before, _CHUNK),
            )
            db.execute(
                """DELETE FROM events WHERE id IN (SELECT id FROM events e WHERE received < ?
                AND id <= coalesce((SELECT CAST(value AS INTEGER) FROM facts WHERE name = 'cursor'), 0)
                AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.event_row = e.id) LIMIT ?)""",
                (before, _CHUNK),
            )
            db.execute(
                "DELETE FROM echoes WHERE id IN (SELECT id FROM echoes WHERE at < ? LIMIT ?)", (now - _DAY, _CHUNK)
            )
            db.execute("DELETE FROM forms WHERE at < ?", (now - _DAY,))
            db.execute("DELETE FROM orders WHERE created < ? AND state != 'open'", (before,))
            db.execute(
                "DELETE FROM outbox WHERE created < ? AND state NOT IN ('queued', 'sending', 'in_doubt')", (before,)
            )
            return db.total_changes() - start
