"""What a connector moves while it works; one that calls itself RUNNING may hang all the same.

It sends a heartbeat each second, also where nothing is written and while it waits for Postgres.
"""

import asyncio
import time
from collections.abc import Callable

from msgspec import Struct

from sinks.pool import Executor
from streams.log.cluster import Cluster
from streams.log.generations import Generation
from streams.log.wal import confirmed

_TIMEOUT_S = 5.0

SILENT_S = 4.0
"""So long without a heartbeat is a silence, of what sent them."""

BEGINS_S = 15.0
"""So long may pass before the first one, after the connector or Kafka was away."""

UNCONFIRMED_S = 150.0
"""So long nothing may be confirmed to Postgres: Connect does so each minute where nobody set it."""

_MEND = (
    "Restart it, or Kafka Connect; nothing is lost, but Postgres keeps WAL for it. It goes on by "
    "itself once it gets what it waits for."
)


class Moved(Struct, frozen=True):
    """How far a connector is: the ends of its topics in records, its slot's position in bytes."""

    log: int
    heartbeats: int
    confirmed: int


async def moved(generation: Generation, connection: Executor, cluster: Cluster) -> Moved:
    """How far the generation's connector is. Raises KafkaError, OSError, or errors of Postgres."""
    async with asyncio.timeout(_TIMEOUT_S):
        found = await cluster.topics([generation.topic, generation.heartbeat_topic])
        ends = {name: sum(await cluster.ends(topic)) for name, topic in found.items()}
        place = await confirmed(connection, generation.slot)
    rows, heartbeats = ends.get(generation.topic, 0), ends.get(generation.heartbeat_topic, 0)
    return Moved(rows, heartbeats, place)


class Movement:
    """Since when which part of a connector's work stands still."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sent: tuple[float, Moved] | None = None
        self._moves = False
        """Whether something has moved since it began."""
        self._rows: tuple[int, int] | None = None
        """What besides heartbeats had moved at the last look, and for how long it stands still."""
        self._unconfirmed = 0.0
        self._looked_at: float | None = None

    def begin_again(self) -> None:
        """Forget when it last moved: it was not there to do so."""
        self._rows = None
        self.not_seen()

    def not_seen(self) -> None:
        """Count no time until the next look: nobody can tell whether it moves.

        For how long no row came goes on counting then: a connection that died unseen stays dead.
        """
        self._sent = self._looked_at = None
        self._moves = False

    def look(self, now: Moved) -> tuple[float, float]:
        """For how many seconds nothing has moved at all, and nothing but heartbeats."""
        at = self._clock()
        if self._sent is None or self._sent[1] != now:
            self._moves = self._sent is not None
            self._sent = at, now
        rows = now.log, now.confirmed
        if self._rows != rows:
            self._rows, self._unconfirmed = rows, 0.0
        elif self._looked_at is not None:
            self._unconfirmed += at - self._looked_at
        self._looked_at = at
        return at - self._sent[0], self._unconfirmed

    def standstill(self, now: Moved) -> str | None:
        """What stands still for too long, in words, or None."""
        silent, unconfirmed = self.look(now)
        if silent >= (SILENT_S if self._moves else BEGINS_S):
            return (
                f"sends nothing, not even the heartbeat of each second, for "
                f"{silent:.0f} s: it waits for Postgres (a lock, a connection that "
                f"died unseen) or for Kafka. {_MEND}"
            )
        if unconfirmed >= UNCONFIRMED_S:
            return (
                f"sends heartbeats but no row, and confirms nothing to Postgres, for "
                f"{unconfirmed:.0f} s: its replication connection died unseen, or "
                f"Postgres still reads one very large transaction. {_MEND}"
            )
        return None
