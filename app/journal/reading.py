"""What the window and the command line read of runs, levers, handlers and health."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from app.journal.rows import (
    CatalogueRow,
    EffectRow,
    HandlerStats,
    HealthRow,
    LeverRow,
    OrderRow,
    RunDetail,
    RunRow,
)
from app.journal.store import Row, Store

_RUN = """r.id, r.kind, r.handler, r.event_row, r.state, r.dry,
    CASE WHEN r.progress != '' AND r.state IN ('running', 'waiting', 'queued') THEN r.progress ELSE r.reason END,
    r.attempts, r.created, r.started, r.finished, r.due, r.key, r.project, r.entity_type, r.entity_id, r.entity, r.user,
    CASE WHEN r.leader IS NULL THEN (SELECT count(*) FROM effects f WHERE f.run_id = r.id)
    ELSE (SELECT count(*) FROM effects f WHERE f.run_id = r.leader AND f.entity_id = r.entity_id) END, r.undo_of"""
_EFFECT = """id, run_id, idx, slot, kind, state, words, reason, data, before, after, error, applied_at"""
_UNFINISHED = "('queued', 'running', 'waiting', 'retry', 'paused')"
#: Durations are taken from so many of the newest runs.
_SAMPLE = 2000


def run_row(row: Row) -> RunRow:
    """A RunRow of the columns selected by `_RUN`."""
    values = list(row)
    values[5] = bool(values[5])
    return RunRow(*values)


def effect_row(row: Row) -> EffectRow:
    """An EffectRow of the columns selected by `_EFFECT`."""
    values = list(row)
    values[8] = json.loads(values[8])
    values[9] = json.loads(values[9]) if values[9] is not None else None
    values[10] = json.loads(values[10]) if values[10] is not None else None
    return EffectRow(*values)


class Reading(Store):
    """The reading part of the journal, apart from events and log."""

    def runs(
        self,
        handler: str = "",
        states: Collection[str] = (),
        text: str = "",
        before: int | None = None,
        limit: int = 200,
    ) -> list[RunRow]:
        """A page of runs, newest first."""
        where, arguments = ["1"], list[Any]()
        if handler:
            where.append("r.handler = ?")
            arguments.append(handler)
        if states:
            where.append(f"r.state IN ({','.join('?' * len(states))})")
            arguments.extend(sorted(states))
        if text:
            where.append("instr(lower(r.entity || ' ' || r.project || ' ' || r.user || ' ' || r.reason), lower(?))")
            arguments.append(text)
        if before is not None:
            where.append("r.id < ?")
            arguments.append(before)
        sql = f"SELECT {_RUN} FROM runs r WHERE {' AND '.join(where)} ORDER BY r.id DESC LIMIT ?"
        return [run_row(row) for row in self.read(sql, [*arguments, limit])]

    def runs_of_event(self, event_row: int) -> list[RunRow]:
        """The runs an event made, oldest first."""
        sql = f"SELECT {_RUN} FROM runs r WHERE r.event_row = ? ORDER BY r.id"
        return [run_row(row) for row in self.read(sql, (event_row,))]

    def run_row(self, run_id: int) -> RunRow:
        """A run without its effects. Raises KeyError when there is no such run (any more)."""
        rows = self.read(f"SELECT {_RUN} FROM runs r WHERE r.id = ?", (run_id,))
        if not rows:
            raise KeyError(f"run {run_id} is not in the journal (any more)")
        return run_row(rows[0])

    def effect_states(self, run_id: int) -> dict[str, int]:
        """State to number of a run's effects: how far a large run is, at the cost of one index."""
        rows = self.read("SELECT state, count(*) FROM effects WHERE run_id = ? GROUP BY state", (run_id,))
        return {str(state): int(number) for state, number in rows}

    def run(self, run_id: int) -> RunDetail:
        """A run with its changes, notes and effects (of a batch: those that are this run's own).

        Raises:
            KeyError: There is no such run (any more).
        """
        rows = self.read(f"SELECT {_RUN}, r.leader FROM runs r WHERE r.id = ?", (run_id,))
        if not rows:
            raise KeyError(f"run {run_id} is not in the journal (any more)")
        row, leader = run_row(rows[0][:-1]), rows[0][-1]
        owner = leader if leader is not None else run_id
        plan_row = self.one("SELECT plan FROM runs WHERE id = ?", (owner,))
        plan: Mapping[str, Any] = json.loads(plan_row[0]) if plan_row and plan_row[0] else {}
        effects = [
            effect_row(each)
            for each in self.read(f"SELECT {_EFFECT} FROM effects WHERE run_id = ? ORDER BY plan_no, idx", (owner,))
        ]
        notes: Sequence[Mapping[str, Any]] = plan.get("notes", ())
        if leader is not None:
            mine = {
                each[0]
                for each in self.read(
                    "SELECT id FROM effects WHERE run_id = ? AND entity_id = ?", (owner, row.entity_id)
                )
            }
            effects = [effect for effect in effects if effect.id in mine]
            notes = [note for note in notes if note.get("entity_id") in ("", row.entity_id)]
        changes = self.read(
            "SELECT change FROM runs WHERE (id = ? OR (leader = ? AND ?)) AND change IS NOT NULL ORDER BY seq, id",
            (run_id, run_id, leader is None),
        )
        return RunDetail(
            row=row,
            changes=tuple(json.loads(each[0]) for each in changes),
            notes=tuple(notes),
            warnings=tuple(plan.get("warnings", ())),
            effects=tuple(effects),
        )

    def plan_hash(self, run_id: int) -> str:
        """The hash of a run's journalled plan, "" without one; `apply_planned` orders carry it."""
        row = self.one(
            "SELECT plan_hash FROM runs WHERE id = coalesce((SELECT leader FROM runs WHERE id = ?), ?)",
            (run_id, run_id),
        )
        return str(row[0]) if row else ""

    def stats(self, since: float) -> list[HandlerStats]:
        """Counters and times of every handler and action that has runs or a catalogue row."""
        known = [row[0] for row in self.read("SELECT id FROM catalogue ORDER BY kind DESC, position")]
        counts: dict[str, dict[str, int]] = {}
        for handler, state, number in self.read(
            f"""SELECT handler, state, count(*) FROM runs
            WHERE kind IN ('handler', 'action') AND (state IN {_UNFINISHED} OR finished >= ?)
            GROUP BY handler, state""",
            (since,),
        ):
            counts.setdefault(handler, {})[state] = number
        names = [*known, *(name for name in counts if name not in known)]
        return [self._stats(name, counts.get(name, {}), since) for name in names]

    def _stats(self, handler: str, count: Mapping[str, int], since: float) -> HandlerStats:
        p50, p95 = self._percentiles(handler, since)
        oldest = self.one(
            f"SELECT min(received) FROM runs WHERE handler = ? AND kind IN ('handler', 'action') "
            f"AND state IN {_UNFINISHED} AND lane != 'outbox'",
            (handler,),
        )
        failed = self.one(
            "SELECT reason, id FROM runs WHERE handler = ? AND state = 'failed' ORDER BY id DESC LIMIT 1", (handler,)
        )
        last = self.one(
            "SELECT finished FROM runs WHERE handler = ? AND finished IS NOT NULL ORDER BY id DESC LIMIT 1", (handler,)
        )
        return HandlerStats(
            handler=handler,
            done=count.get("done", 0) + count.get("undone", 0),
            skipped=count.get("skipped", 0) + count.get("superseded", 0),
            failed=count.get("failed", 0) + count.get("in_doubt", 0),
            planned=count.get("planned", 0),
            queued=count.get("queued", 0) + count.get("paused", 0),
            running=count.get("running", 0) + count.get("waiting", 0),
            retry=count.get("retry", 0),
            p50=p50,
            p95=p95,
            lag=max(0.0, self.now() - oldest[0]) if oldest and oldest[0] is not None else 0.0,
            last_error=str(failed[0]) if failed else "",
            last_error_run=int(failed[1]) if failed else None,
            last_run=last[0] if last else None,
        )

    def _percentiles(self, handler: str, since: float) -> tuple[float | None, float | None]:
        rows = self.read(
            """SELECT finished - received FROM runs WHERE handler = ? AND kind IN ('handler', 'action')
            AND finished >= ? ORDER BY id DESC LIMIT ?""",
            (handler, since, _SAMPLE),
        )
        times = sorted(row[0] for row in rows if row[0] is not None)
        if not times:
            return None, None
        return times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.95))]

    def levers(self) -> list[LeverRow]:
        """Every lever: the handlers' own first, then the projects' overrides."""
        rows = self.read(
            "SELECT handler, project, position, who, at, why, breaker, kept_events FROM levers "
            "ORDER BY project, handler"
        )
        return [LeverRow(*row) for row in rows]

    def catalogue(self) -> list[CatalogueRow]:
        """The handlers and actions the engine has, in its order."""
        rows = self.read(
            "SELECT id, kind, title, help, icon, settings_schema, form, source, error FROM catalogue "
            "ORDER BY kind DESC, position"
        )
        return [
            CatalogueRow(
                row[0],
                row[1],
                row[2],
                row[3],
                row[4],
                json.loads(row[5]),
                json.loads(row[6]) if row[6] else None,
                *row[7:],
            )
            for row in rows
        ]

    def health(self) -> list[HealthRow]:
        """The lamps of the health strip."""
        return [HealthRow(*row) for row in self.read("SELECT name, state, words, at FROM health ORDER BY name")]

    def outbox(self, limit: int = 200) -> list[dict[str, Any]]:
        """The outbox, newest first, as dicts: id, run, kind, state, words, due, attempts, doubt, error and more."""
        keys = (
            "id",
            "run",
            "kind",
            "state",
            "words",
            "due",
            "attempts",
            "doubt",
            "error",
            "sent_at",
            "created",
            "lane",
        )
        rows = self.read(
            "SELECT id, run_id, kind, state, words, due, attempts, doubt, error, sent_at, created, lane FROM outbox "
            "ORDER BY id DESC LIMIT ?",
            (limit,),
        )
        return [dict(zip(keys, row, strict=True)) for row in rows]

    def order_row(self, order_id: int) -> OrderRow:
        """An order and its outcome.

        Raises:
            KeyError: There is no such order (any more).
        """
        row = self.one("SELECT id, kind, args, who, created, state, result FROM orders WHERE id = ?", (order_id,))
        if row is None:
            raise KeyError(f"order {order_id} is not in the journal (any more)")
        return OrderRow(row[0], row[1], json.loads(row[2]), row[3], row[4], row[5], json.loads(row[6]))

    def queue_length(self) -> int:
        """How many runs have not ended; tasks of jobs, and those that only wait for the outbox, apart."""
        row = self.one(
            f"SELECT count(*) FROM runs WHERE state IN {_UNFINISHED} AND lane != 'outbox' AND kind != 'task'"
        )
        return int(row[0]) if row else 0

    def run_states(self, since_run: int = 0) -> dict[str, dict[str, int]]:
        """Handler to state to number of runs, of those with an id above ``since_run``."""
        counts: dict[str, dict[str, int]] = {}
        for handler, state, number in self.read(
            "SELECT handler, state, count(*) FROM runs WHERE id > ? AND kind IN ('handler', 'action') "
            "GROUP BY handler, state",
            (since_run,),
        ):
            counts.setdefault(handler, {})[state] = number
        return counts
