"""One embedded site for all tests of a worker; each test has a project, a drive and a Slack of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from production import Production, workspace
from sandbox_process import SandboxProcess


@pytest.fixture(scope="session")
def production_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("production-site")) as site:
        yield site


@pytest.fixture
def show(production_site: SandboxProcess, tmp_path: Path) -> Iterator[Production]:
    """A production with one empty project of the studio's workflow."""
    with workspace() as slack:
        production = Production(production_site.url, production_site.user, production_site.key, tmp_path, slack)
        yield production
        production.site.close()
