"""The words of the job compiler room: what is asked of the compiler and what it answers.

Everything here is plain data. Field meanings follow the Flamenco Manager: a *job type* is what a script declares, a
*job* is what an artist submits, *tasks* are what ``compileJob`` makes of it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

DEFAULT_MANAGER_VERSION = "3.8.5"
DEFAULT_TIMEZONE = "UTC"
PAGE_SIZE = 500


class OutcomeKind(enum.StrEnum):
    """What the real Manager would do with the job.

    ``error`` is HTTP 400 or 412, ``store_error`` compiles but HTTP 500 on storing, ``go_panic`` HTTP 500 "Internal
    Server Error", ``manager_hangs`` never answers (or the Manager runs out of memory): a danger for everybody.
    ``cancelled`` is ours: a newer request replaced this one.
    """

    OK = "ok"
    ERROR = "error"
    STORE_ERROR = "store_error"
    GO_PANIC = "go_panic"
    MANAGER_HANGS = "manager_hangs"
    CANCELLED = "cancelled"


class Severity(enum.StrEnum):
    """How bad a finding is: ``error`` the Manager refuses, ``warning`` goes silently wrong, ``info`` good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one compilation may use before it is stopped and reported as ``manager_hangs``.

    Attributes:
        seconds: Wall clock for the whole script.
        heap_mb: V8 heap in MiB.
        max_frames: Distinct frames one ``frameChunker`` call may expand to.
        max_tasks: Tasks one job may have.
        max_result_mb: Size of the serialised result in MiB.
    """

    seconds: float = 5.0
    heap_mb: int = 1024
    max_frames: int = 50_000_000
    max_tasks: int = 500_000
    max_result_mb: int = 256


@dataclass(frozen=True, slots=True)
class Variable:
    """A Manager variable: a value per platform (``linux``, ``windows``, ``darwin``, or ``all``), one-way or two-way."""

    values: Mapping[str, str]
    is_two_way: bool = False


@dataclass(frozen=True, slots=True)
class CompileRequest:
    """One question: what would the Manager make of this job with these scripts?

    Attributes:
        scripts: File name (relative to the scripts folder, "/" separated) to source. Merged over ``scripts_dir``.
        scripts_dir: A scripts folder as it lies next to a Manager; read once per request. May be absent.
        script: File name whose job type is wanted. When empty, ``job["type"]`` decides, as in the Manager.
        job: The body of ``POST /api/v3/jobs``: name, type, priority, settings, metadata, submitter_platform, ...
        created: ``job.created``: an aware datetime, or a naive one meant in ``timezone``. None: now.
        timezone: IANA name of the Manager's local time zone.
        manager_version: Decides globals, worker commands and lint together.
        platform: The Manager's operating system, Go's name: linux, windows, darwin.
        variables: The Manager's variables, for the two-way replacement in settings before the script sees them.
        lint: Whether findings are wanted (adds a few milliseconds).
    """

    scripts: Mapping[str, str | bytes] = field(default_factory=dict)
    scripts_dir: Path | None = None
    script: str = ""
    job: Mapping[str, Any] = field(default_factory=dict)
    created: datetime | str | None = None
    timezone: str = DEFAULT_TIMEZONE
    manager_version: str = DEFAULT_MANAGER_VERSION
    platform: str = "linux"
    variables: Mapping[str, Variable] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    lint: bool = True


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A finding in a script. ``line`` counts from 1, ``column`` from 1; 0 means "the whole file"."""

    severity: Severity
    code: str
    message: str
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0
    file: str = ""

    def as_json(self) -> dict[str, Any]:
        """The shape of ``lint`` entries in the command line's JSON."""
        out: dict[str, Any] = {
            "severity": str(self.severity),
            "code": self.code,
            "message": self.message,
            "line": self.line,
            "column": self.column,
        }
        if self.file:
            out["file"] = self.file
        return out


