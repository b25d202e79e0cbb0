"""A task that copies and moves files is stopped in the middle and starts over: it takes up where it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from app.jobs.made_files import MadeFiles
from app.jobs.task_runs import TaskFiles, carry_out
from app.jobs.worker_commands import CommandFailed, Machine
from app.journal.crash import CRASHED
from app.process import Cancelled

#: The task in a process of its own: COMMANDS as JSON, the log's path, the largest file it may write (0: any).
TASK = """
import json, resource, sys
from pathlib import Path
from test_made_files import carried_out
if int(sys.argv[3]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
carried_out(json.loads(sys.argv[1]), Path(sys.argv[2]))
"""


def carried_out(commands: list[dict[str, Any]], log: Path, cancel: threading.Event | None = None) -> str:
    """Carry the task out here; what its log says."""
    machine = Machine(find_ffmpeg=lambda: Path("ffmpeg"), made=MadeFiles(log.with_suffix(".made")))
    carry_out(commands, TaskFiles(log, 1 << 20), machine, cancel or threading.Event(), lambda *_: None)
    return log.read_text()


def elsewhere(commands: list[dict[str, Any]], log: Path, crash: str = "", largest: int = 0) -> tuple[int, str]:
    """Carry the task out in another process, which ends at a crash point; its exit code and what it complained of."""
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[3])])
    done = subprocess.run(
        [sys.executable, "-c", TASK, json.dumps(commands), str(log), str(largest)],
        env={**os.environ, "PYTHONPATH": path, "SIGNALBOX_CRASH_AT": crash},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def command(name: str, src: Path, dest: Path) -> dict[str, Any]:
    return {"name": name, "parameters": {"src": str(src), "dest": str(dest)}, "total_step_count": 0}


@pytest.fixture
def copies(tmp_path: Path) -> list[dict[str, Any]]:
    """Three plates to publish."""
    for number in range(3):
        (tmp_path / f"plate.{number}").write_text(f"plate {number}")
    return [command("copy-file", tmp_path / f"plate.{n}", tmp_path / "out" / f"plate.{n}") for n in range(3)]


def published(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((folder / "out").iterdir())}


@pytest.mark.parametrize("passes", [1, 2, 3])
def test_copies_that_a_crash_cut_short_are_finished_by_the_next_attempt(
    passes: int, copies: list[dict[str, Any]], tmp_path: Path
) -> None:
    log = tmp_path / "1.log"
    assert elsewhere(copies, log, f"file_made:{passes}")[0] == CRASHED
    said = carried_out(copies, log)
    assert said.count("was copied before this attempt") == passes
    assert published(tmp_path) == {f"plate.{n}": f"plate {n}" for n in range(3)}, "each once, and nothing half made"


def test_a_folder_that_was_moved_before_the_crash_is_not_missed(tmp_path: Path) -> None:
    (tmp_path / "renders").mkdir()
    (tmp_path / "renders" / "f.exr").write_text("frame")
    (tmp_path / "final").mkdir()
    move = [command("move-directory", tmp_path / "renders", tmp_path / "final")]
    log = tmp_path / "1.log"
    assert elsewhere(move, log, "file_made:2")[0] == CRASHED, "at the second rename: the first puts the old one aside"
    assert "was moved here before this attempt" in carried_out(move, log)
    assert (tmp_path / "final" / "f.exr").read_text() == "frame"
    assert len(list(tmp_path.glob("final-*"))) == 1, "the old one was put aside once"


def test_somebody_elses_file_and_a_changed_source_are_refused_as_the_worker_does(
    copies: list[dict[str, Any]], tmp_path: Path
) -> None:
    log = tmp_path / "1.log"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "plate.1").write_text("by hand")
    with pytest.raises(CommandFailed, match="path already exists"):
        carried_out(copies, log)
    (tmp_path / "out" / "plate.1").unlink()
    assert "was copied before this attempt" in carried_out(copies, log), "the first plate was"
    (tmp_path / "plate.2").write_text("a newer plate")
    with pytest.raises(CommandFailed, match="path already exists"):
        carried_out(copies, log)
    assert published(tmp_path)["plate.2"] == "plate 2"


def test_a_cancelled_copy_leaves_nothing(copies: list[dict[str, Any]], tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        carried_out(copies, tmp_path / "1.log", cancel)
    assert published(tmp_path) == {}


def test_a_full_disk_fails_the_copy_and_leaves_no_half_of_it(tmp_path: Path) -> None:
    (tmp_path / "plate").write_bytes(b"x" * (3 << 20))
    copy = [command("copy-file", tmp_path / "plate", tmp_path / "out" / "plate")]
    code, errors = elsewhere(copy, tmp_path / "1.log", largest=1 << 20)
    assert code != 0
    assert f"CommandFailed: open {tmp_path / 'out' / 'plate'}: file too large" in errors
    assert list((tmp_path / "out").iterdir()) == []
    carried_out(copy, tmp_path / "1.log")
    assert (tmp_path / "out" / "plate").stat().st_size == 3 << 20, "with room again the next attempt makes it"
