"""Event expressions say what the Python client's own say; what it cannot read is refused with the place named."""

import pytest
from ftrack_api.event.expression import Parser
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sandbox.expressions import ExpressionError, parse

EVENT = {
    "topic": "ftrack.update",
    "data": {"entity_type": "Shot", "count": 5, "nothing": None, "tags": ["a", "b"], "name": "it's"},
    "source": {"user": {"username": "ada@example.com"}, "applicationId": None},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("topic=ftrack.update", True),
        ("topic = ftrack.update", True),
        ('topic="ftrack.update"', True),
        ("topic=ftrack.*", True),
        ("topic=*", True),
        ("topic=update*", True),
        ("topic!=ftrack.update", False),
        ("topic=other or data.entity_type=Shot", True),
        ("topic=other or data.entity_type=Shot and topic=x", False),
        ("(topic=other or data.entity_type=Shot) and topic=ftrack.update", True),
        ("not topic=other", True),
        ("not (topic=other or data.entity_type=Shot)", False),
        ("NOT topic=other AND data.entity_type=Shot", True),
        ("data.missing=x", False),
        ("data.missing!=x", False),
        ("topic.deeper=x", False),
        ("data.entity_type>=Sequence", True),
        ("data.entity_type<Sequence", False),
        ("source.user.username=ada@example.com", True),
        ("data.count=5", False),
        ("data.tags=a*", True),
        ('data.name="it\'s"', True),
    ],
)
def test_an_expression_selects_what_the_python_client_selects(text: str, expected: bool) -> None:
    assert parse(text).matches(EVENT) is expected
    assert bool(Parser().parse(text).match(EVENT)) is expected


@pytest.mark.parametrize("text", ["data.count>5", "source.applicationId=ftrack.*", "data.nothing<a", 'topic=""'])
def test_what_makes_the_client_raise_is_simply_no_match_on_the_server(text: str) -> None:
    with pytest.raises((TypeError, IndexError)):
        Parser().parse(text).match(EVENT)
    assert parse(text).matches(EVENT) is False


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("topic", "an operator expected at the end"),
        ("topic=", "a value expected at the end"),
        ("topic=a and", "a key expected at the end"),
        ("(topic=a", '")" expected at the end'),
        ("topic=a b", "the end expected at position 9"),
        ("topic=ö", "unexpected character at position 7"),
        ("to-pic=a", "a key expected at position 1"),
        ("not " * 500 + "topic=a", "nested too deeply"),
    ],
)
def test_an_unreadable_expression_is_refused_with_the_place(text: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=words.replace("(", r"\(").replace(")", r"\)")):
        parse(text)


def test_the_topic_that_every_match_must_have_is_known() -> None:
    assert parse("topic=a").topic == "a"
    assert parse("data.x=1 and topic=a").topic == "a"
    assert parse("topic=a or topic=b").topic is None
    assert parse("topic=a*").topic is None
    assert parse("not topic=a").topic is None


_conditions = st.builds(
    "{} {} {}".format,
    st.sampled_from(["topic", "data.entity_type", "data.count", "data.none.deep", "source.user.username"]),
    st.sampled_from(["=", "!=", "<", ">", ">=", "<="]),
    st.sampled_from(["ftrack.update", "Shot", '"Shot"', "'5'", "5", "ftr*", "ada@example.com", "*"]),
)
_expressions = st.recursive(
    _conditions,
    lambda inner: st.one_of(
        st.builds("{} and {}".format, inner, inner),
        st.builds("{} or {}".format, inner, inner),
        st.builds("not ({})".format, inner),
        st.builds("({})".format, inner),
    ),
    max_leaves=4,
)


@given(_expressions)
@settings(max_examples=150, deadline=None)
def test_any_expression_means_the_same_here_and_in_the_client(text: str) -> None:
    try:
        theirs = bool(Parser().parse(text).match(EVENT))
    except TypeError:
        parse(text).matches(EVENT)
    else:
        assert parse(text).matches(EVENT) is theirs
