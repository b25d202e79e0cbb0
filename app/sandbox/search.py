"""The ``search`` action: an expression narrowed by words, by a context and by object types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.sandbox.contract import Json
from app.sandbox.operations import RowReader
from app.sandbox.query.results import Queries, require_entity
from app.sandbox.query.syntax import (
    And,
    Compare,
    Literal,
    Node,
    Or,
    Quantified,
    Segment,
    Within,
    parse,
    tokenize,
)


def search(
    reader: RowReader, queries: Queries, operation: Mapping[str, Json]
) -> tuple[list[dict[str, Any]], int | None]:
    """Entities whose name (or user name) holds every term.

    Args:
        operation: ``expression``, ``entity_type``, ``terms``, ``context_id``, ``object_type_ids``.
    """
    entity = require_entity(reader.schema, operation.get("entity_type"))
    expression = str(operation.get("expression") or entity.name)
    tokens, values = tokenize(expression)
    select = parse(tokens, expression)

    def literal(value: str) -> Literal:
        values.append(value)
        return Literal(len(values) - 1)

    parts: list[Node] = [select.where] if select.where is not None else []
    names = [name for name in ("name", "username", "first_name", "last_name", "comment") if name in entity.attributes]
    paths = [(Segment(name),) for name in names]
    if entity.name == "AssetVersion":
        paths.append((Segment("asset"), Segment("name")))  # type: ignore[arg-type]
    for term in operation.get("terms") or ():
        word = literal(f"%{term}%")
        parts.append(Or(tuple(Compare(path, "like", word) for path in paths)))
    context_id = operation.get("context_id")
    if context_id:
        context = literal(str(context_id))
        inside: list[Node] = []
        if "project_id" in entity.attributes:
            inside.append(Compare((Segment("project_id"),), "=", context))
        if "ancestors" in entity.attributes:
            inside.append(Quantified((Segment("ancestors"),), Compare((Segment("id"),), "=", context)))
        if inside:
            parts.append(Or(tuple(inside)))
    object_types = operation.get("object_type_ids")
    if object_types and "object_type_id" in entity.attributes:
        wanted = tuple(literal(str(item)) for item in object_types)
        parts.append(Within((Segment("object_type_id"),), wanted, None, False))
    select.where = And(tuple(parts)) if parts else None
    return queries.run(reader.connection, queries.compile(select, expression), values)
