"""A TD deploys a script: checked, compared, written whole or not at all, and taken back."""

from __future__ import annotations

import errno
import http.server
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.jobs import files
from app.jobs.compiler import CompilerPool
from app.jobs.deploy import Deployer, DeployRefused
from app.jobs.model import SampleJob
from app.jobs.templates import TEMPLATES

OLD = 'const JOB_TYPE={label:"Old",settings:[]};\nfunction compileJob(job){}\n'
NEW = TEMPLATES["log_and_sleep"].text
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def pool() -> Iterator[CompilerPool]:
    with CompilerPool() as made:
        yield made


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    folder = tmp_path / "scripts"
    folder.mkdir()
    return folder


def deployer(scripts: Path, pool: CompilerPool, tmp_path: Path, **more) -> Deployer:
    return Deployer(scripts, pool, history_dir=tmp_path / "history", **more)


def test_a_deployed_script_replaces_the_old_one_and_comes_back_with_one_restore(pool, scripts, tmp_path) -> None:
    (scripts / "log.js").write_text(OLD)
    door = deployer(scripts, pool, tmp_path)
    plan = door.plan("log.js", NEW)
    assert not plan.blocked
    assert any(line.startswith('-const JOB_TYPE={label:"Old"') for line in plan.diff)
    report = door.apply(plan)
    assert (scripts / "log.js").read_text() == NEW
    assert report.backup is not None
    assert [entry.entry_id for entry in door.history("log.js")] == [report.backup]
    door.restore(report.backup)
    assert (scripts / "log.js").read_text() == OLD
    assert door.history("log.js")[0].sha256 == files.sha256(NEW)


def test_a_script_with_a_syntax_error_is_not_deployed(pool, scripts, tmp_path) -> None:
    (scripts / "log.js").write_text(OLD)
    door = deployer(scripts, pool, tmp_path)
    plan = door.plan("log.js", "const JOB_TYPE = {label: 'x', settings: []};\nlet x = ;\n")
    assert plan.blocked
    with pytest.raises(DeployRefused, match="SyntaxError"):
        door.apply(plan)
    assert (scripts / "log.js").read_text() == OLD


def test_a_script_that_would_hang_the_manager_is_not_deployed(pool, scripts, tmp_path) -> None:
    plan = deployer(scripts, pool, tmp_path).plan("x.js", "for(;;){}")
    failed = [check for check in plan.checks if not check.ok and check.blocking]
    assert any("hang" in check.detail for check in failed)


def test_every_sample_job_must_compile(pool, scripts, tmp_path) -> None:
    text = (
        'const JOB_TYPE={label:"x",settings:[]};\nfunction compileJob(job){ frameChunker(job.settings.frames, 5); }\n'
    )
    samples = [
        SampleJob("good", "x.js", {"settings": {"frames": "1-10"}}),
        SampleJob("bad", "x.js", {"settings": {"frames": "1-a"}}),
    ]
    plan = deployer(scripts, pool, tmp_path, samples=samples).plan("x.js", text)
    results = {check.name: check.ok for check in plan.checks if check.name.startswith("sample job")}
    assert results == {"sample job 'good' compiles": True, "sample job 'bad' compiles": False}
    assert plan.blocked


def test_a_script_changed_by_a_colleague_since_it_was_opened_is_not_overwritten(pool, scripts, tmp_path) -> None:
    (scripts / "log.js").write_text("// a colleague's change\n" + OLD)
    door = deployer(scripts, pool, tmp_path)
    plan = door.plan("log.js", NEW, opened_sha256=files.sha256(OLD))
    with pytest.raises(DeployRefused, match="somebody changed"):
        door.apply(plan)
    door.apply(plan, force=True)
    assert (scripts / "log.js").read_text() == NEW


def test_a_script_changed_while_the_diff_was_looked_at_is_not_overwritten(pool, scripts, tmp_path) -> None:
    (scripts / "log.js").write_text(OLD)
    door = deployer(scripts, pool, tmp_path)
    plan = door.plan("log.js", NEW)
    (scripts / "log.js").write_text("// changed meanwhile\n")
    with pytest.raises(DeployRefused, match="changed while"):
        door.apply(plan)
    assert (scripts / "log.js").read_text() == "// changed meanwhile\n"


