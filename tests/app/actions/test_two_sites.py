"""Reviews between the studio's site and the clients': older mirrors, renamed sessions, new media, several at once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from action_room import ActionRoom
from sandbox_process import SandboxProcess

from app.actions.registry import ActionRegistry
from app.site.operations import operation


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SandboxProcess, SandboxProcess]]:
    base = tmp_path_factory.mktemp("sites")
    with (
        SandboxProcess(base / "site", "studio", "--heartbeat", "5") as site,
        SandboxProcess(base / "cloud", "cloud", "--heartbeat", "5") as cloud,
    ):
        yield site, cloud


class Desk:
    """Production's machine, and whoever works on either site."""

    def __init__(self, folder: Path, site: SandboxProcess, cloud: SandboxProcess) -> None:
        self.room = ActionRoom(folder, site, cloud=cloud)
        versions = self.local(
            "select id, version, asset_id, asset.parent.project.id, asset.parent.project.name, task_id "
            'from AssetVersion where components any (name is "ftrackreview-mp4") and task_id is_not none limit 3'
        )
        self.versions = versions
        self.project = versions[0]["asset"]["parent"]["project"]

    def local(self, expression: str) -> list[dict[str, Any]]:
        return self.room.all(expression)

    def remote(self, expression: str) -> list[dict[str, Any]]:
        self.room.site("cloud").fresh()
        return [dict(row) for row in self.room.site("cloud").rows(expression)]

    def make(self, where: str, entity_type: str, **values: Any) -> str:
        key = str(uuid.uuid4())
        data = {"__entity_type__": entity_type, "id": key, **values}
        operation = {"action": "create", "entity_type": entity_type, "entity_key": [key], "entity_data": data}
        self.room.site(where).call([operation])
        return key

    def mark(self, where: str, entity_type: str, key: str, name: str, value: str) -> None:
        data = {
            "__entity_type__": "Metadata",
            "parent_id": key,
            "parent_type": entity_type,
            "key": name,
            "value": value,
        }
        operation = {"action": "create", "entity_type": "Metadata", "entity_key": [key, name], "entity_data": data}
        self.room.site(where).call([operation])

    def session(self, name: str, *versions: dict[str, Any]) -> str:
        key = self.make("", "ReviewSession", name=name, description="", project_id=self.project["id"])
        for place, version in enumerate(versions):
            shown = {"name": f"object {place}", "version": f"Version {version['version']}", "description": ""}
            values = {**shown, "version_id": version["id"], "review_session_id": key, "sort_order": place}
            self.make("", "ReviewSessionObject", **values)
        return key

    def sync(self, action: str, *sessions: str, dry: bool = False) -> Any:
        return self.room.launch(action, *(("ReviewSession", key) for key in sessions), dry=dry)

    def shown(self, name: str) -> list[dict[str, Any]]:
        return self.remote(
            "select id, name, version_id, asset_version.metadata, asset_version.components.name, "
            f'asset_version.components.id from ReviewSessionObject where review_session.name is "{name}" '
            "order by sort_order"
        )


@pytest.fixture
def desk(sites: tuple[SandboxProcess, SandboxProcess], tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "room", *sites)
    yield made
    made.room.close()


def older_mirror(desk: Desk, name: str, version: dict[str, Any]) -> str:
    """What the studio's older tool left on the cloud site: names, and the asset's id in the version's metadata."""
    schema = desk.remote("select id from ProjectSchema limit 1")[0]["id"]
    found = desk.remote(f'select id from Project where name is "{desk.project["name"]}"')
    values = {"name": desk.project["name"], "full_name": "Show", "project_schema_id": schema}
    project = found[0]["id"] if found else desk.make("cloud", "Project", **values)
    folder = desk.make("cloud", "Folder", name=name, parent_id=project)
    shot = desk.make("cloud", "Shot", name=f"object 0_v{version['version']:03d}", parent_id=folder)
    kind = desk.remote('select id from AssetType where name is "Upload"')[0]["id"]
    asset = desk.make("cloud", "Asset", name="Client Review", context_id=shot, type_id=kind)
    mirrored = desk.make("cloud", "AssetVersion", asset_id=asset)
    desk.mark("cloud", "AssetVersion", mirrored, "source_asset_id", version["asset_id"])
    path = desk.room.folder / "old.mp4"
    path.write_bytes(b"older media")
    desk.room.site("cloud").upload(
        path, name="ftrackreview-mp4", version_id=mirrored, location="ftrack.server", component_id=str(uuid.uuid4())
    )
    session = desk.make("cloud", "ReviewSession", name=name, description="", project_id=project)
    shown = {"name": "object 0", "version": f"Version {version['version']}", "description": "", "sort_order": 0}
    return desk.make("cloud", "ReviewSessionObject", **shown, version_id=mirrored, review_session_id=session)


