"""A real job by the real program: 250 frames become a movie in chunks; stopped anywhere and started again, the same."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from program import Program

from app.journal.crash import CRASHED
from app.journal.journal import Journal
from app.media import Source, probe
from app.media.ffmpeg import ffmpeg_path

FRAMES = 250
POINTS = [
    "job_compiled",
    "job_stored",
    "task_claimed:2",
    "task_started:3",
    "task_program:4",
    "task_done:6",
    # Not the seventh: it is the last, and whoever waited for the job may have gone before that point is passed.
    "task_ended:6",
]

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """250 numbered frames, each different."""
    folder = tmp_path_factory.mktemp("frames")
    source = f"testsrc=size=96x54:rate=24:duration={FRAMES / 24 + 1}"
    subprocess.run(
        [ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", source, "-frames:v", str(FRAMES), "-start_number", "1001",
         folder / "shot.%04d.png"],
        check=True, timeout=60,
    )  # fmt: skip
    assert len(list(folder.glob("shot.*.png"))) == FRAMES
    return folder


def submit(home: Path, frames: Path, **extra: str) -> Program:
    settings = {
        "input": str(frames / "shot.%04d.png"),
        "frames": f"1001-{1000 + FRAMES}",
        "output": str(home / "shot.mp4"),
        "chunk_size": 50,
        "width": 96,
        "height": 54,
    }
    pairs = [word for key, value in settings.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    words = ["submit", "dailies-transcode", *pairs, "--name", "shot", "--dedupe", "shot/v001", "--wait", "--json"]
    return Program(*words, home=home, extra=extra)


def finish(program: Program) -> dict[str, Any]:
    with program:
        code = program.process.wait(100)
        assert code == 0, program.errors[-3000:]
        return json.loads(program.out[0])


def tasks_of(home: Path, job: int) -> dict[str, Any]:
    with Program("jobs", "--tasks", str(job), "--json", home=home) as program:
        assert program.process.wait(60) == 0
        return program.wait_line()


def check_movie(home: Path) -> None:
    facts = probe(Source("file", home / "shot.mp4"))
    assert (facts.frames, facts.rate, facts.width, facts.height) == (FRAMES, 24, 96, 54)
    assert (home / "shot.jpg").stat().st_size > 0


@pytest.mark.timeout(240)
def test_a_sequence_becomes_a_movie_in_chunks(frames: Path, tmp_path: Path) -> None:
    job = finish(submit(tmp_path, frames))
    assert (job["status"], job["tasks"], job["completed"]) == ("completed", 7, 7)
    tasks = tasks_of(tmp_path, job["job"])["task_list"]
    encode, join, thumbnail = tasks[:5], tasks[5], tasks[6]
    assert encode[0]["name"] == "encode 1001-1050"
    assert join["dependencies"] == [1, 2, 3, 4, 5]
    assert thumbnail["dependencies"] == [6]
    assert join["started"] >= max(task["finished"] for task in encode)
    assert "going to run" in Path(encode[0]["log"]).read_text()
    check_movie(tmp_path)


def test_no_crash_point_of_jobs_is_left_out() -> None:
    """Tried here, but for the one within a copy: that is `test_made_files`."""
    app = Path(__file__).parents[2] / "app"
    files = [*(app / "jobs").glob("*.py"), app / "service" / "jobs.py"]
    passed = {name for file in files for name in re.findall(r"[^.]crash_point\(\"(\w+)\"", file.read_text())}
    assert passed == {point.partition(":")[0] for point in POINTS} | {"file_made"}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", POINTS)
def test_stopped_at_any_point_and_started_again_it_ends_the_same(point: str, frames: Path, tmp_path: Path) -> None:
    with submit(tmp_path, frames, SIGNALBOX_CRASH_AT=point) as stopped:
        assert stopped.process.wait(100) == CRASHED, stopped.errors[-3000:]
    job = finish(submit(tmp_path, frames))
    assert (job["job"], job["status"], job["completed"]) == (1, "completed", 7)
    journal = Journal.open(tmp_path / "journal", "read")
    try:
        assert {task.status for task in journal.job_tasks(1)} == {"completed"}
    finally:
        journal.close()
    check_movie(tmp_path)