def test_a_name_that_maps_to_anothers_job_type_is_refused(pool, scripts, tmp_path) -> None:
    (scripts / "my_job.js").write_text(OLD)
    plan = deployer(scripts, pool, tmp_path).plan("my-job.js", NEW)
    assert plan.blocked
    assert any("my_job.js" in check.detail for check in plan.checks if not check.ok)


def test_a_script_that_hides_a_built_in_is_told(pool, scripts, tmp_path) -> None:
    plan = deployer(scripts, pool, tmp_path).plan("echo_sleep_test.js", NEW)
    assert any(check.name == "hides no built-in" and not check.ok for check in plan.checks)


def test_names_that_leave_the_folder_are_refused(pool, scripts, tmp_path) -> None:
    door = deployer(scripts, pool, tmp_path)
    for name in ("../x.js", "a/b.js", "x.txt", ".x.js"):
        with pytest.raises(ValueError, match="name of a script"):
            door.plan(name, NEW)


def test_a_deployment_is_linted_with_what_the_form_would_send(pool, scripts, tmp_path) -> None:
    """Without any settings the built-in script would give its Worker no duration."""
    checks = {check.name: check for check in deployer(scripts, pool, tmp_path).plan("log.js", NEW).checks}
    assert (checks["lint"].ok, checks["lint"].detail) == (True, "0 warnings")


def test_a_deployment_is_linted_with_every_sample_job(pool, scripts, tmp_path) -> None:
    samples = [
        SampleJob("good", "log.js", {"settings": {"message": "a", "sleep_duration_seconds": 1}}),
        SampleJob("bad", "log.js", {"settings": {"message": "a", "sleep_duration_seconds": "long"}}),
    ]
    plan = deployer(scripts, pool, tmp_path, samples=samples).plan("log.js", NEW)
    found = next(check for check in plan.checks if check.name == "lint")
    assert not found.ok
    assert "must be a number, not string" in found.detail


def test_an_old_manager_must_be_restarted(pool, scripts, tmp_path) -> None:
    plan = deployer(scripts, pool, tmp_path, manager_version="3.6").plan("x.js", NEW)
    assert "restart" in plan.restart


