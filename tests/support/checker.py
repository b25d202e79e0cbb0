"""An independent judge of what the event server did: it knows the studio's rules and nothing of the server.

From the site's own history (its database and its event log, read with the standard library) it derives which folders,
files, messages, statuses, list items and thumbnails must exist and which must not, and compares both ways. It imports
nothing of the product.

    python tests/support/checker.py KEPT_FOLDER        # a folder kept by `signalbox demo --headless --keep`
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import re
import sqlite3
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

HANDLERS = frozenset(
    {
        "create_project_folder",
        "create_task_folder",
        "add_version_to_list",
        "assign_task_status",
        "status_handler",
        "set_task_thumbnail",
    }
)
PROJECT_FOLDERS = (
    *("assets", "assets/3d", "assets/artwork", "assets/hdri", "reference", "shots", "template_files", "production"),
    *(f"production/{name}" for name in ("approvals", "editorial", "io", "meetings", "schedule")),
)
SHOT_FOLDERS = ("img", "img/comps", "img/plates", "img/render")
PENDING = "Pending Internal Review"
READY = {("Animation", "Ready for Lighting"): "Lighting", ("Lighting", "Ready for Comp"): "Compositing"}
IMAGES = {"Cut": "cut", "On Hold": "on_hold"}
_BLOCK = re.compile(r"Project: (.*)\nShot: (.*)\n(Ready for \w+)")
# What happened this close together may have been seen in either order: the server reads when it works.
CLOSE = 5.0


@dataclass(frozen=True)
class Happening:
    """One entity of one event: when, by whom, what."""

    time: float
    order: int
    username: str
    action: str
    kind: str
    entity: str
    changes: Mapping[str, Mapping[str, Any]]

    def became(self, key: str) -> Any:
        pair = self.changes.get(key)
        return pair["new"] if pair and pair.get("new") != pair.get("old") else None


@dataclass
class Verdict:
    """The differences, both ways, and how much was compared."""

    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    compared: Counter[str] = field(default_factory=Counter)

    @property
    def differences(self) -> list[str]:
        return [f"missing: {one}" for one in self.missing] + [f"unexpected: {one}" for one in self.unexpected]


class Site:
    """The site's database and event log, read only."""

    def __init__(self, folder: Path) -> None:
        with _open(folder / "site.db") as database:
            self.tables = {name: self._table(database, name) for name in _TABLES}
        with _open(folder / "events.db") as database:
            rows = database.execute(
                "SELECT id, time, username, event FROM event WHERE topic = 'ftrack.update' ORDER BY id"
            )
            self.happenings = [one for row in rows for one in _happenings(*row)]
        self.contexts = {row["id"]: row for row in self.tables["Context"]}
        self.versions = {row["id"]: row for row in self.tables["AssetVersion"]}
        self.assets = {row["id"]: row for row in self.tables["Asset"]}
        self.statuses = {row["id"]: row["name"] for row in self.tables["Status"]}
        self.types = {row["id"]: row["name"] for row in self.tables["Type"]}
        self.users = {row["id"]: row for row in self.tables["Resource"]}
        self.components = {row["id"]: row for row in self.tables["Component"]}
        self.metadata: dict[str, dict[str, str]] = defaultdict(dict)
        for row in self.tables["Metadata"]:
            self.metadata[row["parent_id"]][row["key"]] = row["value"]

    def _table(self, database: sqlite3.Connection, name: str) -> list[dict[str, Any]]:
        cursor = database.execute(f'SELECT * FROM "{name}" ORDER BY "__n__"')
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def above(self, context: str) -> list[dict[str, Any]]:
        """The entities between the project and this one, topmost first."""
        chain: list[dict[str, Any]] = []
        step = self.contexts.get(self.contexts[context]["parent_id"] or "")
        while step is not None and step["__type__"] != "Project":
            chain.insert(0, step)
            step = self.contexts.get(step["parent_id"] or "")
        return chain

    def project(self, entity: Mapping[str, Any]) -> dict[str, Any]:
        return self.contexts[entity["project_id"]]

    def allowed(self, task: Mapping[str, Any]) -> set[str]:
        """Names of the statuses that the workflow allows a task."""
        schema = next(
            row for row in self.tables["ProjectSchema"] if row["id"] == self.project(task)["project_schema_id"]
        )
        workflow = schema["task_workflow_schema_id"]
        for row in self.tables["ProjectSchemaOverride"]:
            if row["project_schema_id"] == schema["id"] and row["type_id"] == task["type_id"]:
                workflow = row["workflow_schema_id"]
        return {
            self.statuses[row["status_id"]]
            for row in self.tables["WorkflowSchemaStatus"]
            if row["workflow_schema_id"] == workflow
        }


