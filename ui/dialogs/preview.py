""" "What would it do?": one handler, one recorded event, nothing touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from app.journal.journal import Journal
from app.journal.rows import EventFilter, EventRow, RunDetail
from ui import theme
from ui.dialogs.base import Dialog
from ui.docks.detail import EffectLine
from ui.models.hub import Hub
from ui.models.words import clock, many
from ui.theme import Role

MOST = 200


class PreviewDialog(Dialog):
    """Choose an event, read the plan.

    Signals:
        planned: the preview's run has ended.
    """

    planned = Signal(int)

    def __init__(self, hub: Hub, handler: str, event_row: int = 0, parent: QWidget | None = None) -> None:
        title = hub.snapshot.title(handler)
        super().__init__(
            f"What would {title} do?", "Choose a recorded event. Its plan is made and nothing is touched.", parent
        )
        self.resize(860, 540)
        self.setObjectName("preview_dialog")
        self._hub = hub
        self._handler = handler
        self._event = event_row
        self._run = 0
        self._rows: list[EventRow] = []
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search events")
        self.search.setAccessibleName("Search events")
        self.search.setClearButtonEnabled(True)
        self.search.addAction(theme.icon("search", Role.MUTED), QLineEdit.ActionPosition.LeadingPosition)
        self.body.addWidget(self.search)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setChildrenCollapsible(False)
        self.events = QListWidget()
        self.events.setAccessibleName("Events")
        self.events.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.events.setSpacing(2)
        self.events.setTextElideMode(Qt.TextElideMode.ElideRight)
        split.addWidget(self.events)
        self._plan = QVBoxLayout()
        self._plan.setContentsMargins(12, 4, 8, 8)
        self._plan.setSpacing(8)
        self.said = QLabel("No event is chosen yet.")
        self.said.setWordWrap(True)
        self._plan.addWidget(self.said)
        self._plan.addStretch(1)
        holder = QWidget()
        holder.setLayout(self._plan)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(holder)
        split.addWidget(area)
        split.setSizes([360, 460])
        self.body.addWidget(split, 1)
        self.add_cancel("Close")
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(120)
        self._wait.timeout.connect(self._search)
        self.search.textChanged.connect(lambda _text: self._wait.start())
        self.events.currentRowChanged.connect(self._choose)
        hub.journal.moved.connect(self._look)
        self._search()

    def _search(self) -> None:
        wanted = EventFilter(text=self.search.text().strip(), topic="ftrack.update")

        def question(journal: Journal) -> list[EventRow]:
            return journal.events(wanted, limit=MOST)

        self._hub.journal.ask("preview.events", question, self._take_events, owner=self)

    def _take_events(self, rows: list[EventRow]) -> None:
        self._rows = rows
        self.events.blockSignals(True)
        self.events.clear()
        for row in rows:
            self.events.addItem(QListWidgetItem(f"{clock(row.received)}  {row.words}"))
        self.events.setCurrentRow(-1)
        self.events.blockSignals(False)
        for place, row in enumerate(rows):
            if row.id == self._event:
                self.events.setCurrentRow(place)

    def _choose(self, place: int) -> None:
        if not 0 <= place < len(self._rows):
            return
        self._run = 0
        self._clear()
        self.said.setText("Planning…")
        args = {"event_row": self._rows[place].id, "handler": self._handler}
        self._hub.order("preview", args, "Preview", self._ordered, quiet=True)

    def _ordered(self, result: Mapping[str, Any]) -> None:
        if result.get("refused"):
            self.said.setText(str(result["refused"]))
            return
        runs = result.get("runs") or ([result["run"]] if "run" in result else [])
        if not runs:
            self.said.setText("Nothing: this event does not concern the handler.")
            return
        self._run = int(runs[0])
        self._look()

    def _look(self) -> None:
        run = self._run
        if run:
            self._hub.journal.ask("preview.run", lambda journal: journal.run(run), self._take_run, owner=self)

    def _take_run(self, detail: RunDetail) -> None:
        if detail.row.id != self._run or detail.row.state in {"queued", "running", "waiting", "retry"}:
            return
        self._run = 0
        self._clear()
        reasons = [str(note.get("reason", "")) for note in detail.notes] or [detail.row.reason]
        if detail.effects:
            self.said.setText(f"It would do {many(len(detail.effects), 'thing')}:")
        else:
            self.said.setText("It would do nothing: " + "; ".join(reason for reason in reasons if reason))
        for place, effect in enumerate(detail.effects[:200]):
            self._plan.insertWidget(place + 1, EffectLine(effect))
        self.planned.emit(detail.row.id)

    def _clear(self) -> None:
        while self._plan.count() > 2:
            item = self._plan.takeAt(1)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.deleteLater()
