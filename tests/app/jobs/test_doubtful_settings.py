"""Settings that the add-on's form would not have let through: the job is taken, as the Manager does it, and told of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from job_room import Jobs
from typer.testing import CliRunner

from app import cli_jobs
from app.jobs.settings_form import doubts

JOB_TYPE = {
    "settings": [
        {"key": "files", "type": "string", "required": True},
        {"key": "chunk", "type": "int32", "default": 20, "propargs": {"min": 1, "max": 100}},
        {"key": "format", "type": "string", "choices": ["exr", "png"], "default": "exr"},
        {"key": "fast", "type": "bool", "default": False},
        {"key": "path", "type": "string", "required": True, "eval": "bpy.data.filepath"},
    ]
}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, ["files is required, and empty"]),
        ({"files": "a", "chunk": 5, "format": "png", "fast": True}, []),
        ({"files": "a", "chnk": 5}, ["the job type has no setting chnk; it has files, chunk, format, fast, path"]),
        ({"files": ["a"]}, ["files is ['a'], not a text"]),
        ({"files": "a", "chunk": "abc"}, ["chunk is 'abc', not a whole number"]),
        ({"files": "a", "chunk": 2.5}, ["chunk is 2.5, not a whole number"]),
        ({"files": "a", "chunk": float("nan")}, ["chunk is nan, not a whole number"]),
        ({"files": "a", "chunk": 0}, ["chunk is 0, below 1"]),
        ({"files": "a", "chunk": 10**400}, [f"chunk is {10**400}, above 100"]),
        ({"files": "a", "format": "jpg"}, ["format is 'jpg', not one of exr, png"]),
        ({"files": "a", "fast": 1}, ["fast is 1, not true or false"]),
    ],
)
def test_each_doubt_is_said_in_words(settings: dict[str, Any], says: list[str]) -> None:
    assert doubts(JOB_TYPE, settings) == says


def test_a_mistyped_setting_is_told_in_the_terminal_and_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    room = Jobs(tmp_path)
    program = typer.Typer()
    cli_jobs.register(program)
    try:
        words = ["submit", "log-and-sleep", "--paused", "--journal", str(room.journal.folder), "--set", "mesage=hi"]
        done = CliRunner().invoke(program, words)
        assert done.exit_code == 0
        assert "signalbox: the job type has no setting mesage; it has message, sleep_duration_seconds\n" in done.stderr
        assert "signalbox: message is required, and empty\n" in done.stderr
        assert "job 1 log-and-sleep: message is required, and empty" in caplog.text
        (tmp_path / "empty.js").touch()
        done = CliRunner().invoke(program, ["submit", str(tmp_path / "empty.js")])
        assert (done.exit_code, "empty.js is empty: a job compiler script" in done.stderr) == (2, True)
    finally:
        room.close()