_TABLES = (
    *("Context", "Asset", "AssetVersion", "Status", "Type", "Resource", "Membership", "Appointment", "Component"),
    *("List", "ListObject", "ListCategory", "Metadata", "Disk"),
    *("ProjectSchema", "ProjectSchemaOverride", "WorkflowSchemaStatus"),
)


def _open(path: Path) -> Any:
    return contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True))


def _happenings(order: int, time: float, username: str, text: str) -> Iterator[Happening]:
    for entity in json.loads(text)["data"].get("entities") or ():
        changes = entity.get("changes") or {}
        yield Happening(time, order, username, entity["action"], entity["entity_type"], entity["entityId"], changes)


@dataclass
class Studio:
    """What the studio has besides ftrack.

    Attributes:
        drive: The production drive.
        prefix: What the disks are called on ftrack; stands for ``drive``.
        templates: Names of the studio's task template files.
        server: Username of the event server.
        zone: The studio's time zone; None: this computer's.
        mapping: ftrack username to Slack user, ftrack project to channel.
        directory: E-mail address to Slack user.
        messages: What Slack received: channel and text.
    """

    drive: Path
    prefix: str
    templates: list[str]
    server: str
    zone: dt.tzinfo | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    directory: Mapping[str, str] = field(default_factory=dict)
    messages: list[tuple[str, str]] = field(default_factory=list)


