"""Set task thumbnail: a task that is cut or on hold shows it; when work resumes, it gets its own thumbnail back."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.effects.ftrack import SetMetadata, UpdateEntity
from app.effects.job_setting import JobSetting, WithJobs, jobs_setting
from app.effects.upload import UploadComponent
from app.engine.protocol import (
    Change,
    Context,
    Effect,
    Expect,
    Handler,
    Note,
    Occasion,
    Plan,
    PlanError,
    natural_id,
)
from app.handlers.common import (
    STATUS_KEY,
    added_since,
    metadata_of,
    occasion,
    quoted,
    reached_status,
    status_changes_since,
)
from app.resources import resource
from app.settings.models import setting

__all__ = ["SetTaskThumbnail", "SetTaskThumbnailSettings"]

_NONE = "none"


class SetTaskThumbnailSettings(WithJobs):
    """Defaults are the studio's rules."""

    images: dict[str, str] = setting(
        {"Cut": "cut.png", "On Hold": "on_hold.png"},
        "Task status = image. A name without folder is one of those that come with Signalbox.",
        per_project=True,
        widget="path",
    )
    also_parent: bool = setting(False, "The shot or asset of the task shows the image too.", per_project=True)
    kinds: list[str] = setting([".png", ".jpg", ".jpeg", ".gif"], "File extensions that ftrack shows.")
    largest: float = setting(10.0, "Largest image that is uploaded.", unit="MB", gt=0)
    before_key: str = setting("thumbnail_before_status", "Metadata key that keeps the thumbnail the task had before.")
    shown_key: str = setting("thumbnail_of_status", "Metadata key that keeps the thumbnail that was set.")
    jobs: list[JobSetting] = jobs_setting("when a task's thumbnail was set", "parent", "task", "status")


@dataclass(slots=True)
class _Draft:
    """One task's part of the plan."""

    change: Change
    settings: SetTaskThumbnailSettings
    label: str
    occasion: Occasion
    effects: list[Effect] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class SetTaskThumbnail(Handler):
    """Plans by the task's present status; remembers the thumbnail before in the task's metadata."""

    id = "set_task_thumbnail"
    title = "Set task thumbnail"
    help = "A task that becomes Cut or On Hold shows that as its thumbnail; afterwards it gets back the one it had."
    icon = "image"
    settings_model = SetTaskThumbnailSettings

    def wants(self, change: Change) -> bool:
        if change.entity_type != "Task" or change.action == "remove":
            return False
        old, new = change.changes.get(STATUS_KEY, (None, None))
        return bool(old != new)  # also a status that was cleared: the task has left the one it had

    def key(self, change: Change) -> str:
        return f"task:{change.entity_id}"

    def plan(self, changes: Sequence[Change], ctx: Context) -> Plan:
        effects: list[Effect] = []
        notes: list[Note] = []
        warnings: list[str] = []
        occasions: list[Occasion] = []
        for change in changes:
            outcome = _plan_one(self.id, change, ctx)
            if isinstance(outcome, Note):
                notes.append(outcome)
                continue
            effects += outcome.effects
            warnings += outcome.warnings
            if outcome.effects:
                occasions.append(outcome.occasion)
            else:
                notes.append(Note(change.entity_id, "already", "the thumbnail fits the status already"))
        return Plan(tuple(effects), tuple(notes), tuple(warnings), occasions=tuple(occasions))

    def catch_up(self, ctx: Context, since: dt.datetime) -> Iterable[Change]:
        yield from status_changes_since(ctx, since, ("task",), None)
        yield from (change for change in added_since(ctx, since, "Task") if reached_status(change))


def _plan_one(handler: str, change: Change, ctx: Context) -> _Draft | Note:
    pair = change.changes[STATUS_KEY]
    if _image(ctx.settings, pair[0], ctx) is None and _image(ctx.settings, pair[1], ctx) is None:
        return Note(change.entity_id, "skipped", "neither the old nor the new status has an image")
    fields = "id, name, thumbnail_id, metadata.key, metadata.value"
    rows = ctx.site.rows(
        f"select {fields}, status_id, parent_id, project.name, parent.name from Task "
        f"where id is {quoted(change.entity_id)}"
    )
    if not rows:
        return Note(change.entity_id, "skipped", "the task no longer exists on ftrack")
    task = rows[0]
    project = (task.get("project") or {}).get("name") or ""
    settings: SetTaskThumbnailSettings = ctx.handler_settings(project)
    parent = (task.get("parent") or {}).get("name") or ""
    label = f"{parent} / {task['name']}" if parent else task["name"]
    named = ctx.site.statuses().get(str(task["status_id"] or ""))
    status = named.name if named else ""
    about = f"{label} {status}".rstrip()
    done = occasion(handler, change, about, project=project, parent=parent, task=task["name"], status=status)
    draft = _Draft(change, settings, label, done)
    shown = [("Task", task, draft.label)]
    if settings.also_parent and task.get("parent_id"):
        shown += [
            (row["__entity_type__"], row, row["name"])
            for row in ctx.site.rows(f"select {fields} from TypedContext where id is {quoted(task['parent_id'])}")
        ]
    image = _image(settings, task["status_id"], ctx)
    for entity_type, row, label in shown:
        if image is None:
            _restore(draft, entity_type, row, label, ctx)
        else:
            _show(draft, image, entity_type, row, label, ctx)
    return draft


