"""A tunnel to a real site: it ends on this machine, and what is behind it says nothing of being embedded."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

_MARK = b"signalbox_embedded"


class Tunnel:
    """Listens on 127.0.0.1 and passes on to a port there. Shut until `open`. Use as a context manager.

    Attributes:
        url: Its near end.
    """

    def __init__(self, port: int) -> None:
        self._far = ("127.0.0.1", port)
        self._near = socket.socket()
        # Bound and not listening: whoever comes is refused, and nobody else gets the port.
        self._near.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._near.getsockname()[1]}"
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def open(self) -> None:
        """Let through whoever comes."""
        self._near.listen(50)
        self._start(self._accept)

    def __enter__(self) -> Tunnel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in (self._near, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, work: object, *args: socket.socket) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._near.accept()
                far = socket.create_connection(self._far)
            except OSError:
                return
            self._ends += [near, far]
            self._start(self._pass_on, near, far)
            self._start(self._pass_on, far, near)

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data.replace(_MARK, b"-" * len(_MARK)))
            target.shutdown(socket.SHUT_WR)
