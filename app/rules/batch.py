"""Batch creation of sequences, shots and tasks: what a person wrote, as rows, judged against what is there.

Used by the web form, the dialog and the terminal alike. Pure: existing names come in, judgements go out.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.rules.names import why_unsafe
from app.rules.shots import ExpressionError, parse_range, shot_names

__all__ = [
    "COLUMNS",
    "Existing",
    "Judged",
    "ShotRow",
    "TableError",
    "TaskTemplate",
    "decoded",
    "format_table",
    "judge",
    "parse_table",
    "parse_tasks",
    "row_of",
    "rows_from_expression",
    "table_cells",
]

#: Columns of a sheet, with the headings that are understood besides the first one.
COLUMNS: dict[str, tuple[str, ...]] = {
    "sequence": ("sequence", "seq", "sequenz"),
    "shot": ("shot", "name", "shot name", "shot code"),
    "frame_in": ("frame in", "in", "frame start", "fstart", "start", "first frame"),
    "frame_out": ("frame out", "out", "frame end", "fend", "end", "last frame"),
    "tasks": ("tasks", "task", "departments"),
    "description": ("description", "notes", "note", "comment"),
}
_HEADINGS = {heading: column for column, headings in COLUMNS.items() for heading in (*headings, column)}
_TASK = re.compile(r"^(?P<type>.*?)(?:[\s:]+(?P<bid>\d+(?:[.,]\d+)?)\s*(?P<unit>[hd])?)?$", re.IGNORECASE)
_BARE_BID = re.compile(r"\d+(?:[.,]\d+)?\s*[hd]?", re.IGNORECASE)
HOURS_PER_DAY = 8.0
MOST_SHOTS = 50_000
"""More in one range are a slip of the keyboard, and would take the memory of whoever makes the rows."""


class TableError(ValueError):
    """A cell that cannot be read. ``line`` counts from 1 in the pasted text, ``column`` names the heading."""

    def __init__(self, message: str, line: int, column: str) -> None:
        super().__init__(f"line {line}, {column}: {message}")
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class TaskTemplate:
    """A task to make for each shot.

    Attributes:
        type_name: Task type, as the workflow names it.
        bid_hours: Planned work in hours.
        name: The task's name; "" takes the type's in lower case.
        assignees: User names.
        status: Status name; "" takes the workflow's first.
    """

    type_name: str
    bid_hours: float = 0.0
    name: str = ""
    assignees: tuple[str, ...] = ()
    status: str = ""

    @property
    def task_name(self) -> str:
        return self.name or self.type_name.lower()

    @property
    def bid_seconds(self) -> int:
        """ftrack stores bids in seconds."""
        return round(self.bid_hours * 3600)


@dataclass(frozen=True, slots=True)
class ShotRow:
    """One line of the sheet. On a shot as parent ``shot`` is "" and only the tasks count."""

    sequence: str
    shot: str
    frame_in: int | None = None
    frame_out: int | None = None
    tasks: tuple[TaskTemplate, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class Existing:
    """What is below the parent already. Names are compared without case.

    Attributes:
        sequences: Names of sequences.
        shots: Sequence name to its shots' names; under a sequence as parent the key is that sequence's name.
        tasks: (sequence, shot) to names of tasks.
        others: (sequence or "", name) of entities of another kind that hold a name.
    """

    sequences: frozenset[str] = frozenset()
    shots: Mapping[str, frozenset[str]] = field(default_factory=dict)
    tasks: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    others: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Judged:
    """What would happen with a row.

    Attributes:
        row: The row.
        state: "new" (the shot is made), "exists" (nothing is made), "adds" (the shot is there, tasks are added) or
            "conflict" (nothing is made until a person mends it).
        words: Why, for a person.
        new_tasks: Templates of tasks that would be made.
    """

    row: ShotRow
    state: Literal["new", "exists", "adds", "conflict"]
    words: str
    new_tasks: tuple[TaskTemplate, ...] = ()


def rows_from_expression(
    sequence: str, expression: str, numbers: str, tasks: Sequence[TaskTemplate], *, prefix: bool = True
) -> list[ShotRow]:
    """Rows of a shot expression (``####``) and a range (``10-20:10``); see `app.rules.shots`.

    Raises ExpressionError at the wrong character, or for more than `MOST_SHOTS`.
    """
    parts = parse_range(numbers)
    count = sum(part.count for part in parts)
    if count > MOST_SHOTS:
        raise ExpressionError(f"That is {count:,} shots, at most {MOST_SHOTS:,} are made at once", numbers, 0)
    wanted = [number for part in parts for number in part.numbers()]
    names = shot_names(expression, dict.fromkeys(wanted), prefix=sequence if prefix else "")
    return [ShotRow(sequence, name, tasks=tuple(tasks)) for name in names]


def parse_tasks(text: str) -> tuple[TaskTemplate, ...]:
    """Tasks of one cell: "Animation 8h; Lighting 2d, Compositing" (a bid without unit is in hours).

    Raises ValueError for a bid without a type.
    """
    tasks: list[TaskTemplate] = []
    for part in re.split(r"[;,/|\n]+(?!\d)", text):
        match = _TASK.match(part.strip())
        if not part.strip() or match is None:
            continue
        if not match["type"].strip() or _BARE_BID.fullmatch(part.strip()):
            raise ValueError(f"{part.strip()!r} has a bid but no task type")
        hours = float((match["bid"] or "0").replace(",", "."))
        if (match["unit"] or "h").lower() == "d":
            hours *= HOURS_PER_DAY
        tasks.append(TaskTemplate(match["type"].strip(), hours))
    return tuple(tasks)


def parse_table(text: str, *, sequence: str = "", tasks: Sequence[TaskTemplate] = ()) -> list[ShotRow]:
    """Rows of a pasted sheet (tab-separated) or CSV (comma or semicolon), with or without a heading line.

    Without headings the columns are shot, sequence, frame in, frame out, tasks, description.

    Args:
        text: What was pasted or read.
        sequence: For rows without a sequence.
        tasks: For rows without tasks.

    Raises:
        TableError: At the first cell that cannot be read.
    """
    return [row_of(cells, number, sequence, tasks) for number, cells in table_cells(text)]


def table_cells(text: str) -> list[tuple[int, dict[str, str]]]:
    """Lines of a sheet as (line from 1, column to cell), unread: for whoever lets a person mend a cell.

    Cells in quotes may hold line breaks, as spreadsheets write them.
    """
    text = text.removeprefix("\ufeff")
    read = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    lines = [(number, line) for number, line in enumerate(read, start=1) if any(cell.strip() for cell in line)]
    if not lines:
        return []
    head = [_HEADINGS.get(cell.strip().lower().replace("_", " ")) for cell in lines[0][1]]
    has_heading = "shot" in head
    columns = head if has_heading else ["shot", "sequence", "frame_in", "frame_out", "tasks", "description"]
    found: list[tuple[int, dict[str, str]]] = []
    for number, line in lines[1:] if has_heading else lines:
        cells: dict[str, str] = {}
        for column, cell in zip(columns, line, strict=False):
            if column and not cells.get(column):
                cells[column] = cell.strip()
        found.append((number, cells))
    return found


def decoded(raw: bytes) -> str:
    """The text of a sheet's file as spreadsheets write them: UTF-8, UTF-16 ("Unicode text"), else Windows' Western."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def _delimiter(text: str) -> str:
    first = text.lstrip().split("\n", 1)[0]
    counts = Counter(character for character in first if character in "\t;,")
    return "\t" if counts["\t"] else ";" if counts[";"] > counts[","] else ","


def row_of(cells: Mapping[str, str], line: int, sequence: str = "", tasks: Sequence[TaskTemplate] = ()) -> ShotRow:
    """One row of its cells. Raises TableError at the first that cannot be read."""
    if not cells.get("shot"):
        raise TableError("the shot's name is missing", line, "shot")
    first, last = (_frame(cells.get(column, ""), line, column) for column in ("frame_in", "frame_out"))
    if first is not None and last is not None and last < first:
        raise TableError(f"frame out {last} is before frame in {first}", line, "frame out")
    try:
        own = parse_tasks(cells.get("tasks", ""))
    except ValueError as error:
        raise TableError(str(error), line, "tasks") from error
    name = cells.get("sequence") or sequence
    return ShotRow(name, cells["shot"], first, last, own or tuple(tasks), cells.get("description", ""))


def _frame(text: str, line: int, column: str) -> int | None:
    if not text:
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = 0.5
    if value != int(value):
        raise TableError(f"{text!r} is not a whole frame number", line, column.replace("_", " "))
    return int(value)


def format_table(rows: Iterable[ShotRow], delimiter: str = ",") -> str:
    """Rows as a sheet with headings, as `parse_table` reads it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(["shot", "sequence", "frame in", "frame out", "tasks", "description"])
    for row in rows:
        tasks = "; ".join(_task_text(task) for task in row.tasks)
        writer.writerow([row.shot, row.sequence, _shown(row.frame_in), _shown(row.frame_out), tasks, row.description])
    return out.getvalue()


def _task_text(task: TaskTemplate) -> str:
    """As `parse_tasks` reads it: a type that ends in a number is never taken for a bid."""
    numbered = task.type_name[-1:].isdigit()
    return f"{task.type_name} {task.bid_hours:g}h" if task.bid_hours or numbered else task.type_name


def _shown(frame: int | None) -> str:
    return "" if frame is None else str(frame)


def judge(rows: Sequence[ShotRow], existing: Existing, task_types: Iterable[str] | None = None) -> list[Judged]:
    """Say of each row what would happen.

    Args:
        rows: The rows.
        existing: What is there.
        task_types: Names of the task types that the project's workflow has; None: not checked.
    """
    types = None if task_types is None else {name.casefold() for name in task_types}
    folded = _Folded(existing)
    seen: set[tuple[str, str]] = set()
    return [_judge(row, folded, types, seen) for row in rows]


class _Folded:
    """Existing names, comparable without case."""

    def __init__(self, existing: Existing) -> None:
        self.shots = {
            (sequence.casefold(), shot.casefold()): shot for sequence, names in existing.shots.items() for shot in names
        }
        self.tasks = {
            (sequence.casefold(), shot.casefold()): {name.casefold() for name in names}
            for (sequence, shot), names in existing.tasks.items()
        }
        self.others = {(sequence.casefold(), name.casefold()) for sequence, name in existing.others}


def _judge(row: ShotRow, existing: _Folded, types: set[str] | None, seen: set[tuple[str, str]]) -> Judged:
    problem = _problem(row, existing, types)
    place = (row.sequence.casefold(), row.shot.casefold())
    if not problem and row.shot and place in seen:
        problem = f"{row.shot} is given twice"
    seen.add(place)
    if problem:
        return Judged(row, "conflict", problem)
    there = existing.tasks.get(place, set())
    new = tuple(task for task in row.tasks if task.task_name.casefold() not in there)
    if row.shot and place not in existing.shots:
        return Judged(row, "new", f"makes {row.shot}" + _tasks_words(new), new)
    if new:
        return Judged(
            row, "adds", f"{row.shot or 'the shot'} exists, adds" + _tasks_words(new).removeprefix(" with"), new
        )
    return Judged(row, "exists", f"{row.shot or 'the shot'} and its tasks exist, nothing is made")


def _problem(row: ShotRow, existing: _Folded, types: set[str] | None) -> str:
    for what, name in (("sequence", row.sequence), ("shot", row.shot)):
        reason = why_unsafe(name) if name else None
        if reason:
            return f"the {what}'s name {name!r} cannot be used: {reason}"
    names = Counter(task.task_name.casefold() for task in row.tasks)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        return f"the task {twice[0]!r} is given twice"
    for task in row.tasks:
        if types is not None and task.type_name.casefold() not in types:
            return f"the project's workflow has no task type {task.type_name!r}"
    if row.shot and (row.sequence.casefold(), row.shot.casefold()) in existing.others:
        return f"{row.shot} is the name of something else there"
    if row.sequence and ("", row.sequence.casefold()) in existing.others:
        return f"{row.sequence} is the name of something else there"
    return ""


def _tasks_words(tasks: Sequence[TaskTemplate]) -> str:
    return " with " + ", ".join(task.task_name for task in tasks) if tasks else ""
