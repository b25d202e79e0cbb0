"""Safe cut-over: an old server and Signalbox side by side on one site, the report, and the day the levers move."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from listening import until
from program import program_environment, run_program_line
from studio import Studio

from app.journal.journal import Journal

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(400)]

_SCRIPT = Path(__file__).resolve().parents[1] / "support" / "old_server.py"
_ROUNDS = 104
_MISTAKES = {
    "no_folder": ["step007"],
    "wrong_place": ["step013"],
    "no_entry": ["take 20"],
    "wrong_list": ["take 31"],
    "no_status": ["take 42"],
    "wrong_status": ["take 55"],
    "under_project": ["stray"],
}


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    with Studio(tmp_path, {"engine.first_position": "dry"}) as made:
        yield made


@contextmanager
def old_server(studio: Studio, log: Path) -> Iterator[None]:
    environment = program_environment(studio.home, **studio.environment())
    # The old server signs in as somebody of its own, so that what it does can be told from what people do.
    environment["FTRACK_API_USER"] = _old_user(studio)
    said = log.with_suffix(".err")
    with said.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, _SCRIPT, studio.drive, log, json.dumps(_MISTAKES)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
    try:
        assert until(lambda: log.exists() and "listening" in log.read_text(), 60), said.read_text()
        yield
    finally:
        process.terminate()
        process.wait(20)


def _old_user(studio: Studio) -> str:
    rows = studio.rows("select username from User where is_active is true order by username")
    return next(row["username"] for row in rows if row["username"] != studio.site.user)


def _a_round(studio: Studio, number: int, asset: str) -> None:
    """An artist's step: a task, a version of it, and the version is handed in."""
    studio.shot = studio._shots[number % len(studio._shots)]
    task = studio.create_task(f"step{number:03}")
    version = studio.create("AssetVersion", asset_id=asset, task_id=task, comment=f"take {number}")
    studio.set_status("AssetVersion", version, "Pending Internal Review")


def _settled(journal: Journal) -> bool:
    return journal.cursor() >= journal.last_event_id() and not journal.queue_length()


def test_the_report_finds_every_planted_difference_and_no_other_and_the_cut_over_doubles_nothing(
    studio: Studio, tmp_path: Path
) -> None:
    log, begin = tmp_path / "old.log", dt.datetime.now()
    upload = studio.named("AssetType", "Upload")
    asset = studio.create("Asset", name="steps", context_id=studio.shot["id"], type_id=upload)
    with studio.server() as server:
        server.wait_line()
        journal = Journal.open(studio.home / "journal", "read")
        try:
            assert until(lambda: any(one.name == "site" and one.state == "ok" for one in journal.health()), 30)
            with old_server(studio, log):
                for number in range(_ROUNDS):
                    _a_round(studio, number, asset)
                _under_the_project(studio)
                assert until(lambda: _handed_in(studio) and _settled(journal), 120)
                # What the old server does is heard by Signalbox too: its answers must have settled as well.
                last = [0]
                assert until(lambda: _quiet(journal, last), 60)
            assert journal.count_events() >= 500
        finally:
            journal.close()

        code, report = run_program_line(
            "shadow", "--json", "--since", begin.isoformat(), "--old-user", _old_user(studio),
            home=studio.home, extra=studio.environment(),
        )  # fmt: skip
        assert code == 0
        found = Counter(one["kind"] for one in report["differences"])
        assert found == {"folder": 3, "list": 2, "status": 2}, json.dumps(report["differences"], indent=1)
        told = json.dumps(report["differences"])
        for mark in ("step007", "step013", "stray", "On Hold"):
            assert mark in told
        assert report["doubles"] == []
        assert report["agreed"] > 200

        _cut_over(studio)
        assert server.stop() == 0


def _under_the_project(studio: Studio) -> None:
    project = studio.project["id"]
    studio.create(
        "Task", name="stray", parent_id=project, project_id=project, type_id=studio.named("Type", "Compositing")
    )


def _handed_in(studio: Studio) -> bool:
    """The old server has dealt with the last round."""
    return (studio.drive / studio.project["name"] / "stray").is_dir()


def _quiet(journal: Journal, last: list[int]) -> bool:
    """Whether nothing came for two seconds (200 looks)."""
    newest = journal.last_event_id()
    last.append(newest)
    return len(last) > 200 and last[-200] == newest and _settled(journal)


def _cut_over(studio: Studio) -> None:
    """The old server is off; the levers go On, and the next rounds are done once."""
    for handler in ("create_task_folder", "add_version_to_list", "assign_task_status"):
        code, _ = run_program_line(
            "lever", handler, "on", "--why", "the old server is off", "--json",
            home=studio.home, extra=studio.environment(),
        )  # fmt: skip
        assert code == 0
    upload = studio.named("AssetType", "Upload")
    asset = studio.create("Asset", name="after", context_id=studio.shot["id"], type_id=upload)
    for number in range(_ROUNDS, _ROUNDS + 3):
        _a_round(studio, number, asset)
    assert until(studio.task_folder(f"step{_ROUNDS + 2:03}").is_dir, 30)
    assert until(lambda: len(_entries(studio, asset)) == 3, 30)
    assert set(_entries(studio, asset).values()) == {1}, "each version is on a list once"
    lists = studio.rows('select name, project_id from AssetVersionList where name like "Dailies_%"')
    assert set(Counter((one["name"], one["project_id"]) for one in lists).values()) == {1}
    assert not studio.slack.messages, "no step had anything to tell"


def _entries(studio: Studio, asset: str) -> Counter[str]:
    versions = [row["id"] for row in studio.rows(f'select id from AssetVersion where asset_id is "{asset}"')]
    listed = ", ".join(f'"{one}"' for one in versions)
    rows = studio.rows(f"select entity_id from ListObject where entity_id in ({listed})")
    return Counter(row["entity_id"] for row in rows)
