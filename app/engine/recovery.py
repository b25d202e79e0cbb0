"""The first thing after a start: every run found running is an orphan of a program that ended.

Nothing is decided here. An orphan goes back into the queue with its plan; the executor asks each effect that was being
applied whether it happened, plans again when nothing did, and resumes the stored plan when something did.
"""

from __future__ import annotations

import logging

from app.journal.journal import Journal

__all__ = ["recover_runs"]

log = logging.getLogger("signalbox.recovery")


def recover_runs(journal: Journal) -> int:
    """Queue every orphan again; returns how many there were."""
    orphans = journal.orphans()
    with journal.write(durable=True):
        for run in orphans:
            followers = [each.id for each in journal.followers(run.id)]
            journal.set_state([run.id], "queued", "the program ended in the middle: taken up again")
            journal.set_state(followers, "queued", "", release=run.plan is None)
    for run in orphans:
        log.warning("taken up again after the program ended in the middle", extra=run.log_fields)
    return len(orphans)
