"""A task's output on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from disk import Disk

from app.jobs.task_log import TaskLog


@pytest.fixture
def disk() -> Iterator[Disk]:
    found = Disk()
    yield found
    found.make_room()


def test_a_disk_that_has_room_for_a_part_of_the_output_is_told_of(tmp_path: Path, disk: Disk) -> None:
    with TaskLog(tmp_path / "1.log", 1 << 20) as log:
        disk.fill()
        log.write("x" * 10_000)
    disk.make_room()
    assert "its output could not be kept" in log.problem
    assert 0 < (tmp_path / "1.log").stat().st_size < 10_000
