"""Every text of the window can be read at 1280x720, in both themes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from clipping import assert_nothing_is_clipped, clipped
from PySide6.QtCore import QSize
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QTabBar,
    QTableWidget,
    QWidget,
)

from ui import theme
from ui.dialogs.base import Confirm
from ui.dialogs.job_actions import PriorityDialog
from ui.dialogs.job_confirm import JobConfirmDialog
from ui.panel import Panel
from ui.sample_day import Day
from ui.sample_jobs import write_jobs


@pytest.fixture(params=["dark", "light"])
def panel(request: Any, show_panel: Callable[..., Panel], day: Day, qapp: QApplication, qtbot: Any) -> Panel:
    theme.apply(qapp, request.param)
    made = show_panel(day.folder)
    made.go_to_event(day.project_folder[0])
    qtbot.waitUntil(lambda: bool(made.detail._cards))
    return made


def test_no_text_of_the_signals_page_is_clipped(panel: Panel, qtbot: Any) -> None:
    assert panel.size() == QSize(1280, 720)
    assert_nothing_is_clipped(qtbot, panel)
    panel.handlers.tabs.setCurrentIndex(1)
    panel._dock["log"].raise_()
    panel.events.bar._more_button.setChecked(True)
    qtbot.waitUntil(lambda: len(panel.handlers.grid._levers) > 0)
    assert_nothing_is_clipped(qtbot, panel)


@pytest.mark.parametrize("opens", ["finder", "undo", "preview", "handler_settings", "kept"])
def test_no_text_of_a_dialog_is_clipped(panel: Panel, opens: str, day: Day, qtbot: Any) -> None:
    dialogs: dict[str, Callable[[], QWidget]] = {
        "finder": panel.open_finder,
        "undo": lambda: panel.open_undo(day.project_folder[1]),
        "preview": lambda: panel.open_preview("create_task_folder"),
        "handler_settings": lambda: panel.open_handler_settings("create_task_folder"),
        "kept": lambda: panel.open_kept("create_task_folder", 12),
    }
    dialog = dialogs[opens]()
    assert_nothing_is_clipped(qtbot, dialog)
    if opens == "finder":
        dialog.search.setText("BB_0070 match")
        qtbot.waitUntil(lambda: dialog._told.count() > 1)
        assert_nothing_is_clipped(qtbot, dialog)
    dialog.close()


def test_no_text_of_any_section_of_the_settings_is_clipped(panel: Panel, qtbot: Any) -> None:
    dialog = panel.open_settings()
    for place in range(dialog.sections.count()):
        dialog.sections.setCurrentRow(place)
        assert_nothing_is_clipped(qtbot, dialog)
    dialog.close()


def test_no_text_of_the_assistants_steps_is_clipped(panel: Panel, qtbot: Any) -> None:
    dialog = panel.open_assistant()
    for place in range(dialog.list.count()):
        dialog.list.setCurrentRow(place)
        dialog._page().tell("https://studio.ftrackapp.com does not answer: nothing listens at that address", "error")
        assert_nothing_is_clipped(qtbot, dialog)
    dialog.close()


def test_no_text_of_the_actions_and_the_browser_is_clipped(panel: Panel, qtbot: Any) -> None:
    for dock in ("actions", "browser"):
        panel._dock[dock].raise_()
        assert_nothing_is_clipped(qtbot, panel)


def test_no_text_of_the_job_compiler_is_clipped(panel: Panel, qtbot: Any) -> None:
    panel.show_page(1)
    assert_nothing_is_clipped(qtbot, panel)
    workbench: Any = panel._workbench
    qtbot.waitUntil(lambda: bool(workbench.scripts.infos()))
    workbench.open_script("dailies_transcode.js")
    qtbot.waitUntil(lambda: workbench.document.name == "dailies_transcode.js")
    qtbot.waitUntil(lambda: workbench.preview.head.state() != "off" and not workbench.runner.busy)
    workbench.find_bar.start(replacing=True)
    for place in range(workbench.preview.tabs.count()):
        workbench.preview.tabs.setCurrentIndex(place)
        assert_nothing_is_clipped(qtbot, panel)


WORDS = "A text that does not fit"


def _narrow_table() -> QWidget:
    table = QTableWidget(1, 2)
    table.setHorizontalHeaderLabels([WORDS, "b"])
    table.setColumnWidth(0, 30)
    return table


def _narrow_tab() -> QWidget:
    tabs = QTabBar()
    tabs.addTab(WORDS)
    tabs.setStyleSheet("QTabBar::tab { width: 10px; }")
    return tabs


def _choice() -> QWidget:
    box = QComboBox()
    box.addItem(WORDS)
    return box


@pytest.mark.parametrize(
    "make",
    [lambda: QLabel(WORDS), lambda: QLabel(f"short\n{WORDS}"), lambda: QPushButton(WORDS), lambda: QCheckBox(WORDS),
     lambda: QLineEdit(placeholderText=WORDS), _choice, _narrow_table, _narrow_tab],
    ids=["label", "two lines", "button", "check box", "placeholder", "choice", "heading", "tab"],
)  # fmt: skip
def test_the_check_itself_notices_what_is_clipped(make: Callable[[], QWidget], dark: None, qtbot: Any) -> None:
    holder = QWidget()
    qtbot.addWidget(holder)
    made = make()
    made.setParent(holder)
    made.setGeometry(0, 0, 60, 40)
    with qtbot.waitExposed(holder):
        holder.show()
    assert len(list(clipped(holder))) == 1


def test_the_check_itself_notices_a_window_that_no_small_screen_has_room_for(dark: None, qtbot: Any) -> None:
    holder = QWidget()
    qtbot.addWidget(holder)
    holder.setMinimumWidth(1281)
    with qtbot.waitExposed(holder):
        holder.show()
    assert len(list(clipped(holder))) == 1


def test_no_text_of_the_jobs_page_is_clipped(panel: Panel, day: Day, qtbot: Any) -> None:
    jobs = write_jobs(day.folder, now=time.time())
    for job in (jobs.to_confirm, jobs.running, jobs.failed, jobs.farm):
        panel.go_to_job(job)
        qtbot.waitUntil(lambda job=job: panel.jobs.list.current_id() == job)
        qtbot.waitUntil(lambda: panel.jobs.task() is not None)
        assert_nothing_is_clipped(qtbot, panel)
    panel.jobs.left.setCurrentIndex(1)
    for place in range(panel.jobs.right.count()):
        panel.jobs.right.setCurrentIndex(place)
        assert_nothing_is_clipped(qtbot, panel)


def test_no_text_of_the_jobs_dialogs_is_clipped(panel: Panel, day: Day, qtbot: Any) -> None:
    jobs = write_jobs(day.folder, now=time.time())
    panel.go_to_job(jobs.to_confirm, confirm=True)
    qtbot.waitUntil(lambda: bool(panel.findChildren(JobConfirmDialog)))
    dialog = panel.findChildren(JobConfirmDialog)[0]
    qtbot.waitUntil(dialog.confirm.isEnabled)
    assert_nothing_is_clipped(qtbot, dialog)
    dialog.reject()
    panel.go_to_job(jobs.running)
    qtbot.waitUntil(lambda: panel.jobs.list.current_id() == jobs.running)
    for kind, made in (("job_priority", PriorityDialog), ("job_cancel", Confirm)):
        qtbot.waitUntil(panel.jobs.actions_[kind].isEnabled)
        panel.jobs.actions_[kind].click()
        opened = panel.jobs.findChildren(made)[0]
        assert_nothing_is_clipped(qtbot, opened)
        opened.reject()
