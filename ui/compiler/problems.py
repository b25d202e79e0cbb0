"""Errors and lint findings of the script, a list under the editor: one click goes to the place."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from app.jobs.api import Diagnostic, Severity
from ui import theme
from ui.compiler.editor import by_place
from ui.compiler.outcome import sentence
from ui.compiler.parts import bar, label
from ui.theme import Role

LAMPS = {
    Severity.ERROR: ("error", Role.ERROR),
    Severity.WARNING: ("warning", Role.WARNING),
    Severity.INFO: ("info", Role.INFO),
}
ROWS_SHOWN = 5


class Problems(QWidget):
    """The list. Hidden while there is nothing to say.

    Signals:
        chosen: the finding that was clicked.
    """

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._findings: list[Diagnostic] = []
        self.caption = label("Problems", "heading")
        self.counts = label("", "muted")
        self.list = QListWidget()
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setIconSize(QSize(16, 16))
        self.list.setUniformItemSizes(True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName("Problems")
        self.list.itemClicked.connect(self._chosen)
        self.list.itemActivated.connect(self._chosen)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(bar(self.caption, theme.SPACE.XS, self.counts, None))
        layout.addWidget(self.list)
        self.hide()
        theme.notifier().changed.connect(self._fill)

    def show_findings(self, findings: Sequence[Diagnostic]) -> None:
        """Replace the list."""
        fresh = sorted(by_place(findings), key=lambda found: found.severity is not Severity.ERROR)
        if fresh != self._findings:
            self._findings = fresh
            self._fill()

    def findings(self) -> list[Diagnostic]:
        """What is listed, errors first, then by line."""
        return list(self._findings)

    def _fill(self) -> None:
        self.list.clear()
        for found in self._findings[:500]:
            icon, role = LAMPS[found.severity]
            place = f"line {found.line}" + (f":{found.column}" if found.column else "") if found.line else "whole file"
            item = QListWidgetItem(theme.icon(icon, role), f"{place:<12}  {sentence(' '.join(found.message.split()))}")
            item.setToolTip(f"{found.message}\n\n{found.code}")
            item.setSizeHint(QSize(0, theme.ROW))
            item.setData(Qt.ItemDataRole.UserRole, found)
            self.list.addItem(item)
        words = []
        for severity, one, many in (
            (Severity.ERROR, "error", "errors"),
            (Severity.WARNING, "warning", "warnings"),
            (Severity.INFO, "note", "notes"),
        ):
            count = sum(found.severity is severity for found in self._findings)
            if count:
                words.append(f"{count} {one if count == 1 else many}")
        self.counts.setText(", ".join(words))
        rows = min(len(self._findings), ROWS_SHOWN)
        self.list.setFixedHeight(rows * theme.ROW + 4)
        self.setVisible(bool(self._findings))

    def _chosen(self, item: QListWidgetItem) -> None:
        self.chosen.emit(item.data(Qt.ItemDataRole.UserRole))
