"""The site's rows in one SQLite file: tables from the schema, an index on every foreign key, views of custom values.

Every table has ``__n__`` (insertion order: the stable default order of queries) and, where relatives share it,
``__type__``. One connection writes, one reads what is committed; WAL lets both go on at once.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw

from app.sandbox.contract import Value
from app.sandbox.encoding import Encoder, encoder
from app.sandbox.schema import VALUE_OWNERS, VALUE_ROOT, EntityType, Link, Schema

LINK_TABLE = "__link__"
RAW_VALUES = "__custom_value__"

# Columns that carry no declared foreign key and are looked up by all the same.
EXTRA_INDEXES = {
    "Metadata": ["parent_id"],
    "Note": ["parent_id"],
    "ListObject": ["entity_id"],
    "StatusChange": ["parent_id"],
    "Event": ["parent_id"],
    "EntitySetting": ["parent_id"],
    "CustomConfigurationBase": ["key", "object_type_id", "project_id"],
    "Context": ["name"],
    "Resource": ["username"],
    "Component": ["name"],
}

_SQL_TYPES = {"integer": "INTEGER", "boolean": "INTEGER", "number": "REAL"}


class OtherVersion(apsw.Error):
    """The file has other tables than this version makes. A site's rows are not migrated: start a fresh one."""


