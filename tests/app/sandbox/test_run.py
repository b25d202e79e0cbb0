"""Starting and ending a site: one line when ready, one folder, one key, no orphan."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import ftrack_api
import pytest
from listening import until
from sandbox_process import SandboxProcess

ROOT = Path(__file__).resolve().parents[3]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "app.sandbox.run", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def new_user(identifier: str, name: str) -> dict[str, object]:
    data = {"__entity_type__": "User", "id": identifier, "username": name}
    return {"action": "create", "entity_type": "User", "entity_key": [identifier], "entity_data": data}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_json_is_exactly_one_line_when_ready_and_a_signal_ends_it_cleanly(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = start("--profile", "cloud", "--json", "--dir", str(tmp_path / "site"))
    assert process.stdout is not None
    facts = json.loads(process.stdout.readline())
    assert set(facts) == {"url", "api_user", "api_key", "pid"}
    assert facts["url"].startswith("http://127.0.0.1:")
    assert facts["pid"] == process.pid
    os.kill(process.pid, number)
    out, told = process.communicate(timeout=20)
    assert (process.returncode, out, told) == (0, "", "")


def test_without_a_folder_everything_goes_when_it_ends() -> None:
    process = start("--profile", "cloud", "--json")
    assert process.stdout is not None
    process.stdout.readline()
    opened = [path.readlink() for path in Path(f"/proc/{process.pid}/fd").iterdir()]
    folders = {path.parent for path in opened if path.parent.name.startswith("signalbox-sandbox-")}
    assert len(folders) == 1
    process.terminate()
    process.communicate(timeout=20)
    assert not folders.pop().exists()


def test_it_listens_on_this_machine_only(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "site", "cloud") as site:
        listening = subprocess.run(["cat", f"/proc/{site.pid}/net/tcp"], capture_output=True, text=True, check=True)
        addresses = {line.split()[1] for line in listening.stdout.splitlines()[1:] if line.split()[3] == "0A"}
        mine = [address for address in addresses if int(address.split(":")[1], 16) == site.port]
        assert mine == [f"0100007F:{site.port:04X}"]


def test_the_key_is_random_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    keys = []
    for name in ("one", "two"):
        with SandboxProcess(tmp_path / name, "cloud") as site:
            keys.append(site.key)
        assert stat.S_IMODE((tmp_path / name / "key").stat().st_mode) == 0o600
    assert keys[0] != keys[1]
    assert min(len(key) for key in keys) >= 32


def test_the_same_folder_is_the_same_site_again(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    with SandboxProcess(folder, "ftrack-suite") as site:
        key = site.key
        site.api(new_user("k", "kept"))
        first = site.events()
        assert site.stop() == 0
        site.start(site.port)
        assert site.key == key
        answer = site.api({"action": "query", "expression": 'select id from User where username is "kept"'})
        assert [row["id"] for row in answer[0]["data"]] == ["k"]
        assert site.events() == first
        assert len(first) == 1


def test_a_killed_site_has_kept_its_commits_and_their_events(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "site", "ftrack-suite") as site:
        for number in range(20):
            site.api(new_user(f"k{number}", f"n{number}"))
        site.stop(kill=True)
        site.start()
        added = [row["event"]["data"]["entities"][0]["entityId"] for row in site.events()]
        assert added == [f"k{number}" for number in range(20)]
        answer = site.api({"action": "query", "expression": 'select id from User where username like "n%"'})
        assert len(answer[0]["data"]) == 20


def test_another_profile_does_not_take_over_a_folder(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "site", "cloud"):
        pass
    process = start("--profile", "ftrack-suite", "--json", "--dir", str(tmp_path / "site"))
    out, told = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, "")
    assert 'holds a "cloud" site' in told


@pytest.mark.parametrize("name", ["site.db", "events.db"])
def test_a_broken_database_is_said_in_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"this is no database" * 1000)
    process = start("--profile", "cloud", "--json", "--dir", str(tmp_path))
    out, told = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, "")
    assert told.startswith(f"The embedded site did not start: the databases in {tmp_path} cannot be read (")
    assert len(told.splitlines()) == 1


def test_two_sites_do_not_share_a_folder(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "site", "cloud"):
        second = start("--profile", "cloud", "--json", "--dir", str(tmp_path / "site"))
        out, told = second.communicate(timeout=20)
    assert (second.returncode, out) == (2, "")
    assert "another site is running in" in told


def test_a_port_that_is_taken_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start("--profile", "cloud", "--json", "--dir", str(tmp_path / "site"), "--port", str(port))
        out, told = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, "")
    assert (
        told == f"The embedded site did not start: port {port} on 127.0.0.1 cannot be used: Address already in use.\n"
    )


def test_a_port_that_is_none_is_said_in_one_sentence(tmp_path: Path) -> None:
    process = start("--profile", "cloud", "--json", "--dir", str(tmp_path / "site"), "--port", "99999")
    out, told = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, "")
    assert told.endswith("port 99999 on 127.0.0.1 cannot be used: a port is a number from 0 to 65535.\n")


def test_it_ends_when_its_parent_is_gone(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    site = start("--profile", "cloud", "--json", "--dir", str(tmp_path / "site"), "--parent-pid", str(parent.pid))
    assert site.stdout is not None
    site.stdout.readline()
    assert site.poll() is None
    parent.kill()  # not waited for: a zombie still has its number
    assert site.wait(10) == 0
    site.communicate()
    parent.communicate()


@pytest.mark.filterwarnings("ignore:unclosed <socket", "ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning")
def test_a_site_that_ends_says_goodbye_so_that_clients_come_back(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "site", "ftrack-suite") as site:
        session = ftrack_api.Session(
            site.url, site.key, site.user, schema_cache_path=str(tmp_path), auto_connect_event_hub=False
        )
        hub = session.event_hub
        hub._auto_reconnect_delay, hub._auto_reconnect_attempts = 0.2, 1_000
        codes: list[str] = []
        original = hub._handle_packet
        hub._handle_packet = lambda code, *rest: (codes.append(code), original(code, *rest))[1]
        hub.connect()
        received: list[object] = []
        hub.subscribe("topic=back", received.append)
        site.stop()
        assert until(lambda: "0" in codes)
        site.start(site.port)
        assert until(lambda: hub.wait(0.1) or hub.connected)
        hub.publish(ftrack_api.event.base.Event("back"))
        assert until(lambda: hub.wait(0.1) or received)
        assert len(received) == 1
        session.close()
        gc.collect()
