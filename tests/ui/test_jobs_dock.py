"""The Jobs dock on a real journal, as a TD uses it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from painted import Painted
from PySide6.QtCore import QObject, Qt, QUrl, Slot
from PySide6.QtGui import QColor, QDesktopServices, QGuiApplication, QImage
from PySide6.QtWidgets import QFrame, QLabel, QListWidget, QPushButton, QVBoxLayout

from app.journal.jobs import NewJob, NewTask
from app.journal.journal import Journal
from app.journal.rows import JobFilter, JobRow
from ui.dialogs.base import Confirm
from ui.dialogs.job_actions import TASK_ACTIONS, PriorityDialog
from ui.dialogs.job_confirm import JobConfirmDialog
from ui.docks.jobs import JobsDock
from ui.docks.table_view import TableView
from ui.models.jobs import JOB_COLUMNS, Table
from ui.panel import Panel
from ui.sample_day import Day
from ui.sample_jobs import SampleJobs, write_jobs


class Desktop(QObject):
    """What the desktop is asked to open."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        QDesktopServices.setUrlHandler("file", self, "take")

    @Slot(QUrl)
    def take(self, url: QUrl) -> None:
        self.opened.append(url.toLocalFile())

    def leave(self) -> None:
        QDesktopServices.unsetUrlHandler("file")


@pytest.fixture
def desktop(qapp: Any) -> Iterator[Desktop]:
    del qapp
    asked = Desktop()
    yield asked
    asked.leave()


@pytest.fixture
def sample(day: Day) -> SampleJobs:
    return write_jobs(day.folder, now=time.time())


@pytest.fixture
def panel(show_panel: Callable[..., Panel], sample: SampleJobs) -> Panel:
    panel = show_panel(sample.folder)
    panel.show_page(2)
    return panel


@pytest.fixture
def dock(panel: Panel, qtbot: Any) -> JobsDock:
    qtbot.waitUntil(lambda: len(panel.jobs.jobs.rows()) == 6)
    return panel.jobs


@pytest.fixture
def engine(sample: SampleJobs) -> Iterator[Journal]:
    journal = Journal.open(sample.folder)
    yield journal
    journal.close()


def choose(qtbot: Any, dock: JobsDock, job: int, tasks: int) -> None:
    dock.go_to_job(job)
    qtbot.waitUntil(
        lambda: dock.list.current_id() == job and len(dock.tasks.rows()) == tasks and dock.task() is not None,
    )


def cells(table: Any, place: int) -> list[str]:
    return [str(table.index(place, column).data()) for column in range(len(table.columns))]


def log_text(dock: JobsDock) -> list[str]:
    model = dock.log.model
    rows = [model.row(place) for place in range(model.count())]
    return [dock.log.view.line(row) for row in rows if row is not None]


def test_jobs_of_both_engines_stand_in_one_list(dock: JobsDock) -> None:
    found = {row[1]: row for row in (cells(dock.jobs, place) for place in range(6))}
    assert found["BC_0042 dailies"][2:7] == ["dailies-transcode", "This machine", "62 %", "6 of 11", "anna.berg"]
    assert found["TOS_0120 lighting v003"][3] == "Flamenco"
    assert found["BC_0050 dailies"][0] == "Failed"
    assert found["BC_0050 dailies"][5] == "9 of 11, 1 failed"
    assert found["BC_0030 publish copy"][7] == "67 min ago"
    assert cells(dock.jobs, 0)[1] == "BC_0042 dailies", "the newest is on top"


def test_a_failed_job_opens_at_its_failed_task_with_its_log(qtbot: Any, dock: JobsDock, sample: SampleJobs) -> None:
    choose(qtbot, dock, sample.failed, 11)
    task = dock.task()
    assert task is not None
    assert (task.index, task.status, task.worker) == (4, "failed", "ws-lighting-04")
    qtbot.waitUntil(lambda: any("--- failed" in line for line in log_text(dock)))
    assert "[image2 @ 0x55d0c8] Could not open file : BC_0050.1058.exr" in log_text(dock)


def test_e_goes_to_the_first_error_and_a_search_goes_around(qtbot: Any, dock: JobsDock, sample: SampleJobs) -> None:
    choose(qtbot, dock, sample.failed, 11)
    log = dock.log
    qtbot.waitUntil(lambda: log.model.count() == 14)
    assert log.view.following
    qtbot.keyClick(log.view, Qt.Key.Key_E)
    qtbot.waitUntil(lambda: log.view.current_id == 12)
    assert not log.view.following, "who jumps to an error wants to stay there"
    qtbot.keyClicks(log.search, "frame=    7")
    qtbot.waitUntil(lambda: log.view.current_id == 10)
    qtbot.keyClick(log.search, Qt.Key.Key_Return)
    qtbot.wait(100)
    assert log.view.current_id == 10, "the only hit is found again from the top"
    log.search.setText("nothing like it")
    qtbot.waitUntil(lambda: log.search.property("state") == "error")


