"""Transcodes: what becomes of media, and of a job whose site was killed."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sandbox_process import SandboxProcess

from app.process import Cancelled
from app.sandbox.transcode import UnreadableMedia, ffmpeg, transcode_image, transcode_movie


def clip(path: Path, seconds: float, size: str = "320x180") -> Path:
    source = f"testsrc2=size={size}:rate=25:duration={seconds}"
    subprocess.run(
        [ffmpeg(), "-v", "error", "-y", "-f", "lavfi", "-i", source, "-c:v", "mjpeg", "-f", "avi", str(path)],
        check=True,
    )
    return path


def test_a_movie_of_odd_size_becomes_even_h264_with_its_frames_counted(tmp_path: Path) -> None:
    source = clip(tmp_path / "in", 1, "99x57")
    made = transcode_movie(source, tmp_path / "out", tmp_path / "still")
    assert (made.frames, made.rate, made.width, made.height) == (25, 25.0, 98, 56)
    assert (tmp_path / "out").read_bytes()[4:8] == b"ftyp"
    with Image.open(tmp_path / "still") as still:
        assert still.size == (98, 56)


def test_what_is_no_media_is_refused_with_ffmpeg_s_reason(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"no movie")
    with pytest.raises(UnreadableMedia, match="ffmpeg"):
        transcode_movie(tmp_path / "in", tmp_path / "out", tmp_path / "still")
    with pytest.raises(UnreadableMedia, match="cannot identify"):
        transcode_image(tmp_path / "in", tmp_path / "still")


def test_a_cancelled_transcode_ends_at_once(tmp_path: Path) -> None:
    source = clip(tmp_path / "in", 20, "640x360")
    cancel = threading.Event()
    cancel.set()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        transcode_movie(source, tmp_path / "out", tmp_path / "still", cancel)
    assert time.monotonic() - started < 5


def test_a_job_whose_site_was_killed_is_done_after_the_next_start(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "site") as site:
        user = site.api({"action": "query", "expression": 'select id from User where username is "mara.okafor"'})
        assert user[0]["data"]
        data = clip(tmp_path / "in.avi", 12, "640x360").read_bytes()
        component = {"__entity_type__": "FileComponent", "id": "source", "name": "clip", "file_type": ".avi"}
        made = site.api(
            {"action": "create", "entity_type": "FileComponent", "entity_key": ["source"], "entity_data": component},
            {"action": "get_upload_metadata", "component_id": "source", "file_name": "a", "file_size": len(data)},
        )
        assert site.request(made[1]["url"], data, method="PUT")[0] == 200
        encode = {"action": "encode_media", "component_id": "source", "version_id": None, "keep_original": True}
        job = site.api(encode)[0]["job_id"]
        site.stop(kill=True)
        site.start()
        deadline = time.monotonic() + 60
        pause = threading.Event()
        while (row := _job(site, job))["status"] in ("queued", "running"):
            assert time.monotonic() < deadline
            pause.wait(0.1)
        assert row["status"] == "done", row
        output = json.loads(row["data"])["output"]
        for part in output:
            path = f"/component/get?id={part['component_id']}&username={site.user}&apiKey={site.key}"
            assert site.request(path)[0] == 200
        assert list((tmp_path / "site" / "files" / "incoming").iterdir()) == []


def test_a_job_asked_for_in_a_large_batch_is_done_as_well(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "site") as site:
        picture = site.api({"action": "query", "expression": 'select id from FileComponent where name is "thumbnail"'})
        source = picture[0]["data"][0]["id"]
        query = {"action": "query", "expression": "select id from User limit 1"}
        encode = {"action": "encode_media", "component_id": source, "version_id": None, "keep_original": True}
        job = site.api(encode, *[query] * 40)[0]["job_id"]
        deadline = time.monotonic() + 30
        pause = threading.Event()
        while _job(site, job)["status"] != "done":
            assert time.monotonic() < deadline
            pause.wait(0.05)


def _job(site: SandboxProcess, job: str) -> dict[str, Any]:
    expression = f'select status, data from Job where id is "{job}"'
    return dict(site.api({"action": "query", "expression": expression})[0]["data"][0])
