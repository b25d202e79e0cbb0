"""The journal: the truth about events, runs and effects, in one SQLite file that several processes share."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import apsw

from app.journal.events import Events
from app.journal.farm_jobs import FarmJobs
from app.journal.filesystem import file_system_magic, prepare_folder, refuse_network
from app.journal.levers import Levers
from app.journal.lock import JournalLock
from app.journal.orders import Orders
from app.journal.outbox import Outbox
from app.journal.reading import Reading
from app.journal.retention import Retention
from app.journal.rows import JournalError
from app.journal.schema import MIGRATIONS, VERSION
from app.journal.store import Row, check, create, unusable

log = logging.getLogger("signalbox.journal")

Mode = Literal["engine", "panel", "read"]


class Journal(Events, FarmJobs, Outbox, Levers, Orders, Reading, Retention):
    """One open journal.

    Threads may share it: reading uses a connection a thread, writing takes turns.

    Attributes:
        folder: Where ``journal.db``, ``log.db`` and ``journal.lock`` live.
        lock: The lock, in mode "engine"; pass ``lock.fd`` on to the worker.
        read_only: Whether orders are refused.
        why_read_only: For the window, "" when orders are taken.
    """

    folder: Path
    lock: JournalLock | None
    read_only: bool
    why_read_only: str

    @classmethod
    def open(
        cls,
        folder: Path,
        mode: Mode = "engine",
        *,
        lock_fd: int | None = None,
        group: str = "signalbox",
        clock: Callable[[], float] = time.time,
    ) -> Journal:
        """Open the journal in ``folder``.

        Args:
            folder: The journal's folder; made in mode "engine".
            mode: "engine" takes the lock, checks and migrates, and may write. "panel" may leave orders where the
                folder can be written, else it reads only and says why. "read" never writes.
            lock_fd: The descriptor of the lock that the host passed on to its worker.
            group: The group that a new folder is given to, where it exists.
            clock: UTC epoch seconds.

        Raises:
            JournalBusy: Another process works on this journal.
            JournalError: A network file system, a newer version, a damaged file, or no journal there yet.
        """
        path = folder / "journal.db"
        lock = None
        there = is_there(path)
        if mode == "engine":
            prepare_folder(folder, group)
            lock = JournalLock.take(folder) if lock_fd is None else JournalLock.inherited(lock_fd, folder)
        elif not there:
            raise JournalError(f"there is no journal in {folder} yet: start the engine first (signalbox serve)")
        else:
            refuse_network(folder, file_system_magic(folder))
        try:
            if mode == "engine" and lock_fd is None:
                _bring_up(path)
            writable = mode == "engine" or (mode == "panel" and _may_write(path))
            journal = cls(path, writable=writable, clock=clock)
            journal._names = {}
            journal._unknown = {}
            journal.folder = folder
            journal.lock = lock
            journal.read_only = not writable
            journal.why_read_only = _why(mode, writable, folder)
            journal._expect_version()
        except apsw.Error as error:
            if lock is not None:
                lock.release()
            raise unusable(path, error) from error
        except BaseException:
            if lock is not None:
                lock.release()
            raise
        return journal

    def _expect_version(self) -> None:
        found = self.version()
        if found > VERSION:
            raise JournalError(
                f"the journal in {self.folder} was written by a newer Signalbox (version {found}, this one knows "
                f"{VERSION}): update this program"
            )
        if found < VERSION:
            raise JournalError(
                f"the journal in {self.folder} is of version {found}, this program needs {VERSION}: start the engine "
                "(signalbox serve), it brings the journal up to date"
            )

    def close(self) -> None:
        """Close the connections and this process's share of the lock."""
        if self.lock is not None and not self._closed:
            try:
                self.checkpoint()
            except apsw.Error as error:
                # What was committed stays in the write-ahead log, and whoever opens the journal next finds it there.
                log.warning("the write-ahead log in %s was not moved into the journal: %s", self.folder, error)
        super().close()
        if self.lock is not None:
            self.lock.release()


def _bring_up(path: Path) -> None:
    """Make, check and migrate the file. The lock is held."""
    existed = path.exists() and path.stat().st_size > 0
    create(path)
    if existed:
        check(path)
    connection = apsw.Connection(str(path))
    try:
        connection.execute("PRAGMA synchronous=FULL").fetchall()
        rows: list[Row] = connection.execute("PRAGMA user_version").fetchall()
        found = int(rows[0][0])
        if found > VERSION:
            raise JournalError(
                f"the journal in {path.parent} was written by a newer Signalbox (version {found}, this one knows "
                f"{VERSION}): update this program, or go back to the copy it made before migrating"
            )
        if existed and 0 < found < VERSION:
            copy = path.with_name(f"journal-version-{found}-{int(time.time())}.db")
            connection.execute("VACUUM INTO ?", (str(copy),)).fetchall()
        for number in range(found, VERSION):
            connection.execute("BEGIN IMMEDIATE")
            for statement in MIGRATIONS[number]:
                connection.execute(statement).fetchall()
            connection.execute(f"PRAGMA user_version={number + 1}").fetchall()
            connection.execute("COMMIT")
    finally:
        connection.close()


def is_there(path: Path) -> bool:
    """Whether a journal's file is there. Raises JournalError for a folder that this account may not look into."""
    try:
        return path.exists()
    except PermissionError as error:
        raise JournalError(
            f"you may not read {path.parent}: ask an administrator to add you to the group that owns it (signalbox), "
            "then log in again"
        ) from error


def _may_write(path: Path) -> bool:
    # SQLite needs the folder too: it makes the write-ahead log beside the file.
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _why(mode: Mode, writable: bool, folder: Path) -> str:
    if writable:
        return ""
    if mode == "read":
        return "opened for reading only"
    return (
        f"you may not write {folder}: this panel only watches. Ask an administrator to add you to the group "
        "that owns the folder (signalbox)"
    )
