"""Signing in to ftrack, asked for once: the address and the name are kept in the settings, the key in the keyring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFormLayout, QLabel, QLineEdit, QWidget

from ui import theme
from ui.dialogs.base import Dialog
from ui.models.desk import SiteDesk

if TYPE_CHECKING:
    from app.service.browser import Desk


class SignIn(Dialog):
    """Asks for the site, the user name and the personal API key, and tries them.

    Signals:
        signed_in: the site accepts them, and they are kept.
    """

    signed_in = Signal()

    def __init__(self, desk: SiteDesk, server: str = "", user: str = "", parent: QWidget | None = None) -> None:
        super().__init__(
            "Sign in to ftrack",
            "Asked once. Your key is on ftrack's page under My account, Security settings; it is kept in the keyring "
            "of this machine.",
            parent,
        )
        self.setObjectName("sign_in")
        self._desk = desk
        form = QFormLayout()
        form.setSpacing(8)
        self.server = QLineEdit(server)
        self.server.setPlaceholderText("https://studio.ftrackapp.com")
        self.user = QLineEdit(user)
        self.user.setPlaceholderText("your name on ftrack")
        self.key = QLineEdit()
        self.key.setEchoMode(QLineEdit.EchoMode.Password)
        for words, field in (("Site", self.server), ("User name", self.user), ("API key", self.key)):
            form.addRow(words, field)
            field.textChanged.connect(self._say)
        self.body.addLayout(form)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        theme.mark(self.problem, state="error")
        self.problem.setTextFormat(self.problem.textFormat().PlainText)
        self.problem.hide()
        self.body.addWidget(self.problem)
        self.body.addStretch(1)
        self.add_cancel()
        self.enter = self.add_button("Sign in", "primary", default=True)
        self.enter.clicked.connect(self._try)
        self.resize(460, 300)
        self._say()
        (self.key if server and user else self.server).setFocus()

    def _say(self) -> None:
        self.enter.setEnabled(all(field.text().strip() for field in (self.server, self.user, self.key)))

    def _try(self) -> None:
        server, user, key = (field.text().strip() for field in (self.server, self.user, self.key))
        if "://" not in server:
            server = f"https://{server}"
        self.enter.setEnabled(False)
        self.enter.setText("Trying…")
        self.problem.hide()

        def connect(desk: Desk) -> str:
            from app.service.connect import connect_site

            words = connect_site(desk.installation.store.path, server, user, key)
            desk.installation.store.reload_if_changed()
            return words

        self._desk.ask("sign in", connect, self._done, owner=self, problem=self._refused)

    def _done(self, _words: str) -> None:
        self.signed_in.emit()
        self.accept()

    def _refused(self, why: str) -> None:
        self.problem.setText(why)
        self.problem.show()
        self.enter.setText("Sign in")
        self._say()
        self.key.selectAll()
        self.key.setFocus()
