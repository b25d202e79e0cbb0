"""Protocol fact 1.7: what the server owns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import arrow
import ftrack_api
import pytest
from ftrack_api.exception import ServerError
from sandbox_process import SandboxProcess

TASK_NONE_PRIORITY = "9661b320-3a0c-11e2-81c1-0800200c9a66"


@pytest.mark.parametrize(
    ("root", "own"),
    [
        ("Context", "Shot"),
        ("TypedContext", "Shot"),
        ("Component", "FileComponent"),
        ("Resource", "User"),
        ("List", "AssetVersionList"),
        ("NoteLabel", "NoteCategory"),
        ("CustomConfigurationBase", "CustomAttributeConfiguration"),
    ],
)
def test_fact_1_7_a_polymorphic_root_answers_with_the_concrete_type(
    suite_site: SandboxProcess, session: ftrack_api.Session, root: str, own: str
) -> None:
    some = session.query(own).first()
    answer = suite_site.api({"action": "query", "expression": f'{root} where id is "{some["id"]}"'})[0]["data"]
    assert [row["__entity_type__"] for row in answer] == [own]
    assert session.get(root, some["id"]).entity_type == own


def test_fact_1_7_status_changes_are_of_their_owner_s_kind(
    session: ftrack_api.Session, task: Any, version: Any
) -> None:
    task["status"] = session.query('Status where name is "In progress"').first()
    workflow = {"Approved": "Pending", "Pending": "Approved"}
    version["status"] = session.query(f'Status where name is "{workflow[version["status"]["name"]]}"').first()
    session.commit()
    for entity, kind in ((task, "TypedContextStatusChange"), (version, "AssetVersionStatusChange")):
        change = session.query(f'StatusChange where parent_id is "{entity["id"]}"').one()
        assert change.entity_type == kind
        assert change["parent"] is entity


def test_fact_1_7_custom_attributes_are_dense_with_defaults_and_null_for_unset_hierarchical_ones(
    session: ftrack_api.Session, project: Any, shot: Any, task: Any, version: Any
) -> None:
    assert dict(shot["custom_attributes"]) == {"fstart": 1, "htest": None}
    assert dict(task["custom_attributes"]) == {"customNumber": 0, "htest": None}
    assert dict(project["custom_attributes"]) == {"htest": None}
    assert dict(version["custom_attributes"]) == {"versiontest": 0, "NumberField": 0, "htest": None}


def test_fact_1_7_a_custom_attribute_is_set_read_back_and_kept(
    session: ftrack_api.Session, new_session: Callable[..., ftrack_api.Session], shot: Any
) -> None:
    for value in (1001, 1002):
        shot["custom_attributes"]["fstart"] = value
        session.commit()
        other = new_session().get("Shot", shot["id"])
        assert other["custom_attributes"]["fstart"] == value


@pytest.mark.parametrize(
    ("kind", "value", "finds", "misses"),
    [
        (
            "date",
            "2026-01-02T00:00:00",
            ['is "2026-01-02"', '> "2026-01-01"', '<= "2026-01-02"', 'in ("2026-01-02", "x")', "is_not none"],
            ['is "2026-01-03"', '> "2026-01-02"', "is none"],
        ),
        ("text", "1001", ['is "1001"', "is 1001", 'in ("1001")', 'like "10%"'], ['is "x"', 'not_in ("1001")']),
        ("number", 2.5, ["is 2.5", 'is "2.5"', "> 2", 'in ("1", "2.5")'], ["< 2.5", "is 2"]),
        ("boolean", True, ["is true", "is True", 'is "1"', 'in ("true")'], ["is false"]),
    ],
)
def test_fact_1_7_a_custom_attribute_is_found_by_what_its_type_means(
    session: ftrack_api.Session,
    project: Any,
    shot: Any,
    name: str,
    kind: str,
    value: Any,
    finds: list[str],
    misses: list[str],
) -> None:
    values = {"entity_type": "task", "key": name, "label": name, "config": "{}", "is_hierarchical": False}
    values["type"] = session.query(f'CustomAttributeType where name is "{kind}"').one()
    values["object_type"] = shot["object_type"]
    session.create("CustomAttributeConfiguration", {**values, "project_id": project["id"]})
    session.commit()
    session.reset()
    again = session.get("Shot", shot["id"])
    again["custom_attributes"][name] = arrow.get(value) if kind == "date" else value
    session.commit()

    def found(condition: str) -> bool:
        mine = f'Shot where id is "{shot["id"]}" and custom_attributes any (key is "{name}" and value {condition})'
        return session.query(mine).first() is not None

    assert [one for one in finds if not found(one)] == []
    assert [one for one in misses if found(one)] == []


def test_fact_1_7_a_custom_attribute_of_another_object_type_does_not_apply(
    suite_site: SandboxProcess, session: ftrack_api.Session, task: Any
) -> None:
    configuration = session.query('CustomAttributeConfiguration where key is "fstart"').one()
    answer = suite_site.api(
        {
            "action": "update",
            "entity_type": "ContextCustomAttributeValue",
            "entity_key": [configuration["id"], task["id"]],
            "entity_data": {"value": 5},
        }
    )
    assert answer["exception"] == "ValidationError"


def test_fact_1_7_a_project_s_own_custom_attribute_applies_there_only(
    session: ftrack_api.Session, new_session: Callable[..., ftrack_api.Session], project: Any, shot: Any, name: str
) -> None:
    text = session.query('CustomAttributeType where name is "text"').one()
    session.create(
        "CustomAttributeConfiguration",
        {
            "key": name,
            "label": name,
            "type": text,
            "entity_type": "task",
            "object_type_id": shot["object_type_id"],
            "project_id": project["id"],
            "default": "d",
            "config": "{}",
        },
    )
    session.commit()
    fresh = new_session()
    assert fresh.get("Shot", shot["id"])["custom_attributes"][name] == "d"
    elsewhere = fresh.query(f'Shot where project_id is_not "{project["id"]}"').first()
    assert name not in elsewhere["custom_attributes"]


def test_fact_1_7_custom_attribute_values_cannot_be_created(suite_site: SandboxProcess, task: Any) -> None:
    data = {"configuration_id": "x", "entity_id": task["id"], "value": 1}
    answer = suite_site.api({"action": "create", "entity_type": "ContextCustomAttributeValue", "entity_data": data})
    assert answer["exception"] == "ValidationError"


def test_fact_1_7_link_goes_from_the_project_to_the_entity(
    session: ftrack_api.Session, project: Any, shot: Any, task: Any, version: Any
) -> None:
    expected = [
        {"id": project["id"], "name": project["name"], "type": "Project"},
        {"id": shot["parent_id"], "name": "sq010", "type": "TypedContext"},
        {"id": shot["id"], "name": "sq010_0010", "type": "TypedContext"},
    ]
    assert shot["link"] == expected
    assert task["link"] == [*expected, {"id": task["id"], "name": "comp", "type": "TypedContext"}]
    assert version["link"][:3] == expected
    assert version["link"][3]["type"] == "AssetVersion"


def test_fact_1_7_ancestors_and_descendants_follow_the_tree(
    session: ftrack_api.Session, project: Any, task: Any
) -> None:
    assert {entity["name"] for entity in task["ancestors"]} == {"sq010", "sq010_0010"}
    assert {entity["name"] for entity in project["descendants"]} == {"sq010", "sq010_0010", "comp"}


def test_fact_1_7_time_logged_is_the_sum_of_timelogs(session: ftrack_api.Session, task: Any) -> None:
    for duration in (60.0, 30.5):
        session.create("Timelog", {"context": task, "duration": duration, "start": "2026-01-01T00:00:00"})
    task["bid"] = 100.0
    session.commit()
    session.reset()
    fresh = session.get("Task", task["id"])
    assert fresh["time_logged"] == 90.5
    assert fresh["bid_time_logged_difference"] == 9.5


def test_fact_1_7_a_thumbnail_has_an_address(
    suite_site: SandboxProcess, session: ftrack_api.Session, task: Any
) -> None:
    component = session.create("FileComponent", {"name": "thumbnail", "file_type": ".png"})
    task["thumbnail"] = component
    session.commit()
    answer = suite_site.api(
        {"action": "query", "expression": f'select thumbnail_url from Task where id is "{task["id"]}"'}
    )
    assert component["id"] in answer[0]["data"][0]["thumbnail_url"]["value"]


def test_fact_1_7_a_new_task_gets_project_type_status_priority_bid_and_sort(
    session: ftrack_api.Session, project: Any, task: Any
) -> None:
    assert task["project_id"] == project["id"]
    assert task["context_type"] == "task"
    assert task["object_type"]["name"] == "Task"
    assert task["priority_id"] == TASK_NONE_PRIORITY
    assert task["priority"]["name"] == "None"
    assert task["type"]["name"] == "Generic"
    assert task["status"]["name"] == "Not started"
    assert (task["bid"], task["sort"]) == (0, 0)


def test_fact_1_7_a_new_shot_gets_the_first_status_of_its_object_type(session: ftrack_api.Session, shot: Any) -> None:
    assert shot["status"]["name"] == "Normal"


def test_fact_1_7_versions_count_up_by_themselves_with_user_date_and_status(
    session: ftrack_api.Session, version: Any
) -> None:
    more = [session.create("AssetVersion", {"asset": version["asset"]}) for _ in range(2)]
    session.commit()
    assert [entity["version"] for entity in (version, *more)] == [1, 2, 3]
    assert more[0]["user"]["username"] == "jenkins"
    assert more[0]["date"] is not None
    assert more[0]["status"]["name"] in ("Approved", "Pending")
    session.reset()
    assert session.get("Asset", version["asset_id"])["latest_version"]["version"] == 3
    latest = session.query(f'AssetVersion where asset_id is "{version["asset_id"]}" and is_latest_version is True')
    assert [entity["version"] for entity in latest] == [3]


def test_fact_1_7_a_job_is_an_api_job_and_queued_and_finishes_when_done(session: ftrack_api.Session) -> None:
    job = session.create("Job", {"user": session.query('User where username is "jenkins"').one()})
    session.commit()
    assert (job["type"], job["status"]) == ("api_job", "queued")
    assert job["created_at"] is not None
    job["status"] = "done"
    session.commit()
    session.reset()
    assert session.get("Job", job["id"])["finished_at"] is not None


def test_fact_1_7_a_note_s_author_becomes_a_recipient(session: ftrack_api.Session, task: Any) -> None:
    author = session.query('User where username is "jenkins"').one()
    other = session.query('User where username is "user01"').one()
    note = task.create_note("n", author, recipients=[other])
    session.commit()
    session.reset()
    recipients = session.get("Note", note["id"])["recipients"]
    assert {entry["resource_id"] for entry in recipients} == {author["id"], other["id"]}


def test_fact_1_7_a_label_link_sets_the_note_s_category(session: ftrack_api.Session, task: Any) -> None:
    category = session.query("NoteCategory").first()
    note = task.create_note("n", session.query('User where username is "jenkins"').one(), labels=[category])
    session.commit()
    session.reset()
    assert session.get("Note", note["id"])["category_id"] == category["id"]


def test_fact_1_7_a_reply_hangs_where_its_note_hangs(session: ftrack_api.Session, task: Any) -> None:
    author = session.query('User where username is "jenkins"').one()
    note = task.create_note("question", author)
    reply = note.create_reply("answer", author)
    session.commit()
    session.reset()
    found = session.get("Note", reply["id"])
    assert (found["parent_id"], found["in_reply_to_id"]) == (task["id"], note["id"])
    assert found["project_id"] == task["project_id"]


def test_fact_1_7_a_user_without_a_name_gets_one(session: ftrack_api.Session) -> None:
    user = session.create("User", {"first_name": "No", "last_name": "Name"})
    session.commit()
    assert user["username"]


@pytest.mark.parametrize("entity_type", ["User", "Location", "Project"])
def test_fact_1_7_names_that_must_be_unique_are(
    session: ftrack_api.Session, project: Any, name: str, entity_type: str
) -> None:
    data: dict[str, Any] = {"username": name} if entity_type == "User" else {"name": f"{name}x"}
    if entity_type == "Project":
        data["project_schema_id"] = project["project_schema_id"]
    session.create(entity_type, data)
    session.commit()
    session.create(entity_type, data)
    with pytest.raises(ServerError, match="DuplicateEntryError"):
        session.commit()
    session.rollback()


def test_fact_1_7_deleting_a_project_takes_everything_below_along(
    session: ftrack_api.Session, new_session: Callable[..., ftrack_api.Session], project: Any, task: Any, version: Any
) -> None:
    user = session.query('User where username is "jenkins"').one()
    component = version.create_component(__file__, location=None)
    note = task.create_note("n", user)
    task["metadata"]["k"] = "v"
    appointment = session.create("Appointment", {"context": task, "resource": user, "type": "assignment"})
    session.commit()
    kept = [(entity.entity_type, entity["id"]) for entity in (project, task, version, component, note, appointment)]
    task_id = task["id"]
    session.delete(project)
    session.commit()
    fresh = new_session()
    assert [fresh.get(*identity) for identity in kept] == [None] * len(kept)
    assert fresh.query(f'Metadata where parent_id is "{task_id}"').first() is None
    assert fresh.get("User", user["id"]) is not None


def test_fact_1_7_a_location_that_holds_components_cannot_be_deleted(
    session: ftrack_api.Session, version: Any, name: str
) -> None:
    location = session.create("Location", {"name": name})
    component = session.create("FileComponent", {"name": "main", "version": version})
    place = session.create(
        "ComponentLocation", {"location": location, "component": component, "resource_identifier": "x"}
    )
    session.commit()
    session.delete(location)
    with pytest.raises(ServerError, match="IntegrityError"):
        session.commit()
    session.rollback()
    session.delete(place)
    session.commit()
    session.delete(location)
    session.commit()


def test_fact_1_7_references_that_lead_nowhere_are_refused(session: ftrack_api.Session, project: Any) -> None:
    session.create("Shot", {"name": "s", "parent": project, "status_id": "nowhere"})
    with pytest.raises(ServerError, match="IntegrityError"):
        session.commit()
    session.rollback()


def test_fact_1_7_a_context_keeps_a_name(session: ftrack_api.Session, shot: Any) -> None:
    shot["name"] = None
    with pytest.raises(ServerError, match="Shot needs a name"):
        session.commit()
    session.rollback()


def test_fact_1_7_a_list_holds_versions_once_and_gives_them_back(
    session: ftrack_api.Session, new_session: Callable[..., ftrack_api.Session], project: Any, version: Any, name: str
) -> None:
    category = session.query("ListCategory").first()
    listed = session.create("AssetVersionList", {"name": name, "project": project, "category": category})
    listed["items"].append(version)
    session.commit()
    fresh = new_session()
    again = fresh.get("AssetVersionList", listed["id"])
    assert [entity["id"] for entity in again["items"]] == [version["id"]]
    assert again["system_type"] == "assetversion"
    assert fresh.query(f'AssetVersion where lists any (id is "{listed["id"]}")').one()["id"] == version["id"]
    again["items"].remove(again["items"][0])
    fresh.commit()
    assert new_session().query(f'ListObject where list_id is "{listed["id"]}"').first() is None


def test_fact_1_7_moving_to_another_project_moves_everything_below(
    session: ftrack_api.Session, new_session: Callable[..., ftrack_api.Session], project: Any, shot: Any, task: Any
) -> None:
    other = session.create(
        "Project", {"name": f"{project['name']}b", "project_schema_id": project["project_schema_id"]}
    )
    shot["parent"] = other
    session.commit()
    assert new_session().get("Task", task["id"])["project_id"] == other["id"]
    assert new_session().query(f'AssetVersion where project_id is "{other["id"]}"').one()["version"] == 1
