"""Lexer and recursive-descent parser of ftrack's query language.

    [select p1, p2.q from] Type [where ...] [group by a] [order by a.b desc] [limit N] [offset N]

Quoted values become numbered :class:`Literal` nodes, so one compiled statement serves every query of the same shape.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from app.sandbox.contract import ApiError


class Segment(NamedTuple):
    """One step of a dotted path, with the type it is cast to (``parent[TypedContext]``)."""

    name: str
    cast: str | None = None


Path = tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Literal:
    """A value: the number of a quoted string of the query, or a bare word (``index`` is -1)."""

    index: int
    word: str = ""


@dataclass(frozen=True, slots=True)
class And:
    """All of these."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of these."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not this."""

    part: Node


@dataclass(frozen=True, slots=True)
class Compare:
    """``path operator value``; the value is ``None`` for none."""

    path: Path
    operator: str
    value: Literal | None


@dataclass(frozen=True, slots=True)
class Within:
    """``path in (a, b)`` or ``path in (select id from ...)``."""

    path: Path
    values: tuple[Literal, ...]
    query: Select | None
    negated: bool


@dataclass(frozen=True, slots=True)
class Quantified:
    """``path any (...)`` and ``path has (...)``; no condition means non-empty."""

    path: Path
    condition: Node | None


Node = And | Or | Not | Compare | Within | Quantified


class Aggregate(NamedTuple):
    """``count(id)`` and relatives."""

    function: str
    path: Path


class Order(NamedTuple):
    """One key of ``order by``."""

    path: Path
    descending: bool


@dataclass(slots=True)
class Select:
    """A whole query."""

    entity: str
    projections: list[Path] = field(default_factory=list)
    aggregates: list[Aggregate] = field(default_factory=list)
    where: Node | None = None
    group: list[Path] = field(default_factory=list)
    order: list[Order] = field(default_factory=list)
    limit: int | None = None
    offset: int = 0


_TOKEN = re.compile(
    r"""\s*(?:
    (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<symbol>!=|>=|<=|[=<>(),\[\]])
    |(?P<word>[^\s(),\[\]=<>!"']+)
    )""",
    re.VERBOSE | re.DOTALL,
)
# \% and \_ stay as they are: they are for `like`.
_ESCAPE = re.compile(r"\\([^%_])", re.DOTALL)

_OPERATORS = {
    "=": "=",
    "is": "=",
    "!=": "!=",
    "is_not": "!=",
    ">": ">",
    "after": ">",
    "greater_than": ">",
    "<": "<",
    "before": "<",
    "less_than": "<",
    ">=": ">=",
    "<=": "<=",
    "like": "like",
    "not_like": "not_like",
    "in": "in",
    "not_in": "not_in",
    "any": "any",
    "has": "any",
}
_AGGREGATES = {"count", "sum", "avg", "min", "max"}
_NONE = {"none", "null"}


class Token(NamedTuple):
    """``kind`` is ``w`` (bare word), ``s`` (quoted, ``text`` is its number) or ``p`` (punctuation)."""

    kind: str
    text: str
    glued: bool = False


def parse_error(expression: str, why: str = "") -> ApiError:
    """The server's answer to what it cannot read."""
    return ApiError("ParseError", f"Failed to parse: {expression}{f' ({why})' if why else ''}")


def tokenize(expression: str) -> tuple[tuple[Token, ...], list[str]]:
    """Split a query into tokens (its *shape*) and the values of its quoted strings."""
    tokens: list[Token] = []
    values: list[str] = []
    position, end = 0, len(expression.rstrip())
    match = _TOKEN.match
    while position < end:
        found = match(expression, position)
        if found is None:
            raise parse_error(expression, f"unexpected {expression[position : position + 10]!r}")
        kind = found.lastgroup
        text = found.group(kind) if kind else ""
        if kind == "string":
            body = text[1:-1]
            values.append(_ESCAPE.sub(r"\1", body) if "\\" in body else body)
            tokens.append(Token("s", str(len(values) - 1)))
        elif kind == "symbol":
            tokens.append(Token("p", text))
        else:
            tokens.append(Token("w", text, text[0] == "." and found.start("word") == position))
        position = found.end()
    return tuple(tokens), values


def parse(tokens: tuple[Token, ...], expression: str) -> Select:
    """Parse tokens.

    Raises:
        ApiError: ``ParseError``, with the expression.
    """
    parser = _Parser(tokens, expression)
    select = parser.select()
    if parser.peek() is not None:
        raise parser.error()
    return select


class _Parser:
    def __init__(self, tokens: tuple[Token, ...], expression: str) -> None:
        self.tokens = tokens
        self.expression = expression
        self.position = 0

    def error(self, why: str = "") -> ApiError:
        if not why and self.position < len(self.tokens):
            token = self.tokens[self.position]
            why = f"unexpected {'a quoted value' if token.kind == 's' else repr(token.text)}"
        return parse_error(self.expression, why or "it ends too early")

    def peek(self, ahead: int = 0) -> Token | None:
        index = self.position + ahead
        return self.tokens[index] if index < len(self.tokens) else None

    def next(self) -> Token:
        token = self.peek()
        if token is None:
            raise self.error()
        self.position += 1
        return token

    def at_word(self, *words: str, ahead: int = 0) -> bool:
        token = self.peek(ahead)
        return token is not None and token.kind == "w" and token.text.lower() in words

    def at(self, symbol: str) -> bool:
        token = self.peek()
        return token is not None and token.kind == "p" and token.text == symbol

    def expect(self, symbol: str) -> None:
        if not self.at(symbol):
            raise self.error()
        self.position += 1

    def word(self) -> str:
        token = self.peek()
        if token is None or token.kind != "w":
            raise self.error()
        self.position += 1
        return token.text

    def select(self) -> Select:
        projections: list[Path] = []
        aggregates: list[Aggregate] = []
        if self.at_word("select"):
            self.position += 1
            while True:
                following = self.peek(1)
                if self.at_word(*_AGGREGATES) and following == Token("p", "("):
                    function = self.word().lower()
                    self.expect("(")
                    aggregates.append(Aggregate(function, self.path()))
                    self.expect(")")
                else:
                    projections.append(self.path())
                if not self.at(","):
                    break
                self.position += 1
            if not self.at_word("from"):
                raise self.error()
        if self.at_word("from"):
            self.position += 1
        select = Select(self.word(), projections, aggregates)
        self.clauses(select)
        return select

    def clauses(self, select: Select) -> None:
        while True:
            if self.at_word("where"):
                self.position += 1
                select.where = self.disjunction()
            elif self.at_word("group") and self.at_word("by", ahead=1):
                self.position += 2
                select.group = self.paths()
            elif self.at_word("order") and self.at_word("by", ahead=1):
                self.position += 2
                select.order = self.orders()
            elif self.at_word("limit"):
                self.position += 1
                select.limit = self.number()
            elif self.at_word("offset"):
                self.position += 1
                select.offset = self.number()
            else:
                return

    def number(self) -> int:
        text = self.word()
        if not text.isdigit():
            self.position -= 1
            raise self.error()
        return int(text)

    def paths(self) -> list[Path]:
        found = [self.path()]
        while self.at(","):
            self.position += 1
            found.append(self.path())
        return found

    def orders(self) -> list[Order]:
        found: list[Order] = []
        while True:
            path = self.path()
            descending = self.at_word("desc", "descending")
            if descending or self.at_word("asc", "ascending"):
                self.position += 1
            found.append(Order(path, descending))
            if not self.at(","):
                return found
            self.position += 1

    def path(self) -> Path:
        segments = [Segment(name) for name in self.word().split(".")]
        while self.at("["):
            self.position += 1
            segments[-1] = Segment(segments[-1].name, self.word())
            self.expect("]")
            token = self.peek()
            if token is None or token.kind != "w" or not token.glued:
                break
            segments.extend(Segment(name) for name in self.word()[1:].split("."))
        if not all(segment.name for segment in segments):
            raise self.error()
        return tuple(segments)

    def disjunction(self) -> Node:
        parts = [self.conjunction()]
        while self.at_word("or"):
            self.position += 1
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def conjunction(self) -> Node:
        parts = [self.negation()]
        while self.at_word("and"):
            self.position += 1
            parts.append(self.negation())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def negation(self) -> Node:
        if self.at_word("not"):
            self.position += 1
            return Not(self.negation())
        if self.at("("):
            self.position += 1
            inner = self.disjunction()
            self.expect(")")
            return inner
        return self.comparison()

    def operator(self) -> str:
        token = self.next()
        word = token.text.lower()
        if token.kind == "s":
            self.position -= 1
            raise self.error()
        if word == "is" and self.at_word("not"):
            self.position += 1
            return "!="
        if word == "not" and self.at_word("in", "like"):
            return f"not_{self.word().lower()}"
        if word not in _OPERATORS:
            self.position -= 1
            raise self.error()
        return _OPERATORS[word]

    def comparison(self) -> Node:
        path = self.path()
        operator = self.operator()
        if operator == "any":
            self.expect("(")
            condition = None if self.at(")") else self.disjunction()
            self.expect(")")
            return Quantified(path, condition)
        if operator in ("in", "not_in"):
            return self.within(path, operator == "not_in")
        value = self.value()
        if value.index < 0 and value.word.lower() in _NONE:
            if operator not in ("=", "!="):
                raise self.error(f"none cannot be compared with {operator}")
            return Compare(path, operator, None)
        return Compare(path, operator, value)

    def within(self, path: Path, negated: bool) -> Node:
        self.expect("(")
        if self.at_word("select"):
            query = self.select()
            self.expect(")")
            return Within(path, (), query, negated)
        values: list[Literal] = []
        while not self.at(")"):
            values.append(self.value())
            if not self.at(","):
                break
            self.position += 1
        self.expect(")")
        return Within(path, tuple(values), None, negated)

    def value(self) -> Literal:
        token = self.next()
        if token.kind == "s":
            return Literal(int(token.text))
        if token.kind == "w":
            return Literal(-1, token.text)
        self.position -= 1
        raise self.error()
