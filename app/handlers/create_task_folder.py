"""Create task folder: a new task gets its folder and the studio's template file."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from app.effects.disk import CopyFile, MakeFolder
from app.effects.ftrack import SetMetadata
from app.effects.job_setting import JobSetting, WithJobs, jobs_setting
from app.engine.protocol import Change, Context, Effect, Expect, Handler, Note, Occasion, Plan, PlanError
from app.handlers.common import (
    PLACE_FIELDS,
    Place,
    added_since,
    anchor,
    folded,
    id_list,
    metadata_of,
    occasion,
    place_of,
    quoted,
    studio,
)
from app.rules.names import NamePolicy, check_path_length, folder_name, is_inside, slugify
from app.rules.templates import render_path, template_with
from app.rules.versions import newest_version
from app.settings.models import setting

__all__ = ["CreateTaskFolder", "CreateTaskFolderSettings"]

_SHOT = "shots/{{ parents | join('/') }}"
PathTemplate = Annotated[str, template_with("project", "parents", "parent", "task", "task_type", "asset_type")]
_CHANCE = 3
_LEFTOVER = re.compile(r"^[.~]|[~]$|\.(bak|tmp|swp|autosave)$", re.IGNORECASE)


class CreateTaskFolderSettings(WithJobs):
    """Defaults are the studio's rules."""

    shot_types: list[str] = setting(
        ["Shot"], "Object types whose tasks go below the shot folder.", per_project=True, widget="object_types"
    )
    asset_types: list[str] = setting(
        ["Asset Build"], "Object types whose tasks go below the asset folder.", per_project=True, widget="object_types"
    )
    skip_task_types: list[str] = setting([], "Task types that get no folder.", per_project=True, widget="task_types")
    shot_folder: PathTemplate = setting(
        _SHOT + "/scene/{{ task | lower }}",
        "Folder of a shot's task below the project. Known: project, parents (a list), parent, task, task_type.",
        per_project=True,
        widget="template",
    )
    shot_structure: list[PathTemplate] = setting(
        [f"{_SHOT}/img/comps", f"{_SHOT}/img/plates", f"{_SHOT}/img/render"],
        "Folders that every shot has beside its tasks' folders.",
        per_project=True,
        widget="template",
    )
    shot_file: PathTemplate = setting(
        "{{ parent }}_v01", "Name of a shot's first file, without extension.", per_project=True, widget="template"
    )
    asset_folder: PathTemplate = setting(
        "assets/{{ asset_type | lower }}/{{ parent }}/{{ task | lower }}",
        "Folder of an asset's task below the project. Known besides: asset_type.",
        per_project=True,
        widget="template",
    )
    asset_file: PathTemplate = setting(
        "{{ parent }}_{{ task | lower }}_v01",
        "Name of an asset's first file, without extension.",
        per_project=True,
        widget="template",
    )
    other_folder: PathTemplate = setting(
        "",
        "Folder of a task that is below neither a shot nor an asset (an episode, a sequence, a folder); empty: none. "
        "A task directly under the project never gets one.",
        per_project=True,
        widget="template",
    )
    other_file: PathTemplate = setting(
        "{{ parent }}_{{ task | lower }}_v01", "Name of such a task's first file.", per_project=True, widget="template"
    )
    subfolders: dict[str, str] = setting(
        {"modeling": "maya"},
        "Task type = folder below an asset's task folder in which the file goes one level deeper.",
        per_project=True,
    )
    template_folder: str = setting(
        "template_files", "Folder of the template files below the project.", per_project=True
    )
    sources: dict[str, list[str]] = setting(
        {
            "animation": ["previz/*_v*.mb", "layout/publish/v*/animation_publish.mb"],
            "previz": ["layout/publish/v*/animation_publish.mb"],
        },
        "Task type = where its first file comes from when no template applies: patterns below the shot's scene folder, "
        "the first that finds something wins, of several versions the newest.",
        per_project=True,
    )
    file_key: str = setting("filename", "Metadata key of the task under which the file's path is kept.")
    folder_key: str = setting(
        "folder", "Metadata key under which the folder's path is kept while the task has no file; empty: nowhere."
    )
    same_folder: Literal["share", "refuse"] = setting(
        "share",
        "Two tasks of a shot whose names give the same folder: share it (with a warning), or refuse the second.",
        per_project=True,
    )
    name_policy: NamePolicy = setting(
        "refuse",
        "A name that cannot be a folder on every system: refuse it with the reason, or make a slug of every name.",
        per_project=True,
    )
    windows_paths: bool = setting(
        True, "Refuse paths that Windows cannot open (260 characters or more).", per_project=True
    )
    jobs: list[JobSetting] = jobs_setting(
        "when a task got its folder", "parent", "task", "task_type", "folder", "file (empty: none)"
    )


