"""From what V8 said to what the Manager would answer: outcomes, error places, HTTP answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PANIC_ANSWER = {"status": 500, "message": "Internal Server Error"}
STORE_ANSWER = {"status": 500, "message": "error persisting job in database"}
LONGEST_MESSAGE = 8000
UNKNOWN_TYPE = "job type unknown"
OUTDATED = "rejecting job because its settings are outdated, refresh the job type"
NEVER = {"status": 0, "message": "no answer: the request never ends and keeps a processor core busy for ever"}

_FRAME = re.compile(
    r"^\s+at (?:async )?(?:(?P<function>.+?) \()?(?P<file>sb[m0-9]*\.js):(?P<line>\d+):(?P<column>\d+)\)?$"
)
_PLACE = re.compile(r"(?P<file>sb[m0-9]*\.js|<anonymous>|[^\n:]*):(?P<line>\d+): ")
_ANY_FRAME = re.compile(r"^\s+at ")
_FROM_A_CALL = re.compile(r"^(?:Error: )?GoError: |could not convert function call parameter")

_WORDING: tuple[tuple[re.Pattern[str], str], ...] = (
    # The V8 library declares these two for good; they can only be made undefined.
    (re.compile(r"^TypeError: ((?:set|clear)Timeout) is not a function$"), r"ReferenceError: \1 is not defined"),
    (
        re.compile(r"^(TypeError: )Cannot read properties of (undefined|null) \(reading '(.*)'\)$"),
        r"\1Cannot read property '\3' of \2",
    ),
    (
        re.compile(r"^(TypeError: )Class constructor .* cannot be invoked without 'new'$"),
        r"\1Class constructor cannot be invoked without 'new'",
    ),
    (
        re.compile(r"^(ReferenceError: )Cannot access '.*' before initialization$"),
        r"\1Cannot access a variable before initialization",
    ),
    (re.compile(r"^(TypeError: ).* is not a constructor$"), r"\1Value is not a constructor"),
    (re.compile(r"^(TypeError: )(?:[\w$.\[\]]+\.)([\w$]+) is not a function$"), r"\1Object has no member '\2'"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a script: file as V8 was told, line and column from 1."""

    file: str
    line: int
    column: int
    function: str


def frames(stack: str) -> list[Place]:
    """Script frames of a V8 stack, innermost first; frames of the prelude are left out."""
    found = []
    for line in stack.splitlines():
        match = _FRAME.match(line)
        if match is not None:
            shift = 0 if match["file"].startswith("sbm") else 1
            column = int(match["column"])
            number = int(match["line"]) - shift
            if match["file"].startswith("sbm") and number == 1:
                column = max(1, column - len("(function(exports, require, module) {"))
            found.append(Place(match["file"], number, column, match["function"] or ""))
    return found


def parse_exception(text: str) -> tuple[str, Place | None, list[Place], str]:
    """Message, place of the throw, script frames and raw stack of an uncaught exception as V8 prints it.

    The text is ``file:line: MESSAGE\\nsource line\\n   ^\\n`` and, for Error objects, an empty line and the stack.
    """
    match = _PLACE.match(text)
    if match is None:
        return text.strip(), None, [], ""
    lines = text[match.end() :].split("\n")
    caret = next((i for i, line in enumerate(lines) if i >= 1 and line.strip() and not line.strip(" \t^")), None)
    if caret is None:
        return lines[0], _thrown_at(match, 1), [], ""
    message = "\n".join(lines[: max(1, caret - 1)])
    column = len(lines[caret]) - len(lines[caret].lstrip()) + 1
    stack = "\n".join(lines[caret + 1 :]).strip("\n")
    return message, _thrown_at(match, column), frames(stack), stack


def _thrown_at(match: re.Match[str], column: int) -> Place | None:
    if not match["file"].startswith("sb"):
        return None
    shift = 0 if match["file"].startswith("sbm") else 1
    return Place(match["file"], int(match["line"]) - shift, column, "")


