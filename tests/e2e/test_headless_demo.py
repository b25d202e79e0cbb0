"""The demo as a newcomer runs it, judged by somebody who knows only the studio's rules and the site's history."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from program import Program, run_program_line

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_CHECKER = Path(__file__).resolve().parents[1] / "support" / "checker.py"


@pytest.mark.parametrize("seed", [1, 5])
def test_a_kept_demo_holds_exactly_what_the_sites_history_asks_for(tmp_path: Path, seed: int) -> None:
    kept = tmp_path / "kept"
    arguments = ("demo", "--headless", "--seconds", "6", "--seed", str(seed), "--keep", str(kept), "--json")
    code, report = run_program_line(*arguments, home=tmp_path / "home", seconds=110)
    assert code == 0
    assert set(report) == {"events", "runs", "effects", "folders", "slack_messages", "errors", "latency_ms"}
    assert set(report["latency_ms"]) == {"p50", "p95"}
    assert all(set(counts) == {"done", "skipped", "failed"} for counts in report["runs"].values())
    assert report["runs"]["create_task_folder"]["failed"] == 2
    assert sum(counts["failed"] for counts in report["runs"].values()) == len(report["errors"]) == 2
    assert report["slack_messages"] == len((kept / "slack.jsonl").read_text("utf-8").splitlines())
    on_the_drive = [path for path in (kept / "drive").rglob("*") if path.is_dir()]
    prepared = [
        kept / "drive" / show / below for show in ("nightjar", "salt_marsh") for below in ("", "template_files")
    ]
    assert report["folders"] == len(on_the_drive) - len(prepared) > 0
    argv = [sys.executable, str(_CHECKER), str(kept)]
    judged = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_a_demo_leaves_nothing_behind_and_touches_no_home(tmp_path: Path) -> None:
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    temporary.mkdir()
    extra = {"TMPDIR": str(temporary), "SIGNALBOX_SETTINGS": str(home / "settings.toml")}
    with Program("demo", "--headless", "--seconds", "1", "--json", home=home, extra=extra) as demo:
        assert demo.ends(100) == 0, demo.errors[-3000:]
        assert json.loads(demo.out[-1])["events"] > 0
        assert "Traceback" not in demo.errors
    assert list(temporary.iterdir()) == []
    assert not home.exists()


def test_a_demo_that_is_told_to_end_takes_everything_along(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    extra = {"TMPDIR": str(temporary)}
    with Program("demo", "--headless", "--seconds", "100", home=tmp_path / "home", extra=extra) as demo:
        assert demo.wait_error("runs done", 60)
        demo.stop(seconds=60)
        assert "Traceback" not in demo.errors
    assert list(temporary.iterdir()) == []


def test_a_place_where_no_folder_can_be_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with Program("demo", "--headless", "--seconds", "1", "--keep", str(place), home=tmp_path / "home") as demo:
            assert demo.ends() == 3
            assert f"cannot be kept in {place}" in demo.errors
            assert "Traceback" not in demo.errors


def test_a_folder_that_holds_something_is_not_used_for_keeping(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with Program("demo", "--headless", "--seconds", "1", "--keep", str(tmp_path), home=tmp_path / "home") as demo:
        assert demo.ends() == 3
        assert "is not empty" in demo.errors
