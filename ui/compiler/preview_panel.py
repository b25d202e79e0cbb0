"""The right half of the workbench: what the Manager would make of the script, in five views."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QFrame, QPlainTextEdit, QSplitter, QTabWidget, QVBoxLayout, QWidget

from app.jobs.api import CompileRequest, CompileResult, CompilerPoolLike, TaskColumns, Variable
from ui import theme
from ui.compiler.background import Background
from ui.compiler.changes import Changes, compare
from ui.compiler.changes_view import DEPLOYED, LAST, ChangesView
from ui.compiler.document import time_words
from ui.compiler.editor import make_editor
from ui.compiler.graph_view import GraphView
from ui.compiler.inspector import Inspector
from ui.compiler.parts import bar, push_button
from ui.compiler.preview import PAGE, TaskSource, wait_for
from ui.compiler.summary import SummaryHead
from ui.compiler.task_table import TaskTable
from ui.docks.elided import ElidedLabel

JSON_SHOWN = 1_500_000
"""Characters of the raw result that are shown; all of it can be saved."""

log = logging.getLogger("signalbox.ui.compiler")


def _pushed_out(problem: Exception) -> None:
    """Newer results may push a page of an older one out of the compiler: nothing is lost, their own pages follow."""
    if not isinstance(problem, KeyError):
        log.error("Tasks of a preview could not be read: %s", problem)


class RawView(QWidget):
    """The whole result as the command line prints it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.editor = make_editor()
        self.editor.set_read_only(True)
        self.words = ElidedLabel("", kind="muted", asks=True)
        self.save_button = push_button("Save as …")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(bar(self.words, self.save_button))
        layout.addWidget(self.editor, 1)

    def show_text(self, text: str, cut: bool) -> None:
        """The text, and whether it is only the beginning."""
        self.editor.set_text(text)
        self.words.say(f"The first {len(text):,} characters; save it to see all." if cut else "")


