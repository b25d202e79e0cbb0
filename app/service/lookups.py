"""What dialogs and the browser ask the site: plain rows, from any thread, each with a door of its own.

The window never imports the site's client; it calls these in its background threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.actions.batch_create import existing_below, rows_to_json
from app.engine.doors import SiteDoor
from app.rules.batch import Existing, ShotRow
from app.rules.outcomes import PlanError
from app.site.operations import operation
from app.site.query import id_list, quoted

__all__ = ["Below", "Entity", "LookUps", "TaskRow", "VersionRow"]

_TASK_FIELDS = (
    "id, name, type.name, status.name, status.color, parent.name, project_id, project.name, link, thumbnail_id"
)


@dataclass(frozen=True, slots=True)
class Entity:
    """A node of the site's tree.

    Attributes:
        id: Its id.
        entity_type: Schema id: Project, Sequence, Shot, Task, AssetVersion, ReviewSession, ...
        name: Its name.
        detail: Task type, version number or the like.
        status: Name of its status, "" when it has none.
        colour: Colour of the status, "#rrggbb" or "".
        thumbnail: Component id of its thumbnail, "".
        has_children: Whether it can be opened.
    """

    id: str
    entity_type: str
    name: str
    detail: str = ""
    status: str = ""
    colour: str = ""
    thumbnail: str = ""
    has_children: bool = True


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task as a picker shows it."""

    id: str
    name: str
    type_name: str
    status: str
    project: str
    path: str
    thumbnail: str = ""


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version of a task or asset."""

    id: str
    label: str
    status: str
    date: str
    user: str
    thumbnail: str = ""


@dataclass(frozen=True, slots=True)
class Below:
    """What is below a parent, for the batch dialog.

    Attributes:
        kind: "top" (project, episode), "sequence" or "shot".
        name: The parent's name.
        project: Its project's name.
        existing: Names, for judging rows.
        task_types: Task types of the project's workflow.
        statuses: Statuses the workflow has for tasks.
        users: User names that can be assigned.
    """

    kind: str
    name: str
    project: str
    existing: Existing
    task_types: tuple[str, ...]
    statuses: tuple[str, ...]
    users: tuple[str, ...]


class LookUps:
    """Questions of the window.

    Args:
        site: Gives the calling thread's door.
    """

    def __init__(self, site: Callable[[], SiteDoor]) -> None:
        self._site = site

    def _fresh(self) -> SiteDoor:
        site = self._site()
        site.fresh()
        return site

    # Who and what

    def user(self, username: str) -> tuple[str, str]:
        """(id, full name) of a user. Raises PlanError when ftrack does not know the name."""
        rows = self._fresh().rows(
            f"select id, first_name, last_name, username from User where username is {quoted(username)}"
        )
        if not rows:
            raise PlanError(f"ftrack knows no user {username!r}.")
        full = f"{rows[0].get('first_name') or ''} {rows[0].get('last_name') or ''}".strip()
        return str(rows[0]["id"]), full or username

    def users(self) -> list[tuple[str, str]]:
        """(id, user name) of active users, by name."""
        rows = self._fresh().rows("select id, username from User where is_active is True order by username")
        return [(str(row["id"]), str(row["username"])) for row in rows]

    def projects(self) -> list[Entity]:
        """Active projects, by name."""
        rows = self._fresh().rows(
            "select id, name, full_name, thumbnail_id from Project where status is active order by name"
        )
        return [
            Entity(str(row["id"]), "Project", str(row["name"]), str(row.get("full_name") or ""), thumbnail=_id(row))
            for row in rows
        ]

    def kind_of(self, entity_id: str) -> str:
        """Schema id of a project or context. Raises PlanError when there is none."""
        site = self._fresh()
        if site.rows(f"select id from Project where id is {quoted(entity_id)}"):
            return "Project"
        rows = site.rows(f"select id, object_type_id from TypedContext where id is {quoted(entity_id)}")
        if not rows:
            raise PlanError(f"ftrack has no project, sequence or shot with the id {entity_id}.")
        names = {one.id: one.name.replace(" ", "") for one in site.object_types().values()}
        return names.get(str(rows[0]["object_type_id"]), "TypedContext")

    def children(self, entity_type: str, entity_id: str) -> list[Entity]:
        """What hangs below an entity: contexts, then versions of a task, review sessions of a project."""
        site = self._fresh()
        if entity_type == "Task":
            return self._versions_of(site, f"task_id is {quoted(entity_id)}")
        if entity_type in ("AssetVersion", "ReviewSession"):
            return []
        names = {one.id: one.name.replace(" ", "") for one in site.object_types().values()}
        rows = site.rows(
            "select id, name, object_type_id, type.name, status.name, status.color, thumbnail_id "
            f"from TypedContext where parent_id is {quoted(entity_id)} order by name"
        )
        found = [_context(row, names) for row in rows]
        if entity_type == "Project":
            sessions = site.rows(
                f"select id, name, is_open from ReviewSession where project_id is {quoted(entity_id)} order by name"
            )
            found += [
                Entity(str(row["id"]), "ReviewSession", str(row["name"]), "review session", has_children=False)
                for row in sessions
            ]
        return found

    def _versions_of(self, site: SiteDoor, where: str) -> list[Entity]:
        rows = site.rows(
            "select id, version, asset.name, status.name, status.color, thumbnail_id, comment "
            f"from AssetVersion where {where} order by version"
        )
        return [
            Entity(
                str(row["id"]),
                "AssetVersion",
                f"{(row.get('asset') or {}).get('name') or 'version'} v{int(row.get('version') or 0):03d}",
                str(row.get("comment") or ""),
                *_status(row),
                _id(row),
                has_children=False,
            )
            for row in rows
        ]

    # Tasks

    def my_tasks(self, username: str, limit: int = 200) -> list[TaskRow]:
        """Tasks assigned to a person (directly or through a group) that are not done."""
        who = quoted(username)
        rows = self._fresh().rows(
            f"select {_TASK_FIELDS} from Task where (assignments any (resource.username is {who}) or assignments any "
            f"(resource.memberships any (user.username is {who}))) and status.state.short is_not DONE "
            f"order by project.name, name limit {int(limit)}"
        )
        return [_task(row) for row in rows]

    def search_tasks(self, text: str, limit: int = 100) -> list[TaskRow]:
        """Tasks whose own, parent's or project's name has every word of the text in it."""
        words = [word for word in text.split() if word]
        if not words:
            return []
        tests = []
        for word in words:
            like = quoted(f"%{word}%")
            tests.append(
                f"(name like {like} or parent.name like {like} or project.name like {like} or type.name like {like})"
            )
        rows = self._fresh().rows(
            f"select {_TASK_FIELDS} from Task where {' and '.join(tests)} "
            f"order by project.name, name limit {int(limit)}"
        )
        return [_task(row) for row in rows]

    def tasks(self, ids: Sequence[str]) -> list[TaskRow]:
        """Tasks by id, in the order asked for; those that are gone are left out."""
        if not ids:
            return []
        rows = {
            str(row["id"]): _task(row)
            for row in self._fresh().rows(f"select {_TASK_FIELDS} from Task where id in {id_list(ids)}")
        }
        return [rows[key] for key in ids if key in rows]

    def slate_fields(self, task_id: str) -> tuple[str, str, str]:
        """(project, shot or asset, task) as the slate writes them."""
        found = self.tasks([task_id])
        if not found:
            raise PlanError("The task no longer exists on ftrack.")
        return found[0].project, found[0].path.rpartition(" / ")[2], found[0].name

    # Changes a person makes in the browser of the embedded site

    def statuses_of(self, entity_type: str, entity_id: str) -> list[tuple[str, str, str]]:
        """(id, name, colour) of the statuses an entity may get."""
        site = self._fresh()
        if entity_type == "AssetVersion":
            query = f"select asset.parent.project.project_schema_id from AssetVersion where id is {quoted(entity_id)}"
            rows = site.rows(query)
            schema = rows[0]["asset"]["parent"]["project"]["project_schema_id"] if rows else ""
            allowed = site.allowed_statuses(str(schema), "AssetVersion")
        else:
            rows = site.rows(
                f"select type_id, project.project_schema_id from TypedContext where id is {quoted(entity_id)}"
            )
            if not rows:
                return []
            schema = str(rows[0]["project"]["project_schema_id"])
            allowed = site.allowed_statuses(schema, entity_type, str(rows[0].get("type_id") or "") or None)
        return [(one.id, one.name, str(one.extra.get("color") or "")) for one in allowed]

    def set_status(self, entity_type: str, entity_id: str, status_id: str) -> None:
        """Set a status as a person does on ftrack's page."""
        self._fresh().call([operation("update", entity_type, [entity_id], {"status_id": status_id})])

    def thumbnail(self, component_id: str, folder: Path) -> Path:
        """A thumbnail's file, fetched once into ``folder``."""
        target = folder / component_id
        if not target.exists():
            folder.mkdir(parents=True, exist_ok=True)
            self._fresh().download(component_id, target)
        return target

    # Batch create

    def below(self, entity_type: str, entity_id: str) -> Below:
        """What is below a parent. Raises PlanError when it cannot have shots."""
        site = self._fresh()
        tree = existing_below(site, entity_type, entity_id)
        schema = str(tree.project.get("project_schema_id") or "")
        workflow = site.workflow(schema) if schema else None
        types = tuple(sorted(map(str, workflow.extra.get("task_types", ())), key=str.casefold)) if workflow else ()
        statuses = tuple(one.name for one in site.allowed_statuses(schema, "Task")) if schema else ()
        return Below(
            tree.kind,
            str(tree.parent["name"]),
            str(tree.project.get("name") or ""),
            tree.existing(),
            types,
            statuses,
            tuple(name for _, name in self.users()),
        )


def batch_values(rows: Sequence[ShotRow]) -> Mapping[str, Any]:
    """The values with which Batch Create is launched."""
    return {"rows": rows_to_json(rows)}


def _context(row: Mapping[str, Any], names: Mapping[str, str]) -> Entity:
    kind = names.get(str(row["object_type_id"]), "TypedContext")
    detail = str((row.get("type") or {}).get("name") or "")
    return Entity(str(row["id"]), kind, str(row["name"]), detail, *_status(row), _id(row))


def _status(row: Mapping[str, Any]) -> tuple[str, str]:
    status = row.get("status") or {}
    return str(status.get("name") or ""), str(status.get("color") or "")


def _id(row: Mapping[str, Any]) -> str:
    return str(row.get("thumbnail_id") or "")


def _task(row: Mapping[str, Any]) -> TaskRow:
    above = [str(step["name"]) for step in (row.get("link") or ())[1:-1]]
    return TaskRow(
        str(row["id"]),
        str(row["name"]),
        str((row.get("type") or {}).get("name") or ""),
        str((row.get("status") or {}).get("name") or ""),
        str((row.get("project") or {}).get("name") or ""),
        " / ".join(above),
        _id(row),
    )
