"""What the halves of the embedded site promise each other.

The core (schema, store, query, operations) writes rows and says what was committed; the event hub, the files and the
faults listen and add routes and actions. Both sides know only this module and :class:`app.sandbox.server.Server`.

Column values are as SQLite holds them: text, numbers, ``None``; booleans are ``0``/``1``; a date-time is the text
``YYYY-MM-DDTHH:MM:SS`` in UTC without a zone (the protocol keeps no microseconds); structured values are JSON text.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from aiohttp import web

Value = str | int | float | bytes | None
Row = Mapping[str, Value]

Json = Any

Action = Literal["add", "update", "move", "remove"]


class ApiError(Exception):
    """An error the client is told of: ``{"exception": name, "content": text, "error_code": code}``.

    Attributes:
        name: the server's exception class, as ftrack names it (``ParseError``, ``ValidationError``...).
        content: the sentence for a person.
        status: HTTP status in strict mode (without it every error travels as 200).
        code: ``error_code`` of the answer.
    """

    def __init__(self, name: str, content: str, status: int = 400, code: str | None = None) -> None:
        super().__init__(content)
        self.name = name
        self.content = content
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: a user of the site, with the tokens its client sent along (empty when it sent none)."""

    user_id: str
    username: str
    client_token: str = ""
    push_token: str = ""


@dataclass(frozen=True, slots=True)
class ParentLink:
    """One step of a parents chain: an entity, its concrete schema id and its parent (``None`` at a project)."""

    entity_id: str
    entity_type: str
    parent_id: str | None


@dataclass(frozen=True, slots=True)
class EntityChange:
    """What one batch did to one entity (several operations on it are one change).

    Attributes:
        action: ``move`` when a context's ``parent_id`` changed.
        entity_type: concrete schema id (``Shot``, not ``TypedContext``).
        entity_id: the primary key; composite keys joined by ``,``.
        old: columns before. Update and move: the changed columns; remove: the whole row; add: empty.
        new: columns after. Update and move: the changed columns; add: the whole row; remove: empty.
        custom: custom attribute key -> (old, new) of this owner, decoded values (``None`` when unset).
        parents: self first, then upwards to the project where there is one.
        row: the whole row after the change (before it, for a removal).
    """

    action: Action
    entity_type: str
    entity_id: str
    old: Row
    new: Row
    row: Row
    parents: tuple[ParentLink, ...] = ()
    custom: Mapping[str, tuple[Json, Json]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Commit:
    """One committed batch with at least one change. ``time`` is the site's clock in UTC epoch seconds."""

    identity: Identity
    changes: Sequence[EntityChange]
    time: float


CommitListener = Callable[[Commit], None]
"""Called in the event loop's thread right after the commit, in commit order; must not block and must not raise."""


class Reader(Protocol):
    """Reads of the site's rows: from the event loop, or inside a batch (then it sees the batch's own writes)."""

    def row(self, entity_type: str, entity_id: str) -> dict[str, Value] | None:
        """The columns of an entity plus ``__type__`` (its concrete schema id), or ``None`` when there is none."""
        ...

    def parents_chain(self, entity_type: str, entity_id: str) -> tuple[ParentLink, ...]:
        """Self first, project last: note -> owner..., version -> asset -> context... -> project."""
        ...

    def select(self, sql: str, arguments: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """Rows of a plain SQL statement; tables are named after storage roots (``Context``, ``Component``)."""
        ...

    def query(self, expression: str) -> list[dict[str, Json]]:
        """The rows of an ftrack query expression, encoded as the wire has them."""
        ...


class Batch(Reader, Protocol):
    """The open transaction an action runs in. Everything is rolled back when the action raises."""

    identity: Identity

    def now(self) -> str:
        """The site's time as a column value."""
        ...

    def create(self, entity_type: str, data: Mapping[str, Json]) -> dict[str, Json]:
        """Create as a client would (defaults, checks, derived rows); returns the encoded entity."""
        ...

    def update(self, entity_type: str, entity_id: str, data: Mapping[str, Json]) -> dict[str, Json]:
        """Update as a client would; raises :class:`ApiError` when the entity is gone."""
        ...

    def delete(self, entity_type: str, entity_id: str) -> None:
        """Delete with everything that hangs on it."""
        ...


ActionHandler = Callable[[Batch, Mapping[str, Json]], Json]
"""Answers one operation (``get_upload_metadata``, ``encode_media``...) inside the batch's transaction."""

ApiHook = Callable[[web.Request, Identity, Sequence[Mapping[str, Json]]], Awaitable[web.StreamResponse | None]]
"""Runs before a batch is executed; what it returns is answered instead, what it raises as ApiError is the error."""


class Site(Protocol):
    """What the hub, files and faults see of :class:`app.sandbox.server.Server`."""

    app: web.Application
    url: str
    key: str
    directory: Any
    clock_offset: float
    counters: dict[str, int]

    @property
    def reader(self) -> Reader:
        """Reads of what is committed."""
        ...

    def clock(self) -> float:
        """Now in UTC epoch seconds, shifted by ``clock_offset``."""
        ...

    def identity(self, user: str, key: str) -> Identity | None:
        """The user these credentials belong to, or ``None``."""
        ...

    def legacy_name(self, entity_type: str, attribute: str) -> str:
        """The name events use for an attribute (``status_id`` -> ``statusid``), the attribute itself without one."""
        ...

    def attribute_kind(self, entity_type: str, attribute: str) -> str:
        """What an attribute holds as the schema says: ``string``, ``boolean``, ``number``, ``integer``, ``date-time``,
        ``date``, ``json``; ``string`` for a column the schema does not show. Events encode values by it."""
        ...

    def event_type(self, entity_type: str) -> str:
        """The table name in events: ``Shot`` -> ``task``, ``Project`` -> ``show``, else lower-cased legacy or id."""
        ...

    def on_commit(self, listener: CommitListener) -> None:
        """Add a listener."""
        ...

    def on_action(self, action: str, handler: ActionHandler) -> None:
        """Answer an API action of this name."""
        ...

    def on_api(self, hook: ApiHook) -> None:
        """Add a hook in front of ``POST /api`` (faults)."""
        ...

    async def execute(self, identity: Identity, operations: Sequence[Mapping[str, Json]]) -> list[Json]:
        """Run a batch as this user: one transaction, listeners called; raises :class:`ApiError`."""
        ...

    async def run(self, identity: Identity, work: Callable[[Batch], Json]) -> Json:
        """Run a function inside one transaction as this user (a transcode that finishes, a seed)."""
        ...
