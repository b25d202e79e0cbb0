"""Add version to list: the cases of its list, each by name."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading
from zoneinfo import ZoneInfo

import pytest
from production import Production

from app.engine.protocol import Change, PlanError
from app.handlers.add_version_to_list import AddVersionToList
from app.settings.store import SettingsError, SettingsStore
from app.site.types import SiteRefusal

HANDLER = AddVersionToList()
PENDING = "Pending Internal Review"
NAIROBI = ZoneInfo("Africa/Nairobi")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(autouse=True)
def studio_in_nairobi(show: Production) -> None:
    show.settings.set("studio", "time_zone", "Africa/Nairobi")


def local(text: str, zone: ZoneInfo = NAIROBI) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone)


def pending(show: Production, at: dt.datetime, version: str = "") -> Change:
    version = version or show.version(show.shot(), status="In progress")
    return show.set_status("AssetVersion", version, PENDING, at=at)


def lists(show: Production) -> dict[str, list[str]]:
    """Name of each of the project's lists to the versions on it."""
    rows = show.site.rows(f'select id, name from AssetVersionList where project_id is "{show.project}"')
    return {row["name"]: items(show, row["id"]) for row in rows}


def items(show: Production, list_id: str) -> list[str]:
    return sorted(
        row["entity_id"] for row in show.site.rows(f'select entity_id from ListObject where list_id is "{list_id}"')
    )


def test_a_version_at_ten_sharp_goes_to_tomorrows_list(show: Production) -> None:
    change = pending(show, local("2026-11-23T10:00:00"))
    show.run(HANDLER, change)
    assert lists(show) == {"Dailies_2026-11-24": [change.entity_id]}


def test_a_version_a_second_before_ten_goes_to_todays_list(show: Production) -> None:
    change = pending(show, local("2026-11-23T09:59:59"))
    show.run(HANDLER, change)
    assert lists(show) == {"Dailies_2026-11-23": [change.entity_id]}


def test_the_list_is_in_reviews_and_owned_by_the_server(show: Production) -> None:
    show.run(HANDLER, pending(show, local("2026-11-23T09:00:00")))
    row = show.one(
        f'select category.name, owner.username, is_open from AssetVersionList where project_id is "{show.project}"'
    )
    assert (row["category"]["name"], row["owner"]["username"], row["is_open"]) == ("Reviews", show.user, True)


def test_a_list_that_exists_is_used(show: Production) -> None:
    existing = show.make(
        "AssetVersionList",
        name="Dailies_2026-11-23",
        project_id=show.project,
        category_id=show.named("ListCategory", "Reviews"),
    )
    change = pending(show, local("2026-11-23T09:00:00"))
    show.run(HANDLER, change)
    assert items(show, existing) == [change.entity_id]
    assert len(lists(show)) == 1


def test_a_list_created_by_someone_else_at_the_same_moment_makes_the_run_plan_again(show: Production) -> None:
    change = pending(show, local("2026-11-23T09:00:00"))
    plan = show.plan(HANDLER, change)
    other = show.make(
        "AssetVersionList",
        name="Dailies_2026-11-23",
        project_id=show.project,
        category_id=show.named("ListCategory", "Reviews"),
    )
    with pytest.raises(AssertionError, match="made by someone else meanwhile"):
        show.apply(plan)
    show.run(HANDLER, change)
    assert items(show, other) == [change.entity_id]
    assert len(lists(show)) == 1


def test_a_list_in_a_different_category_is_used_with_a_warning_or_not_at_all(show: Production) -> None:
    other = show.make(
        "AssetVersionList",
        name="Dailies_2026-11-23",
        project_id=show.project,
        category_id=show.named("ListCategory", "Editorial"),
    )
    first = pending(show, local("2026-11-23T09:00:00"))
    done = show.run(HANDLER, first)
    assert items(show, other) == [first.entity_id]
    assert any("category 'Editorial'" in warning for warning in done.plan.warnings)
    show.set(HANDLER, other_category="make")
    second = pending(show, local("2026-11-23T09:00:00"))
    show.run(HANDLER, second)
    rows = show.site.rows(
        f'select id from AssetVersionList where project_id is "{show.project}" and category.name is "Reviews"'
    )
    assert [items(show, row["id"]) for row in rows] == [[second.entity_id]]


def test_a_closed_list_is_reported_unless_the_setting_adds_all_the_same(show: Production) -> None:
    closed = show.make(
        "AssetVersionList",
        name="Dailies_2026-11-23",
        project_id=show.project,
        category_id=show.named("ListCategory", "Reviews"),
        is_open=False,
    )
    change = pending(show, local("2026-11-23T09:00:00"))
    done = show.run(HANDLER, change)
    assert done.outcomes == ["failed"]
    assert "closed: open it" in done.reason
    assert items(show, closed) == []
    show.set(HANDLER, closed_list="add")
    show.run(HANDLER, change)
    assert items(show, closed) == [change.entity_id]


