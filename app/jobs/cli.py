"""Commands of the job compiler: ``compile``, ``lint``, ``deploy``; also ``python -m app.jobs.cli``."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from app.jobs import loader, settings_form, zones
from app.jobs.compiler import CompileHandle, CompilerPool
from app.jobs.model import CompileRequest, CompileResult, Diagnostic, OutcomeKind, Severity
from app.jobs.results import as_json
from app.jobs.versions import manager_version as parse_manager_version
from app.jobs.versions_ask import version_or_default
from app.rules.words import many
from app.settings.models import FlamencoSettings
from app.settings.paths import settings_path
from app.settings.store import SettingsError, SettingsStore
from app.terminal import given_path, path_option

USAGE = 2
MANAGER_VARIABLE = "SIGNALBOX_MANAGER_URL"
_AHEAD = 8


def _usage(problem: str) -> NoReturn:
    typer.echo(f"signalbox: {problem}", err=True)
    raise typer.Exit(USAGE)


def configured_manager() -> str:
    """Address of the Manager: from the environment, else from the settings; "" when there is none."""
    address = os.environ.get(MANAGER_VARIABLE, "")
    if address:
        return address
    try:
        return SettingsStore(settings_path()).section("flamenco", FlamencoSettings).manager
    except SettingsError as error:
        typer.echo(f"signalbox: the settings cannot be read, so no Manager is asked: {error}", err=True)
        return ""


def _version(given: str | None, manager: str | None = None) -> str:
    version = given or version_or_default(manager or configured_manager())
    try:
        parse_manager_version(version)
    except ValueError as error:
        _usage(str(error))
    return version


def _why(error: OSError) -> str:
    """What the system says, and of which file, in a form people read."""
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


def _json(text: str, **more: Any) -> Any:
    """ValueError for what is not JSON, or nested too deeply to be read."""
    try:
        return json.loads(text, **more)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _read_script(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(loader.MAX_FILE + 1)
    except OSError as error:
        _usage(f"cannot read {path}: {error.strerror}; give the path of a job compiler script")
    if len(data) > loader.MAX_FILE:
        _usage(f"{path} is larger than {loader.MAX_FILE >> 20} MB; give the path of a job compiler script")
    return data


def _read_job(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        job = _json(path.read_text("utf-8-sig"))
    except OSError as error:
        _usage(f"cannot read {path}: {error.strerror}; give a file that holds a job")
    except ValueError as error:
        _usage(f"{path} is not JSON: {error}; a job looks like the body of POST /api/v3/jobs")
    if not isinstance(job, dict):
        _usage(f"{path} must hold a JSON object, the body of POST /api/v3/jobs")
    return job


def parse_set(pairs: Iterable[str]) -> dict[str, Any]:
    """Settings of ``KEY=VALUE`` words; a VALUE that is JSON keeps its type, anything else is a string."""
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            _usage(f"--set {pair}: write KEY=VALUE")
        try:
            settings[key] = _json(value, parse_constant=_not_json)
        except ValueError:
            settings[key] = value
    return settings


def _not_json(word: str) -> NoReturn:
    """NaN and Infinity, which only Python takes for JSON."""
    raise ValueError(word)


def _scripts(script: Path, scripts_dir: Path | None) -> dict[str, str | bytes]:
    files: dict[str, str | bytes] = {}
    if scripts_dir is not None:
        try:
            files.update(loader.read_folder(scripts_dir))
        except OSError as error:
            _usage(f"cannot read {scripts_dir}: {error.strerror}; give a folder of scripts")
    else:
        files.update(helpers_of(script))
    files[script.name] = _read_script(script)
    return files


def helpers_of(script: Path) -> dict[str, str | bytes]:
    """Helper files next to a script, reachable by require; its siblings are other job types and stay out."""
    try:
        everything = loader.read_folder(script.parent) if script.parent.name == "scripts" else {}
    except OSError:
        return {}
    return {name: text for name, text in everything.items() if "/" in name}


def _complete_job(job: dict[str, Any] | None, script: Path, settings: dict[str, Any]) -> dict[str, Any]:
    complete = dict(job or {})
    complete.setdefault("name", "preview")
    complete.setdefault("type", loader.job_type_name(script.name))
    complete.setdefault("submitter_platform", "linux")
    given = complete.get("settings") or {}
    # A job whose settings are no object is refused as the Manager refuses it, whatever is added to them.
    if settings and isinstance(given, dict):
        complete["settings"] = {**given, **settings}
    return complete


def _with_defaults(pool: CompilerPool, request: CompileRequest, settings: dict[str, Any]) -> CompileRequest:
    """Without a job file the form's defaults are filled in, as the Blender add-on would."""
    first = pool.compile(request)
    if first.job_type is None:
        return request
    defaults = settings_form.submitted_defaults(first.job_type)
    return replace(request, job={**request.job, "settings": {**defaults, **settings}})


