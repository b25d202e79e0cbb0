"""The log of one task, live: colours, follow, search, the first error, and the file itself.

The view paints rows of a file that a reader's thread knows by pages of bytes: a task that prints a million lines at
full speed costs the window one paint a frame.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSignalBlocker, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import (
    QColor,
    QDesktopServices,
    QFont,
    QFontMetrics,
    QFontMetricsF,
    QGuiApplication,
    QHideEvent,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QShortcut,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.rules.words import many
from ui import theme
from ui.docks.elided import ElidedLabel
from ui.docks.events import follow_button
from ui.docks.rows_view import PAD, Column, RowsView
from ui.docks.steady import SteadyLabel
from ui.models.ansi import Style, colour, plain, spans
from ui.models.paged import Row
from ui.models.reader import Reader
from ui.models.text_file import ERROR, Searcher, TextFile, TextRows, TextSource
from ui.theme import Role

_COLUMNS = (
    Column("Line", 64, mono=True, role=Role.MUTED),
    Column("Output", 320, stretch=True, mono=True),
)
_SEARCH_MS = 150
_LONGEST_WAIT = 0.25
"""Seconds after which a storm is painted as far as it is known."""
_PACE_MS = 100
"""Pause between two looks at the file: what a task prints at full speed takes no more of the window than that."""


_FLOOD_ROWS = 5_000
"""Lines that come between two looks when a task prints at full speed."""
_BANDS = 3
"""Parts in which a frame of a flood is painted, each in a turn of its own: a hand waits for one, not for all."""

_LONG = 600
"""Signs from which on a text is not measured: each is taken to be as wide as a letter."""
_AROUND = 200


def _even(text: str) -> bool:
    """Whether every sign of a text is as wide as the next."""
    return text.isascii() or len(text) > _LONG


class _Dress(NamedTuple):
    """A style as it is painted."""

    ink: QColor
    back: QColor | None
    face: QFont


class TaskLogView(RowsView):
    """Lines with their colours, as wide as they are.

    Signals:
        error_wanted: the first error shall be shown.
    """

    error_wanted = Signal()

    def __init__(self, model: TextRows, parent: QWidget | None = None) -> None:
        self._widest = 0
        self._painted = 0.0
        self._known = 0
        self._flood = False
        self._bands: list[QRect] = []
        super().__init__(model, _COLUMNS, "task_log", parent)
        # A bar that comes with the first lines would have the whole view painted at once in the middle of a flood.
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.header.hide()
        self._make_room_for_header()
        self.setAccessibleName("Task log")

    def _make_room_for_header(self) -> None:
        self.setViewportMargins(0, 0, 0, 0)

    def _fonts(self) -> None:
        super()._fonts()
        self._mono = theme.mono_font()
        self._mono_metrics = QFontMetrics(self._mono)
        self._faces = {(False, False): self._mono}
        for bold, underline in ((True, False), (False, True), (True, True)):
            face = QFont(self._mono)
            face.setBold(bold)
            face.setUnderline(underline)
            self._faces[bold, underline] = face
        self._wide = QFontMetricsF(self._mono).horizontalAdvance("0")
        self._height = self._mono_metrics.height() + 3
        self._colours = tuple((role, theme.current().hex(role)) for role in Role)
        # A storm paints some thousand pieces a second in a handful of styles.
        self._dress = lru_cache(maxsize=1_024)(self._dressed)

    def _place_header(self) -> None:
        area = self.viewport().geometry()
        self.header.setGeometry(area.x(), area.y(), area.width(), 0)

    def _fit_columns(self) -> None:
        number = max(len(f"{self._model.count():,}"), 4)
        first = round(number * self._wide) + 2 * PAD
        room = max(_COLUMNS[1].width, self.viewport().width() - first)
        with QSignalBlocker(self.header):
            self.header.resizeSection(0, first)
            self.header.resizeSection(1, max(room, self._widest))

    def forget_width(self) -> None:
        """Another file: its lines may be shorter."""
        self._widest = 0
        self.horizontalScrollBar().setValue(0)

    def _rows_changed(self) -> None:
        if not self._model.count():
            self._widest = 0
        count = self._model.count()
        self._flood, self._known = count - self._known > _FLOOD_ROWS, count
        self._fit_columns()
        super()._rows_changed()

    def _paint_when_there(self) -> None:
        # In a storm the end moves on before its lines are here: what is painted is painted once, when they are.
        self._model.want(*self._shown_rows())
        self._rows_loaded()

    def _rows_loaded(self) -> None:
        ready = not self._follow or not self._model.count() or self._model.row(self._shown_rows()[1]) is not None
        if ready or time.monotonic() - self._painted > _LONGEST_WAIT:
            self._paint_frame()

    def _paint_frame(self) -> None:
        area = self.viewport().rect()
        self._bands = []
        if self._flood and self._follow:
            rows = -(-area.height() // self._height)
            edges = [min(area.height(), -(-rows * part // _BANDS) * self._height) for part in range(_BANDS + 1)]
            self._bands = [QRect(0, top, area.width(), end - top) for top, end in pairwise(edges)]
            area = self._bands.pop(0)
        self.viewport().update(area)

    def paintEvent(self, event: QPaintEvent) -> None:
        self._painted = time.monotonic()
        super().paintEvent(event)
        if self._bands:
            QTimer.singleShot(0, self, partial(self.viewport().update, self._bands.pop(0)))

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        if not self._moving:
            super().scrollContentsBy(dx, dy)

    def _paint_cells(
        self,
        painter: QPainter,
        row: Row,
        y: int,
        sections: list[tuple[int, Column, int, int]],
        colours: dict[str, QColor],
    ) -> None:
        base = y + (self._height + self._mono_metrics.ascent() - self._mono_metrics.descent()) // 2
        for index, _column, x, size in sections:
            if index == 0:
                painter.setFont(self._mono)
                painter.setPen(colours[Role.MUTED.value])
                painter.drawText(round(x + size - PAD - len(row.cells[0]) * self._wide), base, row.cells[0])
            else:
                self._paint_line(painter, row.cells[1], x + PAD, y, base)

    def _paint_line(self, painter: QPainter, raw: str, x: int, y: int, base: int) -> None:
        pieces = spans(raw)
        if self._highlight is not None:
            self._paint_hits(painter, "".join(piece.text for piece in pieces), self._mono_metrics, x, y)
        left, room = float(x), self.viewport().width()
        for text, style in pieces:
            wide = len(text) * self._wide if _even(text) else self._advance(text)
            if left < room and left + wide > 0:
                self._paint_piece(painter, text, self._dress(style), left, y, base, wide)
            left += wide
        whole = round(left - x) + 2 * PAD
        if whole > self._widest:
            # A longer line than any before: the bar grows after this frame.
            self._widest = whole
            if whole > self.header.sectionSize(1):
                QTimer.singleShot(0, self, self._columns_changed)

    def _paint_hits(self, painter: QPainter, text: str, metrics: QFontMetrics, x: int, y: int) -> None:
        assert self._highlight is not None
        if not _even(text):
            super()._paint_hits(painter, text, metrics, x, y)
            return
        # Only what is in sight and a little around it is looked at: a line may have thousands of hits.
        first = max(0, int(-x / self._wide) - _AROUND)
        last = int((self.viewport().width() - x) / self._wide) + _AROUND
        fill = theme.current().colour(Role.WARNING, 0.34)
        for start, length in _joined(self._highlight(text[first:last])):
            left = x + (first + start) * self._wide
            painter.fillRect(QRectF(left - 1, y + 3, length * self._wide + 2, self._height - 6), fill)

    def _advance(self, text: str) -> float:
        return QFontMetricsF(self._mono).horizontalAdvance(text)

    def _paint_piece(
        self, painter: QPainter, text: str, dress: _Dress, left: float, y: int, base: int, wide: float
    ) -> None:
        if len(text) > _LONG:
            # Of a very long line only what is in sight is handed to Qt.
            first = max(0, int(-left / self._wide))
            text = text[first : first + int(self.viewport().width() / self._wide) + 2]
            left += first * self._wide
        if dress.back is not None:
            painter.fillRect(QRectF(left, y, wide, self._height), dress.back)
        painter.setPen(dress.ink)
        painter.setFont(dress.face)
        painter.drawText(round(left), base, text)

    def _dressed(self, style: Style) -> _Dress:
        """What a style looks like in the theme that is on."""
        look = theme.current()
        ground = look.hex(Role.SUNKEN)
        ink = colour(style.fg, ground, self._colours) if style.fg else look.hex(Role.TEXT)
        back = colour(style.bg, ground, self._colours) if style.bg else ""
        if style.inverse:
            ink, back = (back or ground), ink
        pen, fill = QColor(ink), QColor(back) if back else None
        if style.dim:
            pen.setAlphaF(0.65)
        if fill is not None:
            fill.setAlphaF(1.0 if style.inverse else 0.3)
        return _Dress(pen, fill, self._faces[style.bold, style.underline])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_E and not event.modifiers():
            self.error_wanted.emit()
        else:
            super().keyPressEvent(event)

    def line(self, row: Row) -> str:
        """A row as text: what the task wrote, without its colours."""
        return plain(row.cells[1]) if len(row.cells) > 1 else ""

    def titles(self) -> list[str]:
        return ["Line", "Output"]

    def _spoken(self, row: Row) -> str:
        return f"Line {row.cells[0]}, {self.line(row)}" if row.cells else ""

    def _tip(self, _point: QPoint) -> str:
        return ""

    def top_row(self) -> int:
        """The row on top of the view, 0 where there is none."""
        index = self.verticalScrollBar().value()
        return self._model.id_at(index) if index < self._model.count() else 0


class TaskLogPane(QWidget):
    """A task's log under its bar.

    Signals:
        said: something a person should know, in words (a copy was written; nothing was found).
    """

    said = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("task_log_pane")
        self.path: Path | None = None
        self._search_round = 0
        self.reader: Reader[TextFile] = Reader("task-log", TextFile, self, pace=_PACE_MS)
        self.model = TextRows(self.reader, TextSource(None), "task_log", self)
        self.view = TaskLogView(self.model)
        self._build()
        self._typing = QTimer(self, singleShot=True, interval=_SEARCH_MS)
        self._typing.timeout.connect(lambda: self.find_next(here=True))
        self.search.textChanged.connect(self._typed)
        self.model.changed.connect(self._count)
        self.reader.set_watched(False)
        self.show_task(None, "", "")

    # Building

    def _build(self) -> None:
        self.title = ElidedLabel(kind="heading", mode=Qt.TextElideMode.ElideMiddle)
        self.words = SteadyLabel("9,999,999 lines")
        theme.mark(self.words, kind="muted")
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search the log")
        self.search.setAccessibleName("Search the log")
        self.search.setClearButtonEnabled(True)
        self.search.setMinimumWidth(110)
        self.search.setMaximumWidth(260)
        self.search.installEventFilter(self)
        self.previous = self._button("chevron-up", "Previous hit (Shift+Enter)", self.find_previous)
        self.next = self._button("chevron-down", "Next hit (Enter)", self.find_next)
        self.error = self._button("error", "Go to the first error (E)", self.go_to_error)
        self.follow = follow_button(self.view)
        self.follow.setToolTip("Follow: keep the newest line in sight. Scrolling up stops it.")
        self.file = self._button("file", "The log's file", None)
        self.file.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.file.setMenu(self._file_menu())
        bar = QFrame()
        theme.mark(bar, kind="bar")
        line = QHBoxLayout(bar)
        line.setContentsMargins(10, 5, 6, 5)
        line.setSpacing(4)
        line.addWidget(self.title, 1)
        for widget in (self.words, self.search, self.previous, self.next, self.error, self.follow, self.file):
            line.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(self.view, 1)
        find = QShortcut(QKeySequence(QKeySequence.StandardKey.Find), self)
        find.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.activated.connect(self._to_search)
        self.view.error_wanted.connect(self.go_to_error)

    @staticmethod
    def _button(icon: str, tip: str, call: object) -> QToolButton:
        button = QToolButton()
        theme.set_icon(button, icon, Role.MUTED)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if callable(call):
            button.clicked.connect(lambda _on=False: call())
        return button

    def _file_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.addAction("Open as a file", self.open_file)
        menu.addAction("Save a copy…", self._ask_where)
        menu.addAction("Copy its path", self.copy_path)
        return menu

    # What is shown

    def show_task(self, path: Path | None, title: str, empty: str) -> None:
        """Show a task's log and follow it.

        Args:
            path: Its file, None for no task.
            title: The task's name.
            empty: What an empty log says.
        """
        self.title.say(title)
        self.view.set_empty_text(empty)
        if path != self.path or path is None:
            self.path = path
            self._search_round += 1
            self.view.forget_width()
            self.model.show(path)
            self.view.follow()
        for button in (self.previous, self.next, self.error, self.file, self.search, self.follow):
            button.setEnabled(path is not None)
        self._count()

    def close_file(self) -> None:
        """Let go of the file, for good."""
        self.reader.close()

    def _count(self) -> None:
        count = self.model.count()
        self.words.say(many(count, "line") if count else "")

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.reader.set_watched(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.reader.set_watched(False)

    # Search

    def _to_search(self) -> None:
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def _typed(self) -> None:
        pattern = self._pattern()
        found = None
        if pattern is not None:
            found = partial(_hits, pattern)
        self.view.set_highlight(found)
        theme.mark(self.search, state="")
        if pattern is None:
            self._typing.stop()
        else:
            self._typing.start()

    def _pattern(self) -> re.Pattern[str] | None:
        text = self.search.text()
        return re.compile(re.escape(text), re.IGNORECASE) if text.strip() else None

    def find_next(self, *, here: bool = False) -> None:
        """Go to the next line with the searched text; `here`: from the line that is looked at, itself included."""
        start = self.view.current_id or self.view.top_row()
        self._find(self._pattern(), start if here or not self.view.current_id else start + 1, backwards=False)

    def find_previous(self) -> None:
        """Go to the line with the searched text before this one."""
        start = self.view.current_id - 1 if self.view.current_id else self.view.top_row()
        self._find(self._pattern(), start, backwards=True)

    def go_to_error(self) -> None:
        """Go to the first line that tells of an error."""
        self._find(ERROR, 1, backwards=False, wrap=False)

    def _find(self, pattern: Searcher | None, row: int, *, backwards: bool, wrap: bool = True) -> None:
        if pattern is None or not self.model.count():
            return
        self._search_round += 1
        mark = self._search_round
        again = [wrap]

        def look(start: int) -> None:
            self.reader.ask(
                "find",
                lambda store: store.find(pattern, start, backwards=backwards),
                taken,
                owner=self,
                problem=self.said.emit,
            )

        def taken(found: tuple[int, int]) -> None:
            hit, following = found
            if mark != self._search_round:
                return
            if hit:
                theme.mark(self.search, state="")
                self.view.go_to(hit)
            elif following:
                look(following)
            elif again[0]:
                again[0] = False
                look(self.model.count() if backwards else 1)
            elif pattern is ERROR:
                self.said.emit("No line of this log tells of an error.")
            else:
                theme.mark(self.search, state="error")

        look(row)

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        if watched is self.search and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._typing.stop()
                backwards = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
                self.find_previous() if backwards else self.find_next()
                return True
            if event.key() == Qt.Key.Key_Escape:
                self.search.clear()
                self.view.setFocus()
                return True
        return super().eventFilter(watched, event)  # type: ignore[arg-type]

    # The file

    def open_file(self) -> None:
        """Open the log with the desktop's program for text files."""
        if self.path is None:
            return
        if not self.path.exists():
            self.said.emit(f"{self.path} is not there yet: the task has written nothing.")
        elif not QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.path))):
            self.copy_path()
            self.said.emit(f"No program opens text files here; the path was copied: {self.path}")

    def copy_path(self) -> None:
        """Put the path of the log on the clipboard."""
        if self.path is not None:
            QGuiApplication.clipboard().setText(str(self.path))

    def _ask_where(self) -> None:
        dialog = QFileDialog(
            self, "Save a copy", self.path.name if self.path else "", "Log files (*.log);;All files (*)"
        )
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("log")
        dialog.fileSelected.connect(lambda name: self.save_copy(Path(name)))
        dialog.open()

    def save_copy(self, target: Path) -> None:
        """Copy the log as it is now to another file; `said` tells how that went."""
        source = self.path
        if source is None:
            return

        def copy(_store: TextFile) -> str:
            shutil.copyfile(source, target)
            return f"The log was copied to {target}."

        self.reader.ask("copy", copy, self.said.emit, owner=self, problem=self.said.emit)


def _joined(hits: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Hits that touch as one: a line of one sign that is looked for has hundreds of them in sight."""
    begin = end = 0
    for start, length in hits:
        if start != end:
            if end > begin:
                yield begin, end - begin
            begin = start
        end = start + length
    if end > begin:
        yield begin, end - begin


def _hits(pattern: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    return [(hit.start(), hit.end() - hit.start()) for hit in pattern.finditer(text)]
