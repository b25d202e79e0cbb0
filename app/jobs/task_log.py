"""A task's output on disk: appended as it comes, capped, and never the reason why the task fails."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from app.settings.redact import without_known

__all__ = ["TaskLog"]


class TaskLog:
    """One log file. One thread writes; others read what is there at any time.

    Args:
        path: The file; its folder is made.
        limit: Bytes that are kept; then a line says that the rest was left out.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.problem = ""
        self._limit = limit
        self._size = 0
        self._full = False
        self._file: BinaryIO | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
            self._size = self._file.tell()
        except OSError as error:
            self._failed(error)

    def write(self, text: str, end: str = "\n") -> None:
        """Add a line, or several; or, with ``end`` empty, a piece of text as it is."""
        if self._file is None or self._full:
            return
        # A program may print its environment, and a key with it.
        data = (without_known(text) + end).encode("utf-8", "replace")
        if self._size + len(data) > self._limit:
            self._full = True
            kept = data[: data.rfind(b"\n", 0, max(0, self._limit - self._size)) + 1]
            words = f"the log is full at {self._limit / (1 << 20):g} MB: what the task writes from here on is not kept"
            data = kept + f"--- {words} ---\n".encode()
        try:
            # A disk that has room for a part takes that, and says only at the next piece that it is full.
            while data:
                written = self._file.write(data)
                self._size += written
                data = data[written:]
        except OSError as error:
            self._failed(error)

    def start_over(self) -> None:
        """What was written is void (the task is done again from the start)."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.truncate(0)
        self._size, self._full = 0, False

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> TaskLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _failed(self, error: OSError) -> None:
        """The disk is full, or the folder may not be written: the task goes on without a log, and that is said."""
        what = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else (error.strerror or str(error))
        self.problem = f"its output could not be kept in {self.path}: {what}"
        self.close()
