"""The Log dock beside cutelog 2.2 (PyPI, PyQt5): the same lines, the same feeder, the same measurements.

    python tests/bench/bench_log.py [--lines 1000000] [--peer-lines 20000] [--no-peer]

cutelog is installed into a temporary environment of its own and listens on a free port of 127.0.0.1; it gets pickled
records as `logging.handlers.SocketHandler` sends them. Our window follows log.db, which the feeder writes as the event
server does. Both are measured from inside their own process: a precise 5 ms timer tells how long Qt's loop stood still.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time
import venv
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TICK_MS = 5
LIVE_RATE = 20_000
LIVE_SECONDS = 4.0
NEEDLE = "BC_0042"
WORDS = ("made", "planned", "copied", "skipped", "queued", "sent")
LEVELS = (10, 20, 20, 20, 30, 40)


def line(number: int, dice: random.Random) -> tuple[int, str, str]:
    """Level, logger and message of some 93 characters; one line in 400 has the needle."""
    word = WORDS[dice.randrange(len(WORDS))]
    shot = f"BC_{number % 400:04d}"
    text = f"run {number:>8}: create task folder {word} /data/production/bigbuck/shots/{shot}/scene/animation"
    return LEVELS[number % len(LEVELS)], f"signalbox.room{number % 12}", text


class Heart:
    """Gaps between the ticks of a 5 ms timer, in milliseconds."""

    def __init__(self, timer: Any) -> None:
        self.gaps: list[float] = []
        self._last = 0.0
        timer.timeout.connect(self._beat)
        timer.start(TICK_MS)

    def _beat(self) -> None:
        now = time.perf_counter()
        if self._last:
            self.gaps.append((now - self._last) * 1_000)
        self._last = now

    def take(self) -> dict[str, float]:
        """What was measured since the last take."""
        gaps, self.gaps = sorted(self.gaps), []
        if not gaps:
            return {"p999": 0.0, "worst": 0.0}
        return {"p999": round(gaps[min(len(gaps) - 1, int(len(gaps) * 0.999))], 1), "worst": round(gaps[-1], 1)}


def memory() -> int:
    """Resident bytes of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


# -- our side ----------------------------------------------------------------------------------------------------------


def feed_ours(folder: Path, lines: int) -> None:
    """Write lines into log.db as fast as they go, then live; each after a word on stdin."""
    sys.path.insert(0, str(ROOT))
    from app.journal.log import LogStore
    from app.journal.rows import LogRow

    store, dice, made = LogStore.open(folder), random.Random(1), 0

    def batch(number: int) -> None:
        nonlocal made
        rows = []
        for _ in range(number):
            level, logger, text = line(made, dice)
            rows.append(LogRow(0, time.time(), level, logger, text))
            made += 1
        store.append(rows)

    _feed(batch, lines)
    store.close()


