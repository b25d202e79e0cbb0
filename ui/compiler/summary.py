"""The head of the preview: a lamp, a sentence, and the job in numbers."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLayout, QLayoutItem, QSizePolicy, QVBoxLayout, QWidget

from app.jobs.api import CompileResult
from app.rules.words import many
from ui import theme
from ui.compiler.outcome import Headline, chunk_words, headline, program_count
from ui.compiler.parts import label, push_button
from ui.docks.elided import ElidedLabel
from ui.graph.canvas import type_roles
from ui.theme import Role

_ICONS = {"ok": "ok", "warning": "warning", "error": "error", "info": "clock", "off": "info"}
_ROLES = {"ok": Role.OK, "warning": Role.WARNING, "error": Role.ERROR, "info": Role.INFO, "off": Role.OFF}


class Chip(QWidget):
    """A small rounded label with a number, coloured by what it counts."""

    def __init__(self, count: str, words: str, role: Role) -> None:
        super().__init__()
        self._count, self._words, self._role = count, words, role
        self.setAccessibleName(f"{count} {words}")
        self.setToolTip(f"{count} {words}")

    def text(self) -> str:
        """What it says."""
        return f"{self._count} {self._words}"

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(f"{self._count}  {self._words}") + 20, metrics.height() + 8)

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.colour(self._role, 0.16))
        area = self.rect().adjusted(0, 1, 0, -1)
        painter.drawRoundedRect(area, 5, 5)
        inside = area.adjusted(9, 0, -9, 0)
        bold = theme.ui_font(0, theme.ui_font().Weight.DemiBold)
        painter.setFont(bold)
        painter.setPen(look.colour(self._role))
        painter.drawText(inside, Qt.AlignmentFlag.AlignVCenter, self._count)
        used = painter.fontMetrics().horizontalAdvance(self._count + " ")
        painter.setFont(theme.ui_font())
        painter.setPen(look.colour(Role.TEXT))
        painter.drawText(inside.adjusted(used, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, self._words)
        painter.end()


class FlowLayout(QLayout):
    """Widgets in a row that goes on in the next line where the width ends."""

    def __init__(self, parent: QWidget | None = None, spacing: int = theme.SPACE.XS) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self.setSpacing(spacing)

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._arrange(QRect(0, 0, width, 0), move=False)

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        widest = max((item.sizeHint().width() for item in self._items), default=0)
        tallest = max((item.sizeHint().height() for item in self._items), default=0)
        margins = self.contentsMargins()
        return QSize(min(widest, 120), tallest + margins.top() + margins.bottom())

    def setGeometry(self, area: QRect) -> None:
        super().setGeometry(area)
        self._arrange(area, move=True)

    def _arrange(self, whole: QRect, *, move: bool) -> int:
        margins = self.contentsMargins()
        area = whole.marginsRemoved(margins)
        x, y, line = area.left(), area.top(), 0
        for item in self._items:
            size = item.sizeHint()
            if x > area.left() and x + size.width() > area.right() + 1:
                x, y, line = area.left(), y + line + self.spacing(), 0
            if move:
                item.setGeometry(QRect(QPoint(x, y), QSize(min(size.width(), area.width()), size.height())))
            x += size.width() + self.spacing()
            line = max(line, size.height())
        return y + line - area.top() + margins.top() + margins.bottom()


class SummaryHead(QFrame):
    """The strip above the preview.

    Signals:
        place_wanted: the place of the error was asked for (file, line, column).
    """

    place_wanted = Signal(str, int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._headline = Headline("off", "Nothing to preview yet")
        self._strip = QFrame()
        self._lamp = QLabel()
        self._title = label("", "heading", wrap=True)
        self._detail = label("", wrap=True)
        self._stale = label("", "muted", wrap=True)
        self.go = push_button("Go to line", self._go)
        self._strip.setCursor(Qt.CursorShape.ArrowCursor)
        words = QVBoxLayout()
        words.setSpacing(2)
        for line in (self._title, self._detail, self._stale):
            words.addWidget(line)
        row = QHBoxLayout(self._strip)
        row.setContentsMargins(theme.SPACE.M, 9, theme.SPACE.M, 9)
        row.setSpacing(10)
        row.addWidget(self._lamp, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        row.addWidget(self.go, 0, Qt.AlignmentFlag.AlignTop)
        self._numbers = QWidget()
        self._chips = FlowLayout(self._numbers, 6)
        self._chips.setContentsMargins(theme.SPACE.M, theme.SPACE.S, theme.SPACE.M, theme.SPACE.XS)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self._numbers.setSizePolicy(policy)
        self._facts = ElidedLabel("", kind="muted", asks=True)
        self._facts.setContentsMargins(theme.SPACE.M, 0, theme.SPACE.M, theme.SPACE.XS)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._strip)
        layout.addWidget(self._numbers)
        layout.addWidget(self._facts)
        theme.notifier().changed.connect(self._show)
        self._show()
        self._numbers.hide()
        self._facts.hide()

    # -- outcome -----------------------------------------------------------------------------------------------------

    def show_outcome(self, result: CompileResult, kept: str = "") -> None:
        """The lamp and the sentence.

        Args:
            result: The newest result.
            kept: What is said of the preview below when it is an older one, "" when it is this result's.
        """
        self._headline = headline(result)
        self._stale.setText(kept)
        self._show()

    def show_idle(self, title: str, detail: str = "") -> None:
        """No result: nothing open, or the first compilation is under way."""
        self._headline = Headline("off", title, detail)
        self._stale.setText("")
        self._show()
        self.clear_numbers()

    def title(self) -> str:
        """The sentence shown."""
        return self._headline.title

    def state(self) -> str:
        """The lamp shown: ok, warning, error or off."""
        return self._headline.state

    def kept_note(self) -> str:
        """What is said about an older preview below."""
        return self._stale.text()

    def _show(self) -> None:
        said = self._headline
        state = said.state if said.state != "off" else "info"
        theme.mark(self._strip, state=state)
        theme.mark(self._title, state=state)
        self._lamp.setPixmap(theme.pixmap(_ICONS[said.state], _ROLES[said.state], 20, self.devicePixelRatioF()))
        self._title.setText(said.title)
        self._detail.setText(said.detail)
        self._detail.setVisible(bool(said.detail))
        self._stale.setVisible(bool(self._stale.text()))
        self.go.setVisible(said.line > 0)
        self.go.setText(f"Go to line {said.line}")
        self._strip.setCursor(Qt.CursorShape.PointingHandCursor if said.line else Qt.CursorShape.ArrowCursor)

    def _go(self) -> None:
        if self._headline.line:
            self.place_wanted.emit(self._headline.file, self._headline.line, self._headline.column)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._strip.geometry().contains(event.position().toPoint()):
            self._go()
        super().mouseReleaseEvent(event)

    # -- numbers -----------------------------------------------------------------------------------------------------

    def show_numbers(self, result: CompileResult, patterns: Mapping[tuple[str, str], int], version: str) -> None:
        """Tasks by type, commands, chunks, command lines, and how long it took.

        Args:
            result: The result.
            patterns: How many tasks share each type and name pattern, in order of first appearance.
            version: Version of the Manager it was compiled for.
        """
        summary = result.summary
        roles = type_roles([kind for kind, _pattern in patterns])
        chips = [(f"{count:,}", name, roles.get(name, Role.INFO)) for name, count in summary.by_type.items()]
        self._fill(chips)
        programs = program_count(result)
        facts = [
            chunk_words(patterns),
            _counts(summary.commands),
            many(programs, "command line"),
            many(summary.dependencies, "dependency", "dependencies"),
            f"compiled in {result.milliseconds:.0f} ms as Flamenco {version}",
        ]
        self._facts.say("  ·  ".join(fact for fact in facts if fact))
        self._facts.show()

    def facts(self) -> str:
        """The line of numbers."""
        return self._facts.whole()

    def chips(self) -> list[str]:
        """What the chips say."""
        widgets = (self._chips.itemAt(at) for at in range(self._chips.count()))
        return [item.widget().text() for item in widgets if item is not None]  # type: ignore[union-attr]

    def clear_numbers(self) -> None:
        """No numbers."""
        self._fill([])
        self._facts.say("")
        self._facts.hide()

    def _fill(self, chips: list[tuple[str, str, Role]]) -> None:
        while (item := self._chips.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for count, words, role in chips[:12]:
            chip = Chip(count, words, role)
            self._chips.addWidget(chip)
            chip.show()
        if len(chips) > 12:
            self._chips.addWidget(Chip(f"+ {len(chips) - 12}", "more types", Role.OFF))
        self._numbers.setVisible(bool(chips))
        self._chips.invalidate()


def _counts(commands: Mapping[str, int]) -> str:
    shown = [f"{count:,} {name}" for name, count in list(commands.items())[:4]]
    more = len(commands) - len(shown)
    return ", ".join(shown) + (f" and {more} more kinds of command" if more > 0 else "")
