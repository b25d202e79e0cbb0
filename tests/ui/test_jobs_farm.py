"""A job on the farm, seen and ordered about in the window while a Manager runs it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from job_room import Jobs
from manager_stand_in import ECHO_SLEEP, ManagerStandIn
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QListWidget

from ui.compiler.background import Background
from ui.dialogs.base import Confirm
from ui.dialogs.job_actions import TASK_ACTIONS
from ui.dialogs.job_run import JobRunDialog, RunWish
from ui.dialogs.settings import default_store
from ui.docks.jobs import JobsDock
from ui.panel import Panel


@pytest.fixture
def dock(farm_room: Jobs, show_panel: Callable[..., Panel], qtbot: Any) -> JobsDock:
    """The Jobs page with one job of the farm chosen: an echo, and two sleeps that need it."""
    settings = {"message": "hi", "sleep_repeats": 2, "sleep_duration_seconds": 1}
    order = {"job_type": "echo-sleep-test", "name": "TOS_0120 lighting", "settings": settings, "engine": "manager"}
    panel = show_panel(farm_room.journal.folder, wait=False)
    answer = farm_room.order("submit_job", **order)
    panel.go_to_job(int(answer["job"]))
    qtbot.waitUntil(lambda: len(panel.jobs.tasks.rows()) == 3)
    return panel.jobs


def lines(dock: JobsDock) -> list[str]:
    rows = [dock.log.model.row(place) for place in range(dock.log.model.count())]
    return [dock.log.view.line(row) for row in rows if row is not None]


def confirmed(qtbot: Any, dock: JobsDock) -> list[str]:
    """What the dialog that is open lists; it is confirmed."""
    (dialog,) = [each for each in dock.findChildren(Confirm) if each.isVisible()]
    (listing,) = dialog.findChildren(QListWidget)
    listed = [listing.item(place).text() for place in range(listing.count())]
    qtbot.mouseClick(dialog.confirm, Qt.MouseButton.LeftButton)
    return listed


def test_a_farm_job_is_watched_from_its_first_task_to_its_last_picture(
    qtbot: Any, dock: JobsDock, manager: ManagerStandIn
) -> None:
    remote = dock.jobs.rows()[0].remote_id
    assert [str(dock.jobs.index(0, column).data()) for column in (1, 2, 3)] == [
        "TOS_0120 lighting",
        "echo-sleep-test",
        "Flamenco",
    ]
    qtbot.waitUntil(lambda: [row.dependencies for row in dock.tasks.rows()] == [(), (1,), (1,)])

    echo = dock.tasks.rows()[0].remote_id
    manager.work(echo, "active", b"\x1b[32mfirst\x1b[0m line\n")
    qtbot.waitUntil(lambda: dock.tasks.rows()[0].status == "active")
    qtbot.waitUntil(lambda: lines(dock) == ["first line"])
    assert dock.log.view.following
    manager.drop_sockets()
    for number in range(30):
        manager.work(echo, "active", f"line {number}\n".encode())
    qtbot.waitUntil(lambda: lines(dock) == ["first line", *(f"line {n}" for n in range(30))])

    data = io.BytesIO()
    Image.new("RGB", (64, 36), (0, 0, 255)).save(data, "JPEG", quality=100)
    # What is told while the line is down is not heard; the page asks again when it is up.
    manager.render(remote, data.getvalue())

    def blue() -> bool:
        seen = dock.picture.image()
        return not seen.isNull() and seen.pixelColor(9, 9).blue() > 240 > 20 > seen.pixelColor(9, 9).red()

    qtbot.waitUntil(blue)
    for task in dock.tasks.rows():
        manager.work(task.remote_id, "completed")
    qtbot.waitUntil(lambda: dock.jobs.rows()[0].status == "completed")
    qtbot.waitUntil(lambda: {row.status for row in dock.tasks.rows()} == {"completed"})


def test_a_farm_job_and_its_tasks_are_cancelled_and_requeued_by_dialogs_that_name_them(
    qtbot: Any, dock: JobsDock, manager: ManagerStandIn
) -> None:
    task = dock.tasks.rows()[1].remote_id
    row = dock.task_list.visualRect(dock.tasks.index(1, 0)).center()
    qtbot.mouseClick(dock.task_list.viewport(), Qt.MouseButton.LeftButton, pos=row)
    cancel = next(action for action in TASK_ACTIONS if action.kind == "task_cancel")
    requeue = next(action for action in TASK_ACTIONS if action.kind == "task_requeue")
    dock.act_on_tasks(cancel)
    assert confirmed(qtbot, dock) == ["sleep"]
    qtbot.waitUntil(lambda: dock.tasks.rows()[1].status == "canceled")
    assert manager.tasks[task]["status"] == "canceled"
    dock.act_on_tasks(requeue)
    assert confirmed(qtbot, dock) == ["sleep"]
    qtbot.waitUntil(lambda: dock.tasks.rows()[1].status == "queued")

    for kind, ends in (("job_cancel", "canceled"), ("job_requeue", "queued")):
        qtbot.waitUntil(dock.actions_[kind].isEnabled)
        qtbot.mouseClick(dock.actions_[kind], Qt.MouseButton.LeftButton)
        assert confirmed(qtbot, dock) == ["TOS_0120 lighting  (Flamenco)"]
        qtbot.waitUntil(lambda ends=ends: dock.jobs.rows()[0].status == ends)
        assert {job["status"] for job in manager.jobs.values()} == {ends}


def test_a_deployed_script_is_run_on_the_farm_after_its_command_lines_were_seen(
    qtbot: Any, farm_room: Jobs, manager: ManagerStandIn, show_panel: Callable[..., Panel]
) -> None:
    panel = show_panel(farm_room.journal.folder, wait=False)
    default_store().set("flamenco", "manager", manager.url)
    background = Background(panel)
    wish = RunWish(
        script="echo_sleep_test.js",
        text=ECHO_SLEEP,
        name="from the workbench",
        settings={"message": "hi", "sleep_repeats": 0, "sleep_duration_seconds": 1},
        priority=60,
        metadata={"project": "tears"},
        variables={},
        tasks=lambda: [{"name": "echo", "commands": [{"name": "echo", "parameters": {"message": "hi"}}]}],
        helpers=dict,
        deployed=False,
        background=background,
    )
    dialog = JobRunDialog(panel.hub, wish, panel)
    dialog.open()
    try:
        qtbot.waitUntil(dialog.farm.isEnabled)
        dialog.farm.click()
        assert "echo hi" in dialog.lines.toPlainText()
        assert "deploy it first" in dialog.words.text(), "the Manager has another text under this name"
        assert not dialog.try_out.isEnabled()
        with qtbot.waitSignal(dialog.submitted) as submitted:
            qtbot.mouseClick(dialog.submit, Qt.MouseButton.LeftButton)
    finally:
        background.close()
    (remote,) = manager.jobs.values()
    assert (remote["name"], remote["type"], remote["priority"]) == ("from the workbench", "echo-sleep-test", 60)
    assert remote["metadata"]["project"] == "tears"
    assert farm_room.journal.job(submitted.args[0]).remote_id == remote["id"]
