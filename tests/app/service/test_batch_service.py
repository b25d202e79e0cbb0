"""Batch Create without a window: from the terminal, through a crash, and taken back with care."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
from artist_room import Studio, server_of, studio_in
from listening import until
from program import Program
from typer.testing import CliRunner

from app.actions.batch_create import BatchCreateSettings
from app.cli_actions import register
from app.journal.crash import CRASHED
from app.journal.journal import Journal
from app.rules.batch import parse_table
from app.service.lookups import batch_values
from app.settings.store import SettingsStore

app = typer.Typer()
register(app)


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    with studio_in(tmp_path, monkeypatch) as made:
        yield made


def command(studio: Studio, *arguments: str, **extra: str) -> tuple[int, list[str], str]:
    """A run of ``signalbox batch-create`` beside nothing: its code, its lines, what it said."""
    settings = studio.folder / "home" / "settings.toml"
    environment = {
        "FTRACK_SERVER": studio.site.url,
        "FTRACK_API_USER": studio.person,
        "FTRACK_API_KEY": studio.site.key,
        **extra,
    }
    with Program("batch-create", *arguments, "--settings", str(settings), home=studio.folder / "home",
                 extra=environment) as program:  # fmt: skip
        code = program.process.wait(100)
        assert until(lambda: all(not reader.is_alive() for reader in program._readers))
        return code, [line.rstrip("\n") for line in program.out], program.errors


def shots(studio: Studio, sequence: str) -> list[str]:
    return [
        row["name"] for row in studio.rows(f'select name from Shot where parent.name is "{sequence}" order by name')
    ]


@pytest.mark.e2e
def test_the_terminal_says_what_it_would_make_makes_it_and_says_twice_that_nothing_is_new(studio: Studio) -> None:
    asked = ("nightjar", "--sequence", "C01", "--range", "10-30:10", "--task", "Animation 8h", "--task", "Lighting 2d")
    code, lines, _ = command(studio, *asked, "--dry-run", "--json")
    facts = json.loads(lines[-1])
    assert code == 0
    assert [row["shot"] for row in facts["rows"]] == ["C01_0010", "C01_0020", "C01_0030"]
    assert {row["state"] for row in facts["rows"]} == {"new"}
    assert facts["run"] is None
    assert shots(studio, "C01") == []
    code, lines, errors = command(studio, *asked, "--json")
    assert code == 0, errors
    assert json.loads(lines[-1])["made"] == {"Sequence": 1, "Shot": 3, "Task": 6}
    code, lines, _ = command(studio, "nightjar/C01", "--range", "10-30:10", "--task", "Animation 8h")
    assert code == 0
    assert len([line for line in lines if line.strip().startswith("exists")]) == 3
    assert len(shots(studio, "C01")) == 3


@pytest.mark.e2e
def test_the_terminal_refuses_with_the_wrong_character_and_conflicts_make_nothing(studio: Studio) -> None:
    code, _, errors = command(studio, "nightjar", "--sequence", "C02", "--range", "10-2x")
    assert code == 2
    assert "character 5" in errors
    sheet = studio.folder / "sheet.csv"
    sheet.write_text("shot,sequence\nC02_0010,C02\nc02_0010,C02\n")
    code, lines, errors = command(studio, "nightjar", "--csv", str(sheet))
    assert code == 5
    assert any("given twice" in line for line in lines)
    assert shots(studio, "C02") == []
    code, _, errors = command(studio, "no_such_show", "--range", "1-2")
    assert code == 2
    assert "no project" in errors
    assert "Traceback" not in errors


@pytest.mark.e2e
@pytest.mark.parametrize("point", ["applying:1", "committed:1", "applied:1"])
def test_many_creations_that_are_not_read_before_are_there_once_after_a_crash(studio: Studio, point: str) -> None:
    asked = ("nightjar", "--sequence", "C03", "--range", "10-400:10", "--task", "Animation 8h")
    code, _, _ = command(studio, *asked, SIGNALBOX_CRASH_AT=point)
    assert code == CRASHED
    code, _, errors = command(studio, *asked, "--json")
    assert code == 0, errors
    names = shots(studio, "C03")
    assert len(names) == len(set(names)) == 40
    tasks = studio.rows('select id from Task where parent.parent.name is "C03"')
    assert len(tasks) == 40


def launch(journal: Journal, kind: str, args: Mapping[str, Any]) -> Any:
    """Give an order and wait for the run's end."""
    order = journal.order(kind, args, "production")
    assert until(lambda: journal.order_row(order).state != "open")
    result = journal.order_row(order).result
    assert "run" in result, result
    assert until(lambda: journal.run(result["run"]).row.finished is not None, 60)
    return journal.run(result["run"])


