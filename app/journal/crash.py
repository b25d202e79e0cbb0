"""Named points at which a test stops the process on purpose: ``SIGNALBOX_CRASH_AT=point:n``.

At the n-th pass of the point the process ends as if the power had gone: no clean-up, no exit handlers.
"""

from __future__ import annotations

import os
import threading

#: The exit code of a process that ended at a crash point.
CRASHED = 77

_lock = threading.Lock()
_passes = 0


def _ordered() -> tuple[str, int]:
    point, _, count = os.environ.get("SIGNALBOX_CRASH_AT", "").partition(":")
    return point.strip(), int(count) if count.strip().isdigit() else 1


_POINT, _COUNT = _ordered()


def crash_point(name: str) -> None:
    """Pass the point ``name``; ends the process when the environment ordered it here."""
    if name != _POINT:
        return
    global _passes  # noqa: PLW0603 - one count a process is what the order means
    with _lock:
        _passes += 1
        if _passes == _COUNT:
            os._exit(CRASHED)
