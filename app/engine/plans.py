"""Carries out a plan: decide, journal it, have its effects applied in order, plan again where the facts changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.engine.channels import Channels, results_of
from app.engine.crash import crash_point
from app.engine.doors import SiteDoor
from app.engine.endings import SUPERSEDED, ending_of
from app.engine.executor import Cut, Ending, Tools
from app.engine.levers import Levers
from app.engine.protocol import BadPlan, Context, Effect, Note, Plan, sources
from app.engine.transaction import Mismatch
from app.journal.journal import Journal
from app.journal.queue import NEVER, NewEffect, QueuedEffect, QueuedRun
from app.rules.words import many

__all__ = ["Decide", "PlanWork", "context_for", "with_follow_ups"]

#: Effects that happened, or are on their way and cannot be called back.
_HAPPENED = ("applied", "sent", "in_doubt", "queued")
_SETTLED = (*_HAPPENED, "already", "kept", "failed", "skipped", "dropped", "undone")

Decide = Callable[[Context], Plan]


@dataclass(slots=True)
class PlanWork:
    """One plan of one run (and of those that joined it).

    Attributes:
        batch: The leader first.
        tools: Of this execution.
        decide: Makes the plan from fresh facts.
        leave: What is not as expected is left alone (undo) instead of planned again.
        dry: Only plan.
        lever: The handler whose lever is asked before each effect; "" for runs a person ordered.
        settings: The handler's settings for a project's name.
    """

    batch: Sequence[QueuedRun]
    tools: Tools
    decide: Decide
    leave: bool = False
    dry: bool = False
    lever: str = ""
    settings: Callable[[str], Any] = lambda _: None
    _channels: Channels = field(init=False)

    def __post_init__(self) -> None:
        self._channels = Channels(self.run, self.tools, self.leave)

    @property
    def run(self) -> QueuedRun:
        """The leader."""
        return self.batch[0]

    @property
    def journal(self) -> Journal:
        """The journal."""
        return self.tools.journal

    # -- planning ------------------------------------------------------------------------------------------------

    def execute(self) -> Ending:
        """Plan (or take up the stored plan) and apply it; plans again where what it relied on changed."""
        resumed = self._resumed()
        replans = self.run.replans if resumed else 0
        while True:
            if not resumed:
                ended = self._plan(replans)
                if ended is not None:
                    return ended
            try:
                return self._apply()
            except Mismatch as mismatch:
                replans += 1
                # Without another plan the rest goes on; what is not as expected is left.
                resumed = self._written_outside() or replans > self.tools.settings.replans
                if resumed:
                    self._supersede(mismatch)
                else:
                    self.tools.log.info("planning again: %s", mismatch)

    def _resumed(self) -> bool:
        """Whether the stored plan goes on: something of it happened, or is only waiting for its turn."""
        if self.run.plan is None:
            return False
        self._channels.settle(self.journal.effects_of(self.run.id))
        if self.run.facts.get("in_turn") or any(row.state in _HAPPENED for row in self.journal.effects_of(self.run.id)):
            return True
        self.journal.drop_plan(self.run.id)
        return False

    def _plan(self, replans: int) -> Ending | None:
        """Decide and journal the plan; an ending when there is nothing to apply."""
        site = self.tools.site
        ctx = context_for(self.run, self.tools, self.settings)
        plan = self.decide(ctx)
        _left_nothing(site)
        _is_plan(plan)
        plan = with_follow_ups(plan, ctx)
        told = [effect.model_dump(mode="json") for effect in plan.effects]
        _in_order(plan, told)
        digest = plan_hash_of(plan, told)
        self._store(plan, told, digest, replans)
        self._channels.planned = {effect.slot: effect for effect in plan.effects}
        crash_point("plan_stored")
        for warning in plan.warnings:
            self.tools.log.warning("%s", warning)
        expected = self.run.facts.get("plan_hash")
        if expected and digest != expected:
            return Ending("planned", "the plan differs from the one that was shown: look again, then apply")
        if self.dry and plan.effects:
            if self.leave:
                self._channels.foresee(self.journal.effects_of(self.run.id))
            return Ending("planned", f"dry run: {many(len(plan.effects), 'effect')} planned, nothing was touched")
        return None

    def _store(self, plan: Plan, told: Sequence[dict[str, Any]], digest: str, replans: int) -> None:
        stored = {
            "notes": [{"entity_id": n.entity_id, "outcome": n.outcome, "reason": n.reason} for n in plan.notes],
            "warnings": list(plan.warnings),
            "continue_with": plan.continue_with,
        }
        self.journal.store_plan(
            self.run.id,
            stored,
            digest,
            [
                NewEffect(
                    slot=effect.slot,
                    kind=effect.kind,
                    channel=effect.via,
                    words=effect.describe(),
                    reason=effect.reason,
                    entity_id=effect.entity_id,
                    data=data,
                )
                for effect, data in zip(plan.effects, told, strict=True)
            ],
            replans,
        )

    def _written_outside(self) -> bool:
        """Whether the plan wrote anything that a new plan would not find again by looking (folders it would)."""
        outward = {kind for kind, each in self.tools.kinds.items() if each.via in ("outbox", "slow")}
        rows = self.journal.effects_of(self.run.id)
        return any(row.kind in outward and row.state in _HAPPENED for row in rows)

    def _supersede(self, mismatch: Mismatch) -> None:
        """Give up the effects that are not as expected, and with them the rest for the same entities."""
        rows = self.journal.effects_of(self.run.id)
        lost = {row.entity_id for row in rows if row.id in mismatch.words}
        for row in rows:
            if row.state in ("planned", "applying") and (row.entity_id in lost or None in lost):
                words = mismatch.words.get(row.id, str(mismatch))
                self.journal.mark_effects([row.id], "skipped", error=f"{SUPERSEDED}{words}")

    # -- applying ------------------------------------------------------------------------------------------------

    def _apply(self) -> Ending:
        while True:
            rows = self.journal.effects_of(self.run.id)
            left = self._without_lost(rows)
            if not left:
                return self._end(rows)
            self.tools.step_ended()
            self.tools.check_cancel(self.run.id)
            self._check_lever()
            slow = self._channels.of(left[0]) == "slow"
            if slow != (self.tools.lane == "heavy"):
                self.journal.keep_plan(self.run.id)
                return Ending("queued", f"next: {left[0].words}", lane="heavy" if slow else "main")
            self._channels.apply(self._channels.next(left), results_of(rows))

    def _end(self, rows: Sequence[QueuedEffect]) -> Ending:
        """All effects are settled; messages may still be on their way."""
        waiting = sum(row.state == "queued" for row in rows)
        if waiting:
            return Ending("waiting", f"{many(waiting, 'message')} in the outbox", lane="outbox", due=NEVER)
        return ending_of(self.journal, self.run, self.batch, rows)

    def _without_lost(self, rows: Sequence[QueuedEffect]) -> list[QueuedEffect]:
        """What is still to do; steps of an entity that failed already are skipped."""
        lost = {row.entity_id for row in rows if row.state == "failed"}
        left: list[QueuedEffect] = []
        skipped: list[QueuedEffect] = []
        for row in rows:
            if row.state in _SETTLED:
                continue
            # What goes outside for the run as a whole follows only what succeeded as a whole.
            whole = row.entity_id is None and self._channels.of(row) == "outbox"
            (skipped if lost and (whole or row.entity_id in lost or None in lost) else left).append(row)
        if skipped:
            self.journal.mark_effects([row.id for row in skipped], "skipped", error="an earlier step failed")
        return left

    def _check_lever(self) -> None:
        if self.lever and Levers(self.journal).of(self.lever, self.run.project).position == "off":
            raise Cut("stopped in the middle: the lever was moved to Off; resume it, or leave it")


def context_for(run: QueuedRun, tools: Tools, settings: Callable[[str], Any]) -> Context:
    """The facts a plan may read."""
    project = run.project or Levers(tools.journal).project_name(run.project_id, tools.site)
    return Context(
        site=tools.site,
        disk=tools.doors.disk,
        clock=tools.doors.clock,
        people=tools.doors.people,
        settings=settings(project),
        handler_settings=settings,
        log=tools.log,
        run_id=run.id,
        run_mark=run.mark,
        doors=tools.doors,
        facts=run.facts.get("continued") or run.facts.get("launch") or {},
        results=results_of(tools.journal.effects_of(run.id, whole=True)),
    )


def with_follow_ups(plan: Plan, ctx: Context) -> Plan:
    """The plan with what the settings want done after it; of a run that fails in part nothing as a whole follows."""
    failed = any(note.outcome == "failed" for note in plan.notes)
    follow_ups = [
        effect
        for occasion in plan.occasions
        if occasion.entity_id is not None or not failed
        for effect in ctx.handler_settings(occasion.values["project"]).follow_ups(occasion, ctx)
    ]
    return replace(plan, effects=(*plan.effects, *follow_ups)) if follow_ups else plan


def plan_hash_of(plan: Plan, told: Sequence[dict[str, Any]]) -> str:
    """What a plan does, as a short text: two plans with the same hash do the same. ``told``: its effects' data."""
    data = [
        (effect.kind, {name: value for name, value in each.items() if name != "reason"})
        for effect, each in zip(plan.effects, told, strict=True)
    ]
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()[:24]


