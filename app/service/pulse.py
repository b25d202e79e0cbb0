"""The worker's sign of life: a byte into a pipe now and then, which costs no disk and cannot be held up by the journal.

It comes from the thread that moves events and orders on, so that a worker which lives but hangs is known from one that
has nothing to do.
"""

from __future__ import annotations

import contextlib
import os
import time

__all__ = ["Beat", "Pulse"]

_BEAT_SECONDS = 2.0


class Pulse:
    """The host's side. Used by one thread, but for `begin`.

    Attributes:
        fd: What the worker inherits.
    """

    def __init__(self) -> None:
        self._out, self.fd = os.pipe()
        # Neither side ever waits for the other: a full pipe is sign of life enough.
        os.set_blocking(self._out, False)
        os.set_blocking(self.fd, False)
        self._last = time.monotonic()

    def begin(self) -> None:
        """A worker was started: its silence counts from now."""
        self._last = time.monotonic()

    def silence(self) -> float:
        """Seconds since the last sign of life."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._out, 4096):
                self._last = time.monotonic()
        return time.monotonic() - self._last

    def close(self) -> None:
        """Let go of the pipe."""
        os.close(self._out)
        os.close(self.fd)


class Beat:
    """The worker's side: call it as often as you like.

    Args:
        fd: What the host passed on.
    """

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)
        self._fd = fd
        self._due = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _BEAT_SECONDS
            with contextlib.suppress(OSError):  # full, or the host is gone: the life-line tells that
                os.write(self._fd, b".")
