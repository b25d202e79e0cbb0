"""Which status changes are one transition (a version that also sets its task's status announces its shot once), and
which of them decides about the task.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass

__all__ = ["StatusStep", "decided_since", "transition_roots"]


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


def decided_since(
    steps: Iterable[StatusStep],
    version_id: str,
    status_id: str,
    follow: Callable[[StatusStep], str | None],
    counts: Callable[[StatusStep], bool],
) -> StatusStep | None:
    """The newest step that has decided about the task since a version reached a status; None while it is the version's.

    Another version that its task follows decides, and so does a person who sets the task: a status that the task takes
    without a version that waits for it. Moments have whole seconds; what happened within the same second is not later.

    Args:
        steps: All steps of one task and its versions; those of one second in the order in which they happened.
        version_id: The version.
        status_id: The status that it reached.
        follow: The status that a version's step gives its task; None when it leaves the task alone.
        counts: Whether another version's step may decide.
    """
    ordered = sorted(steps, key=lambda one: (one.moment, one.is_task, one.old is not None))
    own = [one for one in ordered if one.entity_id == version_id and one.new == status_id]
    if not own:
        return None
    began = own[-1].moment
    present: str | None = None
    waiting: dict[str, str] = {}  # version to the status that its task has not followed it into yet
    found: StatusStep | None = None
    for step in ordered:
        if step.is_task:
            present = step.new
            if present in waiting.values():
                waiting = {version: status for version, status in waiting.items() if status != present}
                continue
            waiting.clear()
            decides = True
        else:
            waiting.pop(step.entity_id, None)
            target = follow(step)
            if target is not None and target != present:
                waiting[step.entity_id] = target
            decides = target is not None and step.entity_id != version_id and counts(step)
        if decides and step.moment > began:
            found = step
    return found
