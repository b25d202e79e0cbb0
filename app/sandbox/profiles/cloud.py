"""``cloud``: the studio's second ftrack site, where clients look at reviews and leave their votes and notes."""

from __future__ import annotations

from app.sandbox.profiles.reference import (
    ASSET_BUILD,
    SHOT,
    USER_TYPE,
    Vocabulary,
    Workflow,
    seed_reference,
)
from app.sandbox.profiles.seeder import Seeder

API_USER = "cloudsync"

_STATUSES = (
    ("Not started", "NOT_STARTED", "#CACACA"),
    ("In progress", "IN_PROGRESS", "#3498DB"),
    ("Pending Client Review", "IN_PROGRESS", "#F7DC6F"),
    ("Review Changes", "IN_PROGRESS", "#E67E22"),
    ("Approved", "DONE", "#1CBC90"),
)
_NAMES = tuple(name for name, _state, _colour in _STATUSES)
_PEOPLE = (
    (API_USER, "Cloud", "Sync"),
    ("dana.reyes", "Dana", "Reyes"),
    ("tove.lindqvist", "Tove", "Lindqvist"),
)


def seed(seeder: Seeder) -> None:
    """Create a site without productions: the sync makes them."""
    seed_reference(seeder)
    for username, first, last in _PEOPLE:
        seeder.create(
            "User",
            (username,),
            username=username,
            first_name=first,
            last_name=last,
            email=f"{username}@locovfx.example",
            is_active=True,
            user_type_id=USER_TYPE,
        )
    words = Vocabulary(seeder)
    words.add_statuses(_STATUSES)
    words.add_types(("Generic", "Compositing", "Animation"))
    words.add_workflow(
        Workflow(
            name="Client Review",
            task_statuses=_NAMES,
            version_statuses=_NAMES,
            task_types=("Generic", "Compositing", "Animation"),
            object_statuses={SHOT: _NAMES, ASSET_BUILD: _NAMES},
            object_types={},
            overrides={},
        )
    )
    for name, short in (("Upload", "upload"), ("Image Sequence", "img")):
        seeder.create("AssetType", (name,), name=name, short=short)
    for name in ("Reviews", "Default"):
        seeder.create("ListCategory", (name,), name=name)
    for name in ("Internal", "Client feedback"):
        seeder.create("NoteCategory", (name,), name=name)
    seeder.create("Disk", ("production",), name="production", unix="/data/production", windows="P:\\")
