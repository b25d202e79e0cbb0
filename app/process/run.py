"""Run an external program to its end, from any thread, without a shell.

A program that is cancelled, or that shows no sign of life for the agreed time, is ended with its whole process
group: a transcoder's or a script's children never outlive the run that started them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.process.leftover import FAMILY, end_family

if sys.platform == "linux":
    import fcntl

_TAIL_LINES = 200
_LINE_LIMIT = 40 * 1024
#: Bytes read ahead of a slow consumer before the program has to wait: a flood costs bounded memory.
_READ_AHEAD_BYTES = 1 << 20
#: What a program may print while nobody reads (Linux's limit for everybody), how much of it at once is a flood, and the
#: pause after such a piece: a flood is read some fifty times a second. A thousand wake-ups a second, each of 64 KB,
#: would take the processor from windows and servers that wait for it.
_PIPE_BYTES = 1 << 20
_FLOOD_BYTES = 1 << 18
_FLOOD_PAUSE = 0.02
_GRACE_SECONDS = 5.0
#: A program that ended may leave children with its output open: they are given so long before they go too.
_LEFT_BEHIND_SECONDS = 2.0


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
    on_text: Callable[[str], None] | None = None,
    on_start: Callable[[int], None] | None = None,
    split_returns: bool = True,
    cancel: threading.Event | None = None,
    silence_seconds: float | None = 120.0,
    total_seconds: float | None = None,
    niceness: int = 0,
    family: str = "",
    check: bool = True,
) -> Outcome:
    """Run ``argv`` and return how it ended.

    Args:
        argv: Program and arguments; never a shell string.
        cwd: Working folder.
        env: The whole environment of the program; None inherits ours.
        on_text: Called with merged stdout and stderr from the calling thread: as many whole lines as have come, with a
            line feed between two of them. In one piece, since a program at full speed prints a million lines a second.
        on_start: Called with the process id once the program runs; if it raises, the program is ended.
        split_returns: A lone carriage return ends a line too (progress bars); False keeps it within the line.
        cancel: When set, the program's group is ended and Cancelled is raised.
        silence_seconds: "No progress": seconds without output before the program is ended. None: no limit.
        total_seconds: Wall-clock limit. None: no limit.
        niceness: How far it stands back behind other programs (nice(2), 0 to 19); more than 0 is a wish.
        family: What it belongs to (see `app.process.leftover`): when it is ended early, fails, or leaves its output to
            others, what it started in sessions of their own is ended too. "": only its own group is.
        check: Raise ProgramFailed on a code other than 0.

    Raises:
        ProgramMissing, ProgramFailed, Cancelled, NoProgress.
    """
    started = time.monotonic()
    if family:
        env = {**(os.environ if env is None else env), FAMILY: family}
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
    if niceness:
        _stand_back(process.pid, niceness)
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    output = _Output()
    reader = threading.Thread(
        target=_read_lines, args=(process, output, split_returns), name="process-output", daemon=True
    )
    reader.start()
    last_sign, left = started, 0.0
    try:
        if on_start is not None:
            on_start(process.pid)
        aside = not niceness
        while True:
            aside = aside or _session_stands_back(process.pid, niceness)
            ended = output.ended
            text = output.take(0.1)
            if text is not None:
                tail.extend(text.rsplit("\n", _TAIL_LINES)[-_TAIL_LINES:])
                if on_text is not None:
                    on_text(text)
            now = time.monotonic()
            # A progress bar that is written over and over (carriage returns) is a sign of life before it is a line.
            last_sign = max(last_sign, output.heard)
            if text is not None:
                last_sign = now
            elif ended and _ends(process):
                break
            if cancel is not None and cancel.is_set():
                raise Cancelled(f"{Path(argv[0]).name} was cancelled")
            if silence_seconds is not None and now - last_sign > silence_seconds:
                raise NoProgress(f"{Path(argv[0]).name} showed no progress for {silence_seconds:g} s")
            if total_seconds is not None and now - started > total_seconds:
                raise NoProgress(f"{Path(argv[0]).name} did not end within {total_seconds:g} s")
            if not ended and process.poll() is not None:
                left = left or now
                if now - left > _LEFT_BEHIND_SECONDS:
                    _end_left_behind(process.pid)
                    end_family(family)
                if now - left > 2 * _LEFT_BEHIND_SECONDS:
                    break  # somebody else's child, or one without a name, holds the output: it is not waited for
        code = process.wait()
    except BaseException:
        end_group(process)
        end_family(family)
        raise
    finally:
        output.close()
        reader.join(timeout=_GRACE_SECONDS if not left else 0.1)
    _end_left_behind(process.pid)
    if code != 0:
        end_family(family)  # another attempt would meet them
    outcome = Outcome(tuple(argv), code, tuple(tail), time.monotonic() - started)
    if check and code != 0:
        raise ProgramFailed(outcome)
    return outcome


def _ends(process: subprocess.Popen[bytes]) -> bool:
    """Whether it ends within a tenth of a second; one that closed its output and works on is minded as any other."""
    try:
        process.wait(0.1)
    except subprocess.TimeoutExpired:
        return False
    return True


def _stand_back(pid: int, niceness: int) -> None:
    """Lower the priority of a program and of all it starts; never raise it above this process's own."""
    if os.name == "posix":
        # It may have ended, or be another user's by now (sudo): it runs as it is.
        with suppress(OSError):
            os.setpriority(os.PRIO_PGRP, pid, max(niceness, os.getpriority(os.PRIO_PROCESS, 0)))


