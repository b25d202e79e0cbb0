"""Programs that outlived us: remembered by number and time of birth, so that a later start ends them and no other."""

from __future__ import annotations

import os
import signal
from pathlib import Path

__all__ = ["end_leftover", "forget_program", "remember_program"]

_STAT_SESSION = 3
_STAT_STARTED = 19


def remember_program(mark: Path, pid: int) -> None:
    """Write down a program that was started in a session of its own (as `run_program` does). Raises OSError."""
    facts = _facts(pid)
    if facts is not None:
        mark.write_text(f"{pid} {facts[1]}")


def forget_program(mark: Path) -> None:
    """The program has ended."""
    mark.unlink(missing_ok=True)


def end_leftover(mark: Path) -> bool:
    """End the program of a mark with everything in its session; whether anything was left.

    The number may belong to somebody else by now: only processes of that session that are not older are ended.
    Without /proc nothing can be told, and nothing is done.
    """
    try:
        pid, started = (int(word) for word in mark.read_text().split())
    except (OSError, ValueError):
        return False
    ended = False
    for process in _processes():
        facts = _facts(process)
        if facts is not None and facts[0] == pid and facts[1] >= started and process != os.getpid():
            try:
                os.kill(process, signal.SIGKILL)
                ended = True
            except (ProcessLookupError, PermissionError):
                continue
    forget_program(mark)
    return ended


def _processes() -> list[int]:
    try:
        return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    except OSError:
        return []


def _facts(pid: int) -> tuple[int, int] | None:
    """Session and time of birth (clock ticks since boot) of a process, None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, UnicodeDecodeError):
        return None
    # The name, in brackets, may hold blanks.
    fields = text.rpartition(")")[2].split()
    return (int(fields[_STAT_SESSION]), int(fields[_STAT_STARTED])) if len(fields) > _STAT_STARTED else None