def test_undo_leaves_alone_what_others_have_begun_to_use(studio: Studio) -> None:
    project = studio.rows('select id from Project where name is "nightjar"')[0]["id"]
    user = studio.rows(f'select id from User where username is "{studio.person}"')[0]["id"]
    rows = parse_table("\n".join(f"U01_{n:04d},U01,,,Animation" for n in range(10, 80, 10)))
    with server_of(studio, listener=False) as service:
        journal = service.journal
        args = {"action": "batch_create", "selection": [["Project", project]], "values": batch_values(rows),
                "user_id": user, "username": studio.person, "dry": False}  # fmt: skip
        made = launch(journal, "launch", args)
        assert made.row.state == "done"
        found = {row["name"]: row["id"] for row in studio.rows('select id, name from Shot where parent.name is "U01"')}
        tasks = {
            row["parent"]["name"]: row["id"]
            for row in studio.rows('select id, parent.name from Task where parent.parent.name is "U01"')
        }

        def create(kind: str, **values: Any) -> str:
            key = str(uuid.uuid4())
            answer = studio.site.api({
                "action": "create", "entity_type": kind, "entity_key": [key],
                "entity_data": {"__entity_type__": kind, "id": key, **values},
            })  # fmt: skip
            assert isinstance(answer, list), answer
            return key

        kinds = studio.rows("select id from AssetType limit 1")
        task_type = studio.rows('select id from Type where name is "Compositing"')[0]["id"]
        create("Timelog", context_id=tasks["U01_0010"], user_id=user, duration=3600, start="2026-11-22T10:00:00")
        create("Note", content="look", parent_id=found["U01_0020"], parent_type="Shot", user_id=user)
        asset = create("Asset", name="plate", context_id=found["U01_0030"], type_id=kinds[0]["id"])
        create("AssetVersion", asset_id=asset, task_id=tasks["U01_0030"])
        create("Appointment", context_id=tasks["U01_0040"], resource_id=user, type="assignment")
        create("Task", name="more", parent_id=found["U01_0050"], type_id=task_type)
        listed = launch(journal, "preview_undo", {"run": made.row.id})
        assert listed.row.state == "planned"
        assert len(shots(studio, "U01")) == 7, "a list touches nothing"
        stays = {str(effect.data["label"]) for effect in listed.effects if effect.state == "kept"}
        assert {"U01", "U01 / U01_0010 / animation", "U01 / U01_0020"} <= stays
        goes = {
            str(effect.data["label"])
            for effect in listed.effects
            if effect.state == "planned" and "label" in effect.data
        }
        assert {"U01 / U01_0060", "U01 / U01_0070"} <= goes
        launch(journal, "undo", {"run": made.row.id})
        assert shots(studio, "U01") == ["U01_0010", "U01_0020", "U01_0030", "U01_0040", "U01_0050"]
        left = {
            row["parent"]["name"]
            for row in studio.rows('select parent.name from Task where parent.parent.name is "U01"')
        }
        assert {"U01_0010", "U01_0030", "U01_0040"} <= left
        kept = [effect for effect in journal.run(made.row.id).effects if effect.state == "kept"]
        words = " ".join(effect.error for effect in kept)
        for reason in ("Timelog", "Note", "Asset", "Appointment", "TypedContext"):
            assert reason in words


def test_wrong_input_on_the_command_line_is_told_in_one_line(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SERVER", studio.site.url), ("API_USER", studio.person), ("API_KEY", studio.site.key)):
        monkeypatch.setenv(f"FTRACK_{name}", value)
    for wrong, words in (
        (("--csv", str(studio.folder / "gone.csv")), "gone.csv cannot be read: No such file"),
        (("--csv", str(studio.folder)), "cannot be read: Is a directory"),
        (("--csv", str(studio.drive / ".signalbox-drive"), "--range", "1-2"), "not both"),
        (
            (
                "--sequence",
                "C02",
            ),
            "give a --range",
        ),
        (("--range", "1-2"), "name the sequence"),
        (("--sequence", "C02", "--range", "1-2", "--task", "8h"), "'8h' has a bid but no task type"),
    ):
        said = CliRunner().invoke(app, ["batch-create", "nightjar", *wrong])
        assert said.exit_code == 2
        assert words in said.stderr
        assert said.stderr.count("\n") == 1
    store = SettingsStore(studio.folder / "home" / "settings.toml")
    store.declare("actions.batch_create", BatchCreateSettings)
    store.set("actions.batch_create", "confirm_above", 2)
    said = CliRunner().invoke(app, ["batch-create", "nightjar", "--sequence", "C04", "--range", "1-3"])
    assert (said.exit_code, "this would make 3 rows, more than 2; say --yes" in said.stderr) == (3, True)
    assert said.stdout == "", "why it was refused is not below hundreds of rows"
    assert shots(studio, "C04") == []


@pytest.mark.parametrize("name", ["upload", "agent"])
def test_without_a_display_artists_are_told_what_to_do_instead(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    said = CliRunner().invoke(app, [name])
    assert said.exit_code == 3
    assert "no display to open the dialog on: start this on a desktop" in said.stderr
