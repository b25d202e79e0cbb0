"""Syntax tree -> SQL. Conditions on relations become EXISTS sub-queries, which the planner may turn into joins."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.sandbox.contract import ApiError, Value
from app.sandbox.encoding import normal_datetime, parameter
from app.sandbox.query.syntax import (
    And,
    Compare,
    Literal,
    Node,
    Not,
    Or,
    Path,
    Quantified,
    Select,
    Within,
    parse_error,
)
from app.sandbox.schema import Attribute, EntityType, Link, Schema
from app.sandbox.store import LINK_TABLE, link_name

MANY_VALUES = 50
"""Lists longer than this are one JSON parameter."""

_BACKSLASH = re.compile(r"\\([\\%_])?")

Binder = Callable[[Sequence[str]], Value]
"""Makes one SQL parameter from the quoted values of a query."""


@dataclass(slots=True)
class Fragment:
    """SQL text with its parameters in order."""

    sql: str
    binders: list[Binder]


class Compiler:
    """Compiles the conditions and orders of one query."""

    def __init__(self, schema: Schema, expression: str) -> None:
        self.schema = schema
        self.expression = expression
        self.binders: list[Binder] = []
        self.aliases = 0

    def alias(self) -> str:
        """A fresh table alias."""
        self.aliases += 1
        return f"t{self.aliases}"

    def entity(self, name: str) -> EntityType:
        """The type of this name.

        Raises:
            ApiError: there is none.
        """
        entity = self.schema.get(name)
        if entity is None:
            raise parse_error(self.expression, f"there is no entity type {name!r}")
        return entity

    def attribute(self, entity: EntityType, name: str, wants_relation: bool = False) -> Attribute:
        """The attribute of a type or its sub-types.

        Raises:
            ApiError: there is none.
        """
        found = self.schema.resolve(entity, name, wants_relation)
        if found is None:
            raise parse_error(self.expression, f"{entity.name} has no attribute {name!r}")
        return found[1]

    def type_filter(self, entity: EntityType, alias: str) -> str:
        """A condition that keeps only rows of a type; empty when all rows of its table are."""
        if not self.schema.is_mixed(entity.root) or entity.table != entity.root:
            return ""
        if len(entity.concrete) == len(self.schema.roots[entity.root]):
            return ""
        names = ", ".join(f"'{name}'" for name in entity.concrete)
        return f'{alias}."__type__" IN ({names})'

    def condition(self, node: Node, entity: EntityType, alias: str) -> str:
        """SQL of a condition on a row of ``entity`` at ``alias``."""
        if isinstance(node, And):
            return joined(" AND ", [f"({self.condition(part, entity, alias)})" for part in node.parts])
        if isinstance(node, Or):
            return joined(" OR ", [f"({self.condition(part, entity, alias)})" for part in node.parts])
        if isinstance(node, Not):
            return f"NOT ({self.condition(node.part, entity, alias)})"
        return self.walk(node.path, node, entity, alias)

    def walk(self, path: Path, node: Compare | Within | Quantified, entity: EntityType, alias: str) -> str:
        """Follow a path; at its end the comparison is made."""
        head, rest = path[0], path[1:]
        attribute = self.attribute(entity, head.name, bool(rest) or isinstance(node, Quantified))
        if not rest and not isinstance(node, Quantified):
            return self.compare(attribute, node, alias)
        if not attribute.is_relation:
            raise parse_error(self.expression, f"{head.name!r} is not a relation")
        target = self.entity(head.cast or attribute.target)
        short = self.shortcut(attribute, rest, head.cast, node, target, alias)
        if short is not None:
            return short

        def inner(there: str) -> str:
            if rest:
                return self.walk(rest, node, target, there)
            if isinstance(node, Quantified) and node.condition is not None:
                return self.condition(node.condition, target, there)
            return ""

        return self.exists(attribute, entity, target, alias, inner)

    def shortcut(
        self,
        attribute: Attribute,
        rest: Path,
        cast: str | None,
        node: Compare | Within | Quantified,
        target: EntityType,
        alias: str,
    ) -> str | None:
        """``project.id is X`` needs no look at the project: its id is in this row's own column."""
        is_key = len(rest) == 1 and target.primary_key == (rest[0].name,)
        if not is_key or cast or attribute.link is not Link.COLUMN or isinstance(node, Quantified):
            return None
        return self.compare(attribute, node, alias)

    def exists(
        self,
        attribute: Attribute,
        entity: EntityType,
        target: EntityType,
        alias: str,
        inner: Callable[[str], str],
    ) -> str:
        """EXISTS over the rows a relation leads to."""
        there = self.alias()
        source = f'"{target.table}" {there}'
        match attribute.link:
            case Link.COLUMN:
                join = f'{there}."{target.primary_key[0]}" = {alias}."{attribute.column}"'
            case Link.TARGET:
                join = f'{there}."{attribute.target_column}" = {alias}."id"'
                if attribute.where:
                    join += f""" AND {there}."{attribute.where[0]}" = '{attribute.where[1]}'"""
            case Link.THROUGH:
                link = self.alias()
                source = f'"{attribute.through}" {link}, {source}'
                join = (
                    f'{link}."{attribute.target_column}" = {alias}."id"'
                    f' AND {there}."id" = {link}."{attribute.other_column}"'
                )
            case Link.TABLE:
                link = self.alias()
                source = f'"{LINK_TABLE}" {link}, {source}'
                join = (
                    f"{link}.name = '{link_name(entity.root, attribute.name)}' AND {link}.own_id = {alias}.\"id\""
                    f' AND {there}."id" = {link}.other_id'
                )
            case Link.DERIVED if attribute.sql is not None:
                join = f'{there}."id" = {attribute.sql.format(a=alias)}'
            case Link.DERIVED:
                join = f'{there}."id" IN ({relatives(attribute.name, entity.root, alias)})'
            case _:
                return "0"
        conditions = [join, self.type_filter(target, there), inner(there)]
        return f"EXISTS (SELECT 1 FROM {source} WHERE {' AND '.join(f'({c})' for c in conditions if c)})"

    def compare(self, attribute: Attribute, node: Compare | Within | Quantified, alias: str) -> str:
        """The comparison at the end of a path."""
        if attribute.is_relation and attribute.link not in (Link.COLUMN, Link.DERIVED):
            return self.compare_collection(attribute, node, alias)
        if attribute.sql is None:
            raise parse_error(self.expression, f"{attribute.name!r} cannot be used in a condition")
        left = attribute.sql.format(a=alias)
        if isinstance(node, Within):
            return self.within(attribute, node, left, alias)
        assert isinstance(node, Compare)
        if node.value is None:
            return f"{left} IS {'NOT ' if node.operator == '!=' else ''}NULL"
        if attribute.data_type == "variable":
            return self.compare_variable(node, attribute.comparable(alias))
        if node.operator in ("like", "not_like"):
            return self.like(node.operator, node.value, left)
        self.bind(node.value, lambda text: parameter(attribute, text))
        return f"{left} {node.operator} ?"

    def compare_collection(self, attribute: Attribute, node: Compare | Within | Quantified, alias: str) -> str:
        """A collection compared with none is empty or not; with anything else it is a mistake."""
        if isinstance(node, Compare) and node.value is None and attribute.link is Link.TARGET:
            target = self.entity(attribute.target)
            some = self.exists(attribute, target, target, alias, lambda _: "")
            return some if node.operator == "!=" else f"NOT {some}"
        raise parse_error(self.expression, f"use any (...) on the collection {attribute.name!r}")

    def within(self, attribute: Attribute, node: Within, left: str, alias: str) -> str:
        negation = "NOT " if node.negated else ""
        if node.query is not None:
            return f"{left} {negation}IN ({self.subquery(node.query)})"
        converts: tuple[Callable[[str], Value], ...] = (lambda text: parameter(attribute, text),)
        if attribute.data_type == "variable":
            left, converts = attribute.comparable(alias), (_variable, str)
        if len(node.values) > MANY_VALUES:
            self.binders.append(_list_binder(node.values, converts))
            return f"{left} {negation}IN (SELECT value FROM json_each(?))"
        for literal in node.values:
            for convert in converts:
                self.bind(literal, convert)
        return f"{left} {negation}IN ({', '.join('?' * len(node.values) * len(converts))})"

    def compare_variable(self, node: Compare, left: str) -> str:
        """A custom attribute value has the type of its configuration, so the word is tried as what it looks like."""
        assert node.value is not None
        if node.operator in ("like", "not_like"):
            return self.like(node.operator, node.value, left)
        if node.operator in ("=", "!="):
            self.bind(node.value, _variable)
            self.bind(node.value, str)
            test = f"{left} IN (?, ?)"
            return test if node.operator == "=" else f"NOT ({test})"
        self.bind(node.value, _variable)
        return f"{left} {node.operator} ?"

    def like(self, operator: str, value: Literal, left: str) -> str:
        """SQL's patterns: ``%``, ``_``, and a backslash that takes the meaning from either."""
        self.bind(value, _pattern)
        return f"{left} {'NOT ' if operator == 'not_like' else ''}LIKE ? ESCAPE '\\'"

    def bind(self, literal: Literal, convert: Callable[[str], Value]) -> None:
        """Add the next SQL parameter."""
        if literal.index < 0:
            constant = convert(literal.word)
            self.binders.append(lambda _: constant)
        else:
            index = literal.index
            self.binders.append(lambda values: convert(values[index]))

    def subquery(self, query: Select) -> str:
        """``in (select id from X where ...)``."""
        entity = self.entity(query.entity)
        if len(query.projections) != 1:
            raise parse_error(self.expression, "a nested query selects exactly one attribute")
        alias = self.alias()
        wanted = self.value(query.projections[0], entity, alias)
        sql = f'SELECT {wanted} FROM "{entity.table}" {alias}{self.where(query, entity, alias)}'
        if query.order or query.limit is not None:
            sql += self.order(query, entity, alias)
        if query.limit is not None:
            sql += f" LIMIT {query.limit} OFFSET {query.offset}"
        return sql

    def where(self, query: Select, entity: EntityType, alias: str) -> str:
        """The WHERE clause with a leading blank, or nothing."""
        parts = [self.type_filter(entity, alias)]
        if query.where is not None:
            parts.append(self.condition(query.where, entity, alias))
        wanted = [f"({part})" for part in parts if part]
        return f" WHERE {' AND '.join(wanted)}" if wanted else ""

    def order(self, query: Select, entity: EntityType, alias: str) -> str:
        """The ORDER BY clause; insertion order breaks ties, so that pages are stable."""
        keys: list[str] = []
        for path, descending in query.order:
            keys.append(f"{self.value(path, entity, alias)} {'DESC' if descending else 'ASC'}")
        return f" ORDER BY {', '.join([*keys, f'{alias}.__n__'])}"

    def value(self, path: Path, entity: EntityType, alias: str) -> str:
        """A scalar expression for a path over references (orders, groups, aggregates)."""
        head, rest = path[0], path[1:]
        attribute = self.attribute(entity, head.name, bool(rest))
        if head.name in ("link", "_link") and "name" in entity.attributes:
            # The last step of a link is the entity itself.
            attribute = entity.attributes["name"]
        if attribute.sql is None and not rest:
            raise parse_error(self.expression, f"{head.name!r} cannot be ordered or grouped by")
        if not rest:
            return attribute.comparable(alias)
        if attribute.link is not Link.COLUMN:
            raise parse_error(self.expression, f"{head.name!r} is not a single relation")
        target = self.entity(head.cast or attribute.target)
        there = self.alias()
        inner = self.value(rest, target, there)
        return (
            f'(SELECT {inner} FROM "{target.table}" {there}'
            f' WHERE {there}."{target.primary_key[0]}" = {alias}."{attribute.column}")'
        )


