"""Review Sync and Feedback Sync stopped at any step of their work: both sites hold each thing once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from two_sites import TwoSites, mirrored_once, new_session, two_sites

from app.journal.crash import CRASHED

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoSites]:
    with two_sites(tmp_path_factory.mktemp("two-sites")) as made:
        yield made


@pytest.mark.parametrize(
    "point", ["plan_stored:1", *(f"{at}:{n}" for at in ("applying", "committed", "applied") for n in (1, 3, 6))]
)
def test_stopped_anywhere_a_sync_goes_on_and_doubles_nothing(studio: TwoSites, point: str) -> None:
    session, objects = new_session(studio, f"Stopped at {point}")
    author, place = (
        studio.cloud.query("User").first(),
        studio.cloud.query('Location where name is "ftrack.server"').one(),
    )
    for action in ("review_sync", "feedback_sync"):
        if action == "feedback_sync":
            mirror = mirrored_once(studio, session, objects)
            for target in mirror.values():
                values = {"parent_id": target["id"], "parent_type": "ReviewSessionObject", "user_id": author["id"]}
                note = studio.cloud.create("Note", {**values, "content": f"about {point}"})
                studio.cloud.commit()
                note.create_reply("a reply", author=author)
                drawing = studio.cloud.create_component(__file__, data={"name": "drawing"}, location=place)
                studio.cloud.create("NoteComponent", {"component_id": drawing["id"], "note_id": note["id"]})
            studio.cloud.commit()
        assert studio.server.stop() == 0
        studio.gone()
        studio.start(SIGNALBOX_CRASH_AT=point)
        run = studio.launch(action, session)
        assert studio.gone() == CRASHED
        studio.start()
        studio.ended(run)
        mirrored_once(studio, session, objects)
        assert studio.sync(action, session).effects == 0, "the second sync finds nothing to do"
    found = studio.local(
        f'select parent_id, replies.id, note_components.component_id from Note where content like "%about {point}"'
    )
    assert sorted(note["parent_id"] for note in found) == sorted(one["version_id"] for one in objects)
    assert [(len(note["replies"]), len(note["note_components"])) for note in found] == [(1, 1)] * len(objects)
