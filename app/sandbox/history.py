"""``Event`` rows: what happened to what, in order (protocol facts, section 2.6).

ftrack's own vocabulary of ``action`` and ``data`` is unknown; here ``insert`` is ``insert``, ``update`` or ``delete``,
``action`` names it with the table (``update.task``), and ``data`` is JSON with the changed attributes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from app.sandbox.contract import Commit, EntityChange

if TYPE_CHECKING:
    from app.sandbox.operations import BatchRun

_INSERT = {"add": "insert", "remove": "delete"}

# What a person would call an event on an entity; rows that only link others are none.
_ROOTS = {
    "Context",
    "Asset",
    "AssetVersion",
    "Note",
    "List",
    "ListObject",
    "ReviewSession",
    "ReviewSessionObject",
    "Job",
}


def write_history(batch: BatchRun, commit: Commit) -> None:
    """Add the rows of one batch, inside its transaction."""
    schema = batch.schema
    changes = [change for change in commit.changes if schema[change.entity_type].root in _ROOTS]
    if not changes:
        return
    last = batch.select('SELECT coalesce(max(id), 0) FROM "Event"')[0][0]
    names = {kind: schema.event_type(kind) for kind in {change.entity_type for change in changes}}
    user = commit.identity.user_id or None
    batch.connection.executemany(
        'INSERT INTO "Event" (id, parent_type, parent_id, project_id, user_id, action, "insert", data, created_at)'
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                last + number,
                names[change.entity_type],
                change.entity_id,
                _project(change),
                user,
                f"{change.action}.{names[change.entity_type]}",
                _INSERT.get(change.action, "update"),
                json.dumps(_changed(change)),
                batch.stamp,
            )
            for number, change in enumerate(changes, 1)
        ],
    )


def _project(change: EntityChange) -> str | None:
    if change.parents and change.parents[-1].entity_type == "Project":
        return change.parents[-1].entity_id
    return None


def _changed(change: EntityChange) -> list[str]:
    if change.action in ("add", "remove"):
        return []
    return [*change.new, *change.custom]
