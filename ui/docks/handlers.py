"""The Handlers dock: a lever a handler, what it did, how fast, and why it stands still."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui import theme
from ui.docks.elided import ElidedLabel
from ui.docks.lever import Lever, SmallLever
from ui.models.hub import Hub
from ui.models.words import LEVERS, ago, amount, many, span, tip
from ui.theme import Role

if TYPE_CHECKING:
    from app.journal.rows import CatalogueRow, HandlerStats, LeverRow

SHOWS_SHOWN = 40
"""A studio may have hundreds of shows: a lever is a widget, and nobody scrolls sideways past so many columns."""


class Counter(QWidget):
    """A number with its word below it."""

    def __init__(self, word: str, role: Role, tip: str) -> None:
        super().__init__()
        self._role = role
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._number = QLabel("0")
        self._number.setFont(theme.numbers(theme.heading_font(0.8)))
        self._word = QLabel(word)
        self._word.setFont(theme.ui_font(-1.3))
        theme.mark(self._word, kind="muted")
        column.addWidget(self._number)
        column.addWidget(self._word)
        self.setToolTip(tip)

    def say(self, text: str, *, lit: bool) -> None:
        """Show a value; unlit where it is nothing to look at."""
        self._number.setText(text)
        theme.mark(self._number, state=_STATE_OF[self._role] if lit else "off")


_STATE_OF = {Role.OK: "ok", Role.ERROR: "error", Role.INFO: "info", Role.DRY: "dry", Role.WARNING: "warning"}


class HandlerCard(QFrame):
    """One handler.

    Signals:
        moved: a person moved its lever to "off", "dry" or "on".
        resume: the breaker shall let it run again.
        settings: its settings are wanted.
        preview: "what would it do?" is wanted.
        error: the run of its last error is wanted.
        kept: the events kept while it was off are wanted.
        runs: a counter was clicked: the runs of that state are wanted.
    """

    moved = Signal(str)
    resume = Signal()
    settings = Signal()
    preview = Signal()
    error = Signal(int)
    kept = Signal()
    runs = Signal()

    def __init__(self, row: CatalogueRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.handler = row.id
        self._error_run = 0
        self.setObjectName(f"handler_{row.id}")
        self.setAccessibleName(row.title)
        theme.mark(self, kind="card")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 7, 8, 5)
        column.setSpacing(1)
        top = QHBoxLayout()
        top.setSpacing(8)
        left = QVBoxLayout()
        left.setSpacing(4)
        left.addLayout(self._build_title(row))
        left.addLayout(self._build_counters())
        top.addLayout(left, 1)
        self.lever = Lever(row.title)
        self.lever.moved.connect(self.moved)
        top.addWidget(self.lever, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(top)
        column.addLayout(self._build_foot())
        self._build_banner(column)

    def _build_title(self, row: CatalogueRow) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(7)
        self.title = ElidedLabel(row.title)
        self.title.setFont(theme.heading_font(0.4))
        line.addWidget(self.title, 1)
        self.setToolTip(tip(row.help))
        return line

    def _build_counters(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(14)
        self._done = Counter("done", Role.OK, "Runs that ended done, last 24 hours")
        self._skipped = Counter("skipped", Role.INFO, "Runs that had nothing to do and say why, last 24 hours")
        self._failed = Counter("failed", Role.ERROR, "Runs that failed, last 24 hours")
        self._queue = Counter("queue", Role.INFO, "Runs that wait, run or will be tried again")
        for counter in (self._done, self._skipped, self._failed, self._queue):
            line.addWidget(counter)
        line.addStretch(1)
        return line

    def _build_foot(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(2)
        self._times = ElidedLabel()
        self._times.setFont(theme.numbers(theme.ui_font(-1.0)))
        theme.mark(self._times, kind="muted")
        line.addWidget(self._times, 1)
        for icon, words, signal in (
            ("eye", "What would it do? Try a recorded event without touching anything", self.preview),
            ("list", "Show the events it acted on", self.runs),
            ("settings", "Settings", self.settings),
        ):
            button = QToolButton()
            button.setIconSize(QSize(15, 15))
            theme.set_icon(button, icon, Role.MUTED)
            button.setToolTip(words)
            button.setAccessibleName(f"{words}: {self.title.whole()}")
            button.setObjectName(f"{icon}_{self.handler}")
            button.clicked.connect(signal)
            line.addWidget(button)
        return line

    def _build_banner(self, column: QVBoxLayout) -> None:
        self._banner = QFrame()
        self._banner.setFixedHeight(34)
        line = QHBoxLayout(self._banner)
        line.setContentsMargins(8, 0, 3, 0)
        line.setSpacing(6)
        self._banner_text = ElidedLabel()
        line.addWidget(self._banner_text, 1)
        self._banner_button = QPushButton()
        self._banner_button.setFixedHeight(28)
        self._banner_button.clicked.connect(self._banner_clicked)
        line.addWidget(self._banner_button)
        self._banner_does = ""
        self._banner.hide()
        column.addWidget(self._banner)

    def show_row(self, row: CatalogueRow, stats: HandlerStats | None, lever: LeverRow | None, read_only: bool) -> None:
        """Show the newest lever, counters and times."""
        self.title.say(row.title)
        self.lever.set_locked(read_only)
        breaker = lever.breaker if lever else ""
        self.lever.set_position(lever.position if lever else "on", paused=bool(breaker))
        if stats is not None:
            waiting = stats.queued + stats.running + stats.retry
            self._done.say(amount(stats.done), lit=stats.done > 0)
            self._skipped.say(amount(stats.skipped), lit=False)
            self._failed.say(amount(stats.failed), lit=stats.failed > 0)
            self._queue.say(amount(waiting), lit=waiting > 0)
            self._times.say(_times(stats))
        self._show_banner(row, stats, lever, read_only)

    def _show_banner(
        self, row: CatalogueRow, stats: HandlerStats | None, lever: LeverRow | None, read_only: bool
    ) -> None:
        self._error_run = (stats.last_error_run or 0) if stats else 0
        breaker = lever.breaker if lever else ""
        kept = lever.kept_events if lever else 0
        if breaker:
            self._say_banner("warning", f"Paused: {breaker}", "Resume", "resume")
        elif row.error:
            self._say_banner("error", f"The newest version does not load: {row.error}", "", "")
        elif kept and lever and lever.position == "on":
            self._say_banner("info", f"{many(kept, 'event')} came while it was off", "Process…", "kept")
        elif stats and stats.last_error and stats.failed:
            self._say_banner("error", stats.last_error, "Show", "error")
        else:
            self._banner.hide()
        self._banner_button.setEnabled(self._banner_does == "error" or not read_only)

    def _say_banner(self, state: str, text: str, button: str, does: str) -> None:
        theme.mark(self._banner, state=state)
        theme.mark(self._banner_text, state=state)
        self._banner_text.say(text)
        self._banner_button.setText(button)
        self._banner_button.setVisible(bool(button))
        self._banner_does = does
        self._banner.show()

    def _banner_clicked(self) -> None:
        if self._banner_does == "resume":
            self.resume.emit()
        elif self._banner_does == "kept":
            self.kept.emit()
        elif self._banner_does == "error":
            self.error.emit(self._error_run)


def _times(stats: HandlerStats) -> str:
    if stats.p50 is None:
        return "No runs yet" if stats.last_run is None else f"Last run {ago(stats.last_run)}"
    parts = [f"p50 {span(stats.p50)}", f"p95 {span(stats.p95)}"]
    parts.append(f"lag {span(stats.lag)}" if stats.lag > 0.5 else f"last {ago(stats.last_run)}")
    return "  ·  ".join(parts)


class HandlersDock(QWidget):
    """Levers of all handlers, and a grid of levers by show.

    Signals:
        settings_wanted: settings of a handler.
        preview_wanted: "what would it do?" of a handler.
        run_wanted: a run shall be shown.
        events_wanted: the events a handler acted on shall be listed.
        kept_wanted: the events kept while a handler was off.
    """

    settings_wanted = Signal(str)
    preview_wanted = Signal(str)
    run_wanted = Signal(int)
    events_wanted = Signal(str)
    kept_wanted = Signal(str, int)

    def __init__(self, hub: Hub, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hub = hub
        self._cards: dict[str, HandlerCard] = {}
        self.setObjectName("handlers_dock")
        self.setMinimumWidth(392)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        column.addWidget(self.tabs)
        self._list = QVBoxLayout()
        self._list.setContentsMargins(8, 8, 8, 8)
        self._list.setSpacing(7)
        self._list.addStretch(1)
        self._nothing = QLabel("No handler has reported yet. They appear as soon as the engine has started.")
        self._nothing.setWordWrap(True)
        theme.mark(self._nothing, kind="muted")
        self._list.insertWidget(0, self._nothing)
        self.tabs.addTab(_scrolled(self._list, sideways=False), "Levers")
        self.grid = LeverGrid(hub)
        self.tabs.addTab(self.grid, "By show")
        hub.pulse.connect(self._show)

    def card(self, handler: str) -> HandlerCard:
        """The card of a handler. Raises KeyError."""
        return self._cards[handler]

    def _show(self) -> None:
        snapshot = self._hub.snapshot
        rows = snapshot.handlers
        self._nothing.setVisible(not rows)
        if [row.id for row in rows] != list(self._cards):
            self._build(rows)
        for row in rows:
            lever = snapshot.lever(row.id)
            self._cards[row.id].show_row(row, snapshot.stats.get(row.id), lever, self._hub.read_only)

    def _build(self, rows: tuple[CatalogueRow, ...]) -> None:
        for card in self._cards.values():
            self._list.removeWidget(card)
            card.deleteLater()
        self._cards = {}
        for place, row in enumerate(rows):
            card = HandlerCard(row)
            card.moved.connect(partial(self._moved, row.id))
            card.resume.connect(partial(self._resume, row.id))
            card.settings.connect(partial(self.settings_wanted.emit, row.id))
            card.preview.connect(partial(self.preview_wanted.emit, row.id))
            card.runs.connect(partial(self.events_wanted.emit, row.id))
            card.error.connect(self.run_wanted)
            card.kept.connect(partial(self._kept, row.id))
            self._cards[row.id] = card
            self._list.insertWidget(place, card)

    def _moved(self, handler: str, position: str) -> None:
        snapshot = self._hub.snapshot
        before = snapshot.lever(handler)
        args = {"handler": handler, "project": "", "position": position, "why": "moved in the panel"}
        words = f"{snapshot.title(handler)} to {LEVERS[position][0]}"

        def done(result: Mapping[str, Any]) -> None:
            self._hub.read()
            if result.get("ask") == "old_server_off":
                self._confirm_old_server(handler, args, words, done)
            if result.get("refused"):
                if "ask" not in result:
                    self._hub.trouble.emit(f"{words}: {result['refused']}")
                return
            self._hub.said.emit(f"{words}.")
            kept = int(result.get("kept_events") or (before.kept_events if before else 0))
            if position == "on" and kept:
                self.kept_wanted.emit(handler, kept)

        self._hub.order("set_lever", args, words, done, quiet=True)

    def _confirm_old_server(
        self, handler: str, args: Mapping[str, Any], words: str, done: Callable[[Mapping[str, Any]], None]
    ) -> None:
        """At a newly connected real site: somebody says that no other server does this handler's work."""
        from ui.dialogs.base import Confirm

        title = self._hub.snapshot.title(handler)
        dialog = Confirm(
            f"Is the old server's {title} switched off?",
            "This is a real site. While another server does the same work there would be double folders, lists and "
            "messages. Your name and the time are kept with the answer.",
            [],
            "It is off: turn on",
            self,
        )
        dialog.setObjectName("confirm_old_server")
        dialog.prefer_cancel()
        confirmed = {**args, "old_server_off": True, "why": "the old server's is off, confirmed in the panel"}
        dialog.accepted.connect(lambda: self._hub.order("set_lever", confirmed, words, done, quiet=True))
        dialog.open()

    def _kept(self, handler: str) -> None:
        lever = self._hub.snapshot.lever(handler)
        if lever is not None:
            self.kept_wanted.emit(handler, lever.kept_events)

    def _resume(self, handler: str) -> None:
        self._hub.order("resume_breaker", {"handler": handler}, f"Resume {self._hub.snapshot.title(handler)}")


