"""The window and what runs behind it: starting, failing with advice, attaching, ending."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QApplication

import ui.start
from app.journal.journal import Journal
from ui.panel import Panel, PanelSite
from ui.sample_day import Day
from ui.start import Host, _Server, _usual_journal


def test_a_missing_site_is_told_with_what_to_enter(
    qapp: QApplication, home: Path, qtbot: Any, monkeypatch: Any
) -> None:
    for name in ("FTRACK_SERVER", "FTRACK_API_USER", "FTRACK_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    host = Host(_Server(None, home / "journal"))
    with qtbot.waitSignal(host.unconnected) as unconnected:
        host.start()
    assert "lacks the site's address (FTRACK_SERVER)" in unconnected.args[0]
    monkeypatch.setenv("FTRACK_SERVER", "http://127.0.0.1:9")
    with qtbot.waitSignal(host.failed) as failed:
        host.start()
    assert "lacks the API user (FTRACK_API_USER)" in failed.args[0]
    with qtbot.waitSignal(host.stopped):
        host.stop()


def test_a_second_window_attaches_to_the_server_that_runs(
    qapp: QApplication, home: Path, qtbot: Any, monkeypatch: Any, engine: Journal
) -> None:
    monkeypatch.setenv("FTRACK_SERVER", "http://127.0.0.1:9")
    monkeypatch.setenv("FTRACK_API_USER", "nobody")
    monkeypatch.setenv("FTRACK_API_KEY", "key")
    host = Host(_Server(None, engine.folder))
    with qtbot.waitSignal(host.attached):
        host.start()
    with qtbot.waitSignal(host.stopped):
        host.stop()


def test_stopping_waits_for_a_start_that_is_under_way(qapp: QApplication, qtbot: Any) -> None:
    class Slow:
        def __init__(self) -> None:
            self.may_start = threading.Event()
            self.done: list[str] = []

        def start(self) -> PanelSite:
            self.may_start.wait(10)
            self.done.append("started")
            return PanelSite("site")

        def stop(self) -> None:
            self.done.append("stopped")

    slow = Slow()
    host = Host(slow)
    host.start()
    with qtbot.waitSignal(host.stopped):
        host.stop()
        slow.may_start.set()
    assert slow.done == ["started", "stopped"]


def test_the_window_says_which_site_it_is(show_panel: Callable[..., Panel], day: Day) -> None:
    panel = show_panel(day.folder)
    assert "nothing here is real" in panel.site_chip.text()
    panel.set_site(PanelSite("https://studio.ftrackapp.com"))
    assert panel.site_chip.text() == "Real site: https://studio.ftrackapp.com"
    assert "studio.ftrackapp.com" in panel.windowTitle()


def test_the_window_follows_its_own_settings(
    show_panel: Callable[..., Panel], day: Day, home: Path, qtbot: Any
) -> None:
    from app.settings.store import SettingsStore
    from ui import theme
    from ui.models.words import clock_ms, use_clock

    panel = show_panel(day.folder)
    store = SettingsStore(home / "settings.toml")
    store.set("panel", "theme", "light")
    store.set("panel", "time_format", "12h")
    panel.settings_saved.emit("panel")
    try:
        assert theme.current().name == "light"
        assert clock_ms(1_700_000_000.25)[-2:] in {"AM", "PM"}
        assert ".250 " in clock_ms(1_700_000_000.25)
        assert panel.settings.value("theme") == "light", "the next start has it before its first paint"
    finally:
        use_clock("24h")
    assert clock_ms(1_700_000_000.25).endswith(".250")


def test_the_panel_finds_the_running_service_of_this_machine_by_itself(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(ui.start, "SERVICE_STATE", tmp_path / "service")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))
    own = tmp_path / "home" / "journal"
    assert _usual_journal(None) == own
    service = Journal.open(tmp_path / "service" / "journal")
    try:
        assert _usual_journal(None) == own, "SIGNALBOX_HOME names another place"
        monkeypatch.delenv("SIGNALBOX_HOME")
        assert _usual_journal(None) == tmp_path / "service" / "journal"
        assert _usual_journal(tmp_path / "settings.toml") != tmp_path / "service" / "journal"
    finally:
        service.close()
    assert tmp_path / "own" in _usual_journal(None).parents, "where it does not run, one's own"


def test_every_confirmation_says_which_site_it_is_about(show_panel: Callable[..., Panel], day: Day) -> None:
    panel = show_panel(day.folder)
    asked = panel.open_kept("create_task_folder", 3)
    assert asked.site_chip.text() == "Embedded demo site"
    asked.reject()
    panel.set_site(PanelSite("https://studio.ftrackapp.com"))
    for dialog in (panel.open_kept("create_task_folder", 3), panel.open_undo(1), panel.open_settings()):
        assert dialog.site_chip.text() == "Real site: https://studio.ftrackapp.com"
        assert dialog.site_chip.isVisible()
        dialog.reject()


def test_what_is_imported_behind_the_window_is_only_imported(tmp_path: Path, monkeypatch: Any) -> None:
    # As pydantic's modules do, which import on being asked: another thread's import in between broke the start.
    delicate = "def __getattr__(name):\n    raise ImportError(name) if name != '__path__' else AttributeError(name)\n"
    (tmp_path / "delicate_module.py").write_text(delicate)
    monkeypatch.syspath_prepend(tmp_path)
    assert __import__("delicate_module").__name__ == "delicate_module"
