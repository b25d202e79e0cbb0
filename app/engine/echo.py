"""Recognises the events that our own effects cause: by what was written, not by who is signed in.

An upload of this server must still reach the dailies list, so the user says nothing. A change that carries what an
effect wrote (entity, key, new value) a short while ago is not given to the handler that caused it; others get it one
step deeper, and chains that are too deep are cut.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app.engine.protocol import Change
from app.journal.queue import Echo, Queue

__all__ = ["Origin", "echo_rows", "origin_of"]

#: Attributes whose name in events differs by more than case and underscores.
_LEGACY = {
    "thumbnailid": "thumbid",
    "projectid": "showid",
    "content": "text",
    "categoryid": "typeid",
    "projectschemaid": "projectschemeid",
    "isprivate": "private",
    "inreplytoid": "noteparentid",
    "createdbyid": "createdby",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Who caused a change: the handlers whose effects match, and how deep the change is; 0 for a person's."""

    handlers: frozenset[str] = frozenset()
    depth: int = 0
    echoes: tuple[int, ...] = ()


def _key(name: str) -> str:
    plain = name.replace("_", "").lower()
    return _LEGACY.get(plain, plain)


def _value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, dict):
        value = value.get("value", value.get("id"))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value)
    # Moments travel with and without zone and fraction: to the second they are the same text.
    return text[:19] if len(text) >= 19 and text[4:5] == "-" and text[10:11] in ("T", " ") else text


def echo_rows(written: Iterable[tuple[str, str, Any]], handler: str, run_id: int, depth: int) -> list[Echo]:
    """What effects write, as the events will say it."""
    return [Echo(entity, _key(key), _value(value), handler, run_id, depth) for entity, key, value in written]


def origin_of(journal: Queue, change: Change, since: float) -> Origin:
    """Whose effect a change is, if it is one.

    Args:
        journal: Where effects wrote down what they were about to do.
        change: What arrived.
        since: Effects before this time (UTC epoch seconds) explain nothing.
    """
    found = journal.echo_of(change.entity_id, since)
    if not found:
        return Origin()
    # A live event is explained once: if a person sets the same value again, it is news.
    live = change.origin == "hub"
    wanted = _said(change)
    matching = [
        row for row in found if (row[0], row[1]) in wanted and (not live or row[5] is None or row[5] == change.event_id)
    ]
    if not matching:
        return Origin()
    return Origin(
        frozenset(row[2] for row in matching), max(row[3] for row in matching) + 1, tuple(row[4] for row in matching)
    )


def _said(change: Change) -> set[tuple[str, str]]:
    if change.action == "add":
        return {("+", "")}
    if change.action == "remove":
        return {("-", "")}
    return {(_key(key), _value(new)) for key, (old, new) in change.changes.items() if old != new}
