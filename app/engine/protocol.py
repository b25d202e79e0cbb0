"""What the engine knows of handlers and effects, and what it gives them.

A handler decides and does not do: it reads facts through its `Context` and returns a `Plan` of effects, each with
its reason. The engine journals the plan, applies the effects, and can show, audit, retry and undo them. The engine
knows only these protocols; the kinds of effect live in `app.effects`, the handlers in `app.handlers`.
"""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict

from app.rules.outcomes import Later, PlanError

if TYPE_CHECKING:
    from app.engine.doors import Clock, Disk, Doors, People, SiteDoor

__all__ = [
    "RESULT_MARK",
    "Action",
    "BadPlan",
    "Change",
    "Channel",
    "Context",
    "Effect",
    "Expect",
    "Handler",
    "HandlerSettings",
    "Later",
    "Launch",
    "Note",
    "Occasion",
    "Parent",
    "Plan",
    "PlanError",
    "natural_id",
    "skip",
]

Doing = Literal["add", "update", "move", "remove"]

_NAMESPACE = uuid.UUID("6b1d5c0e-5a1f-4d3a-9a57-51b0a17b0c5e")


def natural_id(*parts: str) -> str:
    """The id an entity gets from its natural key, e.g. ``natural_id(server, project_id, "dailies", "2026-11-22")``.

    Two workers that plan the same thing choose the same id, so the site's uniqueness makes one of it.
    """
    return str(uuid.uuid5(_NAMESPACE, "/".join(parts)))


@dataclass(frozen=True, slots=True)
class Parent:
    """One step of a change's chain from the entity itself up to its project.

    Attributes:
        entity_type: Schema id, e.g. "Task", "Shot", "Project".
        table: The legacy table name of the event, e.g. "task", "assetversion", "show".
        entity_id: The entity's id.
        parent_id: The next step's id, None for the project.
    """

    entity_type: str
    table: str
    entity_id: str
    parent_id: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """One entity of one `ftrack.update` event: the unit that handlers are given.

    Attributes:
        event_row: Row id of the event in the journal.
        event_id: ftrack's id of the event (synthetic ids start with ``catch-up:``).
        index: Position of the entity within the event.
        action: What was done to the entity.
        entity_type: Schema id, e.g. "Task", "Shot", "AssetVersion", "Project".
        table: Legacy table name, e.g. "task", "assetversion", "show".
        entity_id: The entity's id.
        changes: Legacy key to (old, new), e.g. ``{"statusid": (old id, new id)}``. Values are what the wire carried.
        parents: Chain from the entity itself to the project, as far as the event told it.
        project_id: The project, where the event told it.
        user_id: Who did it, where known.
        username: Who did it, where known.
        received: When the listener received the event (aware, UTC).
        occurred: When it happened, where a catch-up knows it (aware, UTC).
        origin: "hub" (live), "catch_up" (found after a gap) or "replay".
        depth: 0 for a person's change, +1 for each effect of ours that led to it.
    """

    event_row: int
    event_id: str
    index: int
    action: Doing
    entity_type: str
    table: str
    entity_id: str
    changes: Mapping[str, tuple[Any, Any]]
    parents: tuple[Parent, ...]
    project_id: str | None
    user_id: str | None
    username: str | None
    received: dt.datetime
    occurred: dt.datetime | None = None
    origin: Literal["hub", "catch_up", "replay"] = "hub"
    depth: int = 0

    def becomes(self, key: str) -> Any | None:
        """The new value of ``key`` if this change set it to something else, else None (old == new is no change)."""
        pair = self.changes.get(key)
        if pair is None or pair[0] == pair[1]:
            return None
        return pair[1]


@dataclass(frozen=True, slots=True)
class Expect:
    """What a ftrack effect relies on: re-read in one query just before the commit.

    Attributes:
        entity_type: Schema id to query.
        entity_id: The entity.
        attribute: Attribute or "metadata.<key>"; "exists" compares the presence of the entity with a bool.
        value: The value the plan saw.
    """

    entity_type: str
    entity_id: str
    attribute: str
    value: Any


#: How the engine applies a kind of effect, see `app.engine.kinds`.
Channel = Literal["ftrack", "disk", "outbox", "slow"]


