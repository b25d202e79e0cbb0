"""Review Sync: a review session is mirrored to the studio's cloud site, where clients look at it.

Found again by ids stored on both sides, then by names. A second sync brings up to date; what clients wrote stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field as Setting

from app.actions.base import Action, ActionSettings, Again, Asked, Go
from app.actions.forms import Field, Form
from app.effects.base import same
from app.effects.ftrack import SetMetadata
from app.effects.remote import CopyBetweenSites, RemoteEntity
from app.engine.doors import SiteDoor
from app.engine.protocol import Context, Effect, HandlerSettings, Launch, Note, Plan, PlanError, natural_id
from app.settings.store import SettingsError
from app.site.query import quoted

__all__ = ["CLOUD", "SOURCE_KEY", "ReviewSync", "ReviewSyncSettings", "Session", "cloud_site", "read_session"]

CLOUD = "cloud"
#: Metadata of a cloud version: the local version it shows (the name is that of the studio's older sessions).
SOURCE_KEY = "source_asset_id"
SESSION_KEY = "source_review_session_id"
CLOUD_SESSION_KEY = "cloud_review_session_id"
CLOUD_VERSION_KEY = "cloud_version_id"
CHECK_KEY = "source_component"
_REVIEW_NAMES = ("ftrackreview-mp4", "ftrackreview-image", "ftrackreview-mp4-1080", "ftrackreview-webm")


class ReviewSyncSettings(ActionSettings):
    """Names on the cloud site."""

    asset_name: str = Setting(default="Client Review", description="Asset below each mirrored object.")
    asset_type: str = Setting(default="Upload", description="Type of that asset.")
    workflow: str = Setting(default="", description="Workflow of a project made there; empty: the site's first.")
    object_name: str = Setting(
        default="{object}_{version}", description="Name of the shot for an object; {object} and {version} are known."
    )
    media: list[str] = Setting(
        default_factory=lambda: list(_REVIEW_NAMES),
        description="Components that may be sent, the first found is taken.",
    )


@dataclass(frozen=True, slots=True)
class Session:
    """A local review session with its objects and their versions."""

    row: Mapping[str, Any]
    objects: tuple[Mapping[str, Any], ...]


def read_session(site: SiteDoor, session_id: str) -> Session:
    """Read it in two queries. Raises PlanError when it is gone."""
    rows = site.rows(
        "select id, name, description, start_date, end_date, project_id, project.name, project.full_name "
        f"from ReviewSession where id is {quoted(session_id)}"
    )
    if not rows:
        raise PlanError("The review session no longer exists on ftrack.")
    objects = site.rows(
        "select id, name, version, description, sort_order, version_id, "
        "asset_version.version, asset_version.asset.name, "
        "asset_version.task_id, asset_version.status_id, asset_version.metadata.key, asset_version.metadata.value, "
        "asset_version.components.id, asset_version.components.name, asset_version.components.file_type, "
        "asset_version.components.size, asset_version.components.metadata.key, "
        "asset_version.components.metadata.value from ReviewSessionObject "
        f"where review_session_id is {quoted(session_id)} order by sort_order"
    )
    return Session(rows[0], tuple(objects))


def cloud_site(ctx: Context) -> SiteDoor:
    """The cloud site, signed in; a wrong key is said before anything is done."""
    try:
        cloud = ctx.doors.site(CLOUD)
    except SettingsError as error:
        raise PlanError(f"The cloud site is not set up: {error}") from error
    cloud.fresh()
    cloud.own_user_id()
    return cloud


class ReviewSync(Action):
    """No questions; the dry run lists what would be made."""

    id: ClassVar[str] = "review_sync"
    title: ClassVar[str] = "Review Sync"
    help: ClassVar[str] = "Mirror this review session to the cloud site, with its media."
    icon: ClassVar[str] = "upload"
    settings_model: ClassVar[type[HandlerSettings]] = ReviewSyncSettings
    offered_on: ClassVar[frozenset[str]] = frozenset({"ReviewSession"})

    def key(self, launch: Launch) -> str:
        return f"review:{launch.selection[0][1]}"

    def step(self, asked: Asked) -> Form | Again | Go:
        if asked.values is None:
            sessions = [read_session(asked.site, one.entity_id) for one in asked.selection]
            lines = [f"{one.row['name']}: {len(one.objects)} objects" for one in sessions]
            words = "Mirror to the cloud site (nobody is mailed):\n" + "\n".join(lines)
            return Form(title=self.title, fields=(Field(kind="note", label=words),), submit="Mirror")
        return Go({}, "Started: the review session is mirrored; the Jobs list shows how far it is.")

    def plan(self, launch: Launch, ctx: Context) -> Plan:
        cloud = cloud_site(ctx)
        effects: list[Effect] = []
        notes: list[Note] = []
        warnings: list[str] = []
        for _, session_id in launch.selection:
            mirror = _Mirror(ctx, cloud, read_session(ctx.site, session_id))
            mirror.build()
            effects += mirror.effects
            notes += mirror.notes
            warnings += mirror.warnings
        return Plan(tuple(effects), tuple(notes), tuple(warnings))


class _Mirror:
    """Compares one session with its mirror and gathers what is missing or different."""

    def __init__(self, ctx: Context, cloud: SiteDoor, session: Session) -> None:
        self.effects: list[Effect] = []
        self.notes: list[Note] = []
        self.warnings: list[str] = []
        self._ctx = ctx
        self._cloud = cloud
        self._session = session
        self._settings: ReviewSyncSettings = ctx.settings

    def _id(self, *parts: str) -> str:
        return natural_id(self._cloud.server, "mirror of", self._ctx.site.server, *parts)

    def build(self) -> None:
        row = self._session.row
        project_id = self._project(row)
        folder_id = self._folder(row, project_id)
        review_id = self._id("session", str(row["id"]))
        values = {"name": row["name"], "description": row.get("description") or "", "project_id": project_id}
        self._ensure("ReviewSession", review_id, values, str(row["name"]))
        folder_marks = {SESSION_KEY: str(row["id"]), CLOUD_SESSION_KEY: review_id}
        self._ensure("Folder", folder_id, {}, f"link of {row['name']}", folder_marks)
        for one in self._session.objects:
            self._object(one, folder_id, review_id)
        self._tell_of_extra(review_id)

    def _project(self, row: Mapping[str, Any]) -> str:
        name = str(row["project"]["name"])
        found = self._cloud.rows(f"select id from Project where name is {quoted(name)}")
        if found:
            return str(found[0]["id"])
        wanted = self._settings.workflow
        where = f" where name is {quoted(wanted)}" if wanted else ""
        schemas = self._cloud.rows(f"select id, name from ProjectSchema{where} limit 1")
        if not schemas:
            raise PlanError(
                f"The cloud site has no workflow {wanted!r}: choose another in the settings of Review Sync."
            )
        key = self._id("project", name)
        full = row["project"].get("full_name") or name
        values = {"name": name, "full_name": full, "project_schema_id": schemas[0]["id"]}
        self._ensure("Project", key, values, name)
        return key

    def _folder(self, row: Mapping[str, Any], project_id: str) -> str:
        """By the link first, then by name: a renamed session keeps its folder."""
        linked = self._cloud.rows(
            f"select id, name from Folder where project_id is {quoted(project_id)} and metadata any "
            f"(key is {quoted(SESSION_KEY)} and value is {quoted(str(row['id']))})"
        )
        found = linked or self._cloud.rows(
            f"select id, name from Folder where parent_id is {quoted(project_id)} "
            f"and name is {quoted(str(row['name']))}"
        )
        key = str(found[0]["id"]) if found else self._id("folder", str(row["id"]))
        self._ensure("Folder", key, {"name": row["name"], "parent_id": project_id}, str(row["name"]))
        return key

    def _object(self, one: Mapping[str, Any], folder_id: str, review_id: str) -> None:
        version = one.get("asset_version")
        if not version:
            self.notes.append(Note(str(one["id"]), "failed", f"{one['name']}: its version no longer exists"))
            return
        media = self._media(version)
        if media is None:
            words = f"{one['name']}: the version has no media for the web ({', '.join(self._settings.media)})"
            self.notes.append(Note(str(one["id"]), "failed", words))
            return
        number = f"v{int(version.get('version') or 0):03d}"
        name = self._settings.object_name.replace("{object}", str(one["name"])).replace("{version}", number)
        source = str(one["version_id"])
        shot_id = self._id("shot", str(self._session.row["id"]), source)
        self._ensure("Shot", shot_id, {"name": name.replace("/", "_"), "parent_id": folder_id}, name)
        asset_id = self._id("asset", str(self._session.row["id"]), source)
        asset = {"name": self._settings.asset_name, "context_id": shot_id, "type_id": self._asset_type()}
        self._ensure("Asset", asset_id, asset, f"{name} / {self._settings.asset_name}")
        version_id = self._id("version", str(self._session.row["id"]), source)
        marks = {SOURCE_KEY: source, SESSION_KEY: str(self._session.row["id"])}
        self._ensure("AssetVersion", version_id, {"asset_id": asset_id}, name, marks)
        self._send_media(media, version_id, name)
        shown = {"name": one["name"], "version": one.get("version") or number, "version_id": version_id}
        shown |= {"review_session_id": review_id, "description": one.get("description") or ""}
        shown["sort_order"] = one.get("sort_order") or 0
        self._ensure("ReviewSessionObject", self._id("object", str(one["id"])), shown, str(one["name"]))
        self._link_back(one, version, version_id, name)

    def _asset_type(self) -> str:
        wanted = self._settings.asset_type
        found = self._cloud.rows(f"select id from AssetType where name is {quoted(wanted)}")
        if not found:
            raise PlanError(
                f"The cloud site has no asset type {wanted!r}: choose another in the settings of Review Sync."
            )
        return str(found[0]["id"])

    def _media(self, version: Mapping[str, Any]) -> Mapping[str, Any] | None:
        parts = {str(part["name"]): part for part in version.get("components") or ()}
        return next((parts[name] for name in self._settings.media if name in parts), None)

    def _send_media(self, media: Mapping[str, Any], version_id: str, label: str) -> None:
        mark = f"{media['id']}:{media.get('size') or 0}"
        target = self._id("component", str(media["id"]), str(media.get("size") or 0), version_id)
        there = self._cloud.rows(f"select id, component_locations.id from FileComponent where id is {quoted(target)}")
        if there and there[0].get("component_locations"):
            return
        found = media.get("metadata") or ()
        metadata = {str(m["key"]): str(m["value"]) for m in found if m.get("key") == "ftr_meta"}
        self.effects.append(
            CopyBetweenSites(
                slot=f"media {version_id}", reason="clients look at it", source_site="site", source_id=str(media["id"]),
                target_site=CLOUD, component_id=target, version_id=version_id, name=str(media["name"]),
                suffix=str(media.get("file_type") or ""), label=f"media of {label}",
                metadata={**metadata, CHECK_KEY: mark},
            )
        )  # fmt: skip

    def _link_back(self, one: Mapping[str, Any], version: Mapping[str, Any], version_id: str, label: str) -> None:
        found = version.get("metadata") or ()
        there = {str(m["key"]): str(m.get("value") or "") for m in found}
        if there.get(CLOUD_VERSION_KEY) != version_id:
            self.effects.append(
                SetMetadata(
                    slot=f"link {one['version_id']}", reason="feedback finds its way back by it",
                    entity_id=str(one["id"]), entity_type="AssetVersion", id=str(one["version_id"]),
                    values={CLOUD_VERSION_KEY: version_id}, label=label,
                )
            )  # fmt: skip

    def _ensure(
        self, entity_type: str, key: str, values: dict[str, Any], label: str, metadata: dict[str, str] | None = None
    ) -> None:
        """An effect where the cloud differs, nothing where it does not."""
        attributes = ", ".join(["id", *values])
        rows = self._cloud.rows(f"select {attributes} from {entity_type} where id is {quoted(key)}")
        there = {}
        if rows and metadata:
            found = self._cloud.rows(f"select key, value from Metadata where parent_id is {quoted(key)}")
            there = {str(one["key"]): str(one.get("value") or "") for one in found}
        differs = not rows or any(not same(rows[0].get(name), value) for name, value in values.items())
        if differs or any(there.get(name) != value for name, value in (metadata or {}).items()):
            self.effects.append(
                RemoteEntity(
                    slot=f"{entity_type} {key}" + (" link" if not values else ""),
                    reason="the session is mirrored", site=CLOUD, entity_type=entity_type, id=key,
                    values=values, metadata=metadata or {}, label=label, new=not rows,
                )
            )  # fmt: skip

    def _tell_of_extra(self, review_id: str) -> None:
        """Objects that left the local session stay on the cloud site, and the run says so."""
        ours = {self._id("object", str(one["id"])) for one in self._session.objects}
        rows = self._cloud.rows(
            f"select id, name from ReviewSessionObject where review_session_id is {quoted(review_id)}"
        )
        extra = [str(row["name"]) for row in rows if str(row["id"]) not in ours]
        if extra:
            self.warnings.append(f"on the cloud site but no longer in the session, kept: {', '.join(extra)}")
