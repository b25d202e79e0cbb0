"""Options of the command line: a number that means nothing, or an empty path, is refused before anything starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from app import cli, cli_actions, cli_jobs
from app.jobs import cli as jobs_cli

NO_NUMBERS = ("inf", "nan", "", "99999999999999999999")
ANY_WHOLE_NUMBER = {"--seed"}


def _program() -> Any:
    """Every command of the program, on an object of its own: what is registered stays."""
    whole = typer.Typer()
    whole.registered_commands = list(cli.app.registered_commands)
    jobs_cli.register(whole)
    cli_jobs.register(whole)
    cli_actions.register(whole)
    return typer.main.get_command(whole)


PROGRAM = _program()


def options_of(kinds: tuple[type, ...]) -> Iterator[tuple[str, str]]:
    """Command and flag of each option that takes such a value."""
    for name, command in PROGRAM.commands.items():
        for option in command.params:
            flag = option.opts[0]
            if flag.startswith("--") and option.type_descriptor.annotation in kinds:
                yield name, flag


Refused = Callable[[str, str, str], str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """What is said when a command is started with this value alone; everything else is missing."""

    def start(command: str, flag: str, value: str) -> str:
        with pytest.raises(SystemExit) as ended:
            PROGRAM.main([command, f"{flag}={value}"], "signalbox")
        said = capsys.readouterr().err
        assert ended.value.code == 2, (value, said)
        return " ".join(said.replace("│", " ").split())

    return start


@pytest.mark.parametrize(("command", "flag"), sorted(options_of((int, float))))
def test_a_number_without_end_or_meaning_is_refused_by_name(refused: Refused, command: str, flag: str) -> None:
    for value in NO_NUMBERS:
        if not (flag in ANY_WHOLE_NUMBER and value.isdigit()):
            assert f"Invalid value for '{flag}'" in refused(command, flag, value), value


@pytest.mark.parametrize(("command", "flag"), [("demo", "--seconds"), ("replay", "--wait"), ("batch-create", "--wait")])
def test_a_time_before_now_is_refused(refused: Refused, command: str, flag: str) -> None:
    assert f"Invalid value for '{flag}'" in refused(command, flag, "-1")


@pytest.mark.parametrize(
    ("command", "flag"),
    [
        ("status", "--settings"),
        ("serve", "--journal"),
        ("demo", "--keep"),
        ("sandbox", "--dir"),
        ("connect", "--people"),
    ],
)
def test_an_empty_path_does_not_mean_the_folder_one_stands_in(refused: Refused, command: str, flag: str) -> None:
    assert "the path is empty; write . for this folder" in refused(command, flag, "")


def test_a_service_that_cannot_be_installed_there_says_which_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as ended:
        PROGRAM.main(["install-service", "--systemd", "--root", str(tmp_path / "file")], "signalbox")
    said = capsys.readouterr().err
    assert ended.value.code == 74
    assert said.startswith("signalbox: ")
    assert said.count("\n") == 1
    assert str(tmp_path / "file") in said


def test_a_folder_or_a_picture_named_as_settings_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "frame.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    for path, words in ((tmp_path, "cannot be read: Is a directory"), (picture, "is not UTF-8 text")):
        with pytest.raises(SystemExit) as ended:
            PROGRAM.main(["status", "--settings", str(path)], "signalbox")
        said = capsys.readouterr().err
        assert ended.value.code == 78
        assert said.startswith(f"signalbox: {path} {words}")
        assert said.count("\n") == 1
