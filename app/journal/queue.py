"""Runs and their effects as the engine writes them: add, claim, plan, apply, end."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import apsw

from app.journal.rows import EffectState, RunKind, RunState
from app.journal.store import Row, Store, dump
from app.rules.text import storable

_RUN = """id, kind, handler, event_row, state, lane, dry, attempts, replans, seq, created, received, due, key, identity,
    leader, depth, project, project_id, entity_type, entity_id, entity, user, undo_of, cancel, change, facts, plan,
    plan_no, plan_hash"""
_EFFECT = "id, slot, kind, state, words, entity_id, error, data, before, after"
_ENDED = ("planned", "done", "skipped", "superseded", "failed", "stopped", "cancelled", "in_doubt", "undone")
#: A run that waits for the outbox ends when its messages do: nothing else may claim it.
NEVER = 9e15


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to queue. ``identity`` is unique: what is there already is not queued again."""

    kind: RunKind
    handler: str
    identity: str
    key: str
    seq: int
    received: float
    event_row: int | None = None
    state: RunState = "queued"
    reason: str = ""
    lane: str = "main"
    dry: bool = False
    due: float = 0.0
    depth: int = 0
    project: str = ""
    project_id: str = ""
    entity_type: str = ""
    entity_id: str = ""
    entity: str = ""
    user: str = ""
    undo_of: int | None = None
    change: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class QueuedRun:
    """A run as the engine works on it; ``change`` and ``facts`` are decoded, ``plan`` is None before planning."""

    id: int
    kind: RunKind
    handler: str
    event_row: int | None
    state: RunState
    lane: str
    dry: bool
    attempts: int
    replans: int
    seq: int
    created: float
    received: float
    due: float
    key: str
    identity: str
    leader: int | None
    depth: int
    project: str
    project_id: str
    entity_type: str
    entity_id: str
    entity: str
    user: str
    undo_of: int | None
    cancel: bool
    change: Mapping[str, Any] | None
    facts: Mapping[str, Any]
    plan: Mapping[str, Any] | None
    plan_no: int
    plan_hash: str

    @property
    def log_fields(self) -> dict[str, Any]:
        """What a line of the log says of whose it is (``extra=``)."""
        return {
            "handler": self.handler,
            "run_id": self.id,
            "event_row": self.event_row,
            "project": self.project,
            "entity": self.entity,
        }

    @property
    def mark(self) -> str:
        """What no other run has in any journal: its number and the moment it was made. Ids are made of it."""
        return f"{self.id} {self.created}"


@dataclass(frozen=True, slots=True)
class NewEffect:
    """An effect of a plan that is about to be journalled."""

    slot: str
    kind: str
    channel: str
    words: str
    reason: str
    entity_id: str | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class QueuedEffect:
    """An effect as the engine works on it: what may be large stays the journal's text until somebody asks for it.

    Attributes:
        entity_id: The change's entity it is for.
        data_json: The effect itself.
        before_json: What was there before it was applied; None while it was not.
        after_json: Its results; None while it has none.
    """

    id: int
    slot: str
    kind: str
    state: EffectState
    words: str
    entity_id: str | None
    error: str
    data_json: str
    before_json: str | None
    after_json: str | None

    @property
    def data(self) -> dict[str, Any]:
        """The effect's fields."""
        return _object(self.data_json)

    @property
    def before(self) -> dict[str, Any]:
        """What was there before; empty while it was not applied."""
        return _object(self.before_json)

    @property
    def after(self) -> dict[str, Any]:
        """Its results; empty while it has none."""
        return _object(self.after_json)


def _object(text: str | None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text) if text is not None else {}
    return found


@dataclass(frozen=True, slots=True)
class Echo:
    """What an effect writes, as the event it causes will say it (see `app.engine.echo`)."""

    entity_id: str
    key: str
    value: str
    handler: str
    run_id: int
    depth: int


