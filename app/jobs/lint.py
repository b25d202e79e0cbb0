"""Findings about a script: from its syntax tree, and from what one compilation really did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from app.jobs import outcomes
from app.jobs.model import Diagnostic, Severity
from app.jobs.versions import BUILT_IN_TYPES, TASK_TYPES, WORKER_COMMANDS, Parameter, WorkerCommand, manager_version


def _finding(raw: dict[str, Any], file: str) -> Diagnostic:
    return Diagnostic(
        Severity(raw["severity"]),
        raw["code"],
        raw["message"],
        raw.get("line", 0),
        raw.get("column", 0),
        raw.get("end_line", 0),
        raw.get("end_column", 0),
        file,
    )


def from_analysis(analysis: dict[str, Any], file: str, version: str, helpers: Sequence[str] = ()) -> list[Diagnostic]:
    """Findings of the syntax tree."""
    found = [_finding(raw, file) for raw in analysis.get("findings", ())]
    if analysis.get("failed"):
        found.append(Diagnostic(Severity.INFO, "not-checked", f"the check gave up: {analysis['failed']}", file=file))
    found += [
        Diagnostic(
            Severity.WARNING,
            "unknown-task-type",
            f'no Worker takes tasks of type "{entry["type"]}" by default ({", ".join(TASK_TYPES)}); '
            "without one configured for it the task waits for ever",
            entry["line"],
            entry["column"],
            file=file,
        )
        for entry in analysis.get("task_types", ())
        if entry["type"].strip() and entry["type"].strip() not in TASK_TYPES
    ]
    for call in analysis.get("commands", ()):
        found += _command_call(call, file, version)
    found += [
        Diagnostic(
            Severity.ERROR,
            "helper-missing",
            f'require("{entry["name"]}"): the scripts folder holds no such file',
            entry["line"],
            entry["column"],
            file=file,
        )
        for entry in analysis.get("requires", ())
        if helpers and entry["name"].startswith("./") and not _helper_exists(entry["name"], helpers)
    ]
    return _sorted(found)


def _helper_exists(name: str, helpers: Iterable[str]) -> bool:
    base = name.removeprefix("./")
    known = set(helpers)
    return any(base + ending in known for ending in ("", ".js", ".json", "/index.js", "/index.json"))


def _command_call(call: dict[str, Any], file: str, version: str) -> list[Diagnostic]:
    """What the Worker would refuse of a command written out in the script."""
    kinds = call["parameters"]
    problems = command_problems(call["name"], version, None if kinds is None else dict(kinds))
    return [
        Diagnostic(severity, code, message, call["line"], call["column"], file=file)
        for severity, code, message in problems
    ]


def command_problems(name: str, version: str, kinds: dict[str, str] | None) -> list[tuple[Severity, str, str]]:
    """What a Worker of the version would refuse.

    ``kinds`` maps parameter names to string, number, list, boolean, null, object, empty (an empty string or zero) or
    unknown; None when the parameters are not known.
    """
    number = manager_version(version).number
    command = next((c for c in WORKER_COMMANDS if c.name == name), None)
    if command is None:
        return [(Severity.ERROR, "unknown-command", f'no Worker knows the command "{name}": unknown command: "{name}"')]
    if command.since > number:
        since = ".".join(map(str, command.since))
        text = f'"{name}" needs Workers of version {since}; a {version} Worker says: unknown command: "{name}"'
        return [(Severity.ERROR, "command-needs-newer-worker", text)]
    if kinds is None:
        return []
    return _parameter_problems(command, kinds)


def _parameter_problems(command: WorkerCommand, kinds: dict[str, str]) -> list[tuple[Severity, str, str]]:
    problems: list[tuple[Severity, str, str]] = []
    known = {parameter.name for parameter in command.parameters}
    for parameter in command.parameters:
        kind = kinds.get(parameter.name, "missing")
        if kind == "unknown":
            continue
        problem = _parameter_problem(command, parameter, kind)
        if problem:
            problems.append((Severity.ERROR, "command-parameter", problem))
    for name in kinds:
        if name not in known:
            text = f'{command.name}: the Worker ignores the parameter "{name}"'
            problems.append((Severity.WARNING, "command-parameter-unknown", text))
    return problems


def _parameter_problem(command: WorkerCommand, parameter: Parameter, kind: str) -> str:
    if kind == "missing":
        return f'{command.name}: mandatory parameter "{parameter.name}" is missing' if parameter.required else ""
    if "any" in parameter.kinds:
        return ""
    if kind == "empty":
        if parameter.empty_allowed:
            return ""
        return f'{command.name}: mandatory parameter "{parameter.name}" is missing (empty counts as missing)'
    if kind in parameter.kinds:
        return ""
    wanted = {"string": "a string", "number": "a number", "list": "a list of strings"}[parameter.kinds[0]]
    return f'{command.name}: parameter "{parameter.name}" must be {wanted}, not {kind}'


def _sorted(found: list[Diagnostic]) -> list[Diagnostic]:
    unique: dict[tuple[str, int, int, str], Diagnostic] = {}
    for finding in found:
        unique.setdefault((finding.code, finding.line, finding.column, finding.message), finding)
    return sorted(unique.values(), key=lambda d: (d.line or 10**9, d.column, d.code))


def collect(header: dict[str, Any], sent: dict[str, Any]) -> list[Diagnostic]:
    """All findings of one compilation: syntax tree, run, folder, Worker."""
    file = sent["script"]
    found = from_analysis(header.get("analysis", {}), file, sent["version"], list(sent["files"]))
    found += _from_folder(sent)
    found += _from_run(header, sent)
    found += _from_commands(header, found, file, sent["version"])
    return _sorted(found)


def _from_folder(sent: dict[str, Any]) -> list[Diagnostic]:
    """Names that get in each other's way, and bytes the Manager cannot read."""
    found = []
    script = sent["script"]
    before, unreadable, _after = sent["files"].get(script, "").partition("\ufffd")
    if unreadable:
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        text = "this is not UTF-8: the Manager reads \ufffd in its place; save the script as UTF-8"
        found.append(Diagnostic(Severity.WARNING, "not-utf8", text, line, column, file=script))
    for loser, winner in sent["shadowed"].items():
        text = f"{loser} and {winner} are the same job type; the Manager takes {winner}"
        found.append(Diagnostic(Severity.WARNING, "same-job-type", text, file=script or winner))
    if sent["job_type"] in BUILT_IN_TYPES and script:
        text = f'{script} hides the Manager\'s built-in job type "{sent["job_type"]}"'
        found.append(Diagnostic(Severity.WARNING, "hides-built-in", text, file=script))
    return found


