"""The child's answer as a CompileResult and as the command line's JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from app.jobs import lint
from app.jobs.model import CompileError, CompileResult, HttpAnswer, OutcomeKind, Print, Summary


def _error(found: dict[str, Any] | None) -> CompileError | None:
    if found is None:
        return None
    return CompileError(
        message=found["message"],
        kind=found["kind"],
        file=found.get("file", ""),
        line=found.get("line", 0),
        column=found.get("column", 0),
        stack=tuple(found.get("stack", ())),
        hint=found.get("hint", ""),
    )


def build_result(number: int, header: dict[str, Any], sent: dict[str, Any], *, want_lint: bool) -> CompileResult:
    """Everything but the tasks of an answer."""
    summary = header.get("summary")
    http = header.get("http")
    return CompileResult(
        result_id=number,
        outcome=OutcomeKind(header.get("outcome", "error")),
        job_type=header.get("job_type"),
        job_type_error=_error(header.get("job_type_error")),
        job=header.get("job"),
        summary=Summary(**summary) if summary else Summary(),
        error=_error(header.get("error")),
        http=HttpAnswer(http["status"], http["message"]) if http else None,
        store_error=header.get("store_error", ""),
        prints=tuple(Print(entry["level"], entry["text"]) for entry in header.get("prints", ())),
        lint=tuple(lint.collect(header, sent)) if want_lint else (),
        milliseconds=round(float(header.get("milliseconds", 0.0)), 3),
        v8=header.get("v8", ""),
    )


def as_json(result: CompileResult) -> dict[str, Any]:
    """The command line's JSON without the tasks; keys are absent where they do not apply."""
    out: dict[str, Any] = {"outcome": str(result.outcome)}
    if result.job_type is not None:
        out["job_type"] = result.job_type
    if result.job_type_error is not None:
        out["job_type_error"] = error_json(result.job_type_error)
    if result.job is not None:
        out["job"] = result.job
    if result.error is not None:
        out["error"] = error_json(result.error)
    if result.http is not None:
        out["http"] = {"status": result.http.status, "message": result.http.message}
    if result.store_error:
        out["store_error"] = result.store_error
    out["prints"] = [entry.text for entry in result.prints]
    out["lint"] = [finding.as_json() for finding in result.lint]
    return out


def error_json(error: CompileError) -> dict[str, Any]:
    """An error without its empty fields."""
    fields: dict[str, Any] = {"message": error.message, "kind": error.kind}
    if error.file:
        fields["file"] = error.file
    if error.line:
        fields |= {"line": error.line, "column": error.column}
    if error.hint:
        fields["hint"] = error.hint
    return fields


def raw_json(result: CompileResult, pages: list[bytes]) -> Iterator[str]:
    """The whole JSON in pieces, so that a large job is never one text in memory."""
    head = json.dumps(as_json(result), ensure_ascii=False)
    if result.job is None:
        yield head
        return
    yield head[:-1] + ', "tasks": ['
    for index, page in enumerate(pages):
        yield (", " if index else "") + page.decode("utf-8", "replace")[1:-1]
    yield "]}"
