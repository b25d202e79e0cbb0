"""Reading and writing the site: plain rows, one transaction a call, errors that a TD understands."""

from __future__ import annotations

import datetime as dt
import logging
import socket
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import ftrack_api
import pytest
from sandbox_process import SandboxProcess

from app.site import cache
from app.site.cache import LookUps
from app.site.door import Site
from app.site.session import open_session
from app.site.types import Credentials, Named, NotFtrack, SiteRefusal, SiteUnreachable, WrongKey


def create_note(door: Site, text: str) -> dict[str, object]:
    parent = door.rows("select id from Project limit 1")[0]["id"]
    note = str(uuid.uuid4())
    return {
        "action": "create",
        "entity_type": "Note",
        "entity_key": [note],
        "entity_data": {
            "__entity_type__": "Note",
            "id": note,
            "content": text,
            "parent_id": parent,
            "parent_type": "show",
            "user_id": door.own_user_id(),
        },
    }


def requests_of(site: SandboxProcess) -> int:
    """Batches the site was asked since the counters were reset."""
    return int(site.counters()["kinds"].get("requests", 0))


def test_rows_are_plain_and_complete_over_all_pages(door: Site, calm_site: SandboxProcess) -> None:
    rows = door.rows("select id, name, created_at, parent.name, project.name from TypedContext")
    assert len({row["id"] for row in rows}) == len(rows)
    direct = calm_site.api({"action": "query", "expression": "select id from TypedContext limit 100000"})[0]["data"]
    assert {row["id"] for row in rows} == {row["id"] for row in direct}
    assert all(isinstance(row["project"]["name"], str) for row in rows)
    assert not any(isinstance(value, ftrack_api.entity.base.Entity) for row in rows for value in row.values())


def test_times_are_aware(door: Site) -> None:
    project = door.rows("select id, start_date, created_at from Project limit 1")[0]
    assert isinstance(project["created_at"], dt.datetime)
    assert project["created_at"].tzinfo is dt.UTC


def test_a_limit_in_the_question_is_kept_and_a_value_that_reads_like_one_is_not_cut(door: Site) -> None:
    assert len(door.rows("select id from Task limit 3")) == 3
    assert door.rows('select id from Task where name is "limit 5"') == []
    assert door.rows("Task where name is layout")[0]["context_type"] == "task"


def test_a_call_is_one_transaction(door: Site) -> None:
    good, bad = create_note(door, "kept?"), create_note(door, "no")
    bad["entity_type"] = "NoSuchType"
    with pytest.raises(SiteRefusal):
        door.call([good, bad])
    assert door.rows(f'select id from Note where id is "{good["entity_key"][0]}"') == []  # type: ignore[index]
    answer = door.call([good])
    assert answer[0]["action"] == "create"
    assert answer[0]["data"]["content"] == "kept?"


def test_a_query_the_site_does_not_understand_is_a_refusal_with_its_reason(door: Site) -> None:
    with pytest.raises(SiteRefusal, match="where") as caught:
        door.rows("select id from Task where where")
    assert caught.value.name == "ParseError"
    with pytest.raises(SiteRefusal, match="no entity type 'Tsak'"):
        door.rows("Tsak")


def test_trouble_of_the_server_is_worth_a_retry(door: Site, calm_site: SandboxProcess) -> None:
    assert door.session is not None
    calm_site.faults(errors={"count": 1, "status": 502})
    with pytest.raises(SiteUnreachable):
        door.rows("select id from Task limit 1")
    calm_site.faults(lose_answers=1)
    with pytest.raises(SiteUnreachable):
        door.rows("select id from Task limit 1")
    assert door.rows("select id from Task limit 1")


def test_fresh_forgets_without_a_request(door: Site, calm_site: SandboxProcess) -> None:
    task = door.session.query("select id, name from Task").first()
    task["name"] = "never sent"
    assert door.session.recorded_operations
    calm_site.counters(reset=True)
    door.fresh()
    assert not door.session.recorded_operations
    assert requests_of(calm_site) == 0


def test_look_ups_are_read_once_and_again_for_what_is_new(
    credentials: Credentials, calm_site: SandboxProcess, tmp_path: Path
) -> None:
    look_ups = LookUps()
    first = Site(credentials, look_ups, cache=tmp_path)
    second = Site(credentials, look_ups, cache=tmp_path)
    try:
        assert first.session is not None
        assert second.session is not None
        calm_site.counters(reset=True)
        approved = first.status_named("approved")
        assert approved is not None
        assert second.statuses()[approved.id].name == "Approved"
        assert requests_of(calm_site) == 1
    finally:
        first.close()
        second.close()


def test_after_the_warm_up_of_one_thread_no_run_asks_for_look_ups(
    credentials: Credentials, calm_site: SandboxProcess, tmp_path: Path
) -> None:
    look_ups = LookUps()
    first, second = (Site(credentials, look_ups, cache=tmp_path) for _ in range(2))
    try:
        first.warm()
        second.warm()
        calm_site.counters(reset=True)
        assert second.status_named("Approved") is not None
        assert {"Task", "Shot"} <= {each.name for each in first.object_types().values()}
        assert len(second.types()) > 3
        assert requests_of(calm_site) == 0
    finally:
        first.close()
        second.close()


