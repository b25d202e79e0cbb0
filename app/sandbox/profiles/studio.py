"""``studio``: a production that looks real. Two shows, their people, tasks, versions with media, a client review.

Names, statuses and task types are the studio's (its handbook's workflow is called "VFX Scheme"). Dates are fixed, so
that the same profile is the same production on every machine.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.sandbox.profiles import media
from app.sandbox.profiles.reference import (
    ASSET_BUILD,
    EPISODE,
    MILESTONE,
    SERVER_LOCATION,
    SHOT,
    USER_TYPE,
    Vocabulary,
    Workflow,
    custom_attribute,
    seed_reference,
)
from app.sandbox.profiles.seeder import Seeder

API_USER = "eventserver"

STATUSES = (
    ("Not started", "NOT_STARTED", "#CACACA"),
    ("Ready to start", "NOT_STARTED", "#8FD3FE"),
    ("In progress", "IN_PROGRESS", "#3498DB"),
    ("Pending Internal Review", "IN_PROGRESS", "#F1C40F"),
    ("Review Changes", "IN_PROGRESS", "#E67E22"),
    ("Ready for Lighting", "IN_PROGRESS", "#C39BD3"),
    ("Ready for Comp", "IN_PROGRESS", "#AF7AC5"),
    ("Pending Client Review", "IN_PROGRESS", "#F7DC6F"),
    ("Approved", "DONE", "#1CBC90"),
    ("Cut", "BLOCKED", "#922B21"),
    ("On Hold", "BLOCKED", "#E74C3C"),
    ("Omitted", "BLOCKED", "#7B241C"),
)
_ALL = tuple(name for name, _state, _colour in STATUSES)
# A plate is traced or it is not: nobody lights or composites a rotoscoping task.
_ROTO = tuple(name for name in _ALL if name not in ("Ready for Lighting", "Ready for Comp"))
_CONTEXT = ("Not started", "In progress", "Approved", "Cut", "On Hold", "Omitted")

TASK_TYPES = (
    "Layout",
    "Previz",
    "Animation",
    "Lighting",
    "Compositing",
    "Rotoscoping",
    "Modeling",
    "Rigging",
    "FX",
    "Lookdev",
    "Matchmove",
    "Texturing",
    "Concept",
    "Editing",
    "Generic",
)
BUILD_TYPES = ("Character", "Prop", "Environment", "Vehicle", "Matte Painting")
_ASSET_TYPES = (
    ("Upload", "upload"),
    ("Geometry", "geo"),
    ("Animation", "anim"),
    ("Image Sequence", "img"),
    ("Scene", "scene"),
    ("Rig", "rig"),
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at the studio; ``crafts`` are the task types they are given."""

    username: str
    first: str
    last: str
    crafts: Sequence[str] = ()
    is_active: bool = True
    has_email: bool = True


PEOPLE = (
    Person(API_USER, "Event", "Server"),
    Person("tove.lindqvist", "Tove", "Lindqvist"),
    Person("mara.okafor", "Mara", "Okafor", ("Layout", "Previz")),
    Person("jonas.weiss", "Jonas", "Weiss", ("Layout", "Matchmove")),
    Person("ines.carvalho", "Inês", "Carvalho", ("Animation",)),
    Person("pavel.dvorak", "Pavel", "Dvořák", ("Animation", "Rigging")),
    Person("amara.diallo", "Amara", "Diallo", ("Animation",)),
    Person("hugo.lefevre", "Hugo", "Lefèvre", ("Lighting", "Lookdev")),
    Person("sana.malik", "Sana", "Malik", ("Lighting",)),
    Person("kenji.morita", "Kenji", "Morita", ("Compositing",)),
    Person("ruth.abara", "Ruth", "Abara", ("Compositing", "Rotoscoping")),
    Person("leo.santini", "Leo", "Santini", ("Modeling", "Texturing")),
    Person("freya.holm", "Freya", "Holm", ("FX",)),
    Person("omar.haddad", "Omar", "Haddad", ("Rotoscoping",), has_email=False),
    Person("nils.berg", "Nils", "Berg", (), is_active=False),
    Person("dana.reyes", "Dana", "Reyes"),
)
ARTISTS = tuple(person.username for person in PEOPLE if person.crafts)
_GROUP = ("Lighting team", ("hugo.lefevre", "sana.malik"))