def joined(word: str, parts: Sequence[str]) -> str:
    """Conditions joined as a balanced tree: SQLite refuses a chain of more than a thousand."""
    if len(parts) <= 2:
        return word.join(parts)
    middle = len(parts) // 2
    return f"({joined(word, parts[:middle])}){word}({joined(word, parts[middle:])})"


def _list_binder(literals: Sequence[Literal], converts: Sequence[Callable[[str], Value]]) -> Binder:
    """One parameter for a long list: SQLite has a limit on their number."""

    def bind(values: Sequence[str]) -> Value:
        words = (values[literal.index] if literal.index >= 0 else literal.word for literal in literals)
        return json.dumps([convert(word) for word in words for convert in converts])

    return bind


def _pattern(text: str) -> Value:
    """A pattern in which every other backslash is one: SQLite refuses what its escape character does not expect."""
    return _BACKSLASH.sub(lambda found: found.group() if found.group(1) else "\\\\", text)


def _variable(text: str) -> Value:
    lowered = text.lower()
    if lowered in ("true", "false"):
        return int(lowered == "true")
    for convert in (float, normal_datetime):
        with contextlib.suppress(ValueError):
            return convert(text)
    return text


def relatives(name: str, root: str, alias: str) -> str:
    """Ids above (``ancestors``, without the project) or below (``descendants``) a row."""
    start = f'{alias}."context_id"' if root == "Asset" else f'{alias}."parent_id"'
    if name == "ancestors":
        return (
            f'WITH RECURSIVE up(id) AS (SELECT {start} UNION SELECT c.parent_id FROM "Context" c, up'
            " WHERE c.id = up.id AND c.parent_id IS NOT NULL)"
            " SELECT c.id FROM up JOIN \"Context\" c ON c.id = up.id WHERE c.__type__ <> 'Project'"
        )
    return (
        f'WITH RECURSIVE down(id) AS (SELECT c.id FROM "Context" c WHERE c.parent_id = {alias}."id"'
        ' UNION SELECT c.id FROM "Context" c, down WHERE c.parent_id = down.id) SELECT id FROM down'
    )


def unknown_action(name: object) -> ApiError:
    """An action the site does not know, in the server's own spelling, which clients look for."""
    return ApiError("Exception", f"Invalid action u'{name}'")
