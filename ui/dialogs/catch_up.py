"""How far back the handlers shall look for what they missed."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QWidget

from app.journal.rows import CatalogueRow
from ui.dialogs.base import Dialog

_HOUR, _DAY = 3_600.0, 86_400.0
_SPANS = (
    ("The last hour", _HOUR),
    ("The last 4 hours", 4 * _HOUR),
    ("The last 24 hours", _DAY),
    ("The last 3 days", 3 * _DAY),
    ("The last week", 7 * _DAY),
)


class CatchUpDialog(Dialog):
    """Asks for a stretch of time and for who looks.

    Signals:
        chosen: seconds to look back, the handler's id ("": all), whether it is only planned.
    """

    chosen = Signal(float, str, bool)

    def __init__(self, handlers: Sequence[CatalogueRow], parent: QWidget | None = None) -> None:
        super().__init__(
            "Look for what was missed",
            "The handlers ask the site what happened, as after every gap of the connection, and do what is missing. "
            "What an event told of already is not done again. What they find stands among the events as found by "
            "catch-up; a long stretch is only planned, for you to look at and apply.",
            parent,
        )
        self.setObjectName("catch_up")
        self.span = QComboBox()
        for words, seconds in _SPANS:
            self.span.addItem(words, seconds)
        self.handler = QComboBox()
        self.handler.addItem("All handlers", "")
        for row in handlers:
            self.handler.addItem(row.title, row.id)
        self.dry = QCheckBox("Only plan: nothing is touched until you apply it")
        form = QFormLayout()
        form.addRow("Look at", self.span)
        form.addRow("Who looks", self.handler)
        form.addRow("", self.dry)
        self.body.addLayout(form)
        self.body.addStretch(1)
        self.add_cancel()
        self.look = self.add_button("Look", "primary", default=True)
        self.look.clicked.connect(self._done)
        self.resize(560, 300)

    def _done(self) -> None:
        self.chosen.emit(self.span.currentData(), self.handler.currentData(), self.dry.isChecked())
        self.accept()
