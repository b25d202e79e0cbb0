"""An engine on a real journal, with doors a test can look through. Handlers of tests are small and their own."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from app.disk import ProductionDrives
from app.effects import KINDS
from app.engine.doors import Doors
from app.engine.protocol import Change, Context, Effect, Handler, Plan
from app.engine.worker import Engine
from app.journal.journal import Journal
from app.journal.rows import RawEvent
from app.settings.models import SECTIONS
from app.settings.store import SettingsStore

PROJECT = "11111111-0000-4000-8000-000000000001"


class Session:
    """What the engine asks of the client's session where no site is needed: whether something is left to commit."""

    def __init__(self) -> None:
        self.recorded_operations: list[str] = []


class NoSite:
    """The door of a site that holds nothing: what the engine's own tests need, whose effects are on disk."""

    server = "http://nowhere"

    def __init__(self) -> None:
        self.session = Session()

    def warm(self) -> None: ...

    def fresh(self) -> None:
        self.session.recorded_operations.clear()

    def rows(self, expression: str) -> list[dict[str, Any]]:
        assert " from Project " in expression, f"only the project's name is asked for here: {expression}"
        return []

    def server_time(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


class Clock:
    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


class FunctionHandler(Handler):
    """A handler made of functions, for tests."""

    id: ClassVar[str] = "probe"
    title: ClassVar[str] = "Probe"
    help: ClassVar[str] = "What a test wants."

    def __init__(
        self,
        plan: Callable[[Sequence[Change], Context], Plan],
        *,
        name: str = "probe",
        wants: Callable[[Change], bool] = lambda change: True,
        key: Callable[[Change], str] = lambda change: f"task:{change.entity_id}",
        batch: int = 1,
        catch_up: Callable[[Context, dt.datetime], Sequence[Change]] = lambda ctx, since: (),
    ) -> None:
        self.id = name  # type: ignore[misc]
        self.batch = batch  # type: ignore[misc]
        self._plan, self._wants, self._key, self._catch_up = plan, wants, key, catch_up

    def wants(self, change: Change) -> bool:
        return self._wants(change)

    def key(self, change: Change) -> str:
        return self._key(change)

    def plan(self, changes: Sequence[Change], ctx: Context) -> Plan:
        return self._plan(changes, ctx)

    def catch_up(self, ctx: Context, since: dt.datetime) -> Sequence[Change]:
        return self._catch_up(ctx, since)


def update(
    *entities: str,
    action: str = "update",
    changes: Mapping[str, tuple[Any, Any]] | None = None,
    event_id: str = "",
    project: str = PROJECT,
    user: str = "artist",
) -> RawEvent:
    """An `ftrack.update` of tasks."""
    pairs = {"statusid": ("old", "new")} if changes is None else changes
    return RawEvent(
        {
            "id": event_id or uuid.uuid4().hex,
            "topic": "ftrack.update",
            "source": {"user": {"id": f"id of {user}", "username": user}},
            "data": {
                "entities": [
                    {
                        "action": action,
                        "entityType": "task",
                        "entity_type": "Task",
                        "entityId": entity,
                        "keys": list(pairs),
                        "changes": {key: {"old": old, "new": new} for key, (old, new) in pairs.items()},
                        "parents": [
                            {"entityId": entity, "entityType": "task", "entity_type": "Task", "parentId": project},
                            {"entityId": project, "entityType": "show", "entity_type": "Project", "parentId": None},
                        ],
                    }
                    for entity in entities
                ]
            },
        },
        time.time(),
    )


class Room:
    """Journal, doors and engine of one test.

    Attributes:
        journal: The journal.
        drive: A production drive that carries the marker.
    """

    def __init__(self, folder: Path, site: Callable[[], Any] | None = None, slack: Any = None) -> None:
        self.folder = folder
        self.drive = folder / "drive"
        self.drive.mkdir(exist_ok=True)
        (self.drive / ".signalbox-drive").touch()
        self.store = SettingsStore(folder / "settings.toml")
        for name, value in (("retry_first", 0.05), ("poll", 0.02), ("drive_wait", 0.1)):
            self.store.set("engine", name, value)
        self.journal = Journal.open(folder / "journal")
        self._local = threading.local()
        self._site = site or NoSite
        self.disk = ProductionDrives(lambda: self.settings("studio"), wait=lambda: 0.1)
        self.doors = Doors(
            site=self.site,
            disk=self.disk,
            clock=Clock(),
            people=None,  # type: ignore[arg-type]
            slack=slack,
            settings=self.settings,
            secret=lambda name: None,
            close_site=self.close_site,
            temp_root=folder,
        )
        self.models = dict(SECTIONS)
        self.engine: Engine | None = None

    def settings(self, section: str, project: str | None = None) -> Any:
        model = self.models.get(section)
        return None if model is None else self.store.section(section, model, project)

    def site(self, name: str = "") -> Any:
        if not hasattr(self._local, "site"):
            self._local.site = self._site()
        return self._local.site

    def close_site(self) -> None:
        close = getattr(getattr(self._local, "site", None), "close", None)
        if close is not None:
            close()

    def start(
        self,
        *handlers: Handler,
        kinds: Mapping[str, type[Effect]] | None = None,
        actions: Sequence[Any] = (),
        executors: Any = None,
    ) -> Engine:
        """Start an engine with these handlers."""
        self.engine = Engine(self.journal, self.doors, handlers, actions, kinds=kinds or KINDS, executors=executors)
        self.engine.start()
        return self.engine

    def stop(self) -> None:
        if self.engine is not None:
            assert self.engine.stop(), "a thread of the engine did not end"
            self.engine = None

    def close(self) -> None:
        self.stop()
        self.journal.close()

    def send(self, *events: RawEvent) -> list[int]:
        """Events arrive."""
        rows = self.journal.append_events(events)
        if self.engine is not None:
            self.engine.poke()
        return rows

    def settle(self, seconds: float = 60.0) -> None:
        assert self.engine is not None
        assert self.engine.wait_idle(seconds), f"still at work: {self.journal.runs(limit=5)}"

    def order(self, order_kind: str, **args: Any) -> Mapping[str, Any]:
        """Give an order and wait for what came of it."""
        number = self.journal.order(order_kind, args, "a person")
        assert self.engine is not None
        self.engine.poke()
        self.settle()
        return self.journal.order_row(number).result

    def order_quickly(self, order_kind: str, **args: Any) -> None:
        """Give an order and do not wait for the rest to settle."""
        self.journal.order(order_kind, args, "a person")
        assert self.engine is not None
        self.engine.poke()

    def lever(self, position: str, handler: str = "probe", project: str = "") -> Mapping[str, Any]:
        return self.order("set_lever", handler=handler, project=project, position=position, why="")

    def states(self, handler: str = "probe") -> list[str]:
        """States of a handler's runs, oldest first."""
        return [row.state for row in reversed(self.journal.runs(handler=handler))]

    def wait_for(self, what: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait until something is so."""
        until = time.monotonic() + seconds
        pause = threading.Event()
        while not what():
            assert time.monotonic() < until, "it did not happen in time"
            pause.wait(0.005)
