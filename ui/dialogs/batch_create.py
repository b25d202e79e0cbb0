"""Batch Create: where, which shots, which tasks; the sheet shows everything that would be made before it is."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.rules.batch import decoded, format_table, rows_from_expression, table_cells
from app.rules.shots import ExpressionError
from ui import theme
from ui.dialogs.base import Confirm, Dialog
from ui.dialogs.batch_tasks import TaskTemplates
from ui.dialogs.place_picker import PlacePicker
from ui.docks.notice import Notice
from ui.models.batch_table import COLUMNS, WORDS, BatchTable
from ui.models.desk import SiteDesk
from ui.models.hub import Hub
from ui.models.words import many
from ui.panel import panel_settings
from ui.theme import Role

if TYPE_CHECKING:
    from app.journal.journal import Journal
    from app.journal.rows import RunDetail, RunRow
    from app.service.browser import Desk
    from app.service.lookups import Below

_TYPING_MS = 150
_WIDTHS = (100, 84, 100, 76, 82, 190, 150, 190)
_LEFT = 452
OPEN = frozenset({"queued", "running", "waiting", "retry", "paused"})


class BatchCreateDialog(Dialog):
    """Makes sequences, shots and tasks.

    Args:
        hub: The engine that makes them.
        desk: The site.
        place: Schema id, id and name of the parent that is chosen at first.

    Signals:
        undo_wanted: the run that shall be taken back.
    """

    undo_wanted = Signal(int)

    def __init__(
        self, hub: Hub, desk: SiteDesk, place: tuple[str, str, str] | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__("Batch Create", "", parent)
        self.setObjectName("batch_create_dialog")
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self._hub = hub
        self._desk = desk
        self._place: tuple[str, str, str] | None = None
        self._below: Below | None = None
        self._confirm_above = 0
        self._by_hand = False
        self.run: int | None = None
        self._run_state = ""
        self.table = BatchTable(self)
        self.notice = Notice()
        self.body.addWidget(self.notice)
        columns = QHBoxLayout()
        columns.setSpacing(16)
        left = QWidget()
        left.setLayout(self._build_left())
        left.setFixedWidth(_LEFT)
        columns.addWidget(left)
        columns.addLayout(self._build_right(), 1)
        self.body.addLayout(columns, 1)
        self._build_foot()
        self._wire()
        self.resize(1240, 680)
        self.picker.start()
        if place is not None:
            self.picker.go_to(*place)
        self._say()

    # Building

    def _build_left(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self.picker = PlacePicker(self._desk)
        column.addWidget(_heading("Where"))
        column.addWidget(self.picker, 1)
        form = QFormLayout()
        form.setSpacing(6)
        self.sequence = QLineEdit("001")
        self.expression = QLineEdit("####")
        self.numbers = QLineEdit()
        self.numbers.setPlaceholderText("10-200:10")
        self.prefix = QCheckBox("Begin each shot's name with the sequence's")
        self.prefix.setChecked(True)
        for words, field in (("Sequence", self.sequence), ("Shots", self.expression), ("Range", self.numbers)):
            form.addRow(words, field)
        form.addRow("", self.prefix)
        column.addLayout(form)
        self.wrong = QLabel()
        self.wrong.setTextFormat(Qt.TextFormat.RichText)
        self.wrong.setWordWrap(True)
        theme.mark(self.wrong, state="error")
        self.wrong.hide()
        column.addWidget(self.wrong)
        self.tasks = TaskTemplates(panel_settings())
        column.addWidget(self.tasks)
        return column

    def _build_right(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(8)
        line = QHBoxLayout()
        line.addWidget(_heading("What would be made"))
        line.addStretch(1)
        self.paste_button = self._small("Paste", "copy", "Paste a sheet  (Ctrl+V)", self.paste)
        self.import_button = self._small("Import…", "download", "Read a CSV file", self.choose_import)
        self.export_button = self._small("Export…", "external", "Write the sheet as CSV", self.choose_export)
        self.add_row = self._small("Add row", "plus", "Add an empty row", self._add_row)
        self.drop_rows = self._small("Remove", "minus", "Take the selected rows off the sheet  (Del)", self._drop_rows)
        for button in (self.paste_button, self.import_button, self.export_button, self.add_row, self.drop_rows):
            line.addWidget(button)
        column.addLayout(line)
        self.sheet = QTableView()
        self.sheet.setModel(self.table)
        self.sheet.setAccessibleName("Rows")
        self.sheet.setAlternatingRowColors(True)
        self.sheet.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.sheet.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
            | QAbstractItemView.EditTrigger.AnyKeyPressed
        )
        self.sheet.setTabKeyNavigation(False)
        self.sheet.setWordWrap(False)
        self.sheet.verticalHeader().setDefaultSectionSize(theme.ROW)
        header = self.sheet.horizontalHeader()
        for place, width in enumerate(_WIDTHS):
            self.sheet.setColumnWidth(place, width)
        # What would happen stands beside the state, where it is read first.
        header.moveSection(WORDS, 1)
        header.setSectionResizeMode(len(COLUMNS), QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.sheet.installEventFilter(self)
        self.empty = QLabel("Type a range, or paste a sheet:\nshot, sequence, frame in, frame out, tasks, description",
                            self.sheet)  # fmt: skip
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        theme.mark(self.empty, kind="muted")
        column.addWidget(self.sheet, 1)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.hide()
        column.addWidget(self.progress)
        return column

    def _small(self, words: str, icon: str, help_: str, does: Any) -> QPushButton:
        button = QPushButton(words)
        button.setAutoDefault(False)
        button.setToolTip(help_)
        theme.set_icon(button, icon, Role.MUTED)
        button.clicked.connect(does)
        return button

    def _build_foot(self) -> None:
        self.summary = QLabel()
        self.summary.setTextFormat(Qt.TextFormat.PlainText)
        theme.mark(self.summary, kind="muted")
        self.foot.insertWidget(0, self.summary)
        self.undo_button = self.add_button("Undo…")
        self.undo_button.clicked.connect(self._undo)
        self.undo_button.hide()
        self.stop_button = self.add_button("Stop")
        self.stop_button.setToolTip("Stop after the chunk that is being made")
        self.stop_button.clicked.connect(self._stop)
        self.stop_button.hide()
        self.add_cancel("Close")
        self.create_button = self.add_button("Create", "primary", default=True)
        self.create_button.clicked.connect(self.create_rows)

    def _wire(self) -> None:
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_TYPING_MS)
        self._soon.timeout.connect(self.fill)
        for field in (self.sequence, self.expression, self.numbers):
            field.textChanged.connect(lambda _text: self._soon.start())
        self.prefix.toggled.connect(lambda _on: self._soon.start())
        self.tasks.changed.connect(self._tasks_changed)
        self.picker.picked.connect(self._picked)
        self.picker.trouble.connect(self._trouble)
        self.table.judged.connect(self._say)
        self.table.edited.connect(self._edited)
        self._hub.journal.moved.connect(self._look)
        self._hub.trouble.connect(self._trouble)
        self._desk.trouble.connect(self._trouble)

    def _trouble(self, words: str) -> None:
        self.notice.say("warning", words)

    # Where

    def _picked(self, entity_type: str, entity_id: str, name: str) -> None:
        self._place = (entity_type, entity_id, name)

        def look(desk: Desk) -> tuple[Below, int]:
            return desk.look_ups.below(entity_type, entity_id), desk.settings("actions.batch_create").confirm_above

        self._desk.ask("below", look, self._take_below, owner=self, problem=self._no_place)
        self._say()

    def _no_place(self, why: str) -> None:
        self._below = None
        self._trouble(why)
        self._say()

    def _take_below(self, found: tuple[Below, int]) -> None:
        self._below, self._confirm_above = found
        below = self._below
        self.tasks.set_words(below.task_types, below.users, below.statuses)
        self.sequence.setEnabled(below.kind == "top")
        for field in (self.expression, self.numbers, self.prefix):
            field.setEnabled(below.kind != "shot")
        if below.kind == "shot":
            self._trouble("On a shot only tasks are made.")
        self.table.set_ground(below.existing, below.task_types, self._sequence_name())
        self.fill()

    def _sequence_name(self) -> str:
        if self._below is not None and self._below.kind == "sequence":
            return self._below.name
        return self.sequence.text().strip()

    # Which

    def fill(self) -> None:
        """Make the rows of the expression, unless the sheet was pasted or edited by hand."""
        self.wrong.hide()
        for field in (self.expression, self.numbers):
            theme.mark(field, state="")
        if self._below is not None:
            self.table.set_ground(self._below.existing, self._below.task_types, self._sequence_name())
        if self._by_hand or not self.numbers.text().strip():
            return
        try:
            rows = rows_from_expression(
                self._sequence_name(), self.expression.text(), self.numbers.text(), [], prefix=self.prefix.isChecked()
            )
        except ExpressionError as error:
            self._show_wrong(error)
            rows = []
        self.table.replace([{"sequence": row.sequence, "shot": row.shot} for row in rows])

    def _show_wrong(self, error: ExpressionError) -> None:
        """The message, and the text with its wrong character marked."""
        field = self.numbers if error.text == self.numbers.text() else self.expression
        theme.mark(field, state="error")
        text, at = error.text, error.position
        colours = theme.current()
        before, one, after = text[:at], text[at : at + 1] or " ", text[at + 1 :]
        marked = (
            f"{html.escape(before)}<span style='background:{colours.hex(Role.ERROR)};color:{colours.hex(Role.SUNKEN)}'>"
            f"{html.escape(one).replace(' ', '&nbsp;')}</span>{html.escape(after)}"
        )
        family = html.escape(theme.mono_font().family())
        words = f"{html.escape(error.message)} (character {at + 1})"
        self.wrong.setText(f"{words}<br><span style=\"font-family:'{family}'\">{marked}</span>")
        self.wrong.setAccessibleName(f"{error.message}, character {at + 1}")
        self.wrong.show()

    def _tasks_changed(self) -> None:
        self.table.set_tasks(self.tasks.tasks())

    def _edited(self) -> None:
        self._by_hand = True

    # The sheet

    def paste(self) -> None:
        """Take a copied sheet; a single word goes into the chosen cell."""
        text = QGuiApplication.clipboard().text()
        at = self.sheet.currentIndex()
        if at.isValid() and text.strip() and not any(mark in text.strip() for mark in "\t\n,;"):
            self.table.setData(at, text)
            return
        self.take_text(text)

    def take_text(self, text: str) -> None:
        """Rows of a sheet as text. They replace what the expression made, and follow what was pasted before."""
        cells = [one for _, one in table_cells(text)]
        if not cells:
            self.notice.say("info", "Nothing was copied that is a sheet.")
            return
        known = [{name: one.get(name, "") for name in COLUMNS} for one in cells]
        if self._by_hand:
            self.table.append(known)
        else:
            self.table.replace(known)
        self._by_hand = True
        self.sheet.setFocus()

    def _add_row(self) -> None:
        self._by_hand = True
        self.table.append([{"sequence": "", "shot": ""}])
        last = self.table.index(self.table.rowCount() - 1, 2)
        self.sheet.setCurrentIndex(last)
        self.sheet.edit(last)

    def _drop_rows(self) -> None:
        rows = {index.row() for index in self.sheet.selectionModel().selectedIndexes()}
        self._by_hand = True
        self.table.remove(rows)
        if not self.table.rowCount():
            self._by_hand = False

    def choose_import(self) -> None:
        """Let the person choose a CSV file."""
        chooser = QFileDialog(self, "Read a sheet", "", "Sheets (*.csv *.tsv *.txt);;All files (*)")
        chooser.setFileMode(QFileDialog.FileMode.ExistingFile)
        chooser.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        chooser.fileSelected.connect(self.read_file)
        chooser.open()

    def read_file(self, path: str) -> None:
        """Rows of a file."""
        try:
            text = decoded(Path(path).read_bytes())
        except OSError as problem:
            self._trouble(f"{path} cannot be read: {problem.strerror}.")
            return
        self.take_text(text)

    def choose_export(self) -> None:
        """Let the person choose where the sheet goes."""
        chooser = QFileDialog(self, "Write the sheet", "", "CSV (*.csv)")
        chooser.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        chooser.setDefaultSuffix("csv")
        chooser.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        chooser.fileSelected.connect(self.write_file)
        chooser.open()

    def write_file(self, path: str) -> None:
        """The sheet as CSV."""
        try:
            Path(path).write_text(self.table.as_text(), encoding="utf-8", newline="")
        except OSError as problem:
            self._trouble(f"{path} cannot be written: {problem.strerror}.")
            return
        self.notice.say("ok", f"The sheet is in {path}.")

    # Creating

    def _say(self) -> None:
        counts = self.table.counts()
        working = self._run_state in OPEN and self.run is not None
        on_shot = self._below is not None and self._below.kind == "shot"
        fresh = counts["new"] + counts["adds"]
        if on_shot:
            fresh = int(bool(self.tasks.tasks()))
        words = [
            f"{number} {name}"
            for number, name in (
                (counts["new"], "new"), (counts["adds"], "with new tasks"),
                (counts["exists"], "exists" if counts["exists"] == 1 else "exist"),
                (counts["conflict"], "in conflict (left out)"),
            )
            if number
        ]  # fmt: skip
        if self._place is None:
            words.append("choose where")
        if self.run is None:
            self.summary.setText(", ".join(words))
        self.empty.setVisible(not self.table.rowCount())
        self.create_button.setEnabled(bool(fresh) and self._below is not None and not working)
        made = many(counts["new"], "shot") if counts["new"] else "tasks"
        self.create_button.setText(f"Create {made}" if fresh else "Create")
        self.export_button.setEnabled(self.table.rowCount() > 0)
        self.drop_rows.setEnabled(self.table.rowCount() > 0)

    def create_rows(self) -> None:
        """Make what is new; above what the settings allow only after a second yes."""
        rows = self.table.fresh()
        if len(rows) <= self._confirm_above:
            self._launch()
            return
        where = self._place[2] if self._place is not None else ""
        ask = Confirm(
            f"Make {many(len(rows), 'shot')}?",
            f"That is a lot for {where}, with {many(self.table.tasks_made(), 'task')}. It can be taken back.",
            [],
            "Create them",
            self,
        )
        ask.prefer_cancel()
        ask.accepted.connect(self._launch)
        ask.open()

    def _launch(self) -> None:
        from app.rules.batch import ShotRow
        from app.service.lookups import batch_values

        place = self._place
        if place is None:
            return
        rows = self.table.fresh()
        if self._below is not None and self._below.kind == "shot":
            rows = [ShotRow("", "", tasks=tuple(self.tasks.tasks()))]
        values = dict(batch_values(rows))
        self.create_button.setEnabled(False)
        self.summary.setText("is handed over…")
        self.undo_button.hide()

        def order(person: Any) -> None:
            args = {
                "action": "batch_create",
                "selection": [[place[0], place[1]]],
                "values": values,
                "user_id": person.id,
                "username": person.username,
                "dry": False,
            }
            self._hub.order("launch", args, "Batch Create", self._launched, quiet=True)

        self._desk.ask("person", lambda desk: desk.person(), order, owner=self, problem=self._refused)

    def _launched(self, result: Mapping[str, Any]) -> None:
        if result.get("refused"):
            self._refused(str(result["refused"]))
            return
        self.run, self._run_state = int(result["run"]), "queued"
        self.progress.setRange(0, 0)
        self.progress.show()
        self.stop_button.show()
        self._look()

    def _refused(self, why: str) -> None:
        self.notice.say("error", why)
        self._say()

    def _look(self) -> None:
        run = self.run
        if run is not None and self._run_state in OPEN:
            self._hub.journal.ask(f"batch.{run}", lambda journal: _read(journal, run), self._follow, owner=self)

    def _follow(self, found: tuple[RunRow, dict[str, int], RunDetail | None]) -> None:
        row, states, detail = found
        self._run_state = row.state
        total = sum(states.values())
        done = states.get("applied", 0) + states.get("already", 0)
        if total:
            self.progress.setRange(0, total)
            self.progress.setValue(done)
        if detail is None:
            self.summary.setText(f"{done} of {total} made" if total else row.reason or "waits for the engine")
            return
        self.progress.hide()
        self.stop_button.hide()
        made = sum(effect.state == "applied" and effect.kind == "create" for effect in detail.effects)
        self.undo_button.setVisible(made > 0)
        if made:
            self.undo_button.setFocus()
        failed = [effect.error for effect in detail.effects if effect.state == "failed"]
        words = f"{made} made"
        if row.state in ("done", "skipped", "superseded"):
            self.notice.say(
                "ok", f"{words}. Folders follow by themselves." if made else "Everything was there already."
            )
        else:
            why = failed[0] if failed else row.reason or row.state
            self.notice.say("error", f"{words}, then: {why}")
        for warning in detail.warnings[:1]:
            self.notice.say("warning", warning)
        self.summary.setText(words)
        if self._place is not None:
            self._picked(*self._place)

    def _stop(self) -> None:
        if self.run is not None:
            self._hub.order("cancel", {"run": self.run}, "Stopping Batch Create", lambda _result: self._look())

    def _undo(self) -> None:
        from ui.dialogs.undo import UndoDialog

        if self.run is None:
            return
        dialog = UndoDialog(self._hub, self.run, self)
        dialog.ordered.connect(self._undone)
        self.undo_wanted.emit(self.run)
        dialog.open()

    def _undone(self, _run: int) -> None:
        self.undo_button.hide()
        self.notice.say("info", "What was made is being taken back.")

    # Keys

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.sheet and event.type() == QEvent.Type.Resize:
            self.empty.setGeometry(self.sheet.viewport().geometry())
        if watched is self.sheet and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.matches(QKeySequence.StandardKey.Paste):
                self.paste()
                return True
            if event.matches(QKeySequence.StandardKey.Copy):
                self._copy()
                return True
            if event.key() == Qt.Key.Key_Delete:
                self._drop_rows()
                return True
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Paste):
            self.paste()
            return
        super().keyPressEvent(event)

    def _copy(self) -> None:
        chosen = sorted({index.row() for index in self.sheet.selectionModel().selectedIndexes()})
        rows = [self.table.row_at(number) for number in chosen]
        QGuiApplication.clipboard().setText(format_table([row for row in rows if row is not None], "\t"))


def _read(journal: Journal, run: int) -> tuple[RunRow, dict[str, int], RunDetail | None]:
    """While it runs only its counts; what came of each row when it has ended."""
    row = journal.run_row(run)
    return row, journal.effect_states(run), None if row.state in OPEN else journal.run(run)


def _heading(words: str) -> QLabel:
    label = QLabel(words)
    theme.mark(label, kind="heading")
    return label
