"""The job API in one table (resources/job_compiler/api.json), for completion, hover help, the docs and tests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import overload

_FILE = Path(__file__).resolve().parents[2] / "resources" / "job_compiler" / "api.json"


@dataclass(frozen=True, slots=True)
class ApiParameter:
    """A parameter of a function of the job API."""

    name: str
    type: str
    summary: str


@dataclass(frozen=True, slots=True)
class ApiEntry:
    """One name a script can use.

    Attributes:
        name: Dotted, as a script writes it: ``author.Task``, ``job.settings``, ``task.addCommand``.
        kind: function, method, object, property, class.
        signature: As shown in a call tip.
        summary: One or two sentences.
        since: Manager version that brought it, "" when all have it.
        returns: Type of the result or of the property.
        parameters: Of a function or method.
    """

    name: str
    kind: str
    signature: str
    summary: str
    since: str = ""
    returns: str = ""
    parameters: tuple[ApiParameter, ...] = ()


@cache
def _entries() -> tuple[ApiEntry, ...]:
    raw = json.loads(_FILE.read_text("utf-8"))
    return tuple(
        ApiEntry(
            entry["name"],
            entry["kind"],
            entry["signature"],
            entry["summary"],
            entry.get("since", ""),
            entry.get("returns", ""),
            tuple(ApiParameter(p["name"], p["type"], p["summary"]) for p in entry.get("parameters", ())),
        )
        for entry in raw
    )


class _Reference(Sequence[ApiEntry]):
    """Read when first looked at."""

    @overload
    def __getitem__(self, index: int) -> ApiEntry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ApiEntry]: ...
    def __getitem__(self, index: int | slice) -> ApiEntry | Sequence[ApiEntry]:
        return _entries()[index]

    def __len__(self) -> int:
        return len(_entries())

    def __iter__(self) -> Iterator[ApiEntry]:
        return iter(_entries())


API_REFERENCE: Sequence[ApiEntry] = _Reference()
