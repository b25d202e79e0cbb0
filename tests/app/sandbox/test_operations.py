"""What a batch changes and says it changed, on a real store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from app.sandbox.contract import ApiError, Batch, Commit, EntityChange, Identity
from app.sandbox.files import FileStore
from app.sandbox.profiles import PROFILES, owner, seed
from app.sandbox.server import Server

PROJECT = "5671dcb0-66de-11e1-8e6e-f23c91df25eb"
ME = owner(PROFILES["ftrack-suite"])


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, list[Commit]]]:
    """One site without a network for this module (tests use entities of their own), and what it told a listener."""
    folder = tmp_path_factory.mktemp("store")
    server = Server(folder, url="http://127.0.0.1:1", key="k")
    profile = PROFILES["ftrack-suite"]
    server.run_offline(ME, lambda batch: seed(profile, batch, FileStore(folder / "files")))
    commits: list[Commit] = []
    server.on_commit(commits.append)
    yield server, commits
    server.close()


@pytest.fixture
def seeded(heard: tuple[Server, list[Commit]]) -> Server:
    """The site."""
    return heard[0]


@pytest.fixture
def told(heard: tuple[Server, list[Commit]]) -> list[Commit]:
    """The commits the listener is told of during a test."""
    heard[1].clear()
    return heard[1]


def run(server: Server, *works: Callable[[Batch], Any]) -> list[Any]:
    """Each function in a transaction of its own."""

    async def all_of_them() -> list[Any]:
        return [await server.run(ME, work) for work in works]

    return asyncio.run(all_of_them())


def shot(batch: Batch, name: str = "s") -> str:
    return str(batch.create("Shot", {"name": name, "parent_id": PROJECT})["id"])


def only(commit: Commit, kind: str) -> EntityChange:
    """The one change of a kind of entity."""
    (found,) = [change for change in commit.changes if change.entity_type == kind]
    return found


def test_created_and_changed_in_one_batch_is_one_addition_with_the_last_values(
    seeded: Server, told: list[Commit]
) -> None:
    def work(batch: Batch) -> None:
        batch.update("Shot", shot(batch, "first"), {"name": "last"})

    run(seeded, work)
    change = only(told[-1], "Shot")
    assert (change.action, change.old, change.new["name"]) == ("add", {}, "last")
    assert [link.entity_type for link in change.parents] == ["Shot", "Project"]


def test_created_and_deleted_in_one_batch_is_no_change(seeded: Server, told: list[Commit]) -> None:
    run(seeded, lambda batch: batch.delete("Shot", shot(batch)))
    assert told == []


def test_two_updates_are_one_change_from_the_first_old_to_the_last_new(seeded: Server, told: list[Commit]) -> None:
    (key,) = run(seeded, lambda batch: shot(batch, "a"))

    def work(batch: Batch) -> None:
        batch.update("Shot", key, {"name": "b"})
        batch.update("TypedContext", key, {"name": "c", "description": ""})

    run(seeded, work)
    change = only(told[-1], "Shot")
    assert (change.action, dict(change.old), dict(change.new)) == ("update", {"name": "a"}, {"name": "c"})
    assert change.row["project_id"] == PROJECT


def test_writing_what_is_there_already_is_no_change(seeded: Server, told: list[Commit]) -> None:
    (key,) = run(seeded, lambda batch: shot(batch, "same"))
    told.clear()
    run(seeded, lambda batch: batch.update("Shot", key, {"name": "same"}))
    assert told == []


def test_another_parent_is_a_move_with_the_new_parents(seeded: Server, told: list[Commit]) -> None:
    key, sequence = run(
        seeded, shot, lambda batch: batch.create("Sequence", {"name": "sq", "parent_id": PROJECT})["id"]
    )
    run(seeded, lambda batch: batch.update("Shot", key, {"parent_id": sequence}))
    change = only(told[-1], "Shot")
    assert (change.action, change.old["parent_id"], change.new["parent_id"]) == ("move", PROJECT, sequence)
    assert [link.entity_id for link in change.parents] == [key, sequence, PROJECT]


def test_a_context_cannot_be_moved_below_itself(seeded: Server) -> None:
    (key,) = run(seeded, shot)
    (child,) = run(seeded, lambda batch: batch.create("Task", {"name": "t", "parent_id": key})["id"])
    with pytest.raises(ApiError, match="cannot be moved below itself"):
        run(seeded, lambda batch: batch.update("Shot", key, {"parent_id": child}))


def test_a_deletion_tells_of_everything_that_went_with_its_parents_as_they_were(
    seeded: Server, told: list[Commit]
) -> None:
    (key,) = run(seeded, shot)
    (task,) = run(seeded, lambda batch: batch.create("Task", {"name": "t", "parent_id": key})["id"])
    run(seeded, lambda batch: batch.delete("Context", key))
    changes = {change.entity_type: change for change in told[-1].changes}
    assert {change.action for change in changes.values()} == {"remove"}
    assert [link.entity_id for link in changes["Task"].parents] == [task, key, PROJECT]
    assert changes["Shot"].old["name"] == "s"


def test_a_custom_attribute_is_a_change_of_its_owner(seeded: Server, told: list[Commit]) -> None:
    (key,) = run(seeded, shot)
    configuration = seeded.reader.query('CustomAttributeConfiguration where key is "fstart"')[0]["id"]
    for value in (5, 7):
        run(
            seeded,
            lambda batch, value=value: batch.update(  # type: ignore[misc]
                "ContextCustomAttributeValue", f"{configuration},{key}", {"value": value}
            ),
        )
    change = only(told[-1], "Shot")
    assert (change.action, dict(change.custom)) == ("update", {"fstart": (5, 7)})


def test_a_status_change_is_recorded_at_the_site_s_time(seeded: Server, told: list[Commit]) -> None:
    (key,) = run(seeded, shot)
    held = seeded.reader.query('Status where name is "On Hold"')[0]["id"]
    run(seeded, lambda batch: batch.update("Shot", key, {"status_id": held}))
    recorded = only(told[-1], "TypedContextStatusChange")
    assert recorded.new["status_id"] == held
    assert recorded.new["user_id"] == ME.user_id
    assert [link.entity_id for link in recorded.parents][1:] == [key, PROJECT]


def test_a_refused_batch_leaves_nothing_and_tells_nobody(seeded: Server, told: list[Commit]) -> None:
    def work(batch: Batch) -> None:
        shot(batch, "never there")
        batch.delete("Shot", "nowhere")

    with pytest.raises(ApiError, match="There is no Shot"):
        run(seeded, work)
    assert seeded.reader.query('Shot where name is "never there"') == []
    assert told == []


def test_batches_at_the_same_time_come_one_after_the_other_and_are_told_in_that_order(
    seeded: Server, told: list[Commit]
) -> None:
    (asset,) = run(seeded, lambda batch: batch.create("Asset", {"name": "a", "context_id": PROJECT})["id"])
    told.clear()

    def operations(count: int) -> list[Mapping[str, Any]]:
        return [{"action": "create", "entity_type": "AssetVersion", "entity_data": {"asset_id": asset}}] * count

    async def at_once() -> None:
        await asyncio.gather(*(seeded.execute(ME, operations(count)) for count in (1, 30, 1, 600, 2, 30)))
        while sum(len(commit.changes) for commit in told) < 664:
            await asyncio.sleep(0.01)

    asyncio.run(at_once())
    numbers = [change.new["version"] for commit in told for change in commit.changes]
    assert numbers == list(range(1, 665))


def test_who_is_not_active_or_has_the_wrong_key_is_nobody(seeded: Server) -> None:
    assert seeded.identity("jenkins", "k") == Identity(ME.user_id, "jenkins")
    assert seeded.identity("jenkins", "K") is None
    assert seeded.identity("nobody", "k") is None
    (key,) = run(seeded, lambda batch: batch.create("User", {"username": "gone", "is_active": False})["id"])
    assert seeded.identity("gone", "k") is None
    run(seeded, lambda batch: batch.update("User", key, {"is_active": True}))
    assert seeded.identity("gone", "k") is not None


@pytest.mark.parametrize(
    ("entity_type", "data", "error"),
    [
        ("Nothing", {}, "ValidationError"),
        ("Shot", {"name": "s", "parent_id": PROJECT, "nothing": 1}, "ValidationError"),
        ("Shot", {"name": "s"}, "IntegrityError"),
        ("Shot", {"name": "s", "parent_id": PROJECT, "bid": "many"}, "ValidationError"),
        ("Shot", {"name": "s", "parent_id": PROJECT, "start_date": "yesterday"}, "ValidationError"),
        ("Project", {"name": ""}, "ValidationError"),
        ("TypedContext", {"name": "x", "parent_id": PROJECT}, "ValidationError"),
        ("AssetVersion", {"asset_id": "nowhere"}, "IntegrityError"),
        ("Note", {"content": "n", "parent_id": "nowhere"}, "IntegrityError"),
        ("Job", {"status": "dancing"}, "ValidationError"),
        ("Appointment", {"context_id": PROJECT}, "IntegrityError"),
        ("TypedContextList", {"name": "l"}, "IntegrityError"),
        ("Shot", {"name": "s", "parent": {"__entity_type__": "Project"}}, "ValidationError"),
        ("Shot", {"name": "s", "parent": ["x"]}, "ValidationError"),
        ("Shot", {"name": "s", "parent_id": PROJECT, "notes": "x"}, "ValidationError"),
        ("Shot", {"name": "s", "parent_id": PROJECT, "notes": [1]}, "ValidationError"),
        ("Component", {"name": "c", "size": 10**30}, "ValidationError"),
        ("Component", {"name": "c", "size": []}, "ValidationError"),
        ("ContextCustomAttributeValue", {"value": 1}, "ValidationError"),
    ],
)
def test_what_cannot_be_created_is_refused_by_name(
    seeded: Server, entity_type: str, data: dict[str, Any], error: str
) -> None:
    with pytest.raises(ApiError) as refused:
        run(seeded, lambda batch: batch.create(entity_type, data))
    assert refused.value.name == error
    assert refused.value.content


@pytest.mark.parametrize("key", ["nowhere", "nowhere,", ",", "a,b,c"])
def test_a_composite_key_that_names_nothing_is_refused(seeded: Server, key: str) -> None:
    with pytest.raises(ApiError, match="There is no"):
        run(seeded, lambda batch: batch.update("Metadata", key, {"value": "x"}))


def test_the_primary_key_stays_whatever_an_update_says(seeded: Server) -> None:
    (key,) = run(seeded, shot)
    run(seeded, lambda batch: batch.update("Shot", key, {"id": "other", "name": "renamed"}))
    row = seeded.reader.row("Shot", key)
    assert row is not None
    assert row["name"] == "renamed"


def test_a_configuration_without_a_default_can_be_read(seeded: Server) -> None:
    run(seeded, lambda batch: batch.create("CustomAttributeConfiguration", {"key": "bare", "entity_type": "asset"}))
    found = seeded.reader.query('select default from CustomAttributeConfiguration where key is "bare"')
    assert found[0]["default"] == ""


def test_deleting_a_user_empties_what_pointed_at_it(seeded: Server) -> None:
    (user,) = run(seeded, lambda batch: batch.create("User", {"username": "leaver"})["id"])
    (key,) = run(seeded, shot)

    def work(batch: Batch) -> str:
        batch.create("Appointment", {"context_id": key, "resource_id": user})
        return str(batch.create("Job", {"user_id": user})["id"])

    (job,) = run(seeded, work)
    run(seeded, lambda batch: batch.delete("User", user))
    row = seeded.reader.row("Job", job)
    assert row is not None
    assert row["user_id"] is None
    assert seeded.reader.query(f'Appointment where context_id is "{key}"') == []
