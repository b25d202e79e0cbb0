"""Where the width of the window goes: to what is read. On panels opened as the program opens them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QMainWindow
from pytestqt.qtbot import QtBot

from ui.panel import Panel, PanelSite

Open = Callable[[int, int], Panel]


@pytest.fixture
def open_panel(qtbot: QtBot, dark: None, home: Path) -> Iterator[Open]:
    """Opens panels as the program does: nobody asks for the usual layout once the window has its size."""
    opened: list[Panel] = []

    def show(width: int, height: int) -> Panel:
        panel = Panel(home / "journal", PanelSite(embedded=True))
        opened.append(panel)
        qtbot.addWidget(panel)
        panel.resize(width, height)
        with qtbot.waitExposed(panel):
            panel.show()
        return panel

    yield show
    for panel in opened:
        panel.quit()


def _width(panel: Panel, dock: str) -> int:
    return panel.docks.by_name[dock].width()


def _beside(panel: Panel) -> bool:
    return panel.docks.by_name["log"] not in panel.docks.tabifiedDockWidgets(panel.docks.by_name["event_detail"])


def test_a_larger_window_gives_its_width_to_the_events_and_not_to_the_levers(qtbot: QtBot, open_panel: Open) -> None:
    panel = open_panel(1280, 720)
    levers = _width(panel, "handlers")
    assert levers < 420

    panel.resize(2560, 1440)

    qtbot.waitUntil(lambda: _width(panel, "events") > 2_100)
    assert abs(_width(panel, "handlers") - levers) < 10


def test_the_first_window_of_a_large_screen_has_room_for_the_events_detail(qtbot: QtBot, open_panel: Open) -> None:
    panel = open_panel(1720, 1000)

    qtbot.waitUntil(lambda: _beside(panel) and _width(panel, "event_detail") > 500)
    assert _width(panel, "log") > 600
    assert _width(panel, "handlers") < 420


def test_a_window_made_small_has_the_log_behind_the_detail_and_beside_it_again_when_it_is_large(
    qtbot: QtBot, open_panel: Open
) -> None:
    panel = open_panel(1800, 1000)
    qtbot.waitUntil(lambda: _beside(panel))

    panel.resize(1280, 720)
    qtbot.waitUntil(lambda: not _beside(panel))
    qtbot.waitUntil(lambda: _width(panel, "event_detail") > 800)
    assert not panel.docks.by_name["event_detail"].visibleRegion().isEmpty()

    panel.resize(1800, 1000)
    qtbot.waitUntil(lambda: _beside(panel))


def test_where_a_person_put_the_log_it_stays_whatever_the_windows_size(qtbot: QtBot, open_panel: Open) -> None:
    panel = open_panel(1800, 1000)
    qtbot.waitUntil(lambda: _beside(panel))
    docks = panel.docks
    docks.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, docks.by_name["log"])

    panel.resize(1400, 800)
    QCoreApplication.processEvents()

    assert docks.dockWidgetArea(docks.by_name["log"]) == Qt.DockWidgetArea.LeftDockWidgetArea


def test_levers_dragged_wider_are_as_wide_after_a_restart(qtbot: QtBot, open_panel: Open) -> None:
    panel = open_panel(1600, 900)
    qtbot.waitUntil(lambda: _width(panel, "handlers") < 420)
    _drag_the_levers_edge(panel, 120)
    wide = _width(panel, "handlers")
    assert wide > 480
    panel.resize(1680, 900)
    qtbot.waitUntil(lambda: panel.docks.width() == 1680 and abs(_width(panel, "handlers") - wide) < 10)
    panel.quit()

    again = open_panel(1680, 900)

    qtbot.waitUntil(lambda: abs(_width(again, "handlers") - wide) < 10)


def test_the_whole_window_fits_960_points_with_every_page(qtbot: QtBot, open_panel: Open) -> None:
    panel = open_panel(1280, 720)
    for page in (1, 2, 0):
        panel.show_page(page)

    qtbot.waitUntil(lambda: panel.minimumSizeHint().width() <= 960)
    panel.resize(960, 700)
    qtbot.waitUntil(lambda: panel.width() == 960)


def test_choices_without_room_beside_the_search_have_a_row_below_it(qtbot: QtBot, open_panel: Open) -> None:
    panel = open_panel(1280, 720)
    bar = panel.events.bar
    choices = bar.findChildren(QComboBox)
    qtbot.waitUntil(lambda: all(box.y() == bar.search.y() for box in choices))
    order = [box.x() for box in choices]
    assert order == sorted(order)
    assert order[-1] < bar.width() - 100, "the tools are behind the choices"

    panel.resize(960, 700)
    qtbot.waitUntil(lambda: all(box.y() > bar.search.geometry().bottom() for box in choices))
    metrics = choices[0].fontMetrics()
    assert all(box.width() > metrics.horizontalAdvance(box.currentText()) + 34 for box in choices)

    panel.resize(1280, 720)
    qtbot.waitUntil(lambda: [box.x() for box in choices] == order)


def _drag_the_levers_edge(panel: QMainWindow, by: int) -> None:
    """As a hand does: through the window's own handle, so that Qt knows which button is down."""
    assert isinstance(panel, Panel)
    handle = panel.windowHandle()
    dock = panel.docks.by_name["handlers"]
    edge = dock.mapTo(panel, QPoint(dock.width(), dock.height() // 2))
    QTest.mouseMove(handle, edge)
    QTest.mousePress(handle, Qt.MouseButton.LeftButton, pos=edge)
    for step in range(1, 5):
        QTest.mouseMove(handle, edge + QPoint(by * step // 4, 0))
        QCoreApplication.processEvents()
    QTest.mouseRelease(handle, Qt.MouseButton.LeftButton, pos=edge + QPoint(by, 0))
