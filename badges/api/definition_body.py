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

from badges.api.criteria_schema import REFERENCE
from badges.api.problem import invalid
from badges.api.texts import Text
from tables.documents import Violation, nearest, read, too_deep
from tables.languages import Language

Status: TypeAlias = Literal["draft", "active", "retired"]

_WITHIN: Final = re.compile(r"\$\.criteria(?![A-Za-z0-9_])")
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

    key: Annotated[Text, Field(min_length=1, max_length=200, examples=["a-hundred-hours"])]
    """What other criteria know it by: no other definition of the organization has it."""
    name: Annotated[Text, Field(min_length=1, max_length=500, examples=["A hundred hours"])]
    description: Annotated[Text, Field(max_length=10_000)] = ""
    icon: Annotated[Text, Field(max_length=10_000)] | None = None
    criteria: Any
    counts_from: Annotated[date | None, BeforeValidator(_iso_date)] = None
    revocable: StrictBool = False
    status: Annotated[
        Status | None, WithJsonSchema({"enum": ["draft", "active", "retired"], "type": "string"})
    ] = Field(None, description="draft unless given; an existing definition keeps its own")


def body_schema() -> dict[str, Any]:
    """The body as OpenAPI describes it."""
    schema = DefinitionBody.model_json_schema()
    schema["properties"]["criteria"] = REFERENCE
    return schema


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


def read_definition(body: bytes, language: Language) -> Sent:
    """Read a request's body.

    The criteria stay text: another writer would change numbers, and a reader that is not as strict
    would hide keys that are there twice. Raises ProblemError and RequestValidationError, 422, with
    what is wrong around the criteria, and CriteriaNoJson.
    """
    document, wrong = read(body, language=language)
    around = [each for each in wrong if _WITHIN.match(each.path) is None]
    if around:
        raise invalid(around)
    if isinstance(document, dict):
        document = {key: value for key, value in document.items() if key not in _ANSWERED}
    try:
        parsed = DefinitionBody.model_validate(document)
        criteria = msgspec.json.decode(body, type=_Members).criteria
    except ValidationError as error:
        raise RequestValidationError([_located(each, language) for each in _all(error)]) from None
    except (msgspec.DecodeError, RecursionError):
        within = [_relative(each) for each in wrong]
        raise CriteriaNoJson(within or [too_deep(language)]) from None
    return Sent(parsed, bytes(criteria).decode())


def _relative(violation: Violation) -> Violation:
    return Violation(_WITHIN.sub("$", violation.path), violation.message, violation.hint)


def _all(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_context=False, include_input=False)


def _located(error: ErrorDetails, language: Language) -> dict[str, Any]:
    said = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known = list(DefinitionBody.model_fields)
        hint = nearest(error["loc"][0], known, language)
        said = f"expected one of {', '.join(known)}, found another" + (f": {hint}" if hint else "")
    return {"type": error["type"], "loc": ("body", *error["loc"]), "msg": said}
