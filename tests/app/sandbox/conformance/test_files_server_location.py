"""Protocol facts 1.8 (files) and 1.3 (upload metadata, encode_media) through the real ``ftrack_api``."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ftrack_api
import pytest
from ftrack_api.symbol import SERVER_LOCATION_ID
from PIL import Image
from sandbox_process import SandboxProcess

from app.sandbox.transcode import ffmpeg


@pytest.fixture
def session(open_session: Callable[..., ftrack_api.Session]) -> ftrack_api.Session:
    """Mara's session."""
    return open_session("mara.okafor")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A PNG of 640 x 360 pixels."""
    path = tmp_path / "picture.png"
    Image.effect_noise((640, 360), 60).convert("RGB").save(path)
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames of 101 x 75 pixels at 24 frames a second: odd sizes, as plates have."""
    path = tmp_path_factory.mktemp("media") / "clip.mov"
    source = "testsrc2=size=101x75:rate=24:duration=0.5"
    subprocess.run([ffmpeg(), "-v", "error", "-y", "-f", "lavfi", "-i", source, "-c:v", "mjpeg", str(path)], check=True)
    return path


def upload(session: ftrack_api.Session, path: Path, **data: Any) -> Any:
    component = session.create_component(str(path), data=data, location=session.get("Location", SERVER_LOCATION_ID))
    session.commit()
    return component


def address(session: ftrack_api.Session, what: str, identifier: str, more: str = "") -> str:
    return f"/component/{what}?id={identifier}&username={session.api_user}&apiKey={session.api_key}{more}"


def test_fact_1_8_a_component_goes_to_the_server_and_comes_back_the_same(
    session: ftrack_api.Session, picture: Path
) -> None:
    component = upload(session, picture)
    location = session.get("Location", SERVER_LOCATION_ID)
    identifier = location.get_resource_identifier(component)
    file = location.accessor.open(identifier, "rb")
    assert file.read() == picture.read_bytes()
    file.close()
    assert component["size"] == picture.stat().st_size


def test_fact_1_8_the_checksum_that_was_announced_is_returned_and_checked(
    live_site: SandboxProcess, session: ftrack_api.Session
) -> None:
    data = b"frame data"
    checksum = base64.b64encode(hashlib.md5(data).digest()).decode()
    metadata = session.get_upload_metadata(str(uuid.uuid4()), "a.exr", len(data), checksum)
    assert metadata["headers"]["Content-MD5"] == checksum
    put = {"method": "PUT"}
    request = urllib.request.Request(metadata["url"], data=b"other", headers=metadata["headers"], **put)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 400
    refused.value.close()
    assert live_site.request(address(session, "get", metadata["component_id"]))[0] == 404
    request = urllib.request.Request(metadata["url"], data=data, headers=metadata["headers"], **put)
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    assert live_site.request(address(session, "get", metadata["component_id"])) == (200, data)


def test_fact_1_8_an_upload_address_is_good_for_its_own_component_only(
    live_site: SandboxProcess, session: ftrack_api.Session
) -> None:
    metadata = session.get_upload_metadata(str(uuid.uuid4()), "a.exr", 3)
    forged = metadata["url"].replace(metadata["component_id"], str(uuid.uuid4()))
    assert live_site.request(forged, b"abc", method="PUT")[0] == 403


@pytest.mark.parametrize("identifier", ["../../../etc/passwd", "", "a/b", "%2e%2e%2fkey"])
def test_a_component_id_never_leads_out_of_the_files(
    live_site: SandboxProcess, session: ftrack_api.Session, identifier: str
) -> None:
    for what in ("get", "remove", "thumbnail"):
        assert live_site.request(address(session, what, identifier))[0] == 404
    with pytest.raises(ftrack_api.exception.ServerError, match="ValidationError"):
        session.get_upload_metadata("../../../etc/passwd", "a", 1)


def test_fact_1_8_files_want_the_key_in_the_query(live_site: SandboxProcess, session: ftrack_api.Session) -> None:
    version = session.query('FileComponent where name is "thumbnail"').first()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{live_site.url}/component/get?id={version['id']}&username=x&apiKey=y")
    assert refused.value.code == 401
    refused.value.close()


