"""Launches of actions on a real site: what they make, what they leave alone, and what an undo takes back."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from action_room import ActionRoom
from job_room import QUICK
from listening import until
from sandbox_process import SandboxProcess

from app.actions.batch_create import rows_to_json
from app.actions.registry import ActionRegistry
from app.engine.protocol import Action as EngineAction
from app.engine.protocol import Context, Later, Launch, Plan, natural_id
from app.journal.rows import JobFilter
from app.media.ffmpeg import ffmpeg_path
from app.rules.batch import ShotRow, TaskTemplate
from app.service.jobs import JobRoom

Room = Callable[..., ActionRoom]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("site"), "studio", "--heartbeat", "5") as process:
        yield process


@pytest.fixture
def room(site: SandboxProcess, tmp_path: Path) -> Iterator[Room]:
    """Makes machines; each has a journal of its own."""
    made: list[ActionRoom] = []

    def build(name: str = "machine", **settings: Any) -> ActionRoom:
        made.append(ActionRoom(tmp_path / name, site, settings))
        return made[-1]

    yield build
    for one in made:
        one.close()


def clip(path: Path, frames: int = 6, size: str = "160x90") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25", "-frames:v", str(frames), "-pix_fmt", "yuv420p"]
    made += ["-preset", "ultrafast"]
    subprocess.run([str(ffmpeg_path()), "-nostdin", "-y", "-loglevel", "error", *made, str(path)], check=True)
    return path


def test_the_first_uploads_of_two_artists_machines_are_two_versions(room: Room) -> None:
    """Each machine counts its runs from 1: the number alone must not decide what is made on the site."""
    task = None
    versions = set()
    for name in ("ada", "ben"):
        machine = room(name)
        task = task or machine.all("select id from Task limit 1")[0]["id"]
        run = machine.launch("upload_media", ("Task", task), file=str(clip(machine.folder / f"{name}.mov")))
        assert run.state == "done", run.reason
        versions.add(next(e.data["id"] for e in machine.effects(run.id) if e.data.get("entity_type") == "AssetVersion"))
    assert len(versions) == 2
    found = machine.all(
        f'select version, metadata from AssetVersion where task_id is "{task}" and asset.name is "ReviewAsset"'
    )
    assert versions <= {row["id"] for row in found}


def batch(machine: ActionRoom, sequence: str, shots: int = 2, **tasks: Any) -> tuple[int, list[str]]:
    """Shots with an assigned task each; the run and the tasks' ids, in the shots' order."""
    project = machine.all('select id from Project where name is "salt_marsh"')[0]["id"]
    user = machine.site().own_user_id()
    name = machine.all(f'select username from User where id is "{user}"')[0]["username"]
    template = TaskTemplate("Animation", 8, assignees=(name,), **tasks)
    rows = [ShotRow(sequence, f"{sequence}_{number:04d}", tasks=(template,)) for number in range(10, 10 + shots)]
    run = machine.launch("batch_create", ("Project", project), rows=rows_to_json(rows))
    assert run.state == "done", run.reason
    found = machine.all(f'select id, parent.name from Task where parent.parent.name is "{sequence}"')
    return run.id, [row["id"] for row in sorted(found, key=lambda row: row["parent"]["name"])]


@pytest.mark.parametrize("what", ["time", "a note", "a version", "another assignee"])
def test_a_task_that_somebody_worked_on_keeps_its_assignment_and_all_above_it(room: Room, what: str) -> None:
    machine = room()
    sequence = f"U{uuid.uuid4().hex[:6]}"
    run, (used, _) = batch(machine, sequence)
    user = machine.site().own_user_id()
    key = str(uuid.uuid4())
    if what == "time":
        machine.write("create", "Timelog", key, context_id=used, user_id=user, duration=3600)
    elif what == "a note":
        machine.write("create", "Note", key, parent_id=used, parent_type="Task", content="begun", user_id=user)
    elif what == "a version":
        kind = machine.all("select id from AssetType limit 1")[0]["id"]
        shot = machine.all(f'select parent_id from Task where id is "{used}"')[0]["parent_id"]
        machine.write("create", "Asset", key, name="a", context_id=shot, type_id=kind)
        machine.write("create", "AssetVersion", str(uuid.uuid4()), asset_id=key, task_id=used)
    else:
        other = machine.all(f'select id from User where is_active is true and id is_not "{user}" limit 1')[0]["id"]
        machine.write("create", "Appointment", key, context_id=used, resource_id=other, type="assignment")
    machine.undo(run)
    left = machine.all(
        f'select name, parent.name, assignments.resource_id from Task where parent.parent.name is "{sequence}"'
    )
    assert [row["id"] for row in left] == [used], "the other shot goes, this one stays with what is above it"
    assert user in {one["resource_id"] for one in left[0]["assignments"]}, "its person still has it"
    states = {(row.data["entity_type"], row.state) for row in machine.effects(run) if row.kind == "create"}
    assert states == {
        *((kind, state) for kind in ("Shot", "Task", "Appointment") for state in ("kept", "undone")),
        ("Sequence", "kept"),
    }


def test_undo_of_an_untouched_batch_leaves_nothing(room: Room) -> None:
    machine = room()
    sequence = f"U{uuid.uuid4().hex[:6]}"
    run, tasks = batch(machine, sequence)
    machine.undo(run)
    assert machine.all(f'select id from Sequence where name is "{sequence}"') == []
    assert all(machine.all(f'select id from Appointment where context_id is "{task}"') == [] for task in tasks)
    assert machine.journal.run_row(run).state == "undone"


def test_an_upload_that_is_broken_off_when_the_server_stops_goes_on_with_the_next_start(room: Room) -> None:
    machine = room()
    task = machine.all("select id from Task limit 1")[0]["id"]
    long = clip(machine.folder / "long.mov", 250, "480x270")
    machine.order_quickly(
        "launch", action="upload_media", selection=[["Task", task]], values={"file": str(long), "asset_name": "Broken"}
    )

    def upload() -> Any:
        return next(iter(machine.journal.runs(handler="upload_media")), None)

    def at_work() -> bool:
        return upload() is not None and any(one.state == "applying" for one in machine.effects(upload().id))

    machine.wait_for(at_work)
    machine.stop()
    assert (upload().state, upload().reason) == ("queued", "goes on when Signalbox runs again")
    said = [row for row in machine.all("select status, data from Job") if "goes on when Signalbox" in row["data"]]
    assert [row["status"] for row in said] == ["running"]
    machine.go()
    machine.settle()
    assert upload().state == "done", upload().reason
    assert len(machine.all('select id from AssetVersion where asset.name is "Broken"')) == 1
    assert machine.all(f'select status from Job where id is "{said[0]["id"]}"')[0]["status"] == "done"


class Waits(EngineAction):
    """An action whose drive is not there."""

    id = "waits"
    title = "Wait"
    help = "Waits."
    reports = True

    def key(self, launch: Launch) -> str:
        return ""

    def plan(self, launch: Launch, ctx: Context) -> Plan:
        raise Later("drive not mounted", 600)


def test_the_job_of_a_launch_that_is_cancelled_while_it_waits_says_so(room: Room) -> None:
    machine = room()
    machine.stop()
    machine.actions.append(Waits())  # type: ignore[arg-type]
    machine.go()
    run = machine.launch("waits", ("Task", machine.all("select id from Task limit 1")[0]["id"]))

    def told() -> list[str]:
        jobs = machine.all("select status, data from Job")
        return [f"{row['status']} {json.loads(row['data'])['description']}" for row in jobs if "Wait:" in row["data"]]

    assert (run.state, told()) == ("waiting", ["running Wait: waits: drive not mounted"])
    machine.order("cancel", run=run.id)
    machine.wait_for(lambda: told() == ["failed Wait: cancelled by a person"])


def test_the_job_of_a_launch_that_is_cancelled_while_the_site_is_away_ends_when_it_is_back(
    room: Room, site: SandboxProcess
) -> None:
    machine = room()
    machine.stop()
    machine.actions.append(Waits())  # type: ignore[arg-type]
    machine.go()
    run = machine.launch("waits", ("Task", machine.all("select id from Task limit 1")[0]["id"]))
    site.faults(errors={"status": 503, "count": -1})
    try:
        machine.order("cancel", run=run.id)
        # Nor does the end of the program in between lose it.
        machine.stop()
        machine.go()
    finally:
        site.faults(errors={"count": 0})
    job = natural_id(site.url, "job of run", machine.journal.queued_run(run.id).mark)

    def told() -> str:
        return str(machine.all(f'select status from Job where id is "{job}"')[0]["status"])

    machine.wait_for(lambda: told() == "failed")
    machine.wait_for(lambda: machine.journal.fact("jobs_to_end") == {})


def movie_of(machine: ActionRoom, version: str) -> dict[str, Any]:
    """The one component that RV plays, and the path RV's plug-in gets for it."""
    session = machine.site().session
    session.reset()
    (part,) = session.query(f'Component where version_id is "{version}" and name is "movie"').all()
    place = session.pick_location(part)
    path = place.get_filesystem_path(part) if place is not None else None
    frames = sorted(int(one["name"]) for one in part["members"]) if "members" in part else []
    return {"id": part["id"], "kind": part.entity_type, "path": path, "frames": frames, "size": part["size"]}


