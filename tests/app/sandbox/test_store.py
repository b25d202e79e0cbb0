"""The store: an index behind every look-up, dense custom values, snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from app.sandbox.query.results import Queries
from app.sandbox.query.syntax import parse, tokenize
from app.sandbox.schema import Schema
from app.sandbox.store import OtherVersion, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "site.db", Schema())
    yield opened
    opened.close()


def plan(store: Store, expression: str) -> str:
    """How SQLite goes about a query."""
    queries = Queries(store.schema, lambda _connection, _entity, _name, rows: [None] * len(rows))
    tokens, values = tokenize(expression)
    compiled = queries.compile(parse(tokens, expression), expression)
    rows = store.select(f"EXPLAIN QUERY PLAN {compiled.sql}", [bind(values) for bind in compiled.binders])
    return "\n".join(str(row[3]) for row in rows)


def test_every_foreign_key_has_an_index(store: Store) -> None:
    indexed = {
        (table, column)
        for (table, name) in store.select("SELECT tbl_name, name FROM sqlite_schema WHERE type = 'index'")
        for (_, _, column) in store.select(f'PRAGMA index_info("{name}")')
    }
    for pairs in store.schema.foreign_keys.values():
        assert set(pairs) <= indexed


@pytest.mark.parametrize(
    "expression",
    [
        'Task where id is "x"',
        'Task where project.id is "x"',
        'Task where parent_id in ("x", "y")',
        'AssetVersion where asset.id is "x"',
        'User where username is "x"',
        'Note where parent_id is "x"',
        'ContextCustomAttributeValue where entity_id is "x"',
    ],
)
def test_common_queries_scan_no_large_table(store: Store, expression: str) -> None:
    scans = [line for line in plan(store, expression).splitlines() if line.startswith("SCAN")]
    assert [line for line in scans if line != "SCAN c"] == []


def test_reopening_finds_the_same_rows(tmp_path: Path) -> None:
    schema = Schema()
    first = Store(tmp_path / "a.db", schema)
    first.writer.execute('INSERT INTO "AssetType" (id, name) VALUES (?, ?)', ("1", "Upload"))
    first.close()
    second = Store(tmp_path / "a.db", schema)
    assert second.select('SELECT name FROM "AssetType"') == [("Upload",)]
    second.close()


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    schema = Schema()
    Store(tmp_path / "a.db", schema).close()
    other = apsw.Connection(str(tmp_path / "a.db"))
    other.execute("PRAGMA user_version = 1")
    other.close()
    with pytest.raises(OtherVersion, match="another version"):
        Store(tmp_path / "a.db", schema)


def test_a_snapshot_keeps_insertion_order(store: Store, tmp_path: Path) -> None:
    for number in (3, 1, 2):
        store.writer.execute('INSERT INTO "AssetType" (id, name) VALUES (?, ?)', (str(number), str(number)))
    store.writer.execute('DELETE FROM "AssetType" WHERE id = ?', ("1",))
    store.snapshot(tmp_path / "snapshot.db")
    store.writer.execute('DELETE FROM "AssetType"')
    store.restore(tmp_path / "snapshot.db")
    assert store.select('SELECT id FROM "AssetType" ORDER BY __n__') == [("3",), ("2",)]
