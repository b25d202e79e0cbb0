"""Protocol facts 1.3 (actions), 1.4 (how values are written) and 1.5 (schemas)."""

from __future__ import annotations

import json
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

import arrow
import ftrack_api
import pytest
from ftrack_api.exception import ServerError
from sandbox_process import SandboxProcess


def query(site: SandboxProcess, expression: str) -> dict[str, Any]:
    """One query's whole answer."""
    answer = site.api({"action": "query", "expression": expression})
    assert isinstance(answer, list), answer
    return dict(answer[0])


def test_fact_1_3_server_information_has_version_hash_scenario_and_time_zones(suite_site: SandboxProcess) -> None:
    information = suite_site.api({"action": "query_server_information", "values": []})[0]
    assert tuple(int(part) for part in information["version"].split(".")) >= (3, 3, 11)
    assert information["storage_scenario"] == {"scenario": "ftrack.server", "data": {}}
    assert information["is_timezone_support_enabled"] is True
    assert information["is_nested_subqueries_enabled"] is True


def test_fact_1_3_query_schemas_answers_a_bare_list(suite_site: SandboxProcess) -> None:
    schemas = suite_site.api({"action": "query_schemas"})[0]
    assert isinstance(schemas, list)
    assert {"Task", "Shot", "Project", "AssetVersion"} <= {schema["id"] for schema in schemas}


def test_fact_1_3_a_query_answers_data_and_the_next_offset(suite_site: SandboxProcess) -> None:
    answer = query(suite_site, "select username from User order by username offset 0 limit 3")
    assert answer["action"] == "query"
    assert len(answer["data"]) == 3
    assert answer["metadata"] == {"next": {"offset": 3}}


def test_fact_1_3_search_finds_by_terms_in_a_context_by_object_type(
    suite_site: SandboxProcess, shot: Any, project: Any
) -> None:
    def search(**fields: Any) -> list[str]:
        answer = suite_site.api(
            {"action": "search", "expression": "select name from TypedContext", "entity_type": "TypedContext", **fields}
        )
        return sorted(row["name"] for row in answer[0]["data"])

    assert search(terms=["sq010"], context_id=project["id"], object_type_ids=[]) == ["sq010", "sq010_0010"]
    shots = ["bad911de-3bd6-47b9-8b46-3476e237cb36"]
    assert search(terms=["SQ010"], context_id=project["id"], object_type_ids=shots) == ["sq010_0010"]
    assert search(terms=["sq010", "nowhere"], context_id=project["id"]) == []


def test_fact_1_3_create_update_and_delete_go_over_the_wire(suite_site: SandboxProcess, project: Any) -> None:
    key = str(uuid.uuid4())
    created = suite_site.api(
        {
            "action": "create",
            "entity_type": "Shot",
            "entity_key": [key],
            "entity_data": {
                "__entity_type__": "Shot",
                "id": key,
                "name": "a",
                "parent": {"__entity_type__": "Project", "id": project["id"]},
            },
        }
    )[0]
    assert created["action"] == "create"
    assert created["data"]["name"] == "a"
    updated = suite_site.api(
        {
            "action": "update",
            "entity_type": "TypedContext",
            "entity_key": [key],
            "entity_data": {"__entity_type__": "TypedContext", "name": "b"},
        }
    )[0]
    assert (updated["action"], updated["data"]["id"], updated["data"]["name"]) == ("update", key, "b")
    deleted = suite_site.api({"action": "delete", "entity_type": "Shot", "entity_key": [key]})
    assert deleted == [{"action": "delete", "data": True}]
    assert query(suite_site, f'Shot where id is "{key}"')["data"] == []


def test_fact_1_3_a_widget_url_can_be_opened(session: ftrack_api.Session, task: Any) -> None:
    with urllib.request.urlopen(session.get_widget_url("tasks", entity=task, theme="dark"), timeout=5) as response:
        assert response.status == 200


def test_fact_1_3_a_reset_api_key_serves_its_user_and_nobody_else(
    session: ftrack_api.Session, suite_site: SandboxProcess
) -> None:
    user = session.query('User where username is "user04"').one()
    answer = session.reset_remote("api_key", entity=user)
    new_key = answer["api_key"]
    assert new_key
    body = json.dumps([{"action": "query", "expression": "User limit 1"}]).encode()
    for username, works in (("user04", True), ("user05", False)):
        request = urllib.request.Request(
            suite_site.url + "/api", data=body, headers={"ftrack-user": username, "ftrack-api-key": new_key}
        )
        with urllib.request.urlopen(request, timeout=5) as response:
            assert isinstance(json.loads(response.read()), list) is works


def test_fact_1_3_invitations_are_sent(session: ftrack_api.Session, project: Any) -> None:
    session.send_user_invite(session.query('User where username is "user06"').one())
    review = session.create("ReviewSession", {"name": "r", "description": "d", "project": project})
    invitee = session.create("ReviewSessionInvitee", {"name": "n", "email": "n@example.com", "review_session": review})
    session.commit()
    session.send_review_session_invite(invitee)
    session.reset()
    assert session.get("ReviewSessionInvitee", invitee["id"])["last_sent_at"] is not None