def compile_command(
    script: Annotated[
        Path | None, typer.Argument(metavar="SCRIPT.js", parser=given_path, help="The job compiler script.")
    ] = None,
    job: Annotated[Path | None, path_option("--job", "A job: the body of POST /api/v3/jobs.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of a setting; VALUE may be JSON.")] = None,
    zone: Annotated[str, typer.Option("--zone", help="The Manager's time zone.")] = "UTC",
    created: Annotated[str | None, typer.Option("--created", help="job.created, ISO; now when absent.")] = None,
    scripts_dir: Annotated[Path | None, path_option("--scripts-dir", "Scripts folder for helpers.")] = None,
    manager_version: Annotated[str | None, typer.Option("--manager-version", help="e.g. 3.8.5")] = None,
    batch: Annotated[Path | None, path_option("--batch", "JSON lines: one case a line.")] = None,
    as_json_: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False,
) -> None:
    """Show exactly what a Flamenco Manager would make of a job. Exit 0: ok, 1: anything else, 2: usage."""
    version = _version(manager_version)
    if batch is not None:
        if script is not None:
            _usage("give a SCRIPT.js or --batch, not both")
        raise typer.Exit(_batch(batch, version))
    if script is None:
        _usage("give a SCRIPT.js or --batch FILE.jsonl")
    settings = parse_set(set_ or [])
    given = _read_job(job)
    try:
        zones.to_epoch(created, zone)
    except zones.UnknownZone as error:
        _usage(f"--zone {zone}: {error}")
    except ValueError as error:
        _usage(f"--created {created}: {error}; write a date and time like 2026-01-02T03:04:05")
    request = CompileRequest(
        scripts=_scripts(script, scripts_dir),
        script=script.name,
        job=_complete_job(given, script, settings),
        created=created,
        timezone=zone,
        manager_version=version,
    )
    with CompilerPool(timezone=zone) as pool:
        if given is None:
            request = _with_defaults(pool, request, settings)
        result = pool.compile(request)
        if as_json_:
            for piece in pool.raw(result):
                sys.stdout.write(piece)
            sys.stdout.write("\n")
        else:
            _show(pool, result)
    raise typer.Exit(0 if result.ok else 1)


def _show(pool: CompilerPool, result: CompileResult) -> None:
    """The result for people."""
    if result.job is not None:
        summary = result.summary
        typer.echo(
            f"{result.outcome}: {many(summary.tasks, 'task')}, "
            f"{many(summary.dependencies, 'dependency', 'dependencies')}"
        )
        for task in pool.pages(result.result_id, 0, 20):
            after = ", ".join(str(index + 1) for index in task["dependencies"])
            commands = ", ".join(command["name"] for command in task["commands"]) or "(no commands)"
            typer.echo(f"  {task['name']} [{task['type']}] {commands}" + (f"  after {after}" if after else ""))
        if summary.tasks > 20:
            typer.echo(f"  ... and {summary.tasks - 20:,} more")
    for line in result.prints:
        typer.echo(f"print: {line.text}")
    if result.error is not None:
        place = f"{result.error.file}:{result.error.line}:{result.error.column}: " if result.error.line else ""
        typer.echo(f"{place}{result.outcome}: {result.error.message}", err=True)
        if result.error.hint:
            typer.echo(result.error.hint, err=True)
    for finding in result.lint:
        typer.echo(_finding_line(finding), err=True)


