"""The demo's window on a real X display: what a person sees is photographed while events arrive."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from listening import until
from program import Program, program_environment
from PySide6.QtGui import QImage

from app.journal.journal import Journal
from app.journal.rows import JournalError

GRAB = """
import sys
from PySide6.QtGui import QGuiApplication
app = QGuiApplication([])
picture = app.primaryScreen().grabWindow(0)
sys.exit(0 if picture.save(sys.argv[1]) else 1)
"""


def photograph(display: str, home: Path, path: Path) -> QImage:
    environment = program_environment(home, DISPLAY=display, QT_QPA_PLATFORM="xcb")
    subprocess.run([sys.executable, "-c", GRAB, str(path)], env=environment, check=True, timeout=60)
    return QImage(str(path))


def events_in(folder: Path) -> int:
    """Events in a journal that may not be there yet."""
    if not (folder / "journal.db").exists():
        return 0
    try:
        journal = Journal.open(folder, "read")
    except JournalError:
        return 0
    try:
        return journal.count_events()
    finally:
        journal.close()


def wait_for_events(folder: Path, number: int, program: Program) -> None:
    assert until(lambda: events_in(folder) >= number or program.process.poll() is not None, 90)
    assert program.process.poll() is None, "".join(program.err)


def colours(picture: QImage) -> set[str]:
    points = [(x, y) for x in range(0, picture.width(), 3) for y in range(0, picture.height(), 3)]
    return {picture.pixelColor(x, y).name() for x, y in points}


def differing(first: QImage, second: QImage) -> int:
    points = [(x, y) for x in range(0, first.width(), 4) for y in range(0, first.height(), 4)]
    return sum(first.pixel(x, y) != second.pixel(x, y) for x, y in points)


@pytest.mark.e2e
@pytest.mark.slow
def test_a_picture_of_the_demos_window_shows_events_and_a_later_one_shows_more(tmp_path: Path, display: str) -> None:
    kept = tmp_path / "demo"
    journal = kept / "home" / "journal"
    arguments = ("demo", "--seconds", "280", "--seed", "3", "--keep", str(kept))
    extra = {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
    with Program(*arguments, home=tmp_path / "window", extra=extra) as program:
        wait_for_events(journal, 8, program)
        early = photograph(display, tmp_path / "camera", tmp_path / "early.png")
        wait_for_events(journal, events_in(journal) + 12, program)
        late = photograph(display, tmp_path / "camera", tmp_path / "late.png")
        program.process.terminate()
        assert program.process.wait(60) == 0, "".join(program.err)
    assert (early.width(), early.height()) == (1600, 900)
    # Grounds, texts, lamps and levers: a black screen has one colour, an empty window a handful.
    assert len(colours(late)) > 60
    assert "#171b21" in colours(late), "the dark theme's floor"
    assert differing(early, late) > 200, "nothing moved although events came"
    assert "Traceback" not in "".join(program.err)
    assert not (tmp_path / "window" / "state" / "crash.log").exists()
