"""Plans on a real site: transactions, refusals, stale plans, echoes, the dailies list, an upload with a transcode."""

from __future__ import annotations

import json
import threading
import urllib.request
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from engine_room import FunctionHandler, Room
from production import Production

from app.effects import KINDS
from app.effects.base import Result
from app.effects.ftrack import CreateEntity, SetMetadata, UpdateEntity
from app.effects.slack import SendSlack
from app.effects.upload import UploadComponent
from app.engine.changes import payload_of
from app.engine.kinds import SlowEffect, SlowTools
from app.engine.protocol import Change, Context, Expect, Plan, natural_id, skip
from app.journal.rows import RawEvent


def send(room: Room, *changes: Change) -> list[int]:
    """The events of these changes arrive."""
    events = []
    for change in changes:
        payload = payload_of(change, dry=False)
        del payload["data"]["signalbox"]
        events.append(RawEvent({**payload, "id": uuid.uuid4().hex}, change.received.timestamp()))
    return room.send(*events)


def rename(show: Production, task: str, name: str, **more: Any) -> UpdateEntity:
    return UpdateEntity(
        slot=f"name-{task}",
        reason="the test wants it",
        entity_id=task,
        entity_type="Task",
        id=task,
        values={"description": name},
        label=task,
        **more,
    )


def description(show: Production, task: str) -> str:
    return str(show.one(f'select description from Task where id is "{task}"')["description"])


def test_a_plans_ftrack_effects_are_one_transaction_with_what_was_there_before(studio: Room, show: Production) -> None:
    task = show.task(show.shot())
    path = "/data/shot_v01.nk"

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        write = SetMetadata(
            slot="m", reason="so", entity_id=task, entity_type="Task", id=task, values={"filename": path}, label="comp"
        )
        return Plan((rename(show, task, "made"), write))

    studio.start(FunctionHandler(plan))
    send(studio, show.added("Task", task))
    studio.settle()
    assert description(show, task) == "made"
    assert show.metadata(task) == {"filename": path}
    effects = studio.journal.run(studio.journal.runs()[0].id).effects
    assert [each.state for each in effects] == ["applied", "applied"]
    assert effects[1].before == {"filename": None}


def test_a_run_that_reads_once_makes_two_reads_and_one_commit(studio: Room, show: Production) -> None:
    task = show.task(show.shot())

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        ctx.site.rows(f'select name from Task where id is "{task}"')
        return Plan(
            (
                rename(show, task, str(changes[0].event_row), expects=(Expect("Task", task, "name", "compositing"),)),
                SetMetadata(
                    slot="m",
                    reason="so",
                    entity_id=task,
                    entity_type="Task",
                    id=task,
                    values={"row": str(changes[0].event_row)},
                    label="comp",
                ),
            )
        )

    studio.store.set("engine", "workers", 1)
    studio.start(FunctionHandler(plan))
    change = show.added("Task", task)
    send(studio, change)
    studio.settle()
    before = counters(show)
    send(studio, change)
    studio.settle()
    after = counters(show)
    assert studio.states() == ["done", "done"]
    assert (after["reads"] - before["reads"], after["commits"] - before["commits"]) == (2, 1)


def counters(show: Production) -> dict[str, int]:
    headers = {"ftrack-user": show.user, "ftrack-api-key": show.key}
    with urllib.request.urlopen(urllib.request.Request(f"{show.url}/_sandbox/counters", headers=headers)) as answer:
        kinds: dict[str, int] = json.load(answer)["kinds"]
    return kinds


def test_one_refusal_does_not_spoil_the_rest_and_is_told_per_entity(studio: Room, show: Production) -> None:
    shot = show.shot()
    tasks = [show.task(shot, name=f"task{number}") for number in range(9)]

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        return Plan(
            tuple(
                UpdateEntity(
                    slot=each.entity_id,
                    reason="so",
                    entity_id=each.entity_id,
                    entity_type="Task",
                    id=each.entity_id,
                    values={"status_id": "no-such-status"} if each.entity_id == tasks[4] else {"description": "ok"},
                    label=each.entity_id,
                )
                for each in changes
            )
        )

    send(studio, *(show.added("Task", task) for task in tasks))
    studio.start(FunctionHandler(plan, key=lambda change: "all", batch=100))
    studio.settle()
    assert studio.states() == ["failed" if number == 4 else "done" for number in range(9)]
    assert [description(show, task) == "ok" for task in tasks] == [number != 4 for number in range(9)]


