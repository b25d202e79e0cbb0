"""A review goes to the clients' site and their feedback comes back: two real sites, twice, with edits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from two_sites import TwoSites, mirrored_once, new_session, two_sites

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoSites]:
    with two_sites(tmp_path_factory.mktemp("two-sites")) as made:
        yield made


def test_a_session_and_its_feedback_travel_and_nothing_is_doubled(studio: TwoSites) -> None:
    objects = studio.local(
        "select id, name, version_id, asset_version.task_id from ReviewSessionObject order by sort_order"
    )
    for _ in (1, 2):
        run = studio.sync("review_sync")
        mirrored = studio.remote(
            "select name, asset_version.asset.name, asset_version.metadata, asset_version.components.name, "
            "review_session.name, asset_version.asset.parent.name from ReviewSessionObject"
        )
        assert len(mirrored) == len(objects)
    assert run.state == "skipped" or run.effects == 0, "the second sync finds nothing to do"
    by_source = {one["asset_version"]["metadata"]["source_asset_id"]: one for one in mirrored}
    assert set(by_source) == {one["version_id"] for one in objects}
    assert {one["asset_version"]["asset"]["name"] for one in mirrored} == {"Client Review"}
    assert all("ftrackreview-mp4" in {c["name"] for c in one["asset_version"]["components"]} for one in mirrored)
    assert len(studio.remote("ReviewSession")) == 1

    other = next(o for o in objects if o["asset_version"]["task_id"] != objects[0]["asset_version"]["task_id"])
    objects = [objects[0], other]
    first, second = (by_source[one["version_id"]] for one in objects)
    invitee = studio.cloud.create(
        "ReviewSessionInvitee",
        {"name": "Client One", "email": "one@client.example", "review_session": first["review_session"]},
    )
    client = studio.cloud.create(
        "Collaborator", {"first_name": "Client", "last_name": "One", "email": "one@client.example"}
    )
    invitee["resource_id"] = client["id"]
    studio.cloud.commit()
    note = studio.cloud.create(
        "Note",
        {
            "content": "Too <dark> & slow",
            "parent_id": first["id"],
            "parent_type": "ReviewSessionObject",
            "user_id": client["id"],
        },
    )
    note["metadata"]["reviewFrame"] = '{"number": 12}'
    studio.cloud.commit()
    reply = note.create_reply("I agree", author=studio.cloud.query("User").first())
    studio.cloud.commit()
    drawing = studio.cloud.create_component(
        __file__,
        data={"name": "annotation"},
        location=studio.cloud.query('Location where name is "ftrack.server"').one(),
    )
    studio.cloud.create("NoteComponent", {"component_id": drawing["id"], "note_id": note["id"]})
    for target, vote in ((first, "approved"), (second, "require_changes")):
        studio.cloud.create(
            "ReviewSessionObjectStatus",
            {"review_session_object_id": target["id"], "review_session_invitee_id": invitee["id"], "status": vote},
        )
    studio.cloud.commit()

    for _ in (1, 2):
        studio.sync("feedback_sync")
        query = "select content, in_reply_to_id from Note where parent_id is "
        notes = studio.local(f'{query}"{objects[0]["version_id"]}"')
        came = [one for one in notes if "client review" in one["content"] and not one["in_reply_to_id"]]
        assert [one["content"] for one in came] == ["Client One (client review, frame 12): Too <dark> & slow"]
        replies = studio.local(f'select content from Note where in_reply_to_id is "{came[0]["id"]}"')
        assert len(replies) == 1
        assert replies[0]["content"].endswith(": I agree")
        files = studio.local(f'select component.name from NoteComponent where note_id is "{came[0]["id"]}"')
        assert [one["component"]["name"] for one in files] == ["annotation"]
    for one, status in ((objects[0], "Approved"), (objects[1], "Review Changes")):
        version = studio.local(f'select status.name from AssetVersion where id is "{one["version_id"]}"')[0]
        assert version["status"]["name"] == status
        task = studio.local(f'select status.name from Task where id is "{one["asset_version"]["task_id"]}"')[0]
        assert task["status"]["name"] == status

    fresh = studio.remote(f'Note where id is "{note["id"]}"')[0]
    fresh["content"] = "Brighter now, thanks"
    studio.cloud.delete(studio.cloud.query(f'Note where id is "{reply["id"]}"').one())
    studio.cloud.commit()
    studio.sync("feedback_sync")
    edited = studio.local(f'select content from Note where id is "{came[0]["id"]}"')[0]
    assert edited["content"] == "Client One (client review, frame 12): Brighter now, thanks"
    assert studio.local(f'Note where in_reply_to_id is "{came[0]["id"]}"') == []
    kept = studio.remote(f'Note where id is "{note["id"]}"')
    studio.sync("review_sync")
    assert studio.remote(f'Note where id is "{note["id"]}"') == kept, "a sync never deletes what clients wrote"


def test_killed_in_the_middle_of_each_sync_both_sites_hold_each_thing_once(studio: TwoSites) -> None:
    session, objects = new_session(studio, "Second look")
    studio.away.faults(latency=0.02)
    studio.sync_killed("review_sync", session, after=4)
    by_source = mirrored_once(studio, session, objects)
    assert studio.sync("review_sync", session).effects == 0, "the second sync finds nothing to do"
    assert mirrored_once(studio, session, objects) == by_source

    targets = [by_source[one["version_id"]] for one in objects]
    author = studio.cloud.query("User").first()
    place = studio.cloud.query('Location where name is "ftrack.server"').one()
    notes = []
    for number, target in enumerate(targets):
        values = {"parent_id": target["id"], "parent_type": "ReviewSessionObject", "user_id": author["id"]}
        notes.append(studio.cloud.create("Note", {**values, "content": f"note {number}", "frame_number": 7}))
        studio.cloud.commit()
        notes[-1].create_reply(f"reply {number}", author=author)
        drawing = studio.cloud.create_component(__file__, data={"name": f"drawing {number}"}, location=place)
        studio.cloud.create("NoteAnnotationComponent", {"component_id": drawing["id"], "note_id": notes[-1]["id"]})
        stroke = {"review_session_object_id": target["id"], "frame_number": 3, "data": f"[{number}]"}
        studio.cloud.create("ReviewSessionObjectAnnotation", stroke)
        vote = {"review_session_object_id": target["id"], "resource_id": author["id"], "status": "require_changes"}
        studio.cloud.create("ReviewSessionObjectStatus", vote)
    studio.cloud.commit()

    def came_back() -> list[tuple[str, str, str, list[str]]]:
        rows = studio.local("select content, parent_id, in_reply_to_id, note_components.component.name from Note")
        return sorted(
            (row["parent_id"], row["content"], row["in_reply_to_id"] or "",
             [link["component"]["name"] for link in row["note_components"]])
            for row in rows if any(f" {word} {n}" in row["content"] for word in ("note", "reply") for n in range(3))
        )  # fmt: skip

    studio.sync_killed("feedback_sync", session, after=3)
    first = came_back()
    for number, one in enumerate(objects):
        ours = [row for row in first if row[0] == one["version_id"] and not row[2]]
        assert [(row[1].partition(": ")[2], row[3]) for row in ours] == [(f"note {number}", [f"drawing {number}"])]
        (drawn,) = studio.local(
            "select data, frame_number from ReviewSessionObjectAnnotation "
            f'where review_session_object_id is "{one["id"]}"'
        )
        assert (drawn["data"], drawn["frame_number"]) == (f"[{number}]", 3)
        for kind, key in (("AssetVersion", one["version_id"]), ("Task", one["asset_version"]["task_id"])):
            (row,) = studio.local(f'select status.name from {kind} where id is "{key}"')
            assert row["status"]["name"] == "Review Changes"
    assert len(first) == 6
    assert len([row for row in first if row[2]]) == 3, "each reply came once, as a reply"
    assert studio.sync("feedback_sync", session).effects == 0
    assert came_back() == first

    other = studio.local('select id, name from ReviewSession where name is_not "Second look"')[0]
    studio.sync("feedback_sync", other)
    assert came_back() == first, "notes that came with one session are not withdrawn by another that shows the version"
    fresh = studio.remote(f'Note where id is "{notes[0]["id"]}"')[0]
    fresh["content"] = "note 0 changed"
    studio.cloud.delete(studio.cloud.query(f'Note where id is "{notes[1]["id"]}"').one())
    studio.cloud.commit()
    studio.sync("feedback_sync", session)
    left = came_back()
    assert len(left) == 4, "the deleted note and its reply are gone"
    assert [row[1].partition(": ")[2] for row in left if row[0] == objects[0]["version_id"] and not row[2]] == [
        "note 0 changed"
    ]
