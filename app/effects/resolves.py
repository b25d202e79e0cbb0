"""Prove that a component can be found as players find it: the nearest location that has it gives its path."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from app.engine.kinds import EffectFailed, SlowEffect, SlowTools
from app.engine.protocol import Effect, Own

__all__ = ["ResolveComponent"]


class ResolveComponent(SlowEffect):
    """Resolve a component's path the way RV's plug-in does, and compare.

    Attributes:
        component_id: The component.
        path: Where it must be.
        label: What it is, for people.
    """

    kind: ClassVar[str] = "resolve"

    component_id: str
    path: str
    label: str

    def describe(self) -> str:
        return f"see that RV finds {self.label}"

    def apply(self, tools: SlowTools) -> dict[str, Any]:
        session = tools.site.session
        component = session.query(f'Component where id is "{self.component_id}"').first()
        location = session.pick_location(component) if component is not None else None
        if location is None:
            raise EffectFailed(f"RV would not find {self.label}: it is in none of its locations")
        found = str(location.get_filesystem_path(component))
        if found != os.path.normpath(self.path):
            raise EffectFailed(f"RV would take {found} for {self.label}, not {self.path}")
        return {"path": found, "location": str(location["name"])}

    def inverse(self, before: Mapping[str, Any], after: Mapping[str, Any], own: Own) -> Sequence[Effect] | str:
        del before, after, own
        return []
