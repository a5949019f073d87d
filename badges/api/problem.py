"""Errors as application/problem+json (RFC 9457)."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from tables import documents

_MEDIA_TYPE: Final = "application/problem+json"

_MOST: Final = 100
"""More of what is wrong with a request helps nobody."""

SOON: Final = {"Retry-After": "2"}
"""With what is over in a moment."""


class Violation(BaseModel):
    """One thing wrong with a request: where, what was expected, and what to try."""

    path: str
    message: str
    hint: str | None


class Problem(BaseModel):
    """What is wrong and what to do; `errors` where it is the request, one for each of its parts."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    errors: list[Violation] | None = None


class ProblemError(Exception):
    """Ends a request with a problem: what is wrong and what to do, and more members if need be."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: object,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers
        self.members = members

    def response(self) -> JSONResponse:
        return problem(self.status, self.detail, headers=self.headers, **self.members)


def invalid(violations: Sequence[documents.Violation]) -> ProblemError:
    """A request that is not as it has to be, by what is wrong with it."""
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The request is not as it has to be: errors says where",
        errors=msgspec.to_builtins(violations[:_MOST]),
    )


def invalid_criteria(violations: Sequence[documents.Violation]) -> ProblemError:
    """A request whose criteria are not valid: paths begin where they do, as `within` says."""
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The criteria are not valid: errors says where, by paths within the criteria",
        within="criteria",
        errors=msgspec.to_builtins(violations),
    )


class _Response(JSONResponse):
    media_type = _MEDIA_TYPE

    def render(self, content: object) -> bytes:
        """In ASCII: what it repeats of a request may be text that cannot be encoded."""
        return json.dumps(content, default=str).encode()


def problem(
    status: HTTPStatus, detail: str, *, headers: Mapping[str, str] | None = None, **members: object
) -> JSONResponse:
    """An answer that says what is wrong and what to do, in the standard's members."""
    return _Response(
        {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
        | members,
        status_code=status,
        headers=headers,
    )


def responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for its description in OpenAPI."""
    content = {_MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    return {int(each): {"description": each.phrase, "content": content} for each in statuses}
