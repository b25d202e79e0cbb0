"""What Review Sync and Feedback Sync share: the session, its mirror on the clients' site, and the launch of both.

What belongs together is known by ids: a mirrored version names its source in its metadata, the mirror's folder names
both sessions. Names count only where there is no id yet.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from app.actions.base import Action, Again, Asked, Go
from app.actions.forms import Field, Form, read
from app.engine.doors import SiteDoor
from app.engine.protocol import Context, Effect, Launch, Note, Occasion, Plan, PlanError, natural_id
from app.settings.store import SettingsError
from app.site.query import chunks, id_list, quoted

__all__ = ["CLOUD", "SOURCE_KEY", "Comparison", "Mirror", "Session", "SessionAction", "find_mirror", "metadata_of"]

CLOUD = "cloud"
#: Metadata of a mirrored version: the studio's version it shows; in older sessions that version's asset.
SOURCE_KEY = "source_asset_id"
#: Metadata of the mirror's folder and versions: the studio's session.
SESSION_KEY = "source_review_session_id"
#: Metadata of the mirror's folder: the session there.
CLOUD_SESSION_KEY = "cloud_review_session_id"
_SESSION = "id, name, description, project_id, project.name, project.full_name"
_OBJECT = "id, name, version, description, sort_order, version_id"
_PARTS = "id, name, file_type, size, metadata.key, metadata.value"


@dataclass(frozen=True, slots=True)
class Session:
    """The studio's review session with its objects and their versions."""

    row: Mapping[str, Any]
    objects: tuple[Mapping[str, Any], ...]

    @property
    def id(self) -> str:
        return str(self.row["id"])


@dataclass(frozen=True, slots=True)
class Mirror:
    """The session on the clients' site, as far as it is there.

    Attributes:
        session_id: The review session; "" when there is none.
        folder: Row of its folder (id, project_id), None when there is none.
        objects: Its objects with their versions.
    """

    session_id: str
    folder: Mapping[str, Any] | None
    objects: tuple[Mapping[str, Any], ...]

    def pairs(self, session: Session) -> dict[str, Mapping[str, Any]]:
        """Object of the studio to the object that shows it.

        An older session names assets: where several versions of one are shown, the one of the same name is meant.
        """
        assets = Counter(_asset(one) for one in session.objects)
        by_source: dict[str, list[Mapping[str, Any]]] = {}
        for row in self.objects:
            by_source.setdefault(metadata_of(row.get("asset_version") or {}).get(SOURCE_KEY, ""), []).append(row)
        found: dict[str, Mapping[str, Any]] = {}
        for one in session.objects:
            named = by_source.get(str(one["version_id"])) or []
            older = by_source.get(_asset(one)) or []
            alone = len(older) == assets[_asset(one)] == 1
            same = [row for row in older if alone or (row["name"], row["version"]) == shown(one)]
            for row in (*named, *same)[:1]:
                found[str(one["id"])] = row
        return found


def _asset(one: Mapping[str, Any]) -> str:
    return str((one.get("asset_version") or {}).get("asset_id") or " ")


def shown(one: Mapping[str, Any]) -> tuple[str, str]:
    """Name and version of an object as clients read them."""
    number = int((one.get("asset_version") or {}).get("version") or 0)
    return str(one["name"]), str(one.get("version") or f"v{number:03d}")


def metadata_of(row: Mapping[str, Any]) -> dict[str, str]:
    """A row's metadata by key."""
    return {str(one["key"]): str(one.get("value") or "") for one in row.get("metadata") or ()}


def read_session(site: SiteDoor, session_id: str) -> Session:
    """Read it in two queries. Raises PlanError when it is gone."""
    rows = site.rows(f"select {_SESSION} from ReviewSession where id is {quoted(session_id)}")
    if not rows:
        raise PlanError("The review session no longer exists on ftrack.")
    version = "version, asset_id, asset.name, task_id, status_id, metadata.key, metadata.value"
    objects = site.rows(
        f"select {_OBJECT}, {_below('asset_version', version)}, {_below('asset_version.components', _PARTS)} "
        f"from ReviewSessionObject where review_session_id is {quoted(session_id)} order by sort_order"
    )
    return Session(rows[0], tuple(objects))


def mirrored_id(cloud: SiteDoor, site: SiteDoor, *parts: str) -> str:
    """The id that something of the studio gets on the clients' site when it is first made there."""
    return natural_id(cloud.server, "mirror of", site.server, *parts)


