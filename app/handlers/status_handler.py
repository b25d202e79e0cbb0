"""Status handler: tells the next department on Slack that a shot is ready for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict

from app.effects.ftrack import CreateEntity
from app.effects.job_setting import JobSetting, WithJobs, jobs_setting
from app.effects.slack import SendSlack
from app.engine.protocol import (
    Change,
    Context,
    Effect,
    Handler,
    Later,
    Note,
    Occasion,
    Plan,
    PlanError,
    natural_id,
)
from app.handlers.common import (
    PLACE_FIELDS,
    TimeOfDayOrNone,
    added_since,
    folded,
    id_list,
    in_words,
    moment_of,
    of_all_projects,
    place_of,
    quoted,
    reached_status,
    status_changes_since,
    status_steps,
    studio,
)
from app.rules.dailies import parse_cut_off, zone
from app.rules.templates import render_text, template_with
from app.rules.transitions import transition_roots
from app.settings.models import setting
from app.slack import escape

__all__ = ["StatusHandler", "StatusHandlerSettings", "Transition"]

#: Seconds by which the clocks of ftrack and Slack may differ.
_CLOCKS_APART = 600.0


class Transition(BaseModel):
    """Who hears of what: a task of ``task_type`` that gets ``status`` is announced to ``next_type``'s people."""

    model_config = ConfigDict(extra="forbid")

    task_type: str
    status: str
    next_type: str


class StatusHandlerSettings(WithJobs):
    """Defaults are the studio's rules."""

    transitions: list[Transition] = setting(
        [
            Transition(task_type="Animation", status="Ready for Lighting", next_type="Lighting"),
            Transition(task_type="Lighting", status="Ready for Comp", next_type="Compositing"),
        ],
        "A task (or its version) of this type that gets this status is announced to those assigned to the shot's "
        "tasks of the next type. No other task types trigger it.",
        per_project=True,
    )
    shot_types: list[str] = setting(
        ["Shot"], "Object types that count as a shot.", per_project=True, widget="object_types"
    )
    message: Annotated[str, template_with("project", "shot", "status", "task", "next_type", "who", "by")] = setting(
        "Project: {{ project }}\nShot: {{ shot }}\n{{ status }}",
        "The message. Known: project, shot, status, task, next_type, who (the people it is for), by (who did it).",
        per_project=True,
        widget="template",
    )
    missing_task: Literal["tell", "ignore", "create"] = setting(
        "tell",
        "The shot has no task of the next type: tell the project's channel, ignore it, or create the task and tell.",
        per_project=True,
    )
    message_oneself: bool = setting(True, "Also tell a person who set the status themselves.", per_project=True)
    together: float = setting(
        60.0,
        "A status that is set again within so many seconds is the same transition and told once.",
        per_project=True,
        unit="s",
        ge=0,
    )
    digest: bool = setting(
        True, "Many shots for one person may be gathered into one message (see slack.digest_window).", per_project=True
    )
    quiet_from: TimeOfDayOrNone = setting(
        "", "Messages wait from this time of day (studio time, e.g. 20:00); empty: none waits.", per_project=True
    )
    quiet_until: TimeOfDayOrNone = setting("", "Until this time of day (e.g. 08:00).", per_project=True)
    link: Annotated[str, template_with("server", "task_id", "shot_id", "project_id")] = setting(
        "{{ server }}/#slideEntityId={{ task_id }}&slideEntityType=task&itemId=projects"
        "&entityId={{ project_id }}&entityType=show",
        "Link to the task on ftrack; empty: none. Known: server, task_id, shot_id, project_id.",
        per_project=True,
        widget="template",
    )
    jobs: list[JobSetting] = jobs_setting(
        "once for each transition", "shot", "status", "task", "task_type", "next_type"
    )


