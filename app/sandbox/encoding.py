"""Values between wire and column: date-times, booleans, numbers, structured values, custom attribute values."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from app.sandbox.contract import ApiError, Value
from app.sandbox.schema import Attribute

_TRUE = {"true", "1", "yes", "on"}


def is_whole(text: str) -> bool:
    """Whether UTF-8, and so the database, can hold a text: half a surrogate pair it cannot."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def stamp(seconds: float) -> str:
    """UTC epoch seconds as a column value."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def normal_datetime(text: str) -> str:
    """Any ISO date or date-time as ``YYYY-MM-DDTHH:MM:SS`` in UTC (a naive one is UTC).

    Raises:
        ValueError: it is not one.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def to_column(attribute: Attribute, value: Any) -> Value:
    """What a client sent, as the column holds it.

    Raises:
        ApiError: ``ValidationError`` when it is not of the attribute's type.
    """
    if value is None:
        return None
    try:
        if attribute.format == "date-time":
            return _datetime_column(value)
        kind = attribute.data_type
        if kind == "string":
            if isinstance(value, str):
                return value
            if isinstance(value, dict) and "value" in value:
                return str(value["value"])
            return json.dumps(value) if isinstance(value, (dict, list)) else str(value)
        if kind == "boolean":
            return int(value.lower() in _TRUE) if isinstance(value, str) else int(bool(value))
        if kind == "number":
            return float(value)
        if kind == "integer":
            number = int(value)
            if abs(number) < 2**63:
                return number
            raise ValueError("out of range")
    except (TypeError, ValueError, OverflowError) as error:
        # Without braces: the Python client formats the text of an error once more and fails on them.
        told = value.get("value") if isinstance(value, dict) else value
        raise ApiError(
            "ValidationError",
            f'Value for "{attribute.name}" must be of type {attribute.format or attribute.data_type}. Got {told!r}.',
        ) from error
    return json.dumps(value)


def _datetime_column(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("value")
    return normal_datetime(str(value))


Encoder = Callable[[Any], Any]


def _encode_datetime(value: Any) -> Any:
    return None if value is None else {"__type__": "datetime", "value": value}


def _encode_boolean(value: Any) -> Any:
    return None if value is None else value != 0


def _encode_json(value: Any) -> Any:
    return None if value is None else json.loads(value)


def encoder(attribute: Attribute) -> Encoder | None:
    """How a column becomes a wire value; ``None`` when it already is one."""
    if attribute.format == "date-time":
        return _encode_datetime
    if attribute.data_type == "boolean":
        return _encode_boolean
    if attribute.data_type in ("variable", "object"):
        return _encode_json
    return None


def parameter(attribute: Attribute, text: str) -> Value:
    """A word of a query as the column's type; what does not fit stays text and so matches nothing."""
    try:
        if attribute.format == "date-time":
            return normal_datetime(text)
        if attribute.data_type == "boolean":
            return int(text.lower() in _TRUE)
        if attribute.data_type == "number":
            return float(text)
        if attribute.data_type == "integer":
            return int(text)
    except ValueError:
        return text
    return text


def custom_text(value: Any) -> Value:
    """The form of a custom attribute value that queries compare with.

    Numbers stay numbers, booleans are 0 or 1, dates are column date-times, several choices are joined by a comma.
    """
    if value is None or isinstance(value, (str, int, float)):
        return int(value) if isinstance(value, bool) else value
    if isinstance(value, dict):
        return str(value.get("value", ""))
    return ", ".join(str(item) for item in value)


def custom_value(key: str, type_name: str, value: Any) -> Any:
    """Check a custom attribute value against its configuration's type and bring it into its stored form.

    Raises:
        ApiError: ``ValidationError`` in ftrack's words.
    """
    if value is None:
        return None
    if type_name == "number":
        if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) >= 2**63:
            raise _mismatch(key, type_name, value)
        return value
    if type_name == "boolean":
        if not isinstance(value, bool):
            raise _mismatch(key, type_name, value)
        return value
    if type_name == "date":
        try:
            return {"__type__": "datetime", "value": _datetime_column(value)}
        except ValueError as error:
            raise _mismatch(key, type_name, value) from error
    if type_name in ("enumerator", "dynamic enumerator"):
        if isinstance(value, str):
            return [value]
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _mismatch(key, type_name, value)
        return value
    if not isinstance(value, str):
        raise _mismatch(key, type_name, value)
    return value


def _mismatch(key: str, type_name: str, value: Any) -> ApiError:
    return ApiError(
        "ValidationError",
        f'Custom attribute value for "{key}" must be of type {type_name}. Got "{value}" of type {type(value).__name__}',
    )
