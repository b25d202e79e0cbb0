"""Batch Create from a terminal: the same rows and the same run as the dialog and the web page."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.actions.batch_create import BatchCreateSettings
from app.rules.batch import Judged, ShotRow, TableError, TaskTemplate, judge, parse_table, parse_tasks
from app.rules.batch import rows_from_expression as rows_of_expression
from app.rules.outcomes import PlanError
from app.rules.shots import ExpressionError
from app.rules.words import many
from app.service.browser import Desk
from app.service.event_server import Installation
from app.service.lookups import Below, LookUps, batch_values
from app.service.orders import STAYS, Attendance, attended, whose

__all__ = ["BatchOutcome", "BatchWanted", "find_parent", "make_batch"]

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_LOOK_SECONDS = 0.05
_OPEN = frozenset({"queued", "running", "retry", "paused", "waiting"})
_WRONG, _REFUSED, _CONFLICTS, _FAILED = 2, 3, 5, 1


@dataclass(frozen=True, slots=True)
class BatchWanted:
    """What was typed.

    Attributes:
        parent: A project's name, "project/sequence", "project/episode/sequence", or an entity's id.
        sequence: For rows without one; a sequence as parent needs none.
        expression: Shot expression.
        numbers: Range; "" with a sheet.
        prefix: Whether the sequence's name comes first.
        tasks: "Animation 8h" each.
        sheet: CSV or tab-separated text, None for an expression.
    """

    parent: str
    sequence: str = ""
    expression: str = "####"
    numbers: str = ""
    prefix: bool = True
    tasks: tuple[str, ...] = ()
    sheet: str | None = None


@dataclass(slots=True)
class BatchOutcome:
    """What came of it.

    Attributes:
        code: Exit code of the program.
        problem: Why nothing (or not everything) was made.
        rows: Judgements, row by row.
        run: Id of the run, None when there was none.
        state: State of the run.
        made: Number of entities made, by type.
        warnings: What a person should know.
    """

    code: int = 0
    problem: str = ""
    rows: list[Judged] = field(default_factory=list)
    run: int | None = None
    state: str = ""
    made: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rows": [
                {
                    "sequence": one.row.sequence,
                    "shot": one.row.shot,
                    "state": one.state,
                    "words": one.words,
                    "tasks": [task.task_name for task in one.new_tasks],
                }
                for one in self.rows
            ],
            "run": self.run,
            "state": self.state,
            "made": self.made,
            "warnings": self.warnings,
            "problem": self.problem,
        }

    def lines(self) -> Iterator[str]:
        """As a table; of what is refused as a whole no rows, which would hide why."""
        rows = [] if self.code == _REFUSED else self.rows
        wide = max((len(f"{one.row.sequence} {one.row.shot}") for one in rows), default=0)
        for one in rows:
            yield f"{one.state:>8}  {f'{one.row.sequence} {one.row.shot}'.strip():<{wide}}  {one.words}"
        if self.state:
            counts = ", ".join(many(number, kind) for kind, number in self.made.items())
            yield f"{self.state}: {counts or 'nothing new'}"
        yield from self.warnings


def make_batch(
    settings: Path | None, journal: Path | None, wanted: BatchWanted, *, dry: bool, sure: bool, wait: float
) -> BatchOutcome:
    """Judge the rows and make what is missing. Raises SettingsError, JournalError, SiteUnreachable, WrongKey."""
    installation = Installation.at_work(settings, journal)
    desk = Desk(installation)
    try:
        outcome = BatchOutcome()
        try:
            kind, key = find_parent(desk.look_ups, wanted.parent)
            below = desk.look_ups.below(kind, key)
            rows = _rows(wanted, below)
        except (PlanError, ExpressionError, TableError, ValueError) as error:
            return BatchOutcome(_WRONG, str(error))
        outcome.rows = judge(rows, below.existing, below.task_types or None)
        most = installation.store.section("actions.batch_create", BatchCreateSettings).confirm_above
        conflicts = [one for one in outcome.rows if one.state == "conflict"]
        fresh = [one.row for one in outcome.rows if one.state in ("new", "adds")]
        if conflicts:
            outcome.code = _CONFLICTS
            outcome.problem = f"{many(len(conflicts), 'row')} cannot be made: {conflicts[0].words}"
        elif len(fresh) > most and not sure and not dry:
            outcome.code = _REFUSED
            outcome.problem = (
                f"this would make {many(len(fresh), 'row')}, more than {most}; say --yes when that is meant"
            )
        elif fresh and not dry:
            person = desk.person()
            launch = {
                "action": "batch_create",
                "selection": [[kind, key]],
                "values": dict(batch_values(fresh)),
                "user_id": person.id,
                "username": person.username,
                "dry": False,
            }
            _launch(installation, launch, outcome, wait)
        return outcome
    finally:
        desk.close()


def find_parent(look_ups: LookUps, text: str) -> tuple[str, str]:
    """(schema id, id) of a parent as typed. Raises PlanError."""
    if _UUID.fullmatch(text.strip()):
        return look_ups.kind_of(text.strip()), text.strip()
    project, *rest = [part.strip() for part in text.split("/") if part.strip()] or [""]
    found = next((one for one in look_ups.projects() if project.casefold() in (one.name.casefold(),)), None)
    if found is None:
        raise PlanError(f"there is no project {project!r}")
    for name in rest:
        below = [one for one in look_ups.children(found.entity_type, found.id) if one.entity_type != "ReviewSession"]
        above = found.name
        found = next((one for one in below if one.name.casefold() == name.casefold()), None)
        if found is None:
            raise PlanError(f"there is no {name!r} in {above}")
    return found.entity_type, found.id


def _rows(wanted: BatchWanted, below: Below) -> list[ShotRow]:
    tasks: list[TaskTemplate] = [task for text in wanted.tasks for task in parse_tasks(text)]
    sequence = below.name if below.kind == "sequence" else wanted.sequence
    if below.kind == "shot":
        return [ShotRow("", "", tasks=tuple(tasks))]
    if wanted.sheet is not None and wanted.numbers:
        raise PlanError("give a --range or a sheet with --csv, not both")
    if wanted.sheet is not None:
        rows = parse_table(wanted.sheet, sequence=sequence, tasks=tasks)
    elif wanted.numbers:
        rows = rows_of_expression(sequence, wanted.expression, wanted.numbers, tasks, prefix=wanted.prefix)
    else:
        raise PlanError("give a --range (10-200:10) or a sheet with --csv")
    if any(not row.sequence for row in rows):
        raise PlanError("name the sequence with --sequence")
    return rows


def _launch(installation: Installation, launch: dict[str, Any], outcome: BatchOutcome, wait: float) -> None:
    with attended(installation) as journal:
        order = journal.order("launch", launch, whose())
        deadline = time.monotonic() + wait
        pause = threading.Event()
        run: int | None = None
        attendance = Attendance(journal)
        while time.monotonic() < deadline and not attendance.lost():
            answer = journal.order_row(order)
            if answer.state == "refused":
                outcome.code, outcome.problem = _REFUSED, str(answer.result.get("refused"))
                return
            if answer.state == "done":
                run = int(answer.result["run"])
                if journal.run_row(run).state not in _OPEN:
                    break
            pause.wait(_LOOK_SECONDS)
        if run is None:
            outcome.code, outcome.problem = _FAILED, f"no event server took the order in time: {STAYS}"
            return
        detail = journal.run(run)
        outcome.run, outcome.state, outcome.warnings = run, detail.row.state, list(detail.warnings)
        for effect in detail.effects:
            if effect.state == "applied" and effect.kind == "create":
                kind = str(effect.data.get("entity_type"))
                outcome.made[kind] = outcome.made.get(kind, 0) + 1
        if detail.row.state not in ("done", "skipped", "superseded"):
            outcome.code, outcome.problem = _FAILED, detail.row.reason or detail.row.state
