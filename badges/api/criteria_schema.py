"""The JSON schema of criteria as OpenAPI has it: a component, and one for each of its parts."""

import json
from typing import Annotated, Any, Final, TypeAlias

from pydantic import WithJsonSchema

from tables.criteria.schema import json_schema

_ROOT: Final = "Criteria"
_COMPONENTS: Final = "#/components/schemas/"

REFERENCE: Final = {"$ref": f"{_COMPONENTS}{_ROOT}"}
"""What a description says where criteria stand."""

Document: TypeAlias = Annotated[Any, WithJsonSchema(REFERENCE)]
"""A field that holds criteria, in a model of what is sent or answered."""


def components() -> dict[str, Any]:
    """The schemas that REFERENCE leads to, by name; each begins with the root's."""
    schema = json.loads(json.dumps(json_schema()).replace('"#/$defs/', f'"{_COMPONENTS}{_ROOT}'))
    parts = {f"{_ROOT}{name}": each for name, each in schema.pop("$defs").items()}
    del schema["$schema"]
    return {_ROOT: schema, **parts}
