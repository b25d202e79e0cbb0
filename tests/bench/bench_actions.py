"""Batch Create of 1,000 shots with 5 tasks each on a site that answers in 20 ms; the menu with 1,000 selected.

    python tests/bench/bench_actions.py [--shots 1000] [--tasks 5] [--latency 0.02] [--selected 1000] [--json]

Beside it, in the same process and on the same site: the very same operations through `Session.call` (what the work
costs at least), and the plain script that commits once a shot.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for each in (ROOT, ROOT / "tests" / "support"):
    sys.path.insert(0, str(each))

import ftrack_api  # noqa: E402
from engine_room import Room  # noqa: E402
from sandbox_process import SandboxProcess  # noqa: E402

from app.actions import all_actions  # noqa: E402
from app.actions.batch_create import BatchCreate, rows_to_json  # noqa: E402
from app.actions.registry import ActionRegistry  # noqa: E402
from app.rules.batch import ShotRow, TaskTemplate  # noqa: E402
from app.site.cache import LookUps  # noqa: E402
from app.site.door import Site  # noqa: E402
from app.site.session import Credentials  # noqa: E402

KINDS = ("Animation", "Lighting", "Compositing", "Layout", "Previz", "Modeling", "Rotoscoping")
BASELINE_SHOTS = 100


def until(true: Callable[[], bool], seconds: float) -> None:
    """Wait, looking twenty times a second."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not true():
        assert time.monotonic() < deadline, f"still waiting after {seconds:g} s"
        pause.wait(0.05)


