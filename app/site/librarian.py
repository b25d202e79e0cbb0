"""The librarian: finds out what the ids in events are called, so that the window can say what happened in words."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from app.journal.rows import NameRow
from app.site.types import SiteRefusal

log = logging.getLogger("signalbox.librarian")

_EVENTS_A_TURN = 400
_IDS_A_QUERY = 200
#: Ids that nobody could name (deleted, invisible) are not asked for again and again.
_NAMELESS = 20_000

#: Legacy table of an event -> (schema id to query, projections).
_TABLES: Mapping[str, tuple[str, str]] = {
    "task": ("TypedContext", "id, name, context_type, parent.name, parent.context_type"),
    "show": ("Project", "id, name, full_name"),
    "assetversion": ("AssetVersion", "id, version, asset.name, asset.parent.name"),
    "asset": ("Asset", "id, name, parent.name"),
    "user": ("User", "id, username, first_name, last_name"),
    "list": ("List", "id, name"),
    "reviewsession": ("ReviewSession", "id, name"),
}
_KEYS: Mapping[str, str] = {
    "statusid": "Status",
    "typeid": "Type",
    "priorityid": "Priority",
    "object_typeid": "ObjectType",
}


class Names(Protocol):
    """What the librarian needs of the journal."""

    def stored_events(self, after: int, limit: int) -> Sequence[Any]:
        """Events after a row, with their payload."""

    def name_of(self, entity_id: str) -> str | None:
        """The known label of an id."""

    def learn_names(self, rows: Iterable[NameRow]) -> None:
        """Remember names."""


class Librarian:
    """Learns names in batches. Used by one thread.

    Args:
        journal: Has the events, keeps the names.
        site: The calling thread's door.
        after: Row of the last event that needs no names.
    """

    def __init__(self, journal: Names, site: Callable[[], Any], after: int = 0) -> None:
        self._journal = journal
        self._site = site
        self._after = after
        self._prepared = False
        self._nameless: set[str] = set()

    def turn(self) -> bool:
        """Look at the next events; whether there may be more. Raises SiteUnreachable."""
        if not self._prepared:
            self._prepare()
        events = self._journal.stored_events(self._after, _EVENTS_A_TURN)
        if not events:
            return False
        wanted: dict[str, set[str]] = {}
        for event in events:
            renamed = named_anew(event.raw)
            for table, entity_id in mentioned(event.raw):
                known = entity_id not in renamed and self._journal.name_of(entity_id) is not None
                if not known and entity_id not in self._nameless:
                    wanted.setdefault(table, set()).add(entity_id)
        for table, ids in wanted.items():
            self._learn(table, sorted(ids))
        self._after = events[-1].id
        return len(events) == _EVENTS_A_TURN

    def _prepare(self) -> None:
        """What every event mentions and what hardly changes."""
        rows: list[NameRow] = []
        for entity_type in ("Status", "Type", "Priority", "ObjectType"):
            rows += [
                NameRow(row["id"], entity_type, row.get("name") or "")
                for row in self._site().rows(f"select id, name from {entity_type}")
            ]
        for table in ("show", "user"):
            entity_type, projections = _TABLES[table]
            rows += [named(table, row) for row in self._site().rows(f"select {projections} from {entity_type}")]
        self._journal.learn_names(rows)
        self._prepared = True

    def _learn(self, table: str, ids: list[str]) -> None:
        entity_type, projections = _TABLES.get(table, (table, "id, name"))
        for start in range(0, len(ids), _IDS_A_QUERY):
            part = ids[start : start + _IDS_A_QUERY]
            listed = ", ".join(f'"{entity_id}"' for entity_id in part)
            try:
                found = self._site().rows(f"select {projections} from {entity_type} where id in ({listed})")
            except SiteRefusal as error:
                log.debug("names of %s cannot be read: %s", entity_type, error)
                found = []
            self._journal.learn_names([named(table, row) for row in found])
            if len(self._nameless) > _NAMELESS:
                self._nameless.clear()
            self._nameless.update(set(part) - {row["id"] for row in found})


def mentioned(payload: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """(legacy table or schema id, id) of everything an update event speaks of."""
    data = payload.get("data")
    entities = data.get("entities") if isinstance(data, Mapping) else None
    for entity in entities if isinstance(entities, list) else ():
        if not isinstance(entity, Mapping):
            continue
        yield from _step(entity)
        for step in entity.get("parents") or ():
            if isinstance(step, Mapping):
                yield from _step(step)
        changes = entity.get("changes")
        for key, pair in changes.items() if isinstance(changes, Mapping) else ():
            if key in _KEYS and isinstance(pair, Mapping):
                for value in (pair.get("old"), pair.get("new")):
                    if isinstance(value, str) and value:
                        yield _KEYS[key], value


def named_anew(payload: Mapping[str, Any]) -> set[str]:
    """Ids of what was added, renamed or moved: the event tells a name, but not below what it now stands."""
    data = payload.get("data")
    entities = data.get("entities") if isinstance(data, Mapping) else None
    found: set[str] = set()
    for entity in entities if isinstance(entities, list) else ():
        if not isinstance(entity, Mapping) or not isinstance(entity.get("entityId"), str):
            continue
        changes = entity.get("changes")
        if entity.get("action") in {"add", "move"} or (isinstance(changes, Mapping) and "name" in changes):
            found.add(entity["entityId"])
    return found


def _step(step: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    table, entity_id = step.get("entityType"), step.get("entityId")
    if table in _TABLES and isinstance(entity_id, str) and entity_id:
        yield str(table), entity_id


def named(table: str, row: Mapping[str, Any]) -> NameRow:
    """A row of one of the queries as a name."""
    kind = str(row.get("__entity_type__") or _TABLES.get(table, (table, ""))[0])
    if table == "assetversion":
        asset = row.get("asset") or {}
        name = f"v{int(row.get('version') or 0):03d}"
        shot = (asset.get("parent") or {}).get("name") or ""
        return NameRow(row["id"], kind, name, " ".join(part for part in (shot, asset.get("name"), name) if part))
    if table == "user":
        full = f"{row.get('first_name') or ''} {row.get('last_name') or ''}".strip()
        return NameRow(row["id"], kind, row.get("username") or "", full)
    name = str(row.get("name") or "")
    parent = row.get("parent") or {}
    above = parent.get("name") if parent.get("context_type") != "show" else None
    return NameRow(row["id"], kind, name, f"{above} {name}" if above else name)
