"""An engine in a process of its own, which a crash point may end: ``crash_worker.py JOB.json``.

The job names the room's folder, the site, the Slack server and the tasks; the handler gives each task a folder, a file,
metadata and a message, as the studio's own handlers do between them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine_room import FunctionHandler, Room

from app.effects.disk import CopyFile, MakeFolder
from app.effects.ftrack import SetMetadata
from app.effects.slack import SendSlack
from app.engine.protocol import Change, Context, Plan
from app.site.cache import LookUps
from app.site.door import Site
from app.site.types import Credentials
from app.slack import SlackClient


def handler(room: Room) -> FunctionHandler:
    def plan(changes: Sequence[Change], ctx: Context) -> Plan:
        task = changes[0].entity_id
        folder = room.drive / "shots" / task
        path = folder / "comp_v01.nk"
        if path.exists() and ctx.site.rows(f'select value from Metadata where parent_id is "{task}"'):
            return Plan(effects=(message(task),))
        common = {"reason": "a task was added", "entity_id": task}
        return Plan(
            (
                MakeFolder(slot="folder", path=folder, root=room.drive, **common),
                CopyFile(slot="file", source=room.folder / "template.nk", path=path, root=room.drive, **common),
                SetMetadata(
                    slot="metadata", entity_type="Task", id=task, values={"filename": str(path)}, label=task, **common
                ),
                message(task),
            )
        )

    def message(task: str) -> SendSlack:
        return SendSlack(
            slot="tell",
            reason="somebody waits",
            entity_id=task,
            channel="#general",
            text=f"ready {task}",
            dedupe=f"ready:{task}",
        )

    return FunctionHandler(plan)


def main(job: dict[str, Any]) -> int:
    folder = Path(job["folder"])

    def site() -> Site:
        return Site(Credentials(job["url"], job["user"], job["key"]), LookUps(), cache=folder / "cache")

    room = Room(folder, site=site)
    room.store.set("slack", "base_url", job["slack"])
    room.store.set("slack", "rate", 1000.0)
    room.doors.slack = SlackClient(lambda: room.settings("slack"), lambda: job["token"])
    room.start(handler(room))
    room.settle(30)
    room.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(Path(sys.argv[1]).read_text())))
