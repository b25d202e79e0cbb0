"""Protocol facts 2.3: what ``ftrack.update`` says of a commit made through the real ``ftrack_api``."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import ftrack_api
import pytest
from sandbox_process import SandboxProcess

Open = Callable[..., ftrack_api.Session]


@pytest.fixture
def session(open_session: Open) -> ftrack_api.Session:
    """Mara's session."""
    return open_session("mara.okafor")


@pytest.fixture
def updates(live_site: SandboxProcess) -> Callable[[], list[dict[str, Any]]]:
    """The ``ftrack.update`` events since the test began."""
    before = live_site.last_event()
    return lambda: [row["event"] for row in live_site.events(before, "ftrack.update")]


def only(entities: list[dict[str, Any]], entity_type: str, action: str = "") -> dict[str, Any]:
    found = [e for e in entities if e["entity_type"] == entity_type and action in ("", e["action"])]
    assert len(found) == 1, entities
    return found[0]


def layout(session: ftrack_api.Session) -> Any:
    return session.query(
        'select name, status_id, type_id, parent_id, project_id, bid from Task where name is "layout" '
        'and parent.name is "001_0010"'
    ).one()


def status(session: ftrack_api.Session, name: str) -> Any:
    return session.query(f'Status where name is "{name}"').one()


def test_fact_2_3_a_status_change_has_the_recorded_shape(
    session: ftrack_api.Session, updates: Callable[[], Any]
) -> None:
    task = layout(session)
    old, new = task["status_id"], status(session, "On Hold")["id"]
    task["status_id"] = new
    session.commit()
    (event,) = updates()
    assert set(event) == {"id", "topic", "data", "source", "target", "sent", "inReplyToEvent"}
    assert (event["topic"], event["target"], event["sent"], event["inReplyToEvent"]) == (
        "ftrack.update",
        "",
        None,
        None,
    )
    assert set(event["data"]) == {"pushToken", "clientToken", "user", "parents", "entities"}
    (entity,) = event["data"]["entities"]
    assert entity["action"] == "update"
    assert (entity["entityType"], entity["entity_type"]) == ("task", "Task")
    assert entity["entityId"] == task["id"]
    assert entity["parentId"] == task["parent_id"]
    assert entity["objectTypeId"] == "11c137c0-ee7e-4f9c-91c5-8c77cec22b2c"
    assert entity["keys"] == ["statusid"]
    assert entity["changes"] == {"statusid": {"old": old, "new": new}}


def test_fact_2_3_the_source_names_token_application_and_user(
    session: ftrack_api.Session, updates: Callable[[], Any]
) -> None:
    layout(session)["description"] = uuid.uuid4().hex
    session.commit()
    (event,) = updates()
    mara = session.query('User where username is "mara.okafor"').one()
    assert event["source"]["user"] == {"username": "mara.okafor", "id": mara["id"]}
    assert event["source"]["applicationId"] == "ftrack.api.python"
    assert event["source"]["id"] == event["source"]["clientToken"] == event["data"]["clientToken"]
    assert event["data"]["user"] == {"userid": mara["id"], "name": "Mara Okafor"}


def test_fact_1_1_a_client_s_own_tokens_come_back_in_the_update(
    session: ftrack_api.Session, updates: Callable[[], Any]
) -> None:
    session._request.headers.update({"ftrack-Clienttoken": "my-token", "ftrack-pushtoken": "my-push"})
    layout(session)["description"] = uuid.uuid4().hex
    session.commit()
    (event,) = updates()
    assert event["data"]["clientToken"] == event["source"]["clientToken"] == event["source"]["id"] == "my-token"
    assert event["data"]["pushToken"] == "my-push"
    assert event["source"]["applicationId"] == "ftrack.client.web"


def test_fact_2_3_parents_run_from_the_entity_to_the_project(
    session: ftrack_api.Session, updates: Callable[[], Any]
) -> None:
    task = layout(session)
    task["bid"] = (task["bid"] or 0) + 60
    session.commit()
    (event,) = updates()
    parents = event["data"]["entities"][0]["parents"]
    assert [parent["entity_type"] for parent in parents] == ["Task", "Shot", "Sequence", "Project"]
    assert [parent["entityType"] for parent in parents] == ["task", "task", "task", "show"]
    assert parents[0]["entityId"] == task["id"]
    assert [parent["parentId"] for parent in parents] == [*(parent["entityId"] for parent in parents[1:]), None]
    assert parents[-1]["entityId"] == task["project_id"]
    assert event["data"]["parents"] == [parent["entityId"] for parent in parents]


