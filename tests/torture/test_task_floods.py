"""A task that writes a gigabyte, of whatever kind: bounded log, bounded memory, and the task ends as it should."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from job_room import Jobs, python, script_of
from memory import Memory

GIGABYTE = 1 << 30
#: What is written, 64 KB at a time.
FLOODS = {
    "lines": "b'0123456789abcdef' * 4095 + b'0123456789abcde\\n'",
    "no line ends": "b'x' * 65536",
    "binary": "os.urandom(65536)",
    "invalid UTF-8": "b'\\xff\\xfe\\xc3(' * 16384",
    "carriage returns": "b'frame 1 of 250\\r\\r' * 4096",
}


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    room = Jobs(tmp_path, task_log_limit=16.0)
    yield room
    room.close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", FLOODS)
def test_a_gigabyte_of_output_costs_a_bounded_log_and_bounded_memory(kind: str, jobs: Jobs) -> None:
    code = (
        f"import os\nfor n in range({GIGABYTE // 65536}):\n data = {FLOODS[kind]}\n"
        " while data: data = data[os.write(1, data):]"
    )
    with Memory() as memory:
        job = jobs.submit(script_of(python(code), "[['echo', {message: 'after the flood'}]]"))
        assert jobs.ended(job, 800).status == "completed"
    log = jobs.journal.task_log_path(job, 1)
    # The end of what was left out may be of characters that take three bytes each.
    assert log.stat().st_size < (16 << 20) + 50_000
    assert log.read_bytes().count(b"--- the log is full at 16 MB: ") == 1
    assert 'echo: "after the flood"' in jobs.log(job, 2)
    assert memory.most < 96
    grown = jobs.journal.folder / "journal.db"
    assert grown.stat().st_size < 8 << 20, "output is not kept in the journal"


@pytest.mark.timeout(120)
def test_a_flood_that_never_ends_is_cancelled_at_once(jobs: Jobs) -> None:
    job = jobs.submit(script_of("[['exec', {exe: '/usr/bin/yes', args: []}]]"))
    jobs.wait(lambda: jobs.log(job).endswith(", but for its end ---\n"))
    jobs.order("job_cancel", job=job)
    assert jobs.ended(job, 10).status == "canceled"