def test_fact_1_3_what_the_commit_optimiser_sends_is_understood(
    session: ftrack_api.Session, suite_site: SandboxProcess, project: Any
) -> None:
    gone = session.create("Shot", {"name": "gone", "parent": project})
    gone_id = gone["id"]
    session.delete(gone)
    kept = session.create("Shot", {"name": "one", "parent": project})
    kept["name"] = "two"
    kept["description"] = "three"
    suite_site.counters(reset=True)
    session.commit()
    assert suite_site.counters()["kinds"] == {"create": 1, "commits": 1, "requests": 1}
    session.reset()
    assert session.get("Shot", kept["id"])["name"] == "two"
    assert session.get("Shot", kept["id"])["description"] == "three"
    assert session.get("Shot", gone_id) is None


def test_fact_1_4_datetimes_are_stored_in_utc_without_zone_and_microseconds(
    suite_site: SandboxProcess, session: ftrack_api.Session, task: Any
) -> None:
    task["start_date"] = arrow.get("2026-11-22T05:41:57.527835+02:00")
    session.commit()
    row = query(suite_site, f'select start_date from Task where id is "{task["id"]}"')["data"][0]
    assert row["start_date"] == {"__type__": "datetime", "value": "2026-11-22T03:41:57"}


def test_fact_1_4_a_date_is_the_midnight_it_begins_with(suite_site: SandboxProcess, task: Any) -> None:
    sent = {"__type__": "date", "value": "2026-11-22"}
    suite_site.api(
        {"action": "update", "entity_type": "Task", "entity_key": [task["id"]], "entity_data": {"start_date": sent}}
    )
    row = query(suite_site, f'select start_date from Task where id is "{task["id"]}"')["data"][0]
    assert row["start_date"] == {"__type__": "datetime", "value": "2026-11-22T00:00:00"}


def test_fact_1_4_what_is_no_date_is_refused_in_words_the_client_can_show(
    session: ftrack_api.Session, task: Any
) -> None:
    data = {"start_date": {"__type__": "datetime", "value": "soon"}}
    with pytest.raises(ServerError) as refused:
        session.call([{"action": "update", "entity_type": "Task", "entity_key": [task["id"]], "entity_data": data}])
    assert """Value for "start_date" must be of type date-time. Got 'soon'.""" in str(refused.value)


def test_fact_1_4_an_answer_echoes_a_datetime_as_it_was_sent(suite_site: SandboxProcess, task: Any) -> None:
    sent = {"__type__": "datetime", "value": "2026-11-22T05:41:57.527835+00:00"}
    for operation in (
        {"action": "update", "entity_type": "Task", "entity_key": [task["id"]], "entity_data": {"start_date": sent}},
        {
            "action": "create",
            "entity_type": "Timelog",
            "entity_data": {"start": sent, "duration": 60, "context_id": task["id"]},
        },
    ):
        data = suite_site.api(operation)[0]["data"]
        assert data.get("start_date", data.get("start")) == sent


def test_fact_1_4_ensure_finds_what_it_made_with_a_datetime(session: ftrack_api.Session, task: Any) -> None:
    data = {"start": arrow.get("2026-01-02T03:04:05"), "duration": 10.0, "comment": "c", "context_id": task["id"]}
    first = session.ensure("Timelog", data, identifying_keys=["start", "context_id"])
    assert session.ensure("Timelog", data, identifying_keys=["start", "context_id"])["id"] == first["id"]


def test_fact_1_4_references_and_collections_carry_type_and_whole_key(suite_site: SandboxProcess, task: Any) -> None:
    row = query(suite_site, f'select parent, metadata, notes from Task where id is "{task["id"]}"')["data"][0]
    assert row["parent"]["__entity_type__"] == "Shot"
    assert row["parent"]["id"] == task["parent_id"]
    assert row["metadata"] == []
    assert row["notes"] == []


def test_fact_1_4_a_created_component_keeps_the_type_it_was_created_as(session: ftrack_api.Session) -> None:
    plain = session.create("Component", {"name": "plain"})
    session.commit()
    assert session.query(f'Component where id is "{plain["id"]}"').one() is plain
    assert plain["name"] == "plain"


def test_fact_1_4_a_row_has_what_was_asked_its_key_and_the_system_projections(
    suite_site: SandboxProcess, task: Any
) -> None:
    row = query(suite_site, f'select name from Task where id is "{task["id"]}"')["data"][0]
    assert set(row) == {"__entity_type__", "id", "name", "context_type", "project_id"}


def test_fact_1_4_a_bare_reference_is_key_and_system_projections_only(suite_site: SandboxProcess, task: Any) -> None:
    row = query(suite_site, f'select status from Task where id is "{task["id"]}"')["data"][0]
    assert set(row["status"]) == {"__entity_type__", "id"}


