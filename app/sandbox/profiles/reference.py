"""What every ftrack site has: object types, priorities, states, locations, kinds of custom attributes.

The ids are ftrack's own where clients know them by heart (locations, object types, the priority "None").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.sandbox.contract import Json
from app.sandbox.profiles.seeder import Seeder, reference

TASK = "11c137c0-ee7e-4f9c-91c5-8c77cec22b2c"
SHOT = "bad911de-3bd6-47b9-8b46-3476e237cb36"
SEQUENCE = "e5139355-61da-4c8f-9db4-3abc870166bc"
EPISODE = "22139355-61da-4c8f-9db4-3abc870166bc"
ASSET_BUILD = "4be63b64-5010-42fb-bf1f-428af9d638f0"
FOLDER = "3c133785-51cb-11e3-980a-20c9d0831e59"
MILESTONE = "01decdd1-51cb-11e3-9d5b-20c9d0831e59"

SERVER_LOCATION = "3a372bde-05bc-11e4-8908-20c9d081909b"

_OBJECT_TYPES: Sequence[tuple[str, str, frozenset[str]]] = (
    (FOLDER, "Folder", frozenset({"taskable", "prioritizable"})),
    (ASSET_BUILD, "Asset Build", frozenset({"taskable", "typeable", "statusable", "prioritizable"})),
    (EPISODE, "Episode", frozenset({"taskable", "statusable", "prioritizable"})),
    (SEQUENCE, "Sequence", frozenset({"taskable", "prioritizable"})),
    (SHOT, "Shot", frozenset({"taskable", "statusable", "prioritizable"})),
    (
        MILESTONE,
        "Milestone",
        frozenset({"typeable", "statusable", "schedulable", "prioritizable", "leaf"}),
    ),
    (
        TASK,
        "Task",
        frozenset({"time_reportable", "typeable", "statusable", "schedulable", "prioritizable", "leaf"}),
    ),
)
_ABILITIES = ("time_reportable", "taskable", "typeable", "statusable", "schedulable", "prioritizable", "leaf")

_PRIORITIES = (
    ("847fb90e-ead3-11e2-846c-f23c91dfaa16", "Urgent", "#E74C3C"),
    ("847f9cda-ead3-11e2-846c-f23c91dfaa16", "High", "#E67E22"),
    ("847f8146-ead3-11e2-846c-f23c91dfaa16", "Medium", "#F1C40F"),
    ("847f663e-ead3-11e2-846c-f23c91dfaa16", "Low", "#1CBC90"),
    ("9661b320-3a0c-11e2-81c1-0800200c9a66", "None", "#CACACA"),
)

STATES: Mapping[str, tuple[str, str]] = {
    "NOT_STARTED": ("cea0ba04-acb5-11e1-8668-f23c91df1211", "Not Started"),
    "IN_PROGRESS": ("cea0efc4-acb5-11e1-8668-f23c91df1211", "In Progress"),
    "BLOCKED": ("5709c04e-2f4b-11e2-b663-0019bb4983d8", "Blocked"),
    "DONE": ("cea116d4-acb5-11e1-8668-f23c91df1211", "Done"),
}

_LOCATIONS = (
    ("ce9b348f-8809-11e3-821c-20c9d081909b", "ftrack.origin"),
    ("cb268ecc-8809-11e3-a7e2-20c9d081909b", "ftrack.unmanaged"),
    ("cd41be70-8809-11e3-b98a-20c9d081909b", "ftrack.review"),
    ("07b82a97-8cf9-11e3-9383-20c9d081909b", "ftrack.connect"),
    (SERVER_LOCATION, "ftrack.server"),
)

CUSTOM_TYPES: Mapping[str, str] = {
    "dynamic enumerator": "882e4aee-fae6-11e3-b623-20c9d0831e59",
    "date": "79968e9e-381c-11e0-acff-0019bb49847a",
    "boolean": "ad1034d8-15e2-11e1-b21a-0019bb4983d8",
    "enumerator": "6ff9c812-ead3-11e2-846c-f23c91dfaa16",
    "number": "92009b00-381c-11e0-acff-0019bb49847a",
    "url": "ec616dcd-56e2-4147-99f8-7e4a4f040cf9",
    "text": "6268aef0-381c-11e0-acff-0019bb49847a",
    "expression": "d2e6a530-357f-11e2-bd73-0019bb4985b8",
}

USER_TYPE = "3d1a2a3e-0a1f-11e9-8e2c-0a580ae40a16"


def seed_reference(seeder: Seeder) -> None:
    """Create what every site has."""
    for sort, (identifier, name, abilities) in enumerate(_OBJECT_TYPES):
        flags: dict[str, Json] = {f"is_{ability}": ability in abilities for ability in _ABILITIES}
        seeder.create("ObjectType", (name,), id=identifier, name=name, icon="default", sort=sort, **flags)
    for sort, (identifier, name, colour) in enumerate(_PRIORITIES):
        seeder.create("Priority", (name,), id=identifier, name=name, color=colour, sort=sort, value=0)
    for short, (identifier, name) in STATES.items():
        seeder.create("State", (short,), id=identifier, name=name, short=short)
    for identifier, name in _LOCATIONS:
        seeder.create("Location", (name,), id=identifier, name=name, label=name, description="")
    for name, identifier in CUSTOM_TYPES.items():
        seeder.create("CustomAttributeType", (name,), id=identifier, name=name, core=True)
    seeder.create("UserType", ("user",), id=USER_TYPE, name="user")


@dataclass(frozen=True, slots=True)
class Workflow:
    """A project schema ("workflow schema" in ftrack's own words) and what it allows.

    Attributes:
        name: As projects show it.
        task_statuses: For tasks, unless a type has its own.
        version_statuses: For asset versions.
        task_types: For tasks.
        object_statuses: Object type id -> statuses of its entities.
        object_types: Object type id -> types of its entities.
        overrides: Task type -> its own statuses.
        id: A fixed id where one is expected; empty: from the name.
    """

    name: str
    task_statuses: Sequence[str]
    version_statuses: Sequence[str]
    task_types: Sequence[str]
    object_statuses: Mapping[str, Sequence[str]]
    object_types: Mapping[str, Sequence[str]]
    overrides: Mapping[str, Sequence[str]]
    id: str = ""


class Vocabulary:
    """Statuses and types of a site by name, made once."""

    def __init__(self, seeder: Seeder) -> None:
        self._seeder = seeder
        self.statuses: dict[str, str] = {}
        self.types: dict[str, str] = {}

    def add_statuses(self, statuses: Iterable[tuple[str, str, str]]) -> None:
        """Create statuses: name, state, colour."""
        for name, state, colour in statuses:
            self.statuses[name] = self._seeder.create(
                "Status",
                (name,),
                name=name,
                color=colour,
                sort=len(self.statuses),
                is_active=True,
                state=reference("State", STATES[state][0]),
            )

    def add_types(self, names: Iterable[str], colour: str = "#5b8def") -> None:
        """Create task types."""
        for name in names:
            if name not in self.types:
                self.types[name] = self._seeder.create(
                    "Type", (name,), name=name, color=colour, sort=len(self.types), is_billable=True
                )

    def add_workflow(self, workflow: Workflow) -> str:
        """Create a project schema with everything it needs; returns its id."""
        seeder = self._seeder
        schema = seeder.create(
            "ProjectSchema",
            (workflow.name,),
            id=workflow.id or None,
            name=workflow.name,
            task_workflow_schema_id=self._statuses_of(workflow, "Task", workflow.task_statuses),
            asset_version_workflow_schema_id=self._statuses_of(workflow, "AssetVersion", workflow.version_statuses),
            task_type_schema_id=self._task_types_of(workflow),
        )
        for identifier, name, _abilities in _OBJECT_TYPES:
            seeder.link("ProjectSchemaObjectType", object_type_id=identifier, project_schema_id=schema)
            self._object_schema(workflow, schema, identifier, name)
        for task_type, statuses in workflow.overrides.items():
            seeder.create(
                "ProjectSchemaOverride",
                (workflow.name, task_type),
                project_schema_id=schema,
                workflow_schema_id=self._statuses_of(workflow, task_type, statuses),
                type_id=self.types[task_type],
            )
        return schema

    def _statuses_of(self, workflow: Workflow, part: str, statuses: Sequence[str]) -> str:
        title = f"{workflow.name} {part}"
        identifier = self._seeder.create("WorkflowSchema", (title,), name=title)
        for status in statuses:
            self._seeder.link("WorkflowSchemaStatus", workflow_schema_id=identifier, status_id=self.statuses[status])
        return identifier

    def _task_types_of(self, workflow: Workflow) -> str:
        identifier = self._seeder.create("TaskTypeSchema", (workflow.name,), name=f"{workflow.name} types")
        for name in workflow.task_types:
            self._seeder.link("TaskTypeSchemaType", task_type_schema_id=identifier, type_id=self.types[name])
        return identifier

    def _object_schema(self, workflow: Workflow, schema: str, object_type: str, name: str) -> None:
        statuses = workflow.object_statuses.get(object_type, ())
        types = workflow.object_types.get(object_type, ())
        if not statuses and not types:
            return
        part = self._seeder.create("Schema", (workflow.name, name), project_schema_id=schema, type_id=object_type)
        for sort, status in enumerate(statuses):
            self._seeder.link("SchemaStatus", schema_id=part, status_id=self.statuses[status], sort=sort)
        for sort, type_name in enumerate(types):
            self._seeder.link("SchemaType", schema_id=part, type_id=self.types[type_name], sort=sort)


def custom_attribute(
    seeder: Seeder,
    key: str,
    kind: str,
    entity_type: str,
    default: Json,
    *,
    label: str = "",
    object_type: str | None = None,
    hierarchical: bool = False,
    config: str = "{}",
) -> str:
    """Create a custom attribute's configuration; returns its id.

    Args:
        seeder: Who creates.
        key: Its key.
        kind: One of :data:`CUSTOM_TYPES`.
        entity_type: ``task``, ``show``, ``assetversion``, ``asset``, ``list``, ``user``.
        default: What an unset one holds.
        label: What people read; the key without one.
        object_type: With ``task``, the object type it is for.
        hierarchical: Whether it exists on every context and is handed down.
        config: The kind's own settings as JSON.
    """
    return seeder.create(
        "CustomAttributeConfiguration",
        (entity_type, object_type or "", key),
        key=key,
        label=label or key,
        type_id=CUSTOM_TYPES[kind],
        entity_type=entity_type,
        object_type_id=object_type,
        default=default,
        is_hierarchical=hierarchical,
        config=config,
        core=False,
        sort=0,
    )
