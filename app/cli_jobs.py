"""Commands about jobs: ``submit`` and ``jobs``. Orders go through the journal, as the window's do."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from app.rules.words import many
from app.terminal import LARGEST_NUMBER, REFUSED, JournalOption, JsonOption, SettingsOption, fail, told

__all__ = ["register", "wait_for", "why_it_waits"]

_LOOK_SECONDS = 0.1
_JOB_FAILED = 1
_ANSWER_SECONDS = 150.0
_STUCK_SECONDS = 1.0
#: A farm of which no Worker has taken a task for so long is told of.
_FARM_SECONDS = 10.0


def submit_command(
    script: Annotated[str, typer.Argument(metavar="SCRIPT|TYPE", help="A script's file, or a job type's name.")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of a setting; VALUE may be JSON.")] = None,
    name: Annotated[str, typer.Option("--name", help="The job's name.")] = "",
    manager: Annotated[
        bool, typer.Option("--manager", help="To the Flamenco Manager instead of this machine.")
    ] = False,
    priority: Annotated[int, typer.Option("--priority", min=0, max=100, help="0 to 100; higher goes first.")] = 50,
    dedupe: Annotated[str, typer.Option("--dedupe", help="A key: a job with it is submitted once.")] = "",
    try_out: Annotated[bool, typer.Option("--try-out", help="Work in a scratch folder.")] = False,
    paused: Annotated[bool, typer.Option("--paused", help="Store it without starting it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Confirm the command lines of a new script unseen.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end; exit 1 when it did not complete.")] = False,
    settings: SettingsOption = None,
    journal: JournalOption = None,
    as_json: JsonOption = False,
) -> None:
    """Submit a job to this machine's workers, or to the Flamenco Manager. Exit 3: refused."""
    from app.jobs.cli import parse_set
    from app.service.event_server import Installation
    from app.service.orders import Attendance, attended, whose
    from app.settings.models import FlamencoSettings

    order: dict[str, Any] = {
        "settings": parse_set(set_ or []),
        "engine": "manager" if manager else "local",
        "priority": priority,
        "dedupe": dedupe,
        "try_out": try_out,
        "paused": paused,
    } | _what(script, name)
    with told():
        installation = Installation.at_work(settings, journal)

        def flamenco() -> FlamencoSettings:
            return installation.store.section("flamenco", FlamencoSettings)

        with attended(installation) as opened:
            answer = _ordered(opened, "submit_job", order, whose())
            if "refused" in answer:
                _refused(str(answer["refused"]), as_json)
            job = int(answer["job"])
            if opened.job(job).status == "needs-confirmation":
                _confirm(opened, job, flamenco(), whose(), yes=yes, as_json=as_json)
            try:
                if wait:
                    wait_for(opened, job, flamenco, Attendance(opened))
                row = opened.job(job)
            except KeyError as error:  # somebody deleted it meanwhile, here or at the Manager
                fail(str(error.args[0]), _JOB_FAILED)
            _tell(_as_json(row), f"job {row.id} {row.name}: {_in_words(row)}", as_json)
            if wait and row.status != "completed":
                raise typer.Exit(_JOB_FAILED)


def _what(script: str, name: str) -> dict[str, Any]:
    """Job type, or the text of a script file with its helpers."""
    path = Path(script)
    if not script.endswith(".js"):
        return {"job_type": script, "name": name or script}
    from app.jobs.cli import helpers_of
    from app.jobs.loader import decode, job_type_name

    try:
        text = decode(path.read_bytes())
    except OSError as error:
        typer.echo(f"signalbox: cannot read {path}: {error.strerror}", err=True)
        raise typer.Exit(2) from error
    helpers = {file: decode(source) for file, source in helpers_of(path).items()}
    return {"job_type": path.name, "name": name or job_type_name(path.name), "script": text, "helpers": helpers}


def _ordered(journal: Any, kind: str, args: Mapping[str, Any], who: str) -> Mapping[str, Any]:
    """Give an order and wait for the answer."""
    from app.service.orders import answer_to

    return answer_to(journal, journal.order(kind, args, who), _ANSWER_SECONDS)


def _confirm(journal: Any, job: int, settings: Any, who: str, *, yes: bool, as_json: bool) -> None:
    """Before the first run of a script a person sees the exact command lines."""
    from app.jobs.local import shown_commands

    shown = shown_commands(journal, job, settings)
    if not yes:
        typer.echo("This script has not run here before. It will run:", err=True)
        for each in shown:
            refused = f"    (will be refused: {each.refused})" if each.refused else ""
            typer.echo(f"  {each.task} {each.task_name}: {each.text}{refused}", err=True)
        if not sys.stdin.isatty() or not typer.confirm("Run it?", err=True):
            row = journal.job(job)
            waits = "it waits on the Jobs page; --yes with the next one of this script lets it run too"
            _tell(_as_json(row), f"job {job} {row.name} was not confirmed: {waits}", as_json)
            raise typer.Exit(REFUSED)
    answer = _ordered(journal, "job_confirm", {"job": job}, who)
    if "refused" in answer:
        _refused(str(answer["refused"]), as_json)


def wait_for(journal: Any, job: int, settings: Callable[[], Any], attendance: Any) -> None:
    """Wait for a job's end; what it will not get past without a person is said once, and so is that nobody is left."""
    from app.journal.jobs import FINAL_JOB

    said, began, looked = False, time.monotonic(), 0.0
    while (row := journal.job(job)).status not in {*FINAL_JOB, "paused"}:
        now = time.monotonic()
        if attendance.lost():
            gone = "the event server has stopped: it goes on when one runs again (signalbox, signalbox serve)"
            typer.echo(f"signalbox: job {job} {row.name} is not waited for any more, {gone}", err=True)
            return
        if not said and now - looked > _STUCK_SECONDS:
            looked = now
            words = why_it_waits(journal, row, settings(), now - began)
            said = bool(words)
            if words:
                typer.echo(f"signalbox: job {job} {row.name} waits: {words}", err=True)
        threading.Event().wait(_LOOK_SECONDS)