@dataclass(slots=True)
class _Draft:
    """One task's part of the plan while it is made."""

    task: Mapping[str, Any]
    place: Place
    settings: CreateTaskFolderSettings
    studio: Any
    root: Path
    anchor: Path
    effects: list[Effect] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    file: str = ""

    @property
    def label(self) -> str:
        """The task with its parents, as a TD knows it."""
        return " / ".join([*(one["name"] for one in self.place.ancestors), self.task["name"]])

    @property
    def task_type(self) -> str:
        return (self.task.get("type") or {}).get("name") or ""


class CreateTaskFolder(Handler):
    """Plans the folder, the shot's structure, the first file and the task's metadata."""

    id = "create_task_folder"
    title = "Create task folder"
    help = "A new task gets its folder below its shot or asset, the template file of its type, and the path on ftrack."
    icon = "folder"
    settings_model = CreateTaskFolderSettings
    batch = 1

    def wants(self, change: Change) -> bool:
        return change.action == "add" and change.entity_type == "Task"

    def key(self, change: Change) -> str:
        return f"task:{change.entity_id}"

    def plan(self, changes: Sequence[Change], ctx: Context) -> Plan:
        tasks = {
            row["id"]: row
            for row in ctx.site.rows(
                f"select id, name, parent_id, type.name, metadata.key, metadata.value, {PLACE_FIELDS} "
                f"from Task where id in {id_list(change.entity_id for change in changes)}"
            )
        }
        effects: list[Effect] = []
        notes: list[Note] = []
        warnings: list[str] = []
        occasions: list[Occasion] = []
        for change in changes:
            task = tasks.get(change.entity_id)
            if task is None:
                notes.append(Note(change.entity_id, "skipped", "the task no longer exists on ftrack"))
                continue
            outcome = self._plan_task(task, place_of(ctx, task), ctx)
            if isinstance(outcome, Note):
                notes.append(outcome)
                continue
            warnings += outcome.warnings
            effects += outcome.effects
            if outcome.effects:
                occasions.append(_occasion(self.id, change, outcome))
            else:
                notes.append(Note(task["id"], "already", "folder, file and metadata are there already"))
        return Plan(tuple(effects), tuple(notes), tuple(warnings), occasions=tuple(occasions))

    def catch_up(self, ctx: Context, since: dt.datetime) -> Iterable[Change]:
        return added_since(ctx, since, "Task")

    def _plan_task(self, task: Mapping[str, Any], place: Place, ctx: Context) -> _Draft | Note:
        project = place.project
        settings: CreateTaskFolderSettings = ctx.handler_settings(project.get("name") or "")
        reason = _why_not(task, place, settings)
        if reason is not None:
            return Note(task["id"], "skipped", reason)
        root = ctx.disk.project_root(project)
        draft = _Draft(task, place, settings, studio(ctx, project.get("name")), root, anchor(ctx, root))
        folder, stem = _folder_and_stem(draft)
        recorded = _recorded(draft, ctx)
        if recorded is not None and recorded != folder:
            return Note(task["id"], "already", f"the task has its place since before it was renamed: {recorded}")
        _add_structure(draft, folder, ctx)
        source = _source(draft, folder, ctx)
        if source is None:
            _record(draft, settings.folder_key, folder)
        else:
            _add_file(draft, source, _deeper(draft, folder) / f"{stem}{source.suffix}", ctx)
        return draft


def _occasion(handler: str, change: Change, draft: _Draft) -> Occasion:
    return occasion(
        handler,
        change,
        f"{draft.label} has a folder",
        project=draft.place.project.get("name") or "",
        parent=draft.place.ancestors[-1]["name"],
        task=draft.task["name"],
        task_type=draft.task_type,
        folder=_folder_and_stem(draft)[0],
        file=draft.file,
    )


def _why_not(task: Mapping[str, Any], place: Place, settings: CreateTaskFolderSettings) -> str | None:
    task_type = (task.get("type") or {}).get("name") or ""
    if place.parent is None:
        return "the task is directly under the project, it belongs to no shot and no asset"
    if task_type.casefold() in folded(settings.skip_task_types):
        return f"tasks of type {task_type} get no folder (setting skip_task_types)"
    below = place.nearest([*settings.shot_types, *settings.asset_types])
    if below is None and not settings.other_folder:
        parent = place.parent
        return (
            f"the task belongs to no shot and no asset but to the {parent['object_type']} {parent['name']} "
            "(setting other_folder gives such tasks a folder)"
        )
    return None