def test_scrolling_up_stops_following_and_the_end_starts_it_again(
    qtbot: Any, dock: JobsDock, sample: SampleJobs, engine: Journal
) -> None:
    path = engine.task_log_path(sample.running, 7)
    path.write_text("".join(f"line {number}\n" for number in range(3_000)))
    choose(qtbot, dock, sample.running, 11)
    view, bar = dock.log.view, dock.log.view.verticalScrollBar()
    qtbot.waitUntil(lambda: dock.log.model.count() == 3_000 and bar.value() == bar.maximum())

    bar.triggerAction(bar.SliderAction.SliderPageStepSub)
    top = view.top_row()
    assert not view.following
    assert not dock.log.follow.isChecked()
    with path.open("a") as out:
        out.write("".join(f"more {number}\n" for number in range(500)))
    qtbot.waitUntil(lambda: dock.log.model.count() == 3_500)
    assert view.top_row() == top, "the person keeps looking at the same line"

    qtbot.keyClick(view, Qt.Key.Key_End)
    assert view.following
    with path.open("a") as out:
        out.write("last\n")
    qtbot.waitUntil(lambda: dock.log.model.count() == 3_501 and bar.value() == bar.maximum())


def test_a_task_that_starts_over_shows_nothing_of_its_old_log(
    qtbot: Any, dock: JobsDock, sample: SampleJobs, engine: Journal
) -> None:
    choose(qtbot, dock, sample.failed, 11)
    qtbot.waitUntil(lambda: any("--- failed" in line for line in log_text(dock)))
    engine.task_log_path(sample.failed, 4).write_text("attempt 2\n")
    qtbot.waitUntil(lambda: log_text(dock) == ["attempt 2"])


def test_copied_lines_have_no_colours_and_the_log_is_opened_and_kept_as_a_file(
    qtbot: Any, dock: JobsDock, sample: SampleJobs, engine: Journal, desktop: Desktop, tmp_path: Path
) -> None:
    choose(qtbot, dock, sample.failed, 11)
    qtbot.waitUntil(lambda: dock.log.model.count() == 14)
    dock.log.view.go_to(12)
    dock.log.view.copy()
    wanted = "Error opening input: No such file or directory"
    qtbot.waitUntil(lambda: QGuiApplication.clipboard().text() == wanted)
    said: list[str] = []
    dock.log.said.connect(said.append)
    dock.log.save_copy(tmp_path / "kept.log")
    qtbot.waitUntil(lambda: bool(said))
    assert (tmp_path / "kept.log").read_bytes() == engine.task_log_path(sample.failed, 4).read_bytes()
    dock.log.save_copy(tmp_path / "no" / "folder.log")
    qtbot.waitUntil(lambda: "No such file" in said[-1])

    path = engine.task_log_path(sample.failed, 4)
    open_it = next(action for action in dock.log.file.menu().actions() if action.text() == "Open as a file")
    open_it.trigger()
    assert desktop.opened == [str(path)]
    path.unlink()
    open_it.trigger()
    assert said[-1] == f"{path} is not there yet: the task has written nothing."
    assert desktop.opened == [str(path)]


def test_the_graph_shows_what_every_task_is_at(qtbot: Any, dock: JobsDock, sample: SampleJobs) -> None:
    choose(qtbot, dock, sample.farm, 25)
    dock.left.setCurrentIndex(1)
    qtbot.waitUntil(lambda: len(dock.canvas.graph.cards) == 2)
    assert dock.canvas._state_words(0) == "3 running, 6 queued, 15 done"
    assert dock.canvas._state_words(1) == "queued"
    dock.group.setChecked(False)
    qtbot.waitUntil(lambda: len(dock.canvas.graph.cards) == 25)
    dock.canvas.picked.emit([20])
    task = dock.task()
    assert task is not None
    assert task.name == "render-201-210"


def test_the_last_picture_is_shown_and_replaced_by_a_newer_one(
    qtbot: Any, dock: JobsDock, sample: SampleJobs, engine: Journal, tmp_path: Path
) -> None:
    path = tmp_path / "last.png"
    for name in ("red", "blue"):
        picture = QImage(64, 36, QImage.Format.Format_RGB32)
        picture.fill(QColor(name))
        picture.save(str(path))
        engine.set_last_rendered(sample.running, str(path))
        dock.go_to_job(sample.running)
        qtbot.waitUntil(
            lambda name=name: (
                not dock.picture.image().isNull() and dock.picture.image().pixelColor(9, 9) == QColor(name)
            ),
        )


