"""A person's hands at the window: clicks that are counted, and keys that move by Tab alone."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLabel, QTabBar, QTreeWidget, QTreeWidgetItem, QWidget

from ui.docks.elided import ElidedLabel

_MOST_TABS = 80


class Hand:
    """Clicks only what can be seen and clicked, and counts.

    Attributes:
        clicks: How many so far.
    """

    def __init__(self, qtbot: Any) -> None:
        self.qtbot = qtbot
        self.clicks = 0

    def click(self, widget: QWidget, at: QPoint | None = None) -> None:
        """Click a widget in its middle, or at a point of it."""
        assert widget.isVisible(), f"{widget.objectName()} cannot be seen"
        assert widget.isEnabled(), f"{widget.objectName()} cannot be clicked"
        place = at or widget.rect().center()
        assert widget.visibleRegion().contains(place), f"{widget.objectName()} is covered or scrolled away at {place}"
        self.clicks += 1
        self.qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=place)

    def click_tab(self, window: QWidget, words: str) -> None:
        """Click the tab of this name."""
        for bar in window.findChildren(QTabBar):
            for place in range(bar.count()):
                if bar.isVisible() and bar.tabText(place) == words:
                    self.click(bar, bar.tabRect(place).center())
                    return
        raise AssertionError(f"there is no tab {words!r} to be seen")

    def click_item(self, tree: QTreeWidget, item: QTreeWidgetItem) -> None:
        """Click an item of a tree on its name."""
        area = tree.visualItemRect(item)
        self.click(tree.viewport(), QPoint(area.left() + 26, area.center().y()))


def tab_to(qtbot: Any, window: QWidget, wanted: QWidget) -> None:
    """Move the keyboard focus by Tab, as who has no mouse."""
    for _ in range(_MOST_TABS):
        focus = window.focusWidget()
        if focus is wanted:
            return
        qtbot.keyClick(focus or window, Qt.Key.Key_Tab)
    raise AssertionError(f"{_MOST_TABS} tabs do not lead to {wanted.accessibleName() or wanted.objectName()!r}")


def is_seen(widget: QWidget | None) -> bool:
    """Whether it exists and is on the screen."""
    return widget is not None and widget.isVisible()


def texts(widget: QWidget) -> str:
    """All labels within it, elided ones in full."""
    found = [one.whole() if isinstance(one, ElidedLabel) else one.text() for one in widget.findChildren(QLabel)]
    return "\n".join(found)