def test_a_plan_made_from_old_facts_is_made_again(studio: Room, show: Production) -> None:
    task = show.task(show.shot())
    seen: list[str] = []

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        (row,) = ctx.site.rows(f'select description, bid from Task where id is "{task}"')
        seen.append(row["bid"])
        if len(seen) == 1:
            show.update("Task", task, bid=7200)
        return Plan((rename(show, task, f"bid {row['bid']}", expects=(Expect("Task", task, "bid", row["bid"]),)),))

    studio.start(FunctionHandler(plan))
    send(studio, show.added("Task", task))
    studio.settle()
    assert seen == [0, 7200]
    assert description(show, task) == "bid 7200.0"
    assert studio.states() == ["done"]


def test_a_plan_that_is_old_each_time_is_superseded(studio: Room, show: Production) -> None:
    task = show.task(show.shot())
    plans: list[int] = []

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        plans.append(1)
        return Plan((rename(show, task, "never", expects=(Expect("Task", task, "bid", -1),)),))

    studio.start(FunctionHandler(plan))
    send(studio, show.added("Task", task))
    studio.settle()
    assert studio.states() == ["superseded"]
    assert "bid of Task is 0.0 now" in studio.journal.runs()[0].reason
    assert len(plans) == 4


def test_in_a_batch_only_the_entity_that_changed_is_superseded(studio: Room, show: Production) -> None:
    shot = show.shot()
    tasks = [show.task(shot, name=f"task{number}") for number in range(3)]

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        wrong = {tasks[1]: -1.0}
        return Plan(
            tuple(
                rename(show, task, "ok", expects=(Expect("Task", task, "bid", wrong.get(task, 0.0)),))
                for task in (each.entity_id for each in changes)
            )
        )

    send(studio, *(show.added("Task", task) for task in tasks))
    studio.start(FunctionHandler(plan, key=lambda change: "all", batch=100))
    studio.settle()
    assert studio.states() == ["done", "superseded", "done"]
    assert [description(show, task) == "ok" for task in tasks] == [True, False, True]


def test_what_an_effect_wrote_is_not_given_back_to_its_handler_but_to_others_one_step_deeper(
    studio: Room, show: Production
) -> None:
    shot = show.shot()
    task = show.task(shot)
    old, new = show.named("Status", "Not started"), show.named("Status", "In progress")
    depths: list[int] = []

    def set_status(changes: Sequence[Change], ctx: Context) -> Plan:
        effect = UpdateEntity(
            slot="s", reason="so", entity_id=task, entity_type="Task", id=task, values={"status_id": new}, label="comp"
        )
        return Plan((effect,))

    def look(changes: Sequence[Change], ctx: Context) -> Plan:
        depths.append(changes[0].depth)
        return skip("seen")

    def about_status(change: Change) -> bool:
        return "statusid" in change.changes

    studio.start(
        FunctionHandler(set_status), FunctionHandler(look, name="watcher", wants=about_status, key=lambda change: "")
    )
    send(studio, show.change("Task", task, "update", {"description": ("", "go")}))
    studio.settle()
    assert show.status_of("Task", task) == "In progress"
    echo = show.change("Task", task, "update", {"statusid": (old, new)})
    send(studio, echo)
    studio.settle()
    assert studio.states() == ["done"], "its own effect is not news to it"
    assert depths == [1]
    send(studio, echo)
    studio.settle()
    assert len(studio.states()) == 2, "the same once more is a person's doing"