def _folder_and_stem(draft: _Draft) -> tuple[Path, str]:
    """The task's folder and its first file's name without extension."""
    settings = draft.settings
    asset = draft.place.nearest(settings.asset_types)
    shot = draft.place.nearest(settings.shot_types)
    if shot is not None and (asset is None or draft.place.ancestors.index(shot) > draft.place.ancestors.index(asset)):
        folder, stem = settings.shot_folder, settings.shot_file
    elif asset is not None:
        if not asset["type"]:
            raise PlanError(f"The asset {asset['name']} has no type on ftrack: set one, then replay the event.")
        folder, stem = settings.asset_folder, settings.asset_file
    else:
        folder, stem = settings.other_folder, settings.other_file
    values = _values(draft)
    name = render_path(stem, values)
    if len(name.parts) != 1:
        raise PlanError(f"The file name template {stem!r} gives {name}, which is more than a name.")
    return _below(draft, render_path(folder, values)), str(name)


def _values(draft: _Draft) -> dict[str, Any]:
    """What the templates may use; every name is made safe before it is put into a path."""
    policy = draft.settings.name_policy
    parents = [
        folder_name(one["name"], f"the {one['object_type'] or 'parent'}", policy) for one in draft.place.ancestors
    ]
    asset = draft.place.nearest(draft.settings.asset_types)
    return {
        "project": folder_name(str(draft.place.project.get("name") or ""), "the project", policy),
        "parents": parents,
        "parent": parents[-1],
        "task": folder_name(draft.task["name"], "the task", policy),
        "task_type": folder_name(draft.task_type, "the task type", policy) if draft.task_type else "",
        "asset_type": folder_name(asset["type"], "the asset type", policy) if asset and asset["type"] else "",
    }


def _below(draft: _Draft, relative: PurePosixPath) -> Path:
    path = draft.root / relative
    if not is_inside(path, draft.root):
        raise PlanError(f"{path} does not lie below the project's folder {draft.root}.")
    check_path_length(path, windows=draft.settings.windows_paths)
    return path


def _recorded(draft: _Draft, ctx: Context) -> Path | None:
    """The folder the task's metadata names, when it is in this project and still there (a copied project keeps the
    metadata of its model, which says nothing here)."""
    metadata = metadata_of(draft.task)
    file = str(metadata.get(draft.settings.file_key) or "")
    folder = str(metadata.get(draft.settings.folder_key) or "") if draft.settings.folder_key else ""
    path = Path(file).parent if file else Path(folder) if folder else None
    if path is None or not path.is_absolute() or not is_inside(path, draft.root) or not ctx.disk.exists(path):
        return None
    deeper = folded(draft.settings.subfolders.values())
    return path.parent if file and path.name.casefold() in deeper else path


def _add_structure(draft: _Draft, folder: Path, ctx: Context) -> None:
    _add_folder(draft, folder, f"the task {draft.label} was added", ctx)
    if draft.place.nearest(draft.settings.shot_types) is not None:
        values = _values(draft)
        for template in draft.settings.shot_structure:
            _add_folder(draft, _below(draft, render_path(template, values)), "every shot has it", ctx)


def _add_folder(draft: _Draft, path: Path, reason: str, ctx: Context) -> None:
    if ctx.disk.exists(path):
        return
    draft.effects.append(
        MakeFolder(
            slot=f"folder-{len(draft.effects)}-{draft.task['id']}",
            reason=reason,
            entity_id=draft.task["id"],
            path=path,
            root=draft.anchor,
            mode=int(draft.studio.folder_mode, 8),
            group=draft.studio.group,
        )
    )


def _deeper(draft: _Draft, folder: Path) -> Path:
    """Where the file lies: an asset's modeling files go one level deeper."""
    if draft.place.nearest(draft.settings.asset_types) is None:
        return folder
    names = {key.casefold(): value for key, value in draft.settings.subfolders.items()}
    below = names.get(draft.task_type.casefold())
    return folder / folder_name(below, "the subfolder") if below else folder


def _source(draft: _Draft, folder: Path, ctx: Context) -> Path | None:
    """The template file of the task's type, else the newest file of an earlier step."""
    if not draft.task_type:
        draft.warnings.append(f"{draft.label} has no type: it gets a folder but no template file")
        return None
    templates = draft.root / draft.settings.template_folder
    names = ctx.disk.listing(templates)
    fitting = _templates_for(draft.task_type, names)
    if fitting:
        if len(fitting) > 1:
            draft.warnings.append(f"{', '.join(fitting)} all fit {draft.task_type}: {fitting[0]} is taken")
        return templates / fitting[0]
    patterns = {key.casefold(): value for key, value in draft.settings.sources.items()}
    for pattern in patterns.get(draft.task_type.casefold(), ()):
        found = _newest(folder.parent, PurePosixPath(pattern).parts, ctx)
        if found is not None:
            return found
    where = (
        f"no file in {templates} carries the name {draft.task_type}" if names else f"{templates} is empty or missing"
    )
    draft.warnings.append(f"{draft.label} gets a folder but no file: {where}")
    return None


