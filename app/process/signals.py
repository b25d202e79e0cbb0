"""Signals as something to wait for, in the thread that can act on them.

Python runs a signal's handler between any two steps of the main thread, also while that thread holds a lock: a handler
that sets a `threading.Event`, starts a thread or closes a window may wait for ever for a lock that its own thread
holds. Here the handler does nothing; the interpreter itself writes the signal's number into a socket.
"""

from __future__ import annotations

import select
import signal
import socket
from types import FrameType, TracebackType

__all__ = ["ENDS", "HANG_UP", "SignalInbox"]

#: A server ends.
ENDS = (signal.SIGTERM, signal.SIGINT)
#: It reads its settings again; not every system has this signal.
HANG_UP = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()


class SignalInbox:
    """The signals that came, in their order. One a process, made in its main thread; use as a context manager.

    Args:
        numbers: Signals that no longer end the process by themselves.
    """

    def __init__(self, *numbers: int) -> None:
        self._out, self._in = socket.socketpair()
        self._out.setblocking(False)
        self._in.setblocking(False)
        self._fd_before = signal.set_wakeup_fd(self._in.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, _nothing) for number in numbers}

    def fileno(self) -> int:
        """Can be read from when a signal has come: for `select` and for Qt."""
        return self._out.fileno()

    def take(self) -> int | None:
        """The next signal that has come, None when there is none."""
        while True:
            try:
                told = self._out.recv(1)
            except BlockingIOError:
                return None
            if not told:
                return None
            if told[0] in self._before:
                return told[0]

    def wait(self, seconds: float | None = None) -> int | None:
        """Wait for the next signal.

        Args:
            seconds: The longest wait; None: as long as it takes.

        Returns:
            Its number, None when none came in time.
        """
        ready, _, _ = select.select([self._out], [], [], seconds)
        return self.take() if ready else None

    def close(self) -> None:
        """Let the signals do what they did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd_before)
        self._in.close()
        self._out.close()

    def __enter__(self) -> SignalInbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """The number is in the socket already."""
