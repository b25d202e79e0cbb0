"""The one QApplication: its habits, where Qt's messages go, what happens when something breaks, one window each."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, cast

from PySide6.QtCore import (
    QCryptographicHash,
    QLockFile,
    QMessageLogContext,
    QObject,
    QSettings,
    QSocketNotifier,
    QtMsgType,
    Signal,
    qInstallMessageHandler,
)
from PySide6.QtWidgets import QApplication

from app.process.signals import SignalInbox
from app.settings.paths import state_folder
from app.settings.redact import redact
from ui import theme
from ui.collector import Collector, calm_collector
from ui.theme import Role

if TYPE_CHECKING:
    from PySide6.QtNetwork import QLocalServer

log = logging.getLogger("signalbox.ui")
qt_log = logging.getLogger("signalbox.qt")

SWITCH_SECONDS = 0.001
"""How long a Python thread may keep the window waiting: five times less than Python's own habit."""
_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}
_NOISE = ("propagateSizeHints", "does not support raise", "does not support grabbing")
_CRASH_LIMIT = 200_000


def make_app(arguments: Sequence[str] = (), *, sheet: bool = True) -> QApplication:
    """The application, dressed as the person left it. Called once a process, first of all.

    Args:
        arguments: For Qt.
        sheet: False where a window is built next that puts the style sheet on itself (see `theme.apply`).
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    calm_collector()
    qInstallMessageHandler(_qt_says)
    app = QApplication([*sys.argv[:1], *arguments])
    Collector(app)
    app.setApplicationName("Signalbox")
    app.setApplicationDisplayName("Signalbox")
    app.setDesktopFileName("signalbox")
    app.setQuitOnLastWindowClosed(False)
    choice = str(_memory().value("theme", "dark"))
    theme.apply(app, cast(theme.Choice, choice) if choice in {"dark", "light", "system"} else "dark", sheet=sheet)
    app.setWindowIcon(theme.icon("signalbox", Role.ACCENT))
    return app


@contextmanager
def when_told_to_end(end: Callable[[], object]) -> Iterator[None]:
    """Inside, SIGTERM and Ctrl+C call ``end`` from Qt's loop, as a click would."""
    with SignalInbox(signal.SIGTERM, signal.SIGINT) as signals:
        notifier = QSocketNotifier(signals.fileno(), QSocketNotifier.Type.Read)

        def look() -> None:
            if signals.take() is not None:
                end()

        notifier.activated.connect(look)
        try:
            yield
        finally:
            notifier.setEnabled(False)


def _memory() -> QSettings:
    from ui.panel import panel_settings

    return panel_settings()


def _qt_says(kind: QtMsgType, _context: QMessageLogContext, message: str) -> None:
    if not any(noise in message for noise in _NOISE):
        qt_log.log(_LEVELS.get(kind, logging.WARNING), "%s", message)


class CrashHook(QObject):
    """Catches what nobody else did: writes it down, redacted, and lets the window say so. The program goes on.

    Signals:
        caught: one line for the person.
    """

    caught = Signal(str)

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.report = folder / "crash.log"
        folder.mkdir(parents=True, exist_ok=True)
        self._native: IO[str] | None = None
        self._before = (sys.excepthook, threading.excepthook)

    def install(self) -> None:
        """Take over from Python's own hooks, and let a dying interpreter leave a trace."""
        sys.excepthook = self._hook
        threading.excepthook = self._thread_hook
        self._native = (self.report.with_name("crash-native.log")).open("a", encoding="utf-8")
        faulthandler.enable(self._native)

    def remove(self) -> None:
        """Give the hooks back."""
        sys.excepthook, threading.excepthook = self._before
        if self._native is not None:
            faulthandler.disable()
            self._native.close()
            self._native = None

    def _thread_hook(self, arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            self._hook(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

    def _hook(self, kind: type[BaseException], problem: BaseException, trace: TracebackType | None) -> None:
        import time
        import traceback

        if issubclass(kind, KeyboardInterrupt):
            self._before[0](kind, problem, trace)
            return
        text = redact("".join(traceback.format_exception(kind, problem, trace)))
        log.error("Something unexpected happened: %s", redact(str(problem)) or kind.__name__)
        if self.report.exists() and self.report.stat().st_size > _CRASH_LIMIT:
            self.report.replace(self.report.with_suffix(".old.log"))
        with self.report.open("a", encoding="utf-8") as stream:
            stream.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}\n{text}\n")
        self.caught.emit(f"Something unexpected happened ({kind.__name__}). It was written to {self.report}.")


class SingleInstance(QObject):
    """One window a journal: a second start brings the first one's window forward and ends.

    Signals:
        called: another start asked for the window.
    """

    called = Signal()

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        # Qt's own: Python's brings OpenSSL along, which nothing needs before the first paint.
        digest = QCryptographicHash.hash(str(folder).encode(), QCryptographicHash.Algorithm.Sha256)
        key = bytes(digest.data()).hex()[:16]
        self._name = f"signalbox-{os.getuid() if hasattr(os, 'getuid') else 0}-{key}"
        state = state_folder()
        state.mkdir(parents=True, exist_ok=True)
        self._lock = QLockFile(str(state / f"panel-{key}.lock"))
        self._lock.setStaleLockTime(0)
        self._server: QLocalServer | None = None

    def take(self) -> bool:
        """Whether this is the only window; if not, the other one was called forward."""
        if self._lock.tryLock(0):
            return True
        from PySide6.QtNetwork import QLocalSocket

        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if socket.waitForConnected(1_000):
            socket.write(b"show\n")
            socket.waitForBytesWritten(1_000)
            socket.disconnectFromServer()
        return False

    def listen(self) -> None:
        """Hear other starts from now on; after the first paint, since Qt's network module takes its time."""
        from PySide6.QtNetwork import QLocalServer

        self._server = QLocalServer(self)
        self._server.newConnection.connect(self._answer)
        QLocalServer.removeServer(self._name)
        self._server.listen(self._name)

    def close(self) -> None:
        """Let the next start be the only one."""
        if self._server is not None:
            self._server.close()
        self._lock.unlock()

    def _answer(self) -> None:
        connection = self._server.nextPendingConnection() if self._server is not None else None
        if connection is not None:
            connection.disconnected.connect(connection.deleteLater)
            self.called.emit()
