"""What the documents name is there: commands and their options, make targets, settings, files, links, variables."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from app.cli import _register_rooms, app
from app.settings.models import SECTIONS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^(?:```|~~~).*?^(?:```|~~~)$", re.M | re.S)
CODE = re.compile(r"`([^`\n]+)`")
INDENTED = re.compile(r"^ {4}\S.*$", re.M)
SUFFIXES = {"py", "js", "md", "db", "lock", "toml"}
FOLDERS = ("app", "ui", "docs", "packaging", "resources", "tests", ".ci")


@functools.cache
def commands() -> dict[str, Any]:
    """Every command of the program by name; "" is the program itself."""
    _register_rooms()
    root: Any = typer.main.get_command(app)
    return {"": root, **root.commands}


@functools.cache
def source() -> str:
    """The program's whole text, with that of the tests' helpers: some variables are for whoever runs the suite."""
    tops = ("app", "ui", "tests/support")
    return "\n".join(path.read_text(encoding="utf-8") for top in tops for path in (ROOT / top).rglob("*.py"))


def code_of(page: Path) -> Iterator[str]:
    """Lines of code blocks and everything between backquotes."""
    text = page.read_text(encoding="utf-8")
    for block in FENCE.findall(text):
        yield from block.splitlines()[1:-1]
    text = FENCE.sub("", text)
    yield from (line.strip() for line in INDENTED.findall(text))
    yield from CODE.findall(text)


def invocations(line: str) -> Iterator[tuple[str, list[str]]]:
    """Calls of the program in a line of code: the command's name and its options."""
    line = line.split(" #", 1)[0]
    for call in re.finditer(r"(?:^|[/ ($])signalbox(?= |$)((?: [^|;&)]+)?)", line):
        words = call[1].split()
        name = words[0] if words and re.fullmatch(r"[a-z][a-z-]+", words[0]) else ""
        yield name, [word.split("=", 1)[0].strip("[]") for word in words if word.strip("[").startswith("--")]


def is_call(line: str) -> bool:
    """Whether a line is typed into a shell, not a sentence or a file about the program."""
    return re.match(r"(?:\$ |sudo |[A-Z_]+=\S+ |\.venv/bin/|xvfb-run (?:-\S+ )*)*signalbox(?: |$)", line) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_that_a_page_names_exists(page: Path) -> None:
    known = commands()
    wrong: list[str] = []
    for line in filter(is_call, code_of(page)):
        for name, options in invocations(line):
            if name not in known:
                wrong.append(f"no command {name!r}: {line}")
                continue
            command = known[name]
            accepted = {text for each in command.params for text in (*each.opts, "--help")}
            wrong += [f"{name} has no {option}: {line}" for option in options if option not in accepted]
    assert wrong == []


def test_every_command_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    hidden = {name for name, command in commands().items() if command.hidden}
    assert [name for name in commands() if name and name not in hidden and f"signalbox {name}" not in text] == []


def test_every_page_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"(docs/{page.name})" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    named = {call[1] for line in code_of(page) if (call := re.match(r"make ([a-z]+)\b", line))}
    assert named - targets == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_that_a_page_names_exists(page: Path) -> None:
    sections = "|".join(SECTIONS)
    named = {
        (found[1], found[2])
        for line in code_of(page)
        if (found := re.fullmatch(rf"({sections})\.([a-z_]+)(?: ?=.*)?", line)) and found[2] not in SUFFIXES
    }
    assert {f"{section}.{name}" for section, name in named if name not in SECTIONS[section].model_fields} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_link_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)
    missing = [link for link in links if not (page.parent / link).exists()]
    for line in code_of(page):
        for name in re.findall(
            rf"(?:^|(?<=[\s(\"']))((?:{'|'.join(map(re.escape, FOLDERS))})/[\w./-]*\w)(?![*\w])", line
        ):
            if not (ROOT / name).exists():
                missing.append(name)
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_that_a_page_names_is_read_by_the_program(page: Path) -> None:
    named = set(re.findall(r"\b(?:SIGNALBOX|FTRACK)_[A-Z_]+\b", page.read_text(encoding="utf-8")))
    assert {name for name in named if name not in source()} == set()
