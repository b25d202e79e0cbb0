"""Values that are in no column: links from the project down, addresses of thumbnails and files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import apsw

from app.sandbox.schema import EntityType

Row = Mapping[str, Any]


class LiveValues:
    """Makes them for many rows at once.

    Args:
        base_url: answers the site's own address (known once it listens).
    """

    def __init__(self, base_url: Callable[[], str]) -> None:
        self.base_url = base_url

    def __call__(self, connection: apsw.Connection, entity: EntityType, name: str, rows: Sequence[Row]) -> list[Any]:
        """One value a row, in order."""
        if name in ("link", "_link"):
            steps: dict[str, tuple[str, str, str | None]] = {}
            return [self._link(connection, entity, row, steps) for row in rows]
        if name == "thumbnail_url":
            return [self._url("thumbnail", row.get("thumbnail_id") or row.get("component_id")) for row in rows]
        return [self._url("get", row.get("component_id")) for row in rows]

    def _url(self, what: str, component_id: str | None) -> dict[str, str] | None:
        if not component_id:
            return None
        return {"__type__": "url", "value": f"{self.base_url()}/component/{what}?{urlencode({'id': component_id})}"}

    def _link(
        self,
        connection: apsw.Connection,
        entity: EntityType,
        row: Row,
        steps: dict[str, tuple[str, str, str | None]],
    ) -> list[dict[str, str]]:
        if not row:
            return []
        if entity.root == "Resource":
            return [{"id": row["id"], "name": row.get("name") or "", "type": entity.name}]
        if entity.root == "Context":
            return self._contexts(connection, row["id"], steps)
        asset = connection.execute('SELECT context_id, name FROM "Asset" WHERE id = ?', (row["asset_id"],)).fetchone()
        above = self._contexts(connection, asset[0], steps) if asset else []
        name = f"{asset[1] if asset else ''} v{row['version']}".strip()
        return [*above, {"id": row["id"], "name": name, "type": "AssetVersion"}]

    def _contexts(
        self, connection: apsw.Connection, context_id: str | None, steps: dict[str, tuple[str, str, str | None]]
    ) -> list[dict[str, str]]:
        """Root to self. ``steps`` keeps (name, type, parent) of contexts between rows."""
        found: list[dict[str, str]] = []
        while context_id:
            step = steps.get(context_id)
            if step is None:
                row = connection.execute(
                    'SELECT name, __type__, parent_id FROM "Context" WHERE id = ?', (context_id,)
                ).fetchone()
                if row is None:
                    break
                step = steps[context_id] = (row[0] or "", row[1], row[2])
            kind = "Project" if step[1] == "Project" else "TypedContext"
            found.append({"id": context_id, "name": step[0], "type": kind})
            context_id = step[2]
        return found[::-1]
