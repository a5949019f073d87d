"""Whether the API lives (/healthz), and whether it can answer (/readyz)."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from badges.api.problem import problem
from sinks.errors import StoreError
from sinks.failures import translated
from streams.log import generations

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@router.get("/readyz", response_model=None)
async def readyz(request: Request) -> dict[str, object] | JSONResponse:
    """Say whether Postgres answers and a log is live."""
    try:
        with translated():
            live = await generations.live(request.app.state.pool)
    except StoreError as error:
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
    if live is None:
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "No log is live: run `badges provision` and wait for it"
        )
    return {"status": "ready", "generation": live.number}
