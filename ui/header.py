"""The window's header: its pages, which site it is, and the tools at the right."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal, SignalInstance
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QPushButton, QToolButton, QWidget

from ui import theme
from ui.docks.notice import Chip
from ui.theme import Role

_PAGES = (("Signals", "lever"), ("Job compiler", "code"), ("Jobs", "job"))
_THEMES: tuple[tuple[str, theme.Choice], ...] = (("Dark", "dark"), ("Light", "light"), ("As the desktop", "system"))


class Header(QFrame):
    """The strip at the top.

    Args:
        shown: The actions that show and hide docks, for the menu.

    Attributes:
        chip: Which site it is.
        why: The button that asks what happened to something.

    Signals:
        page_wanted: a page by its number.
        theme_wanted: a theme that was chosen.
        theme_turned: dark to light or back.
        finder_wanted, settings_wanted, layout_wanted, assistant_wanted, shadow_wanted, catch_up_wanted,
            quit_wanted: what they say.
    """

    page_wanted = Signal(int)
    theme_wanted = Signal(str)
    theme_turned = Signal()
    finder_wanted = Signal()
    settings_wanted = Signal()
    layout_wanted = Signal()
    assistant_wanted = Signal()
    shadow_wanted = Signal()
    catch_up_wanted = Signal()
    quit_wanted = Signal()

    def __init__(self, shown: Sequence[QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        theme.mark(self, kind="bar")
        self.setFixedHeight(44)
        line = QHBoxLayout(self)
        line.setContentsMargins(12, 0, 8, 0)
        line.setSpacing(8)
        self._mark = QLabel()
        line.addWidget(self._mark)
        name = QLabel("Signalbox")
        name.setFont(theme.heading_font(2.0))
        line.addWidget(name)
        line.addSpacing(12)
        self._pages = [self._page_button(index, *page) for index, page in enumerate(_PAGES)]
        for button in self._pages:
            line.addWidget(button)
        line.addSpacing(8)
        self.chip = Chip()
        line.addWidget(self.chip)
        line.addStretch(1)
        self.why = QPushButton("What happened to…?")
        self.why.setObjectName("why")
        self.why.setToolTip("Find a task, shot or project and read why it has (or has not) a folder  (Ctrl+K)")
        self.why.setShortcut(QKeySequence("Ctrl+K"))
        theme.set_icon(self.why, "search", Role.MUTED)
        self.why.clicked.connect(self.finder_wanted)
        line.addWidget(self.why)
        line.addWidget(self._tool("theme", "moon", "Dark or light", self.theme_turned))
        line.addWidget(self._tool("settings", "settings", "Settings", self.settings_wanted))
        line.addWidget(self._menu_button(shown))
        theme.notifier().changed.connect(self._draw_mark)
        self._draw_mark()

    def show_page(self, index: int) -> None:
        """Mark a page as the one that is shown."""
        self._pages[index].setChecked(True)

    def _page_button(self, index: int, words: str, icon: str) -> QToolButton:
        button = QToolButton()
        button.setText(words)
        button.setCheckable(True)
        button.setAutoExclusive(True)
        button.setChecked(index == 0)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setObjectName(f"page_{index}")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setShortcut(QKeySequence(f"Ctrl+{index + 1}"))
        button.setToolTip(f"{words}  (Ctrl+{index + 1})")
        theme.set_icon(button, icon, Role.MUTED)
        button.clicked.connect(partial(self._ask_page, index))
        return button

    def _ask_page(self, index: int, _checked: bool = False) -> None:
        self.page_wanted.emit(index)

    def _tool(self, name: str, icon: str, tip: str, wanted: SignalInstance) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"tool_{name}")
        theme.set_icon(button, icon, Role.MUTED)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.clicked.connect(wanted)
        return button

    def _menu_button(self, shown: Sequence[QAction]) -> QToolButton:
        button = QToolButton()
        theme.set_icon(button, "menu", Role.MUTED)
        button.setToolTip("Window")
        button.setAccessibleName("Window menu")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setMenu(self._menu(button, shown))
        return button

    def _menu(self, parent: QWidget, shown: Sequence[QAction]) -> QMenu:
        menu = QMenu(parent)
        menu.addActions(list(shown))
        menu.addAction("Restore the usual layout", self.layout_wanted.emit)
        menu.addSeparator()
        menu.addAction("Connect the studio…", self.assistant_wanted.emit)
        menu.addAction("Compare with the old server…", self.shadow_wanted.emit)
        menu.addAction("Look for what was missed…", self.catch_up_wanted.emit)
        menu.addSeparator()
        group = QActionGroup(menu)
        for words, choice in _THEMES:
            action = QAction(words, menu)
            action.setCheckable(True)
            action.setData(choice)
            action.triggered.connect(partial(self._ask_theme, choice))
            group.addAction(action)
            menu.addAction(action)
        # The theme can be changed elsewhere too.
        menu.aboutToShow.connect(partial(_check_theme, group))
        menu.addSeparator()
        leave = menu.addAction("Quit Signalbox", self.quit_wanted.emit)
        leave.setShortcut(QKeySequence(QKeySequence.StandardKey.Quit))
        return menu

    def _ask_theme(self, choice: theme.Choice, _checked: bool = False) -> None:
        self.theme_wanted.emit(choice)

    def _draw_mark(self) -> None:
        self._mark.setPixmap(theme.pixmap("signalbox", Role.ACCENT, 22, self.devicePixelRatioF()))


def _check_theme(group: QActionGroup) -> None:
    for action in group.actions():
        action.setChecked(action.data() == theme.chosen())
