"""Settings as a form: fields from a JSON schema, values to text and back, and validation while somebody types."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model

_CAPITALS = {"api": "API", "rv": "RV", "url": "URL", "json": "JSON", "id": "ID", "ffmpeg": "ffmpeg"}
"""Words of a setting's name that people write so."""
_EXTRAS = ("per_project", "secret", "unit", "widget")
_LIMITS = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
}
_SIZES = {"minLength": "min_length", "maxLength": "max_length", "minItems": "min_length", "maxItems": "max_length"}


@dataclass(frozen=True, slots=True)
class FormField:
    """One setting as the form shows it.

    Attributes:
        name: Its key in the file.
        title: Its name for people.
        help: What it does.
        kind: "check", "choice", "line", "lines" (a list of words), "pairs" (a table of words), "json", "secret".
        default: The declared default.
        schema: Its part of the JSON schema, references resolved.
        choices: For "choice".
        per_project: Whether a show may override it.
        unit: e.g. "s".
        widget: A hint such as "path".
    """

    name: str
    title: str
    help: str
    kind: str
    default: Any
    schema: Mapping[str, Any]
    choices: tuple[str, ...] = ()
    per_project: bool = False
    unit: str = ""
    widget: str = ""


def fields_of(schema: Mapping[str, Any]) -> list[FormField]:
    """The fields of a settings schema, in the order they were declared."""
    definitions = schema.get("$defs", {})
    made = []
    for name, raw in schema.get("properties", {}).items():
        part = resolve(raw, definitions)
        made.append(
            FormField(
                name=name,
                title=_title(name),
                help=str(part.get("description", "")),
                kind=_kind(part),
                default=part.get("default"),
                choices=tuple(str(value) for value in part.get("enum", ())),
                per_project=bool(part.get("per_project")),
                unit=str(part.get("unit", "")),
                widget=str(part.get("widget", "")),
                schema=part,
            )
        )
    return made


