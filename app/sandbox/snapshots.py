"""Going back in time: named snapshots of a site's rows, kept in its folder.

``POST /_sandbox/snapshot {"name": "a"}`` keeps the present state, ``POST /_sandbox/restore {"name": "a"}`` goes back to
it. Files and the event log are not part of it: events that were sent stay sent.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from app.sandbox.contract import ApiError
from app.sandbox.http import Credentials, error_response, identity_of

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

Work = Callable[[Path], Awaitable[None]]


class Snapshots:
    """The two routes.

    Args:
        app: where they are added.
        credentials: who may use them.
        folder: where snapshots are kept; made when needed.
        snapshot: writes the present state to a path.
        restore: goes back to the state at a path.
    """

    def __init__(
        self, app: web.Application, credentials: Credentials, folder: Path, snapshot: Work, restore: Work
    ) -> None:
        self._credentials = credentials
        self._folder = folder
        self._snapshot = snapshot
        self._restore = restore
        app.router.add_post("/_sandbox/snapshot", self._take)
        app.router.add_post("/_sandbox/restore", self._go_back)

    async def _path(self, request: web.Request) -> Path:
        identity_of(request, self._credentials)
        try:
            body = await request.json()
        except ValueError as error:
            raise ApiError("MalformedRequestError", f"The body is not JSON: {error}") from error
        name = body.get("name") if isinstance(body, dict) else None
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ApiError("ValidationError", "A snapshot's name has 1 to 64 letters, digits, - or _.")
        return self._folder / f"{name}.db"

    async def _take(self, request: web.Request) -> web.Response:
        try:
            path = await self._path(request)
        except ApiError as error:
            return error_response(error, strict=True)
        self._folder.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        await self._snapshot(path)
        return web.json_response({"name": path.stem})

    async def _go_back(self, request: web.Request) -> web.Response:
        try:
            path = await self._path(request)
            if not path.exists():
                raise ApiError("ValidationError", f"There is no snapshot {path.stem!r}.", status=404)
        except ApiError as error:
            return error_response(error, strict=True)
        await self._restore(path)
        return web.json_response({"name": path.stem})
