""" "Why is there no folder for this task?": search a name, read what happened to it and why.

One click opens it, typing finds; the first hit's story is shown at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from app.journal.journal import Journal
from app.journal.rows import EventFilter, EventRow, RunRow
from ui import theme
from ui.dialogs.look_up import LookUp
from ui.docks.detail import EventStory, why_no_runs
from ui.docks.elided import ElidedLabel
from ui.docks.lamps import Lamp
from ui.models.hub import Hub
from ui.models.words import clock, moment, state_look
from ui.theme import Role

MOST_EVENTS = 300
MOST_STORY = 40


@dataclass(frozen=True)
class Found:
    """An entity that matches, with its events, newest first."""

    entity: str
    project: str
    events: tuple[EventRow, ...]


def find_entities(journal: Journal, text: str) -> list[Found]:
    """Entities whose name matches, by their newest event."""
    by_entity: dict[tuple[str, str], list[EventRow]] = {}
    rows = {row.id: row for row in journal.events(EventFilter(entity=text), limit=MOST_EVENTS)}
    rows |= {row.id: row for row in journal.events(EventFilter(text=text), limit=MOST_EVENTS)}
    for row in sorted(rows.values(), key=lambda row: -row.id):
        if row.entity:
            by_entity.setdefault((row.entity, row.project), []).append(row)
    found = [Found(entity, project, tuple(events[:MOST_STORY])) for (entity, project), events in by_entity.items()]
    wanted = text.casefold()
    # An exact name first, then names that begin so, then the newest.
    return sorted(
        found,
        key=lambda hit: (
            hit.entity.casefold() != wanted,
            not hit.entity.casefold().startswith(wanted),
            -hit.events[0].id,
        ),
    )


class Finder(LookUp):
    """Search an entity and read its story.

    Signals:
        event_wanted: an event of the story shall be shown in the window.
    """

    event_wanted = Signal(int)

    def __init__(self, hub: Hub, parent: QWidget | None = None) -> None:
        super().__init__(
            "What happened to…?",
            "Find a task, shot, asset or project: every event of it, what each handler did, and why it did nothing.",
            "Name of a task, shot, asset or project, e.g. BC_0010 compositing",
            "Found",
            290,
            parent,
        )
        self.setObjectName("finder")
        self._hub = hub
        self._found: list[Found] = []

    def _search(self) -> None:
        text = self.search.text().strip()
        if len(text) < 2:
            self._take([])
            return
        self._hub.journal.ask("finder", lambda journal: find_entities(journal, text), self._take, owner=self)

    def _take(self, found: list[Found]) -> None:
        self._found = found
        several = len({hit.project for hit in found}) > 1
        self._list(
            [f"{hit.entity}  ·  {hit.project}" if several and hit.project else hit.entity for hit in found[:100]]
        )
        if found:
            self.hits.setCurrentRow(0)
        else:
            self._tell_nothing()

    def _tell_nothing(self) -> None:
        text = self.search.text().strip()
        if len(text) < 2:
            self._tell([])
            return
        label = QLabel(
            f"No event about “{text}” is in the journal. Either ftrack has not sent one since Signalbox started "
            "(look at Site and Last event at the top), or it is older than what is kept."
        )
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        self._tell([label])

    def _choose(self, place: int) -> None:
        if not 0 <= place < len(self._found):
            return
        hit = self._found[place]

        def question(journal: Journal) -> list[tuple[EventRow, list[RunRow]]]:
            return [(event, journal.runs_of_event(event.id)) for event in hit.events]

        self._hub.journal.ask("finder.story", question, self._show_story, owner=self)

    def _show_story(self, story: list[tuple[EventRow, list[RunRow]]]) -> None:
        self._tell([self._event_card(event, runs) for event, runs in story])

    def _event_card(self, event: EventRow, runs: list[RunRow]) -> QWidget:
        card = QFrame()
        theme.mark(card, kind="card")
        column = QVBoxLayout(card)
        column.setContentsMargins(12, 8, 8, 10)
        column.setSpacing(4)
        head = QHBoxLayout()
        title = ElidedLabel(event.words)
        title.setFont(theme.heading_font(0.0))
        head.addWidget(title, 1)
        when = QLabel(clock(event.received))
        when.setToolTip(moment(event.received))
        theme.mark(when, kind="muted")
        head.addWidget(when)
        show = QToolButton()
        show.setObjectName("show_event")
        theme.set_icon(show, "external", Role.MUTED)
        show.setToolTip("Show this event in the window")
        show.setAccessibleName("Show this event in the window")
        show.clicked.connect(lambda: self._go(event.id))
        head.addWidget(show)
        column.addLayout(head)
        for run in runs:
            column.addWidget(self._run_line(run))
        if not runs:
            story = EventStory({"project": event.project}, (), {})
            none = QLabel(why_no_runs(self._hub, story))
            none.setWordWrap(True)
            theme.mark(none, kind="muted")
            column.addWidget(none)
        return card

    def _run_line(self, run: RunRow) -> QWidget:
        look = state_look(run.state)
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        lamp = Lamp(line)
        lamp.set_look(look.role, look.shape)
        row.addWidget(lamp, 0, Qt.AlignmentFlag.AlignTop)
        text = QLabel(
            f"{self._hub.snapshot.title(run.handler)}: {look.word.lower()}" + (f", {run.reason}" if run.reason else "")
        )
        text.setWordWrap(True)
        text.setTextFormat(Qt.TextFormat.PlainText)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        theme.mark(text, state="error" if run.state == "failed" else "")
        row.addWidget(text, 1)
        return line

    def _go(self, event: int) -> None:
        self.event_wanted.emit(event)
        self.accept()
