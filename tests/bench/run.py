"""Every bench of this folder, one after the other, as one table of figures against their aims.

    python tests/bench/run.py [--quick] [--only NAME ...] [--json]

A bench that misses an aim is shown, not punished: on a busy machine the figures say more about the machine. Only a
bench that could not measure makes this command fail. Each one can be run alone; its docstring says what it measures.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PATIENCE_SECONDS = 1800.0
"""How long one bench may take; the longest takes some five minutes on two quiet cores."""

JUDGED_TASKS = 10_001
"""The size of job whose compile time has an aim: below it the process start counts, above it node's own scatter."""


@dataclass(frozen=True)
class Line:
    """One figure of the table. `met` is None where a figure has no aim of its own."""

    what: str
    figure: str
    aim: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Bench:
    """How a bench is started, and how its figures are read."""

    name: str
    about: str
    read: Callable[[str], list[Line]]
    full: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()


def last_json(text: str) -> dict[str, Any]:
    """The JSON object that a bench ends with, on one line or indented."""
    start = text.find("{") if text.lstrip().startswith("{") else text.rfind("\n{") + 1
    found = json.loads(text[start:])
    if not isinstance(found, dict):
        raise TypeError("a bench prints a JSON object")
    return found


def aims(met: Mapping[str, bool]) -> list[Line]:
    """Aims that the bench has judged itself."""
    return [Line(aim, "yes" if held else "no", "yes", held) for aim, held in met.items()]


def read_engine(text: str) -> list[Line]:
    """Ratios against a stock hub and a plain handler script."""
    found = last_json(text)
    append, blocked, tasks = found["append"], found["blocked"], found["tasks"]
    worst = blocked["added_ms"]["max"]
    return [
        Line("events kept / stock hub's loop", f"{append['ratio']:.2f} x", ">= 1 x", append["ratio"] >= 1),
        Line("a blocked handler adds to others", f"{worst:.1f} ms", "< 100 ms", worst < 100),
        Line("task creations / plain script", f"{tasks['ratio']:.2f} x", ">= 3.2 x", tasks["ratio"] >= 3.2),
        *aims(tasks["met"]),
    ]


def read_compile(text: str) -> list[Line]:
    """Milliseconds against node; without node there is nothing to compare with."""
    lines = []
    for row in text.splitlines():
        size = re.match(r"\s*([\d]+) tasks", row)
        ratio = re.search(r"ratio ([\d.]+)", row)
        if size and ratio:
            times = float(ratio[1])
            judged = int(size[1]) == JUDGED_TASKS
            aim, met = ("<= 1.2 x", times <= 1.2) if judged else ("", None)
            lines.append(Line(f"compile {int(size[1]):,} tasks / node", f"{times:.2f} x", aim, met))
            lines.append(Line("the same bytes as node", "yes" if "same bytes" in row else "no", "yes", "same" in row))
        elif size:
            own = re.search(r"([\d.]+) ms", row)
            lines.append(Line(f"compile {int(size[1]):,} tasks", f"{own[1] if own else '?'} ms (no node here)"))
    start = re.search(r"child start to ready: (\d+) ms", text)
    return [*lines, Line("compiler's start", f"{start[1]} ms")] if start else lines


def read_editor(text: str) -> list[Line]:
    """Stalls while somebody types, and the time to a preview."""
    found = last_json(text)
    typing, beside = found["typing"]["p999_ms"], found["bare"]["p999_ms"]
    lines = [
        Line("typing: event loop p99.9", f"{typing:.1f} ms", "< 16 ms", typing < 16),
        Line("a bare window beside it", f"{beside:.1f} ms"),
    ]
    limits = {"1000": 100.0, "10000": 500.0}
    for size, took in found["latency_ms"].items():
        limit = limits[size]
        lines.append(Line(f"preview of {int(size):,} tasks", f"{took:.0f} ms", f"< {limit:.0f} ms", took < limit))
    return lines


