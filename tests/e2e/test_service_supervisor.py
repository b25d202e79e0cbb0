"""The event server under supervisord, as the studio runs it: the real supervisord with the program file we install."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from listening import until
from studio import Studio
from supervisor.xmlrpc import SupervisorTransport

from app.journal.journal import Journal
from app.journal.rows import JournalBusy
from app.service.install import ServicePlan, render
from app.settings.store import SettingsStore

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_SCRIPTS = Path(sys.executable).parent


class Supervised:
    """supervisord with our program file in a folder of its own. Use as a context manager.

    Attributes:
        log: The plain log, at the place that the settings name.
        journal_folder: The service's journal.
    """

    def __init__(self, folder: Path, studio: Studio) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.log = folder / "log" / "ftrack_event_server.log"
        self.journal_folder = self.state / "journal"
        for one in (self.state, self.log.parent):
            one.mkdir(parents=True)
        self._settings = studio.home / "settings.toml"
        SettingsStore(self._settings).set("journal", "log_file", str(self.log))
        plan = ServicePlan(
            "supervisor",
            user=getpass.getuser(),
            command=_SCRIPTS / "signalbox",
            drives=(studio.drive,),
            settings=self._settings,
            state=self.state,
            log=self.log,
        )
        # The socket's path is short: the system allows 108 characters.
        self._socket = Path(f"/tmp/signalbox-test-{os.getpid()}.sock")
        daemon = f"logfile={folder}/supervisord.log\npidfile={folder}/supervisord.pid\nnodaemon=true\n"
        if os.geteuid() == 0:
            daemon += "user=root\n"
        factory = "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface"
        (folder / "supervisord.conf").write_text(
            f"[supervisord]\n{daemon}[unix_http_server]\nfile={self._socket}\n[rpcinterface:supervisor]\n{factory}\n"
            f"[include]\nfiles={folder}/conf.d/*.conf\n"
        )
        (folder / "conf.d").mkdir()
        (folder / "conf.d" / "signalbox.conf").write_text(render(plan))
        environment = {**os.environ, **studio.environment(), "SIGNALBOX_HOME": str(self.state)}
        self._daemon = subprocess.Popen(
            [_SCRIPTS / "supervisord", "-c", folder / "supervisord.conf"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert until(self._socket.exists), (folder / "supervisord.log").read_text()
        self._transport = SupervisorTransport(serverurl=f"unix://{self._socket}")
        self.control: Any = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=self._transport).supervisor

    def __enter__(self) -> Supervised:
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()
        self._daemon.terminate()
        try:
            self._daemon.wait(60)
        finally:
            if self._daemon.poll() is None:
                self._daemon.kill()
                self._daemon.wait(10)
            self._socket.unlink(missing_ok=True)

    @property
    def info(self) -> dict[str, Any]:
        return dict(self.control.getProcessInfo("signalbox"))

    def running(self) -> bool:
        """Started, with its journal there and the site heard."""
        return self.info["statename"] == "RUNNING" and self.log.is_file() and "connected to" in self.log.read_text()


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    with Studio(tmp_path) as made:
        yield made


def test_the_service_starts_comes_back_after_a_kill_obeys_a_lever_and_stops_clean(
    studio: Studio, tmp_path: Path
) -> None:
    with Supervised(tmp_path / "service", studio) as service:
        assert until(service.running, 60), (service.folder / "state" / "supervisor.log").read_text()
        studio.create_task("before_the_kill")
        assert until(studio.task_folder("before_the_kill").is_dir)
        assert until(lambda: "create_task_folder" in service.log.read_text())

        first = service.info["pid"]
        lines = service.log.read_text().count("connected to")
        os.kill(first, signal.SIGKILL)
        assert until(lambda: service.info["pid"] not in (0, first))
        assert until(lambda: service.log.read_text().count("connected to") > lines, 60), "the same log goes on"
        studio.create_task("after_the_kill")
        assert until(studio.task_folder("after_the_kill").is_dir)

        _a_panel_beside_it_moves_a_lever(service, studio)

        assert service.control.stopProcess("signalbox", True)
        assert service.info["statename"] == "STOPPED"
        assert "stopped" in service.log.read_text()
    journal = Journal.open(service.journal_folder)
    try:
        # What had not begun waits for the next start; what was at work has ended.
        assert not journal.runs(states=("running",))
    finally:
        journal.close()


def _seconds_of_order(panel: Journal, position: str) -> float:
    given = time.monotonic()
    args = {"handler": "create_task_folder", "position": position, "why": "tidy up"}
    order = panel.order("set_lever", args, "anna")
    assert until(lambda: panel.order_row(order).state != "open")
    return time.monotonic() - given


def _a_panel_beside_it_moves_a_lever(service: Supervised, studio: Studio) -> None:
    with pytest.raises(JournalBusy):
        Journal.open(service.journal_folder, "engine")
    panel = Journal.open(service.journal_folder, "panel")
    try:
        took = [_seconds_of_order(panel, "dry") for _ in range(3)]
        assert min(took) < 1.0, "a lever is obeyed within a second"
        (lever,) = [row for row in panel.levers() if (row.handler, row.project) == ("create_task_folder", "")]
        assert (lever.position, lever.who, lever.why) == ("dry", "anna", "tidy up")
        studio.create_task("only_planned")
        assert until(lambda: "planned" in {run.state for run in panel.runs(handler="create_task_folder")})
        assert not studio.task_folder("only_planned").exists()
    finally:
        panel.close()


def test_settings_that_cannot_be_used_end_it_with_their_code_and_no_restart(studio: Studio, tmp_path: Path) -> None:
    (studio.home / "settings.toml").write_text("[engine]\nworkers = 0\n")
    with Supervised(tmp_path / "service", studio) as service:
        assert until(lambda: service.info["statename"] == "EXITED")
        assert service.info["exitstatus"] == 78
        said = (service.state / "supervisor.log").read_text()
        assert "engine.workers" in said
        assert not until(lambda: (service.state / "supervisor.log").read_text() != said, 3), "it was started again"
