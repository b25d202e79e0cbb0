"""A stand-in for ftrack's web client, through the real ``ftrack_api``: what a person sees and clicks in a browser.

It subscribes as ``applicationId=ftrack.client.web`` with a user, asks which actions are offered, launches them, fills
in forms, watches jobs and receives what a handler pushes to the person's screen.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import ftrack_api
import ftrack_api.event.base

APPLICATION = "ftrack.client.web"

# The nine kinds of form items the web client renders; anything else it shows as nothing.
ITEM_TYPES = frozenset({"label", "text", "textarea", "number", "date", "boolean", "hidden", "enumerator", "component"})


class NothingCame(TimeoutError):
    """Nobody answered in time."""


@dataclass(frozen=True)
class Form:
    """A form as the web client would render it.

    Attributes:
        items: As the action sent them.
        title: Heading.
        submit_label: Text on the button.
        launch: The event data that opened it; submitting launches again with values.
    """

    items: list[dict[str, Any]]
    title: str
    submit_label: str
    launch: Mapping[str, Any]

    @property
    def values(self) -> dict[str, Any]:
        """The named items' initial values, hidden ones included: what an untouched form submits."""
        return {item["name"]: item.get("value") for item in self.items if item.get("name")}

    def item(self, name: str) -> dict[str, Any]:
        """The item of this name."""
        return next(item for item in self.items if item.get("name") == name)

    def labels(self) -> list[str]:
        """The texts of its labels."""
        return [str(item.get("value")) for item in self.items if item.get("type") == "label"]


@dataclass(frozen=True)
class Message:
    """A sentence that an action answered with."""

    success: bool
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)


def read_answer(data: Any, launch: Mapping[str, Any]) -> Form | Message:
    """An action's reply as a person sees it."""
    if isinstance(data, Mapping) and "items" in data:
        items = [dict(item) for item in data["items"]]
        unknown = {str(item.get("type")) for item in items} - ITEM_TYPES
        assert not unknown, f"the web client renders no such form items: {unknown}"
        return Form(items, str(data.get("title") or ""), str(data.get("submit_button_label") or "Submit"), launch)
    assert isinstance(data, Mapping), f"an action's reply is an object, not {data!r}"
    return Message(bool(data.get("success")), str(data.get("message") or ""), data)


