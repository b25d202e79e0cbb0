"""What several handlers read in the same way: names of ids, the place of a task, who did something when."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, WithJsonSchema

from app.engine.protocol import Change, Context, Occasion, Parent, PlanError
from app.rules.dailies import parse_cut_off
from app.rules.transitions import StatusStep
from app.site.query import id_list, quoted

__all__ = [
    "PLACE_FIELDS",
    "STATUS_KEY",
    "Context",
    "Place",
    "TimeOfDay",
    "TimeOfDayOrNone",
    "added_since",
    "anchor",
    "folded",
    "id_list",
    "in_words",
    "metadata_of",
    "missed_change",
    "moment_of",
    "occasion",
    "of_all_projects",
    "parent_id_of",
    "place_of",
    "project_id_of",
    "quoted",
    "reached_status",
    "status_changes_since",
    "status_steps",
    "studio",
    "version_words",
]

STATUS_KEY = "statusid"
"""Events carry ftrack's legacy names."""

_STATUS_TABLES = {"task": "Task", "assetversion": "AssetVersion"}
_TABLES = {"AssetVersion": "assetversion", "Project": "show"}
_CHUNK = 200


def _time(text: str) -> str:
    try:
        parse_cut_off(text)
    except PlanError as error:
        raise ValueError(str(error)) from error
    return text.strip()


# Windows without the handler's code check by the pattern alone.
_CLOCK = {"type": "string", "pattern": r"^([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?$"}
TimeOfDay = Annotated[str, AfterValidator(_time), WithJsonSchema(_CLOCK)]
"""``H:MM`` or ``H:MM:SS``."""

TimeOfDayOrNone = Annotated[str, AfterValidator(lambda text: _time(text) if text.strip() else "")]
"""The same, or empty."""


def folded(names: Iterable[str]) -> frozenset[str]:
    """Names as they are compared: without case and outer blanks."""
    return frozenset(name.strip().casefold() for name in names)


def studio(ctx: Context, project: str | None = None) -> Any:
    """The studio's settings (time zone, modes, holidays), with the project's overrides."""
    return ctx.doors.settings("studio", project=project)


def project_id_of(change: Change) -> str:
    """The project of a change, "" when the event does not tell it."""
    if change.project_id:
        return change.project_id
    if change.parents and change.parents[-1].table == "show":
        return change.parents[-1].entity_id
    return ""


def parent_id_of(change: Change, entity_types: Collection[str]) -> str:
    """The nearest entity of one of these schema types in a change's chain, itself included; "" when there is none."""
    return next((step.entity_id for step in change.parents if step.entity_type in entity_types), "")


def reached_status(change: Change) -> str:
    """The id of the status a task or version got with this change; "" when it got none."""
    if change.action not in {"add", "update", "move"}:
        return ""
    return str(change.becomes(STATUS_KEY) or "")


def moment_of(value: Any) -> dt.datetime | None:
    """A date and time as ftrack gives it (UTC, with or without a zone), as an aware moment; None when there is none."""
    if value is None or value == "":
        return None
    if isinstance(value, Mapping):  # the wire's own form: {"__type__": "datetime", "value": ...}
        return moment_of(value.get("value"))
    if not isinstance(value, dt.datetime):
        inner = getattr(value, "datetime", None)
        if isinstance(inner, dt.datetime):
            value = inner
        else:
            try:
                value = dt.datetime.fromisoformat(str(value).replace("Z", "+00:00"))
            except ValueError:
                return None
    moment: dt.datetime = value
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def version_words(version: Mapping[str, Any]) -> str:
    """A version as people name it, "comp v3", from a row with ``version`` and ``asset.name``."""
    return f"{(version.get('asset') or {}).get('name') or 'version'} v{version.get('version') or 0}"


