"""A job that a setting asks for, with texts that name what it is about: what handlers and actions have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.effects.job import SubmitJob
from app.rules.templates import render_text

__all__ = ["JobSetting"]


class JobSetting(BaseModel):
    """A job. ``name`` and the texts among ``settings`` are templates; ``root`` in them is the project's folder.

    Attributes:
        job_type: Name of the job type, e.g. "publish-copy".
        name: The job's name.
        settings: The job type's settings.
        engine: "local" (this machine's workers) or "manager" (the Flamenco Manager).
    """

    model_config = ConfigDict(extra="forbid")

    job_type: str
    name: str
    settings: dict[str, str | bool | int | float] = Field(default_factory=dict)
    engine: Literal["local", "manager"] = "local"

    def submit(
        self,
        values: Mapping[str, str],
        root: Callable[[], str],
        *,
        slot: str,
        reason: str,
        entity_id: str,
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
        texts = [self.name, *(text for text in self.settings.values() if isinstance(text, str))]
        known = {**values, "root": root() if any("root" in text for text in texts) else ""}
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
