"""Simulated artists: people who create, assign, publish and review over the site's own API, as a production does.

Everything follows from the seed: who does what, in which order, under which ids. How fast it happens is the caller's
affair. The artists use the site as any client would (``POST /api``, uploads by PUT) and nothing of the site's inside.
"""

from __future__ import annotations

import http.client
import io
import json
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from app.sandbox.profiles.media import picture
from app.sandbox.profiles.reference import SERVER_LOCATION, TASK

Json = Any

_ESCAPING_NAME = "../../outside"
_LONGEST_NAME = "very_long_" * 30
BAD_NAMES = (_ESCAPING_NAME, _LONGEST_NAME)
"""Names of the two deliberately bad tasks: a path out of the project, and 300 characters."""

_SHOT_TASKS = ("Layout", "Animation", "Lighting", "Compositing")
_HANDOVERS = {"Animation": "Ready for Lighting", "Lighting": "Ready for Comp"}


class RequestRefused(RuntimeError):
    """The site answered with an error; the text is the site's own."""


class Client:
    """One keep-alive connection to a site, for one thread.

    Args:
        url: The site's address.
        key: An API key that is good for every simulated user.
    """

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=60)
        self._key = key

    def call(self, user: str, operations: Sequence[Mapping[str, Json]]) -> list[Json]:
        """Send a batch as ``user``.

        Raises:
            RequestRefused: The site refused it.
            OSError: The site cannot be reached.
        """
        headers = {
            "Content-Type": "application/json",
            "ftrack-user": user,
            "ftrack-api-key": self._key,
            "ftrack-strict-api": "true",
        }
        answer = json.loads(self._request("POST", "/api", json.dumps(operations).encode(), headers))
        if isinstance(answer, dict):
            raise RequestRefused(f"{answer.get('exception')}: {answer.get('content')}")
        return list(answer)

    def query(self, user: str, expression: str) -> list[dict[str, Json]]:
        """The rows of a query."""
        return list(self.call(user, [{"action": "query", "expression": expression}])[0]["data"])

    def put(self, url: str, headers: Mapping[str, str], data: bytes) -> None:
        """Upload to an address the site gave out."""
        parts = urlsplit(url)
        self._request("PUT", f"{parts.path}?{parts.query}", data, headers)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _request(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        try:
            return self._once(method, path, body, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # The site closed an idle connection; nothing of this request was read.
            self._connection.close()
            return self._once(method, path, body, headers)

    def _once(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        self._connection.request(method, path, body, dict(headers))
        response = self._connection.getresponse()
        data = response.read()
        if response.status >= 500 or (method == "PUT" and response.status >= 400):
            raise RequestRefused(f"{method} {path.split('?', maxsplit=1)[0]}: HTTP {response.status}")
        return data


@dataclass(slots=True)
class _Task:
    id: str
    kind: str
    name: str
    shot: str
    status: str = "Not started"


@dataclass(slots=True)
class _Version:
    id: str
    task: _Task
    status: str


@dataclass(slots=True)
class _World:
    """What the artists know of the production: read once, then kept up by what they do themselves."""

    projects: dict[str, str] = field(default_factory=dict)
    sequences: list[tuple[str, str, str]] = field(default_factory=list)
    tasks: list[_Task] = field(default_factory=list)
    versions: list[_Version] = field(default_factory=list)
    assets: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    artists: dict[str, str] = field(default_factory=dict)
    shots: dict[str, tuple[str, str]] = field(default_factory=dict)
    upload_type: str = ""
    schema: str = ""
    disk: str = ""


class Artists:
    """The simulated people of one site.

    Args:
        url: The site's address.
        key: An API key that is good for every user.
        user: Who reads the production at the start.
        seed: What decides everything.

    Attributes:
        done: What was done so far, by kind.
    """

    def __init__(self, url: str, key: str, user: str, seed: int) -> None:
        self._client = Client(url, key)
        self._user = user
        self._dice = random.Random(seed)  # noqa: S311 - a play, not a secret
        self._names = Counter[str]()
        self._bad_left = list(BAD_NAMES)
        self._steps = 0
        self.done: Counter[str] = Counter()
        try:
            self._world = self._read_production()
        except BaseException:
            self._client.close()
            raise
        self._acts: tuple[tuple[int, str, Callable[[], str]], ...] = (
            (3, "shot created", self._create_shot),
            (3, "task created", self._create_task),
            (1, "asset build created", self._create_build),
            (5, "work started", self._start_work),
            (6, "version published", self._publish),
            (6, "version reviewed", self._review),
            (3, "task handed over", self._hand_over),
            (2, "task held or cut", self._hold),
            (2, "note written", self._write_note),
            (2, "task described", self._describe),
        )

    def step(self) -> str:
        """Let somebody do something; returns what, in words.

        Raises:
            RequestRefused: The site refused it.
            OSError: The site cannot be reached.
        """
        self._steps += 1
        if self._steps == 2:
            return self._counted("project created", self._create_project)
        if self._steps in (5, 9):
            return self._counted("bad task created", self._create_bad_task)
        kind, act = self._dice.choices(
            [(kind, act) for _weight, kind, act in self._acts], [weight for weight, _kind, _act in self._acts]
        )[0]
        return self._counted(kind, act)

    def run(self, seconds: float, rate: float = 4.0, stop: threading.Event | None = None) -> Counter[str]:
        """Act for a time.

        Args:
            seconds: How long.
            rate: Acts a second, on average.
            stop: When set, end early.

        Returns:
            What was done, by kind.
        """
        stop = stop or threading.Event()
        started = time.monotonic()
        due = started
        while not stop.is_set():
            due += self._dice.uniform(0.5, 1.5) / rate
            if due > started + seconds:
                break
            if stop.wait(max(0.0, due - time.monotonic())):
                break
            self.step()
        return self.done

    def act(self, steps: int) -> Counter[str]:
        """Act so many times, as fast as the site answers; returns what was done, by kind."""
        for _ in range(steps):
            self.step()
        return self.done

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _counted(self, kind: str, act: Callable[[], str]) -> str:
        words = act()
        self.done[kind if words else "nothing to do"] += 1
        return words

    # Reading the production.

    def _read_production(self) -> _World:
        def rows(expression: str) -> list[dict[str, Json]]:
            return self._client.query(self._user, expression)

        world = _World()
        world.statuses = {row["name"]: row["id"] for row in rows("select id, name from Status")}
        world.types = {row["name"]: row["id"] for row in rows("select id, name from Type")}
        world.projects = {
            row["name"]: row["id"] for row in rows("select id, name from Project where status is active order by name")
        }
        schemas = rows('select id from ProjectSchema where name is "VFX Scheme"')
        uploads = rows('select id from AssetType where name is "Upload"')
        if not world.projects or not schemas or not uploads:
            raise RequestRefused("the site has no production to act in: start it with the studio profile")
        world.schema, world.upload_type = schemas[0]["id"], uploads[0]["id"]
        disks = rows("select id from Disk order by name limit 1")
        world.disk = disks[0]["id"] if disks else ""
        world.artists = {
            row["username"]: row["id"]
            for row in rows("select id, username from User where is_active is true order by username")
            if "." in row["username"]
        }
        world.sequences = [
            (row["id"], row["name"], row["project_id"])
            for row in rows("select id, name, project_id from Sequence order by project_id, name, id")
        ]
        for row in rows("select id, name, parent_id, project_id from Shot order by name, id"):
            world.shots[row["id"]] = (row["name"], row["project_id"])
        kinds = {identifier: name for name, identifier in world.types.items()}
        for row in rows("select id, name, type_id, parent_id from Task where object_type.name is Task order by id"):
            if row["parent_id"] in world.shots:
                kind = kinds.get(row["type_id"], "Generic")
                world.tasks.append(_Task(row["id"], kind, row["name"], row["parent_id"]))
        for row in rows("select id, name, context_id from Asset order by id"):
            world.assets[f"{row['context_id']}/{row['name']}"] = row["id"]
        return world

    # Helpers.

    def _id(self) -> str:
        return str(uuid.UUID(int=self._dice.getrandbits(128), version=4))

    def _somebody(self) -> str:
        return self._dice.choice(list(self._world.artists))

    def _create(self, entity_type: str, **values: Json) -> dict[str, Json]:
        values.setdefault("id", self._id())
        return {
            "action": "create",
            "entity_type": entity_type,
            "entity_key": [values["id"]],
            "entity_data": {"__entity_type__": entity_type, **values},
        }

    def _set(self, entity_type: str, identifier: str, **values: Json) -> dict[str, Json]:
        return {
            "action": "update",
            "entity_type": entity_type,
            "entity_key": [identifier],
            "entity_data": {"__entity_type__": entity_type, **values},
        }

    def _task_operations(self, shot: str, project: str, kind: str, name: str = "") -> list[dict[str, Json]]:
        task = _Task(self._id(), kind, name or kind.lower(), shot)
        operations = [
            self._create(
                "Task",
                id=task.id,
                name=task.name,
                parent_id=shot,
                project_id=project,
                object_type_id=TASK,
                type_id=self._world.types[kind],
                status_id=self._world.statuses["Not started"],
            )
        ]
        if self._dice.random() < 0.8:
            person = self._world.artists[self._somebody()]
            operations.append(self._create("Appointment", type="assignment", resource_id=person, context_id=task.id))
        if not name and shot in self._world.shots:
            self._world.tasks.append(task)
        return operations

    def _set_status(self, who: str, entity_type: str, identifier: str, status: str) -> None:
        self._client.call(who, [self._set(entity_type, identifier, status_id=self._world.statuses[status])])

    # What people do.

    def _create_project(self) -> str:
        name = f"pilot_{self._dice.randrange(1000):03d}"
        project = self._id()
        self._client.call(
            self._user,
            [
                self._create(
                    "Project",
                    id=project,
                    name=name,
                    full_name=name.replace("_", " ").title(),
                    project_schema_id=self._world.schema,
                    disk_id=self._world.disk or None,
                    status="active",
                )
            ],
        )
        return f"{self._user} created project {name}"

    def _create_shot(self) -> str:
        sequence, name, project = self._dice.choice(self._world.sequences)
        self._names[sequence] += 1
        shot_name = f"{name}_{500 + 10 * self._names[sequence]:04d}"
        shot, who = self._id(), self._somebody()
        self._world.shots[shot] = (shot_name, project)
        operations = [self._create("Shot", id=shot, name=shot_name, parent_id=sequence, project_id=project)]
        for kind in _SHOT_TASKS[: self._dice.randint(1, len(_SHOT_TASKS))]:
            operations += self._task_operations(shot, project, kind)
        self._client.call(who, operations)
        return f"{who} created shot {shot_name}"

    def _create_task(self) -> str:
        shot = self._dice.choice(list(self._world.shots))
        has = {task.kind for task in self._world.tasks if task.shot == shot}
        missing = [kind for kind in (*_SHOT_TASKS, "Rotoscoping", "FX", "Previz") if kind not in has]
        if not missing:
            return ""
        kind, who = self._dice.choice(missing), self._somebody()
        name, project = self._world.shots[shot]
        self._client.call(who, self._task_operations(shot, project, kind))
        return f"{who} created {kind.lower()} on {name}"

    def _create_build(self) -> str:
        project_name = self._dice.choice(list(self._world.projects))
        project, build, who = self._world.projects[project_name], self._id(), self._somebody()
        kind = self._dice.choice(("Character", "Prop", "Environment"))
        name = f"{kind.lower()}_{self._dice.randrange(1000):03d}"
        operations = [
            self._create(
                "AssetBuild",
                id=build,
                name=name,
                parent_id=project,
                project_id=project,
                type_id=self._world.types[kind],
            )
        ]
        operations += self._task_operations(build, project, "Modeling")
        self._client.call(who, operations)
        return f"{who} created asset build {name}"

    def _create_bad_task(self) -> str:
        shot = self._dice.choice(list(self._world.shots))
        name = self._bad_left.pop(0)
        shot_name, project = self._world.shots[shot]
        self._client.call(self._user, self._task_operations(shot, project, "Layout", name))
        return f"{self._user} created a bad task on {shot_name}"

    def _start_work(self) -> str:
        waiting = [task for task in self._world.tasks if task.status == "Not started"]
        if not waiting:
            return ""
        task, who = self._dice.choice(waiting), self._somebody()
        self._set_status(who, "Task", task.id, "In progress")
        task.status = "In progress"
        return f"{who} started {task.name} of {self._world.shots[task.shot][0]}"

    def _publish(self) -> str:
        task, who = self._dice.choice(self._world.tasks), self._somebody()
        operations: list[dict[str, Json]] = []
        key = f"{task.shot}/{task.name}"
        if key not in self._world.assets:
            self._world.assets[key] = self._id()
            operations.append(
                self._create(
                    "Asset",
                    id=self._world.assets[key],
                    name=task.name,
                    context_id=task.shot,
                    type_id=self._world.upload_type,
                )
            )
        at_once = self._dice.random() < 0.5
        status = "Pending Internal Review" if at_once else "In progress"
        version = _Version(self._id(), task, status)
        operations.append(
            self._create(
                "AssetVersion",
                id=version.id,
                asset_id=self._world.assets[key],
                task_id=task.id,
                comment=self._dice.choice(("First pass", "Notes addressed", "Cleaner timing", "Test of the look")),
                status_id=self._world.statuses[status],
            )
        )
        self._client.call(who, operations)
        if self._dice.random() < 0.35:
            self._add_picture(who, version)
        if not at_once:
            self._set_status(who, "AssetVersion", version.id, "Pending Internal Review")
            version.status = "Pending Internal Review"
        self._world.versions.append(version)
        return f"{who} published {task.name} of {self._world.shots[task.shot][0]}"

    def _add_picture(self, who: str, version: _Version) -> None:
        title = f"{self._world.shots[version.task.shot][0]} | {version.task.name}"
        buffer = io.BytesIO()
        picture(title, version.id).save(buffer, "JPEG", quality=80)
        data, component = buffer.getvalue(), self._id()
        upload = {
            "action": "get_upload_metadata",
            "component_id": component,
            "file_name": "thumbnail.jpg",
            "file_size": len(data),
            "checksum": None,
        }
        answers = self._client.call(
            who,
            [
                self._create(
                    "FileComponent",
                    id=component,
                    name="thumbnail",
                    file_type=".jpg",
                    size=len(data),
                    version_id=version.id,
                ),
                upload,
            ],
        )
        self._client.put(answers[1]["url"], answers[1]["headers"], data)
        self._client.call(
            who,
            [
                self._create(
                    "ComponentLocation",
                    component_id=component,
                    location_id=SERVER_LOCATION,
                    resource_identifier=component,
                ),
                self._set("AssetVersion", version.id, thumbnail_id=component),
                self._set("Task", version.task.id, thumbnail_id=component),
            ],
        )

    def _review(self) -> str:
        waiting = [version for version in self._world.versions if version.status == "Pending Internal Review"]
        if not waiting:
            return ""
        version = self._dice.choice(waiting)
        verdicts = ["Review Changes", "Approved", "Approved", _HANDOVERS.get(version.task.kind, "Approved")]
        version.status = version.task.status = self._dice.choice(verdicts)
        who = self._somebody()
        self._set_status(who, "AssetVersion", version.id, version.status)
        return f"{who} set {version.task.name} of {self._world.shots[version.task.shot][0]} to {version.status}"

    def _hand_over(self) -> str:
        ready = [task for task in self._world.tasks if task.kind in _HANDOVERS and task.status != _HANDOVERS[task.kind]]
        if not ready:
            return ""
        task, who = self._dice.choice(ready), self._somebody()
        task.status = _HANDOVERS[task.kind]
        self._set_status(who, "Task", task.id, task.status)
        return f"{who} handed over {task.name} of {self._world.shots[task.shot][0]}"

    def _hold(self) -> str:
        task, who = self._dice.choice(self._world.tasks), self._somebody()
        task.status = "In progress" if task.status in ("On Hold", "Cut") else self._dice.choice(("On Hold", "Cut"))
        self._set_status(who, "Task", task.id, task.status)
        return f"{who} set {task.name} of {self._world.shots[task.shot][0]} to {task.status}"

    def _write_note(self) -> str:
        task, who = self._dice.choice(self._world.tasks), self._somebody()
        text = self._dice.choice(("Looks good.", "Could we try it warmer?", "Hold the last frame.", "Plate is late."))
        values = {"content": text, "parent_id": task.id, "parent_type": "Task", "user_id": self._world.artists[who]}
        self._client.call(who, [self._create("Note", **values)])
        return f"{who} wrote a note on {task.name} of {self._world.shots[task.shot][0]}"

    def _describe(self) -> str:
        task, who = self._dice.choice(self._world.tasks), self._somebody()
        self._client.call(who, [self._set("Task", task.id, description=f"Pass {self._dice.randrange(9)}", bid=3600.0)])
        return f"{who} described {task.name} of {self._world.shots[task.shot][0]}"
