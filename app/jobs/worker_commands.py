"""The Flamenco Worker's eight commands, as this machine runs them.

Rules (versions 3.3 to 3.9 of the Worker): a task stops at its first failing command and the failure's text is the
task's reason; parameters are checked as strictly or loosely as the Worker does it; subprocess output is logged line
by line as ``pid=N > line``; a command that declares no steps counts one when it ends.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
import re
import shlex
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from app.jobs.made_files import MadeFiles
from app.jobs.worker_format import decimal, kind, plain, quoted
from app.journal.crash import crash_point
from app.process import Cancelled, NoProgress, ProgramFailed, ProgramMissing, run_program

COMMANDS = (
    "echo",
    "sleep",
    "exec",
    "blender-render",
    "frames-to-video",
    "make-directory",
    "move-directory",
    "copy-file",
)
_COPY_PIECE = 1 << 20
#: A drive that knows no hard links (exFAT, some network drives).
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
# Blender 5 puts "00:10.1 render | " before what earlier versions write at the start of a line.
_SAVED = re.compile(r"^(?:[\d:.]+ +render \| )?Saved: '(.*)'")
_STEP = re.compile(r"^(?:[\d:.]+ +render \| )?(?:Time: [0-9:.]+|skipping existing frame)")


class CommandFailed(Exception):
    """A command failed; the text is the task's reason, worded as the Worker words it."""


class Command(Protocol):
    """A command of a compiled task."""

    @property
    def name(self) -> str: ...
    @property
    def parameters(self) -> Mapping[str, Any]: ...
    @property
    def total_step_count(self) -> int: ...


class Listener(Protocol):
    """Receives what a task says while it runs, from the thread that runs it."""

    def log(self, text: str) -> None:
        """Text for the task's log, one or more whole lines."""

    def output(self, path: str) -> None:
        """A file was produced (a rendered frame)."""

    def step(self) -> None:
        """One step of the task is done."""


def _everything(argv: Sequence[str]) -> str:
    del argv
    return ""


def _nobody(pid: int | None) -> None:
    del pid


@dataclass(slots=True)
class Machine:
    """What the machine gives to commands.

    Attributes:
        find_ffmpeg: Path of ffmpeg for ``frames-to-video`` with exe "ffmpeg".
        allowed: Judges an argument list before it runs; returns "" or why it is refused (studio setting).
        environment: Environment of subprocesses; None inherits.
        folder: Working folder of subprocesses, and what relative paths are relative to; None inherits.
        silence_seconds: "No progress" time-out of a subprocess; None as the Worker does: no limit.
        niceness: How far subprocesses stand back behind other programs, 0 to 19.
        family: What subprocesses and all they start belong to (see `app.process.leftover`).
        on_program: Hears None before a subprocess is started and when it has ended, and its process id in between.
        made: What earlier attempts of the task put in its place.
    """

    find_ffmpeg: Callable[[], Path]
    allowed: Callable[[Sequence[str]], str] = _everything
    environment: Mapping[str, str] | None = None
    folder: Path | None = None
    silence_seconds: float | None = None
    niceness: int = 0
    family: str = ""
    on_program: Callable[[int | None], None] = _nobody
    made: MadeFiles = field(default_factory=MadeFiles)


def run_task(commands: Sequence[Command], listener: Listener, machine: Machine, cancel: threading.Event) -> None:
    """Run a task's commands in order.

    Raises:
        CommandFailed: With the Worker's words for the failure.
        Cancelled: When ``cancel`` was set.
    """
    runner = _Runner(listener, machine, cancel)
    for command in commands:
        runner.run(command)
        if command.total_step_count == 0:
            listener.step()


def argument_list(command: Command, find_ffmpeg: Callable[[], Path]) -> list[str] | None:
    """Exactly what a command would run as a subprocess; None for commands that start none.

    Raises CommandFailed for parameters the Worker refuses.
    """
    parameters = _Parameters(command)
    match command.name:
        case "exec":
            return _exec_arguments(parameters)
        case "blender-render":
            return _blender_arguments(parameters)
        case "frames-to-video":
            return _video_arguments(parameters, find_ffmpeg)
    return None


