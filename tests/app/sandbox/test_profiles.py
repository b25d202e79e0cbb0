"""What a fresh site holds, looked at through the real client."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ftrack_api
import pytest
from PIL import Image
from sandbox_process import SandboxProcess

from app.sandbox.profiles.studio import ARTISTS


def open_session(site: SandboxProcess, cache: Path) -> ftrack_api.Session:
    cache.mkdir(exist_ok=True)
    return ftrack_api.Session(site.url, site.key, site.user, schema_cache_path=str(cache), auto_connect_event_hub=False)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """A studio site."""
    with SandboxProcess(tmp_path_factory.mktemp("studio") / "site") as site:
        yield site


@pytest.fixture
def session(studio: SandboxProcess, tmp_path: Path) -> Iterator[Any]:
    """A session on it."""
    opened = open_session(studio, tmp_path)
    yield opened
    opened.close()


def names(session: Any, expression: str, key: str = "name") -> set[str]:
    return {row[key] for row in session.query(expression).all()}


def test_the_studio_has_two_shows_with_episodes_sequences_shots_and_builds(session: Any) -> None:
    assert names(session, "Project") == {"nightjar", "salt_marsh"}
    assert names(session, "Episode") == {"ep101", "ep102"}
    assert len(session.query("Sequence").all()) == 6
    assert len(session.query("Shot").all()) == 27
    assert names(session, "select type.name from AssetBuild", "name") >= {"nightjar", "lantern", "skiff"}
    link = session.query('select link from Shot where name is "010_0010"').first()["link"]
    assert link[0]["name"] == "salt_marsh"
    assert len(link) == 4


def test_the_workflow_has_the_studio_s_statuses_and_task_types(session: Any) -> None:
    schema = session.query('ProjectSchema where name is "VFX Scheme"').one()
    wanted = {
        "Not started",
        "In progress",
        "Pending Internal Review",
        "Ready for Lighting",
        "Ready for Comp",
        "Cut",
        "On Hold",
        "Approved",
        "Review Changes",
        "Omitted",
    }
    assert wanted <= {status["name"] for status in schema.get_statuses("Task")}
    assert wanted <= {status["name"] for status in schema.get_statuses("AssetVersion")}
    types = {kind["name"]: kind for kind in schema.get_types("Task")}
    assert set(types) >= {
        "Layout",
        "Previz",
        "Animation",
        "Lighting",
        "Compositing",
        "Rotoscoping",
        "Modeling",
        "Rigging",
        "FX",
        "Lookdev",
        "Matchmove",
    }
    roto = {status["name"] for status in schema.get_statuses("Task", types["Rotoscoping"]["id"])}
    assert "Ready for Lighting" not in roto
    assert {project["project_schema"]["name"] for project in session.query("Project")} == {"VFX Scheme"}
    assert {status["name"] for status in schema.get_statuses("Shot")} >= {"In progress", "Omitted"}
    assert {kind["name"] for kind in schema.get_types("AssetBuild")} >= {"Character", "Prop", "Environment"}


def test_a_dozen_artists_have_mail_addresses_and_assignments(session: Any) -> None:
    users = session.query("select username, email, is_active from User").all()
    assert sum("." in user["username"] for user in users) >= 12
    assigned = session.query("select resource_id, context_id from Appointment where type is assignment").all()
    busy = {row["resource_id"] for row in assigned}
    artists = {user["username"] for user in users if user["id"] in busy}
    assert artists == set(ARTISTS)
    assert len(artists) == 12
    assert [user["username"] for user in users if not user["email"]] == ["omar.haddad"]
    (group,) = session.query("Group").all()
    members = session.query(f'Membership where group_id is "{group["id"]}"').all()
    assert len(members) == 2
    assert group["id"] in {row["resource_id"] for row in assigned}
    assert session.query("Task where not assignments any ()").all()
    assert [user["username"] for user in users if not user["is_active"]] == ["nils.berg"]


def test_versions_have_movies_pictures_and_notes(studio: SandboxProcess, session: Any) -> None:
    versions = session.query("select version, components, thumbnail_id, status.name from AssetVersion").all()
    assert len(versions) >= 10
    for version in versions:
        parts = {component["name"]: component["id"] for component in version["components"]}
        assert set(parts) == {"ftrackreview-mp4", "thumbnail"}
        query = f"&username={studio.user}&apiKey={studio.key}"
        status, movie = studio.request(f"/component/get?id={parts['ftrackreview-mp4']}{query}")
        assert status == 200
        assert movie[4:8] == b"ftyp"
        picture = studio.request(f"/component/thumbnail?id={version['thumbnail_id']}&size=120{query}")[1]
        assert Image.open(io.BytesIO(picture)).size == (120, 68)
    assert session.query("Note").all()
    newest = session.query('AssetVersion where asset.name is "layout" and asset.parent.name is "001_0010"').all()
    assert sorted(version["version"] for version in newest) == [1, 2]


def test_shots_have_frame_ranges_and_shows_a_frame_rate(session: Any) -> None:
    shot = session.query('select custom_attributes from Shot where name is "001_0010"').one()
    values = shot["custom_attributes"]
    assert (values["fstart"], values["handles"], values["fps"]) == (1001, 8, None)
    assert values["fend"] > 1001
    rates = {
        project["name"]: project["custom_attributes"]["fps"]
        for project in session.query("select name, custom_attributes from Project")
    }
    assert rates == {"nightjar": 24, "salt_marsh": 25}


def test_there_is_a_client_review_and_there_are_lists(session: Any) -> None:
    review = session.query("ReviewSession").one()
    assert len(review["review_session_objects"]) == 4
    assert len(review["review_session_invitees"]) == 3
    dailies = session.query("AssetVersionList").one()
    assert (dailies["name"], dailies["category"]["name"]) == ("Dailies_2026-09-14", "Reviews")
    assert len(dailies["items"]) == 3


def test_a_profile_is_the_same_production_every_time(tmp_path: Path) -> None:
    seen = []
    for name in ("one", "two"):
        with SandboxProcess(tmp_path / name) as site:
            rows = [
                site.api({"action": "query", "expression": f"select id from {kind} order by id"})[0]["data"]
                for kind in ("Task", "Status", "AssetVersion", "FileComponent", "Appointment", "User")
            ]
            seen.append(rows)
    assert seen[0] == seen[1]
    movies = [sorted(path.read_bytes() for path in (tmp_path / name / "files").glob("??/*")) for name in ("one", "two")]
    assert movies[0] == movies[1]


def test_the_cloud_site_has_no_production_and_other_ids(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "site", "cloud") as site:
        session = open_session(site, tmp_path / "cache")
        assert site.user == "cloudsync"
        assert session.query("Project").all() == []
        schema = session.query("ProjectSchema").one()
        assert {s["name"] for s in schema.get_statuses("AssetVersion")} >= {"Approved", "Review Changes"}
        assert names(session, "AssetType") >= {"Upload"}
        session.close()


def test_the_suite_s_site_has_what_the_suite_expects(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "site", "ftrack-suite") as site:
        session = open_session(site, tmp_path / "cache")
        jenkins = session.get("User", "d07ae5d0-66e1-11e1-b5e9-f23c91df25eb")
        assert jenkins["username"] == site.user == "jenkins"
        assert jenkins["timelogs"]
        assert len(session.query("User").all()) >= 11
        schema = session.query("ProjectSchema").first()
        assert schema["id"] == "69cb7f92-4dbf-11e1-9902-f23c91df25eb"
        assert len(schema.get_types("Task")) == 14
        assert {s["name"] for s in schema.get_statuses("AssetVersion")} == {"Approved", "Pending"}
        assert {s["name"] for s in schema.get_statuses("Shot")} == {"Normal", "Omitted", "On Hold"}
        assert session.get("Project", "5671dcb0-66de-11e1-8e6e-f23c91df25eb") is not None
        assert session.get("Task", "adb4ad6c-7679-11e2-8df2-f23c91df25eb") is not None
        keys = names(session, "CustomAttributeConfiguration", "key")
        assert keys == {"customNumber", "fstart", "versiontest", "NumberField", "htest", "listbool", "teststring"}
        for kind in ("Sequence", "Shot", "Asset", "AssetType", "ListCategory", "NoteCategory", "AssetVersion"):
            assert session.query(kind).first() is not None, kind
        session.close()
