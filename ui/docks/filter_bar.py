"""The bar above a list: what is searched, how, and the filters that were kept for another day."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QSettings, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QInputDialog,
    QLineEdit,
    QMenu,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui import theme
from ui.theme import Role

DEBOUNCE_MS = 120
"""Pause after the last key before the search starts, in milliseconds."""
_SEARCH = 120
"""Least pixels of the search line."""


class FilterBar(QFrame):
    """A search line, choices and saved filters. Where they have no room side by side, the choices have a row below.

    Signals:
        changed: something of the filter changed; `values()` has it.
    """

    changed = Signal()

    def __init__(self, name: str, placeholder: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._choices: dict[str, QComboBox] = {}
        self._fields: dict[str, QLineEdit] = {}
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(DEBOUNCE_MS)
        self._wait.timeout.connect(self.changed)
        theme.mark(self, kind="bar")
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 6)
        column.setSpacing(6)
        self._row = QHBoxLayout()
        self._row.setSpacing(6)
        column.addLayout(self._row)
        self._below = QHBoxLayout()
        self._below.setSpacing(6)
        column.addLayout(self._below)
        self._build_search(placeholder)
        self._more = QWidget()
        self._more_row = QHBoxLayout(self._more)
        self._more_row.setContentsMargins(0, 0, 0, 0)
        self._more_row.setSpacing(6)
        self._more.hide()
        column.addWidget(self._more)
        find = QShortcut(QKeySequence(QKeySequence.StandardKey.Find), self.parentWidget() or self)
        find.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.activated.connect(self.focus_search)

    def _build_search(self, placeholder: str) -> None:
        self.search = QLineEdit()
        self.search.setPlaceholderText(placeholder)
        self.search.setClearButtonEnabled(True)
        self.search.setMinimumWidth(_SEARCH)
        self.search.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.search.setAccessibleName(placeholder)
        glass = self.search.addAction(theme.icon("search", Role.MUTED), QLineEdit.ActionPosition.LeadingPosition)
        theme.set_icon(glass, "search", Role.MUTED)
        self.search.textChanged.connect(self._typed)
        self._row.addWidget(self.search, 1)
        self.regex = self._toggle(".*", "Read the text as a regular expression")
        self.regex.toggled.connect(self._typed)
        self._row.addWidget(self.regex)

    @staticmethod
    def _toggle(text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setCheckable(True)
        button.setFont(theme.mono_font(-0.5))
        return button

    # Building

    def add_choice(self, key: str, every: str, values: Sequence[tuple[str, Any]] = ()) -> QComboBox:
        """A choice among values; `every` is the word for no filter."""
        box = QComboBox()
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(9)
        box.setAccessibleName(every)
        box.addItem(every, None)
        for words, value in values:
            box.addItem(words, value)
        box.currentIndexChanged.connect(self._chosen)
        self._choices[key] = box
        self._row.addWidget(box)
        return box

    def set_choices(self, key: str, values: Sequence[tuple[str, Any]]) -> None:
        """Other values for a choice; what is chosen stays chosen."""
        box = self._choices[key]
        if [(box.itemText(i), box.itemData(i)) for i in range(1, box.count())] == list(values):
            return
        chosen = box.currentData()
        box.blockSignals(True)
        while box.count() > 1:
            box.removeItem(1)
        for words, value in values:
            box.addItem(words, value)
        box.setCurrentIndex(max(0, box.findData(chosen)) if chosen is not None else 0)
        box.blockSignals(False)

    def add_field(self, key: str, placeholder: str) -> QLineEdit:
        """A further text field on the second row."""
        field = QLineEdit()
        field.setPlaceholderText(placeholder)
        field.setAccessibleName(placeholder)
        field.setClearButtonEnabled(True)
        field.textChanged.connect(self._typed)
        self._fields[key] = field
        self._more_row.addWidget(field, 1)
        return field

    def add_more(self) -> QToolButton:
        """The button that shows the second row."""
        button = QToolButton()
        theme.set_icon(button, "sliders", Role.MUTED)
        button.setToolTip("More filters: entity, person, topic")
        button.setAccessibleName("More filters")
        button.setCheckable(True)
        button.toggled.connect(self._more.setVisible)
        self._more_button = button
        self._row.addWidget(button)
        return button

    def add_saved(self, settings: Callable[[], QSettings]) -> QToolButton:
        """The menu of saved filters."""
        self._settings = settings
        button = QToolButton()
        theme.set_icon(button, "pin", Role.MUTED)
        button.setToolTip("Saved filters")
        button.setAccessibleName("Saved filters")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        menu.aboutToShow.connect(partial(self._fill_saved, menu))
        button.setMenu(menu)
        self._row.addWidget(button)
        return button

    def add_widget(self, widget: QWidget) -> None:
        """Anything else, at the right end."""
        self._row.addWidget(widget)

    # Room

    def minimumSizeHint(self) -> QSize:
        """As narrow as the wider of the two rows."""
        line, choices = self._needs()
        edges = self.contentsMargins().left() + self.contentsMargins().right() + 16
        return QSize(max(line, choices) + edges, super().minimumSizeHint().height())

    def _needs(self) -> tuple[int, int]:
        """Pixels that the search line with its tools, and the choices, need."""
        # Not by the row's `itemAt`: Qt deletes the item of a widget that moves to the other row, and Python keeps a
        # wrapper at its address. What was made there next was taken for it: a list that was then cleared crashed.
        inside = self.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly)
        in_row = (one for one in inside if self._row.indexOf(one) >= 0 and not one.isHidden())
        tools = [one for one in in_row if one not in self._choices.values()]
        return _side_by_side(tools, self._row.spacing()), _side_by_side(self._choices.values(), self._row.spacing())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        line, choices = self._needs()
        below = line + choices + self._row.spacing() + 16 > event.size().width()
        if below == bool(self._below.count()):
            return
        for place, box in enumerate(self._choices.values()):
            if below:
                self._below.addWidget(box, 1)
            else:
                self._row.insertWidget(self._row.indexOf(self.regex) + 1 + place, box)

    # Values

    def values(self) -> dict[str, Any]:
        """Everything that is set: "text", "regex", and each choice and field by its key."""
        made: dict[str, Any] = {"text": self.search.text().strip(), "regex": self.regex.isChecked()}
        made.update({key: box.currentData() for key, box in self._choices.items()})
        made.update({key: field.text().strip() for key, field in self._fields.items()})
        return made

    def set_values(self, values: dict[str, Any]) -> None:
        """Set everything at once; what is not named is cleared."""
        for widget in (self.search, self.regex, *self._choices.values(), *self._fields.values()):
            widget.blockSignals(True)
        self.search.setText(str(values.get("text", "")))
        self.regex.setChecked(bool(values.get("regex")))
        for key, box in self._choices.items():
            wanted = values.get(key)
            index = box.findData(wanted) if wanted is not None else 0
            if index < 0:
                box.addItem(str(wanted), wanted)
                index = box.count() - 1
            box.setCurrentIndex(index)
        for key, field in self._fields.items():
            field.setText(str(values.get(key) or ""))
        for widget in (self.search, self.regex, *self._choices.values(), *self._fields.values()):
            widget.blockSignals(False)
        if any(field.text() for field in self._fields.values()):
            self._more_button.setChecked(True)
        self._check_pattern()
        self.changed.emit()

    def is_empty(self) -> bool:
        """Whether nothing is filtered."""
        return not any(value for key, value in self.values().items() if key != "regex")

    def clear(self) -> None:
        """Show everything again."""
        self.set_values({})

    def focus_search(self) -> None:
        """Put the keyboard into the search line."""
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def finder(self) -> Callable[[str], list[tuple[int, int]]] | None:
        """What lights up the searched text within a cell; None when nothing is searched or the pattern is broken."""
        text = self.search.text().strip()
        if not text:
            return None
        try:
            pattern = re.compile(text if self.regex.isChecked() else re.escape(text), re.IGNORECASE)
        except re.error:
            return None
        return lambda cell: [(hit.start(), hit.end() - hit.start()) for hit in pattern.finditer(cell) if hit.end()]

    def _typed(self) -> None:
        if self._check_pattern():
            self._wait.start()

    def _chosen(self) -> None:
        self._wait.stop()
        if self._check_pattern():
            self.changed.emit()

    def _check_pattern(self) -> bool:
        """A broken regular expression is marked, and the last good filter stays."""
        problem = ""
        if self.regex.isChecked():
            try:
                re.compile(self.search.text())
            except re.error as error:
                problem = f"Not a regular expression: {error}"
        theme.mark(self.search, state="error" if problem else "")
        self.search.setToolTip(problem)
        return not problem

    # Saved filters

    def _saved(self) -> dict[str, dict[str, Any]]:
        text = self._settings().value(f"filters/{self._name}", "{}")
        try:
            found = json.loads(str(text))
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def _fill_saved(self, menu: QMenu) -> None:
        menu.clear()
        saved = self._saved()
        for name, values in sorted(saved.items()):
            menu.addAction(name.replace("&", "&&"), partial(self.set_values, values))
        if saved:
            menu.addSeparator()
        keep = menu.addAction("Save this filter…", self._ask_name)
        keep.setEnabled(not self.is_empty())
        drop = menu.addMenu("Remove")
        drop.setEnabled(bool(saved))
        for name in sorted(saved):
            drop.addAction(name.replace("&", "&&"), partial(self.forget, name))
        menu.addAction("Show everything", self.clear)

    def _ask_name(self) -> None:
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle("Save filter")
        dialog.setLabelText("Name of the filter:")
        dialog.textValueSelected.connect(self.keep)
        dialog.open()

    def keep(self, name: str) -> None:
        """Save what is set under a name."""
        if name.strip():
            saved = self._saved()
            saved[name.strip()] = {key: value for key, value in self.values().items() if value}
            self._settings().setValue(f"filters/{self._name}", json.dumps(saved))

    def forget(self, name: str) -> None:
        """Remove a saved filter."""
        saved = self._saved()
        saved.pop(name, None)
        self._settings().setValue(f"filters/{self._name}", json.dumps(saved))


def _side_by_side(widgets: Collection[QWidget], space: int) -> int:
    """Least pixels of widgets in a row."""
    widths = [max(widget.minimumWidth(), widget.minimumSizeHint().width()) for widget in widgets]
    return sum(widths) + space * max(0, len(widths) - 1)
