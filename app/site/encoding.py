"""Answers of the site as plain Python values, and when two of them mean the same.

No entity objects: so nothing is cached, merged or loaded later.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
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


def same(one: Any, other: Any) -> bool:
    """Whether two values mean the same to the site: moments to the second, whole numbers and decimals alike."""
    return bool(_comparable(one) == _comparable(other))


def _comparable(value: Any) -> Any:
    if isinstance(value, Mapping) and "__type__" in value:
        value = value.get("value")
    if isinstance(value, Mapping):
        return {key: _comparable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_comparable(each) for each in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, dt.datetime):
        value = value.isoformat()
    if isinstance(value, str) and len(value) >= 10 and value[4:5] == "-" and value[7:8] == "-":
        return _moment(value)
    return value


def _moment(text: str) -> str:
    try:
        moment = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return text
    if moment.tzinfo is not None:
        moment = moment.astimezone(dt.UTC).replace(tzinfo=None)
    return moment.replace(microsecond=0).isoformat()
