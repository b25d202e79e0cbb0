"""Short time-outs for listeners under test, and waiting for what a thread or process will do."""

from __future__ import annotations

import time
from collections.abc import Callable

from app.settings.models import SiteSettings

QUICK = SiteSettings(
    connect_timeout=5.0,
    silence=1.5,
    reconnect_first=0.05,
    reconnect_longest=0.3,
    subscriptions=["topic=ftrack.update", "topic=studio.*"],
)


def until(condition: Callable[[], object], seconds: float = 60.0) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)  # a look, not a synchronisation: the condition decides
    return bool(condition())
