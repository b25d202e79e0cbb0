"""One embedded site for the tests of this room, listeners with short time-outs, and a real journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from listening import QUICK
from sandbox_process import SandboxProcess

from app.journal.journal import Journal
from app.site.cache import LookUps
from app.site.door import Site
from app.site.listener import Listener
from app.site.types import Credentials


@pytest.fixture(scope="module")
def site_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """A studio site whose hub beats twice a second."""
    with SandboxProcess(tmp_path_factory.mktemp("site") / "site", "studio", "--heartbeat", "0.4") as site:
        yield site


@pytest.fixture
def calm_site(site_process: SandboxProcess) -> SandboxProcess:
    """The same, with no fault in force."""
    site_process.faults(reset=True)
    return site_process


@pytest.fixture
def credentials(calm_site: SandboxProcess) -> Credentials:
    """The event server's user."""
    return Credentials(calm_site.url, calm_site.user, calm_site.key)


@pytest.fixture
def door(credentials: Credentials, tmp_path: Path) -> Iterator[Site]:
    """A door to the site."""
    opened = Site(credentials, LookUps(), cache=tmp_path / "cache")
    yield opened
    opened.close()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A new journal."""
    opened = Journal.open(tmp_path / "journal")
    yield opened
    opened.close()


@pytest.fixture
def listener(credentials: Credentials, journal: Journal) -> Iterator[Listener]:
    """A listener that is connected."""
    started = Listener(credentials, QUICK, journal)
    started.start()
    assert started.wait_connected(10)
    yield started
    assert started.stop()
