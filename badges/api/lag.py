"""/v1/lag: how far behind the awards are, and what holds them up."""

from fastapi import APIRouter, Request

from badges.api.networks import CoordinatorOrOpenNetwork
from badges.api.shared import Shared
from streams.lag.stages import Lag

router = APIRouter(tags=["lag"])


@router.get("/v1/lag", openapi_extra={"security": [{}]})
async def lag(request: Request, _: CoordinatorOrOpenNetwork) -> Lag:
    """How far behind the database the awards are: the answer of `badges lag --once --json`."""
    shared: Shared[Lag] = request.app.state.lag
    return await shared.now()