def find_mirror(cloud: SiteDoor, site: SiteDoor, session: Session) -> Mirror:
    """By the ids on the folder, then by the id a mirror gets, then by name and project if it is nobody's mirror yet."""
    marked = f"(key is {quoted(SESSION_KEY)} and value is {quoted(session.id)})"
    folders = cloud.rows(f"select id, project_id, metadata.key, metadata.value from Folder where metadata any {marked}")
    folder = folders[0] if folders else None
    ids = [mirrored_id(cloud, site, "session", session.id)]
    if folder is not None:
        ids.insert(0, metadata_of(folder).get(CLOUD_SESSION_KEY, ""))
    there = {str(row["id"]) for row in cloud.rows(f"select id from ReviewSession where id in {id_list(ids)}")}
    key = next((one for one in ids if one in there), "")
    if not key:
        named = cloud.rows(
            f"select id from ReviewSession where name is {quoted(str(session.row['name']))} "
            f"and project.name is {quoted(str(session.row['project']['name']))}"
        )
        of_others = {
            str(row["value"])
            for row in rows_of(cloud, "key, value", "Metadata", "value", [str(row["id"]) for row in named])
            if row["key"] == CLOUD_SESSION_KEY
        }
        key = next((str(row["id"]) for row in named if str(row["id"]) not in of_others), "")
    return Mirror(key, folder, tuple(_objects(cloud, key)) if key else ())


def _objects(cloud: SiteDoor, session_id: str) -> Iterable[Mapping[str, Any]]:
    version = "asset_id, asset.context_id, metadata.key, metadata.value"
    places = f"{_PARTS}, component_locations.id"
    return cloud.rows(
        f"select {_OBJECT}, review_session_id, {_below('asset_version', version)}, "
        f"{_below('asset_version.components', places)} "
        f"from ReviewSessionObject where review_session_id is {quoted(session_id)}"
    )


def _below(relation: str, names: str) -> str:
    return ", ".join(f"{relation}.{name.strip()}" for name in names.split(","))


def rows_of(site: SiteDoor, fields: str, entity_type: str, attribute: str, ids: Iterable[str]) -> list[dict[str, Any]]:
    """All rows whose attribute is one of many ids."""
    return [
        row
        for some in chunks(list(dict.fromkeys(ids)))
        for row in site.rows(f"select {fields} from {entity_type} where {attribute} in {id_list(some)}")
    ]


class Comparison:
    """What one session needs, found by comparing the sites.

    Attributes:
        effects: In the order they are carried out.
        notes: What needs nothing, or cannot be done.
        warnings: What a person should know.
    """

    def __init__(self, ctx: Context, cloud: SiteDoor, session: Session) -> None:
        self.effects: list[Effect] = []
        self.notes: list[Note] = []
        self.warnings: list[str] = []
        self.site = ctx.site
        self.cloud = cloud
        self.session = session
        self.settings: Any = ctx.settings

    @abstractmethod
    def build(self) -> None:
        """Compare and gather."""


class SessionAction(Action):
    """An action on review sessions that works on both sites. It asks only whether to do it or to tell what it would do.

    Attributes:
        submit: On the button.
        started: What the person reads.
    """

    offered_on: ClassVar[frozenset[str]] = frozenset({"ReviewSession"})
    submit: ClassVar[str]
    started: ClassVar[str]

    @abstractmethod
    def asks(self, sessions: Sequence[Session]) -> str:
        """What the page says before anything is done."""

    @abstractmethod
    def comparison(self, ctx: Context, cloud: SiteDoor, session: Session) -> Comparison:
        """What is to be done for one session."""

    def key(self, launch: Launch) -> str:
        del launch
        # Sessions share projects, folders and versions on the other site: one sync after the other.
        return "cloud"

    def step(self, asked: Asked) -> Form | Again | Go:
        tick = Field(kind="boolean", name="dry", label="Only tell what would change")
        if asked.values is None:
            words = self.asks([read_session(asked.site, one.entity_id) for one in asked.selection])
            return Form(title=self.title, fields=(Field(kind="note", label=words), tick), submit=self.submit)
        good, _ = read(Form(title=self.title, fields=(tick,)), asked.values)
        if good["dry"]:
            return Go({}, "Nothing is touched; the Jobs list soon says what would change.", dry=True)
        return Go({}, f"Started: {self.started}; the Jobs list shows how far it is.")

    def plan(self, launch: Launch, ctx: Context) -> Plan:
        cloud = cloud_site(ctx)
        works = [self.comparison(ctx, cloud, read_session(ctx.site, key)) for _, key in launch.selection]
        for work in works:
            work.build()
        effects: dict[str, Effect] = {}
        for effect in (effect for work in works for effect in work.effects):
            # Sessions of one project, or that show the same version, want some things alike.
            effects.setdefault(effect.slot, effect)
        return Plan(
            tuple(effects.values()),
            tuple(note for work in works for note in work.notes),
            tuple(warning for work in works for warning in work.warnings),
            occasions=tuple(self._occasion(work.session, launch, ctx) for work in works if work.effects),
        )

    def _occasion(self, session: Session, launch: Launch, ctx: Context) -> Occasion:
        name, project = str(session.row["name"]), session.row["project"]["name"]
        done = self.occasion(launch, ctx, f"{self.title} {name}", project=project, session=name)
        return replace(done, key=f"{done.key}{session.id}")


def cloud_site(ctx: Context) -> SiteDoor:
    """The clients' site, signed in; a wrong key is said before anything is done."""
    try:
        cloud = ctx.doors.site(CLOUD)
    except SettingsError as error:
        raise PlanError(f"The cloud site is not set up: {error}") from error
    cloud.fresh()
    cloud.own_user_id()
    return cloud
