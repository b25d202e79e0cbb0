"""The docks of the signals page around each other: their titles, their usual places, and where a person left them."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QSettings, QSize, Qt
from PySide6.QtWidgets import QDockWidget, QFrame, QHBoxLayout, QLabel, QMainWindow, QTabWidget, QToolButton, QWidget

from ui import theme
from ui.theme import Role

_VERSION = 2
"""Raised when docks come or go, so that a layout of an older window is not forced on a new one."""
_KEY = "docks"
_WIDE = 1_700
"""From this width on, the log has a place of its own beside the event's detail."""


class DockArea(QMainWindow):
    """The area that holds the docks.

    Attributes:
        by_name: Each dock by its name.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowFlags(Qt.WindowType.Widget)
        self.setDockNestingEnabled(True)
        self.setAnimated(False)
        self.setDockOptions(
            QMainWindow.DockOption.AllowTabbedDocks
            | QMainWindow.DockOption.AllowNestedDocks
            | QMainWindow.DockOption.GroupedDragging
        )
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        self.by_name: dict[str, QDockWidget] = {}
        self._titles: dict[str, QWidget] = {}
        self._bare: dict[str, QWidget] = {}

    def add(self, name: str, title: str, widget: QWidget) -> None:
        """Put a widget into a dock of its own; `usual_layout` gives it its place."""
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setWidget(widget)
        self._titles[name] = DockTitle(dock, title)
        self._bare[name] = QWidget(dock)
        self._bare[name].setFixedHeight(0)
        dock.setTitleBarWidget(self._titles[name])
        dock.visibilityChanged.connect(self._sync_titles)
        dock.topLevelChanged.connect(self._sync_titles)
        dock.dockLocationChanged.connect(self._sync_titles)
        self.by_name[name] = dock

    def bring_forward(self, name: str) -> None:
        """Show a dock, before those it shares its place with."""
        self.by_name[name].show()
        self.by_name[name].raise_()

    def _sync_titles(self, *_args: object) -> None:
        """A dock in a tab has its name on the tab: its title bar would say it twice."""
        for name, dock in self.by_name.items():
            tabbed = bool(self.tabifiedDockWidgets(dock)) and not dock.isFloating()
            wanted = self._bare[name] if tabbed else self._titles[name]
            if dock.titleBarWidget() is not wanted:
                dock.setTitleBarWidget(wanted)
                wanted.show()

    def usual_layout(self, window: QSize) -> None:
        """Put every dock where it belongs in a window of this size: a small one on a large screen is small."""
        docks, area = self.by_name, Qt.DockWidgetArea
        for dock in docks.values():
            dock.setFloating(False)
            self.removeDockWidget(dock)
        self.addDockWidget(area.LeftDockWidgetArea, docks["handlers"])
        self.addDockWidget(area.RightDockWidgetArea, docks["events"])
        self.splitDockWidget(docks["events"], docks["event_detail"], Qt.Orientation.Vertical)
        if window.width() >= _WIDE:
            self.splitDockWidget(docks["event_detail"], docks["log"], Qt.Orientation.Horizontal)
        else:
            self.tabifyDockWidget(docks["event_detail"], docks["log"])
        self.tabifyDockWidget(docks["handlers"], docks["actions"])
        self.tabifyDockWidget(docks["events"], docks["browser"])
        for dock in docks.values():
            dock.show()
        for name in ("handlers", "events", "event_detail"):
            docks[name].raise_()
        self.resizeDocks([docks["handlers"], docks["events"]], [430, 2_000], Qt.Orientation.Horizontal)
        height = max(400, window.height() - 110)
        self.resizeDocks(
            [docks["events"], docks["event_detail"]], [int(height * 0.54), int(height * 0.46)], Qt.Orientation.Vertical
        )

    def restore(self, memory: QSettings) -> None:
        """Put the docks where `save` found them; nothing where it never did."""
        state = memory.value(_KEY)
        if isinstance(state, QByteArray) and not state.isEmpty():
            self.restoreState(state, _VERSION)

    def save(self, memory: QSettings) -> None:
        """Remember where the docks are."""
        memory.setValue(_KEY, self.saveState(_VERSION))


class DockTitle(QFrame):
    """A dock's title: its name, and buttons to float and to hide it."""

    def __init__(self, dock: QDockWidget, title: str) -> None:
        super().__init__(dock)
        theme.mark(self, kind="bar")
        self.setFixedHeight(28)
        line = QHBoxLayout(self)
        line.setContentsMargins(10, 0, 4, 0)
        line.setSpacing(0)
        name = QLabel(title)
        theme.mark(name, kind="heading")
        line.addWidget(name, 1)
        for icon, tip, does in (
            ("external", f"Float {title}", lambda: dock.setFloating(not dock.isFloating())),
            ("close", f"Hide {title} (the window menu brings it back)", dock.hide),
        ):
            button = QToolButton()
            button.setIconSize(QSize(13, 13))
            theme.set_icon(button, icon, Role.MUTED)
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            button.clicked.connect(does)
            line.addWidget(button)
