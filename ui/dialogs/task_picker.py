"""Choosing a task: mine and the recent ones at once, every other by its words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QSettings, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QListWidget, QListWidgetItem, QToolButton, QVBoxLayout, QWidget

from ui import theme
from ui.models.desk import SiteDesk
from ui.models.words import tip
from ui.theme import Role

if TYPE_CHECKING:
    from app.service.browser import Desk
    from app.service.lookups import TaskRow

_TYPING_MS = 250
_RECENT = 12
_VIEWS = (("mine", "My tasks"), ("recent", "Recent"), ("search", "Search"))


def task_words(row: TaskRow) -> str:
    """A task on one line: project, path, name."""
    return " / ".join(part for part in (row.project, row.path, row.name) if part)


class TaskPicker(QWidget):
    """A search field over a list.

    Signals:
        picked: a task was chosen (its id), or none ("").
        trouble: the tasks could not be read.
    """

    picked = Signal(str)
    trouble = Signal(str)

    def __init__(self, desk: SiteDesk, memory: QSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._memory = memory
        self._rows: dict[str, TaskRow] = {}
        self._wanted = ""
        self._view = "mine"
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search show, shot, task…")
        self.search.setAccessibleName("Search tasks")
        self.search.setClearButtonEnabled(True)
        self.search.installEventFilter(self)
        views = QHBoxLayout()
        views.setSpacing(0)
        self.buttons: dict[str, QToolButton] = {}
        for name, words in _VIEWS:
            button = QToolButton()
            button.setText(words)
            button.setCheckable(True)
            button.setAutoExclusive(True)
            button.setChecked(name == "mine")
            theme.mark(button, kind="segment")
            button.clicked.connect(lambda _checked=False, name=name: self.show_view(name))
            self.buttons[name] = button
            views.addWidget(button)
        views.addStretch(1)
        self.list = QListWidget()
        self.list.setAccessibleName("Tasks")
        self.list.setUniformItemSizes(True)
        self.list.setMinimumHeight(92)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.currentItemChanged.connect(self._current)
        column.addWidget(self.search)
        column.addLayout(views)
        column.addWidget(self.list, 1)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_TYPING_MS)
        self._soon.timeout.connect(self._search)
        self.search.textChanged.connect(self._typed)

    def task(self) -> TaskRow | None:
        """The chosen task."""
        item = self.list.currentItem()
        return self._rows.get(str(item.data(Qt.ItemDataRole.UserRole))) if item is not None else None

    def start(self, task_id: str = "") -> None:
        """Fill the list; with this task chosen, else the one chosen last."""
        self._wanted = task_id or next(iter(self._recent()), "")
        recent = self._recent()

        def ask(desk: Desk) -> tuple[list[TaskRow], list[TaskRow]]:
            mine = desk.look_ups.my_tasks(desk.person().username)
            known = {row.id for row in mine}
            wanted = [key for key in dict.fromkeys([task_id, *recent]) if key]
            return mine, [row for row in desk.look_ups.tasks(wanted) if row.id == task_id or row.id not in known]

        self._desk.ask("tasks", ask, self._take_start, owner=self, problem=self.trouble.emit)

    def _take_start(self, found: tuple[list[TaskRow], list[TaskRow]]) -> None:
        mine, others = found
        if any(row.id == self._wanted for row in others):
            self._mark("recent")
            self._fill([row for row in (*others, *mine) if row.id == self._wanted] + [
                row for row in others if row.id != self._wanted
            ])  # fmt: skip
        else:
            self._mark("mine")
            self._fill(mine)

    def show_view(self, name: str) -> None:
        """ "mine", "recent" or "search"."""
        self._mark(name)
        if name == "search":
            self.search.setFocus()
            self._search()
            return
        recent = self._recent()

        def ask(desk: Desk) -> list[TaskRow]:
            return desk.look_ups.my_tasks(desk.person().username) if name == "mine" else desk.look_ups.tasks(recent)

        self._desk.ask("tasks", ask, self._fill, owner=self, problem=self.trouble.emit)

    def _mark(self, name: str) -> None:
        self._view = name
        self.buttons[name].setChecked(True)

    def remember(self) -> None:
        """The chosen task is the first of the recent ones from now on."""
        row = self.task()
        if row is not None:
            kept = [row.id, *(key for key in self._recent() if key != row.id)][:_RECENT]
            self._memory.setValue("upload/recent", json.dumps(kept))

    def _recent(self) -> list[str]:
        try:
            return [str(key) for key in json.loads(str(self._memory.value("upload/recent", "[]")))]
        except ValueError:
            return []

    def _typed(self) -> None:
        if self.search.text().strip():
            self._mark("search")
            self._soon.start()
        else:
            self.show_view("mine")

    def _search(self) -> None:
        text = self.search.text().strip()
        if not text:
            self._fill([])
            return
        self._desk.ask(
            "tasks", lambda desk: desk.look_ups.search_tasks(text), self._fill, owner=self, problem=self.trouble.emit
        )

    def _fill(self, rows: Sequence[TaskRow]) -> None:
        before = self.task()
        wanted = before.id if before is not None else self._wanted
        self._rows = {row.id: row for row in rows}
        self.list.blockSignals(True)
        self.list.clear()
        for row in rows:
            item = QListWidgetItem(theme.icon("task", Role.MUTED), f"{task_words(row)}   ({row.status})")
            item.setToolTip(tip(f"{task_words(row)}\n{row.type_name}: {row.status}"))
            item.setData(Qt.ItemDataRole.UserRole, row.id)
            self.list.addItem(item)
            if row.id == wanted:
                self.list.setCurrentItem(item)
        if not rows:
            words = {"mine": "No open task is assigned to you: search for one.", "recent": "No recent task yet."}
            empty = QListWidgetItem(words.get(self._view, "No task has all these words." if self.search.text() else
                                              "Type some words of show, shot or task."))  # fmt: skip
            empty.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addItem(empty)
        self.list.blockSignals(False)
        self._current()

    def _current(self, *_: object) -> None:
        row = self.task()
        self._wanted = row.id if row is not None else self._wanted
        self.picked.emit(row.id if row is not None else "")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # Down and Return lead from the words to the tasks, so that no mouse is needed.
        pressed = watched is self.search and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress
        leads = {Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter}
        if pressed and self._rows and isinstance(event, QKeyEvent) and event.key() in leads:
            self.list.setFocus()
            if self.list.currentRow() < 0:
                self.list.setCurrentRow(0)
            return True
        return super().eventFilter(watched, event)