def test_a_version_already_on_the_list_is_not_added_again(show: Production) -> None:
    change = pending(show, local("2026-11-23T09:00:00"))
    show.run(HANDLER, change)
    again = show.run(HANDLER, change)
    assert again.outcomes == ["already"]
    assert again.plan.effects == ()
    assert lists(show) == {"Dailies_2026-11-23": [change.entity_id]}


def test_two_versions_of_an_asset_on_one_day_are_both_kept(show: Production) -> None:
    first, second = two_versions(show)
    show.run(HANDLER, pending(show, local("2026-11-23T09:00:00"), first))
    show.run(HANDLER, pending(show, local("2026-11-23T09:30:00"), second))
    assert lists(show) == {"Dailies_2026-11-23": sorted([first, second])}


def two_versions(show: Production) -> tuple[str, str]:
    shot = show.shot()
    asset = show.make("Asset", name="comp", context_id=shot, type_id=show.named("AssetType", "Upload"))
    return (
        show.version(shot, asset=asset, status="In progress"),
        show.version(shot, asset=asset, status="In progress"),
    )


def test_replace_older_leaves_the_newest_version_of_an_asset(show: Production) -> None:
    show.set(HANDLER, replace_older=True)
    first, second = two_versions(show)
    show.run(HANDLER, pending(show, local("2026-11-23T09:00:00"), first))
    show.run(HANDLER, pending(show, local("2026-11-23T09:30:00"), second))
    assert lists(show) == {"Dailies_2026-11-23": [second]}
    late = show.run(
        HANDLER, show.change("AssetVersion", first, "update", {"statusid": ("x", show.named("Status", PENDING))})
    )
    assert late.outcomes == ["skipped"]
    assert lists(show) == {"Dailies_2026-11-23": [second]}


def test_nothing_leaves_the_list_for_a_version_that_does_not_come_onto_it(show: Production) -> None:
    first, third = two_versions(show)
    asset = show.one(f'select asset_id from AssetVersion where id is "{first}"')["asset_id"]
    second, third = third, show.version(show.shot("001_0090"), asset=asset, status="In progress")
    for one in (third, first):
        show.run(HANDLER, pending(show, local("2026-11-23T09:00:00"), one))
    show.set(HANDLER, replace_older=True)
    late = show.run(HANDLER, pending(show, local("2026-11-23T09:30:00"), second))
    assert late.outcomes == ["skipped"]
    assert lists(show) == {"Dailies_2026-11-23": sorted([first, third])}


def test_replace_older_within_one_batch(show: Production) -> None:
    show.set(HANDLER, replace_older=True)
    first, second = two_versions(show)
    changes = [pending(show, local("2026-11-23T09:00:00"), one) for one in (first, second)]
    show.run(HANDLER, *changes)
    assert lists(show) == {"Dailies_2026-11-23": [second]}


def test_a_version_without_a_task_goes_on_the_list(show: Production) -> None:
    change = pending(show, local("2026-11-23T09:00:00"), show.version(show.shot(), task=None, status="In progress"))
    show.run(HANDLER, change)
    assert lists(show) == {"Dailies_2026-11-23": [change.entity_id]}


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        # Berlin's clocks go back on 25 October 2026: ten is ten by the wall, an hour later in UTC than the day before.
        ("2026-10-25T09:59:59", "2026-10-25"),
        ("2026-10-25T10:00:00", "2026-10-26"),
        ("2026-10-24T09:59:59", "2026-10-24"),
        # and forward on 29 March 2026.
        ("2026-03-29T09:59:59", "2026-03-29"),
        ("2026-03-29T10:00:00", "2026-03-30"),
    ],
)
def test_the_cut_off_stays_at_ten_when_the_clocks_change(show: Production, moment: str, day: str) -> None:
    show.settings.set("studio", "time_zone", "Europe/Berlin")
    change = pending(show, local(moment, BERLIN))
    show.run(HANDLER, change)
    assert lists(show) == {f"Dailies_{day}": [change.entity_id]}


@pytest.mark.parametrize("written", ["25:99", "ten", ""])
def test_a_cut_off_that_is_no_time_is_named_with_the_way_to_write_it(show: Production, written: str) -> None:
    show.settings.path.write_text(f'[handlers.add_version_to_list]\ncut_off = "{written}"\n')
    with pytest.raises(SettingsError, match=rf"cut_off: '{written}' is not a time of day: write it like 10:00"):
        SettingsStore(show.settings.path).section("handlers.add_version_to_list", HANDLER.settings_model)


