"""Who decides on a plan: the executors of handlers' runs, previews and actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.engine.changes import change_from_json
from app.engine.executor import Cut, Ending, Tools, registered
from app.engine.levers import Levers
from app.engine.plans import Decide, PlanWork
from app.engine.protocol import Action, Change, Handler, Launch
from app.journal.queue import QueuedRun

__all__ = ["ActionPlans", "HandlerPlans", "launch_of"]


class HandlerPlans:
    """Executes runs of the kinds "handler" and "preview".

    Args:
        handlers: By id.
    """

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers

    def execute(self, batch: Sequence[QueuedRun], tools: Tools) -> Ending:
        """Plan the changes of the batch and apply the plan, as the handler's lever says."""
        handler = registered(self._handlers, batch[0], "handler")
        changes = changes_of(batch)
        return _carry_out(batch, tools, f"handlers.{handler.id}", lambda ctx: handler.plan(changes, ctx))


class ActionPlans:
    """Executes runs of the kind "action"; ``facts["launch"]`` carries selection, values and user.

    Args:
        actions: By id.
    """

    def __init__(self, actions: Mapping[str, Action]) -> None:
        self._actions = actions

    def execute(self, batch: Sequence[QueuedRun], tools: Tools) -> Ending:
        """Plan the launch and apply the plan, as the action's lever says."""
        action = registered(self._actions, batch[0], "action")
        launch = launch_of(batch[0])
        return _carry_out(batch, tools, f"actions.{action.id}", lambda ctx: action.plan(launch, ctx))


def _carry_out(batch: Sequence[QueuedRun], tools: Tools, section: str, decide: Decide) -> Ending:
    """Plan and apply; a lever on Off stops what would write, on Dry run it is only planned."""
    run = batch[0]
    preview = run.kind == "preview"
    levers = Levers(tools.journal)
    if not run.project and tools.journal.has_project_levers():
        # The site was away when the event came.
        run.project = levers.project_name(run.project_id, tools.site)
    lever = levers.of(run.handler, run.project)
    if lever.position == "off" and not preview and not run.dry:
        raise Cut("the lever is Off: resume the run after it was moved")
    ordered = bool(run.facts.get("plan_hash"))
    work = PlanWork(
        batch=batch,
        tools=tools,
        decide=decide,
        dry=preview or run.dry or (lever.position == "dry" and not ordered),
        lever="" if preview else run.handler,
        settings=tools.section(section),
    )
    return work.execute()


def changes_of(batch: Sequence[QueuedRun]) -> list[Change]:
    """The changes a plan is made for."""
    kept = batch[0].facts.get("changes")
    if kept:
        return [change_from_json(each) for each in kept]
    return [change_from_json(run.change) for run in batch if run.change is not None]


def launch_of(run: QueuedRun) -> Launch:
    """What the run's action was launched with."""
    facts = run.facts.get("launch") or {}
    return Launch(
        selection=tuple((str(each[0]), str(each[1])) for each in facts.get("selection", ())),
        values=facts.get("values") or {},
        user_id=facts.get("user_id"),
        username=facts.get("username"),
    )
