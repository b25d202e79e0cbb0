"""The Jobs dock: jobs of this machine and of the farm in one list, their tasks, graph, live logs and last picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtCore import QPoint, QSettings, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QImage, QImageReader, QPainter, QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSplitter,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.journal.rows import JobFilter, JobRow, TaskRow, worth_a_look
from ui import theme
from ui.dialogs.job_actions import JOB_ACTIONS, TASK_ACTIONS, JobAction, PriorityDialog, allowed, ask
from ui.dialogs.job_confirm import JobConfirmDialog
from ui.docks.code_text import CodeText
from ui.docks.elided import ElidedLabel
from ui.docks.filter_bar import FilterBar
from ui.docks.lamps import Lamp
from ui.docks.table_view import TableView
from ui.docks.task_log import TaskLogPane
from ui.graph.canvas import Drawing, GraphCanvas, draw_up
from ui.graph.layout import ALONE_LIMIT, Graph, build_graph
from ui.models.hub import Hub
from ui.models.jobs import (
    AT_REST,
    ENGINES,
    JOB_COLUMNS,
    JOB_STATES,
    TASK_COLUMNS,
    TASK_LOOKS,
    Table,
    job_look,
    with_known,
)
from ui.models.words import amount, many, span
from ui.theme import Role

if TYPE_CHECKING:
    from app.journal.journal import Journal

READ_MS = 250
"""Least pause between two readings of the list."""
LEAST_ACTIVITY = 150
"""Pixels that what a job is at keeps beside a long name."""
PAGE = 500
"""So many jobs are read at first, the newest, and so many more each time the list is scrolled down to the last one."""
ORDERS_A_TURN = 100
GRAPH_MS = 40
"""Pause between tasks that were read and the graph of them."""
TICK_MS = 1_000
FOLLOW_SECONDS = 30
"""A farm task's log is asked for so often while it is looked at; the engine forgets after 90 s."""
_NO_JOBS = (
    "No jobs yet.\n\nOpen a script in the Job compiler and press Run…, or let a handler submit a job. "
    "Jobs of the Flamenco Manager appear when its address is in the settings."
)
_NO_JOB = "Choose a job to see its tasks."


@dataclass(frozen=True)
class _Structure:
    """What the graph is laid out from; states are no part of it."""

    job: int
    names: tuple[str, ...]
    types: tuple[str, ...]
    needs: tuple[tuple[int, ...], ...]
    grouped: bool

    def drawing(self) -> Drawing:
        """The graph, and where everything of it lies: milliseconds for thousands of tasks."""
        waits = [[need - 1 for need in needs] for needs in self.needs]
        group = None if self.grouped else False
        return draw_up(build_graph(self.names, self.types, waits, group=group))


class _Tasks(NamedTuple):
    """A job's tasks as they were read, and the place of the one to show first."""

    job: int
    rows: Sequence[TaskRow]
    worth_a_look: int


