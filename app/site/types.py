"""Small types that the site room shares with those above it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs in where. The key is in no representation of it.

    Attributes:
        server: The site's URL without a trailing slash.
        api_user: The user name.
        api_key: The key.
    """

    server: str
    api_user: str
    api_key: str = field(repr=False)


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


class WrongKey(SiteRefusal):
    """The site does not know this user with this key: a person must correct the settings."""


class SiteUnreachable(Exception):
    """The site did not answer: worth a retry. In doubt whether a commit happened: ``is_done`` tells."""


class NotFtrack(SiteUnreachable):
    """Something answered at that address, but not as an ftrack site does."""
