"""One thread's access to the site: plain reads, raw operations in one transaction, cached look-ups, uploads."""

from __future__ import annotations

import base64
import datetime as dt
import email.utils
import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ftrack_api
import ftrack_api.exception
import ftrack_api.symbol
import requests

from app.site.cache import LookUps
from app.site.encoding import plain
from app.site.operations import operation
from app.site.session import open_session, post
from app.site.types import Credentials, Named, SiteRefusal, SiteUnreachable

_PAGE = 500
_OWN_LIMIT = re.compile(r"\b(limit|offset)\s+\d+\s*$", re.IGNORECASE)
_LOCATIONS = {
    "ftrack.server": ftrack_api.symbol.SERVER_LOCATION_ID,
    "ftrack.review": ftrack_api.symbol.REVIEW_LOCATION_ID,
    "ftrack.unmanaged": ftrack_api.symbol.UNMANAGED_LOCATION_ID,
    "ftrack.origin": ftrack_api.symbol.ORIGIN_LOCATION_ID,
}
_HOLDS_FILES = {"ftrack.server", "ftrack.review"}


class Site:
    """The calling thread's door to one site (see ``app.engine.doors.SiteDoor``). The session is opened at first use.

    Args:
        credentials: Who signs in where.
        look_ups: Cached tables, shared by all doors of a process to the same site.
        cache: Folder of the schema caches.
        timeout: Seconds before a request is given up.
        strict: Ask for strict errors.
    """

    def __init__(
        self,
        credentials: Credentials,
        look_ups: LookUps,
        *,
        cache: Path,
        timeout: float = 60.0,
        strict: bool = False,
    ) -> None:
        self._credentials = credentials
        self._look_ups = look_ups
        self._cache = cache
        self._timeout = timeout
        self._strict = strict
        self._session: ftrack_api.Session | None = None
        self._clock_offset = 0.0

    @property
    def server(self) -> str:
        """The site's URL without credentials."""
        return self._credentials.server.rstrip("/")

    @property
    def session(self) -> ftrack_api.Session:
        """The client's session; opened at first use. Raises SiteUnreachable or WrongKey."""
        if self._session is None:
            self._session = open_session(self._credentials, self._cache, timeout=self._timeout, strict=self._strict)
        return self._session

    def close(self) -> None:
        """End the session."""
        if self._session is not None:
            session, self._session = self._session, None
            session.close()

    def fresh(self) -> None:
        """Forget every cached entity and recorded operation; makes no request."""
        if self._session is not None:
            self._session.recorded_operations.clear()
            self._session.reset()

    def warm(self) -> None:
        """Open the session and read the process's look-ups, so that no run waits for either.

        Raises:
            SiteUnreachable, SiteRefusal.
        """
        _ = self.session
        self._lend().warm()

    # -- reading and writing -----------------------------------------------------------------------------------------

    def rows(self, expression: str) -> list[dict[str, Any]]:
        """One query as plain nested dicts, all pages.

        Raises:
            SiteRefusal: the site does not understand the expression.
            SiteUnreachable: the site does not answer.
        """
        session = self.session
        expression = expression.strip()
        if not expression.lower().startswith("select"):
            entity_type = expression.split(" ", 1)[0]
            if entity_type not in session.types:
                raise SiteRefusal("ParseError", f"the site has no entity type {entity_type!r}")
            projections = ", ".join(session.types[entity_type].default_projections)
            expression = f"select {projections} from {expression}"
        if _OWN_LIMIT.search(expression):
            return list(self._post([{"action": "query", "expression": expression}])[0]["data"])
        rows: list[dict[str, Any]] = []
        offset: int | None = 0
        while offset is not None:
            page = f"{expression} offset {offset} limit {_PAGE}"
            answer = self._post([{"action": "query", "expression": page}])[0]
            rows.extend(answer["data"])
            following = ((answer.get("metadata") or {}).get("next") or {}).get("offset")
            offset = int(following) if following is not None and int(following) > offset else None
        return rows

    def call(self, operations: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Operations in one server transaction; returns the server's results (``action``, ``data``), decoded.

        Raises:
            SiteRefusal: refused, nothing of the batch was stored.
            SiteUnreachable: no answer; whether the batch was stored is in doubt.
        """
        return self._post([dict(operation) for operation in operations])

    def _post(self, operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
        session = self.session
        answer, response, sent = post(session, session.encode(operations))
        self._note_time(response.headers.get("Date"), sent)
        if not isinstance(answer, list) or len(answer) != len(operations):
            raise SiteUnreachable(f"{self.server} answered something that is not a result of ours")
        results: list[dict[str, Any]] = plain(answer)
        return results

    # -- files -------------------------------------------------------------------------------------------------------

    def upload(
        self, path: Path, *, name: str, version_id: str | None, location: str, component_id: str
    ) -> dict[str, Any]:
        """Put a file into a location under a component id chosen by the caller; doing it again changes nothing.

        Args:
            path: The file.
            name: Name of the component, e.g. "ftrackreview-mp4".
            version_id: The version it belongs to, or None.
            location: "ftrack.server", "ftrack.review" or "ftrack.unmanaged" (the path is recorded, nothing is sent).
            component_id: Its id.

        Raises:
            OSError: the file cannot be read.
            SiteRefusal, SiteUnreachable: as ``call``.
        """
        location_id = _LOCATIONS.get(location, location)
        found = self.rows(
            "select id, name, size, file_type, version_id, component_locations.location_id"
            f' from FileComponent where id is "{component_id}"'
        )
        if found and any(item["location_id"] == location_id for item in found[0].get("component_locations") or ()):
            return found[0]
        size = path.stat().st_size
        if not found:
            data: dict[str, Any] = {"id": component_id, "name": name, "file_type": path.suffix.lower(), "size": size}
            if version_id is not None:
                data["version_id"] = version_id
            self._create_once("FileComponent", data, f'select id from FileComponent where id is "{component_id}"')
        holds_file = location in _HOLDS_FILES
        if holds_file:
            self._put(path, component_id, f"{name}{path.suffix.lower()}", size)
        link = {
            "component_id": component_id,
            "location_id": location_id,
            "resource_identifier": component_id if holds_file else str(path),
        }
        there = f'select id from ComponentLocation where component_id is "{component_id}"'
        self._create_once("ComponentLocation", link, f'{there} and location_id is "{location_id}"')
        return self.rows(
            f'select id, name, size, file_type, version_id from FileComponent where id is "{component_id}"'
        )[0]

    def _create_once(self, entity_type: str, data: Mapping[str, Any], there: str) -> None:
        """Create, unless another worker that uploads the same shared picture was quicker."""
        try:
            self.call([operation("create", entity_type, [data["id"]] if "id" in data else [], data)])
        except SiteRefusal:
            if not self.rows(there):
                raise

    def _put(self, path: Path, component_id: str, file_name: str, size: int) -> None:
        digest = hashlib.md5(usedforsecurity=False)
        with path.open("rb") as stream:
            while block := stream.read(1024 * 1024):
                digest.update(block)
            checksum = base64.b64encode(digest.digest()).decode("ascii")
            target = self.call(
                [
                    {
                        "action": "get_upload_metadata",
                        "component_id": component_id,
                        "file_name": file_name,
                        "file_size": size,
                        "checksum": checksum,
                    }
                ]
            )[0]
            stream.seek(0)
            try:
                answer = requests.put(
                    target["url"], data=stream, headers=target.get("headers") or {}, timeout=self._timeout
                )
            except requests.exceptions.RequestException as error:
                raise SiteUnreachable(f"{self.server} did not take the file {path.name}") from error
        if answer.status_code >= 500:
            raise SiteUnreachable(f"{self.server} did not take the file {path.name} (status {answer.status_code})")
        if answer.status_code >= 400:
            raise SiteRefusal("UploadError", f"the site refused the file {path.name} (status {answer.status_code})")

    def download(self, component_id: str, target: Path) -> None:
        """Fetch a component's file from the site into ``target``, whole or not at all.

        Raises:
            SiteRefusal: the site does not hold the file. SiteUnreachable, OSError.
        """
        partial = target.with_name(f".{target.name}.part")
        parameters = {"id": component_id, "username": self._credentials.api_user, "apiKey": self._credentials.api_key}
        try:
            with requests.get(
                f"{self.server}/component/get", params=parameters, stream=True, timeout=self._timeout
            ) as answer:
                if answer.status_code >= 500:
                    raise SiteUnreachable(f"{self.server} did not give the file (status {answer.status_code})")
                if answer.status_code >= 400:
                    raise SiteRefusal("DownloadError", f"{self.server} holds no file of the component {component_id}")
                with partial.open("wb") as file:
                    for block in answer.iter_content(1024 * 1024):
                        file.write(block)
        except requests.exceptions.RequestException:
            # The library's own words carry the address with the key in it.
            raise SiteUnreachable(f"{self.server} did not give the file of {component_id}") from None
        partial.replace(target)

    # -- look-ups ----------------------------------------------------------------------------------------------------

    def _lend(self) -> LookUps:
        self._look_ups.lend(self.rows)
        return self._look_ups

    def statuses(self) -> Mapping[str, Named]:
        """All statuses by id."""
        return self._lend().statuses

    def status_named(self, name: str) -> Named | None:
        """A status by name, compared without case."""
        return self._lend().status_named(name)

    def types(self) -> Mapping[str, Named]:
        """All (task and asset build) types by id."""
        return self._lend().types

    def object_types(self) -> Mapping[str, Named]:
        """All object types by id (Task, Shot, Sequence, ...)."""
        return self._lend().object_types

    def workflow(self, project_schema_id: str) -> Named | None:
        """A workflow (project) schema."""
        return self._lend().workflow(project_schema_id)

    def allowed_statuses(self, project_schema_id: str, entity_type: str, type_id: str | None = None) -> Sequence[Named]:
        """Statuses the workflow allows for an object type, for Task per task type (overrides respected)."""
        return self._lend().allowed(project_schema_id, entity_type, type_id)

    def own_user_id(self) -> str:
        """The id of the API user this door is signed in as."""
        return self._lend().own_user_id(self._credentials.api_user)

    # -- time --------------------------------------------------------------------------------------------------------

    def server_time(self) -> dt.datetime:
        """The site's idea of now, aware UTC, from the date of its latest answer (to the second)."""
        return dt.datetime.fromtimestamp(time.time() + self._clock_offset, dt.UTC)

    def _note_time(self, stamp: str | None, sent: float) -> None:
        if not stamp:
            return
        try:
            told = email.utils.parsedate_to_datetime(stamp).timestamp()
        except (TypeError, ValueError):
            return
        middle = (sent + time.time()) / 2
        # The header has whole seconds: a smaller difference says nothing.
        self._clock_offset = told - middle if abs(told - middle) > 2.0 else 0.0