class Judge:
    """Compares a site's history with what became of it.

    Args:
        site: The history.
        studio: Drive, Slack and rules.
        handlers: The handlers whose lever was On; the others must have done nothing.
        close: Seconds that the server was behind at most.
    """

    def __init__(self, site: Site, studio: Studio, handlers: Iterable[str] = HANDLERS, close: float = CLOSE) -> None:
        self.close = close
        self.site = site
        self.studio = studio
        self.on = frozenset(handlers)
        self.verdict = Verdict()

    def judge(self) -> Verdict:
        self._drive()
        self._metadata()
        self._statuses()
        self._lists()
        self._messages()
        self._thumbnails()
        return self.verdict

    # -- folders and files -------------------------------------------------------------------------------------------

    def _drive(self) -> None:
        must: set[Path] = set()
        for one in self.site.happenings:
            if one.action != "add" or one.entity not in self.site.contexts:
                continue
            if one.kind == "Project" and "create_project_folder" in self.on:
                project = self._project_paths(self.site.contexts[one.entity])
                self.verdict.compared["project folder"] += bool(project)
                must |= project
            elif one.kind == "Task" and "create_task_folder" in self.on:
                must |= self._task_paths(self.site.contexts[one.entity])
        must |= {parent for path in must for parent in path.parents if self.studio.drive in parent.parents}
        there = {path for path in self.studio.drive.rglob("*") if path.name != ".signalbox-drive"}
        before = {path for path in there if "template_files" in path.parts}
        before |= {path.parent for path in before} | {path.parent.parent for path in before}
        self._compare("path on the drive", must, there, may=before)
        for path in sorted((must & there) - before):
            wanted = 0o2775 if path.is_dir() else 0o664
            if path.stat().st_mode & 0o7777 != wanted:
                self.verdict.unexpected.append(f"mode {path.stat().st_mode & 0o7777:o} of {path}")

    def _root(self, project: Mapping[str, Any]) -> Path:
        if project["root"]:
            return self._here(project["root"])
        disk = next(row for row in self.site.tables["Disk"] if row["id"] == project["disk_id"])
        return self._here(disk["unix"]) / project["name"]

    def _here(self, path: str) -> Path:
        if path == self.studio.prefix or path.startswith(self.studio.prefix + "/"):
            return Path(str(self.studio.drive) + path[len(self.studio.prefix) :])
        return Path(path)

    def _project_paths(self, project: Mapping[str, Any]) -> set[Path]:
        schema = next(row for row in self.site.tables["ProjectSchema"] if row["id"] == project["project_schema_id"])
        if schema["name"].lower() not in {"vfx scheme", "vfx schema"}:
            return set()
        root = self._root(project)
        return {root / name for name in PROJECT_FOLDERS} | {
            root / "template_files" / name for name in self.studio.templates
        }

    def _task_paths(self, task: Mapping[str, Any]) -> set[Path]:
        place = self._task_folder(task)
        if place is None:
            return set()
        paths = {place}
        chain = self.site.above(task["id"])
        if chain[-1]["__type__"] == "Shot":
            shot = self._root(self.site.project(task)).joinpath("shots", *(one["name"] for one in chain))
            paths |= {shot / name for name in SHOT_FOLDERS}
        file = self._task_file(task)
        return paths | ({file} if file else set())

    def _task_folder(self, task: Mapping[str, Any]) -> Path | None:
        chain = self.site.above(task["id"])
        if not chain or not all(_good(one["name"]) for one in (*chain, task)):
            return None
        root, parent = self._root(self.site.project(task)), chain[-1]
        if parent["__type__"] == "Shot":
            return root.joinpath("shots", *(one["name"] for one in chain), "scene", task["name"].lower())
        if parent["__type__"] == "AssetBuild":
            kind = self.site.types[parent["type_id"]].lower()
            return root / "assets" / kind / parent["name"] / task["name"].lower()
        return None

    def _task_file(self, task: Mapping[str, Any]) -> Path | None:
        folder = self._task_folder(task)
        if folder is None:
            return None
        kind = self.site.types[task["type_id"]].lower()
        names = sorted(path.name for path in (self._root(self.site.project(task)) / "template_files").glob("*"))
        template = next((name for name in names if Path(name).stem.lower() == kind), None)
        if template is None:
            return None
        parent = self.site.above(task["id"])[-1]
        suffix = Path(template).suffix
        if parent["__type__"] == "Shot":
            return folder / f"{parent['name']}_v01{suffix}"
        if kind == "modeling":
            folder = folder / "maya"
        return folder / f"{parent['name']}_{task['name'].lower()}_v01{suffix}"

    def _metadata(self) -> None:
        must, there = set(), set()
        for one in self.site.happenings:
            task = self.site.contexts.get(one.entity)
            if one.action == "add" and one.kind == "Task" and task is not None:
                file = self._task_file(task)
                if file is not None and "create_task_folder" in self.on:
                    must.add((one.entity, str(file)))
                    self._content(file, self._root(self.site.project(task)) / "template_files")
        for entity, values in self.site.metadata.items():
            if entity in self.site.contexts and "filename" in values:
                there.add((entity, values["filename"]))
        self._compare("file name in the metadata of a task", must, there)

    def _content(self, file: Path, templates: Path) -> None:
        """A first file is the template's, to the letter."""
        sources = [path for path in templates.iterdir() if path.suffix == file.suffix]
        if file.exists() and not any(path.read_bytes() == file.read_bytes() for path in sources):
            self.verdict.unexpected.append(f"content of {file}: none of the templates")

    # -- statuses ----------------------------------------------------------------------------------------------------

    def _status_events(self, kind: str) -> Iterator[tuple[Happening, str]]:
        for one in self.site.happenings:
            status = one.became("statusid") if one.kind == kind and one.action != "remove" else None
            if status in self.site.statuses:
                yield one, self.site.statuses[status]

    def _statuses(self) -> None:
        causes: dict[str, list[tuple[float, str]]] = defaultdict(list)
        reached: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for one, status in self._status_events("AssetVersion"):
            task = self.site.versions.get(one.entity, {}).get("task_id")
            if not task or task not in self.site.contexts:
                continue
            reached[task].append((one.order, status))
            if "assign_task_status" in self.on and status in self.site.allowed(self.site.contexts[task]):
                causes[task].append((one.time, status))
        for one, status in self._status_events("Task"):
            if one.entity not in self.site.contexts:
                continue
            if one.username != self.studio.server or one.action == "add":
                causes[one.entity].append((one.time, status))
            elif "assign_task_status" not in self.on or not any(
                order < one.order and known == status for order, known in reached[one.entity]
            ):
                self.verdict.unexpected.append(f"status {status} of {self._words(one.entity)}, set without a version")
        for task, known in causes.items():
            known.sort()
            possible = {status for time, status in known if time >= known[-1][0] - self.close}
            present = self.site.statuses.get(self.site.contexts[task]["status_id"], "")
            self.verdict.compared["task status"] += 1
            if present not in possible:
                self.verdict.missing.append(f"status {' or '.join(possible)} of {self._words(task)}: it is {present}")

    def _words(self, context: str) -> str:
        entity = self.site.contexts[context]
        chain = [one["name"] for one in self.site.above(context)]
        return " / ".join([self.site.project(entity)["name"], *chain, entity["name"]])

    # -- dailies -----------------------------------------------------------------------------------------------------

    def _lists(self) -> None:
        must: set[tuple[str, str, str]] = set()
        may: set[tuple[str, str, str]] = set()
        for one, status in self._status_events("AssetVersion"):
            version = self.site.versions.get(one.entity)
            if status != PENDING or version is None or "add_version_to_list" not in self.on:
                continue
            for moment in (one.time - 1, one.time + 1):  # the history is kept in whole seconds
                may.add((version["project_id"], self._day(moment), one.entity))
            if self._day(one.time - 1) == self._day(one.time + 1):
                must.add((version["project_id"], self._day(one.time), one.entity))
        lists = {row["id"]: row for row in self.site.tables["List"] if row["name"].startswith("Dailies_")}
        there = Counter(
            (lists[row["list_id"]]["project_id"], lists[row["list_id"]]["name"], row["entity_id"])
            for row in self.site.tables["ListObject"]
            if row["list_id"] in lists and self._made_here(row["entity_id"])
        )
        self._compare("version on a list", must, set(there), may=may)
        self.verdict.unexpected += [f"{one} is {count} times on its list" for one, count in there.items() if count > 1]
        names = Counter((row["project_id"], row["name"]) for row in lists.values())
        self.verdict.unexpected += [f"list {name} made {count} times" for name, count in names.items() if count > 1]
        reviews = {row["id"] for row in self.site.tables["ListCategory"] if row["name"] == "Reviews"}
        self.verdict.unexpected += [
            f"list {row['name']} in another category" for row in lists.values() if row["category_id"] not in reviews
        ]

    def _made_here(self, version: str) -> bool:
        """Whether the history tells of the version: what the seed put on lists is none of the server's doing."""
        return any(one.entity == version for one in self.site.happenings)

    def _day(self, time: float) -> str:
        local = dt.datetime.fromtimestamp(time, self.studio.zone)
        day = local.date() + dt.timedelta(days=1 if local.hour >= 10 else 0)
        return f"Dailies_{day.isoformat()}"

    # -- messages ----------------------------------------------------------------------------------------------------

    def _messages(self) -> None:
        sent = Counter((channel, *found) for channel, text in self.studio.messages for found in _BLOCK.findall(text))
        must: Counter[tuple[str, str, str, str]] = Counter()
        may: Counter[tuple[str, str, str, str]] = Counter()
        doubtful: set[tuple[str, str, str]] = set()
        if "status_handler" in self.on:
            for task, status, moment, last in self._transitions():
                shot = self.site.contexts[task["parent_id"]]
                subject = (_escaped(self.site.project(task)["name"]), _escaped(shot["name"]), status)
                kind = READY[self.site.types[task["type_id"]], status]
                if self._assigned_about(shot["id"], kind, moment) or self._assigned_about(shot["id"], kind, last):
                    doubtful.add(subject)
                told = self._addresses(shot, kind, moment)
                for address in told:
                    must[(address, *subject)] += 1
                # Who was assigned before it was set once more may hear of it then.
                for address in self._addresses(shot, kind, last) - told:
                    may[(address, *subject)] += 1
        for key in set(must) | set(sent):
            if key[1:] in doubtful:
                continue
            self.verdict.compared["message"] += 1
            if sent[key] < must[key]:
                self.verdict.missing.append(f"{must[key] - sent[key]} message(s) {key}")
            elif sent[key] > must[key] + may[key]:
                self.verdict.unexpected.append(f"{sent[key] - must[key]} message(s) {key}")

    def _transitions(self) -> Iterator[tuple[dict[str, Any], str, float, float]]:
        """Task, status, when the transition began, and when the status was last set within it."""
        steps: dict[str, list[tuple[float, int, str, str, str]]] = defaultdict(list)
        for kind in ("Task", "AssetVersion"):
            for one, status in self._status_events(kind):
                owner = one.entity if kind == "Task" else self.site.versions.get(one.entity, {}).get("task_id")
                if owner in self.site.contexts:
                    old = self.site.statuses.get((one.changes["statusid"] or {}).get("old") or "", "")
                    steps[owner].append((one.time, one.order, one.entity, status, old))
        for owner, history in steps.items():
            task = self.site.contexts[owner]
            parent = self.site.contexts.get(task["parent_id"] or "")
            for kind, status in READY:
                if self.site.types.get(task["type_id"]) == kind and parent and parent["__type__"] == "Shot":
                    for began, last in _beginnings(owner, status, sorted(history)):
                        yield task, status, began, last

    def _assigned_at(self) -> dict[str, float]:
        return {
            one.entity: one.time for one in self.site.happenings if one.kind == "Appointment" and one.action == "add"
        }

    def _next_tasks(self, shot: str, kind: str) -> set[str]:
        return {
            one["id"]
            for one in self.site.contexts.values()
            if one["parent_id"] == shot and one["__type__"] == "Task" and self.site.types.get(one["type_id"]) == kind
        }

    def _assigned_about(self, shot: str, kind: str, moment: float) -> bool:
        """Whether people or tasks came so close to the moment that either answer is right."""
        tasks, when = self._next_tasks(shot, kind), self._assigned_at()
        times = [
            when[row["id"]]
            for row in self.site.tables["Appointment"]
            if row["context_id"] in tasks and row["id"] in when
        ]
        times += [one.time for one in self.site.happenings if one.action == "add" and one.entity in tasks]
        return any(abs(time - moment) < self.close for time in times)

    def _addresses(self, shot: Mapping[str, Any], kind: str, moment: float) -> set[str]:
        tasks, when = self._next_tasks(shot["id"], kind), self._assigned_at()
        resources = {
            row["resource_id"]
            for row in self.site.tables["Appointment"]
            if row["context_id"] in tasks and row["type"] == "assignment" and when.get(row["id"], 0) <= moment
        }
        people = {one for one in resources if self.site.users[one]["__type__"] == "User"}
        people |= {row["user_id"] for row in self.site.tables["Membership"] if row["group_id"] in resources}
        living = [self.site.users[one] for one in people if self.site.users[one]["is_active"]]
        if not living:
            return {self.studio.mapping.get(self.site.project(shot)["name"], "#general")}
        return {
            self.studio.mapping.get(one["username"])
            or self.studio.directory.get((one["email"] or "").lower())
            or "#general"
            for one in living
        }

    # -- thumbnails --------------------------------------------------------------------------------------------------

    def _thumbnails(self) -> None:
        held: dict[str, float] = {}
        for one, _ in self._status_events("Task"):
            held[one.entity] = one.time
        by_hand: dict[str, float] = {}
        own: dict[str, str | None] = {}
        for one in self.site.happenings:
            if one.kind != "Task" or "thumbid" not in one.changes:
                continue
            if one.username != self.studio.server:
                by_hand[one.entity], own[one.entity] = one.time, one.changes["thumbid"].get("new") or None
            else:
                own.setdefault(one.entity, one.changes["thumbid"].get("old") or None)
        for task, since in held.items():
            entity = self.site.contexts.get(task)
            if entity is None:
                continue
            status = self.site.statuses.get(entity["status_id"], "")
            image = IMAGES.get(status) if "set_task_thumbnail" in self.on else None
            component = self.site.components.get(entity["thumbnail_id"] or "", {})
            shown = component.get("name") if component.get("name") in IMAGES.values() else None
            if image and by_hand.get(task, 0.0) > since - self.close:
                continue  # an artist gave it another picture, which it keeps
            self.verdict.compared["thumbnail"] += 1
            self.verdict.compared["image of a status"] += image is not None
            if not image and not shown and task in own and by_hand.get(task, 0.0) < since - self.close:
                self.verdict.compared["thumbnail given back"] += 1
                if entity["thumbnail_id"] != own[task]:
                    self.verdict.missing.append(f"thumbnail {own[task]} of {self._words(task)}, as it was before")
            if shown != image:
                side = self.verdict.missing if image else self.verdict.unexpected
                side.append(f"thumbnail {image or shown} of {self._words(task)} ({status})")
            if not image and "thumbnail_of_status" in self.site.metadata[task]:
                self.verdict.unexpected.append(f"remembered thumbnail of {self._words(task)} ({status})")
        names = Counter(one["name"] for one in self.site.components.values() if one["name"] in IMAGES.values())
        self.verdict.unexpected += [
            f"image {name} uploaded {count} times" for name, count in names.items() if count > 1
        ]

    # -- both ways ---------------------------------------------------------------------------------------------------

    def _compare(self, what: str, must: set[Any], there: set[Any], *, may: Iterable[Any] = ()) -> None:
        self.verdict.compared[what] += len(must | there)
        self.verdict.missing += sorted(f"{what}: {one}" for one in must - there)
        self.verdict.unexpected += sorted(f"{what}: {one}" for one in there - must - set(may))


