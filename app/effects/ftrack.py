"""Effects on the ftrack site: create, update, delete, metadata. Neighbours of a plan are one server transaction."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field, model_validator

from app.effects.base import Values, same
from app.engine.kinds import FtrackEffect, Seen, Verdict, Wanted
from app.engine.protocol import Effect, Expect, Own
from app.site.operations import operation
from app.site.query import quoted

__all__ = ["CreateEntity", "DeleteEntity", "SetMetadata", "UpdateEntity", "in_use"]

#: What of others may hang below a created entity: type to the attributes that point at it.
_BELOW: Mapping[str, tuple[tuple[str, str], ...]] = {
    "context": (
        ("TypedContext", "parent_id"),
        ("Asset", "context_id"),
        ("Timelog", "context_id"),
        ("Appointment", "context_id"),
        ("AssetVersion", "task_id"),
        ("Note", "parent_id"),
    ),
    "AssetVersion": (("Component", "version_id"), ("Note", "parent_id"), ("ReviewSessionObject", "version_id")),
    "Asset": (("AssetVersion", "asset_id"),),
    "AssetVersionList": (("ListObject", "list_id"),),
    "TypedContextList": (("ListObject", "list_id"),),
    "ReviewSession": (("ReviewSessionObject", "review_session_id"),),
}
#: Parts: type to the attribute that names the whole, and the whole's type.
_PART_OF: Mapping[str, tuple[str, str]] = {
    "Appointment": ("context_id", "Task"),
    "FileComponent": ("version_id", "AssetVersion"),
    "SequenceComponent": ("version_id", "AssetVersion"),
    "Note": ("parent_id", "AssetVersion"),
}
#: What the site deletes with the entity that one of these attributes names.
_GOES_WITH: Mapping[str, tuple[str, ...]] = {
    "ComponentLocation": ("component_id",),
    "FileComponent": ("container_id",),
}
#: Types without anything below them.
_LEAVES = {
    "ListObject",
    "Metadata",
    "ComponentLocation",
    "FileComponent",
    "Component",
    "SequenceComponent",
    "ContainerComponent",
    "ReviewSessionObject",
    "Note",
    "NoteLabelLink",
    "NoteComponent",
    "Job",
    "JobComponent",
    "Appointment",
    "Timelog",
    "TypedContextLink",
    "AssetVersionLink",
    "StatusChange",
}


def _words(values: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Values for people: by their names where they have one, and never as the id of something."""
    parts = []
    for key, value in values.items():
        subject, reference, _ = key.rpartition("_id")
        if key in names:
            parts.append(f"{subject or key} {names[key]}")
        elif reference and value is not None:
            parts.append(subject)
        else:
            parts.append(f"{subject or key} {_shown(value)}")
    return ", ".join(parts)


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return str(value.get("value", value.get("id", dict(value))))
    return str(value)


