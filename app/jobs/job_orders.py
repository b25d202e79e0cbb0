"""Carries out what people order about jobs and tasks, of either engine."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
from typing import Any

from app.jobs.farm import Farm, JobInDoubt, ManagerOrder
from app.jobs.local import PAUSED, PLATFORM, LocalJobs, Submission
from app.journal.jobs import FINAL_JOB, TASK_LANE
from app.journal.journal import Journal
from app.journal.order_words import order_words
from app.journal.rows import JobRow, OrderRow, TaskRow, TaskStatus
from app.rules.outcomes import Later, PlanError

__all__ = ["JobOrders"]

log = logging.getLogger("signalbox.orders")

_WAITING: tuple[TaskStatus, ...] = ("queued", "soft-failed", "paused")
_UNDONE: tuple[TaskStatus, ...] = ("queued", "soft-failed", "paused", "failed", "canceled")


class Refused(Exception):
    """An order that cannot be carried out; the text says why."""


class JobOrders:
    """Answers orders about jobs. Thread-safe: what an order changes is one transaction of the journal.

    Args:
        journal: Where the orders and the jobs are.
        local: This machine's engine.
        farm: The Manager's link.
        stop_run: Tells a task at work to stop.
    """

    def __init__(self, journal: Journal, local: LocalJobs, farm: Farm, stop_run: Callable[[int], None]) -> None:
        self._journal = journal
        self._local = local
        self._farm = farm
        self._stop_run = stop_run

    def answer(self, order: OrderRow) -> dict[str, Any]:
        """Carry an order out; the result says what came of it, or ``{"refused": why}``."""
        act = getattr(self, f"_order_{order.kind}", None)
        if act is None:
            return {"refused": f"this program does not know the order {order.kind!r}"}
        words = order_words(self._journal, order)
        try:
            result: dict[str, Any] = act(order)
        except JobInDoubt as doubt:
            return {
                "refused": f"{doubt} It may have the job all the same: look in the list before submitting it again."
            }
        except (Refused, PlanError, Later) as refused:
            return {"refused": str(refused)}
        except KeyError as error:
            # Look-ups of the journal raise it with a sentence, a missing argument with its name.
            text = str(error.args[0]) if error.args else ""
            return {"refused": text if " " in text else f"the order {order.kind} lacks {text!r}"}
        except (TypeError, ValueError) as error:
            return {"refused": f"the order {order.kind} cannot be understood: {error}"}
        log.info("%s", words)
        return result

    def _job(self, order: OrderRow) -> JobRow:
        return self._journal.job(int(order.args["job"]))

    def _task(self, order: OrderRow) -> tuple[JobRow, TaskRow]:
        job = self._job(order)
        return job, self._journal.job_task(job.id, int(order.args["task"]))

    # -- jobs ------------------------------------------------------------------------------------------------------

    def _order_submit_job(self, order: OrderRow) -> dict[str, Any]:
        args = order.args
        engine = str(args.get("engine") or "local")
        job_type = str(args["job_type"])
        wanted = Submission(
            job_type=job_type,
            name=str(args.get("name") or job_type),
            settings=_mapping(args, "settings"),
            script=str(args.get("script") or ""),
            helpers={str(name): str(text) for name, text in _mapping(args, "helpers").items()},
            priority=int(args.get("priority", 50)),
            metadata=_mapping(args, "metadata"),
            dedupe=str(args.get("dedupe") or f"order/{order.id}/{order.created:.6f}"),
            who=order.who,
            try_out=bool(args.get("try_out")),
            paused=bool(args.get("paused")),
        )
        if engine == "manager":
            return self.submit_to_manager(wanted)
        if engine != "local":
            raise Refused(f"there is no engine {engine!r}: local or manager")
        stored = self._local.submit(wanted)
        row = self._journal.job(stored.job)
        answer = {"job": stored.job, "new": stored.new, "engine": "local", "status": row.status}
        return {**answer, "doubts": list(stored.doubts)} if stored.doubts else answer

    def submit_to_manager(self, wanted: Submission) -> dict[str, Any]:
        """Submit to the Manager, which runs the script it has. Raises PlanError, Later."""
        body: dict[str, Any] = {
            "name": wanted.name,
            "type": wanted.job_type.removesuffix(".js").replace("_", "-"),
            "priority": wanted.priority,
            "submitter_platform": PLATFORM,
            "settings": dict(wanted.settings),
            "metadata": {"user.name": wanted.who, **wanted.metadata},
        }
        if wanted.paused:
            body["initial_status"] = "paused"
        return self._farm.submit(body, wanted.dedupe)

    def _order_job_cancel(self, order: OrderRow) -> dict[str, Any]:
        if self._of_manager(order, "cancel", _cancellable):
            return {"job": int(order.args["job"])}
        with self._journal.write():
            job = self._job(order)
            _cancellable(job)
            self._journal.wish(job.id, "cancel")
            waiting = [run for run, _ in self._journal.task_runs(job.id, _WAITING)]
            self._journal.set_state(waiting, "cancelled", f"cancelled by {order.who}")
            active = [run for run, _ in self._journal.task_runs(job.id, ["active"])]
            for run in active:
                self._journal.ask_cancel(run)
        for run in active:
            self._stop_run(run)
        return {"job": job.id, "tasks": len(waiting)}

    def _of_manager(self, order: OrderRow, action: ManagerOrder, check: Callable[[JobRow], None]) -> bool:
        """Whether it is a Manager's job, which is ordered there; no transaction waits for a Manager."""
        job = self._job(order)
        if job.engine != "manager":
            return False
        check(job)
        self._farm.order(job, action, order.who)
        return True

    def _order_job_pause(self, order: OrderRow) -> dict[str, Any]:
        if self._of_manager(order, "pause", _pausable):
            return {"job": int(order.args["job"])}
        with self._journal.write():
            job = self._job(order)
            _pausable(job)
            self._journal.wish(job.id, "pause")
            waiting = [run for run, _ in self._journal.task_runs(job.id, ["queued", "soft-failed"])]
            self._journal.set_state(waiting, "paused", f"paused by {order.who}")
        return {"job": job.id, "tasks": len(waiting)}

    def _order_job_resume(self, order: OrderRow) -> dict[str, Any]:
        if self._of_manager(order, "resume", _resumable):
            return {"job": int(order.args["job"])}
        with self._journal.write():
            job = self._job(order)
            _resumable(job)
            return self._let_go(job.id)

    def _let_go(self, job_id: int) -> dict[str, Any]:
        with self._journal.write():
            self._journal.wish(job_id, "")
            paused = self._journal.task_runs(job_id, ["paused"])
            self._journal.queue_tasks(paused)
        return {"job": job_id, "tasks": len(paused)}

    def _order_job_confirm(self, order: OrderRow) -> dict[str, Any]:
        """A person saw the command lines: this script runs from now on, here and in the other jobs that wait for it."""
        with self._journal.write(durable=True):
            job = self._job(order)
            if job.status != "needs-confirmation":
                raise Refused(f"the job {job.name} is {job.status}: it waits for no confirmation")
            self._journal.confirm(job.script_hash, order.who)
            held = self._journal.held_jobs(job.script_hash)
            for each in held:
                if PAUSED in self._journal.job(each).metadata:
                    self._journal.wish(each, "pause")
                else:
                    self._let_go(each)
        return {"job": job.id, "jobs": held}

    def _order_job_requeue(self, order: OrderRow) -> dict[str, Any]:
        """A completed job starts over; of any other, what is not completed is done again (the Manager's rule)."""
        if self._of_manager(order, "requeue", _confirmed):
            return {"job": int(order.args["job"])}
        with self._journal.write():
            job = self._job(order)
            _confirmed(job)
            if self._unconfirmed(job):
                return self._ask_again(job)
            again: tuple[TaskStatus, ...] = ("completed",) if job.status == "completed" else _UNDONE
            self._journal.wish(job.id, "")
            self._journal.queue_tasks(self._journal.task_runs(job.id, again))
            # Twice: what a task waits for is known when all of them are queued again.
            tasks = self._journal.task_runs(job.id, ["queued"])
            self._journal.queue_tasks(tasks)
            for run, _ in self._journal.task_runs(job.id, ["active"]):
                self._journal.ask_cancel(run, wanted=False)
        return {"job": job.id, "tasks": len(tasks)}

    def _unconfirmed(self, job: JobRow) -> bool:
        """Whether nobody has let this job's script run yet; of whose tasks one was done, somebody has."""
        return bool(job.script_hash) and not job.completed and not self._journal.is_confirmed(job.script_hash)

    def _ask_again(self, job: JobRow) -> dict[str, Any]:
        """A job that was cancelled before anybody had confirmed its script waits for that again."""
        self._journal.wish(job.id, "confirm")
        runs = [run for run, _ in self._journal.task_runs(job.id, _UNDONE)]
        self._journal.set_state(runs, "paused", lane=TASK_LANE)
        return {"job": job.id, "tasks": len(runs), "status": "needs-confirmation"}

    def _order_job_priority(self, order: OrderRow) -> dict[str, Any]:
        job, priority = self._job(order), int(order.args["priority"])
        if not 0 <= priority <= 100:
            raise Refused(f"a priority is between 0 and 100, not {priority}")
        if job.engine == "manager":
            self._farm.set_priority(job, priority)
        else:
            self._journal.set_job_priority(job.id, priority)
        return {"job": job.id, "priority": priority}

    def _order_job_delete(self, order: OrderRow) -> dict[str, Any]:
        job_id = int(order.args["job"])
        # Once the Manager has no such job, it is forgotten here too, perhaps before its answer is.
        of_manager = self._of_manager(order, "delete", lambda _: None)
        with self._journal.write():
            if not of_manager and (job := self._job(order)).active:
                raise Refused(f"the job {job.name} is at work: cancel it first")
            self._journal.delete_job(job_id, order.who)
        self.remove_files(job_id)
        return {"job": job_id}

    def remove_files(self, job_id: int) -> None:
        """Remove the logs and the scratch folder of a job that was deleted."""
        for folder in (self._journal.task_log_path(job_id, 0).parent, self._local.scratch(job_id)):
            shutil.rmtree(folder, ignore_errors=True)

    # -- tasks -----------------------------------------------------------------------------------------------------

    def _order_task_cancel(self, order: OrderRow) -> dict[str, Any]:
        job, task = self._task(order)
        if job.engine == "manager":
            self._farm.order_task(job, task.remote_id, "cancel", order.who)
            return {"job": job.id, "task": task.index}
        with self._journal.write():
            job, task = self._task(order)
            if task.status == "active" and task.run_id is not None:
                self._journal.ask_cancel(task.run_id)
            elif task.status in _WAITING and task.run_id is not None:
                self._journal.set_state([task.run_id], "cancelled", f"cancelled by {order.who}")
            else:
                raise Refused(f"the task {task.name} is {task.status}: there is nothing to cancel")
        if task.status == "active" and task.run_id is not None:
            self._stop_run(task.run_id)
        return {"job": job.id, "task": task.index}

    def _order_task_requeue(self, order: OrderRow) -> dict[str, Any]:
        job, task = self._task(order)
        if job.engine == "manager":
            self._farm.order_task(job, task.remote_id, "requeue", order.who)
            return {"job": job.id, "task": task.index}
        with self._journal.write():
            job, task = self._task(order)
            if self._unconfirmed(job):
                raise Refused(
                    f"the task {task.name} cannot be done: nobody has confirmed the command lines of its job; requeue "
                    "the job and look at them"
                )
            if task.run_id is None or (task.status == "active" and not self._journal.cancel_asked(task.run_id)):
                raise Refused(f"the task {task.name} is {task.status}: it cannot be done again now")
            self._journal.wish(job.id, "")
            if task.status == "active":
                self._journal.ask_cancel(task.run_id, wanted=False)
            else:
                self._journal.queue_tasks([(task.run_id, self._journal.task_waits_for(task.id))])
        return {"job": job.id, "task": task.index}

    def _order_task_log_follow(self, order: OrderRow) -> dict[str, Any]:
        job, task = self._task(order)
        if job.engine == "manager":
            self._farm.follow_log(job.id, task.index)
        return {"job": job.id, "task": task.index}


def _cancellable(job: JobRow) -> None:
    if job.status in FINAL_JOB:
        raise Refused(f"the job {job.name} is {job.status}: there is nothing to cancel")


def _pausable(job: JobRow) -> None:
    if job.status in {*FINAL_JOB, "needs-confirmation", "cancel-requested"}:
        raise Refused(f"the job {job.name} is {job.status}: there is nothing to pause")


def _resumable(job: JobRow) -> None:
    if job.status not in ("paused", "pause-requested"):
        raise Refused(f"the job {job.name} is {job.status}: only a paused job is resumed")


def _confirmed(job: JobRow) -> None:
    if job.status == "needs-confirmation":
        raise Refused(f"the job {job.name} waits for its command lines to be confirmed")


def _mapping(args: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = args.get(key) or {}
    if not isinstance(value, Mapping):
        raise Refused(f"{key} must be names and values")
    return value