class Store:
    """One SQLite file. Use :attr:`writer` inside a batch, :attr:`reader` for what is committed."""

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path = path
        self.schema = schema
        self.lock = threading.RLock()
        self._inserts: dict[str, str] = {}
        self._encoders: dict[str, tuple[tuple[str, ...], tuple[tuple[str, Encoder], ...]]] = {}
        self._checked: dict[str, tuple[tuple[str, EntityType], ...]] = {}
        self._references: dict[tuple[str, str], tuple[str, ...]] = {}
        self.writer = self._open()
        is_new = not self.writer.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
        statements = _ddl(schema)
        version = zlib.crc32("\n".join(statements).encode()) & 0x7FFFFFFF
        if is_new:
            with self.writer:
                for statement in statements:
                    self.writer.execute(statement)
                self.writer.execute(f"PRAGMA user_version = {version}")
        elif self.writer.execute("PRAGMA user_version").fetchall() != [(version,)]:
            self.writer.close()
            raise OtherVersion(f"{path} was made by another version of the embedded site")
        self.reader = self._open()

    def _open(self) -> apsw.Connection:
        connection = apsw.Connection(str(self.path), statementcachesize=500)
        connection.set_busy_timeout(10_000)
        # A throw-away site: a power cut may cost the last batches, never the file's integrity (WAL).
        for pragma in ("journal_mode=WAL", "synchronous=OFF", "temp_store=MEMORY", "cache_size=-65536"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        return connection

    def snapshot(self, target: Path) -> None:
        """Write the committed state into a new file."""
        self.reader.execute("VACUUM INTO ?", (str(target),))

    def restore(self, source: Path) -> None:
        """Replace every row by those of a snapshot, in one transaction, keeping open connections valid."""
        with self.lock:
            self.writer.execute("ATTACH ? AS snapshot", (str(source),))
            try:
                with self.writer:
                    tables = self.writer.execute(
                        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
                    ).fetchall()
                    for (table,) in tables:
                        self.writer.execute(f'DELETE FROM main."{table}"')
                        self.writer.execute(f'INSERT INTO main."{table}" SELECT * FROM snapshot."{table}"')
            finally:
                self.writer.execute("DETACH snapshot")

    def select(self, sql: str, arguments: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """Rows of a statement over what is committed."""
        return self.reader.execute(sql, tuple(arguments)).fetchall()

    def insert_columns(self, entity: EntityType) -> str:
        """The INSERT statement of a type: its columns in order, then ``__type__`` where relatives share the table."""
        sql = self._inserts.get(entity.name)
        if sql is None:
            names = [f'"{name}"' for name in entity.columns]
            if self.schema.is_mixed(entity.root):
                names.append('"__type__"')
            marks = ", ".join("?" * len(names))
            sql = self._inserts[entity.name] = f'INSERT INTO "{entity.root}" ({", ".join(names)}) VALUES ({marks})'
        return sql

    def references(self, entity: EntityType, column: str) -> tuple[str, ...]:
        """The relations a column stands for (``status_id``: ``status``)."""
        key = (entity.name, column)
        names = self._references.get(key)
        if names is None:
            names = self._references[key] = tuple(
                a.name for a in entity.attributes.values() if a.link is Link.COLUMN and a.column == column
            )
        return names

    def encoders(self, entity: EntityType) -> tuple[tuple[str, ...], tuple[tuple[str, Encoder], ...]]:
        """A type's visible columns: those that are wire values as they are, and those to be encoded."""
        made = self._encoders.get(entity.name)
        if made is None:
            shown = [a for a in entity.attributes.values() if a.stored]
            converted = [(a.name, encoder(a)) for a in shown]
            made = self._encoders[entity.name] = (
                tuple(name for name, convert in converted if convert is None),
                tuple((name, convert) for name, convert in converted if convert is not None),
            )
        return made

    def checked(self, entity: EntityType) -> tuple[tuple[str, EntityType], ...]:
        """A type's foreign keys with the types they must lead to."""
        made = self._checked.get(entity.name)
        if made is None:
            keys = [(a.name, self.schema.get(a.foreign)) for a in entity.attributes.values() if a.stored and a.foreign]
            made = self._checked[entity.name] = tuple(
                (name, target)
                for name, target in keys
                if target is not None and not target.is_value and target.primary_key == ("id",)
            )
        return made

    def close(self) -> None:
        """Close both connections."""
        self.reader.close()
        self.writer.close()


def _ddl(schema: Schema) -> list[str]:
    statements: list[str] = []
    for root, types in schema.roots.items():
        if root == VALUE_ROOT:
            continue
        columns: dict[str, str] = {}
        indexes = dict.fromkeys(EXTRA_INDEXES.get(root, ()))
        for entity in types:
            for attribute in entity.attributes.values():
                if not attribute.stored or attribute.name in columns:
                    continue
                columns[attribute.name] = _SQL_TYPES.get(attribute.data_type, "TEXT")
                if attribute.format == "integer":
                    columns[attribute.name] = "INTEGER"
                if attribute.foreign:
                    indexes[attribute.name] = None
        for name in schema.hidden.get(root, ()):
            columns[name] = "TEXT"
            indexes[name] = None
        primary = types[0].primary_key
        defined = [f'"{name}" {kind}' for name, kind in columns.items()]
        if schema.is_mixed(root):
            defined.insert(0, '"__type__" TEXT NOT NULL')
        if root == "CustomConfigurationBase":
            defined.append('"__default_text__"')
        key = ", ".join(f'"{name}"' for name in primary)
        statements.append(f'CREATE TABLE "{root}" ("__n__" INTEGER PRIMARY KEY, {", ".join(defined)}, UNIQUE ({key}))')
        for name in indexes:
            if primary[0] != name:
                # Most rows leave most keys empty; an equality test still uses a partial index.
                statements.append(f'CREATE INDEX "{root}.{name}" ON "{root}" ("{name}") WHERE "{name}" IS NOT NULL')
    statements.append(
        f'CREATE TABLE "{LINK_TABLE}" (name TEXT, own_id TEXT, other_id TEXT,'
        " PRIMARY KEY (name, own_id, other_id)) WITHOUT ROWID"
    )
    statements.append(f'CREATE INDEX "{LINK_TABLE}.other" ON "{LINK_TABLE}" (name, other_id)')
    statements.append('CREATE TABLE "__key__" (user_id TEXT PRIMARY KEY, secret TEXT NOT NULL)')
    statements.append('CREATE INDEX "Appointment.pair" ON "Appointment" (context_id, type)')
    statements.append('CREATE INDEX "StatusChange.date" ON "StatusChange" (date)')
    statements.append('CREATE UNIQUE INDEX "Resource.unique" ON "Resource" (username) WHERE username IS NOT NULL')
    statements.append('CREATE UNIQUE INDEX "Location.unique" ON "Location" (name)')
    statements.append('CREATE UNIQUE INDEX "Timer.unique" ON "Timer" (user_id)')
    statements.append("""CREATE UNIQUE INDEX "Context.unique" ON "Context" (name) WHERE "__type__" = 'Project'""")
    statements.extend(_value_ddl(schema))
    return statements


def _value_ddl(schema: Schema) -> list[str]:
    """Custom values are dense: a view pairs every entity with every configuration that applies to it."""
    statements = [
        (
            f'CREATE TABLE "{RAW_VALUES}" (configuration_id TEXT, entity_id TEXT, value TEXT, text,'
            " PRIMARY KEY (configuration_id, entity_id)) WITHOUT ROWID"
        ),
        f'CREATE INDEX "{RAW_VALUES}.entity" ON "{RAW_VALUES}" (entity_id)',
    ]
    applies = {
        "Context": (
            "(c.is_hierarchical = 1 OR (c.entity_type = 'task' AND c.object_type_id = e.object_type_id)"
            " OR (c.entity_type = 'show' AND e.__type__ = 'Project'))"
        ),
        "AssetVersion": "(c.entity_type = 'assetversion' OR c.is_hierarchical = 1)",
        "Asset": "(c.entity_type = 'asset' OR c.is_hierarchical = 1)",
        "List": "c.entity_type = 'list'",
        "ListObject": "c.entity_type = 'listobject'",
        "Resource": "(c.entity_type = 'user' AND e.__type__ = 'User')",
    }
    for name, root in VALUE_OWNERS.items():
        columns = schema[schema.roots[root][0].name].columns
        scope = "AND (c.project_id IS NULL OR c.project_id = e.project_id)" if "project_id" in columns else ""
        if root == "Context":
            scope = "AND (c.project_id IS NULL OR c.project_id = e.project_id)"
        project = "e.project_id" if scope else "NULL"
        statements.append(
            f'CREATE VIEW "{name}" AS SELECT c.__n__ AS __n__, c.id AS configuration_id, e.id AS entity_id,'
            f" c.key AS key, {project} AS project_id,"
            ' CASE WHEN v.entity_id IS NOT NULL THEN v.value WHEN c.is_hierarchical = 1 THEN NULL ELSE c."default" END'
            " AS value, CASE WHEN v.entity_id IS NOT NULL THEN v.text WHEN c.is_hierarchical = 1 THEN NULL"
            " ELSE c.__default_text__ END AS __text__"
            f' FROM "{root}" e JOIN "CustomConfigurationBase" c ON'
            f" (c.__type__ = 'CustomAttributeConfiguration' AND {applies[root]} {scope})"
            f' LEFT JOIN "{RAW_VALUES}" v ON v.configuration_id = c.id AND v.entity_id = e.id'
        )
    union = " UNION ALL ".join(
        f"SELECT __n__, configuration_id, entity_id, key, project_id, value, __text__, '{name}' AS __type__"
        f' FROM "{name}"'
        for name in VALUE_OWNERS
    )
    statements.append(f'CREATE VIEW "{VALUE_ROOT}" AS {union}')
    return statements


def link_name(root: str, attribute: str) -> str:
    """The name of a link without a visible type: relatives share it (``Task.scopes`` is ``Context.scopes``)."""
    return f"{root}.{attribute}"
