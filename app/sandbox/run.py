"""Start an embedded site and keep it up until it is told to end: ``signalbox sandbox``.

The site listens on 127.0.0.1 only. Its folder holds everything: ``site.db``, ``events.db``, ``files/``, and ``key``, a
random API key that only this user can read. The same folder started again is the same site, with the same key.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw
from aiohttp import web

from app.sandbox.contract import Commit
from app.sandbox.event_log import EventLog
from app.sandbox.events import update_event
from app.sandbox.faults import Faults
from app.sandbox.files import Files, FileStore
from app.sandbox.hub import HEARTBEAT_SECONDS, EventHub
from app.sandbox.private import Counters, EventPages
from app.sandbox.profiles import PROFILES, Profile, owner, seed
from app.sandbox.server import Server
from app.sandbox.transcode import Transcoder

log = logging.getLogger("signalbox.sandbox")

DEFAULT_PROFILE = "studio"

_WATCH_SECONDS = 0.25


class CannotStart(RuntimeError):
    """The site cannot start; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class SiteOptions:
    """How to start a site.

    Attributes:
        profile: What a fresh site holds: ``studio``, ``cloud`` or ``ftrack-suite``.
        directory: The site's folder; None: a temporary one that goes with the site.
        port: TCP port; 0: any free one.
        latency: Seconds each answer takes at least.
        component_floor: Seconds each answer of ``/component/*`` takes at least.
        heartbeat_seconds: Time between heartbeats of the event hub.
        parent_pid: End when this process is gone.
    """

    profile: str = DEFAULT_PROFILE
    directory: Path | None = None
    port: int = 0
    latency: float = 0.0
    component_floor: float = 0.0
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    parent_pid: int | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A site that is up.

    Attributes:
        url: Where.
        api_user: A user of the site.
        api_key: A key that is good for every user of the site.
        server: The site itself.
        hub: Its event hub.
    """

    url: str
    api_user: str
    api_key: str
    server: Server
    hub: EventHub


@contextlib.asynccontextmanager
async def running_site(options: SiteOptions) -> AsyncIterator[Running]:
    """A site that is up for as long as the block lasts.

    Raises:
        CannotStart: The profile is unknown, the folder holds another one, or the port is taken.
    """
    profile = PROFILES.get(options.profile)
    if profile is None:
        raise CannotStart(f'unknown profile "{options.profile}"; choose one of {", ".join(PROFILES)}')
    with contextlib.ExitStack() as stack:
        directory = options.directory or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="signalbox-sandbox-"))
        )
        key = _prepare(directory, profile)
        stack.enter_context(_alone(directory))
        listening = stack.enter_context(_listen(options.port))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server, events = _open(directory, key)
        stack.callback(server.store.close)
        stack.callback(events.close)
        server.url = url
        files = FileStore(directory / "files")
        await asyncio.to_thread(_seed_once, server, profile, files)
        hub = _assemble(server, events, files, options, profile)
        runner = web.AppRunner(server.app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.SockSite(runner, listening).start()
            yield Running(url, profile.api_user, key, server, hub)
        finally:
            await runner.cleanup()


def _open(directory: Path, key: str) -> tuple[Server, EventLog]:
    try:
        return Server(directory, key=key), EventLog(directory / "events.db")
    except apsw.Error as error:
        raise CannotStart(f"the databases in {directory} cannot be read ({error}); choose another folder") from error


def _assemble(server: Server, events: EventLog, files: FileStore, options: SiteOptions, profile: Profile) -> EventHub:
    """Give the core everything that listens to it or adds to it."""
    Counters(server)
    faults = Faults(server, options.latency, max(options.component_floor, profile.component_floor))
    hub = EventHub(server, events, faults, options.heartbeat_seconds)
    faults.attach(hub)
    EventPages(server, events, hub)
    Files(server, files)
    Transcoder(server, files)

    def tell(commit: Commit) -> None:
        event = update_event(server, commit)
        if event is not None:
            hub.publish(event)

    server.on_commit(tell)
    return hub


def _prepare(directory: Path, profile: Profile) -> str:
    """The site's key, from its folder, which is made when absent."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = directory / "profile"
        if held.exists() and held.read_text() != profile.name:
            raise CannotStart(
                f'{directory} holds a "{held.read_text()}" site; choose another folder for a "{profile.name}" one'
            )
        held.write_text(profile.name)
        kept = directory / "key"
        if not kept.exists():
            with open(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
                file.write(secrets.token_urlsafe(24))
        return kept.read_text()
    except OSError as error:
        raise CannotStart(
            f"the site's folder {directory} cannot be used ({error.strerror}): name another one"
        ) from error


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Keep a second site out of the folder for as long as the block lasts."""
    with (directory / "lock").open("w") as lock:
        if os.name == "posix":
            import fcntl

            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise CannotStart(f"another site is running in {directory}; end it or choose another folder") from error
        yield


@contextlib.contextmanager
def _listen(port: int) -> Iterator[socket.socket]:
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            words = error.strerror if isinstance(error, OSError) else "a port is a number from 0 to 65535"
            raise CannotStart(f"port {port} on 127.0.0.1 cannot be used: {words}") from error
        yield listening
    finally:
        listening.close()


def _seed_once(server: Server, profile: Profile, files: FileStore) -> None:
    if not server.reader.select('SELECT 1 FROM "Resource" LIMIT 1'):
        server.run_offline(owner(profile), lambda batch: seed(profile, batch, files))


def run_sandbox(
    profile: str = DEFAULT_PROFILE,
    directory: Path | None = None,
    port: int = 0,
    *,
    as_json: bool = False,
    latency: float = 0.0,
    component_floor: float = 0.0,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
    parent_pid: int | None = None,
) -> int:
    """Run a site until SIGTERM, SIGINT or the end of ``parent_pid``; returns the exit code.

    Args:
        profile: What a fresh site holds.
        directory: The site's folder; None: a temporary one that goes with the site.
        port: TCP port; 0: any free one.
        as_json: When ready, write one line ``{"url", "api_user", "api_key", "pid"}`` instead of words.
        latency: Seconds each answer takes at least.
        component_floor: Seconds each answer of ``/component/*`` takes at least.
        heartbeat_seconds: Time between heartbeats of the event hub.
        parent_pid: End when this process is gone.
    """
    options = SiteOptions(profile, directory, port, latency, component_floor, heartbeat_seconds, parent_pid)
    try:
        asyncio.run(_run(options, as_json))
    except CannotStart as error:
        sys.stderr.write(f"The embedded site did not start: {error}.\n")
        return 2
    return 0


async def _run(options: SiteOptions, as_json: bool) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with running_site(options) as site:
        _announce(site, as_json)
        if options.parent_pid is None:
            await ended.wait()
        else:
            await _wait_or_orphaned(ended, options.parent_pid)


def _announce(site: Running, as_json: bool) -> None:
    if as_json:
        facts = {"url": site.url, "api_user": site.api_user, "api_key": site.api_key, "pid": os.getpid()}
        sys.stdout.write(json.dumps(facts) + "\n")
    else:
        sys.stdout.write(
            f"An ftrack-compatible site is up.\n"
            f"  FTRACK_SERVER={site.url}\n  FTRACK_API_USER={site.api_user}\n  FTRACK_API_KEY={site.api_key}\n"
            "Ctrl+C ends it.\n"
        )
    sys.stdout.flush()


async def _wait_or_orphaned(ended: asyncio.Event, parent: int) -> None:
    while not ended.is_set() and _is_alive(parent):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), _WATCH_SECONDS)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # A zombie still has its number: it is gone all the same.
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True
    return state != "Z"


def main(arguments: list[str] | None = None) -> int:
    """The command line of the site by itself."""
    parser = argparse.ArgumentParser(prog="python -m app.sandbox.run", description="An ftrack-compatible site.")
    parser.add_argument("--profile", default=DEFAULT_PROFILE, choices=sorted(PROFILES))
    parser.add_argument("--dir", type=Path, help="the site's folder; a temporary one without it")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one line of JSON when ready")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds each answer takes at least")
    parser.add_argument("--component-floor", type=float, default=0.0, help="the same for /component/*")
    parser.add_argument("--heartbeat", type=float, default=HEARTBEAT_SECONDS, help="seconds between heartbeats")
    parser.add_argument("--parent-pid", type=int, help="end when this process is gone")
    given = parser.parse_args(arguments)
    return run_sandbox(
        given.profile,
        given.dir,
        given.port,
        as_json=given.json,
        latency=given.latency,
        component_floor=given.component_floor,
        heartbeat_seconds=given.heartbeat,
        parent_pid=given.parent_pid,
    )


if __name__ == "__main__":
    sys.exit(main())
