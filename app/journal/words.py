"""What an event says, in words and known names: "BC_0010 animation: status Ready for Lighting"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.rules.words import many

# What comes here was read from JSON: it is asked for `dict`, not for `Mapping`, which costs ten times as much.
#: Gives the label of an id, None when it is not known.
Namer = Callable[[str], str | None]

_LONGEST = 200
_KEYS = {
    "statusid": "status",
    "typeid": "type",
    "priorityid": "priority",
    "thumbid": "thumbnail",
    "startdate": "start",
    "enddate": "end",
    "showid": "project",
    "taskid": "task",
    "assetid": "asset",
    "ispublished": "published",
    "parent_id": "parent",
    "listid": "list",
    "userid": "user",
    "object_typeid": "object type",
}
#: Keys that say nothing to a person who reads "task added".
_SILENT = {"isopen", "isrequirecomment", "id", "sort", "context_type", "created_at", "created_by"}
_VERBS = {"add": "added", "remove": "removed", "move": "moved", "update": "changed"}
_PLURALS = {"list entry": "list entries", "entity": "entities", "component's place": "components' places"}
_TYPES = {
    "show": "project",
    "appointment": "assignment",
    "assetbuild": "asset build",
    "assetversion": "version",
    "assetversionlist": "list",
    "componentlocation": "component's place",
    "filecomponent": "file",
    "listobject": "list entry",
    "reviewsession": "review session",
}


@dataclass(frozen=True, slots=True)
class Summary:
    """What the list of events shows of one event, and by what it is searched."""

    words: str
    project_id: str
    project: str
    entity_id: str
    entity: str
    user: str


def summarise(payload: Mapping[str, Any], name_of: Namer) -> Summary:
    """Words, project, entity and user of an event; unknown ids are left out rather than shown raw."""
    data = payload.get("data")
    data = data if isinstance(data, dict) else {}
    user = _user(payload, data, name_of)
    topic = str(payload.get("topic") or "")
    entities = [entity for entity in _list(data.get("entities")) if isinstance(entity, dict)]
    if topic == "ftrack.update" and entities:
        return _update(entities, user, name_of)
    selection = [item for item in _list(data.get("selection")) if isinstance(item, dict)]
    first = str(selection[0].get("entityId") or "") if selection else ""
    entity = (name_of(first) or "") if first else ""
    words = str(data.get("words") or "")
    if not words:
        action = str(data.get("actionIdentifier") or "")
        subject = entity or (f"{len(selection)} selected" if selection else "")
        words = " ".join(part for part in (topic, action, f"on {subject}" if subject else "") if part)
    return Summary(words[:_LONGEST], "", "", first, entity, user)


def _update(entities: Sequence[Mapping[str, Any]], user: str, name_of: Namer) -> Summary:
    first = entities[0]
    entity_id = str(first.get("entityId") or "")
    project_id = next(
        (str(step.get("entityId")) for step in reversed(_list(first.get("parents"))) if _is_project(step)), ""
    )
    entity = _entity(first, name_of)
    words = _one(first, entity, name_of)
    if len(entities) > 1:
        kinds = Counter(_kind(each) for each in entities)
        counts = ", ".join(many(number, kind, _PLURALS.get(kind, "")) for kind, number in kinds.items())
        actions = {str(each.get("action")) for each in entities}
        if actions in ({"add"}, {"remove"}):
            words = f"{counts} {_verb(first)}"
        elif len(actions) == len(kinds) == 1:
            words = f"{counts}: {_what(first, name_of) or _verb(first)}"
        else:
            words = f"{words} (and {len(entities) - 1} more)"
    return Summary(words[:_LONGEST], project_id, name_of(project_id) or "", entity_id, entity, user)


def _one(entity: Mapping[str, Any], label: str, name_of: Namer) -> str:
    what = _what(entity, name_of)
    subject = label or _kind(entity)
    if str(entity.get("action")) == "update" and what:
        return f"{subject}: {what}"
    return f"{subject}: {_kind(entity)} {_verb(entity)}" if label else f"{subject} {_verb(entity)}"


def _what(entity: Mapping[str, Any], name_of: Namer) -> str:
    """The changed keys of an update: "status Approved, bid 8 h"; ftrack sends bids in seconds."""
    changes = entity.get("changes")
    if str(entity.get("action")) not in {"update", "move"} or not isinstance(changes, dict):
        return ""
    parts = []
    for key, pair in changes.items():
        if key in _SILENT or not isinstance(pair, dict):
            continue
        new = pair.get("new")
        shown = name_of(new) if isinstance(new, str) and len(new) > 30 else new
        if key == "bid" and isinstance(new, int | float):
            shown = f"{new / 3600:g} h"
        said = _KEYS.get(str(key), str(key))
        parts.append(
            f"{said} {shown}" if shown not in (None, "") else (f"{said} changed" if new else f"{said} cleared")
        )
    return ", ".join(parts)


def _entity(entity: Mapping[str, Any], name_of: Namer) -> str:
    known = name_of(str(entity.get("entityId") or ""))
    if known:
        return known
    changes = entity.get("changes")
    own = ""
    if isinstance(changes, dict) and isinstance(changes.get("name"), dict):
        own = str(changes["name"].get("new") or changes["name"].get("old") or "")
    parents = _list(entity.get("parents"))
    parent = parents[1] if len(parents) > 1 and isinstance(parents[1], dict) else None
    above = name_of(str(parent.get("entityId") or "")) if parent and not _is_project(parent) else None
    return " ".join(part for part in (above, own) if part)


def _user(payload: Mapping[str, Any], data: Mapping[str, Any], name_of: Namer) -> str:
    teller = data.get("user")
    if isinstance(teller, dict) and teller.get("name"):
        return str(teller["name"])
    source = payload.get("source")
    who = source.get("user") if isinstance(source, dict) else None
    if isinstance(who, dict):
        return name_of(str(who.get("id") or "")) or str(who.get("username") or "")
    return ""


def _kind(entity: Mapping[str, Any]) -> str:
    concrete = str(entity.get("entity_type") or "")
    table = str(entity.get("entityType") or "")
    plain = (concrete or table or "entity").lower()
    return _TYPES.get(table) or _TYPES.get(plain, plain)


def _verb(entity: Mapping[str, Any]) -> str:
    return _VERBS.get(str(entity.get("action")), str(entity.get("action") or "changed"))


def _is_project(step: Any) -> bool:
    return isinstance(step, dict) and (step.get("entityType") == "show" or step.get("entity_type") == "Project")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
