"""What each Manager and Worker version knows: globals, worker commands and their parameters, engine level."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from app.jobs.model import DEFAULT_MANAGER_VERSION

_VERSION = re.compile(r"^v?(\d{1,4})(?!\d)(?:\.(\d{1,4}))?(?!\d)")

TASK_TYPES = ("blender", "ffmpeg", "file-management", "misc")
"""Task types a Worker accepts by its default configuration; others need a configured Worker."""

BUILT_IN_TYPES = {
    "echo-sleep-test": "eba586e16d6b55baaa43e32f9e78ae514b457fee",
    "simple-blender-render": "6f6b4fce9301252a6ab4a9a213a2f0ad447eccd5",
}
"""Job types the Manager brings along, with their etags (3.9)."""


def parse_version(text: str) -> tuple[int, int]:
    """``(3, 8)`` of "3.8.5", "v3.9-beta1", "3.7"; ValueError for anything else."""
    match = _VERSION.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a version of Flamenco; use one like {DEFAULT_MANAGER_VERSION}")
    return int(match[1]), int(match[2] or 0)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a worker command. ``kinds`` as the Worker accepts them."""

    name: str
    kinds: tuple[str, ...]
    required: bool = False
    empty_allowed: bool = True


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """A command a Worker can run, since which version."""

    name: str
    since: tuple[int, int]
    parameters: tuple[Parameter, ...]
    summary: str = ""


_STRINGS = ("list",)
_TEXT = ("string",)

WORKER_COMMANDS: tuple[WorkerCommand, ...] = (
    WorkerCommand("echo", (3, 0), (Parameter("message", ("any",), required=True),), "Write a line to the task log."),
    WorkerCommand(
        "sleep",
        (3, 0),
        (Parameter("duration_in_seconds", ("number",), required=True),),
        "Wait; fractions of a second are cut off.",
    ),
    WorkerCommand(
        "exec",
        (3, 3),
        (Parameter("exe", _TEXT, required=True, empty_allowed=False), Parameter("args", _STRINGS)),
        "Run a program without a shell.",
    ),
    WorkerCommand(
        "blender-render",
        (3, 0),
        (
            Parameter("exe", _TEXT, required=True, empty_allowed=False),
            Parameter("exeArgs", ("any",)),
            Parameter("argsBefore", _STRINGS),
            Parameter("blendfile", _TEXT, required=True),
            Parameter("args", _STRINGS),
        ),
        "Run Blender: exe exeArgs argsBefore blendfile args.",
    ),
    WorkerCommand(
        "frames-to-video",
        (3, 0),
        (
            Parameter("exe", _TEXT, required=True, empty_allowed=False),
            Parameter("fps", ("number",), required=True, empty_allowed=False),
            Parameter("inputGlob", _TEXT, required=True, empty_allowed=False),
            Parameter("outputFile", _TEXT, required=True, empty_allowed=False),
            Parameter("exeArgs", ("any",)),
            Parameter("argsBefore", _STRINGS),
            Parameter("args", _STRINGS),
        ),
        "Make a video of frames with FFmpeg.",
    ),
    WorkerCommand(
        "make-directory",
        (3, 9),
        (Parameter("path", _TEXT, required=True, empty_allowed=False),),
        "Create a directory and its parents.",
    ),
    WorkerCommand(
        "move-directory",
        (3, 0),
        (
            Parameter("src", _TEXT, required=True, empty_allowed=False),
            Parameter("dest", _TEXT, required=True, empty_allowed=False),
        ),
        "Move a directory; an existing destination is put aside first.",
    ),
    WorkerCommand(
        "copy-file",
        (3, 0),
        (
            Parameter("src", _TEXT, required=True, empty_allowed=False),
            Parameter("dest", _TEXT, required=True, empty_allowed=False),
        ),
        "Copy a file; the destination must not exist.",
    ),
)


@dataclass(frozen=True, slots=True)
class ManagerVersion:
    """Everything that depends on the Manager's version, decided together."""

    text: str
    number: tuple[int, int]
    features: dict[str, bool] = field(default_factory=dict)

    @property
    def hot_reload(self) -> bool:
        """Whether scripts are read anew for every request (else: restart)."""
        return self.number >= (3, 7)

    def commands(self) -> dict[str, WorkerCommand]:
        """Worker commands of this version by name."""
        return {command.name: command for command in WORKER_COMMANDS if command.since <= self.number}


def manager_version(text: str) -> ManagerVersion:
    """The version as one value; ValueError when the text is none."""
    number = parse_version(text)
    features = {
        "label": number >= (3, 6),
        "shellSplit": number >= (3, 6),
        "frameCount": number >= (3, 8),
        "steps": number >= (3, 8),
    }
    return ManagerVersion(text, number, features)
