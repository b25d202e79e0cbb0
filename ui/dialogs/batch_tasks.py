"""The task templates of Batch Create: type, bid, assignees, status; kept as presets."""

from __future__ import annotations

import json
from collections.abc import Sequence

from PySide6.QtCore import QSettings, Qt, Signal
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QPushButton,
    QScrollArea,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.rules.batch import TaskTemplate
from ui import theme
from ui.theme import Role

_KEY = "batch/presets"
_MOST_HOURS = 10_000.0
_COLUMNS = (("Type", 5), ("Bid", 2), ("Assignees", 4), ("Status", 5), ("", 0))
"""Headings, and how the room is shared."""
_SHOWN = 4
"""Lines that are seen at once; more are scrolled to."""


class Choices(QComboBox):
    """A choice whose word ends in an ellipsis where it has no room, with the whole as its tooltip."""

    def __init__(self, names: Sequence[str], wanted: str) -> None:
        super().__init__()
        self.addItems(list(names))
        self.setCurrentText(wanted)
        self.setMinimumContentsLength(4)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)

    def paintEvent(self, _event: QPaintEvent) -> None:
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        style = self.style()
        room = style.subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        ).width()
        whole = option.currentText
        option.currentText = self.fontMetrics().elidedText(whole, Qt.TextElideMode.ElideRight, room - 2)
        self.setToolTip(whole if option.currentText != whole else "")
        painter = QStylePainter(self)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


class TaskLine(QWidget):
    """One template's fields, owned by the list."""

    def __init__(self, task: TaskTemplate, types: Sequence[str], users: Sequence[str], statuses: Sequence[str]) -> None:
        super().__init__()
        self.type = Choices([*types, *([task.type_name] if task.type_name not in types else [])], task.type_name)
        self.type.setAccessibleName("Task type")
        self.bid = QDoubleSpinBox()
        self.bid.setRange(0, _MOST_HOURS)
        self.bid.setDecimals(1)
        self.bid.setSuffix(" h")
        self.bid.setValue(task.bid_hours)
        self.bid.setMinimumWidth(74)
        self.bid.setAccessibleName("Bid in hours")
        self.who = Choices(["", *users], "")
        self.who.setEditable(True)
        self.who.setCurrentText(", ".join(task.assignees))
        self.who.setAccessibleName("Assignees, separated by commas")
        line = self.who.lineEdit()
        if line is not None:
            line.setPlaceholderText("Nobody")
        self.status = Choices(["First status", *statuses], task.status)
        self.status.setAccessibleName("Status")
        self.drop = QToolButton()
        theme.set_icon(self.drop, "close", Role.MUTED)
        self.drop.setToolTip("Take this task away")
        self.drop.setAccessibleName("Take this task away")

    def task(self) -> TaskTemplate:
        """As the rows want it."""
        people = tuple(name.strip() for name in self.who.currentText().split(",") if name.strip())
        status = self.status.currentText() if self.status.currentIndex() > 0 else ""
        return TaskTemplate(self.type.currentText(), self.bid.value(), "", people, status)


