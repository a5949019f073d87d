"""Whether what the fold holds is what badge_awards has, once a partition has caught up.

What differs is told once it is certain that it was no row on its way: see differences.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import structlog

from sinks.alerts import Alerts
from sinks.base import Sink
from sinks.errors import StoreError
from sinks.failures import translated
from streams.differences import Differences, differences, lasting
from streams.partition import Partition

KIND: Final = "awards_differ"
NAMED_AT_MOST = 20
AGAIN_SECONDS = 60.0
"""How long after it was told a difference is looked for again."""

log = structlog.get_logger(__name__)


class Reconciliation:
    """Compares one partition, once it has caught up: `look` while nothing is left to fold.

    It takes several looks, because a difference may only be on its way through the log. What
    differs is told, and compared anew each minute until it is mended.
    """

    def __init__(
        self,
        sink: Sink,
        alerts: Alerts,
        wal_written: Callable[[], Awaitable[int]],
        wal_sent: Callable[[], Awaitable[int]],
        state: Partition,
    ) -> None:
        """How far the database's log is written, and how far it has come to Kafka, is in bytes."""
        self._sink = sink
        self._alerts = alerts
        self._wal_written = wal_written
        self._wal_sent = wal_sent
        self._state = state
        # What differed at the first comparison; None before that.
        self._seen: Differences | None = None
        # The WAL position that the log has to pass before that counts, in bytes; then 0.
        self._until = 0
        # Whose awards an open alert is about.
        self._told: set[str] = set()
        # When to look (the loop's time); None once nothing differs.
        self._next: float | None = float("-inf")

    async def look(self) -> None:
        """Go one step on, if it is time for that; does nothing once nothing differs."""
        now = asyncio.get_running_loop().time()
        if self._next is None or now < self._next:
            return
        try:
            with translated():
                if self._seen is None:
                    await self._compare_all()
                elif not self._until:
                    await self._compare_again(self._seen, now)
                elif await self._wal_sent() >= self._until:
                    # What Kafka has by now, the partition worker has heard of by the next look.
                    self._until = 0
        except StoreError as error:
            log.info("awards cannot be compared yet", error=str(error))

    async def _compare_all(self) -> None:
        found = await self._differences(self._state.mentors)
        if found:
            # The WAL's end is read after the rows: what has changed them lies before it.
            self._seen, self._until = found, await self._wal_written()
            return
        if found is not None:
            await self._alerts.resolve(KIND, subject=str(self._state.number))
        self._next = None

    async def _compare_again(self, seen: Differences, now: float) -> None:
        found = await self._differences({mentor for mentor, _ in seen})
        if found is None:
            self._next = None
            return
        differing = {mentor for mentor, _ in lasting(seen, found)}
        if not differing or self._told not in (set(), differing):
            await self._alerts.resolve(KIND, subject=str(self._state.number))
        if differing:
            await self._tell(differing)
        self._seen, self._told = None, differing or self._told
        self._next = now + AGAIN_SECONDS if differing else None

    async def _differences(self, mentors: Iterable[str]) -> Differences | None:
        """What differs; None when somebody else is ahead, so that the next turn will be fenced."""
        state = self._state
        among = [mentor for mentor in mentors if mentor in state.mentors]
        rows = await self._sink.awards(state.log_id, state.number, among)
        if await self._sink.position(state.log_id, state.number) != state.position:
            return None
        return differences(state, among, rows)

    async def _tell(self, mentors: set[str]) -> None:
        partition = self._state.number
        log.error("awards differ from the log", partition=partition, mentors=len(mentors))
        await self._alerts.raise_alert(
            KIND,
            {
                "message": f"badge_awards of {len(mentors)} mentors differ from what the log says; "
                "nothing was changed",
                "mentors": sorted(mentors)[:NAMED_AT_MOST],
            },
            subject=str(partition),
        )
