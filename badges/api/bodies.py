"""Bodies with criteria in them, which are judged as the text that they were written as."""

import re
from collections.abc import Set as AbstractSet
from typing import Any, Final, Generic, TypeVar

import msgspec
from fastapi.exceptions import RequestValidationError
from msgspec import Raw, Struct
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from badges.api.problem import invalid, invalid_criteria
from tables.documents import Violation, nearest, read, too_deep
from tables.languages import Language, Text

_ANOTHER: Final = Text(
    "expected one of {known}, found another", "forventet en av {known}, fant en annen"
)
_WITHIN: Final = re.compile(r"\$\.criteria(?![A-Za-z0-9_])")

_Body = TypeVar("_Body", bound=BaseModel)


class Sent(Struct, Generic[_Body], frozen=True):
    """What was sent, its criteria as the text that they were written as."""

    body: _Body
    criteria: str


class _Members(Struct):
    criteria: Raw


def described(model: type[BaseModel]) -> dict[str, Any]:
    """A route's body for its description in OpenAPI, where `read_body` reads it."""
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def read_body(
    body: bytes,
    model: type[_Body],
    language: Language,
    *,
    ignored: AbstractSet[str] = frozenset(),
) -> Sent[_Body]:
    """Read a request's body, some keys of which count for nothing.

    The criteria stay text: another writer would change numbers, and a reader that is not as strict
    would hide keys that are there twice. Raises ProblemError and RequestValidationError, 422, with
    what is wrong around the criteria; or ProblemError, 422, with why the criteria are no JSON.
    """
    document, wrong = read(body, language=language)
    around = [each for each in wrong if _WITHIN.match(each.path) is None]
    if around:
        raise invalid(around)
    if isinstance(document, dict):
        document = {key: value for key, value in document.items() if key not in ignored}
    try:
        parsed = model.model_validate(document)
        criteria = msgspec.json.decode(body, type=_Members).criteria
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise RequestValidationError([_located(each, model, language) for each in found]) from None
    except (msgspec.DecodeError, RecursionError):
        within = [_relative(each) for each in wrong]
        raise invalid_criteria(within or [too_deep(language)]) from None
    return Sent(parsed, bytes(criteria).decode())


def _relative(violation: Violation) -> Violation:
    return Violation(_WITHIN.sub("$", violation.path), violation.message, violation.hint)


def _located(error: ErrorDetails, model: type[BaseModel], language: Language) -> dict[str, Any]:
    located = {**error, "loc": ("body", *error["loc"])}
    if error["type"] != "extra_forbidden":
        return located
    known = list(model.model_fields)
    hint = nearest(error["loc"][0], known, language)
    said = _ANOTHER(language, known=", ".join(known)) + (f": {hint}" if hint else "")
    return {**located, "msg": said}