class TaskTemplates(QWidget):
    """The list of templates.

    Signals:
        changed: a person changed something.
    """

    changed = Signal()

    def __init__(self, memory: QSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._memory = memory
        self._types: tuple[str, ...] = ()
        self._users: tuple[str, ...] = ()
        self._statuses: tuple[str, ...] = ()
        self._lines: list[TaskLine] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        top = QHBoxLayout()
        name = QLabel("Tasks of every shot")
        theme.mark(name, kind="heading")
        top.addWidget(name)
        top.addStretch(1)
        self.presets = QComboBox()
        self.presets.setAccessibleName("Saved presets")
        self.presets.setMinimumWidth(130)
        self.presets.activated.connect(self._use)
        top.addWidget(self.presets)
        self.save = _tool("save", "Save these tasks as a preset")
        self.save.clicked.connect(self._ask_name)
        self.forget = _tool("trash", "Forget the chosen preset")
        self.forget.clicked.connect(self._forget)
        top.addWidget(self.save)
        top.addWidget(self.forget)
        column.addLayout(top)
        column.addWidget(self._build_lines())
        self.add = QPushButton("Add a task")
        self.add.setAutoDefault(False)
        theme.set_icon(self.add, "plus", Role.MUTED)
        self.add.clicked.connect(self._another)
        column.addWidget(self.add, 0, Qt.AlignmentFlag.AlignLeft)
        self._list_presets()

    def _build_lines(self) -> QScrollArea:
        holder = QWidget()
        self._grid = QGridLayout(holder)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(5)
        self._grid.setVerticalSpacing(5)
        self._heads = [QLabel(words) for words, _stretch in _COLUMNS if words]
        for place, (_words, stretch) in enumerate(_COLUMNS):
            self._grid.setColumnStretch(place, stretch)
        for place, head in enumerate(self._heads):
            head.setFont(theme.ui_font(-1.0))
            theme.mark(head, kind="muted")
            self._grid.addWidget(head, 0, place)
        self._area = QScrollArea()
        # The keyboard goes to what is in it.
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setWidget(holder)
        self._fit()
        return self._area

    def _fit(self) -> None:
        """As high as its lines, up to some; the rest is scrolled to."""
        self._area.setVisible(bool(self._lines))
        if self._lines:
            line = max(self._lines[0].type.sizeHint().height(), self._lines[0].bid.sizeHint().height()) + 5
            self._area.setFixedHeight(self._heads[0].sizeHint().height() + 5 + line * min(_SHOWN, len(self._lines)))

    def set_words(self, types: Sequence[str], users: Sequence[str], statuses: Sequence[str]) -> None:
        """What the project's workflow offers."""
        self._types, self._users, self._statuses = tuple(types), tuple(users), tuple(statuses)
        self.set_tasks(self.tasks())

    def tasks(self) -> list[TaskTemplate]:
        """The templates."""
        return [line.task() for line in self._lines if line.type.currentText()]

    def set_tasks(self, tasks: Sequence[TaskTemplate]) -> None:
        """Show these templates."""
        for line in self._lines:
            for widget in (line.type, line.bid, line.who, line.status, line.drop):
                self._grid.removeWidget(widget)
                widget.hide()
                widget.deleteLater()
            line.deleteLater()
        self._lines = []
        for task in tasks:
            self._put(task)
        self._fit()

    def _put(self, task: TaskTemplate) -> None:
        line = TaskLine(task, self._types, self._users, self._statuses)
        row = len(self._lines) + 1
        for place, widget in enumerate((line.type, line.bid, line.who, line.status, line.drop)):
            self._grid.addWidget(widget, row, place)
        line.type.currentTextChanged.connect(self.changed)
        line.bid.valueChanged.connect(self.changed)
        line.who.currentTextChanged.connect(self.changed)
        line.status.currentTextChanged.connect(self.changed)
        line.drop.clicked.connect(lambda: self._take_away(line))
        line.setParent(self)
        line.hide()
        self._lines.append(line)

    def _another(self) -> None:
        used = {line.type.currentText() for line in self._lines}
        kind = next((name for name in self._types if name not in used), self._types[0] if self._types else "")
        if kind:
            self._put(TaskTemplate(kind))
            self._fit()
            self._lines[-1].type.setFocus()
            self.changed.emit()

    def _take_away(self, line: TaskLine) -> None:
        self.set_tasks([one.task() for one in self._lines if one is not line])
        self.changed.emit()

    # Presets

    def _kept(self) -> dict[str, list[dict[str, object]]]:
        try:
            kept = json.loads(str(self._memory.value(_KEY, "{}")))
        except ValueError:
            return {}
        return kept if isinstance(kept, dict) else {}

    def _list_presets(self, chosen: str = "") -> None:
        self.presets.clear()
        self.presets.addItem("Presets")
        self.presets.addItems(sorted(self._kept(), key=str.casefold))
        self.presets.setCurrentText(chosen or "Presets")
        self.forget.setEnabled(self.presets.currentIndex() > 0)

    def _use(self, index: int) -> None:
        self.forget.setEnabled(index > 0)
        if index > 0:
            kept = self._kept().get(self.presets.currentText(), [])
            self.set_tasks([
                TaskTemplate(str(one["type"]), float(str(one["bid"])), "", tuple(map(str, one["who"])),  # type: ignore[call-overload]
                             str(one["status"]))
                for one in kept
            ])  # fmt: skip
            self.changed.emit()

    def _ask_name(self) -> None:
        ask = QInputDialog(self)
        ask.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        ask.setWindowTitle("Save as a preset")
        ask.setLabelText("Name of the preset")
        ask.setTextValue(self.presets.currentText() if self.presets.currentIndex() > 0 else "")
        ask.textValueSelected.connect(self.keep)
        ask.open()

    def keep(self, name: str) -> None:
        """Keep the templates under a name."""
        if not name.strip():
            return
        kept = self._kept()
        kept[name.strip()] = [
            {"type": one.type_name, "bid": one.bid_hours, "who": list(one.assignees), "status": one.status}
            for one in self.tasks()
        ]
        self._memory.setValue(_KEY, json.dumps(kept))
        self._list_presets(name.strip())

    def _forget(self) -> None:
        kept = self._kept()
        kept.pop(self.presets.currentText(), None)
        self._memory.setValue(_KEY, json.dumps(kept))
        self._list_presets()


def _tool(icon: str, words: str) -> QToolButton:
    button = QToolButton()
    theme.set_icon(button, icon, Role.MUTED)
    button.setToolTip(words)
    button.setAccessibleName(words)
    return button
