"""The embedded site: one aiohttp application over one store.

:class:`Server` implements :class:`app.sandbox.contract.Site`. Reads run at once in the event loop; batches that write
hold one lock, small ones in the loop, large ones in a thread, so that heartbeats and other clients go on.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import apsw
from aiohttp import web

from app.sandbox.contract import (
    ActionHandler,
    ApiError,
    ApiHook,
    Batch,
    Commit,
    CommitListener,
    Identity,
    Json,
    Reader,
)
from app.sandbox.encoding import is_whole
from app.sandbox.history import write_history
from app.sandbox.http import (
    api_response,
    error_response,
    identity_of,
    json_response,
    mind_who_leaves,
    read_operations,
)
from app.sandbox.live import LiveValues
from app.sandbox.operations import BatchRun, RowReader
from app.sandbox.owned import Workflows
from app.sandbox.query.compiler import unknown_action
from app.sandbox.query.results import Queries
from app.sandbox.schema import Schema
from app.sandbox.search import search
from app.sandbox.snapshots import Snapshots
from app.sandbox.store import Store

logger = logging.getLogger(__name__)

Operation = Mapping[str, Json]

_IN_LOOP = 20
"""Batches up to this many operations run in the event loop: below a thread's own cost, a few milliseconds at most."""

_LARGE = 500
"""Commits with more changes than this are made into events after their answer has left, which takes a while."""

_PATIENCE = 0.25
"""Seconds until that happens even when the answer never leaves."""

_READS = {"query", "query_server_information", "query_schemas", "search", "get_widget_url"}


