"""Forms, declared once: ftrack's web page and the window show the same fields and check them by the same rules."""

from __future__ import annotations

import datetime as dt
import html
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["TOKEN", "Choice", "Field", "Form", "read", "web"]

#: Name of the hidden item that carries a form's token; all other state stays in the journal.
TOKEN = "signalbox_token"  # noqa: S105 - the name of a field, no secret
Kind = Literal["text", "long_text", "number", "boolean", "choice", "choices", "date", "path", "note", "rule"]


class Choice(BaseModel):
    """One entry of a list."""

    model_config = ConfigDict(frozen=True)

    value: str
    label: str
    description: str = ""


class Field(BaseModel):
    """One field.

    Attributes:
        kind: "choices" allows several; "path" is a text that the window gives a file dialog; "note" is text to read
            and "rule" a line between groups (both without a name).
        name: Under which its value comes back.
        label: What a person reads before it.
        value: What it starts with.
        help: A hint shown in the empty field or beside it.
        choices: For "choice" and "choices".
        required: Whether it may not be empty.
        whole: A number without a fraction.
        least: Smallest number allowed.
        most: Largest number allowed.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    name: str = ""
    label: str = ""
    value: Any = None
    help: str = ""
    choices: tuple[Choice, ...] = ()
    required: bool = False
    whole: bool = False
    least: float | None = None
    most: float | None = None


class Form(BaseModel):
    """A page of fields.

    Attributes:
        title: Above the page.
        fields: In order.
        submit: On the button.
        state: What the action wants to know when the page comes back; kept in the journal, never sent.
    """

    model_config = ConfigDict(frozen=True)

    title: str
    fields: tuple[Field, ...]
    submit: str = "OK"
    state: dict[str, Any] = {}


def web(
    form: Form, token: str, values: Mapping[str, Any] | None = None, problems: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The form as ftrack's web page wants it.

    Args:
        form: The form.
        token: Goes along as the only hidden item.
        values: What the person typed before, so that an error loses nothing.
        problems: Field name to what is wrong; said above the field.
    """
    items: list[dict[str, Any]] = []
    for field in form.fields:
        problem = (problems or {}).get(field.name) if field.name else None
        if problem:
            items.append(
                {"type": "label", "value": f"<b style='color:#c0392b'>{_safe(field.label)}: {_safe(problem)}</b>"}
            )
        items.append(_item(field, (values or {}).get(field.name, field.value) if field.name else None))
    items.append({"type": "hidden", "name": TOKEN, "value": token})
    return {"items": items, "title": form.title, "submit_button_label": form.submit}


def _item(field: Field, value: Any) -> dict[str, Any]:
    if field.kind == "rule":
        return {"type": "label", "value": "---"}
    if field.kind == "note":
        return {"type": "label", "value": _safe(field.label)}
    item: dict[str, Any] = {"name": field.name, "label": field.label}
    match field.kind:
        case "long_text":
            item |= {"type": "textarea", "value": _text(value)}
        case "number":
            item |= {"type": "number", "value": value}
        case "boolean":
            item |= {"type": "boolean", "value": _truth(value)}
        case "date":
            item |= {"type": "date", "value": _text(value)}
        case "choice" | "choices":
            item |= {"type": "enumerator", "value": value, "data": [_choice(choice) for choice in field.choices]}
            if field.kind == "choices":
                item |= {"multi_select": True, "value": list(value or ())}
        case _:
            item |= {"type": "text", "value": _text(value)}
    if field.help:
        item["empty_text"] = field.help
    return item


def _choice(choice: Choice) -> dict[str, str]:
    entry = {"label": choice.label, "value": choice.value}
    return entry | {"description": choice.description} if choice.description else entry


def _safe(text: str) -> str:
    """Labels are markdown and HTML on the page; names and notes of people are neither."""
    return html.escape(text, quote=False).replace("\n", "<br>")


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _truth(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in ("true", "1", "yes", "on")
    return bool(value)


def read(form: Form, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Check what came back.

    Returns:
        Field name to typed value (fields with a problem are left out), and field name to problem.
    """
    good: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field in form.fields:
        if not field.name:
            continue
        try:
            good[field.name] = _read(field, values.get(field.name, field.value))
        except ValueError as error:
            problems[field.name] = str(error)
    return good, problems


def _read(field: Field, value: Any) -> Any:
    if field.kind == "boolean":
        return _truth(value)
    if field.kind == "choices":
        return _several(field, value)
    empty = value is None or (isinstance(value, str) and not value.strip())
    if empty:
        if field.required:
            raise ValueError("this is needed")
        return None if field.kind in ("number", "date") else ""
    match field.kind:
        case "number":
            return _number(field, value)
        case "date":
            return _date(value)
        case "choice":
            return _one_of(field, str(value))
    return str(value).strip() if field.kind != "long_text" else str(value).rstrip()


def _number(field: Field, value: Any) -> float | int:
    try:
        number = float(str(value).replace(",", "."))
    except ValueError as error:
        raise ValueError(f"{value!r} is not a number") from error
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a number")
    if field.whole and number != int(number):
        raise ValueError(f"{value!r} is not a whole number")
    if field.least is not None and number < field.least:
        raise ValueError(f"{number:g} is less than {field.least:g}")
    if field.most is not None and number > field.most:
        raise ValueError(f"{number:g} is more than {field.most:g}")
    return int(number) if number == int(number) else number


def _date(value: Any) -> str:
    try:
        return dt.date.fromisoformat(str(value)[:10]).isoformat()
    except ValueError as error:
        raise ValueError(f"{value!r} is not a date (2026-11-22)") from error


def _one_of(field: Field, value: str) -> str:
    if value not in {choice.value for choice in field.choices}:
        raise ValueError(f"{value!r} is not one of the choices")
    return value


def _several(field: Field, value: Any) -> list[str]:
    given: Sequence[Any] = value if isinstance(value, list | tuple) else ([] if value in (None, "") else [value])
    chosen = [_one_of(field, str(one)) for one in given]
    if field.required and not chosen:
        raise ValueError("choose at least one")
    return list(dict.fromkeys(chosen))
