"""Rows of the journal as the window and the command line read them. Times are UTC epoch seconds (float)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

RunState = Literal[
    "queued",  # waits for its key or a worker
    "running",
    "waiting",  # drive not mounted, a child job, a slow effect's turn
    "retry",  # failed for a reason worth a retry; due later
    "paused",  # its handler's breaker is open
    "planned",  # dry run or preview: the plan is journalled, nothing was touched
    "done",
    "skipped",
    "superseded",  # what the plan relied on changed; nothing left to do
    "failed",
    "stopped",  # its lever was moved to Off in the middle; can be resumed
    "cancelled",
    "in_doubt",  # an outward effect may or may not have happened
    "undone",
]
RunKind = Literal["handler", "action", "task", "undo", "preview", "catch_up"]
EffectState = Literal[
    "planned",
    "applying",
    "applied",
    "already",
    "failed",
    "in_doubt",
    "skipped",
    "undone",
    "kept",
    "queued",
    "sent",
    "dropped",
]
LeverPosition = Literal["off", "dry", "on"]
EventOrigin = Literal["hub", "catch_up", "replay", "signalbox"]
JobEngine = Literal["local", "manager"]
#: The Manager's words; "needs-confirmation" is ours: a person must see the command lines of this script first.
JobStatus = Literal[
    "under-construction",
    "needs-confirmation",
    "queued",
    "active",
    "completed",
    "failed",
    "canceled",
    "cancel-requested",
    "paused",
    "pause-requested",
    "requeueing",
]
TaskStatus = Literal["queued", "active", "completed", "failed", "soft-failed", "canceled", "paused"]

#: Orders about jobs and tasks: `{job}`, with `task` (its index), `priority`, or what shall be submitted.
JOB_ORDERS = frozenset(
    {
        "submit_job",
        "job_cancel",
        "job_pause",
        "job_resume",
        "job_requeue",
        "job_confirm",
        "job_priority",
        "job_delete",
        "task_requeue",
        "task_cancel",
        "task_log_follow",
    }
)


class JournalError(Exception):
    """The journal cannot be used; the text says what happened, to which file, and what to do."""


class JournalBusy(JournalError):
    """Another process holds the journal's lock."""


class JournalReadOnly(JournalError):
    """An order or a write on a journal that was opened for reading."""


class JournalUnwritable(JournalError, OSError):
    """The disk is full or refuses to write, or another process holds the file: nothing was kept. Worth another try."""


@dataclass(frozen=True, slots=True)
class RawEvent:
    """An event as the listener received it, or as a catch-up made it.

    Attributes:
        payload: The event's own keys: id, topic, data, source, target, sent, inReplyToEvent.
        received: When it was received, UTC epoch seconds.
        origin: Where it came from.
        occurred: When it happened, where a catch-up knows it.
    """

    payload: Mapping[str, Any]
    received: float
    origin: EventOrigin = "hub"
    occurred: float | None = None


@dataclass(frozen=True, slots=True)
class NameRow:
    """What an id is called: an entity, a status, a type, a user, a project.

    Attributes:
        id: The entity's id.
        entity_type: Schema id ("Shot", "Status", "User", "Project").
        name: Its own name.
        label: The name with what it needs to be told apart ("BC_0010 animation"); "" means the name.
    """

    id: str
    entity_type: str
    name: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as the Events dock lists it.

    Attributes:
        id: Journal row id, ascending in order of arrival.
        event_id: ftrack's id.
        topic: e.g. "ftrack.update".
        received: When the listener received it.
        origin: "hub", "catch_up", "replay" or "signalbox" (gaps, starts).
        words: What happened, in words and known names ("BC_0010 animation: status Ready for Lighting").
        project: Name of the project, "" when unknown.
        entity: Name of the (first) entity with its parent, "" when unknown.
        user: Who did it.
        lamps: (handler id, run state) for each run it made, newest state.
    """

    id: int
    event_id: str
    topic: str
    received: float
    origin: str
    words: str
    project: str
    entity: str
    user: str
    lamps: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class EffectRow:
    """One effect of a run, with what was there before and after."""

    id: int
    run_id: int
    index: int
    slot: str
    kind: str
    state: EffectState
    words: str
    reason: str
    data: Mapping[str, Any]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    error: str
    applied_at: float | None


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run: handler x change (or an action launch, a job's task, an undo, a preview)."""

    id: int
    kind: RunKind
    handler: str
    event_row: int | None
    state: RunState
    dry: bool
    reason: str
    attempts: int
    created: float
    started: float | None
    finished: float | None
    due: float
    key: str
    project: str
    entity_type: str
    entity_id: str
    entity: str
    user: str
    effects: int = 0
    undo_of: int | None = None


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run with its changes, notes and effects."""

    row: RunRow
    changes: tuple[Mapping[str, Any], ...]
    notes: tuple[Mapping[str, Any], ...]
    warnings: tuple[str, ...]
    effects: tuple[EffectRow, ...]


@dataclass(frozen=True, slots=True)
class HandlerStats:
    """Counters and times of one handler or action since `since`.

    Attributes:
        p50: Median seconds from receipt of the event to the end of its run; None without runs.
        p95: 95th percentile of the same.
        lag: Age in seconds of the oldest run that has not ended; 0 when none waits.
    """

    handler: str
    done: int
    skipped: int
    failed: int
    planned: int
    queued: int
    running: int
    retry: int
    p50: float | None
    p95: float | None
    lag: float
    last_error: str
    last_error_run: int | None
    last_run: float | None


@dataclass(frozen=True, slots=True)
class LeverRow:
    """A lever's position; ``project`` is "" for the handler's own lever, else a project's name."""

    handler: str
    project: str
    position: LeverPosition
    who: str
    at: float
    why: str
    breaker: str = ""  # the reason, while the breaker holds the handler paused
    kept_events: int = 0  # events kept while Off, offered when turned On


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """What the engine says of a handler or an action, so that the window needs to import neither."""

    id: str
    kind: Literal["handler", "action"]
    title: str
    help: str
    icon: str
    settings_schema: Mapping[str, Any]
    form: Mapping[str, Any] | None
    source: str  # "built-in" or the plug-in's file
    error: str = ""  # why the newest version of a plug-in did not load


