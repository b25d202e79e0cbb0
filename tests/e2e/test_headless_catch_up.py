"""Whatever ends the connection: the server is back by itself, and after catch-up nothing is missing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from listening import until
from program import run_program_line
from sandbox_process import SandboxProcess
from studio import Studio

from app.journal.journal import Journal

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shared_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with Studio(tmp_path_factory.mktemp("catch-up")) as studio:
        yield studio


@pytest.fixture
def studio(shared_studio: Studio) -> Studio:
    shared_studio.renew()
    return shared_studio


def create(studio: Studio, name: str) -> Path:
    """A task is created; returns the folder that must appear."""
    studio.create_task(name)
    return studio.task_folder(name)


def connected(journal: Journal) -> bool:
    return any(lamp.name == "site" and lamp.state == "ok" for lamp in journal.health())


def made_once(journal: Journal, studio: Studio) -> int:
    """Runs that made the folder of a task of this test; one that finds everything there has no effects.

    A catch-up looks back five minutes, so what earlier tests did on the shared site is seen again and does not count.
    """
    names = '("first", "missed", "before", "after", "missed_0", "missed_1", "missed_2")'
    own = studio.rows(f'select id from Task where parent_id is "{studio.shot["id"]}" and name in {names}')
    ids = {row["id"] for row in own}
    runs = [run for run in journal.runs(handler="create_task_folder") if run.kind == "handler" and run.entity_id in ids]
    assert not [run for run in runs if run.state not in {"done", "skipped", "queued", "running"}]
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
            before = create(studio, "before")
            assert until(before.is_dir), server.errors[-2000:]
            DEATHS[death](studio.site)
            if death != "silent":
                assert until(lambda: not connected(journal))
            missed = [create(studio, f"missed_{number}") for number in range(3)]
            assert until(lambda: not connected(journal))
            assert not any(folder.exists() for folder in missed)
            studio.site.faults(reset=True)
            assert until(lambda: connected(journal))
            after = create(studio, "after")
            for folder in (*missed, after):
                assert until(folder.is_dir), f"{folder} is missing: {server.errors[-2000:]}"
            assert until(lambda: made_once(journal, studio) == 5)
        finally:
            journal.close()
        assert server.stop() == 0


def test_what_happened_while_the_server_was_down_is_caught_up_and_nothing_is_done_twice(studio: Studio) -> None:
    with studio.server() as server:
        journal_folder = Path(server.wait_line()["journal"])
        journal = Journal.open(journal_folder, "read")
        try:
            assert until(lambda: connected(journal))
            first = create(studio, "first")
            assert until(lambda: made_once(journal, studio) == 1), server.errors[-2000:]
            assert first.is_dir()
        finally:
            journal.close()
        assert server.stop() == 0
    missed = create(studio, "missed")
    with studio.server() as server:
        server.wait_line()
        journal = Journal.open(journal_folder, "read")
        try:
            assert until(missed.is_dir), server.errors[-2000:]
            assert until(lambda: made_once(journal, studio) == 2)
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
            created = create(studio, "around_the_restart")
            assert until(created.is_dir), server.errors[-2000:]
        finally:
            journal.close()
        assert server.stop() == 0


def test_a_person_has_what_was_missed_looked_for_from_a_terminal(studio: Studio) -> None:
    def look(*words: str) -> tuple[int, dict[str, Any]]:
        return run_program_line("catch-up", *words, "--json", home=studio.home, extra=studio.environment())

    began = dt.datetime.now().astimezone().isoformat()
    folder = create(studio, "first")
    code, planned = look(began, "--dry-run", "--handler", "create_task_folder")
    assert (code, folder.exists()) == (0, False)
    # Tasks of earlier tests have their folders: about these there is nothing to plan.
    assert {one["state"] for run in planned["runs"] for one in run["effects"]} == {"planned"}
    told = [run["state"] for run in planned["runs"] if any(str(folder) in one["words"] for one in run["effects"])]
    assert told == ["planned"]
    # What was only planned waits for a person; what comes after is looked for and done.
    began = dt.datetime.now().astimezone().isoformat()
    folder = create(studio, "missed")
    code, done = look(began, "--handler", "create_task_folder")
    assert (code, folder.is_dir(), done["unfinished"]) == (0, True, False)
    assert [look["handler"] for look in done["looked"]] == ["create_task_folder"]
    assert {run["state"] for run in done["runs"]} <= {"done", "skipped"}
    code, again = look(began)
    assert (code, again["runs"]) == (0, [])
    code, said = look(began, "--handler", "tidy_up")
    assert (code, "there is no handler 'tidy_up'" in said["refused"]) == (3, True)