def test_an_old_table_is_read_again_and_stays_in_force_while_the_site_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_KEPT_SECONDS", 0.0)
    monkeypatch.setattr(cache, "_REFRESH_SECONDS", 0.0)
    names = ["Approved"]

    def read() -> dict[str, Named]:
        if not names:
            raise SiteUnreachable("the site does not answer")
        return {"s": Named("s", names.pop(), {})}

    table = cache.Table(read)
    assert table["s"].name == "Approved"
    names.append("Approved by the client")
    assert table["s"].name == "Approved by the client"
    assert table["s"].name == "Approved by the client", "nobody can tell whether it is still called so"
    with pytest.raises(SiteUnreachable):
        table.get("new")


def test_the_workflow_says_which_statuses_a_version_may_have(door: Site) -> None:
    schema = next(row for row in door.rows("select id, name from ProjectSchema") if row["name"] == "VFX Scheme")
    names = {status.name for status in door.allowed_statuses(schema["id"], "AssetVersion")}
    assert "Pending Internal Review" in names
    assert {status.name for status in door.allowed_statuses(schema["id"], "Shot")} != names
    workflow = door.workflow(schema["id"])
    assert workflow is not None
    assert workflow.name == "VFX Scheme"


def test_an_upload_is_there_once_however_often_it_is_done(door: Site, tmp_path: Path) -> None:
    file = tmp_path / "plate.jpg"
    file.write_bytes(b"\xff\xd8" + b"x" * 70_000)
    key = str(uuid.uuid4())
    for _ in range(2):
        row = door.upload(file, name="plate", version_id=None, location="ftrack.server", component_id=key)
        assert row["size"] == 70_002
    places = door.rows(f'select resource_identifier from ComponentLocation where component_id is "{key}"')
    assert [place["resource_identifier"] for place in places] == [key]


def test_a_wrong_key_an_empty_port_and_a_web_page_are_told_apart(
    credentials: Credentials, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(WrongKey, match="does not accept the API key") as refused:
        open_session(Credentials(credentials.server, credentials.api_user, "a-wrong-key-value"), tmp_path)
    assert "a-wrong-key-value" not in str(refused.value)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}"
        with pytest.raises(SiteUnreachable, match="nothing listens"):
            open_session(Credentials(nobody, "me", "some-key-value"), tmp_path)
    with pytest.raises(NotFtrack, match="must look like"):
        open_session(Credentials("studio.example", "me", "some-key-value"), tmp_path)
    with pytest.raises(NotFtrack, match="not as an ftrack site"):
        open_session(Credentials(credentials.server + "/socket.io", "me", "some-key-value"), tmp_path)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


class _WebPage(BaseHTTPRequestHandler):
    """Any page of the web: what it answers is styled, so full of braces."""

    def do_POST(self) -> None:
        body = b"<html><style>body { color: red } a {0}</style>Welcome</html>"
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_styled_web_page_is_no_site(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _WebPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with pytest.raises(NotFtrack, match="not as an ftrack site: check the address"):
                open_session(Credentials(f"http://127.0.0.1:{server.server_port}", "me", "some-key-value"), tmp_path)
        finally:
            server.shutdown()


def test_a_refusal_that_quotes_braces_can_be_read(door: Site) -> None:
    with pytest.raises(ftrack_api.exception.ServerError) as refused:
        door.session.query('Task where no_such_attribute is "{project} {0}"').all()
    assert '"{project} {0}"' in str(refused.value)


def test_two_sites_do_not_overwrite_each_others_schema_cache(credentials: Credentials, tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "other", "cloud") as other:
        for one in (credentials, Credentials(other.url, other.user, other.key)):
            open_session(one, tmp_path / "cache").close()
    assert len(list((tmp_path / "cache" / "schemas").glob("*/ftrack_api_schema_cache.json"))) == 2


def test_proxies_of_the_environment_are_looked_up_once_and_this_machine_is_reached_without(
    credentials: Credentials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    session = open_session(credentials, tmp_path / "cache")
    monkeypatch.delenv("no_proxy")
    try:
        assert session.query("select id from Project").first() is not None
    finally:
        session.close()


def test_sessions_of_one_process_share_what_describes_the_site_and_nothing_else(
    credentials: Credentials, tmp_path: Path
) -> None:
    first, second = (open_session(credentials, tmp_path / "cache") for _ in range(2))
    try:
        assert first.types is second.types
        project = first.query("select name from Project").first()
        assert project.session is first
        assert second.query("select name from Project").first().session is second
        project["name"] = "changed here only"
        assert not second.recorded_operations
    finally:
        first.recorded_operations.clear()
        first.close()
        second.close()
