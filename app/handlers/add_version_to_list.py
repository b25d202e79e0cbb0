"""Add version to list: a version that waits for internal review goes on the right day's dailies list."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from app.effects.ftrack import CreateEntity, DeleteEntity
from app.effects.job_setting import JobSetting, WithJobs, jobs_setting
from app.engine.protocol import (
    Change,
    Context,
    Effect,
    Expect,
    Handler,
    Note,
    Occasion,
    Plan,
    PlanError,
    natural_id,
)
from app.handlers.common import (
    STATUS_KEY,
    TimeOfDay,
    added_since,
    folded,
    id_list,
    moment_of,
    occasion,
    of_all_projects,
    project_id_of,
    quoted,
    reached_status,
    status_changes_since,
    studio,
    version_words,
)
from app.rules.dailies import dailies_day, parse_cut_off, zone
from app.rules.templates import render_text, template_with
from app.rules.versions import version_label
from app.settings.models import setting

__all__ = ["AddVersionToList", "AddVersionToListSettings"]


class AddVersionToListSettings(WithJobs):
    """Defaults are the studio's rules. The time zone and the holidays are the studio's (section ``studio``)."""

    statuses: list[str] = setting(
        ["Pending Internal Review"],
        "A version that gets one of these statuses goes on the list (compared without case).",
        per_project=True,
        widget="statuses",
    )
    list_name: Annotated[str, template_with("day", "year", "month", "day_of_month", "weekday", "project")] = setting(
        "Dailies_{{ day }}",
        "Name of the list. Known: day (2026-11-22), year, month, day_of_month, weekday, project.",
        per_project=True,
        widget="template",
    )
    category: str = setting("Reviews", "Category of the list.", per_project=True)
    make_category: bool = setting(True, "Make the category where the site has none of this name.")
    cut_off: TimeOfDay = setting(
        "10:00",
        "Before this time of the studio's day the version goes on today's list, from it on the next day's.",
        per_project=True,
    )
    skip_weekends: bool = setting(
        False, "What falls on Saturday or Sunday goes on the next working day's list.", per_project=True
    )
    skip_holidays: bool = setting(
        False, "What falls on a holiday (studio.holidays) goes on the next day's list.", per_project=True
    )
    projects: list[str] = setting([], "Only these projects have dailies; empty: all of them.", widget="projects")
    closed_list: Literal["fail", "add"] = setting(
        "fail", "The day's list was closed: leave it and report, or add the version all the same.", per_project=True
    )
    other_category: Literal["use", "make"] = setting(
        "use",
        "A list of the day's name is in another category: use it (with a warning), or make one of our own.",
        per_project=True,
    )
    replace_older: bool = setting(
        False, "An older version of the same asset leaves the list when a newer one comes.", per_project=True
    )
    take_off: bool = setting(
        False, "A version that loses the status again leaves the list it was put on.", per_project=True
    )
    jobs: list[JobSetting] = jobs_setting(
        "for each version that was put on a list", "parent", "task", "asset", "version", "list", "day (2026-11-22)"
    )


@dataclass(slots=True)
class _Wish:
    """A version that belongs on a day's list."""

    change: Change
    version: Mapping[str, Any]
    day: dt.date
    name: str


@dataclass(slots=True)
class _Draft:
    """A plan in the making."""

    project: Mapping[str, Any]
    settings: AddVersionToListSettings
    effects: list[Effect] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    occasions: list[Occasion] = field(default_factory=list)

    def note(self, change: Change, outcome: Literal["skipped", "already", "failed"], reason: str) -> None:
        self.notes.append(Note(change.entity_id, outcome, reason))


