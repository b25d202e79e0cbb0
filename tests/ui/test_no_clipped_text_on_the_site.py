"""Every text of the dialogs and docks that need a site can be read at 1280x720, in both themes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from artist_room import Studio, studio_in
from clipping import assert_nothing_is_clipped
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from ui import theme
from ui.dialogs.sign_in import SignIn
from ui.models.desk import SiteDesk
from ui.panel import Panel
from ui.sample_day import write_day
from ui.sample_shadow import sample_report

THEMES: tuple[theme.Choice, ...] = ("light", "dark")
LONG = "nightjar_sq010_sh0450_a_very_long_name_of_a_take_that_somebody_typed_in_a_hurry_v012.mov"


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    with studio_in(tmp_path, monkeypatch) as made:
        write_day(made.installation.journal, now=1_800_000_000.0, events=20)
        yield made


@pytest.fixture
def panel(studio: Studio, show_panel: Callable[..., Panel]) -> Panel:
    made = show_panel(studio.installation.journal)
    made.take_desk(SiteDesk(studio.desk, embedded=True, parent=made))
    return made


@pytest.fixture
def in_both(qapp: QApplication, qtbot: QtBot) -> Callable[[Any], None]:
    """Checks a widget in one theme after the other."""

    def check(widget: Any) -> None:
        for choice in THEMES:
            theme.apply(qapp, choice)
            assert_nothing_is_clipped(qtbot, widget)

    return check


def test_no_text_of_upload_and_of_signing_in_is_clipped(
    studio: Studio, panel: Panel, in_both: Callable[[Any], None], qtbot: QtBot
) -> None:
    assert panel.desk is not None
    entry = SignIn(panel.desk, "https://studio.ftrackapp.com", "ada")
    entry.setParent(panel, entry.windowFlags())
    entry.show()
    entry._refused("https://studio.ftrackapp.com does not accept this user and key: copy the key again.")
    in_both(entry)
    entry.reject()
    dialog = panel.open_upload()
    assert dialog is not None
    assert_nothing_is_clipped(qtbot, dialog)
    odd = studio.folder / "notes from <b>the client.mov"
    odd.write_text("not a movie")
    dialog.add_files([str(studio.clip(LONG)), str(odd)])
    qtbot.waitUntil(lambda: len(dialog.uploads.clips) == 2)
    qtbot.waitUntil(lambda: all(c.state != "looking" for c in dialog.uploads.clips.values()))
    clip = next(clip for clip in dialog.uploads.clips.values() if clip.state == "ready")
    in_both(dialog)
    # As each state shows it, without waiting for a transcode.
    clip.phase, clip.fraction = "transcode", 0.4
    for state in ("waiting", "working", "done", "failed", "cancelled"):
        clip.state, clip.words = state, "Making the review media, 100 %, 1240 frames/s"
        dialog._changed(clip.key)
        assert_nothing_is_clipped(qtbot, dialog)
    dialog._leave()


def test_no_text_of_batch_create_and_of_the_browser_is_clipped(
    panel: Panel, in_both: Callable[[Any], None], qtbot: QtBot
) -> None:
    assert panel.desk is not None
    found: list[Any] = []
    panel.desk.ask("shows", lambda desk: desk.look_ups.projects(), found.append, owner=panel)
    qtbot.waitUntil(lambda: bool(found))
    show = next(one for one in found[0] if one.name == "nightjar")
    dialog = panel.open_batch("Project", show.id, show.name)
    assert dialog is not None
    qtbot.waitUntil(lambda: dialog._below is not None)
    assert_nothing_is_clipped(qtbot, dialog)
    dialog.numbers.setText("10-200:1o")
    qtbot.waitUntil(dialog.wrong.isVisible)
    for _ in range(6):
        dialog.tasks.add.click()
    dialog.take_text("sequence\tshot\tframe in\tframe out\ttasks\tdescription\nSQ10\tSQ10_0010\tten\t1100\t\twide")
    in_both(dialog)
    for button in (dialog.undo_button, dialog.stop_button):
        button.show()
    dialog.notice.say("ok", "112 made. Folders follow by themselves.")
    in_both(dialog)
    dialog.reject()

    panel._dock["browser"].raise_()
    dock = panel.browser
    qtbot.waitUntil(lambda: dock.tree.topLevelItemCount() > 0)
    dock.tree.setCurrentItem(dock.tree.topLevelItem(0))
    assert_nothing_is_clipped(qtbot, panel)
    # A page as an action sends it, with each kind of field.
    dock._take_answer({
        "title": "Batch Create",
        "items": [
            {"type": "label", "value": "Sequences, shots and tasks below nightjar"},
            {"type": "text", "name": "expression", "label": "Shot expression", "value": "####"},
            {"type": "boolean", "name": "prefix", "label": "Add the sequence's name before each shot's", "value": True},
            {"type": "enumerator", "name": "type", "label": "Type", "value": "a",
             "data": [{"label": "Pending Internal Review", "value": "a"}]},
            {"type": "textarea", "name": "note", "label": "Note", "value": ""},
        ],
    })  # fmt: skip
    in_both(panel)
    assert panel.size() == QSize(1280, 720)


def test_no_text_of_the_comparison_with_another_server_is_clipped(
    panel: Panel, in_both: Callable[[Any], None], qtbot: QtBot
) -> None:
    dialog = panel.open_shadow()
    assert dialog is not None
    qtbot.waitUntil(dialog.compare.isEnabled)
    in_both(dialog)
    dialog.show_report(sample_report())
    in_both(dialog)
    assert dialog.tree.topLevelItemCount() == 4, "each handler, and the action that both answer"
    dialog.reject()