def versions_of(machine: ActionRoom, count: int) -> list[str]:
    """New versions of one asset of the show nightjar."""
    shot = machine.all('select id from Shot where project.name is "nightjar" limit 1')[0]["id"]
    kind = machine.all("select id from AssetType limit 1")[0]["id"]
    asset = str(uuid.uuid4())
    machine.write("create", "Asset", asset, name=f"asset {asset[:6]}", context_id=shot, type_id=kind)
    keys = [str(uuid.uuid4()) for _ in range(count)]
    for key in keys:
        machine.write("create", "AssetVersion", key, asset_id=asset)
    return keys


def test_rv_finds_a_sequence_with_its_range_and_a_repaired_file_and_undo_gives_back_the_old(room: Room) -> None:
    machine = room()
    io = machine.drive / "nightjar" / "io"
    io.mkdir(parents=True)
    for number in (1001, 1002, 1003, 1005, 1006):
        (io / f"plate.{number}.exr").write_bytes(b"frame")
    (io / "take.mov").write_bytes(b"a movie")
    (version,) = versions_of(machine, 1)

    def update(path: str) -> Any:
        return machine.launch("update_rv_component", ("AssetVersion", version), path=path)

    run = update(f"{io}/plate.####.exr [1001-1005]")
    assert run.state == "done", run.reason
    sequence = movie_of(machine, version)
    assert sequence["kind"] == "SequenceComponent"
    assert (sequence["path"], sequence["frames"]) == (f"{io}/plate.%04d.exr", [1001, 1002, 1003, 1005])
    assert update(f"{io}/plate.%04d.exr [1001-1005]").effects == 0, "twice the same makes nothing"
    assert update(f"{io}/plate.%04d.exr").state == "done", "another range is another sequence"
    assert movie_of(machine, version)["frames"][-1] == 1006
    file = update(f"{io}/take.mov")
    assert movie_of(machine, version)["path"] == f"{io}/take.mov"
    machine.undo(file.id)
    assert movie_of(machine, version) | {"id": ""} == {
        **sequence,
        "id": "",
        "frames": [1001, 1002, 1003, 1005, 1006],
        "size": 25,
    }


