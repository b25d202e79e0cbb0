"""A path typed into a web page: only what lies on a production drive is opened, wherever links lead."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.rules.roots import PathRefused, local_path, within_roots


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    drive = tmp_path / "production"
    (drive / "show").mkdir(parents=True)
    (drive / "show" / "clip.mov").write_text("x")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.mov").write_text("x")
    return drive


def test_a_file_on_the_drive_is_accepted_also_through_a_link_on_the_drive(drive: Path) -> None:
    (drive / "latest.mov").symlink_to(drive / "show" / "clip.mov")
    assert within_roots(drive / "show" / "clip.mov", [drive]) == (drive / "show" / "clip.mov").resolve()
    assert within_roots(drive / "latest.mov", [drive]) == (drive / "show" / "clip.mov").resolve()


@pytest.mark.parametrize("way", ["outside", "dots", "link", "link to a folder", "the drive's own name continued"])
def test_no_way_leads_out_of_the_drive(drive: Path, way: str) -> None:
    secret = drive.parent / "secret" / "key.mov"
    (drive / "out.mov").symlink_to(secret)
    (drive / "away").symlink_to(secret.parent)
    beside = drive.parent / "production_2"
    beside.mkdir()
    path = {
        "outside": secret,
        "dots": drive / "show" / ".." / ".." / "secret" / "key.mov",
        "link": drive / "out.mov",
        "link to a folder": drive / "away" / "key.mov",
        "the drive's own name continued": beside / "clip.mov",
    }[way]
    with pytest.raises(PathRefused, match="production drive"):
        within_roots(path, [drive])


def test_a_refusal_does_not_tell_whether_the_file_exists(drive: Path) -> None:
    texts = []
    for name in ("key.mov", "nothing.mov"):
        with pytest.raises(PathRefused) as refused:
            within_roots(drive.parent / "secret" / name, [drive])
        texts.append(str(refused.value).replace(name, "it"))
    assert texts[0] == texts[1]


def test_links_in_a_circle_and_paths_without_a_drive_are_refused(drive: Path) -> None:
    (drive / "a").symlink_to(drive / "b")
    (drive / "b").symlink_to(drive / "a")
    for path in (drive / "a", Path("show/clip.mov")):
        with pytest.raises(PathRefused):
            within_roots(path, [drive])
    with pytest.raises(PathRefused, match="none are set"):
        within_roots(drive / "show" / "clip.mov", [])


@pytest.mark.parametrize(
    ("typed", "here"),
    [
        (r"P:\show\a.mov", "/data/production/show/a.mov"),
        (r"p:/show/a.mov", "/data/production/show/a.mov"),
        (r"\\server\prod\show\a.mov", "/data/production/show/a.mov"),
        (r"P:\showreel\a.mov", "/data/production/showreel/a.mov"),
        ("/data/other/a.mov", "/data/other/a.mov"),
    ],
)
def test_paths_of_other_machines_are_understood(typed: str, here: str) -> None:
    maps = {"P:": "/data/production", r"\\server\prod": "/data/production"}
    assert local_path(typed, maps) == Path(here)
