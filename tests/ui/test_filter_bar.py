"""The bar above a list: its choices go to a row of their own where the window is narrow, and come back."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox, QWidget, QWidgetItem
from pytestqt.qtbot import QtBot
from shiboken6 import Shiboken

from ui.docks.filter_bar import FilterBar


def _held() -> set[int]:
    """Layout items that Python has a wrapper of."""
    return {id(one) for one in Shiboken.getAllValidWrappers() if isinstance(one, QWidgetItem)}


def test_choices_that_change_their_row_leave_python_nothing_of_what_qt_deleted(qtbot: QtBot, dark: None) -> None:
    """Python would take the next thing at that address for it: a list that was cleared then ended the program."""
    before = _held()
    window = QWidget()
    qtbot.addWidget(window)
    bar = FilterBar("test", "Search", window)
    for key in ("handler", "show", "state"):
        bar.add_choice(key, f"Every {key}")
    window.show()
    for width, folded in ((1200, False), (450, True), (1200, False), (450, True)):
        bar.resize(width, 80)
        qtbot.waitUntil(
            lambda folded=folded: all(
                (box.y() > bar.search.geometry().bottom()) is folded for box in bar.findChildren(QComboBox)
            )
        )
    assert _held() <= before
