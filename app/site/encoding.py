"""Answers of the site as plain Python values: no entity objects, so nothing is cached, merged or loaded later."""

from __future__ import annotations

import datetime as dt
from typing import Any

Row = dict[str, Any]


def plain(value: Any) -> Any:
    """Decode date-times (aware, UTC) and dates in a parsed answer, and complete entities that were told twice.

    The site may tell an entity in full only the first time it occurs in an answer and by its key afterwards.
    """
    known: dict[tuple[str, str], Row] = {}
    decoded = _decode(value, known)
    _complete(decoded, known, set())
    return decoded


def _decode(value: Any, known: dict[tuple[str, str], Row]) -> Any:
    if isinstance(value, list):
        return [_decode(item, known) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("__type__")
    if kind == "datetime":
        return instant(value["value"])
    if kind == "date":
        return dt.date.fromisoformat(str(value["value"])[:10])
    row = {key: _decode(item, known) for key, item in value.items()}
    identity = _identity(row)
    if identity is not None:
        first = known.setdefault(identity, row)
        if first is not row and len(row) > len(first):
            known[identity] = row
    return row


def instant(text: Any) -> dt.datetime | None:
    """A date-time of the wire: naive is UTC. None stays None."""
    if text is None:
        return None
    moment = dt.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _identity(row: Row) -> tuple[str, str] | None:
    kind, key = row.get("__entity_type__"), row.get("id")
    return (kind, key) if isinstance(kind, str) and isinstance(key, str) else None


def _complete(value: Any, known: dict[tuple[str, str], Row], seen: set[int]) -> None:
    if isinstance(value, list):
        for item in value:
            _complete(item, known, seen)
    elif isinstance(value, dict) and id(value) not in seen:
        seen.add(id(value))
        identity = _identity(value)
        if identity is not None and len(value) == 2:
            for key, item in known[identity].items():
                value.setdefault(key, item)
        for item in list(value.values()):
            _complete(item, known, seen)
