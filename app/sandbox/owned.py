"""What the server owns: defaults on create, derived rows, cascades (protocol facts, section 1.7).

Functions work on a :class:`app.sandbox.operations.BatchRun`; tables below say per root table what happens.
"""

# One signature serves all defaults; not each needs every argument.
# ruff: noqa: ARG001
from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from app.sandbox.contract import ApiError
from app.sandbox.encoding import custom_text, stamp
from app.sandbox.schema import VALUE_OWNERS, Attribute, EntityType, Schema
from app.sandbox.store import LINK_TABLE, RAW_VALUES

if TYPE_CHECKING:
    from app.sandbox.operations import BatchRun
    from app.sandbox.store import Store

MutableRow = dict[str, Any]

# Root -> columns that lead one step up, with the type found there; the first that is set counts.
PARENTS: dict[str, tuple[tuple[str, str], ...]] = {
    "Context": (("parent_id", "Context"),),
    "Asset": (("context_id", "Context"),),
    "AssetVersion": (("asset_id", "Asset"),),
    "Component": (("version_id", "AssetVersion"), ("container_id", "Component")),
    "ComponentLocation": (("component_id", "Component"),),
    "List": (("project_id", "Project"),),
    "ListObject": (("list_id", "List"),),
    "ReviewSession": (("project_id", "Project"),),
    "ReviewSessionFolder": (("project_id", "Project"),),
    "ReviewSessionObject": (("review_session_id", "ReviewSession"),),
    "ReviewSessionInvitee": (("review_session_id", "ReviewSession"),),
    "ReviewSessionObjectStatus": (("review_session_object_id", "ReviewSessionObject"),),
    "ReviewSessionObjectAnnotation": (("review_session_object_id", "ReviewSessionObject"),),
    "Appointment": (("context_id", "Context"),),
    "Timelog": (("context_id", "Context"),),
    "Timer": (("context_id", "Context"),),
    "Manager": (("context_id", "Context"),),
    "TypedContextLink": (("to_id", "Context"),),
    "AssetVersionLink": (("to_id", "AssetVersion"),),
    "NoteComponent": (("note_id", "Note"),),
    "NoteLabelLink": (("note_id", "Note"),),
    "Recipient": (("note_id", "Note"),),
    "JobComponent": (("job_id", "Job"),),
    "UserSecurityRoleProject": (("user_security_role_id", "UserSecurityRole"),),
    "UserSecurityRole": (("user_id", "User"),),
    "Membership": (("group_id", "Group"),),
    "CalendarEvent": (("project_id", "Project"),),
    "CustomConfigurationBase": (("project_id", "Project"),),
    "SplitTaskPart": (("task_id", "Task"),),
}

