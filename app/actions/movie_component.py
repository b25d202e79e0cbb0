"""The ``movie`` component that RV plays: the original file (or sequence) in the unmanaged location."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.effects.ftrack import CreateEntity, DeleteEntity, UpdateEntity
from app.engine.protocol import Effect, natural_id
from app.media import Source
from app.media.sequences import frame_path, padding

__all__ = ["UNMANAGED", "Movie", "is_played_from", "movie_path"]

#: Id of ftrack's built-in location "ftrack.unmanaged": it records a path and holds no file.
UNMANAGED = "cb268ecc-8809-11e3-a7e2-20c9d081909b"
_Row = Mapping[str, Any]


class Movie:
    """The effects that make, repair or remove the component of one version.

    Args:
        source: The file or sequence, already checked.
        name: Name of the component, "movie" by the studio's rule.
        version_id: The version.
        component_id: Id of a component made anew.
        reason: Why.
        entity_id: Whose steps these are, so that they are left out when an earlier one failed; "": the version's.
        seen: A path of this machine as RV sees it.
    """

    def __init__(
        self,
        source: Source,
        *,
        name: str,
        version_id: str,
        component_id: str,
        reason: str,
        entity_id: str = "",
        seen: Callable[[str], str] = str,
    ) -> None:
        self.component_id = component_id
        self.path = seen(movie_path(source))
        self._source = source
        self._name = name
        self._version = version_id
        self._reason = reason
        self._entity = entity_id or version_id
        self._seen = seen
        self._files = [source.path] if source.kind == "file" else [frame_path(source, n) for n in source.frames]
        size = sum(path.stat().st_size for path in self._files)
        self._values = {"name": name, "file_type": source.path.suffix, "size": size}

    def make(self) -> list[Effect]:
        """Create the component with its place. A sequence is found where each of its frames is."""
        source, values = self._source, {**self._values, "version_id": self._version}
        if source.kind == "file":
            return [
                self._create("FileComponent", self.component_id, values, self._name),
                self._place(self.component_id),
            ]
        values["padding"] = padding(source)
        label = f"{self._name} ({source.label})"
        effects = [self._create("SequenceComponent", self.component_id, values, label)]
        for frame, file in zip(source.frames, self._files, strict=True):
            member = natural_id(self.component_id, str(frame))
            own = {"name": str(frame), "container_id": self.component_id, "file_type": source.path.suffix}
            effects.append(self._create("FileComponent", member, own, f"frame {frame}"))
            effects.append(self._place(member, self._seen(str(file))))
        return [*effects, self._place(self.component_id)]

    def repair(self, old: _Row) -> list[Effect]:
        """Give a file's component the right place; what else it is and has stays."""
        self.component_id = str(old["id"])
        effects = [self._drop_place(old, place) for place in _places(old)]
        effects.append(self._place(self.component_id))
        if any(old.get(key) != value for key, value in self._values.items()):
            effects.append(
                UpdateEntity(
                    slot=f"component:{old['id']}", reason=self._reason, entity_id=self._entity,
                    entity_type="FileComponent", id=str(old["id"]), values=self._values, label=self._name,
                )
            )  # fmt: skip
        return effects

    def remove(self, old: _Row) -> list[Effect]:
        """Delete a component in a way that undo can bring back: places first, then frames, then itself."""
        members = list(old.get("members") or ())
        effects = [self._drop_place(row, place) for row in (old, *members) for place in _places(row)]
        common = {"name": old.get("name"), "file_type": old.get("file_type"), "size": old.get("size")}
        kinds = ("SequenceComponent", {"padding": old.get("padding")}) if members else ("FileComponent", {})
        for row in members:
            own = {"name": row.get("name"), "container_id": old["id"], "file_type": row.get("file_type")}
            effects.append(self._drop("FileComponent", row, own, f"frame {row.get('name')}"))
        values = {**common, **kinds[1], "version_id": self._version}
        return [*effects, self._drop(kinds[0], old, values, self._name)]

    def _create(self, entity_type: str, key: str, values: dict[str, Any], label: str) -> Effect:
        return CreateEntity(
            slot=f"{entity_type}:{key}", reason=self._reason, entity_id=self._entity, entity_type=entity_type, id=key,
            values=values, label=label,
        )  # fmt: skip

    def _place(self, component_id: str, path: str = "") -> Effect:
        path = path or self.path
        values = {"component_id": component_id, "location_id": UNMANAGED, "resource_identifier": path}
        return self._create("ComponentLocation", natural_id(component_id, UNMANAGED, path), values, f"place {path}")

    def _drop(self, entity_type: str, row: _Row, values: dict[str, Any], label: str) -> Effect:
        return DeleteEntity(
            slot=f"old:{row['id']}", reason=f"{self._reason}, and the old one is not that", entity_id=self._entity,
            entity_type=entity_type, id=str(row["id"]), values=values, label=label,
        )  # fmt: skip

    def _drop_place(self, row: _Row, place: _Row) -> Effect:
        values = {key: place[key] for key in ("location_id", "resource_identifier")}
        return self._drop("ComponentLocation", place, {"component_id": row["id"], **values}, f"place of {self._name}")


def movie_path(source: Source) -> str:
    """The path of the component: a file's own, a sequence's pattern."""
    return str(source.path) if source.kind == "file" else source.pattern


def is_played_from(old: _Row, path: str, source: Source) -> bool:
    """Whether RV would play a component as it is, from this path and all of its frames."""
    frames = {str(frame) for frame in source.frames}
    members = list(old.get("members") or ())
    placed = all(_places(row) for row in (old, *members))
    return placed and _places(old)[0]["resource_identifier"] == path and {str(m["name"]) for m in members} == frames


def _places(row: _Row) -> list[_Row]:
    return [one for one in row.get("component_locations") or () if one.get("location_id") == UNMANAGED]
