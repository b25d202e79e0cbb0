"""What one installation is, and the doors built from it: the site, the drives, Slack, the people, the time."""

from __future__ import annotations

import datetime as dt
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.disk import ProductionDrives
from app.engine.doors import Doors, SiteDoor
from app.journal.journal import Journal
from app.journal.lock import JournalLock
from app.journal.rows import JournalError
from app.settings import paths
from app.settings.models import EngineSettings, SiteSettings, SlackSettings, StudioSettings
from app.settings.secrets import secret, secret_of_environment
from app.settings.store import SettingsError, SettingsStore
from app.site.cache import LookUps
from app.site.door import Site
from app.site.session import check_address
from app.site.types import Credentials, NotFtrack
from app.slack.client import SlackClient
from app.slack.people import SlackPeople

#: The settings that the host last could use, beside the journal: a worker may have to start while the file is broken.
LAST_GOOD = "settings.last-good.toml"


class SiteNotSet(SettingsError):
    """Nobody has entered a site yet."""


class SystemClock:
    """The machine's time."""

    def now(self) -> dt.datetime:
        """Aware UTC."""
        return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True)
class Installation:
    """Where this installation keeps its settings and its journal.

    Attributes:
        store: The settings.
        journal: The journal's folder.
    """

    store: SettingsStore
    journal: Path

    @classmethod
    def load(
        cls, settings: Path | None = None, journal: Path | None = None, *, last_good: bool = False
    ) -> Installation:
        """Read the settings; ``last_good``: those before them where they cannot be used. Raises SettingsError."""
        folder = journal or paths.journal_folder()
        copy = folder / LAST_GOOD if last_good else None
        return cls(SettingsStore(settings or paths.settings_path(), copy), folder)

    @classmethod
    def at_work(cls, settings: Path | None = None, journal: Path | None = None) -> Installation:
        """The one that a person means who looks on or gives orders, with the settings that its server reads.

        Where neither settings nor journal are named that is the service of this machine, if it runs, or if the person
        has no journal of their own. Raises SettingsError.
        """
        folder = journal or _journal_of_service(settings) or paths.journal_folder()
        if settings is None and not os.environ.get("SIGNALBOX_SETTINGS"):
            settings = _settings_in_use(folder)
        return cls.load(settings, folder)

    def site_settings(self, name: str = "site") -> SiteSettings:
        """Settings of the site or of the second one ("cloud")."""
        return self.store.section(name, SiteSettings)

    def credentials(self, name: str = "site") -> Credentials:
        """Who signs in where. ``FTRACK_SERVER`` in the environment stands above the settings file.

        Raises:
            SiteNotSet: there is no address at all.
            SettingsError: something else is missing, or the address is none.
        """
        settings = self.site_settings(name)
        server, user = settings.server, settings.api_user
        given = os.environ.get("FTRACK_SERVER", "").strip() if name == "site" else ""
        if given:
            server, user = given, os.environ.get("FTRACK_API_USER", "").strip() or user
        key = secret_of_environment("FTRACK_API_KEY") if given else None
        # A kept key belongs to the kept server and must not be sent to another.
        key = key or self.secret(f"{name}.api_key", kept=server.rstrip("/") == settings.server.rstrip("/"))
        missing = [
            words
            for value, words in (
                (server, "the site's address (FTRACK_SERVER)"),
                (user, "the API user (FTRACK_API_USER)"),
                (key, "the API key (FTRACK_API_KEY)"),
            )
            if not value
        ]
        if missing:
            problem = SettingsError if server else SiteNotSet
            raise problem(
                f"{self.store.path}: section [{name}] lacks {', '.join(missing)}. Enter it in the panel, in the file "
                "(the key never there), or in the environment"
            )
        try:
            return Credentials(check_address(server), user, key or "")
        except NotFtrack as error:
            raise SettingsError(f"{name}.server: {error}") from error

    def secret(self, name: str, *, kept: bool = True) -> str | None:
        """A secret of this installation (see `app.settings.secrets.secret`). Raises SecretsExposed."""
        return secret(name, kept=kept, settings=self.store.path)

    def settings(self, section: str, project: str | None = None) -> Any:
        """A section's validated settings, by name."""
        model = self.store.declared().get(section)
        if model is None:
            raise SettingsError(f"there is no section {section!r}")
        return self.store.section(section, model, project)

    def check(self) -> None:
        """Read every section once, with those of the handlers and actions that come with Signalbox.

        Raises:
            SettingsError: the first that cannot be used.
        """
        from app.actions import all_actions  # here: who only asks for a path pays nothing for them
        from app.handlers import all_handlers

        for handler in all_handlers():
            self.store.declare(f"handlers.{handler.id}", handler.settings_model)
        for action in all_actions():
            self.store.declare(f"actions.{action.id}", action.settings_model)
        self.store.verify()


