"""Keeps secrets out of everything a person or a file sees: every log sink and every error text passes here."""

from __future__ import annotations

import logging
import re
import threading

from app.rules.text import storable

_MASK = "•••"
#: Shorter values are too likely to be part of an ordinary word to be replaced wherever they occur.
_SHORTEST = 6

_lock = threading.Lock()
_known: set[str] = set()
_known_pattern: re.Pattern[str] | None = None

_SHAPES = (
    # The client puts the API key in the query string of file URLs; other services use similar names.
    re.compile(r"(?i)\b((?:api[_-]?key|token|access_token|password|secret)=)([^&\s\"'<>]+)"),
    re.compile(r"(?i)(\"?ftrack-api-key\"?'?\s*[:=]\s*['\"]?)([^'\"\s,}]+)"),
    re.compile(r"(?i)(\bauthorization['\"]?\s*[:=]\s*['\"]?(?:bearer|basic)\s+)([^'\"\s,}]+)"),
    re.compile(r"()(\bxox[a-z]-[A-Za-z0-9-]{8,})"),
    re.compile(r"(://[^/\s:@]+:)([^/\s@]+)(?=@)"),
)


def know(value: str | None) -> None:
    """Remember a secret's value: from now on it is masked wherever it turns up in this process."""
    global _known_pattern  # noqa: PLW0603 - one registry a process, since any thread may log any secret
    if not value or len(value) < _SHORTEST:
        return
    with _lock:
        if value in _known:
            return
        _known.add(value)
        # Longest first, so that a secret that contains another is masked whole.
        _known_pattern = re.compile("|".join(re.escape(item) for item in sorted(_known, key=len, reverse=True)))


def redact(text: str) -> str:
    """The text with every known secret, and whatever has the shape of one, masked; any sink can write it."""
    pattern = _known_pattern
    if pattern is not None:
        text = pattern.sub(_MASK, text)
    for shape in _SHAPES:
        text = shape.sub(lambda match: match.group(1) + _MASK, text)
    return storable(text)


def without_known(text: str) -> str:
    """The text with every known secret masked and nothing else changed: for what programs print by the megabyte."""
    # Looking for a word is a hundred times faster than a pattern. Longest first, as there.
    for value in sorted(_known, key=len, reverse=True):
        if value in text:
            text = text.replace(value, _MASK)
    return text


class RedactionFilter(logging.Filter):
    """A filter for every log handler: message, arguments and traceback leave it without secrets."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = f"{record.msg!s} {record.args!r}"
        record.msg = redact(message)
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        return True
