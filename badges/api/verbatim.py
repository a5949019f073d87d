"""Answers with JSON in them that is passed on as it is written, not read and written anew."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, TypeAlias

import msgspec
from fastapi import Response
from msgspec import Raw
from pydantic import BaseModel, WithJsonSchema

Verbatim: TypeAlias = Annotated[
    Any, WithJsonSchema({"description": "the JSON that was saved, usually an object"})
]
"""JSON text as msgspec's Raw: its numbers keep all their digits."""


def verbatim(text: str) -> Raw:
    """JSON as Postgres writes it, for a model of an answer."""
    return Raw(text.encode())


def answer(
    body: BaseModel,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The model as JSON."""
    return Response(
        msgspec.json.encode(body.model_dump()),
        status_code=status,
        headers=headers,
        media_type="application/json",
    )
