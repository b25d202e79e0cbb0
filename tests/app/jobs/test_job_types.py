"""The job types that come with the program, and what a Worker would run of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.jobs.api import API_REFERENCE, TEMPLATES, Variable, command_line, expand_variables, settings_form
from app.jobs.compiler import CompilerPool
from app.jobs.model import CompileRequest, CompileResult

FOLDER = Path(__file__).parents[3] / "resources" / "job_types"
CASES = Path(__file__).parents[2] / "data" / "flamenco_cases.json"


@pytest.fixture(scope="module")
def pool() -> Iterator[CompilerPool]:
    with CompilerPool() as made:
        yield made


def compiled(
    pool: CompilerPool, script: str, settings: dict[str, Any], **more
) -> tuple[CompileResult, list[dict[str, Any]]]:
    job = {"name": "job", "type": script.replace("_", "-"), "submitter_platform": "linux", "settings": settings}
    text = (FOLDER / f"{script}.js").read_text()
    result = pool.compile(CompileRequest(scripts={f"{script}.js": text}, job=job, **more), timeout=60)
    assert result.ok, result.error
    return result, pool.pages(result.result_id, 0, 10_000)


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.js")))
def test_a_built_in_job_type_has_no_findings(pool: CompilerPool, name: str) -> None:
    assert pool.lint((FOLDER / f"{name}.js").read_text(), file=name) == []


@pytest.mark.parametrize("name", ["empty", "chunks"])
def test_a_template_compiles_without_findings(pool: CompilerPool, name: str) -> None:
    job = {
        "name": "x",
        "type": "t",
        "submitter_platform": "linux",
        "settings": {"message": "x", "frames": "1-30", "chunk_size": 10},
    }
    result = pool.compile(CompileRequest(scripts={"t.js": TEMPLATES[name].text}, job=job), timeout=60)
    assert result.ok
    assert result.lint == ()


def test_log_and_sleep_logs_then_sleeps(pool: CompilerPool) -> None:
    result, tasks = compiled(pool, "log_and_sleep", {"message": "hi", "sleep_duration_seconds": 2})
    assert [(task["name"], task["dependencies"]) for task in tasks] == [("log", []), ("sleep", [0])]
    assert tasks[1]["commands"][0]["parameters"] == {"duration_in_seconds": 2}
    assert result.job_type is not None
    message, sleep = settings_form(result.job_type)
    assert (message.key, message.required, sleep.key, sleep.type, sleep.default) == (
        "message",
        True,
        "sleep_duration_seconds",
        "int32",
        1,
    )


def test_a_sequence_is_encoded_in_chunks_and_joined_after_all_of_them(pool: CompilerPool) -> None:
    _result, tasks = compiled(
        pool,
        "dailies_transcode",
        {"input": "/p/a.%04d.png", "frames": "1001-1250", "output": "/p/a.mp4", "slate": True, "chunk_size": 100},
    )
    names = [task["name"] for task in tasks]
    assert names == ["slate", "encode 1001-1100", "encode 1101-1200", "encode 1201-1250", "join", "thumbnail"]
    assert tasks[4]["dependencies"] == [0, 1, 2, 3]
    assert tasks[5]["dependencies"] == [4]
    joined = tasks[4]["commands"][0]["parameters"]["args"]
    assert joined[joined.index("-i") + 1].count("|") == 3


def test_a_movie_is_transcoded_in_one_task(pool: CompilerPool) -> None:
    _result, tasks = compiled(pool, "dailies_transcode", {"input": "/p/a.mov", "output": "/p/a.mp4"})
    assert [task["name"] for task in tasks] == ["transcode", "thumbnail"]


def test_blender_frames_makes_a_preview_video_after_the_renders(pool: CompilerPool) -> None:
    result, tasks = compiled(
        pool,
        "blender_frames",
        {
            "blendfile": "/p/a.blend",
            "frames": "1-10",
            "chunk_size": 5,
            "render_output_root": "/r",
            "image_file_extension": ".png",
            "fps": 25,
        },
        created="2026-11-22T10:00:00",
    )
    assert [task["name"] for task in tasks] == ["render-1-5", "render-6-10", "preview-video"]
    assert tasks[2]["dependencies"] == [0, 1]
    assert tasks[0]["commands"][0]["total_step_count"] == 5
    assert result.job is not None
    assert result.job["settings"]["render_output_path"] == "/r/job/2026-11-22_100000/######"


def test_publish_copy_names_each_copy_and_refuses_two_of_one_name(pool: CompilerPool) -> None:
    _result, tasks = compiled(pool, "publish_copy", {"files": "/a/x.exr\n/b/y.exr -> z.exr", "destination": "/out"})
    copies = [command["parameters"] for command in tasks[0]["commands"]]
    assert copies == [{"src": "/a/x.exr", "dest": "/out/x.exr"}, {"src": "/b/y.exr", "dest": "/out/z.exr"}]


STORAGE = {
    "my_storage": Variable(
        {"linux": "/media/shared/flamenco", "windows": "F:\\flamenco", "darwin": "/Volumes/shared/flamenco"}, True
    ),
    "blender": Variable(dict.fromkeys(("linux", "windows", "darwin"), "blender")),
    "blenderArgs": Variable({"all": "-b -y"}),
}  # fmt: skip


def variable_cases(kind: str) -> list[dict[str, str]]:
    import json

    return [case for case in json.loads(CASES.read_text("utf-8"))["variable_cases"]["cases"] if kind in case]


@pytest.mark.parametrize("case", variable_cases("expand"), ids=str)
def test_variables_are_expanded_as_the_manager_does(case: dict[str, str]) -> None:
    commands = [
        {"name": "c", "parameters": {"a": case["expand"], "l": [case["expand"], 5], "deep": {"x": case["expand"]}}}
    ]
    (command,) = expand_variables(commands, STORAGE, case["platform"])
    assert command["parameters"] == {"a": case["result"], "l": [case["result"], 5], "deep": {"x": case["expand"]}}


@pytest.mark.parametrize("case", variable_cases("replace"), ids=str)
def test_submitted_paths_become_two_way_variables_as_in_the_manager(pool: CompilerPool, case: dict[str, str]) -> None:
    script = 'const JOB_TYPE={label:"x",settings:[]};function compileJob(job){print(job.settings.p)}'
    job = {"name": "x", "type": "t", "submitter_platform": case["platform"], "settings": {"p": case["replace"]}}
    result = pool.compile(CompileRequest(scripts={"t.js": script}, job=job, variables=STORAGE), timeout=60)
    assert [line.text for line in result.prints] == [case["result"]]


def worker_cases() -> list[dict[str, Any]]:
    import json

    return [case for case in json.loads(CASES.read_text("utf-8"))["worker_cases"] if case["observed"].get("cli")]


@pytest.mark.parametrize("case", worker_cases(), ids=lambda case: case["id"])
def test_the_inspector_shows_the_argument_list_the_worker_ran(case: dict[str, Any]) -> None:
    lines = [command_line(command) for command in case["commands"]]
    assert [list(line.argv) for line in lines if line.argv] == case["observed"]["cli"]


def test_a_refused_command_is_shown_in_the_workers_words() -> None:
    assert command_line({"name": "foo", "parameters": {}}).error == 'unknown command: "foo"'
    sleeping = command_line({"name": "sleep", "parameters": {"duration_in_seconds": -1}})
    assert sleeping.error == 'sleep: parameter "duration_in_seconds" has invalid value -1: cannot be negative'


def test_the_table_of_the_job_api_names_what_a_script_really_finds(pool: CompilerPool) -> None:
    prelude = (
        'const JOB_TYPE={label:"x",settings:[]};function compileJob(job){'
        'const task=author.Task("a","misc"),command=author.Command("b",{});'
        "const seen={};const look=(n,f)=>{try{seen[n]=typeof f()}catch(e){seen[n]=String(e)}};"
    )
    checks = "".join(
        f"look({entry.name!r},()=>{entry.name});"
        for entry in API_REFERENCE
        if entry.name not in ("JOB_TYPE", "compileJob")
    )
    script = prelude + checks + "job.settings.seen=seen}"
    job = {"name": "x", "type": "t", "submitter_platform": "linux", "settings": {}}
    result = pool.compile(CompileRequest(scripts={"t.js": script}, job=job), timeout=60)
    assert result.job is not None, result.error
    for name, kind in result.job["settings"]["seen"].items():
        entry = next(entry for entry in API_REFERENCE if entry.name == name)
        wanted = {"function": "function", "method": "function", "class": "function", "object": "object"}.get(entry.kind)
        assert kind == (wanted or kind)
        assert kind != "undefined"
        assert not re.match(r"\w*Error", kind)
