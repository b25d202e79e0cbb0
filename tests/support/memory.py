"""How much this process grows while something runs."""

from __future__ import annotations

import resource
import threading
from pathlib import Path


class Memory:
    """Growth of resident memory within a ``with``, MB; ``most`` is the largest seen."""

    def __init__(self) -> None:
        self.most, self._first, self._end = 0.0, self._now(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    @staticmethod
    def _now() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)

    def _watch(self) -> None:
        while not self._end.wait(0.05):
            self.most = max(self.most, self._now() - self._first)
