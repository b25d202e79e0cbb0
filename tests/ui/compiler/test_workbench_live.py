"""The live preview: what is shown while a script is edited, broken, dangerous or somebody else's."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from workbench_tools import SEQUENCE, typed

from app.jobs.api import CompileRequest, OutcomeKind
from ui import theme
from ui.compiler.changes_view import DEPLOYED, LAST
from ui.compiler.doors import Doors
from ui.compiler.preview import PreviewRunner
from ui.compiler.scripts_list import NewScriptDialog
from ui.compiler.workbench import Workbench

Open = Callable[..., Workbench]


def retype(window: Workbench, text: str) -> None:
    """Replace the whole text as formatting or a paste does: an edit, not an opening."""
    window.editor.replace_text(text)


def test_the_last_good_preview_stays_while_the_text_is_broken(open_workbench: Open, qtbot) -> None:
    window = open_workbench("sequence.js")
    retype(window, SEQUENCE.replace("const tasks = [];", "const tasks = [;"))
    qtbot.waitUntil(lambda: window.preview.head.state() == "error")
    assert window.preview.table.model.rowCount() == 11
    assert window.preview.head.kept_note().startswith("Below: the last preview that worked")
    assert window.editor.diagnostics()[0].line == 10
    retype(window, SEQUENCE)
    qtbot.waitUntil(lambda: window.preview.head.state() == "ok")
    assert window.preview.head.kept_note() == ""
    qtbot.waitUntil(lambda: window.editor.diagnostics() == [])


def test_an_endless_loop_is_told_as_the_managers_end_and_the_next_preview_works(
    open_workbench: Open, doors: Doors, qtbot
) -> None:
    window = open_workbench("sequence.js")
    retype(window, SEQUENCE.replace("const tasks = [];", "const tasks = []; for (;;) {}"))
    qtbot.waitUntil(lambda: window.preview.head.state() == "error")
    assert window.preview.head.title() == "The Manager would hang here, for everyone."
    retype(window, SEQUENCE)
    qtbot.waitUntil(lambda: window.preview.head.state() == "ok")


def test_typing_on_during_an_endless_loop_does_not_wait_for_it(open_workbench: Open, qtbot) -> None:
    window = open_workbench("sequence.js")
    retype(window, SEQUENCE.replace("const tasks = [];", "const tasks = []; for (;;) {}"))
    qtbot.waitUntil(lambda: window.runner.busy)
    with qtbot.waitSignal(window.previewed, timeout=4_000, check_params_cb=lambda tasks: tasks == 21):
        retype(window, SEQUENCE.replace("default: 10,", "default: 5,"))


def test_an_older_result_never_lands_on_a_newer_one(doors: Doors, qtbot) -> None:
    runner = PreviewRunner(doors.pool, debounce_ms=0)
    shown: list[tuple[int, int]] = []
    runner.finished.connect(lambda result, generation, _ms: shown.append((generation, result.summary.tasks)))

    def request_of(tasks: int) -> CompileRequest:
        loop = f"for (let i = 0; i < {tasks}; i++) job.addTask(author.Task('t' + i, 'misc'));"
        source = f"const JOB_TYPE = {{label: 'x'}}; function compileJob(job) {{ {loop} }}"
        job = {"name": "n", "type": "t", "submitter_platform": "linux", "settings": {}}
        return CompileRequest(scripts={"t.js": source}, script="t.js", job=job)

    for tasks in range(1, 30):
        runner.request(lambda tasks=tasks: request_of(tasks), now=True)
    qtbot.waitUntil(lambda: bool(shown) and shown[-1][0] == 29)
    generations = [generation for generation, _tasks in shown]
    assert generations == sorted(set(generations))
    assert shown[-1] == (29, 29)
    assert all(generation == tasks for generation, tasks in shown)
    runner.close()


def test_the_inspector_shows_every_argument_after_variables_on_each_platform(open_workbench: Open, qtbot) -> None:
    window = open_workbench("sequence.js")
    window.preview.show_place(10)
    qtbot.waitUntil(lambda: "in put" in window.preview.inspector.plain_text())
    window.preview.show_place(0)
    qtbot.waitUntil(lambda: "1-10" in window.preview.inspector.plain_text())
    text = window.preview.inspector.plain_text()
    assert "{blender}" not in text
    window.preview.inspector.copy()
    assert QApplication.clipboard().text() == "blender -f 1-10"


def test_search_finds_a_task_and_what_waits_for_it(open_workbench: Open, qtbot) -> None:
    window = open_workbench("sequence.js")
    window.preview.table.search.setText("render-91")
    qtbot.waitUntil(lambda: window.preview.table.model.rowCount() == 2)
    window.preview.table.search.setText("nowhere")
    qtbot.waitUntil(lambda: window.preview.table.model.rowCount() == 0)
    window.preview.show_place(3)
    assert window.preview.table.current_place() == 3


def test_the_graph_follows_and_a_card_leads_to_its_task(open_workbench: Open, qtbot) -> None:
    window = open_workbench("sequence.js")
    window.preview.tabs.setCurrentWidget(window.preview.graph)
    canvas = window.preview.graph.canvas
    qtbot.waitUntil(lambda: len(canvas.graph.cards) == 11)
    window.inputs.form.fields["chunk_size"].input.setValue(1)
    qtbot.waitUntil(lambda: [len(card.tasks) for card in canvas.graph.cards] == [100, 1])
    spot = canvas._places[1].center() * canvas._scale + canvas._origin
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=spot.toPoint())
    assert window.preview.table.current_place() == 100


def test_prints_of_the_script_are_shown(open_workbench: Open, qtbot) -> None:
    window = open_workbench("sequence.js")
    assert window.preview.prints.toPlainText() == "tasks: 10"


def test_the_raw_result_is_the_json_of_the_command_line(open_workbench: Open, qtbot) -> None:
    window = open_workbench("sequence.js")
    window.preview.tabs.setCurrentWidget(window.preview.raw)
    qtbot.waitUntil(lambda: window.preview.raw.editor.text().startswith("{"))
    answer = json.loads(window.preview.raw.editor.text())
    assert answer["outcome"] == "ok"
    assert len(answer["tasks"]) == 11


def test_changes_against_the_deployed_script(open_workbench: Open, qtbot) -> None:
    window = open_workbench("sequence.js")
    retype(window, SEQUENCE.replace('"video"', '"movie"'))
    window.preview.tabs.setCurrentWidget(window.preview.changes)
    window.preview.changes.basis.button(DEPLOYED).click()

    def answered() -> bool:
        found = window.preview.changes.changes(DEPLOYED)
        return not isinstance(found, str) and found.counts[:2] == (1, 1)

    qtbot.waitUntil(answered)
    assert [task.name for task in window.preview.changes.changes(DEPLOYED).added] == ["movie"]
    assert window.preview.changes.basis.checkedId() != LAST


def test_a_draft_survives_the_end_of_the_window(open_workbench: Open, doors: Doors, scripts_dir: Path, qtbot) -> None:
    window = open_workbench("sequence.js")
    window.editor.goto(1, 1)
    typed(window.editor, "// draft\n")
    window.shutdown()
    assert (scripts_dir / "sequence.js").read_text() == SEQUENCE
    again = open_workbench("sequence.js")
    assert again.editor.text() == "// draft\n" + SEQUENCE
    assert again.draft_words.whole() == "Continued from your draft"


def test_a_draft_is_written_a_moment_after_typing(open_workbench: Open, doors: Doors, qtbot) -> None:
    window = open_workbench("sequence.js")
    with qtbot.waitSignal(window.document.saved):
        typed(window.editor, "/")
    assert doors.library.open("sequence.js").text.startswith("/const")
    qtbot.waitUntil(lambda: window.state.text() == "changed")


def test_discarding_the_draft_gives_the_deployed_text_back(open_workbench: Open, qtbot) -> None:
    window = open_workbench("sequence.js")
    with qtbot.waitSignal(window.document.saved):
        typed(window.editor, "x")
    window.discard_draft("sequence.js")
    qtbot.waitUntil(lambda: window.editor.text() == SEQUENCE)


def test_a_change_by_somebody_else_is_said_and_theirs_can_be_taken(
    open_workbench: Open, scripts_dir: Path, qtbot
) -> None:
    window = open_workbench("sequence.js")
    (scripts_dir / "sequence.js").write_text("// theirs\n" + SEQUENCE)
    qtbot.waitUntil(lambda: "changed on disk" in window.notice.text())
    next(button for button in window.notice.buttons if button.text() == "Take theirs").click()
    qtbot.waitUntil(lambda: window.editor.text().startswith("// theirs"))
    assert window.notice.text() == ""


def test_a_vanished_script_is_said_and_the_text_stays(open_workbench: Open, scripts_dir: Path, qtbot) -> None:
    window = open_workbench("sequence.js")
    (scripts_dir / "sequence.js").unlink()
    qtbot.waitUntil(lambda: "changed on disk" in window.notice.text())
    assert window.editor.text() == SEQUENCE


def test_inputs_are_kept_per_script(open_workbench: Open, qtbot) -> None:
    window = open_workbench("sequence.js")
    window.inputs.form.fields["chunk_size"].input.setValue(25)
    window.inputs.name.setText("Shot 010")
    qtbot.waitUntil(lambda: window.preview.good is not None and len(window.preview.good) == 5)
    window.open_script("log_and_sleep.js")
    qtbot.waitUntil(lambda: "message" in window.inputs.form.fields)
    assert window.inputs.name.text() == "Preview"
    window.open_script("sequence.js")
    qtbot.waitUntil(lambda: "chunk_size" in window.inputs.form.fields)
    assert window.inputs.form.values()["chunk_size"] == 25
    assert window.inputs.name.text() == "Shot 010"
    qtbot.waitUntil(lambda: window.preview.good is not None and len(window.preview.good) == 5)


def test_a_sample_job_is_saved_chosen_and_deleted(open_workbench: Open, doors: Doors, qtbot) -> None:
    window = open_workbench("sequence.js")
    window.inputs.form.fields["chunk_size"].input.setValue(50)
    window.inputs.sample_saved.emit("Long chunks")
    qtbot.waitUntil(lambda: window.inputs.samples.currentText() == "Long chunks")
    window.inputs.form.fields["chunk_size"].input.setValue(10)
    assert window.inputs.samples.currentIndex() == 0
    qtbot.waitUntil(lambda: window.preview.good is not None and len(window.preview.good) == 11)
    window.inputs.samples.setCurrentIndex(1)
    window.inputs.samples.activated.emit(1)
    qtbot.waitUntil(lambda: len(window.preview.good or ()) == 3)
    window.inputs.delete_button.click()
    qtbot.waitUntil(lambda: doors.samples.list("sequence.js") == [])


def test_a_broken_sample_file_is_named_and_the_others_work(open_workbench: Open, doors: Doors, qtbot) -> None:
    window = open_workbench("sequence.js")
    window.inputs.sample_saved.emit("Good one")
    qtbot.waitUntil(lambda: bool(doors.samples.list("sequence.js")))
    folder = next(path.parent for path in doors.memory.parent.glob("sample_jobs/*/*.json"))
    (folder / "bad.json").write_text("{ not json")
    window.shutdown()
    again = open_workbench("sequence.js")
    qtbot.waitUntil(again.inputs.problem.isVisible)
    assert "bad.json" in again.inputs.problem.text()
    assert again.inputs.samples.count() == 2


def test_a_new_script_starts_from_a_template(open_workbench: Open, qtbot) -> None:
    window = open_workbench()
    window.show_new()
    dialog = next(w for w in QApplication.topLevelWidgets() if isinstance(w, NewScriptDialog))
    dialog.file_name.setText("sequence.js")
    assert not dialog.create_button.isEnabled()
    dialog.file_name.setText("my_first.js")
    dialog.create_button.click()
    qtbot.waitUntil(lambda: window.document.name == "my_first.js")
    qtbot.waitUntil(lambda: window.preview.head.state() != "off")
    assert "compileJob" in window.editor.text()
    qtbot.waitUntil(lambda: window.scripts.info("my_first.js") is not None)


def test_formatting_pretty_prints_and_a_broken_script_is_left_alone(open_workbench: Open, qtbot) -> None:
    window = open_workbench("sequence.js")
    retype(window, "const JOB_TYPE={label:'x'};function compileJob(job){job.addTask(author.Task('a','misc'))}")
    before = window.editor.text()
    window.format_document()
    qtbot.waitUntil(lambda: window.editor.text() != before)
    assert len(window.editor.text().splitlines()) > 3
    window.editor.undo()
    assert window.editor.text() == before
    retype(window, "function (")
    window.format_document()
    qtbot.waitUntil(lambda: "Not formatted" in window.notice.text())


def test_lint_findings_are_marked_at_their_place(open_workbench: Open, qtbot) -> None:
    window = open_workbench("sequence.js")
    retype(window, SEQUENCE.replace("    job.addTask(video);\n", "    job.addTask(video);\n    video.name = 'late';\n"))
    qtbot.waitUntil(lambda: bool(window.problems.findings()))
    found = window.problems.findings()[0]
    assert found.line == SEQUENCE[: SEQUENCE.index("    job.addTask(video);")].count("\n") + 2
    assert window.problems.isVisible()


def test_without_a_scripts_folder_deploying_is_off_and_says_why(open_workbench: Open, doors: Doors, qtbot) -> None:
    window = open_workbench("log_and_sleep.js", given=dataclasses.replace(doors, deployer=None, scripts_dir=None))
    assert not window.deploy_button.isEnabled()
    assert "scripts folder" in window.deploy_button.toolTip()


def test_a_setting_whose_default_changes_at_every_compilation_does_not_compile_for_ever(
    open_workbench: Open, qtbot
) -> None:
    window = open_workbench("sequence.js")
    started: list[int] = []
    window.runner.started.connect(started.append)
    retype(window, SEQUENCE.replace('default: "1-100"', "default: String(Math.random())"))
    qtbot.waitUntil(lambda: window.preview.head.state() == "error")
    count = len(started)
    QTest.qWait(150)
    assert len(started) == count <= 3


@pytest.mark.slow
def test_ten_thousand_tasks_are_shown_while_the_event_loop_keeps_turning(open_workbench: Open, qtbot) -> None:
    window = open_workbench("sequence.js")
    with qtbot.waitSignal(window.previewed, check_params_cb=lambda tasks: tasks == 10_001):
        window.inputs.form.fields["frames"].input.setText("1-10000")
        window.inputs.form.fields["chunk_size"].input.setValue(1)
    assert window.preview.table.model.rowCount() == 10_001
    window.preview.tabs.setCurrentWidget(window.preview.graph)
    qtbot.waitUntil(lambda: len(window.preview.graph.canvas.graph.cards) == 2)
    assert threading.active_count() < 30


def test_a_hostile_outcome_leaves_no_cancelled_result_on_screen(open_workbench: Open, qtbot) -> None:
    window = open_workbench("sequence.js")
    outcomes: list[OutcomeKind] = []
    window.runner.finished.connect(lambda result, _generation, _ms: outcomes.append(result.outcome))
    for at in range(5):
        retype(window, SEQUENCE + f"// {at}\n" + ("for (;;) {}\n" if at % 2 else ""))
        qtbot.wait(15)
    qtbot.waitUntil(lambda: window.preview.head.state() == "ok" and not window.runner.busy)
    assert OutcomeKind.CANCELLED not in outcomes


def test_the_plain_editor_serves_where_the_native_one_cannot_be_loaded(
    open_workbench: Open, doors: Doors, qtbot
) -> None:
    window = open_workbench("sequence.js", plain=True)
    typed(window.editor, "// draft\nconst const;\n")
    qtbot.waitUntil(lambda: window.preview.head.state() == "error")
    assert window.editor.diagnostics()[0].line == 2
    window.editor.next_problem()
    assert window.editor.cursor_position()[0] == 2
    qtbot.waitUntil(lambda: not window.document.dirty)
    qtbot.waitUntil(lambda: "// draft" in doors.library.open("sequence.js").text)


def test_the_theme_can_be_switched_while_a_script_is_open(open_workbench: Open, qapp: QApplication, qtbot) -> None:
    window = open_workbench("sequence.js")
    dark = window.grab().toImage().pixelColor(640, 600).lightness()
    theme.apply(qapp, "light")
    light = window.grab().toImage().pixelColor(640, 600).lightness()
    theme.apply(qapp, "dark")
    assert dark < 80
    assert light > 200


def test_a_place_in_a_helper_or_neighbour_opens_that_script(open_workbench: Open, scripts_dir: Path, qtbot) -> None:
    (scripts_dir / "other.js").write_text("// one\n" + SEQUENCE)
    window = open_workbench("sequence.js")
    window.go_to("other.js", 3, 5)
    qtbot.waitUntil(lambda: window.document.name == "other.js")
    qtbot.waitUntil(lambda: window.editor.cursor_position() == (3, 5))


def test_search_shortcut_opens_find_with_the_selection(open_workbench: Open, qtbot) -> None:
    window = open_workbench("sequence.js")
    window.editor.goto(1, 1)
    QTest.keyClick(window.editor.focusProxy(), Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(window.find_bar.isVisible)
    QTest.keyClicks(window.find_bar.find_text, "chunk_size")
    qtbot.waitUntil(lambda: window.find_bar.found.text() == "2 matches")
    assert window.editor.selected_text() == "chunk_size"
    QTest.keyClick(window.find_bar.find_text, Qt.Key.Key_Escape)
    assert not window.find_bar.isVisible()
