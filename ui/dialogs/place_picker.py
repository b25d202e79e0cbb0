"""Choosing where shots are made: a tree of projects, episodes, sequences and shots, and a line to type the place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLineEdit, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from ui import theme
from ui.models.desk import SiteDesk
from ui.theme import Role

if TYPE_CHECKING:
    from app.service.lookups import Entity

PLACES = frozenset({"Project", "Episode", "Folder", "Sequence", "Shot"})
_ENTITY, _FILLED = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1
_ICONS = {"Project": "package", "Sequence": "list", "Shot": "film", "Episode": "folder", "Folder": "folder"}


class PlacePicker(QWidget):
    """A line and a tree.

    Signals:
        picked: schema id, id and name of the place.
        trouble: why it could not be read, or is none.
    """

    picked = Signal(str, str, str)
    trouble = Signal(str)

    def __init__(self, desk: SiteDesk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self.typed = QLineEdit()
        self.typed.setPlaceholderText("show / sequence, then Return")
        self.typed.setAccessibleName("Place, typed")
        self.typed.returnPressed.connect(self._find)
        self.tree = QTreeWidget()
        self.tree.setHeaderHidden(True)
        self.tree.setAccessibleName("Places")
        self.tree.setUniformRowHeights(True)
        self.tree.setMinimumHeight(64)
        self.tree.itemExpanded.connect(self._open)
        self.tree.currentItemChanged.connect(self._chosen)
        column.addWidget(self.typed)
        column.addWidget(self.tree, 1)

    def start(self) -> None:
        """Read the projects."""
        self._desk.ask("places", lambda desk: desk.look_ups.projects(), self._take_projects, owner=self,
                       problem=self.trouble.emit)  # fmt: skip

    def go_to(self, entity_type: str, entity_id: str, name: str) -> None:
        """Take a place that is known already."""
        self.typed.setText(name)
        self.picked.emit(entity_type, entity_id, name)

    def _take_projects(self, found: Sequence[Entity]) -> None:
        self.tree.clear()
        for entity in found:
            self.tree.addTopLevelItem(_item(entity))

    def _open(self, item: QTreeWidgetItem) -> None:
        if item.data(0, _FILLED):
            return
        item.setData(0, _FILLED, True)
        entity: Entity = item.data(0, _ENTITY)
        self._desk.ask(
            f"places.{entity.id}",
            lambda desk: desk.look_ups.children(entity.entity_type, entity.id),
            partial(self._take_children, item),
            owner=self,
            problem=self.trouble.emit,
        )

    @staticmethod
    def _take_children(item: QTreeWidgetItem, found: Sequence[Entity]) -> None:
        item.takeChildren()
        item.addChildren([_item(entity) for entity in found if entity.entity_type in PLACES])

    def _chosen(self, item: QTreeWidgetItem | None, _before: QTreeWidgetItem | None) -> None:
        if item is not None and isinstance(item.data(0, _ENTITY), object) and item.data(0, _ENTITY) is not None:
            entity: Entity = item.data(0, _ENTITY)
            self.picked.emit(entity.entity_type, entity.id, entity.name)

    def _find(self) -> None:
        text = self.typed.text().strip()
        if not text:
            return

        def find(desk: object) -> tuple[str, str]:
            from app.service.batch import find_parent
            from app.service.browser import Desk

            assert isinstance(desk, Desk)
            return find_parent(desk.look_ups, text)

        self._desk.ask("place", find, lambda found: self.picked.emit(*found, text), owner=self,
                       problem=self.trouble.emit)  # fmt: skip


def _item(entity: Entity) -> QTreeWidgetItem:
    item = QTreeWidgetItem([entity.name])
    item.setIcon(0, theme.icon(_ICONS.get(entity.entity_type, "folder"), Role.MUTED))
    item.setData(0, _ENTITY, entity)
    if entity.entity_type != "Shot":
        # A stand-in child, so that the branch can be opened before it is read.
        item.addChild(QTreeWidgetItem(["reading…"]))
    return item
