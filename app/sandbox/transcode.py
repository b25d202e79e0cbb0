"""``encode_media``: a job that really transcodes with ffmpeg and says how far it is (ftrack protocol, section 1.3).

The job, its output components and their links are made in the caller's batch, so that the answer can name them; the
files, sizes, locations and the job's end follow in batches of their own, each with its ``ftrack.update``. A job that a
stopped site left behind is taken up again at the next start.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from PIL import Image, UnidentifiedImageError

from app.process import Cancelled, NoProgress, ProgramFailed, ProgramMissing, run_program
from app.sandbox.contract import ApiError, Batch, Identity, Json, Site
from app.sandbox.files import FileStore

log = logging.getLogger("signalbox.sandbox.transcode")

SERVER_LOCATION = "3a372bde-05bc-11e4-8908-20c9d081909b"

_JOB_TYPE = "encode_media"
_IMAGES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".gif", ".bmp", ".tga", ".psd", ".webp"})
_LARGEST_IMAGE = 1920
_FRAME = re.compile(r"^frame=\s*(\d+)")
_RATE = re.compile(r"Video:.*?([\d.]+) fps")
_SIZE = re.compile(r"Video:.*? (\d{2,5})x(\d{2,5})")
_SECONDS_WITHOUT_PROGRESS = 60.0


class UnreadableMedia(ValueError):
    """Neither ffmpeg nor Pillow can read the source; the text says why."""


def ffmpeg() -> str:
    """The ffmpeg of this machine, else the one that comes with the program."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


@dataclass(frozen=True, slots=True)
class Movie:
    """What a transcode made.

    Attributes:
        frames: Number of frames written.
        rate: Frames per second.
        width: Pixels.
        height: Pixels.
    """

    frames: int
    rate: float
    width: int
    height: int


def transcode_movie(source: Path, movie: Path, still: Path, cancel: threading.Event | None = None) -> Movie:
    """Write ``source`` as H.264 in MP4 and its first frame as JPEG. Blocks; call it in a thread.

    Raises:
        UnreadableMedia: ffmpeg refused the source.
        Cancelled, NoProgress, ProgramMissing: As :func:`run_program` says.
    """
    frames, rate, size = 0, 24.0, (0, 0)

    def listen(text: str) -> None:
        nonlocal frames, rate, size
        for line in text.split("\n"):
            if match := _FRAME.match(line):
                frames = int(match.group(1))
            if match := _RATE.search(line):
                rate = float(match.group(1))
            if match := _SIZE.search(line):
                size = (int(match.group(1)), int(match.group(2)))

    even = "scale=trunc(iw/2)*2:trunc(ih/2)*2"
    quiet = (ffmpeg(), "-hide_banner", "-nostdin", "-y")
    video = ("-vf", even, "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")
    encode = (*quiet, "-threads", "1", "-i", str(source), "-map", "0:v:0", "-map", "0:a:0?", *video, "-c:a", "aac")
    output = ("-movflags", "+faststart", "-progress", "pipe:1", "-f", "mp4", str(movie))
    first_frame = (*quiet, "-i", str(movie), "-frames:v", "1", "-f", "mjpeg", str(still))
    try:
        run_program((*encode, *output), on_text=listen, cancel=cancel, silence_seconds=_SECONDS_WITHOUT_PROGRESS)
        run_program(first_frame, cancel=cancel, silence_seconds=_SECONDS_WITHOUT_PROGRESS)
    except ProgramFailed as error:
        raise UnreadableMedia(str(error)) from error
    return Movie(frames, rate, *size)


def transcode_image(source: Path, still: Path) -> tuple[int, int]:
    """Write an image as JPEG of at most 1920 pixels; returns its width and height.

    Raises:
        UnreadableMedia: Not an image.
    """
    try:
        with Image.open(source) as image:
            small = image.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise UnreadableMedia(str(error)) from error
    small.thumbnail((_LARGEST_IMAGE, _LARGEST_IMAGE), Image.Resampling.LANCZOS)
    small.save(still, "JPEG", quality=88)
    return small.size


