"""A studio of hundreds of shows: the levers by show stay quick, and none is out of reach."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from app.journal.journal import Journal
from app.journal.rows import NameRow
from ui.docks.handlers import SHOWS_SHOWN
from ui.panel import Panel
from ui.sample_day import Day


def test_shows_with_levers_of_their_own_come_first_and_the_others_are_found_by_name(
    show_panel: Callable[..., Panel], day: Day, qtbot: Any
) -> None:
    with_lever, without = "zz_the_last_show", "show_299"
    journal = Journal.open(day.folder, "panel")
    names = [f"show_{number:03}" for number in range(300)] + [with_lever]
    journal.learn_names([NameRow(str(uuid.uuid4()), "Project", name) for name in names])
    journal.set_lever("status_handler", with_lever, "off", "hugo", "quiet please")
    journal.close()
    panel = show_panel(day.folder)
    qtbot.waitUntil(lambda: len(panel.hub.snapshot.projects) > 300)
    grid = panel.handlers.grid
    panel.handlers.tabs.setCurrentWidget(grid)
    qtbot.waitUntil(lambda: bool(grid.shows()))
    assert len(grid.shows()) == SHOWS_SHOWN
    assert with_lever in grid.shows()
    assert without not in grid.shows()
    assert "more shows" in grid.left_out()
    grid.search.setText("show_299")
    qtbot.waitUntil(lambda: grid.shows() == (without,))
    assert grid.left_out() == ""
    qtbot.waitUntil(lambda: grid.lever("status_handler", without).isVisible())
