"""What a local task costs: 2,000 echo tasks, 4 in parallel, beside bare `subprocess` runs of the same programs;
and one task that prints a million lines at full speed.

    python tests/bench/bench_jobs.py [--tasks 2000] [--lines 1000000]

Prints one line of JSON. Every line of every log is checked: once, in order, whole.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "support"), str(Path(__file__).parents[2])]

from job_room import Jobs  # noqa: E402 - found through the paths above
from memory import Memory  # noqa: E402

PARALLEL = 4


def script(tasks: int, program: str) -> str:
    """A job type with independent tasks that each run one echo."""
    return (
        "const JOB_TYPE = { label: 'Bench', settings: [] };\n"
        "function compileJob(job) {\n"
        f"  for (let n = 0; n < {tasks}; n++) {{\n"
        "    const task = author.Task(`echo ${n}`, 'misc');\n"
        f"    task.addCommand({program});\n"
        "    job.addTask(task);\n  }\n}\n"
    )


def plain(tasks: int, folder: Path) -> float:
    """The same commands with nothing around them, output to files; seconds."""

    def one(number: int) -> None:
        with (folder / f"{number}.log").open("wb") as log:
            subprocess.run(["/bin/echo", f"line of {number}"], stdout=log, stderr=log, check=True)

    started = time.perf_counter()
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(one, range(tasks)))
    return time.perf_counter() - started


def job_seconds(room: Jobs, source: str, seconds: float = 600) -> tuple[int, float]:
    """Run a job; its id, and seconds from its first task's start to its end."""
    job = room.submit(source, paused=True)
    room.order("job_resume", job=job)
    room.wait(lambda: room.journal.job(job).status == "completed", seconds)
    row = room.journal.job(job)
    assert row.started is not None
    assert row.finished is not None
    return job, row.finished - row.started


def check_logs(room: Jobs, job: int, tasks: int) -> None:
    """Every line of every log exactly once."""
    for number in range(tasks):
        lines = [line.split(" > ", 1)[1] for line in room.log(job, number + 1).splitlines() if line.startswith("pid=")]
        assert lines == [f"line of {number}"], (number, lines)


def measure(tasks: int, lines: int) -> dict[str, Any]:
    """All figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "plain").mkdir()
        bare = plain(tasks, folder / "plain")
        room = Jobs(folder, local_workers=PARALLEL, task_log_limit=1024.0)
        try:
            exec_one = "author.Command('exec', {exe: '/bin/echo', args: [`line of ${n}`]})"
            job, with_programs = job_seconds(room, script(tasks, exec_one))
            check_logs(room, job, tasks)
            _, own = job_seconds(room, script(tasks, "author.Command('echo', {message: `line of ${n}`})"))
            flood = (
                "const JOB_TYPE = { label: 'Flood', settings: [] };\nfunction compileJob(job) {\n"
                "  const task = author.Task('flood', 'misc');\n"
                f"  task.addCommand(author.Command('exec', {{exe: '/usr/bin/seq', args: ['1', '{lines}']}}));\n"
                "  job.addTask(task);\n}\n"
            )
            with Memory() as memory:
                job, seconds = job_seconds(room, flood)
            written = [line.split(" > ", 1)[1] for line in room.log(job).splitlines() if line.startswith("pid=")]
            assert written == [str(n + 1) for n in range(lines)], "a line is missing, or there twice"
        finally:
            room.close()
    return {
        "bench": "jobs",
        "tasks": tasks,
        "parallel": PARALLEL,
        "plain_subprocess_ms_per_task": round(bare / tasks * 1000, 2),
        "exec_task_ms_per_task": round(with_programs / tasks * 1000, 2),
        "overhead_ms_per_task": round((with_programs - bare) / tasks * 1000, 2),
        "echo_task_ms_per_task": round(own / tasks * 1000, 2),
        "flood_lines": lines,
        "flood_seconds": round(seconds, 2),
        "flood_lines_per_second": round(lines / seconds),
        "flood_memory_growth_mb": round(memory.most, 1),
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--lines", type=int, default=1_000_000)
    given = parser.parse_args()
    sys.stdout.write(json.dumps(measure(given.tasks, given.lines)) + "\n")


if __name__ == "__main__":
    main()
