"""Protocol fact 1.6: the query language, each rule on rows whose answer is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import ftrack_api
import pytest
from ftrack_api.exception import ServerError
from sandbox_process import SandboxProcess

OPERATORS = [
    ('name = "sq010_0010"', True),
    ('name is "sq010_0010"', True),
    ("name is 'sq010_0010'", True),
    ("name is sq010_0010", True),
    ('name != "sq010_0010"', False),
    ('name is_not "other"', True),
    ('name is not "other"', True),
    ('name like "sq010%"', True),
    ('name like "sq010_001_"', True),
    ('name not_like "sq010%"', False),
    ('name not like "x%"', True),
    ('name in ("a", "sq010_0010")', True),
    ("name in (a, sq010_0010)", True),
    ('name not_in ("a", "b")', True),
    ('name not in ("sq010_0010")', False),
    ("description is none", False),
    ("thumbnail_id is none", True),
    ("thumbnail_id = None", True),
    ("status is_not none", True),
    ("status != none", True),
    ("bid > 1", False),
    ("bid >= 0", True),
    ("bid < 1", True),
    ("bid <= -1", False),
    ("bid greater_than 1", False),
    ("bid less_than 1", True),
    ('created_at after "2020-01-01"', True),
    ('created_at before "2020-01-01T00:00:00"', False),
    ('created_at > "2020-01-01" and created_at < "2100-01-01T10:20:30"', True),
    ('not name is "sq010_0010"', False),
    ('not (name is "x" or name is "y")', True),
    ('name is "x" and name is "y" or name is "sq010_0010"', True),
    ('name is "x" and (name is "y" or name is "sq010_0010")', False),
    ('parent.name is "sq010"', True),
    ('parent has (name is "sq010")', True),
    ('parent has (name is "other")', False),
    ("children any ()", True),
    ("not children any ()", False),
    ("assets any ()", True),
    ("notes any ()", False),
    ('children.name is "comp"', True),
    ("assets.versions.version is 1", True),
    ("assets any (versions any (version > 1))", False),
    ('parent[TypedContext].name is "sq010"', True),
    ('children[Task].type.name is "Generic"', True),
    ('ancestors any (name is "sq010")', True),
    ('descendants any (name is "comp")', True),
    ('id in (select parent_id from Task where name is "comp")', True),
    ('id not_in (select parent_id from Task where name is "comp")', False),
    ("project.status is active", True),
    ('project.name like "t%"', True),
    ('object_type.name is "Shot"', True),
    ('custom_attributes any (key is "fstart" and value is "1")', True),
    ('custom_attributes any (key is "fstart" and value is 2)', False),
    ("custom_attributes any (key is fstart and value > 0)", True),
    ('custom_attributes.key is "fstart"', True),
    ('custom_attributes.configuration.key is "fstart"', True),
    ('custom_attributes any (key is "customNumber")', False),
    ('metadata any (key is "a" and value is "b")', False),
]


@pytest.mark.parametrize(("condition", "expected"), OPERATORS, ids=[condition for condition, _ in OPERATORS])
def test_fact_1_6_a_condition_holds_or_not(
    session: ftrack_api.Session, shot: Any, condition: str, expected: bool
) -> None:
    found = session.query(f'Shot where id is "{shot["id"]}" and ({condition})').first()
    assert (found is not None) is expected


def test_fact_1_6_without_select_the_key_and_system_projections_come(suite_site: SandboxProcess, shot: Any) -> None:
    row = rows(suite_site, f'Shot where id is "{shot["id"]}"')[0]
    assert set(row) == {"__entity_type__", "id", "context_type", "project_id"}


def rows(site: SandboxProcess, expression: str) -> list[dict[str, Any]]:
    """A raw query's rows."""
    answer = site.api({"action": "query", "expression": expression})
    assert isinstance(answer, list), answer
    return list(answer[0]["data"])


