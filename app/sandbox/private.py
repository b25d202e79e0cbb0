"""The site's private addresses: the event log, counters of requests, who is connected.

``GET /_sandbox/events?after=N[&limit=N][&topic=T]``, ``GET /_sandbox/counters[?reset=1]``, ``GET /_sandbox/hub``. They
want credentials as ``/api`` does (headers ``ftrack-user``, ``ftrack-api-key``) or ``?username=...&apiKey=...``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from aiohttp import web

from app.sandbox.contract import Identity, Json, Site
from app.sandbox.event_log import EventLog
from app.sandbox.hub import EventHub

_MOST_CLIENTS = 1000
_WRITES = frozenset({"create", "update", "delete"})


def credentials(site: Site, request: web.Request) -> Identity | None:
    """Who sent this request, by header or, as addresses of files carry them, by query."""
    user = request.headers.get("ftrack-user") or request.query.get("username") or ""
    key = request.headers.get("ftrack-api-key") or request.query.get("apiKey") or ""
    return site.identity(user, key)


def require_credentials(site: Site, request: web.Request) -> Identity:
    """Who sent this request.

    Raises:
        web.HTTPUnauthorized: Nobody this site knows.
    """
    identity = credentials(site, request)
    if identity is None:
        raise web.HTTPUnauthorized(text="The supplied API key is not valid.")
    return identity


class Counters:
    """How often what was asked, by kind, by user and by client (its token, else its connection).

    Kinds: ``requests`` (batches), ``reads`` (batches that only query), ``commits`` (batches that write), and each
    action by its own name.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._kinds: Counter[str] = Counter()
        self._users: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._clients: defaultdict[str, Counter[str]] = defaultdict(Counter)
        site.on_api(self._count)
        site.app.router.add_get("/_sandbox/counters", self._show)

    async def _count(
        self, request: web.Request, identity: Identity, operations: Sequence[Mapping[str, Json]]
    ) -> web.StreamResponse | None:
        actions = Counter(str(operation.get("action")) for operation in operations)
        actions["requests"] += 1
        if any(action in _WRITES for action in actions):
            actions["commits"] += 1
        elif actions["query"]:
            actions["reads"] += 1
        self._kinds.update(actions)
        self._users[identity.username].update(actions)
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        client = identity.client_token or f"{identity.username}:{peer[1] if peer else 0}"
        if client in self._clients or len(self._clients) < _MOST_CLIENTS:
            self._clients[client].update(actions)
        return None

    async def _show(self, request: web.Request) -> web.Response:
        require_credentials(self._site, request)
        answer = {"kinds": self._kinds, "users": self._users, "clients": self._clients, "site": self._site.counters}
        response = web.json_response(answer)
        if request.query.get("reset") in ("1", "true"):
            self._kinds.clear()
            self._users.clear()
            self._clients.clear()
        return response


class EventPages:
    """The event log and the hub's connections, to read."""

    def __init__(self, site: Site, events: EventLog, hub: EventHub) -> None:
        self._site = site
        self._events = events
        self._hub = hub
        site.app.router.add_get("/_sandbox/events", self._show_events)
        site.app.router.add_get("/_sandbox/hub", self._show_hub)

    async def _show_events(self, request: web.Request) -> web.Response:
        require_credentials(self._site, request)
        try:
            after = int(request.query.get("after", "0"))
            limit = int(request.query.get("limit", "1000"))
        except ValueError as error:
            raise web.HTTPBadRequest(text='"after" and "limit" are whole numbers') from error
        rows = self._events.after(after, limit, request.query.get("topic"))
        return web.json_response({"events": rows, "last": self._events.last_id})

    async def _show_hub(self, request: web.Request) -> web.Response:
        require_credentials(self._site, request)
        return web.json_response({"connections": len(self._hub.connections), "subscriptions": self._hub.subscriptions})