def read_panel(text: str) -> list[Line]:
    """The window under 2,000 events a second."""
    found = last_json(text)
    median, paint = found["median"], found["first_paint"]
    return [
        Line("storm: event loop p99.9", f"{median['panel']['p999']:.1f} ms"),
        Line("a bare window beside it", f"{median['bare']['p999']:.1f} ms"),
        Line("the program's start to its first paint", f"{paint['paint']['wall_ms']:.0f} ms"),
        Line("a bare window's", f"{paint['bare-paint']['wall_ms']:.0f} ms"),
        *aims(found["met"]),
    ]


def read_log(text: str) -> list[Line]:
    """The Log dock, beside cutelog where it could be installed."""
    found = last_json(text)
    ours = found["ours"]
    return [
        Line("log lines a second, live", f"{ours['live_got_per_s']:,.0f}"),
        Line("text filter over all lines", f"{ours['filter_ms']:.0f} ms"),
        Line("pattern over all lines", f"{ours['pattern_filter_ms']:.0f} ms"),
        Line("first hits", f"{ours['first_hit_ms']:.0f} ms"),
        Line("memory a line, searches included", f"{ours['bytes_a_line']} bytes"),
        *aims(found["met"]),
    ]


def read_sandbox(text: str) -> list[Line]:
    """The embedded site against a bare echo."""
    ratio = last_json(text)["ratio_to_echo"]
    return [
        Line("one-row query / bare echo", f"{ratio['query_ms']:.2f} x"),
        Line("batch of creates / bare echo", f"{ratio['creates_ms']:.2f} x"),
    ]


def read_jobs(text: str) -> list[Line]:
    """Tasks against bare subprocesses."""
    return [Line(name, shown(value)) for name, value in flat(last_json(text))]


def read_task_log(text: str) -> list[Line]:
    """The Jobs page beside a task that prints at full speed."""
    found = last_json(text)
    windows = [each["window"] for each in found["rounds"]]
    return [
        Line(f"a task's storm: event loop p99.9 of {found['ticks']} ticks", f"{found['window']['p999']:.1f} ms"),
        Line("a bare window beside it", f"{found['bare']['p999']:.1f} ms"),
        Line("the window's own work between ticks, p99.9", f"{max(each['processor_p999'] for each in windows):.1f} ms"),
        Line("memory grown", f"{max(each['memory_mb'] for each in windows):.0f} MB"),
        *aims(found["met"]),
    ]


def read_actions(text: str) -> list[Line]:
    """Batch Create against `Session.call` and against a script that commits once a shot; the menu."""
    found = last_json(text)
    ours, plain = found["ours"], found["commit_a_shot"]
    return [
        Line("batch create / a commit a shot: time", f"{ours['seconds'] / plain['seconds']:.3f} x"),
        *aims(found["met"]),
    ]


def read_upload(text: str) -> list[Line]:
    """Clips published against ffmpeg alone, and the dialog's event loop."""
    found = last_json(text)
    return [
        Line("a bare window's event loop p99.9", f"{found['bare_window']['p999_ms']:.1f} ms"),
        *aims(found["met"]),
    ]


def read_memory(text: str) -> list[Line]:
    """Memory of host and worker together."""
    found = last_json(text)
    return [
        *(
            Line(f"MB after {mark} events", f"{mb['rss']} resident, {mb['pss']} proportional")
            for mark, mb in found["memory_mb"].items()
        ),
        *aims(found["aims"]),
    ]


