"""What an event says in a line, in the words of people who work with ftrack's page and not with its tables."""

from __future__ import annotations

from typing import Any

from app.journal.words import summarise


def _words(*entities: dict[str, Any]) -> str:
    return summarise({"topic": "ftrack.update", "data": {"entities": list(entities)}}, lambda _id: None).words


def _added(kind: str, table: str = "task") -> dict[str, Any]:
    return {"entityType": table, "entity_type": kind, "action": "add", "entityId": kind, "changes": {}}


def test_a_task_with_somebody_assigned_says_so_and_not_the_tables_name() -> None:
    assert _words(_added("Task"), _added("Appointment", "appointment")) == "1 task, 1 assignment added"
    assert _words(_added("AssetBuild"), _added("Task")) == "1 asset build, 1 task added"


def test_a_bid_is_said_in_hours() -> None:
    changed = _added("Task") | {"action": "update", "changes": {"bid": {"old": 0, "new": 5400.0}}}
    assert _words(changed).endswith("bid 1.5 h")
