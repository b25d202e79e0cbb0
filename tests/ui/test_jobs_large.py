"""The Jobs dock with thousands of tasks and hundreds of jobs: what Qt's thread has to do for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QItemSelection, QItemSelectionModel, Qt
from PySide6.QtWidgets import QListWidget, QStyledItemDelegate

from app.journal.jobs import NewJob, NewTask
from app.journal.journal import Journal
from app.journal.rows import TaskRow
from ui.dialogs.base import Confirm
from ui.dialogs.job_actions import LISTED, TASK_ACTIONS
from ui.docks.jobs import PAGE, JobsDock
from ui.docks.table_view import TableView
from ui.models.jobs import TASK_COLUMNS, Table, with_known
from ui.panel import Panel
from ui.sample_day import Day

TASKS = 2_000


@pytest.fixture
def dock(show_panel: Callable[..., Panel], day: Day, engine: Journal, qtbot: Any) -> JobsDock:
    """The Jobs page with a job of many tasks, and a small one that is chosen."""
    tasks = [NewTask(f"render-{number}", "blender", [], dependencies=[0] if number else []) for number in range(TASKS)]
    engine.add_job(NewJob("large", "x", tasks))
    engine.add_job(NewJob("small", "x", [NewTask("t", "misc", [])]))
    panel = show_panel(day.folder)
    panel.show_page(2)
    qtbot.waitUntil(lambda: len(panel.jobs.tasks.rows()) == 1 and panel.jobs.task() is not None)
    return panel.jobs


def choose_large(qtbot: Any, dock: JobsDock) -> None:
    dock.list.selectRow(1)
    qtbot.waitUntil(lambda: len(dock.tasks.rows()) == TASKS and dock.task() is not None)


def many_tasks() -> list[TaskRow]:
    return [
        TaskRow(place, 1, place, "", place, f"render-{place}", "misc", 50, "queued", "", "", None, None, 0, 0, 0)
        for place in range(1, TASKS + 1)
    ]


def answered(qtbot: Any, dock: JobsDock) -> None:
    """Wait until the readers have answered what they were asked, and the timers have run."""
    for reader in (dock._hub.journal, dock.log.reader):
        done: list[object] = []
        reader.ask("test", lambda _store: None, done.append, owner=dock)
        qtbot.waitUntil(lambda done=done: bool(done))


def test_the_graph_of_a_job_is_worked_out_when_somebody_looks_at_it(qtbot: Any, dock: JobsDock) -> None:
    asked: list[int] = []
    dock._graph_pause.timeout.connect(lambda: asked.append(1))
    choose_large(qtbot, dock)
    answered(qtbot, dock)
    assert not dock._graph_pause.isActive()
    assert not asked
    assert not dock.canvas.graph.cards, "the tables are painted while nothing else keeps Python busy"
    dock.left.setCurrentIndex(1)
    qtbot.waitUntil(lambda: len(dock.canvas.graph.card_of) == TASKS)
    assert len(dock.canvas.graph.cards) == 2
    assert dock.canvas._state_words(1) == f"{TASKS - 1:,} queued"


def test_another_job_takes_the_graph_of_the_one_before_away(qtbot: Any, dock: JobsDock) -> None:
    dock.left.setCurrentIndex(1)
    choose_large(qtbot, dock)
    qtbot.waitUntil(lambda: len(dock.canvas.graph.card_of) == TASKS)
    dock.list.selectRow(0)
    assert not dock.canvas.graph.cards, "no states of one job on the cards of another"
    qtbot.waitUntil(lambda: len(dock.canvas.graph.cards) == 1)
    assert dock.canvas._state_words(0) == "queued"


def test_the_graph_is_never_behind_the_tasks(qtbot: Any, dock: JobsDock, engine: Journal) -> None:
    dock.left.setCurrentIndex(1)
    choose_large(qtbot, dock)
    qtbot.waitUntil(lambda: len(dock.canvas.graph.card_of) == TASKS)
    run = dock.tasks.rows()[0].run_id
    assert run is not None
    engine.set_state([run], "running")
    qtbot.waitUntil(lambda: dock.tasks.rows()[0].status == "active")
    assert dock.canvas._state_words(0) == "running"


def test_a_table_is_painted_in_one_go_and_asks_nothing_cell_by_cell(qtbot: Any, dark: None) -> None:
    class Delegate(QStyledItemDelegate):
        asked = 0

        def paint(self, *_of_cell: Any) -> None:
            Delegate.asked += 1

    class Asked(Table[TaskRow]):
        cells = 0

        def data(self, *given: Any) -> Any:
            Asked.cells += 1
            return super().data(*given)

    view = TableView(Asked(TASK_COLUMNS), "tasks")
    qtbot.addWidget(view)
    delegate = Delegate(view)
    view.setItemDelegate(delegate)
    view.resize(700, 500)
    blank = view.grab().toImage()
    view._table.set_rows(many_tasks())
    assert view.grab().toImage() != blank
    assert (Delegate.asked, Asked.cells) == (0, 0)


def test_who_selects_all_tasks_does_not_have_each_looked_at_to_paint_the_headings(qtbot: Any, dark: None) -> None:
    class Asked(Table[TaskRow]):
        times = 0

        def flags(self, *given: Any) -> Qt.ItemFlag:
            Asked.times += 1
            return super().flags(*given)

    model = Asked(TASK_COLUMNS)
    view = TableView(model, "tasks")
    qtbot.addWidget(view)
    view.resize(700, 500)
    with qtbot.waitExposed(view):
        view.show()
    model.set_rows(many_tasks())
    view.selectAll()
    view.grab()
    assert len(view.selected()) == TASKS
    assert Asked.times < TASKS / 2


def test_of_a_job_that_moves_on_only_what_changed_is_new(qtbot: Any, dock: JobsDock, engine: Journal) -> None:
    choose_large(qtbot, dock)
    before, told = list(dock.tasks.rows()), list[tuple[int, int]]()
    dock.tasks.dataChanged.connect(lambda first, last, *_: told.append((first.row(), last.row())))
    assert before[0].run_id is not None
    dock._tick.stop()
    engine.set_state([before[0].run_id], "running")
    qtbot.waitUntil(lambda: dock.tasks.rows()[0].status == "active")
    assert all(new is old for new, old in zip(dock.tasks.rows()[1:], before[1:], strict=True))
    assert told == [(0, 0)]


def test_rows_that_come_and_go_together_are_one_change_to_the_view() -> None:
    rows = many_tasks()
    model: Table[TaskRow] = Table(TASK_COLUMNS)
    model.set_rows(rows)
    gone, come = list[tuple[int, int]](), list[tuple[int, int]]()
    model.rowsRemoved.connect(lambda _parent, first, last: gone.append((first, last)))
    model.rowsInserted.connect(lambda _parent, first, last: come.append((first, last)))
    kept = [row for row in rows if row.index % 500 == 0]
    model.set_rows(kept)
    assert gone == [(1500, 1998), (1000, 1498), (500, 998), (0, 498)]
    assert list(model.rows()) == kept
    model.set_rows(rows)
    assert len(come) == 4
    assert list(model.rows()) == rows


def test_a_row_that_changed_is_another_one() -> None:
    known = many_tasks()[:3]
    read = [replace(known[0]), replace(known[1], status="active"), replace(known[2])]
    found = with_known(known, read)
    assert [row is old for row, old in zip(found, known, strict=True)] == [True, False, True]
    assert found == read


def test_older_jobs_come_when_the_list_is_scrolled_down_and_can_be_led_to(
    qtbot: Any, dock: JobsDock, engine: Journal
) -> None:
    ids = [engine.add_job(NewJob(f"job {number}", "x", []))[0] for number in range(2 * PAGE + 10)]
    qtbot.waitUntil(lambda: len(dock.jobs.rows()) == PAGE)
    bar = dock.list.verticalScrollBar()
    bar.setValue(bar.maximum())
    qtbot.waitUntil(lambda: len(dock.jobs.rows()) == 2 * PAGE)
    dock.bar.set_values({"text": "job 9"})
    qtbot.waitUntil(lambda: all("job 9" in row.name for row in dock.jobs.rows()))
    assert bar.value() == 0, "what was searched for begins on top"
    dock.go_to_job(ids[0] - 1)
    qtbot.waitUntil(lambda: dock.title.whole() == "small")
    assert len(dock.jobs.rows()) >= 2 * PAGE + 10


def test_an_order_about_hundreds_of_tasks_lists_some_and_is_given_in_pieces(
    qtbot: Any, dock: JobsDock, engine: Journal
) -> None:
    choose_large(qtbot, dock)
    dock.task_list.clearSelection()
    span = QItemSelection(dock.tasks.index(0, 0), dock.tasks.index(2 * LISTED - 1, 0))
    flags = QItemSelectionModel.SelectionFlag
    dock.task_list.selectionModel().select(span, flags.Select | flags.Rows)
    dock.act_on_tasks(TASK_ACTIONS[1])
    (dialog,) = dock.findChildren(Confirm)
    (listing,) = dialog.findChildren(QListWidget)
    assert listing.count() == LISTED + 1
    assert listing.item(LISTED).text() == f"and {LISTED} more"
    before = dock._hub.journal._serial
    dialog.accept()
    assert dock._hub.journal._serial - before < LISTED, "not all in one turn of the window"
    qtbot.waitUntil(lambda: len(engine.open_orders()) == 2 * LISTED)
    assert {order.kind for order in engine.open_orders()} == {"task_cancel"}
    for order in engine.open_orders():
        engine.answer(order.id, {"job": order.args["job"]})
    qtbot.waitUntil(lambda: not dock._hub._orders)


def test_a_job_without_tasks_says_so(qtbot: Any, dock: JobsDock, engine: Journal) -> None:
    job, _new = engine.add_job(NewJob("nothing to do", "x", []))
    dock.go_to_job(job)
    qtbot.waitUntil(lambda: dock.title.whole() == "nothing to do" and dock.task_list._empty == "This job has no tasks.")
    assert dock.activity.whole() == "No tasks"
