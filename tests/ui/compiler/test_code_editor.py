"""Both editors, through the one surface the workbench knows."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from app.jobs.api import Diagnostic, Severity
from ui.compiler.editor import CodeEditor, FindQuery, make_editor

SCRIPT = """function compileJob(job) {
    const a = "ä😀b";
    job.addTask(a);
}
"""


@pytest.fixture(params=["scintilla", "plain"])
def editor(request: pytest.FixtureRequest, qtbot, dark: None) -> CodeEditor:
    made = make_editor(plain=request.param == "plain")
    qtbot.addWidget(made)
    made.resize(700, 400)
    with qtbot.waitExposed(made):
        made.show()
    made.set_text(SCRIPT)
    return made


def keyboard(editor: CodeEditor) -> QWidget:
    widget = editor.focusProxy()
    assert widget is not None
    return widget


def test_the_native_editor_is_the_one_used_here(qtbot) -> None:
    made = make_editor()
    qtbot.addWidget(made)
    assert type(made).__name__ == "ScintillaEditor"


def test_text_comes_back_as_it_was_given(editor: CodeEditor) -> None:
    assert editor.text() == SCRIPT
    editor.set_text("a\r\nb")
    assert editor.text() == "a\nb"


def test_an_opened_text_is_not_an_edit_and_typing_is(editor: CodeEditor, qtbot) -> None:
    with qtbot.assertNotEmitted(editor.edited, wait=50):
        editor.set_text("x = 1;\n")
        editor.set_diagnostics([Diagnostic(Severity.ERROR, "e", "m", 1, 1)])
        editor.count(FindQuery("x"))
    editor.goto(1, 1)
    with qtbot.waitSignal(editor.edited):
        QTest.keyClicks(keyboard(editor), "y")
    assert editor.text() == "yx = 1;\n"


def test_columns_count_utf16_units_as_v8_does(editor: CodeEditor) -> None:
    editor.goto(2, 19)  # behind a umlaut (1 unit) and an emoji (2 units)
    assert editor.cursor_position() == (2, 19)
    QTest.keyClicks(keyboard(editor), "X")
    assert editor.text().splitlines()[1] == '    const a = "ä😀Xb";'


def test_going_to_a_place_outside_the_text_ends_at_its_edge(editor: CodeEditor) -> None:
    editor.goto(99, 99)
    assert editor.cursor_position()[0] == 5
    editor.goto(1, 999)
    assert editor.cursor_position() == (1, 27)


def test_enter_indents_and_a_closing_bracket_outdents(editor: CodeEditor) -> None:
    editor.set_text("if (a) {")
    editor.goto(1, 9)
    QTest.keyClick(keyboard(editor), Qt.Key.Key_Return)
    QTest.keyClicks(keyboard(editor), "b;")
    QTest.keyClick(keyboard(editor), Qt.Key.Key_Return)
    QTest.keyClicks(keyboard(editor), "}")
    assert editor.text() == "if (a) {\n  b;\n}"


def test_undo_takes_typing_back_and_redo_brings_it_again(editor: CodeEditor) -> None:
    editor.goto(1, 1)
    editor.undo()
    assert editor.text() == SCRIPT, "what was opened is no step of its own"
    QTest.keyClicks(keyboard(editor), "q")
    editor.undo()
    assert editor.text() == SCRIPT
    editor.redo()
    assert editor.text().startswith("qfunction")


def test_formatting_is_one_step_to_undo(editor: CodeEditor) -> None:
    editor.goto(3, 1)
    editor.replace_text(SCRIPT.replace("    ", "  "))
    assert editor.cursor_position()[0] == 3
    editor.undo()
    assert editor.text() == SCRIPT


def test_a_line_is_commented_and_uncommented(editor: CodeEditor) -> None:
    editor.goto(3, 3)
    editor.toggle_comment()
    assert editor.text().splitlines()[2] == "    // job.addTask(a);"
    editor.toggle_comment()
    assert editor.text() == SCRIPT


def test_find_goes_round_the_end_in_both_directions(editor: CodeEditor) -> None:
    editor.set_text("aa x aa x aa")
    query = FindQuery("aa")
    assert editor.count(query) == 3
    places = []
    for _ in range(4):
        assert editor.find_next(query)
        places.append(editor.cursor_position()[1])
    assert places == [3, 8, 13, 3]
    editor.find_next(query, backwards=True)
    assert editor.cursor_position()[1] == 13


def test_find_respects_case_words_and_patterns(editor: CodeEditor) -> None:
    editor.set_text("Task task tasks task1")
    assert editor.count(FindQuery("task")) == 4
    assert editor.count(FindQuery("task", case=True)) == 3
    assert editor.count(FindQuery("task", word=True)) == 2
    assert editor.count(FindQuery(r"task\d", regex=True)) == 1
    assert editor.count(FindQuery("(", regex=True)) == 0
    assert not editor.find_next(FindQuery("nowhere"))


def test_replacing_one_goes_on_to_the_next_and_all_is_one_undo(editor: CodeEditor) -> None:
    editor.set_text("😀 a1 a2 a3")
    query = FindQuery(r"a(\d)", regex=True)
    editor.find_next(query)
    assert editor.replace(query, r"b\1")
    assert editor.text() == "😀 b1 a2 a3"
    assert editor.selected_text() == "a2"
    assert editor.replace_all(query, r"c\1") == 2
    assert editor.text() == "😀 b1 c2 c3"
    editor.undo()
    assert editor.text() == "😀 b1 a2 a3"


def test_problems_are_visited_in_order_and_round_the_end(editor: CodeEditor) -> None:
    editor.set_diagnostics(
        [
            Diagnostic(Severity.WARNING, "w", "later", 3, 5),
            Diagnostic(Severity.ERROR, "e", "earlier", 2, 11),
            Diagnostic(Severity.INFO, "i", "whole file"),
        ]
    )
    editor.goto(1, 1)
    visited = [editor.next_problem(), editor.next_problem(), editor.next_problem()]
    assert [found.message for found in visited if found] == ["earlier", "later", "earlier"]
    assert editor.cursor_position() == (2, 11)
    back = editor.next_problem(backwards=True)
    assert back is not None
    assert back.message == "later"


def test_findings_beyond_the_text_are_no_error(editor: CodeEditor) -> None:
    editor.set_diagnostics(
        [Diagnostic(Severity.ERROR, "e", "gone", 400, 7), Diagnostic(Severity.ERROR, "e", "", 5, 90)]
    )
    assert len(editor.diagnostics()) == 2


def test_a_read_only_text_stays_as_it_is(editor: CodeEditor) -> None:
    editor.set_read_only(True)
    QTest.keyClicks(keyboard(editor), "zzz")
    assert editor.text() == SCRIPT
    editor.set_text("other")
    assert editor.text() == "other"


def test_lone_surrogates_and_nuls_in_a_text_do_not_cut_it(editor: CodeEditor) -> None:
    editor.set_text("a\x00b\ud800c")
    assert editor.text().startswith("a")
    assert editor.text().rstrip().endswith("c")


def test_completion_is_offered_for_settings(editor: CodeEditor) -> None:
    editor.vocabulary.set_settings([{"key": "chunk_size", "type": "int32"}])
    editor.set_text("job.settings.ch")
    editor.goto(1, 16)
    editor.show_completions()
    QTest.keyClick(_completion_keys(editor), Qt.Key.Key_Return)
    assert editor.text() == "job.settings.chunk_size"


def _completion_keys(editor: CodeEditor) -> QWidget:
    popup = getattr(keyboard(editor), "popup", None)
    return popup if isinstance(popup, QWidget) else keyboard(editor)


def test_folding_everything_leaves_the_text_alone(editor: CodeEditor) -> None:
    editor.fold_all(True)
    editor.goto(3, 5)
    editor.fold_all(False)
    assert editor.text() == SCRIPT