def flat(found: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """A nested object as dotted names and values."""
    rows: list[tuple[str, Any]] = []
    for name, value in found.items():
        path = f"{before}{name}"
        rows.extend(flat(value, f"{path}.") if isinstance(value, dict) else [(path, value)])
    return rows


def shown(value: Any) -> str:
    """A figure as text."""
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


BENCHES = (
    Bench(
        "engine",
        "events kept, a blocked handler, 200 new tasks",
        read_engine,
        ("--json",),
        ("--json", "--tasks", "40", "--events", "2000", "--blocked", "5"),
    ),
    Bench("memory", "serve with worker, 100,000 events", read_memory, ("--json",), ("--json", "--events", "5000")),
    Bench("compile", "job compiler against node", read_compile, (), ("--quick",)),
    Bench("jobs", "tasks of local jobs", read_jobs, (), ("--tasks", "200", "--lines", "100000")),
    Bench("sandbox", "the embedded site", read_sandbox, (), ("--queries", "300", "--creates", "2000", "--runs", "1")),
    Bench(
        "panel",
        "the window under a storm",
        read_panel,
        (),
        ("--seconds", "4", "--runs", "1", "--rows", "50000"),
    ),
    Bench("editor", "the workbench under a typist", read_editor, ("--json",), ("--json", "--edits", "120")),
    Bench("actions", "Batch Create and the menu", read_actions, ("--json",), ("--json", "--shots", "200")),
    Bench("upload", "clips published", read_upload, ("--json",), ("--json", "--clips", "3", "--seconds", "6")),
    Bench(
        "task_log",
        "a task that prints a million lines, followed",
        read_task_log,
        (),
        ("--lines", "100000", "--rounds", "1"),
    ),
    Bench("log", "the Log dock under a storm", read_log, (), ("--lines", "100000", "--no-peer")),
)


def busy() -> str:
    """What to know about this machine now; empty when it is quiet."""
    if not hasattr(os, "getloadavg"):
        return ""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load < 0.5 * cores:
        return ""
    return f"this machine is busy: load {load:.1f} on {cores} cores. Times are worth less than ratios now"


def measured(bench: Bench, quick: bool) -> tuple[list[Line], str]:
    """Run one bench: its lines, and why it could not measure ("" when it could)."""
    command = [sys.executable, str(HERE / f"bench_{bench.name}.py"), *(bench.quick if quick else bench.full)]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, cwd=HERE.parents[1], check=False
        )
    except subprocess.TimeoutExpired:
        return [], f"no figures after {PATIENCE_SECONDS:.0f} s"
    try:
        # 1 says "an aim was missed", with figures; without figures it is a crash.
        lines = bench.read(ended.stdout)
    except (ValueError, KeyError, TypeError) as problem:
        tail = ended.stderr.strip().splitlines()[-1:] or [f"unreadable figures: {problem}"]
        return [], f"ended with {ended.returncode}: {tail[0]}"
    if not lines:
        return [], f"ended with {ended.returncode} and no figures"
    return lines, ""


def table(rows: Sequence[tuple[str, Line]]) -> str:
    """Rows in columns; a missed aim is marked in the last one."""
    cells = [("bench", "what", "figure", "aim", "")]
    cells += [(name, line.what, line.figure, line.aim, verdict(line)) for name, line in rows]
    widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def verdict(line: Line) -> str:
    """How a figure stands to its aim."""
    return "" if line.met is None else "met" if line.met else "MISSED"


def main(words: Sequence[str] | None = None) -> int:
    """Run what was asked for; 1 when a bench could not measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="smaller rounds: whether they run, not what they are worth"
    )
    parser.add_argument("--only", action="append", choices=[bench.name for bench in BENCHES], help="may be repeated")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    given = parser.parse_args(words)
    chosen = [bench for bench in BENCHES if not given.only or bench.name in given.only]
    rows: list[tuple[str, Line]] = []
    crashed: dict[str, str] = {}
    warnings = {busy()} - {""}
    if shutil.which("node") is None and any(bench.name == "compile" for bench in chosen):
        warnings.add("node is not installed: the compiler has nothing to be compared with")
    for bench in chosen:
        began = time.monotonic()
        print(f"{bench.name}: {bench.about} ...", file=sys.stderr, flush=True)
        lines, problem = measured(bench, given.quick)
        rows += [(bench.name, line) for line in lines]
        if problem:
            crashed[bench.name] = problem
        print(f"{bench.name}: {problem or 'done'} in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    if given.json:
        lines_of = [{"bench": name, **vars(line)} for name, line in rows]
        print(json.dumps({"lines": lines_of, "crashed": crashed, "warnings": sorted(warnings)}))
    else:
        print(table(rows))
        for text in (*sorted(warnings), *(f"{name} could not measure: {why}" for name, why in crashed.items())):
            print(text)
    return 1 if crashed else 0


if __name__ == "__main__":
    raise SystemExit(main())
