"""Errors as application/problem+json (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi.responses import JSONResponse


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


def problem(
    status: HTTPStatus, detail: str, *, headers: Mapping[str, str] | None = None, **members: object
) -> JSONResponse:
    """An answer that says what is wrong and what to do, in the standard's members."""
    return JSONResponse(
        {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
        | members,
        status_code=status,
        headers=headers,
        media_type="application/problem+json",
    )
