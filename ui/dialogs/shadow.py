"""The shadow report as a dialog: where the plans of the dry runs and the other server's work differ, by handler."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from ui import theme
from ui.dialogs.base import Dialog
from ui.models.hub import Hub
from ui.models.words import amount, many, moment, tip
from ui.theme import Role

if TYPE_CHECKING:
    # The report's room is loaded on the desk's thread.
    from app.service.shadow import Difference, Shadow
    from ui.models.desk import SiteDesk

_COLUMNS = ("About", "Project", "Signalbox would have", "The old server did")
_WIDTHS = (260, 110, 280)
"""Pixels of the columns while there is nothing to measure them by; the last takes what is left."""
_KINDS = {"json": "JSON (*.json)", "csv": "CSV table (*.csv)"}
_RUN = Qt.ItemDataRole.UserRole
_NOTHING = "nothing"


class ShadowDialog(Dialog):
    """Asks for the comparison and shows it.

    Signals:
        run_wanted: a difference was opened; the dry run that planned it.
    """

    run_wanted = Signal(int)

    def __init__(self, hub: Hub, desk: SiteDesk, parent: QWidget | None = None) -> None:
        super().__init__(
            "Compare with the old server",
            "What the dry runs planned, beside what the old server did on the same site: folders, entries of lists, "
            "statuses, and what both answer. Switch a handler On when only the old server's own mistakes are left.",
            parent,
        )
        self.setObjectName("shadow")
        self._hub, self._desk = hub, desk
        self.report: Shadow | None = None
        self.days = QSpinBox()
        self.days.setRange(0, 60)
        self.days.setSpecialValueText("the site was connected")
        self.days.setSuffix(" days ago")
        self.days.lineEdit().setTextMargins(5, 0, 0, 0)
        self.user = QLineEdit()
        self.user.setPlaceholderText("empty: statuses are compared only where there is a plan")
        self.compare = QPushButton("Compare")
        self.compare.setDefault(True)
        self.compare.clicked.connect(self.ask)
        form = QFormLayout()
        form.addRow("Since", self.days)
        form.addRow("The old server's ftrack user", self.user)
        row = QHBoxLayout()
        row.addLayout(form, 1)
        row.addWidget(self.compare, 0, Qt.AlignmentFlag.AlignBottom)
        self.body.addLayout(row)
        self.outcome = QLabel()
        self.outcome.setWordWrap(True)
        self.outcome.setTextFormat(Qt.TextFormat.PlainText)
        self.body.addWidget(self.outcome)
        self.tree = QTreeWidget()
        self.tree.setAccessibleName("Differences by handler")
        self.tree.setHeaderLabels(list(_COLUMNS))
        self.tree.setUniformRowHeights(True)
        for column, wide in enumerate(_WIDTHS):
            self.tree.setColumnWidth(column, wide)
        # The end of a path tells more than its middle.
        self.tree.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.tree.itemActivated.connect(self._opened)
        self.body.addWidget(self.tree, 1)
        self.copy = self.add_button("Copy")
        self.copy.clicked.connect(self._copy)
        self.export = self.add_button("Export…")
        self.export.clicked.connect(self._ask_where)
        for button in (self.copy, self.export):
            button.setEnabled(False)
        self.add_cancel("Close")
        self.resize(980, 560)
        self.ask()

    def ask(self) -> None:
        """Compare, on a thread."""
        self.compare.setEnabled(False)
        self._say("Comparing…", "muted")
        days, user = self.days.value() or None, self.user.text().strip()
        self._desk.ask(
            "shadow", lambda desk: desk.shadow(days, user), self.show_report, owner=self, problem=self._could_not
        )

    def _could_not(self, why: str) -> None:
        self.compare.setEnabled(True)
        self._say(why, "error")

    def show_report(self, report: Shadow) -> None:
        """List what differs, by handler."""
        self.compare.setEnabled(True)
        self.report = report
        self.tree.clear()
        for handler, differences in _by_handler(report):
            group = QTreeWidgetItem([f"{self._hub.snapshot.title(handler)}: {amount(len(differences))}"])
            group.setIcon(0, theme.icon("lever", Role.MUTED))
            group.addChildren([_item(one) for one in differences])
            self.tree.addTopLevelItem(group)
        self.tree.expandAll()
        anything = bool(self.tree.topLevelItemCount())
        for column in range(len(_COLUMNS) - 1 if anything else 0):
            self.tree.resizeColumnToContents(column)
            self.tree.setColumnWidth(column, min(280, self.tree.columnWidth(column)))
        self.copy.setEnabled(anything)
        self.export.setEnabled(anything)
        self._say(_words(report), "ok" if report.runs and not anything else "muted")

    def _say(self, words: str, state: str) -> None:
        self.outcome.setText(words)
        theme.mark(self.outcome, state=state)

    def _opened(self, item: QTreeWidgetItem) -> None:
        run = item.data(0, _RUN)
        if run:
            self.run_wanted.emit(int(run))
            self.accept()

    def _copy(self) -> None:
        if self.report is not None:
            QGuiApplication.clipboard().setText("\n".join([_words(self.report), *self.report.lines()]))

    def _ask_where(self) -> None:
        dialog = QFileDialog(self, "Export", "shadow-report.json", ";;".join(_KINDS.values()))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.fileSelected.connect(lambda path: self.write(Path(path)))
        dialog.open()

    def write(self, path: Path) -> None:
        """Write the report: a table where the name ends with .csv, else JSON."""
        if self.report is None:
            return
        try:
            path.write_text(_table(self.report) if path.suffix == ".csv" else _json(self.report), "utf-8")
        except OSError as problem:
            self._say(f"{path} could not be written: {problem.strerror}. Choose another folder.", "error")
        else:
            self._say(f"Written to {path}.", "ok")


def _words(report: Shadow) -> str:
    since = moment(report.since)
    if not report.runs:
        return f"No dry run since {since}: there is nothing to compare. Let the levers stand at Dry run for some days."
    found = len(report.differences) + len(report.doubles)
    alike = f"{many(report.runs, 'dry run')} since {since}; {many(report.agreed, 'thing')} alike"
    return f"{alike}, {amount(found)} different." if found else f"{alike}, and nothing different."


def _by_handler(report: Shadow) -> Iterator[tuple[str, list[Difference]]]:
    # Without a dry run every new folder would look like the other server's.
    every = [*report.differences, *report.doubles] if report.runs else report.doubles
    for handler in dict.fromkeys(one.handler for one in every):
        yield handler, [one for one in every if one.handler == handler]


def _item(one: Difference) -> QTreeWidgetItem:
    cells = [one.subject, one.project, one.signalbox or _NOTHING, one.old_server or _NOTHING]
    item = QTreeWidgetItem(cells)
    item.setIcon(0, theme.icon({"folder": "folder", "status": "tag"}.get(one.kind, "event"), Role.MUTED))
    item.setData(0, _RUN, one.run)
    for column, words in enumerate(cells):
        item.setToolTip(column, tip(words))
    return item


def _table(report: Shadow) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["Handler", "Kind", *_COLUMNS, "Run"])
    writer.writerows(_cells((*report.differences, *report.doubles)))
    return out.getvalue()


def _cells(differences: Iterable[Difference]) -> Iterator[tuple[object, ...]]:
    for one in differences:
        yield one.handler, one.kind, one.subject, one.project, one.signalbox, one.old_server, one.run


def _json(report: Shadow) -> str:
    return json.dumps(report.as_dict(), ensure_ascii=False, indent=1)
