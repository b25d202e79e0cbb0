"""Memory of `signalbox serve` with its worker while events arrive, up to 100,000 of them.

    python tests/bench/bench_memory.py [--events 100000] [--json]

The real program at a real site; the events come over the real hub from another connection. Each is an update of a
task, as artists cause them; one in a hundred asks handlers to plan. Two sums over the processes: resident memory, in
which shared pages count in each of them (``rss``; the aims are judged by it), and what they take from the machine
(``pss``).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for each in (ROOT, ROOT / "tests" / "support"):
    sys.path.insert(0, str(each))

from studio import Studio  # noqa: E402

from app.journal.journal import Journal  # noqa: E402
from app.site.hub import HubConnection, event_packet  # noqa: E402
from app.site.types import Credentials  # noqa: E402

_AIM_MB = 180.0
_GROWTH_MB = 10.0
_BURST = 500
_PATIENCE = 1200.0


def tree(pid: int) -> list[int]:
    """A process and everything below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += tree(int(child))
    return found


def memory(pid: int) -> dict[str, float]:
    """Resident and proportional set size of a process and everything below it, MB."""
    total = {"rss": 0.0, "pss": 0.0}
    for each in tree(pid):
        for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.lower() in total:
                total[name.lower()] += int(value.split()[0]) / 1024
    return {name: round(value, 1) for name, value in total.items()}


def event(studio: Studio, number: int, status: tuple[str, str]) -> dict[str, Any]:
    """An update of a task that nobody knows; a hundredth of them a status that handlers look at."""
    task = str(uuid.uuid4())
    changes: dict[str, Any] = {"description": {"old": "", "new": f"take {number}"}}
    if number % 100 == 0:
        changes = {"statusid": {"old": status[0], "new": status[1]}}
    parents = [
        {"entityId": task, "entityType": "task", "entity_type": "Task", "parentId": studio.shot["id"]},
        {
            "entityId": studio.shot["id"],
            "entityType": "task",
            "entity_type": "Shot",
            "parentId": studio.project["id"],
        },
        {"entityId": studio.project["id"], "entityType": "show", "entity_type": "Project", "parentId": None},
    ]
    entity = {
        "action": "update",
        "entityType": "task",
        "entity_type": "Task",
        "entityId": task,
        "keys": list(changes),
        "changes": changes,
        "parents": parents,
    }
    return {
        "id": uuid.uuid4().hex,
        "topic": "ftrack.update",
        "data": {"entities": [entity]},
        "source": {"id": "bench", "user": {"username": studio.site.user}},
        "target": "",
        "inReplyToEvent": None,
    }


def bench(count: int) -> dict[str, Any]:
    """Send the events and look at the memory after the first tenth, the half and all of them."""
    pause = threading.Event()
    figures: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as place, Studio(Path(place)) as studio:
        status = (studio.named("Status", "In progress"), studio.named("Status", "Ready for Comp"))
        with studio.server() as server:
            journal = Journal.open(Path(server.wait_line()["journal"]), "read")
            hub = HubConnection(Credentials(studio.site.url, studio.site.user, studio.site.key), timeout=10)
            until = time.monotonic() + _PATIENCE
            while not any(lamp.name == "site" and lamp.state == "ok" for lamp in journal.health()):
                pause.wait(0.1)
            began, sent = time.monotonic(), 0
            for mark in (count // 10, count // 2, count):
                while sent < mark:
                    for _ in range(min(_BURST, mark - sent)):
                        sent += 1
                        hub.send(event_packet(event(studio, sent, status), sent))
                    hub.receive()
                    while journal.count_events() < sent - 4 * _BURST and time.monotonic() < until:
                        pause.wait(0.02)
                while (journal.count_events() < sent or journal.queue_length()) and time.monotonic() < until:
                    pause.wait(0.1)
                figures[mark] = memory(server.process.pid)
            seconds = time.monotonic() - began
            kept = journal.count_events()
            journal.close()
            hub.close()
            assert server.stop(seconds=60) == 0, server.errors[-2000:]
    _, half, last = (each["rss"] for each in figures.values())
    aims = {f"serve with worker below {_AIM_MB:g} MB after {count} events": kept >= count and last < _AIM_MB}
    if count >= 100_000:  # before that threads and caches are still being filled
        aims[f"the second half of them adds less than {_GROWTH_MB:g} MB"] = last - half < _GROWTH_MB
    return {
        "events": kept,
        "seconds": round(seconds, 1),
        "memory_mb": {str(mark): value for mark, value in figures.items()},
        "aims": aims,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = bench(given.events)
    if given.json:
        print(json.dumps(found))
        return 0
    print(f"{found['events']} events in {found['seconds']} s; memory after so many events, MB: {found['memory_mb']}")
    for aim, met in found["aims"].items():
        print(f"{'met   ' if met else 'missed'}  {aim}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