def _image(settings: SetTaskThumbnailSettings, status_id: Any, ctx: Context) -> Path | None:
    """The image of a status, None for one that has none."""
    named = ctx.site.statuses().get(str(status_id or ""))
    if named is None:
        return None
    wanted = named.name.casefold()
    file = next((file for status, file in settings.images.items() if status.casefold() == wanted), "")
    if not file:
        return None
    path = Path(file)
    return path if path.is_absolute() else resource("thumbnails") / path


def _show(draft: _Draft, image: Path, entity_type: str, row: Mapping[str, Any], label: str, ctx: Context) -> None:
    settings = draft.settings
    component = _component(draft, image, ctx)
    present = row.get("thumbnail_id") or ""
    metadata = metadata_of(row)
    if present == component and metadata.get(settings.shown_key) == component:
        return
    # From Cut to On Hold the thumbnail before is still the artist's, not our own image.
    ours = metadata.get(settings.shown_key)
    before = metadata.get(settings.before_key) if ours and present == ours else present or _NONE
    kept: dict[str, str | None] = {settings.before_key: before or _NONE, settings.shown_key: component}
    draft.effects.append(_remember(draft, entity_type, row, label, kept, "so that the thumbnail before can come back"))
    draft.effects.append(
        _set(draft, entity_type, row, label, component, f"the status of the task has the image {image.name}")
    )


def _component(draft: _Draft, image: Path, ctx: Context) -> str:
    """The id of the image on ftrack: one component for each image, whoever uploads it first."""
    content = _content(image, draft.settings)
    component = natural_id(ctx.site.server, "thumbnail", hashlib.sha256(content).hexdigest())
    slot = f"upload-{component}"
    known = any(effect.slot == slot for effect in draft.effects)
    if not known and not ctx.site.rows(f"select id from ComponentLocation where component_id is {quoted(component)}"):
        draft.effects.append(
            UploadComponent(
                slot=slot,
                reason=f"ftrack does not have {image.name} yet; it is uploaded once for all tasks",
                entity_id=draft.change.entity_id,
                path=str(image),
                component_id=component,
                name=image.stem,
                version_id=None,
                location="ftrack.server",
                metadata={},
            )
        )
    return component


def _content(image: Path, settings: SetTaskThumbnailSettings) -> bytes:
    if image.suffix.lower() not in settings.kinds:
        raise PlanError(
            f"{image} is not an image that ftrack shows ({', '.join(settings.kinds)}): correct the setting images."
        )
    try:
        size = image.stat().st_size
        if size > settings.largest * 1_000_000:
            raise PlanError(
                f"{image} is {size / 1_000_000:.1f} MB, the limit is {settings.largest:g} MB: make it smaller."
            )
        content = image.read_bytes()
    except OSError as error:
        raise PlanError(f"The image {image} cannot be read: {error.strerror}. Correct the setting images.") from error
    if not content:
        raise PlanError(f"The image {image} is empty: put a picture there.")
    return content


def _restore(draft: _Draft, entity_type: str, row: Mapping[str, Any], label: str, ctx: Context) -> None:
    settings = draft.settings
    metadata = metadata_of(row)
    shown = metadata.get(settings.shown_key)
    if not shown:
        return
    forgotten: dict[str, str | None] = {settings.before_key: None, settings.shown_key: None}
    if row.get("thumbnail_id") != shown:
        draft.warnings.append(f"{label} was given another thumbnail meanwhile, which it keeps")
    else:
        before = metadata.get(settings.before_key) or _NONE
        back = _still_there(before, row, entity_type, ctx)
        draft.effects.append(_set(draft, entity_type, row, label, back, "the task left the status that had an image"))
    draft.effects.append(
        _remember(draft, entity_type, row, label, forgotten, "the thumbnail before is no longer needed")
    )


def _still_there(before: str, row: Mapping[str, Any], entity_type: str, ctx: Context) -> str | None:
    """The thumbnail before; where it was deleted that of the newest version with a picture, else none."""
    if before == _NONE:
        return None
    if ctx.site.rows(f"select id from Component where id is {quoted(before)}"):
        return before
    relation = "task_id" if entity_type == "Task" else "asset.context_id"
    versions = ctx.site.rows(
        f"select id, date, thumbnail_id from AssetVersion where {relation} is {quoted(row['id'])} "
        "and thumbnail_id is_not none"
    )
    versions.sort(key=lambda one: str(one.get("date")))
    return str(versions[-1]["thumbnail_id"]) if versions else None


def _set(
    draft: _Draft, entity_type: str, row: Mapping[str, Any], label: str, component: str | None, reason: str
) -> UpdateEntity:
    return UpdateEntity(
        slot=f"thumbnail-{row['id']}",
        reason=reason,
        entity_id=draft.change.entity_id,
        entity_type=entity_type,
        id=row["id"],
        values={"thumbnail_id": component},
        label=label,
        expects=(Expect(entity_type, row["id"], "thumbnail_id", row.get("thumbnail_id")),),
    )


def _remember(
    draft: _Draft, entity_type: str, row: Mapping[str, Any], label: str, values: dict[str, str | None], reason: str
) -> SetMetadata:
    return SetMetadata(
        slot=f"metadata-{row['id']}",
        reason=reason,
        entity_id=draft.change.entity_id,
        entity_type=entity_type,
        id=row["id"],
        values=values,
        label=label,
        expects=(Expect(entity_type, row["id"], "exists", True),),
    )
