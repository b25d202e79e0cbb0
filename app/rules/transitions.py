"""Which status changes are one transition: a version that also sets its task's status announces its shot once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["StatusStep", "transition_roots"]


@dataclass(frozen=True, slots=True)
class StatusStep:
    """One status change of a task or of one of its versions.

    Attributes:
        id: Id of the StatusChange (or of the entity that was created with the status).
        entity_id: The task or version.
        is_task: Whether it is the task itself.
        moment: When; aware.
        old: Id of the status before, None for a created entity.
        new: Id of the status after.
    """

    id: str
    entity_id: str
    is_task: bool
    moment: dt.datetime
    old: str | None
    new: str


def transition_roots(steps: Iterable[StatusStep], status_id: str, together: dt.timedelta) -> dict[str, str]:
    """For every step into ``status_id`` the id of the step that began its transition.

    A step belongs to an earlier one when it follows within ``together`` (a status that flips back and forth), or when
    it is the task's and a version that reached the status before still waits for its task to follow: however late
    the task follows, it is the version's transition.

    Args:
        steps: All steps of one task and its versions, in any order.
        status_id: The status that is announced.
        together: How far from its first step a transition reaches at most.
    """
    roots: dict[str, str] = {}
    waiting: dict[str, str] = {}  # versions in the status whose task has not followed yet
    last: tuple[str, dt.datetime] | None = None
    # In one second of the site's clock the version comes first: it is the one that sets its task.
    for step in sorted(steps, key=lambda one: (one.moment, one.is_task, one.id)):
        if step.new != status_id:
            if step.is_task and step.old == status_id:
                waiting.clear()
            waiting.pop(step.entity_id, None)
            continue
        if last is not None and step.moment - last[1] <= together:
            root = last[0]
        elif step.is_task and waiting:
            root = list(waiting.values())[-1]
        else:
            root, last = step.id, (step.id, step.moment)
        roots[step.id] = root
        if step.is_task:
            waiting.clear()
        else:
            waiting[step.entity_id] = root
    return roots
