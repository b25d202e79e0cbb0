"""Assign task status: a version's new status becomes its task's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.effects.ftrack import UpdateEntity
from app.effects.job_setting import JobSetting, WithJobs, jobs_setting
from app.engine.protocol import Change, Context, Expect, Handler, Note, Occasion, Plan
from app.handlers.common import (
    added_since,
    folded,
    id_list,
    moment_of,
    occasion,
    quoted,
    reached_status,
    status_changes_since,
    status_steps,
    version_words,
)
from app.rules.transitions import StatusStep, decided_since
from app.rules.versions import version_label
from app.settings.models import setting
from app.site.types import Named

__all__ = ["AssignTaskStatus", "AssignTaskStatusSettings"]


class AssignTaskStatusSettings(WithJobs):
    """Defaults are the studio's rules."""

    mapping: dict[str, str] = setting(
        {},
        "Version status = task status, where the names differ (a client's status, for example); "
        "an empty task status leaves the task alone.",
        per_project=True,
        widget="statuses",
    )
    same_name: bool = setting(
        True,
        "A version status that is not in the mapping gives the task the status of the same name.",
        per_project=True,
    )
    when_added: bool = setting(
        True, "The status a version is created with counts too, not only later changes.", per_project=True
    )
    protected: list[str] = setting(
        [],
        "A task with one of these statuses is finished and is not opened again.",
        per_project=True,
        widget="statuses",
    )
    only_latest: bool = setting(False, "Only the newest version of an asset sets its task's status.", per_project=True)
    asset_types: list[str] = setting(
        [], "Only versions of these asset types set their task's status; empty: all.", per_project=True
    )
    skip_asset_types: list[str] = setting([], "Versions of these asset types leave their task alone.", per_project=True)
    jobs: list[JobSetting] = jobs_setting(
        "when a task got its version's status", "parent", "task", "task_type", "asset", "version", "status"
    )


class AssignTaskStatus(Handler):
    """Plans one update of the task, provided that the version still has the status."""

    id = "assign_task_status"
    title = "Assign task status"
    help = "When a version's status changes, its task gets the same status where the workflow of its type allows it."
    icon = "task"
    settings_model = AssignTaskStatusSettings

    def wants(self, change: Change) -> bool:
        return change.table == "assetversion" and bool(reached_status(change))

    def key(self, change: Change) -> str:
        # The event does not name the task; the versions of an asset share theirs.
        task = change.becomes("taskid")
        if task:
            return f"task:{task}"
        asset = next((step.entity_id for step in change.parents if step.entity_type == "Asset"), "")
        return f"task-of-asset:{asset}" if asset else f"version:{change.entity_id}"

    def plan(self, changes: Sequence[Change], ctx: Context) -> Plan:
        rows = ctx.site.rows(
            "select id, status_id, task_id, version, date, asset_id, asset.name, asset.type.name, "
            "status_changes.date, status_changes.status_id, task.name, task.type_id, task.type.name, task.status_id, "
            "task.created_at, task.status_changes.date, task.parent.name, task.project.name, "
            "task.project.project_schema_id "
            f"from AssetVersion where id in {id_list(change.entity_id for change in changes)}"
        )
        versions = {row["id"]: row for row in rows}
        effects: list[UpdateEntity] = []
        notes: list[Note] = []
        warnings: list[str] = []
        occasions: list[Occasion] = []
        for change in changes:
            outcome = _plan_one(change, versions.get(change.entity_id), ctx, warnings)
            if isinstance(outcome, UpdateEntity):
                effects.append(outcome)
                occasions.append(_occasion(self.id, change, versions[change.entity_id], outcome.names["status_id"]))
            else:
                notes.append(outcome)
        return Plan(tuple(effects), tuple(notes), tuple(warnings), occasions=tuple(occasions))

    def catch_up(self, ctx: Context, since: dt.datetime) -> Iterable[Change]:
        yield from status_changes_since(ctx, since, ("assetversion",), None)
        yield from added_since(ctx, since, "AssetVersion")


def _plan_one(
    change: Change, version: Mapping[str, Any] | None, ctx: Context, warnings: list[str]
) -> UpdateEntity | Note:
    reason = _why_not(change, version, ctx)
    if reason is not None or version is None:
        return Note(change.entity_id, "skipped", reason or "")
    task = version["task"]
    project = task.get("project") or {}
    settings: AssignTaskStatusSettings = ctx.handler_settings(project.get("name") or "")
    status = ctx.site.statuses()[reached_status(change)].name
    wanted = _task_status_name(status, settings)
    if not wanted:
        return Note(change.entity_id, "skipped", f"the version status {status} leaves the task alone (setting mapping)")
    reason = _why_not_for(change, version, settings, ctx)
    if reason is not None:
        return Note(change.entity_id, "skipped", reason)
    allowed = ctx.site.allowed_statuses(project.get("project_schema_id") or "", "Task", task.get("type_id"))
    target = next((one for one in allowed if one.name.casefold() == wanted.casefold()), None)
    if target is None:
        text = _not_allowed(wanted, version, allowed)
        warnings.append(text)
        return Note(change.entity_id, "skipped", text)
    planned = _update(change, version, target, settings, ctx)
    if isinstance(planned, UpdateEntity) and _touched_since(change, version):
        since = _decided_since(change, version, allowed, settings, ctx)
        if since:
            return Note(change.entity_id, "skipped", since)
    return planned


