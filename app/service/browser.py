"""What a window asks of one site, on the same rules as ftrack's own page: look-ups, the action menu, launches.

The menu and the pages come from the very registry that answers the web, so that an action tried by hand in the window
behaves as it does for production. Every method may be called from any thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.actions import all_actions
from app.actions.registry import ActionRegistry, table_of
from app.journal.journal import Journal
from app.rules.outcomes import PlanError
from app.service.doors import Installation, SiteFactory
from app.service.lookups import LookUps
from app.service.shadow import Shadow, shadow_report

__all__ = ["Desk", "MenuItem", "Person"]


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks: ftrack's id, user name, and the name people know."""

    id: str
    username: str
    name: str


@dataclass(frozen=True, slots=True)
class MenuItem:
    """An entry of the action menu."""

    identifier: str
    label: str
    help: str


class Desk:
    """One window's way to the site.

    Args:
        installation: Settings (and with them the site) and the journal that launches are left in.
        username: ftrack's name of the person; "" takes the API user.
    """

    def __init__(self, installation: Installation, username: str = "") -> None:
        self.installation = installation
        self.sites = SiteFactory(installation)
        self.look_ups = LookUps(self.sites)
        self._username = username
        self._person: Person | None = None
        self._journal: Journal | None = None
        self._registry: ActionRegistry | None = None
        self._lock = threading.Lock()

    @property
    def server(self) -> str:
        """Address of the site. Raises SettingsError when it is not set."""
        return self.installation.credentials().server

    def shadow(self, days: float | None = None, old_user: str = "") -> Shadow:
        """The dry runs' plans beside another server's work (`shadow_report`); None: since the site was connected."""
        since = time.time() - days * 86_400.0 if days is not None else None
        here = self.installation
        return shadow_report(here.store.path, here.journal, since=since, old_user=old_user)

    def person(self) -> Person:
        """Who asks. Raises PlanError when ftrack does not know the name, SettingsError without a site."""
        if self._person is None:
            username = self._username or self.installation.credentials().api_user
            key, name = self.look_ups.user(username)
            self._person = Person(key, username, name)
        return self._person

    def settings(self, section: str) -> Any:
        """An action's settings, e.g. ``actions.upload_media``."""
        self._menu()
        return self.installation.settings(section)

    # The menu

    def discover(self, selection: Sequence[tuple[str, str]]) -> list[MenuItem]:
        """What the menu offers on (schema id, id) pairs."""
        items = self._menu().discover(self._event(selection), self._site())
        return [
            MenuItem(str(item["actionIdentifier"]), str(item["label"]), str(item.get("description") or ""))
            for item in items
        ]

    def launch(
        self, identifier: str, selection: Sequence[tuple[str, str]], values: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        """Choose an entry, or send back a page: the next page (``items``), or ``success`` and ``message``.

        Raises PlanError with words for the person.
        """
        event = self._event(selection)
        event["data"]["actionIdentifier"] = identifier
        if values is not None:
            event["data"]["values"] = dict(values)
        answer = self._menu().launch(event, self._site())
        if answer is None:
            raise PlanError("This action is not known here.")
        return answer

    def close(self) -> None:
        """End every session and let go of the journal."""
        self.sites.close()
        with self._lock:
            if self._journal is not None:
                self._journal.close()
                self._journal = None
                self._registry = None

    def _site(self) -> Any:
        site = self.sites()
        site.fresh()
        return site

    def _event(self, selection: Sequence[tuple[str, str]]) -> dict[str, Any]:
        person = self.person()
        chosen = [{"entityType": table_of(kind), "entityId": key} for kind, key in selection]
        return {
            "data": {"selection": chosen},
            "source": {"user": {"id": person.id, "username": person.username}},
        }

    def _menu(self) -> ActionRegistry:
        with self._lock:
            if self._registry is None:
                actions = all_actions()
                for action in actions:
                    self.installation.store.declare(f"actions.{action.id}", action.settings_model)
                journal = Journal.open(self.installation.journal, "panel")
                self._journal = journal
                self._registry = ActionRegistry(
                    actions, journal, self.installation.settings, lambda action: journal.lever(action)[0]
                )
            return self._registry


def desk_of(settings: Path | None = None, journal: Path | None = None) -> Desk:
    """A desk on an installation's files. Raises SettingsError."""
    return Desk(Installation.load(settings, journal))
