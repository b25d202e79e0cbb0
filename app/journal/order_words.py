"""What people ordered, in words for the log: "td had run 12 (create_task_folder, BC_0010 animation) tried again"."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from app.journal.journal import Journal
from app.journal.rows import OrderRow
from app.rules.words import many

__all__ = ["order_words"]

#: By kind of order: what comes behind the name of whoever gave it.
_WORDS: Mapping[str, str] = {
    "process_kept": "had the events that were kept for {handler} processed",
    "resume_breaker": "let {handler} go on after its failures",
    "replay": "replayed event {event_row}{only}{dry}",
    "preview": "asked what {handler} would do with event {event_row}",
    "catch_up": "looks for what was missed since {since}{only}{dry}",
    "retry": "had {run} tried again",
    "resume": "let {run} go on",
    "cancel": "cancelled {run}",
    "apply_planned": "had the plan of {run} carried out",
    "undo": "had {run} undone",
    "preview_undo": "asked what undoing {run} would change",
    "launch": "started {action} on {selection}{dry}",
    "reload_settings": "had the settings read again",
    "submit_job": "submitted the job {name} of the type {job_type} to {engine}",
    "job_cancel": "cancelled {job}",
    "job_pause": "paused {job}",
    "job_resume": "let {job} go on",
    "job_requeue": "requeued {job}",
    "job_confirm": "confirmed the command lines of {job}",
    "job_priority": "gave {job} the priority {priority}",
    "job_delete": "deleted {job}",
    "task_cancel": "cancelled task {task} of {job}",
    "task_requeue": "requeued task {task} of {job}",
    "task_log_follow": "looks at the log of task {task} of {job}",
}


def order_words(journal: Journal, order: OrderRow) -> str:
    """One sentence about an order. Asked before it is carried out: afterwards what it names may be gone."""
    args = order.args
    if order.kind == "set_lever":
        return f"{order.who} {_lever(args)}"
    words = _WORDS.get(order.kind)
    if words is None:
        return f"{order.who} ordered {order.kind.replace('_', ' ')}"
    known = {
        **args,
        "only": f" for {args['handler']} alone" if args.get("handler") else "",
        "dry": ", as a dry run" if args.get("dry") else "",
        "since": _moment(args.get("since")),
        "run": _run(journal, args.get("run")),
        "job": _job(journal, args.get("job")),
        "name": args.get("name") or args.get("job_type"),
        "job_type": str(args.get("job_type")).removesuffix(".js"),
        "engine": "the Flamenco Manager" if args.get("engine") == "manager" else "this machine",
        "selection": many(len(args.get("selection") or ()), "entity", "entities"),
    }
    return f"{order.who} {words.format_map(_Known(known))}"


class _Known(dict[str, Any]):
    """What an order lacks is named as such: it is about to be refused."""

    def __missing__(self, key: str) -> str:
        return f"(no {key})"


def _lever(args: Mapping[str, Any]) -> str:
    handler, project, position = args.get("handler"), args.get("project"), args.get("position")
    where = f" for the project {project}" if project else ""
    why = f": {args['why']}" if args.get("why") else ""
    if position is None:
        return f"let the lever of {handler}{where} follow its own again{why}"
    names = {"off": "Off", "dry": "Dry run", "on": "On"}
    return f"moved the lever of {handler}{where} to {names.get(str(position), position)}{why}"


def _run(journal: Journal, number: Any) -> str:
    try:
        run = journal.queued_run(int(number))
    except (KeyError, TypeError, ValueError):
        return f"run {number}"
    name = run.entity or journal.name_of(run.entity_id)
    return f"run {run.id} ({run.handler}, {name})" if name else f"run {run.id} ({run.handler})"


def _job(journal: Journal, number: Any) -> str:
    try:
        return f"job {number} ({journal.job(int(number)).name})"
    except (KeyError, TypeError, ValueError):
        return f"job {number}"


def _moment(since: Any) -> str:
    try:
        return f"{dt.datetime.fromtimestamp(float(since)).astimezone():%Y-%m-%d %H:%M}"
    except (TypeError, ValueError, OverflowError, OSError):
        return str(since)
