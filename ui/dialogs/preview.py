""" "What would it do?": one handler, one recorded event, nothing touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QWidget

from app.journal.journal import Journal
from app.journal.rows import EventFilter, EventRow, RunDetail
from ui.dialogs.look_up import LookUp
from ui.docks.detail import EffectLine
from ui.models.hub import Hub
from ui.models.words import clock, many

MOST = 200


class PreviewDialog(LookUp):
    """Choose an event, read the plan.

    Signals:
        planned: the preview's run has ended.
    """

    planned = Signal(int)

    def __init__(self, hub: Hub, handler: str, event_row: int = 0, parent: QWidget | None = None) -> None:
        title = hub.snapshot.title(handler)
        about = "Choose a recorded event. Its plan is made and nothing is touched."
        super().__init__(f"What would {title} do?", about, "Search events", "Events", 380, parent)
        self.setObjectName("preview_dialog")
        self._hub = hub
        self._handler = handler
        self._event = event_row
        self._run = 0
        self._rows: list[EventRow] = []
        self._say("No event is chosen yet.")
        hub.journal.moved.connect(self._look)
        self._search()

    def _search(self) -> None:
        wanted = EventFilter(text=self.search.text().strip(), topic="ftrack.update")

        chosen = self._event

        def question(journal: Journal) -> list[EventRow]:
            rows = journal.events(wanted, limit=MOST)
            if chosen and not wanted.text and all(row.id != chosen for row in rows):
                # The one the window shows, however old it is.
                rows += journal.events(before=chosen + 1, limit=1)
            return rows

        self._hub.journal.ask("preview.events", question, self._take_events, owner=self)

    def _take_events(self, rows: list[EventRow]) -> None:
        self._rows = rows
        self._list([f"{clock(row.received)}  {row.words}" for row in rows])
        for place, row in enumerate(rows):
            if row.id == self._event:
                self.hits.setCurrentRow(place)

    def _choose(self, place: int) -> None:
        if not 0 <= place < len(self._rows):
            return
        self._run = 0
        self._say("Planning…")
        args = {"event_row": self._rows[place].id, "handler": self._handler}
        self._hub.order("preview", args, "Preview", self._ordered, quiet=True)

    def _ordered(self, result: Mapping[str, Any]) -> None:
        if result.get("refused"):
            self._say(str(result["refused"]))
            return
        runs = result.get("runs") or ([result["run"]] if "run" in result else [])
        if not runs:
            self._say("Nothing: this event does not concern the handler.")
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
        reasons = [str(note.get("reason", "")) for note in detail.notes] or [detail.row.reason]
        if detail.effects:
            words = f"It would do {many(len(detail.effects), 'thing')}:"
        else:
            words = "It would do nothing: " + "; ".join(reason for reason in reasons if reason)
        self._say(words, [EffectLine(effect) for effect in detail.effects[:MOST]])
        self.planned.emit(detail.row.id)

    def _say(self, words: str, below: Sequence[QWidget] = ()) -> None:
        self.said = QLabel(words)
        self.said.setTextFormat(Qt.TextFormat.PlainText)
        self.said.setWordWrap(True)
        self._tell([self.said, *below])
