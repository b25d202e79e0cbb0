"""The panel beside a service, and as the host of one: it says which, never doubles it, and asks before it ends."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication
from studio import Studio

from app.service.event_server import Installation, Service
from app.service.orders import is_running
from app.settings.paths import settings_path
from ui.app import CrashHook, SingleInstance
from ui.dialogs.base import Confirm
from ui.docks.health import HealthLamp
from ui.panel import Panel, PanelSite
from ui.start import Host, _Server, _wire

pytestmark = pytest.mark.slow


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    with Studio(tmp_path / "studio") as made:
        made.move_in(monkeypatch)
        yield made


@pytest.fixture
def open_panel(
    studio: Studio, qapp: QApplication, qtbot: Any, dark: None
) -> Iterator[Callable[[], tuple[Panel, Host]]]:
    """The panel as the program starts it, without the program's end."""
    opened: list[tuple[Panel, Host, SingleInstance]] = []

    def start() -> tuple[Panel, Host]:
        folder = studio.home / "journal"
        panel = Panel(folder, PanelSite())
        panel.hosting = True
        host = Host(_Server(studio.home / "settings.toml", folder), panel)
        alone = SingleInstance(folder)
        _wire(qapp, panel, host, CrashHook(studio.home / "state"), alone)
        opened.append((panel, host, alone))
        with qtbot.waitExposed(panel):
            panel.show()
        host.start()
        return panel, host

    yield start
    for panel, host, alone in opened:
        with qtbot.waitSignal(host.stopped):
            panel.quit()
        alone.close()
        panel.deleteLater()


def test_it_attaches_to_a_running_service_says_so_and_its_lever_is_obeyed(
    studio: Studio, open_panel: Callable[[], tuple[Panel, Host]], qtbot: Any
) -> None:
    with Service(Installation.load()) as service:
        panel, _host = open_panel()
        qtbot.waitUntil(lambda: "attached" in panel.notice.text.whole())
        assert panel.site.embedded, "the service found out which site it is"
        assert "demo" in panel.windowTitle()
        assert not panel.hosting
        qtbot.waitUntil(lambda: "create_task_folder" in {one.id for one in panel.hub.snapshot.handlers})
        panel.handlers.card("create_task_folder").moved.emit("dry")
        qtbot.waitUntil(lambda: service.journal.lever("create_task_folder")[0] == "dry")
        (row,) = [one for one in service.journal.levers() if one.handler == "create_task_folder"]
        assert row.who == panel.hub.who
        assert row.why

        # A replay and a retry are the service's work too, and say who wanted them.
        studio.create_task("..")
        journal = service.journal
        qtbot.waitUntil(lambda: bool(journal.runs(handler="create_task_folder", states=("failed",))))
        (failed,) = journal.runs(handler="create_task_folder", states=("failed",))
        assert failed.event_row is not None
        panel.replay(failed.event_row, "create_task_folder", dry=True)
        qtbot.waitUntil(lambda: len(journal.runs(handler="create_task_folder")) == 2)
        answers: list[Any] = []
        panel.hub.order("retry", {"run": failed.id}, "Retry", answers.append)
        qtbot.waitUntil(lambda: bool(answers))
        assert "refused" not in answers[0]


def test_where_none_runs_it_offers_to_and_then_hosts_the_only_one(
    studio: Studio, open_panel: Callable[[], tuple[Panel, Host]], qtbot: Any
) -> None:
    panel, host = open_panel()
    qtbot.waitUntil(lambda: "not handled" in panel.notice.text.whole())
    assert not is_running(studio.home / "journal")
    assert panel.notice._button.text() == "Run it here"
    with qtbot.waitSignal(host.started):
        panel.notice._button.click()
    assert is_running(studio.home / "journal")
    assert panel.hosting
    second = Host(_Server(studio.home / "settings.toml", studio.home / "journal"))
    with qtbot.waitSignal(second.attached):
        second.start()
    second.deleteLater()


def lit(panel: Panel, name: str) -> bool:
    """Whether a lamp is in the strip; one that has nothing to say at first comes when it has."""
    return any(lamp.name == name and lamp.isVisible() for lamp in panel.health.findChildren(HealthLamp))


