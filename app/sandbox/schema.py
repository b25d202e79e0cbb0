"""The entity model: types, attributes, relations, and the schemas a client is sent.

The model comes from ``resources/sandbox/ftrack_schema.json`` (its sources and licences are named there). A *type* is a
wire schema (``Shot``); its *root* is the table all its relatives share (``Context``); a *concrete* type is what a row
says it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

RESOURCE = Path(__file__).resolve().parents[2] / "resources" / "sandbox" / "ftrack_schema.json"

VALUE_ROOT = "CustomAttributeValue"
VALUE_OWNERS = {
    "ContextCustomAttributeValue": "Context",
    "AssetVersionCustomAttributeValue": "AssetVersion",
    "AssetCustomAttributeValue": "Asset",
    "ListCustomAttributeValue": "List",
    "ListObjectCustomAttributeValue": "ListObject",
    "UserCustomAttributeValue": "Resource",
}
"""Value type -> root of the entities that carry it."""

# Attributes the server derives on every read. ``{a}`` is the row's table alias; None: made in Python from the row.
COMPUTED: dict[tuple[str, str], str | None] = {
    ("Context", "link"): None,
    ("Context", "_link"): None,
    ("Resource", "link"): None,
    ("AssetVersion", "link"): None,
    ("AssetVersion", "_link"): None,
    ("AssetVersion", "is_latest_version"): (
        '({a}."version" = (SELECT max(v."version") FROM "AssetVersion" v WHERE v."asset_id" = {a}."asset_id"))'
    ),
    ("Context", "time_logged"): (
        '(SELECT coalesce(sum(l."duration"), 0.0) FROM "Timelog" l WHERE l."context_id" = {a}."id")'
    ),
    ("Context", "bid_time_logged_difference"): (
        '(coalesce({a}."bid", 0.0) - (SELECT coalesce(sum(l."duration"), 0.0)'
        ' FROM "Timelog" l WHERE l."context_id" = {a}."id"))'
    ),
    ("Context", "thumbnail_source_id"): "NULL",
    ("Asset", "latest_version"): (
        '(SELECT v."id" FROM "AssetVersion" v WHERE v."asset_id" = {a}."id" ORDER BY v."version" DESC LIMIT 1)'
    ),
}
LIVE_NAMES = {"thumbnail_url", "url"}


class Kind(StrEnum):
    """What an attribute holds."""

    SCALAR = "scalar"
    REFERENCE = "reference"
    COLLECTION = "collection"
    MAPPED = "mapped"


class Link(StrEnum):
    """How a relation is stored."""

    COLUMN = "ref"
    TARGET = "fk"
    THROUGH = "m2m"
    TABLE = "link"
    DERIVED = "computed"
    NONE = "none"


@dataclass(frozen=True, slots=True, eq=False)
class Attribute:
    """One attribute of one type.

    Attributes:
        data_type: ``string``, ``boolean``, ``integer``, ``number``, ``variable``, ``object``; ``""`` for relations.
        format: ``date-time``, ``json``, ``integer`` or empty.
        sql: the expression that reads it (``{a}`` stands for the table alias), ``None`` when it has none.
        stored: whether the type's table has a column of this name.
        column: for a relation through a column: that column.
        target: the related type.
        target_column: for collections: the column of the target, or of the link type's own side.
        where: an extra condition on the target (``type = 'assignment'``).
        through, other_column: link type and its far column of a many to many.
    """

    name: str
    kind: Kind
    data_type: str = ""
    format: str = ""
    default: Any = None
    legacy: str | None = None
    foreign: str | None = None
    sql: str | None = None
    stored: bool = False
    link: Link = Link.NONE
    column: str | None = None
    target: str = ""
    target_column: str = ""
    where: tuple[str, str] | None = None
    through: str = ""
    other_column: str = ""
    restricted: bool = False
    raw: Any = None

    @property
    def is_relation(self) -> bool:
        """Whether a path may go on behind it."""
        return self.kind is not Kind.SCALAR

    def comparable(self, alias: str) -> str:
        """What conditions and orders compare: of structured values their text form, which has its own column."""
        if self.data_type == "variable":
            return f'{alias}."{"__text__" if self.name == "value" else "__default_text__"}"'
        assert self.sql is not None
        return self.sql.format(a=alias)


@dataclass(slots=True, eq=False)
class EntityType:
    """One wire schema.

    Attributes:
        root: the table shared with its relatives.
        table: what to read rows from (a view for custom attribute values).
        concrete: the types its rows may have, itself included.
        system: attribute names every answer carries besides the key.
    """

    name: str
    root: str
    table: str
    base: str | None
    legacy: Any
    primary_key: tuple[str, ...]
    attributes: dict[str, Attribute]
    system: tuple[str, ...]
    raw: dict[str, Any]
    concrete: tuple[str, ...] = ()
    defaults: tuple[tuple[str, Any], ...] = ()
    columns: tuple[str, ...] = ()

    @property
    def is_value(self) -> bool:
        """Whether it is a custom attribute value, which the server derives and nobody creates."""
        return self.root == VALUE_ROOT


class Schema:
    """All types of the site. Immutable after construction."""

    def __init__(self, path: Path = RESOURCE) -> None:
        document = json.loads(path.read_text(encoding="utf-8"))
        self.reference: dict[str, Any] = document["reference_values"]
        self.types: dict[str, EntityType] = {}
        for name, raw in document["types"].items():
            self.types[name] = _entity_type(name, raw)
        for entity in self.types.values():
            entity.concrete = tuple(other.name for other in self.types.values() if self._descends(other, entity.name))
        self.types[VALUE_ROOT].concrete = tuple(VALUE_OWNERS)
        self.hidden: dict[str, list[str]] = {}
        for entity in self.types.values():
            self._add_hidden(entity)
        self.object_types: dict[str, str] = {}
        for entity in self.types.values():
            if isinstance(entity.legacy, dict) and "object_typeid" in entity.legacy.get("classifiers", {}):
                self.object_types[entity.legacy["classifiers"]["object_typeid"]] = entity.name

    def _add_hidden(self, entity: EntityType) -> None:
        """Relations need columns that no attribute shows (``Status.state`` has no ``state_id`` on the wire)."""
        for attribute in entity.attributes.values():
            if attribute.link is Link.COLUMN:
                root, column = entity.root, attribute.column
            elif attribute.link is Link.TARGET:
                root, column = self.types[attribute.target].root, attribute.target_column
            else:
                continue
            known = {name for other in self.types.values() if other.root == root for name in other.columns}
            if column and column not in known:
                self.hidden.setdefault(root, []).append(column)
                for other in self.types.values():
                    if other.root == root:
                        other.columns = (*other.columns, column)

    def _descends(self, entity: EntityType, base: str) -> bool:
        step: EntityType | None = entity
        while step is not None:
            if step.name == base:
                return True
            step = self.types.get(step.base) if step.base else None
        return False

    def __getitem__(self, name: str) -> EntityType:
        return self.types[name]

    def get(self, name: str) -> EntityType | None:
        """The type of this name, or ``None``."""
        return self.types.get(name)

    @cached_property
    def roots(self) -> dict[str, list[EntityType]]:
        """Root -> its types."""
        found: dict[str, list[EntityType]] = {}
        for entity in self.types.values():
            found.setdefault(entity.root, []).append(entity)
        return found

    def is_mixed(self, root: str) -> bool:
        """Whether rows of this table say their own type in ``__type__``."""
        return len(self.roots[root]) > 1

    def resolve(
        self, entity: EntityType, name: str, wants_relation: bool = False
    ) -> tuple[EntityType, Attribute] | None:
        """Find an attribute on a type, else on what derives from it, else on a relative in the same table.

        Handlers filter relations typed as a base class by what only a sub-type has (``assignments any
        (resource.username = "x")``), and ftrack accepts it.

        Args:
            wants_relation: prefer a relation (the path goes on), since ``Project.status`` is a word and
                ``Task.status`` an entity.
        """
        own = entity.attributes.get(name)
        if own is not None:
            return entity, own
        found: tuple[EntityType, Attribute] | None = None
        candidates: Iterable[EntityType] = (self.types[other] for other in entity.concrete)
        for candidate in [*candidates, *self.roots[entity.root]]:
            attribute = candidate.attributes.get(name)
            if attribute is None:
                continue
            if attribute.is_relation == wants_relation:
                return candidate, attribute
            found = found or (candidate, attribute)
        return found

    @cached_property
    def foreign_keys(self) -> dict[str, list[tuple[str, str]]]:
        """Root -> (table, column) pairs that point at its rows, each once."""
        found: dict[str, dict[tuple[str, str], None]] = {}
        for entity in self.types.values():
            if entity.is_value:
                continue
            for attribute in entity.attributes.values():
                target = self.types.get(attribute.foreign) if attribute.foreign and attribute.stored else None
                if target is not None:
                    found.setdefault(target.root, {})[entity.root, attribute.name] = None
        return {root: list(pairs) for root, pairs in found.items()}

    @cached_property
    def wire(self) -> list[dict[str, Any]]:
        """The schemas as ``query_schemas`` answers them."""
        return [_wire(entity) for entity in self.types.values()]

    @cached_property
    def wire_text(self) -> str:
        """The same as JSON: the largest answer of every session's start."""
        return json.dumps(self.wire)

    @cached_property
    def hash(self) -> str:
        """MD5 of the schemas as a client computes it from its cache file: sorted keys, default separators."""
        return hashlib.md5(json.dumps(self.wire, sort_keys=True).encode("utf-8"), usedforsecurity=False).hexdigest()

    def legacy_name(self, entity_type: str, name: str) -> str:
        """The name events use for an attribute."""
        entity = self.types.get(entity_type)
        attribute = entity.attributes.get(name) if entity else None
        return attribute.legacy if attribute is not None and attribute.legacy else name

    def event_type(self, entity_type: str) -> str:
        """The table name events use for a type: ``Shot`` is ``task``, ``Project`` is ``show``."""
        entity = self.types[entity_type]
        if entity.root == "Component":
            return "component"
        legacy = entity.legacy
        while isinstance(legacy, dict):
            legacy = legacy.get("id")
        return str(legacy or entity_type).lower()