@dataclass(frozen=True, slots=True)
class _Ready:
    """A transition that is to be announced.

    Attributes:
        rule: The rule that fits.
        task: The task's row.
        shot: Its shot: id and name.
        root: The task, and the second in which the transition began: one message for each.
        moment: When it began.
    """

    rule: Transition
    task: Mapping[str, Any]
    shot: Mapping[str, Any]
    root: str
    moment: dt.datetime | None

    @property
    def project(self) -> str:
        return str((self.task.get("project") or {}).get("name") or "")


class StatusHandler(Handler):
    """Plans one message for each person and transition."""

    id = "status_handler"
    title = "Status handler (Slack)"
    help = (
        "When a shot is ready for lighting or comp, the people assigned to that task of the shot get a Slack message."
    )
    icon = "chat"
    settings_model = StatusHandlerSettings

    def wants(self, change: Change) -> bool:
        if change.table == "task" and change.entity_type != "Task":
            return False
        return change.table in {"task", "assetversion"} and bool(reached_status(change))

    def key(self, change: Change) -> str:
        # Its own name space: a message that waits must not hold back what writes the shot.
        above = (step.entity_id for step in change.parents if step.entity_type not in {"Task", "Asset", "AssetVersion"})
        return f"slack:{next(above, change.entity_id)}"

    def plan(self, changes: Sequence[Change], ctx: Context) -> Plan:
        effects: list[Effect] = []
        notes: list[Note] = []
        occasions: list[Occasion] = []
        for change in changes:
            outcome = self._plan_change(change, ctx)
            effects += outcome.effects
            notes += outcome.notes
            occasions += outcome.occasions
        return Plan(tuple(effects), tuple(notes), occasions=tuple(occasions))

    def catch_up(self, ctx: Context, since: dt.datetime) -> Iterable[Change]:
        names = of_all_projects(ctx, _announced)
        yield from status_changes_since(ctx, since, ("task", "assetversion"), names)
        wanted = folded(names)
        statuses = ctx.site.statuses()
        for entity_type in ("Task", "AssetVersion"):
            for change in added_since(ctx, since, entity_type):
                status = statuses.get(reached_status(change))
                if status is not None and status.name.casefold() in wanted:
                    yield change

    def _plan_change(self, change: Change, ctx: Context) -> Plan:
        status = ctx.site.statuses().get(reached_status(change))
        if status is None:
            return _skipped(change, "the status was deleted on ftrack")
        if status.name.casefold() not in folded(_announced(ctx.settings)):
            return _skipped(change, f"{status.name} is announced to nobody")
        task_id = change.entity_id
        if change.table == "assetversion":
            found = ctx.site.rows(f"select id, task_id from AssetVersion where id is {quoted(change.entity_id)}")
            if not found:
                return _skipped(change, "the version no longer exists on ftrack")
            if not found[0].get("task_id"):
                return _skipped(change, "the version has no task")
            task_id = found[0]["task_id"]
        tasks = ctx.site.rows(
            f"select id, name, type.name, status_id, created_at, parent_id, project_id, {PLACE_FIELDS} "
            f"from Task where id is {quoted(task_id)}"
        )
        if not tasks:
            return _skipped(change, "the task no longer exists on ftrack")
        return self._plan_task(change, tasks[0], status.id, status.name, ctx)

    def _plan_task(self, change: Change, task: Mapping[str, Any], status_id: str, status: str, ctx: Context) -> Plan:
        settings: StatusHandlerSettings = ctx.handler_settings((task.get("project") or {}).get("name") or "")
        task_type = (task.get("type") or {}).get("name") or ""
        rule = _rule_for(settings, task_type, status)
        if rule is None:
            return _skipped(change, f"{task_type or 'an untyped'} task with status {status!r} is announced to nobody")
        shot = _shot_of(task, settings, ctx)
        if shot is None:
            return _skipped(change, "the task belongs to no shot")
        root, moment = _root(change, task, status_id, settings, ctx)
        ready = _Ready(rule, task, shot, root, moment)
        late = _too_late(change, moment, ctx)
        if late:
            return _skipped(change, late)
        _mind_quiet_hours(settings, studio(ctx, ready.project), ctx)
        plan = _announce(change, ready, settings, ctx)
        return replace(plan, occasions=(_occasion(change, ready),))


