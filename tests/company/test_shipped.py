"""What ships with the program: every company is clean, and the schemas for editors agree with the loader."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatdev.company import Company, Phase, Role, json_schemas, known_companies, lint, load_company
from chatdev.company.messages import validated
from chatdev.company.safe_yaml import Map, read_file
from chatdev.company.shelf import Shelf, yaml_files
from chatdev.data import library_root


@pytest.mark.parametrize("name", known_companies())
def test_a_company_is_clean_and_survives_being_written(name: str, tmp_path: Path) -> None:
    bundle = load_company(name)
    assert lint(bundle) == []
    assert [str(warning) for warning in bundle.warnings] == []
    bundle.write(tmp_path)
    assert load_company(str(tmp_path)) == bundle


def test_the_promised_companies_are_there() -> None:
    assert {"art", "default", "incremental", "solo"} <= set(known_companies())


@pytest.mark.parametrize(("folder", "model"), [("roles", Role), ("phases", Phase)], ids=["roles", "phases"])
def test_every_file_is_valid_and_named_like_its_file(folder: str, model: type[Role] | type[Phase]) -> None:
    paths = yaml_files(library_root() / folder)
    assert paths
    shelf = Shelf()
    for path in paths:
        made, _, errors = validated(model, shelf.tree(path))
        assert errors == []
        assert made is not None
        assert made.name == path.stem


def test_every_phase_can_be_used_by_somebody() -> None:
    """Phases that no shipped company uses are looked over as a user's own would be."""
    roles = {path.stem for path in yaml_files(library_root() / "roles")} | {"human"}
    for path in yaml_files(library_root() / "phases"):
        tree = read_file(path)
        assert isinstance(tree, Map)
        assert {tree.items[key].value for key in ("instructor", "assistant")} <= roles  # type: ignore[union-attr]


def walk(schema: object) -> list[dict[str, object]]:
    if isinstance(schema, list):
        return [found for item in schema for found in walk(item)]
    if isinstance(schema, dict):
        return [schema, *[found for value in schema.values() for found in walk(value)]]
    return []


@pytest.mark.parametrize(("kind", "model"), [("role", Role), ("phase", Phase), ("company", Company)])
def test_schemas_describe_every_field(kind: str, model: type[Role] | type[Phase] | type[Company]) -> None:
    schema = json_schemas()[kind]
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert set(schema["properties"]) == set(model.model_fields)
    objects = [one for one in walk(schema) if "properties" in one and "title" in one]
    for one in objects:
        assert one["additionalProperties"] is False
        properties = one["properties"]
        assert isinstance(properties, dict)
        assert all("description" in field or "$ref" in field for field in properties.values()), one["title"]


def test_schemas_know_the_short_forms_and_what_can_be_null() -> None:
    schemas = json_schemas()
    company, phase = schemas["company"], schemas["phase"]
    assert {"string"} == {one.get("type") for one in company["properties"]["chain"]["items"]["anyOf"]} - {None}
    loop = company["$defs"]["Loop"]["properties"]
    assert any(one.get("$ref") == "#/$defs/LoopStep" for one in loop["do"]["items"]["anyOf"])
    assert {one["type"] for one in phase["properties"]["writes"]["anyOf"]} == {"string", "array", "null"}
    assert {one["type"] for one in company["properties"]["roles"]["anyOf"]} == {"array", "object"}
    assert set(phase["required"]) == {"instructor", "assistant", "prompt"}
    assert "files" in phase["properties"]["reads"]["description"]
    assert company["anyOf"] == [{"required": ["roles", "chain"]}, {"required": ["extends"]}]
