"""Every case observed on the real Manager, against the compiler: same outcome, tasks, settings, errors, etag."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.jobs.compiler import CompilerPool
from app.jobs.model import CompileRequest, CompileResult, Limits
from app.jobs.results import as_json

CASES = json.loads((Path(__file__).parents[2] / "data" / "flamenco_cases.json").read_text("utf-8"))
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# Messages made by the engine itself are worded differently by V8; their class is compared.
NATIVE = ("TypeError", "ReferenceError", "SyntaxError", "RangeError")


@pytest.fixture(scope="module")
def pool() -> Iterator[CompilerPool]:
    with CompilerPool(timezone="Europe/Amsterdam") as made:
        yield made


def plain(value: Any) -> Any:
    """The value with random ids named and numbers compared by value."""
    return json.loads(UUID.sub("<UUID>", json.dumps(value)))


def compiled(pool: CompilerPool, case: dict[str, Any]) -> tuple[CompileResult, dict[str, Any]]:
    result = pool.compile(
        CompileRequest(
            scripts=case["scripts"],
            job=case["job"],
            created=case["created_local"],
            timezone=case["timezone"],
            manager_version="3.9",
            limits=Limits(seconds=20),
        ),
        timeout=60,
    )
    out = as_json(result)
    if result.job is not None:
        out["tasks"] = pool.pages(result.result_id, 0, 10**6)
    return result, out


@pytest.mark.parametrize("case", CASES["compile_cases"], ids=lambda case: case["id"])
def test_a_job_compiles_as_on_the_manager(pool: CompilerPool, case: dict[str, Any]) -> None:
    expect = case["expect"]
    _result, out = compiled(pool, case)
    assert out["outcome"] == expect["outcome"], out.get("error")
    if "tasks" in expect:
        assert plain(out["tasks"]) == expect["tasks"]
        assert plain(out["job"]) == expect["job"]
    if "store_error" in expect:
        assert out["store_error"] == expect["store_error"]
    if expect["outcome"] != "ok":
        assert out["http"]["status"] == expect["http"]
    if "message" in expect:
        got, wanted = out["error"]["message"], expect["message"]
        native = wanted.startswith(NATIVE) and "could not convert" not in wanted and "Go struct" not in wanted
        assert got.split(":", 1)[0] == wanted.split(":", 1)[0] if native else got == wanted
        if "kind" in expect:
            assert out["error"]["kind"] == expect["kind"]
    if "position" in expect:
        assert out["error"]["file"] == expect["position"]["file"].removeprefix("at ")
        assert out["error"]["line"] == expect["position"]["line"]
    if "expect_job_type" in case:
        assert out["job_type"] == case["expect_job_type"]
    if "expect_job_type_error" in case:
        assert out["job_type_error"]["kind"] == case["expect_job_type_error"]["kind"]


def evaluate(pool: CompilerPool, source: str) -> dict[str, Any]:
    job = {"name": "x", "type": "probe", "submitter_platform": "linux", "settings": {}}
    return pool.expression(
        source,
        CompileRequest(
            job=job, created="2006-01-02T15:04:05", timezone="Europe/Amsterdam", manager_version="3.9",
            limits=Limits(seconds=20),
        ),
    )  # fmt: skip


def check_error(answer: dict[str, Any], wanted: str, kind: str) -> None:
    assert "error" in answer, answer
    got = answer["error"]["message"]
    if wanted.startswith(NATIVE) and "could not convert" not in wanted and "Go " not in wanted and "host" not in wanted:
        assert got.split(":")[0] == wanted.split(":", maxsplit=1)[0]
    else:
        assert got == wanted
    assert answer["error"]["kind"] == kind


def without_stack(text: Any) -> Any:
    """The text without the stack of an error: every engine prints its own."""
    return re.sub(r'(?:\\n|\n)\\?\s*(?:\\t)?at [^"]*', "", text) if isinstance(text, str) else text


@pytest.mark.parametrize("case", CASES["expression_cases"], ids=lambda case: case["source"][:60])
def test_a_global_behaves_as_on_the_manager(pool: CompilerPool, case: dict[str, Any]) -> None:
    answer = evaluate(pool, case["source"])
    if "go_panic" in case:
        assert answer.get("go_panic", "") in case["go_panic"] != ""
    elif "error" in case:
        check_error(answer, case["error"], case["error_kind"])
    else:
        assert without_stack(answer.get("result", answer)) == without_stack(case["result"])


@pytest.mark.parametrize("case", CASES["language_features"], ids=lambda case: case["name"])
def test_the_language_is_the_managers(pool: CompilerPool, case: dict[str, Any]) -> None:
    answer = evaluate(pool, case["source"])
    if case["goja"] == "error":
        check_error(answer, case["error"], case["error_kind"])
    elif case["goja"] == "unserialisable":
        assert answer == {**answer, "unserialisable": case["error"]}
    else:
        assert answer.get("result", answer) == case["result"]


def test_dependencies_after_a_task_that_was_never_added_are_lost(pool: CompilerPool) -> None:
    case = CASES["dependency_loss_case"]
    request = CompileRequest(
        scripts={"t.js": case["script"]}, job={"name": "x", "type": "t", "submitter_platform": "linux", "settings": {}}
    )
    result = pool.compile(request, timeout=60)
    tasks = pool.pages(result.result_id, 0, 100)
    stored = [[t["name"], tasks[d]["name"]] for t in tasks for d in t["dependencies"]]
    assert result.ok
    assert stored == case["stored_dependencies"]
    lost = [[t["name"], name] for t in tasks for name in t.get("lost_dependencies", [])]
    assert sorted(stored + lost) == sorted(case["compiled_dependencies"])
    assert {"dependency-not-added", "dependency-lost"} <= {finding.code for finding in result.lint}


def submissions() -> list[dict[str, Any]]:
    """HTTP cases about a script of the case, or refused by the schema before any script runs."""
    found = []
    for case in CASES["http_cases"]:
        is_submission = case["method"] == "POST" and case["path"] in ("/api/v3/jobs", "/api/v3/jobs/check")
        if not is_submission or not isinstance(case["body"], dict) or case["content_type"] != "application/json":
            continue
        refused = isinstance(case["response"], dict) and "doesn't match schema" in case["response"].get("message", "")
        if case["script_t_js"] is not None or refused:
            found.append(case)
    return found


@pytest.mark.parametrize("case", submissions(), ids=lambda case: case.get("label", case["path"]))
def test_a_submission_is_answered_as_by_the_manager(pool: CompilerPool, case: dict[str, Any]) -> None:
    scripts = {"t.js": case["script_t_js"]} if case["script_t_js"] else {}
    result = pool.compile(CompileRequest(scripts=scripts, job=case["body"], timezone="Europe/Amsterdam"), timeout=60)
    if case["status"] == 200:
        assert result.ok, result.error
        return
    assert result.http is not None
    assert result.http.status == case["status"]
    # The Manager's program counter and its engine's column are its own.
    place = re.compile(r":\d+\(\d+\)\)?$|:\d+\)?$|\((\d+)\)\)$")
    assert place.sub("", result.http.message) == place.sub("", case["response"]["message"])
