"""Settings: a form made from what was declared, checked while somebody types, for the studio or for one show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFont, QFontMetrics
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
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.journal.lock import JournalLock
from app.settings.models import SECTIONS
from app.settings.secrets import of_a_service
from app.settings.store import SettingsError, SettingsStore
from ui import theme
from ui.dialogs.base import Confirm, Dialog
from ui.docks.lamps import Lamp
from ui.models.forms import FormField, checked, fields_of, from_text, model_of, problem_of, to_text
from ui.models.hub import Hub
from ui.models.words import many
from ui.theme import Role

_NAMES = {
    "site": "ftrack site",
    "cloud": "Cloud site",
    "studio": "Studio",
    "slack": "Slack",
    "engine": "Engine",
    "journal": "Journal",
    "flamenco": "Flamenco",
    "panel": "Window",
}
_BRIEF = 80
"""Characters of a default that are written below its field."""


class FieldRow(QFrame):
    """One setting: mark, name, input, help, problem, reset.

    Signals:
        edited: its text was changed by a person.
        reset: the default (or the studio's value) is wanted back.
    """

    edited = Signal()
    reset = Signal()

    def __init__(
        self, field: FormField, value: Any, *, changed: bool, locked: str = "", note: str = "", usual: str = ""
    ) -> None:
        super().__init__()
        self.field = field
        self._usual, self._about = usual, locked or field.help
        self._read: Callable[[], Any]
        self._write: Callable[[Any], None]
        self._untouched = value
        self.touched = False
        self.setObjectName(f"field_{field.name}")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 6)
        column.setSpacing(3)
        head = QHBoxLayout()
        head.setSpacing(6)
        self._mark = Lamp(self)
        head.addWidget(self._mark)
        self.title = QLabel(field.title + (f"  ({field.unit})" if field.unit else ""))
        theme.mark(self.title, kind="heading")
        head.addWidget(self.title)
        head.addStretch(1)
        self.back = QToolButton()
        theme.set_icon(self.back, "undo", Role.MUTED)
        self.back.setToolTip(usual or "Back to the default")
        self.back.setAccessibleName(f"Reset {field.title}")
        self.back.clicked.connect(self._reset)
        head.addWidget(self.back)
        column.addLayout(head)
        self.input = self._make_input()
        self.input.setAccessibleName(field.title)
        self.input.setAccessibleDescription(field.help)
        column.addWidget(self.input)
        self.help = QLabel(self._about)
        self.help.setWordWrap(True)
        self.help.setFont(theme.ui_font(-0.7))
        theme.mark(self.help, kind="muted")
        column.addWidget(self.help)
        self.note = QLabel(note)
        self.note.setWordWrap(True)
        self.note.setFont(theme.ui_font(-0.7))
        self.note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.note.setVisible(bool(note))
        theme.mark(self.note, state="warning")
        column.addWidget(self.note)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        theme.mark(self.problem, state="error")
        self.problem.hide()
        column.addWidget(self.problem)
        self._write(value)
        self.touched = False
        self.input.setEnabled(not locked)
        self.show_changed(changed)

    def _make_input(self) -> QWidget:
        field = self.field
        if field.kind == "check":
            return self._make_check()
        if field.kind == "choice":
            return self._make_choice()
        if field.kind in {"lines", "pairs", "json"}:
            return self._make_lines()
        line = QLineEdit()
        if field.kind == "secret":
            line.setEchoMode(QLineEdit.EchoMode.Password)
            line.setPlaceholderText("Kept in the keyring; type to replace it")
        line.textEdited.connect(lambda _text: self._edit())
        self._read = line.text
        self._write = lambda value: line.setText(to_text(field, value))
        return line

    def _make_check(self) -> QWidget:
        check = QCheckBox("Yes")
        check.toggled.connect(lambda _on: self._edit())
        self._read = check.isChecked
        self._write = lambda value: check.setChecked(bool(value))
        return check

    def _make_choice(self) -> QWidget:
        box = QComboBox()
        box.addItems(self.field.choices)
        box.currentIndexChanged.connect(lambda _index: self._edit())
        self._read = box.currentText
        self._write = lambda value: box.setCurrentText(str(value))
        return box

    def _make_lines(self) -> QWidget:
        text = QPlainTextEdit()
        text.setTabChangesFocus(True)
        text.setFont(theme.mono_font(-0.5))
        lines = max(2, min(6, to_text(self.field, self._untouched).count("\n") + 2))
        text.setFixedHeight(QFontMetrics(text.font()).lineSpacing() * lines + 14)
        hints = {"lines": "One a line", "pairs": "name = value, one a line", "json": "JSON"}
        text.setPlaceholderText(hints[self.field.kind])
        text.textChanged.connect(self._edit)
        self._read = text.toPlainText
        self._write = lambda value: text.setPlainText(to_text(self.field, value))
        return text

    def _edit(self) -> None:
        self.touched = True
        self.edited.emit()

    def _reset(self) -> None:
        self.reset.emit()

    def raw(self) -> Any:
        """The value as typed. Raises ValueError when the text cannot be read at all."""
        found = self._read()
        return from_text(self.field, found) if isinstance(found, str) else found

    def set_value(self, value: Any) -> None:
        """Put a value into the input, as if typed."""
        self._write(value)

    def show_problem(self, words: str) -> None:
        """Say what is wrong, or that nothing is ("")."""
        self.problem.setText(words)
        self.problem.setVisible(bool(words))
        theme.mark(self.input, state="error" if words else "")

    def show_changed(self, changed: bool) -> None:
        """Mark a value that differs from the default (or from the studio's)."""
        self._mark.set_look(Role.ACCENT if changed else Role.BORDER_STRONG, "disc" if changed else "point")
        self._mark.setToolTip("Differs from the default" if changed else "")
        self.help.setText(f"{self._about} {self._usual}".rstrip() if changed else self._about)
        self.back.setEnabled(changed)


@dataclass
class _Form:
    """The fields of one section for the studio or one show; what was typed into it waits there until it is saved."""

    section: str
    project: str | None
    model: type[BaseModel]
    values: dict[str, Any]
    usual: dict[str, Any]
    holder: QWidget
    rows: dict[str, FieldRow] = field(default_factory=dict)
    resets: set[str] = field(default_factory=set)

    def edits(self) -> int:
        """How many settings differ from what is saved."""
        return len(self.resets) + sum(row.touched for row in self.rows.values())

    def is_wrong(self) -> bool:
        """Whether something that was typed cannot be used."""
        return any(row.touched and not row.problem.isHidden() for row in self.rows.values())


class SettingsDialog(Dialog):
    """Sections at the left, their fields at the right, a choice of show at the top.

    Signals:
        saved: the section that was written.
        assistant_wanted: the studio shall be connected step by step instead; the dialog is closed.
    """

    saved = Signal(str)
    assistant_wanted = Signal()

    def __init__(
        self, hub: Hub, section: str = "", parent: QWidget | None = None, store: SettingsStore | None = None
    ) -> None:
        super().__init__("Settings", "", parent)
        self.setObjectName("settings_dialog")
        self.resize(820, 620)
        self._hub = hub
        self._store = store if store is not None else default_store()
        self._beside_a_service = JournalLock.held_by_another_account(hub.folder)
        self._section = ""
        self._form = _Form("", None, BaseModel, {}, {}, QWidget(self))
        self._waiting: dict[tuple[str, str | None], _Form] = {}
        self._words: dict[str, str] = {}
        self._build()
        self._fill_sections(section)
        self._store.reload_if_changed()
        if self._store.problem:
            self.about.setText(f"The file is not used as it is now: {self._store.problem}")
            self.about.show()

    # Building

    def _build(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(14)
        self.sections = QListWidget()
        self.sections.setAccessibleName("Sections")
        self.sections.setFixedWidth(196)
        self.sections.setSpacing(3)
        self.sections.currentItemChanged.connect(lambda _now, _before: self._section_chosen())
        row.addWidget(self.sections)
        right = QVBoxLayout()
        right.setSpacing(6)
        top = QHBoxLayout()
        self.search = QLineEdit()
        self.search.setPlaceholderText("Find a setting")
        self.search.setAccessibleName("Find a setting")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._find)
        top.addWidget(self.search, 1)
        self.show_box = QComboBox()
        self.show_box.setAccessibleName("For which show")
        self.show_box.setMinimumWidth(180)
        self.show_box.addItem("The whole studio", None)
        for name in self._hub.snapshot.projects:
            self.show_box.addItem(f"Only {name}", name)
        self.show_box.currentIndexChanged.connect(lambda _index: self._fill())
        top.addWidget(self.show_box)
        right.addLayout(top)
        self._area = QScrollArea()
        # The keyboard goes to what is in it.
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        right.addWidget(self._area, 1)
        row.addLayout(right, 1)
        self.body.addLayout(row, 1)
        self.path = QLabel(str(self._store.path))
        theme.mark(self.path, kind="muted")
        self.path.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.foot.insertWidget(0, self.path)
        self.assistant = QPushButton("Connect the studio…")
        self.assistant.setToolTip("Site, drives, Slack, people and farm step by step, each tried before it is kept")
        self.assistant.setAutoDefault(False)
        self.assistant.clicked.connect(self._connect)
        self.foot.insertWidget(1, self.assistant)
        self.close_ = self.add_cancel("Close")
        self.save = self.add_button("Save", "primary", default=True)
        self.save.setEnabled(False)
        self.save.clicked.connect(self._save)

    def _connect(self) -> None:
        # What is kept step by step would be written over by a form that is left open on older values.
        self._leave(self._to_assistant)

    def _to_assistant(self) -> None:
        self.accept()
        self.assistant_wanted.emit()

    def reject(self) -> None:
        """Close; what was typed and not saved is asked about first."""
        self._leave(self._go)

    def _go(self) -> None:
        super().reject()

    def _leave(self, does: Callable[[], None]) -> None:
        forms = self._edited_forms()
        if not forms:
            does()
            return
        total = sum(form.edits() for form in forms)
        items = [f"{self._title(form)}: {many(form.edits(), 'change')}" for form in forms]
        ask = Confirm(f"Leave {many(total, 'change')} unsaved?", "", items, "Discard", self, danger=True)
        ask.setObjectName("confirm_discard")
        ask.cancel.setText("Keep editing")
        ask.prefer_cancel()
        ask.accepted.connect(does)
        ask.open()

    def _title(self, form: _Form) -> str:
        title = next((text for name, text in self._sections() if name == form.section), form.section)
        return f"{title} ({form.project})" if form.project else title

    def _sections(self) -> list[tuple[str, str]]:
        choices = [(name, _NAMES.get(name, name)) for name in SECTIONS]
        for row in self._hub.snapshot.catalogue:
            prefix = "handlers" if row.kind == "handler" else "actions"
            if row.settings_schema.get("properties"):
                choices.append((f"{prefix}.{row.id}", row.title))
        return choices

    def _fill_sections(self, wanted: str) -> None:
        wanted_row = 0
        for name, title in self._sections():
            item = QListWidgetItem(title)
            item.setData(Qt.ItemDataRole.UserRole, name)
            self.sections.addItem(item)
            if name == wanted or name.rsplit(".", 1)[-1] == wanted:
                wanted_row = self.sections.count() - 1
        self.sections.setCurrentRow(wanted_row)

    def _section_chosen(self) -> None:
        item = self.sections.currentItem()
        if item is not None:
            self._section = str(item.data(Qt.ItemDataRole.UserRole))
            self._fill()

    def _schema(self, section: str) -> Mapping[str, Any]:
        if section in SECTIONS:
            return SECTIONS[section].model_json_schema()
        wanted = section.split(".", 1)[1]
        return next(row.settings_schema for row in self._hub.snapshot.catalogue if row.id == wanted)

    def _project(self) -> str | None:
        name = self.show_box.currentData()
        return str(name) if name else None

    def _fill(self) -> None:
        """Show the chosen section, with what was typed into it and is not saved yet."""
        if self._form.edits():
            self._waiting[self._form.section, self._form.project] = self._form
            kept = self._area.takeWidget()
            kept.setParent(self)
            kept.hide()
        key = self._section, self._project()
        self._form = self._waiting.pop(key) if key in self._waiting else self._make_form(*key)
        self._area.setWidget(self._form.holder)
        self._order_tabs()
        self._form.holder.show()
        self._find()
        self._judge()

    def _order_tabs(self) -> None:
        """The foot comes after the form, which is younger than the foot."""
        # The list of a choice is a window of its own.
        widgets = [widget for widget in self._form.holder.findChildren(QWidget) if widget.window() is self]
        inputs = [widget for widget in widgets if widget.focusPolicy() & Qt.FocusPolicy.TabFocus]
        for before, after in pairwise([*inputs[-1:], self.assistant, self.close_, self.save]):
            self.setTabOrder(before, after)

    def _make_form(self, section: str, project: str | None) -> _Form:
        schema = self._schema(section)
        model = self._store.declared().get(section) or model_of("Settings", schema)
        try:
            values = self._store.section(section, model, project).model_dump(mode="json")
            usual = model().model_dump(mode="json")
            if project is not None:
                usual = self._store.section(section, model).model_dump(mode="json")
            changed = self._store.changed(section, project)
        except SettingsError as error:
            values = usual = model().model_dump(mode="json")
            changed = set()
            self.about.setText(str(error))
            self.about.show()
        form = _Form(section, project, model, values, usual, QWidget())
        column = QVBoxLayout(form.holder)
        column.setContentsMargins(2, 0, 10, 0)
        column.setSpacing(0)
        for one in fields_of(schema):
            row = self._make_row(form, one, changed=one.name in changed)
            form.rows[one.name] = row
            column.addWidget(row)
        column.addStretch(1)
        return form

    def _make_row(self, form: _Form, one: FormField, *, changed: bool) -> FieldRow:
        locked = "" if form.project is None or one.per_project else "The same for every show."
        if self._hub.read_only:
            locked = "Read-only."
        whose = "Default" if form.project is None else "The studio's"
        usual = f"{whose}: {_brief(one, form.usual.get(one.name))}." if one.kind != "secret" else ""
        note = self._note(one)
        value = form.values.get(one.name)
        row = FieldRow(one, value, changed=changed, locked=locked, note=note, usual="" if locked else usual)
        row.edited.connect(partial(self._edited, row))
        row.reset.connect(partial(self._reset, row))
        return row

    def _note(self, field: FormField) -> str:
        """A secret typed beside an event server of another account never reaches that one."""
        if field.kind != "secret" or not self._beside_a_service:
            return ""
        return of_a_service(f"{self._section}.{field.name}", self._store.path)

    # Editing

    def row(self, name: str) -> FieldRow:
        """The row of a setting. Raises KeyError."""
        return self._form.rows[name]

    def _edited(self, row: FieldRow) -> None:
        self._form.resets.discard(row.field.name)
        row.show_problem(self._problem(row))
        row.show_changed(True)
        self._judge()

    def _problem(self, row: FieldRow) -> str:
        if row.field.kind == "secret":
            return ""
        try:
            value = row.raw()
        except ValueError as error:
            return str(error)
        return problem_of(self._form.model, self._form.values, row.field.name, value)

    def _reset(self, row: FieldRow) -> None:
        name = row.field.name
        row.set_value(self._form.usual.get(name))
        row.touched = False
        row.show_problem("")
        row.show_changed(False)
        self._form.resets.add(name)
        self._judge()

    def _edited_forms(self) -> list[_Form]:
        return [form for form in (*self._waiting.values(), self._form) if form.edits()]

    def _judge(self) -> None:
        forms = self._edited_forms()
        total = sum(form.edits() for form in forms)
        self.save.setEnabled(total > 0 and not any(form.is_wrong() for form in forms) and not self._hub.read_only)
        self.save.setText(f"Save {many(total, 'change')}" if total else "Save")
        edited = {form.section for form in forms}
        for item in self._items():
            mine = item.data(Qt.ItemDataRole.UserRole) in edited
            item.setFont(theme.ui_font(weight=QFont.Weight.DemiBold if mine else QFont.Weight.Normal))
            item.setToolTip("Changed and not saved yet" if mine else "")

    def _items(self) -> list[QListWidgetItem]:
        return [self.sections.item(row) for row in range(self.sections.count())]

    def _find(self) -> None:
        """Leave what was searched: sections that have it, and in the chosen one its fields."""
        wanted = self.search.text().strip().casefold()
        for item in self._items():
            item.setHidden(not self._hits(item, wanted))
        now = self.sections.currentItem()
        hits = [item for item in self._items() if not item.isHidden()]
        if now is not None and now.isHidden() and hits:
            # Choosing it comes here again, with fields of its own.
            self.sections.setCurrentItem(hits[0])
            return
        whole = now is not None and wanted in now.text().casefold()
        for row in self._form.rows.values():
            row.setVisible(whole or wanted in _searched(row.field))

    def _hits(self, item: QListWidgetItem, wanted: str) -> bool:
        section = str(item.data(Qt.ItemDataRole.UserRole))
        if section not in self._words:
            fields = fields_of(self._schema(section))
            self._words[section] = "\n".join([item.text().casefold(), *(_searched(one) for one in fields)])
        return wanted in self._words[section]

    def _save(self) -> None:
        forms = self._edited_forms()
        for form in forms:
            if not self._save_form(form):
                return
        for form in self._waiting.values():
            form.holder.deleteLater()
        self._waiting = {}
        self._form.resets.clear()
        for row in self._form.rows.values():
            row.touched = False
        self._hub.order("reload_settings", {}, "Settings saved")
        for section in dict.fromkeys(form.section for form in forms):
            self.saved.emit(section)
        self._fill()

    def _save_form(self, form: _Form) -> bool:
        """Write one section; what cannot be written is shown where it stands."""
        self._store.declare(form.section, form.model)
        for name, row in form.rows.items():
            try:
                if name in form.resets:
                    self._store.reset(form.section, name, form.project)
                elif row.touched:
                    value = row.raw()
                    if row.field.kind != "secret":
                        value = checked(form.model, form.values, name, value)
                    self._store.set(form.section, name, value, form.project)
            except (SettingsError, ValueError, OSError) as error:
                row.show_problem(str(error))
                self._go_to(form)
                return False
        return True

    def _go_to(self, form: _Form) -> None:
        self.search.clear()
        self.show_box.setCurrentIndex(self.show_box.findData(form.project) if form.project else 0)
        for item in self._items():
            if item.data(Qt.ItemDataRole.UserRole) == form.section:
                self.sections.setCurrentItem(item)
        self._judge()


def _searched(one: FormField) -> str:
    return f"{one.name} {one.title} {one.help}".casefold()


def _brief(one: FormField, value: Any) -> str:
    """A value in a few words: "yes", "2775", "Animation, Lighting and 2 more"."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    lines = to_text(one, value).splitlines()
    text = ", ".join(lines[:3]) + (f" and {len(lines) - 3} more" if len(lines) > 3 else "")
    if not text:
        return "empty"
    return text if len(text) <= _BRIEF else f"{text[:_BRIEF]}…"


def default_store() -> SettingsStore:
    """The store of this installation's settings file."""
    from app.settings.paths import settings_path

    return SettingsStore(settings_path())
