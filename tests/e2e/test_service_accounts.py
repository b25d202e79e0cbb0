"""The service under an account of its own and under its unit's restrictions: what others may do, and what comes out."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from listening import until
from program import program_environment
from studio import Studio

from app.journal.journal import Journal
from app.service.install import ServicePlan, render
from app.settings.store import SettingsStore

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_ROOT = Path(__file__).resolve().parents[2]
_OPEN = """
import json, sys
from pathlib import Path
from app.journal.journal import Journal
from app.journal.rows import JournalError, JournalReadOnly
from app.service.orders import is_running
folder = Path(sys.argv[1])
facts = {"running": is_running(folder)}
try:
    journal = Journal.open(folder, "panel")
    facts |= {"read_only": journal.read_only, "why": journal.why_read_only, "levers": len(journal.levers())}
    args = {"handler": "create_task_folder", "project": "", "position": "dry", "why": "by another account"}
    facts["order"] = journal.order("set_lever", args, "somebody")
    journal.close()
except JournalReadOnly as refused:
    facts["refused"] = str(refused)
except JournalError as error:
    facts["error"] = str(error)
print(json.dumps(facts))
"""

_LOOK_ON = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from ui.app import make_app
from ui.panel import Panel
app = make_app(sheet=False)
panel = Panel(Path(sys.argv[1]))
QTimer.singleShot(30_000, app.quit)
watch = QTimer()
watch.timeout.connect(lambda: app.quit() if panel.hub.read_only and panel.hub.snapshot.handlers else None)
watch.start(50)
panel.show()
app.exec()
print(panel.notice.text.whole())
panel.quit()
"""


class Accounts:
    """Three accounts: the service's, a member of its group, and a stranger."""

    def __init__(self) -> None:
        mark = f"{os.getpid() % 100_000}"
        self.group, self.service = f"sbxg{mark}", f"sbxs{mark}"
        self.member, self.stranger = f"sbxm{mark}", f"sbxo{mark}"
        subprocess.run(["groupadd", self.group], check=True)
        subprocess.run(["useradd", "-M", "-g", self.group, self.service], check=True)
        subprocess.run(["useradd", "-M", "-G", self.group, self.member], check=True)
        subprocess.run(["useradd", "-M", self.stranger], check=True)

    def remove(self) -> None:
        for user in (self.service, self.member, self.stranger):
            subprocess.run(["userdel", user], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["groupdel", self.group], check=False, stderr=subprocess.DEVNULL)


def as_user(user: str, *command: str | Path) -> list[str]:
    """The command as this account, which also reaches a Python or a checkout in somebody's closed home."""
    account = ["setpriv", f"--reuid={user}", f"--regid={_group_of(user)}", "--init-groups"]
    return [*_within_reach(), *account, *map(str, command)]


def _within_reach() -> list[str]:
    """What starts a command in a view of the disk where only what the program is made of shows of a closed folder."""
    script = ""
    for path in sorted({Path(one).resolve() for one in (sys.base_prefix, sys.prefix, _ROOT)}):
        closed = next((str(folder) for folder in reversed(path.parents) if not folder.stat().st_mode & 0o001), "")
        if closed:
            script += f"aside=$(mktemp -d); mount --bind {path} $aside; "
            if f"tmpfs {closed};" not in script:
                script += f"mount -t tmpfs -o mode=755 tmpfs {closed}; "
            script += f"mkdir -p {path}; mount --move $aside {path}; rmdir $aside; "
    return (
        ["unshare", "--mount", "sh", "-ec", f'mount --make-rprivate /; umask 022; {script}exec "$@"', "sh"]
        if script
        else []
    )


