"""A TD's errands, counted in clicks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QListView
from workbench_tools import BROKEN, SEQUENCE, Clicks, typed

from ui.compiler.deploy import DeployDialog
from ui.compiler.workbench import Workbench

Open = Callable[..., Workbench]


def click_row(clicks: Clicks, view: QListView, words: str) -> None:
    rows = [view.model().index(at, 0) for at in range(view.model().rowCount())]
    clicks(view.viewport(), view.visualRect(next(row for row in rows if words in row.data())).center())


def test_from_a_broken_deployed_script_to_its_line_in_two_clicks(
    open_workbench: Open, scripts_dir: Path, clicks: Clicks, qtbot
) -> None:
    (scripts_dir / "broken.js").write_text(BROKEN)
    window = open_workbench()
    qtbot.waitUntil(lambda: "broken.js" in window.scripts._rows.broken)
    click_row(clicks, window.scripts.list, "broken.js")
    qtbot.waitUntil(lambda: window.preview.head.state() == "error")
    clicks(window.preview.head.go)
    line = BROKEN[: BROKEN.index("video video")].count("\n") + 1
    assert window.editor.cursor_position()[0] == line
    assert clicks.count == 2


def test_the_problem_list_leads_to_the_line_too(open_workbench: Open, scripts_dir: Path, clicks: Clicks, qtbot) -> None:
    (scripts_dir / "broken.js").write_text(BROKEN)
    window = open_workbench("broken.js")
    clicks(
        window.problems.list.viewport(),
        window.problems.list.visualItemRect(window.problems.list.item(0)).center(),
    )
    assert window.editor.cursor_position()[0] == BROKEN[: BROKEN.index("video video")].count("\n") + 1


def test_what_a_changed_chunk_size_does_is_seen_by_typing_alone(open_workbench: Open, clicks: Clicks, qtbot) -> None:
    window = open_workbench("sequence.js")
    assert window.preview.head.chips() == ["10 blender", "1 ffmpeg"]
    place = SEQUENCE[: SEQUENCE.index("default: 10,")].count("\n") + 1
    column = SEQUENCE.splitlines()[place - 1].index("10,") + 1
    window.editor.goto(place, column)
    with qtbot.waitSignal(window.previewed, check_params_cb=lambda tasks: tasks == 6):
        QTest.keyClick(window.editor.focusProxy(), Qt.Key.Key_Delete)
        typed(window.editor, "2")
    assert window.preview.head.chips() == ["5 blender", "1 ffmpeg"]
    assert window.preview.table.model.rowCount() == 6
    qtbot.waitUntil(lambda: not isinstance(window.preview.changes.changes(0), str))
    assert "removed" in window.preview.changes.changes(0).sentence()
    assert clicks.count == 0


def test_a_changed_setting_in_the_form_is_seen_by_typing_alone(open_workbench: Open, qtbot) -> None:
    window = open_workbench("sequence.js")
    field = window.inputs.form.fields["chunk_size"].input
    field.setFocus()
    field.selectAll()
    with qtbot.waitSignal(window.previewed, check_params_cb=lambda tasks: tasks == 3):
        QTest.keyClicks(field, "50")
    assert window.preview.head.chips() == ["2 blender", "1 ffmpeg"]


def deploy_dialog(qtbot) -> DeployDialog:
    def found() -> list[DeployDialog]:
        return [w for w in QApplication.topLevelWidgets() if isinstance(w, DeployDialog) and w.isVisible()]

    qtbot.waitUntil(lambda: bool(found()))
    return found()[0]


def test_deploying_and_taking_it_back_takes_at_most_four_clicks(
    open_workbench: Open, scripts_dir: Path, clicks: Clicks, qtbot
) -> None:
    window = open_workbench("sequence.js")
    window.editor.goto(1, 1)
    typed(window.editor, "// better\n")
    clicks(window.deploy_button)
    dialog = deploy_dialog(qtbot)
    qtbot.waitUntil(dialog.deploy_button.isEnabled)
    assert dialog.diff.counts() == (1, 0)
    loads = next(label for label in dialog.findChildren(QLabel) if label.text() == "The Manager can load it")
    qtbot.waitUntil(lambda: loads.visibleRegion().boundingRect().height() > 8)
    clicks(dialog.deploy_button)
    qtbot.waitUntil(lambda: "deployed" in window.notice.text())
    assert (scripts_dir / "sequence.js").read_text().startswith("// better\n")
    back = next(button for button in window.notice.buttons if button.text() == "Take back")
    clicks(back)
    qtbot.waitUntil(lambda: "back as it was" in window.notice.text())
    assert (scripts_dir / "sequence.js").read_text() == SEQUENCE
    assert window.editor.text().startswith("// better\n")
    assert clicks.count <= 4


def test_a_first_deployment_is_taken_back_by_taking_the_file_away(
    open_workbench: Open, scripts_dir: Path, clicks: Clicks, qtbot
) -> None:
    window = open_workbench("log_and_sleep.js")
    clicks(window.deploy_button)
    dialog = deploy_dialog(qtbot)
    qtbot.waitUntil(dialog.deploy_button.isEnabled)
    clicks(dialog.deploy_button)
    qtbot.waitUntil(lambda: "is deployed" in window.notice.text())
    assert (scripts_dir / "log_and_sleep.js").exists()
    clicks(next(button for button in window.notice.buttons if button.text() == "Take back"))
    qtbot.waitUntil(lambda: "not deployed any more" in window.notice.text())
    assert not (scripts_dir / "log_and_sleep.js").exists()


def test_a_script_somebody_else_changed_is_not_overwritten_unless_told(
    open_workbench: Open, scripts_dir: Path, clicks: Clicks, qtbot
) -> None:
    window = open_workbench("sequence.js")
    window.editor.goto(1, 1)
    typed(window.editor, "// mine\n")
    (scripts_dir / "sequence.js").write_text("// theirs\n" + SEQUENCE)
    qtbot.waitUntil(lambda: "changed on disk" in window.notice.text())
    clicks(window.deploy_button)
    dialog = deploy_dialog(qtbot)
    qtbot.waitUntil(dialog.force_button.isVisible)
    assert not dialog.deploy_button.isVisible()
    clicks(dialog.cancel_button)
    assert (scripts_dir / "sequence.js").read_text().startswith("// theirs")
    clicks(window.deploy_button)
    dialog = deploy_dialog(qtbot)
    qtbot.waitUntil(dialog.force_button.isVisible)
    clicks(dialog.force_button)
    qtbot.waitUntil(lambda: "is deployed" in window.notice.text())
    assert (scripts_dir / "sequence.js").read_text().startswith("// mine")


def test_a_broken_script_is_not_deployed_by_one_button(open_workbench: Open, scripts_dir: Path, clicks, qtbot) -> None:
    (scripts_dir / "broken.js").write_text(SEQUENCE)
    window = open_workbench("broken.js")
    window.editor.goto(1, 1)
    typed(window.editor, "const const;\n")
    qtbot.waitUntil(lambda: window.preview.head.state() == "error")
    clicks(window.deploy_button)
    dialog = deploy_dialog(qtbot)
    qtbot.waitUntil(dialog.force_button.isVisible)
    assert not dialog.deploy_button.isVisible()
    dialog.reject()
