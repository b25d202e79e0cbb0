"""The engine against plain scripts: 200 new tasks, a blocked handler, events kept a second.

    python tests/bench/bench_engine.py [--tasks 200] [--workers 4] [--latency 0.02] [--events 10000] [--json]

Every ratio is measured in one run against a baseline kept in `tests/bench/baseline/`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for each in (ROOT, ROOT / "tests" / "support", ROOT / "tests" / "bench"):
    sys.path.insert(0, str(each))

import ftrack_api  # noqa: E402
from baseline.plain_handler import process  # noqa: E402
from baseline.stock_hub import events_per_second  # noqa: E402
from engine_room import FunctionHandler, Room, update  # noqa: E402
from production import Production, workspace  # noqa: E402
from sandbox_process import SandboxProcess  # noqa: E402

from app.engine.changes import payload_of  # noqa: E402
from app.engine.protocol import Change, Context, Plan, skip  # noqa: E402
from app.handlers.create_task_folder import CreateTaskFolder  # noqa: E402
from app.journal.journal import Journal  # noqa: E402
from app.journal.rows import RawEvent  # noqa: E402
from app.settings.models import SiteSettings  # noqa: E402
from app.site.cache import LookUps  # noqa: E402
from app.site.librarian import Librarian  # noqa: E402
from app.site.listener import Listener  # noqa: E402
from app.site.types import Credentials  # noqa: E402


class Bench:
    """One site, one production, two ways to serve it."""

    def __init__(self, site: SandboxProcess, show: Production, folder: Path) -> None:
        self.site, self.show, self.folder = site, show, folder
        show.template("compositing.nk", "Root {}")
        self.shots = [show.shot(f"001_{number:04d}") for number in range(10)]

    def ask(self, path: str, order: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"{self.site.url}/_sandbox/{path}",
            data=json.dumps(order).encode() if order is not None else None,
            headers={
                "ftrack-user": self.site.user,
                "ftrack-api-key": self.site.key,
                "content-type": "application/json",
            },
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def tasks(self, count: int, word: str) -> list[str]:
        """New tasks, in one batch."""
        type_id = self.show.named("Type", "Compositing")
        operations, ids = [], []
        for number in range(count):
            key = str(uuid.uuid4())
            ids.append(key)
            values = {
                "id": key,
                "name": f"{word}{number:04d}",
                "parent_id": self.shots[number % len(self.shots)],
                "project_id": self.show.project,
                "type_id": type_id,
            }
            operations.append(
                {
                    "action": "create",
                    "entity_type": "Task",
                    "entity_key": [key],
                    "entity_data": {"__entity_type__": "Task", **values},
                }
            )
        self.show.site.call(operations)
        return ids

    def events(self, ids: Sequence[str]) -> list[RawEvent]:
        chain = self.show.added("Task", ids[0])
        parents = list(chain.parents)
        events = []
        for task in ids:
            import dataclasses

            own = dataclasses.replace(parents[0], entity_id=task)
            change = dataclasses.replace(chain, entity_id=task, parents=(own, *parents[1:]))
            payload = payload_of(change, dry=False)
            del payload["data"]["signalbox"]
            events.append(RawEvent({**payload, "id": uuid.uuid4().hex}, time.time()))
        return events

    @contextmanager
    def latency(self, seconds: float) -> Iterator[None]:
        self.ask("faults", {"latency": seconds})
        try:
            yield
        finally:
            self.ask("faults", {"latency": 0.0})

    def plain(self, count: int, latency: float) -> tuple[float, dict[str, float]]:
        ids = self.tasks(count, "plain")
        session = ftrack_api.Session(
            self.site.url, self.site.key, self.site.user, auto_connect_event_hub=False, plugin_paths=[]
        )
        process(session, ids[:2], self.show.drive)  # the session is warm on both sides
        with self.latency(latency):
            self.ask("counters?reset=1")
            seconds = process(session, ids[2:], self.show.drive) * count / (count - 2)
            kinds = self.ask("counters")["kinds"]
        session.close()
        return seconds, {name: kinds.get(name, 0) / (count - 2) for name in ("reads", "commits", "requests")}

    def ours(self, count: int, latency: float, workers: int) -> tuple[float, dict[str, float]]:
        """Seconds for ``count`` tasks, and requests a run of all from the first, each thread's first look-ups too."""
        events = self.events(self.tasks(count + 2 * workers, "ours"))
        folder = self.folder / f"room-{uuid.uuid4().hex[:6]}"
        folder.mkdir()
        self.show.look_ups = LookUps()
        room = Room(folder, site=self.show.open_site)
        room.models["handlers.create_task_folder"] = CreateTaskFolder.settings_model
        room.store.set("engine", "workers", workers)
        # What the host does at its start, and the engine at its own, before the first event.
        Librarian(room.journal, self.show.open_site).turn()
        room.start(CreateTaskFolder())
        self.show.open_site().warm()
        self.ask("counters?reset=1")
        try:
            room.send(*events[: 2 * workers])
            room.settle(60)
            with self.latency(latency):
                began = time.perf_counter()
                room.send(*events[2 * workers :])
                room.settle(300)
                seconds = time.perf_counter() - began
            kinds = self.ask("counters")["kinds"]
            states = set(room.states("create_task_folder"))
            assert states == {"done"}, (states, room.journal.runs(limit=1))
        finally:
            room.close()
        return seconds, {name: kinds.get(name, 0) / len(events) for name in ("reads", "commits", "requests")}