class Server:
    """A site over a directory: its database, its files.

    Args:
        directory: where everything is kept; made when absent.
        url: the address it will be reached at.
        key: the API key that every active user may use; random when not given.
    """

    def __init__(self, directory: Path, url: str = "", key: str | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.key = key or secrets.token_hex(24)
        self.url = url
        self.clock_offset = 0.0
        self.counters: dict[str, int] = {}
        self.schema = Schema()
        self.store = Store(directory / "site.db", self.schema)
        self.queries = Queries(self.schema, LiveValues(lambda: self.url))
        self.workflows = Workflows(self.store)
        self._reader = RowReader(self.store, self.queries, self.store.reader)
        self._lock = asyncio.Lock()
        self._listeners: list[CommitListener] = []
        self._credentials: dict[str, tuple[Identity, str | None]] = {}
        self._new_keys = False
        self._untold: deque[Commit] = deque()
        self._hooks: list[ApiHook] = []
        self._actions: dict[str, ActionHandler] = {}
        self.app = web.Application(middlewares=[mind_who_leaves], client_max_size=512 * 1024 * 1024)
        self.app.router.add_post("/api", self._api)
        self.app.router.add_get("/widget/{name}", self._widget)
        Snapshots(self.app, self, directory / "snapshots", self.snapshot, self.restore)

    # contract.Site

    @property
    def reader(self) -> Reader:
        """Reads of what is committed."""
        return self._reader

    def clock(self) -> float:
        """Now in UTC epoch seconds, shifted by ``clock_offset``."""
        return time.time() + self.clock_offset

    def identity(self, user: str, key: str) -> Identity | None:
        """The active user of these credentials, or ``None``. The site's key serves all, a reset key its own user."""
        if not (is_whole(user) and is_whole(key)):  # the bytes of a header that are no UTF-8
            return None
        held = self._credentials.get(user)
        if held is None:
            rows = self.store.select(
                'SELECT r.id, k.secret FROM "Resource" r LEFT JOIN "__key__" k ON k.user_id = r.id'
                " WHERE r.username = ? AND r.is_active = 1 AND r.__type__ = 'User'",
                (user,),
            )
            if not rows:
                return None
            held = self._credentials[user] = (Identity(rows[0][0], user), rows[0][1])
        given = key.encode()
        if hmac.compare_digest(given, self.key.encode()) or (held[1] and hmac.compare_digest(given, held[1].encode())):
            return held[0]
        return None

    def legacy_name(self, entity_type: str, attribute: str) -> str:
        """The name events use for an attribute."""
        return self.schema.legacy_name(entity_type, attribute)

    def attribute_kind(self, entity_type: str, attribute: str) -> str:
        """What an attribute holds: ``string``, ``boolean``, ``number``, ``integer``, ``date-time``, ``json``."""
        entity = self.schema.get(entity_type)
        found = entity.attributes.get(attribute) if entity else None
        if found is None:
            return "string"
        if found.format == "date-time":
            return found.format
        return "json" if found.data_type in ("variable", "object") else found.data_type or "string"

    def event_type(self, entity_type: str) -> str:
        """The table name events use for a type."""
        return self.schema.event_type(entity_type)

    def on_commit(self, listener: CommitListener) -> None:
        """Call this after every commit, in commit order."""
        self._listeners.append(listener)

    def on_action(self, action: str, handler: ActionHandler) -> None:
        """Answer an API action."""
        self._actions[action] = handler

    def on_api(self, hook: ApiHook) -> None:
        """Ask this before a batch."""
        self._hooks.append(hook)

    async def execute(self, identity: Identity, operations: Sequence[Operation]) -> list[Json]:
        """Run a batch: all of it or nothing.

        Raises:
            ApiError: an operation was refused.
        """
        if all(operation.get("action") in _READS for operation in operations):
            return [self._read(operation, self._reader) for operation in operations]
        async with self._lock:
            if len(operations) <= _IN_LOOP:
                results, commit = self._transact(identity, lambda batch: self._operate(batch, operations))
            else:
                results, commit = await asyncio.to_thread(
                    self._transact, identity, lambda batch: self._operate(batch, operations)
                )
            self._tell(commit)
        return list(results)

    async def run(self, identity: Identity, work: Callable[[Batch], Json]) -> Json:
        """Run a function inside one transaction."""
        async with self._lock:
            result, commit = await asyncio.to_thread(self._transact, identity, work)
            self._tell(commit)
        return result

    def run_offline(self, identity: Identity, work: Callable[[Batch], Json]) -> Json:
        """As :meth:`run`, before the site listens (seeds): nobody is told."""
        result, _commit = self._transact(identity, work)
        self._credentials.clear()
        return result

    def close(self) -> None:
        """Close the store. The site must no longer listen."""
        self.store.close()

    async def snapshot(self, target: Path) -> None:
        """Keep the present state in a new file."""
        async with self._lock:
            await asyncio.to_thread(self.store.snapshot, target)

    async def restore(self, source: Path) -> None:
        """Go back to a snapshot. Nobody is told."""
        async with self._lock:
            await asyncio.to_thread(self.store.restore, source)
            self.workflows.clear()
            self._credentials.clear()

    # Operations

    def _transact(self, identity: Identity, work: Callable[[Batch], Json]) -> tuple[Json, Commit]:
        with self.store.lock:
            batch = BatchRun(self.store, self.queries, self.workflows, identity, self.clock())
            connection = self.store.writer
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(batch)
                commit = batch.commit_record()
                write_history(batch, commit)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self.workflows.clear()
                raise
            return result, commit

    def _tell(self, commit: Commit) -> None:
        """Call the listeners, in commit order: at once, or for a large commit after its answer has left.

        At once means before the answer, so that whoever has the answer can rely on the event being kept.
        """
        if self._new_keys or any(self.schema[change.entity_type].root == "Resource" for change in commit.changes):
            self._new_keys = False
            self._credentials.clear()
        if not commit.changes:
            return
        self._untold.append(commit)
        if len(commit.changes) <= _LARGE:
            self._call_listeners()
        else:
            asyncio.get_running_loop().call_later(_PATIENCE, self._call_listeners)

    def _call_listeners(self) -> None:
        while self._untold:
            commit = self._untold.popleft()
            for listener in self._listeners:
                listener(commit)

    def _operate(self, batch: Batch, operations: Sequence[Operation]) -> list[Json]:
        return [self._write(batch, operation) for operation in operations]

    def _write(self, batch: Batch, operation: Operation) -> Json:
        action = operation.get("action")
        if action in ("create", "update"):
            entity_type, data = operation.get("entity_type"), operation.get("entity_data")
            if not isinstance(entity_type, str) or not isinstance(data, dict):
                raise ApiError("MalformedRequestError", f"{action} needs an entity_type and entity_data.")
            if action == "create":
                return {"action": action, "data": batch.create(entity_type, data)}
            return {"action": action, "data": batch.update(entity_type, _key(operation), data)}
        if action == "delete":
            batch.delete(str(operation.get("entity_type")), _key(operation))
            return {"action": action, "data": True}
        if action == "reset_remote":
            return {"action": action, "data": self._reset(batch, operation)}
        if action in ("send_user_invite", "send_review_session_invite"):
            return self._invite(batch, operation)
        if action in self._actions:
            return self._actions[str(action)](batch, operation)
        assert isinstance(batch, BatchRun)
        return self._read(operation, batch)

    def _read(self, operation: Operation, reader: RowReader) -> Json:
        action = operation.get("action")
        if action == "query":
            rows, following = self.queries.query(reader.connection, str(operation.get("expression", "")))
            return {"action": action, "data": rows, "metadata": {"next": {"offset": following}}}
        if action == "query_server_information":
            return self._information()
        if action == "query_schemas":
            return self.schema.wire
        if action == "search":
            rows, following = search(reader, self.queries, operation)
            return {"action": action, "data": rows, "metadata": {"next": {"offset": following}}}
        if action == "get_widget_url":
            return self._widget_url(operation)
        raise unknown_action(action)

    def _information(self) -> dict[str, Json]:
        return {
            "version": "24.10.1",
            # Nobody may take it for a real site.
            "signalbox_embedded": True,
            "schema_hash": self.schema.hash,
            "storage_scenario": {"scenario": "ftrack.server", "data": {}},
            "is_timezone_support_enabled": True,
            "is_nested_subqueries_enabled": True,
            "company_information": {"company_name": "Signalbox", "uuid": "", "company_id": ""},
            "default_colors": [],
            "week_startday": 1,
            "workday_length": 28800,
        }

    def _widget_url(self, operation: Operation) -> dict[str, Json]:
        name = str(operation.get("name", ""))
        query = {"theme": operation.get("theme") or "light"}
        if operation.get("entity_type"):
            query["entity_type"] = str(operation["entity_type"])
            query["entity_key"] = _key(operation)
        return {"widget_url": f"{self.url}/widget/{name}?{urlencode(query)}"}

    def _reset(self, batch: Batch, operation: Operation) -> dict[str, Json]:
        if operation.get("reset_type") != "api_key":
            raise ApiError("ValidationError", f"Only the api_key can be reset, not {operation.get('reset_type')!r}.")
        user_id = _key(operation)
        if batch.row("User", user_id) is None:
            raise ApiError("IntegrityError", f"There is no User with the key {user_id!r}.", status=404)
        secret = secrets.token_hex(24)
        batch.select("INSERT OR REPLACE INTO __key__ VALUES (?, ?)", (user_id, secret))
        self._new_keys = True
        return {"api_key": secret}

    def _invite(self, batch: Batch, operation: Operation) -> dict[str, Json]:
        if operation["action"] == "send_user_invite":
            entity_type, key = "User", operation.get("user_id")
        else:
            entity_type, key = "ReviewSessionInvitee", operation.get("review_session_invitee_id")
        if batch.row(entity_type, str(key)) is None:
            raise ApiError("IntegrityError", f"There is no {entity_type} with the key {key!r}.", status=404)
        if entity_type == "ReviewSessionInvitee":
            batch.update(entity_type, str(key), {"last_sent_at": batch.now()})
        return {"action": operation["action"], "sent": True}

    # HTTP

    async def _api(self, request: web.Request) -> web.StreamResponse:
        strict = request.headers.get("ftrack-strict-api") == "true"
        try:
            identity = identity_of(request, self)
            operations = await read_operations(request)
            self._count(operations)
            for hook in self._hooks:
                answer = await hook(request, identity, operations)
                if answer is not None:
                    return answer
            if len(operations) == 1 and operations[0].get("action") == "query_schemas":
                return json_response(f"[{self.schema.wire_text}]")
            results = await self.execute(identity, operations)
        except ApiError as error:
            return error_response(error, strict)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, apsw.Error) as error:
            logger.exception("A batch failed in a way the site does not foresee")
            return error_response(ApiError("InternalServerError", f"{type(error).__name__}: {error}", 500), strict)
        return api_response(results, self._call_listeners)

    def _count(self, operations: Sequence[Operation]) -> None:
        counters = self.counters
        counters["requests"] = counters.get("requests", 0) + 1
        for operation in operations:
            action = str(operation.get("action"))
            counters[action] = counters.get(action, 0) + 1

    async def _widget(self, request: web.Request) -> web.Response:
        name = escape(request.match_info["name"])
        shown = escape(request.query.get("entity_key", ""))
        return web.Response(
            text=f"<!doctype html><title>{name}</title><h1>{name}</h1><p>{shown}", content_type="text/html"
        )


def _key(operation: Operation) -> str:
    """The primary key of an operation as one text."""
    key: Any = operation.get("entity_key")
    if isinstance(key, Mapping):
        key = list(key.values())
    return ",".join(str(part) for part in key) if isinstance(key, list) else str(key)