def test_fact_1_8_a_removed_file_is_404(live_site: SandboxProcess, session: ftrack_api.Session, picture: Path) -> None:
    component = upload(session, picture)
    assert live_site.request(address(session, "get", component["id"]))[0] == 200
    session.get("Location", SERVER_LOCATION_ID).remove_component(component)
    assert live_site.request(address(session, "get", component["id"]))[0] == 404
    assert live_site.request(address(session, "thumbnail", component["id"], "&size=50"))[0] == 404


def test_fact_1_8_a_thumbnail_is_really_scaled_down(
    live_site: SandboxProcess, session: ftrack_api.Session, picture: Path
) -> None:
    component = upload(session, picture)
    location = session.get("Location", SERVER_LOCATION_ID)
    for size, expected in ((100, (100, 56)), (10, (10, 6)), (5000, (640, 360))):
        url = location.get_thumbnail_url(component, size=size)
        status, data = live_site.request(url)
        assert status == 200
        assert Image.open(io.BytesIO(data)).size == expected
    assert live_site.request(location.get_thumbnail_url(component))[1] == picture.read_bytes()


def test_fact_1_8_a_new_upload_replaces_the_scaled_down_one(
    live_site: SandboxProcess, session: ftrack_api.Session
) -> None:
    identifier, colours = str(uuid.uuid4()), []
    for colour in ("red", "blue"):
        buffer = io.BytesIO()
        Image.new("RGB", (64, 64), colour).save(buffer, "PNG")
        metadata = session.get_upload_metadata(identifier, "a.png", len(buffer.getvalue()))
        assert live_site.request(metadata["url"], buffer.getvalue(), method="PUT")[0] == 200
        small = live_site.request(address(session, "thumbnail", identifier, "&size=8"))[1]
        colours.append(Image.open(io.BytesIO(small)).convert("RGB").getpixel((4, 4)))
    assert colours == [(255, 0, 0), (0, 0, 255)]


def test_fact_1_8_there_is_a_picture_for_what_has_none(live_site: SandboxProcess, session: ftrack_api.Session) -> None:
    status, data = live_site.request("/img/thumbnail2.png")
    assert status == 200
    assert Image.open(io.BytesIO(data)).format == "PNG"
    movie = session.query('FileComponent where name is "ftrackreview-mp4"').first()
    assert live_site.request(address(session, "thumbnail", movie["id"], "&size=50"))[1] == data


def test_fact_1_3_a_large_file_goes_up_in_parts(live_site: SandboxProcess, session: ftrack_api.Session) -> None:
    identifier = str(uuid.uuid4())
    begin = {"action": "get_upload_metadata", "component_id": identifier, "file_name": "a", "file_size": 9, "parts": 3}
    upload_metadata = session.call([begin])[0]
    assert [part["part_number"] for part in upload_metadata["urls"]] == [1, 2, 3]
    for part, data in zip(reversed(upload_metadata["urls"]), (b"ghi", b"def", b"abc"), strict=True):
        assert live_site.request(part["signed_url"], data, method="PUT")[0] == 200
    end = {
        "action": "complete_multipart_upload",
        "component_id": identifier,
        "upload_id": upload_metadata["upload_id"],
        "parts": [{"part_number": number, "e_tag": ""} for number in (1, 2, 3)],
    }
    session.call([end])
    assert live_site.request(address(session, "get", identifier)) == (200, b"abcdefghi")
    with pytest.raises(ftrack_api.exception.ServerError, match=r"Parts of upload .* are missing"):
        session.call([end])