# (table, column) of rows that go when what the column points at goes, by the root pointed at.
CASCADES: dict[str, tuple[tuple[str, str], ...]] = {
    "Context": (
        ("Context", "parent_id"),
        ("Asset", "context_id"),
        ("Appointment", "context_id"),
        ("Timelog", "context_id"),
        ("Timer", "context_id"),
        ("Manager", "context_id"),
        ("TypedContextLink", "from_id"),
        ("TypedContextLink", "to_id"),
        ("ListObject", "entity_id"),
        ("Note", "parent_id"),
        ("StatusChange", "parent_id"),
        ("EntitySetting", "parent_id"),
        ("List", "project_id"),
        ("ReviewSession", "project_id"),
        ("ReviewSessionFolder", "project_id"),
        ("CalendarEvent", "project_id"),
        ("UserSecurityRoleProject", "project_id"),
        ("CustomConfigurationBase", "project_id"),
        ("SplitTaskPart", "task_id"),
        ("Metadata", "parent_id"),
    ),
    "Asset": (("AssetVersion", "asset_id"), ("Metadata", "parent_id")),
    "AssetVersion": (
        ("Component", "version_id"),
        ("AssetVersionLink", "from_id"),
        ("AssetVersionLink", "to_id"),
        ("ListObject", "entity_id"),
        ("Note", "parent_id"),
        ("ReviewSessionObject", "version_id"),
        ("StatusChange", "parent_id"),
        ("Metadata", "parent_id"),
    ),
    "Component": (
        ("Component", "container_id"),
        ("ComponentLocation", "component_id"),
        ("NoteComponent", "component_id"),
        ("JobComponent", "component_id"),
        ("SettingComponent", "component_id"),
        ("ReviewSessionObjectAnnotationComponent", "component_id"),
        ("Metadata", "parent_id"),
    ),
    "Note": (
        ("Note", "in_reply_to_id"),
        ("NoteComponent", "note_id"),
        ("NoteLabelLink", "note_id"),
        ("Recipient", "note_id"),
        ("Metadata", "parent_id"),
    ),
    "Resource": (
        ("Appointment", "resource_id"),
        ("Timelog", "user_id"),
        ("Timer", "user_id"),
        ("Membership", "user_id"),
        ("Membership", "group_id"),
        ("UserSecurityRole", "user_id"),
        ("Recipient", "resource_id"),
        ("DashboardResource", "resource_id"),
        ("CalendarEventResource", "resource_id"),
        ("UserApplicationState", "user_id"),
        ("UserSession", "user_id"),
        ("ApiKey", "resource_id"),
        ("Metadata", "parent_id"),
    ),
    "List": (("ListObject", "list_id"),),
    "ReviewSession": (
        ("ReviewSessionObject", "review_session_id"),
        ("ReviewSessionInvitee", "review_session_id"),
        ("EntitySetting", "parent_id"),
    ),
    "ReviewSessionObject": (
        ("ReviewSessionObjectStatus", "review_session_object_id"),
        ("ReviewSessionObjectAnnotation", "review_session_object_id"),
        ("ReviewSessionObjectAnnotationComponent", "review_session_object_id"),
        ("Note", "parent_id"),
    ),
    "ReviewSessionInvitee": (("ReviewSessionObjectStatus", "review_session_invitee_id"),),
    "Job": (("JobComponent", "job_id"),),
    "NoteLabel": (("NoteLabelLink", "label_id"),),
    "CalendarEvent": (("CalendarEventResource", "calendar_event_id"),),
    "UserSecurityRole": (("UserSecurityRoleProject", "user_security_role_id"),),
    "WorkflowSchema": (("WorkflowSchemaStatus", "workflow_schema_id"),),
    "TypedContextLink": (("Metadata", "parent_id"),),
    "Dashboard": (("DashboardWidget", "dashboard_id"), ("DashboardResource", "dashboard_id")),
}

OWNED_BY: frozenset[tuple[str, str]] = frozenset(
    pair for pairs in CASCADES.values() for pair in pairs if pair not in (("Component", "version_id"),)
)
"""Members that cannot live outside their collection: taken out of it, they are deleted."""

# What may not be deleted while something refers to it.
RESTRICTED: dict[str, tuple[tuple[str, str], ...]] = {
    "Location": (("ComponentLocation", "location_id"),),
    "Status": (("Context", "status_id"), ("AssetVersion", "status_id")),
    "AssetType": (("Asset", "type_id"),),
    "ObjectType": (("Context", "object_type_id"),),
    "ProjectSchema": (("Context", "project_schema_id"),),
}

# Columns that hold a legacy twin of another column.
_TWINS = {"Schema": ("type_id", "object_type_id"), "UserSecurityRole": ("is_all_projects", "is_all_open_projects")}

_WORKFLOW_ROOTS = {
    "ProjectSchema",
    "ProjectSchemaOverride",
    "Schema",
    "SchemaStatus",
    "SchemaType",
    "WorkflowSchema",
    "WorkflowSchemaStatus",
    "TaskTypeSchema",
    "TaskTypeSchemaType",
    "Status",
    "Type",
}

TASK = "11c137c0-ee7e-4f9c-91c5-8c77cec22b2c"


