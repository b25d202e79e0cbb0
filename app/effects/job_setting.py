"""Jobs that settings ask for, with texts that name what they are about: any handler and any action may have them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.effects.job import SubmitJob
from app.engine.protocol import Context, Effect, HandlerSettings, Occasion, PlanError
from app.rules.templates import check_template, render_text
from app.settings.models import setting
from app.site.query import quoted

__all__ = ["JobSetting", "WithJobs", "jobs_setting"]


class JobSetting(BaseModel):
    """A job. ``name`` and the texts among ``settings`` are templates; ``root`` in them is the project's folder.

    Attributes:
        job_type: Name of the job type, e.g. "publish-copy".
        name: The job's name.
        settings: The job type's settings.
        engine: "local" (this machine's workers) or "manager" (the Flamenco Manager).
        status: Only where this status was reached (compared without case); empty: always.
    """

    model_config = ConfigDict(extra="forbid")

    job_type: str
    name: str = "{{ about }}"
    settings: dict[str, str | bool | int | float] = Field(default_factory=dict)
    engine: Literal["local", "manager"] = "local"
    status: str = ""

    def problem(self, known: Collection[str]) -> str | None:
        """Why it cannot work where these names are known, None when it can."""
        if self.status and "status" not in known:
            return "no status is reached here: leave status out"
        return next((found for text in self._texts() if (found := check_template(text, known))), None)

    def is_wanted(self, values: Mapping[str, str]) -> bool:
        """Whether it is for the status that was reached."""
        return not self.status or self.status.casefold() == values.get("status", "").casefold()

    def submit(
        self,
        values: Mapping[str, str],
        root: Callable[[], str],
        *,
        slot: str,
        reason: str,
        entity_id: str | None,
        dedupe: str,
    ) -> SubmitJob:
        """The effect that submits it.

        Args:
            values: What templates may name, all but ``root``.
            root: The project's folder, asked for only where a template names it; may raise Later or PlanError.
            slot: See `Effect`.
            reason: See `Effect`.
            entity_id: See `Effect`.
            dedupe: See `SubmitJob`.

        Raises:
            PlanError: A template cannot be used.
        """
        known = {**values, "root": root() if any("root" in text for text in self._texts()) else ""}
        settings: dict[str, Any] = {
            key: render_text(value, known) if isinstance(value, str) else value for key, value in self.settings.items()
        }
        return SubmitJob(
            slot=slot,
            reason=reason,
            entity_id=entity_id,
            job_type=self.job_type,
            name=render_text(self.name, known),
            settings=settings,
            engine=self.engine,
            dedupe=dedupe,
        )

    def _texts(self) -> list[str]:
        return [self.name, *(text for text in self.settings.values() if isinstance(text, str))]


def jobs_setting(when: str, *known: str) -> Any:
    """The setting ``jobs`` of a handler or action, a ``list[JobSetting]``.

    Args:
        when: On what occasion they are submitted ("for each version that is published").
        known: Names that texts may use beside ``project``, ``by``, ``about`` and ``root``; a blank ends a name.
    """
    names = ["project", *known, "by", "about", "root"]
    status = ", status (only where this one was reached)" if "status" in known else ""
    declared = setting(
        [],
        f"Jobs that are submitted {when}: job_type, name, settings, engine (local or manager){status}. "
        f"Texts may name {', '.join(names[:-1])} (what it is, in words), root (the project's folder).",
        per_project=True,
    )
    declared.json_schema_extra["known"] = [name.partition(" ")[0] for name in names]
    return declared


class WithJobs(HandlerSettings):
    """Settings with ``jobs: list[JobSetting] = jobs_setting(...)``, declared by subclasses; plans say the occasions."""

    if TYPE_CHECKING:
        jobs: list[JobSetting]

    @field_validator("jobs", check_fields=False)
    @classmethod
    def _can_work(cls, jobs: list[JobSetting]) -> list[JobSetting]:
        extra = cls.model_fields["jobs"].json_schema_extra
        known = extra["known"] if isinstance(extra, dict) else ()
        for job in jobs:
            problem = job.problem([str(name) for name in known] if isinstance(known, list) else ())
            if problem is not None:
                raise ValueError(f"the job {job.job_type}: {problem}")
        return jobs

    def follow_ups(self, occasion: Occasion, ctx: Context) -> Sequence[Effect]:
        """The jobs: once for each occasion and entry."""
        values = occasion.values
        return [
            job.submit(
                values,
                lambda: _root(values["project"], ctx),
                slot=f"job-{number}-{occasion.entity_id or occasion.key}",
                reason=f"{values['about']}: the settings want the job {job.job_type}",
                entity_id=occasion.entity_id,
                dedupe=f"job:{occasion.key}:{job.job_type}:{number}",
            )
            for number, job in enumerate(self.jobs)
            if job.is_wanted(values)
        ]


def _root(project: str, ctx: Context) -> str:
    """The project's folder. Raises PlanError, Later."""
    rows = ctx.site.rows(
        f"select name, root, disk.name, disk.unix, disk.windows from Project where name is {quoted(project)}"
    )
    if not rows:
        raise PlanError(
            f"ftrack has no project {project!r}: its folder, which a job of the settings names, is not known."
        )
    return str(ctx.disk.project_root(rows[0]))
