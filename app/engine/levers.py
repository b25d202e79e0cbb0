"""Where the levers stand: Off, Dry run, On, per project, and the breaker."""

from __future__ import annotations

from dataclasses import dataclass

from app.engine.doors import SiteUnreachable
from app.journal.journal import Journal
from app.journal.rows import LeverPosition, NameRow

__all__ = ["LeverState", "Levers"]


@dataclass(frozen=True, slots=True)
class LeverState:
    """A lever as it applies to one change. ``breaker`` is the reason while the breaker holds the handler paused."""

    position: LeverPosition
    breaker: str = ""


class Levers:
    """Reads levers from the journal, so that an order of any process takes effect at the next look."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def of(self, handler: str, project: str) -> LeverState:
        """The lever of a handler for a project's name ("" where unknown)."""
        return LeverState(*self._journal.lever(handler, project))

    def project_name(self, project_id: str | None, site: object = None) -> str:
        """The name of a project, from the journal's names, else asked from the site; "" when nobody knows."""
        if not project_id:
            return ""
        known = self._journal.named(project_id)
        if known is not None:
            return known.name
        rows = getattr(site, "rows", None)
        if rows is None:
            return ""
        try:
            found = rows(f'select id, name from Project where id is "{project_id}"')
        except SiteUnreachable:
            return ""
        if not found:
            return ""
        name = str(found[0].get("name") or "")
        self._journal.learn_names([NameRow(project_id, "Project", name)])
        return name
