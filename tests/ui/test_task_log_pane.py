"""The log of a task under somebody's hands, whatever the task writes."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from painted import Painted
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QRegion

from ui.docks.task_log import TaskLogPane
from ui.models.text_file import PAGE


@pytest.fixture
def pane(qtbot: Any, dark: None) -> Iterator[TaskLogPane]:
    made = TaskLogPane()
    qtbot.addWidget(made)
    made.resize(900, 500)
    with qtbot.waitExposed(made):
        made.show()
    yield made
    made.close_file()


@pytest.fixture
def log(pane: TaskLogPane, tmp_path: Path) -> Path:
    """The file of the task that is shown; it is not there yet."""
    path = tmp_path / "1.log"
    pane.show_task(path, "render 1-25", "Nothing yet.")
    return path


def wait_for_rows(qtbot: Any, pane: TaskLogPane, rows: int) -> None:
    """Until so many rows are known and those at the end are here."""
    model = pane.model
    qtbot.waitUntil(lambda: model.count() == rows and model.row(rows - 1) is not None)


def shown(pane: TaskLogPane) -> list[str]:
    """The lines at the end."""
    first = max(0, pane.model.count() - 15)
    rows = (pane.model.row(place) for place in range(first, pane.model.count()))
    return [pane.view.line(row) for row in rows if row is not None]


def colours(pane: TaskLogPane) -> set[str]:
    # The text is in the upper left corner.
    picture = pane.view.grab().toImage()
    return {picture.pixelColor(x, y).name() for x in range(60, 300) for y in range(60)}


def test_colours_are_painted_and_are_no_part_of_the_text(qtbot: Any, pane: TaskLogPane, log: Path) -> None:
    log.write_text("frame 1\nframe 2\n")
    wait_for_rows(qtbot, pane, 2)
    without = colours(pane)
    log.write_text("frame 1\n\x1b[1;31mError\x1b[0m: \x1b[38;2;255;120;0mno plate\x1b[0m\n10%\r50%\r100%\n")
    wait_for_rows(qtbot, pane, 3)
    assert shown(pane) == ["frame 1", "Error: no plate", "100%"]
    assert len(colours(pane)) > len(without) + 10
    qtbot.keyClick(pane.view, Qt.Key.Key_E)
    qtbot.waitUntil(lambda: pane.view.current_id == 2)
    qtbot.keyClicks(pane.search, "NO PLATE")
    qtbot.keyClick(pane.search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: pane.search.property("state") == "" and pane.view.current_id == 2)
    qtbot.keyClick(pane.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: QGuiApplication.clipboard().text() == "Error: no plate")


def test_who_reads_further_up_is_told_how_many_lines_came(qtbot: Any, pane: TaskLogPane, log: Path) -> None:
    log.write_text("".join(f"line {n}\n" for n in range(500)))
    wait_for_rows(qtbot, pane, 500)
    pane.view.verticalScrollBar().setValue(100)
    assert not pane.follow.isChecked()
    with log.open("a") as out:
        out.write("".join(f"line {n}\n" for n in range(500, 1_700)))
    qtbot.waitUntil(lambda: pane.view.new_lamp.text() == "1,200 new")
    assert pane.view.top_row() == 101, "what somebody reads stays where it is"
    qtbot.mouseClick(pane.view.new_lamp, Qt.MouseButton.LeftButton)
    assert pane.follow.isChecked()
    wait_for_rows(qtbot, pane, 1_700)
    assert shown(pane)[-1] == "line 1699"


def test_a_log_that_shrinks_or_is_rotated_goes_on_with_what_is_there(qtbot: Any, pane: TaskLogPane, log: Path) -> None:
    log.write_text("".join(f"first {n}\n" for n in range(300)))
    wait_for_rows(qtbot, pane, 300)
    pane.view.verticalScrollBar().setValue(50)
    log.write_text("second 0\nsecond 1\n")
    wait_for_rows(qtbot, pane, 2)
    assert shown(pane) == ["second 0", "second 1"]
    log.rename(log.with_suffix(".1"))
    log.write_text("third 0\nthird 1\n")
    qtbot.waitUntil(lambda: shown(pane) == ["third 0", "third 1"])
    log.unlink()
    qtbot.waitUntil(lambda: pane.model.count() == 0)


def test_a_line_without_end_and_bytes_of_any_kind_cost_the_window_little(
    qtbot: Any, pane: TaskLogPane, log: Path
) -> None:
    log.write_bytes(bytes(range(256)) * 1_000 + b"\n" + "ä€😀".encode() * 40_000)
    qtbot.waitUntil(lambda: pane.model.count() > 1_000 and bool(shown(pane)))
    with log.open("ab") as out:
        out.truncate(1 << 26)
    qtbot.waitUntil(lambda: pane.model.count() > (1 << 26) // PAGE)
    qtbot.waitUntil(lambda: pane.model.row(pane.model.count() - 1) is not None)
    pane.search.setText("\N{SYMBOL FOR NULL}")
    began = time.thread_time()
    for _ in range(10):
        pane.view.viewport().repaint()
    assert (time.thread_time() - began) / 10 < 0.016, "a frame"


def test_an_unread_log_is_told_apart_from_one_without_errors(qtbot: Any, pane: TaskLogPane, log: Path) -> None:
    said: list[str] = []
    pane.said.connect(said.append)
    pane.open_file()
    assert "is not there yet" in said[-1]
    log.write_text("0 errors\n")
    wait_for_rows(qtbot, pane, 1)
    qtbot.keyClick(pane.view, Qt.Key.Key_E)
    qtbot.waitUntil(lambda: said[-1] == "No line of this log tells of an error.")
    qtbot.keyClicks(pane.search, "not in it")
    qtbot.keyClick(pane.search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: pane.search.property("state") == "error")
    pane.save_copy(log.parent / "gone" / "copy.log")
    qtbot.waitUntil(lambda: "No such file" in said[-1])
    pane.save_copy(log.parent / "copy.log")
    qtbot.waitUntil(lambda: said[-1].startswith("The log was copied"))
    assert (log.parent / "copy.log").read_text() == "0 errors\n"


def test_a_log_that_grows_is_painted_once_a_look_and_nothing_around_it_is(
    qtbot: Any, pane: TaskLogPane, log: Path
) -> None:
    lines = "".join(f"frame {number}\n" for number in range(2_000)).encode()
    loads: list[int] = []
    pane.model.loaded.connect(lambda: loads.append(pane.model.count()))
    frames, count, around = Painted(pane.view.viewport()), Painted(pane.words), Painted(pane)

    def grow(rows: int) -> None:
        for painted in (frames, count, around):
            painted.areas.clear()
        with log.open("ab", buffering=0) as out:
            out.write(lines)
        wait_for_rows(qtbot, pane, rows)
        qtbot.waitUntil(lambda: min(frames.times, count.times) > 0)

    # With the first lines comes a scroll bar, and the line numbers get wider.
    grow(2_000)
    around.areas.clear()
    pane.update()
    qtbot.waitUntil(lambda: around.times > 0)
    loads.clear()
    for rows in (4_000, 6_000, 8_000):
        grow(rows)
        assert (frames.times, count.times, around.areas) == (1, 1, [])
    # One answer to a look has the new rows and those that may have changed.
    assert loads == [4_000, 6_000, 8_000]


def test_a_frame_of_a_flood_is_painted_in_parts_so_that_a_hand_waits_for_one_of_them(
    qtbot: Any, pane: TaskLogPane, log: Path
) -> None:
    painted = Painted(pane.view.viewport())
    whole = pane.view.viewport().rect()
    for rows in (20_000, 40_000):  # the very first lines too: no scroll bar comes with them, for which all is laid out
        painted.areas.clear()
        with log.open("ab", buffering=0) as out:
            out.write("".join(f"frame {number}\n" for number in range(20_000)).encode())
        wait_for_rows(qtbot, pane, rows)
        qtbot.waitUntil(lambda: sum(area.height() for area in painted.areas) >= whole.height())
        assert len(painted.areas) == 3
        assert max(area.height() for area in painted.areas) < whole.height() / 2
        assert QRegion(whole) == functools.reduce(QRegion.united, map(QRegion, painted.areas))
        on_screen = pane.screen().grabWindow(pane.winId()).toImage()
        assert on_screen == pane.grab().toImage(), "as if it had been painted at once"
