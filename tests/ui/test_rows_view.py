"""The storm-proof list: following, selecting, copying, filtering, over a real journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from app.journal.log import LogStore
from app.journal.rows import LogFilter, LogRow
from ui import theme
from ui.docks.log import COLUMNS
from ui.docks.rows_view import RowsView
from ui.models.paged import PagedRows
from ui.models.reader import Reader
from ui.models.sources import LogSource
from ui.theme.style import style_sheet


def lines(number: int, start: int = 0) -> list[LogRow]:
    return [
        LogRow(0, 1_700_000_000.0 + n, 30 if n % 10 == 0 else 20, "signalbox.engine", f"line {n} of the day")
        for n in range(start, start + number)
    ]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LogStore]:
    made = LogStore.open(tmp_path / "journal")
    yield made
    made.close()


@pytest.fixture
def view(qtbot: Any, dark: None, store: LogStore) -> Iterator[RowsView]:
    folder = store.path.parent
    reader: Reader[LogStore] = Reader("test", lambda: LogStore.open(folder, read_only=True))
    model = PagedRows(reader, LogSource(LogFilter()), "test")
    made = RowsView(model, COLUMNS, "log")
    qtbot.addWidget(made)
    made.resize(900, 400)
    with qtbot.waitExposed(made):
        made.show()
    yield made
    reader.close()


def visible_texts(view: RowsView) -> list[str]:
    first = view.verticalScrollBar().value()
    last = min(view.model.count(), first + view._lines())
    rows = [view.model.row(index) for index in range(first, last)]
    return [row.cells[2] if row is not None else "?" for row in rows]


@pytest.fixture
def wait_for(qtbot: Any) -> Callable[[Callable[[], bool]], None]:
    return qtbot.waitUntil


def test_new_lines_appear_and_are_followed(view: RowsView, store: LogStore, wait_for: Any) -> None:
    store.append(lines(500))
    wait_for(lambda: view.model.count() == 500)
    wait_for(lambda: visible_texts(view)[-1] == "line 499 of the day")
    store.append(lines(100, 500))
    wait_for(lambda: visible_texts(view)[-1] == "line 599 of the day")


def test_scrolling_up_stops_following_and_counts_what_is_new(
    view: RowsView, store: LogStore, wait_for: Any, qtbot: Any
) -> None:
    store.append(lines(500))
    wait_for(lambda: view.model.count() == 500)
    qtbot.keyClick(view, Qt.Key.Key_PageUp)
    qtbot.keyClick(view, Qt.Key.Key_PageUp)
    qtbot.keyClick(view, Qt.Key.Key_PageUp)
    assert not view.following
    wait_for(lambda: "?" not in visible_texts(view))
    seen = visible_texts(view)

    store.append(lines(128, 500))
    wait_for(lambda: view.model.count() == 628)
    assert visible_texts(view) == seen, "what the person reads does not move"
    assert view.new_lamp.isVisible()
    assert view.new_lamp.text() == "128 new"

    qtbot.mouseClick(view.new_lamp, Qt.MouseButton.LeftButton)
    assert view.following
    assert not view.new_lamp.isVisible()
    wait_for(lambda: visible_texts(view)[-1] == "line 627 of the day")


def test_scrolling_back_to_the_end_follows_again(view: RowsView, store: LogStore, wait_for: Any) -> None:
    store.append(lines(500))
    wait_for(lambda: view.model.count() == 500)
    bar = view.verticalScrollBar()
    bar.setValue(10)
    assert not view.following
    bar.setValue(bar.maximum())
    assert view.following


def test_a_range_is_selected_and_copied_with_the_keyboard(
    view: RowsView, store: LogStore, wait_for: Any, qtbot: Any
) -> None:
    store.append(lines(50))
    wait_for(lambda: view.model.count() == 50)
    qtbot.keyClick(view, Qt.Key.Key_Home)
    for _ in range(2):
        qtbot.keyClick(view, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    QGuiApplication.clipboard().setText("")
    qtbot.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    wait_for(lambda: QGuiApplication.clipboard().text() != "")
    copied = QGuiApplication.clipboard().text().splitlines()
    assert [line.split("\t")[2] for line in copied] == [f"line {n} of the day" for n in range(3)]


def test_ctrl_click_takes_single_rows_and_all_can_be_copied(
    view: RowsView, store: LogStore, wait_for: Any, qtbot: Any
) -> None:
    store.append(lines(8))
    wait_for(lambda: view.model.count() == 8 and view.model.row(7) is not None)
    height = view._height
    for place, keys in ((1, Qt.KeyboardModifier.NoModifier), (4, Qt.KeyboardModifier.ControlModifier)):
        point = QPoint(30, place * height + 4)
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, keys, point)
    chosen = [index for index in range(8) if view.is_selected(view.model.id_at(index))]
    assert chosen == [1, 4]
    qtbot.keyClick(view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert all(view.is_selected(view.model.id_at(index)) for index in range(8))


def test_a_filter_finds_the_newest_hits_first_and_keeps_up(view: RowsView, store: LogStore, wait_for: Any) -> None:
    store.append(lines(20_000))
    wait_for(lambda: view.model.count() == 20_000)
    shares: list[float] = []
    view.model.searched.connect(shares.append)
    view.model.set_source(LogSource(LogFilter(text="LINE 1999", level=0)))
    wait_for(lambda: shares[-1:] == [1.0])
    assert view.model.count() == 11
    wait_for(lambda: visible_texts(view)[-1] == "line 19999 of the day")
    store.append(lines(1, 199_900))
    wait_for(lambda: view.model.count() == 12)
    view.model.set_source(LogSource(LogFilter(level=30)))
    wait_for(lambda: shares[-1:] == [1.0] and view.model.count() == 2_001)
    view.model.set_source(LogSource(LogFilter(text="line 1.+0 of", regex=True, level=30)))
    wait_for(lambda: view.model.count() == 1_111)


def test_percent_and_underscore_are_letters_in_a_search(view: RowsView, store: LogStore, wait_for: Any) -> None:
    row = LogRow(0, time.time(), 20, "signalbox.engine", "100% of BC_0010\\x done")
    other = LogRow(0, time.time(), 20, "signalbox.engine", "1000 of BCx0010 done")
    store.append([row, other])
    for text in ("100%", "BC_0010", "0010\\x"):
        view.model.set_source(LogSource(LogFilter(text=text)))
        wait_for(lambda: view.model.count() == 1 and view.model.row(0) is not None)


def test_lines_that_retention_took_leave_no_hole(view: RowsView, store: LogStore, wait_for: Any) -> None:
    store.append(lines(300))
    wait_for(lambda: view.model.count() == 300)
    store.forget(1_700_000_000.0 + 100)
    wait_for(lambda: view.model.count() == 200)
    view.verticalScrollBar().setValue(0)
    wait_for(lambda: visible_texts(view)[0] == "line 100 of the day")


def test_a_screen_reader_is_told_the_name_of_the_list(view: RowsView) -> None:
    assert view.accessibleName() == "log"
    assert view.header.accessibleName() == "Columns"


def test_an_empty_list_says_why(view: RowsView, qtbot: Any) -> None:
    view.set_empty_text("Nothing has been logged yet.")
    image = view.grab().toImage()
    colours = {image.pixel(x, y) for x in range(300, 600) for y in range(180, 240)}
    assert len(colours) > 4, "the words are painted"


def test_the_headings_are_whole_in_a_list_that_was_there_before_its_style_sheet(
    qapp: QApplication, view: RowsView, qtbot: Any
) -> None:
    for sheet in ("", style_sheet(theme.current()), "", style_sheet(theme.current())):
        qapp.setStyleSheet(sheet)
        qtbot.waitUntil(lambda: view.header.height() == view.header.sizeHint().height())
        qtbot.waitUntil(lambda: view.header.y() >= 0)
        assert view.header.geometry().bottom() < view.viewport().y()
