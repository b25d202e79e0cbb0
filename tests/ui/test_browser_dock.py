"""The Browser and Actions docks as a person uses them: the whole of ftrack's page by mouse, on the embedded site."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from artist_room import Studio, server_of, studio_in
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QLineEdit, QListWidget, QTreeWidgetItem
from pytestqt.qtbot import QtBot
from sandbox_process import SandboxProcess

from app.service.event_server import Service
from ui.dialogs.undo import UndoDialog
from ui.docks.actions import ActionsDock
from ui.docks.browser import _ENTITY, BrowserDock
from ui.models.desk import SiteDesk
from ui.models.hub import Hub

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    with (
        studio_in(tmp_path, monkeypatch) as made,
        SandboxProcess(tmp_path / "cloud", "cloud", "--heartbeat", "1") as cloud,
    ):
        monkeypatch.setenv("SIGNALBOX_CLOUD_API_KEY", cloud.key)
        made.installation.store.set("cloud", "server", cloud.url)
        made.installation.store.set("cloud", "api_user", cloud.user)
        yield made


@pytest.fixture
def service(studio: Studio) -> Iterator[Service]:
    with server_of(studio) as made:
        yield made


def shown(studio: Studio, qtbot: QtBot, *, embedded: bool = True) -> tuple[BrowserDock, SiteDesk]:
    desk = SiteDesk(studio.desk, embedded=embedded)
    browser = BrowserDock()
    qtbot.addWidget(browser)
    browser.resize(900, 720)
    browser.set_desk(desk)
    browser.show()
    qtbot.waitUntil(lambda: browser.tree.topLevelItemCount() > 0)
    return browser, desk


def opened(browser: BrowserDock, qtbot: QtBot, item: QTreeWidgetItem) -> list[QTreeWidgetItem]:
    item.setExpanded(True)
    qtbot.waitUntil(lambda: item.child(0) is None or item.child(0).data(0, _ENTITY) is not None)
    return [item.child(number) for number in range(item.childCount())]


def click(browser: BrowserDock, qtbot: QtBot, item: QTreeWidgetItem) -> None:
    browser.tree.scrollToItem(item)
    place = browser.tree.visualItemRect(item)
    at = QPoint(place.left() + 26, place.center().y())
    QTest.mouseClick(browser.tree.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, at)
    entity = item.data(0, _ENTITY)
    qtbot.waitUntil(lambda: browser.selection() == ((entity.entity_type, entity.id),))
    qtbot.waitUntil(lambda: "signalbox.clear_job_queue" in browser.buttons)


def press(browser: BrowserDock, qtbot: QtBot, action: str) -> None:
    """Choose an entry of the menu and wait for its page."""
    QTest.mouseClick(browser.buttons[f"signalbox.{action}"], LEFT)
    qtbot.waitUntil(lambda: browser.form is not None and browser.form.isEnabled())


def submit(browser: BrowserDock, qtbot: QtBot) -> None:
    form = browser.form
    assert form is not None
    QTest.mouseClick(form.submit, LEFT)
    qtbot.waitUntil(lambda: browser.form is not form)


def finish(browser: BrowserDock, qtbot: QtBot, service: Service, action: str) -> None:
    submit(browser, qtbot)
    assert browser.form is None
    assert browser.message.isVisible(), browser.message.text()

    def ended() -> bool:
        runs = [run for run in service.journal.runs(handler=action) if run.kind == "action"]
        return bool(runs) and runs[0].finished is not None

    qtbot.waitUntil(ended)
    run = next(run for run in service.journal.runs(handler=action) if run.kind == "action")
    assert run.state in ("done", "skipped"), (action, run.state, run.reason)


def named(items: list[QTreeWidgetItem], kind: str, name: str = "") -> QTreeWidgetItem:
    return next(i for i in items if i.data(0, _ENTITY).entity_type == kind and name in i.data(0, _ENTITY).name)


@pytest.mark.timeout(300)
def test_all_six_actions_are_launched_with_the_mouse(
    studio: Studio, service: Service, qtbot: QtBot, dark: None
) -> None:
    browser, desk = shown(studio, qtbot)
    hub = Hub(studio.installation.journal)
    actions = ActionsDock(hub)
    qtbot.addWidget(actions)
    actions.resize(420, 900)
    actions.show()
    try:
        nightjar = next(i for i in (browser.tree.topLevelItem(n) for n in range(browser.tree.topLevelItemCount()))
                        if i is not None and i.text(0) == "nightjar")  # fmt: skip
        below = opened(browser, qtbot, nightjar)

        # Batch Create, with the two pages of the web form.
        click(browser, qtbot, nightjar)
        press(browser, qtbot, "batch_create")
        assert browser.form is not None
        sequence = browser.form.fields["sequence"]
        assert isinstance(sequence, QLineEdit)
        sequence.setText("M01")
        submit(browser, qtbot)
        finish(browser, qtbot, service, "batch_create")
        assert {row["name"] for row in studio.rows('select name from Shot where parent.name is "M01"')} == {
            "M01_0010", "M01_0020",
        }  # fmt: skip

        # Clear Job Queue.
        user = studio.rows(f'select id from User where username is "{studio.person}"')[0]["id"]
        key = "00000000-1111-4222-8333-444444444444"
        studio.site.api({
            "action": "create", "entity_type": "Job", "entity_key": [key],
            "entity_data": {"__entity_type__": "Job", "id": key, "user_id": user, "status": "running",
                            "type": "api_job", "data": json.dumps({"description": "<b>old</b>"})},
        })  # fmt: skip
        press(browser, qtbot, "clear_job_queue")
        assert browser.form is not None
        jobs = browser.form.fields["jobs"]
        assert isinstance(jobs, QListWidget)
        entry = next(jobs.item(n) for n in range(jobs.count()) if "<b>old</b>" in jobs.item(n).text())
        entry.setCheckState(Qt.CheckState.Checked)
        finish(browser, qtbot, service, "clear_job_queue")
        assert studio.rows(f'select status from Job where id is "{key}"')[0]["status"] == "done"

        # Review Sync, then Feedback Sync.
        click(browser, qtbot, named(below, "ReviewSession"))
        for action in ("review_sync", "feedback_sync"):
            press(browser, qtbot, action)
            finish(browser, qtbot, service, action)

        # Upload Media: a path that the server may not open, then one it may.
        shot = named(opened(browser, qtbot, named(below, "Sequence", "001")), "Shot")
        task = named(opened(browser, qtbot, shot), "Task")
        click(browser, qtbot, task)
        press(browser, qtbot, "upload_media")
        assert browser.form is not None
        field = browser.form.fields["file"]
        assert isinstance(field, QLineEdit)
        field.setText("/etc/hostname")
        submit(browser, qtbot)
        assert browser.form is not None, "the page comes back with what is wrong"
        field, slate = browser.form.fields["file"], browser.form.fields["slate"]
        assert isinstance(field, QLineEdit)
        assert isinstance(slate, QCheckBox)
        assert field.text() == "/etc/hostname"
        field.setText(str(studio.clip("mouse_v02.mov", 4)))
        finish(browser, qtbot, service, "upload_media")

        # Update RV Component on the version that came of it.
        task.setData(0, _ENTITY + 1, None)
        task.setExpanded(False)
        opened(browser, qtbot, task)

        def children() -> list[QTreeWidgetItem]:
            return [task.child(n) for n in range(task.childCount())]

        qtbot.waitUntil(lambda: any("ReviewAsset" in task.child(n).text(0) for n in range(task.childCount())))
        versions = [task.child(n) for n in range(task.childCount())]
        click(browser, qtbot, named(versions, "AssetVersion", "ReviewAsset"))
        press(browser, qtbot, "update_rv_component")
        finish(browser, qtbot, service, "update_rv_component")

        # The Actions dock tells of all six, and takes the batch back, the list first.
        qtbot.waitUntil(lambda: len(actions._cards) == 6 and all(c.lines() for c in actions._cards.values()))
        line = actions.card("batch_create").lines()[0]
        assert studio.person in line.words.whole()
        wanted: list[int] = []
        actions.undo_wanted.connect(wanted.append)
        QTest.mouseClick(line.undo_button, LEFT)
        assert wanted == [line.run]
        undo = UndoDialog(hub, wanted[0])
        undo.show()
        qtbot.waitUntil(undo.confirm.isEnabled)
        QTest.mouseClick(undo.confirm, LEFT)
        qtbot.waitUntil(lambda: studio.rows('select id from Shot where parent.name is "M01"') == [])
    finally:
        hub.close()
        hub.deleteLater()
        desk.close()
        desk.deleteLater()


def test_a_status_is_set_with_the_mouse_and_thumbnails_are_seen(studio: Studio, qtbot: QtBot, dark: None) -> None:
    with server_of(studio, listener=False):
        browser, desk = shown(studio, qtbot)
        nightjar = browser.tree.findItems("nightjar", Qt.MatchFlag.MatchExactly)[0]
        shots = opened(browser, qtbot, named(opened(browser, qtbot, nightjar), "Sequence", "001"))
        task = named(opened(browser, qtbot, named(shots, "Shot")), "Task")
        click(browser, qtbot, task)
        qtbot.waitUntil(browser.status.isEnabled)
        entity = task.data(0, _ENTITY)
        other = next(n for n in range(browser.status.count()) if browser.status.itemText(n) != entity.status)
        wanted = browser.status.itemText(other)
        browser.status.setCurrentIndex(other)
        browser.status.activated.emit(other)
        qtbot.waitUntil(browser.message.isVisible)
        assert studio.rows(f'select status.name from Task where id is "{entity.id}"')[0]["status"]["name"] == wanted
        versions = [item for item in opened(browser, qtbot, task) if item.data(0, _ENTITY).thumbnail]
        if versions:
            click(browser, qtbot, versions[0])
            qtbot.waitUntil(browser.picture.has_picture)
        desk.close()
        desk.deleteLater()


def test_on_a_real_site_the_browser_only_shows(studio: Studio, qtbot: QtBot, dark: None) -> None:
    with server_of(studio, listener=False):
        browser, desk = shown(studio, qtbot, embedded=False)
        nightjar = browser.tree.findItems("nightjar", Qt.MatchFlag.MatchExactly)[0]
        item = named(opened(browser, qtbot, nightjar), "Sequence", "001")
        browser.tree.setCurrentItem(item)
        assert "read only" in browser.where.whole()
        assert not browser.status.isEnabled() or not browser.status.isVisible()
        qtbot.wait(300)
        assert browser.buttons == {}
        desk.close()
        desk.deleteLater()
