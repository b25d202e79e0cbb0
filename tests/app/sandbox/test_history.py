"""``Event`` rows tell what happened, in order, to those who ask later."""

from typing import Any

import ftrack_api


def test_what_happened_since_an_id_is_there_in_order(session: ftrack_api.Session, project: Any, task: Any) -> None:
    last = session.query("Event order by id descending").first()["id"]
    task["name"] = "renamed"
    session.commit()
    made = session.create("Shot", {"name": "more", "parent": project})
    session.commit()
    made_id = made["id"]
    session.delete(made)
    session.commit()
    rows = session.query(f"select parent_id, action, insert, user_id, data from Event where id > {last} order by id")
    mine = [row for row in rows if row["parent_id"] in (task["id"], made_id)]
    assert [(row["parent_id"], row["action"], row["insert"]) for row in mine] == [
        (task["id"], "update.task", "update"),
        (made_id, "add.task", "insert"),
        (made_id, "remove.task", "delete"),
    ]
    assert mine[0]["data"] == '["name"]'
    assert mine[0]["project"]["id"] == project["id"]
    assert mine[0]["user"]["username"] == "jenkins"
