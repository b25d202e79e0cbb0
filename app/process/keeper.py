"""Keeps one child process alive: starts it, wakes it through its stdin, restarts it when it dies, ends it.

The pipe is the child's life-line in the other direction too: when this process is gone, however it ended, the child
reads the end of its stdin and stops.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence

log = logging.getLogger("signalbox.process")

_STEADY_SECONDS = 60.0


class ChildKeeper:
    """One child that should always run.

    Args:
        name: For the log.
        argv: Program and arguments.
        pass_fds: Descriptors the child inherits (POSIX).
        env: Its environment; None inherits ours.
        on_state: Told in words whenever it starts or dies: ``on_state(alive, words)``.
        on_exit: Told its exit code before it is started again.
        first: Seconds before the first restart; each further one doubles it.
        longest: Longest pause between restarts.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        pass_fds: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
        on_state: Callable[[bool, str], None] | None = None,
        on_exit: Callable[[int], None] | None = None,
        first: float = 0.5,
        longest: float = 30.0,
    ) -> None:
        self.name = name
        self._argv = list(argv)
        self._pass_fds = tuple(pass_fds)
        self._env = None if env is None else dict(env)
        self._on_state = on_state
        self._on_exit = on_exit
        self._first = first
        self._longest = longest
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{name}-keeper", daemon=True)

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        with self._lock:
            child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def start(self) -> None:
        """Start the child and keep it."""
        self._thread.start()

    def wake(self) -> None:
        """Write a byte to the child's stdin; a full pipe or a dead child is not an error."""
        with self._lock:
            child = self._child
            if child is None or child.stdin is None:
                return
            with contextlib.suppress(OSError, ValueError):
                os.write(child.stdin.fileno(), b".")

    def stop(self, grace: float = 20.0) -> int | None:
        """End the child: politely first, after ``grace`` seconds for good. Returns its exit code."""
        self._stopping.set()
        child = self._end(grace)
        if self._thread.ident is not None:
            self._thread.join(grace)
        return child.returncode if child is not None else None

    def renew(self, grace: float = 20.0) -> None:
        """End the child in the same way; another is started in its place."""
        self._end(grace)

    def _end(self, grace: float) -> subprocess.Popen[bytes] | None:
        with self._lock:
            child = self._child
        if child is not None and child.poll() is None:
            with contextlib.suppress(OSError):
                child.send_signal(signal.SIGTERM)
            try:
                child.wait(grace)
            except subprocess.TimeoutExpired:
                log.warning("%s did not end within %g s and is ended for good", self.name, grace)
                child.kill()
                child.wait()
        return child

    def _run(self) -> None:
        pause = self._first
        while not self._stopping.is_set():
            began = time.monotonic()
            code = self._once()
            if self._stopping.is_set():
                return
            if self._on_exit is not None and code is not None:
                self._on_exit(code)
            if time.monotonic() - began > _STEADY_SECONDS:
                pause = self._first
            words = f"{self.name} ended with code {code}; started again in {pause:g} s"
            log.error("%s", words)
            self._say(alive=False, words=words)
            self._stopping.wait(pause)
            pause = min(pause * 2, self._longest)

    def _once(self) -> int | None:
        try:
            child = subprocess.Popen(
                self._argv, stdin=subprocess.PIPE, pass_fds=self._pass_fds, env=self._env, start_new_session=True
            )
        except OSError as error:
            log.error("%s cannot be started: %s", self.name, error)
            return None
        assert child.stdin is not None
        os.set_blocking(child.stdin.fileno(), False)
        with self._lock:
            self._child = child
        if self._stopping.is_set():
            child.terminate()
        self._say(alive=True, words=f"running as process {child.pid}")
        code = child.wait()
        with self._lock, contextlib.suppress(OSError):
            child.stdin.close()
        return code

    def _say(self, *, alive: bool, words: str) -> None:
        if self._on_state is not None:
            self._on_state(alive, words)