def _journal_of_service(settings: Path | None) -> Path | None:
    folder = paths.SERVICE_STATE / "journal"
    if settings is not None or paths.home() is not None or not os.access(folder / "journal.db", os.R_OK):
        return None
    has_own = (paths.journal_folder() / "journal.db").exists()
    return folder if JournalLock.is_held(folder) or not has_own else None


def _settings_in_use(folder: Path) -> Path | None:
    """The settings file of the server that works, or last worked, on a journal; None where that is not known."""
    try:
        journal = Journal.open(folder, "read")
    except (JournalError, OSError):
        return None
    try:
        named = str(journal.fact("settings") or "")
    finally:
        journal.close()
    return Path(named) if named and os.access(named, os.R_OK) else None


def service_out_of_reach(settings: Path | None, journal: Path | None) -> str:
    """What to tell a person who named no journal and may not read that of this machine's service; "" otherwise."""
    folder = paths.SERVICE_STATE / "journal"
    if settings is not None or journal is not None or paths.home() is not None or not paths.SERVICE_STATE.is_dir():
        return ""
    if os.access(paths.SERVICE_STATE, os.X_OK) and (not folder.is_dir() or os.access(folder, os.R_OK | os.X_OK)):
        return ""
    return (
        f"this machine has a service whose journal {folder} you may not read: ask an administrator to add you to the "
        "group that owns it (signalbox), then log in again"
    )


class SiteFactory:
    """Gives each thread its own door to each site; look-ups are shared."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._local = threading.local()
        self._look_ups: dict[tuple[str, str], LookUps] = {}
        self._known: dict[str, tuple[int, Credentials]] = {}
        self._lock = threading.Lock()
        self._open: list[Site] = []

    def __call__(self, name: str = "site") -> SiteDoor:
        """The calling thread's door. Raises SettingsError when the site is not set."""
        kept: dict[str, tuple[Credentials, Site]] = self._local.__dict__.setdefault("doors", {})
        credentials = self._credentials(name)
        found = kept.get(name)
        if found is not None and found[0] == credentials:
            return found[1]
        if found is not None:
            found[1].close()
        settings = self._installation.site_settings(name)
        with self._lock:
            look_ups = self._look_ups.setdefault((credentials.server, credentials.api_user), LookUps())
        door = Site(
            credentials,
            look_ups,
            cache=paths.cache_folder(),
            timeout=settings.request_timeout,
            strict=settings.strict_api,
        )
        kept[name] = (credentials, door)
        with self._lock:
            self._open.append(door)
        return door

    def _credentials(self, name: str) -> Credentials:
        """Asked for at every run: the keyring is only read again when the settings changed."""
        revision = self._installation.store.revision
        known = self._known.get(name)
        if known is None or known[0] != revision:
            known = (revision, self._installation.credentials(name))
            self._known[name] = known
        return known[1]

    def close_thread(self) -> None:
        """End the calling thread's sessions."""
        for _, door in self._local.__dict__.pop("doors", {}).values():
            door.close()
            with self._lock:
                self._open = [one for one in self._open if one is not door]

    def close(self) -> None:
        """End every session of every thread."""
        with self._lock:
            doors, self._open = self._open, []
        for door in doors:
            door.close()


@dataclass(slots=True)
class BuiltDoors:
    """The doors, and what of them the service itself needs."""

    doors: Doors
    sites: SiteFactory
    slack: SlackClient | None
    drives: ProductionDrives


def build_doors(installation: Installation) -> BuiltDoors:
    """The doors of one process."""
    store = installation.store

    def slack_settings(project: str | None = None) -> SlackSettings:
        return store.section("slack", SlackSettings, project)

    def slack_token() -> str | None:
        return installation.secret("slack.token")

    sites = SiteFactory(installation)
    drives = ProductionDrives(
        lambda: store.section("studio", StudioSettings),
        wait=lambda: store.section("engine", EngineSettings).drive_wait,
    )
    wanted = slack_settings().enabled and slack_token()
    slack = SlackClient(slack_settings, slack_token) if wanted else None
    doors = Doors(
        site=sites,
        disk=drives,
        clock=SystemClock(),
        people=SlackPeople(slack_settings, slack),
        slack=slack,
        settings=installation.settings,
        secret=installation.secret,
        close_site=sites.close_thread,
    )
    return BuiltDoors(doors, sites, slack, drives)


def environment_without_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for programs that talk to this machine only."""
    return {name: value for name, value in environment.items() if not name.lower().endswith("_proxy")}
