"""A clip in the upload dialog: what is wrong with it is read whole, and takes no more room than it needs."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from ui.dialogs.clip_row import ClipRow
from ui.models.uploads import Clip

WHY = (
    "notes.mov is not a movie or an image that can be read: it is damaged, cut short, or has the wrong ending. "
    "Open it in a player; if that fails too, export it again."
)


def test_what_is_wrong_with_a_clip_is_read_whole_without_a_scroll_bar(qtbot: QtBot, dark: None, tmp_path: Path) -> None:
    clip = Clip(key="1", text=str(tmp_path / "notes.mov"), label="notes.mov", state="refused", words=WHY)
    area, holder = QScrollArea(), QWidget()
    qtbot.addWidget(area)
    area.setWidgetResizable(True)
    area.setWidget(holder)
    column = QVBoxLayout(holder)
    row = ClipRow(clip)
    column.addWidget(row)
    column.addStretch(0)
    area.resize(600, 200)
    with qtbot.waitExposed(area):
        area.show()

    assert row.why.text().endswith("export it again.")
    assert row.why.height() >= row.why.heightForWidth(row.why.width())
    assert area.verticalScrollBar().maximum() == 0
    assert row.height() < 140


def test_a_long_file_name_keeps_its_version_and_its_kind(qtbot: QtBot, dark: None, tmp_path: Path) -> None:
    name = f"sq010_{'very_' * 40}long_v012.mov"
    row = ClipRow(Clip(key="1", text=str(tmp_path / name), label=name, state="ready"))
    qtbot.addWidget(row)
    row.resize(500, 100)
    with qtbot.waitExposed(row):
        row.show()
    assert row.name.text().endswith("v012.mov")
    assert row.name.text() != name
    assert name in row.name.toolTip()