class Transcoder:
    """The transcode jobs of one site, one at a time: the site shares its machine with those who test against it."""

    def __init__(self, site: Site, store: FileStore) -> None:
        self._site = site
        self._store = store
        self._one_at_a_time = asyncio.Semaphore(1)
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cancel = threading.Event()
        site.on_action("encode_media", self._encode_media)
        site.app.on_startup.append(self._resume)
        site.app.on_cleanup.append(self._stop)

    def _encode_media(self, batch: Batch, operation: Mapping[str, Json]) -> Json:
        source_id = str(operation.get("component_id") or "")
        source = batch.row("Component", source_id)
        if source is None:
            raise ApiError("ValidationError", f"Component {source_id} does not exist.")
        version_id = operation.get("version_id") or None
        suffix = str(source.get("file_type") or "").lower()
        is_image = suffix in _IMAGES
        outputs: list[dict[str, str]] = []
        wanted = (
            [("ftrackreview-image", ".jpg", "image/jpeg")]
            if is_image
            else [
                ("ftrackreview-mp4", ".mp4", "video/mp4"),
                ("thumbnail", ".jpg", "image/jpeg"),
            ]
        )
        for name, file_type, form in wanted:
            data: dict[str, Json] = {"name": name, "file_type": file_type, "size": 0}
            if name != "thumbnail":
                data["version_id"] = version_id
            component = batch.create("FileComponent", data)
            outputs.append({"format": form, "component_id": component["id"]})
        data = {
            "output": outputs,
            "source_component_id": source_id,
            "keep_original": bool(operation.get("keep_original")),
            "version_id": version_id,
            "description": "Encode " + str(source.get("name") or "media") + " for web playback",
        }
        job = batch.create(
            "Job",
            {
                "type": _JOB_TYPE,
                "status": "queued",
                "user_id": batch.identity.user_id,
                "data": json.dumps(data),
            },
        )
        for output in outputs:
            batch.create("JobComponent", {"job_id": job["id"], "component_id": output["component_id"]})
        # The rows are not committed yet: the work begins when the batch is over.
        self._loop.call_soon_threadsafe(self._begin, batch.identity, job["id"], data)
        return {"job_id": job["id"]}

    def _begin(self, identity: Identity, job_id: str, data: dict[str, Any]) -> None:
        task = asyncio.create_task(self._work(identity, job_id, data))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, identity: Identity, job_id: str, data: dict[str, Any]) -> None:
        async with self._one_at_a_time:
            try:
                # Batches run one after the other: this one begins when the one that made the job has ended.
                if await self._site.run(identity, lambda batch: _start(batch, job_id)):
                    await self._transcode(identity, job_id, data)
            except Cancelled:
                return  # the site is stopping: the next start takes the job up again
            except (UnreadableMedia, NoProgress, ProgramMissing, OSError) as error:
                await self._fail(identity, job_id, data, str(error))
            except ApiError as error:
                log.warning("transcode job %s could not be finished: %s", job_id, error)

    async def _transcode(self, identity: Identity, job_id: str, data: dict[str, Any]) -> None:
        source = self._store.path(data["source_component_id"])
        if not source.exists():
            raise UnreadableMedia("the source component has no file in the server location")
        outputs: dict[str, str] = {output["format"]: output["component_id"] for output in data["output"]}
        still = self._store.incoming()
        movie = self._store.incoming()
        try:
            if "video/mp4" in outputs:
                made = await asyncio.to_thread(transcode_movie, source, movie, still, self._cancel)
                self._store.adopt(outputs["video/mp4"], movie)
                meta = _movie_metadata(made)
            else:
                width, height = await asyncio.to_thread(transcode_image, source, still)
                meta = {"format": "image", "width": width, "height": height}
            self._store.adopt(outputs["image/jpeg"], still)
        finally:
            movie.unlink(missing_ok=True)
            still.unlink(missing_ok=True)
        await self._site.run(identity, lambda batch: self._finish(batch, job_id, data, meta))
        if not data["keep_original"]:
            self._store.remove(data["source_component_id"])

    def _finish(self, batch: Batch, job_id: str, data: dict[str, Any], meta: dict[str, Any]) -> None:
        outputs = [output["component_id"] for output in data["output"]]
        for identifier in outputs:
            batch.update("FileComponent", identifier, {"size": self._store.path(identifier).stat().st_size})
            batch.create(
                "ComponentLocation",
                {"component_id": identifier, "location_id": SERVER_LOCATION, "resource_identifier": identifier},
            )
        batch.create(
            "Metadata",
            {"parent_id": outputs[0], "parent_type": "FileComponent", "key": "ftr_meta", "value": json.dumps(meta)},
        )
        version_id = data.get("version_id")
        if version_id and batch.row("AssetVersion", version_id) is not None:
            batch.update("AssetVersion", version_id, {"thumbnail_id": outputs[-1]})
        if not data["keep_original"] and batch.row("Component", data["source_component_id"]) is not None:
            batch.delete("FileComponent", data["source_component_id"])
        batch.update("Job", job_id, {"status": "done", "finished_at": batch.now()})

    async def _fail(self, identity: Identity, job_id: str, data: dict[str, Any], reason: str) -> None:
        log.info("transcode job %s failed: %s", job_id, reason)
        told = {**data, "description": f"{data['description']}: failed, {reason}"}

        def mark(batch: Batch) -> None:
            batch.update("Job", job_id, {"status": "failed", "data": json.dumps(told), "finished_at": batch.now()})

        try:
            await self._site.run(identity, mark)
        except ApiError as error:
            log.warning("transcode job %s could not be marked as failed: %s", job_id, error)

    async def _resume(self, _app: web.Application) -> None:
        rows = self._site.reader.select(
            'SELECT Job.id, Job.data, Job.user_id, Resource.username FROM "Job" AS Job '
            'JOIN "Resource" AS Resource ON Resource.id = Job.user_id '
            "WHERE Job.type = ? AND Job.status IN ('queued', 'running')",
            (_JOB_TYPE,),
        )
        for job_id, data, user_id, username in rows:
            self._begin(Identity(str(user_id), str(username)), str(job_id), json.loads(str(data)))

    async def _stop(self, _app: web.Application) -> None:
        self._cancel.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)


def _start(batch: Batch, job_id: str) -> bool:
    """Mark a job as running; False when its batch was rolled back or somebody deleted it."""
    if batch.row("Job", job_id) is None:
        return False
    batch.update("Job", job_id, {"status": "running"})
    return True


def _movie_metadata(movie: Movie) -> dict[str, Any]:
    """What the web player reads: the last frame's number is the count of frames, as ftrack's own encoder has it."""
    return {
        "frameIn": 0,
        "frameOut": movie.frames,
        "frameRate": movie.rate,
        "width": movie.width,
        "height": movie.height,
    }
