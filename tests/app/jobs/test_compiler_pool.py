"""The pool of V8 children: newest wins, large results in pages, the settings form, broken inputs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.jobs.compiler import CompileHandle, CompilerClosed, CompilerPool
from app.jobs.model import CompileRequest, Limits
from app.jobs.settings_form import settings_form, submitted_defaults

HEAD = 'const JOB_TYPE={label:"T",settings:[]};\n'
MANY = HEAD + (
    "function compileJob(job){let last=null;for(let i=0;i<job.settings.n;i++){"
    'const t=author.Task("t"+i,i%2?"misc":"blender");t.addCommand(author.Command("echo",{message:"m"+i}));'
    "if(last)t.addDependency(last);job.addTask(t);last=t}}"
)


@pytest.fixture(scope="module")
def pool() -> Iterator[CompilerPool]:
    with CompilerPool() as made:
        yield made


def request(script: str, seconds: float = 10, **settings) -> CompileRequest:
    job = {"name": "x", "type": "t", "submitter_platform": "linux", "settings": settings}
    return CompileRequest(scripts={"t.js": script}, job=job, limits=Limits(seconds=seconds))


def test_a_large_result_reaches_the_window_in_pages(pool: CompilerPool) -> None:
    result = pool.compile(request(MANY, n=10_001), timeout=60)
    assert result.summary.tasks == 10_001
    assert result.summary.by_type == {"blender": 5001, "misc": 5000}
    assert result.summary.dependencies == 10_000
    page = pool.pages(result.result_id, 9_998, 50)
    assert [task["name"] for task in page] == ["t9998", "t9999", "t10000"]
    assert page[1]["dependencies"] == [9998]
    columns = pool.columns(result.result_id)
    assert len(columns.names) == 10_001
    assert columns.dependencies[5] == [4]
    assert json.loads("".join(pool.raw(result)))["tasks"][10_000]["name"] == "t10000"


def test_the_newest_preview_wins_and_older_runs_end_cancelled(pool: CompilerPool) -> None:
    older = [pool.submit(request(HEAD + "function compileJob(){for(;;){}}", 30)) for _typing in range(4)]
    newest = pool.submit(request(MANY, n=3))
    assert newest.result(30).summary.tasks == 3
    assert {handle.result(30).outcome for handle in older} == {"cancelled"}


def test_a_callback_gets_the_finished_handle(pool: CompilerPool) -> None:
    called = threading.Event()
    seen: list[CompileHandle] = []

    def done(handle: CompileHandle) -> None:
        seen.append(handle)
        called.set()

    handle = pool.submit(request(MANY, n=1), channel="")
    handle.add_done_callback(done)
    assert called.wait(30)
    assert seen == [handle]
    handle.add_done_callback(done)
    assert len(seen) == 2


def test_a_child_that_is_killed_from_outside_costs_nothing_but_a_moment(pool: CompilerPool) -> None:
    pool.wait_warm()
    for child in pool.children():
        os.kill(child, signal.SIGKILL)
    assert pool.compile(request(MANY, n=2), timeout=60).ok


def test_a_child_whose_owner_died_meanwhile_ends_too() -> None:
    arguments = [sys.executable, "-m", "app.jobs.child"]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.close()
        child.stdin.close()
        assert child.wait(30) == 1


def test_an_unreadable_or_vanished_scripts_folder_is_an_outcome(pool: CompilerPool, tmp_path: Path) -> None:
    result = pool.compile(CompileRequest(scripts_dir=tmp_path / "gone", job={"name": "x"}), timeout=30)
    assert result.outcome == "error"
    assert result.error is not None
    assert result.error.kind == "file"


def test_scripts_and_helpers_of_a_folder_are_read_by_the_managers_rules(pool: CompilerPool, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "h.js").write_text("module.exports = {name: () => 'helped'}")
    (tmp_path / "my_job.js").write_text(
        HEAD + "const h=require('./lib/h.js');function compileJob(job){job.addTask(author.Task(h.name(),'misc'))}"
    )
    (tmp_path / "tiny.js").write_text("//")
    (tmp_path / "link.js").symlink_to(tmp_path / "my_job.js")
    job = {"name": "x", "type": "my-job", "submitter_platform": "linux"}
    result = pool.compile(CompileRequest(scripts_dir=tmp_path, job=job), timeout=30)
    assert pool.pages(result.result_id, 0, 1)[0]["name"] == "helped"
    for name in ("tiny", "link", "my_job", "lib"):
        unknown = pool.compile(CompileRequest(scripts_dir=tmp_path, job={**job, "type": name}), timeout=30)
        assert unknown.error is not None
        assert unknown.error.message == "job type unknown"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": None}, "value must be a string"),
        ({"settings": None}, "Value is not nullable"),
        ({"settings": []}, "value must be an object"),
        ({"metadata": {"a": 5}}, 'Error at "/metadata/a": value must be a string'),
        ({"priority": 50.5}, "value must be an integer"),
        ({"priority": "50"}, "value must be an integer"),
        ({"initial_status": "nope"}, "value is not one of the allowed values"),
    ],
)
def test_a_job_the_manager_refuses_is_refused_in_its_words(pool: CompilerPool, change: dict, message: str) -> None:
    job = {"name": "x", "type": "t", "submitter_platform": "linux", "settings": {}, **change}
    result = pool.compile(CompileRequest(scripts={"t.js": MANY}, job=job), timeout=30)
    assert result.http is not None
    assert result.http.status == 400
    assert message in result.http.message


def test_an_outdated_etag_is_refused_and_an_empty_one_accepted(pool: CompilerPool) -> None:
    job = {"name": "x", "type": "t", "submitter_platform": "linux", "settings": {"n": 1}}
    outdated = pool.compile(CompileRequest(scripts={"t.js": MANY}, job={**job, "type_etag": "x"}), timeout=30)
    assert outdated.http is not None
    assert outdated.http.status == 412
    for etag in ("", "5d278a9875bdb343da84f9fe486e9f39e00fbb01"):
        assert pool.compile(CompileRequest(scripts={"t.js": MANY}, job={**job, "type_etag": etag}), timeout=30).ok


def test_time_zones_are_the_managers(pool: CompilerPool) -> None:
    script = (
        HEAD
        + "function compileJob(job){print(formatTimestampLocal(job.created), String(job.created), "
        + "new Date(2026,6,1,12).toString())}"
    )
    job = {"name": "x", "type": "t", "submitter_platform": "linux"}
    shown = {}
    for zone in ("America/New_York", "Asia/Tokyo", "UTC"):
        made = CompileRequest(scripts={"t.js": script}, job=job, created="2026-07-01T12:00:00", timezone=zone)
        shown[zone] = pool.compile(made, timeout=60).prints[0].text
    assert shown["America/New_York"].startswith("2026-07-01_120000 2026-07-01 12:00:00 -0400 EDT")
    assert shown["America/New_York"].endswith("GMT-0400 (EDT)")
    assert shown["Asia/Tokyo"].endswith("GMT+0900 (JST)")
    assert shown["UTC"].startswith("2026-07-01_120000 2026-07-01 12:00:00 +0000 UTC")


def test_an_unknown_zone_is_named(pool: CompilerPool) -> None:
    result = pool.compile(
        CompileRequest(scripts={"t.js": MANY}, job=request(MANY).job, timezone="Mars/Base"), timeout=30
    )
    assert result.error is not None
    assert "Mars/Base" in result.error.message


def test_the_settings_form_shows_what_the_add_on_shows() -> None:
    form = settings_form(
        {
            "settings": [
                {"key": "frame_range", "type": "string", "required": True, "eval": "x",
                 "evalInfo": {"showLinkButton": True, "description": "d"}},
                {"key": "format", "type": "string", "choices": ["PNG", "EXR"], "default": "EXR"},
                {"key": "size", "type": "int32", "choices": ["1"], "default": 2.0, "propargs": {"min": 1, "max": "9"}},
                {"key": "out", "type": "string", "subtype": "hashed_file_path", "visible": "web", "editable": False},
            ]
        }
    )  # fmt: skip
    frames, fmt, size, out = form
    assert (frames.label, frames.widget, frames.eval, frames.eval_link) == ("Frame Range", "text", "x", True)
    assert (fmt.widget, fmt.choices, fmt.default) == ("choice", ("PNG", "EXR"), "EXR")
    assert (size.widget, size.choices, size.default, size.minimum, size.maximum) == ("int", (), 2, 1.0, 9.0)
    assert "ignores choices" in size.warning
    assert (out.widget, out.visible, out.editable) == ("file", False, False)
    assert submitted_defaults(
        {"settings": [{"key": "n", "type": "int32"}, {"key": "h", "type": "string", "visible": "hidden"}]}
    ) == {"n": 0}


def test_a_closed_pool_says_so() -> None:
    made = CompilerPool()
    made.close()
    made.close()
    with pytest.raises(CompilerClosed):
        made.submit(request(MANY, n=1))


def test_children_end_with_the_panel_even_when_it_is_killed_in_the_middle_of_a_loop() -> None:
    code = (
        "from app.jobs.compiler import CompilerPool\nfrom app.jobs.model import CompileRequest, Limits\n"
        "pool = CompilerPool()\npool.wait_warm()\n"
        "job = {'name': 'x', 'type': 't', 'submitter_platform': 'linux'}\n"
        "pool.submit(CompileRequest(scripts={'t.js': 'for(;;){}'}, job=job, limits=Limits(seconds=60)))\n"
        "pool.wait_warm()\nprint(*pool.children(), flush=True)\ninput()\n"
    )
    root = Path(__file__).parents[3]
    panel = subprocess.Popen(
        [sys.executable, "-c", code], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert panel.stdout is not None
    assert panel.stdin is not None
    children = [int(word) for word in panel.stdout.readline().split()]
    assert len(children) >= 2
    panel.kill()
    panel.wait()
    panel.stdin.close()
    panel.stdout.close()
    end = time.monotonic() + 20
    gone = threading.Event()
    while any(Path(f"/proc/{child}").exists() and not is_zombie(child) for child in children):
        assert time.monotonic() < end, "a child outlived its parent"
        gone.wait(0.1)


def is_zombie(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True
