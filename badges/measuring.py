"""A meter of the lag for a command, with clients of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from badges.settings import Settings
from schema.database import where
from sinks.pool import create_pool
from streams.lag.answers import Clients
from streams.lag.meter import Meter
from streams.lag.pulse import Pulses
from streams.log.cluster import Cluster
from streams.log.connect import Connect
from streams.log.heartbeats import Heartbeats

_CLOSING_S = 0.3
"""How long a client may take to say goodbye: to whom does not answer there is no need to."""


@asynccontextmanager
async def measuring(chosen: Settings, command: str) -> AsyncIterator[Meter]:
    """A meter that hears the workers too; Postgres sees it as the command of that name."""
    kafka = chosen.kafka_access()
    cluster, heartbeats, pulses = Cluster(kafka), Heartbeats(kafka), Pulses()
    # One connection hears the workers: one that reads the state of its partitions notes nothing.
    pool = await create_pool(chosen.database, application_name=command, max_size=2)
    hearing = asyncio.create_task(pulses.listen(pool))
    try:
        async with Connect(chosen.connect_url.get_secret_value()) as rest:
            place = where(chosen.database)
            clients = Clients(pool, cluster, rest, heartbeats, place, chosen.kafka_bootstrap)
            yield Meter(clients, chosen.on_time_seconds, pulses)
    finally:
        hearing.cancel()
        pool.terminate()
        closing = [asyncio.create_task(each.close()) for each in (heartbeats, cluster)]
        await asyncio.wait(closing, timeout=_CLOSING_S)
