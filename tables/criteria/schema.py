"""The JSON schema of criteria documents, made of the models that read them."""

from collections.abc import Collection
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from tables.criteria.base import Criterion
from tables.criteria.union import TYPES

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_VERSION: Final = {
    "const": 1,
    "type": "integer",
    "title": "Version",
    "description": "1, at the root alone",
}


def json_schema() -> dict[str, Any]:
    """The schema of a document (JSON Schema 2020-12, with OpenAPI's discriminator).

    Each type of criteria is a definition that is called as its class is; `Part` is whichever may
    stand within others. `version` is a key of every type, which the root needs and parts refuse.
    """
    _, schema = models_json_schema([(model, "validation") for model in TYPES.values()])
    definitions = schema["$defs"]
    del definitions[Criterion.__name__]
    for model in TYPES.values():
        own = definitions[model.__name__]
        own["properties"] = {"version": _VERSION, **own["properties"]}
        own["examples"] = [{"version": 1, **example} for example in model.examples]
    definitions["Part"] = {
        "title": "Part",
        "description": "Criteria that stand within others.",
        "not": {"required": ["version"]},
        **_one_of([model for model in TYPES.values() if not model.root_only]),
    }
    return {
        "$schema": _DIALECT,
        "title": "Criteria",
        "description": "What a badge asks for.",
        "required": ["version"],
        **_one_of(TYPES.values()),
        "$defs": definitions,
    }


def _one_of(models: Collection[type[Criterion]]) -> dict[str, Any]:
    """Of one of some types, whichever its key `type` says."""
    names = {name: model.__name__ for name, model in TYPES.items() if model in models}
    mapping = {name: f"#/$defs/{of}" for name, of in names.items()}
    return {
        "type": "object",
        "discriminator": {"propertyName": "type", "mapping": mapping},
        "oneOf": [{"$ref": ref} for ref in mapping.values()],
    }
