"""What differs between two compilations of a job, task by task, in words. No Qt."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.rules.words import many

MAX_LISTED = 300
"""So many tasks of each kind are listed; the counts are always whole."""


@dataclass(frozen=True, slots=True)
class TaskChange:
    """One task that differs: its name, its place in the newer job (-1 when gone) and what differs, one line each."""

    name: str
    place: int
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """The difference of two jobs. Tasks are matched by name, the first of a name with the first.

    Attributes:
        added: Tasks only in the newer one (at most `MAX_LISTED`, as the two below).
        removed: Tasks only in the older one.
        changed: Tasks in both with other contents.
        counts: Added, removed, changed, same.
        job: Lines on what differs in the job itself (name, priority, settings, metadata).
        reordered: Whether tasks in both stand in another order.
    """

    added: tuple[TaskChange, ...] = ()
    removed: tuple[TaskChange, ...] = ()
    changed: tuple[TaskChange, ...] = ()
    counts: tuple[int, int, int, int] = (0, 0, 0, 0)
    job: tuple[str, ...] = ()
    reordered: bool = False

    @property
    def nothing(self) -> bool:
        """Whether the two jobs are the same."""
        return not (any(self.counts[:3]) or self.job or self.reordered)

    def sentence(self) -> str:
        """One line for a person."""
        if self.nothing:
            return "Nothing changed."
        added, removed, changed, same = self.counts
        parts = [
            f"{number:,} {word}"
            for number, word in ((added, "added"), (removed, "removed"), (changed, "changed"), (same, "the same"))
            if number
        ]
        text = f"Tasks: {', '.join(parts)}." if parts else ""
        if self.job:
            text += f" Job: {many(len(self.job), 'difference')}."
        if self.reordered:
            text += " The order changed."
        return text.strip()


@dataclass(slots=True)
class _Found:
    added: list[TaskChange] = field(default_factory=list)
    removed: list[TaskChange] = field(default_factory=list)
    changed: list[TaskChange] = field(default_factory=list)
    same: int = 0


def compare(
    old: Sequence[Mapping[str, Any]],
    new: Sequence[Mapping[str, Any]],
    old_job: Mapping[str, Any] | None = None,
    new_job: Mapping[str, Any] | None = None,
) -> Changes:
    """Compare two jobs' tasks (as `CompilerPool.pages` gives them) and the jobs themselves."""
    waiting: dict[str, list[int]] = defaultdict(list)
    for place, task in enumerate(old):
        waiting[task["name"]].append(place)
    for places in waiting.values():
        places.reverse()
    found = _Found()
    matched: list[int] = []
    for place, task in enumerate(new):
        candidates = waiting.get(task["name"])
        if not candidates:
            found.added.append(TaskChange(task["name"], place))
            continue
        before = old[candidates.pop()]
        matched.append(place)
        details = _task_details(before, task, old, new)
        if details:
            found.changed.append(TaskChange(task["name"], place, details))
        else:
            found.same += 1
    found.removed.extend(
        TaskChange(old[place]["name"], -1) for places in waiting.values() for place in reversed(places)
    )
    counts = (len(found.added), len(found.removed), len(found.changed), found.same)
    order = [task["name"] for task in old], [new[place]["name"] for place in matched]
    return Changes(
        tuple(found.added[:MAX_LISTED]),
        tuple(found.removed[:MAX_LISTED]),
        tuple(found.changed[:MAX_LISTED]),
        counts,
        tuple(_differences(dict(old_job or {}), dict(new_job or {}), "")) if old_job is not None else (),
        reordered=not found.removed and order[0] != order[1],
    )


def _task_details(
    old: Mapping[str, Any], new: Mapping[str, Any], olds: Sequence[Mapping[str, Any]], news: Sequence[Mapping[str, Any]]
) -> tuple[str, ...]:
    lines: list[str] = []
    for key in ("type", "priority"):
        if old.get(key) != new.get(key):
            lines.append(f"{key}: {_short(old.get(key))} → {_short(new.get(key))}")
    if old.get("commands") != new.get("commands"):
        lines.extend(_command_differences(old.get("commands") or [], new.get("commands") or []))
    before = [_name(olds, at) for at in old.get("dependencies") or []]
    after = [_name(news, at) for at in new.get("dependencies") or []]
    if before != after:
        # Sets: a last task that waits for ten thousand others would otherwise be compared a hundred million times.
        here, there = set(before), set(after)
        gone, come = [name for name in before if name not in there], [name for name in after if name not in here]
        words = [f"no longer waits for {_names(gone)}"] if gone else []
        words += [f"now waits for {_names(come)}"] if come else []
        lines.append("; ".join(words) or "waits for the same tasks in another order")
    return tuple(lines)


def _name(tasks: Sequence[Mapping[str, Any]], at: int) -> str:
    return str(tasks[at]["name"]) if 0 <= at < len(tasks) else "a task that is not in the job"


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")


def _command_differences(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for place in range(max(len(old), len(new))):
        if place >= len(old):
            yield f"command {place + 1} added: {new[place].get('name')}"
        elif place >= len(new):
            yield f"command {place + 1} removed: {old[place].get('name')}"
        elif old[place] != new[place]:
            name = new[place].get("name")
            if old[place].get("name") != name:
                yield f"command {place + 1}: {old[place].get('name')} → {name}"
            yield from _differences(
                old[place].get("parameters") or {}, new[place].get("parameters") or {}, f"{name}.", limit=8
            )
            if old[place].get("total_step_count") != new[place].get("total_step_count"):
                yield f"{name}: steps {old[place].get('total_step_count')} → {new[place].get('total_step_count')}"


def _differences(old: Any, new: Any, path: str, limit: int = 40) -> Iterator[str]:
    """One line per leaf that differs, at most `limit`."""
    start = path.removesuffix(".") if not isinstance(old, Mapping) else path
    for told, line in enumerate(_leaves(old, new, start)):
        if told == limit:
            yield "…"
            return
        yield line


def _leaves(old: Any, new: Any, path: str) -> Iterator[str]:
    if old == new and type(old) is type(new):
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            dotted = f"{path}{key}" if path.endswith(".") or not path else f"{path}.{key}"
            if key not in new:
                yield f"{dotted}: {_short(old[key])} removed"
            elif key not in old:
                yield f"{dotted}: {_short(new[key])} added"
            else:
                yield from _leaves(old[key], new[key], dotted)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for at, (first, second) in enumerate(zip(old, new, strict=True)):
            yield from _leaves(first, second, f"{path}[{at}]")
    else:
        yield f"{path}: {_short(old)} → {_short(new)}"


def _short(value: Any, width: int = 90) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= width else text[: width - 1] + "…"
