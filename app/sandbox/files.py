"""Files of components in the ``ftrack.server`` location: put, get, remove, thumbnails (protocol, section 1.8)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import io
import mimetypes
import re
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web
from PIL import Image, ImageDraw, UnidentifiedImageError

from app.sandbox.contract import ApiError, Batch, Json, Site
from app.sandbox.private import require_credentials

_LARGEST_THUMBNAIL = 2048
_CHUNK = 1024 * 1024
_SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class FileStore:
    """Files by component id below one folder. A file is there completely or not at all.

    Args:
        folder: Made when absent. Files that a killed site left half-written in it are removed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        incoming = folder / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        for leftover in incoming.iterdir():
            leftover.unlink()

    def path(self, identifier: str) -> Path:
        """Where the file of a component is, or would be.

        Raises:
            ValueError: The id could name a place outside the folder.
        """
        if not _SAFE_ID.fullmatch(identifier):
            raise ValueError(f"not a component id: {identifier[:80]!r}")
        return self._folder / identifier[:2] / identifier

    def incoming(self) -> Path:
        """A fresh place on the same file system to write a file that :meth:`adopt` then puts in its place."""
        return self._folder / "incoming" / uuid.uuid4().hex

    def adopt(self, identifier: str, source: Path) -> Path:
        """Move a complete file to its place, over one that was there."""
        place = self.path(identifier)
        place.parent.mkdir(exist_ok=True)
        for thumbnail in place.parent.glob(f"{identifier}.*.thumbnail"):
            thumbnail.unlink(missing_ok=True)
        source.replace(place)
        return place

    def put(self, identifier: str, data: bytes) -> Path:
        """Keep ``data`` as the file of a component."""
        incoming = self.incoming()
        incoming.write_bytes(data)
        return self.adopt(identifier, incoming)

    def remove(self, identifier: str) -> bool:
        """Remove a component's file and its thumbnails; False when there was none."""
        place = self.path(identifier)
        if not place.exists():
            return False
        place.unlink()
        for thumbnail in place.parent.glob(f"{identifier}.*.thumbnail"):
            thumbnail.unlink(missing_ok=True)
        return True

    def thumbnail(self, identifier: str, size: int) -> Path:
        """The component's image, scaled down to fit ``size`` x ``size`` pixels; kept for the next who asks.

        Raises:
            FileNotFoundError: The component has no file.
            UnidentifiedImageError: The file is not an image.
        """
        place = self.path(identifier)
        kept = place.parent / f"{identifier}.{size}.thumbnail"
        if not kept.exists() or kept.stat().st_mtime < place.stat().st_mtime:
            incoming = self.incoming()
            with Image.open(place) as image:
                form = "PNG" if image.format == "PNG" else "JPEG"
                small = image.convert("RGBA" if form == "PNG" else "RGB")
                small.thumbnail((size, size), Image.Resampling.LANCZOS)
                small.save(incoming, form)
            incoming.replace(kept)
        return kept


