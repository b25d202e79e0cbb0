"""Batch Create: sequences, shots and tasks in one go, from an expression or a sheet. What exists is reused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field as Setting

from app.actions.base import Action, ActionSettings, Again, Asked, Go
from app.actions.forms import Choice, Field, Form, read
from app.effects.disk import MakeFolder
from app.effects.ftrack import CreateEntity, SetShotValue
from app.effects.job_setting import JobSetting, WithJobs, jobs_setting
from app.engine.doors import SiteDoor
from app.engine.protocol import Context, Effect, HandlerSettings, Launch, Note, Plan, PlanError, natural_id
from app.rules.batch import Existing, Judged, ShotRow, TaskTemplate, judge, rows_from_expression
from app.rules.names import folder_name, is_inside
from app.rules.outcomes import Later
from app.rules.shots import ExpressionError
from app.rules.templates import render_path
from app.rules.words import many
from app.site.query import chunks, id_list, quoted

__all__ = ["BatchCreate", "BatchCreateSettings", "Tree", "existing_below", "rows_of", "rows_to_json"]

_PROJECT = "project.id, project.name, project.root, project.disk.unix, project.disk.windows, project.project_schema_id"


class BatchCreateSettings(WithJobs, ActionSettings):
    """Defaults of the form, and its limits."""

    sequence: str = Setting(default="001", description="Sequence name the form starts with.")
    expression: str = Setting(default="####", description="Shot expression: # is the padding, the rest is kept.")
    numbers: str = Setting(default="10-20:10", description="Range: start-end:step, both ends included.")
    prefix: bool = Setting(default=True, description="Put the sequence's name before the shot's (001_0010).")
    tasks: int = Setting(default=2, ge=0, le=12, description="Number of task templates the form starts with.")
    most_tasks: int = Setting(default=12, ge=1, le=40, description="Largest number of task templates of the form.")
    confirm_above: int = Setting(default=500, ge=1, description="Ask again before making more shots than this.")
    folders: bool = Setting(default=True, description="Make the shot's own folders (img/comps, plates, render).")
    frame_in: str = Setting(default="fstart", description="Custom attribute of the first frame; empty: not set.")
    frame_out: str = Setting(default="fend", description="Custom attribute of the last frame; empty: not set.")
    jobs: list[JobSetting] = jobs_setting(
        "once for each launch that made all of what was asked for", "parent", "shots (001_0010, 001_0020)"
    )


@dataclass(slots=True)
class Tree:
    """What is below a parent, with ids.

    Attributes:
        parent: Row of the parent.
        kind: "top" (a project or episode), "sequence" or "shot".
        project: Row of its project.
        path: Names from below the project down to the parent itself.
        sequences: Name without case to (id, name).
        shots: (sequence, shot) without case to (id, sequence, shot).
        tasks: (sequence, shot) without case to task names.
        others: (sequence or "", name) of entities of another kind.
    """

    parent: Mapping[str, Any]
    kind: str
    project: Mapping[str, Any]
    path: tuple[str, ...]
    sequences: dict[str, tuple[str, str]] = field(default_factory=dict)
    shots: dict[tuple[str, str], tuple[str, str, str]] = field(default_factory=dict)
    tasks: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    others: set[tuple[str, str]] = field(default_factory=set)

    def existing(self) -> Existing:
        """The same as names, for judging rows."""
        shots: dict[str, set[str]] = {}
        for _, sequence, shot in self.shots.values():
            shots.setdefault(sequence, set()).add(shot)
        return Existing(
            frozenset(name for _, name in self.sequences.values()),
            {sequence: frozenset(names) for sequence, names in shots.items()},
            {key: frozenset(names) for key, names in self.tasks.items()},
            frozenset(self.others),
        )


def existing_below(site: SiteDoor, entity_type: str, entity_id: str) -> Tree:
    """Read a parent and what is below it: three queries, whatever the size (in pages).

    Raises PlanError when the parent is gone or cannot have shots.
    """
    tree = _parent(site, entity_type, entity_id)
    names = {one.id: one.name for one in site.object_types().values()}

    def read(where: str) -> Iterable[tuple[str, str, str, str]]:
        for row in site.rows(f"select id, name, parent_id, object_type_id from TypedContext where {where}"):
            yield str(row["id"]), str(row["name"]), str(row["parent_id"]), names.get(str(row["object_type_id"]), "")

    def below(parents: Iterable[str]) -> Iterable[tuple[str, str, str, str]]:
        for some in chunks(parents):
            yield from read(f"parent_id in {id_list(some)}")

    def two_levels(parents: Iterable[str]) -> Iterable[tuple[str, str, str, str]]:
        for some in chunks(parents):
            yield from read(f"parent_id in {id_list(some)} or parent.parent_id in {id_list(some)}")

    own = str(tree.parent["name"])
    if tree.kind == "top":
        for key, name, _, kind in below([entity_id]):
            if kind == "Sequence":
                tree.sequences[name.casefold()] = (key, name)
            else:
                tree.others.add(("", name))
    elif tree.kind == "sequence":
        tree.sequences[own.casefold()] = (entity_id, own)
    by_id = dict(tree.sequences.values())
    if tree.kind == "shot":
        tree.shots[("", "")] = (entity_id, "", "")
    found = [*below([entity_id])] if tree.kind == "shot" else [*two_levels(by_id)]
    for key, name, parent, kind in found:
        if parent in by_id and kind == "Shot":
            tree.shots[(by_id[parent].casefold(), name.casefold())] = (key, by_id[parent], name)
        elif parent in by_id and kind != "Task":
            tree.others.add((by_id[parent], name))
    places = {key: place for place, (key, _, _) in tree.shots.items()}
    for _, name, parent, kind in found:
        if parent in places and kind == "Task":
            tree.tasks.setdefault(places[parent], set()).add(name)
    return tree


def _parent(site: SiteDoor, entity_type: str, entity_id: str) -> Tree:
    if entity_type == "Project":
        rows = site.rows(
            "select id, name, root, disk.unix, disk.windows, project_schema_id "
            f"from Project where id is {quoted(entity_id)}"
        )
        if not rows:
            raise PlanError("The project no longer exists on ftrack.")
        return Tree(rows[0], "top", rows[0], ())
    rows = site.rows(f"select id, name, link, {_PROJECT} from TypedContext where id is {quoted(entity_id)}")
    if not rows:
        raise PlanError("The selected entity no longer exists on ftrack.")
    kinds = {"Episode": "top", "Folder": "top", "Sequence": "sequence", "Shot": "shot"}
    if entity_type not in kinds:
        raise PlanError(f"Shots cannot be made below a {entity_type}: select a project, episode, sequence or shot.")
    row = rows[0]
    path = tuple(str(step["name"]) for step in row.get("link") or () if step.get("type") != "Project")
    return Tree(row, kinds[entity_type], row["project"], path)


def rows_to_json(rows: Iterable[ShotRow]) -> list[dict[str, Any]]:
    """Rows as a launch carries them."""
    return [
        {
            "sequence": row.sequence,
            "shot": row.shot,
            "frame_in": row.frame_in,
            "frame_out": row.frame_out,
            "description": row.description,
            "tasks": [
                {
                    "type": t.type_name,
                    "bid": t.bid_hours,
                    "name": t.name,
                    "assignees": list(t.assignees),
                    "status": t.status,
                }
                for t in row.tasks
            ],
        }
        for row in rows
    ]


def rows_of(values: Mapping[str, Any]) -> list[ShotRow]:
    """The rows of a launch."""
    return [
        ShotRow(
            row["sequence"],
            row["shot"],
            row.get("frame_in"),
            row.get("frame_out"),
            tuple(
                TaskTemplate(
                    t["type"], t.get("bid", 0), t.get("name", ""), tuple(t.get("assignees", ())), t.get("status", "")
                )
                for t in row["tasks"]
            ),
            row.get("description", ""),
        )
        for row in values["rows"]
    ]


class BatchCreate(Action):
    """Shows two pages (shots, then tasks) and plans the creations that are missing."""

    id: ClassVar[str] = "batch_create"
    title: ClassVar[str] = "Batch Create"
    help: ClassVar[str] = "Make a sequence, shots and tasks in one go; what exists is reused."
    icon: ClassVar[str] = "list"
    settings_model: ClassVar[type[HandlerSettings]] = BatchCreateSettings
    offered_on: ClassVar[frozenset[str]] = frozenset({"Project", "Episode", "Sequence", "Shot"})
    single: ClassVar[bool] = True

    def key(self, launch: Launch) -> str:
        return f"batch:{launch.selection[0][1]}"

    # Pages

    def step(self, asked: Asked) -> Form | Again | Go:
        kind = asked.selection[0].entity_type
        if asked.values is None:
            return self._shots_page(asked, kind, {})
        if asked.state.get("page") == "shots":
            return self._after_shots(asked, kind)
        return self._after_tasks(asked, kind)

    def _shots_page(self, asked: Asked, kind: str, start: Mapping[str, Any]) -> Form:
        settings: BatchCreateSettings = asked.settings
        fields: list[Field] = []
        if kind in ("Project", "Episode"):
            sequence = start.get("sequence", settings.sequence)
            fields.append(Field(kind="text", name="sequence", label="Sequence name", value=sequence, required=True))
        if kind != "Shot":
            fields += [
                Field(kind="text", name="expression", label="Shot expression", value=settings.expression, required=True,
                      help="# is the number's padding, e.g. #### or sh###"),
                Field(kind="text", name="numbers", label="Range", value=settings.numbers, required=True,
                      help="start-end:step, e.g. 10-200:10"),
                Field(kind="boolean", name="prefix", label="Add sequence prefix", value=settings.prefix),
            ]  # fmt: skip
        fields.append(
            Field(kind="number", name="tasks", label="Number of task templates", value=settings.tasks, whole=True,
                  least=0 if kind != "Shot" else 1, most=settings.most_tasks)
        )  # fmt: skip
        if kind in ("Project", "Episode"):
            fields.append(Field(kind="boolean", name="another", label="Create another sequence?", value=False))
        return Form(title="Batch Create", fields=tuple(fields), submit="Next", state={"page": "shots"})

    def _after_shots(self, asked: Asked, kind: str) -> Form | Again | Go:
        assert asked.values is not None
        form = self._shots_page(asked, kind, {})
        good, problems = read(form, asked.values)
        if not problems and kind != "Shot":
            problems = _expression_problems(good)
        if problems:
            return Again(form, problems)
        if kind == "Sequence":
            tree = existing_below(asked.site, kind, asked.selection[0].entity_id)
            good["sequence"] = str(tree.parent["name"])
        if not good["tasks"]:
            return self._go(asked, kind, good, [])
        return self._tasks_page(asked, good)

    def _tasks_page(self, asked: Asked, shots: Mapping[str, Any]) -> Form:
        names = sorted((one.name for one in asked.site.types().values()), key=str.casefold)
        usable = _task_types(asked.site, asked.selection[0].entity_type, asked.selection[0].entity_id) or names
        choices = tuple(Choice(value=name, label=name) for name in usable)
        fields: list[Field] = []
        for number in range(int(shots["tasks"])):
            label = f"Task {number + 1}"
            start = choices[number % len(choices)].value if choices else ""
            fields.append(
                Field(kind="choice", name=f"type_{number}", label=label, choices=choices, value=start, required=True)
            )
            fields.append(Field(kind="number", name=f"bid_{number}", label=f"{label}: bid in hours", value=0, least=0))
        state = {"page": "tasks", "shots": dict(shots)}
        return Form(title="Batch Create: tasks", fields=tuple(fields), submit="Create", state=state)

    def _after_tasks(self, asked: Asked, kind: str) -> Form | Again | Go:
        assert asked.values is not None
        shots = dict(asked.state["shots"])
        form = self._tasks_page(asked, shots)
        if asked.state.get("page") == "confirm":
            return self._go(asked, kind, shots, [TaskTemplate(*pair) for pair in asked.state["tasks"]], sure=True)
        good, problems = read(form, asked.values)
        count = int(shots["tasks"])
        types = [good.get(f"type_{n}") for n in range(count)]
        for number, name in enumerate(types):
            if name is not None and name in types[:number]:
                problems.setdefault(f"type_{number}", f"{name} is chosen twice")
        if problems:
            return Again(form, problems)
        tasks = [TaskTemplate(good[f"type_{n}"], float(good.get(f"bid_{n}") or 0)) for n in range(count)]
        return self._go(asked, kind, shots, tasks)

    def _go(
        self, asked: Asked, kind: str, shots: Mapping[str, Any], tasks: Sequence[TaskTemplate], *, sure: bool = False
    ) -> Form | Go:
        if kind == "Shot":
            rows = [ShotRow("", "", tasks=tuple(tasks))]
        else:
            rows = rows_from_expression(
                shots["sequence"], shots["expression"], shots["numbers"], tasks, prefix=shots["prefix"]
            )
        if len(rows) > asked.settings.confirm_above and not sure:
            words = f"This makes up to {many(len(rows), 'shot')} with {many(len(tasks), 'task')} each. Really?"
            state = {"page": "confirm", "shots": dict(shots), "tasks": [[t.type_name, t.bid_hours] for t in tasks]}
            return Form(
                title="Batch Create", fields=(Field(kind="note", label=words),), submit="Create them", state=state
            )
        what = "tasks" if kind == "Shot" else f"{many(len(rows), 'shot')} in {shots['sequence']}"
        then = (
            self._shots_page(asked, kind, {"sequence": _next_name(shots["sequence"])}) if shots.get("another") else None
        )
        return Go({"rows": rows_to_json(rows)}, f"Started: {what}.", then)

    # The plan

    def plan(self, launch: Launch, ctx: Context) -> Plan:
        entity_type, entity_id = launch.selection[0]
        tree = existing_below(ctx.site, entity_type, entity_id)
        rows = rows_of(launch.values)
        if tree.kind == "shot":
            rows = [ShotRow("", "", tasks=row.tasks) for row in rows]
        types = _task_types(ctx.site, entity_type, entity_id, tree)
        judged = judge(rows, tree.existing(), types or None)
        work = _Work(ctx, tree, entity_type, entity_id)
        notes: list[Note] = []
        for one in judged:
            if one.state == "conflict":
                notes.append(Note(one.row.shot or entity_id, "failed", one.words))
            elif one.state == "exists":
                notes.append(Note(one.row.shot or entity_id, "already", one.words))
            else:
                work.add(one)
        folders, warnings = work.folders() if ctx.settings.folders else ([], [])
        effects = (*work.effects, *folders)
        parent, shots = str(tree.parent["name"]), work.new_shots
        about = f"{parent}: {many(len(shots), 'shot')}" if shots else f"{parent}: tasks"
        done = self.occasion(launch, ctx, about, project=tree.project["name"], parent=parent, shots=", ".join(shots))
        return Plan(effects, tuple(notes), (*work.warnings, *warnings), occasions=(done,) if effects else ())


def _expression_problems(good: Mapping[str, Any]) -> dict[str, str]:
    try:
        rows_from_expression(good.get("sequence", "x"), good["expression"], good["numbers"], [])
    except ExpressionError as error:
        return {"numbers" if error.text == good["numbers"] else "expression": str(error)}
    return {}


def _next_name(name: str) -> str:
    """What the form of the next sequence starts with: 001 gives 002, sq010 gives sq020 only to a person."""
    digits = name[len(name.rstrip("0123456789")) :]
    return name[: len(name) - len(digits)] + str(int(digits) + 1).zfill(len(digits)) if digits else name


def _task_types(site: SiteDoor, entity_type: str, entity_id: str, tree: Tree | None = None) -> list[str]:
    """Names of the task types that the project's workflow offers."""
    if tree is not None:
        schema = tree.project.get("project_schema_id")
    elif entity_type == "Project":
        rows = site.rows(f"select project_schema_id from Project where id is {quoted(entity_id)}")
        schema = rows[0]["project_schema_id"] if rows else None
    else:
        rows = site.rows(f"select project.project_schema_id from TypedContext where id is {quoted(entity_id)}")
        schema = rows[0]["project"]["project_schema_id"] if rows else None
    workflow = site.workflow(str(schema)) if schema else None
    return sorted((str(name) for name in workflow.extra.get("task_types", ())), key=str.casefold) if workflow else []