@pytest.mark.parametrize("window", ["limit 2 offset 1", "offset 1 limit 2"])
def test_fact_1_6_limit_and_offset_come_in_either_order(suite_site: SandboxProcess, window: str) -> None:
    everyone = rows(suite_site, "select username from User order by username")
    assert rows(suite_site, f"select username from User order by username {window}") == everyone[1:3]


@pytest.mark.parametrize(
    ("word", "descending"),
    [("", False), ("asc", False), ("ascending", False), ("desc", True), ("descending", True)],
)
def test_fact_1_6_order_by_a_path_in_both_directions(
    session: ftrack_api.Session, suite_site: SandboxProcess, project: Any, word: str, descending: bool
) -> None:
    for sequence in ("b", "a"):
        parent = session.create("Sequence", {"name": sequence, "parent": project})
        for number in (2, 1):
            session.create("Shot", {"name": f"{sequence}{number}", "parent": parent})
    session.commit()
    found = rows(
        suite_site,
        f'select name from Shot where project_id is "{project["id"]}" order by parent.name {word}, name {word}',
    )
    assert [row["name"] for row in found] == sorted(("a1", "a2", "b1", "b2"), reverse=descending)


def test_fact_1_6_two_dotted_conditions_may_be_met_by_different_rows_and_any_by_one(
    session: ftrack_api.Session, task: Any
) -> None:
    for start, comment in (("2026-01-01", "early"), ("2026-02-01", "late")):
        session.create("Timelog", {"context": task, "start": f"{start}T00:00:00", "comment": comment, "duration": 1})
    session.commit()
    both = f'Task where id is "{task["id"]}" and '
    different = 'timelogs.start >= "2026-02-01" and timelogs.comment is "early"'
    assert session.query(both + different).first() is not None
    assert session.query(both + 'timelogs any (start >= "2026-02-01" and comment is "early")').first() is None
    assert session.query(both + 'timelogs any (start >= "2026-02-01" and comment is "late")').first() is not None


def test_fact_1_6_attributes_of_a_subtype_are_reached_through_a_base_typed_relation(
    session: ftrack_api.Session, task: Any
) -> None:
    user = session.query('User where username is "jenkins"').one()
    session.create("Appointment", {"context": task, "resource": user, "type": "assignment"})
    session.commit()
    mine = f'Task where id is "{task["id"]}" and assignments any (resource.username = "%s")'
    assert session.query(mine % "jenkins").first() is task
    assert session.query(mine % "user01").first() is None
    assert session.query(f'Task where id is "{task["id"]}" and allocations any ()').first() is None


def test_fact_1_6_a_cast_reaches_the_subtype_in_the_middle_of_a_path(
    session: ftrack_api.Session, version: Any, shot: Any
) -> None:
    for kind, expected in (("Shot", True), ("AssetBuild", False)):
        found = session.query(
            f'AssetVersion where id is "{version["id"]}" and asset.parent[{kind}].name is "{shot["name"]}"'
        ).first()
        assert (found is not None) is expected


def test_fact_1_6_a_relation_is_compared_with_an_id_or_none(session: ftrack_api.Session, task: Any, shot: Any) -> None:
    assert session.query(f'Task where parent is "{shot["id"]}"').one() is task
    assert session.query(f'Task where parent is "{shot["id"]}" and thumbnail is none').one() is task
    assert session.query(f'Task where parent is "{shot["id"]}" and status is none').first() is None


