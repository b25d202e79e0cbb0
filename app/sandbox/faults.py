"""Fault injection: what goes wrong on a real site, made to go wrong on purpose.

``POST /_sandbox/faults`` with a JSON object of :class:`FaultOrder` changes what is named and leaves the rest; ``GET``
shows what is in force. Both want the site's credentials, like every private address here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.sandbox.contract import ApiError, Identity, Json, Site
from app.sandbox.hub import EventHub
from app.sandbox.private import require_credentials
from app.sandbox.socketio import Connection

_REORDER_SECONDS = 0.25


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ServerErrors(_Part):
    """Batches answered with a page instead of a result.

    Attributes:
        count: How many; -1 without end.
        status: HTTP status.
        actions: Only batches that hold one of these actions; empty: all.
    """

    count: int = 1
    status: int = 500
    actions: list[str] = Field(default_factory=list)


class ClockOrder(_Part):
    """The site's clock: ``set`` to a time (UTC epoch seconds or ISO text), or ``shift`` by seconds."""

    set: float | datetime | None = None
    shift: float = 0.0


class FaultOrder(_Part):
    """One order. Only what it names changes.

    Attributes:
        reset: First end every fault in force (the clock stays as it is).
        disconnect: End event connections now: ``abort`` (TCP reset), ``close`` (websocket close frame, which the
            stock client does not survive), ``disconnect`` (``0::``).
        user: Only this user's event connections (with ``disconnect`` and ``silent``).
        refuse_connects: Refuse event connections: yes, no, or the next so many requests.
        heartbeat: Whether heartbeats are sent.
        silent: Whether the open connections stay open but hear nothing more; new connections are not silent.
        delay: Seconds each event waits before it is delivered.
        duplicate: Whether each event is delivered twice.
        reorder: Deliver events in reversed groups of this size; 0 or 1: in order.
        drop: So many of the coming deliveries are lost.
        errors: Batches that fail with a server error.
        lose_answers: So many of the coming batches are executed and their answers lost.
        deny: User name -> actions refused with PermissionError (``*``: all); an empty list ends it.
        latency: Seconds each answer takes at least.
        component_floor: Seconds each answer of ``/component/*`` takes at least.
        clock: The site's clock.
    """

    reset: bool = False
    disconnect: Literal["abort", "close", "disconnect"] | None = None
    user: str | None = None
    refuse_connects: bool | int | None = None
    heartbeat: bool | None = None
    silent: bool | None = None
    delay: float | None = Field(None, ge=0)
    duplicate: bool | None = None
    reorder: int | None = Field(None, ge=0)
    drop: int | None = Field(None, ge=0)
    errors: ServerErrors | None = None
    lose_answers: int | None = Field(None, ge=0)
    deny: dict[str, list[str]] | None = None
    latency: float | None = Field(None, ge=0)
    component_floor: float | None = Field(None, ge=0)
    clock: ClockOrder | None = None


