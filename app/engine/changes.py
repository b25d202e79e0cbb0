"""From an `ftrack.update` event to the changes in it, and between changes and the journal's JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, cast

from app.engine.protocol import Change, Doing, Parent
from app.journal.events import StoredEvent

__all__ = ["change_from_json", "change_to_json", "moment", "payload_of", "split"]

_ACTIONS = {"add", "update", "move", "remove"}
UPDATE = "ftrack.update"


def moment(seconds: float) -> dt.datetime:
    """UTC epoch seconds as an aware moment."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def split(event: StoredEvent) -> list[Change]:
    """The changes of an event, one an entity. Events of other topics and entities without an id have none."""
    data = event.raw.get("data")
    if event.topic != UPDATE or not isinstance(data, Mapping):
        return []
    user_id, username = _who(event.raw, data)
    found = []
    entities = data.get("entities")
    for index, entity in enumerate(entities if isinstance(entities, list) else []):
        if not isinstance(entity, Mapping) or not isinstance(entity.get("entityId"), str):
            continue
        action = str(entity.get("action") or "update")
        if action not in _ACTIONS:
            continue
        parents = _parents(entity)
        found.append(
            Change(
                event_row=event.id,
                event_id=event.event_id,
                index=index,
                action=cast(Doing, action),
                entity_type=str(entity.get("entity_type") or ""),
                table=str(entity.get("entityType") or ""),
                entity_id=entity["entityId"],
                changes=_changes(entity),
                parents=parents,
                project_id=next((step.entity_id for step in reversed(parents) if step.table == "show"), None),
                user_id=user_id,
                username=username,
                received=moment(event.received),
                occurred=moment(event.occurred) if event.occurred is not None else None,
                origin="catch_up" if event.origin == "catch_up" else "hub",
            )
        )
    return found


def _who(raw: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[str | None, str | None]:
    source = raw.get("source")
    user = source.get("user") if isinstance(source, Mapping) else None
    teller = data.get("user")
    user_id = user.get("id") if isinstance(user, Mapping) else None
    username = user.get("username") if isinstance(user, Mapping) else None
    if not user_id and isinstance(teller, Mapping):
        user_id = teller.get("userid")
    return (str(user_id) if user_id else None, str(username) if username else None)


def _parents(entity: Mapping[str, Any]) -> tuple[Parent, ...]:
    parents = entity.get("parents")
    chain = []
    for step in parents if isinstance(parents, list) else []:
        if isinstance(step, Mapping) and isinstance(step.get("entityId"), str):
            parent_id = step.get("parentId")
            chain.append(
                Parent(
                    str(step.get("entity_type") or ""),
                    str(step.get("entityType") or ""),
                    step["entityId"],
                    str(parent_id) if parent_id else None,
                )
            )
    return tuple(chain)


def _changes(entity: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    changes = entity.get("changes")
    if not isinstance(changes, Mapping):
        return {}
    return {str(key): (pair.get("old"), pair.get("new")) for key, pair in changes.items() if isinstance(pair, Mapping)}


def change_to_json(change: Change) -> dict[str, Any]:
    """A change as the journal keeps it beside its run."""
    return {
        "event_row": change.event_row,
        "event_id": change.event_id,
        "index": change.index,
        "action": change.action,
        "entity_type": change.entity_type,
        "table": change.table,
        "entity_id": change.entity_id,
        "changes": {key: list(pair) for key, pair in change.changes.items()},
        "parents": [[step.entity_type, step.table, step.entity_id, step.parent_id] for step in change.parents],
        "project_id": change.project_id,
        "user_id": change.user_id,
        "username": change.username,
        "received": change.received.timestamp(),
        "occurred": change.occurred.timestamp() if change.occurred is not None else None,
        "origin": change.origin,
        "depth": change.depth,
    }


def change_from_json(data: Mapping[str, Any]) -> Change:
    """The change that `change_to_json` wrote."""
    return Change(
        event_row=data["event_row"],
        event_id=data["event_id"],
        index=data["index"],
        action=data["action"],
        entity_type=data["entity_type"],
        table=data["table"],
        entity_id=data["entity_id"],
        changes={key: (pair[0], pair[1]) for key, pair in data["changes"].items()},
        parents=tuple(Parent(*step) for step in data["parents"]),
        project_id=data["project_id"],
        user_id=data["user_id"],
        username=data["username"],
        received=moment(data["received"]),
        occurred=moment(data["occurred"]) if data["occurred"] is not None else None,
        origin=data["origin"],
        depth=data["depth"],
    )


def payload_of(change: Change, *, dry: bool) -> dict[str, Any]:
    """A synthetic change in the shape of an event, so that it is kept, shown and split like any other.

    Args:
        change: What a catch-up found.
        dry: Whether its runs only plan, for a person to release.
    """
    return {
        "id": change.event_id,
        "topic": UPDATE,
        "sent": None,
        "target": "",
        "inReplyToEvent": None,
        "source": {"id": "signalbox", "user": {"id": change.user_id, "username": change.username}},
        "data": {
            "signalbox": {"dry": dry},
            "entities": [
                {
                    "action": change.action,
                    "entityType": change.table,
                    "entity_type": change.entity_type,
                    "entityId": change.entity_id,
                    "keys": list(change.changes),
                    "changes": {key: {"old": old, "new": new} for key, (old, new) in change.changes.items()},
                    "parents": [
                        {
                            "entityId": step.entity_id,
                            "entityType": step.table,
                            "entity_type": step.entity_type,
                            "parentId": step.parent_id,
                        }
                        for step in change.parents
                    ],
                }
            ],
        },
    }
