"""Protocol facts 1.1 (endpoint, headers, start of a session) and 1.2 (errors)."""

from __future__ import annotations

import hashlib
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ftrack_api
import pytest
from ftrack_api.exception import NotUniqueError, ServerCompatibilityError, ServerError
from sandbox_process import SandboxProcess


def post(site: SandboxProcess, body: bytes, **headers: str) -> tuple[int, Any]:
    """A raw request with exactly these headers."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(site.url + "/api", data=body, headers=names)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_fact_1_1_a_list_of_operations_is_answered_by_as_many_results_in_order(suite_site: SandboxProcess) -> None:
    results = suite_site.api(
        {"action": "query", "expression": "select name from Project limit 1"},
        {"action": "query_server_information"},
        {"action": "query", "expression": "User limit 2"},
    )
    assert isinstance(results, list)
    assert [result.get("action") for result in results] == ["query", None, "query"]
    assert results[1]["version"]
    assert len(results[2]["data"]) == 2


def test_fact_1_1_credentials_come_in_headers_and_every_user_is_itself(suite_site: SandboxProcess) -> None:
    jobs = [
        suite_site.api(
            {"action": "create", "entity_type": "Job", "entity_data": {"__entity_type__": "Job", "type": "api_job"}},
            user=user,
        )[0]["data"]["user_id"]
        for user in ("jenkins", "user01")
    ]
    assert jobs[0] == "d07ae5d0-66e1-11e1-b5e9-f23c91df25eb"
    assert jobs[1] != jobs[0]


def test_fact_1_1_the_url_may_end_with_a_slash(suite_site: SandboxProcess, tmp_path: Path) -> None:
    with ftrack_api.Session(
        suite_site.url + "/", suite_site.key, suite_site.user, schema_cache_path=str(tmp_path),
        auto_connect_event_hub=False,
    ) as session:  # fmt: skip
        assert session.query("User").first()


def test_fact_1_1_schemas_are_downloaded_once_and_their_md5_is_the_schema_hash(
    suite_site: SandboxProcess, tmp_path: Path
) -> None:
    def start() -> dict[str, Any]:
        suite_site.counters(reset=True)
        with ftrack_api.Session(
            suite_site.url, suite_site.key, suite_site.user, schema_cache_path=str(tmp_path),
            auto_connect_event_hub=False,
        ) as session:  # fmt: skip
            return dict(session.server_information)

    information = start()
    cached = json.loads((tmp_path / "ftrack_api_schema_cache.json").read_text())
    assert hashlib.md5(json.dumps(cached, sort_keys=True).encode()).hexdigest() == information["schema_hash"]
    start()
    assert suite_site.counters()["kinds"].get("query_schemas", 0) == 0


def test_fact_1_1_the_four_built_in_locations_exist_on_the_server(session: ftrack_api.Session) -> None:
    wanted = {
        ftrack_api.symbol.ORIGIN_LOCATION_ID,
        ftrack_api.symbol.UNMANAGED_LOCATION_ID,
        ftrack_api.symbol.REVIEW_LOCATION_ID,
        ftrack_api.symbol.SERVER_LOCATION_ID,
    }
    on_server = session.call([{"action": "query", "expression": "select id from Location"}])[0]["data"]
    assert wanted <= {location["id"] for location in on_server}


def test_fact_1_2_a_wrong_key_is_an_error_object_as_200_unless_the_client_is_strict(
    suite_site: SandboxProcess,
) -> None:
    operations = json.dumps([{"action": "query", "expression": "User"}]).encode()
    status, body = post(suite_site, operations, ftrack_user="jenkins", ftrack_api_key="wrong")
    assert (status, sorted(body)) == (200, ["content", "error_code", "exception"])
    assert body["exception"] == "InvalidCredentialsError"
    assert body["content"].startswith("The supplied API key is not valid.")
    strict = {"ftrack_user": "jenkins", "ftrack_api_key": "wrong", "ftrack_strict_api": "true"}
    assert post(suite_site, operations, **strict) == (401, body)


@pytest.mark.parametrize("strict", [False, True])
def test_fact_1_2_the_client_raises_the_same_server_error_in_both_modes(
    new_session: Callable[..., ftrack_api.Session], strict: bool
) -> None:
    session = new_session(strict_api=strict)
    with pytest.raises(ServerError, match=r"Server reported error: ParseError\(Failed to parse: .* Task where and"):
        session.query("Task where and").all()


def test_fact_1_2_a_parse_error_quotes_the_expression(suite_site: SandboxProcess) -> None:
    answer = suite_site.api({"action": "query", "expression": "select nothing from Task"})
    assert answer["exception"] == "ParseError"
    assert "select nothing from Task" in answer["content"]


def test_fact_1_2_a_custom_attribute_of_the_wrong_type_is_a_validation_error(
    session: ftrack_api.Session, shot: Any
) -> None:
    shot["custom_attributes"]["fstart"] = "test"
    with pytest.raises(ServerError, match=r'ValidationError\(Custom attribute value for "fstart" must be of type num'):
        session.commit()
    session.rollback()


def test_fact_1_2_a_second_timer_is_a_duplicate_entry(
    new_session: Callable[..., ftrack_api.Session], task: Any
) -> None:
    session = new_session("user02")
    user = session.query('User where username is "user02"').one()
    user.start_timer(task, name="one")
    with pytest.raises(NotUniqueError):
        user.start_timer(task, name="two")
    session.rollback()
    user.stop_timer()


def test_fact_1_2_a_user_without_permission_is_told_so(suite_site: SandboxProcess) -> None:
    suite_site.faults(deny={"user03": ["query"]})
    answer = suite_site.api({"action": "query", "expression": "Task"}, user="user03")
    suite_site.faults(reset=True)
    assert answer["exception"] == "PermissionError"
    assert isinstance(suite_site.api({"action": "query", "expression": "Task"}, user="user03"), list)


def test_fact_1_2_an_unknown_action_is_answered_in_the_spelling_clients_look_for(suite_site: SandboxProcess) -> None:
    assert suite_site.api({"action": "dance"})["content"] == "Invalid action u'dance'"


def test_fact_1_2_an_old_server_s_answer_to_a_widget_url_would_be_a_compatibility_error(
    session: ftrack_api.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = session.call
    monkeypatch.setattr(session, "call", lambda operations: real([{**operations[0], "action": "dance"}]))
    with pytest.raises((ServerCompatibilityError, ServerError)):
        session.get_widget_url("info")


def test_fact_1_2_after_an_error_nothing_of_the_batch_is_there_and_the_client_keeps_its_operations(
    session: ftrack_api.Session, new_session: Callable[..., ftrack_api.Session], project: Any, name: str
) -> None:
    session.create("Shot", {"name": f"{name}_good", "parent": project})
    session.create("Project", {"name": project["name"], "project_schema_id": project["project_schema_id"]})
    for _ in range(2):
        with pytest.raises(ServerError, match="DuplicateEntryError"):
            session.commit()
    assert new_session().query(f'Shot where name is "{name}_good"').first() is None
    session.rollback()
    session.commit()


def test_fact_1_2_what_is_not_a_list_of_operations_is_an_error_object(suite_site: SandboxProcess) -> None:
    headers = {"ftrack_user": suite_site.user, "ftrack_api_key": suite_site.key, "ftrack_strict_api": "true"}
    for body in (b"{}", b"not json", b"[1]", b"[" * 100_000):
        status, answer = post(suite_site, body, **headers)
        assert status == 400
        assert answer["exception"] == "MalformedRequestError"


@pytest.mark.parametrize(
    "operation",
    [
        {"action": "query", "expression": 'Task where name is "\ud800"'},
        {"action": "create", "entity_type": "Note", "entity_data": {"content": "half a bird \ud83d"}},
        {"action": "update", "entity_type": "Task", "entity_key": "\udfff", "entity_data": {"name": "comp"}},
    ],
)
def test_half_a_character_is_refused_as_a_malformed_request(
    suite_site: SandboxProcess, operation: dict[str, Any]
) -> None:
    headers = {"ftrack_user": suite_site.user, "ftrack_api_key": suite_site.key, "ftrack_strict_api": "true"}
    status, answer = post(suite_site, json.dumps([operation]).encode(), **headers)
    assert (status, answer["exception"]) == (400, "MalformedRequestError")
    assert "half of a character" in answer["content"]


def test_a_whole_character_beyond_the_first_plane_is_kept(suite_site: SandboxProcess) -> None:
    note = {"action": "create", "entity_type": "Note", "entity_data": {"content": "\\ud83d \U0001f426"}}
    assert suite_site.api(note)[0]["data"]["content"] == "\\ud83d \U0001f426"


def test_a_client_that_leaves_in_the_middle_of_its_request_leaves_no_trace(suite_site: SandboxProcess) -> None:
    head = f"POST /api HTTP/1.1\r\nHost: here\r\nftrack-user: {suite_site.user}\r\nftrack-api-key: {suite_site.key}\r\n"
    with socket.create_connection(("127.0.0.1", suite_site.port)) as client:
        client.sendall(f"{head}Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 100"), "the site waits for the body"
        client.sendall(b"[")
    suite_site.api({"action": "query_server_information"})
    assert "Traceback" not in suite_site.errors


def test_a_user_s_name_that_is_no_text_is_a_wrong_key(suite_site: SandboxProcess) -> None:
    status, answer = post(suite_site, b"[]", ftrack_user="\xff", ftrack_api_key="\xff", ftrack_strict_api="true")
    assert (status, answer["exception"]) == (401, "InvalidCredentialsError")
    assert suite_site.request("/socket.io/1/", user="\xff")[0] == 401


@pytest.mark.parametrize(
    ("status", "raised"),
    # The stock client tests its response for truth, which a 500 fails: the decoder's own error comes out.
    [(200, ServerError), (500, json.JSONDecodeError)],
)
def test_fact_1_2_an_answer_that_is_no_json_is_an_error_in_unexpected_format(
    suite_site: SandboxProcess, session: ftrack_api.Session, status: int, raised: type[Exception]
) -> None:
    suite_site.faults(errors={"count": 1, "status": status})
    with pytest.raises(raised, match=r"Server reported error in unexpected format|Expecting value"):
        session.query("User").first()
    assert session.query("User").first() is not None


def test_fact_1_1_a_session_starts_with_two_calls(suite_site: SandboxProcess, tmp_path: Path) -> None:
    suite_site.counters(reset=True)
    with ftrack_api.Session(
        suite_site.url, suite_site.key, suite_site.user, schema_cache_path=str(tmp_path), auto_connect_event_hub=False
    ):
        kinds = suite_site.counters()["kinds"]
    assert kinds == {"query_server_information": 1, "query_schemas": 1, "requests": 2}
