"""A count and its noun agree, wherever a person reads them."""

from __future__ import annotations

import pytest

from app.rules.words import many


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (1, ("frame is", "frames are"), "1 frame is"),
        (2, ("frame is", "frames are"), "2 frames are"),
        (0, ("run",), "0 runs"),
        (1234, ("entry", "entries"), "1,234 entries"),
    ],
)
def test_one_is_said_as_one_and_many_as_many(number: int, words: tuple[str, ...], said: str) -> None:
    assert many(number, *words) == said
