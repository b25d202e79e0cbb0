"""The shadow report: what the plans would have done, compared with what another server on the same site did.

Plans are what dry runs left in the journal; the other server's work is read from the site (entries, status changes)
and from the drives (folders). Both happen within moments of each other, so a plan may have found the work done already:
that counts as agreement. What only one of the two did is a difference, told once for each thing it is about.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from app.engine.doors import SiteDoor
from app.journal.journal import Journal
from app.journal.rows import EffectRow, RunRow
from app.rules.outcomes import Later, PlanError
from app.service.doors import BuiltDoors, Installation, build_doors
from app.service.menu import ELSEWHERE
from app.site.query import chunks, id_list, quoted

__all__ = ["Difference", "Shadow", "moment_of", "shadow_report"]

_DAY = 86_400.0
_PAGE = 500
_IDS = 200
#: A status set a little earlier than our plan was still the other server's answer to the same event.
_MARGIN = 120.0
Kind = Literal["folder", "list", "status", "double"]
#: Whose work it would have been, where no plan of ours tells.
_HANDLERS: dict[Kind, str] = {
    "folder": "create_task_folder",
    "list": "add_version_to_list",
    "status": "assign_task_status",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that the two servers did not do alike.

    Attributes:
        kind: "folder", "list", "status", or "double" (both answered).
        subject: What it is about, in words.
        project: The project's name, "" where it is not known.
        signalbox: What the plan says; "" where nothing was planned.
        old_server: What the other server did; "" where it did nothing.
        run: The dry run, None without one.
        handler: Whose work it is: the handler's id, or the action's.
    """

    kind: Kind
    subject: str
    project: str
    signalbox: str
    old_server: str
    run: int | None = None
    handler: str = ""


@dataclass(slots=True)
class Shadow:
    """The report.

    Attributes:
        since: Begin of the comparison, UTC epoch seconds.
        until: Its end.
        runs: Dry runs that were looked at.
        agreed: Things both did, or would have done, alike.
        differences: What only one did, or each in its own way.
        doubles: What two servers both answered.
    """

    since: float
    until: float
    runs: int = 0
    agreed: int = 0
    differences: list[Difference] = field(default_factory=list)
    doubles: list[Difference] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """The differences as text."""
        for one in (*self.differences, *self.doubles):
            yield f"  {one.kind}: {one.subject}" + (f" ({one.project})" if one.project else "")
            yield f"      Signalbox: {one.signalbox or 'nothing'}"
            yield f"      old server: {one.old_server or 'nothing'}"


@dataclass(slots=True)
class _Plans:
    """What the runs since then planned, by kind.

    Attributes:
        folders: Planned path -> run.
        items: (version, list's name) -> run.
        statuses: (task, status) -> run.
        place_runs: Task that a place was planned for, or found -> run.
        found_on: Version -> what was said of lists it was found on.
        settled: Version -> what was said of statuses that its task had already.
        already: Runs that found the work done.
    """

    folders: dict[Path, RunRow] = field(default_factory=dict)
    items: dict[tuple[str, str], RunRow] = field(default_factory=dict)
    statuses: dict[tuple[str, str], RunRow] = field(default_factory=dict)
    place_runs: dict[str, RunRow] = field(default_factory=dict)
    found_on: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    settled: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    already: int = 0


def shadow_report(
    settings: Path | None, journal: Path | None, *, since: float | None = None, old_user: str = ""
) -> Shadow:
    """Compare since a moment (UTC epoch seconds; None: since the site was connected, else a week) until now.

    Args:
        settings: The settings file; None: the usual one.
        journal: The journal's folder; None: the usual one.
        since: Where to begin.
        old_user: The ftrack user of the other server, so that the statuses it sets are told from people's; "": they
            are only compared where there is a plan.

    Raises:
        SettingsError, JournalError, SiteUnreachable, SiteRefusal.
    """
    installation = Installation.at_work(settings, journal)
    opened = Journal.open(installation.journal, "read")
    built = build_doors(installation)
    try:
        until = time.time()
        begin = since if since is not None else float(opened.fact("shadow_since") or until - 7 * _DAY)
        report = Shadow(begin, until)
        runs = list(_runs_since(opened, begin))
        report.runs = len(runs)
        names: dict[str, str] = {}
        plans = _plans(opened, built.sites(), runs, names)
        report.agreed = plans.already
        _compare_folders(plans, runs, built, begin, report)
        _compare_lists(plans, built.sites(), report)
        _compare_statuses(plans, built.sites(), begin, old_user, report)
        report.doubles += _actions_elsewhere(opened)
        return report
    finally:
        built.sites.close()
        opened.close()


