"""The dailies transcode's own commands, run by the real FFmpeg: numbered frames become one whole movie."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import av
import imageio_ffmpeg
import pytest

from app.jobs.commands import command_line
from app.jobs.compiler import CompilerPool
from app.jobs.model import CompileRequest

SCRIPT = Path(__file__).parents[3] / "resources" / "job_types" / "dailies_transcode.js"
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


@pytest.mark.parametrize("slate", [False, True])
def test_frames_in_chunks_become_one_movie_with_every_frame(tmp_path: Path, slate: bool) -> None:
    source = ["-f", "lavfi", "-i", "testsrc2=s=160x90:r=24", "-frames:v", "53", "-start_number", "1001"]
    subprocess.run([FFMPEG, "-v", "error", *source, str(tmp_path / "f.%04d.png")], check=True, timeout=60)
    movie = tmp_path / "out.mp4"
    settings = {
        "input": str(tmp_path / "f.%04d.png"), "frames": "1001-1053", "output": str(movie), "chunk_size": 10,
        "width": 160, "height": 90, "slate": slate, "slate_text": "AB_0010|it's 100%: v003, done", "ffmpeg": FFMPEG,
    }  # fmt: skip
    job = {"name": "d", "type": "dailies-transcode", "submitter_platform": "linux", "settings": settings}
    with CompilerPool() as pool:
        result = pool.compile(CompileRequest(scripts={SCRIPT.name: SCRIPT.read_text()}, job=job), timeout=60)
        assert result.ok, result.error
        tasks = pool.pages(result.result_id, 0, 100)
    for task in tasks:
        for command in task["commands"]:
            done = subprocess.run(command_line(command).argv, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, done.stderr[-2000:]
    with av.open(str(movie)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert len(times) == 53 + (24 if slate else 0)
    steps = {round(b - a, 3) for a, b in itertools.pairwise(times)}
    assert steps <= {0.041, 0.042}
    assert (tmp_path / "out.jpg").stat().st_size > 500