class AddVersionToList(Handler):
    """Plans the list (one for a project and day, whoever makes it) and one item a version."""

    id = "add_version_to_list"
    title = "Add version to list"
    help = "A version that becomes Pending Internal Review goes on the dailies list of its day."
    icon = "list"
    settings_model = AddVersionToListSettings
    batch = 200

    def wants(self, change: Change) -> bool:
        return change.table == "assetversion" and bool(reached_status(change))

    def key(self, change: Change) -> str:
        # The day would need the settings and the site's history; a project's lists are few, and batches are large.
        return f"dailies:{project_id_of(change)}"

    def plan(self, changes: Sequence[Change], ctx: Context) -> Plan:
        listed = _Listed(ctx)
        notes: list[Note] = []
        concerned: list[Change] = []
        for change in changes:
            if listed.puts_on(change) or (ctx.settings.take_off and listed.takes_off(change)):
                concerned.append(change)
            else:
                notes.append(Note(change.entity_id, "skipped", "the new status does not put a version on a list"))
        if not concerned:
            return Plan(notes=tuple(notes))
        versions = _versions(ctx, concerned)
        gone = [change for change in concerned if change.entity_id not in versions]
        notes += [Note(change.entity_id, "skipped", "the version no longer exists on ftrack") for change in gone]
        plan = Plan(notes=tuple(notes))
        for project in _projects(ctx, versions):
            own = [one for one in concerned if versions.get(one.entity_id, {}).get("project_id") == project["id"]]
            plan = _together(plan, _plan_project(own, versions, project, listed, ctx))
        return plan

    def catch_up(self, ctx: Context, since: dt.datetime) -> Iterable[Change]:
        names = of_all_projects(ctx, lambda settings: settings.statuses)
        taken_off = of_all_projects(ctx, lambda settings: ["yes"] if settings.take_off else [])
        yield from status_changes_since(ctx, since, ("assetversion",), None if taken_off else names)
        wanted = folded(names)
        statuses = ctx.site.statuses()
        for change in added_since(ctx, since, "AssetVersion"):
            status = statuses.get(reached_status(change))
            if status is not None and status.name.casefold() in wanted:
                yield change


class _Listed:
    """Which statuses put a version on a list, by id."""

    def __init__(self, ctx: Context) -> None:
        wanted = folded(ctx.settings.statuses)
        self._ids = {one.id for one in ctx.site.statuses().values() if one.name.casefold() in wanted}

    def has(self, status_id: Any) -> bool:
        return status_id in self._ids

    def puts_on(self, change: Change) -> bool:
        return reached_status(change) in self._ids

    def takes_off(self, change: Change) -> bool:
        return change.changes[STATUS_KEY][0] in self._ids and not self.puts_on(change)


def _together(first: Plan, second: Plan) -> Plan:
    return Plan(
        first.effects + second.effects,
        first.notes + second.notes,
        first.warnings + second.warnings,
        occasions=first.occasions + second.occasions,
    )


def _plan_project(
    changes: Sequence[Change],
    versions: Mapping[str, Mapping[str, Any]],
    project: Mapping[str, Any],
    listed: _Listed,
    ctx: Context,
) -> Plan:
    draft = _Draft(project, ctx.handler_settings(project["name"]))
    only = folded(draft.settings.projects)
    if only and str(project["name"]).casefold() not in only:
        for change in changes:
            draft.note(change, "skipped", f"{project['name']} has no dailies (setting projects)")
    elif changes:
        dates = _dates(ctx, changes, listed)
        onto = [change for change in changes if listed.puts_on(change)]
        off = [change for change in changes if listed.takes_off(change)]
        _put_on(_wishes(onto, versions, dates, draft, ctx), draft, ctx)
        _take_off(_wishes(off, versions, dates, draft, ctx, leaving=True), draft, ctx)
    return Plan(tuple(draft.effects), tuple(draft.notes), tuple(draft.warnings), occasions=tuple(draft.occasions))


def _versions(ctx: Context, changes: Sequence[Change]) -> dict[str, dict[str, Any]]:
    rows = ctx.site.rows(
        "select id, version, date, status_id, asset_id, asset.name, asset.parent.name, task.name, project_id "
        "from AssetVersion "
        f"where id in {id_list(change.entity_id for change in changes)}"
    )
    return {row["id"]: row for row in rows}


