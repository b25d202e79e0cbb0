"""Rows -> encoded entities: one statement for the rows, one more for each relation level, never one a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import apsw

from app.sandbox.contract import ApiError
from app.sandbox.encoding import Encoder, encoder
from app.sandbox.query.compiler import Binder, Compiler, relatives
from app.sandbox.query.syntax import Path, Select, parse, parse_error, tokenize
from app.sandbox.schema import Attribute, EntityType, Kind, Link, Schema
from app.sandbox.store import LINK_TABLE, link_name

Tree = dict[str, "Tree"]
Entity = dict[str, Any]
Live = Callable[[apsw.Connection, EntityType, str, Sequence[dict[str, Any]]], list[Any]]
"""Makes values that no column holds: (connection, type, attribute, rows) -> a wire value for each row."""


@dataclass(slots=True)
class Relation:
    """A relation to load for rows of a shape."""

    attribute: Attribute
    target: EntityType
    tree: Tree
    column: int = -1
    """Where the row holds the other's id (references), else -1."""


@dataclass(slots=True)
class Shape:
    """How rows of one concrete type become entities."""

    plain: list[tuple[str, int]] = field(default_factory=list)
    encoded: list[tuple[str, int, Encoder]] = field(default_factory=list)
    live: list[str] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)


@dataclass(slots=True)
class Reading:
    """A statement's columns and what each concrete type makes of them. Column 0 is the concrete type."""

    entity: EntityType
    columns: list[str]
    shapes: dict[str, Shape]


@dataclass(slots=True)
class Plan:
    """A compiled query."""

    sql: str
    binders: list[Binder]
    reading: Reading | None
    keys: list[str]
    limit: int | None
    offset: int