class Own(Mapping[str, tuple[str, ...]]):
    """What one run created: each id with the ids of those of its things that name it in a value.

    Args:
        made: Id to the values it was made with.
    """

    def __init__(self, made: Mapping[str, Mapping[str, Any]]) -> None:
        below: dict[str, list[str]] = {key: [] for key in made}
        for key, values in made.items():
            for value in values.values():
                if isinstance(value, str) and value in below:
                    below[value].append(key)
        self._below = {key: tuple(ids) for key, ids in below.items()}

    def __getitem__(self, key: str) -> tuple[str, ...]:
        return self._below[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._below)

    def __len__(self) -> int:
        return len(self._below)


class Effect(BaseModel, ABC):
    """One thing to do, as data. Subclasses live in `app.effects`, one file a kind.

    Attributes:
        slot: Name of the effect within its plan, unique there; results are recorded under it.
        reason: Why, in a TD's words ("the task is of type Compositing and has no file yet").
        entity_id: The change's entity this effect is for, so that outcomes are reported per entity.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str]
    #: How the engine applies it: in a server transaction, on disk, through the outbox, or in the heavy pool.
    via: ClassVar[Channel]

    slot: str
    reason: str
    entity_id: str | None = None

    @abstractmethod
    def describe(self) -> str:
        """What it does, in words a TD understands, with the real names and paths."""

    def inverse(self, before: Mapping[str, Any], after: Mapping[str, Any], own: Own) -> Sequence[Effect] | str:
        """Effects that take this one back; a text says why it cannot be taken back.

        Args:
            before: What was recorded before it was applied.
            after: Its results.
            own: Everything the same run created.
        """
        del before, after, own
        return "it cannot be taken back"

    def resolved(self, results: Mapping[str, Mapping[str, Any]]) -> Self:
        """The same effect with every `Result(slot, field)` replaced by the journalled value.

        Raises:
            PlanError: An effect it refers to has no results: it failed, or was left alone.
            BadPlan: It has results, but not this one.
        """
        data = self.model_dump(mode="json")
        filled = _filled(data, results, self.slot)
        return self if filled == data else type(self).model_validate(filled)


class BadPlan(Exception):
    """What a handler returned, or left behind, cannot be a plan: a defect of the handler, the same each time."""


#: How a reference to a result is written in an effect's data: ``{"$result": [slot, field]}``.
RESULT_MARK = "$result"


def sources(value: Any) -> Iterator[str]:
    """The slots whose results an effect's data refers to."""
    if isinstance(value, dict):
        if set(value) == {RESULT_MARK}:
            yield value[RESULT_MARK][0]
        else:
            for each in value.values():
                yield from sources(each)
    elif isinstance(value, list):
        for each in value:
            yield from sources(each)


def _filled(value: Any, results: Mapping[str, Mapping[str, Any]], slot: str) -> Any:
    if isinstance(value, dict):
        if set(value) == {RESULT_MARK}:
            source, name = value[RESULT_MARK]
            if source not in results:
                raise PlanError(f"the step {slot!r} needs {name!r} of the step {source!r}, which has no result")
            if name not in results[source]:
                raise BadPlan(f"the step {slot!r} needs {name!r} of the step {source!r}, which has no such result")
            return results[source][name]
        return {key: _filled(each, results, slot) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, results, slot) for each in value]
    return value


@dataclass(frozen=True, slots=True)
class Note:
    """What a plan says of one of its changes that needs no effect: skipped, already so, or failed.

    Attributes:
        entity_id: The change's entity.
        outcome: "skipped" (not for us), "already" (nothing left to do), "superseded" (what it was about has changed
            since) or "failed" (a person must look).
        reason: In words a TD understands.
    """

    entity_id: str
    outcome: Literal["skipped", "already", "superseded", "failed"]
    reason: str


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something that a plan does, told in texts: what settings may want done afterwards can name them.

    Attributes:
        key: Natural facts of it: what follows is done once for each key.
        values: Name to text; always ``project`` (its name), ``by`` (who did it) and ``about`` (what it is, in words).
        entity_id: The change's entity it is done for; None for the run as a whole.
    """

    key: str
    values: Mapping[str, str]
    entity_id: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a handler decided.

    Attributes:
        effects: In order of application; outward effects (Slack, job submission) last.
        notes: Per-entity outcomes that need no effect.
        warnings: Said in the run's log and shown in the window.
        continue_with: Facts for a further run of the same handler, queued after this one's effects were applied.
        occasions: What it does, for the settings that want more done once that is done (`HandlerSettings.follow_ups`).
    """

    effects: tuple[Effect, ...] = ()
    notes: tuple[Note, ...] = ()
    warnings: tuple[str, ...] = ()
    continue_with: Mapping[str, Any] | None = None
    occasions: tuple[Occasion, ...] = ()


