"""The hand that seeds a site: entities with ids that are the same on every machine, made by their natural names."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from app.sandbox.contract import Batch, Json
from app.sandbox.files import FileStore

_NAMESPACE = uuid.UUID("6f1d4a52-8c55-5c0e-9d5b-0b6a4e1c7a10")


class Seeder:
    """Creates entities inside one batch.

    Args:
        batch: The open transaction.
        files: Where media goes.
        profile: Name of the profile; part of every id, so that two sites never share one by accident.

    Attributes:
        batch: The same transaction, for what no helper covers.
        files: The same store.
        profile: The same name.
    """

    def __init__(self, batch: Batch, files: FileStore, profile: str) -> None:
        self.batch = batch
        self.files = files
        self.profile = profile

    @staticmethod
    def user_id(profile: str, username: str) -> str:
        """The id that a profile gives a user."""
        return natural_id(profile, "User", username)

    def id(self, *names: str) -> str:
        """The id of what these names say, always the same."""
        return natural_id(self.profile, *names)

    def create(self, entity_type: str, names: tuple[str, ...], /, **values: Json) -> str:
        """Create an entity whose id follows from its names; returns the id."""
        identifier = str(values.pop("id", None) or self.id(entity_type, *names))
        self.batch.create(entity_type, {"id": identifier, **values})
        return identifier

    def link(self, entity_type: str, /, **values: Json) -> None:
        """Create an entity that has no id of its own."""
        self.batch.create(entity_type, values)

    def custom(self, value_type: str, configuration: str, entity: str, value: Json) -> None:
        """Set a custom attribute's value."""
        self.batch.update(value_type, f"{configuration},{entity}", {"value": value})

    def metadata(self, entity_type: str, entity: str, values: Mapping[str, str]) -> None:
        """Set metadata of an entity."""
        for key, value in values.items():
            self.link("Metadata", parent_id=entity, parent_type=entity_type, key=key, value=value)


def reference(entity_type: str, identifier: str) -> dict[str, Any]:
    """An entity as the wire refers to it."""
    return {"__entity_type__": entity_type, "id": identifier}


def natural_id(*names: str) -> str:
    """The uuid of what these names say."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(names)))
