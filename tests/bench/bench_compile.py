"""Compile 1,001 / 10,001 / 100,001 tasks in the V8 child against node running the same prelude and script.

Both evaluate and serialise only, and must give the same bytes. Run: ``python tests/bench/bench_compile.py [--quick]``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from app.jobs import requests  # noqa: E402
from app.jobs.child import World  # noqa: E402
from app.jobs.compiler import CompilerPool  # noqa: E402
from app.jobs.model import CompileRequest, Limits  # noqa: E402

SCRIPT = """\
const JOB_TYPE = {label: "Bench", settings: [{key: "frames", type: "string"}, {key: "chunk_size", type: "int32"}]};
function compileJob(job) {
  const settings = job.settings;
  const renders = [];
  for (const chunk of frameChunker(settings.frames, settings.chunk_size)) {
    const task = author.Task(`render-${chunk}`, "blender");
    const args = ["--render-output", path.join("/render", "######"), "--render-frame", chunk.replaceAll("-", "..")];
    task.addCommand(author.Command("blender-render", {exe: "{blender}", exeArgs: "{blenderArgs}", argsBefore: [],
      blendfile: "/p/scene.blend", args}, frameCount(chunk)));
    renders.push(task);
  }
  const video = author.Task("preview", "ffmpeg");
  video.addCommand(author.Command("frames-to-video", {exe: "ffmpeg", fps: 24, inputGlob: "/render/*.png",
    outputFile: "/render/preview.mp4", args: ["-y"]}));
  for (const task of renders) {
    video.addDependency(task);
    job.addTask(task);
  }
  job.addTask(video);
}
"""

NODE = """
const fs = require("fs"), vm = require("vm"), crypto = require("crypto");
const input = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const times = [];
let digest = "";
for (let round = 0; round < input.rounds; round += 1) {
  const context = vm.createContext({performance: {now: () => 0}});
  const control = vm.runInContext("(" + input.prelude + "\\n)", context)(vm.runInContext("globalThis", context));
  context.control = undefined;
  const started = process.hrtime.bigint();
  control.begin(input.request);
  vm.runInContext('"use strict";\\n' + input.script, context);
  control.jobType(vm.runInContext("JOB_TYPE", context), true);
  control.compile(vm.runInContext("compileJob", context));
  JSON.parse(control.finish());
  const pages = [];
  for (let start = 0; start < input.tasks; start += 500) pages.push(control.page(start, start + 500));
  times.push(Number(process.hrtime.bigint() - started) / 1e6);
  const hash = crypto.createHash("sha256");
  for (const page of pages) hash.update(page);
  digest = hash.digest("hex");
}
console.log(JSON.stringify({v8: process.versions.v8, node: process.version, times, digest}));
"""


def prepared(tasks: int) -> dict[str, Any]:
    """The request as the child gets it, for a job of that many tasks."""
    job = {"name": "bench", "type": "bench", "submitter_platform": "linux"}
    settings = {"frames": f"1-{(tasks - 1) * 2}", "chunk_size": 2}
    request = CompileRequest(
        scripts={"bench.js": SCRIPT}, job={**job, "settings": settings}, created="2026-01-01T00:00:00",
        limits=Limits(seconds=120),
    )  # fmt: skip
    message = requests.prepare(request)
    message["quirks"] = requests.quirks([SCRIPT])
    return message


def ours(message: dict[str, Any], tasks: int, rounds: int) -> tuple[list[float], str, str]:
    """Milliseconds of each round, digest of the pages, V8's version."""
    prelude = (ROOT / "resources" / "job_compiler" / "prelude.js").read_text("utf-8")
    text = json.dumps(json.dumps(message))
    times, digest, version = [], "", ""
    for _round in range(rounds):
        world = World(prelude)
        version = world.racer.v8_version
        started = time.perf_counter()
        world.call("begin", text, seconds=60)
        world.racer.eval(f'"use strict";\n{SCRIPT}\n;0', timeout_sec=60)
        world.racer.eval(f"{world.name}.jobType(JOB_TYPE,true)", timeout_sec=60)
        world.racer.eval(f"{world.name}.compile(compileJob)", timeout_sec=60)
        world.call("finish", seconds=60)
        pages = [world.text("page", str(at), str(at + 500), seconds=60) for at in range(0, tasks, 500)]
        times.append((time.perf_counter() - started) * 1000)
        digest = hashlib.sha256("".join(pages).encode()).hexdigest()
        world.close()
    return times, digest, version


def nodes(message: dict[str, Any], tasks: int, rounds: int) -> dict[str, Any]:
    """The same in node."""
    prelude = (ROOT / "resources" / "job_compiler" / "prelude.js").read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "input.json"
        given.write_text(
            json.dumps(
                {"prelude": prelude, "script": SCRIPT, "request": json.dumps(message), "tasks": tasks, "rounds": rounds}
            )
        )
        program = Path(folder) / "bench.js"
        program.write_text(NODE)
        done = subprocess.run(["node", str(program), str(given)], capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def child_start(rounds: int) -> list[float]:
    """Milliseconds from nothing to a child that is ready for a request."""
    times = []
    for _round in range(rounds):
        started = time.perf_counter()
        with CompilerPool() as pool:
            pool.wait_warm()
            times.append((time.perf_counter() - started) * 1000)
    return times


def end_to_end(tasks: int, rounds: int) -> list[float]:
    """Milliseconds from submit to the answer with its first page, through the child, lint included."""
    times = []
    job = {"name": "b", "type": "bench", "submitter_platform": "linux"}
    settings = {"frames": f"1-{(tasks - 1) * 2}", "chunk_size": 2}
    with CompilerPool() as pool:
        pool.wait_warm()
        for _round in range(rounds):
            pool.wait_warm()
            started = time.perf_counter()
            result = pool.compile(CompileRequest(scripts={"bench.js": SCRIPT}, job={**job, "settings": settings}))
            pool.pages(result.result_id, 0, 100)
            times.append((time.perf_counter() - started) * 1000)
            if not result.ok:
                raise SystemExit(f"the bench script does not compile: {result.error}")
    return times


def main() -> None:
    """Print a table; exit 1 when the bytes differ."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="fewer rounds, without 100,001 tasks")
    options = parser.parse_args()
    rounds = 3 if options.quick else 7
    sizes = [1_001, 10_001] if options.quick else [1_001, 10_001, 100_001]
    has_node = shutil.which("node") is not None
    same = True
    for tasks in sizes:
        message = prepared(tasks)
        few = rounds if tasks < 100_000 else 3
        times, digest, version = ours(message, tasks, few)
        line = f"{tasks:>7} tasks  V8 {version}: {statistics.median(times):8.1f} ms (best {min(times):.1f})"
        if has_node:
            theirs = nodes(message, tasks, few)
            best, median = min(theirs["times"]), statistics.median(theirs["times"])
            same = same and theirs["digest"] == digest
            line += f"   node {theirs['node']} V8 {theirs['v8']}: {median:8.1f} ms (best {best:.1f})"
            # Of the best rounds: a busy machine delays one side and not the other.
            line += f"   ratio {min(times) / best:.2f}"
            line += "   same bytes" if theirs["digest"] == digest else "   BYTES DIFFER"
        print(line, flush=True)
        through = end_to_end(tasks, few)
        print(
            f"{'':>7}        through the child, with lint and a page: {statistics.median(through):8.1f} ms", flush=True
        )
    print(f"child start to ready: {statistics.median(child_start(3)):.0f} ms")
    raise SystemExit(0 if same else 1)


if __name__ == "__main__":
    main()