def _entity_type(name: str, raw: dict[str, Any]) -> EntityType:
    root = raw["storage_root"]
    attributes = {key: _attribute(root, key, value) for key, value in raw["attributes"].items()}
    by_legacy = {attribute.legacy: attribute.name for attribute in attributes.values() if attribute.legacy}
    system: list[str] = []
    for projection in raw.get("system_projections", ()):
        known = projection if projection in attributes else by_legacy.get(projection)
        if known and known not in raw["primary_key"] and known not in system:
            system.append(known)
    return EntityType(
        name=name,
        root=root,
        table=name if root == VALUE_ROOT else root,
        base=raw.get("base"),
        legacy=raw.get("legacy"),
        primary_key=tuple(raw["primary_key"]),
        attributes=attributes,
        system=tuple(system),
        raw=raw,
        defaults=tuple(
            (a.name, _default_column(a))
            for a in attributes.values()
            if a.stored and a.default is not None and a.default != "{uid}"
        ),
        columns=tuple(a.name for a in attributes.values() if a.stored),
    )


def _default_column(attribute: Attribute) -> Any:
    """A declared default as the column holds it."""
    if attribute.data_type in ("variable", "object"):
        return json.dumps(attribute.default)
    return int(attribute.default) if isinstance(attribute.default, bool) else attribute.default


