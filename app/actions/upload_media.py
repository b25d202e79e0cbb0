"""Upload Media: a clip becomes a version for internal review, with its review media, on its task's parent."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field as Setting

from app.actions.base import Action, ActionSettings, Again, Asked, Go
from app.actions.forms import Field, Form, read
from app.actions.movie_component import Movie
from app.effects.base import Result
from app.effects.ftrack import CreateEntity, SetMetadata, UpdateEntity
from app.effects.job_setting import JobSetting, WithJobs, jobs_setting
from app.effects.review_media import DropReviewMedia, MakeReviewMedia
from app.effects.upload import UploadComponent
from app.engine.protocol import Context, Effect, HandlerSettings, Launch, Occasion, Plan, PlanError, natural_id
from app.media import MediaRefused, Source, gather
from app.media.sequences import frame_path
from app.rules.roots import PathRefused, local_path, within_roots
from app.rules.versions import version_label, version_number
from app.site.query import id_list, quoted

__all__ = ["UploadMedia", "UploadMediaSettings"]

log = logging.getLogger("signalbox.actions")

_MOVIES = frozenset({".mov", ".mp4", ".m4v", ".mkv", ".avi", ".mxf", ".webm", ".mpg", ".mpeg", ".gif", ".wmv"})


class UploadMediaSettings(WithJobs, ActionSettings):
    """Names are the studio's rules."""

    asset_name: str = Setting(default="ReviewAsset", description="Asset name the form starts with.")
    asset_type: str = Setting(default="Upload", description="Type of the asset; made when the site has none.")
    comment: str = Setting(default="Upload for Internal Review", description="Comment of the version.")
    status: str = Setting(default="Pending Internal Review", description="Status of the version once it is complete.")
    review_name: str = Setting(default="ftrackreview-mp4", description="Component that ftrack plays.")
    image_name: str = Setting(default="ftrackreview-image", description="Component of a still.")
    webm_name: str = Setting(default="ftrackreview-webm", description="Component of the webm, where asked for.")
    movie_name: str = Setting(default="movie", description="Component with the original file, for RV.")
    webm: bool = Setting(default=False, description="Also make a webm (ftrack itself no longer does).")
    slate: bool = Setting(default=False, description="Whether the form's slate box starts ticked.")
    missing: Literal["refuse", "hold", "skip"] = Setting(
        default="hold", description="Missing frames of a sequence: refuse, hold the frame before, or skip."
    )
    frame_out: Literal["count", "last"] = Setting(
        default="count", description="frameOut of ftr_meta: the number of frames (as ftrack does) or the last frame."
    )
    picture_size: bool = Setting(default=False, description="Write width and height into ftr_meta.")
    max_width: int = Setting(default=1920, ge=16, description="Larger pictures are scaled down to this width.")
    max_height: int = Setting(default=1080, ge=16, description="Larger pictures are scaled down to this height.")
    lut: str = Setting(default="", description="A .cube file applied to the picture; empty: none.")
    fps_attribute: str = Setting(default="fps", description="Custom attribute of the frame rate.")
    roots: list[str] = Setting(
        default_factory=list,
        description="Folders whose files may be uploaded from the web page; empty: the project's folder only.",
    )
    path_maps: dict[str, str] = Setting(
        default_factory=dict, description="Paths of other operating systems: prefix there = prefix here."
    )
    jobs: list[JobSetting] = jobs_setting(
        "for each version that is published", "parent", "task", "task_type", "asset", "version", "version_id", "file"
    )


@dataclass(frozen=True, slots=True)
class _Facts:
    """What was read of the task."""

    task: Mapping[str, Any]
    parent: Mapping[str, Any]
    project: Mapping[str, Any]
    rate: Fraction
    asset_id: str | None
    asset_type_id: str | None
    versions: int


