"""`signalbox serve`: the event server as a process of its own, as a supervisor starts, asks and ends it."""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from app.process.notify import notify, watchdog_seconds
from app.process.signals import ENDS, HANG_UP, SignalInbox
from app.service.doors import Installation
from app.service.event_server import Service, StartGivenUp, check_key

__all__ = ["HUNG", "serve_until_told"]

log = logging.getLogger("signalbox.service")

HUNG = 70
"""Exit code of a server whose own thread shows no sign of life: its supervisor starts it anew."""
_LOOK_SECONDS = 10.0
_KEY_LOOK_SECONDS = 0.05
_LAST_WORDS_SECONDS = 5.0


def serve_until_told(
    settings: Path | None, journal: Path | None, signals: SignalInbox, ready: Callable[[Path], None]
) -> None:
    """Run the event server until a signal of `ENDS` comes, also while it starts; `HANG_UP` reads the settings again.

    Args:
        settings: The settings file; None: the usual one.
        journal: The journal's folder; None: the usual one.
        signals: Who tells it.
        ready: Told, with the journal's folder, when it runs.

    Raises:
        SettingsError, JournalError, WrongKey: it cannot start.
    """

    def told_to_end(seconds: float) -> bool:
        return signals.wait(seconds) in ENDS

    installation = Installation.load(settings, journal)
    service = Service(installation, log_stream=True)
    if told_to_end(0.0):
        return
    try:
        service.start(told_to_end)
    except StartGivenUp:
        return
    try:
        # With the journal open, so that a wrong key is in its log too; a site that is down is waited for.
        if _key_was_checked(installation, told_to_end):
            ready(installation.journal)
            notify("READY=1")
            _attend(service, signals)
    finally:
        notify("STOPPING=1")
        ended = service.stop()
        if not ended and sys.exc_info()[0] is None:
            # An answer that never comes would keep the process; the journal is closed, and nothing else is kept here.
            _leave(0)


def _key_was_checked(installation: Installation, told_to_end: Callable[[float], bool]) -> bool:
    """Whether the check came to its end before somebody told the server to end. Raises what it raises."""
    outcome: Future[None] = Future()

    def check() -> None:
        try:
            check_key(installation)
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    threading.Thread(target=check, name="key-check", daemon=True).start()
    while not outcome.done():
        if told_to_end(_KEY_LOOK_SECONDS):
            return False
    outcome.result()
    return True


def _attend(service: Service, signals: SignalInbox) -> None:
    """Until told to end. The supervisor's watchdog hears of us only while every part shows signs of life."""
    pause = min(watchdog_seconds() or _LOOK_SECONDS, _LOOK_SECONDS)
    while (told := _newest(signals, pause)) not in ENDS:
        if told in HANG_UP:
            service.read_settings_again()
        if hung := service.hung():
            _end_hung(hung)
        notify("WATCHDOG=1")


def _newest(signals: SignalInbox, seconds: float) -> int | None:
    """The next signal; of a storm of hang-ups the last is enough."""
    told = signals.wait(seconds)
    while told in HANG_UP and (another := signals.take()) is not None:
        told = another
    return told


def _end_hung(which: str) -> None:
    """End as a crash does: whoever hangs may hold what an orderly end needs, and a crash costs nothing."""
    frames = sys._current_frames()
    stacks = "\n".join(
        f"{one.name}:\n{''.join(traceback.format_stack(frames[one.ident]))}"
        for one in threading.enumerate()
        if one.ident in frames
    )
    told = threading.Thread(
        target=lambda: log.critical("%s: the event server ends, to be started anew\n%s", which, stacks), daemon=True
    )
    told.start()
    told.join(_LAST_WORDS_SECONDS)
    for handler in logging.getLogger().handlers:
        last = threading.Thread(target=handler.flush, daemon=True)
        last.start()
        last.join(_LAST_WORDS_SECONDS)
    _leave(HUNG)


def _leave(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
