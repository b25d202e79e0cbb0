"""The expendable process that runs scripts in V8: ``python -m app.jobs.child``.

It speaks length-prefixed frames over its standard streams (see app.jobs.frames) and holds one prepared V8 context so
that a compilation starts at once. Nothing a script does can reach further than this process: memory is limited by
RLIMIT_DATA, time by the parent's kill and an own watchdog, results are JSON texts only.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from py_mini_racer import JSEvalException, JSOOMException, JSParseException, JSTimeoutException, MiniRacer

from app.jobs import frames, outcomes, requests

DATA_LIMIT = 2 * 1024**3
RESOURCES = Path(__file__).resolve().parents[2] / "resources" / "job_compiler"
_TRACED_TASKS = 5000


class World:
    """One V8 context with the Manager's globals in it, for one compilation."""

    def __init__(self, prelude: str) -> None:
        self.racer = MiniRacer()
        self.name = "sb_" + secrets.token_hex(8)
        self.racer.eval(
            f"Object.defineProperty(globalThis,{self.name!r},{{value:(\n{prelude}\n)(globalThis)}});0\n"
            "//# sourceURL=signalbox-prelude.js",
            timeout_sec=10,
        )

    def call(self, method: str, *arguments: str, seconds: float) -> Any:
        """Call a method of the control object; arguments are JavaScript source."""
        answer = self.racer.eval(f"{self.name}.{method}({','.join(arguments)})", timeout_sec=max(0.05, seconds))
        return json.loads(answer) if isinstance(answer, str) else None

    def text(self, method: str, *arguments: str, seconds: float) -> str:
        """Like call, without decoding."""
        answer = self.racer.eval(f"{self.name}.{method}({','.join(arguments)})", timeout_sec=max(0.05, seconds))
        return answer if isinstance(answer, str) else ""

    def close(self) -> None:
        """Give the memory back."""
        self.racer.close()


