"""What answers ftrack's menu: which actions are offered, their pages, and the launch that the journal keeps.

Runs in the responder's threads. Nothing here does an action's work: a launch is an order in the journal, committed
before the person reads "started".
"""

from __future__ import annotations

import secrets
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from app.actions.base import Action, Again, Asked, Selected
from app.actions.forms import TOKEN, Form, web
from app.actions.job_report import JobReport
from app.actions.who import groups_of, is_one_of, roles_of
from app.engine.doors import SiteDoor
from app.engine.protocol import Launch
from app.site.query import quoted

__all__ = ["PREFIX", "ActionRegistry", "Keeper", "table_of"]

PREFIX = "signalbox."
_WHO_SECONDS = 60.0
_TABLES = {
    "show": "Project",
    "assetversion": "AssetVersion",
    "asset": "Asset",
    "reviewsession": "ReviewSession",
    "reviewsessionobject": "ReviewSessionObject",
    "list": "List",
    "user": "User",
    "note": "Note",
    "component": "Component",
}
_TABLE_OF = {kind: table for table, kind in _TABLES.items()}


def table_of(entity_type: str) -> str:
    """The table by which a menu's selection names a schema id; ``task`` for contexts of every type."""
    return _TABLE_OF.get(entity_type, "task")


class Keeper(Protocol):
    """The journal, as far as the registry needs it."""

    def order(self, kind: str, args: Mapping[str, Any], who: str) -> int: ...
    def keep_form(self, token: str, user: str, data: Mapping[str, Any]) -> None: ...
    def form(self, token: str, user: str) -> dict[str, Any] | None: ...


