"""The docks of the signals page around each other: their titles, their usual places, and where a person left them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QByteArray, QEvent, QObject, QSettings, QSize, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QDockWidget, QFrame, QHBoxLayout, QLabel, QMainWindow, QTabWidget, QToolButton, QWidget

from ui import theme
from ui.theme import Role

_VERSION = 2
"""Raised when docks come or go, so that a layout of an older window is not forced on a new one."""
_KEY, _LEVERS_KEY, _USUAL_KEY = "docks", "levers_width", "docks_usual"
_WIDE = 1_700
"""From this width on, the log has a place of its own beside the event's detail."""
_LEVERS = 400
"""Pixels of the levers' column; what a window has more of belongs to the events."""


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
        self._levers = _LEVERS
        self._width = 0
        self._state: QByteArray | None = None
        self._settled = False
        self._usual = False
        self._moving = False

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
        for moved in (dock.topLevelChanged, dock.dockLocationChanged):
            moved.connect(self._sync_titles)
            moved.connect(self._moved)
        dock.installEventFilter(self)
        self.by_name[name] = dock

    def bring_forward(self, name: str) -> None:
        """Show a dock, before those it shares its place with."""
        self.by_name[name].show()
        self.by_name[name].raise_()

    def covers(self, widget: QWidget) -> bool:
        """Whether a widget lies in a dock behind another's tab: Qt leaves it where the keyboard comes by."""
        docks = (dock for dock in self.by_name.values() if dock.isVisible() and not dock.isFloating())
        # Qt puts them outside the window.
        behind = (dock for dock in docks if dock.x() < 0)
        return any(dock.isAncestorOf(widget) for dock in behind)

    def _sync_titles(self, *_args: object) -> None:
        """A dock in a tab has its name on the tab: its title bar would say it twice."""
        for name, dock in self.by_name.items():
            tabbed = bool(self.tabifiedDockWidgets(dock)) and not dock.isFloating()
            wanted = self._bare[name] if tabbed else self._titles[name]
            if dock.titleBarWidget() is not wanted:
                dock.setTitleBarWidget(wanted)
                wanted.show()

    def _moved(self, *_args: object) -> None:
        """Where a person put a dock it stays, whatever the window's size."""
        self._usual = self._usual and self._moving

    def usual_layout(self, window: QSize) -> None:
        """Put every dock where it belongs in a window of this size: a small one on a large screen is small."""
        docks, area = self.by_name, Qt.DockWidgetArea
        self._usual = self._moving = True
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
        self._moving = False
        self._state = None
        self._levers = _LEVERS
        self._usual_sizes()

    def _follow_width(self) -> None:
        """A window made small has the log behind the event's detail, one made large beside it; nobody moved them."""
        docks, levers = self.by_name, self._levers
        self._hold_levers()
        beside = docks["log"] not in self.tabifiedDockWidgets(docks["event_detail"])
        if not self._usual or beside == (self.width() >= _WIDE):
            return
        closed = [dock for dock in docks.values() if not dock.toggleViewAction().isChecked()]
        front = [dock for dock in docks.values() if not dock.visibleRegion().isEmpty()]
        self.usual_layout(self.size())
        for dock in reversed(front):
            dock.raise_()
        for dock in closed:
            dock.hide()
        self._levers = levers
        self._usual_sizes()

    def _usual_sizes(self) -> None:
        docks = self.by_name
        self._hold_levers()
        height = max(400, self.height())
        self.resizeDocks(
            [docks["events"], docks["event_detail"]], [int(height * 0.54), int(height * 0.46)], Qt.Orientation.Vertical
        )
        if docks["log"] not in self.tabifiedDockWidgets(docks["event_detail"]):
            width = max(400, self.width() - self._levers)
            self.resizeDocks(
                [docks["event_detail"], docks["log"]], [int(width * 0.45), int(width * 0.55)], Qt.Orientation.Horizontal
            )

    def restore(self, memory: QSettings) -> None:
        """Put the docks where `save` found them; nothing where it never did."""
        state = memory.value(_KEY)
        self._moving = True
        if isinstance(state, QByteArray) and not state.isEmpty() and self.restoreState(state, _VERSION):
            self._levers = int(str(memory.value(_LEVERS_KEY, _LEVERS)))
            self._usual = memory.value(_USUAL_KEY) == "yes"
            self._state = state
        self._moving = False

    def save(self, memory: QSettings) -> None:
        """Remember where the docks are."""
        memory.setValue(_KEY, self.saveState(_VERSION))
        memory.setValue(_LEVERS_KEY, self._levers)
        memory.setValue(_USUAL_KEY, "yes" if self._usual else "no")

    def showEvent(self, event: QShowEvent) -> None:
        """Sizes that were given before the window had its own were squeezed into less: they are given again."""
        super().showEvent(event)
        if self._settled:
            return
        self._settled = True
        self._moving = True
        if self._state is not None:
            self.restoreState(self._state, _VERSION)
            self._state = None
        else:
            self._usual_sizes()
        self._moving = False
        QTimer.singleShot(0, self, self._follow_width)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._width = event.size().width()
        if self._settled:
            # Docks are not moved while their layout is at work.
            QTimer.singleShot(0, self, self._follow_width)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A person who drags the levers' edge decides how wide they are from then on."""
        if (
            event.type() == QEvent.Type.Resize
            and self._width == self.width()
            and QGuiApplication.mouseButtons() & Qt.MouseButton.LeftButton
        ):
            # A dock behind another's tab has no place of its own.
            levers = self._at_home(("handlers", "actions"), Qt.DockWidgetArea.LeftDockWidgetArea)
            self._levers = next((dock.width() for dock in levers if dock.x() >= 0), self._levers)
        return super().eventFilter(watched, event)

    def _at_home(self, names: Sequence[str], area: Qt.DockWidgetArea) -> list[QDockWidget]:
        """Those of the docks that stand where they usually do."""
        docks = (self.by_name[name] for name in names)
        return [d for d in docks if self.dockWidgetArea(d) == area and not (d.isFloating() or d.isHidden())]

    def _hold_levers(self) -> None:
        """Qt shares the width of a larger window evenly: it belongs to what is read, the levers need no more."""
        levers = self._at_home(("handlers", "actions"), Qt.DockWidgetArea.LeftDockWidgetArea)
        beside = self._at_home(("events", "event_detail", "log", "browser"), Qt.DockWidgetArea.RightDockWidgetArea)
        if levers and beside:
            widths = [self._levers, max(1, self.width() - self._levers)]
            self.resizeDocks([levers[0], beside[0]], widths, Qt.Orientation.Horizontal)


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