class _Work:
    """Gathers the creations of one plan; ids are made of natural keys, so twice the same gives one."""

    def __init__(self, ctx: Context, tree: Tree, entity_type: str, entity_id: str) -> None:
        self.effects: list[Effect] = []
        self.warnings: list[str] = []
        self._ctx = ctx
        self._tree = tree
        self._top = (entity_type, entity_id)
        self._sequences = {name: key for name, (key, _) in tree.sequences.items()}
        self._new_shots: list[tuple[str, str]] = []
        self._types = {one.name.casefold(): key for key, one in ctx.site.types().items()}
        self._users: dict[str, str] | None = None
        self._attributes: dict[str, str] | None = None

    @property
    def new_shots(self) -> list[str]:
        """Names of the shots that are made."""
        return [shot for _, shot in self._new_shots]

    def add(self, one: Judged) -> None:
        row = one.row
        place = (row.sequence.casefold(), row.shot.casefold())
        known = self._tree.shots.get(place)
        shot_id = known[0] if known else self._shot(row)
        for task in one.new_tasks:
            self._task(row, task, shot_id)

    def _id(self, *parts: str) -> str:
        return natural_id(self._ctx.site.server, *parts)

    def _sequence(self, name: str) -> str:
        key = name.casefold()
        if key not in self._sequences:
            self._sequences[key] = self._id(self._top[1], "Sequence", key)
            self._create("Sequence", self._sequences[key], {"name": name, "parent_id": self._top[1]}, name)
        return self._sequences[key]

    def _shot(self, row: ShotRow) -> str:
        parent = self._sequence(row.sequence)
        shot_id = self._id(parent, "Shot", row.shot.casefold())
        values: dict[str, Any] = {"name": row.shot, "parent_id": parent}
        if row.description:
            values["description"] = row.description
        self._create("Shot", shot_id, values, f"{row.sequence} / {row.shot}")
        self._new_shots.append((row.sequence, row.shot))
        settings = self._ctx.settings
        for attribute, frame in ((settings.frame_in, row.frame_in), (settings.frame_out, row.frame_out)):
            if attribute and frame is not None:
                self._frame(attribute, frame, shot_id, row)
        return shot_id

    def _frame(self, attribute: str, frame: int, shot_id: str, row: ShotRow) -> None:
        """A frame goes into the custom attribute of shots (or a hierarchical one) with this key."""
        if self._attributes is None:
            self._attributes = self._configurations()
        configuration = self._attributes.get(attribute)
        if configuration is None:
            words = f"the site has no custom attribute {attribute!r} for shots: its frames are not written"
            if words not in self.warnings:
                self.warnings.append(words)
            return
        self.effects.append(
            SetShotValue(
                slot=f"{attribute}:{shot_id}",
                reason="asked for in Batch Create",
                configuration_id=configuration,
                id=shot_id,
                value=frame,
                label=f"{attribute} of {row.sequence} / {row.shot}",
            )
        )

    def _configurations(self) -> dict[str, str]:
        """Key to configuration; one for the project or for shots goes before a hierarchical one."""
        site, settings = self._ctx.site, self._ctx.settings
        keys = [key for key in (settings.frame_in, settings.frame_out) if key]
        rows = site.rows(
            "select id, key, object_type_id, is_hierarchical, project_id from CustomAttributeConfiguration "
            f"where key in {id_list(keys)}"
        )
        shots = {key for key, one in site.object_types().items() if one.name == "Shot"}
        shots |= {one.id for one in site.object_types().values() if one.name == "Shot"}
        project = str(self._tree.project.get("id") or "")
        fitting = [
            row
            for row in rows
            if (row.get("is_hierarchical") or row.get("object_type_id") in shots)
            and row.get("project_id") in (None, project)
        ]
        fitting.sort(key=lambda row: (row.get("project_id") is None, bool(row.get("is_hierarchical"))))
        found: dict[str, str] = {}
        for row in fitting:
            found.setdefault(str(row["key"]), str(row["id"]))
        return found

    def _task(self, row: ShotRow, task: TaskTemplate, shot_id: str) -> None:
        task_id = self._id(shot_id, "Task", task.task_name.casefold())
        values: dict[str, Any] = {
            "name": task.task_name,
            "parent_id": shot_id,
            "type_id": self._types[task.type_name.casefold()],
            "bid": task.bid_seconds,
        }
        status = self._ctx.site.status_named(task.status) if task.status else None
        if status is not None:
            values["status_id"] = status.id
        elif task.status:
            self.warnings.append(f"there is no status {task.status!r}: {task.task_name} gets the workflow's first")
        label = " / ".join(part for part in (row.sequence, row.shot, task.task_name) if part)
        self._create("Task", task_id, values, label)
        for name in task.assignees:
            self._assign(name, task_id, label)

    def _assign(self, name: str, task_id: str, label: str) -> None:
        if self._users is None:
            rows = self._ctx.site.rows("select id, username from User where is_active is True")
            self._users = {str(row["username"]).casefold(): str(row["id"]) for row in rows}
        user = self._users.get(name.casefold())
        if user is None:
            self.warnings.append(f"{label} is not assigned: ftrack knows no active user {name!r}")
            return
        values = {"context_id": task_id, "resource_id": user, "type": "assignment"}
        self._create("Appointment", self._id(task_id, "assignment", user), values, f"{label}: {name}")

    def _create(self, entity_type: str, entity_id: str, values: dict[str, Any], label: str) -> None:
        reason = "asked for in Batch Create"
        slot = f"{entity_type.lower()}:{entity_id}"
        self.effects.append(
            CreateEntity(
                slot=slot,
                reason=reason,
                entity_id=None,
                entity_type=entity_type,
                id=entity_id,
                values=values,
                label=label,
            )
        )

    def folders(self) -> tuple[list[Effect], list[str]]:
        """The folders every shot has; without its drive the shots are made all the same, and the run says so."""
        if not self._new_shots:
            return [], []
        project = str(self._tree.project.get("name") or "")
        try:
            root = self._ctx.disk.project_root(self._tree.project)
        except (PlanError, Later) as error:
            return [], [f"no shot folders were made: {error}"]
        anchor = next((folder for folder in (root, *root.parents) if self._ctx.disk.exists(folder)), None)
        if anchor is None:
            return [], [f"no shot folders were made: no folder above {root} exists"]
        rules = self._ctx.doors.settings("handlers.create_task_folder", project=project)
        studio = self._ctx.doors.settings("studio", project=project)
        made: list[Effect] = []
        warnings: list[str] = []
        for sequence, shot in self._new_shots:
            try:
                paths = self._shot_folders(rules, project, sequence, shot, root)
            except PlanError as error:
                warnings.append(f"{shot} gets no folders: {error}")
                continue
            made.extend(
                MakeFolder(slot=f"folder:{path}", reason="every shot has it", path=path, root=anchor,
                           mode=int(studio.folder_mode, 8), group=studio.group)
                for path in paths
                if not self._ctx.disk.exists(path)
            )  # fmt: skip
        return made, warnings

    def _shot_folders(self, rules: Any, project: str, sequence: str, shot: str, root: Path) -> list[Path]:
        above = [*self._tree.path, *([sequence] if self._tree.kind == "top" else []), shot]
        parents = [folder_name(name, "the shot or its parent", rules.name_policy) for name in above]
        values = {
            "project": folder_name(project, "the project", rules.name_policy),
            "parents": parents,
            "parent": parents[-1],
        }
        paths = [root / render_path(template, values) for template in rules.shot_structure]
        return [path for path in paths if is_inside(path, root)]
