"""One connection to the site's event hub: socket.io 0.9 over a websocket, as packets in and packets out.

Not the client's own hub: that one is ended for good by a clean close frame, gives up after five minutes, silences all
logging of the process while it reconnects, and one event that it cannot match ends its loop. This one only moves
packets; what they mean is the listener's.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import ssl
import struct
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
import websocket

from app.rules.text import storable
from app.settings.redact import redact
from app.site.session import check_address
from app.site.types import Credentials, NotFtrack, SiteUnreachable, WrongKey

_CHUNK = 256 * 1024
_LARGEST = 64 * 1024 * 1024
_SEND_SECONDS = 10.0
_TEXT, _CLOSE, _PING = 1, 8, 9
_EVENT_PREFIX = '{"name":"ftrack.event","args":['


class HubLost(Exception):
    """The connection has ended; the text says how."""


class HubConnection:
    """An open connection. Owned by one thread.

    Args:
        credentials: Who connects where.
        timeout: Seconds for each step of connecting.

    Raises:
        WrongKey: the hub does not accept user and key.
        NotFtrack: what answers is no event hub.
        SiteUnreachable: nothing answers.
    """

    def __init__(self, credentials: Credentials, *, timeout: float) -> None:
        self._frames = _Frames()
        server = check_address(credentials.server)
        session_id = _handshake(server, credentials, timeout)
        parts = urlsplit(server)
        scheme = "wss" if parts.scheme == "https" else "ws"
        try:
            self._socket = websocket.create_connection(
                f"{scheme}://{parts.netloc}/socket.io/1/websocket/{session_id}", timeout=timeout
            )
        except (websocket.WebSocketException, OSError, ValueError) as error:
            raise SiteUnreachable(f"the event hub of {server} refused the websocket: {redact(str(error))}") from None
        self._socket.settimeout(_SEND_SECONDS)

    def wait(self, wake: socket.socket, seconds: float) -> bool:
        """Wait until something arrived or ``wake`` is readable, at most so long; whether something arrived."""
        raw = self._socket.sock
        if isinstance(raw, ssl.SSLSocket) and raw.pending():
            return True
        ready, _, _ = select.select([raw, wake], [], [], max(0.0, seconds))
        return raw in ready

    def receive(self) -> list[str]:
        """Every packet that has arrived (call it after ``wait`` said so). Raises HubLost."""
        raw = self._socket.sock
        packets: list[str] = []
        try:
            while True:
                chunk = raw.recv(_CHUNK)
                if not chunk:
                    raise HubLost("the connection was cut")
                for code, payload in self._frames.feed(chunk):
                    if code == _TEXT:
                        packets.append(payload.decode("utf-8", "replace"))
                    elif code == _CLOSE:
                        # What was read before the close frame is not lost: it is handed over first.
                        self._frames.closed = True
                    elif code == _PING:
                        self._socket.pong(payload)
                if not (isinstance(raw, ssl.SSLSocket) and raw.pending()):
                    break
        except TimeoutError:
            pass
        except (OSError, websocket.WebSocketException) as error:
            if not packets:
                raise HubLost(f"the connection was cut ({type(error).__name__})") from error
        if self._frames.closed and not packets:
            raise HubLost("the site closed the connection")
        return packets

    @property
    def ended(self) -> bool:
        """Whether the site has said that it will send nothing more."""
        return self._frames.closed

    def send(self, packet: str) -> None:
        """Send a packet. Raises HubLost."""
        try:
            self._socket.send(packet)
        except (OSError, websocket.WebSocketException) as error:
            raise HubLost(f"sending failed ({type(error).__name__})") from error

    def close(self) -> None:
        """Hang up, with the protocol's good-bye where it still goes through."""
        with contextlib.suppress(OSError, websocket.WebSocketException):
            self._socket.settimeout(0.5)
            self._socket.send("0::")
        with contextlib.suppress(OSError, websocket.WebSocketException):
            self._socket.shutdown()


def _handshake(server: str, credentials: Credentials, timeout: float) -> str:
    try:
        answer = requests.get(
            f"{server}/socket.io/1/",
            headers={"ftrack-user": credentials.api_user, "ftrack-api-key": credentials.api_key},
            timeout=timeout,
        )
    except requests.exceptions.Timeout:
        raise SiteUnreachable(f"the event hub of {server} does not answer in time") from None
    except requests.exceptions.RequestException as error:
        raise SiteUnreachable(f"the event hub of {server} does not answer ({type(error).__name__})") from None
    if answer.status_code in {401, 403}:
        raise WrongKey(
            "InvalidCredentialsError", f"{server} does not accept the API key of user {credentials.api_user!r}"
        )
    if answer.status_code != 200:
        raise SiteUnreachable(f"the event hub of {server} refused with status {answer.status_code}")
    fields = answer.text.strip().split(":")
    if len(fields) < 4 or "websocket" not in fields[3]:
        raise NotFtrack(f"{server} has no event hub that this program understands")
    return fields[0]


class _Frames:
    """Websocket frames out of a stream of bytes (RFC 6455, as a server sends them: unmasked)."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._parts = bytearray()
        self._code = 0
        self.closed = False

    def feed(self, chunk: bytes) -> list[tuple[int, bytes]]:
        """Complete messages and control frames. Raises HubLost for what is no websocket."""
        rest = self._rest
        rest += chunk
        found: list[tuple[int, bytes]] = []
        at, size = 0, len(rest)
        while size - at >= 2:
            first, second = rest[at], rest[at + 1]
            length, head = second & 0x7F, 2
            if length == 126:
                head = 4
                if size - at < head:
                    break
                (length,) = struct.unpack_from(">H", rest, at + 2)
            elif length == 127:
                head = 10
                if size - at < head:
                    break
                (length,) = struct.unpack_from(">Q", rest, at + 2)
            if second & 0x80 or length > _LARGEST:
                raise HubLost("the site sent something that is no websocket frame")
            if size - at < head + length:
                break
            payload = bytes(rest[at + head : at + head + length])
            at += head + length
            self._take(first, payload, found)
        del rest[:at]
        return found

    def _take(self, first: int, payload: bytes, found: list[tuple[int, bytes]]) -> None:
        code, last = first & 0x0F, bool(first & 0x80)
        if code >= _CLOSE or (last and code):
            found.append((code, payload))
        else:
            if code:
                self._parts.clear()
                self._code = code
            self._parts += payload
            if last:
                found.append((self._code, bytes(self._parts)))
                self._parts.clear()


def event_of(data: str) -> dict[str, Any] | None:
    """The event an event packet carries; None when it carries none that can be read."""
    text = data[len(_EVENT_PREFIX) : -2] if data.startswith(_EVENT_PREFIX) and data.endswith("]}") else None
    try:
        event = json.loads(text) if text is not None else _only_argument(json.loads(data))
        if "\\ud" in data or "\\uD" in data:
            event = json.loads(storable(json.dumps(event, ensure_ascii=False)))
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and event.get("topic") else None


def _only_argument(payload: Any) -> Any:
    arguments = payload.get("args") if isinstance(payload, dict) else None
    return arguments[0] if isinstance(arguments, list) and len(arguments) == 1 else None


def event_packet(event: Mapping[str, Any], number: int) -> str:
    """The packet that publishes an event and asks for its acknowledgement."""
    payload = json.dumps({"name": "ftrack.event", "args": [event]}, default=str)
    return f"5:{number}+::{payload}"


def new_id() -> str:
    """An id as the client makes them."""
    return os.urandom(16).hex()
