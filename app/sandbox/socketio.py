"""socket.io 0.9 as ftrack's clients speak it: packets as text, and one connection with its send queue.

A packet is ``code:id:path:data``. Codes: 0 disconnect, 1 connect, 2 heartbeat, 5 event, 6 acknowledge.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from dataclasses import dataclass
from typing import Any

from aiohttp import WSCloseCode, web

from app.sandbox.contract import Identity

log = logging.getLogger("signalbox.sandbox.hub")

DISCONNECT = "0::"
CONNECT = "1::"
HEARTBEAT = "2::"
EVENT_NAMESPACE = "ftrack.event"

MOST_PACKETS = 200_000
MOST_BYTES = 256 * 1024 * 1024
"""What a client may leave unread: one that reads nothing shall not fill this process's memory. ftrack drops it too."""


class PacketError(ValueError):
    """A packet that is not socket.io 0.9, or an event packet without exactly one event."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet as received.

    Attributes:
        code: One digit.
        identifier: What the sender wants acknowledged, with its ``+``; empty: no acknowledgement wanted.
        data: The rest, undecoded.
    """

    code: str
    identifier: str
    data: str


def read_packet(text: str) -> Packet:
    """Split a packet.

    Raises:
        PacketError: It has no code.
    """
    parts = text.split(":", 3)
    if len(parts) < 3 or not parts[0].isdigit():
        raise PacketError(f"not a socket.io packet: {text[:80]!r}")
    return Packet(parts[0], parts[1], parts[3] if len(parts) == 4 else "")


def event_of(packet: Packet) -> dict[str, Any]:
    """The one event an event packet carries.

    Raises:
        PacketError: Not JSON, another namespace, or not exactly one argument.
    """
    try:
        payload = json.loads(packet.data)
    except (ValueError, RecursionError) as error:
        raise PacketError("an event packet that is not JSON, or is nested too deeply") from error
    if not isinstance(payload, dict) or payload.get("name") != EVENT_NAMESPACE:
        raise PacketError(f'an event packet whose name is not "{EVENT_NAMESPACE}"')
    arguments = payload.get("args")
    if not isinstance(arguments, list) or len(arguments) != 1 or not isinstance(arguments[0], dict):
        raise PacketError("an event packet carries exactly one event")
    return arguments[0]


def event_packet(event_json: str) -> str:
    """The packet of an event that is encoded already."""
    return f'5:::{{"name":"{EVENT_NAMESPACE}","args":[{event_json}]}}'


def acknowledgement(packet: Packet, *, success: bool, message: str | None = None) -> str:
    """The answer to a packet that wants one; ftrack's clients log the message of an unsuccessful one."""
    number = packet.identifier.rstrip("+")
    answer: dict[str, object] = {"success": success}
    if message is not None:
        answer["message"] = message
    return f"6:::{number}+{json.dumps([answer], separators=(',', ':'))}"


class Connection:
    """One websocket of one client; packets queue here so that a slow client delays nobody else.

    Attributes:
        identifier: The socket.io session id.
        identity: The user who asked for the session.
        silent: Nothing is sent any more although the connection stands: a fault that tests order.
    """

    def __init__(
        self,
        identifier: str,
        identity: Identity,
        socket: web.WebSocketResponse,
        request: web.Request,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.identifier = identifier
        self.identity = identity
        self._socket = socket
        self._request = request
        self._pending: deque[str] = deque()
        self._pending_bytes = 0
        self._most_bytes = most_bytes
        self._wake = asyncio.Event()
        self.silent = False

    def send(self, packet: str) -> None:
        """Queue a packet, which is ASCII. A connection that leaves too much unread is dropped."""
        if self.silent or self.dropped:
            return
        if len(self._pending) >= MOST_PACKETS or self._pending_bytes + len(packet) > self._most_bytes:
            log.warning(
                "dropped a client of %s: it left %d packets (%.1f MB) unread",
                self.identity.username,
                len(self._pending),
                self._pending_bytes / 1e6,
            )
            self.abort()
            return
        self._pending.append(packet)
        self._pending_bytes += len(packet)
        self._wake.set()

    @property
    def dropped(self) -> bool:
        """Whether its TCP connection is gone, or about to go."""
        return self._request.transport is None or self._request.transport.is_closing()

    async def write(self) -> None:
        """Send what is queued, until the connection ends."""
        try:
            while not self._socket.closed:
                await self._wake.wait()
                self._wake.clear()
                while self._pending:
                    packet = self._pending.popleft()
                    self._pending_bytes -= len(packet)
                    await self._socket.send_str(packet)
        except ConnectionError:
            return

    async def flush(self, seconds: float = 1.0) -> None:
        """Wait until the queue is empty, at most ``seconds``."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self._pending and not self._socket.closed and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.005)

    def abort(self) -> None:
        """Drop the TCP connection without a word."""
        self._pending.clear()
        self._pending_bytes = 0
        if self._request.transport is not None:
            self._request.transport.abort()

    async def close_cleanly(self) -> None:
        """End with a websocket close frame, which kills the stock client's reader for good."""
        await self._socket.close(code=WSCloseCode.GOING_AWAY)

    async def disconnect(self) -> None:
        """Say ``0::`` and hang up: the ending after which the stock client comes back by itself."""
        self.send(DISCONNECT)
        await self.flush()
        if self._request.transport is not None:
            self._request.transport.close()
