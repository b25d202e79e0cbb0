"""Jobs and tasks as the Manager's REST interface gives them, as rows for the journal: whatever comes can be stored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from app.jobs.manager_client import DEDUPE_KEY
from app.journal.farm_jobs import RemoteJob, RemoteTask
from app.rules.text import storable

__all__ = ["remote_job", "remote_task"]

#: What a column of the journal can hold.
_LARGEST_WHOLE = 1 << 63


def _moment(text: object) -> float:
    """An RFC 3339 time as UTC epoch seconds; 0 when it is none."""
    try:
        return dt.datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _words(value: object) -> str:
    return "" if value is None else storable(str(value))


def _whole(value: object) -> int:
    """A number that can be stored; 0 when it is none."""
    return int(value) if isinstance(value, int | float) and abs(value) < _LARGEST_WHOLE else 0


def remote_job(job: Mapping[str, Any]) -> RemoteJob:
    """A job as the Manager's REST interface gives it."""
    metadata = {_words(key): _words(value) for key, value in (job.get("metadata") or {}).items()}
    return RemoteJob(
        remote_id=str(job["id"]),
        name=_words(job.get("name")),
        type=_words(job.get("type")),
        priority=_whole(job.get("priority")),
        status=_words(job.get("status")),
        activity=_words(job.get("activity")),
        created=_moment(job.get("created")),
        updated=_moment(job.get("updated")),
        steps_done=_whole(job.get("steps_completed")),
        steps_total=_whole(job.get("steps_total")),
        settings=job.get("settings") or {},
        metadata=metadata,
        dedupe=metadata.get(DEDUPE_KEY, ""),
        who=metadata.get("user.name", ""),
    )


def remote_task(task: Mapping[str, Any], place: int, needs: Sequence[Sequence[int]]) -> RemoteTask:
    """A task as the Manager's REST interface gives it, with the dependencies of the local compile."""
    worker = task.get("worker") or {}
    return RemoteTask(
        remote_id=str(task["id"]),
        index=place + 1,
        name=_words(task.get("name")),
        type=_words(task.get("task_type")),
        priority=_whole(task.get("priority")),
        status=_words(task.get("status")),
        activity=_words(task.get("activity")),
        worker=_words(worker.get("name")) if isinstance(worker, dict) else "",
        updated=_moment(task.get("updated")),
        steps_done=_whole(task.get("steps_completed")),
        steps_total=_whole(task.get("steps_total")),
        dependencies=needs[place] if place < len(needs) else (),
    )