class Queries:
    """Runs query expressions on a connection. Plans are kept by shape of the query.

    Attributes:
        live: makes what is not in the database (urls).
    """

    def __init__(self, schema: Schema, live: Live) -> None:
        self.schema = schema
        self.live = live
        self.plans: dict[object, Plan] = {}
        self.readings: dict[object, Reading] = {}

    def query(self, connection: apsw.Connection, expression: str) -> tuple[list[Entity], int | None]:
        """Run an expression.

        Returns:
            The encoded rows, and the offset of the next page (``None`` at the end, even when the page is full).

        Raises:
            ApiError: ``ParseError``.
        """
        tokens, values = tokenize(expression)
        plan = self.plans.get(tokens)
        if plan is None:
            try:
                plan = self.compile(parse(tokens, expression), expression)
            except RecursionError as error:
                raise parse_error(expression[:200], "it is nested too deeply") from error
            if len(self.plans) > 5_000:
                self.plans.clear()
            self.plans[tokens] = plan
        return self.run(connection, plan, values)

    def run(self, connection: apsw.Connection, plan: Plan, values: Sequence[str]) -> tuple[list[Entity], int | None]:
        """Run a compiled query with the quoted values it was written with."""
        try:
            rows = connection.execute(plan.sql, [bind(values) for bind in plan.binders]).fetchall()
        except apsw.SQLError as error:
            raise ApiError(
                "ParseError", f"Failed to parse: the query is too large or odd for the database ({error})"
            ) from error
        following = None
        if plan.limit is not None and len(rows) > plan.limit:
            del rows[plan.limit :]
            following = plan.offset + plan.limit
        if plan.reading is None:
            return [dict(zip(plan.keys, row, strict=True)) for row in rows], following
        return self.encode(connection, plan.reading, rows), following

    def compile(self, select: Select, expression: str) -> Plan:
        """Compile a parsed query."""
        compiler = Compiler(self.schema, expression)
        entity = compiler.entity(select.entity)
        if select.aggregates:
            return self.compile_aggregates(select, compiler, entity)
        tree: Tree = {}
        for path in select.projections:
            self.check_projection(compiler, entity, path)
            branch = tree
            for segment in path:
                branch = branch.setdefault(segment.name, {})
        reading = self.reading(entity, tree)
        columns = ", ".join(column.format(a="a") for column in reading.columns)
        sql = f'SELECT {columns} FROM "{entity.table}" a{compiler.where(select, entity, "a")}'
        if select.group:
            sql += f" GROUP BY {', '.join(compiler.value(path, entity, 'a') for path in select.group)}"
        sql += compiler.order(select, entity, "a") + _window(select)
        return Plan(sql, compiler.binders, reading, [], select.limit, select.offset)

    def check_projection(self, compiler: Compiler, entity: EntityType, path: Path) -> None:
        """Every step of a projected path must exist on the type or a sub-type."""
        for index, segment in enumerate(path):
            goes_on = index + 1 < len(path)
            attribute = compiler.attribute(entity, segment.name, goes_on)
            if goes_on:
                if not attribute.is_relation:
                    raise parse_error(compiler.expression, f"{segment.name!r} is not a relation")
                entity = compiler.entity(segment.cast or attribute.target)

    def compile_aggregates(self, select: Select, compiler: Compiler, entity: EntityType) -> Plan:
        """``select count(id) from Task group by status_id``: plain rows, the group's keys beside the figures."""
        columns: list[str] = []
        keys: list[str] = []
        for function, path in select.aggregates:
            columns.append(f"{function}({compiler.value(path, entity, 'a')})")
            keys.append(f"{function}_{'_'.join(segment.name for segment in path)}")
        groups = [compiler.value(path, entity, "a") for path in select.group]
        for path in [*select.projections, *select.group]:
            key = ".".join(segment.name for segment in path)
            if key not in keys:
                columns.append(compiler.value(path, entity, "a"))
                keys.append(key)
        sql = f'SELECT {", ".join(columns)} FROM "{entity.table}" a{compiler.where(select, entity, "a")}'
        if groups:
            sql += f" GROUP BY {', '.join(groups)}"
        if select.order:
            sql += compiler.order(select, entity, "a")
        return Plan(sql + _window(select), compiler.binders, None, keys, select.limit, select.offset)

    def reading(self, entity: EntityType, tree: Tree) -> Reading:
        """Columns and shapes that serve a projection tree on a type."""
        key = (entity.name, json.dumps(tree))
        found = self.readings.get(key)
        if found is not None:
            return found
        if entity.table == entity.root and self.schema.is_mixed(entity.root):
            types = [self.schema[name] for name in entity.concrete]
            columns = ['{a}."__type__"']
        else:
            types = [entity]
            columns = [f"'{entity.name}'"]
        indexes: dict[str, int] = {}

        def column(sql: str) -> int:
            if sql not in indexes:
                indexes[sql] = len(columns)
                columns.append(sql)
            return indexes[sql]

        shapes = {concrete.name: self.shape(concrete, tree, column) for concrete in types}
        made = Reading(entity, columns, shapes)
        self.readings[key] = made
        return made

    def shape(self, entity: EntityType, tree: Tree, column: Callable[[str], int]) -> Shape:
        """How one concrete type serves a projection tree."""
        shape = Shape()
        for name in dict.fromkeys([*entity.primary_key, *entity.system, *tree]):
            attribute = entity.attributes.get(name)
            if attribute is None:
                continue
            if attribute.is_relation:
                target = self.schema[attribute.target]
                at = -1
                if attribute.kind is Kind.REFERENCE:
                    at = column(attribute.sql or "NULL")
                shape.relations.append(Relation(attribute, target, tree.get(name, {}), at))
            elif attribute.sql is None:
                shape.live.append(name)
            else:
                convert = encoder(attribute)
                at = column(attribute.sql)
                if convert is None:
                    shape.plain.append((name, at))
                else:
                    shape.encoded.append((name, at, convert))
        return shape

    def encode(self, connection: apsw.Connection, reading: Reading, rows: Sequence[tuple[Any, ...]]) -> list[Entity]:
        """Encode the rows of a statement, relations included."""
        shapes = reading.shapes
        entities: list[Entity] = []
        by_shape: dict[str, list[tuple[Entity, tuple[Any, ...]]]] = {}
        for row in rows:
            kind = row[0]
            shape = shapes[kind]
            entity: Entity = {"__entity_type__": kind}
            for name, at in shape.plain:
                entity[name] = row[at]
            for name, at, convert in shape.encoded:
                entity[name] = convert(row[at])
            entities.append(entity)
            if shape.relations or shape.live:
                by_shape.setdefault(kind, []).append((entity, row))
        for kind, members in by_shape.items():
            shape = shapes[kind]
            if shape.live:
                self.add_live(connection, self.schema[kind], shape, members)
            for relation in shape.relations:
                if relation.column >= 0:
                    self.add_references(connection, relation, members)
                else:
                    self.add_collections(connection, self.schema[kind], relation, members)
        return entities

    def add_live(
        self,
        connection: apsw.Connection,
        entity_type: EntityType,
        shape: Shape,
        members: Sequence[tuple[Entity, tuple[Any, ...]]],
    ) -> None:
        """Values that only the server can make."""
        key = entity_type.primary_key[0]
        ids = [entity[key] for entity, _ in members]
        cursor = connection.execute(
            f'SELECT * FROM "{entity_type.root}" WHERE "{key}" IN (SELECT value FROM json_each(?))',
            (json.dumps(ids),),
        )
        rows = {}
        description: list[str] = []
        for values in cursor:
            description = description or [column[0] for column in cursor.get_description()]
            row = dict(zip(description, values, strict=True))
            rows[row[key]] = row
        ordered = [rows.get(entity[key], {}) for entity, _ in members]
        for name in shape.live:
            made = self.live(connection, entity_type, name, ordered)
            for (entity, _), value in zip(members, made, strict=True):
                entity[name] = value

    def add_references(
        self,
        connection: apsw.Connection,
        relation: Relation,
        members: Sequence[tuple[Entity, tuple[Any, ...]]],
    ) -> None:
        """Load the entities a reference points at and put them in."""
        ids = {row[relation.column] for _, row in members}
        ids.discard(None)
        found = self.load(connection, relation.target, relation.tree, ids) if ids else {}
        name, column = relation.attribute.name, relation.column
        for entity, row in members:
            entity[name] = found.get(row[column])

    def load(
        self, connection: apsw.Connection, target: EntityType, tree: Tree, ids: Iterable[Any]
    ) -> dict[Any, Entity]:
        """Entities by id."""
        root = self.schema[target.root] if target.table == target.root and target.root in self.schema.types else target
        reading = self.reading(root, tree)
        key = target.primary_key[0]
        columns = ", ".join(column.format(a="a") for column in reading.columns)
        rows = connection.execute(
            f'SELECT {columns} FROM "{target.table}" a WHERE a."{key}" IN (SELECT value FROM json_each(?))',
            (json.dumps(list(ids)),),
        ).fetchall()
        return {entity[key]: entity for entity in self.encode(connection, reading, rows)}

    def add_collections(
        self,
        connection: apsw.Connection,
        owner: EntityType,
        relation: Relation,
        members: Sequence[tuple[Entity, tuple[Any, ...]]],
    ) -> None:
        """Load the entities a collection holds and put the lists in."""
        attribute, target, tree = relation.attribute, relation.target, relation.tree
        name = attribute.name
        if "key" in target.attributes and attribute.kind == "mapped":
            tree = {"key": {}, "value": {}, **tree}
        lists: dict[str, list[Entity]] = {}
        for entity, _ in members:
            entity[name] = lists.setdefault(entity[owner.primary_key[0]], [])
        source = _collection_source(attribute, owner)
        if source is None:
            return
        root = self.schema[target.root] if target.table == target.root and target.root in self.schema.types else target
        reading = self.reading(root, tree)
        columns = ", ".join(column.format(a="a") for column in reading.columns)
        rows = connection.execute(
            f"SELECT {columns}, {source[0]} FROM {source[1].format(table=target.table)} ORDER BY a.__n__",
            (json.dumps(list(lists)),),
        ).fetchall()
        for entity, row in zip(self.encode(connection, reading, rows), rows, strict=True):
            lists[str(row[-1])].append(entity)