def _run(row: Row) -> QueuedRun:
    values = list(row)
    values[6] = bool(values[6])
    values[24] = bool(values[24])
    values[25] = json.loads(values[25]) if values[25] is not None else None
    values[26] = json.loads(values[26])
    values[27] = json.loads(values[27]) if values[27] is not None else None
    return QueuedRun(*values)


class Queue(Store):
    """The engine's part of the journal."""

    # -- making runs ---------------------------------------------------------------------------------------------

    def cursor(self) -> int:
        """Row id of the last event that was made into runs; -1 before a first start."""
        row = self.one("SELECT value FROM facts WHERE name = 'cursor'")
        return int(row[0]) if row else -1

    def set_cursor(self, row_id: int) -> None:
        """Move the cursor (in the transaction that adds the runs)."""
        with self.write() as db:
            db.execute(
                "INSERT INTO facts(name, value) VALUES('cursor', ?) "
                "ON CONFLICT(name) DO UPDATE SET value=excluded.value",
                (str(row_id),),
            )

    def add_runs(self, runs: Iterable[NewRun]) -> list[int | None]:
        """Queue runs; None for each whose identity is known already."""
        ids: list[int | None] = []
        with self.write() as db:
            for run in runs:
                before = db.total_changes()
                db.execute(
                    """INSERT INTO runs(kind, handler, event_row, state, lane, dry, reason, seq, created, received, due,
                    key, holds, identity, depth, project, project_id, entity_type, entity_id, entity, user, undo_of,
                    change, facts, finished) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
                    ON CONFLICT(identity) DO NOTHING""",
                    (
                        run.kind,
                        run.handler,
                        run.event_row,
                        run.state,
                        run.lane,
                        run.dry,
                        run.reason,
                        run.seq,
                        self.now(),
                        run.received,
                        run.due,
                        run.key,
                        _holds(run.key, run.state),
                        run.identity,
                        run.depth,
                        run.project,
                        run.project_id,
                        run.entity_type,
                        run.entity_id,
                        run.entity,
                        run.user,
                        run.undo_of,
                        dump(run.change) if run.change is not None else None,
                        dump(run.facts),
                        self.now() if run.state in _ENDED else None,
                    ),
                )
                ids.append(db.last_insert_rowid() if db.total_changes() != before else None)
        return ids

    # -- claiming ------------------------------------------------------------------------------------------------

    def claim(
        self,
        lane: str,
        batch_of: Callable[[str], int],
        busy: Collection[str] = (),
        only: Collection[str] | None = None,
    ) -> list[QueuedRun]:
        """Take the oldest run of a lane whose key is free, with the runs that join its plan; empty when none is due.

        A key is held by every earlier run that has not ended, and by a later one while it is at work: a run that is
        tried again, or goes on after a pause, does not start beside those that came after it.

        Args:
            lane: "main", "heavy" or "task".
            batch_of: How many changes of equal key a handler takes in one plan.
            busy: Handlers that have as many runs at work as they may.
            only: Take runs of these handlers alone; None: of all.
        """
        now = self.now()
        if (
            self.one("SELECT 1 FROM runs WHERE lane = ? AND state IN ('queued', 'retry', 'waiting') LIMIT 1", (lane,))
            is None
        ):
            return []
        skip = f"AND handler NOT IN ({','.join('?' * len(busy))})" if busy else ""
        if only is not None:
            skip += f" AND handler IN ({','.join('?' * len(only))})"
        with self.write() as db:
            row = db.execute(
                f"""SELECT {_RUN} FROM runs r
                WHERE lane = ? AND state IN ('queued', 'retry', 'waiting') AND due <= ? AND leader IS NULL
                {skip} AND NOT EXISTS (SELECT 1 FROM runs e WHERE e.key = r.key AND e.holds = 1 AND e.key != ''
                    AND ((e.seq, e.id) < (r.seq, r.id) OR e.state = 'running'))
                ORDER BY seq, id LIMIT 1""",
                (lane, now, *busy, *(only or ())),
            ).fetchone()
            if row is None:
                return []
            first = _run(row)
            runs = [first, *self._joining(db, first, batch_of(first.handler), now)]
            db.executemany(
                "UPDATE runs SET state='running', started=coalesce(started, ?), leader=? WHERE id=?",
                [(now, first.id if run is not first else None, run.id) for run in runs],
            )
            self._moved(db, [run.id for run in runs], "running")
        return runs

    def _moved(self, db: apsw.Connection, run_ids: Sequence[int], state: RunState) -> None:
        """Called in each transaction that moves runs to a state: whoever keeps books of them does it here."""

    def _joining(self, db: apsw.Connection, first: QueuedRun, batch: int, now: float) -> list[QueuedRun]:
        """The runs that share the first one's plan: kept ones of a stored plan, else those that follow on the key."""
        if first.plan is not None:
            rows = db.execute(f"SELECT {_RUN} FROM runs WHERE leader = ? ORDER BY seq, id", (first.id,)).fetchall()
            return [_run(row) for row in rows]
        if batch <= 1 or first.kind != "handler" or not first.key:
            return []
        rows = db.execute(
            f"SELECT {_RUN} FROM runs WHERE key = ? AND holds = 1 AND (seq, id) > (?, ?) ORDER BY seq, id LIMIT ?",
            (first.key, first.seq, first.id, batch - 1),
        ).fetchall()
        joining = []
        for run in map(_run, rows):
            alike = (run.handler, run.kind, run.dry, run.depth) == (first.handler, first.kind, first.dry, first.depth)
            if not alike or run.state != "queued" or run.due > now or run.facts or run.plan is not None:
                break
            joining.append(run)
        return joining

    def next_due(self) -> float | None:
        """When the next run of the engine's own lanes that waits for its time is due (not what is due by now)."""
        row = self.one(
            "SELECT min(due) FROM runs WHERE lane IN ('main', 'heavy') AND state IN ('queued', 'retry', 'waiting') "
            "AND due > ? AND due < ?",
            (self.now(), NEVER),
        )
        return float(row[0]) if row and row[0] is not None else None

    def anything_due(self) -> bool:
        """Whether a run of the engine's own lanes could be worked on now, keys apart."""
        row = self.one(
            "SELECT 1 FROM runs WHERE lane IN ('main', 'heavy') AND state IN ('queued', 'retry', 'waiting') "
            "AND due <= ? AND leader IS NULL LIMIT 1",
            (self.now(),),
        )
        return row is not None

    def queued_run(self, run_id: int) -> QueuedRun:
        """A run as the engine sees it.

        Raises:
            KeyError: There is no such run.
        """
        row = self.one(f"SELECT {_RUN} FROM runs WHERE id = ?", (run_id,))
        if row is None:
            raise KeyError(f"run {run_id} is not in the journal (any more)")
        return _run(row)

    def followers(self, run_id: int) -> list[QueuedRun]:
        """The runs that share this run's plan."""
        return [_run(row) for row in self.read(f"SELECT {_RUN} FROM runs WHERE leader = ? ORDER BY seq, id", (run_id,))]

    def orphans(self) -> list[QueuedRun]:
        """Leaders of plans that were being worked on when the program ended."""
        rows = self.read(f"SELECT {_RUN} FROM runs WHERE state = 'running' AND leader IS NULL ORDER BY seq, id")
        return [_run(row) for row in rows]

    # -- states --------------------------------------------------------------------------------------------------

    def set_state(
        self,
        run_ids: Sequence[int],
        state: RunState,
        reason: str = "",
        *,
        due: float | None = None,
        lane: str | None = None,
        failed_attempt: bool = False,
        fresh_attempts: bool = False,
        release: bool = False,
        dry: bool | None = None,
    ) -> None:
        """Move runs to a state; ended ones free their key.

        Args:
            run_ids: The runs.
            state: Where to.
            reason: For a person.
            due: Not before this time.
            lane: Which pool continues it.
            failed_attempt: Count an attempt.
            fresh_attempts: Count attempts from 0 again; an earlier wish to cancel is over, too.
            release: Let followers be claimed by themselves again.
            dry: Set the run's dry flag.
        """
        now = self.now()
        ended = state in _ENDED
        with self.write() as db:
            for run_id in run_ids:
                db.execute(
                    """UPDATE runs SET state = :state, reason = :reason, progress = '', due = coalesce(:due, due),
                    lane = coalesce(:lane, CASE WHEN :ended THEN 'main' ELSE lane END),
                    holds = CASE WHEN :holds AND key != '' THEN 1 ELSE 0 END,
                    attempts = CASE WHEN :fresh THEN 0 ELSE attempts + :attempt END,
                    cancel = CASE WHEN :ended OR :fresh THEN 0 ELSE cancel END,
                    leader = CASE WHEN :release THEN NULL ELSE leader END,
                    dry = coalesce(:dry, dry),
                    finished = CASE WHEN :ended THEN :now ELSE NULL END WHERE id = :id""",
                    {
                        "state": state,
                        "reason": storable(reason),
                        "due": due if due is not None else (None if ended or state == "running" else 0.0),
                        "lane": lane,
                        "holds": not ended and state != "paused" and lane != "outbox",
                        "fresh": fresh_attempts,
                        "attempt": int(failed_attempt),
                        "ended": ended,
                        "release": release,
                        "dry": dry,
                        "now": now,
                        "id": run_id,
                    },
                )
            self._moved(db, run_ids, state)

    def set_progress(self, run_id: int, words: str) -> None:
        """What a slow step is doing, for the window."""
        with self.write() as db:
            db.execute("UPDATE runs SET progress = ? WHERE id = ? AND state = 'running'", (storable(words), run_id))

    def ask_cancel(self, run_id: int, *, wanted: bool = True) -> None:
        """Ask a running run to stop at its next step; or, not wanted any more, take that back."""
        with self.write() as db:
            db.execute("UPDATE runs SET cancel = ? WHERE id = ?", (wanted, run_id))

    def cancel_asked(self, run_id: int) -> bool:
        """Whether a person asked this run to stop."""
        row = self.one("SELECT cancel FROM runs WHERE id = ?", (run_id,))
        return bool(row and row[0])

    # -- plans and effects ---------------------------------------------------------------------------------------

    def store_plan(
        self, run_id: int, plan: Mapping[str, Any], plan_hash: str, effects: Sequence[NewEffect], replans: int
    ) -> None:
        """Journal a plan: effects of an earlier plan that were not applied give way to it."""
        with self.write() as db:
            db.execute(
                "DELETE FROM effects WHERE run_id = ? "
                "AND state IN ('planned', 'queued', 'failed', 'skipped', 'already')",
                (run_id,),
            )
            db.execute(
                "UPDATE runs SET plan = ?, plan_hash = ?, plan_no = plan_no + 1, replans = ? WHERE id = ?",
                (dump(plan), plan_hash, replans, run_id),
            )
            row: Row = db.execute("SELECT plan_no FROM runs WHERE id = ?", (run_id,)).fetchall()[0]
            db.executemany(
                "INSERT INTO effects(run_id, plan_no, idx, slot, kind, channel, state, words, reason, entity_id, data) "
                "VALUES(?,?,?,?,?,?,'planned',?,?,?,?)",
                [
                    (
                        run_id,
                        row[0],
                        number,
                        each.slot,
                        each.kind,
                        each.channel,
                        storable(each.words),
                        storable(each.reason),
                        each.entity_id,
                        dump(each.data),
                    )
                    for number, each in enumerate(effects)
                ],
            )

    def keep_plan(self, run_id: int) -> None:
        """Let the stored plan go on at the next claim although nothing of it has happened yet (it changes lanes)."""
        with self.write() as db:
            db.execute("UPDATE runs SET facts = json_set(facts, '$.in_turn', json('true')) WHERE id = ?", (run_id,))

    def set_facts(self, run_id: int, facts: Mapping[str, Any]) -> None:
        """Replace the facts a run carries."""
        with self.write() as db:
            db.execute("UPDATE runs SET facts = ? WHERE id = ?", (dump(facts), run_id))

    def forget_plan(self, run_id: int) -> None:
        """Plan afresh at the next claim; effects that happened stay in the journal."""
        with self.write() as db:
            db.execute(
                "UPDATE runs SET plan = NULL, plan_hash = '', facts = json_remove(facts, '$.in_turn') WHERE id = ?",
                (run_id,),
            )
            db.execute(
                "DELETE FROM effects WHERE run_id = ? "
                "AND state IN ('planned', 'queued', 'failed', 'skipped', 'already', 'applying', 'dropped')",
                (run_id,),
            )

    def drop_plan(self, run_id: int) -> None:
        """Forget a stored plan of which nothing was applied: the run plans again."""
        with self.write() as db:
            db.execute("UPDATE runs SET plan = NULL, plan_hash = '' WHERE id = ?", (run_id,))
            db.execute("DELETE FROM effects WHERE run_id = ?", (run_id,))

    def effects_of(self, run_id: int, *, whole: bool = False) -> list[QueuedEffect]:
        """Effects of a run's present plan in order; with ``whole``, those that earlier plans applied too."""
        extra = "" if whole else "AND plan_no = (SELECT plan_no FROM runs WHERE id = :run)"
        rows = self.read(
            f"SELECT {_EFFECT} FROM effects WHERE run_id = :run {extra} ORDER BY plan_no, idx", {"run": run_id}
        )
        return [QueuedEffect(*row) for row in rows]

    def mark_applying(self, befores: Mapping[int, Mapping[str, Any]], echoes: Sequence[Echo]) -> None:
        """Write down durably what is about to be done, with what was there before."""
        now = self.now()
        with self.write() as db:
            db.executemany(
                "UPDATE effects SET state='applying', before=?, error='' WHERE id=?",
                [(dump(before), effect_id) for effect_id, before in befores.items()],
            )
            db.executemany(
                "INSERT INTO echoes(at, entity_id, key, value, handler, run_id, depth) VALUES(?,?,?,?,?,?,?)",
                [(now, e.entity_id, e.key, e.value, e.handler, e.run_id, e.depth) for e in echoes],
            )
        self.harden()

    def mark_effects(
        self,
        effect_ids: Iterable[int],
        state: EffectState,
        *,
        after: Mapping[int, Mapping[str, Any]] | None = None,
        error: str = "",
    ) -> None:
        """Move effects to a state, with their results where they have some."""
        now = self.now() if state in ("applied", "sent") else None
        with self.write() as db:
            db.executemany(
                "UPDATE effects SET state=?, after=coalesce(?, after), error=?, applied_at=coalesce(?, applied_at) "
                "WHERE id=?",
                [
                    (state, dump(after[i]) if after and i in after else None, storable(error), now, i)
                    for i in effect_ids
                ],
            )

    def echo_of(self, entity_id: str, since: float) -> list[tuple[str, str, str, int, int, str | None]]:
        """What effects wrote on an entity since: key, value, handler, depth, id of the echo, event matched before."""
        rows = self.read(
            "SELECT key, value, handler, depth, id, event_id FROM echoes WHERE entity_id = ? AND at >= ? ORDER BY id",
            (entity_id, since),
        )
        return [(row[0], row[1], row[2], row[3], row[4], row[5]) for row in rows]

    def match_echoes(self, echo_ids: Sequence[int], event_id: str) -> None:
        """Remember which event an echo was recognised in: it explains no other live event."""
        with self.write() as db:
            db.executemany("UPDATE echoes SET event_id = ? WHERE id = ?", [(event_id, each) for each in echo_ids])


def _holds(key: str, state: RunState) -> int:
    return int(bool(key) and state not in _ENDED and state != "paused")