class UploadMedia(Action):
    """One page; the work is a run with slow effects."""

    id: ClassVar[str] = "upload_media"
    title: ClassVar[str] = "Upload Media"
    help: ClassVar[str] = "Publish a movie, image or sequence as a version for internal review."
    icon: ClassVar[str] = "upload"
    settings_model: ClassVar[type[HandlerSettings]] = UploadMediaSettings
    offered_on: ClassVar[frozenset[str]] = frozenset({"Task"})
    single: ClassVar[bool] = True
    at_the_desk: ClassVar[bool] = True

    def key(self, launch: Launch) -> str:
        # Clips of one task are published side by side; the same file twice is one after the other.
        return f"upload:{launch.selection[0][1]}:{launch.values.get('file', '')}"

    def step(self, asked: Asked) -> Form | Again | Go:
        form = _page(asked.settings)
        if asked.values is None:
            return form
        good, problems = read(form, asked.values)
        if not problems:
            roots = _roots_of(asked)
            try:
                source = self._allowed(good["file"], asked.settings, roots)
                good["file"] = source.written
                # Looked at again when the run begins: a link may point elsewhere by then.
                good["roots"] = [str(root) for root in roots]
            except PathRefused as refused:
                log.warning("%s may not open a path typed into Upload Media: %s", asked.username, refused)
                problems["file"] = str(refused)
            except MediaRefused as refused:
                problems["file"] = str(refused)
        if problems:
            return Again(form, problems)
        return Go(
            good, f"Started: {Path(good['file']).name} is prepared and uploaded; the Jobs list shows how far it is."
        )

    def _allowed(self, text: str, settings: UploadMediaSettings, roots: list[Path]) -> Source:
        """The one source a path means, every file of it below the roots, links resolved."""
        path = local_path(text, settings.path_maps)
        within_roots(path.parent if not path.exists() else path, roots)
        sources = gather([path])
        if len(sources) != 1:
            raise MediaRefused(f"{text} holds {len(sources)} media; give the path of one.")
        source = sources[0]
        files = [source.path] if source.kind == "file" else [frame_path(source, n) for n in source.frames]
        for file in files:
            within_roots(file, roots)
        return source

    def plan(self, launch: Launch, ctx: Context) -> Plan:
        settings: UploadMediaSettings = ctx.settings
        values = launch.values
        facts = _read(ctx, launch.selection[0][1], str(values.get("asset_name") or settings.asset_name), settings)
        try:
            if values.get("roots"):
                self._allowed(str(values["file"]), settings, [Path(root) for root in values["roots"]])
            sources = gather([values["file"]])
        except MediaRefused as refused:
            raise PlanError(str(refused)) from refused
        if len(sources) != 1:
            raise PlanError(f"{values['file']} holds {len(sources)} media; choose one.")
        return _Upload(ctx, launch, facts, sources[0]).plan()


def _page(settings: UploadMediaSettings) -> Form:
    fields = (
        Field(
            kind="path", name="file", label="File", required=True, help="Path on a production drive, e.g. .../clip.mov"
        ),
        Field(kind="boolean", name="slate", label="Add slate", value=settings.slate),
        Field(kind="text", name="asset_name", label="Asset name", value=settings.asset_name, required=True),
        Field(kind="long_text", name="note", label="Note", help="For the reviewers"),
    )
    return Form(title="Upload Media", fields=fields, submit="Upload")


def _roots_of(asked: Asked) -> list[Path]:
    """Configured roots, else the folder of the task's project."""
    if asked.settings.roots:
        return [Path(root) for root in asked.settings.roots]
    rows = asked.site.rows(
        "select project.name, project.root, project.disk.unix, project.disk.windows "
        f"from Task where id is {quoted(asked.selection[0].entity_id)}"
    )
    if not rows:
        return []
    project = rows[0]["project"]
    maps = asked.studio("studio").disk_map
    if project.get("root"):
        return [local_path(str(project["root"]), maps)]
    disk = project.get("disk") or {}
    prefix = disk.get("unix") or ""
    return [local_path(str(prefix), maps) / str(project["name"])] if prefix else []


def _read(ctx: Context, task_id: str, asset_name: str, settings: UploadMediaSettings) -> _Facts:
    rows = ctx.site.rows(
        "select id, name, parent_id, type.name, link, project_id, project.name, project.root, project.disk.unix, "
        "project.disk.windows, thumbnail_id "
        f"from Task where id is {quoted(task_id)}"
    )
    if not rows:
        raise PlanError("The task no longer exists on ftrack.")
    task = rows[0]
    link = list(task.get("link") or ())
    parent = link[-2] if len(link) > 1 else {"id": task["project_id"], "name": task["project"]["name"]}
    assets = ctx.site.rows(
        "select id, versions.version from Asset "
        f"where parent is {quoted(str(parent['id']))} and name is {quoted(asset_name)}"
    )
    types = ctx.site.rows(f"select id, name from AssetType where name is {quoted(settings.asset_type)}")
    numbers = [int(one.get("version") or 0) for one in (assets[0].get("versions") or ())] if assets else []
    return _Facts(
        task,
        parent,
        task["project"],
        _rate(ctx, link, settings),
        str(assets[0]["id"]) if assets else None,
        str(types[0]["id"]) if types else None,
        max(numbers, default=0),
    )