def test_cancelling_two_jobs_lists_both_and_orders_both(
    qtbot: Any, dock: JobsDock, sample: SampleJobs, engine: Journal
) -> None:
    names = [row.name for row in dock.jobs.rows()]
    dock.list.clearSelection()
    mode = dock.list.selectionModel().SelectionFlag.Select | dock.list.selectionModel().SelectionFlag.Rows
    for name in ("BC_0042 dailies", "TOS_0120 lighting v003", "BC_0030 publish copy"):
        dock.list.selectionModel().select(dock.jobs.index(names.index(name), 0), mode)
    assert dock.activity.whole() == "3 jobs selected; the buttons are for all of them"
    qtbot.mouseClick(dock.actions_["job_cancel"], Qt.MouseButton.LeftButton)
    (dialog,) = dock.findChildren(Confirm)
    (listing,) = dialog.findChildren(QListWidget)
    listed = [listing.item(place).text() for place in range(listing.count())]
    assert listed == ["BC_0042 dailies  (This machine)", "TOS_0120 lighting v003  (Flamenco)"], (
        "what is done is left out"
    )
    assert not dialog.confirm.isDefault(), "Return leaves everything as it is"
    qtbot.mouseClick(dialog.confirm, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(engine.open_orders()) == 2)
    orders = {(order.kind, order.args["job"]) for order in engine.open_orders()}
    assert orders == {("job_cancel", sample.running), ("job_cancel", sample.farm)}
    for order in engine.open_orders():
        engine.answer(order.id, {"job": order.args["job"]})
    qtbot.waitUntil(lambda: not dock._hub._orders)


def test_priority_and_requeue_of_a_failed_task(qtbot: Any, dock: JobsDock, sample: SampleJobs, engine: Journal) -> None:
    choose(qtbot, dock, sample.failed, 11)
    assert not dock.actions_["job_pause"].isEnabled(), "a job at rest cannot be paused"
    dock.act_on_tasks(TASK_ACTIONS[0])
    (dialog,) = dock.findChildren(Confirm)
    dialog.accept()
    choose(qtbot, dock, sample.running, 11)
    qtbot.mouseClick(dock.actions_["job_priority"], Qt.MouseButton.LeftButton)
    (asked,) = dock.findChildren(PriorityDialog)
    asked.value.setValue(80)
    qtbot.mouseClick(asked.confirm, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(engine.open_orders()) == 2)
    assert [(order.kind, order.args) for order in engine.open_orders()] == [
        ("task_requeue", {"job": sample.failed, "task": 4}),
        ("job_priority", {"job": sample.running, "priority": 80}),
    ]


def test_the_command_lines_are_seen_before_a_script_runs_for_the_first_time(
    qtbot: Any, panel: Panel, dock: JobsDock, sample: SampleJobs, engine: Journal
) -> None:
    panel.go_to_job(sample.to_confirm)
    qtbot.waitUntil(lambda: dock.list.current_id() == sample.to_confirm and dock.confirm.isVisible())
    qtbot.mouseClick(dock.confirm, Qt.MouseButton.LeftButton)
    (dialog,) = dock.findChildren(JobConfirmDialog)
    qtbot.waitUntil(dialog.confirm.isEnabled)
    text = dialog.lines.toPlainText()
    folder = "/data/production/bigbuck/shots/BC_0061/dailies"
    assert f"ffmpeg -y -start_number 1001 -i {folder}/BC_0061.%04d.exr -frames:v 25 {folder}/00.mov" in text
    assert dialog.words.text().startswith("3 command lines in 3 tasks.")
    qtbot.mouseClick(dialog.confirm, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(engine.open_orders()) == 1)
    (order,) = engine.open_orders()
    assert (order.kind, order.args) == ("job_confirm", {"job": sample.to_confirm})


def test_tasks_that_could_not_be_read_are_read_again(
    qtbot: Any, dock: JobsDock, sample: SampleJobs, engine: Journal
) -> None:
    with engine.write() as db:
        db.execute("ALTER TABLE needs RENAME TO elsewhere")
    dock.go_to_job(sample.done)
    qtbot.waitUntil(lambda: "could not be read: " in dock.task_list._empty)
    with engine.write() as db:
        db.execute("ALTER TABLE elsewhere RENAME TO needs")
    qtbot.waitUntil(lambda: len(dock.tasks.rows()) == 2)


