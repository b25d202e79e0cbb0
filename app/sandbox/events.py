"""``ftrack.update``: what a commit looks like to those who listen (ftrack protocol, section 2.3).

One event a commit, with one item an entity: legacy names, old and new values, the parents up to the project. Custom
attributes appear under their key on the entity that owns them, their values as text.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from app.sandbox.contract import Commit, EntityChange, Identity, Json, ParentLink, Site, Value

TOPIC = "ftrack.update"

_CLIENT_WITH_TOKEN = "ftrack.client.web"  # noqa: S105 - an application id, not a secret
_CLIENT_WITHOUT_TOKEN = "ftrack.api.python"  # noqa: S105 - an application id, not a secret

# Rows the server keeps for itself: history is told of by the change it records, never as an entity of its own.
_UNTOLD = frozenset({"StatusChange", "TypedContextStatusChange", "AssetVersionStatusChange", "Event", "Feed"})

# What ftrack's own table of contexts adds to an added or removed task and no schema shows.
_TASK_INTERNALS: Mapping[str, Json] = {"isopen": True, "isrequirecomment": False}


def update_event(site: Site, commit: Commit) -> dict[str, Any] | None:
    """The event of a commit; None where nothing in it is told of."""
    told = [change for change in commit.changes if change.entity_type not in _UNTOLD]
    if not told:
        return None
    entities = [_entity(site, change) for change in told]
    parents: dict[str, None] = {}
    for change in told:
        parents.update(dict.fromkeys(link.entity_id for link in change.parents))
    identity = commit.identity
    token = identity.client_token or uuid.uuid4().hex
    return {
        "id": uuid.uuid4().hex,
        "topic": TOPIC,
        "data": {
            "pushToken": identity.push_token or uuid.uuid4().hex,
            "clientToken": token,
            "user": {"userid": identity.user_id, "name": _full_name(site, identity)},
            "parents": list(parents),
            "entities": entities,
        },
        "source": {
            "id": token,
            "clientToken": token,
            "applicationId": _CLIENT_WITH_TOKEN if identity.client_token else _CLIENT_WITHOUT_TOKEN,
            "user": {"username": identity.username, "id": identity.user_id},
        },
        "target": "",
        "sent": None,
        "inReplyToEvent": None,
    }


def _full_name(site: Site, identity: Identity) -> str:
    row = site.reader.row("User", identity.user_id) or {}
    parts = (row.get("first_name"), row.get("last_name"))
    return " ".join(str(part) for part in parts if part) or identity.username


def _entity(site: Site, change: EntityChange) -> dict[str, Any]:
    event_type = site.event_type(change.entity_type)
    changes = _changes(site, change, event_type)
    entity: dict[str, Any] = {
        "action": change.action,
        "entityType": event_type,
        "entity_type": change.entity_type,
        "entityId": change.entity_id,
        "parentId": change.parents[0].parent_id if change.parents else change.row.get("parent_id"),
        "keys": list(changes),
        "changes": changes,
        "parents": [_parent(site, link) for link in change.parents],
    }
    if change.row.get("object_type_id"):
        entity["objectTypeId"] = change.row["object_type_id"]
    return entity


def _parent(site: Site, link: ParentLink) -> dict[str, Any]:
    return {
        "entityId": link.entity_id,
        "entityType": site.event_type(link.entity_type),
        "entity_type": link.entity_type,
        "parentId": link.parent_id,
    }


def _changes(site: Site, change: EntityChange, event_type: str) -> dict[str, dict[str, Json]]:
    changes: dict[str, dict[str, Json]] = {}
    partial = change.action in ("update", "move")
    for column in {**change.old, **change.new}:
        old = _encoded(site, change.entity_type, column, change.old.get(column))
        new = _encoded(site, change.entity_type, column, change.new.get(column))
        # A whole row says nothing with the columns that hold nothing.
        if column.startswith("__") or (not partial and old is None and new is None):
            continue
        changes[site.legacy_name(change.entity_type, column)] = {"old": old, "new": new}
    if event_type == "task" and not partial:
        whole: dict[str, Json] = {"id": change.entity_id, "taskid": change.entity_id, **_TASK_INTERNALS}
        for key, value in whole.items():
            changes[key] = {"old": None, "new": value} if change.action == "add" else {"old": value, "new": None}
    for key, (old_value, new_value) in change.custom.items():
        changes[key] = {"old": custom_text(old_value), "new": custom_text(new_value)}
    return changes


def _encoded(site: Site, entity_type: str, column: str, value: Value) -> Json:
    """A column's value as events carry it: booleans as such, date-times as ISO text with microseconds."""
    if value is None:
        return None
    kind = site.attribute_kind(entity_type, column)
    if kind == "boolean":
        return bool(value)
    if kind == "date-time" and isinstance(value, str):
        return value if "." in value else f"{value}.000000"
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value


def custom_text(value: Json) -> str:
    """A custom attribute's value in an event: text, booleans ``1`` and ``0``, several choices joined by commas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return ",".join(custom_text(item) for item in value)
    if isinstance(value, dict):
        # Date-times and dates travel as {"__type__", "value"} elsewhere; events carry the bare text.
        return str(value["value"]) if "value" in value else json.dumps(value, sort_keys=True)
    return str(value)
