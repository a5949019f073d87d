"""What an admin sends as a badge definition."""

import re
from datetime import date
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool
from pydantic.json_schema import WithJsonSchema

from badges.api.criteria_schema import CriteriaDocument
from badges.api.texts import Text

Status: TypeAlias = Literal["draft", "active", "retired"]

ANSWERED: Final = {
    "id", "organization_id", "version", "saved_by", "saved_at", "warnings", "summary",
    "holders",
}  # fmt: skip
"""What an answer has besides: whoever sends an answer back, changed, may leave it in."""


def _iso_date(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("a date like 2026-01-31 is expected")
    if value is not None and not isinstance(value, str):
        raise ValueError("a date like 2026-01-31, or null, is expected")
    return value


CountsFrom: TypeAlias = Annotated[date | None, BeforeValidator(_iso_date)]
"""From which date rows count; None: all do."""


class DefinitionBody(BaseModel):
    """A whole definition; what is left out has its default."""

    model_config = ConfigDict(extra="forbid")

    key: Annotated[Text, Field(min_length=1, max_length=200, examples=["a-hundred-hours"])]
    """What other criteria know it by: no other definition of the organization has it."""
    name: Annotated[Text, Field(min_length=1, max_length=500, examples=["A hundred hours"])]
    description: Annotated[Text, Field(max_length=10_000)] = ""
    icon: Annotated[Text, Field(max_length=10_000)] | None = None
    criteria: CriteriaDocument
    counts_from: CountsFrom = None
    revocable: StrictBool = False
    status: Annotated[
        Status | None, WithJsonSchema({"enum": ["draft", "active", "retired"], "type": "string"})
    ] = Field(None, description="draft unless given; an existing definition keeps its own")
