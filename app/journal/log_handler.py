"""The logging handler that feeds log.db, in batches, with secrets masked."""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque

import apsw

from app.journal.log import LogStore
from app.journal.rows import JournalUnwritable, LogRow
from app.rules.words import many
from app.settings.redact import RedactionFilter, redact

#: Beyond so many waiting lines the oldest go: a storm of lines must not eat the memory of the server.
_WAITING = 20_000
#: Seconds between attempts to write to a full disk.
_FULL_SECONDS = 2.0


class JournalLogHandler(logging.Handler):
    """Writes records to a LogStore from a thread of its own.

    Structured extras on log calls become columns: ``extra={"handler", "run_id", "event_row", "project", "entity"}``.

    Args:
        store: Where the lines go; the caller closes it after `close`.
        interval: Seconds that lines are gathered before they are written.
    """

    def __init__(self, store: LogStore, interval: float = 0.1) -> None:
        super().__init__()
        self.addFilter(RedactionFilter())
        self._store = store
        self._interval = self._pause = interval
        self._lines: deque[LogRow] = deque(maxlen=_WAITING)
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            message = f"{message}\n{record.exc_text}"
        run_id = getattr(record, "run_id", None)
        event_row = getattr(record, "event_row", None)
        self._lines.append(
            LogRow(
                id=0,
                at=record.created,
                level=record.levelno,
                logger=record.name,
                message=message,
                handler=str(getattr(record, "handler", "") or ""),
                run_id=run_id if isinstance(run_id, int) else None,
                event_row=event_row if isinstance(event_row, int) else None,
                project=str(getattr(record, "project", "") or ""),
                entity=redact(str(getattr(record, "entity", "") or "")),
            )
        )
        self._wake.set()

    def flush(self) -> None:
        """Write what waits, now."""
        lines: list[LogRow] = []
        while self._lines:
            lines.append(self._lines.popleft())
        try:
            self._store.append(lines)
            self._pause = self._interval
        except JournalUnwritable as error:
            # The disk is full: what is told of that is read when there is room again.
            room = _WAITING - len(self._lines)
            self._lines.extendleft(reversed(lines[max(0, len(lines) - room) :]))
            self._pause = _FULL_SECONDS
            self._wake.set()
            sys.stderr.write(f"{error}; {many(len(lines), 'line waits', 'lines wait')}\n")
        except apsw.Error as error:
            # A log that cannot be written must not stop the work it tells of.
            sys.stderr.write(f"log.db cannot be written: {error}; {many(len(lines), 'line')} lost\n")

    def _run(self) -> None:
        while not self._ending.is_set():
            self._wake.wait()
            self._ending.wait(self._pause)
            self._wake.clear()
            self.flush()

    def close(self) -> None:
        """Write what waits and end the thread."""
        self._ending.set()
        self._wake.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(5)
        self.flush()
        super().close()
