"""Put a file on the site as a component of a version, in the heavy pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from app.effects.base import Result, wire
from app.effects.ftrack import DeleteEntity, SetMetadata, in_use
from app.engine.kinds import EffectFailed, Seen, SlowEffect, SlowTools
from app.engine.protocol import Effect, Own

__all__ = ["UploadComponent"]


class UploadComponent(SlowEffect):
    """Upload a file into a location under a component id the plan chose.

    Attributes:
        path: The file; may be a `Result` of a transcode.
        component_id: The component's id.
        name: The component's name, e.g. "ftrackreview-mp4".
        version_id: The version it belongs to; None: a component of its own (a thumbnail).
        location: "ftrack.server", "ftrack.review" or "ftrack.unmanaged" (the path is recorded, nothing is sent).
        metadata: The component's metadata.
        shown_on: A version it is the picture of, without being a component of it: taken back with that version.
    """

    kind: ClassVar[str] = "upload"

    path: str | Result
    component_id: str
    name: str
    version_id: str | None = None
    location: str = "ftrack.server"
    metadata: dict[str, str] = Field(default_factory=dict)
    shown_on: str | None = None

    def describe(self) -> str:
        name = Path(self.path).name if isinstance(self.path, str) else "the result of an earlier step"
        return f"upload {name} as {self.name} to {self.location}"

    def apply(self, tools: SlowTools) -> dict[str, Any]:
        path = Path(str(self.path))
        if not path.is_file():
            raise EffectFailed(f"the file {path} is not there: it cannot be uploaded as {self.name}")
        tools.progress(f"uploading {path.name}")
        row = tools.site.upload(
            path,
            name=self.name,
            version_id=self.version_id,
            location=self.location,
            component_id=self.component_id,
        )
        if self.metadata:
            self._describe_component(tools)
        return {
            "component_id": self.component_id,
            **{key: value for key, value in wire(row).items() if isinstance(value, (str, int, float, bool))},
        }

    def _describe_component(self, tools: SlowTools) -> None:
        rows = tools.site.rows(f'select key, value from Metadata where parent_id is "{self.component_id}"')
        seen = Seen(
            rows={("FileComponent", self.component_id): {}},
            metadata={self.component_id: {row["key"]: row["value"] for row in rows}},
        )
        metadata = SetMetadata(
            slot=self.slot,
            reason=self.reason,
            entity_type="FileComponent",
            id=self.component_id,
            values=dict(self.metadata),
            label=self.name,
        )
        operations = metadata.operations(seen)
        if operations:
            tools.site.call(operations)

    def inverse(self, before: Mapping[str, Any], after: Mapping[str, Any], own: Own) -> Sequence[Effect] | str:
        del before, after
        whole = {"version_id": self.version_id or self.shown_on}
        return [
            DeleteEntity(
                slot=f"undo {self.slot}",
                reason=f"uploaded by the run that is undone ({self.reason})",
                entity_id=self.entity_id,
                entity_type="FileComponent",
                id=self.component_id,
                label=self.name,
                **in_use("FileComponent", self.component_id, whole, own),
            )
        ]