class ActionRegistry:
    """All actions of one installation.

    Args:
        actions: The actions.
        journal: Keeps orders and forms' state.
        settings: ``settings(section, project=None)``.
        lever: Position of an action's lever: "off" hides it.
        icon: URL or name of an icon for the menu.
        ordered: Called when a launch was kept: wakes the worker.
        ask_agent: ``ask_agent(user_id, username, entity_id)``: whether the person's own agent opens a dialog for it.
    """

    def __init__(
        self,
        actions: Sequence[Action],
        journal: Keeper,
        settings: Callable[..., Any],
        lever: Callable[[str], str],
        icon: Callable[[Action], str | None] = lambda _: None,
        ordered: Callable[[], None] = lambda: None,
        ask_agent: Callable[[str, str, str], bool] = lambda _user_id, _username, _entity_id: False,
    ) -> None:
        self._actions = {action.id: action for action in actions}
        self._journal = journal
        self._settings = settings
        self._lever = lever
        self._icon = icon
        self._ordered = ordered
        self._ask_agent = ask_agent
        self._types = _TypeCache()
        self._people = _People()

    def discover(self, event: Mapping[str, Any], site: SiteDoor) -> list[Mapping[str, Any]]:
        """Menu items for a selection, quickly: types are looked up once, and only when an action asks for them."""
        raw = _raw_selection(event)
        user_id, username = _user(event)
        items: list[Mapping[str, Any]] = []
        selection: tuple[Selected, ...] | None = None
        for action in self._actions.values():
            if self._lever(action.id) == "off" or not raw or (action.single and len(raw) != 1):
                continue
            if action.offered_on:
                if not self._possible(action, raw):
                    continue
                selection = selection or self._types.resolve(raw, site)
                if not action.offered(selection):
                    continue
            if self._allowed(action, user_id, username, site):
                items.append(self._item(action))
        return items

    def launch(self, event: Mapping[str, Any], site: SiteDoor) -> Mapping[str, Any] | None:
        """The answer to a launch or a returned page; None when the action is not ours."""
        data = event.get("data") or {}
        identifier = str(data.get("actionIdentifier") or "")
        action = self._actions.get(identifier.removeprefix(PREFIX)) if identifier.startswith(PREFIX) else None
        if action is None:
            return None
        user_id, username = _user(event)
        if self._lever(action.id) == "off":
            return {"success": False, "message": f"{action.title} is switched off on the event server."}
        if not self._allowed(action, user_id, username, site):
            return {
                "success": False,
                "message": f"You may not use {action.title}. Ask a supervisor for the role it needs.",
            }
        selection = self._types.resolve(_raw_selection(event), site)
        values = data.get("values")
        if not action.offered(selection):
            return {"success": False, "message": f"{action.title} cannot be used on this selection."}
        if action.at_the_desk and values is None and self._ask_agent(user_id, username, selection[0].entity_id):
            return {"success": True, "message": f"{action.title} opens on your machine."}
        return self._turn(action, selection, values, user_id, username, site)

    def _turn(
        self,
        action: Action,
        selection: tuple[Selected, ...],
        values: Mapping[str, Any] | None,
        user_id: str,
        username: str,
        site: SiteDoor,
    ) -> Mapping[str, Any]:
        """One page forward."""
        token = str((values or {}).get(TOKEN) or "")
        kept = self._journal.form(token, user_id or username) if token else None
        if values is not None and token and kept is None:
            return {
                "success": False,
                "message": "This form is too old or belongs to somebody else. Open the action again.",
            }
        settings = self._settings(f"actions.{action.id}")
        asked = Asked(selection, values, kept or {}, user_id, username, site, settings, self._settings)
        answer = action.step(asked)
        if isinstance(answer, Form):
            return self._page(answer, user_id or username)
        if isinstance(answer, Again):
            return self._page(answer.form, user_id or username, values, answer.problems)
        self._order(action, Launch(selection, answer.values, user_id, username), site, dry=answer.dry)
        if answer.then is not None:
            page = self._page(answer.then, user_id or username)
            return {**page, "items": [{"type": "label", "value": answer.message}, *page["items"]]}
        return {"success": True, "message": answer.message}

    def _order(self, action: Action, launch: Launch, site: SiteDoor, *, dry: bool) -> None:
        args = {
            "action": action.id,
            "selection": [list(one) for one in launch.selection],
            "values": dict(launch.values),
            "user_id": launch.user_id,
            "username": launch.username,
            "dry": dry,
            "job": self._queued(action, launch, site),
        }
        self._journal.order("launch", args, launch.username or launch.user_id or "unknown")
        self._ordered()

    def _queued(self, action: Action, launch: Launch, site: SiteDoor) -> str | None:
        """The id of a Job that says "queued" until the run takes it over; None where there is nothing to report."""
        if not action.reports or not launch.user_id or self._lever(action.id) != "on":
            return None
        key = str(uuid.uuid4())
        said = JobReport(site, key, launch.user_id, action.title, new=True).say("queued", "waits for its turn")
        return key if said else None

    def _page(
        self,
        form: Form,
        user: str,
        values: Mapping[str, Any] | None = None,
        problems: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        token = secrets.token_urlsafe(18)
        self._journal.keep_form(token, user, form.state)
        return web(form, token, values, problems)

    def _item(self, action: Action) -> Mapping[str, Any]:
        item: dict[str, Any] = {
            "label": action.title,
            "variant": None,
            "description": action.help,
            "actionIdentifier": PREFIX + action.id,
        }
        icon = self._icon(action)
        return item | {"icon": icon} if icon else item

    def _allowed(self, action: Action, user_id: str, username: str, site: SiteDoor) -> bool:
        settings = self._settings(f"actions.{action.id}")
        if not settings.roles and not settings.groups:
            return True
        return self._people.has_any(user_id, username, settings.roles, settings.groups, site)

    @staticmethod
    def _possible(action: Action, raw: Sequence[tuple[str, str]]) -> bool:
        """Whether the tables alone leave the action possible, so that most menus need no look-up."""
        tables = {table for table, _ in raw}
        known = {_TABLES[table] for table in tables if table in _TABLES}
        return known <= action.offered_on and ("task" not in tables or bool(action.offered_on - set(_TABLES.values())))


class _TypeCache:
    """Schema ids of contexts by entity id. An entity never changes its type, so nothing expires."""

    def __init__(self, limit: int = 200_000) -> None:
        self._known: dict[str, str] = {}
        self._limit = limit
        self._lock = threading.Lock()

    def resolve(self, raw: Sequence[tuple[str, str]], site: SiteDoor) -> tuple[Selected, ...]:
        """Schema ids for (table, id) pairs; ``task`` may be a Task, Shot, Sequence, Episode, ..."""
        unknown = [key for table, key in raw if table == "task" and key not in self._known]
        if unknown:
            names = {one.id: one.name.replace(" ", "") for one in site.object_types().values()}
            found: dict[str, str] = {}
            for start in range(0, len(unknown), 500):
                ids = ", ".join(quoted(key) for key in unknown[start : start + 500])
                for row in site.rows(f"select id, object_type_id from TypedContext where id in ({ids})"):
                    found[str(row["id"])] = names.get(str(row["object_type_id"]), "TypedContext")
            with self._lock:
                if len(self._known) + len(found) > self._limit:
                    self._known.clear()
                self._known.update(found)
        return tuple(
            Selected(self._known.get(key, "") if table == "task" else _TABLES.get(table, table), key)
            for table, key in raw
        )


class _People:
    """Roles and groups of users, asked for at most once a minute."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, frozenset[str], frozenset[str]]] = {}
        self._lock = threading.Lock()

    def has_any(self, user_id: str, username: str, roles: Sequence[str], groups: Sequence[str], site: SiteDoor) -> bool:
        key = user_id or username
        with self._lock:
            known = self._known.get(key)
        if known is None or time.monotonic() - known[0] > _WHO_SECONDS:
            known = (time.monotonic(), roles_of(site, user_id, username), groups_of(site, user_id, username))
            with self._lock:
                self._known[key] = known
        _, own_roles, own_groups = known
        return is_one_of(own_roles, roles) or is_one_of(own_groups, groups)


def _raw_selection(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(table, id) pairs of an event's selection; anything malformed is left out."""
    selection = (event.get("data") or {}).get("selection") or ()
    pairs = []
    for one in selection:
        if isinstance(one, Mapping) and one.get("entityId"):
            pairs.append((str(one.get("entityType") or "").lower(), str(one["entityId"])))
    return pairs


def _user(event: Mapping[str, Any]) -> tuple[str, str]:
    user = (event.get("source") or {}).get("user") or {}
    return str(user.get("id") or ""), str(user.get("username") or "")
