"""Bodies with criteria in them, which are judged as the text that they were written as."""

from collections.abc import Set as AbstractSet
from typing import Any, Final, Generic, TypeVar

import msgspec
from fastapi.exceptions import RequestValidationError
from msgspec import Raw, Struct
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tables.documents import Violation, nearest, read, too_deep

_CRITERIA: Final = "$.criteria"

_Body = TypeVar("_Body", bound=BaseModel)


class Sent(Struct, Generic[_Body], frozen=True):
    """What was sent, its criteria as the text that they were written as."""

    body: _Body
    criteria: str


class CriteriaNoJson(Exception):
    """Criteria that are no JSON, with what is wrong with them by paths of their own."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("; ".join(map(str, violations)))
        self.violations = violations


class _Members(Struct):
    criteria: Raw


def read_body(
    body: bytes, model: type[_Body], ignored: AbstractSet[str] = frozenset()
) -> Sent[_Body]:
    """Read a request's body, some keys of which count for nothing.

    The criteria stay text: another writer would change numbers, and a reader that is not as strict
    would hide keys that are there twice. Raises RequestValidationError with all that is wrong
    around the criteria, and CriteriaNoJson.
    """
    document, wrong = read(body)
    around = [each for each in wrong if not each.path.startswith(_CRITERIA)]
    if around:
        raise RequestValidationError([_error("strict_json", said=each) for each in around])
    if isinstance(document, dict):
        document = {key: value for key, value in document.items() if key not in ignored}
    try:
        parsed = model.model_validate(document)
        criteria = msgspec.json.decode(body, type=_Members).criteria
    except ValidationError as error:
        raise RequestValidationError(_located(error, model)) from None
    except (msgspec.DecodeError, RecursionError):
        raise CriteriaNoJson([_relative(each) for each in wrong] or [too_deep("en")]) from None
    return Sent(parsed, bytes(criteria).decode())


def _relative(violation: Violation) -> Violation:
    path = "$" + violation.path.removeprefix(_CRITERIA)
    return Violation(path, violation.message, violation.hint)


def _located(error: ValidationError, model: type[BaseModel]) -> list[dict[str, Any]]:
    return [
        _error(each["type"], *each["loc"], said=_said(each, model))
        for each in error.errors(include_url=False, include_context=False)
    ]


def _said(error: ErrorDetails, model: type[BaseModel]) -> str:
    if error["type"] != "extra_forbidden":
        return error["msg"].removeprefix("Value error, ")
    known = list(model.model_fields)
    hint = nearest(error["loc"][0], known)
    return f"expected one of {', '.join(known)}, found another{f': {hint}' if hint else ''}"


def _error(kind: str, *loc: int | str, said: object) -> dict[str, Any]:
    return {"type": kind, "loc": ("body", *loc), "msg": str(said), "input": None}