def feed_peer(port: int, lines: int) -> None:
    """Send the same lines to cutelog."""
    dice, made = random.Random(1), 0
    with socket.create_connection(("127.0.0.1", port)) as connection:

        def batch(number: int) -> None:
            nonlocal made
            blob = bytearray()
            for _ in range(number):
                level, logger, text = line(made, dice)
                record = {
                    "name": logger,
                    "msg": text,
                    "args": None,
                    "levelno": level,
                    "levelname": {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR"}[level],
                    "created": time.time(),
                    "msecs": 0.0,
                }
                data = pickle.dumps(record, 1)
                blob += struct.pack(">L", len(data)) + data
                made += 1
            connection.sendall(blob)

        _feed(batch, lines)


def _feed(batch: Any, lines: int) -> None:
    print("ready", flush=True)
    sys.stdin.readline()
    left = lines
    while left:
        batch(min(2_000, left))
        left -= min(2_000, left)
    sys.stdin.readline()
    began, sent = time.monotonic(), 0
    while (gone := time.monotonic() - began) < LIVE_SECONDS:
        due = int(gone * LIVE_RATE) - sent
        if due:
            batch(due)
            sent += due
        time.sleep(0.01)
    print(json.dumps({"live": sent}), flush=True)
    sys.stdin.readline()


def window_ours(folder: Path, lines: int) -> None:
    """The Log dock's list on log.db."""
    sys.path.insert(0, str(ROOT))
    from PySide6.QtCore import QEventLoop, Qt, QTimer

    from ui.app import make_app
    from ui.docks.log import COLUMNS
    from ui.docks.rows_view import RowsView
    from ui.models.paged import PagedRows
    from ui.models.reader import Reader
    from ui.models.sources import LogSource

    app = make_app()
    from app.journal.log import LogStore
    from app.journal.rows import LogFilter

    reader: Reader[LogStore] = Reader("log", lambda: LogStore.open(folder, read_only=True))
    model = PagedRows(reader, LogSource(LogFilter()), "log")
    view = RowsView(model, COLUMNS, "log")
    view.resize(1_400, 900)
    view.show()
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)

    def search(wanted: LogFilter) -> tuple[float, float]:
        # As the program turns: a loop of processEvents() would take a core from those who search.
        loop, first = QEventLoop(), [0.0]

        def hits() -> None:
            first[0] = first[0] or (time.perf_counter() if model.count() else 0.0)

        def share(searched: float) -> None:
            if searched >= 1:
                loop.quit()

        began = time.perf_counter()
        model.changed.connect(hits)
        model.searched.connect(share)
        model.set_source(LogSource(wanted))
        loop.exec()
        done = time.perf_counter()
        model.changed.disconnect(hits)
        model.searched.disconnect(share)
        return (first[0] - began) * 1_000, (done - began) * 1_000

    text, pattern = LogFilter(text=NEEDLE), LogFilter(text=rf"{NEEDLE}/\w+/anim", regex=True)
    searches = {"": partial(search, text), "pattern_": partial(search, pattern)}
    _measure(app.processEvents, Heart(timer), model.count, searches, lines)
    reader.close()
    view.deleteLater()


def window_peer(port: int, lines: int) -> None:
    """cutelog's own window, in its own process and environment."""
    import logging

    import cutelog.resources  # noqa: F401 - registers its .ui files with Qt
    from cutelog.config import CONFIG
    from cutelog.main_window import MainWindow
    from qtpy.QtCore import Qt, QTimer
    from qtpy.QtWidgets import QApplication

    app = QApplication([])
    CONFIG.set_overrides({"listen_host": "127.0.0.1", "listen_port": port})
    window = MainWindow(logging.getLogger("peer"), app)
    window.resize(1_400, 900)
    window.show()
    timer = QTimer()
    timer.setTimerType(Qt.PreciseTimer)

    def tab() -> Any:
        return window.loggerTabWidget.widget(0)

    def count() -> int:
        return tab().record_model.rowCount() if tab() is not None else 0

    def search() -> tuple[float, float]:
        tab().searchLine.setText(NEEDLE)
        began = time.perf_counter()
        tab().filter_or_clear()
        app.processEvents()
        gone = (time.perf_counter() - began) * 1_000
        return gone, gone

    _measure(app.processEvents, Heart(timer), count, {"": search}, lines)
    sys.stdout.flush()
    os._exit(0)