def _skipped(change: Change, reason: str) -> Plan:
    return Plan(notes=(Note(change.entity_id, "skipped", reason),))


def _announced(settings: StatusHandlerSettings) -> list[str]:
    return [rule.status for rule in settings.transitions]


def _rule_for(settings: StatusHandlerSettings, task_type: str, status: str) -> Transition | None:
    fits = (task_type.casefold(), status.casefold())
    return next(
        (one for one in settings.transitions if (one.task_type.casefold(), one.status.casefold()) == fits), None
    )


def _shot_of(task: Mapping[str, Any], settings: StatusHandlerSettings, ctx: Context) -> Mapping[str, Any] | None:
    """The shot right above the task."""
    parent = place_of(ctx, task).parent
    if parent is None or parent["object_type"].casefold() not in folded(settings.shot_types):
        return None
    return parent


def _root(
    change: Change, task: Mapping[str, Any], status_id: str, settings: StatusHandlerSettings, ctx: Context
) -> tuple[str, dt.datetime | None]:
    """What began this transition, from the site's own history: the same answer for the version's and the task's event,
    for a replay, and on another server."""
    steps = status_steps(ctx, task)
    own = [one for one in steps if one.entity_id == change.entity_id and one.new == status_id]
    if not own:
        return f"event:{change.event_id}", change.occurred
    newest = max(own, key=lambda one: (one.moment, one.id))
    if change.event_id.startswith("catch-up:"):
        named = change.event_id.rpartition(":")[2]
        newest = next((one for one in own if one.id == named), newest)
    roots = transition_roots(steps, status_id, dt.timedelta(seconds=settings.together))
    began = next(one.moment for one in steps if one.id == roots[newest.id])
    # The second, not the step: which of two steps of one second began it may look otherwise when the other is known.
    return f"{task['id']}:{began:%Y-%m-%dT%H:%M:%SZ}", newest.moment


def _too_late(change: Change, moment: dt.datetime | None, ctx: Context) -> str:
    max_age = float(ctx.doors.settings("slack").max_age)
    happened = change.occurred or moment
    if happened is None or (change.received - happened).total_seconds() <= max_age:
        return ""
    return (
        f"it happened at {happened:%Y-%m-%d %H:%M} UTC and was learnt of more than {max_age / 3600:g} h later: "
        "a message would only mislead (setting slack.max_age)"
    )


def _mind_quiet_hours(settings: StatusHandlerSettings, studio_settings: Any, ctx: Context) -> None:
    if not settings.quiet_from or not settings.quiet_until:
        return
    begin, end = parse_cut_off(settings.quiet_from), parse_cut_off(settings.quiet_until)
    local = ctx.clock.now().astimezone(zone(studio_settings.time_zone))
    now = local.time().replace(tzinfo=None)
    quiet = begin <= now < end if begin <= end else now >= begin or now < end
    if not quiet:
        return
    day = local.date() if now < end else local.date() + dt.timedelta(days=1)
    until = dt.datetime.combine(day, end, local.tzinfo)
    raise Later(f"Quiet hours: the message waits until {end:%H:%M}.", (until - local).total_seconds())


