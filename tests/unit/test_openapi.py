"""The description of the API has the schema of criteria wherever criteria stand."""

import json
import re
from typing import Annotated

from pydantic import BaseModel, Field

from badges.api.app import create_app
from badges.api.criteria_schema import REFERENCE, CriteriaDocument
from badges.api.openapi import DocumentedApp
from badges.settings import Settings
from tables.criteria.schema import json_schema


class Sent(BaseModel):
    """What a route takes."""

    criteria: CriteriaDocument
    before: Annotated[CriteriaDocument | None, Field(description="those of the version before")]


def test_the_whole_description_refers_to_what_it_has() -> None:
    text = json.dumps(create_app(Settings()).openapi())
    assert "#/$defs" not in text
    schemas = json.loads(text)["components"]["schemas"]
    referred = re.findall(r'"#/components/schemas/(\w+)"', text)
    assert referred
    assert set(referred) <= set(schemas)


def test_a_field_refers_to_the_schema_of_criteria() -> None:
    app = DocumentedApp(title="test")

    @app.post("/sent")
    async def send(sent: Sent) -> Sent:
        return sent

    schemas = app.openapi()["components"]["schemas"]
    fields = schemas["Sent"]["properties"]
    assert fields["criteria"] == {"title": "Criteria", **REFERENCE}
    assert REFERENCE in fields["before"]["anyOf"]
    own = json_schema()
    assert set(schemas) >= {"Criteria", *(f"Criteria{name}" for name in own["$defs"])}
    assert len(schemas["Criteria"]["oneOf"]) == len(own["oneOf"])
