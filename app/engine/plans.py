"""Carries out a plan: journal it, apply its effects in order, and say how it ended, for each entity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.engine.changes import change_from_json
from app.engine.crash import crash_point
from app.engine.doors import SiteDoor
from app.engine.executor import Cut, Ending, Tools
from app.engine.kinds import DiskEffect, EffectFailed, FtrackEffect, LeaveAlone, OutboxEffect, SlowEffect, SlowTools
from app.engine.levers import Levers
from app.engine.protocol import (
    RESULT_MARK,
    Action,
    Change,
    Context,
    Effect,
    Handler,
    Launch,
    Note,
    Plan,
    PlanError,
)
from app.engine.transaction import FtrackTransaction, Mismatch, Step
from app.journal.journal import Journal
from app.journal.outbox import NewMessage
from app.journal.queue import NEVER, NewEffect, NewRun, QueuedEffect, QueuedRun
from app.journal.rows import RunState

__all__ = ["ActionPlans", "HandlerPlans", "PlanWork", "changes_of", "context_for", "endings", "plan_hash_of"]

#: Effects that happened, or are on their way and cannot be called back.
HAPPENED = ("applied", "sent", "in_doubt")
_SETTLED = (*HAPPENED, "already", "kept", "failed", "skipped", "dropped", "queued", "undone")

_SUPERSEDED = "superseded: "

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
        more: Kept with the plan, e.g. what an undo takes back.
    """

    batch: Sequence[QueuedRun]
    tools: Tools
    decide: Decide
    leave: bool = False
    dry: bool = False
    lever: str = ""
    settings: Callable[[str], Any] = lambda _: None
    more: Mapping[str, Any] = field(default_factory=dict)
    _planned: dict[str, Effect] = field(init=False, default_factory=dict)

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
        self._settle(self.journal.effects_of(self.run.id))
        if self.run.facts.get("in_turn") or any(
            row.state in (*HAPPENED, "queued") for row in self.journal.effects_of(self.run.id)
        ):
            return True
        self.journal.drop_plan(self.run.id)
        return False

    def _plan(self, replans: int) -> Ending | None:
        """Decide and journal the plan; an ending when there is nothing to apply."""
        site = self.tools.site
        plan = self.decide(context_for(self.run, self.tools, self.settings))
        _left_nothing(site)
        _in_order(plan)
        digest = plan_hash_of(plan)
        self._store(plan, digest, replans)
        self._planned = {effect.slot: effect for effect in plan.effects}
        crash_point("plan_stored")
        for warning in plan.warnings:
            self.tools.log.warning("%s", warning)
        expected = self.run.facts.get("plan_hash")
        if expected and digest != expected:
            return Ending("planned", "the plan differs from the one that was shown: look again, then apply")
        if self.dry and plan.effects:
            if self.leave:
                self._say_what_stays()
            return Ending("planned", f"dry run: {_count(len(plan.effects), 'effect')} planned, nothing was touched")
        return None

    def _say_what_stays(self) -> None:
        """The list of an undo tells what would be left alone; a read, nothing else."""
        rows = [row for row in self.journal.effects_of(self.run.id) if self._kind(row).via == "ftrack"]
        work = FtrackTransaction(self.journal, self.tools.site, self.run, self.tools.settings.chunk, leave=True)
        work.foresee(self._steps(rows, {}))

    def _store(self, plan: Plan, digest: str, replans: int) -> None:
        stored = {
            "notes": [{"entity_id": n.entity_id, "outcome": n.outcome, "reason": n.reason} for n in plan.notes],
            "warnings": list(plan.warnings),
            "continue_with": plan.continue_with,
            **self.more,
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
                    data=effect.model_dump(mode="json"),
                )
                for effect in plan.effects
            ],
            replans,
        )

    def _written_outside(self) -> bool:
        """Whether the plan wrote anything that a new plan would not find again by looking (folders it would)."""
        outward = {kind for kind, each in self.tools.kinds.items() if each.via in ("outbox", "slow")}
        rows = self.journal.effects_of(self.run.id)
        return any(row.kind in outward and row.state in (*HAPPENED, "queued") for row in rows)

    def _supersede(self, mismatch: Mismatch) -> None:
        """Give up the effects that are not as expected, and with them the rest for the same entities."""
        rows = self.journal.effects_of(self.run.id)
        lost = {row.entity_id for row in rows if row.id in mismatch.words}
        for row in rows:
            if row.state in ("planned", "applying") and (row.entity_id in lost or None in lost):
                words = mismatch.words.get(row.id, str(mismatch))
                self.journal.mark_effects([row.id], "skipped", error=f"{_SUPERSEDED}{words}")

    # -- applying ------------------------------------------------------------------------------------------------

    def _apply(self) -> Ending:
        while True:
            rows = self.journal.effects_of(self.run.id)
            left = self._without_lost(rows)
            if not left:
                return self._end(rows)
            self.tools.check_cancel(self.run.id)
            self._check_lever()
            via = self._kind(left[0]).via
            if (via == "slow") != (self.tools.lane == "heavy"):
                return self._change_lane(via, left[0])
            together = [left[0]]
            if via in ("ftrack", "disk", "outbox"):
                for row in left[1:]:
                    if self._kind(row).via != via:
                        break
                    together.append(row)
            getattr(self, f"_apply_{via}")(together, _results(rows))

    def _kind(self, row: QueuedEffect) -> type[Effect]:
        kind = self.tools.kinds.get(row.kind)
        if kind is None:
            raise PlanError(f"the plan has an effect of the kind {row.kind!r}, which this program does not know")
        return kind

    def _effect(self, row: QueuedEffect) -> Effect:
        """The effect as it was planned: by this execution, or as the journal has it."""
        return self._planned.get(row.slot) or self._kind(row).model_validate(row.data)

    def _ready(self, row: QueuedEffect, results: Mapping[str, Mapping[str, Any]]) -> Effect:
        """The effect with the results of earlier ones filled in."""
        effect = self._effect(row)
        return effect.resolved(results) if RESULT_MARK in row.data_json else effect

    def _without_lost(self, rows: Sequence[QueuedEffect]) -> list[QueuedEffect]:
        """What is still to do; steps of an entity that failed already are skipped."""
        lost = {row.entity_id for row in rows if row.state == "failed"}
        left: list[QueuedEffect] = []
        skipped: list[QueuedEffect] = []
        for row in rows:
            if row.state in _SETTLED:
                continue
            (skipped if lost and (row.entity_id in lost or None in lost) else left).append(row)
        if skipped:
            self.journal.mark_effects([row.id for row in skipped], "skipped", error="an earlier step failed")
        return left

    def _check_lever(self) -> None:
        if self.lever and Levers(self.journal).of(self.lever, self.run.project).position == "off":
            raise Cut("stopped in the middle: the lever was moved to Off; resume it, or leave it")

    def _change_lane(self, via: str, row: QueuedEffect) -> Ending:
        self.journal.keep_plan(self.run.id)
        return Ending("queued", f"next: {row.words}", lane="heavy" if via == "slow" else "main")

    def _apply_ftrack(self, rows: Sequence[QueuedEffect], results: Mapping[str, Mapping[str, Any]]) -> None:
        steps = self._steps(rows, results)
        work = FtrackTransaction(self.journal, self.tools.site, self.run, self.tools.settings.chunk, self.leave)
        work.apply(steps)
        for text in dict.fromkeys(work.failed.values()):
            self.tools.log.error("the site refused: %s", text)

    def _steps(self, rows: Sequence[QueuedEffect], results: Mapping[str, Mapping[str, Any]]) -> list[Step]:
        steps = []
        for row in rows:
            effect = self._ready(row, results)
            assert isinstance(effect, FtrackEffect)
            steps.append(Step(row.id, effect))
        return steps

    def _apply_disk(self, rows: Sequence[QueuedEffect], results: Mapping[str, Mapping[str, Any]]) -> None:
        disk = self.tools.doors.disk
        todo: list[tuple[QueuedEffect, DiskEffect, dict[str, Any]]] = []
        for row in rows:
            effect = self._ready(row, results)
            assert isinstance(effect, DiskEffect)
            try:
                before = effect.before(disk)
            except EffectFailed as error:
                self._fail(row, str(error))
                break
            except LeaveAlone as error:
                self.journal.mark_effects([row.id], "kept", error=str(error))
                continue
            if before is None:
                self.journal.mark_effects([row.id], "already")
            else:
                todo.append((row, effect, before))
        if not todo:
            return
        self.journal.mark_applying({row.id: before for row, _, before in todo}, [])
        crash_point("applying")
        done: dict[int, dict[str, Any]] = {}
        try:
            for row, effect, before in todo:
                done[row.id] = effect.apply(disk, before)
        except EffectFailed as error:
            self._fail(row, str(error))
        except LeaveAlone as error:
            self.journal.mark_effects([row.id], "kept", error=str(error))
        finally:
            crash_point("committed")
            self.journal.mark_effects(done, "applied", after=done)
            rest = [row.id for row, _, _ in todo if row.id not in done]
            still = {each.id for each in self.journal.effects_of(self.run.id) if each.state == "applying"}
            self.journal.mark_effects([each for each in rest if each in still], "planned")
            crash_point("applied")
        for after in done.values():
            if after.get("warning"):
                self.tools.log.warning("%s", after["warning"])

    def _apply_outbox(self, rows: Sequence[QueuedEffect], results: Mapping[str, Mapping[str, Any]]) -> None:
        now = self.journal.now()
        entities = []
        for row in rows:
            effect = self._ready(row, results)
            assert isinstance(effect, OutboxEffect)
            lifetime = effect.lifetime()
            window = self.tools.doors.settings("slack").digest_window if effect.digest_key() else 0.0
            entities.append(
                NewMessage(
                    dedupe=effect.dedupe,
                    effect_id=row.id,
                    run_id=self.run.id,
                    kind=effect.kind,
                    lane=effect.lane(),
                    digest=effect.digest_key(),
                    words=row.words,
                    data=effect.model_dump(mode="json"),
                    due=now + window,
                    expires=self.run.received + lifetime if lifetime is not None else None,
                )
            )
        with self.journal.write(durable=True):
            for row, (_, earlier) in zip(rows, self.journal.post(entities), strict=True):
                if earlier is None:
                    self.journal.mark_effects([row.id], "queued")
                else:
                    self.journal.mark_effects([row.id], "already", error="the same message was sent before")

    def _apply_slow(self, rows: Sequence[QueuedEffect], results: Mapping[str, Mapping[str, Any]]) -> None:
        row = rows[0]
        effect = self._ready(row, results)
        assert isinstance(effect, SlowEffect)
        tools = self._slow_tools(results)
        self.journal.mark_applying({row.id: {}}, [])
        crash_point("applying")
        tools.progress(row.words)
        try:
            after = effect.apply(tools)
        except EffectFailed as error:
            self._fail(row, str(error))
            return
        finally:
            # Cancelled, or silent for too long: what the effect raised is only how it noticed.
            self.tools.check_cancel(self.run.id)
        crash_point("committed")
        self.journal.mark_effects([row.id], "applied", after={row.id: after})
        crash_point("applied")

    def _slow_tools(self, results: Mapping[str, Mapping[str, Any]]) -> SlowTools:
        return SlowTools(
            site=self.tools.site,
            doors=self.tools.doors,
            cancel=self.tools.cancel,
            progress=lambda words: self.tools.sign_of_life(self.run.id, words),
            log=self.tools.log,
            results=results,
        )

    def _fail(self, row: QueuedEffect, text: str) -> None:
        self.tools.log.error("%s: %s", row.words, text)
        self.journal.mark_effects([row.id], "failed", error=text)

    def _settle(self, rows: Sequence[QueuedEffect]) -> None:
        """After a crash: find out what of the steps that were being applied happened."""
        results = _results(rows)
        rows = [row for row in rows if row.state == "applying"]
        ftrack = [row for row in rows if self._kind(row).via == "ftrack"]
        if ftrack:
            work = FtrackTransaction(self.journal, self.tools.site, self.run, self.tools.settings.chunk)
            work.settle(self._steps(ftrack, results))
        for row in rows:
            effect = self._ready(row, results)
            done: dict[str, Any] | None = None
            if isinstance(effect, DiskEffect):
                done = effect.is_done(self.tools.doors.disk, row.before)
            elif isinstance(effect, SlowEffect):
                done = effect.is_done(self._slow_tools(results))
            else:
                continue
            if done is None:
                self.journal.mark_effects([row.id], "planned")
            else:
                self.journal.mark_effects([row.id], "applied", after={row.id: done})

    def _end(self, read: Sequence[QueuedEffect] | None = None) -> Ending:
        """All effects are settled; messages may still be on their way. ``read``: the effects as just read."""
        rows = self.journal.effects_of(self.run.id) if read is None else read
        if any(row.state == "queued" for row in rows):
            waiting = _count(sum(row.state == "queued" for row in rows), "message")
            return Ending("waiting", f"{waiting} in the outbox", lane="outbox", due=NEVER)
        return ending_of(self.journal, self.run, self.batch, rows)


