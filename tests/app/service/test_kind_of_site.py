"""Real or embedded: told also when the site was down at the very first start, before anything is worked on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from listening import until
from studio import Studio
from tunnel import Tunnel

from app.service.event_server import Installation, Service

pytestmark = pytest.mark.slow


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    with Studio(tmp_path) as made:
        made.move_in(monkeypatch)
        yield made


def positions(service: Service) -> set[str]:
    return {row.position for row in service.journal.levers()}


def test_a_real_site_behind_a_tunnel_that_opens_later_begins_in_dry_run(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Tunnel(studio.site.port) as tunnel:
        monkeypatch.setenv("FTRACK_SERVER", tunnel.url)
        with Service(Installation.load()) as service:
            assert service.journal.fact("site") is None
            assert service.worker_pid is None, "nothing is worked on before it is known whose site it is"
            assert until(lambda: ("workers", "warning") in {(one.name, one.state) for one in service.journal.health()})
            tunnel.open()
            assert until(lambda: service.journal.fact("site") == {"server": tunnel.url, "embedded": False})
            assert until(lambda: positions(service) == {"dry", "off"})
            studio.create_task("only_planned")
            assert until(lambda: "planned" in {run.state for run in service.journal.runs()})
            assert not studio.task_folder("only_planned").exists()
