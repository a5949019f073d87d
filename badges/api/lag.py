"""/v1/lag: how far behind the awards are, and what holds them up."""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request

from badges.api.networks import CoordinatorOrOpenNetwork
from streams.log.lag import Lag

_GOOD_FOR_S = 1.0

router = APIRouter(tags=["lag"])


class SharedLag:
    """One measurement at a time, which all who ask meanwhile share, and for a second after it.

    So what Kafka, Connect and Postgres are asked does not depend on how many ask here.
    """

    def __init__(self, measure: Callable[[], Awaitable[Lag]]) -> None:
        self._measure = measure
        self._measuring: asyncio.Task[Lag] | None = None
        self._good_until = 0.0

    async def now(self) -> Lag:
        """The lag, a second old at most."""
        clock = asyncio.get_running_loop().time
        task = self._measuring
        if task is None or (task.done() and clock() >= self._good_until):
            task = self._measuring = asyncio.create_task(self._once())
        # Whoever goes away takes nothing from the others.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End what is being measured."""
        if self._measuring is not None:
            self._measuring.cancel()
            await asyncio.wait([self._measuring])

    async def _once(self) -> Lag:
        try:
            return await self._measure()
        finally:
            self._good_until = asyncio.get_running_loop().time() + _GOOD_FOR_S


@router.get("/v1/lag", openapi_extra={"security": [{}]})
async def lag(request: Request, _: CoordinatorOrOpenNetwork) -> Lag:
    """How far behind the database the awards are: the answer of `badges lag --once --json`."""
    shared: SharedLag = request.app.state.lag
    return await shared.now()
