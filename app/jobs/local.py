"""Jobs for this machine: which script a job type is, what it compiles to, and what must be seen before it runs."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.jobs import loader
from app.jobs.commands import command_line, expand_variables
from app.jobs.compiler import CompilerPool
from app.jobs.made_files import MadeFiles
from app.jobs.model import CompileRequest, CompileResult, Limits, Variable
from app.jobs.settings_form import doubts, submitted_defaults
from app.jobs.task_runs import REFUSED, TaskFiles, allowed_programs
from app.jobs.worker_commands import Machine
from app.journal.crash import crash_point
from app.journal.jobs import Hold, NewJob, NewTask
from app.journal.journal import Journal
from app.journal.rows import TaskRow
from app.media.ffmpeg import ffmpeg_path
from app.process import ProgramMissing
from app.resources import resource
from app.rules.outcomes import Later, PlanError
from app.rules.text import visible
from app.settings.models import FlamencoSettings
from app.settings.secrets import know_given, without_given

__all__ = [
    "PLATFORM",
    "Compiled",
    "LocalJobs",
    "ShownCommand",
    "Submission",
    "Submitted",
    "handed_out",
    "shown",
    "shown_commands",
]

log = logging.getLogger("signalbox.jobs")

#: A job's metadata with this key is a try-out: it works in a scratch folder.
TRY_OUT = "signalbox.try-out"
#: A job's metadata with this key rests when its script has been confirmed, as it was ordered.
PAUSED = "signalbox.paused"
#: This machine, in the Manager's words.
PLATFORM = {"win32": "windows", "darwin": "darwin"}.get(sys.platform, "linux")
_COMPILE_SECONDS = 60.0
_TOOLS_SECONDS = 60.0
_SCRIPTS_SECONDS = 1.0
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Submission:
    """A job as it is ordered.

    Attributes:
        job_type: The job type; its script is the deployed one, else the built-in one.
        script: Source of a script that is not deployed (from the workbench, from a file); "" otherwise.
        helpers: Further files that the script requires, by path.
        settings: What is left out gets the job type's default, as the Blender add-on does it.
        dedupe: Unique key; "" has none.
        try_out: Work in a scratch folder.
        paused: Store it without starting it.
    """

    job_type: str
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    script: str = ""
    helpers: Mapping[str, str] = field(default_factory=dict)
    priority: int = 50
    metadata: Mapping[str, str] = field(default_factory=dict)
    dedupe: str = ""
    who: str = ""
    try_out: bool = False
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a submission compiles to; ``doubts`` are about the settings it was given."""

    result: CompileResult
    tasks: Sequence[Mapping[str, Any]]
    body: Mapping[str, Any]
    script_hash: str
    built_in: bool
    doubts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that is stored: its id, whether it is new, and what is doubtful about its settings."""

    job: int
    new: bool
    doubts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ShownCommand:
    """A command as a person sees it before it runs.

    Attributes:
        task: The task's index, from 1.
        task_name: Its name.
        argv: The exact argument list; empty for what the worker does itself.
        text: The same as one line.
        refused: Why it will not run, "" when it will.
    """

    task: int
    task_name: str
    argv: tuple[str, ...]
    text: str
    refused: str = ""


def shown(
    task: int, name: str, commands: Sequence[Mapping[str, Any]], judge: Callable[[Sequence[str]], str]
) -> list[ShownCommand]:
    """The exact command lines of one task; ``judge`` says why a program is not run, "" where it is.

    What a terminal or a window would not show stands as its escape: a person decides by what they see.
    """
    lines = [command_line(command, PLATFORM) for command in commands]
    refusals = [line.error or (judge(line.argv).removeprefix(REFUSED) if line.argv else "") for line in lines]
    return [
        ShownCommand(task, visible(name), line.argv, visible(line.text, "\n"), refused)
        for line, refused in zip(lines, refusals, strict=True)
    ]


def shown_commands(journal: Journal, job_id: int, settings: FlamencoSettings) -> list[ShownCommand]:
    """The exact command lines of a local job, in order."""
    judge = allowed_programs(settings.allowed_programs, everything=settings.allow_any_program)
    return [
        each
        for index, name, commands in journal.job_commands(job_id)
        for each in shown(index, name, handed_out(commands, settings, journal.folder), judge)
    ]


def handed_out(
    commands: Sequence[Mapping[str, Any]], settings: FlamencoSettings, journal_folder: Path
) -> list[dict[str, Any]]:
    """Commands as this machine gets them, with what variables stand for now: replaced when a task is handed out."""
    variables = {name: Variable({PLATFORM: value}) for name, value in settings.variables.items()}
    variables["jobs"] = Variable({PLATFORM: str(journal_folder / "tasks")})
    return expand_variables(commands, variables, PLATFORM, PLATFORM)


class LocalJobs:
    """Compiles and stores local jobs, and says what the machine gives to their tasks. Thread-safe.

    Args:
        journal: Where jobs are kept.
        settings: The Flamenco section, read anew for each use.
    """

    def __init__(self, journal: Journal, settings: Callable[[], FlamencoSettings]) -> None:
        self._journal = journal
        self._settings = settings
        self._lock = threading.Lock()
        self._pool: CompilerPool | None = None
        self._known_tools: tuple[float, Path | None] = (float("-inf"), None)
        self.worker = socket.gethostname()
        # A script may come by a key in other ways than by its environment, and what a program prints is kept.
        know_given()

    def close(self) -> None:
        """End the compiler's child."""
        with self._lock:
            if self._pool is not None:
                self._pool.close()
                self._pool = None

    def pool(self) -> CompilerPool:
        """The compiler, started when first needed."""
        with self._lock:
            if self._pool is None:
                self._pool = CompilerPool()
            return self._pool

    # -- compiling -------------------------------------------------------------------------------------------------

    def compile(self, wanted: Submission) -> Compiled:
        """Compile a submission.

        Raises:
            PlanError: There is no such job type, or the script refuses; the text says why.
            Later: The scripts folder cannot be read now: the built-in script may be another than the deployed one.
        """
        scripts, file = self._scripts(wanted)
        body = {
            "name": wanted.name,
            "type": loader.job_type_name(file),
            "priority": wanted.priority,
            "submitter_platform": PLATFORM,
            "settings": dict(wanted.settings),
            "metadata": {str(key): str(value) for key, value in wanted.metadata.items()},
        }
        result = self._compiled(scripts, file, body)
        found: list[str] = []
        if result.job_type is not None:
            found = doubts(result.job_type, wanted.settings)
            defaults = submitted_defaults(result.job_type)
            if any(key not in wanted.settings for key in defaults):
                body["settings"] = {**defaults, **wanted.settings}
                result = self._compiled(scripts, file, body)
        if not result.ok or result.job is None:
            raise PlanError(f"the job {wanted.name} was not submitted: {_why(result, wanted.job_type)}")
        tasks = self._tasks(result)
        digest = _digest(scripts, file)
        return Compiled(result, tasks, body, digest, _is_built_in(scripts, file), found)

    def compile_remote(self, job: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """The tasks that a Manager's job has here, for what its REST interface never tells; empty when unknown.

        Raises PlanError.
        """
        try:
            scripts, file = self._scripts(Submission(str(job["type"]), str(job["name"])))
        except Later as later:
            raise PlanError(str(later)) from later
        keys = ("name", "type", "priority", "settings", "metadata")
        body = {"submitter_platform": PLATFORM} | {key: job[key] for key in keys if job.get(key) is not None}
        result = self._compiled(scripts, file, body, created=job.get("created"))
        return self._tasks(result) if result.ok else ()

    def _compiled(
        self, scripts: Mapping[str, str | bytes], file: str, body: Mapping[str, Any], created: str | None = None
    ) -> CompileResult:
        settings = self._settings()
        request = CompileRequest(
            scripts=scripts,
            script=file,
            job=body,
            created=created,
            platform=PLATFORM,
            limits=Limits(seconds=settings.compile_seconds, heap_mb=settings.compile_memory),
            lint=False,
        )
        try:
            return self.pool().submit(request, channel="").result(timeout=_COMPILE_SECONDS)
        except TimeoutError as error:
            raise PlanError(
                f"the script of {body.get('type')} did not compile within {_COMPILE_SECONDS:g} s"
            ) from error

    def _tasks(self, result: CompileResult) -> list[Mapping[str, Any]]:
        tasks: list[Mapping[str, Any]] = []
        while page := self.pool().pages(result.result_id, len(tasks), _PAGE):
            tasks.extend(page)
        return tasks

    def _scripts(self, wanted: Submission) -> tuple[dict[str, str | bytes], str]:
        """Files for the compiler, and which of them is wanted. Raises PlanError, Later."""
        if wanted.script:
            file = wanted.job_type if wanted.job_type.endswith(".js") else wanted.job_type + ".js"
            return {**wanted.helpers, file: wanted.script}, file
        for folder in (self._settings().scripts_folder, str(resource("job_types"))):
            if not folder:
                continue
            try:
                files = loader.read_folder(Path(folder))
            except OSError as error:
                why = f"the scripts folder {folder} cannot be read: {error.strerror}"
                raise Later(why, _SCRIPTS_SECONDS) from error
            found = loader.load(files).types.get(wanted.job_type)
            if found is not None:
                helpers = {name: text for name, text in files.items() if "/" in name}
                return {**helpers, found: files[found]}, found
        raise PlanError(
            f"there is no job type {wanted.job_type!r}: neither in the Manager's scripts folder nor among the "
            "built-in ones"
        )

    # -- storing ---------------------------------------------------------------------------------------------------

    def submit(self, wanted: Submission) -> Submitted:
        """Compile and store a job. Raises PlanError, Later."""
        known = self._journal.job_of_dedupe(wanted.dedupe)
        if known is not None:
            return Submitted(known.id, new=False)
        compiled = self.compile(wanted)
        crash_point("job_compiled")
        job = compiled.result.job or {}
        hold: Hold = "pause" if wanted.paused else ""
        if not self._journal.is_confirmed(compiled.script_hash):
            if compiled.built_in:
                self._journal.confirm(compiled.script_hash, "signalbox")
            else:
                hold = "confirm"
        metadata = {str(key): str(value) for key, value in (job.get("metadata") or {}).items()}
        if wanted.try_out:
            metadata[TRY_OUT] = "yes"
        if wanted.paused and hold == "confirm":
            metadata[PAUSED] = "yes"
        new = NewJob(
            name=str(job.get("name") or wanted.name),
            type=loader.job_type_name(wanted.job_type),
            tasks=[self._task(task) for task in compiled.tasks],
            priority=int(job.get("priority", wanted.priority)),
            settings=job.get("settings") or {},
            metadata=metadata,
            dedupe=wanted.dedupe,
            who=wanted.who,
            script_hash=compiled.script_hash,
            hold=hold,
        )
        job_id, is_new = self._journal.add_job(new)
        crash_point("job_stored")
        for doubt in compiled.doubts:
            log.warning("job %d %s: %s", job_id, new.name, doubt)
        return Submitted(job_id, is_new, compiled.doubts)

    def _task(self, task: Mapping[str, Any]) -> NewTask:
        return NewTask(
            name=str(task["name"]),
            type=str(task["type"]),
            commands=task["commands"],
            priority=int(task["priority"]),
            dependencies=[int(each) for each in task["dependencies"]],
            steps=sum(int(command.get("total_step_count") or 1) for command in task["commands"]),
        )

    # -- running ---------------------------------------------------------------------------------------------------

    def scratch(self, job_id: int) -> Path:
        """The scratch folder of a try-out."""
        folder = self._settings().scratch_folder
        return (Path(folder) if folder else self._journal.folder / "scratch") / str(job_id)

    def files(self, job_id: int, task: int) -> TaskFiles:
        """Where a task writes. Raises KeyError when the job was deleted."""
        try_out = TRY_OUT in self._journal.job(job_id).metadata
        limit = int(self._settings().task_log_limit * (1 << 20))
        return TaskFiles(self._journal.task_log_path(job_id, task), limit, self.scratch(job_id) if try_out else None)

    def commands(self, task: TaskRow) -> list[dict[str, Any]]:
        """A task's commands as they are carried out now."""
        return handed_out(task.commands, self._settings(), self._journal.folder)

    def machine(self, files: TaskFiles) -> Machine:
        """What this machine gives to a task's commands."""
        settings = self._settings()
        return Machine(
            find_ffmpeg=ffmpeg_path,
            allowed=allowed_programs(settings.allowed_programs, everything=settings.allow_any_program),
            environment=self._environment(files.scratch),
            folder=files.scratch,
            silence_seconds=settings.task_silence or None,
            niceness=settings.task_niceness,
            made=MadeFiles(files.log.with_suffix(".made")),
        )

    def _environment(self, scratch: Path | None) -> Mapping[str, str]:
        """Ours without our secrets, with the ffmpeg that the program brings along where the machine has none."""
        environment = without_given(os.environ)
        if scratch is not None:
            environment["TMPDIR"] = str(scratch)
        tools = self._tools()
        if tools is not None:
            environment["PATH"] = environment.get("PATH", os.defpath) + os.pathsep + str(tools)
        return environment

    def _tools(self) -> Path | None:
        """A folder with a link "ffmpeg", None where PATH has one (or nobody has). Looked for once a minute."""
        at, folder = self._known_tools
        if time.monotonic() - at > _TOOLS_SECONDS:
            folder = self._find_tools()
            self._known_tools = (time.monotonic(), folder)
        return folder

    def _find_tools(self) -> Path | None:
        if shutil.which("ffmpeg"):
            return None
        try:
            own = ffmpeg_path()
        except ProgramMissing:
            return None
        folder = self._journal.folder / "tools"
        link = folder / "ffmpeg"
        with self._lock:
            if not link.exists():
                folder.mkdir(exist_ok=True)
                link.unlink(missing_ok=True)
                link.symlink_to(own)
        return folder


def _digest(scripts: Mapping[str, str | bytes], file: str) -> str:
    """Hash of a script with what it may require."""
    digest = hashlib.sha256()
    for name in [file, *sorted(each for each in scripts if each != file)]:
        source = scripts[name]
        data = source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass")
        digest.update(f"{len(name)}:{name}:{len(data)}:".encode("utf-8", "surrogatepass") + data)
    return digest.hexdigest()


def _is_built_in(scripts: Mapping[str, str | bytes], file: str) -> bool:
    """Whether this is, to the letter, a script that the program brings along."""
    source = scripts[file]
    data = source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass")
    own = resource("job_types") / Path(file).name.replace("-", "_")
    return set(scripts) == {file} and own.is_file() and own.read_bytes() == data


def _why(result: CompileResult, job_type: str) -> str:
    error = result.error
    if error is None:
        return result.store_error or f"the script of {job_type} ended as {result.outcome}"
    place = f" ({error.file}, line {error.line})" if error.file and error.line else ""
    hint = f". {error.hint}" if error.hint else ""
    return f"{error.message}{place}{hint}"
