"""The settings of a job type as the Blender add-on shows them to artists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.jobs.model import SettingField

_WIDGETS = {"int32": "int", "float": "float", "bool": "check"}
_SUBTYPE_WIDGETS = {"file_path": "file", "hashed_file_path": "file", "dir_path": "dir", "file_name": "text"}
_SHOWN = ("visible", "submission")
_DEFAULTS: dict[str, Any] = {"string": "", "int32": 0, "float": 0.0, "bool": False}


def settings_form(job_type: Mapping[str, Any]) -> list[SettingField]:
    """Rows of the form for an exported job type (``CompileResult.job_type``), in the script's order."""
    return [_field(setting) for setting in job_type.get("settings") or ()]


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _field(setting: Mapping[str, Any]) -> SettingField:
    kind = _text(setting.get("type"))
    choices = tuple(_text(choice) for choice in setting.get("choices") or ())
    propargs = setting.get("propargs") or {}
    visibility = _text(setting.get("visible") or "visible")
    info = setting.get("evalInfo") or {}
    widget = _WIDGETS.get(kind) or _SUBTYPE_WIDGETS.get(_text(setting.get("subtype")), "text")
    warning = ""
    if choices and kind == "string":
        widget = "choice"
    elif choices:
        warning = f"the add-on ignores choices of a {kind} setting"
        choices = ()
    elif kind not in _DEFAULTS:
        warning = f'the add-on does not know the type "{kind}"'
    field = SettingField(
        key=_text(setting.get("key")),
        label=_text(setting.get("label") or _text(setting.get("key")).title().replace("_", " ")),
        type=kind,
        widget=widget,
        choices=choices,
        required=bool(setting.get("required")),
        visible=visibility in _SHOWN,
        visibility=visibility,
        editable=setting.get("editable", True) is not False,
        description=_text(setting.get("description")),
        minimum=_number(propargs.get("min")),
        maximum=_number(propargs.get("max")),
        eval=_text(setting.get("eval")),
        eval_link=bool(info.get("showLinkButton")),
        eval_description=_text(info.get("description")),
        warning=warning,
    )
    default = setting.get("default")
    return field if default is None else _replace_default(field, coerce_setting(field, default))


def _replace_default(field: SettingField, default: Any) -> SettingField:
    from dataclasses import replace

    return replace(field, default=default)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def coerce_setting(field: SettingField, value: object) -> Any:
    """A value in the field's type, as the add-on coerces it; a value that cannot be is left as it is."""
    try:
        match field.type:
            case "int32":
                return int(float(value)) if isinstance(value, str) else int(value)  # type: ignore[call-overload]
            case "float":
                return float(value)  # type: ignore[arg-type]
            case "bool":
                return value.strip().lower() in {"1", "true", "yes", "on"} if isinstance(value, str) else bool(value)
            case "string":
                return _text(value)
    except (TypeError, ValueError, OverflowError):
        return value
    return value


def doubts(job_type: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """What the add-on's form would not have let through, in words: the Manager takes any setting with any value."""
    fields = {field.key: field for field in settings_form(job_type)}
    unknown = [
        f"the job type has no setting {key}; it has {', '.join(fields) or 'none at all'}"
        for key in settings
        if key not in fields
    ]
    said = (_doubt(field, settings.get(key, field.default)) for key, field in fields.items())
    return [*unknown, *(words for words in said if words)]


def _doubt(field: SettingField, value: object) -> str:
    if value in (None, ""):
        return f"{field.key} is required, and empty" if field.required and not field.eval else ""
    if field.choices and value not in field.choices:
        return f"{field.key} is {value!r}, not one of {', '.join(field.choices)}"
    if field.type in ("int32", "float"):
        if isinstance(value, bool) or not isinstance(value, int | float) or (field.type == "int32" and value % 1):
            return f"{field.key} is {value!r}, not a {'whole ' if field.type == 'int32' else ''}number"
        if field.minimum is not None and value < field.minimum:
            return f"{field.key} is {value}, below {field.minimum:g}"
        if field.maximum is not None and value > field.maximum:
            return f"{field.key} is {value}, above {field.maximum:g}"
    kinds = {"bool": bool, "string": str}
    kind = kinds.get(field.type)
    if kind is not None and not isinstance(value, kind):
        return f"{field.key} is {value!r}, not {'true or false' if kind is bool else 'a text'}"
    return ""


def submitted_defaults(job_type: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a submission in which the artist touched nothing and no ``eval`` was run.

    Shown fields are sent with their default or their type's empty value; a hidden one only with a default.
    """
    values: dict[str, Any] = {}
    for field in settings_form(job_type):
        if field.default is not None:
            values[field.key] = field.default
        elif field.visible and field.choices:
            values[field.key] = field.choices[0]
        elif field.visible and not field.eval and field.type in _DEFAULTS:
            values[field.key] = _DEFAULTS[field.type]
    return values