def test_fact_2_3_one_commit_is_one_event_with_many_entities(
    session: ftrack_api.Session, updates: Callable[[], Any]
) -> None:
    tasks = session.query('select description from Task where parent.name is "002_0020"').all()
    for task in tasks:
        task["description"] = uuid.uuid4().hex
    session.commit()
    (event,) = updates()
    assert {entity["entityId"] for entity in event["data"]["entities"]} == {task["id"] for task in tasks}
    assert len(tasks) == 4


def test_fact_2_3_a_refused_commit_says_nothing(session: ftrack_api.Session, updates: Callable[[], Any]) -> None:
    layout(session)["description"] = "half of it"
    session.create("User", {"username": "mara.okafor"})
    with pytest.raises(ftrack_api.exception.ServerError):
        session.commit()
    assert updates() == []


def test_fact_2_3_an_added_task_tells_its_values_under_legacy_names(
    session: ftrack_api.Session, updates: Callable[[], Any]
) -> None:
    shot = session.query('Shot where name is "001_0020"').one()
    kind = session.query('Type where name is "FX"').one()
    task = session.create("Task", {"name": "sparks", "parent": shot, "type": kind})
    session.commit()
    entities = [entity for event in updates() for entity in event["data"]["entities"]]
    added = only(entities, "Task", "add")
    values = {key: change["new"] for key, change in added["changes"].items()}
    assert all(change["old"] is None for change in added["changes"].values())
    assert values["name"] == "sparks"
    assert values["parent_id"] == shot["id"]
    assert values["typeid"] == kind["id"]
    assert values["showid"] == shot["project_id"]
    assert values["statusid"] == status(session, "Not started")["id"]
    assert values["priorityid"] == "9661b320-3a0c-11e2-81c1-0800200c9a66"
    assert values["object_typeid"] == "11c137c0-ee7e-4f9c-91c5-8c77cec22b2c"
    assert values["id"] == values["taskid"] == task["id"]
    assert {"isopen", "isrequirecomment"} <= set(added["keys"])
    assert sorted(added["keys"]) == sorted(added["changes"])


def test_fact_2_3_a_moved_shot_is_a_move_even_when_more_changes(
    session: ftrack_api.Session, updates: Callable[[], Any]
) -> None:
    first, second = (session.query(f'Sequence where name is "{name}"').first() for name in ("001", "002"))
    shot = session.create("Shot", {"name": f"moved_{uuid.uuid4().hex[:6]}", "parent": first})
    session.commit()
    shot["parent_id"] = second["id"]
    shot["description"] = "moved"
    session.commit()
    moved = only(updates()[-1]["data"]["entities"], "Shot")
    assert moved["action"] == "move"
    assert moved["changes"]["parent_id"] == {"old": first["id"], "new": second["id"]}
    assert moved["changes"]["description"]["new"] == "moved"
    assert [parent["entityId"] for parent in moved["parents"]][1] == second["id"]


def test_fact_2_3_a_removed_task_tells_what_it_held(session: ftrack_api.Session, updates: Callable[[], Any]) -> None:
    shot = session.query('Shot where name is "001_0030"').one()
    task = session.create("Task", {"name": "short lived", "parent": shot})
    session.commit()
    identifier = task["id"]
    session.delete(task)
    session.commit()
    removed = only(updates()[-1]["data"]["entities"], "Task")
    assert removed["action"] == "remove"
    assert removed["entityId"] == identifier
    assert removed["changes"]["name"] == {"old": "short lived", "new": None}
    assert removed["changes"]["taskid"] == {"old": identifier, "new": None}
    assert [parent["entity_type"] for parent in removed["parents"]] == ["Task", "Shot", "Sequence", "Project"]


