"""What hangs costs nothing but itself: a site that never answers, a drive whose server is away, a thread of our own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from listening import until
from small_drive import remount, small_drive
from studio import Studio

from app.disk import ProductionDrives
from app.journal.journal import Journal
from app.journal.log import LogStore
from app.journal.rows import JournalUnwritable, LogFilter
from app.service import event_server
from app.service.event_server import Installation, Service
from app.service.pulse import Beat, Pulse
from app.service.serving import HUNG, _key_was_checked


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with Studio(tmp_path_factory.mktemp("studio")) as made:
        yield made


@pytest.fixture
def studio(shared: Studio, monkeypatch: pytest.MonkeyPatch) -> Studio:
    shared.renew()
    for name, value in shared.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SIGNALBOX_HOME", str(shared.home))
    return shared


def words_of(journal: Journal, name: str) -> str:
    return next((f"{one.state}: {one.words}" for one in journal.health() if one.name == name), "")


def test_a_site_that_hangs_does_not_keep_a_server_that_is_told_to_end(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_server, "_END_SECONDS", 0.3)
    before = set(threading.enumerate())
    service = Service(Installation.load(), worker=False)
    service.start()
    listener = service.listener
    assert listener is not None
    assert listener.wait_connected(15)
    os.kill(studio.site.pid, signal.SIGSTOP)
    try:
        assert until(lambda: not listener.connected, 15)
        assert until(lambda: listener.silence() > 0.2, 15), "it waits for an answer"
        assert service.stop() is False, "who waits is left behind"
        Journal.open(service.installation.journal).close()  # and nobody holds the journal
    finally:
        os.kill(studio.site.pid, signal.SIGCONT)
    assert until(lambda: not [one for one in threading.enumerate() if one not in before])
    assert listener.stop(), "it ends once the site answers, and lets go of its sockets"


def test_a_server_told_to_end_does_not_wait_for_the_answer_about_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNALBOX_HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("FTRACK_SERVER", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("FTRACK_API_USER", "server")
        monkeypatch.setenv("FTRACK_API_KEY", "key-of-nobody")
        asked: list[float] = []

        def told_to_end(seconds: float) -> bool:
            asked.append(seconds)
            return True

        assert not _key_was_checked(Installation.load(), told_to_end)
        assert len(asked) == 1


def test_a_drive_that_hangs_is_told_of_and_stops_neither_lamps_nor_names(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_server, "_SLOW_DRIVE_SECONDS", 0.2)
    back = threading.Event()
    whole = ProductionDrives.project_root

    def hang(self: ProductionDrives, project: dict[str, str]) -> Path:
        back.wait(60)
        return whole(self, project)

    monkeypatch.setattr(ProductionDrives, "project_root", hang)
    with Service(Installation.load()) as service:
        assert until(lambda: "does not answer since" in words_of(service.journal, "drives"))
        assert until(lambda: words_of(service.journal, "slack").startswith("ok"))
        assert service.hung() == ""
        back.set()
        assert until(lambda: words_of(service.journal, "drives").startswith("ok"))


def test_a_full_disk_keeps_no_server_from_ending_and_no_event_from_the_next(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with small_drive(tmp_path / "disk", "size=4M") as disk:
        service = Service(Installation.load(journal=disk / "journal"), worker=False)
        service.start()
        listener, journal = service.listener, service.journal
        assert listener is not None
        assert listener.wait_connected(15)
        studio.create_task("before")
        assert until(journal.count_events)
        with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(4096)):
                pass
        for number in range(50):  # what the files have as room of their own is used up
            studio.create_task(f"meanwhile_{number}")
        assert until(lambda: "in memory" in caplog.text)
        service.read_settings_again()
        service.stop()
        told = [record for record in caplog.records if record.name == "signalbox.listener"]
        assert all(record.exc_info is None for record in told), "a full disk is no defect"
        waiting = [record.getMessage() for record in told if "in memory" in record.getMessage()]
        assert len(waiting) == len(set(waiting)), "and is told once, not every second"
        (disk / "filler").unlink()
        again = Journal.open(disk / "journal")
        try:
            assert again.count_events()
        finally:
            again.close()


_HANGS = """
import sys, threading
from app.process.signals import ENDS, SignalInbox
from app.service import event_server, serving
event_server._HUNG_SECONDS = 0.5
serving._LOOK_SECONDS = 0.1
event_server.Service._renew_site = lambda self: threading.Event().wait()
with SignalInbox(*ENDS) as signals:
    serving.serve_until_told(None, None, signals, lambda folder: None)
"""


def test_a_server_whose_own_thread_hangs_ends_to_be_started_anew_and_says_where(studio: Studio) -> None:
    done = subprocess.run([sys.executable, "-c", _HANGS], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == HUNG, done.stderr
    assert "housekeeper shows no sign of life" in done.stderr
    lines = LogStore.open(studio.home / "journal", read_only=True)
    try:
        (told,) = [one.message for one in lines.lines(LogFilter(level=50))]
    finally:
        lines.close()
    assert "(site's lamp)" in told
    assert "_carry_out" in told, "with the places where the threads are"
    assert studio.site.key not in told


def test_a_worker_that_lives_but_hangs_loses_its_lamp_and_is_started_anew(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_server, "_SILENT_SECONDS", 2.5)
    monkeypatch.setattr(event_server, "_RENEW_SECONDS", 0.2)
    with Service(Installation.load()) as service:
        assert until(lambda: words_of(service.journal, "workers").startswith("ok"))
        first = service.worker_pid
        assert first is not None
        assert until(lambda: {row.position for row in service.journal.levers()} == {"on"}), "it works"
        os.kill(first, signal.SIGSTOP)
        assert until(lambda: "shows no sign of life" in words_of(service.journal, "workers"))
        assert words_of(service.journal, "workers").startswith("error")
        studio.create_task("while_it_hangs")
        monkeypatch.setattr(event_server, "_LOST_SECONDS", 2.5)
        assert until(lambda: service.worker_pid not in {None, first})
        monkeypatch.setattr(event_server, "_LOST_SECONDS", 600.0)  # the next one may take its time to start
        assert until(studio.task_folder("while_it_hangs").is_dir), "another does its work"


def test_signs_of_life_are_few_and_never_wait() -> None:
    pulse = Pulse()
    try:
        beat = Beat(os.dup(pulse.fd))
        pulse._last -= 100.0
        assert pulse.silence() >= 100.0
        for _ in range(100_000):
            beat()
        assert pulse.silence() < 1.0, "whoever beats is alive"
        assert not os.get_inheritable(beat._fd), "programs that a worker starts do not keep it"
        os.close(beat._fd)
        while True:  # a host that does not listen
            try:
                os.write(pulse.fd, bytes(4096))
            except BlockingIOError:
                break
        Beat(pulse.fd)()
        assert pulse.silence() < 1.0
    finally:
        pulse.close()


def test_a_journal_on_a_full_disk_is_let_go_of_with_what_it_has(tmp_path: Path) -> None:
    with small_drive(tmp_path / "disk", "size=1M") as disk:
        journal = Journal.open(disk / "journal")
        kept = 0
        with suppress(JournalUnwritable):
            while True:
                journal.set_fact(f"fact {kept}", "x" * 4000)
                kept += 1
        journal.close()  # its write-ahead log finds no room in the file
        remount(disk, "size=4M")
        again = Journal.open(disk / "journal")
        try:
            assert kept > 10
            assert again.fact(f"fact {kept - 1}") == "x" * 4000
        finally:
            again.close()
