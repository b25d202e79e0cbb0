"""Answers of the site as plain Python values: no entity objects, so nothing is cached, merged or loaded later."""

from __future__ import annotations

import datetime as dt
from typing import Any

Row = dict[str, Any]

#: What a parser of JSON nests: scalars, most of an answer by far, are passed over without a call.
_NESTED = frozenset((dict, list))


def plain(value: Any) -> Any:
    """Decode date-times (aware, UTC) and dates in a parsed answer, and complete entities that were told twice.

    The site may tell an entity in full only the first time it occurs in an answer and by its key afterwards.
    """
    known: dict[tuple[str, str], Row] = {}
    keys: list[tuple[tuple[str, str], Row]] = []
    decoded = _decode(value, known, keys)
    for identity, row in keys:
        for name, item in known[identity].items():
            row.setdefault(name, item)
    return decoded


def _decode(value: Any, known: dict[tuple[str, str], Row], keys: list[tuple[tuple[str, str], Row]]) -> Any:
    """A value of the parser's own types; fills ``known`` with entities in full and ``keys`` with those told by key."""
    if value.__class__ is list:
        return [_decode(item, known, keys) if item.__class__ in _NESTED else item for item in value]
    if value.__class__ is not dict:
        return value
    kind = value.get("__type__")
    if kind == "datetime":
        return instant(value["value"])
    if kind == "date":
        return dt.date.fromisoformat(str(value["value"])[:10])
    row = {name: _decode(item, known, keys) if item.__class__ in _NESTED else item for name, item in value.items()}
    name, key = row.get("__entity_type__"), row.get("id")
    if isinstance(name, str) and isinstance(key, str):
        identity = (name, key)
        if len(row) > len(known.setdefault(identity, row)):
            known[identity] = row
        if len(row) == 2:
            keys.append((identity, row))
    return row


def instant(text: Any) -> dt.datetime | None:
    """A date-time of the wire: naive is UTC. None stays None."""
    if text is None:
        return None
    moment = dt.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
