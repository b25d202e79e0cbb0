"""The window as a whole: its layout, its themes, what it says when something is wrong."""

from __future__ import annotations

import stat
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QObject, QRect, QTimer, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication

from app.journal.journal import Journal
from ui import theme
from ui.app import CrashHook, SingleInstance
from ui.panel import Panel
from ui.sample_day import Day


def test_the_layout_is_kept(show_panel: Callable[..., Panel], day: Day) -> None:
    panel = show_panel(day.folder)
    panel._dock["log"].hide()
    panel.events.view.header.resizeSection(3, 177)
    panel.quit()
    again = Panel(day.folder)
    again.show()
    assert not again._dock["log"].isVisible()
    assert again.events.view.header.sectionSize(3) == 177
    again.quit()
    again.deleteLater()


def test_a_journal_that_may_only_be_read_says_so_and_locks_the_levers(
    show_panel: Callable[..., Panel], day: Day, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    # Root may write everything: the question that the journal asks the system is answered as for anybody else.
    import os

    writable = os.access
    monkeypatch.setattr(
        "app.journal.journal.os.access",
        lambda path, mode: False if mode == os.W_OK and str(path).startswith(str(day.folder)) else writable(path, mode),
    )
    panel = show_panel(day.folder)
    qtbot.waitUntil(lambda: panel.hub.read_only)
    assert "Read-only" in panel.notice.text.whole()
    lever = panel.handlers.card("create_task_folder").lever
    qtbot.waitUntil(lambda: "reading only" in lever.toolTip())
    said: list[str] = []
    panel.hub.trouble.connect(said.append)
    panel.replay(day.events[0])
    assert "open for reading only" in said[0]


def test_no_journal_yet_is_news_and_the_window_fills_when_it_comes(
    show_panel: Callable[..., Panel], home: Path, qtbot: Any
) -> None:
    import time

    from ui.sample_day import write_day

    panel = show_panel(home / "journal", wait=False)
    qtbot.waitUntil(lambda: "no journal" in panel.notice.text.whole())
    write_day(home / "journal", now=time.time(), events=5)
    qtbot.waitUntil(lambda: panel.events.model.count() > 0)
    assert not panel.notice.isVisible() or "no journal" not in panel.notice.text.whole()


def test_a_corrupt_journal_is_told_with_its_path(show_panel: Callable[..., Panel], home: Path, qtbot: Any) -> None:
    folder = home / "journal"
    folder.mkdir(parents=True)
    (folder / "journal.db").write_bytes(b"this is no database" * 400)
    panel = show_panel(folder, wait=False)
    qtbot.waitUntil(lambda: str(folder) in panel.notice.text.whole())
    assert panel.notice.property("state") == "error"


def test_a_breaker_that_opens_calls_the_person(
    show_panel: Callable[..., Panel], day: Day, engine: Journal, qtbot: Any
) -> None:
    panel = show_panel(day.folder)
    engine.open_breaker("create_task_folder", "5 failures in a row, the last: disk full")
    qtbot.waitUntil(lambda: "disk full" in panel.notice.text.whole())
    card = panel.handlers.card("create_task_folder")
    qtbot.waitUntil(lambda: card._banner_does == "resume")
    card._banner_button.click()
    qtbot.waitUntil(lambda: len(engine.open_orders()) == 1)
    (order,) = engine.open_orders()
    assert (order.kind, order.args) == ("resume_breaker", {"handler": "create_task_folder"})


def test_the_kept_events_are_offered_and_left_by_default(
    show_panel: Callable[..., Panel], day: Day, engine: Journal, qtbot: Any
) -> None:
    panel = show_panel(day.folder)
    panel.handlers.card("assign_task_status").moved.emit("on")
    qtbot.waitUntil(lambda: len(engine.open_orders()) == 1)
    with qtbot.waitSignal(panel.handlers.kept_wanted) as offered:
        engine.answer(engine.open_orders()[0].id, {"kept_events": 12})
    assert offered.args == ["assign_task_status", 12]
    from ui.dialogs.base import Confirm

    (dialog,) = panel.findChildren(Confirm)
    assert "12 kept events" in dialog.windowTitle()
    assert not dialog.confirm.isDefault()
    dialog.accept()
    qtbot.waitUntil(lambda: [o.kind for o in engine.open_orders()] == ["process_kept"])


def _ground(panel: Panel) -> QColor:
    """The colour between the rows of the list: a letter of its own colour covers no whole line of points."""
    image = panel.grab(QRect(600, 200, 1, 160)).toImage()
    return QColor(Counter(image.pixel(0, y) for y in range(image.height())).most_common(1)[0][0])


def test_dark_and_light_switch_while_running_and_are_remembered(
    show_panel: Callable[..., Panel], day: Day, qapp: QApplication
) -> None:
    panel = show_panel(day.folder)
    panel.toggle_theme()
    assert theme.current().name == "light"
    light = _ground(panel)
    panel.toggle_theme()
    dark = _ground(panel)
    assert light.lightness() > 180 > 80 > dark.lightness()
    assert panel.settings.value("theme") == "dark"


def test_the_dry_run_and_off_positions_of_the_day_are_shown(show_panel: Callable[..., Panel], day: Day) -> None:
    panel = show_panel(day.folder)
    assert panel.handlers.card("set_task_thumbnail").lever.position == "dry"
    assert panel.handlers.card("create_task_folder").lever.position == "on"


def test_an_unexpected_error_is_written_down_redacted_and_told(
    qapp: QApplication, home: Path, qtbot: Any, caplog: Any
) -> None:
    hook = CrashHook(home / "state")
    hook.install()
    try:
        with qtbot.waitSignal(hook.caught) as caught:
            error = ValueError("token=xoxb-1234567890-abcdefghij went wrong")
            sys.excepthook(ValueError, error, None)
    finally:
        hook.remove()
    assert "ValueError" in caught.args[0]
    report = hook.report.read_text()
    assert "went wrong" in report
    assert "xoxb-1234567890-abcdefghij" not in report
    assert stat.S_ISREG(hook.report.stat().st_mode)


def test_a_second_start_brings_the_first_window_forward(qapp: QApplication, home: Path, qtbot: Any) -> None:
    first, second = SingleInstance(home / "journal"), SingleInstance(home / "journal")
    other = SingleInstance(home / "another")
    try:
        assert first.take()
        first.listen()
        with qtbot.waitSignal(first.called):
            assert not second.take()
        assert other.take(), "another journal has a window of its own"
    finally:
        for one in (first, second, other):
            one.close()


class Emitter(QObject):
    said = Signal()


def test_references_to_true_and_none_are_not_lost(qapp: QApplication, qtbot: Any) -> None:
    emitter = Emitter()
    emitter.said.connect(lambda: None)
    ticks: list[int] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(0)
    before = sys.getrefcount(True), sys.getrefcount(None)
    for _ in range(1_000):
        emitter.said.emit()
        QCoreApplication.processEvents()
    timer.stop()
    after = sys.getrefcount(True), sys.getrefcount(None)
    assert len(ticks) > 100
    assert after[0] > before[0] - 50
    assert after[1] > before[1] - 200
