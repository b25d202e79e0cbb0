"""Create task folder: the cases of its list, each by name."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import stat
from pathlib import Path

import pytest
from production import Production

from app.engine.kinds import EffectFailed
from app.engine.protocol import Later, PlanError
from app.handlers.create_task_folder import CreateTaskFolder

HANDLER = CreateTaskFolder()


def test_a_shots_task_gets_scene_folder_file_structure_and_metadata(show: Production) -> None:
    show.template("layout.mb", "empty layout scene")
    shot = show.shot()
    task = show.task(shot, "Layout")
    show.run(HANDLER, show.added("Task", task))
    file = show.root() / "shots/001/001_0010/scene/layout/001_0010_v01.mb"
    assert file.read_text() == "empty layout scene"
    structure = show.root() / "shots/001/001_0010/img"
    assert sorted(path.name for path in structure.iterdir()) == ["comps", "plates", "render"]
    assert show.metadata(task) == {"filename": str(file)}


def test_an_assets_task_lies_below_the_assets_type_in_lower_case(show: Production) -> None:
    show.template("rigging.mb")
    task = show.task(show.asset("keeper", "Character"), "Rigging")
    show.run(HANDLER, show.added("Task", task))
    assert (show.root() / "assets/character/keeper/rigging/keeper_rigging_v01.mb").is_file()
    assert not (show.root() / "shots").exists()


def test_a_modeling_file_goes_one_level_deeper(show: Production) -> None:
    show.template("modeling.mb")
    task = show.task(show.asset("lantern", "Prop"), "Modeling")
    done = show.run(HANDLER, show.added("Task", task))
    file = show.root() / "assets/prop/lantern/modeling/maya/lantern_modeling_v01.mb"
    assert file.is_file()
    assert show.metadata(task)["filename"] == str(file)
    again = show.run(HANDLER, show.added("Task", task))
    assert again.outcomes == ["already"]
    assert not again.plan.effects
    assert done.plan.effects


def test_modes_of_folders_and_files_are_the_settings_whatever_the_umask(show: Production) -> None:
    show.template("layout.mb")
    task = show.task(show.shot(), "Layout")
    before = os.umask(0o077)
    try:
        show.run(HANDLER, show.added("Task", task))
    finally:
        os.umask(before)
    folder = show.root() / "shots/001/001_0010/scene/layout"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o2775
    assert stat.S_IMODE((folder / "001_0010_v01.mb").stat().st_mode) == 0o664


def test_tasks_directly_under_the_project_are_skipped_with_the_reason(show: Production) -> None:
    done = show.run(HANDLER, show.added("Task", show.task(show.project, "Editing")))
    assert done.outcomes == ["skipped"]
    assert "directly under the project" in done.reason


@pytest.mark.parametrize("kind", ["Sequence", "Folder", "Episode"])
def test_tasks_under_a_sequence_or_folder_are_skipped_with_the_reason(show: Production, kind: str) -> None:
    done = show.run(HANDLER, show.added("Task", show.task(show.context_of(kind, "one"), "Layout")))
    assert done.outcomes == ["skipped"]
    assert kind in done.reason
    assert "other_folder" in done.reason


def test_a_template_rule_gives_tasks_of_a_sequence_a_folder(show: Production) -> None:
    show.set(HANDLER, other_folder="sequences/{{ parents | join('/') }}/{{ task | lower }}")
    task = show.task(show.context_of("Sequence", "001"), "Layout")
    show.run(HANDLER, show.added("Task", task))
    assert (show.root() / "sequences/001/layout").is_dir()


def test_an_asset_build_with_a_renamed_type_uses_the_new_name_and_without_a_type_it_fails(show: Production) -> None:
    asset = show.asset("storm_sky", "Matte Painting")
    show.run(HANDLER, show.added("Task", show.task(asset, "Concept")))
    assert (show.root() / "assets/matte painting/storm_sky/concept").is_dir()
    show.update("AssetBuild", asset, type_id=None)
    with pytest.raises(PlanError, match="storm_sky has no type"):
        show.plan(HANDLER, show.added("Task", show.task(asset, "Lookdev")))


def test_the_episode_is_part_of_the_path(show: Production) -> None:
    episode = show.context_of("Episode", "ep101")
    shot = show.context_of("Shot", "010_0010", show.context_of("Sequence", "010", episode))
    show.run(HANDLER, show.added("Task", show.task(shot, "Matchmove")))
    assert (show.root() / "shots/ep101/010/010_0010/scene/matchmove").is_dir()


def test_the_folder_is_named_after_the_task_and_the_template_after_its_type(show: Production) -> None:
    show.template("compositing.nk")
    task = show.task(show.shot(), "Compositing", name="Slap_Comp")
    show.run(HANDLER, show.added("Task", task))
    assert (show.root() / "shots/001/001_0010/scene/slap_comp/001_0010_v01.nk").is_file()


def test_two_tasks_of_a_shot_whose_names_collide_share_the_folder_with_a_warning(show: Production) -> None:
    show.template("layout.mb")
    shot = show.shot()
    first = show.task(shot, "Layout", name="layout")
    second = show.task(shot, "Layout", name="LAYOUT")
    show.run(HANDLER, show.added("Task", first))
    file = Path(show.metadata(first)["filename"])
    file.write_text("work of an artist")
    done = show.run(HANDLER, show.added("Task", second))
    assert any("shared with the task layout" in warning for warning in done.plan.warnings)
    assert file.read_text() == "work of an artist"
    assert show.metadata(second) == show.metadata(first)
    show.set(HANDLER, same_folder="refuse")
    third = show.task(shot, "Layout", name="Layout")
    with pytest.raises(PlanError, match="already belongs to the task"):
        show.plan(HANDLER, show.added("Task", third))


def test_a_task_renamed_later_keeps_its_folder(show: Production) -> None:
    show.template("layout.mb")
    task = show.task(show.shot(), "Layout")
    show.run(HANDLER, show.added("Task", task))
    show.update("Task", task, name="blocking")
    done = show.run(HANDLER, show.added("Task", task))
    assert done.outcomes == ["already"]
    assert "before it was renamed" in done.reason
    assert not (show.root() / "shots/001/001_0010/scene/blocking").exists()


def test_a_renamed_task_without_a_file_is_remembered_by_its_folder(show: Production) -> None:
    task = show.task(show.shot(), "FX")
    show.run(HANDLER, show.added("Task", task))
    assert show.metadata(task) == {"folder": str(show.root() / "shots/001/001_0010/scene/fx")}
    show.update("Task", task, name="explosion")
    assert show.run(HANDLER, show.added("Task", task)).outcomes == ["already"]


def test_metadata_of_a_copied_project_does_not_count(show: Production) -> None:
    task = show.task(show.shot(), "FX")
    elsewhere = show.drive / "other_show/shots/001"
    elsewhere.mkdir(parents=True)
    show.set_metadata("Task", task, "folder", str(elsewhere))
    show.run(HANDLER, show.added("Task", task))
    assert show.metadata(task)["folder"] == str(show.root() / "shots/001/001_0010/scene/fx")


def test_a_project_root_that_is_missing_is_made_on_a_drive_that_is_there(show: Production) -> None:
    assert not show.root().exists()
    show.run(HANDLER, show.added("Task", show.task(show.shot(), "FX")))
    assert (show.root() / "shots/001/001_0010/scene/fx").is_dir()


def test_a_drive_that_is_not_mounted_makes_the_run_wait(show: Production) -> None:
    (show.drive / ".signalbox-drive").unlink()
    with pytest.raises(Later, match="Drive not mounted"):
        show.plan(HANDLER, show.added("Task", show.task(show.shot(), "FX")))
    assert not show.root().exists()


def test_a_project_without_disk_and_root_fails_with_advice(show: Production) -> None:
    show.update("Project", show.project, disk_id=None)
    with pytest.raises(PlanError, match="neither a root nor a disk"):
        show.plan(HANDLER, show.added("Task", show.task(show.shot(), "FX")))


def test_the_root_of_the_project_wins_over_its_disk(show: Production) -> None:
    own = show.drive / "elsewhere/the_show"
    show.update("Project", show.project, root=str(own))
    show.run(HANDLER, show.added("Task", show.task(show.shot(), "FX")))
    assert (own / "shots/001/001_0010/scene/fx").is_dir()
    assert not show.root().exists()


def test_a_missing_template_leaves_a_folder_and_says_so(show: Production) -> None:
    show.template("compositing.nk")
    done = show.run(HANDLER, show.added("Task", show.task(show.shot(), "Lighting")))
    assert list((show.root() / "shots/001/001_0010/scene/lighting").iterdir()) == []
    assert any("no file" in warning and "Lighting" in warning for warning in done.plan.warnings)


def test_an_unreadable_template_names_the_path_and_its_owner(show: Production) -> None:
    (show.root() / "template_files/layout.mb").mkdir(parents=True)  # unreadable for everybody, for root too
    plan = show.plan(HANDLER, show.added("Task", show.task(show.shot(), "Layout")))
    with pytest.raises(EffectFailed, match=r"layout\.mb cannot be read.*belongs to"):
        show.apply(plan)


def test_a_template_that_vanishes_between_plan_and_copy_fails_with_its_path(show: Production) -> None:
    template = show.template("layout.mb")
    plan = show.plan(HANDLER, show.added("Task", show.task(show.shot(), "Layout")))
    template.unlink()
    with pytest.raises(EffectFailed, match=r"layout\.mb vanished"):
        show.apply(plan)


def test_an_existing_destination_is_kept(show: Production) -> None:
    show.template("layout.mb", "new")
    task = show.task(show.shot(), "Layout")
    file = show.root() / "shots/001/001_0010/scene/layout/001_0010_v01.mb"
    file.parent.mkdir(parents=True)
    file.write_text("an artist's work")
    done = show.run(HANDLER, show.added("Task", task))
    assert file.read_text() == "an artist's work"
    assert "copy" not in done.kinds()
    assert show.metadata(task)["filename"] == str(file)


def test_the_highest_version_is_found_among_files_that_do_not_match_and_other_paddings(show: Production) -> None:
    scene = show.root() / "shots/001/001_0010/scene"
    previz = scene / "previz"
    previz.mkdir(parents=True)
    for name in ("001_0010_v2.mb", "001_0010_v010.mb", "001_0010_v009.mb", "notes_v99.txt", "previous1.mb", "v.mb"):
        (previz / name).write_text(name)
    show.run(HANDLER, show.added("Task", show.task(show.shot(), "Animation")))
    assert (scene / "animation/001_0010_v01.mb").read_text() == "001_0010_v010.mb"


def test_animation_without_previz_starts_from_the_newest_layout_publish_that_has_the_file(show: Production) -> None:
    scene = show.root() / "shots/001/001_0010/scene"
    for version, files in (("v01", ["animation_publish.mb"]), ("v12", ["animation_publish.mb"]), ("v13", [])):
        folder = scene / "layout/publish" / version
        folder.mkdir(parents=True)
        for name in files:
            (folder / name).write_text(version)
    shot = show.shot()
    show.run(HANDLER, show.added("Task", show.task(shot, "Animation")))
    show.run(HANDLER, show.added("Task", show.task(shot, "Previz")))
    assert (scene / "animation/001_0010_v01.mb").read_text() == "v12"
    assert (scene / "previz/001_0010_v01.mb").read_text() == "v12"


def test_a_template_goes_before_a_publish(show: Production) -> None:
    show.template("animation.ma", "template")
    publish = show.root() / "shots/001/001_0010/scene/layout/publish/v01"
    publish.mkdir(parents=True)
    (publish / "animation_publish.mb").write_text("publish")
    show.run(HANDLER, show.added("Task", show.task(show.shot(), "Animation")))
    assert (show.root() / "shots/001/001_0010/scene/animation/001_0010_v01.ma").read_text() == "template"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../../etc", "separates folders"),
        ("..", "folder of the system"),
        ("a/b", "separates folders"),
        ("back\\slash", "separates folders"),
        ("x" * 300, "at most 255"),
        ("con", "device name"),
        ("dot.", "dot"),
        ("tab\there", "invisible character"),
    ],
)
def test_names_that_cannot_be_folders_are_refused_with_the_reason(show: Production, name: str, reason: str) -> None:
    task = show.task(show.shot(), "FX", name=name)
    with pytest.raises(PlanError, match=reason):
        show.plan(HANDLER, show.added("Task", task))
    assert sorted(path.name for path in show.drive.iterdir()) == [".signalbox-drive"]


def test_names_are_sanitised_where_the_policy_says_so(show: Production) -> None:
    show.set(HANDLER, name_policy="slugify")
    task = show.task(show.shot("Größe / 1"), "FX", name="Über Feuer")
    show.run(HANDLER, show.added("Task", task))
    assert (show.root() / "shots/001/grosse_1/scene/uber_feuer").is_dir()


def test_unicode_and_spaces_are_kept_as_they_are_safe(show: Production) -> None:
    show.run(HANDLER, show.added("Task", show.task(show.shot("夜 0010"), "FX")))
    assert (show.root() / "shots/001/夜 0010/scene/fx").is_dir()


def test_a_refused_mode_is_a_warning_and_the_folder_stays(show: Production) -> None:
    show.settings.set("studio", "group", "no-such-group-here")
    plan = show.plan(HANDLER, show.added("Task", show.task(show.shot(), "FX")))
    show.apply(plan)
    assert (show.root() / "shots/001/001_0010/scene/fx").is_dir()


def test_a_path_longer_than_windows_opens_is_refused_unless_switched_off(show: Production) -> None:
    parent = show.shot("s" * 120)
    task = show.task(parent, "FX", name="t" * 150)
    with pytest.raises(PlanError, match="Windows opens at most 259"):
        show.plan(HANDLER, show.added("Task", task))
    show.set(HANDLER, windows_paths=False)
    show.run(HANDLER, show.added("Task", task))
    assert (show.root() / "shots/001" / ("s" * 120) / "scene" / ("t" * 150)).is_dir()


def test_a_place_that_may_not_be_written_is_named_with_its_owner(show: Production) -> None:
    # A file system of the kernel: nobody makes folders there, root neither.
    show.update("Project", show.project, root="/sys/kernel/production")
    plan = show.plan(HANDLER, show.added("Task", show.task(show.shot(), "FX")))
    with pytest.raises((EffectFailed, OSError), match=r"/sys/kernel/production.*(belongs to root|read-only|Read-only)"):
        show.apply(plan)


def test_a_task_deleted_before_its_run_is_skipped(show: Production) -> None:
    task = show.task(show.shot(), "FX")
    change = show.added("Task", task)
    show.delete("Task", task)
    done = show.run(HANDLER, change)
    assert done.outcomes == ["skipped"]
    assert "no longer exists" in done.reason


def test_running_the_same_event_again_plans_nothing(show: Production) -> None:
    show.template("compositing.nk")
    change = show.added("Task", show.task(show.shot(), "Compositing"))
    assert show.run(HANDLER, change).plan.effects
    again = show.run(HANDLER, change)
    assert again.plan.effects == ()
    assert again.outcomes == ["already"]


def test_a_folder_deleted_by_hand_is_made_again_by_a_replay(show: Production) -> None:
    show.template("layout.mb")
    change = show.added("Task", show.task(show.shot(), "Layout"))
    show.run(HANDLER, change)
    folder = show.root() / "shots/001/001_0010/scene/layout"
    (folder / "001_0010_v01.mb").unlink()
    folder.rmdir()
    show.run(HANDLER, dataclasses.replace(change, origin="replay"))
    assert (folder / "001_0010_v01.mb").is_file()


def test_each_task_of_a_burst_needs_one_read(show: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    show.template("compositing.nk")
    shot = show.shot()
    changes = [show.added("Task", show.task(shot, "Compositing", name=f"comp{number}")) for number in range(20)]
    show.plan(HANDLER, changes[0])  # look-ups are cached from here on
    reads: list[str] = []
    rows = show.site.rows
    monkeypatch.setattr(show.site, "rows", lambda expression: reads.append(expression) or rows(expression))
    for change in changes:
        show.plan(HANDLER, change)
    assert len(reads) == len(changes)


def test_names_of_templates_are_matched_best_first(show: Production) -> None:
    show.template("old_compositing_2019.nk", "old")
    show.template("Compositing.nk", "right")
    show.template(".compositing.nk", "hidden")
    show.template("compositing.nk~", "backup")
    show.run(HANDLER, show.added("Task", show.task(show.shot(), "Compositing")))
    assert (show.root() / "shots/001/001_0010/scene/compositing/001_0010_v01.nk").read_text() == "right"


def test_a_short_type_name_is_not_found_inside_another_word(show: Production) -> None:
    show.template("vfx_notes.txt")
    show.run(HANDLER, show.added("Task", show.task(show.shot(), "FX")))
    assert list((show.root() / "shots/001/001_0010/scene/fx").iterdir()) == []


def test_a_link_that_leads_out_of_the_project_is_refused(show: Production, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    show.root().mkdir()
    (show.root() / "shots").symlink_to(outside)
    plan = show.plan(HANDLER, show.added("Task", show.task(show.shot(), "FX")))
    with pytest.raises(EffectFailed, match="outside"):
        show.apply(plan)
    assert list(outside.iterdir()) == []


def test_catch_up_finds_the_tasks_that_were_added_meanwhile(show: Production) -> None:
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=5)
    task = show.task(show.shot(), "FX")
    show.shot("001_0020")
    found = [one for one in HANDLER.catch_up(show.context(HANDLER), before) if one.entity_id == task]
    (change,) = found
    assert HANDLER.wants(change)
    assert change.event_id == f"catch-up:added:{task}"
    assert change.project_id == show.project
    assert [step.entity_type for step in change.parents] == ["Task", "Shot", "Sequence", "Project"]
    show.run(HANDLER, change)
    assert (show.root() / "shots/001/001_0010/scene/fx").is_dir()
    assert all(one.entity_type == "Task" for one in HANDLER.catch_up(show.context(HANDLER), before))
