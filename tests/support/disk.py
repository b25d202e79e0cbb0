"""A disk that is full for a while, for this process alone."""

from __future__ import annotations

import resource


class Disk:
    """While it is full no file grows beyond its first page."""

    def __init__(self) -> None:
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        """No room from now on."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, self._limits[1]))

    def make_room(self) -> None:
        """Room again."""
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)