def _left_nothing(site: SiteDoor) -> None:
    pending = len(site.session.recorded_operations)
    if pending:
        site.fresh()
        raise BadPlan(
            f"the plan left {many(pending, 'operation')} to commit in its session: a handler decides and returns "
            "effects, it does not change entities. Nothing was written"
        )


def _is_plan(plan: object) -> None:
    """A studio's own handler is not type-checked: what it returns is told in its words, not in the engine's."""
    if not isinstance(plan, Plan):
        raise BadPlan(f"plan() returned {type(plan).__name__} instead of a Plan. Nothing was written")
    for each, kind in (*((each, Effect) for each in plan.effects), *((each, Note) for each in plan.notes)):
        if not isinstance(each, kind):
            found = type(each).__name__
            raise BadPlan(f"the plan holds {found} where the engine expects {kind.__name__}. Nothing was written")


def _in_order(plan: Plan, told: Sequence[dict[str, Any]]) -> None:
    """Outward effects go last, slots are unique, and results come from before: else it is a defect of its handler."""
    slots = [effect.slot for effect in plan.effects]
    if len(set(slots)) != len(slots):
        double = next(slot for slot in slots if slots.count(slot) > 1)
        raise BadPlan(f"two effects of the plan are called {double!r}: slots are unique within a plan")
    outward, before = False, set[str]()
    for effect, data in zip(plan.effects, told, strict=True):
        missing = next((slot for slot in sources(data) if slot not in before), None)
        if missing is not None:
            raise BadPlan(f"the effect {effect.slot!r} needs a result of {missing!r}: no effect before it is called so")
        before.add(effect.slot)
        if outward and effect.via != "outbox":
            raise BadPlan(f"the effect {effect.slot!r} follows an outward one: what goes outside goes last")
        outward = effect.via == "outbox"