@dataclass(frozen=True, slots=True)
class HealthRow:
    """One lamp of the health strip: site, listener, queue, workers, slack, drives, journal."""

    name: str
    state: Literal["ok", "warning", "error", "off"]
    words: str
    at: float


@dataclass(frozen=True, slots=True)
class LogRow:
    """A line of log.db."""

    id: int
    at: float
    level: int
    logger: str
    message: str
    handler: str = ""
    run_id: int | None = None
    event_row: int | None = None
    project: str = ""
    entity: str = ""


@dataclass(frozen=True, slots=True)
class OrderRow:
    """A panel's order and its outcome."""

    id: int
    kind: str
    args: Mapping[str, Any]
    who: str
    created: float
    state: Literal["open", "done", "refused"]
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Filter of the Events dock. Empty fields do not filter; text is matched in words, entity, project and user."""

    text: str = ""
    regex: bool = False
    handlers: frozenset[str] = field(default_factory=frozenset)
    states: frozenset[str] = field(default_factory=frozenset)
    project: str = ""
    entity: str = ""
    user: str = ""
    topic: str = ""


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Filter of the Log dock."""

    text: str = ""
    regex: bool = False
    level: int = 0
    handler: str = ""
    run_id: int | None = None
    event_row: int | None = None
    project: str = ""


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job of either engine, as the Jobs dock lists it.

    Attributes:
        id: The journal's id; orders name it.
        engine: "local" (this machine) or "manager" (the Flamenco Manager).
        remote_id: The Manager's id, "" for a local job.
        status: What it is at; see `JobStatus`.
        activity: One sentence about the status ("waits for a person to confirm its command lines"), "" without one.
        who: Who submitted it.
        created: When it was submitted.
        updated: When anything about it changed last.
        started: When its first task started, None before.
        finished: When it came to rest, None while it has not.
        tasks: How many tasks it has; ``completed``, ``active``, ``failed`` and ``canceled`` of them stand so.
        steps_done: Steps (frames) that were reported done, of ``steps_total``.
        run_id: The run whose effect submitted it, None when a person did.
        last_rendered: Path of the last picture that was made, "" while there is none.
    """

    id: int
    engine: JobEngine
    remote_id: str
    name: str
    type: str
    status: JobStatus
    activity: str
    priority: int
    who: str
    created: float
    updated: float
    started: float | None
    finished: float | None
    tasks: int
    completed: int
    active: int
    failed: int
    canceled: int
    steps_done: int
    steps_total: int
    settings: Mapping[str, Any]
    metadata: Mapping[str, str]
    dedupe: str
    script_hash: str
    run_id: int | None
    last_rendered: str

    @property
    def progress(self) -> float:
        """Between 0 and 1: steps where they are known, else tasks."""
        if self.status == "completed":
            return 1.0
        total, done = (self.steps_total, self.steps_done) if self.steps_total else (self.tasks, self.completed)
        return min(1.0, done / total) if total else 0.0


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task of a job.

    Attributes:
        id: The journal's id.
        job_id: The job's id.
        index: Its place in the job, from 1 (the Manager's ``index_in_job``); logs and orders name it.
        remote_id: The Manager's id, "" for a local task.
        run_id: The run that carries it out, None for the Manager's tasks.
        reason: Why it failed, waits or was cancelled.
        worker: Who works or worked on it.
        attempts: Attempts that failed softly.
        dependencies: ``index`` of the tasks it needs.
        commands: ``{"name", "parameters", "total_step_count"}`` each; empty unless asked for.
    """

    id: int
    job_id: int
    index: int
    remote_id: str
    run_id: int | None
    name: str
    type: str
    priority: int
    status: TaskStatus
    reason: str
    worker: str
    started: float | None
    finished: float | None
    attempts: int
    steps_done: int
    steps_total: int
    dependencies: tuple[int, ...] = ()
    commands: tuple[Mapping[str, Any], ...] = ()

    def seconds(self, now: float) -> float | None:
        """How long it took, or has taken until ``now``; None before it started."""
        return None if self.started is None else (self.finished or now) - self.started


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Filter of the Jobs dock. Empty fields do not filter; text is matched in name, type and who."""

    text: str = ""
    engine: str = ""
    statuses: frozenset[str] = field(default_factory=frozenset)
    type: str = ""
    run_id: int | None = None
    before: int | None = None  # jobs with a smaller id: the next page
    limit: int = 500


def worth_a_look(rows: Sequence[TaskRow]) -> int:
    """The place of the task that is shown until a person chooses one; -1 of none.

    What failed goes first, then what runs, then what ran last.
    """
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.status, []).append(place)
    if places.get("failed"):
        return places["failed"][0]
    for status in ("active", "soft-failed"):
        if places.get(status):
            return places[status][-1]
    ended = [(row.finished or 0.0, place) for place, row in enumerate(rows) if row.started]
    return max(ended)[1] if ended else 0 if rows else -1