def _finding_line(finding: Diagnostic) -> str:
    place = f"{finding.file}:{finding.line}:{finding.column}: " if finding.line else f"{finding.file}: "
    return f"{place}{finding.severity} [{finding.code}] {finding.message}"


# ------------------------------------------------------------------------------------------------ batch
def _lines(path: Path) -> Iterator[str]:
    if str(path) == "-":
        yield from sys.stdin
        return
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from file
    except OSError as error:
        _usage(f"cannot read {path}: {error.strerror}; give a file with one case a line")
    except UnicodeDecodeError as error:
        _usage(f"cannot read {path}: {error}; save it as UTF-8")


_CASE_TEXTS = ("created_local", "created", "timezone", "manager_version", "platform")


def _case_request(line: str, version: str) -> CompileRequest:
    case = _json(line)
    if not isinstance(case, dict):
        raise ValueError('a case is a JSON object with "scripts", "job", "created_local", "timezone"')
    scripts = case.get("scripts", {})
    if not isinstance(scripts, dict) or not all(isinstance(text, str) for text in scripts.values()):
        raise ValueError('"scripts" must hold the text of each script by its file name')
    job = case.get("job", {})
    if not isinstance(job, dict):
        raise ValueError('"job" must be a JSON object')
    for key in _CASE_TEXTS:
        if not isinstance(case.get(key) or "", str):
            raise ValueError(f'"{key}" must be a string')
    return CompileRequest(
        scripts=scripts,
        job=job,
        created=case.get("created_local") or case.get("created"),
        timezone=case.get("timezone") or "UTC",
        manager_version=case.get("manager_version") or version,
        platform=case.get("platform") or "linux",
    )


def _write_answer(pool: CompilerPool, waiting: CompileHandle | str) -> None:
    if isinstance(waiting, str):
        broken = {"outcome": "error", "error": {"message": waiting, "kind": "request"}, "prints": [], "lint": []}
        sys.stdout.write(json.dumps(broken))
    else:
        for piece in pool.raw(waiting.result()):
            sys.stdout.write(piece)
    sys.stdout.write("\n")
    sys.stdout.flush()


def _batch(path: Path, version: str) -> int:
    """Answer case by case, in order. 0 when every case could be answered; a hang is an answer, too."""
    with CompilerPool(workers=2) as pool:
        ahead: deque[CompileHandle | str] = deque()
        for line in _lines(path):
            if not line.strip():
                continue
            try:
                ahead.append(pool.submit(_case_request(line, version), channel=""))
            except (ValueError, TypeError) as error:
                ahead.append(f"this line is not a case: {error}")
            # Fewer in flight than results the pool keeps.
            if len(ahead) >= _AHEAD - 1:
                _write_answer(pool, ahead.popleft())
        while ahead:
            _write_answer(pool, ahead.popleft())
    return 0


# ------------------------------------------------------------------------------------------------ lint
def lint_command(
    script: Annotated[Path, typer.Argument(metavar="SCRIPT.js", parser=given_path, help="The job compiler script.")],
    manager_version: Annotated[str | None, typer.Option("--manager-version", help="e.g. 3.8.5")] = None,
    scripts_dir: Annotated[Path | None, path_option("--scripts-dir", "Scripts folder for helpers.")] = None,
    as_json_: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False,
) -> None:
    """Findings about a script: what the Manager refuses or silently gets wrong. Exit 1 when one is an error."""
    version = _version(manager_version)
    files = _scripts(script, scripts_dir)
    request = CompileRequest(
        scripts=files, script=script.name, job=_complete_job(None, script, {}), manager_version=version
    )
    with CompilerPool() as pool:
        result = pool.compile(_with_defaults(pool, request, {}))
    findings = [*result.lint, *_outcome_finding(result, script.name)]
    if as_json_:
        typer.echo(json.dumps([finding.as_json() for finding in findings], ensure_ascii=False))
    else:
        for finding in findings:
            typer.echo(_finding_line(finding))
        if not findings:
            typer.echo(f"{script.name}: no findings")
    raise typer.Exit(1 if any(finding.severity is Severity.ERROR for finding in findings) else 0)


