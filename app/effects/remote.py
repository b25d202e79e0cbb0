"""Effects on two sites: entities of the cloud site, and files that go from one site to the other.

They are slow effects: each asks what is there, so doing one twice changes nothing, and a sync that was cut goes on
where it stopped. Nothing is ever deleted on the other site, since clients write there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from app.effects.base import Values, same
from app.engine.doors import SiteDoor
from app.engine.kinds import SlowEffect, SlowTools
from app.engine.protocol import Effect, Own
from app.site.operations import operation
from app.site.query import quoted

__all__ = ["CopyBetweenSites", "RemoteEntity"]


class RemoteEntity(SlowEffect):
    """Make an entity on another site, or bring its values up to date.

    Attributes:
        site: Name of the site ("cloud").
        entity_type: Schema id.
        id: Its id there.
        values: Attributes by their API names.
        metadata: Key to text, added or changed.
        label: What it is, for people.
        new: Whether the plan found that it has to be made.
    """

    kind: ClassVar[str] = "remote_entity"

    site: str
    entity_type: str
    id: str
    values: Values = Field(default_factory=dict)
    metadata: dict[str, str] = Field(default_factory=dict)
    label: str
    new: bool = True

    def describe(self) -> str:
        verb = "make" if self.new else "update"
        return f"{verb} {self.entity_type} {self.label} on the {self.site} site"

    def apply(self, tools: SlowTools) -> dict[str, Any]:
        site = tools.doors.site(self.site)
        tools.progress(self.describe())
        attributes = ", ".join(["id", *self.values])
        rows = site.rows(f"select {attributes} from {self.entity_type} where id is {quoted(self.id)}")
        operations: list[dict[str, Any]] = []
        if not rows:
            operations.append(operation("create", self.entity_type, [self.id], {"id": self.id, **self.values}))
        else:
            changed = {key: value for key, value in self.values.items() if not same(rows[0].get(key), value)}
            if changed:
                operations.append(operation("update", self.entity_type, [self.id], changed))
        operations += _metadata(site, self.entity_type, self.id, self.metadata)
        if operations:
            site.call(operations)
        return {"id": self.id}

    def inverse(self, before: Mapping[str, Any], after: Mapping[str, Any], own: Own) -> Sequence[Effect] | str:
        del before, after, own
        return f"{self.label} stays on the {self.site} site: clients may have written there"


def _metadata(site: SiteDoor, entity_type: str, key: str, metadata: Mapping[str, str]) -> list[dict[str, Any]]:
    """Operations for the keys that are missing or different."""
    if not metadata:
        return []
    rows = site.rows(f"select key, value from Metadata where parent_id is {quoted(key)}")
    there = {str(row["key"]): str(row.get("value") or "") for row in rows}
    operations = []
    for name, value in metadata.items():
        if name not in there:
            data = {"parent_id": key, "parent_type": entity_type, "key": name, "value": value}
            operations.append(operation("create", "Metadata", [key, name], data))
        elif there[name] != value:
            operations.append(operation("update", "Metadata", [key, name], {"value": value}))
    return operations


class CopyBetweenSites(SlowEffect):
    """Fetch a component's file from one site and put it on another, under an id the plan chose.

    Attributes:
        source_site: Name of the site it comes from; "site" is the studio's own.
        source_id: Component there.
        target_site: Name of the site it goes to.
        component_id: Component there.
        version_id: Version there it belongs to, None for a note's attachment or a thumbnail.
        name: Its name there.
        suffix: File ending, with the dot.
        metadata: Of the new component.
        attach: Operation data made after the upload, e.g. the link to a note (``{"NoteComponent": {...}}``).
    """

    kind: ClassVar[str] = "copy_between_sites"

    source_site: str
    source_id: str
    target_site: str
    component_id: str
    version_id: str | None = None
    name: str
    suffix: str = ""
    metadata: dict[str, str] = Field(default_factory=dict)
    attach: dict[str, dict[str, Any]] = Field(default_factory=dict)
    label: str = ""

    def describe(self) -> str:
        return f"copy {self.label or self.name} to the {self._named(self.target_site)}"

    @staticmethod
    def _named(site: str) -> str:
        return "studio's site" if site == "site" else f"{site} site"

    def apply(self, tools: SlowTools) -> dict[str, Any]:
        source = tools.doors.site() if self.source_site == "site" else tools.doors.site(self.source_site)
        target = tools.doors.site() if self.target_site == "site" else tools.doors.site(self.target_site)
        with tempfile.TemporaryDirectory(prefix="signalbox-sync-", dir=tools.doors.temp_root) as folder:
            path = Path(folder) / f"media{self.suffix}"
            tools.progress(f"fetching {self.label or self.name}")
            source.download(self.source_id, path)
            tools.progress(f"sending {self.label or self.name}")
            target.upload(
                path,
                name=self.name,
                version_id=self.version_id,
                location="ftrack.server",
                component_id=self.component_id,
            )
        operations = _metadata(target, "FileComponent", self.component_id, self.metadata)
        if operations:
            target.call(operations)
        for entity_type, data in self.attach.items():
            self._attach(target, entity_type, data)
        return {"component_id": self.component_id}

    @staticmethod
    def _attach(target: SiteDoor, entity_type: str, data: Mapping[str, Any]) -> None:
        ids = {key: str(value) for key, value in data.items() if key.endswith("_id")}
        where = " and ".join(f"{key} is {quoted(value)}" for key, value in ids.items())
        if not target.rows(f"select {', '.join(ids)} from {entity_type} where {where}"):
            target.call([operation("create", entity_type, list(ids.values()), data)])

    def inverse(self, before: Mapping[str, Any], after: Mapping[str, Any], own: Own) -> Sequence[Effect] | str:
        del before, after, own
        return f"{self.label or self.name} stays on the {self._named(self.target_site)}"
