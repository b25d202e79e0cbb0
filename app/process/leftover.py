"""Programs that outlived us, and children that left their parent: found again, so that they and no others are ended.

A program is remembered by its number and time of birth. What it starts is known by a word in its environment, which
children inherit: also those in a session of their own, and those whose parent has gone.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

__all__ = ["FAMILY", "begin_program", "end_family", "end_leftover", "forget_program", "remember_program"]

#: The variable that names what a program belongs to.
FAMILY = "SIGNALBOX_FAMILY"
#: Looks at all processes: one that forks may have had another child since the last look.
_LOOKS = 10
_STAT_SESSION = 3
_STAT_STARTED = 19


def begin_program(mark: Path) -> None:
    """A program may be started from now on; its number is not known yet. Raises OSError."""
    try:
        os.truncate(mark, 0)
    except FileNotFoundError:
        _write(mark, b"")


def remember_program(mark: Path, pid: int) -> None:
    """Write down a program that was started in a session of its own (as `run_program` does). Raises OSError."""
    facts = _facts(pid)
    if facts is not None:
        _write(mark, b"%d %d" % (pid, facts[1]))


def _write(mark: Path, words: bytes) -> None:
    # Three system calls: each lets go of Python's lock, and with other threads at work it takes long to get it again.
    file = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        if words:
            os.write(file, words)
    finally:
        os.close(file)


def forget_program(mark: Path) -> None:
    """The program has ended."""
    mark.unlink(missing_ok=True)


def end_leftover(mark: Path, family: str = "") -> bool:
    """End the program of a mark with everything in its session and of its family; whether anything was left.

    The number may belong to somebody else by now: only processes of that session that are not older are ended.
    Without /proc nothing can be told, and nothing is done.
    """
    try:
        words = mark.read_text().split()
    except (OSError, UnicodeDecodeError):
        return False
    ended = end_family(family)
    if len(words) == 2 and all(word.isdigit() for word in words):
        ended |= _end_session(int(words[0]), int(words[1]))
    forget_program(mark)
    return ended


def end_family(family: str) -> bool:
    """End every process that carries this family's name; whether there were some. "" is nobody's."""
    word = f"{FAMILY}={family}".encode("utf-8", "surrogateescape")
    ended = False
    for _ in range(_LOOKS if family else 0):
        members = [each for each in _processes() if each != os.getpid() and word in _environment(each)]
        if not members:
            break
        ended = True
        for each in members:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(each, signal.SIGKILL)
    return ended


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _end_session(pid: int, started: int) -> bool:
    ended = False
    for process in _processes():
        facts = _facts(process)
        if facts is not None and facts[0] == pid and facts[1] >= started and process != os.getpid():
            try:
                os.kill(process, signal.SIGKILL)
                ended = True
            except (ProcessLookupError, PermissionError):
                continue
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
