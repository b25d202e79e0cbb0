"""The one lock of a journal: `flock` on ``journal.lock``, shared by the host and the worker it starts.

The lock belongs to the open file, not to a process: a child that inherits the descriptor holds it too, so it is free
only when host and worker are both gone, however they ended.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from app.journal.rows import JournalBusy
from app.journal.store import unwritable

_NAME = "journal.lock"
_TRIES = 10
_TRY_SECONDS = 0.005


class JournalLock:
    """Holds a journal's lock until `release` or the end of every process that shares it."""

    def __init__(self, fd: int, path: Path) -> None:
        self.fd = fd
        self.path = path

    @classmethod
    def take(cls, folder: Path) -> JournalLock:
        """Take the lock of the journal in ``folder``.

        Raises:
            JournalBusy: Another Signalbox works on this journal; the text says which process, where known.
        """
        path = folder / _NAME
        fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o664)
        try:
            _lock_patiently(fd)
        except OSError as error:
            owner = _owner(path)
            os.close(fd)
            raise JournalBusy(
                f"another Signalbox{owner} works on the journal in {folder}: "
                "close it, or open this panel beside it (it then only watches and gives orders)"
            ) from error
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0) if hasattr(os, "pwrite") else os.write(fd, b"")
        except OSError as error:
            os.close(fd)
            raise unwritable(path, error.strerror or str(error)) from error
        return cls(fd, path)

    @classmethod
    def inherited(cls, fd: int, folder: Path) -> JournalLock:
        """The lock whose descriptor the parent process passed on.

        Raises:
            JournalBusy: The descriptor is not the lock of this journal.
        """
        path = folder / _NAME
        try:
            same = os.path.samestat(os.fstat(fd), path.stat())
        except OSError as error:
            raise JournalBusy(
                f"the lock of the journal in {folder} was not passed on: start through the host"
            ) from error
        if not same:
            raise JournalBusy(f"descriptor {fd} is not the lock of the journal in {folder}")
        os.set_inheritable(fd, False)
        return cls(fd, path)

    @staticmethod
    def is_held(folder: Path) -> bool:
        """Whether somebody works on the journal. Asked without writing, so that who may only read is told the truth."""
        try:
            fd = os.open(folder / _NAME, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except OSError:
            return False
        try:
            _lock(fd)
        except OSError:
            return True
        finally:
            os.close(fd)
        return False

    @staticmethod
    def held_by_another_account(folder: Path) -> bool:
        """Whether a process of another account than ours works on the journal, as a service does; False if unknown."""
        if not hasattr(os, "getuid") or not JournalLock.is_held(folder):
            return False
        try:
            pid = int((folder / _NAME).read_text())
            os.kill(pid, 0)
            return Path(f"/proc/{pid}").stat().st_uid != os.getuid()
        except PermissionError:
            return True
        except (OSError, ValueError):
            return False

    @staticmethod
    def orphaned(folder: Path) -> bool:
        """Whether the process that took the lock is gone, so that only its worker holds it, until its runs end."""
        try:
            os.kill(int((folder / _NAME).read_text().strip() or "0") or os.getpid(), 0)
        except ProcessLookupError:
            return True
        except (OSError, ValueError):
            return False
        return False

    def release(self) -> None:
        """Close this process's share of the lock."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _lock_patiently(fd: int) -> None:
    """Who only asks whether it is held (`JournalLock.is_held`) has it for a moment: that is not somebody at work."""
    for _ in range(_TRIES - 1):
        try:
            return _lock(fd)
        except OSError:
            time.sleep(_TRY_SECONDS)
    return _lock(fd)


def _owner(path: Path) -> str:
    try:
        text = path.read_text().strip()
    except OSError:
        return ""
    return f" (process {text})" if text.isdigit() else ""


if sys.platform == "win32":  # pragma: no cover - the workstation's variant is tested where it runs
    import msvcrt

    def _lock(fd: int) -> None:
        # One byte far beyond the process number, so that others can still read who holds it.
        os.lseek(fd, 1 << 20, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
