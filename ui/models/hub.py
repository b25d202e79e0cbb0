"""What every dock shares: the readers, the newest levers, counters and lamps, and the way to give an order."""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from ui.models.reader import Reader

if TYPE_CHECKING:
    # SQLite is loaded on the readers' threads, after the first paint.
    from app.journal.journal import Journal
    from app.journal.log import LogStore
    from app.journal.rows import CatalogueRow, HandlerStats, HealthRow, LeverRow, OrderRow

PULSE_MS = 500
"""Pause between two readings of counters and lamps, in milliseconds."""
STATS_SECONDS = 24 * 3600.0
"""Counters look back so far."""
ORDER_PATIENCE = 8.0
"""Seconds after which an unanswered order is said to wait for the engine."""


@dataclass(frozen=True)
class Snapshot:
    """Levers, counters and lamps as last read.

    Attributes:
        catalogue: Handlers and actions, in the engine's order.
        levers: By (handler, project); project "" is the handler's own lever.
        stats: By handler.
        health: By name of the lamp.
        projects: Names of shows known to the journal.
    """

    catalogue: tuple[CatalogueRow, ...] = ()
    levers: Mapping[tuple[str, str], LeverRow] = field(default_factory=dict)
    stats: Mapping[str, HandlerStats] = field(default_factory=dict)
    health: Mapping[str, HealthRow] = field(default_factory=dict)
    projects: tuple[str, ...] = ()

    @property
    def handlers(self) -> tuple[CatalogueRow, ...]:
        """Event handlers without the actions."""
        return tuple(row for row in self.catalogue if row.kind == "handler")

    def title(self, handler: str) -> str:
        """The name a person knows a handler or an action by."""
        for row in self.catalogue:
            if row.id == handler:
                return row.title
        return handler.replace("_", " ").capitalize() if handler else "Signalbox"

    def lever(self, handler: str, project: str = "") -> LeverRow | None:
        """The lever of a handler (in a show), None where it was never moved."""
        return self.levers.get((handler, project))


@dataclass(slots=True)
class _Waiting:
    answer: Callable[[Mapping[str, Any]], None] | None
    since: float
    words: str
    quiet: bool = False
    said: bool = False


class Hub(QObject):
    """Between the journal and the docks.

    Signals:
        pulse: the snapshot was read again; `snapshot` has it.
        trouble: something a person has to know, in words.
        said: the outcome of an order, in words.
        reading_only: why the journal can be read and not written; "" when it can be written.
    """

    pulse = Signal()
    trouble = Signal(str)
    said = Signal(str)
    reading_only = Signal(str)

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.folder = folder
        self.snapshot = Snapshot()
        self.read_only = False
        self.who = _who()
        self._orders: dict[int, _Waiting] = {}
        self.journal: Reader[Journal] = Reader("journal", lambda: _open_journal(folder), self)
        self.log: Reader[LogStore] = Reader("log", lambda: _open_log(folder), self)
        self.journal.opened.connect(self._opened)
        self.journal.moved.connect(self._check_orders)
        self._pulse = QTimer(self)
        self._pulse.setInterval(PULSE_MS)
        self._pulse.timeout.connect(self.read)
        self._pulse.start()

    def set_watched(self, watched: bool) -> None:
        """Look often while the window is visible."""
        self.journal.set_watched(watched)
        self.log.set_watched(watched)
        self._pulse.setInterval(PULSE_MS if watched else 4 * PULSE_MS)

    def is_new(self) -> bool:
        """Whether there is no journal in the folder yet, as before the very first start."""
        try:
            (self.folder / "journal.db").stat()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Stop reading."""
        self._pulse.stop()
        self.journal.close()
        self.log.close()

    def read(self) -> None:
        """Read levers, counters and lamps now."""
        self.journal.ask("snapshot", _read_snapshot, self._take, owner=self)

    def _opened(self) -> None:
        self.journal.ask("writable", lambda journal: journal.why_read_only, self._take_writable, owner=self)
        self.read()

    def _take_writable(self, why: str) -> None:
        self.read_only = bool(why)
        self.reading_only.emit(why)

    def _take(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.pulse.emit()

    # Orders

    def order(
        self,
        kind: str,
        args: Mapping[str, Any],
        words: str,
        answer: Callable[[Mapping[str, Any]], None] | None = None,
        *,
        quiet: bool = False,
    ) -> None:
        """Give the engine an order.

        Args:
            kind: e.g. "set_lever"; see the journal's API.
            args: Its arguments.
            words: What was ordered, for messages ("Undo of run 12").
            answer: Called with the engine's result when it has one ({"refused": why} included).
            quiet: Whoever gets the answer says a refusal himself.
        """
        if self.read_only:
            self.trouble.emit(f"{words}: this journal is open for reading only, so no order can be given from here.")
            return
        slot = f"order.{kind}.{sorted(args.items())!r}"
        self.journal.ask(
            slot,
            lambda journal: journal.order(kind, dict(args), self.who),
            lambda order_id: self._ordered(order_id, _Waiting(answer, time.monotonic(), words, quiet)),
            owner=self,
            problem=lambda why: self.trouble.emit(f"{words}: {why}"),
        )

    def _ordered(self, order_id: int, waiting: _Waiting) -> None:
        self._orders[order_id] = waiting
        self._check_orders()

    def _check_orders(self) -> None:
        if self._orders:
            waiting = list(self._orders)
            self.journal.ask("orders", lambda journal: _order_rows(journal, waiting), self._take_orders, owner=self)

    def _take_orders(self, rows: Iterable[OrderRow]) -> None:
        for row in rows:
            waiting = self._orders.get(row.id)
            if waiting is None:
                continue
            if row.state == "open":
                if not waiting.said and time.monotonic() - waiting.since > ORDER_PATIENCE:
                    waiting.said = True
                    self.trouble.emit(f"{waiting.words}: noted; it is carried out when the engine runs.")
                continue
            del self._orders[row.id]
            refused = row.result.get("refused")
            if refused and not waiting.quiet:
                self.trouble.emit(f"{waiting.words}: {refused}")
            if waiting.answer is not None:
                waiting.answer(row.result)
            elif not refused:
                self.said.emit(f"{waiting.words}: done.")


def _open_journal(folder: Path) -> Journal:
    from app.journal.journal import Journal

    return Journal.open(folder, mode="panel")


def _open_log(folder: Path) -> LogStore:
    """The log for reading. Raises FileNotFoundError before the engine has made it."""
    from app.journal.log import LogStore

    if not (folder / "log.db").exists():
        raise FileNotFoundError(f"there is no log in {folder} yet")
    return LogStore.open(folder, read_only=True)


def _read_snapshot(journal: Journal) -> Snapshot:
    from app.journal.scan import project_names

    return Snapshot(
        catalogue=tuple(journal.catalogue()),
        levers={(row.handler, row.project): row for row in journal.levers()},
        stats={row.handler: row for row in journal.stats(time.time() - STATS_SECONDS)},
        health={row.name: row for row in journal.health()},
        projects=tuple(project_names(journal)),
    )


def _order_rows(journal: Journal, ids: Iterable[int]) -> list[OrderRow]:
    return [journal.order_row(order_id) for order_id in ids]


def _who() -> str:
    """The person at this machine, as orders record them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
