"""The Events dock and the Event detail: what happened, why, and what a person can do about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QMenu, QPushButton

from app.journal.journal import Journal
from app.journal.queue import NewRun
from app.journal.rows import EventFilter, RawEvent
from ui.compiler.workbench import Workbench
from ui.dialogs.preview import PreviewDialog
from ui.docks.detail import difference, how_a_job_is
from ui.panel import Panel
from ui.sample_day import Day


@pytest.fixture
def panel(show_panel: Callable[..., Panel], day: Day) -> Panel:
    return show_panel(day.folder)


def words_of(panel: Panel) -> str:
    return "\n".join(label.text() for label in panel.detail.findChildren(QLabel))


def cells(panel: Panel, row_id: int) -> tuple[str, ...]:
    row = panel.events.model.row_of(row_id)
    return row.cells if row is not None else ()


def test_an_event_arrives_while_somebody_looks(panel: Panel, engine: Journal, qtbot: Any) -> None:
    before = panel.events.model.count()
    (row,) = engine.append_events([RawEvent({"id": "new", "topic": "studio.custom", "data": {}}, 1_700_000_000.0)])
    qtbot.waitUntil(lambda: panel.events.model.count() == before + 1)
    qtbot.waitUntil(lambda: cells(panel, row)[1:2] == ("studio.custom",))


def test_a_lamp_changes_when_its_run_ends(panel: Panel, engine: Journal, day: Day, qtbot: Any) -> None:
    row, run = day.missing_folder
    panel.events.go_to(row)
    qtbot.waitUntil(lambda: bool(cells(panel, row)))
    assert panel.events.model.row_of(row).lamps == (("create_task_folder", "failed"),)
    engine.set_state([run], "done", "")
    qtbot.waitUntil(lambda: panel.events.model.row_of(row).lamps == (("create_task_folder", "done"),))


def test_events_are_filtered_by_handler_state_show_person_and_text(panel: Panel, engine: Journal, qtbot: Any) -> None:
    for values, wanted in (
        ({"handler": "status_handler"}, EventFilter(handlers=frozenset({"status_handler"}))),
        ({"state": "failed"}, EventFilter(states=frozenset({"failed"}))),
        ({"project": "bigbuck"}, EventFilter(project="bigbuck")),
        ({"user": "anna"}, EventFilter(user="anna")),
        ({"entity": "BB_0070"}, EventFilter(entity="BB_0070")),
        ({"text": "ready for (comp|light)", "regex": True}, EventFilter(text="ready for (comp|light)", regex=True)),
    ):
        expected = engine.count_events(wanted)
        assert 0 < expected < engine.count_events(), f"{values} tells something apart"
        panel.events.show_only(**values)
        assert panel.events.filter() == wanted
        qtbot.waitUntil(lambda number=expected: panel.events.model.count() == number)


def test_a_run_that_comes_to_fail_joins_the_failed_ones(panel: Panel, engine: Journal, day: Day, qtbot: Any) -> None:
    panel.events.show_only(state="failed", handler="create_project_folder")
    qtbot.waitUntil(lambda: panel.events.model.count() == 0)
    engine.set_state([day.project_folder[1]], "failed", "disk full")
    qtbot.waitUntil(lambda: panel.events.model.count() == 1)


def test_a_jump_to_an_event_takes_a_filter_away_that_would_hide_it(panel: Panel, day: Day, qtbot: Any) -> None:
    panel.events.show_only(project="tears_of_steel")
    panel.go_to_event(day.project_folder[0])
    assert panel.events.bar.is_empty()
    qtbot.waitUntil(lambda: "bigbukc" in panel.detail.words.whole())


def test_the_detail_shows_runs_effects_json_and_log(panel: Panel, day: Day, qtbot: Any) -> None:
    row, run = day.project_folder
    panel.go_to_event(row)
    qtbot.waitUntil(lambda: run in panel.detail._cards)
    said = words_of(panel)
    assert "Make /data/production/bigbukc/shots" in said
    assert said.count("the project's workflow is VFX Scheme") == 1, "one reason for all is said once"
    assert json.loads(panel.detail.json.toPlainText())["topic"] == "ftrack.update"
    panel.detail.tabs.setCurrentIndex(2)
    qtbot.waitUntil(lambda: panel.detail.log.model.count() == 1)


def test_a_failed_run_is_retried_and_the_event_replayed(panel: Panel, day: Day, engine: Journal, qtbot: Any) -> None:
    row, run = day.missing_folder
    panel.go_to_event(row)
    qtbot.waitUntil(lambda: run in panel.detail._cards)
    retry = panel.detail.findChild(QPushButton, f"retry_{run}")
    qtbot.mouseClick(retry, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(panel.detail.replay, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(panel.detail.dry, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(engine.open_orders()) == 3)
    found = {(order.kind, json.dumps(order.args, sort_keys=True)) for order in engine.open_orders()}
    assert found == {
        ("retry", json.dumps({"run": run})),
        ("replay", json.dumps({"dry": False, "event_row": row})),
        ("replay", json.dumps({"dry": True, "event_row": row})),
    }


def test_a_run_that_waits_for_its_next_attempt_is_tried_at_once(
    panel: Panel, day: Day, engine: Journal, qtbot: Any
) -> None:
    row, run = day.missing_folder
    engine.set_state([run], "retry", "the site does not answer", due=4_000_000_000.0, failed_attempt=True)
    panel.go_to_event(row)
    qtbot.waitUntil(lambda: run in panel.detail._cards)
    now = panel.detail.findChild(QPushButton, f"retry_{run}")
    assert now.text() == "Retry now"
    qtbot.mouseClick(now, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: [(order.kind, order.args) for order in engine.open_orders()] == [("retry", {"run": run})])


def test_the_run_that_a_replay_made_is_brought_into_sight(panel: Panel, day: Day, engine: Journal, qtbot: Any) -> None:
    row, run = day.missing_folder
    first = engine.run(run).row

    def once_more(number: int) -> int:
        (made,) = engine.add_runs(
            [
                NewRun(
                    kind="handler",
                    handler=first.handler,
                    identity=f"again {number}",
                    key="task:x",
                    seq=row,
                    received=first.created,
                    event_row=row,
                )
            ]
        )
        assert made is not None
        return made

    for number in range(6):
        once_more(number)
    panel.go_to_event(row)
    qtbot.waitUntil(lambda: len(panel.detail._cards) == 7)
    qtbot.mouseClick(panel.detail.replay, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(engine.open_orders()) == 1)
    newest = once_more(7)
    engine.answer(engine.open_orders()[0].id, {"run": newest})
    qtbot.waitUntil(lambda: newest in panel.detail._cards)
    qtbot.waitUntil(lambda: not panel.detail.card(newest).visibleRegion().isEmpty())


def test_a_refused_order_is_said(panel: Panel, day: Day, engine: Journal, qtbot: Any) -> None:
    panel.replay(day.events[0])
    qtbot.waitUntil(lambda: len(engine.open_orders()) == 1)
    engine.answer(engine.open_orders()[0].id, {"refused": "no handler wants this event"})
    qtbot.waitUntil(lambda: "no handler wants this event" in panel.notice.text.whole())


def test_the_menu_of_an_event_filters_and_copies(panel: Panel, day: Day, qtbot: Any) -> None:
    row = day.project_folder[0]
    panel.events.go_to(row)
    qtbot.waitUntil(lambda: bool(cells(panel, row)))
    menu = QMenu(panel)
    panel.events.view.menu_wanted.emit(row, menu)
    actions = {action.text(): action for action in menu.actions()}
    QGuiApplication.clipboard().setText("")
    actions["Copy the event's JSON"].trigger()
    qtbot.waitUntil(lambda: "bigbukc" in QGuiApplication.clipboard().text())
    actions["Only show bigbukc"].trigger()
    qtbot.waitUntil(lambda: panel.events.model.count() == 1)


def test_an_event_without_runs_says_which_levers_are_off(panel: Panel, day: Day, engine: Journal, qtbot: Any) -> None:
    (row,) = engine.append_events([RawEvent({"id": "quiet", "topic": "ftrack.update", "data": {}}, 1_700_000_000.0)])
    engine.set_lever("create_task_folder", "", "off", "anna.berg", "maintenance")
    qtbot.waitUntil(lambda: panel.hub.snapshot.lever("create_task_folder").position == "off")
    panel.go_to_event(row)
    qtbot.waitUntil(lambda: "Create task folder (since" in words_of(panel))
    assert "anna.berg" in words_of(panel)


def test_what_would_it_do_shows_the_plan_of_any_recorded_event(
    panel: Panel, day: Day, engine: Journal, qtbot: Any
) -> None:
    dialog = panel.open_preview("create_project_folder")
    assert isinstance(dialog, PreviewDialog)
    qtbot.waitUntil(lambda: dialog.hits.count() > 10)
    dialog.hits.setCurrentRow(3)
    qtbot.waitUntil(lambda: len(engine.open_orders()) == 1)
    (order,) = engine.open_orders()
    assert order.kind == "preview"
    assert order.args["handler"] == "create_project_folder"
    # The journal keeps the plan of an earlier dry run: the dialog reads it as it reads any preview's.
    engine.answer(order.id, {"run": day.project_folder[1], "runs": [day.project_folder[1]]})
    qtbot.waitUntil(lambda: dialog.said.text() == "It would do 8 things:")
    dialog.reject()


def test_the_job_compiler_is_built_when_it_is_first_wanted(panel: Panel, qtbot: Any) -> None:
    assert panel.pages.count() == 1
    panel.show_page(1)
    assert panel.pages.count() == 2
    assert type(panel.pages.currentWidget()).__name__ == "Workbench"
    panel.show_page(0)
    assert panel.pages.currentWidget() is panel.docks


def test_the_workbench_finds_its_panes_as_they_were_left(
    show_panel: Callable[..., Panel], day: Day, qtbot: Any
) -> None:
    panel = show_panel(day.folder)
    panel.show_page(1)
    workbench = panel.pages.currentWidget()
    assert isinstance(workbench, Workbench)
    qtbot.waitUntil(lambda: sum(workbench.splitter.sizes()) > 900)
    left, middle, right = workbench.splitter.sizes()
    workbench.splitter.setSizes([left + 60, middle - 60, right])
    wanted = workbench.splitter.sizes()
    assert wanted[0] > left
    panel.save_layout()
    again = show_panel(day.folder)
    again.resize(panel.size())
    again.show_page(1)
    other = again.pages.currentWidget()
    assert isinstance(other, Workbench)
    qtbot.waitUntil(lambda: other.splitter.sizes() == wanted)


def test_how_a_runs_job_ended_is_said_in_words() -> None:
    job = {"job": 12, "engine": "local", "status": "failed", "activity": "1 of 2 tasks failed"}
    assert how_a_job_is(job) == ("Failed: 1 of 2 tasks failed", "error")
    assert how_a_job_is({**job, "status": "completed", "activity": ""}) == ("Done", "")
    assert how_a_job_is({**job, "status": "gone", "activity": "deleted by td"}) == ("Gone: deleted by td", "error")


def test_a_difference_names_only_what_changed() -> None:
    assert difference({"status": "A", "bid": 1}, {"status": "B", "bid": 1}) == "status: A → B"
    assert difference(None, {"exists": True}) == ""
    assert difference({"thumbnail": None}, {"thumbnail": "x"}) == "thumbnail: nothing → x"
