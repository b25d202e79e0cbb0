"""Stopped at every crash point and started again: everything is there once, and the journal is whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path

import pytest
from production import Production

from app.engine.changes import payload_of
from app.engine.crash import CRASHED
from app.journal.journal import Journal
from app.journal.rows import RawEvent

_ROOT = Path(__file__).resolve().parents[3]
_WORKER = _ROOT / "tests" / "support" / "crash_worker.py"
_TASKS = 3


class Crashing:
    """Tasks that were added, and a worker that can be ended anywhere."""

    def __init__(self, show: Production, folder: Path) -> None:
        self.show, self.folder = show, folder
        folder.mkdir()
        (folder / "template.nk").write_text("Root {}")
        shot = show.shot()
        self.tasks = [show.task(shot, name=f"comp{number}") for number in range(_TASKS)]
        job = {
            "folder": str(folder),
            "url": show.url,
            "user": show.user,
            "key": show.key,
            "slack": show.slack_server.url,
            "token": show.slack_server.token,
        }
        self.job = folder / "job.json"
        self.job.write_text(json.dumps(job))
        journal = Journal.open(folder / "journal")
        for task in self.tasks:
            payload = {**payload_of(show.added("Task", task), dry=False), "id": uuid.uuid4().hex}
            del payload["data"]["signalbox"]
            journal.append_events([RawEvent(payload, time.time())])
        journal.close()
        self.created = self.creations()

    def creations(self) -> int:
        """How often anything was created on the site."""
        headers = {"ftrack-user": self.show.user, "ftrack-api-key": self.show.key}
        request = urllib.request.Request(f"{self.show.url}/_sandbox/counters", headers=headers)
        with urllib.request.urlopen(request) as answer:
            return int(json.load(answer)["kinds"]["create"])

    def work(self, crash_at: str = "") -> int:
        """Run the worker to its end; returns its exit code."""
        environment = {**os.environ, "SIGNALBOX_CRASH_AT": crash_at, "PYTHONPATH": f"{_ROOT}:{_WORKER.parent}"}
        done = subprocess.run(
            [sys.executable, str(_WORKER), str(self.job)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode in (0, CRASHED), done.stderr[-3000:]
        return done.returncode

    def check(self) -> None:
        """Everything is there, once."""
        files = sorted(path for path in (self.folder / "drive" / "shots").rglob("*") if path.is_file())
        assert files == sorted(self.folder / "drive" / "shots" / task / "comp_v01.nk" for task in self.tasks)
        assert {path.read_text() for path in files} == {"Root {}"}
        for task in self.tasks:
            assert self.show.metadata(task) == {"filename": str(self.folder / "drive" / "shots" / task / "comp_v01.nk")}
        assert self.creations() - self.created == _TASKS, "the metadata was written once"
        texts = sorted(message.text for message in self.show.messages())
        assert texts == sorted(f"ready {task}" for task in self.tasks)
        journal = Journal.open(self.folder / "journal")
        try:
            assert [run.state for run in journal.runs()] == ["done"] * _TASKS
            assert journal.read("PRAGMA integrity_check") == [("ok",)]
            assert {row["state"] for row in journal.outbox()} == {"sent"}
        finally:
            journal.close()


@pytest.fixture
def crashing(show: Production, tmp_path: Path) -> Crashing:
    return Crashing(show, tmp_path / "crashing")


def test_without_a_crash_everything_is_there_once(crashing: Crashing) -> None:
    assert crashing.work() == 0
    crashing.check()
    assert crashing.work() == 0, "a second start finds nothing to do"
    crashing.check()


@pytest.mark.parametrize(
    "point",
    [
        *("claim:1", "plan_stored:1", "applying:1", "applying:2", "committed:1", "committed:2"),
        *("applied:1", "applied:5", "outbox_sending:1", "outbox_sending:3", "outbox_sent:1", "outbox_sent:2"),
    ],
)
def test_killed_at_a_crash_point_and_started_again(crashing: Crashing, point: str) -> None:
    assert crashing.work(point) == CRASHED, "the point was not passed"
    assert crashing.work() == 0
    crashing.check()


def test_killed_twice_in_a_row(crashing: Crashing) -> None:
    assert crashing.work("committed:2") == CRASHED
    assert crashing.work("outbox_sent:1") == CRASHED
    assert crashing.work() == 0
    crashing.check()


def test_killed_while_appending_an_event_is_there_or_not_but_never_half(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from app.journal.journal import Journal; "
        "from app.journal.rows import RawEvent; j = Journal.open(Path(sys.argv[1])); "
        "[j.append_events([RawEvent({'id': str(n), 'topic': 't'}, 1.0)]) for n in range(10)]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "journal")],
        env={**os.environ, "SIGNALBOX_CRASH_AT": "append:4", "PYTHONPATH": str(_ROOT)},
        check=False,
    )
    assert done.returncode == CRASHED
    journal = Journal.open(tmp_path / "journal")
    assert [event.event_id for event in journal.events()] == ["3", "2", "1", "0"]
    journal.close()
