"""What an admin sends as a badge definition."""

import re
from datetime import date
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from fastapi.exceptions import RequestValidationError
from msgspec import Raw, Struct
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, ValidationError
from pydantic.json_schema import WithJsonSchema
from pydantic_core import ErrorDetails

from badges.api.texts import Text
from tables.documents import Violation, nearest, read, too_deep

Status: TypeAlias = Literal["draft", "active", "retired"]

_CRITERIA: Final = "$.criteria"
_ANSWERED: Final = {
    "id", "organization_id", "version", "saved_by", "saved_at", "warnings", "summary",
}  # fmt: skip
"""What an answer has besides: whoever sends an answer back, changed, may leave it in."""


def _iso_date(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("a date like 2026-01-31 is expected")
    if value is not None and not isinstance(value, str):
        raise ValueError("a date like 2026-01-31, or null, is expected")
    return value


class DefinitionBody(BaseModel):
    """A whole definition; what is left out has its default."""

    model_config = ConfigDict(extra="forbid")

    key: Annotated[Text, Field(min_length=1, max_length=200, examples=["first-visit"])]
    """What other criteria know it by: no other definition of the organization has it."""
    name: Annotated[Text, Field(min_length=1, max_length=500, examples=["First visit"])]
    description: Annotated[Text, Field(max_length=10_000)] = ""
    icon: Annotated[Text, Field(max_length=10_000)] | None = None
    criteria: Annotated[Any, WithJsonSchema({"type": "object", "title": "Criteria"})]
    counts_from: Annotated[date | None, BeforeValidator(_iso_date)] = None
    revocable: StrictBool = False
    status: Annotated[
        Status | None, WithJsonSchema({"enum": ["draft", "active", "retired"], "type": "string"})
    ] = Field(None, description="draft unless given; an existing definition keeps its own")


class Sent(Struct, frozen=True):
    """A definition as it was sent, its criteria as the text that they were written as."""

    body: DefinitionBody
    criteria: str


class CriteriaNoJson(Exception):
    """Criteria that are no JSON, with what is wrong with them by paths of their own."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("; ".join(map(str, violations)))
        self.violations = violations


class _Members(Struct):
    criteria: Raw


def read_definition(body: bytes) -> Sent:
    """Read a request's body.

    The criteria stay text: another writer would change numbers, and a reader that is not as strict
    would hide keys that are there twice. Raises RequestValidationError with all that is wrong
    around the criteria, and CriteriaNoJson.
    """
    document, wrong = read(body)
    around = [each for each in wrong if not each.path.startswith(_CRITERIA)]
    if around:
        raise RequestValidationError([_error("strict_json", said=each) for each in around])
    if isinstance(document, dict):
        document = {key: value for key, value in document.items() if key not in _ANSWERED}
    try:
        parsed = DefinitionBody.model_validate(document)
        criteria = msgspec.json.decode(body, type=_Members).criteria
    except ValidationError as error:
        raise RequestValidationError(_located(error)) from None
    except (msgspec.DecodeError, RecursionError):
        raise CriteriaNoJson([_relative(each) for each in wrong] or [too_deep("en")]) from None
    return Sent(parsed, bytes(criteria).decode())


def _relative(violation: Violation) -> Violation:
    path = "$" + violation.path.removeprefix(_CRITERIA)
    return Violation(path, violation.message, violation.hint)


def _located(error: ValidationError) -> list[dict[str, Any]]:
    return [
        _error(each["type"], *each["loc"], said=_said(each))
        for each in error.errors(include_url=False, include_context=False)
    ]


def _said(error: ErrorDetails) -> str:
    if error["type"] != "extra_forbidden":
        return error["msg"].removeprefix("Value error, ")
    known = list(DefinitionBody.model_fields)
    hint = nearest(error["loc"][0], known)
    return f"expected one of {', '.join(known)}, found another{f': {hint}' if hint else ''}"


def _error(kind: str, *loc: int | str, said: object) -> dict[str, Any]:
    return {"type": kind, "loc": ("body", *loc), "msg": str(said), "input": None}