def _session_stands_back(pid: int, niceness: int) -> bool:
    """Lower the priority of a program's whole session; False where the kernel wants to be asked later.

    Linux shares processors out between sessions first, where it groups by them (sched(7), "The autogroup feature"):
    a program in a session of its own gets as much as the whole desktop, however nice it is.
    """
    try:
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness))
    except FileNotFoundError:
        pass  # no such groups on this machine
    except OSError:
        # Ten such changes a second are allowed to a whole machine, and none while the program is being loaded.
        return False
    return True


class _Output:
    """Text between the thread that reads a program's output and the one that takes it; bounded.

    Attributes:
        ended: No more comes.
        heard: When anything came last (monotonic clock).
    """

    def __init__(self) -> None:
        self.ended = False
        self.heard = 0.0
        self._texts: list[str] = []
        self._bytes = 0
        self._news = threading.Condition()
        self._closed = False

    def put(self, text: str, size: int) -> None:
        """Add whole lines of so many bytes; waits while too many are there."""
        with self._news:
            while not self._closed and self._bytes > _READ_AHEAD_BYTES:
                self._news.wait(1.0)
            if not self._closed:
                self._texts.append(text)
                self._bytes += size
            self._news.notify_all()

    def end(self) -> None:
        """No more comes."""
        with self._news:
            self.ended = True
            self._news.notify_all()

    def take(self, seconds: float) -> str | None:
        """What is there, after waiting for something for at most ``seconds``; None for nothing."""
        with self._news:
            if not self._texts and not self.ended:
                self._news.wait(seconds)
            texts, self._texts, self._bytes = self._texts, [], 0
            self._news.notify_all()
        return "\n".join(texts) if texts else None

    def close(self) -> None:
        """Nobody takes lines any more: what comes is dropped."""
        with self._news:
            self._closed = True
            self._texts.clear()
            self._news.notify_all()


def _end_left_behind(pid: int) -> None:
    """End what a program that has ended itself left running in its group."""
    if os.name == "posix":
        _signal_group(pid, signal.SIGKILL)


def _widen(pipe: IO[bytes]) -> None:
    """Give a pipe more room; one that stays as it is is never read a flood's piece at a time."""
    if sys.platform == "linux":
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _read_lines(process: subprocess.Popen[bytes], output: _Output, split_returns: bool) -> None:
    """Move output into lines; over-long ones are split, and the program waits when nobody takes its lines."""
    assert process.stdout is not None
    _widen(process.stdout)
    rest = b""
    try:
        while chunk := process.stdout.read1(_PIPE_BYTES):  # type: ignore[attr-defined]
            output.heard = time.monotonic()
            if len(chunk) >= _FLOOD_BYTES:
                time.sleep(_FLOOD_PAUSE)
            text = (rest + chunk).replace(b"\r\n", b"\n")
            if split_returns:
                text = text.replace(b"\r", b"\n")
            whole, ended, rest = text.rpartition(b"\n")
            # No character of UTF-8 holds a line end: what is decoded at once is what each line would have been.
            if ended:
                output.put(whole.decode("utf-8", "replace"), len(whole))
            while len(rest) > _LINE_LIMIT:
                cut = _character_boundary(rest, _LINE_LIMIT)
                output.put(rest[:cut].decode("utf-8", "replace"), cut)
                rest = rest[cut:]
        if rest:
            output.put(rest.decode("utf-8", "replace"), len(rest))
    finally:
        # The one who reads closes: closing under a thread that reads would wait for it.
        process.stdout.close()
        output.end()


def _character_boundary(data: bytes, limit: int) -> int:
    """Largest cut at or below ``limit`` that does not split a UTF-8 character (bytes 10xxxxxx continue one)."""
    for cut in range(limit, max(0, limit - 4), -1):
        if data[cut] & 0xC0 != 0x80:
            return cut
    return limit
