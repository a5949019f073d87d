"""/v1/lag: how far behind the awards are, and what holds them up."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request

from badges.api.networks import CoordinatorOrOpenNetwork
from badges.api.shared import Shared
from streams.lag.stages import Lag

_GOOD_FOR_S = 1.0

router = APIRouter(tags=["lag"])


class SharedLag(Shared[Lag]):
    """The lag, a second old at most."""

    def __init__(self, measure: Callable[[], Awaitable[Lag]]) -> None:
        super().__init__(measure, _GOOD_FOR_S)


@router.get("/v1/lag", openapi_extra={"security": [{}]})
async def lag(request: Request, _: CoordinatorOrOpenNetwork) -> Lag:
    """How far behind the database the awards are: the answer of `badges lag --once --json`."""
    shared: SharedLag = request.app.state.lag
    return await shared.now()
