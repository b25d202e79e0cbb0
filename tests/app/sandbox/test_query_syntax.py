"""The parser of the query language never fails in another way than a ParseError."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sandbox.contract import ApiError
from app.sandbox.query.syntax import And, Compare, Literal, Not, Or, Segment, parse, tokenize

WORDS = st.sampled_from(
    ["select", "from", "where", "Task", "name", "is", "not", "in", "any", "has", "(", ")", ",", "[", "]", "=", "!=",
     "and", "or", "none", '"x"', "'y'", "limit", "1", "offset", "order", "by", "group", "count", "a.b", "like", "."]
)  # fmt: skip


def select(expression: str) -> object:
    tokens, _values = tokenize(expression)
    return parse(tokens, expression)


@given(st.lists(WORDS, max_size=15).map(" ".join) | st.text(max_size=60))
def test_any_text_is_a_query_or_a_parse_error_that_quotes_it(expression: str) -> None:
    refused: ApiError | None = None
    try:
        select(expression)
    except ApiError as error:
        refused = error
    assert refused is None or (refused.name == "ParseError" and expression in refused.content)


@given(st.text(max_size=40))
def test_a_quoted_value_comes_back_as_it_was_whatever_it_holds(value: str) -> None:
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    _tokens, values = tokenize(f"Task where name is {quoted}")
    assert values == [value]


def test_queries_that_differ_in_values_only_have_one_shape() -> None:
    one, _ = tokenize('Task where name is "a" and id in ("1", "2")')
    two, _ = tokenize("Task where name is 'b' and id in ('3', '4')")
    assert one == two


def test_and_binds_tighter_than_or_and_not_tightest() -> None:
    expression = "Task where not a is 1 and b is 2 or c is 3"
    tokens, _ = tokenize(expression)
    where = parse(tokens, expression).where
    assert isinstance(where, Or)
    left, right = where.parts
    assert isinstance(left, And)
    assert isinstance(left.parts[0], Not)
    assert right == Compare((Segment("c"),), "=", Literal(-1, "3"))


def test_a_cast_belongs_to_its_step() -> None:
    expression = 'AssetVersion where asset.parent[Shot].parent.name is "x"'
    tokens, _ = tokenize(expression)
    where = parse(tokens, expression).where
    assert isinstance(where, Compare)
    assert where.path == (Segment("asset"), Segment("parent", "Shot"), Segment("parent"), Segment("name"))


@pytest.mark.parametrize("value", ["2026-11-22T10:00:00", "a.b-c", "-1.5", "ftrack.server", "True", "x/y@z"])
def test_values_without_blanks_need_no_quotes(value: str) -> None:
    expression = f"Task where name is {value}"
    tokens, _ = tokenize(expression)
    assert parse(tokens, expression).where == Compare((Segment("name"),), "=", Literal(-1, value))


def test_what_comes_back_can_be_written_as_json() -> None:
    # Names of refused queries travel to the client as JSON text.
    with pytest.raises(ApiError) as refused:
        select('Task where name is "\ud800')
    assert json.dumps(refused.value.content)
