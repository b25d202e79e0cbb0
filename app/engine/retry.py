"""What is worth another attempt, and when."""

from __future__ import annotations

import random
from dataclasses import dataclass

from app.engine.doors import SiteRefusal, SiteUnreachable
from app.engine.kinds import EffectFailed
from app.engine.protocol import BadPlan, PlanError
from app.settings.models import EngineSettings
from app.settings.store import SettingsError

__all__ = ["Decision", "decide"]

#: A defect fails the same way each time; once more tells a defect from bad luck.
_DEFECTS = (TypeError, KeyError, AttributeError, IndexError, ValueError, AssertionError, NameError, ArithmeticError)
_DEFECT_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to try again, after how many seconds, and whether the failure speaks against the handler."""

    again: bool
    seconds: float
    counts: bool


def decide(error: Exception, attempts: int, settings: EngineSettings) -> Decision:
    """What follows from a failure.

    Args:
        error: What a run ended with.
        attempts: How many attempts failed before this one.
        settings: Limits.
    """
    if isinstance(error, (PlanError, EffectFailed, SettingsError)):
        # The handler works and says what a person must put right: that is no reason to pause it.
        return Decision(again=False, seconds=0.0, counts=False)
    if isinstance(error, (SiteRefusal, BadPlan)):
        return Decision(again=False, seconds=0.0, counts=True)
    most = min(settings.attempts, _DEFECT_ATTEMPTS) if isinstance(error, _DEFECTS) else settings.attempts
    if attempts + 1 >= most:
        return Decision(again=False, seconds=0.0, counts=True)
    pause: float = min(settings.retry_longest, settings.retry_first * 2.0**attempts)
    # Runs that failed together must not come back together.
    pause *= random.uniform(0.9, 1.1)  # noqa: S311 - spread, not secrecy
    return Decision(again=True, seconds=pause, counts=not isinstance(error, (SiteUnreachable, OSError)))
