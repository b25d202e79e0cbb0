"""For every test: Qt without a display, and the helpers of ``tests/support`` importable by name."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from job_room import Jobs
    from manager_compile import StandInCompiler
    from manager_stand_in import ManagerStandIn

# Before anything imports Qt.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_API", "pyside6")

sys.path.insert(0, str(Path(__file__).parent / "support"))


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: looking through it again and again costs time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def manager_compiler() -> Iterator[StandInCompiler]:
    """What stand-ins of the Manager compile with: one of a process, since starting V8 takes longer than most tests."""
    from manager_compile import StandInCompiler

    made = StandInCompiler()
    yield made
    made.close()


@pytest.fixture
def manager(manager_compiler: StandInCompiler) -> Iterator[ManagerStandIn]:
    """A Manager's stand-in of the test's own; it compiles with the program's own compiler."""
    stand_in = manager_compiler.stand_in().start()
    yield stand_in
    stand_in.stop()


@pytest.fixture
def farm_room(manager: ManagerStandIn, tmp_path: Path) -> Iterator[Jobs]:
    """A job room that watches that Manager."""
    from job_room import farm_jobs

    room = farm_jobs(tmp_path / "room", manager.url)
    yield room
    room.close()
