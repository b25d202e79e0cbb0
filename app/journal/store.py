"""One SQLite file of the journal: connections, transactions, versions. The other files of this room build on it."""

from __future__ import annotations

import errno
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from app.journal.rows import JournalError, JournalReadOnly, JournalUnwritable
from app.rules.text import storable

Row = tuple[Any, ...]
#: A write-ahead log of more bytes is begun anew; readers may keep a checkpoint from it for so long.
_LONG_LOG = 64 << 20
_RESET_SECONDS = 0.2
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=str)


def dump(value: Any) -> str:
    """Compact JSON that the database takes; what JSON does not know (dates, paths) becomes its text."""
    return storable(_ENCODER.encode(value))


class Store:
    """Connections to one database file: one for writing, one a thread for reading.

    Args:
        path: The file.
        writable: Whether `write` is allowed.
        durable: Whether transactions marked durable wait for the disk (``synchronous=FULL``).
    """

    patience = 20.0
    """Seconds that a connection waits for those of others that write."""

    mapped = 64 << 20
    """Bytes of the file that a connection for reading maps into memory."""

    def __init__(self, path: Path, *, writable: bool, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.writable = writable
        self.now = clock
        self._lock = threading.RLock()
        self._local = threading.local()
        self._readers: list[apsw.Connection] = []
        self._writer: apsw.Connection | None = None
        self._depth = 0
        self._owner = 0
        self._full = False
        self._closed = False
        self._commits = 0
        self._hard = 0
        self._hardening = threading.Lock()
        self._wal: int | None = None

    def connect(self, flags: int, patience: float | None = None) -> apsw.Connection:
        """A new connection with this room's habits, which waits so many seconds for others; the caller keeps it."""
        connection = apsw.Connection(str(self.path), flags=flags)
        started = [0.0]

        def busy(previous: int) -> bool:
            now = time.monotonic()
            if previous == 0:
                started[0] = now
            # Writers of two processes meet here: half a millisecond keeps the listener ahead of the stock hub's loop.
            time.sleep(0.0005)
            return now - started[0] < (self.patience if patience is None else patience)

        connection.set_busy_handler(busy)
        return connection

    @property
    def reader(self) -> apsw.Connection:
        """The calling thread's connection for reading; inside its own transaction, the one that sees its writes."""
        if self._owner == threading.get_ident() and self._writer is not None:
            return self._writer
        found: apsw.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self.connect(apsw.SQLITE_OPEN_READONLY)
            found.create_scalar_function("matches", _matches, 2, deterministic=True)
            found.execute(f"PRAGMA mmap_size={self.mapped}").fetchall()
            self._local.connection = found
            with self._lock:
                self._readers.append(found)
        return found

    def read(self, sql: str, arguments: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """All rows of one statement, as committed."""
        return self.reader.execute(sql, arguments).fetchall()

    def one(self, sql: str, arguments: Sequence[Any] | Mapping[str, Any] = ()) -> Row | None:
        """The first row, or None."""
        return self.reader.execute(sql, arguments).fetchone()

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[apsw.Connection]:
        """One transaction for writing. Nested calls of a thread join the outer one.

        Args:
            durable: Wait until the disk has it. Without it a power cut may lose the last transactions (never
                the file); a killed process loses nothing either way.

        Raises:
            JournalReadOnly: The journal was opened for reading.
            JournalUnwritable: The disk is full, or another process has kept the file to itself for too long.
        """
        if not self.writable:
            raise JournalReadOnly(
                f"{self.path.parent} is open for reading only: join the group that owns the journal to give orders"
            )
        with self._lock:
            connection = self._writing()
            if self._depth:
                self._depth += 1
                try:
                    yield connection
                finally:
                    self._depth -= 1
                return
            if durable != self._full:
                connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}").fetchall()
                self._full = durable
            try:
                connection.execute("BEGIN IMMEDIATE")
            except apsw.BusyError as error:
                raise JournalUnwritable(
                    f"another program has kept {self.path} to itself for {self.patience:g} s (a copy that is made, "
                    "a process that was stopped): it goes on when that ends"
                ) from error
            self._depth = 1
            self._owner = threading.get_ident()
            try:
                yield connection
                connection.execute("COMMIT")
                self._commits += 1
            except BaseException as error:
                # A full disk ends the transaction by itself.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if isinstance(error, (apsw.FullError, apsw.IOError)):
                    raise unwritable(self.path, str(error)) from error
                raise
            finally:
                self._depth = 0
                self._owner = 0

    def harden(self) -> None:
        """Wait until the disk has all that was committed so far, as a durable transaction does.

        The difference: nobody who writes waits meanwhile, and threads that come here together share one wait. Inside
        a transaction there is nothing to wait for yet: the outermost one says whether it is durable.
        """
        if self._owner == threading.get_ident():
            return
        commits = self._commits
        with self._hardening:
            if self._hard >= commits:
                return  # the wait of another thread was long enough for us
            covered = self._commits
            if self._wal is None:
                self._wal = os.open(f"{self.path}-wal", os.O_RDWR)
            os.fsync(self._wal)
            self._hard = covered

    def _writing(self) -> apsw.Connection:
        if self._writer is None:
            self._writer = self.connect(apsw.SQLITE_OPEN_READWRITE)
            self._writer.create_scalar_function("matches", _matches, 2, deterministic=True)
            self._writer.execute("PRAGMA foreign_keys=ON").fetchall()
            self._writer.execute("PRAGMA wal_autocheckpoint=0").fetchall()
            self._writer.execute("PRAGMA synchronous=NORMAL").fetchall()
        return self._writer

    def version(self) -> int:
        """``PRAGMA user_version`` of the file."""
        row = self.one("PRAGMA user_version")
        return int(row[0]) if row else 0

    def data_version(self) -> int:
        """A number that changes when another connection committed (some microseconds a look)."""
        rows: list[Row] = self.reader.execute("PRAGMA data_version").fetchall()
        return int(rows[0][0])

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file. Only the lock's holder calls this.

        What is there by now is moved while others read and write. A log that has become long is then begun anew, for
        which writers wait a moment: in a storm it would grow without end. A reader at work puts that off.
        """
        connection = self.connect(apsw.SQLITE_OPEN_READWRITE, _RESET_SECONDS)
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            if self.log_is_long():
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()

    def log_is_long(self) -> bool:
        """Whether the write-ahead log should not wait for its turn to be moved."""
        try:
            return self.path.with_name(f"{self.path.name}-wal").stat().st_size > _LONG_LOG
        except FileNotFoundError:
            return False

    def close_thread(self) -> None:
        """Close the calling thread's connection for reading; it gets another when it reads again."""
        found: apsw.Connection | None = getattr(self._local, "connection", None)
        if found is not None:
            self._local.connection = None
            with self._lock:
                if found in self._readers:
                    self._readers.remove(found)
            found.close(True)

    def close(self) -> None:
        """Close every connection. Threads must have stopped using the store."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._wal is not None:
                os.close(self._wal)
                self._wal = None
            for connection in (*self._readers, *([self._writer] if self._writer else [])):
                connection.close(True)


def create(path: Path, page_bytes: int = 4096) -> None:
    """Make the file with WAL where it does not exist yet, writable by owner and group; the folder says who may look.

    Args:
        path: The file.
        page_bytes: How much of a new file is read at once; one that is there keeps what it was made with.

    Raises:
        JournalError: The file is not a database, or cannot be made.
    """
    fresh = not path.exists()
    try:
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(int(Store.patience * 1000))
        connection.execute(f"PRAGMA page_size={page_bytes}")
        connection.execute("PRAGMA journal_mode=WAL").fetchall()
        connection.close()
        if fresh:
            path.chmod(0o664)
    except (apsw.Error, OSError) as error:
        raise unusable(path, error) from error


def unwritable(path: Path, what: str) -> JournalUnwritable:
    """The error for a disk that is full, or refuses to write."""
    return JournalUnwritable(f"{path} cannot be written ({what}): make room on its disk; nothing else needs to be done")


def unusable(path: Path, error: Exception) -> JournalError:
    """The error for a file that cannot be opened or brought up to date: by its disk, or by what is in it."""
    of_disk = isinstance(error, (apsw.FullError, apsw.IOError)) or getattr(error, "errno", 0) == errno.ENOSPC
    return (unwritable if of_disk else damaged)(path, str(error))


def damaged(path: Path, what: str) -> JournalError:
    """The error for a file that cannot be used, with the way out."""
    return JournalError(
        f"the journal {path} cannot be used ({what}): stop Signalbox, move the file aside and start again; "
        "a new journal begins at now, and catch-up finds what was missed"
    )


def check(path: Path) -> None:
    """Raise JournalError when the file is damaged (``PRAGMA quick_check``)."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            rows = connection.execute("PRAGMA quick_check(3)").fetchall()
        finally:
            connection.close()
    except apsw.Error as error:
        raise unusable(path, error) from error
    if rows != [("ok",)]:
        found = "\n".join(str(row[0]) for row in rows).splitlines()
        raise damaged(path, "; ".join(line for line in found if not line.startswith("***"))[:200])


def _matches(*arguments: Any) -> int:
    pattern, text = arguments
    try:
        return 1 if re.search(str(pattern), str(text), re.IGNORECASE) else 0
    except re.error:
        return 0
