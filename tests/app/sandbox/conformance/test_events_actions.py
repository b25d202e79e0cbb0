"""Protocol facts 2.4: actions seen from a person's screen, through the stand-in for the web client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ftrack_api
import pytest
from ftrack_api.event.base import Event
from sandbox_process import SandboxProcess
from web_client import Form, Message, NothingCame, WebClient, selected

ITEM = {"label": "Batch Create", "variant": None, "description": "Makes shots", "icon": "", "actionIdentifier": "batch"}


@pytest.fixture
def web(live_site: SandboxProcess, tmp_path: Path) -> Iterator[WebClient]:
    """Mara's browser."""
    with WebClient(live_site.url, live_site.key, "mara.okafor", tmp_path, seconds=5) as client:
        yield client


@pytest.fixture
def shot(open_session: Callable[..., ftrack_api.Session]) -> dict[str, str]:
    """A selected shot."""
    return selected(open_session().query('Shot where name is "001_0010"').one())


def answering(listener: Any, expression: str, answer: Callable[[Any], Any]) -> None:
    listener.session.event_hub.subscribe(expression, answer)
    listener.synchronise()


def test_fact_2_4_a_selection_calls_every_typed_context_task_and_a_project_show(
    open_session: Callable[..., ftrack_api.Session],
) -> None:
    session = open_session()
    for entity_type, name in (
        ("Task", "task"),
        ("Shot", "task"),
        ("Sequence", "task"),
        ("Project", "show"),
        ("AssetVersion", "assetversion"),
        ("ReviewSession", "reviewsession"),
    ):
        assert selected(session.query(entity_type).first())["entityType"] == name


def test_fact_2_4_discover_carries_selection_and_user_and_collects_several_replies(
    web: WebClient, listen: Callable[..., Any], shot: dict[str, str]
) -> None:
    listener = listen("topic=ftrack.action.discover")
    answering(listener, "topic=ftrack.action.discover", lambda _event: {"items": [ITEM]})
    answering(listener, "topic=ftrack.action.discover", lambda _event: {"items": [{**ITEM, "label": "Other"}]})
    assert [item["label"] for item in web.discover(shot, replies=2)] == ["Batch Create", "Other"]
    event = listener.wait()[0]
    assert event["data"]["selection"] == [shot]
    assert {"groupers", "filters", "sorters"} <= set(event["data"])
    assert event["source"]["user"] == {"username": "mara.okafor", "id": web.user_id}
    assert event["source"]["applicationId"] == "ftrack.client.web"


def test_fact_2_4_launch_answers_with_a_message(
    web: WebClient, listen: Callable[..., Any], shot: dict[str, str]
) -> None:
    listener = listen("topic=ftrack.action.launch and data.actionIdentifier=batch")
    answering(
        listener,
        "topic=ftrack.action.launch and data.actionIdentifier=batch",
        lambda _event: {"success": True, "message": "Started"},
    )
    answer = web.launch({**ITEM, "extra": "kept"}, shot)
    assert answer == Message(True, "Started", {"success": True, "message": "Started"})
    data = listener.wait()[0]["data"]
    assert (data["actionIdentifier"], data["selection"], data["extra"]) == ("batch", [shot], "kept")


def test_fact_2_4_a_form_is_filled_in_and_comes_back_with_every_named_value(
    web: WebClient, listen: Callable[..., Any], shot: dict[str, str]
) -> None:
    kinds = ("text", "textarea", "number", "date", "boolean", "hidden", "enumerator")
    items: list[dict[str, Any]] = [{"type": "label", "value": "# Shots"}, {"type": "label", "value": "---"}]
    items += [{"type": kind, "name": kind, "label": kind, "value": kind} for kind in kinds]

    def answer(event: Any) -> dict[str, Any]:
        values = event["data"].get("values")
        if values is None:
            return {"items": items, "title": "Batch Create", "submit_button_label": "Create"}
        return {"success": True, "message": ",".join(f"{key}={values[key]}" for key in sorted(values))}

    answering(listen("topic=nothing"), "topic=ftrack.action.launch", answer)
    form = web.launch("batch", shot)
    assert isinstance(form, Form)
    assert (form.title, form.submit_label, form.labels()) == ("Batch Create", "Create", ["# Shots", "---"])
    done = web.submit(form, {"text": "001"})
    assert isinstance(done, Message)
    assert done.text == (
        "boolean=boolean,date=date,enumerator=enumerator,hidden=hidden,number=number,text=001,textarea=textarea"
    )


def test_fact_2_4_what_is_pushed_reaches_the_one_user_it_is_aimed_at(
    web: WebClient,
    live_site: SandboxProcess,
    tmp_path: Path,
    open_session: Callable[..., ftrack_api.Session],
) -> None:
    with WebClient(live_site.url, live_site.key, "sana.malik", tmp_path / "other", seconds=1) as other:
        session = open_session(hub=True)
        form = {"type": "form", "items": [{"type": "text", "name": "a", "value": "b"}], "title": "More"}
        for data in ({"type": "message", "success": True, "message": "Done"}, {**form, "actionIdentifier": "batch"}):
            session.event_hub.publish(
                Event(
                    "ftrack.action.trigger-user-interface",
                    data=data,
                    target=f'applicationId=ftrack.client.web and user.id="{web.user_id}"',
                )
            )
        assert [data["type"] for data in web.pushed(2)] == ["message", "form"]
        assert web.pushed_form(2).values == {"a": "b"}
        with pytest.raises(NothingCame):
            other.pushed(1)


def test_fact_2_4_an_action_may_answer_with_a_widget(
    web: WebClient, listen: Callable[..., Any], shot: dict[str, str]
) -> None:
    widget = {"success": True, "message": "", "type": "widget", "url": "http://127.0.0.1/info", "title": "Info"}
    answering(listen("topic=nothing"), "topic=ftrack.action.launch", lambda _event: widget)
    answer = web.launch("info", shot)
    assert isinstance(answer, Message)
    assert (answer.data["type"], answer.data["url"], answer.data["title"]) == (
        "widget",
        "http://127.0.0.1/info",
        "Info",
    )


def test_an_action_that_nobody_answers_is_told_as_such(web: WebClient, shot: dict[str, str]) -> None:
    web._seconds = 0.3
    with pytest.raises(NothingCame, match=r"ftrack\.action\.launch"):
        web.launch("nobody-has-this", shot)


def test_a_job_is_watched_until_it_is_done(web: WebClient, open_session: Callable[..., ftrack_api.Session]) -> None:
    session = open_session("mara.okafor")
    job = session.create("Job", {"user": session.get("User", web.user_id), "status": "running"})
    session.commit()
    assert web.wait_for_job(job["id"], "running")["status"] == "running"
    job["status"] = "done"
    session.commit()
    assert web.wait_for_job(job["id"])["status"] == "done"
    assert web.jobs()[0]["id"] == job["id"]
