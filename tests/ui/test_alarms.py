"""What a person is called for, where the desktop has no tray: the window itself says it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtWidgets import QPushButton, QSystemTrayIcon

from app.journal.journal import Journal
from app.journal.queue import NewRun
from app.settings.models import PanelSettings
from ui.panel import Panel
from ui.sample_day import Day


@pytest.fixture
def panel(show_panel: Callable[..., Panel], day: Day, engine: Journal, qtbot: Any) -> Panel:
    """A window that looked at the day once, so that what comes now is news to it."""
    made = show_panel(day.folder)
    engine.set_health("site", "ok", "connected")
    qtbot.waitUntil(lambda: made.hub.snapshot.health["site"].words == "connected", timeout=15_000)
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
    qtbot.waitUntil(lambda: told.whole() == "Site: trouble: nothing answers at http://127.0.0.1:9", timeout=15_000)
    run = failed_run(engine, day, "set_task_thumbnail", "the drive is full")
    qtbot.waitUntil(lambda: told.whole() == "Set task thumbnail: 1 run failed: the drive is full", timeout=15_000)
    (show,) = (button for button in panel.notice.findChildren(QPushButton) if button.text() == "Show")
    show.click()
    qtbot.waitUntil(lambda: panel.detail.findChild(QPushButton, f"retry_{run}") is not None, timeout=15_000)
    assert not panel.notice.isVisible()


def test_a_paused_handler_is_not_hidden_by_the_failures_that_paused_it(
    panel: Panel, engine: Journal, day: Day, qtbot: Any
) -> None:
    with engine.write():
        failed_run(engine, day, "create_task_folder", "the drive is full")
        engine.open_breaker("create_task_folder", "five failures in a row")
    said = "Create task folder is paused: five failures in a row"
    qtbot.waitUntil(lambda: panel.notice.text.whole() == said, timeout=15_000)
    assert panel.notice.isVisible()
