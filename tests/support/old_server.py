"""A studio's old event server: its rules as one plain script on the ftrack client, with mistakes that can be planted.

Run as a program: ``old_server.py DRIVE LOG MISTAKES``. MISTAKES is JSON: for each mistake the names of the tasks
(``no_folder``, ``wrong_place``, ``under_project``) or the comments of the versions (``no_entry``, ``wrong_list``,
``no_status``, ``wrong_status``) that it is made for.
It writes a line to LOG for each event it has dealt with.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

import ftrack_api


class OldServer:
    def __init__(self, drive: Path, log: Path, mistakes: dict[str, list[str]]) -> None:
        self.session = ftrack_api.Session(auto_connect_event_hub=True)
        self.drive, self.log, self.mistakes = drive, log, mistakes
        self.statuses = {row["id"]: row["name"] for row in self.session.query("select name from Status")}
        self.done = 0

    def wrong(self, mistake: str, name: str) -> bool:
        return name in self.mistakes.get(mistake, ())

    def listen(self) -> None:
        self.session.event_hub.subscribe("topic=ftrack.update", self.update)
        self.say("listening")
        self.session.event_hub.wait()

    def say(self, words: str) -> None:
        with self.log.open("a") as stream:
            stream.write(words + "\n")

    def update(self, event: Any) -> None:
        for entity in event["data"].get("entities", ()):
            changes = entity.get("changes") or {}
            if entity["entityType"] == "task" and entity["action"] == "add":
                self.folder(entity["entityId"])
            if entity["entityType"] == "assetversion" and "statusid" in changes:
                self.version(entity["entityId"], changes["statusid"]["new"])
        self.done += 1
        self.say(f"event {self.done}")

    def folder(self, task_id: str) -> None:
        task = self.session.query(
            f'select name, parent.name, parent.parent.name, project.name from Task where id is "{task_id}"'
        ).first()
        if task is None or self.wrong("no_folder", task["name"]):
            return
        project = self.drive / task["project"]["name"]
        if self.wrong("under_project", task["name"]):
            place = project / task["name"]
        elif task["parent"].entity_type != "Shot":
            return
        elif self.wrong("wrong_place", task["name"]):
            place = project / "shots" / task["parent"]["name"] / task["name"]
        else:
            place = (
                project / "shots" / task["parent"]["parent"]["name"] / task["parent"]["name"] / "scene" / task["name"]
            )
        place.mkdir(parents=True, exist_ok=True)
        if place.parent.name == "scene":
            for kind in ("comps", "plates", "render"):
                (place.parent.parent / "img" / kind).mkdir(parents=True, exist_ok=True)

    def version(self, version_id: str, status_id: str) -> None:
        version = self.session.query(
            f'select comment, task_id, asset.parent.project_id from AssetVersion where id is "{version_id}"'
        ).first()
        if version is None:
            return
        name = version["comment"]
        if self.statuses[status_id] == "Pending Internal Review" and not self.wrong("no_entry", name):
            self.dailies(version, 3 if self.wrong("wrong_list", name) else 0)
        if version["task_id"] and not self.wrong("no_status", name):
            wanted = "On Hold" if self.wrong("wrong_status", name) else self.statuses[status_id]
            status = next(key for key, one in self.statuses.items() if one == wanted)
            self.session.query(f'select status_id from Task where id is "{version["task_id"]}"').one()["status_id"] = (
                status
            )
            self.session.commit()

    def dailies(self, version: Any, later: int) -> None:
        now = dt.datetime.now().astimezone()
        day = now.date() + dt.timedelta(days=later + (now.hour >= 10))
        name, project = f"Dailies_{day.isoformat()}", version["asset"]["parent"]["project_id"]
        found = self.session.query(f'AssetVersionList where name is "{name}" and project_id is "{project}"').first()
        if found is None:
            category = self.session.query('ListCategory where name is "Reviews"').one()
            found = self.session.create(
                "AssetVersionList", {"name": name, "project_id": project, "category_id": category["id"]}
            )
            self.session.commit()
        held = self.session.query(
            f'ListObject where list_id is "{found["id"]}" and entity_id is "{version["id"]}"'
        ).first()
        if held is None:
            self.session.create("ListObject", {"list_id": found["id"], "entity_id": version["id"]})
            self.session.commit()


if __name__ == "__main__":
    OldServer(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])).listen()
