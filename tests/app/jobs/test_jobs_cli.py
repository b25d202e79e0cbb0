"""The commands ``compile``, ``lint`` and ``deploy`` as a TD types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LOG = ROOT / "resources" / "job_types" / "log_and_sleep.js"
CASES = json.loads((Path(__file__).parents[2] / "data" / "flamenco_cases.json").read_text("utf-8"))


def run(*words: object) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "app.jobs.cli", *map(str, words)]
    with tempfile.TemporaryDirectory() as data:
        environment = dict(os.environ) | {"XDG_DATA_HOME": data}
        return subprocess.run(
            arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )


def test_compile_prints_the_managers_answer_as_json(tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    job.write_text(
        json.dumps({"name": "j", "settings": {"message": "hi", "sleep_duration_seconds": 3}, "metadata": {"p": "x"}})
    )
    done = run("compile", LOG, "--job", job, "--set", "message=héllo", "--set", "sleep_duration_seconds=5",
               "--zone", "Europe/Amsterdam", "--created", "2026-01-02T03:04:05", "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    out = json.loads(done.stdout)
    assert out["outcome"] == "ok"
    assert out["job_type"]["name"] == "log-and-sleep"
    assert len(out["job_type"]["etag"]) == 40
    assert {key: out["job"][key] for key in ("name", "priority", "settings", "metadata", "worker_tag", "shaman")} == {
        "name": "j", "priority": 50, "settings": {"message": "héllo", "sleep_duration_seconds": 5},
        "metadata": {"p": "x"}, "worker_tag": "", "shaman": "",
    }  # fmt: skip
    assert out["tasks"][0] == {
        "name": "log", "type": "misc", "priority": 50, "dependencies": [],
        "commands": [{"name": "echo", "parameters": {"message": "héllo"}, "total_step_count": 0}],
    }  # fmt: skip
    assert (out["prints"], out["lint"]) == ([], [])
    assert "error" not in out


def test_compile_of_a_broken_script_ends_with_one_and_names_the_place(tmp_path: Path) -> None:
    script = tmp_path / "bad.js"
    script.write_text(
        'const JOB_TYPE = {label: "x", settings: []};\nfunction compileJob(job) {\n  throw new Error("no");\n}\n'
    )
    done = run("compile", script, "--json")
    out = json.loads(done.stdout)
    assert done.returncode == 1
    assert out["outcome"] == "error"
    assert {key: out["error"][key] for key in ("message", "kind", "file", "line")} == {
        "message": "Error: no", "kind": "exception", "file": "bad.js", "line": 3,
    }  # fmt: skip
    assert out["http"]["status"] == 400


@pytest.mark.parametrize(
    "words",
    [
        ["compile"],
        ["compile", "/nowhere/x.js"],
        ["compile", LOG, "--job", "/nowhere/job.json"],
        ["compile", LOG, "--set", "novalue"],
        ["compile", LOG, "--zone", "Mars/Base"],
        ["compile", LOG, "--created", "yesterday"],
        ["compile", LOG, "--manager-version", "new"],
        ["compile", LOG, "--batch", "x.jsonl"],
        ["compile", "--batch", "/nowhere.jsonl"],
        ["compile", LOG, "--nonsense"],
        ["lint"],
        ["deploy", LOG],
        ["deploy", LOG, "--to", "/nowhere"],
        ["deploy", LOG, "--to", ""],
        ["deploy", LOG, "--to", "x" * 300],
        ["deploy", LOG, "--to", LOG],
        ["deploy", ROOT / "LICENSE", "--to", ROOT],
        ["compile", LOG, "--zone", "x" * 300],
        ["compile", LOG, "--scripts-dir", ""],
    ],
    ids=str,
)
def test_wrong_usage_ends_with_two(words: list[object]) -> None:
    done = run(*words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "signalbox: " in done.stderr or "Usage: " in done.stderr


def test_a_sample_job_with_broken_json_is_told_apart_from_a_broken_script(tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    job.write_text('{"name": ')
    done = run("compile", LOG, "--job", job)
    assert done.returncode == 2
    assert "is not JSON" in done.stderr
    job.write_text('{"settings": ' + "[" * 100_000)
    deep = run("compile", LOG, "--job", job)
    assert deep.returncode == 2
    assert "nested too deeply" in deep.stderr


def test_a_job_file_of_windows_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    job.write_text(json.dumps({"name": "j", "settings": {"message": "hi"}}), "utf-8-sig")
    done = run("compile", LOG, "--job", job, "--set", "message=NaN", "--json")
    assert json.loads(done.stdout)["job"]["settings"] == {"message": "NaN"}, "only Python takes NaN for JSON"


def test_settings_added_to_a_job_whose_settings_are_a_list_are_refused_as_the_manager_does(tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    job.write_text('{"name": "j", "settings": [1]}')
    done = run("compile", LOG, "--job", job, "--set", "message=a")
    assert done.returncode == 1
    assert 'Error at "/settings": value must be an object' in done.stderr


def test_a_batch_answers_every_line_in_order_even_a_hanging_one(tmp_path: Path) -> None:
    chosen = CASES["compile_cases"][:6]
    lines = [json.dumps({key: case[key] for key in ("scripts", "job", "created_local", "timezone")}) for case in chosen]
    job = {"name": "x", "type": "t", "submitter_platform": "linux", "settings": {}}
    lines.insert(
        2,
        json.dumps(
            {"scripts": {"t.js": "for(;;){}"}, "job": job, "created_local": "2026-01-01T00:00:00", "timezone": "UTC"}
        ),
    )
    lines.insert(4, "not json")
    batch = tmp_path / "cases.jsonl"
    batch.write_text("\n".join(lines))
    done = run("compile", "--batch", batch)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    wanted = [case["expect"]["outcome"] for case in chosen]
    wanted.insert(2, "manager_hangs")
    wanted.insert(4, "error")
    assert [answer["outcome"] for answer in answers] == wanted


def test_lines_of_a_batch_that_are_nonsense_are_named_and_the_others_answered(tmp_path: Path) -> None:
    script = 'const JOB_TYPE = {label: "T", settings: []};\nfunction compileJob(job) {} // \ud800'
    good = {"scripts": {"t.js": script}, "job": {"name": "x", "type": "t", "submitter_platform": "linux"}}
    lines = [
        json.dumps(good | {"scripts": {"t.js": 5}}),
        json.dumps(good | {"created_local": 5}),
        json.dumps(good | {"timezone": ["UTC"]}),
        json.dumps(good | {"timezone": "x" * 300}),
        json.dumps(good | {"job": good["job"] | {"settings": {"deep": 1}}}).replace(
            "1}}", "[" * 700 + "]" * 700 + "}}"
        ),
        "[" * 100_000,
        json.dumps(good),
    ]
    batch = tmp_path / "cases.jsonl"
    batch.write_text("\n".join(lines))
    done = run("compile", "--batch", batch)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["outcome"] for answer in answers] == ["error"] * 6 + ["ok"], done.stderr
    wanted = ["scripts", "created_local", "timezone", "does not know the time zone", "too deeply", "too deeply"]
    assert [word in answer["error"]["message"] for word, answer in zip(wanted, answers, strict=False)] == [True] * 6


def test_lint_fails_for_what_the_manager_leaves_out_or_hangs_on(tmp_path: Path) -> None:
    empty = tmp_path / "empty.js"
    empty.touch()
    done = run("lint", empty)
    assert (done.returncode, "it has fewer than 8 bytes" in done.stdout) == (1, True), done.stdout
    hanging = tmp_path / "hanging.js"
    hanging.write_text(
        'const JOB_TYPE = {label: "x", settings: []};\nfunction compileJob(job) { frameChunker("1-200000000", 1) }\n'
    )
    done = run("lint", hanging)
    assert (done.returncode, "error [compile-size] the Manager would hang" in done.stdout) == (1, True), done.stdout


def test_lint_ends_with_one_when_the_manager_would_refuse(tmp_path: Path) -> None:
    assert run("lint", LOG).returncode == 0
    script = tmp_path / "x.js"
    script.write_text(
        'const JOB_TYPE = {label: "x", settings: []};\nfunction compileJob(job) { job.settings.a ??= 1 }\n'
    )
    done = run("lint", script, "--json")
    assert done.returncode == 1
    assert {"code": "engine-syntax", "line": 2} in [
        {k: f[k] for k in ("code", "line")} for f in json.loads(done.stdout)
    ]


def test_deploy_shows_the_difference_and_writes_only_without_dry_run(tmp_path: Path) -> None:
    done = run("deploy", LOG, "--to", tmp_path, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "+const JOB_TYPE = {" in done.stdout
    assert "ok     lint: 0 warnings" in done.stdout
    assert list(tmp_path.iterdir()) == []
    assert run("deploy", LOG, "--to", tmp_path).returncode == 0
    assert (tmp_path / "log_and_sleep.js").read_bytes() == LOG.read_bytes()
    broken = tmp_path / "new" / "log_and_sleep.js"
    broken.parent.mkdir()
    broken.write_text("let x = ;")
    assert run("deploy", broken, "--to", tmp_path).returncode == 1
    assert (tmp_path / "log_and_sleep.js").read_bytes() == LOG.read_bytes()


def test_deploy_names_what_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "log_and_sleep.js").mkdir()
    done = run("deploy", LOG, "--to", tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"not deployed, {tmp_path} cannot be read: {tmp_path}/log_and_sleep.js: Is a directory" in done.stderr
