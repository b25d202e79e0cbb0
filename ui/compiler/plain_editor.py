"""The plain editor: Qt's text widget with a regular-expression highlighter. It edits and saves wherever Qt runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, QStringListModel, Qt
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QSyntaxHighlighter,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
)
from PySide6.QtWidgets import QCompleter, QFrame, QListView, QPlainTextEdit, QTextEdit, QToolTip, QVBoxLayout, QWidget

from app.jobs.api import Diagnostic, Severity
from ui import theme
from ui.compiler import language
from ui.compiler.editor import CodeEditor, by_place
from ui.theme import Role

_ROLE = {Severity.ERROR: Role.ERROR, Severity.WARNING: Role.WARNING, Severity.INFO: Role.INFO}
_RULES: tuple[tuple[Role, re.Pattern[str]], ...] = (
    (Role.CODE_NUMBER, re.compile(r"\b(?:0[xX][\da-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\b")),
    (Role.CODE_KEYWORD, re.compile(r"\b(?:" + "|".join(language.KEYWORDS.split()) + r")\b")),
    (Role.CODE_API, re.compile(r"\b(?:" + "|".join(language.GLOBALS.split()) + r")\b")),
)
# Strings, templates, comments and the start of a block comment, in the order they are met on the line.
_TOKENS = re.compile(r"""("(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|`(?:\\.|[^`\\])*`)|(//.*)|(/\*.*?\*/)|(/\*|`)""")
_IN_COMMENT, _IN_TEMPLATE = 1, 2


