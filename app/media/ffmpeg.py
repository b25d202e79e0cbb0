"""Find ffmpeg and run it: argument lists, progress, cancel, "no progress" time-out, a plain reason when it fails."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from app.media.model import MediaRefused, Progress
from app.process import Outcome, ProgramFailed, ProgramMissing, run_program

_FRAME = re.compile(r"^frame=\s*(\d+)")


def ffmpeg_path() -> Path:
    """The ffmpeg on PATH, else the one of the bundled package.

    Raises ProgramMissing with the remedy when there is neither.
    """
    found = shutil.which("ffmpeg")
    if found:
        return Path(found)
    try:
        import imageio_ffmpeg

        return Path(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise ProgramMissing(
            "ffmpeg is not installed: install the package ffmpeg, or pip install imageio-ffmpeg"
        ) from error


def run_ffmpeg(
    arguments: Sequence[str],
    *,
    folder: Path,
    frames: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
    cancel: threading.Event | None = None,
    silence_seconds: float | None = 120.0,
) -> Outcome:
    """Run ffmpeg in ``folder`` (arguments may name files relative to it, which spares every escaping of filters).

    Args:
        arguments: All arguments after the program's own.
        folder: Working folder, a temporary one.
        frames: Expected frames, for progress.
        on_progress: Called a few times a second from the calling thread.
        cancel: Ends ffmpeg when set.
        silence_seconds: "No progress" time-out.

    Raises:
        MediaRefused: ffmpeg failed; the text gives its own last words. Cancelled, NoProgress, ProgramMissing.
    """
    started = time.monotonic()

    def watch(text: str) -> None:
        for match in filter(None, map(_FRAME.match, text.split("\n"))):
            if on_progress is not None:
                frame = int(match[1])
                on_progress(Progress(frame, frames, frame / max(1e-6, time.monotonic() - started)))

    own = ["-nostdin", "-hide_banner", "-y", "-loglevel", "warning", "-progress", "pipe:1", "-stats_period", "0.2"]
    argv = [str(ffmpeg_path()), *own, *arguments]
    try:
        return run_program(argv, cwd=folder, on_text=watch, cancel=cancel, silence_seconds=silence_seconds)
    except ProgramFailed as failed:
        raise MediaRefused(f"ffmpeg could not convert it: {last_words(failed.outcome)}") from failed


def last_words(outcome: Outcome) -> str:
    """The most telling line of ffmpeg's output: its last one that is not progress."""
    lines = [line.strip() for line in outcome.tail if line.strip() and not re.match(r"^[a-z_0-9]+=", line.strip())]
    telling = [
        line for line in lines if re.search(r"error|invalid|no space|denied|not found|unknown", line, re.IGNORECASE)
    ]
    return (telling or lines or [f"code {outcome.code}"])[-1]
