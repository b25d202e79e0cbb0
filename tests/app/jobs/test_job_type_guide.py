"""The guide to writing a job type shows a script that works."""

from __future__ import annotations

import re
from pathlib import Path

from app.jobs.commands import command_line
from app.jobs.compiler import CompilerPool
from app.jobs.model import CompileRequest
from app.jobs.worker_commands import COMMANDS

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "writing-a-job-type.md").read_text(encoding="utf-8")


def test_the_script_in_the_guide_is_the_one_that_comes_with_the_program_and_compiles() -> None:
    (script,) = re.findall(r"```javascript\n(.*?)```", GUIDE, re.DOTALL)
    assert script == (ROOT / "resources" / "job_types" / "log_and_sleep.js").read_text(encoding="utf-8")
    settings = {"message": "hello farm", "sleep_duration_seconds": 3}
    job = {"name": "try", "type": "log-and-sleep", "submitter_platform": "linux", "settings": settings}
    with CompilerPool() as pool:
        result = pool.compile(CompileRequest(scripts={"log_and_sleep.js": script}, job=job), timeout=60)
        assert result.ok, result.error
        assert result.lint == ()
        tasks = pool.pages(result.result_id, 0, 10)
    lines = [command_line(command).text for task in tasks for command in task["commands"]]
    assert lines == ["echo 'hello farm'", "sleep 3"]


def test_the_guide_names_every_command_of_the_worker_and_no_other() -> None:
    table = GUIDE[GUIDE.index("| command | parameters |") :].split("\n\n")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == set(COMMANDS)
