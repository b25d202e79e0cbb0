"""Two versions of a text side by side (or one under the other where the room is narrow), painted."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QGuiApplication, QKeyEvent, QKeySequence, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from ui import theme
from ui.theme import Role

CONTEXT = 4
"""Lines shown around a change."""
SIDE_BY_SIDE_FROM = 760
"""Logical pixels."""


@dataclass(frozen=True, slots=True)
class DiffRow:
    """One line: `kind` is `same`, `changed`, `removed`, `added` or `gap` (lines left out); line numbers from 1 or 0."""

    kind: str
    old_line: int = 0
    old: str = ""
    new_line: int = 0
    new: str = ""


def diff_rows(old: str, new: str, context: int = CONTEXT) -> list[DiffRow]:
    """Aligned lines of two texts, unchanged stretches folded to `context` lines around each change."""
    before, after = old.splitlines(), new.splitlines()
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=len(before) > 5000)
    rows: list[DiffRow] = []
    for group in matcher.get_grouped_opcodes(context):
        first = group[0]
        if first[1] > 0 or rows:
            rows.append(DiffRow("gap", first[1] + 1, "", first[3] + 1, ""))
        for tag, i1, i2, j1, j2 in group:
            rows.extend(_op_rows(tag, before, after, (i1, i2, j1, j2)))
    return rows


def _op_rows(tag: str, before: list[str], after: list[str], span: tuple[int, int, int, int]) -> Iterator[DiffRow]:
    i1, i2, j1, j2 = span
    if tag == "equal":
        for at in range(i2 - i1):
            yield DiffRow("same", i1 + at + 1, before[i1 + at], j1 + at + 1, after[j1 + at])
        return
    for at in range(max(i2 - i1, j2 - j1)):
        old_line = i1 + at if i1 + at < i2 else -1
        new_line = j1 + at if j1 + at < j2 else -1
        kind = "changed" if old_line >= 0 and new_line >= 0 else "removed" if old_line >= 0 else "added"
        yield DiffRow(
            kind,
            old_line + 1,
            before[old_line] if old_line >= 0 else "",
            new_line + 1,
            after[new_line] if new_line >= 0 else "",
        )


class DiffView(QAbstractScrollArea):
    """See the module. Ctrl+C copies the difference in unified form."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAccessibleName("Difference")
        self.rows: list[DiffRow] = []
        self._flat: list[tuple[DiffRow, bool]] = []
        self._texts = ("", "")
        self._titles = ("", "")
        self._nothing = "No difference"
        theme.notifier().changed.connect(self._restyle)

    def _restyle(self) -> None:
        self.viewport().update()

    def sizeHint(self) -> QSize:
        return QSize(820, 380)

    def show_texts(self, old: str, new: str, titles: tuple[str, str] = ("before", "after"), nothing: str = "") -> None:
        """Compare two texts; `nothing` is said when they are the same."""
        self._texts, self._titles = (old, new), titles
        self._nothing = nothing or "No difference"
        self.rows = diff_rows(old, new)
        # Narrow: removed lines first, then what took their place.
        self._flat = []
        pending: list[DiffRow] = []
        for row in self.rows:
            if row.kind in ("changed", "removed", "added"):
                if row.old_line:
                    self._flat.append((row, True))
                if row.new_line:
                    pending.append(row)
                continue
            self._flat.extend((waiting, False) for waiting in pending)
            pending = []
            self._flat.append((row, False))
        self._flat.extend((waiting, False) for waiting in pending)
        self._fit()
        self.viewport().update()

    def counts(self) -> tuple[int, int]:
        """Lines added and removed (a changed line is both)."""
        return sum(bool(row.new_line) for row in self.rows if row.kind in ("changed", "added")), sum(
            bool(row.old_line) for row in self.rows if row.kind in ("changed", "removed")
        )

    def _wide(self) -> bool:
        return self.viewport().width() >= SIDE_BY_SIDE_FROM

    def _row_height(self) -> float:
        return QFontMetricsF(theme.mono_font()).height() + 3

    def _fit(self) -> None:
        count = len(self.rows) if self._wide() else len(self._flat)
        per_page = max(int(self.viewport().height() / self._row_height()) - 1, 1)
        self.verticalScrollBar().setRange(0, max(count - per_page, 0))
        self.verticalScrollBar().setPageStep(per_page)
        longest = max((max(len(row.old), len(row.new)) for row in self.rows), default=0)
        advance = QFontMetricsF(theme.mono_font()).horizontalAdvance("0")
        room = self.viewport().width() / (2 if self._wide() else 1) - advance * 8
        self.horizontalScrollBar().setRange(0, max(int(longest * advance - room), 0))
        self.horizontalScrollBar().setPageStep(max(int(room), 1))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def scrollContentsBy(self, _dx: int, _dy: int) -> None:
        self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            old, new = (text.splitlines() for text in self._texts)
            unified = difflib.unified_diff(old, new, *self._titles, lineterm="")
            QGuiApplication.clipboard().setText("\n".join(unified))
            return
        super().keyPressEvent(event)

    # -- painting ----------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme.current()
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), look.colour(Role.SUNKEN))
        width, height = self.viewport().width(), self._row_height()
        if not self.rows:
            painter.setPen(look.colour(Role.MUTED))
            painter.drawText(self.viewport().rect(), Qt.AlignmentFlag.AlignCenter, self._nothing)
            painter.end()
            return
        first = self.verticalScrollBar().value()
        visible = int(self.viewport().height() / height) + 2
        self._paint_titles(painter, width, height)
        painter.setFont(theme.mono_font())
        if self._wide():
            half = width / 2
            for at, row in enumerate(self.rows[first : first + visible]):
                y = (at + 1) * height
                self._paint_side(painter, row, QRectF(0, y, half, height), old=True)
                self._paint_side(painter, row, QRectF(half, y, half, height), old=False)
            painter.setPen(look.colour(Role.BORDER))
            painter.drawLine(round(half), 0, round(half), self.viewport().height())
        else:
            for at, (row, old) in enumerate(self._flat[first : first + visible]):
                self._paint_side(painter, row, QRectF(0, (at + 1) * height, width, height), old=old)
        painter.end()

    def _paint_titles(self, painter: QPainter, width: float, height: float) -> None:
        look = theme.current()
        painter.fillRect(QRectF(0, 0, width, height), look.colour(Role.SURFACE))
        painter.setFont(theme.ui_font(-0.5))
        painter.setPen(look.colour(Role.MUTED))
        middle = Qt.AlignmentFlag.AlignVCenter
        old, new = self._titles
        if self._wide():
            painter.drawText(QRectF(10, 0, width / 2 - 14, height), middle, old)
            painter.drawText(QRectF(width / 2 + 10, 0, width / 2 - 14, height), middle, new)
        else:
            painter.drawText(QRectF(10, 0, width - 14, height), middle, f"{old}  →  {new}")

    def _paint_side(self, painter: QPainter, row: DiffRow, area: QRectF, *, old: bool) -> None:
        look = theme.current()
        line, text = (row.old_line, row.old) if old else (row.new_line, row.new)
        advance = QFontMetricsF(theme.mono_font()).horizontalAdvance("0")
        gutter = advance * 6
        if row.kind == "gap":
            painter.fillRect(area, look.colour(Role.SURFACE))
            painter.setPen(look.colour(Role.MUTED))
            painter.drawText(area.adjusted(gutter, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, f"⋯ line {line}")
            return
        if row.kind != "same":
            fill = Role.SURFACE if not line else Role.ERROR_FILL if old else Role.OK_FILL
            painter.fillRect(area, look.colour(fill))
        if not line:
            return
        painter.setPen(look.colour(Role.CODE_COMMENT))
        number = QRectF(area.left(), area.top(), gutter - advance * 1.5, area.height())
        painter.drawText(number, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, str(line))
        sign = " " if row.kind == "same" else "-" if old else "+"
        painter.setPen(look.colour(Role.ERROR if sign == "-" else Role.OK if sign == "+" else Role.MUTED))
        painter.drawText(QRectF(area.left() + gutter - advance, area.top(), advance, area.height()), sign)
        painter.save()
        code = area.adjusted(gutter + advance * 0.6, 0, 0, 0)
        painter.setClipRect(code)
        painter.setPen(look.colour(Role.TEXT))
        moved = code.adjusted(-self.horizontalScrollBar().value(), 0, 4000, 0)
        painter.drawText(moved, Qt.AlignmentFlag.AlignVCenter, text.replace("\t", "    "))
        painter.restore()
