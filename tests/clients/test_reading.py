"""The schema may be written in several ways; what a client is made of stays the same."""

import json
from typing import Any

import pytest

from badges.clients.model import TAG, Integer, String
from badges.clients.reading import read
from tables.criteria.schema import json_schema
from tables.criteria.union import TYPES

MODEL = read(json_schema())


def test_every_type_is_in_the_union_and_only_some_may_be_parts() -> None:
    assert [member.tag for member in MODEL.root.members] == list(TYPES)
    parts = [name for name, each in TYPES.items() if not each.root_only]
    assert [member.tag for member in MODEL.part.members] == parts


def test_every_key_of_every_type_is_there() -> None:
    for member in MODEL.root.members:
        names = {field.alias or name for name, field in TYPES[member.tag].model_fields.items()}
        assert set(member.keys) == names, member.name
        needed = {
            name for name, field in TYPES[member.tag].model_fields.items() if field.is_required()
        }
        assert {field.key for field in member.fields if field.needed} == needed - {TAG}


def test_bounds_are_those_of_the_schema() -> None:
    [threshold] = [member for member in MODEL.root.members if member.tag == "threshold"]
    kinds = {field.key: field.kind for field in threshold.fields}
    assert kinds["at_least"] == Integer(1, 1_000_000)
    [fixed] = [each for each in MODEL.others[0].members if each.name == "FixedWindow"]
    assert {field.kind for field in fixed.fields} == {String(is_date=True)}


def test_definitions_may_stand_where_they_are_used() -> None:
    schema = json_schema()
    definitions = schema["$defs"]
    inner = {"Rolling", "Calendar", "Fixed", "Step", "Window"} & set(definitions)

    def inlined(node: Any) -> Any:
        if isinstance(node, list):
            return [inlined(each) for each in node]
        if not isinstance(node, dict):
            return node
        name = str(node.get("$ref", "")).rpartition("/")[2]
        return (
            inlined(definitions[name])
            if name in inner
            else {k: inlined(v) for k, v in node.items()}
        )

    assert read(inlined(schema)) == MODEL


def test_a_definition_may_be_added_to_where_it_is_used() -> None:
    schema = json_schema()
    roots = schema["oneOf"]
    schema["oneOf"] = [{"allOf": [each], "title": "Root"} for each in roots]
    assert read(schema) == MODEL


def test_a_kind_of_value_that_no_client_has_is_told() -> None:
    text = json.dumps(json_schema()).replace('"type": "integer"', '"type": "number"')
    with pytest.raises(ValueError, match="no client is written for"):
        read(json.loads(text))
