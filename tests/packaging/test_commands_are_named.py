"""Who looks for a command finds it: in the README's table, in the page of the manual and in the changelog."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from app import cli

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def commands() -> set[str]:
    """What `signalbox --help` lists."""
    cli._register_rooms()
    group = typer.main.get_command(cli.app)
    assert isinstance(group, typer.core.TyperGroup)
    return {name for name, command in group.commands.items() if not command.hidden}


def test_the_readme_lists_every_command_and_no_other(commands: set[str]) -> None:
    table = (ROOT / "README.md").read_text("utf-8").split("## Commands")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `signalbox")]
    named = {name for row in rows for name in re.findall(r"`signalbox ([a-z-]+)", row.split("|")[1])}
    assert named == commands


def test_the_page_of_the_manual_tells_of_every_command_and_no_other(commands: set[str]) -> None:
    page = (ROOT / "packaging" / "man" / "signalbox.1").read_text("utf-8")
    part = page.split(".SH COMMANDS")[1].split(".PP")[0].replace("\\-", "-")
    heads = re.findall(r"^\.TP\n\.B (.*)$", part, re.M)
    assert {name for head in heads for name in re.findall(r"[a-z-]+", re.sub(r"\\f.", " ", head))} == commands


def test_the_changelog_names_every_command(commands: set[str]) -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert {name for name in commands if f"`{name}`" not in text} == set()