def _projects(ctx: Context, versions: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The projects of the batch: one, as its key says, unless the events did not tell theirs."""
    ids = sorted({row["project_id"] for row in versions.values() if row.get("project_id")})
    return ctx.site.rows(f"select id, name from Project where id in {id_list(ids)}") if ids else []


def _dates(ctx: Context, changes: Sequence[Change], listed: _Listed) -> dict[str, dt.datetime]:
    """For each version when it last got a status that puts it on a list, as the site's history has it."""
    rows = ctx.site.rows(
        "select id, parent_id, date, status_id from StatusChange "
        f"where parent_id in {id_list(change.entity_id for change in changes)}"
    )
    dates: dict[str, dt.datetime] = {}
    for row in rows:
        moment = moment_of(row["date"])
        if moment is not None and listed.has(row["status_id"]):
            dates[row["parent_id"]] = max(moment, dates.get(row["parent_id"], moment))
    return dates


def _wishes(
    changes: Sequence[Change],
    versions: Mapping[str, Mapping[str, Any]],
    dates: Mapping[str, dt.datetime],
    draft: _Draft,
    ctx: Context,
    *,
    leaving: bool = False,
) -> list[_Wish]:
    wishes: dict[str, _Wish] = {}
    for change in changes:
        version = versions[change.entity_id]
        if draft.settings.take_off and (version["status_id"] != reached_status(change)):
            draft.note(change, "skipped", f"superseded: {version_words(version)} has another status by now")
            continue
        if change.entity_id in wishes:
            draft.note(change, "already", "the same version came twice in this batch")
            continue
        day = _day(_moment(change, version, dates, draft, leaving=leaving), draft, ctx)
        wishes[change.entity_id] = _Wish(change, version, day, _list_name(draft, day))
    return list(wishes.values())


def _moment(
    change: Change, version: Mapping[str, Any], dates: Mapping[str, dt.datetime], draft: _Draft, *, leaving: bool
) -> dt.datetime:
    """When it happened: the newest StatusChange, for an added version its own date, else the receipt."""
    if change.entity_id in dates:
        return dates[change.entity_id]
    own = moment_of(version.get("date"))
    if (change.action == "add" or leaving) and own is not None:
        return own
    if change.occurred is not None:
        return change.occurred
    draft.warnings.append(
        f"{version_words(version)}: ftrack has no record of when the status changed, the time of receipt is used"
    )
    return change.received


def _day(moment: dt.datetime, draft: _Draft, ctx: Context) -> dt.date:
    place = studio(ctx, draft.project["name"])
    return dailies_day(
        moment,
        cut_off=parse_cut_off(draft.settings.cut_off),
        tz=zone(place.time_zone),
        skip_weekends=draft.settings.skip_weekends,
        holidays=frozenset(place.holidays) if draft.settings.skip_holidays else frozenset(),
    )


def _list_name(draft: _Draft, day: dt.date) -> str:
    name = render_text(
        draft.settings.list_name,
        {
            "day": day.isoformat(),
            "year": f"{day.year:04d}",
            "month": f"{day.month:02d}",
            "day_of_month": f"{day.day:02d}",
            "weekday": day.strftime("%A"),
            "project": draft.project["name"],
        },
    ).strip()
    if not name:
        raise PlanError(f"The list name template {draft.settings.list_name!r} gives an empty name.")
    return name


def _put_on(wishes: Sequence[_Wish], draft: _Draft, ctx: Context) -> None:
    if not wishes:
        return
    lists = _lists(ctx, draft, {wish.name for wish in wishes})
    items = _items(ctx, [one["id"] for one in lists.values()], [wish.change.entity_id for wish in wishes])
    for name in sorted({wish.name for wish in wishes}):
        day_wishes = [wish for wish in wishes if wish.name == name]
        found = lists.get(name)
        if found is not None and found.get("is_open") is False and draft.settings.closed_list == "fail":
            for wish in day_wishes:
                draft.note(
                    wish.change,
                    "failed",
                    f"the list {name} is closed: open it and replay the event, or set closed_list to add",
                )
            continue
        missing = [wish for wish in day_wishes if not found or (found["id"], wish.change.entity_id) not in items]
        for wish in day_wishes:
            if wish not in missing:
                draft.note(wish.change, "already", f"{version_words(wish.version)} is on {name} already")
        missing = _newest_of_each(missing, found, draft, ctx) if draft.settings.replace_older else missing
        if missing and found is None:
            draft.effects.append(_new_list(name, draft, ctx))
        draft.effects += _new_items(name, missing, found, draft, ctx)
        draft.occasions += [_occasion(wish, draft) for wish in missing]


def _lists(ctx: Context, draft: _Draft, names: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """The project's lists of these names; of several the one in our category, open before closed."""
    rows = ctx.site.rows(
        "select id, name, is_open, category.name from AssetVersionList "
        f"where project_id is {quoted(draft.project['id'])} and name in {id_list(sorted(names))}"
    )
    ours = draft.settings.category.casefold()

    def category(row: Mapping[str, Any]) -> str:
        return str((row.get("category") or {}).get("name") or "")

    if draft.settings.other_category == "make":
        rows = [row for row in rows if category(row).casefold() == ours]
    rows.sort(key=lambda row: (category(row).casefold() != ours, row.get("is_open") is False, row["id"]), reverse=True)
    found: dict[str, Mapping[str, Any]] = {row["name"]: row for row in rows}  # the best comes last and stays
    for row in found.values():
        if category(row).casefold() != ours:
            draft.warnings.append(
                f"the list {row['name']} is in the category {category(row)!r} and is used all the same"
            )
    return found


def _items(ctx: Context, list_ids: Sequence[str], version_ids: Sequence[str]) -> dict[tuple[str, str], str]:
    """(list, version) to the id of the item, as far as they are there."""
    if not list_ids:
        return {}
    rows = ctx.site.rows(
        f"select id, list_id, entity_id from ListObject where list_id in {id_list(list_ids)} "
        f"and entity_id in {id_list(version_ids)}"
    )
    return {(row["list_id"], row["entity_id"]): row["id"] for row in rows}


def _newest_of_each(
    missing: Sequence[_Wish], found: Mapping[str, Any] | None, draft: _Draft, ctx: Context
) -> list[_Wish]:
    """Those of ``missing`` that go on the list: of each asset the newest version, and only if the list has no newer.

    Older versions leave the list when one goes on.
    """
    coming: dict[str, int] = {}
    for wish in missing:
        coming[wish.version["asset_id"]] = max(coming.get(wish.version["asset_id"], 0), wish.version["version"] or 0)
    newest = dict(coming)
    if found is not None and missing:
        on_list = ctx.site.rows(
            f"select id, asset_id, asset.name, version from AssetVersion where lists any (id is {quoted(found['id'])}) "
            f"and asset_id in {id_list(coming)}"
        )
        for row in on_list:
            newest[row["asset_id"]] = max(newest[row["asset_id"]], row["version"] or 0)
        older = [row for row in on_list if (row["version"] or 0) < newest[row["asset_id"]] == coming[row["asset_id"]]]
        items = _items(ctx, [found["id"]], [row["id"] for row in older]) if older else {}
        draft.effects += [
            _off(items[found["id"], row["id"]], row, found["name"], "a newer version of the asset comes")
            for row in older
            if (found["id"], row["id"]) in items
        ]
    kept: list[_Wish] = []
    for wish in missing:
        if (wish.version["version"] or 0) < newest[wish.version["asset_id"]]:
            draft.note(wish.change, "skipped", f"a newer version than {version_words(wish.version)} is on {wish.name}")
        else:
            kept.append(wish)
    return kept


def _new_list(name: str, draft: _Draft, ctx: Context) -> CreateEntity:
    project_id = draft.project["id"]
    return CreateEntity(
        slot=f"list-{name}",
        reason=f"{draft.project['name']} has no list {name} yet",
        entity_type="AssetVersionList",
        id=_list_id(name, draft, ctx),
        values={
            "name": name,
            "project_id": project_id,
            "category_id": _category(draft, ctx),
            "user_id": ctx.site.own_user_id(),
            "system_type": "assetversion",
            "is_open": True,
        },
        label=f"{draft.project['name']} / {name}",
        unless=_same_list(name, draft),
        expects=(Expect("Project", project_id, "exists", True),),
    )


def _same_list(name: str, draft: _Draft) -> str:
    query = f"AssetVersionList where project_id is {quoted(draft.project['id'])} and name is {quoted(name)}"
    if draft.settings.other_category == "make":
        query += f" and category.name is {quoted(draft.settings.category)}"
    return query


def _category(draft: _Draft, ctx: Context) -> str:
    """The category's id; where the site has none, that of the one an effect makes."""
    wanted = draft.settings.category
    for row in ctx.site.rows("select id, name from ListCategory"):
        if str(row["name"]).casefold() == wanted.casefold():
            return str(row["id"])
    if not draft.settings.make_category:
        raise PlanError(
            f"ftrack has no list category {wanted!r}: make it in the system settings, or set make_category here."
        )
    category_id = natural_id(ctx.site.server, "list-category", wanted.casefold())
    slot = "category"
    if not any(effect.slot == slot for effect in draft.effects):
        draft.effects.append(
            CreateEntity(
                slot=slot,
                reason=f"ftrack has no list category {wanted!r}",
                entity_type="ListCategory",
                id=category_id,
                values={"name": wanted},
                label=wanted,
                unless=f"ListCategory where name is {quoted(wanted)}",
            )
        )
    return category_id


def _new_items(
    name: str, wishes: Sequence[_Wish], found: Mapping[str, Any] | None, draft: _Draft, ctx: Context
) -> list[Effect]:
    list_id = str(found["id"]) if found is not None else _list_id(name, draft, ctx)
    # One question for all of them: did anybody put one of these on the list since it was read?
    versions = id_list(wish.change.entity_id for wish in wishes)
    unless = f"ListObject where list_id is {quoted(list_id)} and entity_id in {versions}"
    return [
        CreateEntity(
            slot=f"item-{name}-{wish.change.entity_id}",
            reason=f"it became {' or '.join(draft.settings.statuses)} in time for {wish.day.isoformat()}",
            entity_id=wish.change.entity_id,
            entity_type="ListObject",
            id=natural_id(ctx.site.server, list_id, "item", wish.change.entity_id),
            values={"list_id": list_id, "entity_id": wish.change.entity_id},
            label=f"{version_words(wish.version)} on {name}",
            unless=unless,
            expects=(Expect("AssetVersion", wish.change.entity_id, "exists", True),),
        )
        for wish in wishes
    ]


def _occasion(wish: _Wish, draft: _Draft) -> Occasion:
    asset = wish.version.get("asset") or {}
    return occasion(
        AddVersionToList.id,
        wish.change,
        f"{version_words(wish.version)} on {wish.name}",
        project=draft.project["name"],
        parent=(asset.get("parent") or {}).get("name") or "",
        task=(wish.version.get("task") or {}).get("name") or "",
        asset=asset.get("name") or "",
        version=version_label(int(wish.version.get("version") or 0)),
        list=wish.name,
        day=wish.day.isoformat(),
    )


def _list_id(name: str, draft: _Draft, ctx: Context) -> str:
    return natural_id(ctx.site.server, draft.project["id"], "dailies", name)


def _off(item_id: str, version: Mapping[str, Any], name: str, reason: str) -> DeleteEntity:
    return DeleteEntity(
        slot=f"off-{item_id}",
        reason=reason,
        entity_id=version["id"],
        entity_type="ListObject",
        id=item_id,
        label=f"{version_words(version)} on {name}",
        expects=(Expect("ListObject", item_id, "exists", True),),
    )


def _take_off(wishes: Sequence[_Wish], draft: _Draft, ctx: Context) -> None:
    if not wishes:
        return
    lists = _lists(ctx, draft, {wish.name for wish in wishes})
    items = _items(ctx, [one["id"] for one in lists.values()], [wish.change.entity_id for wish in wishes])
    for wish in wishes:
        found = lists.get(wish.name)
        item = items.get((found["id"], wish.change.entity_id)) if found else None
        if item is None:
            draft.note(wish.change, "already", f"{version_words(wish.version)} is not on {wish.name}")
        else:
            draft.effects.append(_off(item, wish.version, wish.name, "it lost the status that put it there"))
