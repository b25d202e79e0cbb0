"""Effects on real folders: nothing is overwritten, nothing leaves its root, undo takes only what is still ours."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_drive import remount, small_drive

from app.disk import ProductionDrives
from app.effects.disk import CopyFile, MakeFolder, RemoveFile, RemoveFolders, refused
from app.engine.kinds import EffectFailed, LeaveAlone
from app.engine.protocol import Later
from app.settings.models import StudioSettings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    drive = tmp_path / "drive"
    drive.mkdir()
    (drive / ".signalbox-drive").touch()
    return drive


@pytest.fixture
def disk() -> ProductionDrives:
    return ProductionDrives(StudioSettings)


def folder(root: Path, path: Path, **more: Any) -> MakeFolder:
    return MakeFolder(slot="f", reason="so", path=path, root=root, **more)


def copy(root: Path, source: Path, path: Path) -> CopyFile:
    return CopyFile(slot="c", reason="so", source=source, path=path, root=root)


def do(disk: ProductionDrives, effect: Any) -> dict[str, Any]:
    before = effect.before(disk)
    assert before is not None
    after: dict[str, Any] = effect.apply(disk, before)
    return after


def test_a_folder_is_made_with_its_parents_and_mode_whatever_the_umask(root: Path, disk: ProductionDrives) -> None:
    old = os.umask(0o077)
    try:
        after = do(disk, folder(root, root / "shots/001/comp", mode=0o2775))
    finally:
        os.umask(old)
    assert after["made"] == [str(root / "shots"), str(root / "shots/001"), str(root / "shots/001/comp")]
    assert stat.S_IMODE((root / "shots/001").stat().st_mode) == 0o2775


def test_a_folder_that_is_there_is_left_as_it_is(root: Path, disk: ProductionDrives) -> None:
    (root / "shots").mkdir(mode=0o700)
    assert folder(root, root / "shots").before(disk) is None


def test_making_a_folder_twice_changes_nothing_the_second_time(root: Path, disk: ProductionDrives) -> None:
    effect = folder(root, root / "a/b")
    before = effect.before(disk)
    assert before is not None
    assert effect.apply(disk, before)["made"]
    assert effect.apply(disk, before)["made"] == []


@pytest.mark.parametrize("path", ["../outside", "shots/../../outside", "/etc/signalbox", "link/inside"])
def test_nothing_leaves_the_root(root: Path, disk: ProductionDrives, tmp_path: Path, path: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EffectFailed, match="leads outside"):
        folder(root, root / path).before(disk)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_drive_that_is_not_mounted_makes_it_wait(tmp_path: Path, disk: ProductionDrives) -> None:
    bare = tmp_path / "not-a-drive"
    bare.mkdir()
    with pytest.raises(Later, match="not mounted"):
        folder(bare, bare / "shots").before(disk)
    assert not list(bare.iterdir())


def test_a_root_that_is_missing_is_never_made(root: Path, disk: ProductionDrives) -> None:
    with pytest.raises(Later, match="never made"):
        folder(root / "show", root / "show" / "shots").before(disk)
    assert not (root / "show").exists()


def test_a_file_is_copied_whole_and_an_existing_one_is_never_overwritten(root: Path, disk: ProductionDrives) -> None:
    source = root / "template.nk"
    source.write_text("template")
    after = do(disk, copy(root, source, root / "comp_v01.nk"))
    assert (root / "comp_v01.nk").read_text() == "template"
    assert after["size"] == 8
    (root / "comp_v01.nk").write_text("an artist's work")
    assert copy(root, source, root / "comp_v01.nk").before(disk) is None
    late = copy(root, source, root / "comp_v01.nk").apply(disk, {"sha256": "x"})
    assert "kept" in late
    assert (root / "comp_v01.nk").read_text() == "an artist's work"
    assert not list(root.glob(".*signalbox-part"))


def test_after_a_crash_a_copied_file_is_known_by_its_hash(root: Path, disk: ProductionDrives) -> None:
    source = root / "template.nk"
    source.write_text("template")
    effect = copy(root, source, root / "comp_v01.nk")
    before = effect.before(disk)
    assert before is not None
    assert effect.is_done(disk, before) is None
    effect.apply(disk, before)
    assert effect.is_done(disk, before) is not None
    (root / "comp_v01.nk").write_text("another")
    assert effect.is_done(disk, before) is None


def test_two_workers_that_make_the_same_folders_at_once_do_not_stand_in_each_others_way(
    root: Path, disk: ProductionDrives
) -> None:
    begin, failures = threading.Barrier(4), []

    def work() -> None:
        begin.wait(10)
        for number in range(150):
            effect = folder(root, root / f"shots/{number:03d}/img/comps")
            try:
                before = effect.before(disk)
                if before is not None:
                    effect.apply(disk, before)
            except (EffectFailed, OSError) as error:
                failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert failures == []
    assert len(list(root.glob("shots/*/img/comps"))) == 150


def test_what_is_in_the_way_of_a_folder_is_named(root: Path, disk: ProductionDrives) -> None:
    (root / "file").touch()
    (root / "dangling").symlink_to(root / "nowhere")
    for name in ("file", "dangling"):
        with pytest.raises(EffectFailed, match="in the way"):
            folder(root, root / name).before(disk)


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Path]:
    with small_drive(tmp_path / "small", "size=256k") as mounted:
        yield mounted


def test_a_copy_to_a_full_drive_leaves_nothing_half_written_and_goes_through_when_there_is_room(
    drive: Path, disk: ProductionDrives, tmp_path: Path
) -> None:
    source = tmp_path / "template.nk"
    source.write_bytes(b"x" * 150_000)
    (drive / "plates.exr").write_bytes(b"x" * 200_000)
    effect = copy(drive, source, drive / "comp_v01.nk")
    with pytest.raises(OSError, match=r"the disk is full, cannot write .*comp_v01\.nk: make room"):
        do(disk, effect)
    assert sorted(path.name for path in drive.iterdir()) == [".signalbox-drive", "plates.exr"]
    (drive / "plates.exr").unlink()
    do(disk, effect)
    assert (drive / "comp_v01.nk").stat().st_size == 150_000


def test_a_read_only_drive_is_named_and_worth_another_attempt(drive: Path, disk: ProductionDrives) -> None:
    remount(drive, "ro")
    effect = folder(drive, drive / "shots/001")
    with pytest.raises(OSError, match=r"the drive is read-only, cannot write .*shots"):
        do(disk, effect)
    remount(drive, "rw")
    do(disk, effect)
    assert (drive / "shots/001").is_dir()


def test_what_a_crash_left_half_written_is_taken_away(root: Path, disk: ProductionDrives) -> None:
    source = root / "template.nk"
    source.write_text("template")
    effect = copy(root, source, root / "comp_v01.nk")
    before = effect.before(disk)
    assert before is not None
    (root / before["part"]).write_text("temp")
    assert effect.is_done(disk, before) is None
    assert sorted(path.name for path in root.glob("*comp*")) == []


def test_two_copies_to_one_place_at_once_do_not_disturb_each_other(root: Path, disk: ProductionDrives) -> None:
    source = root / "template.nk"
    source.write_bytes(b"x" * 3_000_000)
    begin, results = threading.Barrier(6), []

    def work() -> None:
        effect = copy(root, source, root / "comp_v01.nk")
        # All have looked before any copies: who comes later finds that there is nothing to do.
        before = effect.before(disk)
        begin.wait(10)
        results.append(effect.apply(disk, before))

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert len(results) == 6
    assert sum("sha256" in one for one in results) == 1
    assert (root / "comp_v01.nk").read_bytes() == source.read_bytes()
    assert not list(root.glob(".*signalbox-part"))


def test_a_template_that_vanished_is_named(root: Path, disk: ProductionDrives) -> None:
    with pytest.raises(EffectFailed, match=r"gone\.nk vanished"):
        copy(root, root / "gone.nk", root / "x.nk").before(disk)


def test_a_name_that_is_too_long_fails_with_its_path(root: Path, disk: ProductionDrives) -> None:
    effect = folder(root, root / ("x" * 300))
    with pytest.raises((EffectFailed, OSError), match=r"x{20}"):
        effect.apply(disk, {})


def test_a_full_disk_is_worth_another_attempt_and_a_permission_is_for_a_person(root: Path) -> None:
    full = refused(OSError(errno.ENOSPC, "No space left on device"), root)
    assert isinstance(full, OSError)
    assert "the disk is full" in str(full)
    denied = refused(PermissionError(errno.EACCES, "Permission denied"), root)
    assert isinstance(denied, EffectFailed)
    assert str(root) in str(denied)
    assert "belongs to" in str(denied)
    read_only = refused(OSError(errno.EROFS, "Read-only file system"), root)
    assert isinstance(read_only, OSError)
    assert "read-only" in str(read_only)


def test_undo_removes_empty_folders_only(root: Path, disk: ProductionDrives) -> None:
    effect = folder(root, root / "a/b/c")
    after = do(disk, effect)
    (inverse,) = effect.inverse({}, after, frozenset())
    assert isinstance(inverse, RemoveFolders)
    (root / "a" / "keep.txt").touch()
    assert do(disk, inverse)["removed"] == [str(root / "a/b/c"), str(root / "a/b")]
    assert (root / "a" / "keep.txt").exists()
    (root / "full").mkdir()
    (root / "full" / "x").touch()
    with pytest.raises(LeaveAlone, match="not empty"):
        do(disk, RemoveFolders(slot="u", reason="so", paths=(root / "full",), root=root))
    assert (root / "full" / "x").exists()


def test_undo_removes_a_copied_file_only_while_it_is_still_ours(root: Path, disk: ProductionDrives) -> None:
    source = root / "template.nk"
    source.write_text("template")
    effect = copy(root, source, root / "x.nk")
    (inverse,) = effect.inverse({}, do(disk, effect), frozenset())
    assert isinstance(inverse, RemoveFile)
    (root / "x.nk").write_text("changed by an artist")
    with pytest.raises(LeaveAlone, match="changed since"):
        inverse.before(disk)
    (root / "x.nk").write_text("template")
    do(disk, inverse)
    assert not (root / "x.nk").exists()
