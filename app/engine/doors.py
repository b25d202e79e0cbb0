"""The doors: everything outside that plans and effects reach, as protocols. `app.service` builds and injects them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from app.site.types import Named, SiteRefusal, SiteUnreachable

__all__ = [
    "Clock",
    "Disk",
    "Doors",
    "Named",
    "People",
    "SiteDoor",
    "SiteRefusal",
    "SiteUnreachable",
    "SlackDoor",
]


class SiteDoor(Protocol):
    """One thread's access to the ftrack site, over the real client.

    Look-ups (statuses, types, object types, workflow schemas, the own user) are read once for all threads of a
    process, and again when they are old or an unknown id is asked for; they do not count as a run's requests.
    """

    @property
    def server(self) -> str:
        """The site's URL without credentials."""

    @property
    def session(self) -> Any:
        """The ftrack_api.Session. Plans may read through it; a plan that leaves something to commit fails its run."""

    def warm(self) -> None:
        """Open the session and read the process's look-ups, so that no run waits for either."""

    def fresh(self) -> None:
        """Forget every cached entity and recorded operation (a run starts with this; no request is made)."""

    def rows(self, expression: str) -> list[dict[str, Any]]:
        """One query as plain nested dicts (no entity objects, no lazy loading), all pages. The cheapest way to read."""

    def call(self, operations: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Operations in one server transaction, encoded as the wire wants. Raises SiteRefusal or SiteUnreachable."""

    def upload(
        self, path: Path, *, name: str, version_id: str | None, location: str, component_id: str
    ) -> dict[str, Any]:
        """Put a file into a location under a component id chosen by the caller; returns the component's row."""

    def download(self, component_id: str, target: Path) -> None:
        """Fetch a component's file into ``target``, whole or not at all."""

    def statuses(self) -> Mapping[str, Named]:
        """All statuses by id."""

    def status_named(self, name: str) -> Named | None:
        """A status by name, compared without case."""

    def types(self) -> Mapping[str, Named]:
        """All (task and asset build) types by id."""

    def object_types(self) -> Mapping[str, Named]:
        """All object types by id (Task, Shot, Sequence, ...)."""

    def workflow(self, project_schema_id: str) -> Named | None:
        """A workflow (project) schema: its name; extra has the names it offers."""

    def allowed_statuses(self, project_schema_id: str, entity_type: str, type_id: str | None = None) -> Sequence[Named]:
        """Statuses the workflow allows for an object type, for Task per task type (overrides respected)."""

    def own_user_id(self) -> str:
        """The id of the API user this door is signed in as."""

    def server_time(self) -> dt.datetime:
        """The site's idea of now, aware UTC."""


class Disk(Protocol):
    """The production drives."""

    def project_root(self, project: Mapping[str, Any]) -> Path:
        """Folder of a project: its ``root`` when set, else its disk's prefix for this system joined with its name.

        Raises PlanError with what is missing, Later when the drive is not mounted (no mount point, no marker file).
        """

    def exists(self, path: Path) -> bool: ...

    def listing(self, folder: Path) -> Sequence[str]:
        """Names in a folder, sorted; empty when it does not exist."""

    def prove_root(self, root: Path) -> None:
        """Raise Later("drive not mounted ...") unless the drive that holds ``root`` is really there."""


class Clock(Protocol):
    def now(self) -> dt.datetime:
        """Aware UTC."""


class People(Protocol):
    """Who is who on Slack (`slack_ftrack_users.json`, then e-mail, then the project's channel, then the default)."""

    def slack_user(self, username: str, email: str | None) -> str | None: ...

    def slack_channel(self, project_name: str) -> str: ...


class SlackDoor(Protocol):
    """Sends one message; raises SlackRefused (permanent, with advice) or SlackLater (rate limit, network)."""

    def send(
        self,
        channel: str,
        text: str,
        *,
        dedupe: str,
        carried: Sequence[str] = (),
        blocks: Sequence[Mapping[str, Any]] | None = None,
    ) -> str:
        """Returns the message's timestamp. ``dedupe`` travels as message metadata, and so do the keys of those that
        it carries along.
        """

    def find(self, channel: str, dedupe: str, since: float) -> str | None:
        """Look for a message by its dedupe key, carried along or its own; None when not found."""


@dataclass(slots=True)
class Doors:
    """All doors of one process. ``site()`` gives the calling thread's own.

    Attributes:
        site: Factory of the thread's SiteDoor; ``site(name)`` of a second site ("cloud").
        settings: ``settings(section, project=None)`` gives a validated settings model.
        secret: ``secret(name)`` reads from keyring, credential or environment.
        job_submit: Submits a job: ``job_submit(job_type=, name=, settings=, engine=, dedupe=)`` gives its results.
        job_find: Looks for a submitted job by its key: ``job_find(engine=, dedupe=, since=)``, None when not there.
        close_site: Closes the calling thread's SiteDoor; called when a thread of the engine ends.
        temp_root: Where temporary files of slow effects go; None: the system's place.
    """

    site: Callable[..., SiteDoor]
    disk: Disk
    clock: Clock
    people: People
    slack: SlackDoor | None
    settings: Callable[..., Any]
    secret: Callable[[str], str | None]
    job_submit: Callable[..., Mapping[str, Any]] | None = None
    job_find: Callable[..., Mapping[str, Any] | None] | None = None
    close_site: Callable[[], None] | None = None
    temp_root: Path | None = None

    def close_thread(self) -> None:
        """Close what the calling thread opened for itself."""
        if self.close_site is not None:
            self.close_site()