def test_a_log_that_the_farm_cannot_give_says_why(
    qtbot: Any, dock: JobsDock, sample: SampleJobs, engine: Journal
) -> None:
    choose(qtbot, dock, sample.farm, 25)
    qtbot.waitUntil(lambda: len(engine.open_orders()) == 1)
    assert dock.log.view._empty == "Fetching the log from the Flamenco Manager…"
    (order,) = engine.open_orders()
    engine.answer(order.id, {"refused": "no Flamenco Manager is set (settings, flamenco.manager)"})
    why = "Its log cannot be fetched: no Flamenco Manager is set (settings, flamenco.manager)"
    qtbot.waitUntil(lambda: dock.log.view._empty == why)
    dock.task_list.selectRow(24)
    assert dock.log.view._empty == "This task has not started yet."


def test_a_program_that_is_not_allowed_is_named_before_anything_runs(
    qtbot: Any, panel: Panel, dock: JobsDock, engine: Journal
) -> None:
    command = {"name": "exec", "parameters": {"exe": "/usr/bin/rm", "args": ["-rf", "/data"]}}
    job, _new = engine.add_job(
        NewJob("tidy", "tidy", [NewTask("t", "misc", [command])], script_hash="x", hold="confirm")
    )
    panel.go_to_job(job, confirm=True)
    qtbot.waitUntil(lambda: bool(dock.findChildren(JobConfirmDialog)))
    (dialog,) = dock.findChildren(JobConfirmDialog)
    qtbot.waitUntil(dialog.confirm.isEnabled)
    assert "/usr/bin/rm -rf /data" in dialog.lines.toPlainText()
    assert "will not run: /usr/bin/rm is not among the programs" in dialog.lines.toPlainText()
    dialog.reject()


def test_the_list_keeps_place_and_choice_while_jobs_come_and_go(
    qtbot: Any, dock: JobsDock, sample: SampleJobs, engine: Journal
) -> None:
    choose(qtbot, dock, sample.done, 2)
    made = [engine.add_job(NewJob(f"new {n}", "x", [NewTask("t", "misc", [])], who="td"))[0] for n in range(30)]
    qtbot.waitUntil(lambda: len(dock.jobs.rows()) == 36)
    assert dock.list.current_id() == sample.done
    engine.delete_job(made[3])
    engine.delete_job(sample.failed)
    qtbot.waitUntil(lambda: len(dock.jobs.rows()) == 34)
    assert dock.list.current_id() == sample.done
    dock.bar.set_values({"text": "new 1"})
    qtbot.waitUntil(lambda: len(dock.jobs.rows()) == 11)
    dock.bar.set_values({"engine": "manager"})
    qtbot.waitUntil(lambda: {row.engine for row in dock.jobs.rows()} == {"manager"})


def test_a_day_without_jobs_says_where_they_come_from(qtbot: Any, show_panel: Callable[..., Panel], day: Day) -> None:
    panel = show_panel(day.folder)
    panel.show_page(2)
    assert "press Run" in panel.jobs.list._empty
    qtbot.mouseClick(panel.jobs.new, Qt.MouseButton.LeftButton)
    assert panel.pages.currentWidget() is panel._workbench


def test_the_run_that_submitted_a_job_leads_to_it(
    qtbot: Any, panel: Panel, sample: SampleJobs, day: Day, engine: Journal
) -> None:
    run = day.failed_run
    (effect, *_others) = engine.effects_of(run)
    engine.mark_effects([effect.id], "sent", after={effect.id: {"job": sample.done, "status": "canceled"}})
    panel.go_to_run(run)
    name = f"job_{sample.done}"
    qtbot.waitUntil(lambda: panel.detail.findChild(QPushButton, name) is not None)
    assert "Cancelled" in {label.text() for label in panel.detail.findChildren(QLabel)}, "how the job ended"
    qtbot.mouseClick(panel.detail.findChild(QPushButton, name), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.jobs.list.current_id() == sample.done)
    assert panel.pages.currentWidget() is panel.jobs


def test_a_job_that_moves_on_has_its_own_row_painted_and_nothing_around_it(
    qtbot: Any, dark: None, engine: Journal
) -> None:
    rows = engine.jobs(JobFilter())
    model: Table[JobRow] = Table(JOB_COLUMNS)
    window = QFrame()
    qtbot.addWidget(window)
    table = TableView(model, "jobs")
    QVBoxLayout(window).addWidget(table)
    window.resize(1_200, 400)
    model.set_rows(rows)
    with qtbot.waitExposed(window):
        window.show()
    row, around = Painted(table.viewport()), Painted(window)
    window.update()
    qtbot.waitUntil(lambda: around.times > 0)
    row.areas.clear()
    around.areas.clear()
    model.set_rows([*rows[:2], replace(rows[2], name="BC_0042 moved on"), *rows[3:]])
    qtbot.waitUntil(lambda: row.times > 0)
    top, height = table.rowViewportPosition(2), table.rowHeight(2)
    # Qt takes a row to be a point higher than it is.
    assert all(area.top() >= top and area.height() <= height + 1 for area in row.areas)
    assert around.times == 0
