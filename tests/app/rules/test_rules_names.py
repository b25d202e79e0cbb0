"""Names that become folders."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.names import NameRefused, check_path_length, folder_name, is_inside, slugify, why_unsafe


@pytest.mark.parametrize("name", ["001_0010", "layout", "Matte Painting", "夜", "a.b", "Größe", ".hidden", "x" * 255])
def test_names_that_are_safe_everywhere_are_kept(name: str) -> None:
    assert folder_name(name, "the shot") == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("..", "folder of the system"),
        ("a/b", "character 2 is '/'"),
        ("a\\b", "separates folders"),
        ("a:b", "Windows does not allow"),
        ("a\nb", "U+000A"),
        ("a\u202eb", "U+202E"),
        (" a", "blank"),
        ("a.", "dot"),
        ("NUL", "device"),
        ("com1.txt", "device"),
        ("ü" * 128, "256 bytes"),
    ],
)
def test_unsafe_names_are_refused_with_the_exact_reason(name: str, reason: str) -> None:
    with pytest.raises(NameRefused) as caught:
        folder_name(name, "the shot")
    assert reason in str(caught.value)
    assert "the shot" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Big Buck", "big_buck"),
        ("Größe 01", "grosse_01"),
        ("a//b", "a_b"),
        ("  __x__ ", "x"),
        ("con", "_con"),
        ("Matte Painting", "matte_painting"),
        ("夜 0010", "夜_0010"),
    ],
)
def test_slugs_are_the_studios_spelling(name: str, slug: str) -> None:
    assert slugify(name) == slug


def test_a_name_without_a_letter_has_no_slug() -> None:
    with pytest.raises(NameRefused, match="no letter or digit"):
        folder_name("///", "the project", "slugify")


@given(st.text(max_size=400))
def test_whatever_is_typed_a_folder_name_is_safe_or_refused(name: str) -> None:
    for policy in ("refuse", "slugify"):
        try:
            result = folder_name(name, "the shot", policy)  # type: ignore[arg-type]
        except NameRefused:
            continue
        assert why_unsafe(result) is None
        assert len(PurePosixPath(result).parts) == len(PureWindowsPath(result).parts) == 1


@given(st.text(max_size=60))
def test_a_slug_of_a_slug_is_itself(name: str) -> None:
    assert slugify(slugify(name)) == slugify(name)


def test_a_path_is_inside_only_below_its_root() -> None:
    root = PurePosixPath("/data/production/show")
    assert is_inside(root, root)
    assert is_inside(root / "shots/001", root)
    assert not is_inside(PurePosixPath("/data/production/show_two"), root)
    assert not is_inside(root / "shots/../../other", root)
    assert not is_inside(root.parent, root)


def test_long_paths_are_refused_for_windows_and_long_names_for_everybody() -> None:
    path = PurePosixPath("/data", *["x" * 100] * 3)
    check_path_length(path, windows=False)
    with pytest.raises(NameRefused, match="Windows opens at most 259"):
        check_path_length(path, windows=True)
    with pytest.raises(NameRefused, match="255 bytes"):
        check_path_length(PurePosixPath("/data", "x" * 256), windows=False)