_RUN_TEXTS = {
    "duplicate-task": (Severity.ERROR, 'the task "{task}" is added twice: the Manager cannot store the job'),
    "null-dependency": (
        Severity.ERROR,
        'the task "{task}" depends on nothing (null): the Manager crashes on storing it',
    ),
    "dependency-not-added": (
        Severity.WARNING,
        'the task "{task}" depends on "{dependency}", which is never added: the Manager drops this and all later ones',
    ),
    "dependency-lost": (
        Severity.WARNING,
        'the dependency of "{task}" on "{dependency}" is lost: an earlier one is on a task that was never added',
    ),
    "duplicate-dependency": (
        Severity.ERROR,
        'the task "{task}" depends twice on "{dependency}": the Manager cannot store the job',
    ),
    "cycle": (Severity.ERROR, "these tasks wait for each other and will never run: {names}"),
    "changed-after-add": (
        Severity.WARNING,
        'the task "{task}" is changed ({what}) after addTask(): the job holds a copy and does not see it',
    ),
}


def _position(stack: str) -> tuple[int, int]:
    """The innermost place in the script itself; what happens in a helper is told where the script called it."""
    at = next((frame for frame in outcomes.frames(stack or "") if frame.file == "sb0.js"), None)
    return (at.line, at.column) if at is not None else (0, 0)


def _from_run(header: dict[str, Any], sent: dict[str, Any]) -> list[Diagnostic]:
    """What this run did that goes silently wrong."""
    file = sent["script"]
    found = []
    places = header.get("places") or {}
    for raw in [*header.get("findings", ()), *header.get("events", ())]:
        code = raw["code"]
        if code == "setting-missing":
            found += _missing_setting(raw, header, sent)
            continue
        if code == "task-not-added":
            found += _not_added(raw, header, file)
            continue
        severity, text = _RUN_TEXTS[code]
        line, column = _position(raw.get("stack", "")) if raw.get("stack") else _placed(raw, places)
        if not line:
            line, column = _call_site(header, code)
        values = {**raw, "names": " -> ".join(reversed(raw.get("names", [])))}
        found.append(Diagnostic(severity, code, text.format(**values), line, column, file=file))
    return _limited(found)


