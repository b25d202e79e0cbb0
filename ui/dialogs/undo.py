"""Undo: first the list of what goes and what is left alone, then one button."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QWidget

from app.journal.rows import RunDetail
from ui import theme
from ui.dialogs.base import Dialog, ItemList
from ui.models.hub import Hub
from ui.models.words import many, sentence
from ui.theme import Role

_ICONS = {
    "folder": "folder",
    "remove_folders": "folder",
    "copy": "file",
    "remove_file": "file",
    "create": "plus",
    "update": "edit",
    "delete": "trash",
    "metadata": "tag",
    "custom": "tag",
    "slack": "chat",
}
"""By the kind of the effect."""
_GOES = {"planned", "queued"}


class UndoDialog(Dialog):
    """What undoing a run takes back, asked of the engine.

    Signals:
        ordered: the undo was ordered for this run.
    """

    ordered = Signal(int)

    def __init__(self, hub: Hub, run: int, parent: QWidget | None = None) -> None:
        super().__init__("Undo this run?", "Asking the engine what can be taken back…", parent)
        self.resize(640, 440)
        self.setObjectName("undo_dialog")
        self._hub = hub
        self._run = run
        self.goes = ItemList("What goes")
        self.stays_title = QLabel("Left alone")
        theme.mark(self.stays_title, kind="heading")
        self.stays = ItemList("What is left alone")
        self.body.addWidget(self.goes, 3)
        self.body.addWidget(self.stays_title)
        self.body.addWidget(self.stays, 1)
        self.stays_title.hide()
        self.stays.hide()
        self.add_cancel()
        self.confirm = self.add_button("Undo", "danger", default=True)
        self.confirm.setEnabled(False)
        self.confirm.clicked.connect(self._order)
        hub.order("preview_undo", {"run": run}, "Looking at what can be undone", self._previewed, quiet=True)

    def _previewed(self, result: Mapping[str, Any]) -> None:
        if result.get("refused"):
            self.about.setText(f"This run cannot be undone: {result['refused']}")
            return
        # The engine plans the undo as a run of its own; its effects are the list.
        self._preview = int(result["run"])
        self._hub.journal.moved.connect(self._read)
        self._read()

    def _read(self) -> None:
        preview = self._preview
        self._hub.journal.ask(f"undo.{preview}", lambda journal: journal.run(preview), self._take, owner=self)

    def _take(self, detail: RunDetail) -> None:
        if detail.row.state in {"queued", "running", "waiting", "retry"}:
            return
        self._hub.journal.moved.disconnect(self._read)
        if detail.row.state == "failed":
            self.about.setText(f"This run cannot be undone: {detail.row.reason}")
            return
        items = [(e.words, str(e.state), e.reason or e.error, e.kind) for e in detail.effects]
        items += [(str(n.get("reason", "")), "kept", "", "") for n in detail.notes]
        items += [(warning, "kept", "", "") for warning in detail.warnings]
        self._show(items)

    def _show(self, items: list[tuple[str, str, str, str]]) -> None:
        goes = [item for item in items if item[1] in _GOES]
        stays = [item for item in items if item[1] not in _GOES]
        self.goes.fill([(_ICONS.get(kind, "undo"), sentence(words), Role.ERROR) for words, _state, _why, kind in goes])
        self.stays.fill(
            [("lock", sentence(f"{words}: {why}" if why else words), Role.MUTED) for words, _state, why, _kind in stays]
        )
        for widget in (self.stays, self.stays_title):
            widget.setVisible(bool(stays))
        self.confirm.setEnabled(bool(goes))
        self.confirm.setText(f"Undo {many(len(goes), 'change')}" if goes else "Undo")
        self.confirm.setFocus()
        if goes:
            self.about.setText("This is what goes. What somebody changed since is left alone.")
        else:
            self.about.setText("Nothing of this run can be taken back: all of it was changed since, or is gone.")

    def _order(self) -> None:
        self._hub.order("undo", {"run": self._run}, f"Undo of run {self._run}")
        self.ordered.emit(self._run)
        self.accept()
