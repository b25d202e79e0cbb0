"""Events in: appended durably and in order, named in words. Events out: pages for the window, batches for dispatch."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import apsw

from app.journal.crash import crash_point
from app.journal.rows import EventFilter, EventRow, NameRow, RawEvent
from app.journal.store import Row, Store, dump
from app.journal.words import summarise

_INSERT = """INSERT INTO events(event_id, topic, received, occurred, origin, words, project_id, project, entity_id,
    entity, user, raw) VALUES(?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(event_id) DO NOTHING"""
_COLUMNS = "e.id, e.event_id, e.topic, e.received, e.origin, e.words, e.project, e.entity, e.user"
#: Names are kept in memory up to so many; beyond it they are read again.
_NAMES_KEPT = 20_000
#: Seconds after which an unknown name is looked for again, and how many are remembered as unknown until then.
_ASK_AGAIN = 1.0
_UNKNOWN_KEPT = 2_000
#: So many of the newest events get their words again when a name becomes known.
_REWORD = 300


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as dispatch reads it."""

    id: int
    event_id: str
    topic: str
    received: float
    occurred: float | None
    origin: str
    raw: Mapping[str, Any]


class Events(Store):
    """The events' part of the journal."""

    _names: dict[str, NameRow]
    _unknown: dict[str, float]

    def append_events(self, events: Sequence[RawEvent]) -> list[int]:
        """Store events in one durable transaction and return their row ids, in order.

        An event whose ftrack id is known already is ignored: its row's id is returned. An event without an id gets
        one, so that nothing is lost.
        """
        rows: list[int] = []
        with self.write(durable=True) as db:
            cursor = db.cursor()
            for event in events:
                rows.append(self._append(cursor, event))
        crash_point("append")
        return rows

    def _append(self, cursor: apsw.Cursor, event: RawEvent) -> int:
        raw, payload = dump(event.payload), event.payload
        if "\ufffd" in raw:
            # Something in it could not be stored as it came; its words and names are made of what is.
            payload = json.loads(raw)
        event_id = str(payload.get("id") or uuid.uuid4().hex)
        self._learn_from(payload)
        said = summarise(payload, self.name_of)
        values = (
            event_id,
            str(payload.get("topic") or ""),
            event.received,
            event.occurred,
            event.origin,
            said.words,
            said.project_id,
            said.project,
            said.entity_id,
            said.entity,
            said.user,
            raw,
        )
        before = cursor.connection.total_changes()
        cursor.execute(_INSERT, values)
        if cursor.connection.total_changes() != before:
            return cursor.connection.last_insert_rowid()
        rows: list[Row] = cursor.execute("SELECT id FROM events WHERE event_id = ?", (event_id,)).fetchall()
        return int(rows[0][0])

    # -- names ---------------------------------------------------------------------------------------------------

    def name_of(self, entity_id: str) -> str | None:
        """The label an id is known by, or None."""
        found = self._name(entity_id)
        return (found.label or found.name) if found else None

    def named(self, entity_id: str) -> NameRow | None:
        """What is known of an id's name."""
        return self._name(entity_id)

    def _name(self, entity_id: str) -> NameRow | None:
        if not entity_id:
            return None
        found = self._names.get(entity_id)
        if found is None:
            now = time.monotonic()
            if self._unknown.get(entity_id, 0.0) > now:
                return None
            row = self.one("SELECT id, entity_type, name, label FROM names WHERE id = ?", (entity_id,))
            if row is None:
                # Another process may learn it: ask again, but not for every event of a storm.
                if len(self._unknown) >= _UNKNOWN_KEPT:
                    self._unknown.clear()
                self._unknown[entity_id] = now + _ASK_AGAIN
                return None
            found = NameRow(*row)
            self._remember(found)
        return found

    def _remember(self, row: NameRow) -> None:
        if len(self._names) >= _NAMES_KEPT:
            self._names.clear()
        self._names[row.id] = row
        self._unknown.pop(row.id, None)

    def learn_names(self, rows: Iterable[NameRow]) -> None:
        """Remember names; the newest events that mention a new one get their words again."""
        fresh = [row for row in rows if row.id and self._name(row.id) != row]
        if not fresh:
            return
        with self.write() as db:
            self._store_names(db, fresh)
            self._reword(db, {row.id for row in fresh})

    def _store_names(self, db: apsw.Connection, rows: Sequence[NameRow]) -> None:
        db.executemany(
            "INSERT INTO names(id, entity_type, name, label) VALUES(?,?,?,?) ON CONFLICT(id) DO UPDATE SET "
            "entity_type=excluded.entity_type, name=excluded.name, label=excluded.label",
            [(row.id, row.entity_type, row.name, row.label) for row in rows],
        )
        for row in rows:
            self._remember(row)

    def _reword(self, db: apsw.Connection, ids: set[str]) -> None:
        newest: list[Row] = db.execute("SELECT id, raw FROM events ORDER BY id DESC LIMIT ?", (_REWORD,)).fetchall()
        for row_id, raw in newest:
            if not any(one in raw for one in ids):
                continue
            said = summarise(json.loads(raw), self.name_of)
            db.execute(
                "UPDATE events SET words=?, project=?, entity=?, user=? WHERE id=?",
                (said.words, said.project, said.entity, said.user, row_id),
            )

    def _learn_from(self, payload: Mapping[str, Any]) -> None:
        """An added or renamed entity says its own name."""
        data = payload.get("data")
        entities = data.get("entities") if isinstance(data, dict) else None
        if not isinstance(entities, list):
            return
        for entity in entities:
            changes = entity.get("changes") if isinstance(entity, dict) else None
            pair = changes.get("name") if isinstance(changes, dict) else None
            name = pair.get("new") if isinstance(pair, dict) else None
            if not isinstance(name, str) or not name:
                continue
            parents = entity.get("parents")
            above = parents[1] if isinstance(parents, list) and len(parents) > 1 else None
            parent = self._name(str(above.get("entityId") or "")) if isinstance(above, dict) else None
            label = f"{parent.name} {name}" if parent is not None and parent.entity_type != "Project" else name
            row = NameRow(str(entity.get("entityId") or ""), str(entity.get("entity_type") or ""), name, label)
            if row.id and self._names.get(row.id) != row:
                with self.write() as db:
                    self._store_names(db, [row])

    # -- reading -------------------------------------------------------------------------------------------------

    def events(self, wanted: EventFilter | None = None, before: int | None = None, limit: int = 200) -> list[EventRow]:
        """A page of events, newest first: those with an id below ``before`` that pass the filter."""
        where, arguments = _conditions(wanted or EventFilter())
        if before is not None:
            where.append("e.id < :before")
            arguments["before"] = before
        arguments["limit"] = limit
        clause = f"WHERE {' AND '.join(where)}" if where else ""
        rows = self.read(f"SELECT {_COLUMNS} FROM events e {clause} ORDER BY e.id DESC LIMIT :limit", arguments)
        return self._with_lamps(rows)

    def events_after(self, after: int, limit: int = 500) -> list[EventRow]:
        """Events newer than row ``after``, oldest first."""
        rows = self.read(f"SELECT {_COLUMNS} FROM events e WHERE e.id > ? ORDER BY e.id LIMIT ?", (after, limit))
        return self._with_lamps(rows)

    def count_events(self, wanted: EventFilter | None = None) -> int:
        """How many events pass the filter."""
        where, arguments = _conditions(wanted or EventFilter())
        clause = f"WHERE {' AND '.join(where)}" if where else ""
        row = self.one(f"SELECT count(*) FROM events e {clause}", arguments)
        return int(row[0]) if row else 0

    def last_event_id(self) -> int:
        """Row id of the newest event, 0 without one."""
        row = self.one("SELECT max(id) FROM events")
        return int(row[0] or 0) if row else 0

    def event(self, row_id: int) -> dict[str, Any]:
        """Everything of one event: the fields of EventRow, and the wire's own as ``raw``.

        Raises:
            KeyError: There is no such event (any more).
        """
        rows = self.read(f"SELECT {_COLUMNS}, e.occurred, e.raw FROM events e WHERE e.id = ?", (row_id,))
        if not rows:
            raise KeyError(f"event {row_id} is not in the journal (any more)")
        row = rows[0]
        (event,) = self._with_lamps([row[:9]])
        return {
            "id": event.id,
            "event_id": event.event_id,
            "topic": event.topic,
            "received": event.received,
            "origin": event.origin,
            "words": event.words,
            "project": event.project,
            "entity": event.entity,
            "user": event.user,
            "lamps": [list(lamp) for lamp in event.lamps],
            "occurred": row[9],
            "raw": json.loads(row[10]),
        }

    def find_event(self, event_id: str) -> int | None:
        """The row of an event by ftrack's id, or None."""
        row = self.one("SELECT id FROM events WHERE event_id = ?", (event_id,))
        return int(row[0]) if row else None

    def stored_events(self, after: int, limit: int, until: int | None = None) -> list[StoredEvent]:
        """Events for dispatch, oldest first."""
        rows = self.read(
            "SELECT id, event_id, topic, received, occurred, origin, raw FROM events "
            "WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
            (after, until if until is not None else 1 << 62, limit),
        )
        return [StoredEvent(row[0], row[1], row[2], row[3], row[4], row[5], json.loads(row[6])) for row in rows]

    def last_event_before(self, moment: float) -> int:
        """Row of the newest event received before a moment (UTC epoch seconds); 0 where there is none."""
        rows = self.read("SELECT id FROM events WHERE received < ? ORDER BY id DESC LIMIT 1", (moment,))
        return int(rows[0][0]) if rows else 0

    def _with_lamps(self, rows: Sequence[Row]) -> list[EventRow]:
        if not rows:
            return []
        lamps: dict[int, dict[str, str]] = {}
        marks = ",".join("?" * len(rows))
        found = self.read(
            f"SELECT event_row, handler, state FROM runs WHERE event_row IN ({marks}) "
            "AND kind IN ('handler', 'action') ORDER BY id",
            [row[0] for row in rows],
        )
        for event_row, handler, state in found:
            of_event = lamps.setdefault(event_row, {})
            # Of a batch's many runs the one that needs a look wins; else the newest.
            if of_event.get(handler) not in _LOUD or state in _LOUD:
                of_event[handler] = state
        return [replace(EventRow(*row), lamps=tuple(lamps.get(row[0], {}).items())) for row in rows]


_LOUD = {"failed", "in_doubt"}


def _conditions(wanted: EventFilter) -> tuple[list[str], dict[str, Any]]:
    where: list[str] = []
    arguments: dict[str, Any] = {}
    text = "e.words || ' ' || e.entity || ' ' || e.project || ' ' || e.user || ' ' || e.topic"
    if wanted.text:
        arguments["text"] = wanted.text
        where.append(f"matches(:text, {text})" if wanted.regex else f"instr(lower({text}), lower(:text))")
    if wanted.project:
        arguments["project"] = wanted.project
        where.append("e.project = :project")
    if wanted.entity:
        arguments["entity"] = wanted.entity
        where.append("(instr(lower(e.entity), lower(:entity)) OR e.entity_id = :entity)")
    if wanted.user:
        arguments["user"] = wanted.user
        where.append("instr(lower(e.user), lower(:user))")
    if wanted.topic:
        arguments["topic"] = wanted.topic
        where.append("e.topic = :topic")
    runs = []
    for name, column, values in (("h", "handler", wanted.handlers), ("s", "state", wanted.states)):
        if values:
            marks = []
            for number, value in enumerate(sorted(values)):
                arguments[f"{name}{number}"] = value
                marks.append(f":{name}{number}")
            runs.append(f"r.{column} IN ({','.join(marks)})")
    if runs:
        where.append(f"e.id IN (SELECT r.event_row FROM runs r WHERE {' AND '.join(runs)})")
    return where, arguments
