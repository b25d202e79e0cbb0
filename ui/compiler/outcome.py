"""A compilation's outcome in a person's words. No Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from app.jobs.api import CompileResult, Diagnostic, OutcomeKind, Severity

PROGRAM_COMMANDS = ("blender-render", "frames-to-video", "exec")
"""Commands for which a Worker starts a program; it does the others itself."""


@dataclass(frozen=True, slots=True)
class Headline:
    """What the strip above the preview says.

    Attributes:
        state: A lamp: ok, warning, error.
        title: One sentence.
        detail: What it means and what to do.
        line: Where to go, 0 when nowhere.
        column: From 1.
        file: The file the line is in.
    """

    state: str
    title: str
    detail: str = ""
    line: int = 0
    column: int = 1
    file: str = ""


def headline(result: CompileResult) -> Headline:
    """The outcome of a compilation in words."""
    error = result.error
    where = {
        "line": error.line if error else 0,
        "column": max(error.column, 1) if error else 1,
        "file": error.file if error else "",
    }
    message = error.message if error else result.store_error
    hint = error.hint if error else ""
    if result.outcome is OutcomeKind.OK:
        return _accepted(result)
    if result.outcome is OutcomeKind.MANAGER_HANGS:
        title = "The Manager would hang here, for everyone."
        return Headline("error", title, _join(message, hint), **where)  # type: ignore[arg-type]
    if result.outcome is OutcomeKind.GO_PANIC:
        title = "The Manager would answer “Internal Server Error” and give no reason."
        return Headline("error", title, _join(message, hint), **where)  # type: ignore[arg-type]
    if result.outcome is OutcomeKind.STORE_ERROR:
        title = "The Manager compiles this job, but cannot store it."
        return Headline("error", title, _join(result.store_error or message, hint), **where)  # type: ignore[arg-type]
    kind = error.kind if error else ""
    title = " ".join(message.split()) or "The Manager would refuse this job."
    if kind == "syntax":
        detail = "" if hint else "The Manager skips this script without a word: artists read “job type unknown”."
    elif result.http is not None and result.http.status:
        detail = f"The Manager answers {result.http.status}."
    else:
        detail = ""
    return Headline("error", title, _join(detail, hint), **where)  # type: ignore[arg-type]


def _accepted(result: CompileResult) -> Headline:
    summary = result.summary
    warnings = _alike_once([found for found in result.lint if found.severity is not Severity.INFO])
    tasks = f"{summary.tasks:,} task{'' if summary.tasks == 1 else 's'}"
    if summary.lost_dependencies:
        lost = summary.lost_dependencies
        title = f"Accepted, but {lost:,} dependenc{'y is' if lost == 1 else 'ies are'} lost without a word."
        first = next((found for found in result.lint if "depend" in found.code), None)
        return Headline("warning", title, sentence(first.message) if first else "", first.line if first else 0)
    if summary.tasks == 0:
        return Headline("warning", "Accepted, but the job has no tasks.", "The Manager would complete it at once.")
    if warnings:
        first = min(warnings, key=lambda found: (found.severity is not Severity.ERROR, found.line))
        count = len(warnings)
        title = f"{tasks}, and {count} thing{'' if count == 1 else 's'} to look at."
        return Headline("warning", title, sentence(first.message), first.line, max(first.column, 1), first.file)
    return Headline("ok", f"The Manager would make {tasks} of this job.")


def sentence(text: str) -> str:
    """With a capital at its start, as a line of its own has."""
    return text[:1].upper() + text[1:]


def _alike_once(found: list[Diagnostic]) -> list[Diagnostic]:
    """One finding per place and kind: a loop that does one thing wrong for 240 tasks says it once, with the number."""
    groups: dict[tuple[str, int, int, str], list[Diagnostic]] = {}
    for one in found:
        key = (one.code, one.line, one.column, "" if one.line else one.message)
        groups.setdefault(key, []).append(one)
    told = []
    for first, *more in groups.values():
        words = f"{first.message} (and {len(more):,} more like it)" if more else first.message
        told.append(replace(first, message=words))
    return told


def _join(*parts: str) -> str:
    return " ".join(" ".join(part.split()) for part in parts if part)


def findings(result: CompileResult, script: str) -> list[Diagnostic]:
    """Everything to mark in the editor of `script`: the error and the lint, without saying a thing twice."""
    found = _alike_once([lint for lint in result.lint if lint.file in ("", script)])
    for error in (result.error, result.job_type_error):
        if error is None or error.file not in ("", script):
            continue
        if any(lint.severity is Severity.ERROR and lint.line == error.line and error.line for lint in found):
            continue
        if any(other.message == error.message for other in found):
            continue
        code = f"compile.{error.kind}"
        message = _join(error.message, error.hint)
        found.append(Diagnostic(Severity.ERROR, code, message, error.line, error.column, file=error.file))
    return found


def chunk_words(patterns: Mapping[tuple[str, str], int]) -> str:
    """The largest group of like tasks, `render-#-#`, as "26 chunks"; "" when no tasks are alike."""
    (_type, pattern), count = max(patterns.items(), key=lambda entry: entry[1], default=(("", ""), 0))
    return f"{count:,} chunks {pattern}" if count > 1 and "#" in pattern else ""


def program_count(result: CompileResult) -> int:
    """Estimated command lines: how often a Worker would start a program for this job."""
    return sum(result.summary.commands.get(name, 0) for name in PROGRAM_COMMANDS)
