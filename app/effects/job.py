"""Submit a job to the farm or to this machine's own workers: once, known by its key in the job's metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from app.engine.doors import Doors
from app.engine.kinds import OutboxEffect
from app.rules.outcomes import PlanError

__all__ = ["SubmitJob"]


class SubmitJob(OutboxEffect):
    """Submit a job.

    Attributes:
        job_type: Name of the job type, e.g. "dailies-transcode".
        name: The job's name.
        settings: The job type's settings.
        engine: "local" (this machine's workers) or "manager" (the Flamenco Manager).
        dedupe: A key made of natural facts; it travels as the job's metadata.
    """

    kind: ClassVar[str] = "job"
    # A second job would render everything twice, so a person decides.
    on_doubt: ClassVar[Literal["send", "ask"]] = "ask"

    job_type: str
    name: str
    settings: dict[str, Any] = Field(default_factory=dict)
    engine: Literal["local", "manager"] = "local"

    def describe(self) -> str:
        where = "the Flamenco Manager" if self.engine == "manager" else "the local workers"
        return f"submit the job {self.name} ({self.job_type}) to {where}"

    def lane(self) -> str:
        return f"job:{self.engine}"

    def send(self, doors: Doors, carried: Sequence[Self]) -> dict[str, Any]:
        del carried
        if doors.job_submit is None:
            raise PlanError(f"no job engine is set up here: the job {self.name} was not submitted")
        return dict(
            doors.job_submit(
                job_type=self.job_type, name=self.name, settings=self.settings, engine=self.engine, dedupe=self.dedupe
            )
        )

    def find(self, doors: Doors, since: float) -> dict[str, Any] | None:
        if doors.job_find is None:
            raise PlanError("this job engine cannot look for a job by its key")
        found = doors.job_find(engine=self.engine, dedupe=self.dedupe, since=since)
        return dict(found) if found is not None else None
