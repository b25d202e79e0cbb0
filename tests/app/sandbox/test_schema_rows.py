"""Every type and every attribute of the schema can be asked for, filtered and ordered by."""

from __future__ import annotations

import json

import pytest
from sandbox_process import SandboxProcess

from app.sandbox.schema import RESOURCE, Kind, Schema

SCHEMA = Schema()


@pytest.mark.parametrize("entity_type", sorted(SCHEMA.types))
def test_all_attributes_of_a_type_come_when_asked_for(suite_site: SandboxProcess, entity_type: str) -> None:
    names = [name for name, attribute in SCHEMA[entity_type].attributes.items() if not attribute.restricted]
    answer = suite_site.api({"action": "query", "expression": f"select {', '.join(names)} from {entity_type} limit 3"})
    assert isinstance(answer, list), answer
    for row in answer[0]["data"]:
        own = SCHEMA[row["__entity_type__"]].attributes
        assert set(names) & set(own) <= set(row)


@pytest.mark.parametrize("entity_type", sorted(SCHEMA.types))
def test_every_relation_of_a_type_can_be_walked_and_every_scalar_compared(
    suite_site: SandboxProcess, entity_type: str
) -> None:
    operations = []
    for attribute in SCHEMA[entity_type].attributes.values():
        if attribute.is_relation:
            key = SCHEMA[attribute.target].primary_key[0]
            condition = f'{attribute.name} any ({key} is "x") or {attribute.name}.{key} is "y"'
        elif attribute.sql is not None:
            condition = f'{attribute.name} is "1" or {attribute.name} is none order by {attribute.name}'
        else:
            continue
        operations.append({"action": "query", "expression": f"{entity_type} where {condition} limit 1"})
    answer = suite_site.api(*operations)
    assert isinstance(answer, list), answer
    assert len(answer) == len(operations)


def test_a_foreign_key_leads_to_a_known_type_and_every_relation_is_stored_somewhere() -> None:
    unstored = {
        f"{entity.name}.{attribute.name}"
        for entity in SCHEMA.types.values()
        for attribute in entity.attributes.values()
        if attribute.is_relation and attribute.link == "none" and not attribute.restricted
    }
    assert unstored == {"SettingComponent.setting"}
    for entity in SCHEMA.types.values():
        for attribute in entity.attributes.values():
            if attribute.is_relation:
                assert attribute.target in SCHEMA.types


def test_only_status_needs_a_column_that_no_attribute_shows() -> None:
    assert SCHEMA.hidden == {"Status": ["state_id"]}


def test_every_object_type_of_the_reference_values_has_its_schema() -> None:
    named = {row["id"]: row["name"].replace(" ", "") for row in SCHEMA.reference["object_types"]}
    assert named == SCHEMA.object_types


def test_sources_and_licences_of_the_model_are_named_in_it() -> None:
    about = json.loads(RESOURCE.read_text(encoding="utf-8"))["about"]
    assert [source["licence"] for source in about["sources"]] == ["Apache-2.0", "Apache-2.0", "MIT"]


def test_mapped_attributes_map_a_key_to_a_value() -> None:
    for entity in SCHEMA.types.values():
        for attribute in entity.attributes.values():
            if attribute.kind is Kind.MAPPED and not attribute.restricted:
                assert {"key", "value"} <= set(SCHEMA[attribute.target].attributes)
