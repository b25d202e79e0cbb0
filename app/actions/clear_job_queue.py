"""Clear Job Queue: the launching user's queued and running jobs, ticked off."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field as Setting

from app.actions.base import Action, ActionSettings, Again, Asked, Go
from app.actions.forms import Choice, Field, Form, read
from app.actions.job_report import OWN_JOB
from app.actions.who import is_one_of, roles_of
from app.effects.ftrack import UpdateEntity
from app.engine.doors import SiteDoor
from app.engine.protocol import Context, Effect, Expect, HandlerSettings, Launch, Note, Plan
from app.site.query import chunks, id_list, quoted

__all__ = ["ClearJobQueue", "ClearJobQueueSettings"]

_OWN_DAY = dt.timedelta(days=1)
_OPEN = ("queued", "running")


class ClearJobQueueSettings(ActionSettings):
    """What is listed and what the ticked ones become."""

    target: Literal["done", "failed"] = Setting(default="done", description="What ticked jobs are set to.")
    types: list[str] = Setting(
        default_factory=lambda: ["api_job"], description="Job types that are listed; ftrack's own are left alone."
    )
    protect_minutes: float = Setting(
        default=0.0,
        ge=0,
        description="Jobs younger than so many minutes are not listed.",
        json_schema_extra={"unit": "min"},
    )
    most: int = Setting(default=200, ge=1, le=2000, description="At most so many jobs are listed, the oldest first.")
    supervisors: list[str] = Setting(
        default_factory=list, description="Security roles whose people may clear the jobs of everybody; empty: nobody."
    )


class ClearJobQueue(Action):
    """Lists the person's open jobs with tick boxes and sets the ticked ones to done."""

    id: ClassVar[str] = "clear_job_queue"
    title: ClassVar[str] = "Clear Job Queue"
    help: ClassVar[str] = "Set your queued and running ftrack jobs to done."
    icon: ClassVar[str] = "queue"
    reports: ClassVar[bool] = False
    settings_model: ClassVar[type[HandlerSettings]] = ClearJobQueueSettings

    def key(self, launch: Launch) -> str:
        return f"jobs:{launch.user_id}"

    def step(self, asked: Asked) -> Form | Again | Go:
        if asked.values is None:
            return self._page(asked)
        form = self._page(asked)
        if not any(field.name == "jobs" for field in form.fields):
            return form
        good, problems = read(form, asked.values)
        if problems:
            return Again(form, problems)
        if not good["jobs"]:
            return Again(form, {"jobs": "nothing is ticked"})
        count = len(good["jobs"])
        return Go(
            {"jobs": good["jobs"]}, f"Started: {count} job{'s' if count != 1 else ''} set to {asked.settings.target}."
        )

    def _page(self, asked: Asked) -> Form:
        everybody = _supervises(asked.site, asked.settings, asked.user_id)
        jobs = _open_jobs(asked.site, asked.settings, "" if everybody else asked.user_id)
        if not jobs:
            words = "Nobody has queued or running jobs." if everybody else "You have no queued or running jobs."
            return Form(title=self.title, fields=(Field(kind="note", label=words),), submit="Close")
        choices = tuple(
            Choice(
                value=str(job["id"]),
                label=f"{_owner(job)}: {_label(job)}" if everybody else _label(job),
                description=str(job.get("status", "")),
            )
            for job in jobs
        )
        own = [str(job["id"]) for job in jobs if job["user_id"] == asked.user_id]
        ticks = Field(kind="choices", name="jobs", label="Jobs", choices=choices, value=own)
        return Form(title=self.title, fields=(ticks,), submit=f"Set to {asked.settings.target}")

    def plan(self, launch: Launch, ctx: Context) -> Plan:
        ticked = [str(key) for key in launch.values.get("jobs", ())]
        found: dict[str, Mapping[str, Any]] = {}
        for some in chunks(ticked):
            rows = ctx.site.rows(
                f"select id, status, type, user_id, data, created_at from Job where id in {id_list(some)}"
            )
            found.update({str(row["id"]): row for row in rows})
        everybody = _supervises(ctx.site, ctx.settings, launch.user_id or "")
        effects: list[Effect] = []
        notes: list[Note] = []
        for key in dict.fromkeys(ticked):
            job = found.get(key)
            refusal = _refusal(job, launch, ctx, everybody=everybody)
            if refusal is not None:
                notes.append(Note(key, *refusal))
                continue
            assert job is not None
            effects.append(
                UpdateEntity(
                    slot=f"job:{key}",
                    reason=f"ticked by {launch.username}",
                    entity_id=key,
                    entity_type="Job",
                    id=key,
                    values={"status": ctx.settings.target},
                    label=_label(job),
                    expects=(Expect("Job", key, "status", job["status"]),),
                )
            )
        return Plan(tuple(effects), tuple(notes))


def _refusal(job: Mapping[str, Any] | None, launch: Launch, ctx: Context, *, everybody: bool) -> tuple[Any, str] | None:
    if job is None:
        return "skipped", "the job no longer exists"
    if job["status"] not in _OPEN:
        return "already", f"the job is {job['status']} already"
    if job["user_id"] != launch.user_id and not everybody:
        return "skipped", "the job belongs to somebody else"
    if _ours(job, ctx.clock.now()):
        return "skipped", "this server is running the job; cancel its run in the panel instead"
    return None


def _supervises(site: SiteDoor, settings: ClearJobQueueSettings, user_id: str) -> bool:
    return bool(settings.supervisors) and is_one_of(roles_of(site, user_id), settings.supervisors)


def _open_jobs(site: SiteDoor, settings: ClearJobQueueSettings, user_id: str) -> list[Mapping[str, Any]]:
    """Queued and running jobs, the oldest first; "" takes everybody's."""
    whose = f"and user_id is {quoted(user_id)} " if user_id else ""
    types = id_list(settings.types) if settings.types else '("")'
    rows = site.rows(
        "select id, status, type, user_id, user.username, data, created_at from Job "
        f'where status in ("queued", "running") and type in {types} {whose}order by created_at limit {settings.most}'
    )
    now = dt.datetime.now(dt.UTC)
    youngest = now - dt.timedelta(minutes=settings.protect_minutes)
    return [row for row in rows if not _ours(row, now) and (_created(row) or now) <= youngest]


def _ours(job: Mapping[str, Any], now: dt.datetime) -> bool:
    """Whether this server is working on it: its own reports end with their runs, one left behind is a day old."""
    created = _created(job)
    return bool(_data(job).get(OWN_JOB)) and (created is None or now - created < _OWN_DAY)


def _created(job: Mapping[str, Any]) -> dt.datetime | None:
    value = job.get("created_at")
    text = value.get("value") if isinstance(value, Mapping) else value
    try:
        moment = dt.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _data(job: Mapping[str, Any]) -> Mapping[str, Any]:
    """A job's data; other people's programs write anything into it."""
    data = job.get("data")
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except ValueError:
            return {"description": data[:120]}
    return data if isinstance(data, Mapping) else {}


def _owner(job: Mapping[str, Any]) -> str:
    return str((job.get("user") or {}).get("username") or "a user who is gone")


def _label(job: Mapping[str, Any]) -> str:
    words = str(_data(job).get("description") or "no description")
    created = job.get("created_at")
    stamp = created.get("value") if isinstance(created, Mapping) else created
    return f"{words} ({str(stamp)[:16].replace('T', ' ')})" if stamp else words