def test_a_full_disk_leaves_the_old_script(pool, scripts, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (scripts / "log.js").write_text(OLD)
    door = deployer(scripts, pool, tmp_path)
    plan = door.plan("log.js", NEW)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        door.apply(plan)
    assert (scripts / "log.js").read_text() == OLD
    assert [path.name for path in scripts.iterdir()] == ["log.js"]


def test_a_link_in_the_scripts_folder_is_replaced_by_a_file_and_left_by_a_full_disk(
    pool, scripts, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere.js").write_text(OLD)
    (scripts / "log.js").symlink_to(tmp_path / "elsewhere.js")
    door = deployer(scripts, pool, tmp_path)
    plan = door.plan("log.js", NEW)

    def full(_source: object, _target: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space"):
            door.apply(plan)
    assert (scripts / "log.js").is_symlink()
    door.apply(plan)
    assert not (scripts / "log.js").is_symlink()
    assert ((scripts / "log.js").read_text(), (tmp_path / "elsewhere.js").read_text()) == (NEW, OLD)


def test_a_folder_that_may_be_written_but_not_read_does_not_make_a_written_script_a_failure(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(path: object, flags: int, *more: int, **named: int) -> int:
        if path == tmp_path:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, flags, *more, **named)

    opened = os.open
    monkeypatch.setattr(os, "open", unreadable)
    files.write_atomically(tmp_path / "log.js", b"new")
    assert (tmp_path / "log.js").read_bytes() == b"new"


class _Manager(http.server.BaseHTTPRequestHandler):
    answer: bytes = b"{}"

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_args: object) -> None:
        return


@pytest.fixture
def manager() -> Iterator[tuple[type[_Manager], str]]:
    class Handler(_Manager):
        pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_managers_etag_verifies_a_deployment(pool, scripts, tmp_path, manager) -> None:
    handler, url = manager
    door = deployer(scripts, pool, tmp_path, manager_url=url)
    handler.answer = json.dumps({"name": "log", "etag": "0" * 40}).encode()
    assert door.apply(door.plan("log.js", NEW)).verified is False
    plan = door.plan("log.js", NEW)
    etag = next(check.detail for check in plan.checks if "etag" in check.detail).split()[-1]
    handler.answer = json.dumps({"name": "log", "etag": etag}).encode()
    assert door.apply(plan).verified is True


def test_a_script_with_a_name_of_any_alphabet_is_verified(pool, scripts, tmp_path, manager) -> None:
    handler, url = manager
    door = deployer(scripts, pool, tmp_path, manager_url=url)
    plan = door.plan("Größe 前.js", NEW)
    etag = next(check.detail for check in plan.checks if "etag" in check.detail).split()[-1]
    handler.answer = json.dumps({"etag": etag}).encode()
    assert door.apply(plan).verified is True


@pytest.mark.parametrize("nonsense", [b"<html>", b"[1,2]", b'{"etag": 5}', b"", b"\xff\xfe"])
def test_a_manager_that_answers_nonsense_is_said_to_be_none(pool, scripts, tmp_path, manager, nonsense: bytes) -> None:
    handler, url = manager
    handler.answer = nonsense
    door = deployer(scripts, pool, tmp_path, manager_url=url)
    report = door.apply(door.plan("log.js", NEW))
    assert report.verified is None
    assert "not verified" in report.verification
    assert (scripts / "log.js").read_text() == NEW


STEPS = ("start", "backup", "open", "half", "written", "synced", "renamed", "done")
DEPLOY = """
import sys
from pathlib import Path
from app.jobs.deploy import Deployer
from app.jobs.model import DeployPlan
from app.jobs import files
scripts, history, new = (Path(word) for word in sys.argv[1:])
target = scripts / "log.js"
text = new.read_text()
old = target.read_bytes()
plan = DeployPlan("log.js", target, text, old.decode(), files.sha256(old), (), ())
Deployer(scripts, None, history_dir=history).apply(plan)
"""


def run_deploy(scripts: Path, tmp_path: Path, new: str, crash_at: str = "", kill_after: float | None = None) -> int:
    (tmp_path / "new.js").write_text(new)
    arguments = [sys.executable, "-c", DEPLOY, str(scripts), str(tmp_path / "history"), str(tmp_path / "new.js")]
    environment = dict(os.environ) | {files.CRASH_VARIABLE: crash_at, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(arguments, env=environment, cwd=ROOT)
    try:
        return process.wait(timeout=kill_after or 30)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


@pytest.mark.parametrize("step", STEPS)
def test_a_deployment_killed_at_a_step_leaves_the_old_or_the_new_script_whole(scripts, tmp_path, step: str) -> None:
    (scripts / "log.js").write_text(OLD)
    code = run_deploy(scripts, tmp_path, NEW, f"deploy.{step}:1")
    assert code == -signal.SIGKILL
    assert (scripts / "log.js").read_text() == (NEW if step in ("renamed", "done") else OLD)
    # Leftovers never look like a script, and the next deployment succeeds.
    assert {path.name for path in scripts.glob("*.js")} == {"log.js"}
    assert run_deploy(scripts, tmp_path, NEW) == 0
    assert (scripts / "log.js").read_text() == NEW


def test_a_deployment_killed_at_twenty_random_moments_leaves_a_whole_script(scripts, tmp_path) -> None:
    big = NEW + "".join(f"// line {number}\n" for number in range(200_000))
    chance = random.Random(20)
    whole = {OLD, big}
    for _moment in range(20):
        (scripts / "log.js").write_text(OLD)
        run_deploy(scripts, tmp_path, big, kill_after=chance.uniform(0.15, 0.6))
        assert (scripts / "log.js").read_text() in whole
        for left in scripts.glob(".log.js.*"):
            left.unlink()
