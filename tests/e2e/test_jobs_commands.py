"""`signalbox submit` and `signalbox jobs` as a TD types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from job_room import script_of
from program import Program

pytestmark = pytest.mark.e2e


def run(home: Path, *words: str) -> tuple[int, str, str]:
    with Program(*words, home=home) as program:
        code = program.process.wait(90)
    return code, "".join(program.out), program.errors


@pytest.mark.timeout(240)
def test_a_new_script_is_shown_first_and_runs_when_it_is_confirmed(tmp_path: Path) -> None:
    script = tmp_path / "scripts" / "say_hello.js"
    (script.parent / "lib").mkdir(parents=True)
    (script.parent / "lib" / "words.js").write_text("exports.hello = 'hello there'")
    script.write_text(script_of("[['echo', {message: require('./lib/words.js').hello}]]"))
    code, out, errors = run(tmp_path, "submit", str(script), "--json")
    assert code == 3
    assert "echo 'hello there'" in errors
    assert json.loads(out)["status"] == "needs-confirmation"
    code, out, errors = run(tmp_path, "submit", str(script), "--yes", "--wait")
    assert (code, out) == (0, "job 2 say-hello: completed, 1 of 1 tasks\n"), errors
    code, out, _ = run(tmp_path, "jobs")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["2", "1"]
    assert "completed" in out.splitlines()[1], "the first one waited for the same confirmation"


@pytest.mark.timeout(240)
def test_what_cannot_be_submitted_is_said_in_one_line(tmp_path: Path) -> None:
    code, out, errors = run(tmp_path, "submit", "no-such-type", "--json")
    assert code == 3
    assert "no job type 'no-such-type'" in json.loads(out)["refused"]
    assert errors.count("\n") == 1
    code, _, errors = run(tmp_path, "submit", "publish-copy", "--manager", "--set", "files=/a")
    assert code == 3
    assert "no Flamenco Manager is set" in errors
    assert run(tmp_path, "submit", str(tmp_path / "gone.js"))[0] == 2
    code, out, _ = run(tmp_path, "jobs", "--json")
    assert (code, json.loads(out)) == (0, {"jobs": []})