@dataclass(frozen=True, slots=True)
class Show:
    """A production.

    Attributes:
        name: Project name: lower case, ``_`` between words.
        title: What people call it.
        rate: Frames per second.
        episodes: Episode -> sequences; a film has the one episode "" and its sequences hang under the project.
        shots: How many shots a sequence has.
        builds: Asset builds: name -> type.
        tasks: Task types of a shot.
        more: Sequence -> further task types of its shots.
    """

    name: str
    title: str
    rate: int
    episodes: Mapping[str, Sequence[str]]
    shots: int
    builds: Mapping[str, str]
    tasks: Sequence[str]
    more: Mapping[str, Sequence[str]]


SHOWS = (
    Show(
        "nightjar",
        "Nightjar",
        24,
        {"": ("001", "002", "003")},
        5,
        {
            "nightjar": "Character",
            "keeper": "Character",
            "lantern": "Prop",
            "lighthouse": "Environment",
            "storm_sky": "Matte Painting",
        },
        ("Layout", "Animation", "Lighting", "Compositing"),
        {"001": ("Previz",), "003": ("FX",)},
    ),
    Show(
        "salt_marsh",
        "The Salt Marsh",
        25,
        {"ep101": ("010", "020"), "ep102": ("010",)},
        4,
        {"heron": "Character", "skiff": "Vehicle", "reed_bed": "Environment"},
        ("Matchmove", "Rotoscoping", "Animation", "Lighting", "Compositing"),
        {},
    ),
)
_BUILD_TASKS = {
    "Character": ("Modeling", "Rigging", "Lookdev"),
    "Prop": ("Modeling", "Lookdev"),
    "Vehicle": ("Modeling", "Rigging", "Lookdev"),
    "Environment": ("Modeling", "Texturing"),
    "Matte Painting": ("Concept",),
}
# What was published before today: shot, task type -> statuses of its versions, oldest first.
_PUBLISHED = (
    ("001_0010", "Layout", ("Review Changes", "Approved")),
    ("001_0010", "Animation", ("Pending Internal Review",)),
    ("001_0020", "Layout", ("Approved",)),
    ("001_0020", "Animation", ("Review Changes", "In progress")),
    ("002_0010", "Layout", ("Approved",)),
    ("002_0010", "Lighting", ("In progress",)),
    ("003_0030", "Compositing", ("Pending Client Review",)),
    ("010_0010", "Compositing", ("Review Changes", "Pending Client Review")),
)
_MOVIES = 2
_SEEDED_AT = "2026-09-14"


def seed(seeder: Seeder) -> None:
    """Create it all."""
    seed_reference(seeder)
    people = {person.username: _person(seeder, person) for person in PEOPLE}
    group = seeder.create("Group", (_GROUP[0],), name=_GROUP[0], local=True)
    for username in _GROUP[1]:
        seeder.create("Membership", (_GROUP[0], username), group_id=group, user_id=people[username])
    words = Vocabulary(seeder)
    words.add_statuses(STATUSES)
    words.add_types((*TASK_TYPES, *BUILD_TYPES, "Deadline"))
    studio = _Studio(seeder, words, people, group)
    studio.lists_and_notes()
    studio.custom_attributes()
    for show in SHOWS:
        studio.show(show)
    studio.publish_everything()
    studio.review("nightjar")


