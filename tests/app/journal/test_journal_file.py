"""Opening, locking, migrating and refusing: what happens to the file itself."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import apsw
import pytest

from app.journal import schema, store
from app.journal.filesystem import NETWORK_FILE_SYSTEMS, file_system_magic, refuse_network
from app.journal.journal import Journal
from app.journal.lock import JournalLock
from app.journal.rows import JournalBusy, JournalError, JournalReadOnly, RawEvent

_ROOT = Path(__file__).resolve().parents[3]


def event(name: str) -> RawEvent:
    return RawEvent({"id": name, "topic": "ftrack.update", "data": {}}, 1_795_000_000.0)


def test_a_second_instance_on_the_same_journal_is_refused_with_the_process_that_holds_it(tmp_path: Path) -> None:
    first = Journal.open(tmp_path)
    with pytest.raises(JournalBusy, match=rf"another Signalbox \(process {os.getpid()}\)"):
        Journal.open(tmp_path)
    first.close()
    Journal.open(tmp_path).close()


def test_a_server_starts_while_others_ask_whether_one_is_there(tmp_path: Path) -> None:
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            JournalLock.is_held(tmp_path)

    JournalLock.take(tmp_path).release()
    asker = threading.Thread(target=ask)
    asker.start()
    try:
        for _ in range(300):
            JournalLock.take(tmp_path).release()
    finally:
        stop.set()
        asker.join()


def test_the_lock_is_free_only_when_host_and_worker_are_both_gone(tmp_path: Path) -> None:
    host = Journal.open(tmp_path)
    assert host.lock is not None
    code = (
        "import sys; from pathlib import Path; from app.journal.journal import Journal; "
        "j = Journal.open(Path(sys.argv[1]), lock_fd=int(sys.argv[2])); print('up', flush=True); sys.stdin.read()"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), str(host.lock.fd)],
        pass_fds=(host.lock.fd,),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=_ROOT,
    )
    assert worker.stdout is not None
    assert worker.stdin is not None
    assert worker.stdout.readline() == b"up\n"
    host.close()
    with pytest.raises(JournalBusy):
        JournalLock.take(tmp_path)
    worker.stdin.close()
    worker.wait(10)
    worker.stdout.close()
    JournalLock.take(tmp_path).release()


def test_a_descriptor_that_is_not_the_lock_is_refused(tmp_path: Path) -> None:
    Journal.open(tmp_path).close()
    other = tmp_path / "other"
    with other.open("w") as stream, pytest.raises(JournalBusy, match="not the lock"):
        Journal.open(tmp_path, lock_fd=stream.fileno())


def test_a_panel_attached_to_a_running_engine_reads_and_orders(tmp_path: Path) -> None:
    engine = Journal.open(tmp_path)
    panel = Journal.open(tmp_path, "panel")
    engine.append_events([event("a")])
    assert [row.event_id for row in panel.events()] == ["a"]
    number = panel.order("replay", {"event_row": 1}, "td")
    assert engine.open_orders()[0].id == number
    engine.answer(number, {"run": 7})
    assert panel.order_row(number).result == {"run": 7}
    panel.close()
    engine.close()


def test_the_log_of_a_storm_is_begun_anew_as_soon_as_no_reader_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_LONG_LOG", 1 << 16)
    journal = Journal.open(tmp_path)
    log = tmp_path / "journal.db-wal"
    journal.append_events([event(f"first {number}") for number in range(300)])
    window = apsw.Connection(str(tmp_path / "journal.db"), flags=apsw.SQLITE_OPEN_READONLY)
    window.execute("BEGIN").fetchall()
    assert window.execute("SELECT count(*) FROM events").fetchall() == [(300,)]
    journal.append_events([event(f"second {number}") for number in range(300)])
    length = log.stat().st_size
    journal.checkpoint()
    assert journal.log_is_long(), "what a reader looks at was taken away"
    window.execute("COMMIT").fetchall()
    window.close()
    journal.checkpoint()
    assert length > 1 << 16
    assert log.stat().st_size == 0
    assert journal.count_events() == 600
    journal.close()


def test_a_reader_cannot_order_and_is_told_why(tmp_path: Path) -> None:
    engine = Journal.open(tmp_path)
    reader = Journal.open(tmp_path, "read")
    assert reader.read_only
    with pytest.raises(JournalReadOnly, match="reading only"):
        reader.order("replay", {}, "td")
    reader.close()
    engine.close()


def test_data_version_changes_when_another_process_writes(tmp_path: Path) -> None:
    engine, panel = Journal.open(tmp_path), None
    panel = Journal.open(tmp_path, "read")
    before = panel.data_version()
    assert panel.data_version() == before
    engine.append_events([event("a")])
    assert panel.data_version() != before
    panel.close()
    engine.close()


def test_there_is_no_journal_yet_says_what_to_start(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="signalbox serve"):
        Journal.open(tmp_path / "nothing", "panel")


def test_a_journal_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    Journal.open(tmp_path).close()
    connection = apsw.Connection(str(tmp_path / "journal.db"))
    connection.execute(f"PRAGMA user_version={schema.VERSION + 1}").fetchall()
    connection.close()
    for mode in ("engine", "panel", "read"):
        with pytest.raises(JournalError, match="newer Signalbox"):
            Journal.open(tmp_path, mode)  # type: ignore[arg-type]
    JournalLock.take(tmp_path).release()


def test_an_older_journal_is_migrated_after_a_copy_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.open(tmp_path)
    journal.append_events([event("kept")])
    journal.close()
    newer = [*schema.MIGRATIONS, ("ALTER TABLE forms ADD COLUMN page INTEGER NOT NULL DEFAULT 0",)]
    for module in ("app.journal.journal", "app.journal.schema"):
        monkeypatch.setattr(f"{module}.MIGRATIONS", newer)
        monkeypatch.setattr(f"{module}.VERSION", schema.VERSION + 0 if module.endswith("schema") else len(newer))
    with pytest.raises(JournalError, match="start the engine"):
        Journal.open(tmp_path, "read")
    migrated = Journal.open(tmp_path)
    assert migrated.version() == len(newer)
    assert migrated.one("SELECT page FROM forms") is None
    assert [row.event_id for row in migrated.events()] == ["kept"]
    migrated.close()
    (copy,) = tmp_path.glob("journal-version-*.db")
    connection = apsw.Connection(str(copy))
    assert connection.execute("SELECT event_id FROM events").fetchall() == [("kept",)]
    connection.close()


def test_a_corrupt_journal_says_what_to_do(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.append_events([event(str(number)) for number in range(2000)])
    journal.close()
    path = tmp_path / "journal.db"
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 20] = b"\xff" * 4096 * 17
    path.write_bytes(data)
    with pytest.raises(JournalError, match=r"journal\.db cannot be used \([^\n*]+\): stop.*move the file aside"):
        Journal.open(tmp_path)
    JournalLock.take(tmp_path).release()


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_text("hello, I am a text file and not a journal at all" * 100)
    with pytest.raises(JournalError, match="cannot be used"):
        Journal.open(tmp_path)


@pytest.mark.parametrize("magic", sorted(NETWORK_FILE_SYSTEMS))
def test_network_file_systems_are_refused_with_the_alternative_named(tmp_path: Path, magic: int) -> None:
    with pytest.raises(JournalError, match=f"{NETWORK_FILE_SYSTEMS[magic]}.*local disk.*SIGNALBOX_HOME"):
        refuse_network(tmp_path, magic)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="a system with /proc")
def test_the_kind_of_file_system_is_asked_from_the_system(tmp_path: Path) -> None:
    assert file_system_magic(Path("/proc")) == 0x9FA0
    assert file_system_magic(tmp_path) not in (None, 0x9FA0)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs to become another user")
def test_a_user_who_may_not_write_opens_read_only_and_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    engine = Journal.open(folder)
    engine.append_events([event("a")])
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for parent in tmp_path.parents[:3]:
        if parent.owner() == "root" and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o055)
    tmp_path.chmod(0o755)
    code = (
        "import os, sys; from pathlib import Path; from app.journal.journal import Journal; os.setuid(65534); "
        "j = Journal.open(Path(sys.argv[1]), 'panel'); print(j.read_only, len(j.events()), j.why_read_only)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    engine.close()
    assert done.stdout.startswith("True 1 you may not write"), done.stderr[-500:]
