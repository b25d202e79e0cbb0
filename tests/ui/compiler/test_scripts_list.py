"""The list of scripts: what is chosen in it opens, what the program puts into it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.jobs.api import ScriptInfo, ScriptState
from ui.compiler.scripts_list import ScriptsList


def _info(name: str, job_type: str = "Render", problem: str = "") -> ScriptInfo:
    return ScriptInfo(name, job_type, ScriptState.DEPLOYED, Path("/farm/scripts") / name, problem=problem)


SCRIPTS = [_info("blast.js"), _info("comp.js", "Nuke"), _info("render.js", problem="It has no compileJob.")]


@pytest.fixture
def scripts(qtbot: QtBot, dark: None) -> ScriptsList:
    made = ScriptsList()
    qtbot.addWidget(made)
    made.show_scripts(SCRIPTS, "comp.js")
    made.show()
    return made


def test_only_a_person_opens_a_script_from_the_list(scripts: ScriptsList) -> None:
    opened: list[str] = []
    scripts.opened.connect(opened.append)
    scripts.show_scripts([*SCRIPTS, _info("water.js")], "blast.js")
    scripts.select("render.js")
    scripts.filter.setText("e")
    assert opened == []
    assert scripts.list.currentIndex().data() == "render.js", "the row of the open script stays the current one"

    QTest.keyClick(scripts.list, Qt.Key.Key_Down)
    assert opened == ["water.js"]
    scripts.show_scripts(SCRIPTS)
    assert opened == ["water.js"]


def test_the_filter_finds_scripts_by_name_and_by_job_type(scripts: ScriptsList) -> None:
    scripts.filter.setText("NUKE")
    assert scripts.names() == ["comp.js"]
    scripts.filter.setText("nothing like it")
    assert scripts.names() == []
    assert not scripts.empty.isVisible(), "there are scripts: the filter hides them"
    scripts.filter.setText("")
    assert scripts.names() == [info.name for info in SCRIPTS]


def test_a_script_is_read_to_who_cannot_see_it_and_its_tip_says_what_is_wrong(scripts: ScriptsList) -> None:
    listed = QAccessible.queryAccessibleInterface(scripts.list)
    assert [listed.child(place).text(QAccessible.Text.Name) for place in range(listed.childCount())] == scripts.names()
    row = scripts.list.model().index(2, 0)
    assert row.data(Qt.ItemDataRole.ToolTipRole) == "/farm/scripts/render.js\nIt has no compileJob."