class Files:
    """The addresses and actions that move files. Owned by the site's event loop; scaling runs in threads."""

    def __init__(self, site: Site, store: FileStore) -> None:
        self._site = site
        self._store = store
        router = site.app.router
        router.add_put("/component/put", self._put)
        router.add_get("/component/get", self._get)
        router.add_get("/component/remove", self._remove)
        router.add_get("/component/thumbnail", self._thumbnail)
        router.add_get("/img/thumbnail2.png", self._default_thumbnail)
        site.on_action("get_upload_metadata", self._upload_metadata)
        site.on_action("complete_multipart_upload", self._complete_upload)

    # Actions.

    def _upload_metadata(self, _batch: Batch, operation: Mapping[str, Json]) -> Json:
        identifier = self._component_id(operation)
        parts = operation.get("parts")
        if isinstance(parts, int) and parts > 1:
            upload = uuid.uuid4().hex
            return {
                "component_id": identifier,
                "upload_id": upload,
                "urls": [
                    {"part_number": number, "signed_url": self._signed(f"{upload}-{number}")}
                    for number in range(1, parts + 1)
                ],
            }
        headers = {"Content-Disposition": "attachment"}
        checksum = operation.get("checksum")
        if checksum:
            headers["Content-MD5"] = str(checksum)
        return {"component_id": identifier, "url": self._signed(identifier), "headers": headers}

    def _complete_upload(self, _batch: Batch, operation: Mapping[str, Json]) -> Json:
        identifier = self._component_id(operation)
        upload = str(operation.get("upload_id") or "")
        numbers = sorted(int(part["part_number"]) for part in operation.get("parts") or [])
        incoming = self._store.incoming()
        try:
            pieces = [self._store.path(f"{upload}-{number}") for number in numbers]
            if not pieces:
                raise ApiError("ValidationError", "A multi-part upload needs its parts.")
            with incoming.open("wb") as whole:
                for piece in pieces:
                    with piece.open("rb") as part:
                        shutil.copyfileobj(part, whole, _CHUNK)
        except (ValueError, FileNotFoundError) as error:
            incoming.unlink(missing_ok=True)
            raise ApiError("ValidationError", f"Parts of upload {upload} are missing.") from error
        self._store.adopt(identifier, incoming)
        for piece in pieces:
            piece.unlink(missing_ok=True)
        return {"component_id": identifier}

    def _component_id(self, operation: Mapping[str, Json]) -> str:
        identifier = str(operation.get("component_id") or "")
        try:
            self._store.path(identifier)
        except ValueError as error:
            raise ApiError("ValidationError", str(error)) from error
        return identifier

    # Addresses.

    def _signed(self, identifier: str) -> str:
        return f"{self._site.url}/component/put?{urlencode({'id': identifier, 'signature': self._sign(identifier)})}"

    def _sign(self, identifier: str) -> str:
        return hmac.new(self._site.key.encode(), identifier.encode(), hashlib.sha256).hexdigest()

    async def _put(self, request: web.Request) -> web.Response:
        identifier = request.query.get("id", "")
        if not hmac.compare_digest(self._sign(identifier), request.query.get("signature", "")):
            raise web.HTTPForbidden(text="this address was not given out by the site")
        incoming = self._store.incoming()
        digest = hashlib.md5(usedforsecurity=False)
        try:
            with incoming.open("wb") as file:
                async for chunk in request.content.iter_chunked(_CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
            wanted = request.headers.get("Content-MD5")
            if wanted and wanted.strip() != base64.b64encode(digest.digest()).decode():
                raise web.HTTPBadRequest(text="the content does not have the MD5 that was announced")
            self._store.adopt(identifier, incoming)
        finally:
            incoming.unlink(missing_ok=True)
        return web.Response(headers={"ETag": f'"{digest.hexdigest()}"'})

    def _existing(self, request: web.Request) -> tuple[str, Path]:
        require_credentials(self._site, request)
        identifier = request.query.get("id", "")
        try:
            path = self._store.path(identifier)
        except ValueError as error:
            raise web.HTTPNotFound(text=str(error)) from error
        if not path.exists():
            raise web.HTTPNotFound(text=f"component {identifier} has no file in this location")
        return identifier, path

    async def _get(self, request: web.Request) -> web.StreamResponse:
        identifier, path = self._existing(request)
        row = self._site.reader.row("Component", identifier) or {}
        suffix = str(row.get("file_type") or "")
        if suffix and not suffix.startswith("."):
            suffix = f".{suffix}"
        kind = mimetypes.guess_type(f"file{suffix}")[0] or "application/octet-stream"
        name = re.sub(r"[^\w.\- ]", "_", str(row.get("name") or identifier) + suffix)
        disposition = f"inline; filename*=utf-8''{urlencode({'': name})[1:]}"
        return web.FileResponse(path, headers={"Content-Type": kind, "Content-Disposition": disposition})

    async def _remove(self, request: web.Request) -> web.Response:
        identifier, _path = self._existing(request)
        self._store.remove(identifier)
        return web.Response(text="")

    async def _thumbnail(self, request: web.Request) -> web.StreamResponse:
        identifier, path = self._existing(request)
        try:
            size = int(request.query.get("size") or 0)
        except ValueError as error:
            raise web.HTTPBadRequest(text='"size" is a number of pixels') from error
        if size <= 0:
            return await self._get(request)
        try:
            path = await asyncio.to_thread(self._store.thumbnail, identifier, min(size, _LARGEST_THUMBNAIL))
        except UnidentifiedImageError:
            return await self._default_thumbnail(request)
        kind = "image/png" if path.read_bytes()[:4] == b"\x89PNG" else "image/jpeg"
        return web.FileResponse(path, headers={"Content-Type": kind})

    async def _default_thumbnail(self, _request: web.Request) -> web.Response:
        return web.Response(body=default_thumbnail(), content_type="image/png")


def default_thumbnail() -> bytes:
    """The picture of an entity that has none: a frame with a mountain, as PNG."""
    image = Image.new("RGB", (320, 180), "#2b2f36")
    draw = ImageDraw.Draw(image)
    draw.rectangle((110, 50, 210, 130), outline="#5c6470", width=4)
    draw.polygon(((120, 120), (150, 80), (170, 105), (180, 95), (200, 120)), fill="#5c6470")
    draw.ellipse((178, 62, 192, 76), fill="#5c6470")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
