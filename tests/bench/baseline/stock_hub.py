"""The baseline: ftrack_api's own event hub in its trivial loop: decode a packet, make an event, call one subscriber."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import ftrack_api.event.hub


def events_per_second(packets: Sequence[str]) -> float:
    """Feed packets as the reader thread does while `wait` runs here; the socket is left out on both sides."""
    hub = ftrack_api.event.hub.EventHub("http://127.0.0.1:1", "nobody", "nothing")
    # No socket: `wait` only asks whether one was ever opened.
    hub._connection_initialised = True
    seen = []
    done = threading.Event()

    def count(event: object) -> None:
        seen.append(event)
        if len(seen) == len(packets):
            done.set()

    hub.subscribe("topic=ftrack.update", count, {"id": "trivial"})
    feeder = threading.Thread(
        target=lambda: [hub._handle_packet("5", "", "", packet) for packet in packets], daemon=True
    )
    began = time.perf_counter()
    feeder.start()
    while not done.is_set():
        hub.wait(duration=0.05)
    seconds = time.perf_counter() - began
    feeder.join()
    return len(packets) / seconds
