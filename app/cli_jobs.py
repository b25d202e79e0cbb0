"""Commands about jobs: ``submit``, ``jobs`` and ``job``. Orders go through the journal, as the window's do."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_args

import typer

from app.rules.text import visible
from app.rules.words import many
from app.terminal import LARGEST_NUMBER, REFUSED, JournalOption, JsonOption, SettingsOption, fail, told

__all__ = ["register", "wait_for", "why_it_waits"]

_LOOK_SECONDS = 0.1
_JOB_FAILED = 1
_FAILURES = 3
#: What `signalbox job` does; those with tasks do it to one task too.
ACTIONS = ("cancel", "pause", "resume", "requeue", "confirm", "priority", "delete", "log")
_OF_TASKS = ("cancel", "requeue", "log")
_AT_WORK = ("queued", "active", "soft-failed")
#: A Manager's log is fetched for 90 s when somebody asks; its beginning is waited for, and what follows at once on it.
_FETCH_AGAIN_SECONDS = 60.0
_FIRST_SECONDS = 10.0
_NEXT_SECONDS = 2.0
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
            for doubt in answer.get("doubts", ()):
                typer.echo(visible(f"signalbox: {doubt}"), err=True)
            if opened.job(job).status == "needs-confirmation":
                _confirm(opened, job, flamenco(), yes=yes, as_json=as_json)
            try:
                if wait:
                    wait_for(opened, job, flamenco, Attendance(opened))
                row = opened.job(job)
            except KeyError as error:  # somebody deleted it meanwhile, here or at the Manager
                fail(str(error.args[0]), _JOB_FAILED)
            _tell(_as_json(row), f"job {row.id} {row.name}: {_in_words(row)}", as_json)
            if wait and row.status != "completed":
                _tell_failures(opened, job)
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
    if not text.strip():
        _misused(f"{path} is empty: a job compiler script defines JOB_TYPE and compileJob")
    helpers = {file: decode(source) for file, source in helpers_of(path).items()}
    return {"job_type": path.name, "name": name or job_type_name(path.name), "script": text, "helpers": helpers}


def _ordered(journal: Any, kind: str, args: Mapping[str, Any], who: str) -> Mapping[str, Any]:
    """Give an order and wait for the answer."""
    from app.service.orders import answer_to

    return answer_to(journal, journal.order(kind, args, who), _ANSWER_SECONDS)


def _confirm(journal: Any, job: int, settings: Any, *, yes: bool, as_json: bool) -> None:
    """Before the first run of a script a person sees the exact command lines."""
    from app.jobs.local import shown_commands

    shown = shown_commands(journal, job, settings)
    if not yes:
        typer.echo("This script has not run here before. It will run:", err=True)
        for each in shown:
            refused = f"    (will be refused: {each.refused})" if each.refused else ""
            typer.echo(visible(f"  {each.task} {each.task_name}: {each.text}{refused}"), err=True)
        if not sys.stdin.isatty() or not typer.confirm("Run it?", err=True):
            row = journal.job(job)
            waits = f"it waits for signalbox job confirm {job}, or for the Jobs page"
            _tell(_as_json(row), f"job {job} {row.name} was not confirmed: {waits}", as_json)
            raise typer.Exit(REFUSED)
    _order_of(journal, "confirm", {"job": job}, as_json)


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
        f"the type to flamenco.task_types in the settings, or end the job: signalbox job cancel {row.id}"
    )


def _tell_failures(journal: Any, job: int) -> None:
    """Why a job's tasks failed, and where more of it stands; the first few."""
    failed = [task for task in journal.job_tasks(job) if task.status == "failed"]
    for task in failed[:_FAILURES]:
        where = f"; its log: signalbox job log {job} --task {task.index}"
        typer.echo(visible(f"signalbox: task {task.index} {task.name} failed: {task.reason}{where}"), err=True)
    if len(failed) > _FAILURES:
        typer.echo(f"signalbox: {many(len(failed) - _FAILURES, 'more task')} failed", err=True)


def _refused(why: str, as_json: bool) -> NoReturn:
    if as_json:
        typer.echo(json.dumps({"refused": why}))
    typer.echo(visible(f"signalbox: {why}"), err=True)
    raise typer.Exit(REFUSED)


def _tell(facts: Mapping[str, Any], words: str, as_json: bool) -> None:
    typer.echo(json.dumps(facts) if as_json else visible(words))


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
    from app.service.orders import is_running

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
        resting = not is_running(installation.journal)
    if as_json:
        typer.echo(json.dumps({"jobs": [_as_json(row) for row in rows]}))
        return
    for row in rows:
        by = f", submitted by run {row.run_id}" if row.run_id is not None else ""
        words = f"{row.type:20} {row.name}: {_in_words(row)}, {row.progress:.0%}{by}"
        typer.echo(f"{row.id:>5} {row.engine:7} {visible(words)}")
    if not rows:
        typer.echo("no jobs")
    if resting and any(row.engine == "local" and row.status in ("queued", "active") for row in rows):
        typer.echo("signalbox: no event server runs here: local jobs go on when one does (signalbox serve)", err=True)


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
            typer.echo(f"{task.index:>5} {task.status:11} {visible(f'{task.type:16} {task.name}{said}')}")
        return
    _refused(f"the journal has no job {job}", as_json)


