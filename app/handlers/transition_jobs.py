"""Jobs that a status transition starts ("Ready for Comp: run the publish-copy job"): a setting, not code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

from app.effects.job import SubmitJob
from app.effects.job_setting import JobSetting
from app.rules.templates import template_with

__all__ = ["TransitionJob", "jobs_of"]

_KNOWN = ("project", "shot", "status", "task", "task_type", "next_type", "by", "root")


class TransitionJob(JobSetting):
    """A job that is submitted when a shot gets ``status``."""

    status: str
    name: Annotated[str, template_with(*_KNOWN)] = "{{ shot }} {{ status }}"


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
    status = values["status"]
    return [
        job.submit(
            values,
            root,
            slot=f"job-{number}-{entity_id}",
            reason=f"{values['shot']} is {status}: the settings want the job {job.job_type}",
            entity_id=entity_id,
            dedupe=f"job:{shot_id}:{status.casefold()}:{transition}:{job.job_type}:{number}",
        )
        for number, job in enumerate(jobs)
        if job.status.casefold() == status.casefold()
    ]
