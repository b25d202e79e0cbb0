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


def test_a_terminal_that_knows_no_japanese_gets_the_numbers_of_the_letters(tmp_path: Path) -> None:
    script = tmp_path / "script.js"
    script.write_text(
        "const JOB_TYPE = { label: 'Test', settings: [] };\n"
        "function compileJob(job) { const task = author.Task('映像', 'misc');"
        " task.addCommand(author.Command('echo', {message: 'hi'})); job.addTask(task); }",
        "utf-8",
    )
    command = [sys.executable, "-m", "app.entry", "compile", str(script)]
    environment = program_environment(tmp_path, PYTHONIOENCODING="latin-1")
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    assert b"\\u6620\\u50cf" in done.stdout, done.stderr.decode()
    assert done.returncode == 0