def test_a_chain_of_handlers_that_goes_round_and_round_is_cut(studio: Room, show: Production) -> None:
    task = show.task(show.shot())

    def flip(word: str) -> Any:
        def plan(changes: Sequence[Change], ctx: Context) -> Plan:
            return Plan((rename(show, task, f"{word} {ctx.run_id}"),))

        return plan

    studio.start(FunctionHandler(flip("ping"), name="ping"), FunctionHandler(flip("pong"), name="pong"))
    change = show.change("Task", task, "update", {"description": ("", "go")})
    for _ in range(12):
        send(studio, change)
        studio.settle()
        change = show.change("Task", task, "update", {"description": ("x", description(show, task))})
    refused = [run for run in studio.journal.runs() if run.state == "failed"]
    assert refused
    assert "chain of 8 effects" in refused[0].reason


class Dailies(FunctionHandler):
    """The dailies list in a nutshell: one list a project and day, made when absent, each version on it once."""

    def __init__(self, show: Production, name: str, natural: bool, together: threading.Barrier) -> None:
        super().__init__(self.get_or_create, key=lambda change: f"version:{change.entity_id}")
        self.show, self.list_name, self.natural, self.together = show, name, natural, together

    def get_or_create(self, changes: Sequence[Change], ctx: Context) -> Plan:
        query = f'AssetVersionList where project_id is "{self.show.project}" and name is "{self.list_name}"'
        found = ctx.site.rows(f"select id from {query}")
        if not found:
            # All workers have looked before one of them writes: the worst case, each time.
            self.together.wait(10)
        effects: list[Any] = []
        version = changes[0].entity_id
        chosen = natural_id(ctx.site.server, self.show.project, self.list_name) if self.natural else str(uuid.uuid4())
        list_id = str(found[0]["id"]) if found else chosen
        if not found:
            effects.append(
                CreateEntity(
                    slot="list",
                    reason="the first of the day",
                    entity_id=version,
                    entity_type="AssetVersionList",
                    id=list_id,
                    values={
                        "name": self.list_name,
                        "project_id": self.show.project,
                        "category_id": self.show.named("ListCategory", "Reviews"),
                    },
                    label=self.list_name,
                    unless=query,
                )
            )
        effects.append(
            CreateEntity(
                slot="entry",
                reason="it is to be reviewed",
                entity_id=version,
                entity_type="ListObject",
                id=natural_id(list_id, version),
                values={"list_id": list_id, "entity_id": version},
                label=f"entry of {version}",
            )
        )
        return Plan(tuple(effects))


@pytest.mark.parametrize("natural", [True, False], ids=["natural id", "somebody else's id"])
def test_versions_from_several_workers_make_one_dailies_list(studio: Room, show: Production, natural: bool) -> None:
    shot = show.shot()
    asset = show.make("Asset", name="plate", context_id=shot, type_id=show.named("AssetType", "Upload"))
    versions = [show.version(shot, asset=asset) for _ in range(12)]
    name = f"Dailies_{natural}"
    studio.start(Dailies(show, name, natural, threading.Barrier(4)))
    send(studio, *(show.change("AssetVersion", version, "update", {"statusid": ("a", "b")}) for version in versions))
    studio.settle()
    assert studio.states() == ["done"] * 12, [run.reason for run in studio.journal.runs()]
    lists = show.site.rows(f'select id from AssetVersionList where project_id is "{show.project}" and name is "{name}"')
    if natural:
        assert len(lists) == 1
    ids = ", ".join(f'"{row["id"]}"' for row in lists)
    entries = show.site.rows(f"select entity_id from ListObject where list_id in ({ids})")
    assert sorted(row["entity_id"] for row in entries) == sorted(versions)


class Transcode(SlowEffect):
    """A slow effect that makes a file in steps."""

    kind: ClassVar[str] = "test_transcode"

    source: str
    target: str
    steps: int = 3

    def describe(self) -> str:
        return f"transcode {self.source}"

    def apply(self, tools: SlowTools) -> dict[str, Any]:
        made = b""
        for step in range(self.steps):
            tools.progress(f"transcode {step * 100 // self.steps} %")
            if tools.cancel.wait(0.02):
                raise RuntimeError("the transcoder was ended")
            made += f"frame {step}\n".encode()
        Path(self.target).write_bytes(made)
        return {"path": self.target, "frames": self.steps}