class _Parameters:
    """Typed access with the Worker's errors."""

    def __init__(self, command: Command) -> None:
        self.name = command.name
        self.values = command.parameters

    def missing(self, key: str) -> CommandFailed:
        return CommandFailed(f'{self.name}: mandatory parameter "{key}" is missing: {plain(self.values)}')

    def invalid(self, key: str, why: str) -> CommandFailed:
        return CommandFailed(f'{self.name}: parameter "{key}" has invalid value {plain(self.values.get(key))}: {why}')

    def text(self, key: str) -> str:
        """A mandatory string that is not empty."""
        value = self.optional_text(key)
        if not value:
            raise self.missing(key)
        return value

    def optional_text(self, key: str) -> str:
        value = self.values.get(key)
        return self._takeable(key, value) if isinstance(value, str) else ""

    def _takeable(self, key: str, text: str) -> str:
        """The text, unless no system call would take it."""
        try:
            taken = b"\0" not in os.fsencode(text)
        except UnicodeEncodeError:
            taken = False
        if not taken:
            raise self.invalid(key, "invalid argument")
        return text

    def strings(self, key: str) -> list[str]:
        """A list; its items become strings as the Worker writes them. Absent is empty; anything else is refused."""
        if key not in self.values:
            return []
        value = self.values[key]
        if not isinstance(value, list | tuple):
            raise self.invalid(key, "cannot convert to list of strings")
        return [self._takeable(key, plain(item)) for item in value]

    def split(self, key: str) -> list[str]:
        """A string split as a shell would, without a shell."""
        try:
            return split_words(self.optional_text(key))
        except ValueError as error:
            raise self.invalid(key, str(error)) from error


def split_words(text: str) -> list[str]:
    """Words of a command line by the Worker's rules: quotes, backslashes, comments at the start of a word.

    Raises ValueError with the Worker's text when a quote or an escape is left open.
    """
    lexer = shlex.shlex(_uncommented(text), posix=True, punctuation_chars=False)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r\n", True, ""
    try:
        return list(lexer)
    except ValueError as error:
        escape = "escape" in str(error).lower()
        reason = "EOF found after escape character" if escape else "EOF found when expecting closing quote"
        raise ValueError(reason) from error


def _uncommented(text: str) -> str:
    """The text without comments: ``#`` at the start of a word up to the line's end, outside quotes."""
    kept: list[str] = []
    at, quote, fresh = 0, "", True
    while at < len(text):
        character = text[at]
        if character == "#" and fresh and not quote:
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
            continue
        kept.append(character)
        if character == "\\" and quote != "'":
            kept.append(text[at + 1 : at + 2])
            at += 1
        elif character in "'\"":
            quote = "" if quote == character else quote or character
        fresh = character in " \t\r\n" and not quote
        at += 1
    return "".join(kept)


def _exec_arguments(parameters: _Parameters) -> list[str]:
    return [parameters.text("exe"), *parameters.strings("args")]


def _blender_arguments(parameters: _Parameters) -> list[str]:
    exe = parameters.text("exe")
    before = parameters.strings("argsBefore")
    if not isinstance(parameters.values.get("blendfile"), str):
        raise parameters.invalid("blendfile", "cannot convert to string")
    blendfile = parameters.optional_text("blendfile")
    after = parameters.strings("args")
    return [exe, *parameters.split("exeArgs"), *before, *([blendfile] if blendfile else []), *after]


def _video_arguments(parameters: _Parameters, find_ffmpeg: Callable[[], Path]) -> list[str]:
    exe = parameters.text("exe")
    fps = parameters.values.get("fps")
    if isinstance(fps, bool) or not isinstance(fps, int | float) or fps == 0:
        raise parameters.missing("fps")
    pattern, output = parameters.text("inputGlob"), parameters.text("outputFile")
    before, after = parameters.strings("argsBefore"), parameters.strings("args")
    own = parameters.split("exeArgs")
    if exe in ("ffmpeg", "ffmpeg.exe"):
        try:
            exe = str(find_ffmpeg())
        except OSError as error:
            raise parameters.invalid("exe", str(error)) from error
    rate = decimal(float(fps))
    frames = ["-r", rate, "-pattern_type", "glob", "-i", pattern.replace("\\", "/")]
    return [exe, *own, *before, *frames, *after, "-r", rate, output]