# -- how a plan ended ----------------------------------------------------------------------------------------------


def ending_of(
    journal: Journal, run: QueuedRun, batch: Sequence[QueuedRun], read: Sequence[QueuedEffect] | None = None
) -> Ending:
    """How a run whose effects are all settled ended, for each run of its batch, with what follows it."""
    stored = journal.queued_run(run.id).plan or {}
    rows = journal.effects_of(run.id) if read is None else read
    notes = [Note(**note) for note in stored.get("notes", ())]
    each = endings(batch, rows, notes)
    state, reason = each[run.id]
    follow: tuple[NewRun, ...] = ()
    if stored.get("continue_with") is not None and state == "done":
        follow = (_continuation(run, batch, stored["continue_with"]),)
    return Ending(state, reason, each=each, follow_up=follow)


def endings(
    batch: Sequence[QueuedRun],
    rows: Sequence[QueuedEffect],
    notes: Sequence[Note],
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
    old = next((row.error for row in rows if row.error.startswith(_SUPERSEDED)), "")
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


# -- what a plan is made from --------------------------------------------------------------------------------------


def changes_of(batch: Sequence[QueuedRun]) -> list[Change]:
    """The changes a plan is made for."""
    kept = batch[0].facts.get("changes")
    if kept:
        return [change_from_json(each) for each in kept]
    return [change_from_json(run.change) for run in batch if run.change is not None]


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
        results=_results(tools.journal.effects_of(run.id, whole=True)),
    )


