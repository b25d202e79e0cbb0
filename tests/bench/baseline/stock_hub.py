"""The baseline: ftrack_api's own event hub in its trivial loop: receive, decode, call one subscriber that counts."""

from __future__ import annotations

import time

import ftrack_api.event.hub


def events_per_second(url: str, count: int) -> float:
    """Receive ``count`` events from a storm; the clock runs from the first to the last."""
    hub = ftrack_api.event.hub.EventHub(url, "nobody", "nothing")
    hub.connect()
    times: list[float] = []
    hub.subscribe("topic=ftrack.update", lambda event: times.append(time.perf_counter()), {"id": "trivial"})
    while len(times) < count:
        hub.wait(duration=0.2)
    hub.disconnect()
    return (count - 1) / (times[-1] - times[0])