def upload_plan(show: Production, version: str, folder: Path, **transcode: Any) -> Any:
    component = natural_id(version, "movie")

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        return Plan(
            (
                Transcode(
                    slot="mp4",
                    reason="so",
                    entity_id=version,
                    source="a.mov",
                    target=str(folder / "a.mp4"),
                    **transcode,
                ),
                UploadComponent(
                    slot="component",
                    reason="for review",
                    entity_id=version,
                    path=Result(slot="mp4", field="path"),
                    component_id=component,
                    name="ftrackreview-mp4",
                    version_id=version,
                    metadata={"ftr_meta": json.dumps({"frameIn": 0})},
                ),
                SetMetadata(
                    slot="frames",
                    reason="so",
                    entity_id=version,
                    entity_type="AssetVersion",
                    id=version,
                    values={"component": Result(slot="component", field="component_id")},
                    label="the version",
                ),
                SendSlack(slot="tell", reason="so", channel="#general", text="uploaded", dedupe=f"up:{version}"),
            )
        )

    return plan


def test_an_upload_with_a_transcode_goes_through_the_heavy_pool_and_its_results_are_used(
    studio: Room, show: Production
) -> None:
    version = show.version(show.shot())
    studio.start(FunctionHandler(upload_plan(show, version, studio.folder)), kinds={**KINDS, Transcode.kind: Transcode})
    send(studio, show.change("AssetVersion", version, "update", {"statusid": ("a", "b")}))
    studio.settle()
    (run,) = studio.journal.runs()
    assert run.state == "done", run.reason
    component = natural_id(version, "movie")
    assert show.metadata(version) == {"component": component}
    assert show.metadata(component) == {"ftr_meta": '{"frameIn": 0}'}
    (row,) = show.site.rows(f'select name, version_id from FileComponent where id is "{component}"')
    assert (row["name"], row["version_id"]) == ("ftrackreview-mp4", version)
    assert [effect.state for effect in studio.journal.run(run.id).effects] == ["applied"] * 3 + ["sent"]
    assert [message.text for message in show.messages()] == ["uploaded"]


def test_a_slow_step_can_be_cancelled(studio: Room, show: Production) -> None:
    version = show.version(show.shot())
    studio.start(
        FunctionHandler(upload_plan(show, version, studio.folder, steps=100_000)),
        kinds={**KINDS, Transcode.kind: Transcode},
    )
    send(studio, show.change("AssetVersion", version, "update", {"statusid": ("a", "b")}))
    studio.wait_for(lambda: studio.states() == ["running"] and "%" in studio.journal.runs()[0].reason)
    studio.order("cancel", run=studio.journal.runs()[0].id)
    studio.settle()
    assert studio.states() == ["cancelled"]


class Silent(SlowEffect):
    """A slow effect that hangs."""

    kind: ClassVar[str] = "test_silent"

    def describe(self) -> str:
        return "hang"

    def apply(self, tools: SlowTools) -> dict[str, Any]:
        tools.cancel.wait(30)
        raise RuntimeError("ended")


def test_a_slow_step_without_progress_is_ended_and_says_so(studio: Room, show: Production) -> None:
    version = show.version(show.shot())
    studio.store.set("engine", "no_progress", 0.2)
    effect = Silent(slot="s", reason="so", entity_id=version)
    studio.start(FunctionHandler(lambda changes, ctx: Plan((effect,))), kinds={**KINDS, Silent.kind: Silent})
    send(studio, show.change("AssetVersion", version, "update", {"statusid": ("a", "b")}))
    studio.wait_for(lambda: studio.states() == ["failed"])
    assert studio.journal.runs()[0].reason == "no progress for 0.2 s"