def moment_of(text: str) -> float:
    """UTC epoch seconds of "3d", "12h", "30m" (ago) or of a date or time like 2026-11-20T09:00. Raises ValueError."""
    ago = re.fullmatch(r"(\d+(?:\.\d+)?)([dhm])", text.strip())
    if ago:
        return time.time() - float(ago[1]) * {"d": _DAY, "h": 3600.0, "m": 60.0}[ago[2]]
    try:
        return dt.datetime.fromisoformat(text.strip()).astimezone().timestamp()
    except ValueError as error:
        raise ValueError(f"{text!r} is no begin: write 3d, 12h, or a date like 2026-11-20") from error


# -- what was planned ------------------------------------------------------------------------------------------------


def _runs_since(journal: Journal, since: float) -> Iterator[RunRow]:
    before: int | None = None
    while page := journal.runs(before=before, limit=_PAGE):
        before = page[-1].id
        for run in page:
            if run.created < since:
                return
            if run.kind == "handler" and run.state in {"planned", "skipped", "done", "superseded"}:
                yield run


def _plans(journal: Journal, site: SiteDoor, runs: Iterable[RunRow], lists: dict[str, str]) -> _Plans:
    plans = _Plans()
    items: list[tuple[EffectRow, RunRow]] = []
    for run in runs:
        detail = journal.run(run.id)
        for effect in detail.effects:
            _take_effect(effect, run, plans, lists, items)
        # Of runs that shared a plan the first has the notes of all.
        own = [note for note in detail.notes if note.get("entity_id") in ("", run.entity_id)]
        told = [str(note.get("reason") or "") for note in own if note.get("outcome") == "already"]
        if "already" in run.reason:
            told.append(run.reason)
        _take_found(run, told, plans)
    missing = {str(effect.data["values"]["list_id"]) for effect, _ in items} - lists.keys()
    for row in _by_ids(site, "select id, name from AssetVersionList where id in {}", missing):
        lists[str(row["id"])] = str(row["name"])
    for effect, run in items:
        values = effect.data["values"]
        plans.items[str(values["entity_id"]), lists.get(str(values["list_id"]), "")] = run
    return plans


def _take_effect(
    effect: EffectRow, run: RunRow, plans: _Plans, lists: dict[str, str], items: list[tuple[EffectRow, RunRow]]
) -> None:
    data = effect.data
    if effect.kind in {"folder", "copy"} or "filename" in (data.get("values") or {}):
        plans.place_runs[run.entity_id] = run
    if effect.kind == "folder":
        plans.folders[Path(str(data["path"]))] = run
    elif effect.kind == "create" and data["entity_type"] == "AssetVersionList":
        lists[str(data["id"])] = str(data["values"]["name"])
    elif effect.kind == "create" and data["entity_type"] == "ListObject":
        items.append((effect, run))
    elif effect.kind == "update" and data["entity_type"] == "Task" and "status_id" in data["values"]:
        plans.statuses[str(data["id"]), str(data["values"]["status_id"])] = run


def _take_found(run: RunRow, told: Sequence[str], plans: _Plans) -> None:
    if not told:
        return
    plans.already += 1
    if run.handler == "add_version_to_list":
        plans.found_on[run.entity_id] += told
    elif run.handler == "assign_task_status":
        plans.settled[run.entity_id] += told
    elif run.entity_type == "Task":
        plans.place_runs[run.entity_id] = run


def _difference(kind: Kind, run: RunRow, ours: str, theirs: str) -> Difference:
    return Difference(kind, run.entity, run.project, ours, theirs, run.id, run.handler)


def _strange(kind: Kind, subject: str, theirs: str, project: str = "") -> Difference:
    """Something that only the other server did."""
    return Difference(kind, subject, project, "", theirs, handler=_HANDLERS[kind])


