"""The window without a mouse: where Tab leads, and that it leads out again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton, QVBoxLayout, QWidget

from ui import theme
from ui.compiler.editor import CodeEditor
from ui.compiler.plain_editor import PlainEditor
from ui.compiler.scintilla_editor import ScintillaEditor
from ui.docks.events import COLUMNS as EVENT_COLUMNS
from ui.docks.log import COLUMNS as LOG_COLUMNS
from ui.docks.rows_view import PAD
from ui.models.words import clock_brief, clock_line
from ui.panel import Panel
from ui.sample_day import Day


def walk(start: QWidget, key: Qt.Key = Qt.Key.Key_Tab, most: int = 200) -> list[QWidget]:
    """What Tab comes by from a widget until it is back there."""
    start.setFocus(Qt.FocusReason.TabFocusReason)
    seen = [start]
    while len(seen) < most:
        QTest.keyClick(seen[-1], key)
        now = QApplication.focusWidget()
        assert now is not None
        if now is start:
            return seen
        seen.append(now)
    pytest.fail(
        f"the keyboard does not come back: {[each.accessibleName() or type(each).__name__ for each in seen[:40]]}"
    )


def test_tab_passes_by_the_docks_behind_another_ones_tab(
    show_panel: Callable[..., Panel], day: Day, qtbot: Any
) -> None:
    panel = show_panel(day.folder)
    panel.activateWindow()
    qtbot.waitUntil(panel.isActiveWindow)
    for front, behind in ((panel.detail, panel.log), (panel.log, panel.detail)):
        name = "event_detail" if front is panel.detail else "log"
        panel.docks.bring_forward(name)
        qtbot.waitUntil(lambda name=name: panel._dock[name].x() >= 0)
        for key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            seen = walk(panel.events.bar.search, key)
            assert not [each for each in seen if behind.isAncestorOf(each)]
            assert not [each for each in seen if panel.browser.isAncestorOf(each)]
            assert [each for each in seen if panel.handlers.isAncestorOf(each)]
    assert [each for each in seen if panel.log.isAncestorOf(each)]


def test_the_settings_lead_from_the_form_to_the_foot(show_panel: Callable[..., Panel], day: Day, qtbot: Any) -> None:
    panel = show_panel(day.folder)
    dialog = panel.open_settings()
    assert dialog is not None
    dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow)
    for place in (2, 8, 0):
        dialog.sections.setCurrentRow(place)
        seen = walk(dialog.sections)
        form = [at for at, each in enumerate(seen) if dialog._form.holder.isAncestorOf(each)]
        foot = [at for at, each in enumerate(seen) if isinstance(each, QPushButton) and each.text() == "Close"]
        assert form
        assert max(form) < min(foot)
    dialog.close()


@pytest.mark.parametrize("make", [PlainEditor, ScintillaEditor])
def test_the_code_editor_is_left_by_keys_although_tab_indents(make: type[CodeEditor], qtbot: Any, dark: None) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    before, editor, after = QLineEdit(), make(), QLineEdit()
    column = QVBoxLayout(window)
    for widget in (before, editor, after):
        column.addWidget(widget)
    with qtbot.waitExposed(window):
        window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    for modifiers, reached in (
        (Qt.KeyboardModifier.ControlModifier, after),
        (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier, before),
    ):
        editor.setFocus()
        inside = QApplication.focusWidget()
        assert inside is not None
        assert editor.isAncestorOf(inside)
        key = Qt.Key.Key_Tab if reached is after else Qt.Key.Key_Backtab
        QTest.keyClick(inside, key, modifiers)
        assert QApplication.focusWidget() is reached
    assert editor.text() == ""


def test_the_time_of_last_nights_events_is_read_whole(dark: None) -> None:
    night = time.time() - 86_400
    events, lines = EVENT_COLUMNS[0].width - 2 * PAD, LOG_COLUMNS[0].width - 2 * PAD
    assert QFontMetrics(theme.numbers(theme.ui_font())).horizontalAdvance(clock_brief(night)) <= events
    assert QFontMetrics(theme.mono_font()).horizontalAdvance(clock_line(night)) <= lines
    assert QFontMetrics(theme.mono_font()).horizontalAdvance(clock_line(time.time())) <= lines
