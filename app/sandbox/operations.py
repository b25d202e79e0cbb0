"""Create, update and delete: one transaction a batch, what each answer echoes, what each batch changed.

A :class:`BatchRun` is one open transaction. The server's own part (defaults, derived rows) is in
:mod:`app.sandbox.owned`, which works through the same methods.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import apsw

from app.sandbox import owned
from app.sandbox.contract import ApiError, Commit, EntityChange, Identity, Json, ParentLink, Value
from app.sandbox.encoding import custom_text, custom_value, encoder, stamp, to_column
from app.sandbox.query.results import Queries, require_entity
from app.sandbox.schema import VALUE_OWNERS, Attribute, EntityType, Kind, Link, Schema
from app.sandbox.store import LINK_TABLE, RAW_VALUES, Store, link_name

MutableRow = dict[str, Any]
_UNIQUE = re.compile(r"UNIQUE constraint failed: (.*)")


@dataclass(slots=True)
class Pending:
    """What a batch did to one entity so far."""

    action: str
    entity_type: str
    entity_id: str
    row: MutableRow
    old: MutableRow = field(default_factory=dict)
    new: MutableRow = field(default_factory=dict)
    custom: dict[str, tuple[Json, Json]] = field(default_factory=dict)
    parents: tuple[ParentLink, ...] | None = None


class RowReader:
    """Reads rows, chains and queries over one connection."""

    def __init__(self, store: Store, queries: Queries, connection: apsw.Connection) -> None:
        self.store = store
        self.schema: Schema = store.schema
        self.queries = queries
        self.connection = connection

    def select(self, sql: str, arguments: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """Rows of a plain SQL statement."""
        return self.connection.execute(sql, tuple(arguments)).fetchall()

    def query(self, expression: str) -> list[dict[str, Json]]:
        """Rows of an ftrack query, encoded."""
        return self.queries.query(self.connection, expression)[0]

    def row(self, entity_type: str, entity_id: str) -> MutableRow | None:
        """Columns of an entity with ``__type__``; any relative of its type finds it."""
        entity = self.schema[entity_type]
        where = " AND ".join(f'"{name}" = ?' for name in entity.primary_key)
        cursor = self.connection.execute(f'SELECT * FROM "{entity.table}" WHERE {where}', split_key(entity, entity_id))
        for values in cursor:
            row = dict(zip((column[0] for column in cursor.get_description()), values, strict=True))
            row.setdefault("__type__", entity_type)
            return row
        return None

    def parents_chain(self, entity_type: str, entity_id: str) -> tuple[ParentLink, ...]:
        """Self first, the project last."""
        return chain(self, entity_type, entity_id, {})


def split_key(entity: EntityType, entity_id: str) -> tuple[str, ...]:
    """The parts of a primary key that is written as one text."""
    if len(entity.primary_key) == 1:
        return (entity_id,)
    parts = entity_id.split(",", len(entity.primary_key) - 1)
    return (*parts, *[""] * (len(entity.primary_key) - len(parts)))


def chain(
    reader: RowReader, entity_type: str, entity_id: str, known: dict[str, tuple[ParentLink, ...]]
) -> tuple[ParentLink, ...]:
    """Follow parents upwards; ``known`` keeps chains between calls of one batch."""
    found = known.get(entity_id)
    if found is not None:
        return found
    row = reader.row(entity_type, entity_id)
    if row is None:
        return ()
    return chain_of_row(reader, row["__type__"], entity_id, row, known)


def chain_of_row(
    reader: RowReader, entity_type: str, entity_id: str, row: MutableRow, known: dict[str, tuple[ParentLink, ...]]
) -> tuple[ParentLink, ...]:
    """The chain of a row at hand."""
    parent = owned.parent_of(reader.schema, reader.schema[entity_type], row)
    above: tuple[ParentLink, ...] = ()
    if parent is not None and parent[1] != entity_id:
        above = chain(reader, parent[0], parent[1], known)
    link = ParentLink(entity_id, entity_type, above[0].entity_id if above else None)
    made = (link, *above)
    known[entity_id] = made
    return made


class BatchRun(RowReader):
    """One open transaction of one user."""

    def __init__(self, store: Store, queries: Queries, workflows: owned.Workflows, identity: Identity, time: float):
        super().__init__(store, queries, store.writer)
        self.identity = identity
        self.time = time
        self.workflows = workflows
        self.stamp = stamp(time)
        self.rows: dict[tuple[str, str], MutableRow] = {}
        self.known: set[tuple[str, str]] = set()
        self.changes: dict[tuple[str, str], Pending] = {}
        self.chains: dict[str, tuple[ParentLink, ...]] = {}
        self.gone: set[tuple[str, str]] = set()

    def now(self) -> str:
        """The site's time as a column value."""
        return self.stamp

    def row(self, entity_type: str, entity_id: str) -> MutableRow | None:
        """As the batch left it so far."""
        key = (self.schema[entity_type].root, entity_id)
        cached = self.rows.get(key)
        if cached is None:
            cached = super().row(entity_type, entity_id)
            if cached is not None:
                self.rows[key] = cached
        return cached

    def require(self, entity_type: str, entity_id: str) -> MutableRow:
        """The row of an entity.

        Raises:
            ApiError: it is gone.
        """
        row = self.row(entity_type, entity_id)
        if row is None:
            raise ApiError("IntegrityError", f"There is no {entity_type} with the key {entity_id!r}.", status=404)
        return row

    # Create

    def create(self, entity_type: str, data: Mapping[str, Json]) -> dict[str, Json]:
        """Create an entity with everything the server adds to it; answers as the wire does."""
        entity = require_entity(self.schema, entity_type)
        if entity.is_value:
            raise ApiError(
                "ValidationError", f"{entity_type} cannot be created: update the value of the configuration instead."
            )
        if entity_type == "Metadata" and self.overwrite_metadata(data):
            return self.echo_update(entity, f"{data['parent_id']},{data['key']}", data)
        row: MutableRow = dict(entity.defaults)
        later: list[tuple[Attribute, Any]] = []
        for name, value in data.items():
            self.take(entity, row, name, value, later)
        self.fill_key(entity, row)
        entity = owned.before_create(self, entity, row)
        self.check_references(entity, row)
        self.insert(entity, row)
        entity_id = self.remember(entity, row)
        for attribute, value in later:
            self.set_collection(entity, entity_id, attribute, value)
        owned.after_create(self, entity, row)
        return self.echo_create(entity, entity_id, row, data)

    def take(
        self, entity: EntityType, row: MutableRow, name: str, value: Any, later: list[tuple[Attribute, Any]]
    ) -> None:
        """Put one attribute of a client's data where it belongs."""
        attribute = entity.attributes.get(name)
        if attribute is None:
            if name in entity.columns:
                row[name] = reference_id(value)
            elif name != "__entity_type__":
                raise ApiError("ValidationError", f"{entity.name} has no attribute {name!r}.")
        elif attribute.stored:
            row[name] = to_column(attribute, value)
        elif attribute.link is Link.COLUMN and attribute.column:
            row[attribute.column] = reference_id(value)
        elif attribute.is_relation and value is not None and attribute.link is not Link.DERIVED:
            later.append((attribute, value))

    def fill_key(self, entity: EntityType, row: MutableRow) -> None:
        """Make the id a client left to the server."""
        if entity.primary_key != ("id",) or row.get("id") is not None:
            return
        if entity.attributes["id"].data_type == "string":
            row["id"] = str(uuid.uuid4())
        else:
            row["id"] = self.select(f'SELECT coalesce(max(id), 0) + 1 FROM "{entity.root}"')[0][0]

    def overwrite_metadata(self, data: Mapping[str, Json]) -> bool:
        """Metadata is a mapping: setting a key that another session has made meanwhile sets its value."""
        key = f"{data.get('parent_id')},{data.get('key')}"
        if self.row("Metadata", key) is None:
            return False
        self.write(self.schema["Metadata"], key, {"value": data.get("value")})
        return True

    def check_references(self, entity: EntityType, row: Mapping[str, Any]) -> None:
        """A foreign key must lead somewhere.

        Raises:
            ApiError: ``IntegrityError``.
        """
        for name, target in self.store.checked(entity):
            value = row.get(name)
            if value is None or value == row.get("id"):
                continue
            key = (target.root, value)
            if key in self.known:
                continue
            if self.row(target.name, value) is None:
                raise ApiError(
                    "IntegrityError", f"{entity.name}.{name} refers to a {target.name} that does not exist: {value!r}."
                )
            self.known.add(key)

    def insert(self, entity: EntityType, row: MutableRow) -> None:
        """Insert a row.

        Raises:
            ApiError: ``DuplicateEntryError`` when a unique key is taken.
        """
        columns = entity.columns
        values: list[Any] = [row.get(name) for name in columns]
        names = self.store.insert_columns(entity)
        if self.schema.is_mixed(entity.root):
            values.append(entity.name)
            row["__type__"] = entity.name
        try:
            self.connection.execute(names, values)
        except apsw.ConstraintError as error:
            raise duplicate(entity, error) from error
        for name in columns:
            row.setdefault(name, None)
        row.setdefault("__type__", entity.name)

    def remember(self, entity: EntityType, row: MutableRow) -> str:
        """Note an added row; returns its key as one text."""
        entity_id = ",".join(str(row[name]) for name in entity.primary_key)
        key = (entity.root, entity_id)
        self.rows[key] = row
        self.known.add(key)
        self.changes[key] = Pending("add", entity.name, entity_id, row)
        return entity_id

    # Update

    def update(self, entity_type: str, entity_id: str, data: Mapping[str, Json]) -> dict[str, Json]:
        """Update an entity; answers its key, system projections and what was changed, both halves of relations."""
        entity = require_entity(self.schema, entity_type)
        if entity.is_value:
            return self.set_custom(entity, entity_id, data.get("value"))
        row = self.require(entity_type, entity_id)
        entity = self.schema[row["__type__"]]
        new: MutableRow = {}
        later: list[tuple[Attribute, Any]] = []
        for name, value in data.items():
            if name not in entity.primary_key:
                self.take(entity, new, name, value, later)
        self.check_references(entity, new)
        self.write(entity, entity_id, new)
        for attribute, value in later:
            self.set_collection(entity, entity_id, attribute, value)
        return self.echo_update(entity, entity_id, data)

    def write(self, entity: EntityType, entity_id: str, values: Mapping[str, Any]) -> None:
        """Write columns of a row and what follows from them. Values that do not change are no change."""
        row = self.require(entity.name, entity_id)
        entity = self.schema[row["__type__"]]
        changed = {name: value for name, value in values.items() if row.get(name) != value}
        if not changed:
            return
        changed = owned.before_update(self, entity, row, changed)
        key_values = [row[name] for name in entity.primary_key]
        assignments = ", ".join(f'"{name}" = ?' for name in changed)
        where = " AND ".join(f'"{name}" = ?' for name in entity.primary_key)
        try:
            self.connection.execute(
                f'UPDATE "{entity.root}" SET {assignments} WHERE {where}', [*changed.values(), *key_values]
            )
        except apsw.ConstraintError as error:
            raise duplicate(entity, error) from error
        old = {name: row.get(name) for name in changed}
        row.update(changed)
        self.note_change(entity, entity_id, row, old, changed)
        owned.after_update(self, entity, row, old, changed)

    def note_change(
        self, entity: EntityType, entity_id: str, row: MutableRow, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> None:
        """Add to what this batch did to an entity."""
        pending = self.pending(entity, entity_id, row)
        if "parent_id" in new and entity.root == "Context":
            self.chains.clear()
            if pending.action == "update":
                pending.action = "move"
        if pending.action != "add":
            for name, value in new.items():
                pending.old.setdefault(name, old[name])
                pending.new[name] = value

    def pending(self, entity: EntityType, entity_id: str, row: MutableRow) -> Pending:
        """The record of what this batch did to an entity, made when there is none."""
        key = (entity.root, entity_id)
        found = self.changes.get(key)
        if found is None:
            found = self.changes[key] = Pending("update", entity.name, entity_id, row)
        return found

    def set_custom(self, entity: EntityType, entity_id: str, value: Json) -> dict[str, Json]:
        """Write one custom attribute value (the configuration must apply to the entity).

        Raises:
            ApiError: ``ValidationError`` when it does not apply or the value has the wrong type.
        """
        configuration_id, _, owner_id = entity_id.partition(",")
        found = self.connection.execute(
            f'SELECT v.value, v.key, t.name FROM "{entity.table}" v JOIN "CustomConfigurationBase" c'
            ' ON c.id = v.configuration_id LEFT JOIN "CustomAttributeType" t ON t.id = c.type_id'
            " WHERE v.configuration_id = ? AND v.entity_id = ?",
            (configuration_id, owner_id),
        ).fetchone()
        if found is None:
            raise ApiError(
                "ValidationError",
                f"The custom attribute configuration {configuration_id!r} does not apply to the entity {owner_id!r}.",
            )
        before, key, type_name = found
        stored = custom_value(key, type_name or "text", value)
        self.connection.execute(
            f'INSERT INTO "{RAW_VALUES}" VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE'
            " SET value = excluded.value, text = excluded.text",
            (configuration_id, owner_id, None if stored is None else json.dumps(stored), custom_text(stored)),
        )
        old = None if before is None else json.loads(before)
        owner = self.schema[VALUE_OWNERS.get(entity.name, "Context")]
        row = self.require(owner.name, owner_id)
        if old != stored:
            pending = self.pending(self.schema[row["__type__"]], owner_id, row)
            first = pending.custom.get(key)
            pending.custom[key] = (first[0] if first else old, stored)
        return {
            "__entity_type__": entity.name,
            "configuration_id": configuration_id,
            "entity_id": owner_id,
            "key": key,
            "value": value,
        }

    # Delete

    def delete(self, entity_type: str, entity_id: str) -> None:
        """Delete an entity with everything that hangs on it.

        Raises:
            ApiError: it is gone, or something that must not vanish refers to it.
        """
        entity = require_entity(self.schema, entity_type)
        if entity.is_value:
            raise ApiError("ValidationError", f"{entity_type} cannot be deleted.")
        if (entity.root, entity_id) in self.gone:
            # A client takes a member out of a collection and deletes it in the same batch.
            return
        row = self.require(entity_type, entity_id)
        owned.delete(self, self.schema[row["__type__"]], entity_id)

    def remove_row(self, entity: EntityType, entity_id: str, parents: tuple[ParentLink, ...]) -> None:
        """Take one row out and note it. What hangs on it is the caller's care."""
        row = self.require(entity.name, entity_id)
        where = " AND ".join(f'"{name}" = ?' for name in entity.primary_key)
        self.connection.execute(
            f'DELETE FROM "{entity.root}" WHERE {where}', [row[name] for name in entity.primary_key]
        )
        key = (entity.root, entity_id)
        self.rows.pop(key, None)
        self.known.discard(key)
        self.gone.add(key)
        before = self.changes.pop(key, None)
        if before is not None and before.action == "add":
            return
        self.changes[key] = Pending("remove", entity.name, entity_id, row, old=dict(row), parents=parents)

    # Collections

    def set_collection(self, entity: EntityType, entity_id: str, attribute: Attribute, value: Json) -> None:
        """Make a collection hold exactly what a client sent."""
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise ApiError("ValidationError", f"{entity.name}.{attribute.name} must be a list of entities.")
        target = self.schema[attribute.target]
        if target.is_value:
            for item in value:
                if "value" in item and "configuration_id" in item:
                    self.set_custom(target, f"{item['configuration_id']},{entity_id}", item["value"])
        elif attribute.link is Link.TARGET:
            self.set_children(entity_id, attribute, target, value)
        elif attribute.link is Link.THROUGH:
            self.set_through(entity_id, attribute, [str(reference_id(item)) for item in value])
        elif attribute.link is Link.TABLE:
            name = link_name(entity.root, attribute.name)
            self.connection.execute(f'DELETE FROM "{LINK_TABLE}" WHERE name = ? AND own_id = ?', (name, entity_id))
            self.connection.executemany(
                f'INSERT OR IGNORE INTO "{LINK_TABLE}" VALUES (?, ?, ?)',
                [(name, entity_id, reference_id(item)) for item in value],
            )
            self.pending(entity, entity_id, self.require(entity.name, entity_id))

    def set_children(self, owner_id: str, attribute: Attribute, target: EntityType, items: Sequence[Any]) -> None:
        """A collection through a column of its members."""
        column = attribute.target_column
        condition = f""" AND "{attribute.where[0]}" = '{attribute.where[1]}'""" if attribute.where else ""
        keys = ", ".join(f'"{name}"' for name in target.primary_key)
        rows = self.connection.execute(
            f'SELECT {keys} FROM "{target.root}" WHERE "{column}" = ?{condition}', (owner_id,)
        ).fetchall()
        present = {",".join(str(part) for part in row) for row in rows}
        wanted: set[str] = set()
        for item in items:
            member = dict(item)
            if column in target.primary_key:
                member[column] = owner_id
            item_id = ",".join(str(member.get(name)) for name in target.primary_key)
            wanted.add(item_id)
            if item_id in present:
                if attribute.kind is Kind.MAPPED and "value" in member:
                    self.write(target, item_id, {"value": member["value"]})
            elif column in target.primary_key:
                self.create(target.name, member)
            else:
                self.write(target, item_id, owned.adoption(self, attribute, owner_id))
        for item_id in present - wanted - owned.kept_members(self, attribute, owner_id):
            if column in target.primary_key or (target.root, column) in owned.OWNED_BY:
                self.delete(target.name, item_id)
            else:
                self.write(target, item_id, {column: None})

    def set_through(self, owner_id: str, attribute: Attribute, wanted: Sequence[str]) -> None:
        """A many to many with its own entity between."""
        through = self.schema[attribute.through]
        keys = ", ".join(f'"{name}"' for name in through.primary_key)
        rows = self.connection.execute(
            f'SELECT "{attribute.other_column}", {keys} FROM "{through.root}" WHERE "{attribute.target_column}" = ?',
            (owner_id,),
        ).fetchall()
        present = {str(row[0]): ",".join(str(part) for part in row[1:]) for row in rows}
        for other in dict.fromkeys(wanted):
            if other not in present:
                self.create(through.name, {attribute.target_column: owner_id, attribute.other_column: other})
        for other, link_id in present.items():
            if other not in wanted:
                self.delete(through.name, link_id)

    # Answers

    def echo_create(
        self, entity: EntityType, entity_id: str, row: MutableRow, data: Mapping[str, Json]
    ) -> dict[str, Json]:
        """All scalars that have a value, then what the client sent in its own words."""
        answer: dict[str, Json] = {"__entity_type__": entity.name}
        plain, encoded = self.store.encoders(entity)
        for name in plain:
            value = row[name]
            if value is not None:
                answer[name] = value
        for name, convert in encoded:
            value = row[name]
            if value is not None:
                answer[name] = convert(value)
        self.add_sent(entity, entity_id, answer, data)
        return answer

    def echo_update(self, entity: EntityType, entity_id: str, data: Mapping[str, Json]) -> dict[str, Json]:
        """Key, system projections and what was changed."""
        row = self.require(entity.name, entity_id)
        answer: dict[str, Json] = {"__entity_type__": entity.name}
        for name in (*entity.primary_key, *entity.system):
            attribute = entity.attributes[name]
            if attribute.stored:
                convert = encoder(attribute)
                answer[name] = convert(row[name]) if convert else row[name]
        self.add_sent(entity, entity_id, answer, data)
        return answer

    def add_sent(self, entity: EntityType, entity_id: str, answer: dict[str, Json], data: Mapping[str, Json]) -> None:
        """What was sent comes back as it was sent (microseconds too); relations come back with both halves."""
        row = self.rows[entity.root, entity_id]
        loaded: dict[str, Any] = {}
        for name, value in data.items():
            attribute = entity.attributes.get(name)
            if attribute is None:
                continue
            if attribute.stored:
                answer[name] = value
                if attribute.foreign:
                    self.add_reference(entity, answer, name, row)
            elif attribute.link is Link.COLUMN and attribute.column:
                answer[name] = value
                if attribute.column in entity.attributes:
                    answer[attribute.column] = row[attribute.column]
            elif attribute.is_relation:
                loaded[name] = {}
        if loaded:
            reading = self.queries.reading(entity, loaded)
            columns = ", ".join(column.format(a="a") for column in reading.columns)
            where = " AND ".join(f'a."{name}" = ?' for name in entity.primary_key)
            rows = self.select(f'SELECT {columns} FROM "{entity.table}" a WHERE {where}', split_key(entity, entity_id))
            answer.update(self.queries.encode(self.connection, reading, rows)[0])

    def add_reference(self, entity: EntityType, answer: dict[str, Json], column: str, row: MutableRow) -> None:
        """The relation half of a foreign key that was set."""
        for name in self.store.references(entity, column):
            target_id = row[column]
            if target_id is None:
                answer.setdefault(name, None)
                continue
            target = self.schema[entity.attributes[name].target]
            kind = target.name
            if self.schema.is_mixed(target.root):
                other = self.row(target.name, target_id)
                kind = other["__type__"] if other else kind
            answer.setdefault(name, {"__entity_type__": kind, target.primary_key[0]: target_id})

    # The end

    def commit_record(self) -> Commit:
        """What the batch changed, with parents as they are now (removed ones: as they were)."""
        changes: list[EntityChange] = []
        for pending in self.changes.values():
            if pending.action in ("update", "move") and not pending.new and not pending.custom:
                continue
            parents = pending.parents
            if parents is None:
                parents = chain_of_row(self, pending.entity_type, pending.entity_id, pending.row, self.chains)
            row = dict(pending.row)
            new = row if pending.action == "add" else pending.new
            changes.append(
                EntityChange(
                    pending.action,  # type: ignore[arg-type]
                    pending.entity_type,
                    pending.entity_id,
                    pending.old,
                    new,
                    row,
                    parents,
                    pending.custom,
                )
            )
        return Commit(self.identity, changes, self.time)


def reference_id(value: Any) -> str | None:
    """The id in a reference, which may also be the bare id or nothing.

    Raises:
        ApiError: ``ValidationError`` for anything else.
    """
    found = value.get("id") if isinstance(value, dict) else value
    if (found is None and isinstance(value, dict)) or not isinstance(found, str | None):
        raise ApiError("ValidationError", f"A reference needs an id: {value!r}.")
    return found


def duplicate(entity: EntityType, error: apsw.ConstraintError) -> ApiError:
    """A unique key that is taken, in the server's words."""
    found = _UNIQUE.search(str(error))
    if found is None:
        return ApiError("IntegrityError", f"{entity.name}: {error}")
    columns = found.group(1).replace(f"{entity.root}.", "")
    return ApiError("DuplicateEntryError", f"There already is a {entity.name} with this {columns}.", status=409)
