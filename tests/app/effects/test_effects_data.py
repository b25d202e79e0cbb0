"""Effects are data: they survive the journal, refer to results, and say what they do."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from app.effects import KINDS
from app.effects.base import Result, same
from app.effects.disk import CopyFile, MakeFolder
from app.effects.ftrack import CreateEntity, DeleteEntity, SetMetadata, UpdateEntity
from app.effects.job import SubmitJob
from app.effects.slack import SendSlack
from app.effects.upload import UploadComponent
from app.engine.kinds import Seen
from app.engine.protocol import Effect, Expect, PlanError

_EXAMPLES: list[Effect] = [
    CreateEntity(
        slot="a",
        reason="r",
        entity_type="Task",
        id="1",
        values={"name": "comp", "end_date": dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC), "day": dt.date(2026, 1, 2)},
        label="BC_0010 / comp",
        unless='Task where name is "comp"',
        expects=(Expect("Shot", "s", "exists", True),),
    ),
    UpdateEntity(slot="b", reason="r", entity_type="Task", id="1", values={"status_id": "x"}, label="comp"),
    DeleteEntity(slot="c", reason="r", entity_type="Note", id="1", label="note"),
    SetMetadata(slot="d", reason="r", entity_type="Task", id="1", values={"filename": None}, label="comp"),
    MakeFolder(slot="e", reason="r", path=Path("/data/a"), root=Path("/data")),
    CopyFile(slot="f", reason="r", source=Path("/data/t"), path=Path("/data/a/t"), root=Path("/data")),
    SendSlack(slot="g", reason="r", channel="#general", text="hello", dedupe="k"),
    UploadComponent(slot="h", reason="r", path=Result(slot="x", field="path"), component_id="1", name="movie"),
    SubmitJob(slot="i", reason="r", job_type="t", name="n", settings={"a": 1}, dedupe="k"),
]


@pytest.mark.parametrize("effect", _EXAMPLES, ids=lambda effect: effect.kind)
def test_an_effect_comes_back_from_the_journal_as_it_was(effect: Effect) -> None:
    data = effect.model_dump(mode="json")
    again = KINDS[effect.kind].model_validate(data)
    assert again == effect
    assert again.model_dump(mode="json") == data
    assert effect.describe()


def test_no_id_stands_in_what_an_effect_says() -> None:
    values = {"status_id": "6ab1", "thumbnail_id": None, "bid": 3600}
    effect = UpdateEntity(slot="b", reason="r", entity_type="Task", id="1", values=values, label="comp")
    assert effect.describe() == "set status, thumbnail none, bid 3600 on comp"
    named = effect.model_copy(update={"names": {"status_id": "Approved"}})
    assert named.describe() == "set status Approved, thumbnail none, bid 3600 on comp"


def test_a_result_of_an_earlier_step_is_filled_in() -> None:
    upload = next(each for each in _EXAMPLES if isinstance(each, UploadComponent))
    assert upload.resolved({"x": {"path": "/tmp/a.mp4"}}).path == "/tmp/a.mp4"  # type: ignore[attr-defined]
    with pytest.raises(PlanError, match="needs 'path' of the step 'x'"):
        upload.resolved({})


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("2026-11-22T09:00:00", {"__type__": "datetime", "value": "2026-11-22T09:00:00.5+00:00"}, True),
        ("2026-11-22T09:00:00", "2026-11-22T10:00:00+01:00", True),
        ("2026-11-22T09:00:00", "2026-11-22T09:00:01", False),
        (7200, 7200.0, True),
        (None, "", False),
        ("comp", "comp", True),
    ],
)
def test_values_that_mean_the_same_to_the_site_are_the_same(one: object, other: object, alike: bool) -> None:
    assert same(one, other) is alike


def test_only_what_is_different_is_sent() -> None:
    effect = UpdateEntity(
        slot="u", reason="r", entity_type="Task", id="1", values={"bid": 1, "name": "a"}, label="comp"
    )
    seen = Seen(rows={("Task", "1"): {"id": "1", "bid": 1, "name": "b"}})
    assert effect.operations(seen)[0]["entity_data"] == {"__entity_type__": "Task", "name": "a"}
    assert effect.before(seen) == {"bid": 1, "name": "b"}
    assert list(effect.echoes({"bid": 1, "name": "b"})) == [("1", "name", "a")]


def test_metadata_is_created_updated_and_removed_key_by_key() -> None:
    effect = SetMetadata(
        slot="m",
        reason="r",
        entity_type="Task",
        id="1",
        values={"new": "1", "old": "2", "gone": None, "same": "s"},
        label="comp",
    )
    seen = Seen(rows={("Task", "1"): {"id": "1"}}, metadata={"1": {"old": "1", "gone": "x", "same": "s"}})
    assert [(each["action"], each["entity_key"]) for each in effect.operations(seen)] == [
        ("create", ["1", "new"]),
        ("update", ["1", "old"]),
        ("delete", ["1", "gone"]),
    ]
