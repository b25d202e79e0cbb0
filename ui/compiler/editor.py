"""The code editor as the workbench knows it: a small surface that two widgets offer.

`make_editor` gives the native one (Scintilla) where its binary fits this PySide6, else the plain one; nothing else in
the program depends on which it is.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from app.jobs.api import Diagnostic, Severity
from ui.compiler.language import Vocabulary

log = logging.getLogger("signalbox.ui.compiler")

SEVERITY_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(frozen=True, slots=True)
class FindQuery:
    """What to look for."""

    text: str
    case: bool = False
    word: bool = False
    regex: bool = False

    def pattern(self) -> re.Pattern[str] | None:
        """The query as a regular expression, None when it is empty or does not parse."""
        if not self.text:
            return None
        source = self.text if self.regex else re.escape(self.text)
        if self.word:
            source = rf"\b(?:{source})\b"
        try:
            return re.compile(source, (0 if self.case else re.IGNORECASE) | re.MULTILINE)
        except re.error:
            return None

    def fresh(self, replacement: str) -> str | Callable[[re.Match[str]], str]:
        """What `re.sub` puts in a match's place: groups (`\\1`) count only where the query is an expression."""
        return replacement if self.regex else lambda _match: replacement


class CodeEditor(QWidget):
    """A text with colours, marks and completion. Lines and columns count from 1, columns in UTF-16 units as V8 does.

    Signals:
        edited: the text was changed by a person or by `replace_text` (not by `set_text`).
        cursor_moved: line and column of the cursor.
        problem_clicked: line of a mark in the margin that was clicked.
    """

    edited = Signal()
    cursor_moved = Signal(int, int)
    problem_clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.vocabulary = Vocabulary()
        self._diagnostics: list[Diagnostic] = []
        # Tab indents: another key has to lead out.
        for keys, forward in (("Ctrl+Tab", True), ("Ctrl+Shift+Tab", False)):
            leave = QShortcut(QKeySequence(keys), self)
            leave.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            leave.activated.connect(partial(self.focusNextPrevChild, forward))

    # Text
    def text(self) -> str:
        """The whole text, with `\\n` line ends."""
        raise NotImplementedError

    def set_text(self, text: str) -> None:
        """Show another text: undo history, marks and selection start anew."""
        raise NotImplementedError

    def replace_text(self, text: str) -> None:
        """Change the text as one step that can be undone, keeping the cursor's line: what formatting does."""
        raise NotImplementedError

    def set_read_only(self, read_only: bool) -> None:
        raise NotImplementedError

    # Cursor
    def cursor_position(self) -> tuple[int, int]:
        """Line and column."""
        raise NotImplementedError

    def goto(self, line: int, column: int = 1) -> None:
        """Move the cursor there, unfold and scroll so that the line is seen, and take the focus. Clamped."""
        raise NotImplementedError

    def selected_text(self) -> str:
        raise NotImplementedError

    # Editing
    def undo(self) -> None:
        raise NotImplementedError

    def redo(self) -> None:
        raise NotImplementedError

    def toggle_comment(self) -> None:
        """Comment or uncomment the lines of the selection."""
        raise NotImplementedError

    def fold_all(self, folded: bool) -> None:
        """Fold or unfold every block (nothing where the editor cannot fold)."""

    def show_completions(self) -> None:
        """Offer completions at the cursor now."""
        raise NotImplementedError

    # Search: Python's `re` in both editors, so that they find and replace alike. Spans are in an editor's own units.
    def find_next(self, query: FindQuery, *, backwards: bool = False, from_selection_start: bool = False) -> bool:
        """Select the next match from the cursor, around the end if need be; False when there is none."""
        spans = self._spans(query)
        if not spans:
            return False
        begin, end = self._selected_span()
        if backwards:
            before = [span for span in spans if span[1] <= begin]
            self._select(*(before or spans)[-1])
        else:
            edge = begin if from_selection_start else end
            self._select(*next((span for span in spans if span[0] >= edge), spans[0]))
        return True

    def count(self, query: FindQuery) -> int:
        """How many matches there are; 0 for a broken regular expression. Highlights them (an empty text clears)."""
        spans = self._spans(query)
        self._show_matches(spans)
        return len(spans)

    def replace(self, query: FindQuery, replacement: str) -> bool:
        """Replace the selection when it is a match, then go to the next; False when nothing was replaced."""
        pattern = query.pattern()
        is_match = pattern is not None and self._selected_span() in self._spans(query)
        if pattern is not None and is_match:
            self._replace_selection(pattern.sub(query.fresh(replacement), self.selected_text(), count=1))
        self.find_next(query)
        return is_match

    def replace_all(self, query: FindQuery, replacement: str) -> int:
        """Replace every match in one undo step; how many."""
        pattern = query.pattern()
        if pattern is None:
            return 0
        text, count = pattern.subn(query.fresh(replacement), self.text())
        if count:
            self.replace_text(text)
        return count

    def _spans(self, query: FindQuery) -> list[tuple[int, int]]:
        """Where the matches are. Counted on from the match before: one pass over the text."""
        pattern = query.pattern()
        if pattern is None:
            return []
        text, spans = self.text(), []
        at_char = at = 0
        for match in pattern.finditer(text):
            if match.end() > match.start():
                at += self._units(text[at_char : match.start()])
                begin, at = at, at + self._units(match.group())
                spans.append((begin, at))
                at_char = match.end()
        return spans

    def _units(self, text: str) -> int:
        """How many of the editor's own units a text takes."""
        raise NotImplementedError

    def _selected_span(self) -> tuple[int, int]:
        raise NotImplementedError

    def _select(self, start: int, end: int) -> None:
        """Select and show."""
        raise NotImplementedError

    def _replace_selection(self, text: str) -> None:
        raise NotImplementedError

    def _show_matches(self, spans: Sequence[tuple[int, int]]) -> None:
        """Highlight these and no others."""
        raise NotImplementedError

    # Marks
    def set_diagnostics(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Underline and mark these places; replaces the earlier ones."""
        raise NotImplementedError

    def diagnostics(self) -> list[Diagnostic]:
        """The findings shown, by line."""
        return list(self._diagnostics)

    def next_problem(self, *, backwards: bool = False) -> Diagnostic | None:
        """Go to the next marked place after the cursor, around the end; None when there is none."""
        placed = [found for found in self._diagnostics if found.line > 0]
        if not placed:
            return None
        here = self.cursor_position()
        if backwards:
            before = [found for found in placed if (found.line, max(found.column, 1)) < here]
            target = before[-1] if before else placed[-1]
        else:
            after = [found for found in placed if (found.line, max(found.column, 1)) > here]
            target = after[0] if after else placed[0]
        self.goto(target.line, max(target.column, 1))
        return target

    def restyle(self) -> None:
        """Take the colours of the theme that is on."""
        raise NotImplementedError


def by_place(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Findings by line and column, the graver first in one place."""
    return sorted(diagnostics, key=lambda found: (found.line, found.column, SEVERITY_RANK[found.severity]))


def make_editor(parent: QWidget | None = None, *, plain: bool = False) -> CodeEditor:
    """An editor widget: Scintilla where it can be loaded, else the plain one.

    Args:
        parent: Qt parent.
        plain: Take the plain one in any case.
    """
    if not plain:
        try:
            from ui.compiler.scintilla_editor import ScintillaEditor

            return ScintillaEditor(parent)
        except ImportError as problem:
            log.info("The native editor is not available (%s); the plain one is used.", problem)
    from ui.compiler.plain_editor import PlainEditor

    return PlainEditor(parent)
