"""Find and replace, a strip under the editor."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from ui import theme
from ui.compiler.editor import CodeEditor, FindQuery
from ui.compiler.parts import label, push_button, tool_button


class FindBar(QFrame):
    """Works on one editor; hidden until asked for."""

    def __init__(self, editor: CodeEditor, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._editor = editor
        theme.mark(self, kind="foot")
        self.find_text = QLineEdit(placeholderText="Find")
        self.replace_text = QLineEdit(placeholderText="Replace with")
        self.case = tool_button(tip="Match case", text="Aa", checkable=True)
        self.word = tool_button(tip="Whole words", text="\u201cw\u201d", checkable=True)
        self.regex = tool_button(tip="Regular expression", text=".*", checkable=True)
        self.found = label("", "muted")
        self.found.setMinimumWidth(90)
        self._replace_row = QWidget()
        self._timer = QTimer(self, singleShot=True, interval=80)
        self._timer.timeout.connect(self._search)
        self._build()
        self.find_text.textChanged.connect(lambda _text: self._timer.start())
        for button in (self.case, self.word, self.regex):
            button.toggled.connect(lambda _on: self._search())
        self.hide()

    def _build(self) -> None:
        first = QHBoxLayout()
        first.setSpacing(theme.SPACE.XS)
        for widget in (self.find_text, self.case, self.word, self.regex):
            first.addWidget(widget)
        first.addWidget(tool_button("chevron-up", "Previous match (Shift+Enter)", self.previous))
        first.addWidget(tool_button("chevron-down", "Next match (Enter)", self.next))
        first.addWidget(self.found)
        first.addWidget(tool_button("close", "Close (Esc)", self.dismiss))
        second = QHBoxLayout(self._replace_row)
        second.setContentsMargins(0, 0, 0, 0)
        second.setSpacing(theme.SPACE.XS)
        second.addWidget(self.replace_text)
        second.addWidget(push_button("Replace", self.replace))
        second.addWidget(push_button("Replace all", self.replace_all))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(theme.SPACE.M, 6, theme.SPACE.S, 6)
        layout.setSpacing(theme.SPACE.XS)
        layout.addLayout(first)
        layout.addWidget(self._replace_row)

    def start(self, *, replacing: bool = False) -> None:
        """Show it, with the selection as what to look for."""
        selected = self._editor.selected_text()
        if selected and "\n" not in selected:
            self.find_text.setText(selected)
        self._replace_row.setVisible(replacing)
        self.show()
        self.find_text.setFocus()
        self.find_text.selectAll()
        self._search()

    def dismiss(self) -> None:
        """Hide it and give the focus back to the text."""
        self.hide()
        self._editor.count(FindQuery(""))
        self._editor.setFocus()

    def query(self) -> FindQuery:
        """What is looked for now."""
        return FindQuery(self.find_text.text(), self.case.isChecked(), self.word.isChecked(), self.regex.isChecked())

    def next(self) -> None:
        """Go to the next match."""
        self._editor.find_next(self.query())

    def previous(self) -> None:
        """Go to the match before."""
        self._editor.find_next(self.query(), backwards=True)

    def replace(self) -> None:
        """Replace the match that is selected, then go to the next."""
        self._editor.replace(self.query(), self.replace_text.text())
        self._count()

    def replace_all(self) -> None:
        """Replace every match in one step."""
        count = self._editor.replace_all(self.query(), self.replace_text.text())
        self._count()
        self.found.setText(f"{count:,} replaced")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self.previous()
            elif self.replace_text.hasFocus():
                self.replace()
            else:
                self.next()
        else:
            super().keyPressEvent(event)

    def _search(self) -> None:
        if not self.isVisible():
            return
        self._count()
        self._editor.find_next(self.query(), from_selection_start=True)

    def _count(self) -> None:
        query = self.query()
        count = self._editor.count(query)
        broken = bool(query.text) and query.pattern() is None
        theme.mark(self.find_text, state="error" if broken or (query.text and not count) else "")
        words = f"{count:,} match{'' if count == 1 else 'es'}"
        self.found.setText("not a valid pattern" if broken else words if query.text else "")
