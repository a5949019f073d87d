"""Whether the API lives (/healthz), and whether it can answer (/readyz)."""

import asyncio
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request
from pydantic import BaseModel

from badges.api.problem import SOON, ProblemError, responses
from sinks.failures import translated
from streams.log import generations

router = APIRouter(tags=["health"])

_PATIENCE_S: Final = 5.0
"""Who asks /readyz asks again; to wait for longer is an answer."""


class Alive(BaseModel):
    """The process answers."""

    status: str = "ok"


class Ready(BaseModel):
    """The database answers, and this generation of the log is live."""

    status: str = "ready"
    generation: int


@router.get("/healthz")
async def healthz() -> Alive:
    """Say that the process answers."""
    return Alive()


@router.get("/readyz", responses=responses(HTTPStatus.SERVICE_UNAVAILABLE))
async def readyz(request: Request) -> Ready:
    """Say whether Postgres answers and a log is live."""
    with translated():
        async with asyncio.timeout(_PATIENCE_S):
            live = await generations.live(request.app.state.pool)
    if live is None:
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "No log is live: run `badges provision` and wait for it",
            headers=SOON,
        )
    return Ready(generation=live.number)