def test_fact_1_6_quotes_inside_a_value_are_escaped(session: ftrack_api.Session, project: Any) -> None:
    names = ['say "hi"', "it's", "back\\slash", "äöü 漢字", "100% (really), [sure] = yes"]
    for name in names:
        session.create("Folder", {"name": name, "parent": project})
    session.commit()
    for name in names:
        literal = json.dumps(name, ensure_ascii=False)
        found = session.query(f'Folder where project_id is "{project["id"]}" and name is {literal}').one()
        assert found["name"] == name


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"50\%%", ["50% off"]),
        (r"50%", ["50% off", "500 off"]),
        (r"a\_b", ["a_b"]),
        (r"a_b", ["a_b", "axb"]),
        (r"C:\\\\plates%", [r"C:\plates"]),
        (r"C:\\plates", [r"C:\plates"]),
    ],
)
def test_fact_1_6_a_backslash_takes_the_meaning_from_a_wildcard(
    session: ftrack_api.Session, project: Any, pattern: str, expected: list[str]
) -> None:
    for name in ("50% off", "500 off", "a_b", "axb", r"C:\plates"):
        session.create("Folder", {"name": name, "parent": project})
    session.commit()
    found = session.query(f'Folder where project_id is "{project["id"]}" and name like "{pattern}" order by name')
    assert [one["name"] for one in found] == expected


def test_fact_1_6_a_nested_query_may_select_by_a_path(session: ftrack_api.Session, version: Any, task: Any) -> None:
    version["task"] = task
    session.commit()
    for projection in ("task_id", "task.id", "task"):
        nested = f'select {projection} from AssetVersion where id is "{version["id"]}"'
        assert session.query(f"Task where id in ({nested})").one() is task


def test_fact_1_6_metadata_is_found_by_key_and_value_of_one_row(session: ftrack_api.Session, task: Any) -> None:
    task["metadata"].update({"a": "1", "b": "2"})
    session.commit()
    base = f'Task where id is "{task["id"]}" and metadata any (key is "a" and value is "%s")'
    assert session.query(base % "1").first() is task
    assert session.query(base % "2").first() is None


def test_fact_1_6_aggregates_group_through_a_call_of_a_strict_session(
    new_session: Callable[..., ftrack_api.Session], project: Any
) -> None:
    session = new_session(strict_api=True)
    for index in range(3):
        session.create("Task", {"name": f"t{index}", "parent_id": project["id"], "bid": float(index)})
    session.commit()
    answer = session.call(
        [
            {
                "action": "query",
                "expression": "select count(id), sum(bid), avg(bid), min(bid), max(bid) from Task"
                f' where project_id is "{project["id"]}" group by project_id, status_id',
            }
        ]
    )[0]["data"]
    status = session.query(f'Task where project_id is "{project["id"]}"').first()["status_id"]
    assert answer == [
        {
            "count_id": 3,
            "sum_bid": 3.0,
            "avg_bid": 1.0,
            "min_bid": 0.0,
            "max_bid": 2.0,
            "project_id": project["id"],
            "status_id": status,
        }
    ]


def test_fact_1_6_a_full_last_page_has_no_next_page(suite_site: SandboxProcess, project: Any) -> None:
    expression = f'Project where id is "{project["id"]}" offset 0 limit 1'
    answer = suite_site.api({"action": "query", "expression": expression})
    assert answer[0]["metadata"]["next"]["offset"] is None
    assert len(answer[0]["data"]) == 1


def test_fact_1_6_pages_without_order_are_stable_and_complete(suite_site: SandboxProcess) -> None:
    everyone = [row["id"] for row in rows(suite_site, "User limit 10")]
    paged = [rows(suite_site, f"User offset {index} limit 1")[0]["id"] for index in range(10)]
    assert paged == everyone
    assert len(set(paged)) == 10


def test_fact_1_6_a_value_never_ends_the_expression(session: ftrack_api.Session, suite_site: SandboxProcess) -> None:
    for value in ('x" or "a" is "a', "x' or 1 = 1 --", '"; drop table Context; --'):
        literal = json.dumps(value)
        assert rows(suite_site, f"Task where name is {literal}") == []
    assert session.query("Task").first() is not None


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "where",
        "Nothing",
        "Task where",
        "Task where name",
        "Task where name is",
        "Task where name between 1 and 2",
        'Task where (name is "a"',
        'Task where nothing is "a"',
        'Task where name.x is "a"',
        'Task where children is "a"',
        "select from Task",
        "Task order name",
        "Task limit x",
        "Task where id in (select id, name from Task)",
        'Task where name is "open',
        "Task where name > none",
        "Task where parent[Nothing].name is a",
    ],
)
def test_fact_1_6_what_is_no_query_is_a_parse_error(session: ftrack_api.Session, expression: str) -> None:
    with pytest.raises(ServerError, match="ParseError"):
        session.call([{"action": "query", "expression": expression}])


