"""How a Worker would run a compiled command: variables replaced per platform, then the exact argument list."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.jobs.model import CommandLine, Variable
from app.jobs.worker_commands import COMMANDS, CommandFailed, argument_list
from app.jobs.worker_format import plain


def expand_text(text: str, variables: Mapping[str, Variable], platform: str, manager_platform: str = "linux") -> str:
    """One value as a Worker on ``platform`` receives it.

    ``{name}`` becomes the platform's value; a value that starts with a two-way variable's value on the Manager's
    platform is translated as well. Where a two-way variable took part, separators become the platform's.
    """
    is_path = False
    for variable in variables.values():
        source = variable.values.get(manager_platform, "")
        target = variable.values.get(platform, variable.values.get("all"))
        if variable.is_two_way and source and target is not None and text.startswith(source):
            text = target + text[len(source) :]
            is_path = is_path or platform != manager_platform
    for name, variable in variables.items():
        target = variable.values.get(platform, variable.values.get("all"))
        placeholder = "{" + name + "}"
        if target is not None and placeholder in text:
            text = text.replace(placeholder, target)
            is_path = is_path or variable.is_two_way
    if not is_path:
        return text
    return text.replace("/", "\\") if platform == "windows" else text.replace("\\", "/")


def expand_variables(
    commands: Sequence[Mapping[str, Any]],
    variables: Mapping[str, Variable],
    platform: str,
    manager_platform: str = "linux",
) -> list[dict[str, Any]]:
    """Commands of a task with the Manager's variables replaced for a Worker's platform.

    Only strings and one-level lists of strings among the parameters are touched, as in the Manager.
    """

    def value(item: object) -> object:
        if isinstance(item, str):
            return expand_text(item, variables, platform, manager_platform)
        if isinstance(item, list):
            return [
                expand_text(part, variables, platform, manager_platform) if isinstance(part, str) else part
                for part in item
            ]
        return item

    return [
        {**command, "parameters": {key: value(item) for key, item in command.get("parameters", {}).items()}}
        for command in commands
    ]


@dataclass(frozen=True, slots=True)
class _Command:
    name: str
    parameters: Mapping[str, Any]
    total_step_count: int


_WINDOWS_INDEX = "ffmpeg-file-index.txt"


def command_line(command: Mapping[str, Any], platform: str = "linux") -> CommandLine:
    """The exact argument list a Worker would run, or its refusal; argv is empty for what it does itself."""
    name = str(command.get("name", ""))
    parameters = command.get("parameters") or {}
    if name not in COMMANDS:
        return CommandLine((), name, error=f'unknown command: "{name}"')
    try:
        argv = argument_list(
            _Command(name, parameters, int(command.get("total_step_count", 0))), lambda: Path("ffmpeg")
        )
    except CommandFailed as failed:
        return CommandLine((), name, error=str(failed))
    if argv is None:
        return _own_command(name, parameters)
    notes: tuple[str, ...] = ()
    if name == "frames-to-video" and platform == "windows":
        argv, notes = _windows_video(argv)
    return CommandLine(tuple(argv), shlex.join(argv), notes=notes)


def _windows_video(argv: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """On Windows FFmpeg has no globs: the Worker writes a list of the frames and gives that."""
    at = argv.index("-pattern_type")
    pattern = argv[at + 3]
    index = pattern.rpartition("/")[0] + "/" + _WINDOWS_INDEX
    changed = [*argv[: at - 2], "-f", "concat", "-safe", "0", "-i", index, *argv[at + 4 :]]
    return changed, (f"the Worker writes the frames that match {pattern} to {index} first",)


def _own_command(name: str, parameters: Mapping[str, Any]) -> CommandLine:
    """Commands the Worker carries out itself."""
    required = {
        "echo": ("message",),
        "sleep": ("duration_in_seconds",),
        "make-directory": ("path",),
        "move-directory": ("src", "dest"),
        "copy-file": ("src", "dest"),
    }[name]
    for key in required:
        value = parameters.get(key)
        absent = key not in parameters if name in ("echo", "sleep") else not isinstance(value, str) or not value
        if absent:
            return CommandLine((), name, error=f'{name}: mandatory parameter "{key}" is missing: {plain(parameters)}')
    if name == "sleep":
        return _sleep(parameters["duration_in_seconds"])
    return CommandLine((), " ".join([name, *(shlex.quote(plain(parameters[key])) for key in required)]))


def _sleep(seconds: object) -> CommandLine:
    invalid = f'sleep: parameter "duration_in_seconds" has invalid value {plain(seconds)}'
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        kind = {str: "string", bool: "bool", type(None): "<nil>"}.get(type(seconds), type(seconds).__name__)
        return CommandLine((), "sleep", error=f"{invalid}: bad type {kind}, expecting int or float")
    if seconds < 0:
        return CommandLine((), "sleep", error=f"{invalid}: cannot be negative")
    notes = () if float(seconds).is_integer() else (f"the fraction is cut off: it waits {int(seconds)} s",)
    return CommandLine((), f"sleep {int(seconds)}", notes=notes)
