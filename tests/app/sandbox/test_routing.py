"""Who receives an event: by expression, by target, once a connection."""

import pytest

from app.sandbox.expressions import ExpressionError
from app.sandbox.routing import DuplicateSubscriber, Router


def event(topic: str, target: str = "", **data: object) -> dict[str, object]:
    return {"topic": topic, "target": target, "data": data, "source": {}}


def test_a_connection_with_two_matching_subscribers_receives_one_copy() -> None:
    router: Router[str] = Router()
    router.subscribe("anna", {"id": "1"}, "topic=render")
    router.subscribe("anna", {"id": "2"}, "topic=*")
    router.subscribe("ben", {"id": "3"}, "topic=other")
    assert router.recipients(event("render")) == ["anna"]


def test_a_target_is_matched_against_the_very_subscriber_that_wants_the_event() -> None:
    router: Router[str] = Router()
    router.subscribe("anna", {"id": "1", "applicationId": "ftrack.client.web"}, "topic=other")
    router.subscribe("anna", {"id": "2", "applicationId": "script"}, "topic=message")
    router.subscribe("ben", {"id": "3", "applicationId": "ftrack.client.web", "user": {"id": "u"}}, "topic=message")
    aimed = event("message", 'applicationId=ftrack.client.web and user.id="u"')
    assert router.recipients(aimed) == ["ben"]


def test_the_same_id_twice_on_one_connection_is_refused_and_on_two_is_fine() -> None:
    router: Router[str] = Router()
    router.subscribe("anna", {"id": "1"}, "topic=a")
    router.subscribe("ben", {"id": "1"}, "topic=a")
    with pytest.raises(DuplicateSubscriber, match="1 already exists"):
        router.subscribe("anna", {"id": "1"}, "topic=b")
    assert router.recipients(event("a")) == ["anna", "ben"]


def test_who_unsubscribed_or_went_away_receives_nothing_more() -> None:
    router: Router[str] = Router()
    router.subscribe("anna", {"id": "1"}, "topic=a")
    router.subscribe("anna", {"id": "2"}, "topic=*")
    router.subscribe("ben", {"id": "3"}, "topic=a")
    assert router.unsubscribe("anna", "1")
    assert not router.unsubscribe("anna", "1")
    assert router.recipients(event("a")) == ["ben", "anna"]
    router.forget("anna")
    router.forget("anna")
    assert router.recipients(event("a")) == ["ben"]
    assert [subscriber.identifier for subscriber in router.subscriptions()] == ["3"]


def test_a_subscriber_without_an_id_and_an_unreadable_target_are_refused() -> None:
    router: Router[str] = Router()
    with pytest.raises(ExpressionError, match="needs an id"):
        router.subscribe("anna", {}, "topic=a")
    with pytest.raises(ExpressionError, match="expected"):
        router.recipients(event("a", target="id="))
