"""The least a site could do: aiohttp, one SQLite table, every operation stored or read and echoed.

No schema, no users, no checks, no defaults, no events: what the embedded site's answers are compared with.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

from aiohttp import web


def application(path: Path) -> web.Application:
    """``POST /api`` with ``create`` (one transaction a batch) and ``query`` (one row by name)."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("CREATE TABLE entity (id TEXT PRIMARY KEY, name TEXT, body TEXT)")
    database.execute("CREATE INDEX entity_name ON entity (name)")
    database.execute("INSERT INTO entity VALUES ('1', 'jenkins', '{}')")

    async def api(request: web.Request) -> web.Response:
        results = []
        database.execute("BEGIN")
        for operation in json.loads(await request.read()):
            if operation["action"] == "create":
                data = operation["entity_data"]
                database.execute("INSERT INTO entity VALUES (?, ?, ?)", (data["id"], data["name"], json.dumps(data)))
                results.append({"action": "create", "data": data})
            else:
                rows = database.execute("SELECT id, name FROM entity WHERE name = ?", ("jenkins",))
                data = [{"id": key, "username": name} for key, name in rows]
                results.append({"action": "query", "data": data, "metadata": {"next": {"offset": None}}})
        database.execute("COMMIT")
        return web.json_response(results)

    app = web.Application(client_max_size=512 * 1024 * 1024)
    app.router.add_post("/api", api)
    return app


if __name__ == "__main__":
    web.run_app(
        application(Path(sys.argv[1])), host="127.0.0.1", port=int(sys.argv[2]), access_log=None, print=lambda _: None
    )