class Workflows:
    """First status and first type by project schema, object type and type; forgotten when a schema changes."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.kept: dict[tuple[str, ...], str | None] = {}

    def clear(self) -> None:
        """Forget everything."""
        self.kept.clear()

    def first(self, *key: str) -> str | None:
        """``("status", schema, object type, type)``, ``("type", schema, object type)`` or ``("version", schema)``."""
        if key not in self.kept:
            self.kept[key] = self._look_up(key)
        return self.kept[key]

    def _one(self, sql: str, *arguments: str) -> str | None:
        row = self.store.writer.execute(sql, arguments).fetchone()
        return row[0] if row else None

    def _look_up(self, key: tuple[str, ...]) -> str | None:
        what, schema = key[0], key[1]
        workflow = (
            'SELECT s.id FROM "WorkflowSchemaStatus" w JOIN "Status" s ON s.id = w.status_id'
            " WHERE w.workflow_schema_id = (SELECT {column} FROM {source}) ORDER BY s.sort, w.__n__ LIMIT 1"
        )
        if what == "version":
            source = '"ProjectSchema" WHERE id = ?'
            return self._one(workflow.format(column="asset_version_workflow_schema_id", source=source), schema)
        if what == "type" and key[2] == TASK:
            return self._one(
                'SELECT t.id FROM "TaskTypeSchemaType" l JOIN "Type" t ON t.id = l.type_id WHERE l.task_type_schema_id'
                ' = (SELECT task_type_schema_id FROM "ProjectSchema" WHERE id = ?) ORDER BY t.sort, l.__n__ LIMIT 1',
                schema,
            )
        if what == "type":
            return self._one(
                'SELECT l.type_id FROM "SchemaType" l JOIN "Schema" s ON s.id = l.schema_id'
                " WHERE s.project_schema_id = ? AND s.object_type_id = ? ORDER BY l.sort, l.__n__ LIMIT 1",
                *key[1:],
            )
        if key[2] == TASK:
            source = '"ProjectSchemaOverride" WHERE project_schema_id = ? AND type_id = ?'
            override = self._one(workflow.format(column="workflow_schema_id", source=source), schema, key[3])
            source = '"ProjectSchema" WHERE id = ?'
            return override or self._one(workflow.format(column="task_workflow_schema_id", source=source), schema)
        return self._one(
            'SELECT l.status_id FROM "SchemaStatus" l JOIN "Schema" s ON s.id = l.schema_id'
            " WHERE s.project_schema_id = ? AND s.object_type_id = ? ORDER BY l.sort, l.__n__ LIMIT 1",
            schema,
            key[2],
        )


def parent_of(schema: Schema, entity: EntityType, row: Mapping[str, Any]) -> tuple[str, str] | None:
    """(type, id) one step up, or ``None``."""
    root = entity.root
    if root in ("Note", "Metadata", "StatusChange", "EntitySetting"):
        reply = row.get("in_reply_to_id")
        if reply and not row.get("parent_id"):
            return "Note", reply
        kind = table_type(schema, row.get("parent_type"))
        return (kind, row["parent_id"]) if kind and row.get("parent_id") else None
    for column, target in PARENTS.get(root, ()):
        value = row.get(column)
        if value:
            return target, value
    return None


def table_type(schema: Schema, name: Any) -> str | None:
    """A type by its id or by the table name that events and status changes use (``task`` -> ``TypedContext``)."""
    if not isinstance(name, str):
        return None
    if name in schema.types:
        return name
    known = {"task": "TypedContext", "show": "Project", "user": "User", "list": "List"}
    if name in known:
        return known[name]
    return next((other for other in schema.types if schema.event_type(other) == name), None)


# Before create


def before_create(batch: BatchRun, entity: EntityType, row: MutableRow) -> EntityType:
    """Fill in what the server decides. Returns the concrete type (``TypedContext`` with an object type is a Shot)."""
    if entity.root in _TWINS:
        one, other = _TWINS[entity.root]
        row[one] = row[other] = row.get(one) if row.get(one) is not None else row.get(other)
    columns = entity.attributes
    if "created_at" in columns and row.get("created_at") is None:
        row["created_at"] = batch.stamp
    if "created_by_id" in columns and row.get("created_by_id") is None:
        row["created_by_id"] = batch.identity.user_id or None
    special = _BEFORE.get(entity.root)
    if special is not None:
        entity = special(batch, entity, row) or entity
    if entity.root in _WORKFLOW_ROOTS:
        batch.workflows.clear()
    return entity


def _context(batch: BatchRun, entity: EntityType, row: MutableRow) -> EntityType | None:
    _named(entity, row)
    if entity.name == "Project":
        _project(row)
        return None
    if entity.name in ("TypedContext", "Context"):
        name = batch.schema.object_types.get(str(row.get("object_type_id")))
        if name is None:
            raise ApiError("ValidationError", f"A {entity.name} needs a known object_type_id.")
        entity = batch.schema[name]
        row.update({key: value for key, value in entity.defaults if row.get(key) is None})
    if row.get("parent_id") is None:
        row["parent_id"] = row.get("project_id")
    parent = batch.row("Context", row["parent_id"]) if row.get("parent_id") else None
    if parent is None:
        raise ApiError("IntegrityError", f"{entity.name} {row.get('name')!r} needs a parent that exists.")
    row["project_id"] = parent["id"] if parent["__type__"] == "Project" else parent["project_id"]
    row["context_type"] = "task"
    row.setdefault("description", "")
    for name in ("bid", "sort"):
        if row.get(name) is None:
            row[name] = 0.0
    project = batch.row("Context", row["project_id"]) or {}
    schema, object_type = project.get("project_schema_id"), row["object_type_id"]
    if schema:
        if row.get("type_id") is None:
            row["type_id"] = batch.workflows.first("type", schema, object_type)
        if row.get("status_id") is None:
            row["status_id"] = batch.workflows.first("status", schema, object_type, row.get("type_id") or "")
    return entity


def _named(entity: EntityType, row: Mapping[str, Any]) -> None:
    if row.get("name") is None or (entity.name == "Project" and not row["name"]):
        raise ApiError("ValidationError", f"{entity.name} needs a name.")


def _project(row: MutableRow) -> None:
    row["context_type"] = "show"
    row["project_id"] = row["id"]
    row["parent_id"] = None
    for name, value in (("full_name", row["name"]), ("status", "active"), ("is_global", 0), ("is_private", 0)):
        if row.get(name) is None:
            row[name] = value


def _asset(batch: BatchRun, entity: EntityType, row: MutableRow) -> None:
    parent = batch.row("Context", row["context_id"]) if row.get("context_id") else None
    if parent is None:
        raise ApiError("IntegrityError", f"{entity.name} {row.get('name')!r} needs a parent that exists.")
    row["project_id"] = parent["project_id"]


def _version(batch: BatchRun, entity: EntityType, row: MutableRow) -> None:
    asset = batch.row("Asset", row["asset_id"]) if row.get("asset_id") else None
    if asset is None:
        raise ApiError("IntegrityError", f"{entity.name} needs an asset that exists.")
    row["project_id"] = asset["project_id"]
    if not row.get("version"):
        newest = batch.select('SELECT max(version) FROM "AssetVersion" WHERE asset_id = ?', (asset["id"],))[0][0]
        row["version"] = (newest or 0) + 1
    _now(batch, row, "date")
    _me(batch, row)
    if row.get("status_id") is None:
        project = batch.row("Context", row["project_id"]) or {}
        if project.get("project_schema_id"):
            row["status_id"] = batch.workflows.first("version", project["project_schema_id"])


def _component(batch: BatchRun, entity: EntityType, row: MutableRow) -> None:
    if row.get("system_type") is None:
        kinds = {"SequenceComponent": "sequence", "ContainerComponent": "container"}
        row["system_type"] = kinds.get(entity.name, "file")


def _note(batch: BatchRun, entity: EntityType, row: MutableRow) -> None:
    _now(batch, row, "date")
    _me(batch, row)
    row.setdefault("content", "")
    row["thread_activity"] = row["date"]
    replied = batch.row("Note", row["in_reply_to_id"]) if row.get("in_reply_to_id") else None
    if replied is not None:
        for name in ("parent_id", "parent_type", "project_id", "category_id"):
            if row.get(name) is None:
                row[name] = replied[name]
        batch.write(entity, replied["id"], {"thread_activity": row["date"]})
    _place_note(batch, row)


def _place_note(batch: BatchRun, row: MutableRow) -> None:
    """A note knows the type of what it hangs on, and its project."""
    if row.get("parent_id") is None:
        return
    kind = table_type(batch.schema, row.get("parent_type"))
    parent = batch.row(kind, row["parent_id"]) if kind else None
    if parent is None:
        for kind in ("Context", "AssetVersion", "ReviewSessionObject", "List", "User"):
            parent = batch.row(kind, row["parent_id"])
            if parent is not None:
                break
    if parent is None:
        raise ApiError("IntegrityError", f"A note's parent does not exist: {row['parent_id']!r}.")
    row["parent_type"] = parent["__type__"]
    if row.get("project_id") is None:
        links = batch.parents_chain(parent["__type__"], row["parent_id"])
        row["project_id"] = links[-1].entity_id if links and links[-1].entity_type == "Project" else None


def _user(batch: BatchRun, entity: EntityType, row: MutableRow) -> None:
    if entity.name == "Group":
        row["resource_type"] = "group"
        row["local"] = row.get("local") or 0
        return
    row["resource_type"] = "user" if entity.name == "User" else "collaborator"
    if entity.name != "User":
        return
    if not row.get("username"):
        row["username"] = row.get("email") or f"user_{row['id'][:8]}"
    for name, value in (
        ("is_active", 1),
        ("require_details_update", 0),
        ("is_otp_enabled", 0),
        ("is_totp_enabled", 0),
        ("first_name", ""),
        ("last_name", ""),
    ):
        if row.get(name) is None:
            row[name] = value
    if row.get("user_type_id") is None:
        kinds = batch.select('SELECT id FROM "UserType" ORDER BY __n__ LIMIT 1')
        row["user_type_id"] = kinds[0][0] if kinds else None


def _list(batch: BatchRun, entity: EntityType, row: MutableRow) -> None:
    row["system_type"] = {"AssetVersionList": "assetversion"}.get(entity.name, "task")
    _me(batch, row)
    _now(batch, row, "date")
    if row.get("project_id") is None:
        raise ApiError("IntegrityError", f"{entity.name} {row.get('name')!r} needs a project.")


def _job(batch: BatchRun, entity: EntityType, row: MutableRow) -> None:
    _me(batch, row)
    _finish_job(batch, row, row)


def _finish_job(batch: BatchRun, row: MutableRow, new: MutableRow) -> None:
    status = new.get("status")
    if status is not None and status not in ("queued", "running", "done", "failed"):
        raise ApiError("ValidationError", f'Job.status must be queued, running, done or failed. Got "{status}".')
    if status in ("done", "failed") and row.get("finished_at") is None:
        new["finished_at"] = batch.stamp


def _timed(batch: BatchRun, entity: EntityType, row: MutableRow) -> None:
    _me(batch, row)
    _now(batch, row, "start")
    if entity.name == "Timelog" and row.get("duration") is None:
        row["duration"] = 0.0


def _appointment(batch: BatchRun, entity: EntityType, row: MutableRow) -> None:
    if row.get("type") is None:
        row["type"] = "assignment"
    for name in ("resource_id", "context_id"):
        if row.get(name) is None:
            raise ApiError("IntegrityError", f"{entity.name} needs a {name}.")


def _session_object(batch: BatchRun, entity: EntityType, row: MutableRow) -> None:
    if row.get("sort_order") is None:
        row["sort_order"] = 0.0
    if not row.get("version") and row.get("version_id"):
        version = batch.row("AssetVersion", row["version_id"])
        row["version"] = f"Version {version['version']}" if version else ""


def _session(batch: BatchRun, entity: EntityType, row: MutableRow) -> None:
    _now(batch, row, "start_date")
    if row.get("end_date") is None:
        row["end_date"] = stamp(batch.time + 30 * 86_400)
    for name in ("is_moderated", "passphrase_enabled", "shareable_url_enabled"):
        if row.get(name) is None:
            row[name] = 0
    row["is_open"] = 1


def _owner_type(batch: BatchRun, entity: EntityType, row: MutableRow) -> None:
    """Metadata and settings say what they hang on."""
    if row.get("parent_id") is None or row.get("parent_type") is not None:
        return
    for kind in ("Context", "AssetVersion", "Component", "Asset", "Resource", "Note", "TypedContextLink"):
        parent = batch.row(kind, row["parent_id"])
        if parent is not None:
            row["parent_type"] = parent["__type__"]
            return


def _now(batch: BatchRun, row: MutableRow, name: str) -> None:
    if row.get(name) is None:
        row[name] = batch.stamp


def _me(batch: BatchRun, row: MutableRow) -> None:
    if row.get("user_id") is None:
        row["user_id"] = batch.identity.user_id or None


def _configuration(batch: BatchRun, entity: EntityType, row: MutableRow) -> None:
    if row.get("config") is None:
        row["config"] = "{}"
    if row.get("core") is None:
        row["core"] = 0


_Before = Callable[["BatchRun", EntityType, MutableRow], EntityType | None]
_BEFORE: dict[str, _Before] = {
    "Context": _context,
    "Asset": _asset,
    "AssetVersion": _version,
    "Component": _component,
    "Note": _note,
    "Resource": _user,
    "List": _list,
    "Job": _job,
    "Timer": _timed,
    "Timelog": _timed,
    "Appointment": _appointment,
    "ReviewSession": _session,
    "ReviewSessionObject": _session_object,
    "Metadata": _owner_type,
    "EntitySetting": _owner_type,
    "CustomConfigurationBase": _configuration,
}


# After create


def after_create(batch: BatchRun, entity: EntityType, row: MutableRow) -> None:
    """Rows that follow from a new one."""
    if entity.root == "Note":
        _author_receives(batch, row)
    elif entity.root == "NoteLabelLink":
        _categorise(batch, row)
    elif entity.name == "CustomAttributeConfiguration":
        _comparable_default(batch, row)


def _author_receives(batch: BatchRun, row: MutableRow) -> None:
    if row.get("user_id") and batch.row("Recipient", f"{row['id']},{row['user_id']}") is None:
        batch.create("Recipient", {"note_id": row["id"], "resource_id": row["user_id"]})


def _categorise(batch: BatchRun, row: MutableRow) -> None:
    label = batch.row("NoteLabel", row["label_id"])
    if label is not None and label["__type__"] == "NoteCategory":
        batch.write(batch.schema["Note"], row["note_id"], {"category_id": row["label_id"]})


def _comparable_default(batch: BatchRun, row: MutableRow) -> None:
    default = None if row.get("default") is None else json.loads(row["default"])
    batch.connection.execute(
        'UPDATE "CustomConfigurationBase" SET __default_text__ = ? WHERE id = ?', (custom_text(default), row["id"])
    )


# Update


def before_update(batch: BatchRun, entity: EntityType, row: MutableRow, changed: MutableRow) -> MutableRow:
    """Add what the server changes along, refuse what cannot be."""
    if entity.root == "Context":
        if "name" in changed:
            _named(entity, changed)
        if "parent_id" in changed:
            _move(batch, entity, row, changed)
    elif entity.root == "Job":
        _finish_job(batch, row, changed)
    elif entity.root == "Note" and "parent_id" in changed:
        placed = {**row, **changed, "project_id": None}
        _place_note(batch, placed)
        changed |= {name: placed[name] for name in ("parent_type", "project_id") if placed[name] != row[name]}
    if entity.root in _TWINS:
        one, other = _TWINS[entity.root]
        for name, twin in ((one, other), (other, one)):
            if name in changed:
                changed[twin] = changed[name]
    return changed


def _move(batch: BatchRun, entity: EntityType, row: MutableRow, changed: MutableRow) -> None:
    if entity.name == "Project":
        raise ApiError("ValidationError", "A project has no parent.")
    parent = batch.row("Context", changed["parent_id"]) if changed["parent_id"] else None
    if parent is None:
        raise ApiError("IntegrityError", f"{entity.name} {row['name']!r} needs a parent that exists.")
    step: MutableRow | None = parent
    while step is not None:
        if step["id"] == row["id"]:
            raise ApiError("ValidationError", f"{entity.name} {row['name']!r} cannot be moved below itself.")
        step = batch.row("Context", step["parent_id"]) if step["parent_id"] else None
    if parent["project_id"] != row["project_id"]:
        changed["project_id"] = parent["project_id"]


def after_update(
    batch: BatchRun, entity: EntityType, row: MutableRow, old: Mapping[str, Any], new: Mapping[str, Any]
) -> None:
    """Rows that follow from a change."""
    if entity.root in _WORKFLOW_ROOTS:
        batch.workflows.clear()
    if "status_id" in new and entity.root in ("Context", "AssetVersion"):
        is_version = entity.root == "AssetVersion"
        batch.create(
            "AssetVersionStatusChange" if is_version else "TypedContextStatusChange",
            {
                "parent_id": row["id"],
                "parent_type": "assetversion" if is_version else "task",
                "date": batch.stamp,
                "status_id": new["status_id"],
                "from_status_id": old["status_id"],
                "user_id": batch.identity.user_id or None,
            },
        )
    elif entity.root == "Context" and "project_id" in new and entity.name != "Project":
        for table, column in (("Context", "parent_id"), ("Asset", "context_id")):
            for (child,) in batch.select(f'SELECT id FROM "{table}" WHERE "{column}" = ?', (row["id"],)):
                batch.write(batch.schema[table], child, {"project_id": new["project_id"]})
    elif entity.root == "Asset" and "project_id" in new:
        for (version,) in batch.select('SELECT id FROM "AssetVersion" WHERE asset_id = ?', (row["id"],)):
            batch.write(batch.schema["AssetVersion"], version, {"project_id": new["project_id"]})
    elif entity.name == "CustomAttributeConfiguration" and "default" in new:
        _comparable_default(batch, row)


def kept_members(batch: BatchRun, attribute: Attribute, owner_id: str) -> set[str]:
    """Members that stay in a collection even when a client's list lacks them: a note's author receives it."""
    if attribute.name != "recipients":
        return set()
    note = batch.require("Note", owner_id)
    return {f"{owner_id},{note['user_id']}"}


def adoption(batch: BatchRun, attribute: Attribute, owner_id: str) -> MutableRow:
    """What changes on an entity that is put into a collection."""
    values: MutableRow = {attribute.target_column: owner_id}
    if attribute.where:
        values[attribute.where[0]] = attribute.where[1]
    if attribute.name == "replies":
        owner = batch.require("Note", owner_id)
        values |= {name: owner[name] for name in ("parent_id", "parent_type", "project_id")}
    return values


# Delete


def delete(batch: BatchRun, entity: EntityType, entity_id: str) -> None:
    """Delete an entity: refuse, cascade, empty the columns that pointed at it, remove the row."""
    schema, root = batch.schema, entity.root
    for table, column in RESTRICTED.get(root, ()):
        if batch.select(f'SELECT 1 FROM "{table}" WHERE "{column}" = ? LIMIT 1', (entity_id,)):
            raise ApiError(
                "IntegrityError", f"{entity.name} {entity_id!r} cannot be deleted: {table}.{column} still refers to it."
            )
    parents = batch.parents_chain(entity.name, entity_id)
    for table, column in CASCADES.get(root, ()):
        target = schema[table]
        keys = ", ".join(f'"{name}"' for name in target.primary_key)
        for key in batch.select(f'SELECT {keys} FROM "{table}" WHERE "{column}" = ?', (entity_id,)):
            child = ",".join(str(part) for part in key)
            if (table, child) != (root, entity_id) and batch.row(table, child) is not None:
                batch.delete(table, child)
    _empty_references(batch, root, entity_id)
    batch.connection.execute(f'DELETE FROM "{LINK_TABLE}" WHERE own_id = ? OR other_id = ?', (entity_id, entity_id))
    if root in VALUE_OWNERS.values():
        batch.connection.execute(f'DELETE FROM "{RAW_VALUES}" WHERE entity_id = ?', (entity_id,))
    elif root == "CustomConfigurationBase":
        batch.connection.execute(f'DELETE FROM "{RAW_VALUES}" WHERE configuration_id = ?', (entity_id,))
    batch.remove_row(entity, entity_id, parents)
    if root in _WORKFLOW_ROOTS:
        batch.workflows.clear()


def _empty_references(batch: BatchRun, root: str, entity_id: str) -> None:
    cascaded = CASCADES.get(root, ())
    for table, column in batch.schema.foreign_keys.get(root, ()):
        if (table, column) in cascaded:
            continue
        target = batch.schema[table]
        if column in target.primary_key:
            continue
        keys = ", ".join(f'"{name}"' for name in target.primary_key)
        for key in batch.select(f'SELECT {keys} FROM "{table}" WHERE "{column}" = ?', (entity_id,)):
            child = ",".join(str(part) for part in key)
            if (table, child) != (root, entity_id):
                batch.write(target, child, {column: None})
