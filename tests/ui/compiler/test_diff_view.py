"""The difference before a deployment."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from ui.compiler.diff_view import DiffView, diff_rows

OLD = "\n".join(f"line {at}" for at in range(1, 41)) + "\n"
NEW = OLD.replace("line 20\n", "line twenty\nand a half\n")


def test_only_the_change_and_its_surroundings_are_listed_with_both_line_numbers() -> None:
    rows = diff_rows(OLD, NEW)
    changed = [
        (row.kind, row.old_line, row.old, row.new_line, row.new) for row in rows if row.kind not in ("same", "gap")
    ]
    assert changed == [("changed", 20, "line 20", 20, "line twenty"), ("added", 0, "", 21, "and a half")]
    assert rows[0].kind == "gap"
    assert len(rows) < 14


def test_the_same_text_has_no_rows() -> None:
    assert diff_rows(OLD, OLD) == []


def test_counts_and_copy_in_unified_form(qtbot, dark: None) -> None:
    view = DiffView()
    qtbot.addWidget(view)
    view.resize(900, 400)
    with qtbot.waitExposed(view):
        view.show()
    view.show_texts(OLD, NEW, ("deployed now", "to be deployed"))
    assert view.counts() == (2, 1)
    QTest.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    copied = QGuiApplication.clipboard().text()
    assert copied.startswith("--- deployed now\n+++ to be deployed")
    assert "+line twenty" in copied


def test_it_paints_side_by_side_and_narrow_alike(qtbot, dark: None) -> None:
    view = DiffView()
    qtbot.addWidget(view)
    view.show_texts("a = 1;\n" * 300, "b = 2;\n" * 280)
    with qtbot.waitExposed(view):
        view.show()
    images = []
    for width in (1000, 400):
        view.resize(width, 300)
        images.append(view.grab().toImage())
    assert all(image.pixelColor(200, 60) != image.pixelColor(2, 2) for image in images)


def test_a_first_deployment_is_all_added(qtbot, dark: None) -> None:
    view = DiffView()
    qtbot.addWidget(view)
    view.show_texts("", "a\nb\n")
    assert view.counts() == (2, 0)
