"""From the command line to a window: the window first, then the event server behind it.

The panel hosts the server itself where nobody else does; where another process holds the journal's lock it is attached
to that one, and looks the same.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication, QDialog

from app.settings.paths import SERVICE_STATE, home, journal_folder, state_folder, use_settings
from ui.app import CrashHook, SingleInstance, make_app, when_told_to_end
from ui.collector import calm_collector
from ui.models.desk import SiteDesk
from ui.models.words import sentence
from ui.panel import Panel, PanelSite, read_wishes

if TYPE_CHECKING:
    from app.journal.journal import Journal
    from app.service.browser import Desk

log = logging.getLogger("signalbox.ui.start")

SERVER = "server"
"""What the window says about its event server: only the last of it holds."""
STOP_SECONDS = 20.0
"""A server that does not end within so many seconds is left to the operating system."""


class Hosted(Protocol):
    """What runs behind the window."""

    def start(self) -> PanelSite:
        """Start it; returns which site it is. Runs on a thread of its own."""

    def desk(self) -> Desk:
        """The way to its site, for the browser and the dialogs. Runs on a thread of its own."""

    def known_site(self) -> PanelSite | None:
        """Which site another process serves here; None where that is not known."""

    def stop(self) -> None: ...


class Host(QObject):
    """Starts and stops what runs behind the window, without the window waiting.

    Attributes:
        starting: What became of a start is not known yet.

    Signals:
        started: it runs; which site it is (a PanelSite).
        attached: another process does the work.
        known: which site the other process serves (a PanelSite).
        unattended: nobody does the work, and this window was not told to; why, in words.
        failed: it could not start; why, in words.
        unconnected: there is no site to start for yet, in words.
        stopped: it has ended.
        wishes: the person's settings of the window, read on the way (a PanelSettings).
    """

    started = Signal(object)
    attached = Signal(str)
    failed = Signal(str)
    stopped = Signal()
    wishes = Signal(object)
    known = Signal(object)
    unattended = Signal(str)
    unconnected = Signal(str)

    def __init__(self, hosted: Hosted, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.hosted = hosted
        self.starting = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start in the background."""
        self.starting = True
        self._thread = threading.Thread(target=self._start, name="host-start", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop in the background; `stopped` tells when."""
        threading.Thread(target=self._stop, name="host-stop", daemon=True).start()

    def _start(self) -> None:
        try:
            self._try_to_start()
        finally:
            self.starting = False

    def _try_to_start(self) -> None:
        # Settings and journal are loaded here, on this thread: they take longer than the whole window.
        from app.journal.rows import JournalBusy, JournalError
        from app.service.event_server import SiteNotSet
        from app.settings.store import SettingsError

        self.wishes.emit(read_wishes())
        try:
            site = self.hosted.start()
        except Unattended as nobody:
            self.unattended.emit(str(nobody))
        except JournalBusy as busy:
            known = self.hosted.known_site()
            if known is not None:
                self.known.emit(known)
            self.attached.emit(str(busy))
        except SiteNotSet as nothing:
            self.unconnected.emit(str(nothing))
        except (SettingsError, JournalError) as problem:
            log.error("the event server could not start: %s", problem)
            self.failed.emit(str(problem))
        except Exception as problem:
            # Told to the person, and written down with its traceback: a broken start must leave a window that says why.
            log.exception("the event server could not start")
            self.failed.emit(str(problem) or type(problem).__name__)
        else:
            self.started.emit(site)

    def _stop(self) -> None:
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
        try:
            self.hosted.stop()
        finally:
            self.stopped.emit()


class Unattended(Exception):
    """No event server runs on this journal, and nobody said that this window shall run it."""


def _site_of(journal: Journal) -> PanelSite | None:
    site = journal.fact("site")
    return PanelSite(site["server"], embedded=bool(site["embedded"])) if site else None


def _settings_of(journal: Journal) -> str:
    return str(journal.fact("settings") or "")


def _use_settings(path: str) -> None:
    if path:
        use_settings(Path(path))


class _Server:
    """The studio's event server on a settings file and a journal's folder.

    Attributes:
        may_host: Whether this window may run it, where no service does.
    """

    def __init__(self, settings: Path | None, journal: Path) -> None:
        self._settings, self._journal = settings, journal
        self._stop: Callable[[], object] | None = None
        self.may_host = False

    def start(self) -> PanelSite:
        from app.journal.rows import JournalBusy
        from app.service.event_server import Installation, Service
        from app.service.orders import is_running
        from app.settings.models import PanelSettings

        installation = Installation.load(self._settings, self._journal)
        if is_running(self._journal):
            raise JournalBusy("another process runs the event server")
        server = installation.credentials().server
        if not self.may_host and installation.store.section("panel", PanelSettings).host != "always":
            raise Unattended(f"no event server runs for {server}")
        service = Service(installation)
        service.start()
        self._stop = service.stop
        # An address alone does not tell: the window says which site it is when the server has found out.
        return self.known_site() or PanelSite()

    def known_site(self) -> PanelSite | None:
        """Which site the journal serves, as its server found out; None where it did not yet."""
        from app.journal.journal import Journal
        from app.journal.rows import JournalError

        try:
            journal = Journal.open(self._journal, "read")
        except JournalError:
            return None
        try:
            return _site_of(journal)
        finally:
            journal.close()

    def desk(self) -> Desk:
        from app.service.browser import desk_of

        return desk_of(self._settings, self._journal)

    def stop(self) -> None:
        if self._stop is not None:
            self._stop()


class _Demo:
    """The embedded site with its artists."""

    def __init__(self, folder: Path, *, seed: int, rate: float, temporary: bool) -> None:
        self._folder, self._seed, self._rate, self._temporary = folder, seed, rate, temporary
        self._close: Callable[[], None] | None = None

    def start(self) -> PanelSite:
        from app.demo import Demo

        demo = Demo(seed=self._seed, keep=self._folder, rate=self._rate)
        demo.__enter__()
        self._close = lambda: demo.__exit__(None, None, None)
        demo.wait_connected()
        demo.act_in_background()
        return PanelSite(demo.site.url, embedded=True)

    def known_site(self) -> PanelSite | None:
        """It is always its own."""
        return None

    def desk(self) -> Desk:
        from app.service.browser import desk_of

        home = self._folder / "home"
        return desk_of(home / "settings.toml", home / "journal")

    def stop(self) -> None:
        if self._close is not None:
            self._close()
        if self._temporary:
            shutil.rmtree(self._folder, ignore_errors=True)


def _usual_journal(settings: Path | None) -> Path:
    """That of the service that runs on this machine, where nothing else was named; else this person's own."""
    of_service = SERVICE_STATE / "journal"
    if settings is None and home() is None and os.access(of_service, os.R_OK):
        from app.journal.lock import JournalLock

        if JournalLock.is_held(of_service):
            return of_service
    return journal_folder()


def run_panel(settings: Path | None = None, journal: Path | None = None) -> int:
    """The panel of this installation, or of another settings file or journal. Returns the program's exit code."""
    folder = journal or _usual_journal(settings)
    if settings is not None:
        use_settings(settings)
    return _run(folder, _Server(settings, folder), PanelSite())


def run_demo(*, seed: int = 1, keep: Path | None = None, rate: float = 4.0, seconds: float | None = None) -> int:
    """The panel on an embedded site with simulated artists. Returns the exit code of the program.

    Args:
        seed: Decides what the artists do.
        keep: Folder that stays; None: a temporary one.
        rate: Acts of the artists a second.
        seconds: Close after so long; None: when somebody closes the window.
    """
    folder = keep.absolute() if keep is not None else Path(tempfile.mkdtemp(prefix="signalbox-demo-"))
    hosted = _Demo(folder, seed=seed, rate=rate, temporary=keep is None)
    site = PanelSite("", embedded=True)
    return _run(folder / "home" / "journal", hosted, site, seconds=seconds, tray=False)


def _run(folder: Path, hosted: Hosted, site: PanelSite, *, seconds: float | None = None, tray: bool = True) -> int:
    app = make_app(sheet=False)
    alone = SingleInstance(folder)
    if not alone.take():
        return 0
    crash = CrashHook(state_folder())
    crash.install()
    panel = Panel(folder, site)
    panel.hosting = True
    panel.notice.say("info", "Starting the event server…", about=SERVER)
    host = Host(hosted, panel)
    _wire(app, panel, host, crash, alone)
    panel.painted.connect(alone.listen)
    panel.painted.connect(host.start)
    if tray:
        host.wishes.connect(panel.take_wishes)
    if seconds is not None:
        QTimer.singleShot(int(seconds * 1_000), panel, panel.quit)
    panel.show()
    with when_told_to_end(panel.quit):
        code = app.exec()
        alone.close()
        crash.remove()
    return code


class Attendance(QObject):
    """Sees the server that another process runs come and go, and tells the window.

    A server that was killed cannot put its lamps out, and one that a service brings back says hello to nobody.
    """

    def __init__(self, panel: Panel, host: Host) -> None:
        super().__init__(panel)
        self._panel, self._host = panel, host
        self._held: bool | None = None
        panel.hub.pulse.connect(self._look)
        host.started.connect(lambda _site: self._know(held=True))
        host.attached.connect(lambda _why: self._know(held=True))
        host.unattended.connect(lambda _why: self._know(held=False))

    def _idle(self) -> bool:
        return not self._panel.hosting and not self._host.starting

    def _look(self) -> None:
        if self._idle():
            folder = self._panel.hub.folder
            self._panel.hub.journal.ask("served", lambda _journal: _is_held(folder), self._take, owner=self)

    def _know(self, *, held: bool) -> None:
        self._held = held
        self._panel.health.set_served(held)

    def _take(self, held: bool) -> None:
        if held == self._held or not self._idle():
            return
        ended = self._held is True
        self._know(held=held)
        if held:
            self._panel.notice.settle(SERVER)
            self._host.attached.emit("it came after this window")
        elif ended:
            _offer_to_host(self._panel, self._host, "the event server that this window was attached to has ended")


def _is_held(folder: Path) -> bool:
    from app.journal.lock import JournalLock

    return JournalLock.is_held(folder)


def _offer_to_host(panel: Panel, host: Host, why: str) -> None:
    """No service runs: the window can do it, in the background, when a person says so."""
    panel.hosting = False

    def run_it() -> None:
        if isinstance(host.hosted, _Server):
            host.hosted.may_host = True
        panel.notice.say("info", "Starting the event server…", about=SERVER)
        host.start()

    panel.notice.say("warning", f"{sentence(why)}: events are not handled.", "Run it here", run_it, about=SERVER)


def _wire(app: QApplication, panel: Panel, host: Host, crash: CrashHook, alone: SingleInstance) -> None:
    def take_site(site: PanelSite | None) -> None:
        if site is not None:
            panel.set_site(site)
            if panel.desk is not None:
                panel.desk.embedded = site.embedded

    def ask_which_site() -> None:
        """A site that was down at the start is told real or embedded later."""
        if panel.site == PanelSite():
            panel.hub.journal.ask("site", _site_of, take_site, owner=panel)

    panel.hub.pulse.connect(ask_which_site)
    Attendance(panel, host)

    def ask_site(*_: object) -> None:
        if panel.desk is None:
            panel.take_desk(SiteDesk(host.hosted.desk, embedded=panel.site.embedded, parent=panel))

    def ask_settings(_why: str) -> None:
        """What is set here counts for the server that this window is attached to."""
        panel.hub.journal.ask("settings", _settings_of, _use_settings, owner=panel)

    host.attached.connect(ask_settings)
    host.started.connect(panel.set_site)
    host.known.connect(panel.set_site)
    host.started.connect(ask_site)
    host.attached.connect(ask_site)
    host.started.connect(lambda _site: setattr(panel, "hosting", True))
    host.attached.connect(lambda _why: setattr(panel, "hosting", False))
    host.unattended.connect(lambda why: _offer_to_host(panel, host, why))
    host.started.connect(lambda _site: calm_collector())
    host.started.connect(lambda _site: panel.notice.say("ok", "The event server runs.", about=SERVER))
    host.attached.connect(
        lambda _why: panel.notice.say(
            "info", "Another process runs the event server; this window is attached to it.", about=SERVER
        )
    )
    waiting: list[str] = []
    host.failed.connect(waiting.append)

    def again(_section: str) -> None:
        """A server that could not start tries again with what was just entered."""
        if waiting:
            waiting.clear()
            panel.notice.say("info", "Starting the event server…", about=SERVER)
            host.start()

    panel.settings_saved.connect(again)

    def first_run(why: str) -> None:
        waiting.append(why)
        words = "No site is connected yet: nothing is handled."
        panel.notice.say("info", words, "Connect…", panel.open_assistant, about=SERVER)
        # A step that was kept before the site's starts the server anew, and brings us here with the assistant open.
        if not any(one.isVisible() for one in panel.findChildren(QDialog, "assistant")):
            panel.open_assistant()

    host.unconnected.connect(first_run)
    for signal_of_none in (host.unconnected, host.failed):
        signal_of_none.connect(lambda _why: setattr(panel, "hosting", False))
    host.failed.connect(
        lambda why: panel.notice.say(
            "error", f"The event server could not start: {why}", "Connect…", panel.open_assistant, about=SERVER
        )
    )
    crash.caught.connect(lambda text: panel.notice.say("error", text))
    alone.called.connect(panel.come_forward)

    def end() -> None:
        panel.hide()
        host.stop()

    panel.closing.connect(end)
    host.stopped.connect(app.quit)