class Bench:
    """One site, and three ways to make shots on it."""

    def __init__(self, site: SandboxProcess, folder: Path, tasks: int) -> None:
        self.site, self.folder, self.tasks = site, folder, tasks
        self.look_ups = LookUps()
        self.cache = folder / "cache"
        rows = site.api({"action": "query", "expression": 'select id from Project where name is "nightjar"'})
        self.project = str(rows[0]["data"][0]["id"])
        offered = site.api({"action": "query", "expression": "select id, name from Type"})[0]["data"]
        known = {str(row["name"]): str(row["id"]) for row in offered}
        self.kinds = [(name, known[name]) for name in KINDS if name in known][:tasks]
        assert len(self.kinds) == tasks, f"the site has only {len(self.kinds)} of the task types"

    def door(self) -> Site:
        return Site(Credentials(self.site.url, self.site.user, self.site.key), self.look_ups, cache=self.cache)

    def counted(self, work: Callable[[], object]) -> dict[str, float]:
        """Seconds, CPU seconds of this process, and requests."""
        before = self.requests()
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        used = {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        return {**used, "requests": float(self.requests() - before)}

    def requests(self) -> int:
        """How many the site has answered."""
        return int(self.site.counters()["site"].get("requests", 0))

    def still(self) -> bool:
        """Whether nobody asks the site for anything: the threads' sessions are open."""
        before = self.requests()
        threading.Event().wait(0.3)
        return self.requests() == before

    def engine(self, shots: int) -> tuple[dict[str, float], list[dict[str, Any]]]:
        """Through the engine: a run of Batch Create. Also the operations it sent."""
        room = Room(self.folder, site=self.door)
        room.models["actions.batch_create"] = BatchCreate.settings_model
        settings = BatchCreate.settings_model(folders=False)
        plain = room.settings

        def with_actions(section: str, project: str | None = None) -> Any:
            return settings if section == "actions.batch_create" else plain(section, project)

        room.doors.settings = with_actions
        templates = tuple(TaskTemplate(name, 8.0) for name, _ in self.kinds)
        rows = [ShotRow("E01", f"E01_{number:05d}", tasks=templates) for number in range(shots)]
        args = {"action": "batch_create", "selection": [["Project", self.project]], "username": self.site.user,
                "values": {"rows": rows_to_json(rows)}, "user_id": None, "dry": False}  # fmt: skip
        room.start(actions=[BatchCreate()])
        # Look-ups are cached on a server: they are no part of a batch.
        warm = self.door()
        warm.warm()
        warm.workflow(self._schema())
        warm.close()
        until(self.still, 60)

        def work() -> None:
            number = room.journal.order("launch", args, "bench")
            assert room.engine is not None
            room.engine.poke()
            until(lambda: room.journal.order_row(number).state != "open", 60)
            answer = room.journal.order_row(number).result
            assert "run" in answer, answer
            until(lambda: room.journal.run_row(answer["run"]).finished is not None, 600)

        figures = self.counted(work)
        run = room.journal.runs(handler="batch_create")[0]
        assert run.state == "done", run.reason
        operations = [self._operation(row.data) for row in room.journal.effects_of(run.id, whole=True)]
        room.close()
        return figures, operations

    def _schema(self) -> str:
        query = f'select project_schema_id from Project where id is "{self.project}"'
        return str(self.site.api({"action": "query", "expression": query})[0]["data"][0]["project_schema_id"])

    @staticmethod
    def _operation(data: Mapping[str, Any]) -> dict[str, Any]:
        kind, key = data["entity_type"], data["id"]
        values = {"__entity_type__": kind, "id": key, **data["values"]}
        return {"action": "create", "entity_type": kind, "entity_key": [key], "entity_data": values}

    def raw(self, operations: list[dict[str, Any]], chunk: int = 500) -> dict[str, float]:
        """The same operations under other ids, through the stock session's `call`."""
        renamed = json.loads(json.dumps(operations).replace("E01", "R01"))
        fresh: dict[str, str] = {}
        for one in renamed:
            old = one["entity_key"][0]
            fresh[old] = f"{'f' if old[0] != 'f' else 'e'}{old[1:]}"
        for one in renamed:
            data = one["entity_data"]
            data["id"] = one["entity_key"][0] = fresh[data["id"]]
            data["parent_id"] = fresh.get(data["parent_id"], data["parent_id"])
        session = self.session()
        try:
            return self.counted(
                lambda: [session.call(renamed[at : at + chunk]) for at in range(0, len(renamed), chunk)]
            )
        finally:
            session.close()

    def session(self) -> ftrack_api.Session:
        self.cache.mkdir(parents=True, exist_ok=True)
        return ftrack_api.Session(
            server_url=self.site.url, api_key=self.site.key, api_user=self.site.user,
            schema_cache_path=str(self.cache), auto_connect_event_hub=False,
        )  # fmt: skip

    def plain(self, shots: int) -> dict[str, float]:
        """The script everybody writes: entities, and a commit after each shot."""
        session = self.session()
        project = session.get("Project", self.project)
        sequence = session.create("Sequence", {"name": "P01", "parent": project})
        session.commit()
        kinds = [session.get("Type", key) for _, key in self.kinds]

        def work() -> None:
            for number in range(shots):
                shot = session.create("Shot", {"name": f"P01_{number:05d}", "parent": sequence})
                for kind in kinds:
                    session.create(
                        "Task", {"name": kind["name"].lower(), "parent": shot, "type": kind, "bid": 8 * 3600}
                    )
                session.commit()

        try:
            return self.counted(work)
        finally:
            session.close()

    def discover(self, selected: int, times: int = 60) -> dict[str, float]:
        """The menu on so many entities, as the responder answers it."""
        rows = self.site.api({"action": "query", "expression": f"select id from TypedContext limit {selected}"})
        ids = [str(row["id"]) for row in rows[0]["data"]]
        assert len(ids) == selected, f"the site has only {len(ids)} entities"
        actions = all_actions()
        room = Room(self.folder)
        models = {f"actions.{action.id}": action.settings_model() for action in actions}
        registry = ActionRegistry(actions, room.journal, lambda section, project=None: models[section],
                                  lambda action: room.journal.lever(action)[0])  # fmt: skip
        event = {
            "data": {"selection": [{"entityType": "task", "entityId": key} for key in ids]},
            "source": {"user": {"id": "u", "username": "u"}},
        }
        door = self.door()
        took = []
        for _ in range(times):
            began = time.perf_counter()
            registry.discover(event, door)
            took.append((time.perf_counter() - began) * 1000)
        door.close()
        room.close()
        took.sort()
        return {"first_ms": took[-1], "p50_ms": statistics.median(took), "p95_ms": took[int(len(took) * 0.95) - 1]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shots", type=int, default=1000)
    parser.add_argument("--tasks", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--selected", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with SandboxProcess(folder / "site", "studio", "--latency", str(given.latency)) as site:
            bench = Bench(site, folder, given.tasks)
            ours, operations = bench.engine(given.shots)
            raw = bench.raw(operations)
            plain = bench.plain(min(given.shots, BASELINE_SHOTS))
            menu = bench.discover(given.selected)
    entities = len(operations)
    allowed = entities / 500 + 5
    share = given.shots / min(given.shots, BASELINE_SHOTS)
    found = {
        "entities": entities,
        "ours": ours,
        "session_call": raw,
        "commit_a_shot": {name: value * share for name, value in plain.items()},
        "discover": menu,
        "cpu_ratio": ours["cpu"] / raw["cpu"],
        "met": {
            f"requests <= entities / 500 + 5 ({ours['requests']:.0f} of {allowed:.1f})": ours["requests"] <= allowed,
            f"CPU <= 1.5 x session.call ({ours['cpu'] / raw['cpu']:.2f})": ours["cpu"] <= 1.5 * raw["cpu"],
            f"discover p95 < 50 ms ({menu['p95_ms']:.1f} ms)": menu["p95_ms"] < 50,
        },
    }
    print(json.dumps(found, indent=None if given.json else 1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
