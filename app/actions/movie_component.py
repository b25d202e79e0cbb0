"""The ``movie`` component that RV plays: the original file (or sequence) in the unmanaged location."""

from __future__ import annotations

from typing import Any

from app.effects.ftrack import CreateEntity
from app.engine.protocol import Effect, natural_id
from app.media import Source

__all__ = ["UNMANAGED", "movie_effects"]

#: Id of ftrack's built-in location "ftrack.unmanaged": it records a path and holds no file.
UNMANAGED = "cb268ecc-8809-11e3-a7e2-20c9d081909b"


def movie_effects(
    source: Source, *, name: str, version_id: str, component_id: str, size: int, reason: str, path: str = ""
) -> list[Effect]:
    """Create the component, its members (for a sequence) and its place in the unmanaged location.

    Args:
        source: The file or sequence, already checked.
        name: Name of the component, "movie" by the studio's rule.
        version_id: The version.
        component_id: Its id.
        size: Bytes.
        reason: Why.
        path: The path as RV sees it; "" takes the source's own.
    """
    effects: list[Effect] = []

    def create(entity_type: str, key: str, values: dict[str, Any], label: str) -> None:
        effects.append(
            CreateEntity(
                slot=f"{entity_type}:{key}", reason=reason, entity_id=version_id, entity_type=entity_type, id=key,
                values=values, label=label,
            )
        )  # fmt: skip

    suffix = source.path.suffix
    common = {"name": name, "version_id": version_id, "file_type": suffix, "size": size}
    if source.kind == "file":
        create("FileComponent", component_id, common, name)
        path = path or str(source.path)
    else:
        path = path or source.pattern
        padding = _padding(source.pattern)
        create("SequenceComponent", component_id, {**common, "padding": padding}, f"{name} ({source.label})")
        for frame in source.frames:
            member = natural_id(component_id, str(frame))
            values = {"name": str(frame), "container_id": component_id, "file_type": suffix}
            create("FileComponent", member, values, f"frame {frame}")
    place = natural_id(component_id, UNMANAGED)
    values = {"component_id": component_id, "location_id": UNMANAGED, "resource_identifier": path}
    create("ComponentLocation", place, values, f"{name} at {path}")
    return effects


def _padding(pattern: str) -> int:
    """Digits of a frame number: 4 for ``%04d``, 0 for ``%d``."""
    digits = pattern.rpartition("%")[2].partition("d")[0]
    return int(digits) if digits.isdigit() else 0
