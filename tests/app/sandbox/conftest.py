"""One small site for all tests of the protocol's first half, and real ``ftrack_api`` sessions on it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import ftrack_api
import pytest
from sandbox_process import SandboxProcess


@pytest.fixture(scope="session")
def suite_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """A site with the ``ftrack-suite`` seed, shared: tests use entities of their own and never count all rows."""
    with SandboxProcess(tmp_path_factory.mktemp("suite-site") / "site", "ftrack-suite") as site:
        yield site
        assert "Traceback" not in site.errors, site.errors


@pytest.fixture
def new_session(
    suite_site: SandboxProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., ftrack_api.Session]]:
    """Opens sessions on the shared site; closed at the end."""
    sessions: list[ftrack_api.Session] = []
    cache = tmp_path_factory.getbasetemp() / "suite-schema-cache"
    cache.mkdir(exist_ok=True)

    def open_one(user: str = "", **options: Any) -> ftrack_api.Session:
        session = ftrack_api.Session(
            suite_site.url,
            suite_site.key,
            user or suite_site.user,
            schema_cache_path=str(cache),
            auto_connect_event_hub=False,
            **options,
        )
        sessions.append(session)
        return session

    yield open_one
    for session in sessions:
        session.close()


@pytest.fixture
def session(new_session: Callable[..., ftrack_api.Session]) -> ftrack_api.Session:
    """One session on the shared site."""
    return new_session()


@pytest.fixture
def name() -> str:
    """A name that nothing else on the site has."""
    return f"t{uuid.uuid4().hex}"


@pytest.fixture
def project(session: ftrack_api.Session, name: str) -> Any:
    """A project of the test's own, with the VFX Scheme."""
    made = session.create(
        "Project",
        {"name": name, "full_name": name, "project_schema_id": "69cb7f92-4dbf-11e1-9902-f23c91df25eb"},
    )
    session.commit()
    return made


@pytest.fixture
def shot(session: ftrack_api.Session, project: Any) -> Any:
    """project / sq010 / sq010_0010 with a task ``comp``, an asset ``plate`` and its version 1."""
    sequence = session.create("Sequence", {"name": "sq010", "parent": project})
    made = session.create("Shot", {"name": "sq010_0010", "parent": sequence})
    task = session.create("Task", {"name": "comp", "parent": made})
    asset = session.create("Asset", {"name": "plate", "parent": made, "type": session.query("AssetType").first()})
    session.create("AssetVersion", {"asset": asset, "task": task})
    session.commit()
    return made


@pytest.fixture
def task(session: ftrack_api.Session, shot: Any) -> Any:
    """The shot's task."""
    return session.query(f'Task where parent_id is "{shot["id"]}"').one()


@pytest.fixture
def version(session: ftrack_api.Session, shot: Any) -> Any:
    """The version of the shot's asset."""
    return session.query(f'AssetVersion where asset.parent.id is "{shot["id"]}"').one()