def test_undo_on_the_site_restores_values_and_leaves_what_others_use(studio: Room, show: Production) -> None:
    shot = show.shot()
    task = show.task(shot)
    made, used = str(uuid.uuid4()), str(uuid.uuid4())

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        def create(entity_id: str, name: str) -> CreateEntity:
            return CreateEntity(
                slot=name,
                reason="so",
                entity_type="Task",
                id=entity_id,
                values={"name": name, "parent_id": shot, "project_id": show.project},
                label=name,
            )

        return Plan((create(made, "made"), create(used, "used"), rename(show, task, "changed")))

    studio.start(FunctionHandler(plan))
    send(studio, show.change("Task", task, "update", {"bid": (0, 1)}))
    studio.settle()
    show.make("Note", content="please keep", parent_id=used, parent_type="Task")
    (run,) = studio.journal.runs()
    assert run.state == "done", run.reason
    undo = studio.order("undo", run=run.id)
    studio.settle()
    names = {row["name"] for row in show.site.rows(f'select name from Task where parent_id is "{shot}"')}
    assert names == {"compositing", "used"}
    assert description(show, task) in ("", "None")
    assert "used by others" in studio.journal.run(undo["run"]).row.reason


def test_a_message_is_sent_once_however_often_its_event_comes(studio: Room, show: Production) -> None:
    task = show.task(show.shot())
    message = SendSlack(
        slot="m", reason="so", channel="#general", text="Ready for Comp", dedupe="ready:001_0010:comp:someone"
    )
    studio.start(FunctionHandler(lambda changes, ctx: Plan((message,))))
    change = show.added("Task", task)
    send(studio, change, change, change)
    studio.settle()
    assert studio.states() == ["done"] * 3
    assert [each.text for each in show.messages()] == ["Ready for Comp"]


def test_a_message_waits_while_slack_asks_for_patience_and_then_goes_out(studio: Room, show: Production) -> None:
    task = show.task(show.shot())
    show.slack_server.limit(1, 1)
    message = SendSlack(slot="m", reason="so", channel="#general", text="soon", dedupe="soon")
    studio.start(FunctionHandler(lambda changes, ctx: Plan((message,))))
    send(studio, show.added("Task", task))
    studio.wait_for(lambda: studio.states() == ["done"])
    assert [each.text for each in show.messages()] == ["soon"]


def test_an_answer_that_was_lost_does_not_make_a_second_message(studio: Room, show: Production) -> None:
    task = show.task(show.shot())
    studio.store.set("slack", "timeout", 0.5)
    show.slack_server.lose_answers(1)
    message = SendSlack(slot="m", reason="so", channel="#general", text="once", dedupe="once")
    studio.start(FunctionHandler(lambda changes, ctx: Plan((message,))))
    send(studio, show.added("Task", task))
    studio.wait_for(lambda: studio.states() == ["done"], 20)
    assert [each.text for each in show.messages()] == ["once"]


def test_a_refused_message_fails_the_run_with_slacks_reason(studio: Room, show: Production) -> None:
    task = show.task(show.shot())
    message = SendSlack(slot="m", reason="so", channel="#general", text="hello", dedupe="nobody")
    known = show.slack_server.token
    show.slack._token = lambda: f"{known}-but-revoked"
    studio.start(FunctionHandler(lambda changes, ctx: Plan((message,))))
    send(studio, show.added("Task", task))
    studio.wait_for(lambda: studio.states() == ["failed"])
    assert "Slack does not accept the token" in studio.journal.runs()[0].reason
    show.slack._token = lambda: known
    studio.order("retry", run=studio.journal.runs()[0].id)
    studio.wait_for(lambda: studio.states() == ["done"])
    assert [each.text for each in show.messages()] == ["hello"]


def test_messages_of_one_digest_go_out_as_one(studio: Room, show: Production) -> None:
    shot = show.shot()
    studio.store.set("slack", "digest_window", 1.0)
    tasks = [show.task(shot, name=f"t{number}") for number in range(5)]

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        task = changes[0].entity_id
        return Plan((SendSlack(slot="m", reason="so", channel="#general", text=task, dedupe=task, digest="ready"),))

    studio.start(FunctionHandler(plan))
    send(studio, *(show.added("Task", task) for task in tasks))
    studio.wait_for(lambda: studio.states() == ["done"] * 5)
    (message,) = show.messages()
    assert sorted(message.text.splitlines()) == sorted(tasks)


