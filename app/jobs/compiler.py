"""The pool of expendable V8 children: submit a request, get the Manager's outcome whatever the script does."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import signal
import subprocess
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.jobs import frames, lint, outcomes, requests
from app.jobs.model import (
    DEFAULT_MANAGER_VERSION,
    PAGE_SIZE,
    CompileError,
    CompileRequest,
    CompileResult,
    Diagnostic,
    OutcomeKind,
    TaskColumns,
)
from app.jobs.spawn import python_module

log = logging.getLogger("signalbox.jobs.compiler")

KEPT_RESULTS = 8
_KILL_AFTER = 1.0
"""Seconds after a request's own time limit at which its child is killed."""
_SUPERSEDED_GRACE = 0.1
_FAT_CHILD_MB = 400.0
_START_SECONDS = 60.0


class CompilerClosed(RuntimeError):
    """The pool was closed."""


@dataclass(slots=True)
class _Stored:
    header: dict[str, Any]
    pages: list[bytes]
    columns: bytes
    result: CompileResult | None = None


class _Child:
    """One child process. Answers come in on its own thread."""

    def __init__(self, timezone: str, on_idle: Callable[[_Child], None], on_gone: Callable[[_Child], None]) -> None:
        self.timezone = timezone
        self.on_idle = on_idle
        self.on_gone = on_gone
        self.job: _Job | None = None
        self.ready = threading.Event()
        self.dead = False
        self.rss_mb = 0.0
        self.served = 0
        self.spent = False
        environment = dict(os.environ) | {"TZ": timezone, "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            python_module("app.jobs.child"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        self.thread = threading.Thread(target=self._read, name="compiler-child", daemon=True)
        self.thread.start()

    def send(self, job: _Job) -> None:
        """Give it a request; a broken pipe is noticed by the reader."""
        self.job = job
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            frames.write(self.process.stdin, frames.REQUEST, job.payload)

    def kill(self) -> None:
        """End it at once."""
        self.dead = True
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    def _read(self) -> None:
        assert self.process.stdout is not None
        pages: list[bytes] = []
        columns = b""
        header: dict[str, Any] = {}
        try:
            while (frame := frames.read(self.process.stdout)) is not None:
                kind, payload = frame
                if kind == frames.READY:
                    self.ready.set()
                    self.on_idle(self)
                elif kind == frames.PAGE:
                    pages.append(payload)
                elif kind == frames.COLUMNS:
                    columns = payload
                elif kind == frames.HEADER:
                    header = json.loads(payload)
                elif kind == frames.END:
                    job, self.job = self.job, None
                    self.rss_mb = float(header.get("rss_mb", 0.0))
                    self.served += 1
                    # V8 may be spoiled after it was stopped in the middle of something.
                    self.spent = header.get("outcome") == "manager_hangs" or "died" in header
                    if job is not None:
                        job.finish(_Stored(header, pages, columns))
                    pages, columns, header = [], b"", {}
                    self.on_idle(self)
        except (OSError, ValueError) as error:
            log.warning("the compiler child sent something unreadable: %s", error)
        self._gone()

    def _gone(self) -> None:
        self.dead = True
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        code = self.process.wait()
        # Out of the pool's reach first: whoever gave it a job until now wrote into a broken pipe, not a closed one,
        # and the job is still found here.
        self.on_gone(self)
        self.ready.set()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        job, self.job = self.job, None
        if job is not None:
            job.died(code, used=self.served > 0)


class CompileHandle:
    """A compilation under way. Thread-safe."""

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._cancel = cancel
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._result: CompileResult | None = None
        self._callbacks: list[Callable[[CompileHandle], None]] = []

    def result(self, timeout: float | None = None) -> CompileResult:
        """Wait for the result; hangs and crashes are outcomes, not exceptions. TimeoutError after ``timeout``."""
        if not self._done.wait(timeout):
            raise TimeoutError("the compilation is still under way")
        assert self._result is not None
        return self._result

    def done(self) -> bool:
        """Whether ``result`` returns at once."""
        return self._done.is_set()

    def cancel(self) -> None:
        """Stop it; the result becomes outcome ``cancelled``."""
        self._cancel()

    def add_done_callback(self, callback: Callable[[CompileHandle], None]) -> None:
        """Call back once, from a pool thread, or at once when it is done."""
        with self._lock:
            if not self._done.is_set():
                self._callbacks.append(callback)
                return
        callback(self)

    def _set(self, result: CompileResult) -> None:
        with self._lock:
            if self._done.is_set():
                return
            self._result = result
            self._done.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)


