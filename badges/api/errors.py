"""What goes wrong in a request, as problems: no answer has another form, nor any trace in it."""

from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from badges.api.languages import language_of
from badges.api.limits import TOO_LARGE
from badges.api.problem import SOON, ProblemError, invalid, problem
from badges.api.wrong_values import wrong_value
from sinks.errors import Refused, StoreError
from tables.documents import Violation, member
from tables.languages import Language

_BAD_VALUE: Final = "22"
"""The SQLSTATE class of a data exception: text with \\u0000, for instance."""

_SAID: Final = {
    HTTPStatus.NOT_FOUND: "There is nothing at this path: /openapi.json lists what there is",
    HTTPStatus.METHOD_NOT_ALLOWED: "This path has other methods: the header Allow names them",
    HTTPStatus.BAD_REQUEST: "The body cannot be read as JSON",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TOO_LARGE,
}

log = structlog.get_logger(__name__)


def answer_with_problems(app: FastAPI) -> None:
    """Let whatever is raised in a route, or before one is found, end as a problem."""
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _standard)
    app.add_exception_handler(StoreError, _store)


async def _problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)
    return error.response()


async def _standard(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods_at(request))
    return problem(status, _SAID.get(status, error.detail), headers=headers)


def _methods_at(request: Request) -> list[str]:
    """The methods of all routes at a path; the error knows those of the first one alone."""
    return sorted(
        method
        for route in iter_route_contexts(request.app.routes)
        if compile_path(route.path or "")[0].match(request.scope["path"])
        for method in route.methods or ()
    )


async def _store(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StoreError)
    if not isinstance(error, Refused):
        log.warning(
            "Postgres does not do what a request needs", error=str(error), sqlstate=error.sqlstate
        )
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The database does not answer now: try again soon",
            headers=SOON,
        )
    # Its message may repeat what was sent, or what others wrote.
    log.warning("Postgres refuses what a request holds", sqlstate=error.sqlstate)
    if (error.sqlstate or "").startswith(_BAD_VALUE):
        detail = "The request holds a value that Postgres cannot keep, such as text with \\u0000"
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, sqlstate=error.sqlstate)
    return problem(
        HTTPStatus.CONFLICT,
        "The database refuses this: a constraint or a trigger is against it",
        sqlstate=error.sqlstate,
    )


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    json_sent = "json" in request.headers.get("content-type", "")
    language = language_of(request)
    found = [_violation(each, language, json_sent=json_sent) for each in error.errors()]
    return invalid(found).response()


def _violation(error: dict[str, Any], language: Language, *, json_sent: bool) -> Violation:
    """Where and what, without the value itself."""
    where, *location = error["loc"]
    said = wrong_value(error, language)
    if error["type"] == "json_invalid":
        reason = error["ctx"]["error"]
        message = f"expected a JSON document, but at character {location[0]}: {reason}"
        return Violation("$", message)
    if where != "body":
        return Violation(".".join(str(part) for part in error["loc"]), said)
    path = "$"
    for part in location:
        path = f"{path}[{part}]" if isinstance(part, int) else member(path, part)
    untyped = not location and not json_sent
    hint = "send the header Content-Type: application/json" if untyped else None
    return Violation(path, said, hint)