def _collection_source(attribute: Attribute, owner: EntityType) -> tuple[str, str] | None:
    """(the owner's id, FROM ... WHERE) of a collection's rows; the parameter is a JSON list of owners."""
    wanted = "IN (SELECT value FROM json_each(?))"
    match attribute.link:
        case Link.TARGET:
            extra = f""" AND a."{attribute.where[0]}" = '{attribute.where[1]}'""" if attribute.where else ""
            column = f'a."{attribute.target_column}"'
            return column, f'"{{table}}" a WHERE {column} {wanted}{extra}'
        case Link.THROUGH:
            join = f'a."id" = l."{attribute.other_column}"'
            column = f'l."{attribute.target_column}"'
            return column, f'"{attribute.through}" l JOIN "{{table}}" a ON {join} WHERE {column} {wanted}'
        case Link.TABLE:
            name = link_name(owner.root, attribute.name)
            return (
                "l.own_id",
                (
                    f'"{LINK_TABLE}" l JOIN "{{table}}" a ON a."id" = l.other_id'
                    f" WHERE l.name = '{name}' AND l.own_id {wanted}"
                ),
            )
        case Link.DERIVED:
            inner = relatives(attribute.name, owner.root, "o")
            return "o.id", f'"{owner.root}" o JOIN "{{table}}" a ON a."id" IN ({inner}) WHERE o.id {wanted}'
        case _:
            return None


def _window(select: Select) -> str:
    """LIMIT with one row more than asked, which tells whether there is a next page."""
    if select.limit is None:
        return f" LIMIT -1 OFFSET {select.offset}" if select.offset else ""
    return f" LIMIT {select.limit + 1} OFFSET {select.offset}"


def require_entity(schema: Schema, name: object) -> EntityType:
    """The type of an operation.

    Raises:
        ApiError: ``ValidationError`` for an unknown one.
    """
    entity = schema.get(name) if isinstance(name, str) else None
    if entity is None:
        raise ApiError("ValidationError", f"There is no entity type {name!r}.")
    return entity
