"""Whatever ends the connection: the server is back by itself, and after catch-up nothing is missing."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from listening import until
from program import Program
from sandbox_process import SandboxProcess

from app.journal.journal import Journal
from app.settings.store import SettingsStore

pytestmark = pytest.mark.e2e


class Studio:
    """A site, a drive, and an event server on both."""

    def __init__(self, folder: Path, site: SandboxProcess) -> None:
        self.site = site
        self.home = folder / "home"
        self.drive = folder / "drive"
        self.drive.mkdir(parents=True)
        (self.drive / ".signalbox-drive").touch()
        store = SettingsStore(self.home / "settings.toml")
        store.set("studio", "disk_map", {"/data/production": str(self.drive)})
        store.set("site", "silence", 2.5)
        store.set("site", "reconnect_longest", 0.5)
        # The production was made a moment ago: with the usual five minutes it would all count as missed.
        store.set("engine", "catch_up_overlap", 1.0)
        self.project = self.rows('select id, name from Project where name is "nightjar"')[0]
        self.shot = self.rows(
            f'select id, name, parent.name from Shot where project_id is "{self.project["id"]}" order by name limit 1'
        )[0]
        types = self.rows('select id from Type where name is "Compositing"')
        self.type_id = types[0]["id"]

    def rows(self, expression: str) -> list[dict[str, object]]:
        answer = self.site.api({"action": "query", "expression": expression})
        assert isinstance(answer, list), answer
        return list(answer[0]["data"])

    def server(self) -> Program:
        extra = {
            "FTRACK_SERVER": self.site.url,
            "FTRACK_API_USER": self.site.user,
            "FTRACK_API_KEY": self.site.key,
        }
        return Program("serve", "--json", home=self.home, extra=extra)

    def create_task(self, name: str) -> Path:
        """A task is created; returns the folder that must appear."""
        key = str(uuid.uuid4())
        answer = self.site.api(
            {
                "action": "create",
                "entity_type": "Task",
                "entity_key": [key],
                "entity_data": {
                    "__entity_type__": "Task",
                    "id": key,
                    "name": name,
                    "parent_id": self.shot["id"],
                    "project_id": self.project["id"],
                    "type_id": self.type_id,
                },
            }
        )
        assert isinstance(answer, list), answer
        sequence = self.shot["parent"]["name"]  # type: ignore[index]
        return self.drive / "nightjar" / "shots" / str(sequence) / str(self.shot["name"]) / "scene" / name


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    with SandboxProcess(tmp_path / "site", "studio", "--heartbeat", "0.5") as site:
        yield Studio(tmp_path, site)


def connected(journal: Journal) -> bool:
    return any(lamp.name == "site" and lamp.state == "ok" for lamp in journal.health())


def made_once(journal: Journal) -> int:
    """Runs that made a task's folder; one that finds everything there has no effects."""
    runs = [run for run in journal.runs(handler="create_task_folder") if run.kind == "handler"]
    assert not [run for run in runs if run.state not in {"done", "queued", "running"}]
    return sum(run.state == "done" and run.effects > 0 for run in runs)


DEATHS: dict[str, Callable[[SandboxProcess], object]] = {
    "closed cleanly": lambda site: site.faults(disconnect="close", refuse_connects=True),
    "aborted": lambda site: site.faults(disconnect="abort", refuse_connects=True),
    "told to go": lambda site: site.faults(disconnect="disconnect", refuse_connects=True),
    "silent": lambda site: site.faults(silent=True, heartbeat=False, refuse_connects=True),
}


@pytest.mark.parametrize("death", DEATHS)
def test_what_happened_while_the_hub_was_away_is_caught_up(studio: Studio, death: str) -> None:
    with studio.server() as server:
        ready = server.wait_line()
        journal = Journal.open(Path(ready["journal"]), "read")
        try:
            assert until(lambda: connected(journal))
            before = studio.create_task("before")
            assert until(before.is_dir, 20), server.errors[-2000:]
            DEATHS[death](studio.site)
            if death != "silent":
                assert until(lambda: not connected(journal))
            missed = [studio.create_task(f"missed_{number}") for number in range(3)]
            assert until(lambda: not connected(journal))
            assert not any(folder.exists() for folder in missed)
            studio.site.faults(reset=True)
            assert until(lambda: connected(journal), 20)
            after = studio.create_task("after")
            for folder in (*missed, after):
                assert until(folder.is_dir, 20), f"{folder} is missing: {server.errors[-2000:]}"
            assert until(lambda: made_once(journal) == 5)
        finally:
            journal.close()
        assert server.stop() == 0


def test_what_happened_while_the_server_was_down_is_caught_up_and_nothing_is_done_twice(studio: Studio) -> None:
    with studio.server() as server:
        journal_folder = Path(server.wait_line()["journal"])
        journal = Journal.open(journal_folder, "read")
        try:
            assert until(lambda: connected(journal))
            first = studio.create_task("first")
            assert until(lambda: made_once(journal) == 1), server.errors[-2000:]
            assert first.is_dir()
        finally:
            journal.close()
        assert server.stop() == 0
    missed = studio.create_task("missed")
    with studio.server() as server:
        server.wait_line()
        journal = Journal.open(journal_folder, "read")
        try:
            assert until(missed.is_dir, 20), server.errors[-2000:]
            assert until(lambda: made_once(journal) == 2)
        finally:
            journal.close()
        assert server.stop() == 0


def test_a_site_that_was_stopped_for_a_while_is_caught_up_with(studio: Studio) -> None:
    with studio.server() as server:
        journal = Journal.open(Path(server.wait_line()["journal"]), "read")
        try:
            assert until(lambda: connected(journal))
            studio.site.stop()
            assert until(lambda: not connected(journal))
            studio.site.start(studio.site.port)
            created = studio.create_task("around_the_restart")
            assert until(created.is_dir, 30), server.errors[-2000:]
        finally:
            journal.close()
        assert server.stop() == 0