class JobsDock(QWidget):
    """Everything about jobs.

    Signals:
        compiler_wanted: the job compiler shall be shown.
        run_wanted: the run that submitted a job shall be shown.
    """

    compiler_wanted = Signal()
    run_wanted = Signal(int)

    def __init__(self, hub: Hub, settings: Callable[[], QSettings], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("jobs_dock")
        self._hub = hub
        self._settings = settings
        self._limit = PAGE
        self._to_top = False
        self._filtered = JobFilter()
        self._wanted = 0
        self._confirm_wanted = False
        self._auto_task = True
        self._dirty = True
        self._shown_updated: tuple[int, float] = (0, 0.0)
        self._structure: _Structure | None = None
        self._picture = ""
        self._unfetched = (0, "")
        self.jobs: Table[JobRow] = Table(JOB_COLUMNS, self)
        self.tasks: Table[TaskRow] = Table(TASK_COLUMNS, self)
        self._build()
        self._wire()
        self._say_empty(_NO_JOB)
        self._show_job(None)

    # Building

    def _build(self) -> None:
        self.bar = FilterBar("jobs", "Search jobs: name, type, who started them", self)
        self.bar.regex.hide()
        self.bar.add_choice("status", "All states", [(look.word, state) for state, look in JOB_STATES.items()])
        self.bar.add_choice("engine", "Both engines", [(words, engine) for engine, words in ENGINES.items()])
        self.bar.add_saved(self._settings)
        self.new = QPushButton("New job…")
        theme.set_icon(self.new, "plus", Role.TEXT)
        self.new.setToolTip("Choose or write a script in the job compiler, then run it")
        self.new.clicked.connect(self.compiler_wanted)
        self.bar.add_widget(self.new)
        self.list = TableView(self.jobs, "jobs")
        self.list.set_empty_text(_NO_JOBS)
        top = QWidget()
        column = QVBoxLayout(top)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.bar)
        column.addWidget(self.list, 1)
        self.across = QSplitter(Qt.Orientation.Horizontal)
        self.across.addWidget(self._build_left())
        self.across.addWidget(self._build_right())
        bottom = QWidget()
        column = QVBoxLayout(bottom)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._build_strip())
        column.addWidget(self.across, 1)
        self.down = QSplitter(Qt.Orientation.Vertical)
        self.down.addWidget(top)
        self.down.addWidget(bottom)
        for splitter, stretches in ((self.down, (2, 3)), (self.across, (2, 3))):
            splitter.setChildrenCollapsible(False)
            splitter.setHandleWidth(1)
            for place, stretch in enumerate(stretches):
                splitter.setStretchFactor(place, stretch)
        self.down.setSizes([230, 390])
        self.across.setSizes([560, 720])
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.down)

    def _build_strip(self) -> QWidget:
        strip = QFrame()
        theme.mark(strip, kind="bar")
        strip.setFixedHeight(40)
        line = QHBoxLayout(strip)
        line.setContentsMargins(10, 0, 8, 0)
        line.setSpacing(6)
        self.lamp = Lamp()
        self.title = ElidedLabel(kind="heading", mode=Qt.TextElideMode.ElideMiddle, asks=True)
        self.activity = ElidedLabel(kind="muted")
        self.activity.setMinimumWidth(LEAST_ACTIVITY)
        line.addWidget(self.lamp)
        line.addWidget(self.title)
        line.addSpacing(6)
        line.addWidget(self.activity, 1)
        self.confirm = QPushButton("Look and confirm…")
        theme.mark(self.confirm, kind="primary")
        self.confirm.setToolTip("This script has not run here yet: see its exact command lines, then let it run")
        self.confirm.clicked.connect(self._ask_confirm)
        line.addWidget(self.confirm)
        self.actions_: dict[str, QToolButton] = {}
        for action in JOB_ACTIONS:
            button = QToolButton()
            theme.set_icon(button, action.icon, Role.MUTED)
            button.setText(action.words)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setToolTip(action.tip)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(partial(self._act, action))
            self.actions_[action.kind] = button
            line.addWidget(button)
        return strip

    def _build_left(self) -> QWidget:
        self.task_list = TableView(self.tasks, "tasks")
        self.canvas = GraphCanvas()
        self.group = QCheckBox("Group like tasks")
        self.group.setChecked(True)
        self.group.toggled.connect(lambda _on: self._show_graph())
        graph = QWidget()
        column = QVBoxLayout(graph)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        bar = QFrame()
        theme.mark(bar, kind="bar")
        line = QHBoxLayout(bar)
        line.setContentsMargins(10, 4, 6, 4)
        line.addWidget(self.group)
        line.addStretch(1)
        for icon, tip, call in (
            ("zoom-out", "Zoom out (-)", lambda: self.canvas.zoom(0.8)),
            ("zoom-in", "Zoom in (+)", lambda: self.canvas.zoom(1.25)),
            ("zoom-fit", "Show everything (0)", self.canvas.fit),
        ):
            button = QToolButton()
            theme.set_icon(button, icon, Role.MUTED)
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            button.clicked.connect(lambda _on=False, call=call: call())
            line.addWidget(button)
        column.addWidget(bar)
        column.addWidget(self.canvas, 1)
        self.left = QTabWidget()
        self.left.addTab(self.task_list, "Tasks")
        self.left.addTab(graph, "Graph")
        self.left.setMinimumWidth(330)
        self.left.currentChanged.connect(lambda _tab: self._show_graph())
        return self.left

    def _build_right(self) -> QWidget:
        self.log = TaskLogPane()
        self.picture = Picture()
        self.details = CodeText("Settings of the job")
        theme.mark(self.details, kind="pane")
        self.right = QTabWidget()
        self.right.addTab(self.log, "Log")
        self.right.addTab(self.picture, "Last picture")
        self.right.addTab(self.details, "Settings")
        self.right.setMinimumWidth(420)
        return self.right

    def _wire(self) -> None:
        self._pause = QTimer(self, singleShot=True, interval=READ_MS)
        self._pause.timeout.connect(self._read_if_dirty)
        self._graph_pause = QTimer(self, singleShot=True, interval=GRAPH_MS)
        self._graph_pause.timeout.connect(self._draw_up_graph)
        self._tick = QTimer(self, interval=TICK_MS)
        self._tick.timeout.connect(self._ticked)
        self._again = QTimer(self, interval=FOLLOW_SECONDS * 1_000)
        self._again.timeout.connect(self._ask_for_log)
        self.bar.changed.connect(self._filter)
        self.list.chosen.connect(self._job_chosen)
        self.list.selectionModel().selectionChanged.connect(lambda *_: self._show_actions())
        self.list.menu_wanted.connect(self._job_menu)
        self.list.verticalScrollBar().valueChanged.connect(self._read_on)
        self.task_list.chosen.connect(self._task_chosen)
        self.task_list.pressed.connect(lambda _index: self._by_hand())
        self.task_list.menu_wanted.connect(self._task_menu)
        self.task_list.doubleClicked.connect(lambda _index: self.right.setCurrentWidget(self.log))
        self.canvas.picked.connect(self._picked_in_graph)
        self.log.said.connect(self._hub.said)
        self._hub.journal.moved.connect(self._moved)
        self._hub.journal.opened.connect(self._moved)
        self._hub.reading_only.connect(lambda _why: self._show_actions())

    # Reading

    def _moved(self) -> None:
        self._dirty = True
        if self.isVisible() and not self._pause.isActive():
            self._pause.start()

    def _read_if_dirty(self) -> None:
        if self._dirty and self.isVisible():
            self.read()

    def read(self) -> None:
        """Read the list, and the chosen job's tasks, now."""
        self._dirty = False
        wanted, goal = replace(self.filter(), limit=self._limit), self._wanted
        known = list(self.jobs.rows())

        def question(journal: Journal) -> list[JobRow]:
            rows = journal.jobs(wanted)
            if rows and 0 < goal < rows[-1].id:
                # An older job is led to: as far down as it may stand.
                rows = journal.jobs(replace(wanted, limit=rows[0].id - goal + 1))
            return with_known(known, rows)

        self._hub.journal.ask("jobs", question, self._take_jobs, owner=self)

    def _read_on(self, place: int) -> None:
        """Who scrolls down to the oldest job that was read gets those before it."""
        if place >= self.list.verticalScrollBar().maximum() - 1 and len(self.jobs.rows()) >= self._limit:
            self._limit += PAGE
            self.read()

    def filter(self) -> JobFilter:
        """The filter that the bar describes."""
        values = self.bar.values()
        statuses = frozenset({values["status"]}) if values["status"] else frozenset[str]()
        return JobFilter(text=values["text"], engine=values["engine"] or "", statuses=statuses)

    def _filter(self) -> None:
        wanted = self.filter()
        self._to_top, self._filtered = self._to_top or wanted != self._filtered, wanted
        filtered = wanted != JobFilter()
        self.list.set_empty_text("No job passes this filter." if filtered else _NO_JOBS)
        self._limit = PAGE
        self.read()

    def _take_jobs(self, rows: list[JobRow]) -> None:
        self.jobs.set_rows(rows)
        self._limit = max(self._limit, len(rows))
        if self._to_top:
            self._to_top = False
            self.list.scrollToTop()
        if self._wanted and self.list.select_id(self._wanted):
            self._wanted = 0
            chosen = self.job()
            if self._confirm_wanted and chosen is not None and chosen.status == "needs-confirmation":
                self._ask_confirm()
            self._confirm_wanted = False
        elif rows and not self.list.current_id():
            self.list.selectRow(0)
        job = self.job()
        if job is not None and self._shown_updated != (job.id, job.updated):
            self._show_job(job)
            self._read_tasks(job)
        else:
            # Another of the selected jobs may have moved on.
            self._show_actions()

    def _say_empty(self, words: str) -> None:
        self.task_list.set_empty_text(words)
        self.canvas.set_empty_text(words)

    def _read_tasks(self, job: JobRow) -> None:
        known = list(self.tasks.rows())

        def question(journal: Journal) -> _Tasks:
            rows = with_known(known, journal.job_tasks(job.id))
            return _Tasks(job.id, rows, worth_a_look(rows))

        def unread(why: str) -> None:
            # Not known as read: else the tasks would stay as they were until the job changes again.
            self._shown_updated = (0, 0.0)
            self._say_empty(f"The tasks could not be read: {why}")
            self._moved()

        self._hub.journal.ask("job.tasks", question, self._take_tasks, owner=self, problem=unread)

    def _take_tasks(self, found: _Tasks) -> None:
        job = self.job()
        if job is None or job.id != found.job:
            return
        self._say_empty(_no_tasks(job))
        self.tasks.set_rows(found.rows)
        self._show_graph()
        if self._auto_task or not self.task_list.current_id():
            self._choose_task(found.worth_a_look)
        self._show_log()

    def job(self) -> JobRow | None:
        """The job that is looked at."""
        return self.jobs.row(self.list.currentIndex().row())

    def task(self) -> TaskRow | None:
        """The task that is looked at."""
        return self.tasks.row(self.task_list.currentIndex().row())

    def go_to_job(self, job_id: int, *, confirm: bool = False) -> None:
        """Show a job, whatever the filter; `confirm`: ask about its command lines where they wait for a person."""
        if not self.bar.is_empty():
            self.bar.clear()
        self._wanted, self._confirm_wanted = job_id, confirm
        self.read()

    # The chosen job

    def _job_chosen(self, _job_id: int) -> None:
        job = self.job()
        self._auto_task = True
        self.tasks.set_rows([])
        self._clear_graph()
        self._say_empty("Reading the tasks…" if job is not None else _NO_JOB)
        self._show_job(job)
        self._show_log()
        if job is not None:
            self._read_tasks(job)

    def _show_job(self, job: JobRow | None) -> None:
        self._shown_updated = (job.id, job.updated) if job is not None else (0, 0.0)
        look = job_look(job) if job is not None else None
        self.lamp.setVisible(look is not None)
        if job is None or look is None:
            self.title.say("No job chosen")
            self.details.clear()
            self._show_picture("")
            self._show_actions()
            return
        self.lamp.set_look(look.role, look.shape)
        self.title.say(job.name)
        self._show_details(job)
        self._show_picture(job.last_rendered)
        self._show_actions()

    def _show_details(self, job: JobRow) -> None:
        about = {
            "type": job.type,
            "engine": ENGINES[job.engine],
            "priority": job.priority,
            "settings": dict(job.settings),
            "metadata": dict(job.metadata),
        }
        if job.remote_id:
            about["id on the Manager"] = job.remote_id
        text = json.dumps(about, indent=2, ensure_ascii=False, default=str)
        if text != self.details.toPlainText():
            self.details.setPlainText(text)

    def _show_picture(self, path: str) -> None:
        if path != self._picture:
            self._picture = path
            self.picture.say_empty("This job has not made a picture yet.")
        if path:
            # The same path may hold a newer picture.
            self.log.reader.ask("picture", lambda _store: _load(path), self.picture.show_image, owner=self)

    def _show_actions(self) -> None:
        rows = self.list.selected()
        locked = self._hub.read_only
        job = self.job()
        self._say_activity(rows, job)
        self.confirm.setVisible(job is not None and job.status == "needs-confirmation")
        self.confirm.setEnabled(not locked)
        for action in JOB_ACTIONS:
            button = self.actions_[action.kind]
            button.setEnabled(not locked and any(allowed(action, row) for row in rows))
            if action.kind in ("job_pause", "job_resume"):
                # One place for both: what is paused is resumed, what runs is paused.
                resumes = bool(rows) and all(row.status in ("paused", "pause-requested") for row in rows)
                button.setVisible(resumes == (action.kind == "job_resume"))

    def _say_activity(self, rows: Sequence[JobRow], job: JobRow | None) -> None:
        if len(rows) > 1:
            self.activity.say(f"{many(len(rows), 'job')} selected; the buttons are for all of them")
        else:
            self.activity.say(_story(job) if job is not None else "")

    # Tasks and their logs

    def _choose_task(self, place: int) -> None:
        if place >= 0 and place != self.task_list.currentIndex().row():
            self.task_list.selectRow(place)
            self.task_list.scrollTo(self.tasks.index(place, 0))

    def _by_hand(self) -> None:
        self._auto_task = False

    def _task_chosen(self, _task_id: int) -> None:
        task = self.task()
        self.canvas.select_task(task.index - 1 if task is not None else -1)
        if self.task_list.hasFocus():
            self._by_hand()
        self._show_log()
        self._ask_for_log()

    def _show_log(self) -> None:
        job, task = self.job(), self.task()
        if job is None or task is None or task.job_id != job.id:
            self.log.show_task(None, "", "Choose a task to read its log." if self.tasks.rows() else "")
            return
        path = self._hub.folder / "tasks" / str(job.id) / f"{task.index}.log"
        number, why = self._unfetched
        self.log.show_task(path, task.name, _empty_log(job, task, why if number == task.id else ""))

    def _ask_for_log(self) -> None:
        """A farm task's log comes from the Manager while somebody asks for it."""
        job, task = self.job(), self.task()
        if job is None or task is None or job.engine != "manager" or self._hub.read_only or not self.isVisible():
            return
        args = {"job": job.id, "task": task.index}
        number = task.id

        def taken(result: Mapping[str, object]) -> None:
            self._unfetched = (number, str(result.get("refused", "")))
            self._show_log()

        self._hub.order("task_log_follow", args, "Fetching the log", taken, quiet=True)

    def _picked_in_graph(self, places: list[int]) -> None:
        if places:
            self._by_hand()
            self.task_list.selectRow(places[0])
            self.task_list.scrollTo(self.tasks.index(places[0], 0))

    # The graph

    def _clear_graph(self) -> None:
        self._structure = None
        self.canvas.show_graph(draw_up(Graph([], {})), (), ())

    def _show_graph(self) -> None:
        """Bring the graph up to date, where it is seen, once what has changed beside it is painted.

        A graph of thousands of tasks keeps Python busy for two frames: nobody who looks at the tables waits for it.
        """
        if self.canvas.isVisible():
            if self._structure is not None:
                self.canvas.show_states([row.status for row in self.tasks.rows()], TASK_LOOKS)
            self._graph_pause.start()

    def _draw_up_graph(self) -> None:
        rows, job = list(self.tasks.rows()), self.job()
        if job is None or not self.canvas.isVisible():
            return
        self.group.setEnabled(len(rows) <= ALONE_LIMIT)
        always = f"Jobs of more than {amount(ALONE_LIMIT)} tasks are always grouped"
        self.group.setToolTip("" if self.group.isEnabled() else always)
        grouped, before = self.group.isChecked() or not self.group.isEnabled(), self._structure

        def question(_store: object) -> tuple[_Structure, Drawing | None]:
            wanted = _Structure(
                job.id,
                tuple([row.name for row in rows]),
                tuple([row.type for row in rows]),
                tuple([row.dependencies for row in rows]),
                grouped,
            )
            return wanted, wanted.drawing() if wanted != before else None

        self.log.reader.ask("graph", question, self._take_graph, owner=self)

    def _take_graph(self, found: tuple[_Structure, Drawing | None]) -> None:
        structure, drawing = found
        job = self.job()
        if job is None or job.id != structure.job:
            return
        if drawing is not None:
            self._structure = structure
            self.canvas.show_graph(drawing, structure.names, structure.types)
        self.canvas.show_states([row.status for row in self.tasks.rows()], TASK_LOOKS)
        if drawing is not None:
            task = self.task()
            self.canvas.select_task(task.index - 1 if task is not None else -1)

    # Orders

    def _act(self, action: JobAction, *_args: object) -> None:
        rows = [row for row in self.list.selected() if allowed(action, row)]
        if not rows:
            return
        if action.kind == "job_priority":
            dialog = PriorityDialog(rows, self)
            dialog.chosen.connect(partial(self._set_priority, rows))
            dialog.open()
            return
        ask(self, action, [f"{row.name}  ({ENGINES[row.engine]})" for row in rows], lambda: self._order(action, rows))

    def _order(self, action: JobAction, rows: Sequence[JobRow]) -> None:
        self._give([(action.kind, {"job": row.id}, f"{action.words} {row.name}") for row in rows])

    def _set_priority(self, rows: Sequence[JobRow], priority: int) -> None:
        words = f"Priority {priority} for"
        self._give([("job_priority", {"job": row.id, "priority": priority}, f"{words} {row.name}") for row in rows])

    def _give(self, orders: Sequence[tuple[str, Mapping[str, int], str]]) -> None:
        """Give orders, thousands of them in several turns of the event loop."""
        for kind, args, words in orders[:ORDERS_A_TURN]:
            self._hub.order(kind, args, words)
        if orders[ORDERS_A_TURN:]:
            QTimer.singleShot(0, self, partial(self._give, orders[ORDERS_A_TURN:]))

    def _ask_confirm(self) -> None:
        job = self.job()
        if job is None:
            return
        dialog = JobConfirmDialog(self._hub, job, self)
        dialog.open()

    def _job_menu(self, at: QPoint) -> None:
        rows = self.list.selected()
        if not rows:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for action in JOB_ACTIONS:
            made = menu.addAction(f"{action.words}…", partial(self._act, action))
            theme.set_icon(made, action.icon, Role.MUTED)
            made.setEnabled(not self._hub.read_only and any(allowed(action, row) for row in rows))
        menu.addSeparator()
        menu.addAction("Copy rows", self.list.copy)
        run = rows[0].run_id
        if len(rows) == 1 and run is not None:
            menu.addAction("Show what submitted it", lambda: self.run_wanted.emit(run))
        menu.popup(at)

    def _task_menu(self, at: QPoint) -> None:
        rows = self.task_list.selected()
        if not rows:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for action in TASK_ACTIONS:
            made = menu.addAction(f"{action.words}…", partial(self.act_on_tasks, action))
            theme.set_icon(made, action.icon, Role.MUTED)
            made.setEnabled(not self._hub.read_only and any(row.status in action.statuses for row in rows))
        menu.addSeparator()
        menu.addAction("Copy rows", self.task_list.copy)
        menu.popup(at)

    def act_on_tasks(self, action: JobAction) -> None:
        """Ask, then order something for the selected tasks."""
        rows = [row for row in self.task_list.selected() if row.status in action.statuses]

        orders = [(action.kind, {"job": row.job_id, "task": row.index}, f"{action.words} {row.name}") for row in rows]
        if rows:
            ask(self, action, [row.name for row in rows], partial(self._give, orders))

    # Coming and going

    def _ticked(self) -> None:
        self.jobs.tick()
        self.tasks.tick()
        job = self.job()
        if job is not None and job.status not in AT_REST:
            self._say_activity(self.list.selected(), job)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._tick.start()
        self._again.start()
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)
        self.read()
        self._show_graph()
        self._ask_for_log()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._tick.stop()
        self._again.stop()

    def restore(self) -> None:
        """Put the parts where the person left them."""
        settings = self._settings()
        for name, part in (("down", self.down), ("across", self.across)):
            state = settings.value(f"jobs/{name}")
            if state is not None:
                with QSignalBlocker(part):
                    part.restoreState(state)

    def save(self) -> None:
        """Remember where the parts are."""
        settings = self._settings()
        settings.setValue("jobs/down", self.down.saveState())
        settings.setValue("jobs/across", self.across.saveState())

    def close_files(self) -> None:
        """Let go of the log before the window goes."""
        self.log.close_file()


