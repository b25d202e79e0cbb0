"""What is kept and read: events in words, pages and filters, runs, retention, log lines."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from engine_room import PROJECT, update
from listening import until
from small_drive import small_drive

from app.journal.journal import Journal
from app.journal.log import LogStore
from app.journal.log_handler import JournalLogHandler
from app.journal.queue import NewRun
from app.journal.rows import EventFilter, LogFilter, LogRow, NameRow, RawEvent
from app.settings.redact import know


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(tmp_path / "journal")
    yield opened
    opened.close()


def run(name: str, key: str = "k", **more: object) -> NewRun:
    return NewRun(kind="handler", handler="probe", identity=name, key=key, seq=1, received=time.time(), **more)  # type: ignore[arg-type]


def test_an_event_is_told_in_words_and_known_names(journal: Journal) -> None:
    journal.learn_names(
        [
            NameRow("task", "Task", "animation", "BC_0010 animation"),
            NameRow("11111111-2222-4333-8444-555555555555", "Status", "Ready for Lighting"),
            NameRow(PROJECT, "Project", "bigbuck"),
        ]
    )
    journal.append_events([update("task", changes={"statusid": ("a", "11111111-2222-4333-8444-555555555555")})])
    (row,) = journal.events()
    assert row.words == "BC_0010 animation: status Ready for Lighting"
    assert (row.project, row.entity, row.user) == ("bigbuck", "BC_0010 animation", "artist")


def test_names_learnt_later_change_the_words_of_events_that_came_before(journal: Journal) -> None:
    journal.append_events([update("task", changes={"bid": (0, 3600)})])
    assert journal.events()[0].words == "task: bid 1 h"
    journal.learn_names([NameRow("task", "Task", "layout", "BC_0020 layout")])
    assert journal.events()[0].words == "BC_0020 layout: bid 1 h"


def test_an_added_entity_says_its_own_name(journal: Journal) -> None:
    journal.append_events([update("new", action="add", changes={"name": (None, "roto")})])
    journal.append_events([update("new", changes={"bid": (0, 3600)})])
    assert [row.words for row in journal.events()] == ["roto: bid 1 h", "roto: task added"]


def test_many_entities_are_counted(journal: Journal) -> None:
    journal.append_events([update("a", "b", "c", changes={"bid": (0, 3600)})])
    assert journal.events()[0].words == "3 tasks: bid 1 h"


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"topic": "unknown.topic", "data": None},
        {"topic": "ftrack.update", "data": {"entities": None}},
        {"topic": "ftrack.update", "data": {"entities": [None, 3, {"entityId": None}, {"changes": "x"}]}},
        {"topic": "ftrack.update", "source": "?", "data": {"entities": [{"entityId": "a", "parents": [None]}]}},
        {"topic": "ftrack.action.launch", "data": {"selection": [{"entityId": None}, 1], "actionIdentifier": "x"}},
    ],
)
def test_events_of_any_shape_are_kept(journal: Journal, payload: dict[str, object]) -> None:
    (row,) = journal.append_events([RawEvent(payload, 1.0)])
    assert journal.event(row)["raw"] == payload


def test_pages_go_back_from_the_newest_and_filters_hold(journal: Journal) -> None:
    journal.append_events([update(f"t{number}", user="ann" if number % 2 else "bo") for number in range(25)])
    first = journal.events(limit=10)
    second = journal.events(before=first[-1].id, limit=10)
    assert [row.id for row in (*first, *second)] == list(range(25, 5, -1))
    assert journal.count_events(EventFilter(user="ann")) == 12
    assert journal.count_events(EventFilter(text="ARTIST")) == 0
    assert journal.count_events(EventFilter(text="^task.*new", regex=True)) == 25
    assert journal.count_events(EventFilter(text="(", regex=True)) == 0
    assert journal.count_events(EventFilter(states=frozenset({"failed"}))) == 0


def test_keeping_an_event_costs_less_than_the_stock_hub_needs_to_count_one(journal: Journal) -> None:
    events = [update(f"t{number}") for number in range(2000)]
    # Time on the processor, since other tests run beside this one; the wall clock is the bench's.
    started = time.process_time()
    for at in range(0, len(events), 50):
        journal.append_events(events[at : at + 50])
    assert len(events) / (time.process_time() - started) > 2850


def test_four_threads_claim_each_run_once(journal: Journal) -> None:
    journal.add_runs([run(str(number), key=f"key{number}") for number in range(80)])
    claimed: list[int] = []

    def work() -> None:
        while batch := journal.claim("main", lambda handler: 1):
            claimed.extend(each.id for each in batch)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == list(range(1, 81))


def test_a_run_waits_while_an_earlier_one_holds_its_key(journal: Journal) -> None:
    first, second, other = journal.add_runs([run("a"), run("b"), run("c", key="else")])
    assert [each.id for each in journal.claim("main", lambda handler: 1)] == [first]
    assert [each.id for each in journal.claim("main", lambda handler: 1)] == [other]
    assert journal.claim("main", lambda handler: 1) == []
    journal.set_state([first or 0], "retry", "not yet", due=time.time() + 60)
    assert journal.claim("main", lambda handler: 1) == [], "a run in retry holds its key"
    journal.set_state([first or 0], "failed", "no")
    assert [each.id for each in journal.claim("main", lambda handler: 1)] == [second]


def test_claiming_stays_quick_behind_thousands_of_runs_of_one_key(journal: Journal) -> None:
    journal.add_runs([run(f"blocked{number}") for number in range(3000)])
    journal.add_runs([run("free", key="free")])
    journal.claim("main", lambda handler: 1)
    started = time.process_time()
    (found,) = journal.claim("main", lambda handler: 1)
    assert found.identity == "free"
    assert time.process_time() - started < 0.1


def test_the_same_identity_is_queued_once(journal: Journal) -> None:
    assert journal.add_runs([run("a"), run("a")]) == [1, None]


def test_old_events_and_runs_are_forgotten_but_not_what_is_still_to_do(journal: Journal) -> None:
    old = time.time() - 40 * 86400
    for name in ("ended", "open", "unseen"):
        journal.append_events([RawEvent({"id": name, "topic": "t"}, old)])
    journal.set_cursor(2)
    ended, _ = journal.add_runs([run("ended", event_row=1), run("open", event_row=2)])
    journal.set_state([ended or 0], "done")
    journal.now = lambda: time.time() + 40 * 86400  # type: ignore[method-assign]
    while journal.forget(time.time() + 86400):
        pass
    assert [row.event_id for row in journal.events()] == ["unseen", "open"]
    assert [row.id for row in journal.runs()] == [2]


def test_log_lines_are_filtered_and_followed(tmp_path: Path) -> None:
    store = LogStore.open(tmp_path)
    store.append(
        [
            LogRow(0, 1.0, logging.INFO, "signalbox.run", "made a folder", "probe", 4, 2, "bigbuck", "BC_0010"),
            LogRow(0, 2.0, logging.ERROR, "signalbox.run", "failed", "probe", 5),
        ]
    )
    assert [line.message for line in store.lines()] == ["failed", "made a folder"]
    assert store.count(LogFilter(level=logging.WARNING)) == 1
    assert [line.message for line in store.lines(LogFilter(run_id=4))] == ["made a folder"]
    assert [line.message for line in store.after(1)] == ["failed"]
    assert store.count(LogFilter(text="^made", regex=True)) == 0, "the logger's name comes first"
    assert store.last_id() == 2
    assert store.forget(1.5) == 1
    store.close()


def test_a_logged_secret_never_reaches_the_file(tmp_path: Path) -> None:
    know("s3cret-of-the-studio")
    store = LogStore.open(tmp_path)
    handler = JournalLogHandler(store, interval=0.01)
    logger = logging.getLogger("signalbox.test.secret")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        logger.warning("the key is %s", "s3cret-of-the-studio", extra={"run_id": 3, "handler": "probe"})
        try:
            raise ValueError("s3cret-of-the-studio")
        except ValueError:
            logger.exception("it failed")
        handler.close()
    finally:
        logger.removeHandler(handler)
    lines = store.lines()
    assert (lines[1].handler, lines[1].run_id) == ("probe", 3)
    assert "Traceback" in lines[0].message
    assert not any("s3cret" in line.message for line in lines)
    store.close()


def test_one_line_that_no_encoding_takes_does_not_end_the_log(tmp_path: Path) -> None:
    store = LogStore.open(tmp_path)
    handler = JournalLogHandler(store, interval=0.01)
    logger = logging.getLogger("signalbox.test.names")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        logger.warning("no template in %s", os.fsdecode(b"caf\xe9"))
        assert until(lambda: store.last_id() == 1)
        logger.warning("the next line")
        assert until(lambda: store.last_id() == 2)
    finally:
        logger.removeHandler(handler)
        handler.close()
    assert [line.message for line in store.lines()] == ["the next line", "no template in caf\ufffd"]
    store.close()


def test_lines_wait_while_the_disk_of_the_log_is_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_drive(tmp_path / "disk", "size=512k") as disk:
        store = LogStore.open(disk / "journal")
        handler = JournalLogHandler(store, interval=0.01)
        logger = logging.getLogger("signalbox.test.full")
        logger.propagate = False
        logger.addHandler(handler)
        try:
            filler = disk / "filler"
            with suppress(OSError), filler.open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
            for number in range(30):
                logger.warning("line %d %s", number, "long " * 1000)
            assert until(lambda: "wait" in capsys.readouterr().err)
            filler.unlink()
            assert until(lambda: store.last_id() == 30)
        finally:
            logger.removeHandler(handler)
            handler.close()
        assert store.lines()[0].message.startswith("line 29")
        store.close()


def test_an_event_with_half_an_emoji_is_kept_and_holds_up_nothing(journal: Journal) -> None:
    broken = update("t", changes={"name": (None, "shot \ud83d")}, event_id="half")
    rows = journal.append_events([broken, update("t", event_id="after")])
    assert journal.event(rows[0])["raw"]["data"]["entities"][0]["changes"]["name"]["new"] == "shot \ufffd"
    assert journal.name_of("t") == "shot \ufffd"
    assert [row.event_id for row in journal.events()] == ["after", "half"]


def test_a_forms_state_belongs_to_its_user(journal: Journal) -> None:
    journal.keep_form("token", "ann", {"page": 1})
    journal.keep_form("token", "bo", {"page": 2})
    assert journal.form("token", "ann") == {"page": 1}
    assert journal.form("token", "bo") is None


def test_a_transaction_sees_its_own_writes_and_an_error_takes_them_back(journal: Journal) -> None:
    def half_a_change() -> None:
        with journal.write():
            journal.set_fact("x", 1)
            assert journal.fact("x") == 1
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        half_a_change()
    assert journal.fact("x") is None


def test_what_is_about_to_be_done_is_on_the_disk_before_it_is_done(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = os.fsync

    def watched(fd: int) -> None:
        synced.append(Path(f"/proc/self/fd/{fd}").resolve().name)
        sync(fd)

    monkeypatch.setattr(os, "fsync", watched)
    journal.add_runs([run("a")])
    journal.mark_applying({}, [])
    assert synced == ["journal.db-wal"]
    journal.harden()
    assert len(synced) == 1, "nothing was written since"
    journal.add_runs([run("b")])
    journal.harden()
    assert len(synced) == 2


def test_threads_that_write_at_once_share_the_wait_for_the_disk(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one's wait is held until all have committed: one more wait is enough for the rest."""
    waits, committed, first, released = [], threading.Barrier(7), threading.Event(), threading.Event()
    sync = os.fsync

    def slow(fd: int) -> None:
        waits.append(fd)
        first.set()
        assert released.wait(10)
        sync(fd)

    monkeypatch.setattr(os, "fsync", slow)

    def work(number: int) -> None:
        journal.add_runs([run(f"r{number}")])
        committed.wait(10)
        journal.harden()

    journal.add_runs([run("before")])
    leader = threading.Thread(target=journal.harden)
    leader.start()
    assert first.wait(10)
    workers = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for worker in workers:
        worker.start()
    committed.wait(10)
    released.set()
    for worker in (leader, *workers):
        worker.join(10)
    assert len(waits) == 2


def test_a_batch_is_told_by_what_it_made_and_not_by_its_first_entity(journal: Journal) -> None:
    kinds = ["Sequence", *["Shot"] * 14, *["Task"] * 28]
    made = update(*map(str, range(len(kinds))), action="add", changes={"name": (None, "x")})
    for entity, kind in zip(made.payload["data"]["entities"], kinds, strict=True):
        entity["entity_type"] = kind
    journal.append_events([made])
    assert journal.events()[0].words == "1 sequence, 14 shots, 28 tasks added"


def test_a_list_and_a_components_place_are_told_in_words(journal: Journal) -> None:
    told = [("AssetVersionList", "list", "list added"), ("ComponentLocation", "", "component's place added")]
    for entity_type, table, words in told:
        made = update(entity_type, action="add", changes={})
        made.payload["data"]["entities"][0].update(entity_type=entity_type, entityType=table)
        journal.append_events([made])
        assert journal.events()[0].words.endswith(words)