@pytest.mark.parametrize("server_zone", ["America/Los_Angeles", "Asia/Tokyo"])
def test_the_studios_time_zone_decides_not_the_servers(
    show: Production, monkeypatch: pytest.MonkeyPatch, server_zone: str
) -> None:
    import time

    monkeypatch.setenv("TZ", server_zone)
    time.tzset()
    try:
        change = pending(show, local("2026-11-23T09:59:59"))
        show.run(HANDLER, change)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert lists(show) == {"Dailies_2026-11-23": [change.entity_id]}


def test_friday_evening_is_mondays_where_weekends_are_skipped(show: Production) -> None:
    friday = local("2026-11-27T18:00:00")
    change = pending(show, friday)
    show.run(HANDLER, change)
    assert list(lists(show)) == ["Dailies_2026-11-28"]
    show.set(HANDLER, skip_weekends=True)
    change = pending(show, friday)
    show.run(HANDLER, change)
    assert lists(show)["Dailies_2026-11-30"] == [change.entity_id]


def test_holidays_are_skipped_where_the_setting_says_so(show: Production) -> None:
    show.settings.set("studio", "holidays", [dt.date(2026, 11, 24), dt.date(2026, 11, 25)])
    show.set(HANDLER, skip_holidays=True)
    show.run(HANDLER, pending(show, local("2026-11-23T11:00:00")))
    assert list(lists(show)) == ["Dailies_2026-11-26"]


def test_an_event_a_day_late_lands_on_the_day_it_happened(show: Production) -> None:
    change = pending(show, local("2026-11-22T09:15:00"))
    late = dataclasses.replace(change, received=local("2026-11-23T14:00:00"))
    show.clock.fixed = local("2026-11-23T14:00:00")
    show.run(HANDLER, late)
    assert lists(show) == {"Dailies_2026-11-22": [change.entity_id]}


def test_without_a_record_of_the_change_the_receipt_counts_and_is_marked(show: Production) -> None:
    version = show.version(show.shot(), status=PENDING)
    change = show.change("AssetVersion", version, "update", {"statusid": ("gone", show.named("Status", PENDING))})
    change = dataclasses.replace(change, received=local("2026-11-23T08:00:00"))
    done = show.run(HANDLER, change)
    assert lists(show) == {"Dailies_2026-11-23": [version]}
    assert any("time of receipt" in warning for warning in done.plan.warnings)


def test_a_version_created_with_the_status_counts_from_its_own_date(show: Production) -> None:
    when = local("2026-11-20T09:00:00").astimezone(dt.UTC)
    version = show.version(
        show.shot(), status=PENDING, date={"__type__": "datetime", "value": when.strftime("%Y-%m-%dT%H:%M:%S")}
    )
    show.run(HANDLER, show.added("AssetVersion", version))
    assert lists(show) == {"Dailies_2026-11-20": [version]}


def test_a_category_missing_on_the_site_is_made_or_named(show: Production) -> None:
    category = f"Dailies of {show.name}"
    show.set(HANDLER, category=category, make_category=False)
    change = pending(show, local("2026-11-23T09:00:00"))
    with pytest.raises(PlanError, match="no list category"):
        show.plan(HANDLER, change)
    show.set(HANDLER, make_category=True)
    show.run(HANDLER, change)
    row = show.one(f'select category.name from AssetVersionList where project_id is "{show.project}"')
    assert row["category"]["name"] == category


def test_status_names_are_compared_without_case(show: Production) -> None:
    show.set(HANDLER, statuses=["pending internal REVIEW"])
    change = pending(show, local("2026-11-23T09:00:00"))
    show.run(HANDLER, change)
    assert lists(show) == {"Dailies_2026-11-23": [change.entity_id]}


def test_a_project_that_is_not_on_the_allow_list_has_no_dailies(show: Production) -> None:
    show.set(HANDLER, projects=["another_show"])
    change = pending(show, local("2026-11-23T09:00:00"))
    done = show.run(HANDLER, change)
    assert done.outcomes == ["skipped"]
    assert "has no dailies" in done.reason
    show.set(HANDLER, projects=[show.name.upper()])
    show.run(HANDLER, change)
    assert list(lists(show)) == ["Dailies_2026-11-23"]


