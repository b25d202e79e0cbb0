"""Status handler: the cases of its list, each by name."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from production import Production

from app.engine.protocol import Change, Later, PlanError
from app.handlers.status_handler import StatusHandler
from app.settings.store import SettingsError
from app.slack import SlackLater, SlackRefused

HANDLER = StatusHandler()
LIGHTING, COMP = "Ready for Lighting", "Ready for Comp"


@dataclasses.dataclass
class Shot:
    """A shot with the tasks that hand over to each other."""

    id: str
    animation: str
    lighting: str
    compositing: str


@pytest.fixture
def shot(show: Production) -> Shot:
    shot = show.shot()
    return Shot(shot, *(show.task(shot, kind) for kind in ("Animation", "Lighting", "Compositing")))


def assign(show: Production, task: str, *usernames: str) -> None:
    for name in usernames:
        show.make("Appointment", type="assignment", context_id=task, resource_id=user(show, name))


def user(show: Production, username: str) -> str:
    return str(show.one(f'select id from User where username is "{username}"')["id"])


def sent(show: Production) -> list[str]:
    return [message.channel for message in show.messages()]


def test_an_animation_task_that_is_ready_tells_those_assigned_to_lighting(show: Production, shot: Shot) -> None:
    assign(show, shot.lighting, "hugo.lefevre")
    show.run(HANDLER, show.set_status("Task", shot.animation, LIGHTING))
    (message,) = show.messages()
    assert message.channel == "U00000001"
    assert message.text.startswith(f"Project: {show.name}\nShot: 001_0010\nReady for Lighting")


def test_a_lighting_task_that_is_ready_tells_those_of_compositing(show: Production, shot: Shot) -> None:
    assign(show, shot.compositing, "kenji.morita")
    show.run(HANDLER, show.set_status("Task", shot.lighting, COMP))
    assert sent(show) == ["U00000003"]


def test_its_version_counts_like_the_task(show: Production, shot: Shot) -> None:
    assign(show, shot.lighting, "hugo.lefevre")
    show.run(HANDLER, show.set_status("AssetVersion", show.version(shot.id, shot.animation), LIGHTING))
    assert sent(show) == ["U00000001"]


@pytest.mark.parametrize(("task", "status"), [("lighting", LIGHTING), ("animation", COMP), ("compositing", COMP)])
def test_no_other_task_types_trigger_it(show: Production, shot: Shot, task: str, status: str) -> None:
    done = show.run(HANDLER, show.set_status("Task", getattr(shot, task), status))
    assert done.outcomes == ["skipped"]
    assert show.messages() == []


def test_a_status_that_is_announced_to_nobody_needs_no_read(
    show: Production, shot: Shot, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = show.set_status("Task", shot.animation, "Approved")
    show.plan(HANDLER, change)
    reads: list[str] = []
    rows = show.site.rows
    monkeypatch.setattr(show.site, "rows", lambda expression: reads.append(expression) or rows(expression))
    assert "announced to nobody" in show.plan(HANDLER, change).notes[0].reason
    assert reads == []


def test_a_version_whose_status_also_sets_its_task_is_one_transition(show: Production, shot: Shot) -> None:
    assign(show, shot.lighting, "hugo.lefevre", "sana.malik")
    version = show.version(shot.id, shot.animation)
    start = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
    first = show.set_status("AssetVersion", version, LIGHTING, at=start)
    # The task follows an hour late: the server was down meanwhile.
    second = show.set_status("Task", shot.animation, LIGHTING, at=start + dt.timedelta(hours=1))
    changes = [dataclasses.replace(one, received=start + dt.timedelta(hours=1)) for one in (first, second)]
    for change in (*changes, *changes):
        show.run(HANDLER, change)
    assert sorted(sent(show)) == ["U00000001", "U00000002"]


def test_who_is_assigned_before_the_task_follows_its_version_is_told_then_and_nobody_twice(
    show: Production, shot: Shot
) -> None:
    assign(show, shot.lighting, "hugo.lefevre")
    version = show.version(shot.id, shot.animation)
    # Clear of the version's creation, which is a step of its history too.
    ready = show.clock.now() + dt.timedelta(minutes=1)
    show.run(HANDLER, show.set_status("AssetVersion", version, LIGHTING, at=ready))
    assign(show, shot.lighting, "sana.malik")
    assert sent(show) == ["U00000001"], "being assigned announces nothing by itself"
    follows = show.set_status("Task", shot.animation, LIGHTING, at=ready + dt.timedelta(minutes=10))
    for _ in range(2):
        show.run(HANDLER, follows)
    assert sent(show) == ["U00000001", "U00000002"]


def test_a_second_transition_days_later_is_told_again(show: Production, shot: Shot) -> None:
    assign(show, shot.lighting, "hugo.lefevre")
    now = dt.datetime.now(dt.UTC)
    show.run(HANDLER, show.set_status("Task", shot.animation, LIGHTING, at=now - dt.timedelta(hours=3)))
    show.set_status("Task", shot.animation, "In progress", at=now - dt.timedelta(hours=2))
    show.run(HANDLER, show.set_status("Task", shot.animation, LIGHTING, at=now - dt.timedelta(hours=1)))
    assert len(sent(show)) == 2


def test_several_assignees_get_a_message_each(show: Production, shot: Shot) -> None:
    assign(show, shot.compositing, "kenji.morita", "ruth.abara")
    show.run(HANDLER, show.set_status("Task", shot.lighting, COMP))
    assert sorted(sent(show)) == ["U00000003", "U00000004"]


def test_an_assigned_group_is_expanded(show: Production, shot: Shot) -> None:
    group = show.one('select id from Group where name is "Lighting team"')["id"]
    show.make("Appointment", type="assignment", context_id=shot.lighting, resource_id=group)
    show.run(HANDLER, show.set_status("Task", shot.animation, LIGHTING))
    assert sorted(sent(show)) == ["U00000001", "U00000002"]


def test_a_group_within_a_group_is_expanded_too(show: Production, shot: Shot) -> None:
    outer = show.make("Group", name=f"outer {show.name}", local=True)
    inner = show.make("Group", name=f"inner {show.name}", local=True, parent_id=outer)
    show.make("Membership", group_id=inner, user_id=user(show, "sana.malik"))
    show.make("Appointment", type="assignment", context_id=shot.lighting, resource_id=outer)
    show.run(HANDLER, show.set_status("Task", shot.animation, LIGHTING))
    assert sent(show) == ["U00000002"]


def test_inactive_people_are_not_written_to(show: Production, shot: Shot) -> None:
    assign(show, shot.lighting, "nils.berg", "hugo.lefevre")
    show.run(HANDLER, show.set_status("Task", shot.animation, LIGHTING))
    assert sent(show) == ["U00000001"]


def test_a_deleted_person_is_missed_by_nobody(show: Production, shot: Shot) -> None:
    gone = f"gone.{uuid.uuid4().hex[:8]}"
    person = show.make("User", username=gone, email=f"{gone}@studio.example", is_active=True)
    assign(show, shot.lighting, gone, "hugo.lefevre")
    change = show.set_status("Task", shot.animation, LIGHTING)
    show.delete("User", person)
    show.run(HANDLER, change)
    assert sent(show) == ["U00000001"]


def test_only_inactive_people_assigned_means_the_projects_channel(show: Production, shot: Shot) -> None:
    assign(show, shot.lighting, "nils.berg")
    done = show.run(HANDLER, show.set_status("Task", shot.animation, LIGHTING))
    assert sent(show) == ["#general"]
    assert "inactive" in done.plan.effects[0].reason


def test_the_actor_is_told_unless_the_setting_says_otherwise(show: Production, shot: Shot) -> None:
    assign(show, shot.lighting, "hugo.lefevre")
    change = dataclasses.replace(
        show.set_status("Task", shot.animation, LIGHTING), user_id=user(show, "hugo.lefevre"), username="hugo.lefevre"
    )
    show.set(HANDLER, message_oneself=False)
    done = show.run(HANDLER, change)
    assert done.outcomes == ["skipped"]
    show.set(HANDLER, message_oneself=True)
    show.run(HANDLER, change)
    assert sent(show) == ["U00000001"]


def mapping(show: Production, tmp_path: Path, **names: str) -> None:
    path = tmp_path / "slack_ftrack_users.json"
    path.write_text(json.dumps(names))
    show.settings.set("slack", "mapping_file", str(path))


def test_the_mapping_file_goes_before_the_email_and_the_default_comes_last(
    show: Production, shot: Shot, tmp_path: Path
) -> None:
    mapping(show, tmp_path, **{"hugo.lefevre": "#hugos_corner", show.name: "#the_show"})
    assign(show, shot.lighting, "hugo.lefevre", "sana.malik", "omar.haddad")
    show.run(HANDLER, show.set_status("Task", shot.animation, LIGHTING))
    assert sorted(sent(show)) == ["#general", "#hugos_corner", "U00000002"]


def test_nobody_assigned_means_the_projects_channel(show: Production, shot: Shot, tmp_path: Path) -> None:
    mapping(show, tmp_path, **{show.name: "#the_show"})
    show.run(HANDLER, show.set_status("Task", shot.animation, LIGHTING))
    assert sent(show) == ["#the_show"]


def test_the_directory_is_read_once_for_many_messages(show: Production) -> None:
    for number in range(4):
        shot = show.shot(f"001_{number:04d}")
        animation, lighting = show.task(shot, "Animation"), show.task(shot, "Lighting")
        assign(show, lighting, "hugo.lefevre")
        show.run(HANDLER, show.set_status("Task", animation, LIGHTING))
    assert show.slack_server.calls["users.list"] == 1
    assert "users.lookupByEmail" not in show.slack_server.calls


def test_a_task_without_a_parent_shot_is_skipped(show: Production) -> None:
    task = show.task(show.asset(), "Animation")
    done = show.run(HANDLER, show.set_status("Task", task, LIGHTING))
    assert done.outcomes == ["skipped"]
    assert "no shot" in done.reason


def test_several_tasks_of_the_type_on_one_shot_are_all_asked_for_their_people(show: Production, shot: Shot) -> None:
    second = show.task(shot.id, "Lighting", name="lighting_crowd")
    assign(show, shot.lighting, "hugo.lefevre")
    assign(show, second, "sana.malik", "hugo.lefevre")
    show.run(HANDLER, show.set_status("Task", shot.animation, LIGHTING))
    assert sorted(sent(show)) == ["U00000001", "U00000002"]


def test_a_renamed_task_is_found_by_its_type(show: Production, shot: Shot) -> None:
    show.update("Task", shot.lighting, name="beauty")
    assign(show, shot.lighting, "hugo.lefevre")
    show.run(HANDLER, show.set_status("Task", shot.animation, LIGHTING))
    assert sent(show) == ["U00000001"]


@pytest.mark.parametrize("choice", ["tell", "ignore", "create"])
def test_a_missing_task_is_told_ignored_or_created_once(show: Production, choice: str) -> None:
    show.set(HANDLER, missing_task=choice)
    shot = show.shot()
    change = show.set_status("Task", show.task(shot, "Animation"), LIGHTING)
    first = show.run(HANDLER, change)
    show.run(HANDLER, change)
    made = show.site.rows(f'select name, type.name, status.name from Task where parent_id is "{shot}"')
    lighting = [row for row in made if row["type"]["name"] == "Lighting"]
    if choice == "ignore":
        assert first.outcomes == ["skipped"]
        assert show.messages() == []
    else:
        (message,) = show.messages()
        assert message.channel == "#general"
        assert "no Lighting task" in message.text or "was created" in message.text
    assert [row["name"] for row in lighting] == (["Lighting"] if choice == "create" else [])
    assert all(row["status"]["name"] == "Not started" for row in lighting)


def test_a_status_that_flips_back_and_forth_within_a_minute_is_told_once(show: Production, shot: Shot) -> None:
    assign(show, shot.lighting, "hugo.lefevre")
    now = dt.datetime.now(dt.UTC)
    for seconds in (0, 20, 40):
        show.run(
            HANDLER,
            show.set_status("Task", shot.animation, LIGHTING, at=now + dt.timedelta(seconds=seconds)),
        )
        show.set_status("Task", shot.animation, "In progress", at=now + dt.timedelta(seconds=seconds + 10))
    assert sent(show) == ["U00000001"]


def test_a_version_set_in_the_second_of_its_task_is_told_once_however_soon_the_first_was_planned(
    show: Production, shot: Shot
) -> None:
    assign(show, shot.lighting, "hugo.lefevre")
    version = show.version(shot.id, shot.animation, status="In progress")
    for first, second in (("Task", "AssetVersion"), ("AssetVersion", "Task")):
        at = show.clock.now() + dt.timedelta(hours=2 if first == "Task" else 4)
        keys = set()
        for entity_type in (first, second):
            entity = shot.animation if entity_type == "Task" else version
            (effect,) = show.plan(HANDLER, show.set_status(entity_type, entity, LIGHTING, at=at)).effects
            keys.add(effect.dedupe)  # type: ignore[attr-defined]
        assert len(keys) == 1
        for entity_type, entity in (("Task", shot.animation), ("AssetVersion", version)):
            show.set_status(entity_type, entity, "In progress", at=at + dt.timedelta(minutes=5))


def test_two_hundred_shots_for_one_person_share_a_digest(show: Production) -> None:
    digests: set[tuple[str, str]] = set()
    dedupes: set[str] = set()
    for number in range(6):
        shot = show.shot(f"001_{number:04d}")
        animation, lighting = show.task(shot, "Animation"), show.task(shot, "Lighting")
        assign(show, lighting, "hugo.lefevre")
        (effect,) = show.plan(HANDLER, show.set_status("Task", animation, LIGHTING)).effects
        digests.add((effect.channel, effect.digest))  # type: ignore[attr-defined]
        dedupes.add(effect.dedupe)  # type: ignore[attr-defined]
    assert len(digests) == 1
    assert len(dedupes) == 6


def ready(show: Production, shot: Shot) -> Change:
    assign(show, shot.lighting, "hugo.lefevre")
    return show.set_status("Task", shot.animation, LIGHTING)


def test_a_rate_limit_says_how_long_to_wait(show: Production, shot: Shot) -> None:
    plan = show.plan(HANDLER, ready(show, shot))
    show.slack_server.limit(1, retry_after=7)
    with pytest.raises(SlackLater) as caught:
        show.apply(plan)
    assert caught.value.seconds == 7
    assert not caught.value.in_doubt


def test_a_network_that_is_down_is_worth_a_later_try(show: Production, shot: Shot) -> None:
    plan = show.plan(HANDLER, ready(show, shot))
    show.settings.set("slack", "base_url", "http://127.0.0.1:9/api/")
    with pytest.raises(SlackLater, match="cannot be reached"):
        show.apply(plan)
    show.settings.set("slack", "base_url", show.slack_server.url)
    show.sent.clear()
    show.apply(plan)
    assert len(show.messages()) == 1


def test_a_transition_learnt_of_too_late_is_not_told_at_three_in_the_morning(show: Production, shot: Shot) -> None:
    assign(show, shot.lighting, "hugo.lefevre")
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(hours=9)
    done = show.run(HANDLER, show.set_status("Task", shot.animation, LIGHTING, at=long_ago))
    assert done.outcomes == ["skipped"]
    assert "would only mislead" in done.reason


def test_a_wrong_token_is_named_without_being_shown(show: Production, shot: Shot) -> None:
    plan = show.plan(HANDLER, ready(show, shot))
    wrong = f"xoxb-{uuid.uuid4().hex}"
    show.slack._token = lambda: wrong
    with pytest.raises(SlackRefused, match="does not accept the token") as caught:
        show.apply(plan)
    assert wrong not in str(caught.value)


def test_quiet_hours_make_the_message_wait_until_morning(show: Production, shot: Shot) -> None:
    show.settings.set("studio", "time_zone", "Africa/Nairobi")
    show.set(HANDLER, quiet_from="20:00", quiet_until="08:00")
    change = ready(show, shot)
    show.clock.fixed = dt.datetime(2026, 11, 23, 20, 0, tzinfo=dt.UTC)  # 23:00 in Nairobi
    with pytest.raises(Later, match="08:00") as caught:
        show.plan(HANDLER, change)
    assert caught.value.seconds == 9 * 3600
    show.clock.fixed = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
    assert show.plan(HANDLER, change).effects


def test_the_transitions_are_a_setting(show: Production, shot: Shot) -> None:
    assign(show, shot.compositing, "kenji.morita")
    show.set(HANDLER, transitions=[{"task_type": "animation", "status": "approved", "next_type": "compositing"}])
    show.run(HANDLER, show.set_status("Task", shot.animation, "Approved"))
    assert sent(show) == ["U00000003"]
    show.set(HANDLER, transitions=[{"task_type": "Animation", "status": "Approved", "next_type": "Knitting"}])
    with pytest.raises(PlanError, match="no task type 'Knitting'"):
        show.plan(HANDLER, show.set_status("Task", show.task(shot.id, "Animation", name="b"), "Approved"))


def test_names_are_escaped_for_slack(show: Production) -> None:
    shot = show.shot("A&B <hero>")
    animation, lighting = show.task(shot, "Animation"), show.task(shot, "Lighting")
    assign(show, lighting, "hugo.lefevre")
    show.run(HANDLER, show.set_status("Task", animation, LIGHTING))
    assert "Shot: A&amp;B &lt;hero&gt;\n" in show.messages()[0].text


def test_the_message_links_back_to_the_task(show: Production, shot: Shot) -> None:
    plan = show.plan(HANDLER, ready(show, shot))
    (effect,) = plan.effects
    link: Any = effect.link  # type: ignore[attr-defined]
    assert link.startswith(show.url)
    assert shot.animation in link
    show.apply(plan)
    assert f"<{link}>" in show.messages()[0].text


def test_a_dry_run_shows_the_text_and_sends_nothing(show: Production, shot: Shot) -> None:
    (effect,) = show.plan(HANDLER, ready(show, shot)).effects
    assert "Ready for Lighting" in effect.describe()
    assert "Hugo Lefèvre" in effect.describe()
    assert show.messages() == []


def test_the_message_template_is_a_setting_and_unknown_names_are_named(show: Production, shot: Shot) -> None:
    change = ready(show, shot)
    show.set(HANDLER, message="{{ shot }} is {{ status }} for {{ who }}")
    (effect,) = show.plan(HANDLER, change).effects
    assert effect.text == "001_0010 is Ready for Lighting for Hugo Lefèvre"  # type: ignore[attr-defined]
    with pytest.raises(SettingsError, match=r"shto.*known are"):
        show.set(HANDLER, message="{{ shto }}")
    assert show.plan(HANDLER, change).effects


@pytest.mark.parametrize("kind", ["task", "version"])
def test_deleted_entities_are_skipped(show: Production, shot: Shot, kind: str) -> None:
    version = show.version(shot.id, shot.animation)
    change = show.set_status("AssetVersion", version, LIGHTING)
    if kind == "version":
        show.delete("AssetVersion", version)
    else:
        show.update("AssetVersion", version, task_id=None)
    done = show.run(HANDLER, change)
    assert done.outcomes == ["skipped"]
    assert show.messages() == []


def test_a_version_created_with_the_status_is_told_and_its_task_following_is_not(show: Production, shot: Shot) -> None:
    assign(show, shot.lighting, "hugo.lefevre")
    version = show.version(shot.id, shot.animation, status=LIGHTING)
    show.run(HANDLER, show.added("AssetVersion", version))
    later = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=30)
    follow = show.set_status("Task", shot.animation, LIGHTING, at=later)
    show.run(HANDLER, dataclasses.replace(follow, received=later))
    assert sent(show) == ["U00000001"]


def test_catch_up_finds_the_transition_and_dedupes_with_the_live_event(show: Production, shot: Shot) -> None:
    since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=5)
    live = ready(show, shot)
    show.set_status("Task", shot.compositing, "Approved")
    found = [one for one in HANDLER.catch_up(show.context(HANDLER), since) if one.entity_id == shot.animation]
    (missed,) = found
    assert HANDLER.key(missed) == HANDLER.key(live) == f"slack:{shot.id}"
    show.run(HANDLER, live)
    show.run(HANDLER, missed)
    assert sent(show) == ["U00000001"]
