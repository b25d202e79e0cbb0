"""`signalbox serve` as a service manager sees it: what it needs, what it refuses, how it ends."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from listening import until
from program import Program, run_program_line
from sandbox_process import SandboxProcess
from small_drive import small_drive

from app.journal.journal import Journal
from app.service.install import FINAL_CODES

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def served_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("served") / "site", "ftrack-suite", "--heartbeat", "1") as site:
        yield site


def credentials(site: SandboxProcess, key: str = "") -> dict[str, str]:
    return {"FTRACK_SERVER": site.url, "FTRACK_API_USER": site.user, "FTRACK_API_KEY": key or site.key}


def test_it_runs_with_three_variables_keeps_events_and_ends_cleanly_on_sigterm(
    served_site: SandboxProcess, tmp_path: Path
) -> None:
    with Program("serve", "--json", home=tmp_path, extra=credentials(served_site)) as server:
        ready = server.wait_line()
        assert ready["ready"] is True
        journal = Journal.open(Path(ready["journal"]), "read")
        try:
            assert until(lambda: any(lamp.name == "site" and lamp.state == "ok" for lamp in journal.health()))
            served_site.api(
                {
                    "action": "create",
                    "entity_type": "Project",
                    "entity_key": ["0e0b6b2c-0000-4000-8000-0000000000aa"],
                    "entity_data": {
                        "__entity_type__": "Project",
                        "id": "0e0b6b2c-0000-4000-8000-0000000000aa",
                        "name": "heard_of",
                        "full_name": "Heard of",
                        "project_schema_id": "69cb7f92-4dbf-11e1-9902-f23c91df25eb",
                    },
                }
            )
            assert until(lambda: journal.count_events() >= 1)
            code, facts = run_program_line("status", "--json", home=tmp_path)
            assert (code, facts["running"]) == (0, True)
            assert facts["events"] >= 1
            assert facts["site"] == {"server": served_site.url, "embedded": True}
        finally:
            journal.close()
        assert server.stop(signal.SIGTERM) == 0
        assert "Traceback" not in server.errors
        assert served_site.key not in server.errors
    code, facts = run_program_line("status", "--json", home=tmp_path)
    assert (code, facts["running"]) == (0, False)
    assert {lamp["state"] for lamp in facts["health"]} == {"off"}


def test_a_machine_where_it_never_ran_says_so(tmp_path: Path) -> None:
    code, facts = run_program_line("status", "--json", home=tmp_path)
    assert (code, facts["running"], facts["handlers"]) == (0, False, [])


def test_without_a_site_it_says_what_is_missing(tmp_path: Path) -> None:
    with Program("serve", home=tmp_path) as server:
        assert server.ends() == 78
        assert "FTRACK_SERVER" in server.errors
        assert "Traceback" not in server.errors


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[site\n", "settings.toml is not valid TOML"),
        ('[handlers.create_task_folder]\nshot_fodler = "x"\n', "shot_fodler: is shot_folder meant?"),
    ],
)
def test_a_settings_file_that_cannot_be_used_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "settings.toml").write_text(text)
    with Program("serve", home=tmp_path) as server:
        assert server.ends() == 78
        assert said in server.errors
        assert "Traceback" not in server.errors


def test_a_wrong_key_ends_it_with_its_own_code_and_without_the_key(served_site: SandboxProcess, tmp_path: Path) -> None:
    with Program("serve", home=tmp_path, extra=credentials(served_site, "wrong-key-of-somebody")) as server:
        assert server.ends() == 64
        assert "does not accept the API key" in server.errors
        assert "wrong-key-of-somebody" not in server.errors


def test_a_second_instance_on_the_same_journal_is_refused_and_the_first_goes_on(
    served_site: SandboxProcess, tmp_path: Path
) -> None:
    with Program("serve", "--json", home=tmp_path, extra=credentials(served_site)) as first:
        first.wait_line()
        with Program("serve", home=tmp_path, extra=credentials(served_site)) as second:
            assert second.ends() == 75
            assert "another Signalbox" in second.errors
        assert first.stop() == 0


def test_a_corrupt_journal_is_refused_and_left_as_it_is(served_site: SandboxProcess, tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    Journal.open(folder).close()
    damaged = b"this is no database, whatever its name says" * 400
    (folder / "journal.db").write_bytes(damaged)
    for leftover in folder.glob("journal.db-*"):
        leftover.unlink()
    with Program("serve", home=tmp_path, extra=credentials(served_site)) as server:
        assert server.ends() == 65
        assert "journal.db" in server.errors
        assert "Traceback" not in server.errors
    assert (folder / "journal.db").read_bytes() == damaged


def test_a_full_disk_at_the_start_is_no_damaged_journal_and_worth_another_start(tmp_path: Path) -> None:
    extra = {"FTRACK_SERVER": "http://127.0.0.1:9", "FTRACK_API_USER": "nobody", "FTRACK_API_KEY": "of-nobody"}
    with small_drive(tmp_path / "home", "size=400k") as home:
        (home / "filler").write_bytes(b"x" * 300_000)
        with Program("serve", home=home, extra=extra) as server:
            assert server.ends() == 74
            assert "make room on its disk" in server.errors
            assert "Traceback" not in server.errors
        assert 74 not in FINAL_CODES


def test_told_to_end_while_it_waits_for_an_orphaned_worker_it_ends_at_once(
    served_site: SandboxProcess, tmp_path: Path
) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    journal = Journal.open(tmp_path / "journal")  # we are the worker whose host is gone
    try:
        assert journal.lock is not None
        journal.lock.path.write_text(f"{gone.pid}\n")
        with Program("serve", home=tmp_path, extra=credentials(served_site)) as server:
            assert until(lambda: server.heeds(signal.SIGTERM))
            assert not server.wait_error("started on", 1.0)
            assert server.process.poll() is None, "it waits for the lock"
            assert server.stop(signal.SIGTERM, 20) == 0
            assert server.errors == ""
    finally:
        journal.close()


def test_a_site_that_is_down_at_the_start_is_waited_for(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "site", "ftrack-suite", "--heartbeat", "1") as site:
        site.stop()
        with Program("serve", "--json", home=tmp_path / "home", extra=credentials(site)) as server:
            server.wait_line()
            assert server.wait_error("does not answer")
            site.start(site.port)
            assert server.wait_error(f"connected to {site.url}")
            journal = Journal.open(tmp_path / "home" / "journal", "read")
            try:
                assert until(lambda: journal.fact("site") == {"server": site.url, "embedded": True})
                assert until(lambda: {row.position for row in journal.levers()} == {"on"})
            finally:
                journal.close()
            assert server.stop() == 0


def test_a_host_that_is_killed_takes_its_worker_along_and_the_lock_is_free_again(
    served_site: SandboxProcess, tmp_path: Path
) -> None:
    with Program("serve", "--json", home=tmp_path, extra=credentials(served_site)) as server:
        server.wait_line()
        journal = Journal.open(tmp_path / "journal", "read")
        try:
            assert until(lambda: any(lamp.name == "workers" and lamp.state == "ok" for lamp in journal.health()))
        finally:
            journal.close()
        server.stop(signal.SIGKILL)

    def free() -> bool:
        code, facts = run_program_line("status", "--json", home=tmp_path)
        return code == 0 and facts["running"] is False

    assert until(free)
    with Program("serve", "--json", home=tmp_path, extra=credentials(served_site)) as again:
        again.wait_line()
        assert again.stop() == 0
