"""The native editor: Scintilla with Lexilla's C-family lexer set up for JavaScript.

Importing this module raises ImportError where the binary does not fit the installed PySide6; `make_editor` then takes
the plain editor.
"""

from __future__ import annotations

from collections.abc import Sequence

from lexilla import Language, create_lexer
from lexilla.pyside6_scintilla import set_lexer
from PySide6.QtCore import QByteArray, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QFrame, QListWidget, QVBoxLayout, QWidget
from pyside6_scintilla import ScintillaEdit

from app.jobs.api import Diagnostic, Severity
from ui import theme
from ui.compiler import language
from ui.compiler.editor import CodeEditor, by_place
from ui.theme import Role

# Lexilla's style numbers of the C-family lexer, and the colour role each is drawn in.
_STYLES = {
    0: Role.TEXT,
    1: Role.CODE_COMMENT,
    2: Role.CODE_COMMENT,
    3: Role.CODE_COMMENT,
    4: Role.CODE_NUMBER,
    5: Role.CODE_KEYWORD,
    6: Role.CODE_STRING,
    7: Role.CODE_STRING,
    9: Role.CODE_COMMENT,
    10: Role.CODE_OPERATOR,
    11: Role.TEXT,
    12: Role.ERROR,
    14: Role.CODE_REGEX,
    15: Role.CODE_COMMENT,
    16: Role.CODE_API,
    19: Role.CODE_API,
    20: Role.CODE_STRING,
    27: Role.CODE_NUMBER,
}
_DEFAULT, _LINE_NUMBER, _BRACE, _BRACE_BAD, _GUIDE, _CALL_TIP = 32, 33, 34, 35, 37, 38
_NOTE_STYLE = 40  # three styles of end-of-line notes: error, warning, info
_MARK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
_UNDERLINE = {Severity.ERROR: 8, Severity.WARNING: 9, Severity.INFO: 10}
_ROLE = {Severity.ERROR: Role.ERROR, Severity.WARNING: Role.WARNING, Severity.INFO: Role.INFO}
_MATCHES = 11
_NUMBERS, _MARKS, _FOLDS = 0, 1, 2
_BRACKETS = b"()[]{}"
_MAX_MATCHES_SHOWN = 2000
_INSERTED, _DELETED = 1, 2


