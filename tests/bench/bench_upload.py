"""Upload of 8 clips of 20 s against ffmpeg alone with the same arguments; the dialog's event loop meanwhile.

    python tests/bench/bench_upload.py [--clips 8] [--seconds 20] [--json]

CPU seconds are those of all our processes (dialog, engine's worker, probes, ffmpeg) as the system counts them, the
embedded site's excepted: it stands for a server elsewhere. ffmpeg alone runs with the command lines that ours were
started with. The event loop is a 1 ms timer in the dialog's process, beside the same timer in a bare window.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for each in (ROOT, ROOT / "tests" / "support"):
    sys.path.insert(0, str(each))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop, Qt, QTimer  # noqa: E402
from PySide6.QtWidgets import QMainWindow, QWidget  # noqa: E402
from sandbox_process import SandboxProcess  # noqa: E402

from app.media import ReviewSettings, gather, make_review  # noqa: E402
from app.media import review as review_room  # noqa: E402
from app.media.ffmpeg import ffmpeg_path  # noqa: E402
from app.service.event_server import Installation  # noqa: E402
from ui.app import make_app  # noqa: E402
from ui.upload_app import ArtistStation  # noqa: E402

BEAT_MS = 1
BARE_SECONDS = 5.0


class Beat:
    """A timer that should fire each millisecond: how late it ever was."""

    def __init__(self, parent: QWidget) -> None:
        self.gaps: list[float] = []
        self._last = 0.0
        self._timer = QTimer(parent)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        self._last = time.perf_counter()
        self._timer.start(BEAT_MS)

    def stop(self) -> dict[str, float]:
        self._timer.stop()
        gaps = sorted(self.gaps)
        return {
            "p50_ms": gaps[len(gaps) // 2],
            "p999_ms": gaps[min(len(gaps) - 1, int(len(gaps) * 0.999))],
            "max_ms": gaps[-1],
        }

    def _beat(self) -> None:
        now = time.perf_counter()
        self.gaps.append((now - self._last) * 1000 - BEAT_MS)
        self._last = now


def turn_until(ready: Callable[[], bool], seconds: float) -> None:
    """Let Qt turn. Raises TimeoutError."""
    loop = QEventLoop()
    timer = QTimer()
    timer.timeout.connect(lambda: loop.quit() if ready() else None)
    timer.start(20)
    QTimer.singleShot(int(seconds * 1000), loop, loop.quit)
    loop.exec()
    timer.stop()
    if not ready():
        raise TimeoutError("it did not come to its end in time")


def cpu_of_children() -> float:
    """CPU seconds of every process of ours that has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu_of(pid: int) -> float:
    """CPU seconds of a running process and its ended children (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[place]) for place in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")


def clips(folder: Path, count: int, seconds: float) -> list[Path]:
    """Movies with something to encode in them."""
    folder.mkdir(parents=True)
    first = folder / "clip_01.mov"
    source = f"testsrc2=size=1280x720:rate=24:duration={seconds},noise=alls=8:allf=t"
    command = [str(ffmpeg_path()), "-nostdin", "-y", "-loglevel", "error", "-f", "lavfi", "-i", source,
               "-preset", "ultrafast", "-pix_fmt", "yuv420p", str(first)]  # fmt: skip
    subprocess.run(command, check=True)
    made = [first]
    for number in range(2, count + 1):
        path = folder / f"clip_{number:02d}.mov"
        path.write_bytes(first.read_bytes())
        made.append(path)
    return made


def alone(paths: list[Path], folder: Path) -> float:
    """CPU seconds of ffmpeg with the arguments that the pipeline gives it."""
    recorded: list[list[str]] = []
    real = review_room.run_ffmpeg

    def record(arguments: Any, **options: Any) -> Any:
        recorded.append([str(ffmpeg_path()), "-nostdin", "-hide_banner", "-y", "-loglevel", "error", *arguments])
        return real(arguments, **options)

    review_room.run_ffmpeg = record
    try:
        work = folder / "alone"
        work.mkdir()
        make_review(gather([paths[0]])[0], work, settings=ReviewSettings())
    finally:
        review_room.run_ffmpeg = real
    before = cpu_of_children()
    for _ in paths:
        for command in recorded:
            subprocess.run(command, cwd=work, check=True)
    return cpu_of_children() - before


def ours(paths: list[Path], folder: Path, site: SandboxProcess) -> tuple[float, dict[str, float]]:
    """CPU seconds of everything of ours from the drop to the last clip's end, and the event loop."""
    os.environ.update(FTRACK_SERVER=site.url, FTRACK_API_USER=site.user, FTRACK_API_KEY=site.key)
    installation = Installation.load(journal=folder / "home" / "uploads")
    installation.store.set("slack", "enabled", False)
    task = site.api({"action": "query", "expression": "select id from Task limit 1"})[0]["data"][0]["id"]
    station = ArtistStation(installation)
    station.open(str(task))
    dialog = station.dialog
    assert dialog is not None
    turn_until(lambda: dialog.picker.task() is not None, 30)
    publisher = station._host.hosted
    turn_until(lambda: publisher.service is not None and publisher.service.worker_pid is not None, 30)
    worker = publisher.service.worker_pid
    before = time.process_time() + cpu_of_children() + cpu_of(worker)
    beat = Beat(dialog)
    beat.start()
    dialog.add_files([str(path) for path in paths])
    turn_until(lambda: len(dialog.uploads.ready()) == len(paths), 120)
    dialog.publish()
    turn_until(lambda: all(clip.state in {"done", "failed"} for clip in dialog.uploads.clips.values()), 1500)
    states = [clip.state for clip in dialog.uploads.clips.values()]
    assert set(states) == {"done"}, [clip.words for clip in dialog.uploads.clips.values()]
    used = time.process_time() + cpu_of_children() + cpu_of(worker) - before
    loop = beat.stop()
    stopped: list[bool] = []
    station.stopped.connect(lambda: stopped.append(True))
    station.close()
    turn_until(lambda: bool(stopped), 60)
    return used, loop


def bare() -> dict[str, float]:
    """The same timer in a window that does nothing."""
    window = QMainWindow()
    window.show()
    beat = Beat(window)
    beat.start()
    began = time.monotonic()
    turn_until(lambda: time.monotonic() - began > BARE_SECONDS, BARE_SECONDS + 5)
    return beat.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["SIGNALBOX_HOME"] = str(folder / "home")
        app = make_app()
        paths = clips(folder / "clips", given.clips, given.seconds)
        with SandboxProcess(folder / "site", "studio") as site:
            used, loop = ours(paths, folder, site)
        nothing = bare()
        ffmpeg = alone(paths, folder)
        del app
    found = {
        "clips": given.clips,
        "seconds": given.seconds,
        "ours_cpu": used,
        "ffmpeg_cpu": ffmpeg,
        "ratio": used / ffmpeg,
        "event_loop": loop,
        "bare_window": nothing,
        "met": {
            f"CPU <= 1.15 x ffmpeg ({used / ffmpeg:.2f})": used <= 1.15 * ffmpeg,
            f"event loop p99.9 < 16 ms ({loop['p999_ms']:.1f} ms)": loop["p999_ms"] < 16,
        },
    }
    print(json.dumps(found, indent=None if given.json else 1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
