"""What both editors know of JavaScript."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ui.compiler.language import (
    Vocabulary,
    in_comment_or_string,
    indent_after,
    matching_bracket,
    outdented,
    toggle_comment,
    word_at,
    word_before,
)


@dataclass(frozen=True)
class Entry:
    name: str
    kind: str
    signature: str
    summary: str
    since: str = ""


API = (
    Entry("author.Task", "function", "author.Task(name, type)", "A new task."),
    Entry("author.Command", "function", "author.Command(name, parameters)", "A new command."),
    Entry("task.addCommand", "method", "task.addCommand(command)", "Adds a copy of the command."),
    Entry("job.settings", "property", "job.settings", "The submitted settings."),
    Entry("frameCount", "function", "frameCount(range)", "How many frames.", since="3.8"),
)


@pytest.mark.parametrize(
    ("line", "lead"),
    [
        ("function compileJob(job) {", "  "),
        ("    const a = [", "      "),
        ("    foo(", "      "),
        ("    x = 1;", "    "),
        ("  // not code {", "  "),
        ("", ""),
    ],
)
def test_a_new_line_is_indented_one_level_after_an_open_bracket(line: str, lead: str) -> None:
    assert indent_after(line) == lead


def test_a_closing_bracket_typed_first_on_a_line_moves_out_one_level() -> None:
    assert outdented("    }") == "  }"
    assert outdented("    a }") is None


def test_commenting_twice_gives_the_text_back() -> None:
    lines = ["    const a = 1;", "", "        const b = 2;"]
    commented = toggle_comment(lines)
    assert commented == ["    // const a = 1;", "", "    //     const b = 2;"]
    assert toggle_comment(commented) == lines


def test_a_half_commented_block_is_commented_whole() -> None:
    assert toggle_comment(["// a", "b"]) == ["// // a", "// b"]


@pytest.mark.parametrize(
    ("text", "at", "other"), [("f(a[1])", 1, 6), ("f(a[1])", 6, 1), ("f(a[1])", 3, 5), ("f(", 1, -1), ("x", 0, -1)]
)
def test_brackets_find_their_partner(text: str, at: int, other: int) -> None:
    assert matching_bracket(text, at) == other


def test_words_are_dotted_names() -> None:
    assert word_before("x = job.settings.fr", 19) == "job.settings.fr"
    assert word_before("author.", 7) == "author."
    assert word_before("a + ", 4) == ""
    assert word_at("author.Task(name)", 9) == "author.Task"


def test_no_completion_inside_strings_and_comments() -> None:
    assert in_comment_or_string("x = 'author.", 12)
    assert in_comment_or_string("// author.", 10)
    assert not in_comment_or_string("x = 'a'; author.", 16)
    assert in_comment_or_string(r"x = 'it\'s author.", 18)


def test_completion_offers_the_members_of_what_stands_before_the_dot() -> None:
    words = Vocabulary(API)
    assert [found.label for found in words.complete("author.")] == ["Command", "Task"]
    assert [found.label for found in words.complete("author.ta")] == ["Task"]
    assert [found.label for found in words.complete("renderTask.add")] == ["addCommand"]


def test_completion_offers_the_settings_the_script_declares() -> None:
    words = Vocabulary(API)
    words.set_settings([{"key": "chunk_size", "type": "int32"}, {"key": "frames", "type": "string"}, {"key": ""}])
    assert [found.label for found in words.complete("job.settings.")] == ["chunk_size", "frames"]
    assert words.complete("settings.ch")[0].detail == "int32"


def test_completion_offers_names_of_the_script_itself_and_globals() -> None:
    labels = [found.label for found in Vocabulary(API).complete("fra", "const framesPerTask = 3;")]
    assert labels == ["frameCount", "framesPerTask"]


def test_help_says_signature_meaning_and_since_when() -> None:
    words = Vocabulary(API)
    assert words.help("frameCount") == "frameCount(range)\nHow many frames.\nSince Flamenco 3.8."
    assert "Adds a copy" in words.help("video.addCommand")
    assert words.help("nothing") == ""