def in_words(names: Sequence[str], limit: int = 5) -> str:
    """``a, b and c``; more than ``limit`` names are counted."""
    if len(names) > limit:
        return f"{', '.join(names[:limit])} and {len(names) - limit} more"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def occasion(handler: str, change: Change, about: str, **values: Any) -> Occasion:
    """What a handler does for a change, once for each event and entity; the values are what its `jobs` may name."""
    texts = {name: str(value) for name, value in values.items()}
    by = {"about": about, "by": change.username or ""}
    return Occasion(f"{handler}:{change.event_id}:{change.entity_id}", {**texts, **by}, change.entity_id)


def metadata_of(row: Mapping[str, Any]) -> dict[str, str]:
    """An entity's metadata as key to value; the wire carries it as rows."""
    found = row.get("metadata") or ()
    if isinstance(found, Mapping):
        return {str(key): str(value) for key, value in found.items()}
    return {str(one["key"]): str(one.get("value") or "") for one in found}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task hangs.

    Attributes:
        ancestors: From below the project down to the task's parent: id, name, object type name, type name.
        project: The project's row with root and disk.
    """

    ancestors: tuple[Mapping[str, Any], ...]
    project: Mapping[str, Any]

    @property
    def parent(self) -> Mapping[str, Any] | None:
        """The entity right above the task; None directly under the project."""
        return self.ancestors[-1] if self.ancestors else None

    def nearest(self, object_types: Collection[str]) -> Mapping[str, Any] | None:
        """The nearest ancestor of one of these object types (names without case)."""
        wanted = folded(object_types)
        return next((one for one in reversed(self.ancestors) if one["object_type"].casefold() in wanted), None)


PLACE_FIELDS = (
    "link, project.name, project.root, project.disk.name, project.disk.unix, project.disk.windows, "
    "ancestors.id, ancestors.name, ancestors.object_type_id, ancestors.type.name"
)
"""What a query must select for `place_of`: one read tells the whole place."""


def place_of(ctx: Context, row: Mapping[str, Any]) -> Place:
    """Where an entity hangs, from its row with `PLACE_FIELDS`. The order of ancestors is that of its link."""
    object_types = ctx.site.object_types()
    known = {one["id"]: one for one in row.get("ancestors") or ()}
    ancestors = []
    for step in _steps_above(row):
        one = known.get(step, {})
        named = object_types.get(one.get("object_type_id") or "")
        ancestors.append(
            {
                "id": step,
                "name": one.get("name") or "",
                "object_type": named.name if named else "",
                "type": ((one.get("type") or {}).get("name")) or "",
            }
        )
    return Place(tuple(ancestors), row.get("project") or {})


def _steps_above(row: Mapping[str, Any]) -> list[str]:
    """Ids between project and entity, topmost first; ``link`` goes from the project to the entity itself."""
    link = row.get("link") or ()
    steps = json.loads(link) if isinstance(link, str) else link
    return [step["id"] for step in steps if step["type"] == "TypedContext" and step["id"] != row["id"]]


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]


def anchor(ctx: Context, root: Path) -> Path:
    """The nearest existing folder of the project's path: effects make everything below it, never itself."""
    for folder in (root, *root.parents):
        if ctx.disk.exists(folder):
            return folder
    raise PlanError(f"No folder above {root} exists: is this the right path for this machine?")


def of_all_projects(ctx: Context, pick: Callable[[Any], Iterable[str]]) -> frozenset[str]:
    """What the handler's settings name, the studio's own and every project's: a catch-up must miss no override."""
    names = [row["name"] for row in ctx.site.rows("select name from Project")]
    found = set(pick(ctx.settings))
    for name in names:
        found.update(pick(ctx.handler_settings(name)))
    return frozenset(found)


