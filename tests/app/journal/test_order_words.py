"""What people ordered, as the log says it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.journal.jobs import NewJob, NewTask
from app.journal.journal import Journal
from app.journal.order_words import order_words
from app.journal.queue import NewRun


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(tmp_path)
    yield opened
    opened.close()


def test_every_order_is_told_as_a_person_would_say_it(journal: Journal) -> None:
    journal.add_runs([NewRun("handler", "task_folders", "a", "", 1, 0.0, entity="BC_0010 animation")])
    journal.add_runs([NewRun("handler", "task_folders", "b", "", 1, 0.0, entity_id="5b7c", entity_type="task")])
    job, _ = journal.add_job(NewJob("comp 010", "publish-copy", [NewTask("copy", "misc", [])]))

    def said(order_kind: str, **args: Any) -> str:
        return order_words(journal, journal.order_row(journal.order(order_kind, args, "td")))

    assert said("retry", run=1) == "td had run 1 (task_folders, BC_0010 animation) tried again"
    assert said("cancel", run=2) == "td cancelled run 2 (task_folders)", "an id is no name"
    assert said("undo", run=99) == "td had run 99 undone"
    assert said("set_lever", handler="task_folders", position="dry", project="bigbuck", why="a test") == (
        "td moved the lever of task_folders for the project bigbuck to Dry run: a test"
    )
    assert said("set_lever", handler="task_folders", position=None, project="bigbuck").endswith("follow its own again")
    assert said("replay", event_row=7, dry=True) == "td replayed event 7, as a dry run"
    assert said("launch", action="batch_create", selection=[["a", "b"]], values={"rows": "x" * 9999}) == (
        "td started batch_create on 1 entity"
    )
    assert said("catch_up", since="yesterday") == "td looks for what was missed since yesterday"
    assert said("submit_job", job_type="publish-copy.js", name="publish-copy", settings={"a": 1}, script="x") == (
        "td submitted the job publish-copy of the type publish-copy to this machine"
    )
    assert said("task_requeue", job=job, task=1) == f"td requeued task 1 of job {job} (comp 010)"
    assert said("job_priority", job=job) == f"td gave job {job} (comp 010) the priority (no priority)"
    assert said("some_new_order") == "td ordered some new order"