@dataclass(frozen=True, slots=True)
class CompileError:
    """Why a compilation did not end well.

    Attributes:
        message: The error's text as the Manager words it, without the position.
        kind: ``exception``, ``incomplete``, ``syntax``, ``unknown_type``, ``etag``, ``request``, ``panic``, ``store``,
            ``hang``, ``memory``, ``crash``, ``file``.
        file: Script or helper file, "" when the error has no place.
        line: From 1; 0 when unknown.
        column: From 1; 0 when unknown.
        stack: Frames of the script, innermost first, as text.
        hint: One sentence for a person: what to do.
    """

    message: str
    kind: str
    file: str = ""
    line: int = 0
    column: int = 0
    stack: tuple[str, ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What the Manager would answer to ``POST /api/v3/jobs``; status 0 means "never answers"."""

    status: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Print:
    """One line of ``print()`` (info) or ``alert()`` (warn): in a Manager it only reaches its log."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts over the whole result, cheap at any size.

    Attributes:
        tasks: Number of tasks.
        by_type: Tasks per task type, in order of first appearance.
        commands: Commands per command name, in order of first appearance.
        dependencies: Number of dependency edges inside the job.
        lost_dependencies: Edges the Manager would silently not store.
        steps: Sum of step counts as the Manager counts them (a command without steps counts 1).
    """

    tasks: int = 0
    by_type: Mapping[str, int] = field(default_factory=dict)
    commands: Mapping[str, int] = field(default_factory=dict)
    dependencies: int = 0
    lost_dependencies: int = 0
    steps: int = 0


@dataclass(frozen=True, slots=True)
class TaskColumns:
    """All tasks in columns for graph and table: index = place in the job (``index_in_job`` - 1)."""

    names: Sequence[str]
    types: Sequence[str]
    dependencies: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class CompileResult:
    """The answer. Tasks are read in pages (``CompilerPool.pages``) so that a large job never stalls a window.

    Attributes:
        result_id: Names this result for ``pages``, ``columns`` and ``raw``; kept for the newest few results.
        outcome: What the Manager would do.
        job_type: ``{"name", "label", "description"?, "settings", "etag"}`` as ``GET /jobs/type/{name}`` would say.
        job_type_error: Why there is no job type although there is a script.
        job: ``{"name", "type", "priority", "settings", "metadata", "worker_tag", "shaman"}`` after compilation.
        summary: Counts.
        error: The error, for every outcome but ok.
        http: The Manager's answer.
        store_error: The reason storing fails (the Manager does not tell it), "" otherwise.
        prints: Lines of print() and alert(), oldest first.
        lint: Findings, by line.
        milliseconds: Evaluate and serialise inside V8.
        v8: Version of the engine.
    """

    result_id: int
    outcome: OutcomeKind
    job_type: dict[str, Any] | None = None
    job_type_error: CompileError | None = None
    job: dict[str, Any] | None = None
    summary: Summary = field(default_factory=Summary)
    error: CompileError | None = None
    http: HttpAnswer | None = None
    store_error: str = ""
    prints: tuple[Print, ...] = ()
    lint: tuple[Diagnostic, ...] = ()
    milliseconds: float = 0.0
    v8: str = ""

    @property
    def ok(self) -> bool:
        """Whether the Manager would accept and store the job."""
        return self.outcome is OutcomeKind.OK


class ScriptState(enum.StrEnum):
    """Where a listed script stands."""

    BUILT_IN = "built-in"
    DEPLOYED = "deployed"
    DRAFT = "draft"
    CHANGED = "changed"  # a draft that differs from the deployed script of the same name
    HIDES_BUILT_IN = "hides built-in"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class ScriptInfo:
    """One row of the list of scripts.

    Attributes:
        name: File name, e.g. ``log_and_sleep.js``.
        job_type: Job type name the Manager derives from it (``_`` becomes ``-``).
        state: See ScriptState.
        path: Where the text lies; None for a new draft that was never saved elsewhere.
        sha256: Of the bytes as read; "" when unreadable.
        problem: Why it is unreadable, else "".
        modified: Time of the file, UTC epoch seconds.
    """

    name: str
    job_type: str
    state: ScriptState
    path: Path | None
    sha256: str = ""
    problem: str = ""
    modified: float = 0.0


@dataclass(frozen=True, slots=True)
class ScriptText:
    """A script as opened: its text and the hash that tells later whether somebody else changed it."""

    name: str
    text: str
    sha256: str
    path: Path | None
    recovered: bool = False  # an autosaved draft newer than the file


@dataclass(frozen=True, slots=True)
class Draft:
    """An autosaved text. ``base_sha256`` is the script it was opened from ("" for a new one)."""

    name: str
    text: str
    base_sha256: str
    saved: float


@dataclass(frozen=True, slots=True)
class SampleJob:
    """A saved set of inputs for a preview."""

    name: str
    script: str
    job: Mapping[str, Any]
    timezone: str = DEFAULT_TIMEZONE
    created: str = ""
    platform: str = "linux"


@dataclass(frozen=True, slots=True)
class SettingField:
    """One row of the settings form as the Blender add-on would show it.

    Attributes:
        key: Setting key.
        label: Label; when the script gives none, the key in title case with blanks for ``_``.
        type: ``string``, ``int32``, ``float``, ``bool`` or whatever the script says.
        widget: ``text``, ``file``, ``dir``, ``choice``, ``int``, ``float``, ``check``.
        choices: For ``choice``.
        default: The value shown first (already coerced to the type), None when there is none.
        required: Whether the add-on insists on a value.
        visible: Whether the add-on shows it; hidden ones are filled at submission.
        visibility: The script's word: visible, hidden, submission, web.
        editable: False: read-only.
        description: Tooltip.
        minimum: From propargs, None when absent.
        maximum: From propargs, None when absent.
        eval: Python expression the add-on would run, shown as text and never run here; "" when absent.
        eval_link: Whether the add-on shows "Use Automatic Value" (on by default).
        eval_description: Its tooltip.
        warning: What the add-on would grumble about, else "".
    """

    key: str
    label: str
    type: str
    widget: str
    choices: tuple[str, ...] = ()
    default: Any = None
    required: bool = False
    visible: bool = True
    visibility: str = "visible"
    editable: bool = True
    description: str = ""
    minimum: float | None = None
    maximum: float | None = None
    eval: str = ""
    eval_link: bool = False
    eval_description: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True)
class DeployCheck:
    """One check before a deployment. ``blocking`` ones refuse it unless forced."""

    name: str
    ok: bool
    blocking: bool
    detail: str


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """What a deployment would do; nothing was touched yet.

    Attributes:
        script: File name in the scripts folder.
        target: Full path written to.
        text: The new script.
        old_text: What lies there now; None when nothing does.
        old_sha256: Hash of what lies there now, "" when nothing does. ``Deployer.apply`` refuses when it changed.
        diff: Unified diff, lines without line ends.
        checks: Compile of every sample job, lint, names that clash, a hidden built-in ...
        restart: Why the Manager must be restarted, "" when it need not.
    """

    script: str
    target: Path
    text: str
    old_text: str | None
    old_sha256: str
    diff: tuple[str, ...]
    checks: tuple[DeployCheck, ...]
    restart: str = ""

    @property
    def blocked(self) -> bool:
        """Whether a blocking check failed."""
        return any(not check.ok and check.blocking for check in self.checks)

    @property
    def unchanged(self) -> bool:
        """Whether the target already holds this text."""
        return self.old_text == self.text


@dataclass(frozen=True, slots=True)
class DeployReport:
    """What a deployment did.

    Attributes:
        script: File name.
        target: Full path.
        backup: History entry of the version that was there, None when there was none.
        sha256: Of what lies there now.
        verified: True: the Manager answers with the expected etag; False: it answers with something else; None: no
            Manager was asked or it could not be reached.
        verification: One sentence about that.
        restart: Why the Manager must be restarted, "" when it need not.
    """

    script: str
    target: Path
    backup: str | None
    sha256: str
    verified: bool | None
    verification: str
    restart: str = ""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A version that was deployed once. ``entry_id`` names it for ``Deployer.restore``."""

    entry_id: str
    script: str
    saved: float
    sha256: str
    size: int
    reason: str


@dataclass(frozen=True, slots=True)
class CommandLine:
    """How a Worker would run a command.

    Attributes:
        argv: Exact argument list; empty when the Worker runs it itself (echo, sleep, file management).
        text: One line for people, quoted as the Worker's log quotes it.
        error: What the Worker would refuse, in its words; "" when it would run.
        notes: Remarks (a fraction of a second is cut, ...).
    """

    argv: tuple[str, ...]
    text: str
    error: str = ""
    notes: tuple[str, ...] = ()
