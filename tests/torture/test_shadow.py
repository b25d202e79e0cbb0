"""Safe cut-over: an old server and Signalbox side by side on one site, the report, and the day the levers move."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from listening import until
from program import run_program_line
from shadow_trial import ShadowTrial
from studio import Studio

from app.journal.journal import Journal

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(400)]

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


def test_the_report_finds_every_planted_difference_and_no_other_and_the_cut_over_doubles_nothing(
    studio: Studio, tmp_path: Path
) -> None:
    begin, trial = dt.datetime.now(), ShadowTrial(studio, tmp_path, _MISTAKES)
    with studio.server() as server:
        server.wait_line()
        journal = Journal.open(studio.home / "journal", "read")
        try:
            assert until(lambda: any(one.name == "site" and one.state == "ok" for one in journal.health()), 30)
            with trial.old_server():
                trial.hand_in(range(_ROUNDS))
                trial.stray()
                trial.wait_settled(journal, looks=200)
            assert journal.count_events() >= 500
        finally:
            journal.close()

        code, report = run_program_line(
            "shadow", "--json", "--since", begin.isoformat(), "--old-user", trial.old_user,
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

        _cut_over(studio, trial)
        assert server.stop() == 0


def _cut_over(studio: Studio, trial: ShadowTrial) -> None:
    """The old server is off; the levers go On, and the next rounds are done once."""
    for handler in ("create_task_folder", "add_version_to_list", "assign_task_status"):
        code, _ = run_program_line(
            "lever", handler, "on", "--why", "the old server is off", "--json",
            home=studio.home, extra=studio.environment(),
        )  # fmt: skip
        assert code == 0
    upload = studio.named("AssetType", "Upload")
    trial.asset = asset = studio.create("Asset", name="after", context_id=studio.shot["id"], type_id=upload)
    trial.hand_in(range(_ROUNDS, _ROUNDS + 3))
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
