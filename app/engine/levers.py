"""Where the levers stand: Off, Dry run, On, per project, and the breaker."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from app.engine.doors import SiteDoor, SiteUnreachable
from app.journal.journal import Journal
from app.journal.rows import LeverPosition, NameRow
from app.site.query import id_list

__all__ = ["LeverState", "Levers"]


@dataclass(frozen=True, slots=True)
class LeverState:
    """A lever as it applies to one change. ``breaker`` is the reason while the breaker holds the handler paused."""

    position: LeverPosition
    breaker: str = ""


class Levers:
    """Reads levers from the journal, so that an order of any process takes effect at the next look."""

    #: The runs of a new project ask for its name one after the other: the first one's answer is enough.
    _asking: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def of(self, handler: str, project: str) -> LeverState:
        """The lever of a handler for a project's name ("" where unknown)."""
        return LeverState(*self._journal.lever(handler, project))

    def project_name(self, project_id: str | None, site: SiteDoor | None = None) -> str:
        """The name of a project, from the journal's names, else asked from the site; "" when nobody knows."""
        if not project_id:
            return ""
        known = self._journal.named(project_id)
        if known is not None:
            return known.name
        if site is None:
            return ""
        with self._asking:
            known = self._journal.named(project_id)
            if known is not None:
                return known.name
            try:
                return self.learn_projects([project_id], site).get(project_id, "")
            except SiteUnreachable:
                return ""

    def learn_projects(self, project_ids: Iterable[str], site: SiteDoor) -> dict[str, str]:
        """Ask the site for names of projects, in one request, and remember them; never inside a transaction.

        Raises:
            SiteRefusal, SiteUnreachable.
        """
        found = site.rows(f"select id, name from Project where id in {id_list(project_ids)}")
        names = {str(row["id"]): str(row.get("name") or "") for row in found}
        self._journal.learn_names([NameRow(each, "Project", name) for each, name in names.items()])
        return names
