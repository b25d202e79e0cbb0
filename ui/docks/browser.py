"""The Browser dock: a stand-in for ftrack's page. Whatever can be chosen there can be tried here with a mouse.

On the embedded site statuses can be set and actions launched; on a real site it only shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QPixmap
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSplitter,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.settings.paths import cache_folder
from ui import theme
from ui.docks.elided import ElidedLabel
from ui.docks.picture import Picture
from ui.docks.web_form import WebForm
from ui.models.desk import SiteDesk
from ui.models.words import tip
from ui.theme import Role

if TYPE_CHECKING:
    from pathlib import Path

    from app.service.browser import Desk, MenuItem
    from app.service.lookups import Entity

_ENTITY, _FILLED = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1
_ICONS = {
    "Project": "package",
    "Sequence": "list",
    "Shot": "film",
    "Task": "task",
    "AssetVersion": "play",
    "ReviewSession": "eye",
}
_PLACES = frozenset({"Project", "Episode", "Sequence", "Shot"})


class BrowserDock(QWidget):
    """A tree of the site, and what can be done with the chosen one.

    Signals:
        batch_wanted: the sheet of Batch Create for (schema id, id, name).
        upload_wanted: the upload dialog for a task.
    """

    batch_wanted = Signal(str, str, str)
    upload_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("browser_dock")
        self._desk: SiteDesk | None = None
        self._entity: Entity | None = None
        self._launched: tuple[str, tuple[tuple[str, str], ...]] = ("", ())
        self.form: WebForm | None = None
        self.buttons: dict[str, QPushButton] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self._build_tree())
        split.addWidget(self._build_detail())
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        split.setSizes([420, 320])
        column.addWidget(split)
        self._nothing()

    def _build_tree(self) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        bar = QFrame()
        theme.mark(bar, kind="bar")
        line = QHBoxLayout(bar)
        line.setContentsMargins(10, 3, 6, 3)
        self.where = ElidedLabel("No site yet")
        theme.mark(self.where, kind="muted")
        line.addWidget(self.where, 1)
        self.again = QToolButton()
        theme.set_icon(self.again, "retry", Role.MUTED)
        self.again.setToolTip("Read the site again")
        self.again.setAccessibleName("Read the site again")
        self.again.clicked.connect(self.refresh)
        line.addWidget(self.again)
        column.addWidget(bar)
        self.tree = QTreeWidget()
        self.tree.setColumnCount(3)
        self.tree.setHeaderLabels(["Name", "Status", "What"])
        self.tree.setColumnWidth(0, 210)
        self.tree.setColumnWidth(1, 166)
        self.tree.setUniformRowHeights(True)
        self.tree.setIconSize(QSize(16, 16))
        self.tree.setSelectionMode(QTreeWidget.SelectionMode.ExtendedSelection)
        self.tree.setAccessibleName("The site")
        self.tree.itemExpanded.connect(self._open)
        self.tree.itemSelectionChanged.connect(self._chosen)
        column.addWidget(self.tree, 1)
        return holder

    def _build_detail(self) -> QWidget:
        holder = QWidget()
        self._detail = QVBoxLayout(holder)
        self._detail.setContentsMargins(12, 10, 12, 10)
        self._detail.setSpacing(7)
        self.name = ElidedLabel()
        self.name.setFont(theme.heading_font(0.4))
        self._detail.addWidget(self.name)
        self.kind = ElidedLabel()
        theme.mark(self.kind, kind="muted")
        self._detail.addWidget(self.kind)
        # An action's page takes the place of all this: it is seen from its beginning, in a low dock too.
        self._facts = QWidget()
        facts = QVBoxLayout(self._facts)
        facts.setContentsMargins(0, 0, 0, 0)
        facts.setSpacing(7)
        self.picture = Picture(QSize(240, 135))
        facts.addWidget(self.picture)
        self.status = QComboBox()
        self.status.setAccessibleName("Status")
        self.status.activated.connect(self._set_status)
        facts.addWidget(self.status)
        self.message = QLabel()
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        self.message.setWordWrap(True)
        self._detail.addWidget(self.message)
        self._actions = QVBoxLayout()
        self._actions.setSpacing(4)
        facts.addLayout(self._actions)
        self._detail.addWidget(self._facts)
        self._pages = QVBoxLayout()
        self._detail.addLayout(self._pages, 1)
        self._detail.addStretch(0)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        theme.mark(scroll, kind="read")
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(holder)
        scroll.setMinimumWidth(280)
        return scroll

    # The site

    def set_desk(self, desk: SiteDesk) -> None:
        """Show this site."""
        self._desk = desk
        desk.trouble.connect(self._trouble)
        if self.isVisible():
            self.refresh()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        if self._desk is not None and not self.tree.topLevelItemCount():
            self.refresh()

    def refresh(self) -> None:
        """Read the projects again."""
        if self._desk is None:
            return
        self.where.say("reading…")
        self._desk.ask("projects", lambda desk: (desk.server, desk.person().name, desk.look_ups.projects()),
                       self._take_projects, owner=self, problem=self._unreadable)  # fmt: skip

    def _unreadable(self, why: str) -> None:
        self.where.say(f"The site cannot be read: {why}")

    def _take_projects(self, found: tuple[str, str, Sequence[Entity]]) -> None:
        server, person, projects = found
        only = "" if self._desk is not None and self._desk.embedded else ", read only"
        self.where.say(f"{server} as {person}{only}")
        self.tree.clear()
        for entity in projects:
            self.tree.addTopLevelItem(_item(entity))

    def _open(self, item: QTreeWidgetItem) -> None:
        if item.data(0, _FILLED) or self._desk is None:
            return
        item.setData(0, _FILLED, True)
        entity: Entity = item.data(0, _ENTITY)
        self._desk.ask(
            f"children.{entity.id}",
            lambda desk: desk.look_ups.children(entity.entity_type, entity.id),
            partial(self._take_children, item),
            owner=self,
            problem=self._trouble,
        )

    def _take_children(self, item: QTreeWidgetItem, found: Sequence[Entity]) -> None:
        item.takeChildren()
        item.addChildren([_item(entity) for entity in found])
        for number, entity in enumerate(found):
            if entity.thumbnail:
                self._picture(entity, partial(self._take_icon, item.child(number)))

    def _picture(self, entity: Entity, answer: Any) -> None:
        assert self._desk is not None
        component = entity.thumbnail
        folder = cache_folder() / "thumbnails"
        self._desk.ask(f"picture.{entity.id}", lambda desk: desk.look_ups.thumbnail(component, folder), answer,
                       owner=self, problem=lambda _why: None)  # fmt: skip

    @staticmethod
    def _take_icon(item: QTreeWidgetItem | None, path: Path) -> None:
        from shiboken6 import isValid

        pixmap = QPixmap(str(path))
        if item is not None and isValid(item) and not pixmap.isNull():
            item.setIcon(0, pixmap.scaled(32, 18, Qt.AspectRatioMode.KeepAspectRatio))

    # The chosen one

    def selection(self) -> tuple[tuple[str, str], ...]:
        """What is chosen, as (schema id, id)."""
        entities = [item.data(0, _ENTITY) for item in self.tree.selectedItems()]
        return tuple((entity.entity_type, entity.id) for entity in entities if entity is not None)

    def _chosen(self) -> None:
        items = [item for item in self.tree.selectedItems() if item.data(0, _ENTITY) is not None]
        if not items:
            self._nothing()
            return
        entity: Entity = items[0].data(0, _ENTITY)
        self._entity = entity
        many = len(items) > 1
        self.name.say(f"{len(items)} chosen" if many else entity.name)
        self.kind.say("" if many else " · ".join(part for part in (entity.entity_type, entity.detail) if part))
        self.message.hide()
        self._clear_form()
        self.picture.show_file("")
        self.picture.setVisible(bool(entity.thumbnail) and not many)
        if entity.thumbnail and not many:
            self._picture(entity, lambda path: self._take_picture(entity.id, path))
        self._read_status(None if many else entity)
        self._read_menu()

    def _take_picture(self, entity: str, path: Path) -> None:
        if self._entity is not None and self._entity.id == entity:
            self.picture.show_file(str(path))

    def _nothing(self) -> None:
        self._entity = None
        self.name.say("Nothing chosen")
        self.kind.say("Choose a project, shot, task or version on the left.")
        self.picture.hide()
        self.status.hide()
        self.message.hide()
        self._clear_form()
        self._clear_buttons()

    def _read_status(self, entity: Entity | None) -> None:
        self.status.setVisible(entity is not None and bool(entity.status))
        if entity is None or not entity.status or self._desk is None:
            return
        self.status.clear()
        self.status.addItem(entity.status)
        self.status.setEnabled(False)
        if self._desk.embedded:
            self._desk.ask(
                "statuses",
                lambda desk: desk.look_ups.statuses_of(entity.entity_type, entity.id),
                lambda found: self._take_statuses(entity, found),
                owner=self,
                problem=self._trouble,
            )

    def _take_statuses(self, entity: Entity, found: Sequence[tuple[str, str, str]]) -> None:
        if self._entity is not entity:
            return
        self.status.clear()
        for key, name, colour in found:
            self.status.addItem(_dot(colour), name, key)
        self.status.setCurrentText(entity.status)
        self.status.setEnabled(True)

    def _set_status(self, index: int) -> None:
        entity, key = self._entity, self.status.itemData(index)
        if entity is None or self._desk is None or not key or self.status.itemText(index) == entity.status:
            return
        name = self.status.itemText(index)
        self._desk.ask(
            "set status",
            lambda desk: desk.look_ups.set_status(entity.entity_type, entity.id, key),
            lambda _none: self._status_set(entity, name),
            owner=self,
            problem=self._trouble,
        )

    def _status_set(self, entity: Entity, name: str) -> None:
        self._say(f"{entity.name} is {name} now.", good=True)
        for item in self.tree.selectedItems():
            kept = item.data(0, _ENTITY)
            if kept is entity:
                item.setText(1, name)
                parent = item.parent()
                if parent is not None:
                    self._read_again(parent)

    def _read_again(self, item: QTreeWidgetItem) -> None:
        """The children of an item, without losing what is chosen."""
        chosen = self._entity.id if self._entity is not None else ""
        entity: Entity = item.data(0, _ENTITY)
        assert self._desk is not None

        def take(found: Sequence[Entity]) -> None:
            by_id = {one.id: one for one in found}
            for number in range(item.childCount()):
                child = item.child(number)
                fresh = by_id.get(getattr(child.data(0, _ENTITY), "id", "")) if child is not None else None
                if child is not None and fresh is not None:
                    child.setData(0, _ENTITY, fresh)
                    child.setText(1, fresh.status)
                    if fresh.id == chosen:
                        self._entity = fresh

        self._desk.ask(f"children.{entity.id}", lambda desk: desk.look_ups.children(entity.entity_type, entity.id),
                       take, owner=self, problem=self._trouble)  # fmt: skip

    # The menu

    def _read_menu(self) -> None:
        self._clear_buttons()
        desk = self._desk
        if desk is None or not desk.embedded:
            return
        chosen = self.selection()
        desk.ask("menu", lambda one: one.discover(chosen), partial(self._take_menu, chosen), owner=self,
                 problem=self._trouble)  # fmt: skip

    def _take_menu(self, chosen: tuple[tuple[str, str], ...], items: Sequence[MenuItem]) -> None:
        if chosen != self.selection():
            return
        for item in items:
            button = QPushButton(item.label.replace("&", "&&"))
            button.setObjectName(item.identifier)
            button.setToolTip(tip(item.help))
            theme.set_icon(button, "play", Role.MUTED)
            button.clicked.connect(partial(self.launch, item.identifier))
            self.buttons[item.identifier] = button
            self._actions.addWidget(button)
        entity = self._entity
        if entity is not None and len(chosen) == 1:
            if entity.entity_type in _PLACES:
                self._extra("Batch Create as a sheet…", "table",
                            lambda: self.batch_wanted.emit(entity.entity_type, entity.id, entity.name))  # fmt: skip
            if entity.entity_type == "Task":
                self._extra("Upload dialog…", "upload", lambda: self.upload_wanted.emit(entity.id))

    def _extra(self, words: str, icon: str, does: Any) -> None:
        button = QPushButton(words)
        theme.mark(button, kind="quiet")
        theme.set_icon(button, icon, Role.MUTED)
        button.clicked.connect(does)
        self.buttons[words] = button
        self._actions.addWidget(button)

    def _clear_buttons(self) -> None:
        for button in self.buttons.values():
            self._actions.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = {}

    def _clear_form(self) -> None:
        if self.form is not None:
            self._pages.removeWidget(self.form)
            self.form.hide()
            self.form.deleteLater()
            self.form = None
        self._facts.show()

    def launch(self, identifier: str, values: Mapping[str, Any] | None = None) -> None:
        """Choose an entry of the menu, or send its page back."""
        desk = self._desk
        if desk is None:
            return
        chosen = self.selection() if values is None else self._launched[1]
        self._launched = (identifier, chosen)
        if self.form is not None:
            self.form.setEnabled(False)
        self.message.hide()

        def ask(one: Desk) -> Mapping[str, Any]:
            return one.launch(identifier, chosen, values)

        desk.ask("launch", ask, self._take_answer, owner=self, problem=self._no_answer)

    def _take_answer(self, answer: Mapping[str, Any]) -> None:
        self._clear_form()
        if answer.get("items"):
            self.form = WebForm(answer)
            self.form.submitted.connect(self._submit)
            self.form.left.connect(self._clear_form)
            self._facts.hide()
            self._pages.addWidget(self.form)
            next(iter(self.form.fields.values()), self.form.submit).setFocus()
            return
        self._say(str(answer.get("message") or "Done."), good=bool(answer.get("success")))

    def _submit(self, values: dict[str, Any]) -> None:
        self.launch(self._launched[0], values)

    def _no_answer(self, why: str) -> None:
        # The page stays with everything that was typed.
        if self.form is not None:
            self.form.setEnabled(True)
        self._say(why, good=False)

    def _trouble(self, why: str) -> None:
        self._say(why, good=False)

    def _say(self, words: str, *, good: bool) -> None:
        self.message.setText(words)
        theme.mark(self.message, state="ok" if good else "error")
        self.message.show()


def _item(entity: Entity) -> QTreeWidgetItem:
    item = QTreeWidgetItem([entity.name, entity.status, entity.detail])
    item.setIcon(0, theme.icon(_ICONS.get(entity.entity_type, "folder"), Role.MUTED))
    if entity.colour:
        item.setIcon(1, _dot(entity.colour))
    for place, text in enumerate((entity.name, entity.status, entity.detail)):
        item.setToolTip(place, tip(text))
    item.setData(0, _ENTITY, entity)
    if entity.has_children:
        item.addChild(QTreeWidgetItem(["reading…"]))
    return item


def _dot(colour: str) -> QPixmap:
    pixmap = QPixmap(10, 10)
    pixmap.fill(QColor(colour) if colour else theme.current().colour(Role.OFF))
    return pixmap
