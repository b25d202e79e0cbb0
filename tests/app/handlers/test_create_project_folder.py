"""Create project folder: the cases of its list, each by name."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import stat
import threading
from pathlib import Path

import pytest
from production import Production
from small_drive import remount, small_drive

from app.disk import ProductionDrives
from app.engine.kinds import EffectFailed, LeaveAlone
from app.engine.protocol import Later, PlanError
from app.handlers.create_project_folder import CreateProjectFolder, CreateProjectFolderSettings, read_template

HANDLER = CreateProjectFolder()
FOLDERS = [
    "assets",
    "assets/3d",
    "assets/artwork",
    "assets/hdri",
    "production",
    "production/approvals",
    "production/editorial",
    "production/io",
    "production/meetings",
    "production/schedule",
    "reference",
    "shots",
    "template_files",
]


def test_a_project_of_the_studios_workflow_gets_its_folders_and_template_files(show: Production) -> None:
    show.run(HANDLER, show.added("Project", show.project))
    tree = show.tree()
    assert [path for path in tree if "." not in path] == FOLDERS
    files = [path for path in tree if "." in path]
    assert "template_files/compositing.nk" in files
    assert "template_files/modeling.mb" in files
    assert all(path.startswith("template_files/") for path in files)


def test_modes_and_group_are_the_settings_whatever_the_umask(show: Production) -> None:
    before = os.umask(0o077)
    try:
        show.run(HANDLER, show.added("Project", show.project))
    finally:
        os.umask(before)
    assert stat.S_IMODE((show.root() / "production/io").stat().st_mode) == 0o2775
    assert stat.S_IMODE((show.root() / "template_files/compositing.nk").stat().st_mode) == 0o664


@pytest.mark.parametrize("names", [["vfx SCHEME"], ["Other", "VFX Scheme"]])
def test_workflow_names_are_compared_without_case(show: Production, names: list[str]) -> None:
    show.settings.set("studio", "workflow_schemas", names)
    assert show.plan(HANDLER, show.added("Project", show.project)).effects


def test_a_project_of_another_workflow_is_skipped_with_the_reason(show: Production) -> None:
    other = show.new_project(f"{show.name}_cut", project_schema_id=show.named("ProjectSchema", "Editorial"))
    done = show.run(HANDLER, show.added("Project", other))
    assert done.outcomes == ["skipped"]
    assert "its workflow is Editorial" in done.reason


def test_a_project_copied_from_another_gets_its_own_folders(show: Production) -> None:
    show.run(HANDLER, show.added("Project", show.project))
    copy = show.new_project(f"{show.name}_copy")
    show.set_metadata("Project", copy, "client", "acme")
    show.run(HANDLER, show.added("Project", copy))
    assert show.tree(f"{show.name}_copy") == show.tree()


def test_a_project_without_disk_or_root_fails_with_advice(show: Production) -> None:
    show.update("Project", show.project, disk_id=None)
    with pytest.raises(PlanError, match="neither a root nor a disk"):
        show.plan(HANDLER, show.added("Project", show.project))


def test_a_disk_missing_for_this_system_fails_with_advice(show: Production) -> None:
    disk = show.make("Disk", name=f"windows-{show.name}", unix="", windows="P:\\")
    show.update("Project", show.project, disk_id=disk)
    with pytest.raises(PlanError, match="no Unix path"):
        show.plan(HANDLER, show.added("Project", show.project))


@pytest.mark.parametrize("name", ["bad/name", "..", "trailing.", "Größe\u200b"])
def test_names_that_cannot_be_folders_are_refused(show: Production, name: str) -> None:
    project = show.new_project(f"{name}" if name != ".." else "..")
    try:
        with pytest.raises(PlanError, match=r"cannot be a folder: .*Rename it on ftrack, then replay the event\.$"):
            show.plan(HANDLER, show.added("Project", project))
    finally:
        show.delete("Project", project)


def test_a_name_out_of_the_studios_spelling_is_warned_of_refused_or_accepted(show: Production) -> None:
    name = f"Big Show {show.name}"
    project = show.new_project(name)
    done = show.run(HANDLER, show.added("Project", project))
    assert (show.drive / name / "shots").is_dir()
    assert any("studio's spelling" in warning and "big_show" in warning for warning in done.plan.warnings)
    show.set(HANDLER, bad_name="refuse")
    with pytest.raises(PlanError, match="Rename it on ftrack"):
        show.plan(HANDLER, show.added("Project", project))
    show.set(HANDLER, bad_name="accept")
    assert show.plan(HANDLER, show.added("Project", project)).warnings == ()


def test_a_folder_that_exists_is_filled_and_nothing_is_deleted(show: Production) -> None:
    (show.root() / "production/io").mkdir(parents=True)
    own = show.root() / "template_files/compositing.nk"
    own.parent.mkdir()
    own.write_text("our own template")
    (show.root() / "extra").mkdir()
    done = show.run(HANDLER, show.added("Project", show.project))
    assert own.read_text() == "our own template"
    assert (show.root() / "extra").is_dir()
    made = [effect.path for effect in done.plan.effects if effect.kind == "folder"]
    assert show.root() / "production/io" not in made
    assert show.root() / "production/editorial" in made
    assert show.run(HANDLER, show.added("Project", show.project)).outcomes == ["already"]


def test_a_file_in_the_way_half_way_leaves_what_was_made_and_a_retry_makes_the_rest(show: Production) -> None:
    show.root().mkdir()
    (show.root() / "production").write_text("a file where a folder must be")
    plan = show.plan(HANDLER, show.added("Project", show.project))
    with pytest.raises(EffectFailed, match="production"):
        show.apply(plan)
    assert (show.root() / "assets/hdri").is_dir()
    (show.root() / "production").unlink()
    retry = show.plan(HANDLER, show.added("Project", show.project))
    assert show.root() / "assets/hdri" not in [getattr(effect, "path", None) for effect in retry.effects]
    show.apply(retry)
    assert [path for path in show.tree() if "." not in path] == FOLDERS


@pytest.mark.parametrize(
    ("spoilt", "mended", "words"),
    [("nr_inodes=8", "nr_inodes=400", "the disk is full"), ("ro", "rw", "the drive is read-only")],
)
def test_a_full_or_read_only_disk_is_named_what_was_made_stays_and_a_retry_makes_only_the_rest(
    show: Production, spoilt: str, mended: str, words: str
) -> None:
    with small_drive(show.drive, "size=4m,nr_inodes=8"):
        remount(show.drive, spoilt)
        with pytest.raises(OSError, match=f"{words}, cannot write .*{show.name}"):
            show.apply(show.plan(HANDLER, show.added("Project", show.project)))
        made = [path for path in show.tree() if "." not in path] if show.root().exists() else []
        remount(show.drive, mended)
        retry = show.plan(HANDLER, show.added("Project", show.project))
        left = {str(effect.path.relative_to(show.root())) for effect in retry.effects if effect.kind == "folder"}
        assert left == set(FOLDERS) - set(made)
        assert bool(made) is (spoilt != "ro")
        remount(show.drive, "nr_inodes=400")
        show.apply(retry)
        assert [path for path in show.tree() if "." not in path] == FOLDERS


def test_a_drive_that_is_not_mounted_makes_the_run_wait(show: Production) -> None:
    (show.drive / ".signalbox-drive").unlink()
    with pytest.raises(Later, match="not mounted"):
        show.plan(HANDLER, show.added("Project", show.project))


def test_a_project_folder_that_is_a_link_to_another_volume_is_followed(show: Production, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    show.root().symlink_to(volume)
    show.run(HANDLER, show.added("Project", show.project))
    assert (volume / "production/io").is_dir()


def test_a_link_inside_the_project_that_leads_elsewhere_is_refused(show: Production, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    show.root().mkdir()
    (show.root() / "assets").symlink_to(outside)
    with pytest.raises(EffectFailed, match="outside"):
        show.apply(show.plan(HANDLER, show.added("Project", show.project)))


def test_a_template_that_vanished_is_named(show: Production, tmp_path: Path) -> None:
    show.set(HANDLER, template=str(tmp_path / "gone.toml"))
    with pytest.raises(PlanError, match=r"gone\.toml cannot be read"):
        show.plan(HANDLER, show.added("Project", show.project))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("folders = [", "not valid TOML"),
        ("folder = ['x']", "mistake at folder"),
        ("folders = [{path='x', mode='rwx'}]", r"folders\.0\.mode"),
    ],
)
def test_a_template_with_a_mistake_says_where(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "template.toml"
    path.write_text(text)
    with pytest.raises(PlanError, match=said):
        read_template(str(path))


def test_a_template_with_placeholders_modes_files_and_other_roots(show: Production, tmp_path: Path) -> None:
    cache = tmp_path / "cache_drive"
    cache.mkdir()
    (cache / ".signalbox-drive").touch()
    template = tmp_path / "template"
    (template / "papers").mkdir(parents=True)
    (template / "papers/call_sheet.txt").write_text("call sheet")
    (template / "template.toml").write_text(
        'folders = [\n  "from_{{ client }}/{{ year }}",\n  { path = "production/io", mode = "2770" },\n'
        '  { path = "{{ project }}/sim", root = "cache" },\n]\n'
        '[[files]]\nsource = "papers"\npath = "production/papers"\n'
    )
    show.set_metadata("Project", show.project, "client", "Acme & Sons")
    show.set(HANDLER, template=str(template), roots={"cache": str(cache)})
    show.run(HANDLER, show.added("Project", show.project))
    year = dt.datetime.now(dt.UTC).year
    assert (show.root() / f"from_acme_sons/{year}").is_dir()
    assert stat.S_IMODE((show.root() / "production/io").stat().st_mode) == 0o2770
    assert (show.root() / "production/papers/call_sheet.txt").read_text() == "call sheet"
    assert (cache / show.name / "sim").is_dir()


def test_a_template_that_names_an_unknown_root_or_leads_out_is_refused(show: Production, tmp_path: Path) -> None:
    path = tmp_path / "template.toml"
    show.set(HANDLER, template=str(path))
    path.write_text('folders = [{ path = "x", root = "cache" }]')
    with pytest.raises(PlanError, match="'cache'"):
        show.plan(HANDLER, show.added("Project", show.project))
    path.write_text('folders = ["../elsewhere"]')
    with pytest.raises(PlanError, match="cannot be a folder"):
        show.plan(HANDLER, show.added("Project", show.project))


def test_windows_and_unc_paths_are_taken_from_the_disk_on_windows() -> None:
    from app.settings.models import StudioSettings

    studio = StudioSettings(disk_map={"\\\\server\\share": "/mnt/share", "P:\\": "/mnt/p"})
    drives = ProductionDrives(lambda: studio, windows=True)
    unc = {"name": "bigbuck", "disk": {"name": "share", "unix": "", "windows": "\\\\server\\share\\production"}}
    letter = {"name": "bigbuck", "disk": {"name": "p", "unix": "", "windows": "P:\\production"}}
    assert drives.located(unc) == Path("/mnt/share/production/bigbuck")
    assert drives.located(letter) == Path("/mnt/p/production/bigbuck")


def test_a_project_renamed_later_is_warned_of_and_not_moved(show: Production) -> None:
    show.run(HANDLER, show.added("Project", show.project))
    new = f"{show.name}_two"
    show.update("Project", show.project, name=new)
    done = show.run(HANDLER, show.change("Project", show.project, "update", {"name": (show.name, new)}))
    assert done.outcomes == ["skipped"]
    assert "Nothing is moved" in done.plan.warnings[0]
    assert show.root().is_dir()
    assert not (show.drive / new).exists()


def test_the_plan_is_a_preview_tree_that_touches_nothing(show: Production) -> None:
    plan = show.plan(HANDLER, show.added("Project", show.project))
    assert any(effect.describe().endswith("/production/io") for effect in plan.effects)
    assert not show.root().exists()


def test_undo_takes_back_only_folders_we_made_that_are_still_empty(show: Production) -> None:
    (show.root() / "reference").mkdir(parents=True)
    plan = show.plan(HANDLER, show.added("Project", show.project))
    inverse = []
    for effect in plan.effects:
        before = effect.before(show.disk)
        if before is not None:
            after = effect.apply(show.disk, before)
            undo = effect.inverse(before, after, frozenset())
            inverse = [*(undo if not isinstance(undo, str) else []), *inverse]
    (show.root() / "production/io/delivery.mov").write_text("from the client")
    for effect in inverse:
        with contextlib.suppress(LeaveAlone):
            before = effect.before(show.disk)
            if before is not None:
                effect.apply(show.disk, before)
    assert show.tree() == ["production", "production/io", "production/io/delivery.mov", "reference"]


def test_two_servers_at_once_make_one_tree(show: Production) -> None:
    plan = show.plan(HANDLER, show.added("Project", show.project))
    begin, failures = threading.Barrier(2), []

    def work() -> None:
        begin.wait(10)
        try:
            show.apply(plan)
        except Exception as error:
            failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert not failures
    assert [path for path in show.tree() if "." not in path] == FOLDERS
    assert not [path for path in show.tree() if path.endswith("-part")]


def test_the_task_templates_of_the_studio_are_copied_and_an_own_folder_of_them_too(
    show: Production, tmp_path: Path
) -> None:
    own = tmp_path / "own_templates"
    own.mkdir()
    (own / "compositing.nk").write_text("the studio's own")
    show.set(HANDLER, task_templates=str(own))
    show.run(HANDLER, show.added("Project", show.project))
    assert [path.name for path in (show.root() / "template_files").iterdir()] == ["compositing.nk"]
    assert (show.root() / "template_files/compositing.nk").read_text() == "the studio's own"
    show.set(HANDLER, task_templates=str(tmp_path / "gone"))
    with pytest.raises(PlanError, match="is not there"):
        show.plan(HANDLER, show.added("Project", show.project))


def test_a_deleted_project_is_skipped(show: Production) -> None:
    project = show.new_project(f"{show.name}_gone")
    change = show.added("Project", project)
    show.delete("Project", project)
    assert show.run(HANDLER, change).outcomes == ["skipped"]


def test_catch_up_finds_projects_that_were_added_meanwhile(show: Production) -> None:
    since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=30)
    found = {one.entity_id: one for one in HANDLER.catch_up(show.context(HANDLER), since)}
    assert HANDLER.wants(found[show.project])
    assert found[show.project].event_id == f"catch-up:added:{show.project}"


def test_every_setting_has_a_help_text() -> None:
    assert all(field.description for field in CreateProjectFolderSettings.model_fields.values())
