"""The Jobs dock beside a real worker: a script is run from the workbench, its log is read while it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from job_room import Jobs, python, script_of
from PySide6.QtCore import Qt
from workbench_tools import typed

from ui.dialogs.base import Confirm
from ui.dialogs.job_confirm import JobConfirmDialog
from ui.dialogs.job_run import JobRunDialog
from ui.docks.jobs import JobsDock
from ui.panel import Panel

TICKS = """
import os, sys, time
for number in range(40):
    print(f"\\x1b[32mtick\\x1b[0m {number}", flush=True)
    while number == 12 and not os.path.exists(sys.argv[1]):
        time.sleep(0.02)
"""


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    folder = tmp_path / "room"
    folder.mkdir()
    room = Jobs(folder)
    yield room
    room.close()


def lines(dock: JobsDock) -> list[str]:
    model = dock.log.model
    rows = [model.row(place) for place in range(model.count())]
    # The Worker puts the process before each line of a program.
    return [dock.log.view.line(row).rpartition(" > ")[2] for row in rows if row is not None]


def test_the_log_of_a_running_task_is_read_while_it_is_written(
    qtbot: Any, jobs: Jobs, show_panel: Callable[..., Panel], tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    panel = show_panel(jobs.journal.folder, wait=False)
    job = jobs.submit(script_of(python(TICKS, str(gate)), "[['echo', {message: 'all done'}]]"))
    panel.go_to_job(job)
    dock = panel.jobs
    qtbot.waitUntil(lambda: lines(dock)[-1:] == ["tick 12"])
    qtbot.waitUntil(lambda: dock.task() is not None and dock.task().status == "active")
    assert dock.jobs.rows()[0].status == "active"
    assert dock.log.view.following

    gate.touch()
    qtbot.waitUntil(lambda: dock.jobs.rows()[0].status == "completed")
    qtbot.waitUntil(lambda: 'echo: "all done"' in lines(dock))
    assert dock.task().index == 2, "who has chosen no task sees the one at work"
    # As a hand does: what no hand chose gives way to the task that is worth a look.
    row = dock.task_list.visualRect(dock.tasks.index(0, 1)).center()
    qtbot.mouseClick(dock.task_list.viewport(), Qt.MouseButton.LeftButton, pos=row)
    assert dock.task().index == 1
    qtbot.waitUntil(lambda: "tick 39" in lines(dock))
    assert [line for line in lines(dock) if line.startswith("tick")] == [f"tick {number}" for number in range(40)]
    assert [str(dock.jobs.index(0, column).data()) for column in (0, 4, 5)] == ["Done", "100 %", "2 of 2"]


def test_cancelling_a_running_job_in_the_dock_ends_its_program(
    qtbot: Any, jobs: Jobs, show_panel: Callable[..., Panel]
) -> None:
    panel = show_panel(jobs.journal.folder, wait=False)
    job = jobs.submit(script_of(python("import time; print('started', flush=True); time.sleep(600)")))
    panel.go_to_job(job)
    dock = panel.jobs
    qtbot.waitUntil(lambda: "started" in lines(dock))
    qtbot.waitUntil(dock.actions_["job_cancel"].isEnabled)
    qtbot.mouseClick(dock.actions_["job_cancel"], Qt.MouseButton.LeftButton)
    (dialog,) = dock.findChildren(Confirm)
    qtbot.mouseClick(dialog.confirm, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dock.jobs.rows()[0].status == "canceled")
    assert jobs.states(job) == ["canceled"]


def test_a_changed_script_runs_from_the_workbench_after_its_command_lines_were_seen(
    qtbot: Any, jobs: Jobs, show_panel: Callable[..., Panel]
) -> None:
    panel = show_panel(jobs.journal.folder, wait=False)
    panel.show_page(1)
    workbench: Any = panel._workbench
    qtbot.waitUntil(lambda: bool(workbench.scripts.infos()))
    workbench.open_script("log_and_sleep.js")
    qtbot.waitUntil(lambda: workbench.preview.good is not None and not workbench.runner.busy)
    workbench.editor.goto(1, 1)
    with qtbot.waitSignal(workbench.previewed):
        typed(workbench.editor, "// mine\n")
    qtbot.waitUntil(lambda: not workbench.runner.busy)
    with qtbot.waitSignal(workbench.previewed):
        form = workbench.inputs.form
        form.set_values({**form.values(), "message": "hello from the workbench in {jobs}"})
        workbench._request(now=True)
    qtbot.waitUntil(lambda: not workbench.runner.busy)

    qtbot.mouseClick(workbench.run_button, Qt.MouseButton.LeftButton)
    (dialog,) = panel.findChildren(JobRunDialog)
    qtbot.waitUntil(dialog.submit.isEnabled)
    text = dialog.lines.toPlainText()
    said = f"echo 'hello from the workbench in {jobs.journal.folder / 'tasks'}'"
    assert said in text, "variables stand for what they are on this machine"
    assert "sleep 1" in text
    assert not dialog.farm.isEnabled(), "no Manager is set"
    assert dialog.try_out.isChecked()
    qtbot.mouseClick(dialog.submit, Qt.MouseButton.LeftButton)

    qtbot.waitUntil(lambda: bool(panel.findChildren(JobConfirmDialog)))
    (confirm,) = panel.findChildren(JobConfirmDialog)
    (row,) = jobs.journal.jobs()
    assert (row.status, row.completed) == ("needs-confirmation", 0)
    qtbot.waitUntil(confirm.confirm.isEnabled)
    assert said in confirm.lines.toPlainText()
    qtbot.mouseClick(confirm.confirm, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: jobs.journal.job(row.id).status == "completed")
    panel.jobs.task_list.selectRow(0)
    qtbot.waitUntil(lambda: "hello from the workbench" in "\n".join(lines(panel.jobs)))