def test_a_gap_makes_each_handler_look_for_what_it_missed_once(studio: Room, show: Production) -> None:
    import dataclasses
    import datetime as dt
    import time

    task = show.task(show.shot())
    missed = dataclasses.replace(
        show.added("Task", task), event_id=f"catch-up:{task}", occurred=dt.datetime.now(dt.UTC)
    )
    asked: list[dt.datetime] = []
    seen: list[Change] = []

    def look(changes: Sequence[Change], ctx: Context) -> Plan:
        seen.extend(changes)
        return skip("seen")

    def catch_up(ctx: Context, since: dt.datetime) -> list[Change]:
        asked.append(since)
        return [missed]

    studio.start(FunctionHandler(look, catch_up=catch_up))
    now = time.time()
    for since, until in ((now - 60, now), (now - 30, now)):
        gap = {"id": f"gap {since}", "topic": "signalbox.gap", "data": {"since": since, "until": until}}
        studio.send(RawEvent(gap, until, "signalbox"))
        studio.settle()
    assert len(seen) == 1
    assert seen[0].origin == "catch_up"
    assert seen[0].occurred is not None
    assert asked[0].timestamp() == pytest.approx(now - 60 - 300, abs=5)


def test_what_was_left_while_off_is_not_done_by_the_next_look_back(studio: Room, show: Production) -> None:
    import dataclasses
    import datetime as dt
    import time

    heard, unheard = show.task(show.shot()), show.task(show.shot())
    now = dt.datetime.now(dt.UTC)
    found = [
        dataclasses.replace(show.added("Task", task), event_id=f"catch-up:added:{task}", occurred=now)
        for task in (heard, unheard)
    ]
    again = dataclasses.replace(
        show.change("Task", heard, "update", {"statusid": ("a", "b")}),
        event_id="catch-up:later",
        occurred=now + dt.timedelta(seconds=30),
    )
    seen: list[Change] = []

    def look(changes: Sequence[Change], ctx: Context) -> Plan:
        seen.extend(changes)
        return skip("seen")

    studio.start(FunctionHandler(look, catch_up=lambda ctx, since: [*found, again]))
    studio.order("set_lever", handler="probe", position="off")
    studio.settle()
    send(studio, found[0], again)
    studio.settle()
    studio.order("set_lever", handler="probe", position="on")
    studio.settle()
    gap = {"id": "gap", "topic": "signalbox.gap", "data": {"since": time.time() - 5, "until": time.time()}}
    studio.send(RawEvent(gap, time.time(), "signalbox"))
    studio.settle()
    # Two tasks, two keys: which comes first is nobody's promise.
    assert sorted((change.entity_id, change.action) for change in seen) == sorted([(unheard, "add"), (heard, "update")])


def test_a_long_gap_is_caught_up_in_dry_run_for_a_person_to_release(studio: Room, show: Production) -> None:
    import dataclasses
    import time

    task = show.task(show.shot())
    missed = dataclasses.replace(show.added("Task", task), event_id=f"catch-up:{task}")
    plans = FunctionHandler(
        lambda changes, ctx: Plan((rename(show, task, "late"),)), catch_up=lambda ctx, since: [missed]
    )
    studio.start(plans)
    now = time.time()
    gap = {"id": "gap", "topic": "signalbox.gap", "data": {"since": now - 5 * 3600, "until": now}}
    studio.send(RawEvent(gap, now, "signalbox"))
    studio.settle()
    run = next(run for run in studio.journal.runs() if run.kind == "handler")
    assert run.state == "planned"
    studio.order("apply_planned", run=run.id, plan_hash=studio.journal.plan_hash(run.id))
    studio.settle()
    assert description(show, task) == "late"
