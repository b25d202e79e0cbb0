"""The levers' rows: position, breaker, and what was kept while a lever was Off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.journal.rows import LeverPosition
from app.journal.store import Row, Store


@dataclass(frozen=True, slots=True)
class KeptRange:
    """Events kept while a lever was Off: from row to row."""

    project: str
    first: int
    last: int
    count: int


class Levers(Store):
    """Levers of handlers, with overrides of projects."""

    def ensure_levers(self, handlers: Sequence[str], position: LeverPosition) -> None:
        """Give every handler seen for the first time a lever in this position."""
        with self.write() as db:
            db.executemany(
                "INSERT INTO levers(handler, position, who, at, why) VALUES(?,?,'signalbox',?,'first start') "
                "ON CONFLICT DO NOTHING",
                [(handler, position, self.now()) for handler in handlers],
            )

    def lever(self, handler: str, project: str = "") -> tuple[LeverPosition, str]:
        """Position for a project (its override, else the handler's own) and the breaker's reason, "" when closed."""
        rows = self.read(
            "SELECT project, position, breaker FROM levers WHERE handler = ? AND project IN ('', ?)", (handler, project)
        )
        position: LeverPosition = "on"
        breaker = ""
        for of_project, where, reason in sorted(rows):
            position = where
            if not of_project:
                breaker = reason
        return position, breaker

    def has_project_levers(self) -> bool:
        """Whether any project overrides a lever."""
        return self.one("SELECT 1 FROM levers WHERE project != '' LIMIT 1") is not None

    def set_lever(self, handler: str, project: str, position: LeverPosition, who: str, why: str) -> None:
        """Move a lever. Off starts to count kept events anew; what was kept before stays offered until then."""
        with self.write(durable=True) as db:
            db.execute(
                """INSERT INTO levers(handler, project, position, who, at, why) VALUES(:h, :p, :pos, :who, :at, :why)
                ON CONFLICT(handler, project) DO UPDATE SET
                kept_events = CASE WHEN :pos = 'off' AND position != 'off' THEN 0 ELSE kept_events END,
                kept_from = CASE WHEN :pos = 'off' AND position != 'off' THEN NULL ELSE kept_from END,
                kept_to = CASE WHEN :pos = 'off' AND position != 'off' THEN NULL ELSE kept_to END,
                position = :pos, who = :who, at = :at, why = :why""",
                {"h": handler, "p": project, "pos": position, "who": who, "at": self.now(), "why": why},
            )

    def begin_anew(self, positions: Mapping[str, LeverPosition], why: str) -> None:
        """Put the levers of a kind of the catalogue ("handler", "action") to a position, without any project's own."""
        with self.write(durable=True) as db:
            db.execute("DELETE FROM levers WHERE project != ''")
            for kind, position in positions.items():
                db.execute(
                    "UPDATE levers SET position = ?, who = 'signalbox', at = ?, why = ?, kept_events = 0, "
                    "kept_from = NULL, kept_to = NULL WHERE handler IN (SELECT id FROM catalogue WHERE kind = ?)",
                    (position, self.now(), why, kind),
                )

    def clear_lever(self, handler: str, project: str) -> None:
        """Remove a project's override."""
        with self.write() as db:
            db.execute("DELETE FROM levers WHERE handler = ? AND project = ? AND project != ''", (handler, project))

    def keep_event(self, handler: str, project: str, event_row: int) -> None:
        """Count an event that the handler wanted while its lever was Off."""
        with self.write() as db:
            own = db.execute("SELECT 1 FROM levers WHERE handler = ? AND project = ?", (handler, project)).fetchone()
            db.execute(
                """UPDATE levers SET kept_events = kept_events + (kept_to IS NULL OR kept_to != :row),
                kept_from = min(coalesce(kept_from, :row), :row), kept_to = max(coalesce(kept_to, :row), :row)
                WHERE handler = :h AND project = :p""",
                {"h": handler, "p": project if own else "", "row": event_row},
            )

    def take_kept(self, handler: str) -> list[KeptRange]:
        """The ranges of events kept for a handler; they are no longer offered afterwards."""
        with self.write() as db:
            rows: list[Row] = db.execute(
                "SELECT project, kept_from, kept_to, kept_events FROM levers "
                "WHERE handler = ? AND kept_events > 0 AND kept_from IS NOT NULL",
                (handler,),
            ).fetchall()
            db.execute(
                "UPDATE levers SET kept_events = 0, kept_from = NULL, kept_to = NULL WHERE handler = ?", (handler,)
            )
        return [KeptRange(*row) for row in rows]

    def count_failure(self, handler: str) -> int:
        """One more failure in a row; returns how many there are."""
        with self.write() as db:
            db.execute("UPDATE levers SET failures = failures + 1 WHERE handler = ? AND project = ''", (handler,))
            row = db.execute("SELECT failures FROM levers WHERE handler = ? AND project = ''", (handler,)).fetchone()
        return int(row[0]) if row else 0

    def count_success(self, handler: str) -> None:
        """The handler works: failures are counted from 0 again."""
        if self.one("SELECT 1 FROM levers WHERE handler = ? AND project = '' AND failures > 0", (handler,)) is None:
            return
        with self.write() as db:
            db.execute("UPDATE levers SET failures = 0 WHERE handler = ? AND project = ''", (handler,))

    def open_breaker(self, handler: str, reason: str) -> None:
        """Pause a handler: its waiting runs wait for a person, and leave their keys to others."""
        with self.write(durable=True) as db:
            db.execute("UPDATE levers SET breaker = ? WHERE handler = ? AND project = ''", (reason, handler))
            db.execute(
                "UPDATE runs SET state = 'paused', holds = 0 WHERE handler = ? AND kind = 'handler' "
                "AND state IN ('queued', 'retry') AND lane != 'outbox'",
                (handler,),
            )

    def close_breaker(self, handler: str) -> int:
        """Let a handler's paused runs go on; returns how many there were."""
        with self.write(durable=True) as db:
            db.execute("UPDATE levers SET breaker = '', failures = 0 WHERE handler = ? AND project = ''", (handler,))
            start: int = db.total_changes()
            db.execute(
                "UPDATE runs SET state = 'queued', due = 0, holds = (key != '') WHERE handler = ? AND state = 'paused'",
                (handler,),
            )
            return db.total_changes() - start
