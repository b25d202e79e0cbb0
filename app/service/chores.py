"""Threads for what has to be done now and then: each has its list, and what fails or hangs in one delays no other."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.settings.store import SettingsError
from app.site.types import SiteRefusal, SiteUnreachable

__all__ = ["Chores"]

log = logging.getLogger("signalbox.service")

_REST_SECONDS = 0.5
_AWAY_SECONDS = 5.0
_FAILED_SECONDS = 30.0


@dataclass(slots=True)
class _Chore:
    name: str
    pause: float
    does: Callable[[], object]
    due: float = 0.0


class Chores:
    """Carries out its chores in turn, on a thread of its own.

    Args:
        name: The thread's.
    """

    def __init__(self, name: str) -> None:
        self._chores: list[_Chore] = []
        self._ending = threading.Event()
        self._wake = threading.Event()
        self._at = ("", time.monotonic())
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def add(self, name: str, pause: float, does: Callable[[], object]) -> None:
        """One chore more, with seconds from one time to the next; before `start`."""
        self._chores.append(_Chore(name, pause, does))

    def start(self) -> None:
        """Begin."""
        self._at = ("", time.monotonic())
        self._thread.start()

    def wake(self) -> None:
        """Look now what is due."""
        self._wake.set()

    def end(self) -> None:
        """Begin no further chore; does not wait."""
        self._ending.set()
        self._wake.set()

    def join(self, seconds: float) -> bool:
        """Wait for the end of the thread; whether it ended in time."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def silence(self) -> tuple[float, str]:
        """Seconds since the last sign of life, and the chore it came from ("" between two)."""
        name, since = self._at
        return time.monotonic() - since, name

    def _run(self) -> None:
        while not self._ending.is_set():
            for chore in self._chores:
                if self._ending.is_set():
                    return
                if time.monotonic() >= chore.due:
                    self._carry_out(chore)
            self._at = ("", time.monotonic())
            self._wake.wait(_REST_SECONDS)
            self._wake.clear()

    def _carry_out(self, chore: _Chore) -> None:
        self._at = (chore.name, time.monotonic())
        chore.due = time.monotonic() + chore.pause
        try:
            chore.does()
        except (SiteUnreachable, SiteRefusal, SettingsError) as error:
            log.debug("%s: %s", chore.name, error)
            chore.due = time.monotonic() + _AWAY_SECONDS
        except Exception:
            if self._ending.is_set():
                return  # what it needed was closed while it waited for an answer
            # One chore that fails must not end the others; it is tried again later.
            log.exception("housekeeping (%s) failed", chore.name)
            chore.due = time.monotonic() + _FAILED_SECONDS
