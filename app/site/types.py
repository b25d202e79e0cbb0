"""Small types that the site room shares with those above it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Named:
    """An id with its name, e.g. a status or a type. ``extra`` carries what else the look-up read."""

    id: str
    name: str
    extra: Mapping[str, Any]


class SiteRefusal(Exception):
    """The site refused the operations; nothing of the batch was stored. ``name`` is the server's error class."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class SiteUnreachable(Exception):
    """The site did not answer: worth a retry. In doubt whether a commit happened: ``is_done`` tells."""