def job_command(
    action: Annotated[str, typer.Argument(metavar="ACTION", help=", ".join(ACTIONS) + ".")],
    job: Annotated[int, typer.Argument(metavar="JOB", min=1, max=LARGEST_NUMBER, help="Its number in the list.")],
    task: Annotated[
        int | None,
        typer.Option(
            "--task",
            min=1,
            max=LARGEST_NUMBER,
            help="cancel, requeue: this task alone; log: else the one worth a look.",
        ),
    ] = None,
    priority: Annotated[int | None, typer.Option("--priority", min=0, max=100, help="Higher goes first.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="log: go on until the task is at rest.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="confirm: the command lines unseen.")] = False,
    settings: SettingsOption = None,
    journal: JournalOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do to one job what the Jobs page does, or show a task's log. Exit 3: refused."""
    from app.service.event_server import Installation
    from app.service.orders import attended
    from app.settings.models import FlamencoSettings

    _one_of("ACTION", [action], ACTIONS)
    _goes_with("--task", task is not None, action, _OF_TASKS)
    _goes_with("--priority", priority is not None, action, ("priority",))
    _goes_with("--follow", follow, action, ("log",))
    _goes_with("--yes", yes, action, ("confirm",))
    if action == "priority" and priority is None:
        _misused("the action priority needs --priority, 0 to 100")
    with told():
        installation = Installation.at_work(settings, journal)
        row = _known_job(installation.journal, job, as_json)
        if action == "log":
            _show_log(installation, row, task, follow=follow, as_json=as_json)
            return
        with attended(installation) as opened:
            if action == "confirm" and row.status == "needs-confirmation":
                flamenco = installation.store.section("flamenco", FlamencoSettings)
                _confirm(opened, job, flamenco, yes=yes, as_json=as_json)
            else:
                _order_of(opened, action, {"job": job, "task": task, "priority": priority}, as_json)
            if action == "delete":
                _tell({"job": job, "deleted": True}, f"job {job} {row.name} is deleted", as_json)
                return
            row = opened.job(job)
            _tell(_as_json(row), f"job {row.id} {row.name}: {_in_words(row)}", as_json)


def _misused(why: str) -> NoReturn:
    typer.echo(f"signalbox: {why}", err=True)
    raise typer.Exit(2)


def _goes_with(option: str, given: bool, action: str, actions: Sequence[str]) -> None:
    if given and action not in actions:
        _misused(f"{option} goes with {', '.join(actions)}, not with {action}")


def _known_job(folder: Path, job: int, as_json: bool) -> Any:
    from app.journal.journal import Journal

    opened = Journal.open(folder, "read")
    try:
        return opened.job(job)
    except KeyError as error:
        _refused(str(error.args[0]), as_json)
    finally:
        opened.close()


def _order_of(journal: Any, action: str, args: Mapping[str, Any], as_json: bool) -> None:
    from app.service.orders import whose

    given = {name: value for name, value in args.items() if value is not None}
    answer = _ordered(journal, f"{'task' if 'task' in given else 'job'}_{action}", given, whose())
    if "refused" in answer:
        _refused(str(answer["refused"]), as_json)


def _show_log(installation: Any, job: Any, index: int | None, *, follow: bool, as_json: bool) -> None:
    """A task's output as it stands in its file; a Manager's is brought there first."""
    from app.journal.journal import Journal
    from app.journal.rows import worth_a_look
    from app.service.orders import attended

    on_farm = job.engine == "manager"
    opening = attended(installation) if on_farm else contextlib.closing(Journal.open(installation.journal, "read"))
    with opening as opened:
        tasks = opened.job_tasks(job.id)
        number = index or (tasks[worth_a_look(tasks)].index if tasks else None)
        task = next((one for one in tasks if one.index == number), None)
        if task is None:
            _refused(f"job {job.id} has no task {index}" if index else f"job {job.id} has no tasks", as_json)
        if as_json:
            path = str(opened.task_log_path(job.id, task.index))
            typer.echo(json.dumps({"job": job.id, "task": task.index, "name": task.name, "log": path}))
            return
        if not _print_log(opened, job.id, task.index, on_farm=on_farm, follow=follow, as_json=as_json):
            typer.echo(f"signalbox: task {task.index} {task.name} has written nothing", err=True)


def _print_log(journal: Any, job: int, task: int, *, on_farm: bool, follow: bool, as_json: bool) -> int:
    """Print a log, and what is added to it while it is waited for; the bytes printed."""
    from app.service.orders import Attendance

    offset, printed = 0, 0
    asked, news = -_FETCH_AGAIN_SECONDS, time.monotonic()
    attendance = Attendance(journal)
    while True:
        now = time.monotonic()
        if on_farm and now - asked > _FETCH_AGAIN_SECONDS:
            asked = news = now
            _order_of(journal, "log_follow", {"job": job, "task": task}, as_json)
        resting = journal.job_task(job, task).status not in _AT_WORK
        data, offset = journal.task_log(job, task, offset)
        if data:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            printed, news = printed + len(data), now
        elif (resting or not follow or attendance.lost()) and (
            not on_farm or now - news > (_NEXT_SECONDS if printed else _FIRST_SECONDS)
        ):
            return printed
        else:
            threading.Event().wait(_LOOK_SECONDS)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("submit")(submit_command)
    app.command("jobs")(jobs_command)
    app.command("job")(job_command)