def _actions_elsewhere(journal: Journal) -> Iterator[Difference]:
    """Actions that another server answers too, as the event server last found them."""
    for one in journal.fact(ELSEWHERE) or ():
        ours = f"the lever stands at {journal.lever(one['action'])[0]}"
        theirs = f"{one['by']} answers it as {one['label']!r} ({one['identifier']})"
        yield Difference("double", f"action {one['title']}", "", ours, theirs, handler=one["action"])


# -- folders ---------------------------------------------------------------------------------------------------------


def _compare_folders(plans: _Plans, runs: Sequence[RunRow], built: BuiltDoors, since: float, report: Shadow) -> None:
    absent = {path: run for path, run in plans.folders.items() if not path.is_dir()}
    report.agreed += len(plans.folders) - len(absent)
    known = _places(built.sites(), plans.place_runs.keys() - {run.entity_id for run in absent.values()})
    strange = list(_strange_folders(plans, runs, built, known, since))
    for paths, run in _by_entity(absent):
        twin = next((one for one in strange if any(_same_task(one[0], path) for path in paths)), None)
        if twin is not None:
            strange.remove(twin)
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        report.differences.append(_difference("folder", run, f"{paths[0]}{more}", str(twin[0]) if twin else ""))
    report.differences += [_strange("folder", path.name, str(path), project) for path, project in strange]


def _by_entity(absent: Mapping[Path, RunRow]) -> Iterator[tuple[list[Path], RunRow]]:
    """The folders that are missing for a task or project: its own first, then the deepest; none above another."""
    found: dict[str, tuple[list[Path], RunRow]] = {}

    def rank(path: Path) -> tuple[bool, int, Path]:
        return path.name.casefold() not in absent[path].entity.casefold().split(), -len(path.parts), path

    for path in sorted(absent, key=rank):
        paths, _ = found.setdefault(absent[path].entity_id, ([], absent[path]))
        if not any(path in other.parents for other in paths):
            paths.append(path)
    yield from found.values()


def _same_task(one: Path, other: Path) -> bool:
    """Whether two folders are a task's in two places: the same name, below the same shot or asset."""
    return one.name.casefold() == other.name.casefold() and bool(
        {part.casefold() for part in one.parts[-4:-1]} & {part.casefold() for part in other.parts[-4:-1]} - {"scene"}
    )


def _strange_folders(
    plans: _Plans, runs: Sequence[RunRow], built: BuiltDoors, known: set[tuple[str, str]], since: float
) -> Iterator[tuple[Path, str]]:
    """New folders on the projects' drives that a rule may have made, and that no plan has anything to do with."""
    site = built.sites()
    occasions = _occasions(site, runs)
    planned = {part for path in plans.folders for part in (path, *path.parents)}
    projects = site.rows(
        "select id, name, root, disk.unix, disk.windows, disk.name from Project where status is active order by name"
    )
    for project in projects:
        try:
            root = built.drives.project_root(project)
        except (Later, PlanError):
            continue
        new = [path for path in _new_folders(root, since) if path not in planned and not _is_place(path, known)]
        tasks = _tasks_below(site, project, root, new)
        for path in new:
            if _is_a_tasks(path, root, tasks) or _came_with(path, root, occasions):
                yield path, str(project["name"])


def _occasions(site: SiteDoor, runs: Sequence[RunRow]) -> dict[str, list[float]]:
    """When runs were about a name: that of a task, of what it belongs to, of a project."""
    came: dict[str, list[float]] = defaultdict(list)
    tasks = {run.entity_id: run for run in runs if run.entity_type == "Task"}
    for row in _by_ids(site, "select id, name, parent.name, parent_id, project_id from Task where id in {}", tasks):
        run = tasks[str(row["id"])]
        came[str(row["name"]).casefold()].append(run.created)
        # Everything lies below the project: that a task does too says nothing of a folder.
        if row["parent_id"] != row["project_id"]:
            came[str((row["parent"] or {}).get("name") or "").casefold()].append(run.created)
    for run in runs:
        if run.entity_type == "Project":
            came[run.project.casefold()].append(run.created)
    return came


def _came_with(path: Path, root: Path, occasions: Mapping[str, list[float]]) -> bool:
    """Whether a folder came to be when a run was about something in its path; people make folders at any time."""
    try:
        made = path.stat().st_ctime
    except OSError:
        return False
    names = {part.casefold() for part in (root.name, *path.relative_to(root).parts)}
    return any(abs(made - at) < _MARGIN for name in names for at in occasions.get(name, ()))


