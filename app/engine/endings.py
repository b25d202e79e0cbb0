"""How a plan ended, for each of the runs that shared it: from its effects as they are now, and from its notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.engine.executor import Ending
from app.engine.protocol import Note
from app.journal.journal import Journal
from app.journal.queue import NewRun, QueuedEffect, QueuedRun
from app.journal.rows import RunState

__all__ = ["SUPERSEDED", "ending_of"]

#: How the reason of an effect begins that was given up because what it relied on has changed.
SUPERSEDED = "superseded: "


def ending_of(
    journal: Journal, run: QueuedRun, batch: Sequence[QueuedRun], read: Sequence[QueuedEffect] | None = None
) -> Ending:
    """How a run whose effects are all settled ended, for each run of its batch, with what follows it."""
    stored = journal.queued_run(run.id).plan or {}
    rows = journal.effects_of(run.id) if read is None else read
    notes = [Note(**note) for note in stored.get("notes", ())]
    each = _endings(batch, rows, notes)
    state, reason = each[run.id]
    follow: tuple[NewRun, ...] = ()
    if stored.get("continue_with") is not None and state == "done":
        follow = (_continuation(run, batch, stored["continue_with"]),)
    return Ending(state, reason, each=each, follow_up=follow)


def _endings(
    batch: Sequence[QueuedRun], rows: Sequence[QueuedEffect], notes: Sequence[Note]
) -> dict[int, tuple[RunState, str]]:
    """State and reason of each run of a batch, from its own effects and notes."""
    found: dict[int, tuple[RunState, str]] = {}
    alone = len(batch) == 1
    for run in batch:
        mine = [row for row in rows if alone or row.entity_id in (None, run.entity_id)]
        said = [note for note in notes if alone or note.entity_id in ("", run.entity_id)]
        found[run.id] = _ending(mine, said)
    return found


def _ending(rows: Sequence[QueuedEffect], notes: Sequence[Note]) -> tuple[RunState, str]:
    failed = [row.error for row in rows if row.state == "failed"] + [n.reason for n in notes if n.outcome == "failed"]
    if failed:
        more = f" (and {len(failed) - 1} more)" if failed[1:] else ""
        return "failed", failed[0] + more
    if any(row.state == "in_doubt" for row in rows):
        return "in_doubt", next(row.error for row in rows if row.state == "in_doubt")
    old = next((row.error for row in rows if row.error.startswith(SUPERSEDED)), "")
    if old:
        return "superseded", old
    said = "; ".join(dict.fromkeys(note.reason for note in notes if note.reason))
    if rows:
        return "done", "; ".join(part for part in (_done(rows), said) if part)
    outcomes = {note.outcome for note in notes}
    if "already" in outcomes:
        return "done", said
    if "superseded" in outcomes:
        return "superseded", said
    return "skipped", said or "nothing to do"


def _done(rows: Sequence[QueuedEffect]) -> str:
    parts = []
    for state, words in (
        ("applied", "done"),
        ("sent", "sent"),
        ("already", "already so"),
        ("kept", "left alone"),
        ("dropped", "dropped"),
        ("skipped", "skipped"),
    ):
        number = sum(row.state == state for row in rows)
        if number:
            parts.append(f"{number} {words}")
    errors = dict.fromkeys(row.error for row in rows if row.state in ("kept", "dropped") and row.error)
    return ", ".join(parts) + (f": {'; '.join(errors)}" if errors else "")


def _continuation(run: QueuedRun, batch: Sequence[QueuedRun], facts: Mapping[str, Any]) -> NewRun:
    return NewRun(
        kind=run.kind,
        handler=run.handler,
        identity=f"continue:{run.id}:{run.plan_no}:{run.identity}",
        key=run.key,
        seq=run.seq,
        received=run.received,
        event_row=run.event_row,
        depth=run.depth,
        project=run.project,
        project_id=run.project_id,
        entity_type=run.entity_type,
        entity_id=run.entity_id,
        entity=run.entity,
        user=run.user,
        change=run.change,
        facts={
            **{key: value for key, value in run.facts.items() if key == "launch"},
            "continued": facts,
            "changes": [each.change for each in batch if each.change is not None],
        },
    )
