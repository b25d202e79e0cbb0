"""A number that counts does not have the window laid out anew."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QWidget

from ui.docks.steady import SteadyLabel


class _Asked(QObject):
    """Counts how often a widget is asked to lay out what is in it."""

    def __init__(self, watched: QWidget) -> None:
        super().__init__(watched)
        self.times = 0
        watched.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        self.times += event.type() == QEvent.Type.LayoutRequest
        return False


def test_a_count_is_laid_out_when_it_gets_a_digit_and_only_then(qtbot: Any) -> None:
    bar = QWidget()
    qtbot.addWidget(bar)
    line = QHBoxLayout(bar)
    count = SteadyLabel()
    line.addWidget(QLabel("render_0001"), 1)
    line.addWidget(count)
    count.say("999 lines")
    bar.resize(400, 40)
    with qtbot.waitExposed(bar):
        bar.show()
    asked = _Asked(bar)
    for number in range(100, 999, 111):
        count.say(f"{number} lines")
        QApplication.processEvents()
    assert asked.times == 0
    narrow = count.width()
    count.say("1,000 lines")
    QApplication.processEvents()
    assert asked.times > 0
    assert count.width() > narrow
    assert count.fontMetrics().horizontalAdvance(count.text()) <= count.contentsRect().width()
    bar.setStyleSheet("QLabel { font-size: 22px; }")
    QApplication.processEvents()
    assert count.fontMetrics().horizontalAdvance(count.text()) <= count.contentsRect().width()
