"""What the kinds of effects share: references to results, and values as the wire carries them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_serializer, model_validator

from app.engine.protocol import RESULT_MARK
from app.site.encoding import same

__all__ = ["Result", "Values", "same", "wire"]


class Result(BaseModel):
    """A value that exists only after another effect was applied: ``Result(slot="upload", field="component_id")``."""

    model_config = ConfigDict(frozen=True)

    slot: str
    field: str

    @model_validator(mode="before")
    @classmethod
    def _unmark(cls, data: Any) -> Any:
        """As the journal keeps it, see `_mark`."""
        if isinstance(data, Mapping) and RESULT_MARK in data:
            slot, field = data[RESULT_MARK]
            return {"slot": slot, "field": field}
        return data

    @model_serializer
    def _mark(self) -> dict[str, Any]:
        return {RESULT_MARK: [self.slot, self.field]}


#: What the wire carries as it is, and most values are: plans of thousands of entities are asked for each.
_SCALARS = frozenset((str, int, float, bool))


def wire(value: Any) -> Any:
    """A value as ftrack's wire and the journal carry it: moments are marked, paths are text."""
    if value is None or value.__class__ in _SCALARS:
        return value
    if isinstance(value, Result):
        return {RESULT_MARK: [value.slot, value.field]}
    if isinstance(value, dt.datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        return {"__type__": "datetime", "value": aware.astimezone(dt.UTC).isoformat()}
    if isinstance(value, dt.date):
        return {"__type__": "date", "value": value.isoformat()}
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): wire(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [wire(each) for each in value]
    return value


#: Attribute to value, as the wire carries them.
Values = Annotated[dict[str, Any], BeforeValidator(wire)]
