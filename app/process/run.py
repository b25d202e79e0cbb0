"""Run an external program to its end, from any thread, without a shell.

A program that is cancelled, or that shows no sign of life for the agreed time, is ended with its whole process
group: a transcoder's or a script's children never outlive the run that started them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TAIL_LINES = 200
_LINE_LIMIT = 40 * 1024
#: Lines read ahead of a slow consumer before the program has to wait: a flood costs bounded memory.
_READ_AHEAD = 20_000
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended.

    Attributes:
        argv: The argument list it was started with.
        code: Its exit code; negative is the number of the signal that ended it.
        tail: The last lines of its merged output, at most 200.
        seconds: Wall-clock time from start to end.
    """

    argv: tuple[str, ...]
    code: int
    tail: tuple[str, ...]
    seconds: float


class ProgramMissing(OSError):
    """The program is not on this machine; the text names it."""


class ProgramFailed(RuntimeError):
    """The program ended with a code other than 0; carries its Outcome."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        last = next((line for line in reversed(outcome.tail) if line.strip()), "it wrote nothing")
        super().__init__(f"{Path(outcome.argv[0]).name} ended with code {outcome.code}: {last}")


class Cancelled(RuntimeError):
    """A person cancelled the program."""


class NoProgress(TimeoutError):
    """The program wrote nothing for the agreed number of seconds."""


def end_group(process: subprocess.Popen[bytes], grace: float = _GRACE_SECONDS) -> None:
    """End a process and everything it started: politely first, after ``grace`` seconds for good."""
    if os.name == "posix":
        _signal_group(process.pid, signal.SIGTERM)
    else:  # pragma: no cover - Windows has no process groups of this kind
        process.terminate()
    try:
        process.wait(timeout=grace)
    except subprocess.TimeoutExpired:
        pass
    finally:
        # Children may have ignored the polite signal although the leader is gone.
        if os.name == "posix":
            _signal_group(process.pid, signal.SIGKILL)
        else:  # pragma: no cover
            process.kill()
        process.wait()


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def run_program(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
    on_start: Callable[[int], None] | None = None,
    split_returns: bool = True,
    cancel: threading.Event | None = None,
    silence_seconds: float | None = 120.0,
    total_seconds: float | None = None,
    check: bool = True,
) -> Outcome:
    """Run ``argv`` and return how it ended.

    Args:
        argv: Program and arguments; never a shell string.
        cwd: Working folder.
        env: The whole environment of the program; None inherits ours.
        on_line: Called with each line of merged stdout and stderr, from the calling thread.
        on_start: Called with the process id once the program runs.
        split_returns: A lone carriage return ends a line too (progress bars); False keeps it within the line.
        cancel: When set, the program's group is ended and Cancelled is raised.
        silence_seconds: "No progress": seconds without output before the program is ended. None: no limit.
        total_seconds: Wall-clock limit. None: no limit.
        check: Raise ProgramFailed on a code other than 0.

    Raises:
        ProgramMissing, ProgramFailed, Cancelled, NoProgress.
    """
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise ProgramMissing(f"{argv[0]} is not installed on this machine (or its working folder is gone)") from error
    if on_start is not None:
        on_start(process.pid)
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    lines: deque[str] = deque()
    news = threading.Condition()
    reader = threading.Thread(
        target=_read_lines, args=(process, lines, news, split_returns), name="process-output", daemon=True
    )
    reader.start()
    last_sign = started
    try:
        while True:
            with news:
                if not lines and reader.is_alive():
                    news.wait(0.1)
                batch = list(lines)
                lines.clear()
                news.notify_all()
            for line in batch:
                tail.append(line)
                if on_line is not None:
                    on_line(line)
            now = time.monotonic()
            if batch:
                last_sign = now
            if cancel is not None and cancel.is_set():
                raise Cancelled(f"{Path(argv[0]).name} was cancelled")
            if silence_seconds is not None and now - last_sign > silence_seconds:
                raise NoProgress(f"{Path(argv[0]).name} showed no progress for {silence_seconds:g} s")
            if total_seconds is not None and now - started > total_seconds:
                raise NoProgress(f"{Path(argv[0]).name} did not end within {total_seconds:g} s")
            if not batch and not lines and not reader.is_alive():
                break
        code = process.wait()
    except BaseException:
        end_group(process)
        raise
    finally:
        with news:
            lines.clear()
            news.notify_all()
        reader.join(timeout=_GRACE_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
    outcome = Outcome(tuple(argv), code, tuple(tail), time.monotonic() - started)
    if check and code != 0:
        raise ProgramFailed(outcome)
    return outcome


def _read_lines(
    process: subprocess.Popen[bytes], lines: deque[str], news: threading.Condition, split_returns: bool
) -> None:
    """Move output into ``lines``; over-long lines are split, and the program waits when nobody takes its lines."""
    assert process.stdout is not None
    rest = b""
    while chunk := process.stdout.read1(65536):  # type: ignore[attr-defined]
        text = (rest + chunk).replace(b"\r\n", b"\n")
        parts = (text.replace(b"\r", b"\n") if split_returns else text).split(b"\n")
        rest = parts.pop()
        while len(rest) > _LINE_LIMIT:
            cut = _character_boundary(rest, _LINE_LIMIT)
            parts.append(rest[:cut])
            rest = rest[cut:]
        with news:
            while len(lines) > _READ_AHEAD:
                news.wait(1.0)
            lines.extend(part.decode("utf-8", "replace") for part in parts)
            news.notify_all()
    with news:
        if rest:
            lines.append(rest.decode("utf-8", "replace"))
        news.notify_all()


def _character_boundary(data: bytes, limit: int) -> int:
    """Largest cut at or below ``limit`` that does not split a UTF-8 character (bytes 10xxxxxx continue one)."""
    for cut in range(limit, max(0, limit - 4), -1):
        if data[cut] & 0xC0 != 0x80:
            return cut
    return limit
