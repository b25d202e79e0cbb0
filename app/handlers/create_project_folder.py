"""Create project folder: a new project of the studio's workflow gets its folders and template files."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.effects.disk import CopyFile, MakeFolder
from app.effects.job_setting import JobSetting, WithJobs, jobs_setting
from app.engine.protocol import Change, Context, Effect, Handler, Note, Plan, PlanError, skip
from app.handlers.common import added_since, anchor, folded, metadata_of, occasion, quoted, studio
from app.resources import resource
from app.rules.names import check_path_length, is_inside, slugify
from app.rules.templates import render_path, render_text, template_with
from app.settings.models import Mode, setting

__all__ = ["CreateProjectFolder", "CreateProjectFolderSettings", "ProjectTemplate", "read_template"]


class TemplateFolder(BaseModel):
    """A folder of the template: ``path`` may hold ``{{ project }}``; ``root`` names one of the other roots."""

    model_config = ConfigDict(extra="forbid")

    path: str
    mode: Mode = ""
    root: str = ""

    @classmethod
    def plain(cls, path: str) -> TemplateFolder:
        """A folder of which only the path is written."""
        return cls(path=path)


class TemplateFile(BaseModel):
    """A file of the template: ``source`` lies beside the template; a folder as source stands for its files."""

    model_config = ConfigDict(extra="forbid")

    source: str
    path: str
    mode: Mode = ""
    root: str = ""


class ProjectTemplate(BaseModel):
    """The data file that TDs edit."""

    model_config = ConfigDict(extra="forbid")

    folders: list[str | TemplateFolder] = Field(default_factory=list)
    files: list[TemplateFile] = Field(default_factory=list)


class CreateProjectFolderSettings(WithJobs):
    """Defaults are the studio's rules. The workflow schemas, modes and group are the studio's (section ``studio``)."""

    template: str = setting(
        "",
        "The template: a TOML file, or a folder that holds template.toml; empty: the one that comes with Signalbox.",
        widget="path",
    )
    task_templates: str = setting(
        "",
        "Folder whose files are copied into the project's template folder; empty: those that come with Signalbox.",
        widget="path",
    )
    task_template_folder: str = setting("template_files", "Where they are copied to, below the project.")
    roots: dict[str, Annotated[str, template_with("project", "full_name", "year", "client")]] = setting(
        {},
        "Other places of a project, for folders of the template that name one: name = path, "
        "e.g. cache = /data/cache/{{ project }}.",
        per_project=True,
        widget="template",
    )
    bad_name: Literal["warn", "refuse", "accept"] = setting(
        "warn", "A project whose name is not in the studio's spelling (lower case, no blanks, _ between words)."
    )
    windows_paths: bool = setting(
        True, "Refuse paths that Windows cannot open (260 characters or more).", per_project=True
    )
    jobs: list[JobSetting] = jobs_setting("when a project got its folders")


@dataclass(slots=True)
class _Draft:
    """The plan while it is made."""

    project: Mapping[str, Any]
    settings: CreateProjectFolderSettings
    studio: Any
    roots: dict[str, Path]
    anchors: dict[str, Path]
    values: dict[str, Any]
    effects: list[Effect] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    planned: set[Path] = field(default_factory=set)
    present: int = 0


class CreateProjectFolder(Handler):
    """Plans what is missing of the template: gaps are filled, nothing is replaced or removed."""

    id = "create_project_folder"
    title = "Create project folder"
    help = (
        "A new project of the studio's workflow gets the folders of the project template and the task template files."
    )
    icon = "drive"
    settings_model = CreateProjectFolderSettings

    def wants(self, change: Change) -> bool:
        if change.table != "show":
            return False
        return change.action == "add" or (change.action == "update" and change.becomes("name") is not None)

    def key(self, change: Change) -> str:
        return f"project:{change.entity_id}"

    def plan(self, changes: Sequence[Change], ctx: Context) -> Plan:
        change = changes[0]
        rows = ctx.site.rows(
            "select id, name, full_name, root, disk.name, disk.unix, disk.windows, project_schema_id, created_at, "
            f"metadata.key, metadata.value from Project where id is {quoted(change.entity_id)}"
        )
        if not rows:
            return skip("the project no longer exists on ftrack", change.entity_id)
        project = rows[0]
        place = studio(ctx, project["name"])
        workflow = ctx.site.workflow(project.get("project_schema_id") or "")
        name = workflow.name if workflow else "none"
        if name.casefold() not in folded(place.workflow_schemas):
            wanted = " or ".join(place.workflow_schemas)
            return skip(f"its workflow is {name}, only {wanted} gets folders (studio.workflow_schemas)", project["id"])
        if change.action == "update":
            return _renamed(change, project, ctx)
        plan = _plan_project(project, place, ctx)
        if not plan.effects:
            return plan
        about = f"{project['name']} has its folders"
        return replace(plan, occasions=(occasion(self.id, change, about, project=project["name"]),))

    def catch_up(self, ctx: Context, since: dt.datetime) -> Iterable[Change]:
        return added_since(ctx, since, "Project")


def _renamed(change: Change, project: Mapping[str, Any], ctx: Context) -> Plan:
    old, new = change.changes["name"]
    if project.get("root"):
        return skip(f"{old} is now called {new}; its root stays {project['root']}", project["id"])
    now = ctx.disk.project_root(project)
    before = now.parent / str(old)
    text = (
        f"{old} is now called {new}, so its folder would be {now}. Nothing is moved: rename {before} by hand, "
        f"or set the project's root on ftrack to {before}."
    )
    return Plan(notes=(Note(project["id"], "skipped", text),), warnings=(text,))


def _plan_project(project: Mapping[str, Any], place: Any, ctx: Context) -> Plan:
    settings: CreateProjectFolderSettings = ctx.handler_settings(project["name"])
    template, beside = read_template(settings.template)
    draft = _draft(project, settings, place, ctx)
    _mind_name(draft)
    for entry in template.folders:
        folder = TemplateFolder.plain(entry) if isinstance(entry, str) else entry
        _add_folder(draft, folder, ctx)
    for file in template.files:
        _add_files(draft, file, beside / file.source, ctx)
    source = Path(settings.task_templates) if settings.task_templates else resource("task_templates")
    target = TemplateFile(source=str(source), path=settings.task_template_folder)
    _add_files(draft, target, source, ctx)
    notes: tuple[Note, ...] = ()
    if not draft.effects:
        notes = (Note(project["id"], "already", f"all {draft.present} folders and files are there"),)
    return Plan(tuple(draft.effects), notes, tuple(draft.warnings))


def read_template(setting_value: str) -> tuple[ProjectTemplate, Path]:
    """The project template and the folder its files lie in.

    Raises:
        PlanError: the template is gone or is not a template; names the file and the line.
    """
    path = Path(setting_value) if setting_value else resource("project_template")
    if path.is_dir():
        path = path / "template.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return ProjectTemplate.model_validate(data), path.parent
    except OSError as error:
        raise PlanError(
            f"The project template {path} cannot be read: {error.strerror}. "
            "Bring it back or correct the setting template."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"The project template {path} is not valid TOML: {error}.") from error
    except ValidationError as error:
        # An entry may be text or a table: what got furthest is what the person meant.
        furthest = max(error.errors(), key=lambda one: len(one["loc"]))
        where = ".".join(str(step) for step in furthest["loc"] if step != TemplateFolder.__name__)
        raise PlanError(f"The project template {path} has a mistake at {where}: {furthest['msg']}.") from error


def _draft(project: Mapping[str, Any], settings: CreateProjectFolderSettings, place: Any, ctx: Context) -> _Draft:
    metadata = metadata_of(project)
    created = project.get("created_at")
    values = {
        "project": slugify(project["name"]) or project["name"],
        "full_name": slugify(str(project.get("full_name") or "")),
        "year": f"{created:%Y}" if isinstance(created, dt.datetime) else f"{ctx.clock.now():%Y}",
        "client": slugify(metadata.get("client", "")) or "client",
    }
    roots = {"": ctx.disk.project_root(project)}
    for name, template in settings.roots.items():
        root = Path(render_text(template, values))
        if not root.is_absolute() or ".." in root.parts:
            raise PlanError(f"The root {name} gives {root}, which is not an absolute path: correct the setting roots.")
        ctx.disk.prove_root(root)
        roots[name] = root
    anchors = {name: anchor(ctx, root) for name, root in roots.items()}
    return _Draft(project, settings, place, roots, anchors, values)


def _mind_name(draft: _Draft) -> None:
    name = str(draft.project["name"])
    if draft.project.get("root") or name == slugify(name) or draft.settings.bad_name == "accept":
        return
    text = f"The project's name {name!r} is not in the studio's spelling, which would be {slugify(name)!r}."
    if draft.settings.bad_name == "refuse":
        raise PlanError(f"{text} Rename it on ftrack, then replay the event.")
    draft.warnings.append(text)


def _root_of(draft: _Draft, name: str) -> Path:
    root = draft.roots.get(name)
    if root is None:
        raise PlanError(f"The template names the root {name!r}, which the setting roots does not have.")
    return root


def _below(draft: _Draft, template: str, root: Path) -> Path:
    path = root / render_path(template, draft.values)
    if not is_inside(path, root):
        raise PlanError(f"{path} does not lie below {root}.")
    check_path_length(path, windows=draft.settings.windows_paths)
    return path


def _add_folder(draft: _Draft, folder: TemplateFolder, ctx: Context) -> None:
    path = _below(draft, folder.path, _root_of(draft, folder.root))
    if ctx.disk.exists(path):
        draft.present += 1
    else:
        _make(draft, path, folder, "the project template has it and the project does not")


def _make(draft: _Draft, path: Path, entry: TemplateFolder | TemplateFile, reason: str) -> None:
    if path in draft.planned:
        return
    draft.planned.update((path, *path.parents))
    mode = entry.mode if isinstance(entry, TemplateFolder) else ""
    draft.effects.append(
        MakeFolder(
            slot=f"folder-{len(draft.effects)}",
            reason=reason,
            entity_id=draft.project["id"],
            path=path,
            root=draft.anchors[entry.root],
            mode=int(mode or draft.studio.folder_mode, 8),
            group=draft.studio.group,
        )
    )


def _add_files(draft: _Draft, file: TemplateFile, source: Path, ctx: Context) -> None:
    """A file, or every file of a folder."""
    root = _root_of(draft, file.root)
    if source.is_dir():
        folder = _below(draft, file.path, root)
        for name in ctx.disk.listing(source):
            if not name.startswith(".") and (source / name).is_file():
                _add_file(draft, file, source / name, folder / name, ctx)
    elif source.is_file():
        _add_file(draft, file, source, _below(draft, file.path, root), ctx)
    else:
        raise PlanError(f"The template's source {source} is not there: bring it back or correct the settings.")


def _add_file(draft: _Draft, file: TemplateFile, source: Path, target: Path, ctx: Context) -> None:
    check_path_length(target, windows=draft.settings.windows_paths)
    if ctx.disk.exists(target):
        draft.present += 1
        return
    if not ctx.disk.exists(target.parent):
        _make(draft, target.parent, file, "a file of the template goes there")
    relative = PurePosixPath(*target.parts[len(_root_of(draft, file.root).parts) :])
    draft.effects.append(
        CopyFile(
            slot=f"file-{len(draft.effects)}",
            reason=f"the project has no {relative} yet",
            entity_id=draft.project["id"],
            source=source,
            path=target,
            root=draft.anchors[file.root],
            mode=int(file.mode or draft.studio.file_mode, 8),
            group=draft.studio.group,
        )
    )