def _story(job: JobRow) -> str:
    """What a job is at, in a line."""
    if job.activity:
        return job.activity[:1].upper() + job.activity[1:]
    parts = [f"{job.completed:,} of {many(job.tasks, 'task')} done" if job.tasks else "No tasks"]
    if job.failed:
        parts.append(f"{job.failed:,} failed")
    if job.active:
        parts.append(f"{job.active:,} running")
    if job.started and job.finished:
        parts.append(f"took {span(job.finished - job.started)}")
    return ", ".join(parts)


def _no_tasks(job: JobRow) -> str:
    """What stands where the tasks would be."""
    if job.engine == "manager":
        return "No tasks have come from the Flamenco Manager yet."
    return "This job has no tasks."


def _empty_log(job: JobRow, task: TaskRow, unfetched: str = "") -> str:
    """What stands where the log would be; `unfetched` is why it cannot be had from the Manager."""
    if job.status == "needs-confirmation":
        return "This job waits for a person to look at its command lines: press Look and confirm."
    waits = {
        "queued": "This task has not started yet.",
        "paused": "This task is paused and has not written anything.",
        "active": "The task has not written anything yet.",
        "canceled": "This task was cancelled before it wrote anything.",
    }
    words = waits.get(task.status, "This task wrote nothing.")
    if job.engine == "manager" and task.status != "queued":
        words = (
            f"Its log cannot be fetched: {unfetched}" if unfetched else "Fetching the log from the Flamenco Manager…"
        )
    return f"{words}\n{task.reason}" if task.reason else words


