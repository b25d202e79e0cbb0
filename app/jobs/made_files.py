"""What a task has put in its place so far: an attempt after a crash, a stop or a failure takes up where that one ended.

The Worker's ``copy-file`` refuses what is there already, and ``move-directory`` what is gone. Both are right the first
time; a task that starts over would fail at what it did itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

__all__ = ["MadeFiles"]


class MadeFiles:
    """The notes of one task, in a file beside its log.

    Args:
        path: The file; None: nothing is remembered.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    def part(self, target: Path) -> Path:
        """Where a copy grows before it gets its name; the same again for the same task, so that none is left over."""
        tag = hashlib.sha256(f"{self._path}\n{target}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return target.with_name(f".{tag}.part")

    def note(self, source: Path, target: Path, placed: Path) -> None:
        """Write down that ``placed`` is about to get the name ``target``. Raises OSError."""
        if self._path is None:
            return
        line = json.dumps([str(source), _state(source), str(target), _state(placed)])
        with self._path.open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def has_made(self, source: Path, target: Path) -> bool:
        """Whether ``target`` is what this task put there, from a source that is gone or is still the same."""
        if self._path is None or not self._path.exists():
            return False
        there = _state(target)
        for line in self._path.read_text("utf-8", "surrogateescape").splitlines():
            try:
                noted_source, source_state, noted_target, target_state = json.loads(line)
            except ValueError:
                continue  # the last line before a crash may be a half one
            same = (noted_source, noted_target, target_state) == (str(source), str(target), there)
            if same and _state(source) in ("", source_state):
                return True
        return False


def _state(path: Path) -> str:
    """Which file this is and, of a file, what it holds as far as can be told without reading; "" when it is gone."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ""
    which = f"{found.st_dev}:{found.st_ino}"
    return which if stat.S_ISDIR(found.st_mode) else f"{which}:{found.st_size}:{found.st_mtime_ns}"
