"""Neighbouring ftrack effects as one server transaction: re-read, compare, journal, commit, journal again.

Requests: one read (what the effects expect and what is there now, in one call) and one commit a chunk; many creations
at once need no read. A refusal rolls the chunk back; what was refused is found by halving, so that one refusal does
not spoil the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.engine.crash import crash_point
from app.engine.doors import SiteDoor, SiteRefusal
from app.engine.echo import echo_rows
from app.engine.kinds import FtrackEffect, Seen, Wanted
from app.journal.journal import Journal
from app.journal.queue import QueuedRun
from app.site.encoding import same
from app.site.query import chunks, id_list

__all__ = ["FtrackTransaction", "Mismatch", "Step", "look"]

#: So many creations in one chunk are committed without reading first: should one be there already, the site refuses
#: the whole chunk, and then it is read.
_UNREAD = 20


@dataclass(frozen=True, slots=True)
class Step:
    """An effect of a plan with its row in the journal; ``effect`` has its results filled in."""

    id: int
    effect: FtrackEffect


class Mismatch(Exception):
    """The site is not as the plan saw it.

    Attributes:
        words: What is different, for each step it concerns, by the step's id.
    """

    def __init__(self, words: Mapping[int, str]) -> None:
        super().__init__("; ".join(dict.fromkeys(words.values())))
        self.words = words


@dataclass(slots=True)
class FtrackTransaction:
    """Applies the ftrack effects of one run.

    Attributes:
        journal: The journal.
        site: The thread's door.
        run: Whose effects they are.
        chunk: At most so many effects in one server transaction.
        leave: Undo: what is not as expected is left alone and listed, instead of planned again.
        failed: Step id to the site's reason, filled while applying.
        kept: Ids of entities that an undo leaves alone: what they hang on stays too.
    """

    journal: Journal
    site: SiteDoor
    run: QueuedRun
    chunk: int
    leave: bool = False
    failed: dict[int, str] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)

    def foresee(self, steps: Sequence[Step]) -> None:
        """For the list before an undo: mark what would be left alone, and touch nothing."""
        for chunk in _chunks(steps, self.chunk):
            self._judge(chunk)

    def apply(self, steps: Sequence[Step]) -> None:
        """Apply steps, chunk by chunk.

        Raises:
            Mismatch: Before anything of the chunk was written.
            SiteUnreachable: Whether the chunk was stored is in doubt: its steps stay "applying".
        """
        for chunk in _chunks(steps, self.chunk):
            if _only_creates(chunk):
                self._commit(chunk, Seen())
                continue
            todo, seen = self._judge(chunk)
            if todo:
                self._commit(todo, seen)

    def _judge(self, steps: Sequence[Step]) -> tuple[list[Step], Seen]:
        """Re-read, set aside what is already so, and raise (or leave alone) what is not as expected."""
        seen = look(self.site, [step.effect for step in steps])
        todo: list[Step] = []
        different: dict[int, str] = {}
        already: dict[int, dict[str, Any]] = {}
        created: set[str] = set()
        for step in steps:
            effect = step.effect.sparing(frozenset(self.kept)) if self.kept else step.effect
            verdict = effect.verdict(seen)
            # An entity of this same transaction is not there to be compared yet.
            words = verdict.words if verdict.what == "mismatch" else _unmet(step.effect, seen, created)
            if verdict.what == "already":
                already[step.id] = step.effect.is_done(seen) or {}
            elif words:
                different[step.id] = words
                spared = step.effect.deletes() if self.leave else None
                if spared is not None:
                    self.kept.add(spared)
            else:
                todo.append(step)
                _foresee(step.effect, seen, created)
        if different and not self.leave:
            raise Mismatch(different)
        if already:
            self.journal.mark_effects(already, "already", after=already)
        for step_id, words in different.items():
            self.journal.mark_effects([step_id], "kept", error=words)
        return todo, seen

    def _commit(self, steps: Sequence[Step], seen: Seen) -> None:
        befores = {step.id: step.effect.before(seen) for step in steps}
        written = [item for step in steps for item in step.effect.echoes(befores[step.id])]
        self.journal.mark_applying(befores, echo_rows(written, self.run.handler, self.run.id, self.run.depth))
        crash_point("applying")
        operations = [step.effect.operations(seen) for step in steps]
        try:
            answers = self.site.call([operation for each in operations for operation in each])
        except SiteRefusal as refusal:
            self._refused(steps, refusal)
            return
        crash_point("committed")
        results, at = {}, 0
        for step, each in zip(steps, operations, strict=True):
            results[step.id] = step.effect.after(answers[at : at + len(each)])
            at += len(each)
        self.journal.mark_effects([step.id for step in steps], "applied", after=results)
        crash_point("applied")

    def _refused(self, steps: Sequence[Step], refusal: SiteRefusal) -> None:
        """Nothing was stored. Somebody was faster, or one of the steps is not acceptable: find it by halving."""
        self.journal.mark_effects([step.id for step in steps], "planned")
        todo, seen = self._judge(steps)
        if not todo:
            return
        if len(todo) < len(steps):
            # Somebody made a part of it meanwhile (the list that several workers wanted): the rest makes use of it.
            self._commit(todo, seen)
            return
        units = _units(todo)
        if len(units) == 1:
            text = f"{refusal.name}: {refusal}" if refusal.name not in str(refusal) else str(refusal)
            self.journal.mark_effects([step.id for step in todo], "failed", error=text)
            self.failed |= {step.id: text for step in todo}
            return
        middle = len(units) // 2
        for half in (units[:middle], units[middle:]):
            part = [step for unit in half for step in unit]
            again = look(self.site, [step.effect for step in part])
            left = self._without_lost(part, again)
            if left:
                self._commit(left, again)

    def _without_lost(self, steps: Sequence[Step], seen: Seen) -> list[Step]:
        """The steps that still make sense in the second half, when the first was refused."""
        created: set[str] = set()
        left = []
        for step in steps:
            verdict = step.effect.verdict(seen)
            if verdict.what == "already":
                self.journal.mark_effects([step.id], "already")
            elif verdict.what == "mismatch" and self.failed:
                text = f"not done, since an earlier step was refused ({next(iter(self.failed.values()))})"
                self.journal.mark_effects([step.id], "failed", error=text)
                self.failed[step.id] = text
            else:
                left.append(step)
                _foresee(step.effect, seen, created)
        return left

    def settle(self, steps: Sequence[Step]) -> int:
        """After a crash: find out which steps that were being applied were stored; returns how many were."""
        seen = look(self.site, [step.effect for step in steps])
        stored = 0
        for step in steps:
            result = step.effect.is_done(seen)
            if result is None:
                self.journal.mark_effects([step.id], "planned")
            else:
                self.journal.mark_effects([step.id], "applied", after={step.id: result})
                stored += 1
        return stored


def _only_creates(steps: Sequence[Step]) -> bool:
    """Whether a chunk relies on nothing that is on the site: many creations under ids of their own."""
    created = 0
    for step in steps:
        effect = step.effect
        makes = effect.creates() is not None
        read = [*effect.queries(), *effect.wanted_metadata()]
        if effect.expects or read:
            return False
        if not makes and tuple(effect.wanted()):
            return False
        created += makes
    return created >= _UNREAD


def look(site: SiteDoor, effects: Sequence[FtrackEffect]) -> Seen:
    """Read all that effects rely on and will change, in one request (none when they rely on nothing)."""
    seen = Seen()
    attributes: dict[str, dict[str, set[str]]] = {}
    metadata: list[str] = []
    queries: list[str] = []
    for effect in effects:
        for wanted in (*effect.wanted(), *_expected(effect)):
            attributes.setdefault(wanted.entity_type, {}).setdefault(wanted.entity_id, set()).update(wanted.attributes)
        metadata += effect.wanted_metadata()
        metadata += [each.entity_id for each in effect.expects if each.attribute.startswith("metadata.")]
        queries += effect.queries()
    asked: list[tuple[str, str, str]] = []
    for entity_type, entities in attributes.items():
        names = sorted({"id"}.union(*entities.values()))
        asked += [
            ("rows", entity_type, f"select {', '.join(names)} from {entity_type} where id in {id_list(ids)}")
            for ids in chunks(filter(None, entities))
        ]
    asked += [
        ("metadata", "", f"select parent_id, key, value from Metadata where parent_id in {id_list(ids)}")
        for ids in chunks(filter(None, metadata))
    ]
    asked += [("found", query, f"select id from {query}") for query in dict.fromkeys(queries)]
    if not asked:
        return seen
    answers = site.call([{"action": "query", "expression": expression} for _, _, expression in asked])
    for (what, name, _), answer in zip(asked, answers, strict=True):
        rows = answer.get("data") or []
        if what == "rows":
            seen.rows.update({(name, str(row["id"])): row for row in rows})
        elif what == "metadata":
            for row in rows:
                seen.metadata.setdefault(str(row["parent_id"]), {})[str(row["key"])] = row["value"]
        else:
            seen.found[name] = tuple(str(row["id"]) for row in rows)
    return seen


def _expected(effect: FtrackEffect) -> Iterable[Wanted]:
    for expect in effect.expects:
        plain = expect.attribute != "exists" and not expect.attribute.startswith("metadata.")
        yield Wanted(expect.entity_type, expect.entity_id, frozenset([expect.attribute] if plain else []))


def _unmet(effect: FtrackEffect, seen: Seen, created: set[str]) -> str:
    """What of an effect's expectations does not hold, in words; "" when all do."""
    for expect in effect.expects:
        if expect.entity_id in created:
            continue
        now = seen.value(expect.entity_type, expect.entity_id, expect.attribute)
        if not same(now, expect.value):
            return (
                f"{expect.attribute} of {expect.entity_type} is {_shown(now)} now, the plan saw {_shown(expect.value)}"
            )
    return ""


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)


def _foresee(effect: FtrackEffect, seen: Seen, created: set[str]) -> None:
    """What an effect creates is there for the effects after it in the same transaction."""
    made = effect.creates()
    if made is not None:
        entity_type, entity_id, values = made
        created.add(entity_id)
        seen.pending[entity_id] = {"id": entity_id, "__entity_type__": entity_type, **values}


def _units(steps: Sequence[Step]) -> list[list[Step]]:
    """Steps that stand or fall together: those for one entity; without an entity, each by itself."""
    units: list[list[Step]] = []
    for step in steps:
        last = units[-1][-1].effect.entity_id if units else None
        if units and last is not None and step.effect.entity_id == last:
            units[-1].append(step)
        else:
            units.append([step])
    return units


def _chunks(steps: Sequence[Step], size: int) -> Iterable[list[Step]]:
    """Chunks of at most ``size`` steps that do not part steps for one entity (unless it alone has more)."""
    chunk: list[Step] = []
    for unit in _units(steps):
        if chunk and len(chunk) + len(unit) > size:
            yield chunk
            chunk = []
        chunk += unit
    if chunk:
        yield chunk
