"""A page of an action, as ftrack's web page shows it: the items of the wire in a Qt form."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ui import theme

_DATA = Qt.ItemDataRole.UserRole


class WebForm(QWidget):
    """One page.

    Signals:
        submitted: the values, hidden ones included.
        left: the person wants none of it.
    """

    submitted = Signal(dict)
    left = Signal()

    def __init__(self, page: Mapping[str, Any], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("web_form")
        self._read: dict[str, Callable[[], Any]] = {}
        self.fields: dict[str, QWidget] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        title = QLabel(str(page.get("title") or ""))
        title.setTextFormat(Qt.TextFormat.PlainText)
        theme.mark(title, kind="heading")
        title.setVisible(bool(title.text()))
        column.addWidget(title)
        for item in page.get("items") or ():
            self._add(column, item)
        column.addStretch(1)
        foot = QHBoxLayout()
        foot.addStretch(1)
        self.leave = QPushButton("Cancel")
        self.leave.clicked.connect(self.left)
        self.submit = QPushButton(str(page.get("submit_button_label") or "Submit"))
        self.submit.setObjectName("submit")
        theme.mark(self.submit, kind="primary")
        self.submit.clicked.connect(lambda: self.submitted.emit(self.values()))
        foot.addWidget(self.leave)
        foot.addWidget(self.submit)
        column.addLayout(foot)

    def values(self) -> dict[str, Any]:
        """What is in the fields."""
        return {name: read() for name, read in self._read.items()}

    def _add(self, column: QVBoxLayout, item: Mapping[str, Any]) -> None:
        kind, name = str(item.get("type")), str(item.get("name") or "")
        if kind == "hidden":
            self._read[name] = lambda: item.get("value")
            return
        if kind == "label":
            column.addWidget(_label(str(item.get("value") or "")))
            return
        field, read = _field(kind, item)
        words = str(item.get("label") or name)
        field.setAccessibleName(words)
        field.setObjectName(name)
        if isinstance(field, QCheckBox):
            field.setText(words.replace("&", "&&"))
        else:
            label = QLabel(words)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
            theme.mark(label, kind="muted")
            column.addWidget(label)
        column.addWidget(field)
        self.fields[name] = field
        self._read[name] = read


def _label(value: str) -> QWidget:
    if value == "---":
        line = QFrame()
        theme.mark(line, kind="line")
        return line
    label = QLabel(value)
    # The registry escapes whatever people typed before it makes such a label.
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
    label.setWordWrap(True)
    return label


def _field(kind: str, item: Mapping[str, Any]) -> tuple[QWidget, Callable[[], Any]]:
    value, hint = item.get("value"), str(item.get("empty_text") or "")
    if kind == "boolean":
        box = QCheckBox()
        box.setChecked(bool(value))
        return box, box.isChecked
    if kind == "textarea":
        area = QPlainTextEdit(str(value or ""))
        area.setPlaceholderText(hint)
        area.setTabChangesFocus(True)
        area.setMaximumHeight(84)
        return area, area.toPlainText
    if kind == "enumerator" and item.get("multi_select"):
        return _several(item)
    if kind == "enumerator":
        choice = QComboBox()
        for one in item.get("data") or ():
            choice.addItem(str(one.get("label")), one.get("value"))
        choice.setCurrentIndex(max(0, choice.findData(value)))
        choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        return choice, choice.currentData
    line = QLineEdit("" if value is None else f"{value:g}" if isinstance(value, float) else str(value))
    line.setPlaceholderText(hint)
    return line, line.text


def _several(item: Mapping[str, Any]) -> tuple[QWidget, Callable[[], Any]]:
    listing = QListWidget()
    chosen = set(item.get("value") or ())
    for one in item.get("data") or ():
        entry = QListWidgetItem(str(one.get("label")))
        entry.setData(_DATA, one.get("value"))
        entry.setToolTip(f"<qt>{html.escape(str(one.get('description') or one.get('label')))}</qt>")
        entry.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsSelectable)
        entry.setCheckState(Qt.CheckState.Checked if one.get("value") in chosen else Qt.CheckState.Unchecked)
        listing.addItem(entry)
    listing.setMinimumHeight(90)

    def read() -> list[Any]:
        entries = [listing.item(number) for number in range(listing.count())]
        return [entry.data(_DATA) for entry in entries if entry.checkState() == Qt.CheckState.Checked]

    return listing, read
