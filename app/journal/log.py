"""log.db: the lines people read in the Log dock and beside a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.journal.filesystem import prepare_folder
from app.journal.rows import LogFilter, LogRow
from app.journal.schema import LOG_TABLES, LOG_VERSION
from app.journal.store import Store, create
from app.rules.text import storable

_COLUMNS = "id, at, level, logger, message, handler, run_id, event_row, project, entity"


_PAGE_BYTES = 1 << 14
"""The log is searched from end to end: pages four times the usual size save a fifth of the processor's time."""


class LogStore(Store):
    """Log lines. Appending does not wait for the disk: a power cut may cost the last lines, never the file."""

    mapped = 0  # a search goes through the whole file: mapping it would save nothing and count as the window's memory

    @classmethod
    def open(cls, folder: Path, *, read_only: bool = False, group: str = "signalbox") -> LogStore:
        """Open (and, unless read-only, make) ``log.db`` in ``folder``."""
        path = folder / "log.db"
        if not read_only:
            prepare_folder(folder, group)
            create(path, _PAGE_BYTES)
        store = cls(path, writable=not read_only)
        if not read_only:
            with store.write() as db:
                for statement in LOG_TABLES:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={LOG_VERSION}")
            store._writing().execute("PRAGMA wal_autocheckpoint=1000").fetchall()
        return store

    def append(self, rows: Sequence[LogRow]) -> None:
        """Append lines; their own ids are ignored."""
        if not rows:
            return
        with self.write() as db:
            db.executemany(
                "INSERT INTO lines(at, level, logger, message, handler, run_id, event_row, project, entity) "
                "VALUES(?,?,?,?,?,?,?,?,?)",
                [
                    (
                        row.at,
                        row.level,
                        row.logger,
                        # SQLite searches a text up to its first NUL only.
                        storable(row.message).replace("\0", "\u2400"),
                        row.handler,
                        row.run_id,
                        row.event_row,
                        storable(row.project),
                        storable(row.entity),
                    )
                    for row in rows
                ],
            )

    def lines(self, wanted: LogFilter | None = None, before: int | None = None, limit: int = 500) -> list[LogRow]:
        """A page of lines, newest first."""
        where, arguments = _conditions(wanted or LogFilter())
        if before is not None:
            where.append("id < ?")
            arguments.append(before)
        clause = f"WHERE {' AND '.join(where)}" if where else ""
        rows = self.read(f"SELECT {_COLUMNS} FROM lines {clause} ORDER BY id DESC LIMIT ?", [*arguments, limit])
        return [LogRow(*row) for row in rows]

    def after(self, row_id: int, limit: int = 1000, wanted: LogFilter | None = None) -> list[LogRow]:
        """Lines newer than ``row_id`` that pass the filter, oldest first."""
        where, arguments = _conditions(wanted or LogFilter())
        where.append("id > ?")
        sql = f"SELECT {_COLUMNS} FROM lines WHERE {' AND '.join(where)} ORDER BY id LIMIT ?"
        return [LogRow(*row) for row in self.read(sql, [*arguments, row_id, limit])]

    def count(self, wanted: LogFilter | None = None) -> int:
        """How many lines pass the filter."""
        where, arguments = _conditions(wanted or LogFilter())
        clause = f"WHERE {' AND '.join(where)}" if where else ""
        row = self.one(f"SELECT count(*) FROM lines {clause}", arguments)
        return int(row[0]) if row else 0

    def last_id(self) -> int:
        """Id of the newest line, 0 without one."""
        row = self.one("SELECT max(id) FROM lines")
        return int(row[0] or 0) if row else 0

    def forget(self, before: float, limit: int = 20_000) -> int:
        """Delete lines older than ``before``, at most ``limit`` a call; returns how many went."""
        with self.write() as db:
            start: int = db.total_changes()
            db.execute("DELETE FROM lines WHERE id IN (SELECT id FROM lines WHERE at < ? LIMIT ?)", (before, limit))
            return db.total_changes() - start


def _conditions(wanted: LogFilter) -> tuple[list[str], list[Any]]:
    where: list[str] = []
    arguments: list[Any] = []
    text = "logger || ' ' || message || ' ' || handler || ' ' || entity"
    if wanted.text:
        where.append(f"matches(?, {text})" if wanted.regex else f"instr(lower({text}), lower(?))")
        arguments.append(wanted.text)
    if wanted.level:
        where.append("level >= ?")
        arguments.append(wanted.level)
    for column, value in (
        ("handler", wanted.handler),
        ("run_id", wanted.run_id),
        ("event_row", wanted.event_row),
        ("project", wanted.project),
    ):
        if value not in ("", None):
            where.append(f"{column} = ?")
            arguments.append(value)
    return where, arguments
