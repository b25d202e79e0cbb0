"""A room a test; one embedded site for all tests of a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from engine_room import Room
from production import Production, workspace
from sandbox_process import SandboxProcess


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.close()


@pytest.fixture
def room_with(tmp_path: Path) -> Iterator[Callable[[Callable[[], Any]], Room]]:
    """A room whose site is the test's own."""
    with ExitStack() as stack:

        def make(site: Callable[[], Any]) -> Room:
            return stack.enter_context(closing(Room(tmp_path, site=site)))

        yield make


@pytest.fixture(scope="session")
def engine_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("engine-site")) as site:
        yield site


@pytest.fixture
def show(engine_site: SandboxProcess, tmp_path: Path) -> Iterator[Production]:
    """A production with one empty project of the studio's workflow."""
    with workspace() as slack:
        production = Production(engine_site.url, engine_site.user, engine_site.key, tmp_path, slack)
        yield production
        production.site.close()


@pytest.fixture
def studio(show: Production, tmp_path: Path) -> Iterator[Room]:
    """A room whose doors lead to the embedded site and its Slack."""
    folder = tmp_path / "room"
    folder.mkdir()
    made = Room(folder, site=show.open_site, slack=show.slack)
    made.store.set("slack", "rate", 100.0)
    yield made
    made.close()
