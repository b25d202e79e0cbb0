"""The Event detail dock: what an event said, which runs it made, what each planned and did, and the way back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui import theme
from ui.docks.elided import ElidedLabel
from ui.docks.lamps import Lamp
from ui.docks.rows_view import Column, RowsView
from ui.models.hub import Hub
from ui.models.jobs import JOB_STATES
from ui.models.paged import PagedRows
from ui.models.sources import LogSource, NoSource
from ui.models.words import clock_ms, effect_look, many, moment, sentence, span, state_look
from ui.theme import Role

if TYPE_CHECKING:
    from app.journal.journal import Journal
    from app.journal.rows import EffectRow, RunDetail

EFFECTS_SHOWN = 40
"""Effects of a run that are shown at once; a button shows the rest."""
_LOG_COLUMNS = (
    Column("Time", 134, mono=True, role=Role.MUTED),
    Column("Level", 66, toned=True),
    Column("Message", 240, stretch=True, mono=True, toned=True),
)
_UNDOABLE = {"done", "failed", "stopped", "in_doubt"}
_RETRY = {"failed", "in_doubt", "cancelled"}
_OPEN = {"queued", "running", "waiting", "retry", "paused"}
_SETTLED_MS = 50


@dataclass(frozen=True)
class EventStory:
    """An event with everything that came of it."""

    event: Mapping[str, Any]
    runs: tuple[RunDetail, ...]
    hashes: Mapping[int, str]


def read_story(journal: Journal, event_row: int) -> EventStory:
    """Read an event and its runs. Raises KeyError when retention took it."""
    # The list that an undo's dialog showed is no run of the event.
    rows = [row for row in journal.runs_of_event(event_row) if not (row.kind == "preview" and row.undo_of)][-60:]
    hashes = {row.id: journal.plan_hash(row.id) for row in rows if row.state == "planned"}
    return EventStory(journal.event(event_row), tuple(journal.run(row.id) for row in rows), hashes)


class EventDetailDock(QWidget):
    """One event and its runs.

    Signals:
        replay_wanted: event row, handler ("" for all), whether as a dry run.
        undo_wanted: a run shall be undone; its list comes first.
        event_wanted: another event shall be shown.
        job_wanted: a job that a run submitted shall be shown.
    """

    replay_wanted = Signal(int, str, bool)
    undo_wanted = Signal(int)
    event_wanted = Signal(int)
    job_wanted = Signal(int)

    def __init__(self, hub: Hub, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("event_detail_dock")
        self._hub = hub
        self._event_row = 0
        self._focus_run = 0
        self._shown: EventStory | None = None
        self._cards: dict[int, RunCard] = {}
        self._open_effects: set[int] = set()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._build_head())
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        column.addWidget(self.tabs, 1)
        self.tabs.addTab(self._build_runs(), "Runs")
        self.json = QPlainTextEdit()
        self.json.setReadOnly(True)
        self.json.setFont(theme.mono_font(-0.5))
        self.json.setFrameShape(QFrame.Shape.NoFrame)
        self.json.setAccessibleName("The event as ftrack sent it")
        self.json.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.tabs.addTab(self.json, "JSON")
        self._log_model = PagedRows(hub.log, NoSource(), "event_log", self)
        self.log = RowsView(self._log_model, _LOG_COLUMNS, "event_log")
        self.log.set_empty_text("Nothing was logged for this event.")
        self.tabs.addTab(self.log, "Log")
        hub.journal.moved.connect(self._moved)

    def _build_head(self) -> QWidget:
        head = QFrame()
        theme.mark(head, kind="bar")
        line = QHBoxLayout(head)
        line.setContentsMargins(12, 6, 8, 6)
        texts = QVBoxLayout()
        texts.setSpacing(1)
        self.words = ElidedLabel("Select an event to see what it led to")
        self.words.setFont(theme.heading_font(0.3))
        self.about = ElidedLabel()
        theme.mark(self.about, kind="muted")
        texts.addWidget(self.words)
        texts.addWidget(self.about)
        line.addLayout(texts, 1)
        self.replay = QPushButton("Replay")
        self.replay.setToolTip("Give the event to the handlers again: what is done already is found and left alone")
        theme.set_icon(self.replay, "replay")
        self.replay.clicked.connect(lambda: self.replay_wanted.emit(self._event_row, "", False))
        self.dry = QToolButton()
        theme.set_icon(self.dry, "eye", Role.MUTED)
        self.dry.setToolTip("Replay as a dry run: plan only, touch nothing")
        self.dry.setAccessibleName("Replay as a dry run")
        self.dry.clicked.connect(lambda: self.replay_wanted.emit(self._event_row, "", True))
        self.copy = QToolButton()
        theme.set_icon(self.copy, "braces", Role.MUTED)
        self.copy.setToolTip("Copy the event's JSON")
        self.copy.setAccessibleName("Copy the event's JSON")
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.json.toPlainText()))
        for button in (self.copy, self.dry, self.replay):
            button.setEnabled(False)
            line.addWidget(button)
        return head

    def _build_runs(self) -> QWidget:
        holder = QWidget()
        self._list = QVBoxLayout(holder)
        self._list.setContentsMargins(8, 8, 8, 8)
        self._list.setSpacing(8)
        self._none = QLabel("Choose an event in the list, or search one by name: What happened to…? (Ctrl+K).")
        self._none.setWordWrap(True)
        self._none.setAlignment(Qt.AlignmentFlag.AlignTop)
        theme.mark(self._none, kind="muted")
        self._list.addWidget(self._none)
        self._list.addStretch(1)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        theme.mark(self._area, kind="read")
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setWidget(holder)
        return self._area

    @property
    def event_row(self) -> int:
        """Row of the event that is shown, 0 for none."""
        return self._event_row

    def show_event(self, event_row: int, run: int = 0) -> None:
        """Show an event; `run` is brought into sight."""
        if event_row != self._event_row:
            self._event_row = event_row
            self._open_effects.clear()
            self._shown = None
            from app.journal.rows import LogFilter

            self._log_model.set_source(LogSource(LogFilter(event_row=event_row)))
        self._focus_run = run
        self._read()

    def show_run(self, run: int) -> None:
        """Show a run with the event it came from."""
        self._hub.journal.ask(
            "detail.run",
            lambda journal: journal.run(run),
            self._take_run,
            owner=self,
            problem=self._hub.trouble.emit,
        )

    def _take_run(self, found: RunDetail) -> None:
        if found.row.event_row:
            self.show_event(found.row.event_row, found.row.id)
            self.event_wanted.emit(found.row.event_row)
        else:
            event = {
                "words": found.row.reason or found.row.entity or found.row.kind,
                "topic": found.row.kind,
                "received": found.row.created,
                "user": found.row.user,
                "project": found.row.project,
                "raw": {},
                "origin": "signalbox",
            }
            self._event_row = 0
            self._take(EventStory(event, (found,), {}))

    def _moved(self) -> None:
        if self._event_row and self.isVisible():
            self._read()

    def _read(self) -> None:
        row = self._event_row
        self._hub.journal.ask(
            "detail", lambda journal: read_story(journal, row), self._take, owner=self, problem=self._gone
        )

    def _gone(self, why: str) -> None:
        self.words.say("This event is no longer kept")
        self.about.say(why)

    def _take(self, story: EventStory) -> None:
        if story == self._shown and not self._focus_run:
            return
        first = self._shown is None or self._shown.event is not story.event
        self._shown = story
        event = story.event
        self.words.say(str(event["words"]))
        parts = [str(event["topic"]), moment(float(event["received"])), str(event["user"]), str(event["project"])]
        origin = {"catch_up": "found by catch-up", "replay": "replayed"}.get(str(event["origin"]), "")
        self.about.say("  ·  ".join(part for part in (*parts, origin) if part))
        if first:
            text = json.dumps(event["raw"], indent=2, ensure_ascii=False)
            if text != self.json.toPlainText():
                self.json.setPlainText(text)
        self.copy.setEnabled(True)
        for button in (self.replay, self.dry):
            button.setEnabled(bool(self._event_row) and not self._hub.read_only)
        self._show_runs(story)

    def _show_runs(self, story: EventStory) -> None:
        self.tabs.setTabText(0, f"Runs ({len(story.runs)})" if story.runs else "Runs")
        self._none.setVisible(not story.runs)
        self._none.setText(why_no_runs(self._hub, story))
        gone = set(self._cards) - {detail.row.id for detail in story.runs}
        for run_id in gone:
            card = self._cards.pop(run_id)
            self._list.removeWidget(card)
            card.deleteLater()
        for place, detail in enumerate(story.runs):
            card_here = self._cards.get(detail.row.id)
            if card_here is not None and card_here.detail == detail:
                continue
            if card_here is not None:
                self._list.removeWidget(card_here)
                card_here.deleteLater()
            made = RunCard(detail, self._hub, story.hashes.get(detail.row.id, ""), self._open_effects)
            made.undo.connect(self.undo_wanted)
            made.job.connect(self.job_wanted)
            made.replay.connect(partial(self._replay_one, detail.row.handler))
            self._cards[detail.row.id] = made
            self._list.insertWidget(place + 1, made)
        if self._focus_run in self._cards:
            card = self._cards[self._focus_run]
            self.tabs.setCurrentIndex(0)
            # A card that was only just made has its place when the layout, and the area around it, have settled.
            QTimer.singleShot(_SETTLED_MS, card, lambda: self._area.ensureWidgetVisible(card))
            self._focus_run = 0

    def _replay_one(self, handler: str, dry: bool) -> None:
        self.replay_wanted.emit(self._event_row, handler, dry)

    def card(self, run: int) -> RunCard:
        """The card of a run. Raises KeyError."""
        return self._cards[run]


def why_no_runs(hub: Hub, story: EventStory) -> str:
    """Why an event led to nothing, as far as the levers tell."""
    if story.runs:
        return ""
    project = str(story.event.get("project", ""))
    off = []
    for row in hub.snapshot.handlers:
        lever = hub.snapshot.lever(row.id, project) or hub.snapshot.lever(row.id)
        if lever is not None and lever.position == "off":
            off.append(f"{row.title} (since {moment(lever.at)}, {lever.who})")
    text = "No handler acts on an event of this kind."
    if off:
        text += " These are Off and keep their events without acting: " + ", ".join(off) + "."
    return text


class RunCard(QFrame):
    """One run: its outcome, the reason, its effects with before and after, and what can be done about it.

    Signals:
        undo: the run shall be undone.
        replay: the handler shall get the event again; True as a dry run.
        job: the job that an effect submitted shall be shown.
    """

    undo = Signal(int)
    job = Signal(int)
    replay = Signal(bool)

    def __init__(self, detail: RunDetail, hub: Hub, plan_hash: str, opened: set[int]) -> None:
        super().__init__()
        self.detail = detail
        self._hub = hub
        self._hash = plan_hash
        self._opened = opened
        theme.mark(self, kind="card")
        self.setObjectName(f"run_{detail.row.id}")
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 8, 8)
        column.setSpacing(4)
        column.addLayout(self._build_head())
        self._build_reasons(column)
        self._effects = QVBoxLayout()
        self._effects.setSpacing(3)
        column.addLayout(self._effects)
        self._fill_effects()

    def _build_head(self) -> QHBoxLayout:
        row = self.detail.row
        look = state_look(row.state)
        line = QHBoxLayout()
        line.setSpacing(6)
        lamp = Lamp(self)
        lamp.set_look(look.role, look.shape)
        line.addWidget(lamp)
        title = QLabel(self._title())
        title.setFont(theme.heading_font(0.0))
        line.addWidget(title)
        state = QLabel(look.word)
        theme.mark(state, state=_STATE.get(look.role, "off"))
        line.addWidget(state)
        times = ElidedLabel(self._times())
        theme.mark(times, kind="muted")
        line.addWidget(times, 1)
        for button in self._buttons():
            line.addWidget(button)
        return line

    def _title(self) -> str:
        row = self.detail.row
        name = self._hub.snapshot.title(row.handler)
        return {"undo": f"Undo of {name}", "preview": f"{name}, preview"}.get(row.kind, name)

    def _times(self) -> str:
        row = self.detail.row
        parts = [clock_ms(row.created)]
        if row.finished and row.started:
            parts.append(f"took {span(row.finished - row.started)}")
        if row.attempts > 1:
            parts.append(f"attempt {row.attempts}")
        if row.state == "retry":
            parts.append(f"again at {clock_ms(row.due)}")
        parts.append(f"#{row.id}")
        return "  ·  ".join(parts)

    def _buttons(self) -> list[QPushButton]:
        row = self.detail.row
        made: list[QPushButton] = []

        def button(words: str, tip: str, does: Callable[[], None]) -> None:
            one = QPushButton(words)
            one.setToolTip(tip)
            one.setObjectName(f"{words.rstrip('…').split()[0].lower()}_{row.id}")
            one.setEnabled(not self._hub.read_only)
            one.clicked.connect(does)
            made.append(one)

        title = self._title()
        if row.state in _RETRY:
            button("Retry", "Try again from where it stopped", partial(self._order, "retry", f"Retry of {title}"))
        if row.state == "retry":
            button("Retry now", "Do not wait for its next attempt", partial(self._order, "retry", f"Retry of {title}"))
        if row.state == "stopped":
            button("Resume", "Go on with the stored plan", partial(self._order, "resume", f"Resuming {title}"))
        if row.state in _OPEN:
            button("Cancel", "Give this run up", partial(self._order, "cancel", f"Cancelling {title}"))
        if row.state == "planned" and self.detail.effects and row.kind in {"handler", "action", "catch_up"}:
            button("Apply", "Plan again and, if nothing changed, do it", self._apply)
        if row.state in _UNDOABLE and row.kind != "undo" and any(e.state in _DONE for e in self.detail.effects):
            button("Undo…", "Take back what this run did; the list comes first", lambda: self.undo.emit(row.id))
        return made

    def _order(self, kind: str, words: str) -> None:
        self._hub.order(kind, {"run": self.detail.row.id}, words)

    def _apply(self) -> None:
        args = {"run": self.detail.row.id, "plan_hash": self._hash}
        self._hub.order("apply_planned", args, f"Applying the plan of {self._title()}")

    def _build_reasons(self, column: QVBoxLayout) -> None:
        lines = [(self.detail.row.reason, "error" if self.detail.row.state == "failed" else "")]
        lines += [(f"{note.get('outcome', '')}: {note.get('reason', '')}", "") for note in self.detail.notes[:20]]
        lines += [(warning, "warning") for warning in self.detail.warnings]
        said: set[str] = set()
        for text, state in lines:
            bare = text.split(": ", 1)[-1]
            if not text or text in said or bare in said:
                continue
            said.update((text, bare))
            label = QLabel(text)
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setContentsMargins(22, 0, 0, 0)
            theme.mark(label, **({"state": state} if state else {"kind": "muted"}))
            column.addWidget(label)

    def _add_effect(self, line: EffectLine) -> None:
        line.job.connect(self.job)
        self._effects.addWidget(line)

    def _fill_effects(self) -> None:
        effects = self.detail.effects
        everything = self.detail.row.id in self._opened
        shown = effects if everything else effects[:EFFECTS_SHOWN]
        reason = ""
        for effect in shown:
            self._add_effect(EffectLine(effect, say_reason=effect.reason != reason, said=self.detail.row.reason))
            reason = effect.reason
        if len(shown) < len(effects):
            more = QPushButton(f"Show {many(len(effects) - len(shown), 'more effect')}")
            theme.mark(more, kind="quiet")
            more.clicked.connect(partial(self._show_all, more))
            self._effects.addWidget(more)

    def _show_all(self, button: QPushButton) -> None:
        self._opened.add(self.detail.row.id)
        self._effects.removeWidget(button)
        button.deleteLater()
        for effect in self.detail.effects[EFFECTS_SHOWN:]:
            self._add_effect(EffectLine(effect))


_DONE = {"applied", "sent"}
_STATE = {
    Role.OK: "ok",
    Role.ERROR: "error",
    Role.WARNING: "warning",
    Role.INFO: "info",
    Role.DRY: "dry",
    Role.OFF: "off",
}


class EffectLine(QWidget):
    """An effect: what, its state, why, and before and after where a value changed.

    Signals:
        job: the job that it submitted shall be shown.
    """

    job = Signal(int)

    def __init__(self, effect: EffectRow, *, say_reason: bool = True, said: str = "") -> None:
        super().__init__()
        look = effect_look(effect.state)
        line = QHBoxLayout(self)
        line.setContentsMargins(16, 0, 0, 0)
        line.setSpacing(6)
        lamp = Lamp(self)
        lamp.set_look(look.role, look.shape)
        line.addWidget(lamp, 0, Qt.AlignmentFlag.AlignTop)
        texts = QVBoxLayout()
        texts.setSpacing(0)
        words = QLabel(sentence(effect.words))
        words.setWordWrap(True)
        words.setTextFormat(Qt.TextFormat.PlainText)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        texts.addWidget(words)
        for text, state in self._below(effect, say_reason, said):
            below = QLabel(text)
            below.setWordWrap(True)
            below.setTextFormat(Qt.TextFormat.PlainText)
            below.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            theme.mark(below, **({"state": state} if state else {"kind": "muted"}))
            texts.addWidget(below)
        line.addLayout(texts, 1)
        job = (effect.after or {}).get("job")
        if isinstance(job, int):
            show = QPushButton("Show the job")
            theme.mark(show, kind="quiet")
            show.setObjectName(f"job_{job}")
            show.clicked.connect(lambda _on=False: self.job.emit(job))
            line.addWidget(show, 0, Qt.AlignmentFlag.AlignTop)
        word = QLabel(look.word)
        theme.mark(word, state=_STATE.get(look.role, "off"))
        line.addWidget(word, 0, Qt.AlignmentFlag.AlignTop)

    @staticmethod
    def _below(effect: EffectRow, say_reason: bool, said: str) -> list[tuple[str, str]]:
        made = []
        if effect.error and effect.error != said:
            made.append((effect.error, "error"))
        if effect.reason and say_reason:
            # Eight folders of one project are made for one reason: it is said once.
            made.append((effect.reason, ""))
        if effect.after and "job" in effect.after:
            made.append(how_a_job_is(effect.after))
        elif change := difference(effect.before, effect.after):
            made.append((change, ""))
        return made


def how_a_job_is(after: Mapping[str, Any]) -> tuple[str, str]:
    """How the job of an effect is, or ended, in words, and the state they are marked with."""
    status, activity = str(after.get("status") or ""), str(after.get("activity") or "")
    word = JOB_STATES[status].word if status in JOB_STATES else sentence(status)
    bad = status in ("failed", "gone")
    return f"{word}: {activity}" if activity else word, "error" if bad else ""


def difference(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """ "status: In Progress → Approved" for each value that an effect changed; at most six."""
    before, after = before or {}, after or {}
    parts = []
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key), after.get(key)
        if old != new and key != "exists":
            parts.append(f"{key}: {_short(old)} → {_short(new)}")
    more = f"; and {len(parts) - 6} more" if len(parts) > 6 else ""
    return "; ".join(parts[:6]) + more


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, (Mapping, list)) else str(value)
    return text if len(text) <= 90 else f"{text[:60]}…{text[-25:]}"
