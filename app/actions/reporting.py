"""An action's run as a Job on ftrack, so that whoever launched it sees in the page how far it is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from app.actions.job_report import JobReport
from app.engine.deciding import launch_of
from app.engine.executor import Cut, Ending, NoProgress, RunCancelled, RunExecutor, Stopping, Tools
from app.engine.levers import Levers
from app.engine.protocol import Action, Later, natural_id
from app.engine.retry import decide
from app.journal.queue import QueuedRun

__all__ = ["ReportedActions"]

_STATUS = {"done": "done", "skipped": "done", "superseded": "done", "planned": "done", "failed": "failed"}
_STATUS |= {"cancelled": "failed", "stopped": "failed", "in_doubt": "failed"}
#: Seconds between two descriptions of a slow step: ftrack tells every open page of each.
_PACE = 2.0


class ReportedActions:
    """Executes action runs and keeps a Job of the launching user up to date.

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
        if not self._reports(run, tools):
            return self._inner.execute(batch, tools)
        job = self._job(run, tools)
        if tools.lane == "main":
            job.say("running", "at work")
        tools.told = _Paced(job)
        try:
            ending = self._inner.execute(batch, tools)
        except Later as later:
            job.say("running", f"waits: {later}")
            raise
        except Stopping as stopping:
            job.say("running", str(stopping))
            raise
        except (Cut, NoProgress, RunCancelled) as error:
            job.say("failed", str(error))
            raise
        except Exception as error:
            words = str(error) or type(error).__name__
            again = decide(error, run.attempts, tools.settings).again
            job.say(*(("running", f"is tried again: {words}") if again else ("failed", words)))
            raise
        # All that is left is on its way outside: what the person asked for is there.
        there = ending.state == "waiting" and ending.lane == "outbox"
        status = "done" if there else _STATUS.get(ending.state, "running")
        job.say(status, "; ".join((ending.reason or ending.state, *_planned(run, tools))))
        return ending

    def cancelled(self, run: QueuedRun, tools: Tools, words: str) -> None:
        """See `ShownElsewhere`."""
        if self._reports(run, tools) or _queued_job(run):
            self._job(run, tools).say("failed", words)

    def _reports(self, run: QueuedRun, tools: Tools) -> bool:
        if run.dry:
            return _queued_job(run) is not None  # who asked on the page what would change is told there
        reports = getattr(self._actions.get(run.handler), "reports", True)
        return bool(reports) and not self._dry_lever(run, tools)

    def _job(self, run: QueuedRun, tools: Tools) -> JobReport:
        action = self._actions.get(run.handler)
        return _report(run, tools, action.title if action is not None else run.handler)

    @staticmethod
    def _dry_lever(run: QueuedRun, tools: Tools) -> bool:
        """A lever on Dry run plans and touches nothing, so it reports nothing either."""
        lever = Levers(tools.journal).of(run.handler, run.project)
        return lever.position == "dry" and not run.facts.get("plan_hash")


def _report(run: QueuedRun, tools: Tools, title: str) -> JobReport:
    """The Job that was queued with the launch, else one whose id is made of the run: resumed, it is the same one."""
    site = tools.doors.site()
    key = _queued_job(run) or natural_id(site.server, "job of run", run.mark)
    return JobReport(site, key, launch_of(run).user_id or site.own_user_id(), title, run.id)


def _queued_job(run: QueuedRun) -> str | None:
    """The id of the Job that was queued with the launch."""
    found: str | None = (run.facts.get("launch") or {}).get("job")
    return found


def _planned(run: QueuedRun, tools: Tools) -> list[str]:
    """What a dry run would do, as far as a Job has room for it; nothing of other runs."""
    return [effect.words for effect in tools.journal.effects_of(run.id)] if run.dry else []


class _Paced:
    """Passes on what slow steps tell, now and then; after a refusal no more."""

    def __init__(self, job: JobReport) -> None:
        self._job = job
        self._due = 0.0

    def __call__(self, words: str) -> None:
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _PACE if self._job.say("running", words) else float("inf")