def _attribute(root: str, name: str, raw: dict[str, Any]) -> Attribute:
    common: dict[str, Any] = {
        "name": name,
        "legacy": raw.get("legacy"),
        "default": raw.get("default"),
        "restricted": bool(raw.get("restricted")),
        "raw": raw,
    }
    wire_type = raw["type"]
    if wire_type in ("ref", "array", "mapped_array"):
        relation = raw.get("rel", {"kind": "none"})
        kind = {"ref": Kind.REFERENCE, "array": Kind.COLLECTION, "mapped_array": Kind.MAPPED}[wire_type]
        column = relation.get("column")
        sql = f'{{a}}."{column}"' if column else COMPUTED.get((root, name))
        where = relation.get("where")
        return Attribute(
            **common,
            kind=kind,
            link=Link(relation["kind"]),
            column=column,
            sql=sql,
            target=raw.get("target", ""),
            target_column=relation.get("target_column") or relation.get("own_column", ""),
            where=(where[0], where[1]) if where else None,
            through=relation.get("through", ""),
            other_column=relation.get("other_column", ""),
        )
    data_type, _, format_ = wire_type.partition(":")
    derived = (root, name) in COMPUTED or name in LIVE_NAMES
    return Attribute(
        **common,
        kind=Kind.SCALAR,
        data_type=data_type,
        format=format_,
        foreign=raw.get("fk"),
        stored=not derived,
        sql=COMPUTED.get((root, name)) if derived else f'{{a}}."{name}"',
    )


def _wire(entity: EntityType) -> dict[str, Any]:
    raw = entity.raw
    schema: dict[str, Any] = {
        "id": entity.name,
        "type": "object",
        "properties": {name: _wire_property(attribute) for name, attribute in entity.attributes.items()},
        "immutable": raw.get("immutable", []),
        "computed": raw.get("computed", []),
        "required": raw.get("required", []),
        "primary_key": list(entity.primary_key),
        "default_projections": raw.get("default_projections", []),
        "system_projections": raw.get("system_projections", []),
    }
    if entity.base:
        schema["$mixin"] = {"$ref": entity.base}
    if entity.legacy:
        schema["alias_for"] = entity.legacy
    return schema


def _wire_property(attribute: Attribute) -> dict[str, Any]:
    raw = attribute.raw
    wire: dict[str, Any]
    if attribute.kind is Kind.REFERENCE:
        wire = {"$ref": attribute.target}
    elif attribute.is_relation:
        wire = {"type": raw["type"], "items": {"$ref": attribute.target}}
        if attribute.kind is Kind.MAPPED and "key_value" in raw:
            wire["key_value_attributes"] = raw["key_value"]
    else:
        wire = {"type": attribute.data_type}
        if attribute.foreign:
            wire["format"] = "foreign_key"
        elif attribute.format:
            wire["format"] = attribute.format
        if attribute.default is not None:
            wire["default"] = attribute.default
        for extra in ("enum", "transform"):
            if extra in raw:
                wire[extra] = raw[extra]
    if attribute.legacy:
        wire["alias_for"] = attribute.legacy
    if attribute.restricted:
        wire["restricted_projection"] = True
    return wire
