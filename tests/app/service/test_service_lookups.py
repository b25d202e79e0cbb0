"""What dialogs and the browser ask is answered from the real site."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_process import SandboxProcess

from app.rules.outcomes import PlanError
from app.service.lookups import LookUps
from app.site.cache import LookUps as Tables
from app.site.door import Site
from app.site.session import Credentials


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LookUps]:
    base = tmp_path_factory.mktemp("lookups")
    with SandboxProcess(base / "site", "studio") as site:
        door = Site(Credentials(site.url, site.user, site.key), Tables(), cache=base / "cache")
        yield LookUps(lambda: door)
        door.close()


def test_the_tree_goes_from_projects_to_versions(asked: LookUps) -> None:
    project = next(one for one in asked.projects() if one.name == "nightjar")
    below = asked.children("Project", project.id)
    assert {"Sequence", "Folder", "ReviewSession"} <= {one.entity_type for one in below}
    sequence = next(one for one in below if one.entity_type == "Sequence")
    shot = asked.children("Sequence", sequence.id)[0]
    assert shot.entity_type == "Shot"
    tasks = asked.children("Shot", shot.id)
    assert all(one.entity_type == "Task" and one.status and one.colour.startswith("#") for one in tasks)
    versions = [version for task in tasks for version in asked.children("Task", task.id)]
    assert all(not version.has_children for version in versions)


def test_tasks_are_found_by_person_and_by_words(asked: LookUps) -> None:
    names = [name for _, name in asked.users()]
    mine = [task for name in names for task in asked.my_tasks(name)]
    assert mine
    found = asked.search_tasks("nightjar 001_0010")
    assert found
    assert all(task.project == "nightjar" and task.path.endswith("001_0010") for task in found)
    assert asked.search_tasks('no" such%task') == []
    assert [task.id for task in asked.tasks([found[1].id, "gone", found[0].id])] == [found[1].id, found[0].id]
    assert asked.slate_fields(found[0].id)[0] == "nightjar"


def test_a_status_set_in_the_browser_is_one_of_those_the_workflow_allows(asked: LookUps) -> None:
    task = asked.search_tasks("nightjar 001_0010")[0]
    choices = asked.statuses_of("Task", task.id)
    wanted = next(one for one in choices if one[1] != task.status)
    asked.set_status("Task", task.id, wanted[0])
    assert asked.tasks([task.id])[0].status == wanted[1]


def test_what_is_below_a_sequence_is_told_with_the_workflows_words(asked: LookUps) -> None:
    project = next(one for one in asked.projects() if one.name == "nightjar")
    sequence = next(one for one in asked.children("Project", project.id) if one.entity_type == "Sequence")
    below = asked.below("Sequence", sequence.id)
    assert below.kind == "sequence"
    assert "Animation" in below.task_types
    assert "Ready for Lighting" in below.statuses
    assert below.existing.shots[sequence.name]
    with pytest.raises(PlanError, match="no longer exists"):
        asked.below("Sequence", "00000000-0000-4000-8000-000000000000")


def test_a_thumbnail_is_fetched_once(asked: LookUps, tmp_path: Path) -> None:
    versions = [
        version
        for task in asked.search_tasks("nightjar 001_0010")
        for version in asked.children("Task", task.id)
        if version.thumbnail
    ]
    path = asked.thumbnail(versions[0].thumbnail, tmp_path)
    assert path.read_bytes()[:2] == b"\xff\xd8" or path.read_bytes()[:4] == b"\x89PNG"
