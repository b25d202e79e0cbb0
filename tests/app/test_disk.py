"""The production drives."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.disk import ProductionDrives
from app.rules.outcomes import Later, PlanError
from app.settings.models import StudioSettings


def drives(**settings: object) -> ProductionDrives:
    studio = StudioSettings(**settings)  # type: ignore[arg-type]
    return ProductionDrives(lambda: studio, windows=False)


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    folder = tmp_path / "production"
    folder.mkdir()
    return folder


def project(drive: Path, **values: object) -> dict[str, object]:
    return {"name": "bigbuck", "root": "", "disk": {"name": "p", "unix": str(drive), "windows": "P:\\"}, **values}


def test_a_project_lies_below_its_disk_or_at_its_own_root(drive: Path) -> None:
    (drive / ".signalbox-drive").touch()
    assert drives().project_root(project(drive)) == drive / "bigbuck"
    assert drives().project_root(project(drive, root=str(drive / "x/y"))) == drive / "x/y"


def test_an_empty_mount_point_is_no_drive(drive: Path) -> None:
    with pytest.raises(Later, match=r"Drive not mounted.*signalbox-drive"):
        drives().project_root(project(drive))


def test_a_mount_point_proves_its_drive_without_a_marker(drive: Path) -> None:
    studio = StudioSettings()
    mounted = ProductionDrives(lambda: studio, windows=False, is_mount=lambda path: path == drive)
    assert mounted.project_root(project(drive)) == drive / "bigbuck"
    assert mounted.drive(drive / "bigbuck") == drive


def test_the_systems_own_root_proves_nothing() -> None:
    studio = StudioSettings()
    everything = ProductionDrives(lambda: studio, windows=False, is_mount=lambda path: str(path) == "/")
    assert everything.drive(Path("/data/production/show")) is None


def test_the_marker_may_have_another_name(drive: Path) -> None:
    (drive / ".here").touch()
    assert drives(drive_marker=".here").project_root(project(drive)) == drive / "bigbuck"


def test_prefixes_of_ftrack_are_mapped_to_this_machine(drive: Path) -> None:
    (drive / ".signalbox-drive").touch()
    mapped = drives(disk_map={"/data/production": str(drive), "/data": "/nowhere"})
    assert mapped.project_root(project(Path("/data/production"))) == drive / "bigbuck"
    assert mapped.project_root(project(drive, root="/data/production/2026/show")) == drive / "2026/show"
    assert mapped.located(project(Path("/database/x"))) == Path("/database/x/bigbuck")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"disk": None}, "neither a root nor a disk"),
        ({"disk": {"name": "p", "unix": "", "windows": "P:\\"}}, "no Unix path"),
        ({"root": "relative/path"}, "is not an absolute path .* write the whole path on ftrack"),
        ({"root": "/data/../etc"}, "has '..' in it"),
        ({"name": "../etc"}, "cannot be a folder"),
    ],
)
def test_a_project_that_cannot_be_placed_says_what_is_missing(
    drive: Path, values: dict[str, object], said: str
) -> None:
    with pytest.raises(PlanError, match=said):
        drives().located(project(drive, **values))


def test_a_link_to_a_mounted_volume_proves_its_drive(tmp_path: Path, drive: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / ".signalbox-drive").touch()
    (drive / "bigbuck").symlink_to(volume)
    assert drives().project_root(project(drive)) == drive / "bigbuck"


def test_listing_and_presence(drive: Path) -> None:
    (drive / "b").mkdir()
    (drive / "a").touch()
    assert drives().listing(drive) == ["a", "b"]
    assert drives().listing(drive / "gone") == []
    assert drives().listing(drive / "a") == []
    assert drives().exists(drive / "a")
    assert not drives().exists(drive / "a/below_a_file")
    (drive / "dangling").symlink_to(drive / "nowhere")
    assert drives().exists(drive / "dangling")
