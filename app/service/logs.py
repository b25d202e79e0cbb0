"""Where log lines go: log.db for the window, and a stream for whoever runs a command. Secrets are masked in both."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from app.journal.log import LogStore
from app.journal.log_handler import JournalLogHandler
from app.settings.redact import RedactionFilter

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class Logs:
    """The log sinks of one process; installed on the root logger until `close`.

    Args:
        folder: The journal's folder; None: no log.db.
        level: Least level that is kept.
        stream: Whether lines are written to stderr too.
        group: Group that may write the log.
    """

    def __init__(self, folder: Path | None, level: str = "INFO", *, stream: bool = False, group: str = "") -> None:
        self._handlers: list[logging.Handler] = []
        self._store: LogStore | None = None
        root = logging.getLogger()
        self._before = root.level
        root.setLevel(min(level_number(level), logging.INFO))
        if folder is not None:
            self._store = LogStore.open(folder, group=group)
            self._add(JournalLogHandler(self._store), level)
        if stream:
            lines = logging.StreamHandler(sys.stderr)
            lines.setFormatter(logging.Formatter(_FORMAT))
            lines.addFilter(RedactionFilter())
            self._add(lines, level)

    def _add(self, handler: logging.Handler, level: str) -> None:
        handler.setLevel(level_number(level))
        logging.getLogger().addHandler(handler)
        self._handlers.append(handler)

    def forget(self, before: float) -> None:
        """Delete lines older than ``before`` (UTC epoch seconds)."""
        while self._store is not None and self._store.forget(before):
            pass

    def close(self) -> None:
        """Write what waits and take the sinks away."""
        root = logging.getLogger()
        for handler in self._handlers:
            root.removeHandler(handler)
            handler.close()
        self._handlers.clear()
        root.setLevel(self._before)
        if self._store is not None:
            self._store.close()
            self._store = None


def level_number(name: str) -> int:
    """The number of a level's name."""
    return logging.getLevelNamesMapping()[name]
