"""A TD's three errands, counted in clicks from the main window."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from clipping import assert_nothing_is_clipped
from hand import Hand, is_seen, texts
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QMenu, QPushButton, QToolButton

from app.journal.journal import Journal
from app.journal.queue import NewEffect, NewRun
from ui.dialogs.catch_up import CatchUpDialog
from ui.dialogs.finder import Finder
from ui.dialogs.undo import UndoDialog
from ui.docks.lever import Lever, SmallLever, use_motion
from ui.panel import Panel
from ui.sample_day import Day


@pytest.fixture
def hand(qtbot: Any) -> Hand:
    return Hand(qtbot)


def test_why_a_task_has_no_folder_takes_at_most_three_clicks(
    qtbot: Any, hand: Hand, show_panel: Callable[..., Panel], day: Day
) -> None:
    panel = show_panel(day.folder)

    hand.click(panel.why)
    (finder,) = panel.findChildren(Finder)
    qtbot.keyClicks(finder.search, "BB_0070 match")
    qtbot.waitUntil(lambda: "not mounted here" in texts(finder))

    assert hand.clicks <= 3
    assert "Create task folder: failed" in texts(finder)
    assert "/data/production" in texts(finder)
    finder.reject()


def test_a_task_nobody_heard_of_is_explained_too(qtbot: Any, show_panel: Callable[..., Panel], day: Day) -> None:
    panel = show_panel(day.folder)
    finder = panel.open_finder()
    qtbot.keyClicks(finder.search, "ZZ_9999")
    qtbot.waitUntil(lambda: "No event about" in texts(finder))
    finder.reject()


def test_the_story_of_a_task_leads_to_its_event_in_the_window(
    qtbot: Any, show_panel: Callable[..., Panel], day: Day
) -> None:
    panel = show_panel(day.folder)
    finder = panel.open_finder()
    qtbot.keyClicks(finder.search, "BB_0070 match")
    qtbot.waitUntil(lambda: "not mounted here" in texts(finder))
    finder.event_wanted.emit(day.missing_folder[0])
    qtbot.waitUntil(lambda: "not mounted here" in texts(panel.detail))
    assert panel.events.view.current_id == day.missing_folder[0]
    finder.reject()


def test_stopping_slack_for_one_show_takes_at_most_three_clicks(
    qtbot: Any, hand: Hand, show_panel: Callable[..., Panel], day: Day, engine: Journal
) -> None:
    panel = show_panel(day.folder)
    tabs = panel.handlers.tabs.tabBar()

    hand.click(tabs, tabs.tabRect(1).center())
    lever = panel.handlers.grid.lever("status_handler", "bigbuck")
    qtbot.waitUntil(lambda: lever.isVisible() and lever.width() < 200)
    hand.click(lever, QPoint(lever.width() // 6, lever.height() // 2))
    qtbot.waitUntil(lambda: len(engine.open_orders()) == 1)

    assert hand.clicks <= 3
    (order,) = engine.open_orders()
    assert order.kind == "set_lever"
    assert {key: order.args[key] for key in ("handler", "project", "position")} == {
        "handler": "status_handler",
        "project": "bigbuck",
        "position": "off",
    }
    engine.set_lever("status_handler", "bigbuck", "off", order.who, "")
    engine.answer(order.id, {})
    qtbot.waitUntil(lambda: panel.hub.snapshot.lever("status_handler", "bigbuck") is not None)
    assert lever.own
    assert lever.position == "off"
    assert panel.hub.snapshot.lever("status_handler", "tears_of_steel").position == "off"
    assert panel.handlers.card("status_handler").lever.position == "on", "other shows go on"


def test_what_was_missed_is_looked_for_from_the_window_menu(
    qtbot: Any, hand: Hand, show_panel: Callable[..., Panel], day: Day, engine: Journal
) -> None:
    panel = show_panel(day.folder)
    qtbot.waitUntil(lambda: bool(panel.hub.snapshot.handlers))
    (menu,) = [one for one in panel.findChildren(QToolButton) if one.accessibleName() == "Window menu"]
    (look,) = [one for one in menu.menu().actions() if one.text() == "Look for what was missed…"]
    look.trigger()
    (dialog,) = panel.findChildren(CatchUpDialog)
    assert_nothing_is_clipped(qtbot, dialog)
    dialog.span.setCurrentText("The last 4 hours")
    dialog.handler.setCurrentIndex(dialog.handler.findData("create_task_folder"))
    dialog.dry.setChecked(True)
    hand.click(dialog.look)
    qtbot.waitUntil(lambda: len(engine.open_orders()) == 1)
    (order,) = engine.open_orders()
    since = order.args["since"]
    assert (order.kind, order.args) == ("catch_up", {"since": since, "handler": "create_task_folder", "dry": True})
    assert 0 <= time.time() - 4 * 3_600 - since < 90
    engine.answer(order.id, {"runs": [1]})
    qtbot.waitUntil(lambda: "looking for what was missed" in panel.notice.text.whole())


def plan_undo(engine: Journal, run: int) -> int:
    """What the engine makes of a preview_undo: a run whose effects are planned and not applied."""
    original = engine.run(run)
    new = NewRun(
        kind="undo",
        handler=original.row.handler,
        identity=f"undo-preview-{run}",
        key="",
        seq=1,
        received=0.0,
        dry=True,
        undo_of=run,
    )
    (made,) = engine.add_runs([new])
    assert made is not None
    effects = [
        NewEffect(f"undo{e.index}", e.kind, "disk", e.words.replace("Make", "Remove"), "it is empty and ours", None, {})
        for e in reversed(original.effects[1:])
    ]
    kept = {"entity_id": "", "outcome": "already", "reason": "/data/production/bigbukc holds a file of somebody else"}
    engine.store_plan(made, {"notes": [kept], "warnings": []}, "h", effects, 0)
    engine.set_state([made], "planned", "")
    return made


def test_undoing_a_wrongly_made_project_takes_at_most_four_clicks_with_the_list_first(
    qtbot: Any, hand: Hand, show_panel: Callable[..., Panel], day: Day, engine: Journal
) -> None:
    _event, run = day.project_folder
    panel = show_panel(day.folder)

    hand.click(panel.why)
    (finder,) = panel.findChildren(Finder)
    qtbot.keyClicks(finder.search, "bigbukc")

    def shown() -> list[QToolButton]:
        return [button for button in finder.findChildren(QToolButton, "show_event") if button.isVisible()]

    qtbot.waitUntil(lambda: bool(shown()) and "bigbukc: project added" in texts(finder))
    hand.click(shown()[0])
    qtbot.waitUntil(lambda: is_seen(panel.detail.findChild(QPushButton, f"undo_{run}")))
    hand.click(panel.detail.findChild(QPushButton, f"undo_{run}"))
    (dialog,) = panel.findChildren(UndoDialog)
    assert not dialog.confirm.isEnabled(), "nothing is undone before the list is there"
    qtbot.waitUntil(lambda: len(engine.open_orders()) == 1)
    (order,) = engine.open_orders()
    assert (order.kind, order.args) == ("preview_undo", {"run": run})
    engine.answer(order.id, {"run": plan_undo(engine, run)})

    qtbot.waitUntil(dialog.confirm.isEnabled)
    listed = [dialog.goes.item(place).text() for place in range(dialog.goes.count())]
    assert listed[0] == "Remove /data/production/bigbukc/shots"
    assert len(listed) == 7
    assert "somebody else" in dialog.stays.item(0).text()
    hand.click(dialog.confirm)
    qtbot.waitUntil(lambda: len(engine.open_orders()) == 1)

    assert hand.clicks <= 4
    (order,) = engine.open_orders()
    assert (order.kind, order.args) == ("undo", {"run": run})
    engine.answer(order.id, {"run": run})
    qtbot.waitUntil(lambda: not panel.hub._orders)


def test_a_lever_answers_to_hand_drag_and_keyboard(qtbot: Any, dark: None) -> None:
    lever = Lever("Create task folder")
    qtbot.addWidget(lever)
    lever.set_position("on")
    with qtbot.waitExposed(lever):
        lever.show()
    moved: list[str] = []
    lever.moved.connect(moved.append)
    y = lever.height() - 8

    qtbot.mouseClick(lever, Qt.MouseButton.LeftButton, pos=QPoint(lever.width() // 6, y))
    qtbot.mousePress(lever, Qt.MouseButton.LeftButton, pos=QPoint(lever.width() // 6, y))
    qtbot.mouseMove(lever, QPoint(lever.width() // 2, y))
    qtbot.mouseRelease(lever, Qt.MouseButton.LeftButton, pos=QPoint(lever.width() // 2, y))
    qtbot.keyClick(lever, Qt.Key.Key_Right)
    qtbot.keyClick(lever, Qt.Key.Key_Home)
    assert moved == ["off", "dry", "on", "off"]
    assert lever.accessibleName() == "Lever Create task folder: Off"

    lever.set_locked(True)
    qtbot.keyClick(lever, Qt.Key.Key_End)
    qtbot.mouseClick(lever, Qt.MouseButton.LeftButton, pos=QPoint(lever.width() - 4, y))
    assert lever.position == "off", "a read-only panel moves no lever"


def test_a_lever_swings_but_not_for_who_wants_no_motion(qtbot: Any, dark: None, request: pytest.FixtureRequest) -> None:
    lever = Lever("Create task folder")
    qtbot.addWidget(lever)
    with qtbot.waitExposed(lever):
        lever.show()
    qtbot.keyClick(lever, Qt.Key.Key_End)
    assert lever.at < 1.0, "it is on its way"
    qtbot.waitUntil(lambda: lever.at == 2.0)

    request.addfinalizer(lambda: use_motion(True))
    use_motion(False)
    qtbot.keyClick(lever, Qt.Key.Key_Home)
    assert lever.at == 0.0, "it simply stands there"


def test_a_show_follows_the_handlers_own_lever_again_from_the_keyboard(qtbot: Any, dark: None) -> None:
    lever = SmallLever("Status handler in bigbuck")
    qtbot.addWidget(lever)
    lever.set_own(True)
    with qtbot.waitExposed(lever):
        lever.show()
    menu_key = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(), lever.mapToGlobal(QPoint(5, 5)))
    QApplication.sendEvent(lever, menu_key)
    menu = lever.findChildren(QMenu)[0]
    qtbot.keyClick(menu, Qt.Key.Key_Up)
    with qtbot.waitSignal(lever.follow_wanted):
        # Pressed only: the menu is gone before the key comes up.
        qtbot.keyPress(menu, Qt.Key.Key_Return)
    del menu
    qtbot.waitUntil(lambda: not lever.findChildren(QMenu))
