"""The event hub: socket.io 0.9 handshake, heartbeats, acknowledgements, subscriptions, routing (sections 2.1, 2.2).

Every published event is written to the event log, routed on the server, encoded once and queued for each connection
that wants it. ``ftrack.meta.subscribe`` and ``ftrack.meta.unsubscribe`` are for the hub itself and go no further.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import WSMsgType, web

from app.sandbox.contract import Identity, Site
from app.sandbox.encoding import is_whole
from app.sandbox.expressions import ExpressionError
from app.sandbox.routing import DuplicateSubscriber, Router
from app.sandbox.socketio import (
    CONNECT,
    HEARTBEAT,
    Connection,
    Packet,
    PacketError,
    acknowledgement,
    event_of,
    event_packet,
    read_packet,
)

log = logging.getLogger("signalbox.sandbox.hub")

HEARTBEAT_SECONDS = 15.0
"""The stock client reconnects after 60 s without traffic: a heartbeat must come well before."""

_CLOSE_SECONDS = 60
_SESSION_SECONDS = 120.0
_LARGEST_PACKET = 64 * 1024 * 1024


class Disturbance(Protocol):
    """What fault injection decides about the hub."""

    def refuses_connect(self) -> bool:
        """Whether this handshake or upgrade is refused."""
        ...

    def heartbeat(self) -> bool:
        """Whether heartbeats are sent."""
        ...

    def deliver(self, connection: Connection, packet: str) -> None:
        """Queue an event's packet: now, later, twice or in another order."""
        ...


class EventRecorder(Protocol):
    """Where events are kept."""

    def append(self, event: Mapping[str, Any], encoded: str, time: float) -> int:
        """Keep an event; returns its id, ascending."""
        ...


