"""What changed between two previews, in words."""

from __future__ import annotations

import time
from typing import Any

from ui.compiler.changes import MAX_LISTED, compare


def task(name: str, frames: str = "1..10", waits: list[int] | None = None, **other: Any) -> dict[str, Any]:
    command = {"name": "blender-render", "parameters": {"args": ["-f", frames]}, "total_step_count": 0}
    return {
        "name": name,
        "type": "blender",
        "priority": 50,
        "commands": [command],
        "dependencies": waits or [],
        **other,
    }


def test_the_same_job_has_not_changed() -> None:
    tasks = [task("a"), task("b", waits=[0])]
    assert compare(tasks, tasks).nothing
    assert compare(tasks, tasks).sentence() == "Nothing changed."


def test_another_chunk_size_shows_which_arguments_differ() -> None:
    found = compare([task("render-1"), task("render-2")], [task("render-1", "1..20")])
    assert found.counts == (0, 1, 1, 0)
    assert found.changed[0].details == ("blender-render.parameters.args[1]: 1..10 → 1..20",) or found.changed[
        0
    ].details == ("blender-render.args[1]: 1..10 → 1..20",)
    assert found.removed[0].name == "render-2"
    assert found.sentence() == "Tasks: 1 removed, 1 changed."


def test_a_dependency_that_is_gone_is_told_by_name_not_by_number() -> None:
    old = [task("a"), task("b"), task("video", waits=[0, 1])]
    new = [task("b"), task("video", waits=[0])]
    found = compare(old, new)
    assert found.changed[0].details == ("no longer waits for a",)


def test_tasks_of_one_name_are_matched_in_order() -> None:
    found = compare([task("a", "1"), task("a", "2")], [task("a", "1"), task("a", "3")])
    assert found.counts == (0, 0, 1, 1)
    assert found.changed[0].place == 1


def test_another_order_is_a_change_of_its_own() -> None:
    found = compare([task("a"), task("b")], [task("b"), task("a")])
    assert found.reordered
    assert not found.nothing


def test_settings_of_the_job_that_differ_are_listed() -> None:
    found = compare([], [], {"settings": {"chunk": 10}}, {"settings": {"chunk": 25, "new": True}})
    assert found.job == ("settings.chunk: 10 → 25", "settings.new: true added")


def test_a_large_change_is_counted_whole_and_listed_in_part() -> None:
    found = compare([], [task(f"t{at}") for at in range(1000)])
    assert found.counts == (1000, 0, 0, 0)
    assert len(found.added) == MAX_LISTED


def test_an_added_command_and_another_command_name_are_told() -> None:
    more = task("a")
    more["commands"] = [{"name": "sleep", "parameters": {}}, {"name": "echo", "parameters": {}}]
    details = compare([task("a")], [more]).changed[0].details
    assert "command 1: blender-render → sleep" in details
    assert "command 2 added: echo" in details


def test_a_task_that_waits_for_ten_thousand_others_is_compared_in_a_moment() -> None:
    def job(count: int) -> list[dict[str, Any]]:
        return [*(task(f"render-{at}") for at in range(count)), task("video", waits=list(range(count)))]

    began = time.process_time()
    changes = compare(job(10_000), job(10_001))
    spent = time.process_time() - began
    assert changes.counts == (1, 0, 1, 10_000)
    assert changes.changed[0].details == ("now waits for render-10000",)
    assert spent < 1.5, f"{spent:.1f} s of processor time"
