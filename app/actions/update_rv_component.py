"""Update RV Component: the ``movie`` component is added or repaired, so that RV plays the original file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field as Setting

from app.actions.base import Action, ActionSettings, Again, Asked, Go
from app.actions.forms import Field, Form, read
from app.actions.movie_component import Movie, is_played_from, movie_path
from app.effects.job_setting import JobSetting, WithJobs, jobs_setting
from app.effects.resolves import ResolveComponent
from app.engine.doors import SiteDoor
from app.engine.protocol import Context, Effect, HandlerSettings, Launch, Note, Occasion, Plan, natural_id
from app.media import MediaRefused, Source, gather
from app.media.sequences import frame_path
from app.rules.roots import PathRefused, local_path, within_roots
from app.rules.versions import version_label
from app.rules.words import many
from app.site.query import chunks, id_list, quoted

__all__ = ["UpdateRvComponent", "UpdateRvComponentSettings"]


class UpdateRvComponentSettings(WithJobs, ActionSettings):
    """Names and paths."""

    component: str = Setting(default="movie", description="Name of the component that RV plays.")
    metadata: str = Setting(default="source_file", description="Metadata key of the version that names the file.")
    roots: list[str] = Setting(
        default_factory=list, description="Folders whose files may be used; empty: the project's folder only."
    )
    path_maps: dict[str, str] = Setting(
        default_factory=dict, description="Paths of other operating systems: prefix there = prefix here."
    )
    rv_maps: dict[str, str] = Setting(
        default_factory=dict, description="Paths as the RV workstations see them: prefix here = prefix there."
    )
    jobs: list[JobSetting] = jobs_setting(
        "for each version whose component was added or repaired", "asset", "version", "task", "file"
    )


class UpdateRvComponent(Action):
    """One page: a path for all selected versions, or each version's own from its metadata."""

    id: ClassVar[str] = "update_rv_component"
    title: ClassVar[str] = "Update RV Component"
    help: ClassVar[str] = "Add or repair the component that RV plays, from the version's metadata or a path."
    icon: ClassVar[str] = "film"
    settings_model: ClassVar[type[HandlerSettings]] = UpdateRvComponentSettings
    offered_on: ClassVar[frozenset[str]] = frozenset({"AssetVersion"})

    def key(self, launch: Launch) -> str:
        del launch
        # Selections may share versions: one run after the other, each is a moment's work.
        return "movies"

    def step(self, asked: Asked) -> Form | Again | Go:
        versions = _versions(asked.site, [one.entity_id for one in asked.selection], asked.settings.component)
        form = self._page(asked, versions)
        if asked.values is None:
            return form
        good, problems = read(form, asked.values)
        path = str(good.get("path") or "")
        if not path and not any(_recorded(row, asked.settings) for row in versions.values()):
            problems["path"] = "none of these versions names its file: type the path"
        if problems:
            return Again(form, problems)
        count = len(asked.selection)
        return Go({"path": path}, f"Started: {count} version{'s' if count != 1 else ''}.")

    def _page(self, asked: Asked, versions: Mapping[str, Mapping[str, Any]]) -> Form:
        lines = []
        for one in asked.selection[:50]:
            row = versions.get(one.entity_id)
            if row is not None:
                lines.append(f"{_label(row)}: {_recorded(row, asked.settings) or 'no file recorded'}")
        start = _recorded(next(iter(versions.values()), {}), asked.settings) if len(asked.selection) == 1 else ""
        hint = (
            "{asset}, {version} and {task} stand for each version's own"
            if len(asked.selection) > 1
            else "Path of the file"
        )
        fields = (
            Field(kind="note", label="\n".join(lines)),
            Field(kind="path", name="path", label="Path (empty: as recorded)", value=start, help=hint),
        )
        return Form(title=self.title, fields=fields, submit="Update")

    def plan(self, launch: Launch, ctx: Context) -> Plan:
        settings: UpdateRvComponentSettings = ctx.settings
        versions = _versions(ctx.site, [key for _, key in launch.selection], settings.component)
        typed = str(launch.values.get("path") or "")
        effects: list[Effect] = []
        notes: list[Note] = []
        warnings: list[str] = []
        occasions: list[Occasion] = []
        for _, key in launch.selection:
            row = versions.get(key)
            if row is None:
                notes.append(Note(key, "skipped", "the version no longer exists"))
                continue
            try:
                source = self._source(row, typed, settings, ctx)
            except (PathRefused, MediaRefused) as refused:
                if isinstance(refused, PathRefused):
                    ctx.log.warning("%s may not open a path for RV: %s", launch.username, refused)
                notes.append(Note(key, "failed", f"{_label(row)}: {refused}"))
                continue
            made = _repair(row, source, settings, ctx)
            effects += made
            if not made:
                notes.append(Note(key, "already", f"{_label(row)}: RV plays {movie_path(source)} already"))
                continue
            occasions.append(self._occasion(row, source, launch, ctx))
            if source.missing:
                warnings.append(f"{_label(row)}: {many(len(source.missing), 'frame is', 'frames are')} missing")
        # What is proved is proved last: all versions are one or few transactions.
        effects.sort(key=lambda effect: isinstance(effect, ResolveComponent))
        return Plan(tuple(effects), tuple(notes), tuple(warnings), occasions=tuple(occasions))

    def _occasion(self, row: Mapping[str, Any], source: Source, launch: Launch, ctx: Context) -> Occasion:
        return self.occasion(
            launch,
            ctx,
            f"{ctx.settings.component} of {_label(row)}",
            str(row["id"]),
            project=row["asset"]["parent"]["project"]["name"],
            asset=row["asset"].get("name") or "",
            version=version_label(int(row.get("version") or 0)),
            task=(row.get("task") or {}).get("name") or "",
            file=source.written,
        )

    def _source(self, row: Mapping[str, Any], typed: str, settings: UpdateRvComponentSettings, ctx: Context) -> Source:
        """The file or sequence, proved to lie on an allowed drive. Raises PathRefused or MediaRefused."""
        text = _filled(typed, row) if typed else _recorded(row, settings)
        if not text:
            raise MediaRefused("the version names no file; type its path")
        roots = [Path(root) for root in settings.roots] or [ctx.disk.project_root(row["asset"]["parent"]["project"])]
        path = local_path(text, settings.path_maps)
        within_roots(path if path.exists() else path.parent, roots)
        if path.is_dir():
            raise MediaRefused(f"{path} is a folder; give a file, or a sequence such as name.%04d.exr [1001-1010]")
        sources = gather([path])
        for number in sources[0].frames:
            within_roots(frame_path(sources[0], number), roots)
        return sources[0]


