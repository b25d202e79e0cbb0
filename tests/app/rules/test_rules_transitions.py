"""Which status changes are one transition."""

from __future__ import annotations

import datetime as dt
import itertools

from app.rules.transitions import StatusStep, transition_roots

START = dt.datetime(2026, 11, 23, 8, tzinfo=dt.UTC)
TOGETHER = dt.timedelta(seconds=60)


def step(name: str, who: str, seconds: float, new: str, old: str | None = "other") -> StatusStep:
    return StatusStep(name, who, who == "task", START + dt.timedelta(seconds=seconds), old, new)


def roots(*steps: StatusStep) -> list[str]:
    found = transition_roots(steps, "ready", TOGETHER)
    assert all(
        transition_roots(order, "ready", TOGETHER) == found
        for order in itertools.islice(itertools.permutations(steps), 24)
    )
    return [found[one.id] for one in steps if one.new == "ready"]


def test_a_version_and_its_task_are_one_transition_however_late_the_task_follows() -> None:
    assert roots(step("v", "version", 0, "ready"), step("t", "task", 86400, "ready")) == ["v", "v"]


def test_in_the_same_second_the_version_comes_first() -> None:
    assert roots(step("t", "task", 0, "ready"), step("v", "version", 0, "ready")) == ["v", "v"]


def test_a_task_that_left_and_comes_again_is_another_transition() -> None:
    steps = (
        step("t1", "task", 0, "ready"),
        step("t2", "task", 3600, "other", "ready"),
        step("t3", "task", 7200, "ready"),
    )
    assert roots(*steps) == ["t1", "t3"]


def test_a_version_that_stays_ready_does_not_swallow_a_later_return_of_its_task() -> None:
    steps = (
        step("v", "version", 0, "ready"),
        step("t1", "task", 5, "ready"),
        step("t2", "task", 3600, "other", "ready"),
        step("t3", "task", 7200, "ready"),
    )
    assert roots(*steps) == ["v", "v", "t3"]


def test_a_version_whose_task_was_ready_already_is_a_transition_of_its_own() -> None:
    steps = (
        step("v1", "v1", 0, "ready"),
        step("t1", "task", 5, "ready"),
        step("v2", "v2", 3600, "ready"),
        step("t2", "task", 7200, "other", "ready"),
        step("t3", "task", 9000, "ready"),
    )
    assert roots(*steps) == ["v1", "v1", "v2", "t3"]


def test_flips_within_a_minute_are_one_and_do_not_drag_on_for_ever() -> None:
    steps = tuple(step(f"t{number}", "task", 40 * number, "ready") for number in range(4))
    assert roots(*steps) == ["t0", "t0", "t2", "t2"]


def test_a_version_that_left_the_status_no_longer_waits_for_its_task() -> None:
    steps = (
        step("v1", "version", 0, "ready"),
        step("v2", "version", 3600, "other", "ready"),
        step("t", "task", 7200, "ready"),
    )
    assert roots(*steps) == ["v1", "t"]
