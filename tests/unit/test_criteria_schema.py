"""The JSON schema of criteria, by the reading of a validator that knows nothing of the models."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given

from tables.criteria.errors import InvalidCriteria
from tables.criteria.parsing import parse
from tables.criteria.schema import json_schema
from tables.criteria.union import TYPES
from tests.documents import documents

SCHEMA = json_schema()
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA, validate_formats=True)
COUNT: dict[str, Any] = {"type": "threshold", "metric": "count", "at_least": 3}


def root(**keys: object) -> dict[str, object]:
    return {"version": 1, **COUNT, **keys}


def test_it_is_a_schema_itself() -> None:
    jsonschema_rs.meta.validate(SCHEMA)


def test_it_refers_to_what_it_has() -> None:
    named = set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(SCHEMA)))
    assert named == set(SCHEMA["$defs"])


def test_it_has_every_type_by_the_name_of_its_class() -> None:
    mapping = SCHEMA["discriminator"]["mapping"]
    assert mapping == {name: f"#/$defs/{model.__name__}" for name, model in TYPES.items()}
    assert [{"$ref": ref} for ref in mapping.values()] == SCHEMA["oneOf"]
    for name, model in TYPES.items():
        definition = SCHEMA["$defs"][model.__name__]
        assert definition["properties"]["type"]["const"] == name
        assert definition["title"] == model.__name__


def test_within_others_stands_what_may() -> None:
    nested = {name for name, model in TYPES.items() if not model.root_only}
    assert set(SCHEMA["$defs"]["Part"]["discriminator"]["mapping"]) == nested


def test_every_key_says_what_belongs_there() -> None:
    for definition in SCHEMA["$defs"].values():
        assert definition["title"]
        for key, field in definition.get("properties", {}).items():
            assert field["title"]
            assert key == "type" or field["description"], f"{definition['title']}.{key}"
    assert all(SCHEMA["$defs"][model.__name__]["description"] for model in TYPES.values())


@pytest.mark.parametrize("kind", TYPES)
def test_examples_are_valid(kind: str) -> None:
    examples = SCHEMA["$defs"][TYPES[kind].__name__]["examples"]
    assert examples
    for example in examples:
        VALIDATOR.validate(example)
        parse(json.dumps(example))


@given(documents())
def test_what_is_read_is_valid(text: str) -> None:
    VALIDATOR.validate(json.loads(text))


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        COUNT,
        root(version=2),
        root(type="treshold"),
        root(metric="cuont"),
        root(at_least=0),
        root(at_least=1_000_001),
        root(at_least="3"),
        root(at_least=True),
        root(at_laest=3),
        root(activity_types=[]),
        root(activity_types=["v" * 201]),
        root(window={}),
        root(window={"rolling_days": 3661}),
        root(window={"from": "2026-02-30", "to": "2026-03-01"}),
        root(window={"calendar": "week", "rolling_days": 7}),
        {"version": 1, "type": "all", "of": []},
        {"version": 1, "type": "all", "of": [root()]},
        {"version": 1, "type": "all", "of": [{"type": "raw", "criteria_raw": 1, "reason": "r"}]},
        {"version": 1, "type": "raw", "criteria_raw": 1},
        {"version": 1, "type": "tier", "metric": "count", "tiers": [{"name": "gold"}]},
        {"version": 1, "type": "streak", "period": "year", "length": 2},
    ],
)
def test_what_a_schema_can_tell_is_refused_by_both(document: object) -> None:
    assert not VALIDATOR.is_valid(document)
    with pytest.raises(InvalidCriteria):
        parse(json.dumps(document))