def test_fact_1_4_create_answers_all_scalars_with_the_server_s_defaults(suite_site: SandboxProcess, name: str) -> None:
    data = {"__entity_type__": "User", "username": name}
    answer = suite_site.api({"action": "create", "entity_type": "User", "entity_data": data})[0]["data"]
    assert answer["username"] == name
    assert {"first_name", "last_name", "is_active", "is_otp_enabled", "user_type_id", "resource_type", "id"} <= set(
        answer
    )


def test_fact_1_4_update_answers_both_halves_of_a_relation(
    suite_site: SandboxProcess, session: ftrack_api.Session, task: Any
) -> None:
    other = session.query('Status where name is "In progress"').first()
    for data in ({"status_id": other["id"]}, {"status": {"__entity_type__": "Status", "id": other["id"]}}):
        answer = suite_site.api(
            {"action": "update", "entity_type": "Task", "entity_key": [task["id"]], "entity_data": data}
        )[0]["data"]
        assert answer["status_id"] == other["id"]
        assert answer["status"] == {"__entity_type__": "Status", "id": other["id"]}
        assert answer["id"] == task["id"]


def test_fact_1_4_a_changed_collection_is_there_after_the_commit_without_a_new_query(
    session: ftrack_api.Session, task: Any
) -> None:
    user = session.query('User where username is "jenkins"').one()
    note = task.create_note("first", user)
    session.commit()
    reply = note.create_reply("second", user)
    session.commit()
    assert [entry["id"] for entry in note["replies"]] == [reply["id"]]
    task["metadata"]["a"] = "1"
    session.commit()
    assert dict(task["metadata"]) == {"a": "1"}


def test_fact_1_5_every_schema_has_what_the_class_factory_needs(suite_site: SandboxProcess) -> None:
    for schema in suite_site.api({"action": "query_schemas"})[0]:
        assert schema["type"] == "object"
        assert schema["primary_key"]
        assert set(schema["primary_key"]) <= set(schema["properties"])
        assert {"immutable", "computed", "required", "default_projections", "system_projections"} <= set(schema)


def test_fact_1_5_property_kinds_are_written_as_recorded(suite_site: SandboxProcess) -> None:
    schemas = {schema["id"]: schema for schema in suite_site.api({"action": "query_schemas"})[0]}
    task = schemas["Task"]["properties"]
    assert task["status"] == {"$ref": "Status"}
    assert task["children"] == {"type": "array", "items": {"$ref": "Context"}}
    assert task["metadata"]["type"] == "mapped_array"
    assert task["metadata"]["items"] == {"$ref": "Metadata"}
    assert task["metadata"]["key_value_attributes"] == {"key": "key", "value": "value"}
    assert task["id"]["default"] == "{uid}"
    assert task["start_date"] == {"type": "string", "format": "date-time", "alias_for": "startdate"}
    assert task["status_id"]["format"] == "foreign_key"
    assert task["custom_attribute_links"]["restricted_projection"] is True
    assert schemas["Shot"]["$mixin"] == {"$ref": "TypedContext"}


@pytest.mark.parametrize(
    ("entity_type", "event_type"),
    [("Task", "task"), ("Project", "show"), ("TypedContextLink", "dependency"), ("User", "user")],
)
def test_fact_1_5_action_handlers_translate_types_by_alias(
    session: ftrack_api.Session, entity_type: str, event_type: str
) -> None:
    # As ftrack's own action handler does: the first schema whose plain alias is the name, else whose id is.
    found = next(
        (
            schema["id"]
            for schema in session.schemas
            if isinstance(schema.get("alias_for"), str) and schema["alias_for"].lower() == event_type
        ),
        None,
    ) or next(schema["id"] for schema in session.schemas if schema["id"].lower() == event_type)
    assert found == {"task": "TypedContext"}.get(event_type, entity_type)


def test_fact_1_5_one_schema_an_object_type_with_its_classifier(session: ftrack_api.Session) -> None:
    aliases = {schema["id"]: schema.get("alias_for") for schema in session.schemas}
    kinds = {row["id"]: row["name"].replace(" ", "") for row in session.query("select name from ObjectType")}
    for object_type, entity_type in kinds.items():
        assert aliases[entity_type] == {"id": "Task", "classifiers": {"object_typeid": object_type}}


def test_fact_1_5_an_object_type_makes_its_own_kind_of_context(
    suite_site: SandboxProcess, project: Any, new_session: Callable[..., ftrack_api.Session]
) -> None:
    data = {"name": "f", "parent_id": project["id"], "object_type_id": "3c133785-51cb-11e3-980a-20c9d0831e59"}
    answer = suite_site.api({"action": "create", "entity_type": "TypedContext", "entity_data": data})[0]["data"]
    assert answer["__entity_type__"] == "Folder"
    assert new_session().get("TypedContext", answer["id"]).entity_type == "Folder"
