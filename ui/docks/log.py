"""The Log dock: what the program says, live, from log.db or any plain log file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSettings, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QMenu, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from ui import theme
from ui.docks.events import follow_button
from ui.docks.export import export_menu
from ui.docks.filter_bar import FilterBar
from ui.docks.rows_view import Column, RowsView
from ui.models.hub import Hub
from ui.models.paged import PagedRows
from ui.models.reader import Reader
from ui.models.sources import FileSource, LogSource, open_text
from ui.models.text_file import TextFile, TextRows
from ui.models.words import LEVELS
from ui.theme import Role

if TYPE_CHECKING:
    from app.journal.rows import LogFilter

COLUMNS = (
    Column("Time", 134, mono=True, role=Role.MUTED),
    Column("Level", 70, toned=True),
    Column("Message", 300, stretch=True, mono=True, toned=True),
    Column("Topic", 88, role=Role.MUTED),
    Column("Handler", 120, role=Role.MUTED),
    Column("Entity", 120, role=Role.MUTED),
)
FILE_COLUMNS = (Column("Line", 600, stretch=True, mono=True, toned=True),)


class LogDock(QWidget):
    """Log lines with filters by level, text, handler and show.

    Signals:
        line_chosen: id of the line that was selected or entered.
        event_wanted: the event of a line shall be shown.
    """

    line_chosen = Signal(int)
    event_wanted = Signal(int)

    def __init__(self, hub: Hub, settings: Callable[[], QSettings], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("log_dock")
        self._hub = hub
        self._file: Reader[TextFile] | None = None
        self._file_model: TextRows | None = None
        self._run_id: int | None = None
        self.bar = FilterBar("log", "Search the log", self)
        self.level = self.bar.add_choice("level", "All levels", [(f"{name}+", value) for name, value in LEVELS.items()])
        self.bar.add_choice("handler", "All handlers")
        self.bar.add_choice("project", "All shows")
        self.bar.add_saved(settings)
        self.model = PagedRows(hub.log, LogSource(), "log", self)
        self.view = RowsView(self.model, COLUMNS, "log")
        self.view.set_empty_text("Nothing has been logged yet.")
        self.bar.add_widget(follow_button(self.view))
        export = QToolButton()
        theme.set_icon(export, "download", Role.MUTED)
        export_menu(export, self.view, "log")
        self.bar.add_widget(export)
        self.bar.add_widget(self._source_button())
        self.stack = QStackedWidget()
        self.stack.addWidget(self.view)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.bar)
        column.addWidget(self.stack, 1)
        self.bar.changed.connect(self._filter)
        self.view.activated.connect(self._find_event)
        self.view.menu_wanted.connect(self._menu)
        hub.pulse.connect(self._learn)

    def filter(self) -> LogFilter:
        """The filter that the bar describes."""
        from app.journal.rows import LogFilter

        values = self.bar.values()
        return LogFilter(
            text=values["text"],
            regex=values["regex"] and bool(values["text"]),
            level=values["level"] or 0,
            handler=values["handler"] or "",
            run_id=self._run_id,
            project=values["project"] or "",
        )

    def show_only(self, **values: Any) -> None:
        """Set the filter to these values and nothing else."""
        self.bar.set_values(values)

    def follow_file(self, path: Path) -> None:
        """Show a plain log file instead of the journal's log, and follow it."""
        self.follow_journal()
        self._file = Reader("file", lambda: open_text(path), self)
        self._file_model = TextRows(self._file, FileSource(path, self.filter()), "file", self)
        view = RowsView(self._file_model, FILE_COLUMNS, "log_file")
        view.set_empty_text(f"{path} is empty. New lines appear as they are written.")
        self._file.unavailable.connect(lambda why: view.set_empty_text(f"{path} cannot be read: {why}"))
        self.stack.setCurrentIndex(self.stack.addWidget(view))
        self.bar.search.setPlaceholderText(f"Search {path.name}")

    def follow_journal(self) -> None:
        """Back to the journal's own log."""
        if self._file is None:
            return
        view = self.current_view()
        self.stack.setCurrentIndex(0)
        self.stack.removeWidget(view)
        self._file.close()
        view.deleteLater()
        for gone in (self._file_model, self._file):
            if gone is not None:
                gone.deleteLater()
        self._file, self._file_model = None, None
        self.bar.search.setPlaceholderText("Search the log")

    def close_files(self) -> None:
        """Let go of a followed file before the window goes."""
        self.follow_journal()

    def current_view(self) -> RowsView:
        """The list that is shown: the journal's log or the file's."""
        view = self.stack.currentWidget()
        assert isinstance(view, RowsView)
        return view

    def _source_button(self) -> QToolButton:
        button = QToolButton()
        theme.set_icon(button, "file", Role.MUTED)
        button.setToolTip("Follow a log file")
        button.setAccessibleName("Follow a log file")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        menu.addAction("Signalbox's own log", self.follow_journal)
        menu.addAction("Follow a log file…", self._ask_file)
        button.setMenu(menu)
        return button

    def _ask_file(self) -> None:
        dialog = QFileDialog(self, "Follow a log file", "/tmp", "Log files (*.log *.txt);;All files (*)")  # noqa: S108
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda path: self.follow_file(Path(path)))
        dialog.open()

    def _filter(self) -> None:
        wanted = self.filter()
        if self._file_model is not None:
            assert self._file_model.path is not None
            self._file_model.set_source(FileSource(self._file_model.path, wanted))
        else:
            source = LogSource(wanted)
            self.view.set_empty_text(
                "No line passes this filter." if source.filtered else "Nothing has been logged yet."
            )
            self.model.set_source(source)
        view = self.current_view()
        view.set_highlight(self.bar.finder())
        view.follow()

    def _learn(self) -> None:
        snapshot = self._hub.snapshot
        self.bar.set_choices("handler", [(row.title, row.id) for row in snapshot.catalogue])
        self.bar.set_choices("project", [(name, name) for name in snapshot.projects])

    def _find_event(self, line: int) -> None:
        """A line leads to the event it speaks of."""

        def question(store: Any) -> int:
            from app.journal.scan import lines_by_id

            rows = lines_by_id(store, [line])
            return rows[0].event_row or 0 if rows else 0

        self._hub.log.ask("line.event", question, lambda row: self.event_wanted.emit(row) if row else None, owner=self)

    def _menu(self, line: int, menu: QMenu) -> None:
        if line:
            menu.addSeparator()
            menu.addAction("Show its event", lambda: self._find_event(line))
