"""What each channel of effects promises the engine. The concrete kinds live in `app.effects`, one file each.

An effect is data. The engine asks it what must be read, whether there is anything left to do, how to do it, how to
tell after a crash whether it was done, and what would take it back.
"""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from app.engine.doors import Disk, Doors, SiteDoor
from app.engine.protocol import Channel, Effect, Expect, Own

__all__ = [
    "DiskEffect",
    "EffectFailed",
    "FtrackEffect",
    "LeaveAlone",
    "OutboxEffect",
    "Seen",
    "SlowEffect",
    "SlowTools",
    "Verdict",
    "Wanted",
]


class EffectFailed(Exception):
    """An effect cannot be applied and trying again would not help; the text says what, where and what to do."""


class LeaveAlone(Exception):
    """An inverse effect finds that what it would take back has changed since, or is used by others."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An entity to re-read before a commit, and which attributes of it; none: only whether it is there."""

    entity_type: str
    entity_id: str
    attributes: frozenset[str] = frozenset()


@dataclass(slots=True)
class Seen:
    """What the one read before a commit found.

    Attributes:
        rows: (schema id, entity id) to the row; what is missing here is not on the site.
        metadata: Entity id to its metadata.
        found: Query to the ids it found.
        pending: What earlier effects of the same transaction will have created, by id.
    """

    rows: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    found: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pending: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def row(self, entity_type: str, entity_id: str) -> Mapping[str, Any] | None:
        """The row of an entity, None when it is not on the site."""
        return self.rows.get((entity_type, entity_id)) or self.pending.get(entity_id)

    def value(self, entity_type: str, entity_id: str, attribute: str) -> Any:
        """The value of an attribute as an `Expect` names it ("exists", "metadata.<key>", "status.name")."""
        if attribute.startswith("metadata."):
            return self.metadata.get(entity_id, {}).get(attribute.removeprefix("metadata."))
        row = self.row(entity_type, entity_id)
        if attribute == "exists":
            return row is not None
        value: Any = row
        for step in attribute.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        return value


@dataclass(frozen=True, slots=True)
class Verdict:
    """What there is to do about an effect: "do" it, it is "already" so, or what it relied on is different."""

    what: Literal["do", "already", "mismatch"]
    words: str = ""


class FtrackEffect(Effect):
    """An effect that becomes operations of one server transaction, together with its neighbours.

    Attributes:
        expects: What it relies on; re-read just before the commit.
    """

    via: ClassVar[Channel] = "ftrack"

    expects: tuple[Expect, ...] = ()

    def wanted(self) -> Iterable[Wanted]:
        """Entities to re-read besides those of ``expects``."""
        return ()

    def wanted_metadata(self) -> Iterable[str]:
        """Ids of entities whose metadata must be re-read."""
        return ()

    def queries(self) -> Iterable[str]:
        """Queries ("Task where ...") whose ids must be read."""
        return ()

    @abstractmethod
    def verdict(self, seen: Seen) -> Verdict:
        """Whether there is anything to do; ``expects`` are compared by the engine."""

    def creates(self) -> tuple[str, str, Mapping[str, Any]] | None:
        """What entity it creates, for the effects after it in the same transaction: (schema id, id, values)."""
        return None

    def deletes(self) -> str | None:
        """Id of the entity it deletes."""
        return None

    def sparing(self, kept: frozenset[str]) -> FtrackEffect:
        """The effect when an undo leaves these entities alone, although the same run created them."""
        del kept
        return self

    @abstractmethod
    def before(self, seen: Seen) -> dict[str, Any]:
        """What is there now, as far as the effect changes it."""

    @abstractmethod
    def operations(self, seen: Seen) -> list[dict[str, Any]]:
        """The operations as the wire wants them."""

    def is_done(self, seen: Seen) -> dict[str, Any] | None:
        """After a crash: the results when the commit happened, None when it did not."""
        return {} if self.verdict(seen).what == "already" else None

    def after(self, answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The results of the operations' answers."""
        del answers
        return {}

    def echoes(self, before: Mapping[str, Any]) -> Iterable[tuple[str, str, Any]]:
        """What the event it causes will say: (entity id, attribute or "+" or "-", new value)."""
        del before
        return ()


class DiskEffect(Effect):
    """An effect on a production drive. It proves the drive first and never leaves its root."""

    via: ClassVar[Channel] = "disk"

    @abstractmethod
    def before(self, disk: Disk) -> dict[str, Any] | None:
        """What is there now; None when nothing is left to do.

        Raises:
            Later: the drive is not mounted.
            EffectFailed, LeaveAlone, OSError.
        """

    @abstractmethod
    def apply(self, disk: Disk, before: Mapping[str, Any]) -> dict[str, Any]:
        """Do it; returns what is there now. Doing it twice changes nothing the second time."""

    def is_done(self, disk: Disk, before: Mapping[str, Any]) -> dict[str, Any] | None:
        """After a crash: the results when it was done by us, None when it was not."""
        del disk, before
        return None


class OutboxEffect(Effect):
    """An outward effect: it goes last, once, through the outbox.

    Attributes:
        dedupe: A key made of natural facts; the outbox sends no key twice, and it travels outside too.
    """

    via: ClassVar[Channel] = "outbox"
    #: What to do when it may have arrived and nobody can tell: send it again, or ask a person.
    on_doubt: ClassVar[Literal["send", "ask"]] = "ask"

    dedupe: str

    def lane(self) -> str:
        """Effects of one lane keep a distance in time (a channel's rate)."""
        return self.kind

    def digest_key(self) -> str:
        """Effects of one lane with the same non-empty key may go out as one."""
        return ""

    def lifetime(self) -> float | None:
        """Seconds after which it is dropped rather than sent; None: never."""
        return None

    def inverse(self, before: Mapping[str, Any], after: Mapping[str, Any], own: Own) -> Sequence[Effect] | str:
        del before, after, own
        return "what was sent cannot be called back"

    @abstractmethod
    def send(self, doors: Doors, carried: Sequence[Self]) -> dict[str, Any]:
        """Send it, together with the others of its digest; returns the results.

        Raises:
            Later: Not now; ``in_doubt`` says that it may have arrived.
            PlanError: Refused for good, with advice.
        """

    @abstractmethod
    def find(self, doors: Doors, since: float) -> dict[str, Any] | None:
        """Look for it outside by its key; None when it is not there. Raises when that cannot be told."""


@dataclass(slots=True)
class SlowTools:
    """What a slow effect works with.

    Attributes:
        site: A door of the heavy pool's thread.
        doors: All doors.
        cancel: Set when a person cancels, or when it has shown no progress for too long.
        progress: ``progress("transcode 40 %")``: shown beside the run, and a sign of life.
        log: The run's log.
        results: Results of the run's effects so far, by slot.
    """

    site: SiteDoor
    doors: Doors
    cancel: threading.Event
    progress: Callable[[str], None]
    log: logging.LoggerAdapter[logging.Logger]
    results: Mapping[str, Mapping[str, Any]]


class SlowEffect(Effect):
    """An effect of minutes: it runs in the heavy pool, reports progress and can be cancelled."""

    via: ClassVar[Channel] = "slow"

    @abstractmethod
    def apply(self, tools: SlowTools) -> dict[str, Any]:
        """Do it; returns the results. Doing it twice has the effect of doing it once.

        Raises:
            Later: not now. EffectFailed, PlanError: never. SiteUnreachable, OSError: worth a retry.
        """

    def is_done(self, tools: SlowTools) -> dict[str, Any] | None:
        """After a crash: the results when it was done, None when it was not (it is then done again)."""
        del tools
        return None
