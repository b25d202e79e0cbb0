"""How the program starts: a window as fast as can be, commands otherwise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.program import Program, program_environment


def test_nothing_of_the_command_line_is_loaded_before_the_window(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "app.entry"]
    environment = program_environment(tmp_path, QT_QPA_PLATFORM="offscreen")
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None
        loaded = []
        for line in program.stderr:
            loaded.append(line.rpartition("|")[2].strip())
            if loaded[-1] == "ui.start":
                break
        program.kill()
    rooms = {name.partition(".")[0] for name in loaded}
    assert "ui.panel" in loaded
    assert not rooms & {"typer", "pydantic", "ftrack_api", "apsw", "aiohttp"}


def test_a_machine_without_a_display_is_told_what_to_do(tmp_path: Path) -> None:
    environment = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": ""}
    with Program(home=tmp_path, extra=environment) as program:
        assert program.process.wait(30) == 3
    assert "signalbox serve" in "".join(program.err)
