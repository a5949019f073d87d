"""Whether turns may be written: the log's continuity, looked at each second and when in doubt."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from badges.sinks.alerts import Alerts
from badges.streams.errors import LogBroken

CHECK_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Gate:
    """Open while the last look found nothing broken, and no connection was lost since it began."""

    def __init__(self, look: Callable[[], Awaitable[LogBroken | None]], alerts: Alerts) -> None:
        """`look` gives what is broken, or None; it raises while it cannot tell."""
        self._look = look
        self._alerts = alerts
        self._open = asyncio.Event()
        self._doubts = 0
        self._broken: LogBroken | None = None

    async def passed(self) -> None:
        """Return when turns may be written."""
        await self._open.wait()

    def doubt(self) -> None:
        """A connection was lost: nothing is written before the continuity was looked at again."""
        self._doubts += 1
        self._open.clear()

    async def broken(self, error: LogBroken) -> None:
        """The log contradicts itself: stay closed. Returns only by being cancelled."""
        await self._close(error)
        await asyncio.Event().wait()

    async def watch(self) -> None:
        """Look each second, for good; nothing is patched here, only told."""
        while True:
            doubts = self._doubts
            try:
                found = await self._look()
            except Exception as error:
                log.warning("the log's continuity cannot be looked at", error=str(error))
                self.doubt()
            else:
                await self._judge(found, doubts)
            await asyncio.sleep(CHECK_SECONDS)

    async def _judge(self, found: LogBroken | None, doubts: int) -> None:
        if found:
            await self._close(found)
        elif self._broken is None and doubts == self._doubts:
            self._open.set()

    async def _close(self, error: LogBroken) -> None:
        self.doubt()
        if self._broken is None or self._broken.kind != error.kind:
            log.error("the log is broken, nothing is written", kind=error.kind, reason=str(error))
            self._broken = error
            await self._alerts.raise_alert(error.kind, {"message": str(error)})
