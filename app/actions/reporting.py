"""An action's run as a Job on ftrack, so that whoever launched it sees in the page how far it is."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from app.actions.clear_job_queue import OWN_JOB
from app.engine.executor import Ending, RunExecutor, Tools
from app.engine.levers import Levers
from app.engine.plans import launch_of
from app.engine.protocol import Action, Later, PlanError, natural_id
from app.journal.queue import QueuedRun
from app.site.query import quoted
from app.site.types import SiteRefusal, SiteUnreachable

__all__ = ["ReportedActions"]

_LONGEST = 500
_STATUS = {"done": "done", "skipped": "done", "superseded": "done", "planned": "done", "failed": "failed"}
_STATUS |= {"cancelled": "failed", "stopped": "failed", "in_doubt": "failed"}


class ReportedActions:
    """Executes action runs and keeps a Job of the launching user up to date.

    The Job is a report, no part of the plan: when the site refuses it the run goes on, and the log says so.

    Args:
        inner: Executes the run.
        actions: By id.
    """

    def __init__(self, inner: RunExecutor, actions: Mapping[str, Action]) -> None:
        self._inner = inner
        self._actions = actions

    def execute(self, batch: Sequence[QueuedRun], tools: Tools) -> Ending:
        """See `RunExecutor`."""
        run = batch[0]
        action = self._actions.get(run.handler)
        silent = run.dry or not getattr(action, "reports", True) or self._dry_lever(run, tools)
        job = _Job(run, tools, action.title if action is not None else run.handler, silent=silent)
        job.say("running", "running")
        try:
            ending = self._inner.execute(batch, tools)
        except Later as later:
            job.say("running", f"waits: {later}")
            raise
        except PlanError as error:
            job.say("failed", str(error))
            raise
        except (SiteUnreachable, OSError) as error:
            job.say("running", f"is tried again: {error}")
            raise
        except Exception as error:
            job.say("failed", str(error) or type(error).__name__)
            raise
        job.say(_STATUS.get(ending.state, "running"), ending.reason or ending.state)
        return ending

    @staticmethod
    def _dry_lever(run: QueuedRun, tools: Tools) -> bool:
        """A lever on Dry run plans and touches nothing, so it reports nothing either."""
        lever = Levers(tools.journal).of(run.handler, run.project)
        return lever.position == "dry" and not run.facts.get("plan_hash")


class _Job:
    """The Job of one run; its id is made of the run's, so that a resumed run reports to the same one."""

    def __init__(self, run: QueuedRun, tools: Tools, title: str, *, silent: bool) -> None:
        self._run = run
        self._tools = tools
        self._title = title
        self._silent = silent
        self._log = logging.getLogger("signalbox.actions")

    def say(self, status: str, words: str) -> None:
        """Write status and description."""
        if self._silent:
            return
        try:
            self._write(status, f"{self._title}: {words}"[:_LONGEST])
        except (SiteRefusal, SiteUnreachable) as error:
            self._log.warning("the Job of run %s could not be written: %s", self._run.id, error)

    def _write(self, status: str, description: str) -> None:
        site = self._tools.doors.site()
        key = natural_id(site.server, "job of run", str(self._run.id), str(self._run.created))
        data: dict[str, Any] = {"description": description, OWN_JOB: self._run.id}
        values = {"status": status, "data": json.dumps(data)}
        if site.rows(f"select id from Job where id is {quoted(key)}"):
            site.call([_operation("update", key, values)])
            return
        user = launch_of(self._run).user_id or site.own_user_id()
        site.call([_operation("create", key, {"id": key, "type": "api_job", "user_id": user, **values})])


def _operation(action: str, key: str, values: Mapping[str, Any]) -> dict[str, Any]:
    data = {"__entity_type__": "Job", **values}
    return {"action": action, "entity_type": "Job", "entity_key": [key], "entity_data": data}
