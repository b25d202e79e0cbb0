"""Writing small files so that a reader sees the old or the new content, whole, whatever happens."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

CRASH_VARIABLE = "SIGNALBOX_CRASH_AT"


def sha256(data: bytes | str) -> str:
    """Hex SHA-256 of bytes or of a text's UTF-8."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return hashlib.sha256(raw).hexdigest()


_passed: dict[str, int] = {}


def crash_point(name: str) -> None:
    """End the process here when the environment asks for it (``deploy.rename:2`` = at the second passage)."""
    wanted, _, count = os.environ.get(CRASH_VARIABLE, "").partition(":")
    if wanted != name:
        return
    _passed[name] = _passed.get(name, 0) + 1
    if _passed[name] == int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)


def write_atomically(target: Path, data: bytes, step: Callable[[str], None] = lambda _name: None) -> None:
    """Replace ``target`` by ``data``: temporary file beside it, flushed to disk, renamed over it.

    ``step`` is told each stage. Raises OSError (disk full, no permission); the target is then as it was.
    """
    handle, name = tempfile.mkstemp(prefix="." + target.name + ".", suffix=".part", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            step("open")
            file.write(data[: len(data) // 2])
            file.flush()
            step("half")
            file.write(data[len(data) // 2 :])
            file.flush()
            step("written")
            os.fsync(file.fileno())
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
        temporary.chmod(mode)
        step("synced")
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    step("renamed")
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can."""
    if os.name != "posix":
        return
    # Some network file systems cannot, nor can who may write but not read there; the rename is done all the same.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