class _Runner:
    """Runs commands of one task."""

    def __init__(self, listener: Listener, machine: Machine, cancel: threading.Event) -> None:
        self._listener = listener
        self._machine = machine
        self._cancel = cancel

    def run(self, command: Command) -> None:
        """Carry out one command. Raises CommandFailed, Cancelled."""
        try:
            self._carry_out(command)
        except OSError as error:
            raise CommandFailed(f"{command.name} {error.filename or ''}: {_reason(error)}") from error

    def _carry_out(self, command: Command) -> None:
        parameters = _Parameters(command)
        match command.name:
            case "echo":
                self._echo(parameters)
            case "sleep":
                self._sleep(parameters)
            case "exec" | "frames-to-video":
                self._subprocess(command)
            case "blender-render":
                self._subprocess(command, self._blender_text)
            case "make-directory":
                self._make_directory(parameters)
            case "move-directory":
                self._move_directory(parameters)
            case "copy-file":
                self._copy_file(parameters)
            case _:
                raise CommandFailed(f"unknown command: {quoted(command.name)}")

    def _echo(self, parameters: _Parameters) -> None:
        if "message" not in parameters.values:
            raise parameters.missing("message")
        self._listener.log(f"echo: {quoted(plain(parameters.values['message']))}")

    def _sleep(self, parameters: _Parameters) -> None:
        key = "duration_in_seconds"
        if key not in parameters.values:
            raise parameters.missing(key)
        value = parameters.values[key]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise parameters.invalid(key, f"bad type {kind(value)}, expecting int or float")
        if value < 0:
            raise parameters.invalid(key, "cannot be negative")
        seconds = int(min(value, threading.TIMEOUT_MAX))  # the Worker drops the fraction
        if self._cancel.wait(seconds):
            raise Cancelled("the task was cancelled")
        self._listener.log(f"slept {_go_duration(seconds)}")

    def _subprocess(self, command: Command, on_text: Callable[[str], None] | None = None) -> None:
        argv = argument_list(command, self._machine.find_ffmpeg)
        assert argv is not None
        # What a script asks for by name is judged: that ffmpeg is found where the program brings its own is no matter.
        asked = [str(command.parameters["exe"]), *argv[1:]] if command.name == "frames-to-video" else argv
        refusal = self._machine.allowed(asked)
        if refusal:
            raise CommandFailed(refusal)
        program = self._found(argv[0])
        pid = 0

        def started(number: int) -> None:
            nonlocal pid
            pid = number
            self._machine.on_program(number)
            self._listener.log(f"going to run:\n\n    {shlex.join(argv)}\n")

        def read(text: str) -> None:
            before = f"pid={pid} > "
            self._listener.log(before + text.replace("\n", f"\n{before}"))
            if on_text is not None:
                on_text(text)

        self._machine.on_program(None)
        try:
            run_program(
                [program, *argv[1:]],
                cwd=self._machine.folder,
                env=self._machine.environment,
                on_text=read,
                on_start=started,
                split_returns=False,
                cancel=self._cancel,
                silence_seconds=self._machine.silence_seconds,
                niceness=self._machine.niceness,
                family=self._machine.family,
            )
        except ProgramFailed as failed:
            code = failed.outcome.code if failed.outcome.code >= 0 else -1
            raise CommandFailed(f"command exited abnormally with code {code}") from failed
        except ProgramMissing as missing:
            raise CommandFailed(f"fork/exec {argv[0]}: no such file or directory") from missing
        except NoProgress as silent:
            raise CommandFailed(str(silent)) from silent
        except OSError as error:
            raise CommandFailed(f"fork/exec {argv[0]}: {_reason(error)}") from error
        finally:
            if pid:
                self._machine.on_program(None)

    def _found(self, exe: str) -> str:
        """A bare name is looked up on PATH as the Worker does it, once, with its words for what cannot be started.

        A name that was judged is a program of this machine: never one in whatever folder the task works in.
        """
        if "/" in exe or os.sep in exe:
            return exe
        path = None if self._machine.environment is None else self._machine.environment.get("PATH")
        found = shutil.which(exe, path=path)
        if found is None:
            raise CommandFailed(f"exec: {quoted(exe)}: executable file not found in $PATH")
        if not Path(found).is_absolute():
            words = "cannot run executable found relative to current directory"
            raise CommandFailed(f"exec: {quoted(exe)}: {words}")
        return found

    def _blender_text(self, text: str) -> None:
        for line in text.split("\n"):
            saved = _SAVED.match(line)
            if saved:
                self._listener.output(saved[1])
            if _STEP.match(line):
                self._listener.step()

    def _at(self, path: str) -> str:
        """A path as a subprocess would find it."""
        folder = self._machine.folder
        return path if folder is None or Path(path).is_absolute() else str(folder / path)

    def _make_directory(self, parameters: _Parameters) -> None:
        path = self._at(parameters.text("path"))
        self._listener.log(f"make-directory: creating directory {quoted(path)}")
        try:
            _make_folders(Path(path), 0o775)
        except OSError as error:
            words = f"mkdir {error.filename or path}: {_reason(error)}"
            self._listener.log(f"make-directory: could not create directory {quoted(path)}: {words}")
            raise CommandFailed(words) from error

    def _move_directory(self, parameters: _Parameters) -> None:
        source, destination = self._at(parameters.text("src")), self._at(parameters.text("dest"))
        if not _there(source) and self._machine.made.has_made(Path(source), Path(destination)):
            self._listener.log(f"move-directory: {quoted(destination)} was moved here before this attempt")
            return
        if not _there(source):
            self._listener.log(f"move-directory: source path {quoted(source)} does not exist, not moving anything")
            raise parameters.invalid("src", "path does not exist")
        if _there(destination):
            self._rename(destination, _backup_name(destination))
        self._rename(source, destination)

    def _rename(self, source: str, destination: str) -> None:
        self._listener.log(f"move-directory: moving {quoted(source)} to {quoted(destination)}")
        try:
            self._machine.made.note(Path(source), Path(destination), Path(source))
            Path(source).rename(destination)
            crash_point("file_made")
        except OSError as error:
            words = f"rename {source} {destination}: {_reason(error)}"
            self._listener.log(f"move-directory: could not move {quoted(source)} to {quoted(destination)}: {words}")
            raise CommandFailed(words) from error

    def _copy_file(self, parameters: _Parameters) -> None:
        source = self._copy_path(parameters, "src")
        if not _there(source):
            self._said(f"source path {quoted(source)} does not exist, not copying anything")
            raise parameters.invalid("src", "path does not exist")
        destination = self._copy_path(parameters, "dest")
        if self._machine.made.has_made(Path(source), Path(destination)):
            self._machine.made.part(Path(destination)).unlink(missing_ok=True)
            self._said(f"{quoted(destination)} was copied before this attempt")
            return
        if _there(destination):
            self._said(f"destination path {quoted(destination)} already exists, not copying anything")
            raise parameters.invalid("dest", "path already exists")
        self._said(f"copying {quoted(source)} to {quoted(destination)}")
        if not Path(source).is_file():
            words = f"stat {source}: not a regular file"
            self._said(f"invalid source file {quoted(source)}: {words}")
            raise CommandFailed(words)
        try:
            _make_folders(Path(destination).parent, 0o750)
            self._copy_whole(Path(source), Path(destination))
        except OSError as error:
            words = f"open {error.filename or destination}: {_reason(error)}"
            self._said(f"failed to copy {quoted(source)} to {quoted(destination)}: {words}")
            raise CommandFailed(words) from error
        self._said(f"copied {quoted(source)} to {quoted(destination)}")

    def _copy_whole(self, source: Path, destination: Path) -> None:
        """The name appears with the whole content or not at all, and never takes another file's place."""
        part = self._machine.made.part(destination)
        # What a crash left may be the same file as one that has its name: never written into.
        part.unlink(missing_ok=True)
        try:
            with source.open("rb") as reader, part.open("xb") as writer:
                while piece := reader.read(_COPY_PIECE):
                    if self._cancel.is_set():
                        raise Cancelled("the task was cancelled")
                    writer.write(piece)
                writer.flush()
                os.fsync(writer.fileno())
            self._machine.made.note(source, destination, part)
            _give_name(part, destination)
            crash_point("file_made")
        finally:
            part.unlink(missing_ok=True)

    def _copy_path(self, parameters: _Parameters, key: str) -> str:
        value = parameters.optional_text(key)
        what = "source" if key == "src" else "destination"
        if not value:
            self._said(f"missing or empty '{key}' parameter")
            raise parameters.missing(key)
        if not Path(value).is_absolute():
            self._said(f"{what} path {quoted(value)} is not absolute, not copying anything")
            raise parameters.invalid(key, "path is not absolute")
        return value

    def _said(self, text: str) -> None:
        self._listener.log(f"copy-file: {text}")


