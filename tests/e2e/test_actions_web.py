"""Actions as production uses them: from ftrack's page, through the real client, against `signalbox serve`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from listening import until
from program import Program
from sandbox_process import SandboxProcess
from web_client import Form, Message, WebClient, selected

from app.actions.batch_create import BatchCreateSettings
from app.journal.journal import Journal
from app.media.ffmpeg import ffmpeg_path
from app.settings.store import SettingsStore

pytestmark = pytest.mark.e2e


@dataclass
class Station:
    """The workstation: a site, a drive, a running server, a browser."""

    site: SandboxProcess
    drive: Path
    home: Path
    folder: Path
    journal: Journal
    page: WebClient

    def one(self, query: str) -> Any:
        """Fresh from the site."""
        self.page.session.reset()
        return self.page.session.query(query).one()

    def all(self, query: str) -> list[Any]:
        self.page.session.reset()
        return list(self.page.session.query(query))

    def ended(self, action: str, count: int = 1) -> list[Any]:
        """The runs of an action, once so many have ended."""

        def rows() -> list[Any]:
            found = [run for run in self.journal.runs(handler=action) if run.kind == "action"]
            return [run for run in found if run.finished is not None]

        assert until(lambda: len(rows()) >= count, 90), [(r.state, r.reason) for r in self.journal.runs(handler=action)]
        return rows()


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    base = tmp_path_factory.mktemp("station")
    drive = base / "production"
    for show in ("nightjar", "salt_marsh"):
        (drive / show).mkdir(parents=True)
    (drive / ".signalbox-drive").write_text("")
    home = base / "home"
    home.mkdir()
    (home / "settings.toml").write_text(
        f'[studio]\ndisk_map = {{ "/data/production" = "{drive}" }}\n[slack]\nenabled = false\n'
    )
    with SandboxProcess(base / "site", "studio", "--heartbeat", "1") as site:
        extra = {"FTRACK_SERVER": site.url, "FTRACK_API_USER": site.user, "FTRACK_API_KEY": site.key}
        with Program("serve", "--json", home=home, extra=extra) as server:
            ready = server.wait_line()
            journal = Journal.open(Path(ready["journal"]), "read")
            page = WebClient(site.url, site.key, site.user, base / "cache")
            try:
                assert until(
                    lambda: {lamp.name for lamp in journal.health() if lamp.state == "ok"} >= {"site", "workers"}
                )
                yield Station(site, drive, home, Path(ready["journal"]), journal, page)
            finally:
                page.close()
                journal.close()
            assert server.stop() == 0
            assert "Traceback" not in server.errors


def sequence_of(station: Station) -> Any:
    return station.all("select id, name, parent_id from Sequence limit 1")[0]


BATCH, JOBS, REVIEW, FEEDBACK, UPLOAD, RV = (
    f"signalbox.{name}"
    for name in (
        "batch_create", "clear_job_queue", "review_sync", "feedback_sync", "upload_media", "update_rv_component"
    )
)  # fmt: skip
OFFERED = {
    "Project": {BATCH, JOBS},
    "Episode": {BATCH, JOBS},
    "Sequence": {BATCH, JOBS},
    "Shot": {BATCH, JOBS},
    "AssetBuild": {JOBS},
    "Folder": {JOBS},
    "Milestone": {JOBS},
    "Task": {JOBS, UPLOAD},
    "Asset": {JOBS},
    "AssetVersion": {JOBS, RV},
    "ReviewSession": {JOBS, REVIEW, FEEDBACK},
    "ReviewSessionObject": {JOBS},
    "AssetVersionList": {JOBS},
    "User": {JOBS},
    "Note": {JOBS},
}
#: Those that several entities may be selected for.
MANY = {JOBS, REVIEW, FEEDBACK, RV}


def offered(page: WebClient, *entities: Any) -> set[str]:
    return {item["actionIdentifier"] for item in page.discover(*(selected(one) for one in entities))}


def any_of(station: Station, kind: str, count: int = 1) -> list[Any]:
    """So many entities of a type; what the site has too few of is made."""
    found = station.all(f"select id from {kind} limit {count}")
    project = station.one('select id from Project where name is "nightjar"')
    named = {"project_id" if kind in ("ReviewSession",) else "parent_id": project["id"]}
    for number in range(len(found), count):
        values: dict[str, Any] = {"name": f"{kind} {number}", **named}
        if kind == "AssetVersionList":
            category = station.all("select id from ListCategory limit 1")[0]["id"]
            values = {"name": f"list {number}", "project_id": project["id"], "category_id": category}
        station.page.session.create(kind, values)
    station.page.session.commit()
    return station.all(f"select id from {kind} limit {count}")


def test_every_action_is_offered_where_the_rules_say_and_nowhere_else(station: Station) -> None:
    ones = {kind: any_of(station, kind)[0] for kind in OFFERED}
    assert {kind: offered(station.page, one) for kind, one in ones.items()} == OFFERED
    pairs = {kind: any_of(station, kind, 2) for kind in OFFERED}
    assert {kind: offered(station.page, *two) for kind, two in pairs.items()} == {
        kind: actions & MANY for kind, actions in OFFERED.items()
    }
    for mixed in (("Shot", "Task"), ("AssetVersion", "Shot"), ("ReviewSession", "AssetVersion")):
        assert offered(station.page, *(ones[kind] for kind in mixed)) == {JOBS}


def test_an_action_whose_lever_is_off_is_not_offered_and_cannot_be_launched(station: Station) -> None:
    where = {BATCH: "Shot", JOBS: "Shot", REVIEW: "ReviewSession", FEEDBACK: "ReviewSession", UPLOAD: "Task"}
    where[RV] = "AssetVersion"
    panel = Journal.open(station.folder, "panel")

    def move(action: str, position: str) -> None:
        args = {"handler": action.removeprefix("signalbox."), "project": "", "position": position, "why": ""}
        order = panel.order("set_lever", args, "td")
        assert until(lambda: panel.order_row(order).state == "done")

    try:
        for action, kind in where.items():
            one = any_of(station, kind)[0]
            move(action, "off")
            assert offered(station.page, one) == OFFERED[kind] - {action}
            answer = station.page.launch(action, selected(one))
            assert isinstance(answer, Message)
            assert not answer.success
            assert "switched off" in answer.text
            move(action, "on")
            assert offered(station.page, one) == OFFERED[kind]
    finally:
        panel.close()


def test_an_action_kept_for_a_group_is_seen_by_its_members_alone(station: Station, tmp_path: Path) -> None:
    shot = any_of(station, "Shot")[0]
    store = SettingsStore(station.home / "settings.toml")
    store.declare("actions.batch_create", BatchCreateSettings)
    with WebClient(station.site.url, station.site.key, "sana.malik", tmp_path) as member:
        store.set("actions.batch_create", "groups", ["lighting TEAM"])
        try:
            assert until(lambda: offered(station.page, shot) == {JOBS})
            assert offered(member, shot) == {BATCH, JOBS}
            answer = station.page.launch(BATCH, selected(shot))
            assert isinstance(answer, Message)
            assert "You may not use Batch Create" in answer.text
        finally:
            store.reset("actions.batch_create", "groups")
        assert until(lambda: offered(station.page, shot) == {BATCH, JOBS})


def test_two_people_at_once_keep_their_own_forms_and_make_nothing_twice(station: Station, tmp_path: Path) -> None:
    project = station.one('select id from Project where name is "nightjar"')
    with (
        WebClient(station.site.url, station.site.key, "sana.malik", tmp_path / "sana") as sana,
        WebClient(station.site.url, station.site.key, "hugo.lefevre", tmp_path / "hugo") as hugo,
    ):
        before = len(station.journal.runs(handler="batch_create"))
        pages = [(person, person.launch(BATCH, selected(project))) for person in (sana, hugo)]
        tasks = []
        for (person, form), kind in zip(pages, ("Animation", "Lighting"), strict=True):
            assert isinstance(form, Form)
            tasks.append((person, person.submit(form, {"sequence": "T95", "numbers": "10-30:10", "tasks": 1}), kind))
        for person, form, kind in reversed(tasks):
            assert isinstance(form, Form)
            done = person.submit(form, {"type_0": kind})
            assert isinstance(done, Message)
            assert done.success
        runs = station.ended("batch_create", before + 2)
        assert {run.user for run in runs[:2]} == {"sana.malik", "hugo.lefevre"}
        assert {run.state for run in runs[:2]} == {"done"}
        own = {person.username: person.jobs()[0] for person in (sana, hugo)}
    assert len(station.all('select id from Sequence where name is "T95"')) == 1
    made = station.all('select name, parent.name from Task where parent.parent.name is "T95"')
    assert sorted((task["parent"]["name"], task["name"]) for task in made) == sorted(
        (f"T95_{number:04d}", kind) for number in (10, 20, 30) for kind in ("animation", "lighting")
    )
    assert {name: job["status"] for name, job in own.items()} == {"sana.malik": "done", "hugo.lefevre": "done"}


def test_batch_create_makes_the_studios_example_once_and_its_folders(station: Station) -> None:
    project = station.one('select id, name from Project where name is "nightjar"')
    before = len(station.all(f'select id from Shot where project_id is "{project["id"]}"'))
    for turn in (1, 2):
        form = station.page.launch("signalbox.batch_create", selected(project))
        assert isinstance(form, Form)
        assert form.values["expression"] == "####"
        wrong = station.page.submit(form, {"sequence": "T90", "expression": "##x##", "tasks": 2})
        assert isinstance(wrong, Form)
        assert any("character 4" in label for label in wrong.labels())
        assert wrong.values["sequence"] == "T90", "what was typed survives the error"
        tasks = station.page.submit(wrong, {"expression": "####", "numbers": "10-20:10"})
        assert isinstance(tasks, Form)
        done = station.page.submit(tasks, {"type_0": "Animation", "bid_0": 8, "type_1": "Compositing"})
        assert isinstance(done, Message)
        assert done.success
        runs = station.ended("batch_create", turn)
        assert runs[0].state in ("done", "skipped"), runs[0].reason
    shots = station.all(f'select id, name, parent.name from Shot where project_id is "{project["id"]}"')
    assert len(shots) == before + 2
    made = {shot["name"]: shot for shot in shots if shot["parent"]["name"] == "T90"}
    assert set(made) == {"T90_0010", "T90_0020"}
    tasks = station.all(f'select name, bid, type.name from Task where parent_id is "{made["T90_0010"]["id"]}"')
    assert {(task["name"], task["bid"], task["type"]["name"]) for task in tasks} == {
        ("animation", 28800, "Animation"),
        ("compositing", 0, "Compositing"),
    }
    for part in ("comps", "plates", "render"):
        assert until(lambda part=part: (station.drive / "nightjar/shots/T90/T90_0020/img" / part).is_dir())


def test_create_another_sequence_brings_the_form_back_with_the_next_name(station: Station) -> None:
    project = station.one('select id from Project where name is "salt_marsh"')
    form = station.page.launch("signalbox.batch_create", selected(project))
    again = station.page.submit(form, {"sequence": "T01", "tasks": 0, "another": True})
    assert isinstance(again, Form)
    assert again.values["sequence"] == "T02"
    assert any("Started" in label for label in again.labels())


def test_one_persons_form_is_no_use_to_another(station: Station, tmp_path: Path) -> None:
    project = station.one('select id from Project where name is "salt_marsh"')
    form = station.page.launch("signalbox.batch_create", selected(project))
    other = next(
        u
        for u in station.all("select username from User where is_active is True")
        if u["username"] != station.site.user
    )
    with WebClient(station.site.url, station.site.key, other["username"], tmp_path) as stranger:
        answer = stranger.submit(form, {})
    assert isinstance(answer, Message)
    assert not answer.success


def test_clear_job_queue_lists_ones_own_open_jobs_and_clears_the_ticked(station: Station) -> None:
    session = station.page.session
    user = session.query(f'User where username is "{station.site.user}"').one()
    jobs = [
        session.create("Job", {"user": user, "status": status, "data": f'{{"description": "{name}"}}'})
        for name, status in (("first", "running"), ("second", "queued"), ("over", "done"))
    ]
    session.commit()
    form = station.page.launch("signalbox.clear_job_queue", selected(user))
    assert isinstance(form, Form)
    values = {entry["value"]: entry["label"] for entry in form.item("jobs")["data"]}
    assert {jobs[0]["id"], jobs[1]["id"]} <= set(values)
    assert jobs[2]["id"] not in values
    done = station.page.submit(form, {"jobs": [jobs[0]["id"]]})
    assert isinstance(done, Message)
    assert station.ended("clear_job_queue")[0].state == "done"
    states = {job["id"]: job["status"] for job in station.all("select status from Job")}
    assert (states[jobs[0]["id"]], states[jobs[1]["id"]]) == ("done", "queued")


def clip(path: Path, frames: int = 30) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = ["-f", "lavfi", "-i", "testsrc2=size=321x181:rate=25", "-frames:v", str(frames)]
    codec = ["-c:v", "libx264", "-pix_fmt", "yuv444p"]
    subprocess.run([str(ffmpeg_path()), "-nostdin", "-y", "-loglevel", "error", *made, *codec, str(path)], check=True)
    return path


def test_upload_media_publishes_a_version_with_everything_reviewers_need(station: Station) -> None:
    shot = station.all('select id, name, project.name from Shot where project.name is "nightjar" limit 1')[0]
    task = station.all(f'select id, name from Task where parent_id is "{shot["id"]}" limit 1')[0]
    movie = clip(station.drive / "nightjar" / "io" / "take_v03.mov")
    form = station.page.launch("signalbox.upload_media", selected(task))
    assert isinstance(form, Form)
    outside = station.page.submit(form, {"file": "/etc/passwd"})
    assert isinstance(outside, Form)
    assert any("production drive" in label for label in outside.labels())
    done = station.page.submit(outside, {"file": str(movie), "slate": True, "note": "please <b>look</b>"})
    assert isinstance(done, Message)
    run = station.ended("upload_media")[0]
    assert run.state == "done", run.reason
    version = station.one(
        "select id, comment, status.name, version, asset.name, asset.type.name, task_id, thumbnail_id, metadata "
        f'from AssetVersion where task_id is "{task["id"]}" and asset.name is "ReviewAsset"'
    )
    assert version["asset"]["type"]["name"] == "Upload"
    assert version["comment"] == "Upload for Internal Review"
    assert version["status"]["name"] == "Pending Internal Review"
    assert version["metadata"]["source_file"] == str(movie)
    parts = {
        part["name"]: part
        for part in station.all(
            "select name, file_type, metadata, component_locations from Component "
            f'where version_id is "{version["id"]}"'
        )
    }
    assert set(parts) == {"ftrackreview-mp4", "movie"}
    assert parts["ftrackreview-mp4"]["metadata"]["ftr_meta"] == '{"frameIn": 0, "frameOut": 30, "frameRate": 25.0}'
    place = parts["movie"]["component_locations"][0]
    assert place["resource_identifier"] == str(movie)
    assert place["location"]["name"] == "ftrack.unmanaged"
    fresh = station.one(f'select thumbnail_id from Task where id is "{task["id"]}"')
    assert fresh["thumbnail_id"] == version["thumbnail_id"] is not None
    notes = station.all(f'select content from Note where parent_id is "{version["id"]}"')
    assert [note["content"] for note in notes] == ["please <b>look</b>"]
    jobs = [job for job in station.all("select status, data from Job") if "Upload Media" in str(job["data"])]
    assert [job["status"] for job in jobs] == ["done"]

    def on_a_list() -> bool:
        lists = station.all(f'select name from AssetVersionList where items any (id is "{version["id"]}")')
        return [one["name"] for one in lists if one["name"].startswith("Dailies_")] != []

    assert until(on_a_list), "the handler puts an upload by this server on the dailies list too"


def test_update_rv_component_repairs_a_version_from_its_metadata(station: Station) -> None:
    movie = clip(station.drive / "nightjar" / "io" / "other.mov", 5)
    version = station.all(
        'select id, metadata from AssetVersion where asset.parent.project.name is "nightjar" limit 1'
    )[0]
    version["metadata"]["source_file"] = str(movie)
    station.page.session.commit()
    form = station.page.launch("signalbox.update_rv_component", selected(version))
    assert isinstance(form, Form)
    for turn in (1, 2):
        done = station.page.submit(form, {})
        assert isinstance(done, Message)
        assert station.ended("update_rv_component", turn)[0].state in ("done", "skipped")
    parts = station.all(
        "select id, component_locations.resource_identifier from Component "
        f'where version_id is "{version["id"]}" and name is "movie"'
    )
    assert [place["resource_identifier"] for part in parts for place in part["component_locations"]] == [str(movie)]
