"""The actions on a real site through a real engine, without a server around them: launches, runs, undo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine_room import Room
from sandbox_process import SandboxProcess

from app.actions import all_actions
from app.actions.reporting import ReportedActions
from app.engine.deciding import ActionPlans
from app.handlers import all_handlers
from app.journal.rows import EffectRow, RunRow
from app.site.cache import LookUps
from app.site.door import Site
from app.site.types import Credentials


class ActionRoom(Room):
    """One machine with a journal of its own.

    Args:
        folder: Everything lies below.
        site: The studio's site.
        settings: Settings that differ from the defaults: ``{"actions.clear_job_queue.target": "failed"}``.
        cloud: The clients' site.
    """

    def __init__(
        self,
        folder: Path,
        site: SandboxProcess,
        settings: Mapping[str, Any] | None = None,
        cloud: SandboxProcess | None = None,
    ) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(folder)
        self._sites = {"": site, "site": site, "cloud": cloud}
        self._look_ups = {name: LookUps() for name in self._sites}
        self._opened: list[Site] = []
        self.actions = all_actions()
        sections = {f"actions.{action.id}": action.settings_model for action in self.actions}
        sections |= {f"handlers.{handler.id}": handler.settings_model for handler in all_handlers()}
        self.models |= sections
        for section, model in sections.items():
            self.store.declare(section, model)
        for name, value in {"studio.disk_map": {"/data/production": str(self.drive)}, **(settings or {})}.items():
            section, _, field = name.rpartition(".")
            self.store.set(section, field, value)
        self.go()

    def go(self) -> None:
        """Start the engine (again)."""
        by_id = {action.id: action for action in self.actions}
        self.start(actions=self.actions, executors={"action": ReportedActions(ActionPlans(by_id), by_id)})

    def site(self, name: str = "") -> Any:
        """The calling thread's door to a site."""
        doors = self._local.__dict__.setdefault("doors", {})
        if name not in doors:
            process = self._sites[name]
            assert process is not None, f"this test has no site {name!r}"
            credentials = Credentials(process.url, process.user, process.key)
            doors[name] = Site(credentials, self._look_ups[name], cache=self.folder / f"cache-{name}")
            self._opened.append(doors[name])
        return doors[name]

    def close_site(self) -> None:
        """Sessions end with the room."""

    def close(self) -> None:
        super().close()
        for door in self._opened:
            door.close()

    def launch(
        self, action: str, *selection: tuple[str, str], user: str = "", dry: bool = False, **values: Any
    ) -> RunRow:
        """Launch with complete values as a user (the API's own by default); the run once it has ended."""
        door = self.site()
        door.fresh()
        person = door.rows(f'select id from User where username is "{user or self._sites[""].user}"')[0]  # type: ignore[union-attr]
        answer = self.order(
            "launch",
            action=action,
            selection=[list(one) for one in selection],
            values=values,
            user_id=str(person["id"]),
            username=user or self._sites[""].user,  # type: ignore[union-attr]
            dry=dry,
        )
        return self.journal.run_row(int(answer["run"]))

    def undo(self, run: int) -> RunRow:
        """Take a run back; the undo's run."""
        return self.journal.run_row(int(self.order("undo", run=run)["run"]))

    def effects(self, run: int) -> Sequence[EffectRow]:
        """What it did."""
        return self.journal.effects_of(run, whole=True)

    def all(self, expression: str) -> list[dict[str, Any]]:
        """Fresh from the studio's site."""
        self.site().fresh()
        return [dict(row) for row in self.site().rows(expression)]

    def write(self, action: str, entity_type: str, key: str, **values: Any) -> None:
        """Somebody else creates, changes or deletes something."""
        operation: dict[str, Any] = {"action": action, "entity_type": entity_type, "entity_key": [key]}
        if action != "delete":
            own = {"id": key} if action == "create" else {}
            operation["entity_data"] = {"__entity_type__": entity_type, **own, **values}
        self.site().call([operation])