def _give_name(part: Path, destination: Path) -> None:
    """Rename without overwriting. Raises FileExistsError."""
    try:
        destination.hardlink_to(part)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if destination.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(destination)) from error
        part.rename(destination)


def _make_folders(path: Path, mode: int) -> None:
    """Like ``mkdir -p``; the error names the part that is in the way."""
    for part in [*reversed(path.parents), path]:
        if part.is_dir():
            continue
        if part.exists():
            raise NotADirectoryError(20, "not a directory", str(part))
        part.mkdir(mode=mode, exist_ok=True)


def _there(path: str) -> bool:
    """Whether something is there; what may not be looked at counts as there, as for the Worker."""
    try:
        Path(path).stat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _backup_name(path: str) -> str:
    """``path-YYYY-MM-DD_HHMMSS`` of its modification time, then ``-NNN`` where that is taken too."""
    seconds = round(Path(path).stat().st_mtime)
    stamp = dt.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d_%H%M%S")
    backup = f"{path}-{stamp}"
    if not _there(backup):
        return backup
    base = Path(backup)
    taken = [int(m[1]) for p in base.parent.glob(f"{base.name}-*") if (m := re.search(r"-(\d+)$", p.name))]
    return f"{backup}-{max(taken, default=0) + 1:03d}"


def _reason(error: OSError) -> str:
    """The system's words in lower case, as the Worker writes them."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def _go_duration(seconds: int) -> str:
    """Whole seconds as the Worker writes a duration: "5s", "1m30s", "2h0m0s"."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{left}s"
    return f"{minutes}m{left}s" if minutes else f"{left}s"