def test_fact_2_3_custom_attributes_are_text_on_the_entity_that_owns_them(
    session: ftrack_api.Session, updates: Callable[[], Any]
) -> None:
    shot = session.query('select custom_attributes from Shot where name is "003_0010"').one()
    shot["custom_attributes"]["fend"] = 1234
    shot["custom_attributes"]["hero"] = True
    shot["custom_attributes"]["fps"] = 23.976
    session.commit()
    changed = [entity for event in updates() for entity in event["data"]["entities"]]
    assert {entity["entityId"] for entity in changed} == {shot["id"]}
    values = {key: change["new"] for entity in changed for key, change in entity["changes"].items()}
    assert values == {"fend": "1234", "hero": "1", "fps": "23.976"}
    old = {key: change["old"] for entity in changed for key, change in entity["changes"].items()}
    assert old["hero"] in ("", "0")
    assert old["fps"] == ""
    shot["custom_attributes"]["hero"] = False
    session.commit()
    assert updates()[-1]["data"]["entities"][0]["changes"]["hero"] == {"old": "1", "new": "0"}


def test_fact_2_3_date_times_are_iso_text_with_microseconds(
    session: ftrack_api.Session, updates: Callable[[], Any]
) -> None:
    shot = session.query('Shot where name is "001_0040"').one()
    session.create("Task", {"name": "dated", "parent": shot, "end_date": datetime(2026, 12, 24, 18, 30)})
    session.commit()
    added = only(updates()[-1]["data"]["entities"], "Task", "add")
    assert added["changes"]["enddate"]["new"].startswith("2026-12-24T18:30:00.")
    assert len(added["changes"]["created_at"]["new"].rpartition(".")[2]) == 6


def test_fact_2_3_booleans_are_booleans_under_legacy_names(
    session: ftrack_api.Session, updates: Callable[[], Any]
) -> None:
    version = session.query("AssetVersion").first()
    version["is_published"] = not version["is_published"]
    session.commit()
    change = only(updates()[-1]["data"]["entities"], "AssetVersion")["changes"]["ispublished"]
    assert change == {"old": True, "new": False}


def test_fact_2_3_a_version_s_parents_are_asset_then_contexts(
    session: ftrack_api.Session, updates: Callable[[], Any]
) -> None:
    task = layout(session)
    asset = session.query(f'Asset where parent.id is "{task["parent_id"]}" and name is "layout"').one()
    version = session.create("AssetVersion", {"asset": asset, "task": task, "comment": "again"})
    session.commit()
    added = only(updates()[-1]["data"]["entities"], "AssetVersion", "add")
    assert added["entityType"] == "assetversion"
    assert [parent["entityType"] for parent in added["parents"]] == ["assetversion", "asset", "task", "task", "show"]
    values = {key: change["new"] for key, change in added["changes"].items()}
    assert (values["assetid"], values["taskid"], values["version"]) == (asset["id"], task["id"], version["version"])
    assert {"statusid", "userid", "ispublished"} <= set(values)


def test_fact_2_3_a_note_s_second_parent_is_what_it_was_written_on(
    session: ftrack_api.Session, updates: Callable[[], Any]
) -> None:
    task = layout(session)
    task.create_note("Nice.", author=session.query('User where username is "mara.okafor"').one())
    session.commit()
    added = only([e for event in updates() for e in event["data"]["entities"]], "Note", "add")
    assert added["entityType"] == "note"
    assert added["changes"]["text"]["new"] == "Nice."
    assert added["parents"][1]["entityId"] == task["id"]
    assert added["parents"][-1]["entityType"] == "show"


def test_fact_2_3_an_assignment_is_an_appointment_whose_type_says_so(
    session: ftrack_api.Session, updates: Callable[[], Any]
) -> None:
    task, sana = layout(session), session.query('User where username is "sana.malik"').one()
    session.create("Appointment", {"context": task, "resource": sana, "type": "assignment"})
    session.commit()
    added = only(updates()[-1]["data"]["entities"], "Appointment", "add")
    assert added["entityType"] == "appointment"
    assert added["changes"]["type"] == {"old": None, "new": "assignment"}
    assert task["id"] in [parent["entityId"] for parent in added["parents"]]


def test_fact_2_3_a_version_added_to_a_list_is_a_listobject(
    session: ftrack_api.Session, updates: Callable[[], Any]
) -> None:
    dailies = session.query("AssetVersionList").first()
    known = {version["id"] for version in dailies["items"]}
    version = next(v for v in session.query("AssetVersion").all() if v["id"] not in known)
    dailies["items"].append(version)
    session.commit()
    added = only(updates()[-1]["data"]["entities"], "ListObject", "add")
    assert added["entityType"] == "listobject"
    assert added["changes"]["listid"]["new"] == dailies["id"]
    assert added["changes"]["entityid"]["new"] == version["id"]