def _tasks_below(site: SiteDoor, project: Mapping[str, Any], root: Path, paths: Sequence[Path]) -> set[tuple[str, str]]:
    """(parent's name, task's name) of the project's tasks that these folders could be meant for."""
    if not paths:
        return set()
    ours = f"select name, parent.name from Task where project_id is {quoted(str(project['id']))} and "
    rows = list(site.rows(f"{ours}parent_id is {quoted(str(project['id']))}"))
    found = {("", str(row["name"]).casefold()) for row in rows}
    above = sorted({part for path in paths for part in path.relative_to(root).parts[:-1]})
    for some in chunks(above, _IDS):
        for row in site.rows(f"{ours}parent.name in {id_list(some)}"):
            found.add((str(row["parent"]["name"]).casefold(), str(row["name"]).casefold()))
    return found


def _is_a_tasks(path: Path, root: Path, tasks: set[tuple[str, str]]) -> bool:
    """Whether a folder is called like a task and lies below what the task belongs to, wherever that is."""
    *above, own = (part.casefold() for part in path.relative_to(root).parts)
    return any(task == own and (not parent or parent in above) for parent, task in tasks)


def _places(site: SiteDoor, tasks: Iterable[str]) -> set[tuple[str, str]]:
    """(parent's name, task's name) of tasks, as their folders carry them."""
    rows = _by_ids(site, "select id, name, parent.name from Task where id in {}", tasks)
    return {(str((row["parent"] or {}).get("name") or "").casefold(), str(row["name"]).casefold()) for row in rows}


def _is_place(path: Path, known: set[tuple[str, str]]) -> bool:
    """Whether a folder is that of a task a plan knows, above it (its shot), or beside it (the shot's images)."""
    parts = [part.casefold() for part in path.parts]
    owners = {owner for owner, _ in known}
    if any(owner in parts[:-1] and parts[-1] == task for owner, task in known):
        return True
    inside_task = any(
        owner in parts and task in parts[parts.index(owner) + 1 : -1] for owner, task in known if owner in parts
    )
    of_shot = parts[-1] in owners or (parts[-1] in {"scene", "img"} and parts[-2] in owners)
    return inside_task or of_shot or "img" in parts[-3:-1]


def _new_folders(root: Path, since: float) -> Iterator[Path]:
    """Folders that were made since then and hold no other new folder on the way down: where somebody was going."""
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            inner = [one for one in folder.iterdir() if one.is_dir() and not one.is_symlink()]
            fresh = folder != root and folder.stat().st_ctime >= since and not inner
        except OSError:
            continue
        waiting += inner
        if fresh:
            yield folder


# -- lists -----------------------------------------------------------------------------------------------------------


def _compare_lists(plans: _Plans, site: SiteDoor, report: Shadow) -> None:
    names = {name for _, name in plans.items} | {
        found for told in plans.found_on.values() for one in told for found in re.findall(r"is on (.+?) already", one)
    }
    versions = {version for version, _ in plans.items} | plans.found_on.keys()
    entries = _entries(site, names, versions)
    on: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        on[entry["entity_id"]].add(entry["list"])
    for version in sorted(versions):
        wanted = {name for one, name in plans.items if one == version}
        told = " ".join(plans.found_on.get(version, ()))
        lacking = wanted - on[version]
        strange = {name for name in on[version] - wanted if name not in told}
        report.agreed += len(wanted & on[version])
        if lacking or strange:
            run = next((run for (one, _), run in plans.items.items() if one == version), None)
            ours, theirs = ", ".join(sorted(lacking)), ", ".join(sorted(strange))
            # One run may have planned for several versions that came together.
            subject = _version_label(site, version)
            report.differences.append(
                replace(_difference("list", run, ours, theirs), subject=subject)
                if run
                else _strange("list", subject, theirs)
            )
    _double_entries(entries, names, site, report)


def _version_label(site: SiteDoor, version: str) -> str:
    query = "select asset.name, asset.parent.name, version from AssetVersion where id is "
    for row in site.rows(query + quoted(version)):
        return f"{row['asset']['parent']['name']} {row['asset']['name']} v{row['version']:03}"
    return version