def _versions(site: SiteDoor, ids: list[str], name: str) -> dict[str, dict[str, Any]]:
    """Versions by id, each with its components of this name, and those with their places and frames."""
    places = "component_locations.location_id, component_locations.resource_identifier"
    part = f"id, name, file_type, size, version_id, {places}"
    found: dict[str, dict[str, Any]] = {}
    for some in chunks(ids):
        rows = site.rows(
            "select id, version, asset.name, task.name, asset.parent.project.name, asset.parent.project.root, "
            "asset.parent.project.disk.unix, asset.parent.project.disk.windows, metadata.key, metadata.value "
            f"from AssetVersion where id in {id_list(some)}"
        )
        found |= {str(row["id"]): {**row, "components": []} for row in rows}
        where = f"where version_id in {id_list(some)} and name is {quoted(name)}"
        members = ", ".join(f"members.{one}" for one in ("id", "name", "file_type", *places.split(", ")))
        parts = {str(row["id"]): row for row in site.rows(f"select {part} from Component {where}")}
        parts |= {
            str(row["id"]): row
            for row in site.rows(f"select {part}, padding, {members} from SequenceComponent {where}")
        }
        for row in parts.values():
            found[str(row["version_id"])]["components"].append(row)
    return found


def _label(row: Mapping[str, Any]) -> str:
    return f"{(row.get('asset') or {}).get('name', '')} v{int(row.get('version') or 0):03d}"


def _recorded(row: Mapping[str, Any], settings: UpdateRvComponentSettings) -> str:
    found = row.get("metadata") or ()
    return next((str(one.get("value") or "") for one in found if one.get("key") == settings.metadata), "")


def _filled(pattern: str, row: Mapping[str, Any]) -> str:
    """A path with the version's own names put in; other braces are part of the path."""
    names = {
        "{asset}": str((row.get("asset") or {}).get("name", "")),
        "{version}": f"{int(row.get('version') or 0):03d}",
        "{task}": str((row.get("task") or {}).get("name", "")),
    }
    for mark, name in names.items():
        pattern = pattern.replace(mark, name)
    return pattern


def _repair(row: Mapping[str, Any], source: Source, settings: UpdateRvComponentSettings, ctx: Context) -> list[Effect]:
    """Nothing when RV would resolve the component to this path; else it is repaired in place, or made anew."""

    def seen(path: str) -> str:
        """A path as the RV workstations know it."""
        return str(local_path(path, settings.rv_maps)) if settings.rv_maps else path

    key, name = str(row["id"]), settings.component
    path = seen(movie_path(source))
    old = [one for one in row.get("components") or () if one.get("name") == name]
    if len(old) == 1 and is_played_from(old[0], path, source):
        return []
    component_id = natural_id(ctx.site.server, "run", ctx.run_mark, key, name)
    movie = Movie(
        source, name=name, version_id=key, component_id=component_id, reason=f"RV plays {path}", seen=seen
    )  # fmt: skip
    if len(old) == 1 and source.kind == "file" and not old[0].get("members"):
        effects = movie.repair(old[0])
    else:
        effects = [effect for one in old for effect in movie.remove(one)] + movie.make()
    label = f"{name} of {_label(row)}"
    proof = ResolveComponent(
        slot=f"resolve:{key}", reason="the way RV does it", entity_id=key, component_id=movie.component_id, path=path,
        label=label,
    )  # fmt: skip
    return [*effects, proof]
