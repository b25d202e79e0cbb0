"""Undo: a run of inverse effects that expect what the undone run left behind.

What has changed since is listed and left alone; messages that were sent cannot be called back, and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.engine.channels import results_of
from app.engine.executor import Ending, Tools
from app.engine.plans import PlanWork
from app.engine.protocol import Context, Effect, Note, Own, Plan, PlanError
from app.journal.queue import QueuedEffect, QueuedRun

__all__ = ["Undo"]


class Undo:
    """Executes runs of the kind "undo" (and previews of one). ``facts["effects"]`` names effects; without it, all."""

    def execute(self, batch: Sequence[QueuedRun], tools: Tools) -> Ending:
        """Take back what a run did, newest effect first."""
        run = batch[0]
        if run.undo_of is None:
            raise PlanError("this undo names no run")
        undone = run.undo_of
        work = PlanWork(
            batch=batch,
            tools=tools,
            decide=lambda ctx: self._plan(undone, run, tools, ctx),
            leave=True,
            dry=run.dry or run.kind == "preview",
        )
        ending = work.execute()
        if not work.dry and ending.state not in ("queued", "waiting"):
            self._tell_origin(undone, run, tools)
        return ending

    def _plan(self, undone: int, run: QueuedRun, tools: Tools, ctx: Context) -> Plan:
        rows = tools.journal.effects_of(undone, whole=True)
        chosen = run.facts.get("effects")
        happened = [row for row in rows if row.state in ("applied", "sent") and (not chosen or row.id in chosen)]
        inverse_of = self._inverses(rows, tools)
        effects: list[Effect] = []
        notes: list[Note] = []
        for row in reversed(happened):
            inverse = inverse_of(row)
            if isinstance(inverse, str):
                notes.append(Note("", "already", f"left alone: {row.words} ({inverse})"))
                continue
            for number, effect in enumerate(inverse):
                effects.append(effect.model_copy(update={"slot": f"undo {row.id}.{number}"}))
        if not happened:
            notes.append(Note("", "skipped", f"run {undone} did nothing that could be taken back"))
        del ctx
        return Plan(tuple(effects), tuple(notes))

    def _inverses(self, rows: Sequence[QueuedEffect], tools: Tools) -> Callable[[QueuedEffect], Sequence[Effect] | str]:
        """What takes back an effect of a run; what it took from the results of others is filled in first."""
        own = _created(rows)
        results = results_of(rows)

        def inverse_of(row: QueuedEffect) -> Sequence[Effect] | str:
            kind = tools.kinds.get(row.kind)
            if kind is None:
                return "this program does not know its kind"
            return kind.model_validate(row.data).resolved(results).inverse(row.before, row.after, own)

        return inverse_of

    def _tell_origin(self, undone: int, run: QueuedRun, tools: Tools) -> None:
        """Mark the undone run's effects: taken back, or left alone and why."""
        journal = tools.journal
        taken: set[int] = set()
        with journal.write():
            for row in journal.effects_of(run.id):
                effect_id = int(row.slot.removeprefix("undo ").split(".")[0])
                if row.state in ("applied", "already"):
                    journal.mark_effects([effect_id], "undone")
                    taken.add(effect_id)
                elif row.state == "kept":
                    journal.mark_effects([effect_id], "kept", error=row.error)
            rows = journal.effects_of(undone, whole=True)
            inverse_of = self._inverses(rows, tools)
            left = [row for row in rows if row.state == "applied"]
            # What needs no effect of its own went with what it belonged to, unless that is still there.
            silent = [row.id for row in left if not inverse_of(row)]
            if taken and len(silent) == len(left):
                journal.mark_effects(silent, "undone")
                origin = [undone, *(each.id for each in journal.followers(undone))]
                journal.set_state(origin, "undone", f"undone by run {run.id}")


def _created(rows: Sequence[QueuedEffect]) -> Own:
    """Entities and uploaded components, each with what it was made of."""
    made = {str(row.data["id"]): row.data["values"] for row in rows if row.kind == "create" and row.data.get("id")}
    uploads = (row.data for row in rows if row.kind == "upload")
    return Own(made | {str(data["component_id"]): {"version_id": data.get("version_id")} for data in uploads})
