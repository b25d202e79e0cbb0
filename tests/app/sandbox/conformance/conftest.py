"""Sites for the conformance of hub, events and files: real processes, real ``ftrack_api`` sessions."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import ftrack_api
import pytest
from sandbox_process import SandboxProcess


@pytest.fixture(scope="module")
def live_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """A studio site for a module, with a heartbeat every second."""
    with SandboxProcess(tmp_path_factory.mktemp("site") / "site", "studio", "--heartbeat", "1") as site:
        yield site
        assert "Traceback" not in site.errors, site.errors


@pytest.fixture
def open_session(
    live_site: SandboxProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., ftrack_api.Session]]:
    """Opens sessions on the site, closed at the end."""
    sessions: list[ftrack_api.Session] = []
    cache = tmp_path_factory.getbasetemp() / "schema-cache"
    cache.mkdir(exist_ok=True)

    def open_one(user: str = "", hub: bool = False) -> ftrack_api.Session:
        session = ftrack_api.Session(
            live_site.url,
            live_site.key,
            user or live_site.user,
            schema_cache_path=str(cache),
            auto_connect_event_hub=False,
        )
        sessions.append(session)
        if hub:
            session.event_hub.connect()
        return session

    yield open_one
    live_site.faults(reset=True)
    for session in sessions:
        session.close()


class Listener:
    """A session whose hub collects what it subscribed to."""

    def __init__(self, session: ftrack_api.Session, expression: str, **metadata: Any) -> None:
        self.session = session
        self.received: list[Any] = []
        self._stop = threading.Event()
        if not session.event_hub.connected:
            session.event_hub.connect()
        session.event_hub.subscribe(expression, self._on_event, subscriber=metadata or None)
        self.synchronise()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def synchronise(self) -> None:
        """Wait until the site has handled everything this hub sent: acknowledgements come in order."""
        hub, acknowledged = self.session.event_hub, threading.Event()
        event = ftrack_api.event.base.Event("signalbox.test.sync")
        hub._publish(event, callback=lambda _answer: acknowledged.set())
        assert acknowledged.wait(5), "the site did not acknowledge"

    def _on_event(self, event: Any) -> None:
        self.received.append(event)

    def _listen(self) -> None:
        while not self._stop.is_set():
            self.session.event_hub.wait(duration=0.05)

    def wait(self, count: int = 1, seconds: float = 30.0) -> list[Any]:
        """At least ``count`` events."""
        return wait_until(lambda: self.received if len(self.received) >= count else None, seconds)

    def quiet(self, seconds: float = 0.4) -> list[Any]:
        """What has come once ``seconds`` have passed: for showing that nothing more comes."""
        self._stop.wait(seconds)
        return self.received

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(5)


def wait_until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """The first truthy answer of ``condition``."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        pause.wait(0.01)
    return answer


@pytest.fixture
def listen(open_session: Callable[..., ftrack_api.Session]) -> Iterator[Callable[..., Listener]]:
    """Starts listeners on sessions of their own."""
    listeners: list[Listener] = []

    def start(expression: str, user: str = "", **metadata: Any) -> Listener:
        listeners.append(Listener(open_session(user), expression, **metadata))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.stop()


@pytest.fixture
def until() -> Callable[..., Any]:
    """:func:`wait_until`, for tests."""
    return wait_until


@pytest.fixture
def stock_client_leaks() -> Iterator[None]:
    """The stock client drops its broken sockets unclosed when it reconnects: let them go here, not in a later test.

    Goes with ``@LEAKS`` (a filter of warnings) on the test.
    """
    yield
    gc.collect()