def _results(rows: Sequence[QueuedEffect]) -> dict[str, Mapping[str, Any]]:
    """Results by slot, as later effects refer to them."""
    return {row.slot: row.after for row in rows if row.after_json is not None}


def plan_hash_of(plan: Plan) -> str:
    """What a plan does, as a short text: two plans with the same hash do the same."""
    data = [(effect.kind, effect.model_dump(mode="json", exclude={"reason"})) for effect in plan.effects]
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()[:24]


def _left_nothing(site: SiteDoor) -> None:
    pending = len(site.session.recorded_operations)
    if pending:
        site.fresh()
        raise PlanError(
            f"the plan left {_count(pending, 'operation')} to commit in its session: a handler decides and returns "
            "effects, it does not change entities. Nothing was written"
        )


def _in_order(plan: Plan) -> None:
    """Outward effects go last, and slots are unique: a plan that breaks this is a defect of its handler."""
    slots = [effect.slot for effect in plan.effects]
    if len(set(slots)) != len(slots):
        double = next(slot for slot in slots if slots.count(slot) > 1)
        raise PlanError(f"two effects of the plan are called {double!r}: slots are unique within a plan")
    outward = False
    for effect in plan.effects:
        if outward and effect.via != "outbox":
            raise PlanError(f"the effect {effect.slot!r} follows an outward one: what goes outside goes last")
        outward = effect.via == "outbox"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


