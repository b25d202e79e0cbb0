"""What of a window's texts cannot be read: the walk over all widgets that the tests of the window share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QComboBox,
    QDockWidget,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QTabBar,
    QToolButton,
    QWidget,
)

from ui.dialogs.batch_tasks import Choices
from ui.docks.elided import ElidedLabel

SCREEN = QSize(1280, 720)
"""The smallest screen that everything has to fit on."""
_ARROW = 22
_EDGE = 16
"""Pixels of a field that its text cannot have: frame and padding."""


def clipped(root: QWidget) -> Iterator[str]:
    """Widgets within `root` whose text needs more room than they have, and `root` where the screen is too small."""
    if root.width() > SCREEN.width() or root.height() > SCREEN.height():
        yield f"{type(root).__name__} {root.objectName()} is larger than the screen: {root.size().toTuple()}"
    for widget in root.findChildren(QWidget):
        if not widget.isVisible() or _in_a_tab_behind(widget) or isinstance(widget, ElidedLabel | Choices):
            # What is elided shows its ellipsis and has the whole as its tooltip: nothing is lost unseen.
            continue
        if isinstance(widget, QHeaderView | QTabBar):
            yield from _sections(widget)
            continue
        need = _need(widget)
        if need is None:
            continue
        if widget.width() < need.width() - 1 or widget.height() < need.height() - 1:
            yield f"{type(widget).__name__} {_text(widget)!r}: has {widget.size().toTuple()}, needs {need.toTuple()}"
        elif cutter := _cut_by(widget):
            yield f"{type(widget).__name__} {_text(widget)!r} sticks out of {cutter}"


def assert_nothing_is_clipped(qtbot: Any, root: QWidget) -> None:
    """Layouts settle within a few turns of the event loop; what is cut after that stays cut."""
    with contextlib.suppress(qtbot.TimeoutError):
        qtbot.waitUntil(lambda: not list(clipped(root)), timeout=20_000)
    found = list(clipped(root))
    assert not found, "\n".join(found)


def _in_a_tab_behind(widget: QWidget) -> bool:
    """Qt keeps a dock whose tab is behind another's outside the window."""
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QDockWidget) and not parent.isFloating():
            return not parent.geometry().intersects(parent.parentWidget().rect())
        parent = parent.parentWidget()
    return False


def _sections(widget: QHeaderView | QTabBar) -> Iterator[str]:
    """Headings of columns and words of tabs, each against the room of its own."""
    texts: Callable[[int], str]
    if isinstance(widget, QHeaderView):
        if widget.orientation() == Qt.Orientation.Vertical or widget.model() is None:
            return
        # A last section that is scrolled or stretched to has what is left.
        count, room = widget.count(), widget.sectionSize
        texts = lambda at: str(widget.model().headerData(at, Qt.Orientation.Horizontal) or "")  # noqa: E731
        hidden = widget.isSectionHidden
    else:
        count, room, texts = widget.count(), (lambda at: widget.tabRect(at).width()), widget.tabText
        hidden = lambda at: not widget.isTabVisible(at)  # noqa: E731
    for at in range(count):
        need = widget.fontMetrics().horizontalAdvance(texts(at))
        if not hidden(at) and texts(at) and room(at) < need + 4:
            yield f"{type(widget).__name__} {texts(at)!r}: has {room(at)}, needs {need + 4}"


def _text(widget: Any) -> str:
    if isinstance(widget, QComboBox):
        return widget.currentText()
    return getattr(widget, "text", str)() or getattr(widget, "placeholderText", str)()


def _lines(widget: QWidget, text: str) -> QSize:
    metrics, lines = widget.fontMetrics(), text.split("\n")
    return QSize(max(map(metrics.horizontalAdvance, lines)), metrics.height() * len(lines))


def _need(widget: QWidget) -> QSize | None:
    if isinstance(widget, QLabel):
        if not widget.text() or (widget.pixmap().cacheKey() and not widget.text()):
            return None
        if widget.wordWrap():
            return QSize(0, widget.heightForWidth(widget.width()))
        margins = widget.contentsMargins()
        return _lines(widget, widget.text()) + QSize(margins.left() + margins.right(), 0)
    if isinstance(widget, QLineEdit) and not isinstance(widget.parentWidget(), QComboBox):
        if widget.text() or not widget.placeholderText():
            return None
        icons = sum(button.width() + 6 for button in widget.findChildren(QToolButton) if button.isVisible())
        return _lines(widget, widget.placeholderText()) + QSize(_EDGE + icons, 0)
    if isinstance(widget, QPushButton | QCheckBox | QRadioButton) or (
        isinstance(widget, QToolButton) and widget.text()
    ):
        assert isinstance(widget, QAbstractButton)
        icon = 0 if widget.icon().isNull() or _icon_only(widget) else widget.iconSize().width() + 4
        words = "" if _icon_only(widget) else widget.text().replace("&", "")
        return _lines(widget, words) + QSize(icon, 0)
    if isinstance(widget, QComboBox):
        return _lines(widget, widget.currentText()) + QSize(_ARROW, 0)
    return None


def _icon_only(widget: QAbstractButton) -> bool:
    return (
        isinstance(widget, QToolButton)
        and not widget.icon().isNull()
        and (widget.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonIconOnly)
    )


def _cut_by(widget: QWidget) -> str:
    """The parent that cuts it off, where no scroll area lets a person bring it into sight; "" for none."""
    rect, parent = widget.geometry(), widget.parentWidget()
    while parent is not None and not parent.isWindow():
        if isinstance(parent.parentWidget(), QScrollArea) or isinstance(parent, QScrollArea):
            cut = rect.right() > parent.width() + 1 and not isinstance(parent, QScrollArea)
            return f"the scrolled {type(parent).__name__}" if cut else ""
        if not parent.rect().adjusted(-1, -1, 1, 1).contains(rect):
            return f"{type(parent).__name__} {parent.objectName()} {parent.size().toTuple()}: {rect.getRect()}"
        rect.translate(parent.pos())
        parent = parent.parentWidget()
    return ""