def status_steps(ctx: Context, task: Mapping[str, Any]) -> list[StatusStep]:
    """Status changes of a task and its versions; what was created with a status counts as its first step.

    Args:
        task: A row with id, created_at and status_id.
    """
    versions = ctx.site.rows(f"select id, date, status_id from AssetVersion where task_id is {quoted(task['id'])}")
    born = {row["id"]: (moment_of(row.get("date")), row.get("status_id")) for row in versions}
    born[task["id"]] = (moment_of(task.get("created_at")), task.get("status_id"))
    steps: list[StatusStep] = []
    rows = ctx.site.rows(
        f"select id, date, parent_id, status_id, from_status_id from StatusChange where parent_id in {id_list(born)}"
    )
    for row in sorted(rows, key=lambda one: str(one["date"])):
        moment = moment_of(row["date"])
        if moment is None:
            continue
        entity = row["parent_id"]
        steps.append(
            StatusStep(row["id"], entity, entity == task["id"], moment, row.get("from_status_id"), row["status_id"])
        )
        if entity in born:  # the first change tells which status it was created with
            created, _ = born.pop(entity)
            if created is not None and row.get("from_status_id"):
                steps.append(StatusStep(entity, entity, entity == task["id"], created, None, row["from_status_id"]))
    for entity, (created, status) in born.items():
        if created is not None and status:
            steps.append(StatusStep(entity, entity, entity == task["id"], created, None, status))
    return steps


def status_changes_since(
    ctx: Context, since: dt.datetime, tables: Collection[str], status_names: Iterable[str] | None
) -> Iterator[Change]:
    """Status changes of tasks and versions since a moment, oldest first, as changes an event would have carried.

    Args:
        ctx: The catch-up's context.
        since: Server time.
        tables: "task", "assetversion" or both.
        status_names: Only these statuses; None for all.
    """
    clause = f'date >= "{_wire_time(since)}"'
    if status_names is not None:
        wanted = folded(status_names)
        ids = [one.id for one in ctx.site.statuses().values() if one.name.casefold() in wanted]
        if not ids:
            return
        clause += f" and status_id in {id_list(ids)}"
    rows = ctx.site.rows(
        f"select id, date, parent_id, parent_type, status_id, from_status_id, user_id from StatusChange where {clause}"
    )
    rows.sort(key=lambda row: (str(row["date"]), row["id"]))
    chains = _chains(ctx, [row["parent_id"] for row in rows], [_STATUS_TABLES[table] for table in tables])
    for row in rows:
        chain = chains.get(row["parent_id"])
        if chain is not None:
            changes = {STATUS_KEY: (row.get("from_status_id"), row["status_id"])}
            yield missed_change(
                ctx, f"catch-up:{row['id']}", "update", chain, changes, row["date"], user_id=row.get("user_id")
            )


def added_since(ctx: Context, since: dt.datetime, entity_type: str) -> Iterator[Change]:
    """Entities added since a moment, oldest first, as the changes that events would have carried.

    Args:
        ctx: The catch-up's context.
        since: Server time.
        entity_type: "Task", "AssetVersion", "Project", or the type of anything else in a project's tree ("Shot",
            "AssetBuild"). Tasks and versions come with the status they were created with.
    """
    when = "date" if entity_type == "AssetVersion" else "created_at"
    status = ", status_id" if entity_type in _STATUS_TABLES.values() else ""
    rows = ctx.site.rows(f'select id, {when}{status} from {entity_type} where {when} >= "{_wire_time(since)}"')
    rows.sort(key=lambda row: (str(row[when]), row["id"]))
    if entity_type == "Project":
        chains: dict[str, tuple[Parent, ...]] = {
            row["id"]: (Parent("Project", "show", row["id"], None),) for row in rows
        }
    else:
        chains = _chains(ctx, [row["id"] for row in rows], [entity_type])
    began = _first_statuses(ctx, [row["id"] for row in rows]) if status else {}
    for row in rows:
        chain = chains.get(row["id"])
        if chain is not None:
            changes: dict[str, tuple[Any, Any]] = {"id": (None, row["id"])}
            born_with = began.get(row["id"], row.get("status_id"))
            if born_with:
                changes[STATUS_KEY] = (None, born_with)
            yield missed_change(ctx, f"catch-up:added:{row['id']}", "add", chain, changes, row[when])


