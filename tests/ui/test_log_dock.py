"""The Log dock: levels, text, regular expressions, saved filters, and any plain log file followed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.journal.rows import LogFilter
from ui.docks.export import export_rows
from ui.panel import Panel
from ui.sample_day import Day


@pytest.fixture
def panel(show_panel: Callable[..., Panel], day: Day, qtbot: Any) -> Panel:
    made = show_panel(day.folder)
    made._dock["log"].raise_()
    qtbot.waitUntil(lambda: made.log.model.count() > 50, timeout=15_000)
    return made


def test_only_errors_are_listed_by_level(panel: Panel, qtbot: Any) -> None:
    everything = panel.log.model.count()
    panel.log.level.setCurrentIndex(4)
    assert panel.log.filter() == LogFilter(level=40)
    qtbot.waitUntil(lambda: 0 < panel.log.model.count() < everything, timeout=15_000)


def test_a_broken_pattern_is_marked_and_the_last_filter_stays(panel: Panel, qtbot: Any) -> None:
    bar = panel.log.bar
    bar.regex.setChecked(True)
    qtbot.keyClicks(bar.search, "folder.*(")
    assert bar.search.property("state") == "error"
    assert "Not a regular expression" in bar.search.toolTip()
    qtbot.keyClicks(bar.search, "failed|done)")
    assert bar.search.property("state") == ""


def test_a_filter_is_kept_for_another_day(panel: Panel, show_panel: Callable[..., Panel], day: Day) -> None:
    panel.log.show_only(text="Slack", level=30)
    panel.log.bar.keep("Slack trouble")
    again = show_panel(day.folder)
    saved = again.log.bar._saved()
    assert set(saved) == {"Slack trouble"}
    again.log.bar.set_values(saved["Slack trouble"])
    assert again.log.filter() == LogFilter(text="Slack", level=30)
    again.log.bar.forget("Slack trouble")
    assert again.log.bar._saved() == {}


def test_a_line_leads_to_its_event(panel: Panel, day: Day, qtbot: Any) -> None:
    panel.log.show_only(text="BB_0070 matchmove", level=30)
    qtbot.waitUntil(lambda: panel.log.model.count() >= 1, timeout=15_000)
    panel.log.view.activated.emit(panel.log.model.id_at(0))
    qtbot.waitUntil(lambda: panel.events.view.current_id == day.missing_folder[0], timeout=15_000)


def test_a_plain_log_file_is_followed_through_growth_and_rotation(panel: Panel, tmp_path: Path, qtbot: Any) -> None:
    path = tmp_path / "ftrack_event_server.log"
    path.write_text("".join(f"2026-11-22 10:00:{n % 60:02d} INFO line {n}\n" for n in range(2_000)))
    panel.log.follow_file(path)
    view = panel.log.current_view()
    qtbot.waitUntil(lambda: view.model.count() == 2_000, timeout=15_000)
    with path.open("a") as stream:
        stream.write("2026-11-22 11:00:00 ERROR the drive went away\nhalf a li")
    qtbot.waitUntil(lambda: view.model.count() == 2_001, timeout=15_000)
    qtbot.waitUntil(lambda: view.model.row(2_000) is not None, timeout=15_000)
    row = view.model.row(2_000)
    assert row is not None
    assert (row.cells[2], row.tone) == ("2026-11-22 11:00:00 ERROR the drive went away", "error")

    panel.log.bar.search.setText("drive")
    qtbot.waitUntil(lambda: view.model.count() == 1, timeout=15_000)
    panel.log.bar.clear()
    path.rename(tmp_path / "ftrack_event_server.log.1")
    path.write_text("2026-11-23 00:00:00 INFO a new day\n")
    qtbot.waitUntil(lambda: view.model.count() == 1 and view.model.row(0) is not None, timeout=15_000)
    row = view.model.row(0)
    assert row is not None
    assert row.cells[2].endswith("a new day")
    panel.log.follow_journal()
    assert panel.log.current_view() is panel.log.view


def test_what_is_listed_is_exported(panel: Panel, tmp_path: Path, qtbot: Any) -> None:
    panel.log.show_only(level=40)
    qtbot.waitUntil(lambda: 0 < panel.log.model.count() < 20, timeout=15_000)
    shown = panel.log.model.count()
    export_rows(panel.log.view, tmp_path / "log.json", "json")
    export_rows(panel.log.view, tmp_path / "log.csv", "csv")
    for name in ("log.json", "log.csv"):
        qtbot.waitUntil((tmp_path / name).exists, timeout=15_000)
    records = json.loads((tmp_path / "log.json").read_text())
    csv_lines = (tmp_path / "log.csv").read_text().splitlines()
    assert csv_lines[0] == "Id,Time,Level,Message,Topic,Handler,Entity,Handlers"
    assert len(csv_lines) == len(records) + 1 == shown + 1
    assert {record["Level"] for record in records} == {"Error"}
