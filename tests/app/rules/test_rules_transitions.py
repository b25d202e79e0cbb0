"""Which status changes are one transition."""

from __future__ import annotations

import datetime as dt
import itertools

from app.rules.transitions import StatusStep, decided_since, transition_roots

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


def since(version: str, status: str, *steps: StatusStep, denied: str = "") -> str | None:
    """The step that decided since a version reached a status; every status but "none" is followed."""
    found = decided_since(
        steps, version, status, lambda one: None if one.new == "none" else one.new, lambda one: one.entity_id != denied
    )
    return found.id if found else None


def test_a_task_that_follows_its_version_late_decides_nothing() -> None:
    steps = (step("t0", "task", -9, "new", None), step("v", "v1", 0, "ready"), step("t", "task", 500, "ready"))
    assert since("v1", "ready", *steps) is None


def test_what_a_person_sets_after_the_version_stays() -> None:
    before = (step("t0", "task", -9, "new", None), step("v", "v1", 0, "ready"), step("t", "task", 1, "ready"))
    assert since("v1", "ready", *before, step("p", "task", 60, "hold")) == "p"
    assert since("v1", "ready", *before[:2], step("p", "task", 60, "hold")) == "p", "before the task followed"
    assert since("v1", "ready", *before[:2], step("p", "task", 0, "hold")) is None, "within one second nobody knows"


def test_another_version_decides_unless_the_task_does_not_follow_it() -> None:
    steps = (step("t0", "task", -9, "new", None), step("v", "v1", 0, "ready"), step("w", "v2", 9, "approved"))
    assert since("v1", "ready", *steps) == "w"
    assert since("v2", "approved", *steps, step("t1", "task", 20, "ready"), step("t2", "task", 21, "approved")) is None
    assert since("v1", "ready", *steps, denied="v2") is None
    assert since("v1", "ready", *steps[:2], step("n", "v2", 9, "none")) is None


def test_a_status_a_version_passed_through_explains_no_later_decision() -> None:
    steps = (
        step("t0", "task", -9, "new", None),
        step("v0", "v1", 0, "started", None),
        step("v", "v1", 0, "ready", "started"),
        step("t", "task", 1, "ready"),
        step("p", "task", 60, "started"),
    )
    assert since("v1", "ready", *steps) == "p"
    assert since("v1", "never", *steps) is None
