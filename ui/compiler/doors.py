"""What the workbench reaches the world through; all of it is passed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from app.jobs.api import CompilerPoolLike, DeployerLike, SampleJob, SampleJobsLike, ScriptLibraryLike, Variable
from app.jobs.model import DEFAULT_MANAGER_VERSION
from ui.compiler.language import ApiEntryLike
from ui.compiler.scripts_list import TemplateLike

PLAIN_VARIABLES: Mapping[str, Variable] = {
    "blender": Variable({"linux": "blender", "windows": "blender", "darwin": "blender"}),
    "blenderArgs": Variable({"linux": "-b -y", "windows": "-b -y", "darwin": "-b -y"}),
    "ffmpeg": Variable({"linux": "ffmpeg", "windows": "ffmpeg", "darwin": "ffmpeg"}),
}
"""The variables of a Manager as installed, for previews without one."""


@dataclass(frozen=True, slots=True)
class ManagerFacts:
    """What a running Manager says of itself: its version and its variables."""

    version: str
    variables: Mapping[str, Variable]


class Deploying(DeployerLike, Protocol):
    """A deployer that can also take a first deployment back."""

    def remove(self, script: str) -> str | None:
        """Take a deployed script away; it goes to the history first. The entry, or None when nothing was there."""


@dataclass(frozen=True, slots=True)
class Doors:
    """The workbench's doors.

    Attributes:
        pool: The compiler; the workbench does not close it.
        library: Scripts: built-in, deployed, drafts.
        samples: Sample jobs per script.
        deployer: Makes what writes to the Manager's scripts folder, given the sample jobs that must compile and the
            Manager's version; None: deploying is off, and the button says why.
        scripts_dir: The Manager's scripts folder, for helpers and neighbours of a script; None when there is none.
        memory: Folder for the inputs as they were left, per script; None: not kept.
        ask_manager: Asks a running Manager for its facts; may block and raise. None: no Manager is known.
        manager_version: Version to preview for until the Manager was asked.
        templates: What a new script can start from.
        api: The job API, for completion and help.
    """

    pool: CompilerPoolLike
    library: ScriptLibraryLike
    samples: SampleJobsLike
    deployer: Callable[[Sequence[SampleJob], str], Deploying] | None = None
    scripts_dir: Path | None = None
    memory: Path | None = None
    ask_manager: Callable[[], ManagerFacts] | None = None
    manager_version: str = DEFAULT_MANAGER_VERSION
    templates: Sequence[TemplateLike] = field(default_factory=tuple)
    api: Sequence[ApiEntryLike] = field(default_factory=tuple)