def _rate(ctx: Context, link: list[Mapping[str, Any]], settings: UploadMediaSettings) -> Fraction:
    """The rate of the nearest ancestor that has one, else the studio's."""
    ids = [str(step["id"]) for step in reversed(link)]
    values: dict[str, Any] = {}
    if ids and settings.fps_attribute:
        rows = ctx.site.rows(
            "select entity_id, value from ContextCustomAttributeValue where "
            f"configuration.key is {quoted(settings.fps_attribute)} and entity_id in {id_list(ids)}"
        )
        values = {str(row["entity_id"]): row["value"] for row in rows}
    for key in ids:
        try:
            rate = Fraction(str(values.get(key) or 0)).limit_denominator(1001)
        except ValueError:
            continue
        if rate > 0:
            return _exact(rate)
    return _exact(Fraction(str(ctx.doors.settings("studio").fps)))


def _exact(rate: Fraction) -> Fraction:
    """23.976 means 24000/1001, and so on: the decimal is a way of writing it."""
    for whole in (24, 30, 48, 60, 120):
        if abs(float(rate) - whole * 1000 / 1001) < 0.005:
            return Fraction(whole * 1000, 1001)
    return rate


class _Upload:
    """Builds the plan of one upload. Ids are made of the run, so that a repeated plan means the same version."""

    def __init__(self, ctx: Context, launch: Launch, facts: _Facts, source: Source) -> None:
        self._ctx = ctx
        self._launch = launch
        self._facts = facts
        self._source = source
        self._settings: UploadMediaSettings = ctx.settings
        self._work = natural_id(ctx.site.server, "run", ctx.run_mark)
        self._version = self._id("version")
        self._still = source.kind == "file" and source.path.suffix.lower() not in _MOVIES
        self._number = version_number(source.path.stem)

    def _id(self, slot: str) -> str:
        return natural_id(self._ctx.site.server, "run", self._ctx.run_mark, slot)

    def plan(self) -> Plan:
        effects: list[Effect] = [self._review()]
        effects += self._entities()
        effects += self._uploads()
        effects += self._finish()
        effects.append(DropReviewMedia(slot="cleanup", reason="everything is on the site", work=self._work))
        return Plan(tuple(effects), warnings=tuple(self._warnings()), occasions=(self._occasion(),))

    def _warnings(self) -> list[str]:
        due = self._facts.versions + 1
        if self._number is not None and self._number != due:
            return [f"the file is named {version_label(self._number)}, ftrack's next version is {due}: ftrack's counts"]
        return []

    def _review(self) -> Effect:
        slate = None
        if self._launch.values.get("slate"):
            task = self._facts.task
            label = version_label(self._number or 1)
            slate = (self._facts.project["name"], self._facts.parent["name"], task["name"], label, self._artist())
        settings = self._settings
        options: dict[str, Any] = {
            "missing": settings.missing,
            "frame_out": settings.frame_out,
            "picture_size_in_meta": settings.picture_size,
            "max_width": settings.max_width,
            "max_height": settings.max_height,
            "webm": settings.webm,
        }
        if settings.lut:
            options["lut"] = settings.lut
        today = self._ctx.clock.now().astimezone(_zone(self._ctx)).date()
        return MakeReviewMedia(
            slot="review",
            reason="ftrack plays only this kind of movie",
            entity_id=self._facts.task["id"],
            source=self._source.written,
            work=self._work,
            rate=str(self._facts.rate),
            slate=slate,
            date=today.isoformat(),
            options=options,
        )

    def _artist(self) -> str:
        user = self._launch.user_id
        rows = (
            self._ctx.site.rows(f"select first_name, last_name, username from User where id is {quoted(user)}")
            if user
            else []
        )
        if not rows:
            return self._launch.username or ""
        name = f"{rows[0].get('first_name') or ''} {rows[0].get('last_name') or ''}".strip()
        return name or str(rows[0].get("username") or "")

    def _entities(self) -> list[Effect]:
        """Asset type and asset where they are missing, then the version with its metadata."""
        facts, settings = self._facts, self._settings
        name = str(self._launch.values.get("asset_name") or settings.asset_name)
        effects: list[Effect] = []
        type_id = facts.asset_type_id or natural_id(self._ctx.site.server, "asset type", settings.asset_type)
        if facts.asset_type_id is None:
            values = {"name": settings.asset_type, "short": settings.asset_type.lower()[:8]}
            effects.append(
                self._create("AssetType", type_id, values, settings.asset_type, "the site has no such asset type")
            )
        asset_id = facts.asset_id or natural_id(
            self._ctx.site.server, str(facts.parent["id"]), "asset", name.casefold()
        )
        if facts.asset_id is None:
            values = {"name": name, "context_id": facts.parent["id"], "type_id": type_id}
            effects.append(self._create("Asset", asset_id, values, name, "the first upload under this name"))
        version: dict[str, Any] = {"asset_id": asset_id, "task_id": facts.task["id"], "comment": settings.comment}
        if self._launch.user_id:
            version["user_id"] = self._launch.user_id
        effects.append(
            self._create("AssetVersion", self._version, version, name, f"uploaded by {self._launch.username}")
        )
        metadata = {"source_file": self._source.written, "file_version": version_label(self._number or 1)}
        effects.append(
            SetMetadata(
                slot="source", reason="Update RV Component and people find the file by it", entity_id=facts.task["id"],
                entity_type="AssetVersion", id=self._version, values=metadata, label=name,
            )
        )  # fmt: skip
        return effects

    def _create(self, entity_type: str, key: str, values: dict[str, Any], label: str, reason: str) -> Effect:
        return CreateEntity(
            slot=entity_type.lower(), reason=reason, entity_id=self._facts.task["id"], entity_type=entity_type, id=key,
            values=values, label=label,
        )  # fmt: skip

    def _uploads(self) -> list[Effect]:
        settings = self._settings
        name, field = (settings.image_name, "image") if self._still else (settings.review_name, "movie")
        wanted = [(name, field, self._version), ("thumbnail", "thumbnail", None)]
        if settings.webm and not self._still:
            wanted.insert(1, (settings.webm_name, "webm", self._version))
        effects: list[Effect] = [
            UploadComponent(
                slot=f"upload {name}", reason="ftrack shows it", entity_id=self._facts.task["id"],
                path=Result(slot="review", field=field), component_id=self._id(name), name=name, version_id=version,
                shown_on=self._version,
            )
            for name, field, version in wanted
        ]  # fmt: skip
        movie = Movie(
            self._source, name=settings.movie_name, version_id=self._version, component_id=self._id("movie"),
            reason="RV plays the original file", entity_id=self._facts.task["id"],
        )  # fmt: skip
        return effects + movie.make()

    def _finish(self) -> list[Effect]:
        """What makes it visible comes last: metadata of the player, thumbnails, note, and the status."""
        settings, task = self._settings, self._facts.task
        name = settings.image_name if self._still else settings.review_name
        thumbnail = self._id("thumbnail")
        effects: list[Effect] = [
            SetMetadata(
                slot="ftr_meta", reason="the player reads frames and rate there", entity_id=task["id"],
                entity_type="FileComponent", id=self._id(name), label=name,
                values={"ftr_meta": Result(slot="review", field="meta")},
            ),
            self._update("AssetVersion", self._version, {"thumbnail_id": thumbnail}, "thumbnail of the version"),
            self._update("Task", task["id"], {"thumbnail_id": thumbnail}, "thumbnail of the task"),
        ]  # fmt: skip
        note = str(self._launch.values.get("note") or "").strip()
        if note:
            values = {"content": note, "parent_id": self._version, "parent_type": "AssetVersion"}
            if self._launch.user_id:
                values["user_id"] = self._launch.user_id
            effects.append(self._create("Note", self._id("note"), values, "the artist's note", "typed with the upload"))
        status = self._ctx.site.status_named(settings.status)
        if status is None:
            raise PlanError(
                f"The site has no status {settings.status!r}: choose another one in the settings of Upload Media."
            )
        effects.append(self._update("AssetVersion", self._version, {"status_id": status.id}, f"status {status.name}"))
        return effects

    def _occasion(self) -> Occasion:
        facts = self._facts
        parent, task, version = facts.parent["name"], facts.task["name"], version_label(facts.versions + 1)
        values = {
            "project": str(facts.project["name"]),
            "parent": str(parent),
            "task": str(task),
            "task_type": str((facts.task.get("type") or {}).get("name") or ""),
            "asset": str(self._launch.values.get("asset_name") or self._settings.asset_name),
            "version": version,
            "version_id": self._version,
            "file": self._source.written,
            "by": self._launch.username or "",
            "about": f"{parent} {task} {version}",
        }
        return Occasion(f"upload:{self._version}", values, str(facts.task["id"]))

    def _update(self, entity_type: str, key: str, values: dict[str, Any], label: str) -> Effect:
        return UpdateEntity(
            slot=f"{label}", reason="the upload is complete", entity_id=self._facts.task["id"], entity_type=entity_type,
            id=key, values=values, label=label,
        )  # fmt: skip


def _zone(ctx: Context) -> dt.tzinfo | None:
    from app.rules.dailies import zone

    return zone(ctx.doors.settings("studio").time_zone)