@dataclass(slots=True)
class _Job:
    """A request on its way through the pool."""

    pool: CompilerPool
    job_id: int
    payload: bytes
    timezone: str
    seconds: float
    channel: str
    want_lint: bool
    sent: dict[str, Any]
    raw: Callable[[dict[str, Any]], None] | None = None
    handle: CompileHandle = field(init=False)
    cancelled: bool = False
    killed_for_time: bool = False
    retried: bool = False
    child: _Child | None = None
    timer: threading.Timer | None = None

    def __post_init__(self) -> None:
        self.handle = CompileHandle(lambda: self.pool._cancel(self, 0.0))

    def finish(self, stored: _Stored) -> None:
        """The child answered."""
        self._stop_timer()
        if self.raw is not None:
            self.raw(stored.header)
            return
        if self.cancelled:
            self._cancelled()
            return
        self.handle._set(self.pool._keep(self, stored))

    def died(self, code: int, *, used: bool = False) -> None:
        """The child is gone: killed by us, by the memory limit, or by a script that crashes V8."""
        self._stop_timer()
        if (used or code == -signal.SIGKILL) and not self.retried and not self.cancelled and not self.killed_for_time:
            # An earlier script may have spoiled this child, or somebody ended it: a fresh one decides.
            self.retried = True
            if self.pool._again(self):
                return
        if self.raw is not None:
            self.raw({"error": "the child ended", "died": code, "timeout": self.killed_for_time})
            return
        if self.cancelled:
            self._cancelled()
            return
        if self.killed_for_time:
            found = outcomes.hang("the script was still running after its time was up", "hang")
        else:
            found = outcomes.hang("the script needs more memory than there is", "memory")
            found["error"]["hint"] += f" The preview's own process ended with code {code}."
        self.handle._set(self.pool._keep(self, _Stored(found, [], b"")))

    def _cancelled(self) -> None:
        self.handle._set(CompileResult(self.job_id, OutcomeKind.CANCELLED))

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