# -- the kind "handler" --------------------------------------------------------------------------------------------


class HandlerPlans:
    """Executes runs of the kinds "handler" and "preview".

    Args:
        handlers: By id.
    """

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers

    def execute(self, batch: Sequence[QueuedRun], tools: Tools) -> Ending:
        """Plan the changes of the batch and apply the plan, as the handler's lever says."""
        run = batch[0]
        handler = self._handlers.get(run.handler)
        if handler is None:
            raise PlanError(f"there is no handler {run.handler!r} here (any more)")
        changes = changes_of(batch)
        preview = run.kind == "preview"
        lever = Levers(tools.journal).of(run.handler, run.project)
        ordered = bool(run.facts.get("plan_hash"))
        if lever.position == "off" and not preview and not run.dry:
            raise Cut("the lever is Off: resume the run after it was moved")
        work = PlanWork(
            batch=batch,
            tools=tools,
            decide=lambda ctx: handler.plan(changes, ctx),
            dry=preview or run.dry or (lever.position == "dry" and not ordered),
            lever="" if preview else run.handler,
            settings=lambda project: tools.doors.settings(f"handlers.{handler.id}", project=project or None),
        )
        return work.execute()


class ActionPlans:
    """Executes runs of the kind "action"; ``facts["launch"]`` carries selection, values and user.

    Args:
        actions: By id.
    """

    def __init__(self, actions: Mapping[str, Action]) -> None:
        self._actions = actions

    def execute(self, batch: Sequence[QueuedRun], tools: Tools) -> Ending:
        """Plan the launch and apply the plan; a lever on Off stops it, Dry run only plans."""
        run = batch[0]
        action = self._actions.get(run.handler)
        if action is None:
            raise PlanError(f"there is no action {run.handler!r} here (any more)")
        lever = Levers(tools.journal).of(run.handler, run.project)
        if lever.position == "off":
            raise Cut("the lever is Off: resume the run after it was moved")
        work = PlanWork(
            batch=batch,
            tools=tools,
            decide=lambda ctx: action.plan(launch_of(run), ctx),
            dry=run.dry or (lever.position == "dry" and not run.facts.get("plan_hash")),
            lever=run.handler,
            settings=lambda project: tools.doors.settings(f"actions.{action.id}", project=project or None),
        )
        return work.execute()


def launch_of(run: QueuedRun) -> Launch:
    """What the run's action was launched with."""
    facts = run.facts.get("launch") or {}
    return Launch(
        selection=tuple((str(each[0]), str(each[1])) for each in facts.get("selection", ())),
        values=facts.get("values") or {},
        user_id=facts.get("user_id"),
        username=facts.get("username"),
    )
