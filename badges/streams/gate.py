"""Whether turns may be written: the log's continuity, looked at each second and when in doubt."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from badges.sinks.alerts import Alerts
from badges.streams.errors import LogBroken

CHECK_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Gate:
    """Open while the last look found nothing broken, and no connection was lost since it began."""

    def __init__(
        self,
        look: Callable[[], Awaitable[LogBroken | None]],
        condemn: Callable[[LogBroken], Awaitable[None]],
        alerts: Alerts,
    ) -> None:
        """`look` gives what is broken, or None, and raises while it cannot tell.

        `condemn` notes for every worker that the log contradicts itself.
        """
        self._look = look
        self._condemn = condemn
        self._alerts = alerts
        self._open = asyncio.Event()
        self._asked = asyncio.Event()
        self._doubts = 0
        self._told: LogBroken | None = None
        self._sealed = False

    async def passed(self) -> None:
        """Return when turns may be written."""
        await self._open.wait()

    def doubt(self) -> None:
        """A connection was lost: nothing is written before the continuity was looked at again."""
        self._close()
        self._asked.set()

    async def broken(self, error: LogBroken) -> None:
        """The log contradicts itself: stay closed. Returns only by being cancelled."""
        self._sealed = True
        await self._condemn(error)
        await self._judge(error, self._doubts)
        await asyncio.Event().wait()

    async def watch(self) -> None:
        """Look each second, for good; nothing is patched here, only told."""
        while True:
            doubts = self._doubts
            self._asked.clear()
            try:
                found = await self._look()
            except Exception as error:
                log.warning("the log's continuity cannot be looked at", error=str(error))
                self._close()
                await asyncio.sleep(CHECK_SECONDS)
                continue
            await self._judge(found, doubts)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), CHECK_SECONDS)

    async def _judge(self, found: LogBroken | None, doubts: int) -> None:
        if found is not None:
            self._close()
            await self._tell(found)
        elif not self._sealed and doubts == self._doubts:
            await self._mended()
            self._open.set()

    async def _tell(self, found: LogBroken) -> None:
        if self._told is None:
            self._told = found
            log.error("the log is broken, nothing is written", kind=found.kind, reason=str(found))
            if not found.told:
                await self._alerts.raise_alert(found.kind, {"message": str(found)})

    async def _mended(self) -> None:
        if self._told is not None:
            await self._alerts.resolve(self._told.kind)
            self._told = None

    def _close(self) -> None:
        self._doubts += 1
        self._open.clear()
