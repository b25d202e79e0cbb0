"""The comparison with the old server: what people do on the drives is nobody's difference."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from listening import until
from studio import Studio

from app.service.event_server import Installation, Service
from app.service.shadow import shadow_report


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    with Studio(tmp_path, {"engine.first_position": "dry"}) as made:
        for name, value in made.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("SIGNALBOX_HOME", str(made.home))
        yield made


def test_only_folders_that_a_rule_could_make_are_the_old_servers(studio: Studio) -> None:
    known = studio.rows(f'select name from Task where parent_id is "{studio.shot["id"]}"')[0]["name"].lower()
    project = studio.drive / studio.project["name"]
    shot = project / "shots" / studio.shot["parent"]["name"] / studio.shot["name"]
    (shot / "scene" / known).mkdir(parents=True)
    with Service(Installation.load()) as service:
        assert service.listener is not None
        assert service.listener.wait_connected(15)
        service.journal.set_fact("shadow_since", time.time())
        kind = studio.named("Type", "Compositing")
        key = studio.project["id"]
        studio.create("Task", name="Stray", parent_id=key, project_id=key, type_id=kind)
        assert until(lambda: {one.state for one in service.journal.runs(handler="create_task_folder")} == {"skipped"})
        with service.journal.write() as db:  # as it is where the project's name was not read yet
            db.execute("UPDATE runs SET project = ''")

        (project / "stray").mkdir()  # the old server's: a task directly below the project
        (project / "shots" / studio.shot["name"] / known).mkdir(parents=True)  # and one in the wrong place
        (project / "from_client" / "monday").mkdir(parents=True)  # production's
        (project / "scratch").mkdir()
        (shot / "scene" / known / "publish" / "v01").mkdir(parents=True)  # an artist's

        report = shadow_report(None, None)
        assert {one.old_server for one in report.differences} == {
            str(project / "stray"),
            str(project / "shots" / studio.shot["name"] / known),
        }
        assert {one.kind for one in report.differences} == {"folder"}
