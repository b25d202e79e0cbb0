"""Version and frame numbers in names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.versions import frame_name, newest_version, version_label, version_number


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("001_0010_v01.mb", 1),
        ("001_0010_v012.mb", 12),
        ("shot_V7.nk", 7),
        ("v13", 13),
        ("a_v2_v5.mb", 5),
        ("shot.v003.mov", 3),
        ("previous1.mb", None),
        ("v.mb", None),
        ("shot_v2b.mb", None),
        ("shot_rev2.mb", None),
        ("", None),
    ],
)
def test_the_version_of_a_name(name: str, number: int | None) -> None:
    assert version_number(name) == number


def test_the_newest_version_counts_numbers_not_letters() -> None:
    assert newest_version(["a_v9.mb", "a_v10.mb", "a_v2.mb", "notes.txt"]) == "a_v10.mb"
    assert newest_version(["a_v1.mb", "a_v001.mb"]) == newest_version(["a_v001.mb", "a_v1.mb"])
    assert newest_version(["a_v9.txt", "a_v1.mb"], pattern=r".*_v.*\.mb") == "a_v1.mb"
    assert newest_version(["notes.txt"]) is None


@given(st.lists(st.integers(0, 99999), min_size=1), st.integers(1, 5))
def test_the_highest_of_any_versions_is_found_whatever_the_padding(numbers: list[int], padding: int) -> None:
    names = [f"shot_{version_label(number, padding)}.mb" for number in numbers]
    found = newest_version(names)
    assert found is not None
    assert version_number(found) == max(numbers)


def test_frame_names_are_taken_apart() -> None:
    assert frame_name("beauty.0101.exr") == ("beauty.", 101, 4, ".exr")
    assert frame_name("plate_-0005.dpx") == ("plate_", -5, 4, ".dpx")
    assert frame_name("movie.mov") is None