def go_wording(message: str) -> str:
    """A native error message in the words of the Manager's engine, where they are known."""
    for pattern, replacement in _WORDING:
        changed, count = pattern.subn(replacement, message)
        if count:
            return changed
    return message


def is_recursion(message: str) -> bool:
    """Whether V8 ran out of stack; the Manager's engine eats memory instead."""
    return message.startswith("RangeError: Maximum call stack size exceeded")


def real_file(file: str, script: str, modules: list[str]) -> str:
    """File name as a person knows it for the name V8 was given."""
    if file.startswith("sbm"):
        index = int(file[3:-3]) - 1
        return modules[index] if 0 <= index < len(modules) else file
    return script


_NATIVES = ("frameChunker", "frameCount", "shellSplit", "formatTimestampLocal")
_PACKAGE = "projects.blender.org/studio/flamenco/internal/manager/job_compilers.js"


def _native(raw_stack: str) -> str:
    """Name of the Manager's function that threw, "" when the script itself did (an assignment to a Go field counts)."""
    lines = raw_stack.splitlines()
    first = next((line for line in lines if _ANY_FRAME.match(line)), "")
    if "signalbox-prelude" not in first or not _FROM_A_CALL.search(raw_stack):
        return ""
    for name in _NATIVES:
        if any(line.strip().startswith(f"at {name} ") and "signalbox-prelude" in line for line in lines):
            return _PACKAGE + name[0].upper() + name[1:]
    return "reflect.methodValueCall"


def answer_suffix(place: Place | None, stack: list[Place], raw_stack: str, file: str) -> str:
    """`` at compileJob (t.js:3:3)`` as the Manager appends it; natives have no script line."""
    native = _native(raw_stack)
    if native:
        return f" at {native} (native)"
    at = stack[0] if stack else place
    if at is None:
        return ""
    spot = f"{file}:{at.line}:{at.column}"
    function = at.function or (stack[0].function if stack else "")
    return f" at {function} ({spot})" if function else f" at {spot}"


def exception(text: str, script: str, modules: list[str], function: str = "", plain_stack: str = "") -> dict[str, Any]:
    """The ``error`` part and HTTP message of an uncaught exception.

    ``plain_stack`` is where the Manager's side last threw an error that is no Error object and has no stack.
    """
    message, place, stack, raw_stack = parse_exception(text)
    if place is None and not stack and plain_stack:
        raw_stack = "could not convert function call parameter\n" + plain_stack
        stack = frames(plain_stack)
    message = go_wording(message)
    if len(message) > LONGEST_MESSAGE:
        message = message[:LONGEST_MESSAGE] + f"... ({len(message)} characters)"
    at = place
    if stack and (place is None or not _same_line(place, stack[0]) or "Error" in message):
        at = stack[0]
    if at is not None and not at.function and function and not stack:
        at = Place(at.file, at.line, at.column, function)
    file = real_file(at.file, script, modules) if at else script
    error: dict[str, Any] = {"message": message, "kind": "exception"}
    if at is not None:
        error |= {"file": file, "line": at.line, "column": at.column}
    error["stack"] = [
        f"{frame.function or '(top level)'} {real_file(frame.file, script, modules)}:{frame.line}:{frame.column}"
        for frame in stack
    ]
    suffix = answer_suffix(at, stack, raw_stack, file)
    return {"error": error, "http": {"status": 400, "message": message + suffix}}


def _same_line(a: Place, b: Place) -> bool:
    return a.file == b.file and a.line == b.line


def hang(reason: str, kind: str, where: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The answer for a script the Manager would never finish."""
    error: dict[str, Any] = {
        "message": f"the Manager would hang here, for everyone: {reason}",
        "kind": kind,
        "hint": "The Manager has no time or memory limit for scripts; it would need a restart.",
    }
    error |= where or {}
    return {"outcome": "manager_hangs", "error": error, "http": dict(NEVER)}


def panic(text: str) -> dict[str, Any]:
    """The answer when the Manager's Go code panics."""
    return {"outcome": "go_panic", "error": {"message": text, "kind": "panic"}, "http": dict(PANIC_ANSWER)}
