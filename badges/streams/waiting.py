"""What keeps a partition's writing from going on: told as alerts, which are closed when it is over.

A turn that cannot be written stands still, and with it the partition. Something that Postgres
refuses waits beside the partition, which goes on; it is tried again with every turn, and here while
there is none.
"""

import asyncio
from typing import Final

import structlog

from badges.sinks.alerts import Alerts, OpenAlerts
from badges.sinks.base import Outcome, Sink, Unavailable, Waiting
from badges.sinks.failures import Refused
from badges.streams.partition import Partition

STALLED: Final = "turn_stalled"
REFUSED: Final = "write_refused"

STALLED_SECONDS = 30.0
"""How long a turn may be tried before that is an alert."""
SLOWER = 5
"""So many times longer is the pause between two tries once that has been told."""
RETRY_SECONDS = 2.0
"""How long what is refused waits while there is no turn, and how often it is told at most."""

log = structlog.get_logger(__name__)


class Stall:
    """One partition's turn that cannot be written."""

    def __init__(self, partition: int, alerts: Alerts) -> None:
        self._partition = partition
        self._alerts = alerts
        self._lasted = 0.0
        self._told = False
        self._may_be_open = True  # an earlier process may have left it

    async def failed(self, error: Unavailable, began: float, pause: float) -> float:
        """A try that began then (the loop's time) has failed; how long to wait before the next.

        What was spent in waiting for the log's continuity does not count: that has its own alerts.
        """
        pause *= SLOWER if self._told else 1
        self._lasted += asyncio.get_running_loop().time() - began + pause
        if self._lasted >= STALLED_SECONDS and not self._told:
            self._told = self._may_be_open = True
            await self._alerts.raise_alert(
                STALLED,
                {
                    "message": f"this partition stands still until it can be written: {error}"[
                        :1000
                    ],
                    "sqlstate": error.sqlstate,
                    "partition": self._partition,
                },
                subject=str(self._partition),
            )
        return pause

    async def over(self) -> None:
        """The turn is written."""
        self._lasted, self._told = 0.0, False
        if self._may_be_open:
            self._may_be_open = False
            await self._alerts.resolve(STALLED, subject=str(self._partition))


class RefusedWrites:
    """What waits of one partition, because Postgres refuses to write it."""

    def __init__(self, sink: Sink, alerts: OpenAlerts) -> None:
        self._sink = sink
        self._alerts = alerts
        self._waits = True  # until the first look
        self._looked_at = float("-inf")

    async def after(self, outcome: Outcome) -> None:
        """A turn was written: tell what waits since, or no longer."""
        news = bool(outcome.refused) or outcome.waits != self._waits
        self._waits = outcome.waits
        if news or (self._waits and self._is_time()):
            await self._tell()

    async def try_again(self, state: Partition) -> None:
        """Write what is accepted by now; there is no turn. Raises Fenced."""
        if not (self._waits and self._is_time()):
            return
        try:
            self._waits = await self._sink.retry(state.log_id, state.number, state.position)
        except Unavailable as error:
            log.info("what waits cannot be tried again yet", error=str(error))
        await self._tell()

    def _is_time(self) -> bool:
        return asyncio.get_running_loop().time() - self._looked_at >= RETRY_SECONDS

    async def _tell(self) -> None:
        """Open an alert for each reason why anything waits anywhere, and close those of no more.

        Every worker with something that waits does so again and again: one that sees nothing more
        may close an alert just as another needs it.
        """
        self._looked_at = asyncio.get_running_loop().time()
        try:
            waiting = {each.subject: each for each in await self._sink.waiting()}
            opened = set(await self._alerts.opened(REFUSED))
        except (Unavailable, Refused) as error:
            log.info("what waits cannot be told yet", error=str(error))
            return
        for subject in waiting.keys() - opened:
            await self._alerts.raise_alert(REFUSED, _detail(waiting[subject]), subject=subject)
        for subject in opened - waiting.keys():
            await self._alerts.resolve(REFUSED, subject=subject)


def _detail(waiting: Waiting) -> dict[str, object]:
    by = f" ({waiting.refused_by})" if waiting.refused_by else ""
    return {
        "message": "Postgres refuses to write what was decided; it waits in badge_refused_writes, "
        f"and is written as soon as it is accepted: {waiting.message}{by}",
        "sqlstate": waiting.sqlstate,
        "reason": waiting.message,
        "refused_by": waiting.refused_by,
        "badge_definition_id": waiting.badge_definition_id,
        "waiting": waiting.count,
        "since": waiting.since,
    }
