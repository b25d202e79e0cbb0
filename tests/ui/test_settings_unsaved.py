"""Settings: what was typed is not lost on the way, and a setting is found without knowing its section."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt

from ui.dialogs.base import Confirm
from ui.dialogs.settings import SettingsDialog
from ui.panel import Panel
from ui.sample_day import Day

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def dialog(show_panel: Callable[..., Panel], day: Day, home: Path) -> SettingsDialog:
    made = show_panel(day.folder).open_handler_settings("create_task_folder")
    assert isinstance(made, SettingsDialog)
    return made


def _type(qtbot: Any, dialog: SettingsDialog, name: str, text: str) -> None:
    row = dialog.row(name)
    row.input.selectAll()
    qtbot.keyClicks(row.input, text)


def _go(dialog: SettingsDialog, title: str) -> None:
    found = dialog.sections.findItems(title, Qt.MatchFlag.MatchExactly)
    dialog.sections.setCurrentItem(found[0])


def test_what_was_typed_waits_while_another_section_is_looked_at_and_is_saved_with_it(
    dialog: SettingsDialog, qtbot: Any, home: Path
) -> None:
    _type(qtbot, dialog, "folder_mode", "2770")
    _go(dialog, "Engine")
    assert dialog.save.text() == "Save 1 change"
    _type(qtbot, dialog, "breaker_failures", "7")
    assert dialog.save.text() == "Save 2 changes"
    _go(dialog, "Create task folder")
    assert dialog.row("folder_mode").raw() == "2770"

    qtbot.mouseClick(dialog.save, LEFT)

    text = (home / "settings.toml").read_text()
    assert 'folder_mode = "2770"' in text
    assert "breaker_failures = 7" in text
    assert dialog.save.text() == "Save"


def test_a_mistake_in_another_section_keeps_everything_from_being_saved(dialog: SettingsDialog, qtbot: Any) -> None:
    _type(qtbot, dialog, "folder_mode", "27x5")
    _go(dialog, "Engine")
    _type(qtbot, dialog, "breaker_failures", "7")
    assert not dialog.save.isEnabled()
    (item,) = dialog.sections.findItems("Create task folder", Qt.MatchFlag.MatchExactly)
    assert item.toolTip() == "Changed and not saved yet"


def test_closing_with_unsaved_changes_asks_and_escape_keeps_editing(dialog: SettingsDialog, qtbot: Any) -> None:
    _type(qtbot, dialog, "folder_mode", "2770")
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    (ask,) = dialog.findChildren(Confirm)
    assert ask.windowTitle() == "Leave 1 change unsaved?"
    qtbot.keyClick(ask, Qt.Key.Key_Escape)
    assert dialog.isVisible()
    assert dialog.row("folder_mode").raw() == "2770"

    dialog.close()
    ask = next(one for one in dialog.findChildren(Confirm) if one.isVisible())
    with qtbot.waitSignal(dialog.finished):
        qtbot.mouseClick(ask.confirm, LEFT)


def test_nothing_is_asked_when_nothing_was_changed(dialog: SettingsDialog, qtbot: Any) -> None:
    with qtbot.waitSignal(dialog.finished):
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)


def test_a_changed_setting_says_its_default_and_a_show_s_the_studio_s(dialog: SettingsDialog, qtbot: Any) -> None:
    row = dialog.row("folder_mode")
    assert "Default" not in row.help.text()
    _type(qtbot, dialog, "folder_mode", "2770")
    assert row.help.text().endswith("Default: 2775.")
    qtbot.mouseClick(dialog.save, LEFT)
    dialog.show_box.setCurrentIndex(dialog.show_box.findData("bigbuck"))
    dialog.row("task_types").set_value(["FX"])
    assert "The studio's: Animation, Lighting, Compositing and 1 more." in dialog.row("task_types").help.text()


def test_reset_shows_the_default_of_a_list_at_once(dialog: SettingsDialog, qtbot: Any) -> None:
    row = dialog.row("task_types")
    row.set_value(["FX"])
    qtbot.mouseClick(row.back, LEFT)
    assert row.raw() == ["Animation", "Lighting", "Compositing", "Layout"]


def test_a_setting_is_found_whatever_its_section(dialog: SettingsDialog, qtbot: Any) -> None:
    qtbot.keyClicks(dialog.search, "breaker")
    titles = [item.text() for item in dialog._items() if not item.isHidden()]
    assert "Engine" in titles
    assert "Create task folder" not in titles
    assert dialog.row("breaker_failures").isVisibleTo(dialog)
    dialog.search.clear()
    assert not any(item.isHidden() for item in dialog._items())
