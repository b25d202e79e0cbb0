"""Events are told in names, not ids."""

from __future__ import annotations

from listening import until
from sandbox_process import SandboxProcess

from app.journal.journal import Journal
from app.sandbox.simulate import Artists
from app.site.door import Site
from app.site.librarian import Librarian, mentioned, named_anew
from app.site.listener import Listener


def test_what_artists_do_is_told_with_shot_task_status_and_person(
    calm_site: SandboxProcess, listener: Listener, journal: Journal, door: Site
) -> None:
    artists = Artists(calm_site.url, calm_site.key, calm_site.user, seed=7)
    before = calm_site.last_event()
    try:
        artists.act(40)
    finally:
        artists.close()
    happened = len(calm_site.events(before, "ftrack.update"))
    assert until(lambda: journal.count_events() == happened)
    librarian = Librarian(journal, lambda: door)
    while librarian.turn():
        pass
    rows = journal.events(limit=500)
    assert all(row.project for row in rows if "note" not in row.words)
    assert any("status Ready for" in row.words or "status In progress" in row.words for row in rows)
    assert {"Amara Diallo", "Hugo Lefèvre", "Sana Malik", "Dana Reyes"} & {row.user for row in rows}
    added = next(row for row in rows if "task added" in row.words)
    shot = door.rows('select name, parent.name from Task where name is "animation"')[0]["parent"]["name"]
    assert "_" in shot
    assert " " in added.entity, "a new task is named with its shot"


def test_strange_events_mention_nothing_and_end_nothing() -> None:
    for data in (None, [], {"entities": 3}, {"entities": [None, {"entityType": 5}, {"parents": [None]}]}):
        assert list(mentioned({"data": data})) == []
        assert named_anew({"data": data}) == set()