class WebClient:
    """One browser window of one user. Use as a context manager.

    Args:
        url: The site's address.
        key: An API key of ``user``.
        user: User name.
        cache: A folder for the schema cache (``tmp_path``); sites must not share one.
        seconds: How long to wait for an answer before giving up.
    """

    def __init__(self, url: str, key: str, user: str, cache: Path, seconds: float = 10.0) -> None:
        self._seconds = seconds
        cache.mkdir(parents=True, exist_ok=True)
        self.session = ftrack_api.Session(
            server_url=url, api_key=key, api_user=user, schema_cache_path=str(cache), auto_connect_event_hub=False
        )
        self.user_id = str(self.session.query(f'select id from User where username is "{user}"').one()["id"])
        self.username = user
        self._source = {
            "id": uuid.uuid4().hex,
            "applicationId": APPLICATION,
            "user": {"username": user, "id": self.user_id},
        }
        self._news = threading.Condition()
        self._replies: dict[str, list[Any]] = {}
        self._pushed: list[dict[str, Any]] = []
        self._stop = threading.Event()
        hub = self.session.event_hub
        hub.connect()
        hub.subscribe("topic=ftrack.action.trigger-user-interface", self._on_push, subscriber=dict(self._source))
        self._thread = threading.Thread(target=self._listen, name=f"web-client-{user}", daemon=True)
        self._thread.start()
        # The hub acknowledges in order: once this reply is back, the subscriptions stand.
        self._ping()

    def __enter__(self) -> WebClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the window."""
        self._stop.set()
        self._thread.join(5)
        self.session.close()

    # What a person does.

    def discover(self, *selection: Mapping[str, str], replies: int = 1) -> list[dict[str, Any]]:
        """The items offered on a selection, from at least so many answering actions.

        Args:
            selection: ``{"entityId", "entityType"}``, see :func:`selected`.
            replies: How many replies to wait for; 0: whatever comes within a second.
        """
        data = {"selection": list(selection), "groupers": [], "filters": [], "sorters": []}
        wait = 1.0 if replies == 0 else self._seconds
        answers = self._ask("ftrack.action.discover", data, replies, wait)
        return [dict(item) for answer in answers for item in (answer or {}).get("items", [])]

    def offered(self, identifier: str, *selection: Mapping[str, str]) -> dict[str, Any]:
        """The offered item of this action.

        Raises:
            NothingCame: It is not offered.
        """
        deadline = time.monotonic() + self._seconds
        while time.monotonic() < deadline:
            for item in self.discover(*selection, replies=0):
                if item.get("actionIdentifier") == identifier:
                    return item
        raise NothingCame(f"action {identifier} is not offered on {selection}")

    def launch(
        self, item: Mapping[str, Any] | str, *selection: Mapping[str, str], values: Mapping[str, Any] | None = None
    ) -> Form | Message:
        """Click on an offered item (or an action's identifier); returns what appears.

        Raises:
            NothingCame: No action answered.
        """
        extra = {"actionIdentifier": item} if isinstance(item, str) else dict(item)
        data: dict[str, Any] = {**extra, "selection": list(selection)}
        if values is not None:
            data["values"] = dict(values)
        return read_answer(self._ask("ftrack.action.launch", data, 1, self._seconds)[0], data)

    def submit(self, form: Form, values: Mapping[str, Any] | None = None) -> Form | Message:
        """Press a form's button with these values over the initial ones; returns what appears next.

        Raises:
            NothingCame: No action answered.
        """
        unknown = set(values or {}) - set(form.values)
        assert not unknown, f"the form has no such items: {unknown}"
        data = {**form.launch, "values": {**form.values, **(values or {})}}
        return read_answer(self._ask("ftrack.action.launch", data, 1, self._seconds)[0], data)

    def pushed(self, count: int = 1) -> list[dict[str, Any]]:
        """What handlers have pushed to this screen (``ftrack.action.trigger-user-interface``), at least ``count``.

        Raises:
            NothingCame: Not so many came in time.
        """
        with self._news:
            if not self._news.wait_for(lambda: len(self._pushed) >= count, self._seconds):
                raise NothingCame(f"{len(self._pushed)} of {count} messages were pushed")
            return list(self._pushed)

    def pushed_form(self, count: int = 1) -> Form:
        """The newest pushed form, ready to submit, once ``count`` messages were pushed."""
        data = [data for data in self.pushed(count) if data.get("type") == "form"][-1]
        launch = {"actionIdentifier": data["actionIdentifier"], "selection": data.get("selection", [])}
        form = read_answer(data, launch)
        assert isinstance(form, Form)
        return form

    def wait_for_job(self, job_id: str, *statuses: str) -> dict[str, Any]:
        """A job's row once it has one of these statuses (``done`` or ``failed`` without any).

        Raises:
            NothingCame: It took too long.
        """
        wanted = statuses or ("done", "failed")
        deadline = time.monotonic() + self._seconds * 3
        while time.monotonic() < deadline:
            rows = self._rows(f'select id, status, data, type, user_id from Job where id is "{job_id}"')
            if rows and rows[0]["status"] in wanted:
                return rows[0]
            self._stop.wait(0.1)
        raise NothingCame(f"job {job_id} is not {' or '.join(wanted)}")

    def jobs(self) -> list[dict[str, Any]]:
        """This user's jobs, newest first."""
        return self._rows(
            f'select id, status, data, type, user_id from Job where user_id is "{self.user_id}" '
            "order by created_at desc"
        )

    def publish(self, topic: str, data: Mapping[str, Any], target: str = "") -> str:
        """Publish any event from this window; returns its id."""
        event = ftrack_api.event.base.Event(topic, data=dict(data), source=dict(self._source), target=target)
        self.session.event_hub.publish(event)
        return str(event["id"])

    # Below the glass.

    def _rows(self, expression: str) -> list[dict[str, Any]]:
        answer = self.session.call([{"action": "query", "expression": expression}])
        return [dict(row) for row in answer[0]["data"]]

    def _ask(self, topic: str, data: Mapping[str, Any], replies: int, seconds: float) -> list[Any]:
        # A reply is addressed to the id of the asker's source: it must be the one the hub listens for.
        source = {**self._source, "id": self.session.event_hub.id}
        event = ftrack_api.event.base.Event(topic, data=dict(data), source=source)
        identifier = str(event["id"])
        self._replies[identifier] = []
        self.session.event_hub.publish(event, on_reply=self._on_reply)
        with self._news:
            enough = self._news.wait_for(lambda: replies > 0 and len(self._replies[identifier]) >= replies, seconds)
            answers = list(self._replies[identifier])
        if replies and not enough:
            raise NothingCame(f"{len(answers)} of {replies} replies to {topic} came in {seconds:g} s")
        return answers

    def _ping(self) -> None:
        subscriber = {"id": uuid.uuid4().hex}
        hub = self.session.event_hub
        identifier = hub.subscribe("topic=signalbox.test.ping", lambda _event: {"pong": True}, subscriber=subscriber)
        self._ask("signalbox.test.ping", {}, 1, self._seconds)
        hub.unsubscribe(identifier)

    def _on_reply(self, event: Any) -> None:
        with self._news:
            self._replies.setdefault(str(event["in_reply_to_event"]), []).append(event["data"])
            self._news.notify_all()

    def _on_push(self, event: Any) -> None:
        with self._news:
            self._pushed.append(dict(event["data"]))
            self._news.notify_all()

    def _listen(self) -> None:
        while not self._stop.is_set():
            self.session.event_hub.wait(duration=0.2)


def selected(entity: Any) -> dict[str, str]:
    """An entity as selections name it: tasks, shots and all other typed contexts are ``task``, projects ``show``."""
    schemas = {schema["id"]: schema for schema in entity.session.schemas}
    alias = schemas[entity.entity_type].get("alias_for")
    name = alias["id"] if isinstance(alias, Mapping) else alias or entity.entity_type
    return {"entityId": str(entity["id"]), "entityType": {"project": "show"}.get(name.lower(), name.lower())}


def all_selected(entities: Iterable[Any]) -> list[dict[str, str]]:
    """Several entities as selections name them."""
    return [selected(entity) for entity in entities]
