"""Secrets are seeded as a studio enters them, everything is used once, and then every place is searched for them."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from listening import until
from program import Program
from studio import Studio

from app.journal.journal import Journal
from app.settings.store import SettingsStore

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    with Studio(tmp_path) as made:
        yield made


def processes() -> str:
    """The command lines of every process, as anybody on the machine sees them."""
    return subprocess.run(["ps", "-eo", "args", "--no-headers"], capture_output=True, text=True, check=True).stdout


def test_key_and_token_are_in_no_file_log_process_list_or_answer_but_where_secrets_are_kept(studio: Studio) -> None:
    said: list[str] = []

    def run(*arguments: str, **environment: str) -> None:
        with Program(*arguments, home=studio.home, extra=environment) as program:
            program.ends()
            said.extend([*program.out, program.errors])

    seeded = {"FTRACK_API_KEY": studio.site.key, "SIGNALBOX_SLACK_TOKEN": studio.slack.token}
    run("connect", "--server", studio.site.url, "--user", studio.site.user, "--slack", "#general", **seeded)
    kept = studio.home / "state" / "secrets.json"
    assert {studio.site.key, studio.slack.token} <= set(json.loads(kept.read_text()).values())
    assert kept.stat().st_mode & 0o777 == 0o600
    store = SettingsStore(studio.home / "settings.toml")
    store.set("journal", "log_file", str(studio.home / "server.log"))
    store.set("journal", "log_level", "DEBUG")

    with Program("serve", "--json", home=studio.home) as server:
        server.wait_line()
        assert server.wait_error("connected to")
        journal = Journal.open(studio.home / "journal", "read")
        studio.create_task("seen")
        assert until(studio.task_folder("seen").is_dir)
        assert until(lambda: any(one.name == "slack" and one.state == "ok" for one in journal.health()))
        # An artist pastes the key where a name belongs: the site keeps it, our log does not.
        studio.create_task(f"../{studio.site.key}")
        assert until(lambda: any(run.state == "failed" for run in journal.runs()))
        listed = processes()
        journal.close()
        run("status", "--json")
        run("doctor", "--json")
        assert server.stop(signal.SIGTERM) == 0
        said.extend([*server.out, server.errors])
    for secret in (studio.site.key, studio.slack.token):
        assert secret not in listed
        assert secret not in "".join(said)
        for file in studio.home.rglob("*"):
            if file.is_file() and file != kept and file.name not in {"journal.db", "journal.db-wal"}:
                assert secret.encode() not in file.read_bytes(), file
    assert studio.slack.token.encode() not in (studio.home / "journal" / "journal.db").read_bytes()
