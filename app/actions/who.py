"""What a person is on the site: security roles and groups, by name without case."""

from __future__ import annotations

from collections.abc import Iterable

from app.engine.doors import SiteDoor
from app.site.query import quoted

__all__ = ["groups_of", "is_one_of", "roles_of"]


def roles_of(site: SiteDoor, user_id: str, username: str = "") -> frozenset[str]:
    """Security roles of a user, known by id or else by name."""
    rows = site.rows(f"select security_role.name from UserSecurityRole where {_who(user_id, username)}")
    return frozenset(str((row.get("security_role") or {}).get("name", "")).casefold() for row in rows)


def groups_of(site: SiteDoor, user_id: str, username: str = "") -> frozenset[str]:
    """Groups of a user."""
    rows = site.rows(f"select group.name from Membership where {_who(user_id, username)}")
    return frozenset(str((row.get("group") or {}).get("name", "")).casefold() for row in rows)


def is_one_of(own: frozenset[str], wanted: Iterable[str]) -> bool:
    """Whether one of the names as a person wrote them is among somebody's own."""
    return not own.isdisjoint(name.casefold() for name in wanted)


def _who(user_id: str, username: str) -> str:
    return f"user_id is {quoted(user_id)}" if user_id else f"user.username is {quoted(username)}"