class CreateEntity(FtrackEffect):
    """Create an entity under an id the plan chose.

    Attributes:
        entity_type: Schema id, e.g. "Task".
        id: The id, see `app.engine.protocol.natural_id`; "" for types with a composite key.
        values: Attributes by their names in the API; references by their ``..._id`` attributes.
        label: What it is, for people: "BC_0010 / compositing".
        unless: A query ("AssetVersionList where ...") that must find nothing: get-or-create. What it finds makes
            the run plan again.
    """

    kind: ClassVar[str] = "create"

    entity_type: str
    id: str
    values: Values
    label: str
    unless: str = ""

    def describe(self) -> str:
        return f"create {self.entity_type} {self.label}"

    def wanted(self) -> Iterable[Wanted]:
        return (Wanted(self.entity_type, self.id),) if self.id else ()

    def queries(self) -> Iterable[str]:
        return (self.unless,) if self.unless else ()

    def verdict(self, seen: Seen) -> Verdict:
        if self.id and seen.row(self.entity_type, self.id) is not None:
            return Verdict("already", f"{self.entity_type} {self.label} exists")
        others = seen.found.get(self.unless, ()) if self.unless else ()
        if others:
            return Verdict("mismatch", f"{self.entity_type} {self.label} was made by someone else meanwhile")
        return Verdict("do")

    def creates(self) -> tuple[str, str, Mapping[str, Any]] | None:
        return (self.entity_type, self.id, self.values) if self.id else None

    def before(self, seen: Seen) -> dict[str, Any]:
        del seen
        return {}

    def operations(self, seen: Seen) -> list[dict[str, Any]]:
        del seen
        data = {"id": self.id, **self.values} if self.id else dict(self.values)
        return [operation("create", self.entity_type, [self.id] if self.id else [], data)]

    def is_done(self, seen: Seen) -> dict[str, Any] | None:
        row = seen.row(self.entity_type, self.id) if self.id else None
        return dict(row) if row is not None else None

    def after(self, answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        data = answers[0].get("data") if answers else None
        if not isinstance(data, Mapping):
            return {"id": self.id}
        # What the server chose (a version's number) may be a later effect's `Result`.
        return {"id": self.id} | {
            key: value for key, value in data.items() if isinstance(value, (str, int, float, bool)) and key[:2] != "__"
        }

    def echoes(self, before: Mapping[str, Any]) -> Iterable[tuple[str, str, Any]]:
        del before
        return ((self.id, "+", ""),) if self.id else ()

    def inverse(self, before: Mapping[str, Any], after: Mapping[str, Any], own: Own) -> Sequence[Effect] | str:
        del before
        entity_id = self.id or str(after.get("id") or "")
        if not entity_id:
            return f"{self.entity_type} {self.label} has no id of its own"
        if any(self.values.get(attribute) in own for attribute in _GOES_WITH.get(self.entity_type, ())):
            return []
        return [
            DeleteEntity(
                slot=f"undo {self.slot}",
                reason=f"created by the run that is undone ({self.reason})",
                entity_id=self.entity_id,
                entity_type=self.entity_type,
                id=entity_id,
                label=self.label,
                **in_use(self.entity_type, entity_id, self.values, own),
            )
        ]


def in_use(entity_type: str, entity_id: str, values: Mapping[str, Any], own: Own) -> dict[str, tuple[str, ...]]:
    """The ``hanging`` and ``own`` of a deletion that takes back what a run made.

    A part stays where the whole that the same run made is in use: without its assignment a task's work has nobody,
    without its media a version shows nothing.
    """
    hanging, known = _hanging(entity_type, entity_id), own.get(entity_id, ())
    attribute, kind = _PART_OF.get(entity_type, ("", ""))
    whole = str(values.get(attribute) or "")
    if whole in own:
        hanging, known = (*hanging, *_hanging(kind, whole)), (*known, *own[whole])
    return {"hanging": hanging, "own": tuple(dict.fromkeys(known))}


def _hanging(entity_type: str, entity_id: str) -> tuple[str, ...]:
    """Queries for what others may have put below an entity. Types unknown here are contexts (site-made ones too)."""
    if entity_type in _LEAVES:
        return ()
    below = _BELOW.get(entity_type, _BELOW["context"])
    return tuple(f"{kind} where {attribute} is {quoted(entity_id)}" for kind, attribute in below)


class _SetValues(FtrackEffect):
    """Give values to an entity that is there; those it has already are not sent.

    What the same run created keeps them: taken back, it goes with them; in use by others, it stays as it is.

    Attributes:
        entity_type: Schema id.
        id: The entity's id.
        values: Name to value.
        label: What it is, for people.
        names: What a value is called where it is an id: ``{"status_id": "Approved"}``.
    """

    #: What an `Expect` puts before a name.
    prefix: ClassVar[str] = ""

    entity_type: str
    id: str
    values: Values
    label: str
    names: dict[str, str] = Field(default_factory=dict)

    @abstractmethod
    def there(self, seen: Seen) -> Mapping[str, Any]:
        """What the entity has now."""

    @abstractmethod
    def changed(self, there: Mapping[str, Any]) -> dict[str, Any]:
        """The values that it does not have yet."""

    def verdict(self, seen: Seen) -> Verdict:
        if seen.row(self.entity_type, self.id) is None:
            return Verdict("mismatch", f"{self.label} is not on the site any more")
        if not self.changed(self.there(seen)):
            return Verdict("already", f"{self.label} has {_words(self.values, self.names)}")
        return Verdict("do")

    def before(self, seen: Seen) -> dict[str, Any]:
        there = self.there(seen)
        return {key: there.get(key) for key in self.values}

    def after(self, answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        del answers
        return dict(self.values)

    def is_done(self, seen: Seen) -> dict[str, Any] | None:
        return dict(self.values) if self.verdict(seen).what == "already" else None

    def inverse(self, before: Mapping[str, Any], after: Mapping[str, Any], own: Own) -> Sequence[Effect] | str:
        del after
        if self.id in own:
            return []
        known = [key for key in self.values if key in before]
        return [
            type(self)(
                slot=f"undo {self.slot}",
                reason=f"as it was before ({self.reason})",
                entity_id=self.entity_id,
                entity_type=self.entity_type,
                id=self.id,
                label=self.label,
                values={key: before[key] for key in known},
                expects=tuple(
                    Expect(self.entity_type, self.id, f"{self.prefix}{key}", self.values[key]) for key in known
                ),
            )
        ]


class UpdateEntity(_SetValues):
    """Set attributes of an entity; ``values`` are named as in the API."""

    kind: ClassVar[str] = "update"

    def describe(self) -> str:
        return f"set {_words(self.values, self.names)} on {self.label}"

    def wanted(self) -> Iterable[Wanted]:
        return (Wanted(self.entity_type, self.id, frozenset(self.values)),)

    def there(self, seen: Seen) -> Mapping[str, Any]:
        return seen.row(self.entity_type, self.id) or {}

    def changed(self, there: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in self.values.items() if not same(there.get(key), value)}

    def operations(self, seen: Seen) -> list[dict[str, Any]]:
        return [operation("update", self.entity_type, [self.id], self.changed(self.there(seen)))]

    def echoes(self, before: Mapping[str, Any]) -> Iterable[tuple[str, str, Any]]:
        return [(self.id, key, value) for key, value in self.changed(before).items()]


class SetMetadata(_SetValues):
    """Set keys of an entity's metadata to texts; None removes a key."""

    kind: ClassVar[str] = "metadata"
    prefix: ClassVar[str] = "metadata."

    def describe(self) -> str:
        return f"write {_words(self.values, self.names)} into the metadata of {self.label}"

    def wanted(self) -> Iterable[Wanted]:
        return (Wanted(self.entity_type, self.id),)

    def wanted_metadata(self) -> Iterable[str]:
        return (self.id,)

    def there(self, seen: Seen) -> Mapping[str, Any]:
        return seen.metadata.get(self.id, {})

    def changed(self, there: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in self.values.items() if there.get(key) != value}

    def operations(self, seen: Seen) -> list[dict[str, Any]]:
        there = self.there(seen)
        operations = []
        for key, value in self.changed(there).items():
            if value is None:
                operations.append(operation("delete", "Metadata", [self.id, key]))
            elif key in there:
                operations.append(operation("update", "Metadata", [self.id, key], {"value": value}))
            else:
                made = {"key": key, "value": value, "parent_id": self.id, "parent_type": self.entity_type}
                operations.append(operation("create", "Metadata", [self.id, key], made))
        return operations


class DeleteEntity(FtrackEffect):
    """Delete an entity.

    Attributes:
        entity_type: Schema id.
        id: Its id; or ``key`` for types with a composite key.
        key: The parts of the key, in the schema's order.
        label: What it is, for people.
        values: What it is made of again by undo; empty: undo cannot bring it back.
        hanging: Queries that must find nothing but ``own``: what others may have put below it.
        own: Ids that do not count as others'.
    """

    kind: ClassVar[str] = "delete"

    entity_type: str
    id: str = ""
    key: tuple[str, ...] = ()
    label: str
    values: Values = Field(default_factory=dict)
    hanging: tuple[str, ...] = ()
    own: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _named(self) -> DeleteEntity:
        if not self.id and not self.key:
            raise ValueError("name what is deleted: id or key")
        return self

    def describe(self) -> str:
        return f"delete {self.entity_type} {self.label}"

    def wanted(self) -> Iterable[Wanted]:
        return (Wanted(self.entity_type, self.id),) if self.id else ()

    def queries(self) -> Iterable[str]:
        return self.hanging

    def deletes(self) -> str | None:
        return self.id or None

    def sparing(self, kept: frozenset[str]) -> DeleteEntity:
        if kept.isdisjoint(self.own):
            return self
        return self.model_copy(update={"own": tuple(key for key in self.own if key not in kept)})

    def verdict(self, seen: Seen) -> Verdict:
        if self.id and seen.row(self.entity_type, self.id) is None:
            return Verdict("already", f"{self.label} is not there any more")
        others = [query for query in self.hanging if set(seen.found.get(query, ())) - set(self.own)]
        if others:
            kinds = ", ".join(query.split(" ", 1)[0] for query in others)
            return Verdict("mismatch", f"{self.label} is used by others meanwhile ({kinds})")
        return Verdict("do")

    def before(self, seen: Seen) -> dict[str, Any]:
        del seen
        return {"exists": True}

    def operations(self, seen: Seen) -> list[dict[str, Any]]:
        del seen
        return [operation("delete", self.entity_type, self.key or [self.id])]

    def echoes(self, before: Mapping[str, Any]) -> Iterable[tuple[str, str, Any]]:
        del before
        return ((self.id, "-", ""),) if self.id else ()

    def inverse(self, before: Mapping[str, Any], after: Mapping[str, Any], own: Own) -> Sequence[Effect] | str:
        del before, after, own
        if not self.values:
            return f"{self.label} was deleted, and the site cannot bring it back"
        return [
            CreateEntity(
                slot=f"undo {self.slot}",
                reason=f"it was there before ({self.reason})",
                entity_id=self.entity_id,
                entity_type=self.entity_type,
                id=self.id,
                values=self.values,
                label=self.label,
            )
        ]


class SetShotValue(FtrackEffect):
    """Set a custom attribute of an entity that the same run creates; it goes when the entity goes.

    The server takes the write as "set it, whatever is there", so that a second time changes nothing.

    Attributes:
        configuration_id: Which attribute.
        id: The entity's id.
        value: The value.
        label: What it is, for people: "fstart of 001 / 001_0010".
    """

    kind: ClassVar[str] = "custom"

    configuration_id: str
    id: str
    value: float
    label: str

    def describe(self) -> str:
        return f"set {self.label} to {self.value:g}"

    def verdict(self, seen: Seen) -> Verdict:
        del seen
        return Verdict("do")

    def before(self, seen: Seen) -> dict[str, Any]:
        del seen
        return {}

    def operations(self, seen: Seen) -> list[dict[str, Any]]:
        del seen
        kind = "ContextCustomAttributeValue"
        return [operation("update", kind, [self.configuration_id, self.id], {"value": self.value})]

    def inverse(self, before: Mapping[str, Any], after: Mapping[str, Any], own: Own) -> Sequence[Effect] | str:
        del before, after, own
        return []
