"""What an admin sends as a badge definition."""

import re
from datetime import date
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool
from pydantic.json_schema import WithJsonSchema

from badges.api.criteria_schema import CriteriaDocument
from badges.api.texts import StorableText
from badges.api.wrong_values import DATE
from tables.criteria.fields import expected
from tables.languages import Text

Status: TypeAlias = Literal["draft", "active", "retired"]

ANSWERED: Final = {
    "id", "organization_id", "version", "saved_by", "saved_at", "warnings", "summary",
    "holders",
}  # fmt: skip
"""What an answer has besides: whoever sends an answer back, changed, may leave it in."""


_DATE_OR_NULL: Final = Text("{date} or null", "{date} eller null").filled(date=DATE)


def _iso_date(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise expected(DATE)
    if value is not None and not isinstance(value, str):
        raise expected(_DATE_OR_NULL)
    return value


CountsFrom: TypeAlias = Annotated[date | None, BeforeValidator(_iso_date)]
"""From which date rows count; None: all do."""


class DefinitionBody(BaseModel):
    """A whole definition; what is left out has its default."""

    model_config = ConfigDict(extra="forbid")

    key: Annotated[StorableText, Field(min_length=1, max_length=200, examples=["a-hundred-hours"])]
    """What other criteria know it by: no other definition of the organization has it."""
    name: Annotated[StorableText, Field(min_length=1, max_length=500, examples=["A hundred hours"])]
    description: Annotated[StorableText, Field(max_length=10_000)] = ""
    icon: Annotated[StorableText, Field(max_length=10_000)] | None = None
    criteria: CriteriaDocument
    counts_from: CountsFrom = None
    revocable: StrictBool = False
    status: Annotated[
        Status | None, WithJsonSchema({"enum": ["draft", "active", "retired"], "type": "string"})
    ] = Field(None, description="draft unless given; an existing definition keeps its own")
