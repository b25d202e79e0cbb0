"""The plain log file beside the journal, as studios' tools expect it: one line a record, rotated by size.

One process (the host) writes it from log.db, so the lines of host and worker come in one order and each once.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
from pathlib import Path

from app.journal.log import LogStore
from app.journal.rows import LogRow

_BATCH = 5000


class PlainLog:
    """Appends what is new in log.db to a file.

    Args:
        folder: The journal's folder.
        path: The file; its folder must exist.
        max_bytes: Size at which it is rotated.
        keep: How many rotated files (``.1`` is the newest) are kept.
    """

    def __init__(self, folder: Path, path: Path, max_bytes: int = 50_000_000, keep: int = 5) -> None:
        self._store = LogStore.open(folder, read_only=True)
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._last = self._store.last_id()
        self.problem = ""

    def turn(self) -> None:
        """Write what came since the last turn. A full or read-only disk is remembered and tried again next time."""
        while rows := self._store.after(self._last, _BATCH):
            try:
                self._append("".join(_line(row) for row in rows).encode())
            except OSError as error:
                self.problem = (
                    f"the log file {self._path} cannot be written: {error.strerror}{_owner(self._path, error)}"
                )
                return
            self.problem = ""
            self._last = rows[-1].id

    def close(self) -> None:
        """Write the rest and let go of log.db."""
        self.turn()
        self._store.close()

    def _append(self, data: bytes) -> None:
        # The usual place is /tmp, where anybody may plant a link: never write through one.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(self._path, flags, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            if size and size + len(data) > self._max_bytes:
                os.close(descriptor)
                descriptor = -1
                self._rotate()
                descriptor = os.open(self._path, flags, 0o644)
            written = 0
            while written < len(data):
                written += os.write(descriptor, data[written:])
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _rotate(self) -> None:
        for number in range(self._keep, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            newer = self._path.with_name(f"{self._path.name}.{number - 1}") if number > 1 else self._path
            if newer.exists():
                newer.replace(older)
        if not self._keep:
            self._path.unlink(missing_ok=True)


def _owner(path: Path, error: OSError) -> str:
    """Whose file it is, where that is why: an older server's often stands in the way, and nobody else may move it."""
    if not isinstance(error, PermissionError):
        return ""
    try:
        return f". It belongs to {path.owner()}, who (or root) can move it away"
    except (OSError, KeyError, NotImplementedError):
        return ""


def _line(row: LogRow) -> str:
    """``2026-11-22 10:00:00,123 INFO signalbox.engine [create_task_folder run 12 event 7] message``."""
    moment = dt.datetime.fromtimestamp(row.at).astimezone()
    marks = [row.handler, f"run {row.run_id}" if row.run_id else "", f"event {row.event_row}" if row.event_row else ""]
    mark = " ".join(word for word in marks if word)
    stamp = f"{moment:%Y-%m-%d %H:%M:%S},{moment.microsecond // 1000:03d}"
    where = f" [{mark}]" if mark else ""
    # A message of several lines stays one record: continuation lines are indented.
    message = row.message.replace("\n", "\n    ")
    return f"{stamp} {logging.getLevelName(row.level)} {row.logger}{where} {message}\n"
