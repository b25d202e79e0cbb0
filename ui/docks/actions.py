"""The Actions dock: a lever an action, who used it, what runs, the last error, and the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from ui import theme
from ui.docks.elided import ElidedLabel
from ui.docks.handlers import HandlerCard, _scrolled
from ui.models.hub import Hub
from ui.models.words import LEVERS, clock, state_look
from ui.theme import Role

if TYPE_CHECKING:
    from app.journal.journal import Journal
    from app.journal.rows import CatalogueRow, RunRow

SHOWN = 3
"""Last runs of an action that are listed."""
_OPEN = frozenset({"queued", "running", "waiting", "retry", "paused"})
_UNDOABLE = frozenset({"done", "failed", "stopped", "cancelled"})
_STATES = {"done": "ok", "failed": "error", "in_doubt": "error", "stopped": "warning", "cancelled": "warning"}


class RunLine(QWidget):
    """One launch: who, on what, how it went."""

    def __init__(self, row: RunRow, *, read_only: bool) -> None:
        super().__init__()
        self.run = row.id
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(6)
        who = row.user or "somebody"
        what = f", {row.entity}" if row.entity else ""
        # What came of it is told by its colour too; a done run has no need to say "done" before what it did.
        how = row.reason if row.reason and row.state == "done" else state_look(row.state).word.lower()
        if row.reason and row.state != "done" and row.reason != how:
            how = f"{how}: {row.reason}"
        self.words = ElidedLabel(f"{clock(row.created)} {who}{what}: {how}")
        theme.mark(self.words, state=_STATES.get(row.state, "info" if row.state in _OPEN else "off"))
        line.addWidget(self.words, 1)
        self.show_button = _tool("eye", f"Show run {row.id}")
        line.addWidget(self.show_button)
        self.undo_button = _tool("undo", f"Undo run {row.id}; lists first what goes")
        self.undo_button.setObjectName(f"undo_{row.id}")
        self.undo_button.setEnabled(row.state in _UNDOABLE and bool(row.effects) and not row.dry and not read_only)
        line.addWidget(self.undo_button)


class ActionCard(HandlerCard):
    """One action, with its last launches.

    Signals:
        undo: a run shall be taken back.
    """

    undo = Signal(int)

    def __init__(self, row: CatalogueRow, parent: QWidget | None = None) -> None:
        super().__init__(row, parent)
        self.setObjectName(f"action_{row.id}")
        preview = self.findChild(QToolButton, f"eye_{row.id}")
        if preview is not None:
            # An action has no recorded event to be tried on; its dry run is the lever's middle position.
            preview.hide()
        events = self.findChild(QToolButton, f"list_{row.id}")
        if events is not None:
            events.hide()
        self._lines: list[RunLine] = []
        self._rows: tuple[RunRow, ...] = ()
        holder = QWidget()
        self._runs = QVBoxLayout(holder)
        self._runs.setContentsMargins(0, 2, 0, 4)
        self._runs.setSpacing(0)
        layout = self.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.addWidget(holder)

    def show_runs(self, rows: Sequence[RunRow], *, read_only: bool) -> None:
        """Show the last launches."""
        if tuple(rows) == self._rows:
            return
        self._rows = tuple(rows)
        for line in self._lines:
            self._runs.removeWidget(line)
            line.hide()
            line.deleteLater()
        self._lines = []
        for row in rows:
            line = RunLine(row, read_only=read_only)
            line.undo_button.clicked.connect(partial(self.undo.emit, row.id))
            line.show_button.clicked.connect(partial(self.error.emit, row.id))
            self._runs.addWidget(line)
            self._lines.append(line)

    def lines(self) -> list[RunLine]:
        """The launches shown, newest first."""
        return list(self._lines)


class ActionsDock(QWidget):
    """All actions.

    Signals:
        settings_wanted: settings of an action.
        run_wanted: a run shall be shown.
        undo_wanted: a run shall be taken back; first the list.
    """

    settings_wanted = Signal(str)
    run_wanted = Signal(int)
    undo_wanted = Signal(int)

    def __init__(self, hub: Hub, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hub = hub
        self._cards: dict[str, ActionCard] = {}
        self.setObjectName("actions_dock")
        self._list = QVBoxLayout()
        self._list.setContentsMargins(8, 8, 8, 8)
        self._list.setSpacing(7)
        self._nothing = QLabel("No action has reported yet. They appear as soon as the engine has started.")
        self._nothing.setWordWrap(True)
        theme.mark(self._nothing, kind="muted")
        self._list.addWidget(self._nothing)
        self._list.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(_scrolled(self._list, sideways=False))
        hub.pulse.connect(self._show)

    def card(self, action: str) -> ActionCard:
        """The card of an action. Raises KeyError."""
        return self._cards[action]

    def _show(self) -> None:
        snapshot = self._hub.snapshot
        rows = tuple(row for row in snapshot.catalogue if row.kind == "action")
        self._nothing.setVisible(not rows)
        if [row.id for row in rows] != list(self._cards):
            self._build(rows)
        for row in rows:
            self._cards[row.id].show_row(row, snapshot.stats.get(row.id), snapshot.lever(row.id), self._hub.read_only)
        if rows and self.isVisible():
            names = [row.id for row in rows]
            self._hub.journal.ask("actions", lambda journal: _last(journal, names), self._take, owner=self)

    def _take(self, found: Mapping[str, Sequence[RunRow]]) -> None:
        for action, rows in found.items():
            if action in self._cards:
                self._cards[action].show_runs(rows, read_only=self._hub.read_only)

    def _build(self, rows: Sequence[CatalogueRow]) -> None:
        for card in self._cards.values():
            self._list.removeWidget(card)
            card.hide()
            card.deleteLater()
        self._cards = {}
        for place, row in enumerate(rows):
            card = ActionCard(row)
            card.moved.connect(partial(self._moved, row.id))
            card.resume.connect(partial(self._resume, row.id))
            card.settings.connect(partial(self.settings_wanted.emit, row.id))
            card.error.connect(self.run_wanted)
            card.undo.connect(self.undo_wanted)
            self._cards[row.id] = card
            self._list.insertWidget(place, card)

    def _moved(self, action: str, position: str) -> None:
        title = self._hub.snapshot.title(action)
        args: dict[str, Any] = {"handler": action, "project": "", "position": position, "why": ""}
        self._hub.order("set_lever", args, f"Lever of {title}: {LEVERS[position][0]}")

    def _resume(self, action: str) -> None:
        self._hub.order("resume_breaker", {"handler": action}, f"Resuming {self._hub.snapshot.title(action)}")


def _last(journal: Journal, actions: Sequence[str]) -> dict[str, list[RunRow]]:
    found = {}
    for action in actions:
        rows = [row for row in journal.runs(handler=action, limit=4 * SHOWN) if row.kind == "action"]
        found[action] = rows[:SHOWN]
    return found


def _tool(icon: str, words: str) -> QToolButton:
    button = QToolButton()
    theme.set_icon(button, icon, Role.MUTED)
    button.setToolTip(words)
    button.setAccessibleName(words)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button