class LeverGrid(QWidget):
    """Handlers against shows: a small lever at each crossing, for at most `SHOWS_SHOWN` shows at a time."""

    def __init__(self, hub: Hub, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hub = hub
        self._levers: dict[tuple[str, str], SmallLever] = {}
        self._shape: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(6)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Find a show")
        self.search.setAccessibleName("Find a show")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._show)
        top = QHBoxLayout()
        top.setContentsMargins(8, 0, 8, 0)
        top.addWidget(self.search)
        column.addLayout(top)
        self._holder = QWidget()
        self._grid = QGridLayout(self._holder)
        self._grid.setContentsMargins(8, 4, 8, 8)
        self._grid.setHorizontalSpacing(4)
        self._grid.setVerticalSpacing(10)
        self._area = QScrollArea()
        # The keyboard goes to what is in it.
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setWidget(self._holder)
        column.addWidget(self._area, 1)
        self._more = QLabel()
        self._more.setContentsMargins(10, 4, 10, 0)
        theme.mark(self._more, kind="muted")
        self._more.hide()
        column.addWidget(self._more)
        hint = QLabel(
            "A lever in brackets follows the handler's own. Right-click it, or press the menu key, to follow again."
        )
        hint.setWordWrap(True)
        hint.setContentsMargins(10, 4, 10, 8)
        theme.mark(hint, kind="muted")
        column.addWidget(hint)
        hub.pulse.connect(self._show)

    def lever(self, handler: str, project: str) -> SmallLever:
        """The lever of a handler in a show. Raises KeyError."""
        return self._levers[handler, project]

    def shows(self) -> tuple[str, ...]:
        """The shows that have a column now."""
        return self._shape[1]

    def left_out(self) -> str:
        """What is said of the shows that have none; "" when every one has."""
        return self._more.text() if not self._more.isHidden() else ""

    def _show(self) -> None:
        if not self.isVisible():
            return
        snapshot = self._hub.snapshot
        wanted = self.search.text().strip().casefold()
        found = [name for name in snapshot.projects if wanted in name.casefold()]
        shows = _first_shows(found, {project for _handler, project in snapshot.levers if project})
        left = len(found) - len(shows)
        self._more.setText(f"{amount(left)} more shows: search for one to see its levers.")
        self._more.setVisible(left > 0)
        handlers = tuple(row.id for row in snapshot.handlers)
        if (handlers, shows) != self._shape:
            self._build(handlers, shows)
        for (handler, project), lever in self._levers.items():
            own = snapshot.lever(handler, project)
            main = snapshot.lever(handler)
            shown = own or main
            lever.set_locked(self._hub.read_only)
            lever.set_position(shown.position if shown else "on", paused=bool(main and main.breaker))
            lever.set_own(own is not None)

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self._show()

    def _build(self, handlers: tuple[str, ...], shows: tuple[str, ...]) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        self._levers = {}
        self._shape = (handlers, shows)
        if not shows or not handlers:
            empty = QLabel("No show has been seen yet.")
            theme.mark(empty, kind="muted")
            self._grid.addWidget(empty, 0, 0)
        for column, show in enumerate(shows, start=1):
            head = ElidedLabel(show)
            head.setFont(theme.heading_font(-0.6))
            head.setFixedWidth(84)
            head.setAlignment(Qt.AlignmentFlag.AlignCenter)
            self._grid.addWidget(head, 0, column)
        for line, handler in enumerate(handlers, start=1):
            name = QLabel(self._hub.snapshot.title(handler))
            name.setWordWrap(True)
            name.setMinimumWidth(92)
            self._grid.addWidget(name, line, 0)
            for column, show in enumerate(shows, start=1):
                lever = SmallLever(f"{self._hub.snapshot.title(handler)} in {show}")
                lever.setObjectName(f"lever_{handler}_{show}")
                lever.moved.connect(partial(self._moved, handler, show))
                lever.follow_wanted.connect(partial(self._moved, handler, show, None))
                self._levers[handler, show] = lever
                self._grid.addWidget(lever, line, column)
        self._grid.setColumnStretch(len(shows) + 1, 1)
        self._grid.setRowStretch(len(handlers) + 1, 1)

    def _moved(self, handler: str, project: str, position: str | None) -> None:
        word = LEVERS[position][0] if position is not None else "follow its own lever"
        words = f"{self._hub.snapshot.title(handler)} in {project} to {word}"
        args = {"handler": handler, "project": project, "position": position, "why": "moved in the panel"}
        self._hub.order("set_lever", args, words, lambda _result: self._hub.read())


def _first_shows(names: list[str], own: set[str]) -> tuple[str, ...]:
    """What the grid has room for: shows with levers of their own before the others, in the order they came."""
    if len(names) <= SHOWS_SHOWN:
        return tuple(names)
    ahead = [name for name in names if name in own]
    chosen = set([*ahead, *(name for name in names if name not in own)][:SHOWS_SHOWN])
    return tuple(name for name in names if name in chosen)


def _scrolled(layout: QVBoxLayout, *, sideways: bool) -> QScrollArea:
    holder = QWidget()
    holder.setLayout(layout)
    area = QScrollArea()
    # The keyboard goes to what is in it.
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    if not sideways:
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(holder)
    return area
