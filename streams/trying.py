"""What a partition does again and again until what it needs answers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from structlog.stdlib import BoundLogger

from sinks.backoff import delays
from sinks.errors import Disconnected, Unavailable
from sinks.refused_writes import Stall
from streams import metrics
from streams.write_guard import WriteGuard

Answer = TypeVar("Answer")


class Trying:
    """Tries of one partition, through the guard; an alert tells of those that fail for long."""

    def __init__(self, guard: WriteGuard, stall: Stall, log: BoundLogger) -> None:
        self._guard = guard
        self._stall = stall
        self._log = log

    async def until_available(
        self, what: metrics.Tried, attempt: Callable[[], Awaitable[Answer]], *, reads: bool = False
    ) -> Answer:
        """Try until it succeeds, through the guard: what only `reads` has to pass it once it fails.

        Nor does it count as standing still how long that has read before it failed.
        """
        clock, pauses, guarded = asyncio.get_running_loop().time, delays(), not reads
        while True:
            if guarded:
                await self._guard.passed()
            began = clock()
            try:
                answer = await attempt()
            except Unavailable as error:
                if isinstance(error, Disconnected):
                    self._guard.suspect()
                metrics.RETRIES.labels(what).inc()
                self._log.warning("not available, trying again", error=str(error))
                began, guarded = clock() if reads else began, True
                await asyncio.sleep(await self._stall.failed(error, began, next(pauses)))
            else:
                await self._stall.over()
                return answer
