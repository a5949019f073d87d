"""/openapi.json: what FastAPI derives from the routes, and the problems that each may give."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from badges.api.criteria_schema import with_criteria
from badges.api.problem import Problem, responses

_METHODS: Final = ("get", "put", "post", "delete", "patch")
_REPLACED: Final = ("HTTPValidationError", "ValidationError")
"""FastAPI's own form of a 422, which no answer has here."""


class DocumentedApp(FastAPI):
    """An application whose description has every form that an answer may take."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = with_criteria(_with_problems(super().openapi()))
        return self.openapi_schema


def _with_problems(description: dict[str, Any]) -> dict[str, Any]:
    schemas = description["components"]["schemas"]
    _, problems = models_json_schema(
        [(Problem, "serialization")], ref_template="#/components/schemas/{model}"
    )
    for name in _REPLACED:
        schemas.pop(name, None)
    schemas |= problems["$defs"]
    for path, operations in description["paths"].items():
        for method in _METHODS:
            if method in operations:
                operation = operations[method]
                if _REPLACED[0] in str(operation["responses"].get("422")):
                    del operation["responses"]["422"]
                for status, response in responses(*_problems(path, method, operation)).items():
                    operation["responses"].setdefault(str(status), response)
    return description


def _problems(path: str, method: str, operation: dict[str, Any]) -> Iterator[HTTPStatus]:
    if operation.get("security"):
        yield HTTPStatus.UNAUTHORIZED
        yield HTTPStatus.FORBIDDEN
        yield HTTPStatus.SERVICE_UNAVAILABLE
    if "{" in path:
        yield HTTPStatus.NOT_FOUND
    if method != "get":
        yield HTTPStatus.CONFLICT
    if "requestBody" in operation:
        yield HTTPStatus.BAD_REQUEST
        yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if "requestBody" in operation or operation.get("parameters"):
        yield HTTPStatus.UNPROCESSABLE_ENTITY