class PreviewPanel(QWidget):
    """The head with lamp and numbers, and the five views.

    Signals:
        place_wanted: file, line and column of the error.
        previewed: the newest good result is on the screen (its number of tasks).
        recompile_wanted: newer results pushed this one out of the compiler; it is wanted again.
    """

    place_wanted = Signal(str, int, int)
    previewed = Signal(int)
    recompile_wanted = Signal()

    def __init__(self, pool: CompilerPoolLike, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pool, self._background = pool, background
        self._version = ""
        self.good: TaskSource | None = None
        self._good_at = 0.0
        self._before: TaskSource | None = None
        self.newest: CompileResult | None = None
        self._raw_stale = self._graph_stale = True
        self._deployed_request: Callable[[], CompileRequest | None] = lambda: None
        self.head = SummaryHead()
        self.head.place_wanted.connect(self.place_wanted)
        self.table = TaskTable(background)
        self.inspector = Inspector()
        self.graph = GraphView(background)
        self.changes = ChangesView()
        self.raw = RawView()
        self.prints = QPlainTextEdit(readOnly=True)
        self.prints.setFrameShape(QFrame.Shape.NoFrame)
        self.prints.setStyleSheet("QPlainTextEdit { border: 0; border-radius: 0; }")
        self.prints.setFont(theme.mono_font())
        self.prints.setPlaceholderText("print() and alert() of the script; a Manager writes them to its own log only")
        self.tabs = self._make_tabs()
        self._join()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.head)
        layout.addWidget(self.tabs, 1)

    def _make_tabs(self) -> QTabWidget:
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.table)
        split.addWidget(self.inspector)
        split.setSizes([300, 260])
        split.setChildrenCollapsible(False)
        split.setHandleWidth(1)
        tabs = QTabWidget()
        tabs.setDocumentMode(True)
        for widget, name in (
            (split, "Tasks"),
            (self.graph, "Graph"),
            (self.changes, "Changes"),
            (self.raw, "JSON"),
            (self.prints, "Prints"),
        ):
            tabs.addTab(widget, name)
        self._tasks_page = split
        return tabs

    def _join(self) -> None:
        self.tabs.currentChanged.connect(lambda _index: self._fill_visible())
        self.table.picked.connect(self._show_task)
        self.graph.picked.connect(lambda places: self.show_place(places[0]))
        self.inspector.task_wanted.connect(self.show_place)
        self.changes.task_wanted.connect(self.show_place)
        self.changes.basis_changed.connect(lambda basis: self._compare_deployed() if basis == DEPLOYED else None)
        self.raw.save_button.clicked.connect(self._save_raw)

    def set_variables(self, variables: Mapping[str, Variable]) -> None:
        """The Manager's variables."""
        self.inspector.set_variables(variables)

    def set_deployed_request(self, make: Callable[[], CompileRequest | None]) -> None:
        """How to ask what the deployed script makes of the same job; answers None when nothing is deployed."""
        self._deployed_request = make

    def reset(self, title: str, detail: str = "") -> None:
        """Another script: nothing of the last one stays."""
        for slot in ("columns", "pages", "compare", "deployed", "raw", "graph", "page"):
            self._background.forget(slot)
        self.good = self._before = None
        self.newest = None
        self.head.show_idle(title, detail)
        self.table.clear()
        self.graph.clear()
        self.inspector.show_task(None)
        self.prints.clear()
        self.raw.show_text("", cut=False)
        self.changes.show_changes(LAST, "Nothing to compare with yet: this is the first preview.")
        self.changes.show_changes(DEPLOYED, "Nothing is deployed under this name.")
        self._tab_words(self.changes, "Changes", 0)
        self._tab_words(self.prints, "Prints", 0)

    # -- results -----------------------------------------------------------------------------------------------------

    def show_result(self, result: CompileResult, version: str) -> None:
        """Show a newer result. A failed one changes the strip on top; the last good preview stays below it."""
        self.newest, self._version = result, version
        self._raw_stale = True
        self._show_prints(result)
        if result.ok:
            self.head.show_outcome(result)
            source = TaskSource(self._pool, result)
            self._background.run(
                lambda _still_wanted: source.load_columns(),
                lambda columns: self._columns_arrived(source, columns),
                _pushed_out,
                slot="columns",
            )
        else:
            kept = ""
            if self.good is not None:
                kept = f"Below: the last preview that worked, {time_words(self._good_at)}."
            self._background.forget("columns")
            self.head.show_outcome(result, kept)
            self._fill_visible()

    def _columns_arrived(self, source: TaskSource, columns: TaskColumns) -> None:
        self._before, self.good = self.good, source
        self._good_at = time.time()
        self._graph_stale = True
        self.table.show_tasks(source, columns)
        self.head.show_numbers(source.result, source.patterns, self._version)
        self.inspector.show_task(None)
        place = self.table.current_place()
        if place < 0 and columns.names:
            self.table.select(0, reveal=False)
        elif place >= 0:
            self._show_task(place)
        self._fill_visible()
        before = self._before

        def work(still_wanted: Callable[[], None]) -> Changes | str:
            whole = source.load_all(still_wanted)
            if before is None:
                return "Nothing to compare with yet: this is the first preview."
            if not whole or not before.complete:
                return "This job is too large to compare task by task."
            return compare(before.all_tasks(), source.all_tasks(), before.result.job, source.result.job)

        self._background.run(work, lambda changes: self._compared(source, changes), _pushed_out, slot="pages")
        if self.changes.basis.checkedId() == DEPLOYED:
            self._compare_deployed()
        self.previewed.emit(len(columns.names))

    def _compared(self, source: TaskSource, changes: Changes | str) -> None:
        self.table.model.page_arrived()
        if source is not self.good:
            return
        self.changes.show_changes(LAST, changes)
        self._tab_words(self.changes, "Changes", sum(changes.counts[:3]) if isinstance(changes, Changes) else 0)

    def _compare_deployed(self) -> None:
        """Compile the deployed script with the same job, off the newest-wins channel, and compare."""
        request, source = self._deployed_request(), self.good
        if request is None or source is None:
            self.changes.show_changes(DEPLOYED, "Nothing is deployed under this name.")
            return

        def work(still_wanted: Callable[[], None]) -> Changes | str:
            result = wait_for(self._pool.submit(request, channel=""), still_wanted)
            if not result.ok:
                why = result.error.message if result.error else str(result.outcome)
                return f"The deployed script fails with this job: {why}"
            deployed = TaskSource(self._pool, result)
            if not (deployed.load_all(still_wanted) and source.load_all(still_wanted)):
                return "This job is too large to compare task by task."
            return compare(deployed.all_tasks(), source.all_tasks(), result.job, source.result.job)

        self._background.run(
            work,
            lambda changes: self.changes.show_changes(DEPLOYED, changes),
            lambda problem: self.changes.show_changes(DEPLOYED, f"No comparison: {problem}"),
            slot="deployed",
        )

    def _show_prints(self, result: CompileResult) -> None:
        lines = [("" if said.level == "info" else f"{said.level}: ") + said.text for said in result.prints[:5000]]
        self.prints.setPlainText("\n".join(lines))
        self._tab_words(self.prints, "Prints", len(result.prints))

    def _tab_words(self, page: QWidget, name: str, count: int) -> None:
        self.tabs.setTabText(self.tabs.indexOf(page), f"{name} · {count:,}" if count else name)

    # -- views -------------------------------------------------------------------------------------------------------

    def _fill_visible(self) -> None:
        """Only the view that is seen is brought up to date."""
        page = self.tabs.currentWidget()
        if page is self.graph and self._graph_stale and self.good is not None and self.good.columns is not None:
            self._graph_stale = False
            self.graph.show_tasks(self.good.columns)
            self.graph.select_task(self.table.current_place())
        elif page is self.raw and self._raw_stale and self.newest is not None:
            self._raw_stale = False
            self._load_raw(self.newest)
        elif page is self.changes and self.changes.basis.checkedId() == DEPLOYED:
            self._compare_deployed()

    def _load_raw(self, result: CompileResult) -> None:
        def work(still_wanted: Callable[[], None]) -> tuple[str, bool]:
            pieces, size = [], 0
            for piece in self._pool.raw(result.result_id):
                still_wanted()
                pieces.append(piece)
                size += len(piece)
                if size > JSON_SHOWN:
                    break
            text = "".join(pieces)
            if size <= JSON_SHOWN:
                text = json.dumps(json.loads(text), ensure_ascii=False, indent=2)
            return text[:JSON_SHOWN], size > JSON_SHOWN

        def gone(problem: Exception) -> None:
            if isinstance(problem, KeyError):
                self._raw_stale = True
                self.recompile_wanted.emit()
            else:
                self.raw.show_text(f"The result cannot be shown: {problem}", cut=False)

        self._background.run(work, lambda answer: self.raw.show_text(*answer), gone, slot="raw")

    def _save_raw(self) -> None:
        result = self.newest
        if result is None:
            return
        dialog = QFileDialog(self, "Save the result")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("json")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def write(path: str) -> None:
            def work(_still_wanted: object) -> None:
                with Path(path).open("w", encoding="utf-8") as file:
                    for piece in self._pool.raw(result.result_id):
                        file.write(piece)

            self._background.run(
                work,
                lambda _nothing: self.raw.words.say(f"Saved to {path}"),
                lambda problem: self.raw.words.say(f"Not saved to {path}: {problem}"),
            )

        dialog.fileSelected.connect(write)
        dialog.open()

    def show_place(self, place: int) -> None:
        """Go to a task: its row, its commands, its card."""
        if self.tabs.currentWidget() is self.changes:
            self.tabs.setCurrentWidget(self._tasks_page)
        self.table.select(place)

    def _show_task(self, place: int) -> None:
        source = self.good
        if source is None:
            return
        self.graph.select_task(place)
        names = source.columns.names if source.columns is not None else ()
        task = source.peek(place)
        if task is not None:
            self.inspector.show_task(task, names)
            return

        def read(_still_wanted: object) -> dict[str, Any]:
            source.load_page(place // PAGE)
            task = source.peek(place)
            if task is None:
                raise KeyError(place)
            return task

        self._background.run(
            read,
            lambda task: self.inspector.show_task(task, names),
            lambda _problem: self.inspector.show_task(None),
            slot="page",
        )
