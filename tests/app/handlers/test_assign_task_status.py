"""Assign task status: the cases of its list, each by name."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from production import Production

from app.handlers.assign_task_status import AssignTaskStatus

HANDLER = AssignTaskStatus()


def test_the_task_gets_the_versions_status(show: Production) -> None:
    shot = show.shot()
    task = show.task(shot, "Compositing")
    done = show.run(HANDLER, show.set_status("AssetVersion", show.version(shot, task), "Review Changes"))
    assert show.status_of("Task", task) == "Review Changes"
    assert done.plan.effects[0].entity_id is not None


def test_a_version_created_with_a_status_sets_its_task(show: Production) -> None:
    shot = show.shot()
    task = show.task(shot, "Compositing")
    version = show.version(shot, task, status="Pending Internal Review")
    show.run(HANDLER, show.added("AssetVersion", version))
    assert show.status_of("Task", task) == "Pending Internal Review"
    show.set(HANDLER, when_added=False)
    assert "when_added" in show.run(HANDLER, show.added("AssetVersion", version)).reason


def test_a_version_without_a_task_is_skipped(show: Production) -> None:
    done = show.run(HANDLER, show.set_status("AssetVersion", show.version(show.shot()), "Approved"))
    assert done.outcomes == ["skipped"]
    assert "has no task" in done.reason


def test_a_task_in_another_project_follows_its_own_workflow(show: Production) -> None:
    other = show.make(
        "Project",
        name=f"{show.name}_cut",
        full_name="cut",
        project_schema_id=show.named("ProjectSchema", "Editorial"),
    )
    editing = show.make(
        "Task", name="editing", parent_id=other, project_id=other, type_id=show.named("Type", "Editing")
    )
    version = show.version(show.shot(), editing)
    done = show.run(HANDLER, show.set_status("AssetVersion", version, "Ready for Comp"))
    assert done.outcomes == ["skipped"]
    assert "allows no status Ready for Comp" in done.reason
    show.run(HANDLER, show.set_status("AssetVersion", version, "Approved"))
    assert show.status_of("Task", editing) == "Approved"


def test_a_status_overridden_for_the_tasks_type_is_reported_not_forced(show: Production) -> None:
    shot = show.shot()
    roto = show.task(shot, "Rotoscoping")
    before = show.status_of("Task", roto)
    done = show.run(HANDLER, show.set_status("AssetVersion", show.version(shot, roto), "Ready for Comp"))
    assert done.outcomes == ["skipped"]
    assert "Rotoscoping" in done.reason
    assert done.plan.warnings
    assert show.status_of("Task", roto) == before


def test_names_equal_but_for_case_fit(show: Production) -> None:
    show.set(HANDLER, mapping={"pending CLIENT review": "review CHANGES"})
    shot = show.shot()
    task = show.task(shot)
    done = show.run(HANDLER, show.set_status("AssetVersion", show.version(shot, task), "Pending Client Review"))
    assert show.status_of("Task", task) == "Review Changes"
    told = done.plan.effects[0].describe()
    assert told.startswith("set status Review Changes on "), "a status is told by its name, never by its id"


def test_a_missing_mapping_falls_back_to_the_same_name_else_skips(show: Production) -> None:
    show.set(HANDLER, mapping={"Approved": "On Hold"})
    shot = show.shot()
    task = show.task(shot)
    version = show.version(shot, task)
    show.run(HANDLER, show.set_status("AssetVersion", version, "Review Changes"))
    assert show.status_of("Task", task) == "Review Changes"
    show.set(HANDLER, same_name=False)
    done = show.run(HANDLER, show.set_status("AssetVersion", version, "In progress"))
    assert done.outcomes == ["skipped"]
    assert "mapping" in done.reason
    show.run(HANDLER, show.set_status("AssetVersion", version, "Approved"))
    assert show.status_of("Task", task) == "On Hold"


def test_an_older_version_leaves_the_task_alone_where_only_the_latest_counts(show: Production) -> None:
    shot = show.shot()
    task = show.task(shot)
    asset = show.make("Asset", name="comp", context_id=shot, type_id=show.named("AssetType", "Upload"))
    old = show.version(shot, task, asset=asset)
    new = show.version(shot, task, asset=asset)
    show.run(HANDLER, show.set_status("AssetVersion", old, "Review Changes"))
    assert show.status_of("Task", task) == "Review Changes"
    show.set(HANDLER, only_latest=True)
    done = show.run(HANDLER, show.set_status("AssetVersion", old, "Approved"))
    assert done.outcomes == ["skipped"]
    assert "not the newest, v2 is" in done.reason
    show.run(HANDLER, show.set_status("AssetVersion", new, "In progress"))
    assert show.status_of("Task", task) == "In progress"


def test_asset_types_on_the_task_can_be_allowed_and_denied(show: Production) -> None:
    shot = show.shot()
    task = show.task(shot)
    version = show.version(shot, task)  # of type Upload
    change = show.set_status("AssetVersion", version, "Review Changes")
    show.set(HANDLER, asset_types=["Geometry"])
    assert "asset_types" in show.run(HANDLER, change).reason
    show.set(HANDLER, asset_types=[], skip_asset_types=["upload"])
    assert "skip_asset_types" in show.run(HANDLER, change).reason
    show.set(HANDLER, skip_asset_types=[])
    show.run(HANDLER, change)
    assert show.status_of("Task", task) == "Review Changes"


def test_a_task_that_has_the_status_already_is_left_as_it_is(show: Production) -> None:
    shot = show.shot()
    task = show.task(shot)
    change = show.set_status("AssetVersion", show.version(shot, task), "Approved")
    show.run(HANDLER, change)
    again = show.run(HANDLER, change)
    assert again.outcomes == ["already"]
    assert again.plan.effects == ()


def test_a_task_in_a_protected_status_is_not_reopened(show: Production) -> None:
    show.set(HANDLER, protected=["approved"])
    shot = show.shot()
    task = show.task(shot)
    show.set_status("Task", task, "Approved")
    done = show.run(HANDLER, show.set_status("AssetVersion", show.version(shot, task), "Review Changes"))
    assert done.outcomes == ["skipped"]
    assert "protected" in done.reason
    assert show.status_of("Task", task) == "Approved"


def test_a_clients_status_can_stand_for_an_internal_one_or_for_none(show: Production) -> None:
    show.set(HANDLER, mapping={"Pending Client Review": "Pending Internal Review", "Omitted": ""})
    shot = show.shot()
    task = show.task(shot)
    version = show.version(shot, task)
    show.run(HANDLER, show.set_status("AssetVersion", version, "Pending Client Review"))
    assert show.status_of("Task", task) == "Pending Internal Review"
    done = show.run(HANDLER, show.set_status("AssetVersion", version, "Omitted"))
    assert done.outcomes == ["skipped"]
    assert "leaves the task alone" in done.reason


def test_a_change_by_our_own_user_counts_like_any_other(show: Production) -> None:
    shot = show.shot()
    task = show.task(shot)
    change = show.set_status("AssetVersion", show.version(shot, task), "Approved")
    own = dataclasses.replace(change, user_id=show.site.own_user_id(), username=show.user)
    show.run(HANDLER, own)
    assert show.status_of("Task", task) == "Approved"


def test_a_late_approved_never_reverts_a_task(show: Production) -> None:
    shot = show.shot()
    task = show.task(shot)
    version = show.version(shot, task)
    approved = show.set_status("AssetVersion", version, "Approved")
    changes = show.set_status("AssetVersion", version, "Review Changes")
    show.run(HANDLER, changes)
    done = show.run(HANDLER, dataclasses.replace(approved, origin="replay"))
    assert done.outcomes == ["skipped"]
    assert "superseded by Review Changes" in done.reason
    assert show.status_of("Task", task) == "Review Changes"


def test_a_late_status_leaves_alone_what_was_decided_since(show: Production) -> None:
    shot = show.shot()
    task = show.task(shot)
    first, second = show.version(shot, task), show.version(shot, task)
    at = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    approved = show.set_status("AssetVersion", first, "Approved", at=at)
    show.set_status("Task", task, "On Hold", at=at + dt.timedelta(minutes=1))
    done = show.run(HANDLER, approved)
    assert "superseded: the task was set to On Hold" in done.reason
    changes = show.set_status("AssetVersion", second, "Review Changes", at=at + dt.timedelta(minutes=2))
    show.run(HANDLER, changes)
    assert show.status_of("Task", task) == "Review Changes"
    done = show.run(HANDLER, dataclasses.replace(approved, origin="replay"))
    assert "superseded: another version of the task became Review Changes" in done.reason
    assert show.status_of("Task", task) == "Review Changes"


def test_versions_of_a_burst_are_followed_one_after_the_other(show: Production) -> None:
    shot = show.shot()
    task = show.task(shot)
    at = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    first, second = (show.set_status("AssetVersion", show.version(shot, task), "Approved", at=at) for _ in range(2))
    second = show.set_status("AssetVersion", second.entity_id, "Review Changes", at=at + dt.timedelta(seconds=1))
    # What the first one's status did to the task comes after the second one's, and is no decision of anybody.
    show.set_status("Task", task, "Approved", at=at + dt.timedelta(seconds=30))
    assert show.run(HANDLER, second).kinds() == ["update"]
    assert show.status_of("Task", task) == "Review Changes"
    assert "another version of the task became Review Changes" in show.run(HANDLER, first).reason


def test_a_status_that_changes_between_plan_and_commit_is_noticed(show: Production) -> None:
    shot = show.shot()
    task = show.task(shot)
    plan = show.plan(HANDLER, show.set_status("AssetVersion", show.version(shot, task), "Approved"))
    show.set_status("Task", task, "On Hold")
    with pytest.raises(AssertionError, match="expected"):
        show.apply(plan)


def test_a_deleted_status_is_skipped(show: Production) -> None:
    version = show.version(show.shot())
    change = show.change(
        "AssetVersion", version, "update", {"statusid": ("old", "00000000-dead-4000-8000-000000000000")}
    )
    assert "deleted" in show.run(HANDLER, change).reason


def test_a_batch_of_entities_from_several_projects_is_handled_each_by_its_own(show: Production) -> None:
    other = show.new_project(f"{show.name}_two")
    shot = show.shot()
    task = show.task(shot)
    first = show.set_status("AssetVersion", show.version(shot, task), "Approved")
    elsewhere = show.make("Shot", name="s1", parent_id=other, project_id=other)
    second_task = show.make(
        "Task", name="comp", parent_id=elsewhere, project_id=other, type_id=show.named("Type", "Compositing")
    )
    second = show.set_status("AssetVersion", show.version(elsewhere, second_task), "Review Changes")
    show.set(HANDLER, project=f"{show.name}_two", protected=["Not started"])
    before = show.status_of("Task", second_task)
    show.run(HANDLER, first)
    done = show.run(HANDLER, second)
    assert show.status_of("Task", task) == "Approved"
    assert before == "Not started"
    assert done.outcomes == ["skipped"]


def test_an_update_without_the_status_and_one_that_sets_the_same_are_not_wanted(show: Production) -> None:
    version = show.version(show.shot())
    same = show.named("Status", "Approved")
    assert not HANDLER.wants(show.change("AssetVersion", version, "update", {"statusid": (same, same)}))
    assert not HANDLER.wants(show.change("AssetVersion", version, "update", {"comment": ("", "hello")}))
    assert not HANDLER.wants(show.change("AssetVersion", version, "remove", {"statusid": (same, None)}))


def test_one_read_decides(show: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    shot = show.shot()
    change = show.set_status("AssetVersion", show.version(shot, show.task(shot)), "Approved")
    show.plan(HANDLER, change)
    reads: list[str] = []
    rows = show.site.rows
    monkeypatch.setattr(show.site, "rows", lambda expression: reads.append(expression) or rows(expression))
    show.plan(HANDLER, change)
    assert len(reads) == 1


def test_catch_up_finds_missed_status_changes(show: Production) -> None:
    since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=5)
    shot = show.shot()
    change = show.set_status("AssetVersion", show.version(shot, show.task(shot)), "Approved")
    found = [one for one in HANDLER.catch_up(show.context(HANDLER), since) if one.entity_id == change.entity_id]
    assert change.changes["statusid"][1] in {one.changes["statusid"][1] for one in found}
    assert [step.entity_type for step in found[0].parents] == ["AssetVersion", "Asset", "Shot", "Sequence", "Project"]
