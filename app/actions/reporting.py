"""An action's run as a Job on ftrack, so that whoever launched it sees in the page how far it is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from app.actions.job_report import JobReport
from app.engine.deciding import launch_of
from app.engine.doors import Doors
from app.engine.executor import Cut, Ending, NoProgress, RunCancelled, RunExecutor, Stopping, Tools
from app.engine.levers import Levers
from app.engine.protocol import Action, Later, natural_id
from app.engine.retry import decide
from app.journal.journal import Journal
from app.journal.queue import QueuedRun

__all__ = ["ReportedActions"]

_STATUS = {"done": "done", "skipped": "done", "superseded": "done", "planned": "done", "failed": "failed"}
_STATUS |= {"cancelled": "failed", "stopped": "failed", "in_doubt": "failed"}
#: Seconds between two descriptions of a slow step: ftrack tells every open page of each.
_PACE = 2.0
#: The journal's fact that says which ends the site has not been told: id of the run to status and words.
_OWED = "jobs_to_end"
#: States of runs that tell of themselves again.
_OPEN = ("queued", "running", "retry", "waiting", "paused")


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
        if not self._reports(run, tools.journal):
            return self._inner.execute(batch, tools)
        job = self._job(run, tools.doors)
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
            self._end(job, run, tools, "failed", str(error))
            raise
        except Exception as error:
            words = str(error) or type(error).__name__
            if decide(error, run.attempts, tools.settings).again:
                job.say("running", f"is tried again: {words}")
            else:
                self._end(job, run, tools, "failed", words)
            raise
        # All that is left is on its way outside: what the person asked for is there.
        there = ending.state == "waiting" and ending.lane == "outbox"
        status = "done" if there else _STATUS.get(ending.state, "running")
        words = "; ".join((ending.reason or ending.state, *_planned(run, tools)))
        if status == "running":
            job.say(status, words)
        else:
            self._end(job, run, tools, status, words)
        return ending

    def cancelled(self, run: QueuedRun, journal: Journal, words: str) -> None:
        """See `ShownElsewhere`."""
        if self._reports(run, journal) or _queued_job(run):
            _owe(journal, run.id, "failed", words)

    def tell(self, journal: Journal, doors: Doors) -> bool:
        """See `ShownElsewhere`."""
        for run_id, (status, words) in (journal.fact(_OWED) or {}).items():
            try:
                run = journal.queued_run(int(run_id))
            except KeyError:
                run = None  # forgotten by now
            # One that goes on by order says how it ends itself.
            if run is not None and (run.state not in _OPEN or run.lane == "outbox"):
                job = self._job(run, doors)
                if not job.say(status, words) and job.unheard:
                    return True
            _settle(journal, run_id, [status, words])
        return False

    @staticmethod
    def _end(job: JobReport, run: QueuedRun, tools: Tools, status: str, words: str) -> None:
        """The last word of a run; where the site is away it is said when the site is back."""
        if not job.say(status, words) and job.unheard:
            _owe(tools.journal, run.id, status, words)

    def _reports(self, run: QueuedRun, journal: Journal) -> bool:
        if run.dry:
            return _queued_job(run) is not None  # who asked on the page what would change is told there
        reports = getattr(self._actions.get(run.handler), "reports", True)
        return bool(reports) and not self._dry_lever(run, journal)

    def _job(self, run: QueuedRun, doors: Doors) -> JobReport:
        action = self._actions.get(run.handler)
        return _report(run, doors, action.title if action is not None else run.handler)

    @staticmethod
    def _dry_lever(run: QueuedRun, journal: Journal) -> bool:
        """A lever on Dry run plans and touches nothing, so it reports nothing either."""
        lever = Levers(journal).of(run.handler, run.project)
        return lever.position == "dry" and not run.facts.get("plan_hash")


def _owe(journal: Journal, run_id: int, status: str, words: str) -> None:
    with journal.write():
        journal.set_fact(_OWED, {**(journal.fact(_OWED) or {}), str(run_id): [status, words]})


def _settle(journal: Journal, run_id: str, told: list[str]) -> None:
    """What was told is owed no longer, unless it is another word by now."""
    with journal.write():
        owed = journal.fact(_OWED) or {}
        if owed.get(run_id) == told:
            del owed[run_id]
            journal.set_fact(_OWED, owed)


def _report(run: QueuedRun, doors: Doors, title: str) -> JobReport:
    """The Job that was queued with the launch, else one whose id is made of the run: resumed, it is the same one."""
    site = doors.site()
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
