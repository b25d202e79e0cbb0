"""The wire around a batch: who asks, what is asked, how answers and errors look (protocol facts, 1.1 and 1.2)."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from aiohttp import web

from app.sandbox.contract import ApiError, Identity, Json

# Where a body may have half a surrogate pair: legal in JSON, but not in UTF-8, which the database wants.
_HALVES = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")


@web.middleware
async def mind_who_leaves(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A client that goes away in the middle of its request is no fault of the site: nothing is done, nothing logged."""
    try:
        return await handler(request)
    except ConnectionResetError:
        return web.Response(status=400)


class Credentials(Protocol):
    """Knows users and keys."""

    def identity(self, user: str, key: str) -> Identity | None:
        """The user of these credentials."""
        ...


def identity_of(request: web.Request, credentials: Credentials) -> Identity:
    """Who sends a request.

    Raises:
        ApiError: ``InvalidCredentialsError``, in ftrack's words.
    """
    headers = request.headers
    user = headers.get("ftrack-user") or headers.get("ftrack-api-user") or ""
    identity = credentials.identity(user, headers.get("ftrack-api-key") or "")
    if identity is None:
        raise ApiError(
            "InvalidCredentialsError",
            "The supplied API key is not valid. Make sure you are using the correct API key and API user.",
            status=401,
        )
    client, push = headers.get("ftrack-Clienttoken"), headers.get("ftrack-pushtoken")
    if client or push:
        return replace(identity, client_token=client or "", push_token=push or "")
    return identity


async def read_operations(request: web.Request) -> list[Mapping[str, Json]]:
    """The operations of a batch.

    Raises:
        ApiError: the body is no JSON list of operations, or has a text that no database can hold.
    """
    sent = await request.read()
    try:
        body: Any = json.loads(sent)
        if _HALVES.search(sent):
            json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"U+{ord(error.object[error.start]):04X}"
        raise ApiError(
            "MalformedRequestError",
            f"A text in the body has {half}, half of a character (a surrogate without its other half): "
            "send whole characters.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise ApiError("MalformedRequestError", f"The body is not JSON: {error}") from error
    if not isinstance(body, list) or not all(isinstance(operation, dict) for operation in body):
        raise ApiError("MalformedRequestError", "The body must be a list of operations.")
    return body


class Answer(web.Response):
    """A response that does something once it has left."""

    after: Callable[[], None] | None = None

    async def write_eof(self, data: bytes = b"") -> None:
        """Finish the response, then do it."""
        await super().write_eof(data)
        if self.after is not None:
            self.after()


def api_response(results: Json, after: Callable[[], None]) -> web.Response:
    """An answer; ``after`` is called when it has been written."""
    answer = Answer(body=json.dumps(results).encode(), content_type="application/json")
    answer.after = after
    return answer


def json_response(text: str) -> web.Response:
    """An answer that is JSON text already."""
    return web.Response(body=text.encode(), content_type="application/json")


def error_response(error: ApiError, strict: bool) -> web.Response:
    """An error: an object where a list is expected, as 200 unless the client is strict."""
    body = {"exception": error.name, "content": error.content, "error_code": error.code}
    return web.Response(
        body=json.dumps(body).encode(), status=error.status if strict else 200, content_type="application/json"
    )