def _first_statuses(ctx: Context, ids: Sequence[str]) -> dict[str, str | None]:
    """The status that entities were created with, for those whose status has changed since."""
    first: dict[str, tuple[str, str | None]] = {}
    for chunk in _chunks(ids):
        rows = ctx.site.rows(
            f"select id, parent_id, date, from_status_id from StatusChange where parent_id in {id_list(chunk)}"
        )
        for row in rows:
            entry = (str(row["date"]), row.get("from_status_id"))
            first[row["parent_id"]] = min(entry, first.get(row["parent_id"], entry), key=lambda one: one[0])
    return {entity: status for entity, (_, status) in first.items()}


def missed_change(
    ctx: Context,
    event_id: str,
    action: Literal["add", "update", "move", "remove"],
    parents: Sequence[Parent],
    changes: Mapping[str, tuple[Any, Any]],
    occurred: Any,
    *,
    user_id: str | None = None,
) -> Change:
    """What a `catch_up` found, as the change that the missed event would have carried.

    Args:
        ctx: The catch-up's context.
        event_id: Made of natural facts (``catch-up:note:<id>``): what is found twice is kept once.
        action: What was done to the entity.
        parents: The entity itself, then what is above it, the project last where it is known.
        changes: Legacy key to (old, new).
        occurred: When it happened, as ftrack gives it.
        user_id: Who did it, where known.
    """
    return Change(
        event_row=0,
        event_id=event_id,
        index=0,
        action=action,
        entity_type=parents[0].entity_type,
        table=parents[0].table,
        entity_id=parents[0].entity_id,
        changes=changes,
        parents=tuple(parents),
        project_id=parents[-1].entity_id if parents[-1].table == "show" else None,
        user_id=user_id,
        username=None,
        received=ctx.clock.now(),
        occurred=moment_of(occurred),
        origin="catch_up",
    )


def _chains(ctx: Context, ids: Sequence[str], entity_types: Collection[str]) -> dict[str, tuple[Parent, ...]]:
    """The chain from each entity that still exists up to its project, with the types of every step."""
    chains: dict[str, tuple[Parent, ...]] = {}
    for entity_type in entity_types:
        table = _TABLES.get(entity_type, "task")
        extra = ", asset_id" if table == "assetversion" else ""
        for chunk in _chunks(list(dict.fromkeys(ids))):
            rows = ctx.site.rows(f"select id, link, project_id{extra} from {entity_type} where id in {id_list(chunk)}")
            types = _types_of_steps(ctx, rows)
            for row in rows:
                chains[row["id"]] = _chain(row, entity_type, table, types)
    return chains


def _types_of_steps(ctx: Context, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    steps = list(dict.fromkeys(one for row in rows for one in _steps_above(row)))
    names = ctx.site.object_types()
    types: dict[str, str] = {}
    for chunk in _chunks(steps):
        for row in ctx.site.rows("select id, object_type_id from TypedContext where id in " + id_list(chunk)):
            named = names.get(row["object_type_id"])
            types[row["id"]] = named.name.replace(" ", "") if named else "TypedContext"
    return types


def _chain(row: Mapping[str, Any], entity_type: str, table: str, types: Mapping[str, str]) -> tuple[Parent, ...]:
    ids = [(entity_type, table, row["id"])]
    if row.get("asset_id"):
        ids.append(("Asset", "asset", row["asset_id"]))
    ids += [(types.get(one, "TypedContext"), "task", one) for one in reversed(_steps_above(row))]
    if row.get("project_id"):
        ids.append(("Project", "show", row["project_id"]))
    above = [entity_id for _, _, entity_id in ids[1:]] + [None]
    return tuple(
        Parent(kind, name, entity_id, parent) for (kind, name, entity_id), parent in zip(ids, above, strict=True)
    )


def _wire_time(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
