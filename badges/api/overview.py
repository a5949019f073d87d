"""What Postgres tells of the whole service, asked once for all who look."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from badges.api.shared import Shared
from badges.queries import overview as queries
from badges.queries.overview import AlertsOpen, AwardSeconds, Definitions, LastAudit
from sinks.failures import translated
from sinks.pool import Connection, Pool

_PACE_GOOD_FOR_S: Final = 2.0
_MINUTES: Final = timedelta(minutes=30)
"""For how long unlocks are told by the minute."""
_AWARDS: Final = timedelta(minutes=15)
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class Overview:
    """What waits for somebody, in numbers of every organization together."""

    refused_writes: int
    definitions: Definitions
    last_audit: LastAudit | None
    alerts: Sequence[AlertsOpen]


async def ask_overview(pool: Pool) -> Overview:
    """For metrics and the dashboard. Raises StoreError.

    It is apart from the pace, whose questions take longer the more there is: alerts are told then
    too.
    """
    with translated():
        async with pool.acquire() as connection:
            return Overview(
                await queries.refused_writes(connection),
                await queries.definitions(connection),
                await queries.last_audit(connection),
                await queries.alerts_open(connection),
            )


@dataclass(frozen=True)
class Minute:
    """How many badges were unlocked in the minute that begins then."""

    at: datetime
    count: int


@dataclass(frozen=True)
class Unlocks:
    """Awards that came into force in the last 60 seconds, and in each of the last 30 minutes."""

    last_minute: int
    per_minute: list[Minute]


Pace: TypeAlias = tuple[Unlocks, AwardSeconds]


class SharedPace(Shared[Pace]):
    """How fast badges come, in all organizations, two seconds old at most. Raises StoreError."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(self._ask, _PACE_GOOD_FOR_S)
        self._pool = pool
        self._by_minute: dict[datetime, int] = {}
        self._asked_at: datetime | None = None

    async def _ask(self) -> Pace:
        with translated():
            async with self._pool.acquire() as connection:
                unlocks = await self._count(connection)
                return unlocks, await queries.award_seconds(connection, _AWARDS)

    async def _count(self, connection: Connection) -> Unlocks:
        """Count anew only what may have changed since the last time: the last minutes."""
        since = None
        if self._asked_at is not None:
            since = (self._asked_at - _MINUTE).replace(second=0, microsecond=0)
        found = await queries.unlocks(connection, since, _MINUTES)
        if since is not None and found.now - since > _MINUTES:
            found = await queries.unlocks(connection, None, _MINUTES)
            self._by_minute.clear()
        self._by_minute |= found.by_minute
        newest = found.now.replace(second=0, microsecond=0)
        minutes = [newest - n * _MINUTE for n in reversed(range(_MINUTES // _MINUTE))]
        self._by_minute = {each: self._by_minute.get(each, 0) for each in minutes}
        self._asked_at = found.now
        return Unlocks(found.last_minute, [Minute(*each) for each in self._by_minute.items()])
