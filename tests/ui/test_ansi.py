"""Colours in a program's output."""

from __future__ import annotations

import pytest

from ui.models.ansi import PLAIN, Style, carry, colour, plain, spans
from ui.theme.colours import DARK, LIGHT, Role, contrast


def test_a_red_word_is_a_piece_of_its_own() -> None:
    found = spans("ok \x1b[31mfailed\x1b[0m after 3")
    assert [(piece.text, piece.style.fg) for piece in found] == [("ok ", ""), ("failed", "31"), (" after 3", "")]


def test_codes_of_one_sequence_add_up_and_are_taken_back_one_by_one() -> None:
    found = spans("\x1b[1;4;33mA\x1b[22mB\x1b[24;39mC")
    assert [piece.style for piece in found] == [
        Style("33", "", True, False, True),
        Style("33", "", False, False, True),
        PLAIN,
    ]


def test_a_style_can_be_carried_to_the_next_line() -> None:
    style = carry("\x1b[1;38;5;208mwarning:", PLAIN)
    assert spans(style.codes() + "second line")[0].style == style


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("\x1b[32mok\x1b[0m done", PLAIN),
        ("\x1b[32mok\x1b[m", PLAIN),
        ("done", Style("31")),
        ("making of", Style("31")),
        ("0m", Style("31")),
        ("\x1b[0mfrom here \x1b[1mbold", Style(bold=True)),
        ("\x1b[0;1mbold", Style(bold=True)),
        ("\x1b[0m\x1b[2K", PLAIN),
        ("\x1b[2Km", Style("31")),
    ],
)
def test_a_line_that_begins_in_red_leaves_the_next_one_what_it_must(text: str, after: Style) -> None:
    assert carry(text, Style("31")) == after


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("10 %\r20 %\r30 %", "30 %"),
        ("windows line\r", "windows line"),
        ("a\tb", "a       b"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b[2K\x1b[1Gtext", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("bell\x07 null\x00", "bell␇ null␀"),
        ("delete \u202exe.mov", "delete \\u202exe.mov"),
        ("שלום 👩\u200d🎨", "שלום 👩\u200d🎨"),
        ("cut off \x1b[", "cut off ["),
        ("\x1b[38;5mnothing \x1b[999mnothing", "nothing nothing"),
    ],
)
def test_what_is_no_colour_does_not_stand_in_the_text(raw: str, shown: str) -> None:
    assert plain(raw) == shown


@pytest.mark.parametrize("colours", [DARK, LIGHT])
def test_every_colour_a_program_may_choose_can_be_read(colours: dict[Role, str]) -> None:
    ground, theme = colours[Role.SUNKEN], tuple(colours.items())
    codes = [str(code) for code in (*range(30, 38), *range(90, 98))]
    codes += [f"38;5;{number}" for number in range(256)]
    codes += [f"38;2;{red};{green};{blue}" for red in (0, 128, 255) for green in (0, 255) for blue in (0, 255)]
    assert min(contrast(colour(code, ground, theme), ground) for code in codes) >= 4.0
