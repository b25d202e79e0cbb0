"""A dialog that looks something up: type, choose a hit at the left, read about it at the right."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListWidget,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from ui import theme
from ui.dialogs.base import Dialog
from ui.models.words import tip
from ui.theme import Role

_TYPING_MS = 120


class LookUp(Dialog):
    """Search, hits and what is told of one. A kind of it says what is searched (`_search`) and told (`_choose`).

    Args:
        title: The heading.
        about: What it is for.
        asks: What the search field asks for, and what it is called to a screen reader.
        found: What the list of hits is called.
        wide: Width of the list of hits, in pixels.
    """

    def __init__(self, title: str, about: str, asks: str, found: str, wide: int, parent: QWidget | None = None) -> None:
        super().__init__(title, about, parent)
        self.search = QLineEdit()
        self.search.setPlaceholderText(asks)
        self.search.setAccessibleName(asks)
        self.search.setClearButtonEnabled(True)
        self.search.addAction(theme.icon("search", Role.MUTED), QLineEdit.ActionPosition.LeadingPosition)
        self.body.addWidget(self.search)
        self.hits = QListWidget()
        self.hits.setAccessibleName(found)
        self.hits.setMinimumWidth(220)
        self.hits.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.hits.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.hits.setSpacing(2)
        holder = QWidget()
        self._told = QVBoxLayout(holder)
        self._told.setContentsMargins(12, 4, 8, 8)
        self._told.setSpacing(8)
        self._told.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        theme.mark(area, kind="read")
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(holder)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setChildrenCollapsible(False)
        split.addWidget(self.hits)
        split.addWidget(area)
        split.setStretchFactor(1, 1)
        split.setSizes([wide, 900 - wide])
        self.body.addWidget(split, 1)
        self.add_cancel("Close")
        self._wait = QTimer(self, singleShot=True, interval=_TYPING_MS)
        self._wait.timeout.connect(self._search)
        # Qt shows new parts a turn later; what the area measured before that has no room for them.
        self._shown = QTimer(self, singleShot=True, interval=0)
        self._shown.timeout.connect(holder.updateGeometry)
        self.search.textChanged.connect(lambda _text: self._wait.start())
        self.hits.currentRowChanged.connect(self._choose)
        self.resize(900, 560)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.search.setFocus()

    def _list(self, hits: Sequence[str]) -> None:
        """Show these hits; none is chosen yet."""
        self.hits.blockSignals(True)
        self.hits.clear()
        for place, words in enumerate(hits):
            self.hits.addItem(words)
            self.hits.item(place).setToolTip(tip(words))
        self.hits.setCurrentRow(-1)
        self.hits.blockSignals(False)

    def _tell(self, parts: Sequence[QWidget]) -> None:
        """Show these at the right instead."""
        while self._told.count() > 1:
            item = self._told.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for place, part in enumerate(parts):
            self._told.insertWidget(place, part)
        self._shown.start()

    def _search(self) -> None:
        raise NotImplementedError

    def _choose(self, place: int) -> None:
        raise NotImplementedError
