"""Outward effects in doubt, too old, and out of order; kinds of runs that others bring."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import pytest
from engine_room import FunctionHandler, Room, update

from app.effects import KINDS
from app.effects.disk import MakeFolder
from app.engine.doors import Doors
from app.engine.executor import Ending, Tools
from app.engine.kinds import OutboxEffect
from app.engine.protocol import Change, Context, Later, Plan
from app.journal.queue import NewRun, QueuedRun
from app.journal.rows import RawEvent

#: What arrived outside, and how the outside behaves, by the key of a message.
WORLD: dict[str, list[str]] = {}


class Outside(OutboxEffect):
    """An effect on a world that a test looks at. ``how`` says what happens: "lost" means the answer is."""

    kind: ClassVar[str] = "test_outside"

    how: str = "fine"
    life: float | None = None

    def describe(self) -> str:
        return f"send {self.dedupe}"

    def lifetime(self) -> float | None:
        return self.life

    def send(self, doors: Doors, carried: Sequence[Self]) -> dict[str, Any]:
        arrived = WORLD.setdefault(self.dedupe, [])
        arrived.append(self.how)
        if self.how.startswith("lost") and len(arrived) == 1:
            raise ConnectionError("no answer came")
        return {"number": len(arrived)}

    def find(self, doors: Doors, since: float) -> dict[str, Any] | None:
        if self.how == "lost and hidden":
            raise PermissionError("nobody may look")
        return {"found": True} if WORLD.get(self.dedupe) else None


class Insistent(Outside):
    """The same, but a message too many is better than none."""

    kind: ClassVar[str] = "test_insistent"
    on_doubt: ClassVar[Any] = "send"


_KINDS = {**KINDS, Outside.kind: Outside, Insistent.kind: Insistent}


@pytest.fixture
def dedupe(room: Room) -> str:
    return str(room.folder)


def sends(effect: Outside) -> FunctionHandler:
    return FunctionHandler(lambda changes, ctx: Plan((effect,)))


def test_what_may_have_arrived_is_looked_for_before_it_is_sent_again(room: Room, dedupe: str) -> None:
    room.start(sends(Outside(slot="o", reason="so", dedupe=dedupe, how="lost")), kinds=_KINDS)
    room.send(update("t"))
    room.wait_for(lambda: room.states() == ["done"])
    assert len(WORLD[dedupe]) == 1
    assert room.journal.run(1).effects[0].after == {"found": True}


def test_in_doubt_a_person_is_asked_when_nobody_can_look(room: Room, dedupe: str) -> None:
    room.start(sends(Outside(slot="o", reason="so", dedupe=dedupe, how="lost and hidden")), kinds=_KINDS)
    room.send(update("t"))
    room.wait_for(lambda: room.states() == ["in_doubt"])
    assert len(WORLD[dedupe]) == 1
    assert "cannot be looked for" in room.journal.runs()[0].reason


def test_in_doubt_a_message_is_sent_again_once_and_marked(room: Room, dedupe: str) -> None:
    room.start(sends(Insistent(slot="o", reason="so", dedupe=dedupe, how="lost and hidden")), kinds=_KINDS)
    room.send(update("t"))
    room.wait_for(lambda: room.states() == ["done"])
    assert len(WORLD[dedupe]) == 2
    (row,) = room.journal.outbox()
    assert (row["state"], row["doubt"]) == ("sent", 1)


def test_a_message_that_is_too_old_is_dropped_and_says_so(room: Room, dedupe: str) -> None:
    room.start(sends(Outside(slot="o", reason="so", dedupe=dedupe, life=60.0)), kinds=_KINDS)
    event = update("t")
    room.send(RawEvent(event.payload, time.time() - 3600))
    room.wait_for(lambda: room.states() == ["done"])
    assert dedupe not in WORLD
    assert "dropped: it is too old" in room.journal.runs()[0].reason


def test_an_effect_after_an_outward_one_is_a_defect_of_the_plan(room: Room, dedupe: str) -> None:
    folder = MakeFolder(slot="f", reason="so", path=room.drive / "late", root=room.drive)
    outside = Outside(slot="o", reason="so", dedupe=dedupe)
    room.start(FunctionHandler(lambda changes, ctx: Plan((outside, folder))), kinds=_KINDS)
    room.send(update("t"))
    room.settle()
    assert room.states() == ["failed"]
    assert "what goes outside goes last" in room.journal.runs()[0].reason
    assert dedupe not in WORLD


def test_a_message_in_the_outbox_does_not_hold_the_key(room: Room, dedupe: str) -> None:
    class Patient(Outside):
        kind: ClassVar[str] = "test_patient"

        def send(self, doors: Doors, carried: Sequence[Self]) -> dict[str, Any]:
            raise Later("not now", 60)

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        return Plan((Patient(slot="o", reason="so", dedupe=f"{dedupe}{ctx.run_id}"),))

    room.start(FunctionHandler(plan), kinds={**_KINDS, Patient.kind: Patient})
    room.send(update("t"), update("t"))
    room.wait_for(lambda: room.states() == ["waiting", "waiting"])
    room.wait_for(lambda: [row["attempts"] for row in room.journal.outbox()] == [0, 1], 5)
    room.order_quickly("cancel", run=1)
    room.wait_for(lambda: room.states() == ["cancelled", "waiting"])
    assert room.journal.outbox()[1]["state"] == "cancelled"


class Posted(Outside):
    """One of many that may go out as one; where it is "busy" it is asked to come again first."""

    kind: ClassVar[str] = "test_posted"

    group: str = ""

    def digest_key(self) -> str:
        return self.group

    def send(self, doors: Doors, carried: Sequence[Self]) -> dict[str, Any]:
        if self.how == "busy" and f"{self.dedupe} asked" not in WORLD:
            WORLD[f"{self.dedupe} asked"] = []
            raise Later("not now", 0.05)
        for each in (self, *carried):
            WORLD.setdefault(each.dedupe, []).append(self.dedupe)
        return {"carried": len(carried)}


def test_messages_that_went_out_with_another_are_not_sent_again_in_the_same_round(room: Room, dedupe: str) -> None:
    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        return Plan(
            tuple(
                Posted(slot=f"m{number}", reason="so", dedupe=f"{dedupe}{number}", group="ready", how=how)
                for number, how in enumerate(("busy", "fine", "fine", "fine"))
            )
        )

    room.store.set("slack", "digest_window", 0.2)
    room.start(FunctionHandler(plan), kinds={**_KINDS, Posted.kind: Posted})
    room.send(update("t"))
    room.wait_for(lambda: room.states() == ["done"])
    sent = [WORLD[f"{dedupe}{number}"] for number in range(4)]
    assert [len(each) for each in sent] == [1] * 4
    assert len({each[0] for each in sent}) == 1
    assert [row["state"] for row in room.journal.outbox()] == ["sent"] * 4
    assert room.journal.due_messages() == []


def test_a_message_sent_already_is_neither_gathered_nor_queued_again(room: Room, dedupe: str) -> None:
    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        return Plan((Posted(slot="m", reason="so", dedupe=dedupe, group="ready"),))

    room.start(FunctionHandler(plan), kinds={**_KINDS, Posted.kind: Posted})
    room.store.set("slack", "digest_window", 0.0)
    room.send(update("t"))
    room.wait_for(lambda: room.states() == ["done"])
    (message,) = room.journal.messages_of(1)
    assert room.journal.gather(message, 50) == []
    room.journal.postpone(message.id, time.time() + 60)
    assert room.journal.mark_sending([message]) == []
    assert [row["state"] for row in room.journal.outbox()] == ["sent"]
    assert WORLD[dedupe] == [dedupe]


def test_what_must_be_looked_for_first_does_not_go_out_with_a_newer_message(room: Room, dedupe: str) -> None:
    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        names = [f"{dedupe}{number}" for number in range(2)]
        return Plan(tuple(Posted(slot=name, reason="so", dedupe=name, group="ready") for name in names))

    room.store.set("slack", "digest_window", 30.0)
    room.start(FunctionHandler(plan), kinds={**_KINDS, Posted.kind: Posted})
    room.send(update("t"))
    room.wait_for(lambda: room.states() == ["waiting"])
    doubtful, fresh = room.journal.messages_of(1)
    room.journal.settle([doubtful.id], "queued", look=True, due=time.time() + 60)
    assert [each.id for each in room.journal.gather(fresh, 50)] == [fresh.id]


def test_a_kind_of_run_brings_only_its_executor(room: Room) -> None:
    class Counting:
        """Fails once, waits once, then is done."""

        def __init__(self) -> None:
            self.calls = 0

        def execute(self, batch: Sequence[QueuedRun], tools: Tools) -> Ending:
            self.calls += 1
            if self.calls == 1:
                raise ConnectionError("the worker's disk hiccuped")
            if self.calls == 2:
                raise Later("the blocks before it are not done", 0.05)
            return Ending("done", f"{batch[0].facts['command']} ended")

    executor = Counting()
    room.start(executors={"task": executor})
    room.journal.add_runs(
        [
            NewRun(
                kind="task",
                handler="ffmpeg",
                identity="task:1",
                key="job:1",
                seq=0,
                received=time.time(),
                facts={"command": "transcode"},
            )
        ]
    )
    assert room.engine is not None
    room.engine.poke()
    room.wait_for(lambda: [row.state for row in room.journal.runs()] == ["done"])
    assert room.journal.runs()[0].reason == "transcode ended"
    assert room.journal.runs()[0].attempts == 1