class EventHub:
    """All connections of one site. Owned by the site's event loop.

    Args:
        site: The site whose users may connect.
        events: The event log.
        disturbance: Fault injection.
        heartbeat_seconds: Time between heartbeats.
    """

    def __init__(
        self,
        site: Site,
        events: EventRecorder,
        disturbance: Disturbance,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._site = site
        self._events = events
        self._disturbance = disturbance
        self._heartbeat_seconds = heartbeat_seconds
        self._router: Router[Connection] = Router()
        self._sessions: dict[str, Identity] = {}
        self._connections: dict[str, Connection] = {}
        self._user_ids: dict[str, str] = {}
        site.app.router.add_get("/socket.io/1/", self._handshake)
        site.app.router.add_get("/socket.io/1", self._handshake)
        site.app.router.add_get("/socket.io/1/websocket/{session}", self._websocket)
        site.app.on_shutdown.append(self._shutdown)

    @property
    def connections(self) -> list[Connection]:
        """The open connections, oldest first."""
        return list(self._connections.values())

    @property
    def subscriptions(self) -> list[dict[str, object]]:
        """Every subscription, for tests and a person who wonders why nothing arrives."""
        return [
            {
                "user": subscriber.connection.identity.username,
                "subscriber": dict(subscriber.metadata),
                "subscription": subscriber.expression.text,
            }
            for subscriber in self._router.subscriptions()
        ]

    def publish(self, event: Mapping[str, Any]) -> int:
        """Keep and deliver an event that has all seven keys; returns to how many connections.

        Raises:
            ExpressionError: Its target cannot be read.
        """
        recipients = self._router.recipients(event)
        # ASCII only: half a surrogate pair, legal in JSON, is not in UTF-8, which websocket and database want.
        encoded = json.dumps(event, separators=(",", ":"))
        self._events.append(event, encoded, self._site.clock())
        if recipients:
            packet = event_packet(encoded)
            for connection in recipients:
                self._disturbance.deliver(connection, packet)
        return len(recipients)

    async def _handshake(self, request: web.Request) -> web.Response:
        if self._disturbance.refuses_connect():
            return web.Response(status=503, text="refused")
        identity = self._authenticated(request)
        if identity is None:
            return web.Response(status=401, text="The supplied API key is not valid.")
        session = uuid.uuid4().hex
        self._sessions[session] = identity
        # A session that nobody takes up does not stay.
        asyncio.get_running_loop().call_later(_SESSION_SECONDS, self._sessions.pop, session, None)
        return web.Response(text=f"{session}:{max(1, round(self._heartbeat_seconds * 2))}:{_CLOSE_SECONDS}:websocket")

    def _authenticated(self, request: web.Request) -> Identity | None:
        user = request.headers.get("ftrack-user") or request.query.get("api_user") or ""
        key = request.headers.get("ftrack-api-key") or request.query.get("api_key") or ""
        return self._site.identity(user, key)

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        if self._disturbance.refuses_connect():
            return web.Response(status=503, text="refused")
        # The upgrade carries no credentials: the session id is the identity, and it serves once.
        identity = self._sessions.pop(request.match_info["session"], None)
        if identity is None:
            return web.Response(status=401, text="unknown session")
        socket = web.WebSocketResponse(compress=False, max_msg_size=_LARGEST_PACKET, timeout=2.0)
        await socket.prepare(request)
        connection = Connection(request.match_info["session"], identity, socket, request)
        self._connections[connection.identifier] = connection
        connection.send(CONNECT)
        tasks = [asyncio.create_task(connection.write()), asyncio.create_task(self._beat(connection))]
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    break
                self._receive(connection, message.data)
        finally:
            self._connections.pop(connection.identifier, None)
            self._router.forget(connection)
            for task in tasks:
                task.cancel()
        return socket

    async def _beat(self, connection: Connection) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_seconds)
            if self._disturbance.heartbeat():
                connection.send(HEARTBEAT)

    def _receive(self, connection: Connection, text: str) -> None:
        try:
            packet = read_packet(text)
            if packet.code == "0":
                connection.abort()
            elif packet.code == "5":
                self._receive_event(connection, packet, event_of(packet))
        except PacketError as error:
            log.info("ignored a packet of %s: %s", connection.identity.username, error)

    def _receive_event(self, connection: Connection, packet: Packet, event: dict[str, Any]) -> None:
        message: str | None = None
        try:
            if event.get("topic") == "ftrack.meta.subscribe":
                self._subscribe(connection, event)
            elif event.get("topic") == "ftrack.meta.unsubscribe":
                message = self._unsubscribe(connection, event)
            elif not isinstance(event.get("topic"), str) or not event["topic"]:
                message = "an event needs a topic"
            else:
                self.publish(self._completed(event, connection.identity))
        except (ExpressionError, DuplicateSubscriber) as error:
            message = str(error)
        if packet.identifier:
            connection.send(acknowledgement(packet, success=message is None, message=message))

    def _subscribe(self, connection: Connection, event: Mapping[str, Any]) -> None:
        data = event.get("data")
        metadata = data.get("subscriber") if isinstance(data, dict) else None
        subscription = data.get("subscription") if isinstance(data, dict) else None
        if not isinstance(metadata, dict) or not isinstance(subscription, str):
            raise ExpressionError("a subscription needs a subscriber and an expression")
        self._router.subscribe(connection, metadata, subscription)

    def _unsubscribe(self, connection: Connection, event: Mapping[str, Any]) -> str | None:
        data = event.get("data")
        metadata = data.get("subscriber") if isinstance(data, dict) else None
        identifier = metadata.get("id") if isinstance(metadata, dict) else None
        if isinstance(identifier, str) and self._router.unsubscribe(connection, identifier):
            return None
        return f"Subscriber with identifier {identifier} does not exist."

    def _completed(self, event: Mapping[str, Any], identity: Identity) -> dict[str, Any]:
        """The event with exactly the seven keys a client accepts, and the user's id beside the name."""
        source = dict(event["source"]) if isinstance(event.get("source"), dict) else {}
        user = dict(source["user"]) if isinstance(source.get("user"), dict) else {}
        user.setdefault("username", identity.username)
        if not user.get("id"):
            user_id = self._user_id(user["username"], identity)
            if user_id is not None:
                user["id"] = user_id
        source["user"] = user
        return {
            "id": event.get("id") or uuid.uuid4().hex,
            "topic": event["topic"],
            "data": event["data"] if event.get("data") is not None else {},
            "source": source,
            "target": event.get("target") or "",
            "sent": event.get("sent"),
            "inReplyToEvent": event.get("inReplyToEvent"),
        }

    def _user_id(self, username: object, identity: Identity) -> str | None:
        if username == identity.username:
            return identity.user_id
        if not isinstance(username, str) or not is_whole(username):
            return None
        if username not in self._user_ids:
            rows = self._site.reader.select('SELECT id FROM "Resource" WHERE username = ?', (username,))
            if not rows:
                return None
            self._user_ids[username] = str(rows[0][0])
        return self._user_ids[username]

    async def _shutdown(self, _app: web.Application) -> None:
        """Say goodbye in the way clients recover from; a clean close frame would leave them deaf."""
        await asyncio.gather(*(connection.disconnect() for connection in self.connections), return_exceptions=True)
