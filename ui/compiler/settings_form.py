"""The settings of a job type as the Blender add-on would show them, and the rest of a job: name, priority, place, time.

`eval` expressions are shown, never run: in the farm's add-on Blender computes them at submission.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.jobs.api import SettingField
from ui import theme
from ui.compiler.parts import label, spin_box, tool_button

INT_MIN, INT_MAX = -(2**31), 2**31 - 1


class _FloatSpin(QDoubleSpinBox):
    """Shows 24 and 23.976 without a tail of zeros."""

    def textFromValue(self, value: float) -> str:
        return self.locale().toString(value, "g", 12)


class Field(QWidget):
    """One setting: label, input, and what there is to say about it.

    Signals:
        changed: the value was changed by a person.
    """

    changed = Signal()

    def __init__(self, spec: SettingField, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.spec = spec
        self.touched = False
        self._read: Callable[[], Any]
        self._write: Callable[[Any], None]
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        caption = label(spec.label + ("  *" if spec.required else ""))
        caption.setToolTip("\n".join(part for part in (f"{spec.key}: {spec.type}", spec.description) if part))
        self.input = self._make_input()
        self.input.setAccessibleName(spec.label)
        caption.setBuddy(self.input)
        if spec.widget == "check":
            caption.hide()
        else:
            layout.addWidget(caption)
        layout.addWidget(self._with_browse() if spec.widget in ("file", "dir") else self.input)
        self._hint = label("", "muted", wrap=True)
        self._hint.setFont(theme.ui_font(-1))
        layout.addWidget(self._hint)
        self.input.setEnabled(spec.editable)
        self.input.setToolTip(caption.toolTip())
        self._say()

    # -- making ------------------------------------------------------------------------------------------------------

    def _make_input(self) -> QWidget:
        spec = self.spec
        if spec.widget == "check":
            check = QCheckBox(spec.label + ("  *" if spec.required else ""))
            check.setChecked(bool(spec.default))
            check.toggled.connect(lambda _on: self._changed())
            self._read, self._write = check.isChecked, lambda value: check.setChecked(bool(value))
            return check
        if spec.widget == "int":
            return self._make_int()
        if spec.widget == "float":
            return self._make_float()
        if spec.widget == "choice":
            combo = QComboBox()
            combo.addItems(list(spec.choices))
            combo.setCurrentText("" if spec.default is None else str(spec.default))
            combo.setMinimumContentsLength(4)
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            combo.currentTextChanged.connect(lambda _text: self._changed())
            self._read, self._write = combo.currentText, lambda value: combo.setCurrentText(str(value))
            return combo
        line = QLineEdit("" if spec.default is None else str(spec.default))
        line.setPlaceholderText("required" if spec.required else "")
        line.textChanged.connect(lambda _text: self._changed())
        self._read, self._write = line.text, lambda value: line.setText("" if value is None else str(value))
        return line

    def _make_int(self) -> QWidget:
        spec, spin = self.spec, spin_box()
        low = INT_MIN if spec.minimum is None else max(int(spec.minimum), INT_MIN)
        high = INT_MAX if spec.maximum is None else min(int(spec.maximum), INT_MAX)
        spin.setRange(low, high)
        spin.setValue(int(spec.default or 0))
        spin.setGroupSeparatorShown(False)
        spin.setAccelerated(True)
        spin.valueChanged.connect(lambda _value: self._changed())

        def write(value: Any) -> None:
            spin.setValue(int(value) if isinstance(value, int | float) else 0)

        self._read, self._write = spin.value, write
        return spin

    def _make_float(self) -> QWidget:
        spec, spin = self.spec, _FloatSpin()
        spin.lineEdit().setTextMargins(5, 0, 0, 0)
        spin.setDecimals(6)
        spin.setRange(-1e12 if spec.minimum is None else spec.minimum, 1e12 if spec.maximum is None else spec.maximum)
        spin.setValue(float(spec.default or 0.0))
        spin.valueChanged.connect(lambda _value: self._changed())

        def write(value: Any) -> None:
            spin.setValue(float(value) if isinstance(value, int | float) else 0.0)

        self._read, self._write = spin.value, write
        return spin

    def _with_browse(self) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SPACE.XS)
        layout.addWidget(self.input, 1)
        button = tool_button("folder", "Choose on this machine", self._browse)
        button.setEnabled(self.spec.editable)
        layout.addWidget(button)
        return row

    def _browse(self) -> None:
        dialog = QFileDialog(self, self.spec.label)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if self.spec.widget == "dir":
            dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self._write)
        dialog.open()

    # -- value -------------------------------------------------------------------------------------------------------

    def value(self) -> Any:
        """The value as the add-on would send it."""
        return self._read()

    def set_value(self, value: Any) -> None:
        """Show a value; counts as chosen by a person."""
        self._write(value)
        self.touched = True
        self._say()

    def is_sent(self) -> bool:
        """Whether the add-on would send it: hidden settings without default or `eval` stay away."""
        return self.spec.visible or self.touched or self.spec.default is not None

    def _changed(self) -> None:
        self.touched = True
        self._say()
        self.changed.emit()

    def _say(self) -> None:
        spec = self.spec
        words: list[str] = []
        missing = spec.required and self.value() in ("", None)
        if missing:
            words.append("Required: the add-on does not submit without it; the Manager would not notice.")
        if spec.eval:
            when = "when empty" if spec.visible and not spec.eval_link else "automatically"
            words.append(f"Blender computes this {when}: {spec.eval}")
        if not spec.visible:
            words.append("Not shown to artists" + ("." if spec.visibility == "hidden" else f" ({spec.visibility})."))
        if spec.warning:
            words.append(spec.warning)
        theme.mark(self.input, state="error" if missing else "")
        theme.mark(self._hint, state="error" if missing else "warning" if spec.warning else "", kind="muted")
        self._hint.setText("\n".join(words))
        self._hint.setVisible(bool(words))


class SettingsForm(QScrollArea):
    """All settings of a job type.

    Signals:
        changed: a value was changed by a person.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.fields: dict[str, Field] = {}
        self._specs: tuple[SettingField, ...] | None = None
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._extra: QWidget | None = None
        self._body = QWidget()
        self._layout = QVBoxLayout(self._body)
        self._layout.setContentsMargins(theme.SPACE.M, theme.SPACE.M, theme.SPACE.M, theme.SPACE.L)
        self._layout.setSpacing(theme.SPACE.M)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(10)
        self._layout.addLayout(self._rows)
        self._empty = label("", "muted", wrap=True)
        self._empty.hide()
        self._layout.addWidget(self._empty)
        self._layout.addStretch(1)
        self.setWidget(self._body)

    def add_below(self, widget: QWidget) -> None:
        """A widget under the settings, scrolling with them."""
        self._layout.insertWidget(self._layout.count() - 1, widget)

    def show_fields(self, specs: Sequence[SettingField], values: Mapping[str, Any] | None = None) -> bool:
        """Build the form anew when the settings differ from those shown, keeping what a person entered.

        Args:
            specs: As `settings_form` gives them.
            values: Values to show; None keeps those entered before under the same key and type.

        Returns:
            Whether the form was built anew.
        """
        fresh = tuple(specs)
        if fresh == self._specs:
            if values is not None:
                self.set_values(values)
            return False
        kept = (
            {key: (field.spec.type, field.value()) for key, field in self.fields.items() if field.touched}
            if values is None
            else {}
        )
        self._specs = fresh
        self._clear()
        last_hidden: QLabel | None = None
        for spec in sorted(fresh, key=lambda spec: not spec.visible):
            if spec.key in self.fields:
                continue  # The add-on keeps the first of two settings of one key.
            if not spec.visible and last_hidden is None:
                last_hidden = label("Filled in at submission", "heading")
                last_hidden.setContentsMargins(0, theme.SPACE.S, 0, 0)
                self._rows.addWidget(last_hidden)
            field = Field(spec)
            field.changed.connect(self.changed)
            self.fields[spec.key] = field
            self._rows.addWidget(field)
        self.say_empty("This job type has no settings.")
        for key, (kind, value) in kept.items():
            if key in self.fields and self.fields[key].spec.type == kind:
                self._quietly(self.fields[key], value)
        if values is not None:
            self.set_values(values)
        return True

    def say_empty(self, words: str) -> None:
        """What stands where the settings would be, while there are none."""
        self._empty.setText(words)
        self._empty.setVisible(not self.fields)

    def values(self) -> dict[str, Any]:
        """What the add-on would submit under `settings`."""
        return {key: field.value() for key, field in self.fields.items() if field.is_sent()}

    def touched_values(self) -> dict[str, Any]:
        """Only what a person entered: this is what is kept per script."""
        return {key: field.value() for key, field in self.fields.items() if field.touched}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show values; settings not among them go back to their default."""
        for key, field in self.fields.items():
            if key in values:
                self._quietly(field, values[key])
            elif field.touched:
                self._quietly(field, field.spec.default)
                field.touched = False

    @staticmethod
    def _quietly(field: Field, value: Any) -> None:
        blocked = field.blockSignals(True)
        field.set_value(value)
        field.blockSignals(blocked)

    def _clear(self) -> None:
        self.fields = {}
        while (item := self._rows.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
