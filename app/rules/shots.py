"""Shot expressions and ranges: ``####`` with ``10-20:10`` names the shots 0010 and 0020.

The count of ``#`` is the padding, other characters are kept; a range is start-end:step, inclusive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from app.rules.names import why_unsafe

__all__ = ["ExpressionError", "ShotRange", "parse_range", "shot_names"]

_RANGE_SHAPE = re.compile(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?(?::\s*(\d+)\s*)?")


class ExpressionError(ValueError):
    """A wrong shot expression or range.

    Attributes:
        position: Index of the first wrong character (0 is the first); the text's length when something is missing.
        text: The whole text.
    """

    def __init__(self, message: str, text: str, position: int) -> None:
        super().__init__(f"{message} (character {position + 1} of {text!r})")
        self.message = message
        self.text = text
        self.position = position


@dataclass(frozen=True, slots=True)
class ShotRange:
    """Numbers from ``start`` to ``end`` inclusive; ``end`` below ``start`` counts down."""

    start: int
    end: int
    step: int

    @property
    def count(self) -> int:
        """How many they are, known without making them."""
        return abs(self.end - self.start) // self.step + 1

    def numbers(self) -> list[int]:
        """All numbers in the order written."""
        direction = 1 if self.end >= self.start else -1
        return list(range(self.start, self.end + direction, self.step * direction))


def parse_range(text: str) -> list[ShotRange]:
    """Ranges as written: ``10``, ``10-20``, ``10-20:10``, several separated by commas.

    Raises:
        ExpressionError: with the position of the first wrong character.
    """
    if not text.strip():
        raise ExpressionError("The range is empty: write it like 10-20:10", text, 0)
    ranges: list[ShotRange] = []
    position = 0
    for piece in text.split(","):
        ranges.append(_one_range(text, piece, position))
        position += len(piece) + 1
    return ranges


def _one_range(text: str, piece: str, offset: int) -> ShotRange:
    wrong = _first_wrong(piece)
    if wrong is not None:
        message, position = wrong
        raise ExpressionError(message, text, offset + position)
    match = _RANGE_SHAPE.fullmatch(piece)
    assert match is not None
    start = int(match[1])
    end = start if match[2] is None else int(match[2])
    step = 1 if match[3] is None else int(match[3])
    if step == 0:
        raise ExpressionError("The step cannot be 0", text, offset + match.start(3))
    return ShotRange(start, end, step)


def _first_wrong(piece: str) -> tuple[str, int] | None:
    """The first place where ``piece`` stops being number [- number] [: number]."""
    # What may come next, state by state: digits of start, end, step; blanks surround numbers only.
    state = "start"
    digits = False
    closed = False  # a blank after digits: no further digit belongs to this number
    for position, character in enumerate(piece):
        if character in "0123456789":
            if closed:
                return "Two numbers need a '-', ':' or ',' between them", position
            digits = True
        elif character in " \t":
            closed = digits
        elif character == "-" and state == "start" and digits:
            state, digits, closed = "end", False, False
        elif character == ":" and state != "step" and digits:
            state, digits, closed = "step", False, False
        else:
            expected = {"start": "a number, '-', ':' or ','", "end": "a number, ':' or ','", "step": "a number or ','"}
            return f"{character!r} cannot stand here, expected {expected[state]}", position
    if not digits:
        missing = {
            "start": "A number is missing",
            "end": "The end of the range is missing",
            "step": "The step is missing",
        }
        return missing[state], len(piece)
    return None


def shot_names(expression: str, numbers: Iterable[int], *, prefix: str = "", separator: str = "_") -> list[str]:
    """The names for these numbers.

    Args:
        expression: E.g. ``####`` or ``sh###A``; the one group of ``#`` is replaced by the number, padded to its width.
        numbers: Not negative.
        prefix: Put before each name with ``separator`` between (the sequence's name); "" for none.

    Raises:
        ExpressionError: no ``#``, two groups of them, or a character that cannot be part of a folder's name.
    """
    first = expression.find("#")
    if first < 0:
        raise ExpressionError("A '#' for the shot's number is missing, e.g. ####", expression, len(expression))
    last = first
    while last < len(expression) and expression[last] == "#":
        last += 1
    again = expression.find("#", last)
    if again >= 0:
        raise ExpressionError("The '#' must stand together, this one is apart", expression, again)
    _check_characters(expression, first, last)
    head = f"{prefix}{separator}" if prefix else ""
    return [f"{head}{expression[:first]}{number:0{last - first}d}{expression[last:]}" for number in numbers]


def _check_characters(expression: str, first: int, last: int) -> None:
    for position, character in enumerate(expression):
        if first <= position < last:
            continue
        if character == " " or why_unsafe(f"x{character}x") is not None:
            raise ExpressionError(f"{character!r} cannot be part of a shot's name", expression, position)
    if expression.endswith("."):
        raise ExpressionError("A name cannot end with a dot", expression, len(expression) - 1)