def _announce(change: Change, ready: _Ready, settings: StatusHandlerSettings, ctx: Context) -> Plan:
    """The messages: to the assigned people, else to the project's channel."""
    type_ids = _type_ids(ready.rule.next_type, ctx)
    rows = ctx.site.rows(
        "select id, name, created_at, assignments.resource_id from Task "
        f"where parent_id is {quoted(ready.shot['id'])} and type_id in {id_list(type_ids)}"
    )
    effects: list[Effect] = []
    if not rows and settings.missing_task == "ignore":
        return _skipped(change, f"the shot {ready.shot['name']} has no {ready.rule.next_type} task")
    if not rows and settings.missing_task == "create":
        effects.append(_missing_task(change, ready, type_ids, ctx))
    people = _people([one["resource_id"] for row in rows for one in row.get("assignments") or ()], ctx)
    living = [one for one in people if one.get("is_active") is not False]
    told = [one for one in living if settings.message_oneself or one["id"] != change.user_id]
    if living and not told:
        return _skipped(change, f"only {_name(living[0])}, who set the status, would be told")
    if told and _was_told_before(rows, ready, ctx):
        shot, next_type = ready.shot["name"], ready.rule.next_type
        words = f"the project's channel was told already, when {shot} had no {next_type} task yet"
        return Plan(notes=(Note(change.entity_id, "already", words),))
    addresses = _addresses(told, ready, ctx)
    why = _why(rows, people, told, ready)
    notes: list[Note] = []
    for number, (address, names) in enumerate(addresses.items()):
        dedupe = _dedupe(ready, address)
        if _was_sent(address, dedupe, ready, ctx):
            notes.append(Note(change.entity_id, "already", f"{in_words(names) or address} was told already"))
            continue
        effects.append(
            SendSlack(
                slot=f"message-{number}-{change.entity_id}",
                reason=why,
                entity_id=change.entity_id,
                channel=address,
                text=_text(ready, names, settings, change, rows),
                dedupe=dedupe,
                person=in_words(names),
                digest=f"{ready.rule.status}" if settings.digest else "",
                max_age=float(ctx.doors.settings("slack").max_age),
                link=_link(ready, settings, ctx),
            )
        )
    return Plan(tuple(effects), tuple(notes))


def _occasion(change: Change, ready: _Ready) -> Occasion:
    """The transition, whether or not anybody was told of it by this event."""
    shot, status = str(ready.shot["name"]), ready.rule.status
    values = {
        "project": ready.project,
        "shot": shot,
        "status": status,
        "task": str(ready.task["name"]),
        "task_type": ready.rule.task_type,
        "next_type": ready.rule.next_type,
        "by": change.username or "",
        "about": f"{shot} {status}",
    }
    return Occasion(f"{ready.shot['id']}:{status.casefold()}:{ready.root}", values, change.entity_id)


def _dedupe(ready: _Ready, address: str) -> str:
    return f"ready:{ready.shot['id']}:{ready.rule.status.casefold()}:{ready.root}:{address}"


def _was_told_before(tasks: Sequence[Mapping[str, Any]], ready: _Ready, ctx: Context) -> bool:
    """Whether the transition was announced when none of these tasks was there, of which a new journal knows nothing."""
    born = [moment_of(task.get("created_at")) for task in tasks]
    if ready.moment is None or not all(one is not None and one > ready.moment for one in born):
        return False
    channel = ctx.people.slack_channel(ready.project)
    return _was_sent(channel, _dedupe(ready, channel), ready, ctx)


def _was_sent(address: str, dedupe: str, ready: _Ready, ctx: Context) -> bool:
    """Whether Slack has this very message: a new journal knows nothing of what an older one sent.

    Not being able to look (no permission, Slack away) counts as no: the outbox sends each key once anyway.
    """
    if ctx.doors.slack is None or ready.moment is None:
        return False
    try:
        return ctx.doors.slack.find(address, dedupe, ready.moment.timestamp() - _CLOCKS_APART) is not None
    except (PlanError, Later) as error:
        ctx.log.debug("Slack could not be asked for an earlier message: %s", error)
        return False


def _people(resource_ids: Sequence[str], ctx: Context) -> list[Mapping[str, Any]]:
    """Users behind assignments: a group stands for its members and those of the groups within it."""
    if not resource_ids:
        return []
    ids = id_list(resource_ids)
    rows = ctx.site.rows(
        "select id, username, email, first_name, last_name, is_active from User "
        f"where id in {ids} or memberships any (group_id in {ids}) or memberships any (group.parent_id in {ids})"
    )
    rows.sort(key=lambda row: str(row.get("username")))
    return list(rows)