# Queries as handlers and integrations write them: all must run; what they find is for other tests.
SEEN = [
    "select id, name from Task where project.id is 5671dcb0-66de-11e1-8e6e-f23c91df25eb",
    'select versions.components.name from Asset where id is "12939d0c-6766-11e1-8104-f23c91df25eb"',
    "FileComponent where version.asset_id != None",
    "CustomAttributeValue where configuration.key is customNumber",
    "select key, project_id, id, object_type_id, entity_type, is_hierarchical from CustomAttributeConfiguration",
    (
        "select id, entity_type, object_type_id, is_hierarchical, default from CustomAttributeConfiguration"
        ' where key in ("fstart", "customNumber")'
    ),
    (
        "select value, entity_id from ContextCustomAttributeValue where entity_id in"
        ' ("5671dcb0-66de-11e1-8e6e-f23c91df25eb") and configuration_id in ("a", "b")'
    ),
    (
        "select id, name, parent_id, link from TypedContext where project_id is"
        ' "5671dcb0-66de-11e1-8e6e-f23c91df25eb" and parent_id in ("a")'
    ),
    'select id, type.name, status.name, assignments.resource.username from Task where name is "comp"',
    'Job where user.username is "jenkins" and status in ("queued", "running") and type is "api_job"',
    (
        'select date, status.name, from_status.name, user.username from StatusChange where parent_id is "x"'
        " order by date descending"
    ),
    'TypedContextStatusChange where date >= "2026-01-01T00:00:00" and status.name is "Approved"',
    'AssetVersionList where name is "Dailies_2026-11-22" and project_id is "x" and category.name is "Reviews"',
    'select entity_id from ListObject where list.name is "x"',
    'ReviewSessionObject where review_session_id is "x" and version_id is "y"',
    "select statuses, statuses.status, notes.content, notes.author from ReviewSessionObject",
    'Note where author.id is "x" and not note_components any ()',
    "select author.first_name, author.last_name, content, in_reply_to_id from Note order by thread_activity desc",
    'AssetVersion where is_latest_version is True and asset.parent.name is "x"',
    "select version, asset.latest_version.version from AssetVersion",
    'Component where version.asset.type.short is "upload" and component_locations.location.name is "ftrack.server"',
    'select component_locations.resource_identifier, file_type from Component where name is "ftrackreview-mp4"',
    'ProjectSchema where name is "VFX Scheme"',
    "select task_type_schema.types.name, task_workflow_schema.statuses.name from ProjectSchema",
    "select object_type_schemas.statuses.task_status.name from ProjectSchema",
    'Event where id > 10 and action is "update"',
    'SecurityRole where user_security_roles.user.username is "jenkins"',
    'User where memberships any (group.name is "x")',
    "select incoming_links.from.name, outgoing_links.to.name from Task",
    'Task where scopes any (name is "x")',
    'Timelog where user.username is "jenkins" and start >= "2020-01-01"',
    "select thumbnail_url, time_logged, bid_time_logged_difference from Task order by sort, name",
    'AssetVersion where lists any (name like "Dailies%") order by date desc limit 5',
    'Context where id is "5671dcb0-66de-11e1-8e6e-f23c91df25eb"',
    'Project where disk.name is "x" or disk is none',
    'select resource from Appointment where context_id in ("x") and type is assignment',
    "select status_changes.date from AssetVersion where status_changes any (status.name is Approved)",
]


@pytest.mark.parametrize("expression", SEEN)
def test_fact_1_6_queries_that_handlers_write_run(suite_site: SandboxProcess, expression: str) -> None:
    assert isinstance(rows(suite_site, expression), list)
