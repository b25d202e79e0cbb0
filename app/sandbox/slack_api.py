"""A local server that speaks as much of Slack's Web API as the demo and the tests need, and keeps what it received.

It has the workspace's people and channels, answers rate limits with 429 and ``Retry-After``, and can accept a message
and lose the answer, so that a sender is in doubt. Messages are kept as JSON lines where a file is given.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from aiohttp import web

_PAGE = 200
Arguments = Mapping[str, Any]
Answer = dict[str, Any]


class _Refused(Exception):
    """``{"ok": false, "error": code}``."""


@dataclass(frozen=True, slots=True)
class Member:
    """A person of the workspace."""

    id: str
    name: str
    real_name: str
    email: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message as received.

    Attributes:
        ts: Slack's timestamp, the message's identity within its channel.
        channel: As the sender named it.
        channel_id: The conversation it ended in.
        text: Its text.
        metadata: What travelled with it.
        blocks: Its layout blocks.
    """

    ts: str
    channel: str
    channel_id: str
    text: str
    metadata: Mapping[str, Any] | None = None
    blocks: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


class SlackServer:
    """The workspace, served from a thread of its own on 127.0.0.1: between `start` and `stop`, or as a context manager.

    Args:
        members: Its people.
        channels: Names of its channels, without ``#``; None: any name is a channel.
        record: File that messages are appended to, one JSON object a line.
        token: The only token it accepts; made up when empty.
    """

    def __init__(
        self,
        members: Sequence[Member] = (),
        channels: Sequence[str] | None = None,
        record: Path | None = None,
        token: str = "",
    ) -> None:
        self.token = token or f"xoxb-{secrets.token_hex(16)}"
        self.url = ""
        self.messages: list[Message] = []
        self.calls: dict[str, int] = {}
        self._members = list(members)
        self._channels = {name: f"C{number:08d}" for number, name in enumerate(channels or ("general",), 1)}
        self._open = channels is None
        self._record = record
        self._limited = 0
        self._retry_after = 1
        self._lost = 0
        self._last = 0.0
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="slack-server", daemon=True)
        self._methods: dict[str, Callable[[Arguments], Answer]] = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post_message,
            "conversations.history": self._history,
            "conversations.list": self._list_channels,
            "conversations.open": self._open_conversation,
            "users.list": self._list_users,
            "users.lookupByEmail": self._by_email,
        }

    # -- life --------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> str:
        """Begin to serve; returns the base URL for a Slack client."""
        self._thread.start()
        if not self._ready.wait(10) or not self.url:
            raise RuntimeError("the local Slack server did not start")
        return self.url

    def stop(self) -> None:
        """End the server and its thread."""
        if self._loop is not None and self._ended is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)

    def limit(self, count: int, retry_after: int = 1) -> None:
        """Answer the next ``count`` messages with 429 and ``Retry-After``."""
        with self._lock:
            self._limited, self._retry_after = count, retry_after

    def lose_answers(self, count: int) -> None:
        """Accept the next ``count`` messages and cut the connection instead of answering."""
        with self._lock:
            self._lost = count

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        application = web.Application()
        application.router.add_route("*", "/api/{method}", self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
        self._ready.set()
        await self._ended.wait()
        await runner.cleanup()

    # -- one call ----------------------------------------------------------------------------------------------------

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        self.calls[method] = self.calls.get(method, 0) + 1
        arguments = await _arguments(request)
        given = request.headers.get("Authorization", "").removeprefix("Bearer ") or arguments.get("token")
        if given != self.token:
            return web.json_response({"ok": False, "error": "invalid_auth" if given else "not_authed"})
        handler = self._methods.get(method)
        if handler is None:
            return web.json_response({"ok": False, "error": "unknown_method"})
        if method == "chat.postMessage" and self._takes(limit=True):
            headers = {"Retry-After": str(self._retry_after)}
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        try:
            answer = handler(arguments)
        except _Refused as error:
            return web.json_response({"ok": False, "error": str(error)})
        if method == "chat.postMessage" and self._takes(limit=False) and request.transport is not None:
            request.transport.abort()
        return web.json_response({"ok": True, **answer})

    def _takes(self, *, limit: bool) -> bool:
        with self._lock:
            left = self._limited if limit else self._lost
            if left > 0:
                if limit:
                    self._limited -= 1
                else:
                    self._lost -= 1
            return left > 0

    def _auth_test(self, _arguments: Arguments) -> Answer:
        return {
            "url": self.url,
            "team": "Demo Studio",
            "user": "signalbox",
            "team_id": "T00000001",
            "user_id": "U0BOT0001",
        }

    def _post_message(self, arguments: Arguments) -> Answer:
        channel = str(arguments.get("channel") or "")
        where = self._resolve(channel)
        text = str(arguments.get("text") or "")
        blocks = _structured(arguments.get("blocks")) or ()
        if not text and not blocks:
            raise _Refused("no_text")
        with self._lock:
            self._last = max(time.time(), self._last + 0.000001)
            message = Message(
                f"{self._last:.6f}", channel, where, text, _structured(arguments.get("metadata")), tuple(blocks)
            )
            self.messages.append(message)
            if self._record is not None:
                with self._record.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(asdict(message), ensure_ascii=False) + "\n")
        return {"channel": where, "ts": message.ts, "message": {"text": text, "ts": message.ts, "type": "message"}}

    def _resolve(self, channel: str) -> str:
        name = channel.removeprefix("#")
        if channel in self._channels.values():
            return channel
        for member in self._members:
            if name in {member.id, f"D{member.id[1:]}", f"@{member.name}"}:
                return f"D{member.id[1:]}"
        if name in self._channels:
            return self._channels[name]
        if self._open and name and not name.startswith("@"):
            with self._lock:
                return self._channels.setdefault(name, f"C{len(self._channels) + 1:08d}")
        raise _Refused("channel_not_found")

    def _history(self, arguments: Arguments) -> Answer:
        where = str(arguments.get("channel") or "")
        oldest = float(arguments.get("oldest") or 0)
        with_metadata = str(arguments.get("include_all_metadata", "")).lower() in {"1", "true"}
        found = [
            {
                "type": "message",
                "ts": message.ts,
                "text": message.text,
                **({"metadata": message.metadata} if with_metadata and message.metadata else {}),
            }
            for message in reversed(self.messages)
            if message.channel_id == where and float(message.ts) >= oldest
        ]
        return self._page("messages", found, arguments)

    def _list_channels(self, arguments: Arguments) -> Answer:
        rows = [{"id": key, "name": name, "is_channel": True} for name, key in list(self._channels.items())]
        return self._page("channels", rows, arguments)

    def _open_conversation(self, arguments: Arguments) -> Answer:
        user = str(arguments.get("users") or "")
        if user not in {member.id for member in self._members}:
            raise _Refused("user_not_found")
        return {"channel": {"id": f"D{user[1:]}"}}

    def _list_users(self, arguments: Arguments) -> Answer:
        return self._page("members", [_user(member) for member in self._members], arguments)

    def _by_email(self, arguments: Arguments) -> Answer:
        wanted = str(arguments.get("email") or "").casefold()
        for member in self._members:
            if member.email.casefold() == wanted:
                return {"user": _user(member)}
        raise _Refused("users_not_found")

    @staticmethod
    def _page(name: str, rows: Sequence[Mapping[str, Any]], arguments: Arguments) -> Answer:
        start = int(arguments.get("cursor") or 0)
        size = min(int(arguments.get("limit") or _PAGE), 1000)
        following = str(start + size) if start + size < len(rows) else ""
        return {name: list(rows[start : start + size]), "response_metadata": {"next_cursor": following}}


def _user(member: Member) -> dict[str, Any]:
    return {
        "id": member.id,
        "name": member.name,
        "real_name": member.real_name,
        "deleted": False,
        "is_bot": False,
        "profile": {"email": member.email, "real_name": member.real_name, "display_name": member.name},
    }


async def _arguments(request: web.Request) -> dict[str, Any]:
    arguments: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        body = json.loads(await request.text() or "{}")
        arguments.update(body if isinstance(body, dict) else {})
    else:
        arguments.update({key: value for key, value in (await request.post()).items() if isinstance(value, str)})
    return arguments


def _structured(value: Any) -> Any:
    """Structured arguments come as JSON text in a form and as they are in JSON."""
    return json.loads(value) if isinstance(value, str) and value else value