class _Highlighter(QSyntaxHighlighter):
    """Colours one line at a time; block comments and templates carry over by the block's state."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        self.formats: dict[Role, QTextCharFormat] = {}
        self.restyle()

    def restyle(self) -> None:
        self.formats = {}
        roles = (Role.CODE_NUMBER, Role.CODE_KEYWORD, Role.CODE_API, Role.CODE_STRING, Role.CODE_COMMENT)
        for role in roles:
            made = QTextCharFormat()
            made.setForeground(theme.current().colour(role))
            self.formats[role] = made
        self.rehighlight()

    def highlightBlock(self, text: str) -> None:
        start = 0
        self.setCurrentBlockState(0)
        if self.previousBlockState() in (_IN_COMMENT, _IN_TEMPLATE):
            start = self._continue(text, 0, self.previousBlockState())
        if start < 0:
            return
        for role, pattern in _RULES:
            for match in pattern.finditer(text, start):
                self.setFormat(match.start(), match.end() - match.start(), self.formats[role])
        while token := _TOKENS.search(text, start):
            if token.group(4):
                start = self._continue(text, token.start(), _IN_COMMENT if token.group(4) == "/*" else _IN_TEMPLATE)
                if start < 0:
                    return
                continue
            role = Role.CODE_STRING if token.group(1) else Role.CODE_COMMENT
            self.setFormat(token.start(), token.end() - token.start(), self.formats[role])
            start = token.end()

    def _continue(self, text: str, start: int, state: int) -> int:
        """Colour from `start` to the end of what `state` is in; where it ends, or -1 when it runs on."""
        role, closing = (Role.CODE_COMMENT, "*/") if state == _IN_COMMENT else (Role.CODE_STRING, "`")
        skip = 0 if self.previousBlockState() == state and start == 0 else len(closing)
        end = text.find(closing, start + skip)
        if end < 0:
            self.setFormat(start, len(text) - start, self.formats[role])
            self.setCurrentBlockState(state)
            return -1
        self.setFormat(start, end + len(closing) - start, self.formats[role])
        return end + len(closing)


class _Numbers(QWidget):
    """The strip of line numbers."""

    def __init__(self, text: _Text) -> None:
        super().__init__(text)
        self._text = text

    def sizeHint(self) -> QSize:
        return QSize(self._text.numbers_width(), 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        self._text.paint_numbers(event)


class _Text(QPlainTextEdit):
    """QPlainTextEdit with line numbers, auto-indent and a completion list."""

    def __init__(self, owner: PlainEditor) -> None:
        super().__init__(owner)
        self.owner = owner
        self.numbers = _Numbers(self)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setStyleSheet("QPlainTextEdit { border: 0; border-radius: 0; padding: 0; }")
        self.blockCountChanged.connect(lambda _n: self.fit_numbers())
        self.updateRequest.connect(self._scrolled)
        self.names = QStringListModel(self)
        self.completer = QCompleter(self.names, self)
        self.popup = QListView()
        self.completer.setPopup(self.popup)
        self.completer.setWidget(self)
        self.completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.completer.activated.connect(self._complete)

    def numbers_width(self) -> int:
        return self.fontMetrics().horizontalAdvance("9") * (len(str(self.blockCount())) + 2) + theme.SPACE.S

    def fit_numbers(self) -> None:
        self.setViewportMargins(self.numbers_width(), 0, 0, 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        inside = self.contentsRect()
        self.numbers.setGeometry(QRect(inside.left(), inside.top(), self.numbers_width(), inside.height()))

    def _scrolled(self, area: QRect, dy: int) -> None:
        if dy:
            self.numbers.scroll(0, dy)
        else:
            self.numbers.update(0, area.y(), self.numbers.width(), area.height())

    def paint_numbers(self, event: QPaintEvent) -> None:
        look = theme.current()
        painter = QPainter(self.numbers)
        painter.fillRect(event.rect(), look.colour(Role.SUNKEN))
        painter.setFont(self.font())
        marks = {found.line: _ROLE[found.severity] for found in reversed(self.owner.diagnostics())}
        block = self.firstVisibleBlock()
        top = self.blockBoundingGeometry(block).translated(self.contentOffset()).top()
        width = self.numbers.width() - theme.SPACE.S
        while block.isValid() and top <= event.rect().bottom():
            height = self.blockBoundingRect(block).height()
            line = block.blockNumber() + 1
            painter.setPen(look.colour(marks.get(line, Role.CODE_COMMENT)))
            painter.drawText(QRect(0, int(top), width, int(height)), Qt.AlignmentFlag.AlignRight, str(line))
            top += height
            block = block.next()
        painter.end()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        popup = self.popup
        if popup.isVisible() and event.key() in (
            Qt.Key.Key_Return,
            Qt.Key.Key_Tab,
            Qt.Key.Key_Escape,
            Qt.Key.Key_Enter,
        ):
            event.ignore()
            return
        cursor = self.textCursor()
        before = cursor.block().text()[: cursor.positionInBlock()]
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            cursor.insertText("\n" + language.indent_after(before))
            self.setTextCursor(cursor)
            return
        if event.key() == Qt.Key.Key_Tab and not cursor.hasSelection():
            cursor.insertText(" " * (language.INDENT - len(before) % language.INDENT))
            return
        super().keyPressEvent(event)
        if event.text() in tuple("}])"):
            self._outdent()
        elif event.text() == "." or popup.isVisible():
            self.propose()

    def _outdent(self) -> None:
        cursor = self.textCursor()
        moved = language.outdented(cursor.block().text()[: cursor.positionInBlock()])
        if moved is not None:
            cursor.movePosition(QTextCursor.MoveOperation.StartOfBlock, QTextCursor.MoveMode.KeepAnchor)
            cursor.insertText(moved)

    def propose(self) -> None:
        cursor = self.textCursor()
        path = language.word_before(cursor.block().text(), cursor.positionInBlock())
        found = self.owner.vocabulary.complete(path, self.toPlainText())
        self.names.setStringList([proposal.label for proposal in found])
        self.completer.setCompletionPrefix(path.rpartition(".")[2])
        if not found or language.in_comment_or_string(cursor.block().text(), cursor.positionInBlock()):
            self.popup.hide()
            return
        area = self.cursorRect()
        area.setWidth(260)
        self.completer.complete(area)
        self.popup.setCurrentIndex(self.completer.completionModel().index(0, 0))

    def _complete(self, label: str) -> None:
        cursor = self.textCursor()
        prefix = len(self.completer.completionPrefix())
        cursor.movePosition(QTextCursor.MoveOperation.Left, QTextCursor.MoveMode.KeepAnchor, prefix)
        cursor.insertText(label)
        self.setTextCursor(cursor)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip:
            self._help(cast(QHelpEvent, event).pos(), cast(QHelpEvent, event).globalPos())
            return True
        return super().event(event)

    def _help(self, at: QPoint, on_screen: QPoint) -> None:
        cursor = self.cursorForPosition(self.viewport().mapFrom(self, at))
        line = cursor.blockNumber() + 1
        found = [found.message for found in self.owner.diagnostics() if found.line == line]
        word = language.word_at(cursor.block().text(), cursor.positionInBlock())
        text = "\n".join(found) or self.owner.vocabulary.help(word)
        if text:
            QToolTip.showText(on_screen, text, self)
        else:
            QToolTip.hideText()


class PlainEditor(CodeEditor):
    """See `CodeEditor`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._edit = _Text(self)
        self._loading = False
        self._matches: list[tuple[int, int]] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._edit)
        self.setFocusProxy(self._edit)
        self._highlighter = _Highlighter(self._edit.document())
        self.restyle()
        self._edit.textChanged.connect(self._on_change)
        self._edit.cursorPositionChanged.connect(self._on_cursor)
        theme.notifier().changed.connect(self.restyle)

    def restyle(self) -> None:
        """Take the colours of the theme that is on."""
        self._edit.setFont(theme.mono_font())
        self._edit.setTabStopDistance(self._edit.fontMetrics().horizontalAdvance(" ") * language.INDENT)
        self._edit.fit_numbers()
        self._loading = True
        self._highlighter.restyle()
        self._loading = False
        self._mark()

    def _on_change(self) -> None:
        if not self._loading:
            self.edited.emit()

    def _on_cursor(self) -> None:
        self._mark()
        self.cursor_moved.emit(*self.cursor_position())

    # -- text --------------------------------------------------------------------------------------------------------

    def text(self) -> str:
        return self._edit.toPlainText()

    def set_text(self, text: str) -> None:
        self._loading = True
        self._edit.setPlainText(text.replace("\r\n", "\n"))
        self._loading = False
        self.set_diagnostics([])

    def replace_text(self, text: str) -> None:
        if text == self.text():
            return
        line, column = self.cursor_position()
        cursor = QTextCursor(self._edit.document())
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
        self.goto(line, column)

    def set_read_only(self, read_only: bool) -> None:
        self._edit.setReadOnly(read_only)

    # -- cursor ------------------------------------------------------------------------------------------------------

    def _position(self, line: int, column: int) -> int:
        document = self._edit.document()
        block = document.findBlockByNumber(min(max(line, 1), document.blockCount()) - 1)
        return block.position() + min(max(column, 1), block.length()) - 1

    def cursor_position(self) -> tuple[int, int]:
        cursor = self._edit.textCursor()
        return cursor.blockNumber() + 1, cursor.positionInBlock() + 1

    def goto(self, line: int, column: int = 1) -> None:
        cursor = self._edit.textCursor()
        cursor.setPosition(self._position(line, column))
        self._edit.setTextCursor(cursor)
        self._edit.centerCursor()
        self._edit.setFocus()

    def selected_text(self) -> str:
        return self._edit.textCursor().selectedText().replace("\u2029", "\n")

    # -- editing -----------------------------------------------------------------------------------------------------

    def undo(self) -> None:
        self._edit.undo()

    def redo(self) -> None:
        self._edit.redo()

    def toggle_comment(self) -> None:
        cursor = self._edit.textCursor()
        document = self._edit.document()
        first, last = document.findBlock(cursor.selectionStart()), document.findBlock(cursor.selectionEnd())
        if last.position() == cursor.selectionEnd() and last.blockNumber() > first.blockNumber():
            last = last.previous()
        lines = [document.findBlockByNumber(at).text() for at in range(first.blockNumber(), last.blockNumber() + 1)]
        cursor.setPosition(first.position())
        cursor.setPosition(last.position() + last.length() - 1, QTextCursor.MoveMode.KeepAnchor)
        cursor.insertText("\n".join(language.toggle_comment(lines)))
        if len(lines) > 1:
            cursor.setPosition(first.position(), QTextCursor.MoveMode.KeepAnchor)
        self._edit.setTextCursor(cursor)

    def show_completions(self) -> None:
        self._edit.propose()

    # -- search ------------------------------------------------------------------------------------------------------

    def _units(self, text: str) -> int:
        """Qt counts UTF-16 units."""
        return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2

    def _selected_span(self) -> tuple[int, int]:
        cursor = self._edit.textCursor()
        return cursor.selectionStart(), cursor.selectionEnd()

    def _select(self, start: int, end: int) -> None:
        cursor = self._edit.textCursor()
        cursor.setPosition(start)
        cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        self._edit.setTextCursor(cursor)

    def _replace_selection(self, text: str) -> None:
        self._edit.textCursor().insertText(text)

    def _show_matches(self, spans: Sequence[tuple[int, int]]) -> None:
        self._matches = list(spans)
        self._mark()

    # -- marks -------------------------------------------------------------------------------------------------------

    def set_diagnostics(self, diagnostics: Sequence[Diagnostic]) -> None:
        self._diagnostics = by_place(diagnostics)
        self._mark()
        self._edit.numbers.update()

    def _mark(self) -> None:
        """Current line, brackets, matches and findings, as Qt's extra selections."""
        look = theme.current()
        shown: list[QTextEdit.ExtraSelection] = []
        line = self._selection(self._edit.textCursor().position(), self._edit.textCursor().position())
        line.format.setBackground(look.colour(Role.CODE_LINE))
        line.format.setProperty(QTextFormat.Property.FullWidthSelection, True)
        shown.append(line)
        for start, end in self._matches[:500]:
            shown.append(self._selection(start, end, ground=look.colour(Role.WARNING_FILL)))
        shown.extend(self._bracket_marks())
        for found in self._diagnostics:
            if not 0 < found.line <= self._edit.document().blockCount():
                continue
            start = self._position(found.line, max(found.column, 1))
            block = self._edit.document().findBlock(start)
            rest = block.text()[start - block.position() :]
            word = re.match(r"[\w$]+|.", rest)
            made = self._selection(start, start + (len(word.group()) if word else 0))
            made.format.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
            made.format.setUnderlineColor(look.colour(_ROLE[found.severity]))
            shown.append(made)
        self._edit.setExtraSelections(shown)

    def _bracket_marks(self) -> list[QTextEdit.ExtraSelection]:
        here = self._edit.textCursor().position()
        text = self.text() if self._edit.document().characterCount() < 400_000 else ""
        for at in (here - 1, here):
            if 0 <= at < len(text) and text[at] in "()[]{}":
                other = language.matching_bracket(text, at)
                ground = theme.current().colour(Role.SELECTION if other >= 0 else Role.ERROR_FILL)
                return [self._selection(place, place + 1, ground=ground) for place in {at, other} if place >= 0]
        return []

    def _selection(self, start: int, end: int, ground: QColor | None = None) -> QTextEdit.ExtraSelection:
        made = QTextEdit.ExtraSelection()
        cursor = QTextCursor(self._edit.document())
        last = self._edit.document().characterCount() - 1
        cursor.setPosition(min(start, last))
        cursor.setPosition(min(end, last), QTextCursor.MoveMode.KeepAnchor)
        made.cursor = cursor
        if ground is not None:
            made.format.setBackground(ground)
        return made