def _placed(raw: dict[str, Any], places: dict[str, Any]) -> tuple[int, int]:
    """Line of a finding in a traced run."""
    if "place" in raw:
        for task, index, stack in places.get("dependencies", ()):
            if task == raw["task"] and index == raw["place"]:
                return _position(stack)
    if raw.get("code") == "duplicate-task" and raw["index"] < len(places.get("tasks", ())):
        return _position(places["tasks"][raw["index"]])
    return 0, 0


def _call_site(header: dict[str, Any], code: str) -> tuple[int, int]:
    """The only call that can be meant, when there is just one."""
    wanted = {"duplicate-task": "addTask", "task-not-added": "Task"}.get(code, "addDependency")
    calls = [call for call in header.get("analysis", {}).get("calls", ()) if call["name"] == wanted]
    return (calls[0]["line"], calls[0]["column"]) if len(calls) == 1 else (0, 0)


def _not_added(raw: dict[str, Any], header: dict[str, Any], file: str) -> list[Diagnostic]:
    """Tasks that were made and never put into the job: one finding for each place of the script that made some."""
    stacks = (header.get("places") or {}).get("made", ())
    by_place: dict[tuple[int, int], list[str]] = {}
    for number, name in raw["tasks"]:
        place = _position(stacks[number]) if number < len(stacks) else (0, 0)
        by_place.setdefault(place if place[0] else _call_site(header, "task-not-added"), []).append(name)
    found = []
    for place, names in by_place.items():
        count = len(names) if len(by_place) > 1 else raw["total"]
        what = f'the task "{names[0]}" is' if count == 1 else f'{count:,} tasks ("{names[0]}", ...) are'
        text = f"{what} made but never added to the job: the Manager drops what job.addTask() was not called with"
        found.append(Diagnostic(Severity.WARNING, "task-not-added", text, *place, file=file))
    return found


def _missing_setting(raw: dict[str, Any], header: dict[str, Any], sent: dict[str, Any]) -> list[Diagnostic]:
    """A setting the script read and the job did not have."""
    key = raw["key"]
    declared = {setting["key"]: setting for setting in (header.get("job_type") or {}).get("settings") or ()}
    line, column = _position(raw.get("stack", ""))
    file = sent["script"]
    if key not in declared:
        text = f'the setting "{key}" is read but not declared in JOB_TYPE: it is undefined unless somebody sends it'
        return [Diagnostic(Severity.WARNING, "unknown-setting", text, line, column, file=file)]
    if declared[key].get("required"):
        text = f'the required setting "{key}" is missing in this job; the script reads undefined'
        return [Diagnostic(Severity.WARNING, "required-setting-missing", text, line, column, file=file)]
    text = (
        f'the setting "{key}" is missing in this job: the script reads undefined, no default is applied by the Manager'
    )
    return [Diagnostic(Severity.INFO, "setting-missing", text, line, column, file=file)]


def _limited(found: list[Diagnostic], most: int = 20) -> list[Diagnostic]:
    """At most some findings of each kind: a thousand like tasks have a thousand like problems."""
    counts: dict[str, int] = {}
    kept = []
    for finding in found:
        counts[finding.code] = counts.get(finding.code, 0) + 1
        if counts[finding.code] <= most:
            kept.append(finding)
    return kept


def _from_commands(header: dict[str, Any], known: list[Diagnostic], file: str, version: str) -> list[Diagnostic]:
    """Commands of the compiled tasks that a Worker would refuse and that were not already seen in the text."""
    texts = {finding.message for finding in known}
    lines = {call["name"]: (call["line"], call["column"]) for call in header.get("analysis", {}).get("commands", ())}
    found = []
    for shape in header.get("command_shapes", ()):
        line, column = lines.get(shape["name"], (0, 0))
        for severity, code, message in command_problems(shape["name"], version, shape["kinds"]):
            if message not in texts:
                found.append(Diagnostic(severity, code, message, line, column, file=file))
    types = {entry["type"].strip() for entry in header.get("analysis", {}).get("task_types", ())}
    for name in (header.get("summary") or {}).get("by_type", {}):
        if name not in TASK_TYPES and name not in types:
            text = f'no Worker takes tasks of type "{name}" by default ({", ".join(TASK_TYPES)})'
            found.append(Diagnostic(Severity.WARNING, "unknown-task-type", text, file=file))
    return found
