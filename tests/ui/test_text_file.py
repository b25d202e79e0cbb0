"""A task's output as rows, whatever a program writes."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ui.models.text_file import ERROR, PAGE, TextFile


@pytest.fixture
def file(tmp_path: Path) -> Iterator[TextFile]:
    made = TextFile()
    made.show(tmp_path / "1.log")
    yield made
    made.close()


def write(file: TextFile, data: bytes, mode: str = "wb") -> None:
    assert file.path is not None
    with file.path.open(mode) as out:
        out.write(data)


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def everything(file: TextFile) -> list[str]:
    file.data_version()
    return [text for _row, text in file.texts(range(1, file.rows() + 1))]


def test_a_log_that_is_not_there_yet_is_empty_and_grows_line_by_line(file: TextFile) -> None:
    assert everything(file) == []
    write(file, b"one\n")
    version = file.data_version()
    assert everything(file) == ["one"]
    write(file, b"two\nhalf", "ab")
    assert file.data_version() != version
    assert everything(file) == ["one", "two", "half"]
    write(file, b" a line\n", "ab")
    assert everything(file) == ["one", "two", "half a line"]
    assert file.data_version() == file.data_version(), "nothing new: the same number"


def test_a_hundred_thousand_lines_are_each_there_once(file: TextFile) -> None:
    lines = [f"line {number} {'x' * (number % 90)}" for number in range(100_000)]
    for start in range(0, len(lines), 7_001):
        write(file, "".join(f"{line}\n" for line in lines[start : start + 7_001]).encode(), "ab")
        file.data_version()
    assert file.rows() == 100_000
    assert everything(file) == lines
    assert list(file.texts([1, 50_000, 100_000])) == [(row, lines[row - 1]) for row in (1, 50_000, 100_000)]


def test_a_gigabyte_without_line_ends_costs_next_to_no_memory(file: TextFile) -> None:
    # Sparse: a gigabyte for the reader, nothing for the disk.
    assert file.path is not None
    with file.path.open("wb") as out:
        out.truncate(1 << 30)
    before = resident()
    while file.size() < 1 << 30:
        file.data_version()
    assert file.rows() == (1 << 30) // PAGE
    assert resident() - before < 16 << 20
    assert max(len(text) for _row, text in file.texts([1, 2, 3])) <= PAGE


def test_a_line_cut_for_its_length_is_not_cut_within_a_character(file: TextFile) -> None:
    text = "ä€😀" * 9_000
    write(file, text.encode())
    rows = everything(file)
    assert len(rows) > 4
    assert "".join(rows) == text


def test_binary_and_invalid_text_is_shown_with_signs_instead_of_stopping(file: TextFile) -> None:
    write(file, bytes(range(256)) * 300 + b"\nend\n")
    assert everything(file)[-1] == "end"


def test_a_task_that_starts_over_shows_its_new_output(file: TextFile) -> None:
    write(file, b"old 1\nold 2\nold 3\n")
    assert len(everything(file)) == 3
    generation = file.generation
    write(file, b"new\n")
    assert everything(file) == ["new"]
    assert file.generation > generation
    write(file, b"another beginning\nthat is longer than what was there\n")
    assert everything(file) == ["another beginning", "that is longer than what was there"]
    assert file.path is not None
    file.path.unlink()
    assert everything(file) == []


def test_colours_go_on_over_line_ends(file: TextFile) -> None:
    write(file, b"\x1b[31mred\nstill red\x1b[0m\nplain\n")
    assert everything(file) == ["\x1b[31mred", "\x1b[31mstill red\x1b[0m", "plain"]


def test_a_search_finds_forwards_and_backwards_over_pages(file: TextFile) -> None:
    lines = [f"frame {number:06d} saved" for number in range(200_000)]
    lines[150_000] = "frame 150000 \x1b[31mlo\x1b[0mst"
    write(file, "\n".join(lines).encode())
    while file.size() < 200_000 * 18:
        file.data_version()

    def find(text: str, row: int, *, backwards: bool = False) -> int:
        hit = 0
        while row and not hit:
            hit, row = file.find(re.compile(text), row, backwards=backwards)
        return hit

    assert find("lost", 1) == 150_001, "colours within a word do not hide it"
    assert find("lost", 200_000, backwards=True) == 150_001
    assert find("lost", 150_002) == 0
    assert find("frame 000007", 200_000, backwards=True) == 8
    assert find("saved", 5) == 5
    assert find("saved", 5, backwards=True) == 5


def test_the_only_error_of_a_long_coloured_log_is_found_at_once(file: TextFile) -> None:
    lines = [f"\x1b[32mframe {number:06d}\x1b[0m saved" for number in range(200_000)]
    lines[199_000] = "\x1b[31mTrace\x1b[0mback (most recent call last):"
    write(file, "\n".join(lines).encode())
    while file.rows() < len(lines):
        file.data_version()
    began, row, hit = time.thread_time(), 1, 0
    while row and not hit:
        hit, row = file.find(ERROR, row)
    assert hit == 199_001
    assert time.thread_time() - began < 1.0


@pytest.mark.parametrize(
    ("line", "tells"),
    [
        ("Error: no such file", True),
        ("Traceback (most recent call last):", True),
        ("ZeroDivisionError: division by zero", True),
        ("--- failed: exec ended with 1 ---", True),
        ("bash: blendr: command not found", True),
        ("Segmentation fault (core dumped)", True),
        ("0 errors, 2 warnings", False),
        ("finished with no errors", False),
        ("errors: 0", False),
        ("reading /data/error/plate.exr", False),
        ("terrors of the deep", False),
    ],
)
def test_lines_that_tell_of_an_error(line: str, tells: bool) -> None:
    assert bool(ERROR.search(line)) is tells