def test_fact_1_3_encode_media_makes_a_playable_movie_and_a_thumbnail(
    live_site: SandboxProcess, session: ftrack_api.Session, clip: Path, tmp_path: Path, until: Callable[..., Any]
) -> None:
    before = live_site.last_event()
    version = session.create(
        "AssetVersion", {"asset": session.query("Asset").first(), "comment": "Upload for Internal Review"}
    )
    session.commit()
    job = session.encode_media(str(clip), version_id=version["id"])
    data = json.loads(job["data"])
    assert [output["format"] for output in data["output"]] == ["video/mp4", "image/jpeg"]
    assert data["keep_original"] is False
    assert data["source_component_id"]
    wait = f'select status, data from Job where id is "{job["id"]}"'
    done = until(
        lambda: (
            (row := session.call([{"action": "query", "expression": wait}])[0]["data"][0])
            and row["status"] in ("done", "failed")
            and row
        ),
        30,
    )
    assert done["status"] == "done", done

    movie, still = (output["component_id"] for output in data["output"])
    mp4 = tmp_path / "out.mp4"
    mp4.write_bytes(live_site.request(address(session, "get", movie))[1])
    read = [ffmpeg(), "-hide_banner", "-i", str(mp4), "-f", "null", "-"]
    told = subprocess.run(read, check=True, capture_output=True, text=True)
    assert "Video: h264" in told.stderr
    assert "100x74" in told.stderr
    assert Image.open(io.BytesIO(live_site.request(address(session, "get", still))[1])).size == (100, 74)

    session.reset()
    component = session.query(f'select name, size, version_id, metadata from FileComponent where id is "{movie}"').one()
    assert (component["name"], component["version_id"]) == ("ftrackreview-mp4", version["id"])
    assert component["size"] == mp4.stat().st_size
    meta = json.loads(component["metadata"]["ftr_meta"])
    assert (meta["frameIn"], meta["frameOut"], meta["frameRate"]) == (0, 12, 24.0)
    assert (meta["width"], meta["height"]) == (100, 74)
    assert session.get("AssetVersion", version["id"])["thumbnail_id"] == still
    assert session.get("Location", SERVER_LOCATION_ID).get_component_availability(component) == 100.0
    assert live_site.request(address(session, "get", data["source_component_id"]))[0] == 404
    linked = session.query(f'select component_id from JobComponent where job_id is "{job["id"]}"').all()
    assert {row["component_id"] for row in linked} == {movie, still}

    changes = [e for row in live_site.events(before, "ftrack.update") for e in row["event"]["data"]["entities"]]
    statuses = [e["changes"]["status"]["new"] for e in changes if e["entityId"] == job["id"] and "status" in e["keys"]]
    assert statuses == ["queued", "running", "done"]


def test_fact_1_3_encode_media_of_a_picture_keeps_the_original_where_it_is_a_component(
    live_site: SandboxProcess, session: ftrack_api.Session, picture: Path, until: Callable[..., Any]
) -> None:
    source = upload(session, picture)
    job = session.encode_media(source)
    data = json.loads(job["data"])
    assert [output["format"] for output in data["output"]] == ["image/jpeg"]
    assert data["keep_original"] is True
    still = data["output"][0]["component_id"]
    until(lambda: live_site.request(address(session, "get", still))[0] == 200)
    assert live_site.request(address(session, "get", source["id"]))[0] == 200


def test_fact_1_3_media_that_cannot_be_read_fails_the_job_with_the_reason(
    session: ftrack_api.Session, tmp_path: Path, until: Callable[..., Any]
) -> None:
    broken = tmp_path / "broken.mov"
    broken.write_bytes(b"this is no movie" * 100)
    job = session.encode_media(str(broken))
    wait = f'select status, data from Job where id is "{job["id"]}"'

    def ended() -> Any:
        row = session.call([{"action": "query", "expression": wait}])[0]["data"][0]
        return row if row["status"] not in ("queued", "running") else None

    row = until(ended)
    assert row["status"] == "failed"
    assert "failed" in json.loads(row["data"])["description"]


def test_encode_media_of_an_unknown_component_is_refused(session: ftrack_api.Session) -> None:
    operation = {"action": "encode_media", "component_id": str(uuid.uuid4()), "version_id": None}
    with pytest.raises(ftrack_api.exception.ServerError, match="does not exist"):
        session.call([operation])
