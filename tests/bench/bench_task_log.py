"""A task that prints a million lines at full speed, followed live: the window beside a bare Qt window.

    python tests/bench/bench_task_log.py [--lines 1000000]

A real local job runs in a job room of its own process; its task is a program that prints as fast as it can. Another
process shows the Jobs dock, which follows the log. In it a precise 5 ms timer tells how long Qt's loop stood still. The
same timer runs at the same time in a window with nothing in it: what the machine itself costs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "bench"), str(ROOT / "tests" / "support")]
STORM = """
import sys
out = sys.stdout
for number in range(int(sys.argv[1])):
    out.write(f"\\x1b[32mframe {number:8d}\\x1b[0m of the shot BC_0042 was written to disk\\n")
"""
QUIET_SECONDS = 2.0
LIMIT_MB = 512.0
HEAD_LINES = 4
"""What the worker writes before the program's own lines."""


class Costs:
    """What the window's thread worked between two ticks of a 5 ms timer, in milliseconds of processor time.

    A stall that is the window's own doing shows here too; one that comes from other programs on the machine does not.
    Python's lock adds about a millisecond: so often the readers' threads let go of it.
    """

    def __init__(self, timer: Any) -> None:
        self._spent: list[float] = []
        self._last = 0.0
        timer.timeout.connect(self._beat)

    def _beat(self) -> None:
        now = time.thread_time()
        if self._last:
            self._spent.append((now - self._last) * 1_000)
        self._last = now

    def p999(self) -> float:
        """The 99.9th percentile."""
        return share(self._spent, 0.999)


def share(values: list[float], part: float) -> float:
    """The value that this part of all values does not exceed; 0 for none."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * part))], 1) if ordered else 0.0


def work(folder: Path, lines: int) -> None:
    """The job room: submits the job on a word, says when it ended."""
    from job_room import Jobs, python, script_of

    # Not confirmed: the job waits for the window.
    jobs = Jobs(folder, confirmed=False, task_log_limit=LIMIT_MB)
    job = jobs.submit(script_of(python(STORM, str(lines)).replace('"-u", ', "")))
    print(json.dumps({"journal": str(jobs.journal.folder), "job": job}), flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    jobs.order("job_confirm", job=job)
    row = jobs.ended(job, 900)
    print(json.dumps({"status": row.status, "seconds": round(time.monotonic() - began, 1)}), flush=True)
    sys.stdin.readline()
    jobs.close()


def window(journal: Path, job: int, lines: int, *, bare: bool) -> None:
    """The Jobs page, or a window with nothing in it, while the job runs."""
    from bench_log import Heart, memory
    from PySide6.QtCore import Qt, QTimer
    from PySide6.QtWidgets import QWidget

    from ui.app import make_app

    app = make_app()
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    panel: Any = None
    if bare:
        shown = QWidget()
    else:
        from ui.panel import Panel

        panel = shown = Panel(journal)
        panel.show_page(2)
        panel.go_to_job(job)
    shown.resize(1_600, 900)
    shown.show()

    def turn_until(done: Any, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not done() and time.monotonic() < until:
            app.processEvents()
            time.sleep(0.0005)

    turn_until(lambda: False, QUIET_SECONDS)
    heart, costs = Heart(timer), Costs(timer)
    before = memory()
    print("ready", flush=True)
    os.set_blocking(sys.stdin.fileno(), False)
    ended: list[str] = []
    most = before

    asked = [0]

    def look() -> bool:
        nonlocal most
        asked[0] += 1
        if asked[0] % 40:
            return False
        most = max(most, memory())
        word = sys.stdin.readline()
        if word:
            ended.append(word)
        return bool(ended)

    turn_until(look, 900)
    if panel is not None:
        dock = panel.jobs
        model = dock.log.model
        turn_until(lambda: model.count() >= lines + HEAD_LINES and model.row(model.count() - 1) is not None, 60)
    found: dict[str, Any] = {"gaps": heart.gaps, "processor_p999": costs.p999()}
    found["memory_mb"] = round((most - before) / (1 << 20), 1)
    if panel is not None:
        found["lines"] = model.count()
        rows = [model.row(place) for place in range(max(0, model.count() - 20), model.count())]
        numbers = re.findall(r"frame +(\d+)", "\n".join(dock.log.view.line(row) for row in rows if row is not None))
        found["last"] = int(numbers[-1]) if numbers else -1
        panel.quit()
    print(json.dumps(found), flush=True)


def measure(lines: int) -> dict[str, dict[str, Any]]:
    """One round: a job room, both windows at once, the job. What the machine does otherwise meets both alike."""
    with tempfile.TemporaryDirectory(prefix="signalbox-bench-") as name:
        home = Path(name) / "home"
        room = Path(name) / "room"
        room.mkdir()
        worker = _start("work", home, "--folder", str(room), "--lines", str(lines))
        said = json.loads(_line(worker))
        options = ("--folder", said["journal"], "--job", str(said["job"]), "--lines", str(lines))
        windows = {role: _start(role, Path(name) / role, *options) for role in ("window", "bare")}
        for shown in windows.values():
            while _line(shown).strip() != "ready":
                pass
        _tell(worker)
        job = json.loads(_line(worker))
        found: dict[str, dict[str, Any]] = {"job": job}
        for role, shown in windows.items():
            _tell(shown)
            found[role] = json.loads(shown.communicate(timeout=300)[0].strip().splitlines()[-1])
        _tell(worker)
        worker.communicate(timeout=60)
        return found


def _start(role: str, home: Path, *more: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "SIGNALBOX_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"}
    return subprocess.Popen(
        [sys.executable, __file__, "--role", role, *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        raise RuntimeError("a child of the measurement ended early")
    return line


def _tell(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


def main() -> int:
    """Measure both and judge; 0 when every aim is met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--role", default="")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--job", type=int, default=0)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=6)
    given = parser.parse_args()
    if given.role == "work":
        work(given.folder, given.lines)
        return 0
    if given.role:
        window(given.folder, given.job, given.lines, bare=given.role == "bare")
        return 0
    rounds = [measure(given.lines) for _ in range(given.rounds)]
    # A task is over in a second or two, some three hundred ticks: one in a thousand takes several such tasks.
    gaps = {role: [gap for found in rounds for gap in found[role].pop("gaps")] for role in ("window", "bare")}
    ours, bare = ({"p999": share(gaps[role], 0.999), "worst": share(gaps[role], 1.0)} for role in ("window", "bare"))
    processor = max(found["window"]["processor_p999"] for found in rounds)
    busy = bare["p999"] >= 16
    met = {
        "the jobs were done": all(found["job"]["status"] == "completed" for found in rounds),
        "every line is there": all(
            found["window"]["lines"] >= given.lines and found["window"]["last"] == given.lines - 1 for found in rounds
        ),
        "p99.9 below 16 ms": ours["p999"] < 16 or (busy and processor < 16),
        "memory below 64 MB": max(found["window"]["memory_mb"] for found in rounds) < 64,
    }
    report = {
        "bench": "task_log",
        "lines": given.lines,
        "ticks": len(gaps["window"]),
        "window": ours,
        "bare": bare,
        "rounds": rounds,
        "met": met,
    }
    if busy:
        report["busy"] = (
            f"a window with nothing in it stood still for {bare['p999']} ms: this machine is busy, "
            "and ours is judged by the processor time it spent"
        )
    print(json.dumps(report, indent=1))
    return 0 if all(met.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
