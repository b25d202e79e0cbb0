"""A believable day in a journal: what the screenshots show and what the window's tests read.

Everything is written through the journal's own interface, as the engine writes it.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.journal.journal import Journal
from app.journal.log import LogStore
from app.journal.queue import NewEffect, NewRun
from app.journal.rows import CatalogueRow, EffectState, LogRow, NameRow, RawEvent, RunState
from app.rules.words import many

HANDLERS: tuple[tuple[str, str, str], ...] = (
    ("create_task_folder", "Create task folder", "Makes the folder and the first work file of every new task."),
    ("add_version_to_list", "Add version to list", "Puts versions that are pending review on the day's dailies list."),
    ("create_project_folder", "Create project folder", "Makes the folders of a new project from the template."),
    ("assign_task_status", "Assign task status", "Gives a version's new status to its task."),
    ("status_handler", "Status handler", "Messages the next department on Slack when a shot is ready for it."),
    ("set_task_thumbnail", "Set task thumbnail", "Marks cut and on-hold tasks with an icon."),
)
SHOWS = ("bigbuck", "tears_of_steel")
PEOPLE = ("anna.berg", "jonas.weber", "mei.tanaka", "luca.rossi", "sofia.lind", "david.okafor")
TASKS = ("animation", "lighting", "compositing", "layout", "fx", "rotoscoping")
STATUSES = ("In Progress", "Pending Internal Review", "Ready for Lighting", "Ready for Comp", "Approved", "On Hold")

SCHEMA: Mapping[str, Any] = {
    "title": "Settings",
    "type": "object",
    "properties": {
        "template_folder": {
            "type": "string",
            "default": "template_files",
            "description": "Folder below the project that holds the template files.",
            "widget": "path",
        },
        "folder_mode": {
            "type": "string",
            "default": "2775",
            "pattern": "^[0-7]{3,4}$",
            "description": "Mode of new folders (octal).",
            "per_project": True,
        },
        "task_types": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["Animation", "Lighting", "Compositing", "Layout"],
            "description": "Task types that get a folder.",
            "per_project": True,
        },
        "copy_template": {
            "type": "boolean",
            "default": True,
            "description": "Copy the template file whose name carries the task type.",
        },
        "patience": {
            "type": "number",
            "default": 30.0,
            "exclusiveMinimum": 0,
            "description": "Wait so long for a missing drive before looking again.",
            "unit": "s",
        },
        "when_missing": {
            "enum": ["skip", "fail"],
            "type": "string",
            "default": "skip",
            "description": "What happens when no template fits.",
        },
    },
}
_NOT_MOUNTED = "the drive /data/production is not mounted here: no mount point and no .signalbox-drive in it"


@dataclass(slots=True)
class Clock:
    """A clock that is set by hand, UTC epoch seconds."""

    now: float

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Day:
    """What was written, for tests that look for it.

    Attributes:
        folder: The journal's folder.
        events: Rows of the ordinary events.
        failed_run: A run that failed.
        missing_folder: (event row, run) of a task that got no folder.
        project_folder: (event row, run) of a project's folders, which can be undone.
    """

    folder: Path
    events: list[int] = field(default_factory=list)
    failed_run: int = 0
    missing_folder: tuple[int, int] = (0, 0)
    project_folder: tuple[int, int] = (0, 0)


def write_day(folder: Path, *, now: float, events: int = 240, seed: int = 7) -> Day:
    """Fill a new journal in `folder` with a day that ends at `now` (UTC epoch seconds)."""
    clock = Clock(now - 6 * 3_600)
    journal = Journal.open(folder, clock=clock)
    log = LogStore.open(folder)
    try:
        return _Writer(journal, log, clock, random.Random(seed)).write(events, now)  # noqa: S311 - no secret
    finally:
        journal.close()
        log.close()


def update_event(entity: Mapping[str, Any], user_id: str, username: str) -> dict[str, Any]:
    """An `ftrack.update` of one entity, as the wire carries it."""
    return {
        "id": uuid.uuid4().hex,
        "topic": "ftrack.update",
        "data": {"entities": [dict(entity)], "user": {"userid": user_id}},
        "source": {"user": {"id": user_id, "username": username}},
    }


class _Writer:
    def __init__(self, journal: Journal, log: LogStore, clock: Clock, dice: random.Random) -> None:
        self.journal, self.log, self.clock, self.dice = journal, log, clock, dice
        self.day = Day(journal.folder)
        self.number = 0
        self.lines: list[LogRow] = []
        self.ids = {name: str(uuid.UUID(int=dice.getrandbits(128))) for name in self._names()}

    @staticmethod
    def _names() -> Iterator[str]:
        yield from SHOWS
        yield from PEOPLE
        yield from STATUSES
        for show in SHOWS:
            for shot in range(10, 130, 10):
                yield f"{show}/{shot}"
                for task in TASKS:
                    yield f"{show}/{shot}/{task}"

    def write(self, events: int, now: float) -> Day:
        self._set_up()
        pause = (now - self.clock.now - 5) / (events + 8)
        for index in range(events):
            self.clock.now += pause * self.dice.uniform(0.2, 1.8)
            self.clock.now = min(self.clock.now, now - 5)
            self._status_change()
            if index == events // 3:
                self._wrong_project()
            if index == events * 2 // 3:
                self._task_without_folder()
        self.clock.now = now
        self._lamps()
        self.log.append(self.lines)
        return self.day

    def _set_up(self) -> None:
        rows = [NameRow(self.ids[show], "Project", show) for show in SHOWS]
        rows += [NameRow(self.ids[person], "User", person) for person in PEOPLE]
        rows += [NameRow(self.ids[status], "Status", status) for status in STATUSES]
        for show in SHOWS:
            for shot in range(10, 130, 10):
                name = f"{'BB' if show == 'bigbuck' else 'TOS'}_{shot:04d}"
                rows.append(NameRow(self.ids[f"{show}/{shot}"], "Shot", name, name))
                rows += [NameRow(self.ids[f"{show}/{shot}/{task}"], "Task", task, f"{name} {task}") for task in TASKS]
        self.journal.learn_names(rows)
        self.journal.write_catalogue(
            [
                CatalogueRow(name, "handler", title, help_, "lever", SCHEMA, None, "built-in")
                for name, title, help_ in HANDLERS
            ]
        )
        self.journal.ensure_levers([name for name, _title, _help in HANDLERS], "on")
        self.journal.set_lever("set_task_thumbnail", "", "dry", "anna.berg", "trying it on bigbuck first")
        self.journal.set_lever("status_handler", "tears_of_steel", "off", "anna.berg", "the client reads that channel")

    # Events

    def _append(self, entity: Mapping[str, Any], user: str) -> int:
        (row,) = self.journal.append_events([RawEvent(update_event(entity, self.ids[user], user), self.clock.now)])
        self.day.events.append(row)
        return row

    def _entity(self, show: str, shot: int, task: str, **changes: tuple[Any, Any]) -> dict[str, Any]:
        return {
            "entityType": "task",
            "entity_type": "Task",
            "action": "update",
            "entityId": self.ids[f"{show}/{shot}/{task}"],
            "changes": {key: {"old": old, "new": new} for key, (old, new) in changes.items()},
            "parents": [
                {"entityId": self.ids[f"{show}/{shot}/{task}"], "entityType": "task", "entity_type": "Task"},
                {"entityId": self.ids[f"{show}/{shot}"], "entityType": "task", "entity_type": "Shot"},
                {"entityId": self.ids[show], "entityType": "show", "entity_type": "Project"},
            ],
        }

    def _status_change(self) -> None:
        dice = self.dice
        show, shot, task = dice.choice(SHOWS), dice.randrange(10, 130, 10), dice.choice(TASKS)
        status, user = dice.choice(STATUSES), dice.choice(PEOPLE)
        entity = self._entity(show, shot, task, statusid=(self.ids["In Progress"], self.ids[status]))
        row = self._append(entity, user)
        name = f"{'BB' if show == 'bigbuck' else 'TOS'}_{shot:04d} {task}"
        if status == "Pending Internal Review":
            effects = [
                (
                    "create_entity",
                    f"Add {name} v{dice.randint(1, 9):02d} to Dailies_2026-11-22",
                    "its status became Pending Internal Review",
                )
            ]
            self._run("add_version_to_list", row, show, name, user, "done", effects)
            self._run("assign_task_status", row, show, name, user, "skipped", [], "the task has this status already")
        elif status.startswith("Ready"):
            self._ready(row, show, name, task, user, status)
        elif status == "On Hold":
            effects = [("update_entity", f"Give {name} the hold thumbnail", "its status became On Hold")]
            self._run("set_task_thumbnail", row, show, name, user, "planned", effects, dry=True)
        elif status == "Approved":
            effects = [("update_entity", f"Set the status of {name} to Approved", "its version was approved")]
            self._run("assign_task_status", row, show, name, user, "done", effects)

    def _ready(self, row: int, show: str, name: str, task: str, user: str, status: str) -> None:
        if task not in {"animation", "lighting"}:
            why = f"{task} does not trigger messages, only Animation and Lighting do"
            self._run("status_handler", row, show, name, user, "skipped", [], why)
            return
        to = self.dice.choice(PEOPLE)
        words = f"Message @{to}: {show}, {name.split(maxsplit=1)[0]}, {status}"
        effects = [("send_slack", words, f"{to} is assigned to the next task")]
        if self.dice.random() < 0.25:
            why = "Slack refused the message: not_in_channel. Invite the bot to #tos-lighting, then retry"
            run = self._run("status_handler", row, show, name, user, "failed", effects, why)
            self.day.failed_run = run
            self._say(40, "slack", why, "status_handler", run, row, show, name)
        else:
            self._run("status_handler", row, show, name, user, "done", effects)

    def _task_without_folder(self) -> None:
        self.clock.now += 1
        name = "BB_0070 matchmove"
        task = str(uuid.UUID(int=self.dice.getrandbits(128)))
        self.journal.learn_names([NameRow(task, "Task", "matchmove", name)])
        entity = self._entity("bigbuck", 70, "fx")
        entity |= {"action": "add", "entityId": task}
        entity["parents"][0]["entityId"] = task
        row = self._append(entity, "mei.tanaka")
        why = _NOT_MOUNTED
        run = self._run("create_task_folder", row, "bigbuck", name, "mei.tanaka", "failed", [], why)
        self._say(30, "disk", why, "create_task_folder", run, row, "bigbuck", name)
        self.day.missing_folder = (row, run)

    def _wrong_project(self) -> None:
        self.clock.now += 1
        project = str(uuid.UUID(int=self.dice.getrandbits(128)))
        self.journal.learn_names([NameRow(project, "Project", "bigbukc")])
        entity = {
            "entityType": "show",
            "entity_type": "Project",
            "action": "add",
            "entityId": project,
            "changes": {"name": {"old": None, "new": "bigbukc"}},
            "parents": [{"entityId": project, "entityType": "show", "entity_type": "Project"}],
        }
        row = self._append(entity, "david.okafor")
        folders = ("assets", "assets/3d", "assets/hdri", "production", "production/editorial", "reference", "shots")
        effects = [
            ("make_folder", f"Make /data/production/bigbukc/{name}", "the project's workflow is VFX Scheme")
            for name in ("", *folders)
        ]
        run = self._run("create_project_folder", row, "bigbukc", "bigbukc", "david.okafor", "done", effects)
        self.day.project_folder = (row, run)

    # Runs

    def _run(
        self,
        handler: str,
        event_row: int,
        project: str,
        entity: str,
        user: str,
        state: RunState,
        effects: Sequence[tuple[str, str, str]],
        reason: str = "",
        *,
        dry: bool = False,
    ) -> int:
        self.number += 1
        new = NewRun(
            kind="handler",
            handler=handler,
            identity=f"sample-{self.number}",
            key="",
            seq=event_row,
            received=self.clock.now,
            event_row=event_row,
            dry=dry,
            project=project,
            entity_type="Task",
            entity_id=uuid.uuid4().hex,
            entity=entity,
            user=user,
        )
        (run,) = self.journal.add_runs([new])
        assert run is not None
        notes = [{"entity_id": "", "outcome": "skipped", "reason": reason}] if state == "skipped" else []
        made = [
            NewEffect(f"slot{place}", kind, "disk" if kind.endswith("folder") else "ftrack", words, why, None, {})
            for place, (kind, words, why) in enumerate(effects)
        ]
        self.journal.claim("main", lambda _handler: 1)
        self.journal.store_plan(run, {"notes": notes, "warnings": []}, f"hash-{run}", made, 0)
        ids = [effect.id for effect in self.journal.effects_of(run)]
        self.clock.now += self.dice.uniform(0.02, 0.4)
        if ids and state in {"done", "failed"}:
            self._apply(ids, effects, state, reason)
        self.journal.set_state([run], state, reason)
        title = next(title for name, title, _help in HANDLERS if name == handler)
        words = f"{title}: {state}" + (
            f", {reason}" if reason else f", {many(len(effects), 'effect')}" if effects else ""
        )
        self._say(40 if state == "failed" else 20, "engine", words, handler, run, event_row, project, entity)
        return run

    def _apply(self, ids: Sequence[int], effects: Sequence[tuple[str, str, str]], state: RunState, why: str) -> None:
        befores: dict[int, Mapping[str, Any]] = {}
        afters: dict[int, Mapping[str, Any]] = {}
        for effect_id, (kind, _words, _why) in zip(ids, effects, strict=True):
            update = kind == "update_entity"
            befores[effect_id] = {"status": "In Progress"} if update else {"exists": False}
            afters[effect_id] = {"status": "Approved"} if update else {"exists": True}
        self.journal.mark_applying(befores, [])
        ended: EffectState = "failed" if state == "failed" else "applied"
        self.journal.mark_effects(ids, ended, after=afters if state == "done" else None, error=why)

    def _say(
        self, level: int, topic: str, words: str, handler: str, run: int, event_row: int, project: str, entity: str
    ) -> None:
        logger = f"signalbox.{topic}"
        self.lines.append(LogRow(0, self.clock.now, level, logger, words, handler, run, event_row, project, entity))

    def _lamps(self) -> None:
        self.journal.set_health("site", "ok", "12 ms")
        self.journal.set_health("listener", "ok", "connected")
        self.journal.set_health("workers", "ok", "4 ready")
        self.journal.set_health("slack", "warning", "not in #tos-lighting")
        self.journal.set_health("drives", "error", f"bigbuck: {_NOT_MOUNTED}")
        self.journal.set_health("journal", "ok", "61 GB free")
        self.journal.set_health("menus", "ok", "nobody else answers them")
        self.journal.open_breaker("status_handler", "5 failures in a row, the last: not_in_channel")