def _beginnings(task: str, status: str, steps: list[tuple[float, int, str, str, str]]) -> Iterator[tuple[float, float]]:
    """When a shot became ready, and when that was last said: a task that follows its version, and flips within a
    minute, are no news."""
    waiting: set[str] = set()
    found: list[tuple[float, float]] = []
    for time, _, entity, new, old in steps:
        if new != status:
            waiting.discard(entity)
            if entity == task and old == status:
                waiting.clear()
            continue
        # The site's history has whole seconds, so a minute is a minute give or take one.
        follows = bool(found) and (time - found[-1][0] <= 60 or (entity == task and bool(waiting)))
        if follows:
            found[-1] = (found[-1][0], time)
        else:
            found.append((time, time))
        if entity == task:
            waiting.clear()
        else:
            waiting.add(entity)
    yield from found


def _good(name: str) -> bool:
    return 0 < len(name.encode()) <= 255 and not re.search(r"[/\\\x00-\x1f<>:\"|?*]", name) and name not in {".", ".."}


def _escaped(name: str) -> str:
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def received(path: Path) -> list[tuple[str, str]]:
    """What Slack received, from its file of JSON lines."""
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    return [(one["channel"], one["text"]) for one in lines]


def kept_demo(folder: Path, templates: Path, server: str = "eventserver", zone: str = "") -> Judge:
    """The judge of a folder that a demo kept: ``site/``, ``drive/``, ``slack.jsonl`` and its mapping file."""
    site = Site(folder / "site")
    people = [row for row in site.users.values() if row["__type__"] == "User" and row["is_active"]]
    people.sort(key=lambda row: row["username"])
    directory = {(row["email"] or "").lower(): f"U{number:08d}" for number, row in enumerate(people, 1) if row["email"]}
    mapping = folder / "home/slack_ftrack_users.json"
    studio = Studio(
        drive=folder / "drive",
        prefix="/data/production",
        templates=sorted(path.name for path in templates.iterdir()),
        server=server,
        zone=ZoneInfo(zone) if zone else None,
        mapping=json.loads(mapping.read_text(encoding="utf-8")) if mapping.exists() else {},
        directory=directory,
        messages=received(folder / "slack.jsonl"),
    )
    return Judge(site, studio)


def main() -> int:
    """Judge a kept demo; the exit code is 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--zone", default="")
    given = parser.parse_args()
    templates = Path(__file__).resolve().parents[2] / "resources" / "task_templates"
    verdict = kept_demo(given.folder.resolve(), templates, zone=given.zone).judge()
    for line in verdict.differences:
        print(line)
    print(f"{len(verdict.differences)} differences; compared {dict(verdict.compared)}")
    return 1 if verdict.differences else 0


if __name__ == "__main__":
    sys.exit(main())