def _person(seeder: Seeder, person: Person) -> str:
    return seeder.create(
        "User",
        (person.username,),
        username=person.username,
        first_name=person.first,
        last_name=person.last,
        email=f"{person.username}@locovfx.example" if person.has_email else None,
        is_active=person.is_active,
        user_type_id=USER_TYPE,
    )


@dataclass
class _Studio:
    """The ids that later parts of the production hang on."""

    seeder: Seeder
    words: Vocabulary
    people: Mapping[str, str]
    group: str
    schema: str = ""
    disk: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    asset_types: dict[str, str] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    projects: dict[str, str] = field(default_factory=dict)
    shots: dict[str, str] = field(default_factory=dict)
    tasks: dict[tuple[str, str], str] = field(default_factory=dict)
    assigned: dict[str, str] = field(default_factory=dict)
    versions: list[tuple[str, str, str, str]] = field(default_factory=list)
    _turn: dict[str, int] = field(default_factory=dict)

    def lists_and_notes(self) -> None:
        """Workflows, the drive, kinds of assets, lists and notes."""
        self.schema = self.words.add_workflow(
            Workflow(
                name="VFX Scheme",
                task_statuses=_ALL,
                version_statuses=_ALL,
                task_types=TASK_TYPES,
                object_statuses={SHOT: _CONTEXT, ASSET_BUILD: _CONTEXT, EPISODE: _CONTEXT, MILESTONE: _CONTEXT},
                object_types={ASSET_BUILD: BUILD_TYPES, MILESTONE: ("Deadline",)},
                overrides={"Rotoscoping": _ROTO},
            )
        )
        self.words.add_workflow(
            Workflow(
                name="Editorial",
                task_statuses=("Not started", "In progress", "Approved"),
                version_statuses=("Pending Internal Review", "Approved"),
                task_types=("Editing", "Generic"),
                object_statuses={SHOT: _CONTEXT},
                object_types={},
                overrides={},
            )
        )
        create = self.seeder.create
        self.disk = create("Disk", ("production",), name="production", unix="/data/production", windows="P:\\")
        self.asset_types = {name: create("AssetType", (name,), name=name, short=short) for name, short in _ASSET_TYPES}
        self.categories = {
            name: create("ListCategory", (name,), name=name) for name in ("Reviews", "Dailies", "Editorial", "Default")
        }
        self.notes = {
            name: create("NoteCategory", (name,), name=name, sort=sort, color=colour)
            for sort, (name, colour) in enumerate(
                (("Internal", "#3498DB"), ("Client feedback", "#E67E22"), ("Supervisor", "#9B59B6"))
            )
        }

    def custom_attributes(self) -> None:
        """Frame rate (handed down), frame ranges and handles of shots, marks on versions, lists and users."""
        add = self.seeder
        self.attributes = {
            "fps": custom_attribute(add, "fps", "number", "show", 24, label="FPS", hierarchical=True),
            "fstart": custom_attribute(add, "fstart", "number", "task", 1001, label="Frame start", object_type=SHOT),
            "fend": custom_attribute(add, "fend", "number", "task", 1100, label="Frame end", object_type=SHOT),
            "handles": custom_attribute(add, "handles", "number", "task", 8, label="Handles", object_type=SHOT),
            "hero": custom_attribute(add, "hero", "boolean", "task", False, label="Hero shot", object_type=SHOT),
            "client_name": custom_attribute(add, "client_name", "text", "show", "", label="Client"),
            "delivered": custom_attribute(add, "delivered", "boolean", "assetversion", False, label="Delivered"),
            "slack_id": custom_attribute(add, "slack_id", "text", "user", "", label="Slack member"),
        }

    def show(self, show: Show) -> None:
        """A project with everything below it."""
        seeder = self.seeder
        project = self.projects[show.name] = seeder.create(
            "Project",
            (show.name,),
            name=show.name,
            full_name=show.title,
            project_schema_id=self.schema,
            disk_id=self.disk,
            status="active",
            start_date="2026-06-01T00:00:00",
            end_date="2027-03-31T00:00:00",
            color="#3498DB",
        )
        seeder.custom("ContextCustomAttributeValue", self.attributes["fps"], project, show.rate)
        for episode, sequences in show.episodes.items():
            parent = project
            if episode:
                parent = self._context("Episode", (show.name, episode), project, parent)
            for sequence in sequences:
                self._sequence(show, project, parent, episode, sequence)
        folder = self._context("Folder", (show.name, "assets"), project, project)
        for name, kind in show.builds.items():
            build = self._context("AssetBuild", (show.name, name), project, folder, type_id=self.words.types[kind])
            for task_type in _BUILD_TASKS[kind]:
                self._task(project, build, (show.name, name), task_type)
        self._task(project, project, (show.name, "project"), "Editing")

    def _context(self, entity_type: str, names: tuple[str, ...], project: str, parent: str, **more: str) -> str:
        return self.seeder.create(entity_type, names, name=names[-1], parent_id=parent, project_id=project, **more)

    def _sequence(self, show: Show, project: str, parent: str, episode: str, sequence: str) -> None:
        names = tuple(part for part in (show.name, episode, sequence) if part)
        above = self._context("Sequence", names, project, parent)
        for number in range(1, show.shots + 1):
            name = f"{sequence}_{number * 10:04d}"
            shot = self._context("Shot", (*names, name), project, above, status_id=self.words.statuses["In progress"])
            length = 72 + (len(self.shots) * 17) % 90
            self.seeder.custom("ContextCustomAttributeValue", self.attributes["fend"], shot, 1000 + length)
            self.shots.setdefault(name, shot)
            for task_type in (*show.tasks, *show.more.get(sequence, ())):
                self._task(project, shot, (*names, name), task_type)

    def _task(self, project: str, parent: str, names: tuple[str, ...], task_type: str) -> None:
        task = self.seeder.create(
            "Task",
            (*names, task_type),
            name=task_type.lower(),
            parent_id=parent,
            project_id=project,
            type_id=self.words.types[task_type],
            status_id=self.words.statuses["Not started"],
            bid=8 * 3600,
        )
        self.tasks.setdefault((names[-1], task_type), task)
        resource = self._somebody(task_type)
        if resource is not None:
            self.assigned[task] = resource
            self.seeder.create(
                "Appointment",
                (*names, task_type),
                type="assignment",
                resource_id=resource,
                context_id=task,
            )

    def _somebody(self, task_type: str) -> str | None:
        """Whose turn it is: one lighting task in five is the whole team's, one compositing task in five is nobody's."""
        turn = self._turn[task_type] = self._turn.get(task_type, -1) + 1
        if turn % 5 == 4 and task_type in ("Lighting", "Compositing"):
            return self.group if task_type == "Lighting" else None
        able = [person.username for person in PEOPLE if task_type in person.crafts and person.is_active]
        return self.people[able[turn % len(able)]] if able else None

    def publish_everything(self) -> None:
        """Versions with movies, pictures and notes."""
        with tempfile.TemporaryDirectory(prefix="signalbox-seed-") as name:
            movies = [media.movie(f"take {number}", f"movie {number}", Path(name)) for number in range(_MOVIES)]
        for shot, task_type, statuses in _PUBLISHED:
            for number, status in enumerate(statuses, 1):
                self._publish(shot, task_type, number, status, movies[len(self.versions) % _MOVIES])

    def _publish(self, shot: str, task_type: str, number: int, status: str, movie: bytes) -> None:
        seeder = self.seeder
        task, name = self.tasks[shot, task_type], task_type.lower()
        author = self.assigned.get(task, self.people["mara.okafor"])
        if author == self.group:
            author = self.people[_GROUP[1][0]]
        if number == 1:
            seeder.create(
                "Asset",
                (shot, name),
                name=name,
                context_id=self.shots[shot],
                type_id=self.asset_types["Upload"],
            )
        version = seeder.create(
            "AssetVersion",
            (shot, name, str(number)),
            asset_id=seeder.id("Asset", shot, name),
            task_id=task,
            user_id=author,
            status_id=self.words.statuses[status],
            comment="Upload for Internal Review",
            date=f"{_SEEDED_AT}T0{number}:15:00",
        )
        title = f"{shot} | {name} | v{number:03d}"
        components = (("ftrackreview-mp4", ".mp4", movie), ("thumbnail", ".jpg", media.jpeg(title, shot)))
        for component, file_type, data in components:
            self._component(version, component, file_type, data)
        picture = seeder.id("FileComponent", version, "thumbnail")
        for entity_type, entity in (("AssetVersion", version), ("Task", task), ("Shot", self.shots[shot])):
            seeder.batch.update(entity_type, entity, {"thumbnail_id": picture})
        seeder.metadata("AssetVersion", version, {"source_file": f"/data/incoming/{shot}_{name}_v{number:03d}.mov"})
        if status == "Review Changes":
            self._note(version, "The camera drifts before the cut; hold it two frames longer.", "Supervisor")
        self.versions.append((version, shot, name, f"{number}"))

    def _component(self, version: str, name: str, file_type: str, data: bytes) -> None:
        seeder = self.seeder
        component = seeder.create(
            "FileComponent",
            (version, name),
            name=name,
            file_type=file_type,
            size=len(data),
            version_id=version,
        )
        seeder.files.put(component, data)
        seeder.create(
            "ComponentLocation",
            (component,),
            component_id=component,
            location_id=SERVER_LOCATION,
            resource_identifier=component,
        )
        if file_type == ".mp4":
            frames = f'{{"frameIn": 0, "frameOut": {media.FRAMES}, "frameRate": {media.RATE}}}'
            seeder.metadata("FileComponent", component, {"ftr_meta": frames})

    def _note(self, version: str, text: str, category: str) -> None:
        self.seeder.create(
            "Note",
            (version, text),
            content=text,
            parent_id=version,
            parent_type="AssetVersion",
            user_id=self.people["dana.reyes"],
            category_id=self.notes[category],
        )

    def review(self, show: str) -> None:
        """A client review session with objects and invitees, and the lists people work from."""
        seeder, project = self.seeder, self.projects[show]
        session = seeder.create(
            "ReviewSession",
            (show, "1"),
            name="Nightjar client review 1",
            description="First pass of sequence 001",
            project_id=project,
            created_by_id=self.people["dana.reyes"],
            is_open=True,
        )
        for order, (version, shot, name, number) in enumerate(self.versions[:4]):
            seeder.create(
                "ReviewSessionObject",
                (session, version),
                name=f"{shot} {name}",
                description="",
                version=f"Version {number}",
                version_id=version,
                review_session_id=session,
                sort_order=order,
            )
        for first, last in (("Client", "One"), ("Client", "Two"), ("Agency", "Lead")):
            seeder.create(
                "ReviewSessionInvitee",
                (session, first, last),
                name=f"{first} {last}",
                email=f"{first}.{last}@client.example".lower(),
                review_session_id=session,
            )
        common = {"project_id": project, "user_id": self.people["dana.reyes"], "is_open": True}
        dailies = seeder.create(
            "AssetVersionList",
            (show, "dailies"),
            name=f"Dailies_{_SEEDED_AT}",
            category_id=self.categories["Reviews"],
            **common,
        )
        hero = seeder.create(
            "TypedContextList", (show, "hero"), name="Hero shots", category_id=self.categories["Default"], **common
        )
        for version, _shot, _name, _number in self.versions[:3]:
            seeder.create("ListObject", (dailies, version), list_id=dailies, entity_id=version)
        for shot in ("001_0010", "003_0030"):
            seeder.create("ListObject", (hero, shot), list_id=hero, entity_id=self.shots[shot])
