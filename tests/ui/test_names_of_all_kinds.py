"""Names as people give them: in any script, with marks, line breaks and what looks like markup."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QFontMetrics, QImage
from PySide6.QtWidgets import QLabel, QWidget

from app.jobs.local import ShownCommand
from app.journal.jobs import NewJob, NewTask
from app.journal.journal import Journal
from app.journal.rows import TaskRow
from ui import theme
from ui.dialogs.base import Confirm, ItemList
from ui.dialogs.job_confirm import JobConfirmDialog, command_text
from ui.docks.elided import ElidedLabel
from ui.docks.jobs import JobsDock
from ui.docks.table_view import TableView
from ui.models.jobs import TASK_COLUMNS, Table
from ui.models.words import name_of, tip
from ui.panel import Panel
from ui.sample_day import Day
from ui.theme import Role

HEBREW = "תאורה SQ010_0040"
MARKUP = "<b>SQ010</b> & <img src='x'>"
BROKEN = "layout\nsecond line"
HIDDEN = "render \u202eexe.mov"


@pytest.fixture
def dock(show_panel: Callable[..., Panel], day: Day, qtbot: Any) -> JobsDock:
    """The Jobs page with a job that waits for a person and has a task of each name."""
    journal = Journal.open(day.folder)
    tasks = [
        NewTask(name, "misc", [{"name": "echo", "parameters": {"message": name}}])
        for name in (HEBREW, MARKUP, BROKEN, HIDDEN)
    ]
    settings = {"out": "/data/a", "שם": "b"}
    journal.add_job(NewJob(MARKUP, "names", tasks, settings=settings, who="יעל", script_hash="x", hold="confirm"))
    journal.close()
    panel = show_panel(day.folder)
    panel.show_page(2)
    dock = panel.jobs
    qtbot.waitUntil(lambda: len(dock.tasks.rows()) == 4 and dock.task() is not None)
    return dock


def ink(widget: QWidget, ground: Role, area: QRect | None = None) -> QRect:
    """Where a widget has anything but its ground, in its own coordinates."""
    image: QImage = widget.grab(area or widget.rect()).toImage()
    blank = theme.current().colour(ground).rgb()
    points = [(x, y) for x in range(image.width()) for y in range(image.height()) if image.pixel(x, y) != blank]
    xs, ys = [x for x, _y in points], [y for _x, y in points]
    return QRect(min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1)


def cell(view: TableView, place: int, title: str) -> QRect:
    column = [each.title for each in TASK_COLUMNS].index(title)
    return view.visualRect(view.model().index(place, column))


def test_a_tooltip_says_a_name_with_markup_as_it_is(dock: JobsDock) -> None:
    at = dock.jobs.index(0, 1)
    said = at.data(Qt.ItemDataRole.ToolTipRole)
    assert said.startswith("<qt>")
    assert "&lt;b&gt;SQ010&lt;/b&gt; &amp; &lt;img" in said
    label = ElidedLabel(MARKUP * 9)
    label.resize(80, 20)
    label.grab()
    assert "&lt;img" in label.toolTip()


def test_a_long_tooltip_is_wrapped_and_a_short_one_is_left_alone() -> None:
    assert tip("three\nshort\nlines") == "three\nshort\nlines"
    assert tip("why " * 90).startswith("<qt>"), "Qt wraps nothing else: it would leave the screen"


def test_a_dialog_asks_about_a_job_by_its_very_name(dock: JobsDock, qtbot: Any) -> None:
    job = dock.job()
    assert job is not None
    dialog = JobConfirmDialog(dock._hub, job, dock)
    formats = {label.textFormat() for label in dialog.findChildren(QLabel) if MARKUP in label.text()}
    assert formats == {Qt.TextFormat.PlainText}
    qtbot.waitUntil(dialog.confirm.isEnabled)
    dialog.close()


def test_a_sign_that_turns_a_command_line_round_is_seen_before_it_is_confirmed() -> None:
    lines = command_text([ShownCommand(1, HIDDEN, ("cp", HIDDEN), f"cp '{HIDDEN}' 'קובץ.exr' '夜鷹 é'")])
    assert "\u202e" not in lines
    assert lines.count("\\u202eexe.mov") == 2
    assert "'קובץ.exr' '夜鷹 é'" in lines, "what has a shape stays as it is"


def test_a_name_does_not_turn_round_what_stands_beside_it(dock: JobsDock) -> None:
    assert dock.tasks.index(3, 2).data() == "render exe.mov"
    listing = ItemList("Items")
    listing.fill([("job", f"{HIDDEN}  (This machine)", Role.MUTED)])
    assert listing.item(0).text() == "render exe.mov  (This machine)"
    family = "👩‍🎨 می‌خواهم"
    assert name_of(family) == family, "joined signs and words stay joined"


def test_a_question_about_one_thing_is_smaller_than_one_about_many(dock: JobsDock, qtbot: Any) -> None:
    heights = []
    for count in (1, 40):
        asked = Confirm("Delete?", "They are gone.", [HEBREW] * count, "Delete", dock)
        asked.open()
        qtbot.waitUntil(asked.isVisible)
        heights.append(asked.height())
        asked.close()
    assert heights[0] + 120 < heights[1] < 480


def test_settings_are_read_from_left_to_right_whatever_their_names(dock: JobsDock) -> None:
    dock.right.setCurrentWidget(dock.details)
    block = dock.details.document().begin()
    while "שם" not in block.text():
        block = block.next()
    assert block.layout().textOption().textDirection() == Qt.LayoutDirection.LeftToRight


def test_the_name_of_a_task_stands_at_the_left_in_hebrew_too(qtbot: Any) -> None:
    label = ElidedLabel(HEBREW)
    qtbot.addWidget(label)
    label.setStyleSheet(f"background: {theme.current().hex(Role.SUNKEN)}")
    label.resize(600, 24)
    assert ink(label, Role.SUNKEN).right() < 300
    assert label.whole() == HEBREW


def test_a_name_of_two_lines_has_one_in_the_table(dock: JobsDock) -> None:
    dock.task_list.clearSelection()
    one, two = (ink(dock.task_list.viewport(), Role.SUNKEN, cell(dock.task_list, place, "Task")) for place in (0, 2))
    line = QFontMetrics(theme.ui_font()).height()
    assert one.height() <= line
    assert two.height() <= line


def test_the_number_of_the_five_thousandth_task_is_read_whole(dock: JobsDock) -> None:
    room = cell(dock.task_list, 0, "#").width() - 16
    assert QFontMetrics(theme.ui_font()).horizontalAdvance("5000") <= room


def test_the_names_of_tasks_keep_room_in_the_smallest_window(dock: JobsDock, qtbot: Any) -> None:
    dock.window().resize(960, 600)
    qtbot.waitUntil(lambda: dock.window().width() <= 960)
    dock.across.setSizes([1, 900])
    qtbot.waitUntil(lambda: dock.task_list.width() < 420)
    assert cell(dock.task_list, 0, "Task").width() >= 110
    dock.across.setSizes([600, 300])
    qtbot.waitUntil(lambda: cell(dock.task_list, 0, "Time").right() < dock.task_list.viewport().width())


def test_a_box_that_is_ticked_shows_it_while_it_cannot_be_changed(dock: JobsDock) -> None:
    dock.group.setEnabled(False)
    dock.left.setCurrentIndex(1)
    picture = dock.group.grab(QRect(0, 0, 18, dock.group.height())).toImage()
    outline = theme.current().colour(Role.OUTLINE).rgb()
    inside = sum(picture.pixel(x, y) == outline for x in range(18) for y in range(picture.height()))
    assert inside > 60, "a ticked box is filled"


def test_long_names_that_differ_at_their_ends_are_told_apart_in_the_table(qtbot: Any, dark: None) -> None:
    shot = "render-SQ010_0040_lighting_beauty_pass_of_the_long_corridor-"
    rows = [
        TaskRow(place, 1, place, "", place, f"{shot}{place}", "misc", 50, "queued", "", "", None, None, 0, 0, 0)
        for place in (1, 2, 3)
    ]
    model: Table[TaskRow] = Table(TASK_COLUMNS)
    model.set_rows(rows)
    view = TableView(model, "tasks")
    qtbot.addWidget(view)
    view.resize(560, 200)
    with qtbot.waitExposed(view):
        view.show()
    first, third = (view.viewport().grab(cell(view, place, "Task")) for place in (0, 2))
    assert first.toImage() != third.toImage()