def resolve(part: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a schema with its references followed, and "X or null" read as X."""
    made = dict(part)
    reference = made.pop("$ref", None)
    if isinstance(reference, str):
        made = resolve(definitions.get(reference.rsplit("/", 1)[-1], {}), definitions) | made
    for key in ("allOf", "anyOf"):
        options = made.pop(key, None)
        if isinstance(options, list):
            real = [option for option in options if option.get("type") != "null"]
            if len(real) == 1:
                made = resolve(real[0], definitions) | made
    if isinstance(made.get("items"), Mapping):
        made["items"] = resolve(made["items"], definitions)
    return made


def _title(name: str) -> str:
    words = name.replace("_", " ").capitalize().split(" ")
    return " ".join(_CAPITALS.get(word.lower(), word) for word in words)


def _kind(part: Mapping[str, Any]) -> str:
    if part.get("secret"):
        return "secret"
    if "enum" in part:
        return "choice"
    kind = part.get("type")
    if kind == "boolean":
        return "check"
    if kind == "array" and part.get("items", {}).get("type") in {"string", "integer", "number"}:
        return "lines"
    if kind == "object" and part.get("additionalProperties", {}) and _is_word(part.get("additionalProperties")):
        return "pairs"
    return "line" if kind in {"string", "integer", "number"} else "json"


def _is_word(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") in {"string", "integer", "number"}


def to_text(field: FormField, value: Any) -> str:
    """A value as the form's text."""
    if value is None:
        return ""
    if field.kind == "lines" and isinstance(value, list):
        return "\n".join(str(item) for item in value)
    if field.kind == "pairs" and isinstance(value, Mapping):
        return "\n".join(f"{key} = {item}" for key, item in value.items())
    if field.kind == "json":
        return json.dumps(value, indent=1, ensure_ascii=False)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def from_text(field: FormField, text: str) -> Any:
    """The value that a text stands for; types are settled by the model's validation.

    Raises:
        ValueError: the text is no list of pairs, or no JSON.
    """
    if field.kind == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if field.kind == "pairs":
        return _pairs(text)
    if field.kind == "json":
        try:
            return json.loads(text) if text.strip() else field.default
        except json.JSONDecodeError as error:
            raise ValueError(f"not JSON: {error.msg} in line {error.lineno}") from error
    return text.strip() if field.schema.get("type") != "string" else text


def _pairs(text: str) -> dict[str, str]:
    made = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        key, sign, value = line.partition("=")
        if not sign or not key.strip():
            raise ValueError(f"line {number}: write it as name = value")
        made[key.strip()] = value.strip()
    return made


def problem_of(model: type[BaseModel], values: Mapping[str, Any], name: str, value: Any) -> str:
    """What is wrong with a value for a field among the others, in words; "" when nothing is."""
    try:
        model.model_validate({**values, name: value})
    except ValidationError as error:
        for one in error.errors():
            if not one["loc"] or one["loc"][0] == name:
                return _words(one)
    return ""


def checked(model: type[BaseModel], values: Mapping[str, Any], name: str, value: Any) -> Any:
    """The value as the model understands it ("30" becomes 30.0), ready for JSON."""
    made = getattr(model.model_validate({**values, name: value}), name)
    return TypeAdapter(Any).dump_python(made, mode="json")


def _words(error: Any) -> str:
    text = str(error["msg"]).removeprefix("Value error, ")
    where = " ".join(str(step) for step in error["loc"][1:])
    return f"{where}: {text}" if where else text


def model_of(name: str, schema: Mapping[str, Any]) -> type[BaseModel]:
    """A model that validates what a schema allows: how a form knows the settings of a handler it cannot import."""
    made: dict[str, Any] = {}
    for field in fields_of(schema):
        extra = {key: field.schema[key] for key in _EXTRAS if field.schema.get(key)}
        default = field.default
        kind = _type_of(field.schema)
        if known := field.schema.get("known"):
            kind = Annotated[kind, AfterValidator(lambda value, known=known: _naming(value, known))]
        made[field.name] = (
            kind,
            Field(
                default_factory=(lambda value=default: json.loads(json.dumps(value))),
                description=field.help,
                json_schema_extra=extra,
            ),
        )
    return create_model(name, __config__=ConfigDict(extra="forbid", validate_assignment=True), **made)


def _type_of(part: Mapping[str, Any]) -> Any:
    """The Python type of a part of a schema, with its limits."""
    if "enum" in part:
        allowed = list(part["enum"])
        return Annotated[Any, AfterValidator(lambda value: _one_of(value, allowed))]
    kind = part.get("type")
    limits: dict[str, Any] = {_LIMITS[key]: part[key] for key in _LIMITS if key in part}
    limits |= {_SIZES[key]: part[key] for key in _SIZES if key in part}
    if kind == "string":
        base: Any = dt.date if part.get("format") == "date" else str
        if "pattern" in part:
            pattern, example = re.compile(str(part["pattern"])), str(part.get("default") or "")
            base = Annotated[base, AfterValidator(lambda value: _fits(value, pattern, example))]
    elif kind == "array":
        base = list[_type_of(part.get("items", {}))]  # type: ignore[misc]
    elif kind == "object":
        inner = part.get("additionalProperties")
        base = dict[str, _type_of(inner)] if isinstance(inner, Mapping) else dict[str, Any]  # type: ignore[misc]
        if "properties" in part:
            base = Annotated[base, AfterValidator(lambda value: _like(value, part))]
    else:
        base = {"integer": int, "number": float, "boolean": bool}.get(str(kind), Any)
    return Annotated[base, Field(**limits)] if limits else base


def _like(value: dict[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """A table (a job of the setting jobs, a transition) with what its schema requires and nothing it does not know."""
    parts = part["properties"]
    if missing := [name for name in part.get("required", ()) if name not in value]:
        raise ValueError(f"{', '.join(missing)} is missing")
    if part.get("additionalProperties") is False and (strange := [name for name in value if name not in parts]):
        raise ValueError(f"{strange[0]} is not known here; known are {', '.join(parts)}")
    for name, each in value.items():
        if "enum" in parts.get(name, {}):
            _one_of(each, parts[name]["enum"])
    return value


def _naming(value: Any, known: list[str]) -> Any:
    """A value whose texts are templates, with nothing in them that has no such name."""
    from app.rules.templates import check_template  # here: the window's start does not wait for Jinja

    if isinstance(value, str) and (problem := check_template(value, known)):
        raise ValueError(problem)
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _naming(each, known)
    return value


def _one_of(value: Any, allowed: list[Any]) -> Any:
    if value not in allowed:
        raise ValueError(f"must be one of {', '.join(str(each) for each in allowed)}")
    return value


def _fits(value: str, pattern: re.Pattern[str], example: str) -> str:
    if not pattern.search(value):
        like = f"write it like {example}" if example else f"it has to fit {pattern.pattern}"
        raise ValueError(f"“{value}” cannot be used: {like}")
    return value