def _measure(turn: Any, heart: Heart, count: Any, searches: dict[str, Any], lines: int) -> None:
    """Bulk, live, search; a word on stdout between them, so that the feeder goes on."""

    def turn_for(seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            turn()
            time.sleep(0.0005)

    turn_for(1.0)
    heart.take()
    before = memory()
    print("ready", flush=True)
    began = time.monotonic()
    while count() < lines and time.monotonic() - began < 900:
        turn()
        time.sleep(0.0005)
    bulk = lines / (time.monotonic() - began)
    found: dict[str, Any] = {"bulk_lines_per_s": round(bulk), "bulk": heart.take()}
    found["bytes_a_line"] = round((memory() - before) / lines)
    print("live", flush=True)
    held = count()
    turn_for(LIVE_SECONDS)
    found["live_got_per_s"] = round((count() - held) / LIVE_SECONDS)
    found["live"] = heart.take()
    # What is still on its way shall not be counted against the search.
    turn_for(1.0)
    heart.take()
    for name, search in searches.items():
        found[f"{name}first_hit_ms"], found[f"{name}filter_ms"] = (round(value, 1) for value in search())
        turn_for(0.1)
        found[f"{name}search"] = heart.take()
    found["bytes_a_line"] = max(found["bytes_a_line"], round((memory() - before) / lines))
    print(json.dumps(found), flush=True)


# -- running -----------------------------------------------------------------------------------------------------------


def _start(python: str, *more: str, home: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "SIGNALBOX_HOME": str(home), "HOME": str(home), "QT_QPA_PLATFORM": "offscreen"}
    environment.pop("QT_API", None)
    home.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [python, __file__, *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )


def _hear(child: subprocess.Popen[str], word: str) -> None:
    assert child.stdout is not None
    while said := child.stdout.readline():
        if said.strip() == word:
            return
    raise RuntimeError(f"a child of the measurement ended before it said {word!r}")


def _tell(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


def run(window: subprocess.Popen[str], feeder: subprocess.Popen[str]) -> dict[str, Any]:
    """Lead a window and its feeder through the measurement."""
    _hear(feeder, "ready")
    _tell(feeder)
    _hear(window, "live")
    _tell(feeder)
    found, _ = window.communicate(timeout=900)
    _tell(feeder)
    feeder.communicate(timeout=60)
    result: dict[str, Any] = json.loads(found.strip().splitlines()[-1])
    return result


def measure_ours(lines: int) -> dict[str, Any]:
    """Our window with so many lines."""
    with tempfile.TemporaryDirectory(prefix="signalbox-bench-") as name:
        folder = Path(name) / "journal"
        options = ("--folder", str(folder), "--lines", str(lines))
        feeder = _start(sys.executable, "--role", "feed-ours", *options, home=Path(name))
        _hear(feeder, "ready")
        window = _start(sys.executable, "--role", "ours", *options, home=Path(name) / "home")
        _hear(window, "ready")
        _tell(feeder)
        _hear(window, "live")
        _tell(feeder)
        found, _ = window.communicate(timeout=900)
        _tell(feeder)
        feeder.communicate(timeout=60)
    result: dict[str, Any] = json.loads(found.strip().splitlines()[-1])
    return result


def measure_peer(lines: int) -> dict[str, Any]:
    """cutelog with so many lines, in an environment made for it."""
    with tempfile.TemporaryDirectory(prefix="signalbox-cutelog-") as name:
        venv.create(name, with_pip=True)
        python = str(Path(name) / "bin" / "python")
        packages = ["cutelog==2.2.0", "PyQt5", "setuptools<81"]
        subprocess.run([python, "-m", "pip", "install", "-qq", *packages], check=True, timeout=600)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = ("--port", str(port), "--lines", str(lines))
        window = _start(python, "--role", "peer", *options, home=Path(name) / "home")
        _hear(window, "ready")
        feeder = _start(sys.executable, "--role", "feed-peer", *options, home=Path(name) / "home")
        return run(window, feeder)


def main() -> int:
    """Measure both and judge; 0 when every aim is met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--role", default="")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--peer-lines", type=int, default=20_000)
    parser.add_argument("--no-peer", action="store_true")
    given = parser.parse_args()
    roles = {
        "feed-ours": lambda: feed_ours(given.folder, given.lines),
        "feed-peer": lambda: feed_peer(given.port, given.lines),
        "ours": lambda: window_ours(given.folder, given.lines),
        "peer": lambda: window_peer(given.port, given.lines),
    }
    if given.role:
        roles[given.role]()
        return 0
    ours = measure_ours(given.lines)
    report: dict[str, Any] = {"bench": "log", "lines": given.lines, "ours": ours}
    met = {
        "20,000 lines a second live": ours["live_got_per_s"] >= 0.95 * LIVE_RATE,
        "live p99.9 below 16 ms": ours["live"]["p999"] < 16,
        "first hits below 50 ms": ours["first_hit_ms"] < 50,
        "text filter below 300 ms": ours["filter_ms"] < 300,
        "memory below 200 bytes a line": ours["bytes_a_line"] < 200,
    }
    if not given.no_peer:
        same = measure_ours(given.peer_lines)
        peer = measure_peer(given.peer_lines)
        report |= {"peer_lines": given.peer_lines, "ours_same": same, "cutelog": peer}
        met["ingest at least as fast as cutelog"] = same["bulk_lines_per_s"] >= peer["bulk_lines_per_s"]
        met["worst stall no longer than cutelog's"] = same["bulk"]["worst"] <= peer["bulk"]["worst"]
        met["text filter no slower than cutelog's"] = same["filter_ms"] <= peer["filter_ms"]
    report["met"] = met
    print(json.dumps(report, indent=1))
    return 0 if all(met.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
