"""Operations as the wire wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

__all__ = ["operation"]


def operation(
    action: Literal["create", "update", "delete"],
    entity_type: str,
    key: Sequence[str],
    values: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One operation of a batch.

    Args:
        action: What is done.
        entity_type: Schema id.
        key: The parts of the entity's key in the schema's order; empty where the site chooses it.
        values: Attributes as the wire carries them; None for a deletion.
    """
    made: dict[str, Any] = {"action": action, "entity_type": entity_type, "entity_key": list(key)}
    if values is not None:
        made["entity_data"] = {"__entity_type__": entity_type, **values}
    return made
