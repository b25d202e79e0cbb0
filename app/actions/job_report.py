"""The ftrack Job of a launch: what a person sees of it in ftrack's page, from "queued" to how it ended."""

from __future__ import annotations

import json
import logging

from app.engine.doors import SiteDoor, SiteRefusal, SiteUnreachable
from app.site.operations import operation

__all__ = ["OWN_JOB", "JobReport"]

log = logging.getLogger("signalbox.actions")

#: Key in a job's data that marks jobs this server made; those still running here are protected.
OWN_JOB = "signalbox_run"
_LONGEST = 500


class JobReport:
    """One Job. It is a report, no part of the work: when the site refuses it the work goes on, and the log says so.

    Args:
        site: Where it is written.
        key: The Job's id.
        user_id: Whose it is.
        title: Of the action, before all it says.
        run: Id of the run; 0 while there is none.
        new: It cannot be there yet, so nobody need look.
    """

    def __init__(self, site: SiteDoor, key: str, user_id: str, title: str, run: int = 0, *, new: bool = False) -> None:
        self._site = site
        self._key = key
        self._user = user_id
        self._title = title
        self._run = run
        self._known: bool | None = False if new else None
        #: Whether the site could not be reached when it was told last: worth saying again.
        self.unheard = False

    def say(self, status: str, words: str) -> bool:
        """Write status ("queued", "running", "done", "failed") and description; whether the site took it."""
        data = {"description": f"{self._title}: {words}"[:_LONGEST], OWN_JOB: self._run or "queued"}
        values = {"status": status, "data": json.dumps(data)}
        self.unheard = False
        try:
            if self._known is None:
                self._known = bool(self._site.rows(f'select id from Job where id is "{self._key}"'))
            if self._known:
                self._site.call([operation("update", "Job", [self._key], values)])
            else:
                made = {"id": self._key, "type": "api_job", "user_id": self._user, **values}
                self._site.call([operation("create", "Job", [self._key], made)])
                self._known = True
        except (SiteRefusal, SiteUnreachable) as error:
            log.warning("the Job of %s (run %s) could not be written: %s", self._title, self._run or "?", error)
            self.unheard = isinstance(error, SiteUnreachable)
            return False
        return True