def _entries(site: SiteDoor, names: set[str], versions: Iterable[str]) -> list[dict[str, str]]:
    """Entries of the versions on lists of the same kind as the planned ones (their names begin alike)."""
    stems = {re.split(r"\d", name, maxsplit=1)[0] for name in names}
    rows = _by_ids(site, "select id, list_id, entity_id from ListObject where entity_id in {}", versions)
    lists = {
        str(one["id"]): str(one["name"])
        for one in _by_ids(
            site, "select id, name from AssetVersionList where id in {}", {str(row["list_id"]) for row in rows}
        )
    }
    return [
        {"id": str(row["id"]), "entity_id": str(row["entity_id"]), "list": name, "list_id": str(row["list_id"])}
        for row in rows
        if (name := lists.get(str(row["list_id"]), "")) and any(name.startswith(stem) for stem in stems)
    ]


def _double_entries(entries: Sequence[Mapping[str, str]], names: set[str], site: SiteDoor, report: Shadow) -> None:
    """Two lists of one name in a project, or a version twice on one: two servers answered."""
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        mark = entry["entity_id"], entry["list"]
        if mark in seen:
            report.doubles.append(
                _double(f"version {entry['entity_id']}", "", entry["list"], f"again on {entry['list']}")
            )
        seen.add(mark)
    for name in sorted(names):
        rows = site.rows(f"select id, project.name, owner.username from AssetVersionList where name is {quoted(name)}")
        by_project: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            by_project[str(row["project"]["name"])].append(str((row["owner"] or {}).get("username") or "nobody"))
        for project, owners in by_project.items():
            if len(owners) > 1:
                report.doubles.append(_double(name, project, "", f"lists of {', '.join(owners)}"))


def _double(subject: str, project: str, ours: str, theirs: str) -> Difference:
    return Difference("double", subject, project, ours, theirs, handler=_HANDLERS["list"])


# -- statuses --------------------------------------------------------------------------------------------------------


def _compare_statuses(plans: _Plans, site: SiteDoor, since: float, old_user: str, report: Shadow) -> None:
    names = {one.id: one.name for one in site.statuses().values()}
    tasks = {task for task, _ in plans.statuses}
    moment = dt.datetime.fromtimestamp(since - _MARGIN, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    changes: dict[str, list[tuple[str, str]]] = defaultdict(list)
    query = 'select parent_id, status_id, user.username from StatusChange where parent_type is "task" and date > '
    for row in site.rows(f'{query}"{moment}"'):
        user = str((row["user"] or {}).get("username") or "")
        changes[str(row["parent_id"])].append((str(row["status_id"]), user))
    settled: dict[str, str] = defaultdict(str)
    for row in _by_ids(site, "select id, task_id from AssetVersion where id in {}", plans.settled):
        settled[str(row["task_id"])] += "; ".join(plans.settled[str(row["id"])])
    others = {task for task, made in changes.items() if old_user and any(user == old_user for _, user in made)}
    for task in sorted(tasks | others):
        wanted = {status: run for (one, status), run in plans.statuses.items() if one == task}
        seen = {status for status, _ in changes[task]}
        by_old = {status for status, user in changes[task] if old_user and user == old_user}
        lacking = {status: run for status, run in wanted.items() if status not in seen}
        strange = {one for one in by_old - wanted.keys() if f" is {names.get(one)} already" not in settled[task]}
        report.agreed += len(wanted) - len(lacking)
        if lacking or strange:
            run = next(iter((lacking or wanted).values()), None)
            theirs = ", ".join(sorted(names.get(one, one) for one in strange))
            ours = ", ".join(sorted(names.get(one, one) for one in lacking))
            report.differences.append(
                _difference("status", run, ours, theirs) if run else _strange("status", _label(site, task), theirs)
            )


def _label(site: SiteDoor, task: str) -> str:
    rows = site.rows(f'select name, parent.name from Task where id is "{task}"')
    return f"{(rows[0]['parent'] or {}).get('name') or ''} {rows[0]['name']}".strip() if rows else task


# -- queries ---------------------------------------------------------------------------------------------------------


def _by_ids(site: SiteDoor, query: str, ids: Iterable[str]) -> list[dict[str, Any]]:
    """Rows of a query with ``{}`` for a list of ids, asked in chunks; none for no ids."""
    return [row for some in chunks(sorted(set(ids)), _IDS) for row in site.rows(query.format(id_list(some)))]