def _touched_since(change: Change, version: Mapping[str, Any]) -> bool:
    """Whether the task's status changed after the version's, by anybody: only then its history is read."""
    reached = reached_status(change)
    rows = version.get("status_changes") or ()
    began = [moment_of(row["date"]) for row in rows if row["status_id"] == reached] or [moment_of(version["date"])]
    own = max((one for one in began if one is not None), default=None)
    later = (moment_of(row["date"]) for row in version["task"].get("status_changes") or ())
    return own is None or any(one is not None and one > own for one in later)


def _decided_since(
    change: Change,
    version: Mapping[str, Any],
    allowed: Sequence[Named],
    settings: AssignTaskStatusSettings,
    ctx: Context,
) -> str:
    """Why the task is no longer the version's: what came later than a late or replayed status stays."""
    statuses = ctx.site.statuses()
    possible = {one.name.casefold(): one.id for one in allowed}

    def follow(step: StatusStep) -> str | None:
        status = statuses.get(step.new)
        return possible.get(_task_status_name(status.name, settings).casefold()) if status else None

    def counts(step: StatusStep) -> bool:
        # Of another version's asset nothing is known here.
        restricted = settings.asset_types or settings.skip_asset_types
        return not restricted and (settings.when_added or step.old is not None)

    steps = status_steps(ctx, version["task"])
    later = decided_since(steps, change.entity_id, reached_status(change), follow, counts)
    if later is None:
        return ""
    became = statuses[later.new].name if later.new in statuses else "another status"
    whose = "the task was set to" if later.is_task else "another version of the task became"
    return f"superseded: {whose} {became} after {version_words(version)} became {statuses[version['status_id']].name}"


def _why_not(change: Change, version: Mapping[str, Any] | None, ctx: Context) -> str | None:
    if version is None:
        return "the version no longer exists on ftrack"
    statuses = ctx.site.statuses()
    reached = statuses.get(reached_status(change))
    if reached is None:
        return "the status was deleted on ftrack"
    if version["status_id"] != reached.id:
        now = statuses.get(version["status_id"] or "")
        became = now.name if now else "another status"
        return f"superseded by {became}: {version_words(version)} is no longer {reached.name}"
    if not version.get("task_id") or not version.get("task"):
        return f"{version_words(version)} has no task"
    return None


def _why_not_for(
    change: Change, version: Mapping[str, Any], settings: AssignTaskStatusSettings, ctx: Context
) -> str | None:
    if change.action == "add" and not settings.when_added:
        return "the status a version is created with does not count (setting when_added)"
    asset_type = str(((version.get("asset") or {}).get("type") or {}).get("name") or "")
    if settings.asset_types and asset_type.casefold() not in folded(settings.asset_types):
        return f"versions of type {asset_type or 'none'} leave their task alone (setting asset_types)"
    if asset_type.casefold() in folded(settings.skip_asset_types):
        return f"versions of type {asset_type} leave their task alone (setting skip_asset_types)"
    if settings.only_latest:
        newer = ctx.site.rows(
            f"select id, version from AssetVersion where asset_id is {quoted(version['asset_id'])} "
            f"and version > {int(version['version'] or 0)}"
        )
        if newer:
            number = max(row["version"] for row in newer)
            return f"{version_words(version)} is not the newest, v{number} is (setting only_latest)"
    return None


def _task_status_name(status: str, settings: AssignTaskStatusSettings) -> str:
    mapped = {key.casefold(): value for key, value in settings.mapping.items()}
    if status.casefold() in mapped:
        return mapped[status.casefold()].strip()
    return status if settings.same_name else ""


def _not_allowed(wanted: str, version: Mapping[str, Any], allowed: Sequence[Named]) -> str:
    task = version["task"]
    task_type = (task.get("type") or {}).get("name") or "no type"
    names = ", ".join(one.name for one in allowed) or "none at all"
    return (
        f"the workflow allows no status {wanted} for {_task_label(version)} ({task_type}); it allows {names}. "
        "Add it to the workflow or to the setting mapping."
    )


def _update(
    change: Change, version: Mapping[str, Any], target: Named, settings: AssignTaskStatusSettings, ctx: Context
) -> UpdateEntity | Note:
    task = version["task"]
    label = _task_label(version)
    if task.get("status_id") == target.id:
        return Note(change.entity_id, "already", f"{label} is {target.name} already")
    present = ctx.site.statuses().get(task.get("status_id") or "")
    if present is not None and present.name.casefold() in folded(settings.protected):
        return Note(
            change.entity_id, "skipped", f"{label} is {present.name} and is not opened again (setting protected)"
        )
    return UpdateEntity(
        slot=f"status-{version['id']}",
        reason=f"{version_words(version)} became {ctx.site.statuses()[version['status_id']].name}",
        entity_id=change.entity_id,
        entity_type="Task",
        id=task["id"],
        values={"status_id": target.id},
        names={"status_id": target.name},
        label=label,
        expects=(
            Expect("AssetVersion", version["id"], "status_id", version["status_id"]),
            Expect("AssetVersion", version["id"], "task_id", task["id"]),
            Expect("Task", task["id"], "status_id", task.get("status_id")),
        ),
    )


def _occasion(handler: str, change: Change, version: Mapping[str, Any], status: str) -> Occasion:
    task = version["task"]
    return occasion(
        handler,
        change,
        f"{_task_label(version)} {status}",
        project=(task.get("project") or {}).get("name") or "",
        parent=(task.get("parent") or {}).get("name") or "",
        task=task["name"],
        task_type=(task.get("type") or {}).get("name") or "",
        asset=(version.get("asset") or {}).get("name") or "",
        version=version_label(int(version.get("version") or 0)),
        status=status,
    )


def _task_label(version: Mapping[str, Any]) -> str:
    task = version["task"]
    parent = (task.get("parent") or {}).get("name")
    return f"{parent} / {task['name']}" if parent else str(task["name"])
