"""All six handlers at work together: the real engine, the site's own events."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from production import Production
from signal_room import SignalRoom

from app.effects.ftrack import UpdateEntity
from app.engine.protocol import Change, Context, Handler, Plan

LIGHTING = "Ready for Lighting"
PENDING = "Pending Internal Review"


@pytest.fixture
def signals(show: Production, tmp_path: Path) -> Iterator[SignalRoom]:
    made = room(show, tmp_path)
    yield made
    made.close()


def room(show: Production, tmp_path: Path, name: str = "room", workers: int = 4) -> SignalRoom:
    made = SignalRoom(tmp_path / name, show.url, show.user, show.key, show.slack_server, workers)
    made.set("studio", "disk_map", {str(show.drive): str(show.drive)})
    return made


def assign(show: Production, task: str, username: str) -> None:
    person = show.one(f'select id from User where username is "{username}"')["id"]
    show.make("Appointment", type="assignment", context_id=task, resource_id=person)


def test_one_animation_version_set_to_ready_for_lighting_is_one_message_one_status_change_and_no_loop(
    show: Production, signals: SignalRoom
) -> None:
    shot = show.shot()
    animation, lighting = show.task(shot, "Animation"), show.task(shot, "Lighting")
    assign(show, lighting, "hugo.lefevre")
    version = show.version(shot, animation)
    signals.start()
    signals.feed()
    show.set_status("AssetVersion", version, LIGHTING)
    signals.feed()
    assert [message.channel for message in show.messages()] == ["U00000001"]
    assert show.status_of("Task", animation) == LIGHTING
    history = show.site.rows(f'select id from StatusChange where parent_id is "{animation}"')
    assert len(history) == 1
    assert not signals.runs(states=("failed", "retry", "waiting", "in_doubt"))
    # Nobody wrote the version: nothing went back and forth.
    assert len(show.site.rows(f'select id from StatusChange where parent_id is "{version}"')) == 1


def test_a_new_project_with_shots_and_tasks_in_one_go_has_every_folder_and_file_once(
    show: Production, signals: SignalRoom
) -> None:
    signals.start()
    show.name = f"{show.name}_new"
    show.project = show.new_project(show.name)
    kinds = ("Layout", "Animation", "Lighting", "Compositing")
    for number in range(5):
        shot = show.shot(f"001_{number:04d}")
        for kind in kinds:
            show.task(shot, kind)
    model = show.task(show.asset(), "Modeling")
    signals.feed()
    # The project's templates come with the project, perhaps after the first tasks asked for them.
    root = show.root()
    assert (root / "production/io").is_dir()
    for number in range(5):
        for kind in kinds:
            assert (root / f"shots/001/001_{number:04d}/scene/{kind.lower()}").is_dir()
    assert (root / "assets/character/keeper/modeling").is_dir()
    assert show.metadata(model)
    assert not signals.runs(states=("failed", "retry", "waiting"))


def test_redelivery_of_every_event_on_an_empty_journal_plans_no_effect(
    show: Production, signals: SignalRoom, tmp_path: Path
) -> None:
    again = room(show, tmp_path, "again")
    try:
        shot = show.shot()
        signals.start()
        signals.feed()
        animation, lighting = show.task(shot, "Animation"), show.task(shot, "Lighting")
        assign(show, lighting, "hugo.lefevre")
        other = show.shot("001_0020")
        assign(show, show.task(other, "Lighting"), "hugo.lefevre")
        second = show.task(other, "Animation")
        version = show.version(shot, animation, status=PENDING)
        signals.set("slack", "digest_window", 1.0)
        show.set_status("AssetVersion", version, LIGHTING)
        show.set_status("Task", second, LIGHTING)
        show.set_status("Task", lighting, "Cut")
        third = show.shot("001_0030")
        lit = show.task(third, "Lighting")
        show.set_status("Task", lit, "Ready for Comp", at=dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1))
        signals.feed()
        # Who comes to the shot later was not there when its channel was told.
        assign(show, show.task(third, "Compositing"), "hugo.lefevre")
        # A person decides otherwise about a task, later: no event that comes again may take that back.
        show.set_status("Task", animation, "On Hold", at=dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5))
        signals.feed()
        before = (show.tree(), len(show.messages()))
        assert before[1] == 2, "both shots in one message, and the channel"
        again.start()
        again.feed()
        assert [run.state for run in again.runs() if run.state == "done" and run.effects] == []
        assert (show.tree(), len(show.messages())) == before
        assert show.status_of("Task", animation) == "On Hold"
    finally:
        again.close()


def test_dry_run_touches_nothing_and_shows_the_plan(show: Production, signals: SignalRoom) -> None:
    signals.start(**{one.id: "dry" for one in signals.handlers})
    task = show.task(show.shot(), "Layout")
    version = show.version(show.shot("001_0020"), task)
    show.set_status("AssetVersion", version, PENDING)
    signals.feed()
    assert not show.root().exists()
    assert show.metadata(task) == {}
    assert show.status_of("Task", task) == "Not started"
    assert show.site.rows(f'select id from AssetVersionList where project_id is "{show.project}"') == []
    planned = signals.runs("create_task_folder", ("planned",))
    assert len(planned) == 1
    described = [effect.words for effect in signals.room.journal.run(planned[0].id).effects]
    assert any(f"{show.root()}/shots/001/001_0010/scene/layout" in text for text in described)


def test_two_hundred_versions_at_once_from_eight_workers_are_one_list_a_project(
    show: Production, tmp_path: Path
) -> None:
    signals = room(show, tmp_path, workers=8)
    try:
        other = show.new_project(f"{show.name}_two")
        shots = {show.project: show.shot(), other: show.make("Shot", name="x", parent_id=other, project_id=other)}
        versions = {project: show.versions(shot, 100) for project, shot in shots.items()}
        signals.start()
        signals.feed()
        before = dt.datetime.now(dt.UTC)
        new = show.named("Status", PENDING)
        for some in zip(*versions.values(), strict=True):
            show.site.call(
                [
                    {
                        "action": "update",
                        "entity_type": "AssetVersion",
                        "entity_key": [version],
                        "entity_data": {"__entity_type__": "AssetVersion", "status_id": new},
                    }
                    for version in some
                ]
            )
        signals.feed()
        days = {_dailies(moment) for moment in (before, dt.datetime.now(dt.UTC))}
        for project, wanted in versions.items():
            lists = show.site.rows(
                f'select id, name from AssetVersionList where project_id is "{project}" and category.name is "Reviews"'
            )
            assert {row["name"] for row in lists} <= days
            assert len(lists) == len({row["name"] for row in lists})
            items = [
                row["entity_id"]
                for one in lists
                for row in show.site.rows(f'select entity_id from ListObject where list_id is "{one["id"]}"')
            ]
            assert sorted(items) == sorted(wanted)
        assert not signals.runs(states=("failed", "retry", "waiting"))
    finally:
        signals.close()


def _dailies(moment: dt.datetime) -> str:
    local = moment.astimezone(ZoneInfo("Africa/Nairobi"))
    day = local.date() + dt.timedelta(days=1 if local.hour >= 10 else 0)
    return f"Dailies_{day.isoformat()}"


def test_a_version_uploaded_for_review_follows_the_whole_chain(show: Production, signals: SignalRoom) -> None:
    shot = show.shot()
    task = show.task(shot, "Compositing")
    signals.start()
    version = show.version(shot, task, status=PENDING)
    signals.feed()
    assert show.status_of("Task", task) == PENDING
    (made,) = show.site.rows(f'select id from AssetVersionList where project_id is "{show.project}"')
    items = show.site.rows(f'select entity_id from ListObject where list_id is "{made["id"]}"')
    assert [row["entity_id"] for row in items] == [version]
    show.set_status("Task", task, "On Hold")
    signals.feed()
    assert show.one(f'select thumbnail.name from Task where id is "{task}"')["thumbnail"]["name"] == "on_hold"
    show.set_status("Task", task, "In progress")
    signals.feed()
    assert show.one(f'select thumbnail_id from Task where id is "{task}"')["thumbnail_id"] is None
    assert not signals.runs(states=("failed", "retry", "waiting"))


class Contrarian(Handler):
    """Gives a version the other of two statuses whenever its task gets one: the opponent of Assign task status."""

    id = "contrarian"
    title = "Contrarian"
    help = "Always of the other opinion."

    def wants(self, change: Change) -> bool:
        return change.entity_type == "Task" and change.action == "update" and change.becomes("statusid") is not None

    def key(self, change: Change) -> str:
        return f"contrarian:{change.entity_id}"

    def plan(self, changes: Sequence[Change], ctx: Context) -> Plan:
        names = {"Approved": "On Hold", "On Hold": "Approved"}
        status = ctx.site.statuses()[changes[0].becomes("statusid")].name
        (version,) = ctx.site.rows(f'select id from AssetVersion where task_id is "{changes[0].entity_id}"')
        other = ctx.site.status_named(names[status])
        assert other is not None
        return Plan(
            (
                UpdateEntity(
                    slot="other",
                    reason="on principle",
                    entity_id=changes[0].entity_id,
                    entity_type="AssetVersion",
                    id=version["id"],
                    values={"status_id": other.id},
                    label="version",
                ),
            )
        )


def test_two_handlers_that_fight_over_a_status_are_cut_and_it_is_said(show: Production, signals: SignalRoom) -> None:
    shot = show.shot()
    task = show.task(shot)
    version = show.version(shot, task)
    contrarian = Contrarian()
    signals.handlers = [one for one in signals.handlers if one.id == "assign_task_status"] + [contrarian]
    signals.room.models["handlers.contrarian"] = contrarian.settings_model
    signals.start()
    signals.feed()
    show.set_status("AssetVersion", version, "Approved")
    signals.feed(60)
    history = show.site.rows(f'select id from StatusChange where parent_id is "{task}"')
    assert 1 <= len(history) <= 8
    assert signals.new_events() == []
    (cut,) = signals.runs(states=("failed",))
    assert "refused: the change is the end of a chain of 8 effects of handlers" in cut.reason


@pytest.mark.slow
def test_five_hundred_tasks_made_in_one_burst_each_get_their_folder(show: Production, signals: SignalRoom) -> None:
    signals.start()
    shot = show.shot()
    kind = show.named("Type", "Compositing")
    tasks = [str(uuid.uuid4()) for _ in range(500)]
    show.site.call(
        [
            {
                "action": "create",
                "entity_type": "Task",
                "entity_key": [task],
                "entity_data": {
                    "__entity_type__": "Task",
                    "id": task,
                    "name": f"comp{number:03d}",
                    "parent_id": shot,
                    "project_id": show.project,
                    "type_id": kind,
                },
            }
            for number, task in enumerate(tasks)
        ]
    )
    signals.feed()
    scene = show.root() / "shots/001/001_0010/scene"
    assert sorted(path.name for path in scene.iterdir()) == [f"comp{number:03d}" for number in range(500)]
    assert len(signals.runs("create_task_folder", ("done",))) == 500
    assert not signals.runs(states=("failed", "retry", "waiting"))


def test_undo_of_a_task_folder_takes_back_folder_file_and_metadata(show: Production, signals: SignalRoom) -> None:
    show.template("layout.mb", "template")
    signals.start()
    shot = show.shot()
    keep = show.task(shot, "Layout", name="keep")
    signals.feed()
    gone = show.task(shot, "Layout", name="gone")
    signals.feed()
    scene = show.root() / "shots/001/001_0010/scene"
    assert (scene / "gone/001_0010_v01.mb").is_file()
    (run,) = [one for one in signals.runs("create_task_folder", ("done",)) if one.entity_id == gone]
    signals.room.order("undo", run=run.id)
    signals.feed()
    assert not (scene / "gone").exists()
    assert show.metadata(gone) == {}
    assert (scene / "keep/001_0010_v01.mb").is_file()
    assert show.metadata(keep)


def test_undo_leaves_a_file_that_an_artist_has_changed(show: Production, signals: SignalRoom) -> None:
    show.template("layout.mb", "template")
    signals.start()
    task = show.task(show.shot(), "Layout")
    signals.feed()
    file = show.root() / "shots/001/001_0010/scene/layout/001_0010_v01.mb"
    file.write_text("a day of work")
    (run,) = signals.runs("create_task_folder", ("done",))
    signals.room.order("undo", run=run.id)
    signals.feed()
    assert file.read_text() == "a day of work"
    assert show.metadata(task).get("filename") in {None, str(file)}
