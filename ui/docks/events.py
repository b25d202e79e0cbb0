"""The Events dock: what arrives from ftrack, live, and the lamps of the handlers that acted on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSettings, Signal
from PySide6.QtWidgets import QMenu, QToolButton, QVBoxLayout, QWidget

from ui import theme
from ui.docks.export import export_menu
from ui.docks.filter_bar import FilterBar
from ui.docks.rows_view import Column, RowsView
from ui.models.hub import Hub
from ui.models.paged import PagedRows
from ui.models.sources import EventSource
from ui.models.words import STATES
from ui.theme import Role

if TYPE_CHECKING:
    from app.journal.rows import EventFilter

COLUMNS = (
    Column("Time", 106, role=Role.MUTED),
    Column("Topic", 64, role=Role.MUTED),
    Column("What happened", 150, stretch=True, toned=True),
    Column("Show", 104),
    Column("Entity", 148),
    Column("Who", 96, role=Role.MUTED),
    Column("Handlers", 112, lamps=True),
)


class EventsDock(QWidget):
    """The live table of events.

    Signals:
        chosen: row id of the event that was selected.
        order_wanted: an order of the context menu: kind and event row.
    """

    chosen = Signal(int)
    order_wanted = Signal(str, int)

    def __init__(self, hub: Hub, settings: Callable[[], QSettings], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("events_dock")
        self._hub = hub
        self._lamps: tuple[tuple[str, str], ...] = ()
        self.bar = FilterBar("events", "Search events", self)
        self.bar.search.setToolTip("In what happened, the show, the entity and the person")
        self.bar.add_choice("handler", "All handlers")
        self.bar.add_choice("state", "All states", [(look.word, state) for state, look in STATES.items()])
        self.bar.add_choice("project", "All shows")
        self.bar.add_field("entity", "Entity")
        self.bar.add_field("user", "Person")
        self.bar.add_field("topic", "Topic, e.g. ftrack.update")
        self.bar.add_more()
        self.bar.add_saved(settings)
        self.model = PagedRows(hub.journal, EventSource(), "events", self)
        self.view = RowsView(self.model, COLUMNS, "events")
        self.view.set_empty_text("No events yet. They appear here the moment ftrack sends them.")
        self.follow = follow_button(self.view)
        self.bar.add_widget(self.follow)
        export = QToolButton()
        theme.set_icon(export, "download", Role.MUTED)
        export_menu(export, self.view, "events")
        self.bar.add_widget(export)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.bar)
        column.addWidget(self.view, 1)
        self.bar.changed.connect(self._filter)
        self.view.current_changed.connect(self.chosen)
        self.view.activated.connect(self.chosen)
        self.view.menu_wanted.connect(self._menu)
        hub.pulse.connect(self._learn)

    def filter(self) -> EventFilter:
        """The filter that the bar describes."""
        from app.journal.rows import EventFilter

        values = self.bar.values()
        return EventFilter(
            text=values["text"],
            regex=values["regex"] and bool(values["text"]),
            handlers=frozenset([values["handler"]] if values["handler"] else []),
            states=frozenset([values["state"]] if values["state"] else []),
            project=values["project"] or "",
            entity=values["entity"],
            user=values["user"],
            topic=values["topic"],
        )

    def show_only(self, **values: Any) -> None:
        """Set the filter to these values and nothing else, e.g. ``handler="status_handler"``."""
        self.bar.set_values(values)

    def go_to(self, row_id: int) -> None:
        """Show an event among its neighbours: a filter that would hide it is taken away."""
        if not self.bar.is_empty():
            self.bar.clear()
        self.view.go_to(row_id)

    def _filter(self) -> None:
        wanted = self.filter()
        source = EventSource(wanted)
        self.view.set_empty_text(
            "No event passes this filter."
            if source.filtered
            else "No events yet. They appear the moment ftrack sends them."
        )
        self.view.set_highlight(self.bar.finder())
        self.model.set_source(source)
        self.view.follow()

    def _learn(self) -> None:
        snapshot = self._hub.snapshot
        lamps = tuple((row.id, row.title) for row in snapshot.handlers)
        if lamps != self._lamps:
            self._lamps = lamps
            self.view.set_lamps(lamps)
            self.bar.set_choices("handler", [(title, handler) for handler, title in lamps])
        self.bar.set_choices("project", [(name, name) for name in snapshot.projects])

    def _menu(self, row_id: int, menu: QMenu) -> None:
        if not row_id:
            return
        row = self.model.row_of(row_id)
        menu.addSeparator()
        for kind, words, icon in (
            ("replay", "Replay for every handler", "replay"),
            ("dry", "Replay as a dry run", "eye"),
            ("raw", "Copy the event's JSON", "braces"),
        ):
            action = menu.addAction(words, partial(self.order_wanted.emit, kind, row_id))
            theme.set_icon(action, icon, Role.MUTED)
            action.setEnabled(kind == "raw" or not self._hub.read_only)
        if row is None or not row.cells:
            return
        menu.addSeparator()
        for key, place, words in (
            ("project", 3, "Only show {}"),
            ("entity", 4, "Only entity {}"),
            ("user", 5, "Only {}"),
        ):
            value = row.cells[place]
            if value:
                menu.addAction(words.format(value), partial(self._add_filter, key, value))

    def _add_filter(self, key: str, value: str) -> None:
        self.bar.set_values(self.bar.values() | {key: value})


def follow_button(view: RowsView) -> QToolButton:
    """The button that shows and sets whether a list follows its newest row."""
    button = QToolButton()
    theme.set_icon(button, "follow", Role.MUTED)
    button.setCheckable(True)
    button.setChecked(True)
    button.setToolTip("Follow: keep the newest row in sight. Scrolling up stops it.")
    button.setAccessibleName("Follow new rows")
    button.clicked.connect(lambda on: view.follow() if on else view.set_following(False))
    view.follow_changed.connect(button.setChecked)
    return button
