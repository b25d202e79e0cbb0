"""From an event to its end: order among equal keys, levers, retries, batches, the breaker."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import apsw
import pytest
from engine_room import PROJECT, FunctionHandler, NoSite, Room, update
from small_drive import remount, small_drive

from app.effects.base import Result
from app.effects.disk import MakeFolder
from app.effects.ftrack import SetMetadata
from app.engine.doors import SiteUnreachable
from app.engine.protocol import Change, Context, Later, Note, Plan, PlanError, skip


def folder_for(room: Room, change: Change, name: str = "") -> MakeFolder:
    return MakeFolder(
        slot=f"folder-{change.entity_id}",
        reason="the test wants it",
        entity_id=change.entity_id,
        path=room.drive / (name or change.entity_id),
        root=room.drive,
    )


def folders(room: Room) -> FunctionHandler:
    return FunctionHandler(lambda changes, ctx: Plan(tuple(folder_for(room, each) for each in changes)))


def test_an_event_becomes_a_run_whose_plan_is_applied_and_journalled(room: Room) -> None:
    room.start(folders(room))
    (row,) = room.send(update("t1"))
    room.settle()
    assert (room.drive / "t1").is_dir()
    (run,) = room.journal.runs_of_event(row)
    assert (run.state, run.effects, run.user) == ("done", 1, "artist")
    detail = room.journal.run(run.id)
    assert detail.effects[0].state == "applied"
    assert detail.effects[0].after == {"made": [str(room.drive / "t1")]}
    assert room.journal.event(row)["lamps"] == [["probe", "done"]]


def test_an_event_of_many_entities_becomes_one_run_each(room: Room) -> None:
    room.start(folders(room))
    (row,) = room.send(update("a", "b", "c"))
    room.settle()
    assert [run.entity_id for run in room.journal.runs_of_event(row)] == ["a", "b", "c"]
    assert sorted(path.name for path in room.drive.iterdir() if path.is_dir()) == ["a", "b", "c"]


def test_an_event_sent_twice_runs_once(room: Room) -> None:
    room.start(folders(room))
    first = room.send(update("t1", event_id="the-same"))
    again = room.send(update("t1", event_id="the-same"))
    room.settle()
    assert first == again
    assert room.states() == ["done"]


def test_equal_keys_run_in_event_order_and_different_keys_side_by_side(room: Room) -> None:
    order: list[str] = []
    both = threading.Barrier(2, timeout=5)

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        new = changes[0].changes["statusid"][1]
        if new in ("left", "right"):
            both.wait()
        order.append(new)
        return skip("noted")

    room.start(FunctionHandler(plan))
    room.send(update("x", changes={"statusid": ("", "left")}), update("y", changes={"statusid": ("", "right")}))
    room.send(*(update("z", changes={"statusid": ("", str(number))}) for number in range(20)))
    room.settle()
    assert {"left", "right"} <= set(order)
    assert [each for each in order if each.isdigit()] == [str(number) for number in range(20)]


def test_a_run_in_retry_holds_its_key_until_it_succeeds(room: Room) -> None:
    seen: list[str] = []
    failures = iter([True, True, False])

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        name = changes[0].changes["statusid"][1]
        if name == "first" and next(failures):
            raise ConnectionError("the network is away")
        seen.append(name)
        return skip("noted")

    room.start(FunctionHandler(plan))
    room.send(update("t", changes={"statusid": ("", "first")}), update("t", changes={"statusid": ("", "second")}))
    room.wait_for(lambda: len(seen) == 2)
    room.settle()
    assert seen == ["first", "second"]
    assert [row.attempts for row in reversed(room.journal.runs())] == [2, 0]


def test_a_plan_error_fails_the_run_at_once_with_its_words_and_does_not_pause_the_handler(room: Room) -> None:
    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        raise PlanError("the project has no root: set one")

    room.start(FunctionHandler(plan))
    room.send(*(update(f"t{number}") for number in range(8)))
    room.settle()
    assert room.states() == ["failed"] * 8
    assert room.journal.runs()[0].reason == "the project has no root: set one"
    assert room.journal.levers()[0].breaker == ""


def test_a_reason_that_no_encoding_takes_ends_its_run_all_the_same(room: Room) -> None:
    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        raise PlanError(f"no template in {os.fsdecode(b'caf' + bytes([0xE9]))}")

    room.start(FunctionHandler(plan))
    room.send(update("t"))
    room.settle(10)
    assert [(run.state, run.reason) for run in room.journal.runs()] == [("failed", "no template in caf\ufffd")]


def test_later_waits_and_plans_again(room: Room) -> None:
    tries: list[float] = []

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        tries.append(time.monotonic())
        if len(tries) == 1:
            raise Later("drive not mounted", 0.1)
        return skip("fine")

    room.start(FunctionHandler(plan))
    room.send(update("t"))
    room.wait_for(lambda: room.states() == ["waiting"])
    assert room.journal.runs()[0].reason == "drive not mounted"
    room.wait_for(lambda: room.states() == ["skipped"])
    assert tries[1] - tries[0] >= 0.1


def test_a_clock_that_is_set_back_by_an_hour_makes_no_pause_longer(room: Room) -> None:
    tries: list[int] = []

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        tries.append(ctx.run_id)
        if len(tries) == 1:
            raise Later("drive not mounted", 0.3)
        return skip("fine")

    room.start(FunctionHandler(plan))
    room.send(update("t"))
    room.wait_for(lambda: room.states() == ["waiting"])
    room.journal.now = lambda: time.time() - 3600  # type: ignore[method-assign]
    room.wait_for(lambda: room.states() == ["skipped"], 10)


def test_a_handler_that_fails_again_and_again_is_paused_and_goes_on_when_a_person_says_so(room: Room) -> None:
    broken = threading.Event()
    broken.set()

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        if broken.is_set():
            raise RuntimeError("a defect")
        return skip("works")

    room.store.set("engine", "attempts", 1)
    room.store.set("engine", "workers", 1)
    room.start(FunctionHandler(plan))
    room.send(*(update(f"t{number}") for number in range(9)))
    room.wait_for(lambda: room.states().count("paused") == 4)
    assert room.states().count("failed") == 5
    assert "5 failures in a row" in room.journal.levers()[0].breaker
    room.send(update("later"))
    room.settle()
    assert room.states()[-1] == "paused"
    broken.clear()
    assert room.order("resume_breaker", handler="probe") == {"runs": 5}
    room.settle()
    assert room.states().count("skipped") == 5
    assert room.journal.levers()[0].breaker == ""


def test_off_keeps_the_events_and_offers_them_when_turned_on(room: Room) -> None:
    room.start(folders(room))
    room.lever("off")
    room.send(update("a"), update("b"))
    room.settle()
    assert room.states() == []
    assert room.lever("on") == {"kept_events": 2}
    assert room.states() == [], "nothing happens without a word"
    assert room.order("process_kept", handler="probe")["runs"] == 2
    room.settle()
    assert room.states() == ["done", "done"]


def test_dry_run_shows_the_plan_and_touches_nothing_until_it_is_applied(room: Room) -> None:
    room.start(folders(room))
    room.lever("dry")
    room.send(update("t"))
    room.settle()
    (run,) = room.journal.runs()
    assert run.state == "planned"
    assert not (room.drive / "t").exists()
    assert room.journal.run(run.id).effects[0].words == f"make the folder {room.drive / 't'}"
    assert room.order("apply_planned", run=run.id, plan_hash=room.journal.plan_hash(run.id)) == {"run": run.id}
    room.settle()
    assert (room.drive / "t").is_dir()
    assert room.states() == ["done"]


def test_applying_from_a_dry_run_asks_again_when_the_plan_is_another_by_now(room: Room) -> None:
    names = iter(["seen", "different", "different"])
    room.start(FunctionHandler(lambda changes, ctx: Plan((folder_for(room, changes[0], next(names)),))))
    room.lever("dry")
    room.send(update("t"))
    room.settle()
    (run,) = room.journal.runs()
    room.order("apply_planned", run=run.id, plan_hash=room.journal.plan_hash(run.id))
    room.settle()
    (run,) = room.journal.runs()
    assert run.state == "planned"
    assert "differs" in run.reason
    assert not (room.drive / "different").exists()
    room.order("apply_planned", run=run.id, plan_hash=room.journal.plan_hash(run.id))
    room.settle()
    assert (room.drive / "different").is_dir()


def test_a_project_can_have_a_lever_of_its_own(room: Room) -> None:
    from app.journal.rows import NameRow

    room.journal.learn_names([NameRow("project-a", "Project", "bigbuck"), NameRow("project-b", "Project", "sintel")])
    room.start(folders(room))
    room.lever("off", project="bigbuck")
    room.send(update("a", project="project-a"), update("b", project="project-b"))
    room.settle()
    assert [run.project for run in room.journal.runs()] == ["sintel"]
    override = next(row for row in room.journal.levers() if row.project)
    assert (override.project, override.position, override.kept_events) == ("bigbuck", "off", 1)


def test_a_run_that_is_claimed_while_somebody_orders_it_again_is_not_at_work_twice(room: Room) -> None:
    at_work: list[int] = []
    gate = threading.Event()

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        at_work.append(ctx.run_id)
        if len(at_work) == 1:
            raise Later("not yet", 0.3)
        gate.wait(10)
        return skip("fine")

    room.store.set("engine", "poll", 5.0)
    room.start(FunctionHandler(plan))
    room.send(update("t"))
    room.wait_for(lambda: room.states() == ["waiting"])
    order = room.journal.order("retry", {"run": at_work[0]}, "a person")
    due = room.journal.runs()[0].due
    # Somebody writes for long: the worker that wants the run waits for that, and behind it the order.
    with room.journal.write():
        room.wait_for(lambda: room.journal.now() > due + 0.1)
        assert room.engine is not None
        room.engine.poke()
        threading.Event().wait(0.1)
    room.wait_for(lambda: len(at_work) >= 2 and room.journal.order_row(order).state != "open")
    threading.Event().wait(0.1)
    gate.set()
    room.settle()
    assert len(at_work) == 2
    assert room.states() == ["skipped"]


def test_a_run_that_is_tried_again_waits_for_a_later_one_of_its_key_that_is_at_work(room: Room) -> None:
    together: list[int] = []
    gate = threading.Event()
    at_work = threading.Semaphore(1)

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        together.append(ctx.run_id)
        if together == [ctx.run_id]:
            raise PlanError("not this time")
        assert at_work.acquire(blocking=False), "two runs of one key at once"
        gate.wait(10)
        at_work.release()
        return skip("fine")

    room.start(FunctionHandler(plan))
    room.send(update("t"))
    room.settle()
    room.send(update("t"))
    room.wait_for(lambda: len(together) == 2)
    order = room.journal.order("retry", {"run": together[0]}, "a person")
    room.wait_for(lambda: room.journal.order_row(order).state == "done")
    gate.set()
    room.settle()
    assert room.states() == ["skipped", "skipped"]


def test_dispatch_waits_for_no_site_while_a_run_asks_for_the_name_of_its_project(
    room_with: Callable[..., Room],
) -> None:
    answer = threading.Event()
    asked = threading.Event()

    class Slow(NoSite):
        def rows(self, expression: str) -> list[dict[str, Any]]:
            asked.set()
            answer.wait(10)
            return [{"id": PROJECT, "name": "bigbuck"}]

    room = room_with(Slow)
    room.start(FunctionHandler(lambda changes, ctx: skip("fine")))
    room.send(update("first"))
    assert asked.wait(10)
    # From now on dispatch too wants to know which project it is.
    room.journal.set_lever("probe", "bigbuck", "off", "a person", "")
    room.send(update("second"))
    written = threading.Thread(target=room.journal.set_fact, args=("a fact", 1))
    written.start()
    written.join(2)
    assert not written.is_alive(), "who writes waits for the site"
    answer.set()
    room.settle(10)
    assert [row.kept_events for row in room.journal.levers() if row.project] == [1]


def test_the_lever_of_a_project_holds_though_the_site_could_not_say_its_name(room_with: Callable[..., Room]) -> None:
    class Away(NoSite):
        def rows(self, expression: str) -> list[dict[str, Any]]:
            if threading.current_thread().name == "engine-pump":
                raise SiteUnreachable("nothing listens there")
            return [{"id": PROJECT, "name": "bigbuck"}]

    room = room_with(Away)
    room.start(folders(room))
    room.journal.set_lever("probe", "bigbuck", "off", "a person", "")
    room.send(update("t"))
    room.settle()
    assert room.states() == ["stopped"]
    assert not any(room.drive.glob("t*"))


def test_a_lever_moved_to_off_in_the_middle_stops_the_plan_and_it_can_be_resumed(room: Room) -> None:
    reached, go = threading.Event(), threading.Event()

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        reached.set()
        go.wait(5)
        return Plan((folder_for(room, changes[0]),))

    room.start(FunctionHandler(plan))
    room.send(update("t"))
    assert reached.wait(5)
    number = room.journal.order("set_lever", {"handler": "probe", "position": "off"}, "a person")
    room.engine.poke()  # type: ignore[union-attr]
    room.wait_for(lambda: room.journal.order_row(number).state == "done")
    go.set()
    room.settle()
    assert room.states() == ["stopped"]
    assert not (room.drive / "t").exists()
    room.lever("on")
    room.order("resume", run=room.journal.runs()[0].id)
    room.settle()
    assert room.states() == ["done"]
    assert (room.drive / "t").is_dir()


def test_a_blocked_handler_does_not_delay_others(room: Room) -> None:
    free = threading.Event()
    times: dict[str, float] = {}

    def quick(changes: Sequence[Change], ctx: Context) -> Plan:
        times[changes[0].entity_id] = time.monotonic()
        return skip("quick")

    def slow(changes: Sequence[Change], ctx: Context) -> Plan:
        free.wait(20)
        return skip("slow")

    blocked = FunctionHandler(slow, name="blocked", key=lambda change: f"blocked:{change.entity_id}")
    room.start(blocked, FunctionHandler(quick))
    room.send(*(update(f"b{number}") for number in range(12)))
    room.wait_for(lambda: len(times) == 12)
    sent = time.monotonic()
    room.send(update("late"))
    room.wait_for(lambda: "late" in times)
    delay = times["late"] - sent
    free.set()
    room.settle()
    assert delay < 0.25, f"{delay:.3f} s"


def test_a_batch_gives_many_changes_of_one_key_to_one_plan_and_each_run_its_own_end(room: Room) -> None:
    plans: list[int] = []

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        plans.append(len(changes))
        good = [each for each in changes if each.entity_id != "bad"]
        return Plan(
            tuple(folder_for(room, each) for each in good),
            tuple(Note(each.entity_id, "failed", "no such thing") for each in changes if each not in good),
        )

    room.send(update("a", "b", "bad", "c"))
    room.start(FunctionHandler(plan, key=lambda change: "list", batch=100))
    room.settle()
    assert plans == [4]
    assert room.states() == ["done", "done", "failed", "done"]
    second = room.journal.run(room.journal.runs()[2].id)
    assert second.row.entity_id == "b"
    assert [effect.slot for effect in second.effects] == ["folder-b"]


def test_a_plan_that_leaves_something_to_commit_fails_its_run(room: Room) -> None:
    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        ctx.site.session.recorded_operations.append("status = approved")
        return Plan((folder_for(room, changes[0]),))

    room.store.set("engine", "breaker_failures", 1)
    room.start(FunctionHandler(plan))
    room.send(update("t"))
    room.settle()
    assert room.states() == ["failed"]
    assert "left 1 operation to commit" in room.journal.runs()[0].reason
    assert room.journal.levers()[0].breaker, "a defect of the handler, which counts"
    assert not (room.drive / "t").exists()


def test_a_handler_that_returns_what_is_no_plan_is_told_so_and_paused(room: Room) -> None:
    folder = MakeFolder(slot="same", reason="twice", path=room.drive / "made", root=room.drive)

    def told(slot: str, field: str) -> SetMetadata:
        values = {"path": Result(slot=slot, field=field)}
        return SetMetadata(slot="told", reason="so", entity_type="Task", id="1", values=values, label="the task")

    returned: dict[str, Any] = {
        "t0": None,
        "t1": Plan(("a folder",)),  # type: ignore[arg-type]
        "t2": Plan((folder, folder)),
        "t3": Plan(notes=("skipped",)),  # type: ignore[arg-type]
        "t4": Plan((folder, told("nobody", "path"))),
        "t5": Plan((folder, told("same", "nothing"))),
    }

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        plan: Plan = returned[changes[0].entity_id]
        return plan

    room.store.set("engine", "workers", 1)
    room.store.set("engine", "breaker_failures", 6)
    room.start(FunctionHandler(plan))
    room.send(*(update(f"t{number}") for number in range(7)))
    room.wait_for(lambda: room.states() == [*["failed"] * 6, "paused"])
    assert "6 failures in a row" in room.journal.levers()[0].breaker
    assert [run.reason for run in reversed(room.journal.runs())][:6] == [
        "plan() returned NoneType instead of a Plan. Nothing was written",
        "the plan holds str where the engine expects Effect. Nothing was written",
        "two effects of the plan are called 'same': slots are unique within a plan",
        "the plan holds str where the engine expects Note. Nothing was written",
        "the effect 'told' needs a result of 'nobody': no effect before it is called so",
        "the step 'told' needs 'nothing' of the step 'same', which has no such result",
    ]
    assert [run.attempts for run in room.journal.runs()] == [0] * 7, "it fails the same way each time"
    assert len([row for run in room.journal.runs() for row in room.journal.effects_of(run.id) if row.after_json]) == 1


def test_a_plan_that_does_not_return_is_told_of_in_the_log_beside_the_run_and_by_a_lamp(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    answer = threading.Event()

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        answer.wait(60)
        return skip("fine")

    def lamp() -> tuple[str, str]:
        return next(((row.state, row.words) for row in room.journal.health() if row.name == "plans"), ("", ""))

    room.store.set("engine", "no_progress", 0.1)
    room.start(FunctionHandler(plan))
    (event,) = room.send(update("t"))
    room.wait_for(lambda: lamp() == ("warning", f"probe does not return: run 1 for event {event} (t)"))
    assert room.journal.runs()[0].reason == "no sign of life for 0.1 s: see the log"
    (line,) = [record for record in caplog.records if "does not return" in record.message]
    assert f"probe does not return: run 1 for event {event}" in line.message
    assert "Set its lever to Off" in line.message
    answer.set()
    room.wait_for(lambda: lamp() == ("ok", "every plan returns"))
    assert room.states() == ["skipped"]


def test_the_log_names_what_a_run_was_about_and_what_was_ordered_without_ids(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    room.start(FunctionHandler(lambda changes, ctx: skip("nothing to do")))
    identity = "5b7c3c7e-6f1e-11f0-9d0a-0242ac120002"
    room.send(update(identity))
    room.settle()
    (run,) = room.journal.runs()
    room.order("retry", run=run.id)
    lines = [record.getMessage() for record in caplog.records]
    assert f"a person had run {run.id} (probe) tried again" in lines
    assert lines.count(f"{run.entity_type} whose name is not known: skipped: nothing to do") == 2
    assert not [line for line in lines if identity in line or "{" in line]


def test_replay_makes_a_folder_again_that_was_deleted_by_hand(room: Room) -> None:
    room.start(folders(room))
    (row,) = room.send(update("t"))
    room.settle()
    (room.drive / "t").rmdir()
    assert "run" in room.order("replay", event_row=row, dry=True)
    room.settle()
    assert not (room.drive / "t").exists()
    room.order("replay", event_row=row, handler="probe", dry=False)
    room.settle()
    assert (room.drive / "t").is_dir()
    assert room.states() == ["done", "planned", "done"]


def test_a_preview_plans_whatever_the_lever_says(room: Room) -> None:
    room.start(folders(room))
    room.lever("off")
    (row,) = room.send(update("t"))
    result = room.order("preview", event_row=row, handler="probe")
    room.settle()
    detail = room.journal.run(result["run"])
    assert (detail.row.kind, detail.row.state, len(detail.effects)) == ("preview", "planned", 1)
    assert not (room.drive / "t").exists()


def test_an_effect_that_fails_leaves_other_entities_alone(room: Room) -> None:
    (room.drive / "a").write_text("a file where the folder should be")
    room.send(update("a", "b"))
    room.start(
        FunctionHandler(
            lambda changes, ctx: Plan(tuple(folder_for(room, each) for each in changes)),
            key=lambda change: "all",
            batch=10,
        )
    )
    room.settle()
    assert room.states() == ["failed", "done"]
    assert "in the way" in room.journal.runs()[1].reason
    assert (room.drive / "b").is_dir()


def test_a_missing_drive_makes_the_run_wait_until_it_is_mounted(room: Room) -> None:
    (room.drive / ".signalbox-drive").unlink()
    room.start(folders(room))
    room.send(update("t"))
    room.wait_for(lambda: room.states() == ["waiting"])
    assert "Drive not mounted" in room.journal.runs()[0].reason
    assert not (room.drive / "t").exists()
    (room.drive / ".signalbox-drive").touch()
    room.wait_for(lambda: room.states() == ["done"])
    assert (room.drive / "t").is_dir()


def test_the_end_of_a_run_waits_while_another_program_keeps_the_journal_to_itself(room: Room) -> None:
    planning, gate = threading.Event(), threading.Event()

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        planning.set()
        gate.wait(10)
        return skip("fine")

    room.start(FunctionHandler(plan))
    room.send(update("t"))
    assert planning.wait(10)
    room.journal.patience = 0.1
    other = apsw.Connection(str(room.journal.path))
    other.execute("BEGIN IMMEDIATE")
    gate.set()
    threading.Event().wait(0.5)
    other.execute("ROLLBACK")
    other.close()
    room.wait_for(lambda: room.states() == ["skipped"], 20)


def test_a_full_disk_is_told_in_words_and_tried_again(room: Room) -> None:
    with small_drive(room.drive, "size=1m,nr_inodes=2"):
        room.start(folders(room))
        room.send(update("t"))
        room.wait_for(lambda: room.states() == ["retry"])
        assert room.journal.runs()[0].reason == f"the disk is full, cannot write {room.drive}/t: make room"
        remount(room.drive, "nr_inodes=20")
        room.wait_for(lambda: room.states() == ["done"])
        assert (room.drive / "t").is_dir()


def test_continue_queues_a_further_run_with_its_facts(room: Room) -> None:
    facts: list[object] = []

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        facts.append(dict(ctx.facts))
        if not ctx.facts:
            return Plan((folder_for(room, changes[0]),), continue_with={"page": 2})
        return skip("the end")

    room.start(FunctionHandler(plan))
    room.send(update("t"))
    room.settle()
    assert facts == [{}, {"page": 2}]
    assert room.states() == ["done", "skipped"]


def test_a_run_that_waits_can_be_cancelled_and_a_failed_one_retried(room: Room) -> None:
    fail = threading.Event()
    fail.set()

    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        if changes[0].entity_id == "waits":
            raise Later("not yet", 60)
        if fail.is_set():
            raise PlanError("no")
        return Plan((folder_for(room, changes[0]),))

    room.start(FunctionHandler(plan))
    room.send(update("waits"), update("fails"))
    room.wait_for(lambda: sorted(room.states()) == ["failed", "waiting"])
    runs = {run.entity_id: run.id for run in room.journal.runs()}
    room.order("cancel", run=runs["waits"])
    fail.clear()
    room.order("retry", run=runs["fails"])
    room.settle()
    assert {run.entity_id: run.state for run in room.journal.runs()} == {"waits": "cancelled", "fails": "done"}


@pytest.mark.parametrize(
    ("kind", "args", "why"),
    [
        ("replay", {"event_row": 99}, "not in the journal"),
        ("retry", {"run": 99}, "not in the journal"),
        ("set_lever", {"handler": "nobody", "position": "on"}, "no handler"),
        ("set_lever", {"handler": "probe", "position": "up"}, "off, dry or on"),
        ("undo", {}, "lacks 'run'"),
        ("catch_up", {"since": 32503680000}, "begin in the past"),
        ("catch_up", {"since": 1, "handler": "nobody"}, "no handler 'nobody'"),
        ("dance", {}, "does not know the order"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_with_the_reason(
    room: Room, kind: str, args: dict[str, object], why: str
) -> None:
    room.start(folders(room))
    assert why in str(room.order(kind, **args)["refused"])


def test_a_handler_whose_wants_fails_does_not_stop_the_others(room: Room) -> None:
    def defect(change: Change) -> bool:
        raise KeyError("statusid")

    room.start(FunctionHandler(lambda changes, ctx: skip("never"), name="broken", wants=defect), folders(room))
    room.send(update("t"))
    room.settle()
    assert room.states("broken") == ["failed"]
    assert room.states() == ["done"]


def test_a_handler_that_names_no_key_fails_alone_and_the_events_after_it_go_on(room: Room) -> None:
    def forgot(change: Change) -> str:
        return None  # type: ignore[return-value]

    room.start(FunctionHandler(lambda changes, ctx: skip("never"), name="keyless", key=forgot), folders(room))
    room.send(update("t"))
    room.settle()
    assert room.states("keyless") == ["failed"]
    assert room.states() == ["done"]
    assert "key() returned NoneType instead of a text" in room.journal.runs("keyless")[0].reason


def test_undo_takes_back_what_is_still_ours_and_lists_what_it_left_alone(room: Room) -> None:
    room.start(
        FunctionHandler(
            lambda changes, ctx: Plan(
                tuple(
                    folder_for(room, changes[0], name).model_copy(update={"slot": name}) for name in ("mine", "shared")
                )
            )
        )
    )
    room.send(update("t"))
    room.settle()
    (room.drive / "shared" / "work.mb").write_text("an artist's")
    run = room.journal.runs()[0]
    preview = room.order("preview_undo", run=run.id)
    room.settle()
    assert room.journal.run(preview["run"]).row.state == "planned"
    assert (room.drive / "mine").is_dir()
    undo = room.order("undo", run=run.id)
    room.settle()
    assert not (room.drive / "mine").exists()
    assert (room.drive / "shared" / "work.mb").exists()
    assert "not empty" in room.journal.run(undo["run"]).row.reason
    states = {effect.slot: effect.state for effect in room.journal.run(run.id).effects}
    assert states == {"mine": "undone", "shared": "kept"}