def _addresses(people: Sequence[Mapping[str, Any]], ready: _Ready, ctx: Context) -> dict[str, list[str]]:
    """Where to write, and whom it is for there: several people without a Slack name share the default channel."""
    if not people:
        return {ctx.people.slack_channel(ready.project): []}
    addresses: dict[str, list[str]] = {}
    for person in people:
        address = ctx.people.slack_user(person.get("username") or "", person.get("email"))
        if address is None:
            address = str(ctx.doors.settings("slack", project=ready.project).default_channel)
        addresses.setdefault(address, []).append(_name(person))
    return addresses


def _name(person: Mapping[str, Any]) -> str:
    full = f"{person.get('first_name') or ''} {person.get('last_name') or ''}".strip()
    return full or str(person.get("username") or "somebody")


def _why(
    tasks: Sequence[Mapping[str, Any]],
    people: Sequence[Mapping[str, Any]],
    told: Sequence[Mapping[str, Any]],
    ready: _Ready,
) -> str:
    next_type, shot = ready.rule.next_type, ready.shot["name"]
    if not tasks:
        return f"the shot {shot} has no {next_type} task, so the project's channel is told"
    if not told:
        whom = "only inactive people are" if people else "nobody is"
        return f"{whom} assigned to {next_type} of {shot}, so the project's channel is told"
    return f"{in_words([_name(one) for one in told])} assigned to {next_type} of {shot}"


def _text(
    ready: _Ready,
    names: Sequence[str],
    settings: StatusHandlerSettings,
    change: Change,
    tasks: Sequence[Mapping[str, Any]],
) -> str:
    values = {
        "project": ready.project,
        "shot": ready.shot["name"],
        "status": ready.rule.status,
        "task": ready.task["name"],
        "next_type": ready.rule.next_type,
        "who": in_words(names),
        "by": change.username or "",
    }
    text = render_text(settings.message, {key: escape(value) for key, value in values.items()})
    if not tasks and settings.missing_task == "create":
        text += f"\nThe task {escape(ready.rule.next_type)} was created, since the shot had none."
    elif not tasks:
        text += f"\nThe shot has no {escape(ready.rule.next_type)} task."
    return text


def _link(ready: _Ready, settings: StatusHandlerSettings, ctx: Context) -> str:
    if not settings.link:
        return ""
    return render_text(
        settings.link,
        {
            "server": ctx.site.server,
            "task_id": ready.task["id"],
            "shot_id": ready.shot["id"],
            "project_id": ready.task.get("project_id") or "",
        },
    )


def _type_ids(name: str, ctx: Context) -> list[str]:
    found = [one.id for one in ctx.site.types().values() if one.name.casefold() == name.casefold()]
    if not found:
        raise PlanError(f"ftrack has no task type {name!r}: correct next_type in the handler's transitions.")
    return found


def _missing_task(change: Change, ready: _Ready, type_ids: Sequence[str], ctx: Context) -> CreateEntity:
    wanted = ready.rule.next_type
    return CreateEntity(
        slot=f"task-{change.entity_id}",
        reason=f"the shot has no {wanted} task (setting missing_task)",
        entity_id=change.entity_id,
        entity_type="Task",
        id=natural_id(ctx.site.server, ready.shot["id"], "task", wanted.casefold()),
        values={
            "name": wanted,
            "parent_id": ready.shot["id"],
            "project_id": ready.task["project_id"],
            "type_id": type_ids[0],
        },
        label=f"{ready.project} / {ready.shot['name']} / {wanted}",
        unless=f"Task where parent_id is {quoted(ready.shot['id'])} and type_id in {id_list(type_ids)}",
    )