def _storable(text: str) -> str:
    """Scintilla holds UTF-8 up to the first NUL: lone surrogates and NULs become the replacement character."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


def _utf8(raw: QByteArray) -> str:
    return str(raw.data(), "utf-8", "replace").rstrip("\0")


def _bgr(colour: QColor) -> int:
    return colour.red() | colour.green() << 8 | colour.blue() << 16


class ScintillaEditor(CodeEditor):
    """See `CodeEditor`. Scintilla counts bytes of UTF-8; this class is where lines and columns become positions."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sci = ScintillaEdit(self)
        self._loading = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._sci)
        self.setFocusProxy(self._sci)
        self._set_up_language()
        self._set_up_margins()
        self.restyle()
        # Only insertions and deletions: `notifyChange` also tells of colours and marks.
        self._sci.setModEventMask(_INSERTED | _DELETED)
        self._sci.modified.connect(self._on_modified)
        self._sci.charAdded.connect(self._on_char)
        self._sci.updateUi.connect(self._on_update)
        self._sci.marginClicked.connect(self._on_margin)
        self._sci.dwellStart.connect(self._on_dwell)
        self._sci.dwellEnd.connect(lambda _x, _y: self._sci.callTipCancel())
        theme.notifier().changed.connect(self.restyle)

    # -- set-up ------------------------------------------------------------------------------------------------------

    def _set_up_language(self) -> None:
        sci = self._sci
        lexer = create_lexer(Language.CPP)
        if lexer is None:
            raise ImportError("lexilla has no C-family lexer")
        set_lexer(sci, lexer)
        for name, value in (
            ("fold", "1"),
            ("fold.comment", "1"),
            ("fold.compact", "0"),
            ("lexer.cpp.track.preprocessor", "0"),
            ("lexer.cpp.backquoted.strings", "1"),
            ("styling.within.preprocessor", "0"),
        ):
            sci.setProperty(name, value)
        sci.setKeyWords(0, language.KEYWORDS)
        sci.setKeyWords(1, language.GLOBALS)
        sci.setKeyWords(3, language.GLOBALS)
        sci.setTabWidth(language.INDENT)
        sci.setIndent(language.INDENT)
        sci.setUseTabs(False)
        sci.setTabIndents(True)
        sci.setBackSpaceUnIndents(True)
        sci.setIndentationGuides(3)
        sci.setMultipleSelection(True)
        sci.setAdditionalSelectionTyping(True)
        sci.setEndAtLastLine(False)
        sci.setScrollWidth(200)
        sci.setScrollWidthTracking(True)
        sci.setMouseDwellTime(450)
        sci.setEOLMode(2)
        sci.setPasteConvertEndings(True)
        sci.autoCSetIgnoreCase(True)
        sci.autoCSetSeparator(10)
        sci.autoCSetMaxHeight(10)
        sci.autoCSetDropRestOfWord(True)
        sci.eOLAnnotationSetVisible(1)
        sci.setYCaretPolicy(0x01 | 0x04, 3)
        sci.setVisiblePolicy(0x01 | 0x04, 3)
        sci.setFrameShape(QFrame.Shape.NoFrame)

    def _set_up_margins(self) -> None:
        sci = self._sci
        sci.setMarginTypeN(_NUMBERS, 1)
        sci.setMarginTypeN(_MARKS, 0)
        sci.setMarginMaskN(_MARKS, 0b111)
        sci.setMarginWidthN(_MARKS, 16)
        sci.setMarginSensitiveN(_MARKS, True)
        sci.setMarginTypeN(_FOLDS, 0)
        sci.setMarginMaskN(_FOLDS, ~0x1FFFFFF & 0xFFFFFFFF)
        sci.setMarginWidthN(_FOLDS, 14)
        sci.setMarginSensitiveN(_FOLDS, True)
        sci.setAutomaticFold(7)
        sci.setMarginLeft(6)
        # Arrows where a block folds, nothing beside its lines: 2 points right, 6 points down, 5 is empty.
        for number, symbol in ((30, 2), (31, 6), (25, 2), (26, 6), (27, 5), (28, 5), (29, 5)):
            sci.markerDefine(number, symbol)
        for severity, number in _MARK.items():
            sci.markerDefine(number, 0 if severity is not Severity.WARNING else 2)
            sci.indicSetStyle(_UNDERLINE[severity], 13)
        sci.indicSetStyle(_MATCHES, 7)
        sci.indicSetUnder(_MATCHES, True)

    def restyle(self) -> None:
        """Take the colours of the theme that is on."""
        sci, look, font = self._sci, theme.current(), theme.editor_font()
        family = font.families()[0]
        ground = _bgr(look.colour(Role.SUNKEN))
        sci.styleSetFont(_DEFAULT, family)
        sci.styleSetSizeFractional(_DEFAULT, round(font.pointSizeF() * 100))
        sci.styleSetFore(_DEFAULT, _bgr(look.colour(Role.TEXT)))
        sci.styleSetBack(_DEFAULT, ground)
        sci.styleClearAll()
        for style, role in _STYLES.items():
            sci.styleSetFore(style, _bgr(look.colour(role)))
        sci.styleSetFore(_LINE_NUMBER, _bgr(look.colour(Role.CODE_COMMENT)))
        sci.styleSetBack(_LINE_NUMBER, ground)
        sci.styleSetFore(_GUIDE, _bgr(look.colour(Role.BORDER)))
        sci.styleSetFore(_BRACE, _bgr(look.colour(Role.ACCENT)))
        sci.styleSetBack(_BRACE, _bgr(look.colour(Role.SELECTION)))
        sci.styleSetFore(_BRACE_BAD, _bgr(look.colour(Role.ERROR)))
        sci.styleSetFore(_CALL_TIP, _bgr(look.colour(Role.TEXT)))
        sci.styleSetBack(_CALL_TIP, _bgr(look.colour(Role.RAISED)))
        sci.callTipUseStyle(0)
        sci.setCaretFore(_bgr(look.colour(Role.ACCENT)))
        sci.setCaretWidth(2)
        sci.setCaretLineVisible(True)
        sci.setCaretLineVisibleAlways(True)
        sci.setCaretLineBack(_bgr(look.colour(Role.CODE_LINE if look.is_dark else Role.BACKGROUND)))
        sci.setSelBack(True, _bgr(look.colour(Role.SELECTION)))
        sci.setSelFore(False, 0)
        selection = look.colour(Role.SELECTION)
        for element in (10, 12, 16):  # selection back, additional, inactive
            sci.setElementColour(element, _bgr(selection) | 0xFF000000)
        sci.setFoldMarginColour(True, ground)
        sci.setFoldMarginHiColour(True, ground)
        for number in range(25, 32):
            sci.markerSetFore(number, _bgr(look.colour(Role.BORDER_STRONG)))
            sci.markerSetBack(number, _bgr(look.colour(Role.BORDER_STRONG)))
        for severity, number in _MARK.items():
            colour = _bgr(look.colour(_ROLE[severity]))
            sci.markerSetFore(number, colour)
            sci.markerSetBack(number, colour)
            sci.indicSetFore(_UNDERLINE[severity], colour)
            sci.styleSetFore(_NOTE_STYLE + number, colour)
            sci.styleSetItalic(_NOTE_STYLE + number, True)
        sci.indicSetFore(_MATCHES, _bgr(look.colour(Role.WARNING)))
        sci.indicSetAlpha(_MATCHES, 60)
        sci.setExtraAscent(1)
        sci.setExtraDescent(2)
        self._fit_numbers()

    def _fit_numbers(self) -> None:
        digits = "9" * max(4, len(str(self._sci.lineCount())) + 1)
        self._sci.setMarginWidthN(_NUMBERS, self._sci.textWidth(_LINE_NUMBER, digits) + 4)

    # -- text --------------------------------------------------------------------------------------------------------

    def text(self) -> str:
        return _utf8(self._sci.get_text_range(0, self._sci.textLength()))

    def set_text(self, text: str) -> None:
        self._loading = True
        try:
            read_only = self._sci.readOnly()
            self._sci.setReadOnly(False)
            self._sci.setText(_storable(text.replace("\r\n", "\n")))
            self._sci.emptyUndoBuffer()
            self._sci.setReadOnly(read_only)
            self._sci.gotoPos(0)
        finally:
            self._loading = False
        self.set_diagnostics([])
        self._fit_numbers()

    def replace_text(self, text: str) -> None:
        if text == self.text():
            return
        line, column = self.cursor_position()
        top = self._sci.firstVisibleLine()
        self._sci.beginUndoAction()
        self._sci.targetWholeDocument()
        self._sci.replaceTarget(-1, _storable(text))
        self._sci.endUndoAction()
        self._sci.gotoPos(self._position(line, column))
        self._sci.setFirstVisibleLine(top)

    def set_read_only(self, read_only: bool) -> None:
        self._sci.setReadOnly(read_only)

    def _line_text(self, line: int) -> str:
        return _utf8(self._sci.getLine(line)).rstrip("\r\n")

    def _position(self, line: int, column: int) -> int:
        """Byte position of a 1-based line and UTF-16 column, clamped to the text."""
        index = min(max(line, 1), self._sci.lineCount()) - 1
        start, end = self._sci.positionFromLine(index), self._sci.lineEndPosition(index)
        if column <= 1:
            return start
        units = self._line_text(index).encode("utf-16-le", "surrogatepass")[: 2 * (column - 1)]
        return min(end, start + len(units.decode("utf-16-le", "ignore").encode("utf-8")))

    def _place(self, position: int) -> tuple[int, int]:
        index = self._sci.lineFromPosition(position)
        before = _utf8(self._sci.get_text_range(self._sci.positionFromLine(index), position))
        return index + 1, len(before.encode("utf-16-le", "surrogatepass")) // 2 + 1

    # -- cursor ------------------------------------------------------------------------------------------------------

    def cursor_position(self) -> tuple[int, int]:
        return self._place(self._sci.currentPos())

    def goto(self, line: int, column: int = 1) -> None:
        position = self._position(line, column)
        self._sci.ensureVisibleEnforcePolicy(self._sci.lineFromPosition(position))
        self._sci.gotoPos(position)
        self._sci.verticalCentreCaret()
        QWidget.setFocus(self._sci, Qt.FocusReason.OtherFocusReason)

    def selected_text(self) -> str:
        return _utf8(self._sci.getSelText())

    # -- editing -----------------------------------------------------------------------------------------------------

    def undo(self) -> None:
        self._sci.undo()

    def redo(self) -> None:
        self._sci.redo()

    def toggle_comment(self) -> None:
        sci = self._sci
        first = sci.lineFromPosition(sci.selectionStart())
        last = sci.lineFromPosition(max(sci.selectionStart(), sci.selectionEnd()))
        if last > first and sci.selectionEnd() == sci.positionFromLine(last):
            last -= 1
        lines = [self._line_text(number) for number in range(first, last + 1)]
        fresh = _storable("\n".join(language.toggle_comment(lines)))
        start, end = sci.positionFromLine(first), sci.lineEndPosition(last)
        sci.beginUndoAction()
        sci.setTargetRange(start, end)
        sci.replaceTarget(-1, fresh)
        sci.endUndoAction()
        if last > first:
            sci.setSel(start, start + len(fresh.encode()))

    def fold_all(self, folded: bool) -> None:
        self._sci.foldAll(0 if folded else 1)

    def show_completions(self) -> None:
        line, column = self.cursor_position()
        content = self._line_text(line - 1)
        path = language.word_before(content, column - 1)
        found = self.vocabulary.complete(path, self.text())
        if not found:
            self._sci.autoCCancel()
            return
        typed = path.rpartition(".")[2]
        self._sci.autoCShow(len(typed.encode()), "\n".join(proposal.label for proposal in found))
        ground, edge = theme.current().hex(Role.RAISED), theme.current().hex(Role.BORDER_STRONG)
        # Scintilla's list is a window of its own without a parent: it needs an edge to stand out.
        for popup in QApplication.topLevelWidgets():
            if isinstance(popup, QListWidget):
                popup.setStyleSheet(f"QListWidget {{ background: {ground}; border: 1px solid {edge}; }}")

    def _on_char(self, code: int) -> None:
        line, column = self.cursor_position()
        content = self._line_text(line - 1)
        if code == 10:
            self._indent_line(line, language.indent_after(self._line_text(line - 2)) if line > 1 else "")
        elif code in b"}])":
            moved = language.outdented(content[: column - 1])
            if moved is not None:
                self._sci.setLineIndentation(line - 1, len(language.indentation(moved)))
        elif code == ord("("):
            self._show_help(self._sci.currentPos() - 1, language.word_before(content, column - 2))
        elif code == ord(".") or (chr(code).isidentifier() and not self._sci.autoCActive()):
            path = language.word_before(content, column - 1)
            wanted = code == ord(".") or len(path.rpartition(".")[2]) >= 3
            if wanted and not language.in_comment_or_string(content, column - 1):
                self.show_completions()

    def _indent_line(self, line: int, lead: str) -> None:
        start = self._sci.positionFromLine(line - 1)
        old = language.indentation(self._line_text(line - 1))
        self._sci.setTargetRange(start, start + len(old))
        self._sci.replaceTarget(-1, lead)
        rest = self._line_text(line - 1)[len(lead) :]
        if rest[:1] in tuple("}])") and lead:
            # Enter between two brackets: the closing one moves to a line of its own, one level out.
            outer = lead[: -language.INDENT] if lead.endswith(" " * language.INDENT) else ""
            self._sci.insertText(start + len(lead), "\n" + outer)
        self._sci.gotoPos(start + len(lead))

    def _show_help(self, position: int, path: str) -> None:
        explained = self.vocabulary.help(path) if path else ""
        if explained:
            self._sci.callTipShow(position, explained)

    def _on_dwell(self, x: int, y: int) -> None:
        position = self._sci.positionFromPointClose(x, y)
        if position < 0:
            return
        line, column = self._place(position)
        here = [f for f in self._diagnostics if f.line == line and (f.column <= 1 or abs(f.column - column) < 40)]
        if here:
            self._sci.callTipShow(position, "\n".join(found.message for found in here))
            return
        self._show_help(position, language.word_at(self._line_text(line - 1), column - 1))

    # -- events ------------------------------------------------------------------------------------------------------

    def _on_modified(self, kind: int, *_where: object) -> None:
        if kind & (_INSERTED | _DELETED) and not self._loading:
            self.edited.emit()

    def _on_update(self, what: int) -> None:
        if what & 0x3:  # content or selection
            self._match_brackets()
            self.cursor_moved.emit(*self.cursor_position())

    def _on_margin(self, position: int, _modifiers: int, margin: int) -> None:
        line = self._sci.lineFromPosition(position)
        if margin == _MARKS:
            self.problem_clicked.emit(line + 1)

    def _match_brackets(self) -> None:
        here = self._sci.currentPos()
        for position in (here - 1, here):
            if position >= 0 and self._sci.charAt(position) & 0xFF in _BRACKETS:
                other = self._sci.braceMatch(position, 0)
                if other >= 0:
                    self._sci.braceHighlight(position, other)
                else:
                    self._sci.braceBadLight(position)
                return
        self._sci.braceHighlight(-1, -1)

    # -- search ------------------------------------------------------------------------------------------------------

    def _units(self, text: str) -> int:
        """Scintilla counts bytes."""
        return len(text) if text.isascii() else len(text.encode())

    def _selected_span(self) -> tuple[int, int]:
        return self._sci.selectionStart(), self._sci.selectionEnd()

    def _select(self, start: int, end: int) -> None:
        self._sci.ensureVisibleEnforcePolicy(self._sci.lineFromPosition(start))
        self._sci.setSel(start, end)
        self._sci.scrollCaret()

    def _replace_selection(self, text: str) -> None:
        self._sci.replaceSel(text)

    def _show_matches(self, spans: Sequence[tuple[int, int]]) -> None:
        sci = self._sci
        sci.setIndicatorCurrent(_MATCHES)
        sci.indicatorClearRange(0, sci.textLength())
        for start, end in spans[:_MAX_MATCHES_SHOWN]:
            sci.indicatorFillRange(start, end - start)

    # -- marks -------------------------------------------------------------------------------------------------------

    def set_diagnostics(self, diagnostics: Sequence[Diagnostic]) -> None:
        sci = self._sci
        self._diagnostics = by_place(diagnostics)
        for severity in Severity:
            sci.markerDeleteAll(_MARK[severity])
            sci.setIndicatorCurrent(_UNDERLINE[severity])
            sci.indicatorClearRange(0, sci.textLength())
        sci.eOLAnnotationClearAll()
        for found in reversed(self._diagnostics):
            if found.line <= 0 or found.line > sci.lineCount():
                continue
            start, end = self._extent(found)
            sci.setIndicatorCurrent(_UNDERLINE[found.severity])
            sci.indicatorFillRange(start, max(end - start, 1))
            sci.markerAdd(found.line - 1, _MARK[found.severity])
            # The note at the end of the line; the first (gravest, leftmost) of a line wins by being written last.
            note = found.message.splitlines()[0][:160] if found.message else found.code
            sci.eOLAnnotationSetText(found.line - 1, "   " + _storable(note))
            sci.eOLAnnotationSetStyle(found.line - 1, _NOTE_STYLE + _MARK[found.severity])

    def _extent(self, found: Diagnostic) -> tuple[int, int]:
        """Bytes to underline: the range given, else the word at the place, else the line's code."""
        sci = self._sci
        start = self._position(found.line, max(found.column, 1))
        if found.end_line and found.end_column:
            return start, max(start, self._position(found.end_line, found.end_column))
        if found.column <= 0:
            return sci.lineIndentPosition(found.line - 1), sci.lineEndPosition(found.line - 1)
        end = sci.wordEndPosition(start, True)
        return start, max(end, min(start + 1, sci.lineEndPosition(found.line - 1)))
