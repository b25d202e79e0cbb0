"""What every dialog of the window has in common. None is ever executed: it is opened, and tells when it is done."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ui import theme
from ui.docks.notice import site_chip
from ui.models.words import name_of
from ui.theme import Role

_WIDE = 540
"""Pixels of a question."""
_ROWS = 3, 10
"""Items that a list has room for at least and at most before it scrolls: a long name takes several lines."""


class Dialog(QDialog):
    """A title, which site it is, a line of explanation, a body, and a foot with buttons; gone when it is closed."""

    def __init__(self, title: str, about: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        head = QVBoxLayout()
        head.setContentsMargins(20, 16, 20, 10)
        head.setSpacing(4)
        heading = QLabel(title)
        theme.mark(heading, kind="title")
        heading.setWordWrap(True)
        heading.setTextFormat(Qt.TextFormat.PlainText)
        row = QHBoxLayout()
        row.addWidget(heading, 1)
        self.site_chip = site_chip(self)
        row.addWidget(self.site_chip, 0, Qt.AlignmentFlag.AlignTop)
        head.addLayout(row)
        self.about = QLabel(about)
        self.about.setWordWrap(True)
        self.about.setTextFormat(Qt.TextFormat.PlainText)
        theme.mark(self.about, kind="muted")
        self.about.setVisible(bool(about))
        head.addWidget(self.about)
        column.addLayout(head)
        self.body = QVBoxLayout()
        self.body.setContentsMargins(20, 4, 20, 14)
        self.body.setSpacing(8)
        column.addLayout(self.body, 1)
        foot = QFrame()
        theme.mark(foot, kind="foot")
        self.foot = QHBoxLayout(foot)
        self.foot.setContentsMargins(20, 10, 20, 10)
        self.foot.setSpacing(8)
        self.foot.addStretch(1)
        column.addWidget(foot)

    def add_button(self, words: str, kind: str = "", *, default: bool = False) -> QPushButton:
        """A button at the right end of the foot; `kind` is "primary", "danger" or ""."""
        button = QPushButton(words)
        if kind:
            theme.mark(button, kind=kind)
        button.setAutoDefault(default)
        button.setDefault(default)
        self.foot.addWidget(button)
        return button

    def add_cancel(self, words: str = "Cancel") -> QPushButton:
        """The button that leaves everything as it is."""
        button = self.add_button(words)
        button.clicked.connect(self.reject)
        return button


class ItemList(QListWidget):
    """What an action is about, item by item."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setWordWrap(True)
        self.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSpacing(1)

    def sizeHint(self) -> QSize:
        """Room for some items: Qt asks for the same height for one as for a hundred."""
        rows = max(_ROWS[0], min(_ROWS[1], self.count()))
        return QSize(super().sizeHint().width(), rows * (self.fontMetrics().height() + 8) + 6)

    def fill(self, items: Sequence[tuple[str, str, Role]]) -> None:
        """Show items: icon name, words, colour."""
        self.clear()
        for icon, words, role in items:
            item = QListWidgetItem(theme.icon(icon, role), name_of(words))
            item.setFlags(Qt.ItemFlag.ItemIsEnabled)
            self.addItem(item)


class Confirm(Dialog):
    """Asks before something is done, and lists what it is done to. Connect to `accepted`."""

    def __init__(
        self,
        title: str,
        about: str,
        items: Sequence[str],
        verb: str,
        parent: QWidget | None = None,
        danger: bool = False,
        icon: str = "event",
    ) -> None:
        super().__init__(title, about, parent)
        if items:
            listing = ItemList("Items")
            listing.fill([(icon, words, Role.MUTED) for words in items])
            self.body.addWidget(listing)
        self.cancel = self.add_cancel()
        self.confirm = self.add_button(verb, "danger" if danger else "primary", default=True)
        self.confirm.clicked.connect(self.accept)

    def showEvent(self, event: QShowEvent) -> None:
        # Wrapped words know their height only once they know their width.
        layout = self.layout()
        assert layout is not None
        self.resize(_WIDE, layout.totalHeightForWidth(_WIDE))
        super().showEvent(event)

    def prefer_cancel(self) -> None:
        """Make leaving everything as it is the answer that Return gives."""
        self.confirm.setAutoDefault(False)
        self.confirm.setDefault(False)
        self.cancel.setAutoDefault(True)
        self.cancel.setDefault(True)
        self.cancel.setFocus()
