"""Writing values into ftrack's query language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

__all__ = ["chunks", "id_list", "quoted"]


def quoted(value: str) -> str:
    """A value as a string of the query language."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def id_list(ids: Iterable[str]) -> str:
    """``("a", "b")`` for an ``in`` of a query; the caller sees to it that there is at least one."""
    return "(" + ", ".join(quoted(one) for one in dict.fromkeys(ids)) + ")"


def chunks(ids: Iterable[str], size: int = 500) -> Iterator[Sequence[str]]:
    """Distinct ids in pieces that fit one query."""
    distinct = list(dict.fromkeys(ids))
    for start in range(0, len(distinct), size):
        yield distinct[start : start + size]
