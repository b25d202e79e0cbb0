"""The baseline: a task folder handler written against plain `ftrack_api`, as a studio's script would be.

Fair to it: one process, one session, reset for each event (else every commit walks all that was ever read), one query
with all that is needed, one commit an event, the same folders and files, no journal, no plan.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ftrack_api

_QUERY = (
    "select id, name, parent_id, type.name, link, metadata.key, metadata.value, "
    "project.name, project.root, project.disk.unix from Task where id is "
)


def process(session: ftrack_api.Session, task_ids: Sequence[str], drive: Path) -> float:
    """Handle one "task added" after the other; returns the wall time in seconds."""
    began = time.perf_counter()
    for task_id in task_ids:
        session.reset()
        task = session.query(f'{_QUERY}"{task_id}"').one()
        ids = ", ".join(f'"{step["id"]}"' for step in task["link"][1:-1])
        ancestors = session.query(f"select id, name, object_type.name from TypedContext where id in ({ids})").all()
        _make(task, ancestors, drive)
        session.commit()
    return time.perf_counter() - began


def _make(task: Any, ancestors: Sequence[Any], drive: Path) -> None:
    names = {each["id"]: each["name"] for each in ancestors}
    project = drive / task["project"]["name"]
    shot = project / "shots"
    for step in task["link"][1:-1]:
        shot = shot / names[step["id"]]
    folder = shot / "scene" / task["name"].lower()
    for each in (folder, shot / "img/comps", shot / "img/plates", shot / "img/render"):
        each.mkdir(parents=True, exist_ok=True)
        each.chmod(0o2775)
    source = project / "template_files" / f"{task['type']['name'].lower()}.nk"
    target = folder / f"{shot.name}_v01{source.suffix}"
    if not target.exists():
        shutil.copyfile(source, target)
        target.chmod(0o664)
    task["metadata"]["filename"] = str(target)
