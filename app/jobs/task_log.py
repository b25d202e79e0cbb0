"""A task's output on disk: appended as it comes, capped, and never the reason why the task fails."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from app.settings.redact import without_known

__all__ = ["TaskLog"]

#: Characters at the end of what a full log left out: so many are kept, and so many more are at hand to mask them.
_END_KEPT = 16_384
_END_TAKEN = 2 * _END_KEPT


class TaskLog:
    """One log file. One thread writes; others read what is there at any time.

    Args:
        path: The file; its folder is made.
        limit: Bytes that are kept; then a line says that the rest was left out, `finish` adds the end of that.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.problem = ""
        self._limit = limit
        self._size = 0
        self._full = False
        self._end = ""
        self._file: BinaryIO | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
            self._size = self._file.tell()
        except OSError as error:
            self._failed(error)

    def write(self, text: str, end: str = "\n") -> None:
        """Add a line, or several; or, with ``end`` empty, a piece of text as it is."""
        if self._file is None:
            return
        if self._full:
            self._end = (self._end + text + end)[-_END_TAKEN:]
            return
        # A program may print its environment, and a key with it.
        data = (without_known(text) + end).encode("utf-8", "replace")
        if self._size + len(data) > self._limit:
            self._full = True
            whole = data.rfind(b"\n", 0, max(0, self._limit - self._size)) + 1
            self._end = data[whole:].decode("utf-8")[-_END_TAKEN:]
            words = f"the log is full at {self._limit / (1 << 20):g} MB: what the task writes from here on is not kept"
            data = data[:whole] + f"--- {words}, but for its end ---\n".encode()
        self._put(data)

    def _put(self, data: bytes) -> None:
        if self._file is None:
            return
        try:
            # A disk that has room for a part takes that, and says only at the next piece that it is full.
            while data:
                written = self._file.write(data)
                self._size += written
                data = data[written:]
        except OSError as error:
            self._failed(error)

    def another_attempt(self, note: str) -> None:
        """A line before what a further attempt writes, which has at least half of the room for itself."""
        if self._size > self._limit // 2:
            self.start_over()
            note += ": the log of what was before has made room"
        self.write(f"--- {note} ---")

    def finish(self) -> None:
        """Nothing more comes: of a log that is full, the end of what was left out is added, for why a task failed."""
        if not self._end:
            return
        # What a cut may have parted from a key's beginning is not among what is kept.
        text = without_known(self._end)[-_END_KEPT:]
        if len(self._end) > _END_KEPT:
            text = text.partition("\n")[2] or text
        self._end = ""
        self._put(f"--- the end of what was not kept: ---\n{text}".encode("utf-8", "replace"))

    def start_over(self) -> None:
        """What was written is void (the task is done again from the start)."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.truncate(0)
        self._size, self._full, self._end = 0, False, ""

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
