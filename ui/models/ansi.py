"""Colours that programs write into their output (ECMA-48, "ANSI"), as styles of pieces of a line.

Colours become roles of the theme, so that a green word can be read on dark and light alike; the 256 and 16 million
colours are kept where they can be read, and moved towards the text's colour where they cannot.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from ui.theme.colours import Role, contrast

_ESCAPE = re.compile(
    r"\x1b\[([0-9;:]*)m"  # colours
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # moves of the cursor and their like
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # window titles, links
    r"|\x1b[@-Z\\-_]?"
)
_CONTROL = {code: chr(0x2400 + code) for code in range(32) if code not in (0x09, 0x1B)} | {0x7F: "␡"}
# Signs that turn round what stands beside them: a log that hid them could say anything.
_CONTROL = _CONTROL | {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_TAB = 8

_ROLES = (Role.MUTED, Role.ERROR, Role.OK, Role.WARNING, Role.INFO, Role.CODE_KEYWORD, Role.ACCENT, Role.TEXT)
_READABLE = 4.0
"""Least contrast of a program's own colour to the ground."""


class Style(NamedTuple):
    """How a piece of text looks. Colours are the codes the program wrote ("31", "38;5;208"), "" for the usual one."""

    fg: str = ""
    bg: str = ""
    bold: bool = False
    dim: bool = False
    underline: bool = False
    inverse: bool = False

    def codes(self) -> str:
        """The sequence that sets this style, "" for the plain one."""
        parts = [
            code for code, on in (("1", self.bold), ("2", self.dim), ("4", self.underline), ("7", self.inverse)) if on
        ]
        parts += [code for code in (self.fg, self.bg) if code]
        return f"\x1b[{';'.join(parts)}m" if parts else ""


PLAIN = Style()


class Span(NamedTuple):
    """A piece of a line in one style."""

    text: str
    style: Style


def carry(text: str, style: Style) -> Style:
    """The style in effect after `text`, which began in `style`."""
    _before, found_one, last = text.rpartition("\x1b[")
    if found_one and last.startswith(("0m", "m")):
        return PLAIN  # programs end most of their colours within the line: nothing before that matters
    for found in _ESCAPE.finditer(text):
        if found.group(1) is not None:
            style = _changed(style, found.group(1))
    return style


@lru_cache(maxsize=2_048)
def spans(raw: str) -> tuple[Span, ...]:
    """A line in pieces of one style each.

    What a carriage return overwrote is left out, tabs are blanks, and other control characters are shown as signs.
    """
    before, overwritten, last = raw.rstrip("\r").rpartition("\r")
    style = carry(before, PLAIN) if overwritten else PLAIN
    made: list[Span] = []
    place, column = 0, 0
    for found in _ESCAPE.finditer(last):
        column = _add(made, last[place : found.start()], style, column)
        place = found.end()
        if found.group(1) is not None:
            style = _changed(style, found.group(1))
    _add(made, last[place:], style, column)
    return tuple(made)


def plain(raw: str) -> str:
    """A line without its colours, as a person reads it."""
    return "".join(span.text for span in spans(raw))


def bare(text: str) -> str:
    """A text of many lines without its sequences, and else as it was written."""
    return _ESCAPE.sub("", text) if "\x1b" in text else text


def colour(code: str, ground: str, colours: tuple[tuple[Role, str], ...]) -> str:
    """A code's colour as `#rrggbb`, readable on `ground` (`#rrggbb`); `colours` are the theme's."""
    return _colour(code, ground, colours)


@lru_cache(maxsize=4_096)
def _colour(code: str, ground: str, colours: tuple[tuple[Role, str], ...]) -> str:
    theme = dict(colours)
    numbers = [int(part) for part in code.split(";") if part]
    if not numbers:
        return theme[Role.TEXT]
    if len(numbers) == 1:
        return theme[_ROLES[numbers[0] % 10]]
    if numbers[1] == 5 and numbers[2] < 16:
        return theme[_ROLES[numbers[2] % 8]]
    red, green, blue = _cube(numbers[2]) if numbers[1] == 5 else (min(255, part) for part in numbers[2:5])
    return _readable(f"#{red:02x}{green:02x}{blue:02x}", ground, theme[Role.TEXT])


def _cube(number: int) -> tuple[int, int, int]:
    """A colour of the 256: six steps a channel, then shades of grey."""
    if number >= 232:
        grey = 8 + min(number, 255) * 10 - 2_320
        return grey, grey, grey
    steps = (0, 95, 135, 175, 215, 255)
    rest = number - 16
    return steps[rest // 36], steps[rest // 6 % 6], steps[rest % 6]


def _readable(wanted: str, ground: str, text: str) -> str:
    """The colour, moved towards the text's until it can be read."""
    made = wanted
    for share in (0.0, 0.25, 0.5, 0.75):
        made = _mixed(wanted, text, share)
        if contrast(made, ground) >= _READABLE:
            return made
    return text


def _mixed(first: str, second: str, share: float) -> str:
    pairs = ((int(first[at : at + 2], 16), int(second[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(one + (other - one) * share):02x}" for one, other in pairs)


def _add(made: list[Span], text: str, style: Style, column: int) -> int:
    """Append a piece; returns the column after it."""
    if not text:
        return column
    if "\t" in text:
        parts = []
        for part in re.split("(\t)", text):
            blank = " " * (_TAB - column % _TAB) if part == "\t" else part
            parts.append(blank)
            column += len(blank)
        text = "".join(parts)
    else:
        column += len(text)
    # Looking is cheaper than translating, and hardly a line has a control character.
    made.append(Span(text if text.isprintable() else text.translate(_CONTROL), style))
    return column


@lru_cache(maxsize=1_024)
def _changed(style: Style, codes: str) -> Style:
    """A style after a sequence of codes; what is not known changes nothing."""
    numbers = [int(part) if part.isdigit() else 0 for part in codes.replace(":", ";").split(";")]
    place = 0
    while place < len(numbers):
        number = numbers[place]
        if number in (38, 48) and place + 1 < len(numbers):
            length = {5: 3, 2: 5}.get(numbers[place + 1], 2)
            if length > 2 and len(numbers) >= place + length:
                code = ";".join(str(part) for part in numbers[place : place + length])
                style = style._replace(fg=code) if number == 38 else style._replace(bg=code)
            place += length
            continue
        style = _one(style, number)
        place += 1
    return style


_FLAGS: dict[int, dict[str, Any]] = {
    1: {"bold": True},
    2: {"dim": True},
    4: {"underline": True},
    7: {"inverse": True},
    22: {"bold": False, "dim": False},
    24: {"underline": False},
    27: {"inverse": False},
}


def _one(style: Style, number: int) -> Style:
    if number == 0:
        return PLAIN
    if number in _FLAGS:
        return style._replace(**_FLAGS[number])
    if 30 <= number <= 37 or 90 <= number <= 97:
        return style._replace(fg=str(number))
    if 40 <= number <= 47 or 100 <= number <= 107:
        return style._replace(bg=str(number))
    if number == 39:
        return style._replace(fg="")
    return style._replace(bg="") if number == 49 else style
