"""Carries out one task of a local job: its commands on this machine, its output to a file."""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.jobs.task_log import TaskLog
from app.jobs.worker_commands import Command, CommandFailed, Machine, run_task
from app.journal.crash import crash_point
from app.process.leftover import begin_program, end_leftover, forget_program, remember_program

__all__ = ["REFUSED", "StoredCommand", "TaskFiles", "allowed_programs", "carry_out", "end_earlier"]

REFUSED = "refused: "
_REPORT_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class StoredCommand:
    """A command as the journal keeps it."""

    name: str
    parameters: Mapping[str, Any]
    total_step_count: int

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> StoredCommand:
        """From its JSON."""
        return cls(str(stored["name"]), stored.get("parameters") or {}, int(stored.get("total_step_count") or 0))


@dataclass(frozen=True, slots=True)
class TaskFiles:
    """Where a task writes: its log, the mark of its program, the scratch folder of a try-out (None: it is none)."""

    log: Path
    log_limit: int
    scratch: Path | None = None

    @property
    def family(self) -> str:
        """What the task's programs and all they start belong to."""
        return str(self.log.absolute())

    @property
    def mark(self) -> Path:
        """There while the task is at work; names its program, for a start after a crash."""
        return self.log.with_suffix(".program")


#: Called with steps done so far and the last file that was produced ("" while there is none).
Report = Callable[[int, str], None]


class _Listener:
    """Hears a task: its text goes to the log, its steps to the journal, some four times a second."""

    def __init__(self, log: TaskLog, report: Report) -> None:
        self._log = log
        self._report = report
        self._steps = 0
        self._told = (0, "")
        self._picture = ""
        self._last = time.monotonic()

    def log(self, text: str) -> None:
        self._log.write(text)

    def output(self, path: str) -> None:
        self._picture = path
        self._maybe()

    def step(self) -> None:
        self._steps += 1
        self._maybe()

    def _maybe(self) -> None:
        if time.monotonic() - self._last >= _REPORT_SECONDS:
            self.tell()

    def tell(self) -> None:
        """Report what has not been reported yet."""
        self._last = time.monotonic()
        if self._told != (self._steps, self._picture):
            self._told = (self._steps, self._picture)
            self._report(self._steps, self._picture)


def carry_out(
    commands: Sequence[Mapping[str, Any]],
    files: TaskFiles,
    machine: Machine,
    cancel: threading.Event,
    report: Report,
    note: str = "",
) -> str:
    """Run a task's commands, from the first.

    Args:
        commands: As the journal keeps them, variables replaced.
        files: Where it writes.
        machine: What the machine gives.
        cancel: Ends the program at work with its whole group.
        report: Hears of steps and pictures.
        note: A line for the log before anything else ("attempt 2").

    Returns:
        What must be told although the task was done ("its output could not be kept"), "" mostly.

    Raises:
        CommandFailed: With the Worker's words; the text starts with `REFUSED` where another attempt is of no use.
        Cancelled: When ``cancel`` was set.
    """
    with TaskLog(files.log, files.log_limit) as log:
        listener = _Listener(log, report)
        if note:
            log.another_attempt(note)

        # Without a mark a crash could leave the program behind; that alone is no reason not to work.
        def started(pid: int | None) -> None:
            with contextlib.suppress(OSError):
                if pid is None:
                    begin_program(files.mark)
                else:
                    remember_program(files.mark, pid)
                    crash_point("task_program")

        machine.on_program, machine.family = started, files.family
        steps: list[Command] = [StoredCommand.of(each) for each in commands]
        try:
            if files.scratch is not None:
                _keep_in_scratch(steps, files.scratch)
            run_task(steps, listener, machine, cancel)
        except CommandFailed as failed:
            log.write(f"--- failed: {failed} ---")
            raise
        finally:
            with contextlib.suppress(OSError):
                forget_program(files.mark)
            log.finish()
            listener.tell()
        return log.problem


def end_earlier(files: TaskFiles) -> None:
    """End what an attempt that was cut off by a crash left at work."""
    end_leftover(files.mark, files.family)


def _keep_in_scratch(commands: Sequence[Command], scratch: Path) -> None:
    """A try-out makes, moves and copies files in its scratch folder alone. Raises CommandFailed."""
    scratch.mkdir(parents=True, exist_ok=True)
    inside = scratch.resolve()
    for command in commands:
        for key in {"make-directory": ("path",), "move-directory": ("src", "dest"), "copy-file": ("dest",)}.get(
            command.name, ()
        ):
            target = command.parameters.get(key)
            if isinstance(target, str) and target and not _lies_in(inside, target):
                raise CommandFailed(
                    f"{REFUSED}{command.name}: this is a try-out, and {target} is not in its scratch folder {scratch}"
                )


def _lies_in(folder: Path, target: str) -> bool:
    """Whether a path is in a folder; one that is none (a NUL byte, links that lead in a circle) is in no folder."""
    try:
        return Path(folder, target).resolve().is_relative_to(folder)
    except (ValueError, RuntimeError, OSError):
        return False


def allowed_programs(allowed: Sequence[str], *, everything: bool) -> Callable[[Sequence[str]], str]:
    """The judge of what may be run: "" or why not.

    A bare name in the settings allows that name on PATH; a path allows that file alone.
    """
    known = frozenset(allowed)

    def judge(argv: Sequence[str]) -> str:
        if everything or argv[0] in known:
            return ""
        return (
            f"{REFUSED}{argv[0]} is not among the programs that tasks may run here ({', '.join(sorted(known))}); "
            f"a TD can add it in the settings (flamenco.allowed_programs): {shlex.join(argv)[:500]}"
        )

    return judge
