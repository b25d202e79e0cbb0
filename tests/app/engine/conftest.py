"""A room a test, on disk alone or on the site that tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from engine_room import Room
from production import Production


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


@pytest.fixture
def studio(show: Production, tmp_path: Path) -> Iterator[Room]:
    """A room whose doors lead to the embedded site and its Slack."""
    folder = tmp_path / "room"
    folder.mkdir()
    made = Room(folder, site=show.open_site, slack=show.slack)
    made.store.set("slack", "rate", 100.0)
    yield made
    made.close()