class Faults:
    """The faults in force on one site. Made before the hub, which asks it; then told of the hub by :meth:`attach`."""

    def __init__(self, site: Site, latency: float = 0.0, component_floor: float = 0.0) -> None:
        self._site = site
        self._refuse: int = 0
        self._heartbeat = True
        self._delay = 0.0
        self._duplicate = False
        self._reorder = 0
        self._drop = 0
        self._errors = ServerErrors(count=0)
        self._lose_answers = 0
        self._deny: dict[str, set[str]] = {}
        self._latency = latency
        self._component_floor = component_floor
        self._held: dict[Connection, list[str]] = {}
        self._hub: EventHub | None = None
        site.app.middlewares.append(self._slow)
        site.on_api(self._before_batch)
        site.app.router.add_get("/_sandbox/faults", self._show)
        site.app.router.add_post("/_sandbox/faults", self._order)

    def attach(self, hub: EventHub) -> None:
        """Give the hub whose connections are ended on order."""
        self._hub = hub

    # What the hub asks.

    def refuses_connect(self) -> bool:
        """Whether this handshake or upgrade is refused."""
        if self._refuse > 0:
            self._refuse -= 1
            return True
        return self._refuse < 0

    def heartbeat(self) -> bool:
        """Whether heartbeats are sent."""
        return self._heartbeat

    def deliver(self, connection: Connection, packet: str) -> None:
        """Queue an event's packet as the faults in force have it."""
        if self._drop > 0:
            self._drop -= 1
            return
        if self._delay > 0:
            asyncio.get_running_loop().call_later(self._delay, self._in_order, connection, packet)
        else:
            self._in_order(connection, packet)

    def _in_order(self, connection: Connection, packet: str) -> None:
        if self._reorder > 1:
            held = self._held.setdefault(connection, [])
            held.append(packet)
            if len(held) >= self._reorder:
                self._release(connection)
            elif len(held) == 1:
                asyncio.get_running_loop().call_later(_REORDER_SECONDS, self._release, connection)
        else:
            self._send(connection, packet)

    def _release(self, connection: Connection) -> None:
        for packet in reversed(self._held.pop(connection, [])):
            self._send(connection, packet)

    def _send(self, connection: Connection, packet: str) -> None:
        connection.send(packet)
        if self._duplicate:
            connection.send(packet)

    # What the API meets.

    async def _before_batch(
        self, request: web.Request, identity: Identity, operations: Sequence[Mapping[str, Json]]
    ) -> web.StreamResponse | None:
        actions = {str(operation.get("action")) for operation in operations}
        denied = self._deny.get(identity.username, set())
        if denied and ("*" in denied or actions & denied):
            raise ApiError("PermissionError", f"User {identity.username} is not permitted to do this.", status=403)
        if self._errors.count and (not self._errors.actions or actions & set(self._errors.actions)):
            if self._errors.count > 0:
                self._errors.count -= 1
            return web.Response(status=self._errors.status, text="<html>Internal Server Error</html>")
        if self._lose_answers > 0:
            self._lose_answers -= 1
            request["lose_answer"] = True
        return None

    @web.middleware
    async def _slow(
        self,
        request: web.Request,
        handler: web.Handler,  # type: ignore[name-defined]
    ) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        started = loop.time()
        response: web.StreamResponse
        try:
            response = await handler(request)
        except web.HTTPException as refused:
            response = refused
        if request.path.startswith(("/_sandbox", "/socket.io")):
            return response
        floor = self._latency
        if request.path.startswith("/component/"):
            floor = max(floor, self._component_floor)
        if floor > 0:
            await asyncio.sleep(started + floor - loop.time())
        if request.get("lose_answer") and request.transport is not None:
            request.transport.abort()
        return response

    # The private address.

    async def _show(self, request: web.Request) -> web.Response:
        require_credentials(self._site, request)
        return web.json_response(self._in_force())

    async def _order(self, request: web.Request) -> web.Response:
        require_credentials(self._site, request)
        try:
            order = FaultOrder.model_validate_json(await request.read())
        except ValidationError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        await self.obey(order)
        return web.json_response(self._in_force())

    async def obey(self, order: FaultOrder) -> None:
        """Put an order in force."""
        if order.reset:
            self._end_all()
        self._obey_hub(order)
        if order.errors is not None:
            self._errors = order.errors.model_copy()
        if order.lose_answers is not None:
            self._lose_answers = order.lose_answers
        for user, actions in (order.deny or {}).items():
            self._deny[user] = set(actions)
        if order.latency is not None:
            self._latency = order.latency
        if order.component_floor is not None:
            self._component_floor = order.component_floor
        if order.clock is not None:
            self._set_clock(order.clock)
        if order.disconnect is not None:
            await self._disconnect(order.disconnect, order.user)

    def _obey_hub(self, order: FaultOrder) -> None:
        if order.refuse_connects is not None:
            without_end = order.refuse_connects is True
            self._refuse = -1 if without_end else int(order.refuse_connects)
        if order.heartbeat is not None:
            self._heartbeat = order.heartbeat
        if order.delay is not None:
            self._delay = order.delay
        if order.duplicate is not None:
            self._duplicate = order.duplicate
        if order.reorder is not None:
            self._reorder = order.reorder
        if order.drop is not None:
            self._drop = order.drop
        if order.silent is not None:
            for connection in self._connections(order.user):
                connection.silent = order.silent

    def _connections(self, user: str | None) -> list[Connection]:
        everyone = self._hub.connections if self._hub is not None else []
        return [connection for connection in everyone if user in (None, connection.identity.username)]

    async def _disconnect(self, how: str, user: str | None) -> None:
        connections = self._connections(user)
        if how == "abort":
            for connection in connections:
                connection.abort()
        elif how == "close":
            await asyncio.gather(*(connection.close_cleanly() for connection in connections))
        else:
            await asyncio.gather(*(connection.disconnect() for connection in connections))

    def _set_clock(self, order: ClockOrder) -> None:
        if order.set is not None:
            wanted = order.set
            if isinstance(wanted, datetime):
                wanted = (wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)).timestamp()
            self._site.clock_offset += wanted - self._site.clock()
        self._site.clock_offset += order.shift

    def _end_all(self) -> None:
        self._refuse, self._heartbeat = 0, True
        self._delay, self._duplicate, self._reorder, self._drop = 0.0, False, 0, 0
        self._errors, self._lose_answers = ServerErrors(count=0), 0
        self._deny.clear()
        self._latency = self._component_floor = 0.0
        for connection in self._connections(None):
            connection.silent = False

    def _in_force(self) -> dict[str, object]:
        return {
            "refuse_connects": self._refuse if self._refuse >= 0 else True,
            "heartbeat": self._heartbeat,
            "silent": sum(connection.silent for connection in self._connections(None)),
            "delay": self._delay,
            "duplicate": self._duplicate,
            "reorder": self._reorder,
            "drop": self._drop,
            "errors": self._errors.model_dump(),
            "lose_answers": self._lose_answers,
            "deny": {user: sorted(actions) for user, actions in self._deny.items() if actions},
            "latency": self._latency,
            "component_floor": self._component_floor,
            "clock": self._site.clock(),
        }
