"""The event server as an object: what it needs to start, what it survives, what it leaves behind."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from listening import until
from studio import Studio

from app.journal.journal import Journal
from app.journal.log import LogStore
from app.journal.rows import JournalBusy, LogFilter
from app.service.event_server import Installation, Service
from app.settings import secrets
from app.settings.store import SettingsError, SettingsStore


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    with Studio(tmp_path) as made:
        made.move_in(monkeypatch)
        yield made


def installation(studio: Studio) -> Installation:
    return Installation.load()


def lamp(journal: Journal, name: str) -> str:
    return next((one.state for one in journal.health() if one.name == name), "")


def age(journal: Journal, name: str) -> float:
    return next(journal.now() - one.at for one in journal.health() if one.name == name)


def test_it_works_and_leaves_no_thread_process_or_lock_behind(studio: Studio) -> None:
    before = set(threading.enumerate())
    with Service(installation(studio)) as service:
        assert service.listener is not None
        assert service.listener.wait_connected(15)
        studio.create_task("served")
        assert until(studio.task_folder("served").is_dir)
        for name in ("site", "workers", "slack", "drives", "journal"):
            assert until(lambda name=name: lamp(service.journal, name) == "ok"), (name, service.journal.health())
        with service.journal.write() as db:
            db.execute("UPDATE health SET at = at - 170")
        for name in ("site", "workers"):  # nothing happens, and yet both are known to be well
            assert until(lambda name=name: age(service.journal, name) < 100), name
        worker = service.worker_pid
        assert worker is not None
    assert not Path(f"/proc/{worker}").exists()
    assert [one for one in threading.enumerate() if one not in before] == []
    journal = Journal.open(studio.home / "journal")  # the lock is free
    try:
        assert {one.state for one in journal.health()} == {"off"}
    finally:
        journal.close()


def test_a_worker_that_is_killed_while_the_settings_are_broken_goes_on_with_those_before(studio: Studio) -> None:
    with Service(installation(studio)) as service:
        assert service.listener is not None
        assert service.listener.wait_connected(15)
        assert until(lambda: service.worker_pid is not None)
        first = service.worker_pid
        assert first is not None
        settings = studio.home / "settings.toml"
        with settings.open("a") as file:
            file.write("\n[engine\nworkers = 3\n")
        os.kill(first, signal.SIGKILL)
        studio.create_task("after_the_kill")
        assert until(studio.task_folder("after_the_kill").is_dir)
        assert service.worker_pid not in {None, first}


def test_a_worker_without_farm_and_slack_does_not_carry_their_clients() -> None:
    shown = "import sys, app.service.worker; print(sorted({'aiohttp', 'slack_sdk'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_second_one_on_the_same_journal_is_refused(studio: Studio) -> None:
    with Service(installation(studio), worker=False), pytest.raises(JournalBusy, match="another Signalbox"):
        Service(installation(studio), worker=False).start()


def test_settings_that_cannot_be_used_are_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNALBOX_HOME", str(tmp_path))
    for name in ("FTRACK_SERVER", "FTRACK_API_USER", "FTRACK_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingsError, match="lacks the site's address"):
        Service(Installation.load(), worker=False).start()
    (tmp_path / "settings.toml").write_text("[engine]\nworkers = 0\n")
    with pytest.raises(SettingsError, match=r"engine\.workers"):
        Service(Installation.load(), worker=False).start()
    assert not (tmp_path / "journal").exists()


def test_a_kept_key_is_never_sent_to_another_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALBOX_HOME", str(tmp_path))
    for name in ("FTRACK_SERVER", "FTRACK_API_USER", "FTRACK_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    store = SettingsStore(tmp_path / "settings.toml")
    store.set("site", "server", "https://studio.example")
    store.set("site", "api_user", "server")
    secrets.keep("site.api_key", "key-of-the-studio")
    assert Installation.load().credentials().api_key == "key-of-the-studio"
    monkeypatch.setenv("FTRACK_SERVER", "https://elsewhere.example")
    with pytest.raises(SettingsError, match="lacks the API key"):
        Installation.load().credentials()


def test_log_lines_of_host_and_worker_are_in_one_log_without_secrets(studio: Studio) -> None:
    plain = studio.home / "server.log"
    SettingsStore(studio.home / "settings.toml").set("journal", "log_file", str(plain))
    with Service(installation(studio)) as service:
        assert service.listener is not None
        assert service.listener.wait_connected(15)
        logging.getLogger("signalbox.test").warning("the key is %s", studio.site.key)
        studio.create_task("../escape")
        assert until(lambda: any(run.state == "failed" for run in service.journal.runs()))
        folder = service.journal.folder
    lines = LogStore.open(folder, read_only=True)
    try:
        texts = [line.message for line in lines.lines(LogFilter(), limit=5000)]
    finally:
        lines.close()
    assert "the key is •••" in texts
    assert any("../escape" in text for text in texts)
    assert studio.site.key not in "".join(texts) + plain.read_text()
    assert "connected to" in plain.read_text()
