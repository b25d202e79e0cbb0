"""The plain log file that studios' tools read: in order, each line once, rotated by size, never through a link."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.journal.log import LogStore
from app.journal.rows import LogRow
from app.service.plain_log import PlainLog


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[LogStore]:
    (tmp_path / "journal").mkdir()
    store = LogStore.open(tmp_path / "journal")
    yield store
    store.close()


def write(lines: LogStore, first: int, last: int) -> None:
    lines.append(
        [
            LogRow(0, 1_795_000_000.0 + number, 20, "signalbox.test", f"line {number:04}")
            for number in range(first, last)
        ]
    )


def numbers(file: Path) -> list[int]:
    return [int(one) for one in re.findall(r"line (\d+)", file.read_text())]


def test_the_file_is_rotated_at_its_size_and_only_so_many_are_kept(lines: LogStore, tmp_path: Path) -> None:
    file = tmp_path / "ftrack_event_server.log"
    plain = PlainLog(tmp_path / "journal", file, max_bytes=1_000, keep=2)
    for first in range(0, 50, 5):
        write(lines, first, first + 5)
        plain.turn()
    plain.close()
    kept = [file.with_name(f"{file.name}{mark}") for mark in (".2", ".1", "")]
    assert sorted(tmp_path.glob("ftrack*")) == sorted(kept)
    assert all(0 < one.stat().st_size <= 1_000 for one in kept)
    told = [number for one in kept for number in numbers(one)]
    assert told == list(range(told[0], 50)), "from the oldest file to the newest nothing is lost or doubled"
    assert told[0] > 0, "what is older than the kept files is gone"


def test_a_line_that_could_not_be_written_is_written_later(lines: LogStore, tmp_path: Path) -> None:
    folder = tmp_path / "not mounted yet"
    plain = PlainLog(tmp_path / "journal", folder / "server.log")
    write(lines, 0, 3)
    plain.turn()
    assert "cannot be written" in plain.problem
    folder.mkdir()
    write(lines, 3, 5)
    plain.turn()
    assert plain.problem == ""
    assert numbers(folder / "server.log") == [0, 1, 2, 3, 4]
    plain.close()


def test_a_link_that_somebody_planted_is_not_followed(lines: LogStore, tmp_path: Path) -> None:
    target = tmp_path / "somebodys file"
    target.write_text("untouched")
    (tmp_path / "server.log").symlink_to(target)
    plain = PlainLog(tmp_path / "journal", tmp_path / "server.log")
    write(lines, 0, 3)
    plain.turn()
    assert "cannot be written" in plain.problem
    assert target.read_text() == "untouched"
    plain.close()


def test_a_file_of_another_account_is_named_with_its_owner(
    lines: LogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "server.log").write_text("of the older server")
    plain = PlainLog(tmp_path / "journal", tmp_path / "server.log")
    write(lines, 0, 3)
    monkeypatch.setattr("app.service.plain_log.os.open", denied)  # root, as whom tests may run, is never denied
    plain.turn()
    monkeypatch.undo()
    assert f"It belongs to {(tmp_path / 'server.log').owner()}, who (or root) can move it away" in plain.problem
    plain.close()
    assert numbers(tmp_path / "server.log") == [0, 1, 2]