def why_it_waits(journal: Any, row: Any, settings: Any, seconds: float) -> str:
    """Why nothing of a job happens, and what to do about it; "" while something does, or may do so by itself."""
    from app.journal.jobs import UNTAKEN

    if row.active or row.status not in ("queued", "active", "needs-confirmation"):
        return ""
    if row.engine == "manager":
        types = sorted({task.type for task in journal.job_tasks(row.id) if task.status == "queued"})
        late = seconds > _FARM_SECONDS and row.status == "queued"
        return f"no Worker has taken a task of the type {' or '.join(types)}: is one awake that does?" if late else ""
    if row.activity:
        return f"{row.activity}; see it on the Jobs page"
    untaken = sorted({task.type for task in journal.job_tasks(row.id) if task.reason == UNTAKEN})
    if not untaken:
        return ""
    if not settings.local_workers:
        return "this machine runs no tasks at all; set flamenco.local_workers to 1 or more"
    return (
        f"this machine takes no tasks of the type {' or '.join(untaken)}, only {', '.join(settings.task_types)}; add "
        "the type to flamenco.task_types in the settings, or end the job on the Jobs page"
    )


def _refused(why: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"refused": why}))
    typer.echo(f"signalbox: {why}", err=True)
    raise typer.Exit(REFUSED)


def _tell(facts: Mapping[str, Any], words: str, as_json: bool) -> None:
    typer.echo(json.dumps(facts) if as_json else words)


def _as_json(row: Any) -> dict[str, Any]:
    return {
        "job": row.id,
        "engine": row.engine,
        "remote_id": row.remote_id,
        "name": row.name,
        "type": row.type,
        "status": row.status,
        "activity": row.activity,
        "priority": row.priority,
        "who": row.who,
        "created": row.created,
        "started": row.started,
        "finished": row.finished,
        "tasks": row.tasks,
        "completed": row.completed,
        "active": row.active,
        "failed": row.failed,
        "canceled": row.canceled,
        "progress": round(row.progress, 4),
        "run": row.run_id,
    }


def _in_words(row: Any) -> str:
    said = f" ({row.activity})" if row.activity else ""
    return f"{row.status}{said}, {row.completed} of {many(row.tasks, 'task')}"


def _one_of(option: str, given: Sequence[str], known: Sequence[str]) -> None:
    for value in given:
        if value not in known:
            typer.echo(f"signalbox: {option} {value}: write one of {', '.join(known)}", err=True)
            raise typer.Exit(2)


def jobs_command(
    text: Annotated[str, typer.Option("--text", help="Only those with this in name, type or who.")] = "",
    engine: Annotated[str, typer.Option("--engine", help="local or manager.")] = "",
    status: Annotated[list[str] | None, typer.Option("--status", help="Only these; repeat for more.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=LARGEST_NUMBER, help="At most so many.")] = 50,
    run: Annotated[
        int | None,
        typer.Option("--run", min=1, max=LARGEST_NUMBER, help="Only those that this run of a handler submitted."),
    ] = None,
    tasks: Annotated[
        int | None, typer.Option("--tasks", min=1, max=LARGEST_NUMBER, help="The tasks of this job instead.")
    ] = None,
    settings: SettingsOption = None,
    journal: JournalOption = None,
    as_json: JsonOption = False,
) -> None:
    """List jobs of both engines, newest first, or the tasks of one."""
    from app.journal.journal import Journal
    from app.journal.rows import JobFilter, JobStatus
    from app.service.event_server import Installation

    _one_of("--engine", [engine] if engine else [], ("local", "manager"))
    _one_of("--status", status or [], get_args(JobStatus))
    with told():
        installation = Installation.at_work(settings, journal)
        opened = Journal.open(installation.journal, "read")
        try:
            if tasks is not None:
                _list_tasks(opened, tasks, as_json)
                return
            rows = opened.jobs(JobFilter(text, engine, frozenset(status or ()), run_id=run, limit=limit))
        finally:
            opened.close()
    if as_json:
        typer.echo(json.dumps({"jobs": [_as_json(row) for row in rows]}))
        return
    for row in rows:
        by = f", submitted by run {row.run_id}" if row.run_id is not None else ""
        typer.echo(f"{row.id:>5} {row.engine:7} {row.type:20} {row.name}: {_in_words(row)}, {row.progress:.0%}{by}")
    if not rows:
        typer.echo("no jobs")


def _list_tasks(journal: Any, job: int, as_json: bool) -> None:
    with contextlib.suppress(KeyError):
        row = journal.job(job)
        found = journal.job_tasks(job)
        if as_json:
            tasks = [
                {
                    "task": task.index,
                    "name": task.name,
                    "type": task.type,
                    "status": task.status,
                    "reason": task.reason,
                    "worker": task.worker,
                    "attempts": task.attempts,
                    "started": task.started,
                    "finished": task.finished,
                    "dependencies": list(task.dependencies),
                    "log": str(journal.task_log_path(job, task.index)),
                }
                for task in found
            ]
            typer.echo(json.dumps({**_as_json(row), "task_list": tasks}))
            return
        for task in found:
            said = f" ({task.reason})" if task.reason else ""
            typer.echo(f"{task.index:>5} {task.status:11} {task.type:16} {task.name}{said}")
        return
    _refused(f"the journal has no job {job}", as_json)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("submit")(submit_command)
    app.command("jobs")(jobs_command)
