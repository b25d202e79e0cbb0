"""Jobs that a status transition starts ("Ready for Comp: run the publish-copy job"): a setting, not code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.effects.job import SubmitJob
from app.handlers.common import template_with
from app.rules.templates import render_text

__all__ = ["TransitionJob", "jobs_of"]

_KNOWN = ("project", "shot", "status", "task", "task_type", "next_type", "by", "root")


class TransitionJob(BaseModel):
    """A job that is submitted when a shot gets ``status``.

    ``name`` and the texts among ``settings`` are templates; ``root`` is the project's folder.
    """

    model_config = ConfigDict(extra="forbid")

    status: str
    job_type: str
    name: Annotated[str, template_with(*_KNOWN)] = "{{ shot }} {{ status }}"
    settings: dict[str, str | bool | int | float] = Field(default_factory=dict)
    engine: Literal["local", "manager"] = "local"


def jobs_of(
    jobs: Sequence[TransitionJob],
    values: Mapping[str, str],
    root: Callable[[], str],
    *,
    entity_id: str,
    shot_id: str,
    transition: str,
) -> list[SubmitJob]:
    """The jobs of one transition of one shot.

    Args:
        jobs: The setting.
        values: What templates may name, all but ``root``.
        root: The project's folder, asked for only where a template names it; may raise Later or PlanError.
        entity_id: The change's entity.
        shot_id: The shot.
        transition: What began the transition: a job is submitted once for each.

    Raises:
        PlanError: A template cannot be used.
    """
    effects = []
    for number, job in enumerate(jobs):
        if job.status.casefold() != values["status"].casefold():
            continue
        texts = [job.name, *(text for text in job.settings.values() if isinstance(text, str))]
        known = {**values, "root": root() if any("root" in text for text in texts) else ""}
        settings: dict[str, Any] = {
            key: render_text(value, known) if isinstance(value, str) else value for key, value in job.settings.items()
        }
        effects.append(
            SubmitJob(
                slot=f"job-{number}-{entity_id}",
                reason=f"{values['shot']} is {values['status']}: the settings want the job {job.job_type}",
                entity_id=entity_id,
                job_type=job.job_type,
                name=render_text(job.name, known),
                settings=settings,
                engine=job.engine,
                dedupe=f"job:{shot_id}:{values['status'].casefold()}:{transition}:{job.job_type}:{number}",
            )
        )
    return effects
