"""Event expressions: the language of subscriptions and targets (ftrack protocol, section 2.2).

``topic=ftrack.update and (source.user.username=ada or not data.n>=5)``: dotted keys, six operators, ``and``,
``or``, ``not``, parentheses; values are bare words of ``A-Za-z0-9-_,./*@+`` or quoted. An expression is compiled once,
when a client subscribes, into a plain predicate: the hub asks it for every event.

The answers agree with the Python client, which re-checks what it receives, with two differences that a server
needs: a comparison of unlike types is "no match" where the client raises, and an empty value is legal. A trailing
``*`` is the Python client's substring test, the wider of the two readings in use (the JavaScript client's is a prefix
test), so that no client loses an event it would have accepted.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Predicate = Callable[[Mapping[str, object]], bool]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<bracket>[()])
      | (?P<operator>!=|>=|<=|=|>|<)
      | (?P<quoted>"(?:[^"\n\\]|""|\\.)*"|'(?:[^'\n\\]|''|\\.)*')
      | (?P<word>[A-Za-z0-9\-_,./*@+]+)
    )""",
    re.VERBOSE,
)
_FIELD = re.compile(r"[A-Za-z0-9_.]+")
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_DEEPEST = 100


class ExpressionError(ValueError):
    """The expression cannot be read; the text quotes it and says where."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression.

    Attributes:
        text: As the client wrote it.
        matches: Whether a mapping satisfies it; never raises.
        topic: The exact topic that every match must have, where the expression says so in its outermost ``and``;
            None where any topic can match. Routing indexes subscriptions by it.
    """

    text: str
    matches: Predicate
    topic: str | None


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """Compile ``text``.

    Raises:
        ExpressionError: The text is empty or not in the language.
    """
    reader = _Reader(text)
    if not reader.tokens:
        raise ExpressionError("the expression is empty")
    node = reader.any_of()
    if reader.here < len(reader.tokens):
        raise reader.refuse("the end")
    return Expression(text, _compiled(node), _topic(node))


@dataclass(frozen=True, slots=True)
class _Condition:
    field: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class _Not:
    inner: _Node


@dataclass(frozen=True, slots=True)
class _Group:
    every: bool
    parts: tuple[_Node, ...]


_Node = _Condition | _Not | _Group


class _Reader:
    """Recursive descent: ``or`` binds loosest, then ``and``, then ``not``."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.here = 0
        self.depth = 0
        self.tokens: list[_Token] = []
        position = 0
        end = len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise ExpressionError(f'"{text}": unexpected character at position {position + 1}')
            kind = match.lastgroup or ""
            self.tokens.append(_Token(kind, match.group(kind), match.start(kind)))
            position = match.end()

    def refuse(self, wanted: str) -> ExpressionError:
        if self.here < len(self.tokens):
            token = self.tokens[self.here]
            return ExpressionError(f'"{self.text}": {wanted} expected at position {token.position + 1}')
        return ExpressionError(f'"{self.text}": {wanted} expected at the end')

    def keyword(self, word: str) -> bool:
        """Step over ``word`` (any case) when it is next."""
        if self.here < len(self.tokens):
            token = self.tokens[self.here]
            if token.kind == "word" and token.text.lower() == word:
                self.here += 1
                return True
        return False

    def any_of(self) -> _Node:
        parts = [self.all_of()]
        while self.keyword("or"):
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else _Group(False, tuple(parts))

    def all_of(self) -> _Node:
        parts = [self.negated()]
        while self.keyword("and"):
            parts.append(self.negated())
        return parts[0] if len(parts) == 1 else _Group(True, tuple(parts))

    def negated(self) -> _Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ExpressionError("the expression is nested too deeply")
        try:
            if self.keyword("not"):
                return _Not(self.negated())
            return self.single()
        finally:
            self.depth -= 1

    def single(self) -> _Node:
        if self._is("bracket", "("):
            self.here += 1
            inner = self.any_of()
            if not self._is("bracket", ")"):
                raise self.refuse('")"')
            self.here += 1
            return inner
        field = self._take("word", "a key")
        if not _FIELD.fullmatch(field):
            self.here -= 1
            raise self.refuse("a key")
        sign = self._take("operator", "an operator")
        if self.here < len(self.tokens) and self.tokens[self.here].kind == "quoted":
            value = self._take("quoted", "a value")[1:-1]
        else:
            value = self._take("word", "a value")
        return _Condition(field, sign, value)

    def _is(self, kind: str, text: str) -> bool:
        return self.here < len(self.tokens) and self.tokens[self.here] == _Token(
            kind, text, self.tokens[self.here].position
        )

    def _take(self, kind: str, wanted: str) -> str:
        if self.here >= len(self.tokens) or self.tokens[self.here].kind != kind:
            raise self.refuse(wanted)
        self.here += 1
        return self.tokens[self.here - 1].text


def _topic(node: _Node) -> str | None:
    if isinstance(node, _Condition):
        exact = node.field == "topic" and node.operator == "=" and not node.value.endswith("*")
        return node.value if exact else None
    if isinstance(node, _Group) and node.every:
        return next((topic for part in node.parts if (topic := _topic(part)) is not None), None)
    return None


def _compiled(node: _Node) -> Predicate:
    if isinstance(node, _Condition):
        return _condition(node)
    if isinstance(node, _Not):
        inner = _compiled(node.inner)
        return lambda candidate: not inner(candidate)
    parts = tuple(_compiled(part) for part in node.parts)
    if node.every:
        return lambda candidate: all(part(candidate) for part in parts)
    return lambda candidate: any(part(candidate) for part in parts)


def _condition(node: _Condition) -> Predicate:
    path = tuple(node.field.split("."))
    compare = _OPERATORS[node.operator]
    wanted = node.value
    needle = wanted[:-1] if node.operator == "=" and wanted.endswith("*") else None

    def matches(candidate: Mapping[str, object]) -> bool:
        value: object = candidate
        for key in path:
            if not isinstance(value, Mapping) or key not in value:
                return False
            value = value[key]
        if needle is not None:
            return _contains(value, needle)
        try:
            return bool(compare(value, wanted))
        except TypeError:
            return False

    return matches


def _contains(value: object, needle: str) -> bool:
    """The Python client's ``needle in value``: a substring of a text, a key of a mapping, an item of a list."""
    if isinstance(value, str | Mapping | list):
        return needle in value
    return False