def _load(path: str) -> QImage:
    """A picture from disk, no larger than a screen; a null image where it cannot be read. On the reader's thread."""
    reader = QImageReader(path)
    reader.setAutoTransform(True)
    size = reader.size()
    if size.isValid() and (size.width() > 2_560 or size.height() > 1_440):
        reader.setScaledSize(size.scaled(2_560, 1_440, Qt.AspectRatioMode.KeepAspectRatio))
    return reader.read() if Path(path).is_file() else QImage()


class Picture(QWidget):
    """The last picture of a job, as large as there is room."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image = QImage()
        self._scaled = QImage()
        self._empty = ""
        self.setAccessibleName("Last picture")

    def say_empty(self, text: str) -> None:
        """No picture, and why."""
        self._image, self._empty = QImage(), text
        self._fit()

    def show_image(self, image: QImage) -> None:
        """Show a picture; a null one says that it cannot be shown."""
        self._image = image
        if image.isNull():
            self._empty = "The last file this job made is no picture that can be shown here."
        self._fit()

    def image(self) -> QImage:
        """What is shown."""
        return self._image

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self._image.isNull():
            self._scaled = QImage()
        else:
            ratio = self.devicePixelRatioF()
            room = (self.size() * ratio).boundedTo(self._image.size())
            self._scaled = self._image.scaled(
                room, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            )
            self._scaled.setDevicePixelRatio(ratio)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), theme.current().colour(Role.SUNKEN))
        if self._scaled.isNull():
            painter.setPen(theme.current().colour(Role.MUTED))
            area = self.rect().adjusted(24, 24, -24, -24)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._empty)
            return
        size = self._scaled.deviceIndependentSize()
        left, top = (self.width() - size.width()) / 2, (self.height() - size.height()) / 2
        painter.drawImage(round(left), round(top), self._scaled)
