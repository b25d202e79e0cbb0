"""Set task thumbnail: the cases of its list, each by name."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from PIL import Image
from production import Production

from app.engine.protocol import PlanError
from app.handlers.set_task_thumbnail import SetTaskThumbnail

HANDLER = SetTaskThumbnail()


def thumbnail(show: Production, task: str, kind: str = "Task") -> str | None:
    return show.one(f'select thumbnail_id from {kind} where id is "{task}"')["thumbnail_id"]


def picture(show: Production, name: str = "artwork") -> str:
    return show.make("FileComponent", name=name, file_type=".png", size=10)


def cut(show: Production, task: str, status: str = "Cut") -> None:
    show.run(HANDLER, show.set_status("Task", task, status))


def test_a_cut_task_shows_the_cut_icon_and_gets_its_own_thumbnail_back(show: Production) -> None:
    own = picture(show)
    task = show.task(show.shot(), thumbnail_id=own)
    cut(show, task)
    shown = thumbnail(show, task)
    assert shown not in {None, own}
    row = show.one(f'select name, component_locations.location.name from FileComponent where id is "{shown}"')
    assert row["name"] == "cut"
    assert row["component_locations"][0]["location"]["name"] == "ftrack.server"
    cut(show, task, "In progress")
    assert thumbnail(show, task) == own
    assert show.metadata(task) == {}


def test_a_task_whose_status_is_cleared_gets_its_thumbnail_back(show: Production) -> None:
    own = picture(show)
    task = show.task(show.shot(), thumbnail_id=own)
    cut(show, task)
    assert thumbnail(show, task) != own
    show.update("Task", task, status_id=None)
    show.run(HANDLER, show.change("Task", task, "update", {"statusid": (show.named("Status", "Cut"), None)}))
    assert thumbnail(show, task) == own


def test_a_task_on_hold_shows_another_icon(show: Production) -> None:
    task = show.task(show.shot())
    cut(show, task)
    first = thumbnail(show, task)
    cut(show, task, "On Hold")
    assert thumbnail(show, task) not in {None, first}
    cut(show, task, "In progress")
    assert thumbnail(show, task) is None


def test_the_status_to_image_table_is_a_setting(show: Production, tmp_path: Path) -> None:
    own = tmp_path / "approved.png"
    Image.new("RGB", (64, 36), (0, 200, 0)).save(own)
    show.set(HANDLER, images={"approved": str(own)})
    task = show.task(show.shot())
    cut(show, task)
    assert thumbnail(show, task) is None
    cut(show, task, "Approved")
    assert thumbnail(show, task) is not None


@pytest.mark.parametrize("problem", ["missing", "unsupported", "huge", "empty"])
def test_an_image_that_is_missing_unsupported_or_huge_is_named(show: Production, tmp_path: Path, problem: str) -> None:
    path = tmp_path / {"unsupported": "icon.psd"}.get(problem, "icon.png")
    if problem == "unsupported":
        path.write_bytes(b"8BPS")
    elif problem == "huge":
        with path.open("wb") as stream:
            stream.truncate(11_000_000)
    elif problem == "empty":
        path.touch()
    show.set(HANDLER, images={"Cut": str(path)})
    task = show.task(show.shot())
    with pytest.raises(PlanError, match="icon"):
        show.plan(HANDLER, show.set_status("Task", task, "Cut"))


def test_one_uploaded_component_serves_all_tasks(show: Production, tmp_path: Path) -> None:
    own = tmp_path / "cut.png"
    Image.new("RGB", (64, 36), tuple(show.name.encode()[-3:])).save(own)
    show.set(HANDLER, images={"Cut": str(own)})
    shot = show.shot()
    tasks = [show.task(shot, name=f"comp{number}") for number in range(3)]
    plans = [show.run(HANDLER, show.set_status("Task", task, "Cut")).kinds() for task in tasks]
    assert [kinds.count("upload") for kinds in plans] == [1, 0, 0]
    assert len({thumbnail(show, task) for task in tasks}) == 1


def test_a_previous_thumbnail_that_was_deleted_gives_way_to_the_newest_versions(show: Production) -> None:
    own, newest = picture(show), picture(show, "newest")
    shot = show.shot()
    task = show.task(shot, thumbnail_id=own)
    asset = show.make("Asset", name="comp", context_id=shot, type_id=show.named("AssetType", "Upload"))
    show.version(shot, task, asset=asset, thumbnail_id=newest)
    show.version(shot, task, asset=asset)  # sound only: no picture
    cut(show, task)
    show.delete("FileComponent", own)
    cut(show, task, "In progress")
    assert thumbnail(show, task) == newest


def test_a_deleted_thumbnail_without_any_version_leaves_none(show: Production) -> None:
    own = picture(show)
    task = show.task(show.shot(), thumbnail_id=own)
    cut(show, task)
    show.delete("FileComponent", own)
    cut(show, task, "In progress")
    assert thumbnail(show, task) is None


def test_the_shot_shows_it_too_where_the_setting_says_so(show: Production) -> None:
    show.set(HANDLER, also_parent=True)
    own = picture(show)
    shot = show.shot()
    show.update("Shot", shot, thumbnail_id=own)
    task = show.task(shot)
    cut(show, task)
    assert thumbnail(show, shot, "Shot") == thumbnail(show, task) != own
    cut(show, task, "In progress")
    assert thumbnail(show, shot, "Shot") == own


def test_many_tasks_at_once_each_get_it(show: Production) -> None:
    shot = show.shot()
    tasks = [show.task(shot, name=f"comp{number}") for number in range(12)]
    changes = [show.set_status("Task", task, "Cut") for task in tasks]
    for change in changes:
        show.run(HANDLER, change)
    assert len({thumbnail(show, task) for task in tasks}) == 1


def test_a_thumbnail_changed_by_an_artist_meanwhile_is_kept(show: Production) -> None:
    task = show.task(show.shot(), thumbnail_id=picture(show))
    cut(show, task)
    artists = picture(show, "artists")
    show.update("Task", task, thumbnail_id=artists)
    done = show.run(HANDLER, show.set_status("Task", task, "In progress"))
    assert thumbnail(show, task) == artists
    assert any("which it keeps" in warning for warning in done.plan.warnings)
    assert show.metadata(task) == {}


def test_a_late_cut_follows_the_status_the_task_has_by_now(show: Production) -> None:
    task = show.task(show.shot())
    late = show.set_status("Task", task, "Cut")
    show.set_status("Task", task, "In progress")
    done = show.run(HANDLER, late)
    assert done.outcomes == ["already"]
    assert thumbnail(show, task) is None


def test_running_the_same_event_again_changes_nothing(show: Production) -> None:
    own = picture(show)
    task = show.task(show.shot(), thumbnail_id=own)
    change = show.set_status("Task", task, "Cut")
    show.run(HANDLER, change)
    metadata = show.metadata(task)
    again = show.run(HANDLER, change)
    assert again.outcomes == ["already"]
    assert show.metadata(task) == metadata
    cut(show, task, "Approved")
    assert thumbnail(show, task) == own


def test_a_task_created_cut_shows_it(show: Production) -> None:
    task = show.task(show.shot(), status_id=show.named("Status", "Cut"))
    show.run(HANDLER, show.added("Task", task))
    assert thumbnail(show, task) is not None


def test_other_statuses_need_no_read(show: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    task = show.task(show.shot())
    change = show.set_status("Task", task, "Approved")
    show.plan(HANDLER, change)
    reads: list[str] = []
    rows = show.site.rows
    monkeypatch.setattr(show.site, "rows", lambda expression: reads.append(expression) or rows(expression))
    assert show.plan(HANDLER, change).notes[0].outcome == "skipped"
    assert reads == []


def test_a_shots_status_is_none_of_its_business(show: Production) -> None:
    assert not HANDLER.wants(show.set_status("Shot", show.shot(), "Cut"))


def test_a_deleted_task_is_skipped(show: Production) -> None:
    task = show.task(show.shot())
    change = show.set_status("Task", task, "Cut")
    show.delete("Task", task)
    assert show.run(HANDLER, change).outcomes == ["skipped"]


def test_catch_up_finds_what_was_cut_and_what_left_it(show: Production) -> None:
    since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=5)
    task = show.task(show.shot())
    show.set_status("Task", task, "Cut")
    show.set_status("Task", task, "In progress")
    found = [one for one in HANDLER.catch_up(show.context(HANDLER), since) if one.entity_id == task]
    assert show.named("Status", "Cut") in {one.changes["statusid"][1] for one in found}
    assert show.named("Status", "Cut") in {one.changes["statusid"][0] for one in found}