def test_a_file_component_is_repaired_in_place_and_keeps_what_it_has(room: Room) -> None:
    machine = room()
    io = machine.drive / "nightjar" / "io"
    io.mkdir(parents=True)
    (io / "a.mov").write_bytes(b"a")
    (io / "b.mov").write_bytes(b"bb")
    (version,) = versions_of(machine, 1)
    machine.launch("update_rv_component", ("AssetVersion", version), path=str(io / "a.mov"))
    before = movie_of(machine, version)
    run = machine.launch("update_rv_component", ("AssetVersion", version), path=str(io / "b.mov"))
    assert run.state == "done", run.reason
    assert movie_of(machine, version) == {**before, "path": str(io / "b.mov"), "size": 2}
    machine.undo(run.id)
    assert movie_of(machine, version) == before


def test_many_versions_take_their_own_files_and_a_missing_one_is_named(room: Room) -> None:
    machine = room()
    machine.store.set("actions.update_rv_component", "path_maps", {"P:\\": str(machine.drive)})
    machine.store.set("actions.update_rv_component", "rv_maps", {str(machine.drive): "P:"})
    io = machine.drive / "nightjar" / "io"
    io.mkdir(parents=True)
    first, second, third = versions_of(machine, 3)
    for number in (1, 3):
        (io / f"take_v{number:03d}.mov").write_bytes(b"movie")
    run = machine.launch(
        "update_rv_component", *(("AssetVersion", key) for key in (first, second, third)),
        path="P:\\nightjar\\io\\take_v{version}.mov",
    )  # fmt: skip
    assert run.state == "failed"
    assert "take_v002.mov does not exist" in run.reason
    assert [movie_of(machine, key)["path"] for key in (first, third)] == [
        f"P:/nightjar/io/take_v{number}.mov" for number in ("001", "003")
    ]
    assert machine.all(f'select id from Component where version_id is "{second}"') == []


