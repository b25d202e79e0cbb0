"""A workbench on a scripts folder of the test's own, with the real compiler behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from workbench_tools import SEQUENCE, Clicks

from app.jobs.api import CompilerPool
from app.settings.models import FlamencoSettings
from ui.compiler.doors import Doors
from ui.compiler.standard import standard_doors
from ui.compiler.workbench import Workbench


@pytest.fixture
def clicks(qtbot: object) -> Clicks:
    return Clicks(qtbot)


@pytest.fixture
def scripts_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "sequence.js").write_text(SEQUENCE)
    return folder


@pytest.fixture(scope="session")
def compiler() -> Iterator[CompilerPool]:
    """One real compiler for all tests of a process: starting V8 takes longer than most of them."""
    with CompilerPool() as pool:
        pool.wait_warm()
        yield pool


@pytest.fixture
def doors(scripts_dir: Path, tmp_path: Path, compiler: CompilerPool) -> Doors:
    return standard_doors(tmp_path / "state", FlamencoSettings(scripts_folder=str(scripts_dir)), compiler)


@pytest.fixture
def open_workbench(doors: Doors, qtbot, dark: None) -> Iterator[Callable[..., Workbench]]:
    """Opens workbenches, with a script when one is named, and waits for its first outcome."""
    opened: list[Workbench] = []

    def show(script: str = "", *, wait: bool = True, given: Doors | None = None, plain: bool = False) -> Workbench:
        made = Workbench(given or doors, debounce_ms=10, autosave_ms=20, plain_editor=plain)
        opened.append(made)
        made.resize(1280, 720)
        with qtbot.waitExposed(made):
            made.show()
        qtbot.waitUntil(lambda: bool(made.scripts.infos()))
        if script:
            made.open_script(script)
            if wait:
                qtbot.waitUntil(
                    lambda: (
                        made.preview.head.state() != "off" and not made.runner.busy and made.document.name == script
                    ),
                )
                if made.preview.head.state() != "error":
                    qtbot.waitUntil(lambda: made.preview.good is not None)
        return made

    yield show
    for made in opened:
        made.shutdown()
        made.close()
        made.deleteLater()
