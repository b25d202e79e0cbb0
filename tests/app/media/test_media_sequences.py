"""What a person drops or pastes becomes the right sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.media import MediaRefused, clean_path, gather
from app.media.probe import ranges
from app.media.sequences import frame_path


def touch(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.write_bytes(b"x")
    return paths


def test_numbered_images_dropped_together_are_one_sequence_and_the_movie_stays_alone(tmp_path: Path) -> None:
    paths = touch(tmp_path, "a.1001.exr", "a.1002.exr", "a.1004.exr", "b.mov")
    sequence, movie = gather(paths)
    assert sequence.frames == (1001, 1002, 1004)
    assert sequence.missing == (1003,)
    assert sequence.label == "a.%04d.exr [1001-1004]"
    assert movie.path.name == "b.mov"


def test_one_numbered_image_alone_is_a_still(tmp_path: Path) -> None:
    (source,) = gather(touch(tmp_path, "matte_v003.png"))
    assert source.kind == "file"


def test_a_folder_stands_for_the_media_inside_it(tmp_path: Path) -> None:
    touch(tmp_path, "x.0001.dpx", "x.0002.dpx", "notes.txt")
    (source,) = gather([tmp_path])
    assert source.frames == (1, 2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MediaRefused, match="holds no movies or images"):
        gather([tmp_path / "empty"])


def test_a_pattern_with_a_range_takes_those_frames_and_names_the_holes(tmp_path: Path) -> None:
    touch(tmp_path, *(f"p.{n:04d}.exr" for n in (1001, 1002, 1003, 1005)))
    (source,) = gather([f"{tmp_path}/p.%04d.exr [1002-1006]"])
    assert source.frames == (1002, 1003, 1005)
    assert source.missing == (1004, 1006)


def test_a_percent_sign_or_hash_in_a_name_is_part_of_it_and_the_last_mark_is_the_frame(tmp_path: Path) -> None:
    folder = tmp_path / "100% #1"
    folder.mkdir()
    paths = touch(folder, *(f"take %04d #2.{n}.exr" for n in (8, 9, 10, 11)))
    (dropped,) = gather(paths)
    (typed,) = gather([f"{folder}/take %04d #2.####.exr"])
    assert dropped == typed
    assert [frame_path(typed, n).name for n in typed.frames] == [path.name for path in paths]
    assert gather([typed.written]) == [typed]
    assert gather([f"{folder}/take %04d #2.@.exr [9-10]"])[0].frames == (9, 10)


def test_of_two_sequences_that_differ_in_digits_the_pattern_means_its_own(tmp_path: Path) -> None:
    touch(tmp_path, "p.1.exr", "p.2.exr", "p.0001.exr", "p.0002.exr", "p.0003.exr")
    for pattern, last in (("p.%04d.exr", "p.0003.exr"), ("p.%d.exr", "p.2.exr")):
        (source,) = gather([tmp_path / pattern])
        assert frame_path(source, source.frames[-1]).name == last


def test_a_pattern_without_frames_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(MediaRefused, match=r"No frames of p\.####\.exr were found"):
        gather([f"{tmp_path}/p.####.exr"])


def test_pasted_urls_and_quotes_are_understood(tmp_path: Path) -> None:
    path = touch(tmp_path, "my clip%20#1.mov")[0]
    assert clean_path(path.as_uri()) == path
    assert clean_path(f'  "{path}" ') == path
    with pytest.raises(MediaRefused, match="https:// addresses"):
        clean_path("https://example.com/a.mov")


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaRefused, match=r"gone\.mov does not exist"):
        gather([tmp_path / "gone.mov"])


def test_ranges_are_written_as_a_person_writes_them() -> None:
    assert ranges((1, 2, 3, 7, 9, 10)) == "1-3, 7, 9-10"
    assert ranges(()) == ""
