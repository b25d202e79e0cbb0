"""The very first start of the panel: nothing is configured, and the assistant is there without being looked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication
from sandbox_process import SandboxProcess

from ui.app import CrashHook, SingleInstance
from ui.dialogs.assistant import Assistant
from ui.panel import Panel, PanelSite
from ui.start import Host, _Server, _wire

pytestmark = pytest.mark.slow


@pytest.fixture
def first_start(
    home: Path, monkeypatch: pytest.MonkeyPatch, qapp: QApplication, qtbot: Any, dark: None
) -> Iterator[Panel]:
    for name in ("FTRACK_SERVER", "FTRACK_API_USER", "FTRACK_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    folder = home / "journal"
    panel = Panel(folder, PanelSite())
    panel.hosting = True
    host = Host(_Server(None, folder), panel)
    alone = SingleInstance(folder)
    _wire(qapp, panel, host, CrashHook(home / "state"), alone)
    with qtbot.waitExposed(panel):
        panel.show()
    host.start()
    yield panel
    with qtbot.waitSignal(host.stopped):
        panel.quit()
    alone.close()
    panel.deleteLater()


def assistants(panel: Panel) -> list[Assistant]:
    return [one for one in panel.findChildren(Assistant) if one.isVisible()]


def test_the_assistant_opens_by_itself_and_what_is_entered_there_is_used_at_once(
    first_start: Panel, tmp_path: Path, qtbot: Any
) -> None:
    panel = first_start
    qtbot.waitUntil(lambda: len(assistants(panel)) == 1)
    assert "No site is connected" in panel.notice.text.whole()
    assert not panel.hosting, "closing this window ends no event server"
    (assistant,) = assistants(panel)

    def keep(step: str, **answers: str) -> None:
        page = assistant.pages[step]
        for name, text in answers.items():
            page.fields[name].setText(text)
        with qtbot.waitSignal(assistant.kept):
            page.button.click()

    drive = tmp_path / "drive"
    drive.mkdir()
    keep("drive", folder=str(drive))
    qtbot.waitUntil(lambda: "No site is connected" in panel.notice.text.whole())
    assert assistants(panel) == [assistant], "it is not opened a second time"
    with SandboxProcess(tmp_path / "site", "ftrack-suite") as site:
        keep("site", server=site.url, user=site.user, key=site.key)
        qtbot.waitUntil(lambda: "Run it here" in panel.notice._button.text())
        assert site.url in panel.notice.text.whole()
    assistant.reject()
