"""Commands a TD types once: connect, doctor, and what they say when something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from program import Program, run_program_line
from studio import Studio

from app.journal.journal import Journal

pytestmark = [pytest.mark.e2e]


@pytest.fixture(scope="module")
def commanded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with Studio(tmp_path_factory.mktemp("commands")) as studio:
        yield studio


@pytest.fixture
def studio(commanded: Studio) -> Studio:
    commanded.renew()
    return commanded


def checks(report: dict[str, Any]) -> dict[str, list[str]]:
    """Name of a check to its states."""
    found: dict[str, list[str]] = {}
    for one in report["checks"]:
        found.setdefault(one["name"], []).append(one["state"])
    return found


def test_doctor_finds_a_healthy_studio_healthy(studio: Studio) -> None:
    code, report = run_program_line("doctor", "--json", home=studio.home, extra=studio.environment())
    assert (code, report["ok"]) == (0, True)
    states = checks(report)
    assert states["site"] == states["slack"] == states["journal"] == states["settings"] == ["ok"]
    assert states["drives"]
    assert set(states["drives"]) == {"ok"}


def test_doctor_names_what_is_wrong_and_what_to_do(studio: Studio) -> None:
    (studio.drive / ".signalbox-drive").rename(studio.drive / "unplugged")
    try:
        extra = {**studio.environment(), "SIGNALBOX_SLACK_TOKEN": "xoxb-of-another-workspace"}
        code, report = run_program_line("doctor", "--json", home=studio.home, extra=extra)
    finally:
        (studio.drive / "unplugged").rename(studio.drive / ".signalbox-drive")
    assert (code, report["ok"]) == (4, False)
    assert set(checks(report)["drives"]) == {"warning"}
    slack = next(one for one in report["checks"] if one["name"] == "slack")
    assert slack["state"] == "error"
    assert "xoxb-of-another" not in str(report)
    wrong = {**studio.environment(), "FTRACK_API_KEY": "a-key-of-nobody"}
    Journal.open(studio.home / "journal").close()
    with (studio.home / "journal" / "journal.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 20_000)
    code, report = run_program_line("doctor", "--json", home=studio.home, extra=wrong)
    site = next(one for one in report["checks"] if one["name"] == "site")
    assert (code, site["state"]) == (4, "error")
    assert "does not accept the API key" in site["words"]
    assert "a-key-of-nobody" not in str(report)
    journal = next(one for one in report["checks"] if one["name"] == "journal")
    assert journal["state"] == "error"
    assert "cannot be used" in journal["words"]
    assert "move the file aside" in journal["words"]


def test_a_site_is_entered_once_and_the_key_is_in_no_settings_file(studio: Studio) -> None:
    site = studio.site
    wrong = ("connect", "--server", site.url, "--user", site.user, "--key", "a-key-of-nobody")
    with Program(*wrong, home=studio.home) as refused:
        assert refused.ends() == 64
        assert "does not accept" in refused.errors
    assert "api_user" not in (studio.home / "settings.toml").read_text()
    with Program("connect", "--server", site.url, "--user", site.user, "--key", site.key, home=studio.home) as entered:
        assert entered.ends() == 0, entered.errors
    assert site.key not in (studio.home / "settings.toml").read_text()
    code, report = run_program_line("doctor", "--json", home=studio.home)
    assert checks(report)["site"] == ["ok"], (code, report)


def test_a_service_gets_its_key_as_a_credential(studio: Studio, tmp_path: Path) -> None:
    settings = tmp_path / "etc" / "settings.toml"
    (settings.parent / "credentials").mkdir(parents=True)
    arguments = ("--server", studio.site.url, "--user", studio.site.user, "--key", studio.site.key)
    with Program("connect", *arguments, "--settings", str(settings), home=studio.home) as entered:
        assert entered.ends() == 0, entered.errors
    kept = settings.parent / "credentials" / "site.api_key"
    assert kept.stat().st_mode & 0o777 == 0o600
    extra = {"CREDENTIALS_DIRECTORY": str(kept.parent)}
    _, report = run_program_line("doctor", "--settings", str(settings), "--json", home=studio.home, extra=extra)
    assert checks(report)["site"] == ["ok"], report


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("connect", "--drive", "/mnt/production"), "--drive /mnt/production: write the prefix on ftrack"),
        (("connect", "--server", "https://studio.example"), "API user: there is no terminal to type it in"),
        (("lever", "create_task_folder", "follow"), "name it with --project"),
        (("lever", "create_task_folder", "sideways"), "'sideways' is no position"),
    ],
)
def test_what_is_missing_on_the_command_line_is_said_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    with Program(*arguments, home=tmp_path) as program:
        assert program.ends() in {2, 3}
    assert said in program.errors
    assert "Traceback" not in program.errors