class Tools:
    """A context of its own for the parser, the lint and the formatter; no script ever runs in it."""

    def __init__(self) -> None:
        self.racer = MiniRacer()
        self._formatter = False
        for name in ("vendor/acorn.js", "lint.js"):
            self.racer.eval((RESOURCES / name).read_text("utf-8") + "\n;0", timeout_sec=20)
        self._known: dict[str, Any] = {}

    def analyse(self, source: str, options: dict[str, Any]) -> dict[str, Any]:
        """Syntax problem of the Manager's engine and findings that need no run; cached by text."""
        given = json.dumps(options, sort_keys=True)
        key = hashlib.sha1((source + "\0" + given).encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
        if key not in self._known:
            if len(self._known) > 64:
                self._known.clear()
            answer = self.racer.eval(f"signalboxLint.analyse({json.dumps(source)},{given})", timeout_sec=20)
            self._known[key] = json.loads(answer) if isinstance(answer, str) else {}
        found: dict[str, Any] = self._known[key]
        return found

    def format(self, source: str) -> dict[str, Any]:
        """``{"text"}`` or ``{"error", "line", "column"}``."""
        if not self._formatter:
            for name in ("prettier-standalone.js", "prettier-estree.js", "prettier-acorn.js"):
                self.racer.eval((RESOURCES / "vendor" / name).read_text("utf-8") + "\n;0", timeout_sec=20)
            self._formatter = True
        self.racer.eval(
            "globalThis.formatted = null; prettier.format("
            + json.dumps(source)
            + ", {parser: 'acorn', plugins: Object.values(prettierPlugins), printWidth: 100})"
            ".then(text => { formatted = {text}; }, e => { formatted = {error: String(e.message || e).split('\\n')[0],"
            " line: e.loc ? e.loc.start.line : 0, column: e.loc ? e.loc.start.column : 0}; });0",
            timeout_sec=20,
        )
        end = time.monotonic() + 20
        while time.monotonic() < end:
            answer = self.racer.eval("JSON.stringify(formatted)", timeout_sec=20)
            if isinstance(answer, str) and answer != "null":
                done: dict[str, Any] = json.loads(answer)
                return done
        return {"error": "the formatter did not finish", "line": 0, "column": 0}

    def close(self) -> None:
        """Give the memory back."""
        self.racer.close()


class Engine:
    """Answers requests one after the other; keeps one world ahead."""

    def __init__(self, send: Callable[[bytes, bytes], None], like: Engine | None = None) -> None:
        self.send = send
        self.prelude: str = like.prelude if like else (RESOURCES / "prelude.js").read_text("utf-8")
        self.world: World | None = None
        self.tools: Tools | None = like.tools if like else None
        self.v8 = ""

    def warm(self) -> None:
        """Have the next world and the tools ready."""
        if self.tools is None:
            self.tools = Tools()
            self.tools.analyse("const JOB_TYPE = {label: 'x', settings: []}; function compileJob(job) {}", {})
        if self.world is None:
            self.world = World(self.prelude)
            self.v8 = self.world.racer.v8_version

    def handle(self, request: dict[str, Any]) -> None:
        """Answer one request with a header, pages and an end frame."""
        op = request.get("op")
        self.warm()
        assert self.tools is not None
        if op == "lint":
            self.finish(self.tools.analyse(request["text"], request["options"]))
        elif op == "format":
            self.finish(self.tools.format(request["text"]))
        elif op == "expression":
            self.finish(self._in_world(lambda world: self._expression(world, request)))
        elif op == "compile":
            self.finish(self._in_world(lambda world: Run(self, world, request).answer()))
        else:
            self.finish({"error": f"unknown operation {op!r}"})

    def finish(self, header: dict[str, Any]) -> None:
        """Send the header and the end of an answer."""
        header["rss_mb"] = resident_mb()
        header["v8"] = self.v8
        self.send(frames.HEADER, json.dumps(header).encode())
        self.send(frames.END, b"")

    def _in_world(self, work: Callable[[World], dict[str, Any]]) -> dict[str, Any]:
        world, self.world = self.world, None
        assert world is not None
        over = threading.Event()
        threading.Thread(target=end_with_parent, args=(over, os.getppid()), daemon=True).start()
        try:
            return work(world)
        finally:
            over.set()
            world.close()

    def _expression(self, world: World, request: dict[str, Any]) -> dict[str, Any]:
        """Value of a scratch expression as the Manager would export it."""
        seconds = request["limits"]["seconds"]
        request["quirks"] = requests.quirks([request["source"]])
        world.call("begin", json.dumps(json.dumps(request)), seconds=seconds)
        assert self.tools is not None
        problem = self.tools.analyse(request["source"], {"script": True}).get("syntax")
        if problem:
            return {"error": {"message": problem["message"], "kind": "syntax"}}
        try:
            answer = world.call("expression", json.dumps(request["source"]), seconds=seconds)
        except (JSTimeoutException, JSOOMException) as error:
            return {"error": {"message": str(error), "kind": "hang"}}
        except JSEvalException as error:
            state = world.call("state", seconds=5)
            if state["panic"]:
                return {"go_panic": state["panic"]}
            message, *_rest = outcomes.parse_exception(str(error))
            return {"error": {"message": outcomes.go_wording(message), "kind": "exception"}}
        if "error" in answer:
            return {"unserialisable": answer["error"]}
        return {"result": json.loads(answer["value"])}


class Run:
    """One compilation, stage by stage, as the Manager goes about it."""

    def __init__(self, engine: Engine, world: World, request: dict[str, Any]) -> None:
        self.engine = engine
        self.world = world
        self.request = request
        self.script: str = request["script"]
        self.source: str = request["files"].get(self.script, "")
        self.end: float = time.monotonic() + request["limits"]["seconds"]
        self.heap = request["limits"]["heap_mb"] * 1024 * 1024
        self.header: dict[str, Any] = {"outcome": "ok", "prints": [], "findings": [], "events": [], "modules": []}

    def left(self) -> float:
        """Seconds left of the wall clock."""
        return max(0.05, self.end - time.monotonic())

    def answer(self) -> dict[str, Any]:
        """The header; pages are sent on the way."""
        self.header["analysis"] = self.analysis()
        problem = self.header["analysis"].get("syntax") if self.script else None
        if not self.script:
            return self.unknown_type()
        if problem:
            return self.syntax_error(problem)
        try:
            self.stages()
        except JSTimeoutException:
            self.header |= outcomes.hang("the script was still running after its time was up", "hang")
        except JSOOMException:
            self.header |= outcomes.hang("the script needs more and more memory", "memory")
        except JSEvalException as error:
            # The script spoiled what the collection of results stands on (poisoned built-ins, endless depth).
            self.unreadable(str(error).split("\n", 1)[0])
        if self.request.get("lint"):
            self.trace()
        return self.header

    def unreadable(self, reason: str) -> None:
        """The job ran but its result cannot be shown."""
        message = "the job was compiled but the preview cannot read it: " + reason
        self.header |= {
            "outcome": "error",
            "error": {"message": message, "kind": "preview-limit", "hint": "The Manager has no such limit."},
        }
        self.header.pop("http", None)

    def trace(self) -> None:
        """Run once more, noting where tasks were made, when a finding of the first run has no place."""
        wanted = any("stack" not in finding for finding in self.header["findings"])
        count = max((self.header.get("summary") or {}).get("tasks", 0), self.header.get("made", 0))
        if not wanted or self.request.get("trace") or count > _TRACED_TASKS or self.left() < 0.5:
            return
        traced = World(self.engine.prelude)
        request = {**self.request, "trace": True}
        try:
            again = Run(Engine(lambda _kind, _payload: None, self.engine), traced, request)
            again.end = self.end
            again.stages()
            self.header["places"] = again.header.get("places")
        except (JSTimeoutException, JSOOMException, JSEvalException):
            return
        finally:
            traced.close()

    def analysis(self) -> dict[str, Any]:
        """What the parser says about the script (always: V8 takes more than the Manager's engine)."""
        assert self.engine.tools is not None
        options = {"version": self.request["version"], "types": self.request["types"]}
        try:
            return dict(self.engine.tools.analyse(self.source, options)) if self.script else {}
        except (JSTimeoutException, JSOOMException, JSEvalException) as error:
            self.engine.tools = None
            return {"failed": str(error)}

    def unknown_type(self) -> dict[str, Any]:
        """No script provides the job type."""
        name = self.request["job_type"]
        ignored = "; ".join(f"{file}: {why}" for file, why in self.request["ignored"].items())
        hint = f"None of the scripts makes the job type {name!r}. {ignored}".strip()
        self.header |= {
            "outcome": "error",
            "error": {"message": outcomes.UNKNOWN_TYPE, "kind": "unknown_type", "hint": hint},
            "http": {"status": 400, "message": outcomes.UNKNOWN_TYPE},
        }
        return self.header

    def syntax_error(self, problem: dict[str, Any]) -> dict[str, Any]:
        """The Manager logs a syntax error and behaves as if the file were not there."""
        hint = "The Manager only logs this; to the artist the job type is unknown."
        self.header |= {
            "outcome": "error",
            "error": {
                "message": problem["message"],
                "kind": "syntax",
                "file": self.script,
                "line": problem["line"],
                "column": problem["column"],
                "hint": problem.get("hint") or hint,
            },
            "http": {"status": 400, "message": outcomes.UNKNOWN_TYPE},
        }
        self.header["job_type_error"] = dict(self.header["error"])
        return self.header

    def stages(self) -> None:
        """Run the script, read JOB_TYPE, compile the job, collect."""
        request = self.request
        sources = [source for name, source in request["files"].items() if name == self.script or "/" in name]
        request["quirks"] = requests.quirks(sources)
        configuration = {key: value for key, value in request.items() if key not in {"types", "shadowed", "ignored"}}
        self.world.racer.set_hard_memory_limit(self.heap)
        self.world.call("begin", json.dumps(json.dumps(configuration)), seconds=self.left())
        if self.run_script() and self.read_job_type() and self.etag_matches():
            self.compile_job()
        self.collect_prints()

    def run_script(self) -> bool:
        """Evaluate the top level. A line in front keeps it strict; places are shifted back."""
        source = "//" + self.source[2:] if self.source.startswith("#!") else self.source
        try:
            self.world.racer.eval(f'"use strict";\n{source}\n;0\n//# sourceURL=sb0.js', timeout_sec=self.left())
        except JSParseException as error:
            message, place, _stack, _raw = outcomes.parse_exception(str(error))
            line, column = (place.line, place.column) if place else (0, 0)
            self.syntax_error({"message": message, "line": line, "column": column})
            return False
        except (JSTimeoutException, JSOOMException):
            raise
        except JSEvalException as error:
            self.failed(str(error), "")
            if "error" in self.header:
                self.header["job_type_error"] = dict(self.header["error"])
            return False
        return True

    def failed(self, text: str, function: str) -> None:
        """Turn an uncaught exception into the Manager's outcome."""
        state = self.world.call("state", seconds=5)
        self.header["prints"] = state["prints"]
        self.header["milliseconds"] = state["milliseconds"]
        self.header["events"] = state["events"]
        self.header["modules"] = state["modules"]
        found = outcomes.exception(text, self.script, state["modules"], function, state["plain_stack"])
        place = {key: found["error"][key] for key in ("file", "line", "column") if key in found["error"]}
        if state["hang"]:
            self.header |= outcomes.hang(state["hang"], "size", place)
        elif state["panic"]:
            self.header |= outcomes.panic(state["panic"])
            self.header["error"] |= place
        elif outcomes.is_recursion(found["error"]["message"]):
            self.header |= outcomes.hang("functions call each other without end", "recursion", place)
        else:
            self.header |= {"outcome": "error", **found}

    def read_job_type(self) -> bool:
        """Export JOB_TYPE as the Manager does and compute its etag."""
        name = self.world.name
        try:
            answer = self.world.racer.eval(
                f"{name}.undeclared(()=>JOB_TYPE)?{name}.jobType(undefined,false):{name}.jobType(JOB_TYPE,true)",
                timeout_sec=self.left(),
            )
        except (JSTimeoutException, JSOOMException):
            raise
        except JSEvalException as error:
            self.failed(str(error), "")
            return False
        found = json.loads(answer) if isinstance(answer, str) else {}
        if "panic" in found:
            self.header |= outcomes.panic(found["panic"])
            self.header["job_type_error"] = dict(self.header["error"])
            return False
        if "error" in found:
            self.incomplete(found["error"])
            self.header["job_type_error"] = dict(self.header["error"])
            return False
        digest = hashlib.sha1(found["json"].encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
        self.header["job_type"] = json.loads(found["json"]) | {"etag": digest}
        return True

    def incomplete(self, error: dict[str, Any]) -> None:
        """A script that lacks what the Manager needs."""
        self.header |= {
            "outcome": "error",
            "error": {**error, "file": self.script},
            "http": {"status": 400, "message": error["message"]},
        }

    def etag_matches(self) -> bool:
        """A submitted etag must be the job type's; none is accepted."""
        given = self.request["etag"]
        if given and given != self.header["job_type"]["etag"]:
            error = {"message": outcomes.OUTDATED, "kind": "etag"}
            self.header |= {"outcome": "error", "error": error, "http": {"status": 412, "message": outcomes.OUTDATED}}
            return False
        return True

    def compile_job(self) -> None:
        """Call compileJob, let the microtasks run, read everything."""
        name = self.world.name
        try:
            answer = self.world.racer.eval(
                f'{name}.compile(typeof compileJob==="undefined"?undefined:compileJob)\n//# sourceURL=sb-call.js',
                timeout_sec=self.left(),
            )
        except (JSTimeoutException, JSOOMException):
            raise
        except JSEvalException as error:
            self.failed(str(error), "compileJob")
            return
        found = json.loads(answer) if isinstance(answer, str) else {}
        if "error" in found:
            self.incomplete(found["error"])
            return
        self.collect()

    def collect(self) -> None:
        """Results of a compilation that ended: head, pages, columns."""
        head = self.world.call("finish", seconds=self.left())
        if head.get("hang"):
            self.header |= outcomes.hang(head["hang"], "size")
            return
        if head["panic"]:
            self.header |= outcomes.panic(head["panic"])
            return
        job = dict(head["job"])
        if head.get("settings") is not None:
            job["settings"] = json.loads(head["settings"])
        else:
            job["settings_error"] = head["settings_error"]
        job["metadata"] = json.loads(head["metadata"])
        self.header |= {
            key: head[key] for key in ("summary", "findings", "events", "modules", "declared", "made", "milliseconds")
        }
        self.header["job"] = job
        if head["too_deep"]:
            self.unreadable("values are nested too deeply")
            return
        if head["store_error"]:
            self.header |= {
                "outcome": "store_error",
                "store_error": head["store_error"],
                "error": {"message": head["store_error"], "kind": "store"},
                "http": dict(outcomes.STORE_ANSWER),
            }
        elif head["null_dependency"]:
            self.header |= outcomes.panic(
                "runtime.errorString: runtime error: invalid memory address or nil pointer dereference"
            )
        self.send_pages(head["summary"]["tasks"])
        if self.request.get("lint"):
            self.header["command_shapes"] = self.world.call("commandShapes", seconds=self.left())
        if self.request.get("trace"):
            self.header["places"] = self.world.call("places", seconds=self.left())

    def send_pages(self, count: int) -> None:
        """All tasks in pages, then the columns."""
        started = time.perf_counter()
        total = 0
        step = self.request.get("page", 500)
        for start in range(0, count, step):
            page = self.world.text("page", str(start), str(start + step), seconds=self.left())
            data = page.encode("utf-8", "surrogatepass")
            total += len(data)
            if total > self.request["limits"]["max_result_mb"] * 1024 * 1024:
                self.header |= outcomes.hang("the result is larger than the Manager could store", "size")
                return
            self.engine.send(frames.PAGE, data)
        if count:
            self.engine.send(
                frames.COLUMNS, self.world.text("columns", seconds=self.left()).encode("utf-8", "surrogatepass")
            )
        self.header["milliseconds"] = self.header.get("milliseconds", 0.0) + (time.perf_counter() - started) * 1000
        self.header["bytes"] = total

    def collect_prints(self) -> None:
        """Lines printed so far, whatever the outcome."""
        if not self.header["prints"]:
            self.header["prints"] = self.world.call("state", seconds=5)["prints"]


def resident_mb() -> float:
    """Memory of this process in MiB; 0 where it cannot be told."""
    try:
        with Path("/proc/self/statm").open(encoding="ascii") as file:
            pages = int(file.read().split()[1])
    except OSError:
        return 0.0
    mebibytes: float = pages * os.sysconf("SC_PAGE_SIZE") / 1048576
    return mebibytes


def end_with_parent(over: threading.Event, parent: int) -> None:
    """While a script runs: end this process when its parent is gone (who would kill it otherwise?)."""
    while not over.wait(1.0):
        if os.getppid() != parent:
            os._exit(86)


def confine() -> None:
    """Limit the memory of this process and keep it from leaving core files."""
    if os.name == "posix":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (DATA_LIMIT, DATA_LIMIT))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Serve requests until standard input ends."""
    confine()
    source = os.fdopen(os.dup(0), "rb", buffering=65536)
    sink = os.fdopen(os.dup(1), "wb", buffering=65536)
    # Whatever a library prints must not end up between the frames.
    os.dup2(2, 1)

    def send(kind: bytes, payload: bytes) -> None:
        frames.write(sink, kind, payload)

    code = 1
    try:
        engine = Engine(send)
        engine.warm()
        send(frames.READY, json.dumps({"v8": engine.v8, "pid": os.getpid(), "rss_mb": resident_mb()}).encode())
        while (frame := frames.read(source)) is not None:
            engine.handle(json.loads(frame[1]))
            engine.warm()
        code = 0
    finally:
        # However it ends (whoever asked may be gone): in an orderly end V8's threads wait for each other for ever.
        os._exit(code)


if __name__ == "__main__":
    main()
