"""The configured Manager beside the local engine: its jobs mirrored into the journal, orders carried to it.

One thread with its own asyncio loop. What the Manager says is the truth; the journal shows it, so that the window and
the command line read one list whether or not they live in this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from app.jobs.farm_link import CompileRemote, FarmLink
from app.jobs.manager_client import (
    ManagerError,
    ManagerNonsense,
    ManagerUnreachable,
)
from app.journal.journal import Journal
from app.journal.rows import JobRow, JournalUnwritable
from app.rules.outcomes import Later, PlanError
from app.settings.models import FlamencoSettings

if TYPE_CHECKING:
    from app.jobs.manager_live import Rhythm

__all__ = ["Farm", "JobInDoubt", "ManagerOrder"]

log = logging.getLogger("signalbox.flamenco")

_SETTINGS_SECONDS = 1.0
_ANSWER_SECONDS = 120.0
#: A Manager that is away and did not say for how long.
_LATER_SECONDS = 30.0
_STOP_SECONDS = 10.0
_LINK_SECONDS = 20.0
_LINK_LOOK_SECONDS = 0.02

ManagerOrder = Literal["cancel", "pause", "resume", "requeue", "delete"]
T = TypeVar("T")


class JobInDoubt(Later):
    """The Manager may or may not have taken the job: it is looked for before another try."""

    in_doubt = True


class Farm:
    """The link to the Manager named in the settings; does nothing while none is named. Thread-safe.

    Args:
        journal: Where its jobs are mirrored.
        settings: The Flamenco section, read anew for each use.
        compile_remote: For dependencies, which the Manager never tells.
        rhythm: Times of the live line; None: the usual ones.
    """

    def __init__(
        self,
        journal: Journal,
        settings: Callable[[], FlamencoSettings],
        compile_remote: CompileRemote,
        rhythm: Rhythm | None = None,
    ) -> None:
        self._journal = journal
        self._settings = settings
        self._compile = compile_remote
        self._rhythm = rhythm
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="farm", daemon=True)
        self._link: FarmLink | None = None
        self._has_lamp = False

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Leave the Manager and end the thread. Safe to call twice."""
        if self._loop.is_closed():
            return
        if self._thread.ident is not None:
            self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join(_STOP_SECONDS)
        else:
            self._loop.close()

    # -- for other threads -----------------------------------------------------------------------------------------

    def submit(self, body: Mapping[str, Any], dedupe: str) -> dict[str, Any]:
        """Submit once; ``{"job", "remote_id", "engine", "status"}``.

        Raises:
            PlanError: No Manager is set, or it refuses.
            JobInDoubt: It may have taken the job.
            Later: It cannot be reached.
        """
        # Where not even the type is told, nothing was submitted: there is no doubt.
        job_type = self._ask(lambda link: link.client.job_type(str(body["type"])))
        try:
            return self._ask(lambda link: link.submit(body, job_type, dedupe), doubtful=True)
        except JournalUnwritable as error:
            raise JobInDoubt(str(error), _LATER_SECONDS) from error

    def find(self, dedupe: str) -> dict[str, Any] | None:
        """The job with this key, None when the Manager has none. Raises PlanError, Later."""
        return self._ask(lambda link: link.find(dedupe))

    def order(self, job: JobRow, order: ManagerOrder, who: str) -> None:
        """Carry an order about a job to the Manager. Raises PlanError, Later."""
        # Requeueing takes up what is not completed: that is what resuming means there.
        wanted = {"cancel": "cancel-requested", "pause": "pause-requested"}
        if order == "delete":
            self._ask(lambda link: link.delete(job.remote_id))
        else:
            reason = f"{order} by {who} in Signalbox"
            self._ask(lambda link: link.client.set_job_status(job.remote_id, wanted.get(order, "requeueing"), reason))

    def order_task(self, job: JobRow, remote_id: str, order: Literal["cancel", "requeue"], who: str) -> None:
        """Carry an order about a task of a job to the Manager. Raises PlanError, Later."""
        reason = f"{order} by {who} in Signalbox"
        self._ask(lambda link: link.order_task(job.remote_id, remote_id, order, reason))

    def set_priority(self, job: JobRow, priority: int) -> None:
        """Set a job's priority there. Raises PlanError, Later."""
        self._ask(lambda link: link.client.set_priority(job.remote_id, priority))

    def follow_log(self, job_id: int, task: int) -> None:
        """Bring a task's log into its file for the next while; ask again to keep it coming. Raises PlanError."""
        job, remote = self._journal.job(job_id).remote_id, self._journal.job_task(job_id, task).remote_id
        self._ask(lambda link: link.follow(job_id, task, job, remote))

    def _ask(self, question: Callable[[FarmLink], Awaitable[T]], *, doubtful: bool = False) -> T:
        """Have the loop do something with the Manager, and wait for it."""
        link = self._linked()

        async def asked() -> T:
            return await question(link)

        future = asyncio.run_coroutine_threadsafe(asked(), self._loop)
        try:
            return future.result(_ANSWER_SECONDS)
        except ManagerError as error:
            raise PlanError(str(error)) from error
        except ManagerUnreachable as error:
            raise (JobInDoubt if doubtful else Later)(str(error), error.seconds or _LATER_SECONDS) from error
        except ManagerNonsense as error:
            raise (JobInDoubt if doubtful else Later)(str(error)) from error
        except CancelledError as error:
            raise (JobInDoubt if doubtful else Later)("Signalbox leaves the Flamenco Manager") from error
        except TimeoutError as error:
            future.cancel()
            raise (JobInDoubt if doubtful else Later)(
                f"the Flamenco Manager did not answer within {_ANSWER_SECONDS:g} s"
            ) from error

    def _linked(self) -> FarmLink:
        """The link; after a start, or where another Manager was just set, it is a moment on its way."""
        until = time.monotonic() + _LINK_SECONDS
        while (link := self._link) is None:
            if not self._settings().manager.strip():
                raise PlanError("no Flamenco Manager is set (settings, flamenco.manager)")
            if time.monotonic() > until or self._ending.is_set():
                raise Later("the link to the Flamenco Manager is not up yet", _LATER_SECONDS)
            threading.Event().wait(_LINK_LOOK_SECONDS)
        return link

    # -- the loop --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._keep())
        finally:
            # Who still waits for an answer is told that none comes.
            asked = asyncio.all_tasks(self._loop)
            for each in asked:
                each.cancel()
            self._loop.run_until_complete(asyncio.gather(*asked, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _keep(self) -> None:
        """Keep the link to whatever Manager the settings name."""
        known = ("", 0.0, 0.0)
        while not self._ending.is_set():
            try:
                known = await self._link_to_the_set_one(known)
                if self._link is not None:
                    await self._link.tidy()
            except Exception:
                log.exception("looking after the link to the Flamenco Manager failed, goes on")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _SETTINGS_SECONDS)
        await self._leave()

    async def _link_to_the_set_one(self, known: tuple[str, float, float]) -> tuple[str, float, float]:
        """One look at the settings; what the link was made with."""
        settings = self._settings()
        url = settings.manager.strip().rstrip("/")
        wanted = (url, settings.timeout, settings.poll)
        if known != wanted:
            if url != known[0]:
                await self._leave()
            if url:
                from app.jobs.manager_live import Rhythm  # with it comes the HTTP client, which weighs 10 MB

                rhythm = self._rhythm or Rhythm(poll=settings.poll)
                if self._link is None:
                    self._link = FarmLink(self._journal, url, settings.timeout, self._compile, rhythm)
                    self._link.start()
                self._link.keep_time(settings.timeout, rhythm)
        return wanted

    async def _leave(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            self._has_lamp = True
            await link.stop()
        if self._has_lamp:
            self._journal.set_health("flamenco", "off", "no Flamenco Manager is watched")
            self._has_lamp = False
