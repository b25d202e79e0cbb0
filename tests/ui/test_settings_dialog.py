"""Settings: a form made from declarations, validated while somebody types, for the studio and for one show."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt

from app.handlers.status_handler import StatusHandler
from app.journal.journal import Journal
from app.journal.lock import JournalLock
from app.settings.store import SettingsStore
from ui.dialogs.settings import SettingsDialog
from ui.models.forms import model_of, problem_of
from ui.panel import Panel
from ui.sample_day import Day


@pytest.fixture
def panel(show_panel: Callable[..., Panel], day: Day) -> Panel:
    return show_panel(day.folder)


@pytest.fixture
def dialog(panel: Panel, home: Path) -> SettingsDialog:
    made = panel.open_handler_settings("create_task_folder")
    assert isinstance(made, SettingsDialog)
    return made


def test_a_wrong_mode_is_refused_while_it_is_typed(dialog: SettingsDialog, qtbot: Any) -> None:
    row = dialog.row("folder_mode")
    row.input.selectAll()
    qtbot.keyClicks(row.input, "27x5")
    assert "write it like 2775" in row.problem.text()
    assert not row.problem.isHidden()
    assert not dialog.save.isEnabled()
    row.input.selectAll()
    qtbot.keyClicks(row.input, "2770")
    assert row.problem.isHidden()
    assert dialog.save.text() == "Save 1 change"


def test_only_what_differs_is_written_and_the_engine_is_told(
    dialog: SettingsDialog, qtbot: Any, engine: Journal, home: Path
) -> None:
    row = dialog.row("folder_mode")
    row.input.selectAll()
    qtbot.keyClicks(row.input, "2770")
    qtbot.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    text = (home / "settings.toml").read_text()
    assert 'folder_mode = "2770"' in text
    assert "task_types" not in text
    qtbot.waitUntil(lambda: [o.kind for o in engine.open_orders()] == ["reload_settings"])
    assert dialog.row("folder_mode").back.isEnabled(), "the changed setting is marked and can be reset"
    assert not dialog.row("task_types").back.isEnabled()


def test_a_show_overrides_only_what_it_may(dialog: SettingsDialog, qtbot: Any, home: Path) -> None:
    dialog.show_box.setCurrentIndex(dialog.show_box.findData("bigbuck"))
    assert not dialog.row("patience").input.isEnabled()
    assert "same for every show" in dialog.row("patience").help.text()
    row = dialog.row("task_types")
    row.set_value(["Animation", "FX"])
    qtbot.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    text = (home / "settings.toml").read_text()
    assert "[projects.bigbuck.handlers.create_task_folder]" in text
    dialog.show_box.setCurrentIndex(0)
    assert dialog.row("task_types").raw() == ["Animation", "Lighting", "Compositing", "Layout"]


def test_reset_gives_the_default_back(dialog: SettingsDialog, qtbot: Any, home: Path) -> None:
    row = dialog.row("copy_template")
    row.input.setChecked(False)
    qtbot.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    assert "copy_template = false" in (home / "settings.toml").read_text()
    qtbot.mouseClick(dialog.row("copy_template").back, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    assert "copy_template" not in (home / "settings.toml").read_text()
    assert dialog.row("copy_template").raw() is True


def test_a_number_a_choice_and_the_studio_s_own_sections(dialog: SettingsDialog, qtbot: Any, home: Path) -> None:
    patience = dialog.row("patience")
    patience.input.selectAll()
    qtbot.keyClicks(patience.input, "-3")
    assert "greater than 0" in patience.problem.text()
    patience.input.selectAll()
    qtbot.keyClicks(patience.input, "45")
    dialog.row("when_missing").input.setCurrentText("fail")
    qtbot.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    text = (home / "settings.toml").read_text()
    assert "patience = 45" in text
    assert 'when_missing = "fail"' in text

    dialog.sections.setCurrentRow(2)
    zone = dialog.row("time_zone")
    qtbot.keyClicks(zone.input, "Europe/Berlinn")
    assert "not a time zone" in zone.problem.text()


def test_a_setting_is_found_by_a_word_of_its_help(dialog: SettingsDialog, qtbot: Any) -> None:
    qtbot.keyClicks(dialog.search, "octal")
    assert dialog.row("folder_mode").isVisibleTo(dialog)
    assert not dialog.row("patience").isVisibleTo(dialog)


def test_a_secret_never_reaches_the_file(panel: Panel, qtbot: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    store = SettingsStore(home / "settings.toml")
    dialog = SettingsDialog(panel.hub, "slack", panel, store)
    dialog.open()
    row = dialog.row("token")
    qtbot.keyClicks(row.input, "xoxb-secret")
    assert row.input.echoMode() == row.input.EchoMode.Password
    qtbot.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    files = [path for path in home.rglob("*.toml") if path.is_file()]
    assert all("xoxb-secret" not in path.read_text() for path in files)


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root starts another account's process")
def test_a_secret_typed_beside_another_accounts_server_says_that_it_does_not_reach_it(panel: Panel, home: Path) -> None:
    alone = SettingsDialog(panel.hub, "slack", panel, SettingsStore(home / "settings.toml"))
    assert alone.row("token").note.text() == ""
    lock = JournalLock.take(panel.hub.folder)
    service = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, pass_fds=[lock.fd], user=65534)
    try:
        lock.path.write_text(f"{service.pid}\n")
        lock.release()
        beside = SettingsDialog(panel.hub, "slack", panel, SettingsStore(home / "settings.toml"))
        assert "runs under another account and does not read it" in beside.row("token").note.text()
        assert beside.row("rate").note.text() == ""
        assistant = panel.open_assistant()
        assert assistant is not None
        assert [name for name, page in assistant.pages.items() if page.note.text()] == ["site", "slack"]
    finally:
        service.communicate()


def test_a_broken_settings_file_is_told(panel: Panel, home: Path) -> None:
    store = SettingsStore(home / "settings.toml")
    home.mkdir(exist_ok=True)
    (home / "settings.toml").write_text("[slack\nenabled = maybe")
    dialog = SettingsDialog(panel.hub, "slack", panel, store)
    dialog.open()
    assert "not valid TOML" in dialog.about.text()


def test_the_job_compiler_does_not_open_on_settings_that_cannot_be_read_and_says_why(panel: Panel, home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "settings.toml").write_text("[flamenco\nmanager = ")
    panel.show_page(2)
    panel.show_page(1)
    assert panel.pages.currentWidget() is panel.jobs
    assert "settings.toml" in panel.notice.text.whole()
    (home / "settings.toml").unlink()
    panel.show_page(1)
    assert panel.pages.currentWidget() is panel._workbench


@pytest.mark.parametrize(
    ("job", "problem"),
    [
        ({"job_type": "publish-copy", "name": "{{ shot }} {{ about }}", "settings": {"a": "{{ root }}", "b": 5}}, ""),
        ({"name": "x"}, "0: job_type is missing"),
        ({"job_type": "t", "engines": "local"}, "0: engines is not known here; known are job_type, name, settings"),
        ({"job_type": "t", "engine": "farm"}, "0: must be one of local, manager"),
        ({"job_type": "t", "settings": {"a": "{{ shto }}"}}, "the template uses shto; known are about, by"),
        ({"job_type": "t", "name": "{{ shot"}, "the template has a mistake"),
    ],
)
def test_a_job_that_cannot_work_is_refused_while_it_is_typed(job: dict[str, Any], problem: str) -> None:
    """From the schema alone, as a window knows the settings of handlers that it cannot import."""
    model = model_of("status_handler", StatusHandler.settings_model.model_json_schema())
    said = problem_of(model, {}, "jobs", [job])
    assert said.startswith(problem)
    assert bool(said) == bool(problem)
    assert bool(problem) == _refuses(StatusHandler.settings_model, job), "as the handler itself does"


def _refuses(model: Any, job: dict[str, Any]) -> bool:
    try:
        model(jobs=[job])
    except ValueError:
        return True
    return False
