"""Batch Create's dialog as production uses it: on the embedded site, with the real engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from artist_room import Studio, server_of, studio_in
from hand import Hand, tab_to
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.actions.batch_create import BatchCreateSettings
from ui.dialogs.batch_create import BatchCreateDialog
from ui.dialogs.undo import UndoDialog
from ui.models.desk import SiteDesk
from ui.models.hub import Hub
from ui.panel import Panel


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    with studio_in(tmp_path, monkeypatch) as made, server_of(made, listener=False):
        yield made


@pytest.fixture
def dialog(studio: Studio, qtbot: QtBot, dark: None) -> Iterator[BatchCreateDialog]:
    hub = Hub(studio.installation.journal)
    desk = SiteDesk(studio.desk, embedded=True)
    project = studio.rows('select id from Project where name is "nightjar"')[0]["id"]
    made = BatchCreateDialog(hub, desk, ("Project", project, "nightjar"))
    made.show()
    qtbot.waitExposed(made)
    qtbot.waitUntil(lambda: made._below is not None)
    yield made
    made.close()
    hub.close()
    desk.close()
    hub.deleteLater()
    desk.deleteLater()


def retype(dialog: BatchCreateDialog, text: str) -> None:
    """Type over what stands in the field that has the focus."""
    field = dialog.focusWidget()
    QTest.keyClick(field, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(field, text)


def sheet(count: int = 40) -> str:
    """As a spreadsheet copies it: tabs, and a description with a line break in quotes."""
    lines = ["shot\tsequence\tframe in\tframe out\ttasks\tdescription"]
    for number in range(1, count + 1):
        lines.append(
            f"SQ7_{number * 10:04d}\tSQ7\t1001\t{1001 + number}\tAnimation 8h; Lighting 2d\t"
            f'"wide ""plate""\nof <b>{number}</b>"'
        )
    return "\n".join(lines)


def shots(studio: Studio) -> list[dict[str, object]]:
    return studio.rows('select id, name, description from Shot where parent.name is "SQ7" order by name')


def test_production_makes_forty_shots_of_a_pasted_sheet_and_takes_them_back(
    studio: Studio, show_panel: Callable[..., Panel], qtbot: QtBot
) -> None:
    panel = show_panel(studio.installation.journal, wait=False)
    panel.take_desk(SiteDesk(studio.desk, embedded=True, parent=panel))
    QGuiApplication.clipboard().setText(sheet())
    there = Hand(qtbot)
    there.click_tab(panel, "Browser")
    tree = panel.browser.tree
    qtbot.waitUntil(lambda: tree.topLevelItemCount() > 0)
    there.click_item(tree, tree.findItems("nightjar", Qt.MatchFlag.MatchExactly)[0])
    as_sheet = "Batch Create as a sheet…"

    def offered() -> bool:
        # The menu is made anew when its answer comes: what counts is the button that can be seen.
        return as_sheet in panel.browser.buttons and panel.browser.buttons[as_sheet].isVisible()

    qtbot.waitUntil(offered)
    there.click(panel.browser.buttons[as_sheet])
    (dialog,) = panel.findChildren(BatchCreateDialog)
    qtbot.waitUntil(lambda: dialog._below is not None)
    there.click(dialog.paste_button)
    assert dialog.table.counts()["new"] == 40
    assert dialog.create_button.text() == "Create 40 shots"
    there.click(dialog.create_button)
    qtbot.waitUntil(dialog.undo_button.isVisible)
    assert there.clicks <= 5
    made = shots(studio)
    assert len(made) == 40
    assert made[0]["description"] == 'wide "plate"\nof <b>1</b>'
    values = studio.rows(
        f'select key, value from ContextCustomAttributeValue where entity_id is "{made[4]["id"]}" '
        'and key in ("fstart", "fend")'
    )
    assert {row["key"]: row["value"] for row in values} == {"fstart": 1001, "fend": 1006}
    qtbot.waitUntil(lambda: dialog.table.counts()["exists"] == 40)
    dialog.reject()

    # Somebody sees later that it was the wrong sheet.
    back = Hand(qtbot)
    back.click_tab(panel, "Actions")
    actions = panel.actions_dock

    def way_back() -> list[QWidget]:
        buttons = [line.undo_button for line in actions.card("batch_create").lines()]
        return [button for button in buttons if button.isEnabled() and button.isVisible()]

    qtbot.waitUntil(lambda: bool(actions._cards) and bool(way_back()))
    back.click(way_back()[0])
    (ask,) = panel.findChildren(UndoDialog)
    qtbot.waitUntil(ask.confirm.isEnabled)
    assert ask.goes.count() >= 40
    back.click(ask.confirm)
    qtbot.waitUntil(lambda: shots(studio) == [])
    assert back.clicks <= 4


def test_the_wrong_character_of_an_expression_is_marked(dialog: BatchCreateDialog, qtbot: QtBot) -> None:
    dialog.numbers.setText("10-20:10")
    dialog.expression.setText("sh<##")
    qtbot.waitUntil(dialog.wrong.isVisible)
    assert "character 3" in dialog.wrong.text()
    assert ">&lt;</span>##" in dialog.wrong.text()
    assert dialog.table.rowCount() == 0
    dialog.expression.setText("sh###")
    qtbot.waitUntil(lambda: dialog.table.rowCount() == 2)
    assert not dialog.wrong.isVisible()


def test_rows_say_new_exists_adds_and_conflict_and_a_cell_is_mended_in_place(
    studio: Studio, dialog: BatchCreateDialog, qtbot: QtBot
) -> None:
    there = studio.rows('select name from Shot where project.name is "nightjar" and parent.name is "001"')[0]
    dialog.take_text(
        "sequence,shot,frame in,tasks\n"
        f"001,{there['name'].upper()},,\n"
        f"001,{there['name']}x,ten,\n"
        "001,a/b,,\n"
        "001,fresh,,Knitting\n"
        f"001,{there['name']}y,,Animation\n"
    )
    assert dialog.table.counts() == {"new": 1, "adds": 0, "exists": 1, "conflict": 3}
    model = dialog.table
    assert "'ten' is not a whole frame number" in str(model.data(model.index(1, 7)))
    assert "Knitting" in str(model.data(model.index(3, 7)))
    dialog.sheet.setCurrentIndex(model.index(1, 3))
    dialog.sheet.edit(model.index(1, 3))
    editor = dialog.sheet.viewport().findChild(type(dialog.numbers))
    assert editor is not None
    editor.clear()
    QTest.keyClicks(editor, "1001")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: model.counts()["new"] == 2)


def test_an_export_read_again_is_the_same_sheet(dialog: BatchCreateDialog, tmp_path: Path) -> None:
    dialog.take_text(sheet(3))
    before = dialog.table.fresh()
    dialog.write_file(str(tmp_path / "shots.csv"))
    dialog.table.replace([])
    dialog._by_hand = False
    dialog.read_file(str(tmp_path / "shots.csv"))
    assert dialog.table.fresh() == before


def test_a_typed_place_an_expression_and_tasks_make_shots_by_keyboard_alone(
    studio: Studio, dialog: BatchCreateDialog, qtbot: QtBot
) -> None:
    tab_to(qtbot, dialog, dialog.picker.typed)
    retype(dialog, "salt_marsh")
    QTest.keyClick(dialog.picker.typed, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: dialog._below is not None and dialog._below.project == "salt_marsh")
    tab_to(qtbot, dialog, dialog.sequence)
    retype(dialog, "K01")
    tab_to(qtbot, dialog, dialog.numbers)
    QTest.keyClicks(dialog.numbers, "10-30:10")
    qtbot.waitUntil(lambda: dialog.table.counts()["new"] == 3)
    tab_to(qtbot, dialog, dialog.tasks.add)
    QTest.keyClick(dialog.tasks.add, Qt.Key.Key_Space)
    assert dialog.table.tasks_made() == 3
    tab_to(qtbot, dialog, dialog.create_button)
    QTest.keyClick(dialog.create_button, Qt.Key.Key_Return)
    qtbot.waitUntil(dialog.undo_button.isVisible)
    assert dialog.focusWidget() is dialog.undo_button, "the way back is under the hand"
    made = studio.rows('select name from Shot where parent.name is "K01" order by name')
    assert [one["name"] for one in made] == ["K01_0010", "K01_0020", "K01_0030"]


@pytest.fixture
def three_at_once(studio: Studio) -> None:
    store = studio.installation.store
    store.declare("actions.batch_create", BatchCreateSettings)
    store.set("actions.batch_create", "confirm_above", 3)


def test_more_rows_than_the_settings_allow_are_asked_for_again(
    three_at_once: None, dialog: BatchCreateDialog, qtbot: QtBot
) -> None:
    dialog.sequence.setText("Z9")
    dialog.numbers.setText("1-4")
    qtbot.waitUntil(lambda: dialog.table.counts()["new"] == 4)
    dialog.create_button.click()
    ask = next(w for w in QApplication.topLevelWidgets() if w.isVisible() and w.windowTitle() == "Make 4 shots?")
    ask.close()
    assert dialog.run is None


def test_presets_come_back_in_the_next_dialog(dialog: BatchCreateDialog, qtbot: QtBot) -> None:
    dialog.tasks.add.click()
    dialog.tasks.add.click()
    dialog.tasks._lines[0].bid.setValue(16)
    dialog.tasks.keep("two <i>tasks</i>")
    wanted = dialog.tasks.tasks()
    dialog.tasks.set_tasks([])
    dialog.tasks._list_presets()
    dialog.tasks._use(dialog.tasks.presets.findText("two <i>tasks</i>"))
    dialog.tasks.presets.setCurrentText("two <i>tasks</i>")
    dialog.tasks._use(dialog.tasks.presets.currentIndex())
    assert dialog.tasks.tasks() == wanted