def _templates_for(task_type: str, names: Iterable[str]) -> list[str]:
    """Template files that carry the type's name, best first: the whole stem, its beginning, a word, anywhere in it."""
    wanted = slugify(task_type)
    ranked = []
    for name in names:
        rank = _rank(wanted, PurePosixPath(name))
        if rank is not None and not _LEFTOVER.search(name):
            ranked.append((rank, len(name), name))
    ranked.sort()
    return [name for rank, _, name in ranked if rank == ranked[0][0]]


def _rank(wanted: str, name: PurePosixPath) -> int | None:
    stem = slugify(name.stem)
    if not name.suffix or not wanted or wanted not in stem:
        return None
    if stem == wanted:
        return 0
    if stem.startswith(f"{wanted}_"):
        return 1
    if f"_{wanted}_" in re.sub(r"[_.-]+", "_", f"_{stem}_"):
        return 2
    # Two or three letters turn up by chance: "vfx_notes" is no template of FX.
    return 3 if len(wanted) > _CHANCE else None


def _newest(folder: Path, parts: Sequence[str], ctx: Context) -> Path | None:
    """The path that fits a pattern part by part; where a part has a ``*`` the newest version that leads to a file."""
    part, rest = parts[0], parts[1:]
    if "*" not in part:
        path = folder / part
        if not ctx.disk.exists(path):
            return None
        return _newest(path, rest, ctx) if rest else path
    pattern = ".*".join(re.escape(piece) for piece in part.split("*"))
    names = list(ctx.disk.listing(folder))
    while (name := newest_version(names, pattern=pattern)) is not None:
        found = _newest(folder / name, rest, ctx) if rest else folder / name
        if found is not None:
            return found
        names.remove(name)
    return None


def _add_file(draft: _Draft, source: Path, target: Path, ctx: Context) -> None:
    check_path_length(target, windows=draft.settings.windows_paths)
    task_id = draft.task["id"]
    draft.file = str(target)
    if ctx.disk.exists(target):
        _tell_of_sharing(draft, target, ctx)
    else:
        if target.parent != _folder_and_stem(draft)[0]:
            _add_folder(draft, target.parent, f"files of {draft.task_type} go one level deeper", ctx)
        draft.effects.append(
            CopyFile(
                slot=f"file-{task_id}",
                reason=f"the task is of type {draft.task_type} and has no file yet",
                entity_id=task_id,
                source=source,
                path=target,
                root=draft.anchor,
                mode=int(draft.studio.file_mode, 8),
                group=draft.studio.group,
            )
        )
    _record(draft, draft.settings.file_key, target)


def _tell_of_sharing(draft: _Draft, target: Path, ctx: Context) -> None:
    """Another task may own the file that is there: two names of one spelling, or two tasks of one type."""
    if metadata_of(draft.task).get(draft.settings.file_key) == str(target):
        return
    others = ctx.site.rows(
        f"select id, name from Task where parent_id is {quoted(draft.task['parent_id'])} "
        f"and id is_not {quoted(draft.task['id'])} and metadata any "
        f"(key is {quoted(draft.settings.file_key)} and value is {quoted(str(target))})"
    )
    if not others:
        draft.warnings.append(f"{target} was there already and is kept as it is")
        return
    if draft.settings.same_folder == "refuse":
        raise PlanError(f"{target} already belongs to the task {others[0]['name']}: rename one of the two tasks.")
    draft.warnings.append(f"{target} is shared with the task {others[0]['name']}: their names give the same folder")


def _record(draft: _Draft, key: str, path: Path) -> None:
    task = draft.task
    if not key or metadata_of(task).get(key) == str(path):
        return
    draft.effects.append(
        SetMetadata(
            slot=f"metadata-{task['id']}",
            reason="so that artists and tools find it",
            entity_id=task["id"],
            entity_type="Task",
            id=task["id"],
            values={key: str(path)},
            label=draft.label,
            expects=(
                Expect("Task", task["id"], "parent_id", task["parent_id"]),
                Expect("Task", task["id"], "name", task["name"]),
            ),
        )
    )