def bench_tasks(count: int, latency: float, workers: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place, SandboxProcess(Path(place) / "site") as site, workspace() as slack:
        home = Path(place) / "show"
        home.mkdir()
        bench = Bench(site, Production(site.url, site.user, site.key, home, slack), Path(place))
        plain, plain_asked = bench.plain(count, latency)
        ours, ours_asked = bench.ours(count, latency, workers)
    return {
        "plain_s": plain,
        "engine_s": ours,
        "ratio": plain / ours,
        "plain_requests_per_event": plain_asked,
        "engine_requests_per_run": ours_asked,
        "met": {
            f"reads a run <= 2 ({ours_asked['reads']:.3f})": ours_asked["reads"] <= 2,
            f"commits a run <= 1 ({ours_asked['commits']:.3f})": ours_asked["commits"] <= 1,
        },
    }


def bench_blocked(seconds: float, events: int) -> dict[str, Any]:
    """How much later other handlers run while one blocks on every event."""

    def measure(blocked: bool) -> list[float]:
        with tempfile.TemporaryDirectory() as place:
            room = Room(Path(place))
            times: list[float] = []
            sent: dict[str, float] = {}
            free = threading.Event()

            def quick(changes: Sequence[Change], ctx: Context) -> Plan:
                times.append(time.perf_counter() - sent[changes[0].entity_id])
                return skip("seen")

            def block(changes: Sequence[Change], ctx: Context) -> Plan:
                free.wait(seconds)
                return skip("at last")

            handlers = [FunctionHandler(quick)]
            if blocked:
                handlers.insert(0, FunctionHandler(block, name="blocked", key=lambda change: f"b:{change.entity_id}"))
            room.start(*handlers)
            pause = threading.Event()
            for number in range(events):
                sent[f"t{number}"] = time.perf_counter()
                room.send(update(f"t{number}"))
                pause.wait(0.05)
            room.wait_for(lambda: len(times) == events, 60)
            free.set()
            room.settle(60)
            room.close()
            return times

    alone, beside = measure(False), measure(True)
    return {
        "alone_ms": {"p50": statistics.median(alone) * 1e3, "max": max(alone) * 1e3},
        "beside_blocked_ms": {"p50": statistics.median(beside) * 1e3, "max": max(beside) * 1e3},
        "added_ms": {
            "p50": (statistics.median(beside) - statistics.median(alone)) * 1e3,
            "max": (max(beside) - max(alone)) * 1e3,
        },
    }


@contextmanager
def storm(count: int) -> Iterator[str]:
    """A peer that sends ``count`` events to whoever connects; its URL."""
    program = Path(__file__).parent / "baseline" / "storm_hub.py"
    process = subprocess.Popen([sys.executable, str(program), str(count)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def bench_append(count: int) -> dict[str, Any]:
    """The same storm from the same peer: counted by the stock hub's loop, kept durably by listener and journal."""
    with storm(count) as url:
        stock = events_per_second(url, count)
        with tempfile.TemporaryDirectory() as place:
            journal = Journal.open(Path(place) / "journal")
            times: list[float] = []
            listener = Listener(
                Credentials(url, "nobody", "nothing"),
                SiteSettings(server=url, api_user="nobody"),
                journal,
                on_events=lambda kept: times.append(time.perf_counter()),
            )
            listener.start()
            pause = threading.Event()
            while journal.count_events() < count:
                pause.wait(0.05)
            first = journal.one("SELECT min(received) FROM events WHERE topic = 'ftrack.update'")
            assert first is not None
            # From the first event's arrival to the end of the transaction that keeps the last.
            seconds = times[-1] - (time.perf_counter() - (time.time() - float(first[0])))
            listener.stop()
            journal.close()
    return {"stock_hub_per_s": stock, "journal_per_s": count / seconds, "ratio": count / seconds / stock}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--blocked", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    append = bench_append(given.events)
    blocked = bench_blocked(given.blocked, 40)
    tasks = bench_tasks(given.tasks, given.latency, given.workers)
    if given.json:
        print(json.dumps({"append": append, "blocked": blocked, "tasks": tasks}))
        return 0
    print(
        f"events kept durably: {append['journal_per_s']:.0f}/s, stock hub's loop {append['stock_hub_per_s']:.0f}/s, "
        f"ratio {append['ratio']:.2f} (aim: at least 1)"
    )
    print(
        f"a handler blocked for {given.blocked:g} s adds {blocked['added_ms']['p50']:.1f} ms (median), "
        f"{blocked['added_ms']['max']:.1f} ms (worst) to others (aim: below 100)"
    )
    print(
        f"{given.tasks} task creations, site answering in {given.latency * 1e3:.0f} ms: "
        f"plain {tasks['plain_s']:.2f} s, "
        f"{given.workers} workers {tasks['engine_s']:.2f} s, {tasks['ratio']:.2f} times faster (aim: 3.2)"
    )
    print(f"requests: plain {tasks['plain_requests_per_event']}, engine {tasks['engine_requests_per_run']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
