"""A review goes to the clients' site and their feedback comes back: two real sites, twice, with edits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ftrack_api
import pytest
from listening import until
from program import Program
from sandbox_process import SandboxProcess
from web_client import Form, Message, WebClient, selected

from app.journal.journal import Journal

pytestmark = pytest.mark.e2e


@dataclass
class Studio:
    """Both sites and the running server."""

    journal: Journal
    page: WebClient
    cloud: ftrack_api.Session
    turns: int = 0

    def local(self, query: str) -> list[Any]:
        self.page.session.reset()
        return list(self.page.session.query(query))

    def remote(self, query: str) -> list[Any]:
        self.cloud.reset()
        return list(self.cloud.query(query))

    def sync(self, action: str) -> Any:
        """Launch from the page and wait for the run's end."""
        session = self.local("select id, name from ReviewSession")[0]
        before = len(self.journal.runs(handler=action))
        form = self.page.launch(f"signalbox.{action}", selected(session))
        assert isinstance(form, Form)
        answer = self.page.submit(form)
        assert isinstance(answer, Message)
        assert answer.success

        def ended() -> list[Any]:
            return [run for run in self.journal.runs(handler=action) if run.finished is not None]

        assert until(lambda: len(ended()) > before, 90), [
            (r.state, r.reason) for r in self.journal.runs(handler=action)
        ]
        run = ended()[0]
        assert run.state in ("done", "skipped"), run.reason
        return run


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    base = tmp_path_factory.mktemp("two-sites")
    home = base / "home"
    home.mkdir()
    with (
        SandboxProcess(base / "site", "studio", "--heartbeat", "1") as site,
        SandboxProcess(base / "cloud", "cloud", "--heartbeat", "1") as cloud,
    ):
        (home / "settings.toml").write_text(
            f'[cloud]\nserver = "{cloud.url}"\napi_user = "{cloud.user}"\n[slack]\nenabled = false\n'
        )
        extra = {"FTRACK_SERVER": site.url, "FTRACK_API_USER": site.user, "FTRACK_API_KEY": site.key}
        extra["SIGNALBOX_CLOUD_API_KEY"] = cloud.key
        with Program("serve", "--json", home=home, extra=extra) as server:
            ready = server.wait_line()
            journal = Journal.open(Path(ready["journal"]), "read")
            page = WebClient(site.url, site.key, site.user, base / "cache")
            (base / "cloud-cache").mkdir()
            away = ftrack_api.Session(
                server_url=cloud.url, api_key=cloud.key, api_user=cloud.user,
                schema_cache_path=str(base / "cloud-cache"), auto_connect_event_hub=False,
            )  # fmt: skip
            try:
                assert until(
                    lambda: {lamp.name for lamp in journal.health() if lamp.state == "ok"} >= {"site", "workers"}
                )
                yield Studio(journal, page, away)
            finally:
                away.close()
                page.close()
                journal.close()
            assert server.stop() == 0
            assert "Traceback" not in server.errors
            assert cloud.key not in server.errors


def test_a_session_and_its_feedback_travel_and_nothing_is_doubled(studio: Studio) -> None:
    objects = studio.local(
        "select id, name, version_id, asset_version.task_id from ReviewSessionObject order by sort_order"
    )
    for _ in (1, 2):
        run = studio.sync("review_sync")
        mirrored = studio.remote(
            "select name, asset_version.asset.name, asset_version.metadata, asset_version.components.name, "
            "review_session.name, asset_version.asset.parent.name from ReviewSessionObject"
        )
        assert len(mirrored) == len(objects)
    assert run.state == "skipped" or run.effects == 0, "the second sync finds nothing to do"
    by_source = {one["asset_version"]["metadata"]["source_asset_id"]: one for one in mirrored}
    assert set(by_source) == {one["version_id"] for one in objects}
    assert {one["asset_version"]["asset"]["name"] for one in mirrored} == {"Client Review"}
    assert all("ftrackreview-mp4" in {c["name"] for c in one["asset_version"]["components"]} for one in mirrored)
    assert len(studio.remote("ReviewSession")) == 1

    other = next(o for o in objects if o["asset_version"]["task_id"] != objects[0]["asset_version"]["task_id"])
    objects = [objects[0], other]
    first, second = (by_source[one["version_id"]] for one in objects)
    invitee = studio.cloud.create(
        "ReviewSessionInvitee",
        {"name": "Client One", "email": "one@client.example", "review_session": first["review_session"]},
    )
    client = studio.cloud.create(
        "Collaborator", {"first_name": "Client", "last_name": "One", "email": "one@client.example"}
    )
    invitee["resource_id"] = client["id"]
    studio.cloud.commit()
    note = studio.cloud.create(
        "Note",
        {
            "content": "Too <dark> & slow",
            "parent_id": first["id"],
            "parent_type": "ReviewSessionObject",
            "user_id": client["id"],
        },
    )
    note["metadata"]["reviewFrame"] = '{"number": 12}'
    studio.cloud.commit()
    reply = note.create_reply("I agree", author=studio.cloud.query("User").first())
    studio.cloud.commit()
    drawing = studio.cloud.create_component(
        __file__,
        data={"name": "annotation"},
        location=studio.cloud.query('Location where name is "ftrack.server"').one(),
    )
    studio.cloud.create("NoteComponent", {"component_id": drawing["id"], "note_id": note["id"]})
    for target, vote in ((first, "approved"), (second, "require_changes")):
        studio.cloud.create(
            "ReviewSessionObjectStatus",
            {"review_session_object_id": target["id"], "review_session_invitee_id": invitee["id"], "status": vote},
        )
    studio.cloud.commit()

    for _ in (1, 2):
        studio.sync("feedback_sync")
        query = "select content, in_reply_to_id from Note where parent_id is "
        notes = studio.local(f'{query}"{objects[0]["version_id"]}"')
        came = [one for one in notes if "client review" in one["content"] and not one["in_reply_to_id"]]
        assert [one["content"] for one in came] == ["Client One (client review, frame 12): Too <dark> & slow"]
        replies = studio.local(f'select content from Note where in_reply_to_id is "{came[0]["id"]}"')
        assert len(replies) == 1
        assert replies[0]["content"].endswith(": I agree")
        files = studio.local(f'select component.name from NoteComponent where note_id is "{came[0]["id"]}"')
        assert [one["component"]["name"] for one in files] == ["annotation"]
    for one, status in ((objects[0], "Approved"), (objects[1], "Review Changes")):
        version = studio.local(f'select status.name from AssetVersion where id is "{one["version_id"]}"')[0]
        assert version["status"]["name"] == status
        task = studio.local(f'select status.name from Task where id is "{one["asset_version"]["task_id"]}"')[0]
        assert task["status"]["name"] == status

    fresh = studio.remote(f'Note where id is "{note["id"]}"')[0]
    fresh["content"] = "Brighter now, thanks"
    studio.cloud.delete(studio.cloud.query(f'Note where id is "{reply["id"]}"').one())
    studio.cloud.commit()
    studio.sync("feedback_sync")
    edited = studio.local(f'select content from Note where id is "{came[0]["id"]}"')[0]
    assert edited["content"] == "Client One (client review, frame 12): Brighter now, thanks"
    assert studio.local(f'Note where in_reply_to_id is "{came[0]["id"]}"') == []
    kept = studio.remote(f'Note where id is "{note["id"]}"')
    studio.sync("review_sync")
    assert studio.remote(f'Note where id is "{note["id"]}"') == kept, "a sync never deletes what clients wrote"
