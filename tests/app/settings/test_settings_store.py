"""What a TD changes is kept, explained and checked; what is secret is kept elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import secrets
from app.settings.models import SECTIONS, EngineSettings, Section, SiteSettings, StudioSettings, setting
from app.settings.store import SettingsError, SettingsStore


class NewNames(Section):
    """A section whose field had another name."""

    cut_off: str = setting("10:00", "When the next day's list begins.", renamed_from="cutoff", per_project=True)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SettingsStore:
    monkeypatch.setenv("SIGNALBOX_HOME", str(tmp_path))
    return SettingsStore(tmp_path / "settings.toml")


def test_a_new_installation_has_every_default_and_no_file(store: SettingsStore) -> None:
    assert store.section("studio", StudioSettings).workflow_schemas == ["VFX Scheme", "VFX Schema"]
    assert not store.path.exists()


def test_only_what_differs_is_written_with_its_explanation(store: SettingsStore) -> None:
    store.set("site", "server", "https://studio.example")
    store.set("site", "responders", SiteSettings().responders)
    assert store.path.read_text() == (
        f'schema = 1\n\n[site]\n# {SiteSettings.model_fields["server"].description}\nserver = "https://studio.example"\n'
    )
    assert store.changed("site") == {"server"}


def test_a_persons_comments_survive_and_a_reset_takes_only_its_own(store: SettingsStore) -> None:
    store.path.write_text('# our studio\n[site]\nserver = "https://a" # the old one\n\n[studio]\nfps = 25.0\n')
    store.set("site", "responders", 4)
    store.reset("site", "responders")
    store.set("studio", "fps", 24)
    text = store.path.read_text()
    assert "# our studio" in text
    assert "# the old one" in text
    assert "responders" not in text
    assert "Threads that answer" not in text
    assert "fps" not in text


def test_a_project_overrides_the_studio_and_gives_way_on_reset(store: SettingsStore) -> None:
    store.set("studio", "folder_mode", "2750")
    store.set("studio", "folder_mode", "2770", project="big.buck")
    again = SettingsStore(store.path)
    assert again.section("studio", StudioSettings, "big.buck").folder_mode == "2770"
    assert again.section("studio", StudioSettings, "other").folder_mode == "2750"
    assert again.projects("studio") == ["big.buck"]
    again.reset("studio", "folder_mode", project="big.buck")
    assert again.section("studio", StudioSettings, "big.buck").folder_mode == "2750"


@pytest.mark.parametrize(
    ("section", "field", "value", "says"),
    [
        ("studio", "time_zone", "Mars/Olympus", "not a time zone"),
        ("studio", "folder_mode", "99", "octal mode"),
        ("engine", "workers", 0, "greater than or equal to 1"),
        ("engine", "wrokers", 3, "no setting engine.wrokers"),
        ("enigne", "workers", 3, "no section"),
    ],
)
def test_a_wrong_value_is_refused_with_a_reason(
    store: SettingsStore, section: str, field: str, value: object, says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        store.set(section, field, value)
    assert not store.path.exists()


def test_a_project_cannot_override_what_is_the_same_for_all(store: SettingsStore) -> None:
    with pytest.raises(SettingsError, match="same for every project"):
        store.set("engine", "workers", 2, project="bigbuck")


def test_a_misspelt_setting_in_the_file_is_named(store: SettingsStore) -> None:
    store.path.write_text('[site]\nsevrer = "https://a"\n')
    with pytest.raises(SettingsError, match=r"no setting site\.sevrer: is server meant"):
        SettingsStore(store.path).section("site", SiteSettings)


def test_a_secret_never_reaches_the_file(store: SettingsStore) -> None:
    store.set("site", "api_key", "0123456789abcdef")
    assert not store.path.exists()
    assert secrets.secret("site.api_key") == "0123456789abcdef"
    store.path.write_text('[site]\napi_key = "0123456789abcdef"\n')
    with pytest.raises(SettingsError, match="does not belong in this file"):
        SettingsStore(store.path).section("site", SiteSettings)


def test_an_edit_by_hand_is_seen_and_a_broken_one_keeps_the_old_values(store: SettingsStore) -> None:
    store.set("studio", "fps", 25.0)
    before = store.revision
    assert not store.reload_if_changed()
    store.path.write_text("[studio]\nfps = 30.0\n")
    assert store.reload_if_changed()
    assert store.revision > before
    store.path.write_text("[studio\nfps = ")
    assert not store.reload_if_changed()
    assert "not valid TOML" in store.problem
    assert store.section("studio", StudioSettings).fps == 30.0
    with pytest.raises(SettingsError, match="not valid TOML"):
        SettingsStore(store.path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[studio]\nfps = "fast"\n', "studio.fps"),
        ("[studio]\nfsp = 25.0\n", "there is no setting studio.fsp: is fps meant"),
        ("[studo]\nfps = 25.0\n", "there is no section [studo]: is studio meant"),
        ('[projects."moon".studoi]\nfps = 25.0\n', 'there is no section [projects."moon".studoi]'),
        ('[projects."moon".studio]\nfps = "fast"\n', "studio.fps"),
        ("studio = 5\n", "studio must be a table"),
    ],
)
def test_a_slip_of_the_pen_while_the_server_runs_changes_nothing_and_is_named(
    store: SettingsStore, text: str, said: str
) -> None:
    store.set("studio", "fps", 30.0)
    store.path.write_text(text)
    assert not store.reload_if_changed()
    assert said in store.problem
    assert store.section("studio", StudioSettings, "moon").fps == 30.0
    store.path.write_text('[studio]\nfps = 48.0\n[handlers.of_a_plug_in]\nwords = ["urgent"]\n')
    assert store.reload_if_changed()
    assert store.problem == ""
    assert store.section("studio", StudioSettings, "moon").fps == 48.0


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("broken", ["[engine\nworkers = 3\n", "[engine]\nworkers = 0\n", "[handlers.own]\nsize = -1\n"])
def test_a_program_that_starts_while_the_file_is_broken_goes_on_with_the_last_that_could_be_used(
    store: SettingsStore, tmp_path: Path, broken: str
) -> None:
    class Own(Section):
        size: int = setting(1, "Of something.", ge=0)

    copy = tmp_path / "good.toml"
    store.set("engine", "workers", 7)
    store.keep_good(copy)
    assert copy.stat().st_mode & 0o777 == 0o600
    store.path.write_text(broken)
    started = SettingsStore(store.path, copy)
    started.declare("handlers.own", Own)
    started.settle()
    assert started.section("engine", EngineSettings).workers == 7
    assert started.problem.startswith(str(store.path))
    assert not started.reload_if_changed(), "told once"
    store.path.write_text("[engine]\nworkers = 2\n# mended\n")
    assert started.reload_if_changed()
    assert (started.section("engine", EngineSettings).workers, started.problem) == (2, "")
    store.path.write_text("[engine]\nworkers = 0\n")
    copy.unlink()
    with pytest.raises(SettingsError, match=r"engine\.workers"):
        SettingsStore(store.path, copy).section("engine", EngineSettings)


def test_a_file_whose_folder_is_roots_is_written_in_its_place(store: SettingsStore) -> None:
    store.set("studio", "time_zone", "America/Argentina/Buenos_Aires")
    before = store.path.stat().st_ino
    for folder in store.path.parents[:4]:
        folder.chmod(0o755)

    def somebody_else_sets_it() -> subprocess.CompletedProcess[str]:
        script = (
            "import os, sys; from pathlib import Path; from app.settings.store import SettingsStore\n"
            "os.setgid(65534); os.setuid(65534)\n"
            "SettingsStore(Path(sys.argv[1])).set('studio', 'time_zone', 'UTC')\n"
        )
        argv = [sys.executable, "-c", script, str(store.path)]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    assert "settings.toml cannot be written: Permission denied" in somebody_else_sets_it().stderr
    store.path.chmod(0o666)
    done = somebody_else_sets_it()
    assert done.returncode == 0, done.stderr
    assert store.path.stat().st_ino == before
    assert SettingsStore(store.path).section("studio", StudioSettings).time_zone == "UTC"


def test_settings_of_a_handler_that_nobody_knows_are_named(store: SettingsStore) -> None:
    store.declare("handlers.dailies", NewNames)
    store.path.write_text('[handlers.dalies]\ncut_off = "12:00"\n[projects.moon.handlers.gone]\nx = 1\n')
    assert store.reload_if_changed()
    assert store.strangers() == [
        "handlers.dalies: is dailies meant? Correct it or remove it",
        "handlers.gone: check its spelling or remove it",
    ]


def test_a_renamed_setting_is_still_read_and_moves_when_set(store: SettingsStore) -> None:
    store.path.write_text('[handlers.dailies]\ncutoff = "12:00"\n')
    store.reload_if_changed()
    assert store.section("handlers.dailies", NewNames).cut_off == "12:00"
    store.set("handlers.dailies", "cut_off", "11:00")
    assert "cutoff" not in store.path.read_text()
    assert store.section("handlers.dailies", NewNames).cut_off == "11:00"


def test_every_setting_is_explained() -> None:
    silent = [
        f"{name}.{field}"
        for name, model in SECTIONS.items()
        for field, info in model.model_fields.items()
        if not info.description
    ]
    assert silent == []


def test_a_section_is_made_once_until_something_changes(store: SettingsStore) -> None:
    before = store.section("studio", StudioSettings)
    assert store.section("studio", StudioSettings) is before
    store.set("studio", "time_zone", "Europe/Berlin")
    assert store.section("studio", StudioSettings).time_zone == "Europe/Berlin"
    store.path.write_text('[studio]\ntime_zone = "Asia/Tokyo"\n')
    assert store.reload_if_changed()
    assert store.section("studio", StudioSettings).time_zone == "Asia/Tokyo"


def test_root_who_changes_a_services_settings_does_not_take_them_from_it(tmp_path: Path) -> None:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can give a file to another account")
    file = tmp_path / "settings.toml"
    file.write_text("# ours\n")
    file.chmod(0o660)
    os.chown(file, 0, 4711)
    SettingsStore(file).set("engine", "workers", 3)
    after = file.stat()
    assert (after.st_uid, after.st_gid, after.st_mode & 0o777) == (0, 4711, 0o660)


def test_a_file_that_an_editor_emptied_to_write_it_anew_is_not_taken_for_every_default(store: SettingsStore) -> None:
    store.set("studio", "disk_map", {"/data/production": "/mnt/shows"})
    kept = store.path.read_text()
    store.path.write_text("")
    assert not store.reload_if_changed()
    assert store.section("studio", StudioSettings).disk_map == {"/data/production": "/mnt/shows"}
    store.path.write_text(f"{kept}\n[studio\n")
    store.reload_if_changed()
    assert "is not valid TOML" in store.problem
    assert store.section("studio", StudioSettings).disk_map == {"/data/production": "/mnt/shows"}
    store.path.write_text("")
    os.utime(store.path, (0, 0))
    assert store.reload_if_changed(), "one that stays empty is meant so"
    assert store.section("studio", StudioSettings).disk_map == StudioSettings().disk_map
