"""The last pictures that a Manager's jobs rendered, beside the logs of their tasks."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from app.jobs.manager_client import ManagerClient, ManagerError, ManagerNonsense, ManagerUnreachable
from app.journal.journal import Journal

__all__ = ["FarmPictures"]

log = logging.getLogger("signalbox.flamenco")


class FarmPictures:
    """Fetches pictures one after the other: a Manager with hundreds of jobs is not asked for all of them at once.

    Args:
        journal: Where the jobs stand, and beside which the pictures are kept.
        client: The Manager.
        chore: Has something done on the loop.
    """

    def __init__(
        self, journal: Journal, client: ManagerClient, chore: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self._journal = journal
        self._client = client
        self._chore = chore
        self._wanted: dict[str, None] = {}
        self._missed: set[str] = set()
        self._made_up = 0.0
        self._fetching = False
        self._is_full = False

    def want(self, remote_id: str) -> None:
        """Fetch the last picture of a job, if it has one, in its turn."""
        self._wanted[remote_id] = None
        if not self._fetching:
            self._fetching = True
            self._chore(self._fetch())

    def make_up(self, known: Collection[str], pause: float) -> None:
        """Try again for jobs that are still known, ``pause`` seconds after the last time at the earliest."""
        now = time.monotonic()
        if now - self._made_up > pause:
            missed = (self._missed | set(self._wanted)) & set(known)
            self._made_up, self._missed = now, set()
            for remote_id in missed:
                self.want(remote_id)

    async def _fetch(self) -> None:
        try:
            while self._wanted:
                remote_id = next(iter(self._wanted))
                del self._wanted[remote_id]
                if not await self._fetch_one(remote_id):
                    self._missed.add(remote_id)
        finally:
            self._fetching = False

    async def _fetch_one(self, remote_id: str) -> bool:
        """Whether there is nothing left to do for this job."""
        job_id = self._journal.job_of_remote(remote_id)
        if job_id is None:
            return False
        try:
            data = await self._client.picture(remote_id)
        except (ManagerError, ManagerUnreachable, ManagerNonsense) as error:
            log.debug("the last picture of job %s: %s", remote_id, error)
            return isinstance(error, ManagerError)
        return not data or self._keep(job_id, data)

    def _keep(self, job_id: int, data: bytes) -> bool:
        target = self._journal.task_log_path(job_id, 0).with_name("last-rendered.jpg")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            fresh = target.with_suffix(".new")  # whoever looks meanwhile sees the one before, never half of this one
            fresh.write_bytes(data)
            fresh.replace(target)
            self._journal.set_last_rendered(job_id, str(target))
        except OSError as error:
            if not self._is_full:
                log.warning("the last picture of job %s cannot be kept: %s", job_id, error)
            self._is_full = True
            return False
        self._is_full = False
        return True
