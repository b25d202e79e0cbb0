"""The shadow report in the window: an old server with mistakes beside dry runs, and what a TD sees of it."""

from __future__ import annotations

import csv
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clipping import assert_nothing_is_clipped
from PySide6.QtGui import QGuiApplication
from shadow_trial import ShadowTrial
from shiboken6 import isValid
from studio import Studio

from app.journal.journal import Journal
from app.service.browser import desk_of
from app.service.event_server import Installation, Service
from ui.dialogs.shadow import ShadowDialog
from ui.models.desk import SiteDesk
from ui.models.hub import Hub

pytestmark = pytest.mark.slow

_MISTAKES = {
    "no_folder": ["step000"],
    "wrong_place": ["step001"],
    "no_entry": ["take 2"],
    "wrong_list": ["take 3"],
    "no_status": ["take 4"],
    "wrong_status": ["take 5"],
    "under_project": ["stray"],
}


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    with Studio(tmp_path, {"engine.first_position": "dry"}) as made:
        made.move_in(monkeypatch)
        yield made


@pytest.fixture
def dialog(studio: Studio, qtbot: Any, dark: None) -> Iterator[ShadowDialog]:
    """The dialog beside a running event server; nothing has happened yet."""
    settings, folder = studio.home / "settings.toml", studio.home / "journal"
    with Service(Installation.load()) as service:
        assert service.listener is not None
        assert service.listener.wait_connected(15)
        # The drives were filled a moment ago; only what comes now is compared.
        service.journal.set_fact("shadow_since", time.time())
        hub, desk = Hub(folder), SiteDesk(lambda: desk_of(settings, folder))
        opened = ShadowDialog(hub, desk)
        with qtbot.waitExposed(opened):
            opened.show()
        yield opened
        if isValid(opened):
            opened.close()
        desk.close()
        hub.close()


def groups(dialog: ShadowDialog) -> dict[str, int]:
    items = (dialog.tree.topLevelItem(number) for number in range(dialog.tree.topLevelItemCount()))
    return {item.text(0): item.childCount() for item in items if item is not None}


def test_every_planted_difference_is_listed_by_handler_and_can_be_taken_along(
    dialog: ShadowDialog, studio: Studio, tmp_path: Path, qtbot: Any
) -> None:
    qtbot.waitUntil(lambda: "nothing to compare" in dialog.outcome.text())
    assert not dialog.export.isEnabled()

    trial = ShadowTrial(studio, tmp_path, _MISTAKES)
    journal = Journal.open(studio.home / "journal", "read")
    with trial.old_server():
        trial.hand_in(range(8))
        trial.stray()
        trial.wait_settled(journal, looks=60)
    journal.close()
    dialog.user.setText(trial.old_user)
    dialog.compare.click()
    qtbot.waitUntil(lambda: "7 different" in dialog.outcome.text())
    assert dialog.report is not None
    assert Counter(one.kind for one in dialog.report.differences) == {"folder": 3, "list": 2, "status": 2}
    lists = {one.subject for one in dialog.report.differences if one.kind == "list"}
    assert len(lists) == 2, "each version by its own name"
    assert groups(dialog) == {
        "Create task folder: 3": 3,
        "Add version to list: 2": 2,
        "Assign task status: 2": 2,
    }

    assert_nothing_is_clipped(qtbot, dialog)
    dialog.copy.click()
    assert "stray" in QGuiApplication.clipboard().text()
    dialog.write(tmp_path / "report.json")
    assert len(json.loads((tmp_path / "report.json").read_text())["differences"]) == 7
    dialog.write(tmp_path / "report.csv")
    with (tmp_path / "report.csv").open() as stream:
        assert len(list(csv.reader(stream))) == 8
    dialog.write(tmp_path / "no such folder" / "report.csv")
    assert "could not be written" in dialog.outcome.text()

    with qtbot.waitSignal(dialog.run_wanted) as wanted:
        group = dialog.tree.topLevelItem(0)
        dialog.tree.itemActivated.emit(group.child(0), 0)
    assert wanted.args[0] > 0
