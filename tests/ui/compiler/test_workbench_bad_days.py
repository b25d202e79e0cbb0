"""Bad input and bad days: files that vanish, disks that refuse, a Manager that talks nonsense, hanging neighbours."""

from __future__ import annotations

import dataclasses
import http.server
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from PySide6.QtWidgets import QApplication
from workbench_tools import SEQUENCE, Clicks, typed

from ui.compiler.background import Background
from ui.compiler.deploy import DeployDialog, HistoryDialog
from ui.compiler.doors import Doors
from ui.compiler.standard import ask_manager
from ui.compiler.workbench import Workbench

Open = Callable[..., Workbench]


def dialog_of(kind: type, qtbot):
    def found() -> list:
        return [w for w in QApplication.topLevelWidgets() if isinstance(w, kind) and w.isVisible()]

    qtbot.waitUntil(lambda: bool(found()))
    return found()[0]


def test_a_script_that_cannot_be_read_says_so_and_the_open_one_stays(
    open_workbench: Open, scripts_dir: Path, qtbot
) -> None:
    (scripts_dir / "gone.js").symlink_to(scripts_dir / "nowhere.js")
    window = open_workbench("sequence.js")
    window.open_script("gone.js")
    qtbot.waitUntil(lambda: "gone.js cannot be opened" in window.notice.text())
    assert window.editor.text() == SEQUENCE


def test_a_folder_that_vanishes_before_deploying_is_said_and_nothing_is_lost(
    open_workbench: Open, scripts_dir: Path, clicks: Clicks, qtbot
) -> None:
    window = open_workbench("sequence.js")
    typed(window.editor, "// mine\n")
    clicks(window.deploy_button)
    dialog = dialog_of(DeployDialog, qtbot)
    qtbot.waitUntil(dialog.deploy_button.isEnabled)
    shutil.rmtree(scripts_dir)
    clicks(dialog.deploy_button)
    qtbot.waitUntil(lambda: dialog.notice.text().startswith("Not deployed"))
    dialog.reject()
    assert window.editor.text().startswith("// mine")


def test_a_script_that_changes_while_the_difference_is_looked_at_is_not_overwritten(
    open_workbench: Open, scripts_dir: Path, clicks: Clicks, qtbot
) -> None:
    window = open_workbench("sequence.js")
    typed(window.editor, "// mine\n")
    clicks(window.deploy_button)
    dialog = dialog_of(DeployDialog, qtbot)
    qtbot.waitUntil(dialog.deploy_button.isEnabled)
    (scripts_dir / "sequence.js").write_text("// theirs\n")
    clicks(dialog.deploy_button)
    qtbot.waitUntil(lambda: "Not deployed" in dialog.notice.text())
    assert (scripts_dir / "sequence.js").read_text() == "// theirs\n"
    dialog.reject()


def test_an_earlier_version_is_put_back_from_the_history(
    open_workbench: Open, scripts_dir: Path, doors: Doors, clicks: Clicks, qtbot
) -> None:
    assert doors.deployer is not None
    deployer = doors.deployer([], "3.8.5")
    deployer.apply(deployer.plan("sequence.js", SEQUENCE + "// two\n"))
    window = open_workbench("sequence.js")
    clicks(window.history_button)
    dialog = dialog_of(HistoryDialog, qtbot)
    qtbot.waitUntil(dialog.restore_button.isEnabled)
    assert dialog.diff.counts() == (0, 1)
    clicks(dialog.restore_button)
    qtbot.waitUntil(lambda: (scripts_dir / "sequence.js").read_text() == SEQUENCE)
    qtbot.waitUntil(lambda: "back as it was" in window.notice.text())


def test_a_script_without_a_past_says_so(open_workbench: Open, clicks: Clicks, qtbot) -> None:
    window = open_workbench("sequence.js")
    clicks(window.history_button)
    dialog = dialog_of(HistoryDialog, qtbot)
    qtbot.waitUntil(lambda: "no earlier version" in dialog.notice.text())
    dialog.reject()


def test_a_neighbour_that_loops_for_ever_does_not_keep_the_window_from_closing(
    open_workbench: Open, scripts_dir: Path, qtbot
) -> None:
    (scripts_dir / "aaa_loop.js").write_text("for (;;) {}")
    window = open_workbench("sequence.js")
    assert window.preview.head.state() == "ok"
    done = threading.Event()
    threading.Timer(3.0, done.set).start()
    window.shutdown()
    assert not done.is_set()
    done.set()


class _Answers(http.server.BaseHTTPRequestHandler):
    """A Manager of few words; `said` maps paths to bodies."""

    said: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        body = self.said.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_words: object) -> None:
        return


@pytest.fixture
def manager() -> Iterator[tuple[str, dict[str, bytes]]]:
    answers = type("Answers", (_Answers,), {"said": {}})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", answers.said
        server.shutdown()
        thread.join()


def test_version_and_variables_come_from_the_manager(open_workbench: Open, doors: Doors, manager, qtbot) -> None:
    url, said = manager
    said["/api/v3/version"] = json.dumps({"name": "Flamenco", "version": "3.7", "shortversion": "3.7"}).encode()
    for platform, exe in (("linux", "/opt/blender/blender"), ("windows", "C:/blender.exe"), ("darwin", "blender")):
        path = f"/api/v3/configuration/variables/workers/{platform}"
        said[path] = json.dumps({"blender": {"is_twoway": False, "value": exe}}).encode()
    window = open_workbench("sequence.js", given=dataclasses.replace(doors, ask_manager=lambda: ask_manager(url)))
    qtbot.waitUntil(lambda: window.version.currentText() == "3.7")
    qtbot.waitUntil(lambda: "/opt/blender/blender" in window.preview.inspector.plain_text())
    window.preview.inspector.set_platform("windows")
    assert "C:/blender.exe" in window.preview.inspector.plain_text()


def test_a_manager_that_answers_nonsense_is_named_and_previews_go_on(
    open_workbench: Open, doors: Doors, manager, qtbot
) -> None:
    url, said = manager
    said["/api/v3/version"] = b"<html>hello</html>"
    window = open_workbench("sequence.js", given=dataclasses.replace(doors, ask_manager=lambda: ask_manager(url)))
    assert window.preview.head.state() == "ok"
    assert window.version.currentText() == doors.manager_version
    qtbot.waitUntil(lambda: "no answer" in window.manager_words.text())
    assert url in window.manager_words.toolTip()


def test_work_in_one_slot_answers_only_for_the_newest(qtbot) -> None:
    background = Background(workers=1)
    gate = threading.Event()
    answers: list[int] = []
    background.run(lambda _still_wanted: gate.wait(5) and 0, answers.append, slot="a")
    for number in range(1, 20):
        background.run(lambda _still_wanted, number=number: number, answers.append, slot="a")
    gate.set()
    qtbot.waitUntil(lambda: bool(answers))
    assert answers == [19]
    background.close()


def test_a_failure_on_a_thread_reaches_the_window(qtbot) -> None:
    background = Background(workers=1)
    problems: list[Exception] = []

    def fail(_still_wanted: object) -> None:
        raise OSError("disk full")

    background.run(fail, lambda _nothing: None, problems.append)
    qtbot.waitUntil(lambda: bool(problems))
    assert str(problems[0]) == "disk full"
    background.close()
