"""Shot expressions and ranges."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.shots import ExpressionError, parse_range, shot_names


def numbers(text: str) -> list[int]:
    return [number for one in parse_range(text) for number in one.numbers()]


def test_the_studios_example() -> None:
    names = shot_names("####", numbers("10-20:10"), prefix="001")
    assert names == ["001_0010", "001_0020"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10", [10]),
        ("1-3", [1, 2, 3]),
        ("3-1", [3, 2, 1]),
        ("10-25:10", [10, 20]),
        ("20-10:5", [20, 15, 10]),
        ("1,5-6", [1, 5, 6]),
        (" 1 - 3 : 2 ", [1, 3]),
    ],
)
def test_ranges_are_inclusive_and_may_go_down(text: str, found: list[int]) -> None:
    assert numbers(text) == found


def test_the_count_of_a_huge_range_is_known_without_making_it() -> None:
    assert parse_range("1-100000000000000000000")[0].count == 10**20


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("10-", 3),
        ("10-20:", 6),
        ("10-20:0", 6),
        ("10x20", 2),
        ("-10", 0),
        ("10--20", 3),
        ("10:2-5", 4),
        ("1,,2", 2),
        ("1 2", 2),
        ("10-20;5", 5),
        ("1.5", 1),
        ("1-2,3-x", 6),
        ("٣", 0),
    ],
)
def test_a_wrong_range_names_the_exact_character(text: str, position: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_range(text)
    assert caught.value.position == position
    assert f"character {position + 1}" in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "position"),
    [("", 0), ("abc", 3), ("##_##", 3), ("sh/###", 2), ("sh ###", 2), ("###?", 3), ("###.", 3), ("a\\#", 1)],
)
def test_a_wrong_expression_names_the_exact_character(expression: str, position: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        shot_names(expression, [10])
    assert caught.value.position == position


def test_other_characters_are_kept_and_numbers_beyond_the_padding_stay_whole() -> None:
    assert shot_names("sh##A", [5, 12, 345]) == ["sh05A", "sh12A", "sh345A"]


@given(st.text(alphabet="0123456789-:, x#", max_size=12))
def test_any_text_is_a_range_or_an_error_within_the_text(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        assert all(one.count >= 1 for one in parse_range(text))
        return
    with pytest.raises(ExpressionError) as caught:
        parse_range(text)
    assert 0 <= caught.value.position <= len(text)


@given(st.integers(0, 9999), st.integers(0, 9999), st.integers(1, 500))
def test_a_ranges_length_is_its_numbers(start: int, end: int, step: int) -> None:
    (one,) = parse_range(f"{start}-{end}:{step}")
    found = one.numbers()
    assert len(found) == one.count
    assert found[0] == start
    assert all(abs(second - first) == step for first, second in itertools.pairwise(found))
    assert min(start, end) <= found[-1] <= max(start, end)
