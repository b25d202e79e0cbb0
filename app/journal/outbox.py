"""The outbox's rows: outward effects, each under a key that makes it unique for ever."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.journal.queue import NEVER
from app.journal.store import Row, Store, dump
from app.rules.text import storable

OutboxState = Literal["queued", "sending", "sent", "in_doubt", "dropped", "failed", "cancelled"]
_COLUMNS = """id, dedupe, effect_id, run_id, kind, lane, digest, state, words, data, created, due, expires, attempts,
    doubt, leader, look"""


@dataclass(frozen=True, slots=True)
class NewMessage:
    """An outward effect to queue."""

    dedupe: str
    effect_id: int
    run_id: int
    kind: str
    lane: str
    digest: str
    words: str
    data: Mapping[str, Any]
    due: float
    expires: float | None


@dataclass(slots=True)
class Message:
    """A row of the outbox.

    ``leader`` is the message that carries this one in a digest; ``look`` asks to look outside before sending.
    """

    id: int
    dedupe: str
    effect_id: int
    run_id: int
    kind: str
    lane: str
    digest: str
    state: OutboxState
    words: str
    data: Mapping[str, Any]
    created: float
    due: float
    expires: float | None
    attempts: int
    doubt: bool
    leader: int | None
    look: bool


def _message(row: Row) -> Message:
    values = list(row)
    values[9] = json.loads(values[9])
    values[14] = bool(values[14])
    values[16] = bool(values[16])
    return Message(*values)


class Outbox(Store):
    """Queue, send, settle."""

    def post(self, messages: Sequence[NewMessage]) -> list[tuple[int, int | None]]:
        """Queue messages. For each: its row id, and the effect that queued the same key before (None when new).

        A message that was dropped, failed or cancelled may be queued again; anything else is not sent twice.
        """
        posted: list[tuple[int, int | None]] = []
        with self.write(durable=True) as db:
            for each in messages:
                row = db.execute("SELECT id, effect_id, state FROM outbox WHERE dedupe = ?", (each.dedupe,)).fetchone()
                if row is not None and (row[2] not in ("dropped", "failed", "cancelled")) and row[1] != each.effect_id:
                    posted.append((int(row[0]), int(row[1])))
                    continue
                if row is not None:
                    if row[2] in ("dropped", "failed", "cancelled"):
                        db.execute("DELETE FROM outbox WHERE id = ?", (row[0],))
                    else:
                        posted.append((int(row[0]), None))
                        continue
                db.execute(
                    """INSERT INTO outbox(dedupe, effect_id, run_id, kind, lane, digest, state, words, data, created,
                    due, expires) VALUES(?,?,?,?,?,?,'queued',?,?,?,?,?)""",
                    (
                        each.dedupe,
                        each.effect_id,
                        each.run_id,
                        each.kind,
                        each.lane,
                        each.digest,
                        storable(each.words),
                        dump(each.data),
                        self.now(),
                        each.due,
                        each.expires,
                    ),
                )
                posted.append((db.last_insert_rowid(), None))
        return posted

    def due_messages(self, limit: int = 50) -> list[Message]:
        """Queued messages whose time has come, oldest first."""
        rows = self.read(
            f"SELECT {_COLUMNS} FROM outbox WHERE state = 'queued' AND leader IS NULL AND due <= ? "
            "ORDER BY due, id LIMIT ?",
            (self.now(), limit),
        )
        return [_message(row) for row in rows]

    def next_message_due(self) -> float | None:
        """When the next queued message is due."""
        row = self.one("SELECT min(due) FROM outbox WHERE state = 'queued' AND leader IS NULL")
        return float(row[0]) if row and row[0] is not None else None

    def gather(self, first: Message, most: int) -> list[Message]:
        """The queued messages that go out together with this one (same lane and digest), this one first.

        Nothing when it is no longer queued: it went out with an earlier one, or was cancelled. What must be looked for
        before it is sent is left for a turn of its own.
        """
        rows = self.read(
            f"""SELECT {_COLUMNS} FROM outbox WHERE state = 'queued' AND leader IS NULL
            AND (id = ?1 OR (look = 0 AND ?2 <> '' AND lane = ?3 AND digest = ?2)) ORDER BY id <> ?1, id LIMIT ?4""",
            (first.id, first.digest, first.lane, most),
        )
        found = [_message(row) for row in rows]
        return found if found and found[0].id == first.id else []

    def postpone(self, message_id: int, due: float) -> None:
        """Let a queued message wait until ``due``; one that is not queued any more is left as it is."""
        with self.write() as db:
            db.execute("UPDATE outbox SET due = ? WHERE id = ? AND state = 'queued'", (due, message_id))

    def bring_forward(self, seconds: float) -> None:
        """The clock went back by so many seconds: runs and messages that wait for a time wait no longer for it."""
        now = self.now()
        with self.write() as db:
            db.execute(
                "UPDATE runs SET due = due - ? WHERE state IN ('queued', 'retry', 'waiting') AND due > ? AND due < ?",
                (seconds, now, NEVER),
            )
            db.execute("UPDATE outbox SET due = due - ? WHERE state = 'queued' AND due > ?", (seconds, now))

    def interrupted_messages(self) -> list[Message]:
        """Messages that were on their way when the program ended: in doubt."""
        rows = self.read(f"SELECT {_COLUMNS} FROM outbox WHERE state = 'sending' AND leader IS NULL ORDER BY id")
        return [_message(row) for row in rows]

    def carried_by(self, leader: int) -> list[Message]:
        """The messages that a digest carried besides its own."""
        return [
            _message(row) for row in self.read(f"SELECT {_COLUMNS} FROM outbox WHERE leader = ? ORDER BY id", (leader,))
        ]

    def mark_sending(self, messages: Sequence[Message]) -> list[Message]:
        """Write down durably that these go out now, as one; returns those that nobody cancelled meanwhile."""
        with self.write(durable=True) as db:
            marks = ",".join("?" * len(messages))
            still = {
                row[0]
                for row in db.execute(
                    f"SELECT id FROM outbox WHERE state = 'queued' AND id IN ({marks})",
                    [each.id for each in messages],
                )
            }
            going = [each for each in messages if each.id in still]
            db.executemany(
                "UPDATE outbox SET state='sending', leader=?, attempts=attempts+1 WHERE id=?",
                [(going[0].id if each is not going[0] else None, each.id) for each in going],
            )
        return going

    def settle(
        self,
        ids: Sequence[int],
        state: OutboxState,
        *,
        result: Mapping[str, Any] | None = None,
        error: str = "",
        due: float | None = None,
        doubt: bool = False,
        look: bool = False,
    ) -> None:
        """Move messages to a state; a queued one is due again at ``due``."""
        with self.write(durable=True) as db:
            db.executemany(
                """UPDATE outbox SET state=?, result=coalesce(?, result), error=?, due=coalesce(?, due),
                doubt=max(doubt, ?), sent_at=CASE WHEN ?='sent' THEN ? ELSE sent_at END,
                look=?, leader=CASE WHEN ?='queued' AND NOT ? THEN NULL ELSE leader END WHERE id=?""",
                [
                    (
                        state,
                        dump(result) if result else None,
                        storable(error),
                        due,
                        int(doubt),
                        state,
                        self.now(),
                        int(look),
                        state,
                        int(look),
                        each,
                    )
                    for each in ids
                ],
            )

    def runs_in_outbox(self) -> list[int]:
        """Runs that wait for their messages only."""
        return [
            int(row[0])
            for row in self.read("SELECT id FROM runs WHERE state='waiting' AND lane='outbox' AND leader IS NULL")
        ]

    def open_messages(self, run_id: int) -> int:
        """How many of a run's messages are still to be sent."""
        row = self.one("SELECT count(*) FROM outbox WHERE run_id = ? AND state IN ('queued', 'sending')", (run_id,))
        return int(row[0]) if row else 0

    def messages_of(self, run_id: int) -> list[Message]:
        """A run's messages."""
        return [
            _message(row) for row in self.read(f"SELECT {_COLUMNS} FROM outbox WHERE run_id = ? ORDER BY id", (run_id,))
        ]
