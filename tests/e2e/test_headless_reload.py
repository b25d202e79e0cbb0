"""Settings read again while the server runs, and journals of other versions of the program."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from listening import until
from studio import Studio

from app.journal import schema
from app.journal.journal import Journal
from app.journal.rows import JournalError
from app.settings.models import StudioSettings
from app.settings.store import SettingsStore

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    with Studio(tmp_path) as made:
        yield made


def test_a_hang_up_reads_the_settings_again_and_a_spoilt_file_leaves_the_former_in_force(
    studio: Studio, tmp_path: Path
) -> None:
    file = studio.home / "settings.toml"
    with studio.server() as server:
        server.wait_line()
        assert server.wait_error("connected to")
        studio.create_task("before")
        assert until(studio.task_folder("before").is_dir)

        moved = tmp_path / "moved"
        (moved / studio.project["name"]).mkdir(parents=True)
        (moved / ".signalbox-drive").touch()
        store = SettingsStore(file)
        assert store.section("studio", StudioSettings).disk_map == {"/data/production": str(studio.drive)}
        store.set("studio", "disk_map", {"/data/production": str(moved)})
        server.process.send_signal(signal.SIGHUP)
        inside = studio.task_folder("after").relative_to(studio.drive)
        studio.create_task("after")
        assert until((moved / inside).is_dir)

        file.write_text(f"{file.read_text()}\n[studio\n")
        server.process.send_signal(signal.SIGHUP)
        assert server.wait_error("is not valid TOML")
        studio.create_task("still")
        assert until((moved / inside.with_name("still")).is_dir)
        assert server.stop() == 0
        assert "Traceback" not in server.errors


def test_a_journal_of_a_newer_program_is_refused_politely_and_untouched(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    Journal.open(folder).close()
    connection = apsw.Connection(str(folder / "journal.db"))
    connection.execute(f"PRAGMA user_version={schema.VERSION + 1}").fetchall()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    before = (folder / "journal.db").read_bytes()
    with pytest.raises(JournalError, match="newer Signalbox"):
        Journal.open(folder)
    assert (folder / "journal.db").read_bytes() == before


def test_a_journal_of_the_first_version_is_opened_with_everything_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    old = apsw.Connection(str(folder / "journal.db"))
    for statement in schema.MIGRATIONS[0]:
        old.execute(statement)
    old.execute("INSERT INTO facts(name, value) VALUES('heard', '1795000000.0')")
    old.execute("PRAGMA user_version=1").fetchall()
    old.close()
    journal = Journal.open(folder)
    try:
        assert journal.version() == schema.VERSION > 1
        assert journal.last_heard() == 1_795_000_000.0
    finally:
        journal.close()
    assert list(folder.glob("journal-version-1*.db")), "a copy of the old form is kept"