def _outcome_finding(result: CompileResult, file: str) -> list[Diagnostic]:
    """What came of a job with the form's defaults.

    A script that refuses them may want others: a warning. One that is no job type, or hangs the Manager, is an error.
    """
    error = result.error
    if result.outcome is OutcomeKind.OK or error is None or error.kind == "syntax":
        return []
    grave = result.job_type is None or result.outcome is OutcomeKind.MANAGER_HANGS
    text = f"{error.message}. {error.hint}" if error.kind == "unknown_type" else error.message
    severity = Severity.ERROR if grave else Severity.WARNING
    return [Diagnostic(severity, "compile-" + error.kind, text, error.line, error.column, file=file)]


# ------------------------------------------------------------------------------------------------ deploy
def deploy_command(
    script: Annotated[Path, typer.Argument(metavar="SCRIPT.js", parser=given_path, help="The job compiler script.")],
    to: Annotated[Path, path_option("--to", "The Manager's scripts folder.")],
    manager: Annotated[str | None, typer.Option("--manager", help="The Manager's address, to verify.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and show the diff; touch nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Deploy in spite of failed checks.")] = False,
    manager_version: Annotated[str | None, typer.Option("--manager-version", help="e.g. 3.8.5")] = None,
) -> None:
    """Check a script, show the difference, put it into a scripts folder, verify. Exit 1 when refused."""
    from app.jobs.deploy import Deployer, DeployRefused

    version = _version(manager_version, manager)
    text = loader.decode(_read_script(script))
    _must_be_folder(to)
    with CompilerPool() as pool:
        deployer = Deployer(to, pool, manager_url=manager, manager_version=version)
        try:
            plan = deployer.plan(script.name, text)
        except ValueError as error:
            _usage(f"{error}; rename the file")
        except OSError as error:
            typer.echo(f"not deployed, {to} cannot be read: {_why(error)}; mend that and deploy again", err=True)
            raise typer.Exit(1) from error
        for check in plan.checks:
            mark = "ok" if check.ok else "FAILED" if check.blocking else "note"
            typer.echo(f"{mark:6} {check.name}: {check.detail}")
        for line in plan.diff:
            typer.echo(line)
        if plan.unchanged:
            typer.echo(f"{plan.target} already holds this script")
        if dry_run:
            raise typer.Exit(1 if plan.blocked else 0)
        try:
            report = deployer.apply(plan, force=force)
        except DeployRefused as refused:
            typer.echo(f"not deployed: {refused}", err=True)
            raise typer.Exit(1) from refused
        except OSError as error:
            typer.echo(f"not deployed, {plan.target} is as it was: {_why(error)}; mend that and deploy again", err=True)
            raise typer.Exit(1) from error
    typer.echo(f"deployed {report.target}; {report.verification}")
    if report.restart:
        typer.echo(report.restart)
    raise typer.Exit(1 if report.verified is False else 0)


def _must_be_folder(path: Path) -> None:
    problem = ""
    try:
        if not stat.S_ISDIR(path.stat().st_mode):
            problem = "it is a file"
    except OSError as error:
        problem = error.strerror or str(error)
    if problem:
        _usage(f"cannot deploy to {path}: {problem}; give the scripts folder next to the Manager's program")


def register(app: typer.Typer) -> None:
    """Add the commands of this room to the program."""
    app.command("compile")(compile_command)
    app.command("lint")(lint_command)
    app.command("deploy")(deploy_command)


def main() -> None:
    """``python -m app.jobs.cli``."""
    app = typer.Typer(no_args_is_help=True, add_completion=False)
    register(app)
    app()


if __name__ == "__main__":
    main()


__all__ = ["as_json", "compile_command", "deploy_command", "lint_command", "register"]
