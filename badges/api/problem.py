"""Errors as application/problem+json (RFC 9457)."""

from http import HTTPStatus

from fastapi.responses import JSONResponse


def problem(status: HTTPStatus, detail: str) -> JSONResponse:
    """An answer that says what is wrong and what to do, in the standard's members."""
    return JSONResponse(
        {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail},
        status_code=status,
        media_type="application/problem+json",
    )
