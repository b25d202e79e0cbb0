"""The lamps of the health strip: Slack, drives, journal, and whether the worker runs.

Each is said again at every look: the journal writes it once a minute, and a lamp that is not renewed goes out.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from app.journal.journal import Journal
from app.rules.outcomes import Later, PlanError
from app.rules.words import many
from app.service.doors import BuiltDoors
from app.settings.redact import redact
from app.settings.store import SettingsError
from app.site.types import SiteRefusal, SiteUnreachable
from app.slack.errors import SlackLater, SlackRefused

log = logging.getLogger("signalbox.health")

State = Literal["ok", "warning", "error", "off"]
# The window takes a lamp that was not renewed for three minutes for dead.
SLACK_SECONDS = 120.0
DRIVES_SECONDS = 30.0
_SPACE_SECONDS = 30.0
_SETTINGS_SECONDS = 2.0
_LITTLE_SPACE = 500 * 1024 * 1024


class HealthWatch:
    """Looks at what tells nothing by itself: `turn` at what is here, `slack` and `drives` at what may not answer.

    Args:
        journal: Keeps the lamps.
        built: The doors.
        workers: Gives the worker's lamp as its keeper, who waits for the process, knows it.
        problem: Why the settings file as it is now is not in force; "" when it is.
    """

    def __init__(
        self,
        journal: Journal,
        built: BuiltDoors,
        workers: Callable[[], tuple[State, str]],
        problem: Callable[[], str],
    ) -> None:
        self._journal = journal
        self._built = built
        self._workers = workers
        self._problem = problem
        self._due: dict[str, float] = {}

    def turn(self) -> None:
        """Look at what is due and never waits: the worker, the settings, the room for the journal."""
        self._set("workers", *self._workers())
        for name, pause, look in (
            ("settings", _SETTINGS_SECONDS, self._settings),
            ("journal", _SPACE_SECONDS, self._space),
        ):
            if time.monotonic() >= self._due.get(name, 0.0):
                self._due[name] = time.monotonic() + pause
                state, words = look()
                self._set(name, state, words)

    def _set(self, name: str, state: State, words: str) -> None:
        self._journal.set_health(name, state, redact(words))

    def _settings(self) -> tuple[State, str]:
        problem = self._problem()
        return ("error", f"{problem}; the settings before it stay in force") if problem else ("ok", "in force")

    def _space(self) -> tuple[State, str]:
        free = shutil.disk_usage(self._journal.folder).free
        if free < _LITTLE_SPACE:
            return "error", f"only {free // 1_000_000} MB left for the journal in {self._journal.folder}"
        return "ok", f"{free // 1_000_000_000} GB free"

    def slack(self) -> None:
        """Ask Slack whether it takes our messages."""
        self._set("slack", *self._slack())

    def _slack(self) -> tuple[State, str]:
        if self._built.slack is None:
            return "off", "no Slack token is set"
        try:
            return "ok", self._built.slack.check()
        except SlackLater as error:
            return "warning", str(error)
        except SlackRefused as error:
            return "error", str(error)

    def drives_hang(self, since: float) -> None:
        """A look at the drives did not come back since then (UTC epoch seconds)."""
        clock = time.strftime("%H:%M", time.localtime(since))
        self._set("drives", "error", f"a drive does not answer since {clock}: is its server up?")

    def drives(self) -> None:
        """Look whether every project's drive is there. Raises SiteUnreachable, SiteRefusal, SettingsError."""
        try:
            projects = self._built.sites().rows(
                "select name, root, disk.unix, disk.windows, disk.name from Project where status is active"
            )
        except (SiteUnreachable, SiteRefusal, SettingsError):
            self._set("drives", "warning", "unknown while the site does not answer")
            raise
        self._set("drives", *self._missing(projects))

    def _missing(self, projects: Sequence[Mapping[str, Any]]) -> tuple[State, str]:
        missing: list[str] = []
        for project in projects:
            try:
                self._built.drives.project_root(project)
            except (Later, PlanError) as error:
                missing.append(f"{project['name']}: {error}")
        if missing:
            return ("error" if len(missing) == len(projects) else "warning"), missing[0]
        return "ok", f"{many(len(projects), 'project')} reachable"
