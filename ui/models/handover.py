"""A second start hands what it was given to the program that runs already, and ends."""

from __future__ import annotations

import getpass
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

_PATIENCE_MS = 1_000
_LONGEST = 4_000_000


class Handover(QObject):
    """One program a folder. Only the same account can hand something over.

    Signals:
        given: task id and files of another start.
    """

    given = Signal(str, list)

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        mark = hashlib.sha256(f"{getpass.getuser()} {folder}".encode()).hexdigest()[:20]
        self._name = f"signalbox-upload-{mark}"
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._answer)

    def give(self, task: str, files: Sequence[str]) -> bool:
        """Hand over to a program that runs; whether there was one."""
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(_PATIENCE_MS):
            return False
        socket.write(json.dumps({"task": task, "files": list(files)}).encode() + b"\n")
        socket.waitForBytesWritten(_PATIENCE_MS)
        socket.disconnectFromServer()
        return True

    def listen(self) -> None:
        """Take what later starts hand over."""
        QLocalServer.removeServer(self._name)
        self._server.listen(self._name)

    def close(self) -> None:
        """Take nothing more."""
        self._server.close()

    def _answer(self) -> None:
        connection = self._server.nextPendingConnection()
        if connection is None:
            return
        got = bytearray()

        def read() -> None:
            got.extend(bytes(connection.readAll().data()))
            if len(got) > _LONGEST:
                connection.abort()

        def over() -> None:
            read()
            connection.deleteLater()
            try:
                facts = json.loads(got.decode("utf-8"))
                task, files = str(facts["task"]), [str(one) for one in facts["files"]]
            except (ValueError, KeyError, TypeError):
                return
            self.given.emit(task, files)

        connection.readyRead.connect(read)
        connection.disconnected.connect(over)