class CompilerPool:
    """Warm, expendable V8 children. Thread-safe; ``submit`` never waits for a script.

    Args:
        workers: How many children may run scripts at the same time; one more is kept warm.
        timezone: Zone of the first warm child, the one most requests will use.
    """

    def __init__(self, workers: int = 2, timezone: str = "UTC") -> None:
        self._workers = workers
        self._lock = threading.RLock()
        self._idle: list[_Child] = []
        self._starting: list[_Child] = []
        self._busy: list[_Child] = []
        self._queue: list[_Job] = []
        self._newest: dict[str, _Job] = {}
        self._results: OrderedDict[int, _Stored] = OrderedDict()
        self._numbers = itertools.count(1)
        self._closed = False
        self._zone = timezone
        with self._lock:
            self._start(timezone)

    # ---------------------------------------------------------------- public

    def submit(self, request: CompileRequest, *, channel: str = "preview") -> CompileHandle:
        """Start compiling. In a channel the newest request wins and an older run is stopped; "" queues instead."""
        number = next(self._numbers)
        try:
            sent = requests.prepare(request)
        except requests.Refused as refused:
            return self._settled(
                number, CompileResult(number, OutcomeKind.ERROR, error=refused.error, http=refused.http)
            )
        except (OSError, ValueError) as error:
            reason = CompileError(str(error), "file" if isinstance(error, OSError) else "request")
            return self._settled(number, CompileResult(number, OutcomeKind.ERROR, error=reason))
        job = self._job(number, sent, request.timezone, request.limits.seconds, channel, request.lint)
        with self._lock:
            if self._closed:
                raise CompilerClosed("the compiler was closed")
            older = self._newest.get(channel) if channel else None
            if channel:
                self._newest[channel] = job
            if older is not None and not older.handle.done():
                self._cancel(older, _SUPERSEDED_GRACE)
            self._queue.append(job)
            self._dispatch()
        return job.handle

    def compile(self, request: CompileRequest, timeout: float | None = None) -> CompileResult:
        """Compile and wait: for commands and tests."""
        return self.submit(request, channel="").result(timeout)

    def pages(self, result_id: int, start: int, count: int) -> list[dict[str, Any]]:
        """Tasks [start, start+count) of a kept result; KeyError when it is no longer kept."""
        with self._lock:
            stored = self._results[result_id]
        tasks: list[dict[str, Any]] = []
        first, last = start // PAGE_SIZE, (start + max(count, 1) - 1) // PAGE_SIZE
        for index in range(first, min(last + 1, len(stored.pages))):
            page = json.loads(stored.pages[index])
            low = max(0, start - index * PAGE_SIZE)
            high = start + count - index * PAGE_SIZE
            tasks.extend(page[low:high])
        return tasks

    def columns(self, result_id: int) -> TaskColumns:
        """Names, types and dependencies of all tasks; KeyError when the result is no longer kept."""
        with self._lock:
            stored = self._results[result_id]
        names, types, dependencies = json.loads(stored.columns) if stored.columns else ([], [], [])
        return TaskColumns(names, types, dependencies)

    def raw(self, result: CompileResult | int) -> Iterator[str]:
        """The whole result as JSON text in pieces, the shape of ``signalbox compile --json``."""
        from app.jobs.results import raw_json

        with self._lock:
            stored = self._results.get(result if isinstance(result, int) else result.result_id)
        if isinstance(result, int):
            if stored is None or stored.result is None:
                raise KeyError(result)
            result = stored.result
        return raw_json(result, stored.pages if stored else [])

    def lint(
        self,
        text: str,
        *,
        file: str = "script.js",
        manager_version: str = DEFAULT_MANAGER_VERSION,
        helpers: Sequence[str] = (),
    ) -> list[Diagnostic]:
        """Findings that need no job. Blocks; call from a worker thread."""
        header = self._ask({"op": "lint", "text": text, "options": {"version": manager_version}})
        return lint.from_analysis(header, file, manager_version, helpers)

    def format_document(self, text: str) -> str:
        """Pretty-printed script; ValueError with line and column when it does not parse."""
        header = self._ask({"op": "format", "text": text})
        if "text" not in header:
            place = f" (line {header['line']}, column {header['column']})" if header.get("line") else ""
            raise ValueError(f"{header.get('error', 'cannot be formatted')}{place}")
        return str(header["text"])

    def expression(self, source: str, request: CompileRequest) -> dict[str, Any]:
        """A scratch expression evaluated in the script's world: ``result``, ``error``, ``go_panic``, ..."""
        prepared = requests.prepare(request)
        prepared |= {"op": "expression", "source": source, "script": "probe.js", "job_type": "probe"}
        return self._ask(prepared, request.timezone)

    def close(self) -> None:
        """End the children. Idempotent."""
        with self._lock:
            self._closed = True
            children = [*self._idle, *self._starting, *self._busy]
            waiting, self._queue = self._queue, []
        for job in waiting:
            job.cancelled = True
            job.died(0)
        for child in children:
            if child.job is not None:
                child.job.cancelled = True
            child.kill()
        for child in children:
            child.thread.join(timeout=5)

    def __enter__(self) -> CompilerPool:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def children(self) -> list[int]:
        """Process ids of the children, for monitors and tests."""
        with self._lock:
            return [child.process.pid for child in (*self._idle, *self._starting, *self._busy)]

    def wait_warm(self, timeout: float = _START_SECONDS) -> None:
        """Return when a child is ready for the next request."""
        end = time.monotonic() + timeout
        with self._lock:
            waiting = None if self._idle else (self._starting[0] if self._starting else self._start(self._zone))
        if waiting is not None and not waiting.ready.wait(end - time.monotonic()):
            raise TimeoutError("no compiler child started in time")

    # ---------------------------------------------------------------- inside

    def _settled(self, _number: int, result: CompileResult) -> CompileHandle:
        handle = CompileHandle(lambda: None)
        handle._set(result)
        return handle

    def _job(
        self, number: int, sent: dict[str, Any], timezone: str, seconds: float, channel: str, want_lint: bool
    ) -> _Job:
        sent["page"] = PAGE_SIZE
        payload = json.dumps(sent).encode()
        return _Job(self, number, payload, timezone, seconds, channel, want_lint, sent)

    def _ask(self, message: dict[str, Any], timezone: str | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        done = threading.Event()

        def receive(header: dict[str, Any]) -> None:
            answer.update(header)
            done.set()

        zone = timezone or self._zone
        seconds = float(message.get("limits", {}).get("seconds", 30.0))
        job = _Job(self, next(self._numbers), json.dumps(message).encode(), zone, seconds, "", False, message, receive)
        with self._lock:
            if self._closed:
                raise CompilerClosed("the compiler was closed")
            self._queue.append(job)
            self._dispatch()
        done.wait()
        return answer

    def _start(self, timezone: str) -> _Child:
        child = _Child(timezone, self._on_idle, self._on_gone)
        self._starting.append(child)
        return child

    def _dispatch(self) -> None:
        """Give waiting jobs to idle children of their zone; start children as needed. Holds the lock."""
        for job in list(self._queue):
            child = next((c for c in self._idle if c.timezone == job.timezone), None)
            if child is None:
                coming = sum(1 for c in self._starting if c.timezone == job.timezone)
                waiting = sum(1 for j in self._queue if j.timezone == job.timezone)
                if coming < waiting and len(self._busy) + len(self._starting) < self._workers + 1:
                    self._drop_other_zone(job.timezone)
                    self._start(job.timezone)
                continue
            self._queue.remove(job)
            self._idle.remove(child)
            self._busy.append(child)
            self._run(job, child)
        if not self._closed and not self._queue and not self._idle and not self._starting:
            self._start(self._zone)

    def _drop_other_zone(self, timezone: str) -> None:
        others = [child for child in self._idle if child.timezone != timezone]
        if len(others) >= self._workers + 1:
            self._idle.remove(others[0])
            others[0].kill()

    def _run(self, job: _Job, child: _Child) -> None:
        self._zone = job.timezone
        job.child = child
        job.timer = threading.Timer(job.seconds + _KILL_AFTER, self._out_of_time, (job,))
        job.timer.daemon = True
        job.timer.start()
        child.send(job)

    def _again(self, job: _Job) -> bool:
        """Put a job back in front of the queue; False when the pool is closed."""
        with self._lock:
            if self._closed:
                return False
            job.child = None
            self._queue.insert(0, job)
            self._dispatch()
        return True

    def _out_of_time(self, job: _Job) -> None:
        with self._lock:
            child = job.child
            if child is None or child.job is not job:
                return
            job.killed_for_time = True
        child.kill()

    def _cancel(self, job: _Job, grace: float) -> None:
        """Stop a job: out of the queue at once, on a child after a short grace that a good script does not need."""
        with self._lock:
            job.cancelled = True
            if job in self._queue:
                self._queue.remove(job)
                child = None
            else:
                child = job.child
        if child is None:
            job.died(0)
        elif child.job is job:
            if grace > 0:
                timer = threading.Timer(grace, lambda: child.kill() if child.job is job else None)
                timer.daemon = True
                timer.start()
            else:
                child.kill()

    def _on_idle(self, child: _Child) -> None:
        with self._lock:
            for group in (self._starting, self._busy):
                if child in group:
                    group.remove(child)
            if child.dead or self._closed:
                child.kill()
                return
            if child.spent or child.rss_mb > _FAT_CHILD_MB:
                child.kill()
            else:
                self._idle.append(child)
            self._dispatch()

    def _on_gone(self, child: _Child) -> None:
        with self._lock:
            for group in (self._idle, self._starting, self._busy):
                if child in group:
                    group.remove(child)
            if not self._closed:
                self._dispatch()

    def _keep(self, job: _Job, stored: _Stored) -> CompileResult:
        from app.jobs.results import build_result

        result = build_result(job.job_id, stored.header, job.sent, want_lint=job.want_lint)
        stored.result = result
        with self._lock:
            self._results[job.job_id] = stored
            while len(self._results) > KEPT_RESULTS:
                self._results.popitem(last=False)
        return result
