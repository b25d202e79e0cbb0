"""Who receives an event: subscriptions by expression, targets by subscriber (ftrack protocol, section 2.2).

An event reaches a connection when one of its subscribers' expressions matches the event and the event's target
matches that same subscriber's metadata. A connection counts once, however many of its subscribers match.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.sandbox.expressions import Expression, ExpressionError, parse

Connection = TypeVar("Connection", bound=Hashable)


class DuplicateSubscriber(ValueError):
    """The connection already has a subscriber of this id."""


@dataclass(frozen=True, slots=True)
class Subscriber(Generic[Connection]):
    """One subscription of one connection.

    Attributes:
        connection: Whom to send to.
        identifier: The subscriber's id, unique per connection.
        metadata: What a target is matched against; holds the id too.
        expression: What the subscriber wants.
    """

    connection: Connection
    identifier: str
    metadata: Mapping[str, object]
    expression: Expression


class Router(Generic[Connection]):
    """The subscriptions of all connections. Not thread-safe: one event loop owns it."""

    def __init__(self) -> None:
        self._by_connection: dict[Connection, dict[str, Subscriber[Connection]]] = {}
        # Most subscriptions name one topic: an event then meets only the few that can want it.
        self._by_topic: dict[str, list[Subscriber[Connection]]] = {}
        self._any_topic: list[Subscriber[Connection]] = []

    def subscribe(self, connection: Connection, metadata: Mapping[str, object], subscription: str) -> None:
        """Add a subscriber.

        Raises:
            ExpressionError: The subscription cannot be read, or the subscriber has no id.
            DuplicateSubscriber: The connection already has one of this id.
        """
        identifier = metadata.get("id")
        if not isinstance(identifier, str) or not identifier:
            raise ExpressionError("a subscriber needs an id")
        own = self._by_connection.setdefault(connection, {})
        if identifier in own:
            raise DuplicateSubscriber(f"Subscriber with identifier {identifier} already exists.")
        subscriber = Subscriber(connection, identifier, metadata, parse(subscription))
        own[identifier] = subscriber
        self._shelf(subscriber).append(subscriber)

    def unsubscribe(self, connection: Connection, identifier: str) -> bool:
        """Remove a subscriber; False when the connection has none of this id."""
        subscriber = self._by_connection.get(connection, {}).pop(identifier, None)
        if subscriber is None:
            return False
        self._unshelve(subscriber)
        return True

    def forget(self, connection: Connection) -> None:
        """Remove every subscriber of a connection that is gone."""
        for subscriber in self._by_connection.pop(connection, {}).values():
            self._unshelve(subscriber)

    def recipients(self, event: Mapping[str, object]) -> list[Connection]:
        """Each connection that shall have ``event``, once.

        Raises:
            ExpressionError: The event's target cannot be read.
        """
        target = event.get("target")
        wanted = parse(target).matches if isinstance(target, str) and target.strip() else None
        found: dict[Connection, None] = {}
        for subscriber in self._candidates(event.get("topic")):
            if subscriber.connection in found:
                continue
            if wanted is not None and not wanted(subscriber.metadata):
                continue
            if subscriber.expression.matches(event):
                found[subscriber.connection] = None
        return list(found)

    def subscriptions(self) -> list[Subscriber[Connection]]:
        """All subscribers, in the order of their connections."""
        return [subscriber for own in self._by_connection.values() for subscriber in own.values()]

    def _candidates(self, topic: object) -> Iterator[Subscriber[Connection]]:
        exact = self._by_topic.get(topic, ()) if isinstance(topic, str) else ()
        return itertools.chain(exact, self._any_topic)

    def _shelf(self, subscriber: Subscriber[Connection]) -> list[Subscriber[Connection]]:
        topic = subscriber.expression.topic
        return self._any_topic if topic is None else self._by_topic.setdefault(topic, [])

    def _unshelve(self, subscriber: Subscriber[Connection]) -> None:
        shelf = self._shelf(subscriber)
        # By identity: two connections may hold equal subscribers.
        shelf[:] = [other for other in shelf if other is not subscriber]
        topic = subscriber.expression.topic
        if topic is not None and not shelf:
            del self._by_topic[topic]
