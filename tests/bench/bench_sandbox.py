"""The embedded site against a bare aiohttp + SQLite echo: a one-row query and a batch of 10,000 creates.

    python tests/bench/bench_sandbox.py [--queries 1500] [--creates 10000] [--runs 3]

Both are processes of their own and are asked in turn over one kept-alive connection each; ratios are of medians.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "5671dcb0-66de-11e1-8e6e-f23c91df25eb"
ONE_ROW = 'select id, username from User where username is "jenkins"'


class Asked:
    """One site over one connection."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.headers = {"content-type": "application/json", **headers}

    def seconds(self, operations: list[dict[str, Any]]) -> float:
        """How long a batch takes, from its first byte to the decoded answer."""
        began = time.perf_counter()
        self.connection.request("POST", "/api", json.dumps(operations), self.headers)
        answer = json.loads(self.connection.getresponse().read())
        took = time.perf_counter() - began
        assert isinstance(answer, list), answer
        assert len(answer) == len(operations)
        assert all(result["data"] for result in answer)
        return took

    def figures(self, queries: int, creates: int) -> dict[str, float]:
        """Median of one-row queries and the time of one batch of creates, in milliseconds."""
        asked = [self.seconds([{"action": "query", "expression": ONE_ROW}]) for _ in range(queries)]
        return {"query_ms": statistics.median(asked) * 1e3, "creates_ms": self.seconds(tasks(creates)) * 1e3}


def tasks(count: int) -> list[dict[str, Any]]:
    """Creates as a client sends them."""
    keys = [str(uuid.uuid4()) for _ in range(count)]
    return [
        {
            "action": "create",
            "entity_type": "Task",
            "entity_key": [key],
            "entity_data": {"__entity_type__": "Task", "id": key, "name": f"t{number}", "parent_id": PROJECT},
        }
        for number, key in enumerate(keys)
    ]


def start_site(folder: Path) -> tuple[subprocess.Popen[str], Asked]:
    """The embedded site with ftrack's suite's seed."""
    command = [sys.executable, "-m", "app.sandbox.run", "--json", "--profile", "ftrack-suite", "--dir", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    facts = json.loads(process.stdout.readline())
    headers = {"ftrack-user": facts["api_user"], "ftrack-api-key": facts["api_key"]}
    return process, Asked(int(facts["url"].rpartition(":")[2]), headers)


def start_echo(folder: Path) -> tuple[subprocess.Popen[str], Asked]:
    """The baseline."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = Path(__file__).parent / "baseline" / "echo_site.py"
    process = subprocess.Popen([sys.executable, str(script), str(folder / "echo.db"), str(port)], text=True)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return process, Asked(port, {})
    raise RuntimeError("the baseline did not start")


def main() -> int:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--queries", type=int, default=1_500)
    parser.add_argument("--creates", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        site_process, site = start_site(Path(name) / "site")
        echo_process, echo = start_echo(Path(name))
        try:
            runs = [
                {who: asked.figures(given.queries, given.creates) for who, asked in (("echo", echo), ("site", site))}
                for _ in range(given.runs)
            ]
        finally:
            for process in (site_process, echo_process):
                process.terminate()
                process.wait(20)
    medians = {
        who: {key: round(statistics.median(run[who][key] for run in runs), 3) for key in ("query_ms", "creates_ms")}
        for who in ("echo", "site")
    }
    ratios = {key: round(medians["site"][key] / medians["echo"][key], 2) for key in ("query_ms", "creates_ms")}
    print(json.dumps({"bench": "sandbox", **medians, "ratio_to_echo": ratios}, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
