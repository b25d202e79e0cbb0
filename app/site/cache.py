"""Look-ups that hardly ever change, read once for all threads of a process: statuses, types, workflows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from app.site.query import quoted
from app.site.types import Named, SiteUnreachable

Rows = Callable[[str], list[dict[str, Any]]]

#: An unknown id makes a table be read again, but not more often than this.
_REFRESH_SECONDS = 5.0
#: A table is read again after this: somebody may have renamed a status.
_KEPT_SECONDS = 600.0


class Table(Mapping[str, Named]):
    """Rows by id; asked for an unknown id it is read again (somebody may just have added a status).

    While the site is away what was read before stays in force for the ids it knows.
    """

    def __init__(self, read: Callable[[], Mapping[str, Named]]) -> None:
        self._read = read
        self._rows: Mapping[str, Named] | None = None
        self._read_at = 0.0
        self._lock = threading.Lock()

    def _loaded(self, missing: str | None = None) -> Mapping[str, Named]:
        with self._lock:
            unknown = self._rows is None or (missing is not None and missing not in self._rows)
            age = time.monotonic() - self._read_at
            if self._rows is None or age > (_REFRESH_SECONDS if unknown else _KEPT_SECONDS):
                try:
                    self._rows = self._read()
                except SiteUnreachable:
                    if self._rows is None or unknown:
                        raise
                self._read_at = time.monotonic()
            return self._rows

    def __getitem__(self, key: str) -> Named:
        return self._loaded(key)[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded())

    def __len__(self) -> int:
        return len(self._loaded())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key in self._loaded(key)


class LookUps:
    """The cached tables of one server and user. The reading thread lends its own connection."""

    def __init__(self) -> None:
        self._local = threading.local()
        self.statuses = Table(self._reader("select id, name, sort, color, state.short from Status"))
        self.types = Table(self._reader("select id, name, sort, color, is_billable from Type"))
        self.object_types = Table(self._reader("select id, name, is_leaf, is_schedulable from ObjectType"))
        self._workflows = Table(self._read_workflows)
        self._allowed: dict[str, tuple[float, Mapping[tuple[str, str | None], Sequence[Named]]]] = {}
        self._users: dict[str, str] = {}
        self._lock = threading.Lock()

    def lend(self, rows: Rows) -> None:
        """The calling thread's way to query."""
        self._local.rows = rows

    def warm(self) -> None:
        """Read the tables that nearly every run asks for, unless they are known."""
        for table in (self.statuses, self.types, self.object_types):
            len(table)

    def _rows(self, expression: str) -> list[dict[str, Any]]:
        rows: Rows = self._local.rows
        return rows(expression)

    def _reader(self, expression: str) -> Callable[[], Mapping[str, Named]]:
        def read() -> Mapping[str, Named]:
            return {row["id"]: Named(row["id"], row.get("name") or "", row) for row in self._rows(expression)}

        return read

    def status_named(self, name: str) -> Named | None:
        """A status by name, compared without case; the table is read again when the name is unknown."""
        wanted = name.strip().casefold()
        for attempt in (None, f"name:{wanted}"):
            rows = self.statuses._loaded(attempt)
            for row in rows.values():
                if row.name.strip().casefold() == wanted:
                    return row
        return None

    def workflow(self, project_schema_id: str) -> Named | None:
        """A workflow schema by id; ``extra["task_types"]`` has the names of its task types."""
        return self._workflows.get(project_schema_id)

    def _read_workflows(self) -> Mapping[str, Named]:
        rows = self._rows("select id, name, _task_type_schema.types.name from ProjectSchema")
        found: dict[str, Named] = {}
        for row in rows:
            types = [one["name"] for one in (row.get("_task_type_schema") or {}).get("types") or () if one.get("name")]
            found[row["id"]] = Named(row["id"], row.get("name") or "", {**row, "task_types": types})
        return found

    def own_user_id(self, username: str) -> str:
        """The id of the user with this name."""
        with self._lock:
            known = self._users.get(username)
        if known is None:
            rows = self._rows(f"select id from User where username is {quoted(username)}")
            known = rows[0]["id"] if rows else ""
            with self._lock:
                self._users[username] = known
        return known

    def allowed(self, project_schema_id: str, entity_type: str, type_id: str | None) -> Sequence[Named]:
        """Statuses a workflow offers an object type, for Task by task type where the workflow overrides it."""
        with self._lock:
            kept = self._allowed.get(project_schema_id)
        if kept is None or time.monotonic() - kept[0] > 300.0:
            kept = (time.monotonic(), self._read_allowed(project_schema_id))
            with self._lock:
                self._allowed[project_schema_id] = kept
        table = kept[1]
        if entity_type == "Task" and (entity_type, type_id) in table:
            return table[(entity_type, type_id)]
        return table.get((entity_type, None), ())

    def _read_allowed(self, project_schema_id: str) -> Mapping[tuple[str, str | None], Sequence[Named]]:
        rows = self._rows(
            "select _task_workflow.statuses.name, _task_workflow.statuses.color,"
            " _version_workflow.statuses.name, _version_workflow.statuses.color, _overrides.type_id,"
            " _overrides.workflow_schema.statuses.name, _overrides.workflow_schema.statuses.color, _schemas.type_id"
            f" from ProjectSchema where id is {quoted(project_schema_id)}"
        )
        if not rows:
            return {}
        schema = rows[0]
        table: dict[tuple[str, str | None], Sequence[Named]] = {
            ("Task", None): _names((schema.get("_task_workflow") or {}).get("statuses")),
            ("AssetVersion", None): _names((schema.get("_version_workflow") or {}).get("statuses")),
        }
        for override in schema.get("_overrides") or ():
            table["Task", override.get("type_id")] = _names((override.get("workflow_schema") or {}).get("statuses"))
        own = {item["id"]: item.get("type_id") for item in schema.get("_schemas") or () if item.get("id")}
        if own:
            listed = ", ".join(f'"{key}"' for key in own)
            by_schema: dict[str, list[Any]] = {}
            for row in self._rows(
                "select schema_id, task_status.name, task_status.color, task_status.id "
                f"from SchemaStatus where schema_id in ({listed})"
            ):
                by_schema.setdefault(row["schema_id"], []).append(row.get("task_status"))
            for key, object_type_id in own.items():
                object_type = self.object_types.get(str(object_type_id))
                if object_type is not None and object_type.name != "Task":
                    table[object_type.name.replace(" ", ""), None] = _names(by_schema.get(key))
        return table


def _names(rows: Sequence[Any] | None) -> Sequence[Named]:
    return tuple(Named(row["id"], row.get("name") or "", row) for row in rows or () if row)