def _group_of(user: str) -> str:
    return subprocess.run(["id", "-gn", user], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def accounts() -> Iterator[Accounts]:
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("useradd") or not shutil.which("setpriv"):
        pytest.skip("accounts can only be made by root, with useradd and setpriv")
    made = Accounts()
    try:
        # Through a shell: setpriv itself still has root's rights when it starts what it is told to.
        order = as_user(made.stranger, "sh", "-c", '"$0" -c "import app.cli"', sys.executable)
        if subprocess.run(order, cwd=_ROOT, check=False, stderr=subprocess.DEVNULL).returncode:
            pytest.skip("other accounts may not use this checkout or its Python")
        yield made
    finally:
        made.remove()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every account can reach."""
    folder = Path(tempfile.mkdtemp(prefix="signalbox-accounts-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_a_member_of_the_group_moves_levers_and_a_stranger_only_looks_on_and_is_told(
    accounts: Accounts, place: Path, tmp_path: Path
) -> None:
    with Studio(tmp_path) as studio:
        state = place / "state"
        state.mkdir()
        shutil.copy(studio.home / "settings.toml", state / "settings.toml")
        SettingsStore(state / "settings.toml").set("journal", "group", accounts.group)
        shutil.chown(state, accounts.service, accounts.group)
        (state / "settings.toml").chmod(0o644)
        environment = {**program_environment(state, **studio.environment()), "HOME": str(state)}
        command = as_user(accounts.service, sys.executable, "-m", "app.cli", "serve", "--json")
        # The umask of the unit and of the program file.
        server = subprocess.Popen(
            ["sh", "-c", 'umask 002; exec "$@"', "sh", *command],
            cwd=_ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert server.stdout is not None
            assert json.loads(server.stdout.readline())["ready"]
            journal = state / "journal"
            assert journal.stat().st_mode & 0o7777 == 0o2770
            assert until(lambda: _levers(journal), 30)

            member = _looked(accounts.member, journal)
            assert member["running"]
            assert member["read_only"] is False
            assert member["order"] > 0

            stranger = _looked(accounts.stranger, journal)
            assert "add you to the group" in stranger["error"]

            for line in (["status"], ["doctor"], ["lever", "create_task_folder", "dry"]):
                told = _told(accounts.stranger, *line, "--journal", journal)
                assert "add you to the group" in told, told
                assert "Traceback" not in told

            # The studio may let everybody look on.
            journal.chmod(0o2775)
            onlooker = _looked(accounts.stranger, journal)
            assert onlooker["running"]
            assert onlooker.get("read_only") is True, onlooker
            assert "this panel only watches" in onlooker["why"]
            assert onlooker["levers"] > 0
            assert "refused" in onlooker
            home = place / "onlooker"
            home.mkdir()
            shutil.chown(home, accounts.stranger)
            window = {"QT_QPA_PLATFORM": "offscreen", "SIGNALBOX_HOME": str(home)}
            assert "Read-only" in _said(accounts.stranger, _LOOK_ON, journal, **window)
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0
            if server.stdout is not None:
                server.stdout.close()


def _levers(folder: Path) -> int:
    journal = Journal.open(folder, "read")
    try:
        return len(journal.levers())
    finally:
        journal.close()


def _looked(user: str, journal: Path) -> dict[str, Any]:
    return dict(json.loads(_said(user, _OPEN, journal)))


def _told(user: str, *arguments: str | Path) -> str:
    """What a command tells an account, wherever it writes it."""
    done = subprocess.run(
        as_user(user, sys.executable, "-m", "app.cli", *arguments),
        cwd=_ROOT,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**program_environment(Path("/nonexistent")), "SIGNALBOX_KEYRING": "off"},
    )
    assert done.returncode > 0, done.stdout
    return done.stdout


def _said(user: str, script: str, journal: Path, **environment: str) -> str:
    """What a script of ours prints, run by an account."""
    done = subprocess.run(
        as_user(user, sys.executable, "-c", script, journal),
        cwd=_ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    return done.stdout


def test_settings_that_an_account_may_not_read_are_not_taken_for_a_new_installation(
    accounts: Accounts, place: Path
) -> None:
    closed = place / "etc"
    closed.mkdir(mode=0o700)
    (closed / "settings.toml").write_text('[site]\nserver = "https://studio.example"\n')
    told = _told(accounts.stranger, "serve", "--settings", closed / "settings.toml")
    assert f"{closed / 'settings.toml'} cannot be read by this account" in told


def test_under_the_units_restrictions_a_task_folder_and_the_log_come_out(tmp_path: Path) -> None:
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"):
        pytest.skip("equal namespaces need root, unshare and setpriv")
    if subprocess.run(["unshare", "--mount", "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("this machine allows no mount namespaces")
    with Studio(tmp_path / "studio") as studio:
        state, log = tmp_path / "state", tmp_path / "log" / "ftrack_event_server.log"
        state.mkdir()
        log.parent.mkdir()
        SettingsStore(studio.home / "settings.toml").set("journal", "log_file", str(log))
        plan = ServicePlan(
            "systemd", drives=(studio.drive,), settings=studio.home / "settings.toml", state=state, log=log
        )
        (listed,) = re.findall(r"^ReadWritePaths=(.*)$", render(plan), re.MULTILINE)
        writable = [path.lstrip("-") for path in listed.split()]
        outside = tmp_path / "outside"
        script = (
            'set -e; mount --make-rprivate /; for p in $1; do mount --bind "$p" "$p"; done; '
            'mount -o remount,ro,bind /; for p in $1; do mount -o remount,rw,bind "$p"; done; '
            'if touch "$2" 2>/dev/null; then echo "the rest can be written" >&2; exit 99; fi; '
            'shift 2; exec setpriv --no-new-privs "$@"'
        )
        serve = [sys.executable, "-B", "-m", "app.cli", "serve", "--json", "--settings", plan.settings]
        serve += ["--journal", state / "journal"]
        server = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script, "sh", " ".join(writable), outside, *serve],
            cwd=_ROOT,
            env={**program_environment(state, **studio.environment()), "HOME": str(state)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            assert line, server.communicate()[1]
            assert until(lambda: log.is_file() and "connected to" in log.read_text(), 30)
            studio.create_task("restricted")
            assert until(studio.task_folder("restricted").is_dir, 30)
            assert until(lambda: "restricted" in log.read_text(), 15)
        finally:
            server.terminate()
            _out, said = server.communicate(timeout=60)
        assert server.returncode == 0, said
        assert not outside.exists()
