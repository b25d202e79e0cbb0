"""How the Flamenco Worker writes values into its logs and errors (Go's ``%v`` and ``%q``)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}


def plain(value: Any) -> str:
    """A JSON value as ``%v`` writes it: ``<nil>``, ``true``, ``1e+21``, ``[a b]``, ``map[a:1 b:2]`` (keys sorted)."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number(float(value))
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{plain(value[key])}" for key in sorted(value, key=str.encode)) + "]"
    if isinstance(value, Sequence):
        return "[" + " ".join(plain(item) for item in value) + "]"
    return str(value)


def number(value: float) -> str:
    """A float64 as ``%v``: shortest digits, an exponent below 1e-4 and from 1e21."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    _, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).rstrip("0") or "0"
    power = len(digits) + exponent - 1
    sign = "-" if value < 0 else ""
    if power < -4 or power >= 21:
        mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
        return f"{sign}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    return sign + decimal(abs(value))


def decimal(value: float) -> str:
    """A float64 without an exponent, shortest digits ("24", "23.976")."""
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def quoted(text: str) -> str:
    """``%q``: double quotes, escapes for control and unprintable characters, printable Unicode as it is."""
    out: list[str] = []
    for character in text:
        code = ord(character)
        if character in _ESCAPES:
            out.append(_ESCAPES[character])
        elif character == " " or (character.isprintable() and not character.isspace()):
            out.append(character)
        elif code < 0x80:
            out.append(f"\\x{code:02x}")
        elif code < 0x10000:
            out.append(f"\\u{code:04x}")
        else:
            out.append(f"\\U{code:08x}")
    return '"' + "".join(out) + '"'


def kind(value: Any) -> str:
    """The name of a JSON value's Go type, as ``%T`` writes it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "float64"
    if isinstance(value, str):
        return "string"
    return "map[string]interface {}" if isinstance(value, Mapping) else "[]interface {}"
