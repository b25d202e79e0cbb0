"""The job compiler room's front door: everything a window or a command needs is importable from here.

    pool = CompilerPool()
    handle = pool.submit(CompileRequest(scripts={"a.js": text}, script="a.js", job=job))
    result = handle.result(timeout=10)             # or handle.add_done_callback(f); f gets the handle, any thread
    for task in pool.pages(result.result_id, 0, 200): ...
    pool.close()

The protocols below are the contract; the classes of the same name without ``Like`` keep it. Nothing here starts V8:
``CompilerPool`` does, in a child process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from app.jobs.commands import command_line, expand_variables
from app.jobs.compiler import CompileHandle, CompilerClosed, CompilerPool
from app.jobs.deploy import Deployer, DeployRefused
from app.jobs.library import ScriptLibrary
from app.jobs.model import (
    CommandLine,
    CompileError,
    CompileRequest,
    CompileResult,
    DeployCheck,
    DeployPlan,
    DeployReport,
    Diagnostic,
    Draft,
    HistoryEntry,
    HttpAnswer,
    Limits,
    OutcomeKind,
    Print,
    SampleJob,
    ScriptInfo,
    ScriptState,
    ScriptText,
    SettingField,
    Severity,
    Summary,
    TaskColumns,
    Variable,
)
from app.jobs.reference import API_REFERENCE, ApiEntry, ApiParameter
from app.jobs.samples import SampleJobs
from app.jobs.settings_form import coerce_setting, settings_form, submitted_defaults
from app.jobs.templates import TEMPLATES, Template

__all__ = [
    "API_REFERENCE",
    "TEMPLATES",
    "ApiEntry",
    "ApiParameter",
    "CommandLine",
    "CompileError",
    "CompileHandle",
    "CompileHandleLike",
    "CompileRequest",
    "CompileResult",
    "CompilerClosed",
    "CompilerPool",
    "CompilerPoolLike",
    "DeployCheck",
    "DeployPlan",
    "DeployRefused",
    "DeployReport",
    "Deployer",
    "DeployerLike",
    "Diagnostic",
    "Draft",
    "HistoryEntry",
    "HttpAnswer",
    "Limits",
    "OutcomeKind",
    "Print",
    "SampleJob",
    "SampleJobs",
    "SampleJobsLike",
    "ScriptInfo",
    "ScriptLibrary",
    "ScriptLibraryLike",
    "ScriptState",
    "ScriptText",
    "SettingField",
    "Severity",
    "Summary",
    "TaskColumns",
    "Template",
    "Variable",
    "coerce_setting",
    "command_line",
    "expand_variables",
    "settings_form",
    "submitted_defaults",
]


class CompileHandleLike(Protocol):
    """A compilation under way. Thread-safe."""

    def result(self, timeout: float | None = None) -> CompileResult:
        """Wait for the result (every script gets one: hangs and crashes are outcomes). TimeoutError after timeout."""

    def done(self) -> bool:
        """Whether ``result`` returns at once."""

    def cancel(self) -> None:
        """Stop it; the result becomes outcome ``cancelled``."""

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Call back once with the handle from the pool's thread (or at once when done): hop to the GUI by a signal."""


class CompilerPoolLike(Protocol):
    """A warm, expendable V8 child process. Thread-safe; ``submit`` never blocks on V8."""

    def submit(self, request: CompileRequest, *, channel: str = "preview") -> CompileHandleLike:
        """Start compiling. In one ``channel`` the newest wins: an older run is killed and ends ``cancelled``.
        ``channel=""`` queues instead: nothing is cancelled."""

    def pages(self, result_id: int, start: int, count: int) -> list[dict[str, Any]]:
        """Tasks [start, start+count) as ``{"name","type","priority","commands","dependencies"}``; KeyError when the
        result is no longer kept (the newest 8 are)."""

    def columns(self, result_id: int) -> TaskColumns:
        """Names, types and dependencies of all tasks, for graph and search."""

    def raw(self, result_id: int) -> Iterator[str]:
        """The whole result as JSON text in pieces (the shape of ``signalbox compile --json``)."""

    def lint(
        self, text: str, *, file: str = "script.js", manager_version: str = ..., helpers: Sequence[str] = ()
    ) -> list[Diagnostic]:
        """Findings that need no job; blocks some 10-50 ms (call from a worker thread)."""

    def format_document(self, text: str) -> str:
        """Pretty-printed script; ValueError with line and column when it does not parse."""

    def close(self) -> None:
        """End the children. Idempotent."""


class ScriptLibraryLike(Protocol):
    """Scripts a TD can open: built-in, deployed in a Manager's scripts folder, and local drafts."""

    def list(self) -> list[ScriptInfo]:
        """All scripts by name; a draft shadows the deployed or built-in script of its name."""

    def open(self, name: str) -> ScriptText:
        """The newest text of a script: an autosaved draft wins (``recovered``). KeyError, OSError."""

    def autosave(self, name: str, text: str, base_sha256: str = "") -> Draft:
        """Write a draft durably (survives a crash of the program right after)."""

    def discard_draft(self, name: str) -> None:
        """Forget the draft."""

    def changed_outside(self, opened: ScriptText) -> bool:
        """Whether the file differs from what was opened, by hash; a vanished file counts as changed."""

    def new_from_template(self, template: str, name: str) -> ScriptText:
        """A fresh draft; FileExistsError when a script of that name exists."""


class SampleJobsLike(Protocol):
    """Sample jobs kept per script."""

    def list(self, script: str) -> list[SampleJob]:
        """Saved samples, by name; broken files are left out and named in ``problems``."""

    def problems(self, script: str) -> tuple[str, ...]:
        """One sentence for each sample that cannot be read."""

    def save(self, sample: SampleJob) -> None:
        """Write or replace."""

    def delete(self, script: str, name: str) -> None:
        """Remove; no error when absent."""


class DeployerLike(Protocol):
    """check -> diff -> atomic write -> backup -> verify; and back."""

    def plan(self, script: str, text: str, *, opened_sha256: str | None = None) -> DeployPlan:
        """Read the target, run all checks, make the diff. Touches nothing. ``opened_sha256``: hash of the target when
        the TD opened it ("" = there was none); a different one there now is a blocking check."""

    def apply(self, plan: DeployPlan, *, force: bool = False) -> DeployReport:
        """Do it. DeployRefused when blocked or changed since the plan; OSError leaves the old script whole."""

    def history(self, script: str) -> list[HistoryEntry]:
        """Earlier versions, newest first."""

    def history_text(self, entry_id: str) -> str:
        """Text of a version; KeyError."""

    def restore(self, entry_id: str, *, force: bool = False) -> DeployReport:
        """Put a version back ("one click back"); the present one goes to the history first."""