@pytest.mark.parametrize(
    ("entity_type", "name"),
    [
        ("Project", "show"),
        ("User", "user"),
        ("Asset", "asset"),
        ("AssetVersion", "assetversion"),
        ("AssetVersionList", "list"),
        ("TypedContextList", "list"),
        ("ReviewSession", "reviewsession"),
        ("ReviewSessionObject", "reviewsessionobject"),
        ("Shot", "task"),
        ("Sequence", "task"),
        ("Episode", "task"),
        ("Folder", "task"),
        ("AssetBuild", "task"),
    ],
)
def test_fact_2_3_entity_types_are_told_by_their_tables(
    session: ftrack_api.Session, updates: Callable[[], Any], entity_type: str, name: str
) -> None:
    entity = session.query(entity_type).first()
    key = "comment" if entity_type == "AssetVersion" else "last_name" if entity_type == "User" else "name"
    was = entity[key]
    entity[key] = f"{was}x"
    session.commit()
    entity[key] = was
    session.commit()
    changed = only(updates()[0]["data"]["entities"], entity_type)
    assert changed["entityType"] == name
    assert changed["entityId"] == entity["id"]


def test_fact_2_3_a_dependency_a_job_and_a_timelog_are_told_of(
    session: ftrack_api.Session, updates: Callable[[], Any]
) -> None:
    task, mara = layout(session), session.query('User where username is "mara.okafor"').one()
    other = session.query('Task where name is "animation" and parent.name is "001_0010"').one()
    session.create("TypedContextLink", {"from": task, "to": other})
    session.create("Job", {"user": mara, "status": "running"})
    session.create("Timelog", {"user": mara, "context": task, "duration": 60, "start": datetime(2026, 11, 1, 9, 0)})
    session.create("FileComponent", {"name": "main", "version": session.query("AssetVersion").first()})
    mara.start_timer(task, force=True)
    mara.stop_timer()
    session.commit()
    told = {entity["entityType"] for event in updates() for entity in event["data"]["entities"]}
    assert {"dependency", "job", "timelog", "timer", "component"} <= told


def test_fact_2_3_a_history_row_is_no_entity_of_its_own(
    session: ftrack_api.Session, updates: Callable[[], Any]
) -> None:
    task = layout(session)
    task["status"] = status(session, "Approved" if task["status"]["name"] != "Approved" else "In progress")
    session.commit()
    assert [entity["entity_type"] for event in updates() for entity in event["data"]["entities"]] == ["Task"]
    assert session.query(f'StatusChange where parent_id is "{task["id"]}"').all()


def test_an_unchanged_value_is_no_change(session: ftrack_api.Session, updates: Callable[[], Any]) -> None:
    task = layout(session)
    same = task["status_id"]
    session.call(
        [
            {
                "action": "update",
                "entity_type": "Task",
                "entity_key": [task["id"]],
                "entity_data": {"__entity_type__": "Task", "status_id": same},
            }
        ]
    )
    assert updates() == []


def test_a_commit_reaches_another_session_s_subscriber(session: ftrack_api.Session, listen: Callable[..., Any]) -> None:
    listener = listen("topic=ftrack.update and source.user.username=mara.okafor", user="dana.reyes")
    layout(session)["description"] = uuid.uuid4().hex
    session.commit()
    assert listener.wait()[0]["data"]["entities"][0]["keys"] == ["description"]


def test_the_event_log_is_durable_ordered_and_pages(
    live_site: SandboxProcess, session: ftrack_api.Session, listen: Callable[..., Any]
) -> None:
    before = live_site.last_event()
    task = layout(session)
    for number in range(3):
        task["description"] = f"{number} {uuid.uuid4().hex}"
        session.commit()
    rows = live_site.events(before, "ftrack.update")
    assert [row["id"] for row in rows] == sorted({row["id"] for row in rows})
    assert len(rows) == 3
    assert live_site.events(rows[1]["id"], "ftrack.update") == rows[2:]
    assert all(row["time"] > 1_700_000_000 for row in rows)


def test_the_event_log_wants_credentials(live_site: SandboxProcess) -> None:
    key, live_site.key = live_site.key, "wrong"
    try:
        assert live_site.request("/_sandbox/events?after=0")[0] == 401
    finally:
        live_site.key = key
    assert live_site.request("/_sandbox/events?after=x")[0] == 400
