"""The real program as a subprocess, in a home of its own, with what it said kept for the assertions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]


def program_environment(home: Path, **extra: str) -> dict[str, str]:
    """An environment without this machine's site, proxies and secrets."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FTRACK_", "SIGNALBOX_", "SLACK_")) and not name.lower().endswith("_proxy")
    }
    return {**kept, "SIGNALBOX_HOME": str(home), "PYTHONUNBUFFERED": "1", **extra}


class Program:
    """One started command. Use as a context manager; what still runs at the end is ended.

    Args:
        arguments: After ``signalbox``.
        home: Its ``SIGNALBOX_HOME``.
        extra: More of the environment.
    """

    def __init__(self, *arguments: str, home: Path, extra: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app.entry", *arguments],
            cwd=_ROOT,
            env=program_environment(home, **(extra or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._news = threading.Condition()
        self._readers = [
            threading.Thread(target=self._drain, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()

    def _drain(self, stream: Any, lines: list[str]) -> None:
        for line in stream:
            with self._news:
                lines.append(line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    @property
    def errors(self) -> str:
        """What it wrote to stderr."""
        return "".join(self.err)

    def wait_line(self, seconds: float = 60.0) -> dict[str, Any]:
        """The first line of its output, as JSON."""
        with self._news:
            self._news.wait_for(lambda: self.out or self.process.poll() is not None, seconds)
        assert self.out, f"nothing was written; it said: {self.errors[-3000:]}"
        return dict(json.loads(self.out[0]))

    def wait_error(self, words: str, seconds: float = 60.0) -> bool:
        """Whether it said these words in time."""
        with self._news:
            return self._news.wait_for(lambda: words in self.errors, seconds)

    def heeds(self, number: int) -> bool:
        """Whether it has said by now what it does at this signal; before that Python has barely begun."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (number - 1) & 1)
        return False

    def ends(self, seconds: float = 60.0) -> int:
        """Wait for its end; its exit code."""
        code = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(5)
        return code

    def stop(self, number: int = signal.SIGTERM, seconds: float = 60.0) -> int:
        """End it with a signal; its exit code."""
        self.process.send_signal(number)
        return self.ends(seconds)

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)
        for reader in self._readers:
            reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def run_program_line(
    *arguments: str, home: Path, extra: Mapping[str, str] | None = None, seconds: float = 60.0
) -> tuple[int, dict[str, Any]]:
    """Run a command with ``--json`` to its end: exit code and its last line."""
    with Program(*arguments, home=home, extra=extra) as program:
        code = program.ends(seconds)
        assert program.out, f"nothing was written; it said: {program.errors[-3000:]}"
        return code, dict(json.loads(program.out[-1]))
