"""How much of the log waits to be decided, and whether anybody works on it."""

import asyncio
from collections.abc import Mapping

import structlog
from msgspec import Struct

from sinks.alerts import Alerts
from sinks.base import Unavailable
from sinks.failures import Refused, translated
from sinks.pool import Executor
from streams import metrics
from streams.log import generations
from streams.log.cluster import Cluster, KafkaError
from streams.log.generations import Generation
from streams.log.looks import Looks

LOOK_EVERY_S = 5.0
CONFIRMATIONS = 3
"""So many looks in a row: a worker that is started again is back sooner."""

WORKER = "badges worker"
"""What a worker's sessions call themselves; the server ends them with their process."""

log = structlog.get_logger(__name__)


class Backlog(Struct, frozen=True):
    """Records that wait, by partition, and how many sessions workers have with the database."""

    behind: Mapping[int, int]
    sessions: int

    @property
    def deserted(self) -> bool:
        """Whether something waits and nobody works."""
        return self.sessions == 0 and any(self.behind.values())

    @property
    def sentence(self) -> str:
        """What waits, and for whom."""
        number = sum(self.behind.values())
        waits = f"{number:,} record{'s' if number != 1 else ''} of the log"
        return f"{waits} wait and no worker is connected: start one with `badges worker`"


async def backlog(generation: Generation, connection: Executor, cluster: Cluster) -> Backlog:
    """What waits of a live generation. Raises KafkaError, OSError, or errors of Postgres."""
    positions = await generations.next_offsets(connection, generation.log_id)
    found = (await cluster.topics([generation.topic])).get(generation.topic)
    ends = dict(enumerate(await cluster.ends(found))) if found else {}
    sessions = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = $1",
        WORKER,
    )
    behind = {
        partition: max(ends.get(partition, 0) - position, 0)
        for partition, position in sorted(positions.items())
    }
    return Backlog(behind, sessions)


async def watch_backlog(connection: Executor, cluster: Cluster, alerts: Alerts) -> None:
    """Look every few seconds, for good: measure what waits, and open an alert if nobody works."""
    looks = Looks()
    is_open = True  # an earlier process may have left it so
    while True:
        try:
            with translated():
                live = await generations.live(connection)
                found = await backlog(live, connection, cluster) if live else Backlog({}, 0)
        except (Unavailable, Refused, KafkaError, OSError) as error:
            log.warning("what waits cannot be told", error=str(error))
        else:
            for partition, records in found.behind.items():
                metrics.BEHIND.labels(partition).set(records)
            deserted = looks.found(found.deserted or None)
            if deserted and deserted % CONFIRMATIONS == 0:
                await alerts.raise_alert("nobody_works", {"message": found.sentence})
                is_open = True
            elif is_open and not deserted:
                await alerts.resolve("nobody_works")
                is_open = False
        await asyncio.sleep(LOOK_EVERY_S)
