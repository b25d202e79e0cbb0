"""The Log dock: levels, text, regular expressions, saved filters, and any plain log file followed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMessageBox

from app.journal.rows import LogFilter
from ui.docks.export import export_rows
from ui.docks.rows_view import RowsView
from ui.models.text_file import PAGE
from ui.panel import Panel
from ui.sample_day import Day


@pytest.fixture
def panel(show_panel: Callable[..., Panel], day: Day, qtbot: Any) -> Panel:
    made = show_panel(day.folder)
    made._dock["log"].raise_()
    qtbot.waitUntil(lambda: made.log.model.count() > 50)
    return made


def test_only_errors_are_listed_by_level(panel: Panel, qtbot: Any) -> None:
    everything = panel.log.model.count()
    panel.log.level.setCurrentIndex(4)
    assert panel.log.filter() == LogFilter(level=40)
    qtbot.waitUntil(lambda: 0 < panel.log.model.count() < everything)


def test_a_broken_pattern_is_marked_and_the_last_filter_stays(panel: Panel, qtbot: Any) -> None:
    bar = panel.log.bar
    bar.regex.setChecked(True)
    qtbot.keyClicks(bar.search, "folder.*(")
    assert bar.search.property("state") == "error"
    assert "Not a regular expression" in bar.search.toolTip()
    qtbot.keyClicks(bar.search, "failed|done)")
    assert bar.search.property("state") == ""


def test_a_filter_is_kept_for_another_day(panel: Panel, show_panel: Callable[..., Panel], day: Day) -> None:
    panel.log.show_only(text="Slack", level=30)
    panel.log.bar.keep("Slack trouble")
    again = show_panel(day.folder)
    saved = again.log.bar._saved()
    assert set(saved) == {"Slack trouble"}
    again.log.bar.set_values(saved["Slack trouble"])
    assert again.log.filter() == LogFilter(text="Slack", level=30)
    again.log.bar.forget("Slack trouble")
    assert again.log.bar._saved() == {}


def test_a_line_leads_to_its_event(panel: Panel, day: Day, qtbot: Any) -> None:
    panel.log.show_only(text="BB_0070 matchmove", level=30)
    qtbot.waitUntil(lambda: panel.log.model.count() >= 1)
    panel.log.view.activated.emit(panel.log.model.id_at(0))
    qtbot.waitUntil(lambda: panel.events.view.current_id == day.missing_folder[0])


def followed(panel: Panel, path: Path, qtbot: Any, rows: int) -> RowsView:
    """The view of a file that the Log dock follows, when so many rows of it are known."""
    panel.log.follow_file(path)
    view = panel.log.current_view()
    qtbot.waitUntil(lambda: view.model.count() == rows)
    return view


def texts(view: RowsView, qtbot: Any) -> list[str]:
    """What the rows at the end say, when they are here."""
    model = view.model
    first, last = max(0, model.count() - 20), model.count() - 1
    qtbot.waitUntil(lambda: all(model.row(n) is not None for n in range(first, last + 1)))
    return [row.cells[0] for n in range(first, last + 1) if (row := model.row(n)) is not None]


def test_a_plain_log_file_is_followed_through_growth_and_rotation(panel: Panel, tmp_path: Path, qtbot: Any) -> None:
    path = tmp_path / "ftrack_event_server.log"
    path.write_text("".join(f"2026-11-22 10:00:{n % 60:02d} INFO line {n}\n" for n in range(2_000)))
    view = followed(panel, path, qtbot, 2_000)
    with path.open("a") as stream:
        stream.write("2026-11-22 11:00:00 ERROR the drive went away\nhalf a li")
    qtbot.waitUntil(lambda: view.model.count() == 2_002)
    assert texts(view, qtbot)[-2:] == ["2026-11-22 11:00:00 ERROR the drive went away", "half a li"]
    row = view.model.row(2_000)
    assert row is not None
    assert row.tone == "error"

    panel.log.bar.search.setText("drive")
    qtbot.waitUntil(lambda: view.model.count() == 1)
    with path.open("a") as stream:
        stream.write("ne on the way to the drive\n")
    qtbot.waitUntil(lambda: view.model.count() == 2)
    assert texts(view, qtbot)[-1] == "half a line on the way to the drive"
    path.rename(tmp_path / "ftrack_event_server.log.1")
    path.write_text("".join(f"2026-11-23 00:00:{n % 60:02d} INFO another drive {n}\n" for n in range(2_500)))
    qtbot.waitUntil(lambda: view.model.count() == 2_500)
    assert texts(view, qtbot)[-1].endswith("another drive 2499")

    panel.log.bar.clear()
    qtbot.waitUntil(lambda: view.model.count() == 2_500)
    assert texts(view, qtbot)[-1].endswith("another drive 2499")
    # Cut short in its place and as long again, as logrotate does with copytruncate.
    path.write_text("".join(f"2026-11-24 00:00:{n % 60:02d} INFO a third day {n}\n" for n in range(2_500)))
    qtbot.waitUntil(lambda: texts(view, qtbot)[-1].endswith("a third day 2499"))
    panel.log.follow_journal()
    assert panel.log.current_view() is panel.log.view


def test_a_log_of_colours_bytes_and_one_endless_line_is_followed_too(panel: Panel, tmp_path: Path, qtbot: Any) -> None:
    path = tmp_path / "render.log"
    path.write_bytes(b"\x1b[31mERROR\x1b[0m: lost \x1b[1mplate\x1b[0m\n" + bytes(range(256)) * 4 + b"\n")
    view = followed(panel, path, qtbot, 6)
    shown = texts(view, qtbot)
    assert shown[0] == "ERROR: lost plate"
    assert "\x00" not in "".join(shown)
    panel.log.bar.search.setText("LOST plate")
    qtbot.waitUntil(lambda: view.model.count() == 1)
    assert panel.log.bar.finder() is not None
    panel.log.bar.clear()
    with path.open("ab") as stream:
        stream.truncate(1 << 26)
    qtbot.waitUntil(lambda: view.model.count() > (1 << 26) // PAGE)
    began = time.thread_time()
    for _ in range(20):
        view.viewport().repaint()
    assert time.thread_time() - began < 0.15, "twenty screens of endless lines"
    assert max(len(text) for text in texts(view, qtbot)) <= PAGE


def test_what_cannot_be_followed_is_told_until_it_can(panel: Panel, tmp_path: Path, qtbot: Any) -> None:
    path = tmp_path / "later.log"
    panel.log.follow_file(path)
    view = panel.log.current_view()
    qtbot.waitUntil(lambda: "cannot be read" in view.empty_text)
    path.write_text("here I am\n")
    qtbot.waitUntil(lambda: view.model.count() == 1)
    assert texts(view, qtbot) == ["here I am"]
    panel.log.follow_file(tmp_path)
    folder = panel.log.current_view()
    qtbot.waitUntil(lambda: "not a regular file" in folder.empty_text)


def test_who_scrolls_up_is_told_how_many_lines_came_and_taken_to_them(panel: Panel, tmp_path: Path, qtbot: Any) -> None:
    path = tmp_path / "server.log"
    path.write_text("".join(f"line {n}\n" for n in range(1_000)))
    view = followed(panel, path, qtbot, 1_000)
    qtbot.keyClick(view, Qt.Key.Key_Home)
    assert not view.following
    with path.open("a") as stream:
        stream.write("".join(f"line {n}\n" for n in range(1_000, 1_025)))
    qtbot.waitUntil(lambda: view.new_lamp.isVisible() and "25 new" in view.new_lamp.text())
    assert view.current_id == 1
    qtbot.mouseClick(view.new_lamp, Qt.MouseButton.LeftButton)
    assert view.following
    assert not view.new_lamp.isVisible()
    assert texts(view, qtbot)[-1] == "line 1024"
    qtbot.keyClick(view, Qt.Key.Key_End)
    qtbot.keyClick(view, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    clipboard = QGuiApplication.clipboard()
    qtbot.waitUntil(lambda: clipboard.text() == "line 1023\nline 1024")


def test_what_is_listed_is_exported(panel: Panel, tmp_path: Path, qtbot: Any) -> None:
    panel.log.show_only(level=40)
    qtbot.waitUntil(lambda: 0 < panel.log.model.count() < 20)
    shown = panel.log.model.count()
    export_rows(panel.log.view, tmp_path / "log.json", "json")
    export_rows(panel.log.view, tmp_path / "log.csv", "csv")
    export_rows(panel.log.view, tmp_path / "log.txt", "txt")
    for name in ("log.json", "log.csv", "log.txt"):
        qtbot.waitUntil((tmp_path / name).exists)
    records = json.loads((tmp_path / "log.json").read_text())
    csv_lines = (tmp_path / "log.csv").read_text().splitlines()
    assert csv_lines[0] == "Id,Time,Level,Message,Topic,Handler,Entity,Handlers"
    assert len(csv_lines) == len(records) + 1 == shown + 1
    assert {record["Level"] for record in records} == {"Error"}
    assert len((tmp_path / "log.txt").read_text().splitlines()) == shown
    assert not list(tmp_path.glob("*.part"))


def test_an_export_of_nothing_is_a_table_without_rows(panel: Panel, tmp_path: Path, qtbot: Any) -> None:
    panel.log.show_only(text="no line says this")
    qtbot.waitUntil(lambda: panel.log.model.count() == 0)
    export_rows(panel.log.view, tmp_path / "none.json", "json")
    qtbot.waitUntil((tmp_path / "none.json").exists)
    assert json.loads((tmp_path / "none.json").read_text()) == []


def test_an_export_that_cannot_be_written_is_told(panel: Panel, tmp_path: Path, qtbot: Any) -> None:
    export_rows(panel.log.view, tmp_path / "gone" / "log.csv", "csv")
    qtbot.waitUntil(lambda: bool(panel.log.view.findChildren(QMessageBox)))
    (box,) = panel.log.view.findChildren(QMessageBox)
    assert "No such file or directory. Choose another folder." in box.text()
    box.accept()