@pytest.mark.parametrize("path", ["/etc/passwd", "{drive}/salt_marsh/io/b.mov", "{drive}/nightjar/io/link.mov"])
def test_a_path_outside_the_project_is_refused_and_logged_with_the_name(
    room: Room, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    machine = room()
    for show in ("nightjar", "salt_marsh"):
        (machine.drive / show / "io").mkdir(parents=True)
    (machine.drive / "salt_marsh/io/b.mov").write_bytes(b"b")
    (machine.drive / "nightjar/io/link.mov").symlink_to("/etc/passwd")
    (version,) = versions_of(machine, 1)
    run = machine.launch("update_rv_component", ("AssetVersion", version), path=path.format(drive=machine.drive))
    assert run.state == "failed"
    assert "does not lie on a production drive" in run.reason
    assert any(run.user in record.getMessage() for record in caplog.records if "for RV" in record.getMessage())
    assert machine.all(f'select id from Component where version_id is "{version}"') == []


def upload(machine: ActionRoom, file: str, **values: Any) -> tuple[Any, list[dict[str, Any]], dict[str, Any]]:
    """Publish a file on a task; the run, the versions it made, and its Job."""
    name = f"asset {uuid.uuid4().hex[:8]}"
    task = machine.all("select id from Task limit 1")[0]["id"]
    known = {row["id"] for row in machine.all("select id from Job")}
    run = machine.launch("upload_media", ("Task", task), file=file, asset_name=name, **values)
    made = machine.all(
        "select id, status.name, metadata, components.name, components.metadata.key, components.metadata.value "
        f'from AssetVersion where asset.name is "{name}"'
    )
    (job,) = [row for row in machine.all("select status, data from Job") if row["id"] not in known]
    return run, made, {"status": job["status"], "words": json.loads(job["data"])["description"]}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.mov", b"", "empty.mov is empty (0 bytes). Export it again."),
        ("notes.mov", b"these are meeting notes\n" * 40, "notes.mov is not a movie or an image that can be read"),
        ("cut.mov", None, "cut.mov"),
    ],
)
def test_what_cannot_be_published_is_refused_with_words_in_the_job_and_leaves_no_version(
    room: Room, name: str, content: bytes | None, words: str
) -> None:
    machine = room()
    path = machine.folder / name
    whole = clip(machine.folder / "whole.mov", 48).read_bytes() if content is None else b""
    path.write_bytes(whole[: len(whole) * 6 // 10] if content is None else content)
    run, made, job = upload(machine, str(path))
    assert run.state == "failed"
    assert made == []
    assert job["status"] == "failed"
    assert words in job["words"]
    assert "more)" not in job["words"], "nothing else is tried once this failed"
    assert "Traceback" not in job["words"]
    assert list((machine.folder).glob("review-*")) == [], "nothing temporary stays"


def test_a_published_version_starts_the_job_that_the_settings_want_and_the_run_leads_to_it(room: Room) -> None:
    wanted = {"job_type": "publish-copy", "settings": {"files": "{{ file }}", "destination": "{{ root }}/published"}}
    machine = room(**{"actions.upload_media.jobs": [wanted]})
    jobs = JobRoom(machine.journal, machine.doors, QUICK)
    jobs.start()
    try:
        file = clip(machine.folder / "take_v001.mov")
        run, made, report = upload(machine, str(file))
        assert until(lambda: machine.journal.run_row(run.id).state == "done"), machine.journal.run_row(run.id).reason
    finally:
        assert jobs.stop()
    assert len(made) == 1
    (job,) = machine.journal.jobs(JobFilter(run_id=run.id))
    (project,) = machine.all("select project.name, parent.name, name from Task limit 1")
    assert job.name == f"{project['parent']['name']} {project['name']} v01"
    settings = job.settings
    assert settings["files"] == str(file)
    assert settings["destination"] == f"{machine.drive}/{project['project']['name']}/published"
    assert report["status"] == "done", "the artist need not wait for the farm"


def test_batch_create_and_update_rv_submit_jobs_too_but_not_where_a_part_failed(
    room: Room, site: SandboxProcess
) -> None:
    def says(message: str) -> list[dict[str, Any]]:
        return [{"job_type": "log-and-sleep", "settings": {"message": message, "sleep_duration_seconds": 0}}]

    machine = room(
        **{
            "actions.batch_create.jobs": says("{{ about }}: {{ shots }} by {{ by }}"),
            "actions.update_rv_component.jobs": says("{{ version }} plays {{ file }}"),
        }
    )
    jobs = JobRoom(machine.journal, machine.doors, QUICK)
    jobs.start()

    def said(run: int) -> list[str]:
        return [job.settings["message"] for job in machine.journal.jobs(JobFilter(run_id=run))]

    try:
        sequence = f"J{uuid.uuid4().hex[:6]}"
        run, _ = batch(machine, sequence)
        assert said(run) == [f"salt_marsh: 2 shots: {sequence}_0010, {sequence}_0011 by {site.user}"]
        assert said(batch(machine, sequence)[0]) == [], "everything is there already"
        io = machine.drive / "nightjar" / "io"
        io.mkdir(parents=True)
        (io / "v001.mov").write_bytes(b"a movie")
        good, bad = (("AssetVersion", key) for key in versions_of(machine, 2))
        done = machine.launch("update_rv_component", good, bad, path=f"{io}/v{{version}}.mov")
        assert (done.state, said(done.id)) == ("failed", [f"v01 plays {io}/v001.mov"])
    finally:
        assert jobs.stop()


def test_names_with_quotes_percent_and_emoji_are_published_from_such_folders_too(room: Room) -> None:
    machine = room()
    folder = machine.folder / '100% "final" d\'été 🎬'
    folder.mkdir()
    movie = clip(machine.folder / "plain.mov").rename(folder / "it's 50% [v2] #1.mov")
    for number in (1001, 1002, 1004):
        clip(folder / f"take %04d.{number}.png", 1)
    for file, name, frames in (
        (str(movie), "ftrackreview-mp4", 6),
        (f"{folder}/take %04d.####.png", "ftrackreview-mp4", 4),
        (str(folder / "take %04d.1001.png"), "ftrackreview-image", 0),
    ):
        run, made, job = upload(machine, file, slate=True, note="100% <b>sure</b> 🎬")
        assert (run.state, job["status"]) == ("done", "done"), run.reason
        parts = {part["name"]: {one["key"]: one["value"] for one in part["metadata"]} for part in made[0]["components"]}
        assert set(parts) == {name, "movie"}
        assert made[0]["status"]["name"] == "Pending Internal Review"
        meta = json.loads(parts[name]["ftr_meta"])
        assert meta.get("frameOut", 0) == frames
        if frames != 4:
            assert {one["key"]: one["value"] for one in made[0]["metadata"]}["source_file"] == file


def job_of(machine: ActionRoom, user: str, status: str = "running", **data: Any) -> str:
    """A Job that some program left open; its id."""
    key = str(uuid.uuid4())
    person = machine.all(f'select id from User where username is "{user}"')[0]["id"]
    machine.write("create", "Job", key, user_id=person, status=status, type="api_job", data=json.dumps(data))
    return key


def test_ticked_jobs_are_cleared_others_are_not_and_undo_opens_them_again(room: Room) -> None:
    machine = room()
    own, done, ours = (job_of(machine, "sana.malik", status) for status in ("queued", "done", "running"))
    machine.write("update", "Job", ours, data=json.dumps({"description": "an upload", "signalbox_run": 7}))
    strange = job_of(machine, "hugo.lefevre")
    machine.write("update", "Job", own, data="not JSON at all")
    ticked = [own, done, ours, strange, str(uuid.uuid4())]

    def states() -> list[str]:
        found = {row["id"]: row["status"] for row in machine.all("select status from Job")}
        return [found[key] for key in (own, done, ours, strange)]

    before = states()
    run = machine.launch("clear_job_queue", ("Project", "any"), user="sana.malik", jobs=ticked)
    assert states() == ["done", "done", "running", "running"]
    for words in ("belongs to somebody else", "this server is running", "is done already", "no longer exists"):
        assert words in run.reason
    machine.undo(run.id)
    assert states() == before


def test_a_supervisor_may_clear_everybodys_jobs_and_nobody_else(room: Room) -> None:
    machine = room("machine", **{"actions.clear_job_queue.supervisors": ["Administrator"]})
    role, link = str(uuid.uuid4()), str(uuid.uuid4())
    person = machine.all('select id from User where username is "sana.malik"')[0]["id"]
    jobs = [job_of(machine, "hugo.lefevre") for _ in range(2)]
    machine.launch("clear_job_queue", ("Project", "any"), user="sana.malik", jobs=jobs[:1])
    machine.write("create", "SecurityRole", role, name="Administrator", type="PROJECT")
    machine.write("create", "UserSecurityRole", link, user_id=person, security_role_id=role)
    machine.launch("clear_job_queue", ("Project", "any"), user="sana.malik", jobs=jobs[1:])
    found = {row["id"]: row["status"] for row in machine.all("select status from Job")}
    assert [found[key] for key in jobs] == ["running", "done"]
    machine.write("delete", "UserSecurityRole", link)


def test_undo_of_an_upload_takes_the_version_away_unless_somebody_wrote_about_it(room: Room) -> None:
    machine = room()
    for used in (False, True):
        task = machine.all("select id, thumbnail_id from Task limit 1")[0]
        run, (made,), _ = upload(machine, str(clip(machine.folder / f"{used}.mov")), note="look at this")
        if used:
            user = machine.site().own_user_id()
            values = {"parent_id": made["id"], "parent_type": "AssetVersion", "content": "nice", "user_id": user}
            machine.write("create", "Note", str(uuid.uuid4()), **values)
        machine.undo(run.id)
        left = machine.all(f'select id, components.name from AssetVersion where id is "{made["id"]}"')
        parts = machine.all(f'select name from Component where version_id is "{made["id"]}"')
        assert (len(left), sorted(part["name"] for part in parts)) == (
            (1, ["ftrackreview-mp4", "movie"]) if used else (0, [])
        )
        fresh = machine.all(f'select thumbnail_id from Task where id is "{task["id"]}"')[0]
        assert fresh["thumbnail_id"] == task["thumbnail_id"] or used


def test_the_job_is_queued_with_the_launch_and_the_same_one_says_done(room: Room) -> None:
    machine = room()
    machine.stop()
    registry = ActionRegistry(machine.actions, machine.journal, machine.settings, lambda _: "on")
    person = machine.all('select id from User where username is "hugo.lefevre"')[0]["id"]
    (version,) = versions_of(machine, 1)
    movie = machine.drive / "nightjar" / "a.mov"
    movie.parent.mkdir()
    movie.write_bytes(b"a")
    data = {"actionIdentifier": "signalbox.update_rv_component"}
    data |= {"selection": [{"entityType": "assetversion", "entityId": version}]}
    event: dict[str, Any] = {"data": data, "source": {"user": {"id": person, "username": "hugo.lefevre"}}}
    page = registry.launch(event, machine.site()) or {}
    values = {item["name"]: item.get("value") for item in page["items"] if item.get("name")}
    event["data"] = {**data, "values": {**values, "path": str(movie)}}
    known = {row["id"] for row in machine.all("select id from Job")}
    assert (registry.launch(event, machine.site()) or {})["success"]

    def job() -> dict[str, Any]:
        (row,) = [row for row in machine.all("select status, user_id from Job") if row["id"] not in known]
        return row

    queued = job()
    assert (queued["status"], queued["user_id"]) == ("queued", person)
    machine.go()
    machine.settle()
    assert job() == {**queued, "status": "done"}
