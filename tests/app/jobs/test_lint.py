"""What the Manager's engine refuses, and what the Manager or a Worker would silently get wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.jobs.compiler import CompilerPool
from app.jobs.model import CompileRequest, CompileResult, Diagnostic

HEAD = 'const JOB_TYPE = {label: "T", settings: [{key: "message", type: "string", required: true}]};\n'


@pytest.fixture(scope="module")
def pool() -> Iterator[CompilerPool]:
    with CompilerPool() as made:
        yield made


def in_job(body: str) -> str:
    return HEAD + "function compileJob(job) {\n" + body + "\n}"


def compiled(
    pool: CompilerPool, script: str | bytes, version: str = "3.8.5", name: str = "t.js", **more
) -> CompileResult:
    settings = more.pop("settings", {"message": "hi"})
    job = {
        "name": "x",
        "type": name.removesuffix(".js").replace("_", "-"),
        "submitter_platform": "linux",
        "settings": settings,
    }
    scripts = {name: script, **more.pop("scripts", {})}
    return pool.compile(CompileRequest(scripts=scripts, job=job, manager_version=version), timeout=60)


def found(result: CompileResult, code: str) -> Diagnostic:
    matches = [finding for finding in result.lint if finding.code == code]
    assert matches, [finding.as_json() for finding in result.lint]
    return matches[0]


REFUSED = {
    "logical or assignment": "job.settings.a ||= 1",
    "logical and assignment": "job.settings.a &&= 1",
    "nullish assignment": "job.settings.a ??= 1",
    "numeric separator": "const n = 1_000",
    "big int": "const n = 10n",
    "async generator": "async function* f() {}",
    "for await": "async function f() { for await (const x of []) {} }",
    "regex s": "/a.b/s.test('a')",
    "regex d": "/a/d.test('a')",
    "regex v": "/[a&&b]/v.test('a')",
    "dynamic import": "import('x')",
    "html comment": "let x = 1 <!-- 2",
}


@pytest.mark.parametrize("feature", REFUSED)
def test_what_v8_takes_but_the_manager_refuses_is_a_syntax_error_with_its_place(
    pool: CompilerPool, feature: str
) -> None:
    result = compiled(pool, in_job(REFUSED[feature]))
    assert result.outcome == "error"
    assert result.error is not None
    assert result.error.kind == "syntax"
    assert result.error.line == 3
    assert result.error.column >= 1
    assert result.http is not None
    assert (result.http.status, result.http.message) == (400, "job type unknown")


def test_numeric_separators_are_only_a_warning_for_a_manager_with_a_newer_engine(pool: CompilerPool) -> None:
    result = compiled(pool, in_job("const n = 1_000"), version="4.0")
    assert result.ok
    assert found(result, "engine-level").severity == "warning"


def test_static_import_is_a_syntax_error(pool: CompilerPool) -> None:
    result = compiled(pool, "import x from 'y';\n" + in_job(""))
    assert result.error is not None
    assert (result.error.kind, result.error.line) == ("syntax", 1)


WARNED = {
    "engine-silent": "'5'.match(/(?<digit>\\d)/u)",
    "missing-method": "[2, 1].toSorted()",
    "missing-global": "console.log('x')",
    "undeclared-name": "undeclared(1)",
    "unknown-setting": "print(job.settings.mesage)",
    "unknown-task-type": "job.addTask(author.Task('a', 'nuke'))",
    "unknown-command": "author.Command('explode', {})",
    "command-needs-newer-worker": "author.Command('make-directory', {path: '/x'})",
    "command-parameter": "author.Command('exec', {args: ['x']})",
    "command-parameter-unknown": "author.Command('echo', {message: 'x', colour: 'red'})",
    "frame-chunker-size": "try { frameChunker('1-3') } catch (e) {}",
    "task-not-added": "author.Task('a', 'misc')",
    "require-outside": "try { require('../x.js') } catch (e) {}",
}


@pytest.mark.parametrize("code", WARNED)
def test_what_goes_wrong_on_a_farm_is_found_with_its_line(pool: CompilerPool, code: str) -> None:
    finding = found(compiled(pool, in_job(WARNED[code])), code)
    assert finding.line == 3
    assert finding.column >= 1


def test_a_misspelt_setting_names_the_one_that_was_meant(pool: CompilerPool) -> None:
    assert (
        'did you mean "message"'
        in found(compiled(pool, in_job("print(job.settings.mesage)")), "unknown-setting").message
    )


def test_the_version_decides_globals_commands_and_lint_together(pool: CompilerPool) -> None:
    script = in_job("job.settings.n = typeof frameCount; job.settings.s = typeof shellSplit")
    for version, frames, shell in (
        ("3.5", "undefined", "undefined"),
        ("3.6", "undefined", "function"),
        ("3.8", "function", "function"),
    ):
        result = compiled(pool, script, version=version)
        assert result.job is not None
        assert (result.job["settings"]["n"], result.job["settings"]["s"]) == (frames, shell)
    assert found(compiled(pool, in_job("frameCount('1')"), version="3.7"), "needs-newer-manager").line == 3
    made = in_job("author.Command('make-directory', {path: '/x'})")
    assert not [f for f in compiled(pool, made, version="3.9").lint if f.code.startswith("command")]


def test_a_dependency_on_a_task_never_added_is_found_where_it_was_made(pool: CompilerPool) -> None:
    script = in_job(
        "const ghost = author.Task('ghost', 'misc');\n"
        "const a = author.Task('a', 'misc'), b = author.Task('b', 'misc');\n"
        "b.addDependency(ghost);\n"
        "b.addDependency(a);\n"
        "job.addTask(a); job.addTask(b);"
    )
    result = compiled(pool, script)
    assert result.ok
    assert found(result, "dependency-not-added").line == 5
    assert found(result, "dependency-lost").line == 6
    assert result.summary.lost_dependencies == 2


def test_each_place_that_makes_tasks_for_nothing_is_found_once(pool: CompilerPool) -> None:
    script = in_job(
        "for (let i = 0; i < 3; i++) author.Task('chunk ' + i, 'misc');\n"
        "const { make } = require('./lib/make');\n"
        "const lost = make();\n"
        "job.addTask(author.Task('a', 'misc'), author.Task('second argument', 'misc'));"
    )
    helper = {"lib/make.js": "exports.make = () => author.Task('from a helper', 'misc');"}
    findings = [one for one in compiled(pool, script, scripts=helper).lint if one.code == "task-not-added"]
    assert [one.line for one in findings] == [3, 5, 6]
    assert findings[0].message.startswith('3 tasks ("chunk 0", ...) are made but never added')
    assert findings[1].message.startswith('the task "from a helper" is made but never added')


def test_more_tasks_made_for_nothing_than_are_traced_are_counted(pool: CompilerPool) -> None:
    script = in_job("for (let i = 0; i < 6000; i++) author.Task('chunk ' + i, 'misc');")
    finding = found(compiled(pool, script), "task-not-added")
    assert finding.message.startswith('6,000 tasks ("chunk 0", ...) are made')
    assert finding.line == 3


def test_a_task_that_comes_into_the_job_another_way_or_is_taken_out_again_is_not_found(pool: CompilerPool) -> None:
    script = in_job(
        "job.addTask(author.Task('taken out', 'misc')); job.tasks = [];\n"
        "job.tasks.push(author.Task('pushed', 'misc'));\n"
        "job.addTask({...author.Task('spread', 'misc')});\n"
        "const own = author.Task('own id', 'misc'); own.uUID = 'mine'; job.tasks.push(own);"
    )
    result = compiled(pool, script)
    assert result.summary.tasks == 3
    assert [one.message for one in result.lint if one.code == "task-not-added"] == []


UNREADABLE = [
    "evalInfo: 'yes'",
    "choices: 'a'",
    "propargs: 'min'",
    "default: NaN",
    "default: -Infinity",
    "default: () => 1",
]


@pytest.mark.parametrize("part", UNREADABLE)
def test_a_setting_that_spoils_the_whole_job_type_is_found_with_its_line(pool: CompilerPool, part: str) -> None:
    text = f"const JOB_TYPE = {{settings: [\n{{key: 'a', type: 'string', {part}}}]}};\nfunction compileJob() {{}}"
    result = compiled(pool, text)
    assert result.job_type is None
    assert (found(result, "setting-shape").severity, found(result, "setting-shape").line) == ("error", 2)


def test_a_script_that_was_not_saved_as_utf8_is_found_where_it_is_not(pool: CompilerPool) -> None:
    text = 'const JOB_TYPE = {settings: [], label: "Wörter"};\nfunction compileJob() {} // größer'.encode("latin-1")
    result = compiled(pool, text)
    assert result.ok
    assert (found(result, "not-utf8").line, found(result, "not-utf8").column) == (1, 42)


def test_a_setting_without_a_key_is_found(pool: CompilerPool) -> None:
    text = "const JOB_TYPE = {settings: [{key: 'a', type: 'string'},\n{type: 'string'}]};\nfunction compileJob() {}"
    assert found(compiled(pool, text), "setting-key-missing").line == 2


def test_a_script_that_prints_its_settings_reads_no_setting_of_that_name(pool: CompilerPool) -> None:
    result = compiled(pool, in_job("print(JSON.stringify(job.settings))"))
    assert [one.as_json() for one in result.lint] == []


def test_a_task_changed_after_it_was_added_is_found(pool: CompilerPool) -> None:
    script = in_job(
        "const a = author.Task('a', 'misc');\njob.addTask(a);\na.addCommand(author.Command('echo', {message: 'lost'}));"
    )
    assert found(compiled(pool, script), "changed-after-add").line == 5


def test_duplicates_and_cycles_are_found(pool: CompilerPool) -> None:
    tasks = "const a = author.Task('a', 'misc'), b = author.Task('b', 'misc');\n"
    twice = compiled(pool, in_job(tasks + "b.addDependency(a);\nb.addDependency(a);\njob.addTask(a); job.addTask(b);"))
    assert twice.outcome == "store_error"
    assert found(twice, "duplicate-dependency").line == 5
    added = compiled(pool, in_job(tasks + "job.addTask(a);\njob.addTask(a);"))
    assert added.outcome == "store_error"
    assert found(added, "duplicate-task").severity == "error"
    cycle = compiled(pool, in_job(tasks + "a.addDependency(b);\nb.addDependency(a); job.addTask(a); job.addTask(b);"))
    assert cycle.ok
    assert found(cycle, "cycle").line == 5, "where the ring closes"
    assert "a -> b" in found(cycle, "cycle").message or "b -> a" in found(cycle, "cycle").message


def test_a_missing_required_setting_is_found_at_its_read(pool: CompilerPool) -> None:
    assert (
        found(compiled(pool, in_job("print(job.settings.message)"), settings={}), "required-setting-missing").line == 3
    )


def test_async_and_generator_compile_jobs_are_found(pool: CompilerPool) -> None:
    assert found(compiled(pool, HEAD + "async function compileJob(job) {}"), "async-compile-job").line == 2
    assert found(compiled(pool, HEAD + "function* compileJob(job) {}"), "generator-compile-job").line == 2


def test_a_command_made_at_run_time_that_the_worker_refuses_is_found(pool: CompilerPool) -> None:
    script = in_job(
        "const name = ['ex', 'ec'].join('');\nconst t = author.Task('a', 'misc');\n"
        "t.addCommand(author.Command(name, {exe: '', args: 'x'}));\njob.addTask(t);"
    )
    messages = [finding.message for finding in compiled(pool, script).lint if finding.code == "command-parameter"]
    assert any('"exe" is missing' in message for message in messages)
    assert any('"args" must be a list of strings' in message for message in messages)


def test_a_helper_needs_a_restart_and_a_missing_one_is_found(pool: CompilerPool) -> None:
    script = HEAD + "const lib = require('./lib/a');\nfunction compileJob(job) { job.settings.x = lib.x }"
    good = compiled(pool, script, scripts={"lib/a.js": "exports.x = 7;"})
    assert good.job is not None
    assert good.job["settings"]["x"] == 7
    assert found(good, "helper-restart").line == 2
    bad = compiled(pool, script)
    assert bad.error is not None
    assert bad.error.message == "GoError: Invalid module"
    assert found(bad, "helper-missing").line == 2


def test_names_that_make_the_same_job_type_are_found(pool: CompilerPool) -> None:
    result = compiled(pool, in_job(""), name="a_b.js", scripts={"a-b.js": in_job("throw 1")})
    assert result.ok
    assert "the Manager takes a_b.js" in found(result, "same-job-type").message


def test_a_script_that_hides_a_built_in_is_found(pool: CompilerPool) -> None:
    assert found(compiled(pool, in_job(""), name="echo_sleep_test.js"), "hides-built-in")


def test_a_lint_without_a_job_needs_no_compile(pool: CompilerPool) -> None:
    findings = pool.lint(in_job("console.log(1)"), file="x.js")
    assert [(f.code, f.file, f.line) for f in findings] == [("missing-global", "x.js", 3)]
