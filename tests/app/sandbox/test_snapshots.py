"""Going back in time, through the site's private routes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sandbox_process import SandboxProcess


def names(site: SandboxProcess) -> set[str]:
    return {row["name"] for row in site.api({"action": "query", "expression": "select name from Shot"})[0]["data"]}


def test_a_snapshot_brings_back_what_was_deleted_and_takes_away_what_was_made(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "site", "ftrack-suite") as site:
        before = names(site)
        shot = site.api({"action": "query", "expression": "select parent_id from Shot"})[0]["data"][0]
        assert site.request("/_sandbox/snapshot", {"name": "start"})[0] == 200
        data = {"name": "made later", "parent_id": shot["parent_id"]}
        site.api({"action": "create", "entity_type": "Shot", "entity_data": data})
        site.api({"action": "delete", "entity_type": "Shot", "entity_key": [shot["id"]]})
        assert names(site) == {"made later"}
        for _ in range(2):
            assert site.request("/_sandbox/restore", {"name": "start"})[0] == 200
            assert names(site) == before
            site.api({"action": "create", "entity_type": "Shot", "entity_data": data})
            assert names(site) == {*before, "made later"}


@pytest.mark.parametrize("body", [{"name": "../x"}, {"name": ""}, {}, [], {"name": "never taken"}])
def test_a_snapshot_needs_a_plain_name_that_exists(suite_site: SandboxProcess, body: object) -> None:
    status, answer = suite_site.request("/_sandbox/restore", body)
    assert status in (400, 404)
    assert json.loads(answer)["exception"] == "ValidationError"


def test_strangers_cannot_go_back_in_time(suite_site: SandboxProcess) -> None:
    assert suite_site.request("/_sandbox/snapshot", {"name": "x"}, user="nobody")[0] == 401
