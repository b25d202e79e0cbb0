"""``ftrack-suite``: what ftrack's own Python suite expects to find on its server (protocol, section 4), and no more."""

from __future__ import annotations

from app.sandbox.profiles.reference import (
    ASSET_BUILD,
    SHOT,
    TASK,
    USER_TYPE,
    Vocabulary,
    Workflow,
    custom_attribute,
    seed_reference,
)
from app.sandbox.profiles.seeder import Seeder

API_USER = "jenkins"
API_USER_ID = "d07ae5d0-66e1-11e1-b5e9-f23c91df25eb"

_SCHEMA = "69cb7f92-4dbf-11e1-9902-f23c91df25eb"
_PROJECT = "5671dcb0-66de-11e1-8e6e-f23c91df25eb"
_TASK = "adb4ad6c-7679-11e2-8df2-f23c91df25eb"
_EMPTY_ASSET = "dd9a7e2e-c5eb-11e1-9885-f23c91df25eb"
_FULL_ASSET = "12939d0c-6766-11e1-8104-f23c91df25eb"

_STATUSES = (
    ("Not started", "NOT_STARTED", "#CACACA"),
    ("In progress", "IN_PROGRESS", "#3498DB"),
    ("Awaiting approval", "IN_PROGRESS", "#F1C40F"),
    ("Approved", "DONE", "#1CBC90"),
    ("Pending", "IN_PROGRESS", "#F1C40F"),
    ("Normal", "NOT_STARTED", "#CACACA"),
    ("Omitted", "BLOCKED", "#E74C3C"),
    ("On Hold", "BLOCKED", "#E74C3C"),
)
_OBJECT_STATUSES = ("Normal", "Omitted", "On Hold")
_TASK_TYPES = (
    "Generic",
    "Animation",
    "Modeling",
    "Previz",
    "Lookdev",
    "Hair",
    "Cloth",
    "FX",
    "Lighting",
    "Compositing",
    "Tracking",
    "Rigging",
    "test 1",
    "test type 2",
)
_BUILD_TYPES = ("Character", "Prop", "Environment", "Matte Painting")
_USERS = 12


def seed(seeder: Seeder) -> None:
    """Create it all."""
    seed_reference(seeder)
    seeder.create(
        "User",
        (API_USER,),
        id=API_USER_ID,
        username=API_USER,
        first_name="Jenkins",
        last_name="CI",
        email="jenkins@example.com",
        is_active=True,
        user_type_id=USER_TYPE,
    )
    words = Vocabulary(seeder)
    words.add_statuses(_STATUSES)
    words.add_types((*_TASK_TYPES, *_BUILD_TYPES))
    words.add_workflow(
        Workflow(
            name="VFX Scheme",
            id=_SCHEMA,
            task_statuses=("Not started", "In progress", "Awaiting approval", "Approved"),
            version_statuses=("Approved", "Pending"),
            task_types=_TASK_TYPES,
            object_statuses={SHOT: _OBJECT_STATUSES, ASSET_BUILD: _OBJECT_STATUSES},
            object_types={ASSET_BUILD: _BUILD_TYPES},
            overrides={},
        )
    )
    for number in range(1, _USERS):
        name = f"user{number:02d}"
        seeder.create("User", (name,), username=name, first_name="User", last_name=f"{number:02d}", is_active=True)
    attributes = _custom_attributes(seeder)
    _production(seeder, words, attributes)


def _custom_attributes(seeder: Seeder) -> dict[str, str]:
    return {
        "customNumber": custom_attribute(seeder, "customNumber", "number", "task", 0, object_type=TASK),
        "fstart": custom_attribute(seeder, "fstart", "number", "task", 1, object_type=SHOT),
        "versiontest": custom_attribute(seeder, "versiontest", "number", "assetversion", 0),
        "NumberField": custom_attribute(seeder, "NumberField", "number", "assetversion", 0),
        "htest": custom_attribute(seeder, "htest", "number", "show", 0, hierarchical=True),
        "listbool": custom_attribute(seeder, "listbool", "boolean", "list", False),
        "teststring": custom_attribute(seeder, "teststring", "text", "user", ""),
    }


def _production(seeder: Seeder, words: Vocabulary, attributes: dict[str, str]) -> None:
    category = seeder.create("ListCategory", ("default",), name="Default")
    seeder.create("NoteCategory", ("internal",), name="Internal")
    asset_type = seeder.create("AssetType", ("upload",), name="Upload", short="upload")
    project = seeder.create(
        "Project",
        ("test",),
        id=_PROJECT,
        name="client_test",
        full_name="Client test",
        project_schema_id=_SCHEMA,
        status="active",
    )
    sequence = seeder.create("Sequence", ("seq",), name="seq", parent_id=project, project_id=project)
    shot = seeder.create("Shot", ("shot",), name="shot010", parent_id=sequence, project_id=project)
    task = seeder.create(
        "Task",
        ("generic",),
        id=_TASK,
        name="generic",
        parent_id=shot,
        project_id=project,
        type_id=words.types["Generic"],
        status_id=words.statuses["Not started"],
    )
    asset = seeder.create("Asset", ("plate",), name="plate", context_id=shot, type_id=asset_type)
    version = seeder.create(
        "AssetVersion", ("plate", "1"), asset_id=asset, task_id=task, comment="", status_id=words.statuses["Pending"]
    )
    seeder.create("Asset", ("reel",), id=_EMPTY_ASSET, name="reel", context_id=shot, type_id=asset_type)
    seeder.create("Asset", ("cut",), id=_FULL_ASSET, name="cut", context_id=shot, type_id=asset_type)
    for number in range(1, 9):
        edit = seeder.create("AssetVersion", ("cut", str(number)), asset_id=_FULL_ASSET, task_id=task, version=number)
        seeder.create("FileComponent", ("cut", str(number)), version_id=edit, name="main", file_type=".mov", size=1)
    seeder.create(
        "AssetVersionList", ("list",), name="A list", project_id=project, category_id=category, user_id=API_USER_ID
    )
    seeder.create(
        "Timelog",
        ("jenkins",),
        user_id=API_USER_ID,
        context_id=task,
        start="2026-01-12T09:00:00",
        duration=3600,
        comment="Kept busy",
    )
    seeder.custom("ContextCustomAttributeValue", attributes["customNumber"], task, 7)
    seeder.custom("ContextCustomAttributeValue", attributes["fstart"], shot, 1001)
    seeder.custom("AssetVersionCustomAttributeValue", attributes["NumberField"], version, 5)
