"""A whole studio on one machine: the embedded site, a production drive, a local Slack, and the event server on them."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from program import Program
from sandbox_process import SandboxProcess

from app.sandbox.slack_api import Member, SlackServer
from app.settings.store import SettingsStore

_TEMPLATES = Path(__file__).resolve().parents[2] / "resources" / "task_templates"


class Studio:
    """Use as a context manager.

    Args:
        folder: Everything lies below.
        settings: More settings: ``{"site.silence": 2.5}``.

    Attributes:
        site: The embedded site with its ``studio`` profile.
        slack: The local Slack; everybody with an e-mail address is a member.
        home: The event server's ``SIGNALBOX_HOME``; new with each `renew`.
        shot: A shot for the test's tasks; the next one with each `renew`.
        drive: The production drive.
    """

    def __init__(self, folder: Path, settings: dict[str, Any] | None = None) -> None:
        self.site = SandboxProcess(folder / "site", "studio", "--heartbeat", "0.5")
        self.drive = folder / "drive"
        people = self.rows("select username, email from User where is_active is true order by username")
        self.members = {str(one["username"]): f"U{number:08d}" for number, one in enumerate(people, 1)}
        self.slack = SlackServer(
            [Member(self.members[one["username"]], one["username"], "", one["email"] or "") for one in people]
        )
        self.slack.start()
        for project in self.rows("select name from Project"):
            shutil.copytree(_TEMPLATES, self.drive / project["name"] / "template_files")
        (self.drive / ".signalbox-drive").touch()
        self._settings = {
            "studio.disk_map": {"/data/production": str(self.drive)},
            "slack.base_url": self.slack.url,
            "slack.rate": 50.0,
            "site.silence": 2.5,
            "site.reconnect_longest": 0.5,
            # The production was made a moment ago: with the usual five minutes it would all count as missed.
            "engine.catch_up_overlap": 1.0,
            **(settings or {}),
        }
        self.project = self.rows('select id, name from Project where name is "nightjar"')[0]
        self._shots = self.rows(
            f'select id, name, parent.name from Shot where project_id is "{self.project["id"]}" order by name'
        )
        self._folder = folder
        self._used = 0
        self.renew()

    def renew(self) -> None:
        """A new event server's home, the next shot, no fault, nothing said on Slack: a test may share the site."""
        self.site.faults(reset=True)
        self.slack.messages.clear()
        self.shot = self._shots[self._used % len(self._shots)]
        self.home = self._folder / f"home-{self._used}"
        self._used += 1
        self.home.mkdir()
        store = SettingsStore(self.home / "settings.toml")
        for name, value in self._settings.items():
            section, _, field = name.rpartition(".")
            store.set(section, field, value)

    def __enter__(self) -> Studio:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.slack.stop()
        self.site.stop()

    def environment(self) -> dict[str, str]:
        """What the event server is told of the site and of Slack."""
        return {
            "FTRACK_SERVER": self.site.url,
            "FTRACK_API_USER": self.site.user,
            "FTRACK_API_KEY": self.site.key,
            "SIGNALBOX_SLACK_TOKEN": self.slack.token,
        }

    def move_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The test's own process is the event server: its environment names the site and the home."""
        for name, value in self.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("SIGNALBOX_HOME", str(self.home))

    def server(self, **extra: str) -> Program:
        """`signalbox serve`, started."""
        return Program("serve", "--json", home=self.home, extra={**self.environment(), **extra})

    def rows(self, expression: str) -> list[dict[str, Any]]:
        """A query's rows."""
        return list(self._api({"action": "query", "expression": expression})[0]["data"])

    def _api(self, *operations: dict[str, Any]) -> list[Any]:
        answer = self.site.api(*operations)
        assert isinstance(answer, list), answer
        return answer

    def named(self, entity_type: str, name: str) -> str:
        """The id of a status or type."""
        return str(self.rows(f'select id from {entity_type} where name is "{name}"')[0]["id"])

    def create(self, entity_type: str, **values: Any) -> str:
        """An artist creates something; its id."""
        key = str(values.pop("id", None) or uuid.uuid4())
        data = {"__entity_type__": entity_type, "id": key, **values}
        self._api({"action": "create", "entity_type": entity_type, "entity_key": [key], "entity_data": data})
        return key

    def update(self, entity_type: str, key: str, **values: Any) -> None:
        """An artist changes something."""
        data = {"__entity_type__": entity_type, **values}
        self._api({"action": "update", "entity_type": entity_type, "entity_key": [key], "entity_data": data})

    def create_task(self, name: str, kind: str = "Compositing", shot: dict[str, Any] | None = None) -> str:
        """A task on a shot (the studio's first one); its id."""
        return self.create(
            "Task",
            name=name,
            parent_id=(shot or self.shot)["id"],
            project_id=self.project["id"],
            type_id=self.named("Type", kind),
        )

    def task_folder(self, name: str) -> Path:
        """The folder a task of this name on the first shot must have."""
        sequence = self.shot["parent"]["name"]
        return self.drive / self.project["name"] / "shots" / sequence / self.shot["name"] / "scene" / name

    def set_status(self, entity_type: str, key: str, status: str) -> None:
        """A status is set."""
        self.update(entity_type, key, status_id=self.named("Status", status))

    def metadata(self, key: str) -> dict[str, str]:
        """An entity's metadata."""
        return {
            row["key"]: row["value"] for row in self.rows(f'select key, value from Metadata where parent_id is "{key}"')
        }

    def writes_of(self, key: str, attribute: str) -> int:
        """How often an attribute of an entity was written, from the site's own events."""
        count = 0
        for row in self.site.events(0, "ftrack.update"):
            for entity in row["event"]["data"]["entities"]:
                count += entity.get("entityId") == key and attribute in json.dumps(entity.get("changes"))
        return count
