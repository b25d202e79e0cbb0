"""Review Sync: a review session is mirrored to the studio's cloud site, where clients look at it.

A second sync brings up to date; what clients wrote stays.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import Field as Setting

from app.actions.base import ActionSettings
from app.actions.two_sites import (
    CLOUD,
    CLOUD_SESSION_KEY,
    SESSION_KEY,
    SOURCE_KEY,
    Comparison,
    Mirror,
    Session,
    SessionAction,
    find_mirror,
    metadata_of,
    mirrored_id,
    rows_of,
    shown,
)
from app.effects.base import same
from app.effects.ftrack import SetMetadata
from app.effects.job_setting import JobSetting, WithJobs, jobs_setting
from app.effects.remote import CopyBetweenSites, RemoteEntity
from app.engine.doors import SiteDoor
from app.engine.protocol import Context, HandlerSettings, Note, PlanError
from app.rules.words import many
from app.site.query import quoted

__all__ = ["ReviewSync", "ReviewSyncSettings"]

#: Metadata of the studio's version: the one that shows it on the clients' site.
_CLOUD_VERSION_KEY = "cloud_version_id"
#: Metadata of a mirrored component: what it was made of.
_CHECK_KEY = "source_component"
_REVIEW_NAMES = ("ftrackreview-mp4", "ftrackreview-image", "ftrackreview-mp4-1080", "ftrackreview-webm")


class ReviewSyncSettings(WithJobs, ActionSettings):
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
    jobs: list[JobSetting] = jobs_setting("for each session that was mirrored", "session")


class ReviewSync(SessionAction):
    """Makes and updates the mirror; nobody is mailed and no invitee is copied."""

    id: ClassVar[str] = "review_sync"
    title: ClassVar[str] = "Review Sync"
    help: ClassVar[str] = "Mirror this review session to the cloud site, with its media."
    icon: ClassVar[str] = "upload"
    settings_model: ClassVar[type[HandlerSettings]] = ReviewSyncSettings
    submit: ClassVar[str] = "Mirror"
    started: ClassVar[str] = "the review session is mirrored"

    def asks(self, sessions: Sequence[Session]) -> str:
        lines = [f"{one.row['name']}: {many(len(one.objects), 'object')}" for one in sessions]
        return "Mirror to the cloud site (nobody is mailed):\n" + "\n".join(lines)

    def comparison(self, ctx: Context, cloud: SiteDoor, session: Session) -> Comparison:
        return _Mirroring(ctx, cloud, session)


@dataclass(slots=True)
class _Wanted:
    """How something shall be there: ``once`` counts only when it is made."""

    entity_type: str
    id: str
    label: str
    values: dict[str, Any]
    once: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)


class _Mirroring(Comparison):
    """Gathers how the mirror shall be, reads how it is (a query a type), and makes effects of the difference."""

    def __init__(self, ctx: Context, cloud: SiteDoor, session: Session) -> None:
        super().__init__(ctx, cloud, session)
        self._wanted: list[_Wanted | CopyBetweenSites] = []
        self._type = self._asset_type()

    def build(self) -> None:
        row = self.session.row
        mirror = find_mirror(self.cloud, self.site, self.session)
        project_id = str(mirror.folder["project_id"]) if mirror.folder else self._project()
        review_id = mirror.session_id or self._id("session", self.session.id)
        name = str(row["name"])
        values = {"name": name, "description": row.get("description") or ""}
        self._want("ReviewSession", review_id, name, values, {"project_id": project_id})
        folder_id = self._folder(name, project_id, review_id, mirror)
        shots = _Names(rows_of(self.cloud, "id, name", "Shot", "parent_id", [folder_id]), self._shown_on(mirror))
        pairs = mirror.pairs(self.session)
        backwards: dict[str, tuple[Mapping[str, Any], str]] = {}
        for one in self.session.objects:
            version_id = self._object(one, pairs.get(str(one["id"])), folder_id, review_id, shots)
            if version_id:
                backwards[str(one["version_id"])] = (one, version_id)
        self._compare()
        self._link_back(backwards)
        self._tell_of_extra(mirror, pairs)

    def _id(self, *parts: str) -> str:
        return mirrored_id(self.cloud, self.site, *parts)

    def _want(
        self,
        entity_type: str,
        key: str,
        label: str,
        values: dict[str, Any],
        once: dict[str, Any] | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        self._wanted.append(_Wanted(entity_type, key, label, values, once or {}, metadata or {}))

    # How it shall be

    def _project(self) -> str:
        project = self.session.row["project"]
        name = str(project["name"])
        found = self.cloud.rows(f"select id from Project where name is {quoted(name)}")
        if found:
            return str(found[0]["id"])
        wanted = self.settings.workflow
        where = f" where name is {quoted(wanted)}" if wanted else ""
        schemas = self.cloud.rows(f"select id, name from ProjectSchema{where} limit 1")
        if not schemas:
            raise PlanError(
                f"The cloud site has no workflow {wanted!r}: choose another in the settings of Review Sync."
            )
        key = self._id("project", name)
        values = {"name": name, "full_name": project.get("full_name") or name}
        self._want("Project", key, name, {}, {**values, "project_schema_id": schemas[0]["id"]})
        return key

    def _folder(self, name: str, project_id: str, review_id: str, mirror: Mirror) -> str:
        """The folder with the ids of both sessions; an older sync's has only its name."""
        rows = rows_of(self.cloud, "id, name, metadata.key, metadata.value", "Folder", "parent_id", [project_id])
        folders = _Names(rows, {str(row["id"]) for row in rows if SESSION_KEY in metadata_of(row)})
        known = str(mirror.folder["id"]) if mirror.folder else folders.unlinked(name)
        folder_id = known or self._id("folder", self.session.id)
        name = folders.name(folder_id, name)
        marks = {SESSION_KEY: self.session.id, CLOUD_SESSION_KEY: review_id}
        self._want("Folder", folder_id, name, {"name": name}, {"parent_id": project_id}, marks)
        return folder_id

    @staticmethod
    def _shown_on(mirror: Mirror) -> set[str]:
        versions = [row.get("asset_version") or {} for row in mirror.objects]
        return {str((version.get("asset") or {}).get("context_id")) for version in versions}

    def _object(
        self, one: Mapping[str, Any], there: Mapping[str, Any] | None, folder_id: str, review_id: str, shots: _Names
    ) -> str:
        """One object with shot, asset, version and media; the version's id there, "" when it cannot be mirrored."""
        version = one.get("asset_version")
        if not version:
            return self._cannot(one, "its version no longer exists")
        media = self._media(version)
        if media is None:
            return self._cannot(one, f"the version has no media for the web ({', '.join(self.settings.media)})")
        number = f"v{int(version.get('version') or 0):03d}"
        name = self.settings.object_name.replace("{object}", str(one["name"])).replace("{version}", number)
        name = name.replace("/", "_")
        source = str(one["version_id"])
        old = (there or {}).get("asset_version") or {}
        shot_id, asset_id = str((old.get("asset") or {}).get("context_id") or ""), str(old.get("asset_id") or "")
        if not shot_id:
            shot_id, asset_id = self._without_link(shots.unlinked(name), source)
        name = shots.name(shot_id, name)
        version_id = str((there or {}).get("version_id") or self._id("version", self.session.id, source))
        self._want("Shot", shot_id, name, {"name": name}, {"parent_id": folder_id})
        asset = {"name": self.settings.asset_name, "context_id": shot_id, "type_id": self._type}
        self._want("Asset", asset_id, f"{name} / {self.settings.asset_name}", {}, asset)
        marks = {SOURCE_KEY: source, SESSION_KEY: self.session.id}
        self._want("AssetVersion", version_id, name, {}, {"asset_id": asset_id}, marks)
        self._send_media(media, version_id, name, old.get("components") or ())
        label, called = shown(one)
        values: dict[str, Any] = {"name": label, "version": called, "version_id": version_id}
        values |= {"description": one.get("description") or "", "sort_order": one.get("sort_order") or 0}
        key = str(there["id"]) if there else self._id("object", str(one["id"]))
        self._want("ReviewSessionObject", key, label, values, {"review_session_id": review_id})
        return version_id

    def _cannot(self, one: Mapping[str, Any], why: str) -> str:
        self.notes.append(Note(str(one["id"]), "failed", f"{one['name']}: {why}"))
        return ""

    def _without_link(self, shot_id: str, source: str) -> tuple[str, str]:
        """Shot and asset of an object that is not linked yet: of a shot that was there by its name, else new ones."""
        found = []
        if shot_id:
            wanted = quoted(self.settings.asset_name)
            found = self.cloud.rows(f"select id from Asset where context_id is {quoted(shot_id)} and name is {wanted}")
        asset_id = str(found[0]["id"]) if found else self._id("asset", self.session.id, source)
        return shot_id or self._id("shot", self.session.id, source), asset_id

    def _asset_type(self) -> str:
        wanted = self.settings.asset_type
        found = self.cloud.rows(f"select id from AssetType where name is {quoted(wanted)}")
        if not found:
            raise PlanError(
                f"The cloud site has no asset type {wanted!r}: choose another in the settings of Review Sync."
            )
        return str(found[0]["id"])

    # Media

    def _media(self, version: Mapping[str, Any]) -> Mapping[str, Any] | None:
        parts = {str(part["name"]): part for part in version.get("components") or ()}
        return next((parts[name] for name in self.settings.media if name in parts), None)

    def _send_media(
        self, media: Mapping[str, Any], version_id: str, label: str, there: Sequence[Mapping[str, Any]]
    ) -> None:
        """Once for each file: what an older sync sent stays, what was made of another file steps aside."""
        name = str(media["name"])
        target = self._id("component", str(media["id"]), str(media.get("size") or 0), version_id)
        for part in there:
            if str(part["name"]) == name and str(part["id"]) != target and part.get("component_locations"):
                if _CHECK_KEY not in metadata_of(part):
                    return
                self._want("FileComponent", str(part["id"]), label, {"name": f"{name} (replaced)"})
        kept = {key: value for key, value in metadata_of(media).items() if key == "ftr_meta"}
        self._wanted.append(
            CopyBetweenSites(
                slot=f"media {version_id}", reason="clients look at it", source_site="site", source_id=str(media["id"]),
                target_site=CLOUD, component_id=target, version_id=version_id, name=name,
                suffix=str(media.get("file_type") or ""), label=f"media of {label}",
                metadata={**kept, _CHECK_KEY: f"{media['id']}:{media.get('size') or 0}"},
            )
        )  # fmt: skip

    # What differs

    def _compare(self) -> None:
        """Effects for what is missing or different, in the order in which it was wanted."""
        rows, metadata = self._there()
        sent = {str(row["id"]): row for row in rows_of(
            self.cloud, "id, metadata.key, metadata.value, component_locations.id", "FileComponent", "id",
            [one.component_id for one in self._wanted if isinstance(one, CopyBetweenSites)],
        )}  # fmt: skip
        for one in self._wanted:
            if isinstance(one, CopyBetweenSites):
                media = sent.get(one.component_id, {})
                if not media.get("component_locations") or _CHECK_KEY not in metadata_of(media):
                    self.effects.append(one)
                continue
            row = rows.get(one.id)
            values = {**one.once, **one.values} if row is None else one.values
            changed = row is None or any(not same(row.get(name), value) for name, value in values.items())
            if changed or any(metadata.get(one.id, {}).get(key) != text for key, text in one.metadata.items()):
                self.effects.append(
                    RemoteEntity(
                        slot=f"{one.entity_type} {one.id}", reason="the session is mirrored", site=CLOUD,
                        entity_type=one.entity_type, id=one.id, values=values, metadata=one.metadata, label=one.label,
                        new=row is None,
                    )
                )  # fmt: skip

    def _there(self) -> tuple[dict[str, Mapping[str, Any]], dict[str, dict[str, str]]]:
        """What is there of all that is wanted: rows by id, and metadata by id."""
        wanted = [one for one in self._wanted if isinstance(one, _Wanted)]
        rows: dict[str, Mapping[str, Any]] = {}
        for kind in dict.fromkeys(one.entity_type for one in wanted):
            some = [one for one in wanted if one.entity_type == kind]
            names = ", ".join(dict.fromkeys(["id", *(name for one in some for name in one.values)]))
            rows.update({str(row["id"]): row for row in rows_of(self.cloud, names, kind, "id", [o.id for o in some])})
        metadata: dict[str, dict[str, str]] = {}
        marked = [one.id for one in wanted if one.metadata]
        for row in rows_of(self.cloud, "parent_id, key, value", "Metadata", "parent_id", marked):
            metadata.setdefault(str(row["parent_id"]), {})[str(row["key"])] = str(row.get("value") or "")
        return rows, metadata

    def _link_back(self, found: Mapping[str, tuple[Mapping[str, Any], str]]) -> None:
        """The studio's versions name theirs there; one that another session shows too keeps the name it has."""
        named = {key: metadata_of(one["asset_version"]).get(_CLOUD_VERSION_KEY, "") for key, (one, _) in found.items()}
        others = {key: value for key, value in named.items() if value and value != found[key][1]}
        rows = rows_of(self.cloud, "parent_id, value", "Metadata", "parent_id", others.values())
        good = {(str(row["parent_id"]), str(row["value"])) for row in rows}
        for key, (one, version_id) in found.items():
            if named[key] == version_id or (others.get(key, ""), key) in good:
                continue
            self.effects.append(
                SetMetadata(
                    slot=f"link {key}", reason="feedback finds its way back by it", entity_id=str(one["id"]),
                    entity_type="AssetVersion", id=key, values={_CLOUD_VERSION_KEY: version_id},
                    label=str(one["name"]),
                )
            )  # fmt: skip

    def _tell_of_extra(self, mirror: Mirror, pairs: Mapping[str, Mapping[str, Any]]) -> None:
        """Objects that left the studio's session stay on the cloud site, and the run says so."""
        ours = {str(row["id"]) for row in pairs.values()}
        ours |= {self._id("object", str(one["id"])) for one in self.session.objects}
        extra = [str(row["name"]) for row in mirror.objects if str(row["id"]) not in ours]
        if extra:
            self.warnings.append(f"on the cloud site but no longer in the session, kept: {', '.join(extra)}")


class _Names:
    """Names of what lies beside each other on the cloud site: no two are alike there.

    Args:
        rows: What is there.
        linked: Ids of what mirrors something already.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], linked: set[str]) -> None:
        self._ids = {str(row["name"]): str(row["id"]) for row in rows}
        self._names = {key: name for name, key in self._ids.items()}
        self._linked = linked

    def unlinked(self, name: str) -> str:
        """What has this name and mirrors nothing yet; "" without one."""
        key = self._ids.get(name, "")
        return "" if key in self._linked else key

    def name(self, key: str, wanted: str) -> str:
        """The name something gets: as wanted, or with a number where another has it (two tasks of a shot)."""
        now = self._names.get(key, "")
        taken = self._ids.get(wanted, key) != key
        free = (name for name in self._numbered(wanted) if self._ids.get(name, key) == key)
        name = now if taken and now.startswith(f"{wanted}_") else next(free)
        self._ids[name] = key
        self._linked.add(key)
        return name

    @staticmethod
    def _numbered(wanted: str) -> Iterator[str]:
        yield wanted
        yield from (f"{wanted}_{number}" for number in itertools.count(2))
