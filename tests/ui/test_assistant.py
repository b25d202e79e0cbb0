"""The first-run assistant against the embedded site and a local Slack: wrong answers, then right ones."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from manager_stand_in import ManagerStandIn
from sandbox_process import SandboxProcess
from shiboken6 import isValid

from app.sandbox.slack_api import Member, SlackServer
from app.settings.models import FlamencoSettings
from app.settings.secrets import secret
from app.settings.store import SettingsStore
from ui.dialogs.assistant import Assistant, Page


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("assistant") / "site", "ftrack-suite") as made:
        yield made


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with SlackServer([Member("U00000001", "anna", "Anna", "anna@example.com")]) as server:
        yield server


@pytest.fixture
def store(home: Path, monkeypatch: pytest.MonkeyPatch) -> SettingsStore:
    for name in ("FTRACK_SERVER", "FTRACK_API_USER", "FTRACK_API_KEY", "SIGNALBOX_SLACK_TOKEN", "SLACK_BOT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    home.mkdir(exist_ok=True)
    return SettingsStore(home / "settings.toml")


@pytest.fixture
def assistant(store: SettingsStore, qtbot: Any, dark: None) -> Iterator[Assistant]:
    dialog = Assistant(store)
    with qtbot.waitExposed(dialog):
        dialog.show()
    yield dialog
    if isValid(dialog):
        dialog.reject()


@pytest.fixture
def attempt(assistant: Assistant, qtbot: Any) -> Callable[..., Page]:
    """Fills a page in, presses its button, and waits for what comes of it."""

    def fill(step: str, **answers: str) -> Page:
        page = assistant.pages[step]
        assistant.list.setCurrentRow(list(assistant.pages).index(step))
        for name, text in answers.items():
            page.fields[name].setText(text)
        page.button.click()
        qtbot.waitUntil(lambda: page.outcome.property("state") in ("ok", "error"))
        return page

    return fill


def test_a_wrong_key_is_told_and_nothing_is_kept(
    attempt: Callable[..., Page], site: SandboxProcess, store: SettingsStore
) -> None:
    page = attempt("site", server=site.url, user=site.user, key="no-such-key-0123456789")
    assert page.outcome.property("state") == "error"
    assert "does not accept" in page.outcome.text()
    assert "no-such-key-0123456789" not in page.outcome.text()
    assert not store.path.exists()
    assert secret("site.api_key") is None
    assert page.fields["key"].text(), "the person can correct what was typed"


def test_an_address_where_no_ftrack_is_and_empty_answers_are_told(attempt: Callable[..., Page]) -> None:
    assert "all needed" in attempt("site", server="", user="", key="").outcome.text()
    page = attempt("site", server="http://127.0.0.1:9", user="server", key="a-key-0123456789")
    assert page.outcome.property("state") == "error"


def test_the_right_answers_are_kept_and_the_site_is_told_to_be_the_embedded_one(
    attempt: Callable[..., Page], assistant: Assistant, site: SandboxProcess, store: SettingsStore
) -> None:
    page = attempt("site", server=site.url, user=site.user, key=site.key)
    assert page.outcome.property("state") == "ok", page.outcome.text()
    assert "embedded demo site" in page.outcome.text()
    assert page.fields["key"].text() == ""
    assert secret("site.api_key") == site.key
    assert assistant.next.text() == "Next"
    assert assistant.list.item(0).text().startswith("✓")
    again = Assistant(store)
    assert again.pages["site"].fields["server"].text() == site.url, "repeatable, with what is there"
    again.reject()


def test_each_step_can_be_skipped_to_the_end(assistant: Assistant, store: SettingsStore) -> None:
    said = []
    for _ in assistant.pages:
        said.append(assistant.next.text())
        assistant.next.click()
    assert said == ["Skip", "Skip", "Skip", "Skip", "Finish"]
    assert not store.path.exists()


def test_a_drive_is_written_to_before_it_is_kept(
    attempt: Callable[..., Page], tmp_path: Path, store: SettingsStore
) -> None:
    assert "no folder" in attempt("drive", prefix="/data/production", folder=str(tmp_path / "nowhere")).outcome.text()
    drive = tmp_path / "drive"
    drive.mkdir()
    page = attempt("drive", prefix="/data/production", folder=str(drive))
    assert page.outcome.property("state") == "ok"
    assert [one.name for one in drive.iterdir()] == [".signalbox-drive"]
    store.reload_if_changed()
    assert str(drive) in store.path.read_text()


def test_a_slack_token_is_kept_after_its_test_message_came_through(
    attempt: Callable[..., Page], slack: SlackServer, store: SettingsStore
) -> None:
    store.set("slack", "base_url", slack.url)
    assert attempt("slack", token="xoxb-not-the-token", channel="#general").outcome.property("state") == "error"
    assert not slack.messages
    page = attempt("slack", token=slack.token, channel="#general")
    assert page.outcome.property("state") == "ok", page.outcome.text()
    assert "test message" in slack.messages[0].text
    assert secret("slack.token") == slack.token


def test_a_people_file_with_a_mistake_is_told_with_its_line(
    attempt: Callable[..., Page], tmp_path: Path, store: SettingsStore
) -> None:
    file = tmp_path / "slack_ftrack_users.json"
    file.write_text('{\n  "anna": ,\n}')
    assert "line 3" in attempt("people", file=str(file)).outcome.text()
    file.write_text('{"anna": "U00000001", "nightjar": "#nightjar"}')
    assert "2 names" in attempt("people", file=str(file)).outcome.text()
    assert str(file) in store.path.read_text()


def test_a_manager_that_does_not_answer_is_not_kept(attempt: Callable[..., Page], store: SettingsStore) -> None:
    page = attempt("farm", manager="http://127.0.0.1:9", scripts="")
    assert page.outcome.property("state") == "error"
    assert not store.path.exists()


def test_a_manager_that_answers_is_kept_with_its_scripts_folder(
    attempt: Callable[..., Page], assistant: Assistant, tmp_path: Path, store: SettingsStore
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("nothing is compiled to say hello")

    manager = ManagerStandIn(never, never).start()
    try:
        page = attempt("farm", manager=manager.url, scripts=str(tmp_path / "nowhere"))
        assert "is no folder" in page.outcome.text()
        assert not store.path.exists()
        scripts = tmp_path / "scripts"
        scripts.mkdir()
        page = attempt("farm", manager=manager.url.removeprefix("http://"), scripts=str(scripts))
    finally:
        manager.stop()
    assert page.outcome.property("state") == "ok", page.outcome.text()
    assert f"answers at {manager.url}" in page.outcome.text()
    store.reload_if_changed()
    farm = store.section("flamenco", FlamencoSettings)
    assert (farm.manager, farm.scripts_folder) == (manager.url, str(scripts))
    assert assistant.next.text() == "Finish"
    again = Assistant(store)
    assert again.pages["farm"].fields["scripts"].text() == str(scripts), "repeatable, with what is there"
    again.reject()


def test_the_settings_lead_to_the_assistant(show_panel: Callable[..., Any], day: Any, qtbot: Any) -> None:
    panel = show_panel(day.folder)
    panel.open_settings().assistant.click()
    (opened,) = panel.findChildren(Assistant)
    assert opened.isVisible()
    opened.reject()


def test_secrets_are_in_no_file_but_their_own_and_in_no_list_of_processes(
    attempt: Callable[..., Page], site: SandboxProcess, slack: SlackServer, store: SettingsStore, home: Path
) -> None:
    store.set("slack", "base_url", slack.url)
    attempt("site", server=site.url, user=site.user, key=site.key)
    attempt("slack", token=slack.token, channel="#general")
    kept = home / "state" / "secrets.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    others = [file for file in home.rglob("*") if file.is_file() and file != kept]
    assert others
    for file in others:
        data = file.read_bytes()
        assert site.key.encode() not in data, file
        assert slack.token.encode() not in data, file
    processes = subprocess.run(["ps", "-eo", "args", "--no-headers"], capture_output=True, text=True, check=True)
    assert site.key not in processes.stdout
    assert slack.token not in processes.stdout
    assert os.environ.get("FTRACK_API_KEY") != site.key