def test_a_session_that_an_older_tool_mirrored_is_taken_over_and_not_doubled(desk: Desk) -> None:
    name = f"Old {uuid.uuid4().hex[:6]}"
    old = older_mirror(desk, name, desk.versions[0])
    desk.make("cloud", "Note", content="from before", parent_id=old, parent_type="ReviewSessionObject",
              user_id=desk.room.site("cloud").own_user_id())  # fmt: skip
    session = desk.session(name, desk.versions[0], desk.versions[1])
    assert desk.sync("feedback_sync", session).state == "done", "feedback needs no new sync"
    notes = desk.local(f'select content from Note where parent_id is "{desk.versions[0]["id"]}"')
    assert [row["content"].partition(": ")[2] for row in notes if "from before" in row["content"]] == ["from before"]
    assert desk.sync("review_sync", session).state == "done"
    rows = desk.shown(name)
    assert [row["id"] == old for row in rows] == [True, False]
    assert [len(row["asset_version"]["components"]) for row in rows] == [1, 1], "media that is there is not sent again"
    assert len(desk.remote(f'select id from Folder where name is "{name}"')) == 1
    assert desk.sync("review_sync", session).effects == 0
    assert desk.sync("feedback_sync", session).effects == 0


def test_a_renamed_session_keeps_its_mirror_and_a_new_file_takes_the_place_of_the_old(desk: Desk) -> None:
    name = f"Take {uuid.uuid4().hex[:6]}"
    session = desk.session(name, desk.versions[0])
    assert desk.sync("review_sync", session).state == "done"
    (before,) = desk.shown(name)
    desk.room.write("update", "ReviewSession", session, name=f"{name} B")
    part = desk.local(
        f'select id from Component where version_id is "{desk.versions[0]["id"]}" and name is "ftrackreview-mp4"'
    )[0]
    desk.room.write("update", "FileComponent", part["id"], size=12345)
    assert desk.sync("review_sync", session).state == "done"
    assert desk.shown(name) == []
    (after,) = desk.shown(f"{name} B")
    assert (after["id"], after["version_id"]) == (before["id"], before["version_id"])
    names = sorted(part["name"] for part in after["asset_version"]["components"])
    assert names == ["ftrackreview-mp4", "ftrackreview-mp4 (replaced)"]
    assert desk.sync("review_sync", session).effects == 0


def test_the_dry_run_lists_what_would_be_made_and_touches_neither_site(desk: Desk) -> None:
    name = f"Dry {uuid.uuid4().hex[:6]}"
    session = desk.session(name, *desk.versions[:2])
    run = desk.sync("review_sync", session, dry=True)
    assert run.state == "planned"
    words = [effect.words for effect in desk.room.effects(run.id)]
    assert f"make ReviewSession {name} on the cloud site" in words
    assert sum(each.startswith("copy media of") for each in words) == 2
    assert desk.shown(name) == []
    assert desk.local(f'select id from Job where data like "%{name}%"') == []


def test_two_sessions_of_one_version_at_once_make_two_mirrors_and_settle(desk: Desk) -> None:
    first, second = f"A {uuid.uuid4().hex[:6]}", f"B {uuid.uuid4().hex[:6]}"
    sessions = [desk.session(name, desk.versions[2]) for name in (first, second)]
    assert desk.sync("review_sync", *sessions).state == "done"
    assert [len(desk.shown(name)) for name in (first, second)] == [1, 1]
    for session in sessions:
        assert desk.sync("review_sync", session).effects == 0, "neither takes the link from the other"


def test_a_sync_is_refused_before_any_work_when_the_cloud_site_takes_no_key(
    sites: tuple[SandboxProcess, SandboxProcess], tmp_path: Path
) -> None:
    site, cloud = sites
    key, cloud.key = cloud.key, "a-wrong-key"
    try:
        desk = Desk(tmp_path / "room", site, cloud)
        try:
            run = desk.sync("review_sync", desk.session("Locked", desk.versions[0]))
        finally:
            desk.room.close()
    finally:
        cloud.key = key
    assert run.state == "failed"
    assert "key" in run.reason
    assert "a-wrong-key" not in run.reason
    assert run.effects == 0


def test_two_sessions_of_one_name_keep_apart(desk: Desk) -> None:
    name = f"Weekly {uuid.uuid4().hex[:6]}"
    sessions = [desk.session(name, version) for version in desk.versions[:2]]
    for session in sessions:
        assert desk.sync("review_sync", session).state == "done"
    mirrors = desk.remote(f'select id, review_session_objects.version_id from ReviewSession where name is "{name}"')
    assert [len(row["review_session_objects"]) for row in mirrors] == [1, 1]
    folders = desk.remote(f'select name from Folder where name like "{name}%"')
    assert sorted(row["name"] for row in folders) == [name, f"{name}_2"]
    for session in sessions:
        assert desk.sync("review_sync", session).effects == 0
        assert desk.sync("feedback_sync", session).effects == 0


def statuses(desk: Desk, version: dict[str, Any]) -> tuple[str, str]:
    """Of the version and of its task."""
    (row,) = desk.local(f'select status.name, task.status.name from AssetVersion where id is "{version["id"]}"')
    return str(row["status"]["name"]), str(row["task"]["status"]["name"])


