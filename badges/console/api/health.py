"""Whether the API lives (/healthz), and whether it can answer (/readyz)."""

from http import HTTPStatus

import asyncpg
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from badges.console.api.problem import problem

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@router.get("/readyz", response_model=None)
async def readyz(request: Request) -> dict[str, object] | JSONResponse:
    """Say whether Postgres answers and a log is live."""
    try:
        generation = await request.app.state.pool.fetchval(
            "select generation from badge_logs where state = 'live'"
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, f"Postgres cannot be asked: {error}")
    if generation is None:
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "No log is live: run `badges provision` and wait for it"
        )
    return {"status": "ready", "generation": generation}
