"""What Postgres tells of the whole service, asked once for all who look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from badges.api.shared import Shared
from badges.queries import overview as queries
from badges.queries.audit.last_audit import LastAudit, last_audit
from badges.queries.overview import AlertsOpen, AwardSeconds, Definitions
from sinks.failures import translated
from sinks.pool import Connection, Pool

_STANDING_GOOD_FOR_S: Final = 1.0
"""An alert is seen within ten seconds of what it is about, and most of these are gone by then."""
_PACE_GOOD_FOR_S: Final = 2.0
MINUTES: Final = timedelta(minutes=30)
"""For how long unlocks are told by the minute."""
_AWARDS: Final = timedelta(minutes=15)
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class Standing:
    """What waits for somebody, in numbers of every organization together."""

    refused_writes: int
    definitions: Definitions
    last_audit: LastAudit | None
    alerts: Sequence[AlertsOpen]


class SharedStanding(Shared[Standing]):
    """For metrics and the dashboard, a second old at most. Raises StoreError.

    It is apart from the pace, whose questions take longer the more there is: alerts are told then
    too.
    """

    def __init__(self, pool: Pool) -> None:
        super().__init__(self._ask, _STANDING_GOOD_FOR_S)
        self._pool = pool

    async def _ask(self) -> Standing:
        with translated():
            async with self._pool.acquire() as connection:
                return Standing(
                    await queries.refused_writes(connection),
                    await queries.definitions(connection),
                    await last_audit(connection),
                    await queries.alerts_open(connection),
                )


@dataclass(frozen=True)
class Pace:
    """How fast badges come, in all organizations; `by_minute` has each minute that had unlocks."""

    now: datetime
    last_minute: int
    by_minute: Mapping[datetime, int]
    award_seconds: AwardSeconds


class SharedPace(Shared[Pace]):
    """The pace, two seconds old at most. Raises StoreError when Postgres does not answer."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(self._ask, _PACE_GOOD_FOR_S)
        self._pool = pool
        self._by_minute: dict[datetime, int] = {}
        self._asked_at: datetime | None = None

    async def _ask(self) -> Pace:
        with translated():
            async with self._pool.acquire() as connection:
                now, last_minute = await self._count(connection)
                seconds = await queries.award_seconds(connection, _AWARDS)
                return Pace(now, last_minute, dict(self._by_minute), seconds)

    async def _count(self, connection: Connection) -> tuple[datetime, int]:
        """Count anew only what may have changed since the last time: the last minutes."""
        since = None
        if self._asked_at is not None:
            since = (self._asked_at - _MINUTE).replace(second=0, microsecond=0)
        found = await queries.unlocks(connection, since, MINUTES)
        if since is not None and found.now - since > MINUTES:
            found = await queries.unlocks(connection, None, MINUTES)
            self._by_minute.clear()
        self._by_minute |= found.by_minute
        for minute in [each for each in self._by_minute if each < found.now - MINUTES]:
            del self._by_minute[minute]
        self._asked_at = found.now
        return found.now, found.last_minute
