"""`signalbox upload` and `signalbox agent`: an artist's machine, with a journal and a worker of its own.

The engine here listens to nothing and handles nothing: it publishes what the artist hands in. The agent is the same
program living in the tray, which besides opens the dialog when its person chooses Upload Media on ftrack's page.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication, QMenu, QSystemTrayIcon

from app.settings.paths import state_folder
from ui import theme
from ui.app import CrashHook, make_app, when_told_to_end
from ui.dialogs.sign_in import SignIn
from ui.dialogs.upload import UploadDialog
from ui.models.desk import SiteDesk
from ui.models.handover import Handover
from ui.models.hub import Hub
from ui.panel import PanelSite
from ui.start import Host
from ui.theme import Role

if TYPE_CHECKING:
    from app.service.agent import AgentEar
    from app.service.browser import Desk
    from app.service.doors import Installation
    from app.service.event_server import Service

log = logging.getLogger("signalbox.ui.upload")

_HEARS = "Signalbox: uploads from ftrack's page open here"


def artist_journal() -> Path:
    """The journal of this artist's uploads."""
    return state_folder() / "upload-journal"


class _Publisher:
    """The engine behind the dialog."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self.service: Service | None = None

    def start(self) -> PanelSite:
        from app.service.event_server import Service

        service = Service(self._installation, listener=False, actions=False)
        service.start()
        self.service = service
        return PanelSite()

    def desk(self) -> Desk:
        from app.service.browser import Desk

        return Desk(self._installation)

    def known_site(self) -> PanelSite | None:
        """None: the dialog asks the site itself, whoever works on the journal."""
        return None

    def stop(self) -> None:
        if self.service is not None:
            self.service.stop()


class ArtistStation(QObject):
    """The dialog, the engine behind it, and signing in first where that is needed.

    Args:
        installation: Settings, and the artist's own journal.
        draft: Where what is typed is kept; None: the usual place.

    Signals:
        idle: the dialog is closed (or signing in was given up).
        ready: signed in; the engine starts.
        stopped: the engine has ended.
    """

    idle = Signal()
    ready = Signal()
    stopped = Signal()

    def __init__(self, installation: Installation, *, draft: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.installation = installation
        publisher = _Publisher(installation)
        self.desk = SiteDesk(publisher.desk, parent=self)
        self.hub = Hub(installation.journal, self)
        self.dialog: UploadDialog | None = None
        self.sign_in: SignIn | None = None
        self._draft = draft
        self._asked: tuple[str, list[str]] | None = None
        self._host = Host(publisher, self)
        self._host.failed.connect(self._broken)
        self._host.stopped.connect(self.stopped)
        self._running = False
        self._closed = False

    def signed_in(self) -> bool:
        """Whether the site and a key are known."""
        from app.settings.secrets import SecretsExposed
        from app.settings.store import SettingsError

        try:
            self.installation.credentials()
        except (SettingsError, SecretsExposed):
            return False
        return True

    def open(self, task: str = "", files: Sequence[str] = ()) -> None:
        """Show the dialog with this task and these files; sign in first where nobody has yet."""
        if not self.signed_in():
            self._ask_who(task, files)
            return
        self._engine()
        if self.dialog is not None:
            if task:
                self.dialog.picker.start(task)
            self.dialog.add_files(files)
        else:
            self.dialog = UploadDialog(self.hub, self.desk, task, files, draft=self._draft)
            self.dialog.closed.connect(self._gone)
            self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def _ask_who(self, task: str, files: Sequence[str]) -> None:
        if self.sign_in is None:
            settings = self.installation.site_settings()
            self.sign_in = SignIn(self.desk, settings.server, settings.api_user)
            self.sign_in.signed_in.connect(self._entered)
            self.sign_in.finished.connect(self._left)
            self.sign_in.show()
        self._asked = (task, list(files))

    def _entered(self) -> None:
        self.ready.emit()
        asked, self._asked = self._asked, None
        if asked is not None:
            self.open(*asked)

    def _left(self) -> None:
        self.sign_in = None
        if self.dialog is None:
            self.idle.emit()

    def _engine(self) -> None:
        if not self._running:
            self._running = True
            self._host.start()

    def start_engine(self) -> None:
        """Go on with what was on its way, without a dialog."""
        if self.signed_in():
            self._engine()

    def _broken(self, why: str) -> None:
        # Without a dialog nobody reads it now: the next one starts it again, and says why it cannot.
        self._running = False
        if self.dialog is not None:
            self.dialog.notice.say("error", f"Nothing can be published now: {why}")

    def say(self, text: str) -> None:
        """Tell the person in the dialog."""
        if self.dialog is not None:
            self.dialog.notice.say("error", text)

    def _gone(self) -> None:
        self.dialog = None
        self.idle.emit()

    def close(self) -> None:
        """End everything; `stopped` tells when."""
        if self._closed:
            return
        self._closed = True
        dialog, self.dialog = self.dialog, None
        if dialog is not None:
            dialog.shut()
            dialog.close()
        if self.sign_in is not None:
            self.sign_in.close()
        self.hub.close()
        self.desk.close()
        self._host.stop()


class Agent(QObject):
    """The tray program: hears its person alone, and opens the dialog prefilled. It never uploads by itself.

    Args:
        station: The dialog and the engine behind it.
        again_ms: Pause before it tries again to reach the site: it is started at login, often before the network is.

    Signals:
        asked: its person chose Upload Media on ftrack's page (the task's id).
        cannot_hear: it cannot hear its person yet; why, in words.
    """

    asked = Signal(str)
    cannot_hear = Signal(str)

    def __init__(self, station: ArtistStation, parent: QObject | None = None, *, again_ms: int = 15_000) -> None:
        super().__init__(parent)
        self.station = station
        self.ear: AgentEar | None = None
        self.tray: QSystemTrayIcon | None = None
        self._why_deaf = ""
        self._again = QTimer(self, singleShot=True, interval=again_ms)
        self._again.timeout.connect(self._open_ear)
        self.asked.connect(self._open)
        station.ready.connect(self._listen)

    def start(self) -> None:
        """Listen, once somebody has signed in."""
        if self.station.signed_in():
            self._listen()
        else:
            self.station.open()
        if QSystemTrayIcon.isSystemTrayAvailable():
            self._add_tray()

    def _listen(self) -> None:
        self.station.start_engine()
        self._open_ear()

    def _open_ear(self) -> None:
        if self.ear is None:
            self.station.desk.ask(
                "ear", lambda desk: _ear(desk, self.asked.emit), self._listens, owner=self, problem=self._is_deaf
            )

    def _listens(self, ear: AgentEar) -> None:
        self.ear = ear
        self._tip(_HEARS)

    def _is_deaf(self, why: str) -> None:
        self.cannot_hear.emit(why)
        if why != self._why_deaf:
            log.warning("uploads from ftrack's page cannot be heard yet: %s", why)
            self._why_deaf = why
        self._tip(f"Signalbox: uploads from ftrack's page cannot be heard yet: {why}")
        self._again.start()

    def _tip(self, words: str) -> None:
        if self.tray is not None:
            self.tray.setToolTip(words)

    def _open(self, task: str) -> None:
        self.station.open(task)

    def _add_tray(self) -> None:
        self.tray = QSystemTrayIcon(theme.icon("signalbox", Role.ACCENT), self)
        self.tray.setToolTip(_HEARS)
        menu = QMenu()
        menu.addAction("Upload media…", self.station.open)
        menu.addAction("Quit", QApplication.quit)
        self._menu = menu
        self.tray.setContextMenu(menu)
        self.tray.activated.connect(
            lambda why: self.station.open() if why == QSystemTrayIcon.ActivationReason.Trigger else None
        )
        self.tray.show()

    def close(self) -> None:
        """Hear nothing more."""
        self._again.stop()
        if self.ear is not None:
            self.ear.close()
            self.ear = None
        if self.tray is not None:
            self.tray.hide()


def _ear(desk: Desk, asked: Callable[[str], None]) -> AgentEar:
    from app.service.agent import AgentEar

    ear = AgentEar(desk.installation, desk.person(), asked)
    ear.start()
    return ear


def run_upload(installation: Installation, task: str, files: Sequence[str], *, agent: bool = False) -> int:
    """The dialog (or the tray program) until it is closed. Returns the exit code of the program."""
    app = make_app()
    handover = Handover(installation.journal)
    if handover.give(task, files):
        return 0
    handover.listen()
    crash = CrashHook(state_folder())
    crash.install()
    station = ArtistStation(installation)
    crash.caught.connect(station.say)
    handover.given.connect(station.open)
    station.stopped.connect(app.quit)
    tray = Agent(station) if agent else None
    if tray is not None:
        tray.start()
    else:
        station.open(task, files)
        # A dialog that opens for another start within this turn of the loop keeps the program.
        station.idle.connect(lambda: QTimer.singleShot(0, station, lambda: _end_when_idle(station)))
    with when_told_to_end(station.close):
        code = app.exec()
        if tray is not None:
            tray.close()
        station.close()
        handover.close()
        crash.remove()
    return code


def _end_when_idle(station: ArtistStation) -> None:
    if station.dialog is None and station.sign_in is None:
        station.close()
