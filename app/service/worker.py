"""The worker process: opens the journal under the host's lock, builds its own doors, and runs the engine.

Started by the host (see `app.service`); its stdin is the host's life-line: a byte wakes it, the end stops it.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from app.actions import all_actions
from app.actions.base import Action
from app.actions.reporting import ReportedActions
from app.effects import KINDS
from app.engine.deciding import ActionPlans
from app.engine.executor import RunExecutor
from app.engine.worker import Engine, run_worker
from app.handlers import all_handlers
from app.handlers.plugins import Plugins
from app.journal.journal import Journal
from app.journal.rows import JournalError, RunKind
from app.process.signals import SignalInbox
from app.service.doors import Installation, build_doors
from app.service.jobs import JobRoom
from app.service.logs import Logs
from app.service.pulse import Beat
from app.settings.models import EngineSettings, JournalSettings
from app.settings.store import SettingsError, SettingsStore

log = logging.getLogger("signalbox.worker")

BAD_START = 1


def work(
    journal: Path, settings: Path | None, lock_fd: int, *, log_stream: bool = False, pulse_fd: int | None = None
) -> int:
    """Run the engine until SIGTERM or until the host is gone; returns the exit code.

    Args:
        journal: The journal's folder.
        settings: The settings file; None: the usual one.
        lock_fd: Descriptor of the journal's lock, inherited from the host.
        log_stream: Whether log lines go to stderr too.
        pulse_fd: Where signs of life are given (see `app.service.pulse`), inherited from the host.

    Raises:
        SettingsError, JournalError.
    """
    signals = SignalInbox(signal.SIGTERM)
    stop = threading.Event()
    # Ctrl+C in a terminal reaches host and worker; the host ends this process in its own time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    installation = Installation.load(settings, journal, last_good=True)
    plugins = Plugins(all_handlers(), _plugin_folder(installation))
    _declare(installation, plugins)
    actions = all_actions()
    for action in actions:
        installation.store.declare(f"actions.{action.id}", action.settings_model)
    installation.store.settle()
    wanted = installation.store.section("journal", JournalSettings)
    opened = Journal.open(journal, "engine", lock_fd=lock_fd, group=wanted.group)
    logs = Logs(journal, wanted.log_level, stream=log_stream, group=wanted.group)
    built = build_doors(installation)
    jobs = JobRoom(opened, built.doors)

    def reload() -> None:
        installation.store.reload_if_changed()

    try:
        own = _executors(actions) | {"task": jobs.executor}
        engine = Engine(
            opened,
            built.doors,
            plugins.handlers,
            actions,
            kinds=KINDS,
            executors=own,
            reload=reload,
            sources=plugins.sources,
            errors=plugins.errors,
            alive=Beat(pulse_fd) if pulse_fd is not None else lambda: None,
        )
        watch = threading.Thread(
            target=_watch, args=(installation, plugins, engine, stop), name="settings", daemon=True
        )

        def started() -> None:
            jobs.start()
            watch.start()

        wake = sys.stdin.fileno()
        os.set_blocking(wake, False)
        run_worker(engine, wake, signals, started)
    finally:
        stop.set()
        jobs.stop()
        built.sites.close()
        logs.close()
        opened.close()
        signals.close()
    return 0


def _executors(actions: list[Action]) -> dict[RunKind, RunExecutor]:
    """The kinds of runs besides the engine's own; an action's run is also a Job on ftrack."""
    by_id = {action.id: action for action in actions}
    return {"action": ReportedActions(ActionPlans(by_id), by_id)}


def _plugin_folder(installation: Installation) -> Path | None:
    """The folder of the studio's own handlers, as the settings name it now."""
    named = installation.store.section("engine", EngineSettings).plugins
    return Path(named).expanduser() if named else None


def _declare(installation: Installation, plugins: Plugins) -> None:
    """Make the settings of every handler known."""
    for handler in plugins.handlers:
        installation.store.declare(f"handlers.{handler.id}", handler.settings_model)


def _watch(installation: Installation, plugins: Plugins, engine: Engine, stop: threading.Event) -> None:
    """Settings, written by the panel or by hand, and plug-ins, just saved, take effect within a second."""
    told = ""
    strangers: list[str] = []
    seen = -1
    while not stop.wait(1.0):
        installation.store.reload_if_changed()
        if installation.store.problem and installation.store.problem != told:
            log.error("%s; the settings before it stay in force", installation.store.problem)
        told = installation.store.problem
        try:
            plugins.folder = _plugin_folder(installation)
            if plugins.refresh():
                _declare(installation, plugins)
                engine.set_handlers(plugins.handlers, plugins.sources, plugins.errors)
                seen = -1
            if seen != installation.store.revision:
                seen = installation.store.revision
                strangers = _tell_strangers(installation.store, strangers)
        except (SettingsError, JournalError, OSError):
            log.exception("the plug-ins could not be looked at; those at work go on")


def _tell_strangers(store: SettingsStore, told: list[str]) -> list[str]:
    """Say once which sections nobody reads: a misspelt handler, or a plug-in that is gone."""
    found = store.strangers()
    for section in found:
        if section not in told:
            log.warning("%s: nobody here reads the section %s", store.path, section)
    return found


def main() -> int:
    """The process's command line."""
    parser = argparse.ArgumentParser(prog="python -m app.service.worker")
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--settings", type=Path)
    parser.add_argument("--lock-fd", type=int, required=True)
    parser.add_argument("--log-stream", action="store_true")
    parser.add_argument("--pulse-fd", type=int)
    given = parser.parse_args()
    try:
        return work(given.journal, given.settings, given.lock_fd, log_stream=given.log_stream, pulse_fd=given.pulse_fd)
    except (SettingsError, JournalError) as error:
        sys.stderr.write(f"the worker cannot start: {error}\n")
        return BAD_START


if __name__ == "__main__":
    sys.exit(main())