def test_a_status_removed_again_takes_the_version_off_where_the_setting_says_so(show: Production) -> None:
    change = pending(show, local("2026-11-23T09:00:00"))
    show.run(HANDLER, change)
    back = show.set_status("AssetVersion", change.entity_id, "Review Changes")
    assert show.run(HANDLER, back).outcomes == ["skipped"]
    assert lists(show) == {"Dailies_2026-11-23": [change.entity_id]}
    show.set(HANDLER, take_off=True)
    show.run(HANDLER, back)
    assert lists(show) == {"Dailies_2026-11-23": []}
    assert show.run(HANDLER, back).outcomes == ["already"]


def test_another_status_is_not_for_the_list(show: Production) -> None:
    change = show.set_status("AssetVersion", show.version(show.shot(), status="In progress"), "Approved")
    assert show.run(HANDLER, change).outcomes == ["skipped"]
    assert lists(show) == {}


def test_two_hundred_versions_at_once_are_one_list_in_one_batch(show: Production) -> None:
    changes = bulk(show, 200)
    assert len(changes) <= HANDLER.batch
    plan = show.plan(HANDLER, *changes)
    assert [effect.kind for effect in plan.effects].count("create") == 201
    show.apply(plan)
    assert lists(show) == {"Dailies_2026-11-24": sorted(change.entity_id for change in changes)}


def bulk(show: Production, count: int) -> list[Change]:
    shot = show.shot()
    versions = show.versions(shot, count)
    new, old = show.named("Status", PENDING), show.named("Status", "In progress")
    show.site.call(
        [
            {
                "action": "update",
                "entity_type": "AssetVersion",
                "entity_key": [version],
                "entity_data": {"__entity_type__": "AssetVersion", "status_id": new},
            }
            for version in versions
        ]
    )
    when = local("2026-11-23T16:00:00").astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    rows = show.site.rows(f'select id, parent_id from StatusChange where status_id is "{new}"')
    show.site.call(
        [
            {
                "action": "update",
                "entity_type": "StatusChange",
                "entity_key": [row["id"]],
                "entity_data": {"__entity_type__": "StatusChange", "date": {"__type__": "datetime", "value": when}},
            }
            for row in rows
            if row["parent_id"] in set(versions)
        ]
    )
    chain = show.added("AssetVersion", versions[0])
    return [
        dataclasses.replace(
            chain,
            event_id=f"{chain.event_id}-{number}",
            index=number,
            action="update",
            entity_id=version,
            changes={"statusid": (old, new)},
        )
        for number, version in enumerate(versions)
    ]


def test_eight_workers_that_plan_and_commit_together_make_one_list(show: Production) -> None:
    changes = bulk(show, 40)
    begin = threading.Barrier(8)
    failed: list[str] = []

    def work(share: list[Change]) -> None:
        door = show.open_site()
        begin.wait(30)
        for _ in range(6):
            plan = show.plan(HANDLER, *share, site=door)
            try:
                show.apply(plan, door)
                return
            except (AssertionError, SiteRefusal):
                continue  # somebody else's list: plan again, as the engine does
        failed.append(share[0].entity_id)

    workers = [threading.Thread(target=work, args=(changes[number::8],)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not failed
    assert lists(show) == {"Dailies_2026-11-24": sorted(change.entity_id for change in changes)}


def test_a_deleted_version_is_skipped_and_the_others_of_its_batch_are_not(show: Production) -> None:
    gone = pending(show, local("2026-11-23T09:00:00"))
    stays = pending(show, local("2026-11-23T09:00:00"))
    show.delete("AssetVersion", gone.entity_id)
    done = show.run(HANDLER, gone, stays)
    assert [(note.entity_id, note.outcome) for note in done.notes] == [(gone.entity_id, "skipped")]
    assert lists(show) == {"Dailies_2026-11-23": [stays.entity_id]}


def test_catch_up_finds_status_changes_and_versions_created_with_the_status(show: Production) -> None:
    since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=5)
    changed = show.set_status("AssetVersion", show.version(show.shot(), status="In progress"), PENDING)
    created = show.version(show.shot("001_0020"), status=PENDING)
    other = show.set_status("AssetVersion", show.version(show.shot("001_0030"), status="In progress"), "Approved")
    found = {one.entity_id: one for one in HANDLER.catch_up(show.context(HANDLER), since)}
    assert changed.entity_id in found
    assert created in found
    assert other.entity_id not in found
    assert all(HANDLER.wants(one) and one.occurred is not None for one in found.values())
    assert HANDLER.key(found[created]) == f"dailies:{show.project}"
    # A project's own status is not missed.
    show.set(HANDLER, project=show.name, statuses=["Approved"])
    assert other.entity_id in {one.entity_id for one in HANDLER.catch_up(show.context(HANDLER), since)}
