"""The JSON schema of criteria as OpenAPI has it: a component, and one for each of its parts."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias

from pydantic import WithJsonSchema

from tables.criteria.schema import json_schema

_ROOT: Final = "Criteria"
_COMPONENTS: Final = "#/components/schemas/"
_STAND_IN: Final = {"type": "object", "format": "badge-criteria"}

REFERENCE: Final = {"$ref": f"{_COMPONENTS}{_ROOT}"}
"""What a description says where criteria stand."""

CriteriaDocument: TypeAlias = Annotated[Any, WithJsonSchema(_STAND_IN)]
"""A field that holds criteria, in a model of what is sent or answered."""


def with_criteria(description: Mapping[str, Any]) -> dict[str, Any]:
    """An OpenAPI description in which every CriteriaDocument is what criteria may be."""
    described: dict[str, Any] = _replaced(description)
    described["components"]["schemas"] |= _components()
    return described


def _replaced(node: Any) -> Any:
    # Pydantic writes no reference to what is no model of its own.
    if isinstance(node, list):
        return [_replaced(each) for each in node]
    if not isinstance(node, Mapping):
        return node
    if node.get("format") == _STAND_IN["format"]:
        return {key: value for key, value in node.items() if key not in _STAND_IN} | REFERENCE
    return {key: _replaced(value) for key, value in node.items()}


def _components() -> dict[str, Any]:
    """The schemas that REFERENCE leads to, by names that begin with the root's."""
    text = json.dumps(json_schema()).replace('"#/$defs/', f'"{_COMPONENTS}{_ROOT}')
    schema = json.loads(text)
    parts = {f"{_ROOT}{name}": each for name, each in schema.pop("$defs").items()}
    del schema["$schema"]
    return {_ROOT: schema, **parts}