def skip(reason: str, entity_id: str = "") -> Plan:
    """A plan that does nothing and says why."""
    return Plan(notes=(Note(entity_id, "skipped", reason),))


@dataclass(slots=True)
class Context:
    """The facts a plan may read. Nothing here writes.

    Attributes:
        site: Reads of the ftrack site (see `app.engine.doors.SiteDoor`); look-ups are cached per server.
        disk: Reads of the production drives.
        clock: The time, aware UTC.
        people: Slack names of ftrack users and channels of projects.
        settings: The handler's settings, already resolved for the change's project.
        handler_settings: The same for another project of the batch: ``handler_settings(project_name)``.
        log: The run's own log.
        run_id: Journal id of the run.
        run_mark: What no other run of any journal has; ids of what only this run makes are made of it.
        facts: What a previous plan passed on with ``continue_with``, and what an action's launch carried.
        results: Results of this run's effects applied so far, by slot.
        doors: All doors, for what the above do not cover (job types, media probe).
    """

    site: SiteDoor
    disk: Disk
    clock: Clock
    people: People
    settings: Any
    handler_settings: Any
    log: logging.Logger | logging.LoggerAdapter[logging.Logger]
    run_id: int
    run_mark: str
    doors: Doors
    facts: Mapping[str, Any] = field(default_factory=dict)
    results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class HandlerSettings(BaseModel):
    """Base of every handler's settings: each field is declared once with type, default, help (`Field(description=)`).

    Mark a field with ``json_schema_extra={"per_project": True}`` when a project may override it, ``{"secret": True}``
    when it belongs in the keyring, ``{"widget": "statuses" | "task_types" | "path" | "template" | ...}`` as a hint to
    the form.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    def follow_ups(self, occasion: Occasion, ctx: Context) -> Sequence[Effect]:
        """Outward effects that these settings want once ``occasion`` is done. Raises PlanError, Later."""
        del occasion, ctx
        return ()


class Handler(ABC):
    """An event handler. One instance per process; keeps no state between runs.

    Attributes:
        id: Stable identifier, e.g. ``create_task_folder``.
        title: Name in the panel.
        help: One or two sentences: when it acts and what it does.
        icon: Name of an icon in resources/icons.
        settings_model: Its settings.
        batch: At most so many changes with equal key are given to one plan.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    help: ClassVar[str]
    icon: ClassVar[str] = "handler"
    settings_model: ClassVar[type[HandlerSettings]] = HandlerSettings
    batch: ClassVar[int] = 1

    @abstractmethod
    def wants(self, change: Change) -> bool:
        """Whether the change can concern this handler, judged from its payload alone (no query, microseconds)."""

    @abstractmethod
    def key(self, change: Change) -> str:
        """What would be written ("task:<id>", "folder:<project id>"): equal keys run in event order."""

    @abstractmethod
    def plan(self, changes: Sequence[Change], ctx: Context) -> Plan:
        """Decide. Raises PlanError or Later; anything else is a failure worth a retry."""

    def catch_up(self, ctx: Context, since: dt.datetime) -> Iterable[Change]:
        """What was missed since then (server time, 5 minutes' overlap included by the engine): synthetic changes.

        Their ``event_id`` must be made of natural facts (``catch-up:<StatusChange id>``), so that they de-duplicate.
        """
        del ctx, since
        return ()


@dataclass(frozen=True, slots=True)
class Launch:
    """What an action was launched with.

    Attributes:
        selection: (schema id or legacy type as the event carried it, entity id) of each selected entity.
        values: The form's values.
        user_id: Who launched it.
        username: Who launched it.
    """

    selection: tuple[tuple[str, str], ...]
    values: Mapping[str, Any]
    user_id: str | None = None
    username: str | None = None


class Action(ABC):
    """An action of the menu. Its launch is a run like any other: planned, journalled, applied, undone.

    Attributes:
        id: Stable identifier, the ``actionIdentifier`` on the wire.
        title: Name in the menu.
        help: One or two sentences.
        icon: Name of an icon in resources/icons.
        settings_model: Its settings.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    help: ClassVar[str]
    icon: ClassVar[str] = "action"
    settings_model: ClassVar[type[HandlerSettings]] = HandlerSettings

    def form_spec(self) -> Mapping[str, Any] | None:
        """The form that asks for its values, None without one."""
        return None

    @abstractmethod
    def key(self, launch: Launch) -> str:
        """What would be written, as for a handler; "" for nothing that others write."""

    @abstractmethod
    def plan(self, launch: Launch, ctx: Context) -> Plan:
        """Decide. Raises PlanError or Later."""
