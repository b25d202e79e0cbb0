"""`signalbox submit` and `signalbox jobs` as a TD types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from job_room import script_of
from listening import until
from program import Program
from studio import Studio

from app.journal.journal import Journal

pytestmark = pytest.mark.e2e
#: As a TD writes it into the settings file.
READY_FOR_COMP = """
[[handlers.status_handler.jobs]]
status = "Ready for Comp"
job_type = "publish-copy"
settings = { files = "{{ root }}/lit.exr", destination = "{{ root }}/comp/{{ shot }}" }
"""


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
    assert (code, out) == (0, "job 2 say-hello: completed, 1 of 1 task\n"), errors
    code, out, _ = run(tmp_path, "jobs")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["2", "1"]
    assert "completed" in out.splitlines()[1], "the first one waited for the same confirmation"


@pytest.mark.timeout(240)
def test_who_waits_for_a_job_that_cannot_start_is_told_once_what_to_do(tmp_path: Path) -> None:
    script = tmp_path / "comp.js"
    script.write_text(script_of("[['echo', {message: 'a'}]]").replace("'misc'", "'comp'"))
    with Program("submit", str(script), "--yes", "--wait", home=tmp_path) as program:
        told = "signalbox: job 1 comp waits: this machine takes no tasks of the type comp, only blender"
        assert until(lambda: told in program.errors)
        assert "add the type to flamenco.task_types" in program.errors
        with (tmp_path / "settings.toml").open("a") as settings:
            settings.write("[flamenco]\ntask_types = []\n")
        assert program.process.wait(90) == 0
    assert "".join(program.out) == "job 1 comp: completed, 1 of 1 task\n"
    assert program.errors.count("waits:") == 1


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
    code, _, errors = run(tmp_path, "jobs", "--status", "cancelled")
    assert code == 2
    assert "--status cancelled: write one of" in errors
    assert "canceled" in errors


@pytest.mark.timeout(240)
def test_a_setting_starts_a_job_at_a_transition_and_the_run_shows_how_it_ended(tmp_path: Path) -> None:
    with Studio(tmp_path / "studio") as studio:
        with (studio.home / "settings.toml").open("a") as settings:
            settings.write(READY_FOR_COMP)
        root = studio.drive / studio.project["name"]
        (root / "lit.exr").write_text("lit")
        with studio.server() as server:
            journal = Journal.open(Path(server.wait_line()["journal"]), "read")
            try:
                assert until(lambda: any(lamp.name == "site" and lamp.state == "ok" for lamp in journal.health()))
                task = studio.create_task("lighting", "Lighting")
                studio.set_status("Task", task, "Ready for Comp")
                assert until(lambda: [job.status for job in journal.jobs()] == ["completed"])
                (job,) = journal.jobs()
                (effect,) = [each for each in journal.run(job.run_id or 0).effects if each.kind == "job"]
            finally:
                journal.close()
            assert server.stop() == 0, server.errors[-3000:]
        assert (effect.after or {})["status"] == "completed"
        assert (root / "comp" / studio.shot["name"] / "lit.exr").read_text() == "lit"
        code, out, _ = run(studio.home, "jobs", "--run", str(job.run_id), "--json")
        assert (code, [each["status"] for each in json.loads(out)["jobs"]]) == (0, ["completed"])