def test_what_is_set_in_an_attached_window_is_the_services_own(
    studio: Studio, open_panel: Callable[[], tuple[Panel, Host]], qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = studio.home / "of_the_service.toml"
    shutil.copy(studio.home / "settings.toml", own)
    monkeypatch.setenv("SIGNALBOX_SETTINGS", "")  # put back afterwards, whatever the window made of it
    with Service(Installation.load(own)):
        panel, _host = open_panel()
        qtbot.waitUntil(lambda: settings_path() == own)
        dialog = panel.open_settings()
        assert dialog is not None
        assert str(own) in dialog.path.text()
        dialog.reject()
        own.write_text("[broken\n")
        assert panel.open_settings() is None
        assert "not valid TOML" in panel.notice.text.whole()
        qtbot.waitUntil(lambda: lit(panel, "settings"))
        assert "the settings before it stay in force" in panel.health.lamp("settings").toolTip()
        shutil.copy(studio.home / "settings.toml", own)
        qtbot.waitUntil(lambda: not lit(panel, "settings"))


def test_a_window_sees_the_service_go_and_come_back(
    studio: Studio, open_panel: Callable[[], tuple[Panel, Host]], qtbot: Any
) -> None:
    with studio.server() as server:
        server.wait_line()
        panel, host = open_panel()
        qtbot.waitUntil(lambda: "attached" in panel.notice.text.whole())
        qtbot.waitUntil(lambda: panel.health.lamp("workers").words.whole() == "running")
        server.process.kill()
        qtbot.waitUntil(lambda: "has ended: events are not handled" in panel.notice.text.whole())
        assert panel.notice._button.text() == "Run it here"
        assert panel.health.lamp("workers").words.whole() == "no server"
    with studio.server() as server:
        server.wait_line()
        qtbot.waitUntil(lambda: "attached" in panel.notice.text.whole())
        qtbot.waitUntil(lambda: panel.health.lamp("workers").words.whole() == "running")
        assert not panel.hosting
        assert server.stop() == 0
    qtbot.waitUntil(lambda: panel.notice._button.text() == "Run it here")
    with qtbot.waitSignal(host.started):
        panel.notice._button.click()
    assert panel.hosting
    qtbot.waitUntil(lambda: panel.health.lamp("workers").words.whole() == "running")


def test_closing_the_window_that_runs_a_real_sites_server_asks_first(
    studio: Studio, open_panel: Callable[[], tuple[Panel, Host]], qtbot: Any
) -> None:
    panel, host = open_panel()
    qtbot.waitUntil(lambda: "not handled" in panel.notice.text.whole())
    with qtbot.waitSignal(host.started):
        panel.notice._button.click()
    panel.set_site(PanelSite("https://studio.ftrackapp.example"))
    assert "Real site" in panel.site_chip.text()
    panel.close()
    assert panel.isVisible()
    (question,) = panel.findChildren(Confirm, "confirm_end")
    assert "studio.ftrackapp.example" in question.about.text()
    assert not question.confirm.isDefault()
    question.reject()
    assert is_running(studio.home / "journal")


def test_at_a_newly_connected_real_site_a_lever_goes_on_after_the_question(
    studio: Studio, open_panel: Callable[[], tuple[Panel, Host]], qtbot: Any
) -> None:
    with Service(Installation.load()) as service:
        panel, _host = open_panel()
        qtbot.waitUntil(lambda: "create_task_folder" in {one.id for one in panel.hub.snapshot.handlers})
        service.journal.set_fact("cut_over", "https://studio.ftrackapp.example")
        service.journal.set_lever("create_task_folder", "", "dry", "signalbox", "newly connected")
        panel.handlers.card("create_task_folder").moved.emit("on")
        qtbot.waitUntil(lambda: bool(panel.findChildren(Confirm, "confirm_old_server")))
        assert service.journal.lever("create_task_folder")[0] == "dry"
        panel.findChildren(Confirm, "confirm_old_server")[0].accept()
        qtbot.waitUntil(lambda: service.journal.lever("create_task_folder")[0] == "on")
        assert service.journal.fact("old_server_off")["create_task_folder"]["who"] == panel.hub.who
