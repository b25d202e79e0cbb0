"""From a person's request to what the V8 child is given, and the Manager's checks before any script runs."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Mapping
from typing import Any

from app.jobs import loader, zones
from app.jobs.model import CompileError, CompileRequest, HttpAnswer, Variable
from app.jobs.versions import manager_version

_SCHEMA = "request body has an error: doesn't match schema #/components/schemas/SubmittedJob: "
_STATUSES = (
    "active",
    "canceled",
    "completed",
    "failed",
    "paused",
    "pause-requested",
    "queued",
    "cancel-requested",
    "requeueing",
    "under-construction",
)
_BIG_INT = 2**53


def _error(path: str, problem: str) -> str:
    return f'{_SCHEMA}Error at "{path}": {problem}'


def check_job(job: Mapping[str, Any]) -> str:
    """The Manager's complaint about a request body that is not by its schema; "" when it is."""
    for key in ("name", "type", "submitter_platform"):
        if key not in job:
            return _error(f"/{key}", f'property "{key}" is missing')
    for key in ("name", "type", "submitter_platform", "type_etag", "worker_tag"):
        if key in job and not isinstance(job[key], str):
            return _error(f"/{key}", "value must be a string")
    priority = job.get("priority", 50)
    if isinstance(priority, bool) or not isinstance(priority, int | float) or not float(priority).is_integer():
        return _error("/priority", "value must be an integer")
    return _check_maps(job)


def _check_maps(job: Mapping[str, Any]) -> str:
    for key in ("settings", "metadata", "storage"):
        if key in job and job[key] is None:
            return _error(f"/{key}", "Value is not nullable")
        if key in job and not isinstance(job[key], Mapping):
            return _error(f"/{key}", "value must be an object")
    for key, value in job.get("metadata", {}).items():
        if not isinstance(value, str):
            return _error(f"/metadata/{key}", "value must be a string")
    status = job.get("initial_status", "queued")
    if status not in _STATUSES:
        allowed = ",".join(f'"{name}"' for name in _STATUSES)
        return _error("/initial_status", f"value is not one of the allowed values [{allowed}]")
    return ""


def _as_json_value(value: object) -> object:
    """A value as Go's decoder reads it: every number a float64; NaN has no JSON and becomes null."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _BIG_INT else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _as_json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json_value(item) for item in value]
    return str(value)


def replace_two_way(text: str, variables: Mapping[str, Variable], platform: str) -> str:
    """A submitted value with a two-way variable's value at its start turned into the variable.

    Case-insensitive, slashes of either kind, without a look at path boundaries, as the Manager does it.
    """
    plain = text.replace("\\", "/")
    for name, variable in variables.items():
        value = variable.values.get(platform, "").replace("\\", "/") if variable.is_two_way else ""
        if value and plain.lower().startswith(value.lower()):
            return "{" + name + "}" + plain[len(value) :]
    return text


def _with_variables(values: Mapping[str, Any], request: CompileRequest) -> dict[str, Any]:
    platform = str(request.job.get("submitter_platform", "linux"))
    platform = request.platform if platform == "manager" else platform
    return {
        key: replace_two_way(value, request.variables, platform) if isinstance(value, str) else value
        for key, value in values.items()
    }


class Refused(Exception):
    """The Manager refuses before it runs a script."""

    def __init__(self, error: CompileError, http: HttpAnswer) -> None:
        self.error = error
        self.http = http
        super().__init__(error.message)


def prepare(request: CompileRequest) -> dict[str, Any]:
    """The JSON the child is sent. Raises Refused, OSError (unreadable folder), ValueError (zone, version, date)."""
    scripts: dict[str, str | bytes] = {}
    if request.scripts_dir is not None:
        scripts.update(loader.read_folder(request.scripts_dir))
    scripts.update(request.scripts)
    loaded = loader.load(scripts)
    version = manager_version(request.manager_version)
    job = dict(request.job)
    if request.script and "type" not in job:
        job["type"] = loader.job_type_name(request.script)
    complaint = check_job(job)
    if complaint:
        raise Refused(CompileError(complaint, "request"), HttpAnswer(400, complaint))
    script = loaded.types.get(job["type"], "")
    seconds, nanoseconds = zones.to_epoch(request.created, request.timezone)
    return {
        "op": "compile",
        "script": script,
        "job_type": job["type"],
        "etag": job.get("type_etag", ""),
        "files": loaded.files,
        "types": loaded.types,
        "shadowed": loaded.shadowed,
        "ignored": loaded.ignored,
        "job": {
            "name": job["name"],
            "type": job["type"],
            "priority": int(job.get("priority", 50)),
            "settings": _with_variables(_json_map(job.get("settings", {})), request),
            "metadata": _with_variables(_json_map(job.get("metadata", {})), request),
            "worker_tag": job.get("worker_tag", ""),
            "shaman": str(job.get("storage", {}).get("shaman_checkout_id", "")),
        },
        "job_id": str(uuid.uuid4()),
        "created": [seconds, nanoseconds],
        "zone": zones.zone_table(request.timezone),
        "platform": request.platform,
        "cwd": "/opt/flamenco" if request.platform != "windows" else "C:\\flamenco",
        "version": version.text,
        "features": version.features,
        "lint": request.lint,
        "limits": {
            "seconds": request.limits.seconds,
            "heap_mb": request.limits.heap_mb,
            "max_frames": request.limits.max_frames,
            "max_tasks": request.limits.max_tasks,
            "max_result_mb": request.limits.max_result_mb,
        },
    }


def _json_map(values: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {str(key): _as_json_value(value) for key, value in values.items()}
    except RecursionError as error:
        raise ValueError("a value of the job is nested too deeply for the preview; send it flatter") from error


_CAUSE = re.compile(r"\bcause\b")
_NAMED = re.compile(r"\(\?<[A-Za-z_$]")
_PROPERTY = re.compile(r"\\[pP]\{")


def quirks(sources: list[str]) -> dict[str, bool]:
    """Engine differences that are only installed for scripts whose text hints at them."""
    text = "\n".join(sources)
    return {
        "cause": _CAUSE.search(text) is not None,
        "named_groups": _NAMED.search(text) is not None,
        "unicode_properties": _PROPERTY.search(text) is not None,
    }