def test_a_vote_counts_once_and_what_the_studio_decides_later_stays_until_the_next_vote(desk: Desk) -> None:
    name, version = f"Votes {uuid.uuid4().hex[:6]}", desk.versions[1]
    session = desk.session(name, version)
    desk.sync("review_sync", session)
    (shown,) = desk.shown(name)
    client = desk.room.site("cloud").own_user_id()
    given = {"review_session_object_id": shown["id"], "resource_id": client}
    desk.make("cloud", "ReviewSessionObjectStatus", **given, status="approved", created_at="2026-11-20T10:00:00")
    assert desk.sync("feedback_sync", session).state == "done"
    assert statuses(desk, version) == ("Approved", "Approved")

    again = desk.local('select id from Status where name is "Review Changes"')[0]["id"]
    desk.room.write("update", "AssetVersion", version["id"], status_id=again)
    desk.room.write("update", "Task", version["task_id"], status_id=again)
    assert desk.sync("feedback_sync", session).effects == 0, "the client said nothing new"
    assert statuses(desk, version) == ("Review Changes", "Review Changes")

    desk.make("cloud", "ReviewSessionObjectStatus", **given, status="approved", created_at="2026-11-21T10:00:00")
    vote = desk.sync("feedback_sync", session)
    assert statuses(desk, version) == ("Approved", "Approved")
    desk.room.undo(vote.id)
    assert statuses(desk, version) == ("Review Changes", "Review Changes")
    assert desk.sync("feedback_sync", session).state == "done"
    assert statuses(desk, version) == ("Approved", "Approved"), "what was taken back can be brought back"


def test_a_picture_that_a_client_drew_on_a_frame_is_on_the_studios_own_object_once(desk: Desk) -> None:
    name = f"Drawn {uuid.uuid4().hex[:6]}"
    session = desk.session(name, desk.versions[0])
    desk.sync("review_sync", session)
    (shown,) = desk.shown(name)
    path, drawn = desk.room.folder / "stroke.png", str(uuid.uuid4())
    path.write_bytes(b"a circle around the boom")
    desk.room.site("cloud").upload(path, name="stroke", version_id=None, location="ftrack.server", component_id=drawn)
    kind = "ReviewSessionObjectAnnotationComponent"
    data = {"component_id": drawn, "review_session_object_id": shown["id"], "frame_number": 17}
    desk.room.site("cloud").call([operation("create", kind, [drawn, shown["id"]], data)])
    assert desk.sync("feedback_sync", session).state == "done"
    (came,) = desk.local(
        f"select component_id, frame_number, component.name from {kind} "
        f'where review_session_object.review_session_id is "{session}"'
    )
    assert (came["frame_number"], came["component"]["name"]) == (17, "stroke")
    back = desk.room.folder / "back.png"
    desk.room.site().download(came["component_id"], back)
    assert back.read_bytes() == path.read_bytes()
    assert desk.sync("feedback_sync", session).effects == 0


@pytest.mark.parametrize("action", ["review_sync", "feedback_sync"])
def test_who_ticks_it_on_the_page_is_told_what_would_change_and_nothing_is_touched(desk: Desk, action: str) -> None:
    name = f"Asked {uuid.uuid4().hex[:6]}"
    session = desk.session(name, desk.versions[0])
    if action == "feedback_sync":
        desk.sync("review_sync", session)
        (shown,) = desk.shown(name)
        client = desk.room.site("cloud").own_user_id()
        desk.make("cloud", "Note", content="darker", parent_id=shown["id"], parent_type="ReviewSessionObject",
                  user_id=client)  # fmt: skip
    room = desk.room
    room.lever("on", action)
    registry = ActionRegistry(room.actions, room.journal, room.settings, lambda _: "on")
    user = {"id": room.site().own_user_id(), "username": room.site().session.api_user}
    data: dict[str, Any] = {"actionIdentifier": f"signalbox.{action}"}
    data["selection"] = [{"entityType": "reviewsession", "entityId": session}]
    page = registry.launch({"data": data, "source": {"user": user}}, room.site()) or {}
    (tick,) = [item for item in page["items"] if item["type"] == "boolean"]
    assert (tick["label"], tick["value"]) == ("Only tell what would change", False)
    values = {item["name"]: item.get("value") for item in page["items"] if item.get("name")} | {tick["name"]: True}
    known = {row["id"] for row in desk.local("select id from Job")}
    answer = registry.launch({"data": {**data, "values": values}, "source": {"user": user}}, room.site()) or {}
    assert answer["message"] == "Nothing is touched; the Jobs list soon says what would change."
    room.settle()
    run = room.journal.runs(handler=action)[0]
    assert (run.state, run.dry) == ("planned", True)
    (job,) = [row for row in desk.local("select status, data from Job") if row["id"] not in known]
    assert job["status"] == "done"
    assert ("note of" if action == "feedback_sync" else f"make ReviewSession {name}") in job["data"]
    if action == "review_sync":
        assert desk.shown(name) == []
    else:
        assert desk.local('select id from Note where content like "%darker"') == []
