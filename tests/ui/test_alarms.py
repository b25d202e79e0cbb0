"""What a person is called for, where the desktop has no tray: the window itself says it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hand import tab_to
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QPushButton, QSystemTrayIcon

from app.journal.journal import Journal
from app.journal.queue import NewRun
from app.settings.models import PanelSettings
from ui.docks.notice import Notice
from ui.panel import Panel
from ui.sample_day import Day


@pytest.fixture
def panel(show_panel: Callable[..., Panel], day: Day, engine: Journal, qtbot: Any) -> Panel:
    """A window that looked at the day once, so that what comes now is news to it."""
    made = show_panel(day.folder)
    engine.set_health("site", "ok", "connected")
    qtbot.waitUntil(lambda: made.hub.snapshot.health["site"].words == "connected")
    return made


def failed_run(engine: Journal, day: Day, handler: str, why: str) -> int:
    event = day.events[0]
    (run,) = engine.add_runs([NewRun("handler", handler, "x", "", event, 0.0, event_row=event, state="queued")])
    assert run is not None
    engine.set_state([run], "failed", why)
    return run


def test_a_lost_site_and_a_failed_run_are_told_in_the_window(
    panel: Panel, engine: Journal, day: Day, qtbot: Any
) -> None:
    assert not QSystemTrayIcon.isSystemTrayAvailable()
    panel.take_wishes(PanelSettings(tray=True))
    engine.set_health("site", "error", "nothing answers at http://127.0.0.1:9")
    told = panel.notice.text
    qtbot.waitUntil(lambda: told.whole() == "Site: trouble: nothing answers at http://127.0.0.1:9")
    run = failed_run(engine, day, "set_task_thumbnail", "the drive is full")
    qtbot.waitUntil(lambda: told.whole() == "Set task thumbnail: 1 run failed: the drive is full")
    (show,) = (button for button in panel.notice.findChildren(QPushButton) if button.text() == "Show")
    assert panel.notice.next.text() == "1 of 2"
    show.click()
    qtbot.waitUntil(lambda: panel.detail.findChild(QPushButton, f"retry_{run}") is not None)
    assert told.whole().startswith("Site: trouble"), "the one before it waits"
    panel.notice.close_button.click()
    assert not panel.notice.isVisible()


def test_a_paused_handler_is_not_hidden_by_the_failures_that_paused_it(
    panel: Panel, engine: Journal, day: Day, qtbot: Any
) -> None:
    with engine.write():
        failed_run(engine, day, "create_task_folder", "the drive is full")
        engine.open_breaker("create_task_folder", "five failures in a row")
    said = "Create task folder is paused: five failures in a row"
    qtbot.waitUntil(lambda: panel.notice.text.whole() == said)
    assert panel.notice.isVisible()


def test_none_of_several_troubles_is_lost_and_the_keyboard_reaches_them_all(dark: None, qtbot: Any) -> None:
    notice = Notice()
    qtbot.addWidget(notice)
    notice.say("warning", "The order was refused")
    notice.say("error", "The drive is full", "Show", lambda: done.append("shown"))
    notice.say("warning", "The settings are locked")
    notice.say("error", "The drive is full", "Show", lambda: done.append("shown"))
    notice.say("ok", "112 made")
    done: list[str] = []
    with qtbot.waitExposed(notice):
        notice.show()

    def press(button: QAbstractButton) -> None:
        tab_to(qtbot, notice, button)
        qtbot.keyClick(button, Qt.Key.Key_Space)

    told, said = notice.text, []
    for _ in range(4):
        said.append(told.whole())
        press(notice.next)
    graver = ["The drive is full", "The settings are locked", "The order was refused"]
    assert said == [*graver, graver[0]], "each once, the most serious first, and round again"
    notice.say("error", "The site is gone", about="site")
    assert told.whole() == "The site is gone", "nobody reads past what is graver"
    notice.settle("site")
    assert told.whole() == "The drive is full"
    press(notice.next)
    press(notice.close_button)
    assert told.whole() == "The order was refused"
    press(notice.next)
    (show,) = (button for button in notice.findChildren(QPushButton) if button.text() == "Show")
    press(show)
    assert done == ["shown"]
    assert told.whole() == "The order was refused"
    assert not notice.next.isVisible()
    press(notice.close_button)
    assert not notice.isVisible()
    notice.say("ok", "112 made")
    assert notice.isVisible(), "news comes when no trouble waits"
